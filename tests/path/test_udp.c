/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Datagrams through whole stacks: latched when connected (RFC 5660 s5.2), tagged when not (s5.3).
 *
 * Node 0 is the server, node 1 the client; the rogue has SAs for the client's address, so that it
 * looks like a second host behind one NAT.
 */
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "esp/esp.h"
#include "stack/include/tl_sock.h"
#include "stack/udp/udp.h"
#include "tests/util/vnet_lab.h"

enum {
	PORT = 7000,
	PEER_PORT = 7001,
	UDP = 17,
	TAG_SPACE = CMSG_SPACE(sizeof(struct tl_dgram_tag))
};

static struct lab *l;
static int fds[16][2]; /* node, descriptor */
static uint32_t nb_fds;

static struct tl_worker *
w_of(uint32_t node)
{
	return tl_worker(l->n[node]->s, 0);
}

static struct lcore *
lc_at(uint32_t node)
{
	return l->n[node]->s->lc[0];
}

static void
begin(const struct lab_opts *o)
{
	l = lab_new(o);
	nb_fds = 0;
}

static void
finish(void)
{
	while (nb_fds > 0) {
		nb_fds--;
		if (fds[nb_fds][1] >= 0)
			tl_close(w_of((uint32_t)fds[nb_fds][0]), fds[nb_fds][1]);
	}
	lab_free(l);
}

static void
close_of(uint32_t node, int fd)
{
	ck_assert_int_eq(tl_close(w_of(node), fd), 0);
	for (uint32_t i = 0; i < nb_fds; i++) {
		if (fds[i][0] == (int)node && fds[i][1] == fd)
			fds[i][1] = -1;
	}
	vnet_touch(l->n[node]);
}

static struct sockaddr_in
at(uint32_t node, uint16_t port)
{
	return (struct sockaddr_in){.sin_family = AF_INET,
		.sin_port = htons(port),
		.sin_addr.s_addr = htonl(l->n[node]->ip)};
}

static int
rc_of(long n)
{
	return n < 0 ? -errno : (int)n;
}

/* A socket; port 0: not bound. */
static int
sock(uint32_t node, uint16_t port)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(port)};
	int fd = tl_socket(w_of(node), AF_INET, SOCK_DGRAM, 0);

	ck_assert_int_ge(fd, TL_FD_BASE);
	if (port != 0)
		ck_assert_int_eq(tl_bind(w_of(node), fd, (void *)&a, sizeof(a)), 0);
	fds[nb_fds][0] = (int)node;
	fds[nb_fds++][1] = fd;
	return fd;
}

static int
set(uint32_t node, int fd, int opt, const void *v, socklen_t len)
{
	return rc_of(tl_setsockopt(w_of(node), fd, SOL_TL_IPSEC, opt, v, len));
}

static int
tagged(uint32_t node, uint16_t port)
{
	int fd = sock(node, port), one = 1;

	ck_assert_int_eq(set(node, fd, TL_DGRAM_TAG, &one, sizeof(one)), 0);
	return fd;
}

static int
conn(uint32_t node, int fd, uint16_t port)
{
	struct sockaddr_in a = at(1 - node, port);

	return rc_of(tl_connect(w_of(node), fd, (void *)&a, sizeof(a)));
}

static int
disconn(uint32_t node, int fd)
{
	struct sockaddr a = {.sa_family = AF_UNSPEC};

	return rc_of(tl_connect(w_of(node), fd, &a, sizeof(a)));
}

static void
settle(void)
{
	vnet_touch(l->n[0]);
	vnet_touch(l->n[1]);
	lab_pass(l, 10 * VNET_MS);
}

/* On a connection (port 0), or to the other node. */
static int
put(uint32_t node, int fd, uint16_t port, const char *text)
{
	struct sockaddr_in a = at(1 - node, port);
	int rc = rc_of(port == 0 ? tl_send(w_of(node), fd, text, strlen(text), 0)
				 : tl_sendto(w_of(node), fd, text, strlen(text), 0, (void *)&a,
					   sizeof(a)));

	settle();
	return rc;
}

/* The next datagram; 0 if it is this text. */
static int
get(uint32_t node, int fd, const char *text)
{
	char buf[64] = "";
	long n = tl_recv(w_of(node), fd, buf, sizeof(buf) - 1, 0);

	if (n < 0)
		return -errno;
	ck_assert_str_eq(buf, text);
	return 0;
}

struct got {
	int n, flags;
	bool has_tag;
	struct tl_dgram_tag tag;
	struct sockaddr_in from;
	char text[64];
};

static struct got
get_msg(uint32_t node, int fd, size_t control, int flags)
{
	_Alignas(8) uint8_t room[TAG_SPACE] = {0};
	struct got g = {0};
	struct iovec v[2] = {{g.text, 2}, {g.text + 2, sizeof(g.text) - 3}};
	struct msghdr h = {.msg_name = &g.from,
		.msg_namelen = sizeof(g.from),
		.msg_iov = v,
		.msg_iovlen = 2,
		.msg_control = room,
		.msg_controllen = control};
	struct cmsghdr *c;

	g.n = rc_of(tl_recvmsg(w_of(node), fd, &h, flags));
	if (g.n < 0)
		return g;
	g.flags = h.msg_flags;
	c = CMSG_FIRSTHDR(&h);
	if (c != NULL) {
		ck_assert_int_eq(c->cmsg_level, SOL_TL_IPSEC);
		ck_assert_int_eq(c->cmsg_type, TL_IPSEC_TAG);
		memcpy(&g.tag, CMSG_DATA(c), sizeof(g.tag));
		g.has_tag = true;
	}
	return g;
}

static struct got
get_tag(uint32_t node, int fd)
{
	struct got g = get_msg(node, fd, TAG_SPACE, 0);

	ck_assert_int_ge(g.n, 0);
	ck_assert(g.has_tag && g.flags == 0);
	return g;
}

static int
put_tag(uint32_t node, int fd, const struct sockaddr_in *to, const struct tl_dgram_tag *tag)
{
	_Alignas(8) uint8_t room[TAG_SPACE] = {0};
	struct iovec v[2] = {{(void *)(uintptr_t) "rep", 3}, {(void *)(uintptr_t) "ly", 2}};
	struct msghdr h = {.msg_name = (void *)(uintptr_t)to,
		.msg_namelen = to == NULL ? 0 : sizeof(*to),
		.msg_iov = v,
		.msg_iovlen = 2,
		.msg_control = room,
		.msg_controllen = sizeof(room)};
	struct cmsghdr *c = CMSG_FIRSTHDR(&h);
	int rc;

	c->cmsg_level = SOL_TL_IPSEC;
	c->cmsg_type = TL_IPSEC_TAG;
	c->cmsg_len = CMSG_LEN(sizeof(*tag));
	memcpy(CMSG_DATA(c), tag, sizeof(*tag));
	rc = rc_of(tl_sendmsg(w_of(node), fd, &h, 0));
	settle();
	return rc;
}

static struct tl_latch_info
info_of(uint32_t node, int fd)
{
	struct tl_latch_info i;
	socklen_t len = sizeof(i);

	ck_assert_int_eq(tl_getsockopt(w_of(node), fd, SOL_TL_IPSEC, TL_LATCH_INFO, &i, &len), 0);
	return i;
}

static int
so_error(uint32_t node, int fd)
{
	int e = -1;
	socklen_t len = sizeof(e);

	ck_assert_int_eq(tl_getsockopt(w_of(node), fd, SOL_SOCKET, SO_ERROR, &e, &len), 0);
	return e;
}

/* ---- by hand ---- */

