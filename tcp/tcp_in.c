/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * tcp_in.c - SEGMENT ARRIVES (RFC 9293 s3.10.7), one function for each step, in its order.
 *
 * Pass 1 parses and validates the whole burst; pass 2 takes the segments in arrival order. The
 * verdict of the latch is obeyed before every step of the RFC, whose own security check comes too
 * late for us: a segment under wrong protection must not even draw a challenge ACK (F-15, F-18).
 * Nothing is sent from here; control blocks are marked.
 */
#include <errno.h>

#include "stack/base/csum.h"
#include "tcp/tcp_int.h"

enum { TS_RECENT_DAYS = 24 };

/* RFC 9293 s3.10.7.4, eighth, and s3.10.8: nothing is left to say but ACKs of the peer's FIN. */
static void
enter_time_wait(struct lcore *lc, struct tcp_pcb *pcb)
{
	tcp_set_state(lc, pcb, TCPS_TIME_WAIT);
	tmr_stop(lc, &pcb->t_rexmt);
	pcb->persist = false;
	tcp_tmr_2msl(lc, pcb);
	if (tcp_is_orphan(pcb))
		tcp_pcb_lend(lc, pcb);
	tcp_wake(lc, pcb);
}

static bool
ts_recent_expired(const struct lcore *lc, const struct tcp_pcb *pcb)
{
	return lc->now_ns - pcb->ts_recent_ns > TS_RECENT_DAYS * UINT64_C(86400000000000);
}

/* RFC 7323 s5.3, R1. */
static bool
seg_check_paws(struct lcore *lc, struct tcp_pcb *pcb, struct tcp_seg *seg)
{
	if (!pcb->opt_ts || (seg->flags & TCP_F_RST) != 0)
		return true;
	seg->why = DROP_TCP_PAWS;
	/* RFC 7323 s3.2: once negotiated, every segment carries it. */
	if ((seg->opts & TCP_O_TS) == 0)
		return false;
	if (seq_lt(seg->ts_val, pcb->ts_recent) && !ts_recent_expired(lc, pcb)) {
		tcp_challenge_ack(lc, pcb);
		return false;
	}
	seg->why = DROP_TCP_DONE;
	return true;
}

/* RFC 7323 s4.3, (2), and s5.3, R3. */
static void
ts_update(struct lcore *lc, struct tcp_pcb *pcb, const struct tcp_seg *seg)
{
	if (!pcb->opt_ts || (seg->opts & TCP_O_TS) == 0 || (seg->flags & TCP_F_RST) != 0)
		return;
	if (seq_gt(seg->seq, pcb->last_ack_sent))
		return;
	if (seq_lt(seg->ts_val, pcb->ts_recent) && !ts_recent_expired(lc, pcb))
		return;
	pcb->ts_recent = seg->ts_val;
	pcb->ts_recent_ns = lc->now_ns;
}

/* RFC 9293 s3.10.7.4, first, table 6. */
static bool
is_acceptable(const struct tcp_pcb *pcb, const struct tcp_seg *seg)
{
	uint32_t wnd = pcb->rcv_adv - pcb->rcv_nxt, len = tcp_seg_len(seg);
	uint32_t off = seg->seq - pcb->rcv_nxt;

	/* DEVIATION: an empty segment at the right edge is good, because a peer that filled the
	 * window acknowledges from there; dropping its ACKs could stall both directions. */
	if (len == 0)
		return off <= wnd;
	if (wnd == 0)
		return false;
	return off < wnd || off + len - 1 < wnd;
}

