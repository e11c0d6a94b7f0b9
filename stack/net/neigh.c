/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * neigh.c - the table under ARP and neighbour discovery: entries, who gives way, who waits.
 */
#include "stack/net/neigh.h"

#include <errno.h>
#include <stdlib.h>
#include <rte_jhash.h>

#include "stack/base/assert.h"
#include "stack/base/rand.h"
#include "stack/net/eth.h"

enum {
	EVICT_LOOK = 16, /* entries examined to make room for one */
	EVICT_IDLE_MS = 1000,
};

#define NS_PER_MS UINT64_C(1000000)

int
neigh_create(struct lcore *lc, struct neigh_table *t, const neigh_legal *legal,
	uint32_t max_entries, uint32_t max_waiting)
{
	uint32_t buckets = rte_align32pow2(max_entries);

	t->legal = legal;
	t->max_entries = max_entries;
	t->max_waiting = max_waiting;
	t->mask = buckets - 1;
	t->seed = rand_u32(lc->rand);
	/* Unanswered questions must not hold what the worker needs to receive. */
	t->waiting_max = lc->pkt_pool->size / 8;
	t->ent = calloc(t->max_entries, sizeof(t->ent[0]));
	t->bucket = calloc(buckets, sizeof(struct neigh *));
	if (t->ent == NULL || t->bucket == NULL) {
		free(t->bucket);
		free(t->ent);
		return -ENOMEM;
	}
	for (uint32_t i = t->max_entries; i-- > 0;) {
		t->ent[i].next = t->free;
		t->free = &t->ent[i];
	}
	return 0;
}

void
neigh_destroy(struct lcore *lc, struct neigh_table *t)
{
	for (uint32_t i = 0; i < t->max_entries; i++) {
		if (t->ent[i].state != NEIGH_FREE)
			neigh_free(lc, t, &t->ent[i], DROP_PORT_CLOSED);
	}
	free(t->bucket);
	free(t->ent);
}

void
neigh_set_state(const struct neigh_table *t, struct neigh *e, enum neigh_state to)
{
	tl_assert((*t->legal)[e->state][to]);
	e->state = (uint8_t)to;
}

static struct neigh **
bucket_of(const struct neigh_table *t, uint8_t port, const struct ip_addr *addr)
{
	return &t->bucket[rte_jhash_32b((const uint32_t *)addr->w, 4, t->seed ^ port) & t->mask];
}

struct neigh *
neigh_find(const struct neigh_table *t, uint8_t port, const struct ip_addr *addr)
{
	struct neigh *e;

	for (e = *bucket_of(t, port, addr); e != NULL; e = e->next) {
		if (ip_addr_eq(&e->addr, addr) && e->port == port)
			return e;
	}
	return NULL;
}

void
neigh_free(struct lcore *lc, struct neigh_table *t, struct neigh *e, enum drop_reason r)
{
	struct neigh **pp = bucket_of(t, e->port, &e->addr);

	while (*pp != e)
		pp = &(*pp)->next;
	*pp = e->next;
	tmr_stop(lc, &e->tmr);
	t->waiting_n -= e->waiting.n;
	pkt_queue_drop(lc, &e->waiting, r);
	neigh_set_state(t, e, NEIGH_FREE);
	e->next = t->free;
	t->free = e;
}

/*
 * How little is lost with an entry; 0: keep it. Neighbours that do not answer go first, so that
 * packets to many absent addresses do not push out those in use; then the longest unused.
 */
static uint64_t
uselessness(const struct lcore *lc, const struct neigh *e)
{
	uint64_t idle_ns = lc->now_ns - e->used_ns;

	if (e->state == NEIGH_INCOMPLETE)
		return e->requests > 1 ? UINT64_MAX : 0;
	return idle_ns > EVICT_IDLE_MS * NS_PER_MS ? idle_ns : 0;
}

/* Makes one entry free, if one of the next few deserves it. */
static void
evict(struct lcore *lc, struct neigh_table *t)
{
	uint32_t look = RTE_MIN((uint32_t)EVICT_LOOK, t->max_entries);
	struct neigh *worst = NULL;

	for (uint32_t i = 0; i < look; i++) {
		struct neigh *e = &t->ent[t->hand];

		t->hand = t->hand + 1 < t->max_entries ? t->hand + 1 : 0;
		if (uselessness(lc, e) > (worst == NULL ? 0 : uselessness(lc, worst)))
			worst = e;
	}
	if (worst != NULL)
		neigh_free(lc, t, worst, DROP_NEIGH_UNRESOLVED);
}

struct neigh *
neigh_alloc(struct lcore *lc, struct neigh_table *t, uint8_t port, const struct ip_addr *addr)
{
	struct neigh **b = bucket_of(t, port, addr);
	struct neigh *e;

	if (t->free == NULL)
		evict(lc, t);
	e = t->free;
	if (e == NULL)
		return NULL;
	t->free = e->next;
	*e = (struct neigh){.next = *b, .addr = *addr, .port = port};
	*b = e;
	return e;
}

/*
 * RFC 1122 s2.3.2.2, RFC 4861 s7.2.2: at least one packet waits, and the latest is kept, as long
 * as the neighbours together hold no more than their share of the pool.
 */
void
neigh_wait(struct lcore *lc, struct neigh_table *t, struct neigh *e, struct rte_mbuf *m)
{
	bool full = t->waiting_n >= t->waiting_max;

	if (full && e->waiting.n == 0) {
		pkt_drop(lc, m, DROP_NEIGH_QUEUE_FULL);
		return;
	}
	if (full || e->waiting.n >= t->max_waiting) {
		pkt_drop(lc, pkt_queue_get(&e->waiting), DROP_NEIGH_QUEUE_FULL);
		t->waiting_n--;
	}
	pkt_queue_put(&e->waiting, m);
	t->waiting_n++;
}

void
neigh_release(struct lcore *lc, struct neigh_table *t, struct neigh *e, uint16_t ethertype)
{
	struct rte_mbuf *m;

	t->waiting_n -= e->waiting.n;
	while ((m = pkt_queue_get(&e->waiting)) != NULL)
		eth_send(lc, lc->port[e->port], m, &e->mac, ethertype);
}

void
neigh_foreach(const struct lcore *lc, const struct neigh_table *t, neigh_fn *fn, void *arg)
{
	static const char *const names[NEIGH_STATES] = {
		[NEIGH_FREE] = "free",
		[NEIGH_INCOMPLETE] = "incomplete",
		[NEIGH_REACHABLE] = "reachable",
		[NEIGH_STALE] = "stale",
		[NEIGH_DELAY] = "delay",
		[NEIGH_PROBE] = "probe",
	};

	for (uint32_t i = 0; i < t->max_entries; i++) {
		const struct neigh *e = &t->ent[i];
		struct neigh_info info = {
			.addr = e->addr,
			.mac = e->mac,
			.port = e->port,
			.state = names[e->state],
			.is_router = e->is_router,
			.waiting = e->waiting.n,
		};

		if (e->state == NEIGH_FREE)
			continue;
		if (e->state != NEIGH_INCOMPLETE)
			info.age_ms = (uint32_t)((lc->now_ns - e->confirmed_ns) / NS_PER_MS);
		fn(&info, arg);
	}
}
