/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * conf.c - the text of a configuration: files, overrides, and where each key was written.
 *
 * librte_cfgfile reads the file; it does not tell lines, so they are looked up beside it.
 */
#include "stack/run/conf.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <openssl/crypto.h>
#include <rte_cfgfile.h>

struct tl_conf *
tl_conf_new(void)
{
	struct tl_conf *c = calloc(1, sizeof(*c));

	if (c != NULL)
		c->tail = &c->head;
	return c;
}

static void
ent_free(struct conf_ent *e)
{
	OPENSSL_cleanse(e->value, strlen(e->value)); /* it may be a key */
	free(e->value);
	free(e);
}

void
tl_conf_free(struct tl_conf *c)
{
	if (c == NULL)
		return;
	for (struct conf_ent *e = c->head, *next; e != NULL; e = next) {
		next = e->next;
		ent_free(e);
	}
	for (struct conf_mport *m = c->mport, *next; m != NULL; m = next) {
		next = m->next;
		free(m);
	}
	free(c->file);
	free(c);
}

const struct conf_ent *
conf_find(const struct tl_conf *c, const char *section, const char *key)
{
	for (const struct conf_ent *e = c->head; e != NULL; e = e->next) {
		if (strcmp(e->section, section) == 0 && strcmp(e->key, key) == 0)
			return e;
	}
	return NULL;
}

bool
conf_is_secret(const char *key)
{
	return strcmp(key, "key") == 0 || strcmp(key, "integrity-key") == 0 ||
	       strcmp(key, "fastopen-key") == 0;
}

int
conf_fail(struct tl_error *e, const struct conf_ent *at, const char *fmt, ...)
{
	int n = 0;
	va_list ap;

	if (at != NULL && at->file != NULL && at->line != 0)
		n = snprintf(e->text, sizeof(e->text), "%s:%u: [%s] %s: ", at->file, at->line,
			at->section, at->key);
	else if (at != NULL)
		n = snprintf(e->text, sizeof(e->text), "%s.%s: ", at->section, at->key);
	if (n < 0 || (size_t)n >= sizeof(e->text))
		n = 0; /* a path that long is no help */
	va_start(ap, fmt);
	vsnprintf(e->text + n, sizeof(e->text) - (size_t)n, fmt, ap);
	va_end(ap);
	return -EINVAL;
}

static int
add(struct tl_conf *c, const char *section, const char *key, const char *value,
	const struct conf_ent *origin)
{
	struct conf_ent *e = calloc(1, sizeof(*e));

	if (e == NULL)
		return -ENOMEM;
	*e = *origin;
	snprintf(e->section, sizeof(e->section), "%s", section);
	snprintf(e->key, sizeof(e->key), "%s", key);
	e->next = NULL;
	e->value = strdup(value);
	if (e->value == NULL) {
		free(e);
		return -ENOMEM;
	}
	*c->tail = e;
	c->tail = &e->next;
	return 0;
}

static int
replace(struct conf_ent *e, const char *value)
{
	char *copy = strdup(value);

	if (copy == NULL)
		return -ENOMEM;
	OPENSSL_cleanse(e->value, strlen(e->value));
	free(e->value);
	e->value = copy;
	e->file = NULL;
	e->line = 0;
	e->is_override = true;
	return 0;
}

int
tl_conf_set(struct tl_conf *c, const char *key, const char *value, struct tl_error *e)
{
	const struct conf_ent from_program = {.is_override = true};
	const char *dot = strrchr(key, '.');
	char section[CONF_NAME];
	struct conf_ent *old;

	if (dot == NULL || dot == key || dot[1] == '\0' || dot - key >= CONF_NAME ||
		strlen(dot + 1) >= CONF_NAME)
		return conf_fail(e, NULL, "%s: expected SECTION.KEY=VALUE", key);
	snprintf(section, sizeof(section), "%.*s", (int)(dot - key), key);
	old = (struct conf_ent *)(uintptr_t)conf_find(c, section, dot + 1);
	if (old != NULL)
		return replace(old, value);
	return add(c, section, dot + 1, value, &from_program);
}

