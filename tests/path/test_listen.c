/* SPDX-License-Identifier: BSD-3-Clause */
/* Several sockets on one port of a whole stack, and the options that every socket has. */
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/time.h>

#include "tests/util/vnet_lab.h"

enum { PORT = 6000, CONNS = 16 };

static const struct lab_opts plain_opts = {
	.window = 64, .more = {"stack.sockets=64", "tcp.max-connections=128"}};

static struct sockaddr_in
at(const struct lab *l, uint32_t node)
{
	return (struct sockaddr_in){.sin_family = AF_INET,
		.sin_port = htons(PORT),
		.sin_addr.s_addr = htonl(l->n[node]->ip)};
}

/* A listener of the server that shares its port and wants this peer, NULL: anybody. */
static int
listener(struct lab *l, const char *peer)
{
	struct tl_worker *w = tl_worker(l->n[0]->s, 0);
	int fd = tl_socket(w, AF_INET, SOCK_STREAM, 0), on = 1;
	struct sockaddr_in a = at(l, 0);
	struct tl_ident id = {.type = TL_ID_FQDN};

	ck_assert_int_eq(tl_setsockopt(w, fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on)), 0);
	if (peer != NULL) {
		id.len = (uint16_t)strlen(peer);
		memcpy(id.data, peer, id.len);
		ck_assert_int_eq(
			tl_setsockopt(w, fd, SOL_TL_IPSEC, TL_LATCH_PEER_ID, &id, sizeof(id)), 0);
	}
	ck_assert_int_eq(tl_bind(w, fd, (struct sockaddr *)&a, sizeof(a)), 0);
	ck_assert_int_eq(tl_listen(w, fd, CONNS), 0);
	return fd;
}

static void
connects(struct lab *l, int fd[CONNS])
{
	struct tl_worker *w = tl_worker(l->n[1]->s, 0);
	struct sockaddr_in to = at(l, 0);

	for (int i = 0; i < CONNS; i++) {
		fd[i] = tl_socket(w, AF_INET, SOCK_STREAM, 0);
		ck_assert_int_eq(tl_connect(w, fd[i], (struct sockaddr *)&to, sizeof(to)), -1);
		ck_assert_int_eq(errno, EINPROGRESS);
	}
	vnet_touch(l->n[1]);
	lab_pass(l, VNET_S);
}

/* Both ends; the connections end with their sockets. */
static void
over(struct lab *l, const int lsn[2], const int fd[CONNS])
{
	struct linger now = {.l_onoff = 1};

	for (int i = 0; i < CONNS; i++) {
		struct tl_worker *w = tl_worker(l->n[1]->s, 0);

		tl_setsockopt(w, fd[i], SOL_SOCKET, SO_LINGER, &now, sizeof(now));
		tl_close(w, fd[i]);
	}
	for (int i = 0; i < 2; i++)
		tl_close(tl_worker(l->n[0]->s, 0), lsn[i]);
	lab_free(l);
}

