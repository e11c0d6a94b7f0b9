/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * rand.h - unpredictable numbers with a seed.
 *
 * A ChaCha20 key stream of libcrypto: unpredictable when seeded by rand_create(NULL), repeatable
 * when a test gives the seed. One per worker.
 */
#ifndef TL_BASE_RAND_H
#define TL_BASE_RAND_H

#include <stddef.h>
#include <stdint.h>

struct rand_ctx;

enum { RAND_SEED_LEN = 32 };

/* seed: RAND_SEED_LEN bytes, or NULL for the operating system's entropy. Returns 0 or -errno. */
int rand_create(const uint8_t *seed, struct rand_ctx **out);
void rand_free(struct rand_ctx *r);

void rand_bytes(struct rand_ctx *r, void *out, size_t len);
uint32_t rand_u32(struct rand_ctx *r);
uint64_t rand_u64(struct rand_ctx *r);

/* Uniform in [0, bound); bound > 0. */
uint32_t rand_below(struct rand_ctx *r, uint32_t bound);

#endif
