/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * arp.c - the IPv4 neighbours of a worker (RFC 826), on all its Ethernet ports.
 *
 * Fed by the Ethernet stage and by copies from other workers; asked by the Ethernet stage for
 * every packet that leaves. Requests and replies go through lc->out_l2, packets that waited for
 * an answer go straight to their port. Nothing that is heard creates an entry unless it was
 * addressed to us, and the table is bounded.
 */
#include "stack/net/arp.h"

#include <errno.h>
#include <stdlib.h>
#include <rte_arp.h>
#include <rte_jhash.h>

#include "stack/base/assert.h"
#include "stack/base/log.h"
#include "stack/base/msg.h"
#include "stack/base/rand.h"
#include "stack/base/tmr.h"
#include "stack/net/eth.h"
#include "stack/net/route.h"

LOG_MODULE(net, NOTICE);

enum {
	EVICT_LOOK = 16, /* entries examined to make room for one */
	EVICT_IDLE_MS = 1000,
	DEFEND_INTERVAL_MS = 10000, /* RFC 5227 s1.1 */
};

#define NS_PER_MS UINT64_C(1000000)

/*
 * FREE --(arp_resolve)--> INCOMPLETE --(ent_learn)--> REACHABLE <--(ent_learn)--> STALE
 * FREE --(ent_learn, we were the target)--> REACHABLE --(ent_timer: aged)--> STALE
 * INCOMPLETE, STALE --(ent_timer: no answer)--> FREE; any --(eviction, arp_destroy)--> FREE
 *
 * INCOMPLETE: no MAC, packets wait, timer set. REACHABLE: MAC confirmed, timer set to its age.
 * STALE: the MAC is used; the timer is set while the neighbour is being asked, which begins when
 * the entry is used.
 */
enum arp_state { ARP_FREE = 0, ARP_INCOMPLETE, ARP_REACHABLE, ARP_STALE, ARP_STATES };

/* Owned by arp_ctx's array; from ent_alloc() to ent_free() it is in the hash. */
struct arp_ent {
	struct arp_ent *next; /* in its bucket, or in the list of free entries */
	struct tmr tmr;
	uint64_t used_ns;      /* last packet sent to it */
	uint64_t confirmed_ns; /* last word from it */
	struct pkt_queue waiting;
	rte_be32_t ip;
	uint32_t requests; /* sent since the last word */
	struct rte_ether_addr mac;
	uint8_t port;
	uint8_t state; /* enum arp_state; written by ent_set_state() only */
};

struct arp_ctx {
	struct arp_conf conf;
	struct arp_ent *ent;
	struct arp_ent *free;
	struct arp_ent **bucket;
	uint32_t mask;
	uint32_t seed;
	uint32_t waiting_n; /* packets that wait, for all neighbours together */
	uint32_t waiting_max;
	uint32_t hand;                    /* where the next search for a victim begins */
	uint64_t defend_ns[LC_MAX_PORTS]; /* no defence of our addresses before */
};

void
arp_conf_default(struct arp_conf *c)
{
	/* RFC 1122 s2.3.2.1: timeouts of a minute, one request a second for a destination. */
	*c = (struct arp_conf){
		.max_entries = 1024,
		.max_waiting = 16,
		.reachable_ms = 60000,
		.retrans_ms = 1000,
		.max_requests = 3,
	};
}

int
arp_create(struct lcore *lc, const struct arp_conf *conf)
{
	struct arp_ctx *c = calloc(1, sizeof(*c));
	uint32_t buckets = rte_align32pow2(conf->max_entries);

	if (c == NULL)
		return -ENOMEM;
	c->conf = *conf;
	c->mask = buckets - 1;
	c->seed = rand_u32(lc->rand);
	/* Unanswered questions must not hold what the worker needs to receive. */
	c->waiting_max = lc->pkt_pool->size / 8;
	c->ent = calloc(conf->max_entries, sizeof(c->ent[0]));
	c->bucket = calloc(buckets, sizeof(struct arp_ent *));
	if (c->ent == NULL || c->bucket == NULL) {
		free(c->bucket);
		free(c->ent);
		free(c);
		return -ENOMEM;
	}
	for (uint32_t i = conf->max_entries; i-- > 0;) {
		c->ent[i].next = c->free;
		c->free = &c->ent[i];
	}
	lc->arp = c;
	return 0;
}

