/* SPDX-License-Identifier: BSD-3-Clause */
/* arp.h - IPv4 neighbours (RFC 826, RFC 5227, RFC 1122 s2.3.2). */
#ifndef TL_NET_ARP_H
#define TL_NET_ARP_H

#include <stdbool.h>

#include "stack/base/addr.h"
#include "stack/base/lcore.h"
#include "stack/base/pkt.h"
#include "stack/base/port.h"
#include "stack/net/neigh.h"

struct arp_conf {
	uint32_t max_entries;  /* neighbours, all ports together */
	uint32_t max_waiting;  /* packets that wait for one neighbour (RFC 1122 s2.3.2.2: >= 1) */
	uint32_t reachable_ms; /* age at which an entry is asked again */
	uint32_t retrans_ms;   /* between two requests */
	uint32_t max_requests; /* then the waiting packets are dropped */
};

void arp_conf_default(struct arp_conf *c);
int arp_create(struct lcore *lc, const struct arp_conf *conf);
void arp_destroy(struct lcore *lc);

/*
 * One ARP packet at offset off of m; takes ownership. Answers through lc->out_l2 and passes on to
 * the other workers what may teach them something. A packet that another worker passed on
 * (meta->handoff == HANDOFF_ARP) only teaches; it is never answered.
 */
void arp_in(struct lcore *lc, struct port *p, struct rte_mbuf *m, uint32_t off);

/*
 * Finds the MAC of an on-link next hop. Returns true with *mac, or false: then m waits in the
 * neighbour's bounded queue or was dropped, and a request goes out.
 */
bool arp_resolve(struct lcore *lc, struct port *p, rte_be32_t nexthop, struct rte_mbuf *m,
	struct rte_ether_addr *mac);

/* Announces every address of every port (gratuitous ARP, RFC 5227 s2.3). */
void arp_announce(struct lcore *lc);

void arp_foreach(const struct lcore *lc, neigh_fn *fn, void *arg);

#endif
