/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <string.h>

#include "tests/tcp/tcp_env.h"

enum { RTT_US = 10000, MAX = 400000, BEGIN = 32768 };

static uint8_t got[1 << 20];
static struct buf hog;

static void
setup_tune(void)
{
	setup_newreno();
	t.lc->tcp->conf.rcvbuf_max_bytes = MAX;
	t.lc->tcp->conf.sndbuf_max_bytes = MAX;
	t.s.rcvbuf_bytes = t.s.sndbuf_bytes = BEGIN;
	t.peer_ws = 7;
	buf_init(&hog, UINT32_MAX);
}

static void
teardown_tune(void)
{
	buf_clear(t.lc, &hog);
	teardown();
}

/* An active open whose round trip took RTT_US. */
static struct tcp_seg
open_slowly(void)
{
	struct sock_addr a = {
		.addr = ip_addr_v4(RTE_BE32(0x0a000002)), .port = RTE_BE16(PEER_PORT)};
	struct tcp_seg syn;

	ck_assert_int_eq(tcp_sock_ops.connect(t.lc, &t.s, &a), -EINPROGRESS);
	t.p = t.s.pcb;
	env_turn();
	syn = env_tx(NULL);
	env_wait_us(RTT_US);
	RX(.flags = S | A, .ack = 1);
	EXPECT(A, 1, 1, 0);
	ck_assert_uint_eq(t.p->srtt_us, RTT_US);
	RX(.flags = A, .seq = 1, .ack = 1); /* its window, scaled */
	return syn;
}

static void
discard(void)
{
	pkt_queue_drop(t.lc, &t.out, DROP_PORT_CLOSED);
}

/* The peer fills what it was offered, at most so much; the program takes so much of it. */
static void
round_trip(uint32_t fill, uint32_t take)
{
	while (fill > 0 && t.p->rcv_nxt != t.p->rcv_adv) {
		uint32_t n = RTE_MIN(RTE_MIN((uint32_t)MSS, fill), t.p->rcv_adv - t.p->rcv_nxt);

		RX(.flags = A, .seq = t.p->rcv_nxt - t.p->irs, .ack = t.p->snd_una - t.p->iss,
			.len = (uint16_t)n);
		fill -= n;
	}
	env_wait_us(RTT_US);
	if (take > 0)
		s_recv(got, take);
	env_turn();
	discard();
}

static int
get(int opt)
{
	socklen_t len = sizeof(int);
	int v = -1;

	ck_assert_int_eq(tcp_sock_ops.getopt(t.lc, &t.s, SOL_SOCKET, opt, &v, &len), 0);
	return v;
}

static void
set(struct sock *s, int opt, int v)
{
	ck_assert_int_eq(tcp_sock_ops.setopt(t.lc, s, SOL_SOCKET, opt, &v, sizeof(v)), 0);
}

static void
use_chunks(uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		ck_assert_uint_eq(
			buf_append(t.lc, &hog, got, BUF_CHUNK_BYTES), (size_t)BUF_CHUNK_BYTES);
}

/* RFC 7323 s2.3: it cannot change later. */
START_TEST(window_scale_is_for_what_the_buffer_may_become)
{
	struct tcp_seg syn = open_slowly();

	ck_assert_uint_eq(syn.wscale, 3); /* 400000 >> 3 is below 65536 */
	ck_assert_uint_eq(syn.wnd, BEGIN);
}
END_TEST

START_TEST(window_scale_is_for_what_the_program_chose)
{
	set(&t.s, SO_RCVBUF, 100000);
	ck_assert_uint_eq(open_slowly().wscale, 1);
}
END_TEST

START_TEST(receive_buffer_follows_a_program_that_keeps_up_to_its_ceiling)
{
	uint32_t before = BEGIN;

	open_slowly();
	round_trip(UINT32_MAX, sizeof(got));
	ck_assert_uint_ge(t.p->rcv.limit_bytes, 2 * before);
	for (int i = 0; i < 10; i++) {
		ck_assert_uint_ge(t.p->rcv.limit_bytes, before);
		before = t.p->rcv.limit_bytes;
		round_trip(UINT32_MAX, sizeof(got));
	}
	ck_assert_uint_eq(t.p->rcv.limit_bytes, MAX);
	ck_assert_int_eq(get(SO_RCVBUF), MAX);
	/* And it is offered: all of it but what the field cannot express. */
	ck_assert_uint_eq(t.p->rcv_adv - t.p->rcv_nxt, MAX >> 3 << 3);
	ck_assert_uint_gt(t.lc->stat.st[ST_TCP_RCV_GROWN], 1);
}
END_TEST

START_TEST(receive_buffer_stays_twice_what_the_sender_sends)
{
	open_slowly();
	for (int i = 0; i < 10; i++)
		round_trip(10 * MSS, sizeof(got));
	/* 2 * 14600 and the headroom; once 4 * 14600, because it seemed to begin. */
	ck_assert_uint_eq(t.p->rcv.limit_bytes, 4 * 10 * MSS + 16 * MSS);
}
END_TEST

