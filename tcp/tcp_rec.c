/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * tcp_rec.c - recovery: what an ACK means for the congestion state, and how it goes on.
 *
 *   OPEN      all is well             DISORDER  something arrived out of order, or twice
 *   CWR       the window shrinks      RECOVERY  so it does, and what was lost leaves again
 *   LOSS      after a retransmission timeout
 *
 * RFC 6675 s5 (SACK) and RFC 6582 (without) say what RECOVERY is, RFC 8985 what is lost, RFC 9937
 * how fast to send, RFC 5682 and RFC 3522 when all of it was a mistake. Called for each ACK that
 * tells something; nothing is sent from here.
 */
#include "stack/base/assert.h"
#include "tcp/tcp_int.h"

/* More duplicates than any flight has packets. */
enum { DUPACKS_MAX = 255, UNDO_REACH = 1 << 30 };

static bool
has_reached(const struct tcp_pcb *pcb)
{
	/* RFC 6582 s3.2, step 2: without SACK, not before something beyond recover is known. */
	return pcb->opt_sack ? seq_geq(pcb->snd_una, pcb->rec.recover)
			     : seq_gt(pcb->snd_una, pcb->rec.recover);
}

static void
reset_dupacks(struct tcp_pcb *pcb)
{
	pcb->dupacks = 0;
	if (!pcb->opt_sack)
		pcb->sent.sacked_bytes = 0;
}

/* The window before this episode is kept, in case it was a mistake. */
static void
reduce(struct lcore *lc, struct tcp_pcb *pcb, uint32_t flight)
{
	struct tcp_rec *rec = &pcb->rec;

	rec->prior_cwnd = pcb->cc.cwnd_bytes;
	rec->prior_ssthresh = pcb->cc.ssthresh_bytes;
	rec->undo = true;
	rec->undo_una = pcb->snd_una;
	/* The ACK of what an earlier episode sent again is no sign of a mistake in this one. */
	if (!rec->rexmt_out) {
		rec->undo_bytes = 0;
		rec->rexmt_seen = false;
	}
	/* RFC 3168 s6.1.2: the next new data say that the window has shrunk, for whatever reason.
	 */
	pcb->ecn_cwr = pcb->opt_ecn;
	flight = tcp_cwv_lost(lc, pcb, flight);
	/* What limited transmit sent does not count (RFC 5681 s3.2, (2)). */
	pcb->cc.ops->lost(&pcb->cc, RTE_MIN(flight, pcb->cc.cwnd_bytes), pcb->mss, lc->now_ns);
}

/* FlightSize (RFC 5681 s2). ACKs that came together are one, of which the first ones made room that
 * nothing could fill yet. */
static uint32_t
flight_before(const struct tcp_pcb *pcb)
{
	return pcb->snd_max - pcb->una_out;
}

static void
enter(struct lcore *lc, struct tcp_pcb *pcb)
{
	if (pcb->ca < TCPR_CWR) {
		reduce(lc, pcb, flight_before(pcb));
		tcp_prr_start(pcb);
	}
	pcb->rec.recover = pcb->snd_nxt;
	pcb->rec.tlp = false;
	pcb->rec.partial_ack = false;
	pcb->ca = TCPR_RECOVERY;
	lc_count(lc, ST_TCP_FAST_REXMT);
}

/* The episode is over; the window stays what it has become. */
static void
leave(struct tcp_pcb *pcb)
{
	pcb->rec.frto = pcb->rec.frto_new = false;
	tcp_cwv_forget(pcb);
	reset_dupacks(pcb);
	/* What was sent since may have holes of its own. */
	pcb->ca = pcb->sent.sacked_bytes > 0 ? TCPR_DISORDER : TCPR_OPEN;
	tcp_rack_recovered(pcb);
}

/* RFC 6582 s3.2, step 3, option (1); with SACK the pipe bounds the burst already. */
static void
settle_cwnd(struct tcp_pcb *pcb)
{
	uint32_t room = RTE_MAX(tcp_flight(pcb), (uint32_t)pcb->mss) + pcb->mss;

	if (pcb->cc.ops->control != NULL)
		return;
	pcb->cc.cwnd_bytes = pcb->cc.ssthresh_bytes;
	tcp_cwv_recovered(pcb);
	if (!pcb->opt_sack)
		pcb->cc.cwnd_bytes = RTE_MIN(pcb->cc.cwnd_bytes, room);
}

