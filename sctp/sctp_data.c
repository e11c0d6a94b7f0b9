/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * sctp_data.c - DATA chunks: taken or refused, put together, delivered in the order of their
 * streams (RFC 9260 s6.2, s6.5, s6.6, s6.9).
 *
 * A message that is whole and in order goes from the packet into the program's buffer at once.
 * Everything else keeps its packet in a->held, in order of TSN, until it is whole and its turn
 * comes. The fragments of a message have consecutive TSNs (s6.9), so a message is a run there.
 */
#include <errno.h>

#include "sctp/sctp_int.h"

enum { HELD_MAX = 1024, SLACK = 65536 };

uint32_t
sctp_rwnd(const struct sctp_assoc *a)
{
	uint32_t used = a->rcv_bytes + a->held_bytes;

	return used < a->rcv_limit ? a->rcv_limit - used : 0;
}

void
sctp_rwnd_opened(struct lcore *lc, struct sctp_assoc *a)
{
	uint32_t now = sctp_rwnd(a);

	/* RFC 9293 s3.8.6.2.2's silly window, as s6.2 asks for SACKs of a window that opened. */
	if (a->state >= SCTPS_ESTABLISHED && a->state <= SCTPS_SHUTDOWN_SENT &&
		now > a->rwnd_told && now - a->rwnd_told >= a->rcv_limit / 2)
		sctp_mark(lc, a, SCTP_OUT_SACK);
}

/* ---- to the program ---- */

bool
sctp_rcv_put(struct lcore *lc, struct sctp_assoc *a, const struct sctp_rec *rec, const void *p)
{
	if (!buf_fits(lc, &a->rcv, sizeof(*rec) + rec->len))
		return false;
	buf_append(lc, &a->rcv, rec, sizeof(*rec));
	buf_append(lc, &a->rcv, p, rec->len);
	a->rcv_bytes += (uint32_t)sizeof(*rec) + rec->len;
	if ((rec->flags & SCTP_F_E) != 0)
		a->rcv_msgs++;
	return true;
}

static bool
put(struct lcore *lc, struct sctp_assoc *a, const struct sctp_rx *r)
{
	struct sctp_rec rec;

	/* Nobody reads any more: it is acknowledged and forgotten (RFC 6458 s4.1.7). */
	if (a->rd_shut)
		return true;
	memset(&rec, 0, sizeof(rec));
	rec.len = r->len;
	rec.tsn = r->tsn;
	rec.cum_tsn = a->cum_tsn;
	rec.ppid = r->ppid;
	rec.sid = r->sid;
	rec.ssn = r->ssn;
	rec.flags = r->flags & (SCTP_F_B | SCTP_F_E | SCTP_F_U);
	return sctp_rcv_put(lc, a, &rec, r->data);
}

/* ---- what is held ---- */

static void
rx_free(struct lcore *lc, struct sctp_assoc *a, struct sctp_rx *r)
{
	TAILQ_REMOVE(&a->held, r, entry);
	a->held_bytes -= r->len;
	a->nb_held--;
	lc->sctp->held--;
	rte_pktmbuf_free(r->m); /* its packet was counted when it came */
	rte_mempool_put(lc->sctp->rxs, r);
}

void
sctp_data_free(struct lcore *lc, struct sctp_assoc *a)
{
	struct sctp_rx *r;

	while ((r = TAILQ_FIRST(&a->held)) != NULL)
		rx_free(lc, a, r);
	a->in_partial = false;
	sctp_map_free(lc, a);
	a->max_tsn = a->cum_tsn;
}

/* s6.2: what was not acknowledged cumulatively may be given up for what is needed first. */
static bool
evict(struct lcore *lc, struct sctp_assoc *a)
{
	struct sctp_rx *r = TAILQ_LAST(&a->held, sctp_rx_list);

	if (r == NULL || seq_leq(r->tsn, a->cum_tsn + 1))
		return false;
	a->map->w[r->tsn % SCTP_MAP_BITS / 64] &= ~(UINT64_C(1) << (r->tsn & 63));
	rx_free(lc, a, r);
	return true;
}

