/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * tcp_fast.c - the segment that nearly every segment is: the next text, or an acknowledgment, of an
 * ESTABLISHED connection.
 *
 * All that the steps of RFC 9293 s3.10.7.4 would check is checked first, without changing anything;
 * whatever is not plain goes their way. The text of a full packet stays in it until it is read;
 * other text is copied while its checksum is computed, and becomes visible when the sum is right. A
 * run of segments that differ in their text alone is acted upon once.
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

static uint32_t
sum_of_headers(const struct tcp_seg *seg)
{
	const struct pkt_meta *pm = pkt_meta(seg->m);
	const uint8_t *h = pkt_data(seg->m, pm->l4_off);
	uint32_t hlen = (uint32_t)(seg->off - pm->l4_off);
	uint64_t words = csum_pseudo(&pm->key, pm->l4_len);

	for (uint32_t i = 0; i < hlen / 4; i++)
		words += csum_word(h, i);
	return csum_fold(words);
}

static bool
is_right(const struct tcp_seg *seg, uint32_t sum)
{
	return csum_finish(sum) == 0 || (pkt_meta(seg->m)->flags & PKT_F_CSUM_OK) != 0;
}

enum text { TEXT_TAKEN, TEXT_WRONG, TEXT_NO_ROOM };

/* Where most text goes: nowhere, or it stays in its packet. */
static enum text
keep_text(struct lcore *lc, struct tcp_pcb *pcb, struct tcp_seg *seg)
{
	const uint8_t *text = pkt_data(seg->m, seg->off);

	if ((pkt_meta(seg->m)->flags & PKT_F_CSUM_OK) == 0 &&
		csum_finish(csum_add(text, seg->len, sum_of_headers(seg))) != 0)
		return TEXT_WRONG;
	if (seg->len > 0) {
		buf_append_packet(lc, &pcb->rcv, seg->m, text, seg->len);
		seg->why = DROP_NONE;
	}
	return TEXT_TAKEN;
}

static enum text
copy_text(struct lcore *lc, struct tcp_pcb *pcb, const struct tcp_seg *seg)
{
	uint32_t sum = sum_of_headers(seg);

	if (!buf_stage(lc, &pcb->rcv, pkt_data(seg->m, seg->off), seg->len, &sum))
		return TEXT_NO_ROOM;
	if (!is_right(seg, sum)) {
		buf_unstage(lc, &pcb->rcv);
		return TEXT_WRONG;
	}
	buf_commit(&pcb->rcv, seg->len);
	return TEXT_TAKEN;
}

/* The text of seg, which is the next, is to be read if its checksum is right. */
static enum text
text_in(struct lcore *lc, struct tcp_pcb *pcb, struct tcp_seg *seg)
{
	if (seg->len == 0 || buf_takes_packet(lc, &pcb->rcv, seg->len))
		return keep_text(lc, pcb, seg);
	return copy_text(lc, pcb, seg);
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
	uint32_t text = 0, i = 0;
	enum text got;

	if (!is_plain(pcb, seg) || !is_plain_ack(pcb, seg) || !is_plain_text(pcb, seg))
		return 0;
	do {
		got = text_in(lc, pcb, &seg[i]);
		if (got != TEXT_TAKEN)
			break;
		text += seg[i++].len;
	} while (i < n && text > 0 && goes_on(lc, pcb, seg, &seg[i], text));
	if (i > 0)
		take(lc, pcb, seg, i, text);
	if (got != TEXT_WRONG)
		return i;
	seg[i].why = DROP_TCP_CSUM;
	return i + 1;
}
