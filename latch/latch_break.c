/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * latch_break.c - latches that end by an act from outside: a policy edit, the administrator.
 *
 * The owner hears of it in the same call, so before anything that its worker does next (S-5).
 */
#include "esp/esp.h"
#include "latch/latch_ctx.h"
#include "latch/profile.h"

/* Whether a rule asks for what the latch has, in one direction. */
static bool
rule_agrees(const struct lcore *lc, const struct spd_rule *r, uint32_t profile)
{
	const struct profile *p = profile_get(lc->latch->tables, profile);
	struct esp_sa_ref sa;

	if (r == NULL)
		return false;
	if (p == NULL)
		return r->action == SPD_BYPASS;
	sa = (struct esp_sa_ref){.mode = p->p.mode,
		.encr = p->p.encr,
		.encr_bits = p->p.encr_bits,
		.integ = p->p.integ,
		.local_id = p->p.local_id,
		.peer_id = p->p.peer_id};
	return r->action == SPD_PROTECT && spd_sa_fits(r, &sa);
}

static bool
policy_agrees(const struct lcore *lc, const struct spd *s, const struct latch *l,
	const struct flow_key *k)
{
	return rule_agrees(lc, spd_rule_of(s, SPD_OUT, k), l->profile_out) &&
	       rule_agrees(lc, spd_rule_of(s, SPD_IN, k), l->profile_in);
}

struct edit {
	const struct spd *former, *next;
	uint32_t n;
};

static void
judge_edit(struct lcore *lc, struct latch *l, const struct flow_key *k, void *arg)
{
	struct edit *e = arg;

	/* An edit of something else is no conflict, whatever an older edit was. */
	if (policy_agrees(lc, e->next, l, k) || !policy_agrees(lc, e->former, l, k))
		return;
	e->n++;
	latch_end(lc, l, TL_LATCH_SPD_CHANGE);
	latch_alert(lc, l, k);
}

uint32_t
latch_policy_edit(struct lcore *lc, const struct spd *next)
{
	struct edit e = {.former = spd_installed(lc), .next = next};

	if (lc->latch->conf.spd_break && e.former != NULL)
		latch_foreach(lc, judge_edit, &e);
	return e.n;
}

static bool
is_of_peer(const struct lcore *lc, const struct latch *l, uint32_t peer_id)
{
	const struct profile *p = profile_get(lc->latch->tables, l->profile_in);

	return p != NULL && p->p.peer_id == peer_id;
}

struct admin {
	const struct latch_filter *f;
	uint32_t n;
};

static void
admin_visit(struct lcore *lc, struct latch *l, const struct flow_key *k, void *arg)
{
	struct admin *a = arg;

	if (l->state != TL_LATCH_ESTABLISHED)
		return; /* of clear connections there is nothing to break */
	if (a->f->handle != 0 && latch_by_handle(lc, a->f->handle) != l)
		return;
	if (a->f->peer_id != 0 && !is_of_peer(lc, l, a->f->peer_id))
		return;
	a->n++;
	latch_end(lc, l, TL_LATCH_ADMIN);
	latch_alert(lc, l, k);
}

uint32_t
latch_admin_break(struct lcore *lc, const struct latch_filter *f)
{
	struct admin a = {.f = f};

	latch_foreach(lc, admin_visit, &a);
	return a.n;
}
