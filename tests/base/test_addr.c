/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>

#include "stack/base/addr.h"
#include "tests/util/lc_env.h"

static struct ip_addr
ip(const char *text)
{
	struct ip_addr a;

	ck_assert_int_eq(ip_addr_parse(text, &a), 0);
	return a;
}

START_TEST(text_survives_the_round_trip)
{
	static const char *const texts[] = {"0.0.0.0", "10.0.0.1", "255.255.255.255",
		"::", "2001:db8::1", "fe80::1:2:3:4", "1111:2222:3333:4444:5555:6666:7777:8888"};
	char out[IP_ADDR_STRLEN];

	for (uint32_t i = 0; i < RTE_DIM(texts); i++) {
		struct ip_addr a = ip(texts[i]);

		ck_assert_str_eq(ip_addr_str(&a, out), texts[i]);
	}
}
END_TEST

/* RFC 4291 s2.5.5.2 */
START_TEST(mapped_address_is_its_ipv4_address)
{
	struct ip_addr a = ip("::ffff:10.0.0.1"), b = ip("10.0.0.1");
	char out[IP_ADDR_STRLEN];

	ck_assert(ip_addr_eq(&a, &b));
	ck_assert(ip_addr_is_v4(&a));
	ck_assert_uint_eq(ip_addr_to_v4(&a), RTE_BE32(0x0a000001));
	ck_assert_str_eq(ip_addr_str(&a, out), "10.0.0.1");
}
END_TEST

START_TEST(bad_text_is_refused)
{
	static const char *const texts[] = {"", "10.0.0", "10.0.0.256", "10.0.0.1.2", "10.0.0.1 ",
		" 10.0.0.1", "10.0.0.1/24", ":::", "1:2:3:4:5:6:7:8:9", "12345::", "g::"};
	struct ip_addr a;

	for (uint32_t i = 0; i < RTE_DIM(texts); i++)
		ck_assert_int_eq(ip_addr_parse(texts[i], &a), -EINVAL);
}
END_TEST

START_TEST(only_mapped_addresses_are_ipv4)
{
	struct ip_addr compat = ip("::10.0.0.1"), v6 = ip("2001:db8::1"), any6 = ip("::");

	ck_assert(!ip_addr_is_v4(&compat));
	ck_assert(!ip_addr_is_v4(&v6));
	ck_assert(!ip_addr_is_v4(&any6));
}
END_TEST

START_TEST(any_is_zero_of_either_version)
{
	struct ip_addr any4 = ip("0.0.0.0"), any6 = ip("::"), one4 = ip("0.0.0.1"),
		       one6 = ip("::1");
	struct ip_addr high6 = ip("1::");

	ck_assert(ip_addr_is_any(&any4));
	ck_assert(ip_addr_is_any(&any6));
	ck_assert(!ip_addr_is_any(&one4));
	ck_assert(!ip_addr_is_any(&one6));
	ck_assert(!ip_addr_is_any(&high6));
}
END_TEST

START_TEST(equality_sees_every_bit)
{
	struct ip_addr a = ip("2001:db8::1");

	for (uint32_t bit = 0; bit < 128; bit++) {
		struct ip_addr b = a;

		b.b[bit / 8] ^= (uint8_t)(1u << (bit % 8));
		ck_assert(!ip_addr_eq(&a, &b));
	}
	ck_assert(ip_addr_eq(&a, &a));
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("addr");
	TCase *c = tcase_create("addr");

	tcase_add_test(c, text_survives_the_round_trip);
	tcase_add_test(c, mapped_address_is_its_ipv4_address);
	tcase_add_test(c, bad_text_is_refused);
	tcase_add_test(c, only_mapped_addresses_are_ipv4);
	tcase_add_test(c, any_is_zero_of_either_version);
	tcase_add_test(c, equality_sees_every_bit);
	suite_add_tcase(s, c);
	return env_main(s);
}
