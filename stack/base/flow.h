/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * flow.h - who owns a 5-tuple: the hash table of a worker.
 *
 * An entry is a member of its owner (a control block); the table allocates only its buckets. The
 * hash is seeded, so that a peer cannot choose tuples that collide.
 */
#ifndef TL_BASE_FLOW_H
#define TL_BASE_FLOW_H

#include <stdbool.h>
#include <stdint.h>

#include "stack/base/addr.h"

struct flow_dir;
struct lcore;
struct latch;

struct flow_ent {
	struct flow_key key;
	struct flow_ent *next;
	struct latch *latch; /* of the owner; never NULL while the entry is in the table */
	uint32_t hash;
	bool linked;
};

struct flow_table {
	struct flow_ent **bucket;
	uint32_t mask;
	uint32_t n;
	uint32_t seed;
	uint32_t version;     /* raised by every insertion and removal */
	struct flow_dir *dir; /* the flows of all workers; NULL: there is one worker */
};

/* buckets: a power of two. Returns 0 or -errno. */
int flow_create(uint32_t buckets, uint32_t seed, struct flow_table **out);
void flow_free(struct flow_table *t);

uint32_t flow_hash(const struct flow_table *t, const struct flow_key *k);

/* The entry of this key, or NULL. */
struct flow_ent *flow_find(const struct lcore *lc, const struct flow_key *k);

/* Whether another worker has this key, and which. A key that is here costs the question too. */
bool flow_is_elsewhere(const struct lcore *lc, const struct flow_key *k, uint16_t *worker);

/* fe->key and fe->latch are set. Returns 0, -EADDRINUSE if the key has an owner, here or on another
 * worker (C-9), or -ENOBUFS. */
int flow_insert(struct lcore *lc, struct flow_ent *fe);

/* No effect on an entry that is not linked. */
void flow_remove(struct lcore *lc, struct flow_ent *fe);

#endif
