/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdlib.h>
#include <string.h>

#include "tests/tcp/tcp_env.h"

static const struct tcp_seg full = {.seq = 0x01020304,
	.ack = 0xf0e0d0c0,
	.wnd = 4321,
	.flags = TCP_F_SYN | TCP_F_ACK,
	.mss = 1460,
	.wscale = 7,
	.ts_val = 0xdeadbeef,
	.ts_ecr = 0x12345678};

/* RFC 9293 s3.1, s3.2: every combination of options that this stack emits is parsed back. */
START_TEST(emitted_options_parse_to_the_same_values)
{
	struct tcp_seg in = full, out;
	uint8_t buf[TCP_HLEN_MAX];
	uint32_t n;

	in.opts = (uint8_t)_i;
	n = tcp_wire_emit(buf, &in, 1, 2);
	ck_assert_uint_eq(n, tcp_wire_hlen(&in));
	ck_assert_uint_eq(n % 4, 0);
	ck_assert_uint_eq(tcp_wire_parse(buf, n, &out), DROP_NONE);
	ck_assert_uint_eq(out.opts, in.opts);
	ck_assert_uint_eq(out.seq, in.seq);
	ck_assert_uint_eq(out.ack, in.ack);
	ck_assert_uint_eq(out.wnd, in.wnd);
	ck_assert_uint_eq(out.flags, in.flags);
	ck_assert_uint_eq(out.off, n);
	ck_assert_uint_eq(out.len, 0);
	if ((in.opts & TCP_O_MSS) != 0)
		ck_assert_uint_eq(out.mss, 1460);
	if ((in.opts & TCP_O_WS) != 0)
		ck_assert_uint_eq(out.wscale, 7);
	if ((in.opts & TCP_O_TS) != 0) {
		ck_assert_uint_eq(out.ts_val, in.ts_val);
		ck_assert_uint_eq(out.ts_ecr, in.ts_ecr);
	}
}
END_TEST

/* RFC 2018 s3: one to four blocks; any other length is malformed. */
START_TEST(emitted_sack_blocks_parse_to_the_same_values)
{
	struct tcp_seg in = full, out;
	uint8_t buf[TCP_HLEN_MAX];
	uint32_t n;

	in.opts = _i < 4 ? TCP_O_TS : 0;
	in.sack_n = (uint8_t)_i;
	for (uint32_t i = 0; i < TCP_SACK_MAX; i++)
		in.sack[i] = (struct tcp_sack_block){0xfffffff0 + i, 0x10 * i + 7};
	n = tcp_wire_emit(buf, &in, 1, 2);
	ck_assert_uint_eq(n, tcp_wire_hlen(&in));
	ck_assert_uint_le(n, TCP_HLEN_MAX);
	ck_assert_uint_eq(tcp_wire_parse(buf, n, &out), DROP_NONE);
	ck_assert_uint_eq(out.sack_n, in.sack_n);
	for (uint32_t i = 0; i < out.sack_n; i++) {
		ck_assert_uint_eq(out.sack[i].l, in.sack[i].l);
		ck_assert_uint_eq(out.sack[i].r, in.sack[i].r);
	}
	if (_i == 0)
		return;
	for (uint32_t len = 2; len < 2u + 8u * in.sack_n; len++) {
		buf[n - 8u * in.sack_n - 1] = (uint8_t)len;
		if (len % 8 != 2 || len == 2)
			ck_assert_uint_eq(tcp_wire_parse(buf, n, &out), DROP_TCP_OPT);
	}
}
END_TEST

