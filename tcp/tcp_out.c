/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * tcp_out.c - what a connection sends, and when.
 *
 * Input, timers and users mark control blocks; tcp_out() visits them in turn, decides what each
 * one may send (the plan), and only then has it built. Resets do not wait for a turn, because the
 * control block does not outlive them: they leave through the queue of answers.
 */
#include <errno.h>

#include "tcp/tcp_int.h"

enum { OUT_QUANTUM = 8 };

enum out_result { OUT_DONE, OUT_MORE, OUT_NOBUF };

void
tcp_output_mark(struct lcore *lc, struct tcp_pcb *pcb, uint8_t flags)
{
	if (pcb->state == TCPS_CLOSED || pcb->state == TCPS_LISTEN)
		return;
	pcb->out_flags |= flags;
	if (pcb->on_out)
		return;
	pcb->on_out = true;
	TAILQ_INSERT_TAIL(&lc->tcp->out, pcb, out);
}

void
tcp_output_unmark(struct lcore *lc, struct tcp_pcb *pcb)
{
	pcb->out_flags = 0;
	if (!pcb->on_out)
		return;
	pcb->on_out = false;
	TAILQ_REMOVE(&lc->tcp->out, pcb, out);
}

bool
tcp_out_pending(const struct lcore *lc)
{
	return !TAILQ_EMPTY(&lc->tcp->out);
}

/* Sequence number of a segment without text: never beyond what the peer's window lets it see. */
static uint32_t
empty_seq(const struct tcp_pcb *pcb)
{
	if (!tcp_is_synced(pcb))
		return pcb->snd_max;
	return seq_min(pcb->snd_max, pcb->snd_una + pcb->snd_wnd);
}

static void
fill_window(struct lcore *lc, const struct tcp_pcb *pcb, struct tcp_seg *s)
{
	uint32_t wnd = tcp_rcv_window(lc, pcb);

	/* RFC 7323 s2.2: not scaled in a SYN. */
	if ((s->flags & TCP_F_SYN) == 0)
		wnd >>= pcb->rcv_wscale;
	s->wnd = (uint16_t)RTE_MIN(wnd, (uint32_t)UINT16_MAX);
}

static void
fill_options(struct lcore *lc, const struct tcp_pcb *pcb, struct tcp_seg *s)
{
	if (pcb->opt_ts) {
		s->opts |= TCP_O_TS;
		s->ts_val = tcp_now_ms(lc) + pcb->ts_offset;
		s->ts_ecr = (s->flags & TCP_F_ACK) != 0 ? pcb->ts_recent : 0;
	}
	if ((s->flags & TCP_F_SYN) == 0) {
		if (pcb->opt_sack)
			tcp_sack_fill(pcb, s);
		return;
	}
	if (pcb->opt_sack)
		s->opts |= TCP_O_SACK_PERM;
	s->opts |= TCP_O_MSS;
	s->mss = tcp_pcb_own_mss(pcb);
	if (pcb->opt_ws) {
		s->opts |= TCP_O_WS;
		s->wscale = pcb->rcv_wscale;
	}
	if (pcb->tfo_give || (pcb->tfo_ask && pcb->snd_max == pcb->iss))
		tcp_tfo_fill(lc, pcb, s);
}

/* The acknowledgment has left: what it promised is what will be accepted. */
static void
ack_sent(struct lcore *lc, struct tcp_pcb *pcb, const struct tcp_seg *s)
{
	uint32_t wnd = (s->flags & TCP_F_SYN) != 0 ? s->wnd : (uint32_t)s->wnd << pcb->rcv_wscale;

	pcb->out_flags &= (uint8_t)~TCP_OUT_ACK;
	pcb->last_ack_sent = pcb->rcv_nxt;
	pcb->rcv_adv = seq_max(pcb->rcv_adv, pcb->rcv_nxt + wnd);
	pcb->rcv_unacked = 0;
	/* RFC 2883 s4, (1): a duplicate is reported once. */
	pcb->rsack.dup.l = pcb->rsack.dup.r;
	tmr_stop(lc, &pcb->t_delack);
}

