/* SPDX-License-Identifier: BSD-3-Clause */
/* Who gets a connection: groups of listeners, put-off accepts, ports of old connections. */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>

#include "tests/tcp/tcp_env.h"

#define SECOND UINT64_C(1000000)
enum { GROUP = 3, FLOWS = 60, FIRST_PORT = 20000 };

static struct sock member[GROUP];
static uint8_t got[4096];

static int
set(struct sock *s, int level, int opt, int v)
{
	return tcp_sock_ops.setopt(t.lc, s, level, opt, &v, sizeof(v));
}

static int
get(struct sock *s, int level, int opt)
{
	socklen_t len = sizeof(int);
	int v = -1;

	ck_assert_int_eq(tcp_sock_ops.getopt(t.lc, s, level, opt, &v, &len), 0);
	return v;
}

static int
bind_to(struct sock *s, uint32_t ip, uint16_t port)
{
	struct sock_addr a = {
		.addr = ip_addr_v4(rte_cpu_to_be_32(ip)), .port = rte_cpu_to_be_16(port)};

	return tcp_sock_ops.bind(t.lc, s, &a);
}

static void
join(struct sock *s, uint32_t ip)
{
	sock_new(s);
	ck_assert_int_eq(set(s, SOL_SOCKET, SO_REUSEPORT, 1), 0);
	ck_assert_int_eq(bind_to(s, ip, OWN_PORT), 0);
	ck_assert_int_eq(tcp_sock_ops.listen(t.lc, s, FLOWS), 0);
}

static void
group_open(void)
{
	for (int i = 0; i < GROUP; i++)
		join(&member[i], 0);
}

static void
group_close(void)
{
	for (int i = 0; i < GROUP; i++)
		tcp_sock_ops.close(t.lc, &member[i]);
}

static void
discard(void)
{
	pkt_queue_drop(t.lc, &t.out, DROP_PORT_CLOSED);
}

static uint32_t
half_of(const struct sock *s)
{
	return ((const struct tcp_pcb *)s->pcb)->half_n;
}

static void
syns(void)
{
	for (uint16_t i = 0; i < FLOWS; i++)
		RX(.flags = S, .peer_port = (uint16_t)(FIRST_PORT + i));
	discard();
}

START_TEST(connections_are_spread_over_a_group)
{
	uint32_t sum = 0;

	group_open();
	syns();
	for (int i = 0; i < GROUP; i++) {
		ck_assert_uint_gt(half_of(&member[i]), FLOWS / 10);
		sum += half_of(&member[i]);
	}
	ck_assert_uint_eq(sum, FLOWS);
	group_close();
	discard();
}
END_TEST

START_TEST(one_flow_comes_to_the_same_member_again)
{
	uint32_t before[GROUP];

	group_open();
	syns();
	for (int i = 0; i < GROUP; i++)
		before[i] = half_of(&member[i]);
	for (uint16_t i = 0; i < FLOWS; i++)
		RX(.flags = R, .seq = 1, .peer_port = (uint16_t)(FIRST_PORT + i));
	for (int i = 0; i < GROUP; i++)
		ck_assert_uint_eq(half_of(&member[i]), 0);
	syns();
	for (int i = 0; i < GROUP; i++)
		ck_assert_uint_eq(half_of(&member[i]), before[i]);
	group_close();
	discard();
}
END_TEST

START_TEST(who_leaves_a_group_leaves_the_rest_to_the_others)
{
	group_open();
	tcp_sock_ops.close(t.lc, &member[1]);
	syns();
	ck_assert_uint_eq(half_of(&member[0]) + half_of(&member[2]), FLOWS);
	tcp_sock_ops.close(t.lc, &member[0]);
	tcp_sock_ops.close(t.lc, &member[2]);
	discard();
}
END_TEST

