/* SPDX-License-Identifier: BSD-3-Clause */
/* The table of suites against the documents, literally, and what is refused and why. */
#include <errno.h>

#include "esp/suite.h"
#include "tests/util/lc_env.h"

enum { MB = 1 << ESP_ENGINE_IPSEC_MB, OSSL = 1 << ESP_ENGINE_LIBCRYPTO };

struct row {
	uint16_t encr, bits, integ;
	uint8_t key, salt, auth_key, iv, icv, align; /* bytes; key with its salt */
	bool confidential, iv_random, iv_implicit;
	uint8_t engines;
};

/* clang-format off */
static const struct row rows[] = {
	/* RFC 4106 s3.1, s4, s6, s8.1 */
	{20, 128, 0, 20, 4, 0, 8, 16, 4, true, false, false, MB | OSSL},
	{20, 192, 0, 28, 4, 0, 8, 16, 4, true, false, false, MB | OSSL},
	{20, 256, 0, 36, 4, 0, 8, 16, 4, true, false, false, MB | OSSL},
	{19, 128, 0, 20, 4, 0, 8, 12, 4, true, false, false, MB | OSSL},
	{19, 192, 0, 28, 4, 0, 8, 12, 4, true, false, false, MB | OSSL},
	{19, 256, 0, 36, 4, 0, 8, 12, 4, true, false, false, MB | OSSL},
	{18, 128, 0, 20, 4, 0, 8, 8, 4, true, false, false, MB | OSSL},
	{18, 192, 0, 28, 4, 0, 8, 8, 4, true, false, false, MB | OSSL},
	{18, 256, 0, 36, 4, 0, 8, 8, 4, true, false, false, MB | OSSL},
	/* RFC 7634 s2 */
	{28, 256, 0, 36, 4, 0, 8, 16, 4, true, false, false, MB | OSSL},
	/* RFC 4309 s3.1, s3.3, s4, s7.1 */
	{14, 128, 0, 19, 3, 0, 8, 8, 4, true, false, false, MB | OSSL},
	{14, 192, 0, 27, 3, 0, 8, 8, 4, true, false, false, OSSL},
	{14, 256, 0, 35, 3, 0, 8, 8, 4, true, false, false, MB | OSSL},
	{15, 128, 0, 19, 3, 0, 8, 12, 4, true, false, false, MB | OSSL},
	{15, 192, 0, 27, 3, 0, 8, 12, 4, true, false, false, OSSL},
	{15, 256, 0, 35, 3, 0, 8, 12, 4, true, false, false, MB | OSSL},
	{16, 128, 0, 19, 3, 0, 8, 16, 4, true, false, false, MB | OSSL},
	{16, 192, 0, 27, 3, 0, 8, 16, 4, true, false, false, OSSL},
	{16, 256, 0, 35, 3, 0, 8, 16, 4, true, false, false, MB | OSSL},
	/* RFC 4543 s3, s5 */
	{21, 128, 0, 20, 4, 0, 8, 16, 4, false, false, false, MB | OSSL},
	{21, 192, 0, 28, 4, 0, 8, 16, 4, false, false, false, MB | OSSL},
	{21, 256, 0, 36, 4, 0, 8, 16, 4, false, false, false, MB | OSSL},
	/* RFC 8750 s4: no IV in the packet, all else as in the suites with one */
	{29, 128, 0, 19, 3, 0, 0, 8, 4, true, false, true, MB | OSSL},
	{29, 192, 0, 27, 3, 0, 0, 8, 4, true, false, true, OSSL},
	{29, 256, 0, 35, 3, 0, 0, 8, 4, true, false, true, MB | OSSL},
	{30, 128, 0, 20, 4, 0, 0, 16, 4, true, false, true, MB | OSSL},
	{30, 192, 0, 28, 4, 0, 0, 16, 4, true, false, true, MB | OSSL},
	{30, 256, 0, 36, 4, 0, 0, 16, 4, true, false, true, MB | OSSL},
	{31, 256, 0, 36, 4, 0, 0, 16, 4, true, false, true, MB | OSSL},
	/* RFC 3602 s2.4, s3; RFC 2404 s3; RFC 4868 s2.6; RFC 3566 s4; RFC 4494 s4 */
	{12, 128, 2, 16, 0, 20, 16, 12, 16, true, true, false, MB | OSSL},
	{12, 192, 2, 24, 0, 20, 16, 12, 16, true, true, false, MB | OSSL},
	{12, 256, 2, 32, 0, 20, 16, 12, 16, true, true, false, MB | OSSL},
	{12, 128, 5, 16, 0, 16, 16, 12, 16, true, true, false, MB | OSSL},
	{12, 128, 8, 16, 0, 16, 16, 12, 16, true, true, false, MB | OSSL},
	{12, 128, 12, 16, 0, 32, 16, 16, 16, true, true, false, MB | OSSL},
	{12, 192, 13, 24, 0, 48, 16, 24, 16, true, true, false, MB | OSSL},
	{12, 256, 14, 32, 0, 64, 16, 32, 16, true, true, false, MB | OSSL},
	/* RFC 3686 s3.1, s4, s5.1 */
	{13, 128, 2, 20, 4, 20, 8, 12, 4, true, false, false, MB | OSSL},
	{13, 192, 12, 28, 4, 32, 8, 16, 4, true, false, false, MB | OSSL},
	{13, 256, 14, 36, 4, 64, 8, 32, 4, true, false, false, MB | OSSL},
	{13, 128, 5, 20, 4, 16, 8, 12, 4, true, false, false, MB | OSSL},
	{13, 128, 8, 20, 4, 16, 8, 12, 4, true, false, false, MB | OSSL},
	/* RFC 2410 s2, s3: no key, no IV; RFC 4303 s2.4 aligns to 4 bytes */
	{11, 0, 2, 0, 0, 20, 0, 12, 4, false, false, false, MB | OSSL},
	{11, 0, 5, 0, 0, 16, 0, 12, 4, false, false, false, MB | OSSL},
	{11, 0, 8, 0, 0, 16, 0, 12, 4, false, false, false, MB | OSSL},
	{11, 0, 12, 0, 0, 32, 0, 16, 4, false, false, false, MB | OSSL},
	{11, 0, 13, 0, 0, 48, 0, 24, 4, false, false, false, MB | OSSL},
	{11, 0, 14, 0, 0, 64, 0, 32, 4, false, false, false, MB | OSSL},
};

