/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a connection does with the verdict of its latch, in every state. "Nothing changes" means
 * that the whole control block is compared with its copy from before the segment.
 */
#include <errno.h>
#include <string.h>

#include "stack/base/flow_dir.h"
#include "tests/tcp/tcp_env.h"

struct build {
	void (*fn)(void);
	uint32_t rcv_nxt;
	uint32_t snd_nxt;
};

/* Every kind of segment that C could send under its own SA (F-15, F-16, F-35). */
static const uint8_t kinds[] = {A, R, R | A, S, S | A, F | A, 0, F, A | P, 0xff & ~(F | R)};
enum { KINDS = sizeof(kinds) };

static void
verdict_break(uint8_t reason)
{
	t.fake.verdict = VERDICT_BREAK;
	t.fake.reason = reason;
}

/* F-15 to F-18; the reason is kept for the application. */
START_TEST(break_in_data_state_resets_and_sends_nothing)
{
	static const struct build b[] = {{pcb_established, 1, 1}, {pcb_fin_wait_1, 1, 2},
		{pcb_fin_wait_2, 1, 2}, {pcb_close_wait, 2, 1}, {pcb_closing, 2, 2},
		{pcb_last_ack, 2, 2}, {pcb_passive, 1, 1}};
	const struct build *x = &b[_i % 7];
	uint8_t flags = kinds[_i / 7];
	struct tl_latch_info info;
	socklen_t len = sizeof(info);
	struct tcp_pcb before;
	uint8_t buf[8];

	x->fn();
	before = *t.p;
	verdict_break(TL_LATCH_PEER_CONFLICT);
	RX(.flags = flags, .seq = x->rcv_nxt, .ack = x->snd_nxt, .len = 100, .wnd = 5);
	EXPECT_NONE();
	EXPECT_STATE(CLOSED);
	ck_assert_uint_eq(t.fake.broken, 1);
	ck_assert_uint_eq(t.fake.released, 0);
	ck_assert_uint_eq(env_drops(DROP_LATCH_M3), 1);
	/* Not a number moved. */
	ck_assert_uint_eq(t.p->snd_una, before.snd_una);
	ck_assert_uint_eq(t.p->snd_nxt, before.snd_nxt);
	ck_assert_uint_eq(t.p->snd_wnd, before.snd_wnd);
	ck_assert_uint_eq(t.p->rcv_nxt, before.rcv_nxt);
	ck_assert_uint_eq(t.p->ts_recent, before.ts_recent);
	ck_assert_uint_eq(tcp_sock_ops.ready(t.lc, &t.s) & TL_EV_ERR, TL_EV_ERR);
	ck_assert_int_eq(s_recv(buf, 8), -ECONNRESET);
	ck_assert_int_eq(s_recv(buf, 8), 0);
	ck_assert_int_eq(s_send(1), -EPIPE);
	ck_assert_int_eq(
		tcp_sock_ops.getopt(t.lc, &t.s, SOL_TL_IPSEC, TL_LATCH_INFO, &info, &len), 0);
	ck_assert_uint_eq(info.state, TL_LATCH_CLOSED);
	ck_assert_uint_eq(info.reason, TL_LATCH_PEER_CONFLICT);
	env_wait_us(200000000);
	EXPECT_NONE();
}
END_TEST

START_TEST(break_with_unread_data_discards_it)
{
	uint8_t buf[8];

	pcb_established();
	RX(.flags = A, .seq = 1, .ack = 1, .len = 100);
	verdict_break(TL_LATCH_QOP_CONFLICT);
	RX(.flags = A, .seq = 101, .ack = 1, .len = 100);
	EXPECT_NONE();
	ck_assert_uint_eq(env_drops(DROP_LATCH_M2), 1);
	ck_assert_int_eq(s_recv(buf, 8), -ECONNRESET);
	ck_assert_int_eq(s_recv(buf, 8), 0);
}
END_TEST

/* F-31: nobody holds the connection any more; it ends all the same. */
START_TEST(break_of_an_orphan_frees_it)
{
	pcb_established();
	s_send(1000);
	s_close();
	env_turn();
	EXPECT(A | F, 1, 1, 1000);
	verdict_break(TL_LATCH_PEER_CONFLICT);
	RX(.flags = A, .seq = 1, .ack = 1);
	EXPECT_NONE();
	ck_assert_uint_eq(tcp_pcbs_in_use(t.lc), 0);
	ck_assert_uint_eq(t.fake.broken, 1);
}
END_TEST