/* Text or a FIN has left, and was no probe of a window: into the scoreboard. */
static void
note_sent(struct lcore *lc, struct tcp_pcb *pcb, const struct tcp_seg *s, uint32_t len)
{
	bool again = seq_lt(s->seq, pcb->snd_nxt);

	tcp_rec_sent(lc, pcb, s->seq, s->seq + len);
	if (again) {
		struct tcp_range *r = (pcb->out_flags & TCP_OUT_TLP) != 0
					      ? tcp_sent_tail(lc, pcb, len)
					      : tcp_sent_next_lost(pcb);

		tcp_sent_again(lc, pcb, r, len);
	} else {
		tcp_sent_add(lc, pcb, s->seq, s->seq + len);
		/* Karn: a probe carried the first octet before. */
		if (unlikely(seq_lt(s->seq, pcb->snd_max)))
			TAILQ_LAST(&pcb->sent.by_seq, tcp_range_list)->rexmt = true;
		pcb->snd_nxt = s->seq + len;
	}
	if (unlikely(pcb->cc.pace != 0))
		pcb->pace_ns = RTE_MAX(pcb->pace_ns, lc->now_ns) +
			       ((uint64_t)len << TCP_PACE_SHIFT) * 1000 / pcb->cc.pace;
	if (unlikely((pcb->out_flags & TCP_OUT_TLP) != 0)) {
		tcp_tlp_sent(pcb, again);
		lc_count(lc, ST_TCP_TLP);
	}
}

/* len octets have left: scoreboard, retransmission timer, counters. */
static void
octets_sent(struct lcore *lc, struct tcp_pcb *pcb, const struct tcp_seg *s, uint32_t len)
{
	if (seq_lt(s->seq, pcb->snd_max)) {
		pcb->rexmt_ts = tcp_now_ms(lc) + pcb->ts_offset;
		pcb->syn_again = !tcp_is_synced(pcb);
		lc_count(lc, ST_TCP_REXMT);
	}
	if (!tcp_is_synced(pcb))
		pcb->snd_nxt = s->seq + len;
	else if ((pcb->out_flags & TCP_OUT_PROBE) == 0)
		note_sent(lc, pcb, s, len);
	pcb->snd_max = seq_max(pcb->snd_max, s->seq + len);
	pcb->last_send_ns = lc->now_ns;
	/* RFC 6298 (5.1); a probe leaves the persist timer running. */
	if (!tmr_is_set(&pcb->t_rexmt) || (pcb->persist && (pcb->out_flags & TCP_OUT_PROBE) == 0))
		tcp_rexmt_start(lc, pcb);
}

/* Up to n segments that differ in their text alone. Returns how many there were packets for. */
static uint32_t
run_send(struct lcore *lc, struct tcp_pcb *pcb, struct tcp_seg *s, uint32_t n, struct pkt_vec *v)
{
	if ((s->flags & TCP_F_ACK) != 0)
		s->ack = pcb->rcv_nxt;
	fill_window(lc, pcb, s);
	fill_options(lc, pcb, s);
	if (unlikely(pcb->opt_ecn) && tcp_is_synced(pcb))
		tcp_ecn_fill(pcb, s, s->len > 0 && s->seq == pcb->snd_max);
	n = tcp_build(lc, pcb, s, n, v);
	if (n == 0)
		return 0;
	if ((s->flags & TCP_F_ACK) != 0)
		ack_sent(lc, pcb, s);
	if (tcp_seg_len(s) > 0)
		octets_sent(lc, pcb, s, n * tcp_seg_len(s));
	return n;
}

/* SYN, or SYN and ACK: the first octet was not sent, or has to be sent again. */
static bool
plan_syn(const struct lcore *lc, const struct tcp_pcb *pcb, struct tcp_seg *s)
{
	if (pcb->snd_nxt != pcb->iss || pcb->tfo_wait)
		return false;
	/* RFC 7413 s4.1.3.1: what may have been lost for its data leaves without. */
	if (pcb->snd_max == pcb->iss)
		s->len = tcp_tfo_syn_data(pcb);
	s->seq = pcb->iss;
	s->flags = pcb->state == TCPS_SYN_SENT ? TCP_F_SYN : TCP_F_SYN | TCP_F_ACK;
	s->flags |= tcp_ecn_syn_flags(lc, pcb);
	return true;
}

