/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * sctp_in.c - receive stage: from the verdict of a path to the chunks of its association.
 *
 * Called by rx_path() after latch_in(). Every packet ends here; chunks that have to wait keep a
 * reference to it. Nothing is sent: associations are marked, answers are queued.
 */
#include "sctp/sctp_int.h"

enum { ECHO_MAX = 512 }; /* of a HEARTBEAT that is sent back */

/* ---- out of the blue (RFC 9260 s8.4) ---- */

/* What a packet without an association contains; the first chunk decides most of it. */
struct blue {
	struct sctp_chunk first;
	bool has_abort, has_stale, has_cookie_ack;
	bool is_alone;
};

static void
look(const struct rte_mbuf *m, struct blue *b)
{
	const struct pkt_meta *pm = pkt_meta(m);
	struct sctp_walk w;
	struct sctp_chunk c;
	uint32_t n = 0;

	*b = (struct blue){.is_alone = true};
	sctp_walk_start(&w, pkt_data(m, pm->l4_off), pm->l4_len);
	while (sctp_walk_next(&w, &c)) {
		struct sctp_bytes info;

		if (n++ == 0)
			b->first = c;
		b->has_abort |= c.type == SCTP_ABORT;
		b->has_cookie_ack |= c.type == SCTP_COOKIE_ACK;
		b->has_stale |=
			c.type == SCTP_ERROR && sctp_wire_find_cause(&c, SCTP_C_STALE, &info);
	}
	b->is_alone = n == 1;
}

/* The cookie made an association: the chunks behind it are its first ones (F-65: the latch is
 * there). */
static enum drop_reason
cookie_in(struct lcore *lc, struct sctp_rcv *r, const struct blue *b)
{
	const struct pkt_meta *pm = pkt_meta(r->m);
	enum drop_reason why = sctp_cookie_new(lc, r, &b->first);
	struct sctp_chunk c;
	struct sctp_walk w;

	if (why != DROP_NONE)
		return why;
	sctp_walk_start(&w, pkt_data(r->m, pm->l4_off), pm->l4_len);
	sctp_walk_next(&w, &c);
	r->nb = 1;
	return sctp_chunks_in(lc, r, &w);
}

/* s8.4, in its order; step 1, addresses of many, was done. */
static enum drop_reason
of_nobody(struct lcore *lc, struct sctp_rcv *r)
{
	struct blue b;

	look(r->m, &b);
	if (b.has_abort) /* 2 */
		return DROP_SCTP_OOTB;
	if (b.first.type == SCTP_INIT && r->hdr.vtag == 0) /* 3 */
		return b.is_alone ? sctp_init_new(lc, r, &b.first) : DROP_SCTP_BUNDLE;
	if (b.first.type == SCTP_COOKIE_ECHO) /* 4 */
		return cookie_in(lc, r, &b);
	if (b.first.type == SCTP_SHUTDOWN_ACK) { /* 5 */
		sctp_answer_shutdown_complete(lc, r->m, r->hdr.vtag);
		return DROP_SCTP_OOTB;
	}
	if (b.first.type == SCTP_SHUTDOWN_COMPLETE) /* 6 */
		return DROP_SCTP_OOTB;
	if (b.has_stale || b.has_cookie_ack) /* 7 */
		return DROP_SCTP_OOTB;
	sctp_answer_abort(lc, r->m, r->hdr.vtag, SCTP_F_T, SCTP_C_NONE); /* 8 */
	return DROP_SCTP_OOTB;
}

/* ---- associations ---- */

static enum drop_reason
of_path(struct lcore *lc, struct sctp_rcv *r)
{
	const struct pkt_meta *pm = pkt_meta(r->m);
	struct sctp_walk w;

	r->a = r->path->a;
	sctp_walk_start(&w, pkt_data(r->m, pm->l4_off), pm->l4_len);
	return sctp_chunks_in(lc, r, &w);
}

/* Classes M2 and M3 (C.3): nothing of the packet is used, whatever its chunks and its tag (F-67,
 * F-73). With m3-action = window it has to have the right tag (F-91). */