/* E.4, F-24 */
START_TEST(syn_sent_break_is_refused)
{
	pcb_syn_sent();
	verdict_break(TL_LATCH_PEER_CONFLICT);
	RX(.flags = kinds[_i], .ack = 1);
	EXPECT_NONE();
	EXPECT_STATE(CLOSED);
	ck_assert_int_eq(s_so_error(), ECONNREFUSED);
	ck_assert_uint_eq(t.fake.broken, 1);
}
END_TEST

/* F-21: the wrong peer can neither finish nor end a handshake. */
START_TEST(syn_received_break_is_dropped_and_kept)
{
	struct tcp_pcb before;

	pcb_syn_rcvd();
	before = *t.p;
	verdict_break(_i % 2 == 0 ? TL_LATCH_QOP_CONFLICT : TL_LATCH_PEER_CONFLICT);
	RX(.flags = kinds[_i / 2], .seq = 1, .ack = 1, .len = 4);
	EXPECT_NONE();
	ck_assert_mem_eq(&before, t.p, sizeof(before));
	ck_assert_uint_eq(env_drops(_i % 2 == 0 ? DROP_LATCH_M2 : DROP_LATCH_M3), 1);
	ck_assert_uint_eq(t.fake.broken, 0);
	t.fake.verdict = VERDICT_ACCEPT;
	RX(.flags = A, .seq = 1, .ack = 1);
	EXPECT_STATE(ESTABLISHED);
}
END_TEST

/* F-32 */
START_TEST(accept_queue_break_gives_econnaborted)
{
	struct sock c = {0};

	pcb_passive_queued();
	verdict_break(TL_LATCH_PEER_CONFLICT);
	RX(.flags = A, .seq = 1, .ack = 1, .len = 4);
	EXPECT_NONE();
	ck_assert_uint_eq(t.fake.broken, 1);
	ck_assert_uint_eq(tcp_sock_ops.ready(t.lc, &t.lsn), TL_EV_IN);
	ck_assert_int_eq(tcp_sock_ops.accept(t.lc, &t.lsn, &c), -ECONNABORTED);
	ck_assert_ptr_null(c.pcb);
	ck_assert_int_eq(tcp_sock_ops.accept(t.lc, &t.lsn, &c), -EAGAIN);
}
END_TEST

START_TEST(accept_queue_rst_gives_econnaborted)
{
	struct sock c = {0};

	pcb_passive_queued();
	RX(.flags = R, .seq = 1);
	ck_assert_int_eq(tcp_sock_ops.accept(t.lc, &t.lsn, &c), -ECONNABORTED);
}
END_TEST

START_TEST(accept_queue_break_then_listener_closed_leaks_nothing)
{
	pcb_passive_queued();
	verdict_break(TL_LATCH_PEER_CONFLICT);
	RX(.flags = A, .seq = 1, .ack = 1, .len = 4);
	tcp_sock_ops.close(t.lc, &t.lsn);
	ck_assert_uint_eq(rte_mempool_in_use_count(t.lc->tcp->pcbs), 1);
}
END_TEST

/* F-30 */
START_TEST(time_wait_break_is_dropped_and_kept)
{
	struct tcp_pcb before;

	pcb_time_wait();
	before = *t.p;
	verdict_break(TL_LATCH_PEER_CONFLICT);
	RX(.flags = kinds[_i], .seq = 2, .ack = 2, .len = 4);
	EXPECT_NONE();
	ck_assert_mem_eq(&before, t.p, sizeof(before));
	ck_assert_uint_eq(env_drops(DROP_LATCH_M3), 1);
	ck_assert_uint_eq(t.fake.broken, 0);
}
END_TEST

static void
time_wait_server(void)
{
	pcb_passive();
	tcp_sock_ops.shutdown(t.lc, &t.s, SHUT_WR);
	env_turn();
	RX(.flags = F | A, .seq = 1, .ack = 2);
	pkt_queue_drop(t.lc, &t.out, DROP_PORT_CLOSED);
	EXPECT_STATE(TIME_WAIT);
}

