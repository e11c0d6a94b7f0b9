/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * spd_out.c - the choice of an outbound SA, first stage of tx_path().
 *
 * A packet of a latched connection carries its request tag and is not looked up in the policy at
 * all (RFC 5660 s2.4, P-11); the rest asks the rules.
 */
#include "esp/sa.h"
#include "esp/spd.h"
#include "stack/base/msg.h"

static struct esp_sa *
sa_of_tag(struct lcore *lc, const struct rte_mbuf *m)
{
	const struct tl_tag *t = pkt_tag(lc, m);
	struct esp_sa *sa = esp_sad_slot(lc->esp, t->sad_index);
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

/* The SA that was found for this flow before, if nothing changed since. */
static struct esp_sa *
cached_sa(struct lcore *lc, struct spd_cached *c, const struct spd_rule *r)
{
	struct esp_ctx *e = lc->esp;
	struct esp_sa *sa;

	if (c->sa != 0 && c->sad_version == e->sad_version) {
		sa = e->slot[c->sa - 1];
		if (esp_sa_is_usable(sa))
			return sa;
	}
	sa = esp_sad_newest(e, false, &c->key, spd_fits_rule, r);
	c->sa = sa == NULL ? 0 : sa->index + 1;
	c->sad_version = e->sad_version;
	return sa;
}

/* RFC 4301 s5.1: what the policy says of a packet that no latch speaks for. */
static enum spd_verdict
by_policy(struct lcore *lc, struct rte_mbuf *m, struct esp_sa **sa)
{
	const struct flow_key *k = &pkt_meta(m)->key;
	struct spd_cached *c = spd_look_up(lc, false, k);
	const struct spd_rule *r =
		c == NULL || c->rule == 0 ? NULL : &lc->esp->spd.spd->rule[c->rule - 1];

	if (r == NULL || r->action == SPD_DISCARD) {
		pkt_drop(lc, m, DROP_SPD_DISCARD_OUT);
		return OUT_DROP;
	}
	if (r->action == SPD_BYPASS)
		return OUT_CLEAR;
	*sa = cached_sa(lc, c, r);
	if (*sa != NULL)
		return OUT_SA;
	esp_acquire(lc, k, r->id, 0, NULL);
	pkt_drop(lc, m, DROP_ESP_NOSA);
	return OUT_DROP;
}

/* The SA halves of other workers are theirs: the packet goes there as plaintext with its tag. */
static void
hand_over(struct lcore *lc, struct rte_mbuf *m, const struct esp_sa *sa)
{
	esp_sa_tag(lc, m, sa);
	msg_handoff(lc, sa->conf.owner, HANDOFF_TX, m);
}

/* S-9: a connection that policy let go in clear asks again only when the policy changed. */
static bool
is_bypass(const struct lcore *lc, const struct rte_mbuf *m)
{
	const struct tl_tag *t = pkt_tag(lc, m);

	return t->profile == 0 && t->sad_index == TAG_BYPASS && t->sad_gen == spd_version(lc);
}

static bool
choose(struct lcore *lc, struct rte_mbuf *m)
{
	struct pkt_meta *pm = pkt_meta(m);
	struct esp_sa *sa = NULL;

	pm->sa = NULL;
	pm->tunnel = 0;
	if (pkt_is_tagged(lc, m)) {
		if (is_bypass(lc, m))
			return true;
		if (pkt_tag(lc, m)->sad_index == TAG_HELD) {
			pkt_drop(lc, m, DROP_LATCH_BROKEN);
			return false;
		}
		sa = sa_of_tag(lc, m);
		if (sa == NULL) {
			esp_acquire(lc, &pm->key, 0, pkt_tag(lc, m)->profile, NULL);
			pkt_drop(lc, m, DROP_ESP_NOSA); /* G-14: never in clear */
			return false;
		}
	} else {
		enum spd_verdict v = by_policy(lc, m, &sa);

		if (v != OUT_SA)
			return v == OUT_CLEAR;
	}
	if (sa->key == NULL && pm->handoff == HANDOFF_TX) { /* each thinks the other can: neither */
		esp_acquire(lc, &pm->key, 0, sa->conf.profile, NULL);
		pkt_drop(lc, m, DROP_ESP_NOSA);
		return false;
	}
	if (sa->key == NULL) {
		hand_over(lc, m, sa);
		return false;
	}
	pm->sa = sa;
	/* A dummy packet has no inner header; its addresses are the tunnel's. */
	if (sa->conf.mode == ESP_MODE_TUNNEL && pm->nxt != IPPROTO_N_NONE) {
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