/* "an acknowledgment should be sent in reply (unless the RST bit is set ...)". */
static void
answer_unacceptable(struct lcore *lc, struct tcp_pcb *pcb, const struct tcp_seg *seg)
{
	if ((seg->flags & TCP_F_RST) != 0)
		return;
	if (pcb->state == TCPS_TIME_WAIT && (seg->flags & TCP_F_FIN) != 0)
		tcp_tmr_2msl(lc, pcb);
	/* RFC 2883 s4.1: what lies wholly before the window came twice. */
	if (seg->len > 0 && seq_leq(seg->seq + seg->len, pcb->rcv_nxt))
		tcp_sack_dup(lc, pcb, seg->seq, seg->seq + seg->len);
	if ((seg->flags & TCP_F_SYN) != 0 || tcp_seg_len(seg) == 0)
		tcp_challenge_ack(lc, pcb);
	else
		tcp_output_mark(lc, pcb, TCP_OUT_ACK);
}

/* A SYN that made this half-open connection comes again. False: the segment is used up. */
static bool
seg_same_syn(struct lcore *lc, struct tcp_pcb *pcb, struct tcp_seg *seg)
{
	if (pcb->state != TCPS_SYN_RCVD || (seg->flags & TCP_F_SYN) == 0 || seg->seq != pcb->irs)
		return true;
	if ((seg->flags & TCP_F_ACK) != 0) {
		/* RFC 9293 figure 8: the SYN-ACK of a simultaneous open; its SYN is known. */
		seg->seq++;
		seg->flags &= (uint8_t)~TCP_F_SYN;
		return true;
	}
	/* Our SYN-ACK was lost: the same again, instead of an ACK that helps nobody. */
	pcb->snd_nxt = pcb->iss;
	tcp_output_mark(lc, pcb, TCP_OUT_DATA);
	seg->why = DROP_TCP_SYN;
	return false;
}

/*
 * Where both ends probed a window that was closed, and each took the other's octet after all, each
 * goes on from before its own: that is all that the window it knows of allows, and the other end
 * finds it one octet too old. Both would answer for ever and neither hear the answer. So an ACK of
 * something new is heard there too; its octet came before.
 */
static bool
is_behind_probe(const struct tcp_pcb *pcb, const struct tcp_seg *seg)
{
	return seg->seq + 1 == pcb->rcv_nxt && tcp_seg_len(seg) <= 1 && tcp_is_synced(pcb) &&
	       (seg->flags & (TCP_F_SYN | TCP_F_RST | TCP_F_ACK)) == TCP_F_ACK &&
	       seq_gt(seg->ack, pcb->snd_una) && seq_leq(seg->ack, pcb->snd_max);
}

/* RFC 9293 s3.10.7.4, first: check sequence number. */
static bool
seg_check_seq(struct lcore *lc, struct tcp_pcb *pcb, struct tcp_seg *seg)
{
	if (!seg_same_syn(lc, pcb, seg))
		return false;
	if (unlikely(tcp_tfo_same_syn(lc, pcb, seg))) {
		seg->why = DROP_TCP_SYN;
		return false;
	}
	/* "If the RCV.WND is zero ... special allowance": the ACK of a probe is processed. */
	if (pcb->rcv_adv == pcb->rcv_nxt && seg->seq == pcb->rcv_nxt && seg->len > 0) {
		seg->len = 0;
		seg->flags &= (uint8_t)~TCP_F_FIN;
		tcp_output_mark(lc, pcb, TCP_OUT_ACK);
	}
	if (is_acceptable(pcb, seg))
		return true;
	answer_unacceptable(lc, pcb, seg);
	if (is_behind_probe(pcb, seg)) {
		seg->seq = pcb->rcv_nxt;
		seg->len = 0;
		seg->flags &= (uint8_t)~TCP_F_FIN;
		return true;
	}
	seg->why = DROP_TCP_SEQ;
	return false;
}