START_TEST(time_wait_new_syn_of_another_peer_is_a_new_connection)
{
	struct tcp_seg g;

	time_wait_server();
	s_close();
	verdict_break(TL_LATCH_PEER_CONFLICT);
	RX(.flags = S, .seq = 100);
	t.p = NULL;
	g = env_tx(NULL);
	ck_assert_uint_eq(g.flags, S | A);
	ck_assert_uint_eq(t.fake.broken, 0);
	ck_assert_uint_eq(t.fake.released, 1);
	ck_assert_uint_eq(t.fake.spawned, 2);
}
END_TEST

START_TEST(time_wait_old_syn_of_another_peer_is_dropped)
{
	time_wait_server();
	verdict_break(TL_LATCH_PEER_CONFLICT);
	RX(.flags = S, .seq = 1);
	EXPECT_NONE();
	EXPECT_STATE(TIME_WAIT);
}
END_TEST

/* F-19: the old one ends, the SYN is dropped, its retransmission makes the new one. */
START_TEST(established_syn_of_another_peer_takes_two_tries)
{
	pcb_passive();
	verdict_break(TL_LATCH_PEER_CONFLICT);
	RX(.flags = S, .seq = 0x1000000);
	EXPECT_NONE();
	EXPECT_STATE(CLOSED);
	ck_assert_uint_eq(t.fake.spawned, 1);
	RX(.flags = S, .seq = 0x1000000);
	ck_assert_uint_eq(t.out.n, 1);
	ck_assert_uint_eq(t.fake.spawned, 2);
}
END_TEST

/* P-6: no latch, no answer. */
START_TEST(listen_spawn_error_drops_the_syn)
{
	pcb_listen();
	t.fake.spawn_rc = _i == 0 ? DROP_ESP_NOSA : DROP_LATCH_M5;
	RX(.flags = S);
	EXPECT_NONE();
	ck_assert_uint_eq(tcp_pcbs_in_use(t.lc), 0);
	ck_assert_uint_eq(env_drops(_i == 0 ? DROP_ESP_NOSA : DROP_LATCH_M5), 1);
	ck_assert_uint_eq(rte_mempool_in_use_count(t.lc->tcp->pcbs), 2);
}
END_TEST

/* P-5 */
START_TEST(connect_open_error_is_returned)
{
	struct sock_addr a = {.addr = ip_addr_v4(RTE_BE32(0x0a000002)), .port = RTE_BE16(9)};

	t.fake.open_rc = _i == 0 ? DROP_ESP_NOSA : DROP_LATCH_M5;
	ck_assert_int_eq(tcp_sock_ops.connect(t.lc, &t.s, &a), t.fake.open_rc);
	env_turn();
	EXPECT_NONE();
	ck_assert_uint_eq(t.lc->flow->n, 0);
	t.fake.open_rc = 0;
	ck_assert_int_eq(tcp_sock_ops.connect(t.lc, &t.s, &a), -EINPROGRESS);
}
END_TEST

/* P-9 */
START_TEST(every_segment_is_stamped)
{
	pcb_established();
	s_send(5 * MSS);
	env_turn();
	ck_assert_uint_eq(t.out.n, 5);
	ck_assert_uint_eq(t.fake.stamped, 1 + 1 + 5);
	t.s.linger_s = 0;
	s_close();
	ck_assert_uint_eq(t.fake.stamped, 1 + 1 + 5 + 1);
	ck_assert_uint_eq(t.fake.released, 1);
}
END_TEST

START_TEST(packet_dropped_by_recheck_is_not_touched)
{
	struct tcp_pcb before;

	pcb_established();
	before = *t.p;
	t.fake.drop_recheck = true;
	RX(.flags = A, .seq = 1, .ack = 1, .len = 4);
	ck_assert_mem_eq(&before, t.p, sizeof(before));
	EXPECT_NONE();
}
END_TEST