/* Every truncation, in a buffer of exactly that size, so that ASan sees one byte too far. */
START_TEST(truncated_segment_is_refused_or_has_less_payload)
{
	struct tcp_seg in = full, out;
	uint8_t buf[TCP_HLEN_MAX + 10] = {0};
	uint32_t hlen, len;

	in.opts = (uint8_t)_i;
	hlen = tcp_wire_emit(buf, &in, 1, 2);
	for (len = 0; len <= hlen + 10; len++) {
		uint8_t *exact = malloc(len == 0 ? 1 : len);
		enum drop_reason r;

		memcpy(exact, buf, len);
		r = tcp_wire_parse(exact, len, &out);
		if (len < TCP_HLEN_MIN) {
			ck_assert_uint_eq(r, DROP_TCP_SHORT);
		} else if (len < hlen) {
			ck_assert_uint_eq(r, DROP_TCP_HLEN);
		} else {
			ck_assert_uint_eq(r, DROP_NONE);
			ck_assert_uint_eq(out.len, len - hlen);
		}
		free(exact);
	}
}
END_TEST

/* The same through tcp_in(), checksum and all. */
START_TEST(truncated_segment_at_tcp_in_changes_no_connection)
{
	struct in in = {.flags = A, .seq = 1, .ack = 1, .len = 20, .opts = (uint8_t)_i};
	struct rte_mbuf *whole;
	struct tcp_pcb before;
	uint32_t full_len;

	pcb_established();
	before = *t.p;
	whole = env_segment(&in);
	full_len = whole->data_len;
	rte_pktmbuf_free(whole);
	for (uint32_t len = 0; len < full_len; len++) {
		struct rte_mbuf *m = env_segment(&in), *cut;
		struct pkt_vec v = {.n = 1};

		cut = env_pkt(t.e, pkt_data(m, 0), len);
		*pkt_meta(cut) = *pkt_meta(m);
		pkt_meta(cut)->l4_len = (uint16_t)len;
		rte_pktmbuf_free(m);
		v.m[0] = cut;
		tcp_in(t.lc, &v);
		ck_assert_uint_eq(t.p->rcv_nxt, before.rcv_nxt);
		ck_assert_uint_eq(t.p->snd_una, before.snd_una);
	}
	env_turn();
	EXPECT_NONE();
}
END_TEST

static void
parse_opts_expect(const uint8_t *opt, uint32_t n, enum drop_reason want, uint8_t opts)
{
	uint8_t *buf = calloc(1, 20 + n);
	struct tcp_seg s;

	buf[12] = (uint8_t)((20 + n) / 4 << 4);
	buf[13] = TCP_F_SYN;
	memcpy(buf + 20, opt, n);
	ck_assert_uint_eq(tcp_wire_parse(buf, 20 + n, &s), want);
	if (want == DROP_NONE)
		ck_assert_uint_eq(s.opts, opts);
	free(buf);
}

/* RFC 9293 s3.1, MUST-7, and s3.2, MUST-6. */
START_TEST(odd_options_are_skipped_or_refused)
{
	parse_opts_expect((uint8_t[]){1, 1, 1, 1}, 4, DROP_NONE, 0);
	parse_opts_expect((uint8_t[]){0, 2, 0, 0}, 4, DROP_NONE, 0);
	parse_opts_expect((uint8_t[]){2, 4, 5, 0xb4}, 4, DROP_NONE, TCP_O_MSS);
	parse_opts_expect((uint8_t[]){254, 4, 9, 9}, 4, DROP_NONE, 0);
	parse_opts_expect((uint8_t[]){4, 2, 1, 1}, 4, DROP_NONE, TCP_O_SACK_PERM);
	parse_opts_expect((uint8_t[]){2, 0, 1, 1}, 4, DROP_TCP_OPT, 0);
	parse_opts_expect((uint8_t[]){2, 1, 1, 1}, 4, DROP_TCP_OPT, 0);
	parse_opts_expect((uint8_t[]){254, 5, 1, 1}, 4, DROP_TCP_OPT, 0);
	parse_opts_expect((uint8_t[]){1, 1, 1, 2}, 4, DROP_TCP_OPT, 0);
	parse_opts_expect((uint8_t[]){2, 3, 1, 0}, 4, DROP_TCP_OPT, 0);
	parse_opts_expect((uint8_t[]){3, 4, 1, 0}, 4, DROP_TCP_OPT, 0);
	parse_opts_expect((uint8_t[]){8, 4, 1, 0}, 4, DROP_TCP_OPT, 0);
	parse_opts_expect((uint8_t[]){4, 4, 1, 0}, 4, DROP_TCP_OPT, 0);
}
END_TEST