/* RFC 3522 s3.2 and RFC 5682 s3.1, step 3b: nothing was lost, so it is as if nothing had been. */
static void
undo(struct lcore *lc, struct tcp_pcb *pcb)
{
	struct tcp_rec *rec = &pcb->rec;

	tcp_sent_unlose(pcb);
	/* RFC 9438 s4.9.2: what has grown beyond it since stays as it is. */
	if (pcb->cc.ops->undo != NULL && pcb->cc.cwnd_bytes <= rec->prior_cwnd)
		pcb->cc.ops->undo(&pcb->cc);
	pcb->cc.cwnd_bytes = RTE_MAX(pcb->cc.cwnd_bytes, rec->prior_cwnd);
	pcb->cc.ssthresh_bytes = RTE_MAX(pcb->cc.ssthresh_bytes, rec->prior_ssthresh);
	rec->undo = false;
	leave(pcb);
	lc_count(lc, ST_TCP_UNDO);
	tcp_output_mark(lc, pcb, TCP_OUT_DATA);
}

/* RFC 3522 s3.2, (4): the ACK echoes a segment from before the first retransmission. */
static bool
is_echo_of_original(const struct tcp_pcb *pcb, const struct tcp_acked *a)
{
	return pcb->rec.rexmt_seen && a->has_echo && a->bytes > 0 &&
	       seq_lt(a->echo_ms, pcb->rec.first_rexmt_ms);
}

/* RFC 3708 s2: duplicates of all that was sent again were reported. */
static bool
all_came_twice(const struct tcp_pcb *pcb)
{
	return pcb->rec.rexmt_seen && pcb->rec.undo_bytes == 0;
}

static bool
was_mistake(const struct tcp_pcb *pcb, const struct tcp_acked *a)
{
	return pcb->rec.undo && (all_came_twice(pcb) || is_echo_of_original(pcb, a));
}

/* A duplicate was reported: whose? */
static void
dsack(struct lcore *lc, struct tcp_pcb *pcb, const struct tcp_acked *a)
{
	struct tcp_rec *rec = &pcb->rec;
	uint32_t len = a->dup.r - a->dup.l;

	lc_count(lc, ST_TCP_DSACK_IN);
	/* DEVIATION from RFC 8985 s6.2, step 4, which counts any D-SACK, as Linux: the probe's says
	 * that an ACK was late, and nothing about reordering. */
	if (rec->tlp && rec->tlp_again && a->dup.r == rec->tlp_end)
		return;
	tcp_rack_dsack(pcb);
	if (!rec->undo || seq_lt(a->dup.l, rec->undo_una) || seq_gt(a->dup.r, rec->recover) ||
		pcb->snd_una - rec->undo_una > UNDO_REACH)
		return;
	rec->undo_bytes -= RTE_MIN(rec->undo_bytes, len);
}

static bool
is_reducing(const struct tcp_pcb *pcb)
{
	return pcb->ca == TCPR_RECOVERY || pcb->ca == TCPR_CWR;
}

/* RFC 5681 s3.2 without SACK: each duplicate ACK stands for a segment that left the network. */
static void
reno_dupack(struct tcp_pcb *pcb, struct tcp_acked *a)
{
	uint32_t room = tcp_flight(pcb) - RTE_MIN(tcp_flight(pcb), (uint32_t)pcb->mss);
	uint32_t more;

	/* RFC 9937 s6.2: duplicate ACKs are cheap to make, so an episode believes in no more than
	 * was out. */
	if (is_reducing(pcb))
		room = RTE_MIN(room, pcb->rec.prr_flight);
	more = RTE_MIN(pcb->sent.sacked_bytes + pcb->mss, room);
	if (more <= pcb->sent.sacked_bytes)
		return;
	a->delivered += more - pcb->sent.sacked_bytes;
	a->sacked += more - pcb->sent.sacked_bytes;
	pcb->sent.sacked_bytes = more;
}

