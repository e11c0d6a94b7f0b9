/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>

#include "tests/tcp/tcp_env.h"

static void
drop_out(void)
{
	pkt_queue_drop(t.lc, &t.out, DROP_PORT_CLOSED);
}

/* RFC 6298 (2.2), (2.3), (2.4) */
START_TEST(rto_follows_the_samples)
{
	struct tcp_pcb p = {0};

	tcp_rtt_sample(t.lc, &p, 100000);
	ck_assert_uint_eq(p.srtt_us, 100000);
	ck_assert_uint_eq(p.rttvar_us, 50000);
	ck_assert_uint_eq(p.rto_us, 300000);
	tcp_rtt_sample(t.lc, &p, 180000);
	ck_assert_uint_eq(p.rttvar_us, (3 * 50000 + 80000) / 4);
	ck_assert_uint_eq(p.srtt_us, 110000);
	ck_assert_uint_eq(p.rto_us, 110000 + 4 * 57500);
	for (int i = 0; i < 200; i++)
		tcp_rtt_sample(t.lc, &p, 10);
	ck_assert_uint_eq(p.rto_us, 200000);
}
END_TEST

/* RFC 6298 (5.4) to (5.6); RFC 5681 s3.1 */
START_TEST(timeout_sends_again_and_backs_off)
{
	pcb_established();
	s_send(5 * MSS);
	env_turn();
	drop_out();
	ck_assert_uint_eq(t.p->rto_us, 200000);
	env_wait_us(199999);
	EXPECT_NONE();
	env_wait_us(1);
	EXPECT(A, 1, 1, MSS);
	EXPECT_NONE();
	ck_assert_uint_eq(t.p->cc.cwnd_bytes, MSS);
	ck_assert_uint_eq(t.p->cc.ssthresh_bytes, 5 * MSS / 2);
	env_wait_us(400000);
	EXPECT(A, 1, 1, MSS);
	/* ssthresh is halved once for the same data. */
	ck_assert_uint_eq(t.p->cc.ssthresh_bytes, 5 * MSS / 2);
	env_wait_us(800000);
	EXPECT(A, 1, 1, MSS);
	/* Progress: the next hole in slow start; what the peer has is skipped. */
	RX(.flags = A, .seq = 1, .ack = 1 + MSS);
	EXPECT(A, 1 + MSS, 1, MSS);
	EXPECT(A, 1 + 2 * MSS, 1, MSS);
	EXPECT_NONE();
	RX(.flags = A, .seq = 1, .ack = 1 + 5 * MSS);
	EXPECT_NONE();
	ck_assert(!tmr_is_set(&t.p->t_rexmt));
}
END_TEST

/* RFC 6298 s3, Karn: the ACK of what was sent twice is no sample. */
START_TEST(ack_of_retransmission_is_no_sample)
{
	uint32_t srtt;

	pcb_established();
	srtt = t.p->srtt_us;
	s_send(100);
	env_turn();
	drop_out();
	env_wait_us(200000);
	drop_out();
	env_wait_us(90000);
	RX(.flags = A, .seq = 1, .ack = 101);
	ck_assert_uint_eq(t.p->srtt_us, srtt);
	ck_assert_uint_eq(t.p->rto_us, 400000);
	s_send(100);
	env_turn();
	drop_out();
	env_wait_us(8000);
	RX(.flags = A, .seq = 1, .ack = 201);
	ck_assert_uint_eq(t.p->rto_us, 200000);
}
END_TEST

/* RFC 7323 s4.1: with timestamps even then. */
START_TEST(timestamp_echo_is_a_sample_after_retransmission)
{
	uint32_t echo;

	t.peer_ts = true;
	pcb_established();
	s_send(100);
	env_turn();
	drop_out();
	env_wait_us(200000);
	echo = env_tx(NULL).ts_val;
	env_wait_us(90000);
	RX(.flags = A, .seq = 1, .ack = 101, .ts_ecr = echo);
	ck_assert_uint_le(t.p->rto_us, 250000);
	ck_assert_uint_gt(t.p->srtt_us, 10000);
}
END_TEST

START_TEST(echo_from_before_the_retransmission_is_no_sample)
{
	uint32_t echo, srtt;

	t.peer_ts = true;
	pcb_established();
	srtt = t.p->srtt_us;
	s_send(100);
	env_turn();
	echo = env_tx(NULL).ts_val;
	env_wait_us(200000);
	drop_out();
	RX(.flags = A, .seq = 1, .ack = 101, .ts_ecr = echo);
	ck_assert_uint_eq(t.p->srtt_us, srtt);
	ck_assert_uint_eq(t.p->rto_us, 400000);
}
END_TEST

