/* SPDX-License-Identifier: BSD-3-Clause */
/* buf.c - extents: chunks of a worker's pool, memory of the program, packets as they arrived. */
#include "stack/base/buf.h"

#include <errno.h>
#include <stdlib.h>
#include <rte_memcpy.h>
#include <rte_malloc.h>
#include <rte_prefetch.h>

#include "stack/base/assert.h"
#include "stack/base/csum.h"
#include "stack/base/lcore.h"
#include "stack/base/pkt.h"

enum { CHUNK_BYTES = BUF_CHUNK_BYTES, NOTES_MAX = 4096, RESERVE_DIV = 8 };

enum chunk_kind { CHUNK_POOL, CHUNK_NOTE, CHUNK_PACKET };

struct buf_chunk {
	_Atomic(struct buf_chunk *) next;
	uint64_t base; /* absolute position of data[0] */
	uint8_t *data;
	uint32_t size_bytes; /* that belong here; fewer than there are when another kind follows */
	enum chunk_kind kind;
};

/* Of the pool, with its bytes behind it. */
struct pool_chunk {
	struct buf_chunk c __rte_cache_aligned;
	uint8_t data[CHUNK_BYTES] __rte_cache_aligned;
};

/* About memory of the program. */
struct note {
	struct buf_chunk c;
	uint64_t cookie;
	int error; /* once it is done */
};

/*
 * In a packet it is where the metadata are that only a packet on its way out has: in a cache line
 * that was read for the packet anyway, and what the stages found stays.
 */
enum { CHUNK_IN_META = PKT_META_FRESH };
_Static_assert(CHUNK_IN_META + sizeof(struct buf_chunk) <= sizeof(struct pkt_meta),
	"a packet that is kept has room for what describes it");

/* The chunk given back last, which is still in the cache, is taken first. Its worker's alone. */
struct buf_pool {
	struct buf_chunk *unused; /* linked by next */
	struct pool_chunk *chunks;
	uint32_t nb;
	uint32_t nb_unused;
	struct note *notes;
	struct buf_chunk *unused_notes;
	struct buf_chunk *done, *last_done; /* notes whose memory is the program's again */
	struct buf_chunk *staged_from;      /* the last chunk before buf_stage() */
	uint32_t nb_notes;                  /* in buffers, or done and not told */
	uint32_t nb_packets;                /* in buffers */
	uint32_t packets_max;
	uint32_t packet_min_bytes;
};

static struct buf_chunk *
next_of(const struct buf_chunk *c)
{
	return atomic_load_explicit(&c->next, memory_order_acquire);
}

static void
chunk_put(struct buf_pool *p, struct buf_chunk *c)
{
	atomic_store_explicit(&c->next, p->unused, memory_order_relaxed);
	p->unused = c;
	p->nb_unused++;
}

/* NULL if there is none. */
static struct buf_chunk *
chunk_get(struct buf_pool *p)
{
	struct buf_chunk *c = p->unused;

	if (c == NULL)
		return NULL;
	p->unused = atomic_load_explicit(&c->next, memory_order_relaxed);
	p->nb_unused--;
	if (p->unused != NULL)
		rte_prefetch0(p->unused);
	return c;
}

static void
note_put(struct buf_pool *p, struct buf_chunk *c)
{
	atomic_store_explicit(&c->next, p->unused_notes, memory_order_relaxed);
	p->unused_notes = c;
	p->nb_notes--;
}

static struct note *
note_of(struct buf_chunk *c)
{
	return container_of(c, struct note, c);
}

/* The program hears of it in the order of these calls. */
static void
note_done(struct buf_pool *p, struct buf_chunk *c, int error)
{
	note_of(c)->error = error;
	atomic_store_explicit(&c->next, NULL, memory_order_relaxed);
	if (p->done == NULL)
		p->done = c;
	else
		atomic_store_explicit(&p->last_done->next, c, memory_order_relaxed);
	p->last_done = c;
}

static struct buf_chunk *
chunk_of_packet(struct rte_mbuf *m)
{
	return (struct buf_chunk *)(void *)((uint8_t *)pkt_meta(m) + CHUNK_IN_META);
}

