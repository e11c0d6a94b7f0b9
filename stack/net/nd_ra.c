/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * nd_ra.c - what routers advertise (RFC 4861 s6.3), on ports that accept it.
 *
 * Default routers, prefixes on the link, the MTU, two timers, and the prefixes from which to make
 * addresses. Whatever was configured wins over what is advertised.
 */
#include "stack/base/log.h"
#include "stack/base/rand.h"
#include "stack/net/ip6.h"
#include "stack/net/nd_int.h"
#include "stack/net/pmtu.h"
#include "stack/net/route.h"

LOG_MODULE(nd, NOTICE);

enum {
	/* RFC 4861 s10 */
	MAX_RTR_SOLICITATIONS = 3,
	RTR_SOLICITATION_INTERVAL_MS = 4000,
	MAX_RTR_SOLICITATION_DELAY_MS = 1000,
	MAX_REACHABLE_MS = 3600000, /* RFC 4861 s6.2.1 */
	MIN_RETRANS_MS = 10,        /* against a flood that a router asks for */
	MAX_RETRANS_MS = 10000,     /* packets wait for three of them, and hold buffers */
	PREFIX_FLAG_L = 0x80,
	PREFIX_FLAG_A = 0x40,
};

static const struct ip_addr everywhere;

static uint16_t
get16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static uint32_t
get32(const uint8_t *p)
{
	return (uint32_t)get16(p) << 16 | get16(p + 2);
}

static void
rs_timer(struct lcore *lc, struct tmr *t)
{
	struct nd_port *np = container_of(t, struct nd_port, rs);

	nd_send_rs(lc, lc->port[np - lc->nd->port]);
	if (++np->rs_sent < MAX_RTR_SOLICITATIONS)
		tmr_set(lc, &np->rs, lc->now_ns + RTR_SOLICITATION_INTERVAL_MS * ND_NS_PER_MS,
			rs_timer);
}

/* RFC 4861 s6.3.7. */
void
nd_rs_start(struct lcore *lc, struct port *p)
{
	struct nd_port *np = &lc->nd->port[p->index];
	uint64_t delay_ms = rand_below(lc->rand, MAX_RTR_SOLICITATION_DELAY_MS);

	np->rs_sent = 0;
	tmr_set(lc, &np->rs, lc->now_ns + delay_ms * ND_NS_PER_MS, rs_timer);
}

/* RFC 4861 s6.3.6: a router that answers before one that did not. */
static struct nd_router *
best_router(struct nd_ctx *c)
{
	struct nd_router *best = NULL;

	for (uint32_t i = 0; i < ND_MAX_ROUTERS; i++) {
		struct nd_router *r = &c->router[i];

		if (!tmr_is_set(&r->tmr))
			continue;
		if (best == NULL || (best->silent && !r->silent))
			best = r;
	}
	/* No change for nothing: connections keep their path. */
	if (best != NULL && c->def != NULL && tmr_is_set(&c->def->tmr) &&
		c->def->silent == best->silent)
		return c->def;
	return best;
}

/* Lets the default route name the best router; one that was configured stays. */
static void
choose(struct lcore *lc)
{
	struct nd_ctx *c = lc->nd;
	struct nd_router *best = best_router(c);

	if (best == c->def)
		return;
	if (c->def != NULL)
		route_del6(lc, &everywhere, 0);
	c->def = NULL;
	if (best != NULL && route_add(lc, &everywhere, 0, &best->addr, best->port) == 0)
		c->def = best;
}

static struct nd_router *
router_find(struct nd_ctx *c, uint8_t port, const struct ip_addr *addr)
{
	for (uint32_t i = 0; i < ND_MAX_ROUTERS; i++) {
		struct nd_router *r = &c->router[i];

		if (tmr_is_set(&r->tmr) && r->port == port && ip_addr_eq(&r->addr, addr))
			return r;
	}
	return NULL;
}

void
nd_router_gone(struct lcore *lc, uint8_t port, const struct ip_addr *addr)
{
	struct nd_router *r = router_find(lc->nd, port, addr);

	if (r == NULL)
		return;
	tmr_stop(lc, &r->tmr);
	choose(lc);
}

void
nd_router_silent(struct lcore *lc, uint8_t port, const struct ip_addr *addr)
{
	struct nd_router *r = router_find(lc->nd, port, addr);

	if (r == NULL)
		return;
	r->silent = true;
	choose(lc);
}

static void
router_timer(struct lcore *lc, struct tmr *t)
{
	(void)t;
	choose(lc);
}

/* RFC 4861 s6.3.4, the default router list; bounded, the first ones stay. */
static void
router_heard(struct lcore *lc, const struct nd_msg *msg)
{
	struct nd_ctx *c = lc->nd;
	uint32_t lifetime_s = get16(msg->icmp + 6);
	struct nd_router *r = router_find(c, msg->p->index, &msg->src);

	if (lifetime_s == 0) {
		nd_router_gone(lc, msg->p->index, &msg->src);
		return;
	}
	for (uint32_t i = 0; r == NULL && i < ND_MAX_ROUTERS; i++) {
		if (!tmr_is_set(&c->router[i].tmr))
			r = &c->router[i];
	}
	if (r == NULL)
		return;
	r->addr = msg->src;
	r->port = msg->p->index;
	r->silent = false;
	tmr_set(lc, &r->tmr, lc->now_ns + lifetime_s * ND_NS_PER_S, router_timer);
	choose(lc);
}

