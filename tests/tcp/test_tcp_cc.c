/* SPDX-License-Identifier: BSD-3-Clause */
/* The algorithms alone, fed with the ACKs of a path that the test plays; and how one is chosen. */
#include <errno.h>
#include <math.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>

#include "tests/tcp/tcp_env.h"

#define NS_PER_MS UINT64_C(1000000)

/* A sender that always has data, and a path that loses only what the test says. */
static struct {
	struct tcp_cc cc;
	uint64_t now_ns;
	uint32_t una, rtt_us;
} x;

static void
begin(const struct tcp_cc_ops *ops, uint32_t cwnd, uint32_t ssthresh, uint32_t rtt_us)
{
	memset(&x, 0, sizeof(x));
	x.now_ns = NS_PER_MS;
	x.rtt_us = rtt_us;
	x.cc = (struct tcp_cc){.ops = ops, .cwnd_bytes = cwnd, .ssthresh_bytes = ssthresh};
	ops->start(&x.cc, x.now_ns);
}

static struct tcp_cc_ack
an_ack(uint32_t bytes)
{
	x.una += bytes;
	return (struct tcp_cc_ack){.now_ns = x.now_ns,
		.bytes = bytes,
		.delivered = bytes,
		.mss_bytes = MSS,
		.una = x.una,
		.nxt = x.una + x.cc.cwnd_bytes,
		.pipe_bytes = x.cc.cwnd_bytes,
		.rtt_us = x.rtt_us,
		.srtt_us = x.rtt_us,
		.min_rtt_us = x.rtt_us};
}

/* One round trip: everything in flight is acknowledged, two segments at a time. */
static void
round_trip(void)
{
	uint32_t n = RTE_MAX(x.cc.cwnd_bytes / (2 * MSS), 1u);

	for (uint32_t i = 0; i < n; i++) {
		struct tcp_cc_ack a = an_ack(2 * MSS);

		x.now_ns += x.rtt_us * UINT64_C(1000) / n;
		a.now_ns = x.now_ns;
		if (x.cc.ops->each != NULL)
			x.cc.ops->each(&x.cc, &a);
		x.cc.ops->acked(&x.cc, &a);
	}
}

static void
lose(void)
{
	x.cc.ops->lost(&x.cc, x.cc.cwnd_bytes, MSS, x.now_ns);
	x.cc.cwnd_bytes = x.cc.ssthresh_bytes;
}

static bool
is_near(double got, double want, double share)
{
	return fabs(got - want) <= share * want;
}

/* RFC 9438 s4.2: W_cubic(t), against the formula in floating point. */
START_TEST(cubic_follows_its_curve)
{
	static const uint32_t segments[] = {100, 1000, 20000};
	uint32_t w = segments[_i];
	double k, from;

	begin(&tcp_cc_cubic, w * MSS, MSS, 100000);
	lose();
	ck_assert(is_near(x.cc.cwnd_bytes, 0.7 * w * MSS, 0.001));
	k = cbrt((w - 0.7 * w) / 0.4);
	from = (double)x.now_ns / 1e9;
	for (double at = 0; at < 2 * k; at = (double)x.now_ns / 1e9 - from) {
		double want = 0.4 * pow(at - k, 3) + w;

		/* cwnd follows one round trip ahead, and at most half of itself in each. */
		if (at > 1)
			ck_assert_msg(is_near(x.cc.cwnd_bytes / (double)MSS, want, 0.06),
				"at %f: cwnd %f, W_cubic %f", at, x.cc.cwnd_bytes / (double)MSS,
				want);
		round_trip();
	}
}
END_TEST

