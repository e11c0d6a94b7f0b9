/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdlib.h>
#include <string.h>

#include "tests/tcp/tcp_env.h"

/* A segment as tcp_in() would have parsed it; the checksum is the packet's own. */
static struct tcp_seg
parsed(const struct in *in)
{
	struct rte_mbuf *m = env_segment(in);
	struct tcp_seg s;

	pkt_meta(m)->verdict = VERDICT_ACCEPT;
	pkt_meta(m)->flow = &t.p->fe;
	ck_assert_uint_eq(tcp_wire_parse(pkt_data(m, 0), pkt_meta(m)->l4_len, &s), DROP_NONE);
	s.m = m;
	return s;
}

static bool
is_taken(const struct in *in)
{
	struct tcp_seg s = parsed(in);
	bool taken = tcp_fast(t.lc, t.p, &s);

	pkt_drop(t.lc, s.m, s.why);
	return taken;
}
#define TAKEN(...) is_taken(&(struct in){__VA_ARGS__})

START_TEST(next_text_is_taken_and_can_be_read)
{
	uint8_t got[4096];

	pcb_established();
	ck_assert(TAKEN(.flags = A | P, .seq = 1, .ack = 1, .data = pattern(), .len = 777));
	ck_assert_int_eq(s_recv(got, sizeof(got)), 777);
	ck_assert_mem_eq(got, pattern(), 777);
}
END_TEST

START_TEST(acknowledgment_of_new_data_is_taken)
{
	pcb_established();
	s_send(100);
	env_turn();
	EXPECT(A, 1, 1, 100);
	ck_assert(TAKEN(.flags = A, .seq = 1, .ack = 101));
	ck_assert_uint_eq(t.p->snd_una, t.p->snd_max);
	ck_assert_uint_eq(buf_len(&t.p->snd), 0);
}
END_TEST

/* What the steps of RFC 9293 s3.10.7.4 have to look at is left as it is. */
START_TEST(what_is_not_plain_changes_nothing)
{
	static const struct in cases[] = {
		{.flags = A | F, .seq = 1, .ack = 1},
		{.flags = A | S, .seq = 1, .ack = 1, .len = 10},
		{.flags = A | R, .seq = 1, .ack = 1},
		{.flags = P, .seq = 1, .len = 10},
		{.flags = A | TCP_F_URG, .seq = 1, .ack = 1, .len = 10},
		{.flags = A, .seq = 1, .ack = 1},                       /* may be a duplicate */
		{.flags = A, .seq = 1, .ack = 2, .len = 10},            /* of what was not sent */
		{.flags = A, .seq = 1, .ack = (uint32_t)-9, .len = 10}, /* old */
		{.flags = A, .seq = 2, .ack = 1, .len = 10},            /* a hole before it */
		{.flags = A, .seq = 0, .ack = 1, .len = 10},            /* a part again */
		{.flags = A, .seq = 1, .ack = 1, .len = 10, .opts = TCP_O_MSS},
	};

	pcb_established();
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct tcp_pcb before = *t.p;

		ck_assert_msg(!is_taken(&cases[i]), "case %zu", i);
		ck_assert_mem_eq(&before, t.p, sizeof(before));
	}
}
END_TEST

START_TEST(text_beyond_the_window_is_not_plain)
{
	pcb_established();
	t.p->rcv_adv = t.p->rcv_nxt + 9;
	ck_assert(!TAKEN(.flags = A, .seq = 1, .ack = 1, .len = 10));
	ck_assert(TAKEN(.flags = A, .seq = 1, .ack = 1, .len = 9));
}
END_TEST

START_TEST(text_while_others_are_held_is_not_plain)
{
	pcb_established();
	RX(.flags = A, .seq = 101, .ack = 1, .len = 10);
	EXPECT(A, 1, 1, 0);
	ck_assert(!TAKEN(.flags = A, .seq = 1, .ack = 1, .len = 10));
}
END_TEST

