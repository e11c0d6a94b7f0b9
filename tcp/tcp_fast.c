/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * tcp_fast.c - the segment that nearly every segment is: the next text, or an acknowledgment, of an
 * ESTABLISHED connection.
 *
 * All that the steps of RFC 9293 s3.10.7.4 would check is checked first, without changing anything;
 * whatever is not plain goes their way. Here the checksum is computed while the text is copied, and
 * the text becomes visible when the sum is right. A run of segments that differ in their text alone
 * is acted upon once.
 */
#include "stack/base/csum.h"
#include "tcp/tcp_int.h"

/* Nothing but an acknowledgment, text and the peer's wish to have that read. */
static bool
has_plain_flags(const struct tcp_seg *seg)
{
	return (seg->flags & (uint8_t)~TCP_F_PSH) == TCP_F_ACK && seg->sack_n == 0;
}

/* The first, second, fourth and eighth step have nothing to do. */
static bool
is_plain(const struct tcp_pcb *pcb, const struct tcp_seg *seg)
{
	if (pcb->state != TCPS_ESTABLISHED || pcb->doomed || pcb->tfo_unproved)
		return false;
	if (!has_plain_flags(seg))
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

/* A run of n with so many octets of text; what its first segment says, all of them say. */
static void
take(struct lcore *lc, struct tcp_pcb *pcb, struct tcp_seg *seg, uint32_t n, uint32_t text)
{
	uint16_t largest = 0;

	/* RFC 7323 s4.3, (2) */
	if (pcb->opt_ts && seq_leq(seg->seq, pcb->last_ack_sent)) {
		pcb->ts_recent = seg->ts_val;
		pcb->ts_recent_ns = lc->now_ns;
	}
	/* What they say, the last of them said last: SND.WL1 is its number. */
	seg->seq = seg[n - 1].seq;
	if (says_nothing_new(pcb, seg))
		pcb->snd_wl1 = seg->seq;
	else
		tcp_ack(lc, pcb, seg);
	if (text == 0)
		return;
	tcp_ecn_text(lc, pcb, seg);
	for (uint32_t i = 0; i < n; i++)
		largest = seg[i].len > largest ? seg[i].len : largest;
	tcp_rcv_accepted(lc, pcb, text, largest);
}

static bool
is_right(const struct tcp_seg *seg, uint32_t sum)
{
	return csum_finish(sum) == 0 || (pkt_meta(seg->m)->flags & PKT_F_CSUM_OK) != 0;
}

/* F-10: what another SA protected, or none, is never merged, whatever its verdict. */
static bool
has_same_tag(const struct lcore *lc, const struct rte_mbuf *a, const struct rte_mbuf *b)
{
	if (pkt_is_tagged(lc, a) != pkt_is_tagged(lc, b))
		return false;
	return !pkt_is_tagged(lc, a) || pkt_tag(lc, a)->profile == pkt_tag(lc, b)->profile;
}

/* Whether seg says what first said and its text is the next, after so many octets of the run. */
static bool
goes_on(const struct lcore *lc, const struct tcp_pcb *pcb, const struct tcp_seg *first,
	const struct tcp_seg *seg, uint32_t text)
{
	const struct pkt_meta *a = pkt_meta(first->m), *b = pkt_meta(seg->m);

	if (b->flow != a->flow || b->verdict != VERDICT_ACCEPT || b->tos != a->tos ||
		!has_same_tag(lc, first->m, seg->m))
		return false;
	if (!has_plain_flags(seg) || seg->opts != first->opts || seg->ack != first->ack ||
		seg->wnd != first->wnd)
		return false;
	if (pcb->opt_ts && seq_lt(seg->ts_val, first->ts_val))
		return false;
	return seg->len > 0 && seg->seq == pcb->rcv_nxt + text &&
	       seg->len <= pcb->rcv_adv - seg->seq;
}

uint32_t
tcp_fast(struct lcore *lc, struct tcp_pcb *pcb, struct tcp_seg *seg, uint32_t n)
{
	uint32_t sum, text = 0, i = 0;

	if (!is_plain(pcb, seg) || !is_plain_ack(pcb, seg) || !is_plain_text(pcb, seg))
		return 0;
	do {
		if (!stage(lc, pcb, &seg[i], &sum))
			break;
		if (!is_right(&seg[i], sum)) {
			if (seg[i].len > 0)
				buf_unstage(lc, &pcb->rcv);
			seg[i].why = DROP_TCP_CSUM;
			if (i > 0)
				take(lc, pcb, seg, i, text);
			return i + 1;
		}
		buf_commit(&pcb->rcv, seg[i].len);
		text += seg[i++].len;
	} while (i < n && text > 0 && goes_on(lc, pcb, seg, &seg[i], text));
	if (i > 0)
		take(lc, pcb, seg, i, text);
	return i;
}