int
conf_set_words(struct tl_conf *c, const char *section, const char *words, struct tl_error *e)
{
	char *copy = strdup(words), *save = NULL, *word;
	char key[2 * CONF_NAME + 8];
	int rc = 0;

	if (copy == NULL)
		return -ENOMEM;
	for (word = strtok_r(copy, " \t\n", &save); word != NULL && rc == 0;
		word = strtok_r(NULL, " \t\n", &save)) {
		char *eq = strchr(word, '=');

		if (eq == NULL) {
			rc = conf_fail(
				e, NULL, "[%s]: expected key=value, got \"%s\"", section, word);
			break;
		}
		*eq = '\0';
		snprintf(key, sizeof(key), "%.63s.%.63s", section, word);
		rc = tl_conf_set(c, key, eq + 1, e);
	}
	OPENSSL_cleanse(copy, strlen(words));
	free(copy);
	return rc;
}

int
tl_conf_mport(struct tl_conf *c, const char *name, const struct tl_mport_ops *ops, void *ctx)
{
	struct conf_mport *m = calloc(1, sizeof(*m));

	if (m == NULL)
		return -ENOMEM;
	snprintf(m->name, sizeof(m->name), "%s", name);
	m->ops = ops;
	m->ctx = ctx;
	m->next = c->mport;
	c->mport = m;
	return 0;
}

static char *
skip_space(char *p)
{
	while (isspace((unsigned char)*p))
		p++;
	return p;
}

static void
cut_end(char *p)
{
	size_t n = strlen(p);

	while (n > 0 && isspace((unsigned char)p[n - 1]))
		p[--n] = '\0';
}

/* What one line of a file is, so that a bad one can be named; librte_cfgfile does the reading. */
static const char *
line_check(char *line, char *section, char *key)
{
	char *p, *eq;

	key[0] = '\0';
	p = strchr(line, ';');
	if (p != NULL)
		*p = '\0';
	p = skip_space(line);
	cut_end(p);
	if (*p == '\0')
		return NULL;
	if (*p == '[') {
		char *end = strchr(p, ']');

		if (end == NULL || end[1] != '\0' || end == p + 1 || end - p > CONF_NAME)
			return "expected [section]";
		snprintf(section, CONF_NAME, "%.*s", (int)(end - p - 1), p + 1);
		return NULL;
	}
	eq = strchr(p, '=');
	if (eq == NULL || eq == p)
		return "expected key = value";
	if (section[0] == '\0')
		return "expected a [section] before the first key";
	*eq = '\0';
	cut_end(p);
	if (strlen(p) >= CONF_NAME)
		return "expected a key of less than 64 characters";
	if (strlen(skip_space(eq + 1)) >= CFG_VALUE_LEN)
		return "expected a value of less than 256 characters";
	snprintf(key, CONF_NAME, "%s", p);
	return NULL;
}

/* Where each key of a file stands. */
struct key_line {
	char section[CONF_NAME];
	char key[CONF_NAME];
	uint32_t line;
};

struct key_lines {
	struct key_line *v;
	uint32_t n, cap;
	uint32_t at; /* after the last one found: keys are asked for in the order of the file */
};

static bool
key_line_add(struct key_lines *kl, const char *section, const char *key, uint32_t line)
{
	struct key_line *k;

	if (kl->n == kl->cap) {
		uint32_t cap = kl->cap == 0 ? 64 : kl->cap * 2;

		k = realloc(kl->v, cap * sizeof(*k));
		if (k == NULL)
			return false;
		kl->v = k;
		kl->cap = cap;
	}
	k = &kl->v[kl->n++];
	strcpy(k->section, section);
	strcpy(k->key, key);
	k->line = line;
	return true;
}

static uint32_t
key_line_find(struct key_lines *kl, const char *section, const char *key)
{
	for (uint32_t i = 0; i < kl->n; i++) {
		uint32_t at = (kl->at + i) % kl->n;
		const struct key_line *k = &kl->v[at];

		if (strcmp(k->key, key) == 0 && strcmp(k->section, section) == 0) {
			kl->at = at + 1;
			return k->line;
		}
	}
	return 0;
}

/* Checks the syntax of the whole file and notes where each key stands. */
static int
scan(const char *path, struct key_lines *kl, struct tl_error *e)
{
	char line[512], section[CONF_NAME] = "", key[CONF_NAME];
	FILE *f = fopen(path, "re");
	uint32_t n = 0;
	int rc = 0;

	if (f == NULL) {
		snprintf(e->text, sizeof(e->text), "%s: %s", path, strerror(errno));
		return -errno;
	}
	while (rc == 0 && fgets(line, sizeof(line), f) != NULL) {
		const char *bad = line_check(line, section, key);

		n++;
		if (bad == NULL && key[0] != '\0' && !key_line_add(kl, section, key, n))
			bad = "out of memory";
		if (bad != NULL) {
			snprintf(e->text, sizeof(e->text), "%s:%u: %s", path, n, bad);
			rc = -EINVAL;
		}
	}
	OPENSSL_cleanse(line, sizeof(line));
	fclose(f);
	return rc;
}