static void
ent_set_state(struct arp_ent *e, enum arp_state to)
{
	static const bool legal[ARP_STATES][ARP_STATES] = {
		[ARP_FREE] = {[ARP_INCOMPLETE] = true, [ARP_REACHABLE] = true},
		[ARP_INCOMPLETE] = {[ARP_FREE] = true, [ARP_REACHABLE] = true},
		[ARP_REACHABLE] = {[ARP_FREE] = true, [ARP_REACHABLE] = true, [ARP_STALE] = true},
		[ARP_STALE] = {[ARP_FREE] = true, [ARP_REACHABLE] = true},
	};

	tl_assert(legal[e->state][to]);
	e->state = (uint8_t)to;
}

static struct arp_ent **
bucket_of(const struct arp_ctx *c, uint8_t port, rte_be32_t ip)
{
	return &c->bucket[rte_jhash_2words(ip, port, c->seed) & c->mask];
}

static struct arp_ent *
ent_find(const struct arp_ctx *c, uint8_t port, rte_be32_t ip)
{
	struct arp_ent *e;

	for (e = *bucket_of(c, port, ip); e != NULL; e = e->next) {
		if (e->ip == ip && e->port == port)
			return e;
	}
	return NULL;
}

static void
ent_free(struct lcore *lc, struct arp_ent *e, enum drop_reason r)
{
	struct arp_ctx *c = lc->arp;
	struct arp_ent **pp = bucket_of(c, e->port, e->ip);

	while (*pp != e)
		pp = &(*pp)->next;
	*pp = e->next;
	tmr_stop(lc, &e->tmr);
	c->waiting_n -= e->waiting.n;
	pkt_queue_drop(lc, &e->waiting, r);
	ent_set_state(e, ARP_FREE);
	e->next = c->free;
	c->free = e;
}

/*
 * How little is lost with an entry; 0: keep it. Neighbours that do not answer go first, so that
 * packets to many absent addresses do not push out those in use; then the longest unused.
 */
static uint64_t
uselessness(const struct lcore *lc, const struct arp_ent *e)
{
	uint64_t idle_ns = lc->now_ns - e->used_ns;

	if (e->state == ARP_INCOMPLETE)
		return e->requests > 1 ? UINT64_MAX : 0;
	return idle_ns > EVICT_IDLE_MS * NS_PER_MS ? idle_ns : 0;
}

/* Makes one entry free, if one of the next few deserves it. */
static void
evict(struct lcore *lc)
{
	struct arp_ctx *c = lc->arp;
	uint32_t look = RTE_MIN((uint32_t)EVICT_LOOK, c->conf.max_entries);
	struct arp_ent *worst = NULL;

	for (uint32_t i = 0; i < look; i++) {
		struct arp_ent *e = &c->ent[c->hand];

		c->hand = c->hand + 1 < c->conf.max_entries ? c->hand + 1 : 0;
		if (uselessness(lc, e) > (worst == NULL ? 0 : uselessness(lc, worst)))
			worst = e;
	}
	if (worst != NULL)
		ent_free(lc, worst, DROP_ARP_UNRESOLVED);
}

/* An entry in state FREE, in the hash; NULL if there is no room. The caller gives it a state. */
static struct arp_ent *
ent_alloc(struct lcore *lc, uint8_t port, rte_be32_t ip)
{
	struct arp_ctx *c = lc->arp;
	struct arp_ent **b = bucket_of(c, port, ip);
	struct arp_ent *e;

	if (c->free == NULL)
		evict(lc);
	e = c->free;
	if (e == NULL)
		return NULL;
	c->free = e->next;
	*e = (struct arp_ent){.next = *b, .ip = ip, .port = port};
	*b = e;
	return e;
}

void
arp_destroy(struct lcore *lc)
{
	struct arp_ctx *c = lc->arp;

	if (c == NULL)
		return;
	for (uint32_t i = 0; i < c->conf.max_entries; i++) {
		if (c->ent[i].state != ARP_FREE)
			ent_free(lc, &c->ent[i], DROP_PORT_CLOSED);
	}
	free(c->bucket);
	free(c->ent);
	free(c);
	lc->arp = NULL;
}

static rte_be32_t
prefix_mask(const struct port_addr *a)
{
	return rte_cpu_to_be_32((uint32_t)(UINT64_MAX << (32 - a->plen)));
}

/* The address of p in whose prefix ip lies, or NULL. */
static const struct port_addr *
on_link(const struct port *p, rte_be32_t ip)
{
	for (uint32_t i = 0; i < p->nb_addrs; i++) {
		const struct port_addr *a = &p->addr[i];

		if (ip_addr_is_v4(&a->addr) &&
			((ip_addr_to_v4(&a->addr) ^ ip) & prefix_mask(a)) == 0)
			return a;
	}
	return NULL;
}

