/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * tcp_mtu.c - packetization layer path MTU discovery (RFC 4821; RFC 8899 s5 has its names).
 *
 * Where routers say nothing, sizes are found by trying. eff_pmtu is the control block's pmtu, of IP
 * packets with all that ESP adds. A probe is one segment of new data that is too large by intent;
 * the data behind it tell soon whether it alone was lost, which then is no sign of congestion.
 * After a black hole (1), or from the beginning (2), the connection starts from a size that is
 * likely to work and searches upwards by halves, and again after some minutes, since paths change.
 */
#include <stdlib.h>

#include "tcp/tcp_int.h"

enum {
	SEARCHERS_MAX = UINT16_MAX, /* tcp_pcb.mtu is a number */
	NARROW_BYTES = 8,           /* RFC 4821 s7.3: further probing is not worth its cost */
	BEHIND_SEGMENTS = 4,        /* so much follows a probe that its loss shows */
	HOLE_TIMEOUTS = 3,          /* as in Linux: R1 of RFC 9293 s3.8.3 */
	MTU_MIN_V6 = 1280,          /* RFC 4821 s7.7 */
};

/* A connection that searches. */
struct tcp_mtu {
	uint16_t low, high; /* search_low: it arrives; search_high: the largest that may */
	uint16_t max;       /* what search_high begins with */
	uint16_t size;      /* of the probe that is out; 0: none */
	uint32_t seq, end;  /* its octets */
	uint64_t again_ns;  /* when to begin anew; 0: the search is on */
	uint16_t next;      /* unused ones: the next of them */
};

int
tcp_mtu_create(struct tcp_ctx *tc)
{
	uint32_t n = RTE_MIN(tc->conf.max_pcbs, (uint32_t)SEARCHERS_MAX - 1);

	if (tc->conf.mtu_probing == TCP_CONF_MTU_OFF)
		return 0;
	tc->mtu = calloc(n + 1, sizeof(*tc->mtu)); /* 0 is none */
	if (tc->mtu == NULL)
		return -1;
	for (uint32_t i = n; i > 0; i--) {
		tc->mtu[i].next = tc->mtu_unused;
		tc->mtu_unused = (uint16_t)i;
	}
	return 0;
}

static struct tcp_mtu *
of(const struct lcore *lc, const struct tcp_pcb *pcb)
{
	return &lc->tcp->mtu[pcb->mtu];
}

void
tcp_mtu_free(struct lcore *lc, struct tcp_pcb *pcb)
{
	if (pcb->mtu == 0)
		return;
	of(lc, pcb)->next = lc->tcp->mtu_unused;
	lc->tcp->mtu_unused = pcb->mtu;
	pcb->mtu = 0;
}

static uint32_t
floor_of(const struct tcp_pcb *pcb)
{
	uint32_t least = tcp_pcb_mtu_floor(pcb);

	return ip_addr_is_v4(&pcb->fe.key.remote) ? least : RTE_MAX(least, (uint32_t)MTU_MIN_V6);
}

/* The smallest MTU whose segments have mss octets, headers, options and ESP counted. */
static uint16_t
mtu_for(const struct tcp_pcb *pcb, uint32_t mss)
{
	uint32_t mtu = mss + TCP_HLEN_MIN;

	while (mtu < pcb->pmtu && tcp_pcb_mss_at(pcb, mtu) < mss)
		mtu++;
	return (uint16_t)mtu;
}

static void
use(struct tcp_pcb *pcb, uint32_t mtu)
{
	pcb->pmtu = (uint16_t)mtu;
	tcp_pcb_update_mss(pcb);
}

/* RFC 4821 s7.2: from a size that works nearly everywhere. False: no room, or none needed. */
static bool
start(struct lcore *lc, struct tcp_pcb *pcb)
{
	struct tcp_ctx *tc = lc->tcp;
	uint16_t base = mtu_for(pcb, tc->conf.base_mss);
	struct tcp_mtu *m;

	if (tc->mtu_unused == 0 || base >= pcb->pmtu)
		return false;
	pcb->mtu = tc->mtu_unused;
	m = of(lc, pcb);
	tc->mtu_unused = m->next;
	*m = (struct tcp_mtu){.low = base, .high = pcb->pmtu, .max = pcb->pmtu};
	use(pcb, base);
	return true;
}

void
tcp_mtu_open(struct lcore *lc, struct tcp_pcb *pcb)
{
	/* Without SACK the loss of a probe cannot be told from other losses. */
	if (lc->tcp->conf.mtu_probing == TCP_CONF_MTU_ALWAYS && pcb->opt_sack)
		start(lc, pcb);
}

