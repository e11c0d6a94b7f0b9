/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * lcore.h - the root of everything that one worker owns.
 *
 * It is the first argument of every function on the packet path. Nothing in it is reachable from
 * another worker or thread except the message rings (msg.h). One thread drives it at a time.
 */
#ifndef TL_BASE_LCORE_H
#define TL_BASE_LCORE_H

#include <stdint.h>
#include <rte_mbuf.h>
#include <rte_mempool.h>

#include "stack/base/stat.h"

struct pkt_queue {
	struct rte_mbuf *head;
	struct rte_mbuf *tail;
	uint32_t n;
};

enum { LC_MAX_PORTS = 4, LC_MAX_WORKERS = 16 };

struct lcore {
	uint64_t now_ns;   /* the only clock: sampled per burst and before timers run */
	uint64_t tag_flag; /* dynflag: the tag of this mbuf is valid */
	uint32_t tag_off;  /* dynfield: where the tag lies in an mbuf */
	uint16_t id;       /* number of this worker, from 0 */
	uint16_t nb_workers;
	uint16_t nb_ports;
	uint16_t turn_work;           /* packets and timers handled in this turn; 0 means idle */
	struct rte_mempool *pkt_pool; /* mbufs, private area = struct pkt_meta */
	struct port *port[LC_MAX_PORTS];
	bool offload; /* every port completes checksums and cuts what is larger than its MTU */

	/* Contexts of the modules, each defined in the module's own header. */
	struct tmr_wheel *tmr;
	struct rand_ctx *rand;
	struct flow_table *flow;
	struct msg_ctx *msg;
	struct sock_ctx *sock;
	struct buf_pool *buf;
	struct eth_ctx *eth;
	struct arp_ctx *arp;
	struct nd_ctx *nd;
	struct ip4_ctx *ip4;
	struct frag_ctx *frag;
	struct route_ctx *route;
	struct icmp_ctx *icmp;
	struct esp_ctx *esp;
	struct latch_ctx *latch;
	struct tcp_ctx *tcp;
	struct udp_ctx *udp;
	struct sctp_ctx *sctp;
	struct run_ctx *run;
	struct capture_tap *capture; /* NULL: no packet is copied */
	struct except_ctx *except;   /* NULL: no packet goes to the host's kernel */
	struct stage_clock *stages;  /* NULL: nobody wants to know where the cycles go */
	/* Sees each packet that is dropped, before it is freed; NULL: nobody does. */
	void (*on_drop)(struct lcore *lc, const struct rte_mbuf *m, enum drop_reason r);

	struct pkt_queue out_l2; /* whole frames (ARP), bounded */
	struct pkt_queue out_l4; /* answers that no control block owns (ICMP, RST), bounded */

	struct stat_block stat;
};

static inline void
lc_count(struct lcore *lc, enum stat_id s)
{
	lc->stat.st[s]++;
}

static inline void
lc_count_n(struct lcore *lc, enum stat_id s, uint64_t n)
{
	lc->stat.st[s] += n;
}

#endif
