/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * tcp_ack.c - what an acknowledgment does: send buffer, RTT, windows.
 *
 * Called by the fifth step of SEGMENT ARRIVES; the states that depend on our FIN are changed
 * there, not here.
 */
#include "stack/base/rand.h"
#include "tcp/tcp_int.h"

void
tcp_challenge_ack(struct lcore *lc, struct tcp_pcb *pcb)
{
	struct tcp_ctx *tc = lc->tcp;

	if (lc->now_ns >= tc->challenge_ns) {
		/* A fixed budget could be measured from another connection (CVE-2016-5696). */
		tc->challenge_left = tc->conf.challenge_per_s / 2 +
				     rand_below(lc->rand, RTE_MAX(tc->conf.challenge_per_s, 1u));
		tc->challenge_ns = lc->now_ns + UINT64_C(1000000000);
	}
	if (tc->challenge_left == 0)
		return;
	tc->challenge_left--;
	lc_count(lc, ST_TCP_CHALLENGE);
	tcp_output_mark(lc, pcb, TCP_OUT_ACK);
}

static uint32_t
scaled_wnd(const struct tcp_pcb *pcb, const struct tcp_seg *seg)
{
	/* RFC 7323 s2.2: the window of a SYN is never scaled. */
	if ((seg->flags & TCP_F_SYN) != 0)
		return seg->wnd;
	return (uint32_t)seg->wnd << pcb->snd_wscale;
}

static void
set_wnd(struct tcp_pcb *pcb, const struct tcp_seg *seg)
{
	pcb->snd_wnd = scaled_wnd(pcb, seg);
	pcb->max_wnd = RTE_MAX(pcb->max_wnd, pcb->snd_wnd);
	pcb->snd_wl1 = seg->seq;
	pcb->snd_wl2 = seg->ack;
	if (pcb->snd_wnd > 0)
		pcb->persist_shift = 0;
}

static uint32_t
us_since(const struct lcore *lc, uint64_t ns)
{
	return (uint32_t)RTE_MIN((lc->now_ns - ns) / 1000, (uint64_t)TCP_RTO_MAX_US);
}

/* RFC 7323 s4.1: the echoed timestamp. */
static void
measure_echo(struct lcore *lc, struct tcp_pcb *pcb, const struct tcp_seg *seg)
{
	uint32_t ms;

	if (!pcb->opt_ts || (seg->opts & TCP_O_TS) == 0 || seg->ts_ecr == 0)
		return;
	/* An echo from before the retransmission: the first ACK was lost, and the wait for the
	 * timeout is not part of the round trip. */
	if (seq_lt(seg->ts_ecr, pcb->rexmt_ts))
		return;
	ms = tcp_now_ms(lc) + pcb->ts_offset - seg->ts_ecr;
	/* The echo is the peer's word: an impossible one counts for nothing. */
	if (ms < TCP_RTO_MAX_US / 1000)
		tcp_rtt_sample(lc, pcb, ms * 1000);
}

/*
 * RFC 6298 s3 (Karn): only octets sent once, else the echoed timestamp. srtt takes one sample in
 * each round trip, as its weights want it; the least RTT sees them all.
 */
static void
measure(struct lcore *lc, struct tcp_pcb *pcb, const struct tcp_seg *seg, struct tcp_acked *a)
{
	/* Without SACK what was sent once may have arrived long before the hole was filled. */
	bool known = a->first_ns != 0 && (pcb->opt_sack || !a->again);

	if (known) {
		a->rtt_us = RTE_MAX(us_since(lc, a->last_ns), 1u);
		tcp_rack_rtt(lc, pcb, a->rtt_us);
	}
	if (a->bytes == 0 || seq_lt(pcb->snd_una, pcb->rtt_seq))
		return;
	a->is_round = true;
	if (known && !a->again)
		tcp_rtt_sample(lc, pcb, us_since(lc, a->first_ns));
	else
		measure_echo(lc, pcb, seg);
	pcb->rtt_seq = pcb->snd_nxt;
}

/* The SYN and its answer. */
static void
measure_syn(struct lcore *lc, struct tcp_pcb *pcb, const struct tcp_seg *seg)
{
	/* A cookie stood for the control block: no time was kept, and its stamp is none. */
	pcb->rtt_seq = pcb->snd_una;
	if (pcb->last_send_ns == 0)
		return;
	/* Of a connection whose accept() was put off it was measured when its ACK came. */
	if (!pcb->deferred && pcb->syn_again)
		measure_echo(lc, pcb, seg);
	else if (!pcb->deferred)
		tcp_rtt_sample(lc, pcb, us_since(lc, pcb->last_send_ns));
	if (pcb->srtt_us != 0)
		tcp_rack_rtt(lc, pcb, pcb->srtt_us);
}