/* RFC 9438 s4.3: where Reno would be faster, CUBIC is as fast: here K is seconds, the RTT 1 ms. */
START_TEST(cubic_is_reno_friendly_on_short_paths)
{
	begin(&tcp_cc_cubic, 20 * MSS, MSS, 1000);
	lose();
	for (int i = 0; i < 10; i++)
		round_trip();
	/* 14 segments and 9/17 of one for each round trip. */
	ck_assert(is_near(x.cc.cwnd_bytes, (14 + 10 * 9.0 / 17) * MSS, 0.05));
	for (int i = 0; i < 40; i++)
		round_trip();
	/* From the window of before the loss on it is one for each. */
	ck_assert_uint_ge(x.cc.cwnd_bytes, (20 + 33) * MSS);
	ck_assert_uint_le(x.cc.cwnd_bytes, (20 + 43) * MSS);
}
END_TEST

/* RFC 9438 s4.7 */
START_TEST(cubic_leaves_room_when_the_window_shrinks)
{
	begin(&tcp_cc_cubic, 1000 * MSS, MSS, 100000);
	lose();
	x.cc.cwnd_bytes = 700 * MSS;
	lose();
	ck_assert_uint_eq(x.cc.ssthresh_bytes, 490 * MSS);
	/* W_max is 595 now: in K = cbrt(105 / 0.4) = 6.4 s it is reached, and not passed by much.
	 */
	for (int i = 0; i < 64; i++)
		round_trip();
	ck_assert(is_near(x.cc.cwnd_bytes, 595 * MSS, 0.02));
}
END_TEST

/* RFC 9438 s4.8: after a timeout K is 0 and W_max the window that congestion avoidance begins with.
 */
START_TEST(cubic_begins_flat_after_a_timeout)
{
	begin(&tcp_cc_cubic, 1000 * MSS, MSS, 100000);
	lose();
	x.cc.ops->timeout(&x.cc, x.now_ns);
	ck_assert_uint_eq(x.cc.ssthresh_bytes, 700 * MSS);
	for (int i = 0; i < 50; i++)
		round_trip();
	/* 700 + 0.4 * 5^3; with the old W_max it were 973. */
	ck_assert(is_near(x.cc.cwnd_bytes, 750 * MSS, 0.02));
}
END_TEST

/* RFC 9438 s4.2, s5.8: the time in which the application asked for less than the window does not
 * count either. */
START_TEST(cubic_unused_time_is_no_growth)
{
	uint32_t before;

	begin(&tcp_cc_cubic, 1000 * MSS, MSS, 100000);
	lose();
	for (int i = 0; i < 10; i++)
		round_trip();
	before = x.cc.cwnd_bytes;
	for (int i = 0; i < 600; i++) {
		x.now_ns += 100 * NS_PER_MS;
		x.cc.ops->unused(&x.cc, x.now_ns);
	}
	round_trip();
	ck_assert_uint_ge(x.cc.cwnd_bytes, before);
	ck_assert_uint_le(x.cc.cwnd_bytes, before + before / 20);
}
END_TEST

/* RFC 9438 s4.9.2 */
START_TEST(cubic_undo_forgets_the_loss)
{
	uint32_t before = 1000 * MSS;

	begin(&tcp_cc_cubic, before, MSS, 100000);
	lose();
	x.cc.cwnd_bytes = before;
	x.cc.ops->undo(&x.cc);
	for (int i = 0; i < 10; i++)
		round_trip();
	ck_assert_uint_ge(x.cc.cwnd_bytes, before);
	ck_assert_uint_le(x.cc.cwnd_bytes, before + before / 50);
}
END_TEST

/* ... W_max too: what a loss below it made smaller is the plateau again. */
START_TEST(cubic_undo_restores_the_plateau)
{
	begin(&tcp_cc_cubic, 1000 * MSS, MSS, 100000);
	lose();
	lose();
	x.cc.cwnd_bytes = 700 * MSS;
	x.cc.ops->undo(&x.cc);
	/* K = cbrt(300 / 0.4) = 9.1 s to 1000 segments; after 6 s there are 988. */
	for (int i = 0; i < 60; i++)
		round_trip();
	ck_assert(is_near(x.cc.cwnd_bytes, 988 * MSS, 0.02));
}
END_TEST