START_TEST(impossible_timestamp_echo_is_ignored)
{
	t.peer_ts = true;
	pcb_established();
	s_send(100);
	env_turn();
	env_wait_us(200000);
	drop_out();
	RX(.flags = A, .seq = 1, .ack = 101, .ts_ecr = tcp_now_ms(t.lc) + t.p->ts_offset + 1000);
	ck_assert_uint_eq(t.p->rto_us, 400000);
}
END_TEST

/* RFC 9293 s3.8.3, R2 */
START_TEST(data_retries_end_in_etimedout)
{
	pcb_established();
	s_send(100);
	env_turn();
	drop_out();
	for (int i = 0; i < 100 && t.p->state != TCPS_CLOSED; i++) {
		env_wait_us(60000000);
		drop_out();
	}
	ck_assert_uint_eq(t.lc->stat.st[ST_TCP_RTO], 15);
	EXPECT_STATE(CLOSED);
	ck_assert_int_eq(s_so_error(), ETIMEDOUT);
}
END_TEST

START_TEST(syn_retries_end_in_etimedout)
{
	pcb_syn_sent();
	for (int i = 0; i < 6; i++) {
		env_wait_us(1000000u << i);
		EXPECT(S, 0, 0, 0);
	}
	env_wait_us(59000000);
	EXPECT_STATE(SYN_SENT);
	env_wait_us(6000000);
	EXPECT_STATE(CLOSED);
	EXPECT_NONE();
	ck_assert_int_eq(s_so_error(), ETIMEDOUT);
	ck_assert_uint_eq(t.fake.released, 1);
}
END_TEST

/* RFC 6298 (5.7), RFC 5681 s3.1 */
START_TEST(lost_syn_gives_three_seconds_and_one_segment)
{
	pcb_syn_sent();
	env_wait_us(1000000);
	EXPECT(S, 0, 0, 0);
	RX(.flags = S | A, .ack = 1);
	EXPECT(A, 1, 1, 0);
	ck_assert_uint_eq(t.p->rto_us, 3000000);
	ck_assert_uint_eq(t.p->cc.cwnd_bytes, MSS);
}
END_TEST

START_TEST(fin_is_sent_again)
{
	pcb_fin_wait_1();
	env_wait_us(200000);
	EXPECT(F | A, 1, 1, 0);
	RX(.flags = A, .seq = 1, .ack = 2);
	EXPECT_STATE(FIN_WAIT_2);
}
END_TEST

static void
flight_of_ten(void)
{
	pcb_established();
	ck_assert_int_eq(s_send(40 * MSS), 40 * MSS);
	env_turn();
	ck_assert_uint_eq(t.out.n, 10);
	drop_out();
}

static void
dup_ack(uint32_t seg)
{
	RX(.flags = A, .seq = 1, .ack = 1 + seg * MSS);
}

/* RFC 3042, RFC 5681 s3.2, RFC 6582 s3.2 */
START_TEST(third_duplicate_ack_sends_the_hole)
{
	flight_of_ten();
	dup_ack(0);
	EXPECT(A, 1 + 10 * MSS, 1, MSS);
	dup_ack(0);
	EXPECT(A, 1 + 11 * MSS, 1, MSS);
	dup_ack(0);
	EXPECT(A, 1, 1, MSS);
	EXPECT_NONE();
	/* RFC 5681 s3.2, (2): what limited transmit sent does not count. */
	ck_assert_uint_eq(t.p->cc.ssthresh_bytes, 5 * MSS);
	ck_assert_int_eq(t.p->ca, TCPR_RECOVERY);
	/* RFC 9937: new data for every second one, until ssthresh is in flight. */
	for (int i = 0; i < 6; i++)
		dup_ack(0);
	ck_assert_uint_le(t.out.n, 4);
	ck_assert_uint_ge(t.out.n, 2);
	EXPECT(A, 1 + 12 * MSS, 1, MSS);
	drop_out();
	/* Full acknowledgment: no burst. */
	RX(.flags = A, .seq = 1, .ack = 1 + 12 * MSS);
	ck_assert_int_eq(t.p->ca, TCPR_OPEN);
	ck_assert_uint_le(t.p->cc.cwnd_bytes, 5 * MSS);
	ck_assert_uint_eq(t.lc->stat.st[ST_TCP_FAST_REXMT], 1);
	drop_out();
}
END_TEST

