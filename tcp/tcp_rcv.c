/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * tcp_rcv.c - text of acceptable segments: into the receive buffer in order, held until then.
 *
 * Segments with a hole before them are held as the packets they came in, sorted and without
 * overlap, so they never exceed the advertised window; their number is bounded for each
 * connection and for the worker, whose budget the connections share. The window that is advertised
 * is the one that is accepted.
 */
#include "stack/base/assert.h"
#include "tcp/tcp_int.h"

enum { OOO_MIN = 16, OOO_LOOK = 16 };

/* A held packet's metadata have served; its private area becomes the list entry. */
struct held {
	struct rte_mbuf *next;
	struct rte_mbuf *last; /* of the first one: where what comes in order goes */
	uint32_t seq;
	uint16_t off;
	uint16_t len;
	bool fin;
};
_Static_assert(sizeof(struct held) <= sizeof(struct pkt_meta), "lives in the private area");

static struct held *
held_of(struct rte_mbuf *m)
{
	return rte_mbuf_to_priv(m);
}

static struct rte_mbuf *
mbuf_of(struct held *h)
{
	return (struct rte_mbuf *)(void *)((char *)h - sizeof(struct rte_mbuf));
}

static uint32_t
held_end(struct rte_mbuf *m)
{
	return held_of(m)->seq + held_of(m)->len + held_of(m)->fin;
}

void
tcp_rcv_start(struct tcp_pcb *pcb, const struct tcp_seg *seg)
{
	uint32_t limit = pcb->rcv.limit_bytes;

	pcb->irs = seg->seq;
	pcb->rcv_nxt = seg->seq + 1;
	pcb->last_ack_sent = pcb->rcv_nxt;
	/* Nothing was advertised before the peer's SYN, except what our own SYN said. */
	pcb->rcv_adv = pcb->rcv_nxt;
	if (pcb->state == TCPS_SYN_SENT)
		pcb->rcv_adv += RTE_MIN(limit, (uint32_t)UINT16_MAX);
}

uint32_t
tcp_rcv_window(struct lcore *lc, const struct tcp_pcb *pcb)
{
	uint32_t promised = pcb->rcv_adv - pcb->rcv_nxt;
	/* What the field can express, RFC 7323 s2.2, counts as the room. */
	uint32_t room = RTE_MIN(buf_room(&pcb->rcv), (uint32_t)UINT16_MAX << pcb->rcv_wscale);
	uint32_t step = RTE_MIN(pcb->rcv.limit_bytes / 2, (uint32_t)pcb->mss);

	room = tcp_tune_room(lc, pcb, room);
	/* RFC 9293 s3.8.6: the window SHOULD NOT shrink. s3.8.6.2.2: and grows in useful steps. */
	if (room < promised + RTE_MAX(step, 1u))
		return promised;
	return room;
}

/*
 * A sender that was not held back needs no news beyond the normal ACKs: only a large gain, or one
 * of two segments while the window is small, is worth a segment of its own.
 */
static bool
is_news(const struct tcp_pcb *pcb, uint32_t gain)
{
	uint32_t limit = pcb->rcv.limit_bytes, promised = pcb->rcv_adv - pcb->rcv_nxt;

	if (gain == 0)
		return false;
	if (gain >= limit / 2)
		return true;
	if (gain < 2u * pcb->mss)
		return false;
	return gain >= limit / 4 || promised <= limit / 8 || limit <= 8u * pcb->mss;
}

void
tcp_rcv_read(struct lcore *lc, struct tcp_pcb *pcb)
{
	if (pcb->state < TCPS_SYN_RCVD || pcb->rcv_fin)
		return;
	tcp_tune_rcv(lc, pcb);
	if (is_news(pcb, tcp_rcv_window(lc, pcb) - (pcb->rcv_adv - pcb->rcv_nxt)))
		tcp_output_mark(lc, pcb, TCP_OUT_ACK);
}

/* Takes *pp out of the list; it is the caller's now. */
static struct rte_mbuf *
ooo_unlink(struct lcore *lc, struct tcp_pcb *pcb, struct rte_mbuf **pp)
{
	struct rte_mbuf *m = *pp, *last = held_of(pcb->ooo)->last;

	if (m == last && pp != &pcb->ooo)
		last = mbuf_of(container_of(pp, struct held, next));
	*pp = held_of(m)->next;
	if (pcb->ooo != NULL)
		held_of(pcb->ooo)->last = last;
	if (--pcb->ooo_n == 0) {
		TAILQ_REMOVE(&lc->tcp->holders, pcb, holder);
		lc->tcp->holders_n--;
	}
	pcb->ooo_bytes -= held_of(m)->len;
	lc->tcp->ooo_n--;
	return m;
}

