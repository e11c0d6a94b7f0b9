/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/tcp/tcp_env.h"

#define SEQ(n) (1 + (n)*MSS)

static void
drop_out(void)
{
	pkt_queue_drop(t.lc, &t.out, DROP_PORT_CLOSED);
}

static void
sack_established(void)
{
	t.peer_sack = true;
	pcb_established();
}

static void
expect_sack(struct tcp_seg g, uint32_t n, const struct tcp_sack_block *b)
{
	ck_assert_uint_eq(g.sack_n, n);
	for (uint32_t i = 0; i < n; i++) {
		ck_assert_uint_eq(g.sack[i].l, b[i].l);
		ck_assert_uint_eq(g.sack[i].r, b[i].r);
	}
}

#define EXPECT_SACK(ack_, n_, ...)                                                                 \
	do {                                                                                       \
		struct tcp_seg g_ = env_tx(NULL);                                                  \
		ck_assert_uint_eq(g_.ack, (uint32_t)(ack_));                                       \
		expect_sack(g_, (n_), (const struct tcp_sack_block[4]){__VA_ARGS__});              \
	} while (0)

/* ---- what the receiver says ---- */

/* RFC 2018 s2 */
START_TEST(syn_sent_offers_sack)
{
	struct sock_addr a = {
		.addr = ip_addr_v4(RTE_BE32(0x0a000002)), .port = RTE_BE16(PEER_PORT)};

	tcp_sock_ops.connect(t.lc, &t.s, &a);
	t.p = t.s.pcb;
	env_turn();
	ck_assert_uint_ne(env_tx(NULL).opts & TCP_O_SACK_PERM, 0);
}
END_TEST

START_TEST(listen_syn_without_permission_gets_none)
{
	pcb_listen();
	RX(.flags = S);
	ck_assert_uint_eq(env_tx(NULL).opts & TCP_O_SACK_PERM, 0);
	t.peer_sack = true;
	RX(.flags = S, .peer_port = 4001);
	ck_assert_uint_ne(env_tx(NULL).opts & TCP_O_SACK_PERM, 0);
}
END_TEST

START_TEST(established_without_permission_sends_no_blocks)
{
	pcb_established();
	RX(.flags = A, .seq = 101, .ack = 1, .len = 100);
	EXPECT_SACK(1, 0, {0, 0});
}
END_TEST

/* RFC 2018 s4: the block of the segment that caused the ACK comes first. */
START_TEST(established_holes_are_told_most_recent_first)
{
	sack_established();
	RX(.flags = A, .seq = 101, .ack = 1, .len = 100);
	EXPECT_SACK(1, 1, {101, 201});
	RX(.flags = A, .seq = 301, .ack = 1, .len = 100);
	EXPECT_SACK(1, 2, {301, 401}, {101, 201});
	RX(.flags = A, .seq = 501, .ack = 1, .len = 100);
	EXPECT_SACK(1, 3, {501, 601}, {301, 401}, {101, 201});
	RX(.flags = A, .seq = 201, .ack = 1, .len = 50);
	EXPECT_SACK(1, 3, {101, 251}, {501, 601}, {301, 401});
	RX(.flags = A, .seq = 251, .ack = 1, .len = 50);
	EXPECT_SACK(1, 2, {101, 401}, {501, 601});
	RX(.flags = A, .seq = 1, .ack = 1, .len = 100);
	EXPECT_SACK(401, 1, {501, 601});
	RX(.flags = A, .seq = 401, .ack = 1, .len = 100);
	EXPECT_SACK(601, 0, {0, 0});
}
END_TEST

/* RFC 2018 s3: three blocks beside timestamps, four without. */
START_TEST(established_options_bound_the_blocks)
{
	sack_established();
	for (uint32_t i = 0; i < 5; i++)
		RX(.flags = A, .seq = 101 + 200 * i, .ack = 1, .len = 100);
	for (int i = 0; i < 4; i++)
		env_tx(NULL);
	EXPECT_SACK(1, 4, {901, 1001}, {701, 801}, {501, 601}, {301, 401});
}
END_TEST

START_TEST(established_timestamps_leave_room_for_three)
{
	t.peer_ts = true;
	sack_established();
	for (uint32_t i = 0; i < 4; i++)
		RX(.flags = A, .seq = 101 + 200 * i, .ack = 1, .len = 100);
	for (int i = 0; i < 3; i++)
		env_tx(NULL);
	EXPECT_SACK(1, 3, {701, 801}, {501, 601}, {301, 401});
}
END_TEST

/* RFC 2883 s4: old, then held. */
/* RFC 2883 s4, (1): also where many segments leave at once. */
START_TEST(established_duplicate_is_told_by_one_segment_of_a_burst)
{
	uint32_t told = 0;

	t.peer_sack = true;
	pcb_established();
	RX(.flags = A, .seq = 1, .ack = 1, .len = 100);
	RX(.flags = A, .seq = 101, .ack = 1, .len = 100);
	while (t.out.n > 0)
		env_tx(NULL);
	ck_assert_int_eq(s_send(4 * MSS + 100), 4 * MSS + 100);
	RX(.flags = A, .seq = 1, .ack = 1, .len = 100);
	ck_assert_uint_ge(t.out.n, 4);
	while (t.out.n > 0)
		told += env_tx(NULL).sack_n;
	ck_assert_uint_eq(told, 1);
}
END_TEST

