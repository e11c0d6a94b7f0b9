/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>

#include "tests/tcp/tcp_env.h"

/* ---- RFC 9293 s3.10.7.1: CLOSED ---- */

START_TEST(closed_syn_gets_rst_ack)
{
	RX(.flags = S, .seq = 0);
	EXPECT(R | A, 0, 1, 0);
	ck_assert_uint_eq(t.fake.answered, 1);
	ck_assert_uint_eq(env_drops(DROP_TCP_NO_PCB), 1);
}
END_TEST

START_TEST(closed_data_without_ack_gets_rst_ack_of_its_length)
{
	RX(.flags = 0, .seq = 5, .len = 10);
	EXPECT(R | A, 0, 15, 0);
}
END_TEST

START_TEST(closed_ack_gets_rst_with_its_ack_number)
{
	RX(.flags = A, .seq = 1, .ack = 777);
	EXPECT(R, 777, 0, 0);
}
END_TEST

START_TEST(closed_rst_gets_nothing)
{
	RX(.flags = R, .seq = 1);
	RX(.flags = R | A, .seq = 1, .ack = 4);
	EXPECT_NONE();
}
END_TEST

/* ---- RFC 9293 s3.10.7.2: LISTEN ---- */

START_TEST(listen_rst_is_ignored)
{
	pcb_listen();
	RX(.flags = R, .seq = 1);
	EXPECT_NONE();
	ck_assert_uint_eq(tcp_pcbs_in_use(t.lc), 0);
}
END_TEST

START_TEST(listen_ack_gets_rst)
{
	pcb_listen();
	RX(.flags = A, .seq = 1, .ack = 99);
	EXPECT(R, 99, 0, 0);
	RX(.flags = S | A, .seq = 1, .ack = 98);
	EXPECT(R, 98, 0, 0);
}
END_TEST

START_TEST(listen_neither_syn_ack_nor_rst_is_ignored)
{
	pcb_listen();
	RX(.flags = F, .seq = 1);
	EXPECT_NONE();
	ck_assert_uint_eq(env_drops(DROP_TCP_NOACK), 1);
}
END_TEST

START_TEST(listen_syn_makes_a_child_and_syn_ack)
{
	pcb_syn_rcvd();
	ck_assert_uint_eq(t.fake.spawned, 1);
	ck_assert_uint_eq(tcp_pcbs_in_use(t.lc), 1);
	ck_assert_uint_eq(tcp_sock_ops.ready(t.lc, &t.lsn), 0);
}
END_TEST

/* RFC 9293 s3.7.1; RFC 7323 s1.3: an option is offered back only if the SYN had it. */
START_TEST(listen_syn_options_are_answered_in_kind)
{
	struct tcp_seg g;

	pcb_listen();
	RX(.flags = S);
	g = env_tx(NULL);
	ck_assert_uint_eq(g.opts, TCP_O_MSS);
	ck_assert_uint_eq(g.mss, 1460);
	t.peer_ws = 3;
	t.peer_ts = true;
	RX(.flags = S, .peer_port = 4001);
	g = env_tx(NULL);
	ck_assert_uint_eq(g.opts, TCP_O_MSS | TCP_O_TS | TCP_O_WS);
	ck_assert_uint_eq(g.ts_ecr, t.peer_ts_val);
	ck_assert_uint_eq(g.wscale, 3);
	ck_assert_uint_eq(g.wnd, 65535);
}
END_TEST

/* ---- RFC 9293 s3.10.7.3: SYN-SENT ---- */

START_TEST(syn_sent_syn_ack_enters_established)
{
	pcb_established();
	ck_assert_uint_eq(tcp_sock_ops.ready(t.lc, &t.s), TL_EV_OUT);
	ck_assert_int_eq(s_so_error(), 0);
}
END_TEST

START_TEST(syn_sent_syn_offers_all_options)
{
	struct sock_addr a = {.addr = ip_addr_v4(RTE_BE32(0x0a000002)), .port = RTE_BE16(9)};
	struct tcp_seg g;

	ck_assert_int_eq(tcp_sock_ops.connect(t.lc, &t.s, &a), -EINPROGRESS);
	env_turn();
	g = env_tx(NULL);
	ck_assert_uint_eq(g.flags, S);
	ck_assert_uint_eq(g.opts, TCP_O_MSS | TCP_O_WS | TCP_O_TS | TCP_O_SACK_PERM);
	ck_assert_uint_eq(g.ts_ecr, 0);
}
END_TEST

START_TEST(syn_sent_bad_ack_gets_rst)
{
	pcb_syn_sent();
	RX(.flags = S | A, .ack = 2);
	EXPECT(R, 2, 0, 0);
	RX(.flags = A, .ack = 0);
	EXPECT(R, 0, 0, 0);
	EXPECT_STATE(SYN_SENT);
}
END_TEST