static size_t
craft_udp(uint8_t *out, uint16_t sport, uint16_t dport, const void *data, size_t len)
{
	uint16_t h[4] = {htons(sport), htons(dport), htons((uint16_t)(len + 8)), 0};

	memcpy(out, h, 8);
	memcpy(out + 8, data, len);
	return len + 8;
}

static void
inject(const uint8_t *body, size_t len, uint8_t proto)
{
	uint8_t ip[CRAFT_MAX];
	size_t n = craft_ip4(ip, l->n[1]->ip, l->n[0]->ip, proto, body, len);

	vnet_inject(l->v, l->n[0], l->n[1], ip, n, 0, 1);
	settle();
}

/* To the server from the client's address and port, under the rogue's SA or in clear. */
static void
rogue_sends(const char *text)
{
	uint8_t body[CRAFT_MAX], esp[CRAFT_MAX];
	size_t n = craft_udp(body, PEER_PORT, PORT, text, strlen(text));

	inject(esp, craft_esp(&l->bad[0], esp, UDP, body, n, NULL), CRAFT_ESP);
}

static void
clear_sends(const char *text)
{
	uint8_t body[CRAFT_MAX];

	inject(body, craft_udp(body, PEER_PORT, PORT, text, strlen(text)), UDP);
}

static const struct lab_opts plain = {0};
static const struct lab_opts in_clear = {.clear = true};

/* Two ends, both connected and latched. */
struct pair {
	int srv, cli;
};

static struct pair
begin_pair(const struct lab_opts *o)
{
	struct pair p;

	begin(o);
	p.srv = sock(0, PORT);
	p.cli = sock(1, PEER_PORT);
	ck_assert_int_eq(conn(0, p.srv, PEER_PORT), 0);
	ck_assert_int_eq(conn(1, p.cli, PORT), 0);
	return p;
}

/* ---- connected ---- */

START_TEST(d1_d11_connect_latches_what_did_not_ask_for_it)
{
	struct pair p = begin_pair(&(struct lab_opts){.m3_drop = true});
	struct tl_latch_info i = info_of(0, p.srv);

	ck_assert_uint_eq(i.state, TL_LATCH_ESTABLISHED);
	ck_assert_uint_ne(i.flags & TL_LATCH_F_AUTO, 0);
	ck_assert_uint_ne(i.handle, 0);
	ck_assert_int_eq(put(1, p.cli, 0, "hello"), 5);
	ck_assert_int_eq(get(0, p.srv, "hello"), 0);
	ck_assert_int_eq(put(0, p.srv, 0, "there"), 5);
	ck_assert_int_eq(get(1, p.cli, "there"), 0);
	rogue_sends("poison");
	clear_sends("poison");
	ck_assert_int_eq(get(0, p.srv, ""), -EAGAIN);
	ck_assert_uint_eq(lab_stat(l, 0, "latch-m3"), 1);
	ck_assert_uint_eq(lab_stat(l, 0, "latch-m0"), 1);
	ck_assert_uint_eq(info_of(0, p.srv).state, TL_LATCH_ESTABLISHED);
	ck_assert_uint_eq(l->clear[0] + l->clear[1], 0);
	finish();
}
END_TEST

/* D-1: without an SA it is an error, as for TCP; and the socket is not connected then. */
START_TEST(d1_connect_without_an_sa_is_an_error)
{
	struct sockaddr_in a;
	socklen_t len = sizeof(a);
	int fd;

	begin(&plain);
	fd = sock(1, PEER_PORT);
	lab_sa_del(l->n[1], "out0", false);
	lab_sa_del(l->n[1], "rogue-out", false);
	settle();
	ck_assert_int_eq(conn(1, fd, PORT), -EHOSTUNREACH);
	ck_assert_int_eq(rc_of(tl_getpeername(w_of(1), fd, (void *)&a, &len)), -ENOTCONN);
	ck_assert_uint_eq(info_of(1, fd).state, TL_LATCH_NONE);
	ck_assert_uint_eq(latch_in_use(lc_at(1)), 1); /* the listener of the lab */
	ck_assert_uint_ge(lab_stat(l, 1, "acquires"), 1);
	finish();
}
END_TEST

START_TEST(d2_disconnect_ends_the_latch_and_another_peer_can_have_the_next)
{
	struct pair p = begin_pair(&plain);
	uint32_t first = info_of(0, p.srv).peer_id;

	ck_assert_int_eq(disconn(0, p.srv), 0);
	ck_assert_uint_eq(info_of(0, p.srv).state, TL_LATCH_NONE);
	ck_assert_uint_eq(info_of(0, p.srv).handle, 0);
	ck_assert_int_eq(put(0, p.srv, 0, "x"), -EDESTADDRREQ);
	lab_sa_del(l->n[0], "out0", false);
	settle();
	ck_assert_int_eq(conn(0, p.srv, PEER_PORT), 0);
	ck_assert_uint_eq(info_of(0, p.srv).state, TL_LATCH_ESTABLISHED);
	ck_assert_uint_ne(info_of(0, p.srv).peer_id, first);
	rogue_sends("mine now");
	ck_assert_int_eq(get(0, p.srv, "mine now"), 0);
	finish();
}
END_TEST

/* D-3, E.4: a break is told once, by the name that the error mode says; then ENOTCONN. */
START_TEST(d3_a_broken_latch_is_told_once)
{
	struct tl_latch_disp d = {.on_conflict = TL_LATCH_DISP_RESET};
	struct pair p = begin_pair(&plain);

	if (_i == 1)
		ck_assert_int_eq(set(0, p.srv, TL_LATCH_DISPOSITION, &d, sizeof(d)), 0);
	ck_assert_int_eq(put(1, p.cli, 0, "unread"), 6);
	rogue_sends("poison");
	ck_assert_int_eq(get(0, p.srv, ""), _i == 1 ? -TL_ELATCHBROKEN : -ECONNRESET);
	ck_assert_int_eq(get(0, p.srv, ""), -ENOTCONN);
	ck_assert_int_eq(put(0, p.srv, 0, "x"), -ENOTCONN);
	ck_assert_uint_eq(info_of(0, p.srv).state, TL_LATCH_CLOSED);
	ck_assert_uint_eq(info_of(0, p.srv).reason, TL_LATCH_PEER_CONFLICT);
	ck_assert_uint_eq(lab_stat(l, 0, "latch-m3"), 1);
	finish();
}
END_TEST

START_TEST(d4_d5_an_administrators_close_is_told_once_and_silent_ever_after)
{
	struct pair p = begin_pair(&plain);
	struct latch_filter f = {.handle = info_of(0, p.srv).handle};
	uint32_t sent;

	/* What waits is not sent either. */
	ck_assert_int_eq(rc_of(tl_send(w_of(0), p.srv, "late", 4, 0)), 4);
	sent = lab_sent(l, 0);
	ck_assert_uint_eq(latch_admin_close(lc_at(0), &f, TL_LATCH_ADMIN), 1);
	ck_assert_uint_eq(latch_admin_close(lc_at(0), &f, TL_LATCH_ADMIN), 0);
	settle();
	ck_assert_int_eq(so_error(0, p.srv), ECONNRESET);
	ck_assert_int_eq(so_error(0, p.srv), 0);
	ck_assert_int_eq(put(0, p.srv, 0, "x"), -ENOTCONN);
	ck_assert_int_eq(put(0, p.srv, PEER_PORT, "x"), -ENOTCONN);
	ck_assert_int_eq(put(1, p.cli, 0, "in vain"), 7);
	ck_assert_int_eq(get(0, p.srv, ""), -ENOTCONN);
	ck_assert_uint_eq(lab_sent(l, 0), sent);
	ck_assert_uint_ge(lab_stat(l, 0, "latch-closed"), 2);
	ck_assert_uint_eq(info_of(0, p.srv).reason, TL_LATCH_ADMIN);
	/* A new connection is a new one (F-83). */
	ck_assert_int_eq(conn(0, p.srv, PEER_PORT), 0);
	ck_assert_int_eq(put(1, p.cli, 0, "again"), 5);
	ck_assert_int_eq(get(0, p.srv, "again"), 0);
	finish();
}
END_TEST

