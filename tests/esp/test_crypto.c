/* SPDX-License-Identifier: BSD-3-Clause */
/* Both engines against published vectors, and against each other at every length. */
#include <stdio.h>
#include <stdlib.h>

#include "esp/crypto.h"
#include "tests/util/lc_env.h"

/* draft-mcgrew-gcm-test-01 s4: ESP packets with their padding. */
struct vector {
	const char *key, *salt, *iv, *aad, *plain, *cipher, *icv;
};

static const struct vector vectors[] = {
	{"4c80cdefbb5d10da906ac73c3613a634", "2e443b68", "4956ed7e3b244cfe",
		"000043218765432100000000",
		"45000048699a000080114db7c0a80102c0a801010a9bf15638d30100000100000000000004"
		"5f736970045f756470037369700963796265726369747902646b0000210001"
		"01020201",
		"fecf537e729d5b07dc30df528dd22b768d1b98736696a6fd348509fa13ceac34cfa2436f14"
		"a3f3cf65925bf1f4a13c5d15b21e1884f5ff6247aeabb786b93bce61bc17d7"
		"68fd9732",
		"459018148f6cbe722fd04796562dfdb4"},
	{"abbccddef00112233445566778899aababbccddef00112233445566778899aab", "11223344",
		"0102030405060708", "4a2cbfe300000002",
		"4500003069a6400080062690c0a801029389155e0a9e008b2dc57ee0000000007002400020bf00"
		"00020405b40101040201020201",
		"ff425c9b724599df7a3bcd510194e00d6a78107f1b0b1cbf06efae9d65a5d763748a6379857"
		"71d347f0545659f14e99def842d8e",
		"b335f4eecfdbf831824b4c4915956c96"},
};

static size_t
unhex(const char *text, uint8_t *out)
{
	size_t n = strlen(text) / 2;

	for (size_t i = 0; i < n; i++) {
		unsigned int byte;

		sscanf(text + 2 * i, "%2x", &byte);
		out[i] = (uint8_t)byte;
	}
	return n;
}

struct unit {
	const struct crypto_engine *e;
	struct esp_suite suite;
	void *ctx, *key;
};

/* A packet: ESP header, IV, data, ICV. */
static void
op_over(struct crypto_op *op, const struct unit *u, uint8_t *packet, uint32_t len)
{
	op->key = u->key;
	op->esp = packet;
	op->data = packet + 8 + u->suite.iv_bytes;
	op->len = len;
	op->icv = op->data + len;
}

static bool
unit_open(struct unit *u, enum esp_engine_id id, const uint8_t *key, uint16_t bits,
	const uint8_t salt[4], bool inbound)
{
	struct esp_sa_conf c = {.encr = ESP_ENCR_AES_GCM_16, .encr_bits = bits, .inbound = inbound};
	const char *why;

	env_eal_init();
	memset(u, 0, sizeof(*u));
	u->e = crypto_engine_get(id);
	if (u->e == NULL)
		return false;
	ck_assert_int_eq(esp_suite_find(c.encr, bits, 0, &u->suite, &why), 0);
	memcpy(c.key, key, bits / 8);
	memcpy(c.key + bits / 8, salt, 4);
	if (u->e->create != NULL)
		ck_assert_int_eq(u->e->create(&u->ctx), 0);
	ck_assert_int_eq(u->e->key_new(u->ctx, &u->suite, &c, &u->key), 0);
	return true;
}

static void
unit_close(struct unit *u)
{
	u->e->key_free(u->key);
	if (u->e->destroy != NULL)
		u->e->destroy(u->ctx);
}

/* One test for each engine and vector: id = _i / 2 + 1. */
static const enum esp_engine_id engine_of[] = {ESP_ENGINE_IPSEC_MB, ESP_ENGINE_LIBCRYPTO};

