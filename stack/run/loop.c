/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * loop.c - one turn of a worker, and the thread that turns it.
 */
#include <time.h>
#include <rte_cycles.h>
#include <rte_pause.h>

#include "sctp/sctp.h"
#include "stack/base/stage.h"
#include "stack/base/tmr.h"
#include "stack/run/except.h"
#include "stack/run/run.h"
#include "stack/udp/udp.h"
#include "tcp/tcp.h"

/* Of one turn: what came in meanwhile wants its turn too. */
enum { OUT_BURSTS = 4 };

uint64_t
clock_ns(struct lcore *lc)
{
	struct run_ctx *r = lc->run;

	if (r->is_virtual)
		return lc->now_ns;
	return (uint64_t)(((unsigned __int128)(rte_rdtsc() - r->tsc_base) * r->ns_per_tsc) >> 32);
}

uint64_t
wall_clock_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

/* Whole frames need no stage. */
static void
out_frames(struct lcore *lc)
{
	while (lc->out_l2.n > 0 && port_room(lc) > 0) {
		struct rte_mbuf *m = pkt_queue_get(&lc->out_l2);

		port_put(lc, lc->port[pkt_meta(m)->port], m);
	}
}

uint32_t
out_next(struct lcore *lc, struct pkt_vec *v)
{
	uint32_t room = RTE_MIN(port_room(lc), (uint32_t)PKT_BURST);

	v->n = 0;
	while (v->n < room && lc->out_l4.n > 0)
		pkt_vec_add(v, pkt_queue_get(&lc->out_l4));
	/* Half for datagrams, which nothing holds back, and what the others leave; of the rest one
	 * half for SCTP, and what TCP leaves. */
	udp_out(lc, v, (room - v->n) / 2);
	sctp_out(lc, v, (room - v->n) / 2);
	tcp_out(lc, v, room - v->n);
	sctp_out(lc, v, room - v->n);
	udp_out(lc, v, room - v->n);
	return v->n;
}

/* What the applications should hear about, once. */
static void
sock_events(struct lcore *lc)
{
	if (lc->run->fn != NULL)
		lc->run->fn(worker_of(lc), lc->run->arg);
}

void
loop_once(struct lcore *lc)
{
	struct pkt_vec v;
	uint32_t work = 0;

	for (uint32_t i = 0; i < lc->nb_ports; i++) {
		lc->now_ns = clock_ns(lc);
		port_rx(lc, lc->port[i], &v);
		stage_end(lc, STAGE_PORT_RX);
		work += v.n;
		if (v.n > 0)
			rx_path(lc, &v);
	}
	work += rx_handoff(lc);
	stage_end(lc, STAGE_OTHER_IN);
	lc->now_ns = clock_ns(lc);
	if (lc->except != NULL)
		work += except_turn(lc);
	work += tmr_run(lc); /* expiries mark pcbs, like input does */
	work += msg_run(lc); /* what control asked for since the last turn */
	stage_end(lc, STAGE_TIMERS);
	sock_events(lc); /* the program reads and writes; what it wrote leaves in this turn */
	stage_end(lc, STAGE_PROGRAM);
	out_frames(lc);
	for (uint32_t i = 0; i < OUT_BURSTS && port_room(lc) > 0 && out_next(lc, &v) > 0; i++) {
		stage_end(lc, STAGE_TCP_OUT);
		work += v.n;
		tx_path(lc, &v);
		out_frames(lc);
		port_flush(lc); /* while the burst is in the cache */
		stage_end(lc, STAGE_PORT_TX);
	}
	stage_end(lc, STAGE_TCP_OUT);
	port_flush(lc);
	stage_end(lc, STAGE_PORT_TX);
	drain_check(lc);
	lc->turn_work = (uint16_t)RTE_MIN(work, (uint32_t)UINT16_MAX);
}

static void
account(struct lcore *lc)
{
	struct run_ctx *r = lc->run;
	uint64_t now = clock_ns(lc), spent = now - r->last_turn_ns;

	r->last_turn_ns = now;
	lc_count(lc, ST_TURNS);
	if (lc->turn_work > 0) {
		r->last_work_ns = now;
		lc_count(lc, ST_TURNS_BUSY);
		lc_count_n(lc, ST_BUSY_NS, spent);
	} else {
		lc_count_n(lc, ST_IDLE_NS, spent);
	}
}

/* The ladder: an idle worker leaves the core to others, a busy one never waits. */
static void
rest(struct lcore *lc)
{
	uint64_t idle = lc->run->last_turn_ns - lc->run->last_work_ns, next, nap;
	struct timespec ts = {0};

	if (idle < IDLE_POLL_NS)
		return;
	if (idle < IDLE_PAUSE_NS) {
		for (int i = 0; i < 64; i++)
			rte_pause();
		return;
	}
	next = tmr_next_ns(lc);
	nap = next <= lc->run->last_turn_ns ? 0 : next - lc->run->last_turn_ns;
	/* The longer nothing happens, the longer the nap: a pause in a transfer stays cheap. */
	nap = RTE_MIN(nap, RTE_MIN(idle / 4, (uint64_t)IDLE_SLEEP_MAX_NS));
	if (nap == 0)
		return;
	ts.tv_nsec = (long)nap;
	lc_count(lc, ST_SLEEPS);
	nanosleep(&ts, NULL);
}

int
loop_run(void *arg)
{
	struct lcore *lc = arg;
	struct tl_stack *s = lc->run->stack;

	lc->run->last_turn_ns = lc->run->last_work_ns = clock_ns(lc);
	while (!atomic_load_explicit(&s->stop, memory_order_relaxed)) {
		loop_once(lc);
		account(lc);
		if (lc->turn_work == 0)
			rest(lc);
	}
	msg_run(lc); /* nobody may wait for an answer that never comes */
	atomic_fetch_sub(&s->running, 1);
	return 0;
}

/* Something is ready and only waits for another turn: room on a port, a buffer, this worker. */
static bool
is_waiting(const struct lcore *lc)
{
	for (uint32_t i = 0; i < lc->nb_ports; i++) {
		if (lc->port[i]->nb_tx > 0)
			return true;
	}
	return lc->out_l2.n > 0 || lc->out_l4.n > 0 || tcp_out_pending(lc) || udp_out_pending(lc) ||
	       sctp_out_pending(lc) ||
	       (lc->msg->handoff != NULL && rte_ring_count(lc->msg->handoff) > 0) ||
	       rte_ring_count(lc->msg->ctl) > 0;
}

static uint64_t
turn(struct lcore *lc, uint64_t now_ns)
{
	lc->run->is_virtual = true;
	if (now_ns > lc->now_ns)
		lc->now_ns = now_ns;
	loop_once(lc);
	lc_count(lc, ST_TURNS);
	return is_waiting(lc) ? lc->now_ns : RTE_MIN(tmr_next_ns(lc), except_next_ns(lc));
}

/* No thread of ours drives this worker, so a service beside it would look into it at any time. */
uint64_t
tl_turn(struct tl_worker *w, uint64_t now_ns)
{
	struct lcore *lc = lc_of(w);
	struct tl_stack *s = lc->run->stack;
	uint64_t next;

	if (s->service == NULL)
		return turn(lc, now_ns);
	control_lock(s);
	next = turn(lc, now_ns);
	control_unlock(s);
	return next;
}