/* B-3, B-6, B-8: WAIT and UNREACH drop in both directions and resume; UNREACH says so. */
START_TEST(b3_b6_a_waiting_connection_is_silent_and_resumes)
{
	struct tl_latch_disp d = {
		.on_conflict = _i == 0 ? TL_LATCH_DISP_WAIT : TL_LATCH_DISP_UNREACH};
	struct pair p = begin_pair(&plain);
	uint32_t sent;

	ck_assert_int_eq(set(0, p.srv, TL_LATCH_DISPOSITION, &d, sizeof(d)), 0);
	rogue_sends("poison");
	ck_assert_uint_eq(info_of(0, p.srv).state, TL_LATCH_BROKEN);
	ck_assert_int_eq(so_error(0, p.srv), _i == 0 ? 0 : EHOSTUNREACH);
	sent = lab_sent(l, 0);
	ck_assert_int_eq(put(0, p.srv, 0, "lost"), 4);
	ck_assert_int_eq(put(1, p.cli, 0, "lost"), 4);
	ck_assert_uint_eq(lab_sent(l, 0), sent);
	ck_assert_int_eq(get(0, p.srv, ""), -EAGAIN);
	ck_assert_uint_eq(lab_stat(l, 0, "latch-broken"), 2);
	lab_pass(l, 10 * VNET_S);
	/* It is quiet, but the rogue still has its SA: the peer must be heard. */
	ck_assert_uint_eq(info_of(0, p.srv).state, TL_LATCH_BROKEN);
	ck_assert_int_eq(put(1, p.cli, 0, "back"), 4);
	ck_assert_int_eq(get(0, p.srv, "back"), 0);
	ck_assert_uint_eq(info_of(0, p.srv).state, TL_LATCH_ESTABLISHED);
	ck_assert_int_eq(put(0, p.srv, 0, "too"), 3);
	ck_assert_int_eq(get(1, p.cli, "too"), 0);
	finish();
}
END_TEST

/* D-10; the event comes by MSG_ERRQUEUE too (E.2). */
START_TEST(d10_a_reboot_of_the_peer_ends_the_latch)
{
	uint32_t mask = 1u << TL_LATCH_EV_PEER_REBOOT | 1u << TL_LATCH_EV_CLOSED;
	struct pair p = begin_pair(&plain);
	struct tl_latch_event ev;
	struct iovec v = {&ev, sizeof(ev)};
	struct msghdr h = {.msg_iov = &v, .msg_iovlen = 1};

	ck_assert_int_eq(set(0, p.srv, TL_LATCH_EVENTS, &mask, sizeof(mask)), 0);
	ck_assert_int_eq(rc_of(tl_recvmsg(w_of(0), p.srv, &h, MSG_ERRQUEUE)), -EAGAIN);
	ck_assert_uint_eq(latch_peer(lc_at(0), info_of(0, p.srv).peer_id, LATCH_PEER_REBOOT), 1);
	ck_assert_int_eq(rc_of(tl_recvmsg(w_of(0), p.srv, &h, MSG_ERRQUEUE)), sizeof(ev));
	ck_assert_int_eq(h.msg_flags, MSG_ERRQUEUE);
	ck_assert_uint_eq(ev.type, TL_LATCH_EV_PEER_REBOOT);
	ck_assert_int_eq(rc_of(tl_recvmsg(w_of(0), p.srv, &h, MSG_ERRQUEUE)), sizeof(ev));
	ck_assert_uint_eq(ev.type, TL_LATCH_EV_CLOSED);
	ck_assert_int_eq(rc_of(tl_recvmsg(w_of(0), p.srv, &h, MSG_ERRQUEUE)), -EAGAIN);
	ck_assert_int_eq(get(0, p.srv, ""), -ECONNRESET);
	ck_assert_uint_eq(info_of(0, p.srv).reason, TL_LATCH_PEER_REBOOT);
	finish();
}
END_TEST

START_TEST(d14_a_group_cannot_be_latched)
{
	static const struct lab_opts *const o[] = {&plain, &in_clear};
	struct sockaddr_in a = {.sin_family = AF_INET,
		.sin_port = htons(PORT),
		.sin_addr.s_addr = htonl(0xe0000105)};
	int fd;

	begin(o[_i]);
	fd = sock(0, 0);
	ck_assert_int_eq(rc_of(tl_connect(w_of(0), fd, (void *)&a, sizeof(a))),
		_i == 0 ? -EOPNOTSUPP : -ENETUNREACH);
	ck_assert_int_eq(
		rc_of(tl_sendto(w_of(0), fd, "x", 1, 0, (void *)&a, sizeof(a))), -ENETUNREACH);
	finish();
}
END_TEST

/* F-77: a second connect() is another latch; SAME_PEER keeps it from being another peer's. */
START_TEST(f77_connect_again_latches_anew)
{
	struct tl_latch_req r = {.version = 1, .size = sizeof(r), .flags = TL_LATCH_SAME_PEER};
	uint64_t first;
	int fd;

	begin(&plain);
	fd = sock(0, PORT);
	if (_i == 1)
		ck_assert_int_eq(set(0, fd, TL_LATCH_REQUEST, &r, sizeof(r)), 0);
	ck_assert_int_eq(conn(0, fd, PEER_PORT), 0);
	first = info_of(0, fd).handle;
	ck_assert_int_eq(set(0, fd, TL_LATCH_REQUEST, &r, sizeof(r)), -EINVAL);
	ck_assert_int_eq(conn(0, fd, PEER_PORT + 1), 0);
	ck_assert_uint_ne(info_of(0, fd).handle, first);
	ck_assert_ptr_null(latch_by_handle(lc_at(0), first));
	lab_sa_del(l->n[0], "out0", false);
	settle();
	ck_assert_int_eq(conn(0, fd, PEER_PORT), _i == 1 ? -EACCES : 0);
	finish();
}
END_TEST

/* F-78: of what waits when connect() comes, only that is read which the latch would have let in. */
START_TEST(f78_what_waits_is_judged_again_by_connect)
{
	int srv, cli, other;

	begin(&plain);
	srv = sock(0, PORT);
	cli = sock(1, PEER_PORT);
	other = sock(1, PEER_PORT + 1);
	rogue_sends("poison");
	ck_assert_int_eq(put(1, cli, PORT, "first"), 5);
	ck_assert_int_eq(put(1, other, PORT, "of another"), 10);
	ck_assert_int_eq(put(1, cli, PORT, "second"), 6);
	ck_assert_int_eq(conn(0, srv, PEER_PORT), 0);
	ck_assert_int_eq(get(0, srv, "first"), 0);
	ck_assert_int_eq(get(0, srv, "second"), 0);
	ck_assert_int_eq(get(0, srv, ""), -EAGAIN);
	finish();
}
END_TEST

/* F-81: policy says PROTECT outbound and BYPASS inbound; nothing clear enters a connection. */
START_TEST(f81_asymmetric_policy_lets_nothing_clear_into_a_connection)
{
	struct lab_opts o = {.more = {"policy lax.action=bypass", "policy lax.direction=in",
				     "policy lax.priority=1"}};
	struct pair p = begin_pair(&o);

	clear_sends("poison");
	ck_assert_int_eq(get(0, p.srv, ""), -EAGAIN);
	ck_assert_uint_eq(lab_stat(l, 0, "latch-m0"), 1);
	ck_assert_uint_eq(info_of(0, p.srv).state, TL_LATCH_ESTABLISHED);
	finish();
}
END_TEST

