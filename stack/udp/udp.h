/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * udp.h - UDP (RFC 768, RFC 8200 s8.1) for the rest of the stack.
 *
 * connect() latches a socket's 5-tuple as TCP does (RFC 5660 s5.2); a socket without a connection
 * has no latch: the policy judges each datagram, and tags tell programs who sent it (s5.3).
 */
#ifndef TL_UDP_UDP_H
#define TL_UDP_UDP_H

#include "stack/base/lcore.h"
#include "stack/base/pkt.h"
#include "stack/base/sock.h"

struct udp_conf {
	uint32_t max_pcbs;     /* sockets of this worker; 0 in a configuration: not said */
	uint32_t sndbuf_bytes; /* default of SO_SNDBUF */
	uint32_t rcvbuf_bytes; /* default of SO_RCVBUF */
	uint16_t port_first;   /* ephemeral ports, RFC 6335 s6 */
	uint16_t port_last;
};

/* Datagram sockets of a worker with so many sockets of all kinds, where nothing else is said. */
static inline uint32_t
udp_sockets_default(uint32_t sockets)
{
	return sockets < 16384 ? sockets : 16384;
}

/* The sizes of buffers; the rest is zero. */
void udp_conf_default(struct udp_conf *c);

/* Returns 0 or -errno. Needs lc's pool, flow, rand, buf, latch, route and icmp contexts. */
int udp_create(struct lcore *lc, const struct udp_conf *conf);
void udp_destroy(struct lcore *lc);

/* The ops of a datagram socket. */
extern const struct sock_ops udp_sock_ops;

/* Receive stage: takes every packet of v; port unreachable is queued. */
void udp_in(struct lcore *lc, struct pkt_vec *v);

/* Transmit stage: appends at most max datagrams and returns how many. Sockets take turns. */
uint32_t udp_out(struct lcore *lc, struct pkt_vec *v, uint32_t max);
bool udp_out_pending(const struct lcore *lc);

/*
 * What an ICMP error says about the connection of the quoted datagram (RFC 1122 s4.1.3.3; the
 * caller has checked that it may speak: F-49, F-50). Returns whether there is such a connection.
 */
enum udp_icmp { UDP_ICMP_SOFT, UDP_ICMP_HARD, UDP_ICMP_TOOBIG };
bool udp_icmp(struct lcore *lc, const struct flow_key *k, enum udp_icmp kind);

/* Sockets that are open. */
uint32_t udp_pcbs_in_use(const struct lcore *lc);

/* For operators. */
struct udp_row {
	struct flow_key key; /* without remote end: not connected */
	const char *state;
	const struct latch *latch; /* NULL: not connected */
	uint32_t sndq_bytes, rcvq_bytes;
};
void udp_foreach(struct lcore *lc, void (*fn)(const struct udp_row *i, void *arg), void *arg);

#endif