static bool
may_hold(struct lcore *lc, struct sctp_assoc *a, uint32_t tsn)
{
	while (a->nb_held >= HELD_MAX || lc->sctp->held >= lc->sctp->held_max) {
		if (tsn != a->cum_tsn + 1 || !evict(lc, a))
			return false;
	}
	return true;
}

static struct sctp_rx *
hold(struct lcore *lc, struct sctp_assoc *a, const struct sctp_rx *like)
{
	struct sctp_rx *r, *at;
	void *obj;

	if (!may_hold(lc, a, like->tsn) || rte_mempool_get(lc->sctp->rxs, &obj) != 0)
		return NULL;
	r = obj;
	*r = *like;
	rte_mbuf_refcnt_update(r->m, 1);
	TAILQ_FOREACH_REVERSE(at, &a->held, sctp_rx_list, entry)
	{
		if (seq_lt(at->tsn, r->tsn))
			break;
	}
	if (at == NULL)
		TAILQ_INSERT_HEAD(&a->held, r, entry);
	else
		TAILQ_INSERT_AFTER(&a->held, at, r, entry);
	a->held_bytes += r->len;
	a->nb_held++;
	lc->sctp->held++;
	return r;
}

/* ---- whole messages ---- */

struct run {
	struct sctp_rx *first, *last;
	uint32_t bytes, n;
	bool whole;
};

/* The fragments around r that belong together. */
static void
run_find(const struct sctp_assoc *a, struct sctp_rx *r, struct run *run)
{
	struct sctp_rx *o;

	(void)a;
	*run = (struct run){.first = r, .last = r, .bytes = r->len, .n = 1};
	while ((run->first->flags & SCTP_F_B) == 0) {
		o = TAILQ_PREV(run->first, sctp_rx_list, entry);
		if (o == NULL || o->tsn != run->first->tsn - 1 || (o->flags & SCTP_F_E) != 0)
			break;
		run->first = o;
		run->bytes += o->len;
		run->n++;
	}
	while ((run->last->flags & SCTP_F_E) == 0) {
		o = TAILQ_NEXT(run->last, entry);
		if (o == NULL || o->tsn != run->last->tsn + 1 || (o->flags & SCTP_F_B) != 0)
			break;
		run->last = o;
		run->bytes += o->len;
		run->n++;
	}
	run->whole = (run->first->flags & SCTP_F_B) != 0 && (run->last->flags & SCTP_F_E) != 0;
}

/* s6.6 */
static bool
is_next(const struct sctp_assoc *a, uint8_t flags, uint16_t sid, uint16_t ssn)
{
	return (flags & SCTP_F_U) != 0 || a->in_ssn[sid] == ssn;
}

static void
count_ssn(struct sctp_assoc *a, uint8_t flags, uint16_t sid)
{
	if ((flags & SCTP_F_U) == 0)
		a->in_ssn[sid]++;
}

/* From first to last, which are held. False: no room, nothing happened. */
static bool
give_run(struct lcore *lc, struct sctp_assoc *a, const struct run *run)
{
	struct sctp_rx *r = run->first, *next;
	bool done;

	if (!a->rd_shut && !buf_fits(lc, &a->rcv, run->bytes + run->n * sizeof(struct sctp_rec)))
		return false;
	do {
		next = TAILQ_NEXT(r, entry);
		done = r == run->last;
		put(lc, a, r);
		rx_free(lc, a, r);
		r = next;
	} while (!done);
	return true;
}

static bool
give_message(struct lcore *lc, struct sctp_assoc *a, const struct run *run)
{
	uint8_t flags = run->first->flags;
	uint16_t sid = run->first->sid;

	if (!run->whole || a->in_partial || !is_next(a, flags, sid, run->first->ssn))
		return false;
	if (!give_run(lc, a, run))
		return false;
	count_ssn(a, flags, sid);
	return true;
}

