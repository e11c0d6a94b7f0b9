/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * control.c - the control context: its lock, its messages to the workers, and what they report.
 */
#include "stack/run/control.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>
#include <rte_errno.h>
#include <rte_lcore.h>
#include <rte_ring_elem.h>

#include "stack/run/run.h"

enum { EVENT_RING_SIZE = 1024, KEEP_MS = 10 };
_Static_assert(sizeof(struct esp_event) % 4 == 0, "rings carry words");

void
control_lock(struct tl_stack *s)
{
	pthread_mutex_lock(&s->control.lock);
}

void
control_unlock(struct tl_stack *s)
{
	pthread_mutex_unlock(&s->control.lock);
}

void
ctl_call(struct tl_stack *s, uint32_t worker, void (*fn)(struct lcore *, void *), void *arg)
{
	struct msg m = {.fn = fn, .arg = arg};

	if (!tl_is_running(s)) {
		fn(s->lc[worker], arg);
		return;
	}
	while (msg_post(s->ctl[worker], &m) != 0)
		usleep(50);
	while (!atomic_load_explicit(&m.done, memory_order_acquire)) {
		usleep(50);
		if (!tl_is_running(s))
			msg_run(s->lc[worker]); /* it stopped before it read the ring */
	}
}

/* Runs on a worker. What does not fit is counted: an event is news, the SA's state is the fact. */
static void
post(struct lcore *lc, const struct esp_event *ev)
{
	struct control *c = &lc->run->stack->control;

	if (rte_ring_enqueue_elem(c->event[lc->id], (void *)(uintptr_t)ev, sizeof(*ev)) != 0)
		atomic_fetch_add_explicit(&c->events_lost, 1, memory_order_relaxed);
}

const struct esp_events control_esp_events = {.post = post};

static int
rings_create(struct tl_stack *s)
{
	char name[RTE_RING_NAMESIZE];

	for (uint32_t w = 0; w < s->conf.workers; w++) {
		run_object_name(name, s, w, "ev");
		s->control.event[w] = rte_ring_create_elem(name, sizeof(struct esp_event),
			EVENT_RING_SIZE, SOCKET_ID_ANY, RING_F_SP_ENQ | RING_F_SC_DEQ);
		if (s->control.event[w] == NULL)
			return -rte_errno;
	}
	return 0;
}

int
control_create(struct tl_stack *s, struct tl_error *e)
{
	struct control *c = &s->control;

	c->nb_slots = s->conf.max_sas;
	c->sa = calloc(c->nb_slots, sizeof(*c->sa));
	if (c->sa == NULL || rings_create(s) != 0)
		return conf_fail(e, NULL, "out of memory");
	for (uint32_t i = 0; i < c->nb_slots; i++)
		slot_put(c, &c->free, i);
	return 0;
}

void
control_destroy(struct tl_stack *s)
{
	struct control *c = &s->control;

	for (uint32_t w = 0; w < LC_MAX_WORKERS; w++)
		rte_ring_free(c->event[w]);
	spd_free(c->spd);
	latch_pad_free(c->pad);
	free(c->peer);
	free(c->rule);
	free(c->keys.digest);
	free(c->sa);
}

/* Between tl_start() and the end: somebody must hear the workers where no service does. */
static void *
keep(void *arg)
{
	struct tl_stack *s = arg;

	while (tl_is_running(s)) {
		control_lock(s);
		control_events(s);
		control_check_tables(s);
		control_unlock(s);
		usleep(KEEP_MS * 1000);
	}
	return NULL;
}

void
control_keeper_start(struct tl_stack *s)
{
	struct control *c = &s->control;

	c->has_keeper = s->service == NULL &&
			rte_ctrl_thread_create(&c->keeper, "tl-keeper", NULL, keep, s) == 0;
}

void
control_keeper_stop(struct tl_stack *s)
{
	if (s->control.has_keeper)
		pthread_join(s->control.keeper, NULL);
	s->control.has_keeper = false;
}

void
control_set_watch(struct tl_stack *s, control_watch_fn *fn, void *arg)
{
	s->control.watch = fn;
	s->control.watch_arg = arg;
}

static void
tell_sa(struct tl_stack *s, enum control_change change, const struct esp_event *ev,
	const struct esp_sa_conf *was)
{
	struct control_note note = {.change = change,
		.slot = ev->index,
		.sa = &s->control.sa[ev->index],
		.event = ev,
		.was_addr = was->remote,
		.was_port = was->udp_remote};

	if (s->control.watch != NULL)
		s->control.watch(s->control.watch_arg, &note);
}

static void
acquire(struct tl_stack *s, const struct esp_event *ev)
{
	struct control_note note = {
		.change = CONTROL_ACQUIRE, .rule = control_policy_by_id(s, ev->rule), .event = ev};

	if (s->control.watch != NULL)
		s->control.watch(s->control.watch_arg, &note);
}

static void
pmtu_here(struct lcore *lc, void *arg)
{
	const struct esp_event *ev = arg;

	esp_sad_set_pmtu(lc, ev->index, ev->gen, ev->mtu_bytes);
}

static void
handle(struct tl_stack *s, const struct esp_event *ev)
{
	const struct master_sa *ms = &s->control.sa[ev->index];
	const struct esp_sa_conf was = ms->conf;

	if (ev->kind == ESP_EV_ACQUIRE) {
		acquire(s, ev);
		return;
	}
	if (ms->name[0] == '\0' || ms->gen != ev->gen)
		return; /* deleted meanwhile */
	switch (ev->kind) {
	case ESP_EV_SOFT:
		tell_sa(s, CONTROL_SA_SOFT, ev, &was);
		break;
	case ESP_EV_HARD:
		tell_sa(s, CONTROL_SA_HARD, ev, &was);
		control_sa_del(s, ev->index, ESP_DEL_EXPIRE);
		break;
	case ESP_EV_PMTU:
		for (uint32_t w = 0; w < s->conf.workers; w++)
			ctl_call(s, w, pmtu_here, (void *)(uintptr_t)ev);
		break;
	case ESP_EV_MOVED:
		if (control_sa_move(s, ev) > 0)
			tell_sa(s, CONTROL_SA_MOVED, ev, &was);
		break;
	default:
		break;
	}
}

uint32_t
control_events(struct tl_stack *s)
{
	struct esp_event ev;
	uint32_t n = 0;

	for (uint32_t w = 0; w < s->conf.workers; w++) {
		while (rte_ring_dequeue_elem(s->control.event[w], &ev, sizeof(ev)) == 0) {
			handle(s, &ev);
			n++;
		}
	}
	if (s->control.draining.n > 0)
		slots_collect(s);
	return n;
}
