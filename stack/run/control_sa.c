/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * control_sa.c - the master SAD: numbers, adds and deletes SAs on every worker.
 *
 * A slot whose SA was deleted is free again only when every worker has passed a turn and emptied
 * every queue whose packets could name it (F-1).
 */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>
#include <openssl/crypto.h>
#include <openssl/rand.h>

#include "stack/run/run.h"

struct sa_job {
	const struct esp_sa_conf *sa;
	uint32_t index, gen;
	enum esp_del_cause why;
	int rc;
};

static void
add_here(struct lcore *lc, void *arg)
{
	struct sa_job *j = arg;

	j->rc = esp_sad_add(lc, j->sa, j->index, j->gen);
	esp_acquire_done(lc);
}

static void
del_here(struct lcore *lc, void *arg)
{
	struct sa_job *j = arg;

	esp_sad_del(lc, j->index, j->gen, j->why);
}

/* Latches that wait for an SA, or for the end of one. */
static void
look_here(struct lcore *lc, void *arg)
{
	latch_sad_changed(lc, arg);
}

/* added: NULL if some were deleted. */
static void
look_everywhere(struct tl_stack *s, const struct esp_sa_conf *added)
{
	for (uint32_t w = 0; w < s->conf.workers; w++)
		ctl_call(s, w, look_here, (void *)(uintptr_t)added);
}

static void
del_everywhere(struct tl_stack *s, struct sa_job *j)
{
	for (uint32_t w = 0; w < s->conf.workers; w++)
		ctl_call(s, w, del_here, j);
	look_everywhere(s, NULL);
}

struct monitor_job {
	const struct esp_sa_conf *sa;
	bool break_them;
	uint32_t conflicts;
};

static void
monitor_here(struct lcore *lc, void *arg)
{
	struct monitor_job *j = arg;

	j->conflicts += latch_sa_adding(lc, j->sa, j->break_them);
}

/*
 * K-2, K-5: latches that a new SA conflicts with are counted, and broken before the SA is usable
 * anywhere, their owners told. Returns 0, or -EADDRINUSE where the SA is rejected for their sake.
 */
static int
monitor(struct tl_stack *s, const char *name, const struct esp_sa_conf *sa, struct tl_error *e)
{
	uint8_t what = s->conf.latch.monitor;
	struct monitor_job j = {.sa = sa, .break_them = what == LATCH_MONITOR_BREAK};

	if (what == LATCH_MONITOR_OFF)
		return 0;
	for (uint32_t w = 0; w < s->conf.workers; w++)
		ctl_call(s, w, monitor_here, &j);
	if (j.conflicts == 0 || what != LATCH_MONITOR_REJECT)
		return 0;
	conf_fail(e, NULL,
		"[sa %s]: %u latched connections have another peer or protection; narrow the "
		"selectors, or end them first",
		name, j.conflicts);
	return -EADDRINUSE;
}

static int
add_everywhere(struct tl_stack *s, struct sa_job *j)
{
	for (uint32_t w = 0; w < s->conf.workers; w++) {
		if (w == j->sa->owner)
			continue;
		ctl_call(s, w, add_here, j);
		if (j->rc != 0)
			return j->rc;
	}
	ctl_call(s, j->sa->owner, add_here, j);
	return j->rc;
}

/* ---- slots ---- */

void
slot_put(struct control *c, struct slot_queue *q, uint32_t slot)
{
	c->sa[slot].next_in_queue = UINT32_MAX;
	if (q->n++ == 0)
		q->head = slot;
	else
		c->sa[q->tail].next_in_queue = slot;
	q->tail = slot;
}

static uint32_t
slot_get(struct control *c, struct slot_queue *q)
{
	uint32_t slot = q->head;

	q->head = c->sa[slot].next_in_queue;
	q->n--;
	return slot;
}

static void
drain_here(struct lcore *lc, void *arg)
{
	drain_ask(lc, *(const uint64_t *)arg);
}

static void
drain_everywhere(struct tl_stack *s)
{
	for (uint32_t w = 0; w < s->conf.workers; w++)
		ctl_call(s, w, drain_here, &s->control.drain_epoch);
}

