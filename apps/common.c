/* SPDX-License-Identifier: BSD-3-Clause */
/* common.c - start-up that all programs share. */
#include "apps/common.h"

#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void
die_config(const struct tl_error *e)
{
	fprintf(stderr, "%s\n", e->text);
	exit(EXIT_CONFIG);
}

void
conf_set_arg(struct tl_conf *c, const char *arg)
{
	const char *eq = strchr(arg, '=');
	struct tl_error e;
	char *key;

	if (eq == NULL) {
		fprintf(stderr, "--set %s: expected SECTION.KEY=VALUE\n", arg);
		exit(EXIT_CONFIG);
	}
	key = strndup(arg, (size_t)(eq - arg));
	if (key == NULL || tl_conf_set(c, key, eq + 1, &e) != 0)
		die_config(&e);
	free(key);
}

void
common_option(int opt, struct tl_conf *c, const char **file, void (*usage)(FILE *out))
{
	switch (opt) {
	case 'f':
		*file = optarg;
		break;
	case 's':
		conf_set_arg(c, optarg);
		break;
	case 'V':
		printf("taglatch %s\n", tl_version());
		exit(0);
	case 'h':
		usage(stdout);
		exit(0);
	default:
		usage(stderr);
		exit(EXIT_CONFIG);
	}
}

struct tl_stack *
stack_from(struct tl_conf *c, const char *file)
{
	struct tl_stack *s;
	struct tl_error e = {""};

	if (file != NULL && tl_conf_load(c, file, &e) != 0)
		die_config(&e);
	if (tl_conf_check(c, &e) != 0 || tl_eal_init(c, &e) != 0 || tl_create(c, &s, &e) != 0)
		die_config(&e);
	return s;
}

/* A signal handler has no argument, so this one word is the exception to the rule. */
static struct tl_stack *volatile stop_this;

static void
on_signal(int sig)
{
	(void)sig;
	if (stop_this != NULL)
		tl_stop(stop_this);
}

void
stop_on_signals(struct tl_stack *s)
{
	struct sigaction sa = {.sa_handler = s == NULL ? SIG_DFL : on_signal};

	stop_this = s;
	sigaction(SIGINT, &sa, NULL);
	sigaction(SIGTERM, &sa, NULL);
}
