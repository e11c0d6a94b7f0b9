/* SPDX-License-Identifier: BSD-3-Clause */
/* recq.c - records behind each other in a ring of bytes; each begins with its length. */
#include "stack/base/recq.h"

#include <stdlib.h>
#include <rte_common.h>

/* Before each record. */
struct rec_head {
	uint32_t len;  /* that the writer asked for; SKIP: the next record is at the start */
	uint32_t size; /* with this header, a multiple of 8 */
};

enum { ALIGN = 8, SKIP = UINT32_MAX };

struct recq *
recq_new(uint32_t bytes)
{
	struct recq *q = calloc(1, sizeof(*q));

	if (q == NULL)
		return NULL;
	q->size = rte_align32pow2(bytes);
	q->mem = malloc(q->size);
	if (q->mem == NULL) {
		free(q);
		return NULL;
	}
	return q;
}

void
recq_free(struct recq *q)
{
	if (q == NULL)
		return;
	free(q->mem);
	free(q);
}

static struct rec_head *
at(const struct recq *q, uint64_t pos)
{
	return (struct rec_head *)(void *)(q->mem + (pos & (q->size - 1)));
}

void *
recq_reserve(struct recq *q, uint32_t len)
{
	uint64_t head = atomic_load_explicit(&q->head, memory_order_relaxed);
	uint64_t tail = atomic_load_explicit(&q->tail, memory_order_acquire);
	uint64_t size = RTE_ALIGN_CEIL((uint64_t)len + sizeof(struct rec_head), (uint64_t)ALIGN);
	uint64_t to_end = q->size - (head & (q->size - 1));
	uint64_t skip = to_end < size ? to_end : 0;

	if (head + skip + size - tail > q->size)
		return NULL;
	if (skip != 0)
		*at(q, head) = (struct rec_head){.len = SKIP};
	q->next = head + skip;
	*at(q, q->next) = (struct rec_head){.len = len, .size = (uint32_t)size};
	return at(q, q->next) + 1;
}

void
recq_commit(struct recq *q)
{
	atomic_store_explicit(&q->head, q->next + at(q, q->next)->size, memory_order_release);
}

void *
recq_peek(struct recq *q, uint32_t *len)
{
	uint64_t head = atomic_load_explicit(&q->head, memory_order_acquire);
	uint64_t tail = atomic_load_explicit(&q->tail, memory_order_relaxed);

	if (tail == head)
		return NULL;
	if (at(q, tail)->len == (uint32_t)SKIP) {
		tail += q->size - (tail & (q->size - 1));
		atomic_store_explicit(&q->tail, tail, memory_order_release);
	}
	*len = at(q, tail)->len;
	return at(q, tail) + 1;
}

void
recq_pop(struct recq *q)
{
	uint64_t tail = atomic_load_explicit(&q->tail, memory_order_relaxed);

	atomic_store_explicit(&q->tail, tail + at(q, tail)->size, memory_order_release);
}
