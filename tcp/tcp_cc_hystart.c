/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * tcp_cc_hystart.c - slow start that ends when the delay grows, not when packets are lost
 * (HyStart++, RFC 9406).
 *
 * Rounds are counted by sequence numbers. A round whose least RTT is clearly above that of the
 * round before begins conservative slow start; five of those end it, a round that is fast again
 * goes back.
 */
#include "tcp/tcp_cc.h"

#include <rte_common.h>

#include "stack/base/seq.h"

/* RFC 9406 s4.3 */
enum {
	MIN_RTT_THRESH_US = 4000,
	MAX_RTT_THRESH_US = 16000,
	MIN_RTT_DIVISOR = 8,
	N_RTT_SAMPLE = 8,
	CSS_GROWTH_DIVISOR = 4,
	CSS_ROUNDS = 5,
	L = 8, /* segments for one ACK, of a sender that does not pace */
};

void
tcp_hystart_start(struct tcp_hystart *h)
{
	*h = (struct tcp_hystart){.last_min_us = UINT32_MAX, .min_us = UINT32_MAX};
}

static void
new_round(struct tcp_cc *cc, struct tcp_hystart *h, const struct tcp_cc_ack *a)
{
	h->last_min_us = h->min_us;
	h->min_us = UINT32_MAX;
	h->samples = 0;
	h->window_end = a->nxt;
	/* RFC 9406 s4.2: "If CSS_ROUNDS rounds are complete, enter congestion avoidance". */
	if (h->base_us != 0 && ++h->rounds >= CSS_ROUNDS)
		cc->ssthresh_bytes = cc->cwnd_bytes;
}

static uint32_t
thresh_us(const struct tcp_hystart *h)
{
	uint32_t t = RTE_MIN(h->last_min_us / MIN_RTT_DIVISOR, (uint32_t)MAX_RTT_THRESH_US);

	return RTE_MAX(t, (uint32_t)MIN_RTT_THRESH_US);
}

/* RFC 9406 s4.2: to conservative slow start, or back. */
static void
judge(struct tcp_hystart *h, uint32_t rtt_us)
{
	h->min_us = RTE_MIN(h->min_us, rtt_us);
	if (h->samples < N_RTT_SAMPLE)
		h->samples++;
	if (h->samples < N_RTT_SAMPLE)
		return;
	if (h->base_us != 0) {
		if (h->min_us < h->base_us)
			h->base_us = 0;
		return;
	}
	if (h->last_min_us == UINT32_MAX || h->min_us < h->last_min_us + thresh_us(h))
		return;
	h->base_us = h->min_us;
	h->rounds = 0;
}

void
tcp_hystart_acked(struct tcp_cc *cc, struct tcp_hystart *h, const struct tcp_cc_ack *a)
{
	uint32_t grow;

	if (!cc->hystart) {
		/* RFC 5681 s3.1, (2): cwnd += min(N, SMSS). */
		cc->cwnd_bytes += RTE_MIN(a->bytes, a->mss_bytes);
		return;
	}
	if (!h->on) {
		h->on = true;
		h->window_end = a->nxt;
	}
	grow = RTE_MIN(a->bytes, L * a->mss_bytes);
	cc->cwnd_bytes += h->base_us != 0 ? grow / CSS_GROWTH_DIVISOR : grow;
	if (a->rtt_us != 0)
		judge(h, a->rtt_us);
	if (seq_geq(a->una, h->window_end))
		new_round(cc, h, a);
}