START_TEST(syn_sent_rst_with_good_ack_is_refused)
{
	pcb_syn_sent();
	RX(.flags = R | A, .ack = 1);
	EXPECT_NONE();
	EXPECT_STATE(CLOSED);
	ck_assert_uint_eq(tcp_sock_ops.ready(t.lc, &t.s) & TL_EV_ERR, TL_EV_ERR);
	ck_assert_int_eq(s_so_error(), ECONNREFUSED);
	ck_assert_int_eq(s_so_error(), 0);
	ck_assert_uint_eq(t.fake.released, 1);
}
END_TEST

START_TEST(syn_sent_rst_without_ack_is_ignored)
{
	pcb_syn_sent();
	RX(.flags = R);
	RX(.flags = R | A, .ack = 77);
	EXPECT_NONE();
	EXPECT_STATE(SYN_SENT);
}
END_TEST

START_TEST(syn_sent_ack_alone_is_ignored)
{
	pcb_syn_sent();
	RX(.flags = A, .ack = 1);
	EXPECT_NONE();
	EXPECT_STATE(SYN_SENT);
}
END_TEST

START_TEST(syn_sent_syn_enters_syn_received)
{
	pcb_syn_rcvd_active();
}
END_TEST

/* RFC 9293 figure 8 */
START_TEST(simultaneous_open_syn_ack_enters_established)
{
	pcb_syn_rcvd_active();
	RX(.flags = S | A, .seq = 0, .ack = 1);
	EXPECT_STATE(ESTABLISHED);
	ck_assert_int_eq(s_send(10), 10);
	env_turn();
	EXPECT(A, 1, 1, 10);
}
END_TEST

START_TEST(simultaneous_open_ack_enters_established)
{
	pcb_syn_rcvd_active();
	RX(.flags = A, .seq = 1, .ack = 1);
	EXPECT_NONE();
	EXPECT_STATE(ESTABLISHED);
}
END_TEST

START_TEST(simultaneous_open_rst_is_refused)
{
	pcb_syn_rcvd_active();
	RX(.flags = R, .seq = 1);
	EXPECT_STATE(CLOSED);
	ck_assert_int_eq(s_so_error(), ECONNREFUSED);
}
END_TEST

START_TEST(syn_sent_syn_ack_with_data_delivers_it)
{
	uint8_t buf[32];

	pcb_syn_sent();
	RX(.flags = S | A, .ack = 1, .len = 5);
	EXPECT(A, 1, 6, 0);
	ck_assert_int_eq(s_recv(buf, 32), 5);
	ck_assert_mem_eq(buf, pattern(), 5);
}
END_TEST

/* ---- SYN-RECEIVED ---- */

START_TEST(syn_received_ack_enters_established_and_wakes_the_listener)
{
	pcb_passive_queued();
	ck_assert_uint_eq(tcp_sock_ops.ready(t.lc, &t.lsn), TL_EV_IN);
	ck_assert_int_eq(tcp_sock_ops.accept(t.lc, &t.lsn, &t.s), 0);
	ck_assert_uint_eq(tcp_sock_ops.ready(t.lc, &t.lsn), 0);
	ck_assert_int_eq(tcp_sock_ops.accept(t.lc, &t.lsn, &t.s), -EAGAIN);
}
END_TEST

START_TEST(syn_received_bad_ack_gets_rst)
{
	pcb_syn_rcvd();
	RX(.flags = A, .seq = 1, .ack = 2);
	EXPECT(R, 2, 0, 0);
	RX(.flags = A, .seq = 1, .ack = 0);
	ck_assert_uint_eq(t.out.n, 1);
	EXPECT_STATE(SYN_RCVD);
}
END_TEST

START_TEST(syn_received_rst_forgets_the_child)
{
	pcb_syn_rcvd();
	RX(.flags = R, .seq = 1);
	EXPECT_NONE();
	ck_assert_uint_eq(tcp_pcbs_in_use(t.lc), 0);
	ck_assert_uint_eq(t.fake.released, 1);
}
END_TEST

START_TEST(syn_received_rst_elsewhere_in_window_is_challenged)
{
	pcb_syn_rcvd();
	RX(.flags = R, .seq = 2);
	EXPECT(A, 1, 1, 0);
	EXPECT_STATE(SYN_RCVD);
}
END_TEST

START_TEST(syn_received_same_syn_gets_syn_ack_again)
{
	pcb_syn_rcvd();
	RX(.flags = S);
	EXPECT(S | A, 0, 1, 0);
	EXPECT_STATE(SYN_RCVD);
}
END_TEST

START_TEST(syn_received_syn_in_window_returns_to_listen)
{
	pcb_syn_rcvd();
	RX(.flags = S, .seq = 5);
	EXPECT_NONE();
	ck_assert_uint_eq(tcp_pcbs_in_use(t.lc), 0);
}
END_TEST

