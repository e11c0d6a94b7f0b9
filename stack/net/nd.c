/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * nd.c - neighbour discovery (RFC 4861 s7): who on the link has which address.
 *
 * Fed by the IP stage and by copies from other workers; asked by the Ethernet stage for every
 * packet that leaves. Nothing that is heard creates an entry unless it was addressed to us or is
 * a router's, and the table is bounded.
 */
#include "stack/net/nd.h"

#include <errno.h>
#include <stdlib.h>

#include "stack/base/csum.h"
#include "stack/base/log.h"
#include "stack/base/msg.h"
#include "stack/base/rand.h"
#include "stack/net/eth.h"
#include "stack/net/ip6.h"
#include "stack/net/nd_int.h"
#include "stack/net/route.h"

LOG_MODULE(nd, NOTICE);

enum {
	HDR_LEN = 8,
	NA_ROUTER = 0x80,
	NA_SOLICITED = 0x40,
	NA_OVERRIDE = 0x20,
	LLADDR_OPT_LEN = 8, /* RFC 2464 s6 */
	PREFIX_OPT_LEN = 32,
	MTU_OPT_LEN = 8,
	FRAME_SRC_AT = 6,
	DEFEND_INTERVAL_MS = 10000,
};

/*
 * FREE --(nd_resolve)--> INCOMPLETE --(solicited NA)--> REACHABLE --(aged)--> STALE
 * FREE, INCOMPLETE --(heard without being asked)--> STALE
 * STALE --(used)--> DELAY --(5 s)--> PROBE --(solicited NA)--> REACHABLE
 * INCOMPLETE, PROBE --(no answer)--> FREE; any --(another MAC)--> STALE; any --(eviction)--> FREE
 *
 * The timer is set in INCOMPLETE, REACHABLE, DELAY and PROBE. DEVIATION: no hint of TCP confirms
 * an entry (RFC 4861 s7.3.1), so one in use is asked every half minute.
 */
static const neigh_legal legal = {
	[NEIGH_FREE] = {[NEIGH_INCOMPLETE] = true, [NEIGH_STALE] = true},
	[NEIGH_INCOMPLETE] = {[NEIGH_FREE] = true, [NEIGH_REACHABLE] = true, [NEIGH_STALE] = true},
	[NEIGH_REACHABLE] = {[NEIGH_FREE] = true, [NEIGH_REACHABLE] = true, [NEIGH_STALE] = true},
	[NEIGH_STALE] = {[NEIGH_FREE] = true,
		[NEIGH_REACHABLE] = true,
		[NEIGH_STALE] = true,
		[NEIGH_DELAY] = true},
	[NEIGH_DELAY] = {[NEIGH_FREE] = true,
		[NEIGH_REACHABLE] = true,
		[NEIGH_STALE] = true,
		[NEIGH_PROBE] = true},
	[NEIGH_PROBE] = {[NEIGH_FREE] = true, [NEIGH_REACHABLE] = true, [NEIGH_STALE] = true},
};

static void ent_timer(struct lcore *lc, struct tmr *t);

void
nd_conf_default(struct nd_conf *c)
{
	*c = (struct nd_conf){
		.max_entries = 1024,
		.max_waiting = 16,
		.reachable_ms = 30000,
		.retrans_ms = 1000,
		.delay_ms = 5000,
		.max_requests = 3,
	};
}

int
nd_create(struct lcore *lc, const struct nd_conf *conf)
{
	struct nd_ctx *c = calloc(1, sizeof(*c));
	int rc;

	if (c == NULL)
		return -ENOMEM;
	c->conf = *conf;
	for (uint32_t i = 0; i < LC_MAX_PORTS; i++) {
		c->port[i].reachable_ms = conf->reachable_ms;
		c->port[i].retrans_ms = conf->retrans_ms;
	}
	rc = neigh_create(lc, &c->table, &legal, conf->max_entries, conf->max_waiting);
	if (rc != 0) {
		free(c);
		return rc;
	}
	lc->nd = c;
	return 0;
}

void
nd_destroy(struct lcore *lc)
{
	if (lc->nd == NULL)
		return;
	nd_addr_stop(lc);
	nd_ra_stop(lc);
	nd_mld_stop(lc);
	neigh_destroy(lc, &lc->nd->table);
	free(lc->nd);
	lc->nd = NULL;
}

