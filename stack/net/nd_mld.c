/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * nd_mld.c - queries for the groups that neighbour discovery needs (RFC 3810).
 *
 * Switches that watch MLD forget a group for which nobody answers, and with it our neighbours. The
 * first worker answers for all.
 */
#include "stack/base/rand.h"
#include "stack/net/ip6.h"
#include "stack/net/nd_int.h"

enum {
	QUERY_LEN = 24, /* of MLDv1; MLDv2 has more behind it */
	DELAY_AT = 4,
	DELAY_MAX_MS = 10000, /* more, or a floating-point code, is cut to this (RFC 3810 s5.1.3) */
	NH_AT = 6,
	NH_HOPOPTS = 0,
};

static void
report_timer(struct lcore *lc, struct tmr *t)
{
	struct nd_port *np = container_of(t, struct nd_port, mld);
	const struct port *p = lc->port[np - lc->nd->port];

	for (uint32_t i = 0; i < p->nb_addrs; i++) {
		const struct port_addr *a = &p->addr[i];
		struct ip_addr group = ip6_solicited_node(&a->addr);

		if (!ip_addr_is_v4(&a->addr) && a->state < ADDR_DUPLICATE)
			nd_send_report(lc, p, &group, ND_MLD_IS_EXCLUDE);
	}
}

/*
 * RFC 3810 s6.2: all our groups are told, whichever was asked for, once within the time that the
 * query allows. The router alert is looked for as far as there is a hop-by-hop header.
 */
enum drop_reason
nd_mld_in(struct lcore *lc, const struct nd_msg *msg)
{
	struct nd_port *np = &lc->nd->port[msg->p->index];
	uint32_t delay_ms;

	if (msg->len < QUERY_LEN || !ip_addr_is_link_local(&msg->src))
		return DROP_ND_BAD;
	if (msg->first_hand && *pkt_data(msg->m, pkt_meta(msg->m)->l3_off + NH_AT) != NH_HOPOPTS)
		return DROP_ND_BAD;
	nd_share(lc, msg);
	if (lc->id != 0 || tmr_is_set(&np->mld))
		return DROP_ND_DONE;
	delay_ms = (uint32_t)msg->icmp[DELAY_AT] << 8 | msg->icmp[DELAY_AT + 1];
	delay_ms = rand_below(lc->rand, RTE_MIN(delay_ms, (uint32_t)DELAY_MAX_MS) + 1);
	tmr_set(lc, &np->mld, lc->now_ns + delay_ms * ND_NS_PER_MS, report_timer);
	return DROP_ND_DONE;
}

void
nd_mld_stop(struct lcore *lc)
{
	for (uint32_t i = 0; i < LC_MAX_PORTS; i++)
		tmr_stop(lc, &lc->nd->port[i].mld);
}
