/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Two stacks that speak SCTP over a bad network: every message arrives once, whole, and in the
 * order of its stream. One path or two, in clear and under ESP; a path that is cut, and a rogue who
 * owns an SA for the addresses of one.
 *
 * TL_SEEDS=n runs n seeds from 1, TL_SEED=s runs one. Every choice comes from the seed.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sctp/sctp_int.h"
#include "stack/ctl/show.h"
#include "stack/include/tl_ipsec.h"
#include "stack/include/tl_sctp.h"
#include "stack/include/tl_sock.h"
#include "stack/run/run.h"
#include "tests/util/esp_craft.h"
#include "tests/util/lc_env.h"
#include "tests/util/vnet.h"

enum { SEEDS_DEFAULT = 60, MSGS_MAX = 400, LEN_MAX = 30000, PORT = 5000, STREAMS = 16 };
enum { NET_A = 0x0a000000, NET_B = 0x0a010000, SCTP = 132 };

/* What one end sends. */
struct flow {
	uint32_t nb, sent, got;
	uint32_t len[MSGS_MAX];
	uint16_t stream[MSGS_MAX];
	bool unordered[MSGS_MAX];
	bool arrived[MSGS_MAX];
	uint32_t last[STREAMS]; /* ordered: highest index + 1 */
	uint8_t buf[LEN_MAX + 8];
	size_t have; /* of the message that is being read */
};

struct scene {
	struct vnet *v;
	struct vnet_node *n[2];
	int lsn, fd[2];   /* of node 0: the accepted one */
	struct flow f[2]; /* by sender */
	bool esp, two, six;
	uint32_t cut; /* network that is cut; 0: none */
	int err[2];
	uint32_t unreachable, broken, confirmed; /* notifications at node 1 */
	bool done[2];
	struct craft_sa sa[2][2]; /* by sender, network */
	struct craft_sa rogue;
	uint64_t from_b; /* frames of node 1 on the second network */
	uint64_t cut_ns, first_b_ns;
};

static struct tl_worker *
w(const struct scene *s, uint32_t i)
{
	return tl_worker(s->n[i]->s, 0);
}

/* ---- set-up ---- */

static uint32_t
net_of(uint32_t k)
{
	return k == 0 ? NET_A : NET_B;
}

static void
sa_add(struct scene *s, uint32_t node, const struct craft_sa *sa, bool in, const char *peer)
{
	uint32_t local = in ? sa->dst : sa->src, remote = in ? sa->src : sa->dst;
	struct tl_error e = {""};
	char words[512], key[73], name[16], at[2][16];

	craft_key_text(sa, key);
	snprintf(name, sizeof(name), "s%x%s", sa->spi, in ? "i" : "o");
	for (int i = 0; i < 2; i++) {
		uint32_t a = i == 0 ? local : remote;

		snprintf(at[i], sizeof(at[i]), "%u.%u.%u.%u", a >> 24, a >> 16 & 255, a >> 8 & 255,
			a & 255);
	}
	snprintf(words, sizeof(words),
		"spi=%u direction=%s mode=transport local=%s remote=%s key=%s local-id=me "
		"peer-id=%s esn=no local-net=%s remote-net=%s replay-window=1024",
		sa->spi, in ? "in" : "out", at[0], at[1], key, peer, at[0], at[1]);
	ck_assert_msg(tl_sa_add(s->n[node]->s, name, words, &e) == 0, "%s", e.text);
	vnet_touch(s->n[node]);
}

static void
sa_draw(struct scene *s, struct craft_sa *sa, uint32_t spi, uint32_t src, uint32_t dst)
{
	*sa = (struct craft_sa){.spi = spi, .src = src, .dst = dst, .key_len = 20};
	for (uint32_t i = 0; i < sizeof(sa->key); i++)
		sa->key[i] = (uint8_t)vnet_rnd(s->v);
}

