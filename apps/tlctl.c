/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * tlctl.c - speaks to a running stack through its control socket: SAs, policy, identities,
 * latches, counters, events.
 */
#include "apps/tlctl.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SETTINGS_MAX = 8192, FILE_MAX_BYTES = 1024 };

#define DEFAULT_SOCKET "/run/taglatch.sock"

struct command {
	const char *object, *verb;
	int min, max; /* words behind the verb; max -1: any number */
	int (*run)(struct tlctl *t, int argc, char **argv);
	const char *args, *help;
};

/* Wipes what may hold a key; the compiler does not take this away. */
static void
wipe(void *p, size_t n)
{
	explicit_bzero(p, n);
}

/* ---- lists ---- */

static int
list(struct tlctl *t, struct nlmsghdr *h, wire_fn *row, const char *const *cols,
	const char *const *only)
{
	struct table rows;
	int rc;

	table_init(&rows, cols);
	rc = wire_ask(t, h, row, &rows);
	if (rc == 0)
		show_rows(&rows, only, t->json);
	table_free(&rows);
	return rc;
}

static int
sa_list(struct tlctl *t, int argc, char **argv)
{
	uint8_t buf[256] = {0};

	(void)argc;
	(void)argv;
	return list(
		t, wire_begin(buf, XFRM_MSG_GETSA, NLM_F_DUMP, NULL, 0), row_sa, sa_cols, sa_short);
}

static int
policy_list(struct tlctl *t, int argc, char **argv)
{
	uint8_t buf[256] = {0};

	(void)argc;
	(void)argv;
	return list(t, wire_begin(buf, XFRM_MSG_GETPOLICY, NLM_F_DUMP, NULL, 0), row_policy,
		policy_cols, policy_short);
}

static int
id_list(struct tlctl *t, int argc, char **argv)
{
	uint8_t buf[256] = {0};

	(void)argc;
	(void)argv;
	return list(t, wire_begin(buf, TL_CTL_MSG_GETID, NLM_F_DUMP, NULL, 0), row_ident,
		ident_cols, NULL);
}

static int
peer_list(struct tlctl *t, int argc, char **argv)
{
	uint8_t buf[256] = {0};

	(void)argc;
	(void)argv;
	return list(t, wire_begin(buf, TL_CTL_MSG_GETPEER, NLM_F_DUMP, NULL, 0), row_peer,
		peer_cols, NULL);
}

static int
latch_list(struct tlctl *t, int argc, char **argv)
{
	uint8_t buf[1024] = {0};
	struct nlmsghdr *h = wire_begin(buf, TL_CTL_MSG_GETLATCH, NLM_F_DUMP, NULL, 0);
	char *state = argc > 0 ? argv[0] : NULL;

	if (state != NULL && (strncmp(state, "state=", 6) != 0 || strlen(state) > 30)) {
		complain("latch list %s: expected state=STATE, such as state=established", state);
		return TLCTL_USAGE;
	}
	for (char *c = state == NULL ? NULL : state + 6; c != NULL && *c != '\0'; c++)
		*c = (char)toupper((unsigned char)*c);
	if (state != NULL)
		mnl_attr_put_strz(h, TL_CTL_A_STATE, state + 6);
	return list(t, h, row_latch, latch_cols, NULL);
}

static int
stats(struct tlctl *t, int argc, char **argv)
{
	uint8_t buf[256] = {0};
	struct nlmsghdr *h = wire_begin(buf, TL_CTL_MSG_GETSTAT, NLM_F_DUMP, NULL, 0);

	(void)argc;
	(void)argv;
	if (t->all)
		mnl_attr_put(h, TL_CTL_A_ALL, 0, NULL);
	return list(t, h, row_stat, stat_cols, NULL);
}

static int
suites(struct tlctl *t, int argc, char **argv)
{
	uint8_t buf[256] = {0};

	(void)argc;
	(void)argv;
	return list(t, wire_begin(buf, TL_CTL_MSG_GETSUITE, NLM_F_DUMP, NULL, 0), row_suite,
		suite_cols, NULL);
}

static int
info(struct tlctl *t, int argc, char **argv)
{
	uint8_t buf[256] = {0};

	(void)argc;
	(void)argv;
	return list(t, wire_begin(buf, TL_CTL_MSG_GETINFO, 0, NULL, 0), row_info, info_cols, NULL);
}

