/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * suite.c - the table of algorithms (RFC 8221 s5, s6) and which may stand together.
 */
#include "esp/suite.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <rte_common.h>

enum { MB = 1 << ESP_ENGINE_IPSEC_MB, OSSL = 1 << ESP_ENGINE_LIBCRYPTO, BOTH = MB | OSSL };
enum { K128 = 1, K192 = 2, K256 = 4, K_AES = K128 | K192 | K256 };

struct encr_alg {
	uint16_t id;
	const char *name; /* IANA */
	uint8_t kind;
	uint8_t key_bits; /* K* bits; 0: no key */
	uint8_t mb_bits;  /* those that ipsec-mb has */
	uint8_t salt_bytes;
	uint8_t iv_bytes;
	uint8_t icv_bytes; /* of an AEAD */
	uint8_t align;
	bool iv_random;
	bool iv_implicit;
	const char *never; /* why RFC 8221 forbids it */
};

struct integ_alg {
	uint16_t id;
	const char *name;
	uint8_t key_bytes;
	uint8_t icv_bytes;
	const char *never;
};

#define MUST_NOT " must not be used (RFC 8221 s5)"

/* clang-format off */
static const struct encr_alg encr_algs[] = {
	/* id, name, kind, key bits, those of ipsec-mb, salt, IV, ICV, align, random, implicit */
	{ESP_ENCR_AES_GCM_16, "ENCR_AES_GCM_16", SUITE_AEAD, K_AES, K_AES, 4, 8, 16, 4, false, false, NULL},
	{ESP_ENCR_AES_GCM_12, "ENCR_AES_GCM_12", SUITE_AEAD, K_AES, K_AES, 4, 8, 12, 4, false, false, NULL},
	{ESP_ENCR_AES_GCM_8, "ENCR_AES_GCM_8", SUITE_AEAD, K_AES, K_AES, 4, 8, 8, 4, false, false, NULL},
	{ESP_ENCR_CHACHA20_POLY1305, "ENCR_CHACHA20_POLY1305", SUITE_AEAD, K256, K256, 4, 8, 16, 4, false, false, NULL},
	{ESP_ENCR_AES_CCM_8, "ENCR_AES_CCM_8", SUITE_AEAD, K_AES, K128 | K256, 3, 8, 8, 4, false, false, NULL},
	{ESP_ENCR_AES_CCM_12, "ENCR_AES_CCM_12", SUITE_AEAD, K_AES, K128 | K256, 3, 8, 12, 4, false, false, NULL},
	{ESP_ENCR_AES_CCM_16, "ENCR_AES_CCM_16", SUITE_AEAD, K_AES, K128 | K256, 3, 8, 16, 4, false, false, NULL},
	{ESP_ENCR_NULL_AUTH_AES_GMAC, "ENCR_NULL_AUTH_AES_GMAC", SUITE_GMAC, K_AES, K_AES, 4, 8, 16, 4, false, false, NULL},
	{ESP_ENCR_AES_CCM_8_IIV, "ENCR_AES_CCM_8_IIV", SUITE_AEAD, K_AES, K128 | K256, 3, 0, 8, 4, false, true, NULL},
	{ESP_ENCR_AES_GCM_16_IIV, "ENCR_AES_GCM_16_IIV", SUITE_AEAD, K_AES, K_AES, 4, 0, 16, 4, false, true, NULL},
	{ESP_ENCR_CHACHA20_POLY1305_IIV, "ENCR_CHACHA20_POLY1305_IIV", SUITE_AEAD, K256, K256, 4, 0, 16, 4, false, true, NULL},
	{ESP_ENCR_AES_CBC, "ENCR_AES_CBC", SUITE_MAC, K_AES, K_AES, 0, 16, 0, 16, true, false, NULL},
	{ESP_ENCR_AES_CTR, "ENCR_AES_CTR", SUITE_MAC, K_AES, K_AES, 4, 8, 0, 4, false, false, NULL},
	{ESP_ENCR_NULL, "ENCR_NULL", SUITE_MAC, 0, 0, 0, 0, 0, 4, false, false, NULL},
	{1, "ENCR_DES_IV64", SUITE_MAC, 0, 0, 0, 8, 0, 8, true, false, "DES" MUST_NOT},
	{2, "ENCR_DES", SUITE_MAC, 0, 0, 0, 8, 0, 8, true, false, "DES" MUST_NOT},
	{3, "ENCR_3DES", SUITE_MAC, 0, 0, 0, 8, 0, 8, true, false, "3DES should not be used (RFC 8221 s5): its blocks of 64 bits collide; it is not built in"},
	{7, "ENCR_BLOWFISH", SUITE_MAC, 0, 0, 0, 8, 0, 8, true, false, "Blowfish" MUST_NOT},
};

