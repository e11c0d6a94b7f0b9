/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdlib.h>
#include <string.h>

#include "tests/tcp/tcp_env.h"

static uint8_t got[65536];

static uint32_t
read_all(void)
{
	uint32_t n = 0;
	ssize_t r;

	while ((r = s_recv(got + n, 1000)) > 0)
		n += (uint32_t)r;
	return n;
}

static void
rx_at(uint32_t off, uint32_t len, uint8_t flags)
{
	RX(.flags = (uint8_t)(A | flags), .seq = 1 + off, .ack = 1, .data = pattern() + off,
		.len = (uint16_t)len);
}

/* RFC 9293 s3.8.6.3: the second full segment is acknowledged at once. */
START_TEST(every_second_full_segment_is_acknowledged_at_once)
{
	pcb_established();
	rx_at(0, MSS, 0);
	EXPECT_NONE();
	rx_at(MSS, MSS, 0);
	EXPECT(A, 1, 1 + 2 * MSS, 0);
	rx_at(2 * MSS, MSS, 0);
	EXPECT_NONE();
	rx_at(3 * MSS, MSS, 0);
	EXPECT(A, 1, 1 + 4 * MSS, 0);
}
END_TEST

START_TEST(single_segment_is_acknowledged_after_the_delay)
{
	pcb_established();
	rx_at(0, 100, 0);
	env_wait_us(39999);
	EXPECT_NONE();
	env_wait_us(1);
	EXPECT(A, 1, 101, 0);
	env_wait_us(1000000);
	EXPECT_NONE();
}
END_TEST

START_TEST(data_carry_the_delayed_ack)
{
	pcb_established();
	rx_at(0, 100, 0);
	s_send(10);
	env_turn();
	EXPECT(A, 1, 101, 10);
	RX(.flags = A, .seq = 101, .ack = 11);
	env_wait_us(1000000);
	EXPECT_NONE();
}
END_TEST

/* RFC 5681 s4.2 */
START_TEST(out_of_order_segment_gets_a_duplicate_ack)
{
	pcb_established();
	rx_at(100, 100, 0);
	EXPECT(A, 1, 1, 0);
	ck_assert_uint_eq(t.p->ooo_n, 1);
	rx_at(200, 100, 0);
	EXPECT(A, 1, 1, 0);
	rx_at(0, 100, 0);
	EXPECT(A, 1, 301, 0);
	ck_assert_uint_eq(t.p->ooo_n, 0);
	ck_assert_uint_eq(read_all(), 300);
	ck_assert_mem_eq(got, pattern(), 300);
}
END_TEST

static void
burst(const uint32_t *off, uint32_t n)
{
	struct pkt_vec v = {.n = 0};

	for (uint32_t i = 0; i < n; i++)
		pkt_vec_add(&v, env_segment(&(struct in){.flags = A,
					.seq = 1 + off[i],
					.ack = 1,
					.data = pattern() + off[i],
					.len = 100}));
	tcp_in(t.lc, &v);
	env_turn();
}

/* RFC 5681 s4.2, s2: the sender counts them, so a burst must not melt into one, nor into data. */
START_TEST(each_out_of_order_segment_of_a_burst_gets_its_own_ack)
{
	pcb_established();
	s_send(10);
	burst((uint32_t[]){100, 200, 300}, 3);
	EXPECT(A, 1, 1, 0);
	EXPECT(A, 1, 1, 0);
	EXPECT(A, 1, 1, 0);
	EXPECT(A, 1, 1, 10);
	EXPECT_NONE();
}
END_TEST

START_TEST(hole_filled_in_the_same_burst_gets_one_ack)
{
	pcb_established();
	burst((uint32_t[]){100, 200, 0}, 3);
	EXPECT(A, 1, 301, 0);
	EXPECT_NONE();
	burst((uint32_t[]){400, 300, 600}, 3);
	EXPECT(A, 1, 501, 0);
	EXPECT_NONE();
}
END_TEST

