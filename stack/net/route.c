/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * route.c - the routing tables of a worker on top of librte_rib, and which addresses are ours.
 *
 * Read by the IP stages in both directions; changed by the control path, and for IPv6 by what
 * routers advertise. A link-local destination names its port itself and has no route.
 */
#include "stack/net/route.h"

#include <errno.h>
#include <stdlib.h>
#include <rte_errno.h>
#include <rte_rib.h>
#include <rte_rib6.h>

#include "stack/base/port.h"
#include "stack/net/pmtu.h"

/* A node of the trie for each route, and at most one more where two prefixes part. */
enum { ROUTE_MAX = 1024, ROUTE_NODES = 2 * ROUTE_MAX };

struct route_ctx {
	struct rte_rib *rib;
	struct rte_rib6 *rib6;
	struct pmtu *pmtu;
};

/* Lies in the extension area of a node. */
struct hop {
	rte_be32_t gateway; /* 0: on-link */
	uint8_t port;
};

struct hop6 {
	struct ip_addr gateway; /* ::, on-link */
	uint8_t port;
};

int
route_create(struct lcore *lc, const char *name, int socket_id)
{
	struct rte_rib_conf conf = {.ext_sz = sizeof(struct hop), .max_nodes = ROUTE_NODES};
	struct rte_rib6_conf conf6 = {.ext_sz = sizeof(struct hop6), .max_nodes = ROUTE_NODES};
	struct route_ctx *c = calloc(1, sizeof(*c));
	char name6[64];
	int rc;

	if (c == NULL)
		return -ENOMEM;
	lc->route = c;
	/* Both make a mempool of that name. */
	snprintf(name6, sizeof(name6), "%.60s6", name);
	rc = pmtu_create(lc, &c->pmtu);
	if (rc == 0) {
		c->rib = rte_rib_create(name, socket_id, &conf);
		c->rib6 = c->rib == NULL ? NULL : rte_rib6_create(name6, socket_id, &conf6);
		rc = c->rib6 == NULL ? -rte_errno : 0;
	}
	if (rc != 0)
		route_free(lc);
	return rc;
}

void
route_free(struct lcore *lc)
{
	if (lc->route == NULL)
		return;
	rte_rib_free(lc->route->rib);
	rte_rib6_free(lc->route->rib6);
	pmtu_free(lc->route->pmtu);
	free(lc->route);
	lc->route = NULL;
}

static bool
gateway_on_link(const struct route_ctx *c, const struct ip_addr *gateway, uint8_t port)
{
	struct rte_rib_node *n;
	const struct hop *h;

	if (!ip_addr_is_v4(gateway) || ip_addr_is_any(gateway))
		return false;
	n = rte_rib_lookup(c->rib, rte_be_to_cpu_32(ip_addr_to_v4(gateway)));
	if (n == NULL)
		return false;
	h = rte_rib_get_ext(n);
	return h->gateway == 0 && h->port == port;
}

static int
add_4(struct lcore *lc, const struct ip_addr *net, uint8_t plen, const struct ip_addr *gateway,
	uint8_t port)
{
	struct route_ctx *c = lc->route;
	struct rte_rib_node *n;
	struct hop *h;
	uint32_t ip;

	if (plen > 32)
		return -EINVAL;
	ip = rte_be_to_cpu_32(ip_addr_to_v4(net));
	if ((ip & ~rte_rib_depth_to_mask(plen)) != 0)
		return -EINVAL;
	if (gateway != NULL && !gateway_on_link(c, gateway, port))
		return -EINVAL;
	n = rte_rib_insert(c->rib, ip, plen);
	if (n == NULL)
		return rte_errno == EEXIST ? -EEXIST : -ENOSPC;
	h = rte_rib_get_ext(n);
	h->gateway = gateway == NULL ? 0 : ip_addr_to_v4(gateway);
	h->port = port;
	return 0;
}

