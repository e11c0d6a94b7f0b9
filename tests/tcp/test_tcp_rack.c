/* SPDX-License-Identifier: BSD-3-Clause */
/* Loss by time, probes, recovery and its undoing, of a peer with SACK. RTT is 40 ms throughout. */
#include "tests/tcp/tcp_env.h"

#define SEQ(n) (1 + (n)*MSS)

enum { RTT_US = 40000 };

static void
drop_out(void)
{
	pkt_queue_drop(t.lc, &t.out, DROP_PORT_CLOSED);
}

static uint32_t
our_ts(void)
{
	return tcp_now_ms(t.lc) + t.p->ts_offset;
}

/* ESTABLISHED, with one round trip measured. */
static void
measured(void)
{
	t.peer_sack = true;
	pcb_syn_sent();
	env_wait_us(RTT_US);
	RX(.flags = S | A, .ack = 1, .ts_ecr = our_ts() - RTT_US / 1000);
	EXPECT(A, 1, 1, 0);
	ck_assert_uint_eq(t.p->srtt_us, RTT_US);
	ck_assert_uint_eq(t.p->rack.min_rtt_us, RTT_US);
}

static void
flight_of(uint32_t n)
{
	measured();
	s_send(n * MSS);
	env_turn();
	ck_assert_uint_eq(t.out.n, n);
	drop_out();
	env_wait_us(RTT_US);
}

#define SACK_OF(...) RX(.flags = A, .seq = 1, .ack = 1, .sack = {__VA_ARGS__})

/* RFC 8985 s6.2, step 4: without reordering seen, three SACKed segments shrink the window to 0. */
START_TEST(open_third_sacked_segment_sends_the_hole)
{
	flight_of(10);
	SACK_OF({SEQ(1), SEQ(2)});
	ck_assert_int_eq(t.p->ca, TCPR_DISORDER);
	SACK_OF({SEQ(1), SEQ(3)});
	EXPECT_NONE();
	SACK_OF({SEQ(1), SEQ(4)});
	EXPECT(A, 1, 1, MSS);
	EXPECT_NONE();
	ck_assert_int_eq(t.p->ca, TCPR_RECOVERY);
	ck_assert_uint_eq(t.p->cc.ssthresh_bytes, 5 * MSS);
}
END_TEST

/* ... and one is enough a quarter of the least RTT later. */
START_TEST(disorder_reordering_window_passes_sends_the_hole)
{
	flight_of(10);
	SACK_OF({SEQ(1), SEQ(2)});
	EXPECT_NONE();
	env_wait_us(RTT_US / 4 - 1);
	EXPECT_NONE();
	env_wait_us(1);
	EXPECT(A, 1, 1, MSS);
	ck_assert_int_eq(t.p->ca, TCPR_RECOVERY);
}
END_TEST

/* RFC 8985 s6.2, step 4: in recovery there is no window, as long as nothing was reordered: one
 * overtaken segment is lost at once, whatever number of SACKs says so. */
START_TEST(recovery_next_hole_is_sent_at_once)
{
	flight_of(10);
	SACK_OF({SEQ(1), SEQ(2)});
	env_wait_us(RTT_US / 4);
	EXPECT(A, 1, 1, MSS);
	ck_assert_int_eq(t.p->ca, TCPR_RECOVERY);
	t.p->cc.ssthresh_bytes = 10 * MSS;
	SACK_OF({SEQ(3), SEQ(4)}, {SEQ(1), SEQ(2)});
	ck_assert_uint_lt(t.p->dupacks, TCP_DUPTHRESH);
	EXPECT(A, SEQ(2), 1, MSS);
	EXPECT_NONE();
}
END_TEST

START_TEST(disorder_hole_fills_in_time_nothing_is_sent)
{
	flight_of(10);
	SACK_OF({SEQ(1), SEQ(2)});
	env_wait_us(RTT_US / 8);
	RX(.flags = A, .seq = 1, .ack = SEQ(2));
	ck_assert(t.p->rack.reordering);
	ck_assert_int_eq(t.p->ca, TCPR_OPEN);
	env_wait_us(RTT_US / 4);
	EXPECT_NONE();
}
END_TEST

