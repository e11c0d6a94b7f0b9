/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * run.h - the stack as a whole and what drives a worker. Private to stack/run and stack/ctl.
 */
#ifndef TL_RUN_RUN_H
#define TL_RUN_RUN_H

#include <stdatomic.h>

#include "stack/base/lcore.h"
#include "stack/base/msg.h"
#include "stack/base/port.h"
#include "stack/base/sock.h"
#include "stack/run/conf.h"
#include "stack/run/control.h"

/* Idle ladder: poll, then pause, then sleep (ns since the last packet or timer). */
enum { IDLE_POLL_NS = 50000, IDLE_PAUSE_NS = 200000, IDLE_SLEEP_MAX_NS = 1000000 };

/* A deleted SA's slot waits until every worker passed an epoch. */
struct drain {
	uint64_t later; /* asked for meanwhile */
	uint64_t wanted;
	uint64_t since_ns;
	uint64_t handoffs; /* packets that must have been taken from the ring */
	_Atomic uint64_t passed;
};

/* What turns a worker. */
struct run_ctx {
	struct tl_stack *stack;
	tl_turn_fn *fn;
	void *arg;
	bool is_virtual;     /* time comes from tl_turn() */
	uint64_t ns_per_tsc; /* fixed point, 32 bits behind the point */
	uint64_t tsc_base;
	uint64_t last_work_ns;
	uint64_t last_turn_ns;
	struct drain drain;
	uint16_t port_first, port_last; /* ephemeral ports, for steering between workers */
};

struct tl_stack {
	struct stack_conf conf;
	const struct tl_conf *text; /* of the running configuration, for tl_sa_add() */
	struct lcore *lc[LC_MAX_WORKERS];
	struct rte_ring *ctl[LC_MAX_WORKERS];
	_Atomic bool stop;
	_Atomic uint32_t running; /* workers that turn now */
	bool started;
	struct control control;
	struct flow_dir *flow_dir;         /* NULL with one worker */
	_Atomic uint64_t cookie_ns;        /* when a worker last sent a SYN cookie */
	void *service;                     /* of the one that is registered */
	struct capture *capture;           /* NULL: none was started */
	struct tl_capture_result captured; /* of the last one that ended */
	bool has_captured;
};

/* What runs beside the workers on a thread of its own: the control socket. */
struct run_service {
	/* The stack is complete. Returns 0 or -errno; *out stays NULL if there is nothing to do. */
	int (*start)(struct tl_stack *s, void **out, struct tl_error *e);
	void (*stop)(void *service);
};

/* Called before any stack exists; one service for each process. */
void run_service_register(const struct run_service *service);

static inline struct lcore *
lc_of(struct tl_worker *w)
{
	return (struct lcore *)(void *)w;
}

static inline struct tl_worker *
worker_of(struct lcore *lc)
{
	return (struct tl_worker *)(void *)lc;
}

/* DPDK's names are for the whole process; many stacks may live in it. */
void run_object_name(
	char out[RTE_RING_NAMESIZE], const struct tl_stack *s, uint32_t worker, const char *what);

/* One turn of a worker, from its ports to its applications. */
void loop_once(struct lcore *lc);

/* The worker's thread: turns until the stack stops, with the idle ladder. */
int loop_run(void *lc);

/* The receive path and the transmit path: the only places that know the order of the stages. */
void rx_path(struct lcore *lc, struct pkt_vec *in);
void tx_path(struct lcore *lc, struct pkt_vec *v);

/* The end of the transmit path, for packets in clear that have their IP header and their route. */
void tx_ready(struct lcore *lc, struct pkt_vec *v);

/* Packets that other workers handed over. Returns how many. */
uint32_t rx_handoff(struct lcore *lc);

/* Fills v from the queues of answers, then from the transports; returns v->n. */
uint32_t out_next(struct lcore *lc, struct pkt_vec *v);

/* One burst of a port, tags cleared and metadata zeroed. */
void port_rx(struct lcore *lc, struct port *p, struct pkt_vec *v);

/* Gives the burst buffers to the ports; what a port refuses stays. */
void port_flush(struct lcore *lc);

/* Opens the DPDK or memory port of a configuration for all workers. Returns 0 or -errno. */
int port_open(struct tl_stack *s, uint32_t index, struct tl_error *e);
void port_close(struct tl_stack *s, uint32_t index);
extern const struct port_ops mport_ops;

/* The worker's table of sockets. */
int sock_create(struct lcore *lc, uint32_t max);
void sock_destroy(struct lcore *lc);

/* What workers report to the control context. */
extern const struct esp_events control_esp_events;

/* Inside the control context: slots, and an SA whose peer moved (RFC 7296 s2.23). */
void slot_put(struct control *c, struct slot_queue *q, uint32_t slot);
void slots_collect(struct tl_stack *s);
uint32_t control_sa_move(struct tl_stack *s, const struct esp_event *ev);

/* Asks a worker to pass an epoch; looks whether it did, once in a turn; and from outside. */
void drain_ask(struct lcore *lc, uint64_t epoch);
void drain_check(struct lcore *lc);
uint64_t drain_passed(const struct lcore *lc);

/* clock: of a worker, and the host's date since 1970 */
uint64_t clock_ns(struct lcore *lc);
uint64_t wall_clock_ns(void);

#endif
