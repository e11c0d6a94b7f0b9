/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * eth.c - Ethernet II framing (RFC 894) with an optional 802.1Q tag.
 *
 * Called first on receive and last on transmit. IP goes on to the IP stage, ARP ends here. A port
 * without a link layer (bare_ip) passes through untouched.
 */
#include "stack/net/eth.h"

#include <rte_byteorder.h>
#include <rte_ether.h>

#include "stack/net/arp.h"
#include "stack/net/nd.h"

enum {
	VLAN_HDR_LEN = 4,
	VLAN_VID_MASK = 0xfff,
};

/* What a frame's link header said. */
struct link {
	uint32_t len; /* of the header, the 802.1Q tag included */
	uint16_t type;
	bool group_dst;
};

/*
 * 802.1Q-2022 s6.9.1: a frame without a tag and one with VLAN id 0 (priority tag) belong to the
 * port's untagged network; any other id must be the configured one.
 */
static enum drop_reason
parse_vlan(const struct port *p, const struct rte_mbuf *m, struct link *l)
{
	rte_be16_t tag[2] = {0, 0};
	uint16_t vid = 0;

	if (l->type == RTE_ETHER_TYPE_VLAN) {
		if (m->data_len < l->len + VLAN_HDR_LEN)
			return DROP_ETH_SHORT;
		memcpy(tag, pkt_data(m, l->len), sizeof(tag));
		vid = rte_be_to_cpu_16(tag[0]) & VLAN_VID_MASK;
		l->type = rte_be_to_cpu_16(tag[1]);
		l->len += VLAN_HDR_LEN;
	}
	return vid == p->vlan ? DROP_NONE : DROP_ETH_VLAN;
}

static enum drop_reason
parse(const struct port *p, const struct rte_mbuf *m, struct link *l)
{
	const struct rte_ether_hdr *h = (const struct rte_ether_hdr *)pkt_data(m, 0);

	if (m->data_len < sizeof(*h))
		return DROP_ETH_SHORT;
	/* IEEE 802: a group address never names a sender. */
	if (rte_is_multicast_ether_addr(&h->src_addr))
		return DROP_ETH_SRC;
	l->group_dst = rte_is_multicast_ether_addr(&h->dst_addr);
	if (!l->group_dst && !rte_is_same_ether_addr(&h->dst_addr, &p->mac))
		return DROP_ETH_NOT_OURS;
	l->type = rte_be_to_cpu_16(h->ether_type);
	l->len = sizeof(*h);
	return parse_vlan(p, m, l);
}

/* RFC 894, RFC 2464 s3: the type says the version; the IP stage reads it from the header alone. */
static void
ip_in_frame(struct lcore *lc, struct rte_mbuf *m, const struct link *l, struct pkt_sort *s)
{
	bool type_6 = l->type == RTE_ETHER_TYPE_IPV6;
	bool is_6 = m->data_len > l->len && *pkt_data(m, l->len) >> 4 == 6;

	if (type_6 && !lc->port[pkt_meta(m)->port]->ip6)
		pkt_drop(lc, m, DROP_ETH_TYPE);
	else if (type_6 == is_6)
		pkt_vec_add(&s->v[NX_IP], m);
	else
		pkt_drop(lc, m, type_6 ? DROP_IP6_VERSION : DROP_IP4_VERSION);
}

static void
frame_in(struct lcore *lc, struct rte_mbuf *m, struct pkt_sort *s)
{
	struct pkt_meta *pm = pkt_meta(m);
	struct port *p = lc->port[pm->port];
	struct link l = {0};
	enum drop_reason r;

	pm->key.realm = p->realm;
	pm->l3_off = 0;
	/* Later stages read headers in place; a driver's chain becomes one buffer. */
	if (m->nb_segs > 1 && rte_pktmbuf_linearize(m) != 0) {
		pkt_drop(lc, m, DROP_NOBUF);
		return;
	}
	if (p->bare_ip) {
		pm->place = PKT_RECEIVED;
		pkt_vec_add(&s->v[NX_IP], m);
		return;
	}
	r = parse(p, m, &l);
	if (r != DROP_NONE) {
		pkt_drop(lc, m, r);
		return;
	}
	if (l.group_dst)
		pm->flags |= PKT_F_MCAST;
	pm->l3_off = (uint16_t)l.len;
	pm->place = PKT_RECEIVED;
	if (l.type == RTE_ETHER_TYPE_IPV4 || l.type == RTE_ETHER_TYPE_IPV6) {
		ip_in_frame(lc, m, &l, s);
	} else if (l.type == RTE_ETHER_TYPE_ARP) {
		arp_in(lc, p, m, l.len);
	} else {
		pkt_drop(lc, m, DROP_ETH_TYPE);
	}
}