static void
ooo_drop(struct lcore *lc, struct tcp_pcb *pcb, struct rte_mbuf **pp, enum drop_reason why)
{
	pkt_drop(lc, ooo_unlink(lc, pcb, pp), why);
}

static void
ooo_purge(struct lcore *lc, struct tcp_pcb *pcb, enum drop_reason why)
{
	while (pcb->ooo != NULL)
		ooo_drop(lc, pcb, &pcb->ooo, why);
	tcp_sack_purge(pcb);
}

void
tcp_rcv_purge(struct lcore *lc, struct tcp_pcb *pcb)
{
	ooo_purge(lc, pcb, DROP_TCP_CLOSED);
}

/*
 * What one connection may hold. An octet alone costs a whole packet buffer, so every segment
 * counts as a full one; twice what fits the window, because honest ones are not all full.
 */
static uint32_t
ooo_limit(const struct tcp_pcb *pcb)
{
	uint32_t n = 2 * (pcb->rcv.limit_bytes / tcp_pcb_own_mss(pcb));

	return RTE_MIN(RTE_MAX(n, (uint32_t)OOO_MIN), (uint32_t)TCP_OOO_MAX);
}

/*
 * The worker's budget is used up. A connection above its equal share gives up its own; one below
 * takes the place of another that is above. The search looks at a few and goes on from there the
 * next time. Nothing is lost: what is held was not acknowledged.
 */
static void
ooo_make_room(struct lcore *lc, struct tcp_pcb *pcb)
{
	struct tcp_ctx *tc = lc->tcp;
	uint32_t share = RTE_MAX(tc->ooo_max / (tc->holders_n + (pcb->ooo_n == 0)), 1u);

	if (pcb->ooo_n > share) {
		ooo_purge(lc, pcb, DROP_TCP_OOO_LIMIT);
		return;
	}
	for (uint32_t i = 0; i < RTE_MIN((uint32_t)OOO_LOOK, tc->holders_n); i++) {
		struct tcp_pcb *other = TAILQ_FIRST(&tc->holders);

		if (other->ooo_n > share) {
			ooo_purge(lc, other, DROP_TCP_OOO_LIMIT);
			return;
		}
		TAILQ_REMOVE(&tc->holders, other, holder);
		TAILQ_INSERT_TAIL(&tc->holders, other, holder);
	}
}

bool
tcp_rcv_ooo_ok(const struct tcp_pcb *pcb)
{
	uint32_t n = 0, bytes = 0, edge = pcb->rcv_nxt;
	const struct rte_mbuf *last = NULL;

	for (struct rte_mbuf *m = pcb->ooo; m != NULL; m = held_of(m)->next) {
		const struct held *h = held_of(m);

		/* After a failed append the first held one may begin exactly at rcv_nxt. */
		if (seq_lt(h->seq, edge) || seq_gt(h->seq + h->len, pcb->rcv_adv))
			return false;
		edge = h->seq + h->len;
		n++;
		bytes += h->len;
		last = m;
	}
	if (last != NULL && held_of(pcb->ooo)->last != last)
		return false;
	return n == pcb->ooo_n && bytes == pcb->ooo_bytes;
}

/* Cuts what the neighbours in the list have already. False: nothing is left of the segment. */
static bool
ooo_fit(struct lcore *lc, struct rte_mbuf *prev, struct rte_mbuf **next, struct tcp_pcb *pcb,
	struct tcp_seg *seg)
{
	if (prev != NULL && seq_gt(held_end(prev), seg->seq)) {
		uint32_t cut = held_end(prev) - seg->seq;

		if (cut >= tcp_seg_len(seg))
			return false;
		cut = RTE_MIN(cut, (uint32_t)seg->len);
		seg->seq += cut;
		seg->off = (uint16_t)(seg->off + cut);
		seg->len = (uint16_t)(seg->len - cut);
	}
	while (*next != NULL && seq_geq(seg->seq + tcp_seg_len(seg), held_end(*next)))
		ooo_drop(lc, pcb, next, DROP_TCP_DONE);
	if (*next != NULL && seq_gt(seg->seq + tcp_seg_len(seg), held_of(*next)->seq)) {
		seg->len = (uint16_t)(held_of(*next)->seq - seg->seq);
		seg->flags &= (uint8_t)~TCP_F_FIN;
	}
	return tcp_seg_len(seg) > 0;
}