/* A message of stream sid was delivered: the next ones of it may be there. */
static void
give_stream(struct lcore *lc, struct sctp_assoc *a, uint16_t sid)
{
	struct sctp_rx *r = TAILQ_FIRST(&a->held);
	struct run run;

	while (r != NULL) {
		if (r->sid != sid || (r->flags & SCTP_F_B) == 0 || (r->flags & SCTP_F_U) != 0 ||
			r->ssn != a->in_ssn[sid]) {
			r = TAILQ_NEXT(r, entry);
			continue;
		}
		run_find(a, r, &run);
		if (!give_message(lc, a, &run))
			return;
		r = TAILQ_FIRST(&a->held);
	}
}

/* All that can be: after the program made room, or a partial delivery ended. */
static void
give_all(struct lcore *lc, struct sctp_assoc *a)
{
	struct sctp_rx *r = TAILQ_FIRST(&a->held);
	struct run run;

	while (r != NULL) {
		run_find(a, r, &run);
		r = give_message(lc, a, &run) ? TAILQ_FIRST(&a->held) : TAILQ_NEXT(run.last, entry);
	}
}

/* ---- messages larger than the buffer (s6.9, partial delivery) ---- */

static void
partial_go_on(struct lcore *lc, struct sctp_assoc *a)
{
	struct sctp_rx *r;

	while (a->in_partial) {
		struct run one;
		bool last;

		TAILQ_FOREACH (r, &a->held, entry) {
			if (r->tsn == a->partial_tsn)
				break;
		}
		if (r == NULL)
			return;
		one = (struct run){.first = r, .last = r, .bytes = r->len, .n = 1};
		last = (r->flags & SCTP_F_E) != 0;
		if (!give_run(lc, a, &one))
			return;
		a->partial_tsn++;
		a->in_partial = !last;
		if (last)
			give_all(lc, a);
	}
}

/* Everything before it came, it is next, and waiting for its end would fill the window. */
static void
partial_start(struct lcore *lc, struct sctp_assoc *a, const struct run *run)
{
	uint8_t flags = run->first->flags;
	uint16_t sid = run->first->sid;
	uint32_t next = run->last->tsn + 1;

	if (run->whole || a->in_partial || (flags & SCTP_F_B) == 0 ||
		run->bytes < a->rcv_limit / 2 || seq_gt(run->last->tsn, a->cum_tsn) ||
		!is_next(a, flags, sid, run->first->ssn) || !give_run(lc, a, run))
		return;
	count_ssn(a, flags, sid);
	a->in_partial = true;
	a->partial_tsn = next;
}

void
sctp_data_room(struct lcore *lc, struct sctp_assoc *a)
{
	if (TAILQ_EMPTY(&a->held))
		return;
	partial_go_on(lc, a);
	give_all(lc, a);
}

/* ---- arrival ---- */

/* Straight into the buffer. */
static bool
give_now(struct lcore *lc, struct sctp_assoc *a, const struct sctp_rx *r)
{
	const uint8_t whole = SCTP_F_B | SCTP_F_E;

	if ((r->flags & whole) != whole || a->in_partial || !is_next(a, r->flags, r->sid, r->ssn))
		return false;
	if (!put(lc, a, r))
		return false;
	count_ssn(a, r->flags, r->sid);
	if (!TAILQ_EMPTY(&a->held))
		give_stream(lc, a, r->sid);
	return true;
}

/* Noted in the map after it was taken: false: it was not. */
static bool
take(struct lcore *lc, struct sctp_assoc *a, const struct sctp_rx *like)
{
	struct sctp_rx *r;
	struct run run;

	if (give_now(lc, a, like))
		return sctp_map_add(lc, a, like->tsn);
	r = hold(lc, a, like);
	if (r == NULL)
		return false;
	if (!sctp_map_add(lc, a, r->tsn)) {
		rx_free(lc, a, r);
		return false;
	}
	if (a->in_partial) {
		partial_go_on(lc, a);
		return true;
	}
	run_find(a, r, &run);
	if (run.whole) {
		uint16_t sid = r->sid;

		if (give_message(lc, a, &run))
			give_stream(lc, a, sid);
	} else {
		partial_start(lc, a, &run);
	}
	return true;
}

