/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * tcp_pcb.h - the control block of a connection, its states, and the context of a worker.
 *
 * A control block is owned by its worker's pool. It lives until it is CLOSED and neither a socket
 * nor a listener's queue holds it; tcp_reap() then returns it, never while a segment of its own is
 * being processed.
 */
#ifndef TL_TCP_TCP_PCB_H
#define TL_TCP_TCP_PCB_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>
#include <rte_mempool.h>

#include "latch/latch.h"
#include "stack/base/buf.h"
#include "stack/base/flow.h"
#include "stack/base/seq.h"
#include "stack/base/sock.h"
#include "stack/base/tmr.h"
#include "tcp/tcp.h"
#include "tcp/tcp_cc.h"
#include "tcp/tcp_isn.h"
#include "tcp/tcp_sack.h"
#include "tcp/tcp_sent.h"
#include "tcp/tcp_wire.h"

/*
 * RFC 9293 s3.3.2, figure 5. Who makes each transition:
 *
 *   CLOSED       -> LISTEN        tcp_listen_start      CLOSED   -> SYN_SENT     usr_connect
 *   CLOSED       -> SYN_RCVD      tcp_syn_in: a listener stays, its child is born
 *   SYN_SENT     -> ESTABLISHED   syn_sent_open         SYN_SENT -> SYN_RCVD     syn_sent_open
 *   SYN_RCVD     -> ESTABLISHED   syn_rcvd_ack
 *   ESTABLISHED  -> FIN_WAIT_1    tcp_usr_fin           CLOSE_WAIT -> LAST_ACK   tcp_usr_fin
 *   ESTABLISHED  -> CLOSE_WAIT    seg_check_fin
 *   FIN_WAIT_1   -> FIN_WAIT_2    ack_of_fin            FIN_WAIT_1 -> CLOSING    seg_check_fin
 *   FIN_WAIT_2   -> TIME_WAIT     seg_check_fin         CLOSING -> TIME_WAIT     ack_of_fin
 *   any          -> CLOSED        tcp_pcb_end
 *
 * DEVIATION: SYN-RECEIVED never becomes FIN-WAIT-1 directly; a close there is remembered and
 * takes effect when the connection is ESTABLISHED (RFC 9293 s3.10.4 permits to queue it).
 *
 *                 flow entry  timers that may run     send buffer  receive buffer
 *   CLOSED        no          none                    empty        unread data only
 *   LISTEN        no          none                    empty        empty
 *   SYN_SENT      yes         rexmt                   empty        empty
 *   SYN_RCVD      yes         rexmt                   empty        empty
 *   ESTABLISHED   yes         rexmt delack            any          any
 *   FIN_WAIT_1    yes         rexmt delack            any          any
 *   FIN_WAIT_2    yes         delack wait (orphan)    empty        any
 *   CLOSE_WAIT    yes         rexmt                   any          any
 *   CLOSING       yes         rexmt                   any          any
 *   LAST_ACK      yes         rexmt                   any          any
 *   TIME_WAIT     yes         wait                    empty        any
 */
enum tcp_state {
	TCPS_CLOSED = 0,
	TCPS_LISTEN,
	TCPS_SYN_SENT,
	TCPS_SYN_RCVD,
	TCPS_ESTABLISHED,
	TCPS_FIN_WAIT_1,
	TCPS_FIN_WAIT_2,
	TCPS_CLOSE_WAIT,
	TCPS_CLOSING,
	TCPS_LAST_ACK,
	TCPS_TIME_WAIT,
	TCPS_MAX,
};

/* Why a control block is on the output list. */
enum tcp_out_flag {
	TCP_OUT_DATA = 1u << 0,  /* SYN, data or FIN may be sendable */
	TCP_OUT_ACK = 1u << 1,   /* an acknowledgment is due, with or without data */
	TCP_OUT_TLP = 1u << 2,   /* tail loss probe, RFC 8985 s7.3 */
	TCP_OUT_PROBE = 1u << 3, /* zero-window probe */
	TCP_OUT_FORCE = 1u << 4, /* override timeout of SWS avoidance, RFC 9293 s3.8.6.2.1 */
};

