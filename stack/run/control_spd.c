/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * control_spd.c - the master policy: rules in order, built once, installed on every worker.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "stack/run/run.h"

struct install_job {
	const struct spd *spd;
	int rc;
};

static void
prepare_here(struct lcore *lc, void *arg)
{
	struct install_job *j = arg;
	int rc = spd_prepare(lc, j->spd);

	j->rc = rc != 0 ? rc : j->rc;
}

/* S-5: latches break, and who has them hears of it, before the edit takes effect. */
static void
install_here(struct lcore *lc, void *arg)
{
	struct install_job *j = arg;

	latch_policy_edit(lc, j->spd);
	j->rc = spd_install(lc, j->spd);
}

static int
build(const struct control *c, struct spd **out, struct tl_error *e)
{
	const char *why;
	int rc = spd_build(c->rule, c->nb_rules, out, &why);

	if (rc != 0)
		conf_fail(e, NULL, "policy of %u rules: %s", c->nb_rules, why);
	return rc;
}

/* When the last worker has answered, nobody reads the former policy any more. */
static int
publish(struct tl_stack *s, struct tl_error *e)
{
	struct control *c = &s->control;
	struct install_job j = {0};
	struct spd *spd;
	int rc;

	c->dirty = c->hold;
	if (c->hold)
		return 0;
	rc = build(c, &spd, e);
	if (rc != 0)
		return rc;
	j.spd = spd;
	for (uint32_t w = 0; w < s->conf.workers; w++)
		ctl_call(s, w, prepare_here, &j);
	if (j.rc != 0) {
		conf_fail(e, NULL, "out of memory");
		spd_free(spd);
		return j.rc;
	}
	for (uint32_t w = 0; w < s->conf.workers; w++)
		ctl_call(s, w, install_here, &j);
	spd_free(c->spd);
	c->spd = spd;
	return 0;
}

/* What the master policy was, for when the workers cannot take the new one. */
static bool
keep(const struct control *c, struct spd_rule **was, uint32_t *n)
{
	*n = c->nb_rules;
	*was = calloc(*n + 1, sizeof(**was));
	if (*was != NULL && *n > 0)
		memcpy(*was, c->rule, *n * sizeof(**was));
	return *was != NULL;
}

static void
restore(struct control *c, const struct spd_rule *was, uint32_t n)
{
	if (n > 0)
		memcpy(c->rule, was, n * sizeof(*was)); /* its room never shrinks */
	c->nb_rules = n;
}

void
control_policy_hold(struct tl_stack *s)
{
	struct control *c = &s->control;

	c->hold = true;
	c->dirty = false;
	if (!keep(c, &c->held, &c->nb_held))
		c->held = NULL;
}

int
control_policy_release(struct tl_stack *s, struct tl_error *e)
{
	struct control *c = &s->control;
	int rc;

	c->hold = false;
	rc = c->dirty ? publish(s, e) : 0;
	if (rc != 0 && c->held != NULL)
		restore(c, c->held, c->nb_held);
	free(c->held);
	c->held = NULL;
	return rc;
}

static bool
grow(struct control *c, uint32_t n)
{
	uint32_t cap = c->cap_rules == 0 ? 16 : c->cap_rules;
	struct spd_rule *more;

	while (cap < n)
		cap *= 2;
	if (cap == c->cap_rules)
		return true;
	more = realloc(c->rule, cap * sizeof(*more));
	if (more == NULL)
		return false;
	c->rule = more;
	c->cap_rules = cap;
	return true;
}

/* Behind all rules of the same or a lower number. */
static uint32_t
place_of(const struct control *c, const struct spd_rule *r)
{
	uint32_t at = c->nb_rules;

	while (at > 0 && c->rule[at - 1].priority > r->priority)
		at--;
	return at;
}

static void
tell(struct tl_stack *s, enum control_change change, const struct spd_rule *r)
{
	struct control_note note = {.change = change, .rule = r};

	if (s->control.watch != NULL)
		s->control.watch(s->control.watch_arg, &note);
}

