/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * port.h - one worker's view of a network port: its queue pair, addresses and burst buffer.
 *
 * Where packets really come from is behind a table of functions: DPDK queues or memory.
 */
#ifndef TL_BASE_PORT_H
#define TL_BASE_PORT_H

#include <stdbool.h>
#include <stdint.h>
#include <rte_ether.h>

#include "stack/base/addr.h"
#include "stack/base/lcore.h"
#include "stack/base/pkt.h"

/* A device that takes nothing for so long stops only its own traffic. */
#define PORT_STUCK_NS UINT64_C(100000000)

enum { PORT_TX_BUF = 128, PORT_MAX_ADDRS = 16, PORT_NAME_LEN = 32 };

struct port;

struct port_ops {
	/* Up to n frames, in order. */
	uint16_t (*rx)(struct lcore *lc, struct port *p, struct rte_mbuf **m, uint16_t n);
	/* Takes the first k of n frames, k is returned; the rest stays with the caller. */
	uint16_t (*tx)(struct lcore *lc, struct port *p, struct rte_mbuf **m, uint16_t n);
};

/* RFC 4862 s2. Only an address that is assigned (the first two) sends and receives. */
enum port_addr_state {
	ADDR_PREFERRED = 0,
	ADDR_DEPRECATED,
	ADDR_TENTATIVE,
	ADDR_DUPLICATE,
	ADDR_NONE, /* the place is free */
};

struct port_addr {
	struct ip_addr addr;
	uint8_t plen;  /* prefix length, IPv4: 0 to 32 */
	uint8_t state; /* enum port_addr_state */
};

struct port {
	const struct port_ops *ops;
	void *ctx; /* of the ops */
	char name[PORT_NAME_LEN];
	struct rte_ether_addr mac;
	uint16_t dpdk_id;
	uint16_t queue;
	uint16_t mtu_bytes; /* largest IP packet */
	uint16_t vlan;      /* 802.1Q id of every frame, 0: untagged */
	uint32_t realm;
	uint8_t index; /* in lc->port */
	bool bare_ip;  /* frames have no Ethernet header */
	bool ip6;      /* speaks IPv6 */
	bool dad;      /* addresses are tried before use (RFC 4862 s5.4) */
	bool accept_ra;
	bool offload;        /* the device verifies and completes checksums, and cuts segments */
	uint16_t mtu6_bytes; /* a router's MTU option (RFC 4861 s4.6.4), 0: none */
	uint8_t nb_addrs;
	struct port_addr addr[PORT_MAX_ADDRS];
	uint64_t progress_ns; /* when the device last took a frame, or had nothing to take */
	bool is_stuck;        /* it takes nothing: what goes there is dropped */
	uint32_t nb_tx;
	struct rte_mbuf *tx[PORT_TX_BUF];
};

static inline bool
port_addr_is_assigned(const struct port_addr *a)
{
	return a->state <= ADDR_DEPRECATED;
}

/* How many packets every port that works can surely take now (back-pressure). */
static inline uint32_t
port_room(const struct lcore *lc)
{
	uint32_t room = PORT_TX_BUF, stuck = 0;

	for (uint32_t i = 0; i < lc->nb_ports; i++) {
		if (lc->port[i]->is_stuck)
			stuck++;
		else
			room = RTE_MIN(room, PORT_TX_BUF - lc->port[i]->nb_tx);
	}
	return stuck == lc->nb_ports ? 0 : room;
}

/* Puts a whole frame on the burst buffer of its port. Takes ownership; drops if there is no room.
 */
static inline void
port_put(struct lcore *lc, struct port *p, struct rte_mbuf *m)
{
	if (p->nb_tx == PORT_TX_BUF)
		pkt_drop(lc, m, DROP_TX_FULL);
	else {
		if (p->nb_tx == 0)
			p->progress_ns = lc->now_ns;
		p->tx[p->nb_tx++] = m;
	}
}

#endif
