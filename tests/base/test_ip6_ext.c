/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdlib.h>

#include "stack/base/ip6_ext.h"
#include "tests/util/lc_env.h"

enum { NXT_TCP = 6, NXT_ESP = 50, CAP = 4096 };

static uint8_t pkt[CAP];
static uint32_t pkt_len;
static uint32_t nh_at;

static void
begin(void)
{
	memset(pkt, 0, sizeof(pkt));
	pkt[0] = 0x60;
	pkt_len = IP6_HLEN;
	nh_at = 6;
}

/* Appends a header of len bytes (a multiple of 8) whose body after the first two bytes is given. */
static void
ext(uint8_t type, uint32_t len, const void *body, uint32_t body_len)
{
	pkt[nh_at] = type;
	nh_at = pkt_len;
	pkt[pkt_len + 1] = type == IP6_NH_FRAGMENT ? 0 : (uint8_t)(len / 8 - 1);
	/* PadN over what is not said. */
	if (type != IP6_NH_FRAGMENT && type != IP6_NH_ROUTING && body_len < len - 2) {
		uint32_t at = pkt_len + 2 + body_len, left = len - 2 - body_len;

		pkt[at] = left == 1 ? 0 : 1;
		if (left > 1)
			pkt[at + 1] = (uint8_t)(left - 2);
	}
	memcpy(pkt + pkt_len + 2, body, body_len);
	pkt_len += len;
}

static void
upper(uint8_t nxt, uint32_t len)
{
	pkt[nh_at] = nxt;
	pkt_len += len;
}

static enum ip6_ext_error
walk(struct ip6_upper *u)
{
	/* Its own size, so that a read beyond the end is seen. */
	uint8_t *copy = malloc(pkt_len);
	enum ip6_ext_error e;

	memcpy(copy, pkt, pkt_len);
	e = ip6_ext_walk(copy, pkt_len, u);
	free(copy);
	return e;
}

START_TEST(no_extension_header)
{
	struct ip6_upper u;

	begin();
	upper(NXT_TCP, 20);
	ck_assert_int_eq(walk(&u), IP6_EXT_OK);
	ck_assert_uint_eq(u.off, 40);
	ck_assert_uint_eq(u.nxt, NXT_TCP);
	ck_assert_uint_eq(u.unfrag_nh, 6);
	ck_assert_uint_eq(u.frag_off, 0);
}
END_TEST

START_TEST(chain_up_to_esp)
{
	struct ip6_upper u;

	begin();
	ext(IP6_NH_HOPOPTS, 8, "", 0);
	ext(IP6_NH_DSTOPTS, 24, "", 0);
	ext(IP6_NH_ROUTING, 24, "\x02\x00", 2);
	upper(NXT_ESP, 30);
	ck_assert_int_eq(walk(&u), IP6_EXT_OK);
	ck_assert_uint_eq(u.off, 40 + 8 + 24 + 24);
	ck_assert_uint_eq(u.nxt, NXT_ESP);
	ck_assert_uint_eq(u.unfrag_nh, 40 + 8 + 24);
}
END_TEST

/* RFC 8200 s4.5: the chain goes on behind the header of a first fragment. */
START_TEST(first_fragment_is_walked_through)
{
	struct ip6_upper u;

	begin();
	ext(IP6_NH_HOPOPTS, 8, "", 0);
	ext(IP6_NH_FRAGMENT, 8, "\x00\x01\xaa\xbb\xcc\xdd", 6);
	ext(IP6_NH_DSTOPTS, 8, "", 0);
	upper(NXT_TCP, 8);
	ck_assert_int_eq(walk(&u), IP6_EXT_OK);
	ck_assert_uint_eq(u.frag_off, 48);
	ck_assert_uint_eq(u.frag_data, 0);
	ck_assert(u.more);
	ck_assert_uint_eq(u.unfrag_nh, 40);
	ck_assert_uint_eq(u.off, 64);
	ck_assert_uint_eq(u.nxt, NXT_TCP);
}
END_TEST