START_TEST(syn_received_ack_with_fin_enters_close_wait)
{
	pcb_syn_rcvd();
	RX(.flags = A | F, .seq = 1, .ack = 1, .len = 3);
	EXPECT(A, 1, 5, 0);
	EXPECT_STATE(CLOSE_WAIT);
}
END_TEST

START_TEST(syn_received_no_ack_flag_is_ignored)
{
	pcb_syn_rcvd();
	RX(.flags = 0, .seq = 1, .len = 1);
	EXPECT_NONE();
	ck_assert_uint_eq(env_drops(DROP_TCP_NOACK), 1);
}
END_TEST

START_TEST(syn_received_silence_repeats_syn_ack_then_forgets)
{
	pcb_syn_rcvd();
	for (int i = 0; i < 5; i++) {
		env_wait_us(1000000u << i);
		EXPECT(S | A, 0, 1, 0);
	}
	env_wait_us(32000000);
	EXPECT_NONE();
	ck_assert_uint_eq(tcp_pcbs_in_use(t.lc), 0);
}
END_TEST

/* Bounded queues: the ACK that would overflow the accept queue is as if lost. */
START_TEST(syn_received_ack_with_full_accept_queue_waits)
{
	pcb_listen();
	for (uint16_t i = 0; i < 6; i++) {
		RX(.flags = S, .peer_port = (uint16_t)(5000 + i));
		ck_assert_uint_eq(t.out.n, 1);
		pkt_queue_drop(t.lc, &t.out, DROP_PORT_CLOSED);
	}
	for (uint16_t i = 0; i < 6; i++) {
		struct in in = {.flags = A, .seq = 1, .peer_port = (uint16_t)(5000 + i)};
		struct flow_key k = {.local = ip_addr_v4(RTE_BE32(0x0a000001)),
			.remote = ip_addr_v4(RTE_BE32(0x0a000002)),
			.lport = RTE_BE16(OWN_PORT),
			.rport = rte_cpu_to_be_16(in.peer_port),
			.proto = 6};
		struct flow_ent *fe = flow_find(t.lc, &k);

		t.p = container_of(fe, struct tcp_pcb, fe);
		in.ack = 1;
		RX(.flags = A, .seq = 1, .ack = 1);
		EXPECT_NONE();
		ck_assert_uint_eq(t.p->state, i < 4 ? TCPS_ESTABLISHED : TCPS_SYN_RCVD);
	}
	ck_assert_uint_eq(env_drops(DROP_TCP_BACKLOG), 2);
	/* And a full accept queue takes no new SYN. */
	t.p = NULL;
	RX(.flags = S, .peer_port = 6000);
	EXPECT_NONE();
	ck_assert_uint_eq(env_drops(DROP_TCP_BACKLOG), 3);
}
END_TEST

/* ---- sequence check, RFC 9293 s3.10.7.4, first ---- */

START_TEST(established_old_data_gets_an_ack)
{
	pcb_established();
	RX(.flags = A, .seq = 1, .ack = 1, .len = 10);
	RX(.flags = A, .seq = 1, .ack = 1, .len = 10);
	EXPECT(A, 1, 11, 0);
	ck_assert_uint_eq(env_drops(DROP_TCP_SEQ), 1);
}
END_TEST

START_TEST(established_data_beyond_the_window_gets_an_ack)
{
	pcb_established();
	RX(.flags = A, .seq = 1 + 256 * 1024 + 1, .ack = 1, .len = 10);
	EXPECT(A, 1, 1, 0);
	ck_assert_uint_eq(env_drops(DROP_TCP_SEQ), 1);
	ck_assert_uint_eq(t.p->ooo_n, 0);
}
END_TEST

START_TEST(established_rst_outside_the_window_is_dropped)
{
	pcb_established();
	RX(.flags = R, .seq = 0);
	RX(.flags = R, .seq = 1 + 256 * 1024 + 1);
	EXPECT_NONE();
	EXPECT_STATE(ESTABLISHED);
}
END_TEST

/* RFC 5961 s3.2 */
START_TEST(established_rst_exact_resets)
{
	uint8_t b[1];

	pcb_established();
	RX(.flags = A, .seq = 1, .ack = 1, .len = 10);
	RX(.flags = R, .seq = 11);
	EXPECT_NONE();
	EXPECT_STATE(CLOSED);
	ck_assert_int_eq(s_recv(b, 1), -ECONNRESET);
	ck_assert_int_eq(s_recv(b, 1), 0);
	ck_assert_int_eq(s_send(1), -EPIPE);
	ck_assert_uint_eq(t.fake.released, 1);
}
END_TEST