/*
 * The slot may be used again when every worker has drained its queues after this moment, twice:
 * what one worker reassembled before it passed may then lie in the ring of another that passed
 * already.
 */
static void
slot_drain(struct tl_stack *s, uint32_t slot)
{
	struct control *c = &s->control;

	c->sa[slot].drain_epoch = ++c->drain_epoch;
	slot_put(c, &c->draining, slot);
	drain_everywhere(s);
}

static bool
is_passed(const struct control *c, const struct slot_queue *q, uint64_t passed)
{
	return q->n > 0 && c->sa[q->head].drain_epoch <= passed;
}

void
slots_collect(struct tl_stack *s)
{
	struct control *c = &s->control;
	uint64_t passed = UINT64_MAX, again = c->drain_epoch + 1;
	uint32_t slot;

	for (uint32_t w = 0; w < s->conf.workers; w++)
		passed = RTE_MIN(passed, drain_passed(s->lc[w]));
	while (is_passed(c, &c->settling, passed))
		slot_put(c, &c->free, slot_get(c, &c->settling));
	while (is_passed(c, &c->draining, passed)) {
		slot = slot_get(c, &c->draining);
		/* A worker alone hands nothing to another. */
		if (s->conf.workers > 1)
			c->sa[slot].drain_epoch = c->drain_epoch = again;
		slot_put(c, s->conf.workers > 1 ? &c->settling : &c->free, slot);
	}
	if (c->drain_epoch == again)
		drain_everywhere(s);
}

static bool
slot_take(struct tl_stack *s, uint32_t *slot)
{
	struct control *c = &s->control;

	slots_collect(s);
	if (c->free.n == 0)
		return false;
	*slot = slot_get(c, &c->free);
	return true;
}

/* ---- lookups ---- */

static bool
in_use(const struct master_sa *ms)
{
	return ms->name[0] != '\0';
}

int
control_sa_by_name(const struct tl_stack *s, const char *name)
{
	const struct control *c = &s->control;

	for (uint32_t i = 0; i < c->nb_slots && name[0] != '\0'; i++) {
		if (strcmp(c->sa[i].name, name) == 0)
			return (int)i;
	}
	return -ENOENT;
}

int
control_sa_by_spi(const struct tl_stack *s, bool inbound, uint32_t spi,
	const struct ip_addr *destination, uint32_t realm)
{
	const struct control *c = &s->control;

	for (uint32_t i = 0; i < c->nb_slots; i++) {
		const struct esp_sa_conf *sa = &c->sa[i].conf;

		if (in_use(&c->sa[i]) && sa->inbound == inbound && sa->spi == spi &&
			sa->realm == realm &&
			ip_addr_eq(inbound ? &sa->local : &sa->remote, destination))
			return (int)i;
	}
	return -ENOENT;
}

static bool
spi_taken(const struct tl_stack *s, uint32_t spi, uint32_t realm)
{
	const struct control *c = &s->control;

	for (uint32_t i = 0; i < c->nb_slots; i++) {
		const struct esp_sa_conf *sa = &c->sa[i].conf;

		if (in_use(&c->sa[i]) && sa->inbound && sa->spi == spi && sa->realm == realm)
			return true;
	}
	return false;
}

uint32_t
control_spi_choose(struct tl_stack *s, uint32_t lo, uint32_t hi, uint32_t realm)
{
	uint64_t span;
	uint32_t r;

	lo = RTE_MAX(lo, 256u);
	if (hi < lo)
		return 0;
	span = (uint64_t)hi - lo + 1;
	for (int tries = 0; tries < 1024; tries++) {
		if (RAND_bytes((unsigned char *)&r, sizeof(r)) != 1)
			return 0;
		r = (uint32_t)(lo + r % span);
		if (!spi_taken(s, r, realm))
			return r;
	}
	return 0;
}

struct info_job {
	uint32_t index, gen;
	struct esp_sa_info *out;
	int rc;
};

static void
info_here(struct lcore *lc, void *arg)
{
	struct info_job *j = arg;

	j->rc = esp_sad_info(lc, j->index, j->gen, j->out);
}

