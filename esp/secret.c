/* SPDX-License-Identifier: BSD-3-Clause */
/* secret.c - chunks of pages outside of core dumps, cut into objects. */
#include "esp/secret.h"

#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <rte_common.h>

static uint32_t
rounded(uint32_t bytes)
{
	return RTE_ALIGN_CEIL(bytes, (uint32_t)SECRET_ALIGN);
}

static bool
chunk_add(struct secret_arena *a)
{
	struct secret_chunk *c = mmap(NULL, SECRET_CHUNK_BYTES, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (c == MAP_FAILED)
		return false;
	/* Both are the best that can be done, not a condition. */
	(void)madvise(c, SECRET_CHUNK_BYTES, MADV_DONTDUMP);
	(void)mlock(c, SECRET_CHUNK_BYTES);
	c->used = SECRET_ALIGN;
	c->next = a->chunk;
	a->chunk = c;
	return true;
}

void *
secret_alloc(struct secret_arena *a, uint32_t bytes)
{
	uint32_t size = rounded(bytes);
	struct secret_free *f;
	void *p;

	if (size == 0 || size > SECRET_MAX_BYTES)
		return NULL;
	f = a->free[size / SECRET_ALIGN];
	if (f != NULL) {
		a->free[size / SECRET_ALIGN] = f->next;
		f->next = NULL;
		return f;
	}
	if ((a->chunk == NULL || a->chunk->used + size > SECRET_CHUNK_BYTES) && !chunk_add(a))
		return NULL;
	p = (uint8_t *)a->chunk + a->chunk->used;
	a->chunk->used += size;
	return p;
}

void
secret_free(struct secret_arena *a, void *p, uint32_t bytes)
{
	struct secret_free *f = p;
	uint32_t size = rounded(bytes);

	f->next = a->free[size / SECRET_ALIGN];
	a->free[size / SECRET_ALIGN] = f;
}

void
secret_arena_done(struct secret_arena *a)
{
	while (a->chunk != NULL) {
		struct secret_chunk *c = a->chunk;

		a->chunk = c->next;
		munmap(c, SECRET_CHUNK_BYTES);
	}
	memset(a, 0, sizeof(*a));
}
