/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * latch_in.c - the verdict: the one place that compares what protected a packet with what must.
 *
 * Called by rx_path() after the last decapsulation and before every transport. It does the one
 * flow lookup of a packet. The owner's latch judges (C.5); without an owner the policy does
 * (RFC 4301 s5.2). RFC 9293 has its own security check as the third step of s3.10.7.4, after the
 * sequence number and the RST; ours comes first, so that a wrongly protected segment draws no
 * answer and changes nothing (F-15).
 */
#include "latch/latch_ctx.h"

struct judgment {
	enum pkt_verdict verdict;
	enum drop_reason drop;
	enum tl_latch_reason reason;
};

static const struct judgment accept_it = {.verdict = VERDICT_ACCEPT};

static struct judgment
drop_it(enum drop_reason r)
{
	return (struct judgment){.verdict = VERDICT_DROP, .drop = r};
}

static struct judgment
break_or_drop(bool drop, enum tl_latch_reason why, enum drop_reason r)
{
	if (drop)
		return drop_it(r);
	return (struct judgment){.verdict = VERDICT_BREAK, .reason = why};
}

static bool
same_identities(const struct latch_profile *a, const struct latch_profile *b)
{
	return a->local_id == b->local_id && a->peer_id == b->peer_id;
}

static bool
drops_qop(const struct lcore *lc, const struct latch *l)
{
	uint8_t asked = l->wish == NULL ? TL_LATCH_QOP_DEFAULT : l->wish->disp.on_qop;

	return asked == TL_LATCH_QOP_DEFAULT ? lc->latch->conf.m2_drop : asked == TL_LATCH_QOP_DROP;
}

/* F-29: behind one NAT two peers may have one 5-tuple; neither ends the other's connection. */
bool
latch_drops_peer(const struct lcore *lc, const struct latch *l)
{
	return lc->latch->conf.m3 == LATCH_M3_DROP || (l->flags & LATCH_IS_NATT) != 0;
}

/* The tag differs from the latch: which class of C.3 is it? */
static struct judgment
classify(struct lcore *lc, struct latch *l, const struct tl_tag *t, bool again)
{
	const struct profile *got = profile_get(lc->latch->tables, t->profile);
	const struct profile *want = profile_get(lc->latch->tables, l->profile_in);

	if (latch_congruent(lc, l, true, t->profile)) {
		l->also_in = t->profile;
		return accept_it;
	}
	if (got == NULL || got->p.local_id == 0 || got->p.peer_id == 0) {
		l->drop_unknown++;
		latch_audit(lc, l, AUDIT_UNKNOWN, t->profile, t->sad_index);
		return drop_it(DROP_LATCH_M5);
	}
	if (same_identities(&got->p, &want->p) && latch_evidence_agrees(lc, l, &got->p, &want->p)) {
		l->drop_qop += !again;
		latch_audit(lc, l, AUDIT_QOP, t->profile, t->sad_index);
		return break_or_drop(drops_qop(lc, l), TL_LATCH_QOP_CONFLICT, DROP_LATCH_M2);
	}
	l->drop_peer += !again;
	latch_audit(lc, l, AUDIT_PEER, t->profile, t->sad_index);
	return break_or_drop(latch_drops_peer(lc, l), TL_LATCH_PEER_CONFLICT, DROP_LATCH_M3);
}

/* S-9: a clear connection asks the policy again when it changed, in this direction too. */
static struct judgment
by_clear_latch(struct lcore *lc, struct latch *l, const struct rte_mbuf *m)
{
	const struct spd_rule *r;

	if (pkt_is_tagged(lc, m))
		return drop_it(DROP_LATCH_M6);
	if (likely(l->spd_version_in == spd_version(lc)) || (l->flags & LATCH_IS_OVERRIDE) != 0)
		return accept_it;
	r = spd_find(lc, SPD_IN, &pkt_meta(m)->key);
	if (r == NULL || r->action != SPD_BYPASS)
		return drop_it(r == NULL || r->action == SPD_DISCARD ? DROP_SPD_DISCARD_IN
								     : DROP_SPD_CLEAR);
	l->spd_version_in = spd_version(lc);
	return accept_it;
}

/* Only what would break the latch prolongs its break. */
static void
note_bad(struct lcore *lc, struct latch *l, const struct tl_tag *t)
{
	if (classify(lc, l, t, true).verdict == VERDICT_BREAK)
		l->bad_ns = lc->now_ns;
}

/* B.4: nothing is taken while the conflict lasts; a congruent packet may be the end of it. */
static struct judgment
by_broken_latch(struct lcore *lc, struct latch *l, const struct rte_mbuf *m)
{
	if (pkt_is_tagged(lc, m) && l->profile_in != 0) {
		if (!latch_congruent(lc, l, true, pkt_tag(lc, m)->profile))
			note_bad(lc, l, pkt_tag(lc, m));
		else if (latch_restore(lc, l, &pkt_meta(m)->key)) {
			latch_alert(lc, l, LATCH_ACT_GO);
			return accept_it;
		}
	}
	return drop_it(DROP_LATCH_BROKEN);
}