static struct rte_mbuf *
packet_of(struct buf_chunk *c)
{
	return (struct rte_mbuf *)(void *)((uint8_t *)c - CHUNK_IN_META - sizeof(struct rte_mbuf));
}

static void
packets_put(struct lcore *lc, struct pkt_vec *v)
{
	lc->buf->nb_packets -= v->n;
	pkt_vec_drop(lc, v, DROP_BUF_DONE);
}

/* Packets are gathered in v, which is the caller's to give back. */
static void
release(struct lcore *lc, struct buf_chunk *c, int error, struct pkt_vec *v)
{
	switch (c->kind) {
	case CHUNK_POOL:
		chunk_put(lc->buf, c);
		break;
	case CHUNK_NOTE:
		note_done(lc->buf, c, error);
		break;
	case CHUNK_PACKET:
		if (v->n == PKT_BURST)
			packets_put(lc, v);
		pkt_vec_add(v, packet_of(c));
		break;
	}
}

int
buf_pool_create(uint32_t nb, int socket_id, const char *name, struct buf_pool **out)
{
	struct buf_pool *p = calloc(1, sizeof(*p));

	if (p == NULL)
		return -ENOMEM;
	p->nb = nb;
	p->chunks =
		rte_malloc_socket(name, sizeof(*p->chunks) * nb, RTE_CACHE_LINE_SIZE, socket_id);
	p->notes = calloc(NOTES_MAX, sizeof(*p->notes));
	if (p->chunks == NULL || p->notes == NULL) {
		buf_pool_free(p);
		return -ENOMEM;
	}
	for (uint32_t i = 0; i < nb; i++)
		chunk_put(p, &p->chunks[nb - 1 - i].c);
	for (uint32_t i = 0; i < NOTES_MAX; i++)
		note_put(p, &p->notes[i].c);
	p->nb_notes = 0;
	*out = p;
	return 0;
}

void
buf_pool_free(struct buf_pool *p)
{
	if (p == NULL)
		return;
	rte_free(p->chunks);
	free(p->notes);
	free(p);
}

void
buf_pool_keep(struct buf_pool *p, uint32_t nb_packets, uint32_t min_bytes)
{
	p->packets_max = nb_packets;
	p->packet_min_bytes = min_bytes;
}

uint32_t
buf_pool_in_use(const struct buf_pool *p)
{
	return p->nb - p->nb_unused + p->nb_notes + p->nb_packets;
}

uint64_t
buf_pool_bytes(const struct buf_pool *p)
{
	return (uint64_t)p->nb * CHUNK_BYTES;
}

bool
buf_pool_is_used(const struct buf_pool *p, uint32_t pct)
{
	return (uint64_t)(p->nb - p->nb_unused) * 100 >= (uint64_t)p->nb * pct;
}

void
buf_init(struct buf *b, uint32_t limit_bytes)
{
	*b = (struct buf){.limit_bytes = limit_bytes};
}

/* A modest buffer that has a chunk leaves the last eighth of the pool to those that have none. */
static bool
may_grow(const struct lcore *lc, const struct buf *b)
{
	const struct buf_pool *p = lc->buf;
	uint32_t avail = p->nb_unused;

	if (b->modest && b->tail != NULL && avail < p->nb / RESERVE_DIV)
		return false;
	return avail > 0;
}

/* c becomes the last one; the consumer sees it through `next`. */
static void
chain(struct buf *b, struct buf_chunk *c, uint64_t end)
{
	atomic_init(&c->next, NULL);
	c->base = end;
	if (b->tail == NULL)
		b->head = b->cur = c;
	else
		atomic_store_explicit(&b->tail->next, c, memory_order_release);
	b->tail = c;
}

/* Adds a chunk whose first byte is at position end. */
static struct buf_chunk *
grow(struct lcore *lc, struct buf *b, uint64_t end)
{
	struct buf_chunk *c = may_grow(lc, b) ? chunk_get(lc->buf) : NULL;

	if (c == NULL)
		return NULL;
	c->data = container_of(c, struct pool_chunk, c)->data;
	c->size_bytes = CHUNK_BYTES;
	c->kind = CHUNK_POOL;
	chain(b, c, end);
	return c;
}

/* Room in the last chunk for what follows position end. */
static uint32_t
room_at(const struct buf *b, uint64_t end)
{
	return b->tail == NULL ? 0 : b->tail->size_bytes - (uint32_t)(end - b->tail->base);
}