START_TEST(only_those_who_say_so_are_a_group)
{
	struct sock s;

	join(&member[0], 0);
	sock_new(&s);
	ck_assert_int_eq(bind_to(&s, 0, OWN_PORT), -EADDRINUSE);
	ck_assert_int_eq(set(&s, SOL_SOCKET, SO_REUSEADDR, 1), 0);
	ck_assert_int_eq(bind_to(&s, 0, OWN_PORT), -EADDRINUSE);
	ck_assert_int_eq(set(&s, SOL_SOCKET, SO_REUSEPORT, 1), 0);
	ck_assert_int_eq(get(&s, SOL_SOCKET, SO_REUSEPORT), 1);
	ck_assert_int_eq(bind_to(&s, 0, OWN_PORT), 0);
	ck_assert_int_eq(set(&s, SOL_SOCKET, SO_REUSEPORT, 0), 0);
	ck_assert_int_eq(tcp_sock_ops.listen(t.lc, &s, 1), -EADDRINUSE);
	tcp_sock_ops.close(t.lc, &s);
	tcp_sock_ops.close(t.lc, &member[0]);
}
END_TEST

START_TEST(nobody_joins_a_group_by_chance)
{
	t.lc->tcp->conf.port_first = t.lc->tcp->conf.port_last = 50000;
	for (int i = 0; i < 2; i++) {
		sock_new(&member[i]);
		ck_assert_int_eq(set(&member[i], SOL_SOCKET, SO_REUSEPORT, 1), 0);
		ck_assert_int_eq(bind_to(&member[i], 0, 0), i == 0 ? 0 : -EADDRINUSE);
	}
	ck_assert_int_eq(bind_to(&member[1], 0, 50000), 0);
	tcp_sock_ops.close(t.lc, &member[0]);
	tcp_sock_ops.close(t.lc, &member[1]);
}
END_TEST

START_TEST(listener_of_the_very_address_comes_before_a_group)
{
	group_open();
	join(&t.lsn, 0x0a000001);
	syns();
	ck_assert_uint_eq(half_of(&t.lsn), FLOWS);
	group_close();
	discard();
}
END_TEST

/* Members that want different protection: the SYN goes to one whose request it meets. */
START_TEST(members_whose_request_is_not_met_take_no_part)
{
	struct tcp_pcb *picky;

	group_open();
	picky = member[1].pcb;
	picky->latch.wish = (struct latch_wish *)(void *)got; /* only compared */
	t.fake.refuser = &picky->latch;
	syns();
	ck_assert_uint_eq(half_of(&member[1]), 0);
	ck_assert_uint_eq(half_of(&member[0]) + half_of(&member[2]), FLOWS);
	ck_assert_uint_gt(half_of(&member[0]), FLOWS / 5);
	ck_assert_uint_eq(env_drops(DROP_LATCH_REQUEST), 0);
	group_close();
	discard();
}
END_TEST

START_TEST(group_that_wants_what_nobody_brings_gets_nothing)
{
	group_open();
	((struct tcp_pcb *)member[1].pcb)->latch.wish = (struct latch_wish *)(void *)got;
	t.fake.spawn_rc = DROP_LATCH_REQUEST;
	RX(.flags = S);
	EXPECT_NONE();
	ck_assert_uint_eq(env_drops(DROP_LATCH_REQUEST), 1);
	group_close();
}
END_TEST

/* ---- TCP_DEFER_ACCEPT ---- */

static void
deferred(void)
{
	pcb_syn_rcvd();
	ck_assert_int_eq(set(&t.lsn, IPPROTO_TCP, TCP_DEFER_ACCEPT, 10), 0);
	env_wait_us(20000);
	RX(.flags = A, .seq = 1, .ack = 1);
	EXPECT_NONE();
	EXPECT_STATE(SYN_RCVD);
	ck_assert_int_eq(tcp_sock_ops.accept(t.lc, &t.lsn, &t.s), -EAGAIN);
	ck_assert_uint_eq(tcp_sock_ops.ready(t.lc, &t.lsn), 0);
}

START_TEST(put_off_connection_is_accepted_with_its_first_data)
{
	deferred();
	env_wait_us(5 * SECOND);
	EXPECT_NONE(); /* its ACK came: nothing is asked again */
	RX(.flags = A, .seq = 1, .ack = 1);
	EXPECT_STATE(SYN_RCVD);
	RX(.flags = A, .seq = 1, .ack = 1, .len = 100);
	EXPECT_STATE(ESTABLISHED);
	ck_assert_int_eq(tcp_sock_ops.accept(t.lc, &t.lsn, &t.s), 0);
	ck_assert_int_eq(s_recv(got, sizeof(got)), 100);
	/* The round trip is the ACK's, not the wait; and nothing was lost. */
	ck_assert_uint_eq(t.p->srtt_us, 20000);
	ck_assert_uint_eq(t.p->cc.cwnd_bytes, tcp_cc_iw(t.p->mss, 10));
	ck_assert_uint_eq(t.lc->stat.st[ST_TCP_DEFERRED], 1);
	ck_assert_ptr_null(t.s.more);
	discard();
}
END_TEST