int
control_sa_info(struct tl_stack *s, uint32_t slot, struct esp_sa_info *out)
{
	struct control *c = &s->control;
	struct info_job j = {.index = slot, .out = out};

	if (slot >= c->nb_slots || !in_use(&c->sa[slot]))
		return -ENOENT;
	j.gen = c->sa[slot].gen;
	ctl_call(s, c->sa[slot].conf.owner, info_here, &j);
	return j.rc;
}

/* ---- add and delete ---- */

/* What can be refused before any worker hears of the SA. */
static int
check_new_sa(struct tl_stack *s, const char *name, const struct esp_sa_conf *sa, struct tl_error *e)
{
	const char *why;
	int rc;

	if (esp_sa_check(sa, &why) != 0) {
		conf_fail(e, NULL, "[sa %s]: %s", name, why);
		return -EINVAL;
	}
	if (control_sa_by_name(s, name) >= 0) {
		conf_fail(e, NULL, "[sa %s]: an SA of this name exists", name);
		return -EEXIST;
	}
	rc = control_peer_judge(s, name, sa, e);
	if (rc == 0)
		rc = key_remember(&s->control.keys, sa);
	if (rc == -EEXIST)
		conf_fail(e, NULL,
			"[sa %s] key: this stack had the same key before; nonces could repeat",
			name);
	return rc;
}

static void
tell(struct tl_stack *s, enum control_change change, uint32_t slot, enum esp_del_cause cause)
{
	struct control_note note = {
		.change = change, .slot = slot, .sa = &s->control.sa[slot], .cause = cause};

	if (s->control.watch != NULL)
		s->control.watch(s->control.watch_arg, &note);
}

/* The owner comes last in both, so an SA that was refused protected nothing. */
static int
enter(struct tl_stack *s, const char *name, const struct esp_sa_conf *sa, struct tl_error *e)
{
	struct control *c = &s->control;
	struct sa_job j = {.sa = sa, .why = ESP_DEL_ADMIN};
	struct master_sa *ms;
	int rc;

	if (!slot_take(s, &j.index)) {
		conf_fail(e, NULL,
			"[sa %s]: the SAD is full (%u slots, %u of them wait for their last "
			"packets); "
			"raise [stack] max-sas",
			name, c->nb_slots, c->draining.n + c->settling.n);
		return -ENOSPC;
	}
	ms = &c->sa[j.index];
	j.gen = ++ms->gen;
	rc = add_everywhere(s, &j);
	if (rc != 0) {
		del_everywhere(s, &j);
		slot_put(c, &c->free, j.index);
		conf_fail(e, NULL, "[sa %s]: %s", name,
			rc == -EEXIST    ? "an inbound SA with this SPI exists"
			: rc == -ENOTSUP ? "this build has no such crypto engine, or the engine "
					   "not this suite"
					 : strerror(-rc));
		return rc;
	}
	snprintf(ms->name, sizeof(ms->name), "%s", name);
	ms->conf = *sa;
	OPENSSL_cleanse(ms->conf.key, sizeof(ms->conf.key));
	OPENSSL_cleanse(ms->conf.auth_key, sizeof(ms->conf.auth_key));
	tell(s, CONTROL_SA_ADDED, j.index, ESP_DEL_ADMIN);
	look_everywhere(s, sa);
	return (int)j.index;
}

int
control_sa_add(
	struct tl_stack *s, const char *name, const struct esp_sa_conf *sa, struct tl_error *e)
{
	char made[CONF_NAME];
	int rc;

	if (name[0] == '\0') {
		snprintf(made, sizeof(made), "%s-%08x-%u", sa->inbound ? "in" : "out", sa->spi,
			++s->control.next_sa_name);
		name = made;
	}
	rc = check_new_sa(s, name, sa, e);
	if (rc != 0)
		return rc;
	rc = monitor(s, name, sa, e);
	if (rc == 0)
		rc = enter(s, name, sa, e);
	if (rc < 0)
		key_forget(&s->control.keys, sa);
	return rc;
}

