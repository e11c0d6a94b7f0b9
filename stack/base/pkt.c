/* SPDX-License-Identifier: BSD-3-Clause */
/* pkt.c - allocation, drop and queues of packets, and the registration of the tag. */
#include "stack/base/pkt.h"

#include <errno.h>
#include <rte_branch_prediction.h>
#include <rte_errno.h>
#include <rte_mbuf_dyn.h>

void
pkt_drop(struct lcore *lc, struct rte_mbuf *m, enum drop_reason r)
{
	lc->stat.drop[r]++;
	if (unlikely(lc->on_drop != NULL))
		lc->on_drop(lc, m, r);
	rte_pktmbuf_free(m);
}

void
pkt_vec_drop(struct lcore *lc, struct pkt_vec *v, enum drop_reason r)
{
	lc->stat.drop[r] += v->n;
	for (uint32_t i = 0; unlikely(lc->on_drop != NULL) && i < v->n; i++)
		lc->on_drop(lc, v->m[i], r);
	rte_pktmbuf_free_bulk(v->m, v->n);
	v->n = 0;
}

/* Packets come back in the order of a stack and have cooled down: the one after the next. */
static void
prefetch_later(struct rte_mempool *mp)
{
	const struct rte_mempool_cache *c = rte_mempool_default_cache(mp, rte_lcore_id());
	uint8_t *later;

	if (c == NULL || c->len < 2)
		return;
	later = c->objs[c->len - 2];
	rte_prefetch0(later);
	rte_prefetch0(later + sizeof(struct rte_mbuf));
	rte_prefetch0(later + sizeof(struct rte_mbuf) + RTE_CACHE_LINE_SIZE);
}

struct rte_mbuf *
pkt_alloc(struct lcore *lc)
{
	struct rte_mbuf *m = rte_pktmbuf_alloc(lc->pkt_pool);

	if (m != NULL) {
		prefetch_later(lc->pkt_pool);
		pkt_meta_init(pkt_meta(m));
		pkt_tag_clear(lc, m);
	}
	return m;
}

bool
pkt_alloc_bulk(struct lcore *lc, struct rte_mbuf **m, uint32_t n)
{
	if (rte_pktmbuf_alloc_bulk(lc->pkt_pool, m, n) != 0)
		return false;
	for (uint32_t i = 0; i < n; i++) {
		rte_prefetch0(pkt_meta(m[i]));
		rte_prefetch0(pkt_data(m[i], 0));
		pkt_tag_clear(lc, m[i]);
	}
	return true;
}

static bool
has_ports(uint8_t nxt)
{
	return nxt == IPPROTO_N_TCP || nxt == IPPROTO_N_UDP || nxt == IPPROTO_N_SCTP;
}

bool
pkt_read_ports(struct flow_key *k, const uint8_t *l4, uint32_t len)
{
	k->lport = 0;
	k->rport = 0;
	if (k->proto == IPPROTO_N_ICMP || k->proto == IPPROTO_N_ICMP6) {
		/* RFC 4301 s4.4.1.1: type and code are a selector of 16 bits. */
		if (len >= 2)
			memcpy(&k->lport, l4, 2);
		return len >= 2;
	}
	if (!has_ports(k->proto))
		return true;
	if (len < 4)
		return false;
	memcpy(&k->rport, l4, 2);
	memcpy(&k->lport, l4 + 2, 2);
	return true;
}

bool
pkt_set_l4(struct rte_mbuf *m, uint8_t nxt, uint32_t off, uint32_t len)
{
	struct pkt_meta *pm = pkt_meta(m);

	pm->nxt = nxt;
	pm->l4_off = (uint16_t)off;
	pm->l4_len = (uint16_t)len;
	pm->key.proto = nxt;
	return pkt_read_ports(&pm->key, pkt_data(m, off), len);
}

bool
proto_has_ports(uint8_t proto)
{
	return has_ports(proto) || proto == IPPROTO_N_ICMP || proto == IPPROTO_N_ICMP6;
}

enum pkt_next
pkt_next_of(uint8_t nxt)
{
	switch (nxt) {
	case IPPROTO_N_TCP:
		return NX_TCP;
	case IPPROTO_N_UDP:
		return NX_UDP;
	case IPPROTO_N_SCTP:
		return NX_SCTP;
	case IPPROTO_N_ICMP:
	case IPPROTO_N_ICMP6:
		return NX_ICMP;
	case IPPROTO_N_ESP:
		return NX_ESP;
	default:
		return NX_MAX;
	}
}

void
pkt_queue_put(struct pkt_queue *q, struct rte_mbuf *m)
{
	pkt_meta(m)->link = NULL;
	if (q->head == NULL)
		q->head = m;
	else
		pkt_meta(q->tail)->link = m;
	q->tail = m;
	q->n++;
}

struct rte_mbuf *
pkt_queue_get(struct pkt_queue *q)
{
	struct rte_mbuf *m = q->head;

	if (m != NULL) {
		q->head = pkt_meta(m)->link;
		q->n--;
	}
	return m;
}

void
pkt_queue_drop(struct lcore *lc, struct pkt_queue *q, enum drop_reason r)
{
	struct rte_mbuf *m;

	while ((m = pkt_queue_get(q)) != NULL)
		pkt_drop(lc, m, r);
}

void
pkt_out(struct lcore *lc, struct pkt_queue *q, struct rte_mbuf *m)
{
	if (q->n >= PKT_OUT_MAX)
		pkt_drop(lc, m, DROP_OUT_FULL);
	else
		pkt_queue_put(q, m);
}

int
pkt_tag_register(struct lcore *lc)
{
	static const struct rte_mbuf_dynfield field = {
		.name = "taglatch_tag",
		.size = sizeof(struct tl_tag),
		.align = __alignof__(struct tl_tag),
	};
	static const struct rte_mbuf_dynflag flag = {.name = "taglatch_tagged"};
	int off, bit;

	off = rte_mbuf_dynfield_register(&field);
	if (off < 0)
		return -rte_errno;
	lc->tag_off = (uint32_t)off;
	bit = rte_mbuf_dynflag_register(&flag);
	if (bit < 0)
		return -rte_errno;
	lc->tag_flag = UINT64_C(1) << bit;
	return 0;
}
