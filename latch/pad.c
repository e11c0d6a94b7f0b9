/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * pad.c - the peer authorization database (RFC 4301 s4.4.3): which identity may claim which
 * addresses, and how it must have been authenticated.
 *
 * One is built for all workers, is never changed, and replaced like the policy. While there is none
 * everybody may claim everything; an empty one lets nobody. An identity that has an entry of its
 * own is judged by that alone; the entry without one, leap of faith (RFC 5386 s2), comes last.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "latch/latch_ctx.h"

struct latch_pad {
	uint32_t n;
	struct latch_pad_entry entry[];
};

static bool
overlap(const struct latch_pad_net *a, const struct latch_pad_net *b)
{
	return ip_addr_cmp(&a->lo, &b->hi) <= 0 && ip_addr_cmp(&b->lo, &a->hi) <= 0;
}

/* F-47: nobody may take the address of a named peer by being unknown. */
static const struct latch_pad_entry *
shadowed(const struct latch_pad_entry *leap, const struct latch_pad_entry *e, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		if (e[i].leap)
			continue;
		if (e[i].nb_nets == 0 || leap->nb_nets == 0)
			return &e[i];
		for (uint32_t a = 0; a < leap->nb_nets; a++) {
			for (uint32_t b = 0; b < e[i].nb_nets; b++) {
				if (overlap(&leap->net[a], &e[i].net[b]))
					return &e[i];
			}
		}
	}
	return NULL;
}

static const char *
check(const struct latch_pad_entry *e, uint32_t n, uint32_t at, const struct latch_pad_entry **with)
{
	*with = NULL;
	if (e[at].leap == (e[at].ident != 0))
		return "expected a key \"identity\", or leap-of-faith = yes without one";
	for (uint32_t i = 0; i < at; i++) {
		*with = &e[i];
		if (strcmp(e[i].name, e[at].name) == 0)
			return "a peer of this name exists";
		if (e[i].leap && e[at].leap)
			return "expected one leap of faith; there is another";
		if (e[i].ident == e[at].ident && !e[at].leap)
			return "another peer has this identity";
	}
	*with = e[at].leap ? shadowed(&e[at], e, n) : NULL;
	return *with != NULL ? "its networks overlap those of a named peer (RFC 5386 s4)" : NULL;
}

int
latch_pad_build(const struct latch_pad_entry *e, uint32_t n, struct latch_pad **out,
	struct latch_pad_fault *f)
{
	struct latch_pad *p = calloc(1, sizeof(*p) + n * sizeof(*e));

	*f = (struct latch_pad_fault){.why = "out of memory"};
	if (p == NULL)
		return -ENOMEM;
	for (uint32_t i = 0; i < n; i++) {
		f->entry = &e[i];
		f->why = check(e, n, i, &f->with);
		if (f->why != NULL) {
			free(p);
			return -EINVAL;
		}
	}
	p->n = n;
	if (n > 0)
		memcpy(p->entry, e, n * sizeof(*e));
	*out = p;
	return 0;
}

void
latch_pad_free(struct latch_pad *p)
{
	free(p);
}

/* Whose entry judges an identity; NULL: nobody's. */
static const struct latch_pad_entry *
entry_of(const struct latch_pad *p, uint32_t ident)
{
	const struct latch_pad_entry *leap = NULL;

	for (uint32_t i = 0; i < p->n && ident != 0; i++) {
		if (p->entry[i].ident == ident)
			return &p->entry[i];
		if (p->entry[i].leap)
			leap = &p->entry[i];
	}
	return leap;
}

/* IPv4 addresses lie within IPv6's, as numbers: a network of the one is no leave for the other. */
static bool
holds(const struct latch_pad_net *net, const struct latch_pad_net *r)
{
	static const struct latch_pad_net v4 = {.lo = {.w = {0, 0, RTE_BE32(0xffff), 0}},
		.hi = {.w = {0, 0, RTE_BE32(0xffff), RTE_BE32(UINT32_MAX)}}};

	if (overlap(&v4, r) && !ip_addr_is_v4(&net->lo))
		return false;
	return ip_addr_cmp(&net->lo, &r->lo) <= 0 && ip_addr_cmp(&r->hi, &net->hi) <= 0;
}

static bool
has_net(const struct latch_pad_entry *e, const struct latch_pad_net *r)
{
	for (uint32_t i = 0; i < e->nb_nets; i++) {
		if (holds(&e->net[i], r))
			return true;
	}
	return e->nb_nets == 0;
}

enum latch_pad_verdict
latch_pad_judge(const struct latch_pad *p, const struct latch_pad_claim *c,
	const struct latch_pad_entry **by)
{
	const struct latch_pad_entry *e;

	*by = NULL;
	if (p == NULL)
		return LATCH_PAD_OK;
	*by = e = entry_of(p, c->ident);
	if (e == NULL)
		return LATCH_PAD_UNKNOWN;
	if (c->auth_class != LATCH_PAD_ANY_CLASS && e->classes != 0 &&
		(e->classes >> c->auth_class & 1) == 0)
		return LATCH_PAD_CLASS;
	return has_net(e, &c->remote) ? LATCH_PAD_OK : LATCH_PAD_ADDRESS;
}

bool
pad_allows(const struct lcore *lc, const struct latch_wish *w, const struct flow_key *k)
{
	struct latch_pad_claim c = {
		.auth_class = LATCH_PAD_ANY_CLASS, .remote = {k->remote, k->remote}};
	const struct latch_pad_entry *by;

	if (lc->latch->pad == NULL || w == NULL || w->peer_id == 0)
		return true;
	c.ident = w->peer_id;
	return latch_pad_judge(lc->latch->pad, &c, &by) == LATCH_PAD_OK;
}

const char *
pad_entry_name(const struct lcore *lc, uint32_t ident)
{
	const struct latch_pad_entry *e =
		lc->latch->pad == NULL ? NULL : entry_of(lc->latch->pad, ident);

	return e == NULL ? "none" : e->name;
}

/* ---- revocation (F-82) ---- */

struct revocation {
	const struct latch_pad *former;
	const struct latch_pad_entry *gone;
	uint32_t n;
};

static void
revoke(struct lcore *lc, struct latch *l, const struct flow_key *k, void *arg)
{
	const struct profile *p = profile_get(lc->latch->tables, l->profile_in);
	struct revocation *r = arg;
	uint32_t ident = p != NULL ? p->p.peer_id : l->wish != NULL ? l->wish->peer_id : 0;
	const struct latch_pad_entry *e = entry_of(r->former, ident);

	(void)k;
	if (l->state == TL_LATCH_NONE || l->state == TL_LATCH_LISTENER ||
		l->state == TL_LATCH_CLOSED || e == NULL || strcmp(e->name, r->gone->name) != 0)
		return;
	r->n++;
	latch_step(lc, l, STEP_END, TL_LATCH_PAD_CHANGE);
	latch_audit(lc, l, AUDIT_ADMIN, l->profile_in, UINT32_MAX);
	latch_alert(lc, l, LATCH_ACT_RESET);
}

uint32_t
latch_pad_install(struct lcore *lc, const struct latch_pad *p, const struct latch_pad_entry *gone)
{
	struct revocation r = {.former = lc->latch->pad, .gone = gone};

	lc->latch->pad = p;
	if (gone != NULL && r.former != NULL)
		latch_foreach(lc, revoke, &r);
	return r.n;
}
