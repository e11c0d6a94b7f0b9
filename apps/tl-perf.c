/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * tl-perf.c - measures a stack: bulk, request-response, exchange with digests; the raw crypto
 * limit and the bare port beside them.
 */
#include <arpa/inet.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "apps/common.h"
#include "apps/perf.h"

static void
usage(FILE *out)
{
	fputs("tl-perf: measures a taglatch stack\n"
	      "\n"
	      "  tl-perf server   -f FILE [-p PORT] [-n SESSIONS]\n"
	      "  tl-perf bulk     -f FILE -a ADDR [-p PORT] [-t SECONDS | -b BYTES] [-c "
	      "CONNECTIONS]\n"
	      "  tl-perf rr       -f FILE -a ADDR [-p PORT] [-t SECONDS] [-l BYTES]\n"
	      "  tl-perf crr      -f FILE -a ADDR [-p PORT] [-P PORTS] [-t SECONDS] [-l BYTES]\n"
	      "  tl-perf open     -f FILE -a ADDR [-p PORT] [-P PORTS] [-t SECONDS | -N TOTAL]\n"
	      "  tl-perf exchange -f FILE -a ADDR [-p PORT] -b BYTES\n"
	      "  tl-perf pair-bulk | pair-rr | pair-crr | pair-open [-f FILE] [-m MTU] [-w "
	      "WORKERS] [-E] [-C] [-t "
	      "SECONDS]\n"
	      "                                     both ends in one process, without a wire\n"
	      "  tl-perf limit    [-S SUITE | -k 128|256] [-l BYTES]     the crypto of this core\n"
	      "  tl-perf suites                     what there is: algorithms, key lengths, "
	      "engines\n"
	      "  tl-perf esp      [-l BYTES]        ESP beside its crypto, without a port\n"
	      "  tl-perf scale                      lookups among 10 and 10000 SAs and policies\n"
	      "  tl-perf latch                      what the compare of a latch costs\n"
	      "  tl-perf cores    [-m MTU]          a frame from one CPU to another\n"
	      "  tl-perf wire-tx | wire-rx  -f FILE [-m MTU] [-t SECONDS]   the bare port\n"
	      "\n"
	      "  -f, --config FILE      configuration, see taglatch.conf(5)\n"
	      "  -s, --set KEY=VALUE    one key of it\n"
	      "  -a, --address ADDR     the server's address\n"
	      "  -p, --port PORT        TCP port, 5201\n"
	      "  -t, --time SECONDS     how long, 5\n"
	      "  -b, --bytes BYTES      how much, in each connection and direction\n"
	      "  -l, --length BYTES     of one write or request, 131072 (rr: 64)\n"
	      "  -c, --connections N    at once, 1\n"
	      "  -N, --total N          crr, open: connections in all\n"
	      "  -P, --ports N          of the server, from --port on, 1\n"
	      "  -n, --sessions N       server: end after so many connections\n"
	      "  -S, --suite NAME       limit: GCM-128, GCM-256, CHACHA, CBC-128+SHA1,\n"
	      "                         CBC-256+SHA256, CTR-128+SHA256, NULL+SHA256, GMAC-128 or\n"
	      "                         CCM-128; all of them\n"
	      "  -k, --key-bits N       limit: 128 or 256, for GCM-128 or GCM-256\n"
	      "  -m, --mtu BYTES        pair: of the port; wire, cores: frame size less 14; 1500\n"
	      "  -w, --workers N        pair: workers of each side, 1\n"
	      "  -L, --loss PERCENT     pair: frames lost at random, each way\n"
	      "  -D, --delay US         pair: each way, in microseconds\n"
	      "  -E, --esp              pair: AES-GCM-128, ESN, replay window 64, latched\n"
	      "  -C, --cycles           pair: cycles by stage\n"
	      "  -z, --zero-copy        bulk: lend memory instead of copying, at this end\n"
	      "  -j, --json             one JSON object a line\n"
	      "  -V, --version\n"
	      "  -h, --help\n",
		out);
}

enum { SET_MAX = 64 };

struct args {
	const char *mode;
	const char *file;
	const char *address;
	unsigned int port;
	char *set[SET_MAX + 1]; /* pair: of both ends */
	unsigned int nb_set;
};

static uint64_t
number(const char *opt, const char *text, uint64_t max)
{
	char *end;
	uint64_t n = strtoull(text, &end, 0);

	switch (*end) {
	case 'G':
		n *= 1024;
		/* fall through */
	case 'M':
		n *= 1024;
		/* fall through */
	case 'k':
		n *= 1024;
		end++;
	}
	if (end == text || *end != '\0' || n > max) {
		fprintf(stderr, "%s: expected a number up to %lu, got \"%s\"\n", opt,
			(unsigned long)max, text);
		exit(EXIT_CONFIG);
	}
	return n;
}

static double
percent(const char *text)
{
	char *end;
	double p = strtod(text, &end);

	if (end == text || *end != '\0' || !(p >= 0 && p <= 100)) {
		fprintf(stderr, "--loss: expected a percentage, got \"%s\"\n", text);
		exit(EXIT_CONFIG);
	}
	return p;
}

