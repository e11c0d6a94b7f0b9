/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * tcp_fast.c - the segment that nearly every segment is: the next text, or an acknowledgment, of an
 * ESTABLISHED connection.
 *
 * All that the steps of RFC 9293 s3.10.7.4 would check is checked first, without changing anything;
 * whatever is not plain goes their way. Here the checksum is computed while the text is copied, and
 * the text becomes visible when the sum is right.
 */
#include "stack/base/csum.h"
#include "tcp/tcp_int.h"

/* The first, second, fourth and eighth step have nothing to do. */
static bool
is_plain(const struct tcp_pcb *pcb, const struct tcp_seg *seg)
{
	if (pcb->state != TCPS_ESTABLISHED || pcb->doomed)
		return false;
	if ((seg->flags & (uint8_t)~TCP_F_PSH) != TCP_F_ACK || seg->sack_n > 0)
		return false;
	/* RFC 7323 s5.3, R1: in time. */
	if (pcb->opt_ts ? seg->opts != TCP_O_TS || seq_lt(seg->ts_val, pcb->ts_recent)
			: seg->opts != 0)
		return false;
	return seg->seq == pcb->rcv_nxt;
}

/* The fifth step accepts it; one that only repeats the last may be a duplicate that counts. */
static bool
is_plain_ack(const struct tcp_pcb *pcb, const struct tcp_seg *seg)
{
	uint32_t ahead = seg->ack - pcb->snd_una;

	if (ahead > tcp_flight(pcb))
		return false;
	return ahead > 0 || seg->len > 0;
}

/* The seventh step takes all of it. */
static bool
is_plain_text(const struct tcp_pcb *pcb, const struct tcp_seg *seg)
{
	return seg->len <= pcb->rcv_adv - pcb->rcv_nxt && pcb->ooo == NULL;
}

/* The checksum of the segment, its text copied to where it will be read. False: it cannot be. */
static bool
stage(struct lcore *lc, struct tcp_pcb *pcb, const struct tcp_seg *seg, uint32_t *sum)
{
	const struct pkt_meta *pm = pkt_meta(seg->m);
	const uint8_t *h = pkt_data(seg->m, pm->l4_off);
	uint32_t hlen = (uint32_t)(seg->off - pm->l4_off);
	uint64_t words = csum_pseudo(&pm->key, pm->l4_len);

	for (uint32_t i = 0; i < hlen / 4; i++)
		words += csum_word(h, i);
	*sum = csum_fold(words);
	if (seg->len == 0)
		return true;
	return buf_stage(lc, &pcb->rcv, pkt_data(seg->m, seg->off), seg->len, sum);
}

/* The fifth step would only note that the window was said again (RFC 9293 s3.10.7.4). */
static bool
says_nothing_new(const struct tcp_pcb *pcb, const struct tcp_seg *seg)
{
	return seg->ack == pcb->snd_una && seg->ack == pcb->snd_wl2 && !pcb->persist &&
	       (uint32_t)seg->wnd << pcb->snd_wscale == pcb->snd_wnd;
}

static void
take(struct lcore *lc, struct tcp_pcb *pcb, struct tcp_seg *seg)
{
	/* RFC 7323 s4.3, (2) */
	if (pcb->opt_ts && seq_leq(seg->seq, pcb->last_ack_sent)) {
		pcb->ts_recent = seg->ts_val;
		pcb->ts_recent_ns = lc->now_ns;
	}
	if (says_nothing_new(pcb, seg))
		pcb->snd_wl1 = seg->seq;
	else
		tcp_ack(lc, pcb, seg);
	if (seg->len == 0)
		return;
	tcp_ecn_text(lc, pcb, seg);
	buf_commit(&pcb->rcv, seg->len);
	tcp_rcv_accepted(lc, pcb, seg->len);
}

bool
tcp_fast(struct lcore *lc, struct tcp_pcb *pcb, struct tcp_seg *seg)
{
	uint32_t sum;

	if (!is_plain(pcb, seg) || !is_plain_ack(pcb, seg) || !is_plain_text(pcb, seg))
		return false;
	if (!stage(lc, pcb, seg, &sum))
		return false;
	if (csum_finish(sum) != 0 && (pkt_meta(seg->m)->flags & PKT_F_CSUM_OK) == 0) {
		if (seg->len > 0)
			buf_unstage(lc, &pcb->rcv);
		seg->why = DROP_TCP_CSUM;
		return true;
	}
	take(lc, pcb, seg);
	return true;
}