/* ---- tags ---- */

/* D-6, D-8, P-18, F-80: each has its tag, clear ones too; one without room harms no other. */
START_TEST(d6_d8_f80_each_datagram_comes_with_its_tag)
{
	struct got a, b, c;
	int srv;

	begin(&in_clear);
	srv = tagged(0, PORT);
	clear_sends("clear");
	rogue_sends("rogue");
	rogue_sends("short");
	clear_sends("again");
	a = get_tag(0, srv);
	ck_assert_str_eq(a.text, "clear");
	ck_assert_uint_eq(a.tag.handle, 0);
	ck_assert_uint_eq(a.tag.flags, 0);
	ck_assert_uint_eq(ntohs(a.from.sin_port), PEER_PORT);
	b = get_tag(0, srv);
	ck_assert_str_eq(b.text, "rogue");
	ck_assert_uint_ne(b.tag.handle >> 32, 0);
	ck_assert_uint_eq(b.tag.flags, TL_TAG_PROTECTED);
	c = get_msg(0, srv, TAG_SPACE - 9, 0);
	ck_assert_str_eq(c.text, "short");
	ck_assert_int_eq(c.flags, MSG_CTRUNC);
	ck_assert(!c.has_tag);
	c = get_tag(0, srv);
	ck_assert_uint_eq(c.tag.handle, 0);
	finish();
}
END_TEST

/* D-9: without a connection there is no latch that an SA could conflict with, so even where such
 * SAs are refused this one is added, and nothing breaks. What tells the peers apart is the tag of
 * each datagram; a connected socket is protected by both. */
START_TEST(d9_unconnected_datagrams_are_protected_by_their_tags_alone)
{
	static const struct lab_opts o = {.more = {"stack.monitor=reject"}};
	struct craft_sa other = {.esn = true, .key_len = 20};
	struct tl_error err = {""};
	struct got peer, rogue;
	char words[400], key_text[73];
	uint32_t latches;
	int srv, cli;

	begin(&o);
	latches = latch_in_use(lc_at(0));
	srv = tagged(0, PORT);
	cli = sock(1, PEER_PORT);
	ck_assert_int_eq(put(1, cli, PORT, "peer"), 4);
	rogue_sends("rogue");
	peer = get_tag(0, srv);
	rogue = get_tag(0, srv);
	ck_assert_str_eq(peer.text, "peer");
	ck_assert_str_eq(rogue.text, "rogue");
	ck_assert_mem_eq(&peer.from, &rogue.from, sizeof(peer.from));
	ck_assert_uint_ne(peer.tag.handle, rogue.tag.handle);
	ck_assert_uint_eq(latch_in_use(lc_at(0)), latches);
	for (int connected = 0; connected < 2; connected++) {
		if (connected)
			ck_assert_int_eq(conn(0, srv, PEER_PORT), 0);
		lab_sa_draw(l->v, &other, LAB_ROGUE + 40 + (uint32_t)connected, l->n[1]->ip,
			l->n[0]->ip);
		craft_key_text(&other, key_text);
		snprintf(words, sizeof(words),
			"spi=%u direction=in local=10.0.0.1 remote=10.0.0.2 key=%s local-id=me "
			"peer-id=rogue esn=yes",
			other.spi, key_text);
		ck_assert_int_eq(
			tl_sa_add(l->n[0]->s, connected ? "b" : "a", words, &err) == 0, !connected);
	}
	ck_assert_uint_eq(latch_in_use(lc_at(0)), latches + 1);
	finish();
}
END_TEST

/* D-12: two clients with one address and port, told apart by their tags; each gets its answer. */
START_TEST(d12_answers_go_to_the_peer_that_asked)
{
	struct got peer, rogue;
	int srv, cli;

	begin(&plain);
	srv = tagged(0, PORT);
	cli = sock(1, PEER_PORT);
	ck_assert_int_eq(put(1, cli, PORT, "peer"), 4);
	rogue_sends("rogue");
	peer = get_tag(0, srv);
	rogue = get_tag(0, srv);
	ck_assert_uint_eq(peer.from.sin_addr.s_addr, rogue.from.sin_addr.s_addr);
	ck_assert_uint_eq(peer.from.sin_port, rogue.from.sin_port);
	ck_assert_uint_ne(peer.tag.handle, rogue.tag.handle);
	ck_assert_int_eq(put_tag(0, srv, &rogue.from, &rogue.tag), 5);
	ck_assert_uint_eq(l->last_spi[0], LAB_ANSWER);
	ck_assert_int_eq(put_tag(0, srv, &peer.from, &peer.tag), 5);
	ck_assert_uint_eq(l->last_spi[0], LAB_SPI);
	ck_assert_int_eq(get(1, cli, "reply"), 0);
	/* Without that SA there is no answer for the rogue, and nobody else gets it. */
	lab_sa_del(l->n[0], "rogue-out", false);
	settle();
	rogue.tag.flags |= _i == 0 ? 0 : TL_TAG_REQUIRE;
	ck_assert_int_eq(put_tag(0, srv, &rogue.from, &rogue.tag), -EHOSTUNREACH);
	ck_assert_uint_ge(lab_stat(l, 0, "acquires"), 1);
	ck_assert_uint_eq(l->esp[0], 2);
	finish();
}
END_TEST

/* D-7: on a connection only the tag of its latch is taken. */
START_TEST(d7_a_tag_of_another_peer_than_the_latch_is_refused)
{
	struct tl_dgram_tag clear = {0};
	struct got peer, rogue;
	int srv, cli;

	begin(&plain);
	srv = tagged(0, PORT);
	cli = sock(1, PEER_PORT);
	ck_assert_int_eq(put(1, cli, PORT, "peer"), 4);
	rogue_sends("rogue");
	peer = get_tag(0, srv);
	rogue = get_tag(0, srv);
	ck_assert_int_eq(conn(0, srv, PEER_PORT), 0);
	ck_assert_int_eq(put_tag(0, srv, NULL, &rogue.tag), -EPERM);
	ck_assert_int_eq(put_tag(0, srv, NULL, &clear), -EPERM);
	ck_assert_int_eq(put_tag(0, srv, &peer.from, &peer.tag), 5);
	ck_assert_int_eq(get(1, cli, "reply"), 0);
	peer.from.sin_port = htons(99);
	ck_assert_int_eq(put_tag(0, srv, &peer.from, &peer.tag), -EISCONN);
	/* And without one, a tag whose peer has SAs for other hosts only. */
	ck_assert_int_eq(disconn(0, srv), 0);
	peer.from.sin_addr.s_addr = htonl(0x0a000009);
	ck_assert_int_eq(put_tag(0, srv, &peer.from, &peer.tag), -EPERM);
	finish();
}
END_TEST

/* E.2: a handle that this stack did not give is stale, whatever its lower half says. */
START_TEST(d6_a_handle_of_another_run_is_stale)
{
	struct tl_dgram_tag t;
	struct got g;
	int srv;

	begin(&plain);
	srv = tagged(0, PORT);
	rogue_sends("rogue");
	g = get_tag(0, srv);
	t = g.tag;
	t.handle ^= UINT64_C(1) << 32;
	ck_assert_int_eq(put_tag(0, srv, &g.from, &t), -ESTALE);
	t.handle = g.tag.handle + 1000; /* in the table, but nobody's */
	ck_assert_int_eq(put_tag(0, srv, &g.from, &t), -ESTALE);
	t.handle = g.tag.handle | 0xffffffff;
	ck_assert_int_eq(put_tag(0, srv, &g.from, &t), -ESTALE);
	t = g.tag;
	t.reserved = 1;
	ck_assert_int_eq(put_tag(0, srv, &g.from, &t), -EINVAL);
	t = g.tag;
	t.flags = 1u << 7;
	ck_assert_int_eq(put_tag(0, srv, &g.from, &t), -EINVAL);
	ck_assert_uint_eq(lab_sent(l, 0), 0);
	finish();
}
END_TEST