static bool
is_our_addr(const struct port *p, rte_be32_t ip)
{
	struct ip_addr a = ip_addr_v4(ip);

	for (uint32_t i = 0; i < p->nb_addrs; i++) {
		if (ip_addr_eq(&p->addr[i].addr, &a))
			return true;
	}
	return false;
}

/* Sends an ARP packet whose target fields are in t; frame_dst is where the frame goes. */
static void
send_arp(struct lcore *lc, const struct port *p, uint16_t op,
	const struct rte_ether_addr *frame_dst, const struct rte_arp_ipv4 *t)
{
	struct rte_arp_hdr a = {
		.arp_hardware = RTE_BE16(RTE_ARP_HRD_ETHER),
		.arp_protocol = RTE_BE16(RTE_ETHER_TYPE_IPV4),
		.arp_hlen = RTE_ETHER_ADDR_LEN,
		.arp_plen = 4,
		.arp_opcode = rte_cpu_to_be_16(op),
		.arp_data = *t,
	};
	struct rte_mbuf *m = pkt_alloc(lc);

	/* Without a buffer the other side asks again, and so do we. */
	if (m == NULL)
		return;
	a.arp_data.arp_sha = p->mac;
	memcpy(rte_pktmbuf_append(m, sizeof(a)), &a, sizeof(a));
	pkt_meta(m)->port = p->index;
	if (!eth_push(p, m, frame_dst, RTE_ETHER_TYPE_ARP)) {
		pkt_drop(lc, m, DROP_NOBUF);
		return;
	}
	lc_count(lc, op == RTE_ARP_OP_REQUEST ? ST_ARP_TX_REQ : ST_ARP_TX_REP);
	pkt_out(lc, &lc->out_l2, m);
}

static const struct rte_ether_addr broadcast_mac = {{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}};

/* RFC 5227 s2.3: a broadcast request with both protocol addresses ours, target MAC zero. */
static void
announce(struct lcore *lc, const struct port *p, rte_be32_t ip)
{
	struct rte_arp_ipv4 t = {.arp_sip = ip, .arp_tip = ip};

	send_arp(lc, p, RTE_ARP_OP_REQUEST, &broadcast_mac, &t);
}

void
arp_announce(struct lcore *lc)
{
	for (uint32_t i = 0; i < lc->nb_ports; i++) {
		const struct port *p = lc->port[i];

		for (uint32_t k = 0; !p->bare_ip && k < p->nb_addrs; k++) {
			if (ip_addr_is_v4(&p->addr[k].addr))
				announce(lc, p, ip_addr_to_v4(&p->addr[k].addr));
		}
	}
}

static void ent_timer(struct lcore *lc, struct tmr *t);

/*
 * Asks the neighbour once and starts the wait for its answer. RFC 1122 s2.3.2.1 (2): a known
 * neighbour is polled point to point; the last polls are broadcast, in case its MAC changed.
 */
static void
ask(struct lcore *lc, struct arp_ent *e)
{
	const struct arp_conf *conf = &lc->arp->conf;
	const struct port *p = lc->port[e->port];
	const struct port_addr *src = on_link(p, e->ip);
	struct rte_arp_ipv4 t = {.arp_tip = e->ip};
	bool unicast;

	e->requests++;
	unicast = e->state == ARP_STALE && e->requests <= (conf->max_requests + 1) / 2;
	if (src == NULL && p->nb_addrs > 0)
		src = &p->addr[0];
	t.arp_sip = src == NULL ? 0 : ip_addr_to_v4(&src->addr);
	send_arp(lc, p, RTE_ARP_OP_REQUEST, unicast ? &e->mac : &broadcast_mac, &t);
	tmr_set(lc, &e->tmr, lc->now_ns + conf->retrans_ms * NS_PER_MS, ent_timer);
}

/* RFC 1122 s2.3.2.1: what is not confirmed in time is asked again if it is in use. */
static void
ent_aged(struct lcore *lc, struct arp_ent *e)
{
	ent_set_state(e, ARP_STALE);
	if (e->used_ns > e->confirmed_ns)
		ask(lc, e);
}

static void
ent_timer(struct lcore *lc, struct tmr *t)
{
	struct arp_ent *e = container_of(t, struct arp_ent, tmr);

	if (e->state == ARP_REACHABLE)
		ent_aged(lc, e);
	else if (e->requests < lc->arp->conf.max_requests)
		ask(lc, e);
	else
		ent_free(lc, e, DROP_ARP_UNRESOLVED);
}