struct pick {
	struct table rows;
	const char *name;
};

static void
pick_sa(const struct nlmsghdr *h, void *arg)
{
	struct pick *p = arg;
	struct table one;

	table_init(&one, sa_cols);
	row_sa(h, &one);
	if (one.nb_rows == 1 && one.cell[0] != NULL && strcmp(one.cell[0], p->name) == 0)
		row_sa(h, &p->rows);
	table_free(&one);
}

static int
sa_show(struct tlctl *t, int argc, char **argv)
{
	uint8_t buf[256] = {0};
	struct pick p = {.name = argv[0]};
	int rc;

	(void)argc;
	table_init(&p.rows, sa_cols);
	rc = wire_ask(t, wire_begin(buf, XFRM_MSG_GETSA, NLM_F_DUMP, NULL, 0), pick_sa, &p);
	if (rc == 0 && p.rows.nb_rows == 0) {
		complain("[sa %s]: no such SA; tlctl sa list shows those that there are", p.name);
		rc = TLCTL_REFUSED;
	}
	if (rc == 0)
		show_detail(&p.rows, t->json);
	table_free(&p.rows);
	return rc;
}

/* ---- add ---- */

/* The content of a file, "-" for standard input, without white space. */
static bool
read_secret(const char *path, char out[FILE_MAX_BYTES])
{
	FILE *f = strcmp(path, "-") == 0 ? stdin : fopen(path, "re");
	size_t n = 0;
	int c = EOF;

	if (f == NULL) {
		complain("%s: %s", path, strerror(errno));
		return false;
	}
	while (n + 1 < FILE_MAX_BYTES && (c = fgetc(f)) != EOF) {
		if (!isspace(c))
			out[n++] = (char)c;
	}
	out[n] = '\0';
	if (f != stdin)
		fclose(f);
	if (n > 0 && c == EOF)
		return true;
	complain("%s: expected a key, in less than %d characters", path, FILE_MAX_BYTES);
	wipe(out, FILE_MAX_BYTES);
	return false;
}

/* "key=@FILE" becomes the key that stands in the file. */
static bool
add_word(char settings[SETTINGS_MAX], const char *word)
{
	const char *eq = strchr(word, '=');
	char secret[FILE_MAX_BYTES] = "";
	size_t n = strlen(settings);
	bool fits;

	if (eq == NULL || eq == word || strpbrk(word, " \t\n") != NULL) {
		complain("expected key=value without spaces, got \"%s\"", word);
		return false;
	}
	if (eq[1] == '@' && !read_secret(eq + 2, secret))
		return false;
	if (eq[1] == '@')
		fits = snprintf(settings + n, SETTINGS_MAX - n, "%.*s=%s ", (int)(eq - word), word,
			       secret) < (int)(SETTINGS_MAX - n);
	else
		fits = snprintf(settings + n, SETTINGS_MAX - n, "%s ", word) <
		       (int)(SETTINGS_MAX - n);
	wipe(secret, sizeof(secret));
	if (!fits)
		complain("expected less than %d characters in all", SETTINGS_MAX);
	return fits;
}

static int
add(struct tlctl *t, uint16_t type, int argc, char **argv)
{
	uint8_t buf[SETTINGS_MAX + 1024] = {0};
	char settings[SETTINGS_MAX] = "";
	struct nlmsghdr *h = wire_begin(buf, type, 0, NULL, 0);
	int rc = 0;

	for (int i = 1; i < argc && rc == 0; i++)
		rc = add_word(settings, argv[i]) ? 0 : TLCTL_USAGE;
	if (rc == 0 && strlen(argv[0]) > 256) {
		complain("expected a shorter name");
		rc = TLCTL_USAGE;
	}
	if (rc == 0) {
		mnl_attr_put_strz(h, TL_CTL_A_NAME, argv[0]);
		mnl_attr_put_strz(h, TL_CTL_A_SETTINGS, settings);
		rc = wire_ask(t, h, NULL, NULL);
	}
	wipe(settings, sizeof(settings));
	wipe(buf, sizeof(buf));
	return rc;
}

static int
sa_add(struct tlctl *t, int argc, char **argv)
{
	return add(t, TL_CTL_MSG_ADDSA, argc, argv);
}

static int
peer_add(struct tlctl *t, int argc, char **argv)
{
	return add(t, TL_CTL_MSG_ADDPEER, argc, argv);
}