/* Payload of a full segment that leaves now, beside what it has to say about held data. */
static uint32_t
full_len(const struct tcp_pcb *pcb)
{
	uint32_t room;

	if (likely(pcb->rsack.n == 0 && pcb->rsack.dup.l == pcb->rsack.dup.r))
		return pcb->mss;
	room = tcp_sack_room(pcb);
	return pcb->mss > room + TCP_MSS_MIN / 2 ? pcb->mss - room : (uint32_t)TCP_MSS_MIN / 2;
}

/* One segment from seq on, of octets that were sent before, up to end; the FIN may be among them.
 */
static void
fill_again(const struct tcp_pcb *pcb, struct tcp_seg *s, uint32_t seq, uint32_t end)
{
	uint32_t data = seq_min(end, tcp_data_end(pcb)) - seq;

	s->seq = seq;
	s->len = (uint16_t)RTE_MIN(data, full_len(pcb));
	s->flags = TCP_F_ACK;
	if (s->len == data && seq_gt(end, tcp_data_end(pcb)))
		s->flags |= TCP_F_FIN;
}

/* The first octets that are lost, if the pipe has room for them (RFC 6675 s5, (C)). */
static bool
plan_rexmt(struct tcp_pcb *pcb, struct tcp_seg *s)
{
	const struct tcp_range *r = tcp_sent_next_lost(pcb);
	uint32_t pipe = tcp_pipe(pcb), edge = pcb->snd_una + pcb->snd_wnd;

	/* RFC 5682 s2.1, step 2b: new data go first. */
	if (r == NULL || pcb->rec.frto_new)
		return false;
	/* RFC 9293 s3.8.6: the window may have shrunk below what was sent. */
	if (!seq_lt(r->seq, edge))
		return false;
	fill_again(pcb, s, r->seq, seq_min(r->end, edge));
	return pipe == 0 || pipe + tcp_seg_len(s) <= pcb->cc.cwnd_bytes;
}

/* RFC 8985 s7.3, TLP_send_probe(): a new segment, whatever cwnd says, or the last one again. */
static bool
plan_tlp(struct tcp_pcb *pcb, struct tcp_seg *s)
{
	uint32_t room = pcb->snd_una + pcb->snd_wnd - pcb->snd_nxt;
	uint32_t avail = tcp_data_end(pcb) - pcb->snd_nxt, len;

	if ((pcb->out_flags & TCP_OUT_TLP) == 0 || pcb->snd_una == pcb->snd_nxt)
		return false;
	if ((int32_t)avail > 0 && (int32_t)room > 0) {
		s->seq = pcb->snd_nxt;
		s->len = (uint16_t)RTE_MIN(RTE_MIN(avail, room), full_len(pcb));
		s->flags = TCP_F_ACK | TCP_F_PSH;
		return true;
	}
	len = RTE_MIN(pcb->snd_nxt - pcb->snd_una, full_len(pcb));
	fill_again(pcb, s, pcb->snd_nxt - len, pcb->snd_nxt);
	return true;
}

/* RFC 9293 s3.8.6.1: one octet, although the window is closed. */
static bool
plan_probe(const struct tcp_pcb *pcb, struct tcp_seg *s)
{
	if ((pcb->out_flags & TCP_OUT_PROBE) == 0 || pcb->snd_una == tcp_snd_end(pcb))
		return false;
	s->seq = pcb->snd_una;
	s->flags = TCP_F_ACK;
	if (pcb->snd_una == tcp_data_end(pcb))
		s->flags |= TCP_F_FIN;
	else
		s->len = 1;
	return true;
}

/* RFC 9293 s3.7.4: whether small segments have nothing to wait for. Our SYN is no data. */
static bool
may_be_small(const struct tcp_pcb *pcb)
{
	if (pcb->corked)
		return false;
	return pcb->nodelay || tcp_flight(pcb) == 0 ||
	       (unlikely(pcb->tfo_unproved) && tcp_flight(pcb) == 1);
}