/* A verdict that nobody gave accepts nothing. */
START_TEST(missing_verdict_drops)
{
	struct tcp_pcb before;

	pcb_established();
	before = *t.p;
	t.fake.verdict = VERDICT_NONE;
	RX(.flags = A, .seq = 1, .ack = 1, .len = 4);
	ck_assert_mem_eq(&before, t.p, sizeof(before));
	ck_assert_uint_eq(env_drops(DROP_LATCH_CLOSED), 1);
}
END_TEST

/* F-28: the room under the latch bounds both MSS option and payload. */
START_TEST(mss_leaves_room_for_the_protection)
{
	struct sock_addr a = {
		.addr = ip_addr_v4(RTE_BE32(0x0a000002)), .port = RTE_BE16(PEER_PORT)};
	struct tcp_seg g;

	t.fake.overhead = 40;
	ck_assert_int_eq(tcp_sock_ops.connect(t.lc, &t.s, &a), -EINPROGRESS);
	t.p = t.s.pcb;
	env_turn();
	g = env_tx(NULL);
	ck_assert_uint_eq(g.mss, 1500 - 20 - 40 - 20);
	t.peer_ts = true;
	RX(.flags = S | A, .ack = 1);
	EXPECT(A, 1, 1, 0);
	s_send(3000);
	env_turn();
	EXPECT(A, 1, 1, 1500 - 20 - 40 - 20 - 12);
}
END_TEST

/* F-30: what policy refuses is no new incarnation; the old one keeps its quiet time. */
START_TEST(time_wait_new_syn_that_policy_refuses_keeps_it)
{
	time_wait_server();
	verdict_break(TL_LATCH_PEER_CONFLICT);
	t.fake.drop_unowned = true;
	RX(.flags = S, .seq = 100);
	EXPECT_NONE();
	EXPECT_STATE(TIME_WAIT);
	ck_assert_uint_eq(t.fake.released, 0);
	ck_assert_uint_eq(env_drops(DROP_SPD_CLEAR), 1);
	/* It still owns its 5-tuple and answers. */
	t.fake.verdict = VERDICT_ACCEPT;
	RX(.flags = F | A, .seq = 1, .ack = 2);
	EXPECT(A, 2, 2, 0);
	env_wait_us(60000000);
	EXPECT_STATE(CLOSED);
}
END_TEST

/* The 5-tuple is lent for a moment, and that moment is enough for another worker (C-9). */
START_TEST(time_wait_ends_when_another_worker_takes_its_tuple)
{
	struct flow_dir *d;
	struct flow_key k;

	ck_assert_int_eq(flow_dir_create("rival", 64, 1, &d), 0);
	t.lc->flow->dir = d;
	time_wait_server();
	k = t.p->fe.key;
	t.fake.rival = d;
	RX(.flags = S, .seq = 100);
	EXPECT_NONE();
	EXPECT_STATE(CLOSED);
	ck_assert_ptr_null(flow_find(t.lc, &k));
	flow_dir_release(d, &k); /* the rival's */
	t.lc->flow->dir = NULL;
	flow_dir_free(d);
}
END_TEST

START_TEST(time_wait_new_syn_that_gets_no_connection_keeps_it)
{
	time_wait_server();
	t.fake.spawn_rc = _i == 0 ? DROP_ESP_NOSA : DROP_LATCH_M5;
	RX(.flags = S, .seq = 100);
	EXPECT_NONE();
	EXPECT_STATE(TIME_WAIT);
	ck_assert_uint_eq(t.fake.released, 0);
	ck_assert_uint_eq(env_drops(_i == 0 ? DROP_ESP_NOSA : DROP_LATCH_M5), 1);
	t.fake.spawn_rc = DROP_NONE;
	RX(.flags = S, .seq = 100);
	EXPECT_STATE(CLOSED);
	ck_assert_uint_eq(t.out.n, 1);
	ck_assert_uint_eq(t.fake.released, 1);
}
END_TEST

