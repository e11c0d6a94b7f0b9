/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * tcp_cookie.c - SYN cookies (RFC 4987 s3.6): a flooded listener keeps nothing for a SYN.
 *
 * HOW IT WORKS. The ISN of the SYN-ACK is the cookie:
 *
 *   31    27 26  24 23                     0
 *   | time  | mss  | MAC of what must match |
 *
 * The MAC covers the 5-tuple, the peer's ISN, time and MSS, and the profile of the SA that
 * protected the SYN, so that an ACK under another peer's SA makes no connection (F-22). It costs no
 * bit of the cookie: the profile is recomputed from the tag of the ACK. Window scaling, and whether
 * there are SACK and ECN, travel in the low bits of our timestamp, the peer's shift and ours: the
 * program may have changed the listener's buffer when the ACK comes, but the peer heard what the
 * SYN-ACK said.
 */
#include <string.h>

#include "stack/net/route.h"
#include "tcp/tcp_int.h"

enum {
	PERIOD_S = 64, /* of the clock in the cookie; one is good for this and the one before */
	TIME_BITS = 5,
	TIME_SHIFT = 27,
	MSS_SHIFT = 24,
	MAC_MASK = 0xffffff,
	WS_MASK = 0xf, /* of the timestamp: the peer's shift; all ones: no window scaling */
	OWN_WS_SHIFT = 4,
	SACK_BIT = 0x100, /* the peer permits SACK */
	ECN_BIT = 0x200,  /* it asked for ECN */
	OPT_MASK = 0x3ff, /* all of it */
	ESP_ROOM = 96,    /* no latch is there yet that would know how much ESP adds */
};

static const uint16_t mss_step[8] = {216, 536, 1220, 1300, 1400, 1448, 4300, 8900};

/* What the MAC covers. */
struct covered {
	struct flow_key key;
	uint32_t peer_isn;
	uint32_t profile; /* 0: clear */
	uint32_t time;
	uint32_t mss;
};

static uint32_t
clock_now(const struct lcore *lc)
{
	return (uint32_t)(lc->now_ns / (PERIOD_S * UINT64_C(1000000000)));
}

static uint32_t
cookie(const struct lcore *lc, const struct rte_mbuf *m, uint32_t peer_isn, uint32_t time,
	uint32_t mss)
{
	struct covered c;
	uint32_t mac;

	memset(&c, 0, sizeof(c));
	c.key = pkt_meta(m)->key;
	c.peer_isn = peer_isn;
	c.profile = pkt_is_tagged(lc, m) ? pkt_tag(lc, m)->profile : 0;
	c.time = time;
	c.mss = mss;
	mac = (uint32_t)tcp_siphash(&lc->tcp->conf.cookie_secret, &c, sizeof(c)) & MAC_MASK;
	return (time & ((1u << TIME_BITS) - 1)) << TIME_SHIFT | mss << MSS_SHIFT | mac;
}

/* The largest step that does not exceed what the peer takes. */
static uint32_t
step_of(uint16_t mss)
{
	uint32_t i = RTE_DIM(mss_step) - 1;

	while (i > 0 && mss_step[i] > mss)
		i--;
	return i;
}

static uint16_t
own_mss(const struct lcore *lc, const struct tcp_seg *syn, uint16_t mtu_bytes)
{
	uint32_t hdr = TCP_HLEN_MIN + (ip_addr_is_v4(&pkt_meta(syn->m)->key.remote) ? 20u : 40u) +
		       (pkt_is_tagged(lc, syn->m) ? (uint32_t)ESP_ROOM : 0u);

	return mtu_bytes > hdr + TCP_MSS_MIN ? (uint16_t)(mtu_bytes - hdr) : (uint16_t)TCP_MSS_MIN;
}

/* Never ahead of the clock, or the peer would take what follows for old (RFC 7323 s5.3). */
static uint32_t
stamp(const struct lcore *lc, uint32_t opts)
{
	uint32_t now = tcp_now_ms(lc), ts = (now & ~(uint32_t)OPT_MASK) | opts;

	return ts > now ? ts - (OPT_MASK + 1) : ts;
}

void
tcp_cookie_send(
	struct lcore *lc, const struct tcp_pcb *lsn, struct tcp_seg *syn, uint16_t mtu_bytes)
{
	const struct flow_key *k = &pkt_meta(syn->m)->key;
	uint32_t mss = step_of((syn->opts & TCP_O_MSS) != 0 ? syn->mss
			       : ip_addr_is_v4(&k->remote)  ? TCP_MSS_DEFAULT_V4
							    : TCP_MSS_DEFAULT_V6);
	struct tcp_seg s = {.flags = TCP_F_SYN | TCP_F_ACK,
		.seq = cookie(lc, syn->m, syn->seq, clock_now(lc), mss),
		.ack = syn->seq + 1,
		.opts = TCP_O_MSS,
		.mss = own_mss(lc, syn, mtu_bytes),
		.wnd = (uint16_t)RTE_MIN(lsn->s->rcvbuf_bytes, (uint32_t)UINT16_MAX)};
	uint32_t ws = WS_MASK;