static void
prefix_end(struct lcore *lc, struct nd_prefix *x)
{
	tmr_stop(lc, &x->tmr);
	x->in_use = false;
	route_del6(lc, &x->net, x->plen);
}

static void
prefix_timer(struct lcore *lc, struct tmr *t)
{
	prefix_end(lc, container_of(t, struct nd_prefix, tmr));
}

/* The entry of a prefix, else a free one, else NULL. */
static struct nd_prefix *
prefix_place(struct nd_ctx *c, const struct ip_addr *net, uint8_t plen, uint8_t port)
{
	struct nd_prefix *unused = NULL;

	for (uint32_t i = 0; i < ND_MAX_PREFIXES; i++) {
		struct nd_prefix *x = &c->prefix[i];

		if (x->in_use && x->plen == plen && x->port == port && ip_addr_eq(&x->net, net))
			return x;
		if (!x->in_use && unused == NULL)
			unused = x;
	}
	return unused;
}

/* RFC 4861 s6.3.4, prefix information with the L flag. */
static void
prefix_on_link(struct lcore *lc, const struct port *p, const struct ip_addr *net, uint8_t plen,
	uint32_t valid_s)
{
	struct nd_prefix *x = prefix_place(lc->nd, net, plen, p->index);

	if (x == NULL)
		return;
	if (valid_s == 0) {
		if (x->in_use)
			prefix_end(lc, x);
		return;
	}
	/* -EEXIST: it was configured, and stays. */
	if (!x->in_use && route_add(lc, net, plen, NULL, p->index) != 0)
		return;
	x->in_use = true;
	x->net = *net;
	x->plen = plen;
	x->port = p->index;
	if (valid_s == ND_FOREVER)
		tmr_stop(lc, &x->tmr);
	else
		tmr_set(lc, &x->tmr, lc->now_ns + valid_s * ND_NS_PER_S, prefix_timer);
}

/* RFC 4861 s4.6.2, s6.3.4; RFC 4862 s5.5.3. */
static void
prefix_heard(struct lcore *lc, struct port *p, const uint8_t *o)
{
	uint32_t valid = get32(o + 4), preferred = get32(o + 8);
	uint8_t plen = o[2], flags = o[3];
	struct ip_addr net;

	memcpy(net.b, o + 16, 16);
	if (plen > 128 || ip_addr_is_link_local(&net) || ip_addr_is_mcast(&net) ||
		ip_addr_is_v4(&net))
		return;
	net = ip_addr_mask(&net, plen);
	/* A default route is a router's to give, not a prefix's. */
	if ((flags & PREFIX_FLAG_L) != 0 && plen > 0)
		prefix_on_link(lc, p, &net, plen, valid);
	/* RFC 4862 s5.5.3 (c), (d): an interface identifier of Ethernet has 64 bits. */
	if ((flags & PREFIX_FLAG_A) != 0 && preferred <= valid && plen == 64)
		nd_addr_autoconf(lc, p, &net, valid, preferred);
}

/* RFC 4861 s6.3.4: zero says nothing. The reachable time is spread (s6.3.2). DEVIATION: a
 * retransmission time without reason is ignored, in both directions. */
static void
timers_heard(struct lcore *lc, const struct nd_msg *msg)
{
	struct nd_port *np = &lc->nd->port[msg->p->index];
	uint32_t reachable = get32(msg->icmp + 8), retrans = get32(msg->icmp + 12);

	if (reachable != 0 && reachable <= MAX_REACHABLE_MS)
		np->reachable_ms = reachable;
	if (retrans >= MIN_RETRANS_MS && retrans <= MAX_RETRANS_MS)
		np->retrans_ms = retrans;
}

/* RFC 4861 s6.3.4: at least what every link carries, at most what this one does. */
static void
mtu_heard(const struct nd_msg *msg)
{
	uint32_t mtu;

	if (msg->mtu == NULL)
		return;
	mtu = get32(msg->mtu + 4);
	if (mtu >= PMTU_MIN_V6 && mtu <= msg->p->mtu_bytes)
		msg->p->mtu6_bytes = (uint16_t)mtu;
}

/* DEVIATION: the current hop limit is not taken over (RFC 4861 s6.3.4): ours is configured. */
enum drop_reason
nd_ra_in(struct lcore *lc, const struct nd_msg *msg)
{
	struct neigh *e;

	if (msg->slla != NULL)
		nd_learn(lc, msg->p, &msg->src, msg->slla);
	e = neigh_find(&lc->nd->table, msg->p->index, &msg->src);
	if (e != NULL)
		e->is_router = true;
	tmr_stop(lc, &lc->nd->port[msg->p->index].rs);
	timers_heard(lc, msg);
	mtu_heard(msg);
	router_heard(lc, msg);
	for (uint32_t i = 0; i < msg->nb_prefixes; i++)
		prefix_heard(lc, msg->p, msg->prefix[i]);
	return DROP_ND_DONE;
}

void
nd_ra_stop(struct lcore *lc)
{
	for (uint32_t i = 0; i < LC_MAX_PORTS; i++)
		tmr_stop(lc, &lc->nd->port[i].rs);
	for (uint32_t i = 0; i < ND_MAX_ROUTERS; i++)
		tmr_stop(lc, &lc->nd->router[i].tmr);
	for (uint32_t i = 0; i < ND_MAX_PREFIXES; i++)
		tmr_stop(lc, &lc->nd->prefix[i].tmr);
}
