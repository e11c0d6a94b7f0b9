/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * except_out.c - packets from the host's kernel: checked, routed, sent in clear.
 *
 * The IP header stays the kernel's (it may be that of a fragment), so they join the transmit path
 * behind the IP stage. Policy is asked here for all but IKE, and only BYPASS lets a packet go.
 */
#include <unistd.h>
#include <rte_ip.h>

#include "stack/net/frag.h"
#include "stack/net/route.h"
#include "stack/run/except_int.h"

enum { IP4_HLEN = 20, IP6_HLEN = 40, IP6_FRAG_HLEN = 8, PROTO_FRAGMENT = 44, PROTO_AH = 51 };
enum { FIRST_NS = 1000000000 };

/* What must be known of it beside its metadata. */
struct host_pkt {
	bool is_fragment;
	bool is_later; /* a fragment without the L4 header */
	bool df;
	uint32_t id; /* of the datagram that it is a fragment of */
};

static bool
parse4(struct rte_mbuf *m, struct host_pkt *h)
{
	struct pkt_meta *pm = pkt_meta(m);
	struct rte_ipv4_hdr ip;
	uint32_t hlen, total;
	uint16_t frag;

	if (m->data_len < IP4_HLEN)
		return false;
	memcpy(&ip, pkt_data(m, 0), sizeof(ip));
	hlen = rte_ipv4_hdr_len(&ip);
	total = rte_be_to_cpu_16(ip.total_length);
	if (hlen < IP4_HLEN || hlen > total || total != m->data_len)
		return false;
	frag = rte_be_to_cpu_16(ip.fragment_offset);
	h->df = (frag & RTE_IPV4_HDR_DF_FLAG) != 0;
	h->is_later = (frag & RTE_IPV4_HDR_OFFSET_MASK) != 0;
	h->is_fragment = h->is_later || (frag & RTE_IPV4_HDR_MF_FLAG) != 0;
	h->id = ip.packet_id;
	pm->key.local = ip_addr_v4(ip.src_addr);
	pm->key.remote = ip_addr_v4(ip.dst_addr);
	pm->nxt = ip.next_proto_id;
	pm->tos = ip.type_of_service;
	pm->l4_off = (uint16_t)hlen;
	return true;
}

static bool
parse6(struct rte_mbuf *m, struct host_pkt *h)
{
	struct pkt_meta *pm = pkt_meta(m);
	const uint8_t *p = pkt_data(m, 0);

	if (m->data_len < IP6_HLEN || ((uint32_t)p[4] << 8 | p[5]) + IP6_HLEN != m->data_len)
		return false;
	memcpy(pm->key.local.b, p + 8, 16);
	memcpy(pm->key.remote.b, p + 24, 16);
	pm->nxt = p[6];
	pm->tos = (uint8_t)(p[0] << 4 | p[1] >> 4);
	pm->l4_off = IP6_HLEN;
	if (pm->nxt != PROTO_FRAGMENT)
		return true;
	if (m->data_len < IP6_HLEN + IP6_FRAG_HLEN)
		return false;
	pm->nxt = p[IP6_HLEN];
	pm->l4_off += IP6_FRAG_HLEN;
	h->is_fragment = true;
	memcpy(&h->id, p + IP6_HLEN + 4, 4);
	h->is_later = ((uint32_t)p[IP6_HLEN + 2] << 8 | (p[IP6_HLEN + 3] & 0xf8u)) != 0;
	return true;
}

static bool
parse(const struct lcore *lc, const struct except_if *x, struct rte_mbuf *m, struct host_pkt *h)
{
	const struct port *p = lc->port[x->conf->port];
	uint8_t version = m->data_len == 0 ? 0 : *pkt_data(m, 0) >> 4;
	struct pkt_meta *pm = pkt_meta(m);

	pm->place = PKT_READY;
	pm->port = x->conf->port;
	pm->key.realm = p->realm;
	if (!(version == 4 ? parse4(m, h) : version == 6 && parse6(m, h)))
		return false;
	ip_addr_set_scope(&pm->key.local, p->index);
	ip_addr_set_scope(&pm->key.remote, p->index);
	pm->key.proto = pm->nxt;
	pm->l4_len = (uint16_t)(m->data_len - pm->l4_off);
	if (h->is_later || !proto_has_ports(pm->nxt))
		return true;
	if (pm->l4_len < 4)
		return false;
	memcpy(&pm->key.lport, pkt_data(m, pm->l4_off), 2);
	memcpy(&pm->key.rport, pkt_data(m, pm->l4_off + 2u), 2);
	return true;
}

static bool
is_no_host(const struct lcore *lc, const struct ip_addr *a, uint32_t realm)
{
	if (ip_addr_is_mcast(a) || ip_addr_is_any(a))
		return true;
	return ip_addr_is_v4(a) && route_is_broadcast(lc, ip_addr_to_v4(a), realm);
}

/* RFC 4301 s7: a later fragment shows no ports, so it may only follow a first one that was IKE. */
static bool
first_passed(const struct lcore *lc, const struct except_if *x, const struct rte_mbuf *m,
	const struct host_pkt *h)
{
	const struct flow_key *k = &pkt_meta(m)->key;

	for (uint32_t i = 0; i < EXCEPT_FIRSTS; i++) {
		const struct except_first *f = &x->first[i];

		if (f->id == h->id && lc->now_ns < f->until_ns &&
			ip_addr_eq(&f->local, &k->local) && ip_addr_eq(&f->remote, &k->remote))
			return true;
	}
	return false;
}