/* Chunks that were taken for it go back; nothing of it is ever seen. */
START_TEST(wrong_checksum_is_dropped_and_changes_nothing)
{
	struct tcp_pcb before;
	uint32_t chunks;

	pcb_established();
	before = *t.p;
	chunks = buf_pool_in_use(t.lc->buf);
	ck_assert(TAKEN(.flags = A, .seq = 1, .ack = 1, .len = 1000, .bad_csum = true));
	ck_assert_uint_eq(env_drops(DROP_TCP_CSUM), 1);
	ck_assert_uint_eq(buf_pool_in_use(t.lc->buf), chunks);
	ck_assert_mem_eq(&before, t.p, sizeof(before));
	ck_assert(TAKEN(.flags = A, .seq = 1, .ack = 1, .len = 1000));
	ck_assert_uint_eq(buf_len(&t.p->rcv), 1000);
}
END_TEST

START_TEST(wrong_checksum_of_an_acknowledgment_counts_for_nothing)
{
	pcb_established();
	s_send(100);
	env_turn();
	EXPECT(A, 1, 1, 100);
	ck_assert(TAKEN(.flags = A, .seq = 1, .ack = 101, .bad_csum = true));
	ck_assert_uint_eq(env_drops(DROP_TCP_CSUM), 1);
	ck_assert_uint_eq(tcp_flight(t.p), 100);
	ck_assert(TAKEN(.flags = A, .seq = 1, .ack = 101));
}
END_TEST

START_TEST(timestamp_from_before_is_not_plain)
{
	t.peer_ts = true;
	t.peer_ts_val = 1000;
	pcb_established();
	t.peer_ts_val = 999;
	ck_assert(!TAKEN(.flags = A, .seq = 1, .ack = 1, .len = 10));
	t.peer_ts_val = 1001;
	ck_assert(!TAKEN(.flags = A, .seq = 1, .ack = 1, .len = 10, .no_ts = true));
	ck_assert(TAKEN(.flags = A, .seq = 1, .ack = 1, .len = 10));
	ck_assert_uint_eq(t.p->ts_recent, 1001);
}
END_TEST

/* RFC 3168 s6.1.3: the mark of a plain segment is told like that of any other. */
START_TEST(congestion_mark_is_echoed)
{
	const struct in in = {.flags = A, .seq = 1, .ack = 1, .len = 10};
	struct tcp_seg s;

	pcb_established();
	t.p->opt_ecn = true;
	s = parsed(&in);
	pkt_meta(s.m)->tos = 3;
	ck_assert(tcp_fast(t.lc, t.p, &s));
	pkt_drop(t.lc, s.m, s.why);
	ck_assert(t.p->ecn_echo);
	env_turn();
	ck_assert_uint_eq(env_tx(NULL).flags, A | TCP_F_ECE);
}
END_TEST

/* Text and window of many odd segments across the chunks of the buffer. */
START_TEST(stream_of_odd_segments_is_what_was_sent)
{
	static uint8_t sent[40000], got[40000];
	uint32_t at = 0, n = 0;

	for (uint32_t i = 0; i < sizeof(sent); i++)
		sent[i] = (uint8_t)(i * 7 + i / 251);
	pcb_established();
	while (at < 30000) {
		uint16_t len = (uint16_t)(1 + (at * 13 + 401) % MSS);

		ck_assert(
			TAKEN(.flags = A, .seq = 1 + at, .ack = 1, .data = sent + at, .len = len));
		at += len;
	}
	for (ssize_t r; (r = s_recv(got + n, 999)) > 0;)
		n += (uint32_t)r;
	ck_assert_uint_eq(n, at);
	ck_assert_mem_eq(got, sent, at);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("tcp_fast");
	TCase *c = tcase_create("tcp_fast");

	tcase_add_checked_fixture(c, setup, teardown);
	tcase_add_test(c, next_text_is_taken_and_can_be_read);
	tcase_add_test(c, acknowledgment_of_new_data_is_taken);
	tcase_add_test(c, what_is_not_plain_changes_nothing);
	tcase_add_test(c, text_beyond_the_window_is_not_plain);
	tcase_add_test(c, text_while_others_are_held_is_not_plain);
	tcase_add_test(c, wrong_checksum_is_dropped_and_changes_nothing);
	tcase_add_test(c, wrong_checksum_of_an_acknowledgment_counts_for_nothing);
	tcase_add_test(c, timestamp_from_before_is_not_plain);
	tcase_add_test(c, congestion_mark_is_echoed);
	tcase_add_test(c, stream_of_odd_segments_is_what_was_sent);
	suite_add_tcase(s, c);
	return env_main(s);
}
