/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * tl-pmd.c - a stack with a prompt, in the style of testpmd: show its state, start and stop it,
 * give it something to do, add and delete SAs.
 */
#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmdline.h>
#include <cmdline_parse.h>
#include <cmdline_parse_num.h>
#include <cmdline_parse_string.h>
#include <cmdline_socket.h>

#include "apps/common.h"
#include "apps/roles.h"
#include "stack/ctl/show.h"

enum { LINE_MAX_BYTES = 2048 };

/* The program; the commands reach it through their data pointer. */
struct pmd {
	struct tl_stack *stack;
	struct roles roles;
	bool json;
	bool quit;
	int failed; /* commands that did not work */
};

static struct pmd pmd; /* rte_cmdline hands static tables around: their data must be static */

static void
fail(const char *fmt, const char *what)
{
	printf(fmt, what);
	pmd.failed++;
}

/* ---- show ---- */

struct show_args {
	cmdline_fixed_string_t show;
	cmdline_fixed_string_t what;
};

static void
show_run(void *parsed, struct cmdline *cl, void *data)
{
	const struct show_args *a = parsed;

	(void)cl;
	(void)data;
	if (ctl_show(pmd.stack, a->what, pmd.json, stdout) != 0) {
		fail("show %s: no such table; expected one of ", a->what);
		printf("%s\n", ctl_show_names());
	}
	fflush(stdout);
}

static cmdline_parse_token_string_t show_show =
	TOKEN_STRING_INITIALIZER(struct show_args, show, "show");
static cmdline_parse_token_string_t show_what =
	TOKEN_STRING_INITIALIZER(struct show_args, what, NULL);
static cmdline_parse_inst_t show_inst = {
	.f = show_run,
	.help_str =
		"show TABLE: config tcp ports neighbours routes sad spd identities sockets latches "
		"exceptions captures stats stats-all",
	.tokens = {(void *)&show_show, (void *)&show_what, NULL},
};

/* ---- one-word commands ---- */

struct word_args {
	cmdline_fixed_string_t word;
};

static void
start(void)
{
	int rc = tl_start(pmd.stack, roles_turn, &pmd.roles);

	if (rc == -EBUSY)
		fail("%s: it runs already\n", "start");
	else if (rc != 0)
		fail("%s: DPDK has too few lcores for the workers\n", "start");
	else
		printf("started, %u worker(s)\n", tl_nb_workers(pmd.stack));
}

static void
stop(void)
{
	tl_stop(pmd.stack);
	tl_wait_stopped(pmd.stack);
	printf("stopped\n");
}

static void
help(void)
{
	printf("show TABLE                  %s\n"
	       "role echo PORT              echo what arrives on a TCP port (before start)\n"
	       "role discard PORT           read and forget (before start)\n"
	       "role source ADDR:PORT:BYTES connect and send (before start)\n"
	       "start | stop                drive the workers, or let them rest\n"
	       "add sa NAME KEY=VALUE ...   as in an [sa NAME] section\n"
	       "delete sa NAME              administrative deletion\n"
	       "revoke sa NAME              deletion that drops its queued packets too\n"
	       "capture start FILE [KEY=VALUE ...]\n"
	       "                            plaintext packets to a pcapng file, until it has\n"
	       "                            max-bytes=1G; other keys: tl-pmd(1)\n"
	       "capture stop | show\n"
	       "print WORD                  a mark in the output, for scripts\n"
	       "sleep MS                    wait, for scripts\n"
	       "wait                        until SIGINT or SIGTERM\n"
	       "json on|off                 tables as JSON\n"
	       "quit\n",
		ctl_show_names());
}

static void
wait_for_stop(void)
{
	while (tl_is_running(pmd.stack))
		usleep(10000);
	tl_wait_stopped(pmd.stack);
}

static void
word_run(void *parsed, struct cmdline *cl, void *data)
{
	const struct word_args *a = parsed;

	(void)data;
	if (strcmp(a->word, "start") == 0)
		start();
	else if (strcmp(a->word, "stop") == 0)
		stop();
	else if (strcmp(a->word, "help") == 0)
		help();
	else if (strcmp(a->word, "wait") == 0)
		wait_for_stop();
	else {
		pmd.quit = true;
		cmdline_quit(cl);
	}
	fflush(stdout);
}

