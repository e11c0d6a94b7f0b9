/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * perf_pair.c - client and server in one process, without a wire: what the stack itself costs.
 *
 * Two stacks take turns on each thread, one thread for each worker; a frame goes from one to the
 * other as the packet buffer it is in. The cycles of each side are counted by themselves, and by
 * stage. The client's and the server's program are those of the other modes.
 */
#include <limits.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <rte_cycles.h>
#include <rte_launch.h>
#include <rte_lcore.h>

#include "apps/common.h"
#include "apps/perf.h"
#include "apps/perf_sock.h"
#include "stack/base/port.h"
#include "stack/base/stage.h"
#include "stack/ctl/show.h"
#include "stack/run/run.h"

enum { LINK_NEAR = 64, LINK_SLOTS = 1 << 15, SIDES = 2, SERVER = 0, CLIENT = 1 };

/* One direction between two workers that one thread drives. */
struct link {
	uint32_t head, tail;
	uint32_t room; /* frames that fit: few without a delay, so that they stay in the cache */
	uint64_t delay_ns; /* from end to end */
	uint64_t loss;     /* of 2^64 */
	uint64_t rng, lost;
	struct {
		struct rte_mbuf *m;
		uint64_t at_ns;
	} slot[LINK_SLOTS];
};

struct side {
	struct lcore *lc;
	struct perf_run run; /* its program */
	struct link out;
	uint64_t cycles;
	struct stage_clock stages;
};

struct pair;

/* Both ends of one thread. */
struct lane {
	struct pair *pair;
	struct side side[SIDES];
	bool is_done;
};

struct pair {
	const struct perf_opts *o;
	struct tl_conf *conf[SIDES];
	struct tl_stack *stack[SIDES];
	struct lane *lane;
	uint32_t nb_lanes;
	_Atomic uint32_t nb_done;
};

static void
link_open(struct link *l, const struct perf_opts *o, uint64_t seed)
{
	l->delay_ns = o->delay_us * 1000u;
	l->room = l->delay_ns == 0 ? LINK_NEAR : LINK_SLOTS;
	l->loss = (uint64_t)(o->loss_ppm * (double)(UINT64_MAX / 1000000));
	l->rng = 0x9e3779b97f4a7c15u * (seed + 1);
}

static uint64_t
link_draw(struct link *l)
{
	l->rng ^= l->rng << 13;
	l->rng ^= l->rng >> 7;
	l->rng ^= l->rng << 17;
	return l->rng;
}

static uint16_t
link_get(struct link *l, uint64_t now_ns, struct rte_mbuf **m, uint16_t n)
{
	uint16_t got = 0;

	while (got < n && l->tail != l->head && l->slot[l->tail % LINK_SLOTS].at_ns <= now_ns)
		m[got++] = l->slot[l->tail++ % LINK_SLOTS].m;
	return got;
}

static uint16_t
link_put(struct link *l, uint64_t now_ns, struct rte_mbuf **m, uint16_t n)
{
	uint16_t put = 0;

	for (; put < n && l->head - l->tail < l->room; put++) {
		if (l->loss != 0 && link_draw(l) < l->loss) {
			rte_pktmbuf_free(m[put]);
			l->lost++;
			continue;
		}
		l->slot[l->head % LINK_SLOTS].m = m[put];
		l->slot[l->head++ % LINK_SLOTS].at_ns = now_ns + l->delay_ns;
	}
	return put;
}

static void
link_clear(struct link *l)
{
	struct rte_mbuf *m;

	while (link_get(l, UINT64_MAX, &m, 1) == 1)
		rte_pktmbuf_free(m);
}

/* The port's ctx is the lane; which side asks is told by its worker. */
static struct link *
link_of(struct lcore *lc, struct port *p, bool receive)
{
	struct lane *l = p->ctx;
	int self = l->side[SERVER].lc == lc ? SERVER : CLIENT;

	return &l->side[receive ? 1 - self : self].out;
}

static uint16_t
pair_rx(struct lcore *lc, struct port *p, struct rte_mbuf **m, uint16_t n)
{
	return link_get(link_of(lc, p, true), lc->now_ns, m, n);
}

static uint16_t
pair_tx(struct lcore *lc, struct port *p, struct rte_mbuf **m, uint16_t n)
{
	return link_put(link_of(lc, p, false), lc->now_ns, m, n);
}

static const struct port_ops pair_ops = {.rx = pair_rx, .tx = pair_tx};

/* The memory port wants functions before its ops are replaced. */
static size_t
no_frame(void *ctx, unsigned int worker, void *buf, size_t cap)
{
	(void)ctx;
	(void)worker;
	(void)buf;
	(void)cap;
	return 0;
}

