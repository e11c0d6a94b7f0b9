/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * sctp_assoc.h - the association (TCB of RFC 9260 s14), its states and what holds in each.
 */
#ifndef TL_SCTP_SCTP_ASSOC_H
#define TL_SCTP_SCTP_ASSOC_H

#include "sctp/sctp_path.h"
#include "sctp/sctp_wire.h"
#include "stack/base/buf.h"

/*
 * RFC 9260 s4, figure 3. CLOSED is also where an association is that its program has not given up
 * yet: what it received can be read, why it ended can be asked.
 *
 *   CLOSED -> COOKIE_WAIT           connect()
 *   CLOSED -> ESTABLISHED           valid COOKIE ECHO at a listener
 *   COOKIE_WAIT -> COOKIE_ECHOED    INIT ACK
 *   COOKIE_WAIT -> ESTABLISHED      COOKIE ECHO of a collision (s5.2.4, B)
 *   COOKIE_ECHOED -> ESTABLISHED    COOKIE ACK, or COOKIE ECHO of a collision (B, D)
 *   COOKIE_ECHOED -> COOKIE_WAIT    stale cookie (s5.2.6)
 *   ESTABLISHED -> SHUTDOWN_PENDING     shutdown() or close()
 *   ESTABLISHED -> SHUTDOWN_RECEIVED    SHUTDOWN
 *   SHUTDOWN_PENDING -> SHUTDOWN_SENT   all data acknowledged
 *   SHUTDOWN_PENDING -> SHUTDOWN_RECEIVED  SHUTDOWN
 *   SHUTDOWN_SENT -> SHUTDOWN_ACK_SENT     SHUTDOWN
 *   SHUTDOWN_RECEIVED -> SHUTDOWN_ACK_SENT all data acknowledged
 *   SHUTDOWN_* -> ESTABLISHED       restart of the peer (s5.2.4, A)
 *   any -> CLOSED                   ABORT, SHUTDOWN ACK and COMPLETE, no answer, a latch
 *
 * In all but CLOSED: own_vtag is not 0, there is a primary path, and a path's flight is what is in
 * flight on it. From ESTABLISHED on peer_vtag is not 0. In SHUTDOWN_SENT and SHUTDOWN_ACK_SENT
 * nothing is outstanding. In CLOSED no path is live and no timer runs.
 */
enum sctp_state {
	SCTPS_CLOSED = 0,
	SCTPS_COOKIE_WAIT,
	SCTPS_COOKIE_ECHOED,
	SCTPS_ESTABLISHED,
	SCTPS_SHUTDOWN_PENDING,
	SCTPS_SHUTDOWN_SENT,
	SCTPS_SHUTDOWN_RECEIVED,
	SCTPS_SHUTDOWN_ACK_SENT,
	SCTPS_STATES,
};

/* What must go out; a->out. */
enum {
	SCTP_OUT_INIT = 1u << 0,
	SCTP_OUT_COOKIE_ECHO = 1u << 1,
	SCTP_OUT_COOKIE_ACK = 1u << 2,
	SCTP_OUT_SACK = 1u << 3,
	SCTP_OUT_SHUTDOWN = 1u << 4,
	SCTP_OUT_SHUTDOWN_ACK = 1u << 5,
	SCTP_OUT_HB = 1u << 6,   /* some path's hb_due */
	SCTP_OUT_DATA = 1u << 7, /* look whether data may go */
};

/* Of a message that waits, or a chunk that was sent. */
enum sctp_tx_state { SCTP_TX_WAITS = 0, SCTP_TX_SENT, SCTP_TX_ACKED, SCTP_TX_LOST };

/* Owner: its association, in a->waiting or a->sent. Its bytes are in a->snd. */
struct sctp_tx {
	TAILQ_ENTRY(sctp_tx) entry;
	struct sctp_path *path; /* where it went last */
	uint64_t pos;
	uint32_t tsn, len;
	rte_be32_t ppid;
	uint16_t sid, ssn;
	uint8_t flags;   /* SCTP_F_B, E, U */
	uint8_t state;   /* enum sctp_tx_state */
	uint8_t missing; /* s7.2.4 */
	bool again;      /* sent more than once: no measure of the round trip (s6.3.1, C5) */
	bool fast;       /* was retransmitted fast already */
	bool stay;       /* lost, and goes the same way again */
};
TAILQ_HEAD(sctp_tx_list, sctp_tx);

/* A chunk that was received and cannot be delivered yet; it keeps the packet. Owner: a->held. */
struct sctp_rx {
	TAILQ_ENTRY(sctp_rx) entry;
	struct rte_mbuf *m;
	const uint8_t *data;
	uint32_t tsn;
	rte_be32_t ppid;
	uint16_t len, sid, ssn;
	uint8_t flags;
};
TAILQ_HEAD(sctp_rx_list, sctp_rx);

/* In front of each piece of a message, or notification, in a->rcv. */
struct sctp_rec {
	uint32_t len, tsn, cum_tsn;
	rte_be32_t ppid;
	uint16_t sid, ssn;
	uint8_t flags; /* SCTP_F_B, E, U */
	bool is_event;
};

enum { SCTP_MAP_BITS = 4096, SCTP_DUPS_MAX = 8 };