static cmdline_parse_token_string_t word_word =
	TOKEN_STRING_INITIALIZER(struct word_args, word, "start#stop#help#wait#quit");
static cmdline_parse_inst_t word_inst = {
	.f = word_run,
	.help_str = "start, stop, wait, help, quit",
	.tokens = {(void *)&word_word, NULL},
};

/* ---- commands with one argument ---- */

struct pair_args {
	cmdline_fixed_string_t cmd;
	cmdline_fixed_string_t arg;
};

static void
pair_run(void *parsed, struct cmdline *cl, void *data)
{
	const struct pair_args *a = parsed;

	(void)cl;
	(void)data;
	if (strcmp(a->cmd, "json") == 0)
		pmd.json = strcmp(a->arg, "on") == 0;
	else if (strcmp(a->cmd, "print") == 0)
		printf("%s\n", a->arg);
	else
		usleep((useconds_t)strtoul(a->arg, NULL, 10) * 1000);
}

static cmdline_parse_token_string_t pair_cmd =
	TOKEN_STRING_INITIALIZER(struct pair_args, cmd, "json#sleep#print");
static cmdline_parse_token_string_t pair_arg =
	TOKEN_STRING_INITIALIZER(struct pair_args, arg, NULL);
static cmdline_parse_inst_t pair_inst = {
	.f = pair_run,
	.help_str = "json on|off, sleep MS, print WORD",
	.tokens = {(void *)&pair_cmd, (void *)&pair_arg, NULL},
};

/* ---- roles ---- */

struct role_args {
	cmdline_fixed_string_t role;
	cmdline_fixed_string_t kind;
	cmdline_fixed_string_t arg;
};

static bool
parse_port(const char *text, uint16_t *out)
{
	char *end;
	unsigned long port = strtoul(text, &end, 10);

	*out = (uint16_t)port;
	return end != text && *end == '\0' && port > 0 && port < 65536;
}

/* ADDR:PORT:BYTES, an IPv6 ADDR in brackets. */
static bool
parse_source(const char *text, struct role *r)
{
	char copy[STR_TOKEN_SIZE], *addr = copy, *port, *bytes;
	uint16_t n;

	snprintf(copy, sizeof(copy), "%s", text);
	port = strchr(addr, ':');
	if (*addr == '[') {
		port = strchr(++addr, ']');
		if (port == NULL || port[1] != ':')
			return false;
		*port++ = '\0';
	}
	if (port == NULL)
		return false;
	*port++ = '\0';
	bytes = strchr(port, ':');
	if (bytes == NULL)
		return false;
	*bytes++ = '\0';
	r->bytes = strtoull(bytes, NULL, 0);
	return parse_port(port, &n) && end_parse(addr, n, &r->addr);
}

/* A listener takes both families. */
static bool
parse_listener(const char *text, struct role *r)
{
	uint16_t port;

	if (!parse_port(text, &port))
		return false;
	r->addr = end_any(port);
	return true;
}

static void
role_run(void *parsed, struct cmdline *cl, void *data)
{
	const struct role_args *a = parsed;
	struct role r = {.kind = ROLE_ECHO};
	bool ok;

	(void)cl;
	(void)data;
	if (tl_is_running(pmd.stack)) {
		fail("role %s: stop the stack first\n", a->kind);
		return;
	}
	if (strcmp(a->kind, "source") == 0) {
		r.kind = ROLE_SOURCE;
		ok = parse_source(a->arg, &r);
	} else {
		r.kind = strcmp(a->kind, "echo") == 0 ? ROLE_ECHO : ROLE_DISCARD;
		ok = parse_listener(a->arg, &r);
	}
	if (!ok)
		fail("role: expected PORT, or ADDR:PORT:BYTES for source, got \"%s\"\n", a->arg);
	else if (roles_add(&pmd.roles, &r) != 0)
		fail("role %s: too many roles\n", a->kind);
}

static cmdline_parse_token_string_t role_role =
	TOKEN_STRING_INITIALIZER(struct role_args, role, "role");
static cmdline_parse_token_string_t role_kind =
	TOKEN_STRING_INITIALIZER(struct role_args, kind, "echo#discard#source");