/* RFC 9438 s4.2: the time without anything to send does not count. */
START_TEST(cubic_idle_time_is_no_growth)
{
	uint32_t before;

	begin(&tcp_cc_cubic, 1000 * MSS, MSS, 100000);
	lose();
	round_trip();
	before = x.cc.cwnd_bytes;
	x.now_ns += UINT64_C(60000000000);
	x.cc.ops->idle(&x.cc, UINT64_C(60000000000));
	round_trip();
	ck_assert_uint_le(x.cc.cwnd_bytes, before + before / 10);
}
END_TEST

/* RFC 5681 s3.1 */
START_TEST(newreno_adds_a_segment_in_each_round_trip)
{
	begin(&tcp_cc_newreno, 20 * MSS, MSS, 50000);
	for (int i = 0; i < 10; i++)
		round_trip();
	ck_assert(is_near(x.cc.cwnd_bytes, 30 * MSS, 0.05));
	lose();
	ck_assert(is_near(x.cc.cwnd_bytes, 15 * MSS, 0.05));
}
END_TEST

/* RFC 9406 s4.2: the delay grows, so slow start goes on slowly and ends, without a loss. */
START_TEST(slow_start_ends_when_the_delay_grows)
{
	const struct tcp_cc_ops *ops = _i == 0 ? &tcp_cc_newreno : &tcp_cc_cubic;
	uint32_t before;

	begin(ops, 20 * MSS, TCP_CWND_MAX, 50000);
	x.cc.hystart = true;
	round_trip();
	round_trip();
	ck_assert(is_near(x.cc.cwnd_bytes, 80 * MSS, 0.1));
	x.rtt_us = 60000;
	round_trip();
	before = x.cc.cwnd_bytes;
	round_trip();
	/* A quarter of the growth. */
	ck_assert(is_near(x.cc.cwnd_bytes, before * 1.25, 0.1));
	ck_assert_uint_eq(x.cc.ssthresh_bytes, TCP_CWND_MAX);
	for (int i = 0; i < 5; i++)
		round_trip();
	ck_assert_uint_lt(x.cc.ssthresh_bytes, TCP_CWND_MAX);
}
END_TEST

START_TEST(slow_start_goes_on_when_the_delay_was_a_mistake)
{
	begin(&tcp_cc_newreno, 20 * MSS, TCP_CWND_MAX, 50000);
	x.cc.hystart = true;
	round_trip();
	round_trip();
	x.rtt_us = 60000;
	round_trip();
	x.rtt_us = 50000;
	for (int i = 0; i < 6; i++)
		round_trip();
	ck_assert_uint_eq(x.cc.ssthresh_bytes, TCP_CWND_MAX);
}
END_TEST

/* RFC 8257 s3.3: a tenth of the octets marked takes a twentieth of the window. */
START_TEST(dctcp_shrinks_by_the_share_of_marks)
{
	begin(&tcp_cc_dctcp, 100 * MSS, MSS, 1000);
	for (int i = 0; i < 20000; i++) {
		struct tcp_cc_ack a = an_ack(MSS);

		a.marked = i % 10 == 0 ? MSS : 0;
		x.cc.ops->each(&x.cc, &a);
		if (a.marked > 0 && i > 19000) {
			x.cc.ops->lost(&x.cc, 100 * MSS, MSS, x.now_ns);
			break;
		}
	}
	ck_assert(is_near(x.cc.ssthresh_bytes, 95 * MSS, 0.01));
}
END_TEST

START_TEST(dctcp_without_marks_forgets_them)
{
	begin(&tcp_cc_dctcp, 10 * MSS, MSS, 1000);
	for (int i = 0; i < 5000; i++) {
		struct tcp_cc_ack a = an_ack(MSS);

		x.cc.ops->each(&x.cc, &a);
	}
	for (int i = 0; i < 1; i++) {
		struct tcp_cc_ack a = an_ack(MSS);

		a.marked = MSS;
		x.cc.ops->each(&x.cc, &a);
	}
	x.cc.ops->lost(&x.cc, 100 * MSS, MSS, x.now_ns);
	ck_assert_uint_ge(x.cc.ssthresh_bytes, 98 * MSS);
}
END_TEST