/* The congestion state: tcp_rec.c. In this order, the later the worse. */
enum tcp_ca { TCPR_OPEN = 0, TCPR_DISORDER, TCPR_CWR, TCPR_RECOVERY, TCPR_LOSS };

/* What the retransmission timer waits for; pcb->persist says whether an RTO is a probe's. */
enum tcp_timer { TCP_T_RTO = 0, TCP_T_TLP, TCP_T_REO };

enum {
	TCP_DUPTHRESH = 3,        /* RFC 5681 s3.2 */
	TCP_MSS_DEFAULT_V4 = 536, /* RFC 9293 s3.7.1 */
	TCP_MSS_DEFAULT_V6 = 1220,
	TCP_MSS_MIN = 88, /* floor against peers and routers that ask for dust */
	TCP_RTO_INIT_US = 1000000,
	TCP_RTO_MAX_US = 60000000, /* the largest RTT that is believed */
	TCP_STARVED_US = 10000,
	TCP_OOO_MAX = 4096, /* held segments of one connection */
	TCP_BOUND_BUCKETS = 256,
};

/* RFC 8985 s5.3 */
struct tcp_rack {
	uint64_t sent_ns;  /* RACK.xmit_ts: of what arrived, when the last of it left; 0: nothing */
	uint32_t sent_end; /* RACK.end_seq */
	uint32_t rtt_us;
	uint32_t min_rtt_us;
	uint32_t min_next_us; /* of the time that has begun since */
	uint32_t fack;
	uint32_t dsack_round;
	uint8_t min_age;
	uint8_t reo_mult;
	uint8_t reo_persist;
	bool reordering : 1; /* seen */
	bool dsack_open : 1; /* dsack_round is valid */
};

/* An episode of recovery, and the tail loss probe. */
struct tcp_rec {
	uint32_t recover; /* one past the highest octet sent when it began */
	union {
		struct { /* CWR, RECOVERY */
			uint32_t prr_delivered, prr_out, prr_flight;
		};
		struct {                  /* OPEN, DISORDER, if cwv_on: tcp_cwv.c */
			uint32_t cwv_una; /* where the round trip began */
			uint32_t cwv_peak, cwv_before;
		};
	};
	uint32_t prior_cwnd, prior_ssthresh;
	uint32_t undo_una;       /* snd_una when it began */
	uint32_t undo_bytes;     /* sent again, and not reported as duplicates */
	uint32_t first_rexmt_ms; /* on the clock of tcp_now_ms(); valid if rexmt_seen */
	uint32_t rexmt_end;      /* one past the highest octet sent again; valid if rexmt_out */
	uint32_t tlp_end;
	uint16_t cwv_since;  /* of cwv_peak; before that it is cwv_before */
	bool undo : 1;       /* the windows from before can come back */
	bool rexmt_seen : 1; /* something was sent again */
	bool rexmt_out : 1;  /* and is not acknowledged, whatever episode it was in */
	bool partial_ack : 1;
	bool frto : 1;     /* the timeout may have been spurious */
	bool frto_new : 1; /* now new data are sent to find out */
	bool tlp : 1;      /* a probe is out; tlp_end is valid */
	bool tlp_again : 1;
	bool tlp_rtt : 1; /* an RTT was measured since the last probe */
	bool cwv_on : 1;
	bool cwv_known : 1; /* pipeACK is defined */
	bool cwv_lost : 1;  /* the window was not validated when the episode began */
};

/* What the program takes in a round trip. */
struct tcp_tune {
	uint32_t start_us; /* of this round */
	uint32_t pos;      /* of the receive buffer then */
	uint32_t edge;     /* rcv_adv then */
	uint32_t taken;    /* octets in the round before */
};

TAILQ_HEAD(tcp_pcb_list, tcp_pcb);
LIST_HEAD(tcp_bound_list, tcp_pcb);

