/* SPDX-License-Identifier: BSD-3-Clause */
/* eth.h - Ethernet with 802.1Q, or bare IP on ports without a link layer. */
#ifndef TL_NET_ETH_H
#define TL_NET_ETH_H

#include <stdbool.h>

#include "stack/base/lcore.h"
#include "stack/base/pkt.h"
#include "stack/base/port.h"

/* Receive stage: checks and strips the link layer; IP goes to s, ARP ends here. pkt_meta's port
 * is set by the caller; l3_off and flags are set here. */
void eth_in(struct lcore *lc, struct pkt_vec *in, struct pkt_sort *s);

/* Transmit stage: every packet starts at its outer IP header, meta's port and nexthop are set.
 * Neighbour, MAC, VLAN, then the port's burst buffer. Takes every packet of v. */
void eth_out(struct lcore *lc, struct pkt_vec *v);

/* Puts the link header before m (data starts at the payload) and hands it to the port. */
void eth_send(struct lcore *lc, struct port *p, struct rte_mbuf *m,
	const struct rte_ether_addr *dst, uint16_t ethertype);

/* Puts the link header of p before m; no effect on a port without a link layer. Returns false if
 * m has no headroom for it. */
bool eth_push(const struct port *p, struct rte_mbuf *m, const struct rte_ether_addr *dst,
	uint16_t ethertype);

#endif