static void
refuse(const char *what, const char *why)
{
	fprintf(stderr, "tl-perf: %s: %s\n", what, why);
	exit(EXIT_CONFIG);
}

static const char *
suite_of_bits(const char *bits)
{
	if (strcmp(bits, "128") == 0)
		return "GCM-128";
	if (strcmp(bits, "256") != 0)
		refuse("--key-bits", "expected 128 or 256");
	return "GCM-256";
}

static const char *
known_suite(const char *name)
{
	if (perf_limit_has_suite(name))
		return name;
	fprintf(stderr, "tl-perf: --suite: no suite \"%s\"; expected one of:", name);
	perf_limit_print_names(stderr);
	fputc('\n', stderr);
	exit(EXIT_CONFIG);
}

/* long: one case for each option. */
static void
one_option(int opt, struct tl_conf *c, struct args *a, struct perf_opts *o)
{
	switch (opt) {
	case 'a':
		a->address = optarg;
		break;
	case 'p':
		a->port = (unsigned int)number("--port", optarg, 65535);
		break;
	case 't':
		o->seconds = number("--time", optarg, 1000000);
		break;
	case 'b':
		o->bytes = number("--bytes", optarg, UINT64_MAX) & ~(uint64_t)7;
		break;
	case 'l':
		o->size_bytes = (uint32_t)number("--length", optarg, 262144);
		break;
	case 'c':
		o->connections = (uint32_t)number("--connections", optarg, 10000);
		break;
	case 'n':
		o->sessions = (uint32_t)number("--sessions", optarg, UINT32_MAX);
		break;
	case 'k':
		o->suite = suite_of_bits(optarg);
		break;
	case 'S':
		o->suite = known_suite(optarg);
		break;
	case 'm':
		o->mtu_bytes = (uint32_t)number("--mtu", optarg, 9216);
		break;
	case 'N':
		o->total = number("--total", optarg, UINT32_MAX);
		break;
	case 'P':
		o->ports = (uint32_t)number("--ports", optarg, 60000);
		break;
	case 'w':
		o->workers = (uint32_t)number("--workers", optarg, 16);
		break;
	case 'L':
		o->loss_ppm = percent(optarg) * 1e4;
		break;
	case 'D':
		o->delay_us = number("--delay", optarg, 10000000);
		break;
	case 'E':
		o->esp = true;
		break;
	case 'z':
		o->zero_copy = true;
		break;
	case 'C':
		o->stages = true;
		break;
	case 'j':
		o->json = true;
		break;
	case 's':
		if (a->nb_set == SET_MAX)
			refuse("--set", "too many");
		a->set[a->nb_set++] = optarg;
		conf_set_arg(c, optarg);
		break;
	default:
		common_option(opt, c, &a->file, usage);
	}
}

static void
parse(int argc, char **argv, struct tl_conf *c, struct args *a, struct perf_opts *o)
{
	static const struct option longs[] = {
		{"config", required_argument, NULL, 'f'},
		{"set", required_argument, NULL, 's'},
		{"address", required_argument, NULL, 'a'},
		{"port", required_argument, NULL, 'p'},
		{"time", required_argument, NULL, 't'},
		{"bytes", required_argument, NULL, 'b'},
		{"length", required_argument, NULL, 'l'},
		{"connections", required_argument, NULL, 'c'},
		{"sessions", required_argument, NULL, 'n'},
		{"suite", required_argument, NULL, 'S'},
		{"key-bits", required_argument, NULL, 'k'},
		{"mtu", required_argument, NULL, 'm'},
		{"total", required_argument, NULL, 'N'},
		{"ports", required_argument, NULL, 'P'},
		{"workers", required_argument, NULL, 'w'},
		{"loss", required_argument, NULL, 'L'},
		{"delay", required_argument, NULL, 'D'},
		{"esp", no_argument, NULL, 'E'},
		{"cycles", no_argument, NULL, 'C'},
		{"zero-copy", no_argument, NULL, 'z'},
		{"json", no_argument, NULL, 'j'},
		{"version", no_argument, NULL, 'V'},
		{"help", no_argument, NULL, 'h'},
		{NULL, 0, NULL, 0},
	};
	int opt;

	while ((opt = getopt_long(
			argc, argv, "f:s:a:p:t:b:l:c:n:N:P:S:k:m:w:L:D:ECzjVh", longs, NULL)) != -1)
		one_option(opt, c, a, o);
	a->mode = optind < argc ? argv[optind] : "";
	if (optind + 1 < argc)
		refuse("unexpected argument", argv[optind + 1]);
	if (o->ports == 0 || o->port + o->ports > 65536)
		refuse("--ports", "expected 1 to as many as there are from --port on");
	if (o->workers == 0)
		refuse("--workers", "expected at least 1");
	if (o->connections == 0)
		refuse("--connections", "expected at least 1");
	if (strcmp(a->mode, "limit") == 0 && o->size_bytes > 16000)
		refuse("--length", "limit: expected at most 16000");
}

