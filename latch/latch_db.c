/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * latch_db.c - the latches of a worker (RFC 5660 s2.3, the latch database) and who owns them.
 *
 * HOW IT WORKS. A latch is a member of its owner's control block; the table holds its address from
 * latch_open(), latch_spawn() or latch_listen() until latch_release(). The handle that people and
 * key managers see is worker, place and generation of the place, so that one of a latch that is
 * gone finds nothing. Latches between the same two addresses are chained, for G-22. The table
 * lives in memory only and ends with the process (K-8, S-4).
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <rte_jhash.h>

#include "latch/latch_ctx.h"
#include "stack/base/assert.h"

enum { DB_MIN = 64, PLACE_BITS = 24, WORKER_SHIFT = 56 };

static int
grow(struct latch_db *db)
{
	uint32_t cap = db->cap == 0 ? DB_MIN : db->cap * 2;
	struct latch_place *more;

	if (cap > 1u << PLACE_BITS)
		return -ENOBUFS;
	more = realloc(db->place, cap * sizeof(*more));
	if (more == NULL)
		return -ENOMEM;
	for (uint32_t i = cap; i-- > db->cap;) {
		more[i] = (struct latch_place){.next = db->free};
		db->free = i + 1;
	}
	db->place = more;
	db->cap = cap;
	return 0;
}

static uint32_t *
pair_list(struct latch_db *db, const struct flow_key *k)
{
	uint32_t h = rte_jhash(&k->local, sizeof(k->local), k->realm);

	return &db->pair[rte_jhash(&k->remote, sizeof(k->remote), h) % LATCH_PAIRS];
}

static void
pair_add(struct latch_db *db, uint32_t at)
{
	struct latch_place *p = &db->place[at - 1];
	uint32_t *list = pair_list(db, p->key);

	p->prev = 0;
	p->pair = *list;
	if (*list != 0)
		db->place[*list - 1].prev = at;
	*list = at;
}

static void
pair_remove(struct latch_db *db, uint32_t at)
{
	const struct latch_place *p = &db->place[at - 1];

	if (p->prev != 0)
		db->place[p->prev - 1].pair = p->pair;
	else
		*pair_list(db, p->key) = p->pair;
	if (p->pair != 0)
		db->place[p->pair - 1].prev = p->prev;
}

int
latch_db_add(struct lcore *lc, struct latch *l, const struct flow_key *k)
{
	struct latch_db *db = &lc->latch->db;
	struct latch_place *p;
	int rc = db->free == 0 ? grow(db) : 0;

	tl_assert(l->place == 0);
	if (rc != 0)
		return rc;
	l->place = db->free;
	p = &db->place[l->place - 1];
	db->free = p->next;
	p->latch = l;
	p->key = k;
	p->gen++;
	pair_add(db, l->place);
	db->n++;
	return 0;
}

void
latch_db_remove(struct lcore *lc, struct latch *l)
{
	struct latch_db *db = &lc->latch->db;
	struct latch_place *p = &db->place[l->place - 1];

	tl_assert(p->latch == l);
	pair_remove(db, l->place);
	p->latch = NULL;
	p->next = db->free;
	db->free = l->place;
	db->n--;
	l->place = 0;
}

const struct flow_key *
latch_key(const struct lcore *lc, const struct latch *l)
{
	return l->place == 0 ? NULL : lc->latch->db.place[l->place - 1].key;
}

const struct latch *
latch_db_sibling(const struct lcore *lc, const struct latch *l, const struct flow_key *k)
{
	struct latch_db *db = &lc->latch->db;

	for (uint32_t at = *pair_list(db, k); at != 0; at = db->place[at - 1].pair) {
		const struct latch_place *p = &db->place[at - 1];

		if (p->latch != l && p->latch->profile_out != 0 &&
			(p->latch->state == TL_LATCH_ESTABLISHED ||
				p->latch->state == TL_LATCH_BROKEN) &&
			p->key->realm == k->realm && ip_addr_eq(&p->key->local, &k->local) &&
			ip_addr_eq(&p->key->remote, &k->remote))
			return p->latch;
	}
	return NULL;
}

uint64_t
latch_handle(const struct lcore *lc, const struct latch *l)
{
	if (l->place == 0)
		return 0;
	return (uint64_t)lc->id << WORKER_SHIFT | (uint64_t)l->place << 32 |
	       lc->latch->db.place[l->place - 1].gen;
}

struct latch *
latch_by_handle(const struct lcore *lc, uint64_t handle)
{
	const struct latch_db *db = &lc->latch->db;
	uint32_t place = (uint32_t)(handle >> 32) & ((1u << PLACE_BITS) - 1);

	if (handle >> WORKER_SHIFT != lc->id || place == 0 || place > db->cap)
		return NULL;
	return db->place[place - 1].gen == (uint32_t)handle ? db->place[place - 1].latch : NULL;
}

void
latch_foreach(struct lcore *lc, latch_visit_fn *fn, void *arg)
{
	/* By place: what fn ends or makes meanwhile moves nobody else. */
	for (uint32_t i = 0; i < lc->latch->db.cap; i++) {
		const struct latch_place *p = &lc->latch->db.place[i];

		if (p->latch != NULL)
			fn(lc, p->latch, p->key, arg);
	}
}

uint32_t
latch_in_use(const struct lcore *lc)
{
	return lc->latch->db.n;
}

void
latch_set_owner(struct lcore *lc, uint8_t proto, latch_alert_fn *alert)
{
	lc->latch->owner[proto] = alert;
}
