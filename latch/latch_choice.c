/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * latch_choice.c - which protection a new connection gets, and which SA gives it.
 *
 * Three have a say: the policy, the program's wish, and what the peer's other connections have
 * (G-22). Whether an SA matches an existing latch is asked here too (C.1, first question).
 */
#include <errno.h>

#include "latch/latch_ctx.h"

/* REQUIRED alone asks for any protection. */
bool
wish_asks_protection(const struct latch_wish *w)
{
	const struct tl_latch_req *r;

	if (w == NULL || !w->asked)
		return false;
	r = &w->req;
	return (r->flags & (TL_LATCH_REQUIRED | TL_LATCH_UNIQUE)) != 0 || r->type != 0 ||
	       r->mode != 0 || r->replay != 0 || r->nsuite > 0 || w->local_id != 0 ||
	       w->peer_id != 0;
}

static bool
asks(const struct latch_wish *w, uint32_t flag)
{
	return w != NULL && (w->req.flags & flag) != 0;
}

/* G-22: what the other connections between the two addresses have, if that is asked for. */
static uint32_t
siblings_profile(const struct lcore *lc, const struct latch *l, const struct flow_key *k)
{
	const struct latch *other;

	if (!lc->latch->conf.same_peer && !asks(l->wish, TL_LATCH_SAME_PEER))
		return 0;
	other = latch_db_sibling(lc, l, k);
	return other == NULL ? 0 : other->profile_out;
}

static uint8_t
rule_of_wish(const struct latch_wish *w)
{
	return w == NULL ? TL_LATCH_CERT_ID_TA : w->req.cert_rule;
}

bool
choice_is_peer(const struct lcore *lc, const struct choice *c, uint32_t profile)
{
	const struct profile *like = profile_get(lc->latch->tables, c->like);
	const struct profile *p = profile_get(lc->latch->tables, profile);

	if (like == NULL)
		return true;
	return p != NULL && p->p.peer_id == like->p.peer_id &&
	       evidence_agrees(lc->latch->tables, &p->p, &like->p,
		       (enum tl_latch_cert_rule)rule_of_wish(c->wish));
}

/*
 * O-8: over DISCARD nothing may be asked; PROTECT over BYPASS by anybody, BYPASS over PROTECT by
 * the privileged (setsockopt asked for that), both only where the administrator allowed such (O-4).
 */
int
choice_make(struct lcore *lc, const struct latch *l, const struct flow_key *k, struct choice *c)
{
	const struct latch_conf *conf = &lc->latch->conf;
	const struct spd_rule *r = spd_find(lc, SPD_OUT, k);

	*c = (struct choice){.wish = l->wish, .like = siblings_profile(lc, l, k)};
	c->peer_id = c->like == 0 ? 0 : profile_get(lc->latch->tables, c->like)->p.peer_id;
	if (r == NULL || r->action == SPD_DISCARD || !pad_allows(lc, l->wish, k))
		return -EACCES;
	if (asks(l->wish, TL_LATCH_BYPASS)) {
		c->what = CHOICE_CLEAR;
		c->is_override = r->action != SPD_BYPASS;
		return c->is_override && !conf->override ? -EACCES : 0;
	}
	if (r->action == SPD_BYPASS) {
		c->is_override = wish_asks_protection(l->wish);
		c->what = c->is_override ? CHOICE_PROTECT : CHOICE_CLEAR;
		return c->is_override && !conf->optional ? -EACCES : 0;
	}
	c->what = CHOICE_PROTECT;
	c->rule = r;
	if (asks(l->wish, TL_LATCH_OFF) || (conf->no_auto && !wish_asks_protection(l->wish)))
		c->what = CHOICE_OFF;
	return 0;
}

static bool
suite_is(const struct tl_latch_suite *s, uint16_t encr, uint16_t bits, uint16_t integ)
{
	return s->encr == encr && (s->encr_bits == 0 || s->encr_bits == bits) && s->integ == integ;
}

static bool
suite_is_listed(const struct tl_latch_req *r, uint16_t encr, uint16_t bits, uint16_t integ)
{
	for (uint32_t i = 0; i < r->nsuite; i++) {
		if (suite_is(&r->suite[i], encr, bits, integ))
			return true;
	}
	return r->nsuite == 0;
}

bool
wish_fits(const struct lcore *lc, const struct latch_wish *w, const struct esp_sa_ref *sa)
{
	const struct profile *p = profile_get(lc->latch->tables, sa->profile);

	if (w == NULL || !w->asked)
		return true;
	if (p == NULL || (w->local_id != 0 && w->local_id != sa->local_id) ||
		(w->peer_id != 0 && w->peer_id != sa->peer_id))
		return false;
	if (w->req.type != 0 && (p->p.type & w->req.type) != w->req.type)
		return false;
	if (w->req.mode != TL_LATCH_MODE_ANY && w->req.mode != sa->mode)
		return false;
	if ((p->p.replay & w->req.replay) != w->req.replay)
		return false;
	/* Of a profile alone nobody knows for whom its SA was made. */
	if (asks(w, TL_LATCH_UNIQUE) && sa->gen != 0 && !sa->unique)
		return false;
	return suite_is_listed(&w->req, sa->encr, sa->encr_bits, sa->integ);
}

struct esp_sa_ref
latch_profile_sa(const struct latch_profile *p, uint32_t handle)
{
	return (struct esp_sa_ref){.profile = handle,
		.mode = p->mode,
		.encr = p->encr,
		.encr_bits = p->encr_bits,
		.integ = p->integ,
		.local_id = p->local_id,
		.peer_id = p->peer_id};
}