static uint32_t
accepts(struct lab *l, int fd)
{
	struct tl_worker *w = tl_worker(l->n[0]->s, 0);
	uint32_t n = 0;
	struct linger now = {.l_onoff = 1};
	int c;

	while ((c = tl_accept(w, fd, NULL, NULL)) >= 0) {
		tl_setsockopt(w, c, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
		tl_close(w, c);
		n++;
	}
	ck_assert_int_eq(errno, EAGAIN);
	return n;
}

/* RFC 5660 s2: a listener's request is met or the connection is not its. */
START_TEST(each_peer_comes_to_the_listener_that_wants_it)
{
	struct lab *l = lab_new(&plain_opts);
	int good = listener(l, "n1.example"), bad = listener(l, "rogue.example"), fd[CONNS];
	int lsn[2] = {good, bad};
	struct craft_seg s = {.src = l->n[1]->ip,
		.dst = l->n[0]->ip,
		.sport = 7000,
		.dport = PORT,
		.flags = CRAFT_SYN,
		.seq = 1000,
		.wnd = 5000};

	connects(l, fd);
	ck_assert_uint_eq(accepts(l, bad), 0);
	ck_assert_uint_eq(accepts(l, good), CONNS);
	for (uint16_t i = 0; i < CONNS; i++) {
		s.sport = (uint16_t)(7000 + i);
		s.flags = CRAFT_SYN;
		s.seq = 1000;
		lab_send(l, 1, &l->bad[0], &s);
		lab_pass(l, VNET_MS);
		s.flags = CRAFT_ACK;
		s.seq = 1001;
		s.ack = l->to_rogue.seq + 1;
		lab_send(l, 1, &l->bad[0], &s);
		lab_pass(l, VNET_MS);
	}
	ck_assert_uint_eq(accepts(l, good), 0);
	ck_assert_uint_eq(accepts(l, bad), CONNS);
	over(l, lsn, fd);
}
END_TEST

START_TEST(peer_that_no_listener_wants_is_dropped_as_a_request_not_met)
{
	struct lab *l = lab_new(&plain_opts);
	int lsn[2] = {listener(l, "rogue.example"), listener(l, "other.example")}, fd[CONNS];

	connects(l, fd);
	ck_assert_uint_eq(accepts(l, lsn[0]) + accepts(l, lsn[1]), 0);
	ck_assert_uint_ge(lab_stat(l, 0, "latch-request"), CONNS);
	over(l, lsn, fd);
}
END_TEST

START_TEST(listeners_that_ask_for_nothing_share)
{
	struct lab *l = lab_new(&plain_opts);
	int lsn[2] = {listener(l, NULL), listener(l, NULL)}, fd[CONNS];
	uint32_t of_a, of_b;

	connects(l, fd);
	of_a = accepts(l, lsn[0]);
	of_b = accepts(l, lsn[1]);
	ck_assert_uint_eq(of_a + of_b, CONNS);
	ck_assert_uint_gt(of_a, 1);
	ck_assert_uint_gt(of_b, 1);
	over(l, lsn, fd);
}
END_TEST

START_TEST(each_worker_has_its_own_listener)
{
	struct lab_opts o = {.workers = 2, .ethernet = true};
	struct lab *l = lab_new(&o);
	struct sockaddr_in a = at(l, 0);
	int fd[2];

	for (unsigned int i = 0; i < 2; i++) {
		struct tl_worker *w = tl_worker(l->n[0]->s, i);

		fd[i] = tl_socket(w, AF_INET, SOCK_STREAM, 0);
		ck_assert_int_eq(tl_bind(w, fd[i], (struct sockaddr *)&a, sizeof(a)), 0);
		ck_assert_int_eq(tl_listen(w, fd[i], 1), 0);
	}
	for (unsigned int i = 0; i < 2; i++)
		tl_close(tl_worker(l->n[0]->s, i), fd[i]);
	lab_free(l);
}
END_TEST

static int
set_timeo(struct tl_worker *w, int fd, int opt, long s, long us)
{
	struct timeval tv = {.tv_sec = s, .tv_usec = us};

	return tl_setsockopt(w, fd, SOL_SOCKET, opt, &tv, sizeof(tv)) == 0 ? 0 : errno;
}

static struct timeval
get_timeo(struct tl_worker *w, int fd, int opt)
{
	struct timeval tv = {.tv_sec = -1};
	socklen_t len = sizeof(tv);

	ck_assert_int_eq(tl_getsockopt(w, fd, SOL_SOCKET, opt, &tv, &len), 0);
	ck_assert_uint_eq(len, sizeof(tv));
	return tv;
}

START_TEST(timeouts_of_blocking_calls_are_kept_and_told)
{
	struct lab *l = lab_new(&plain_opts);
	struct tl_worker *w = tl_worker(l->n[0]->s, 0);
	int fd = tl_socket(w, AF_INET, _i == 0 ? SOCK_STREAM : SOCK_DGRAM, 0);

	ck_assert_int_eq(get_timeo(w, fd, SO_RCVTIMEO).tv_sec, 0);
	ck_assert_int_eq(set_timeo(w, fd, SO_RCVTIMEO, 3, 250000), 0);
	ck_assert_int_eq(set_timeo(w, fd, SO_SNDTIMEO, 0, 1), 0);
	ck_assert_int_eq(get_timeo(w, fd, SO_RCVTIMEO).tv_sec, 3);
	ck_assert_int_eq(get_timeo(w, fd, SO_RCVTIMEO).tv_usec, 250000);
	ck_assert_int_eq(get_timeo(w, fd, SO_SNDTIMEO).tv_sec, 0);
	ck_assert_int_eq(get_timeo(w, fd, SO_SNDTIMEO).tv_usec, 1000); /* rounded up */
	ck_assert_int_eq(set_timeo(w, fd, SO_RCVTIMEO, 0, 1000000), EDOM);
	ck_assert_int_eq(set_timeo(w, fd, SO_RCVTIMEO, 0, -1), EDOM);
	ck_assert_int_eq(get_timeo(w, fd, SO_RCVTIMEO).tv_sec, 3);
	ck_assert_int_eq(set_timeo(w, fd, SO_RCVTIMEO, 0, 0), 0);
	ck_assert_int_eq(get_timeo(w, fd, SO_RCVTIMEO).tv_usec, 0);
	ck_assert_int_eq(tl_setsockopt(w, fd, SOL_SOCKET, SO_RCVTIMEO, &(int){1}, 4), -1);
	ck_assert_int_eq(errno, EINVAL);
	tl_close(w, fd);
	lab_free(l);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("listen");
	TCase *c = tcase_create("listen");

	tcase_set_timeout(c, 0);
	tcase_add_test(c, each_peer_comes_to_the_listener_that_wants_it);
	tcase_add_test(c, peer_that_no_listener_wants_is_dropped_as_a_request_not_met);
	tcase_add_test(c, listeners_that_ask_for_nothing_share);
	tcase_add_test(c, each_worker_has_its_own_listener);
	tcase_add_loop_test(c, timeouts_of_blocking_calls_are_kept_and_told, 0, 2);
	suite_add_tcase(s, c);
	return env_main(s);
}
