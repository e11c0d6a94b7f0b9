/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * nd_addr.c - the life of our IPv6 addresses (RFC 4862): tried, assigned, deprecated, gone.
 *
 * The first worker asks the link about a new address; the others wait as long as that can take at
 * most. Any of them may hear an objection, and then all do.
 */
#include <stdlib.h>

#include "stack/base/log.h"
#include "stack/base/rand.h"
#include "stack/net/ip6.h"
#include "stack/net/nd_int.h"

LOG_MODULE(nd, NOTICE);

enum {
	DAD_TRANSMITS = 1,   /* RFC 4862 s5.1 */
	MAX_DELAY_MS = 1000, /* RFC 4861 s10, MAX_RTR_SOLICITATION_DELAY */
	IFID_BITS = 64,
	TWO_HOURS_S = 7200,
};

static void addr_timer(struct lcore *lc, struct tmr *t);

struct ip_addr
nd_link_local(const struct rte_ether_addr *mac, uint8_t port)
{
	const uint8_t *m = mac->addr_bytes;
	struct ip_addr a = {.b = {0xfe, 0x80, 0, 0, 0, 0, 0, 0, (uint8_t)(m[0] ^ 2), m[1], m[2],
				    0xff, 0xfe, m[3], m[4], m[5]}};

	ip_addr_set_scope(&a, port);
	return a;
}

struct port_addr *
nd_addr_find(struct port *p, const struct ip_addr *a)
{
	for (uint32_t i = 0; i < p->nb_addrs; i++) {
		if (p->addr[i].state != ADDR_NONE && ip_addr_eq(&p->addr[i].addr, a))
			return &p->addr[i];
	}
	return NULL;
}

static struct nd_addr *
life_of(struct lcore *lc, const struct port *p, const struct port_addr *a)
{
	return &lc->nd->addr[p->index][a - p->addr];
}

/* When the state of an assigned address changes next (RFC 4862 s5.5.4). */
static void
set_lifetime(struct lcore *lc, struct nd_addr *n, struct port_addr *a)
{
	uint64_t next = n->preferred_ns;

	a->state = ADDR_PREFERRED;
	if (lc->now_ns >= n->preferred_ns) {
		a->state = ADDR_DEPRECATED;
		next = n->valid_ns;
	}
	if (lc->now_ns >= n->valid_ns)
		a->state = ADDR_NONE;
	if (a->state == ADDR_NONE || next == UINT64_MAX)
		tmr_stop(lc, &n->tmr);
	else
		tmr_set(lc, &n->tmr, RTE_MIN(next, n->valid_ns), addr_timer);
}

/* RFC 3810 s6.1: the group of the address, once more now that there is an address to say it from.
 */
static void
assign(struct lcore *lc, struct port *p, struct nd_addr *n, struct port_addr *a)
{
	struct ip_addr group = ip6_solicited_node(&a->addr);

	set_lifetime(lc, n, a);
	if (p->bare_ip || lc->id != 0)
		return;
	nd_send_report(lc, p, &group, ND_MLD_TO_EXCLUDE);
	if (p->accept_ra && ip_addr_is_link_local(&a->addr))
		nd_rs_start(lc, p);
}

/* RFC 4862 s5.4.2: the group first, then the question. */
static void
probe(struct lcore *lc, struct port *p, struct nd_addr *n, struct port_addr *a)
{
	static const struct ip_addr nobody;
	struct ip_addr group = ip6_solicited_node(&a->addr);
	uint64_t wait_ms = lc->nd->port[p->index].retrans_ms;

	n->tried++;
	if (lc->id == 0) {
		nd_send_report(lc, p, &group, ND_MLD_TO_EXCLUDE);
		nd_send_ns(lc, p, &nobody, &a->addr, NULL);
	} else {
		wait_ms += MAX_DELAY_MS;
	}
	tmr_set(lc, &n->tmr, lc->now_ns + wait_ms * ND_NS_PER_MS, addr_timer);
}

static void
addr_timer(struct lcore *lc, struct tmr *t)
{
	struct nd_addr *n = container_of(t, struct nd_addr, tmr);
	struct port *p = lc->port[n->port];
	struct port_addr *a = &p->addr[n->index];

	if (a->state != ADDR_TENTATIVE)
		set_lifetime(lc, n, a);
	else if (n->tried < DAD_TRANSMITS)
		probe(lc, p, n, a);
	else
		assign(lc, p, n, a);
}

/* RFC 4862 s5.4.2: the first message of an interface is delayed, so that a rack that comes up
 * together does not speak all at once. */