/* RFC 9293 s3.10.7.4, second: check the RST bit, with RFC 5961 s3.2. */
static bool
seg_check_rst(struct lcore *lc, struct tcp_pcb *pcb, struct tcp_seg *seg)
{
	int err = ECONNRESET;

	if ((seg->flags & TCP_F_RST) == 0)
		return true;
	if (seg->seq != pcb->rcv_nxt) {
		tcp_challenge_ack(lc, pcb);
		seg->why = DROP_TCP_RST;
		return false;
	}
	lc_count(lc, ST_TCP_RST_IN);
	if (pcb->state == TCPS_SYN_RCVD)
		err = ECONNREFUSED;
	else if (pcb->state == TCPS_CLOSING || pcb->state == TCPS_LAST_ACK ||
		 pcb->state == TCPS_TIME_WAIT)
		err = 0;
	tcp_tfo_reset(lc, pcb);
	tcp_pcb_end(lc, pcb, err);
	return false;
}

/* RFC 9293 s3.10.7.4, fourth: check the SYN bit, with RFC 5961 s4.2. The third check, security,
 * was made before the first. */
static bool
seg_check_syn(struct lcore *lc, struct tcp_pcb *pcb, struct tcp_seg *seg)
{
	if ((seg->flags & TCP_F_SYN) == 0)
		return true;
	seg->why = DROP_TCP_SYN;
	/* "SYN-RECEIVED: if the connection was initiated with a passive OPEN, return to LISTEN" */
	if (pcb->state == TCPS_SYN_RCVD && pcb->parent != NULL)
		tcp_pcb_end(lc, pcb, 0);
	else
		tcp_challenge_ack(lc, pcb);
	return false;
}

/* close() or shutdown() came before the handshake ended. */
static void
fin_in_turn(struct lcore *lc, struct tcp_pcb *pcb)
{
	if (!pcb->fin_queued)
		return;
	pcb->fin_queued = false;
	tcp_usr_fin(lc, pcb);
}

/* RFC 9293 s3.10.7.4, fifth, SYN-RECEIVED: our SYN is acknowledged, or the segment is refused. */
static bool
acks_our_syn(struct lcore *lc, const struct tcp_pcb *pcb, struct tcp_seg *seg)
{
	if (seq_gt(seg->ack, pcb->snd_una) && seq_leq(seg->ack, pcb->snd_max))
		return true;
	tcp_out_refuse(lc, seg);
	seg->why = DROP_TCP_ACK;
	return false;
}

static bool
syn_rcvd_ack(struct lcore *lc, struct tcp_pcb *pcb, struct tcp_seg *seg)
{
	if (!acks_our_syn(lc, pcb, seg))
		return false;
	if (tcp_syn_defer(lc, pcb, seg))
		return false;
	/* A full accept queue: as if the ACK was lost; our SYN-ACK will ask for it again. */
	if (!tcp_syn_room(pcb)) {
		seg->why = DROP_TCP_BACKLOG;
		return false;
	}
	tcp_ack_open(lc, pcb, seg);
	tcp_set_state(lc, pcb, TCPS_ESTABLISHED);
	tcp_syn_done(lc, pcb);
	if (pcb->s != NULL) {
		tcp_tune_start(lc, pcb);
		tcp_keep_start(lc, pcb->s);
	}
	tcp_wake(lc, pcb);
	fin_in_turn(lc, pcb);
	return true;
}

/* What an acknowledged FIN of ours changes. False: the segment ends here. */
static bool
ack_of_fin(struct lcore *lc, struct tcp_pcb *pcb)
{
	if (!tcp_fin_acked(pcb))
		return true;
	switch (pcb->state) {
	case TCPS_FIN_WAIT_1:
		tcp_set_state(lc, pcb, TCPS_FIN_WAIT_2);
		if (tcp_is_orphan(pcb))
			tcp_tmr_fin_wait_2(lc, pcb);
		return true;
	case TCPS_CLOSING:
		enter_time_wait(lc, pcb);
		return true;
	case TCPS_LAST_ACK:
		tcp_pcb_end(lc, pcb, 0);
		return false;
	default:
		return true;
	}
}

