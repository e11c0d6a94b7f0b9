/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * ip6.c - the IPv6 header in both directions: checked on what arrives, pushed on what leaves.
 *
 * Extension headers are walked, never acted upon: a host that neither forwards nor routes finds
 * nothing in them but the way to the upper layer, and fragments.
 */
#include "stack/net/ip6.h"

#include <rte_jhash.h>

#include "stack/base/ip6_ext.h"
#include "stack/base/msg.h"
#include "stack/net/frag.h"
#include "stack/net/route.h"

enum {
	OWNER_SEED = 0x74616736, /* the same on every worker, so that they agree on an owner */
	LEN_AT = 4,
	NH_AT = 6,
	HOPS_AT = 7,
	SRC_AT = 8,
	DST_AT = 24,
	ICMP6_MLD_QUERY = 130,
	ICMP6_RS = 133, /* first and last message of neighbour discovery (RFC 4861 s4) */
	ICMP6_REDIRECT = 137,
	TCP_HLEN_AT = 12,
	CODE_FIELD = 0, /* of a parameter problem (RFC 4443 s3.4) */
	CODE_NEXT_HEADER = 1,
};

static const enum drop_reason ext_drop[] = {
	[IP6_EXT_SHORT] = DROP_IP6_EXT_SHORT,
	[IP6_EXT_MANY] = DROP_IP6_EXT_MANY,
	[IP6_EXT_ORDER] = DROP_IP6_EXT_ORDER,
	[IP6_EXT_OPTION] = DROP_IP6_OPTION,
	[IP6_EXT_ROUTING] = DROP_IP6_ROUTING,
};

static uint16_t
get16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static uint8_t *
hdr_at(const struct rte_mbuf *m)
{
	return pkt_data(m, pkt_meta(m)->l3_off);
}

/* The whole packet, after check_lengths(). */
static uint32_t
total_len(const struct rte_mbuf *m)
{
	return (uint32_t)IP6_HLEN + get16(hdr_at(m) + LEN_AT);
}

struct ip_addr
ip6_solicited_node(const struct ip_addr *a)
{
	struct ip_addr g = {.w = {RTE_BE32(0xff020000), 0, RTE_BE32(1), a->w[3]}};

	g.b[12] = 0xff;
	return g;
}

bool
ip6_read_addr(const uint8_t *from, uint8_t port, struct ip_addr *out)
{
	memcpy(out->b, from, sizeof(out->b));
	if (!ip_addr_is_link_local(out))
		return true;
	/* RFC 4291 s2.5.6: zero on the wire, and ours to use. */
	if (out->b[2] != 0 || out->b[3] != 0)
		return false;
	ip_addr_set_scope(out, port);
	return true;
}

/* RFC 8200 s3: where the packet ends; then cuts off what follows. */
static enum drop_reason
check_lengths(struct rte_mbuf *m)
{
	uint32_t off = pkt_meta(m)->l3_off;
	uint32_t avail = m->data_len > off ? m->data_len - off : 0;

	if (avail < IP6_HLEN)
		return DROP_IP6_SHORT;
	if (total_len(m) > avail)
		return DROP_IP6_LEN;
	rte_pktmbuf_trim(m, (uint16_t)(avail - total_len(m)));
	return DROP_NONE;
}

/*
 * RFC 4291 s2.7, s2.5.3, s2.5.2: a source that names no other host. A mapped address (s2.5.5.2)
 * never is on a wire, and here it would pass for IPv4. Who tries an address has none yet, so "::"
 * is left to neighbour discovery.
 */
static bool
src_ok(const struct lcore *lc, const struct pkt_meta *pm)
{
	const struct ip_addr *a = &pm->key.remote;

	if (ip_addr_is_mcast(a) || ip_addr_is_v4(a))
		return false;
	if (a->q[0] == 0 && a->q[1] == rte_cpu_to_be_64(1))
		return false;
	return !route_is_ours(lc, a, pm->key.realm);
}

/*
 * RFC 4291 s2.8: the groups of a host that offers no service to groups, both of link-local scope.
 * An address that is being tried has its group already (RFC 4862 s5.4.2).
 */
