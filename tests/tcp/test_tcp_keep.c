/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "tests/tcp/tcp_env.h"

#define SECOND UINT64_C(1000000)

static int
set(int level, int opt, int v)
{
	return tcp_sock_ops.setopt(t.lc, &t.s, level, opt, &v, sizeof(v));
}

static int
get(int level, int opt)
{
	socklen_t len = sizeof(int);
	int v = -1;

	ck_assert_int_eq(tcp_sock_ops.getopt(t.lc, &t.s, level, opt, &v, &len), 0);
	return v;
}

static void
keep(int idle_s, int interval_s, int count)
{
	ck_assert_int_eq(set(IPPROTO_TCP, TCP_KEEPIDLE, idle_s), 0);
	ck_assert_int_eq(set(IPPROTO_TCP, TCP_KEEPINTVL, interval_s), 0);
	ck_assert_int_eq(set(IPPROTO_TCP, TCP_KEEPCNT, count), 0);
	ck_assert_int_eq(set(SOL_SOCKET, SO_KEEPALIVE, 1), 0);
}

/* RFC 9293 s3.8.4, MUST-24, MUST-25, MUST-26 */
START_TEST(keep_alives_are_off_and_rare_by_default)
{
	pcb_established();
	ck_assert_int_eq(get(SOL_SOCKET, SO_KEEPALIVE), 0);
	ck_assert_int_eq(get(IPPROTO_TCP, TCP_KEEPIDLE), 7200);
	env_wait_us(20000 * SECOND);
	EXPECT_NONE();
	EXPECT_STATE(ESTABLISHED);
}
END_TEST

START_TEST(idle_connection_is_asked_and_goes_on_when_it_answers)
{
	pcb_established();
	keep(10, 3, 2);
	env_wait_us(10 * SECOND - 1);
	EXPECT_NONE();
	env_wait_us(1);
	EXPECT(A, 0, 1, 0); /* one before snd_una */
	RX(.flags = A, .seq = 1, .ack = 1, .len = 1);
	env_wait_us(SECOND);
	EXPECT(A, 1, 2, 0);
	for (int i = 0; i < 5; i++) {
		env_wait_us(8 * SECOND);
		RX(.flags = A, .seq = (uint32_t)(2 + i), .ack = 1, .len = 1);
	}
	EXPECT_STATE(ESTABLISHED);
}
END_TEST

START_TEST(silent_peer_is_given_up_after_the_last_probe)
{
	pcb_established();
	keep(10, 3, 2);
	env_wait_us(10 * SECOND);
	EXPECT(A, 0, 1, 0);
	env_wait_us(3 * SECOND);
	EXPECT(A, 0, 1, 0);
	EXPECT_STATE(ESTABLISHED);
	env_wait_us(3 * SECOND);
	EXPECT_NONE();
	EXPECT_STATE(CLOSED);
	ck_assert_int_eq(s_so_error(), ETIMEDOUT);
}
END_TEST

START_TEST(answer_to_a_probe_begins_the_wait_anew)
{
	t.peer_ts = true;
	t.peer_ts_val = 100;
	pcb_established();
	keep(10, 3, 2);
	env_wait_us(10 * SECOND);
	EXPECT(A, 0, 1, 0);
	t.peer_ts_val = 200;
	RX(.flags = A, .seq = 1, .ack = 1);
	env_wait_us(10 * SECOND - 1);
	EXPECT_NONE();
	env_wait_us(4 * SECOND);
	EXPECT(A, 0, 1, 0);
	EXPECT_STATE(ESTABLISHED);
}
END_TEST

/* B-18 */
START_TEST(suspended_latch_sends_no_probe_and_gives_nothing_up)
{
	pcb_established();
	keep(10, 3, 2);
	t.fake.suspended = true;
	env_wait_us(1000 * SECOND);
	EXPECT_NONE();
	EXPECT_STATE(ESTABLISHED);
}
END_TEST

START_TEST(closed_socket_asks_no_more)
{
	pcb_established();
	keep(10, 3, 2);
	s_close();
	env_turn();
	EXPECT(A | F, 1, 1, 0);
	RX(.flags = A, .seq = 1, .ack = 2);
	RX(.flags = R, .seq = 1);
}
END_TEST

