/* SPDX-License-Identifier: BSD-3-Clause */
/* ip4.h - IPv4 input and output (RFC 791, RFC 1122 s3). */
#ifndef TL_NET_IP4_H
#define TL_NET_IP4_H

#include "stack/base/lcore.h"
#include "stack/base/pkt.h"

int ip4_create(struct lcore *lc);
void ip4_destroy(struct lcore *lc);

/*
 * Receive stage: takes s->v[NX_IP] to a local vector first, checks each header at meta's l3_off,
 * reassembles (before ESP, RFC 4301 s5.2), and puts L4 and ESP into s with meta complete; a
 * protocol without a handler goes to NX_OTHER unanswered, because policy has not judged it yet. The
 * tag of a packet that came out of a tunnel is kept; that of any other stays clear.
 */
void ip_in(struct lcore *lc, struct pkt_sort *s);

/*
 * Transmit stage, tunnel mode only: for every packet whose SA (meta->sa) is a tunnel, pushes the
 * inner IP header made from meta (key, nxt, tos, ttl, PKT_F_DF); nxt becomes 4.
 */
void ip_out_inner(struct lcore *lc, struct pkt_vec *v);

/*
 * Transmit stage: pushes the outer IPv4 header made from meta, routes, fragments when DF is not
 * set, answers with ICMP or drops when it is. meta's port and nexthop are set on what goes on.
 */
void ip_out(struct lcore *lc, struct pkt_vec *v);

#endif
