/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * sctp.h - SCTP (RFC 9260) for the rest of the stack.
 *
 * An association has paths, and each 5-tuple of a path its own latch (RFC 5660 s5.4): whose the
 * association is, is one question; how a path is protected, another one for each.
 */
#ifndef TL_SCTP_SCTP_H
#define TL_SCTP_SCTP_H

#include <stdbool.h>
#include <stdint.h>

#include "stack/base/lcore.h"
#include "stack/base/pkt.h"
#include "stack/base/sock.h"

enum { SCTP_SECRET_LEN = 32 };

/* Names and values of RFC 9260 s16 where it has them. */
struct sctp_conf {
	uint32_t max_assocs; /* of this worker */
	uint32_t max_paths;
	uint32_t max_chunks; /* messages and chunks that wait or are in flight, of all */
	uint32_t sndbuf_bytes;
	uint32_t rcvbuf_bytes;
	uint32_t rto_init_ms;
	uint32_t rto_min_ms;
	uint32_t rto_max_ms;
	uint32_t max_burst;
	uint32_t assoc_max_retrans;
	uint32_t path_max_retrans;
	uint32_t max_init_retrans;
	uint32_t hb_interval_ms;
	uint32_t cookie_life_ms;
	uint32_t sack_delay_ms; /* s6.2: at most 500 */
	uint32_t sack_freq;     /* packets with data for each SACK */
	uint16_t out_streams;   /* that connect() asks for, and the most of each direction */
	uint16_t in_streams;
	uint16_t port_first; /* ephemeral ports, RFC 6335 s6 */
	uint16_t port_last;
	/* Of all workers: any of them may see the COOKIE ECHO. */
	uint8_t secret[SCTP_SECRET_LEN];
	bool has_secret;
};

void sctp_conf_default(struct sctp_conf *c);

/* What all workers of a stack share and nobody configured; with lc's random numbers. */
void sctp_conf_secrets(struct lcore *lc, struct sctp_conf *c);

/* What the pools of a worker need, about. */
uint64_t sctp_conf_memory(const struct sctp_conf *c);

/* Returns 0 or -errno. Needs lc's pool, tmr, flow, rand, buf, latch, route contexts. */
int sctp_create(struct lcore *lc, const struct sctp_conf *conf);
void sctp_destroy(struct lcore *lc);

/* The ops of a one-to-one socket (RFC 6458 s4). */
extern const struct sock_ops sctp_sock_ops;

/* Receive stage: takes every packet of v; never sends (answers are marked or queued). */
void sctp_in(struct lcore *lc, struct pkt_vec *v);

/* Transmit stage: appends packets of associations that have something to say, at most max, and
 * returns how many. Associations take turns with a quantum each. */
uint32_t sctp_out(struct lcore *lc, struct pkt_vec *v, uint32_t max);
bool sctp_out_pending(const struct lcore *lc);

/*
 * What an ICMP error says about the association of the quoted packet, whose verification tag was
 * vtag (RFC 9260 s10; the caller has checked that it may speak: F-49, F-50). Returns whether the
 * tag is right; if not, nothing has changed and the caller should believe nothing.
 */
enum sctp_icmp { SCTP_ICMP_SOFT, SCTP_ICMP_NO_PROTOCOL, SCTP_ICMP_TOOBIG };
bool sctp_icmp(struct lcore *lc, const struct flow_key *k, uint32_t vtag, enum sctp_icmp kind,
	uint32_t mtu_bytes);

/* Associations in any state but CLOSED, and endpoints: 0 when nothing is left. */
uint32_t sctp_in_use(const struct lcore *lc);

/* For operators: each path of each association, and listeners. */
struct sctp_row {
	struct flow_key key;
	const char *state; /* of the association */
	const char *path;  /* "" for a listener */
	bool is_primary;
	const struct latch *latch; /* NULL for a listener */
	uint32_t sndq_bytes, rcvq_bytes, cwnd_bytes, flight_bytes, srtt_us, rto_ms, mtu_bytes,
		errors;
};
void sctp_foreach(struct lcore *lc, void (*fn)(const struct sctp_row *i, void *arg), void *arg);

/* ---- what POSIX has no call for (RFC 6458) ---- */

struct tl_sctp_sndrcvinfo;

ssize_t sctp_usr_sendmsg(struct lcore *lc, struct sock *s, const void *buf, size_t len,
	const struct tl_sctp_sndrcvinfo *info);
ssize_t sctp_usr_recvmsg(struct lcore *lc, struct sock *s, void *buf, size_t len,
	struct tl_sctp_sndrcvinfo *info, int *flags);

enum { SCTP_USR_ADDRS_MAX = 8 };
/* Several addresses with one port. connectx tries them in turn. */
int sctp_usr_bindx(struct lcore *lc, struct sock *s, const struct sock_addr *a, uint32_t n);
int sctp_usr_connectx(struct lcore *lc, struct sock *s, const struct sock_addr *a, uint32_t n);
/* Fills at most max of them; returns how many there are, or -errno. */
int sctp_usr_addrs(
	struct lcore *lc, const struct sock *s, bool remote, struct sock_addr *a, uint32_t max);

#endif