START_TEST(established_duplicates_are_told_once)
{
	sack_established();
	RX(.flags = A, .seq = 1, .ack = 1, .len = 300);
	drop_out();
	RX(.flags = A, .seq = 101, .ack = 1, .len = 100);
	EXPECT_SACK(301, 1, {101, 201});
	RX(.flags = A, .seq = 401, .ack = 1, .len = 100);
	EXPECT_SACK(301, 1, {401, 501});
	RX(.flags = A, .seq = 601, .ack = 1, .len = 100);
	EXPECT_SACK(301, 2, {601, 701}, {401, 501});
	/* (4): the block that contains the duplicate is the second. */
	RX(.flags = A, .seq = 401, .ack = 1, .len = 50);
	EXPECT_SACK(301, 3, {401, 451}, {401, 501}, {601, 701});
	RX(.flags = A, .seq = 201, .ack = 1, .len = 200);
	EXPECT_SACK(501, 2, {201, 301}, {601, 701});
}
END_TEST

START_TEST(established_data_make_room_for_blocks)
{
	struct tcp_seg g;

	sack_established();
	RX(.flags = A, .seq = 101, .ack = 1, .len = 100);
	drop_out();
	s_send(2 * MSS);
	env_turn();
	g = env_tx(NULL);
	ck_assert_uint_eq(g.sack_n, 1);
	ck_assert_uint_eq(g.len, MSS - 12);
	drop_out();
}
END_TEST

/* ---- what the sender makes of it ---- */

static void
flight_of_ten(void)
{
	t.lc->tcp->conf.no_tlp = true;
	sack_established();
	ck_assert_int_eq(s_send(40 * MSS), 40 * MSS);
	env_turn();
	ck_assert_uint_eq(t.out.n, 10);
	drop_out();
	ck_assert_uint_eq(t.p->sent.n, 1);
	env_wait_us(50000);
}

#define SACK_OF(...) RX(.flags = A, .seq = 1, .ack = 1, .sack = {__VA_ARGS__})

START_TEST(blocks_split_and_join_ranges)
{
	flight_of_ten();
	env_rx_quiet(&(struct in){.flags = A, .seq = 1, .ack = 1, .sack = {{SEQ(4), SEQ(5)}}});
	ck_assert_uint_eq(t.p->sent.n, 3);
	ck_assert_uint_eq(t.p->sent.sacked_bytes, MSS);
	env_rx_quiet(&(struct in){.flags = A, .seq = 1, .ack = 1, .sack = {{SEQ(4), SEQ(6)}}});
	ck_assert_uint_eq(t.p->sent.n, 3);
	ck_assert_uint_eq(t.p->sent.sacked_bytes, 2 * MSS);
	env_rx_quiet(&(struct in){
		.flags = A, .seq = 1, .ack = SEQ(1), .sack = {{SEQ(2), SEQ(3)}, {SEQ(4), SEQ(6)}}});
	ck_assert_uint_eq(t.p->sent.n, 5);
	ck_assert_uint_eq(t.p->sent.sacked_bytes, 3 * MSS);
	env_rx_quiet(&(struct in){.flags = A, .seq = 1, .ack = SEQ(10)});
	ck_assert_uint_eq(t.p->sent.n, 0);
	ck_assert_uint_eq(t.p->sent.sacked_bytes, 0);
	ck_assert_uint_eq(t.lc->tcp->ranges_more, 0);
	env_turn();
	drop_out();
}
END_TEST

/* The peer is hostile: nothing of this is possible, or nothing is new. */
START_TEST(impossible_blocks_change_nothing)
{
	static const struct tcp_sack_block bad[] = {
		{SEQ(5), SEQ(4)},  /* turned round */
		{SEQ(8), SEQ(11)}, /* beyond what was sent */
		{SEQ(11), SEQ(12)},
		{0x80000000, 5}, /* half the space away */
		{SEQ(3), SEQ(3) + 0x80000000},
	};

	flight_of_ten();
	for (uint32_t i = 0; i < RTE_DIM(bad); i++) {
		RX(.flags = A, .seq = 1, .ack = 1, .sack = {bad[i]});
		ck_assert_uint_eq(t.p->sent.sacked_bytes, 0);
		ck_assert_uint_eq(t.p->sent.n, 1);
	}
	EXPECT_NONE();
}
END_TEST