/* RFC 8221 s4, s5 and s6, and what no table has. */
static const struct {
	uint16_t encr, bits, integ;
	const char *reason;
} refused[] = {
	{1, 0, 2, "DES must not be used (RFC 8221 s5)"},
	{2, 0, 2, "DES must not be used (RFC 8221 s5)"},
	{3, 0, 2, "3DES should not be used (RFC 8221 s5)"},
	{7, 128, 2, "Blowfish must not be used (RFC 8221 s5)"},
	{12, 128, 1, "HMAC-MD5 must not be used (RFC 8221 s6)"},
	{12, 128, 3, "DES-MAC must not be used (RFC 8221 s6)"},
	{12, 128, 4, "KPDK-MD5 must not be used (RFC 8221 s6)"},
	{12, 128, 0, "encryption without integrity must not be used (RFC 8221 s4)"},
	{13, 128, 0, "encryption without integrity must not be used (RFC 8221 s4)"},
	{11, 0, 0, "encryption without integrity must not be used (RFC 8221 s4)"},
	{20, 128, 2, "brings its own integrity"},
	{28, 256, 12, "brings its own integrity"},
	{21, 128, 2, "brings its own integrity"},
	{20, 0, 0, "no keys of this length"},
	{20, 64, 0, "no keys of this length"},
	{20, 129, 0, "no keys of this length"},
	{28, 128, 0, "no keys of this length"},
	{28, 192, 0, "no keys of this length"},
	{11, 128, 2, "no keys of this length"},
	{0, 128, 2, "unknown encryption transform"},
	{17, 128, 0, "unknown encryption transform"},
	{65535, 128, 2, "unknown encryption transform"},
	{12, 128, 6, "unknown integrity transform"},
	{12, 128, 65535, "unknown integrity transform"},
};
/* clang-format on */