/* RFC 8985 s6.2, step 5: a retransmission that is overtaken is lost as well. */
START_TEST(recovery_lost_retransmission_is_sent_again)
{
	flight_of(10);
	SACK_OF({SEQ(1), SEQ(4)});
	EXPECT(A, 1, 1, MSS);
	drop_out();
	env_wait_us(1000);
	s_send(4 * MSS);
	env_turn();
	SACK_OF({SEQ(1), SEQ(10)});
	ck_assert_uint_ge(t.out.n, 1);
	EXPECT(A, SEQ(10), 1, MSS);
	drop_out();
	env_wait_us(RTT_US);
	SACK_OF({SEQ(1), SEQ(11)});
	EXPECT(A, 1, 1, MSS);
	ck_assert_uint_eq(t.lc->stat.st[ST_TCP_RTO], 0);
	drop_out();
}
END_TEST

/* RFC 9937: about one segment for every second that arrives, down to ssthresh. */
START_TEST(recovery_sends_in_proportion)
{
	uint32_t sent = 0;

	flight_of(10);
	s_send(40 * MSS);
	env_turn();
	drop_out();
	for (uint32_t i = 2; i <= 10; i++) {
		SACK_OF({SEQ(1), SEQ(i)});
		sent += t.out.n;
		drop_out();
		ck_assert_uint_le(tcp_pipe(t.p), 10 * MSS);
	}
	ck_assert_int_eq(t.p->ca, TCPR_RECOVERY);
	ck_assert_uint_ge(sent, 4);
	ck_assert_uint_le(sent, 6);
	ck_assert_uint_le(tcp_pipe(t.p), 5 * MSS);
	env_wait_us(RTT_US);
	RX(.flags = A, .seq = 1, .ack = t.p->rec.recover - t.p->iss);
	ck_assert_int_eq(t.p->ca, TCPR_OPEN);
	ck_assert_uint_eq(t.p->cc.cwnd_bytes, t.p->cc.ssthresh_bytes);
	drop_out();
}
END_TEST

/* RFC 9937 s6.2: the ACKs of one burst count as one that delivers all of it (DeliveredData), and
 * the flight is the one of before it. Nothing left between them, because output comes after input.
 */
START_TEST(open_acks_of_one_burst_count_as_one)
{
	measured();
	t.p->cc.cwnd_bytes = t.p->cc.ssthresh_bytes = 12 * MSS;
	s_send(40 * MSS);
	env_turn();
	ck_assert_uint_eq(t.out.n, 12);
	drop_out();
	env_wait_us(RTT_US);
	env_rx_quiet(&(struct in){.flags = A, .seq = 1, .ack = SEQ(8)});
	for (uint32_t i = 10; i <= 12; i++)
		env_rx_quiet(&(struct in){
			.flags = A, .seq = 1, .ack = SEQ(8), .sack = {{SEQ(9), SEQ(i)}}});
	env_turn();
	ck_assert_int_eq(t.p->ca, TCPR_RECOVERY);
	ck_assert_uint_eq(t.p->cc.ssthresh_bytes, 6 * MSS);
	ck_assert_uint_eq(t.out.n, 6);
	EXPECT(A, SEQ(8), 1, MSS);
	for (uint32_t i = 12; i <= 16; i++)
		EXPECT(A, SEQ(i), 1, MSS);
}
END_TEST

/* Several holes leave in order, each once. */
START_TEST(recovery_every_hole_is_sent_once)
{
	flight_of(10);
	SACK_OF({SEQ(8), SEQ(10)}, {SEQ(5), SEQ(7)}, {SEQ(1), SEQ(4)});
	EXPECT(A, 1, 1, MSS);
	env_wait_us(RTT_US);
	RX(.flags = A, .seq = 1, .ack = SEQ(4), .sack = {{SEQ(8), SEQ(10)}, {SEQ(5), SEQ(7)}});
	EXPECT(A, SEQ(4), 1, MSS);
	EXPECT(A, SEQ(7), 1, MSS);
	EXPECT_NONE();
	env_wait_us(RTT_US);
	RX(.flags = A, .seq = 1, .ack = SEQ(10));
	ck_assert_int_eq(t.p->ca, TCPR_OPEN);
	ck_assert_uint_eq(t.lc->stat.st[ST_TCP_REXMT], 3);
}
END_TEST

