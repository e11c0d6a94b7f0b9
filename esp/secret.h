/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * secret.h - memory for keys, which no core dump shows and no swap gets, where the system lets us.
 *
 * Private to esp. An arena belongs to one worker.
 */
#ifndef TL_ESP_SECRET_H
#define TL_ESP_SECRET_H

#include <stdbool.h>
#include <stdint.h>

enum { SECRET_CHUNK_BYTES = 64 << 10, SECRET_ALIGN = 64, SECRET_MAX_BYTES = 16 << 10 };

struct secret_free {
	struct secret_free *next;
};

struct secret_chunk {
	struct secret_chunk *next;
	uint32_t used;
};

/* All zero: empty. */
struct secret_arena {
	struct secret_chunk *chunk;
	struct secret_free *free[SECRET_MAX_BYTES / SECRET_ALIGN + 1]; /* by size */
};

/* Zeroed, aligned to a cache line; NULL without memory, or if it is too large. */
void *secret_alloc(struct secret_arena *a, uint32_t bytes);

/* p was wiped by the caller; bytes as when it was allocated. */
void secret_free(struct secret_arena *a, void *p, uint32_t bytes);

/* Gives all memory back; every object was freed. */
void secret_arena_done(struct secret_arena *a);

#endif
