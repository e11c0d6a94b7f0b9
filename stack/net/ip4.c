/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * ip4.c - the IPv4 header in both directions: checked on what arrives, pushed on what leaves.
 */
#include "stack/net/ip4.h"

#include <errno.h>
#include <stdlib.h>
#include <rte_ip.h>
#include <rte_jhash.h>

#include "stack/base/csum.h"
#include "stack/base/msg.h"
#include "stack/base/rand.h"
#include "stack/net/frag.h"
#include "stack/net/route.h"

enum {
	HDR_MIN = 20,
	FLAG_RESERVED = 0x8000,
	FRAG_BITS = RTE_IPV4_HDR_MF_FLAG | RTE_IPV4_HDR_OFFSET_MASK,
	OPT_END = 0,
	OPT_NOP = 1,
	OPT_LSRR = 131,
	OPT_SSRR = 137,
	OWNER_SEED = 0x7461676c, /* the same on every worker, so that they agree on an owner */
};

/*
 * What the header of the last good packet said but for length, id and checksum, as it stands in the
 * packet: the next one of a burst most often says the same, and needs no other check.
 */
struct last_hdr {
	uint64_t w[2];
	rte_be32_t dst;
	uint32_t realm;
	struct ip_addr local, remote;
	enum pkt_next nx;
	uint8_t df; /* PKT_F_DF or 0 */
	bool is_known;
};

static const uint64_t LAST_MASK[2] = {RTE_BE64(0xffff00000000ffff), RTE_BE64(0xffff0000ffffffff)};

struct ip4_ctx {
	uint32_t next_id;
	struct last_hdr last;
};

int
ip4_create(struct lcore *lc)
{
	struct ip4_ctx *c = calloc(1, sizeof(*c));

	if (c == NULL)
		return -ENOMEM;
	c->next_id = rand_u32(lc->rand);
	lc->ip4 = c;
	return 0;
}

void
ip4_destroy(struct lcore *lc)
{
	free(lc->ip4);
	lc->ip4 = NULL;
}

static const struct rte_ipv4_hdr *
hdr_at(const struct rte_mbuf *m)
{
	return (const struct rte_ipv4_hdr *)pkt_data(m, pkt_meta(m)->l3_off);
}

/* Everything that says where the header and the packet end; then cuts off what follows. */
static enum drop_reason
check_lengths(struct rte_mbuf *m)
{
	uint32_t off = pkt_meta(m)->l3_off;
	uint32_t avail = m->data_len > off ? m->data_len - off : 0;
	const struct rte_ipv4_hdr *h = hdr_at(m);
	uint32_t hlen, total;

	if (avail < HDR_MIN)
		return DROP_IP4_SHORT;
	/* RFC 1122 s3.2.1.1 */
	if ((h->version_ihl >> 4) != 4)
		return DROP_IP4_VERSION;
	hlen = rte_ipv4_hdr_len(h);
	if (hlen < HDR_MIN || hlen > avail)
		return DROP_IP4_HLEN;
	total = rte_be_to_cpu_16(h->total_length);
	if (total < hlen || total > avail)
		return DROP_IP4_TOTLEN;
	/* Ethernet padding, or RFC 4303 s2.7 padding after an inner packet. */
	if (unlikely(avail != total))
		rte_pktmbuf_trim(m, (uint16_t)(avail - total));
	return DROP_NONE;
}

/* RFC 1122 s3.2.1.3: a source that names no single other host. */
static bool
src_ok(const struct lcore *lc, const struct pkt_meta *pm)
{
	rte_be32_t src = ip_addr_to_v4(&pm->key.remote);
	uint32_t net = rte_be_to_cpu_32(src) >> 24;

	if (net == 0 || net == 127 || net >= 224)
		return false;
	if (route_is_ours(lc, &pm->key.remote, pm->key.realm))
		return false;
	return !route_is_broadcast(lc, src, pm->key.realm);
}

