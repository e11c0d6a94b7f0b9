/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * crypto_mb.h - what the files of the ipsec-mb engine share. Private to them.
 *
 * A key is an object of its kind that begins with a struct mb_key. Keys of the direct calls (GCM,
 * GMAC) compute a packet at once; the others are jobs of the multi-buffer manager, which computes
 * several packets side by side.
 */
#ifndef TL_ESP_CRYPTO_MB_H
#define TL_ESP_CRYPTO_MB_H

#include "esp/crypto.h"
#include "esp/secret.h"

#ifdef TL_HAVE_IPSEC_MB

#include <intel-ipsec-mb.h>

/* Jobs that are under way at once; a longer run is flushed in between. */
enum { MB_RUN = 64 };

/* What a job needs until it is complete. */
struct mb_scratch {
	struct crypto_op *op;
	uint8_t nonce[16];
	uint8_t tag[ESP_ICV_MAX];
	uint8_t icv_head[4]; /* of the received ICV, while the high half of the sequence number is
			      * there */
};

struct mb_ctx {
	IMB_MGR *mgr;
	uint32_t nb_jobs;
	struct secret_arena keys;
	struct mb_scratch scratch[MB_RUN];
};

/* Both functions are set, or both are NULL: then it is the key of a job. */
struct mb_key {
	void (*encrypt)(struct crypto_op *op);
	void (*decrypt)(struct crypto_op *op);
	struct esp_suite suite;
	uint8_t salt[4];
	uint32_t bytes; /* of the whole object, to be wiped */
	struct secret_arena *home;
};

/* A zeroed object with suite and salt set, or NULL; bytes: a multiple of a cache line. */
void *mb_key_alloc(
	struct mb_ctx *ctx, uint32_t bytes, const struct esp_suite *s, const struct esp_sa_conf *c);
void mb_key_free(void *key);

/* They return 0, -ENOTSUP or -ENOMEM. */
int mb_gcm_key_new(
	struct mb_ctx *ctx, const struct esp_suite *s, const struct esp_sa_conf *c, void **key);
int mb_job_key_new(
	struct mb_ctx *ctx, const struct esp_suite *s, const struct esp_sa_conf *c, void **key);

/* Submits a packet; ok is set when it is complete, at the latest by mb_job_flush(). */
void mb_job_encrypt(struct mb_ctx *ctx, struct crypto_op *op);
void mb_job_decrypt(struct mb_ctx *ctx, struct crypto_op *op);
void mb_job_flush(struct mb_ctx *ctx);

/* The keys of the MACs of jobs: expands the key of c and points job at it. */
struct mb_mac {
	union {
		struct {
			uint8_t inner[64]; /* hash state behind key ^ ipad */
			uint8_t outer[64];
		} hmac;
		struct {
			uint32_t k1[44];
			uint8_t k2[16], k3[16];
		} xcbc;
		struct {
			uint32_t key[44];
			uint8_t k1[16], k2[16];
		} cmac;
	};
} __attribute__((aligned(16)));

/* Returns 0 or -ENOTSUP. */
int mb_mac_set(
	IMB_MGR *mgr, struct mb_mac *mac, IMB_JOB *job, uint16_t integ, const uint8_t *auth_key);

#endif

#endif