static void
note_dup(struct lcore *lc, struct sctp_assoc *a, uint32_t tsn)
{
	lc_count(lc, ST_SCTP_DUP);
	if (a->nb_dups < SCTP_DUPS_MAX)
		a->dup[a->nb_dups++] = tsn;
}

/* s6.5: acknowledged, reported, not delivered. */
static void
bad_stream(struct lcore *lc, struct sctp_rcv *r, const struct sctp_data *d)
{
	uint8_t what[4] = {(uint8_t)(d->sid >> 8), (uint8_t)d->sid, 0, 0};
	struct sctp_bytes info = {what, sizeof(what)};

	if (sctp_map_add(lc, r->a, d->tsn))
		sctp_report(lc, r->path, SCTP_C_STREAM, &info);
}

/* Whether there is a place for it: in the map without fail, so that what is given to the program
 * is noted; and in the window. */
static bool
fits(struct lcore *lc, const struct sctp_assoc *a, const struct sctp_data *d)
{
	uint32_t ahead = d->tsn - a->cum_tsn;

	if (ahead >= SCTP_MAP_BITS)
		return false;
	if (a->map == NULL && ahead != 1 && rte_mempool_avail_count(lc->sctp->maps) == 0)
		return false;
	/* s6.2: with a window of zero nothing new; what the peer began before may go over a bit. */
	return sctp_rwnd(a) > 0 && a->rcv_bytes + a->held_bytes + d->len <= a->rcv_limit + SLACK;
}

enum sctp_next
sctp_data_chunk(struct lcore *lc, struct sctp_rcv *r, const struct sctp_chunk *c)
{
	struct sctp_assoc *a = r->a;
	struct sctp_data d;
	struct sctp_rx like;

	if (!sctp_wire_data(c, &d))
		return SCTP_STOP;
	if (d.len == 0) { /* s6.2 */
		struct sctp_bytes info = {c->val, 4};

		sctp_abort(lc, a, SCTP_C_NO_DATA, &info, ECONNABORTED);
		return SCTP_STOP;
	}
	lc_count(lc, ST_SCTP_DATA_IN);
	r->data = true;
	a->sack_now |= (d.flags & SCTP_F_I) != 0;
	if (sctp_map_has(a, d.tsn)) {
		note_dup(lc, a, d.tsn);
		return SCTP_NEXT;
	}
	if (!fits(lc, a, &d)) {
		lc->stat.drop[DROP_SCTP_WINDOW]++;
		a->sack_now = true;
		return SCTP_NEXT;
	}
	if (d.sid >= a->nb_in) {
		bad_stream(lc, r, &d);
		return SCTP_NEXT;
	}
	like = (struct sctp_rx){.m = r->m,
		.data = d.data,
		.tsn = d.tsn,
		.ppid = d.ppid,
		.len = d.len,
		.sid = d.sid,
		.ssn = d.ssn,
		.flags = d.flags};
	if (!take(lc, a, &like))
		lc->stat.drop[DROP_SCTP_MEM]++;
	return SCTP_NEXT;
}

/* s6.2: at once for every second packet, for holes, duplicates, and in SHUTDOWN-SENT (s9.2). */
void
sctp_data_done(struct lcore *lc, struct sctp_assoc *a, struct sctp_path *p)
{
	a->sack_path = p;
	sctp_autoclose_touch(lc, a);
	sctp_wake(lc, a);
	if (a->state == SCTPS_SHUTDOWN_SENT) {
		sctp_mark(lc, a, SCTP_OUT_SACK | SCTP_OUT_SHUTDOWN);
		sctp_ctl_start(lc, a);
		return;
	}
	a->sack_packets++;
	if (a->sack_packets >= lc->sctp->conf.sack_freq || a->map != NULL || a->nb_dups > 0 ||
		a->sack_now)
		sctp_mark(lc, a, SCTP_OUT_SACK);
	else
		sctp_sack_later(lc, a);
}