static cmdline_parse_token_string_t role_arg =
	TOKEN_STRING_INITIALIZER(struct role_args, arg, NULL);
static cmdline_parse_inst_t role_inst = {
	.f = role_run,
	.help_str = "role echo PORT, role discard PORT, role source ADDR:PORT:BYTES",
	.tokens = {(void *)&role_role, (void *)&role_kind, (void *)&role_arg, NULL},
};

/* ---- SAs ---- */

struct sa_args {
	cmdline_fixed_string_t verb;
	cmdline_fixed_string_t sa;
	cmdline_fixed_string_t name;
	cmdline_multi_string_t settings;
};

static void
sa_done(int rc, const char *verb, const struct sa_args *a, const struct tl_error *e)
{
	if (rc == 0)
		printf("SA %s %s\n", a->name, verb);
	else
		fail("%s\n", e->text);
	fflush(stdout);
}

static void
sa_add_run(void *parsed, struct cmdline *cl, void *data)
{
	const struct sa_args *a = parsed;
	struct tl_error e = {""};

	(void)cl;
	(void)data;
	sa_done(tl_sa_add(pmd.stack, a->name, a->settings, &e), "added", a, &e);
}

static void
sa_del_run(void *parsed, struct cmdline *cl, void *data)
{
	const struct sa_args *a = parsed;
	bool revoke = strcmp(a->verb, "revoke") == 0;
	struct tl_error e = {""};

	(void)cl;
	(void)data;
	sa_done(tl_sa_del(pmd.stack, a->name, revoke, &e), revoke ? "revoked" : "deleted", a, &e);
}

static cmdline_parse_token_string_t sa_add_verb =
	TOKEN_STRING_INITIALIZER(struct sa_args, verb, "add");
static cmdline_parse_token_string_t sa_del_verb =
	TOKEN_STRING_INITIALIZER(struct sa_args, verb, "delete#revoke");
static cmdline_parse_token_string_t sa_sa = TOKEN_STRING_INITIALIZER(struct sa_args, sa, "sa");
static cmdline_parse_token_string_t sa_name = TOKEN_STRING_INITIALIZER(struct sa_args, name, NULL);
static cmdline_parse_token_string_t sa_settings =
	TOKEN_STRING_INITIALIZER(struct sa_args, settings, TOKEN_STRING_MULTI);
static cmdline_parse_inst_t sa_add_inst = {
	.f = sa_add_run,
	.help_str = "add sa NAME KEY=VALUE ...",
	.tokens = {(void *)&sa_add_verb, (void *)&sa_sa, (void *)&sa_name, (void *)&sa_settings,
		NULL},
};
static cmdline_parse_inst_t sa_del_inst = {
	.f = sa_del_run,
	.help_str = "delete sa NAME, revoke sa NAME",
	.tokens = {(void *)&sa_del_verb, (void *)&sa_sa, (void *)&sa_name, NULL},
};

/* ---- captures ---- */

struct capture_args {
	cmdline_fixed_string_t capture;
	cmdline_fixed_string_t verb;
	cmdline_fixed_string_t file;
	cmdline_multi_string_t filter;
};

static void
capture_start(const char *file, const char *filter)
{
	struct tl_error e = {""};

	if (tl_capture_start(pmd.stack, file, filter, &e) == 0)
		printf("capture to %s started\n", file);
	else
		fail("%s\n", e.text);
	fflush(stdout);
}

static void
capture_filter_run(void *parsed, struct cmdline *cl, void *data)
{
	const struct capture_args *a = parsed;

	(void)cl;
	(void)data;
	capture_start(a->file, a->filter);
}

static void
capture_start_run(void *parsed, struct cmdline *cl, void *data)
{
	const struct capture_args *a = parsed;

	(void)cl;
	(void)data;
	capture_start(a->file, "");
}

static void
capture_stop(void)
{
	struct tl_capture_result r = {0};
	struct tl_error e = {""};
	int rc = tl_capture_stop(pmd.stack, &e);

	if (rc != 0)
		fail("%s\n", e.text);
	if (rc == -ENOENT || tl_capture_result(pmd.stack, &r) != 0)
		return;
	printf("capture stopped: %lu packets written, %lu lost, %lu bytes%s\n",
		(unsigned long)r.packets, (unsigned long)r.lost, (unsigned long)r.bytes,
		r.full ? "; max-bytes was reached" : "");
}