/* RFC 9293 s3.10.7.4, fifth: check the ACK field. */
static bool
seg_check_ack(struct lcore *lc, struct tcp_pcb *pcb, struct tcp_seg *seg)
{
	if ((seg->flags & TCP_F_ACK) == 0) {
		seg->why = DROP_TCP_NOACK;
		return false;
	}
	if (pcb->state == TCPS_SYN_RCVD)
		return syn_rcvd_ack(lc, pcb, seg);
	/* A fast open is no more than that before its SYN is acknowledged. */
	if (unlikely(pcb->tfo_unproved) && !acks_our_syn(lc, pcb, seg))
		return false;
	if (!tcp_ack(lc, pcb, seg))
		return false;
	return ack_of_fin(lc, pcb);
}

/* RFC 9293 s3.10.7.4, seventh: process the segment text. The sixth, URG, changes nothing here.
 * DEVIATION: urgent data stay in line and no signal is given (RFC 6093 s6 discourages them). */
static bool
seg_text(struct lcore *lc, struct tcp_pcb *pcb, struct tcp_seg *seg)
{
	if (pcb->rcv_fin)
		return true;
	/* RFC 9293 s3.6.1, RFC 1122 s4.2.2.13: text that nobody can read any more is refused. */
	if (tcp_is_orphan(pcb) && seg->len > 0 && seq_gt(seg->seq + seg->len, pcb->rcv_nxt)) {
		tcp_usr_abort(lc, pcb, 0);
		seg->why = DROP_TCP_CLOSED;
		return false;
	}
	tcp_ecn_text(lc, pcb, seg);
	tcp_rcv_text(lc, pcb, seg);
	return true;
}

/* RFC 9293 s3.10.7.4, eighth: check the FIN bit. */
static void
seg_check_fin(struct lcore *lc, struct tcp_pcb *pcb, const struct tcp_seg *seg)
{
	if (!seg->fin_now)
		return;
	pcb->rcv_nxt++;
	pcb->rcv_fin = true;
	tcp_output_mark(lc, pcb, TCP_OUT_ACK);
	if (pcb->state == TCPS_ESTABLISHED)
		tcp_set_state(lc, pcb, TCPS_CLOSE_WAIT);
	else if (pcb->state == TCPS_FIN_WAIT_1)
		tcp_set_state(lc, pcb, TCPS_CLOSING);
	else if (pcb->state == TCPS_FIN_WAIT_2)
		enter_time_wait(lc, pcb);
	tcp_wake(lc, pcb);
}

/* RFC 9293 s3.10.7.4: all states from SYN-RECEIVED on. */
static void
seg_other(struct lcore *lc, struct tcp_pcb *pcb, struct tcp_seg *seg)
{
	if (!seg_check_paws(lc, pcb, seg))
		return;
	if (!seg_check_seq(lc, pcb, seg))
		return;
	ts_update(lc, pcb, seg);
	if (!seg_check_rst(lc, pcb, seg))
		return;
	if (!seg_check_syn(lc, pcb, seg))
		return;
	if (!seg_check_ack(lc, pcb, seg))
		return;
	if (!seg_text(lc, pcb, seg))
		return;
	seg_check_fin(lc, pcb, seg);
}