START_TEST(later_fragment_stops_the_walk)
{
	struct ip6_upper u;

	begin();
	ext(IP6_NH_FRAGMENT, 8, "\x05\xa8\x00\x00\x00\x01", 6);
	/* The payload only looks like a header. */
	upper(IP6_NH_DSTOPTS, 8);
	memset(pkt + 48, 0xff, 8);
	ck_assert_int_eq(walk(&u), IP6_EXT_OK);
	ck_assert_uint_eq(u.frag_off, 40);
	ck_assert_uint_eq(u.frag_data, 0x5a8);
	ck_assert(!u.more);
	ck_assert_uint_eq(u.unfrag_nh, 6);
	ck_assert_uint_eq(u.off, 48);
	ck_assert_uint_eq(u.nxt, IP6_NH_DSTOPTS);
}
END_TEST

START_TEST(every_truncation_is_short)
{
	struct ip6_upper u;
	uint32_t whole;

	begin();
	ext(IP6_NH_HOPOPTS, 16, "\x05\x02\x00\x00", 4);
	ext(IP6_NH_ROUTING, 24, "\x04\x00", 2);
	ext(IP6_NH_FRAGMENT, 8, "\x00\x01\x00\x00\x00\x01", 6);
	ext(IP6_NH_DSTOPTS, 16, "\x1e\x04\0\0\0\0", 6);
	upper(NXT_TCP, 0);
	ck_assert_int_eq(walk(&u), IP6_EXT_OK);
	whole = pkt_len;
	for (pkt_len = 0; pkt_len < whole; pkt_len++)
		ck_assert_int_eq(walk(&u), IP6_EXT_SHORT);
}
END_TEST

/* RFC 8200 s4.1, s4.3 */
START_TEST(hop_by_hop_only_first)
{
	struct ip6_upper u;

	begin();
	ext(IP6_NH_DSTOPTS, 8, "", 0);
	ext(IP6_NH_HOPOPTS, 8, "", 0);
	upper(NXT_TCP, 20);
	ck_assert_int_eq(walk(&u), IP6_EXT_ORDER);
	ck_assert_uint_eq(u.problem, IP6_PROBLEM_UNICAST);
	ck_assert_uint_eq(u.code, 1);
	ck_assert_uint_eq(u.pointer, 40);
}
END_TEST

START_TEST(two_fragment_headers)
{
	struct ip6_upper u;

	begin();
	ext(IP6_NH_FRAGMENT, 8, "\x00\x01\x00\x00\x00\x01", 6);
	ext(IP6_NH_FRAGMENT, 8, "\x00\x01\x00\x00\x00\x02", 6);
	upper(NXT_TCP, 20);
	ck_assert_int_eq(walk(&u), IP6_EXT_ORDER);
}
END_TEST

/* RFC 5095 s3, RFC 8200 s4.4 */
START_TEST(routing_header_with_segments_left)
{
	for (uint8_t type = 0; type < 6; type++) {
		struct ip6_upper u;
		uint8_t body[2] = {type, 1};

		begin();
		ext(IP6_NH_ROUTING, 24, body, 2);
		upper(NXT_TCP, 20);
		ck_assert_int_eq(walk(&u), IP6_EXT_ROUTING);
		ck_assert_uint_eq(u.code, 0);
		ck_assert_uint_eq(u.pointer, 42);
	}
}
END_TEST

/* RFC 8200 s4.2: the two high bits. */
START_TEST(unknown_options)
{
	static const struct {
		uint8_t type;
		enum ip6_ext_error e;
		enum ip6_problem problem;
	} row[] = {
		{0x1e, IP6_EXT_OK, IP6_PROBLEM_NONE},
		{0x5e, IP6_EXT_OPTION, IP6_PROBLEM_NONE},
		{0x9e, IP6_EXT_OPTION, IP6_PROBLEM_ALWAYS},
		{0xc2, IP6_EXT_OPTION, IP6_PROBLEM_UNICAST},
	};

	for (size_t i = 0; i < RTE_DIM(row); i++) {
		struct ip6_upper u;
		uint8_t body[] = {row[i].type, 4, 1, 2, 3, 4};

		begin();
		ext(IP6_NH_DSTOPTS, 8, body, sizeof(body));
		upper(NXT_TCP, 20);
		ck_assert_int_eq(walk(&u), row[i].e);
		ck_assert_uint_eq(u.problem, row[i].problem);
		if (row[i].problem != IP6_PROBLEM_NONE) {
			ck_assert_uint_eq(u.code, 2);
			ck_assert_uint_eq(u.pointer, 42);
		}
	}
}
END_TEST

