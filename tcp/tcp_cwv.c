/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * tcp_cwv.c - congestion window validation (RFC 7661): how much of cwnd the path has shown to
 * carry.
 *
 * pipeACK is what was acknowledged within a round trip, the most of the last second or three round
 * trips. While it is less than half of cwnd, and what is in flight too, cwnd is not validated: it
 * stays as it is, a loss is weighed by what was used, and after five minutes half of it goes.
 * Called for ACKs in OPEN and DISORDER; recovery begins and ends with nothing known.
 *
 * Whether cwnd may grow is not asked of pipeACK, which lags a round trip behind a window that
 * doubles in one: then the flight of now says it, as in Linux (is_cwnd_limited). DEVIATION from
 * s4.3, which keeps cwnd over idle time too: a sender that was silent for an RTO begins anew (RFC
 * 5681 s4.1), as Linux does by default. What is sent here is not paced, and a window of minutes ago
 * in one burst is what the queues of a storage network least expect.
 */
#include "tcp/tcp_int.h"

enum {
	SAMPLE_SHIFT = 27, /* 134 ms */
	USED_SHIFT = 30,   /* 1.07 s */
	NVP = 280,         /* of those: five minutes, RFC 7661 s4.4 */
};

static uint16_t
clock_of(const struct lcore *lc, uint32_t shift)
{
	return (uint16_t)(lc->now_ns >> shift);
}

/* Half of the sampling period, which is max(3 RTT, 1 s): there are two such halves. */
static uint32_t
half_period(const struct tcp_pcb *pcb)
{
	uint64_t ns = RTE_MAX(3000 * (uint64_t)pcb->srtt_us, UINT64_C(1000000000));

	return (uint32_t)(ns / 2 >> SAMPLE_SHIFT);
}

static uint32_t
pipe_ack(const struct lcore *lc, const struct tcp_pcb *pcb)
{
	const struct tcp_rec *rec = &pcb->rec;
	uint32_t age = (uint16_t)(clock_of(lc, SAMPLE_SHIFT) - rec->cwv_since);
	uint32_t half = half_period(pcb);

	if (age >= 2 * half)
		return 0;
	return age >= half ? rec->cwv_peak : RTE_MAX(rec->cwv_peak, rec->cwv_before);
}

static void
sample(const struct lcore *lc, struct tcp_pcb *pcb)
{
	struct tcp_rec *rec = &pcb->rec;
	uint32_t age = (uint16_t)(clock_of(lc, SAMPLE_SHIFT) - rec->cwv_since);
	uint32_t half = half_period(pcb);

	if (age >= half) {
		rec->cwv_before = age >= 2 * half ? 0 : rec->cwv_peak;
		rec->cwv_peak = 0;
		rec->cwv_since = clock_of(lc, SAMPLE_SHIFT);
	}
	rec->cwv_peak = RTE_MAX(rec->cwv_peak, pcb->snd_una - rec->cwv_una);
	rec->cwv_una = pcb->snd_una;
	rec->cwv_known = true;
}

static bool
is_validated(const struct lcore *lc, const struct tcp_pcb *pcb, uint32_t flight)
{
	if (!pcb->rec.cwv_known || pcb->cwnd_limited)
		return true;
	return RTE_MAX(pipe_ack(lc, pcb), flight) >= pcb->cc.cwnd_bytes / 2;
}

/* RFC 7661 s4.4.3: the end of the non-validated period. */
static void
give_up_half(const struct lcore *lc, struct tcp_pcb *pcb)
{
	uint32_t iw = tcp_cc_iw(pcb->mss, lc->tcp->conf.iw_segments), cwnd = pcb->cc.cwnd_bytes;

	pcb->cc.ssthresh_bytes = RTE_MAX(pcb->cc.ssthresh_bytes, cwnd - cwnd / 4);
	pcb->cc.cwnd_bytes = RTE_MIN(cwnd, RTE_MAX(cwnd / 2, iw));
}

void
tcp_cwv_ack(const struct lcore *lc, struct tcp_pcb *pcb, const struct tcp_acked *a)
{
	struct tcp_rec *rec = &pcb->rec;
	uint16_t now = clock_of(lc, USED_SHIFT);

	if (!a->is_round)
		return;
	if (rec->cwv_on) {
		sample(lc, pcb);
	} else {
		rec->cwv_on = true;
		rec->cwv_una = pcb->snd_una;
		rec->cwv_peak = rec->cwv_before = 0;
		rec->cwv_since = clock_of(lc, SAMPLE_SHIFT);
	}
	if (is_validated(lc, pcb, tcp_flight(pcb) + a->bytes)) {
		pcb->cc.used = now;
	} else if ((uint16_t)(now - pcb->cc.used) >= NVP) {
		pcb->cc.used = now;
		give_up_half(lc, pcb);
	}
}

/* RFC 7661 s4.4.1: LossFlightSize is not all that was used. */
uint32_t
tcp_cwv_lost(const struct lcore *lc, struct tcp_pcb *pcb, uint32_t flight)
{
	pcb->rec.cwv_lost = !is_validated(lc, pcb, flight);
	return pcb->rec.cwv_lost ? RTE_MAX(pipe_ack(lc, pcb), flight) : flight;
}

/* RFC 7661 s4.4.1: what was sent again did not fit, so it is no part of what the path carries. */
void
tcp_cwv_recovered(struct tcp_pcb *pcb)
{
	uint32_t cwnd = pcb->cc.cwnd_bytes, again = pcb->rec.undo_bytes / 2;

	if (!pcb->rec.cwv_lost)
		return;
	pcb->rec.cwv_lost = false;
	pcb->cc.cwnd_bytes = RTE_MIN(cwnd, RTE_MAX(cwnd - RTE_MIN(cwnd, again), 2u * pcb->mss));
}

void
tcp_cwv_forget(struct tcp_pcb *pcb)
{
	pcb->rec.cwv_on = pcb->rec.cwv_known = false;
}
