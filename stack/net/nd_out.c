/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * nd_out.c - the messages of neighbour discovery and MLDv2 that we send.
 *
 * Whole frames on lc->out_l2: they belong to the link and pass no policy.
 */
#include "stack/base/csum.h"
#include "stack/base/ip6_ext.h"
#include "stack/net/eth.h"
#include "stack/net/ip6.h"
#include "stack/net/nd_int.h"
#include "stack/net/route.h"

enum {
	MLD2_REPORT = 143,
	NA_SOLICITED = 0x40,
	NA_OVERRIDE = 0x20,
	OPT_LEN = 8,
	MSG_MAX = 64,
};

/* A message being made. */
struct message {
	struct ip_addr src, dst;
	const struct rte_ether_addr *mac; /* NULL: of the group dst */
	uint8_t hops;
	bool router_alert;
	uint32_t len;
	uint8_t b[MSG_MAX];
};

static const struct ip_addr all_nodes = {.w = {RTE_BE32(0xff020000), 0, 0, RTE_BE32(1)}};
static const struct ip_addr all_routers = {.w = {RTE_BE32(0xff020000), 0, 0, RTE_BE32(2)}};
static const struct ip_addr all_mld2 = {.w = {RTE_BE32(0xff020000), 0, 0, RTE_BE32(0x16)}};

/* RFC 2464 s7. */
static struct rte_ether_addr
group_mac(const struct ip_addr *group)
{
	struct rte_ether_addr mac = {{0x33, 0x33}};

	memcpy(mac.addr_bytes + 2, group->b + 12, 4);
	return mac;
}

/* RFC 2711 s2.1, RFC 3810 s5: a hop-by-hop header with the option for MLD and two bytes of pad. */
static bool
push_router_alert(struct rte_mbuf *m)
{
	static const uint8_t hbh[] = {IPPROTO_N_ICMP6, 0, 5, 2, 0, 0, 1, 0};
	char *at = rte_pktmbuf_prepend(m, sizeof(hbh));

	if (at == NULL)
		return false;
	memcpy(at, hbh, sizeof(hbh));
	return true;
}

static bool
build(struct rte_mbuf *m, const struct port *p, const struct message *s)
{
	struct rte_ether_addr mac = s->mac != NULL ? *s->mac : group_mac(&s->dst);
	struct flow_key k = {.local = s->src, .remote = s->dst, .proto = IPPROTO_N_ICMP6};
	struct ip_fields f = {.src = &s->src,
		.dst = &s->dst,
		.proto = s->router_alert ? IP6_NH_HOPOPTS : IPPROTO_N_ICMP6,
		.ttl = s->hops};
	uint8_t *at = (uint8_t *)rte_pktmbuf_append(m, (uint16_t)s->len);
	uint16_t sum;

	memcpy(at, s->b, s->len);
	sum = csum_finish(csum_add(at, s->len, csum_pseudo(&k, s->len)));
	memcpy(at + 2, &sum, 2);
	if (s->router_alert && !push_router_alert(m))
		return false;
	return ip6_push(m, &f) == DROP_NONE && eth_push(p, m, &mac, RTE_ETHER_TYPE_IPV6);
}

/* Without a buffer the other side asks again, and so do we. */
static void
queue(struct lcore *lc, const struct port *p, const struct message *s, enum stat_id st)
{
	struct rte_mbuf *m = pkt_alloc(lc);

	if (m == NULL)
		return;
	if (!build(m, p, s)) {
		pkt_drop(lc, m, DROP_NOBUF);
		return;
	}
	pkt_meta(m)->port = p->index;
	lc_count(lc, st);
	pkt_out(lc, &lc->out_l2, m);
}

static void
put_addr(struct message *s, const struct ip_addr *a)
{
	struct ip_addr wire = ip_addr_wire(a);

	memcpy(s->b + s->len, wire.b, 16);
	s->len += 16;
}

static void
put_lladdr(struct message *s, uint8_t type, const struct port *p)
{
	s->b[s->len] = type;
	s->b[s->len + 1] = OPT_LEN / 8;
	memcpy(s->b + s->len + 2, p->mac.addr_bytes, RTE_ETHER_ADDR_LEN);
	s->len += OPT_LEN;
}

/* RFC 4861 s4.3, s7.2.2. */
void
nd_send_ns(struct lcore *lc, const struct port *p, const struct ip_addr *src,
	const struct ip_addr *target, const struct rte_ether_addr *mac)
{
	struct message s = {.src = *src, .hops = ND_HOPS, .mac = mac, .b = {ND_NS}, .len = 8};

	s.dst = mac != NULL ? *target : ip6_solicited_node(target);
	put_addr(&s, target);
	if (!ip_addr_is_any(src))
		put_lladdr(&s, ND_OPT_SLLA, p);
	queue(lc, p, &s, ST_ND_TX_NS);
}

/* RFC 4861 s4.4, s7.2.4: who has no address yet is told together with all nodes. */
void
nd_send_na(struct lcore *lc, const struct port *p, const struct ip_addr *target,
	const struct ip_addr *dst, const struct rte_ether_addr *mac)
{
	struct message s = {.src = *target, .hops = ND_HOPS, .b = {ND_NA}, .len = 8};

	s.b[4] = NA_OVERRIDE;
	s.dst = all_nodes;
	if (!ip_addr_is_any(dst)) {
		s.b[4] |= NA_SOLICITED;
		s.dst = *dst;
		s.mac = mac;
	}
	put_addr(&s, target);
	put_lladdr(&s, ND_OPT_TLLA, p);
	queue(lc, p, &s, ST_ND_TX_NA);
}

/* RFC 4861 s4.1, s6.3.7. */
void
nd_send_rs(struct lcore *lc, const struct port *p)
{
	struct message s = {.dst = all_routers, .hops = ND_HOPS, .b = {ND_RS}, .len = 8};
	struct ip_addr link = {.w = {RTE_BE32(0xfe800000)}};

	s.src = route_source6(p, &link);
	if (!ip_addr_is_link_local(&s.src))
		s.src = (struct ip_addr){.q = {0, 0}};
	if (!ip_addr_is_any(&s.src))
		put_lladdr(&s, ND_OPT_SLLA, p);
	queue(lc, p, &s, ST_ND_TX_RS);
}

/* RFC 3810 s5.2, and RFC 3590 s4: from "::" while the port has no link-local address. */
void
nd_send_report(struct lcore *lc, const struct port *p, const struct ip_addr *group, uint8_t record)
{
	struct message s = {.dst = all_mld2, .hops = 1, .router_alert = true};
	struct ip_addr link = {.w = {RTE_BE32(0xfe800000)}};

	s.src = route_source6(p, &link);
	if (!ip_addr_is_link_local(&s.src))
		s.src = (struct ip_addr){.q = {0, 0}};
	s.b[0] = MLD2_REPORT;
	s.b[7] = 1; /* one record */
	s.b[8] = record;
	s.len = 12;
	put_addr(&s, group);
	queue(lc, p, &s, ST_MLD_TX);
}