struct tcp_pcb {
	struct flow_ent fe;
	struct latch latch;
	struct sock *s;         /* NULL: not accepted yet, or the application closed it */
	struct tcp_pcb *parent; /* the listener, while the connection is in one of its queues */
	uint8_t state;          /* written by tcp_set_state() only */
	uint8_t out_flags;      /* TCP_OUT_* */
	uint8_t snd_wscale;
	uint8_t rcv_wscale;
	uint8_t dupacks;       /* that told of something out of order, since OPEN */
	uint8_t ca;            /* TCPR_* */
	uint8_t t_kind;        /* TCP_T_*: what t_rexmt waits for */
	uint8_t dupack_due;    /* to send, one for each segment that came out of order */
	uint8_t rexmt_cnt;     /* timeouts of the same data, or unanswered probes */
	uint8_t persist_shift; /* probes since the peer's window was open: their backoff */
	bool on_out : 1;
	bool on_reap : 1;
	bool on_lent : 1;
	bool on_starved : 1;
	bool doomed : 1; /* a bug of ours was noticed: reset at the next visit of tcp_out() */
	bool opt_ts : 1; /* negotiated, or offered while SYN_SENT */
	bool opt_ws : 1;
	bool opt_sack : 1;
	bool opt_ecn : 1;
	bool ecn_echo : 1; /* ECE in what we send, until CWR comes (RFC 3168 s6.1.3) */
	bool ecn_cwr : 1;  /* CWR in the next new data */
	bool nodelay : 1;
	bool corked : 1;     /* TCP_CORK: only full segments, until the override timeout */
	bool quickack : 1;   /* TCP_QUICKACK: no delayed acknowledgments */
	bool fin_queued : 1; /* the application will send no more */
	bool rcv_fin : 1;    /* the peer will send no more */
	bool rd_shut : 1;    /* the application will read no more */
	bool persist : 1;    /* t_rexmt counts the zero-window probe */
	bool syn_again : 1;  /* our SYN left twice, so its RTT is unknown (Karn) */
	bool was_open : 1;   /* connect or accept happened: errors and end of stream make sense */
	bool reset : 1;      /* ended by an error: reads give nothing more */
	bool is_bound : 1;   /* on ctx->bound */
	bool cwnd_limited : 1;
	bool in_ready : 1;     /* of parent's two queues: the one for accept() */
	bool deferred : 1;     /* its ACK came, and accept() waits for what it has to say */
	bool tfo_ask : 1;      /* SYN_SENT: the first SYN has the fast open option */
	bool tfo_wait : 1;     /* SYN_SENT: the SYN waits for data */
	bool tfo_give : 1;     /* SYN_RCVD: the SYN-ACK brings a cookie */
	bool tfo_unproved : 1; /* ESTABLISHED by a cookie; our SYN is not acknowledged */
	bool tfo_data : 1;     /* a SYN had data that were taken */
	uint16_t mtu;          /* of ctx->mtu, while sizes are probed; 0: none */

	/* RFC 9293 s3.3.1 */
	uint32_t iss;
	uint32_t snd_una;
	uint32_t snd_nxt; /* next to send for the first time; iss while the SYN is to be sent */
	uint32_t snd_max; /* RFC's SND.NXT: one past a probe's octet while that is out, else snd_nxt
			   */
	uint32_t snd_wnd; /* in bytes, scaled */
	uint32_t snd_wl1;
	uint32_t snd_wl2;
	uint32_t max_wnd; /* largest snd_wnd so far */
	uint32_t irs;
	uint32_t rcv_nxt;
	uint32_t rcv_adv; /* right edge of what was advertised: exactly what is accepted */
	uint32_t last_ack_sent;

	/* RFC 7323 */
	uint32_t ts_recent;
	uint32_t ts_offset;
	uint64_t ts_recent_ns;

	uint16_t peer_mss;
	uint16_t user_mss; /* TCP_MAXSEG, 0: none */
	uint16_t mss;      /* payload of a full segment now */
	uint16_t pmtu;
	uint16_t rcv_mss;     /* largest payload received: what "full-sized" means for ACKs */
	uint16_t ooo_n;       /* of ooo, at most TCP_OOO_MAX */
	uint32_t rcv_unacked; /* bytes received in order since the last ACK */

