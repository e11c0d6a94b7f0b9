/* SPDX-License-Identifier: BSD-3-Clause */
/* intern.c - arrays in chunks that never move, and an index that only the writer touches. */
#include "latch/intern.h"

#include <stdlib.h>
#include <string.h>
#include <rte_jhash.h>

static uint32_t
sum_of_bytes(const void *entry, uint32_t entry_bytes)
{
	return rte_jhash(entry, entry_bytes, 1);
}

void
intern_init(struct intern *t, uint32_t entry_bytes, uint32_t key_bytes, intern_sum_fn *sum_of)
{
	t->entry_bytes = entry_bytes;
	t->key_bytes = key_bytes;
	t->sum_of = sum_of != NULL ? sum_of : sum_of_bytes;
}

void
intern_free(struct intern *t)
{
	for (uint32_t i = 0; i < INTERN_CHUNKS; i++) {
		free(t->chunk[i]);
		free(t->next[i]);
		free(t->sum[i]);
	}
}

void *
intern_get(const struct intern *t, uint32_t handle)
{
	uint32_t i = handle - 1;

	/* Published after the entry and its chunk were complete. */
	if (handle == 0 || handle > atomic_load_explicit(&t->n, memory_order_acquire))
		return NULL;
	return t->chunk[i / INTERN_CHUNK] + (size_t)(i % INTERN_CHUNK) * t->entry_bytes;
}

uint32_t
intern_next(const struct intern *t)
{
	return atomic_load_explicit(&t->n, memory_order_relaxed) + 1;
}

static uint32_t
bucket_of(const struct intern *t, const void *key)
{
	return rte_jhash(key, t->key_bytes, 0) & (INTERN_BUCKETS - 1);
}

uint32_t
intern_find(const struct intern *t, const void *key)
{
	uint32_t i = t->bucket[bucket_of(t, key)];

	while (i != 0 && memcmp(intern_get(t, i), key, t->key_bytes) != 0)
		i = t->next[(i - 1) / INTERN_CHUNK][(i - 1) % INTERN_CHUNK];
	return i;
}

static bool
make_chunk(struct intern *t, uint32_t c)
{
	if (t->chunk[c] != NULL)
		return true;
	t->next[c] = calloc(INTERN_CHUNK, sizeof(uint32_t));
	t->sum[c] = calloc(INTERN_CHUNK, sizeof(uint32_t));
	if (t->next[c] != NULL && t->sum[c] != NULL)
		t->chunk[c] = calloc(INTERN_CHUNK, t->entry_bytes);
	if (t->chunk[c] != NULL)
		return true;
	free(t->next[c]);
	free(t->sum[c]);
	t->next[c] = t->sum[c] = NULL;
	return false;
}

uint32_t
intern_add(struct intern *t, const void *entry)
{
	uint32_t h = bucket_of(t, entry), i = intern_next(t) - 1, c = i / INTERN_CHUNK;

	if (c == INTERN_CHUNKS || !make_chunk(t, c))
		return 0;
	memcpy(t->chunk[c] + (size_t)(i % INTERN_CHUNK) * t->entry_bytes, entry, t->entry_bytes);
	t->sum[c][i % INTERN_CHUNK] = t->sum_of(entry, t->entry_bytes);
	t->next[c][i % INTERN_CHUNK] = t->bucket[h];
	t->bucket[h] = i + 1;
	atomic_store_explicit(&t->n, i + 1, memory_order_release);
	return i + 1;
}

bool
intern_is_whole(const struct intern *t, uint32_t handle)
{
	const void *entry = intern_get(t, handle);
	uint32_t i = handle - 1;

	return entry == NULL ||
	       t->sum_of(entry, t->entry_bytes) == t->sum[i / INTERN_CHUNK][i % INTERN_CHUNK];
}

void
intern_void(struct intern *t, uint32_t handle)
{
	void *entry = intern_get(t, handle);
	uint32_t i = handle - 1;

	memset(entry, 0, t->entry_bytes);
	t->sum[i / INTERN_CHUNK][i % INTERN_CHUNK] = t->sum_of(entry, t->entry_bytes);
}