static void
insert(struct control *c, const struct spd_rule *r, uint32_t at)
{
	memmove(&c->rule[at + 1], &c->rule[at], (c->nb_rules - at) * sizeof(*r));
	c->rule[at] = *r;
	c->rule[at].id = ++c->next_rule_id;
	if (c->rule[at].name[0] == '\0')
		snprintf(c->rule[at].name, sizeof(c->rule[at].name), "rule-%u", c->rule[at].id);
	c->nb_rules++;
}

static void
take_out(struct control *c, uint32_t at)
{
	c->nb_rules--;
	memmove(&c->rule[at], &c->rule[at + 1], (c->nb_rules - at) * sizeof(c->rule[0]));
}

int
control_policy_add(struct tl_stack *s, const struct spd_rule *r, struct tl_error *e)
{
	struct control *c = &s->control;
	uint32_t at;
	int rc;

	if (r->name[0] != '\0' && control_policy_by_name(s, r->name) != NULL) {
		conf_fail(e, NULL, "[policy %s]: a policy of this name exists", r->name);
		return -EEXIST;
	}
	if (!grow(c, c->nb_rules + 1)) {
		conf_fail(e, NULL, "out of memory");
		return -ENOMEM;
	}
	at = place_of(c, r);
	insert(c, r, at);
	rc = publish(s, e);
	if (rc != 0) {
		take_out(c, at);
		return rc;
	}
	tell(s, CONTROL_POLICY_ADDED, &c->rule[at]);
	return (int)c->rule[at].id;
}

int
control_policy_set(struct tl_stack *s, const struct spd_rule *r, uint32_t n, struct tl_error *e)
{
	struct control *c = &s->control;
	struct spd_rule *was;
	uint32_t nb_was;
	int rc;

	if (!grow(c, n) || !keep(c, &was, &nb_was)) {
		conf_fail(e, NULL, "out of memory");
		return -ENOMEM;
	}
	c->nb_rules = 0;
	for (uint32_t i = 0; i < n; i++)
		insert(c, &r[i], place_of(c, &r[i]));
	rc = publish(s, e);
	if (rc != 0)
		restore(c, was, nb_was);
	free(was);
	return rc;
}

int
control_policy_del(struct tl_stack *s, uint32_t id)
{
	struct control *c = &s->control;
	struct tl_error e;

	for (uint32_t i = 0; i < c->nb_rules; i++) {
		struct spd_rule r = c->rule[i];
		int rc;

		if (r.id != id)
			continue;
		take_out(c, i);
		rc = publish(s, &e);
		if (rc != 0) {
			memmove(&c->rule[i + 1], &c->rule[i],
				(c->nb_rules++ - i) * sizeof(c->rule[0]));
			c->rule[i] = r;
			return rc;
		}
		tell(s, CONTROL_POLICY_DELETED, &r);
		return 0;
	}
	return -ENOENT;
}

const struct spd_rule *
control_policy_by_id(const struct tl_stack *s, uint32_t id)
{
	for (uint32_t i = 0; i < s->control.nb_rules; i++) {
		if (s->control.rule[i].id == id)
			return &s->control.rule[i];
	}
	return NULL;
}

const struct spd_rule *
control_policy_by_name(const struct tl_stack *s, const char *name)
{
	for (uint32_t i = 0; i < s->control.nb_rules; i++) {
		if (strcmp(s->control.rule[i].name, name) == 0)
			return &s->control.rule[i];
	}
	return NULL;
}

struct hits_job {
	uint32_t id;
	uint64_t hits;
};

static void
add_hits(const struct spd_rule *r, void *arg)
{
	struct hits_job *j = arg;

	if (r->id == j->id)
		j->hits += r->hits;
}

static void
hits_here(struct lcore *lc, void *arg)
{
	spd_foreach(lc, add_hits, arg);
}

int
control_policy_info(struct tl_stack *s, uint32_t id, struct spd_rule *out)
{
	const struct spd_rule *r = control_policy_by_id(s, id);
	struct hits_job j = {.id = id};

	if (r == NULL)
		return -ENOENT;
	*out = *r;
	for (uint32_t w = 0; w < s->conf.workers; w++)
		ctl_call(s, w, hits_here, &j);
	out->hits = j.hits;
	return 0;
}