/* RFC 8257 s4.2 leaves the arithmetic to the implementation: what a shift leaves is forgotten as
 * well. */
START_TEST(dctcp_alpha_comes_down_to_nothing)
{
	struct tcp_cc_ack a;

	begin(&tcp_cc_dctcp, 10 * MSS, MSS, 1000);
	for (int i = 0; i < 5000; i++) {
		a = an_ack(MSS);
		x.cc.ops->each(&x.cc, &a);
	}
	a = an_ack(0);
	a.marked = MSS;
	x.cc.ops->each(&x.cc, &a);
	x.cc.ops->lost(&x.cc, 100 * MSS, MSS, x.now_ns);
	ck_assert_uint_eq(x.cc.ssthresh_bytes, 100 * MSS);
}
END_TEST

/* A bottleneck of 10 Mbyte/s and 20 ms: the model finds it, with at most two such in flight. */
START_TEST(bbr_finds_rate_and_delay)
{
	const double rate = 10.0; /* octets per microsecond */
	double queue_us = 0;

	begin(&tcp_cc_bbr, 10 * MSS, TCP_CWND_MAX, 20000);
	for (int i = 0; i < 3000; i++) {
		uint32_t flight = x.cc.cwnd_bytes;
		double paced = x.cc.pace == 0 ? 1e9 : x.cc.pace / 4096.0;
		double offered = RTE_MIN(paced, flight / (20000.0 + queue_us));
		double got = RTE_MIN(offered, rate);
		struct tcp_cc_ack a;

		queue_us = RTE_MAX(flight / rate - 20000.0, 0.0);
		if (offered < rate)
			queue_us = 0;
		x.now_ns += 2000000;
		a = an_ack((uint32_t)(got * 2000));
		a.rtt_us = (uint32_t)(20000 + queue_us);
		a.rate_bytes = (uint32_t)(got * 20000);
		a.rate_us = 20000;
		a.delivered_now = x.una;
		a.delivered_then = x.una - (uint32_t)(got * 20000);
		a.pipe_bytes = (uint32_t)(got * (20000 + queue_us));
		x.cc.ops->control(&x.cc, &a);
	}
	ck_assert_msg(is_near(x.cc.pace / 4096.0, rate, 0.3), "pace %f", x.cc.pace / 4096.0);
	ck_assert_uint_le(x.cc.cwnd_bytes, 2.5 * 200000);
	ck_assert_uint_ge(x.cc.cwnd_bytes, 200000);
}
END_TEST

static void
expect_name(const char *want)
{
	char name[16];
	socklen_t len = sizeof(name);

	ck_assert_int_eq(
		tcp_sock_ops.getopt(t.lc, &t.s, IPPROTO_TCP, TCP_CONGESTION, name, &len), 0);
	ck_assert_str_eq(name, want);
}

static int
choose(const char *name)
{
	return tcp_sock_ops.setopt(
		t.lc, &t.s, IPPROTO_TCP, TCP_CONGESTION, name, (socklen_t)strlen(name));
}

START_TEST(congestion_control_is_chosen_by_name)
{
	expect_name("cubic");
	ck_assert_int_eq(choose("vegas"), -ENOENT);
	ck_assert_int_eq(choose(""), -EINVAL);
	expect_name("cubic");
	ck_assert_int_eq(choose("bbr"), 0);
	pcb_established();
	expect_name("bbr");
	ck_assert_ptr_eq(t.p->cc.ops, &tcp_cc_bbr);
	ck_assert_int_eq(choose("reno"), 0);
	expect_name("newreno");
	s_send(10 * MSS);
	env_turn();
	RX(.flags = A, .seq = 1, .ack = 1 + 10 * MSS);
	pkt_queue_drop(t.lc, &t.out, DROP_PORT_CLOSED);
}
END_TEST

