/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * tmr.c - a hierarchical timing wheel with exact expiry.
 *
 * HOW IT WORKS. Time is cut into ticks of 2^16 ns. A timer lies on the level of the highest
 * base-256 digit in which its tick differs from the wheel's tick, in the slot of that digit. So
 * every timer of a level is due before every timer of the next level, and the earliest timer of
 * the wheel is the earliest in the first occupied slot of the first occupied level: one look in
 * the bitmaps and one short list. When the wheel enters a new block of 256 ticks, the slot that it
 * enters on the level above is spread over the levels below.
 *
 * WITHIN A TICK timers keep their exact time: the slot of the current tick is searched for the
 * earliest due one, so a timer that is later in the same tick waits for its turn.
 */
#include "stack/base/tmr.h"

#include <errno.h>
#include <stdlib.h>

#include "stack/base/assert.h"
#include "stack/base/lcore.h"

enum { TICK_SHIFT = 16, DIGIT_BITS = 8, TMR_SLOTS = 256, TMR_LEVELS = 6, MAP_WORDS = 4 };

struct tmr_wheel {
	uint64_t tick; /* the wheel has reached this tick; timers before it are in its slot */
	uint32_t n;
	uint64_t next_ns; /* nothing is due before this; it may be too early, never too late */
	uint64_t map[TMR_LEVELS][MAP_WORDS];
	struct tmr *slot[TMR_LEVELS * TMR_SLOTS];
};

int
tmr_create(uint64_t now_ns, struct tmr_wheel **out)
{
	struct tmr_wheel *w = calloc(1, sizeof(*w));

	if (w == NULL)
		return -ENOMEM;
	w->tick = now_ns >> TICK_SHIFT;
	w->next_ns = UINT64_MAX;
	*out = w;
	return 0;
}

void
tmr_free(struct tmr_wheel *w)
{
	free(w);
}

static void
link_at(struct tmr_wheel *w, struct tmr *t)
{
	uint64_t tick = t->at_ns >> TICK_SHIFT;
	uint32_t level = 0, digit;

	if (tick < w->tick)
		tick = w->tick; /* overdue: due in the current tick */
	if (tick != w->tick)
		level = (63u - (uint32_t)__builtin_clzll(tick ^ w->tick)) / DIGIT_BITS;
	digit = (uint32_t)(tick >> (level * DIGIT_BITS)) & (TMR_SLOTS - 1);
	t->slot = (uint16_t)(level * TMR_SLOTS + digit);
	t->next = w->slot[t->slot];
	t->pprev = &w->slot[t->slot];
	if (t->next != NULL)
		t->next->pprev = &t->next;
	w->slot[t->slot] = t;
	w->map[level][digit / 64] |= UINT64_C(1) << (digit % 64);
	w->n++;
}

static void
unlink_one(struct tmr_wheel *w, struct tmr *t)
{
	uint32_t level = t->slot / TMR_SLOTS, digit = t->slot % TMR_SLOTS;

	*t->pprev = t->next;
	if (t->next != NULL)
		t->next->pprev = t->pprev;
	t->pprev = NULL;
	t->next = NULL;
	w->n--;
	if (w->slot[t->slot] == NULL)
		w->map[level][digit / 64] &= ~(UINT64_C(1) << (digit % 64));
}

void
tmr_set(struct lcore *lc, struct tmr *t, uint64_t at_ns, tmr_fn *fn)
{
	if (tmr_is_set(t))
		unlink_one(lc->tmr, t);
	t->at_ns = at_ns;
	t->fn = fn;
	if (at_ns < lc->tmr->next_ns)
		lc->tmr->next_ns = at_ns;
	link_at(lc->tmr, t);
}

void
tmr_stop(struct lcore *lc, struct tmr *t)
{
	if (tmr_is_set(t))
		unlink_one(lc->tmr, t);
}

/* The first occupied slot of a level, or TMR_SLOTS. */
static uint32_t
first_slot(const struct tmr_wheel *w, uint32_t level)
{
	for (uint32_t i = 0; i < MAP_WORDS; i++) {
		if (w->map[level][i] != 0)
			return i * 64 + (uint32_t)__builtin_ctzll(w->map[level][i]);
	}
	return TMR_SLOTS;
}

static struct tmr *
earliest_in(struct tmr *head)
{
	struct tmr *best = head;

	for (struct tmr *t = head; t != NULL; t = t->next) {
		if (t->at_ns < best->at_ns)
			best = t;
	}
	return best;
}

static struct tmr *
earliest(const struct tmr_wheel *w)
{
	if (w->n == 0)
		return NULL;
	for (uint32_t level = 0; level < TMR_LEVELS; level++) {
		uint32_t digit = first_slot(w, level);

		if (digit < TMR_SLOTS)
			return earliest_in(w->slot[level * TMR_SLOTS + digit]);
	}
	return NULL;
}

/* Moves the wheel to a tick up to which no slot is skipped: the one of the earliest timer. */
static void
advance(struct tmr_wheel *w, uint64_t tick)
{
	uint64_t changed = tick ^ w->tick;
	uint32_t level;

	if (tick <= w->tick)
		return;
	w->tick = tick;
	level = (63u - (uint32_t)__builtin_clzll(changed)) / DIGIT_BITS;
	/* Only the slots that the new tick lies in can hold timers of lower levels now. */
	for (; level > 0; level--) {
		uint32_t digit = (uint32_t)(tick >> (level * DIGIT_BITS)) & (TMR_SLOTS - 1);
		struct tmr *t, *next;

		for (t = w->slot[level * TMR_SLOTS + digit]; t != NULL; t = next) {
			next = t->next;
			unlink_one(w, t);
			link_at(w, t);
		}
	}
}

uint32_t
tmr_run(struct lcore *lc)
{
	struct tmr_wheel *w = lc->tmr;
	uint32_t ran = 0;
	struct tmr *t;

	if (lc->now_ns < w->next_ns)
		return 0; /* the common turn: no list is looked at */
	while ((t = earliest(w)) != NULL && t->at_ns <= lc->now_ns) {
		advance(w, t->at_ns >> TICK_SHIFT);
		unlink_one(w, t);
		t->fn(lc, t);
		ran++;
	}
	/* Nothing is due before now, so the wheel may follow the clock. */
	advance(w, lc->now_ns >> TICK_SHIFT);
	w->next_ns = t == NULL ? UINT64_MAX : t->at_ns;
	return ran;
}

uint64_t
tmr_next_ns(const struct lcore *lc)
{
	const struct tmr *t = earliest(lc->tmr);

	return t == NULL ? UINT64_MAX : t->at_ns;
}