static void
capture_word_run(void *parsed, struct cmdline *cl, void *data)
{
	const struct capture_args *a = parsed;

	(void)cl;
	(void)data;
	if (strcmp(a->verb, "show") == 0)
		ctl_show(pmd.stack, "captures", pmd.json, stdout);
	else
		capture_stop();
	fflush(stdout);
}

static cmdline_parse_token_string_t capture_capture =
	TOKEN_STRING_INITIALIZER(struct capture_args, capture, "capture");
static cmdline_parse_token_string_t capture_start_word =
	TOKEN_STRING_INITIALIZER(struct capture_args, verb, "start");
static cmdline_parse_token_string_t capture_words =
	TOKEN_STRING_INITIALIZER(struct capture_args, verb, "stop#show");
static cmdline_parse_token_string_t capture_path =
	TOKEN_STRING_INITIALIZER(struct capture_args, file, NULL);
static cmdline_parse_token_string_t capture_settings =
	TOKEN_STRING_INITIALIZER(struct capture_args, filter, TOKEN_STRING_MULTI);
static cmdline_parse_inst_t capture_start_inst = {
	.f = capture_start_run,
	.help_str = "capture start FILE",
	.tokens = {(void *)&capture_capture, (void *)&capture_start_word, (void *)&capture_path,
		NULL},
};
static cmdline_parse_inst_t capture_filter_inst = {
	.f = capture_filter_run,
	.help_str = "capture start FILE KEY=VALUE ...",
	.tokens = {(void *)&capture_capture, (void *)&capture_start_word, (void *)&capture_path,
		(void *)&capture_settings, NULL},
};
static cmdline_parse_inst_t capture_word_inst = {
	.f = capture_word_run,
	.help_str = "capture stop, capture show",
	.tokens = {(void *)&capture_capture, (void *)&capture_words, NULL},
};

static cmdline_parse_ctx_t commands[] = {
	&show_inst,
	&word_inst,
	&pair_inst,
	&role_inst,
	&sa_add_inst,
	&sa_del_inst,
	&capture_start_inst,
	&capture_filter_inst,
	&capture_word_inst,
	NULL,
};

/* ---- main ---- */

/* A word in capitals, or with a choice, stands for what the user writes. */
static bool
word_matches(const char *form, size_t form_len, const char *word, size_t len)
{
	if (isupper((unsigned char)form[0]) || memchr(form, '|', form_len) != NULL)
		return true;
	return len == form_len && memcmp(form, word, len) == 0;
}

/* What of form is missing in line; NULL: line is no beginning of it, or there is nothing. */
static const char *
missing_of(const char *form, const char *line)
{
	while (*form != '\0') {
		size_t want = strcspn(form, " "), have;

		line += strspn(line, " \t");
		have = strcspn(line, " \t");
		if (have == 0)
			return form;
		if (!word_matches(form, want, line, have))
			return NULL;
		form += want + strspn(form + want, " ");
		line += have;
	}
	return NULL;
}

static void
explain(const char *line)
{
	static const char *const forms[] = {"show TABLE", "add sa NAME KEY=VALUE ...",
		"delete sa NAME", "revoke sa NAME", "capture start FILE", "role echo PORT",
		"role discard PORT", "role source ADDR:PORT:BYTES", "json on|off", "sleep MS",
		"print WORD"};

	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
		const char *missing = missing_of(forms[i], line);
		char text[LINE_MAX_BYTES + 128];

		if (missing == NULL)
			continue;
		snprintf(text, sizeof(text), "%s: incomplete, \"%s\" is missing; expected: %s",
			line, missing, forms[i]);
		fail("%s\n", text);
		return;
	}
	fail("%s: unknown or ambiguous command; try help\n", line);
}