bool
buf_can_append(const struct lcore *lc, const struct buf *b)
{
	uint64_t end = atomic_load_explicit(&b->end, memory_order_relaxed);

	if (buf_room(b) == 0)
		return false;
	if (room_at(b, end) > 0)
		return true;
	return may_grow(lc, b);
}

bool
buf_fits(const struct lcore *lc, const struct buf *b, size_t len)
{
	uint64_t end = atomic_load_explicit(&b->end, memory_order_relaxed);
	size_t here = room_at(b, end), chunks;

	if (len > buf_room(b))
		return false;
	if (len <= here)
		return true;
	chunks = (len - here + CHUNK_BYTES - 1) / CHUNK_BYTES;
	return chunks <= lc->buf->nb_unused;
}

/* The place for bytes at position end: *n of them, at least one; NULL if there is no chunk. */
static uint8_t *
place(struct lcore *lc, struct buf *b, uint64_t end, size_t *n)
{
	struct buf_chunk *c = b->tail;
	uint32_t room = room_at(b, end);

	if (room == 0) {
		c = grow(lc, b, end);
		if (c == NULL)
			return NULL;
		room = CHUNK_BYTES;
	}
	*n = RTE_MIN(*n, (size_t)room);
	return c->data + (end - c->base);
}

size_t
buf_append(struct lcore *lc, struct buf *b, const void *src, size_t len)
{
	uint64_t end = atomic_load_explicit(&b->end, memory_order_relaxed);
	size_t room = buf_room(b), done = 0;

	if (len > room)
		len = room;
	while (done < len) {
		size_t n = len - done;
		uint8_t *to = place(lc, b, end, &n);

		if (to == NULL)
			break;
		rte_memcpy(to, (const uint8_t *)src + done, n);
		done += n;
		end += n;
	}
	atomic_store_explicit(&b->end, end, memory_order_release);
	return done;
}

bool
buf_append_note(struct lcore *lc, struct buf *b, const void *mem, uint32_t len, uint64_t cookie)
{
	struct buf_pool *p = lc->buf;
	uint64_t end = atomic_load_explicit(&b->end, memory_order_relaxed);
	struct buf_chunk *c = p->unused_notes;

	if (c == NULL || len > buf_room(b))
		return false;
	p->unused_notes = next_of(c);
	p->nb_notes++;
	c->data = (uint8_t *)(uintptr_t)mem; /* only read */
	c->size_bytes = len;
	c->kind = CHUNK_NOTE;
	note_of(c)->cookie = cookie;
	if (b->tail != NULL)
		b->tail->size_bytes = (uint32_t)(end - b->tail->base);
	chain(b, c, end);
	atomic_store_explicit(&b->end, end + len, memory_order_release);
	return true;
}

bool
buf_note_done(struct lcore *lc, uint64_t *cookie, int *error)
{
	struct buf_pool *p = lc->buf;
	struct buf_chunk *c = p->done;

	if (c == NULL)
		return false;
	p->done = next_of(c);
	*cookie = note_of(c)->cookie;
	*error = note_of(c)->error;
	note_put(p, c);
	return true;
}

bool
buf_takes_packet(const struct lcore *lc, const struct buf *b, uint32_t len)
{
	const struct buf_pool *p = lc->buf;

	if (len < p->packet_min_bytes || p->nb_packets >= p->packets_max)
		return false;
	return len <= buf_room(b) &&
	       room_at(b, atomic_load_explicit(&b->end, memory_order_relaxed)) == 0;
}

void
buf_append_packet(
	struct lcore *lc, struct buf *b, struct rte_mbuf *m, const uint8_t *data, uint32_t len)
{
	uint64_t end = atomic_load_explicit(&b->end, memory_order_relaxed);
	struct buf_chunk *c = chunk_of_packet(m);

	c->data = (uint8_t *)(uintptr_t)data; /* only read */
	c->size_bytes = len;
	c->kind = CHUNK_PACKET;
	chain(b, c, end);
	lc->buf->nb_packets++;
	atomic_store_explicit(&b->end, end + len, memory_order_release);
}