/*
 * RFC 1122 s3.2.1.3: silently discards what is not for this host. s3.3.6: and what came in a
 * link-layer broadcast without an IP one. No protocol here uses broadcast or multicast.
 */
static bool
dst_ok(const struct lcore *lc, const struct pkt_meta *pm)
{
	return (pm->flags & PKT_F_MCAST) == 0 && route_is_ours(lc, &pm->key.local, pm->key.realm);
}

void
ip4_burst(struct lcore *lc)
{
	lc->ip4->last.is_known = false;
}

/*
 * RFC 791 s3.1: the form of options. Source routes are refused (RFC 7126 s4.3, s4.4), any other
 * option is skipped (RFC 1122 s3.2.1.8).
 */
static bool
options_ok(const uint8_t *opt, uint32_t len)
{
	while (len > 0 && opt[0] != OPT_END) {
		uint32_t n = 1;

		if (opt[0] == OPT_LSRR || opt[0] == OPT_SSRR)
			return false;
		if (opt[0] != OPT_NOP) {
			if (len < 2 || opt[1] < 2 || opt[1] > len)
				return false;
			n = opt[1];
		}
		opt += n;
		len -= n;
	}
	return true;
}

/* RFC 1122 s3.2.1.2 */
static bool
csum_ok(const struct rte_ipv4_hdr *h)
{
	uint64_t sum;

	if (unlikely(rte_ipv4_hdr_len(h) != HDR_MIN))
		return csum_finish(csum_add(h, rte_ipv4_hdr_len(h), 0)) == 0;
	sum = csum_word(h, 0) + csum_word(h, 1) + csum_word(h, 2) + csum_word(h, 3) +
	      csum_word(h, 4);
	return csum_finish(csum_fold(sum)) == 0;
}

/* What is right once the lengths are. */
static enum drop_reason
check_header(struct lcore *lc, struct rte_mbuf *m)
{
	struct pkt_meta *pm = pkt_meta(m);
	const struct rte_ipv4_hdr *h = hdr_at(m);
	uint16_t frag;

	if (!csum_ok(h))
		return DROP_IP4_CSUM;
	pm->key.remote = ip_addr_v4(h->src_addr);
	pm->key.local = ip_addr_v4(h->dst_addr);
	if (!src_ok(lc, pm))
		return DROP_IP4_SRC;
	if (!dst_ok(lc, pm))
		return DROP_IP4_DST;
	if (!options_ok((const uint8_t *)(h + 1), (uint32_t)rte_ipv4_hdr_len(h) - HDR_MIN))
		return DROP_IP4_OPTIONS;
	/* RFC 791 s3.1: bit 0 must be zero; what may not be fragmented is no fragment. */
	frag = rte_be_to_cpu_16(h->fragment_offset);
	if ((frag & FLAG_RESERVED) != 0)
		return DROP_IP4_FLAGS;
	if ((frag & RTE_IPV4_HDR_DF_FLAG) != 0 && (frag & FRAG_BITS) != 0)
		return DROP_IP4_FLAGS;
	return DROP_NONE;
}

/* Reads the checked header, which has DF if df says so, into the metadata. */
static enum drop_reason
fill_meta(const struct lcore *lc, struct rte_mbuf *m, const struct rte_ipv4_hdr *h, uint8_t df)
{
	struct pkt_meta *pm = pkt_meta(m);
	uint8_t outer_tos = pm->tos;

	pm->tos = h->type_of_service;
	pm->ttl = h->time_to_live;
	pm->flags = (uint8_t)((pm->flags & ~PKT_F_DF) | df);
	/* Only a tunnel's inner packet arrives here with a tag (F-6). */
	if (!pkt_is_tagged(lc, m))
		return DROP_NONE;
	/* What the port verified was outside. */
	pm->flags &= (uint8_t)~PKT_F_CSUM_OK;
	return ip_decap_ecn(outer_tos, &pm->tos);
}

