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

#include "stack/base/log.h"
#include "stack/base/msg.h"
#include "stack/net/eth.h"
#include "stack/net/route.h"

LOG_MODULE(net, NOTICE);

enum {
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
static const neigh_legal legal = {
	[NEIGH_FREE] = {[NEIGH_INCOMPLETE] = true, [NEIGH_REACHABLE] = true},
	[NEIGH_INCOMPLETE] = {[NEIGH_FREE] = true, [NEIGH_REACHABLE] = true},
	[NEIGH_REACHABLE] = {[NEIGH_FREE] = true, [NEIGH_REACHABLE] = true, [NEIGH_STALE] = true},
	[NEIGH_STALE] = {[NEIGH_FREE] = true, [NEIGH_REACHABLE] = true},
};

struct arp_ctx {
	struct arp_conf conf;
	struct neigh_table table;
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
	int rc;

	if (c == NULL)
		return -ENOMEM;
	c->conf = *conf;
	rc = neigh_create(lc, &c->table, &legal, conf->max_entries, conf->max_waiting);
	if (rc != 0) {
		free(c);
		return rc;
	}
	lc->arp = c;
	return 0;
}

void
arp_destroy(struct lcore *lc)
{
	struct arp_ctx *c = lc->arp;

	if (c == NULL)
		return;
	neigh_destroy(lc, &c->table);
	free(c);
	lc->arp = NULL;
}

static struct neigh *
ent_find(const struct arp_ctx *c, uint8_t port, rte_be32_t ip)
{
	struct ip_addr a = ip_addr_v4(ip);

	return neigh_find(&c->table, port, &a);
}

static struct neigh *
ent_alloc(struct lcore *lc, uint8_t port, rte_be32_t ip)
{
	struct ip_addr a = ip_addr_v4(ip);

	return neigh_alloc(lc, &lc->arp->table, port, &a);
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

static const struct port_addr *
first_v4(const struct port *p)
{
	for (uint32_t i = 0; i < p->nb_addrs; i++) {
		if (ip_addr_is_v4(&p->addr[i].addr))
			return &p->addr[i];
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
ask(struct lcore *lc, struct neigh *e)
{
	const struct arp_conf *conf = &lc->arp->conf;
	const struct port *p = lc->port[e->port];
	const struct port_addr *src = on_link(p, ip_addr_to_v4(&e->addr));
	struct rte_arp_ipv4 t = {.arp_tip = ip_addr_to_v4(&e->addr)};
	bool unicast;

	e->requests++;
	unicast = e->state == NEIGH_STALE && e->requests <= (conf->max_requests + 1) / 2;
	if (src == NULL)
		src = first_v4(p);
	t.arp_sip = src == NULL ? 0 : ip_addr_to_v4(&src->addr);
	send_arp(lc, p, RTE_ARP_OP_REQUEST, unicast ? &e->mac : &broadcast_mac, &t);
	tmr_set(lc, &e->tmr, lc->now_ns + conf->retrans_ms * NS_PER_MS, ent_timer);
}

/* RFC 1122 s2.3.2.1: what is not confirmed in time is asked again if it is in use. */
static void
ent_aged(struct lcore *lc, struct neigh *e)
{
	neigh_set_state(&lc->arp->table, e, NEIGH_STALE);
	if (e->used_ns > e->confirmed_ns)
		ask(lc, e);
}

static void
ent_timer(struct lcore *lc, struct tmr *t)
{
	struct neigh *e = container_of(t, struct neigh, tmr);

	if (e->state == NEIGH_REACHABLE)
		ent_aged(lc, e);
	else if (e->requests < lc->arp->conf.max_requests)
		ask(lc, e);
	else
		neigh_free(lc, &lc->arp->table, e, DROP_NEIGH_UNRESOLVED);
}

/* The neighbour spoke: its MAC is known now, and what waited for it leaves in order. */
static void
ent_learn(struct lcore *lc, struct neigh *e, const struct rte_ether_addr *mac)
{
	e->mac = *mac;
	e->requests = 0;
	e->confirmed_ns = lc->now_ns;
	neigh_set_state(&lc->arp->table, e, NEIGH_REACHABLE);
	tmr_set(lc, &e->tmr, lc->now_ns + lc->arp->conf.reachable_ms * NS_PER_MS, ent_timer);
	neigh_release(lc, &lc->arp->table, e, RTE_ETHER_TYPE_IPV4);
}

bool
arp_resolve(struct lcore *lc, struct port *p, rte_be32_t nexthop, struct rte_mbuf *m,
	struct rte_ether_addr *mac)
{
	struct neigh *e = ent_find(lc->arp, p->index, nexthop);

	if (e == NULL) {
		e = ent_alloc(lc, p->index, nexthop);
		if (e == NULL) {
			pkt_drop(lc, m, DROP_NEIGH_TABLE_FULL);
			return false;
		}
		neigh_set_state(&lc->arp->table, e, NEIGH_INCOMPLETE);
		ask(lc, e);
	}
	e->used_ns = lc->now_ns;
	if (e->state == NEIGH_INCOMPLETE) {
		neigh_wait(lc, &lc->arp->table, e, m);
		return false;
	}
	if (e->state == NEIGH_STALE && !tmr_is_set(&e->tmr))
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
	struct neigh *e;

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
arp_foreach(const struct lcore *lc, neigh_fn *fn, void *arg)
{
	neigh_foreach(lc, &lc->arp->table, fn, arg);
}