START_TEST(put_off_connection_is_accepted_when_its_time_is_over)
{
	deferred();
	env_wait_us(10 * SECOND - 1);
	EXPECT_NONE();
	env_wait_us(1);
	EXPECT(S | A, 0, 1, 0);
	RX(.flags = A, .seq = 1, .ack = 1);
	EXPECT_STATE(ESTABLISHED);
	ck_assert_int_eq(tcp_sock_ops.accept(t.lc, &t.lsn, &t.s), 0);
	ck_assert_uint_eq(t.p->cc.cwnd_bytes, tcp_cc_iw(t.p->mss, 10));
}
END_TEST

START_TEST(put_off_connection_that_only_ends_is_accepted)
{
	deferred();
	RX(.flags = F | A, .seq = 1, .ack = 1);
	EXPECT_STATE(CLOSE_WAIT);
	ck_assert_int_eq(tcp_sock_ops.accept(t.lc, &t.lsn, &t.s), 0);
	ck_assert_int_eq(s_recv(got, 1), 0);
	discard();
}
END_TEST

START_TEST(put_off_connection_of_a_silent_peer_ends)
{
	deferred();
	env_wait_us(400 * SECOND);
	ck_assert_uint_eq(half_of(&t.lsn), 0);
	discard();
	t.p = NULL;
}
END_TEST

START_TEST(put_off_time_is_told_and_taken_back)
{
	ck_assert_int_eq(get(&t.s, IPPROTO_TCP, TCP_DEFER_ACCEPT), 0);
	ck_assert_int_eq(set(&t.s, IPPROTO_TCP, TCP_DEFER_ACCEPT, 7), 0);
	ck_assert_int_eq(get(&t.s, IPPROTO_TCP, TCP_DEFER_ACCEPT), 7);
	ck_assert_int_eq(set(&t.s, IPPROTO_TCP, TCP_DEFER_ACCEPT, -1), 0);
	ck_assert_int_eq(get(&t.s, IPPROTO_TCP, TCP_DEFER_ACCEPT), 0);
}
END_TEST

/* ---- TCP_MAXSEG ---- */

START_TEST(maxseg_is_what_we_say_and_what_we_send)
{
	struct sock_addr a = {
		.addr = ip_addr_v4(RTE_BE32(0x0a000002)), .port = RTE_BE16(PEER_PORT)};

	ck_assert_int_eq(set(&t.s, IPPROTO_TCP, TCP_MAXSEG, 87), -EINVAL);
	ck_assert_int_eq(set(&t.s, IPPROTO_TCP, TCP_MAXSEG, 32768), -EINVAL);
	ck_assert_int_eq(set(&t.s, IPPROTO_TCP, TCP_MAXSEG, 700), 0);
	ck_assert_int_eq(get(&t.s, IPPROTO_TCP, TCP_MAXSEG), 700);
	ck_assert_int_eq(tcp_sock_ops.connect(t.lc, &t.s, &a), -EINPROGRESS);
	t.p = t.s.pcb;
	env_turn();
	ck_assert_uint_eq(env_tx(NULL).mss, 700);
	RX(.flags = S | A, .ack = 1);
	EXPECT(A, 1, 1, 0);
	s_send(1000);
	env_turn();
	EXPECT(A, 1, 1, 700);
	ck_assert_int_eq(set(&t.s, IPPROTO_TCP, TCP_MAXSEG, 500), 0);
	ck_assert_int_eq(get(&t.s, IPPROTO_TCP, TCP_MAXSEG), 500);
	discard();
}
END_TEST

/* ---- urgent data: RFC 9293 s3.8.5, RFC 6093 ---- */

