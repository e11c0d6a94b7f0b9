/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * sctp_shut.c - how associations end: SHUTDOWN in three chunks, or ABORT (RFC 9260 s9).
 */
#include <errno.h>

#include "sctp/sctp_int.h"

/* ---- graceful (s9.2) ---- */

void
sctp_shutdown_go_on(struct lcore *lc, struct sctp_assoc *a)
{
	if (!sctp_assoc_is_drained(a))
		return;
	if (a->state == SCTPS_SHUTDOWN_PENDING) {
		sctp_set_state(lc, a, SCTPS_SHUTDOWN_SENT);
		sctp_mark(lc, a, SCTP_OUT_SHUTDOWN);
		sctp_guard_start(lc, a);
	} else if (a->state == SCTPS_SHUTDOWN_RECEIVED) {
		sctp_set_state(lc, a, SCTPS_SHUTDOWN_ACK_SENT);
		sctp_mark(lc, a, SCTP_OUT_SHUTDOWN_ACK);
	} else {
		return;
	}
	a->init_tries = 0;
	sctp_ctl_start(lc, a);
}

void
sctp_shutdown_start(struct lcore *lc, struct sctp_assoc *a)
{
	if (a->state != SCTPS_ESTABLISHED)
		return;
	sctp_set_state(lc, a, SCTPS_SHUTDOWN_PENDING);
	sctp_shutdown_go_on(lc, a);
}

/* What the program must not send any more, and will not receive. */
static void
peer_is_done(struct lcore *lc, struct sctp_assoc *a)
{
	a->wr_shut = true;
	a->eof = true;
	sctp_event_shutdown(lc, a);
	sctp_wake(lc, a);
}

enum sctp_next
sctp_shutdown_chunk(struct lcore *lc, struct sctp_rcv *r, const struct sctp_chunk *c)
{
	struct sctp_assoc *a = r->a;

	switch (a->state) {
	case SCTPS_SHUTDOWN_SENT: /* both at once: this one is answered */
		a->eof = true;
		sctp_set_state(lc, a, SCTPS_SHUTDOWN_ACK_SENT);
		sctp_mark(lc, a, SCTP_OUT_SHUTDOWN_ACK);
		a->init_tries = 0;
		sctp_ctl_start(lc, a);
		return SCTP_NEXT;
	case SCTPS_SHUTDOWN_ACK_SENT: /* ours was lost */
		sctp_mark(lc, a, SCTP_OUT_SHUTDOWN_ACK);
		return SCTP_NEXT;
	case SCTPS_ESTABLISHED:
	case SCTPS_SHUTDOWN_PENDING:
		sctp_set_state(lc, a, SCTPS_SHUTDOWN_RECEIVED);
		peer_is_done(lc, a);
		break;
	default:
		break;
	}
	sctp_cum_ack(lc, a, sctp_get32(c->val));
	if (a->state == SCTPS_SHUTDOWN_RECEIVED)
		sctp_shutdown_go_on(lc, a);
	return SCTP_NEXT;
}

enum sctp_next
sctp_shutdown_ack_chunk(struct lcore *lc, struct sctp_rcv *r, const struct sctp_chunk *c)
{
	struct sctp_build b;

	(void)c;
	if (r->a->state <= SCTPS_COOKIE_ECHOED) { /* s8.5.1, E: of an association before this one */
		sctp_answer_shutdown_complete(lc, r->m, r->hdr.vtag);
		return SCTP_STOP;
	}
	if (sctp_build_start(lc, &b, r->path, r->a->peer_vtag)) {
		sctp_emit_chunk(&b.e, SCTP_SHUTDOWN_COMPLETE, 0, 0);
		sctp_build_queue(lc, &b);
	}
	sctp_event_assoc(lc, r->a, TL_SCTP_SHUTDOWN_COMP, 0);
	sctp_assoc_end(lc, r->a, 0);
	return SCTP_STOP;
}

enum sctp_next
sctp_shutdown_complete_chunk(struct lcore *lc, struct sctp_rcv *r, const struct sctp_chunk *c)
{
	(void)c;
	sctp_event_assoc(lc, r->a, TL_SCTP_SHUTDOWN_COMP, 0);
	sctp_assoc_end(lc, r->a, 0);
	return SCTP_STOP;
}

void
sctp_answer_shutdown_complete(struct lcore *lc, const struct rte_mbuf *q, uint32_t vtag)
{
	struct sctp_build b;

	if (!sctp_answer_start(lc, &b, q, vtag))
		return;
	sctp_emit_chunk(&b.e, SCTP_SHUTDOWN_COMPLETE, SCTP_F_T, 0);
	sctp_answer_end(lc, &b, q);
}

/* ---- abortive (s9.1) ---- */

void
sctp_abort(struct lcore *lc, struct sctp_assoc *a, uint16_t cause, const struct sctp_bytes *info,
	int err)
{
	struct sctp_path *p = sctp_path_pick(a);
	struct sctp_build b;

	/* In COOKIE-WAIT the peer knows nothing of us, and no tag of it is known. */
	if (p != NULL && a->peer_vtag != 0 && sctp_build_start(lc, &b, p, a->peer_vtag)) {
		if (cause == SCTP_C_NONE)
			sctp_emit_chunk(&b.e, SCTP_ABORT, 0, 0);
		else
			sctp_emit_cause(&b.e, SCTP_ABORT, 0, cause, info);
		lc_count(lc, ST_SCTP_ABORT_OUT);
		sctp_build_queue(lc, &b);
	}
	if (err != 0)
		sctp_event_assoc(lc, a, TL_SCTP_COMM_LOST, cause);
	sctp_assoc_end(lc, a, err);
}

void
sctp_answer_abort(
	struct lcore *lc, const struct rte_mbuf *q, uint32_t vtag, uint8_t flags, uint16_t cause)
{
	struct sctp_build b;

	if (!sctp_answer_start(lc, &b, q, vtag))
		return;
	if (cause == SCTP_C_NONE)
		sctp_emit_chunk(&b.e, SCTP_ABORT, flags, 0);
	else
		sctp_emit_cause(&b.e, SCTP_ABORT, flags, cause, NULL);
	lc_count(lc, ST_SCTP_ABORT_OUT);
	sctp_answer_end(lc, &b, q);
}

enum sctp_next
sctp_abort_chunk(struct lcore *lc, struct sctp_rcv *r, const struct sctp_chunk *c)
{
	struct sctp_assoc *a = r->a;
	bool opening = a->state <= SCTPS_COOKIE_ECHOED;

	lc_count(lc, ST_SCTP_ABORT_IN);
	sctp_event_assoc(
		lc, a, opening ? TL_SCTP_CANT_STR_ASSOC : TL_SCTP_COMM_LOST, sctp_wire_cause(c));
	sctp_assoc_end(lc, a, opening ? ECONNREFUSED : ECONNRESET);
	return SCTP_STOP;
}
