/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * profile.c - interning of identities and parameter sets.
 *
 * HOW IT WORKS. Both tables are the same thing: an append-only array in chunks that never move,
 * so a reader needs no lock, and a hash index that only the control context touches. A handle is
 * the position plus one; 0 names nothing. Entries live as long as the stack (F-4): a handle that
 * a latch, a queued packet or an application remembers can never come to mean somebody else.
 */
#include "latch/profile.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <rte_jhash.h>

enum { CHUNK = 1024, CHUNKS = 1024, INDEX_BUCKETS = 4096 };

struct intern {
	size_t entry_bytes;
	size_t key_bytes; /* at the start of an entry */
	uint32_t n;
	uint8_t *chunk[CHUNKS];
	uint32_t *next[CHUNKS]; /* chains of the index, by handle */
	uint32_t bucket[INDEX_BUCKETS];
};

struct latch_tables {
	struct intern ident;   /* struct tl_ident */
	struct intern profile; /* struct profile */
	uint32_t generation;
};

int
latch_tables_create(struct latch_tables **out)
{
	struct latch_tables *t = calloc(1, sizeof(*t));

	if (t == NULL)
		return -ENOMEM;
	while (t->generation == 0) {
		if (getrandom(&t->generation, sizeof(t->generation), 0) < 0) {
			free(t);
			return -EIO;
		}
	}
	t->ident.entry_bytes = t->ident.key_bytes = sizeof(struct tl_ident);
	t->profile.entry_bytes = sizeof(struct profile);
	t->profile.key_bytes = sizeof(struct latch_profile);
	*out = t;
	return 0;
}

static void
intern_free(struct intern *t)
{
	for (uint32_t i = 0; i < CHUNKS; i++) {
		free(t->chunk[i]);
		free(t->next[i]);
	}
}

void
latch_tables_free(struct latch_tables *t)
{
	if (t == NULL)
		return;
	intern_free(&t->ident);
	intern_free(&t->profile);
	free(t);
}

static void *
intern_get(const struct intern *t, uint32_t handle)
{
	uint32_t i = handle - 1;

	if (handle == 0 || i / CHUNK >= CHUNKS || t->chunk[i / CHUNK] == NULL)
		return NULL;
	return t->chunk[i / CHUNK] + (i % CHUNK) * t->entry_bytes;
}

static uint32_t
intern_append(struct intern *t, uint32_t h, const void *entry)
{
	uint32_t i = t->n, c = i / CHUNK;

	if (c == CHUNKS)
		return 0;
	if (t->chunk[c] == NULL) {
		uint32_t *next = calloc(CHUNK, sizeof(uint32_t));
		uint8_t *chunk = calloc(CHUNK, t->entry_bytes);

		if (next == NULL || chunk == NULL) {
			free(next);
			free(chunk);
			return 0;
		}
		t->next[c] = next;
		t->chunk[c] = chunk;
	}
	memcpy(t->chunk[c] + (i % CHUNK) * t->entry_bytes, entry, t->entry_bytes);
	t->next[c][i % CHUNK] = t->bucket[h];
	t->bucket[h] = i + 1;
	t->n++;
	return i + 1;
}

/* The handle of the entry whose key equals that of `entry`; it is appended if new. */
static uint32_t
intern(struct intern *t, const void *entry)
{
	uint32_t h = rte_jhash(entry, (uint32_t)t->key_bytes, 0) & (INDEX_BUCKETS - 1);
	uint32_t i;

	for (i = t->bucket[h]; i != 0; i = t->next[(i - 1) / CHUNK][(i - 1) % CHUNK]) {
		if (memcmp(intern_get(t, i), entry, t->key_bytes) == 0)
			return i;
	}
	return intern_append(t, h, entry);
}

/* F-41: DNS names compare without case and without the root's dot (RFC 4343 s3). Only the domain
 * of a mail address is one (RFC 5321 s2.4). */
static void
canonical(struct tl_ident *id)
{
	uint16_t from = 0;

	if (id->type == TL_ID_RFC822_ADDR) {
		const uint8_t *at = memrchr(id->data, '@', id->len);

		from = at == NULL ? 0 : (uint16_t)(at - id->data);
	} else if (id->type != TL_ID_FQDN) {
		return;
	}
	for (uint16_t i = from; i < id->len; i++)
		id->data[i] = (uint8_t)tolower(id->data[i]);
	if (id->len > 1 && id->data[id->len - 1] == '.')
		id->data[--id->len] = 0;
}

static bool
length_fits_type(const struct tl_ident *id)
{
	switch (id->type) {
	case TL_ID_IPV4_ADDR:
		return id->len == 4;
	case TL_ID_IPV6_ADDR:
		return id->len == 16;
	case TL_ID_FQDN:
	case TL_ID_RFC822_ADDR:
	case TL_ID_DER_ASN1_DN:
	case TL_ID_KEY_ID:
		return id->len > 0 && id->len <= TL_IDENT_MAX;
	default:
		return false; /* ID_NULL and unknown types name nobody (F-39) */
	}
}

uint32_t
latch_ident_intern(struct latch_tables *t, const struct tl_ident *id)
{
	struct tl_ident c = {.type = id->type, .len = id->len};

	if (!length_fits_type(id))
		return 0;
	memcpy(c.data, id->data, id->len);
	canonical(&c);
	return intern(&t->ident, &c);
}

const struct tl_ident *
latch_ident_get(const struct latch_tables *t, uint32_t handle)
{
	return intern_get(&t->ident, handle);
}

uint32_t
latch_profile_intern(struct latch_tables *t, const struct latch_profile *p)
{
	struct profile twin = {.p = *p}, self = {.p = *p};
	struct profile *e;

	twin.p.replay |= TL_LATCH_REPLAY_ON;
	twin.out_twin = intern(&t->profile, &twin);
	e = intern_get(&t->profile, twin.out_twin);
	if (e == NULL)
		return 0;
	e->out_twin = twin.out_twin;
	self.out_twin = twin.out_twin;
	return intern(&t->profile, &self);
}

const struct profile *
profile_get(const struct latch_tables *t, uint32_t handle)
{
	return intern_get(&t->profile, handle);
}

const struct latch_profile *
latch_profile_get(const struct latch_tables *t, uint32_t handle)
{
	const struct profile *e = profile_get(t, handle);

	return e == NULL ? NULL : &e->p;
}

uint32_t
latch_tables_generation(const struct latch_tables *t)
{
	return t->generation;
}