struct esp_sa_ref
latch_tag_sa(const struct lcore *lc, const struct tl_tag *t, const struct latch_profile *p)
{
	struct esp_sa_ref sa;

	return esp_sad_ref(lc, t, &sa) ? sa : latch_profile_sa(p, t->profile);
}

struct seek {
	const struct lcore *lc;
	const struct choice *c;
	uint32_t not_local, not_peer; /* not 0: other identities than these */
	uint32_t not_profile;         /* or other evidence than in this */
};

/* F-44: the same name from another authority is another peer. */
static bool
same_evidence(const struct seek *s, uint32_t profile)
{
	const struct profile *a = profile_get(s->lc->latch->tables, profile);
	const struct profile *b = profile_get(s->lc->latch->tables, s->not_profile);

	return a == NULL || b == NULL ||
	       evidence_agrees(s->lc->latch->tables, &a->p, &b->p,
		       (enum tl_latch_cert_rule)rule_of_wish(s->c->wish));
}

static bool
is_sought(const struct esp_sa_ref *sa, const void *arg)
{
	const struct seek *s = arg;

	if (s->c->rule != NULL && !spd_sa_fits(s->c->rule, sa))
		return false;
	if (!choice_is_peer(s->lc, s->c, sa->profile))
		return false;
	if (s->not_peer != 0 && sa->peer_id == s->not_peer && sa->local_id == s->not_local &&
		same_evidence(s, sa->profile))
		return false;
	return wish_fits(s->lc, s->c->wish, sa);
}

int
choice_find(
	struct lcore *lc, const struct choice *c, const struct flow_key *k, struct esp_sa_ref *sa)
{
	struct seek s = {.lc = lc, .c = c};
	struct esp_sa_ref other;

	if (spd_find_sa_if(lc, k, is_sought, &s, sa) != 0)
		return -ENOENT;
	if (sa->local_id == 0 || sa->peer_id == 0)
		return -EACCES; /* F-39: nobody can be latched */
	if (lc->latch->conf.open_newest)
		return 0;
	/*
	 * C-7: no latch while SAs of two peers claim the flow. DEVIATION: SAs of one peer that
	 * differ in protection only are no obstacle, or no connection could begin while a peer
	 * moves to other algorithms; the newest is taken.
	 */
	s.not_local = sa->local_id;
	s.not_peer = sa->peer_id;
	s.not_profile = sa->profile;
	return spd_find_sa_if(lc, k, is_sought, &s, &other) == 0 ? -ECONNREFUSED : 0;
}

void
choice_acquire(struct lcore *lc, const struct choice *c, const struct flow_key *k)
{
	const struct latch_wish *w = c->wish;
	struct esp_want want = {.peer_id = c->peer_id};

	if (w != NULL && w->asked) {
		want.local_id = w->local_id;
		want.peer_id = w->peer_id != 0 ? w->peer_id : c->peer_id;
		want.mode = w->req.mode;
		want.unique = asks(w, TL_LATCH_UNIQUE);
		if (w->req.nsuite > 0) {
			want.encr = w->req.suite[0].encr;
			want.encr_bits = w->req.suite[0].encr_bits;
			want.integ = w->req.suite[0].integ;
		}
	}
	esp_acquire(lc, k, c->rule == NULL ? 0 : c->rule->id, 0, &want);
}

/* Everything but the suite and the evidence. */
static bool
same_but_suite(const struct latch_profile *a, const struct latch_profile *b)
{
	return a->proto == b->proto && a->mode == b->mode && a->type == b->type &&
	       a->replay == b->replay && a->local_id == b->local_id && a->peer_id == b->peer_id &&
	       a->realm == b->realm;
}

static bool
same_suite(const struct latch_profile *a, const struct latch_profile *b)
{
	return a->encr == b->encr && a->encr_bits == b->encr_bits && a->integ == b->integ &&
	       a->icv_bits == b->icv_bits;
}

static uint8_t
rule_of(const struct latch *l)
{
	uint8_t rule = rule_of_wish(l->wish);

	/* CB-14: who was told the keys relies on them. */
	if ((l->flags & LATCH_IS_BOUND) != 0 && rule == TL_LATCH_CERT_ID_TA)
		rule = TL_LATCH_CERT_ID_SPKI;
	return rule;
}

uint8_t
latch_cert_rule(const struct lcore *lc, const struct flow_key *k)
{
	const struct flow_ent *fe = flow_find(lc, k);

	return fe == NULL ? TL_LATCH_CERT_ID_TA : rule_of(fe->latch);
}

bool
latch_evidence_agrees(const struct lcore *lc, const struct latch *l, const struct latch_profile *a,
	const struct latch_profile *b)
{
	return evidence_agrees(lc->latch->tables, a, b, (enum tl_latch_cert_rule)rule_of(l));
}

bool
latch_congruent(const struct lcore *lc, const struct latch *l, bool in, uint32_t profile)
{
	uint32_t latched = in ? l->profile_in : l->profile_out;
	const struct profile *got, *want;

	if (profile == latched || profile == (in ? l->also_in : l->also_out))
		return profile != 0;
	got = profile_get(lc->latch->tables, profile);
	want = profile_get(lc->latch->tables, latched);
	if (got == NULL || want == NULL || !same_but_suite(&got->p, &want->p) ||
		!latch_evidence_agrees(lc, l, &got->p, &want->p))
		return false;
	if (same_suite(&got->p, &want->p))
		return true;
	return asks(l->wish, TL_LATCH_SET_OK) && l->wish->req.nsuite >= 2 &&
	       suite_is_listed(&l->wish->req, got->p.encr, got->p.encr_bits, got->p.integ);
}