/* The packet of seg becomes the one that *pp points at. */
static void
ooo_keep(struct lcore *lc, struct tcp_pcb *pcb, struct rte_mbuf **pp, struct tcp_seg *seg)
{
	struct rte_mbuf *last = pcb->ooo == NULL || *pp == NULL ? seg->m : held_of(pcb->ooo)->last;

	*held_of(seg->m) = (struct held){.next = *pp,
		.seq = seg->seq,
		.off = seg->off,
		.len = seg->len,
		.fin = (seg->flags & TCP_F_FIN) != 0};
	*pp = seg->m;
	held_of(pcb->ooo)->last = last;
	if (pcb->ooo_n++ == 0) {
		TAILQ_INSERT_TAIL(&lc->tcp->holders, pcb, holder);
		lc->tcp->holders_n++;
	}
	pcb->ooo_bytes += seg->len;
	tcp_sack_held(pcb, seg->seq, seg->seq + tcp_seg_len(seg));
	lc->tcp->ooo_n++;
	seg->why = DROP_NONE;
}

/* RFC 9293 s3.10.7.4: segments with higher beginning sequence numbers SHOULD be held. */
static void
ooo_insert(struct lcore *lc, struct tcp_pcb *pcb, struct tcp_seg *seg)
{
	struct rte_mbuf **pp = &pcb->ooo, *prev = NULL;
	uint32_t end = seg->seq + tcp_seg_len(seg);

	lc_count(lc, ST_TCP_OOO);
	if (lc->tcp->ooo_n >= lc->tcp->ooo_max)
		ooo_make_room(lc, pcb);
	/* Behind a hole nearly all comes in order. */
	if (pcb->ooo != NULL && seq_leq(held_of(held_of(pcb->ooo)->last)->seq, seg->seq)) {
		prev = held_of(pcb->ooo)->last;
		pp = &held_of(prev)->next;
	}
	while (*pp != NULL && seq_leq(held_of(*pp)->seq, seg->seq)) {
		prev = *pp;
		pp = &held_of(prev)->next;
	}
	if (!ooo_fit(lc, prev, pp, pcb, seg)) {
		tcp_sack_dup(lc, pcb, seg->seq, end);
		lc_count(lc, ST_TCP_DUP);
		return;
	}
	if (pcb->ooo_n >= ooo_limit(pcb) || lc->tcp->ooo_n >= lc->tcp->ooo_max)
		seg->why = DROP_TCP_OOO_LIMIT;
	else
		ooo_keep(lc, pcb, pp, seg);
}

/* Copies the first held segment less skip octets into the buffer; false: some of it stays held. */
static bool
ooo_copy(struct lcore *lc, struct tcp_pcb *pcb, struct held *h, uint32_t skip)
{
	uint32_t len = h->len - skip, n;

	n = (uint32_t)buf_append(lc, &pcb->rcv, pkt_data(pcb->ooo, h->off + skip), len);
	pcb->rcv_nxt += n;
	skip += n;
	h->seq += skip;
	h->off = (uint16_t)(h->off + skip);
	h->len = (uint16_t)(h->len - skip);
	pcb->ooo_bytes -= skip;
	if (n < len)
		return false;
	ooo_drop(lc, pcb, &pcb->ooo, DROP_TCP_DONE);
	return true;
}

/* Moves what became contiguous into the buffer. Returns true if the FIN was reached. */
static bool
ooo_drain(struct lcore *lc, struct tcp_pcb *pcb)
{
	while (pcb->ooo != NULL && seq_leq(held_of(pcb->ooo)->seq, pcb->rcv_nxt)) {
		struct held *h = held_of(pcb->ooo);
		uint32_t skip = RTE_MIN(pcb->rcv_nxt - h->seq, (uint32_t)h->len);
		uint32_t len = h->len - skip;
		const uint8_t *text;
		bool fin = h->fin;

		/* F-1: the SA may have been revoked while the segment waited. */
		if (!latch_is_current(lc, pcb->ooo)) {
			ooo_drop(lc, pcb, &pcb->ooo, DROP_ESP_STALE);
			tcp_sack_purge(pcb);
			continue;
		}
		text = pkt_data(pcb->ooo, h->off + skip);
		if (buf_takes_packet(lc, &pcb->rcv, len)) {
			pcb->rcv_nxt += len;
			buf_append_packet(lc, &pcb->rcv, ooo_unlink(lc, pcb, &pcb->ooo), text, len);
		} else if (!ooo_copy(lc, pcb, h, skip)) {
			return false;
		}
		if (fin)
			return true;
	}
	return false;
}