/* RFC 4861 s8: a link-local gateway is on the link that its scope names. */
static bool
gateway6_on_link(const struct route_ctx *c, const struct ip_addr *gateway, uint8_t port)
{
	struct rte_rib6_node *n;
	const struct hop6 *h;

	if (ip_addr_is_v4(gateway) || ip_addr_is_any(gateway) || ip_addr_is_mcast(gateway))
		return false;
	if (ip_addr_is_link_local(gateway))
		return ip_addr_scope(gateway) == port + 1;
	n = rte_rib6_lookup(c->rib6, gateway->b);
	if (n == NULL)
		return false;
	h = rte_rib6_get_ext(n);
	return ip_addr_is_any(&h->gateway) && h->port == port;
}

static int
add_6(struct lcore *lc, const struct ip_addr *net, uint8_t plen, const struct ip_addr *gateway,
	uint8_t port)
{
	struct route_ctx *c = lc->route;
	struct ip_addr masked = ip_addr_mask(net, plen);
	struct rte_rib6_node *n;
	struct hop6 *h;

	if (plen > 128 || !ip_addr_eq(&masked, net) || ip_addr_is_mcast(net))
		return -EINVAL;
	if (gateway != NULL && !gateway6_on_link(c, gateway, port))
		return -EINVAL;
	n = rte_rib6_insert(c->rib6, net->b, plen);
	if (n == NULL)
		return rte_errno == EEXIST ? -EEXIST : -ENOSPC;
	h = rte_rib6_get_ext(n);
	*h = (struct hop6){.port = port};
	if (gateway != NULL)
		h->gateway = *gateway;
	return 0;
}

int
route_add(struct lcore *lc, const struct ip_addr *net, uint8_t plen, const struct ip_addr *gateway,
	uint8_t port)
{
	if (port >= lc->nb_ports)
		return -EINVAL;
	return ip_addr_is_v4(net) ? add_4(lc, net, plen, gateway, port)
				  : add_6(lc, net, plen, gateway, port);
}

void
route_del6(struct lcore *lc, const struct ip_addr *net, uint8_t plen)
{
	rte_rib6_remove(lc->route->rib6, net->b, plen);
}

static bool
in_prefix(const struct port_addr *a, rte_be32_t ip)
{
	if (!ip_addr_is_v4(&a->addr))
		return false;
	return ((ip_addr_to_v4(&a->addr) ^ ip) &
		       rte_cpu_to_be_32(rte_rib_depth_to_mask(a->plen))) == 0;
}

/* RFC 1122 s3.3.4.3: the address of the network on which the next hop lives. */
static struct ip_addr
source_for(const struct port *p, rte_be32_t nexthop)
{
	for (uint32_t i = 0; i < p->nb_addrs; i++) {
		if (in_prefix(&p->addr[i], nexthop))
			return p->addr[i].addr;
	}
	for (uint32_t i = 0; i < p->nb_addrs; i++) {
		if (ip_addr_is_v4(&p->addr[i].addr))
			return p->addr[i].addr;
	}
	return ip_addr_v4(0);
}

struct ip_addr
route_source6(const struct port *p, const struct ip_addr *dst)
{
	bool local = ip_addr_is_link_local(dst);
	const struct port_addr *best = NULL;
	uint32_t best_score = 0;

	for (uint32_t i = 0; i < p->nb_addrs; i++) {
		const struct port_addr *a = &p->addr[i];
		uint32_t score = 1;

		if (ip_addr_is_v4(&a->addr) || !port_addr_is_assigned(a))
			continue;
		score += (ip_addr_is_link_local(&a->addr) == local) ? 512 : 0;
		score += a->state == ADDR_PREFERRED ? 256 : 0;
		score += RTE_MIN(ip_addr_common_bits(&a->addr, dst), (uint32_t)a->plen);
		if (score > best_score) {
			best = a;
			best_score = score;
		}
	}
	return best != NULL ? best->addr : (struct ip_addr){.q = {0, 0}};
}

