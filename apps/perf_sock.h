/* SPDX-License-Identifier: BSD-3-Clause */
/* perf_sock.h - tl-perf's client and server as programs of one worker each. */
#ifndef TL_APPS_PERF_SOCK_H
#define TL_APPS_PERF_SOCK_H

#include <sys/queue.h>

#include "apps/perf.h"
#include "apps/perf_hist.h"

struct conn;
TAILQ_HEAD(conn_list, conn);

/* A program and what it counted; one for each worker that it runs on. */
struct perf_run {
	const struct perf_opts *o;
	struct tl_stack *stack;
	struct conn_list conns;
	struct conn *done; /* that end, or have ended */
	struct conn *spare;
	uint64_t started, ended;
	uint32_t open, failed;
	uint32_t idle; /* of open: those that nothing more is asked of */
	bool opened, is_over;
	bool has_met;                /* a connection was established */
	uint64_t tx_bytes, rx_bytes; /* of connections that are over */
	struct hist rr;
	uint64_t opened_ns, first_ns, last_ns;
	uint8_t *buf;   /* scratch for receiving */
	uint8_t *chunk; /* what bulk and rr send */
	uint32_t slot;  /* the part of it that is sent next */
	uint32_t slots_busy;
};

/* Returns 0 or -ENOMEM; o outlives p. */
int perf_run_open(struct perf_run *p, struct tl_stack *s, const struct perf_opts *o);

/* Frees what p holds; returns how many connections failed. */
uint32_t perf_run_close(struct perf_run *p);

/* Callbacks of a worker; arg is its struct perf_run. They stop the stack when all is done. */
void perf_server_turn(struct tl_worker *w, void *arg);
void perf_client_turn(struct tl_worker *w, void *arg);

/* Prints the totals; end: "client" or "server". */
void perf_run_summary(struct perf_run *p, const char *end);

#endif