/* RFC 4861 s7.2.2, s7.3.3: asks once, everybody or point to point, and waits for the answer. */
static void
ask(struct lcore *lc, struct neigh *e)
{
	const struct port *p = lc->port[e->port];
	struct ip_addr src = route_source6(p, &e->addr);
	uint64_t wait_ms = lc->nd->port[e->port].retrans_ms;

	e->requests++;
	/* Without an assigned address we cannot ask: "::" would be a claim to the target. */
	if (!ip_addr_is_any(&src))
		nd_send_ns(lc, p, &src, &e->addr, e->state == NEIGH_PROBE ? &e->mac : NULL);
	tmr_set(lc, &e->tmr, lc->now_ns + wait_ms * ND_NS_PER_MS, ent_timer);
}

/* RFC 4861 s7.2.2, s7.3.3: it does not answer. */
static void
lost(struct lcore *lc, struct neigh *e)
{
	struct ip_addr addr = e->addr;
	uint8_t port = e->port;

	neigh_free(lc, &lc->nd->table, e, DROP_NEIGH_UNRESOLVED);
	nd_router_silent(lc, port, &addr);
}

static void
ent_timer(struct lcore *lc, struct tmr *t)
{
	struct neigh *e = container_of(t, struct neigh, tmr);

	switch (e->state) {
	case NEIGH_REACHABLE:
		neigh_set_state(&lc->nd->table, e, NEIGH_STALE);
		return;
	case NEIGH_DELAY:
		neigh_set_state(&lc->nd->table, e, NEIGH_PROBE);
		ask(lc, e);
		return;
	default:
		if (e->requests < lc->nd->conf.max_requests)
			ask(lc, e);
		else
			lost(lc, e);
	}
}

/* The neighbour answered our question. RFC 4861 s6.3.2: the time it stays good is spread. */
static void
reachable(struct lcore *lc, struct neigh *e)
{
	uint32_t base = lc->nd->port[e->port].reachable_ms;
	uint64_t ms = base / 2 + rand_below(lc->rand, base + 1);

	e->requests = 0;
	e->confirmed_ns = lc->now_ns;
	neigh_set_state(&lc->nd->table, e, NEIGH_REACHABLE);
	tmr_set(lc, &e->tmr, lc->now_ns + ms * ND_NS_PER_MS, ent_timer);
	neigh_release(lc, &lc->nd->table, e, RTE_ETHER_TYPE_IPV6);
}

/* Its MAC is known, but whether we reach it is not. */
static void
stale(struct lcore *lc, struct neigh *e)
{
	e->requests = 0;
	e->confirmed_ns = lc->now_ns;
	neigh_set_state(&lc->nd->table, e, NEIGH_STALE);
	tmr_stop(lc, &e->tmr);
	neigh_release(lc, &lc->nd->table, e, RTE_ETHER_TYPE_IPV6);
}

static void
set_mac(struct neigh *e, const uint8_t *mac)
{
	memcpy(e->mac.addr_bytes, mac, RTE_ETHER_ADDR_LEN);
}

/* RFC 4861 s7.2.3, s6.3.4: the same MAC changes nothing; a new one is not yet confirmed. */
struct neigh *
nd_learn(struct lcore *lc, struct port *p, const struct ip_addr *addr, const uint8_t *mac)
{
	struct neigh_table *t = &lc->nd->table;
	struct neigh *e = neigh_find(t, p->index, addr);

	if (e == NULL)
		e = neigh_alloc(lc, t, p->index, addr);
	else if (e->state != NEIGH_INCOMPLETE &&
		 memcmp(e->mac.addr_bytes, mac, RTE_ETHER_ADDR_LEN) == 0)
		return e;
	if (e == NULL)
		return NULL;
	set_mac(e, mac);
	stale(lc, e);
	return e;
}

bool
nd_resolve(struct lcore *lc, struct port *p, const struct ip_addr *nexthop, struct rte_mbuf *m,
	struct rte_ether_addr *mac)
{
	struct nd_ctx *c = lc->nd;
	struct neigh *e = neigh_find(&c->table, p->index, nexthop);

