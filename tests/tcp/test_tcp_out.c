/* SPDX-License-Identifier: BSD-3-Clause */
#include <netinet/in.h>
#include <string.h>

#include "tests/tcp/tcp_env.h"

/* RFC 9293 s3.7.4: Nagle */
START_TEST(nagle_holds_a_small_segment_while_data_are_in_flight)
{
	pcb_established();
	s_send(10);
	env_turn();
	EXPECT(A, 1, 1, 10);
	s_send(10);
	s_send(10);
	env_turn();
	EXPECT_NONE();
	RX(.flags = A, .seq = 1, .ack = 11);
	EXPECT(A, 11, 1, 20);
}
END_TEST

START_TEST(nagle_sends_full_segments_and_holds_the_rest)
{
	pcb_established();
	s_send(10);
	env_turn();
	EXPECT(A, 1, 1, 10);
	s_send(2 * MSS + 5);
	env_turn();
	EXPECT(A, 11, 1, MSS);
	EXPECT(A, 11 + MSS, 1, MSS);
	EXPECT_NONE();
}
END_TEST

START_TEST(nodelay_sends_at_once)
{
	int on = 1;

	pcb_established();
	ck_assert_int_eq(tcp_sock_ops.setopt(t.lc, &t.s, IPPROTO_TCP, 1, &on, sizeof(on)), 0);
	s_send(10);
	env_turn();
	EXPECT(A, 1, 1, 10);
	s_send(10);
	env_turn();
	EXPECT(A, 11, 1, 10);
}
END_TEST

START_TEST(setting_nodelay_releases_what_nagle_held)
{
	int on = 1;

	pcb_established();
	s_send(10);
	env_turn();
	EXPECT(A, 1, 1, 10);
	s_send(10);
	env_turn();
	EXPECT_NONE();
	ck_assert_int_eq(tcp_sock_ops.setopt(t.lc, &t.s, IPPROTO_TCP, 1, &on, sizeof(on)), 0);
	env_turn();
	EXPECT(A, 11, 1, 10);
}
END_TEST

START_TEST(fin_does_not_wait_for_nagle)
{
	pcb_established();
	s_send(10);
	env_turn();
	EXPECT(A, 1, 1, 10);
	s_send(10);
	s_close();
	env_turn();
	EXPECT(A | F, 11, 1, 10);
}
END_TEST

START_TEST(payload_is_what_the_application_gave)
{
	uint8_t b[4096];
	struct tcp_seg g;

	pcb_established();
	s_send(2 * MSS);
	env_turn();
	for (uint32_t i = 0; i < 2; i++) {
		g = env_tx(b);
		ck_assert_uint_eq(g.len, MSS);
		ck_assert_mem_eq(b, pattern() + i * MSS, MSS);
	}
}
END_TEST

/* RFC 6928 s2 */
START_TEST(initial_window_is_ten_segments)
{
	pcb_established();
	ck_assert_int_eq(s_send(20 * MSS), 20 * MSS);
	env_turn();
	ck_assert_uint_eq(t.out.n, 10);
	pkt_queue_drop(t.lc, &t.out, DROP_PORT_CLOSED);
	/* RFC 5681 s3.1: slow start, one more segment for each ACK. */
	RX(.flags = A, .seq = 1, .ack = 1 + 2 * MSS);
	ck_assert_uint_eq(t.out.n, 3);
}
END_TEST

START_TEST(congestion_avoidance_adds_one_segment_per_window)
{
	pcb_established();
	t.p->cc.ssthresh_bytes = t.p->cc.cwnd_bytes;
	s_send(40 * MSS);
	env_turn();
	for (uint32_t i = 1; i <= 10; i++) {
		ck_assert_uint_eq(t.p->cc.cwnd_bytes, 10 * MSS);
		RX(.flags = A, .seq = 1, .ack = 1 + i * MSS);
	}
	ck_assert_uint_eq(t.p->cc.cwnd_bytes, 11 * MSS);
}
END_TEST

START_TEST(peer_window_bounds_what_is_sent)
{
	pcb_established();
	RX(.flags = A, .seq = 1, .ack = 1, .wnd = 2 * MSS + 100);
	s_send(10 * MSS);
	env_turn();
	EXPECT(A, 1, 1, MSS);
	EXPECT(A, 1 + MSS, 1, MSS);
	EXPECT_NONE(); /* SWS avoidance: not the 100 */
	RX(.flags = A, .seq = 1, .ack = 1 + MSS, .wnd = 2 * MSS + 100);
	EXPECT(A, 1 + 2 * MSS, 1, MSS);
	EXPECT_NONE();
}
END_TEST

/* RFC 9293 s3.8.6.2.1, (3) */
START_TEST(half_of_the_largest_window_is_worth_a_segment)
{
	t.peer_mss = 1460;
	pcb_syn_sent();
	RX(.flags = S | A, .ack = 1, .wnd = 1000);
	EXPECT(A, 1, 1, 0);
	s_send(5000);
	env_turn();
	EXPECT(A, 1, 1, 1000);
	RX(.flags = A, .seq = 1, .ack = 1001, .wnd = 500);
	EXPECT(A, 1001, 1, 500);
}
END_TEST