/* However the blocks are made, ranges are bounded, and the connection goes on. */
START_TEST(many_tiny_blocks_are_survived)
{
	flight_of_ten();
	t.lc->tcp->conf.max_ranges = 20;
	for (uint32_t i = 0; i < 2000; i++) {
		env_rx_quiet(&(struct in){.flags = A,
			.seq = 1,
			.ack = 1,
			.sack = {{SEQ(1) + 5 * i, SEQ(1) + 5 * i + 1}}});
		ck_assert_uint_le(t.p->sent.n, 21);
	}
	env_turn();
	drop_out();
	RX(.flags = A, .seq = 1, .ack = SEQ(10));
	ck_assert(t.p->snd_una == t.p->iss + SEQ(10));
	drop_out();
}
END_TEST

/* Without a range for new octets the last one takes them. */
/* Behind a hole most is one SACKed range and the rest is many: what is told is still found,
 * although the end of it all is nearer in octets than the block that was told last. */
START_TEST(block_in_a_long_flight_is_found)
{
	enum { RANGES = 900, LEN = 100, TOLD = 500 };

	t.peer_ws = 7;
	sack_established();
	t.p->nodelay = true;
	t.p->cc.cwnd_bytes = RANGES * LEN;
	RX(.flags = A, .seq = 1, .ack = 1);
	for (uint32_t i = 0; i < RANGES; i++) {
		s_send(LEN);
		env_turn();
		t.lc->now_ns++;
		drop_out();
	}
	ck_assert_uint_eq(t.p->sent.n, RANGES);
	for (uint32_t i = 11; i <= TOLD; i++)
		env_rx_quiet(&(struct in){.flags = A,
			.seq = 1,
			.ack = 1,
			.sack = {{1 + 10 * LEN, 1 + i * LEN}, {1 + 2 * LEN, 1 + 5 * LEN}}});
	env_rx_quiet(&(struct in){.flags = A,
		.seq = 1,
		.ack = 1,
		.sack = {{1 + (TOLD + 1) * LEN, 1 + (TOLD + 2) * LEN}}});
	ck_assert_uint_eq(t.p->sent.sacked_bytes, (TOLD - 10 + 3 + 1) * LEN);
	env_turn();
	drop_out();
}
END_TEST

START_TEST(no_range_left_joins_what_is_sent)
{
	sack_established();
	t.lc->tcp->conf.max_ranges = 0;
	for (int i = 0; i < 5; i++) {
		s_send(MSS);
		env_turn();
		env_wait_us(100);
	}
	drop_out();
	ck_assert_uint_eq(t.p->sent.n, 1);
	env_wait_us(t.p->rto_us);
	ck_assert_uint_ge(t.out.n, 1);
	drop_out();
	RX(.flags = A, .seq = 1, .ack = SEQ(5));
	ck_assert_uint_eq(t.p->sent.n, 0);
}
END_TEST

/* RFC 2018 s8: at the timeout what the peer took back is sent again. */
START_TEST(reneging_is_found_at_the_timeout)
{
	flight_of_ten();
	SACK_OF({SEQ(1), SEQ(10)});
	drop_out();
	ck_assert_uint_eq(t.p->sent.sacked_bytes, 9 * MSS);
	RX(.flags = A, .seq = 1, .ack = SEQ(1));
	drop_out();
	env_wait_us(1000000);
	EXPECT(A, SEQ(1), 1, MSS);
	ck_assert_uint_eq(t.p->sent.sacked_bytes, 0);
	drop_out();
}
END_TEST

START_TEST(old_ack_with_blocks_changes_nothing)
{
	flight_of_ten();
	RX(.flags = A, .seq = 1, .ack = SEQ(5));
	drop_out();
	RX(.flags = A, .seq = 1, .ack = SEQ(4), .sack = {{SEQ(6), SEQ(7)}});
	ck_assert_uint_eq(t.p->sent.sacked_bytes, 0);
	drop_out();
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("tcp_sack");
	TCase *c = tcase_create("tcp_sack");

	tcase_add_checked_fixture(c, setup, teardown);
	tcase_add_test(c, syn_sent_offers_sack);
	tcase_add_test(c, listen_syn_without_permission_gets_none);
	tcase_add_test(c, established_without_permission_sends_no_blocks);
	tcase_add_test(c, established_holes_are_told_most_recent_first);
	tcase_add_test(c, established_options_bound_the_blocks);
	tcase_add_test(c, established_timestamps_leave_room_for_three);
	tcase_add_test(c, established_duplicate_is_told_by_one_segment_of_a_burst);
	tcase_add_test(c, established_duplicates_are_told_once);
	tcase_add_test(c, established_data_make_room_for_blocks);
	tcase_add_test(c, blocks_split_and_join_ranges);
	tcase_add_test(c, impossible_blocks_change_nothing);
	tcase_add_test(c, many_tiny_blocks_are_survived);
	tcase_add_test(c, block_in_a_long_flight_is_found);
	tcase_add_test(c, no_range_left_joins_what_is_sent);
	tcase_add_test(c, reneging_is_found_at_the_timeout);
	tcase_add_test(c, old_ack_with_blocks_changes_nothing);
	suite_add_tcase(s, c);
	return env_main(s);
}