/* RFC 8985 s7.2, s7.3: the last segment again, two round trips after it left. */
START_TEST(open_lost_tail_is_probed)
{
	measured();
	s_send(3 * MSS);
	env_turn();
	drop_out();
	env_wait_us(RTT_US);
	RX(.flags = A, .seq = 1, .ack = SEQ(1));
	env_wait_us(2 * RTT_US - 1);
	EXPECT_NONE();
	env_wait_us(1);
	EXPECT(A, SEQ(2), 1, MSS);
	EXPECT_NONE();
	ck_assert_uint_eq(t.lc->stat.st[ST_TCP_TLP], 1);
	ck_assert_uint_eq(t.lc->stat.st[ST_TCP_RTO], 0);
	/* Its SACK shows the hole before it. */
	env_wait_us(RTT_US);
	RX(.flags = A, .seq = 1, .ack = SEQ(1), .sack = {{SEQ(2), SEQ(3)}});
	EXPECT(A, SEQ(1), 1, MSS);
	ck_assert_int_eq(t.p->ca, TCPR_RECOVERY);
	env_wait_us(RTT_US);
	RX(.flags = A, .seq = 1, .ack = SEQ(3));
	ck_assert_uint_eq(t.lc->stat.st[ST_TCP_RTO], 0);
	EXPECT_NONE();
}
END_TEST

START_TEST(open_probe_prefers_new_data)
{
	measured();
	t.p->cc.cwnd_bytes = 2 * MSS;
	s_send(4 * MSS);
	env_turn();
	ck_assert_uint_eq(t.out.n, 2);
	drop_out();
	env_wait_us(2 * RTT_US);
	EXPECT(A, SEQ(2), 1, MSS);
	EXPECT_NONE();
	ck_assert_uint_eq(t.lc->stat.st[ST_TCP_REXMT], 0);
}
END_TEST

/* Three of four segments are acknowledged, and the last leaves again as a probe. */
static void
probe_the_tail(void)
{
	s_send(4 * MSS);
	env_turn();
	drop_out();
	env_wait_us(RTT_US);
	RX(.flags = A, .seq = 1, .ack = SEQ(3));
	env_wait_us(300000);
	EXPECT(A, SEQ(3), 1, MSS);
}

/* RFC 8985 s7.4: the probe repaired a loss, so the window shrinks. */
START_TEST(open_probe_that_repairs_shrinks_the_window)
{
	measured();
	t.p->cc.cwnd_bytes = 8 * MSS;
	probe_the_tail();
	env_wait_us(RTT_US);
	RX(.flags = A, .seq = 1, .ack = SEQ(4));
	ck_assert_uint_ge(t.p->cc.ssthresh_bytes, 1u << 29);
	s_send(MSS);
	env_turn();
	drop_out();
	env_wait_us(RTT_US);
	RX(.flags = A, .seq = 1, .ack = SEQ(5));
	ck_assert_uint_le(t.p->cc.ssthresh_bytes, 8 * MSS);
}
END_TEST

START_TEST(open_probe_that_came_twice_changes_nothing)
{
	measured();
	probe_the_tail();
	env_wait_us(RTT_US);
	RX(.flags = A, .seq = 1, .ack = SEQ(4));
	RX(.flags = A, .seq = 1, .ack = SEQ(4), .sack = {{SEQ(3), SEQ(4)}});
	s_send(MSS);
	env_turn();
	drop_out();
	RX(.flags = A, .seq = 1, .ack = SEQ(5));
	ck_assert_uint_ge(t.p->cc.ssthresh_bytes, 1u << 29);
	ck_assert_uint_eq(t.p->rack.reo_mult, 1);
}
END_TEST

/* RFC 8985 s7.4.2: the D-SACK counts although the same ACK goes beyond the probe. */
START_TEST(open_probe_that_came_twice_and_more_changes_nothing)
{
	measured();
	probe_the_tail();
	s_send(MSS);
	env_turn();
	EXPECT(A, SEQ(4), 1, MSS);
	env_wait_us(RTT_US);
	RX(.flags = A, .seq = 1, .ack = SEQ(5), .sack = {{SEQ(3), SEQ(4)}});
	ck_assert_uint_ge(t.p->cc.ssthresh_bytes, 1u << 29);
	ck_assert(!t.p->rec.tlp);
}
END_TEST

