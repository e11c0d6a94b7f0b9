/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * tcp_sack.c - selective acknowledgments (RFC 2018), of duplicates too (RFC 2883).
 *
 * The receiver's half keeps at most four blocks, so that no ACK walks the held segments. The
 * sender's half trusts nothing: each block is checked against what was sent, and an ACK may cost
 * a bounded number of steps; what lies beyond is heard from a later one.
 */
#include "tcp/tcp_sack.h"

#include "tcp/tcp_int.h"

/* Of one ACK: what a search from three places needs to get past 340 ranges. */
enum { SACK_STEPS = 1024 };

/* ---- what we say ---- */

static void
to_front(struct tcp_sack_rcv *k, uint32_t i, struct tcp_sack_block b)
{
	for (; i > 0; i--)
		k->blk[i] = k->blk[i - 1];
	k->blk[0] = b;
}

static void
remove_at(struct tcp_sack_rcv *k, uint32_t i)
{
	k->n--;
	for (; i < k->n; i++)
		k->blk[i] = k->blk[i + 1];
}

void
tcp_sack_held(struct tcp_pcb *pcb, uint32_t l, uint32_t r)
{
	struct tcp_sack_rcv *k = &pcb->rsack;
	struct tcp_sack_block b = {l, r};

	if (!pcb->opt_sack)
		return;
	for (uint32_t i = 0; i < k->n;) {
		if (seq_lt(k->blk[i].r, b.l) || seq_gt(k->blk[i].l, b.r)) {
			i++;
			continue;
		}
		b.l = seq_min(b.l, k->blk[i].l);
		b.r = seq_max(b.r, k->blk[i].r);
		remove_at(k, i);
	}
	/* RFC 2018 s4: the first block is the one that holds the segment that caused this ACK. */
	if (k->n < TCP_SACK_MAX)
		k->n++;
	to_front(k, k->n - 1u, b);
}

void
tcp_sack_dup(const struct lcore *lc, struct tcp_pcb *pcb, uint32_t l, uint32_t r)
{
	struct tcp_sack_rcv *k = &pcb->rsack;

	if (!pcb->opt_sack || lc->tcp->conf.no_dsack || !seq_lt(l, r))
		return;
	k->dup = (struct tcp_sack_block){l, r};
	/* RFC 2883 s4, (4): the block that contains it comes next. */
	for (uint32_t i = 1; i < k->n; i++) {
		if (seq_geq(l, k->blk[i].l) && seq_leq(r, k->blk[i].r))
			to_front(k, i, k->blk[i]);
	}
}

void
tcp_sack_advance(struct tcp_pcb *pcb)
{
	struct tcp_sack_rcv *k = &pcb->rsack;

	for (uint32_t i = 0; i < k->n;) {
		if (seq_leq(k->blk[i].r, pcb->rcv_nxt)) {
			remove_at(k, i);
			continue;
		}
		k->blk[i].l = seq_max(k->blk[i].l, pcb->rcv_nxt);
		i++;
	}
}

void
tcp_sack_purge(struct tcp_pcb *pcb)
{
	pcb->rsack.n = 0;
}

static uint32_t
block_count(const struct tcp_pcb *pcb)
{
	uint32_t n = pcb->rsack.n + (pcb->rsack.dup.l != pcb->rsack.dup.r ? 1u : 0u);

	/* RFC 2018 s3: 40 bytes of options hold four, or three beside timestamps. */
	return RTE_MIN(n, pcb->opt_ts ? TCP_SACK_MAX - 1u : (uint32_t)TCP_SACK_MAX);
}

uint32_t
tcp_sack_room(const struct tcp_pcb *pcb)
{
	uint32_t n = block_count(pcb);

	return n == 0 ? 0 : 4 + 8 * n;
}

void
tcp_sack_fill(const struct tcp_pcb *pcb, struct tcp_seg *s)
{
	const struct tcp_sack_rcv *k = &pcb->rsack;
	uint32_t n = block_count(pcb), i = 0;

	if (k->dup.l != k->dup.r)
		s->sack[i++] = k->dup;
	for (uint32_t j = 0; i < n; j++)
		s->sack[i++] = k->blk[j];
	s->sack_n = (uint8_t)n;
}

/* ---- what the peer says ---- */

static bool
is_within(const struct tcp_sack_block *b, const struct tcp_sack_block *outer)
{
	return seq_geq(b->l, outer->l) && seq_leq(b->r, outer->r);
}

/* RFC 2883 s4: the first block tells of a duplicate if the ACK or the second block covers it. */
static bool
is_dsack(const struct tcp_pcb *pcb, const struct tcp_seg *seg)
{
	const struct tcp_sack_block *b = &seg->sack[0];

	/* Not from before anything that could still come: old, or invented. */
	if (!seq_lt(b->l, b->r) || seq_lt(b->l, seg->ack - pcb->max_wnd) ||
		seq_gt(b->r, pcb->snd_nxt))
		return false;
	if (seq_leq(b->r, seg->ack))
		return true;
	return seg->sack_n > 1 && is_within(b, &seg->sack[1]);
}

/* Clips b to what is in flight. False: it tells nothing, or lies. */
static bool
fit(const struct tcp_pcb *pcb, struct tcp_sack_block *b)
{
	if (!seq_lt(b->l, b->r) || seq_gt(b->r, pcb->snd_max) || seq_leq(b->r, pcb->snd_una))
		return false;
	/* A block ends within the window and begins there too, or it is not one of ours. */
	if (seq_gt(b->l, pcb->snd_max) || seq_lt(b->l, pcb->snd_una - pcb->max_wnd))
		return false;
	b->l = seq_max(b->l, pcb->snd_una);
	b->r = seq_min(b->r, pcb->snd_nxt);
	return seq_lt(b->l, b->r);
}

void
tcp_sack_in(struct lcore *lc, struct tcp_pcb *pcb, const struct tcp_seg *seg, uint32_t before,
	struct tcp_acked *a)
{
	uint32_t i = 0, budget = SACK_STEPS;

	/* What an old ACK says is known, or was taken back since. */
	if (seq_lt(seg->ack, before))
		return;
	if (is_dsack(pcb, seg)) {
		a->dsack = true;
		a->dup = seg->sack[0];
		i = 1;
	}
	for (; i < seg->sack_n; i++) {
		struct tcp_sack_block b = seg->sack[i];

		if (fit(pcb, &b))
			tcp_sent_sack(lc, pcb, b.l, b.r, a, &budget);
	}
}