START_TEST(accepted_socket_has_the_listeners_settings)
{
	int on = 1, idle_s = 20;

	pcb_passive_queued();
	ck_assert_int_eq(
		tcp_sock_ops.setopt(t.lc, &t.lsn, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on)), 0);
	ck_assert_int_eq(tcp_sock_ops.setopt(
				 t.lc, &t.lsn, IPPROTO_TCP, TCP_KEEPIDLE, &idle_s, sizeof(idle_s)),
		0);
	ck_assert_int_eq(tcp_sock_ops.accept(t.lc, &t.lsn, &t.s), 0);
	ck_assert_int_eq(get(SOL_SOCKET, SO_KEEPALIVE), 1);
	ck_assert_int_eq(get(IPPROTO_TCP, TCP_KEEPIDLE), 20);
	env_wait_us(20 * SECOND);
	EXPECT(A, 0, 1, 0);
}
END_TEST

START_TEST(knobs_out_of_range_are_refused)
{
	pcb_established();
	ck_assert_int_eq(set(IPPROTO_TCP, TCP_KEEPIDLE, 0), -EINVAL);
	ck_assert_int_eq(set(IPPROTO_TCP, TCP_KEEPIDLE, 32768), -EINVAL);
	ck_assert_int_eq(set(IPPROTO_TCP, TCP_KEEPCNT, 128), -EINVAL);
	ck_assert_int_eq(set(IPPROTO_TCP, TCP_USER_TIMEOUT, -1), -EINVAL);
	ck_assert_int_eq(set(IPPROTO_TCP, TCP_MD5SIG, 1), -ENOPROTOOPT);
}
END_TEST

/* RFC 9293 s3.8.3 */
START_TEST(user_timeout_ends_what_is_not_acknowledged)
{
	pcb_established();
	ck_assert_int_eq(set(IPPROTO_TCP, TCP_USER_TIMEOUT, 5000), 0);
	ck_assert_int_eq(get(IPPROTO_TCP, TCP_USER_TIMEOUT), 5000);
	s_send(100);
	env_turn();
	env_wait_us(4 * SECOND);
	EXPECT_STATE(ESTABLISHED);
	env_wait_us(6 * SECOND);
	EXPECT_STATE(CLOSED);
	ck_assert_int_eq(s_so_error(), ETIMEDOUT);
	while (t.out.n > 0)
		env_tx(NULL);
}
END_TEST

START_TEST(user_timeout_begins_anew_with_progress)
{
	pcb_established();
	ck_assert_int_eq(set(IPPROTO_TCP, TCP_USER_TIMEOUT, 5000), 0);
	for (uint32_t i = 0; i < 4; i++) {
		s_send(100);
		env_turn();
		env_wait_us(3 * SECOND);
		RX(.flags = A, .seq = 1, .ack = 101 + 100 * i);
	}
	EXPECT_STATE(ESTABLISHED);
	while (t.out.n > 0)
		env_tx(NULL);
}
END_TEST

/* ---- cork, quick acknowledgments, low-water mark ---- */

START_TEST(corked_connection_sends_full_segments_only)
{
	pcb_established();
	ck_assert_int_eq(set(IPPROTO_TCP, TCP_CORK, 1), 0);
	s_send(100);
	env_turn();
	EXPECT_NONE();
	s_send(MSS);
	env_turn();
	EXPECT(A, 1, 1, MSS);
	EXPECT_NONE();
	ck_assert_int_eq(set(IPPROTO_TCP, TCP_CORK, 0), 0);
	RX(.flags = A, .seq = 1, .ack = 1 + MSS);
	EXPECT(A, 1 + MSS, 1, 100);
}
END_TEST

START_TEST(cork_does_not_hold_for_ever)
{
	pcb_established();
	ck_assert_int_eq(set(IPPROTO_TCP, TCP_CORK, 1), 0);
	s_send(100);
	env_turn();
	EXPECT_NONE();
	env_wait_us(2 * SECOND);
	EXPECT(A, 1, 1, 100);
	while (t.out.n > 0)
		env_tx(NULL);
}
END_TEST

START_TEST(quickack_acknowledges_each_segment_at_once)
{
	pcb_established();
	RX(.flags = A, .seq = 1, .ack = 1, .len = 10);
	EXPECT_NONE();
	ck_assert_int_eq(set(IPPROTO_TCP, TCP_QUICKACK, 1), 0);
	env_turn();
	EXPECT(A, 1, 11, 0);
	RX(.flags = A, .seq = 11, .ack = 1, .len = 10);
	EXPECT(A, 1, 21, 0);
	ck_assert_int_eq(set(IPPROTO_TCP, TCP_QUICKACK, 0), 0);
	RX(.flags = A, .seq = 21, .ack = 1, .len = 10);
	EXPECT_NONE();
}
END_TEST