/* RFC 9293 s3.8.6.2.1, (4): the override timeout */
START_TEST(tiny_window_is_used_after_a_timeout)
{
	pcb_established();
	RX(.flags = A, .seq = 1, .ack = 1, .wnd = 100);
	s_send(5000);
	env_turn();
	EXPECT_NONE();
	env_wait_us(200000);
	EXPECT(A, 1, 1, 100);
	RX(.flags = A, .seq = 1, .ack = 101);
	EXPECT(A, 101, 1, MSS);
}
END_TEST

/* RFC 9293 s3.7.1 */
START_TEST(dust_mss_is_refused)
{
	pcb_syn_sent();
	t.peer_mss = 0;
	RX(.flags = S | A, .ack = 1);
	EXPECT(A, 1, 1, 0);
	ck_assert_uint_eq(t.p->mss, 88);
}
END_TEST

START_TEST(peer_mss_bounds_segments_with_timestamps)
{
	t.peer_mss = 1000;
	t.peer_ts = true;
	pcb_established();
	s_send(1100);
	env_turn();
	EXPECT(A, 1, 1, 1000 - 12);
}
END_TEST

START_TEST(maxseg_bounds_both_directions)
{
	struct sock_addr a = {
		.addr = ip_addr_v4(RTE_BE32(0x0a000002)), .port = RTE_BE16(PEER_PORT)};
	int v = 500;

	ck_assert_int_eq(tcp_sock_ops.setopt(t.lc, &t.s, IPPROTO_TCP, 2, &v, sizeof(v)), 0);
	ck_assert_int_eq(tcp_sock_ops.connect(t.lc, &t.s, &a), -115);
	t.p = t.s.pcb;
	env_turn();
	ck_assert_uint_eq(env_tx(NULL).mss, 500);
	RX(.flags = S | A, .ack = 1);
	EXPECT(A, 1, 1, 0);
	s_send(600);
	env_turn();
	EXPECT(A, 1, 1, 500);
}
END_TEST

/* RFC 1191, RFC 5927 s4.1 */
START_TEST(too_big_shrinks_segments_and_sends_again)
{
	pcb_established();
	s_send(2 * MSS);
	env_turn();
	EXPECT(A, 1, 1, MSS);
	EXPECT(A, 1 + MSS, 1, MSS);
	ck_assert(!tcp_icmp(t.lc, &t.p->fe.key, t.p->iss + 5000, TCP_ICMP_TOOBIG, 1000));
	env_turn();
	EXPECT_NONE();
	ck_assert(!tcp_icmp(t.lc, &t.p->fe.key, t.p->iss, TCP_ICMP_TOOBIG, 1000));
	env_turn();
	EXPECT_NONE();
	ck_assert(tcp_icmp(t.lc, &t.p->fe.key, t.p->iss + 1, TCP_ICMP_TOOBIG, 1000));
	env_turn();
	EXPECT(A, 1, 1, 960);
	EXPECT(A, 961, 1, 960);
	EXPECT(A, 1921, 1, 960);
	EXPECT(A, 2881, 1, 2 * MSS - 2880);
	tcp_icmp(t.lc, &t.p->fe.key, t.p->iss + 1, TCP_ICMP_TOOBIG, 68);
	ck_assert_uint_ge(t.p->mss, 88);
	tcp_icmp(t.lc, &t.p->fe.key, t.p->iss + 1, TCP_ICMP_TOOBIG, 0);
	ck_assert_uint_ge(t.p->mss, 88);
}
END_TEST

START_TEST(too_big_without_mtu_takes_the_next_plateau)
{
	pcb_established();
	s_send(MSS);
	env_turn();
	EXPECT(A, 1, 1, MSS);
	tcp_icmp(t.lc, &t.p->fe.key, t.p->iss + 1, TCP_ICMP_TOOBIG, 0);
	ck_assert_uint_eq(t.p->pmtu, 1492);
}
END_TEST

/* RFC 5927 s5.2 */
START_TEST(hard_error_ends_only_what_is_being_opened)
{
	pcb_syn_sent();
	tcp_icmp(t.lc, &t.p->fe.key, t.p->iss, TCP_ICMP_SOFT, 0);
	EXPECT_STATE(SYN_SENT);
	tcp_icmp(t.lc, &t.p->fe.key, t.p->iss + 7, TCP_ICMP_HARD, 0);
	EXPECT_STATE(SYN_SENT);
	ck_assert(tcp_icmp(t.lc, &t.p->fe.key, t.p->iss, TCP_ICMP_HARD, 0));
	EXPECT_STATE(CLOSED);
	ck_assert_int_eq(s_so_error(), 111);
}
END_TEST

