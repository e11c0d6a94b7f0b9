/* SPDX-License-Identifier: BSD-3-Clause */
/* nd_int.h - what the files of neighbour discovery share. Private to them. */
#ifndef TL_NET_ND_INT_H
#define TL_NET_ND_INT_H

#include "stack/net/nd.h"

enum {
	ND_MLD_QUERY = 130,
	ND_RS = 133,
	ND_RA = 134,
	ND_NS = 135,
	ND_NA = 136,
	ND_REDIRECT = 137,

	ND_OPT_SLLA = 1,
	ND_OPT_TLLA = 2,
	ND_OPT_PREFIX = 3,
	ND_OPT_MTU = 5,

	ND_HOPS = 255,
	ND_NS_LEN = 24, /* of NS and NA without options */
	ND_RA_LEN = 16,

	ND_MAX_ROUTERS = 4,
	ND_MAX_PREFIXES = 8,
};

#define ND_NS_PER_MS UINT64_C(1000000)
#define ND_NS_PER_S  UINT64_C(1000000000)
#define ND_FOREVER   UINT32_MAX /* a lifetime (RFC 4861 s4.6.2) */

/* The life of port->addr[index]. */
struct nd_addr {
	struct tmr tmr;
	uint64_t valid_ns; /* until when; UINT64_MAX: always */
	uint64_t preferred_ns;
	uint8_t port;
	uint8_t index;
	uint8_t tried; /* solicitations sent */
	bool fixed;    /* not from a router: its advertisements change nothing */
};

/* A default router (RFC 4861 s5.1). */
struct nd_router {
	struct tmr tmr; /* set: the entry is in use */
	struct ip_addr addr;
	uint8_t port;
	bool silent; /* it did not answer when last asked */
};

/* A prefix that a router said is on the link (RFC 4861 s5.1). */
struct nd_prefix {
	struct tmr tmr;
	struct ip_addr net;
	uint8_t plen;
	uint8_t port;
	bool in_use;
};

struct nd_port {
	struct tmr rs;
	struct tmr mld; /* set: a report is due */
	uint32_t rs_sent;
	uint32_t reachable_ms;
	uint32_t retrans_ms;
	uint64_t defend_ns; /* no word about a conflict before */
};

struct nd_ctx {
	struct nd_conf conf;
	struct neigh_table table;
	struct nd_port port[LC_MAX_PORTS];
	struct nd_addr addr[LC_MAX_PORTS][PORT_MAX_ADDRS];
	struct nd_router router[ND_MAX_ROUTERS];
	struct nd_router *def; /* the one that our default route names */
	struct nd_prefix prefix[ND_MAX_PREFIXES];
};

/* One checked message. */
struct nd_msg {
	struct port *p;
	const struct rte_mbuf *m;
	struct ip_addr src, dst;
	struct ip_addr target; /* NS, NA */
	const uint8_t *icmp;
	uint32_t len;
	bool first_hand;
	uint8_t type;
	const uint8_t *slla, *tlla; /* MAC addresses, or NULL */
	const uint8_t *mtu;         /* whole options, or NULL */
	const uint8_t *prefix[ND_MAX_PREFIXES];
	uint32_t nb_prefixes;
};

/* nd.c: a MAC heard from the neighbour itself without being asked (RFC 4861 s7.2.3). */
struct neigh *nd_learn(
	struct lcore *lc, struct port *p, const struct ip_addr *addr, const uint8_t *mac);

/* nd_out.c: what we say. dst_mac NULL: the group's. */
void nd_send_ns(struct lcore *lc, const struct port *p, const struct ip_addr *src,
	const struct ip_addr *target, const struct rte_ether_addr *mac);
void nd_send_na(struct lcore *lc, const struct port *p, const struct ip_addr *target,
	const struct ip_addr *dst, const struct rte_ether_addr *mac);
void nd_send_rs(struct lcore *lc, const struct port *p);
void nd_send_report(
	struct lcore *lc, const struct port *p, const struct ip_addr *group, uint8_t record);

/* RFC 3810 s5.2.12: every source is wanted; asked for, and from now on (a join). */
enum { ND_MLD_IS_EXCLUDE = 2, ND_MLD_TO_EXCLUDE = 4 };

/* nd_mld.c: one query, checksum good. */
enum drop_reason nd_mld_in(struct lcore *lc, const struct nd_msg *msg);
void nd_mld_stop(struct lcore *lc);

/* nd.c: gives a message that came here to the other workers. */
void nd_share(struct lcore *lc, const struct nd_msg *msg);

/* nd_addr.c: the entry of an address in any state but NONE, or NULL. */
struct port_addr *nd_addr_find(struct port *p, const struct ip_addr *a);

/* Somebody else has, or tries, an address that we try. */
void nd_addr_duplicate(struct lcore *lc, struct port *p, struct port_addr *a);

/* RFC 4862 s5.5.3 (d), (e): a prefix from which to make an address, lifetimes in seconds. */
void nd_addr_autoconf(
	struct lcore *lc, struct port *p, const struct ip_addr *net, uint32_t valid, uint32_t pref);
void nd_addr_stop(struct lcore *lc);

/* nd_ra.c */
enum drop_reason nd_ra_in(struct lcore *lc, const struct nd_msg *msg);
void nd_rs_start(struct lcore *lc, struct port *p);
void nd_router_gone(struct lcore *lc, uint8_t port, const struct ip_addr *addr);
void nd_router_silent(struct lcore *lc, uint8_t port, const struct ip_addr *addr);
void nd_ra_stop(struct lcore *lc);

#endif