START_TEST(low_water_mark_holds_readiness_back)
{
	pcb_established();
	ck_assert_int_eq(set(SOL_SOCKET, SO_RCVLOWAT, 100), 0);
	ck_assert_int_eq(get(SOL_SOCKET, SO_RCVLOWAT), 100);
	RX(.flags = A, .seq = 1, .ack = 1, .len = 99);
	ck_assert_uint_eq(tcp_sock_ops.ready(t.lc, &t.s) & TL_EV_IN, 0);
	RX(.flags = A, .seq = 100, .ack = 1, .len = 1);
	ck_assert_uint_ne(tcp_sock_ops.ready(t.lc, &t.s) & TL_EV_IN, 0);
	s_recv((uint8_t[100]){0}, 100);
	RX(.flags = A | F, .seq = 101, .ack = 1, .len = 1);
	ck_assert_uint_ne(tcp_sock_ops.ready(t.lc, &t.s) & TL_EV_IN, 0);
	while (t.out.n > 0)
		env_tx(NULL);
}
END_TEST

/* ---- TCP_INFO ---- */

START_TEST(info_tells_the_state_as_linux_does)
{
	struct tcp_info i;
	socklen_t len = sizeof(i);

	t.peer_ws = 7;
	t.peer_ts = true;
	pcb_established();
	s_send(1000);
	env_turn();
	env_tx(NULL);
	memset(&i, 0xff, sizeof(i));
	ck_assert_int_eq(tcp_sock_ops.getopt(t.lc, &t.s, IPPROTO_TCP, TCP_INFO, &i, &len), 0);
	ck_assert_uint_eq(len, sizeof(i));
	ck_assert_uint_eq(i.tcpi_state, 1);
	ck_assert_uint_eq(i.tcpi_unacked, 1);
	ck_assert_uint_eq(i.tcpi_snd_wscale, 7);
	ck_assert_uint_ne(i.tcpi_options & TCPI_OPT_TIMESTAMPS, 0);
	ck_assert_uint_eq(i.tcpi_snd_mss, t.p->mss);
	ck_assert_uint_eq(i.tcpi_rto, t.p->rto_us);
	ck_assert_uint_eq(i.tcpi_snd_wnd, t.p->snd_wnd);
	len = 1;
	ck_assert_int_eq(tcp_sock_ops.getopt(t.lc, &t.s, IPPROTO_TCP, TCP_INFO, &i, &len), 0);
	ck_assert_uint_eq(len, 1);
}
END_TEST

START_TEST(info_of_a_listener_and_of_a_closed_socket)
{
	struct tcp_info i;
	socklen_t len = sizeof(i);

	ck_assert_int_eq(tcp_sock_ops.getopt(t.lc, &t.s, IPPROTO_TCP, TCP_INFO, &i, &len), 0);
	ck_assert_uint_eq(i.tcpi_state, 7);
	pcb_listen();
	len = sizeof(i);
	ck_assert_int_eq(tcp_sock_ops.getopt(t.lc, &t.lsn, IPPROTO_TCP, TCP_INFO, &i, &len), 0);
	ck_assert_uint_eq(i.tcpi_state, 10);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("tcp_keep");
	TCase *c = tcase_create("tcp_keep");

	tcase_add_checked_fixture(c, setup, teardown);
	tcase_add_test(c, keep_alives_are_off_and_rare_by_default);
	tcase_add_test(c, idle_connection_is_asked_and_goes_on_when_it_answers);
	tcase_add_test(c, silent_peer_is_given_up_after_the_last_probe);
	tcase_add_test(c, answer_to_a_probe_begins_the_wait_anew);
	tcase_add_test(c, suspended_latch_sends_no_probe_and_gives_nothing_up);
	tcase_add_test(c, closed_socket_asks_no_more);
	tcase_add_test(c, accepted_socket_has_the_listeners_settings);
	tcase_add_test(c, knobs_out_of_range_are_refused);
	tcase_add_test(c, user_timeout_ends_what_is_not_acknowledged);
	tcase_add_test(c, user_timeout_begins_anew_with_progress);
	tcase_add_test(c, corked_connection_sends_full_segments_only);
	tcase_add_test(c, cork_does_not_hold_for_ever);
	tcase_add_test(c, quickack_acknowledges_each_segment_at_once);
	tcase_add_test(c, low_water_mark_holds_readiness_back);
	tcase_add_test(c, info_tells_the_state_as_linux_does);
	tcase_add_test(c, info_of_a_listener_and_of_a_closed_socket);
	suite_add_tcase(s, c);
	return env_main(s);
}
