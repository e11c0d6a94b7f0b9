/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * sctp_chunk.c - one row for each chunk type, and the walk of a packet of an association along
 * them.
 *
 * Called by sctp_in() with packets whose verdict, checksum and framing are good. A handler is
 * called in the states of its row only, with a value of its minimum length and a good verification
 * tag, so it checks none of them again.
 */
#include "sctp/sctp_int.h"

enum {
	/* Sets of states. */
	IN_WAIT = 1u << SCTPS_COOKIE_WAIT,
	IN_ECHOED = 1u << SCTPS_COOKIE_ECHOED,
	IN_ESTAB = 1u << SCTPS_ESTABLISHED,
	IN_PENDING = 1u << SCTPS_SHUTDOWN_PENDING,
	IN_SENT = 1u << SCTPS_SHUTDOWN_SENT,
	IN_RECEIVED = 1u << SCTPS_SHUTDOWN_RECEIVED,
	IN_ACK_SENT = 1u << SCTPS_SHUTDOWN_ACK_SENT,
	IN_SETUP = IN_WAIT | IN_ECHOED,
	IN_READS = IN_ESTAB | IN_PENDING | IN_SENT,      /* the peer may send data */
	IN_WRITES = IN_ESTAB | IN_PENDING | IN_RECEIVED, /* ours may be outstanding */
	IN_UP = IN_READS | IN_RECEIVED | IN_ACK_SENT,
	IN_ANY = IN_SETUP | IN_UP,
	/* Minimum lengths of values. */
	MIN_DATA = SCTP_DATA_HLEN - SCTP_CHUNK_HLEN,
	MIN_SACK = SCTP_SACK_HLEN - SCTP_CHUNK_HLEN,
};

/* RFC 9260 s3.3, s6.10, s8.5.1. */
static const struct sctp_row_chunk rows[SCTP_TYPES] = {
	/* clang-format off */
	/*                          handler                       states              min                alone  tag */
	[SCTP_DATA]              = {sctp_data_chunk,              IN_READS,           MIN_DATA,          false, SCTP_V_OWN},
	[SCTP_INIT]              = {sctp_init_chunk,              IN_ANY,             SCTP_INIT_LEN,     true,  SCTP_V_ZERO},
	[SCTP_INIT_ACK]          = {sctp_init_ack_chunk,          IN_WAIT,            SCTP_INIT_LEN,     true,  SCTP_V_OWN},
	[SCTP_SACK]              = {sctp_sack_chunk,              IN_WRITES,          MIN_SACK,          false, SCTP_V_OWN},
	[SCTP_HEARTBEAT]         = {sctp_heartbeat_chunk,         IN_ECHOED | IN_UP,  SCTP_PARAM_HLEN,   false, SCTP_V_OWN},
	[SCTP_HEARTBEAT_ACK]     = {sctp_heartbeat_ack_chunk,     IN_UP,              SCTP_PARAM_HLEN,   false, SCTP_V_OWN},
	[SCTP_ABORT]             = {sctp_abort_chunk,             IN_ANY,             0,                 false, SCTP_V_T},
	[SCTP_SHUTDOWN]          = {sctp_shutdown_chunk,          IN_WRITES | IN_SENT | IN_ACK_SENT, 4,  false, SCTP_V_OWN},
	[SCTP_SHUTDOWN_ACK]      = {sctp_shutdown_ack_chunk,      IN_SETUP | IN_SENT | IN_ACK_SENT,  0,  false, SCTP_V_SHUT_ACK},
	[SCTP_ERROR]             = {sctp_error_chunk,             IN_ECHOED | IN_UP,  SCTP_PARAM_HLEN,   false, SCTP_V_OWN},
	[SCTP_COOKIE_ECHO]       = {sctp_cookie_echo_chunk,       IN_ANY,             1,                 false, SCTP_V_COOKIE},
	[SCTP_COOKIE_ACK]        = {sctp_cookie_ack_chunk,        IN_ECHOED,          0,                 false, SCTP_V_OWN},
	[SCTP_SHUTDOWN_COMPLETE] = {sctp_shutdown_complete_chunk, IN_ACK_SENT,        0,                 true,  SCTP_V_T},
	/* clang-format on */
};