/* RFC 8985 s7.4.2: only a bare duplicate ACK is the second sign of a probe that came twice;
 * segments with text repeat the number too. */
START_TEST(open_text_of_the_peer_says_nothing_about_the_probe)
{
	measured();
	t.p->cc.cwnd_bytes = 8 * MSS;
	probe_the_tail();
	RX(.flags = A, .seq = 1, .ack = SEQ(4), .len = 100);
	RX(.flags = A, .seq = 101, .ack = SEQ(4), .len = 100);
	RX(.flags = A, .seq = 201, .ack = SEQ(4), .wnd = PEER_WND - 1);
	s_send(MSS);
	env_turn();
	drop_out();
	RX(.flags = A, .seq = 201, .ack = SEQ(5));
	ck_assert_uint_le(t.p->cc.ssthresh_bytes, 8 * MSS);
}
END_TEST

START_TEST(open_bare_duplicate_says_that_the_probe_came_twice)
{
	measured();
	probe_the_tail();
	RX(.flags = A, .seq = 1, .ack = SEQ(4));
	RX(.flags = A, .seq = 1, .ack = SEQ(4));
	s_send(MSS);
	env_turn();
	drop_out();
	RX(.flags = A, .seq = 1, .ack = SEQ(5));
	ck_assert_uint_ge(t.p->cc.ssthresh_bytes, 1u << 29);
}
END_TEST

/* RFC 8985 s7.3, the second condition: an RTT was measured since the last probe. Karn forbids it
 * for the octets that were the probe. */
START_TEST(open_no_second_probe_without_a_round_trip)
{
	measured();
	probe_the_tail();
	RX(.flags = A, .seq = 1, .ack = SEQ(4));
	RX(.flags = A, .seq = 1, .ack = SEQ(4), .sack = {{SEQ(3), SEQ(4)}});
	s_send(MSS);
	env_turn();
	EXPECT(A, SEQ(4), 1, MSS);
	env_wait_us(1000000);
	ck_assert_uint_eq(t.lc->stat.st[ST_TCP_TLP], 1);
	ck_assert_uint_ge(t.lc->stat.st[ST_TCP_RTO], 1);
	drop_out();
	RX(.flags = A, .seq = 1, .ack = SEQ(5));
	s_send(MSS);
	env_turn();
	env_wait_us(RTT_US);
	RX(.flags = A, .seq = 1, .ack = SEQ(6));
	/* Now one was. */
	s_send(MSS);
	env_turn();
	env_wait_us(300000);
	ck_assert_uint_eq(t.lc->stat.st[ST_TCP_TLP], 2);
	drop_out();
}
END_TEST

/* RFC 3522: the echo shows that the original arrived. */
START_TEST(recovery_echo_of_the_original_undoes_it)
{
	uint32_t before, echo;

	t.peer_ts = true;
	measured();
	echo = our_ts();
	s_send(10 * (MSS - 12));
	env_turn();
	drop_out();
	before = t.p->cc.cwnd_bytes;
	env_wait_us(RTT_US);
	RX(.flags = A, .seq = 1, .ack = 1, .ts_ecr = echo,
		.sack = {{1 + (MSS - 12), 1 + 5 * (MSS - 12)}});
	ck_assert_int_eq(t.p->ca, TCPR_RECOVERY);
	ck_assert_uint_ge(t.out.n, 1);
	drop_out();
	env_wait_us(5000);
	RX(.flags = A, .seq = 1, .ack = 1 + 6 * (MSS - 12), .ts_ecr = echo);
	ck_assert_int_eq(t.p->ca, TCPR_OPEN);
	ck_assert_uint_ge(t.p->cc.cwnd_bytes, before);
	ck_assert_uint_ge(t.p->cc.ssthresh_bytes, 1u << 29);
	ck_assert_uint_eq(t.lc->stat.st[ST_TCP_UNDO], 1);
}
END_TEST