	if (e == NULL) {
		e = neigh_alloc(lc, &c->table, p->index, nexthop);
		if (e == NULL) {
			pkt_drop(lc, m, DROP_NEIGH_TABLE_FULL);
			return false;
		}
		neigh_set_state(&c->table, e, NEIGH_INCOMPLETE);
		ask(lc, e);
	}
	e->used_ns = lc->now_ns;
	if (e->state == NEIGH_INCOMPLETE) {
		neigh_wait(lc, &c->table, e, m);
		return false;
	}
	/* RFC 4861 s7.3.3: the first packet to a stale neighbour starts the delay. */
	if (e->state == NEIGH_STALE) {
		neigh_set_state(&c->table, e, NEIGH_DELAY);
		tmr_set(lc, &e->tmr, lc->now_ns + c->conf.delay_ms * ND_NS_PER_MS, ent_timer);
	}
	*mac = e->mac;
	return true;
}

/* An address option: a MAC that can be a station's. False ends the message. */
static bool
take_lladdr(const uint8_t *o, uint32_t len, const uint8_t **out)
{
	struct rte_ether_addr mac;

	/* Another length is another link's: not understood, so skipped (RFC 4861 s4.6). */
	if (len != LLADDR_OPT_LEN)
		return true;
	memcpy(mac.addr_bytes, o + 2, RTE_ETHER_ADDR_LEN);
	if (!rte_is_valid_assigned_ether_addr(&mac))
		return false;
	*out = o + 2;
	return true;
}

static bool
take_option(struct nd_msg *msg, const uint8_t *o, uint32_t len)
{
	switch (o[0]) {
	case ND_OPT_SLLA:
		return take_lladdr(o, len, &msg->slla);
	case ND_OPT_TLLA:
		return take_lladdr(o, len, &msg->tlla);
	case ND_OPT_MTU:
		if (len == MTU_OPT_LEN)
			msg->mtu = o;
		return true;
	case ND_OPT_PREFIX:
		if (len == PREFIX_OPT_LEN && msg->nb_prefixes < ND_MAX_PREFIXES)
			msg->prefix[msg->nb_prefixes++] = o;
		return true;
	default:
		return true;
	}
}

/* RFC 4861 s4.6: an option of length 0 ends the whole message; unknown ones are skipped. */
static bool
options_ok(struct nd_msg *msg, uint32_t at)
{
	while (at < msg->len) {
		const uint8_t *o = msg->icmp + at;
		uint32_t left = msg->len - at;

		if (left < 8 || o[1] == 0 || o[1] * 8u > left)
			return false;
		if (!take_option(msg, o, o[1] * 8u))
			return false;
		at += o[1] * 8u;
	}
	return true;
}

/* RFC 4861 s7.1.1, s7.1.2: what NS and NA have in common. */
static bool
target_ok(struct nd_msg *msg)
{
	return ip6_read_addr(msg->icmp + HDR_LEN, msg->p->index, &msg->target) &&
	       !ip_addr_is_mcast(&msg->target) && !ip_addr_is_v4(&msg->target) &&
	       !ip_addr_is_any(&msg->target);
}

/* RFC 4861 s7.1.1: who asks without an address asks the group, and has no MAC to tell. */
static bool
ns_ok(const struct nd_msg *msg)
{
	struct ip_addr group = ip6_solicited_node(&msg->target);

	if (!ip_addr_is_any(&msg->src))
		return true;
	return ip_addr_eq(&msg->dst, &group) && msg->slla == NULL;
}

/* RFC 4861 s7.1.2. */
static bool
na_ok(const struct nd_msg *msg)
{
	if (ip_addr_is_any(&msg->src))
		return false;
	return !ip_addr_is_mcast(&msg->dst) || (msg->icmp[4] & NA_SOLICITED) == 0;
}

/* RFC 4861 s6.1.1, s6.1.2, s7.1.1, s7.1.2, in their order. */
static enum drop_reason
parse(struct nd_msg *msg, const struct pkt_meta *pm)
{
	static const uint8_t fixed[] = {HDR_LEN, ND_RA_LEN, ND_NS_LEN, ND_NS_LEN, ND_NS_LEN};
	uint32_t hlen;
	bool ok;

	/* RFC 3810 s6.2: a query has 1, and its own rules. */
	msg->type = msg->len > 0 ? msg->icmp[0] : 0;
	if (pm->ttl != (msg->type == ND_MLD_QUERY ? 1 : ND_HOPS))
		return DROP_ND_HOPS;
	if (csum_finish(csum_add(msg->icmp, msg->len, csum_pseudo(&pm->key, msg->len))) != 0)
		return DROP_ICMP_CSUM;
	if (msg->type == ND_MLD_QUERY)
		return DROP_NONE;
	if (msg->len < HDR_LEN || msg->icmp[1] != 0)
		return DROP_ND_BAD;
	hlen = fixed[msg->type - ND_RS];
	if (msg->len < hlen)
		return DROP_ND_BAD;
	/* DEVIATION: redirects are ignored (RFC 4861 s8.3 says SHOULD): anybody on the link could
	 * move our traffic. Solicitations of routers are for routers. */
	if (msg->type == ND_RS || msg->type == ND_REDIRECT)
		return DROP_ND_IGNORED;
	if (!options_ok(msg, hlen))
		return DROP_ND_BAD;
	if (msg->type == ND_RA)
		return ip_addr_is_link_local(&msg->src) ? DROP_NONE : DROP_ND_BAD;
	ok = target_ok(msg) && (msg->type == ND_NS ? ns_ok(msg) : na_ok(msg));
	return ok ? DROP_NONE : DROP_ND_BAD;
}

