/* SPDX-License-Identifier: BSD-3-Clause */
/* msg.c - control messages and hand-off rings of a worker. */
#include "stack/base/msg.h"

#include <errno.h>

#include "stack/base/lcore.h"

int
msg_post(struct rte_ring *ctl, struct msg *m)
{
	atomic_store_explicit(&m->done, false, memory_order_relaxed);
	return rte_ring_enqueue(ctl, m) == 0 ? 0 : -ENOBUFS;
}

uint32_t
msg_run(struct lcore *lc)
{
	uint32_t ran = 0;
	void *obj;

	while (ran < MSG_RING_SIZE && rte_ring_dequeue(lc->msg->ctl, &obj) == 0) {
		struct msg *m = obj;

		m->fn(lc, m->arg);
		/* After this store the memory is the sender's again. */
		atomic_store_explicit(&m->done, true, memory_order_release);
		ran++;
	}
	return ran;
}

void
msg_handoff(struct lcore *lc, uint16_t worker, enum pkt_handoff stage, struct rte_mbuf *m)
{
	struct rte_ring *r = lc->msg->peer[worker];

	pkt_meta(m)->handoff = (uint8_t)stage;
	if (r == NULL || rte_ring_enqueue(r, m) != 0) {
		pkt_drop(lc, m, DROP_HANDOFF_FULL);
		return;
	}
	lc_count(lc, ST_HANDOFF_OUT);
}

void
msg_handoff_get(struct lcore *lc, struct pkt_vec *v)
{
	v->n = 0;
	if (lc->msg->handoff == NULL)
		return;
	v->n = rte_ring_dequeue_burst(lc->msg->handoff, (void **)v->m, PKT_BURST, NULL);
	lc_count_n(lc, ST_HANDOFF_IN, v->n);
}
