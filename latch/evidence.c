/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * evidence.c - certificates and keys that a key manager saw, kept out of the packet path (P-20).
 *
 * They are addressed by the SHA-256 of their content (P-22), so a key manager that restarts and
 * says the same gets the same handle (F-45). Memory is bounded: when that for certificates is full,
 * later ones are compared by their hashes as ever, but programs cannot read them (P-19); a key
 * manager that never says the same twice is refused one day. Nothing that is latched moves.
 */
#include "latch/evidence.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <openssl/evp.h>
#include <rte_jhash.h>

#include "latch/profile.h"

static const char label[] = "taglatch evidence 1";

bool
evidence_sha256(const void *bytes, size_t len, uint8_t out[LATCH_HASH_BYTES])
{
	unsigned int n = LATCH_HASH_BYTES;

	return EVP_Digest(bytes, len, out, &n, EVP_sha256(), NULL) == 1;
}

const struct evidence *
evidence_get(const struct latch_tables *t, uint32_t handle)
{
	return intern_get(&t->evidence, handle);
}

bool
evidence_has(const struct evidence *e, enum latch_ev_part part)
{
	return e->part[part].len != 0 && e->der != NULL;
}

uint32_t
evidence_sum(const void *entry, uint32_t entry_bytes)
{
	const struct evidence *e = entry;
	uint32_t len = 0;

	for (int i = 0; i < LATCH_EV_PARTS; i++)
		len += RTE_MIN(e->part[i].len, (uint32_t)LATCH_DER_MAX);
	return rte_jhash(e->der == NULL ? (const void *)"" : e->der, e->der == NULL ? 0 : len,
		rte_jhash(entry, entry_bytes, 1));
}

/* X.690: one SEQUENCE in definite form that fills its bytes. What is inside is the key manager's
 * business. */
static bool
is_der_sequence(const struct latch_der *d)
{
	uint32_t n;

	if (d->len < 2 || d->len > LATCH_DER_MAX || d->at[0] != 0x30)
		return false;
	n = d->at[1];
	if (n < 0x80)
		return d->len == n + 2;
	if (n == 0x81)
		return d->len >= 3 && d->at[2] >= 0x80 && d->len == d->at[2] + 3u;
	if (n != 0x82 || d->len < 4)
		return false;
	n = (uint32_t)d->at[2] << 8 | d->at[3];
	return n >= 0x100 && d->len == n + 4;
}

static bool
is_evidence(const struct latch_evidence *ev)
{
	bool any = false;

	if (ev->auth_class > TL_AUTH_NULL)
		return false;
	for (int i = 0; i < LATCH_EV_PARTS; i++) {
		any |= ev->part[i].len != 0;
		if (ev->part[i].len != 0 && !is_der_sequence(&ev->part[i]))
			return false;
	}
	/* A raw key is known by itself only (RFC 7670); who is not known has shown nothing. */
	if (ev->auth_class == TL_AUTH_RAW_KEY && ev->part[LATCH_EV_SPKI].len == 0)
		return false;
	return !any || ev->auth_class != TL_AUTH_UNKNOWN;
}

static uint8_t *
put_bytes(uint8_t *to, const void *bytes, uint32_t len)
{
	const uint8_t be[4] = {
		(uint8_t)(len >> 24), (uint8_t)(len >> 16), (uint8_t)(len >> 8), (uint8_t)len};

	memcpy(to, be, 4);
	if (len > 0)
		memcpy(to + 4, bytes, len);
	return to + 4 + len;
}

static bool
hash_all(const struct tl_ident *id, const struct latch_evidence *ev, uint8_t out[LATCH_HASH_BYTES])
{
	size_t room = sizeof(label) + TL_IDENT_MAX + LATCH_EV_PARTS * LATCH_DER_MAX + 64;
	uint8_t *text = malloc(room), *at;
	const uint8_t head[3] = {(uint8_t)(id->type >> 8), (uint8_t)id->type, ev->auth_class};
	bool ok;

	if (text == NULL)
		return false;
	at = put_bytes(text, label, sizeof(label) - 1);
	at = put_bytes(at, head, sizeof(head));
	at = put_bytes(at, id->data, id->len);
	for (int i = 0; i < LATCH_EV_PARTS; i++)
		at = put_bytes(at, ev->part[i].at, ev->part[i].len);
	ok = evidence_sha256(text, (size_t)(at - text), out);
	free(text);
	return ok;
}

static uint32_t
bytes_of(const struct latch_evidence *ev)
{
	uint32_t n = 0;

	for (int i = 0; i < LATCH_EV_PARTS; i++)
		n += ev->part[i].len;
	return n;
}

/* What is compared. */
static bool
hash_parts(const struct latch_evidence *ev, struct evidence *e)
{
	uint32_t at = 0;

	for (int i = 0; i < LATCH_EV_PARTS; i++) {
		struct evidence_part *p = &e->part[i];

		if (ev->part[i].len == 0)
			continue;
		p->at = at;
		p->len = ev->part[i].len;
		at += p->len;
		if (!evidence_sha256(ev->part[i].at, p->len, p->hash))
			return false;
	}
	return true;
}

