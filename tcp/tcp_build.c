/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * tcp_build.c - the segment builder: the only place that makes segments.
 *
 * The segments of one run differ in their sequence number and their text alone, so everything else
 * is made once, as a mould, and copied; of the checksum too only those two parts are left.
 */
#include <string.h>
#include <rte_tcp.h>

#include "stack/base/csum.h"
#include "tcp/tcp_int.h"

/* What every copy of a header has, in one piece: without options, some zeros too much. */
enum { LARGE_BYTES = 60000 }; /* with all headers it stays below 64 KiB */
enum { OUT_TTL = 64, CAST_BYTES = TCP_HLEN_MIN + TCP_OPT_TS_LEN };

struct mould {
	uint32_t hlen, len; /* of the header, and with the text */
	uint32_t sum;       /* of pseudo-header and header, sequence number and checksum 0 */
	bool partial;       /* the port sums up header and text */
	uint8_t head[TCP_HLEN_MAX];
	struct pkt_meta meta; /* what pkt_meta_init() would begin */
};

static void
mould_make(struct mould *d, const struct flow_key *k, const struct tcp_seg *like, bool partial)
{
	struct tcp_seg s = *like;

	s.seq = 0;
	memset(d->head, 0, CAST_BYTES);
	d->hlen = tcp_wire_emit(d->head, &s, k->lport, k->rport);
	d->len = d->hlen + s.len;
	d->sum = csum_pseudo(k, d->len) + tcp_wire_sum(d->head, &s, k->lport, k->rport);
	pkt_meta_init(&d->meta);
	d->meta.key = *k;
	d->meta.nxt = IPPROTO_N_TCP;
	d->meta.l4_len = (uint16_t)d->len;
	d->meta.ttl = OUT_TTL;
	d->meta.tos = s.tos;
	d->meta.flags = partial ? PKT_F_DF | PKT_F_PARTIAL : PKT_F_DF;
	d->partial = partial;
}

/* What the device wants to know beside the lengths of the lower headers. */
static void
ask_port(const struct mould *d, struct rte_mbuf *m, uint8_t *p, uint32_t nb_segments)
{
	const struct flow_key *k = &d->meta.key;
	bool is_large = nb_segments > 1;
	/* A large one has its length from the device, in each piece. */
	uint16_t pseudo = (uint16_t)csum_fold(csum_pseudo(k, is_large ? 0 : d->len));

	m->ol_flags |= RTE_MBUF_F_TX_TCP_CKSUM;
	m->ol_flags |= ip_addr_is_v4(&k->local) ? RTE_MBUF_F_TX_IPV4 | RTE_MBUF_F_TX_IP_CKSUM
						: RTE_MBUF_F_TX_IPV6;
	m->tx_offload = 0;
	m->l4_len = d->hlen & 0xffu;
	if (is_large) {
		m->ol_flags |= RTE_MBUF_F_TX_TCP_SEG;
		m->tso_segsz = (d->len - d->hlen) & 0xffffu;
	}
	memcpy(p + offsetof(struct rte_tcp_hdr, cksum), &pseudo, sizeof(pseudo));
}

/* Text and checksum are missing. */
static uint8_t *
cast_one(const struct mould *d, struct rte_mbuf *m, uint32_t seq)
{
	rte_be32_t field = rte_cpu_to_be_32(seq);
	uint8_t *p = pkt_data(m, 0);

	memcpy(pkt_meta(m), &d->meta, PKT_META_FRESH);
	memcpy(p, d->head, CAST_BYTES);
	if (unlikely(d->hlen > CAST_BYTES))
		memcpy(p, d->head, d->hlen);
	memcpy(p + offsetof(struct rte_tcp_hdr, sent_seq), &field, sizeof(field));
	m->data_len = (uint16_t)d->len;
	m->pkt_len = d->len;
	return p;
}

static void
close_sum(const struct mould *d, uint8_t *p, uint32_t seq, uint32_t text_sum)
{
	uint64_t sum = (uint64_t)d->sum + text_sum + rte_cpu_to_be_32(seq);
	uint16_t cksum = csum_finish(csum_fold(sum));

	memcpy(p + offsetof(struct rte_tcp_hdr, cksum), &cksum, sizeof(cksum));
}

/* One segment without text. NULL: no packet was left. */
static struct rte_mbuf *
build_empty(struct lcore *lc, const struct flow_key *k, const struct tcp_seg *s)
{
	struct rte_mbuf *m = pkt_alloc(lc);
	struct mould d;

	if (m == NULL) {
		lc->stat.drop[DROP_NOBUF]++;
		return NULL;
	}
	mould_make(&d, k, s, false);
	close_sum(&d, cast_one(&d, m, s->seq), s->seq, 0);
	return m;
}

