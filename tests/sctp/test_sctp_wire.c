/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdlib.h>
#include <string.h>

#include "sctp/sctp_wire.h"
#include "tests/util/lc_env.h"

static uint8_t room[2048];

static struct sctp_emit
packet(void)
{
	struct sctp_emit e = {.p = room, .cap = sizeof(room)};

	sctp_emit_header(&e, RTE_BE16(4000), RTE_BE16(80), 0x11223344);
	return e;
}

/* A copy of exactly this size, so that ASan sees one byte too far. */
static uint8_t *
exact(const uint8_t *p, size_t len)
{
	uint8_t *copy = malloc(len == 0 ? 1 : len);

	ck_assert_ptr_nonnull(copy);
	memcpy(copy, p, len);
	return copy;
}

static struct sctp_chunk
only_chunk(const uint8_t *p, uint32_t len)
{
	struct sctp_walk w;
	struct sctp_chunk c, more;

	sctp_walk_start(&w, p, len);
	ck_assert(sctp_walk_next(&w, &c));
	ck_assert(!sctp_walk_next(&w, &more));
	return c;
}

static const struct ip_addr six = {.b = {0xfd, 0, [15] = 9}};

static struct sctp_offer
offer(void)
{
	struct sctp_offer o = {.vtag = 0xdeadbeef,
		.a_rwnd = 100000,
		.tsn = 77,
		.nb_out = 10,
		.nb_in = 20,
		.nb_addrs = 2,
		.v4 = true};

	o.addr[0] = ip_addr_v4(RTE_BE32(0x0a000007));
	o.addr[1] = six;
	return o;
}

/* RFC 9260 s3.1, s3.3.2: what is emitted is parsed back. */
START_TEST(emitted_init_parses_to_the_same_values)
{
	struct sctp_emit e = packet();
	struct sctp_offer o = offer();
	struct sctp_init in;
	struct sctp_hdr h;
	struct sctp_chunk c;

	o.cookie = (struct sctp_bytes){(const uint8_t *)"abcdefg", 7};
	ck_assert(sctp_emit_init(&e, SCTP_INIT_ACK, &o));
	sctp_emit_finish(&e);
	ck_assert_uint_eq(sctp_wire_check(e.p, e.len, &h), DROP_NONE);
	ck_assert_uint_eq(h.vtag, 0x11223344);
	ck_assert_uint_eq(h.sport, RTE_BE16(4000));
	ck_assert_uint_eq(h.dport, RTE_BE16(80));
	c = only_chunk(e.p, e.len);
	ck_assert_uint_eq(c.type, SCTP_INIT_ACK);
	ck_assert(sctp_wire_init(&c, &in));
	ck_assert_uint_eq(in.vtag, 0xdeadbeef);
	ck_assert_uint_eq(in.a_rwnd, 100000);
	ck_assert_uint_eq(in.tsn, 77);
	ck_assert_uint_eq(in.nb_out, 10);
	ck_assert_uint_eq(in.nb_in, 20);
	ck_assert_uint_eq(in.nb_addrs, 2);
	ck_assert(ip_addr_eq(&in.addr[0], &o.addr[0]));
	ck_assert(ip_addr_eq(&in.addr[1], &six));
	ck_assert(!in.no_v4 && in.no_v6);
	ck_assert_uint_eq(in.cookie.len, 7);
	ck_assert_mem_eq(in.cookie.at, "abcdefg", 7);
}
END_TEST

/* Every truncation of a packet of several chunks is refused, or has fewer chunks. */
START_TEST(truncated_packet_is_refused_or_shorter)
{
	struct sctp_emit e = packet();
	struct sctp_offer o = offer();
	struct sctp_hdr h;
	uint32_t whole = 0;

	memset(sctp_emit_chunk(&e, SCTP_COOKIE_ECHO, 0, 9), 7, 9);
	ck_assert(sctp_emit_init(&e, SCTP_INIT, &o));
	memset(sctp_emit_chunk(&e, SCTP_DATA, 3, 14), 1, 14);
	for (uint32_t n = 0; n <= e.len; n++) {
		uint8_t *p = exact(e.p, n);
		struct sctp_walk w;
		struct sctp_chunk c;
		struct sctp_init in;
		struct sctp_data d;

		if (sctp_wire_frame(p, n, &h) == DROP_NONE) {
			sctp_walk_start(&w, p, n);
			while (sctp_walk_next(&w, &c)) {
				ck_assert_uint_le((size_t)(c.val + c.len - p), n);
				if (c.type == SCTP_INIT)
					sctp_wire_init(&c, &in);
				if (c.type == SCTP_DATA)
					sctp_wire_data(&c, &d);
			}
			whole++;
		}
		free(p);
	}
	/* The ends of each chunk, with and without its padding. */
	ck_assert_uint_eq(whole, 4 + 1 + 3);
}
END_TEST