/* The neighbour spoke: its MAC is known now, and what waited for it leaves in order. */
static void
ent_learn(struct lcore *lc, struct arp_ent *e, const struct rte_ether_addr *mac)
{
	struct port *p = lc->port[e->port];
	struct rte_mbuf *m;

	e->mac = *mac;
	e->requests = 0;
	e->confirmed_ns = lc->now_ns;
	ent_set_state(e, ARP_REACHABLE);
	tmr_set(lc, &e->tmr, lc->now_ns + lc->arp->conf.reachable_ms * NS_PER_MS, ent_timer);
	lc->arp->waiting_n -= e->waiting.n;
	while ((m = pkt_queue_get(&e->waiting)) != NULL)
		eth_send(lc, p, m, mac, RTE_ETHER_TYPE_IPV4);
}

/*
 * RFC 1122 s2.3.2.2: at least one packet waits, and the latest is kept, as long as the neighbours
 * together hold no more than their share of the pool.
 */
static void
ent_wait(struct lcore *lc, struct arp_ent *e, struct rte_mbuf *m)
{
	struct arp_ctx *c = lc->arp;
	bool full = c->waiting_n >= c->waiting_max;

	if (full && e->waiting.n == 0) {
		pkt_drop(lc, m, DROP_ARP_QUEUE_FULL);
		return;
	}
	if (full || e->waiting.n >= c->conf.max_waiting) {
		pkt_drop(lc, pkt_queue_get(&e->waiting), DROP_ARP_QUEUE_FULL);
		c->waiting_n--;
	}
	pkt_queue_put(&e->waiting, m);
	c->waiting_n++;
}

bool
arp_resolve(struct lcore *lc, struct port *p, rte_be32_t nexthop, struct rte_mbuf *m,
	struct rte_ether_addr *mac)
{
	struct arp_ent *e = ent_find(lc->arp, p->index, nexthop);

	if (e == NULL) {
		e = ent_alloc(lc, p->index, nexthop);
		if (e == NULL) {
			pkt_drop(lc, m, DROP_ARP_TABLE_FULL);
			return false;
		}
		ent_set_state(e, ARP_INCOMPLETE);
		ask(lc, e);
	}
	e->used_ns = lc->now_ns;
	if (e->state == ARP_INCOMPLETE) {
		ent_wait(lc, e, m);
		return false;
	}
	if (e->state == ARP_STALE && !tmr_is_set(&e->tmr))
		ask(lc, e);
	*mac = e->mac;
	return true;
}

/* RFC 826, the reception algorithm's first questions: the packet is for IPv4 over Ethernet. */
static bool
parse(const struct rte_mbuf *m, uint32_t off, struct rte_arp_hdr *a)
{
	uint16_t op;

	if (m->data_len < off + sizeof(*a))
		return false;
	memcpy(a, pkt_data(m, off), sizeof(*a));
	op = rte_be_to_cpu_16(a->arp_opcode);
	return a->arp_hardware == RTE_BE16(RTE_ARP_HRD_ETHER) &&
	       a->arp_protocol == RTE_BE16(RTE_ETHER_TYPE_IPV4) &&
	       a->arp_hlen == RTE_ETHER_ADDR_LEN && a->arp_plen == 4 &&
	       (op == RTE_ARP_OP_REQUEST || op == RTE_ARP_OP_REPLY);
}

/* Whether the sender may be believed: one station, with one address of this network. */
static bool
sender_ok(const struct lcore *lc, const struct port *p, const struct rte_arp_hdr *a)
{
	rte_be32_t sip = a->arp_data.arp_sip;

	if (rte_is_multicast_ether_addr(&a->arp_data.arp_sha) ||
		rte_is_zero_ether_addr(&a->arp_data.arp_sha))
		return false;
	/* RFC 5227 s1.1: a probe has no sender address yet, and is a request. */
	if (sip == 0)
		return a->arp_opcode == RTE_BE16(RTE_ARP_OP_REQUEST);
	return on_link(p, sip) != NULL &&
	       (is_our_addr(p, sip) || !route_is_broadcast(lc, sip, p->realm));
}

/*
 * Someone else uses our address. RFC 5227 s2.4 (c): we keep it, and say so at most once in
 * DEFEND_INTERVAL; the sender's MAC is never learned.
 */
static void
conflict(struct lcore *lc, const struct port *p, const struct rte_arp_hdr *a)
{
	struct ip_addr ip = ip_addr_v4(a->arp_data.arp_sip);
	const uint8_t *b = a->arp_data.arp_sha.addr_bytes;
	char text[IP_ADDR_STRLEN];

	lc_count(lc, ST_ARP_CONFLICT);
	if (lc->now_ns < lc->arp->defend_ns[p->index])
		return;
	lc->arp->defend_ns[p->index] = lc->now_ns + DEFEND_INTERVAL_MS * NS_PER_MS;
	LOG(WARNING, "port %u: %02x:%02x:%02x:%02x:%02x:%02x claims our address %s", p->index, b[0],
		b[1], b[2], b[3], b[4], b[5], ip_addr_str(&ip, text));
	announce(lc, p, a->arp_data.arp_sip);
}