START_TEST(established_rst_in_window_is_challenged)
{
	pcb_established();
	RX(.flags = R, .seq = 2);
	EXPECT(A, 1, 1, 0);
	EXPECT_STATE(ESTABLISHED);
	ck_assert_uint_eq(t.lc->stat.st[ST_TCP_CHALLENGE], 1);
}
END_TEST

/* RFC 5961 s4.2; F-20 */
START_TEST(established_syn_is_challenged)
{
	pcb_established();
	RX(.flags = S, .seq = 0);
	EXPECT(A, 1, 1, 0);
	RX(.flags = S, .seq = 100);
	EXPECT(A, 1, 1, 0);
	RX(.flags = S, .seq = 0x40000000);
	EXPECT(A, 1, 1, 0);
	RX(.flags = S | A, .seq = 1, .ack = 1);
	EXPECT(A, 1, 1, 0);
	EXPECT_STATE(ESTABLISHED);
}
END_TEST

/* RFC 5961 s7 */
START_TEST(challenge_acks_are_limited)
{
	uint32_t n = 0;

	pcb_established();
	for (int i = 0; i < 3000; i++) {
		RX(.flags = S, .seq = 100);
		n += t.out.n;
		pkt_queue_drop(t.lc, &t.out, DROP_PORT_CLOSED);
	}
	ck_assert_uint_ge(n, 500);
	ck_assert_uint_lt(n, 1500);
	env_wait_us(1000000);
	RX(.flags = S, .seq = 100);
	EXPECT(A, 1, 1, 0);
}
END_TEST

/* RFC 5961 s5.2 */
START_TEST(established_ack_out_of_range_is_challenged)
{
	pcb_established();
	RX(.flags = A, .seq = 1, .ack = 2, .len = 10);
	EXPECT(A, 1, 1, 0);
	RX(.flags = A, .seq = 1, .ack = (uint32_t)(1 - 65535 - 1), .len = 10);
	EXPECT(A, 1, 1, 0);
	ck_assert_uint_eq(env_drops(DROP_TCP_ACK), 2);
	RX(.flags = A, .seq = 1, .ack = (uint32_t)(1 - 65535), .len = 10);
	EXPECT_NONE();
	ck_assert_uint_eq(buf_len(&t.p->rcv), 10);
}
END_TEST

START_TEST(established_no_ack_flag_is_dropped)
{
	pcb_established();
	RX(.flags = 0, .seq = 1, .len = 10);
	EXPECT_NONE();
	ck_assert_uint_eq(buf_len(&t.p->rcv), 0);
}
END_TEST

/* ---- RFC 7323 ---- */

static void
established_ts(void)
{
	t.peer_ts = true;
	t.peer_ts_val = 0xfffffff0; /* wraps soon */
	pcb_established();
}

/* s5.3, R1 */
START_TEST(paws_old_timestamp_is_dropped_with_an_ack)
{
	established_ts();
	t.peer_ts_val -= 1;
	RX(.flags = A, .seq = 1, .ack = 1, .len = 10);
	EXPECT(A, 1, 1, 0);
	ck_assert_uint_eq(env_drops(DROP_TCP_PAWS), 1);
	ck_assert_uint_eq(buf_len(&t.p->rcv), 0);
}
END_TEST

START_TEST(paws_does_not_apply_to_rst)
{
	established_ts();
	t.peer_ts_val -= 100;
	RX(.flags = R, .seq = 1);
	EXPECT_STATE(CLOSED);
}
END_TEST

START_TEST(paws_timestamp_wraps)
{
	established_ts();
	t.peer_ts_val += 0x20;
	RX(.flags = A, .seq = 1, .ack = 1, .len = 10);
	ck_assert_uint_eq(t.p->ts_recent, 0x10);
	ck_assert_uint_eq(buf_len(&t.p->rcv), 10);
}
END_TEST

/* s5.5 */
START_TEST(paws_timestamp_expires_after_24_days)
{
	established_ts();
	t.lc->now_ns += UINT64_C(25) * 86400 * 1000000000;
	t.peer_ts_val -= 100;
	RX(.flags = A, .seq = 1, .ack = 1, .len = 10);
	ck_assert_uint_eq(buf_len(&t.p->rcv), 10);
	ck_assert_uint_eq(t.p->ts_recent, t.peer_ts_val);
}
END_TEST

/* s3.2 */
START_TEST(negotiated_timestamp_missing_is_dropped)
{
	established_ts();
	RX(.flags = A, .seq = 1, .ack = 1, .len = 10, .no_ts = true);
	EXPECT_NONE();
	ck_assert_uint_eq(env_drops(DROP_TCP_PAWS), 1);
}
END_TEST

