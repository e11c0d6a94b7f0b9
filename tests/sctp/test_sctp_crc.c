/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdlib.h>
#include <string.h>

#include "sctp/sctp_crc.h"
#include "tests/util/lc_env.h"

static uint32_t
whole(uint32_t (*add)(uint32_t, const void *, size_t), const void *p, size_t n)
{
	return ~add(UINT32_MAX, p, n);
}

/* RFC 3720 B.4, and the check value of the polynomial. */
START_TEST(known_answers)
{
	uint32_t (*add)(uint32_t, const void *, size_t) =
		_i == 0 ? sctp_crc_add : sctp_crc_add_table;
	uint8_t zero[32] = {0}, ones[32], up[32], down[32];

	memset(ones, 0xff, sizeof(ones));
	for (int i = 0; i < 32; i++) {
		up[i] = (uint8_t)i;
		down[i] = (uint8_t)(31 - i);
	}
	ck_assert_uint_eq(whole(add, "123456789", 9), 0xe3069283);
	ck_assert_uint_eq(whole(add, zero, 32), 0x8a9136aa);
	ck_assert_uint_eq(whole(add, ones, 32), 0x62a8ab43);
	ck_assert_uint_eq(whole(add, up, 32), 0x46dd794e);
	ck_assert_uint_eq(whole(add, down, 32), 0x113fdb5c);
}
END_TEST

/* Three lanes, one lane, single bytes: every length and alignment gives what the table gives. */
START_TEST(instructions_agree_with_the_table)
{
	static uint8_t bytes[4096 + 8];

	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)(i * 31 + (i >> 7));
	for (size_t n = 0; n <= 2400; n += n < 40 ? 1 : 7) {
		const uint8_t *p = bytes + n % 8;

		ck_assert_uint_eq(sctp_crc_add((uint32_t)n * 77, p, n),
			sctp_crc_add_table((uint32_t)n * 77, p, n));
	}
}
END_TEST

START_TEST(pieces_give_what_the_whole_gives)
{
	static uint8_t bytes[2000];

	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)(i * 131);
	for (size_t cut = 0; cut < sizeof(bytes); cut += 13) {
		uint32_t crc = sctp_crc_add(UINT32_MAX, bytes, cut);

		ck_assert_uint_eq(sctp_crc_add(crc, bytes + cut, sizeof(bytes) - cut),
			sctp_crc_add_table(UINT32_MAX, bytes, sizeof(bytes)));
	}
}
END_TEST

/* RFC 9260 s6.8, step 1: the field counts as zero. */
START_TEST(checksum_field_counts_as_zero)
{
	uint8_t p[40] = {1, 2, 3, 4, 5, 6, 7, 8}, q[40];

	p[20] = 9;
	memcpy(q, p, sizeof(q));
	memset(q + 8, 0xee, 4);
	ck_assert_uint_eq(sctp_crc_packet(p, 40), whole(sctp_crc_add, p, 40));
	ck_assert_uint_eq(sctp_crc_packet(q, 40), sctp_crc_packet(p, 40));
	q[12] ^= 1;
	ck_assert_uint_ne(sctp_crc_packet(q, 40), sctp_crc_packet(p, 40));
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("sctp_crc");
	TCase *tc = tcase_create("crc");

	tcase_add_loop_test(tc, known_answers, 0, 2);
	tcase_add_test(tc, instructions_agree_with_the_table);
	tcase_add_test(tc, pieces_give_what_the_whole_gives);
	tcase_add_test(tc, checksum_field_counts_as_zero);
	suite_add_tcase(s, tc);
	return env_main(s);
}