START_TEST(receive_buffer_does_not_grow_for_who_does_not_read)
{
	open_slowly();
	for (int i = 0; i < 10; i++)
		round_trip(UINT32_MAX, 2000);
	ck_assert_uint_eq(t.p->rcv.limit_bytes, BEGIN);
}
END_TEST

START_TEST(what_is_read_within_one_round_trip_is_one_measure)
{
	open_slowly();
	for (int i = 0; i < 20; i++) {
		RX(.flags = A, .seq = t.p->rcv_nxt - t.p->irs, .ack = 1, .len = MSS);
		s_recv(got, sizeof(got));
		ck_assert_uint_eq(t.p->rcv.limit_bytes, BEGIN);
	}
	env_wait_us(RTT_US);
	RX(.flags = A, .seq = t.p->rcv_nxt - t.p->irs, .ack = 1, .len = MSS);
	s_recv(got, sizeof(got));
	ck_assert_uint_eq(t.p->rcv.limit_bytes, 4 * 21 * MSS + 16 * MSS);
	discard();
}
END_TEST

START_TEST(program_that_set_its_buffers_keeps_them)
{
	set(&t.s, SO_RCVBUF, BEGIN);
	set(&t.s, SO_SNDBUF, BEGIN);
	open_slowly();
	for (int i = 0; i < 5; i++)
		round_trip(UINT32_MAX, sizeof(got));
	t.p->cc.cwnd_bytes = MAX;
	s_send(65536);
	ck_assert_uint_eq(t.p->rcv.limit_bytes, BEGIN);
	ck_assert_uint_eq(t.p->snd.limit_bytes, BEGIN);
	ck_assert_int_eq(get(SO_SNDBUF), BEGIN);
	env_turn();
	discard();
}
END_TEST

START_TEST(without_window_scaling_no_more_than_the_field_can_say)
{
	t.peer_ws = -1;
	open_slowly();
	for (int i = 0; i < 5; i++)
		round_trip(UINT32_MAX, sizeof(got));
	ck_assert_uint_eq(t.p->rcv.limit_bytes, UINT16_MAX);
}
END_TEST

/* A connection whose round trip nobody measured: a window is one. */
START_TEST(without_a_measured_round_trip_a_window_is_one)
{
	open_slowly();
	t.p->srtt_us = 0;
	round_trip(UINT32_MAX, sizeof(got)); /* up to the edge, not beyond */
	ck_assert_uint_eq(t.p->rcv.limit_bytes, BEGIN);
	round_trip(MSS, sizeof(got));
	ck_assert_uint_eq(t.p->rcv.limit_bytes, 4 * (BEGIN + MSS) + 16 * MSS);
}
END_TEST

START_TEST(one_socket_gets_a_quarter_of_the_pool_at_most)
{
	uint32_t quarter = (uint32_t)(buf_pool_bytes(t.lc->buf) / 4);

	t.lc->tcp->conf.rcvbuf_max_bytes = 1u << 30;
	open_slowly();
	for (int i = 0; i < 10; i++)
		round_trip(UINT32_MAX, sizeof(got));
	ck_assert_uint_eq(t.p->rcv.limit_bytes, quarter);
}
END_TEST

START_TEST(send_buffer_is_twice_the_congestion_window)
{
	open_slowly();
	t.p->cc.cwnd_bytes = 40000;
	ck_assert_int_eq(s_send(BEGIN), BEGIN); /* it fits: nothing to do */
	ck_assert_uint_eq(t.p->snd.limit_bytes, BEGIN);
	ck_assert_int_eq(s_send(65536), 80000 - BEGIN);
	ck_assert_uint_eq(t.p->snd.limit_bytes, 80000);
	ck_assert_uint_eq(t.lc->stat.st[ST_TCP_SND_GROWN], 1);
	t.p->cc.cwnd_bytes = 20000; /* never shrinks */
	ck_assert_int_eq(s_send(1), -EAGAIN);
	ck_assert_uint_eq(t.p->snd.limit_bytes, 80000);
	t.p->cc.cwnd_bytes = 1 << 20;
	ck_assert_int_eq(s_send(1), 1);
	ck_assert_uint_eq(t.p->snd.limit_bytes, MAX);
	ck_assert_int_eq(get(SO_SNDBUF), MAX);
	env_turn();
	discard();
}
END_TEST

START_TEST(send_buffer_is_no_larger_than_the_peers_window_makes_use_of)
{
	t.peer_ws = 0;
	open_slowly();
	t.p->cc.cwnd_bytes = 1 << 20;
	while (s_send(65536) > 0)
		;
	ck_assert_uint_eq(t.p->snd.limit_bytes, 2 * PEER_WND);
	env_turn();
	discard();
}
END_TEST