static bool
is_our_group(const struct port *p, const struct ip_addr *a)
{
	static const struct ip_addr all_nodes = {.w = {RTE_BE32(0xff020000), 0, 0, RTE_BE32(1)}};

	if (ip_addr_eq(a, &all_nodes))
		return true;
	for (uint32_t i = 0; i < p->nb_addrs; i++) {
		struct ip_addr g = ip6_solicited_node(&p->addr[i].addr);

		if (p->addr[i].state != ADDR_NONE && !ip_addr_is_v4(&p->addr[i].addr) &&
			ip_addr_eq(a, &g))
			return true;
	}
	return false;
}

/* A unicast address in a link-layer multicast is no mistake worth an answer. */
static bool
dst_ok(const struct lcore *lc, const struct rte_mbuf *m)
{
	struct pkt_meta *pm = pkt_meta(m);

	if (!ip_addr_is_mcast(&pm->key.local))
		return (pm->flags & PKT_F_MCAST) == 0 &&
		       route_is_ours(lc, &pm->key.local, pm->key.realm);
	pm->flags |= PKT_F_MCAST;
	return !pkt_is_tagged(lc, m) && is_our_group(lc->port[pm->port], &pm->key.local);
}

static enum drop_reason
check_header(const struct lcore *lc, struct rte_mbuf *m)
{
	struct pkt_meta *pm = pkt_meta(m);
	enum drop_reason r = check_lengths(m);
	const uint8_t *h = hdr_at(m);

	if (r != DROP_NONE)
		return r;
	if (!ip6_read_addr(h + SRC_AT, pm->port, &pm->key.remote) || !src_ok(lc, pm))
		return DROP_IP6_SRC;
	if (!ip6_read_addr(h + DST_AT, pm->port, &pm->key.local) || !dst_ok(lc, m))
		return DROP_IP6_DST;
	return DROP_NONE;
}

/* Reads the checked header into the metadata. */
static enum drop_reason
fill_meta(const struct lcore *lc, struct rte_mbuf *m)
{
	const uint8_t *h = hdr_at(m);
	struct pkt_meta *pm = pkt_meta(m);
	uint8_t outer_tos = pm->tos;

	pm->tos = (uint8_t)(get16(h) >> 4);
	pm->ttl = h[HOPS_AT];
	pm->flags |= PKT_F_DF; /* RFC 8200 s5: no router fragments */
	pm->problem_why = DROP_NONE;
	/* Only a tunnel's inner packet arrives here with a tag (F-6). */
	if (!pkt_is_tagged(lc, m))
		return DROP_NONE;
	/* What the port verified was outside. */
	pm->flags &= (uint8_t)~PKT_F_CSUM_OK;
	return ip_decap_ecn(outer_tos, &pm->tos);
}

/*
 * A packet that goes no further. If an ICMP error is due, policy comes first (RFC 4301 s5.2): it
 * is asked about the addresses alone, because nobody knows what the packet carries.
 */
static void
refuse(struct lcore *lc, struct rte_mbuf *m, enum drop_reason why, const struct ip6_upper *u,
	struct pkt_sort *s)
{
	struct pkt_meta *pm = pkt_meta(m);
	bool group = (pm->flags & PKT_F_MCAST) != 0;

	if (u->problem == IP6_PROBLEM_NONE || (group && u->problem == IP6_PROBLEM_UNICAST)) {
		pkt_drop(lc, m, why);
		return;
	}
	pkt_set_l4(m, IPPROTO_N_NONE, pm->l3_off + (uint32_t)IP6_HLEN, total_len(m) - IP6_HLEN);
	pm->problem_why = (uint8_t)why;
	pm->problem_code = u->code;
	pm->problem_at = u->pointer;
	pkt_vec_add(&s->v[NX_OTHER], m);
}

/*
 * RFC 7112 s5: the first fragment holds the whole header chain, the upper layer's own header
 * included; else a filter could not tell what it is.
 */
static bool
chain_is_whole(const uint8_t *h, uint32_t len, const struct ip6_upper *u)
{
	uint32_t left = len - u->off;

	switch (u->nxt) {
	case IPPROTO_N_TCP:
		return left >= 20 && left >= (uint32_t)(h[u->off + TCP_HLEN_AT] >> 4) * 4;
	case IPPROTO_N_SCTP:
		return left >= 12;
	case IPPROTO_N_UDP:
	case IPPROTO_N_ICMP6:
	case IPPROTO_N_ESP:
		return left >= 8;
	default:
		return left > 0;
	}
}