/* What programs may read. */
static bool
copy_parts(const struct latch_evidence *ev, struct evidence *e)
{
	uint32_t n = bytes_of(ev);

	if (n == 0)
		return true;
	e->der = calloc(1, n + 4); /* rte_jhash() reads whole words */
	for (int i = 0; i < LATCH_EV_PARTS && e->der != NULL; i++) {
		if (ev->part[i].len != 0)
			memcpy(e->der + e->part[i].at, ev->part[i].at, ev->part[i].len);
	}
	return e->der != NULL;
}

/* The lock is held. */
static int
add(struct latch_tables *t, const struct latch_evidence *ev, struct evidence *e, uint32_t *handle)
{
	uint32_t len = bytes_of(ev);

	*handle = intern_find(&t->evidence, e->hash);
	if (*handle != 0)
		return 0;
	if (intern_next(&t->evidence) > LATCH_EVIDENCE_ENTRIES)
		return -ENOSPC;
	if (t->evidence_bytes + len > LATCH_EVIDENCE_BYTES)
		len = 0;
	if (hash_parts(ev, e) && (len == 0 || copy_parts(ev, e)))
		*handle = intern_add(&t->evidence, e);
	if (*handle == 0) {
		free(e->der);
		return -ENOMEM;
	}
	t->evidence_bytes += len;
	return 0;
}

int
latch_evidence_intern(struct latch_tables *t, uint32_t ident, const struct latch_evidence *ev,
	uint32_t *handle, uint8_t hash[LATCH_HASH_BYTES])
{
	const struct tl_ident *id = latch_ident_get(t, ident);
	struct evidence e;
	int rc;

	*handle = 0;
	memset(&e, 0, sizeof(e)); /* padding too: it is compared and summed */
	if (id == NULL || id->type == TL_ID_NONE || !is_evidence(ev))
		return -EINVAL;
	if (!hash_all(id, ev, e.hash))
		return -ENOMEM;
	memcpy(hash, e.hash, LATCH_HASH_BYTES);
	if (ev->auth_class == TL_AUTH_UNKNOWN)
		return 0;
	e.ident = ident;
	e.auth_class = ev->auth_class;
	pthread_mutex_lock(&t->lock);
	rc = add(t, ev, &e, handle);
	pthread_mutex_unlock(&t->lock);
	return rc;
}

uint32_t
latch_evidence_find(
	struct latch_tables *t, const uint8_t hash[LATCH_HASH_BYTES], uint32_t *ident, uint8_t *cls)
{
	const struct evidence *e;
	uint32_t handle;

	pthread_mutex_lock(&t->lock);
	handle = intern_find(&t->evidence, hash);
	pthread_mutex_unlock(&t->lock);
	e = evidence_get(t, handle);
	if (e == NULL)
		return 0;
	*ident = e->ident;
	*cls = (uint8_t)e->auth_class;
	return handle;
}

bool
latch_evidence_get(const struct latch_tables *t, uint32_t handle, struct latch_evidence *out,
	uint8_t hash[LATCH_HASH_BYTES])
{
	const struct evidence *e = evidence_get(t, handle);

	memset(out, 0, sizeof(*out));
	if (e == NULL)
		return false;
	out->auth_class = (uint8_t)e->auth_class;
	for (int i = 0; i < LATCH_EV_PARTS; i++) {
		if (evidence_has(e, (enum latch_ev_part)i))
			out->part[i] = (struct latch_der){
				.at = e->der + e->part[i].at, .len = e->part[i].len};
	}
	memcpy(hash, e->hash, LATCH_HASH_BYTES);
	return true;
}

/* ---- the rule (C.2, F-43, F-44) ---- */

enum same { SAME_NO, SAME_YES, SAME_NEITHER_HAS };

static enum same
same_part(const struct evidence *a, const struct evidence *b, enum latch_ev_part i)
{
	if (a->part[i].len == 0 && b->part[i].len == 0)
		return SAME_NEITHER_HAS;
	return a->part[i].len == b->part[i].len &&
			       memcmp(a->part[i].hash, b->part[i].hash, LATCH_HASH_BYTES) == 0
		       ? SAME_YES
		       : SAME_NO;
}

static bool
end_agrees(const struct latch_tables *t, uint32_t a, uint32_t b, enum tl_latch_cert_rule rule)
{
	const struct evidence *ea = evidence_get(t, a), *eb = evidence_get(t, b);
	enum same s = SAME_NEITHER_HAS;

	if (a == b)
		return true;
	if (ea == NULL || eb == NULL || ea->auth_class != eb->auth_class || ea->ident != eb->ident)
		return false;
	if (rule == TL_LATCH_CERT_EXACT)
		s = same_part(ea, eb, LATCH_EV_CERT);
	/* F-43: behind a raw key there is no anchor that could vouch for another one. */
	else if (rule == TL_LATCH_CERT_ID_TA && ea->auth_class != TL_AUTH_RAW_KEY)
		s = same_part(ea, eb, LATCH_EV_TA);
	if (s == SAME_NEITHER_HAS)
		s = same_part(ea, eb, LATCH_EV_SPKI);
	return s == SAME_YES;
}

bool
evidence_agrees(const struct latch_tables *t, const struct latch_profile *a,
	const struct latch_profile *b, enum tl_latch_cert_rule rule)
{
	return a->auth_class == b->auth_class && end_agrees(t, a->local_ev, b->local_ev, rule) &&
	       end_agrees(t, a->peer_ev, b->peer_ev, rule);
}
