/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * tcp_tune.c - the size of buffers that no program chose.
 *
 * A receive buffer follows what the program takes in a round trip (dynamic right-sizing: Fisk and
 * Feng, "Dynamic right-sizing in TCP"), a send buffer follows the congestion window. Both grow up
 * to their ceilings, never shrink, and stay as they are while chunks are short. Called when a
 * program reads, or has more to write than there is room for.
 */
#include "tcp/tcp_int.h"

enum { POOL_SHARE = 4, HEADROOM_SEGMENTS = 16, PRESSED_SEGMENTS = 4 };

/* What max_bytes comes to: one socket never gets more than a part of the pool by itself. */
static uint32_t
ceiling(const struct lcore *lc, uint32_t max_bytes)
{
	return (uint32_t)RTE_MIN((uint64_t)max_bytes, buf_pool_bytes(lc->buf) / POOL_SHARE);
}

uint32_t
tcp_tune_rcv_max(const struct lcore *lc, const struct sock *s)
{
	if (s->rcvbuf_set)
		return s->rcvbuf_bytes;
	return RTE_MAX(s->rcvbuf_bytes, ceiling(lc, lc->tcp->conf.rcvbuf_max_bytes));
}

static bool
is_pressed(const struct lcore *lc)
{
	return buf_pool_is_used(lc->buf, lc->tcp->conf.pressure_pct);
}

uint32_t
tcp_tune_room(struct lcore *lc, const struct tcp_pcb *pcb, uint32_t room)
{
	uint32_t few = PRESSED_SEGMENTS * (uint32_t)RTE_MAX(pcb->mss, pcb->rcv_mss);

	if (likely(!is_pressed(lc)) || room <= few)
		return room;
	lc_count(lc, ST_TCP_HELD_BACK);
	return few;
}

void
tcp_tune_start(const struct lcore *lc, struct tcp_pcb *pcb)
{
	pcb->tune = (struct tcp_tune){.start_us = (uint32_t)(lc->now_ns / 1000),
		.pos = (uint32_t)buf_start(&pcb->rcv),
		.edge = pcb->rcv_adv};
}

/*
 * Whether a round trip has passed since this round began. One who never measured any knows that
 * what lies beyond the window of that time was sent after it was opened.
 */
static bool
is_round_over(const struct tcp_pcb *pcb, uint32_t now_us)
{
	if (pcb->srtt_us != 0)
		return now_us - pcb->tune.start_us >= pcb->srtt_us;
	return seq_gt(pcb->rcv_nxt, pcb->tune.edge);
}

/*
 * Room for twice of what came in a round trip: what is on the way, and as much again while the
 * answer to it is. A sender in slow start (RFC 5681 s3.1) doubles that before it hears of the room.
 */
static void
grow_rcv(struct lcore *lc, struct tcp_pcb *pcb, uint32_t taken)
{
	uint32_t max = tcp_tune_rcv_max(lc, pcb->s), before = pcb->tune.taken;
	uint64_t want = (uint64_t)taken * (taken > before + before / 4 ? 4 : 2) +
			HEADROOM_SEGMENTS * (uint64_t)pcb->mss;

	/* RFC 7323 s2.2: more than the window field can express is of no use. */
	max = RTE_MIN(max, (uint32_t)UINT16_MAX << pcb->rcv_wscale);
	want = RTE_MIN(want, (uint64_t)max);
	if (want <= pcb->rcv.limit_bytes || is_pressed(lc))
		return;
	pcb->rcv.limit_bytes = (uint32_t)want;
	lc_count(lc, ST_TCP_RCV_GROWN);
}

void
tcp_tune_rcv(struct lcore *lc, struct tcp_pcb *pcb)
{
	uint32_t now_us = (uint32_t)(lc->now_ns / 1000), taken;

	if (pcb->s == NULL || pcb->s->rcvbuf_set || !is_round_over(pcb, now_us))
		return;
	taken = (uint32_t)buf_start(&pcb->rcv) - pcb->tune.pos;
	grow_rcv(lc, pcb, taken);
	tcp_tune_start(lc, pcb);
	pcb->tune.taken = taken;
}

/* What can be in flight, and as much again that can leave when it is acknowledged. */
void
tcp_tune_snd(struct lcore *lc, struct tcp_pcb *pcb)
{
	uint64_t want = 2 * (uint64_t)RTE_MIN(pcb->cc.cwnd_bytes, pcb->max_wnd);

	if (pcb->s == NULL || pcb->s->sndbuf_set || !tcp_is_synced(pcb) || is_pressed(lc))
		return;
	want = RTE_MIN(want, (uint64_t)ceiling(lc, lc->tcp->conf.sndbuf_max_bytes));
	if (want <= pcb->snd.limit_bytes)
		return;
	pcb->snd.limit_bytes = (uint32_t)want;
	lc_count(lc, ST_TCP_SND_GROWN);
}
