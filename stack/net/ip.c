/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * ip.c - the IP stages: each packet goes to the files of its version.
 *
 * Receive: after the link layer, and again after each tunnel decapsulation; hands ESP and L4 on.
 * Transmit: the inner header before ESP (tunnel mode), the outer one after it; then the link
 * layer. Fragments pass through the reassembly on the way in, big packets are cut on the way out.
 */
#include "stack/net/ip.h"

#include "stack/net/eth.h"
#include "stack/net/frag.h"
#include "stack/net/ip4.h"
#include "stack/net/ip6.h"
#include "stack/net/route.h"

enum { ECN_NOT_ECT = 0, ECN_ECT1 = 1 };

enum drop_reason
ip_decap_ecn(uint8_t outer_tos, uint8_t *tos)
{
	uint8_t outer = outer_tos & IP_ECN_MASK, inner = *tos & IP_ECN_MASK;

	if (inner == ECN_NOT_ECT)
		return outer == IP_ECN_CE ? DROP_IP_ECN : DROP_NONE;
	if (outer == IP_ECN_CE || (outer == ECN_ECT1 && inner != IP_ECN_CE))
		*tos = (uint8_t)((*tos & ~IP_ECN_MASK) | outer);
	return DROP_NONE;
}

/* What is too short to say its version is left to IPv4, whose checks end it. */
static bool
is_version_6(const struct rte_mbuf *m)
{
	uint32_t off = pkt_meta(m)->l3_off;

	return m->data_len > off && *pkt_data(m, off) >> 4 == 6;
}

void
ip_in(struct lcore *lc, struct pkt_sort *s)
{
	struct pkt_vec in;

	pkt_vec_take(&s->v[NX_IP], &in);
	ip4_burst(lc);
	for (uint32_t i = 0; i < in.n; i++) {
		if (is_version_6(in.m[i]))
			ip6_in(lc, in.m[i], s);
		else
			ip4_in(lc, in.m[i], s);
	}
}

static enum drop_reason
push_header(struct lcore *lc, struct rte_mbuf *m, const struct ip_fields *f)
{
	return ip_addr_is_v4(f->dst) ? ip4_push(lc, m, f) : ip6_push(m, f);
}

static struct ip_fields
inner_fields(const struct pkt_meta *pm)
{
	return (struct ip_fields){
		.src = &pm->key.local,
		.dst = &pm->key.remote,
		.proto = pm->nxt,
		.tos = pm->tos,
		.ttl = pm->ttl,
		.df = (pm->flags & PKT_F_DF) != 0,
	};
}

/*
 * RFC 4301 s5.1.2.1, s5.1.2.2: DSCP and DF copied from the inner header, TTL our own, protocol ESP;
 * ECN copied (RFC 6040 s4.1, normal mode).
 */
static struct ip_fields
outer_fields(const struct pkt_meta *pm)
{
	struct ip_fields f = inner_fields(pm);

	if (pm->tunnel != 0) {
		f.src = &pm->tun_src;
		f.dst = &pm->tun_dst;
		f.ttl = IP_TTL_DEFAULT;
	}
	return f;
}

static enum drop_reason
push_inner(struct lcore *lc, struct rte_mbuf *m)
{
	struct pkt_meta *pm = pkt_meta(m);
	struct ip_fields f = inner_fields(pm);
	enum drop_reason r = push_header(lc, m, &f);

	pm->nxt = ip_addr_is_v4(f.dst) ? IPPROTO_N_IPIP : IPPROTO_N_IPV6;
	return r;
}

void
ip_out_inner(struct lcore *lc, struct pkt_vec *v)
{
	uint32_t kept = 0;

	for (uint32_t i = 0; i < v->n; i++) {
		struct rte_mbuf *m = v->m[i];
		enum drop_reason r = pkt_meta(m)->tunnel == 0 ? DROP_NONE : push_inner(lc, m);

		if (r == DROP_NONE)
			v->m[kept++] = m;
		else
			pkt_drop(lc, m, r);
	}
	v->n = kept;
}

/* Fragments may outnumber what the vector holds: then what is ready leaves at once, in order. */
static void
emit(struct lcore *lc, struct rte_mbuf *m, void *arg)
{
	struct pkt_vec *v = arg;

	if (v->n == PKT_BURST)
		eth_out(lc, v);
	pkt_vec_add(v, m);
}

/*
 * F-29: no route leads out of a packet's realm. A packet to one of our own addresses would come
 * back through the wire as a forgery.
 */
static bool
find_route(const struct lcore *lc, const struct pkt_meta *pm, const struct ip_addr *dst,
	struct route *r)
{
	if (route_find(lc, dst, r) != 0 || lc->port[r->port]->realm != pm->key.realm)
		return false;
	return !route_is_ours(lc, dst, pm->key.realm);
}

/* The route of the packet before; the next one of a burst often goes the same way. */
struct last_route {
	struct route route;
	struct ip_addr dst;
	uint32_t realm;
	bool is_known;
};

static bool
find_route_again(const struct lcore *lc, const struct pkt_meta *pm, const struct ip_addr *dst,
	struct last_route *last)
{
	if (last->is_known && last->realm == pm->key.realm && ip_addr_eq(&last->dst, dst))
		return true;
	last->is_known = find_route(lc, pm, dst, &last->route);
	last->dst = *dst;
	last->realm = pm->key.realm;
	return last->is_known;
}

/* Whether m, or each of what the port cuts it into, is no larger than the path takes. */
static bool
fits_path(const struct rte_mbuf *m, uint32_t l4_bytes, uint32_t mtu_bytes)
{
	if (likely((pkt_meta(m)->flags & PKT_F_PARTIAL) == 0) || m->tso_segsz == 0)
		return m->pkt_len <= mtu_bytes;
	return m->pkt_len - l4_bytes + m->l4_len + m->tso_segsz <= mtu_bytes;
}

static void
packet_out(struct lcore *lc, struct rte_mbuf *m, struct pkt_vec *v, struct last_route *last)
{
	struct pkt_meta *pm = pkt_meta(m);
	struct ip_fields f = outer_fields(pm);
	uint32_t l4_bytes = m->pkt_len;
	const struct route *route = &last->route;
	enum drop_reason r;

	if (!find_route_again(lc, pm, f.dst, last)) {
		pkt_drop(lc, m, DROP_ROUTE_NONE);
		return;
	}
	r = push_header(lc, m, &f);
	if (r == DROP_NONE && f.df && !fits_path(m, l4_bytes, route->mtu_bytes))
		r = DROP_IP_TOOBIG;
	if (r != DROP_NONE) {
		pkt_drop(lc, m, r);
		return;
	}
	pm->l3_off = 0;
	pm->l4_off = (uint16_t)(m->pkt_len - l4_bytes);
	pm->port = route->port;
	pm->nexthop = route->nexthop;
	if (unlikely((pm->flags & PKT_F_PARTIAL) != 0))
		m->l3_len = pm->l4_off & 0x1ffu;
	if (fits_path(m, l4_bytes, route->mtu_bytes))
		emit(lc, m, v);
	else
		frag_out(lc, m, route->mtu_bytes, emit, v);
}

void
ip_out(struct lcore *lc, struct pkt_vec *v)
{
	struct last_route last = {.is_known = false};
	struct pkt_vec in;

	pkt_vec_take(v, &in);
	for (uint32_t i = 0; i < in.n; i++)
		packet_out(lc, in.m[i], v, &last);
}