START_TEST(full_send_buffer_that_may_grow_is_writable)
{
	open_slowly();
	ck_assert_int_eq(s_send(BEGIN), BEGIN);
	t.p->cc.cwnd_bytes = BEGIN / 2;
	ck_assert_uint_eq(tcp_sock_ops.ready(t.lc, &t.s) & TL_EV_OUT, 0);
	t.p->cc.cwnd_bytes = BEGIN;
	ck_assert_uint_eq(tcp_sock_ops.ready(t.lc, &t.s) & TL_EV_OUT, TL_EV_OUT);
	env_turn();
	discard();
}
END_TEST

/* RFC 9293 s3.8.6: what was offered is kept, and then little is. */
START_TEST(few_chunks_make_windows_small_and_never_smaller_than_promised)
{
	uint32_t promised;

	open_slowly();
	promised = t.p->rcv_adv;
	use_chunks(255 * 3 / 4 + 1);
	RX(.flags = A, .seq = 1, .ack = 1, .len = MSS);
	RX(.flags = A, .seq = 1 + MSS, .ack = 1, .len = MSS);
	s_recv(got, sizeof(got));
	env_turn();
	discard();
	ck_assert_uint_eq(t.p->rcv_adv, promised);
	ck_assert_uint_gt(t.lc->stat.st[ST_TCP_HELD_BACK], 0);
	round_trip(UINT32_MAX, sizeof(got));
	ck_assert_uint_eq(t.p->rcv_adv - t.p->rcv_nxt, 4 * MSS >> 3 << 3);
	ck_assert_uint_eq(t.p->rcv.limit_bytes, BEGIN);
	ck_assert_uint_eq(t.lc->stat.drop[DROP_TCP_MEM], 0);
	/* Over: the next read tells of the room, and the buffer grows again. */
	buf_clear(t.lc, &hog);
	round_trip(UINT32_MAX, sizeof(got));
	ck_assert_uint_ge(t.p->rcv_adv - t.p->rcv_nxt, BEGIN - MSS);
}
END_TEST

START_TEST(few_chunks_keep_the_send_buffer_as_it_is)
{
	open_slowly();
	t.p->cc.cwnd_bytes = MAX;
	use_chunks(255 * 3 / 4 + 1);
	s_send(65536);
	ck_assert_uint_eq(t.p->snd.limit_bytes, BEGIN);
	buf_clear(t.lc, &hog);
	s_send(65536);
	ck_assert_uint_eq(t.p->snd.limit_bytes, MAX);
	env_turn();
	discard();
}
END_TEST

START_TEST(accepted_socket_is_tuned_as_its_listener_says)
{
	t.peer_ws = 7;
	pcb_syn_rcvd();
	set(&t.lsn, SO_RCVBUF, BEGIN);
	env_wait_us(RTT_US);
	RX(.flags = A, .seq = 1, .ack = 1);
	ck_assert_int_eq(tcp_sock_ops.accept(t.lc, &t.lsn, &t.s), 0);
	ck_assert(t.s.rcvbuf_set);
	ck_assert(!t.s.sndbuf_set);
	t.p->cc.cwnd_bytes = 150000;
	while (s_send(65536) > 0)
		;
	ck_assert_uint_eq(t.p->snd.limit_bytes, 300000);
	env_turn();
	discard();
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("tcp_tune");
	TCase *c = tcase_create("tcp_tune");

	tcase_set_timeout(c, 0);
	tcase_add_checked_fixture(c, setup_tune, teardown_tune);
	tcase_add_test(c, window_scale_is_for_what_the_buffer_may_become);
	tcase_add_test(c, window_scale_is_for_what_the_program_chose);
	tcase_add_test(c, receive_buffer_follows_a_program_that_keeps_up_to_its_ceiling);
	tcase_add_test(c, receive_buffer_stays_twice_what_the_sender_sends);
	tcase_add_test(c, receive_buffer_does_not_grow_for_who_does_not_read);
	tcase_add_test(c, what_is_read_within_one_round_trip_is_one_measure);
	tcase_add_test(c, program_that_set_its_buffers_keeps_them);
	tcase_add_test(c, without_window_scaling_no_more_than_the_field_can_say);
	tcase_add_test(c, without_a_measured_round_trip_a_window_is_one);
	tcase_add_test(c, one_socket_gets_a_quarter_of_the_pool_at_most);
	tcase_add_test(c, send_buffer_is_twice_the_congestion_window);
	tcase_add_test(c, send_buffer_is_no_larger_than_the_peers_window_makes_use_of);
	tcase_add_test(c, full_send_buffer_that_may_grow_is_writable);
	tcase_add_test(c, few_chunks_make_windows_small_and_never_smaller_than_promised);
	tcase_add_test(c, few_chunks_keep_the_send_buffer_as_it_is);
	tcase_add_test(c, accepted_socket_is_tuned_as_its_listener_says);
	suite_add_tcase(s, c);
	return env_main(s);
}
