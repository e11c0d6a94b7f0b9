/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * tcp_cc_dctcp.c - DCTCP (RFC 8257): the window shrinks by as much as there is congestion.
 *
 * For networks whose switches mark early. Losses are taken as by NewReno.
 */
#include "tcp/tcp_cc.h"

#include <rte_common.h>

#include "stack/base/seq.h"

enum { ALPHA_ONE = 1 << 10, G_SHIFT = 4 /* g = 1/16, RFC 8257 s4.2 */ };

struct dctcp {
	struct tcp_hystart hystart;
	uint32_t acked;
	uint32_t alpha; /* of 2^10 */
	uint32_t bytes_acked, bytes_marked;
	uint32_t window_end;
	bool on;
	bool marked; /* the next reduction is for marks */
};
_Static_assert(sizeof(struct dctcp) <= sizeof(((struct tcp_cc *)0)->priv), "private state");

static struct dctcp *
priv(struct tcp_cc *cc)
{
	return (struct dctcp *)cc->priv;
}

static void
dctcp_start(struct tcp_cc *cc, uint64_t now_ns)
{
	(void)now_ns;
	/* RFC 8257 s4.2: alpha begins with 1. */
	*priv(cc) = (struct dctcp){.alpha = ALPHA_ONE};
	tcp_hystart_start(&priv(cc)->hystart);
}

/* RFC 8257 s3.3, steps 1 to 8 */
static void
dctcp_each(struct tcp_cc *cc, const struct tcp_cc_ack *a)
{
	struct dctcp *d = priv(cc);
	uint64_t m;

	d->bytes_acked += a->bytes;
	d->bytes_marked += a->marked;
	d->marked = a->marked > 0;
	if (!d->on) {
		d->on = true;
		d->window_end = a->nxt;
	}
	if (seq_lt(a->una, d->window_end))
		return;
	m = (uint64_t)d->bytes_marked * ALPHA_ONE / RTE_MAX(d->bytes_acked, 1u);
	d->alpha += (uint32_t)(m >> G_SHIFT) - (d->alpha >> G_SHIFT);
	/* What the shift leaves would never go away. */
	if (m == 0 && d->alpha >> G_SHIFT == 0)
		d->alpha = 0;
	d->alpha = RTE_MIN(d->alpha, (uint32_t)ALPHA_ONE);
	d->window_end = a->nxt;
	d->bytes_acked = d->bytes_marked = 0;
}

static void
dctcp_acked(struct tcp_cc *cc, const struct tcp_cc_ack *a)
{
	struct dctcp *d = priv(cc);

	if (cc->cwnd_bytes >= TCP_CWND_MAX)
		return;
	if (cc->cwnd_bytes < cc->ssthresh_bytes) {
		tcp_hystart_acked(cc, &d->hystart, a);
		return;
	}
	d->acked += a->bytes;
	if (d->acked >= cc->cwnd_bytes) {
		d->acked -= cc->cwnd_bytes;
		cc->cwnd_bytes += a->mss_bytes;
	}
}

static void
dctcp_lost(struct tcp_cc *cc, uint32_t flight_bytes, uint32_t mss_bytes, uint64_t now_ns)
{
	struct dctcp *d = priv(cc);
	uint64_t cwnd = flight_bytes;

	(void)now_ns;
	/* RFC 8257 s3.3, step 9, and s3.5: for a loss as other TCPs. */
	cwnd = d->marked ? cwnd - cwnd * d->alpha / (2 * ALPHA_ONE) : cwnd / 2;
	cc->ssthresh_bytes = RTE_MAX((uint32_t)cwnd, 2 * mss_bytes);
	d->acked = 0;
	cc->hystart = false;
}

const struct tcp_cc_ops tcp_cc_dctcp = {
	.name = "dctcp",
	.start = dctcp_start,
	.acked = dctcp_acked,
	.lost = dctcp_lost,
	.each = dctcp_each,
};
