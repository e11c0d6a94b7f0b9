/* SPDX-License-Identifier: BSD-3-Clause */
/* ip6.h - the IPv6 header and its extension headers (RFC 8200), for the IP stages. */
#ifndef TL_NET_IP6_H
#define TL_NET_IP6_H

#include "stack/base/port.h"
#include "stack/net/ip.h"

/*
 * One received packet with its header at meta's l3_off; takes ownership. As ip_in() says; in
 * addition neighbour discovery goes to NX_ND, and a packet that deserves a parameter problem to
 * NX_OTHER with meta's problem members set.
 */
void ip6_in(struct lcore *lc, struct rte_mbuf *m, struct pkt_sort *s);

/* Pushes a header before m. Returns DROP_NONE, or why m cannot have one. */
enum drop_reason ip6_push(struct rte_mbuf *m, const struct ip_fields *f);

/* RFC 4291 s2.7.1: the solicited-node multicast address of a. */
struct ip_addr ip6_solicited_node(const struct ip_addr *a);

/* The addresses inside a received header, scoped as addr.h says; false if they hold a scope. */
bool ip6_read_addr(const uint8_t *from, uint8_t port, struct ip_addr *out);

#endif