START_TEST(engine_agrees_with_published_vector)
{
	const struct vector *v = &vectors[_i % 2];
	uint8_t key[32], salt[4], want[128], plain[128], packet[160], want_icv[16];
	uint16_t bits = (uint16_t)(unhex(v->key, key) * 8);
	struct crypto_op op = {0};
	struct unit u;

	unhex(v->salt, salt);
	if (!unit_open(&u, engine_of[_i / 2], key, bits, salt, false)) {
		printf("# this build has no such engine\n");
		return;
	}
	unhex(v->iv, packet + 8);
	op.aad_len = (uint32_t)unhex(v->aad, op.aad);
	op_over(&op, &u, packet, (uint32_t)unhex(v->plain, plain));
	memcpy(op.data, plain, op.len);
	unhex(v->cipher, want);
	unhex(v->icv, want_icv);
	u.e->encrypt(u.ctx, &op, 1);
	ck_assert(op.ok);
	ck_assert_mem_eq(op.data, want, op.len);
	ck_assert_mem_eq(op.icv, want_icv, 16);
	unit_close(&u);
	unit_open(&u, engine_of[_i / 2], key, bits, salt, true);
	op.key = u.key;
	op.ok = false;
	u.e->decrypt(u.ctx, &op, 1);
	ck_assert(op.ok);
	ck_assert_mem_eq(op.data, plain, op.len);
	unit_close(&u);
}
END_TEST

START_TEST(engines_agree_at_every_length)
{
	static const uint8_t salt[4] = {1, 2, 3, 4};
	uint8_t key[32];
	uint16_t bits = _i == 0 ? 128 : 256;
	struct unit a, b;

	for (size_t i = 0; i < sizeof(key); i++)
		key[i] = (uint8_t)(i * 7);
	if (!unit_open(&a, ESP_ENGINE_IPSEC_MB, key, bits, salt, false)) {
		printf("# this build has no ipsec-mb\n");
		return;
	}
	unit_open(&b, ESP_ENGINE_LIBCRYPTO, key, bits, salt, true);
	for (uint32_t len = 4; len <= 2048; len += len < 300 ? 4 : 124) {
		uint8_t *packet = calloc(1, 16 + len + 16), *plain = malloc(len);
		struct crypto_op op = {.aad_len = 12};

		op_over(&op, &a, packet, len);
		for (uint32_t i = 0; i < len; i++)
			plain[i] = (uint8_t)(i * 31 + len);
		memcpy(op.data, plain, len);
		a.e->encrypt(a.ctx, &op, 1);
		ck_assert(memcmp(op.data, plain, len) != 0);
		op.key = b.key;
		op.ok = false;
		b.e->decrypt(b.ctx, &op, 1);
		ck_assert(op.ok);
		ck_assert_mem_eq(op.data, plain, len);
		free(packet);
		free(plain);
	}
	unit_close(&a);
	unit_close(&b);
}
END_TEST

/* Every bit of ciphertext, ICV, IV and AAD counts. */
START_TEST(any_flipped_bit_is_noticed)
{
	static const uint8_t salt[4] = {1};
	uint8_t key[16] = {5}, whole[16 + 32 + 16], good[sizeof(whole)];
	struct crypto_op op = {.aad_len = 8};
	struct unit enc, dec;

	if (!unit_open(&enc, engine_of[_i], key, 128, salt, false)) {
		printf("# this build has no such engine\n");
		return;
	}
	unit_open(&dec, engine_of[_i], key, 128, salt, true);
	memset(whole, 3, sizeof(whole));
	op_over(&op, &enc, whole, 32);
	enc.e->encrypt(enc.ctx, &op, 1);
	op.key = dec.key;
	memcpy(good, whole, sizeof(good));
	for (uint32_t bit = 64; bit < sizeof(whole) * 8; bit++) {
		memcpy(whole, good, sizeof(whole));
		whole[bit / 8] ^= (uint8_t)(1u << (bit % 8));
		op.ok = true;
		dec.e->decrypt(dec.ctx, &op, 1);
		ck_assert(!op.ok);
	}
	for (uint32_t bit = 0; bit < 64; bit++) {
		memcpy(whole, good, sizeof(whole));
		op.aad[bit / 8] ^= (uint8_t)(1u << (bit % 8));
		dec.e->decrypt(dec.ctx, &op, 1);
		ck_assert(!op.ok);
		op.aad[bit / 8] ^= (uint8_t)(1u << (bit % 8));
	}
	memcpy(whole, good, sizeof(whole));
	dec.e->decrypt(dec.ctx, &op, 1);
	ck_assert(op.ok);
	unit_close(&enc);
	unit_close(&dec);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("crypto");
	TCase *c = tcase_create("crypto");

	tcase_add_loop_test(c, engine_agrees_with_published_vector, 0, 4);
	tcase_add_loop_test(c, engines_agree_at_every_length, 0, 2);
	tcase_add_loop_test(c, any_flipped_bit_is_noticed, 0, 2);
	suite_add_tcase(s, c);
	return env_main(s);
}