static void
begin(struct lcore *lc, struct port *p, struct port_addr *a)
{
	struct nd_addr *n = life_of(lc, p, a);
	uint32_t delay_ms = lc->id == 0 ? rand_below(lc->rand, MAX_DELAY_MS) : 0;

	n->port = p->index;
	n->index = (uint8_t)(a - p->addr);
	n->tried = 0;
	if (!p->dad || p->bare_ip) {
		assign(lc, p, n, a);
		return;
	}
	a->state = ADDR_TENTATIVE;
	tmr_set(lc, &n->tmr, lc->now_ns + delay_ms * ND_NS_PER_MS, addr_timer);
}

void
nd_start(struct lcore *lc)
{
	for (uint32_t i = 0; i < lc->nb_ports; i++) {
		struct port *p = lc->port[i];

		for (uint32_t k = 0; p->ip6 && k < p->nb_addrs; k++) {
			struct nd_addr *n = &lc->nd->addr[i][k];

			n->valid_ns = n->preferred_ns = UINT64_MAX;
			n->fixed = true;
			if (!ip_addr_is_v4(&p->addr[k].addr))
				begin(lc, p, &p->addr[k]);
		}
	}
}

static void
give_up(struct lcore *lc, struct port *p, struct port_addr *a)
{
	char text[IP_ADDR_STRLEN];

	if (ip_addr_is_v4(&a->addr) || a->state == ADDR_NONE)
		return;
	a->state = ADDR_DUPLICATE;
	tmr_stop(lc, &life_of(lc, p, a)->tmr);
	if (lc->id == 0)
		LOG(ERR, "port %s: another host has %s, so it is not used", p->name,
			ip_addr_str(&a->addr, text));
}

void
nd_addr_duplicate(struct lcore *lc, struct port *p, struct port_addr *a)
{
	struct ip_addr own = nd_link_local(&p->mac, p->index);

	lc_count(lc, ST_ND_CONFLICT);
	if (!ip_addr_eq(&a->addr, &own)) {
		give_up(lc, p, a);
		return;
	}
	/* RFC 4862 s5.4.5: two hosts with one MAC; IP of this version ends on the port. */
	for (uint32_t i = 0; i < p->nb_addrs; i++)
		give_up(lc, p, &p->addr[i]);
}

static uint64_t
until(const struct lcore *lc, uint32_t lifetime_s)
{
	return lifetime_s == ND_FOREVER ? UINT64_MAX : lc->now_ns + lifetime_s * ND_NS_PER_S;
}

/* RFC 4862 s5.5.3 (e): a short lifetime that nobody signed must not end an address soon. */
static void
renew(struct lcore *lc, struct nd_addr *n, struct port_addr *a, uint32_t valid, uint32_t pref)
{
	uint64_t two_hours = until(lc, TWO_HOURS_S), asked = until(lc, valid);

	n->preferred_ns = until(lc, pref);
	if (asked > two_hours || asked > n->valid_ns)
		n->valid_ns = asked;
	else if (n->valid_ns > two_hours)
		n->valid_ns = two_hours;
	if (port_addr_is_assigned(a))
		set_lifetime(lc, n, a);
}

static struct port_addr *
place(struct port *p)
{
	for (uint32_t i = 0; i < p->nb_addrs; i++) {
		if (p->addr[i].state == ADDR_NONE)
			return &p->addr[i];
	}
	return p->nb_addrs < PORT_MAX_ADDRS ? &p->addr[p->nb_addrs++] : NULL;
}

void
nd_addr_autoconf(
	struct lcore *lc, struct port *p, const struct ip_addr *net, uint32_t valid, uint32_t pref)
{
	struct ip_addr addr = nd_link_local(&p->mac, p->index);
	struct port_addr *a;
	struct nd_addr *n;

	addr.q[0] = net->q[0];
	a = nd_addr_find(p, &addr);
	if (a != NULL) {
		n = life_of(lc, p, a);
		if (!n->fixed)
			renew(lc, n, a, valid, pref);
		return;
	}
	a = valid == 0 ? NULL : place(p);
	if (a == NULL)
		return;
	*a = (struct port_addr){.addr = addr, .plen = IFID_BITS};
	n = life_of(lc, p, a);
	n->fixed = false;
	n->valid_ns = until(lc, valid);
	n->preferred_ns = until(lc, pref);
	begin(lc, p, a);
}

void
nd_addr_stop(struct lcore *lc)
{
	for (uint32_t i = 0; i < LC_MAX_PORTS; i++) {
		for (uint32_t k = 0; k < PORT_MAX_ADDRS; k++)
			tmr_stop(lc, &lc->nd->addr[i][k].tmr);
	}
}