static void
fill(const struct lcore *lc, const struct hop *h, rte_be32_t dst, struct route *out)
{
	const struct port *p = lc->port[h->port];
	rte_be32_t nexthop = h->gateway != 0 ? h->gateway : dst;

	out->nexthop = ip_addr_v4(nexthop);
	out->src = source_for(p, nexthop);
	out->mtu_bytes = p->mtu_bytes;
	out->port = h->port;
}

static void
fill6(const struct lcore *lc, uint8_t port, const struct ip_addr *gateway,
	const struct ip_addr *dst, struct route *out)
{
	const struct port *p = lc->port[port];

	out->nexthop = ip_addr_is_any(gateway) ? *dst : *gateway;
	out->src = route_source6(p, dst);
	/* RFC 4861 s6.3.4 */
	out->mtu_bytes = p->mtu6_bytes != 0 ? p->mtu6_bytes : p->mtu_bytes;
	out->port = port;
}

/* RFC 1122 s3.2.1.3: what may stand in a destination field and name one host elsewhere. */
static bool
is_unicast(uint32_t ip)
{
	uint32_t net = ip >> 24;

	return net != 0 && net != 127 && net < 224;
}

static int
find_4(const struct lcore *lc, const struct ip_addr *dst, struct route *out)
{
	uint32_t ip = rte_be_to_cpu_32(ip_addr_to_v4(dst));
	struct rte_rib_node *n;

	if (!is_unicast(ip))
		return -ENETUNREACH;
	n = rte_rib_lookup(lc->route->rib, ip);
	if (n == NULL)
		return -ENETUNREACH;
	fill(lc, rte_rib_get_ext(n), ip_addr_to_v4(dst), out);
	return 0;
}

static int
find_link_local(const struct lcore *lc, const struct ip_addr *dst, struct route *out)
{
	static const struct ip_addr none;
	uint8_t scope = ip_addr_scope(dst);

	if (scope == 0 || scope > lc->nb_ports || !lc->port[scope - 1]->ip6)
		return -ENETUNREACH;
	fill6(lc, (uint8_t)(scope - 1), &none, dst, out);
	return 0;
}

/* RFC 4291 s2.5.2, s2.5.3, s2.7: what names no single host elsewhere. */
static bool
is_unicast6(const struct ip_addr *a)
{
	return !ip_addr_is_mcast(a) && (a->q[0] != 0 || rte_be_to_cpu_64(a->q[1]) > 1);
}

static int
find_6(const struct lcore *lc, const struct ip_addr *dst, struct route *out)
{
	struct rte_rib6_node *n;
	const struct hop6 *h;

	if (!is_unicast6(dst))
		return -ENETUNREACH;
	if (ip_addr_is_link_local(dst))
		return find_link_local(lc, dst, out);
	n = rte_rib6_lookup(lc->route->rib6, dst->b);
	if (n == NULL)
		return -ENETUNREACH;
	h = rte_rib6_get_ext(n);
	fill6(lc, h->port, &h->gateway, dst, out);
	return 0;
}

int
route_find(const struct lcore *lc, const struct ip_addr *dst, struct route *out)
{
	int rc = ip_addr_is_v4(dst) ? find_4(lc, dst, out) : find_6(lc, dst, out);

	if (rc == 0)
		out->mtu_bytes = pmtu_get(lc, lc->route->pmtu, dst, out->mtu_bytes);
	return rc;
}

bool
route_pmtu_update(struct lcore *lc, const struct ip_addr *dst, uint32_t mtu_bytes)
{
	return pmtu_update(lc, lc->route->pmtu, dst, mtu_bytes);
}