bool
buf_stage(struct lcore *lc, struct buf *b, const void *src, size_t len, uint32_t *sum)
{
	uint64_t end = atomic_load_explicit(&b->end, memory_order_relaxed);
	bool is_odd = false;
	size_t done = 0;

	if (len > buf_room(b))
		return false;
	lc->buf->staged_from = b->tail;
	while (done < len) {
		size_t n = len - done;
		uint8_t *to = place(lc, b, end + done, &n);

		if (to == NULL) {
			buf_unstage(lc, b);
			return false;
		}
		*sum = csum_join(*sum, csum_copy(to, (const uint8_t *)src + done, n, 0), is_odd);
		is_odd ^= (n & 1) != 0;
		done += n;
	}
	return true;
}

void
buf_commit(struct buf *b, size_t len)
{
	uint64_t end = atomic_load_explicit(&b->end, memory_order_relaxed);

	atomic_store_explicit(&b->end, end + len, memory_order_release);
}

void
buf_unstage(struct lcore *lc, struct buf *b)
{
	struct buf_chunk *keep = lc->buf->staged_from;
	struct buf_chunk *c = keep == NULL ? b->head : next_of(keep);

	while (c != NULL) {
		struct buf_chunk *next = next_of(c);

		chunk_put(lc->buf, c);
		c = next;
	}
	b->tail = keep;
	if (keep == NULL)
		b->head = b->cur = NULL;
	else
		atomic_store_explicit(&keep->next, NULL, memory_order_relaxed);
}

size_t
buf_span(struct buf *b, uint64_t pos, const uint8_t **span)
{
	struct buf_chunk *c = b->cur;
	uint64_t end = buf_end(b);
	size_t off;

	tl_assert(pos >= buf_start(b) && pos < end);
	if (pos < c->base)
		c = b->head;
	while (pos - c->base >= c->size_bytes)
		c = next_of(c);
	b->cur = c;
	off = (size_t)(pos - c->base);
	*span = c->data + off;
	return RTE_MIN(c->size_bytes - off, (size_t)(end - pos));
}

void
buf_copy_out(struct buf *b, uint64_t pos, void *dst, size_t len)
{
	uint8_t *out = dst;

	while (len > 0) {
		const uint8_t *span;
		size_t n = RTE_MIN(buf_span(b, pos, &span), len);

		rte_memcpy(out, span, n);
		out += n;
		pos += n;
		len -= n;
	}
}

uint32_t
buf_copy_csum(struct buf *b, uint64_t pos, void *dst, size_t len, uint32_t sum)
{
	uint8_t *out = dst;
	bool is_odd = false;

	while (len > 0) {
		const uint8_t *span;
		size_t n = RTE_MIN(buf_span(b, pos, &span), len);

		sum = csum_join(sum, csum_copy(out, span, n, 0), is_odd);
		is_odd ^= (n & 1) != 0;
		out += n;
		pos += n;
		len -= n;
	}
	return sum;
}

/* error: what the owners of noted memory hear. */
static void
clear(struct lcore *lc, struct buf *b, int error)
{
	struct pkt_vec v;

	v.n = 0;
	while (b->head != NULL) {
		struct buf_chunk *c = b->head;

		b->head = next_of(c);
		release(lc, c, error, &v);
	}
	packets_put(lc, &v);
	b->cur = NULL;
	b->tail = NULL;
	atomic_store_explicit(&b->start, buf_end(b), memory_order_release);
}

void
buf_drop(struct lcore *lc, struct buf *b, size_t n)
{
	uint64_t start = atomic_load_explicit(&b->start, memory_order_relaxed) + n;
	struct pkt_vec v;

	tl_assert(n <= buf_len(b));
	if (n == 0)
		return;
	v.n = 0;
	if (start == buf_end(b)) {
		clear(lc, b, 0);
		return;
	}
	while (start - b->head->base >= b->head->size_bytes) {
		struct buf_chunk *c = b->head;

		b->head = atomic_load_explicit(&c->next, memory_order_acquire);
		if (b->cur == c)
			b->cur = b->head;
		release(lc, c, 0, &v);
	}
	packets_put(lc, &v);
	atomic_store_explicit(&b->start, start, memory_order_release);
}

void
buf_clear(struct lcore *lc, struct buf *b)
{
	clear(lc, b, ECANCELED);
}