static bool
is_fragment(const struct rte_mbuf *m)
{
	return (hdr_at(m)->fragment_offset & RTE_BE16(FRAG_BITS)) != 0;
}

/* All fragments of a datagram meet at one worker, whichever of them received each. */
static uint16_t
frag_owner(const struct lcore *lc, const struct rte_mbuf *m)
{
	const struct rte_ipv4_hdr *h = hdr_at(m);
	uint32_t rest = ((uint32_t)h->packet_id << 16) | h->next_proto_id;
	uint32_t hash = rte_jhash_3words(
		h->src_addr, h->dst_addr, rest, OWNER_SEED ^ pkt_meta(m)->key.realm);

	return (uint16_t)(hash % lc->nb_workers);
}

/* The whole datagram, or NULL: the fragment waits, was dropped, or went to its owner. */
static struct rte_mbuf *
reassemble(struct lcore *lc, struct rte_mbuf *m)
{
	if (lc->nb_workers > 1) {
		uint16_t owner = frag_owner(lc, m);

		if (owner != lc->id) {
			msg_handoff(lc, owner, HANDOFF_IP, m);
			return NULL;
		}
	}
	return frag_in(lc, m);
}

static void
deliver(struct lcore *lc, struct rte_mbuf *m, enum pkt_next nx, struct pkt_sort *s)
{
	const struct rte_ipv4_hdr *h = hdr_at(m);
	uint32_t hlen = rte_ipv4_hdr_len(h);

	if (pkt_set_l4(m, h->next_proto_id, pkt_meta(m)->l3_off + hlen,
		    rte_be_to_cpu_16(h->total_length) - hlen))
		pkt_vec_add(&s->v[nx], m);
	else
		pkt_drop(lc, m, DROP_L4_SHORT);
}

/* RFC 4301 s5.2: policy comes before the answer that there is no handler. */
static enum pkt_next
next_of(const struct rte_ipv4_hdr *h)
{
	enum pkt_next nx = pkt_next_of(h->next_proto_id);

	return nx == NX_MAX ? NX_OTHER : nx;
}

static void
read_words(const struct rte_ipv4_hdr *h, uint64_t w[2])
{
	memcpy(w, h, 16);
	w[0] &= LAST_MASK[0];
	w[1] &= LAST_MASK[1];
}

/* Whether m, all of whose lengths are right, was received like the last one and says the same. */
static bool
is_like_last(const struct last_hdr *l, const struct rte_mbuf *m, const struct rte_ipv4_hdr *h)
{
	const struct pkt_meta *pm = pkt_meta(m);
	uint64_t w[2];

	if (!l->is_known || pm->key.realm != l->realm || (pm->flags & PKT_F_MCAST) != 0)
		return false;
	read_words(h, w);
	return w[0] == l->w[0] && w[1] == l->w[1] && h->dst_addr == l->dst;
}

/* Of a whole packet, without options. */
static void
remember(struct last_hdr *l, const struct rte_mbuf *m, enum pkt_next nx)
{
	const struct rte_ipv4_hdr *h = hdr_at(m);
	const struct pkt_meta *pm = pkt_meta(m);

	l->is_known = rte_ipv4_hdr_len(h) == HDR_MIN && (pm->flags & PKT_F_MCAST) == 0;
	read_words(h, l->w);
	l->dst = h->dst_addr;
	l->realm = pm->key.realm;
	l->local = pm->key.local;
	l->remote = pm->key.remote;
	l->nx = nx;
	l->df = pm->flags & PKT_F_DF;
}