START_TEST(partial_ack_sends_the_next_hole)
{
	uint64_t due;

	flight_of_ten();
	dup_ack(0);
	dup_ack(0);
	dup_ack(0);
	drop_out();
	env_wait_us(50000);
	RX(.flags = A, .seq = 1, .ack = 1 + 4 * MSS);
	EXPECT(A, 1 + 4 * MSS, 1, MSS);
	drop_out();
	ck_assert_int_eq(t.p->ca, TCPR_RECOVERY);
	due = t.p->due_ns;
	/* "Impatient": the timer restarts for the first partial ACK only. */
	env_wait_us(50000);
	RX(.flags = A, .seq = 1, .ack = 1 + 7 * MSS);
	EXPECT(A, 1 + 7 * MSS, 1, MSS);
	ck_assert_uint_eq(t.p->due_ns, due);
	drop_out();
}
END_TEST

/* RFC 6582 s3.2, step 2: duplicates of what was out at the timeout start nothing. */
/* RFC 9937 s6.2: without SACK an episode believes in no more octets than were out when it began,
 * however many duplicate ACKs come. */
START_TEST(duplicate_acks_without_end_send_no_more_than_was_out)
{
	t.lc->tcp->conf.cc = TCP_CONF_NEWRENO;
	pcb_established();
	s_send(40 * MSS);
	env_turn();
	ck_assert_uint_eq(t.out.n, 10);
	drop_out();
	for (uint32_t i = 0; i < 200; i++)
		RX(.flags = A, .seq = 1, .ack = 1);
	ck_assert_int_eq(t.p->ca, TCPR_RECOVERY);
	ck_assert_uint_le(tcp_flight(t.p), 20 * MSS);
	drop_out();
}
END_TEST

START_TEST(duplicate_acks_after_a_timeout_do_not_start_recovery)
{
	flight_of_ten();
	env_wait_us(200000);
	drop_out();
	RX(.flags = A, .seq = 1, .ack = 1 + MSS);
	drop_out();
	for (int i = 0; i < 5; i++)
		dup_ack(1);
	ck_assert_int_eq(t.p->ca, TCPR_LOSS);
	drop_out();
}
END_TEST

START_TEST(segments_with_data_or_news_are_no_duplicate_acks)
{
	flight_of_ten();
	for (uint32_t i = 0; i < 4; i++)
		RX(.flags = A, .seq = 1 + i, .ack = 1, .len = 1);
	for (uint32_t i = 0; i < 4; i++)
		RX(.flags = A, .seq = 5, .ack = 1, .wnd = 60000 + i);
	ck_assert_int_eq(t.p->ca, TCPR_OPEN);
	ck_assert_uint_eq(t.p->dupacks, 0);
	drop_out();
}
END_TEST

/* RFC 9293 s3.8.6.1 */
START_TEST(zero_window_is_probed_with_backoff)
{
	pcb_established();
	RX(.flags = A, .seq = 1, .ack = 1, .wnd_0 = true);
	s_send(5000);
	env_turn();
	EXPECT_NONE();
	env_wait_us(200000);
	EXPECT(A, 1, 1, 1);
	RX(.flags = A, .seq = 1, .ack = 1, .wnd_0 = true);
	EXPECT_NONE();
	env_wait_us(399999);
	EXPECT_NONE();
	env_wait_us(1);
	EXPECT(A, 1, 1, 1);
	ck_assert_uint_eq(t.lc->stat.st[ST_TCP_PROBE], 2);
	/* Open: from the beginning, the probe's octet included. */
	RX(.flags = A, .seq = 1, .ack = 1);
	EXPECT(A, 1, 1, MSS);
	drop_out();
	ck_assert(!t.p->persist);
	RX(.flags = A, .seq = 1, .ack = 1 + 3 * MSS);
	EXPECT(A, 1 + 3 * MSS, 1, 5000 - 3 * MSS);
	RX(.flags = A, .seq = 1, .ack = 5001);
	ck_assert_uint_eq(buf_len(&t.p->snd), 0);
}
END_TEST

START_TEST(accepted_probe_goes_on_from_there)
{
	pcb_established();
	RX(.flags = A, .seq = 1, .ack = 1, .wnd_0 = true);
	s_send(2 * MSS);
	env_turn();
	env_wait_us(200000);
	EXPECT(A, 1, 1, 1);
	RX(.flags = A, .seq = 1, .ack = 2, .wnd = 10000);
	EXPECT(A, 2, 1, MSS);
	drop_out();
}
END_TEST

