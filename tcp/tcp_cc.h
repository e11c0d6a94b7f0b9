/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * tcp_cc.h - congestion control as a table of functions (RFC 5681).
 *
 * An algorithm decides how cwnd grows and what a loss makes of ssthresh. When a loss is, and the
 * inflation of cwnd during recovery (RFC 6582), is the same for all and lives in tcp_rexmt.c.
 */
#ifndef TL_TCP_TCP_CC_H
#define TL_TCP_TCP_CC_H

#include <stdint.h>

struct tcp_cc;

struct tcp_cc_ops {
	const char *name;
	/* The connection is ESTABLISHED; cwnd and ssthresh are set already. */
	void (*start)(struct tcp_cc *cc, uint64_t now_ns);
	/* New data were acknowledged outside recovery, while cwnd was what held the sender back. */
	void (*acked)(struct tcp_cc *cc, uint32_t bytes, uint32_t mss_bytes, uint64_t now_ns);
	/* A segment was lost with flight_bytes outstanding: sets ssthresh. */
	void (*lost)(struct tcp_cc *cc, uint32_t flight_bytes, uint32_t mss_bytes, uint64_t now_ns);
};

struct tcp_cc {
	const struct tcp_cc_ops *ops;
	uint32_t cwnd_bytes;
	uint32_t ssthresh_bytes;
	uint64_t priv[6]; /* of the algorithm */
};

enum { TCP_CWND_MAX = 1 << 30 };

extern const struct tcp_cc_ops tcp_cc_newreno;

/* RFC 6928 s2: min(10 MSS, max(2 MSS, 14600)). */
static inline uint32_t
tcp_cc_iw(uint32_t mss_bytes)
{
	uint32_t cap = 2 * mss_bytes > 14600 ? 2 * mss_bytes : 14600;

	return 10 * mss_bytes < cap ? 10 * mss_bytes : cap;
}

#endif