/* RFC 7413 s4.2.2: what the SYN took along arrived as far as seg says; the rest was never sent. */
static void
settle_syn_data(struct lcore *lc, struct tcp_pcb *pcb, const struct tcp_seg *seg)
{
	buf_drop(lc, &pcb->snd, RTE_MIN(seg->ack - (pcb->iss + 1), buf_len(&pcb->snd)));
	pcb->snd_nxt = pcb->snd_max = seg->ack;
	tcp_output_mark(lc, pcb, TCP_OUT_DATA);
}

/* Windows and timers of a connection that begins to send. */
static void
start_sending(struct lcore *lc, struct tcp_pcb *pcb, bool syn_lost)
{
	/* RFC 6298 (5.7): without a sample, and with a SYN that was lost, begin with 3 s. */
	if (pcb->srtt_us == 0)
		pcb->rto_us = lc->tcp->conf.rto_init_us * (syn_lost ? 3 : 1);
	pcb->rexmt_cnt = 0;
	tcp_mtu_open(lc, pcb);
	tcp_pcb_update_mss(pcb);
	/* RFC 6928 s2 and RFC 5681 s3.1: one segment if the SYN or its answer was lost. */
	pcb->cc.cwnd_bytes = syn_lost ? pcb->mss : tcp_cc_iw(pcb->mss, lc->tcp->conf.iw_segments);
	pcb->cc.ssthresh_bytes = TCP_CWND_MAX;
	if (pcb->cc.ops == NULL)
		pcb->cc.ops = tcp_cc_nth(lc->tcp->conf.cc);
	pcb->cc.hystart = !lc->tcp->conf.no_hystart;
	pcb->cc.ops->start(&pcb->cc, lc->now_ns);
	pcb->last_send_ns = lc->now_ns;
	pcb->was_open = true;
}

void
tcp_ack_open(struct lcore *lc, struct tcp_pcb *pcb, const struct tcp_seg *seg)
{
	bool syn_lost = pcb->rexmt_cnt > 0 && !pcb->deferred;

	if (unlikely(pcb->snd_max != pcb->iss + 1))
		settle_syn_data(lc, pcb, seg);
	pcb->snd_una = seg->ack;
	pcb->snd_nxt = seq_max(pcb->snd_nxt, pcb->snd_una);
	set_wnd(pcb, seg);
	tmr_stop(lc, &pcb->t_rexmt);
	tcp_rec_start(pcb);
	measure_syn(lc, pcb, seg);
	start_sending(lc, pcb, syn_lost);
}

void
tcp_ack_open_early(struct lcore *lc, struct tcp_pcb *pcb, const struct tcp_seg *seg)
{
	set_wnd(pcb, seg);
	pcb->snd_wl2 = pcb->iss; /* the SYN acknowledged nothing */
	tcp_rec_start(pcb);
	pcb->rtt_seq = pcb->snd_una;
	start_sending(lc, pcb, false);
}

static void
ack_new(struct lcore *lc, struct tcp_pcb *pcb, const struct tcp_seg *seg, struct tcp_acked *a)
{
	uint32_t data = seg->ack - tcp_seq_of(pcb, buf_start(&pcb->snd));

	a->bytes = seg->ack - pcb->snd_una;
	tcp_sent_ack(lc, pcb, seg->ack, a);
	pcb->snd_una = seg->ack;
	pcb->snd_nxt = seq_max(pcb->snd_nxt, pcb->snd_una);
	pcb->rexmt_cnt = 0;
	/* The FIN has a sequence number and no place in the buffer. */
	buf_drop(lc, &pcb->snd, RTE_MIN(data, buf_len(&pcb->snd)));
	if (pcb->persist)
		tcp_persist_end(lc, pcb);
	/* RFC 6298 (5.2), (5.3); RFC 6582 s4, "Impatient" */
	if (pcb->snd_una == pcb->snd_max)
		tmr_stop(lc, &pcb->t_rexmt);
	else if (pcb->opt_sack || pcb->ca != TCPR_RECOVERY || !pcb->rec.partial_ack)
		tcp_rexmt_start(lc, pcb);
	tcp_wake(lc, pcb);
}