/* s4.3: the timestamp of a segment beyond the last ACK is not taken. */
START_TEST(timestamp_of_out_of_order_segment_is_not_echoed)
{
	uint32_t before = 0xfffffff0;
	struct tcp_seg g;

	established_ts();
	t.peer_ts_val += 4;
	RX(.flags = A, .seq = 11, .ack = 1, .len = 10);
	g = env_tx(NULL);
	ck_assert_uint_eq(g.ts_ecr, before);
	RX(.flags = A, .seq = 1, .ack = 1, .len = 10);
	g = env_tx(NULL);
	ck_assert_uint_eq(g.ts_ecr, before + 4);
	ck_assert_uint_eq(g.ack, 21);
}
END_TEST

/* s2.2 */
START_TEST(windows_are_scaled_after_the_handshake)
{
	struct tcp_seg g;

	t.peer_ws = 5;
	pcb_established();
	ck_assert_uint_eq(t.p->snd_wnd, 65535);
	RX(.flags = A, .seq = 1, .ack = 1, .wnd = 1000, .len = 3000);
	ck_assert_uint_eq(t.p->snd_wnd, 32000);
	env_wait_us(50000);
	g = env_tx(NULL);
	ck_assert_uint_eq(g.wnd, (256 * 1024 - 3000) >> 3);
}
END_TEST

/* ---- FIN, RFC 9293 s3.10.7.4, eighth ---- */

START_TEST(established_fin_enters_close_wait)
{
	uint8_t b[1];

	pcb_close_wait();
	ck_assert_uint_eq(tcp_sock_ops.ready(t.lc, &t.s), TL_EV_IN | TL_EV_OUT | TL_EV_RDHUP);
	ck_assert_int_eq(s_recv(b, 1), 0);
}
END_TEST

START_TEST(fin_wait_1_ack_of_fin_enters_fin_wait_2)
{
	pcb_fin_wait_2();
}
END_TEST

START_TEST(fin_wait_1_fin_enters_closing)
{
	pcb_closing();
}
END_TEST

START_TEST(fin_wait_1_fin_with_ack_of_fin_enters_time_wait)
{
	pcb_fin_wait_1();
	RX(.flags = F | A, .seq = 1, .ack = 2);
	EXPECT(A, 2, 2, 0);
	EXPECT_STATE(TIME_WAIT);
}
END_TEST

START_TEST(fin_wait_2_data_is_still_delivered)
{
	uint8_t b[32];

	pcb_fin_wait_2();
	RX(.flags = A, .seq = 1, .ack = 2, .len = 9);
	ck_assert_int_eq(s_recv(b, 32), 9);
}
END_TEST

START_TEST(fin_wait_2_fin_enters_time_wait)
{
	pcb_time_wait();
}
END_TEST

START_TEST(closing_ack_of_fin_enters_time_wait)
{
	pcb_closing();
	RX(.flags = A, .seq = 2, .ack = 2);
	EXPECT_NONE();
	EXPECT_STATE(TIME_WAIT);
}
END_TEST

START_TEST(last_ack_ack_of_fin_enters_closed)
{
	pcb_last_ack();
	RX(.flags = A, .seq = 2, .ack = 2);
	EXPECT_NONE();
	EXPECT_STATE(CLOSED);
	ck_assert_int_eq(s_so_error(), 0);
	ck_assert_uint_eq(t.fake.released, 1);
	ck_assert_uint_eq(tcp_pcbs_in_use(t.lc), 0);
}
END_TEST

START_TEST(close_wait_fin_again_gets_ack)
{
	pcb_close_wait();
	RX(.flags = F | A, .seq = 1, .ack = 1);
	EXPECT(A, 1, 2, 0);
	EXPECT_STATE(CLOSE_WAIT);
}
END_TEST

START_TEST(rst_in_closing_states_is_no_error)
{
	void (*const build[])(void) = {pcb_closing, pcb_last_ack, pcb_time_wait};

	build[_i]();
	RX(.flags = R, .seq = 2);
	EXPECT_NONE();
	EXPECT_STATE(CLOSED);
	ck_assert_int_eq(s_so_error(), 0);
}
END_TEST

START_TEST(rst_in_data_states_is_econnreset)
{
	void (*const build[])(void) = {
		pcb_established, pcb_fin_wait_1, pcb_fin_wait_2, pcb_close_wait, pcb_passive};

	build[_i]();
	RX(.flags = R, .seq = build[_i] == pcb_close_wait ? 2 : 1);
	EXPECT_NONE();
	EXPECT_STATE(CLOSED);
	ck_assert_int_eq(s_so_error(), ECONNRESET);
}
END_TEST

/* ---- TIME-WAIT ---- */

START_TEST(time_wait_fin_again_gets_ack_and_restarts_2msl)
{
	pcb_time_wait();
	env_wait_us(40000000);
	RX(.flags = F | A, .seq = 1, .ack = 2);
	EXPECT(A, 2, 2, 0);
	env_wait_us(59000000);
	EXPECT_STATE(TIME_WAIT);
	ck_assert_uint_eq(t.fake.released, 0);
	env_wait_us(1000000);
	EXPECT_STATE(CLOSED);
	ck_assert_uint_eq(t.fake.released, 1);
	EXPECT_NONE();
}
END_TEST