/* What can be said about a fragment alone; IP6_PROBLEM_NONE in u unless an error is due. */
static enum drop_reason
check_fragment(const uint8_t *h, uint32_t len, struct ip6_upper *u)
{
	uint32_t bytes = len - u->frag_off - IP6_FRAG_HLEN;

	u->code = CODE_FIELD;
	/* RFC 8200 s4.5: all fragments but the last are whole units of 8 bytes. */
	if (u->more && bytes % 8 != 0) {
		u->problem = IP6_PROBLEM_UNICAST;
		u->pointer = LEN_AT;
		return DROP_FRAG_SHORT;
	}
	if (bytes == 0)
		return DROP_FRAG_SHORT;
	if (u->frag_off - (uint32_t)IP6_HLEN + u->frag_data + bytes > UINT16_MAX) {
		u->problem = IP6_PROBLEM_UNICAST;
		u->pointer = (uint16_t)(u->frag_off + 2);
		return DROP_FRAG_RANGE;
	}
	if (u->frag_data == 0 && !chain_is_whole(h, len, u))
		return DROP_FRAG_CHAIN;
	return DROP_NONE;
}

/* RFC 6946 s4: a fragment that is alone is no fragment; others of the same id do not touch it. */
static struct rte_mbuf *
strip_atomic(struct rte_mbuf *m, const struct ip6_upper *u)
{
	struct pkt_meta *pm = pkt_meta(m);
	uint8_t *h = hdr_at(m);
	uint16_t len = (uint16_t)(get16(h + LEN_AT) - IP6_FRAG_HLEN);

	h[u->unfrag_nh] = h[u->frag_off];
	h[LEN_AT] = (uint8_t)(len >> 8);
	h[LEN_AT + 1] = (uint8_t)len;
	memmove(h + IP6_FRAG_HLEN, h, u->frag_off);
	pm->l3_off = (uint16_t)(pm->l3_off + IP6_FRAG_HLEN);
	pm->flags |= PKT_F_REASS;
	return m;
}

/* All fragments of a datagram meet at one worker, whichever of them received each. */
static uint16_t
frag_owner(const struct lcore *lc, const struct rte_mbuf *m, const struct ip6_upper *u)
{
	uint32_t word[9];

	memcpy(word, hdr_at(m) + SRC_AT, 32);
	memcpy(&word[8], hdr_at(m) + u->frag_off + 4, 4);
	return (uint16_t)(rte_jhash_32b(word, 9, OWNER_SEED ^ pkt_meta(m)->key.realm) %
			  lc->nb_workers);
}

/* The packet without a fragment header, or NULL: it waits, was dropped, or went to its owner. */
static struct rte_mbuf *
fragment_in(struct lcore *lc, struct rte_mbuf *m, struct ip6_upper *u, struct pkt_sort *s)
{
	enum drop_reason r = check_fragment(hdr_at(m), total_len(m), u);

	if (r != DROP_NONE) {
		refuse(lc, m, r, u, s);
		return NULL;
	}
	if (u->frag_data == 0 && !u->more)
		return strip_atomic(m, u);
	if (lc->nb_workers > 1) {
		uint16_t owner = frag_owner(lc, m, u);

		if (owner != lc->id) {
			msg_handoff(lc, owner, HANDOFF_IP, m);
			return NULL;
		}
	}
	return frag_in(lc, m);
}

static bool
is_nd(const struct rte_mbuf *m, const struct ip6_upper *u)
{
	uint8_t type;

	if (u->nxt != IPPROTO_N_ICMP6 || u->off >= total_len(m))
		return false;
	type = hdr_at(m)[u->off];
	return type == ICMP6_MLD_QUERY || (type >= ICMP6_RS && type <= ICMP6_REDIRECT);
}

/* RFC 4861 s11: what a tunnel brings says nothing about the link. */
static void
deliver_nd(struct lcore *lc, struct rte_mbuf *m, struct pkt_sort *s)
{
	if (pkt_is_tagged(lc, m))
		pkt_drop(lc, m, DROP_ND_TUNNEL);
	else if ((pkt_meta(m)->flags & PKT_F_REASS) != 0)
		pkt_drop(lc, m, DROP_ND_FRAG);
	else
		pkt_vec_add(&s->v[NX_ND], m);
}