/* RFC 7323 s2.3 */
START_TEST(shift_count_above_14_is_14)
{
	uint8_t buf[24] = {[12] = 0x60, [13] = TCP_F_SYN, [20] = 3, 3, 255, 0};
	struct tcp_seg s;

	ck_assert_uint_eq(tcp_wire_parse(buf, 24, &s), DROP_NONE);
	ck_assert_uint_eq(s.wscale, 14);
}
END_TEST

START_TEST(random_bytes_never_read_beyond_the_segment)
{
	srand((unsigned int)_i);
	for (int k = 0; k < 2000; k++) {
		uint32_t len = (uint32_t)rand() % 80;
		uint8_t *b = malloc(len == 0 ? 1 : len);
		struct tcp_seg s;

		for (uint32_t i = 0; i < len; i++)
			b[i] = (uint8_t)(rand() % (i < 20 ? 256 : 12));
		if (tcp_wire_parse(b, len, &s) == DROP_NONE)
			ck_assert_uint_eq(s.off + s.len, len);
		free(b);
	}
}
END_TEST

START_TEST(bad_segments_are_dropped_with_their_reason)
{
	pcb_established();
	RX(.flags = S | F, .seq = 1);
	ck_assert_uint_eq(env_drops(DROP_TCP_FLAGS), 1);
	RX(.flags = S | R, .seq = 1);
	ck_assert_uint_eq(env_drops(DROP_TCP_FLAGS), 2);
	RX(.flags = A, .seq = 1, .ack = 1, .len = 5, .bad_csum = true);
	ck_assert_uint_eq(env_drops(DROP_TCP_CSUM), 1);
	EXPECT_NONE();
}
END_TEST

/* Aumasson and Bernstein, "SipHash", appendix A. */
START_TEST(siphash_matches_its_test_vector)
{
	struct tcp_secret k = {{UINT64_C(0x0706050403020100), UINT64_C(0x0f0e0d0c0b0a0908)}};
	uint8_t in[15];

	for (uint8_t i = 0; i < 15; i++)
		in[i] = i;
	ck_assert(tcp_siphash(&k, in, 15) == UINT64_C(0xa129ca6149be45e5));
}
END_TEST

/* RFC 6528 s3 */
START_TEST(isn_follows_the_clock_and_hides_the_tuple)
{
	struct flow_key a = {.lport = 1, .rport = 2}, b = {.lport = 1, .rport = 3};
	uint32_t isn = tcp_isn(t.lc, &a);

	ck_assert_uint_ne(isn, tcp_isn(t.lc, &b));
	t.lc->now_ns += 4000 * 100;
	ck_assert_uint_eq(tcp_isn(t.lc, &a), isn + 100);
	ck_assert_uint_ne(tcp_ts_offset(t.lc, &a), tcp_ts_offset(t.lc, &b));
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("tcp_wire");
	TCase *c = tcase_create("tcp_wire");

	tcase_add_checked_fixture(c, setup, teardown);
	tcase_add_loop_test(c, emitted_options_parse_to_the_same_values, 0, 16);
	tcase_add_loop_test(c, emitted_sack_blocks_parse_to_the_same_values, 0, TCP_SACK_MAX + 1);
	tcase_add_loop_test(c, truncated_segment_is_refused_or_has_less_payload, 0, 16);
	tcase_add_loop_test(c, truncated_segment_at_tcp_in_changes_no_connection, 0, 16);
	tcase_add_test(c, odd_options_are_skipped_or_refused);
	tcase_add_test(c, shift_count_above_14_is_14);
	tcase_add_loop_test(c, random_bytes_never_read_beyond_the_segment, 0, 5);
	tcase_add_test(c, bad_segments_are_dropped_with_their_reason);
	tcase_add_test(c, siphash_matches_its_test_vector);
	tcase_add_test(c, isn_follows_the_clock_and_hides_the_tuple);
	suite_add_tcase(s, c);
	return env_main(s);
}
