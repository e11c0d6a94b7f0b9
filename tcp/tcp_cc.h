/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * tcp_cc.h - congestion control as a table of functions (RFC 5681).
 *
 * An algorithm decides how cwnd grows and what a loss makes of ssthresh; one with `control` decides
 * on cwnd and pacing alone. What is lost, and how the window gets down to ssthresh, is the same
 * for all and lives in tcp_rec.c.
 */
#ifndef TL_TCP_TCP_CC_H
#define TL_TCP_TCP_CC_H

#include <stdbool.h>
#include <stdint.h>

struct tcp_cc;

/* What an ACK says to an algorithm. */
struct tcp_cc_ack {
	uint64_t now_ns;
	uint32_t bytes;     /* by which snd_una advances */
	uint32_t delivered; /* that arrived, acknowledged or SACKed */
	uint32_t marked;    /* of bytes, those that the peer says met congestion (RFC 3168) */
	uint32_t lost;      /* bytes that this ACK shows to be lost */
	uint32_t mss_bytes;
	uint32_t una; /* after the ACK */
	uint32_t nxt;
	uint32_t pipe_bytes;
	uint32_t rtt_us; /* 0: no sample */
	uint32_t srtt_us;
	uint32_t min_rtt_us;
	/* The rate sample; rate_us is 0 if there is none. */
	uint32_t rate_bytes;
	uint32_t rate_us;
	uint32_t delivered_then; /* tcp_sent.delivered when what arrived had left */
	uint32_t delivered_now;
	bool app_limited;
	bool in_recovery;
};

struct tcp_cc_ops {
	const char *name;
	/* The connection is ESTABLISHED; cwnd and ssthresh are set already. */
	void (*start)(struct tcp_cc *cc, uint64_t now_ns);
	/* snd_una advanced outside recovery, while cwnd was what held the sender back. */
	void (*acked)(struct tcp_cc *cc, const struct tcp_cc_ack *a);
	/* A segment was lost with flight_bytes outstanding: sets ssthresh. */
	void (*lost)(struct tcp_cc *cc, uint32_t flight_bytes, uint32_t mss_bytes, uint64_t now_ns);
	/* The rest may be NULL. After lost(): it was by a timeout. */
	void (*timeout)(struct tcp_cc *cc, uint64_t now_ns);
	/* The last lost() was a mistake; cwnd and ssthresh are restored by the caller. */
	void (*undo)(struct tcp_cc *cc);
	/* Nothing was in flight for so long, and now something leaves. */
	void (*idle)(struct tcp_cc *cc, uint64_t idle_ns);
	/* snd_una advanced while cwnd was more than what the sender used. */
	void (*unused)(struct tcp_cc *cc, uint64_t now_ns);
	/* Every ACK that tells something, before anything else is made of it. */
	void (*each)(struct tcp_cc *cc, const struct tcp_cc_ack *a);
	/* As each(), at the end; sets cwnd and pace, and nobody else touches cwnd. */
	void (*control)(struct tcp_cc *cc, const struct tcp_cc_ack *a);
};

enum { TCP_CWND_MAX = 1 << 30, TCP_PACE_SHIFT = 12, TCP_CC_NAME_MAX = 16 };

struct tcp_cc {
	const struct tcp_cc_ops *ops; /* NULL: the default of the worker, once it is ESTABLISHED */
	uint32_t cwnd_bytes;
	uint32_t ssthresh_bytes;
	uint32_t pace;    /* in 2^-12 bytes per microsecond; 0: no pacing */
	bool hystart;     /* slow start may end before a loss (RFC 9406) */
	uint16_t used;    /* when cwnd was validated last: the clock of tcp_cwv.c */
	uint64_t priv[8]; /* of the algorithm */
};

extern const struct tcp_cc_ops tcp_cc_newreno;
extern const struct tcp_cc_ops tcp_cc_cubic;
extern const struct tcp_cc_ops tcp_cc_dctcp;
extern const struct tcp_cc_ops tcp_cc_bbr;

/* The algorithm of a number of the configuration. */
const struct tcp_cc_ops *tcp_cc_nth(uint32_t n);

/* NULL if there is no algorithm of that name. */
const struct tcp_cc_ops *tcp_cc_find(const char *name);

/* RFC 6928 s2 for the default of 10 segments: min(n MSS, max(2 MSS, n 1460)). */
static inline uint32_t
tcp_cc_iw(uint32_t mss_bytes, uint32_t segments)
{
	uint32_t cap = 2 * mss_bytes > 1460 * segments ? 2 * mss_bytes : 1460 * segments;

	return segments * mss_bytes < cap ? segments * mss_bytes : cap;
}

/* tcp_cc_hystart.c: HyStart++ (RFC 9406), a part of an algorithm's private state. */
struct tcp_hystart {
	uint32_t last_min_us; /* UINT32_MAX: infinity */
	uint32_t min_us;
	uint32_t base_us; /* of conservative slow start; 0: slow start */
	uint32_t window_end;
	uint8_t samples;
	uint8_t rounds;
	bool on; /* begun */
};

void tcp_hystart_start(struct tcp_hystart *h);

/* Slow start for one ACK: cwnd grows, and ssthresh says so when it has to end. */
void tcp_hystart_acked(struct tcp_cc *cc, struct tcp_hystart *h, const struct tcp_cc_ack *a);

#endif