static int
policy_add(struct tlctl *t, int argc, char **argv)
{
	return add(t, TL_CTL_MSG_ADDPOLICY, argc, argv);
}

/* ---- delete ---- */

static int
by_name(struct tlctl *t, uint16_t type, const char *name, int cause)
{
	uint8_t buf[1024] = {0};
	struct nlmsghdr *h = wire_begin(buf, type, 0, NULL, 0);

	if (strlen(name) > 256) {
		complain("expected a shorter name");
		return TLCTL_USAGE;
	}
	mnl_attr_put_strz(h, TL_CTL_A_NAME, name);
	if (cause >= 0)
		mnl_attr_put_u8(h, TL_CTL_A_CAUSE, (uint8_t)cause);
	return wire_ask(t, h, NULL, NULL);
}

static int
sa_del(struct tlctl *t, int argc, char **argv)
{
	int cause = TL_CTL_CAUSE_ADMIN;

	if (argc == 2 && strcmp(argv[1], "revoked") == 0)
		cause = TL_CTL_CAUSE_REVOKED;
	else if (argc == 2 && strcmp(argv[1], "rekey") == 0)
		cause = TL_CTL_CAUSE_REKEY;
	else if (argc == 2 && strcmp(argv[1], "admin") != 0) {
		complain("sa del %s %s: expected admin, rekey or revoked", argv[0], argv[1]);
		return TLCTL_USAGE;
	}
	return by_name(t, TL_CTL_MSG_REMSA, argv[0], cause);
}

static int
policy_del(struct tlctl *t, int argc, char **argv)
{
	(void)argc;
	return by_name(t, TL_CTL_MSG_REMPOLICY, argv[0], -1);
}

static int
sa_flush(struct tlctl *t, int argc, char **argv)
{
	struct xfrm_usersa_flush x = {.proto = 0};
	uint8_t buf[256] = {0};

	(void)argc;
	(void)argv;
	return wire_ask(t, wire_begin(buf, XFRM_MSG_FLUSHSA, 0, &x, sizeof(x)), NULL, NULL);
}

static int
peer_del(struct tlctl *t, int argc, char **argv)
{
	(void)argc;
	return by_name(t, TL_CTL_MSG_REMPEER, argv[0], -1);
}

static int
policy_flush(struct tlctl *t, int argc, char **argv)
{
	uint8_t buf[256] = {0};

	(void)argc;
	(void)argv;
	return wire_ask(t, wire_begin(buf, XFRM_MSG_FLUSHPOLICY, 0, NULL, 0), NULL, NULL);
}

/* ---- allocate an SPI ---- */

/* Ends the program if text is no number from lo to hi. */
static uint32_t
read_number(const char *what, const char *text, uint32_t lo, uint32_t hi)
{
	char *end;
	unsigned long long n;

	errno = 0;
	n = strtoull(text, &end, 0);
	if (errno == 0 && end != text && *end == '\0' && text[0] != '-' && n >= lo && n <= hi)
		return (uint32_t)n;
	complain("%s %s: expected a number from %u to %u", what, text, lo, hi);
	exit(TLCTL_USAGE);
}

static uint16_t
read_addr(const char *text, xfrm_address_t *out)
{
	if (inet_pton(AF_INET, text, out) == 1)
		return AF_INET;
	if (inet_pton(AF_INET6, text, out) == 1)
		return AF_INET6;
	complain("%s: expected an IP address", text);
	return AF_UNSPEC;
}

static void
print_spi(const struct nlmsghdr *h, void *arg)
{
	struct xfrm_usersa_info x;
	const struct tlctl *t = arg;

	if (h->nlmsg_type != XFRM_MSG_NEWSA || mnl_nlmsg_get_payload_len(h) < sizeof(x))
		return;
	memcpy(&x, mnl_nlmsg_get_payload(h), sizeof(x));
	printf(t->json ? "{\"spi\": \"0x%08x\"}\n" : "0x%08x\n", ntohl(x.id.spi));
}