/* Every truncation of the value of an INIT, with a chunk length that agrees. */
START_TEST(truncated_init_value_is_refused_or_has_less)
{
	struct sctp_emit e = packet();
	struct sctp_offer o = offer();
	struct sctp_chunk c;
	struct sctp_init in;

	o.cookie = (struct sctp_bytes){(const uint8_t *)"0123456", 7};
	ck_assert(sctp_emit_init(&e, SCTP_INIT_ACK, &o));
	c = only_chunk(e.p, e.len);
	for (uint16_t n = 0; n <= c.len; n++) {
		uint8_t *p = exact(c.val, n);
		struct sctp_chunk cut = {.type = c.type, .len = n, .val = p};
		bool ok = sctp_wire_init(&cut, &in);

		if (n < SCTP_INIT_LEN)
			ck_assert(!ok);
		if (ok)
			ck_assert_uint_le(in.nb_addrs, 2);
		free(p);
	}
}
END_TEST

START_TEST(truncated_sack_and_data_are_refused)
{
	uint8_t val[12 + 4 * 2 + 4] = {[9] = 2, [11] = 1};
	struct sctp_sack s;
	struct sctp_data d;

	for (uint16_t n = 0; n <= sizeof(val); n++) {
		uint8_t *p = exact(val, n);
		struct sctp_chunk c = {.len = n, .val = p};

		ck_assert_int_eq(sctp_wire_sack(&c, &s), n == sizeof(val));
		ck_assert_int_eq(sctp_wire_data(&c, &d), n >= 12);
		free(p);
	}
}
END_TEST