/* One segment of what is acknowledged filled a hole, the rest was heard of by duplicate ACKs. */
static void
reno_advance(struct tcp_pcb *pcb, struct tcp_acked *a)
{
	uint32_t known = a->bytes - RTE_MIN(a->bytes, (uint32_t)pcb->mss);

	known = RTE_MIN(known, pcb->sent.sacked_bytes);
	pcb->sent.sacked_bytes -= known;
	a->delivered -= RTE_MIN(a->delivered, known);
	pcb->sent.sacked_bytes = RTE_MIN(pcb->sent.sacked_bytes, tcp_flight(pcb));
}

static void
reno_cap(const struct tcp_rec *rec, struct tcp_acked *a)
{
	uint32_t room = rec->prr_flight - RTE_MIN(rec->prr_flight, rec->prr_delivered);

	a->delivered = RTE_MIN(a->delivered, room);
}

/* Marks what this ACK shows to be lost; true if anything is. */
static bool
detect(struct lcore *lc, struct tcp_pcb *pcb, const struct tcp_acked *a)
{
	if (pcb->opt_sack)
		return tcp_rack_detect(lc, pcb);
	if (pcb->ca == TCPR_RECOVERY && a->bytes > 0) {
		/* RFC 6582 s3.2, step 3: a partial ACK shows the next hole. */
		tcp_sent_lose_head(lc, pcb, pcb->mss);
		return true;
	}
	if (pcb->ca > TCPR_DISORDER || pcb->dupacks < TCP_DUPTHRESH)
		return false;
	/* RFC 6582 s3.2, step 2: not for what was out before the last loss. */
	if (!seq_gt(pcb->snd_una, pcb->rec.recover))
		return false;
	tcp_sent_lose_head(lc, pcb, pcb->mss);
	return pcb->sent.lost_bytes > 0;
}

static void
cc_fill(struct lcore *lc, const struct tcp_pcb *pcb, const struct tcp_acked *a,
	struct tcp_cc_ack *c)
{
	*c = (struct tcp_cc_ack){.now_ns = lc->now_ns,
		.bytes = a->bytes,
		.delivered = a->delivered,
		.mss_bytes = pcb->mss,
		.una = pcb->snd_una,
		.nxt = pcb->snd_nxt,
		.pipe_bytes = tcp_pipe(pcb),
		.rtt_us = a->rtt_us,
		.srtt_us = pcb->srtt_us,
		.min_rtt_us = pcb->rack.min_rtt_us,
		.in_recovery = pcb->ca >= TCPR_RECOVERY};
}

/* The rate at which what arrived was delivered: as slow as it left or as it was acknowledged. */
static void
cc_rate(struct lcore *lc, struct tcp_pcb *pcb, const struct tcp_acked *a, struct tcp_cc_ack *c)
{
	struct tcp_sent *s = &pcb->sent;
	uint64_t ns;

	c->delivered_then = a->rate_delivered;
	c->delivered_now = s->delivered;
	c->app_limited = a->rate_limited;
	if (a->delivered == 0)
		return;
	s->first_ns = a->rate_sent_ns;
	if (a->rate_delivered_ns == UINT32_MAX || a->rate_first_ns == UINT32_MAX)
		return;
	ns = lc->now_ns - a->rate_sent_ns + a->rate_delivered_ns;
	ns = RTE_MAX(ns, (uint64_t)a->rate_first_ns);
	/* Faster than the path can be: what left in one turn was acknowledged in one. */
	if (ns < pcb->rack.min_rtt_us * UINT64_C(1000))
		return;
	c->rate_bytes = s->delivered - a->rate_delivered;
	c->rate_us = (uint32_t)RTE_MIN(ns / 1000, (uint64_t)UINT32_MAX);
}

