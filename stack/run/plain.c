/* SPDX-License-Identifier: BSD-3-Clause */
/* plain.c - makes the IP header that belongs to a plaintext. */
#include "stack/run/plain.h"

#include <rte_ip.h>

#include "stack/base/csum.h"
#include "stack/net/ip.h"

enum { IP4_HLEN = 20, IP6_HLEN = 40, IP6_VERSION = 0x60 };

static void
finish4(struct plain *p, uint8_t proto)
{
	struct rte_ipv4_hdr h;

	memcpy(&h, p->hdr, sizeof(h));
	h.next_proto_id = proto;
	h.total_length = rte_cpu_to_be_16((uint16_t)(p->hlen + p->len));
	h.hdr_checksum = 0;
	memcpy(p->hdr, &h, sizeof(h));
	h.hdr_checksum = csum_finish(csum_add(p->hdr, p->hlen, 0));
	memcpy(p->hdr, &h, sizeof(h));
}

static void
finish6(struct plain *p, uint8_t proto)
{
	rte_be16_t len = rte_cpu_to_be_16((uint16_t)p->len);

	memcpy(p->hdr + 4, &len, sizeof(len));
	p->hdr[6] = proto;
}

static void
header_made(const struct pkt_meta *pm, struct plain *p)
{
	bool outer = pm->tunnel != 0 && pm->nxt != pm->key.proto; /* wrapped already */
	const struct ip_addr *src = outer ? &pm->tun_src : &pm->key.local;
	const struct ip_addr *dst = outer ? &pm->tun_dst : &pm->key.remote;
	uint8_t ttl = pm->ttl != 0 ? pm->ttl : (uint8_t)IP_TTL_DEFAULT;

	memset(p->hdr, 0, sizeof(p->hdr));
	if (ip_addr_is_v4(dst)) {
		struct rte_ipv4_hdr h = {.version_ihl = RTE_IPV4_VHL_DEF,
			.type_of_service = pm->tos,
			.time_to_live = ttl,
			.src_addr = ip_addr_to_v4(src),
			.dst_addr = ip_addr_to_v4(dst)};

		memcpy(p->hdr, &h, sizeof(h));
		p->hlen = IP4_HLEN;
		finish4(p, pm->nxt);
	} else {
		struct ip_addr s = ip_addr_wire(src), d = ip_addr_wire(dst);

		p->hdr[0] = (uint8_t)(IP6_VERSION | pm->tos >> 4);
		p->hdr[1] = (uint8_t)(pm->tos << 4);
		p->hdr[7] = ttl;
		memcpy(p->hdr + 8, s.b, 16);
		memcpy(p->hdr + 24, d.b, 16);
		p->hlen = IP6_HLEN;
		finish6(p, pm->nxt);
	}
}

/* No byte was taken out between the header and what follows. */
static bool
whole(const struct rte_mbuf *m, uint32_t off, uint32_t len, struct plain *p)
{
	p->hlen = 0;
	p->off = off;
	p->len = len;
	return off + len <= m->pkt_len;
}

/* The header at meta's l3_off, made to fit the L4 at l4_off. */
static bool
received(const struct rte_mbuf *m, struct plain *p)
{
	const struct pkt_meta *pm = pkt_meta(m);
	uint32_t version = *pkt_data(m, pm->l3_off) >> 4, hlen = IP6_HLEN;

	if (version == 4)
		hlen = (*pkt_data(m, pm->l3_off) & 15u) * 4;
	if (pm->l4_off < pm->l3_off + hlen) /* L4 is not known (yet), or that of an outer header */
		return whole(m, pm->l3_off, m->pkt_len - pm->l3_off, p);
	if (pm->l4_off == pm->l3_off + hlen)
		return whole(m, pm->l3_off, hlen + pm->l4_len, p);
	p->hlen = hlen;
	p->off = pm->l4_off;
	p->len = pm->l4_len;
	if (hlen < IP4_HLEN || m->data_len < pm->l3_off + hlen || p->off + p->len > m->pkt_len)
		return false;
	memcpy(p->hdr, pkt_data(m, pm->l3_off), hlen);
	if (version == 4)
		finish4(p, pm->nxt);
	else
		finish6(p, pm->nxt);
	return true;
}

static bool
is_ip_at(const struct rte_mbuf *m, uint32_t off)
{
	uint8_t version = m->data_len > off ? *pkt_data(m, off) >> 4 : 0;

	return version == 4 || version == 6;
}

bool
plain_of(const struct rte_mbuf *m, struct plain *p)
{
	const struct pkt_meta *pm = pkt_meta(m);

	switch (pm->place) {
	case PKT_RECEIVED:
		return is_ip_at(m, pm->l3_off) && received(m, p);
	case PKT_READY:
		return is_ip_at(m, pm->l3_off) && whole(m, pm->l3_off, m->pkt_len - pm->l3_off, p);
	case PKT_MADE:
		if (pm->key.proto == 0)
			return false; /* a frame, or nothing yet */
		p->off = 0;
		p->len = m->pkt_len;
		header_made(pm, p);
		return true;
	default:
		return false;
	}
}

uint32_t
plain_copy(const struct plain *p, const struct rte_mbuf *m, uint8_t *to, uint32_t cap)
{
	uint32_t hlen = RTE_MIN(p->hlen, cap), len = RTE_MIN(p->len, cap - hlen);
	const void *from;

	memcpy(to, p->hdr, hlen);
	if (len == 0)
		return hlen;
	from = rte_pktmbuf_read(m, p->off, len, to + hlen);
	if (from == NULL)
		return hlen;
	if (from != to + hlen)
		memcpy(to + hlen, from, len);
	return hlen + len;
}