/* ... but not the echo of what was sent again in an earlier episode, which is older too. */
START_TEST(recovery_echo_of_an_earlier_retransmission_undoes_nothing)
{
	const uint32_t l = MSS - 12;
	uint32_t echo;

	t.peer_ts = true;
	measured();
	t.p->cc.cwnd_bytes = t.p->cc.ssthresh_bytes = 60 * MSS;
	s_send(10 * l);
	env_turn();
	env_wait_us(RTT_US);
	RX(.flags = A, .seq = 1, .ack = 1, .sack = {{1 + l, 1 + 4 * l}}, .ts_ecr = our_ts());
	ck_assert_uint_eq(t.p->rec.recover - t.p->iss, 1 + 10 * l);
	t.p->cc.cwnd_bytes = t.p->cc.ssthresh_bytes = 60 * MSS;
	s_send(20 * l);
	env_turn();
	drop_out();
	env_wait_us(RTT_US);
	/* Segment 10 is lost as well, and leaves again in the same episode, as the first does. */
	RX(.flags = A, .seq = 1, .ack = 1, .ts_ecr = our_ts(),
		.sack = {{1 + 11 * l, 1 + 20 * l}, {1 + l, 1 + 10 * l}});
	EXPECT(A, 1, 1, l);
	EXPECT(A, 1 + 10 * l, 1, l);
	echo = our_ts();
	RX(.flags = A, .seq = 1, .ack = 1 + 10 * l, .sack = {{1 + 11 * l, 1 + 20 * l}},
		.ts_ecr = our_ts());
	ck_assert_int_eq(t.p->ca, TCPR_DISORDER);
	env_wait_us(5000);
	RX(.flags = A, .seq = 1, .ack = 1 + 10 * l, .ts_ecr = our_ts(),
		.sack = {{1 + 21 * l, 1 + 25 * l}, {1 + 11 * l, 1 + 20 * l}});
	EXPECT(A, 1 + 20 * l, 1, l);
	RX(.flags = A, .seq = 1, .ack = 1 + 20 * l, .ts_ecr = echo,
		.sack = {{1 + 21 * l, 1 + 25 * l}});
	ck_assert_int_eq(t.p->ca, TCPR_RECOVERY);
	ck_assert_uint_eq(t.lc->stat.st[ST_TCP_UNDO], 0);
	drop_out();
}
END_TEST

/* RFC 3708: every retransmission was reported as a duplicate. RFC 8985 s6.2, step 4: so the
 * reordering window was too small. */
START_TEST(recovery_all_duplicates_undo_it)
{
	uint32_t before;

	flight_of(10);
	before = t.p->cc.cwnd_bytes;
	SACK_OF({SEQ(1), SEQ(4)});
	EXPECT(A, 1, 1, MSS);
	env_wait_us(5000);
	RX(.flags = A, .seq = 1, .ack = SEQ(4));
	ck_assert_int_eq(t.p->ca, TCPR_RECOVERY);
	env_wait_us(RTT_US);
	RX(.flags = A, .seq = 1, .ack = SEQ(4), .sack = {{1, SEQ(1)}});
	ck_assert_int_eq(t.p->ca, TCPR_OPEN);
	ck_assert_uint_ge(t.p->cc.cwnd_bytes, before);
	ck_assert_uint_eq(t.p->rack.reo_mult, 2);
	ck_assert_uint_eq(t.lc->stat.st[ST_TCP_UNDO], 1);
	drop_out();
}
END_TEST

/* RFC 5682 s3.1, step 3b: what was sent before the timeout, and once, arrives after it. */
START_TEST(loss_original_arrives_undoes_it)
{
	uint32_t before;

	measured();
	t.lc->tcp->conf.no_tlp = true;
	s_send(10 * MSS);
	env_turn();
	drop_out();
	before = t.p->cc.cwnd_bytes;
	env_wait_us(t.p->rto_us);
	EXPECT(A, 1, 1, MSS);
	EXPECT_NONE();
	ck_assert_int_eq(t.p->ca, TCPR_LOSS);
	RX(.flags = A, .seq = 1, .ack = SEQ(2));
	ck_assert_int_eq(t.p->ca, TCPR_OPEN);
	ck_assert_uint_ge(t.p->cc.cwnd_bytes, before);
	ck_assert_uint_eq(t.p->sent.lost_bytes, 0);
	drop_out();
}
END_TEST