START_TEST(hard_error_does_not_end_established)
{
	pcb_established();
	s_send(10);
	env_turn();
	EXPECT(A, 1, 1, 10);
	tcp_icmp(t.lc, &t.p->fe.key, t.p->iss + 1, TCP_ICMP_HARD, 0);
	EXPECT_STATE(ESTABLISHED);
}
END_TEST

/* A vector that is partly full, a small max: never more than asked for, nothing lost. */
START_TEST(tcp_out_never_makes_more_than_asked_for)
{
	struct pkt_vec v = {.n = 0};
	uint32_t total = 0;

	pcb_established();
	s_send(10 * MSS);
	while (tcp_out_pending(t.lc)) {
		uint32_t n;

		v.n = 30;
		n = tcp_out(t.lc, &v, 3);
		ck_assert_uint_le(n, 2);
		ck_assert_uint_eq(v.n, 30 + n);
		for (uint32_t i = 0; i < n; i++)
			rte_pktmbuf_free(v.m[30 + i]);
		total += n;
	}
	ck_assert_uint_eq(total, 10);
}
END_TEST

/* Pool exhausted: the worker goes on when buffers come back. */
START_TEST(no_packet_buffer_delays_and_loses_nothing)
{
	struct rte_mbuf *hog[1100];
	uint32_t n = 0;
	struct pkt_vec v = {.n = 0};

	pcb_established();
	s_send(3 * MSS);
	while ((hog[n] = rte_pktmbuf_alloc(t.lc->pkt_pool)) != NULL)
		n++;
	ck_assert_uint_eq(tcp_out(t.lc, &v, 8), 0);
	ck_assert(tcp_out_pending(t.lc));
	while (n > 0)
		rte_pktmbuf_free(hog[--n]);
	env_turn();
	ck_assert_uint_eq(t.out.n, 3);
}
END_TEST

/* Connections take turns with a quantum. */
START_TEST(connections_take_turns)
{
	struct sock other;
	struct sock_addr a = {
		.addr = ip_addr_v4(RTE_BE32(0x0a000002)), .port = RTE_BE16(PEER_PORT)};
	struct tcp_pcb *first;
	struct pkt_vec v = {.n = 0};
	uint32_t mine = 0;

	pcb_established();
	first = t.p;
	sock_new(&other);
	ck_assert_int_eq(tcp_sock_ops.connect(t.lc, &other, &a), -115);
	t.p = other.pcb;
	env_turn();
	EXPECT(S, 0, 0, 0);
	RX(.flags = S | A, .ack = 1);
	EXPECT(A, 1, 1, 0);
	s_send(10 * MSS);
	ck_assert_int_eq(tcp_sock_ops.send(t.lc, &other, pattern(), 10 * MSS, 0), 10 * MSS);
	tcp_out(t.lc, &v, 16);
	for (uint32_t i = 0; i < v.n; i++)
		mine += pkt_meta(v.m[i])->key.lport == first->fe.key.lport;
	ck_assert_uint_eq(v.n, 16);
	ck_assert_uint_eq(mine, 8);
	pkt_vec_drop(t.lc, &v, DROP_PORT_CLOSED);
	env_turn();
	other.linger_s = 0;
	tcp_sock_ops.close(t.lc, &other);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("tcp_out");
	TCase *c = tcase_create("tcp_out");

	tcase_add_checked_fixture(c, setup_newreno, teardown);
	tcase_add_test(c, nagle_holds_a_small_segment_while_data_are_in_flight);
	tcase_add_test(c, nagle_sends_full_segments_and_holds_the_rest);
	tcase_add_test(c, nodelay_sends_at_once);
	tcase_add_test(c, setting_nodelay_releases_what_nagle_held);
	tcase_add_test(c, fin_does_not_wait_for_nagle);
	tcase_add_test(c, payload_is_what_the_application_gave);
	tcase_add_test(c, initial_window_is_ten_segments);
	tcase_add_test(c, congestion_avoidance_adds_one_segment_per_window);
	tcase_add_test(c, peer_window_bounds_what_is_sent);
	tcase_add_test(c, half_of_the_largest_window_is_worth_a_segment);
	tcase_add_test(c, tiny_window_is_used_after_a_timeout);
	tcase_add_test(c, dust_mss_is_refused);
	tcase_add_test(c, peer_mss_bounds_segments_with_timestamps);
	tcase_add_test(c, maxseg_bounds_both_directions);
	tcase_add_test(c, too_big_shrinks_segments_and_sends_again);
	tcase_add_test(c, too_big_without_mtu_takes_the_next_plateau);
	tcase_add_test(c, hard_error_ends_only_what_is_being_opened);
	tcase_add_test(c, hard_error_does_not_end_established);
	tcase_add_test(c, tcp_out_never_makes_more_than_asked_for);
	tcase_add_test(c, no_packet_buffer_delays_and_loses_nothing);
	tcase_add_test(c, connections_take_turns);
	suite_add_tcase(s, c);
	return env_main(s);
}
