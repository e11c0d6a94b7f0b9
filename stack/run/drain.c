/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * drain.c - when a worker has emptied every queue whose packets could name a deleted SA (F-1).
 *
 * Those are the hand-off ring to it and its reassembly. Packets on their way out name SAs too, but
 * by index and generation, and the generation is compared before an SA is used.
 */
#include <rte_ring.h>

#include "stack/net/frag.h"
#include "stack/run/run.h"

void
drain_ask(struct lcore *lc, uint64_t epoch)
{
	struct drain *d = &lc->run->drain;

	/* One after the other, or who asks often never hears an end. */
	d->later = epoch;
	if (drain_passed(lc) != d->wanted)
		return;
	d->wanted = epoch;
	d->since_ns = lc->now_ns;
	d->handoffs = lc->stat.st[ST_HANDOFF_IN];
	if (lc->msg->handoff != NULL)
		d->handoffs += rte_ring_count(lc->msg->handoff);
}

void
drain_check(struct lcore *lc)
{
	struct drain *d = &lc->run->drain;

	if (atomic_load_explicit(&d->passed, memory_order_relaxed) == d->wanted)
		return;
	if (lc->stat.st[ST_HANDOFF_IN] < d->handoffs)
		return;
	if (frag_oldest_ns(lc) <= d->since_ns)
		return;
	atomic_store_explicit(&d->passed, d->wanted, memory_order_release);
	if (d->later != d->wanted)
		drain_ask(lc, d->later);
}

uint64_t
drain_passed(const struct lcore *lc)
{
	return atomic_load_explicit(&lc->run->drain.passed, memory_order_acquire);
}