	/* RFC 6298 */
	uint32_t srtt_us; /* 0: no sample yet */
	uint32_t rttvar_us;
	uint32_t rto_us;
	uint32_t rto_from_us; /* since when the RTO counts, low 32 bits */
	uint32_t rtt_seq;     /* the next sample is due when this is acknowledged */
	uint32_t rexmt_ts;    /* our timestamp when something was last sent again */
	uint64_t last_send_ns;
	uint64_t pace_ns; /* not before that, if cc.pace */
	uint64_t due_ns;  /* when t_rexmt is due; it may be set earlier, never later */
	struct tcp_cc cc;
	struct tcp_sent sent;
	union {
		struct { /* from ESTABLISHED on */
			struct tcp_rack rack;
			struct tcp_rec rec;
		};
		struct { /* SYN_SENT with tfo_ask */
			uint16_t tfo_mss;
			uint8_t tfo_len;
			uint8_t tfo_cookie[TCP_TFO_MAX];
		};
		struct {                          /* of a listener */
			struct tcp_pcb_list half; /* SYN_RCVD */
			struct tcp_pcb_list
				ready; /* for accept(); CLOSED ones report ECONNABORTED */
			uint32_t half_n;
			uint32_t ready_n;
			uint32_t backlog;
		};
	};

	struct tcp_sack_rcv rsack;
	uint32_t una_out; /* snd_una when the segment builder last had its turn */

	struct rte_mbuf *ooo; /* held segments, sorted, without overlaps */
	uint32_t rcv_lent;    /* octets at the start of rcv that the program looks at */
	uint32_t ooo_bytes;

	struct tmr t_rexmt;
	struct tmr t_delack;
	struct tmr t_wait; /* 2MSL, or FIN-WAIT-2 of an orphan; before those, pacing */

	struct buf snd; /* position 0 is the octet iss + 1 */
	struct buf rcv;

	TAILQ_ENTRY(tcp_pcb) all;
	union {
		TAILQ_ENTRY(tcp_pcb) queue; /* half or ready of the parent, or ctx->reap */
		struct tcp_tune tune;       /* while a socket has it */
	};
	TAILQ_ENTRY(tcp_pcb) out;
	TAILQ_ENTRY(tcp_pcb) starved;
	union {
		TAILQ_ENTRY(tcp_pcb) lent;   /* TIME_WAIT, where nothing is held any more */
		TAILQ_ENTRY(tcp_pcb) holder; /* while something is held */
	};
	LIST_ENTRY(tcp_pcb) bound;
};

/* An idle connection costs this, its socket, a place in the tables and the range that waits for it.
 */
_Static_assert(sizeof(struct tcp_pcb) <= 1024, "a control block is at most 1 KiB");

struct tcp_ctx {
	struct tcp_conf conf;
	struct rte_mempool *pcbs;
	struct rte_mempool *ranges; /* of scoreboards */
	uint32_t ranges_more;       /* in use, the first of each connection not counted */
	struct tcp_pcb_list all;
	struct tcp_pcb_list out;
	struct tcp_pcb_list reap;
	struct tcp_pcb_list lent; /* TIME_WAIT without a socket, oldest first: the pool's reserve */
	struct tcp_bound_list bound[TCP_BOUND_BUCKETS]; /* by local port */
	uint32_t active;                                /* neither CLOSED nor LISTEN */
	struct tcp_pcb_list starved;                    /* writers that wait for a chunk */
	struct tmr t_starved;
	struct tcp_pcb_list holders; /* connections with held segments */
	uint32_t holders_n;
	uint32_t ooo_n; /* held segments of all connections */
	uint32_t ooo_max;
	uint32_t challenge_left; /* RFC 5961 s7 */
	uint64_t challenge_ns;
	_Atomic uint64_t own_cookie_ns; /* where no other worker shares it */
	struct tcp_mtu *mtu;            /* NULL: no probing */
	uint16_t mtu_unused;
	struct tcp_tfo_peer *tfo_peers; /* whose fast open cookies we have */
	struct tcp_tfo_pending {
		uint32_t n;               /* unproved, and such as were reset lately */
		uint32_t reset;           /* those */
		uint64_t until_ns;        /* they count until then */
	} tfo_pending[TCP_BOUND_BUCKETS]; /* by local port */
};

/* A closed control block, or NULL. Takes the oldest TIME-WAIT if the pool is empty. */
struct tcp_pcb *tcp_pcb_alloc(struct lcore *lc);