START_TEST(out_of_order_fin_is_kept_until_its_turn)
{
	pcb_established();
	rx_at(100, 100, F);
	EXPECT(A, 1, 1, 0);
	EXPECT_STATE(ESTABLISHED);
	rx_at(0, 100, 0);
	EXPECT(A, 1, 202, 0);
	EXPECT_STATE(CLOSE_WAIT);
	ck_assert_uint_eq(read_all(), 200);
}
END_TEST

START_TEST(out_of_order_bare_fin_is_kept)
{
	pcb_established();
	rx_at(100, 0, F);
	EXPECT(A, 1, 1, 0);
	rx_at(0, 100, 0);
	EXPECT(A, 1, 102, 0);
	EXPECT_STATE(CLOSE_WAIT);
}
END_TEST

/* Pieces of all sizes, in random order, overlapping and repeated: the stream comes out whole. */
START_TEST(random_overlapping_pieces_make_the_stream)
{
	enum { TOTAL = 20000 };
	uint32_t have = 0;

	srand((unsigned int)_i);
	pcb_established();
	while (t.p->rcv_nxt - t.p->irs - 1 < TOTAL) {
		uint32_t base = t.p->rcv_nxt - t.p->irs - 1;
		uint32_t lo = base > 3000 ? base - 3000 : 0;
		uint32_t off = lo + (uint32_t)rand() % 8000, len = 1 + (uint32_t)rand() % MSS;

		if (off >= TOTAL)
			continue;
		len = off + len > TOTAL ? TOTAL - off : len;
		rx_at(off, len, off + len == TOTAL ? F : 0);
		pkt_queue_drop(t.lc, &t.out, DROP_PORT_CLOSED);
		if (rand() % 4 == 0)
			have += (uint32_t)s_recv(got + have, buf_len(&t.p->rcv));
	}
	while (buf_len(&t.p->rcv) > 0)
		have += (uint32_t)s_recv(got + have, 5000);
	ck_assert_uint_eq(have, TOTAL);
	ck_assert_mem_eq(got, pattern(), TOTAL);
	if (t.p->state == TCPS_ESTABLISHED)
		rx_at(TOTAL, 0, F);
	EXPECT_STATE(CLOSE_WAIT);
	pkt_queue_drop(t.lc, &t.out, DROP_PORT_CLOSED);
}
END_TEST

/* House rule: bounded, and the bound is counted. */
START_TEST(out_of_order_packets_are_bounded)
{
	uint32_t i;

	pcb_established();
	for (i = 0; i < 400; i++) {
		rx_at(100 + 2 * i, 1, 0);
		pkt_queue_drop(t.lc, &t.out, DROP_PORT_CLOSED);
	}
	ck_assert_uint_le(t.p->ooo_n, 256);
	ck_assert_uint_eq(env_drops(DROP_TCP_OOO_LIMIT), 400 - t.p->ooo_n);
	/* Connection end gives them back: teardown counts. */
}
END_TEST

static void
small_rcvbuf(uint32_t bytes)
{
	t.s.rcvbuf_bytes = bytes;
}

/* The right edge is what was advertised, to the octet. */
START_TEST(data_beyond_the_window_are_cut)
{
	small_rcvbuf(4096);
	pcb_established();
	rx_at(0, MSS, 0);
	rx_at(MSS, MSS, 0);
	EXPECT(A, 1, 1 + 2 * MSS, 0);
	rx_at(2 * MSS, MSS, F);
	EXPECT(A, 1, 1 + 4096, 0);
	EXPECT_STATE(ESTABLISHED);
	ck_assert_uint_eq(buf_len(&t.p->rcv), 4096);
	ck_assert_uint_eq(read_all(), 4096);
	ck_assert_mem_eq(got, pattern(), 4096);
}
END_TEST