const struct sctp_row_chunk *
sctp_chunk_row(uint8_t type)
{
	return type < SCTP_TYPES && rows[type].fn != NULL ? &rows[type] : NULL;
}

/* s8.5, s8.5.1 */
static bool
vtag_fits(const struct sctp_rcv *r, const struct sctp_chunk *c, uint8_t rule)
{
	const struct sctp_assoc *a = r->a;

	switch (rule) {
	case SCTP_V_ZERO:
		return r->hdr.vtag == 0;
	case SCTP_V_T:
		if ((c->flags & SCTP_F_T) != 0)
			return a->peer_vtag != 0 && r->hdr.vtag == a->peer_vtag;
		return r->hdr.vtag == a->own_vtag;
	case SCTP_V_COOKIE:
		return true; /* the cookie knows */
	case SCTP_V_SHUT_ACK:
		if (a->state <= SCTPS_COOKIE_ECHOED)
			return true; /* E: it is answered as if it were of nobody */
		return r->hdr.vtag == a->own_vtag;
	default:
		return r->hdr.vtag == a->own_vtag;
	}
}

/* s3.2: what nobody knows says itself what to do. */
static enum sctp_next
unknown(struct lcore *lc, struct sctp_rcv *r, const struct sctp_chunk *c)
{
	struct sctp_bytes whole = {
		c->val - SCTP_CHUNK_HLEN, (uint16_t)RTE_MIN(c->len + SCTP_CHUNK_HLEN, 512)};

	if ((c->type & SCTP_UNKNOWN_REPORT) != 0 && r->a->state >= SCTPS_ESTABLISHED)
		sctp_report(lc, r->path, SCTP_C_CHUNK, &whole);
	return (c->type & SCTP_UNKNOWN_SKIP) != 0 ? SCTP_NEXT : SCTP_STOP;
}

/* *why: DROP_NONE, or what is wrong with the packet from here on. */
static enum sctp_next
chunk_in(struct lcore *lc, struct sctp_rcv *r, const struct sctp_chunk *c, enum drop_reason *why)
{
	const struct sctp_row_chunk *row = sctp_chunk_row(c->type);

	*why = DROP_NONE;
	if (row == NULL) {
		*why = r->nb == 0 && r->hdr.vtag != r->a->own_vtag ? DROP_SCTP_VTAG : DROP_NONE;
		return *why != DROP_NONE ? SCTP_STOP : unknown(lc, r, c);
	}
	if (row->alone && (r->nb > 0 || !r->is_last))
		*why = DROP_SCTP_BUNDLE;
	/* F-73: the latch said yes before; only now the tag is looked at. */
	else if (!vtag_fits(r, c, row->vtag))
		*why = DROP_SCTP_VTAG;
	else if (c->len < row->min)
		*why = DROP_SCTP_CHUNK;
	if (*why != DROP_NONE)
		return SCTP_STOP;
	if ((row->states & 1u << r->a->state) == 0)
		return SCTP_NEXT;
	return row->fn(lc, r, c);
}

enum drop_reason
sctp_chunks_in(struct lcore *lc, struct sctp_rcv *r, struct sctp_walk *w)
{
	enum drop_reason why = DROP_NONE;
	struct sctp_chunk c;

	while (sctp_walk_next(w, &c)) {
		r->is_last = w->p >= w->end;
		if (chunk_in(lc, r, &c, &why) == SCTP_STOP || r->a->state == SCTPS_CLOSED)
			break;
		r->nb++;
	}
	if (r->data && r->a->state != SCTPS_CLOSED)
		sctp_data_done(lc, r->a, r->path);
	sctp_assoc_check(r->a);
	return why == DROP_NONE || r->nb > 0 ? DROP_SCTP_DONE : why;
}