START_TEST(flipped_bit_fails_the_checksum)
{
	struct sctp_emit e = packet();
	struct sctp_hdr h;

	memset(sctp_emit_chunk(&e, SCTP_COOKIE_ECHO, 0, 20), 7, 20);
	sctp_emit_finish(&e);
	ck_assert_uint_eq(sctp_wire_check(e.p, e.len, &h), DROP_NONE);
	for (uint32_t bit = 0; bit < e.len * 8; bit++) {
		e.p[bit / 8] ^= (uint8_t)(1u << bit % 8);
		ck_assert_uint_eq(sctp_wire_check(e.p, e.len, &h), DROP_SCTP_CSUM);
		e.p[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
}
END_TEST

static struct sctp_chunk
with_param(uint16_t type, const void *val, uint16_t len)
{
	struct sctp_emit e = packet();
	uint8_t *p = sctp_emit_chunk(&e, SCTP_INIT, 0, SCTP_INIT_LEN + 4u + len);

	memset(p, 1, SCTP_INIT_LEN);
	sctp_put16(p + SCTP_INIT_LEN, type);
	sctp_put16(p + SCTP_INIT_LEN + 2, (uint16_t)(len + 4));
	memcpy(p + SCTP_INIT_LEN + 4, val, len);
	return only_chunk(e.p, e.len);
}

/* RFC 9260 s3.2.1: the upper bits of an unknown type. */
START_TEST(unknown_parameter_is_reported_as_its_bits_say)
{
	static const struct {
		uint16_t type;
		uint8_t reported;
	} row[] = {{0x00ff, 0}, {0x40ff, 1}, {0x80ff, 0}, {0xc0ff, 1}};
	struct sctp_chunk c = with_param(row[_i].type, "1234", 4);
	struct sctp_init in;

	ck_assert(sctp_wire_init(&c, &in));
	ck_assert_uint_eq(in.nb_unknown, row[_i].reported);
	if (row[_i].reported != 0) {
		ck_assert_uint_eq(in.unknown[0].len, 8);
		ck_assert_mem_eq(in.unknown[0].at + 4, "1234", 4);
	}
}
END_TEST

START_TEST(address_of_a_wrong_length_is_refused)
{
	static const uint8_t bytes[24] = {1};
	struct sctp_init in;

	for (uint16_t n = 0; n < sizeof(bytes); n++) {
		struct sctp_chunk c = with_param(SCTP_P_IPV4, bytes, n);

		ck_assert_int_eq(sctp_wire_init(&c, &in), n == 4);
		c = with_param(SCTP_P_IPV6, bytes, n);
		ck_assert_int_eq(sctp_wire_init(&c, &in), n == 16);
	}
}
END_TEST

/* Nobody is reached at these, and a scope is ours to give. */
START_TEST(address_of_no_single_host_is_not_taken)
{
	static const uint8_t bad4[][4] = {{0}, {224, 0, 0, 1}, {255, 255, 255, 255}};
	static const uint8_t bad6[][16] = {{0}, {0xff, 2, [15] = 1},
		{[10] = 0xff, 0xff, 10, 0, 0, 1}, {0xfe, 0x80, 0, 1, [15] = 1}};
	struct sctp_init in;
	struct sctp_chunk c;

	for (size_t i = 0; i < sizeof(bad4) / 4; i++) {
		c = with_param(SCTP_P_IPV4, bad4[i], 4);
		ck_assert(sctp_wire_init(&c, &in));
		ck_assert_uint_eq(in.nb_addrs, 0);
	}
	for (size_t i = 0; i < sizeof(bad6) / 16; i++) {
		c = with_param(SCTP_P_IPV6, bad6[i], 16);
		ck_assert(sctp_wire_init(&c, &in));
		ck_assert_uint_eq(in.nb_addrs, 0);
	}
}
END_TEST

START_TEST(addresses_beyond_the_bound_are_left_out)
{
	struct sctp_offer o = {.nb_addrs = SCTP_ADDRS_MAX};
	struct sctp_emit e = packet();
	struct sctp_init in;
	struct sctp_chunk c;
	uint8_t *p;

	for (uint32_t i = 0; i < SCTP_ADDRS_MAX; i++)
		o.addr[i] = ip_addr_v4(rte_cpu_to_be_32(0x0a000001 + i));
	ck_assert(sctp_emit_init(&e, SCTP_INIT, &o));
	/* One more, and one that is there already. */
	p = e.p + e.len;
	memcpy(p, "\0\5\0\x08\x0a\0\0\xfe\0\5\0\x08\x0a\0\0\1", 16);
	e.len += 16;
	sctp_put16(e.p + SCTP_HLEN + 2, (uint16_t)(e.len - SCTP_HLEN));
	c = only_chunk(e.p, e.len);
	ck_assert(sctp_wire_init(&c, &in));
	ck_assert_uint_eq(in.nb_addrs, SCTP_ADDRS_MAX);
}
END_TEST

START_TEST(causes_are_found_among_others)
{
	struct sctp_emit e = packet();
	struct sctp_bytes info = {(const uint8_t *)"\0\0\0\x05", 4};
	struct sctp_chunk c;

	ck_assert(sctp_emit_cause(&e, SCTP_ERROR, 0, SCTP_C_STALE, &info));
	c = only_chunk(e.p, e.len);
	ck_assert_uint_eq(sctp_wire_cause(&c), SCTP_C_STALE);
	ck_assert(sctp_wire_find_cause(&c, SCTP_C_STALE, &info));
	ck_assert_uint_eq(info.len, 4);
	ck_assert(!sctp_wire_find_cause(&c, SCTP_C_USER, &info));
	c.len = 3;
	ck_assert_uint_eq(sctp_wire_cause(&c), SCTP_C_NONE);
}
END_TEST

START_TEST(chunk_that_does_not_fit_is_not_begun)
{
	struct sctp_emit e = packet();

	e.cap = e.len + 8;
	ck_assert_ptr_null(sctp_emit_chunk(&e, SCTP_DATA, 0, 5));
	ck_assert_uint_eq(e.len, SCTP_HLEN);
	ck_assert_ptr_nonnull(sctp_emit_chunk(&e, SCTP_DATA, 0, 3));
	ck_assert_uint_eq(e.len, SCTP_HLEN + 8);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("sctp_wire");
	TCase *tc = tcase_create("wire");

	tcase_add_test(tc, emitted_init_parses_to_the_same_values);
	tcase_add_test(tc, truncated_packet_is_refused_or_shorter);
	tcase_add_test(tc, truncated_init_value_is_refused_or_has_less);
	tcase_add_test(tc, truncated_sack_and_data_are_refused);
	tcase_add_test(tc, flipped_bit_fails_the_checksum);
	tcase_add_loop_test(tc, unknown_parameter_is_reported_as_its_bits_say, 0, 4);
	tcase_add_test(tc, address_of_a_wrong_length_is_refused);
	tcase_add_test(tc, address_of_no_single_host_is_not_taken);
	tcase_add_test(tc, addresses_beyond_the_bound_are_left_out);
	tcase_add_test(tc, causes_are_found_among_others);
	tcase_add_test(tc, chunk_that_does_not_fit_is_not_begun);
	suite_add_tcase(s, tc);
	return env_main(s);
}
