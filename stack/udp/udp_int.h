/* SPDX-License-Identifier: BSD-3-Clause */
/* udp_int.h - the control block, and what the files of this module call in each other. */
#ifndef TL_UDP_UDP_INT_H
#define TL_UDP_UDP_INT_H

#include <sys/queue.h>

#include "latch/latch.h"
#include "stack/base/buf.h"
#include "stack/base/flow.h"
#include "stack/udp/udp.h"

enum {
	UDP_HLEN = 8,
	UDP_BOUND_BUCKETS = 1024,
	UDP_PAYLOAD_MAX = 65507, /* RFC 768, over IPv4 */
};

/*
 *          connect             latch ends
 *   OPEN ----------> CONNECTED ----------> ENDED
 *     ^  disconnect |  ^   connect anew      | disconnect, connect
 *     +-------------+  +---------------------+
 *
 * OPEN       no remote end; fe is not in the flow table, the latch not live
 * CONNECTED  fe owns the 5-tuple and the latch judges it
 * ENDED      fe owns the 5-tuple still, so that nothing of it goes anywhere (D-5); the latch is
 *            CLOSED and not live
 */
enum udp_state { UDP_OPEN = 0, UDP_CONNECTED, UDP_ENDED };

/* Owner: the worker's udp context; its socket lives as long as it does. */
struct udp_pcb {
	struct flow_ent fe; /* the key of OPEN has the local end only */
	struct latch latch;
	struct sock *s;
	struct ip_addr bound_addr; /* as bind() said; any: not bound, or to the wildcard */
	uint8_t state;             /* enum udp_state; written by udp_set_state() only */
	bool is_bound;             /* has a port */
	bool on_out;
	bool want_tag; /* TL_DGRAM_TAG */
	bool rd_shut, wr_shut;
	struct buf rcv;       /* struct udp_rec and its datagram, one after the other */
	struct pkt_queue snd; /* complete but for their tag if connected */
	uint32_t snd_bytes;   /* what they are charged */
	TAILQ_ENTRY(udp_pcb) all, out;
	LIST_ENTRY(udp_pcb) bound;
};

/* In front of each datagram that waits. It names the profile as a number: no SA (F-11). */
struct udp_rec {
	struct flow_key key;
	uint32_t profile;
	uint32_t len;
	bool natt;
};

TAILQ_HEAD(udp_pcb_list, udp_pcb);
LIST_HEAD(udp_bound_list, udp_pcb);

struct udp_ctx {
	struct udp_conf conf;
	struct rte_mempool *pcbs;
	struct udp_pcb_list all, out;
	struct udp_bound_list bound[UDP_BOUND_BUCKETS];
	struct pkt_queue left; /* stamped datagrams whose socket was closed or reconnected */
	uint32_t nb;
	uint32_t waiting;     /* packets in snd of all */
	uint32_t waiting_max; /* the others are for who receives */
	uint32_t payload_max; /* that one packet buffer holds together with ESP's trailer */
};

/* udp.c */
void udp_set_state(struct udp_pcb *pcb, enum udp_state to);
void udp_wake(struct lcore *lc, struct udp_pcb *pcb);
latch_alert_fn udp_latch_alert;

/*
 * Whether a local end bound to `bound` covers the address a. RFC 3493 s5.3: the wildcard of IPv6
 * covers IPv4 too unless it was told not to; the one of IPv4 covers IPv4.
 */
bool udp_local_covers(const struct ip_addr *bound, bool v6only, const struct ip_addr *a);

/* udp_usr.c: an ephemeral port if it has none. Returns 0 or -EADDRINUSE. */
int udp_usr_autobind(struct lcore *lc, struct sock *s);
/* The 5-tuple of a datagram to a, from this socket. Returns 0 or -errno as connect() does. */
int udp_usr_key(struct lcore *lc, const struct udp_pcb *pcb, const struct sock_addr *a,
	struct flow_key *key);
struct udp_bound_list *udp_bound_of(struct lcore *lc, rte_be16_t port);

/* udp_in.c: forgets what waits and did not come on the connection that begins (F-78). */
void udp_rcv_refilter(struct lcore *lc, struct udp_pcb *pcb);

/* udp_out.c: queues a datagram. Takes ownership of m, whose data begin at the UDP header. */
void udp_snd_put(struct lcore *lc, struct udp_pcb *pcb, struct rte_mbuf *m);
uint32_t udp_snd_charge(uint32_t payload_bytes);
/* The connection of what waits ends: it leaves as it was meant. */
void udp_snd_leave(struct lcore *lc, struct udp_pcb *pcb);
/* Nothing of it may leave (D-5). */
void udp_snd_drop(struct lcore *lc, struct udp_pcb *pcb);

/* udp_msg.c */
ssize_t udp_msg_sendmsg(struct lcore *lc, struct sock *s, const struct sock_msg *msg, int flags);
ssize_t udp_msg_recvmsg(struct lcore *lc, struct sock *s, struct sock_msg *msg, int flags);
ssize_t udp_msg_send(struct lcore *lc, struct sock *s, const void *buf, size_t len, int flags);
ssize_t udp_msg_recv(struct lcore *lc, struct sock *s, void *buf, size_t len, int flags);

/* udp_opt.c */
int udp_opt_set(
	struct lcore *lc, struct sock *s, int level, int opt, const void *val, socklen_t len);
int udp_opt_get(struct lcore *lc, struct sock *s, int level, int opt, void *val, socklen_t *len);

#endif