/* n packets if there are so many, else one, else none. */
static uint32_t
packets_get(struct lcore *lc, struct rte_mbuf **m, uint32_t n, uint32_t bytes)
{
	if (n == 1 || !pkt_alloc_bulk(lc, m, n)) {
		n = 1;
		m[0] = pkt_alloc(lc);
		if (m[0] == NULL) {
			lc->stat.drop[DROP_NOBUF]++;
			return 0;
		}
	}
	if (likely(rte_pktmbuf_tailroom(m[0]) >= bytes))
		return n;
	for (uint32_t i = 0; i < n; i++)
		pkt_drop(lc, m[i], DROP_NOBUF);
	return 0;
}

/* The text of n segments in one chain, which the port cuts; the first packet has the header. */
static void
chain_up(struct tcp_pcb *pcb, const struct mould *d, struct rte_mbuf **m, uint32_t n, uint64_t pos)
{
	uint32_t len = d->len - d->hlen;

	for (uint32_t i = 1; i < n; i++) {
		pos += len;
		buf_copy_out(&pcb->snd, pos, pkt_data(m[i], 0), len);
		m[i]->data_len = (uint16_t)len;
		m[i - 1]->next = m[i];
	}
	m[0]->nb_segs = (uint16_t)n;
	m[0]->pkt_len = d->len + (n - 1) * len;
	pkt_meta(m[0])->l4_len = (uint16_t)m[0]->pkt_len;
}

/*
 * As tcp_build() for a port that completes checksums: n segments leave as one packet. They are full
 * and have no PSH or FIN, so that each piece is what a segment of its own would have been.
 */
static uint32_t
build_offload(struct lcore *lc, struct tcp_pcb *pcb, const struct tcp_seg *s, uint32_t n,
	uint64_t pos, struct pkt_vec *v)
{
	struct rte_mbuf *m[PKT_BURST];
	struct mould d;
	uint8_t *p;

	mould_make(&d, &pcb->fe.key, s, true);
	if (s->len > 0)
		n = RTE_MIN(n, RTE_MAX((uint32_t)LARGE_BYTES / s->len, 1u));
	n = packets_get(lc, m, n, d.len);
	if (n == 0)
		return 0;
	p = cast_one(&d, m[0], s->seq);
	if (s->len > 0)
		buf_copy_out(&pcb->snd, pos, p + d.hlen, s->len);
	chain_up(pcb, &d, m, n, pos);
	ask_port(&d, m[0], p, n);
	latch_stamp(lc, &pcb->latch, &pcb->fe.key, m[0]);
	pkt_vec_add(v, m[0]);
	lc_count_n(lc, ST_TCP_SEG_OUT, n);
	if (n > 1)
		lc_count(lc, ST_TCP_LARGE);
	return n;
}

uint32_t
tcp_build(struct lcore *lc, struct tcp_pcb *pcb, const struct tcp_seg *s, uint32_t n,
	struct pkt_vec *v)
{
	struct rte_mbuf **m = &v->m[v->n];
	struct mould d;
	uint64_t pos = buf_start(&pcb->snd);
	uint32_t seq = s->seq;

	/* The text of a SYN comes after it (RFC 7413 s4.2). */
	pos += seq + ((s->flags & TCP_F_SYN) != 0) - tcp_seq_of(pcb, pos);
	if (unlikely(lc->offload) && latch_sends_clear(&pcb->latch))
		return build_offload(lc, pcb, s, n, pos, v);
	mould_make(&d, &pcb->fe.key, s, false);
	n = packets_get(lc, m, n, d.len);
	for (uint32_t i = 0; i < n; i++, seq += s->len, pos += s->len) {
		uint8_t *p = cast_one(&d, m[i], seq);
		uint32_t sum = 0;

		if (s->len > 0)
			sum = buf_copy_csum(&pcb->snd, pos, p + d.hlen, s->len, 0);
		close_sum(&d, p, seq, sum);
		latch_stamp(lc, &pcb->latch, &pcb->fe.key, m[i]);
	}
	v->n += n;
	lc_count_n(lc, ST_TCP_SEG_OUT, n);
	return n;
}

bool
tcp_build_now(struct lcore *lc, struct tcp_pcb *pcb, const struct tcp_seg *s)
{
	struct rte_mbuf *m = build_empty(lc, &pcb->fe.key, s);

	if (m == NULL)
		return false;
	latch_stamp(lc, &pcb->latch, &pcb->fe.key, m);
	lc_count(lc, ST_TCP_SEG_OUT);
	pkt_out(lc, &lc->out_l4, m);
	return true;
}

bool
tcp_build_answer(struct lcore *lc, const struct tcp_seg *s, const struct rte_mbuf *question)
{
	struct rte_mbuf *m = build_empty(lc, &pkt_meta(question)->key, s);

	if (m == NULL)
		return false;
	latch_stamp_answer(lc, question, m);
	lc_count(lc, ST_TCP_SEG_OUT);
	pkt_out(lc, &lc->out_l4, m);
	return true;
}