static const struct integ_alg integ_algs[] = {
	{ESP_AUTH_NONE, "NONE", 0, 0, NULL},
	{ESP_AUTH_HMAC_SHA1_96, "AUTH_HMAC_SHA1_96", 20, 12, NULL},
	{ESP_AUTH_AES_XCBC_96, "AUTH_AES_XCBC_96", 16, 12, NULL},
	{ESP_AUTH_AES_CMAC_96, "AUTH_AES_CMAC_96", 16, 12, NULL},
	{ESP_AUTH_HMAC_SHA2_256_128, "AUTH_HMAC_SHA2_256_128", 32, 16, NULL},
	{ESP_AUTH_HMAC_SHA2_384_192, "AUTH_HMAC_SHA2_384_192", 48, 24, NULL},
	{ESP_AUTH_HMAC_SHA2_512_256, "AUTH_HMAC_SHA2_512_256", 64, 32, NULL},
	{1, "AUTH_HMAC_MD5_96", 16, 12, "HMAC-MD5 must not be used (RFC 8221 s6)"},
	{3, "AUTH_DES_MAC", 8, 8, "DES-MAC must not be used (RFC 8221 s6)"},
	{4, "AUTH_KPDK_MD5", 16, 16, "KPDK-MD5 must not be used (RFC 8221 s6)"},
};
/* clang-format on */

static const struct encr_alg *
encr_of(uint16_t id)
{
	for (size_t i = 0; i < RTE_DIM(encr_algs); i++) {
		if (encr_algs[i].id == id)
			return &encr_algs[i];
	}
	return NULL;
}

static const struct integ_alg *
integ_of(uint16_t id)
{
	for (size_t i = 0; i < RTE_DIM(integ_algs); i++) {
		if (integ_algs[i].id == id)
			return &integ_algs[i];
	}
	return NULL;
}

static uint8_t
key_bit(uint16_t bits)
{
	switch (bits) {
	case 128:
		return K128;
	case 192:
		return K192;
	case 256:
		return K256;
	default:
		return 0;
	}
}

/* RFC 8221 s4: encryption without integrity is forbidden; an AEAD brings its own. */
static const char *
pair_refused(const struct encr_alg *e, uint16_t bits, const struct integ_alg *i)
{
	if (e == NULL)
		return "unknown encryption transform";
	if (e->never != NULL)
		return e->never;
	if (i == NULL)
		return "unknown integrity transform";
	if (i->never != NULL)
		return i->never;
	if (e->kind != SUITE_MAC && i->id != ESP_AUTH_NONE)
		return "this encryption brings its own integrity; another algorithm beside it is "
		       "refused (RFC 8221 s4)";
	if (e->kind == SUITE_MAC && i->id == ESP_AUTH_NONE)
		return "encryption without integrity must not be used (RFC 8221 s4)";
	if (e->key_bits == 0 ? bits != 0 : (e->key_bits & key_bit(bits)) == 0)
		return "the algorithm has no keys of this length; expected 16, 24 or 32 bytes and "
		       "the salt";
	return NULL;
}

static uint8_t
engines_of(const struct encr_alg *e, uint16_t bits)
{
	return e->key_bits == 0 || (e->mb_bits & key_bit(bits)) != 0 ? BOTH : OSSL;
}