/* What may not go to a transport, by its addresses. */
static enum drop_reason
check_upper(const struct pkt_meta *pm, const struct ip6_upper *u)
{
	if (u->nxt == IPPROTO_N_NONE)
		return DROP_IP6_NONE;
	if (ip_addr_is_any(&pm->key.remote))
		return DROP_IP6_SRC;
	if ((pm->flags & PKT_F_MCAST) != 0 && u->nxt != IPPROTO_N_ICMP6)
		return DROP_IP6_DST;
	return DROP_NONE;
}

static void
deliver(struct lcore *lc, struct rte_mbuf *m, const struct ip6_upper *u, struct pkt_sort *s)
{
	struct pkt_meta *pm = pkt_meta(m);
	enum pkt_next nx = pkt_next_of(u->nxt);
	bool fits = pkt_set_l4(m, u->nxt, pm->l3_off + (uint32_t)u->off, total_len(m) - u->off);
	enum drop_reason r;

	if (!fits) {
		pkt_drop(lc, m, DROP_L4_SHORT);
		return;
	}
	if (is_nd(m, u)) {
		deliver_nd(lc, m, s);
		return;
	}
	r = check_upper(pm, u);
	if (r != DROP_NONE) {
		pkt_drop(lc, m, r);
		return;
	}
	pm->problem_code = CODE_NEXT_HEADER;
	pm->problem_at = u->unfrag_nh;
	/* RFC 4301 s5.2: policy comes before the answer that there is no handler. */
	pkt_vec_add(&s->v[nx == NX_MAX ? NX_OTHER : nx], m);
}

/* False if the headers lead nowhere; m was taken then. */
static bool
walk(struct lcore *lc, struct rte_mbuf *m, struct ip6_upper *u, struct pkt_sort *s)
{
	enum ip6_ext_error e = ip6_ext_walk(hdr_at(m), total_len(m), u);

	if (e == IP6_EXT_OK)
		return true;
	refuse(lc, m, ext_drop[e], u, s);
	return false;
}

void
ip6_in(struct lcore *lc, struct rte_mbuf *m, struct pkt_sort *s)
{
	enum drop_reason r = check_header(lc, m);
	struct ip6_upper u;

	if (r == DROP_NONE)
		r = fill_meta(lc, m);
	if (r != DROP_NONE) {
		pkt_drop(lc, m, r);
		return;
	}
	if (!walk(lc, m, &u, s))
		return;
	if (u.frag_off != 0) {
		m = fragment_in(lc, m, &u, s);
		if (m == NULL || !walk(lc, m, &u, s))
			return;
	}
	if (u.frag_off != 0)
		pkt_drop(lc, m, DROP_IP6_EXT_ORDER);
	else
		deliver(lc, m, &u, s);
}

/*
 * RFC 8200 s3. DEVIATION: no flow label (RFC 6437 s3 asks sources to choose one); nothing on our
 * side balances by it, and under ESP it would tell flows apart.
 */
enum drop_reason
ip6_push(struct rte_mbuf *m, const struct ip_fields *f)
{
	uint32_t len = m->pkt_len;
	struct ip_addr src = ip_addr_wire(f->src), dst = ip_addr_wire(f->dst);
	uint8_t *h;

	if (len > UINT16_MAX)
		return DROP_IP_TOOBIG;
	h = (uint8_t *)rte_pktmbuf_prepend(m, IP6_HLEN);
	if (h == NULL)
		return DROP_NOBUF;
	h[0] = (uint8_t)(0x60 | f->tos >> 4);
	h[1] = (uint8_t)(f->tos << 4);
	h[2] = h[3] = 0;
	h[LEN_AT] = (uint8_t)(len >> 8);
	h[LEN_AT + 1] = (uint8_t)len;
	h[NH_AT] = f->proto;
	h[HOPS_AT] = f->ttl != 0 ? f->ttl : (uint8_t)IP_TTL_DEFAULT;
	memcpy(h + SRC_AT, src.b, 16);
	memcpy(h + DST_AT, dst.b, 16);
	pkt_meta(m)->l3_off = 0;
	pkt_meta(m)->place = PKT_READY;
	return DROP_NONE;
}
