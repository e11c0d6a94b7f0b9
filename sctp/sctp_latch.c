/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * sctp_latch.c - what becomes of paths and associations when a latch changes (RFC 5660 s5.4, s5.5).
 *
 * B.3, the columns of SCTP: while another path lives a broken one is unreachable and the
 * association goes on without it; the last one takes the association with it, as an ABORT would.
 * While a latch lets nothing leave (WANTED, BROKEN) what is sent there is lost, so timers and
 * error counters do what they do under loss.
 */
#include <errno.h>

#include "sctp/sctp_int.h"

static bool
has_other(const struct sctp_assoc *a, const struct sctp_path *p)
{
	const struct sctp_path *o;

	TAILQ_FOREACH (o, &a->paths, entry) {
		if (o != p && sctp_path_is_good(o))
			return true;
	}
	return false;
}

/* E.4 */
static int
errno_of(const struct sctp_assoc *a, const struct latch *l)
{
	bool conflict = l->reason == TL_LATCH_PEER_CONFLICT || l->reason == TL_LATCH_QOP_CONFLICT ||
			l->reason == TL_LATCH_SA_CONFLICT || l->reason == TL_LATCH_SPD_CHANGE;

	return latch_errno(
		l, a->state == SCTPS_COOKIE_WAIT && conflict ? ECONNREFUSED : ECONNRESET);
}

/* As if an ABORT had come; nothing is sent (F-17). */
static void
end(struct lcore *lc, struct sctp_path *p)
{
	struct sctp_assoc *a = p->a;
	int err = errno_of(a, &p->way.latch);

	/* The program asks the latch of the primary path why. */
	a->primary = p;
	sctp_event_path(lc, p, TL_SCTP_ADDR_UNREACHABLE, TL_ELATCHBROKEN);
	sctp_event_assoc(lc, a,
		a->state <= SCTPS_COOKIE_ECHOED ? TL_SCTP_CANT_STR_ASSOC : TL_SCTP_COMM_LOST, 0);
	sctp_assoc_end(lc, a, err);
}

/* F-74: for good; nobody can make an association change its path to and fro. */
static void
bar(struct lcore *lc, struct sctp_path *p)
{
	struct sctp_assoc *a = p->a;
	bool was_used = p == sctp_path_pick(a) || p == a->primary;

	if (p->state == SCTP_PATH_BARRED)
		return;
	sctp_path_bar(lc, p);
	lc_count_n(lc, ST_SCTP_FAILOVER, was_used);
	sctp_event_path(lc, p, TL_SCTP_ADDR_UNREACHABLE, TL_ELATCHBROKEN);
	sctp_path_lost(lc, p);
	sctp_mark(lc, a, SCTP_OUT_DATA);
}

static void
reset(struct lcore *lc, struct sctp_path *p)
{
	if (has_other(p->a, p) && !latch_wants_reset(lc, &p->way.latch))
		bar(lc, p);
	else
		end(lc, p);
}

/* UNREACH by name: it may come back when the conflict is over. */
static void
unreachable(struct lcore *lc, struct sctp_path *p)
{
	struct sctp_assoc *a = p->a;

	if (!has_other(a, p)) { /* F-75 */
		end(lc, p);
		return;
	}
	if (p->state > SCTP_PATH_ACTIVE)
		return;
	lc_count_n(lc, ST_SCTP_FAILOVER, p == a->primary);
	sctp_path_set_state(lc, p, SCTP_PATH_INACTIVE);
	sctp_event_path(lc, p, TL_SCTP_ADDR_UNREACHABLE, TL_ELATCHBROKEN);
	sctp_path_lost(lc, p);
	sctp_mark(lc, a, SCTP_OUT_DATA);
}

/* An SA is there, or the conflict is gone. */
static void
go(struct lcore *lc, struct sctp_path *p)
{
	struct sctp_assoc *a = p->a;

	if (!sctp_path_check_peer(lc, p))
		return;
	sctp_path_refresh(lc, p);
	if (a->state == SCTPS_COOKIE_WAIT)
		sctp_mark(lc, a, SCTP_OUT_INIT);
	if (a->state >= SCTPS_ESTABLISHED && p->state != SCTP_PATH_ACTIVE)
		sctp_hb_now(lc, p);
	sctp_mark(lc, a, SCTP_OUT_DATA);
}

void
sctp_latch_alert(struct lcore *lc, struct latch *l, enum latch_act act)
{
	struct sctp_way *w = container_of(l, struct sctp_way, latch);
	struct sctp_path *p = w->path;

	if (p == NULL) { /* of a listener: only news */
		sock_wake(lc, w->ep->s);
		return;
	}
	/* Another way of a path ends alone: what comes there is dropped. */
	if (w != &p->way || p->a->state == SCTPS_CLOSED)
		return;
	switch (act) {
	case LATCH_ACT_RESET:
		reset(lc, p);
		break;
	case LATCH_ACT_SOFT:
		unreachable(lc, p);
		break;
	case LATCH_ACT_GO:
		go(lc, p);
		break;
	default:
		break;
	}
	sctp_wake(lc, p->a);
}
