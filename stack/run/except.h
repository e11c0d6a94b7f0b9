/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * except.h - the exception path: packets that are for the host's kernel, such as those of IKE.
 *
 * The kernel has a TUN interface with the addresses of the port; it sends and gets IP packets in
 * clear, the stack keeps ARP, neighbour discovery and routes. Worker 0 owns the interface, the
 * others hand over to it. Only clear packets go there. IKE passes by the policy (RFC 4301 s4.4.1);
 * everything else that the configuration lists is judged first.
 */
#ifndef TL_RUN_EXCEPT_H
#define TL_RUN_EXCEPT_H

#include "stack/run/run.h"

enum {
	EXCEPT_QUEUE = 256,         /* packets that wait for the kernel */
	EXCEPT_BUDGET = 32,         /* packets of one turn, each way */
	EXCEPT_POLL_MIN_NS = 50000, /* between two looks at a quiet interface */
	EXCEPT_POLL_MAX_NS = 1000000,
};

/* One interface, as a worker sees it; fd and what follows are worker 0's. */
enum { EXCEPT_FIRSTS = 16 };

/* A first fragment of IKE that left: the later ones belong to it. */
struct except_first {
	struct ip_addr local, remote;
	uint32_t id;
	uint64_t until_ns; /* 0: free */
};

struct except_if {
	const struct conf_except *conf;
	int fd;
	struct pkt_queue to_host;
	uint64_t heard_ns, next_ns; /* when something was read, when to look again */
	uint64_t nb_to_host, nb_from_host, nb_dropped;
	struct except_first first[EXCEPT_FIRSTS]; /* of IKE that the host sends in fragments */
	uint32_t next_first;
};

struct except_ctx {
	uint32_t n;
	struct except_if i[LC_MAX_PORTS];
	struct except_if *by_port[LC_MAX_PORTS];
};

enum except_kind {
	EXCEPT_NOT = 0,
	EXCEPT_IKE,    /* the port of IKE, or that of ESP in UDP with the non-ESP marker */
	EXCEPT_LISTED, /* if the policy lets it pass */
	EXCEPT_ESP,    /* ESP in UDP: never the host's */
};

/* What a packet is, from either side: k->lport is this host's port; len bytes of L4. */
enum except_kind except_kind_of(
	const struct conf_except *c, const struct flow_key *k, const uint8_t *l4, uint32_t len);

/* Opens the interfaces of the configuration. Returns 0, or -errno with *e filled. */
int except_create(struct tl_stack *s, struct tl_error *e);
void except_destroy(struct lcore *lc);

/* A worker knows of an interface; fd (owned from now on) is -1 but on worker 0. 0 or -ENOMEM. */
int except_attach(struct lcore *lc, const struct conf_except *c, int fd);

/* Receive stage before the verdict: takes IKE in clear out of s. */
void except_ike(struct lcore *lc, struct pkt_sort *s);

/* Receive stage after the verdict: takes what is listed, clear, and of no connection here. */
void except_listed(struct lcore *lc, struct pkt_sort *s);

/* On worker 0: a packet that another worker took. */
void except_take(struct lcore *lc, struct rte_mbuf *m);

/* Once in a turn: writes what waits, reads what came. Returns how many packets. */
uint32_t except_turn(struct lcore *lc);

/* When except_turn() wants to run again; UINT64_MAX: never. */
uint64_t except_next_ns(const struct lcore *lc);

#endif
