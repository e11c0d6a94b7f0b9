/* SPDX-License-Identifier: BSD-3-Clause */
/* Parameters of the configuration, each at another value than its default. */
#include <errno.h>
#include <string.h>

#include "tests/tcp/tcp_env.h"

#define SECOND UINT64_C(1000000)

static struct tcp_conf *
conf(void)
{
	return &t.lc->tcp->conf;
}

static struct tcp_seg
syn(void)
{
	struct sock_addr a = {
		.addr = ip_addr_v4(RTE_BE32(0x0a000002)), .port = RTE_BE16(PEER_PORT)};

	ck_assert_int_eq(tcp_sock_ops.connect(t.lc, &t.s, &a), -EINPROGRESS);
	t.p = t.s.pcb;
	env_turn();
	return env_tx(NULL);
}

static struct tcp_seg
syn_ack(void)
{
	t.peer_ts = t.peer_sack = true;
	t.peer_ws = 5;
	pcb_listen();
	RX(.flags = S);
	return env_tx(NULL);
}

static const uint8_t all = TCP_O_MSS | TCP_O_WS | TCP_O_TS | TCP_O_SACK_PERM;

START_TEST(all_options_are_offered_and_accepted_by_default)
{
	ck_assert_uint_eq(syn().opts, all);
	t.p = NULL;
	ck_assert_uint_eq(syn_ack().opts, all);
}
END_TEST

/* RFC 7323 s1.3 */
START_TEST(timestamps_can_be_off)
{
	conf()->no_timestamps = true;
	ck_assert_uint_eq(syn().opts, all & ~TCP_O_TS);
	t.p = NULL;
	ck_assert_uint_eq(syn_ack().opts, all & ~TCP_O_TS);
}
END_TEST

START_TEST(window_scaling_can_be_off)
{
	conf()->no_wscale = true;
	ck_assert_uint_eq(syn().opts, all & ~TCP_O_WS);
	RX(.flags = S | A, .ack = 1);
	ck_assert_uint_eq(env_tx(NULL).wnd, UINT16_MAX); /* of 256 KiB, what can be said */
	ck_assert_uint_eq(t.p->rcv_adv - t.p->rcv_nxt, UINT16_MAX);
	t.p = NULL;
	ck_assert_uint_eq(syn_ack().opts, all & ~TCP_O_WS);
}
END_TEST

START_TEST(selective_acknowledgments_can_be_off)
{
	conf()->no_sack = true;
	ck_assert_uint_eq(syn().opts, all & ~TCP_O_SACK_PERM);
	t.p = NULL;
	ck_assert_uint_eq(syn_ack().opts, all & ~TCP_O_SACK_PERM);
}
END_TEST

START_TEST(orphan_waits_as_long_as_it_is_told)
{
	conf()->fin_wait_ms = 5000;
	pcb_fin_wait_2();
	s_close();
	sock_new(&t.s);
	env_wait_us(5 * SECOND - 1);
	EXPECT_STATE(FIN_WAIT_2);
	env_wait_us(1);
	ck_assert_uint_eq(tcp_pcbs_in_use(t.lc), 0);
	t.p = NULL;
}
END_TEST

/* RFC 9293 s3.4.2 */
START_TEST(time_wait_lasts_twice_the_segment_lifetime)
{
	conf()->msl_ms = 700;
	pcb_time_wait();
	env_wait_us(1400000 - 1);
	EXPECT_STATE(TIME_WAIT);
	env_wait_us(1);
	EXPECT_STATE(CLOSED);
}
END_TEST

/* RFC 5961 s7 */
START_TEST(challenges_have_a_budget)
{
	uint32_t n = 0;

	conf()->challenge_per_s = 10;
	pcb_established();
	for (int i = 0; i < 100; i++)
		RX(.flags = S, .seq = 1);
	for (; t.out.n > 0; n++)
		env_tx(NULL);
	ck_assert_uint_ge(n, 5);
	ck_assert_uint_le(n, 15);
	conf()->challenge_per_s = 0;
	env_wait_us(2 * SECOND);
	RX(.flags = S, .seq = 1);
	EXPECT_NONE();
}
END_TEST

START_TEST(tries_of_both_ends_are_counted_apart)
{
	conf()->syn_retries = 1;
	conf()->synack_retries = 3;
	syn();
	env_wait_us(SECOND);
	EXPECT(S, 0, 0, 0);
	env_wait_us(2 * SECOND);
	EXPECT_NONE();
	EXPECT_STATE(CLOSED);
	ck_assert_int_eq(s_so_error(), ETIMEDOUT);
	t.p = NULL;
	syn_ack();
	for (int i = 0; i < 3; i++) {
		env_wait_us(SECOND << i);
		ck_assert_uint_eq(env_tx(NULL).flags, S | A);
	}
	env_wait_us(100 * SECOND);
	EXPECT_NONE();
	ck_assert_uint_eq(tcp_pcbs_in_use(t.lc), 0);
}
END_TEST

/* RFC 6928 */
START_TEST(initial_window_is_what_it_is_told)
{
	conf()->iw_segments = 3;
	pcb_established();
	s_send(20000);
	env_turn();
	ck_assert_uint_eq(t.out.n, 3);
	pkt_queue_drop(t.lc, &t.out, DROP_PORT_CLOSED);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("tcp_conf");
	TCase *c = tcase_create("tcp_conf");

	tcase_set_timeout(c, 0);
	tcase_add_checked_fixture(c, setup, teardown);
	tcase_add_test(c, all_options_are_offered_and_accepted_by_default);
	tcase_add_test(c, timestamps_can_be_off);
	tcase_add_test(c, window_scaling_can_be_off);
	tcase_add_test(c, selective_acknowledgments_can_be_off);
	tcase_add_test(c, orphan_waits_as_long_as_it_is_told);
	tcase_add_test(c, time_wait_lasts_twice_the_segment_lifetime);
	tcase_add_test(c, challenges_have_a_budget);
	tcase_add_test(c, tries_of_both_ends_are_counted_apart);
	tcase_add_test(c, initial_window_is_what_it_is_told);
	suite_add_tcase(s, c);
	return env_main(s);
}
