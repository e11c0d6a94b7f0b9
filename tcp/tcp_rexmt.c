/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * tcp_rexmt.c - when something is sent again: RTO (RFC 6298), fast retransmit and recovery
 * (RFC 5681 s3.2, RFC 6582), zero-window probes (RFC 9293 s3.8.6.1).
 *
 * It moves snd_nxt back or marks the control block; the segment builder does the rest.
 */
#include <errno.h>

#include "tcp/tcp_int.h"

enum { DUPACK_THRESH = 3, DUPACK_MAX = 255, CLOCK_US = 1000, SHIFT_MAX = 16 };

void
tcp_rtt_sample(struct lcore *lc, struct tcp_pcb *pcb, uint32_t rtt_us)
{
	uint64_t rto;

	rtt_us = RTE_MAX(rtt_us, 1u);
	if (pcb->srtt_us == 0) {
		/* RFC 6298 (2.2) */
		pcb->srtt_us = rtt_us;
		pcb->rttvar_us = rtt_us / 2;
	} else {
		/* RFC 6298 (2.3), alpha 1/8, beta 1/4 */
		uint32_t diff =
			rtt_us > pcb->srtt_us ? rtt_us - pcb->srtt_us : pcb->srtt_us - rtt_us;

		pcb->rttvar_us = (uint32_t)((3 * (uint64_t)pcb->rttvar_us + diff) / 4);
		pcb->srtt_us = (uint32_t)((7 * (uint64_t)pcb->srtt_us + rtt_us) / 8);
		pcb->srtt_us = RTE_MAX(pcb->srtt_us, 1u);
	}
	rto = pcb->srtt_us + RTE_MAX((uint64_t)CLOCK_US, 4 * (uint64_t)pcb->rttvar_us);
	rto = RTE_MAX(rto, (uint64_t)lc->tcp->conf.rto_min_us);
	pcb->rto_us = (uint32_t)RTE_MIN(rto, (uint64_t)TCP_RTO_MAX_US);
}

void
tcp_rexmt_start(struct lcore *lc, struct tcp_pcb *pcb)
{
	pcb->persist = false;
	tcp_tmr_rexmt(lc, pcb, pcb->rto_us);
}

static void
persist_arm(struct lcore *lc, struct tcp_pcb *pcb)
{
	/* RFC 9293 s3.8.6.1: first after the RTO, then exponentially rarer, answered or not. */
	uint64_t us = (uint64_t)pcb->rto_us << pcb->persist_shift;

	tcp_tmr_rexmt(lc, pcb, RTE_MIN(us, (uint64_t)TCP_RTO_MAX_US));
}

void
tcp_persist_start(struct lcore *lc, struct tcp_pcb *pcb)
{
	pcb->persist = true;
	pcb->rexmt_cnt = 0;
	persist_arm(lc, pcb);
}

void
tcp_persist_end(struct lcore *lc, struct tcp_pcb *pcb)
{
	pcb->persist = false;
	pcb->rexmt_cnt = 0;
	pcb->out_flags &= (uint8_t) ~(TCP_OUT_PROBE | TCP_OUT_FORCE);
	tcp_output_mark(lc, pcb, TCP_OUT_DATA);
	tmr_stop(lc, &pcb->t_rexmt);
}

/* RFC 6582 s3.2, step 3: some, or all, of what was out when the loss was seen. */
static void
recovery_ack(struct lcore *lc, struct tcp_pcb *pcb, uint32_t bytes)
{
	struct tcp_cc *cc = &pcb->cc;

	if (seq_geq(pcb->snd_una, pcb->recover)) {
		/* Full acknowledgment, option (1): no burst. */
		cc->cwnd_bytes = RTE_MIN(cc->ssthresh_bytes,
			RTE_MAX(tcp_flight(pcb), (uint32_t)pcb->mss) + pcb->mss);
		pcb->in_recovery = false;
		pcb->dupacks = 0;
		return;
	}
	/* Partial: deflate by what was acknowledged, add back one segment, send the next hole. */
	cc->cwnd_bytes -= RTE_MIN(bytes, cc->cwnd_bytes);
	if (bytes >= pcb->mss)
		cc->cwnd_bytes += pcb->mss;
	cc->cwnd_bytes = RTE_MAX(cc->cwnd_bytes, (uint32_t)pcb->mss);
	tcp_output_mark(lc, pcb, TCP_OUT_REXMT);
	/* The timer restarts for the first one only ("Impatient"). */
	if (!pcb->partial_ack)
		tcp_rexmt_start(lc, pcb);
	pcb->partial_ack = true;
}

