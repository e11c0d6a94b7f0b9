/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * tcp_rack.c - loss by time: RACK and the tail loss probe (RFC 8985).
 *
 * What left before something that arrived, and has not arrived a reordering window later, is lost.
 * Called for each ACK that tells something, and by the timer; marks ranges, decides no window.
 */
#include "tcp/tcp_int.h"

enum {
	MIN_RTT_SHIFT = 37, /* min_rtt holds for one to two times 2^37 ns, 137 s */
	REO_PERSIST = 16,   /* RFC 8985 s6.2, step 4: recoveries until the window is small again */
	REO_MULT_MAX = 255,
	TLP_ACK_DELAY_US = 200000, /* TLP.max_ack_delay of RFC 8985 s5.3, as Linux */
	RTO_LEFT_US = 1000,        /* an RTO that is overdue comes a little later, after an ACK */
	TLP_MIN_US = 2000,         /* DEVIATION: no probe sooner, RTT of a LAN or not; as Linux */
};

void
tcp_rack_start(struct tcp_pcb *pcb)
{
	pcb->rack = (struct tcp_rack){.fack = pcb->snd_una, .reo_mult = 1};
}

/* RFC 8985 s6.2, step 1: the least RTT of the last minutes. */
void
tcp_rack_rtt(const struct lcore *lc, struct tcp_pcb *pcb, uint32_t rtt_us)
{
	struct tcp_rack *k = &pcb->rack;
	uint8_t age = (uint8_t)(lc->now_ns >> MIN_RTT_SHIFT);

	pcb->rec.tlp_rtt = true;
	rtt_us = RTE_MAX(rtt_us, 1u);
	if (age != k->min_age || k->min_rtt_us == 0) {
		k->min_rtt_us = k->min_rtt_us == 0 ? rtt_us : k->min_next_us;
		k->min_next_us = rtt_us;
		k->min_age = age;
	}
	k->min_rtt_us = RTE_MIN(k->min_rtt_us, rtt_us);
	k->min_next_us = RTE_MIN(k->min_next_us, rtt_us);
}

/* RFC 8985 s6.2, steps 2 and 3. */
void
tcp_rack_update(struct lcore *lc, struct tcp_pcb *pcb, const struct tcp_acked *a)
{
	struct tcp_rack *k = &pcb->rack;

	if (a->delivered == 0)
		return;
	if (a->orig_low)
		k->reordering = true;
	k->fack = seq_max(k->fack, a->fack);
	if (a->sent_ns == 0)
		return;
	k->rtt_us = (uint32_t)RTE_MIN((lc->now_ns - a->sent_ns) / 1000, (uint64_t)TCP_RTO_MAX_US);
	if (a->sent_ns < k->sent_ns ||
		(a->sent_ns == k->sent_ns && seq_lt(a->sent_end, k->sent_end)))
		return;
	k->sent_ns = a->sent_ns;
	k->sent_end = a->sent_end;
}

/* RFC 8985 s6.2, step 4: a duplicate says that the window was too small, once for each round. */
void
tcp_rack_dsack(struct tcp_pcb *pcb)
{
	struct tcp_rack *k = &pcb->rack;

	if (k->dsack_open && seq_lt(pcb->snd_una, k->dsack_round))
		return;
	k->dsack_open = true;
	k->dsack_round = pcb->snd_nxt;
	if (k->reo_mult < REO_MULT_MAX)
		k->reo_mult++;
	k->reo_persist = REO_PERSIST;
}

void
tcp_rack_recovered(struct tcp_pcb *pcb)
{
	struct tcp_rack *k = &pcb->rack;

	if (k->reo_persist > 0 && --k->reo_persist == 0)
		k->reo_mult = 1;
}

/* RFC 8985 s6.2, step 4, RACK_update_reo_wnd(). */
static uint32_t
reo_wnd_us(const struct tcp_pcb *pcb)
{
	const struct tcp_rack *k = &pcb->rack;
	uint64_t wnd;

	if (!k->reordering) {
		if (pcb->ca >= TCPR_RECOVERY)
			return 0;
		/* DupThresh of RFC 6675 s2, in octets or in ACKs. */
		if (pcb->dupacks >= TCP_DUPTHRESH ||
			pcb->sent.sacked_bytes > (TCP_DUPTHRESH - 1) * (uint32_t)pcb->mss)
			return 0;
	}
	wnd = (uint64_t)k->reo_mult * k->min_rtt_us / 4;
	return (uint32_t)RTE_MIN(wnd, (uint64_t)pcb->srtt_us);
}

/* Whether r left before what has arrived, RFC 8985 s6.2, RACK_sent_after(). */
static bool
is_overtaken(const struct tcp_rack *k, const struct tcp_range *r)
{
	return r->sent_ns < k->sent_ns || (r->sent_ns == k->sent_ns && seq_lt(r->end, k->sent_end));
}

