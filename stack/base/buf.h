/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * buf.h - socket buffers: a queue of bytes held in extents.
 *
 * One producer appends, one consumer reads and drops; each index is written by one side and
 * published with release order, so the two may become different threads. The user sees spans,
 * append and drop, never the representation. An empty buffer owns no chunk. What arrives in full
 * packets is left in them until it is dropped.
 *
 * Positions are absolute byte counts since buf_init(): buf_start() is the first byte still held,
 * buf_end() is one past the last.
 */
#ifndef TL_BASE_BUF_H
#define TL_BASE_BUF_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Of a chunk of the pool: with what describes it, a power of two. */
enum { BUF_CHUNK_BYTES = 8192 - 64 };

struct lcore;
struct rte_mbuf;
struct buf_chunk;
struct buf_pool;

struct buf {
	struct buf_chunk *head; /* consumer */
	struct buf_chunk *cur;  /* consumer: chunk of the last buf_span(), so a walk is short */
	struct buf_chunk *tail; /* producer */
	_Atomic uint64_t start; /* written by the consumer */
	_Atomic uint64_t end;   /* written by the producer */
	uint32_t limit_bytes;
	bool modest; /* set by the owner: no second chunk while the pool is nearly empty */
};

/* nb: chunks in the pool. Returns 0 or -errno. */
int buf_pool_create(uint32_t nb, int socket_id, const char *name, struct buf_pool **out);
void buf_pool_free(struct buf_pool *p);

/* Buffers of p may keep so many packets in all, those with at least min_bytes for them; 0 at first.
 */
void buf_pool_keep(struct buf_pool *p, uint32_t nb_packets, uint32_t min_bytes);

/* Chunks taken from the pool now, packets kept, and notes that nobody heard of: 0 when every buffer
 * is empty. */
uint32_t buf_pool_in_use(const struct buf_pool *p);

/* What all chunks of the pool hold. */
uint64_t buf_pool_bytes(const struct buf_pool *p);

/* Whether at least pct percent of the chunks are in use. */
bool buf_pool_is_used(const struct buf_pool *p, uint32_t pct);

void buf_init(struct buf *b, uint32_t limit_bytes);

static inline uint64_t
buf_start(const struct buf *b)
{
	return atomic_load_explicit(&b->start, memory_order_acquire);
}

static inline uint64_t
buf_end(const struct buf *b)
{
	return atomic_load_explicit(&b->end, memory_order_acquire);
}

static inline uint32_t
buf_len(const struct buf *b)
{
	return (uint32_t)(buf_end(b) - buf_start(b));
}

static inline uint32_t
buf_room(const struct buf *b)
{
	uint32_t len = buf_len(b);

	return len < b->limit_bytes ? b->limit_bytes - len : 0;
}

/* Whether buf_append() would take at least one byte now. */
bool buf_can_append(const struct lcore *lc, const struct buf *b);

/* Whether buf_append() would take len bytes, all of them, now; b is not modest. */
bool buf_fits(const struct lcore *lc, const struct buf *b, size_t len);

/* Producer: copies up to len bytes in. Returns how many fitted (limit, or no chunk left). */
size_t buf_append(struct lcore *lc, struct buf *b, const void *src, size_t len);

/*
 * Producer: appends memory of somebody else, who leaves it as it is until buf_note_done() tells the
 * cookie. False, and nothing happened: it does not fit whole, or too much memory is noted already.
 */
bool buf_append_note(
	struct lcore *lc, struct buf *b, const void *mem, uint32_t len, uint64_t cookie);

/* The next memory that no buffer of this worker refers to any more: *error is 0 if all of it was
 * dropped as read, else ECANCELED. False: none. */
bool buf_note_done(struct lcore *lc, uint64_t *cookie, int *error);

/*
 * Producer: copies len bytes behind the end and adds them to an Internet checksum, without anybody
 * seeing them. False, and nothing happened but to *sum, if they do not all fit. Before anything
 * else is done with b one of the next two follows.
 */
bool buf_stage(struct lcore *lc, struct buf *b, const void *src, size_t len, uint32_t *sum);

/*
 * Whether buf_append_packet() would take a packet with len bytes for b: neither too little for a
 * whole packet's memory, nor more packets than may be kept, nor behind a chunk that has room.
 */
bool buf_takes_packet(const struct lcore *lc, const struct buf *b, uint32_t len);

/* Producer: appends the len bytes at data, which lie in m, and takes m, whose metadata stay valid
 * during this turn. buf_takes_packet() said yes. */
void buf_append_packet(
	struct lcore *lc, struct buf *b, struct rte_mbuf *m, const uint8_t *data, uint32_t len);

/* The len bytes that were staged are appended. */
void buf_commit(struct buf *b, size_t len);

/* They are forgotten. */
void buf_unstage(struct lcore *lc, struct buf *b);

/*
 * Consumer: the contiguous bytes at absolute position pos, start <= pos < end. Sets *span and
 * returns how many bytes it holds.
 */
size_t buf_span(struct buf *b, uint64_t pos, const uint8_t **span);

/* Consumer: copies [pos, pos + len), all of it held, to dst. */
void buf_copy_out(struct buf *b, uint64_t pos, void *dst, size_t len);

/* As buf_copy_out(), and adds the bytes to an Internet checksum. */
uint32_t buf_copy_csum(struct buf *b, uint64_t pos, void *dst, size_t len, uint32_t sum);

/* Consumer: forgets the first n bytes, n <= buf_len(). */
void buf_drop(struct lcore *lc, struct buf *b, size_t n);

/* Both sides at rest: forgets everything and gives every chunk back. */
void buf_clear(struct lcore *lc, struct buf *b);

#endif