static bool
no_room(void *ctx, unsigned int worker, const void *frame, size_t len)
{
	(void)ctx;
	(void)worker;
	(void)frame;
	(void)len;
	return false;
}

static void
set(struct tl_conf *c, const char *key, const char *value)
{
	struct tl_error e = {""};

	if (tl_conf_set(c, key, value, &e) != 0)
		die_config(&e);
}

static void
set_sa(struct tl_conf *c, const char *name, uint32_t spi, bool inbound, uint32_t owner, int side)
{
	const char *ends[SIDES] = {"10.7.0.1", "10.7.0.2"};
	char key[64], value[128];
	const struct {
		const char *key, *value;
	} fixed[] = {{"direction", inbound ? "in" : "out"}, {"local", ends[side]},
		{"remote", ends[1 - side]}, {"replay-window", "64"}, {"esn", "yes"},
		{"local-id", side == SERVER ? "a" : "b"}, {"peer-id", side == SERVER ? "b" : "a"}};

	for (size_t i = 0; i < sizeof(fixed) / sizeof(fixed[0]); i++) {
		snprintf(key, sizeof(key), "sa %s.%s", name, fixed[i].key);
		set(c, key, fixed[i].value);
	}
	snprintf(key, sizeof(key), "sa %s.spi", name);
	snprintf(value, sizeof(value), "0x%x", spi);
	set(c, key, value);
	snprintf(key, sizeof(key), "sa %s.worker", name);
	snprintf(value, sizeof(value), "%u", owner);
	set(c, key, value);
	snprintf(key, sizeof(key), "sa %s.key", name);
	snprintf(value, sizeof(value), "%08x2b7e151628aed2a6abf7158809cf4f3c", spi);
	set(c, key, value);
}

/* One SA each way for every worker (RFC 9611 s3). */
static void
set_esp(struct tl_conf *c, int side, uint32_t workers)
{
	char name[32];

	set(c, "stack.manual-keys", "i-accept-the-risk");
	set(c, "identity a.type", "fqdn");
	set(c, "identity a.value", "a.example");
	set(c, "identity b.type", "fqdn");
	set(c, "identity b.value", "b.example");
	for (uint32_t w = 0; w < workers; w++) {
		snprintf(name, sizeof(name), "up%u", w);
		set_sa(c, name, 0x1000 + w, side == SERVER, w, side);
		snprintf(name, sizeof(name), "down%u", w);
		set_sa(c, name, 0x2000 + w, side == CLIENT, w, side);
	}
}

/* What both stacks need, also where no hugepage can be added: 16384 packet buffers a worker, and
 * 200 MB for all else.
 */
static unsigned int
memory_mb(const struct perf_opts *o)
{
	return SIDES * o->workers * (200 + (o->mtu_bytes + 1024) * 16384 / (1u << 20));
}

static struct tl_conf *
conf_of(const struct perf_opts *o, int side, const char *file)
{
	static const struct tl_mport_ops ops = {.rx = no_frame, .tx = no_room};
	struct tl_conf *c = tl_conf_new();
	struct tl_error e = {""};
	char text[32];

	if (c == NULL)
		abort();
	snprintf(text, sizeof(text), "%u", memory_mb(o));
	set(c, "eal.memory-mb", text);
	set(c, "port link.device", "memory");
	set(c, "port link.address", side == SERVER ? "10.7.0.1/24" : "10.7.0.2/24");
	snprintf(text, sizeof(text), "%u", o->mtu_bytes);
	set(c, "port link.mtu", text);
	snprintf(text, sizeof(text), "%u", o->workers);
	set(c, "stack.workers", text);
	set(c, "policy all.action", o->esp ? "protect" : "bypass");
	if (o->esp)
		set_esp(c, side, o->workers);
	if (file != NULL && tl_conf_load(c, file, &e) != 0)
		die_config(&e);
	if (tl_conf_mport(c, "link", &ops, NULL) != 0)
		abort();
	return c;
}

static void
lane_open(struct pair *p, uint32_t i)
{
	struct lane *l = &p->lane[i];

	l->pair = p;
	for (int k = 0; k < SIDES; k++) {
		struct side *s = &l->side[k];

		s->lc = p->stack[k]->lc[i];
		s->lc->port[0]->ops = &pair_ops;
		s->lc->port[0]->ctx = l;
		s->lc->stages = p->o->stages ? &s->stages : NULL;
		perf_run_open(&s->run, p->stack[k], p->o);
		link_open(&s->out, p->o, 2 * i + (uint32_t)k);
		tl_set_turn_fn(tl_worker(p->stack[k], i),
			k == SERVER ? perf_server_turn : perf_client_turn, &s->run);
	}
}