static void
cc_control(struct lcore *lc, struct tcp_pcb *pcb, const struct tcp_acked *a, uint32_t lost)
{
	struct tcp_cc_ack c;

	cc_fill(lc, pcb, a, &c);
	cc_rate(lc, pcb, a, &c);
	c.lost = lost;
	if (pcb->sent.limited != 0 && (int32_t)(pcb->sent.delivered - pcb->sent.limited) > 0)
		pcb->sent.limited = 0;
	pcb->cc.ops->control(&pcb->cc, &c);
}

static void
cc_each(struct lcore *lc, struct tcp_pcb *pcb, const struct tcp_acked *a)
{
	struct tcp_cc_ack c;

	cc_fill(lc, pcb, a, &c);
	c.marked = a->is_echo ? a->bytes : 0;
	pcb->cc.ops->each(&pcb->cc, &c);
}

static void
grow(struct lcore *lc, struct tcp_pcb *pcb, const struct tcp_acked *a)
{
	struct tcp_cc_ack c;

	if (a->bytes == 0 || pcb->cc.ops->control != NULL)
		return;
	/* RFC 7661 s4.3: a window that is not used says nothing about the path. */
	if (pcb->cwnd_limited || pcb->ca == TCPR_LOSS ||
		tcp_flight(pcb) + a->bytes >= pcb->cc.cwnd_bytes / 2) {
		cc_fill(lc, pcb, a, &c);
		pcb->cc.ops->acked(&pcb->cc, &c);
	} else if (pcb->cc.ops->unused != NULL) {
		pcb->cc.ops->unused(&pcb->cc, lc->now_ns);
	}
	pcb->cwnd_limited = false;
}

/* OPEN, DISORDER, CWR. */
static void
ack_open(struct lcore *lc, struct tcp_pcb *pcb, const struct tcp_acked *a)
{
	/* RFC 3708: duplicates that are reported after the end of recovery count too. */
	if (a->dsack && pcb->rec.undo && all_came_twice(pcb))
		undo(lc, pcb);
	/* Beyond recover: only then has CWR reached the peer, and its echo is a new one. */
	if (pcb->ca == TCPR_CWR)
		pcb->rec.prr_delivered += a->delivered;
	if (pcb->ca == TCPR_CWR && seq_gt(pcb->snd_una, pcb->rec.recover)) {
		settle_cwnd(pcb);
		leave(pcb);
	}
	if (detect(lc, pcb, a)) {
		if (unlikely(pcb->mtu != 0) && tcp_mtu_is_probe_lost(lc, pcb)) {
			pcb->ca = TCPR_DISORDER;
			return;
		}
		enter(lc, pcb);
		tcp_prr_ack(pcb, a, true);
		return;
	}
	/* RFC 3168 s6.1.2: once for each window of data. */
	if (a->is_echo && pcb->ca < TCPR_CWR && pcb->snd_una != pcb->snd_nxt) {
		reduce(lc, pcb, flight_before(pcb));
		pcb->rec.undo = false;
		tcp_prr_start(pcb);
		pcb->rec.recover = pcb->snd_nxt;
		pcb->ca = TCPR_CWR;
		lc_count(lc, ST_TCP_ECN_CWR);
	}
	if (pcb->ca == TCPR_CWR) {
		tcp_prr_ack(pcb, a, false);
		return;
	}
	pcb->ca = pcb->sent.sacked_bytes > 0 ? TCPR_DISORDER : TCPR_OPEN;
	if (pcb->ca == TCPR_OPEN)
		pcb->dupacks = 0;
	if (a->bytes > 0 && pcb->cc.ops->control == NULL)
		tcp_cwv_ack(lc, pcb, a);
	grow(lc, pcb, a);
}

static void
ack_recovery(struct lcore *lc, struct tcp_pcb *pcb, const struct tcp_acked *a)
{
	bool lost_more;

	if (was_mistake(pcb, a)) {
		undo(lc, pcb);
		return;
	}
	if (seq_geq(pcb->snd_una, pcb->rec.recover)) {
		/* Everything arrived and nothing had to be sent again. */
		if (pcb->rec.undo && !pcb->rec.rexmt_seen) {
			undo(lc, pcb);
			return;
		}
		settle_cwnd(pcb);
		leave(pcb);
		return;
	}
	pcb->rec.prr_delivered += a->delivered;
	lost_more = detect(lc, pcb, a);
	/* "Impatient" (RFC 6582 s4): the timer restarts for the first partial ACK only. */
	pcb->rec.partial_ack |= a->bytes > 0;
	tcp_prr_ack(pcb, a, lost_more && pcb->opt_sack);
	/* RFC 6582 s3.2, step 3: the next hole leaves with each partial ACK. */
	if (!pcb->opt_sack && a->bytes > 0)
		pcb->cc.cwnd_bytes = RTE_MAX(pcb->cc.cwnd_bytes, tcp_pipe(pcb) + pcb->mss);
}