/* RFC 826: the fields swapped, our MAC put in, back to the one who asked. */
static void
reply(struct lcore *lc, const struct port *p, const struct rte_arp_hdr *a)
{
	struct rte_arp_ipv4 t = {
		.arp_sip = a->arp_data.arp_tip,
		.arp_tha = a->arp_data.arp_sha,
		.arp_tip = a->arp_data.arp_sip,
	};

	send_arp(lc, p, RTE_ARP_OP_REPLY, &t.arp_tha, &t);
}

/* Every worker has its own neighbours, and the reply to its question may come to another one. */
static void
share(struct lcore *lc, const struct port *p, const struct rte_arp_hdr *a)
{
	for (uint16_t w = 0; w < lc->nb_workers; w++) {
		struct rte_mbuf *copy;

		if (w == lc->id)
			continue;
		copy = pkt_alloc(lc);
		if (copy == NULL)
			return;
		pkt_meta(copy)->port = p->index;
		pkt_meta(copy)->key.realm = p->realm;
		memcpy(rte_pktmbuf_append(copy, sizeof(*a)), a, sizeof(*a));
		msg_handoff(lc, w, HANDOFF_ARP, copy);
	}
}

/*
 * RFC 826, after the checks: merge, add only if we are the target, answer a request. What would
 * teach nothing here is not worth a place in the rings: a flood of ARP must not fill them.
 */
static void
hear(struct lcore *lc, const struct port *p, const struct rte_arp_hdr *a, bool first_hand)
{
	const struct rte_arp_ipv4 *d = &a->arp_data;
	bool for_us = is_our_addr(p, d->arp_tip);
	struct arp_ent *e;

	if (d->arp_sip != 0) {
		e = ent_find(lc->arp, p->index, d->arp_sip);
		if (first_hand && (for_us || e != NULL))
			share(lc, p, a);
		if (e == NULL && for_us)
			e = ent_alloc(lc, p->index, d->arp_sip);
		if (e != NULL)
			ent_learn(lc, e, &d->arp_sha);
	}
	if (first_hand && for_us && a->arp_opcode == RTE_BE16(RTE_ARP_OP_REQUEST))
		reply(lc, p, a);
}

void
arp_in(struct lcore *lc, struct port *p, struct rte_mbuf *m, uint32_t off)
{
	bool first_hand = pkt_meta(m)->handoff != HANDOFF_ARP;
	struct rte_arp_hdr a;

	if (!parse(m, off, &a) || !sender_ok(lc, p, &a)) {
		pkt_drop(lc, m, DROP_ARP_BAD);
		return;
	}
	if (first_hand)
		lc_count(lc, a.arp_opcode == RTE_BE16(RTE_ARP_OP_REQUEST) ? ST_ARP_RX_REQ
									  : ST_ARP_RX_REP);
	/* Our own frames may come back through a switch that floods: nothing to learn. */
	if (!rte_is_same_ether_addr(&a.arp_data.arp_sha, &p->mac)) {
		if (!is_our_addr(p, a.arp_data.arp_sip))
			hear(lc, p, &a, first_hand);
		else if (first_hand)
			conflict(lc, p, &a);
	}
	pkt_drop(lc, m, DROP_ARP_DONE);
}

void
arp_foreach(const struct lcore *lc, void (*fn)(const struct arp_info *i, void *arg), void *arg)
{
	static const char *const names[ARP_STATES] = {
		[ARP_FREE] = "free",
		[ARP_INCOMPLETE] = "incomplete",
		[ARP_REACHABLE] = "reachable",
		[ARP_STALE] = "stale",
	};
	const struct arp_ctx *c = lc->arp;

	for (uint32_t i = 0; i < c->conf.max_entries; i++) {
		const struct arp_ent *e = &c->ent[i];
		struct arp_info info = {
			.addr = ip_addr_v4(e->ip),
			.mac = e->mac,
			.port = e->port,
			.state = names[e->state],
			.waiting = e->waiting.n,
		};

		if (e->state == ARP_FREE)
			continue;
		if (e->state != ARP_INCOMPLETE)
			info.age_ms = (uint32_t)((lc->now_ns - e->confirmed_ns) / NS_PER_MS);
		fn(&info, arg);
	}
}