static void
sas_add(struct scene *s)
{
	for (uint32_t k = 0; k < 2; k++) {
		for (uint32_t d = 0; d < 2; d++) {
			struct craft_sa *sa = &s->sa[d][k];

			sa_draw(s, sa, 0x1000 + 2 * k + d, net_of(k) + 1 + d, net_of(k) + 2 - d);
			sa_add(s, 1 - d, sa, true, "peer");
			sa_add(s, d, sa, false, "peer");
		}
	}
}

static void
node_add(struct scene *s, uint32_t i)
{
	struct vnet_node *n = s->n[i] = vnet_add(s->v, NET_A + 1 + i);

	vnet_set(n, "stack.mbufs", "1024");
	vnet_set(n, "stack.buffer-chunks", "512");
	vnet_set(n, "sctp.max-associations", "16");
	vnet_set(n, "sctp.max-chunks", "2048");
	vnet_set(n, "sctp.rto-initial-ms", "200");
	vnet_set(n, "sctp.rto-min-ms", "100");
	vnet_set(n, "sctp.heartbeat-interval-ms", "1000");
	vnet_set(n, "sctp.association-max-retrans", "30");
	vnet_set(n, "sctp.max-init-retransmits", "30");
	vnet_set(n, "sctp.path-max-retrans", "%u", s->two ? 2 : 30);
	vnet_set(n, "identity me.type", "fqdn");
	vnet_set(n, "identity me.value", "n%u.example", i);
	vnet_set(n, "identity peer.type", "fqdn");
	vnet_set(n, "identity peer.value", "n%u.example", 1 - i);
	vnet_set(n, "identity rogue.type", "fqdn");
	vnet_set(n, "identity rogue.value", "rogue.example");
	vnet_set(n, "policy all.action", s->esp ? "protect" : "bypass");
	vnet_set(n, "stack.sa-choice", "newest");
	if (s->two)
		vnet_set(n, "port p.address", "10.0.0.%u/24, 10.1.0.%u/24", 1 + i, 1 + i);
	vnet_start(n);
}

