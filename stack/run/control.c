/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * control.c - changes from outside while the workers turn: messages, applied between turns.
 */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>

#include "stack/run/run.h"

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
}

static void
del_here(struct lcore *lc, void *arg)
{
	struct sa_job *j = arg;

	esp_sad_del(lc, j->index, j->gen, j->why);
}

static void
del_everywhere(struct tl_stack *s, struct sa_job *j)
{
	for (uint32_t w = 0; w < s->conf.workers; w++)
		ctl_call(s, w, del_here, j);
}

/* The owner comes last: when packets can be decrypted, every worker knows the SA. */
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

/* Slots go round, so that one is not soon used again (F-1). */
static bool
slot_take(struct tl_stack *s, uint32_t *index)
{
	for (uint32_t i = 0; i < ESP_SAD_SLOTS; i++) {
		uint32_t at = (s->next_slot + i) % ESP_SAD_SLOTS;

		if (s->sa[at].name[0] == '\0') {
			s->next_slot = at + 1;
			*index = at;
			return true;
		}
	}
	return false;
}

static struct master_sa *
master_find(struct tl_stack *s, const char *name)
{
	for (uint32_t i = 0; i < ESP_SAD_SLOTS; i++) {
		if (strcmp(s->sa[i].name, name) == 0)
			return &s->sa[i];
	}
	return NULL;
}

/* Remembers a key. Returns 0, -EEXIST if the stack had it before, or -ENOMEM. */
static int
key_remember(struct key_memory *k, const struct esp_sa_conf *sa)
{
	uint8_t text[sizeof(k->salt) + ESP_KEY_MAX + ESP_AUTH_KEY_MAX], d[32];
	unsigned int len = sizeof(d);

	if (k->n == k->cap) {
		uint32_t cap = k->cap == 0 ? 64 : k->cap * 2;
		void *more = realloc(k->digest, (size_t)cap * sizeof(*k->digest));

		if (more == NULL || (k->cap == 0 && RAND_bytes(k->salt, sizeof(k->salt)) != 1)) {
			k->digest = more == NULL ? k->digest : more;
			return -ENOMEM;
		}
		k->digest = more;
		k->cap = cap;
	}
	memcpy(text, k->salt, sizeof(k->salt));
	memcpy(text + sizeof(k->salt), sa->key, ESP_KEY_MAX);
	memcpy(text + sizeof(k->salt) + ESP_KEY_MAX, sa->auth_key, ESP_AUTH_KEY_MAX);
	EVP_Digest(text, sizeof(text), d, &len, EVP_sha256(), NULL);
	OPENSSL_cleanse(text, sizeof(text));
	for (uint32_t i = 0; i < k->n; i++) {
		if (memcmp(k->digest[i], d, sizeof(d)) == 0)
			return -EEXIST;
	}
	memcpy(k->digest[k->n++], d, sizeof(d));
	return 0;
}

/*
 * A connection lives where its peer's SA lives. If two inbound SAs that cover one flow had two
 * owners, a rekey would move the flow away from its connection, and one 5-tuple could be opened
 * twice (C-9, P-14).
 */
static const struct master_sa *
owned_elsewhere(const struct tl_stack *s, const struct esp_sa_conf *sa)
{
	for (uint32_t i = 0; i < ESP_SAD_SLOTS && sa->inbound; i++) {
		const struct master_sa *ms = &s->sa[i];

		if (ms->name[0] != '\0' && ms->inbound && ms->owner != sa->owner &&
			esp_sel_overlap(&ms->sel, &sa->sel))
			return ms;
	}
	return NULL;
}

