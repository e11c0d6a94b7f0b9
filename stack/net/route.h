/* SPDX-License-Identifier: BSD-3-Clause */
/* route.h - where a packet to an address leaves: longest prefix match (librte_rib), path MTU. */
#ifndef TL_NET_ROUTE_H
#define TL_NET_ROUTE_H

#include <stdbool.h>
#include <stdint.h>

#include "stack/base/addr.h"
#include "stack/base/lcore.h"
#include "stack/base/port.h"

struct route {
	struct ip_addr nexthop; /* the destination itself when on-link */
	struct ip_addr src;     /* the address that this host uses on the way; any: it has none */
	uint16_t mtu_bytes;
	uint8_t port; /* index into lc->port */
};

/* One table for each worker. name must be unique in the process. Returns 0 or -errno. */
int route_create(struct lcore *lc, const char *name, int socket_id);
void route_free(struct lcore *lc);

/*
 * Adds a prefix. gateway NULL: on-link through port. Returns 0, -EEXIST, -EINVAL (host bits set,
 * no such port, gateway not on-link), -ENOSPC.
 */
int route_add(struct lcore *lc, const struct ip_addr *net, uint8_t plen,
	const struct ip_addr *gateway, uint8_t port);

/* Withdraws an IPv6 prefix; no effect if there is none. */
void route_del6(struct lcore *lc, const struct ip_addr *net, uint8_t plen);

/* Returns 0 or -ENETUNREACH. mtu_bytes is what the path is known to carry. */
int route_find(const struct lcore *lc, const struct ip_addr *dst, struct route *out);

/*
 * Somebody who may be believed says that packets to dst must not be larger. Kept for ten minutes;
 * route_find() obeys. Returns false if that is no news, or less than every path carries.
 */
bool route_pmtu_update(struct lcore *lc, const struct ip_addr *dst, uint32_t mtu_bytes);

/* True if a is an assigned address of one of this worker's ports in the realm. */
bool route_is_ours(const struct lcore *lc, const struct ip_addr *a, uint32_t realm);

/*
 * True if a is the broadcast address of a prefix on one of this worker's ports in the realm, in
 * either form (all ones; all zeros, RFC 1122 s3.3.6), or the limited broadcast address.
 */
bool route_is_broadcast(const struct lcore *lc, rte_be32_t a, uint32_t realm);

/*
 * The address with which port p speaks to dst. RFC 6724 s5, what matters on one port: rule 2 (the
 * scope of the destination), rule 3 (no deprecated address), rule 8 (the longest common prefix).
 * "::" if the port has no assigned address.
 */
struct ip_addr route_source6(const struct port *p, const struct ip_addr *dst);

/* For operators. */
void route_foreach(const struct lcore *lc,
	void (*fn)(const struct ip_addr *net, uint8_t plen, const struct route *r, void *arg),
	void *arg);

#endif
