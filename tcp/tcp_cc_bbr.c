/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * tcp_cc_bbr.c - BBR version 1 (draft-cardwell-iccrg-bbr-congestion-control-00): a model of the
 * path, its bandwidth and its least RTT, instead of losses.
 *
 * STARTUP doubles the rate until the bandwidth no longer grows, DRAIN empties the queue that this
 * made, PROBE_BW goes on with a little more and a little less in turn, PROBE_RTT looks at the
 * least RTT every ten seconds. Gains are of 2^8, bandwidth is in 2^-12 octets per microsecond.
 */
#include "tcp/tcp_cc.h"

#include <rte_common.h>

#include "stack/base/seq.h"

enum bbr_mode { BBR_STARTUP = 0, BBR_DRAIN, BBR_PROBE_BW, BBR_PROBE_RTT };

enum {
	GAIN_ONE = 256,
	GAIN_HIGH = 739, /* 2 / ln 2 */
	GAIN_DRAIN = 88, /* its inverse */
	GAIN_CWND = 512,
	FULL_ROUNDS = 3,
	BW_ROUNDS = 10, /* the bandwidth is the maximum of so many */
	RTT_WINDOW_MS = 10000,
	PROBE_RTT_MS = 200,
	MIN_SEGMENTS = 4,
};

static const uint16_t cycle_gain[8] = {320, 192, 256, 256, 256, 256, 256, 256};

/* The best samples: overall, and since each of those (a windowed maximum of three). */
struct sample {
	uint32_t bw;
	uint32_t round;
};

struct bbr {
	struct sample best[3];
	uint32_t min_rtt_us;
	uint32_t min_rtt_ms; /* when that was seen */
	uint32_t done_ms;    /* PROBE_RTT ends then; 0: the pipe is not empty yet */
	uint32_t round_end;  /* delivered octets */
	uint32_t full_bw;
	uint32_t cycle_us;
	uint32_t prior_cwnd;
	uint16_t round;
	uint8_t mode;
	uint8_t cycle;
	uint8_t full_rounds;
	bool full : 1; /* the pipe was filled once */
	bool on : 1;
};
_Static_assert(sizeof(struct bbr) <= sizeof(((struct tcp_cc *)0)->priv), "private state");

static struct bbr *
priv(struct tcp_cc *cc)
{
	return (struct bbr *)cc->priv;
}

static void
bbr_start(struct tcp_cc *cc, uint64_t now_ns)
{
	(void)now_ns;
	*priv(cc) = (struct bbr){0};
}

/* A sample for the maximum of the last BW_ROUNDS rounds. */
static void
bw_add(struct bbr *b, uint32_t bw)
{
	struct sample s = {bw, b->round};

	if (bw >= b->best[0].bw || (uint16_t)(b->round - b->best[2].round) > BW_ROUNDS) {
		b->best[0] = b->best[1] = b->best[2] = s;
		return;
	}
	if (bw >= b->best[1].bw)
		b->best[1] = b->best[2] = s;
	else if (bw >= b->best[2].bw)
		b->best[2] = s;
	if ((uint16_t)(b->round - b->best[0].round) > BW_ROUNDS) {
		b->best[0] = b->best[1];
		b->best[1] = b->best[2];
		b->best[2] = s;
	} else if (b->best[1].round == b->best[0].round &&
		   (uint16_t)(b->round - b->best[1].round) > BW_ROUNDS / 4) {
		b->best[1] = b->best[2] = s;
	} else if (b->best[2].round == b->best[1].round &&
		   (uint16_t)(b->round - b->best[2].round) > BW_ROUNDS / 2) {
		b->best[2] = s;
	}
}

static uint64_t
bdp(const struct bbr *b, uint32_t gain)
{
	return ((uint64_t)b->best[0].bw * b->min_rtt_us >> TCP_PACE_SHIFT) * gain / GAIN_ONE;
}

