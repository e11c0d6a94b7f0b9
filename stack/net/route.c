/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * route.c - the routing table of a worker on top of librte_rib, and which addresses are ours.
 *
 * Read by the IP stages in both directions; changed by the control path only.
 */
#include "stack/net/route.h"

#include <errno.h>
#include <stdlib.h>
#include <rte_errno.h>
#include <rte_rib.h>

#include "stack/base/port.h"

/* A node of the trie for each route, and at most one more where two prefixes part. */
enum { ROUTE_MAX = 1024, ROUTE_NODES = 2 * ROUTE_MAX };

struct route_ctx {
	struct rte_rib *rib;
};

/* Lies in the extension area of a node. */
struct hop {
	rte_be32_t gateway; /* 0: on-link */
	uint8_t port;
};

int
route_create(struct lcore *lc, const char *name, int socket_id)
{
	struct rte_rib_conf conf = {.ext_sz = sizeof(struct hop), .max_nodes = ROUTE_NODES};
	struct route_ctx *c = calloc(1, sizeof(*c));

	if (c == NULL)
		return -ENOMEM;
	c->rib = rte_rib_create(name, socket_id, &conf);
	if (c->rib == NULL) {
		free(c);
		return -rte_errno;
	}
	lc->route = c;
	return 0;
}

void
route_free(struct lcore *lc)
{
	if (lc->route == NULL)
		return;
	rte_rib_free(lc->route->rib);
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

int
route_add(struct lcore *lc, const struct ip_addr *net, uint8_t plen, const struct ip_addr *gateway,
	uint8_t port)
{
	struct route_ctx *c = lc->route;
	struct rte_rib_node *n;
	struct hop *h;
	uint32_t ip;

	if (!ip_addr_is_v4(net) || plen > 32 || port >= lc->nb_ports)
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

static bool
in_prefix(const struct port_addr *a, rte_be32_t ip)
{
	rte_be32_t mask = rte_cpu_to_be_32(rte_rib_depth_to_mask(a->plen));

	return ip_addr_is_v4(&a->addr) && ((ip_addr_to_v4(&a->addr) ^ ip) & mask) == 0;
}

/* RFC 1122 s3.3.4.3: the address of the network on which the next hop lives. */
static struct ip_addr
source_for(const struct port *p, rte_be32_t nexthop)
{
	for (uint32_t i = 0; i < p->nb_addrs; i++) {
		if (in_prefix(&p->addr[i], nexthop))
			return p->addr[i].addr;
	}
	return p->nb_addrs > 0 ? p->addr[0].addr : ip_addr_v4(0);
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

/* RFC 1122 s3.2.1.3: what may stand in a destination field and name one host elsewhere. */
static bool
is_unicast(uint32_t ip)
{
	uint32_t net = ip >> 24;

	return net != 0 && net != 127 && net < 224;
}

int
route_find(const struct lcore *lc, const struct ip_addr *dst, struct route *out)
{
	struct rte_rib_node *n;
	uint32_t ip;

	if (!ip_addr_is_v4(dst))
		return -ENETUNREACH;
	ip = rte_be_to_cpu_32(ip_addr_to_v4(dst));
	if (!is_unicast(ip))
		return -ENETUNREACH;
	n = rte_rib_lookup(lc->route->rib, ip);
	if (n == NULL)
		return -ENETUNREACH;
	fill(lc, rte_rib_get_ext(n), ip_addr_to_v4(dst), out);
	return 0;
}

bool
route_is_ours(const struct lcore *lc, const struct ip_addr *a, uint32_t realm)
{
	for (uint32_t i = 0; i < lc->nb_ports; i++) {
		const struct port *p = lc->port[i];

		if (p->realm != realm)
			continue;
		for (uint32_t k = 0; k < p->nb_addrs; k++) {
			if (ip_addr_eq(&p->addr[k].addr, a))
				return true;
		}
	}
	return false;
}

/* RFC 3021 s3.1: both addresses of a 31-bit prefix are hosts; one of 32 has no other. */
static bool
is_broadcast_of(const struct port_addr *a, rte_be32_t ip)
{
	rte_be32_t host = rte_cpu_to_be_32(~rte_rib_depth_to_mask(a->plen));

	if (a->plen >= 31 || !in_prefix(a, ip))
		return false;
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
}