/* RFC 9293 s3.8.6.2.1 (SWS avoidance) and s3.7.4 (Nagle): whether len of avail go out now. */
static bool
worth_sending(const struct tcp_pcb *pcb, const struct tcp_seg *s, uint32_t avail, uint32_t full)
{
	bool small = may_be_small(pcb);

	if (tcp_seg_len(s) == 0)
		return false;
	/* (1) a full segment */
	if (s->len >= full)
		return true;
	/* What was sent once was worth it; the FIN waits for nothing. */
	if (seq_lt(s->seq, pcb->snd_max) || (s->flags & TCP_F_FIN) != 0)
		return true;
	/* (2) all that there is */
	if (small && s->len == avail)
		return true;
	/* (3) at least half of the largest window */
	if (small && s->len >= pcb->max_wnd / 2)
		return true;
	/* (4) the override timeout */
	return (pcb->out_flags & TCP_OUT_FORCE) != 0;
}

static bool
plan_data(struct tcp_pcb *pcb, struct tcp_seg *s)
{
	uint32_t nxt = pcb->snd_nxt, pipe = tcp_pipe(pcb), full = full_len(pcb), avail, cwnd, wnd;

	if (nxt == tcp_snd_end(pcb))
		return false;
	/* RFC 3042 (limited transmit) comes by itself: what a SACK or a duplicate ACK tells of has
	 * left the pipe. */
	cwnd = pcb->cc.cwnd_bytes > pipe ? pcb->cc.cwnd_bytes - pipe : 0;
	wnd = pcb->snd_una + pcb->snd_wnd - nxt;
	wnd = (int32_t)wnd > 0 ? wnd : 0;
	avail = tcp_data_end(pcb) - nxt;
	s->seq = nxt;
	s->len = (uint16_t)RTE_MIN(RTE_MIN(avail, RTE_MIN(cwnd, wnd)), full);
	s->flags = TCP_F_ACK;
	if (s->len == avail && s->len > 0)
		s->flags |= TCP_F_PSH;
	if (pcb->fin_queued && s->len == avail && seq_lt(nxt + s->len, pcb->snd_una + pcb->snd_wnd))
		s->flags |= TCP_F_FIN;
	if (s->len < avail && s->len < full && cwnd < wnd)
		pcb->cwnd_limited = true;
	return worth_sending(pcb, s, avail, full);
}

/* RFC 5682 s2.1, step 2: there are new data, but none that may leave now (Nagle, the window). Then
 * nothing can be found out, and what was lost goes on. */
static bool
plan_instead(struct tcp_pcb *pcb, struct tcp_seg *s)
{
	if (likely(!pcb->rec.frto_new))
		return false;
	pcb->rec.frto = pcb->rec.frto_new = false;
	tcp_seg_init(s);
	return plan_rexmt(pcb, s);
}

/* RFC 9293 s3.8.6.3, or an answer that a check asked for. */
static bool
plan_ack(const struct tcp_pcb *pcb, struct tcp_seg *s)
{
	s->seq = empty_seq(pcb);
	s->flags = TCP_F_ACK;
	return true;
}

/* The segments of a synchronized connection that occupy sequence space, most urgent first. */
static bool
plan_octets(struct lcore *lc, struct tcp_pcb *pcb, struct tcp_seg *s)
{
	if (unlikely(pcb->tfo_unproved) && tcp_tfo_plan_syn(lc, pcb, s))
		return true;
	if (plan_probe(pcb, s))
		return true;
	if (plan_tlp(pcb, s))
		return true;
	if (plan_rexmt(pcb, s))
		return true;
	if (unlikely(pcb->mtu != 0) && tcp_mtu_plan(lc, pcb, s))
		return true;
	if (plan_data(pcb, s))
		return true;
	if (plan_instead(pcb, s))
		return true;
	tcp_seg_init(s);
	return false;
}

/* The algorithm wants room between segments, and the next one's time has not come. */
static bool
is_paced(struct lcore *lc, struct tcp_pcb *pcb)
{
	if (likely(pcb->cc.pace == 0) || lc->now_ns >= pcb->pace_ns)
		return false;
	/* A timer asked for one segment, and asks once. */
	if ((pcb->out_flags & (TCP_OUT_PROBE | TCP_OUT_FORCE | TCP_OUT_TLP)) != 0)
		return false;
	if (pcb->snd_una != tcp_snd_end(pcb))
		tcp_tmr_pace(lc, pcb);
	return true;
}

/*
 * How many segments may leave as s does, s among them: full ones of new data that the plan would
 * make one by one. The last one of what there is has its PSH.
 */