/* True: a round trip has passed. */
static bool
update_round(struct bbr *b, const struct tcp_cc_ack *a)
{
	if (b->on && seq_lt(a->delivered_then, b->round_end))
		return false;
	b->on = true;
	b->round_end = a->delivered_now;
	b->round++;
	return true;
}

static void
update_bw(struct bbr *b, const struct tcp_cc_ack *a)
{
	uint64_t bw;

	if (a->rate_us == 0)
		return;
	bw = ((uint64_t)a->rate_bytes << TCP_PACE_SHIFT) / a->rate_us;
	bw = RTE_MIN(bw, (uint64_t)UINT32_MAX);
	/* Less than was possible, if the application had no more. */
	if (!a->app_limited || bw >= b->best[0].bw)
		bw_add(b, (uint32_t)bw);
}

static void
check_full(struct bbr *b, const struct tcp_cc_ack *a)
{
	if (b->full || a->app_limited)
		return;
	/* Growth of a quarter, or it counts as none. */
	if (b->best[0].bw >= (uint64_t)b->full_bw * 5 / 4) {
		b->full_bw = b->best[0].bw;
		b->full_rounds = 0;
		return;
	}
	b->full_rounds++;
	b->full = b->full_rounds >= FULL_ROUNDS;
}

static void
enter_probe_bw(struct bbr *b, uint32_t now_us)
{
	b->mode = BBR_PROBE_BW;
	b->cycle = 2; /* DEVIATION: the draft draws it; a fixed begin keeps tests repeatable */
	b->cycle_us = now_us;
}

/* A phase lasts a least RTT; the one that drains ends when it has. */
static void
cycle(struct bbr *b, const struct tcp_cc_ack *a, uint32_t now_us)
{
	bool over = now_us - b->cycle_us > b->min_rtt_us;

	if (b->cycle == 1 && a->pipe_bytes <= bdp(b, GAIN_ONE))
		over = true;
	if (b->cycle == 0)
		over = over && (a->lost > 0 || a->pipe_bytes >= bdp(b, cycle_gain[0]));
	if (!over)
		return;
	b->cycle = (uint8_t)(b->cycle + 1) & 7;
	b->cycle_us = now_us;
}

static void
update_min_rtt(struct tcp_cc *cc, const struct tcp_cc_ack *a, uint32_t now_ms)
{
	struct bbr *b = priv(cc);
	bool stale = b->min_rtt_us != 0 && now_ms - b->min_rtt_ms > RTT_WINDOW_MS;

	if (a->rtt_us != 0 && (b->min_rtt_us == 0 || a->rtt_us <= b->min_rtt_us || stale)) {
		b->min_rtt_us = a->rtt_us;
		b->min_rtt_ms = now_ms;
	}
	if (!stale || b->mode == BBR_PROBE_RTT || !b->full)
		return;
	b->mode = BBR_PROBE_RTT;
	b->prior_cwnd = cc->cwnd_bytes;
	b->done_ms = 0;
}

static void
probe_rtt(struct tcp_cc *cc, const struct tcp_cc_ack *a, uint32_t now_ms)
{
	struct bbr *b = priv(cc);

	if (b->done_ms == 0 && a->pipe_bytes <= MIN_SEGMENTS * a->mss_bytes)
		b->done_ms = (now_ms + PROBE_RTT_MS) | 1;
	if (b->done_ms == 0 || (int32_t)(now_ms - b->done_ms) < 0)
		return;
	b->min_rtt_ms = now_ms;
	cc->cwnd_bytes = RTE_MAX(cc->cwnd_bytes, b->prior_cwnd);
	enter_probe_bw(b, (uint32_t)(a->now_ns / 1000));
}

static uint32_t
pacing_gain(const struct bbr *b)
{
	switch (b->mode) {
	case BBR_STARTUP:
		return GAIN_HIGH;
	case BBR_DRAIN:
		return GAIN_DRAIN;
	case BBR_PROBE_BW:
		return cycle_gain[b->cycle];
	default:
		return GAIN_ONE;
	}
}

