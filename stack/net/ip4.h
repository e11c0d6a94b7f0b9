/* SPDX-License-Identifier: BSD-3-Clause */
/* ip4.h - the IPv4 header (RFC 791, RFC 1122 s3), for the IP stages. */
#ifndef TL_NET_IP4_H
#define TL_NET_IP4_H

#include "stack/net/ip.h"

int ip4_create(struct lcore *lc);
void ip4_destroy(struct lcore *lc);

/* A burst begins: what was true of addresses in the last one may be no more. */
void ip4_burst(struct lcore *lc);

/* One received packet with its header at meta's l3_off; takes ownership. As ip_in() says. */
void ip4_in(struct lcore *lc, struct rte_mbuf *m, struct pkt_sort *s);

/* Pushes a header before m. Returns DROP_NONE, or why m cannot have one. */
enum drop_reason ip4_push(struct lcore *lc, struct rte_mbuf *m, const struct ip_fields *f);

#endif