static void
count_sa(const struct esp_sa_info *i, void *arg)
{
	(void)i;
	++*(uint32_t *)arg;
}

static uint32_t
sas_of(uint32_t node)
{
	uint32_t n = 0;

	esp_sad_foreach(lc_at(node), count_sa, &n);
	return n;
}

/* D-13, F-11: neither what waits nor what the program holds keeps an SA; the tag stays good. */
START_TEST(d13_f11_a_tag_holds_no_sa_and_stays_good_over_a_rekey)
{
	struct got first, second;
	int srv, cli;

	begin(&plain);
	srv = tagged(0, PORT);
	cli = sock(1, PEER_PORT);
	ck_assert_int_eq(put(1, cli, PORT, "one"), 3);
	ck_assert_int_eq(put(1, cli, PORT, "two"), 3);
	first = get_tag(0, srv); /* held by the program; the other one waits */
	lab_sa_del(l->n[0], "in0", false);
	lab_sa_del(l->n[0], "out0", false);
	settle();
	ck_assert_uint_eq(sas_of(0), 2);
	ck_assert_int_eq(put_tag(0, srv, &first.from, &first.tag), -EHOSTUNREACH);
	second = get_tag(0, srv);
	ck_assert_uint_eq(second.tag.handle, first.tag.handle);
	/* The old slots are free: other SAs take them, and the tag does not mean those. */
	lab_sa_draw(l->v, &l->good[0], LAB_SPI + 100, l->n[0]->ip, l->n[1]->ip);
	lab_sa_add(l->n[1], "in1", &l->good[0], true, "peer", "replay-window=64");
	lab_sa_add(l->n[0], "out1", &l->good[0], false, "peer", "replay-window=64");
	settle();
	ck_assert_int_eq(put_tag(0, srv, &first.from, &first.tag), 5);
	ck_assert_uint_eq(l->last_spi[0], LAB_SPI + 100);
	ck_assert_int_eq(get(1, cli, "reply"), 0);
	finish();
}
END_TEST

/* F-79, O-8: a tag is no way around the policy. */
START_TEST(f79_a_tag_cannot_ask_for_less_than_the_policy)
{
	struct lab_opts o = {.more = {"policy none.action=discard", "policy none.priority=1",
				     "policy none.local-port=9"}};
	struct tl_dgram_tag clear = {.flags = TL_TAG_REQUIRE};
	struct sockaddr_in to;
	struct got rogue;
	int srv, dead, rc;

	if (_i == 1)
		o.named_policy = true;
	begin(&o);
	srv = tagged(0, PORT);
	dead = sock(0, 9);
	to = at(1, PEER_PORT);
	rc = put_tag(0, srv, &to, &clear);
	ck_assert_int_eq(rc, geteuid() == 0 ? -EACCES : -EPERM);
	ck_assert_int_eq(put_tag(0, dead, &to, &clear), -EACCES);
	ck_assert_uint_eq(lab_sent(l, 0), 0);
	rogue_sends("rogue");
	if (_i == 1) { /* the policy names the peer, so the rogue does not even come in */
		ck_assert_int_eq(get_msg(0, srv, TAG_SPACE, 0).n, -EAGAIN);
		ck_assert_uint_eq(lab_stat(l, 0, "spd-protection"), 1);
	} else {
		rogue = get_tag(0, srv);
		ck_assert_int_eq(put_tag(0, dead, &to, &rogue.tag), -EACCES);
	}
	finish();
}
END_TEST

/* O-2, O-5: with the administrator's leave a privileged program may, for one datagram. */
START_TEST(o2_a_privileged_program_may_send_one_in_clear)
{
	struct lab_opts o = {
		.more = {"stack.privileged-bypass=yes", "stack.privileged-programs=test_udp"}};
	struct tl_dgram_tag clear = {0};
	struct sockaddr_in to;
	int srv;

	begin(&o);
	srv = sock(0, PORT);
	to = at(1, PEER_PORT);
	ck_assert_int_eq(put_tag(0, srv, &to, &clear), 5);
	ck_assert_uint_eq(l->clear[0], 1);
	ck_assert_int_eq(put(0, srv, PEER_PORT, "next"), 4);
	ck_assert_uint_eq(l->clear[0], 1);
	ck_assert_uint_eq(l->esp[0], 1);
	finish();
}
END_TEST

/* A socket without a connection has wishes too: of what comes in, and for what goes out. */
START_TEST(c6_an_unconnected_socket_takes_and_sends_what_it_asked_for)
{
	struct tl_ident id = {.type = TL_ID_FQDN, .len = 13};
	int srv, cli, other;
	struct got peer;

	begin(&plain);
	srv = sock(0, PORT);
	other = tagged(0, PORT + 1);
	cli = sock(1, PEER_PORT);
	memcpy(id.data, "rogue.example", 13);
	ck_assert_int_eq(set(0, srv, TL_LATCH_PEER_ID, &id, sizeof(id)), 0);
	ck_assert_int_eq(put(1, cli, PORT, "peer"), 4);
	rogue_sends("rogue");
	ck_assert_int_eq(get(0, srv, "rogue"), 0);
	ck_assert_int_eq(get(0, srv, ""), -EAGAIN);
	ck_assert_uint_eq(lab_stat(l, 0, "latch-request"), 1);
	ck_assert_int_eq(put(0, srv, PEER_PORT, "x"), 1);
	ck_assert_uint_eq(l->last_spi[0], LAB_ANSWER);
	/* Tags that another socket got, and clear ones, are no way around it. */
	ck_assert_int_eq(put(1, cli, PORT + 1, "peer"), 4);
	peer = get_tag(0, other);
	ck_assert_int_eq(put_tag(0, srv, &peer.from, &peer.tag), -EPERM);
	peer.tag.handle = 0;
	ck_assert_int_eq(put_tag(0, srv, &peer.from, &peer.tag), -EPERM);
	lab_sa_del(l->n[0], "rogue-out", false);
	settle();
	ck_assert_int_eq(put(0, srv, PEER_PORT, "x"), -EHOSTUNREACH);
	finish();
}
END_TEST

/* Where the policy takes clear ones, such a socket does not; what it sends is not less (O-4). */
START_TEST(c6_an_unconnected_socket_that_wants_protection_takes_nothing_clear)
{
	struct tl_latch_req r = {.version = 1, .size = sizeof(r), .flags = TL_LATCH_REQUIRED};
	int srv;

	begin(&in_clear);
	srv = sock(0, PORT);
	ck_assert_int_eq(set(0, srv, TL_LATCH_REQUEST, &r, sizeof(r)), 0);
	clear_sends("clear");
	rogue_sends("rogue");
	ck_assert_int_eq(get(0, srv, "rogue"), 0);
	ck_assert_int_eq(get(0, srv, ""), -EAGAIN);
	ck_assert_uint_eq(lab_stat(l, 0, "latch-request"), 1);
	ck_assert_int_eq(put(0, srv, PEER_PORT, "x"), -EACCES);
	finish();
}
END_TEST

/* ---- UDP ---- */