static void
set_pace(struct tcp_cc *cc, const struct tcp_cc_ack *a)
{
	const struct bbr *b = priv(cc);
	uint64_t bw = b->best[0].bw, rtt_us = RTE_MAX(a->srtt_us, 1u);

	/* Nothing is measured yet: the window in a round trip. */
	if (bw == 0)
		bw = ((uint64_t)cc->cwnd_bytes << TCP_PACE_SHIFT) / rtt_us;
	bw = bw * pacing_gain(b) / GAIN_ONE;
	bw = RTE_MAX(RTE_MIN(bw, (uint64_t)UINT32_MAX), (uint64_t)1);
	/* The rate only falls once the pipe was full. */
	if (b->full || bw > cc->pace)
		cc->pace = (uint32_t)bw;
}

static void
set_cwnd(struct tcp_cc *cc, const struct tcp_cc_ack *a)
{
	const struct bbr *b = priv(cc);
	uint32_t gain = b->mode == BBR_STARTUP || b->mode == BBR_DRAIN ? GAIN_HIGH : GAIN_CWND;
	uint64_t floor = MIN_SEGMENTS * (uint64_t)a->mss_bytes;
	uint64_t target = bdp(b, gain) + 3 * (uint64_t)a->mss_bytes, cwnd = cc->cwnd_bytes;

	if (b->mode == BBR_PROBE_RTT) {
		cc->cwnd_bytes = (uint32_t)RTE_MIN(cwnd, floor);
		return;
	}
	if (a->lost > 0)
		cwnd = RTE_MAX(cwnd > a->lost ? cwnd - a->lost : 0, (uint64_t)a->mss_bytes);
	if (b->full)
		cwnd = RTE_MIN(cwnd + a->delivered, target);
	else if (cwnd < target || b->min_rtt_us == 0)
		cwnd += a->delivered;
	cwnd = RTE_MAX(cwnd, floor);
	cc->cwnd_bytes = (uint32_t)RTE_MIN(cwnd, (uint64_t)TCP_CWND_MAX);
}

static void
bbr_control(struct tcp_cc *cc, const struct tcp_cc_ack *a)
{
	struct bbr *b = priv(cc);
	uint32_t now_us = (uint32_t)(a->now_ns / 1000), now_ms = (uint32_t)(a->now_ns / 1000000);
	bool round = update_round(b, a);

	update_bw(b, a);
	if (b->mode == BBR_PROBE_BW)
		cycle(b, a, now_us);
	if (round)
		check_full(b, a);
	if (b->mode == BBR_STARTUP && b->full)
		b->mode = BBR_DRAIN;
	if (b->mode == BBR_DRAIN && a->pipe_bytes <= bdp(b, GAIN_ONE))
		enter_probe_bw(b, now_us);
	update_min_rtt(cc, a, now_ms);
	if (b->mode == BBR_PROBE_RTT)
		probe_rtt(cc, a, now_ms);
	set_pace(cc, a);
	set_cwnd(cc, a);
}

static void
bbr_acked(struct tcp_cc *cc, const struct tcp_cc_ack *a)
{
	(void)cc;
	(void)a;
}

/* ssthresh means nothing to the model, but the window of before a loss comes back. */
static void
bbr_lost(struct tcp_cc *cc, uint32_t flight_bytes, uint32_t mss_bytes, uint64_t now_ns)
{
	(void)flight_bytes;
	(void)mss_bytes;
	(void)now_ns;
	priv(cc)->prior_cwnd = cc->cwnd_bytes;
	cc->ssthresh_bytes = TCP_CWND_MAX;
}

const struct tcp_cc_ops tcp_cc_bbr = {
	.name = "bbr",
	.start = bbr_start,
	.acked = bbr_acked,
	.lost = bbr_lost,
	.control = bbr_control,
};
