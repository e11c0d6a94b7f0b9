/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * tmr.h - the timer wheel of a worker.
 *
 * Timers are members of the objects they serve; the wheel allocates nothing. Time comes from the
 * caller, so it may be virtual. A timer never runs early, and tmr_next_ns() is exact.
 */
#ifndef TL_BASE_TMR_H
#define TL_BASE_TMR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct lcore;
struct tmr;

typedef void tmr_fn(struct lcore *lc, struct tmr *t);

/* Zero-initialised means stopped. */
struct tmr {
	struct tmr *next;
	struct tmr **pprev; /* NULL while stopped */
	uint64_t at_ns;
	tmr_fn *fn;
	uint16_t slot; /* level * TMR_SLOTS + index, for the occupancy bitmap */
};

struct tmr_wheel;

/* Returns 0 or -ENOMEM. */
int tmr_create(uint64_t now_ns, struct tmr_wheel **out);
void tmr_free(struct tmr_wheel *w);

/* Starts t, or moves it; fn runs in the turn whose time is at or after at_ns. */
void tmr_set(struct lcore *lc, struct tmr *t, uint64_t at_ns, tmr_fn *fn);

/* No effect on a stopped timer. */
void tmr_stop(struct lcore *lc, struct tmr *t);

static inline bool
tmr_is_set(const struct tmr *t)
{
	return t->pprev != NULL;
}

/* Runs what is due at lc->now_ns, in order of time within one wheel tick; a timer may set itself
 * again. Returns how many ran. */
uint32_t tmr_run(struct lcore *lc);

/* When the next timer is due, UINT64_MAX if none is set. */
uint64_t tmr_next_ns(const struct lcore *lc);

#endif