/* F-33, RFC 1122 s4.1.3.1: closed ports answer under the protection of the question. */
START_TEST(f33_a_closed_port_says_so_to_a_connection)
{
	static const struct lab_opts *const o[] = {&plain, &in_clear};
	int cli;

	begin(o[_i]);
	cli = sock(1, PEER_PORT);
	ck_assert_int_eq(put(1, cli, PORT, "unconnected"), 11);
	ck_assert_int_eq(so_error(1, cli), 0);
	ck_assert_int_eq(conn(1, cli, PORT), 0);
	ck_assert_int_eq(put(1, cli, 0, "connected"), 9);
	ck_assert_uint_eq(lab_stat(l, 0, "udp-no-socket"), 2);
	ck_assert_uint_eq(lab_stat(l, 0, "icmp-errors-out"), 2);
	ck_assert_uint_eq(l->clear[0], _i == 0 ? 0 : 2);
	ck_assert_int_eq(put(1, cli, 0, "x"), -ECONNREFUSED);
	ck_assert_int_eq(put(1, cli, 0, "x"), 1);
	finish();
}
END_TEST

/* F-49: an error in clear says nothing about a latched connection. */
START_TEST(f49_a_clear_error_is_not_heard)
{
	struct pair p = begin_pair(&plain);
	uint8_t quoted[CRAFT_MAX], body[CRAFT_MAX], icmp[CRAFT_MAX];
	size_t n = craft_udp(body, PORT, PEER_PORT, "x", 1);

	n = craft_ip4(quoted, l->n[0]->ip, l->n[1]->ip, UDP, body, n);
	inject(icmp, craft_icmp_error(icmp, 3, 3, 0, quoted, n), CRAFT_ICMP);
	ck_assert_int_eq(so_error(0, p.srv), 0);
	/* F-50: nor under the SA of another peer. */
	n = craft_icmp_error(icmp, 3, 3, 0, quoted, n);
	inject(body, craft_esp(&l->bad[0], body, CRAFT_ICMP, icmp, n, NULL), CRAFT_ESP);
	ck_assert_int_eq(so_error(0, p.srv), 0);
	ck_assert_uint_ge(lab_stat(l, 0, "icmp-quote"), 1);
	finish();
}
END_TEST

/* RFC 768: no checksum is fine over IPv4, a wrong one is not; nor are wrong lengths. */
START_TEST(malformed_datagrams_are_dropped)
{
	uint8_t b[64];
	size_t n;
	int srv;

	begin(&in_clear);
	srv = sock(0, PORT);
	clear_sends("no sum");
	ck_assert_int_eq(get(0, srv, "no sum"), 0);
	n = craft_udp(b, PEER_PORT, PORT, "bad", 3);
	b[6] = b[7] = 0x55;
	inject(b, n, UDP);
	ck_assert_uint_eq(lab_stat(l, 0, "udp-csum"), 1);
	for (uint16_t len = 0; len < 32; len++) {
		n = craft_udp(b, PEER_PORT, PORT, "abc", 3);
		b[5] = (uint8_t)len;
		inject(b, n, UDP);
		if (len >= 8 && len <= 11)
			ck_assert_int_eq(get_msg(0, srv, 0, 0).n, len - 8);
	}
	ck_assert_uint_eq(lab_stat(l, 0, "udp-length"), 28);
	for (n = 4; n < 8; n++)
		inject(b, n, UDP);
	ck_assert_uint_eq(lab_stat(l, 0, "udp-short"), 4);
	craft_udp(b, PEER_PORT, 0, "x", 1);
	inject(b, 9, UDP);
	ck_assert_uint_eq(lab_stat(l, 0, "udp-port"), 1);
	ck_assert_int_eq(get(0, srv, ""), -EAGAIN);
	finish();
}
END_TEST

START_TEST(peek_and_truncation_leave_the_next_datagram_alone)
{
	struct got g;
	char one;
	int srv;

	begin(&in_clear);
	srv = sock(0, PORT);
	clear_sends("abcdef");
	clear_sends("");
	clear_sends("next");
	g = get_msg(0, srv, 0, MSG_PEEK);
	ck_assert_str_eq(g.text, "abcdef");
	ck_assert_int_eq(g.flags, 0);
	ck_assert_int_eq(rc_of(tl_recv(w_of(0), srv, &one, 1, MSG_TRUNC | MSG_PEEK)), 6);
	ck_assert_int_eq(rc_of(tl_recv(w_of(0), srv, &one, 1, 0)), 1);
	ck_assert_int_eq(one, 'a');
	ck_assert_int_eq(rc_of(tl_recv(w_of(0), srv, &one, 1, 0)), 0);
	ck_assert_int_eq(get(0, srv, "next"), 0);
	finish();
}
END_TEST

START_TEST(buffers_have_limits_in_bytes)
{
	static char big[1976 + 1];
	struct sockaddr_in to;
	int srv, cli, v = 4096, rc = 0;
	uint32_t n = 0;

	begin(&in_clear);
	srv = sock(0, PORT);
	cli = sock(1, 0);
	to = at(0, PORT);
	ck_assert_int_eq(tl_setsockopt(w_of(0), srv, SOL_SOCKET, SO_RCVBUF, &v, sizeof(v)), 0);
	ck_assert_int_eq(tl_setsockopt(w_of(1), cli, SOL_SOCKET, SO_SNDBUF, &v, sizeof(v)), 0);
	ck_assert_int_eq(
		rc_of(tl_sendto(w_of(1), cli, big, sizeof(big), 0, (void *)&to, sizeof(to))),
		-EMSGSIZE);
	while (rc >= 0 && ++n < 100)
		rc = rc_of(tl_sendto(w_of(1), cli, big, 1000, 0, (void *)&to, sizeof(to)));
	ck_assert_int_eq(rc, -EAGAIN);
	ck_assert_uint_eq(n, 4);
	settle();
	ck_assert_int_eq(put(1, cli, PORT, "fits"), 4);
	/* Fragmented on the way out, whole again on the way in. */
	for (uint32_t i = 0; i < 3; i++) {
		ck_assert_int_eq(
			rc_of(tl_sendto(w_of(1), cli, big, 1900, 0, (void *)&to, sizeof(to))),
			1900);
		settle();
	}
	ck_assert_uint_eq(lab_stat(l, 1, "ip-fragments-out"), 6);
	ck_assert_uint_ge(lab_stat(l, 0, "udp-full"), 3);
	for (uint32_t i = 0; i < 3; i++)
		ck_assert_int_eq(rc_of(tl_recv(w_of(0), srv, big, sizeof(big), 0)), 1000);
	ck_assert_int_eq(get(0, srv, "fits"), 0);
	ck_assert_int_eq(
		rc_of(tl_sendto(w_of(1), cli, big, 1976, 0, (void *)&to, sizeof(to))), 1976);
	settle();
	ck_assert_int_eq(rc_of(tl_recv(w_of(0), srv, big, sizeof(big), 0)), 1976);
	finish();
}
END_TEST

/* A datagram that waits holds a packet, and what comes in needs some too: a careless program with a
 * big buffer, or many of them, gets a part of them. */
START_TEST(datagrams_that_wait_leave_packets_for_receiving)
{
	int srv, cli[2], big = 64 << 20, rc = 1;
	struct sockaddr_in to;
	uint32_t n = 0, pool;

	begin(&in_clear);
	srv = sock(0, PORT);
	to = at(1, PEER_PORT);
	pool = lc_at(0)->pkt_pool->size;
	for (int i = 0; i < 2; i++) {
		cli[i] = sock(0, 0);
		ck_assert_int_eq(
			tl_setsockopt(w_of(0), cli[i], SOL_SOCKET, SO_SNDBUF, &big, sizeof(big)),
			0);
	}
	for (; rc == 1 && n < pool; n++)
		rc = rc_of(tl_sendto(w_of(0), cli[n & 1], "x", 1, 0, (void *)&to, sizeof(to)));
	ck_assert_int_eq(rc, -ENOBUFS);
	ck_assert_uint_eq(n - 1, pool / 4);
	ck_assert_uint_gt(rte_mempool_avail_count(lc_at(0)->pkt_pool), pool / 2);
	close_of(0, cli[0]); /* what waits goes, one way or the other */
	for (int i = 0; i < 100; i++)
		settle();
	clear_sends("heard");
	ck_assert_int_eq(get(0, srv, "heard"), 0);
	ck_assert_int_eq(put(0, cli[1], PEER_PORT, "again"), 5);
	finish();
}
END_TEST

