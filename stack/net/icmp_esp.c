/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * icmp_esp.c - which ICMP errors are for ESP itself (RFC 4301 s8.2.1; F-49, F-51).
 *
 * A router on the way knows no SA, so it can tell only in clear that our ESP is too big. Policy
 * could never let that in where everything is protected; what the error quotes decides instead.
 */
#include <rte_ip.h>

#include "stack/base/ip6_ext.h"
#include "stack/net/icmp_int.h"

enum { T4_UNREACHABLE = 3, T6_TOO_BIG = 2, QUOTE_MIN = 8 };

static bool
quotes_esp4(const uint8_t *icmp, uint32_t len)
{
	const uint8_t *q = icmp + ICMP_HDR_LEN;
	uint32_t hlen;

	if (icmp[0] != T4_UNREACHABLE || icmp[1] != ICMP_DU_FRAG_NEEDED ||
		len < ICMP_HDR_LEN + sizeof(struct rte_ipv4_hdr))
		return false;
	hlen = (q[0] & 0xfu) * 4;
	return q[0] >> 4 == 4 && ICMP_HDR_LEN + hlen + QUOTE_MIN <= len &&
	       q[offsetof(struct rte_ipv4_hdr, next_proto_id)] == IPPROTO_N_ESP;
}

static bool
quotes_esp6(const uint8_t *icmp, uint32_t len)
{
	struct ip6_upper up;

	if (icmp[0] != T6_TOO_BIG ||
		ip6_ext_walk(icmp + ICMP_HDR_LEN, len - ICMP_HDR_LEN, &up) != IP6_EXT_OK)
		return false;
	return up.nxt == IPPROTO_N_ESP && len >= (uint32_t)up.off + ICMP_HDR_LEN + QUOTE_MIN;
}

static bool
is_about_esp(const struct lcore *lc, const struct rte_mbuf *m)
{
	const struct pkt_meta *pm = pkt_meta(m);
	const uint8_t *icmp = pkt_data(m, pm->l4_off);

	if (pkt_is_tagged(lc, m) || pm->l4_len < ICMP_HDR_LEN ||
		(uint32_t)pm->l4_off + pm->l4_len > m->data_len)
		return false;
	return pm->nxt == IPPROTO_N_ICMP6 ? quotes_esp6(icmp, pm->l4_len)
					  : quotes_esp4(icmp, pm->l4_len);
}

void
icmp_take_esp(const struct lcore *lc, struct pkt_vec *v, struct pkt_vec *about)
{
	uint32_t kept = 0;

	about->n = 0;
	for (uint32_t i = 0; i < v->n; i++) {
		if (is_about_esp(lc, v->m[i]))
			pkt_vec_add(about, v->m[i]);
		else
			v->m[kept++] = v->m[i];
	}
	v->n = kept;
}
