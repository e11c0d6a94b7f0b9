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
	bool taken = tcp_fast(t.lc, t.p, &s, 1) == 1;

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
	ck_assert_uint_eq(tcp_fast(t.lc, t.p, &s, 1), 1);
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

/* ---- runs ---- */

enum { RUN = 4 };

/* RUN segments of 100 octets, one after the other. */
static void
run_of(struct tcp_seg *s)
{
	for (uint32_t i = 0; i < RUN; i++) {
		struct in in = {.flags = A, .seq = 1 + 100 * i, .ack = 1, .len = 100};

		in.data = pattern() + 100 * i;
		s[i] = parsed(&in);
	}
}

/* How many tcp_fast() takes of a run in which s[2] was changed; ends all of them. */
static uint32_t
run_taken(struct tcp_seg *s)
{
	uint32_t n = tcp_fast(t.lc, t.p, s, RUN);

	for (uint32_t i = 0; i < RUN; i++)
		pkt_drop(t.lc, s[i].m, s[i].why);
	return n;
}

START_TEST(run_is_taken_at_once_and_acknowledged_once)
{
	struct tcp_seg s[RUN];
	uint8_t got[1000];

	pcb_established();
	run_of(s);
	ck_assert_uint_eq(run_taken(s), RUN);
	ck_assert_uint_eq(t.p->rcv_mss, 100);
	env_turn();
	EXPECT(A, 1, 401, 0);
	EXPECT_NONE();
	ck_assert_int_eq(s_recv(got, sizeof(got)), 400);
	ck_assert_mem_eq(got, pattern(), 400);
}
END_TEST

/* F-10: what came under another SA, or under none, is not merged; the latch judges it for itself.
 */
START_TEST(f10_run_ends_where_the_tag_changes)
{
	struct tcp_seg s[RUN];
	struct tl_tag tag = {.sad_index = 1, .sad_gen = 1, .profile = 5}, other = tag;

	other.profile = 6;
	other.sad_index = _i == 2 ? 2 : 1;
	pcb_established();
	run_of(s);
	for (uint32_t i = 0; i < RUN; i++)
		pkt_tag_set(t.lc, s[i].m, tag);
	if (_i == 0)
		pkt_tag_clear(t.lc, s[2].m);
	else
		pkt_tag_set(t.lc, s[2].m, other);
	ck_assert_uint_eq(run_taken(s), 2);
	ck_assert_uint_eq(t.p->rcv_nxt - t.p->irs, 201);
}
END_TEST

START_TEST(run_ends_where_a_segment_says_something_else)
{
	struct tcp_seg s[RUN];

	pcb_established();
	run_of(s);
	switch (_i) {
	case 0:
		s[2].flags |= F;
		break;
	case 1:
		s[2].ack++;
		break;
	case 2:
		s[2].wnd++;
		break;
	case 3:
		s[2].seq++;
		break;
	case 4:
		s[2].opts = TCP_O_TS;
		break;
	case 5:
		s[2].sack_n = 1;
		break;
	case 6:
		pkt_meta(s[2].m)->tos = 3;
		break;
	case 7:
		pkt_meta(s[2].m)->verdict = VERDICT_BREAK;
		break;
	case 8:
		pkt_meta(s[2].m)->flow = NULL;
		break;
	case 9:
		t.p->rcv_adv = s[2].seq + s[2].len - 1;
		break;
	default:
		s[2].len = 0;
	}
	ck_assert_uint_eq(run_taken(s), 2);
	ck_assert_uint_eq(t.p->rcv_nxt - t.p->irs, 201);
}
END_TEST

START_TEST(run_ends_with_a_segment_whose_checksum_is_wrong)
{
	struct tcp_seg s[RUN];
	uint8_t got[1000];

	pcb_established();
	run_of(s);
	pkt_data(s[2].m, s[2].off)[7] ^= 1;
	ck_assert_uint_eq(run_taken(s), 3); /* two and the wrong one, which is dropped */
	ck_assert_uint_eq(env_drops(DROP_TCP_CSUM), 1);
	ck_assert_uint_eq(t.p->rcv_nxt - t.p->irs, 201);
	ck_assert_int_eq(s_recv(got, sizeof(got)), 200);
	ck_assert_mem_eq(got, pattern(), 200);
}
END_TEST

START_TEST(older_timestamp_ends_a_run)
{
	struct tcp_seg s[RUN];

	t.peer_ts = true;
	t.peer_ts_val = 1000;
	pcb_established();
	run_of(s);
	s[2].ts_val = 999;
	ck_assert_uint_eq(run_taken(s), 2);
}
END_TEST

/* A bare ACK overtook the text: what the end of the run says of the window is the news. */
START_TEST(window_of_a_run_is_that_of_its_last_segment)
{
	struct tcp_seg s[RUN];

	pcb_established();
	t.p->snd_wl1 = t.p->rcv_nxt + 150;
	t.p->snd_wl2 = t.p->snd_una;
	run_of(s);
	for (uint32_t i = 0; i < RUN; i++)
		s[i].wnd = 12345;
	ck_assert_uint_eq(run_taken(s), RUN);
	ck_assert_uint_eq(t.p->snd_wnd, 12345);
	ck_assert_uint_eq(t.p->snd_wl1 - t.p->irs, 301);
}
END_TEST

/* F-9: where a verdict may have aged, each segment is judged again before anything is done. */
START_TEST(run_is_merged_only_while_the_verdicts_hold)
{
	struct pkt_vec v = {.n = 0};

	pcb_established();
	for (uint32_t i = 0; i < RUN; i++) {
		struct in in = {.flags = A, .seq = 1 + 100 * i, .ack = 1, .len = 100};

		pkt_vec_add(&v, env_segment(&in));
		pkt_meta(v.m[i])->verdict = VERDICT_ACCEPT;
		pkt_meta(v.m[i])->flow = &t.p->fe;
	}
	t.fake.rechecks = 0;
	t.fake.stale_verdicts = _i == 1;
	tcp_in(t.lc, &v);
	ck_assert_uint_eq(t.fake.rechecks, _i == 1 ? RUN : 1);
	ck_assert_uint_eq(t.p->rcv_nxt - t.p->irs, 401);
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
	tcase_add_test(c, run_is_taken_at_once_and_acknowledged_once);
	tcase_add_loop_test(c, f10_run_ends_where_the_tag_changes, 0, 3);
	tcase_add_loop_test(c, run_ends_where_a_segment_says_something_else, 0, 11);
	tcase_add_test(c, window_of_a_run_is_that_of_its_last_segment);
	tcase_add_loop_test(c, run_is_merged_only_while_the_verdicts_hold, 0, 2);
	tcase_add_test(c, run_ends_with_a_segment_whose_checksum_is_wrong);
	tcase_add_test(c, older_timestamp_ends_a_run);
	suite_add_tcase(s, c);
	return env_main(s);
}