/* RFC 5682 s2.1 and s3.1. True: the timeout was spurious. */
static bool
frto(struct lcore *lc, struct tcp_pcb *pcb, const struct tcp_acked *a)
{
	struct tcp_rec *rec = &pcb->rec;

	rec->frto_new = false;
	if (!rec->frto)
		return false;
	/* Step 3b: something arrived that was sent once, before the timeout. */
	if (a->orig_old && (pcb->opt_sack || !a->again)) {
		undo(lc, pcb);
		return true;
	}
	if (seq_gt(pcb->snd_nxt, rec->recover)) {
		/* Step 3a: the new data arrived out of order. */
		if (a->sacked > 0 || a->is_dup)
			rec->frto = false;
	} else if (a->bytes > 0 && tcp_data_end(pcb) != pcb->snd_nxt) {
		rec->frto_new = true; /* step 2b: new data, to see what the peer makes of them */
	} else {
		rec->frto = false; /* step 2a */
	}
	return false;
}

static void
ack_loss(struct lcore *lc, struct tcp_pcb *pcb, const struct tcp_acked *a)
{
	if (was_mistake(pcb, a)) {
		undo(lc, pcb);
		return;
	}
	if (frto(lc, pcb, a))
		return;
	if (has_reached(pcb)) {
		leave(pcb);
	} else if (pcb->opt_sack) {
		tcp_rack_detect(lc, pcb);
	} else {
		/* Duplicate ACKs after a timeout tell of what was out before it. */
		pcb->dupacks = 0;
		pcb->sent.sacked_bytes = 0;
	}
	grow(lc, pcb, a);
}

void
tcp_rec_ack(struct lcore *lc, struct tcp_pcb *pcb, struct tcp_acked *a)
{
	uint32_t lost;

	if (!pcb->opt_sack && a->is_dup)
		reno_dupack(pcb, a);
	if (!pcb->opt_sack && a->bytes > 0) {
		reno_advance(pcb, a);
		if (pcb->ca < TCPR_CWR)
			reset_dupacks(pcb);
	}
	if (!pcb->opt_sack && is_reducing(pcb))
		reno_cap(&pcb->rec, a);
	if (pcb->rec.rexmt_out && seq_geq(pcb->snd_una, pcb->rec.rexmt_end))
		pcb->rec.rexmt_out = false;
	lost = pcb->sent.lost_bytes;
	if ((a->is_dup || a->sacked > 0) && pcb->dupacks < DUPACKS_MAX)
		pcb->dupacks++;
	pcb->sent.delivered += a->delivered;
	if (a->delivered > 0)
		pcb->sent.delivered_ns = lc->now_ns;
	tcp_rack_update(lc, pcb, a);
	if (unlikely(pcb->cc.ops->each != NULL))
		cc_each(lc, pcb, a);
	if (a->dsack)
		dsack(lc, pcb, a);
	if (tcp_tlp_ack(pcb, a))
		tcp_rec_cwr(lc, pcb);
	if (pcb->ca == TCPR_RECOVERY)
		ack_recovery(lc, pcb, a);
	else if (pcb->ca == TCPR_LOSS)
		ack_loss(lc, pcb, a);
	else
		ack_open(lc, pcb, a);
	if (unlikely(pcb->cc.ops->control != NULL))
		cc_control(lc, pcb, a, RTE_MAX(pcb->sent.lost_bytes, lost) - lost);
	/* RFC 6582 s3.2, step 1: follows at a distance, so that it never seems to lie ahead. */
	if (!pcb->opt_sack && pcb->ca < TCPR_CWR)
		pcb->rec.recover = seq_max(pcb->rec.recover, pcb->snd_una - 1);
}

