/* SPDX-License-Identifier: BSD-3-Clause */
/* tcp_cc_newreno.c - slow start and congestion avoidance of RFC 5681. */
#include "tcp/tcp_cc.h"

#include <rte_common.h>

struct newreno {
	struct tcp_hystart hystart;
	uint32_t acked; /* bytes acknowledged since cwnd last grew in congestion avoidance */
};
_Static_assert(sizeof(struct newreno) <= sizeof(((struct tcp_cc *)0)->priv), "private state");

static struct newreno *
priv(struct tcp_cc *cc)
{
	return (struct newreno *)cc->priv;
}

static void
newreno_start(struct tcp_cc *cc, uint64_t now_ns)
{
	(void)now_ns;
	*priv(cc) = (struct newreno){0};
	tcp_hystart_start(&priv(cc)->hystart);
}

static void
newreno_acked(struct tcp_cc *cc, const struct tcp_cc_ack *a)
{
	struct newreno *r = priv(cc);

	if (cc->cwnd_bytes >= TCP_CWND_MAX)
		return;
	if (cc->cwnd_bytes < cc->ssthresh_bytes) {
		tcp_hystart_acked(cc, &r->hystart, a);
		return;
	}
	/* RFC 5681 s3.1: one SMSS for each cwnd of acknowledged bytes. */
	r->acked += a->bytes;
	if (r->acked >= cc->cwnd_bytes) {
		r->acked -= cc->cwnd_bytes;
		cc->cwnd_bytes += a->mss_bytes;
	}
}

static void
newreno_lost(struct tcp_cc *cc, uint32_t flight_bytes, uint32_t mss_bytes, uint64_t now_ns)
{
	(void)now_ns;
	/* RFC 5681 s3.1, (4): max(FlightSize / 2, 2 * SMSS). */
	cc->ssthresh_bytes = RTE_MAX(flight_bytes / 2, 2 * mss_bytes);
	priv(cc)->acked = 0;
	/* RFC 9406 s4.3: for the initial slow start only. */
	cc->hystart = false;
}

const struct tcp_cc_ops tcp_cc_newreno = {
	.name = "newreno",
	.start = newreno_start,
	.acked = newreno_acked,
	.lost = newreno_lost,
};