static int
sa_alloc(struct tlctl *t, int argc, char **argv)
{
	struct xfrm_userspi_info x = {.min = 0x100, .max = UINT32_MAX};
	uint8_t buf[1024] = {0};
	uint16_t family;

	x.info.family = read_addr(argv[0], &x.info.id.daddr);
	family = read_addr(argv[1], &x.info.saddr);
	if (x.info.family == AF_UNSPEC || family == AF_UNSPEC)
		return TLCTL_USAGE;
	if (x.info.family != family) {
		complain("sa alloc: expected two addresses of one IP version");
		return TLCTL_USAGE;
	}
	if (argc > 2)
		x.min = x.max = read_number("sa alloc", argv[2], 256, UINT32_MAX);
	if (argc > 3)
		x.max = read_number("sa alloc", argv[3], x.min, UINT32_MAX);
	x.info.id.proto = 50;
	return wire_ask(t, wire_begin(buf, XFRM_MSG_ALLOCSPI, 0, &x, sizeof(x)), print_spi, t);
}

/* ---- monitor ---- */

static bool
on_event(const struct nlmsghdr *h, void *arg)
{
	struct tlctl *t = arg;

	if (h->nlmsg_seq != 0 || !show_event(h, t->json))
		return true;
	return t->count == 0 || --t->count > 0;
}

static int
monitor(struct tlctl *t, int argc, char **argv)
{
	static const char *const names[] = {"sa", "policy", "acquire", "expire", "latch", "nat"};
	uint8_t buf[256] = {0};
	struct nlmsghdr *h = wire_begin(buf, TL_CTL_MSG_SUBSCRIBE, 0, NULL, 0);
	uint32_t groups = argc == 0 ? TL_CTL_GROUPS : 0;
	int rc;

	for (int i = 0; i < argc; i++) {
		uint32_t bit = 0;

		for (uint32_t g = 0; g < sizeof(names) / sizeof(names[0]); g++)
			bit |= strcmp(names[g], argv[i]) == 0 ? 1u << g : 0;
		if (bit == 0) {
			complain("monitor %s: expected sa, policy, acquire, expire, latch or nat",
				argv[i]);
			return TLCTL_USAGE;
		}
		groups |= bit;
	}
	mnl_attr_put_u32(h, TL_CTL_A_GROUPS, groups);
	rc = wire_ask(t, h, NULL, NULL);
	return rc != 0 ? rc : wire_listen(t, on_event, t);
}

/* ---- the command line ---- */

/* clang-format off */
static const struct command commands[] = {
	{"sa", "list", 0, 0, sa_list, "", "the security associations"},
	{"sa", "show", 1, 1, sa_show, " NAME", "all that is known of one"},
	{"sa", "add", 2, -1, sa_add, " NAME KEY=VALUE...", "the keys of an [sa NAME] section; key=@FILE and key=@- read it from a file or standard input"},
	{"sa", "del", 1, 2, sa_del, " NAME [admin|rekey|revoked]", "revoked: packets that wait in a queue are dropped too"},
	{"sa", "flush", 0, 0, sa_flush, "", "delete all"},
	{"sa", "alloc", 2, 4, sa_alloc, " LOCAL REMOTE [MIN [MAX]]", "an inbound SPI, for 30 seconds"},
	{"policy", "list", 0, 0, policy_list, "", "the rules, in order"},
	{"policy", "add", 2, -1, policy_add, " NAME KEY=VALUE...", "the keys of a [policy NAME] section"},
	{"policy", "del", 1, 1, policy_del, " NAME", "delete a rule"},
	{"policy", "flush", 0, 0, policy_flush, "", "delete all: nothing passes any more"},
	{"id", "list", 0, 0, id_list, "", "the identities and their handles"},
	{"latch", "list", 0, 1, latch_list, " [state=STATE]", "the connections and their protection"},
	{"latch", "break", 1, 1, latch_break, " HANDLE|peer=IDENTITY|overrides|all", "connections do what was chosen for a conflict"},
	{"latch", "close", 1, 1, latch_close, " HANDLE|peer=IDENTITY|overrides|all", "ends connections as if their peer had reset them"},
	{"peer", "list", 0, 0, peer_list, "", "who may claim which addresses"},
	{"peer", "add", 2, -1, peer_add, " NAME KEY=VALUE...", "the keys of a [peer NAME] section"},
	{"peer", "del", 1, 1, peer_del, " NAME", "a revocation: its SAs and latches end at once"},
	{"peer", "dead", 1, 1, peer_dead, " IDENTITY", "ends its latches, as [stack] dpd-action says"},
	{"peer", "reboot", 1, 1, peer_reboot, " IDENTITY", "the same, of a peer that began anew"},
	{"peer", "restart", 1, 1, peer_restart, " IDENTITY", "of its key manager only: nothing ends, programs are told"},
	{"stats", NULL, 0, 0, stats, "", "counters and reasons of drops; -a: those that are zero too"},
	{"suites", NULL, 0, 0, suites, "", "the algorithms"},
	{"info", NULL, 0, 0, info, "", "version and sizes"},
	{"monitor", NULL, 0, -1, monitor, " [sa] [policy] [acquire] [expire] [latch] [nat]", "events, one line each; all without a word; -n N: end after N"},
};
/* clang-format on */

