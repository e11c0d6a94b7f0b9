/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * lc_env.h - a worker for unit tests: pools, wheel, flow table and memory ports, no threads.
 *
 * env_setup() and env_teardown() are the two fixtures of every suite; the second one fails the
 * test if a packet buffer or a chunk is still out.
 */
#ifndef TL_TESTS_UTIL_LC_ENV_H
#define TL_TESTS_UTIL_LC_ENV_H

#include <check.h>

#include "stack/base/lcore.h"
#include "stack/base/pkt.h"
#include "stack/base/port.h"

struct env {
	struct lcore lc;
	struct port port;
	/* What the worker sent through the port, in order; the test takes it from here. */
	struct pkt_queue sent;
	bool tx_stuck; /* the port takes nothing */
};

/* Starts EAL once in this process (--no-huge, no devices). */
void env_eal_init(void);

/* A worker at time 1 s with one Ethernet port 02:00:00:00:00:01, 10.0.0.1/24, MTU 1500. */
struct env *env_setup(void);

/* Frees e; asserts that every mbuf and chunk came back. */
void env_teardown(struct env *e);

/* A packet that holds exactly these bytes in a buffer of exactly that size (ASan sees one more). */
struct rte_mbuf *env_pkt(struct env *e, const void *data, size_t len);

/* The next packet that left through the port, NULL if none. The caller frees it. */
struct rte_mbuf *env_sent(struct env *e);

/* Runs every test of s in this process or forked (CK_FORK), prints TAP, returns the exit code. */
int env_main(Suite *s);

#endif
