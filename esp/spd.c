/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * spd.c - policy: the ordered rules of RFC 4301 s4.4.1, and the choice of an outbound SA.
 *
 * spd_out() is the first stage of tx_path(). A packet of a latched connection carries its request
 * tag and is not looked up in the policy at all (RFC 5660 s2.4, P-11); the rest asks the rules.
 */
#include <errno.h>
#include <stdlib.h>

#include "esp/sa.h"
#include "stack/base/msg.h"

int
spd_set(struct lcore *lc, const struct spd_rule *rules, uint32_t n)
{
	struct spd_rule *copy = NULL;

	if (n > 0) {
		copy = calloc(n, sizeof(*copy));
		if (copy == NULL)
			return -ENOMEM;
		memcpy(copy, rules, n * sizeof(*copy));
	}
	free(lc->esp->rule);
	lc->esp->rule = copy;
	lc->esp->nb_rules = n;
	return 0;
}

const struct spd_rule *
spd_find(struct lcore *lc, uint32_t dir, const struct flow_key *k)
{
	struct esp_ctx *e = lc->esp;

	lc_count(lc, ST_SPD_LOOKUP);
	for (uint32_t i = 0; i < e->nb_rules; i++) {
		struct spd_rule *r = &e->rule[i];

		if ((r->dir & dir) != 0 && esp_sel_match(&r->sel, k)) {
			r->hits++;
			return r;
		}
	}
	return NULL;
}

bool
spd_sa_fits(const struct spd_rule *r, const struct esp_sa_ref *sa)
{
	if (r->mode != ESP_MODE_ANY && r->mode != sa->mode)
		return false;
	if (r->encr != 0 && r->encr != sa->encr)
		return false;
	if (r->encr_bits != 0 && r->encr_bits != sa->encr_bits)
		return false;
	if (r->integ != 0 && r->integ != sa->integ)
		return false;
	if (r->local_id != 0 && r->local_id != sa->local_id)
		return false;
	return r->peer_id == 0 || r->peer_id == sa->peer_id;
}

int
spd_find_sa(struct lcore *lc, const struct spd_rule *r, const struct flow_key *k,
	struct esp_sa_ref *out)
{
	for (struct esp_sa *sa = lc->esp->age[false]; sa != NULL; sa = sa->age_next) {
		if (!esp_sel_match(&sa->conf.sel, k) || !esp_sa_is_usable(sa))
			continue;
		esp_sa_ref_fill(sa, out);
		if (spd_sa_fits(r, out))
			return 0;
	}
	return -ENOENT;
}

static struct esp_sa *
sa_of_tag(struct lcore *lc, const struct rte_mbuf *m)
{
	const struct tl_tag *t = pkt_tag(lc, m);
	struct esp_sa *sa = t->sad_index < ESP_SAD_SLOTS ? lc->esp->slot[t->sad_index] : NULL;
	struct esp_sa_ref ref;

	if (sa != NULL && sa->gen == t->sad_gen && sa->conf.profile == t->profile &&
		!sa->conf.inbound && esp_sa_is_usable(sa))
		return sa;
	/* The hint is stale: any SA with the latched parameters will do (P-3, G-10). */
	if (esp_sad_find_out(lc, t->profile, &pkt_meta(m)->key, &ref) != 0)
		return NULL;
	return lc->esp->slot[ref.index];
}

enum spd_verdict { OUT_DROP, OUT_CLEAR, OUT_SA };

/* RFC 4301 s5.1: what the policy says of a packet that no latch speaks for. */
static enum spd_verdict
by_policy(struct lcore *lc, struct rte_mbuf *m, struct esp_sa **sa)
{
	const struct flow_key *k = &pkt_meta(m)->key;
	const struct spd_rule *r = spd_find(lc, SPD_OUT, k);
	struct esp_sa_ref ref;

	if (r == NULL || r->action == SPD_DISCARD) {
		pkt_drop(lc, m, DROP_SPD_DISCARD_OUT);
		return OUT_DROP;
	}
	if (r->action == SPD_BYPASS)
		return OUT_CLEAR;
	if (spd_find_sa(lc, r, k, &ref) != 0) {
		pkt_drop(lc, m, DROP_ESP_NOSA);
		return OUT_DROP;
	}
	*sa = lc->esp->slot[ref.index];
	return OUT_SA;
}

/* The SA halves of other workers are theirs: the packet goes there as plaintext with its tag. */
static void
hand_over(struct lcore *lc, struct rte_mbuf *m, const struct esp_sa *sa)
{
	esp_sa_tag(lc, m, sa);
	msg_handoff(lc, sa->conf.owner, HANDOFF_TX, m);
}

static bool
choose(struct lcore *lc, struct rte_mbuf *m)
{
	struct pkt_meta *pm = pkt_meta(m);
	struct esp_sa *sa = NULL;

	pm->sa = NULL;
	pm->tunnel = 0;
	if (pkt_is_tagged(lc, m)) {
		sa = sa_of_tag(lc, m);
		if (sa == NULL) {
			pkt_drop(lc, m, DROP_ESP_NOSA); /* G-14: never in clear */
			return false;
		}
	} else {
		enum spd_verdict v = by_policy(lc, m, &sa);

		if (v != OUT_SA)
			return v == OUT_CLEAR;
	}
	if (sa->key == NULL) {
		hand_over(lc, m, sa);
		return false;
	}
	pm->sa = sa;
	if (sa->conf.mode == ESP_MODE_TUNNEL) {
		pm->tunnel = 1;
		pm->tun_src = sa->conf.local;
		pm->tun_dst = sa->conf.remote;
	}
	return true;
}

void
spd_out(struct lcore *lc, struct pkt_vec *v)
{
	uint32_t kept = 0;

	for (uint32_t i = 0; i < v->n; i++) {
		if (choose(lc, v->m[i]))
			v->m[kept++] = v->m[i];
	}
	v->n = kept;
}

void
spd_foreach(struct lcore *lc, void (*fn)(const struct spd_rule *r, void *arg), void *arg)
{
	for (uint32_t i = 0; i < lc->esp->nb_rules; i++)
		fn(&lc->esp->rule[i], arg);
}
