/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * intern.h - append-only tables whose entries have a number for life. Private to latch.
 *
 * One writer at a time (the lock of struct latch_tables); readers need none: an entry is complete
 * before its number is published, and never moves. A handle is the position plus one; 0 names
 * nothing.
 */
#ifndef TL_LATCH_INTERN_H
#define TL_LATCH_INTERN_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum { INTERN_CHUNK = 1024, INTERN_CHUNKS = 1024, INTERN_BUCKETS = 4096 };

/* A checksum of an entry and of what it points to. */
typedef uint32_t intern_sum_fn(const void *entry, uint32_t entry_bytes);

struct intern {
	uint32_t entry_bytes;
	uint32_t key_bytes; /* at the start of an entry */
	intern_sum_fn *sum_of;
	_Atomic uint32_t n;
	uint8_t *chunk[INTERN_CHUNKS];
	uint32_t *next[INTERN_CHUNKS]; /* chains of the index, by handle */
	uint32_t *sum[INTERN_CHUNKS];
	uint32_t bucket[INTERN_BUCKETS];
};

/* sum_of NULL: of the bytes of the entry. */
void intern_init(struct intern *t, uint32_t entry_bytes, uint32_t key_bytes, intern_sum_fn *sum_of);
void intern_free(struct intern *t);

/* NULL: no such handle. */
void *intern_get(const struct intern *t, uint32_t handle);

/* The writer's: the handle of the entry with this key, or 0; and a new one, 0 without memory. */
uint32_t intern_find(const struct intern *t, const void *key);
uint32_t intern_add(struct intern *t, const void *entry);
/* The handle that intern_add() would give now. */
uint32_t intern_next(const struct intern *t);

/* Whether an entry is what it was (P-21). */
bool intern_is_whole(const struct intern *t, uint32_t handle);
/* A damaged entry becomes all zero, which names nobody. */
void intern_void(struct intern *t, uint32_t handle);

#endif
