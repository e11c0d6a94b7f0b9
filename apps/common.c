/* SPDX-License-Identifier: BSD-3-Clause */
/* common.c - start-up that all programs share. */
#include "apps/common.h"

#include <arpa/inet.h>
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

bool
end_parse(const char *addr, uint16_t port, union end *out)
{
	size_t n = strcspn(addr, "%");
	char text[INET6_ADDRSTRLEN];

	memset(out, 0, sizeof(*out));
	if (n >= sizeof(text))
		return false;
	snprintf(text, sizeof(text), "%.*s", (int)n, addr);
	out->in.sin_port = htons(port); /* at the same place in both */
	if (inet_pton(AF_INET, addr, &out->in.sin_addr) == 1) {
		out->sa.sa_family = AF_INET;
		return true;
	}
	out->sa.sa_family = AF_INET6;
	if (addr[n] == '%')
		out->in6.sin6_scope_id = (uint32_t)strtoul(addr + n + 1, NULL, 10);
	return inet_pton(AF_INET6, text, &out->in6.sin6_addr) == 1;
}

union end
end_any(uint16_t port)
{
	return (union end){.in6 = {.sin6_family = AF_INET6, .sin6_port = htons(port)}};
}

const char *
end_text(const union end *e, char out[END_TEXT])
{
	const struct in6_addr *a = &e->in6.sin6_addr;
	char ip[INET6_ADDRSTRLEN];

	if (e->sa.sa_family == AF_INET6 && !IN6_IS_ADDR_V4MAPPED(a)) {
		inet_ntop(AF_INET6, a, ip, sizeof(ip));
		snprintf(out, END_TEXT, "[%s]:%u", ip, ntohs(e->in6.sin6_port));
		return out;
	}
	inet_ntop(AF_INET,
		e->sa.sa_family == AF_INET ? (const void *)&e->in.sin_addr : &a->s6_addr[12], ip,
		sizeof(ip));
	snprintf(out, END_TEXT, "%s:%u", ip, ntohs(e->in.sin_port));
	return out;
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