int
control_sa_del(struct tl_stack *s, uint32_t slot, enum esp_del_cause cause)
{
	struct control *c = &s->control;
	struct sa_job j = {.index = slot, .why = cause};

	if (slot >= c->nb_slots || !in_use(&c->sa[slot]))
		return -ENOENT;
	j.gen = c->sa[slot].gen;
	del_everywhere(s, &j);
	tell(s, CONTROL_SA_DELETED, slot, cause);
	c->sa[slot].name[0] = '\0';
	slot_drain(s, slot);
	return 0;
}

struct move_job {
	const struct esp_event *ev;
	uint32_t moved;
};

static void
move_here(struct lcore *lc, void *arg)
{
	struct move_job *j = arg;

	j->moved += esp_sad_move(lc, j->ev->index, j->ev->gen, &j->ev->addr, j->ev->port);
}

uint32_t
control_sa_move(struct tl_stack *s, const struct esp_event *ev)
{
	struct control *c = &s->control;
	struct esp_sa_conf was = c->sa[ev->index].conf;
	struct move_job j = {.ev = ev};
	uint32_t n = 0;

	/* The worker that told it moved already, and may be further by now. */
	for (uint32_t w = 0; w < s->conf.workers; w++) {
		if (w != ev->worker)
			ctl_call(s, w, move_here, &j);
	}
	for (uint32_t i = 0; i < c->nb_slots; i++) {
		struct esp_sa_conf *sa = &c->sa[i].conf;

		if (in_use(&c->sa[i]) && esp_sa_moves_with(sa, &was)) {
			sa->remote = ev->addr;
			sa->udp_remote = ev->port;
			n++;
		}
	}
	return n;
}

/* ---- the public calls ---- */

int
control_sa_add_words(struct tl_stack *s, const char *name, const char *settings, struct tl_error *e)
{
	struct tl_conf *c = tl_conf_new();
	char section[CONF_NAME];
	struct esp_sa_conf sa;
	int rc;

	if (c == NULL)
		return -ENOMEM;
	snprintf(section, sizeof(section), "sa %.60s", name);
	if (name[0] == '\0')
		rc = conf_fail(e, NULL, "[sa]: expected a name");
	else
		rc = conf_set_words(c, section, settings, e);
	if (rc == 0)
		rc = conf_read_sa(c, &s->conf, name, &sa, e);
	if (rc == 0)
		rc = control_sa_add(s, name, &sa, e);
	OPENSSL_cleanse(&sa, sizeof(sa));
	tl_conf_free(c);
	return rc;
}

int
control_policy_add_words(
	struct tl_stack *s, const char *name, const char *settings, struct tl_error *e)
{
	struct tl_conf *c = tl_conf_new();
	char section[CONF_NAME];
	struct spd_rule r;
	int rc;

	if (c == NULL)
		return -ENOMEM;
	snprintf(section, sizeof(section), "policy %.54s", name);
	if (name[0] == '\0')
		rc = conf_fail(e, NULL, "[policy]: expected a name");
	else
		rc = conf_set_words(c, section, settings, e);
	if (rc == 0)
		rc = conf_read_rule(c, &s->conf, name, &r, e);
	if (rc == 0)
		rc = control_policy_add(s, &r, e);
	tl_conf_free(c);
	return rc;
}

int
tl_sa_add(struct tl_stack *s, const char *name, const char *settings, struct tl_error *e)
{
	int rc;

	control_lock(s);
	rc = control_sa_add_words(s, name, settings, e);
	control_unlock(s);
	return rc < 0 ? rc : 0;
}

int
tl_sa_del(struct tl_stack *s, const char *name, bool revoked, struct tl_error *e)
{
	int slot;

	control_lock(s);
	slot = control_sa_by_name(s, name);
	if (slot < 0)
		conf_fail(e, NULL, "[sa %s]: no such SA", name);
	else
		control_sa_del(s, (uint32_t)slot, revoked ? ESP_DEL_REVOKED : ESP_DEL_ADMIN);
	control_unlock(s);
	return slot < 0 ? slot : 0;
}
