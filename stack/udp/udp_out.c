/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * udp_out.c - transmit stage: datagrams that programs gave, socket by socket.
 *
 * Called by out_next(). A datagram waits complete; one of a connection gets its request tag when it
 * leaves, because the latch decides at that moment, any other one got it when it was sent.
 */
#include "stack/udp/udp_int.h"

enum {
	OUT_QUANTUM = 8,
	PKT_CHARGE = 256, /* beside the payload, so that small ones do not take all packets */
};

uint32_t
udp_snd_charge(uint32_t payload_bytes)
{
	return payload_bytes + PKT_CHARGE;
}

void
udp_snd_put(struct lcore *lc, struct udp_pcb *pcb, struct rte_mbuf *m)
{
	pcb->snd_bytes += udp_snd_charge(m->pkt_len - UDP_HLEN);
	lc->udp->waiting++;
	pkt_queue_put(&pcb->snd, m);
	if (pcb->on_out)
		return;
	pcb->on_out = true;
	TAILQ_INSERT_TAIL(&lc->udp->out, pcb, out);
}

static void
unmark(struct lcore *lc, struct udp_pcb *pcb)
{
	if (pcb->on_out)
		TAILQ_REMOVE(&lc->udp->out, pcb, out);
	pcb->on_out = false;
}

static struct rte_mbuf *
next_of(struct lcore *lc, struct udp_pcb *pcb)
{
	struct rte_mbuf *m = pkt_queue_get(&pcb->snd);

	if (m == NULL)
		return NULL;
	pcb->snd_bytes -= udp_snd_charge(m->pkt_len - UDP_HLEN);
	lc->udp->waiting--;
	if (pcb->state == UDP_CONNECTED)
		latch_stamp(lc, &pcb->latch, &pcb->fe.key, m);
	return m;
}

void
udp_snd_leave(struct lcore *lc, struct udp_pcb *pcb)
{
	struct rte_mbuf *m;

	while ((m = next_of(lc, pcb)) != NULL)
		pkt_out(lc, &lc->udp->left, m);
	unmark(lc, pcb);
}

void
udp_snd_drop(struct lcore *lc, struct udp_pcb *pcb)
{
	lc->udp->waiting -= pcb->snd.n;
	pkt_queue_drop(lc, &pcb->snd, DROP_LATCH_CLOSED);
	pcb->snd_bytes = 0;
	unmark(lc, pcb);
}

bool
udp_out_pending(const struct lcore *lc)
{
	return lc->udp->left.n > 0 || !TAILQ_EMPTY(&lc->udp->out);
}

/* At most max datagrams of one socket, which goes behind the others. */
static void
pcb_out(struct lcore *lc, struct udp_pcb *pcb, struct pkt_vec *v, uint32_t max)
{
	struct rte_mbuf *m;

	for (uint32_t n = 0; n < max && (m = next_of(lc, pcb)) != NULL; n++) {
		lc_count(lc, ST_UDP_OUT);
		pkt_vec_add(v, m);
	}
	TAILQ_REMOVE(&lc->udp->out, pcb, out);
	pcb->on_out = pcb->snd.n > 0;
	if (pcb->on_out)
		TAILQ_INSERT_TAIL(&lc->udp->out, pcb, out);
	udp_wake(lc, pcb);
}

uint32_t
udp_out(struct lcore *lc, struct pkt_vec *v, uint32_t max)
{
	uint32_t first = v->n, limit = RTE_MIN(max, PKT_BURST - v->n);
	struct udp_ctx *c = lc->udp;
	struct udp_pcb *pcb;

	while (v->n - first < limit && c->left.n > 0) {
		lc_count(lc, ST_UDP_OUT);
		pkt_vec_add(v, pkt_queue_get(&c->left));
	}
	while (v->n - first < limit && (pcb = TAILQ_FIRST(&c->out)) != NULL)
		pcb_out(lc, pcb, v, RTE_MIN(limit - (v->n - first), (uint32_t)OUT_QUANTUM));
	return v->n - first;
}
