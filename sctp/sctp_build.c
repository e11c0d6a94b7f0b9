/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * sctp_build.c - packets of ours: a fresh buffer, the common header, the checksum, the request tag.
 */
#include "sctp/sctp_int.h"

enum { OUT_TTL = 64, ANSWER_MAX = 1200 };

static bool
start(struct lcore *lc, struct sctp_build *b, uint32_t cap)
{
	b->m = pkt_alloc(lc);
	if (b->m == NULL) {
		lc->stat.drop[DROP_NOBUF]++;
		return false;
	}
	b->e = (struct sctp_emit){
		.p = pkt_data(b->m, 0), .cap = RTE_MIN(cap, (uint32_t)rte_pktmbuf_tailroom(b->m))};
	return true;
}

bool
sctp_build_start(struct lcore *lc, struct sctp_build *b, struct sctp_path *p, uint32_t vtag)
{
	const struct flow_key *k = &p->way.fe.key;

	if (!start(lc, b, p->mps_bytes))
		return false;
	b->path = p;
	sctp_emit_header(&b->e, k->lport, k->rport, vtag);
	return true;
}

static void
finish(struct lcore *lc, struct sctp_build *b, const struct flow_key *k)
{
	struct pkt_meta *pm = pkt_meta(b->m);

	sctp_emit_finish(&b->e);
	b->m->data_len = (uint16_t)b->e.len;
	b->m->pkt_len = b->e.len;
	pm->key = *k;
	pm->nxt = IPPROTO_N_SCTP;
	pm->l4_len = (uint16_t)b->e.len;
	pm->ttl = OUT_TTL;
	pm->flags |= PKT_F_DF;
	lc_count(lc, ST_SCTP_PKT_OUT);
}

struct rte_mbuf *
sctp_build_end(struct lcore *lc, struct sctp_build *b)
{
	struct sctp_way *w = &b->path->way;

	finish(lc, b, &w->fe.key);
	/* s7.3: what was cut for a wider path goes in fragments. */
	if (b->e.len > b->path->mps_bytes)
		pkt_meta(b->m)->flags &= (uint8_t)~PKT_F_DF;
	latch_stamp(lc, &w->latch, &w->fe.key, b->m);
	return b->m;
}

void
sctp_build_queue(struct lcore *lc, struct sctp_build *b)
{
	if (b->e.len == SCTP_HLEN) {
		rte_pktmbuf_free(b->m); /* nothing fitted */
		return;
	}
	pkt_out(lc, &lc->out_l4, sctp_build_end(lc, b));
}

bool
sctp_answer_start(struct lcore *lc, struct sctp_build *b, const struct rte_mbuf *q, uint32_t vtag)
{
	const struct flow_key *k = &pkt_meta(q)->key;

	if (!start(lc, b, ANSWER_MAX))
		return false;
	sctp_emit_header(&b->e, k->lport, k->rport, vtag);
	return true;
}

void
sctp_answer_end(struct lcore *lc, struct sctp_build *b, const struct rte_mbuf *q)
{
	finish(lc, b, &pkt_meta(q)->key);
	latch_stamp_answer(lc, q, b->m);
	pkt_out(lc, &lc->out_l4, b->m);
}
