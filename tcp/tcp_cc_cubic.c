/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * tcp_cc_cubic.c - CUBIC (RFC 9438), in integers.
 *
 * Windows are in octets, times in 1/1024 s. How many octets of ACKs cwnd needs to grow by a segment
 * (`step`) is computed when cwnd has grown and a few times in each round trip; between those an
 * ACK costs an addition.
 */
#include "tcp/tcp_cc.h"

#include <rte_common.h>

enum {
	TICK_SHIFT = 10, /* ticks of 2^-10 s */
	T_MAX = 1 << 18, /* ticks from K: 256 s, beyond which nobody sees a difference */
	STEP_TICKS = 4,  /* step is older than that: compute it again */
};

struct cubic {
	uint64_t epoch_ns; /* of this congestion avoidance; 0: begins with the next ACK */
	uint32_t w_max;
	uint32_t w_max_before; /* the last loss */
	uint32_t k;            /* ticks */
	uint32_t w_est;        /* RFC 9438 s4.3 */
	uint32_t est_credit;
	uint32_t cwnd_prior;
	uint32_t step;
	uint32_t credit;
	uint32_t step_t; /* when step was computed, ticks since the epoch */
	struct tcp_hystart hystart;
};
_Static_assert(sizeof(struct cubic) <= sizeof(((struct tcp_cc *)0)->priv), "private state");

static struct cubic *
priv(struct tcp_cc *cc)
{
	return (struct cubic *)cc->priv;
}

/* The greatest r with r^3 <= n. */
static uint32_t
cube_root(uint64_t n)
{
	uint64_t r = 0;

	for (int bit = 21; bit >= 0; bit--) {
		uint64_t t = r | UINT64_C(1) << bit;

		/* t < 2^22, so t^3 may pass 2^64 by two bits: divide instead. */
		if (t * t <= n / t)
			r = t;
	}
	return (uint32_t)r;
}

static void
cubic_start(struct tcp_cc *cc, uint64_t now_ns)
{
	(void)now_ns;
	*priv(cc) = (struct cubic){0};
	tcp_hystart_start(&priv(cc)->hystart);
}

/* RFC 9438 s4.2: K = cbrt((W_max - cwnd_epoch) / C), C = 0.4 segments / s^3. */
static void
epoch_start(struct tcp_cc *cc, const struct tcp_cc_ack *a)
{
	struct cubic *c = priv(cc);
	uint64_t below = 0;

	if (c->w_max > cc->cwnd_bytes)
		below = c->w_max - cc->cwnd_bytes;
	else
		c->w_max = cc->cwnd_bytes;
	c->epoch_ns = a->now_ns;
	/* 2^30 ticks^3 are one s^3; at most 2^24 segments * 2.5 * 2^30. */
	c->k = cube_root((below << 3 * TICK_SHIFT) / (4 * a->mss_bytes) * 10);
	c->w_est = cc->cwnd_bytes;
	c->est_credit = c->credit = 0;
	c->step_t = 0;
	c->step = 0;
}

/* RFC 9438 s4.2, figure 1: W_cubic(t), t in ticks since the epoch. */
static uint64_t
w_cubic(const struct cubic *c, uint64_t t, uint32_t mss)
{
	bool before = t < c->k;
	uint64_t d = RTE_MIN(before ? c->k - t : t - c->k, (uint64_t)T_MAX);
	uint64_t w = (d * d * d >> TICK_SHIFT) * 4 * mss / 10 >> 2 * TICK_SHIFT;

	if (!before)
		return c->w_max + w;
	return c->w_max > w ? c->w_max - w : 0;
}

static uint32_t
ticks(uint64_t ns)
{
	return (uint32_t)(ns / (UINT64_C(1000000000) >> TICK_SHIFT));
}

/* RFC 9438 s4.3: what Reno with this decrease would have by now. */
static void
reno_window(struct cubic *c, const struct tcp_cc *cc, const struct tcp_cc_ack *a)
{
	/* alpha = 3 (1 - 0.7) / (1 + 0.7) = 9/17, and 1 from cwnd_prior on. */
	uint64_t each =
		c->w_est >= c->cwnd_prior ? cc->cwnd_bytes : (uint64_t)cc->cwnd_bytes * 17 / 9;

	c->est_credit += a->bytes;
	while (c->est_credit >= each) {
		c->est_credit -= (uint32_t)each;
		c->w_est += a->mss_bytes;
	}
}

