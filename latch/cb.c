/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * cb.c - channel binding (RFC 5056) to a latched connection, and what else a program may know of
 * the keys behind it.
 *
 * The binding is of the end-point kind: SHA-256 over a label and both public keys, each with its
 * length in 4 bytes, the smaller encoding first, so that both ends get the same octets whoever
 * began (G-27). It holds nothing secret (CB-7), is the same for all connections of two hosts
 * (CB-11) and follows from the profile, which never changes: so it is frozen (CB-14). IPsec
 * processing that nests is not here; the SA of the latch is the innermost (CB-9).
 */
#include <errno.h>
#include <string.h>

#include "latch/latch_ctx.h"

static const char prefix[] = "x-ipsec-end-point-sha256:"; /* CB-4; private, not registered */

enum { PREFIX = sizeof(prefix) - 1, LABEL = PREFIX - 1 };

int
latch_get_der(
	struct lcore *lc, const struct latch *l, enum latch_ev_part part, void *val, socklen_t *len)
{
	const struct profile *p = profile_get(lc->latch->tables, l->profile_in);
	const struct evidence *e;

	if (p == NULL)
		return -ENOTCONN;
	e = evidence_get(lc->latch->tables, p->p.peer_ev);
	/* P-19: the key manager has it, or nobody. */
	if (e == NULL || !evidence_has(e, part))
		return -EAGAIN;
	return latch_give(e->der + e->part[part].at, e->part[part].len, val, len);
}

void
latch_put_evidence(struct lcore *lc, const struct latch_profile *p, struct tl_latch_info *i)
{
	const struct evidence *e = evidence_get(lc->latch->tables, p->peer_ev);

	i->auth_class = p->auth_class;
	if (e != NULL)
		memcpy(i->peer_fpr, e->part[LATCH_EV_SPKI].hash, sizeof(i->peer_fpr));
}

/* CB-5, CB-6: only keys that signed the negotiation are bound into the channel. */
static int
signed_key(const struct evidence *e, struct latch_der *out)
{
	if (e == NULL || (e->auth_class != TL_AUTH_CERT && e->auth_class != TL_AUTH_RAW_KEY))
		return -EOPNOTSUPP;
	if (!evidence_has(e, LATCH_EV_SPKI))
		return -EAGAIN;
	*out = (struct latch_der){
		.at = e->der + e->part[LATCH_EV_SPKI].at, .len = e->part[LATCH_EV_SPKI].len};
	return 0;
}

static bool
comes_first(const struct latch_der *a, const struct latch_der *b)
{
	int c = memcmp(a->at, b->at, RTE_MIN(a->len, b->len));

	return c != 0 ? c < 0 : a->len <= b->len;
}

static size_t
put_key(uint8_t *to, const struct latch_der *d)
{
	rte_be32_t len = rte_cpu_to_be_32(d->len);

	memcpy(to, &len, 4);
	memcpy(to + 4, d->at, d->len);
	return 4 + d->len;
}

static bool
digest(const struct latch_der *a, const struct latch_der *b, uint8_t out[LATCH_HASH_BYTES])
{
	uint8_t text[LABEL + 2 * (4 + LATCH_DER_MAX)];
	bool swap = !comes_first(a, b);
	size_t n = LABEL;

	memcpy(text, prefix, LABEL);
	n += put_key(text + n, swap ? b : a);
	n += put_key(text + n, swap ? a : b);
	return evidence_sha256(text, n, out);
}

/* G.1 (3): a latch that took another key of its peer by then has nothing to bind to. */
static bool
keys_changed(const struct lcore *lc, const struct latch *l)
{
	struct latch bound = *l;

	bound.flags |= LATCH_IS_BOUND;
	bound.also_in = bound.also_out = 0; /* they were judged by the former rule */
	return (l->also_in != 0 && !latch_congruent(lc, &bound, true, l->also_in)) ||
	       (l->also_out != 0 && !latch_congruent(lc, &bound, false, l->also_out));
}

static int
hold_keys(struct lcore *lc, struct latch *l)
{
	if ((l->flags & LATCH_IS_BOUND) != 0)
		return 0;
	if (keys_changed(lc, l))
		return -EOPNOTSUPP;
	l->flags |= LATCH_IS_BOUND;
	return 0;
}

int
latch_get_cb(struct lcore *lc, struct latch *l, void *val, socklen_t *len)
{
	const struct profile *p = profile_get(lc->latch->tables, l->profile_in);
	uint8_t out[PREFIX + LATCH_HASH_BYTES];
	struct latch_der local, peer;
	int rc;

	if (l->state == TL_LATCH_BROKEN || l->state == TL_LATCH_CLOSED)
		return -TL_ELATCHBROKEN; /* CB-12 */
	if (p == NULL || l->state != TL_LATCH_ESTABLISHED)
		return -ENOTCONN; /* CB-1 */
	rc = signed_key(evidence_get(lc->latch->tables, p->p.peer_ev), &peer);
	if (rc == 0)
		rc = signed_key(evidence_get(lc->latch->tables, p->p.local_ev), &local);
	if (rc != 0)
		return rc;
	memcpy(out, prefix, PREFIX);
	if (!digest(&local, &peer, out + PREFIX))
		return -ENOMEM;
	if (*len >= sizeof(out))
		rc = hold_keys(lc, l);
	return rc != 0 ? rc : latch_give(out, sizeof(out), val, len);
}