/* Step 2b: new data after the first ACK; step 3a: a SACK of those means that the loss was real. */
START_TEST(loss_real_goes_on_with_the_holes)
{
	measured();
	t.lc->tcp->conf.no_tlp = true;
	s_send(20 * MSS);
	env_turn();
	drop_out();
	env_wait_us(t.p->rto_us);
	EXPECT(A, 1, 1, MSS);
	env_wait_us(RTT_US);
	RX(.flags = A, .seq = 1, .ack = SEQ(1));
	EXPECT(A, SEQ(10), 1, MSS);
	EXPECT(A, SEQ(11), 1, MSS);
	EXPECT_NONE();
	env_wait_us(RTT_US);
	RX(.flags = A, .seq = 1, .ack = SEQ(1), .sack = {{SEQ(10), SEQ(11)}});
	EXPECT(A, SEQ(1), 1, MSS);
	ck_assert_int_eq(t.p->ca, TCPR_LOSS);
	drop_out();
}
END_TEST

/* RFC 8985 s6.2 holds after a timeout too: a retransmission that is overtaken is lost, and does not
 * wait for the next timeout. */
START_TEST(loss_lost_retransmission_is_sent_again)
{
	measured();
	t.lc->tcp->conf.no_tlp = t.lc->tcp->conf.no_frto = true;
	s_send(10 * MSS);
	env_turn();
	drop_out();
	env_wait_us(t.p->rto_us);
	EXPECT(A, 1, 1, MSS);
	env_wait_us(RTT_US);
	RX(.flags = A, .seq = 1, .ack = SEQ(1));
	EXPECT(A, SEQ(1), 1, MSS);
	EXPECT(A, SEQ(2), 1, MSS);
	EXPECT_NONE();
	env_wait_us(RTT_US);
	RX(.flags = A, .seq = 1, .ack = SEQ(1), .sack = {{SEQ(2), SEQ(3)}});
	ck_assert_int_eq(t.p->ca, TCPR_LOSS);
	EXPECT(A, SEQ(1), 1, MSS);
	ck_assert_uint_eq(t.lc->stat.st[ST_TCP_RTO], 1);
	drop_out();
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("tcp_rack");
	TCase *c = tcase_create("tcp_rack");

	tcase_add_checked_fixture(c, setup_newreno, teardown);
	tcase_add_test(c, open_third_sacked_segment_sends_the_hole);
	tcase_add_test(c, disorder_reordering_window_passes_sends_the_hole);
	tcase_add_test(c, recovery_next_hole_is_sent_at_once);
	tcase_add_test(c, disorder_hole_fills_in_time_nothing_is_sent);
	tcase_add_test(c, recovery_lost_retransmission_is_sent_again);
	tcase_add_test(c, recovery_sends_in_proportion);
	tcase_add_test(c, open_acks_of_one_burst_count_as_one);
	tcase_add_test(c, recovery_every_hole_is_sent_once);
	tcase_add_test(c, open_lost_tail_is_probed);
	tcase_add_test(c, open_probe_prefers_new_data);
	tcase_add_test(c, open_probe_that_repairs_shrinks_the_window);
	tcase_add_test(c, open_probe_that_came_twice_changes_nothing);
	tcase_add_test(c, open_probe_that_came_twice_and_more_changes_nothing);
	tcase_add_test(c, open_text_of_the_peer_says_nothing_about_the_probe);
	tcase_add_test(c, open_bare_duplicate_says_that_the_probe_came_twice);
	tcase_add_test(c, open_no_second_probe_without_a_round_trip);
	tcase_add_test(c, recovery_echo_of_the_original_undoes_it);
	tcase_add_test(c, recovery_echo_of_an_earlier_retransmission_undoes_nothing);
	tcase_add_test(c, recovery_all_duplicates_undo_it);
	tcase_add_test(c, loss_original_arrives_undoes_it);
	tcase_add_test(c, loss_lost_retransmission_is_sent_again);
	tcase_add_test(c, loss_real_goes_on_with_the_holes);
	suite_add_tcase(s, c);
	return env_main(s);
}