/* Which TSNs behind cum_tsn came: bit tsn % SCTP_MAP_BITS. */
struct sctp_map {
	uint64_t w[SCTP_MAP_BITS / 64];
};

/* Owner: the worker's sctp context; freed when it is CLOSED and no endpoint has it. */
struct sctp_assoc {
	TAILQ_ENTRY(sctp_assoc) all, outq, queue;
	struct sctp_ep *ep;     /* the socket's; NULL: an orphan, or not accepted yet */
	struct sctp_ep *parent; /* the listener, until it is accepted */
	uint8_t state;          /* enum sctp_state; written by sctp_set_state() only */
	uint8_t nb_local;
	uint8_t errors; /* s8.1 */
	uint8_t init_tries;
	uint8_t nb_dups;
	uint8_t sack_packets; /* with data, since the last SACK */
	bool on_out;
	bool on_reap;
	bool eof;     /* the peer sends no more */
	bool wr_shut; /* the program sends no more */
	bool rd_shut;
	bool in_partial; /* the first piece of a message is in rcv, its last is not */
	bool sack_now;   /* the peer asks for it (RFC 7053) */
	bool passive;
	bool restarted;
	bool v4, v6;  /* families of the program's socket */
	uint16_t out; /* SCTP_OUT_* */
	int err;      /* why it ended, positive */
	uint32_t own_vtag, peer_vtag;
	uint32_t tie_own, tie_peer; /* nonces that stand for the tags in cookies (s5.2.2) */
	rte_be16_t lport, rport;
	uint32_t realm;
	uint32_t max_retrans, max_init_retrans, rto_init_ms, rto_min_ms, rto_max_ms, cookie_life_ms;
	uint32_t sack_delay_ms, hb_interval_ms, path_retrans;
	struct ip_addr local[SCTP_ADDRS_MAX];
	struct sctp_path_list paths;
	struct sctp_path *primary;
	struct sctp_path *sack_path; /* where the last data came from (s6.4) */
	struct sctp_path *ctl_path;  /* where the last control chunk went */

	/* Sending. */
	struct buf snd;
	struct sctp_tx_list waiting, sent; /* sent: in order of TSN */
	uint32_t init_tsn;                 /* of our INIT */
	uint32_t next_tsn;
	uint32_t cum_ack; /* cumulative TSN ACK point */
	uint32_t peer_rwnd;
	uint32_t outstanding; /* bytes sent and not acknowledged, on all paths; lost ones not */
	uint32_t nb_sent;     /* in a->sent */
	uint32_t nb_lost;
	uint32_t nb_gap_acked; /* of them by gap blocks only */
	uint32_t waiting_bytes;
	uint32_t frag_bytes; /* largest payload of a chunk */
	bool nodelay;
	uint16_t nb_out;
	uint16_t *out_ssn;

	/* Receiving. */
	struct buf rcv;
	struct sctp_rx_list held; /* in order of TSN */
	struct sctp_map *map;     /* NULL: nothing is missing */
	uint32_t peer_tsn;        /* first of the peer */
	uint32_t cum_tsn, max_tsn;
	uint32_t partial_tsn; /* in_partial: of the next piece */
	uint32_t dup[SCTP_DUPS_MAX];
	uint32_t held_bytes, nb_held;
	uint32_t rcv_limit; /* what the window is made of */
	uint32_t rcv_bytes; /* of messages in rcv */
	uint32_t rcv_msgs;  /* whole ones, and events */
	uint32_t rwnd_told;
	struct sctp_rec left; /* has_left: the record whose bytes are next in rcv */
	bool has_left;
	uint16_t nb_in;
	uint16_t *in_ssn;

	/* INIT ACK's, until the COOKIE ACK. */
	struct rte_mbuf *cookie_m;
	struct sctp_bytes cookie;

	struct tmr t_ctl;   /* T1-init, T1-cookie, T2-shutdown */
	struct tmr t_guard; /* T5-shutdown-guard, autoclose */
	struct tmr t_sack;
	uint32_t autoclose_s;
	uint64_t id;
	uint16_t ssn[]; /* out_ssn and in_ssn */
};
TAILQ_HEAD(sctp_assoc_list, sctp_assoc);

/* In CLOSED, without paths. NULL: none is left. */
struct sctp_assoc *sctp_assoc_alloc(struct lcore *lc);
void sctp_assoc_free(struct lcore *lc, struct sctp_assoc *a);

void sctp_set_state(struct lcore *lc, struct sctp_assoc *a, enum sctp_state to);
const char *sctp_state_name(uint8_t state);

/* Asserts what the comment above says. */
void sctp_assoc_check(const struct sctp_assoc *a);

/*
 * To CLOSED: stops timers, forgets what waits to leave, releases every latch. err: what the
 * program hears, 0 after a graceful end. Nothing is sent. The object lives on until its endpoint
 * gives it up, at least until sctp_reap().
 */
void sctp_assoc_end(struct lcore *lc, struct sctp_assoc *a, int err);

/* Frees what ended and nobody has: at the end of a burst, of a timer, of a call. */
void sctp_reap(struct lcore *lc);

/* All data and messages are acknowledged. */
static inline bool
sctp_assoc_is_drained(const struct sctp_assoc *a)
{
	return TAILQ_EMPTY(&a->sent) && TAILQ_EMPTY(&a->waiting);
}

#endif