static struct judgment
by_established_latch(struct lcore *lc, struct latch *l, const struct rte_mbuf *m, bool again)
{
	if (!pkt_is_tagged(lc, m)) {
		/* R s5.5, s6.5: clear never breaks, or every sender would hold a reset button. */
		l->drop_clear++;
		latch_audit(lc, l, AUDIT_CLEAR, 0, UINT32_MAX);
		return drop_it(DROP_LATCH_M0);
	}
#ifdef LATCH_NO_COMPARE /* the bench's second copy of this file, in no library */
	return accept_it;
#endif
	if (likely(pkt_tag(lc, m)->profile == l->profile_in))
		return accept_it;
	return classify(lc, l, pkt_tag(lc, m), again);
}

/* O-2, O-5: a privileged listener takes clear connections whatever the policy says. */
static bool
has_open_listener(const struct lcore *lc, const struct flow_key *to)
{
	const struct latch_ctx *c = lc->latch;

	for (uint32_t i = 0; i < c->nb_open; i++) {
		const struct flow_key *k = latch_key(lc, c->open[i]);

		if (k->lport == to->lport && k->proto == to->proto &&
			(ip_addr_is_any(&k->local) || ip_addr_eq(&k->local, &to->local)))
			return true;
	}
	return false;
}

/* RFC 4301 s5.2 step 3b for clear packets; a protected one was checked against the selectors of
 * its SA already (step 4), so here the SA must only be what the policy asks for. */
static struct judgment
by_policy(struct lcore *lc, const struct rte_mbuf *m)
{
	const struct spd_rule *r = spd_find(lc, SPD_IN, &pkt_meta(m)->key);
	const struct latch_profile *p;
	struct esp_sa_ref sa;

	if (r == NULL || r->action == SPD_DISCARD)
		return drop_it(DROP_SPD_DISCARD_IN);
	if (!pkt_is_tagged(lc, m))
		return r->action == SPD_BYPASS || has_open_listener(lc, &pkt_meta(m)->key)
			       ? accept_it
			       : drop_it(DROP_SPD_CLEAR);
	p = latch_profile_get(lc->latch->tables, pkt_tag(lc, m)->profile);
	if (p == NULL || p->local_id == 0 || p->peer_id == 0)
		return drop_it(DROP_LATCH_M5);
	if (r->action == SPD_BYPASS)
		return accept_it;
	sa = latch_tag_sa(lc, pkt_tag(lc, m), p);
	return spd_sa_fits(r, &sa) ? accept_it : drop_it(DROP_SPD_PROTECTION);
}

static struct judgment
by_latch(struct lcore *lc, struct latch *l, const struct rte_mbuf *m, bool again)
{
	switch (l->state) {
	case TL_LATCH_ESTABLISHED:
		return by_established_latch(lc, l, m, again);
	case TL_LATCH_NONE:
		return (l->flags & LATCH_IS_OFF) != 0 ? by_policy(lc, m) : by_clear_latch(lc, l, m);
	case TL_LATCH_BROKEN:
	case TL_LATCH_WANTED: /* G-13: nothing is accepted before there is a latch */
		return by_broken_latch(lc, l, m);
	default:
		return drop_it(DROP_LATCH_CLOSED);
	}
}

/* Sets verdict and owner; returns false if the packet was dropped. last: the owner of the packet
 * before, which owns this one too more often than not. */
static bool
judge(struct lcore *lc, struct rte_mbuf *m, struct flow_ent *last)
{
	struct pkt_meta *pm = pkt_meta(m);
	/* Only compared: the entry itself may be gone. */
	const struct flow_ent *counted = pm->verdict == VERDICT_BREAK ? pm->flow : NULL;
	struct judgment j;

	/* F-1: what waited for reassembly is asked once more about its SA. */
	if (unlikely((pm->flags & PKT_F_REASS) != 0) && !latch_is_current(lc, m)) {
		pkt_drop(lc, m, DROP_ESP_STALE);
		return false;
	}
	pm->flow = last != NULL && last->linked && flow_key_eq(&last->key, &pm->key)
			   ? last
			   : flow_find(lc, &pm->key);
	j = pm->flow != NULL ? by_latch(lc, pm->flow->latch, m, pm->flow == counted)
			     : by_policy(lc, m);
	pm->verdict = (uint8_t)j.verdict;
	pm->reason = (uint8_t)j.reason;
	if (j.verdict != VERDICT_DROP)
		return true;
	pkt_drop(lc, m, j.drop);
	return false;
}

void
latch_in(struct lcore *lc, struct pkt_sort *s)
{
	for (enum pkt_next nx = NX_TCP; nx < NX_MAX; nx++) {
		struct pkt_vec *v = &s->v[nx];
		struct flow_ent *last = NULL;
		uint32_t kept = 0;

		for (uint32_t i = 0; i < v->n; i++) {
			if (!judge(lc, v->m[i], last))
				continue;
			last = pkt_meta(v->m[i])->flow;
			v->m[kept++] = v->m[i];
		}
		v->n = kept;
	}
	lc->latch->flow_version = lc->flow->version;
	lc->latch->stale = false;
}

bool
latch_holds(const struct lcore *lc)
{
	return likely(lc->latch->flow_version == lc->flow->version && !lc->latch->stale);
}

bool
latch_recheck(struct lcore *lc, struct rte_mbuf *m)
{
	if (latch_holds(lc))
		return true;
	return judge(lc, m, NULL);
}
