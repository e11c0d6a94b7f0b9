/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * sctp_cc.c - congestion control of one path (RFC 9260 s7.2).
 *
 * Units are bytes of user data, and PMDCS is what of it fits into a packet.
 */
#include "sctp/sctp_int.h"

enum { IW_BYTES = 4404, BURST_MOST = 1024 };

static uint32_t
pmdcs(const struct sctp_path *p)
{
	return p->mps_bytes - (uint32_t)SCTP_HLEN - SCTP_DATA_HLEN;
}

/* s7.2.1 */
void
sctp_cc_init(struct sctp_path *p)
{
	uint32_t one = pmdcs(p);

	p->cwnd = RTE_MIN(4 * one, RTE_MAX(2 * one, (uint32_t)IW_BYTES));
	p->partial_bytes_acked = 0;
	p->in_fast = p->fast_due = false;
}

/* s7.2.1, s7.2.2. flight_before: before this SACK. */
void
sctp_cc_ack(struct sctp_assoc *a, struct sctp_path *p, bool in_order, uint32_t flight_before)
{
	uint32_t one = pmdcs(p);

	if (p->in_fast) {
		if (seq_lt(a->cum_ack, p->fast_exit))
			return;
		p->in_fast = p->fast_due = false;
	}
	/* A window that is not used says nothing about the path. */
	if (p->cwnd <= p->ssthresh) {
		if (in_order && flight_before + one > p->cwnd)
			p->cwnd += RTE_MIN(p->acked, one);
		return;
	}
	p->partial_bytes_acked += p->acked;
	if (p->partial_bytes_acked < p->cwnd)
		return;
	if (flight_before + one > p->cwnd) {
		p->partial_bytes_acked -= p->cwnd;
		p->cwnd += one;
	} else {
		p->partial_bytes_acked = p->cwnd;
	}
}

/* s7.2.3 */
void
sctp_cc_loss(struct sctp_path *p)
{
	p->ssthresh = RTE_MAX(p->cwnd / 2, 4 * pmdcs(p));
	p->cwnd = p->ssthresh;
	p->partial_bytes_acked = 0;
}

void
sctp_cc_timeout(struct sctp_path *p)
{
	p->ssthresh = RTE_MAX(p->cwnd / 2, 4 * pmdcs(p));
	p->cwnd = pmdcs(p);
	p->partial_bytes_acked = 0;
	p->in_fast = p->fast_due = false;
}

/* s7.2.1: what was learnt ages while nothing is sent. */
void
sctp_cc_idle(struct lcore *lc, struct sctp_path *p)
{
	uint64_t rto_ns = (uint64_t)p->rto_ms * SCTP_NS_PER_MS;

	if (p->flight > 0 || p->last_send_ns == 0)
		return;
	for (int i = 0; i < 8 && lc->now_ns - p->last_send_ns > rto_ns; i++) {
		p->cwnd = RTE_MAX(p->cwnd / 2, RTE_MIN(p->cwnd, 4 * pmdcs(p)));
		p->last_send_ns += rto_ns;
	}
}

/* s6.1, D: counted, not taken from cwnd; one more opportunity. */
void
sctp_cc_burst(const struct sctp_ctx *sc, struct sctp_path *p)
{
	p->burst = (uint16_t)RTE_MIN(p->burst + sc->conf.max_burst, (uint32_t)BURST_MOST);
}