/* Every worker has its own neighbours and addresses, and the message may have come to another. */
void
nd_share(struct lcore *lc, const struct nd_msg *msg)
{
	for (uint16_t w = 0; msg->first_hand && w < lc->nb_workers; w++) {
		struct rte_mbuf *copy;
		struct pkt_meta *pm;

		if (w == lc->id)
			continue;
		copy = pkt_alloc(lc);
		if (copy == NULL)
			return;
		if (msg->len > rte_pktmbuf_tailroom(copy)) {
			rte_pktmbuf_free(copy);
			return;
		}
		pm = pkt_meta(copy);
		*pm = *pkt_meta(msg->m);
		pm->l3_off = pm->l4_off = 0;
		memcpy(rte_pktmbuf_append(copy, (uint16_t)msg->len), msg->icmp, msg->len);
		msg_handoff(lc, w, HANDOFF_ND, copy);
	}
}

/* RFC 4862 s5.4.3: a switch may bring our own question back. */
static bool
is_our_frame(const struct nd_msg *msg)
{
	return msg->first_hand && pkt_meta(msg->m)->l3_off > FRAME_SRC_AT &&
	       memcmp(pkt_data(msg->m, FRAME_SRC_AT), msg->p->mac.addr_bytes, RTE_ETHER_ADDR_LEN) ==
		       0;
}

/*
 * Where the answer to a question goes: the MAC it told, else the one it came from (RFC 4861
 * s7.2.4 would ask for the questioner first, whose question is then never answered in time).
 */
static struct rte_ether_addr
answer_mac(const struct nd_msg *msg)
{
	struct rte_ether_addr mac;

	memcpy(mac.addr_bytes, msg->slla != NULL ? msg->slla : pkt_data(msg->m, FRAME_SRC_AT),
		RTE_ETHER_ADDR_LEN);
	return mac;
}

/* RFC 4861 s7.2.3, s7.2.4; RFC 4862 s5.4.3. */
static enum drop_reason
ns_in(struct lcore *lc, const struct nd_msg *msg)
{
	struct port_addr *a = nd_addr_find(msg->p, &msg->target);
	struct rte_ether_addr mac;

	if (a == NULL || is_our_frame(msg))
		return DROP_ND_DONE;
	if (!port_addr_is_assigned(a)) {
		if (a->state == ADDR_TENTATIVE && ip_addr_is_any(&msg->src)) {
			nd_share(lc, msg);
			nd_addr_duplicate(lc, msg->p, a);
		}
		return DROP_ND_DONE;
	}
	if (!ip_addr_is_any(&msg->src) && msg->slla != NULL) {
		nd_share(lc, msg);
		nd_learn(lc, msg->p, &msg->src, msg->slla);
	}
	if (msg->first_hand) {
		mac = answer_mac(msg);
		nd_send_na(lc, msg->p, &msg->target, &msg->src, &mac);
	}
	return DROP_ND_DONE;
}

/* Someone uses an address of ours. RFC 4862 s5.4.4, or, once it is assigned, nothing but a word. */
static void
conflict(struct lcore *lc, const struct nd_msg *msg, struct port_addr *a)
{
	struct nd_port *np = &lc->nd->port[msg->p->index];
	char text[IP_ADDR_STRLEN];

	if (a->state == ADDR_DUPLICATE || is_our_frame(msg))
		return;
	nd_share(lc, msg);
	if (a->state == ADDR_TENTATIVE) {
		nd_addr_duplicate(lc, msg->p, a);
		return;
	}
	lc_count(lc, ST_ND_CONFLICT);
	if (lc->now_ns < np->defend_ns || !msg->first_hand)
		return;
	np->defend_ns = lc->now_ns + DEFEND_INTERVAL_MS * ND_NS_PER_MS;
	LOG(WARNING, "port %s: another host claims our address %s", msg->p->name,
		ip_addr_str(&a->addr, text));
}

