/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * latch_dgram.c - tags of datagrams that no connection owns (RFC 5660 s2.4 at its end, s5.3).
 *
 * Inbound, ESP's tag becomes a handle that the program sees; outbound, a handle that the program
 * gives becomes the request tag of one datagram. Behind a handle stands a profile: the peer and the
 * protection, whatever SA gives it now. So it holds no SA and stays good over rekeys (D-13), and
 * one of another run is found out by its generation.
 */
#include <errno.h>

#include "latch/latch_ctx.h"

enum { GENERATION_SHIFT = 32 };

uint32_t
latch_dgram_profile(const struct lcore *lc, const struct rte_mbuf *m)
{
	return pkt_is_tagged(lc, m) ? pkt_tag(lc, m)->profile : 0;
}

uint64_t
latch_dgram_handle(const struct lcore *lc, uint32_t profile)
{
	if (profile == 0)
		return 0;
	return (uint64_t)latch_tables_generation(lc->latch->tables) << GENERATION_SHIFT | profile;
}

/* The profile of a tag, NULL for clear. Returns 0, -EINVAL or -ESTALE. */
static int
profile_of(const struct lcore *lc, const struct tl_dgram_tag *tag, const struct profile **out)
{
	const struct profile *p;

	*out = NULL;
	if ((tag->flags & ~(uint32_t)(TL_TAG_PROTECTED | TL_TAG_NATT | TL_TAG_REQUIRE)) != 0 ||
		tag->reserved != 0)
		return -EINVAL;
	if (tag->handle == 0)
		return 0;
	if (tag->handle >> GENERATION_SHIFT != latch_tables_generation(lc->latch->tables))
		return -ESTALE;
	p = profile_get(lc->latch->tables, (uint32_t)tag->handle);
	/* A place that nobody has used yet is zero. */
	if (p == NULL || p->out_twin == 0)
		return -ESTALE;
	*out = p;
	return 0;
}

enum drop_reason
latch_dgram_check(struct lcore *lc, const struct latch *l, const struct rte_mbuf *m)
{
	uint32_t handle = latch_dgram_profile(lc, m);
	const struct profile *p = profile_get(lc->latch->tables, handle);
	struct esp_sa_ref sa;

	if (l->wish == NULL || !l->wish->asked)
		return DROP_NONE;
	if (p == NULL)
		return wish_asks_protection(l->wish) ? DROP_LATCH_REQUEST : DROP_NONE;
	sa = latch_profile_sa(&p->p, handle);
	if ((l->wish->req.flags & TL_LATCH_BYPASS) != 0 || !wish_fits(lc, l->wish, &sa))
		return DROP_LATCH_REQUEST;
	return DROP_NONE;
}

bool
latch_dgram_fits(const struct lcore *lc, const struct latch *l, uint32_t profile)
{
	if ((l->flags & LATCH_IS_OFF) != 0)
		return true;
	if (l->state == TL_LATCH_NONE)
		return profile == 0;
	return l->state == TL_LATCH_ESTABLISHED && latch_congruent(lc, l, true, profile);
}

/* ---- what leaves ---- */

static void
stamp_sa(struct lcore *lc, struct rte_mbuf *m, const struct esp_sa_ref *sa)
{
	pkt_tag_set(lc, m,
		(struct tl_tag){
			.sad_index = sa->index, .sad_gen = sa->gen, .profile = sa->profile});
}

/* Good for the policy of this moment only: were it to change, the datagram would be dropped. */
static void
stamp_bypass(struct lcore *lc, struct rte_mbuf *m)
{
	pkt_tag_set(lc, m, (struct tl_tag){.sad_index = TAG_BYPASS, .sad_gen = spd_version(lc)});
}

/* O-8, F-79: clear over PROTECT needs the administrator's leave and the privilege. */
static int
ask_clear(struct lcore *lc, const struct spd_rule *r, struct rte_mbuf *m)
{
	if (r->action != SPD_BYPASS && !latch_is_privileged(lc))
		return -EPERM;
	if (r->action != SPD_BYPASS && !lc->latch->conf.override)
		return -EACCES;
	stamp_bypass(lc, m);
	return 0;
}

/* O-3, O-8: the protection of the tag must be what the policy asks for, or, over BYPASS, more than
 * it asks for where the administrator allows that. */
static int
policy_allows(const struct lcore *lc, const struct spd_rule *r, const struct profile *p)
{
	struct esp_sa_ref as = latch_profile_sa(&p->p, p->out_twin);

	if (r->action == SPD_BYPASS)
		return lc->latch->conf.optional ? 0 : -EACCES;
	if ((r->peer_id != 0 && r->peer_id != p->p.peer_id) ||
		(r->local_id != 0 && r->local_id != p->p.local_id))
		return -EPERM;
	return spd_sa_fits(r, &as) ? 0 : -EACCES;
}