/* In TIME_WAIT nobody but the wire needs it: tcp_pcb_alloc() may take it when the pool is empty. */
void tcp_pcb_lend(struct lcore *lc, struct tcp_pcb *pcb);

/* Back to the pool at once; the block is CLOSED and nothing holds it. */
void tcp_pcb_free(struct lcore *lc, struct tcp_pcb *pcb);

/* CLOSED again and forgetful, for a second connect(); keeps socket, binding and options. */
void tcp_pcb_renew(struct lcore *lc, struct tcp_pcb *pcb);

/*
 * The connection is over (RFC 9293's "delete the TCB"): flow, latch, timers, queues. err is the
 * positive errno that the application hears, 0 for none. Nothing is sent.
 */
void tcp_pcb_end(struct lcore *lc, struct tcp_pcb *pcb, int err);

/* Frees what ended and is held by nobody. */
void tcp_reap(struct lcore *lc);

/* The invariants of the state, as the table above says; aborts in debug builds. */
void tcp_pcb_check(const struct lcore *lc, const struct tcp_pcb *pcb);

/* Payload of a full segment from peer's MSS, options and the room under the latch. */
void tcp_pcb_update_mss(struct tcp_pcb *pcb);

/* The same if mtu_bytes was the path's, whatever it is. */
uint16_t tcp_pcb_mss_at(const struct tcp_pcb *pcb, uint32_t mtu_bytes);

/* The least MTU that is believed: the floor of the MSS fits, with all that goes around it. */
uint32_t tcp_pcb_mtu_floor(const struct tcp_pcb *pcb);

/* The MSS option that this end sends (RFC 9293 s3.7.1). */
uint16_t tcp_pcb_own_mss(const struct tcp_pcb *pcb);

/* tcp_state.c */
void tcp_set_state(struct lcore *lc, struct tcp_pcb *pcb, enum tcp_state to);
const char *tcp_state_name(enum tcp_state s);

/* The sequence number of a position in the send buffer. */
static inline uint32_t
tcp_seq_of(const struct tcp_pcb *pcb, uint64_t pos)
{
	return pcb->iss + 1 + (uint32_t)pos;
}

/* One past the last octet that the application gave, FIN not counted. */
static inline uint32_t
tcp_data_end(const struct tcp_pcb *pcb)
{
	return tcp_seq_of(pcb, buf_end(&pcb->snd));
}

/* One past the last octet there is to send. */
static inline uint32_t
tcp_snd_end(const struct tcp_pcb *pcb)
{
	return tcp_data_end(pcb) + pcb->fin_queued;
}

/* Every octet, the FIN included, was acknowledged. */
static inline bool
tcp_fin_acked(const struct tcp_pcb *pcb)
{
	return pcb->fin_queued && pcb->snd_una == tcp_snd_end(pcb);
}

static inline uint32_t
tcp_flight(const struct tcp_pcb *pcb)
{
	return pcb->snd_max - pcb->snd_una;
}

/* RFC 6675 s4, "pipe": what is thought to be in the network. */
static inline uint32_t
tcp_pipe(const struct tcp_pcb *pcb)
{
	uint32_t out = pcb->snd_nxt - pcb->snd_una;
	uint32_t gone = pcb->sent.sacked_bytes + pcb->sent.lost_bytes;

	return out > gone ? out - gone : 0;
}

/* Synchronized in the sense of RFC 9293 s3.5.2. */
static inline bool
tcp_is_synced(const struct tcp_pcb *pcb)
{
	return pcb->state >= TCPS_ESTABLISHED;
}

/* Closed by the application, so nobody will read. */
static inline bool
tcp_is_orphan(const struct tcp_pcb *pcb)
{
	return pcb->s == NULL && pcb->parent == NULL;
}

static inline uint32_t
tcp_now_ms(const struct lcore *lc)
{
	return (uint32_t)(lc->now_ns / 1000000);
}

static inline void
tcp_wake(struct lcore *lc, struct tcp_pcb *pcb)
{
	if (pcb->s != NULL)
		sock_wake(lc, pcb->s);
}

#endif