void
tcp_mtu_timeout(struct lcore *lc, struct tcp_pcb *pcb)
{
	struct tcp_mtu *m;

	if (lc->tcp->conf.mtu_probing == TCP_CONF_MTU_OFF || !tcp_is_synced(pcb))
		return;
	/* RFC 4821 s7.6.3: a probe says nothing in a timeout. */
	if (pcb->mtu != 0)
		of(lc, pcb)->size = 0;
	if (pcb->rexmt_cnt < HOLE_TIMEOUTS || tcp_flight(pcb) == 0)
		return;
	if (pcb->mtu == 0) {
		if (start(lc, pcb))
			lc_count(lc, ST_TCP_MTU_BLACKHOLE);
		return;
	}
	/* RFC 4821 s7.7: first what was known to arrive, then less and less. */
	m = of(lc, pcb);
	if (pcb->pmtu <= m->low)
		m->low = (uint16_t)RTE_MAX(m->low / 2u, floor_of(pcb));
	m->high = m->max;
	m->again_ns = 0;
	use(pcb, m->low);
	lc_count(lc, ST_TCP_MTU_BLACKHOLE);
}

bool
tcp_mtu_narrow(struct lcore *lc, struct tcp_pcb *pcb, uint32_t mtu)
{
	struct tcp_mtu *m;

	if (mtu >= pcb->pmtu)
		return false;
	use(pcb, mtu);
	if (pcb->mtu == 0)
		return true;
	m = of(lc, pcb);
	m->high = (uint16_t)RTE_MIN(m->high, pcb->pmtu);
	m->low = (uint16_t)RTE_MIN(m->low, pcb->pmtu);
	m->size = 0;
	return true;
}

/* RFC 4821 s7.3, RFC 8899 s5.1.1 (PMTU_RAISE_TIMER) */
static bool
is_searching(const struct lcore *lc, struct tcp_mtu *m)
{
	if (m->again_ns != 0 && lc->now_ns >= m->again_ns) {
		m->again_ns = 0;
		m->high = m->max;
	}
	if (m->again_ns == 0 && m->high < m->low + NARROW_BYTES)
		m->again_ns = lc->now_ns + lc->tcp->conf.mtu_probe_s * UINT64_C(1000000000);
	return m->again_ns == 0;
}

/* RFC 4821 s7.4: nothing is being repaired, and enough may follow. */
static bool
may_probe(const struct tcp_pcb *pcb, uint32_t len)
{
	uint32_t need = len + BEHIND_SEGMENTS * (uint32_t)pcb->mss, pipe = tcp_pipe(pcb);

	if (pcb->ca != TCPR_OPEN || pcb->sent.lost_bytes > 0 || pcb->snd_max != pcb->snd_nxt)
		return false;
	/* SACK blocks would make it larger than it is meant to be. */
	if (pcb->rsack.n > 0 || pcb->rsack.dup.l != pcb->rsack.dup.r)
		return false;
	/* Behind a FIN there is nothing, and a window may have shrunk. */
	if (seq_lt(tcp_data_end(pcb), pcb->snd_nxt + need))
		return false;
	if (seq_lt(pcb->snd_una + pcb->snd_wnd, pcb->snd_nxt + need))
		return false;
	return pipe + need <= pcb->cc.cwnd_bytes;
}

bool
tcp_mtu_plan(struct lcore *lc, struct tcp_pcb *pcb, struct tcp_seg *s)
{
	struct tcp_mtu *m = of(lc, pcb);
	uint16_t size;
	uint32_t len;

	if (m->size != 0 || !pcb->opt_sack || !is_searching(lc, m))
		return false;
	/* Half of what is left, or all of it when it is little. */
	size = (uint16_t)((m->low + m->high + 1) / 2);
	len = tcp_pcb_mss_at(pcb, size);
	if (len <= pcb->mss) {
		/* The peer takes no more, or padding eats it. */
		m->low = (uint16_t)RTE_MAX(m->low, size);
		m->high = m->low;
		return false;
	}
	if (!may_probe(pcb, len))
		return false;
	s->seq = pcb->snd_nxt;
	s->len = (uint16_t)len;
	s->flags = TCP_F_ACK;
	m->size = size;
	m->seq = s->seq;
	m->end = s->seq + len;
	lc_count(lc, ST_TCP_MTU_PROBE);
	return true;
}

void
tcp_mtu_ack(struct lcore *lc, struct tcp_pcb *pcb)
{
	struct tcp_mtu *m = of(lc, pcb);

	if (m->size == 0 || seq_lt(pcb->snd_una, m->end))
		return;
	/* RFC 4821 s7.6.1 */
	m->low = m->size;
	m->size = 0;
	use(pcb, m->low);
	lc_count(lc, ST_TCP_MTU_PROBE_OK);
}

bool
tcp_mtu_is_probe_lost(struct lcore *lc, struct tcp_pcb *pcb)
{
	const struct tcp_range *r = tcp_sent_next_lost(pcb);
	struct tcp_mtu *m = of(lc, pcb);
	uint16_t size;

	if (m->size == 0 || r == NULL)
		return false;
	size = m->size;
	m->size = 0;
	/* RFC 4821 s7.6.4: with other losses around it says nothing. */
	if (r->seq != m->seq || pcb->snd_una != m->seq || seq_gt(r->end, m->end) ||
		pcb->sent.lost_bytes != r->end - r->seq)
		return false;
	/* RFC 4821 s7.6.2: the path is too narrow for it, and not congested. */
	m->high = (uint16_t)(size - 1);
	lc_count(lc, ST_TCP_MTU_PROBE_LOST);
	tcp_output_mark(lc, pcb, TCP_OUT_DATA);
	return true;
}