/* RFC 9293 s3.10.7.3, fourth: our SYN was answered, or crossed the peer's. */
static void
syn_sent_open(struct lcore *lc, struct tcp_pcb *pcb, struct tcp_seg *seg)
{
	tcp_rcv_start(pcb, seg);
	tcp_syn_options(lc, pcb, seg);
	if ((seg->flags & TCP_F_ACK) == 0) {
		/* Simultaneous open: our SYN again, now with an ACK. */
		pcb->snd_wnd = pcb->max_wnd = seg->wnd;
		pcb->snd_wl1 = seg->seq;
		pcb->snd_nxt = pcb->iss;
		tcp_set_state(lc, pcb, TCPS_SYN_RCVD);
		tcp_output_mark(lc, pcb, TCP_OUT_DATA);
		return;
	}
	if (pcb->tfo_ask)
		tcp_tfo_syn_ack(lc, pcb, seg);
	tcp_ack_open(lc, pcb, seg);
	tcp_set_state(lc, pcb, TCPS_ESTABLISHED);
	tcp_output_mark(lc, pcb, TCP_OUT_ACK | TCP_OUT_DATA);
	tcp_tune_start(lc, pcb);
	if (pcb->s != NULL)
		tcp_keep_start(lc, pcb->s);
	tcp_wake(lc, pcb);
	fin_in_turn(lc, pcb);
	seg->seq++;
	seg->flags &= (uint8_t)~TCP_F_SYN;
	if (seg_text(lc, pcb, seg))
		seg_check_fin(lc, pcb, seg);
}

/* RFC 9293 s3.10.7.3: SYN-SENT. */
static void
seg_syn_sent(struct lcore *lc, struct tcp_pcb *pcb, struct tcp_seg *seg)
{
	bool ack = (seg->flags & TCP_F_ACK) != 0;

	/* First: a SYN that was never sent cannot be acknowledged. */
	if (ack && (seq_leq(seg->ack, pcb->iss) || seq_gt(seg->ack, pcb->snd_max))) {
		tcp_out_refuse(lc, seg);
		seg->why = DROP_TCP_ACK;
		return;
	}
	/* Second */
	if ((seg->flags & TCP_F_RST) != 0) {
		seg->why = DROP_TCP_RST;
		if (!ack)
			return;
		seg->why = DROP_TCP_DONE;
		lc_count(lc, ST_TCP_RST_IN);
		tcp_pcb_end(lc, pcb, ECONNREFUSED);
		return;
	}
	/* Fourth, fifth */
	if ((seg->flags & TCP_F_SYN) != 0)
		syn_sent_open(lc, pcb, seg);
	else
		seg->why = DROP_TCP_SYN;
}

/* RFC 9293 s3.10.7.2 (LISTEN), or s3.10.7.1 (CLOSED) if nobody listens. */
static void
seg_listen(struct lcore *lc, struct tcp_seg *seg, const uint32_t *iss_min)
{
	struct tcp_pcb *lsn = tcp_listener_find(lc, &pkt_meta(seg->m)->key, seg->m);

	if ((seg->flags & TCP_F_RST) != 0) {
		seg->why = lsn == NULL ? DROP_TCP_NO_PCB : DROP_TCP_RST;
	} else if (lsn == NULL) {
		tcp_out_refuse(lc, seg);
		seg->why = DROP_TCP_NO_PCB;
	} else if ((seg->flags & (TCP_F_ACK | TCP_F_SYN)) == TCP_F_ACK && tcp_cookie_is_on(lc)) {
		struct tcp_pcb *pcb = tcp_cookie_open(lc, lsn, seg);

		if (pcb != NULL)
			seg_other(lc, pcb, seg);
		if (pcb != NULL && pcb->state == TCPS_SYN_RCVD)
			tcp_rexmt_start(lc, pcb); /* the ACK was not taken: ask again */
	} else if ((seg->flags & TCP_F_ACK) != 0) {
		tcp_out_refuse(lc, seg);
		seg->why = DROP_TCP_ACK;
	} else if ((seg->flags & TCP_F_SYN) != 0) {
		tcp_syn_in(lc, lsn, seg, iss_min);
	} else {
		seg->why = DROP_TCP_NOACK;
	}
}

/*
 * RFC 9293 s3.10.7.4, TIME-WAIT, with RFC 6191 s2: whether a SYN may begin a new incarnation,
 * and somebody listens for it. F-30: the same rule for any peer; the old latch ends here.
 */