/* RFC 9293 s3.10.7.4: with a zero window the ACK of a probe still counts. */
START_TEST(zero_window_probe_is_answered_and_its_ack_is_used)
{
	struct tcp_seg g;

	small_rcvbuf(4096);
	pcb_established();
	s_send(100);
	env_turn();
	EXPECT(A, 1, 1, 100);
	rx_at(0, MSS, 0);
	rx_at(MSS, MSS, 0);
	rx_at(2 * MSS, 4096 - 2 * MSS, 0);
	pkt_queue_drop(t.lc, &t.out, DROP_PORT_CLOSED);
	env_wait_us(50000);
	g = env_tx(NULL);
	ck_assert_uint_eq(g.wnd, 0);
	RX(.flags = A, .seq = 4097, .ack = 101, .len = 1);
	g = env_tx(NULL);
	ck_assert_uint_eq(g.ack, 4097);
	ck_assert_uint_eq(g.wnd, 0);
	ck_assert_uint_eq(t.p->snd_una - t.p->iss, 101);
}
END_TEST

/* RFC 9293 s3.8.6.2.2: the window opens by an MSS or half of the buffer, not by crumbs. */
START_TEST(window_opens_in_useful_steps)
{
	struct tcp_seg g;

	small_rcvbuf(4096);
	pcb_established();
	rx_at(0, MSS, 0);
	rx_at(MSS, MSS, 0);
	rx_at(2 * MSS, 4096 - 2 * MSS, 0);
	env_wait_us(50000);
	pkt_queue_drop(t.lc, &t.out, DROP_PORT_CLOSED);
	s_recv(got, 1000);
	env_turn();
	EXPECT_NONE();
	RX(.flags = A, .seq = 4097, .ack = 1, .len = 1);
	g = env_tx(NULL);
	ck_assert_uint_eq(g.wnd, 0);
	s_recv(got, 1047);
	env_turn();
	EXPECT_NONE();
	s_recv(got, 1);
	env_turn();
	g = env_tx(NULL);
	ck_assert_uint_eq(g.wnd, 2048);
	ck_assert_uint_eq(g.ack, 4097);
}
END_TEST

/* RFC 9293 s3.8.6: the window never shrinks, not even by SO_RCVBUF. */
START_TEST(smaller_receive_buffer_keeps_the_promise)
{
	int v = 4096;

	pcb_established();
	ck_assert_int_eq(tcp_sock_ops.setopt(t.lc, &t.s, SOL_SOCKET, SO_RCVBUF, &v, sizeof(v)), 0);
	for (uint32_t i = 0; i < 40; i++)
		rx_at(i * MSS, MSS, 0);
	ck_assert_uint_eq(buf_len(&t.p->rcv), 40 * MSS);
	pkt_queue_drop(t.lc, &t.out, DROP_PORT_CLOSED);
}
END_TEST

/* A fast reader of a large buffer costs no ACKs of its own. */
START_TEST(reading_at_once_sends_no_window_updates)
{
	pcb_established();
	for (uint32_t i = 0; i < 20; i += 2) {
		rx_at(i * MSS, MSS, 0);
		rx_at((i + 1) * MSS, MSS, 0);
		EXPECT(A, 1, 1 + (i + 2) * MSS, 0);
		ck_assert_uint_eq(read_all(), 2 * MSS);
		env_turn();
		EXPECT_NONE();
	}
}
END_TEST

/* No chunk left: the segment counts as lost, and its sender repeats it. */
START_TEST(exhausted_chunks_lose_the_segment_only)
{
	struct buf hog;

	pcb_established();
	rx_at(MSS, MSS, F);
	EXPECT(A, 1, 1, 0);
	buf_init(&hog, UINT32_MAX);
	while (buf_append(t.lc, &hog, pattern(), 8192) == 8192)
		;
	rx_at(0, MSS, 0);
	EXPECT(A, 1, 1, 0);
	ck_assert_uint_eq(env_drops(DROP_TCP_MEM), 1);
	buf_clear(t.lc, &hog);
	rx_at(0, MSS, 0);
	EXPECT(A, 1, 2 + 2 * MSS, 0);
	EXPECT_STATE(CLOSE_WAIT);
	ck_assert_uint_eq(read_all(), 2 * MSS);
	ck_assert_mem_eq(got, pattern(), 2 * MSS);
}
END_TEST

