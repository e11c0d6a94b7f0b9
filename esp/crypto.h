/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * crypto.h - the seam between ESP and the engines that compute.
 *
 * An engine is chosen per SA when the SA is added; each call computes one packet, in place.
 */
#ifndef TL_ESP_CRYPTO_H
#define TL_ESP_CRYPTO_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "esp/esp.h"

struct esp_sa;

/* One packet's AEAD operation, in place. */
struct crypto_op {
	struct esp_sa *sa;
	uint8_t *iv;   /* the 8 explicit bytes in the packet */
	uint8_t *data; /* from behind the IV to before the ICV */
	uint8_t *icv;
	uint32_t len;
	uint32_t aad_len; /* 8, or 12 with ESN (RFC 4106 s5) */
	uint8_t aad[12];
	bool ok; /* decrypt: the ICV was right; encrypt: set before, cleared if the engine failed */
	uint64_t seq;
};

struct crypto_engine {
	const char *name;
	/* Worker-wide state. Returns 0 or -errno; NULL function: none needed. */
	int (*create)(void **ctx);
	void (*destroy)(void *ctx);
	/* Expands the key of c into *key. Returns 0, -ENOTSUP (suite) or -ENOMEM. */
	int (*key_new)(void *ctx, const struct esp_sa_conf *c, void **key);
	/* Wipes and frees. */
	void (*key_free)(void *key);
	void (*encrypt)(void *ctx, void *key, uint32_t salt, struct crypto_op *op);
	void (*decrypt)(void *ctx, void *key, uint32_t salt, struct crypto_op *op);
};

/* The engine, or NULL if this build has none of that name; AUTO is resolved before. */
const struct crypto_engine *crypto_engine_get(enum esp_engine_id id);

/* NULL in a build without ipsec-mb. */
const struct crypto_engine *crypto_mb_engine(void);
const struct crypto_engine *crypto_ossl_engine(void);

/* RFC 4106 s4: the nonce is the salt and the explicit IV. */
static inline void
crypto_nonce(uint8_t nonce[12], uint32_t salt, const struct crypto_op *op)
{
	memcpy(nonce, &salt, 4);
	memcpy(nonce + 4, op->iv, 8);
}

/* Compares two ICVs in time that does not depend on them. */
bool crypto_icv_equal(const uint8_t *a, const uint8_t *b, uint32_t len);

#endif
