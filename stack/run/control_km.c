/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * control_km.c - what a key manager, the administrator or damage does to the latches of all
 * workers.
 */
#include <errno.h>

#include "stack/base/log.h"
#include "stack/run/run.h"

LOG_MODULE(control, NOTICE);

struct latch_job {
	const struct latch_filter *filter;
	const struct flow_key *key;
	enum tl_latch_reason why;
	enum latch_peer_event event;
	bool present;
	uint32_t n;
};

static uint32_t
everywhere(struct tl_stack *s, void (*fn)(struct lcore *, void *), struct latch_job *j)
{
	for (uint32_t w = 0; w < s->conf.workers; w++)
		ctl_call(s, w, fn, j);
	return j->n;
}

static void
close_here(struct lcore *lc, void *arg)
{
	struct latch_job *j = arg;

	j->n += latch_admin_close(lc, j->filter, j->why);
}

uint32_t
control_latch_close(struct tl_stack *s, const struct latch_filter *filter, enum tl_latch_reason why)
{
	struct latch_job j = {.filter = filter, .why = why};

	return everywhere(s, close_here, &j);
}

static void
break_here(struct lcore *lc, void *arg)
{
	struct latch_job *j = arg;

	j->n += latch_admin_break(lc, j->filter);
}

uint32_t
control_latch_break(struct tl_stack *s, const struct latch_filter *filter)
{
	struct latch_job j = {.filter = filter};

	return everywhere(s, break_here, &j);
}

static void
peer_here(struct lcore *lc, void *arg)
{
	struct latch_job *j = arg;

	j->n += latch_peer(lc, j->filter->peer_id, j->event);
}

uint32_t
control_peer_event(struct tl_stack *s, uint32_t peer_id, enum latch_peer_event event)
{
	struct latch_filter f = {.peer_id = peer_id};
	struct latch_job j = {.filter = &f, .event = event};

	return everywhere(s, peer_here, &j);
}

static void
refused_here(struct lcore *lc, void *arg)
{
	struct latch_job *j = arg;

	j->n += latch_refused(lc, j->key);
	esp_acquire_done(lc);
}

uint32_t
control_refused(struct tl_stack *s, const struct flow_key *k)
{
	struct latch_job j = {.key = k};

	return everywhere(s, refused_here, &j);
}

static void
present_here(struct lcore *lc, void *arg)
{
	latch_set_km(lc, ((const struct latch_job *)arg)->present);
}

void
control_km_present(struct tl_stack *s, bool present)
{
	struct latch_job j = {.present = present};

	everywhere(s, present_here, &j);
}

void
control_check_tables(struct tl_stack *s)
{
	static const struct latch_filter all;
	uint32_t n;

	if (latch_tables_check(s->conf.tables, &s->control.check))
		return;
	n = control_latch_close(s, &all, TL_LATCH_KM_STATE_LOST);
	LOG(ERR,
		"an identity, a parameter set or evidence was damaged in memory: %u latches "
		"closed; restart this process",
		n);
}
