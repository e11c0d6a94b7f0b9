/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * crypto.h - the seam between ESP and the engines that compute.
 *
 * An engine is chosen per SA when the SA is added. A call computes a run of packets, in place; they
 * may belong to different SAs and suites of the engine.
 */
#ifndef TL_ESP_CRYPTO_H
#define TL_ESP_CRYPTO_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "esp/esp.h"
#include "esp/suite.h"

struct esp_sa;

/*
 * One packet. In memory: ESP header at esp, IV (suite's iv_bytes), data, ICV (suite's icv_bytes),
 * each directly behind the other.
 *
 * A MAC (SUITE_MAC, RFC 4303 s2.8) covers esp up to the ICV, and with ESN the high half of the
 * sequence number behind that (s2.2.1), which is not sent: an engine may write it where the ICV
 * lies while it computes. An AEAD takes aad; SUITE_GMAC takes aad, IV and data (RFC 4543 s3.3).
 * Without ESN aad is the header in the packet, and an engine may read either.
 */
struct crypto_op {
	struct esp_sa *sa;
	void *key; /* of the engine, made by key_new() */
	uint8_t *esp;
	uint8_t *data; /* plaintext or ciphertext, trailer included */
	uint8_t *icv;
	uint32_t len;     /* of data: a multiple of the suite's align */
	uint32_t aad_len; /* 8, or 12 with ESN (RFC 4106 s5) */
	uint8_t aad[12];
	bool esn;
	bool ok; /* decrypt: the ICV was right; encrypt: computed */
	uint64_t seq;
};

struct crypto_engine {
	const char *name;
	/* Worker-wide state. Returns 0 or -errno; NULL function: none needed. */
	int (*create)(void **ctx);
	void (*destroy)(void *ctx);
	/* Expands the keys of c, for the direction of c, into *key. Returns 0, -ENOTSUP or -ENOMEM.
	 */
	int (*key_new)(
		void *ctx, const struct esp_suite *s, const struct esp_sa_conf *c, void **key);
	/* Wipes and frees. */
	void (*key_free)(void *key);
	/* Encrypts n packets and writes their ICVs; the explicit IV is in the packet already. */
	void (*encrypt)(void *ctx, struct crypto_op *op, uint32_t n);
	/* Checks the ICV before any plaintext is of use (E-11): where ok is false, data is garbage.
	 */
	void (*decrypt)(void *ctx, struct crypto_op *op, uint32_t n);
};

/* The engine, or NULL if this build has none of that name; AUTO is resolved before. */
const struct crypto_engine *crypto_engine_get(enum esp_engine_id id);

/* NULL in a build without ipsec-mb. */
const struct crypto_engine *crypto_mb_engine(void);
const struct crypto_engine *crypto_ossl_engine(void);

/*
 * The nonce of an AEAD or counter suite: salt, then the explicit IV (RFC 4106 s4), or the sequence
 * number where it is implicit (RFC 8750 s4). Returns its bytes, salt_bytes + 8.
 */
static inline uint32_t
crypto_nonce(uint8_t nonce[12], const struct esp_suite *s, const uint8_t salt[4],
	const struct crypto_op *op)
{
	uint64_t seq;

	memcpy(nonce, salt, 4); /* a constant length; the IV goes over what is no salt */
	if (s->iv_implicit) {
		seq = rte_cpu_to_be_64(op->seq);
		memcpy(nonce + s->salt_bytes, &seq, 8);
	} else {
		memcpy(nonce + s->salt_bytes, op->esp + ESP_HDR_BYTES, 8);
	}
	return s->salt_bytes + 8u;
}

/* Compares two ICVs in time that does not depend on them. */
bool crypto_icv_equal(const uint8_t *a, const uint8_t *b, uint32_t len);

#endif