START_TEST(peek_leaves_the_data)
{
	uint8_t a[10];

	pcb_established();
	rx_at(0, 10, 0);
	ck_assert_int_eq(tcp_sock_ops.recv(t.lc, &t.s, a, 10, MSG_PEEK), 10);
	ck_assert_int_eq(s_recv(a, 4), 4);
	ck_assert_int_eq(s_recv(a, 10), 6);
	ck_assert_mem_eq(a, pattern() + 4, 6);
}
END_TEST

/* A held octet costs a whole packet buffer: so many as the receive buffer is worth twice. */
START_TEST(tiny_out_of_order_segments_count_as_full_ones)
{
	small_rcvbuf(32 * MSS);
	pcb_established();
	for (uint32_t i = 0; i < 100; i++) {
		rx_at(100 + 2 * i, 1, 0);
		pkt_queue_drop(t.lc, &t.out, DROP_PORT_CLOSED);
	}
	ck_assert_uint_eq(t.p->ooo_n, 64);
	ck_assert_uint_eq(env_drops(DROP_TCP_OOO_LIMIT), 36);
}
END_TEST

/* Two connections, and room for 16 held segments together. Returns the second one. */
static struct tcp_pcb *
two_connections(void)
{
	struct tcp_pcb *first, *second;

	t.lc->tcp->ooo_max = 16;
	pcb_established();
	first = t.p;
	t.p = NULL;
	pcb_passive_queued();
	second = t.p;
	t.p = first;
	return second;
}

/* n segments of one octet each with a hole before them, from the octet `from` on. */
static void
hold(struct tcp_pcb *p, uint32_t from, uint32_t n)
{
	struct tcp_pcb *before = t.p;

	t.p = p;
	for (uint32_t i = 0; i < n; i++) {
		rx_at(from + 2 * i, 1, 0);
		pkt_queue_drop(t.lc, &t.out, DROP_PORT_CLOSED);
	}
	t.p = before;
}

START_TEST(connection_above_its_share_makes_room_for_another)
{
	struct tcp_pcb *second = two_connections();

	hold(t.p, 100, 16);
	hold(second, 100, 1);
	ck_assert_uint_eq(t.p->ooo_n, 0);
	ck_assert_uint_eq(second->ooo_n, 1);
	ck_assert_uint_eq(t.lc->tcp->ooo_n, 1);
	ck_assert_uint_eq(env_drops(DROP_TCP_OOO_LIMIT), 16);
	/* What was given up comes again, and the stream is whole. */
	hold(t.p, 100, 8);
	rx_at(0, 200, 0);
	EXPECT(A, 1, 201, 0);
	ck_assert_uint_eq(read_all(), 200);
	ck_assert_mem_eq(got, pattern(), 200);
}
END_TEST

START_TEST(connection_above_its_share_gives_up_its_own)
{
	struct tcp_pcb *second = two_connections();

	hold(t.p, 100, 12);
	hold(second, 100, 4);
	hold(t.p, 300, 1);
	ck_assert_uint_eq(t.p->ooo_n, 1);
	ck_assert_uint_eq(second->ooo_n, 4);
	ck_assert_uint_eq(env_drops(DROP_TCP_OOO_LIMIT), 12);
}
END_TEST

START_TEST(connections_at_their_share_get_no_more)
{
	struct tcp_pcb *second = two_connections();

	hold(t.p, 100, 8);
	hold(second, 100, 8);
	hold(second, 300, 1);
	hold(t.p, 300, 1);
	ck_assert_uint_eq(t.p->ooo_n, 8);
	ck_assert_uint_eq(second->ooo_n, 8);
	ck_assert_uint_eq(env_drops(DROP_TCP_OOO_LIMIT), 2);
}
END_TEST

