/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * control_pad.c - the master PAD: who may claim which addresses, and what follows when he may not
 * any more.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "stack/run/run.h"

struct pad_job {
	const struct latch_pad *pad;
	const struct latch_pad_entry *gone;
	uint32_t closed;
};

static void
install_here(struct lcore *lc, void *arg)
{
	struct pad_job *j = arg;

	j->closed += latch_pad_install(lc, j->pad, j->gone);
}

/* The workers get the PAD of the n entries. Nobody reads the former one when it returns. */
static int
publish(struct tl_stack *s, const struct latch_pad_entry *e, uint32_t n,
	const struct latch_pad_entry *gone, struct tl_error *err)
{
	struct control *c = &s->control;
	struct latch_pad_fault f;
	struct latch_pad *pad;
	struct pad_job j;
	int rc = latch_pad_build(e, n, &pad, &f);

	if (rc != 0) {
		conf_fail(err, NULL, "[peer %s]: %s%s%s%s", f.entry == NULL ? "" : f.entry->name,
			f.why, f.with == NULL ? "" : " ([peer ", f.with == NULL ? "" : f.with->name,
			f.with == NULL ? "" : "])");
		return rc;
	}
	j = (struct pad_job){.pad = pad, .gone = gone};
	for (uint32_t w = 0; w < s->conf.workers; w++)
		ctl_call(s, w, install_here, &j);
	latch_pad_free(c->pad);
	c->pad = pad;
	return 0;
}

int
control_peer_set(
	struct tl_stack *s, const struct latch_pad_entry *e, uint32_t n, struct tl_error *err)
{
	struct control *c = &s->control;
	int rc;

	c->peer = calloc(n, sizeof(*e));
	if (c->peer == NULL)
		return -ENOMEM;
	memcpy(c->peer, e, n * sizeof(*e));
	c->nb_peers = n;
	rc = publish(s, c->peer, n, NULL, err);
	return rc;
}

int
control_peer_add(struct tl_stack *s, const struct latch_pad_entry *e, struct tl_error *err)
{
	struct control *c = &s->control;
	struct latch_pad_entry *more = realloc(c->peer, (c->nb_peers + 1) * sizeof(*more));
	int rc;

	if (more == NULL)
		return -ENOMEM;
	c->peer = more;
	more[c->nb_peers] = *e;
	rc = publish(s, more, c->nb_peers + 1, NULL, err);
	if (rc == 0)
		c->nb_peers++;
	return rc;
}

/* F-82: a peer that may not any more is gone at once, whatever spd-change says. */
static void
revoke_sas(struct tl_stack *s, const struct latch_pad *former, const struct latch_pad_entry *gone)
{
	struct control *c = &s->control;

	for (uint32_t i = 0; i < c->nb_slots; i++) {
		struct latch_pad_claim claim = {.ident = c->sa[i].conf.peer_id};
		const struct latch_pad_entry *by;

		if (c->sa[i].name[0] == '\0')
			continue;
		latch_pad_judge(former, &claim, &by);
		if (by != NULL && strcmp(by->name, gone->name) == 0)
			control_sa_del(s, i, ESP_DEL_REVOKED);
	}
}

int
control_peer_del(struct tl_stack *s, const char *name, struct tl_error *err)
{
	struct control *c = &s->control;
	struct latch_pad_entry gone;
	struct latch_pad_fault f;
	struct latch_pad *former;
	uint32_t i = 0;
	int rc;

	while (i < c->nb_peers && strcmp(c->peer[i].name, name) != 0)
		i++;
	if (i == c->nb_peers) {
		conf_fail(err, NULL, "[peer %s]: no such peer", name);
		return -ENOENT;
	}
	gone = c->peer[i];
	rc = latch_pad_build(c->peer, c->nb_peers, &former, &f);
	if (rc != 0)
		return rc;
	c->nb_peers--;
	memmove(&c->peer[i], &c->peer[i + 1], (c->nb_peers - i) * sizeof(gone));
	rc = publish(s, c->peer, c->nb_peers, &gone, err);
	if (rc == 0) {
		revoke_sas(s, former, &gone);
	} else {
		memmove(&c->peer[i + 1], &c->peer[i], (c->nb_peers - i) * sizeof(gone));
		c->peer[i] = gone;
		c->nb_peers++;
	}
	latch_pad_free(former);
	return rc;
}

int
control_peer_judge(const struct tl_stack *s, const char *name, const struct esp_sa_conf *sa,
	struct tl_error *e)
{
	struct latch_pad_claim c = {.ident = sa->peer_id,
		.auth_class = sa->auth_class,
		.remote = {sa->sel.remote.lo, sa->sel.remote.hi}};
	const struct latch_pad_entry *by;

	switch (latch_pad_judge(s->control.pad, &c, &by)) {
	case LATCH_PAD_OK:
		return 0;
	case LATCH_PAD_UNKNOWN:
		conf_fail(
			e, NULL, "[sa %s]: no [peer NAME] section allows its peer identity", name);
		break;
	case LATCH_PAD_CLASS:
		conf_fail(e, NULL,
			"[sa %s]: [peer %s] auth does not allow how its peer was authenticated",
			name, by->name);
		break;
	case LATCH_PAD_ADDRESS:
		conf_fail(e, NULL,
			"[sa %s]: [peer %s] remote-net does not hold the remote addresses of its "
			"selectors",
			name, by->name);
		break;
	}
	return -EACCES;
}

int
control_peer_add_words(
	struct tl_stack *s, const char *name, const char *settings, struct tl_error *e)
{
	struct tl_conf *c = tl_conf_new();
	struct latch_pad_entry p;
	char section[CONF_NAME];
	int rc;

	if (c == NULL)
		return -ENOMEM;
	snprintf(section, sizeof(section), "peer %.56s", name);
	if (name[0] == '\0')
		rc = conf_fail(e, NULL, "[peer]: expected a name");
	else
		rc = conf_set_words(c, section, settings, e);
	if (rc == 0)
		rc = conf_read_peer(c, &s->conf, name, &p, e);
	if (rc == 0)
		rc = control_peer_add(s, &p, e);
	tl_conf_free(c);
	return rc;
}