static void
run_line(struct cmdline *cl, const char *text)
{
	char line[LINE_MAX_BYTES];
	int rc;

	text += strspn(text, " \t");
	if (*text == '\0' || *text == '\n' || *text == '#')
		return;
	if (snprintf(line, sizeof(line), "%.*s\n", (int)strcspn(text, "\n"), text) >=
		(int)sizeof(line)) {
		fail("%s\n", "line too long");
		return;
	}
	rc = cmdline_parse(cl, line);
	if (rc < 0) {
		line[strcspn(line, "\n")] = '\0';
		explain(line);
		fflush(stdout);
	}
}

static void
run_list(struct cmdline *cl, char *list)
{
	char *save = NULL, *one;

	for (one = strtok_r(list, ";", &save); one != NULL && !pmd.quit;
		one = strtok_r(NULL, ";", &save))
		run_line(cl, one);
}

static void
run_pipe(struct cmdline *cl)
{
	char line[LINE_MAX_BYTES];

	while (!pmd.quit && fgets(line, sizeof(line), stdin) != NULL)
		run_line(cl, line);
}

static void
usage(FILE *out)
{
	fputs("tl-pmd: a taglatch stack with a prompt\n"
	      "\n"
	      "  -f, --config FILE      configuration, see taglatch.conf(5)\n"
	      "  -s, --set KEY=VALUE    one key, such as stack.workers=2 or \"port 0.mtu\"=9000\n"
	      "  -c, --cmd \"A; B\"       run commands, then end; with -i go on at the prompt\n"
	      "  -i, --interactive      prompt after -c\n"
	      "  -j, --json             tables as JSON\n"
	      "  -V, --version\n"
	      "  -h, --help\n"
	      "\n"
	      "At the prompt: help. Commands are also read from a pipe.\n",
		out);
}

struct options {
	const char *file;
	char *commands;
	bool interactive;
};

static void
parse_args(int argc, char **argv, struct tl_conf *c, struct options *o)
{
	static const struct option longs[] = {
		{"config", required_argument, NULL, 'f'},
		{"set", required_argument, NULL, 's'},
		{"cmd", required_argument, NULL, 'c'},
		{"interactive", no_argument, NULL, 'i'},
		{"json", no_argument, NULL, 'j'},
		{"version", no_argument, NULL, 'V'},
		{"help", no_argument, NULL, 'h'},
		{NULL, 0, NULL, 0},
	};
	int opt;

	while ((opt = getopt_long(argc, argv, "f:s:c:ijVh", longs, NULL)) != -1) {
		switch (opt) {
		case 'c':
			o->commands = optarg;
			break;
		case 'i':
			o->interactive = true;
			break;
		case 'j':
			pmd.json = true;
			break;
		default:
			common_option(opt, c, &o->file, usage);
		}
	}
	if (optind < argc) {
		fprintf(stderr, "tl-pmd: unexpected \"%s\"; a file goes after -f\n", argv[optind]);
		exit(EXIT_CONFIG);
	}
}

static void
converse(const struct options *o)
{
	bool tty = isatty(STDIN_FILENO);
	struct cmdline *cl = tty && (o->commands == NULL || o->interactive)
				     ? cmdline_stdin_new(commands, "tl-pmd> ")
				     : cmdline_new(commands, "", -1, STDOUT_FILENO);

	if (cl == NULL) {
		fail("%s: the prompt cannot start\n", "tl-pmd");
		return;
	}
	if (o->commands != NULL)
		run_list(cl, o->commands);
	if (!pmd.quit && (o->commands == NULL || o->interactive)) {
		if (tty)
			cmdline_interact(cl);
		else
			run_pipe(cl);
	}
	if (tty && (o->commands == NULL || o->interactive))
		cmdline_stdin_exit(cl);
	else
		cmdline_free(cl);
}

int
main(int argc, char **argv)
{
	struct options o = {0};
	struct tl_conf *c = tl_conf_new();

	if (c == NULL)
		return 1;
	parse_args(argc, argv, c, &o);
	setvbuf(stdout, NULL, _IOLBF, 0);
	pmd.stack = stack_from(c, o.file);
	stop_on_signals(pmd.stack);
	if (roles_bind(&pmd.roles, pmd.stack) == 0)
		converse(&o);
	stop_on_signals(NULL);
	tl_destroy(pmd.stack);
	roles_free(&pmd.roles);
	tl_conf_free(c);
	return pmd.failed == 0 ? 0 : 1;
}