static void
time_wait_server(void)
{
	pcb_passive();
	ck_assert_int_eq(tcp_sock_ops.shutdown(t.lc, &t.s, SHUT_WR), 0);
	env_turn();
	EXPECT(F | A, 1, 1, 0);
	RX(.flags = F | A, .seq = 1, .ack = 2);
	EXPECT(A, 2, 2, 0);
	EXPECT_STATE(TIME_WAIT);
}

/* RFC 9293 s3.10.7.4 and RFC 6191 s2 */
START_TEST(time_wait_syn_with_greater_sequence_opens_again)
{
	struct tcp_seg g;
	uint32_t old_max;

	time_wait_server();
	old_max = t.p->snd_max;
	s_close();
	RX(.flags = S, .seq = 3);
	t.p = NULL;
	g = env_tx(NULL);
	ck_assert_uint_eq(g.flags, S | A);
	ck_assert_uint_eq(g.ack, 4);
	ck_assert(seq_gt(g.seq, old_max));
	ck_assert_uint_eq(t.fake.released, 1);
	ck_assert_uint_eq(t.fake.spawned, 2);
}
END_TEST

START_TEST(time_wait_syn_with_old_sequence_gets_ack)
{
	time_wait_server();
	RX(.flags = S, .seq = 1);
	EXPECT(A, 2, 2, 0);
	EXPECT_STATE(TIME_WAIT);
}
END_TEST

START_TEST(time_wait_syn_with_newer_timestamp_opens_again)
{
	t.peer_ts = true;
	time_wait_server();
	s_close();
	t.peer_ts_val += 1;
	RX(.flags = S, .seq = (uint32_t)-5);
	ck_assert_uint_eq(t.out.n, 1);
	ck_assert_uint_eq(t.fake.spawned, 2);
}
END_TEST

START_TEST(time_wait_syn_without_listener_keeps_it)
{
	pcb_time_wait();
	RX(.flags = S, .seq = 100);
	EXPECT(A, 2, 2, 0);
	EXPECT_STATE(TIME_WAIT);
}
END_TEST

/* A flood of SYNs that nobody completes must not shut a listener. */
START_TEST(full_queue_of_half_open_connections_gives_one_up)
{
	t.lc->tcp->conf.no_cookies = true;
	pcb_listen();
	for (uint16_t i = 0; i < 70; i++) {
		RX(.flags = S, .peer_port = (uint16_t)(5000 + i));
		ck_assert_uint_eq(t.out.n, 1);
		pkt_queue_drop(t.lc, &t.out, DROP_PORT_CLOSED);
	}
	ck_assert_uint_eq(tcp_pcbs_in_use(t.lc), 64);
	ck_assert_int_eq(t.fake.in_use, 64);
	ck_assert_uint_eq(t.lc->stat.st[ST_TCP_SYN_EVICT], 6);
	ck_assert_uint_eq(env_drops(DROP_TCP_BACKLOG), 0);
	/* The newest one is not the one that was given up. */
	RX(.flags = S, .peer_port = PEER_PORT);
	pkt_queue_drop(t.lc, &t.out, DROP_PORT_CLOSED);
	ck_assert_uint_eq(tcp_pcbs_in_use(t.lc), 64);
}
END_TEST

/* A cookie that comes while the accept queue is full makes nothing; it may come again. */
START_TEST(cookie_with_a_full_accept_queue_makes_no_child)
{
	struct tcp_pcb *lsn;
	struct tcp_seg g;

	pcb_listen();
	lsn = t.lsn.pcb;
	for (uint16_t i = 0; i < 70; i++) {
		RX(.flags = S, .peer_port = (uint16_t)(5000 + i));
		pkt_queue_drop(t.lc, &t.out, DROP_PORT_CLOSED);
	}
	RX(.flags = S, .peer_port = 7000);
	g = env_tx(NULL);
	lsn->ready_n += lsn->backlog; /* as if so many waited */
	RX(.flags = A, .seq = 1, .ack = g.seq + 1, .peer_port = 7000);
	lsn->ready_n -= lsn->backlog;
	ck_assert_uint_eq(env_drops(DROP_TCP_BACKLOG), 1);
	ck_assert_uint_eq(t.lc->stat.st[ST_TCP_COOKIE_IN], 0);
	RX(.flags = A, .seq = 1, .ack = g.seq + 1, .peer_port = 7000);
	ck_assert_uint_eq(t.lc->stat.st[ST_TCP_COOKIE_IN], 1);
	pkt_queue_drop(t.lc, &t.out, DROP_PORT_CLOSED);
}
END_TEST