/* The last chunks of the pool are for those who have none. */
START_TEST(receive_buffer_leaves_the_last_chunks_to_others)
{
	struct buf hog;

	pcb_established();
	buf_init(&hog, UINT32_MAX);
	while (buf_pool_in_use(t.lc->buf) < 230)
		buf_append(t.lc, &hog, pattern(), BUF_CHUNK_BYTES);
	for (uint32_t i = 0; i < 6; i++)
		rx_at(i * MSS, MSS, 0);
	ck_assert_uint_eq(buf_len(&t.p->rcv), BUF_CHUNK_BYTES);
	ck_assert_uint_eq(buf_pool_in_use(t.lc->buf), 231);
	ck_assert_uint_eq(env_drops(DROP_TCP_MEM), 1);
	pkt_queue_drop(t.lc, &t.out, DROP_PORT_CLOSED);
	ck_assert_uint_eq(read_all(), BUF_CHUNK_BYTES);
	rx_at(5 * MSS, MSS, 0);
	ck_assert_uint_eq(read_all(), 6 * MSS - BUF_CHUNK_BYTES);
	buf_clear(t.lc, &hog);
	pkt_queue_drop(t.lc, &t.out, DROP_PORT_CLOSED);
}
END_TEST

/* A window of a long path: what one loss is followed by is not lost with it. */
START_TEST(hundreds_of_segments_behind_a_hole_are_held)
{
	enum { SEGS = 400, LEN = 100 };

	pcb_established();
	t.lc->tcp->ooo_max = SEGS;
	t.p->rcv.limit_bytes = 8 << 20;
	t.p->rcv_adv = t.p->rcv_nxt + (1 << 20);
	for (uint32_t i = SEGS - 1; i > SEGS / 2; i--) /* each before the last */
		rx_at(i * LEN, LEN, 0);
	for (uint32_t i = 1; i <= SEGS / 2; i++) /* each after the last but those */
		rx_at(i * LEN, LEN, 0);
	ck_assert_uint_eq(t.p->ooo_n, SEGS - 1);
	rx_at(0, LEN, 0);
	ck_assert_uint_eq(t.p->ooo_n, 0);
	ck_assert_uint_eq(read_all(), SEGS * LEN);
	ck_assert_mem_eq(got, pattern(), SEGS * LEN);
	while (t.out.n > 0)
		env_tx(NULL);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("tcp_rcv");
	TCase *c = tcase_create("tcp_rcv");

	tcase_add_checked_fixture(c, setup, teardown);
	tcase_add_test(c, every_second_full_segment_is_acknowledged_at_once);
	tcase_add_test(c, single_segment_is_acknowledged_after_the_delay);
	tcase_add_test(c, data_carry_the_delayed_ack);
	tcase_add_test(c, out_of_order_segment_gets_a_duplicate_ack);
	tcase_add_test(c, each_out_of_order_segment_of_a_burst_gets_its_own_ack);
	tcase_add_test(c, hole_filled_in_the_same_burst_gets_one_ack);
	tcase_add_test(c, out_of_order_fin_is_kept_until_its_turn);
	tcase_add_test(c, out_of_order_bare_fin_is_kept);
	tcase_add_loop_test(c, random_overlapping_pieces_make_the_stream, 0, 30);
	tcase_add_test(c, out_of_order_packets_are_bounded);
	tcase_add_test(c, data_beyond_the_window_are_cut);
	tcase_add_test(c, zero_window_probe_is_answered_and_its_ack_is_used);
	tcase_add_test(c, window_opens_in_useful_steps);
	tcase_add_test(c, smaller_receive_buffer_keeps_the_promise);
	tcase_add_test(c, reading_at_once_sends_no_window_updates);
	tcase_add_test(c, exhausted_chunks_lose_the_segment_only);
	tcase_add_test(c, peek_leaves_the_data);
	tcase_add_test(c, tiny_out_of_order_segments_count_as_full_ones);
	tcase_add_test(c, connection_above_its_share_makes_room_for_another);
	tcase_add_test(c, connection_above_its_share_gives_up_its_own);
	tcase_add_test(c, connections_at_their_share_get_no_more);
	tcase_add_test(c, receive_buffer_leaves_the_last_chunks_to_others);
	tcase_add_test(c, hundreds_of_segments_behind_a_hole_are_held);
	suite_add_tcase(s, c);
	return env_main(s);
}