int
esp_suite_find(
	uint16_t encr, uint16_t encr_bits, uint16_t integ, struct esp_suite *out, const char **why)
{
	const struct encr_alg *e = encr_of(encr);
	const struct integ_alg *i = integ_of(integ);

	*why = pair_refused(e, encr_bits, i);
	if (*why != NULL)
		return -EINVAL;
	*out = (struct esp_suite){
		.encr = encr,
		.encr_bits = encr_bits,
		.integ = integ,
		.kind = e->kind,
		.key_bytes = (uint8_t)(encr_bits / 8 + e->salt_bytes),
		.salt_bytes = e->salt_bytes,
		.auth_key_bytes = i->key_bytes,
		.iv_bytes = e->iv_bytes,
		.icv_bytes = e->kind == SUITE_MAC ? i->icv_bytes : e->icv_bytes,
		.align = e->align,
		.confidential = e->kind != SUITE_GMAC && e->key_bits != 0,
		.iv_random = e->iv_random,
		.iv_implicit = e->iv_implicit,
		.engines = engines_of(e, encr_bits),
	};
	return 0;
}

uint16_t
esp_icv_bits(uint16_t encr, uint16_t encr_bits, uint16_t integ)
{
	struct esp_suite s;
	const char *why;

	if (esp_suite_find(encr, encr_bits, integ, &s, &why) != 0)
		return 0;
	return (uint16_t)(s.icv_bytes * 8);
}

bool
esp_is_confidential(uint16_t encr, uint16_t encr_bits, uint16_t integ)
{
	struct esp_suite s;
	const char *why;

	return esp_suite_find(encr, encr_bits, integ, &s, &why) == 0 && s.confidential;
}

uint16_t
esp_encr_bits_of_key(uint16_t encr, size_t key_bytes)
{
	const struct encr_alg *e = encr_of(encr);

	if (e == NULL || key_bytes < e->salt_bytes || key_bytes > ESP_KEY_MAX)
		return 0;
	return (uint16_t)((key_bytes - e->salt_bytes) * 8);
}

const char *
esp_encr_name(uint16_t encr)
{
	const struct encr_alg *e = encr_of(encr);

	return e == NULL ? "?" : e->name;
}

const char *
esp_integ_name(uint16_t integ)
{
	const struct integ_alg *i = integ_of(integ);

	return i == NULL ? "?" : i->name;
}

const char *
esp_suite_text(uint16_t encr, uint16_t encr_bits, uint16_t integ, char *out)
{
	const char *e = strchr(esp_encr_name(encr), '_'), *i = strchr(esp_integ_name(integ), '_');
	char bits[8] = "";

	if (encr_bits != 0)
		snprintf(bits, sizeof(bits), "-%u", encr_bits);
	snprintf(out, ESP_SUITE_TEXT, "%s%s%s%s", e == NULL ? "?" : e + 1, bits,
		integ == 0 ? "" : "/", integ == 0 || i == NULL ? "" : i + 1);
	for (char *c = out; *c != '\0'; c++)
		*c = *c == '_' ? '-' : *c;
	return out;
}

/* "ENCR_AES_GCM_16" is also known as aes-gcm-16. */
static bool
name_is(const char *name, const char *text)
{
	const char *rest = strchr(name, '_');
	char plain[32];
	size_t n = strlen(text);

	if (n >= sizeof(plain))
		return false;
	for (size_t i = 0; i <= n; i++)
		plain[i] = text[i] == '-' ? '_' : text[i];
	return strcasecmp(name, plain) == 0 || (rest != NULL && strcasecmp(rest + 1, plain) == 0);
}

bool
esp_encr_by_name(const char *name, uint16_t *encr)
{
	for (size_t i = 0; i < RTE_DIM(encr_algs); i++) {
		if (name_is(encr_algs[i].name, name)) {
			*encr = encr_algs[i].id;
			return true;
		}
	}
	return false;
}

bool
esp_integ_by_name(const char *name, uint16_t *integ)
{
	for (size_t i = 0; i < RTE_DIM(integ_algs); i++) {
		if (name_is(integ_algs[i].name, name)) {
			*integ = integ_algs[i].id;
			return true;
		}
	}
	return false;
}
