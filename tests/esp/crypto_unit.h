/* SPDX-License-Identifier: BSD-3-Clause */
/* crypto_unit.h - one engine with one key, and packets for it, in tests of the engines. */
#ifndef TL_TESTS_ESP_CRYPTO_UNIT_H
#define TL_TESTS_ESP_CRYPTO_UNIT_H

#include <stdio.h>

#include "esp/crypto.h"
#include "tests/util/lc_env.h"

struct unit {
	const struct crypto_engine *e;
	struct esp_suite suite;
	bool esn;
	void *ctx, *key;
};

static inline size_t
unhex(const char *text, uint8_t *out)
{
	size_t n = strlen(text) / 2;

	for (size_t i = 0; i < n; i++) {
		unsigned int byte;

		ck_assert_int_eq(sscanf(text + 2 * i, "%2x", &byte), 1);
		out[i] = (uint8_t)byte;
	}
	return n;
}

/* False if this build has no such engine, or the engine not this suite. */
static inline bool
unit_open(struct unit *u, enum esp_engine_id id, const struct esp_sa_conf *c)
{
	const char *why;

	env_eal_init();
	*u = (struct unit){.e = crypto_engine_get(id), .esn = c->esn};
	ck_assert_int_eq(esp_suite_find(c->encr, c->encr_bits, c->integ, &u->suite, &why), 0);
	if (u->e == NULL || !esp_suite_has_engine(&u->suite, id))
		return false;
	if (u->e->create != NULL)
		ck_assert_int_eq(u->e->create(&u->ctx), 0);
	ck_assert_int_eq(u->e->key_new(u->ctx, &u->suite, c, &u->key), 0);
	return true;
}

/* A second key on the engine context of another one, as the SAs of a worker have it. */
static inline void
unit_share(struct unit *u, const struct unit *with, const struct esp_sa_conf *c)
{
	const char *why;

	*u = (struct unit){.e = with->e, .ctx = with->ctx, .esn = c->esn};
	ck_assert_int_eq(esp_suite_find(c->encr, c->encr_bits, c->integ, &u->suite, &why), 0);
	ck_assert_int_eq(u->e->key_new(u->ctx, &u->suite, c, &u->key), 0);
}

static inline void
unit_close_key(struct unit *u)
{
	u->e->key_free(u->key);
}

static inline void
unit_close(struct unit *u)
{
	u->e->key_free(u->key);
	if (u->e->destroy != NULL)
		u->e->destroy(u->ctx);
}

/* What a packet adds to its data. */
static inline uint32_t
unit_overhead(const struct unit *u)
{
	return (uint32_t)ESP_HDR_BYTES + u->suite.iv_bytes + u->suite.icv_bytes;
}

/* Points op at a packet with so much data; header, so AAD, as they are in the packet. */
static inline void
unit_op(const struct unit *u, struct crypto_op *op, uint8_t *packet, uint32_t len, uint32_t seqh)
{
	rte_be32_t high = rte_cpu_to_be_32(seqh), low;

	memcpy(&low, packet + 4, 4);
	*op = (struct crypto_op){
		.key = u->key,
		.esp = packet,
		.data = packet + ESP_HDR_BYTES + u->suite.iv_bytes,
		.len = len,
		.aad_len = u->esn ? 12 : 8,
		.esn = u->esn,
		.seq = (uint64_t)seqh << 32 | rte_be_to_cpu_32(low),
	};
	op->icv = op->data + len;
	memcpy(op->aad, packet, 4);
	memcpy(op->aad + 4, &high, 4);
	memcpy(op->aad + op->aad_len - 4, &low, 4);
}

static inline bool
unit_encrypt(const struct unit *u, struct crypto_op *op)
{
	op->key = u->key;
	op->ok = false;
	u->e->encrypt(u->ctx, op, 1);
	return op->ok;
}

static inline bool
unit_decrypt(const struct unit *u, struct crypto_op *op)
{
	op->key = u->key;
	op->ok = true;
	u->e->decrypt(u->ctx, op, 1);
	return op->ok;
}

#endif
