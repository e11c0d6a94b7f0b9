/* SPDX-License-Identifier: BSD-3-Clause */
/* RFC 7661, with the windows of RFC 5681: an application that asks for less than cwnd. RTT is 40
 * ms. */
#include "tests/tcp/tcp_env.h"

#define SEQ(n) (1 + (n)*MSS)

enum { RTT_US = 40000, CWND = 40 };

static uint32_t at; /* the next segment, in segments of MSS */

static void
drop_out(void)
{
	pkt_queue_drop(t.lc, &t.out, DROP_PORT_CLOSED);
}

/* ESTABLISHED, in congestion avoidance with a window of CWND segments. */
static void
wide_open(void)
{
	at = 0;
	t.peer_sack = true;
	pcb_syn_sent();
	env_wait_us(RTT_US);
	RX(.flags = S | A, .ack = 1);
	drop_out();
	t.p->cc.cwnd_bytes = t.p->cc.ssthresh_bytes = CWND * MSS;
}

static void
flight_of(uint32_t n)
{
	s_send(n * MSS);
	env_turn();
	ck_assert_uint_eq(t.out.n, n);
	drop_out();
}

/* n segments in a round trip, all acknowledged, one ACK for each. */
static void
round_of(uint32_t n)
{
	flight_of(n);
	env_wait_us(RTT_US);
	for (uint32_t i = 0; i < n; i++)
		RX(.flags = A, .seq = 1, .ack = SEQ(++at));
	EXPECT_NONE();
}

static void
rounds_of(uint32_t n, uint32_t count)
{
	while (count-- > 0)
		round_of(n);
}

/* n segments of which the first one is lost. */
static void
lose_of(uint32_t n)
{
	flight_of(n);
	env_wait_us(RTT_US);
	RX(.flags = A, .seq = 1, .ack = SEQ(at), .sack = {{SEQ(at + 1), SEQ(at + n)}});
	ck_assert_int_eq(t.p->ca, TCPR_RECOVERY);
	EXPECT(A, SEQ(at), 1, MSS);
	drop_out();
}

/* s4.3: not validated, so it neither grows nor shrinks. */
START_TEST(window_that_is_not_used_stays)
{
	wide_open();
	rounds_of(10, 100);
	ck_assert_uint_eq(t.p->cc.cwnd_bytes, CWND * MSS);
}
END_TEST

/* s4.4.1: what was acknowledged in a round trip counts, when the loss comes in a smaller one. */
START_TEST(not_validated_loss_is_weighed_by_what_was_acknowledged)
{
	wide_open();
	rounds_of(12, 5);
	lose_of(5);
	/* The last ACK of a round begins the next: of 12 it sees 11 or 12. */
	ck_assert_uint_ge(t.p->cc.ssthresh_bytes, 11 * MSS / 2);
	ck_assert_uint_le(t.p->cc.ssthresh_bytes, 12 * MSS / 2);
}
END_TEST

/* RFC 5681 s3.1, (4): FlightSize, if the window is in use. */
START_TEST(validated_loss_is_weighed_by_the_flight)
{
	wide_open();
	rounds_of(30, 5);
	lose_of(8);
	ck_assert_uint_eq(t.p->cc.ssthresh_bytes, 4 * MSS);
}
END_TEST

/* s4.2: the sampling period is a second here, and what was before it is forgotten. */
START_TEST(old_samples_are_forgotten)
{
	wide_open();
	rounds_of(12, 5);
	rounds_of(8, 40);
	lose_of(5);
	ck_assert_uint_ge(t.p->cc.ssthresh_bytes, 7 * MSS / 2);
	ck_assert_uint_le(t.p->cc.ssthresh_bytes, 8 * MSS / 2);
}
END_TEST

/* s4.4.1: at the end half of what was sent again is taken off. */
START_TEST(not_validated_recovery_takes_off_what_was_sent_again)
{
	uint32_t ssthresh;

	wide_open();
	rounds_of(16, 5);
	lose_of(5);
	ssthresh = t.p->cc.ssthresh_bytes;
	env_wait_us(RTT_US);
	RX(.flags = A, .seq = 1, .ack = SEQ(at + 5));
	ck_assert_int_eq(t.p->ca, TCPR_OPEN);
	ck_assert_uint_eq(t.p->cc.ssthresh_bytes, ssthresh);
	ck_assert_uint_eq(t.p->cc.cwnd_bytes, ssthresh - MSS / 2);
}
END_TEST

START_TEST(validated_recovery_ends_at_ssthresh)
{
	wide_open();
	rounds_of(30, 5);
	lose_of(20);
	env_wait_us(RTT_US);
	RX(.flags = A, .seq = 1, .ack = SEQ(at + 20));
	ck_assert_int_eq(t.p->ca, TCPR_OPEN);
	ck_assert_uint_eq(t.p->cc.cwnd_bytes, 10 * MSS);
}
END_TEST

/* s4.4.3: after five minutes half of the window goes, and ssthresh remembers three quarters. */
START_TEST(five_minutes_not_validated_cost_half)
{
	wide_open();
	t.p->cc.ssthresh_bytes = 10 * MSS;
	rounds_of(8, 299000 / 40);
	ck_assert_uint_eq(t.p->cc.cwnd_bytes, CWND * MSS);
	rounds_of(8, 3000 / 40);
	ck_assert_uint_eq(t.p->cc.cwnd_bytes, CWND / 2 * MSS);
	ck_assert_uint_eq(t.p->cc.ssthresh_bytes, CWND * 3 / 4 * MSS);
	/* The initial window is kept. */
	t.p->cc.cwnd_bytes = 12 * MSS;
	rounds_of(4, 303000 / 40);
	ck_assert_uint_eq(t.p->cc.cwnd_bytes, 10 * MSS);
}
END_TEST

START_TEST(five_minutes_begin_again_when_the_window_was_used)
{
	wide_open();
	rounds_of(8, 200000 / 40);
	rounds_of(30, 2);
	rounds_of(8, 200000 / 40);
	ck_assert_uint_ge(t.p->cc.cwnd_bytes, CWND * MSS);
}
END_TEST

/* RFC 5681 s4.1 */
START_TEST(silence_begins_anew)
{
	wide_open();
	rounds_of(12, 5);
	env_wait_us(t.p->rto_us + 1000);
	flight_of(5);
	ck_assert_uint_eq(t.p->cc.cwnd_bytes, 10 * MSS);
	ck_assert(!t.p->rec.cwv_known);
	RX(.flags = A, .seq = 1, .ack = SEQ(at + 5));
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("tcp_cwv");
	TCase *c = tcase_create("tcp_cwv");

	tcase_set_timeout(c, 60);
	tcase_add_checked_fixture(c, setup_newreno, teardown);
	tcase_add_test(c, window_that_is_not_used_stays);
	tcase_add_test(c, not_validated_loss_is_weighed_by_what_was_acknowledged);
	tcase_add_test(c, validated_loss_is_weighed_by_the_flight);
	tcase_add_test(c, old_samples_are_forgotten);
	tcase_add_test(c, not_validated_recovery_takes_off_what_was_sent_again);
	tcase_add_test(c, validated_recovery_ends_at_ssthresh);
	tcase_add_test(c, five_minutes_not_validated_cost_half);
	tcase_add_test(c, five_minutes_begin_again_when_the_window_was_used);
	tcase_add_test(c, silence_begins_anew);
	suite_add_tcase(s, c);
	return env_main(s);
}