/* Keeps of the segment what lies in [rcv_nxt, rcv_adv). */
static void
trim(struct lcore *lc, struct tcp_pcb *pcb, struct tcp_seg *seg)
{
	uint32_t old = seq_lt(seg->seq, pcb->rcv_nxt) ? pcb->rcv_nxt - seg->seq : 0;
	uint32_t room;

	if (old > 0) {
		lc_count(lc, ST_TCP_DUP);
		tcp_sack_dup(lc, pcb, seg->seq, seq_min(seg->seq + seg->len, pcb->rcv_nxt));
		tcp_output_mark(lc, pcb, TCP_OUT_ACK);
		old = RTE_MIN(old, (uint32_t)seg->len);
		seg->off = (uint16_t)(seg->off + old);
		seg->len = (uint16_t)(seg->len - old);
		seg->seq = pcb->rcv_nxt;
	}
	room = seq_lt(seg->seq, pcb->rcv_adv) ? pcb->rcv_adv - seg->seq : 0;
	if (tcp_seg_len(seg) > room) {
		seg->len = (uint16_t)RTE_MIN(room, (uint32_t)seg->len);
		seg->flags &= (uint8_t)~TCP_F_FIN;
		tcp_output_mark(lc, pcb, TCP_OUT_ACK);
	}
}

/* RFC 9293 s3.8.6.3: an ACK for at least every second full-sized segment, and within a delay. */
static void
ack_policy(struct lcore *lc, struct tcp_pcb *pcb, uint32_t len, uint16_t largest)
{
	if (largest > pcb->rcv_mss)
		pcb->rcv_mss = largest;
	pcb->rcv_unacked += len;
	if (pcb->rcv_unacked >= 2u * pcb->rcv_mss || pcb->quickack)
		tcp_output_mark(lc, pcb, TCP_OUT_ACK);
	else
		tcp_tmr_delack(lc, pcb);
}

void
tcp_rcv_accepted(struct lcore *lc, struct tcp_pcb *pcb, uint32_t len, uint16_t largest)
{
	pcb->rcv_nxt += len;
	pcb->dupack_due = 0;
	ack_policy(lc, pcb, len, largest);
	tcp_wake(lc, pcb);
}

/* The next text, to where it is read. Returns how much of it there was room for. */
static uint32_t
append(struct lcore *lc, struct tcp_pcb *pcb, struct tcp_seg *seg)
{
	const uint8_t *text = pkt_data(seg->m, seg->off);

	if (seg->len == 0)
		return 0;
	if (!buf_takes_packet(lc, &pcb->rcv, seg->len))
		return (uint32_t)buf_append(lc, &pcb->rcv, text, seg->len);
	buf_append_packet(lc, &pcb->rcv, seg->m, text, seg->len);
	seg->why = DROP_NONE;
	return seg->len;
}

static void
in_order(struct lcore *lc, struct tcp_pcb *pcb, struct tcp_seg *seg)
{
	/* RFC 5681 s4.2: an ACK at once for a segment that fills a gap. */
	bool gap = pcb->ooo != NULL;
	uint32_t n = append(lc, pcb, seg);

	pcb->rcv_nxt += n;
	if (n > 0)
		pcb->dupack_due = 0;
	if (n < seg->len) {
		/* No chunk left: as if the rest had been lost on the way. */
		seg->why = DROP_TCP_MEM;
		seg->flags &= (uint8_t)~TCP_F_FIN;
		tcp_output_mark(lc, pcb, TCP_OUT_ACK);
	}
	seg->fin_now = (seg->flags & TCP_F_FIN) != 0 || ooo_drain(lc, pcb);
	if (seg->fin_now)
		tcp_rcv_purge(lc, pcb);
	if (gap) {
		tcp_sack_advance(pcb);
		tcp_output_mark(lc, pcb, TCP_OUT_ACK);
	} else if (n > 0) {
		ack_policy(lc, pcb, n, (uint16_t)n);
	}
	if (n > 0)
		tcp_wake(lc, pcb);
}

void
tcp_rcv_text(struct lcore *lc, struct tcp_pcb *pcb, struct tcp_seg *seg)
{
	trim(lc, pcb, seg);
	if (tcp_seg_len(seg) == 0)
		return;
	if (seg->seq == pcb->rcv_nxt) {
		in_order(lc, pcb, seg);
		return;
	}
	/* RFC 5681 s4.2: a duplicate ACK for each segment that comes out of order. */
	tcp_output_mark(lc, pcb, TCP_OUT_ACK);
	if (pcb->dupack_due < PKT_BURST)
		pcb->dupack_due++;
	ooo_insert(lc, pcb, seg);
}
