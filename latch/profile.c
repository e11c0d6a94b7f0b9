/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * profile.c - interning of identities and parameter sets.
 *
 * Entries live as long as the stack (F-4): a handle that a latch, a queued packet or an application
 * remembers can never come to mean somebody else. The control context and, for identities that
 * programs name, workers add to the tables under their lock; nobody needs it to read.
 */
#include "latch/profile.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

_Static_assert(sizeof(struct latch_profile) == 36, "compared as bytes: no padding");
_Static_assert(sizeof(struct profile) == 40, "summed as bytes: no padding");

enum { CHECK_ENTRIES = 64, CHECK_EVIDENCE = 4 };

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
	pthread_mutex_init(&t->lock, NULL);
	intern_init(&t->ident, sizeof(struct tl_ident), sizeof(struct tl_ident), NULL);
	intern_init(&t->profile, sizeof(struct profile), offsetof(struct profile, out_twin), NULL);
	intern_init(&t->evidence, sizeof(struct evidence), LATCH_HASH_BYTES, evidence_sum);
	*out = t;
	return 0;
}

void
latch_tables_free(struct latch_tables *t)
{
	const struct evidence *e;

	if (t == NULL)
		return;
	for (uint32_t i = 1; (e = evidence_get(t, i)) != NULL; i++)
		free(e->der);
	intern_free(&t->ident);
	intern_free(&t->profile);
	intern_free(&t->evidence);
	pthread_mutex_destroy(&t->lock);
	free(t);
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

/* F-39: nobody is told from nobody by the IKE SA they began with; neither SPI is 0 (RFC 7296 s3.1).
 */
static bool
is_lineage(const struct tl_ident *id)
{
	static const uint8_t zero[8];

	return id->len == 16 && memcmp(id->data, zero, 8) != 0 &&
	       memcmp(id->data + 8, zero, 8) != 0;
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
	case TL_ID_NULL:
		return is_lineage(id);
	default:
		return false; /* unknown types name nobody (F-39) */
	}
}

/* As it stands in the table; false: malformed. */
static bool
canonical_of(const struct tl_ident *id, struct tl_ident *c)
{
	*c = (struct tl_ident){.type = id->type, .len = id->len};
	if (!length_fits_type(id))
		return false;
	memcpy(c->data, id->data, id->len);
	canonical(c);
	return true;
}

bool
latch_ident_find(struct latch_tables *t, const struct tl_ident *id, uint32_t *handle)
{
	struct tl_ident c;

	*handle = 0;
	if (!canonical_of(id, &c))
		return false;
	pthread_mutex_lock(&t->lock);
	*handle = intern_find(&t->ident, &c);
	pthread_mutex_unlock(&t->lock);
	return true;
}

uint32_t
latch_ident_intern(struct latch_tables *t, const struct tl_ident *id)
{
	struct tl_ident c;
	uint32_t handle;

	if (!canonical_of(id, &c))
		return 0;
	pthread_mutex_lock(&t->lock);
	handle = intern_find(&t->ident, &c);
	if (handle == 0)
		handle = intern_add(&t->ident, &c);
	pthread_mutex_unlock(&t->lock);
	return handle;
}

const struct tl_ident *
latch_ident_get(const struct latch_tables *t, uint32_t handle)
{
	return intern_get(&t->ident, handle);
}

/* The lock is held. */
static uint32_t
profile_add(struct latch_tables *t, const struct latch_profile *p)
{
	struct profile twin = {.p = *p}, self = {.p = *p};
	uint32_t handle;

	twin.p.replay |= TL_LATCH_REPLAY_ON;
	self.out_twin = intern_find(&t->profile, &twin);
	if (self.out_twin == 0) {
		twin.out_twin = intern_next(&t->profile);
		self.out_twin = intern_add(&t->profile, &twin);
	}
	if (self.out_twin == 0)
		return 0;
	handle = intern_find(&t->profile, &self);
	return handle != 0 ? handle : intern_add(&t->profile, &self);
}

uint32_t
latch_profile_intern(struct latch_tables *t, const struct latch_profile *p)
{
	uint32_t handle;

	pthread_mutex_lock(&t->lock);
	handle = profile_add(t, p);
	pthread_mutex_unlock(&t->lock);
	return handle;
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

/* ---- damage (P-21, M-3) ---- */

/* Entries [*at, *at + n) of a table; goes on, or wraps to UINT32_MAX behind its end. */
static bool
check_some(struct intern *t, uint32_t *at, uint32_t n)
{
	uint32_t last = intern_next(t);
	bool whole = true;

	for (; n > 0 && *at < last; n--, ++*at) {
		if (intern_is_whole(t, *at))
			continue;
		intern_void(t, *at);
		whole = false;
	}
	if (*at >= last)
		*at = UINT32_MAX;
	return whole;
}

bool
latch_tables_check(struct latch_tables *t, struct latch_check *c)
{
	struct intern *const table[] = {&t->ident, &t->profile, &t->evidence};
	bool whole;

	if (c->at == 0)
		c->at = 1;
	pthread_mutex_lock(&t->lock);
	whole = check_some(table[c->table], &c->at, c->table == 2 ? CHECK_EVIDENCE : CHECK_ENTRIES);
	pthread_mutex_unlock(&t->lock);
	if (c->at == UINT32_MAX) {
		c->table = (c->table + 1) % RTE_DIM(table);
		c->at = 1;
	}
	return whole;
}

uint32_t
latch_tables_generation(const struct latch_tables *t)
{
	return t->generation;
}