/* RFC 4861 s7.2.5, the second half: an entry whose MAC is known. */
static void
na_update(struct lcore *lc, const struct nd_msg *msg, struct neigh *e)
{
	bool solicited = (msg->icmp[4] & NA_SOLICITED) != 0;
	bool other =
		msg->tlla != NULL && memcmp(e->mac.addr_bytes, msg->tlla, RTE_ETHER_ADDR_LEN) != 0;

	if (other && (msg->icmp[4] & NA_OVERRIDE) == 0) {
		/* I. */
		if (e->state == NEIGH_REACHABLE)
			stale(lc, e);
		return;
	}
	/* II. */
	if (other)
		set_mac(e, msg->tlla);
	if (solicited)
		reachable(lc, e);
	else if (other)
		stale(lc, e);
	if (e->is_router && (msg->icmp[4] & NA_ROUTER) == 0)
		nd_router_gone(lc, e->port, &e->addr);
	e->is_router = (msg->icmp[4] & NA_ROUTER) != 0;
}

/* RFC 4861 s7.2.5: what nobody asked about is ignored. */
static enum drop_reason
na_in(struct lcore *lc, const struct nd_msg *msg)
{
	struct neigh *e = neigh_find(&lc->nd->table, msg->p->index, &msg->target);
	struct port_addr *a = nd_addr_find(msg->p, &msg->target);

	if (a != NULL) {
		conflict(lc, msg, a);
		return DROP_ND_DONE;
	}
	/* The answer to another worker's question comes here too, and to one of our addresses. */
	if (e != NULL || !ip_addr_is_mcast(&msg->dst))
		nd_share(lc, msg);
	if (e == NULL)
		return DROP_ND_DONE;
	if (e->state != NEIGH_INCOMPLETE) {
		na_update(lc, msg, e);
		return DROP_ND_DONE;
	}
	if (msg->tlla == NULL)
		return DROP_ND_DONE;
	set_mac(e, msg->tlla);
	e->is_router = (msg->icmp[4] & NA_ROUTER) != 0;
	if ((msg->icmp[4] & NA_SOLICITED) != 0)
		reachable(lc, e);
	else
		stale(lc, e);
	return DROP_ND_DONE;
}

static enum drop_reason
ra_in(struct lcore *lc, const struct nd_msg *msg)
{
	if (!msg->p->accept_ra)
		return DROP_ND_IGNORED;
	nd_share(lc, msg);
	return nd_ra_in(lc, msg);
}

static enum drop_reason
message_in(struct lcore *lc, const struct rte_mbuf *m)
{
	const struct pkt_meta *pm = pkt_meta(m);
	struct nd_msg msg = {
		.p = lc->port[pm->port],
		.m = m,
		.src = pm->key.remote,
		.dst = pm->key.local,
		.icmp = pkt_data(m, pm->l4_off),
		.len = pm->l4_len,
		.first_hand = pm->handoff != HANDOFF_ND,
	};
	enum drop_reason r = parse(&msg, pm);

	if (r != DROP_NONE)
		return r;
	/* There is no neighbour on a port without a link layer. */
	if (msg.p->bare_ip)
		return DROP_ND_IGNORED;
	switch (msg.type) {
	case ND_MLD_QUERY:
		return nd_mld_in(lc, &msg);
	case ND_NS:
		lc_count_n(lc, ST_ND_RX_NS, msg.first_hand);
		return ns_in(lc, &msg);
	case ND_NA:
		lc_count_n(lc, ST_ND_RX_NA, msg.first_hand);
		return na_in(lc, &msg);
	default:
		lc_count_n(lc, ST_ND_RX_RA, msg.first_hand);
		return ra_in(lc, &msg);
	}
}

void
nd_in(struct lcore *lc, struct pkt_vec *v)
{
	for (uint32_t i = 0; i < v->n; i++)
		pkt_drop(lc, v->m[i], message_in(lc, v->m[i]));
	v->n = 0;
}

void
nd_foreach(const struct lcore *lc, neigh_fn *fn, void *arg)
{
	neigh_foreach(lc, &lc->nd->table, fn, arg);
}