/* F-1: what waited in the queue is asked once more about its SA. */
START_TEST(out_of_order_segment_of_a_revoked_sa_is_dropped)
{
	uint8_t buf[4];

	pcb_established();
	RX(.flags = A | F, .seq = 5, .ack = 1, .len = 4);
	EXPECT(A, 1, 1, 0);
	t.fake.stale = true;
	RX(.flags = A, .seq = 1, .ack = 1, .len = 4);
	EXPECT(A, 1, 5, 0);
	ck_assert_uint_eq(env_drops(DROP_ESP_STALE), 1);
	ck_assert_uint_eq(t.p->ooo_n, 0);
	EXPECT_STATE(ESTABLISHED);
	ck_assert_int_eq(s_recv(buf, 4), 4);
	ck_assert_int_eq(s_recv(buf, 4), -EAGAIN);
	/* Sent again under the next SA it is taken. */
	t.fake.stale = false;
	RX(.flags = A | F, .seq = 5, .ack = 1, .len = 4);
	EXPECT(A, 1, 10, 0);
	EXPECT_STATE(CLOSE_WAIT);
}
END_TEST

/* RFC 4301 s8.2: the path of a tunnel's packets is the path to the other gateway. */
START_TEST(mss_fits_the_path_of_the_tunnel)
{
	struct sock_addr a = {
		.addr = ip_addr_v4(RTE_BE32(0x0a000002)), .port = RTE_BE16(PEER_PORT)};
	uint16_t mtu = _i == 0 ? 1400 : 9000;
	uint16_t mss = _i == 0 ? 1360 : 1460;

	t.fake.tun_mtu = mtu;
	ck_assert_int_eq(tcp_sock_ops.connect(t.lc, &t.s, &a), -EINPROGRESS);
	t.p = t.s.pcb;
	env_turn();
	ck_assert_uint_eq(env_tx(NULL).mss, mss);
	RX(.flags = S | A, .ack = 1);
	EXPECT(A, 1, 1, 0);
	s_send(3000);
	env_turn();
	EXPECT(A, 1, 1, mss);
}
END_TEST

START_TEST(mss_of_an_accepted_connection_fits_the_path_of_the_tunnel)
{
	t.fake.tun_mtu = 1300;
	pcb_listen();
	RX(.flags = S);
	ck_assert_uint_eq(env_tx(NULL).mss, 1260);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("tcp_latch");
	TCase *c = tcase_create("tcp_latch");

	tcase_add_checked_fixture(c, setup, teardown);
	tcase_add_loop_test(c, break_in_data_state_resets_and_sends_nothing, 0, 7 * KINDS);
	tcase_add_test(c, break_with_unread_data_discards_it);
	tcase_add_test(c, break_of_an_orphan_frees_it);
	tcase_add_loop_test(c, syn_sent_break_is_refused, 0, KINDS);
	tcase_add_loop_test(c, syn_received_break_is_dropped_and_kept, 0, 2 * KINDS);
	tcase_add_test(c, accept_queue_break_gives_econnaborted);
	tcase_add_test(c, accept_queue_rst_gives_econnaborted);
	tcase_add_test(c, accept_queue_break_then_listener_closed_leaks_nothing);
	tcase_add_loop_test(c, time_wait_break_is_dropped_and_kept, 0, KINDS);
	tcase_add_test(c, time_wait_new_syn_of_another_peer_is_a_new_connection);
	tcase_add_test(c, time_wait_old_syn_of_another_peer_is_dropped);
	tcase_add_test(c, established_syn_of_another_peer_takes_two_tries);
	tcase_add_loop_test(c, listen_spawn_error_drops_the_syn, 0, 2);
	tcase_add_loop_test(c, connect_open_error_is_returned, 0, 2);
	tcase_add_test(c, every_segment_is_stamped);
	tcase_add_test(c, packet_dropped_by_recheck_is_not_touched);
	tcase_add_test(c, missing_verdict_drops);
	tcase_add_test(c, mss_leaves_room_for_the_protection);
	tcase_add_test(c, time_wait_new_syn_that_policy_refuses_keeps_it);
	tcase_add_test(c, time_wait_ends_when_another_worker_takes_its_tuple);
	tcase_add_loop_test(c, time_wait_new_syn_that_gets_no_connection_keeps_it, 0, 2);
	tcase_add_test(c, out_of_order_segment_of_a_revoked_sa_is_dropped);
	tcase_add_loop_test(c, mss_fits_the_path_of_the_tunnel, 0, 2);
	tcase_add_test(c, mss_of_an_accepted_connection_fits_the_path_of_the_tunnel);
	suite_add_tcase(s, c);
	return env_main(s);
}