bool
route_is_ours(const struct lcore *lc, const struct ip_addr *a, uint32_t realm)
{
	for (uint32_t i = 0; i < lc->nb_ports; i++) {
		const struct port *p = lc->port[i];

		if (p->realm != realm)
			continue;
		for (uint32_t k = 0; k < p->nb_addrs; k++) {
			if (ip_addr_eq(&p->addr[k].addr, a) && port_addr_is_assigned(&p->addr[k]))
				return true;
		}
	}
	return false;
}

/* RFC 3021 s3.1: both addresses of a 31-bit prefix are hosts; one of 32 has no other. */
static bool
is_broadcast_of(const struct port_addr *a, rte_be32_t ip)
{
	rte_be32_t host;

	if (!in_prefix(a, ip) || a->plen >= 31)
		return false;
	host = rte_cpu_to_be_32(~rte_rib_depth_to_mask(a->plen));
	return (ip & host) == host || (ip & host) == 0;
}

bool
route_is_broadcast(const struct lcore *lc, rte_be32_t a, uint32_t realm)
{
	if (a == RTE_BE32(0xffffffff))
		return true;
	for (uint32_t i = 0; i < lc->nb_ports; i++) {
		const struct port *p = lc->port[i];

		if (p->realm != realm)
			continue;
		for (uint32_t k = 0; k < p->nb_addrs; k++) {
			if (is_broadcast_of(&p->addr[k], a))
				return true;
		}
	}
	return false;
}

static void
show(const struct lcore *lc, struct rte_rib_node *n,
	void (*fn)(const struct ip_addr *net, uint8_t plen, const struct route *r, void *arg),
	void *arg)
{
	const struct hop *h = rte_rib_get_ext(n);
	struct ip_addr net;
	struct route r;
	uint8_t plen;
	uint32_t ip;

	rte_rib_get_ip(n, &ip);
	rte_rib_get_depth(n, &plen);
	net = ip_addr_v4(rte_cpu_to_be_32(ip));
	fill(lc, h, ip_addr_to_v4(&net), &r);
	if (h->gateway == 0)
		r.nexthop = ip_addr_v4(0);
	fn(&net, plen, &r, arg);
}

static void
show6(const struct lcore *lc, struct rte_rib6_node *n,
	void (*fn)(const struct ip_addr *net, uint8_t plen, const struct route *r, void *arg),
	void *arg)
{
	const struct hop6 *h = rte_rib6_get_ext(n);
	struct ip_addr net;
	struct route r;
	uint8_t plen;

	rte_rib6_get_ip(n, net.b);
	rte_rib6_get_depth(n, &plen);
	fill6(lc, h->port, &h->gateway, &net, &r);
	r.nexthop = h->gateway;
	fn(&net, plen, &r, arg);
}

static void
foreach6(const struct lcore *lc,
	void (*fn)(const struct ip_addr *net, uint8_t plen, const struct route *r, void *arg),
	void *arg)
{
	static const uint8_t all[16];
	struct rte_rib6_node *n = rte_rib6_lookup_exact(lc->route->rib6, all, 0);

	if (n != NULL)
		show6(lc, n, fn, arg);
	n = NULL;
	while ((n = rte_rib6_get_nxt(lc->route->rib6, all, 0, n, RTE_RIB6_GET_NXT_ALL)) != NULL)
		show6(lc, n, fn, arg);
}

void
route_foreach(const struct lcore *lc,
	void (*fn)(const struct ip_addr *net, uint8_t plen, const struct route *r, void *arg),
	void *arg)
{
	/* The walk visits what is more specific than its start, which is therefore shown first. */
	struct rte_rib_node *n = rte_rib_lookup_exact(lc->route->rib, 0, 0);

	if (n != NULL)
		show(lc, n, fn, arg);
	n = NULL;
	while ((n = rte_rib_get_nxt(lc->route->rib, 0, 0, n, RTE_RIB_GET_NXT_ALL)) != NULL)
		show(lc, n, fn, arg);
	foreach6(lc, fn, arg);
}
