/* SPDX-License-Identifier: BSD-3-Clause */
/* tlctl_km.c - latches and peers: what an administrator, or a key manager by hand, does to them. */
#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "apps/tlctl.h"
#include "stack/include/tl_ipsec.h"

/* ---- identities ---- */

static bool
read_hex(const char *text, uint8_t *out, uint16_t *len)
{
	size_t n = strlen(text);

	if (n % 2 != 0 || n / 2 > TL_IDENT_MAX)
		return false;
	for (size_t i = 0; i < n; i += 2) {
		char pair[3] = {text[i], text[i + 1], '\0'};

		if (!isxdigit((unsigned char)pair[0]) || !isxdigit((unsigned char)pair[1]))
			return false;
		out[i / 2] = (uint8_t)strtoul(pair, NULL, 16);
	}
	*len = (uint16_t)(n / 2);
	return n > 0;
}

static bool
read_value(const char *text, struct tl_ident *id)
{
	size_t n = strlen(text);

	switch (id->type) {
	case TL_ID_IPV4_ADDR:
		id->len = 4;
		return inet_pton(AF_INET, text, id->data) == 1;
	case TL_ID_IPV6_ADDR:
		id->len = 16;
		return inet_pton(AF_INET6, text, id->data) == 1;
	case TL_ID_DER_ASN1_DN:
	case TL_ID_KEY_ID:
		return read_hex(text, id->data, &id->len);
	default:
		if (n == 0 || n > TL_IDENT_MAX)
			return false;
		memcpy(id->data, text, n);
		id->len = (uint16_t)n;
		return true;
	}
}

/* "fqdn:host.example", as the configuration writes it. */
static bool
read_ident(const char *text, struct tl_ident *id)
{
	static const uint16_t types[] = {TL_ID_FQDN, TL_ID_IPV4_ADDR, TL_ID_IPV6_ADDR,
		TL_ID_RFC822_ADDR, TL_ID_DER_ASN1_DN, TL_ID_KEY_ID};
	const char *colon = strchr(text, ':');

	memset(id, 0, sizeof(*id));
	for (size_t i = 0; colon != NULL && i < sizeof(types) / sizeof(types[0]); i++) {
		const char *name = tl_ident_type_name(types[i]);

		if (strlen(name) == (size_t)(colon - text) &&
			strncasecmp(name, text, strlen(name)) == 0) {
			id->type = types[i];
			return read_value(colon + 1, id);
		}
	}
	return false;
}

/* Returns false after it said what was expected. */
static bool
put_ident(struct nlmsghdr *h, const char *text)
{
	struct nlattr *nest;
	struct tl_ident id;

	if (!read_ident(text, &id)) {
		complain("%s: expected an identity such as fqdn:host.example", text);
		return false;
	}
	nest = mnl_attr_nest_start(h, TL_CTL_A_PEER_ID);
	mnl_attr_put_u16(h, TL_CTL_ID_TYPE, id.type);
	mnl_attr_put(h, TL_CTL_ID_DATA, id.len, id.data);
	mnl_attr_nest_end(h, nest);
	return true;
}

/* ---- latches ---- */

struct counted {
	const struct tlctl *t;
	const char *what;
};

static void
print_count(const struct nlmsghdr *h, void *arg)
{
	const struct nlattr *a = mnl_nlmsg_get_payload(h);
	const struct counted *c = arg;

	if (mnl_nlmsg_get_payload_len(h) < mnl_attr_get_len(a) ||
		mnl_attr_get_type(a) != TL_CTL_A_VALUE)
		return;
	if (c->t->json)
		printf("{\"%s\": %llu}\n", c->what, (unsigned long long)mnl_attr_get_u64(a));
	else
		printf("%llu %s\n", (unsigned long long)mnl_attr_get_u64(a), c->what);
}

static int
act(struct tlctl *t, uint16_t type, const char *what, const char *which)
{
	uint8_t buf[1024] = {0};
	struct nlmsghdr *h = wire_begin(buf, type, 0, NULL, 0);
	struct counted c = {.t = t, .what = what};
	unsigned long long handle;
	char *end;

	errno = 0;
	handle = strtoull(which, &end, 0);
	if (strcmp(which, "all") == 0) {
		mnl_attr_put(h, TL_CTL_A_ALL, 0, NULL);
	} else if (strcmp(which, "overrides") == 0) {
		mnl_attr_put(h, TL_CTL_A_OVERRIDES, 0, NULL);
	} else if (strncmp(which, "peer=", 5) == 0) {
		if (!put_ident(h, which + 5))
			return TLCTL_USAGE;
	} else if (errno == 0 && *end == '\0' && end != which && handle != 0) {
		mnl_attr_put_u64(h, TL_CTL_A_LATCH, handle);
	} else {
		complain("%s: expected a handle of latch list, peer=IDENTITY, overrides, or all",
			which);
		return TLCTL_USAGE;
	}
	return wire_ask(t, h, print_count, &c);
}

/* The connections do what their programs chose for a conflict; a new one follows the policy. */
int
latch_break(struct tlctl *t, int argc, char **argv)
{
	(void)argc;
	return act(t, TL_CTL_MSG_BREAKLATCH, "broken", argv[0]);
}

int
latch_close(struct tlctl *t, int argc, char **argv)
{
	(void)argc;
	return act(t, TL_CTL_MSG_CLOSELATCH, "closed", argv[0]);
}

/* ---- peers ---- */

static int
peer_event(struct tlctl *t, uint8_t event, const char *who)
{
	uint8_t buf[1024] = {0};
	struct nlmsghdr *h = wire_begin(buf, TL_CTL_MSG_PEEREVENT, 0, NULL, 0);
	struct counted c = {.t = t, .what = "concerned"};

	if (!put_ident(h, who))
		return TLCTL_USAGE;
	mnl_attr_put_u8(h, TL_CTL_A_PEER_EVENT, event);
	return wire_ask(t, h, print_count, &c);
}

int
peer_dead(struct tlctl *t, int argc, char **argv)
{
	(void)argc;
	return peer_event(t, TL_CTL_PEER_DEAD, argv[0]);
}

int
peer_reboot(struct tlctl *t, int argc, char **argv)
{
	(void)argc;
	return peer_event(t, TL_CTL_PEER_REBOOT, argv[0]);
}

int
peer_restart(struct tlctl *t, int argc, char **argv)
{
	(void)argc;
	return peer_event(t, TL_CTL_PEER_RESTART, argv[0]);
}