/* RFC 7323 s5.3: what follows a cookie is never older than the cookie. */
START_TEST(cookie_timestamp_is_not_ahead_of_the_clock)
{
	struct sock c = {.ops = &tcp_sock_ops};
	struct tcp_seg g;
	uint32_t ts;

	pcb_listen();
	for (uint16_t i = 0; i < 70; i++) {
		RX(.flags = S, .peer_port = (uint16_t)(5000 + i));
		pkt_queue_drop(t.lc, &t.out, DROP_PORT_CLOSED);
	}
	t.peer_ts = true;
	t.peer_ws = _i;
	RX(.flags = S, .peer_port = 7000, .opts = TCP_O_TS | TCP_O_WS);
	g = env_tx(NULL);
	ts = g.ts_val;
	RX(.flags = A, .seq = 1, .ack = g.seq + 1, .peer_port = 7000, .ts_ecr = ts);
	ck_assert_int_eq(tcp_sock_ops.accept(t.lc, &t.lsn, &c), 0);
	ck_assert_int_eq(tcp_sock_ops.send(t.lc, &c, "220 hi", 6, 0), 6);
	env_turn();
	g = env_tx(NULL);
	ck_assert(!seq_lt(g.ts_val, ts));
	tcp_sock_ops.close(t.lc, &c);
	pkt_queue_drop(t.lc, &t.out, DROP_PORT_CLOSED);
}
END_TEST

/* RFC 7323 s2.2: the shift is that of our SYN-ACK, whatever the program did to the listener's
 * buffer until the ACK came. */
START_TEST(cookie_keeps_the_window_scale_that_it_was_sent_with)
{
	static const int bytes[] = {4096, 200000, 64 << 20};
	struct sock c = {.ops = &tcp_sock_ops};
	int before = bytes[_i % 3], after = bytes[_i / 3];
	struct tcp_seg g;

	pcb_listen();
	for (uint16_t i = 0; i < 70; i++) {
		RX(.flags = S, .peer_port = (uint16_t)(5000 + i));
		pkt_queue_drop(t.lc, &t.out, DROP_PORT_CLOSED);
	}
	t.peer_ts = true;
	t.peer_ws = 5;
	ck_assert_int_eq(tcp_sock_ops.setopt(t.lc, &t.lsn, SOL_SOCKET, SO_RCVBUF, &before, 4), 0);
	RX(.flags = S, .peer_port = 7000, .opts = TCP_O_TS | TCP_O_WS);
	g = env_tx(NULL);
	ck_assert_uint_eq(g.opts & TCP_O_WS, TCP_O_WS);
	ck_assert_uint_eq(g.wscale, tcp_wscale_of((uint32_t)before));
	ck_assert_int_eq(tcp_sock_ops.setopt(t.lc, &t.lsn, SOL_SOCKET, SO_RCVBUF, &after, 4), 0);
	RX(.flags = A, .seq = 1, .ack = g.seq + 1, .peer_port = 7000, .ts_ecr = g.ts_val);
	ck_assert_uint_eq(t.lc->stat.st[ST_TCP_COOKIE_IN], 1);
	ck_assert_int_eq(tcp_sock_ops.accept(t.lc, &t.lsn, &c), 0);
	ck_assert_uint_eq(((struct tcp_pcb *)c.pcb)->rcv_wscale, g.wscale);
	ck_assert_uint_eq(((struct tcp_pcb *)c.pcb)->snd_wscale, 5);
	tcp_sock_ops.close(t.lc, &c);
	pkt_queue_drop(t.lc, &t.out, DROP_PORT_CLOSED);
}
END_TEST