static enum drop_reason
conflict(struct lcore *lc, struct sctp_way *w, const struct rte_mbuf *m)
{
	const struct pkt_meta *pm = pkt_meta(m);
	enum tl_latch_reason why = pm->reason;
	struct sctp_hdr h;

	if (w->live && (!latch_asks_window(lc) || (sctp_wire_check(pkt_data(m, pm->l4_off),
							   pm->l4_len, &h) == DROP_NONE &&
							  h.vtag == w->path->a->own_vtag)))
		sctp_latch_alert(lc, &w->latch, latch_conflict(lc, &w->latch, why, false));
	return why == TL_LATCH_QOP_CONFLICT ? DROP_LATCH_M2 : DROP_LATCH_M3;
}

static enum drop_reason
arrives(struct lcore *lc, struct rte_mbuf *m)
{
	const struct pkt_meta *pm = pkt_meta(m);
	struct sctp_way *w = pm->flow == NULL ? NULL : sctp_way_of(pm->flow);
	struct sctp_rcv r = {.m = m, .key = &pm->key};
	enum drop_reason why;

	/* The verdict of the path stands before the tag and before any chunk. */
	if (pm->verdict == VERDICT_BREAK)
		return w == NULL ? DROP_LATCH_M3 : conflict(lc, w, m);
	if (pm->verdict != VERDICT_ACCEPT)
		return DROP_LATCH_CLOSED;
	if ((pm->flags & PKT_F_MCAST) != 0) /* s8.4, 1 */
		return DROP_SCTP_BCAST;
	if ((uint32_t)pm->l4_off + pm->l4_len > m->data_len)
		return DROP_SCTP_SHORT;
	why = sctp_wire_check(pkt_data(m, pm->l4_off), pm->l4_len, &r.hdr);
	if (why != DROP_NONE)
		return why;
	if (w == NULL)
		return of_nobody(lc, &r);
	r.path = w->path;
	return of_path(lc, &r);
}

void
sctp_in(struct lcore *lc, struct pkt_vec *v)
{
	for (uint32_t i = 0; i < v->n; i++) {
		if (!latch_recheck(lc, v->m[i]))
			continue;
		lc_count(lc, ST_SCTP_PKT_IN);
		pkt_drop(lc, v->m[i], arrives(lc, v->m[i]));
		sctp_reap(lc);
	}
	v->n = 0;
}

/* ---- small chunks ---- */

void
sctp_report(struct lcore *lc, struct sctp_path *p, uint16_t cause, const struct sctp_bytes *info)
{
	struct sctp_build b;

	if (!sctp_build_start(lc, &b, p, p->a->peer_vtag))
		return;
	sctp_emit_cause(&b.e, SCTP_ERROR, 0, cause, info);
	sctp_build_queue(lc, &b);
}

/* s8.3: goes back where it came from, its parameter unchanged. */
enum sctp_next
sctp_heartbeat_chunk(struct lcore *lc, struct sctp_rcv *r, const struct sctp_chunk *c)
{
	struct sctp_build b;
	uint8_t *p;

	if (c->len > ECHO_MAX || !sctp_path_is_open(r->path))
		return SCTP_NEXT;
	if (!sctp_build_start(lc, &b, r->path, r->a->peer_vtag))
		return SCTP_NEXT;
	p = sctp_emit_chunk(&b.e, SCTP_HEARTBEAT_ACK, 0, c->len);
	if (p != NULL)
		memcpy(p, c->val, c->len);
	sctp_build_queue(lc, &b);
	return SCTP_NEXT;
}

/* s3.3.10, s5.2.6: only what changes something is looked at. */
enum sctp_next
sctp_error_chunk(struct lcore *lc, struct sctp_rcv *r, const struct sctp_chunk *c)
{
	struct sctp_bytes info;
	struct sctp_assoc *a = r->a;

	if (a->state != SCTPS_COOKIE_ECHOED || !sctp_wire_find_cause(c, SCTP_C_STALE, &info))
		return SCTP_NEXT;
	/* s5.2.6 (1): once more from the INIT. */
	sctp_init_start(lc, a);
	return SCTP_STOP;
}