/* RFC 5681 s2: the clauses of a duplicate acknowledgment that the segment itself shows. */
static bool
is_repeated(const struct tcp_pcb *pcb, const struct tcp_seg *seg)
{
	if (seg->len > 0) /* (b) */
		return false;
	if ((seg->flags & (TCP_F_SYN | TCP_F_FIN)) != 0) /* (c) */
		return false;
	if (seg->ack != pcb->snd_una) /* (d) */
		return false;
	return scaled_wnd(pcb, seg) == pcb->snd_wnd; /* (e) */
}

static bool
is_dupack(const struct tcp_pcb *pcb, const struct tcp_seg *seg)
{
	if (tcp_flight(pcb) == 0 || pcb->persist) /* (a); a probe's answer is none */
		return false;
	return is_repeated(pcb, seg);
}

/* RFC 9293 s3.10.7.4, fifth, ESTABLISHED: "the send window should be updated". */
static void
update_wnd(struct lcore *lc, struct tcp_pcb *pcb, const struct tcp_seg *seg)
{
	uint32_t before = pcb->snd_wnd;

	if (!seq_lt(pcb->snd_wl1, seg->seq) &&
		!(pcb->snd_wl1 == seg->seq && seq_leq(pcb->snd_wl2, seg->ack)))
		return;
	set_wnd(pcb, seg);
	if (pcb->snd_wnd <= before)
		return;
	if (pcb->persist) {
		/* What the probes carried is lost or was refused: begin again at snd_una. */
		tcp_persist_end(lc, pcb);
		tcp_rec_resend(lc, pcb);
		if (tcp_flight(pcb) > 0)
			tcp_rexmt_start(lc, pcb);
	}
	if (pcb->snd_nxt != tcp_snd_end(pcb))
		tcp_output_mark(lc, pcb, TCP_OUT_DATA);
	tcp_wake(lc, pcb);
}

/* What the ACK says about what was sent: the scoreboard first, then what follows from it. */
static void
ack_sent_data(struct lcore *lc, struct tcp_pcb *pcb, const struct tcp_seg *seg)
{
	uint32_t before = pcb->snd_una;
	struct tcp_acked a = {0};

	/* RFC 7323 s4.1: an echo of nothing is none. */
	a.has_echo = pcb->opt_ts && (seg->opts & TCP_O_TS) != 0 && seg->ts_ecr != 0;
	a.echo_ms = seg->ts_ecr - pcb->ts_offset;
	if (seq_gt(seg->ack, before))
		ack_new(lc, pcb, seg, &a);
	if (!pcb->opt_sack)
		a.is_dup = is_dupack(pcb, seg) && a.bytes == 0;
	else if (seg->sack_n > 0)
		tcp_sack_in(lc, pcb, seg, before, &a);
	if (unlikely(pcb->rec.tlp))
		a.is_bare = seg->sack_n == 0 && a.bytes == 0 && is_repeated(pcb, seg);
	a.is_echo = tcp_ecn_is_echo(pcb, seg);
	if (a.bytes == 0 && a.sacked == 0 && !a.dsack && !a.is_dup && !a.is_echo && !pcb->rec.tlp)
		return;
	measure(lc, pcb, seg, &a);
	tcp_rec_ack(lc, pcb, &a);
	tcp_tlp_settle(lc, pcb);
	if (pcb->snd_una != tcp_snd_end(pcb))
		tcp_output_mark(lc, pcb, TCP_OUT_DATA);
}

bool
tcp_ack(struct lcore *lc, struct tcp_pcb *pcb, struct tcp_seg *seg)
{
	/* RFC 5961 s5.2: SND.UNA - MAX.SND.WND <= SEG.ACK <= SND.NXT, else an ACK. */
	if (seq_gt(seg->ack, pcb->snd_max) || seq_lt(seg->ack, pcb->snd_una - pcb->max_wnd)) {
		tcp_challenge_ack(lc, pcb);
		seg->why = DROP_TCP_ACK;
		return false;
	}
	/* RFC 9293 s3.8.6.1: open as long as the peer answers. An orphan has no such patience. */
	if (pcb->persist && pcb->s != NULL)
		pcb->rexmt_cnt = 0;
	ack_sent_data(lc, pcb, seg);
	if (unlikely(pcb->mtu != 0))
		tcp_mtu_ack(lc, pcb);
	if (unlikely(pcb->tfo_unproved) && pcb->snd_una != pcb->iss)
		tcp_tfo_proved(lc, pcb);
	if (seq_geq(seg->ack, pcb->snd_una))
		update_wnd(lc, pcb, seg);
	return true;
}