static void
remember_first(const struct lcore *lc, struct except_if *x, const struct rte_mbuf *m,
	const struct host_pkt *h)
{
	const struct flow_key *k = &pkt_meta(m)->key;

	x->first[x->next_first++ % EXCEPT_FIRSTS] =
		(struct except_first){k->local, k->remote, h->id, lc->now_ns + FIRST_NS};
}

static enum except_kind
kind_out(const struct lcore *lc, struct except_if *x, const struct rte_mbuf *m,
	const struct host_pkt *h)
{
	const struct pkt_meta *pm = pkt_meta(m);
	enum except_kind kind;

	if (h->is_later)
		return pm->nxt == IPPROTO_N_UDP && first_passed(lc, x, m, h) ? EXCEPT_IKE
									     : EXCEPT_NOT;
	kind = except_kind_of(x->conf, &pm->key, pkt_data(m, pm->l4_off), pm->l4_len);
	if (kind == EXCEPT_IKE && h->is_fragment)
		remember_first(lc, x, m, h);
	return kind;
}

/* Whether the host may send this in clear. */
static enum drop_reason
judge(struct lcore *lc, struct except_if *x, const struct rte_mbuf *m, const struct host_pkt *h)
{
	const struct pkt_meta *pm = pkt_meta(m);
	const struct spd_rule *r;

	if (!route_is_ours(lc, &pm->key.local, pm->key.realm))
		return DROP_EXCEPT_SRC;
	if (is_no_host(lc, &pm->key.remote, pm->key.realm))
		return DROP_EXCEPT_DST;
	if (pm->nxt == PROTO_AH)
		return DROP_EXCEPT_ESP;
	switch (kind_out(lc, x, m, h)) {
	case EXCEPT_IKE:
		return DROP_NONE;
	case EXCEPT_ESP:
		return DROP_EXCEPT_ESP;
	case EXCEPT_LISTED:
		break;
	default:
		return DROP_EXCEPT_UNLISTED;
	}
	/* A connection of this stack is not the host's to speak for. */
	if (flow_find(lc, &pm->key) != NULL)
		return DROP_EXCEPT_UNLISTED;
	r = spd_find(lc, SPD_OUT, &pm->key);
	return r != NULL && r->action == SPD_BYPASS ? DROP_NONE : DROP_SPD_DISCARD_OUT;
}

static void
emit(struct lcore *lc, struct rte_mbuf *m, void *arg)
{
	struct pkt_vec *v = arg;

	if (v->n == PKT_BURST)
		tx_ready(lc, v);
	pkt_vec_add(v, m);
}

/* As ip_out() does it. */
static enum drop_reason
send_on(struct lcore *lc, struct rte_mbuf *m, const struct host_pkt *h, struct pkt_vec *v)
{
	struct pkt_meta *pm = pkt_meta(m);
	struct route route;

	if (route_find(lc, &pm->key.remote, &route) != 0 ||
		lc->port[route.port]->realm != pm->key.realm ||
		route_is_ours(lc, &pm->key.remote, pm->key.realm))
		return DROP_ROUTE_NONE;
	if (m->pkt_len > route.mtu_bytes && (h->df || h->is_fragment))
		return DROP_IP_TOOBIG;
	pm->port = route.port;
	pm->nexthop = route.nexthop;
	lc_count(lc, ST_EXCEPT_OUT);
	if (m->pkt_len > route.mtu_bytes)
		frag_out(lc, m, route.mtu_bytes, emit, v);
	else
		emit(lc, m, v);
	return DROP_NONE;
}

static void
one(struct lcore *lc, struct except_if *x, struct rte_mbuf *m, struct pkt_vec *v)
{
	struct host_pkt h = {.df = false};
	enum drop_reason r = DROP_EXCEPT_BAD;

	if (parse(lc, x, m, &h))
		r = judge(lc, x, m, &h);
	if (r == DROP_NONE)
		r = send_on(lc, m, &h, v);
	if (r == DROP_NONE) {
		x->nb_from_host++;
		return;
	}
	x->nb_dropped++;
	pkt_drop(lc, m, r);
}

/* NULL: nothing is there. */
static struct rte_mbuf *
read_one(struct lcore *lc, const struct except_if *x)
{
	struct rte_mbuf *m = pkt_alloc(lc);
	ssize_t n;

	if (m == NULL)
		return NULL;
	n = read(x->fd, pkt_data(m, 0), rte_pktmbuf_tailroom(m));
	if (n <= 0) {
		rte_pktmbuf_free(m);
		return NULL;
	}
	rte_pktmbuf_append(m, (uint16_t)n);
	return m;
}

/* The longer it is quiet, the more seldom it is asked: each look is a system call. */
static uint64_t
pause_ns(const struct lcore *lc, const struct except_if *x)
{
	uint64_t quiet = (lc->now_ns - x->heard_ns) / 8;

	return RTE_MIN(RTE_MAX(quiet, (uint64_t)EXCEPT_POLL_MIN_NS), (uint64_t)EXCEPT_POLL_MAX_NS);
}

uint32_t
except_read(struct lcore *lc, struct except_if *x)
{
	uint32_t room = RTE_MIN(port_room(lc), (uint32_t)EXCEPT_BUDGET), n = 0;
	struct pkt_vec v = {.n = 0};
	struct rte_mbuf *m;

	while (n < room && (m = read_one(lc, x)) != NULL) {
		one(lc, x, m, &v);
		n++;
	}
	tx_ready(lc, &v);
	if (n > 0)
		x->heard_ns = lc->now_ns;
	x->next_ns = n == EXCEPT_BUDGET ? lc->now_ns : lc->now_ns + pause_ns(lc, x);
	return n;
}