void
eth_in(struct lcore *lc, struct pkt_vec *in, struct pkt_sort *s)
{
	for (uint32_t i = 0; i < in->n; i++)
		frame_in(lc, in->m[i], s);
	in->n = 0;
}

bool
eth_push(const struct port *p, struct rte_mbuf *m, const struct rte_ether_addr *dst,
	uint16_t ethertype)
{
	const uint32_t hlen = sizeof(struct rte_ether_hdr);
	rte_be16_t type;
	bool tagged = p->vlan != 0;
	char *at;

	if (p->bare_ip)
		return true;
	at = rte_pktmbuf_prepend(m, (uint16_t)(hlen + (tagged ? VLAN_HDR_LEN : 0)));
	if (at == NULL)
		return false;
	if (tagged) {
		rte_be16_t tag[2] = {rte_cpu_to_be_16(p->vlan), rte_cpu_to_be_16(ethertype)};

		memcpy(at + hlen, tag, sizeof(tag));
		ethertype = RTE_ETHER_TYPE_VLAN;
	}
	type = rte_cpu_to_be_16(ethertype);
	memcpy(at, dst, RTE_ETHER_ADDR_LEN);
	memcpy(at + RTE_ETHER_ADDR_LEN, &p->mac, RTE_ETHER_ADDR_LEN);
	memcpy(at + 2 * RTE_ETHER_ADDR_LEN, &type, sizeof(type));
	pkt_meta(m)->l3_off = (uint16_t)(hlen + (tagged ? VLAN_HDR_LEN : 0));
	if (unlikely((pkt_meta(m)->flags & PKT_F_PARTIAL) != 0))
		m->l2_len = pkt_meta(m)->l3_off & 0x7fu;
	return true;
}

void
eth_send(struct lcore *lc, struct port *p, struct rte_mbuf *m, const struct rte_ether_addr *dst,
	uint16_t ethertype)
{
	if (eth_push(p, m, dst, ethertype))
		port_put(lc, p, m);
	else
		pkt_drop(lc, m, DROP_NOBUF);
}

/* The neighbour of the packet before. Asking for it again in the same burst changes nothing. */
struct last_neigh {
	struct ip_addr nexthop;
	const struct port *port; /* NULL: not known */
	struct rte_ether_addr mac;
};

/* False: m waits for an answer, or was dropped. */
static bool
resolve(struct lcore *lc, struct port *p, struct rte_mbuf *m, struct last_neigh *last)
{
	const struct ip_addr *nexthop = &pkt_meta(m)->nexthop;
	bool is_known;

	if (last->port == p && ip_addr_eq(&last->nexthop, nexthop))
		return true;
	last->nexthop = *nexthop;
	is_known = ip_addr_is_v4(nexthop)
			   ? arp_resolve(lc, p, ip_addr_to_v4(nexthop), m, &last->mac)
			   : nd_resolve(lc, p, nexthop, m, &last->mac);
	last->port = is_known ? p : NULL;
	return is_known;
}

void
eth_out(struct lcore *lc, struct pkt_vec *v)
{
	struct last_neigh last = {.port = NULL};

	for (uint32_t i = 0; i < v->n; i++) {
		struct rte_mbuf *m = v->m[i];
		struct pkt_meta *pm = pkt_meta(m);
		struct port *p = lc->port[pm->port];

		if (p->bare_ip)
			port_put(lc, p, m);
		else if (resolve(lc, p, m, &last))
			eth_send(lc, p, m, &last.mac,
				ip_addr_is_v4(&pm->nexthop) ? RTE_ETHER_TYPE_IPV4
							    : RTE_ETHER_TYPE_IPV6);
	}
	v->n = 0;
}