START_TEST(listener_gives_its_choice_to_its_children)
{
	struct tcp_pcb *p;
	uint32_t n = 0;

	pcb_listen();
	ck_assert_int_eq(
		tcp_sock_ops.setopt(t.lc, &t.lsn, IPPROTO_TCP, TCP_CONGESTION, "dctcp", 5), 0);
	RX(.flags = S);
	pkt_queue_drop(t.lc, &t.out, DROP_PORT_CLOSED);
	TAILQ_FOREACH (p, &t.lc->tcp->all, all) {
		if (p->state != TCPS_SYN_RCVD)
			continue;
		n++;
		ck_assert_ptr_eq(p->cc.ops, &tcp_cc_dctcp);
	}
	ck_assert_uint_eq(n, 1);
}
END_TEST

/* RFC 6928 s2 */
START_TEST(initial_window_follows_the_configuration)
{
	t.lc->tcp->conf.iw_segments = 4;
	pcb_established();
	s_send(20 * MSS);
	env_turn();
	ck_assert_uint_eq(t.out.n, 4);
}
END_TEST

/* Segments leave one after the other, not all at once. */
START_TEST(paced_connection_spreads_its_segments)
{
	t.lc->tcp->conf.cc = TCP_CONF_BBR;
	pcb_established();
	t.p->cc.pace = MSS * 4096 / 1000; /* one segment in a millisecond */
	s_send(10 * MSS);
	env_turn();
	ck_assert_uint_eq(t.out.n, 1);
	env_wait_us(3100);
	ck_assert_uint_eq(t.out.n, 4);
	env_wait_us(10000);
	ck_assert_uint_eq(t.out.n, 10);
}
END_TEST

/* RFC 9293 s3.8.6.2.1, (4): what the override timeout sends does not wait for its turn, or nothing
 * would send it later: the window is too small for the other reasons. */
START_TEST(paced_connection_sends_what_is_forced)
{
	t.lc->tcp->conf.cc = TCP_CONF_BBR;
	pcb_established();
	RX(.flags = A, .seq = 1, .ack = 1, .wnd = 500);
	t.p->cc.pace = 1;
	t.p->pace_ns = t.lc->now_ns + 10000 * NS_PER_MS;
	s_send(10 * MSS);
	env_turn();
	EXPECT_NONE();
	env_wait_us(t.p->rto_us);
	EXPECT(A, 1, 1, 500);
	EXPECT_NONE();
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("tcp_cc");
	TCase *c = tcase_create("tcp_cc");

	tcase_add_checked_fixture(c, setup, teardown);
	tcase_add_loop_test(c, cubic_follows_its_curve, 0, 3);
	tcase_add_test(c, cubic_is_reno_friendly_on_short_paths);
	tcase_add_test(c, cubic_leaves_room_when_the_window_shrinks);
	tcase_add_test(c, cubic_begins_flat_after_a_timeout);
	tcase_add_test(c, cubic_unused_time_is_no_growth);
	tcase_add_test(c, cubic_undo_forgets_the_loss);
	tcase_add_test(c, cubic_undo_restores_the_plateau);
	tcase_add_test(c, cubic_idle_time_is_no_growth);
	tcase_add_test(c, newreno_adds_a_segment_in_each_round_trip);
	tcase_add_loop_test(c, slow_start_ends_when_the_delay_grows, 0, 2);
	tcase_add_test(c, slow_start_goes_on_when_the_delay_was_a_mistake);
	tcase_add_test(c, dctcp_shrinks_by_the_share_of_marks);
	tcase_add_test(c, dctcp_without_marks_forgets_them);
	tcase_add_test(c, dctcp_alpha_comes_down_to_nothing);
	tcase_add_test(c, bbr_finds_rate_and_delay);
	tcase_add_test(c, congestion_control_is_chosen_by_name);
	tcase_add_test(c, listener_gives_its_choice_to_its_children);
	tcase_add_test(c, initial_window_follows_the_configuration);
	tcase_add_test(c, paced_connection_spreads_its_segments);
	tcase_add_test(c, paced_connection_sends_what_is_forced);
	suite_add_tcase(s, c);
	return env_main(s);
}
