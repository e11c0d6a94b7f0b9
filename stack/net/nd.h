/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * nd.h - IPv6 neighbours (RFC 4861), our addresses on their links (RFC 4862), and the groups that
 * both need (RFC 3810).
 *
 * Addresses live in struct port, one copy for each worker. All workers hear the same messages and
 * come to the same states; the first worker alone asks on behalf of all.
 */
#ifndef TL_NET_ND_H
#define TL_NET_ND_H

#include "stack/base/lcore.h"
#include "stack/base/pkt.h"
#include "stack/base/port.h"
#include "stack/net/neigh.h"

/* RFC 4861 s10 */
struct nd_conf {
	uint32_t max_entries;  /* neighbours, all ports together */
	uint32_t max_waiting;  /* packets that wait for one neighbour */
	uint32_t reachable_ms; /* REACHABLE_TIME; routers may say otherwise */
	uint32_t retrans_ms;   /* RETRANS_TIMER */
	uint32_t delay_ms;     /* DELAY_FIRST_PROBE_TIME */
	uint32_t max_requests; /* MAX_MULTICAST_SOLICIT, MAX_UNICAST_SOLICIT */
};

void nd_conf_default(struct nd_conf *c);
int nd_create(struct lcore *lc, const struct nd_conf *conf);
void nd_destroy(struct lcore *lc);

/* The link-local address of a port (RFC 4291 appendix A), with its scope. */
struct ip_addr nd_link_local(const struct rte_ether_addr *mac, uint8_t port);

/*
 * Begins to use the IPv6 addresses of all ports: joins their groups and, where the port wants it,
 * tries each before it is assigned (RFC 4862 s5.4).
 */
void nd_start(struct lcore *lc);

/*
 * Receive stage, before any policy: takes every packet of v, ICMPv6 of types 130 and 133 to 137
 * with meta complete, never tagged. Answers through lc->out_l2, so in clear whatever the policy
 * says (RFC 4861 s11), and passes on to the other workers what may teach them something. What
 * another worker passed on (meta->handoff == HANDOFF_ND) only teaches.
 */
void nd_in(struct lcore *lc, struct pkt_vec *v);

/*
 * Finds the MAC of an on-link next hop. Returns true with *mac, or false: then m waits in the
 * neighbour's bounded queue or was dropped, and a solicitation goes out.
 */
bool nd_resolve(struct lcore *lc, struct port *p, const struct ip_addr *nexthop, struct rte_mbuf *m,
	struct rte_ether_addr *mac);

void nd_foreach(const struct lcore *lc, neigh_fn *fn, void *arg);

#endif
