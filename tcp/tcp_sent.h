/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * tcp_sent.h - the scoreboard: what was sent and is not acknowledged, as ranges of octets.
 *
 * Octets that left in the same turn share one range, so a path without loss costs an addition for
 * each segment. Ranges are split where a SACK or a loss asks for it and come from the worker's
 * pool; a connection with nothing in flight holds none. Each control block can always get one,
 * the others may run out: then neighbours are joined and some knowledge is lost, no octet is.
 */
#ifndef TL_TCP_TCP_SENT_H
#define TL_TCP_TCP_SENT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

#include "tcp/tcp_wire.h"

struct lcore;
struct tcp_pcb;

enum tcp_range_state {
	TCP_R_FLIGHT = 0, /* on its way, as far as we know */
	TCP_R_LOST,       /* to be sent again */
	TCP_R_SACKED,     /* the peer holds it */
};

/* One cache line. Owned by its connection. */
struct tcp_range {
	TAILQ_ENTRY(tcp_range) by_seq;
	TAILQ_ENTRY(tcp_range) by_time; /* FLIGHT only: in the order of sent_ns */
	uint64_t sent_ns;               /* of the last transmission */
	uint32_t seq;
	uint32_t end;
	/* For rate samples, as they were when it left; UINT32_MAX: too long ago to say. */
	uint32_t delivered;    /* tcp_sent.delivered */
	uint32_t delivered_ns; /* before sent_ns: when that was last counted */
	uint32_t first_ns;     /* before sent_ns: when the first of the flight left */
	uint8_t state;         /* TCP_R_* */
	bool rexmt;            /* it was sent before the last transmission too */
	bool app_limited;
};
_Static_assert(sizeof(struct tcp_range) == 64, "one cache line");

TAILQ_HEAD(tcp_range_list, tcp_range);

struct tcp_sent {
	struct tcp_range_list by_seq;  /* no gaps: from snd_una to snd_nxt */
	struct tcp_range_list by_time; /* what is in flight, oldest first */
	struct tcp_range *sack_hint;   /* where the last SACK block was found */
	struct tcp_range *lost_hint;   /* nothing before it is LOST */
	uint32_t sacked_bytes;         /* without SACK: what duplicate ACKs stand for */
	uint32_t lost_bytes;
	uint32_t delivered; /* bytes that arrived, however we heard */
	uint32_t limited;   /* the value of delivered + pipe when the application had no more; 0 */
	uint64_t delivered_ns;
	uint64_t first_ns;
	uint32_t n;
	uint32_t delivered_out; /* when the segment builder last had its turn */
};

/* What one acknowledgment told. Zero-initialised, then filled by tcp_sent_ack and tcp_sent_sack. */
struct tcp_acked {
	uint32_t bytes;     /* by which snd_una advances */
	uint32_t delivered; /* not known to have arrived before */
	uint32_t sacked;    /* of those, by SACK */
	uint32_t fack;      /* the highest octet of those, plus one; valid if delivered > 0 */
	bool orig;          /* some of those were sent once */
	bool orig_low;      /* and lie below what had arrived before: the path reorders */
	bool again;         /* some were sent again */
	bool dsack;         /* the peer got something twice (RFC 2883), which is */
	struct tcp_sack_block dup;
	bool orig_old; /* some that were sent once lie below rec.recover */
	bool is_echo;  /* the peer saw congestion (RFC 3168) */
	bool is_dup;   /* a duplicate ACK (RFC 5681 s2); only without SACK */
	bool is_bare;  /* says what the last one said and carries nothing */
	/* Of the range that was sent last among those that say something about the path. */
	uint64_t sent_ns; /* 0: none */
	uint32_t sent_end;
	/* Karn: sent once. */
	uint64_t first_ns; /* the first that was acknowledged, 0: none */
	uint64_t last_ns;  /* the last one */
	/* The rate sample, of the range that was sent last. */
	uint64_t rate_sent_ns;
	uint32_t rate_delivered, rate_delivered_ns, rate_first_ns;
	bool rate_limited;
	/* Set by the caller. */
	uint32_t rtt_us;  /* of what arrived last, 0: no sample */
	uint32_t echo_ms; /* the peer's echo, on the clock of tcp_now_ms() */
	bool has_echo;
	bool is_round; /* a round trip has passed */
};

void tcp_sent_init(struct tcp_sent *s);
void tcp_sent_clear(struct lcore *lc, struct tcp_pcb *pcb);

/* [seq, end) leave for the first time; seq is the end of the last range. */
void tcp_sent_add(struct lcore *lc, struct tcp_pcb *pcb, uint32_t seq, uint32_t end);

/* The first len octets of r left again. */
void tcp_sent_again(struct lcore *lc, struct tcp_pcb *pcb, struct tcp_range *r, uint32_t len);

/* The last octets, at most len, as a range of their own; a longer one if none is left. */
struct tcp_range *tcp_sent_tail(struct lcore *lc, struct tcp_pcb *pcb, uint32_t len);

/* Everything before ack is acknowledged. */
void tcp_sent_ack(struct lcore *lc, struct tcp_pcb *pcb, uint32_t ack, struct tcp_acked *a);

/* The peer holds [l, r), which lies within (snd_una, snd_nxt]. Takes at most *budget steps. */
void tcp_sent_sack(struct lcore *lc, struct tcp_pcb *pcb, uint32_t l, uint32_t r,
	struct tcp_acked *a, uint32_t *budget);

/* r, in flight, is lost. */
void tcp_sent_lose(struct tcp_pcb *pcb, struct tcp_range *r);

/* The first octets, at most len, are lost if they are in flight. */
void tcp_sent_lose_head(struct lcore *lc, struct tcp_pcb *pcb, uint32_t len);

/* Everything in flight that left at or before at_ns, and the first range in any case, is lost. */
void tcp_sent_lose_old(struct tcp_pcb *pcb, uint64_t at_ns);

/* What was taken for lost is on its way after all. */
void tcp_sent_unlose(struct tcp_pcb *pcb);

/* RFC 2018 s8: what the peer said to hold counts for nothing. */
void tcp_sent_forget_sacks(struct tcp_pcb *pcb);

/* The first range that is lost, or NULL. */
struct tcp_range *tcp_sent_next_lost(struct tcp_pcb *pcb);

/* The sums agree with the ranges, and the ranges with snd_una and snd_nxt. */
bool tcp_sent_ok(const struct tcp_pcb *pcb);

#endif
