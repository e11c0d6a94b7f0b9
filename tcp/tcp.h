/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * tcp.h - TCP (RFC 9293) for the rest of the stack.
 */
#ifndef TL_TCP_TCP_H
#define TL_TCP_TCP_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "stack/base/lcore.h"
#include "stack/base/pkt.h"
#include "stack/base/sock.h"
#include "tcp/tcp_isn.h"

enum tcp_conf_cc { TCP_CONF_NEWRENO = 0, TCP_CONF_CUBIC, TCP_CONF_DCTCP, TCP_CONF_BBR };

/* Linux' numbers of tcp_fastopen and tcp_mtu_probing. */
enum tcp_conf_tfo {
	TCP_CONF_TFO_OFF = 0,
	TCP_CONF_TFO_CLIENT = 1,
	TCP_CONF_TFO_SERVER = 2,
	TCP_CONF_TFO_BOTH = 3
};
enum tcp_conf_mtu { TCP_CONF_MTU_OFF = 0, TCP_CONF_MTU_BLACKHOLE, TCP_CONF_MTU_ALWAYS };

enum tcp_conf_ecn { TCP_CONF_ECN_OFF = 0, TCP_CONF_ECN_ASK, TCP_CONF_ECN_ACCEPT };

struct tcp_conf {
	uint32_t max_pcbs;     /* control blocks of this worker */
	uint32_t sndbuf_bytes; /* what a buffer begins with */
	uint32_t rcvbuf_bytes;
	uint32_t sndbuf_max_bytes; /* and what it may grow to by itself */
	uint32_t rcvbuf_max_bytes;
	uint32_t pressure_pct; /* of the chunks in use: then buffers stay and windows get small */
	uint32_t rto_min_us;   /* RFC 6298 (2.4) says 1 s; 200 ms by default, a deviation */
	uint32_t msl_ms;       /* TIME-WAIT lasts twice this */
	uint32_t delack_us;    /* RFC 9293 s3.8.6.3: below 500 ms */
	uint32_t fin_wait_ms;  /* in FIN-WAIT-2 when the program is gone */
	uint32_t syn_retries;
	uint32_t synack_retries;
	uint32_t data_retries; /* R2 of RFC 9293 s3.8.3, in retransmissions */
	uint16_t keep_idle_s;  /* RFC 9293 s3.8.4: before the first keep-alive, 7200 */
	uint16_t keep_interval_s;
	uint16_t keep_count;
	uint16_t port_first; /* ephemeral ports, RFC 6335 s6 */
	uint16_t port_last;
	uint32_t rto_init_us;      /* RFC 6298 (2.1) */
	uint32_t rto_max_us;       /* RFC 6298 (2.5) */
	uint32_t iw_segments;      /* RFC 6928 */
	uint32_t max_ranges;       /* of scoreboards, beyond one for each connection */
	uint32_t challenge_per_s;  /* RFC 5961 s7 */
	uint32_t fastopen_pause_s; /* after a black hole, RFC 7413 s4.1.3.1 */
	uint32_t mtu_probe_s;      /* between searches for a larger MTU */
	uint16_t base_mss;         /* what path MTU probing begins with */
	/* Drawn by tcp_conf_secrets(), for all workers: any of them may have the next connection of
	 * a 5-tuple (RFC 6528, RFC 6191), or the ACK of a cookie that another one gave. */
	struct tcp_secret isn_secret, ts_secret, cookie_secret;
	uint64_t fastopen_run;
	/* When a worker last sent a SYN cookie; NULL: each for itself. */
	_Atomic uint64_t *cookie_ns;
	bool has_secrets;
	uint8_t fastopen_key[16];
	bool has_fastopen_key; /* else a random one */
	uint8_t fastopen;      /* TCP_CONF_TFO_* */
	uint8_t mtu_probing;   /* TCP_CONF_MTU_* */
	uint8_t cc;            /* TCP_CONF_*: congestion control of who does not choose */
	uint8_t ecn;           /* TCP_CONF_ECN_* */
	bool tw_reuse;         /* connect() may take the 5-tuple of a TIME-WAIT, RFC 6191 */
	bool no_timestamps;
	bool no_wscale;
	bool no_hystart;
	bool no_sack;
	bool no_dsack;
	bool no_tlp;
	bool no_frto;
	bool no_cookies; /* a flooded listener drops old half-open connections instead */
};

/* The defaults that a production stack starts from. */
void tcp_conf_default(struct tcp_conf *c);

/* What all workers of a stack share and nobody configured; with lc's random numbers. */
void tcp_conf_secrets(struct lcore *lc, struct tcp_conf *c);

/* Returns 0 or -errno. Needs lc's pool, tmr, flow, rand, buf, latch, route contexts. */
int tcp_create(struct lcore *lc, const struct tcp_conf *conf);
void tcp_destroy(struct lcore *lc);

/* The ops of a stream socket. */
extern const struct sock_ops tcp_sock_ops;

/* Receive stage: takes every packet of v; never sends (answers are marked or queued). */
void tcp_in(struct lcore *lc, struct pkt_vec *v);

/*
 * Transmit stage: appends segments of connections that have something to say, at most max, and
 * returns how many. Connections take turns with a quantum each.
 */
uint32_t tcp_out(struct lcore *lc, struct pkt_vec *v, uint32_t max);

/* True if tcp_out() would produce something. */
bool tcp_out_pending(const struct lcore *lc);

/*
 * What an ICMP error says about the connection of the quoted packet (RFC 9293 s3.9.2.2, F-49, F-50:
 * the caller has checked that the error may speak for the connection). Returns whether seq, the
 * quoted number, is in flight; if not, nothing has changed and the caller should believe nothing.
 */
enum tcp_icmp { TCP_ICMP_SOFT, TCP_ICMP_HARD, TCP_ICMP_TOOBIG };
bool tcp_icmp(struct lcore *lc, const struct flow_key *k, uint32_t seq, enum tcp_icmp kind,
	uint32_t mtu_bytes);

/* Control blocks in any state but CLOSED and LISTEN: 0 when nothing is left. */
uint32_t tcp_pcbs_in_use(const struct lcore *lc);

/* For operators: calls fn for every control block, listeners included. */
struct tcp_row {
	struct flow_key key;
	const char *state;
	const struct latch *latch; /* NULL for a listener */
	uint32_t sndq_bytes, rcvq_bytes;
	uint32_t snd_wnd_bytes, cwnd_bytes, srtt_us, rto_us, mss_bytes;
	uint32_t rexmt;
};
void tcp_foreach(struct lcore *lc, void (*fn)(const struct tcp_row *i, void *arg), void *arg);

#endif
