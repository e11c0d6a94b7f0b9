/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * sctp_rexmt.c - chunks that were sent: acknowledged, lost, sent again (RFC 9260 s6.2.1, s6.3.3,
 * s7.2.4).
 *
 * A chunk in SENT counts as in flight on its path, one in LOST does not; its path is then chosen
 * when it leaves again.
 */
#include <errno.h>

#include "sctp/sctp_int.h"
#include "stack/base/assert.h"

enum { MISSING_MAX = 3 };

static void t3_due(struct lcore *lc, struct tmr *t);

void
sctp_t3_start(struct lcore *lc, struct sctp_path *p)
{
	tmr_set(lc, &p->t3, lc->now_ns + (uint64_t)p->rto_ms * SCTP_NS_PER_MS, t3_due);
}

void
sctp_tx_flight(struct sctp_assoc *a, struct sctp_tx *t, struct sctp_path *p)
{
	if (t->state == SCTP_TX_LOST)
		a->nb_lost--;
	if (t->state == SCTP_TX_ACKED)
		a->nb_gap_acked--;
	t->state = SCTP_TX_SENT;
	t->path = p;
	t->stay = false;
	p->flight += t->len;
	a->outstanding += t->len;
}

static void
unflight(struct sctp_assoc *a, struct sctp_tx *t)
{
	t->path->flight -= t->len;
	a->outstanding -= t->len;
}

void
sctp_tx_lost(struct sctp_assoc *a, struct sctp_tx *t)
{
	unflight(a, t);
	t->state = SCTP_TX_LOST;
	t->again = true;
	a->nb_lost++;
	/* s6.3.1, C5 */
	if (t->path->rtt_busy && t->path->rtt_tsn == t->tsn)
		t->path->rtt_busy = false;
}

void
sctp_tx_ack(struct lcore *lc, struct sctp_assoc *a, struct sctp_tx *t)
{
	struct sctp_path *p = t->path;

	if (t->state == SCTP_TX_SENT)
		unflight(a, t);
	else
		a->nb_lost--;
	t->state = SCTP_TX_ACKED;
	a->nb_gap_acked++;
	p->acked += t->len;
	if (!p->rtt_busy || p->rtt_tsn != t->tsn)
		return;
	p->rtt_busy = false;
	if (!t->again)
		sctp_rtt_sample(a, p, (uint32_t)((lc->now_ns - p->rtt_ns) / 1000));
}

void
sctp_cum_ack(struct lcore *lc, struct sctp_assoc *a, uint32_t tsn)
{
	struct sctp_tx *t;
	bool moved = seq_gt(tsn, a->cum_ack);

	if (!moved || seq_geq(tsn, a->next_tsn))
		return;
	while ((t = TAILQ_FIRST(&a->sent)) != NULL && seq_leq(t->tsn, tsn)) {
		if (t->state != SCTP_TX_ACKED)
			sctp_tx_ack(lc, a, t);
		a->nb_gap_acked--;
		tl_assert(t->pos == buf_start(&a->snd));
		buf_drop(lc, &a->snd, t->len);
		TAILQ_REMOVE(&a->sent, t, entry);
		a->nb_sent--;
		rte_mempool_put(lc->sctp->txs, t);
	}
	a->cum_ack = tsn;
}

/* s6.3.2, R2 and R3 */
static void
rearm(struct lcore *lc, struct sctp_path *p, bool restart)
{
	if (p->flight == 0)
		tmr_stop(lc, &p->t3);
	else if (restart)
		sctp_t3_start(lc, p);
}

void
sctp_acked(struct lcore *lc, struct sctp_assoc *a, bool in_order)
{
	struct sctp_path *p;

	TAILQ_FOREACH (p, &a->paths, entry) {
		if (p->acked > 0) {
			sctp_cc_ack(a, p, in_order, p->flight + p->acked);
			sctp_cc_burst(lc->sctp, p);
			/* s8.2; s5.4: data never goes where nothing is confirmed. */
			sctp_path_alive(lc, p);
		}
		rearm(lc, p, in_order && p->acked > 0);
		p->acked = 0;
	}
	sctp_wake(lc, a);
	sctp_mark(lc, a, SCTP_OUT_DATA);
	sctp_shutdown_go_on(lc, a);
}

/* s7.2.4: "missing" as it says for HTNA. highest_new: of what this SACK acknowledged anew. */
void
sctp_fast_rexmt(struct lcore *lc, struct sctp_assoc *a, uint32_t highest_new)
{
	struct sctp_tx *t;

	TAILQ_FOREACH (t, &a->sent, entry) {
		struct sctp_path *p = t->path;

		if (!seq_lt(t->tsn, highest_new))
			break;
		if (t->state != SCTP_TX_SENT || t->fast || ++t->missing < MISSING_MAX)
			continue;
		sctp_tx_lost(a, t);
		t->fast = t->stay = true;
		lc_count(lc, ST_SCTP_FAST_REXMT);
		if (p->in_fast)
			continue;
		p->in_fast = p->fast_due = true;
		p->fast_exit = a->next_tsn - 1;
		sctp_cc_loss(p);
	}
}

void
sctp_path_lost(struct lcore *lc, struct sctp_path *p)
{
	struct sctp_assoc *a = p->a;
	struct sctp_tx *t;

	if (p->flight > 0) {
		TAILQ_FOREACH (t, &a->sent, entry) {
			if (t->path == p && t->state == SCTP_TX_SENT)
				sctp_tx_lost(a, t);
		}
	}
	TAILQ_FOREACH (t, &a->sent, entry) {
		if (t->path == p)
			t->stay = false;
	}
	tmr_stop(lc, &p->t3);
	sctp_mark(lc, a, SCTP_OUT_DATA);
}

/* s6.3.3 */
static void
t3_due(struct lcore *lc, struct tmr *tm)
{
	struct sctp_path *p = container_of(tm, struct sctp_path, t3);
	struct sctp_assoc *a = p->a;

	lc_count(lc, ST_SCTP_TIMEOUT);
	sctp_cc_timeout(p);
	sctp_rto_double(a, p);
	sctp_path_lost(lc, p);
	/* s6.1, A: a peer that answers probes is not gone; its SACKs clear the counters. */
	if (!sctp_path_failed(lc, p))
		return;
	sctp_path_refresh(lc, p);
	sctp_assoc_check(a);
}

void
sctp_tx_free(struct lcore *lc, struct sctp_assoc *a)
{
	struct sctp_path *p;
	struct sctp_tx *t;

	while ((t = TAILQ_FIRST(&a->sent)) != NULL) {
		TAILQ_REMOVE(&a->sent, t, entry);
		rte_mempool_put(lc->sctp->txs, t);
	}
	while ((t = TAILQ_FIRST(&a->waiting)) != NULL) {
		TAILQ_REMOVE(&a->waiting, t, entry);
		rte_mempool_put(lc->sctp->txs, t);
	}
	TAILQ_FOREACH (p, &a->paths, entry)
		p->flight = p->acked = 0;
	a->outstanding = a->waiting_bytes = 0;
	a->nb_sent = a->nb_lost = a->nb_gap_acked = 0;
	/* As if it had all been acknowledged. */
	a->cum_ack = a->next_tsn - 1;
	buf_clear(lc, &a->snd);
}