START_TEST(urgent_data_are_in_line_wherever_the_pointer_points)
{
	static const uint16_t pointer[] = {0, 1, 50, 100, 5000, 65535};
	struct pkt_vec v = {.n = 0};
	rte_be16_t urg;
	uint16_t sum;
	uint8_t *h;

	pcb_established();
	pkt_vec_add(&v,
		env_segment(&(struct in){.flags = A | TCP_F_URG, .seq = 1, .ack = 1, .len = 100}));
	h = pkt_data(v.m[0], 0);
	urg = rte_cpu_to_be_16(pointer[_i]);
	memcpy(h + 18, &urg, 2);
	memcpy(&sum, h + 16, 2);
	/* RFC 1624 s3 */
	uint32_t fixed = (uint32_t)(uint16_t)~sum + urg;
	sum = (uint16_t) ~((fixed & 0xffff) + (fixed >> 16));
	memcpy(h + 16, &sum, 2);
	tcp_in(t.lc, &v);
	ck_assert_uint_eq(tcp_sock_ops.ready(t.lc, &t.s) & TL_EV_IN, TL_EV_IN);
	ck_assert_int_eq(tcp_sock_ops.recv(t.lc, &t.s, got, 1, MSG_OOB), -EINVAL);
	ck_assert_int_eq(s_recv(got, sizeof(got)), 100);
	ck_assert_mem_eq(got, pattern(), 100);
	ck_assert_uint_eq(env_drops(DROP_TCP_CSUM), 0);
}
END_TEST

START_TEST(nothing_urgent_is_sent)
{
	pcb_established();
	ck_assert_int_eq(tcp_sock_ops.send(t.lc, &t.s, got, 1, MSG_OOB), -EOPNOTSUPP);
	env_turn();
	EXPECT_NONE();
	ck_assert_int_eq(get(&t.s, SOL_SOCKET, SO_OOBINLINE), 1);
	ck_assert_int_eq(set(&t.s, SOL_SOCKET, SO_OOBINLINE, 1), 0);
	ck_assert_int_eq(set(&t.s, SOL_SOCKET, SO_OOBINLINE, 0), -EINVAL);
}
END_TEST

/* ---- TIME-WAIT and connect(): RFC 6191 ---- */

/* A connection in TIME-WAIT without a socket, and a socket that wants its ports. */
static struct sock_addr
old_and_new(bool ts)
{
	struct sock_addr a = {
		.addr = ip_addr_v4(RTE_BE32(0x0a000002)), .port = RTE_BE16(PEER_PORT)};
	uint16_t port;

	t.peer_ts = ts;
	pcb_time_wait();
	port = rte_be_to_cpu_16(t.p->fe.key.lport);
	s_close();
	sock_new(&t.s);
	ck_assert_int_eq(bind_to(&t.s, 0, port), 0);
	return a;
}

START_TEST(old_five_tuple_is_taken_over_a_second_later)
{
	struct sock_addr a = old_and_new(true);
	uint32_t used = t.p->snd_max;
	struct tcp_seg g;

	ck_assert_int_eq(tcp_sock_ops.connect(t.lc, &t.s, &a), -EADDRINUSE); /* it is off */
	t.lc->tcp->conf.tw_reuse = true;
	ck_assert_int_eq(tcp_sock_ops.connect(t.lc, &t.s, &a), -EADDRINUSE); /* too early */
	env_wait_us(SECOND + 1);
	ck_assert_int_eq(tcp_sock_ops.connect(t.lc, &t.s, &a), -EINPROGRESS);
	ck_assert_int_eq(t.fake.in_use, 1);
	ck_assert_uint_eq(t.lc->flow->n, 1);
	ck_assert_uint_eq(t.lc->stat.st[ST_TCP_TW_CONNECT], 1);
	t.p = t.s.pcb;
	ck_assert(seq_gt(t.p->iss, used));
	env_turn();
	g = env_tx(NULL);
	ck_assert_uint_eq(g.flags, S);
	EXPECT_STATE(SYN_SENT);
}
END_TEST