/* RFC 9438 s4.4, s4.5: (target - cwnd) / cwnd for each segment that is acknowledged. */
static void
compute_step(struct tcp_cc *cc, const struct tcp_cc_ack *a, uint32_t t)
{
	struct cubic *c = priv(cc);
	uint64_t rtt = ticks((uint64_t)a->srtt_us * 1000);
	uint64_t target = w_cubic(c, t + rtt, a->mss_bytes), cwnd = cc->cwnd_bytes;

	/* RFC 9438 s4.2: between cwnd and 1.5 cwnd. */
	target = RTE_MIN(target, cwnd + cwnd / 2);
	c->step = UINT32_MAX;
	if (target > cwnd)
		c->step = (uint32_t)RTE_MIN(
			cwnd * a->mss_bytes / (target - cwnd), (uint64_t)UINT32_MAX);
	c->step_t = t;
}

static void
cubic_acked(struct tcp_cc *cc, const struct tcp_cc_ack *a)
{
	struct cubic *c = priv(cc);
	uint32_t t;

	if (cc->cwnd_bytes >= TCP_CWND_MAX)
		return;
	if (cc->cwnd_bytes < cc->ssthresh_bytes) {
		tcp_hystart_acked(cc, &c->hystart, a);
		return;
	}
	if (c->epoch_ns == 0)
		epoch_start(cc, a);
	t = ticks(a->now_ns - c->epoch_ns);
	reno_window(c, cc, a);
	if (c->step == 0 || t - c->step_t >= STEP_TICKS)
		compute_step(cc, a, t);
	c->credit += a->bytes;
	/* RFC 9438 s4.3: below W_est, cwnd is W_est. */
	if (cc->cwnd_bytes < c->w_est) {
		cc->cwnd_bytes = c->w_est;
		c->credit = c->step = 0;
	} else if (c->credit >= c->step) {
		c->credit -= c->step;
		cc->cwnd_bytes += a->mss_bytes;
		c->step = 0;
	}
}

static void
cubic_lost(struct tcp_cc *cc, uint32_t flight_bytes, uint32_t mss_bytes, uint64_t now_ns)
{
	struct cubic *c = priv(cc);
	uint32_t cwnd = flight_bytes;

	(void)now_ns;
	c->w_max_before = c->w_max;
	c->cwnd_prior = cwnd;
	/* RFC 9438 s4.7: somebody else came, so leave him more room: W_max = cwnd (1 + beta) / 2.
	 */
	c->w_max = cwnd < c->w_max ? (uint32_t)((uint64_t)cwnd * 17 / 20) : cwnd;
	c->epoch_ns = 0;
	/* RFC 9438 s4.6: beta = 0.7, at least two segments. */
	cc->ssthresh_bytes = RTE_MAX((uint32_t)((uint64_t)flight_bytes * 7 / 10), 2 * mss_bytes);
	cc->hystart = false;
}

/* RFC 9438 s4.8: congestion avoidance begins at its W_max then, with K = 0. */
static void
cubic_timeout(struct tcp_cc *cc, uint64_t now_ns)
{
	(void)now_ns;
	priv(cc)->w_max = 0;
}

/* RFC 9438 s4.9.1, s4.9.2: W_max as it was. DEVIATION: K and the epoch are not kept; the curve
 * begins anew from the window of before. */
static void
cubic_undo(struct tcp_cc *cc)
{
	struct cubic *c = priv(cc);

	c->w_max = RTE_MAX(c->w_max_before, c->cwnd_prior);
	c->epoch_ns = 0;
}

/* RFC 9438 s4.2, s5.8: t does not count the time in which the application sent nothing... */
static void
cubic_idle(struct tcp_cc *cc, uint64_t idle_ns)
{
	if (priv(cc)->epoch_ns != 0)
		priv(cc)->epoch_ns += idle_ns;
}

/* ... nor that in which it sent so little that cwnd did not change: t stays as it was when it last
 * mattered. */
static void
cubic_unused(struct tcp_cc *cc, uint64_t now_ns)
{
	struct cubic *c = priv(cc);

	if (c->epoch_ns != 0)
		c->epoch_ns = now_ns - c->step_t * (UINT64_C(1000000000) >> TICK_SHIFT);
}

const struct tcp_cc_ops tcp_cc_cubic = {
	.name = "cubic",
	.start = cubic_start,
	.acked = cubic_acked,
	.lost = cubic_lost,
	.timeout = cubic_timeout,
	.undo = cubic_undo,
	.idle = cubic_idle,
	.unused = cubic_unused,
};