/* [udp] sndbuf and rcvbuf are what a socket begins with. */
START_TEST(buffers_begin_as_the_configuration_says)
{
	static const int opt[] = {SO_RCVBUF, SO_SNDBUF};
	static const int want[2][2] = {{212992, 212992}, {16384, 8192}};

	for (int i = 0; i < 2; i++) {
		begin(&(struct lab_opts){.clear = true,
			.more = {i == 0 ? NULL : "udp.rcvbuf=16384", "udp.sndbuf=8192"}});
		for (int k = 0; k < 2; k++) {
			int fd = sock(0, 0), v = 0;
			socklen_t len = sizeof(v);

			ck_assert_int_eq(
				tl_getsockopt(w_of(0), fd, SOL_SOCKET, opt[k], &v, &len), 0);
			ck_assert_int_eq(v, want[i][k]);
		}
		finish();
	}
}
END_TEST

START_TEST(ports_are_shared_only_by_consent)
{
	struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(PORT)};
	int x, y, one = 1;

	begin(&in_clear);
	x = sock(0, PORT);
	y = sock(0, 0);
	ck_assert_int_eq(rc_of(tl_bind(w_of(0), y, (void *)&a, sizeof(a))), -EADDRINUSE);
	tl_setsockopt(w_of(0), x, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	tl_setsockopt(w_of(0), y, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	ck_assert_int_eq(rc_of(tl_bind(w_of(0), y, (void *)&a, sizeof(a))), 0);
	ck_assert_int_eq(rc_of(tl_bind(w_of(0), y, (void *)&a, sizeof(a))), -EINVAL);
	/* One 5-tuple has one owner; the other socket keeps the rest. */
	ck_assert_int_eq(conn(0, x, PEER_PORT), 0);
	ck_assert_int_eq(conn(0, y, PEER_PORT), -EADDRINUSE);
	clear_sends("to x");
	ck_assert_int_eq(get(0, x, "to x"), 0);
	ck_assert_int_eq(get(0, y, ""), -EAGAIN);
	close_of(0, x);
	clear_sends("to y");
	ck_assert_int_eq(get(0, y, "to y"), 0);
	ck_assert_int_eq(rc_of(tl_listen(w_of(0), y, 1)), -EOPNOTSUPP);
	finish();
}
END_TEST

/* What was sent before close() still leaves. */
START_TEST(close_sends_what_waits)
{
	struct pair p = begin_pair(&plain);

	ck_assert_int_eq(rc_of(tl_send(w_of(1), p.cli, "bye", 3, 0)), 3);
	close_of(1, p.cli);
	settle();
	ck_assert_int_eq(get(0, p.srv, "bye"), 0);
	ck_assert_uint_eq(l->clear[1], 0);
	finish();
}
END_TEST

/* A connection of a worker that has not the SA: both directions cross the workers. */
START_TEST(a_connection_lives_where_its_port_leads)
{
	int srv, cli;

	begin(&(struct lab_opts){.workers = 2, .ethernet = true});
	srv = sock(1, PORT);
	cli = sock(0, 0);
	ck_assert_int_eq(conn(0, cli, PORT), 0);
	ck_assert_int_eq(put(0, cli, 0, "ask"), 3);
	ck_assert_int_eq(get(1, srv, "ask"), 0);
	{
		struct sockaddr_in me = {0};
		socklen_t len = sizeof(me);

		tl_getsockname(w_of(0), cli, (void *)&me, &len);
		ck_assert_uint_eq(ntohs(me.sin_port) % 2, 0);
		ck_assert_int_eq(put(1, srv, ntohs(me.sin_port), "answer"), 6);
	}
	ck_assert_int_eq(get(0, cli, "answer"), 0);
	finish();
}
END_TEST

static int
stream(uint32_t node)
{
	int fd = tl_socket(w_of(node), AF_INET, SOCK_STREAM, 0);

	ck_assert_int_ge(fd, TL_FD_BASE);
	fds[nb_fds][0] = (int)node;
	fds[nb_fds++][1] = fd;
	return fd;
}

/* A stream takes vectors too, and tells of its latch by MSG_ERRQUEUE. */
START_TEST(streams_take_messages)
{
	char a[3] = "", b[60] = "";
	struct iovec out[3] = {
		{(void *)(uintptr_t) "ab", 2}, {NULL, 0}, {(void *)(uintptr_t) "cdef", 4}};
	struct iovec in[2] = {{a, 2}, {b, sizeof(b) - 1}};
	struct msghdr to = {.msg_iov = out, .msg_iovlen = 3};
	struct msghdr from = {.msg_iov = in, .msg_iovlen = 2};
	struct sockaddr_in me;
	uint32_t mask = 1u << TL_LATCH_EV_SPAWNED;
	int lsn, cli, srv;

	begin(&plain);
	lsn = stream(0);
	cli = stream(1);
	me = at(0, PORT);
	ck_assert_int_eq(set(0, lsn, TL_LATCH_EVENTS, &mask, sizeof(mask)), 0);
	ck_assert_int_eq(rc_of(tl_bind(w_of(0), lsn, (void *)&me, sizeof(me))), 0);
	ck_assert_int_eq(rc_of(tl_listen(w_of(0), lsn, 1)), 0);
	ck_assert_int_eq(conn(1, cli, PORT), -EINPROGRESS);
	settle();
	srv = tl_accept(w_of(0), lsn, NULL, NULL);
	fds[nb_fds][0] = 0;
	fds[nb_fds++][1] = srv;
	ck_assert_int_eq(rc_of(tl_sendmsg(w_of(1), cli, &to, 0)), 6);
	settle();
	ck_assert_int_eq(rc_of(tl_recvmsg(w_of(0), srv, &from, MSG_ERRQUEUE)), -EAGAIN);
	ck_assert_int_eq(rc_of(tl_recvmsg(w_of(0), srv, &from, MSG_PEEK)), 2);
	ck_assert_int_eq(rc_of(tl_recvmsg(w_of(0), srv, &from, 0)), 6);
	ck_assert_str_eq(a, "ab");
	ck_assert_str_eq(b, "cdef");
	ck_assert_int_eq(rc_of(tl_recvmsg(w_of(0), srv, &from, 0)), -EAGAIN);
	/* One that is too large for the pieces is cut and says so. */
	ck_assert_int_eq(rc_of(tl_recvmsg(w_of(0), lsn, &from, MSG_ERRQUEUE)), 61);
	ck_assert_int_eq(from.msg_flags, MSG_ERRQUEUE | MSG_TRUNC);
	finish();
}
END_TEST

/* ---- IPv6 ---- */

static struct vnet_node *
add_node6(struct vnet *v, uint32_t ip)
{
	struct vnet_node *n = vnet_add(v, ip);

	vnet_set(n, "policy all.action", "bypass");
	vnet_start(n);
	return n;
}

static struct sockaddr_in6
at6(uint32_t node, uint16_t port)
{
	struct sockaddr_in6 a = {.sin6_family = AF_INET6, .sin6_port = htons(port)};

	a.sin6_addr.s6_addr[0] = 0xfd;
	a.sin6_addr.s6_addr[15] = (uint8_t)(1 + node);
	return a;
}

static struct {
	struct vnet *v;
	struct vnet_node *n[2];
	struct tl_worker *w[2];
	int fd[2];
} six;

/* Two sockets of AF_INET6; the server's has PORT. */
static void
begin6(void)
{
	struct sockaddr_in6 a = {.sin6_family = AF_INET6, .sin6_port = htons(PORT)};

	six.v = vnet_new(1, false);
	six.v->ip6 = true;
	for (uint32_t i = 0; i < 2; i++) {
		six.n[i] = add_node6(six.v, 0x0a000001 + i);
		six.w[i] = tl_worker(six.n[i]->s, 0);
		six.fd[i] = tl_socket(six.w[i], AF_INET6, SOCK_DGRAM, UDP);
	}
	ck_assert_int_eq(tl_bind(six.w[0], six.fd[0], (void *)&a, sizeof(a)), 0);
}

static void
pass6(void)
{
	vnet_touch(six.n[0]);
	vnet_touch(six.n[1]);
	vnet_run(six.v, NULL, NULL, VNET_S);
}

static void
finish6(void)
{
	for (uint32_t i = 0; i < 2; i++)
		tl_close(six.w[i], six.fd[i]);
	vnet_run(six.v, NULL, NULL, 60 * VNET_S);
	vnet_check_empty(six.n[0]);
	vnet_check_empty(six.n[1]);
	vnet_free(six.v);
}

static int
conn6(const struct sockaddr_in6 *a)
{
	return rc_of(tl_connect(six.w[1], six.fd[1], (const void *)a, sizeof(*a)));
}

static int
recv6(uint32_t node, char buf[2000])
{
	return rc_of(tl_recv(six.w[node], six.fd[node], buf, 2000, 0));
}

/* RFC 3493 s3.7: a mapped peer on the same socket; RFC 4443 s3.1: a closed port. */
START_TEST(ipv6_sockets_speak_both_versions)
{
	struct sockaddr_in6 a, from;
	socklen_t len = sizeof(from);
	char buf[2000] = "";

	begin6();
	a = at6(0, PORT);
	/* 1900 bytes leave in two fragments. */
	ck_assert_int_eq(tl_sendto(six.w[1], six.fd[1], buf, 1900, 0, (void *)&a, sizeof(a)), 1900);
	pass6();
	ck_assert_uint_eq(ctl_stat(six.n[1]->s, "ip-fragments-out"), 2);
	ck_assert_int_eq(
		tl_recvfrom(six.w[0], six.fd[0], buf, sizeof(buf), 0, (void *)&from, &len), 1900);
	ck_assert_uint_eq(from.sin6_addr.s6_addr[15], 2);
	ck_assert_int_eq(
		tl_sendto(six.w[0], six.fd[0], "v6", 2, 0, (void *)&from, sizeof(from)), 2);
	pass6();
	ck_assert_int_eq(recv6(1, buf), 2);
	memset(&a.sin6_addr, 0, 16);
	memcpy(a.sin6_addr.s6_addr + 10, "\xff\xff\x0a\0\0\x01", 6);
	ck_assert_int_eq(conn6(&a), 0);
	ck_assert_int_eq(tl_send(six.w[1], six.fd[1], "v4", 2, 0), 2);
	pass6();
	ck_assert_int_eq(recv6(0, buf), 2);
	a = at6(0, 9);
	ck_assert_int_eq(conn6(&a), 0);
	ck_assert_int_eq(tl_send(six.w[1], six.fd[1], "x", 1, 0), 1);
	pass6();
	ck_assert_int_eq(rc_of(tl_send(six.w[1], six.fd[1], "x", 1, 0)), -ECONNREFUSED);
	finish6();
}
END_TEST

/* RFC 8200 s8.1: the checksum covers the addresses and must be there. */
START_TEST(ipv6_datagrams_need_their_checksum)
{
	uint8_t frame[14 + 40 + 9] = {0};
	char buf[2000];

	begin6();
	memcpy(frame, six.n[0]->mac, 6);
	memcpy(frame + 6, six.n[1]->mac, 6);
	memcpy(frame + 12, "\x86\xdd\x60\0\0\0\0\x09\x11\x40", 10);
	frame[22] = frame[38] = 0xfd;
	frame[37] = 2;
	frame[53] = 1;
	craft_udp(frame + 54, PEER_PORT, PORT, "x", 1);
	vnet_inject_frame(six.v, six.n[0], frame, sizeof(frame), 0, 1);
	pass6();
	ck_assert_int_eq(recv6(0, buf), -EAGAIN);
	ck_assert_uint_eq(ctl_stat(six.n[0]->s, "udp-csum"), 1);
	finish6();
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("udp");
	TCase *c = tcase_create("connected");

	tcase_add_test(c, d1_d11_connect_latches_what_did_not_ask_for_it);
	tcase_add_test(c, d1_connect_without_an_sa_is_an_error);
	tcase_add_test(c, d2_disconnect_ends_the_latch_and_another_peer_can_have_the_next);
	tcase_add_loop_test(c, d3_a_broken_latch_is_told_once, 0, 2);
	tcase_add_test(c, d4_d5_an_administrators_close_is_told_once_and_silent_ever_after);
	tcase_add_loop_test(c, b3_b6_a_waiting_connection_is_silent_and_resumes, 0, 2);
	tcase_add_test(c, d10_a_reboot_of_the_peer_ends_the_latch);
	tcase_add_loop_test(c, d14_a_group_cannot_be_latched, 0, 2);
	tcase_add_loop_test(c, f77_connect_again_latches_anew, 0, 2);
	tcase_add_test(c, f78_what_waits_is_judged_again_by_connect);
	tcase_add_test(c, f81_asymmetric_policy_lets_nothing_clear_into_a_connection);
	suite_add_tcase(s, c);
	c = tcase_create("tags");
	tcase_add_test(c, d6_d8_f80_each_datagram_comes_with_its_tag);
	tcase_add_test(c, d9_unconnected_datagrams_are_protected_by_their_tags_alone);
	tcase_add_loop_test(c, d12_answers_go_to_the_peer_that_asked, 0, 2);
	tcase_add_test(c, d7_a_tag_of_another_peer_than_the_latch_is_refused);
	tcase_add_test(c, d6_a_handle_of_another_run_is_stale);
	tcase_add_test(c, d13_f11_a_tag_holds_no_sa_and_stays_good_over_a_rekey);
	tcase_add_loop_test(c, f79_a_tag_cannot_ask_for_less_than_the_policy, 0, 2);
	tcase_add_test(c, o2_a_privileged_program_may_send_one_in_clear);
	tcase_add_test(c, c6_an_unconnected_socket_takes_and_sends_what_it_asked_for);
	tcase_add_test(c, c6_an_unconnected_socket_that_wants_protection_takes_nothing_clear);
	suite_add_tcase(s, c);
	c = tcase_create("udp");
	tcase_add_loop_test(c, f33_a_closed_port_says_so_to_a_connection, 0, 2);
	tcase_add_test(c, f49_a_clear_error_is_not_heard);
	tcase_add_test(c, malformed_datagrams_are_dropped);
	tcase_add_test(c, peek_and_truncation_leave_the_next_datagram_alone);
	tcase_add_test(c, buffers_have_limits_in_bytes);
	tcase_add_test(c, datagrams_that_wait_leave_packets_for_receiving);
	tcase_add_test(c, buffers_begin_as_the_configuration_says);
	tcase_add_test(c, ports_are_shared_only_by_consent);
	tcase_add_test(c, close_sends_what_waits);
	tcase_add_test(c, a_connection_lives_where_its_port_leads);
	tcase_add_test(c, streams_take_messages);
	tcase_add_test(c, ipv6_sockets_speak_both_versions);
	tcase_add_test(c, ipv6_datagrams_need_their_checksum);
	suite_add_tcase(s, c);
	return env_main(s);
}
