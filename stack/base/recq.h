/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * recq.h - a queue of records of any size between two threads: one writes, one reads, nobody waits.
 */
#ifndef TL_BASE_RECQ_H
#define TL_BASE_RECQ_H

#include <stdatomic.h>
#include <stdint.h>

/* Positions only grow; head belongs to the writer, tail to the reader. */
struct recq {
	uint64_t size; /* of mem, a power of two */
	uint64_t next; /* where the record begins that recq_reserve() gave out */
	uint8_t *mem;
	_Atomic uint64_t head;
	_Atomic uint64_t tail;
};

/* bytes is rounded up to a power of two. NULL without memory. */
struct recq *recq_new(uint32_t bytes);
void recq_free(struct recq *q);

/* Room for a record of len bytes in one piece, aligned to 8; NULL: it does not fit now. */
void *recq_reserve(struct recq *q, uint32_t len);

/* The reader sees the reserved record. */
void recq_commit(struct recq *q);

/* The oldest record and its length, NULL if there is none; it stays until recq_pop(). */
void *recq_peek(struct recq *q, uint32_t *len);
void recq_pop(struct recq *q);

#endif