struct like {
	const struct spd_rule *rule;
	uint32_t profile;
};

static bool
is_like(const struct esp_sa_ref *sa, const void *arg)
{
	const struct like *w = arg;

	return sa->profile == w->profile &&
	       (w->rule->action != SPD_PROTECT || spd_sa_fits(w->rule, sa));
}

/* D-12: the same peer and quality, or an error. */
static int
ask_profile(struct lcore *lc, const struct flow_key *k, const struct spd_rule *r,
	const struct profile *p, struct rte_mbuf *m)
{
	struct like like = {.rule = r, .profile = p->out_twin};
	int rc = policy_allows(lc, r, p);
	struct esp_sa_ref sa;

	if (rc != 0)
		return rc;
	if (spd_find_sa_if(lc, k, is_like, &like, &sa) == 0) {
		stamp_sa(lc, m, &sa);
		return 0;
	}
	if (esp_sad_is_elsewhere(lc, p->out_twin, k))
		return -EPERM;
	esp_acquire(lc, k, r->id, p->out_twin, NULL);
	return -EHOSTUNREACH;
}

/* The socket's own wish is obeyed too: a tag may come from another socket. */
static bool
wish_allows(const struct lcore *lc, const struct latch *l, const struct profile *p)
{
	struct esp_sa_ref as;

	if (p == NULL)
		return !wish_asks_protection(l->wish);
	as = latch_profile_sa(&p->p, p->out_twin);
	return l->wish == NULL ||
	       ((l->wish->req.flags & TL_LATCH_BYPASS) == 0 && wish_fits(lc, l->wish, &as));
}

static int
ask_tag(struct lcore *lc, const struct latch *l, const struct flow_key *k,
	const struct tl_dgram_tag *tag, struct rte_mbuf *m)
{
	const struct spd_rule *r = spd_find(lc, SPD_OUT, k);
	const struct profile *p;
	int rc = profile_of(lc, tag, &p);

	if (rc != 0)
		return rc;
	if (r == NULL || r->action == SPD_DISCARD)
		return -EACCES;
	if (!wish_allows(lc, l, p))
		return -EPERM;
	return p == NULL ? ask_clear(lc, r, m) : ask_profile(lc, k, r, p, m);
}

/* What the socket wishes of every datagram. */
static int
ask_wish(struct lcore *lc, const struct latch *l, const struct flow_key *k, struct rte_mbuf *m)
{
	struct esp_sa_ref sa;
	struct choice c;
	int rc = choice_make(lc, l, k, &c);

	if (rc != 0 || c.what == CHOICE_OFF)
		return rc;
	if (c.what == CHOICE_CLEAR) {
		stamp_bypass(lc, m);
		return 0;
	}
	rc = choice_find(lc, &c, k, &sa);
	if (rc == 0)
		stamp_sa(lc, m, &sa);
	if (rc != -ENOENT)
		return rc;
	choice_acquire(lc, &c, k);
	return -EHOSTUNREACH;
}

int
latch_dgram_stamp(struct lcore *lc, const struct latch *l, const struct flow_key *k,
	const struct tl_dgram_tag *tag, struct rte_mbuf *m)
{
	pkt_tag_clear(lc, m);
	if (tag != NULL)
		return ask_tag(lc, l, k, tag, m);
	return l->wish != NULL && l->wish->asked ? ask_wish(lc, l, k, m) : 0;
}

int
latch_dgram_agrees(const struct lcore *lc, const struct latch *l, const struct tl_dgram_tag *tag)
{
	const struct profile *p;
	int rc = profile_of(lc, tag, &p);

	if (rc != 0)
		return rc;
	if (p == NULL)
		return l->state == TL_LATCH_NONE && (l->flags & LATCH_IS_OFF) == 0 ? 0 : -EPERM;
	return l->profile_out != 0 && latch_congruent(lc, l, false, p->out_twin) ? 0 : -EPERM;
}

bool
latch_dgram_is_wanted(struct lcore *lc, const struct latch *l, const struct flow_key *k)
{
	struct choice c;
	int rc = choice_make(lc, l, k, &c);

	return rc == 0 ? c.what == CHOICE_PROTECT : wish_asks_protection(l->wish);
}

bool
latch_dgram_may_follow(const struct lcore *lc, const struct latch *l, uint32_t before)
{
	const struct profile *was = profile_get(lc->latch->tables, before);
	const struct profile *is = profile_get(lc->latch->tables, l->profile_out);
	bool same = lc->latch->conf.same_peer ||
		    (l->wish != NULL && (l->wish->req.flags & TL_LATCH_SAME_PEER) != 0);

	return !same || was == NULL ||
	       (is != NULL && is->p.peer_id == was->p.peer_id &&
		       latch_evidence_agrees(lc, l, &is->p, &was->p));
}