START_TEST(suite_has_the_lengths_of_its_documents)
{
	const struct row *r = &rows[_i];
	struct esp_suite s;
	const char *why;

	ck_assert_int_eq(esp_suite_find(r->encr, r->bits, r->integ, &s, &why), 0);
	ck_assert_ptr_null(why);
	ck_assert_uint_eq(s.key_bytes, r->key);
	ck_assert_uint_eq(s.salt_bytes, r->salt);
	ck_assert_uint_eq(s.auth_key_bytes, r->auth_key);
	ck_assert_uint_eq(s.iv_bytes, r->iv);
	ck_assert_uint_eq(s.icv_bytes, r->icv);
	ck_assert_uint_eq(s.align, r->align);
	ck_assert_int_eq(s.confidential, r->confidential);
	ck_assert_int_eq(s.iv_random, r->iv_random);
	ck_assert_int_eq(s.iv_implicit, r->iv_implicit);
	ck_assert_uint_eq(s.engines, r->engines);
	ck_assert_uint_eq(esp_icv_bits(r->encr, r->bits, r->integ), r->icv * 8u);
	ck_assert_int_eq(esp_is_confidential(r->encr, r->bits, r->integ), r->confidential);
	ck_assert_uint_le(s.iv_bytes, ESP_IV_MAX);
	ck_assert_uint_le(s.icv_bytes, ESP_ICV_MAX);
	ck_assert_uint_le(s.key_bytes, ESP_KEY_MAX);
	ck_assert_uint_le(s.auth_key_bytes, ESP_AUTH_KEY_MAX);
}
END_TEST

START_TEST(key_bits_come_from_the_length_of_key_and_salt)
{
	ck_assert_uint_eq(esp_encr_bits_of_key(rows[_i].encr, rows[_i].key), rows[_i].bits);
}
END_TEST

/* E-11, E-12 */
START_TEST(what_rfc_8221_forbids_is_refused_with_its_reason)
{
	struct esp_suite s;
	const char *why = NULL;

	ck_assert_int_eq(
		esp_suite_find(refused[_i].encr, refused[_i].bits, refused[_i].integ, &s, &why),
		-EINVAL);
	ck_assert_ptr_nonnull(why);
	ck_assert_msg(strstr(why, refused[_i].reason) != NULL, "%s", why);
	ck_assert_uint_eq(esp_icv_bits(refused[_i].encr, refused[_i].bits, refused[_i].integ), 0);
	ck_assert(!esp_is_confidential(refused[_i].encr, refused[_i].bits, refused[_i].integ));
}
END_TEST

/* IANA, "Internet Key Exchange Version 2 (IKEv2) Parameters". */
START_TEST(names_are_those_of_iana)
{
	uint16_t n;

	ck_assert_str_eq(esp_encr_name(20), "ENCR_AES_GCM_16");
	ck_assert_str_eq(esp_encr_name(21), "ENCR_NULL_AUTH_AES_GMAC");
	ck_assert_str_eq(esp_encr_name(31), "ENCR_CHACHA20_POLY1305_IIV");
	ck_assert_str_eq(esp_encr_name(999), "?");
	ck_assert_str_eq(esp_integ_name(14), "AUTH_HMAC_SHA2_512_256");
	ck_assert_str_eq(esp_integ_name(999), "?");
	for (size_t i = 0; i < RTE_DIM(rows); i++) {
		ck_assert(esp_encr_by_name(esp_encr_name(rows[i].encr), &n));
		ck_assert_uint_eq(n, rows[i].encr);
		ck_assert(esp_integ_by_name(esp_integ_name(rows[i].integ), &n));
		ck_assert_uint_eq(n, rows[i].integ);
	}
	ck_assert(esp_encr_by_name("aes-gcm-16", &n));
	ck_assert_uint_eq(n, 20);
	ck_assert(esp_integ_by_name("hmac-sha2-256-128", &n));
	ck_assert_uint_eq(n, 12);
	ck_assert(!esp_encr_by_name("aes-gcm", &n));
	ck_assert(!esp_integ_by_name("", &n));
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("suite");
	TCase *c = tcase_create("suite");

	tcase_add_loop_test(c, suite_has_the_lengths_of_its_documents, 0, RTE_DIM(rows));
	tcase_add_loop_test(c, key_bits_come_from_the_length_of_key_and_salt, 0, RTE_DIM(rows));
	tcase_add_loop_test(
		c, what_rfc_8221_forbids_is_refused_with_its_reason, 0, RTE_DIM(refused));
	tcase_add_test(c, names_are_those_of_iana);
	suite_add_tcase(s, c);
	return env_main(s);
}