/* What a client does; false: mode is not a client's. */
static bool
kind_of(const char *mode, enum perf_kind *kind)
{
	static const struct {
		const char *mode;
		enum perf_kind kind;
	} kinds[] = {{"bulk", PERF_BULK}, {"rr", PERF_RR}, {"exchange", PERF_EXCHANGE},
		{"crr", PERF_CRR}, {"open", PERF_OPEN}};

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		if (strcmp(mode, kinds[i].mode) == 0) {
			*kind = kinds[i].kind;
			return true;
		}
	}
	return false;
}

static int
run_client(struct tl_conf *c, const struct args *a, struct perf_opts *o, enum perf_kind kind)
{
	struct tl_stack *s;
	int rc;

	o->kind = kind;
	if (o->size_bytes == 0)
		o->size_bytes = kind == PERF_RR || kind == PERF_CRR ? 64 : 131072;
	if (a->address == NULL || !end_parse(a->address, o->port, &o->addr)) {
		fprintf(stderr, "tl-perf %s: expected --address ADDR, IPv4 or IPv6, got %s%s%s\n",
			a->mode, a->address == NULL ? "none" : "\"",
			a->address == NULL ? "" : a->address, a->address == NULL ? "" : "\"");
		return EXIT_CONFIG;
	}
	if (kind == PERF_EXCHANGE && o->bytes == 0) {
		fprintf(stderr, "tl-perf exchange: expected --bytes BYTES\n");
		return EXIT_CONFIG;
	}
	s = stack_from(c, a->file);
	rc = perf_client(s, o);
	tl_destroy(s);
	return rc;
}

static int
run_server(struct tl_conf *c, const struct args *a, const struct perf_opts *o)
{
	struct tl_stack *s = stack_from(c, a->file);
	int rc = perf_server(s, o);

	tl_destroy(s);
	return rc;
}

static int
run_wire(struct tl_conf *c, const struct args *a, const struct perf_opts *o)
{
	struct tl_error e = {""};

	if ((a->file != NULL && tl_conf_load(c, a->file, &e) != 0) || tl_conf_check(c, &e) != 0)
		die_config(&e);
	return perf_wire(c, o, strcmp(a->mode, "wire-tx") == 0);
}

/* What needs DPDK's memory but no configuration. */
static int
run_bare(struct tl_conf *c, const struct args *a, const struct perf_opts *o)
{
	struct tl_error e = {""};

	if (tl_eal_init(c, &e) != 0)
		die_config(&e);
	if (strcmp(a->mode, "latch") == 0)
		return perf_latch(o);
	return strcmp(a->mode, "esp") == 0 ? perf_esp(o) : perf_scale(o);
}

/* Client and server in one process. */
static int
run_pair(const struct args *a, struct perf_opts *o)
{
	kind_of(a->mode + strlen("pair-"), &o->kind);
	if (o->size_bytes == 0)
		o->size_bytes = o->kind == PERF_BULK ? 65536 : 64;
	end_parse("10.7.0.1", o->port, &o->addr);
	return perf_pair(o, a->file, a->set);
}

static int
dispatch(struct tl_conf *c, const struct args *a, struct perf_opts *o)
{
	enum perf_kind kind;

	if (strcmp(a->mode, "server") == 0)
		return run_server(c, a, o);
	if (kind_of(a->mode, &kind))
		return run_client(c, a, o, kind);
	if (strcmp(a->mode, "limit") == 0)
		return perf_limit(o);
	if (strcmp(a->mode, "cores") == 0)
		return perf_cores(o);
	if (strcmp(a->mode, "suites") == 0)
		return perf_suites(o);
	if (strcmp(a->mode, "esp") == 0 || strcmp(a->mode, "scale") == 0 ||
		strcmp(a->mode, "latch") == 0)
		return run_bare(c, a, o);
	if (strcmp(a->mode, "wire-tx") == 0 || strcmp(a->mode, "wire-rx") == 0)
		return run_wire(c, a, o);
	if (strncmp(a->mode, "pair-", 5) == 0 && kind_of(a->mode + 5, &kind))
		return run_pair(a, o);
	fprintf(stderr,
		"tl-perf: expected server, bulk, rr, crr, open, exchange, one of the four with "
		"pair- before it, limit, suites, esp, scale, latch, cores, wire-tx or wire-rx\n");
	return EXIT_CONFIG;
}

int
main(int argc, char **argv)
{
	struct perf_opts o = {
		.connections = 1, .ports = 1, .workers = 1, .seconds = 5, .mtu_bytes = 1500};
	struct args a = {.port = 5201};
	struct tl_conf *c = tl_conf_new();
	int rc;

	if (c == NULL)
		return 1;
	parse(argc, argv, c, &a, &o);
	o.port = (uint16_t)a.port;
	rc = dispatch(c, &a, &o);
	tl_conf_free(c);
	return rc;
}