/* The packet that m belongs to goes on when it is whole. */
static void
first_in(struct lcore *lc, struct rte_mbuf *m, struct pkt_sort *s)
{
	enum drop_reason r = check_header(lc, m);
	const struct rte_ipv4_hdr *h = hdr_at(m);
	enum pkt_next nx;

	if (r == DROP_NONE)
		r = fill_meta(lc, m, h,
			(h->fragment_offset & RTE_BE16(RTE_IPV4_HDR_DF_FLAG)) != 0 ? PKT_F_DF : 0);
	if (r != DROP_NONE) {
		pkt_drop(lc, m, r);
		return;
	}
	nx = next_of(h);
	if (!is_fragment(m)) {
		remember(&lc->ip4->last, m, nx);
		deliver(lc, m, nx, s);
		return;
	}
	m = reassemble(lc, m);
	if (m != NULL)
		deliver(lc, m, next_of(hdr_at(m)), s);
}

/* The checksum and the ECN field of a tunnel are left to be looked at. */
static void
again_in(struct lcore *lc, struct rte_mbuf *m, struct pkt_sort *s)
{
	const struct last_hdr *l = &lc->ip4->last;
	const struct rte_ipv4_hdr *h = hdr_at(m);
	struct pkt_meta *pm = pkt_meta(m);
	enum drop_reason r = DROP_IP4_CSUM;

	if (csum_ok(h))
		r = fill_meta(lc, m, h, l->df);
	if (r != DROP_NONE) {
		pkt_drop(lc, m, r);
		return;
	}
	pm->key.local = l->local;
	pm->key.remote = l->remote;
	deliver(lc, m, l->nx, s);
}

void
ip4_in(struct lcore *lc, struct rte_mbuf *m, struct pkt_sort *s)
{
	enum drop_reason r = check_lengths(m);

	if (r != DROP_NONE)
		pkt_drop(lc, m, r);
	else if (likely(is_like_last(&lc->ip4->last, m, hdr_at(m))))
		again_in(lc, m, s);
	else
		first_in(lc, m, s);
}

/*
 * RFC 6864 s4.1: what may not be fragmented needs no id. s4.3: of the rest, workers must not give
 * the same one to the same pair of hosts, so each takes its own residue.
 */
static uint16_t
next_id(struct lcore *lc, bool df)
{
	return df ? 0 : (uint16_t)(lc->ip4->next_id++ * lc->nb_workers + lc->id);
}

enum drop_reason
ip4_push(struct lcore *lc, struct rte_mbuf *m, const struct ip_fields *f)
{
	uint32_t w0, w1, w2, src = ip_addr_to_v4(f->src), dst = ip_addr_to_v4(f->dst);
	uint16_t sum;
	char *p;

	if (m->pkt_len + HDR_MIN > UINT16_MAX)
		return DROP_IP_TOOBIG;
	p = rte_pktmbuf_prepend(m, HDR_MIN);
	if (p == NULL)
		return DROP_NOBUF;
	/* RFC 791 s3.1. Words, summed before they are stored: who reads back in another size what
	 * was just written waits until it is in the cache. */
	w0 = rte_cpu_to_be_32(
		(uint32_t)RTE_IPV4_VHL_DEF << 24 | (uint32_t)f->tos << 16 | m->pkt_len);
	w1 = rte_cpu_to_be_32(
		(uint32_t)next_id(lc, f->df) << 16 | (f->df ? RTE_IPV4_HDR_DF_FLAG : 0));
	w2 = rte_cpu_to_be_32(
		(uint32_t)(f->ttl != 0 ? f->ttl : IP_TTL_DEFAULT) << 24 | (uint32_t)f->proto << 16);
	sum = csum_finish(csum_fold((uint64_t)w0 + w1 + w2 + src + dst));
	w2 |= rte_cpu_to_be_32(rte_be_to_cpu_16(sum));
	memcpy(p, &w0, 4);
	memcpy(p + 4, &w1, 4);
	memcpy(p + 8, &w2, 4);
	memcpy(p + 12, &src, 4);
	memcpy(p + 16, &dst, 4);
	pkt_meta(m)->l3_off = 0;
	pkt_meta(m)->place = PKT_READY;
	return DROP_NONE;
}