void
tcp_rexmt_acked(struct lcore *lc, struct tcp_pcb *pcb, uint32_t bytes, uint32_t flight)
{
	if (pcb->in_recovery) {
		recovery_ack(lc, pcb, bytes);
		return;
	}
	pcb->dupacks = 0;
	/* Follows at a distance, so that it never seems to lie ahead after 2^31 octets. */
	pcb->recover = seq_max(pcb->recover, pcb->snd_una - 1);
	/* RFC 7661 s4.1: a window that is not used says nothing about the path. */
	if (pcb->cwnd_limited || flight >= pcb->cc.cwnd_bytes / 2)
		pcb->cc.ops->acked(&pcb->cc, bytes, pcb->mss, lc->now_ns);
	pcb->cwnd_limited = false;
}

static void
recovery_enter(struct lcore *lc, struct tcp_pcb *pcb)
{
	/* RFC 6582 s3.2, step 2: not for what was out before the last loss. */
	if (!seq_gt(pcb->snd_una, pcb->recover))
		return;
	pcb->cc.ops->lost(&pcb->cc, tcp_flight(pcb), pcb->mss, lc->now_ns);
	pcb->recover = pcb->snd_max;
	pcb->in_recovery = true;
	pcb->partial_ack = false;
	pcb->rtt_timing = false;
	pcb->cc.cwnd_bytes = pcb->cc.ssthresh_bytes + DUPACK_THRESH * (uint32_t)pcb->mss;
	lc_count(lc, ST_TCP_FAST_REXMT);
	tcp_output_mark(lc, pcb, TCP_OUT_REXMT | TCP_OUT_DATA);
}

void
tcp_rexmt_dupack(struct lcore *lc, struct tcp_pcb *pcb)
{
	if (pcb->dupacks < DUPACK_MAX)
		pcb->dupacks++;
	if (pcb->in_recovery) {
		/* RFC 5681 s3.2, step 4: a segment has left the network. */
		pcb->cc.cwnd_bytes = RTE_MIN(pcb->cc.cwnd_bytes + pcb->mss, (uint32_t)TCP_CWND_MAX);
		tcp_output_mark(lc, pcb, TCP_OUT_DATA);
		return;
	}
	if (pcb->dupacks == DUPACK_THRESH)
		recovery_enter(lc, pcb);
	else if (pcb->dupacks < DUPACK_THRESH)
		/* RFC 3042: limited transmit of new data. */
		tcp_output_mark(lc, pcb, TCP_OUT_DATA);
}

/* B-18: while its latch is suspended a connection does not come nearer to giving up. F-31: one that
 * nobody holds any more does. */
static void
count_try(struct lcore *lc, struct tcp_pcb *pcb)
{
	if (pcb->rexmt_cnt == 0 || tcp_is_orphan(pcb) || !latch_is_suspended(lc, &pcb->latch))
		pcb->rexmt_cnt++;
}

static void
persist_timeout(struct lcore *lc, struct tcp_pcb *pcb)
{
	if (pcb->rexmt_cnt >= lc->tcp->conf.data_retries) {
		tcp_pcb_end(lc, pcb, latch_errno(&pcb->latch, ETIMEDOUT));
		return;
	}
	count_try(lc, pcb);
	pcb->snd_nxt = pcb->snd_una;
	pcb->rtt_timing = false;
	if (pcb->snd_wnd == 0) {
		pcb->persist_shift = (uint8_t)RTE_MIN(pcb->persist_shift + 1, SHIFT_MAX);
		tcp_output_mark(lc, pcb, TCP_OUT_PROBE);
		persist_arm(lc, pcb);
		return;
	}
	/* RFC 9293 s3.8.6.2.1, (4): the window is small but not nothing; send what fits. */
	pcb->persist = false;
	tcp_rexmt_start(lc, pcb);
	tcp_output_mark(lc, pcb, TCP_OUT_FORCE | TCP_OUT_DATA);
}