#define NB_COMMANDS (sizeof(commands) / sizeof(commands[0]))

/* object NULL: all commands. */
static void
usage(FILE *out, const char *object)
{
	fputs("usage: tlctl [-s SOCKET] [-j] [-a] [-n N] COMMAND\n\n", out);
	for (size_t i = 0; i < NB_COMMANDS; i++) {
		const struct command *c = &commands[i];

		if (object != NULL && strcmp(object, c->object) != 0)
			continue;
		fprintf(out, "  tlctl %s%s%s%s\n      %s\n", c->object, c->verb == NULL ? "" : " ",
			c->verb == NULL ? "" : c->verb, c->args, c->help);
	}
	fputs("\n  -s, --socket PATH  the [control] socket of the stack (" DEFAULT_SOCKET ")\n"
	      "  -j, --json         arrays of objects; monitor: one object in each line\n"
	      "  -a, --all, -n, --count N, -V, --version, -h, --help\n"
	      "\nExit status: 0; 1 refused, or no stack; 2 bad command line.\n",
		out);
}

static const struct command *
find(int argc, char **argv, int *used)
{
	bool known = false;

	for (size_t i = 0; i < NB_COMMANDS && argc > 0; i++) {
		const struct command *c = &commands[i];

		if (strcmp(c->object, argv[0]) != 0)
			continue;
		known = true;
		*used = c->verb == NULL ? 1 : 2;
		if (c->verb == NULL || (argc > 1 && strcmp(c->verb, argv[1]) == 0))
			return c;
	}
	if (argc == 0)
		complain("expected a command");
	else if (known && argc > 1)
		complain("%s %s: no such command", argv[0], argv[1]);
	else if (known)
		complain("%s: expected a verb", argv[0]);
	else
		complain("%s: no such command", argv[0]);
	usage(stderr, known ? argv[0] : NULL);
	return NULL;
}

static void
parse_args(struct tlctl *t, int argc, char **argv)
{
	static const struct option longs[] = {
		{"socket", required_argument, NULL, 's'},
		{"json", no_argument, NULL, 'j'},
		{"all", no_argument, NULL, 'a'},
		{"count", required_argument, NULL, 'n'},
		{"version", no_argument, NULL, 'V'},
		{"help", no_argument, NULL, 'h'},
		{NULL, 0, NULL, 0},
	};
	int opt;

	while ((opt = getopt_long(argc, argv, "s:jan:Vh", longs, NULL)) != -1) {
		switch (opt) {
		case 's':
			t->path = optarg;
			break;
		case 'j':
			t->json = true;
			break;
		case 'a':
			t->all = true;
			break;
		case 'n':
			t->count = read_number("--count", optarg, 1, INT32_MAX);
			break;
		case 'V':
			puts("tlctl " TL_VERSION);
			exit(0);
		case 'h':
			usage(stdout, optind < argc ? argv[optind] : NULL);
			exit(0);
		default:
			usage(stderr, NULL);
			exit(TLCTL_USAGE);
		}
	}
}

int
main(int argc, char **argv)
{
	struct tlctl t = {.path = DEFAULT_SOCKET};
	const struct command *c;
	int used = 0;

	parse_args(&t, argc, argv);
	argc -= optind;
	argv += optind;
	c = find(argc, argv, &used);
	if (c == NULL)
		return TLCTL_USAGE;
	argc -= used;
	argv += used;
	if (argc < c->min || (c->max >= 0 && argc > c->max)) {
		complain("expected: tlctl %s%s%s%s", c->object, c->verb == NULL ? "" : " ",
			c->verb == NULL ? "" : c->verb, c->args);
		return TLCTL_USAGE;
	}
	wire_open(&t);
	return c->run(&t, argc, argv);
}
