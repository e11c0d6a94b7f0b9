/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * tcp_rexmt.c - the retransmission timer (RFC 6298) and zero-window probes (RFC 9293 s3.8.6.1).
 *
 * It marks ranges as lost and the control block for output; the segment builder does the rest.
 */
#include <errno.h>

#include "tcp/tcp_int.h"

enum { CLOCK_US = 1000, SHIFT_MAX = 16 };

void
tcp_rtt_sample(struct lcore *lc, struct tcp_pcb *pcb, uint32_t rtt_us)
{
	uint64_t rto;

	pcb->rec.tlp_rtt = true;
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
	pcb->rto_us = (uint32_t)RTE_MIN(rto, (uint64_t)lc->tcp->conf.rto_max_us);
}

void
tcp_rexmt_start(struct lcore *lc, struct tcp_pcb *pcb)
{
	pcb->persist = false;
	pcb->rto_from_us = (uint32_t)(lc->now_ns / 1000);
	tcp_tmr_at(lc, pcb, TCP_T_RTO, lc->now_ns + pcb->rto_us * UINT64_C(1000));
}

static void
persist_arm(struct lcore *lc, struct tcp_pcb *pcb)
{
	/* RFC 9293 s3.8.6.1: first after the RTO, then exponentially rarer, answered or not. */
	uint64_t us = (uint64_t)pcb->rto_us << pcb->persist_shift;

	us = RTE_MIN(us, (uint64_t)lc->tcp->conf.rto_max_us);
	tcp_tmr_at(lc, pcb, TCP_T_RTO, lc->now_ns + us * 1000);
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
	if (pcb->rexmt_cnt >= lc->tcp->conf.data_retries || tcp_user_timeout(lc, pcb)) {
		tcp_pcb_end(lc, pcb, latch_errno(&pcb->latch, ETIMEDOUT));
		return;
	}
	count_try(lc, pcb);
	if (pcb->snd_wnd == 0) {
		pcb->persist_shift = (uint8_t)RTE_MIN(pcb->persist_shift + 1, SHIFT_MAX);
		tcp_output_mark(lc, pcb, TCP_OUT_PROBE);
		persist_arm(lc, pcb);
		return;
	}
	/* RFC 9293 s3.8.6.2.1, (4): the window is small but not nothing; send what fits. */
	tcp_rexmt_start(lc, pcb);
	tcp_rec_resend(lc, pcb);
	tcp_output_mark(lc, pcb, TCP_OUT_FORCE | TCP_OUT_DATA);
}

/* RFC 9293 s3.8.3: R2 */
static uint32_t
most_tries(const struct lcore *lc, const struct tcp_pcb *pcb)
{
	const struct tcp_conf *c = &lc->tcp->conf;

	if (pcb->state == TCPS_SYN_RCVD || pcb->tfo_unproved)
		return c->synack_retries;
	return pcb->state == TCPS_SYN_SENT ? c->syn_retries : c->data_retries;
}

void
tcp_rexmt_timeout(struct lcore *lc, struct tcp_pcb *pcb)
{
	if (pcb->persist) {
		persist_timeout(lc, pcb);
		return;
	}
	if (pcb->rexmt_cnt >= most_tries(lc, pcb) || tcp_user_timeout(lc, pcb)) {
		tcp_pcb_end(lc, pcb, latch_errno(&pcb->latch, ETIMEDOUT));
		return;
	}
	count_try(lc, pcb);
	lc_count(lc, ST_TCP_RTO);
	/* RFC 8201 s5.2: the path MTU is one for all; what is larger was never sent. */
	tcp_path_refresh(lc, pcb);
	tcp_mtu_timeout(lc, pcb);
	/* RFC 6298 (5.5) */
	pcb->rto_us = RTE_MIN(pcb->rto_us * 2, lc->tcp->conf.rto_max_us);
	if (tcp_is_synced(pcb))
		tcp_rec_timeout(lc, pcb);
	else
		pcb->snd_nxt = pcb->iss;
	/* The SYN of a fast open needs no window, and has octets behind it only when there was one.
	 */
	if (tcp_is_synced(pcb) && pcb->snd_wnd == 0 && !pcb->tfo_unproved) {
		pcb->persist = true;
		pcb->persist_shift = (uint8_t)RTE_MIN(pcb->persist_shift + 1, SHIFT_MAX);
		tcp_output_mark(lc, pcb, TCP_OUT_PROBE);
		persist_arm(lc, pcb);
		return;
	}
	tcp_rexmt_start(lc, pcb);
	tcp_output_mark(lc, pcb, TCP_OUT_DATA);
}

void
tcp_rexmt_resume(struct lcore *lc, struct tcp_pcb *pcb)
{
	/* Tries are still counted, or whoever can break a latch could keep it from ever giving up;
	 * but a SYN that waited for its SA was never tried. */
	if (!tcp_is_synced(pcb))
		pcb->rexmt_cnt = 0;
	pcb->rto_us = lc->tcp->conf.rto_init_us;
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
		pcb->cc.cwnd_bytes =
			RTE_MIN(pcb->cc.cwnd_bytes, tcp_cc_iw(pcb->mss, lc->tcp->conf.iw_segments));
		pcb->ca = TCPR_OPEN;
		pcb->rec = (struct tcp_rec){.recover = pcb->snd_nxt};
		tcp_sent_forget_sacks(pcb);
		tcp_rec_resend(lc, pcb);
	} else {
		pcb->snd_nxt = pcb->iss;
	}
	tcp_rexmt_start(lc, pcb);
	tcp_output_mark(lc, pcb, TCP_OUT_DATA);
}