/* RFC 5681 s3.1 and RFC 6582 s4: what a timeout does to windows and recovery. */
static void
timeout_windows(struct lcore *lc, struct tcp_pcb *pcb)
{
	/* (4) applies once for the same data, not for each backoff. */
	if (pcb->rexmt_cnt == 1)
		pcb->cc.ops->lost(&pcb->cc, tcp_flight(pcb), pcb->mss, lc->now_ns);
	pcb->cc.cwnd_bytes = pcb->mss;
	pcb->recover = pcb->snd_max;
	pcb->in_recovery = false;
	pcb->dupacks = 0;
	pcb->out_flags &= (uint8_t)~TCP_OUT_REXMT;
}

void
tcp_rexmt_timeout(struct lcore *lc, struct tcp_pcb *pcb)
{
	uint32_t limit =
		tcp_is_synced(pcb) ? lc->tcp->conf.data_retries : lc->tcp->conf.syn_retries;

	if (pcb->persist) {
		persist_timeout(lc, pcb);
		return;
	}
	/* RFC 9293 s3.8.3: R2 */
	if (pcb->rexmt_cnt >= limit) {
		tcp_pcb_end(lc, pcb, latch_errno(&pcb->latch, ETIMEDOUT));
		return;
	}
	count_try(lc, pcb);
	lc_count(lc, ST_TCP_RTO);
	/* RFC 8201 s5.2: the path MTU is one for all; what is larger was never sent. */
	tcp_path_refresh(lc, pcb);
	/* RFC 6298 (5.5) */
	pcb->rto_us = RTE_MIN(pcb->rto_us * 2, (uint32_t)TCP_RTO_MAX_US);
	pcb->rtt_timing = false;
	if (tcp_is_synced(pcb))
		timeout_windows(lc, pcb);
	pcb->snd_nxt = pcb->snd_una;
	if (tcp_is_synced(pcb) && pcb->snd_wnd == 0) {
		pcb->persist = true;
		pcb->persist_shift = (uint8_t)RTE_MIN(pcb->persist_shift + 1, SHIFT_MAX);
		tcp_output_mark(lc, pcb, TCP_OUT_PROBE);
		persist_arm(lc, pcb);
		return;
	}
	tcp_tmr_rexmt(lc, pcb, pcb->rto_us);
	tcp_output_mark(lc, pcb, TCP_OUT_DATA);
}

void
tcp_rexmt_resume(struct lcore *lc, struct tcp_pcb *pcb)
{
	/* Tries are still counted, or whoever can break a latch could keep it from ever giving up;
	 * but a SYN that waited for its SA was never tried. */
	if (!tcp_is_synced(pcb))
		pcb->rexmt_cnt = 0;
	pcb->rtt_timing = false;
	pcb->rto_us = TCP_RTO_INIT_US;
	if (pcb->srtt_us != 0)
		pcb->rto_us = RTE_MAX(lc->tcp->conf.rto_min_us,
			pcb->srtt_us + RTE_MAX((uint32_t)CLOCK_US, 4 * pcb->rttvar_us));
	if (pcb->persist) {
		pcb->persist_shift = 0;
		tcp_output_mark(lc, pcb, TCP_OUT_PROBE);
		persist_arm(lc, pcb);
		return;
	}
	if (tcp_flight(pcb) == 0)
		return;
	/* RFC 5681 s4.1: as after idle. What was lost is all behind snd_una. */
	if (tcp_is_synced(pcb)) {
		pcb->cc.cwnd_bytes = RTE_MIN(pcb->cc.cwnd_bytes, 10 * (uint32_t)pcb->mss);
		pcb->in_recovery = false;
		pcb->recover = pcb->snd_max;
		pcb->dupacks = 0;
	}
	pcb->snd_nxt = pcb->snd_una;
	tcp_tmr_rexmt(lc, pcb, pcb->rto_us);
	tcp_output_mark(lc, pcb, TCP_OUT_DATA);
}
