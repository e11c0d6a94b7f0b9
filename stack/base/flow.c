/* SPDX-License-Identifier: BSD-3-Clause */
/* flow.c - chained hash table of 5-tuples. */
#include "stack/base/flow.h"

#include <errno.h>
#include <stdlib.h>
#include <rte_jhash.h>

#include "stack/base/assert.h"
#include "stack/base/flow_dir.h"
#include "stack/base/lcore.h"

int
flow_create(uint32_t buckets, uint32_t seed, struct flow_table **out)
{
	struct flow_table *t = calloc(1, sizeof(*t));

	tl_assert((buckets & (buckets - 1)) == 0);
	if (t == NULL)
		return -ENOMEM;
	t->bucket = calloc(buckets, sizeof(struct flow_ent *));
	if (t->bucket == NULL) {
		free(t);
		return -ENOMEM;
	}
	t->mask = buckets - 1;
	t->seed = seed;
	*out = t;
	return 0;
}

void
flow_free(struct flow_table *t)
{
	if (t == NULL)
		return;
	free(t->bucket);
	free(t);
}

uint32_t
flow_hash(const struct flow_table *t, const struct flow_key *k)
{
	return rte_jhash_32b((const uint32_t *)(const void *)k, sizeof(*k) / 4, t->seed);
}

struct flow_ent *
flow_find(const struct lcore *lc, const struct flow_key *k)
{
	const struct flow_table *t = lc->flow;
	uint32_t h = flow_hash(t, k);
	struct flow_ent *fe;

	for (fe = t->bucket[h & t->mask]; fe != NULL; fe = fe->next) {
		if (fe->hash == h && flow_key_eq(&fe->key, k))
			return fe;
	}
	return NULL;
}

bool
flow_is_elsewhere(const struct lcore *lc, const struct flow_key *k, uint16_t *worker)
{
	return lc->flow->dir != NULL && flow_dir_find(lc->flow->dir, k, worker) &&
	       *worker != lc->id;
}

int
flow_insert(struct lcore *lc, struct flow_ent *fe)
{
	struct flow_table *t = lc->flow;
	int rc;

	tl_assert(!fe->linked && fe->latch != NULL);
	if (flow_find(lc, &fe->key) != NULL)
		return -EADDRINUSE;
	rc = t->dir == NULL ? 0 : flow_dir_claim(t->dir, &fe->key, lc->id);
	if (rc != 0)
		return rc;
	fe->hash = flow_hash(t, &fe->key);
	fe->next = t->bucket[fe->hash & t->mask];
	t->bucket[fe->hash & t->mask] = fe;
	fe->linked = true;
	t->n++;
	t->version++;
	return 0;
}

void
flow_remove(struct lcore *lc, struct flow_ent *fe)
{
	struct flow_table *t = lc->flow;
	struct flow_ent **pp;

	if (!fe->linked)
		return;
	for (pp = &t->bucket[fe->hash & t->mask]; *pp != fe; pp = &(*pp)->next)
		tl_assert(*pp != NULL);
	*pp = fe->next;
	if (t->dir != NULL)
		flow_dir_release(t->dir, &fe->key);
	fe->linked = false;
	t->n--;
	t->version++;
}
