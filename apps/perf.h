/* SPDX-License-Identifier: BSD-3-Clause */
/* perf.h - the parts of tl-perf. */
#ifndef TL_APPS_PERF_H
#define TL_APPS_PERF_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "apps/common.h"
#include "stack/include/tl.h"

enum perf_kind { PERF_BULK = 1, PERF_RR = 2, PERF_EXCHANGE = 3, PERF_CRR = 4, PERF_OPEN = 5 };

struct perf_opts {
	enum perf_kind kind;
	union end addr; /* of the server */
	uint16_t port;
	uint32_t connections; /* at once; crr, open: being opened at once */
	uint32_t ports;       /* of the server, from port on */
	uint64_t total;       /* crr, open: connections in all; 0: by time */
	uint32_t size_bytes;  /* of a request, or of one tl_send() */
	uint64_t bytes;       /* of each connection; 0: by time */
	uint64_t seconds;
	uint32_t mtu_bytes;
	const char *suite; /* limit: NULL for all */
	uint32_t sessions; /* server: end after so many connections, 0: never */
	uint32_t workers;  /* pair: of each side */
	bool esp;          /* pair: protected */
	double loss_ppm;   /* pair: of a million frames, each way */
	uint64_t delay_us; /* pair: each way */
	bool zero_copy;    /* bulk: lends memory instead of copying */
	bool stages;       /* pair: print where the cycles go */
	bool json;
};

/* Both return the program's exit code. */
int perf_server(struct tl_stack *s, const struct perf_opts *o);
int perf_client(struct tl_stack *s, const struct perf_opts *o);

/* The crypto engines of this core; no stack. */
int perf_limit(const struct perf_opts *o);
bool perf_limit_has_suite(const char *name);

/* All names of perf_limit_has_suite(). */
void perf_limit_print_names(FILE *out);

/* What the stack can compute, and what the names of suites stand for. */
int perf_suites(const struct perf_opts *o);

/* ESP without ports: its stages beside the engine, and lookups in small and big tables. EAL runs.
 */
int perf_esp(const struct perf_opts *o);
int perf_scale(const struct perf_opts *o);

/* What the compare of a latch costs. EAL runs. */
int perf_latch(const struct perf_opts *o);

/* Client and server in this process, without a wire; file: keys of both, or NULL; set: more of
 * them, as --set has them, NULL at the end. Starts EAL. */
int perf_pair(const struct perf_opts *o, const char *file, char *const *set);

/* The bare port: no stack, only its device. */
int perf_wire(const struct tl_conf *c, const struct perf_opts *o, bool send);

/* What it costs to hand a frame from one CPU to another. */
int perf_cores(const struct perf_opts *o);

#endif