START_TEST(zero_window_with_answers_lives_forever)
{
	pcb_established();
	RX(.flags = A, .seq = 1, .ack = 1, .wnd_0 = true);
	s_send(10);
	env_turn();
	for (int i = 0; i < 100; i++) {
		env_wait_us(61000000);
		drop_out();
		RX(.flags = A, .seq = 1, .ack = 1, .wnd_0 = true);
	}
	EXPECT_STATE(ESTABLISHED);
	ck_assert_uint_ge(t.lc->stat.st[ST_TCP_PROBE], 100);
}
END_TEST

START_TEST(zero_window_without_answers_ends_in_etimedout)
{
	pcb_established();
	RX(.flags = A, .seq = 1, .ack = 1, .wnd_0 = true);
	s_send(10);
	env_turn();
	for (int i = 0; i < 20; i++)
		env_wait_us(61000000);
	drop_out();
	EXPECT_STATE(CLOSED);
	ck_assert_int_eq(s_so_error(), ETIMEDOUT);
}
END_TEST

/* Resources: an orphan is not kept by a peer that never opens its window. */
START_TEST(zero_window_orphan_ends)
{
	pcb_established();
	RX(.flags = A, .seq = 1, .ack = 1, .wnd_0 = true);
	s_send(10);
	s_close();
	env_turn();
	for (int i = 0; i < 30 && tcp_pcbs_in_use(t.lc) > 0; i++) {
		env_wait_us(61000000);
		drop_out();
		if (tcp_pcbs_in_use(t.lc) > 0)
			RX(.flags = A, .seq = 1, .ack = 1, .wnd_0 = true);
	}
	ck_assert_uint_eq(tcp_pcbs_in_use(t.lc), 0);
}
END_TEST

/* The peer dropped data for want of room and says so: RTO becomes a probe. */
START_TEST(window_closed_with_data_in_flight_is_probed)
{
	pcb_established();
	s_send(2 * MSS);
	env_turn();
	drop_out();
	RX(.flags = A, .seq = 1, .ack = 1, .wnd_0 = true);
	env_wait_us(200000);
	EXPECT(A, 1, 1, 1);
	EXPECT_NONE();
	RX(.flags = A, .seq = 1, .ack = 1);
	EXPECT(A, 1, 1, MSS);
	drop_out();
}
END_TEST

START_TEST(fin_alone_is_probed)
{
	pcb_established();
	RX(.flags = A, .seq = 1, .ack = 1, .wnd_0 = true);
	tcp_sock_ops.shutdown(t.lc, &t.s, SHUT_WR);
	env_turn();
	EXPECT_NONE();
	env_wait_us(200000);
	EXPECT(A | F, 1, 1, 0);
	RX(.flags = A, .seq = 1, .ack = 2, .wnd_0 = true);
	EXPECT_STATE(FIN_WAIT_2);
}
END_TEST

/* RFC 5681 s4.1 */
START_TEST(idle_connection_starts_from_the_initial_window)
{
	pcb_established();
	t.p->cc.cwnd_bytes = 100 * MSS;
	s_send(10);
	env_turn();
	drop_out();
	RX(.flags = A, .seq = 1, .ack = 11);
	env_wait_us(10000000);
	s_send(40 * MSS);
	env_turn();
	ck_assert_uint_eq(t.out.n, 10);
}
END_TEST

/* RFC 9293 s3.8.6.1: rarer and rarer, whether the probes are answered or not. */
START_TEST(answered_probes_back_off_too)
{
	uint64_t wait_us = 200000;

	pcb_established();
	RX(.flags = A, .seq = 1, .ack = 1, .wnd_0 = true);
	s_send(10);
	env_turn();
	for (int i = 0; i < 8; i++) {
		env_wait_us(wait_us - 1);
		EXPECT_NONE();
		env_wait_us(1);
		EXPECT(A, 1, 1, 1);
		RX(.flags = A, .seq = 1, .ack = 1, .wnd_0 = true);
		wait_us *= 2;
	}
	/* The next time the window closes it begins anew. */
	RX(.flags = A, .seq = 1, .ack = 1);
	EXPECT(A, 1, 1, 10);
	RX(.flags = A, .seq = 1, .ack = 11, .wnd_0 = true);
	s_send(10);
	env_turn();
	EXPECT_NONE();
	env_wait_us(t.p->rto_us);
	EXPECT(A, 11, 1, 1);
}
END_TEST

