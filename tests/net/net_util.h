/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * net_util.h - builders of IPv4 packets and the loop over broken ones, for the tests of stack/net.
 */
#ifndef TL_TESTS_NET_NET_UTIL_H
#define TL_TESTS_NET_NET_UTIL_H

#include <stdlib.h>
#include <string.h>
#include <rte_ip.h>

#include "stack/base/csum.h"
#include "tests/util/lc_env.h"

enum { NU_MAX = 2048 };

#define NU_US    RTE_BE32(0x0a000001) /* 10.0.0.1, the port's address */
#define NU_PEER  RTE_BE32(0x0a000002)
#define NU_OTHER RTE_BE32(0x0a000003)

/* What a test wants in a packet; nu_ip() supplies lengths, checksum and unset addresses. */
struct nu_ip {
	rte_be32_t src, dst;
	uint8_t proto, tos, ttl;
	uint16_t id;
	uint16_t frag; /* host order: flags and offset */
	const uint8_t *opt;
	uint32_t opt_len; /* a multiple of 4 */
	const void *data;
	uint32_t len;
};

static inline void
nu_fix_csum(uint8_t *ip)
{
	struct rte_ipv4_hdr *h = (struct rte_ipv4_hdr *)ip;

	h->hdr_checksum = 0;
	h->hdr_checksum = csum_finish(csum_add(ip, rte_ipv4_hdr_len(h), 0));
}

/* Builds the packet at out (NU_MAX bytes) and returns its length. */
static inline size_t
nu_ip(uint8_t *out, const struct nu_ip *s)
{
	uint32_t hlen = 20 + s->opt_len;
	struct rte_ipv4_hdr h = {
		.version_ihl = (uint8_t)(0x40 | (hlen / 4)),
		.type_of_service = s->tos,
		.total_length = rte_cpu_to_be_16((uint16_t)(hlen + s->len)),
		.packet_id = rte_cpu_to_be_16(s->id),
		.fragment_offset = rte_cpu_to_be_16(s->frag),
		.time_to_live = s->ttl != 0 ? s->ttl : 64,
		.next_proto_id = s->proto,
		.src_addr = s->src != 0 ? s->src : NU_PEER,
		.dst_addr = s->dst != 0 ? s->dst : NU_US,
	};

	memcpy(out, &h, sizeof(h));
	if (s->opt_len > 0)
		memcpy(out + 20, s->opt, s->opt_len);
	if (s->len > 0)
		memcpy(out + hlen, s->data, s->len);
	nu_fix_csum(out);
	return hlen + s->len;
}

/* Packets that this worker dropped for any reason. */
static inline uint64_t
nu_drops(const struct lcore *lc)
{
	uint64_t n = 0;

	for (uint32_t i = 0; i < DROP_MAX; i++)
		n += lc->stat.drop[i];
	return n;
}

static inline uint64_t
nu_drop(const struct env *e, enum drop_reason r)
{
	return e->lc.stat.drop[r];
}

/* A packet of ours with headroom; len bytes 0, 1, 2, ... */
static inline struct rte_mbuf *
nu_out_pkt(struct env *e, uint32_t len)
{
	struct rte_mbuf *m = pkt_alloc(&e->lc);
	uint8_t *p;

	ck_assert_ptr_nonnull(m);
	p = (uint8_t *)rte_pktmbuf_append(m, (uint16_t)len);
	ck_assert_ptr_nonnull(p);
	for (uint32_t i = 0; i < len; i++)
		p[i] = (uint8_t)i;
	return m;
}

/* Calls feed for every truncation and for every single flipped bit of a valid packet. */
static inline void
nu_each_broken(const uint8_t *valid, size_t len, void (*feed)(const uint8_t *data, size_t len))
{
	uint8_t copy[NU_MAX];

	for (size_t n = 0; n < len; n++)
		feed(valid, n);
	for (size_t bit = 0; bit < len * 8; bit++) {
		memcpy(copy, valid, len);
		copy[bit / 8] ^= (uint8_t)(1u << (bit % 8));
		feed(copy, len);
	}
}

/* Takes every packet of every vector of s, which a test does not look at. Returns how many. */
static inline uint32_t
nu_sort_free(struct pkt_sort *s)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < NX_MAX; i++) {
		for (uint32_t k = 0; k < s->v[i].n; k++)
			rte_pktmbuf_free(s->v[i].m[k]);
		n += s->v[i].n;
		s->v[i].n = 0;
	}
	return n;
}

#endif