static uint32_t
run_len(const struct tcp_pcb *pcb, const struct tcp_seg *s, uint32_t max)
{
	uint32_t room = pcb->snd_una + pcb->snd_wnd - s->seq, pipe = tcp_pipe(pcb);

	if (s->flags != TCP_F_ACK || s->len == 0 || s->seq != pcb->snd_max || pcb->cc.pace != 0)
		return 1;
	/* RFC 3168 s6.1.2: CWR is said in one segment. RFC 2883 s4, (1): a duplicate too. */
	if ((pcb->out_flags & (TCP_OUT_PROBE | TCP_OUT_TLP)) != 0 || pcb->ecn_cwr ||
		pcb->rsack.dup.l != pcb->rsack.dup.r || !tcp_is_synced(pcb) ||
		s->len != full_len(pcb))
		return 1;
	room = RTE_MIN(room, tcp_data_end(pcb) - s->seq - 1);
	room = RTE_MIN(room, pcb->cc.cwnd_bytes - pipe);
	return RTE_MAX(RTE_MIN(room / s->len, max), 1u);
}

/* Decides on the next segment of pcb. False: none. */
static bool
plan_next(struct lcore *lc, struct tcp_pcb *pcb, struct tcp_seg *s)
{
	tcp_seg_init(s);
	/* RFC 5681 s2: an ACK that carries data is no duplicate, so these go alone. */
	if (pcb->dupack_due > 0)
		return plan_ack(pcb, s);
	if (!tcp_is_synced(pcb)) {
		if (plan_syn(lc, pcb, s))
			return true;
	} else if (pcb->state != TCPS_TIME_WAIT && !is_paced(lc, pcb)) {
		if (plan_octets(lc, pcb, s))
			return true;
	}
	if ((pcb->out_flags & TCP_OUT_ACK) == 0 || pcb->state == TCPS_SYN_SENT)
		return false;
	return plan_ack(pcb, s);
}

/* The segment has left: the flag that asked for it is served. */
static void
advance(struct lcore *lc, struct tcp_pcb *pcb, const struct tcp_seg *s)
{
	if (tcp_seg_len(s) == 0) {
		if (pcb->dupack_due > 0)
			pcb->dupack_due--;
		return;
	}
	if ((pcb->out_flags & TCP_OUT_PROBE) != 0)
		lc_count(lc, ST_TCP_PROBE);
	pcb->out_flags &= (uint8_t) ~(TCP_OUT_PROBE | TCP_OUT_FORCE | TCP_OUT_TLP);
}

/* RFC 5681 s4.1: the window of a sender that was silent for more than an RTO. */
static void
restart_after_idle(const struct lcore *lc, struct tcp_pcb *pcb)
{
	if (likely(tcp_flight(pcb) > 0) || pcb->snd_nxt == tcp_snd_end(pcb))
		return;
	if (pcb->cc.ops->idle != NULL)
		pcb->cc.ops->idle(&pcb->cc, lc->now_ns - pcb->last_send_ns);
	if (lc->now_ns - pcb->last_send_ns <= pcb->rto_us * UINT64_C(1000))
		return;
	tcp_cwv_forget(pcb);
	pcb->cc.cwnd_bytes =
		RTE_MIN(pcb->cc.cwnd_bytes, tcp_cc_iw(pcb->mss, lc->tcp->conf.iw_segments));
}

