/* SPDX-License-Identifier: BSD-3-Clause */
/* latch_ctx.h - what the latches of a worker share. Private to latch. */
#ifndef TL_LATCH_LATCH_CTX_H
#define TL_LATCH_LATCH_CTX_H

#include "latch/latch.h"

struct latch_place {
	struct latch *latch; /* NULL: free */
	const struct flow_key *key;
	uint32_t gen;
	uint32_t next_free; /* place + 1 */
};

struct latch_db {
	struct latch_place *place;
	uint32_t cap, n;
	uint32_t free; /* place + 1; 0: none */
};

struct latch_ctx {
	struct latch_conf conf;
	const struct latch_tables *tables;
	struct latch_db db;
	latch_alert_fn *owner[256]; /* by protocol */
	uint32_t flow_version;      /* of the flow table when latch_in() judged the burst */
	bool stale;                 /* a latch changed since */
};

/* A latch begins and ends; k stays where it is meanwhile. Returns 0 or -errno. */
int latch_db_add(struct lcore *lc, struct latch *l, const struct flow_key *k);
void latch_db_remove(struct lcore *lc, struct latch *l);

/* Tells the owner that its latch was changed by somebody else (RFC 5660 s2.3, ALERT). */
void latch_alert(struct lcore *lc, struct latch *l, const struct flow_key *k);

/* CLOSED with the reason, counted; the owner is not told. */
void latch_end(struct lcore *lc, struct latch *l, enum tl_latch_reason why);

#endif