static bool
is_new_incarnation(struct lcore *lc, const struct tcp_pcb *pcb, const struct tcp_seg *seg)
{
	uint8_t bits = TCP_F_SYN | TCP_F_ACK | TCP_F_RST | TCP_F_FIN;

	if (pcb->state != TCPS_TIME_WAIT || (seg->flags & bits) != TCP_F_SYN)
		return false;
	if (tcp_listener_find(lc, &pcb->fe.key, seg->m) == NULL)
		return false;
	if (pcb->opt_ts && (seg->opts & TCP_O_TS) != 0 && seg->ts_val != pcb->ts_recent)
		return seq_gt(seg->ts_val, pcb->ts_recent);
	return seq_gt(seg->seq, pcb->rcv_nxt);
}

/* Judges the SYN again, as one without an owner; true if a new connection began. */
static bool
reincarnate_syn(struct lcore *lc, struct tcp_seg *seg, uint32_t iss_min)
{
	const struct pkt_meta *pm = pkt_meta(seg->m);

	if (!latch_recheck(lc, seg->m)) {
		seg->why = DROP_NONE;
		return false;
	}
	if (pm->verdict != VERDICT_ACCEPT || pm->flow != NULL) {
		seg->why = DROP_LATCH_CLOSED;
		return false;
	}
	seg_listen(lc, seg, &iss_min);
	return flow_find(lc, &pm->key) != NULL;
}

/*
 * The old connection lends its 5-tuple and ends when the new one has it. A SYN that policy, the
 * SAs or a queue refuse changes nothing: TIME-WAIT goes on.
 */
static void
reincarnate(struct lcore *lc, struct tcp_pcb *pcb, struct tcp_seg *seg)
{
	flow_remove(lc, &pcb->fe);
	/* Where it cannot have it back, a SYN at another worker was quicker. */
	if (reincarnate_syn(lc, seg, pcb->snd_max) || flow_insert(lc, &pcb->fe) != 0)
		tcp_pcb_end(lc, pcb, 0);
}

/* F-91: whether a segment of this peer would be taken, were it not for its protection. */
static bool
fits_window(const struct tcp_pcb *pcb, const struct tcp_seg *seg)
{
	return (seg->flags & TCP_F_SYN) != 0 || pcb->state == TCPS_SYN_SENT ||
	       is_acceptable(pcb, seg);
}

/*
 * Another identity or protection (classes M2, M3). No step of the RFC comes before this, nothing
 * of the segment is used and nothing is sent about the connection (F-15 to F-18).
 */
static void
seg_break(struct lcore *lc, struct tcp_pcb *pcb, struct tcp_seg *seg)
{
	enum tl_latch_reason why = pkt_meta(seg->m)->reason;
	bool is_open = (seg->flags & (TCP_F_SYN | TCP_F_ACK | TCP_F_RST)) == TCP_F_SYN;

	seg->why = why == TL_LATCH_QOP_CONFLICT ? DROP_LATCH_M2 : DROP_LATCH_M3;
	/* F-21: an attacker must not end a handshake. F-30: TIME-WAIT is kept too. */
	if (pcb == NULL || pcb->state == TCPS_SYN_RCVD || pcb->state == TCPS_TIME_WAIT)
		return;
	if (why == TL_LATCH_PEER_CONFLICT && latch_asks_window(lc) && !fits_window(pcb, seg))
		return;
	is_open = is_open && why == TL_LATCH_PEER_CONFLICT && tcp_is_synced(pcb);
	if (is_open && latch_new_syn(lc, &pcb->latch) != LATCH_SYN_END) {
		if (latch_new_syn(lc, &pcb->latch) == LATCH_SYN_RESET)
			tcp_out_refuse(lc, seg); /* under its own SA (F-33) */
		return;
	}
	tcp_latch_alert(lc, &pcb->latch, latch_conflict(lc, &pcb->latch, why, is_open));
}