bool
tcp_rack_detect(struct lcore *lc, struct tcp_pcb *pcb)
{
	struct tcp_rack *k = &pcb->rack;
	uint64_t wait_ns = ((uint64_t)k->rtt_us + reo_wnd_us(pcb)) * 1000;
	struct tcp_range *r;
	bool any = false;

	if (k->sent_ns == 0)
		return false;
	while ((r = TAILQ_FIRST(&pcb->sent.by_time)) != NULL && is_overtaken(k, r)) {
		if (r->sent_ns + wait_ns > lc->now_ns) {
			/* All that was overtaken is due when the youngest of it could be. */
			tcp_tmr_at(lc, pcb, TCP_T_REO, k->sent_ns + wait_ns);
			break;
		}
		tcp_sent_lose(pcb, r);
		any = true;
	}
	return any;
}

/* Another timer took the place of the RTO's, which counts as if it had not. */
static void
rto_goes_on(struct lcore *lc, struct tcp_pcb *pcb)
{
	uint32_t gone_us = (uint32_t)(lc->now_ns / 1000) - pcb->rto_from_us;
	uint64_t us = gone_us < pcb->rto_us ? pcb->rto_us - gone_us : 0;

	tcp_tmr_at(lc, pcb, TCP_T_RTO, lc->now_ns + RTE_MAX(us, (uint64_t)RTO_LEFT_US) * 1000);
}

void
tcp_rack_timeout(struct lcore *lc, struct tcp_pcb *pcb)
{
	if (tcp_rack_detect(lc, pcb))
		tcp_rec_lost(lc, pcb);
	if (pcb->t_kind == TCP_T_REO && tmr_is_set(&pcb->t_rexmt))
		return;
	rto_goes_on(lc, pcb);
}

/* RFC 8985 s6.3: what the timeout says is lost; the rest may still arrive. */
void
tcp_rack_timeout_losses(struct lcore *lc, struct tcp_pcb *pcb)
{
	uint64_t wait_ns = ((uint64_t)pcb->rack.rtt_us + reo_wnd_us(pcb)) * 1000;

	tcp_sent_lose_old(pcb, lc->now_ns > wait_ns ? lc->now_ns - wait_ns : 0);
}

/* RFC 8985 s7.2 and s7.3: the conditions. */
static bool
may_probe(const struct lcore *lc, const struct tcp_pcb *pcb)
{
	if (!pcb->opt_sack || lc->tcp->conf.no_tlp)
		return false;
	if (pcb->ca != TCPR_OPEN || pcb->sent.sacked_bytes > 0)
		return false;
	if (pcb->rec.tlp || !pcb->rec.tlp_rtt)
		return false;
	return pcb->rexmt_cnt == 0 && tcp_is_synced(pcb);
}

bool
tcp_tlp_arm(struct lcore *lc, struct tcp_pcb *pcb)
{
	uint64_t pto_us = 1000000;

	if (!may_probe(lc, pcb))
		return false;
	if (pcb->srtt_us != 0) {
		pto_us = RTE_MAX(2 * (uint64_t)pcb->srtt_us, (uint64_t)TLP_MIN_US);
		if (tcp_flight(pcb) <= pcb->mss)
			pto_us += TLP_ACK_DELAY_US;
	}
	pto_us = RTE_MIN(pto_us, (uint64_t)pcb->rto_us);
	pcb->rto_from_us = (uint32_t)(lc->now_ns / 1000);
	tcp_tmr_at(lc, pcb, TCP_T_TLP, lc->now_ns + pto_us * 1000);
	return true;
}

void
tcp_tlp_settle(struct lcore *lc, struct tcp_pcb *pcb)
{
	if (!tmr_is_set(&pcb->t_rexmt) || pcb->persist)
		return;
	if (pcb->t_kind == TCP_T_RTO && pcb->rto_from_us == (uint32_t)(lc->now_ns / 1000))
		tcp_tlp_arm(lc, pcb);
	else if (pcb->t_kind == TCP_T_TLP && pcb->ca != TCPR_OPEN)
		rto_goes_on(lc, pcb);
}

void
tcp_tlp_timeout(struct lcore *lc, struct tcp_pcb *pcb)
{
	/* RFC 8985 s7.3: the RTO counts from here, whether a probe leaves or not. */
	tcp_rexmt_start(lc, pcb);
	if (!may_probe(lc, pcb) || tcp_flight(pcb) == 0)
		return;
	tcp_output_mark(lc, pcb, TCP_OUT_TLP);
}

void
tcp_tlp_sent(struct tcp_pcb *pcb, bool again)
{
	pcb->rec.tlp = true;
	pcb->rec.tlp_rtt = false;
	pcb->rec.tlp_again = again;
	pcb->rec.tlp_end = pcb->snd_nxt;
}

/* RFC 8985 s7.4.2, TLP_process_ack(). True: the probe repaired a loss. */
bool
tcp_tlp_ack(struct tcp_pcb *pcb, const struct tcp_acked *a)
{
	struct tcp_rec *rec = &pcb->rec;

	if (!rec->tlp || seq_lt(pcb->snd_una, rec->tlp_end))
		return false;
	/* New data arrived; or, case 1, both the probe and what it repeated. */
	if (!rec->tlp_again || (a->dsack && a->dup.r == rec->tlp_end)) {
		rec->tlp = false;
		return false;
	}
	if (seq_gt(pcb->snd_una, rec->tlp_end)) {
		rec->tlp = false;
		return true;
	}
	/* Case 2: the same from a peer without D-SACK. Else wait for what comes next. */
	rec->tlp = !a->is_bare;
	return false;
}