START_TEST(new_numbers_are_beyond_the_old_ones_however_much_was_sent)
{
	struct sock_addr a = old_and_new(true);
	uint32_t used;

	t.p->snd_una = t.p->snd_nxt = t.p->snd_max = t.p->snd_max + 0x40000000;
	t.p->iss += 0x40000000;
	used = t.p->snd_max;
	t.lc->tcp->conf.tw_reuse = true;
	env_wait_us(SECOND + 1);
	ck_assert_int_eq(tcp_sock_ops.connect(t.lc, &t.s, &a), -EINPROGRESS);
	t.p = t.s.pcb;
	ck_assert(seq_gt(t.p->iss, used + UINT16_MAX));
	ck_assert_uint_eq(t.p->snd_nxt, t.p->iss);
}
END_TEST

START_TEST(without_timestamps_time_wait_is_kept)
{
	struct sock_addr a = old_and_new(false);

	t.lc->tcp->conf.tw_reuse = true;
	env_wait_us(2 * SECOND);
	ck_assert_int_eq(tcp_sock_ops.connect(t.lc, &t.s, &a), -EADDRINUSE);
	EXPECT_STATE(TIME_WAIT);
}
END_TEST

START_TEST(time_wait_that_a_refused_connect_wanted_goes_on)
{
	struct sock_addr a = old_and_new(true);

	t.lc->tcp->conf.tw_reuse = true;
	env_wait_us(2 * SECOND);
	t.fake.open_rc = -EHOSTUNREACH;
	ck_assert_int_eq(tcp_sock_ops.connect(t.lc, &t.s, &a), -EHOSTUNREACH);
	EXPECT_STATE(TIME_WAIT);
	ck_assert_uint_eq(t.lc->flow->n, 1);
}
END_TEST

START_TEST(port_of_a_time_wait_is_chosen_when_no_other_is_left)
{
	struct sock_addr a = {
		.addr = ip_addr_v4(RTE_BE32(0x0a000002)), .port = RTE_BE16(PEER_PORT)};

	t.lc->tcp->conf.port_first = t.lc->tcp->conf.port_last = 50000;
	t.peer_ts = true;
	pcb_time_wait();
	s_close();
	sock_new(&t.s);
	env_wait_us(2 * SECOND);
	ck_assert_int_eq(tcp_sock_ops.connect(t.lc, &t.s, &a), -EADDRNOTAVAIL);
	t.lc->tcp->conf.tw_reuse = true;
	ck_assert_int_eq(tcp_sock_ops.connect(t.lc, &t.s, &a), -EINPROGRESS);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("tcp_listen");
	TCase *c = tcase_create("tcp_listen");

	tcase_set_timeout(c, 0);
	tcase_add_checked_fixture(c, setup, teardown);
	tcase_add_test(c, connections_are_spread_over_a_group);
	tcase_add_test(c, one_flow_comes_to_the_same_member_again);
	tcase_add_test(c, who_leaves_a_group_leaves_the_rest_to_the_others);
	tcase_add_test(c, only_those_who_say_so_are_a_group);
	tcase_add_test(c, nobody_joins_a_group_by_chance);
	tcase_add_test(c, listener_of_the_very_address_comes_before_a_group);
	tcase_add_test(c, members_whose_request_is_not_met_take_no_part);
	tcase_add_test(c, group_that_wants_what_nobody_brings_gets_nothing);
	tcase_add_test(c, put_off_connection_is_accepted_with_its_first_data);
	tcase_add_test(c, put_off_connection_is_accepted_when_its_time_is_over);
	tcase_add_test(c, put_off_connection_that_only_ends_is_accepted);
	tcase_add_test(c, put_off_connection_of_a_silent_peer_ends);
	tcase_add_test(c, put_off_time_is_told_and_taken_back);
	tcase_add_test(c, maxseg_is_what_we_say_and_what_we_send);
	tcase_add_loop_test(c, urgent_data_are_in_line_wherever_the_pointer_points, 0, 6);
	tcase_add_test(c, nothing_urgent_is_sent);
	tcase_add_test(c, old_five_tuple_is_taken_over_a_second_later);
	tcase_add_test(c, new_numbers_are_beyond_the_old_ones_however_much_was_sent);
	tcase_add_test(c, without_timestamps_time_wait_is_kept);
	tcase_add_test(c, time_wait_that_a_refused_connect_wanted_goes_on);
	tcase_add_test(c, port_of_a_time_wait_is_chosen_when_no_other_is_left);
	suite_add_tcase(s, c);
	return env_main(s);
}