static int
take_entry(struct tl_conf *c, const char *section, const struct rte_cfgfile_entry *ent,
	struct key_lines *kl, struct tl_error *e)
{
	struct conf_ent origin = {.file = c->file};
	const struct conf_ent *old = conf_find(c, section, ent->name);

	if (old != NULL && old->is_override)
		return 0;
	if (old != NULL) {
		snprintf(e->text, sizeof(e->text), "%s:%u: [%s] %s: expected each key once",
			c->file, old->line, section, old->key);
		return -EINVAL;
	}
	origin.line = key_line_find(kl, section, ent->name);
	return add(c, section, ent->name, ent->value, &origin);
}

static int
take_section(struct tl_conf *c, struct rte_cfgfile *cfg, const char *section, struct key_lines *kl,
	struct tl_error *e)
{
	int n = rte_cfgfile_section_num_entries(cfg, section), rc = 0;
	struct rte_cfgfile_entry *ents;

	if (n <= 0)
		return 0;
	ents = calloc((size_t)n, sizeof(*ents));
	if (ents == NULL)
		return -ENOMEM;
	n = rte_cfgfile_section_entries(cfg, section, ents, n);
	for (int i = 0; i < n && rc == 0; i++)
		rc = take_entry(c, section, &ents[i], kl, e);
	OPENSSL_cleanse(ents, (size_t)n * sizeof(*ents));
	free(ents);
	return rc;
}

static int
take_file(struct tl_conf *c, struct rte_cfgfile *cfg, struct key_lines *kl, struct tl_error *e)
{
	int n = rte_cfgfile_num_sections(cfg, NULL, 0), rc = 0;
	char **names = calloc((size_t)n, sizeof(*names));
	char *text = calloc((size_t)n, CFG_NAME_LEN);

	if (names == NULL || text == NULL) {
		rc = -ENOMEM;
		goto out;
	}
	for (int i = 0; i < n; i++)
		names[i] = text + (size_t)i * CFG_NAME_LEN;
	n = rte_cfgfile_sections(cfg, names, n);
	for (int i = 0; i < n && rc == 0; i++)
		rc = take_section(c, cfg, names[i], kl, e);
out:
	free(names);
	free(text);
	return rc;
}

/* librte_cfgfile frees what it read without a look: what is secret there is written over. */
static void
wipe_file(struct rte_cfgfile *cfg, const struct key_lines *kl)
{
	char nothing[CFG_VALUE_LEN];

	memset(nothing, '0', sizeof(nothing) - 1);
	nothing[sizeof(nothing) - 1] = '\0';
	for (uint32_t i = 0; i < kl->n; i++) {
		if (conf_is_secret(kl->v[i].key))
			rte_cfgfile_set_entry(cfg, kl->v[i].section, kl->v[i].key, nothing);
	}
}

static int
read_file(struct tl_conf *c, const char *path, struct key_lines *kl, struct tl_error *e)
{
	struct rte_cfgfile *cfg;
	struct stat st;
	int rc = scan(path, kl, e);

	if (rc != 0)
		return rc;
	c->file_is_private = stat(path, &st) == 0 && (st.st_mode & 077) == 0;
	c->file = strdup(path);
	cfg = rte_cfgfile_load(path, 0);
	if (cfg == NULL || c->file == NULL) {
		rte_cfgfile_close(cfg);
		return conf_fail(e, NULL, "%s: expected an INI file", path);
	}
	rc = take_file(c, cfg, kl, e);
	wipe_file(cfg, kl);
	rte_cfgfile_close(cfg);
	return rc;
}

int
tl_conf_load(struct tl_conf *c, const char *path, struct tl_error *e)
{
	struct key_lines kl = {.v = NULL};
	int rc;

	if (c->file != NULL)
		return conf_fail(e, NULL, "%s: expected one file only, %s was read", path, c->file);
	rc = read_file(c, path, &kl, e);
	if (rc == -ENOMEM)
		conf_fail(e, NULL, "%s: out of memory", path);
	free(kl.v);
	return rc;
}
