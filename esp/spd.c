/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * spd.c - policy: the ordered rules of RFC 4301 s4.4.1, as a worker asks them.
 *
 * The control context builds a policy once and every worker reads the same memory; what a worker
 * found for a flow is remembered in a cache for each direction until policy or SAD change.
 */
#include "esp/spd.h"

#include <errno.h>
#include <stdlib.h>
#include <rte_hash_crc.h>

#include "esp/sa.h"

/* Six words; who aims at one slot of the cache gains a miss, nothing else. */
static uint32_t
spd_key_hash(const struct flow_key *k)
{
	const uint64_t *w = (const uint64_t *)(const void *)k;
	uint32_t h = 0;

	for (uint32_t i = 0; i < sizeof(*k) / sizeof(*w); i++)
		h = rte_hash_crc_8byte(w[i], h);
	return h;
}

static int
by_id(const void *a, const void *b, void *rules)
{
	const struct spd_rule *r = rules;
	uint32_t x = r[*(const uint32_t *)a].id, y = r[*(const uint32_t *)b].id;

	return (x > y) - (x < y);
}

static uint32_t *
sorted_by_id(struct spd *s)
{
	uint32_t *at = calloc(s->nb_rules + 1, sizeof(*at));

	for (uint32_t i = 0; at != NULL && i < s->nb_rules; i++)
		at[i] = i;
	if (at != NULL)
		qsort_r(at, s->nb_rules, sizeof(*at), by_id, s->rule);
	return at;
}

int
spd_build(const struct spd_rule *rules, uint32_t n, struct spd **out, const char **why)
{
	struct spd *s = calloc(1, sizeof(*s) + n * sizeof(s->rule[0]));
	int rc = 0;

	*why = "out of memory";
	if (s == NULL)
		return -ENOMEM;
	s->nb_rules = n;
	if (n > 0)
		memcpy(s->rule, rules, n * sizeof(s->rule[0]));
	s->by_id = sorted_by_id(s);
	if (s->by_id == NULL)
		rc = -ENOMEM;
	if (rc == 0 && n > SPD_LINEAR_MAX)
		rc = spd_acl_build(s, why);
	if (rc != 0) {
		spd_free(s);
		return rc;
	}
	*out = s;
	return 0;
}

void
spd_free(struct spd *s)
{
	if (s == NULL)
		return;
	spd_acl_free(s);
	free(s->by_id);
	free(s);
}

/* A rule that stays keeps its count. */
static void
keep_hits(const struct spd_view *v, const struct spd *s, uint64_t *hits)
{
	const struct spd *was = v->spd;

	for (uint32_t i = 0, at = 0; i < s->nb_rules; i++) {
		uint32_t id = s->rule[s->by_id[i]].id;

		while (at < was->nb_rules && was->rule[was->by_id[at]].id < id)
			at++;
		if (at < was->nb_rules && was->rule[was->by_id[at]].id == id)
			hits[s->by_id[i]] = v->hits[was->by_id[at]];
	}
}

int
spd_prepare(struct lcore *lc, const struct spd *s)
{
	struct spd_view *v = &lc->esp->spd;

	free(v->next_hits);
	v->next_hits = calloc(s->nb_rules + 1, sizeof(*v->next_hits));
	return v->next_hits == NULL ? -ENOMEM : 0;
}

int
spd_install(struct lcore *lc, const struct spd *s)
{
	struct spd_view *v = &lc->esp->spd;

	if (v->next_hits == NULL && spd_prepare(lc, s) != 0)
		return -ENOMEM;
	if (v->spd != NULL)
		keep_hits(v, s, v->next_hits);
	free(v->hits);
	v->hits = v->next_hits;
	v->next_hits = NULL;
	v->spd = s;
	v->version++;
	return 0;
}

const struct spd *
spd_installed(const struct lcore *lc)
{
	return lc->esp->spd.spd;
}

uint32_t
spd_version(const struct lcore *lc)
{
	return lc->esp->spd.version;
}

static uint32_t
classify(const struct spd *s, bool inbound, const struct flow_key *k)
{
	uint32_t dir = inbound ? SPD_IN : SPD_OUT;

	if (s->nb_rules > SPD_LINEAR_MAX)
		return spd_acl_find(s, inbound, k);
	for (uint32_t i = 0; i < s->nb_rules; i++) {
		if ((s->rule[i].dir & dir) != 0 && esp_sel_match(&s->rule[i].sel, k))
			return i + 1;
	}
	return 0;
}

const struct spd_rule *
spd_rule_of(const struct spd *s, uint32_t dir, const struct flow_key *k)
{
	uint32_t at = classify(s, dir == SPD_IN, k);

	return at == 0 ? NULL : &s->rule[at - 1];
}

struct spd_cached *
spd_look_up(struct lcore *lc, bool inbound, const struct flow_key *k)
{
	struct spd_view *v = &lc->esp->spd;
	struct spd_cached *c;

	if (v->spd == NULL)
		return NULL;
	c = &v->cache[inbound][spd_key_hash(k) & (SPD_CACHE_SLOTS - 1)];
	lc_count(lc, ST_SPD_LOOKUP);
	if (c->version != v->version || !flow_key_eq(&c->key, k)) {
		lc_count(lc, ST_SPD_MISS);
		*c = (struct spd_cached){
			.key = *k, .version = v->version, .rule = classify(v->spd, inbound, k)};
	}
	if (c->rule != 0)
		v->hits[c->rule - 1]++;
	return c;
}

const struct spd_rule *
spd_find(struct lcore *lc, uint32_t dir, const struct flow_key *k)
{
	const struct spd_cached *c = spd_look_up(lc, dir == SPD_IN, k);

	return c == NULL || c->rule == 0 ? NULL : &lc->esp->spd.spd->rule[c->rule - 1];
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
	if (r->peer_id != 0 && r->peer_id != sa->peer_id)
		return false;
	/* An inbound packet shows its profile only; which SA it was is no part of that. */
	if (sa->gen == 0)
		return true;
	if (r->reqid != 0 && r->reqid != sa->reqid)
		return false;
	if (sa->mode != ESP_MODE_TUNNEL)
		return true;
	return (ip_addr_is_any(&r->tun_local) || ip_addr_eq(&r->tun_local, &sa->local)) &&
	       (ip_addr_is_any(&r->tun_remote) || ip_addr_eq(&r->tun_remote, &sa->remote));
}

bool
spd_fits_rule(const struct esp_sa *sa, const void *rule)
{
	struct esp_sa_ref ref;

	if (!esp_sa_is_usable(sa))
		return false;
	esp_sa_ref_fill(sa, &ref);
	return spd_sa_fits(rule, &ref);
}

int
spd_find_sa(struct lcore *lc, const struct spd_rule *r, const struct flow_key *k,
	struct esp_sa_ref *out)
{
	const struct esp_sa *sa = esp_sad_newest(lc->esp, false, k, spd_fits_rule, r);

	if (sa == NULL)
		return -ENOENT;
	esp_sa_ref_fill(sa, out);
	return 0;
}

void
spd_foreach(struct lcore *lc, void (*fn)(const struct spd_rule *r, void *arg), void *arg)
{
	const struct spd_view *v = &lc->esp->spd;

	for (uint32_t i = 0; v->spd != NULL && i < v->spd->nb_rules; i++) {
		struct spd_rule r = v->spd->rule[i];

		r.hits = v->hits[i];
		fn(&r, arg);
	}
}
