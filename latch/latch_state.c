/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * latch_state.c - the states of a latch (RFC 5660 s2.2, figure 1) and what its program hears.
 *
 * BROKEN is the RFC's; the packet-tagging model itself has none (P-10), but what waits for the end
 * of a conflict needs a name. Dispositions that end the connection pass it in zero time. WANTED is
 * what the drafts called LARVAL.
 */
#include <stdlib.h>
#include <string.h>

#include "latch/latch_ctx.h"
#include "stack/base/assert.h"
#include "stack/base/log.h"

LOG_MODULE(latch, NOTICE);

enum { BUG = 0xff };

/* The one table of transitions: from the state (column) by what happens (row). */
static const uint8_t next_state[STEPS][TL_LATCH_CLOSED + 1] = {
	/* clang-format off */
	/*                   NONE                  WANTED                LISTENER         ESTABLISHED           BROKEN                CLOSED */
	[STEP_OPEN_CLEAR] = {TL_LATCH_NONE,        BUG,                  BUG,             BUG,                  BUG,                  BUG},
	[STEP_WANT]       = {TL_LATCH_WANTED,      BUG,                  BUG,             BUG,                  BUG,                  BUG},
	[STEP_LATCH]      = {TL_LATCH_ESTABLISHED, TL_LATCH_ESTABLISHED, BUG,             BUG,                  BUG,                  BUG},
	[STEP_LISTEN]     = {TL_LATCH_LISTENER,    BUG,                  BUG,             BUG,                  BUG,                  BUG},
	[STEP_BREAK]      = {BUG,                  BUG,                  BUG,             TL_LATCH_BROKEN,      BUG,                  BUG},
	[STEP_END]        = {TL_LATCH_CLOSED,      TL_LATCH_CLOSED,      BUG,             TL_LATCH_CLOSED,      TL_LATCH_CLOSED,      BUG},
	[STEP_RESTORE]    = {BUG,                  BUG,                  BUG,             BUG,                  TL_LATCH_ESTABLISHED, BUG},
	[STEP_RELEASE]    = {TL_LATCH_NONE,        TL_LATCH_CLOSED,      TL_LATCH_CLOSED, TL_LATCH_CLOSED,      TL_LATCH_CLOSED,      TL_LATCH_CLOSED},
	/* clang-format on */
};

/* Which event a transition is for the program; -1: none. */
static int
event_of(enum latch_step step, uint8_t to)
{
	switch (step) {
	case STEP_LATCH:
		return TL_LATCH_EV_ESTABLISHED;
	case STEP_BREAK:
		return TL_LATCH_EV_BROKEN;
	case STEP_RESTORE:
		return TL_LATCH_EV_RESTORED;
	case STEP_END:
	case STEP_RELEASE:
		return to == TL_LATCH_CLOSED ? (int)TL_LATCH_EV_CLOSED : -1;
	default:
		return -1;
	}
}

/* How many latches look at the SAD or the clock. */
static void
count_state(struct latch_ctx *c, uint8_t state, uint32_t by)
{
	if (state == TL_LATCH_BROKEN)
		c->nb_broken += by;
	else if (state == TL_LATCH_WANTED)
		c->nb_wanted += by;
}

void
latch_step(struct lcore *lc, struct latch *l, enum latch_step step, enum tl_latch_reason why)
{
	uint8_t was = l->state, to = next_state[step][was];
	int ev;

	tl_assert(to != BUG);
	if (to == was || to == BUG)
		return;
	LOG(DEBUG, "latch %p: %s -> %s (%s)", (void *)l, tl_latch_state_name(was),
		tl_latch_state_name(to), tl_latch_reason_name(why));
	count_state(lc->latch, was, (uint32_t)-1);
	count_state(lc->latch, to, 1);
	l->state = to;
	l->reason = (uint8_t)why;
	lc->latch->stale = true;
	ev = event_of(step, to);
	if (ev >= 0)
		latch_event(lc, l, (enum tl_latch_event_type)ev, was);
}

void
latch_alert(struct lcore *lc, struct latch *l, enum latch_act act)
{
	const struct flow_key *k = latch_key(lc, l);
	latch_alert_fn *alert = k == NULL ? NULL : lc->latch->owner[k->proto];

	if (alert != NULL && act != LATCH_ACT_NONE)
		alert(lc, l, act);
}

/* ---- events ---- */

static void
keep(struct latch_queue *q, const struct tl_latch_event *ev)
{
	if (q->n == LATCH_EVENTS_MAX) {
		/* The oldest goes: what is true now matters more than what was. */
		q->head = (q->head + 1) % LATCH_EVENTS_MAX;
		q->n--;
		q->lost = true;
	}
	q->ev[(q->head + q->n++) % LATCH_EVENTS_MAX] = *ev;
}

bool
latch_event(struct lcore *lc, struct latch *l, enum tl_latch_event_type type, uint8_t old)
{
	const struct flow_key *k = latch_key(lc, l);
	struct tl_latch_event ev = {.type = (uint16_t)type,
		.old_state = old,
		.new_state = l->state,
		.reason = l->reason,
		.handle = latch_handle(lc, l),
		.time_ns = lc->now_ns};

	if (l->wish == NULL || (l->wish->events >> type & 1) == 0)
		return false;
	if (l->queue == NULL)
		l->queue = calloc(1, sizeof(*l->queue));
	if (l->queue == NULL)
		return false;
	if (k != NULL) {
		latch_sockaddr(&ev.local, &k->local, k->lport);
		latch_sockaddr(&ev.peer, &k->remote, k->rport);
	}
	keep(l->queue, &ev);
	latch_alert(lc, l, LATCH_ACT_NEWS);
	return true;
}

int
latch_event_next(struct latch *l, struct tl_latch_event *out)
{
	struct latch_queue *q = l->queue;

	if (q == NULL || q->n == 0)
		return 0;
	*out = q->ev[q->head];
	if (q->lost) {
		*out = (struct tl_latch_event){.type = TL_LATCH_EV_LOST,
			.old_state = l->state,
			.new_state = l->state,
			.reason = l->reason};
		q->lost = false;
		return 1;
	}
	q->head = (q->head + 1) % LATCH_EVENTS_MAX;
	q->n--;
	return 1;
}

bool
latch_has_event(const struct latch *l)
{
	return l->queue != NULL && l->queue->n > 0;
}