void
tcp_rec_lost(struct lcore *lc, struct tcp_pcb *pcb)
{
	if (pcb->ca < TCPR_RECOVERY) {
		if (unlikely(pcb->mtu != 0) && tcp_mtu_is_probe_lost(lc, pcb))
			return;
		enter(lc, pcb);
	}
	/* Nothing was delivered now, but what is lost left the pipe: one segment may take its
	 * place. */
	pcb->cc.cwnd_bytes = RTE_MAX(pcb->cc.cwnd_bytes, (uint32_t)pcb->mss);
	pcb->cc.cwnd_bytes = RTE_MIN(pcb->cc.cwnd_bytes, tcp_pipe(pcb) + pcb->mss);
	tcp_output_mark(lc, pcb, TCP_OUT_DATA);
}

void
tcp_rec_cwr(struct lcore *lc, struct tcp_pcb *pcb)
{
	if (pcb->ca >= TCPR_CWR)
		return;
	reduce(lc, pcb, flight_before(pcb));
	pcb->rec.undo = false;
	settle_cwnd(pcb);
	tcp_cwv_forget(pcb);
}

void
tcp_rec_sent(struct lcore *lc, struct tcp_pcb *pcb, uint32_t seq, uint32_t end)
{
	struct tcp_rec *rec = &pcb->rec;

	if (is_reducing(pcb))
		rec->prr_out += end - seq;
	/* A probe of the tail, before a loss is known, was no retransmission to be undone. */
	if (!seq_lt(seq, pcb->snd_nxt) || pcb->ca < TCPR_RECOVERY)
		return;
	rec->rexmt_end = rec->rexmt_out ? seq_max(rec->rexmt_end, end) : end;
	rec->rexmt_out = true;
	rec->undo_bytes += end - seq;
	if (rec->rexmt_seen)
		return;
	rec->rexmt_seen = true;
	rec->first_rexmt_ms = tcp_now_ms(lc);
}

void
tcp_rec_timeout(struct lcore *lc, struct tcp_pcb *pcb)
{
	struct tcp_range *r = TAILQ_FIRST(&pcb->sent.by_seq);

	/* RFC 5681 s3.1, (4): once for the same data, not for each backoff. */
	if (pcb->ca != TCPR_LOSS || pcb->rexmt_cnt == 1)
		reduce(lc, pcb, tcp_flight(pcb));
	if (pcb->cc.ops->timeout != NULL)
		pcb->cc.ops->timeout(&pcb->cc, lc->now_ns);
	pcb->rec.frto = !lc->tcp->conf.no_frto && pcb->ca != TCPR_LOSS;
	pcb->rec.frto_new = false;
	pcb->rec.tlp = false;
	/* RFC 2018 s8: the peer dropped what it said to hold. */
	if (r != NULL && r->state == TCP_R_SACKED)
		tcp_sent_forget_sacks(pcb);
	reset_dupacks(pcb);
	tcp_rack_timeout_losses(lc, pcb);
	pcb->ca = TCPR_LOSS;
	pcb->rec.recover = pcb->snd_nxt;
	/* RFC 5681 s3.1: the loss window is one segment. */
	pcb->cc.cwnd_bytes = tcp_pipe(pcb) + pcb->mss;
	tcp_output_mark(lc, pcb, TCP_OUT_DATA);
}

void
tcp_rec_resend(struct lcore *lc, struct tcp_pcb *pcb)
{
	reset_dupacks(pcb);
	tcp_sent_lose_old(pcb, lc->now_ns);
	tcp_output_mark(lc, pcb, TCP_OUT_DATA);
}

void
tcp_rec_start(struct tcp_pcb *pcb)
{
	pcb->rec = (struct tcp_rec){.recover = pcb->snd_una - 1};
	pcb->una_out = pcb->snd_una;
	pcb->ca = TCPR_OPEN;
	pcb->dupacks = 0;
	tcp_rack_start(pcb);
}