static void
side_turn(struct side *s, uint64_t now_ns)
{
	uint64_t at = rte_rdtsc();

	s->lc->run->is_virtual = true;
	s->lc->now_ns = now_ns;
	stage_start(s->lc);
	loop_once(s->lc);
	s->cycles += rte_rdtsc() - at;
}

static int
lane_run(void *arg)
{
	struct lane *l = arg;
	struct pair *p = l->pair;
	double ns_per_tsc = 1e9 / (double)rte_get_tsc_hz();
	uint64_t base = rte_rdtsc();

	while (atomic_load_explicit(&p->nb_done, memory_order_relaxed) < p->nb_lanes) {
		for (int k = 0; k < SIDES; k++)
			side_turn(&l->side[k],
				1000000000u +
					(uint64_t)((double)(rte_rdtsc() - base) * ns_per_tsc));
		if (!l->is_done && l->side[CLIENT].run.is_over) {
			l->is_done = true;
			atomic_fetch_add(&p->nb_done, 1);
		}
	}
	return 0;
}

static void
print_stages(const struct perf_opts *o, const char *who, const struct lane *lanes, uint32_t n,
	int side, uint64_t packets)
{
	for (int i = 0; i < STAGE_MAX; i++) {
		uint64_t sum = 0;

		for (uint32_t w = 0; w < n; w++)
			sum += lanes[w].side[side].stages.cycles[i];
		printf(o->json ? "{\"side\": \"%s\", \"stage\": \"%s\", \"cycles_per_packet\": "
				 "%.1f}\n"
			       : "  %s %-10s %8.1f\n",
			who, stage_name(i), packets == 0 ? 0 : (double)sum / (double)packets);
	}
}

static void
report_side(struct pair *p, int k)
{
	const char *who = k == SERVER ? "server" : "client";
	uint64_t packets = 0, cycles = 0;

	/* Data segments: what the sender sent, and the receiver got. */
	packets = ctl_stat(p->stack[k], k == SERVER ? "rx-packets" : "tx-packets");
	for (uint32_t w = 0; w < p->nb_lanes; w++)
		cycles += p->lane[w].side[k].cycles;
	printf(p->o->json ? "{\"side\": \"%s\", \"packets\": %lu, \"cycles_per_packet\": %.1f}\n"
			  : "%s: %lu packets, %.1f cycles each\n",
		who, (unsigned long)packets, packets == 0 ? 0 : (double)cycles / (double)packets);
	if (p->o->stages)
		print_stages(p->o, who, p->lane, p->nb_lanes, k, packets);
}

static void
report(struct pair *p)
{
	for (uint32_t w = 0; w < p->nb_lanes; w++)
		perf_run_summary(&p->lane[w].side[CLIENT].run, "client");
	for (int k = 0; k < SIDES; k++)
		report_side(p, k);
}

static int
run_lanes(struct pair *p)
{
	unsigned int lcore = rte_get_next_lcore(UINT_MAX, 1, 0);
	uint32_t failed = 0;

	p->lane = calloc(p->nb_lanes, sizeof(*p->lane));
	if (p->lane == NULL)
		return 1;
	for (uint32_t i = 0; i < p->nb_lanes; i++)
		lane_open(p, i);
	for (uint32_t i = 1; i < p->nb_lanes; i++) {
		rte_eal_remote_launch(lane_run, &p->lane[i], lcore);
		lcore = rte_get_next_lcore(lcore, 1, 0);
	}
	lane_run(&p->lane[0]);
	rte_eal_mp_wait_lcore();
	report(p);
	for (uint32_t i = 0; i < p->nb_lanes; i++) {
		for (int k = 0; k < SIDES; k++) {
			failed += perf_run_close(&p->lane[i].side[k].run);
			link_clear(&p->lane[i].side[k].out);
		}
	}
	return failed == 0 ? 0 : 1;
}

int
perf_pair(const struct perf_opts *o, const char *file, char *const *set_args)
{
	struct pair p = {.o = o, .nb_lanes = o->workers};
	struct tl_error e = {""};
	int rc;

	for (int k = 0; k < SIDES; k++) {
		p.conf[k] = conf_of(o, k, file);
		for (char *const *at = set_args; *at != NULL; at++)
			conf_set_arg(p.conf[k], *at);
		if ((k == 0 && tl_eal_init(p.conf[k], &e) != 0) ||
			tl_create(p.conf[k], &p.stack[k], &e) != 0)
			die_config(&e);
	}
	rc = run_lanes(&p);
	for (int k = 0; k < SIDES; k++) {
		tl_destroy(p.stack[k]);
		tl_conf_free(p.conf[k]);
	}
	free(p.lane);
	return rc;
}