START_TEST(option_beyond_its_header)
{
	struct ip6_upper u;

	begin();
	ext(IP6_NH_DSTOPTS, 8, "\x1e\x05\x00\x00\x00\x00", 6);
	upper(NXT_TCP, 20);
	ck_assert_int_eq(walk(&u), IP6_EXT_OPTION);
	begin();
	ext(IP6_NH_DSTOPTS, 8, "\x1e\x03\x00\x00\x00\x1e", 6);
	upper(NXT_TCP, 20);
	ck_assert_int_eq(walk(&u), IP6_EXT_OPTION);
}
END_TEST

START_TEST(limits)
{
	struct ip6_upper u;

	begin();
	for (uint32_t i = 0; i < IP6_EXT_MAX; i++)
		ext(IP6_NH_DSTOPTS, 8, "", 0);
	upper(NXT_TCP, 20);
	ck_assert_int_eq(walk(&u), IP6_EXT_OK);
	begin();
	for (uint32_t i = 0; i < IP6_EXT_MAX + 1; i++)
		ext(IP6_NH_DSTOPTS, 8, "", 0);
	upper(NXT_TCP, 20);
	ck_assert_int_eq(walk(&u), IP6_EXT_MANY);
	begin();
	ext(IP6_NH_DSTOPTS, 16, "\0\0\0\0\0\0\0\0", 8);
	upper(NXT_TCP, 20);
	ck_assert_int_eq(walk(&u), IP6_EXT_MANY);
	begin();
	ext(IP6_NH_DSTOPTS, 24, "\x1e\0\x1e\0\x1e\0\x1e\0\x1e\0\x1e\0\x1e\0\x1e\0\x1e\0", 18);
	upper(NXT_TCP, 20);
	ck_assert_int_eq(walk(&u), IP6_EXT_MANY);
}
END_TEST

/* Whatever the bytes are, the answer lies inside and nothing outside is read. */
START_TEST(noise)
{
	static const uint8_t types[] = {0, 43, 44, 60, 6, 50};

	srand(7);
	for (uint32_t i = 0; i < 20000; i++) {
		struct ip6_upper u;

		begin();
		pkt_len = (uint32_t)rand() % 200;
		for (uint32_t k = 0; k < pkt_len; k++)
			pkt[k] = types[rand() % 6];
		for (uint32_t k = 0; k < pkt_len; k++)
			if (rand() % 3 != 0)
				pkt[k] = (uint8_t)(rand() % 4);
		if (walk(&u) == IP6_EXT_OK) {
			ck_assert_uint_le(u.off, pkt_len);
			ck_assert_uint_lt(u.unfrag_nh, pkt_len);
		}
	}
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("ip6_ext");
	TCase *c = tcase_create("ip6_ext");

	tcase_add_test(c, no_extension_header);
	tcase_add_test(c, chain_up_to_esp);
	tcase_add_test(c, first_fragment_is_walked_through);
	tcase_add_test(c, later_fragment_stops_the_walk);
	tcase_add_test(c, every_truncation_is_short);
	tcase_add_test(c, hop_by_hop_only_first);
	tcase_add_test(c, two_fragment_headers);
	tcase_add_test(c, routing_header_with_segments_left);
	tcase_add_test(c, unknown_options);
	tcase_add_test(c, option_beyond_its_header);
	tcase_add_test(c, limits);
	tcase_add_test(c, noise);
	suite_add_tcase(s, c);
	return env_main(s);
}
