/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * neigh.h - a bounded table of neighbours, as ARP and neighbour discovery both need one.
 *
 * It knows addresses, states and waiting packets; when a state changes is the protocol's business.
 */
#ifndef TL_NET_NEIGH_H
#define TL_NET_NEIGH_H

#include "stack/base/lcore.h"
#include "stack/base/pkt.h"
#include "stack/base/port.h"
#include "stack/base/tmr.h"

/* RFC 4861 s5.1; ARP does without the last two. */
enum neigh_state {
	NEIGH_FREE = 0,
	NEIGH_INCOMPLETE, /* no MAC: packets wait */
	NEIGH_REACHABLE,
	NEIGH_STALE,
	NEIGH_DELAY,
	NEIGH_PROBE,
	NEIGH_STATES
};

/* Owned by the table's array; from neigh_alloc() to neigh_free() it is in the hash. */
struct neigh {
	struct neigh *next; /* in its bucket, or in the list of free entries */
	struct tmr tmr;
	uint64_t used_ns;      /* last packet sent to it */
	uint64_t confirmed_ns; /* last word from it */
	struct pkt_queue waiting;
	struct ip_addr addr;
	uint32_t requests; /* sent since the last word */
	struct rte_ether_addr mac;
	uint8_t port;
	uint8_t state; /* enum neigh_state; written by neigh_set_state() only */
	bool is_router;
};

/* Which states may follow which. */
typedef bool neigh_legal[NEIGH_STATES][NEIGH_STATES];

struct neigh_table {
	struct neigh *ent;
	struct neigh *free;
	struct neigh **bucket;
	const neigh_legal *legal;
	uint32_t max_entries;
	uint32_t max_waiting; /* packets for one neighbour */
	uint32_t mask;
	uint32_t seed;
	uint32_t waiting_n; /* for all neighbours together */
	uint32_t waiting_max;
	uint32_t hand; /* where the next search for a victim begins */
};

/* legal outlives t; max_waiting packets wait for one neighbour. Returns 0 or -ENOMEM. */
int neigh_create(struct lcore *lc, struct neigh_table *t, const neigh_legal *legal,
	uint32_t max_entries, uint32_t max_waiting);
void neigh_destroy(struct lcore *lc, struct neigh_table *t);

struct neigh *neigh_find(const struct neigh_table *t, uint8_t port, const struct ip_addr *addr);

/* An entry in state FREE, in the hash; NULL if there is no room. The caller gives it a state. */
struct neigh *neigh_alloc(
	struct lcore *lc, struct neigh_table *t, uint8_t port, const struct ip_addr *addr);

/* Ends e; what waits for it is dropped for reason r. */
void neigh_free(struct lcore *lc, struct neigh_table *t, struct neigh *e, enum drop_reason r);

void neigh_set_state(const struct neigh_table *t, struct neigh *e, enum neigh_state to);

/* m waits for e's MAC, within the bounds of the table; takes ownership. */
void neigh_wait(struct lcore *lc, struct neigh_table *t, struct neigh *e, struct rte_mbuf *m);

/* What waited for e's MAC leaves in order. */
void neigh_release(struct lcore *lc, struct neigh_table *t, struct neigh *e, uint16_t ethertype);

struct neigh_info {
	struct ip_addr addr;
	struct rte_ether_addr mac;
	uint8_t port;
	const char *state; /* "incomplete", "reachable", "stale", "delay", "probe" */
	bool is_router;
	uint32_t age_ms;
	uint32_t waiting;
};
typedef void neigh_fn(const struct neigh_info *i, void *arg);
void neigh_foreach(const struct lcore *lc, const struct neigh_table *t, neigh_fn *fn, void *arg);

#endif