static uint32_t
dst_of(const struct scene *s, const uint8_t *frame)
{
	const uint8_t *p = frame + vnet_l3(s->v) + (s->six ? 24 : 16);

	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static bool
tap(struct vnet *v, struct vnet_node *from, uint8_t *frame, size_t len, void *arg)
{
	struct scene *s = arg;
	uint32_t net;

	(void)len;
	if (frame[12] != 8 || frame[13] != 0)
		return true;
	net = dst_of(s, frame) & 0xffff0000;
	if (s->cut != 0 && net == s->cut)
		return false;
	if (from == s->n[1] && net == NET_B) {
		s->from_b++;
		if (s->cut != 0 && s->first_b_ns == 0 && len > 500)
			s->first_b_ns = v->now_ns;
	}
	return true;
}

static struct sockaddr_in6
address(const struct scene *s, uint32_t i)
{
	struct sockaddr_in6 a = {.sin6_family = AF_INET6, .sin6_port = htons(PORT)};
	struct sockaddr_in in = {.sin_family = AF_INET,
		.sin_port = htons(PORT),
		.sin_addr.s_addr = htonl(NET_A + 1 + i)};

	a.sin6_addr.s6_addr[0] = 0xfd;
	a.sin6_addr.s6_addr[15] = (uint8_t)(1 + i);
	if (!s->six)
		memcpy(&a, &in, sizeof(in));
	return a;
}

static struct scene *
scene_new(uint64_t seed, bool esp, bool two, bool six)
{
	struct scene *s = calloc(1, sizeof(*s));
	int domain = six ? AF_INET6 : AF_INET;
	uint32_t events = TL_SCTP_EVENT(TL_SCTP_PEER_ADDR_CHANGE);
	struct sockaddr_in6 any = {.sin6_family = AF_INET6, .sin6_port = htons(PORT)};

	ck_assert_ptr_nonnull(s);
	s->esp = esp;
	s->two = two;
	s->six = six;
	s->v = vnet_new(seed, false);
	s->v->ip6 = six;
	s->v->tap = tap;
	s->v->tap_arg = s;
	for (uint32_t i = 0; i < 2; i++)
		node_add(s, i);
	if (esp)
		sas_add(s);
	s->fd[0] = -1;
	s->lsn = tl_socket(w(s, 0), domain, SOCK_STREAM, SCTP);
	ck_assert_int_ge(s->lsn, 0);
	any.sin6_family = (sa_family_t)domain;
	ck_assert_int_eq(tl_bind(w(s, 0), s->lsn, (struct sockaddr *)&any, sizeof(any)), 0);
	ck_assert_int_eq(tl_listen(w(s, 0), s->lsn, 5), 0);
	s->fd[1] = tl_socket(w(s, 1), domain, SOCK_STREAM, SCTP);
	ck_assert_int_ge(s->fd[1], 0);
	ck_assert_int_eq(
		tl_setsockopt(w(s, 1), s->fd[1], SCTP, TL_SCTP_EVENTS, &events, sizeof(events)), 0);
	return s;
}

static void
scene_connect(struct scene *s)
{
	struct sockaddr_in6 a = address(s, 0);

	ck_assert_int_eq(tl_connect(w(s, 1), s->fd[1], (struct sockaddr *)&a, sizeof(a)), -1);
	ck_assert_int_eq(errno, EINPROGRESS);
	vnet_touch(s->n[1]);
}

static void
scene_free(struct scene *s)
{
	for (uint32_t i = 0; i < 2; i++) {
		if (s->fd[i] >= 0)
			tl_close(w(s, i), s->fd[i]);
		vnet_touch(s->n[i]);
	}
	tl_close(w(s, 0), s->lsn);
	s->cut = 0;
	vnet_run(s->v, NULL, NULL, 4000 * VNET_S);
	for (uint32_t i = 0; i < 2; i++)
		vnet_check_empty(s->n[i]);
	vnet_free(s->v);
	free(s);
}

/* ---- messages ---- */

static uint8_t
byte_of(uint32_t index, uint32_t off)
{
	return (uint8_t)(index * 131 + off * 7 + (off >> 8));
}

static void
draw(struct scene *s, uint32_t i, uint32_t nb, uint32_t len_max)
{
	struct flow *f = &s->f[i];

	f->nb = nb;
	for (uint32_t k = 0; k < nb; k++) {
		f->len[k] = 4 + vnet_below(s->v, vnet_below(s->v, 4) == 0 ? len_max : 200);
		f->stream[k] = (uint16_t)vnet_below(s->v, STREAMS);
		f->unordered[k] = vnet_below(s->v, 4) == 0;
	}
}

static void
send_some(struct scene *s, uint32_t i)
{
	struct flow *f = &s->f[i];
	uint8_t buf[LEN_MAX + 8];

	while (f->sent < f->nb) {
		uint32_t k = f->sent, len = f->len[k];
		ssize_t n;

		memcpy(buf, &k, 4);
		for (uint32_t o = 4; o < len; o++)
			buf[o] = byte_of(k, o);
		n = tl_sctp_sendmsg(w(s, i), s->fd[i], buf, len, htonl(k),
			f->unordered[k] ? TL_SCTP_UNORDERED : 0, f->stream[k]);
		if (n < 0) {
			if (errno != EAGAIN)
				s->err[i] = errno;
			return;
		}
		ck_assert_int_eq(n, (int)len);
		f->sent++;
	}
}

static void
check_message(struct scene *s, uint32_t from, const struct tl_sctp_sndrcvinfo *info)
{
	struct flow *f = &s->f[from];
	uint32_t k;

	VNET_CHECK(f->have >= 4, "seed %lu: %zu bytes", (unsigned long)s->v->seed, f->have);
	memcpy(&k, f->buf, 4);
	VNET_CHECK(k < f->nb && f->have == f->len[k], "seed %lu: message %u has %zu bytes",
		(unsigned long)s->v->seed, k, f->have);
	VNET_CHECK(!f->arrived[k], "seed %lu: message %u came twice", (unsigned long)s->v->seed, k);
	for (uint32_t o = 4; o < f->len[k]; o++)
		VNET_CHECK(f->buf[o] == byte_of(k, o), "seed %lu: message %u: byte %u is wrong",
			(unsigned long)s->v->seed, k, o);
	VNET_CHECK(info->stream == f->stream[k] && info->ppid == htonl(k), "wrong stream");
	if (!f->unordered[k]) {
		VNET_CHECK(k >= f->last[info->stream], "seed %lu: message %u of stream %u late",
			(unsigned long)s->v->seed, k, info->stream);
		f->last[info->stream] = k + 1;
	}
	f->arrived[k] = true;
	f->got++;
	f->have = 0;
}

static void
notice(struct scene *s, const uint8_t *buf)
{
	struct tl_sctp_paddr_change ev;

	memcpy(&ev, buf, sizeof(ev));
	s->unreachable += ev.state == TL_SCTP_ADDR_UNREACHABLE;
	s->broken += ev.error == TL_ELATCHBROKEN;
	s->confirmed += ev.state == TL_SCTP_ADDR_CONFIRMED;
}

static void
recv_some(struct scene *s, uint32_t i)
{
	struct flow *f = &s->f[1 - i];
	struct tl_sctp_sndrcvinfo info;

	for (;;) {
		size_t room = sizeof(f->buf) - f->have;
		size_t want = vnet_below(s->v, 4) == 0 ? 1 + vnet_below(s->v, 500) : room;
		int flags = 0;
		ssize_t n = tl_sctp_recvmsg(w(s, i), s->fd[i], f->buf + f->have,
			want < room ? want : room, &info, &flags);

		if (n < 0) {
			if (errno != EAGAIN)
				s->err[i] = errno;
			return;
		}
		if (n == 0) {
			s->done[i] = true;
			return;
		}
		f->have += (size_t)n;
		if ((flags & TL_MSG_NOTIFICATION) != 0) {
			if ((flags & MSG_EOR) != 0) {
				notice(s, f->buf);
				f->have = 0;
			}
		} else if ((flags & MSG_EOR) != 0) {
			check_message(s, 1 - i, &info);
		}
	}
}

/* One look of both programs. */
static void
work(struct scene *s)
{
	if (s->fd[0] < 0) {
		s->fd[0] = tl_accept(w(s, 0), s->lsn, NULL, NULL);
		ck_assert(s->fd[0] >= 0 || errno == EAGAIN);
	}
	for (uint32_t i = 0; i < 2; i++) {
		if (s->fd[i] < 0 || s->err[i] != 0)
			continue;
		if (!s->done[i])
			recv_some(s, i);
		send_some(s, i);
		vnet_touch(s->n[i]);
	}
}

static bool
is_complete(const struct scene *s)
{
	return s->f[0].got == s->f[0].nb && s->f[1].got == s->f[1].nb;
}

/* Until all messages are there, or an end failed, or the time is over. */
static bool
exchange(struct scene *s, uint64_t most_ns)
{
	uint64_t end = s->v->now_ns + most_ns;

	while (s->v->now_ns < end && !is_complete(s) && s->err[0] == 0 && s->err[1] == 0) {
		work(s);
		vnet_run(s->v, NULL, NULL, 2 * VNET_MS);
	}
	return is_complete(s);
}

static void
pass(struct scene *s, uint64_t ns)
{
	for (uint64_t end = s->v->now_ns + ns; s->v->now_ns < end;) {
		work(s);
		vnet_run(s->v, NULL, NULL, 5 * VNET_MS);
	}
}

static bool
established(struct scene *s)
{
	for (int i = 0; i < 400 && s->fd[0] < 0; i++) {
		work(s);
		vnet_run(s->v, NULL, NULL, 50 * VNET_MS);
	}
	return s->fd[0] >= 0;
}

static uint64_t
stat_of(const struct scene *s, uint32_t i, const char *name)
{
	return ctl_stat(s->n[i]->s, name);
}

/* ---- seeds ---- */

static void
bad_links(struct scene *s)
{
	for (uint32_t i = 0; i < 2; i++) {
		struct vnet_link *l = &s->n[i]->out;

		l->loss = vnet_below(s->v, VNET_SCALE / 12);
		l->dup = vnet_below(s->v, VNET_SCALE / 20);
		l->reorder = vnet_below(s->v, VNET_SCALE / 8);
		l->corrupt = vnet_below(s->v, VNET_SCALE / 50);
		l->late_ns = VNET_MS * (1 + vnet_below(s->v, 30));
		l->delay_ns = VNET_MS * (1 + vnet_below(s->v, 20));
	}
}

static void
close_in_order(struct scene *s)
{
	uint32_t first = vnet_below(s->v, 2);

	ck_assert_int_eq(tl_shutdown(w(s, first), s->fd[first], SHUT_WR), 0);
	for (int i = 0; i < 4000 && !(s->done[0] && s->done[1]); i++) {
		work(s);
		vnet_run(s->v, NULL, NULL, 50 * VNET_MS);
	}
	for (uint32_t i = 0; i < 2; i++)
		ck_assert_msg(s->done[i] && s->err[i] == 0, "seed %lu: end %u: no orderly end, %s",
			(unsigned long)s->v->seed, i, strerror(s->err[i]));
}

static void
run_seed(uint64_t seed)
{
	struct scene *s;
	bool esp = (seed & 1) != 0, two = (seed & 2) != 0, six = !esp && !two && (seed & 4) != 0;

	s = scene_new(seed, esp, two, six);
	bad_links(s);
	for (uint32_t i = 0; i < 2; i++)
		draw(s, i, 1 + vnet_below(s->v, MSGS_MAX), 8 + vnet_below(s->v, LEN_MAX - 8));
	scene_connect(s);
	if (!exchange(s, 3000 * VNET_S)) {
		vnet_dump(s->v);
		ck_abort_msg("seed %lu: %u of %u and %u of %u messages, errors %d and %d",
			(unsigned long)seed, s->f[0].got, s->f[0].nb, s->f[1].got, s->f[1].nb,
			s->err[0], s->err[1]);
	}
	close_in_order(s);
	scene_free(s);
}

/* RFC 9260 s6: whatever the network does, what was sent arrives. */
START_TEST(seeds_every_message_arrives_once_whole_and_in_order)
{
	const char *one = getenv("TL_SEED"), *many = getenv("TL_SEEDS");
	uint64_t n = many != NULL ? strtoull(many, NULL, 0) : SEEDS_DEFAULT;

	if (one != NULL) {
		run_seed(strtoull(one, NULL, 0));
		return;
	}
	for (uint64_t seed = 1; seed <= n; seed++)
		run_seed(seed);
	printf("# %lu seeds\n", (unsigned long)n);
}
END_TEST

/* ---- paths ---- */

static struct scene *
two_paths(uint64_t seed, bool esp)
{
	struct scene *s = scene_new(seed, esp, true, false);

	scene_connect(s);
	ck_assert(established(s));
	pass(s, 500 * VNET_MS);
	ck_assert_uint_eq(s->confirmed, 1); /* RFC 9260 s5.4 */
	return s;
}

/* RFC 9260 s6.4.1, s8.2 */
START_TEST(cut_of_one_path_moves_the_data_to_the_other)
{
	struct scene *s = two_paths(7, _i != 0);

	draw(s, 0, MSGS_MAX, 3000);
	draw(s, 1, MSGS_MAX, 3000);
	pass(s, 20 * VNET_MS);
	s->cut = NET_A;
	s->cut_ns = s->v->now_ns;
	ck_assert(exchange(s, 60 * VNET_S));
	ck_assert_uint_ne(s->first_b_ns, 0);
	printf("# %s: the first data on the other path %lu ms after the cut\n",
		s->esp ? "ESP" : "clear", (unsigned long)((s->first_b_ns - s->cut_ns) / VNET_MS));
	pass(s, 10 * VNET_S);
	ck_assert_uint_ge(s->unreachable, 1);
	ck_assert_uint_eq(s->broken, 0);
	close_in_order(s);
	scene_free(s);
}
END_TEST

/* ---- the rogue ---- */

static struct sctp_assoc *
assoc_of(const struct scene *s, uint32_t i)
{
	return TAILQ_FIRST(&s->n[i]->s->lc[0]->sctp->all);
}

/* A packet that looks like one of node 1's to node 0, on a network: one chunk. sa NULL: in clear.
 */
static void
forge(struct scene *s, uint32_t net, struct craft_sa *sa, uint8_t type, uint8_t flags,
	uint32_t vtag)
{
	const struct sctp_assoc *a = assoc_of(s, 0);
	uint8_t l4[256], ip[512], body[512];
	struct sctp_emit e = {.p = l4, .cap = sizeof(l4)};
	size_t n;

	sctp_emit_header(&e, a->rport, a->lport, vtag);
	memset(sctp_emit_chunk(&e, type, flags, 32), 0, 32);
	sctp_emit_finish(&e);
	if (sa != NULL) {
		n = craft_esp(sa, body, SCTP, l4, e.len, NULL);
		n = craft_ip4(ip, net + 2, net + 1, CRAFT_ESP, body, n);
	} else {
		n = craft_ip4(ip, net + 2, net + 1, SCTP, l4, e.len);
	}
	vnet_inject(s->v, s->n[0], s->n[1], ip, n, 0, 1);
	vnet_run(s->v, NULL, NULL, 10 * VNET_MS);
}

static void
rogue_add(struct scene *s, uint32_t net)
{
	sa_draw(s, &s->rogue, 0x66600, net + 2, net + 1);
	sa_add(s, 0, &s->rogue, true, "rogue");
}

/* X-1, B-8, F-73: whatever the chunk and its tag, that path is over, and only that. */
START_TEST(another_identity_on_one_of_two_paths_bars_it_and_the_association_lives)
{
	static const uint8_t types[] = {
		SCTP_DATA, SCTP_ABORT, SCTP_INIT, SCTP_SHUTDOWN_COMPLETE, SCTP_SACK, 99};
	struct scene *s = two_paths(11, true);
	uint32_t events = TL_SCTP_EVENT(TL_SCTP_PEER_ADDR_CHANGE);
	struct tl_sctp_paddr_change ev;
	int flags = 0;

	tl_setsockopt(w(s, 0), s->fd[0], SCTP, TL_SCTP_EVENTS, &events, sizeof(events));
	rogue_add(s, NET_A);
	forge(s, NET_A, &s->rogue, types[_i], 1, 0x12345678);
	ck_assert_int_eq(
		tl_sctp_recvmsg(w(s, 0), s->fd[0], &ev, sizeof(ev), NULL, &flags), (int)sizeof(ev));
	ck_assert_int_eq(flags, TL_MSG_NOTIFICATION | MSG_EOR);
	ck_assert_int_eq(ev.state, TL_SCTP_ADDR_UNREACHABLE);
	ck_assert_int_eq(ev.error, TL_ELATCHBROKEN);
	ck_assert_uint_eq(stat_of(s, 0, "sctp-aborts-out"), 0);
	draw(s, 0, 100, 3000);
	draw(s, 1, 100, 3000);
	ck_assert(exchange(s, 60 * VNET_S));
	ck_assert_uint_eq(assoc_of(s, 0)->primary->state, SCTP_PATH_BARRED);
	close_in_order(s);
	scene_free(s);
}
END_TEST

/* B-7, B-11, F-75 */
START_TEST(another_identity_on_the_last_path_ends_the_association)
{
	struct scene *s = scene_new(13, true, false, false);
	struct tl_latch_info info;
	socklen_t len = sizeof(info);
	char buf[16];

	scene_connect(s);
	ck_assert(established(s));
	rogue_add(s, NET_A);
	forge(s, NET_A, &s->rogue, SCTP_DATA, 3, 1);
	ck_assert_int_eq(tl_recv(w(s, 0), s->fd[0], buf, sizeof(buf), 0), -1);
	ck_assert_int_eq(errno, ECONNRESET);
	ck_assert_int_eq(
		tl_getsockopt(w(s, 0), s->fd[0], SOL_TL_IPSEC, TL_LATCH_INFO, &info, &len), 0);
	ck_assert_int_eq(info.state, TL_LATCH_CLOSED);
	ck_assert_int_eq(info.reason, TL_LATCH_PEER_CONFLICT);
	ck_assert_uint_eq(stat_of(s, 0, "sctp-aborts-out"), 0); /* F-17 */
	scene_free(s);
}
END_TEST

/* D-1 of two paths: the second one barred after the first takes the association with it. */
START_TEST(both_paths_barred_end_the_association)
{
	struct scene *s = two_paths(17, true);
	struct craft_sa first;
	char buf[16];

	rogue_add(s, NET_A);
	forge(s, NET_A, &s->rogue, SCTP_DATA, 3, 1);
	ck_assert_int_eq(assoc_of(s, 0)->state, SCTPS_ESTABLISHED);
	first = s->rogue;
	sa_draw(s, &s->rogue, 0x66601, NET_B + 2, NET_B + 1);
	sa_add(s, 0, &s->rogue, true, "rogue");
	forge(s, NET_A, &first, SCTP_DATA, 3, 1); /* that path is over already */
	ck_assert_int_eq(assoc_of(s, 0)->state, SCTPS_ESTABLISHED);
	forge(s, NET_B, &s->rogue, SCTP_DATA, 3, 1);
	ck_assert_int_eq(tl_recv(w(s, 0), s->fd[0], buf, sizeof(buf), 0), -1);
	ck_assert_int_eq(errno, ECONNRESET);
	scene_free(s);
}
END_TEST

/* P-7, R s6.5: clear never breaks, and never reaches the tag. */
START_TEST(clear_packet_on_a_latched_path_changes_nothing)
{
	struct scene *s = two_paths(19, true);
	const struct sctp_assoc *a = assoc_of(s, 0);

	for (uint8_t type = 0; type < 16; type++) {
		forge(s, NET_A, NULL, type, 0, a->own_vtag);
		forge(s, NET_A, NULL, type, SCTP_F_T, a->peer_vtag);
	}
	ck_assert_uint_eq(stat_of(s, 0, "latch-m0"), 32);
	ck_assert_int_eq(a->state, SCTPS_ESTABLISHED);
	draw(s, 1, 50, 3000);
	ck_assert(exchange(s, 60 * VNET_S));
	close_in_order(s);
	scene_free(s);
}
END_TEST

/* RFC 9260 s8.5 */
START_TEST(packet_with_a_wrong_tag_changes_nothing)
{
	struct scene *s = scene_new(23, false, false, false);
	const struct sctp_assoc *a;
	struct sctp_assoc before;

	scene_connect(s);
	ck_assert(established(s));
	pass(s, 300 * VNET_MS);
	a = assoc_of(s, 0);
	before = *a;
	for (uint8_t type = 0; type < 16; type++) {
		if (type == SCTP_INIT || type == SCTP_COOKIE_ECHO)
			continue;
		forge(s, NET_A, NULL, type, 0, a->own_vtag + 1);
		forge(s, NET_A, NULL, type, SCTP_F_T, a->peer_vtag + 1);
	}
	ck_assert_int_eq(a->state, SCTPS_ESTABLISHED);
	ck_assert_uint_eq(a->cum_tsn, before.cum_tsn);
	ck_assert_uint_eq(a->cum_ack, before.cum_ack);
	ck_assert_uint_eq(stat_of(s, 0, "sctp-vtag"), 2 * 14);
	close_in_order(s);
	scene_free(s);
}
END_TEST

/* RFC 6458 s4.1.8 */
START_TEST(close_with_linger_0_aborts)
{
	struct scene *s = scene_new(29, _i != 0, false, false);
	struct linger l = {.l_onoff = 1};
	char buf[8];

	scene_connect(s);
	ck_assert(established(s));
	tl_setsockopt(w(s, 0), s->fd[0], SOL_SOCKET, SO_LINGER, &l, sizeof(l));
	tl_close(w(s, 0), s->fd[0]);
	s->fd[0] = -1;
	vnet_touch(s->n[0]);
	vnet_run(s->v, NULL, NULL, 100 * VNET_MS);
	ck_assert_int_eq(tl_recv(w(s, 1), s->fd[1], buf, sizeof(buf), 0), -1);
	ck_assert_int_eq(errno, ECONNRESET);
	ck_assert_int_eq(tl_recv(w(s, 1), s->fd[1], buf, sizeof(buf), 0), 0);
	scene_free(s);
}
END_TEST

/* RFC 9260 s5.1 */
START_TEST(connect_to_a_port_where_nobody_listens_is_refused)
{
	struct scene *s = scene_new(31, _i != 0, false, false);
	char buf[8];

	tl_close(w(s, 0), s->lsn);
	scene_connect(s);
	vnet_run(s->v, NULL, NULL, 100 * VNET_MS);
	ck_assert_int_eq(tl_recv(w(s, 1), s->fd[1], buf, sizeof(buf), 0), -1);
	ck_assert_int_eq(errno, ECONNREFUSED);
	scene_free(s);
}
END_TEST

/* RFC 9260 s5.2.1, s5.2.4 B and D */
START_TEST(both_ends_connect_at_once_make_one_association)
{
	struct scene *s = scene_new(37, _i != 0, false, false);
	struct sockaddr_in6 a[2] = {address(s, 0), address(s, 1)};
	struct sockaddr_in *in[2] = {(struct sockaddr_in *)(void *)&a[0], (void *)&a[1]};

	tl_close(w(s, 0), s->lsn);
	s->fd[0] = tl_socket(w(s, 0), AF_INET, SOCK_STREAM, SCTP);
	for (uint32_t i = 0; i < 2; i++)
		ck_assert_int_eq(
			tl_bind(w(s, i), s->fd[i], (struct sockaddr *)in[i], sizeof(*in[i])), 0);
	for (uint32_t i = 0; i < 2; i++) {
		tl_connect(w(s, i), s->fd[i], (struct sockaddr *)in[1 - i], sizeof(*in[i]));
		vnet_touch(s->n[i]);
	}
	draw(s, 0, 30, 3000);
	draw(s, 1, 30, 3000);
	ck_assert(exchange(s, 60 * VNET_S));
	close_in_order(s);
	scene_free(s);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("sctp_path");
	TCase *tc = tcase_create("vnet");

	tcase_set_timeout(tc, 600);
	tcase_add_loop_test(tc, connect_to_a_port_where_nobody_listens_is_refused, 0, 2);
	tcase_add_loop_test(tc, close_with_linger_0_aborts, 0, 2);
	tcase_add_loop_test(tc, both_ends_connect_at_once_make_one_association, 0, 2);
	tcase_add_loop_test(tc, cut_of_one_path_moves_the_data_to_the_other, 0, 2);
	tcase_add_loop_test(
		tc, another_identity_on_one_of_two_paths_bars_it_and_the_association_lives, 0, 6);
	tcase_add_test(tc, another_identity_on_the_last_path_ends_the_association);
	tcase_add_test(tc, both_paths_barred_end_the_association);
	tcase_add_test(tc, clear_packet_on_a_latched_path_changes_nothing);
	tcase_add_test(tc, packet_with_a_wrong_tag_changes_nothing);
	tcase_add_test(tc, seeds_every_message_arrives_once_whole_and_in_order);
	suite_add_tcase(s, tc);
	return env_main(s);
}