static TCase *
opening(void)
{
	TCase *c = tcase_create("opening");

	tcase_add_checked_fixture(c, setup, teardown);
	tcase_add_test(c, closed_syn_gets_rst_ack);
	tcase_add_test(c, closed_data_without_ack_gets_rst_ack_of_its_length);
	tcase_add_test(c, closed_ack_gets_rst_with_its_ack_number);
	tcase_add_test(c, closed_rst_gets_nothing);
	tcase_add_test(c, listen_rst_is_ignored);
	tcase_add_test(c, listen_ack_gets_rst);
	tcase_add_test(c, listen_neither_syn_ack_nor_rst_is_ignored);
	tcase_add_test(c, listen_syn_makes_a_child_and_syn_ack);
	tcase_add_test(c, listen_syn_options_are_answered_in_kind);
	tcase_add_test(c, cookie_with_a_full_accept_queue_makes_no_child);
	tcase_add_loop_test(c, cookie_timestamp_is_not_ahead_of_the_clock, 0, 15);
	tcase_add_loop_test(c, cookie_keeps_the_window_scale_that_it_was_sent_with, 0, 9);
	tcase_add_test(c, full_queue_of_half_open_connections_gives_one_up);
	tcase_add_test(c, syn_sent_syn_ack_enters_established);
	tcase_add_test(c, syn_sent_syn_offers_all_options);
	tcase_add_test(c, syn_sent_bad_ack_gets_rst);
	tcase_add_test(c, syn_sent_rst_with_good_ack_is_refused);
	tcase_add_test(c, syn_sent_rst_without_ack_is_ignored);
	tcase_add_test(c, syn_sent_ack_alone_is_ignored);
	tcase_add_test(c, syn_sent_syn_enters_syn_received);
	tcase_add_test(c, simultaneous_open_syn_ack_enters_established);
	tcase_add_test(c, simultaneous_open_ack_enters_established);
	tcase_add_test(c, simultaneous_open_rst_is_refused);
	tcase_add_test(c, syn_sent_syn_ack_with_data_delivers_it);
	tcase_add_test(c, syn_received_ack_enters_established_and_wakes_the_listener);
	tcase_add_test(c, syn_received_bad_ack_gets_rst);
	tcase_add_test(c, syn_received_rst_forgets_the_child);
	tcase_add_test(c, syn_received_rst_elsewhere_in_window_is_challenged);
	tcase_add_test(c, syn_received_same_syn_gets_syn_ack_again);
	tcase_add_test(c, syn_received_syn_in_window_returns_to_listen);
	tcase_add_test(c, syn_received_ack_with_fin_enters_close_wait);
	tcase_add_test(c, syn_received_no_ack_flag_is_ignored);
	tcase_add_test(c, syn_received_silence_repeats_syn_ack_then_forgets);
	tcase_add_test(c, syn_received_ack_with_full_accept_queue_waits);
	return c;
}

static TCase *
synchronized(void)
{
	TCase *c = tcase_create("synchronized");

	tcase_add_checked_fixture(c, setup, teardown);
	tcase_add_test(c, established_old_data_gets_an_ack);
	tcase_add_test(c, established_data_beyond_the_window_gets_an_ack);
	tcase_add_test(c, established_rst_outside_the_window_is_dropped);
	tcase_add_test(c, established_rst_exact_resets);
	tcase_add_test(c, established_rst_in_window_is_challenged);
	tcase_add_test(c, established_syn_is_challenged);
	tcase_add_test(c, challenge_acks_are_limited);
	tcase_add_test(c, established_ack_out_of_range_is_challenged);
	tcase_add_test(c, established_no_ack_flag_is_dropped);
	tcase_add_test(c, paws_old_timestamp_is_dropped_with_an_ack);
	tcase_add_test(c, paws_does_not_apply_to_rst);
	tcase_add_test(c, paws_timestamp_wraps);
	tcase_add_test(c, paws_timestamp_expires_after_24_days);
	tcase_add_test(c, negotiated_timestamp_missing_is_dropped);
	tcase_add_test(c, timestamp_of_out_of_order_segment_is_not_echoed);
	tcase_add_test(c, windows_are_scaled_after_the_handshake);
	return c;
}

static TCase *
closing(void)
{
	TCase *c = tcase_create("closing");

	tcase_add_checked_fixture(c, setup, teardown);
	tcase_add_test(c, established_fin_enters_close_wait);
	tcase_add_test(c, fin_wait_1_ack_of_fin_enters_fin_wait_2);
	tcase_add_test(c, fin_wait_1_fin_enters_closing);
	tcase_add_test(c, fin_wait_1_fin_with_ack_of_fin_enters_time_wait);
	tcase_add_test(c, fin_wait_2_data_is_still_delivered);
	tcase_add_test(c, fin_wait_2_fin_enters_time_wait);
	tcase_add_test(c, closing_ack_of_fin_enters_time_wait);
	tcase_add_test(c, last_ack_ack_of_fin_enters_closed);
	tcase_add_test(c, close_wait_fin_again_gets_ack);
	tcase_add_loop_test(c, rst_in_closing_states_is_no_error, 0, 3);
	tcase_add_loop_test(c, rst_in_data_states_is_econnreset, 0, 5);
	tcase_add_test(c, time_wait_fin_again_gets_ack_and_restarts_2msl);
	tcase_add_test(c, time_wait_syn_with_greater_sequence_opens_again);
	tcase_add_test(c, time_wait_syn_with_old_sequence_gets_ack);
	tcase_add_test(c, time_wait_syn_with_newer_timestamp_opens_again);
	tcase_add_test(c, time_wait_syn_without_listener_keeps_it);
	return c;
}

int
main(void)
{
	Suite *s = suite_create("tcp_in");

	suite_add_tcase(s, opening());
	suite_add_tcase(s, synchronized());
	suite_add_tcase(s, closing());
	return env_main(s);
}