/* What the fast path did not see through. */
static bool
is_csum_right(const struct tcp_seg *seg)
{
	const struct pkt_meta *pm = pkt_meta(seg->m);
	uint32_t sum;

	if ((pm->flags & PKT_F_CSUM_OK) != 0)
		return true;
	sum = csum_add(pkt_data(seg->m, pm->l4_off), pm->l4_len, csum_pseudo(&pm->key, pm->l4_len));
	return csum_finish(sum) == 0;
}

/* The first of n segments, and those after it that the same step takes. Returns how many. */
static uint32_t
segs_arrive(struct lcore *lc, struct tcp_seg *seg, uint32_t n)
{
	const struct pkt_meta *pm = pkt_meta(seg->m);
	struct tcp_pcb *pcb = pm->flow == NULL ? NULL : container_of(pm->flow, struct tcp_pcb, fe);
	uint32_t taken = 0;

	if (likely(pm->verdict == VERDICT_ACCEPT && pcb != NULL))
		taken = tcp_fast(lc, pcb, seg, latch_holds(lc) ? n : 1);
	if (likely(taken > 0)) {
		tcp_pcb_check(lc, pcb);
		return taken;
	}
	if (!is_csum_right(seg))
		seg->why = DROP_TCP_CSUM;
	else if (pm->verdict != VERDICT_ACCEPT && pm->verdict != VERDICT_BREAK)
		seg->why = DROP_LATCH_CLOSED;
	else if (pcb != NULL && is_new_incarnation(lc, pcb, seg))
		reincarnate(lc, pcb, seg);
	else if (pm->verdict == VERDICT_BREAK)
		seg_break(lc, pcb, seg);
	else if (pcb == NULL)
		seg_listen(lc, seg, NULL);
	else if (pcb->state == TCPS_SYN_SENT)
		seg_syn_sent(lc, pcb, seg);
	else
		seg_other(lc, pcb, seg);
	if (pcb != NULL)
		tcp_pcb_check(lc, pcb);
	return 1;
}

/* Pass 1: is this a segment at all? DROP_NONE and seg filled, or why not. The checksum comes later,
 * when it is known whether the text will be copied. */
static enum drop_reason
seg_parse(struct lcore *lc, struct rte_mbuf *m, struct tcp_seg *seg)
{
	const struct pkt_meta *pm = pkt_meta(m);
	enum drop_reason why;

	lc_count(lc, ST_TCP_SEG_IN);
	if ((uint32_t)pm->l4_off + pm->l4_len > m->data_len)
		return DROP_TCP_SHORT;
	if ((pm->flags & PKT_F_MCAST) != 0)
		return DROP_TCP_BCAST;
	why = tcp_wire_parse(pkt_data(m, pm->l4_off), pm->l4_len, seg);
	if (why != DROP_NONE)
		return why;
	if (pm->key.lport == 0 || pm->key.rport == 0)
		return DROP_TCP_PORT;
	seg->m = m;
	seg->off = (uint16_t)(seg->off + pm->l4_off);
	return DROP_NONE;
}

void
tcp_in(struct lcore *lc, struct pkt_vec *v)
{
	struct tcp_seg seg[PKT_BURST];
	uint32_t n = 0;

	for (uint32_t i = 0; i < v->n; i++) {
		enum drop_reason why = seg_parse(lc, v->m[i], &seg[n]);

		if (why != DROP_NONE) {
			pkt_drop(lc, v->m[i], why);
			continue;
		}
		if (pkt_meta(v->m[i])->flow != NULL)
			rte_prefetch0(pkt_meta(v->m[i])->flow);
		n++;
	}
	v->n = 0;
	for (uint32_t i = 0, last; i < n; i = last) {
		last = i + 1;
		if (!latch_recheck(lc, seg[i].m))
			continue;
		last = i + segs_arrive(lc, &seg[i], n - i);
		for (uint32_t k = i; k < last; k++) {
			if (seg[k].why != DROP_NONE)
				pkt_drop(lc, seg[k].m, seg[k].why);
		}
	}
	tcp_reap(lc);
}