/* What can be refused before any worker hears of the SA. */
static int
check_new_sa(struct tl_stack *s, const char *name, const struct esp_sa_conf *sa, struct tl_error *e)
{
	const struct master_sa *other = owned_elsewhere(s, sa);
	int rc;

	if (name[0] == '\0' || master_find(s, name) != NULL) {
		conf_fail(e, NULL, "[sa %s]: an SA of this name exists", name);
		return -EEXIST;
	}
	if (other != NULL)
		return conf_fail(e, NULL,
			"[sa %s] worker: expected %u, as [sa %s] covers some of the same flows",
			name, other->owner, other->name);
	rc = key_remember(&s->keys, sa);
	if (rc == -EEXIST)
		conf_fail(e, NULL,
			"[sa %s] key: this stack had the same key before; AES-GCM nonces could "
			"repeat",
			name);
	return rc;
}

int
control_sa_add(
	struct tl_stack *s, const char *name, const struct esp_sa_conf *sa, struct tl_error *e)
{
	struct sa_job j = {.sa = sa, .why = ESP_DEL_ADMIN};
	struct master_sa *ms;
	int rc = check_new_sa(s, name, sa, e);

	if (rc != 0)
		return rc;
	if (!slot_take(s, &j.index)) {
		s->keys.n--; /* it protected nothing */
		conf_fail(e, NULL, "[sa %s]: the SAD is full (%d SAs)", name, ESP_SAD_SLOTS);
		return -ENOSPC;
	}
	ms = &s->sa[j.index];
	j.gen = ++ms->gen;
	rc = add_everywhere(s, &j);
	if (rc != 0) {
		del_everywhere(s, &j);
		s->keys.n--; /* the owner comes last, so it protected nothing */
		conf_fail(e, NULL, "[sa %s]: %s", name,
			rc == -EEXIST    ? "an inbound SA with this SPI exists"
			: rc == -ENOTSUP ? "this build has no such crypto engine, or the engine "
					   "not this suite"
					 : strerror(-rc));
		return rc;
	}
	snprintf(ms->name, sizeof(ms->name), "%s", name);
	ms->inbound = sa->inbound;
	ms->owner = sa->owner;
	ms->sel = sa->sel;
	return 0;
}

/* "key=value key=value" as the keys of a section. */
static int
settings_parse(struct tl_conf *c, const char *name, const char *settings, struct tl_error *e)
{
	char *copy = strdup(settings), *save = NULL, *word;
	char key[2 * CONF_NAME + 8];
	int rc = 0;

	if (copy == NULL)
		return -ENOMEM;
	for (word = strtok_r(copy, " \t\n", &save); word != NULL && rc == 0;
		word = strtok_r(NULL, " \t\n", &save)) {
		char *eq = strchr(word, '=');

		if (eq == NULL) {
			rc = conf_fail(
				e, NULL, "[sa %s]: expected key=value, got \"%s\"", name, word);
			break;
		}
		*eq = '\0';
		snprintf(key, sizeof(key), "sa %.63s.%.63s", name, word);
		rc = tl_conf_set(c, key, eq + 1, e);
	}
	OPENSSL_cleanse(copy, strlen(settings));
	free(copy);
	return rc;
}

int
tl_sa_add(struct tl_stack *s, const char *name, const char *settings, struct tl_error *e)
{
	struct tl_conf *c = tl_conf_new();
	struct esp_sa_conf sa;
	int rc;

	if (c == NULL)
		return -ENOMEM;
	rc = settings_parse(c, name, settings, e);
	if (rc == 0)
		rc = conf_read_sa(c, &s->conf, name, &sa, e);
	if (rc == 0)
		rc = control_sa_add(s, name, &sa, e);
	OPENSSL_cleanse(&sa, sizeof(sa));
	tl_conf_free(c);
	return rc;
}

int
tl_sa_del(struct tl_stack *s, const char *name, bool revoked, struct tl_error *e)
{
	struct master_sa *ms = name[0] == '\0' ? NULL : master_find(s, name);
	struct sa_job j = {.why = revoked ? ESP_DEL_REVOKED : ESP_DEL_ADMIN};

	if (ms == NULL) {
		conf_fail(e, NULL, "[sa %s]: no such SA", name);
		return -ENOENT;
	}
	j.index = (uint32_t)(ms - s->sa);
	j.gen = ms->gen;
	del_everywhere(s, &j);
	ms->name[0] = '\0';
	return 0;
}
