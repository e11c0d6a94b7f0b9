/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * ip.h - the IP stages of both paths, for both versions of IP.
 *
 * A tunnel may carry either version in either; each header is taken for what its version says.
 */
#ifndef TL_NET_IP_H
#define TL_NET_IP_H

#include "stack/base/lcore.h"
#include "stack/base/pkt.h"

/* RFC 1122 s3.2.1.7, RFC 4861 s6.3.2 ask for a constant; the value is RFC 1700's. */
enum { IP_TTL_DEFAULT = 64, IP_ECN_MASK = 3, IP_ECN_CE = 3 };

/*
 * Receive stage: takes s->v[NX_IP] to a local vector first, checks each header at meta's l3_off,
 * reassembles (before ESP, RFC 4301 s5.2), and puts L4 and ESP into s with meta complete; a
 * protocol without a handler goes to NX_OTHER unanswered, because policy has not judged it yet. The
 * tag of a packet that came out of a tunnel is kept; that of any other stays clear.
 */
void ip_in(struct lcore *lc, struct pkt_sort *s);

/*
 * Transmit stage, tunnel mode only: for every packet whose SA (meta->sa) is a tunnel, pushes the
 * inner IP header made from meta (key, nxt, tos, ttl, PKT_F_DF); nxt becomes 4 or 41.
 */
void ip_out_inner(struct lcore *lc, struct pkt_vec *v);

/*
 * Transmit stage: pushes the outer header made from meta, routes, fragments when DF is not set,
 * drops what is too big when it is. meta's port and nexthop are set on what goes on.
 */
void ip_out(struct lcore *lc, struct pkt_vec *v);

/* What differs between one pushed header and another. */
struct ip_fields {
	const struct ip_addr *src;
	const struct ip_addr *dst;
	uint8_t proto;
	uint8_t tos;
	uint8_t ttl;
	bool df;
};

/*
 * RFC 6040 s4.2: the ECN field of a packet that came out of a tunnel, from both headers. The
 * result stands for the outer field when the same packet is judged again after a hand-off.
 */
enum drop_reason ip_decap_ecn(uint8_t outer_tos, uint8_t *tos);

#endif
