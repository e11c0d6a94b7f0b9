/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdlib.h>

#include "stack/base/csum.h"
#include "stack/base/pkt.h"
#include "tests/util/lc_env.h"

/* RFC 1071 s4.1, written byte by byte in network order; the result is what lies on the wire. */
static uint16_t
naive(const uint8_t *p, size_t len)
{
	uint32_t sum = 0;

	for (size_t i = 0; i < len; i++)
		sum += i % 2 == 0 ? (uint32_t)p[i] << 8 : p[i];
	while (sum >> 16 != 0)
		sum = (sum & 0xffff) + (sum >> 16);
	return rte_cpu_to_be_16((uint16_t)~sum);
}

/* RFC 1071 s3 */
START_TEST(example_of_the_rfc)
{
	static const uint8_t data[] = {0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7};

	ck_assert_uint_eq(csum_finish(csum_add(data, sizeof(data), 0)), rte_cpu_to_be_16(0x220d));
}
END_TEST

START_TEST(every_length_and_alignment_agrees_with_the_naive_sum)
{
	for (size_t len = 0; len <= 1600; len += len < 130 || (len > 250 && len < 300) ? 1 : 13) {
		for (size_t off = 0; off < 9; off++) {
			uint8_t *buf = malloc(len + off), *copy = malloc(len);

			for (size_t i = 0; i < len; i++)
				buf[off + i] = (uint8_t)rand();
			ck_assert_uint_eq(
				csum_finish(csum_add(buf + off, len, 0)), naive(buf + off, len));
			ck_assert_uint_eq(csum_finish(csum_copy(copy, buf + off, len, 0)),
				naive(buf + off, len));
			if (len > 0)
				ck_assert_mem_eq(copy, buf + off, len);
			free(copy);
			free(buf);
		}
	}
}
END_TEST

START_TEST(pieces_of_even_length_add_up)
{
	uint8_t data[101];

	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)(i * 37);
	for (size_t cut = 0; cut < sizeof(data); cut += 2) {
		uint32_t sum = csum_add(data, cut, 0);

		sum = csum_add(data + cut, sizeof(data) - cut, sum);
		ck_assert_uint_eq(csum_finish(sum), naive(data, sizeof(data)));
	}
}
END_TEST

/* RFC 1071 s2 */
START_TEST(pieces_that_begin_at_an_odd_byte_are_joined)
{
	uint8_t data[301];

	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (uint8_t)(i * 37 + 1);
	for (size_t cut = 0; cut < sizeof(data); cut++) {
		uint32_t sum = csum_add(data, cut, 0);

		sum = csum_join(sum, csum_add(data + cut, sizeof(data) - cut, 0), cut % 2 != 0);
		ck_assert_uint_eq(csum_finish(sum), naive(data, sizeof(data)));
	}
}
END_TEST

START_TEST(no_carry_is_lost_in_a_full_packet)
{
	static uint8_t data[65535];

	memset(data, 0xff, sizeof(data));
	ck_assert_uint_eq(csum_finish(csum_add(data, sizeof(data), 0xffff)),
		csum_finish(csum_add(data, sizeof(data), 0)));
	ck_assert_uint_eq(csum_finish(csum_add(data, sizeof(data), 0)), naive(data, sizeof(data)));
}
END_TEST

START_TEST(packet_with_its_checksum_gives_zero)
{
	uint8_t data[40] = {0x45, 1, 2, 3, 4};
	uint16_t sum = csum_finish(csum_add(data, sizeof(data), 0));

	memcpy(data + 10, &sum, 2);
	ck_assert_uint_eq(csum_finish(csum_add(data, sizeof(data), 0)), 0);
}
END_TEST

/* RFC 9293 s3.1, figure 2 */
START_TEST(pseudo_header_of_ipv4)
{
	static const uint8_t wire[12] = {10, 0, 0, 1, 10, 0, 0, 2, 0, 6, 0x12, 0x34};
	struct flow_key k = {.proto = IPPROTO_N_TCP};

	ip_addr_parse("10.0.0.1", &k.local);
	ip_addr_parse("10.0.0.2", &k.remote);
	ck_assert_uint_eq(csum_finish(csum_pseudo(&k, 0x1234)), naive(wire, sizeof(wire)));
}
END_TEST

/* RFC 8200 s8.1 */
START_TEST(pseudo_header_of_ipv6)
{
	uint8_t wire[40] = {0};
	struct flow_key k = {.proto = IPPROTO_N_TCP};

	ip_addr_parse("2001:db8::1", &k.local);
	ip_addr_parse("2001:db8::2", &k.remote);
	memcpy(wire, k.local.b, 16);
	memcpy(wire + 16, k.remote.b, 16);
	memcpy(wire + 32, "\x00\x01\x12\x34\x00\x00\x00\x06", 8);
	ck_assert_uint_eq(csum_finish(csum_pseudo(&k, 0x11234)), naive(wire, sizeof(wire)));
}
END_TEST

START_TEST(pseudo_header_is_the_same_in_both_directions)
{
	struct flow_key a = {.proto = IPPROTO_N_TCP}, b = {.proto = IPPROTO_N_TCP};

	ip_addr_parse("10.9.8.7", &a.local);
	ip_addr_parse("10.0.0.2", &a.remote);
	b.local = a.remote;
	b.remote = a.local;
	ck_assert_uint_eq(csum_finish(csum_pseudo(&a, 99)), csum_finish(csum_pseudo(&b, 99)));
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("csum");
	TCase *c = tcase_create("csum");

	tcase_add_test(c, example_of_the_rfc);
	tcase_add_test(c, every_length_and_alignment_agrees_with_the_naive_sum);
	tcase_add_test(c, pieces_of_even_length_add_up);
	tcase_add_test(c, pieces_that_begin_at_an_odd_byte_are_joined);
	tcase_add_test(c, no_carry_is_lost_in_a_full_packet);
	tcase_add_test(c, packet_with_its_checksum_gives_zero);
	tcase_add_test(c, pseudo_header_of_ipv4);
	tcase_add_test(c, pseudo_header_of_ipv6);
	tcase_add_test(c, pseudo_header_is_the_same_in_both_directions);
	suite_add_tcase(s, c);
	return env_main(s);
}