START_TEST(probes_whose_octet_is_taken_back_off_too)
{
	uint32_t una = 1;

	pcb_established();
	RX(.flags = A, .seq = 1, .ack = 1, .wnd_0 = true);
	s_send(100);
	env_turn();
	for (int i = 0; i < 30; i++) {
		env_wait_us(1000000);
		if (t.out.n == 0)
			continue;
		drop_out();
		RX(.flags = A, .seq = 1, .ack = ++una, .wnd_0 = true);
		drop_out();
	}
	ck_assert_uint_le(t.lc->stat.st[ST_TCP_PROBE], 8);
}
END_TEST

/*
 * Both windows were closed, and both ends probed with an octet that the other one had room for
 * after all. Each acknowledges from before its own octet, which is all that the window it knows
 * allows.
 */
START_TEST(ack_from_before_an_octet_that_was_a_probe_is_heard)
{
	pcb_established();
	RX(.flags = A, .seq = 1, .ack = 1, .wnd_0 = true);
	s_send(10);
	env_turn();
	env_wait_us(200000);
	EXPECT(A, 1, 1, 1);
	RX(.flags = A, .seq = 1, .ack = 1, .len = 1, .wnd_0 = true);
	env_wait_us(50000);
	EXPECT(A, 1, 2, 0);
	RX(.flags = A, .seq = 1, .ack = 2, .len = (uint16_t)_i, .wnd = 1000);
	EXPECT(A, 2, 2, 9);
	RX(.flags = A, .seq = 2, .ack = 11);
	EXPECT_NONE();
}
END_TEST

/* What acknowledges nothing new is a keep-alive or old, and answered. */
START_TEST(segment_from_before_the_window_is_answered_and_not_heard)
{
	pcb_established();
	RX(.flags = A | P, .seq = 1, .ack = 1, .len = 10);
	s_send(10);
	env_turn();
	EXPECT(A, 1, 11, 10);
	switch (_i) {
	case 0:
		RX(.flags = A, .seq = 10, .ack = 1, .wnd = 77);
		break;
	case 1:
		RX(.flags = A, .seq = 9, .ack = 11, .wnd = 77);
		break;
	case 2:
		RX(.flags = A, .seq = 9, .ack = 11, .len = 2, .wnd = 77);
		break;
	default:
		RX(.flags = A, .seq = 10, .ack = 12, .wnd = 77);
	}
	EXPECT(A, 11, 11, 0);
	ck_assert_uint_eq(tcp_flight(t.p), 10);
	ck_assert_uint_ne(t.p->snd_wnd, 77);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("tcp_rexmt");
	TCase *c = tcase_create("tcp_rexmt");

	tcase_add_checked_fixture(c, setup_newreno, teardown);
	tcase_add_test(c, rto_follows_the_samples);
	tcase_add_test(c, timeout_sends_again_and_backs_off);
	tcase_add_test(c, ack_of_retransmission_is_no_sample);
	tcase_add_test(c, timestamp_echo_is_a_sample_after_retransmission);
	tcase_add_test(c, echo_from_before_the_retransmission_is_no_sample);
	tcase_add_test(c, impossible_timestamp_echo_is_ignored);
	tcase_add_test(c, data_retries_end_in_etimedout);
	tcase_add_test(c, syn_retries_end_in_etimedout);
	tcase_add_test(c, lost_syn_gives_three_seconds_and_one_segment);
	tcase_add_test(c, fin_is_sent_again);
	tcase_add_test(c, third_duplicate_ack_sends_the_hole);
	tcase_add_test(c, partial_ack_sends_the_next_hole);
	tcase_add_test(c, duplicate_acks_without_end_send_no_more_than_was_out);
	tcase_add_test(c, duplicate_acks_after_a_timeout_do_not_start_recovery);
	tcase_add_test(c, segments_with_data_or_news_are_no_duplicate_acks);
	tcase_add_test(c, zero_window_is_probed_with_backoff);
	tcase_add_test(c, accepted_probe_goes_on_from_there);
	tcase_add_test(c, zero_window_with_answers_lives_forever);
	tcase_add_test(c, zero_window_without_answers_ends_in_etimedout);
	tcase_add_test(c, zero_window_orphan_ends);
	tcase_add_test(c, window_closed_with_data_in_flight_is_probed);
	tcase_add_test(c, fin_alone_is_probed);
	tcase_add_test(c, idle_connection_starts_from_the_initial_window);
	tcase_add_test(c, answered_probes_back_off_too);
	tcase_add_test(c, probes_whose_octet_is_taken_back_off_too);
	tcase_add_loop_test(c, ack_from_before_an_octet_that_was_a_probe_is_heard, 0, 2);
	tcase_add_loop_test(c, segment_from_before_the_window_is_answered_and_not_heard, 0, 4);
	suite_add_tcase(s, c);
	return env_main(s);
}