	syn->why = latch_spawn_check(lc, &lsn->latch, k, syn->m);
	if (syn->why != DROP_NONE)
		return;
	syn->why = DROP_TCP_DONE;
	if ((syn->opts & TCP_O_TS) != 0 && !lc->tcp->conf.no_timestamps) {
		if ((syn->opts & TCP_O_WS) != 0 && !lc->tcp->conf.no_wscale) {
			ws = RTE_MIN((uint32_t)syn->wscale, (uint32_t)TCP_WSCALE_MAX);
			s.opts |= TCP_O_WS;
			s.wscale = tcp_wscale_of(tcp_tune_rcv_max(lc, lsn->s));
		}
		if ((syn->opts & TCP_O_SACK_PERM) != 0 && !lc->tcp->conf.no_sack) {
			ws |= SACK_BIT;
			s.opts |= TCP_O_SACK_PERM;
		}
		if (lc->tcp->conf.ecn != TCP_CONF_ECN_OFF && tcp_ecn_is_asked(syn)) {
			ws |= ECN_BIT;
			s.flags |= TCP_F_ECE;
		}
		s.opts |= TCP_O_TS;
		s.ts_val =
			stamp(lc, ws | (uint32_t)s.wscale << OWN_WS_SHIFT) + tcp_ts_offset(lc, k);
		s.ts_ecr = syn->ts_val;
	}
	atomic_store_explicit(lc->tcp->conf.cookie_ns, lc->now_ns, memory_order_relaxed);
	lc_count(lc, ST_TCP_COOKIE_OUT);
	tcp_build_answer(lc, &s, syn->m);
}

bool
tcp_cookie_is_on(const struct lcore *lc)
{
	uint64_t sent = atomic_load_explicit(lc->tcp->conf.cookie_ns, memory_order_relaxed);

	/* The clock of another worker may be ahead by a little. */
	return sent != 0 && (int64_t)(lc->now_ns - sent) < 2 * PERIOD_S * INT64_C(1000000000);
}

/* The SYN that an ACK tells of, as far as its cookie is ours, and the window scale that we
 * answered with. */
static bool
recall(const struct lcore *lc, const struct tcp_seg *seg, struct tcp_seg *syn, uint8_t *own_ws)
{
	uint32_t got = seg->ack - 1, mss = got >> MSS_SHIFT & 7, ws;

	*own_ws = 0;
	*syn = (struct tcp_seg){.m = seg->m,
		.seq = seg->seq - 1,
		.flags = TCP_F_SYN,
		.opts = TCP_O_MSS,
		.mss = mss_step[mss],
		.wnd = seg->wnd};
	if (got != cookie(lc, seg->m, syn->seq, clock_now(lc), mss) &&
		got != cookie(lc, seg->m, syn->seq, clock_now(lc) - 1, mss))
		return false;
	if ((seg->opts & TCP_O_TS) == 0)
		return true;
	syn->opts |= TCP_O_TS;
	syn->ts_val = seg->ts_val;
	ws = (seg->ts_ecr - tcp_ts_offset(lc, &pkt_meta(seg->m)->key)) & OPT_MASK;
	if ((ws & SACK_BIT) != 0)
		syn->opts |= TCP_O_SACK_PERM;
	if ((ws & ECN_BIT) != 0)
		syn->flags |= TCP_F_ECE | TCP_F_CWR;
	if ((ws & WS_MASK) <= TCP_WSCALE_MAX) {
		syn->opts |= TCP_O_WS;
		syn->wscale = ws & WS_MASK;
		/* Nothing vouches for the echo; who lies about it harms himself. */
		*own_ws = (uint8_t)RTE_MIN(ws >> OWN_WS_SHIFT & WS_MASK, (uint32_t)TCP_WSCALE_MAX);
	}
	return true;
}

struct tcp_pcb *
tcp_cookie_open(struct lcore *lc, struct tcp_pcb *lsn, struct tcp_seg *seg)
{
	struct tcp_seg syn;
	struct tcp_pcb *pcb;
	uint8_t own_ws;

	if (lsn->ready_n >= lsn->backlog) {
		seg->why = DROP_TCP_BACKLOG; /* the cookie stays good for a while */
		return NULL;
	}
	if (!recall(lc, seg, &syn, &own_ws)) {
		seg->why = DROP_TCP_COOKIE; /* F-22: in silence */
		return NULL;
	}
	pcb = tcp_syn_child(lc, lsn, &syn, NULL);
	seg->why = syn.why;
	if (pcb == NULL)
		return NULL;
	/* Its SYN-ACK is out and answered. */
	tcp_output_unmark(lc, pcb);
	pcb->rcv_wscale = own_ws;
	/* The marks in the IP header are the ACK's, which may carry text; the SYN's were judged
	 * when it came. */
	pcb->opt_ecn = (syn.flags & TCP_F_ECE) != 0 && lc->tcp->conf.ecn != TCP_CONF_ECN_OFF;
	pcb->iss = seg->ack - 1;
	pcb->snd_una = pcb->iss;
	pcb->snd_nxt = pcb->snd_max = pcb->iss + 1;
	pcb->rcv_adv = pcb->rcv_nxt + RTE_MIN(lsn->s->rcvbuf_bytes, (uint32_t)UINT16_MAX);
	lc_count(lc, ST_TCP_COOKIE_IN);
	return pcb;
}