/* Up to max segments of one connection. */
static enum out_result
pcb_out(struct lcore *lc, struct tcp_pcb *pcb, struct pkt_vec *v, uint32_t max)
{
	uint32_t n = 0, run, sent;
	struct tcp_seg s;

	if (tcp_is_synced(pcb))
		restart_after_idle(lc, pcb);
	if (unlikely(latch_refresh(lc, &pcb->latch, &pcb->fe.key)))
		tcp_pcb_update_mss(pcb); /* F-28, F-51 */
	while (plan_next(lc, pcb, &s)) {
		if (n == max)
			return OUT_MORE;
		run = run_len(pcb, &s, max - n);
		sent = run_send(lc, pcb, &s, run, v);
		if (sent == 0)
			return OUT_NOBUF;
		advance(lc, pcb, &s);
		n += sent;
	}
	pcb->una_out = pcb->snd_una;
	pcb->sent.delivered_out = pcb->sent.delivered;
	/* A rate that is measured from here on says what the application did, not the path. */
	if (unlikely(pcb->cc.pace != 0) && pcb->snd_nxt == tcp_snd_end(pcb) &&
		tcp_pipe(pcb) < pcb->cc.cwnd_bytes)
		pcb->sent.limited = RTE_MAX(pcb->sent.delivered + tcp_pipe(pcb), 1u);
	/* RFC 8985 s7.2: new data put the probe off. Our SYN is not what a probe could repair. */
	if (pcb->last_send_ns == lc->now_ns && !pcb->tfo_unproved && tmr_is_set(&pcb->t_rexmt) &&
		pcb->t_kind != TCP_T_REO && !pcb->persist)
		tcp_tlp_arm(lc, pcb);
	/* Something waits, nothing is in flight, no timer would ever wake it: RFC 9293 s3.8.6. */
	if (tcp_is_synced(pcb) && pcb->state != TCPS_TIME_WAIT && !tmr_is_set(&pcb->t_rexmt) &&
		pcb->snd_una != tcp_snd_end(pcb))
		tcp_persist_start(lc, pcb);
	return OUT_DONE;
}

/* House rule for our own bugs: the state is not to be trusted any more. */
static void
end_doomed(struct lcore *lc, struct tcp_pcb *pcb)
{
	tcp_usr_abort(lc, pcb, ECONNABORTED);
	tcp_reap(lc);
}

uint32_t
tcp_out(struct lcore *lc, struct pkt_vec *v, uint32_t max)
{
	uint32_t first = v->n, limit = RTE_MIN(max, PKT_BURST - v->n);
	struct tcp_pcb *pcb;

	while (v->n - first < limit && (pcb = TAILQ_FIRST(&lc->tcp->out)) != NULL) {
		uint32_t left = limit - (v->n - first);
		enum out_result r;

		if (unlikely(pcb->doomed)) {
			end_doomed(lc, pcb);
			continue;
		}
		r = pcb_out(lc, pcb, v, RTE_MIN(left, (uint32_t)OUT_QUANTUM));

		/* There is more to send, whatever it was that asked for this visit. */
		if (r != OUT_DONE)
			pcb->out_flags |= TCP_OUT_DATA;
		if (r == OUT_NOBUF)
			break;
		TAILQ_REMOVE(&lc->tcp->out, pcb, out);
		if (r == OUT_MORE) {
			TAILQ_INSERT_TAIL(&lc->tcp->out, pcb, out);
		} else {
			pcb->on_out = false;
			pcb->out_flags = 0;
		}
		tcp_pcb_check(lc, pcb);
	}
	return v->n - first;
}

void
tcp_out_rst(struct lcore *lc, struct tcp_pcb *pcb)
{
	struct tcp_seg s = {
		.seq = empty_seq(pcb), .ack = pcb->rcv_nxt, .flags = TCP_F_RST | TCP_F_ACK};

	fill_options(lc, pcb, &s);
	if (tcp_build_now(lc, pcb, &s))
		lc_count(lc, ST_TCP_RST_OUT);
}

void
tcp_out_keepalive(struct lcore *lc, struct tcp_pcb *pcb)
{
	struct tcp_seg s = {.seq = pcb->snd_una - 1, .ack = pcb->rcv_nxt, .flags = TCP_F_ACK};

	fill_window(lc, pcb, &s);
	fill_options(lc, pcb, &s);
	if (tcp_build_now(lc, pcb, &s))
		lc_count(lc, ST_TCP_KEEPALIVE);
}

void
tcp_out_refuse(struct lcore *lc, const struct tcp_seg *seg)
{
	struct tcp_seg s = {.seq = seg->ack, .flags = TCP_F_RST};

	/* RFC 9293 s3.5.2, group 1; a RST is never answered. */
	if ((seg->flags & TCP_F_RST) != 0)
		return;
	if ((seg->flags & TCP_F_ACK) == 0) {
		s.seq = 0;
		s.ack = seg->seq + tcp_seg_len(seg);
		s.flags |= TCP_F_ACK;
	}
	lc_count(lc, ST_TCP_RST_OUT);
	tcp_build_answer(lc, &s, seg->m);
}
