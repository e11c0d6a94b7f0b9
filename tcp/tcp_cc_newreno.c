/* SPDX-License-Identifier: BSD-3-Clause */
/* tcp_cc_newreno.c - slow start and congestion avoidance of RFC 5681. */
#include "tcp/tcp_cc.h"

#include <rte_common.h>

enum { PRIV_ACKED = 0 }; /* bytes acknowledged since cwnd last grew in congestion avoidance */

static void
newreno_start(struct tcp_cc *cc, uint64_t now_ns)
{
	(void)now_ns;
	cc->priv[PRIV_ACKED] = 0;
}

static void
newreno_acked(struct tcp_cc *cc, uint32_t bytes, uint32_t mss_bytes, uint64_t now_ns)
{
	(void)now_ns;
	if (cc->cwnd_bytes >= TCP_CWND_MAX)
		return;
	if (cc->cwnd_bytes < cc->ssthresh_bytes) {
		/* RFC 5681 s3.1, (2): cwnd += min(N, SMSS). */
		cc->cwnd_bytes += RTE_MIN(bytes, mss_bytes);
		return;
	}
	/* RFC 5681 s3.1: one SMSS for each cwnd of acknowledged bytes. */
	cc->priv[PRIV_ACKED] += bytes;
	if (cc->priv[PRIV_ACKED] >= cc->cwnd_bytes) {
		cc->priv[PRIV_ACKED] -= cc->cwnd_bytes;
		cc->cwnd_bytes += mss_bytes;
	}
}

static void
newreno_lost(struct tcp_cc *cc, uint32_t flight_bytes, uint32_t mss_bytes, uint64_t now_ns)
{
	(void)now_ns;
	/* RFC 5681 s3.1, (4): max(FlightSize / 2, 2 * SMSS). */
	cc->ssthresh_bytes = RTE_MAX(flight_bytes / 2, 2 * mss_bytes);
	cc->priv[PRIV_ACKED] = 0;
}

const struct tcp_cc_ops tcp_cc_newreno = {
	.name = "newreno",
	.start = newreno_start,
	.acked = newreno_acked,
	.lost = newreno_lost,
};
