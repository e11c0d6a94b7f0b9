/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * init.c - construction and destruction of a stack and its workers.
 */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>
#include <openssl/crypto.h>
#include <rte_cycles.h>
#include <rte_errno.h>
#include <rte_lcore.h>
#include <rte_launch.h>
#include <rte_pause.h>

#include "stack/base/buf.h"
#include "stack/base/flow.h"
#include "stack/base/flow_dir.h"
#include "stack/base/log.h"
#include "stack/base/rand.h"
#include "stack/base/tmr.h"
#include "stack/ctl/telemetry.h"
#include "stack/net/arp.h"
#include "stack/net/frag.h"
#include "stack/net/icmp.h"
#include "stack/net/ip4.h"
#include "stack/net/nd.h"
#include "stack/net/route.h"
#include "stack/run/capture.h"
#include "stack/run/except.h"
#include "stack/run/run.h"
#include "sctp/sctp.h"
#include "stack/udp/udp.h"

LOG_MODULE(run, NOTICE);

/* Some drivers want 2 KB whatever the MTU is. */
enum { MBUF_ROOM_EXTRA = 256, MBUF_ROOM_MIN = 2048, FLOW_BUCKETS_MIN = 1024, SCTP_FLOWS = 4 };

/* Set once, before main(). */
static const struct run_service *service;

void
run_service_register(const struct run_service *sv)
{
	service = sv;
}

const char *
tl_version(void)
{
	return "0.1.0";
}

/* RFC 9260 s10: only that nobody speaks the protocol ends anything. */
static enum sctp_icmp
sctp_kind(const struct icmp_error *i)
{
	/* RFC 4443 s3.4, code 1: an unknown next header. */
	bool no_protocol = ip_addr_is_v4(&i->key.remote)
				   ? i->type == 3 && i->code == ICMP_DU_PROTOCOL
				   : i->type == 4 && i->code == 1;

	if (i->kind == ICMP_KIND_TOOBIG)
		return SCTP_ICMP_TOOBIG;
	return no_protocol ? SCTP_ICMP_NO_PROTOCOL : SCTP_ICMP_SOFT;
}

static bool
icmp_error(struct lcore *lc, const struct icmp_error *i)
{
	static const enum tcp_icmp kind[] = {
		[ICMP_KIND_SOFT] = TCP_ICMP_SOFT,
		[ICMP_KIND_HARD] = TCP_ICMP_HARD,
		[ICMP_KIND_TOOBIG] = TCP_ICMP_TOOBIG,
	};
	static const enum udp_icmp udp_kind[] = {
		[ICMP_KIND_SOFT] = UDP_ICMP_SOFT,
		[ICMP_KIND_HARD] = UDP_ICMP_HARD,
		[ICMP_KIND_TOOBIG] = UDP_ICMP_TOOBIG,
	};

	if (i->key.proto == IPPROTO_N_TCP)
		return tcp_icmp(lc, &i->key, i->l4_word, kind[i->kind], i->mtu_bytes);
	if (i->key.proto == IPPROTO_N_UDP)
		return udp_icmp(lc, &i->key, udp_kind[i->kind]);
	if (i->key.proto == IPPROTO_N_SCTP)
		return sctp_icmp(lc, &i->key, i->l4_word, sctp_kind(i), i->mtu_bytes);
	if (i->key.proto != IPPROTO_N_ESP)
		return false;
	if (i->kind == ICMP_KIND_TOOBIG)
		esp_too_big(lc, &i->key, i->l4_word, i->mtu_bytes); /* judges for itself */
	return true;
}

static const struct icmp_hooks icmp_hooks = {
	.error = icmp_error,
	.may_speak = latch_may_speak,
	.stamp_answer = latch_stamp_answer,
};

void
run_object_name(
	char out[RTE_RING_NAMESIZE], const struct tl_stack *s, uint32_t worker, const char *what)
{
	snprintf(out, RTE_RING_NAMESIZE, "tl%x.%u%s",
		(unsigned int)(((uintptr_t)s >> 4) & 0xffffffu), worker, what);
}

static int
pools_create(struct lcore *lc, const struct stack_conf *sc)
{
	char name[RTE_RING_NAMESIZE];
	uint32_t room = MBUF_ROOM_MIN;
	int rc;

	for (uint32_t i = 0; i < sc->nb_ports; i++)
		room = RTE_MAX(room, (uint32_t)sc->port[i].mtu_bytes + MBUF_ROOM_EXTRA);
	run_object_name(name, lc->run->stack, lc->id, "pkt");
	lc->pkt_pool = rte_pktmbuf_pool_create(name, sc->mbufs, sc->mbufs >= 4096 ? 256 : 0,
		sizeof(struct pkt_meta), (uint16_t)(RTE_PKTMBUF_HEADROOM + room), SOCKET_ID_ANY);
	if (lc->pkt_pool == NULL)
		return -rte_errno;
	run_object_name(name, lc->run->stack, lc->id, "buf");
	rc = buf_pool_create(sc->chunks, SOCKET_ID_ANY, name, &lc->buf);
	if (rc != 0)
		return rc;
	/* A worker may hold packets of every pool: a quarter of a pool is the most all of them
	 * hold. */
	buf_pool_keep(lc->buf, sc->mbufs / (4 * lc->nb_workers), room / 2);
	return 0;
}

static int
rings_create(struct tl_stack *s, struct lcore *lc)
{
	char name[RTE_RING_NAMESIZE];

	lc->msg = calloc(1, sizeof(*lc->msg));
	if (lc->msg == NULL)
		return -ENOMEM;
	run_object_name(name, s, lc->id, "ctl");
	s->ctl[lc->id] = rte_ring_create(name, MSG_RING_SIZE, SOCKET_ID_ANY, RING_F_SC_DEQ);
	if (s->ctl[lc->id] == NULL)
		return -rte_errno;
	lc->msg->ctl = s->ctl[lc->id];
	if (s->conf.workers == 1)
		return 0;
	run_object_name(name, s, lc->id, "hand");
	lc->msg->handoff = rte_ring_create(name, HANDOFF_RING_SIZE, SOCKET_ID_ANY, RING_F_SC_DEQ);
	return lc->msg->handoff == NULL ? -rte_errno : 0;
}

static uint32_t
flow_buckets(const struct stack_conf *sc)
{
	return rte_align32pow2(RTE_MAX(sc->tcp.max_pcbs, (uint32_t)FLOW_BUCKETS_MIN));
}

static uint32_t
udp_sockets(const struct stack_conf *sc)
{
	return sc->udp.max_pcbs != 0 ? sc->udp.max_pcbs : udp_sockets_default(sc->sockets);
}

static int
base_create(struct tl_stack *s, struct lcore *lc)
{
	int rc = pkt_tag_register(lc);

	if (rc == 0)
		rc = pools_create(lc, &s->conf);
	if (rc == 0)
		rc = rings_create(s, lc);
	if (rc == 0)
		rc = tmr_create(lc->now_ns, &lc->tmr);
	if (rc == 0)
		rc = rand_create(s->conf.has_seed ? s->conf.seed : NULL, &lc->rand);
	if (rc == 0)
		rc = flow_create(flow_buckets(&s->conf), rand_u32(lc->rand), &lc->flow);
	return rc;
}

static int
net_create(struct lcore *lc)
{
	char name[RTE_RING_NAMESIZE];
	struct frag_conf frag;
	struct arp_conf arp;
	struct nd_conf nd;
	int rc;

	arp_conf_default(&arp);
	nd_conf_default(&nd);
	frag_conf_default(&frag);
	run_object_name(name, lc->run->stack, lc->id, "rt");
	rc = route_create(lc, name, SOCKET_ID_ANY);
	if (rc == 0)
		rc = arp_create(lc, &arp);
	if (rc == 0)
		rc = nd_create(lc, &nd);
	if (rc == 0)
		rc = frag_create(lc, &frag);
	if (rc == 0)
		rc = ip4_create(lc);
	if (rc == 0)
		rc = icmp_create(lc, &icmp_hooks);
	return rc;
}

static int
worker_create(struct tl_stack *s, struct lcore *lc)
{
	struct esp_conf esp = {.max_sas = s->conf.max_sas, .events = control_esp_events};
	struct udp_conf udp = s->conf.udp;
	int rc;

	udp.max_pcbs = udp_sockets(&s->conf);
	s->conf.sctp.port_first = s->conf.tcp.port_first;
	s->conf.sctp.port_last = s->conf.tcp.port_last;
	udp.port_first = s->conf.tcp.port_first;
	udp.port_last = s->conf.tcp.port_last;
	rc = base_create(s, lc);
	if (rc == 0)
		rc = net_create(lc);
	if (rc == 0)
		rc = esp_create(lc, &esp);
	if (rc == 0)
		rc = latch_create(lc, &s->conf.latch, s->conf.tables);
	if (rc == 0 && lc->id == 0) {
		tcp_conf_secrets(lc, &s->conf.tcp);
		s->conf.tcp.cookie_ns = &s->cookie_ns;
	}
	if (rc == 0)
		rc = tcp_create(lc, &s->conf.tcp);
	if (rc == 0)
		rc = udp_create(lc, &udp);
	if (rc == 0 && lc->id == 0)
		sctp_conf_secrets(lc, &s->conf.sctp);
	if (rc == 0)
		rc = sctp_create(lc, &s->conf.sctp);
	if (rc == 0)
		rc = sock_create(lc, s->conf.sockets);
	return rc;
}

static struct lcore *
worker_alloc(struct tl_stack *s, uint16_t id)
{
	struct lcore *lc = aligned_alloc(
		RTE_CACHE_LINE_SIZE, RTE_ALIGN_CEIL(sizeof(*lc), RTE_CACHE_LINE_SIZE));
	struct run_ctx *r = calloc(1, sizeof(*r));

	if (lc == NULL || r == NULL) {
		free(lc);
		free(r);
		return NULL;
	}
	memset(lc, 0, sizeof(*lc));
	lc->id = id;
	lc->now_ns = 1; /* 0 means "never" where moments are kept */
	lc->nb_workers = (uint16_t)s->conf.workers;
	lc->run = r;
	r->stack = s;
	r->ns_per_tsc = (uint64_t)(((unsigned __int128)1000000000u << 32) / rte_get_tsc_hz());
	r->tsc_base = rte_rdtsc();
	r->port_first = s->conf.tcp.port_first;
	r->port_last = s->conf.tcp.port_last;
	return lc;
}

static void
worker_free(struct tl_stack *s, struct lcore *lc)
{
	struct pkt_vec v;

	except_destroy(lc);
	sock_destroy(lc);
	if (lc->sctp != NULL)
		sctp_destroy(lc);
	if (lc->udp != NULL)
		udp_destroy(lc);
	if (lc->tcp != NULL)
		tcp_destroy(lc);
	if (lc->latch != NULL)
		latch_destroy(lc);
	esp_destroy(lc);
	icmp_destroy(lc);
	ip4_destroy(lc);
	frag_destroy(lc);
	nd_destroy(lc);
	arp_destroy(lc);
	route_free(lc);
	pkt_queue_drop(lc, &lc->out_l2, DROP_PORT_CLOSED);
	pkt_queue_drop(lc, &lc->out_l4, DROP_PORT_CLOSED);
	if (lc->msg != NULL) {
		do {
			msg_handoff_get(lc, &v);
			pkt_vec_drop(lc, &v, DROP_PORT_CLOSED);
		} while (v.n > 0);
		rte_ring_free(lc->msg->handoff);
	}
	rte_ring_free(s->ctl[lc->id]);
	free(lc->msg);
	flow_free(lc->flow);
	rand_free(lc->rand);
	tmr_free(lc->tmr);
}

/* Pools go last of all: a packet of one worker may have ended in another's queue. */
static void
worker_free_pools(struct lcore *lc)
{
	uint32_t left = lc->pkt_pool == NULL ? 0 : rte_mempool_in_use_count(lc->pkt_pool);

	if (left != 0)
		LOG(WARNING, "worker %u: %u packet buffers were not given back", lc->id, left);
	buf_pool_free(lc->buf);
	rte_mempool_free(lc->pkt_pool);
	free(lc->run);
	free(lc);
}

/* The network of an address, with its length as the routes count it. */
static struct ip_addr
net_of(const struct port_addr *a)
{
	return ip_addr_mask(&a->addr, a->plen + (ip_addr_is_v4(&a->addr) ? 96u : 0u));
}

/* Two addresses of one port may share their network. */
static bool
is_second_address(const struct conf_port *p, uint32_t which)
{
	struct ip_addr net = net_of(&p->addr[which]);

	for (uint32_t i = 0; i < which; i++) {
		struct ip_addr other = net_of(&p->addr[i]);

		if (p->addr[i].plen == p->addr[which].plen && ip_addr_eq(&net, &other))
			return true;
	}
	return false;
}

/* The networks of a port's addresses. A link-local one is known without a route. */
static int
nets_add(struct lcore *lc, const struct conf_port *cp, uint8_t port, struct tl_error *e)
{
	for (uint32_t a = 0; a < cp->nb_addrs; a++) {
		struct ip_addr net = net_of(&cp->addr[a]);
		int rc;

		if (ip_addr_is_link_local(&net))
			continue;
		rc = route_add(lc, &net, cp->addr[a].plen, NULL, port);
		if (rc == -EEXIST && is_second_address(cp, a))
			continue;
		if (rc != 0)
			return conf_fail(e, NULL, "[port %s] address: %s", cp->name,
				rc == -EEXIST ? "another port has this network" : strerror(-rc));
	}
	return 0;
}

static int
routes_add(struct lcore *lc, const struct stack_conf *sc, struct tl_error *e)
{
	int rc;

	for (uint32_t i = 0; i < sc->nb_ports; i++) {
		rc = nets_add(lc, &sc->port[i], (uint8_t)i, e);
		if (rc != 0)
			return rc;
	}
	for (uint32_t i = 0; i < sc->nb_routes; i++) {
		const struct conf_route *r = &sc->route[i];
		char net[IP_ADDR_STRLEN], via[IP_ADDR_STRLEN];

		rc = -EINVAL;
		for (uint8_t p = 0; p < sc->nb_ports && rc == -EINVAL; p++)
			rc = route_add(lc, &r->net, r->plen, &r->via, p);
		if (rc != 0)
			return conf_fail(e, NULL,
				"[route %s/%u] via: %s is not on the network of a port, or the "
				"prefix has bits beyond its length (%s)",
				ip_addr_str(&r->net, net), r->plen, ip_addr_str(&r->via, via),
				strerror(-rc));
	}
	return 0;
}

static int
policy_add(struct tl_stack *s, struct tl_error *e)
{
	for (uint32_t w = 0; w < s->conf.workers; w++) {
		int rc = routes_add(s->lc[w], &s->conf, e);

		if (rc != 0)
			return rc;
		arp_announce(s->lc[w]);
		nd_start(s->lc[w]);
	}
	if (s->conf.nb_rules > 0) {
		int rc = control_policy_set(s, s->conf.rule, s->conf.nb_rules, e);

		if (rc != 0)
			return rc;
	}
	if (s->conf.nb_peers > 0) {
		int rc = control_peer_set(s, s->conf.peer, s->conf.nb_peers, e);

		if (rc != 0)
			return rc;
	}
	for (uint32_t i = 0; i < s->conf.nb_sas; i++) {
		int rc = control_sa_add(s, s->conf.sa[i].name, &s->conf.sa[i].sa, e);

		if (rc < 0)
			return rc;
	}
	return 0;
}

/* Every worker's connections, those that wait in TIME-WAIT too, and its datagram sockets. */
static int
flow_dir_open(struct tl_stack *s)
{
	uint32_t flows = s->conf.workers * (s->conf.tcp.max_pcbs + udp_sockets(&s->conf) +
						   SCTP_FLOWS * s->conf.sctp.max_assocs);
	char name[RTE_RING_NAMESIZE];
	int rc;

	if (s->conf.workers == 1)
		return 0;
	run_object_name(name, s, 0, "flow");
	rc = flow_dir_create(name, flows, rand_u32(s->lc[0]->rand), &s->flow_dir);
	for (uint16_t w = 0; w < s->conf.workers && rc == 0; w++)
		s->lc[w]->flow->dir = s->flow_dir;
	return rc;
}

static int
build(struct tl_stack *s, struct tl_error *e)
{
	for (uint16_t w = 0; w < s->conf.workers; w++) {
		s->lc[w] = worker_alloc(s, w);
		if (s->lc[w] == NULL || worker_create(s, s->lc[w]) != 0)
			return conf_fail(e, NULL,
				"worker %u: not enough memory for its pools; lower [stack] mbufs "
				"or "
				"buffer-chunks, or raise [eal] memory-mb",
				w);
	}
	for (uint16_t w = 0; w < s->conf.workers; w++) {
		for (uint16_t o = 0; o < s->conf.workers; o++)
			s->lc[w]->msg->peer[o] = o == w ? NULL : s->lc[o]->msg->handoff;
	}
	if (flow_dir_open(s) != 0)
		return conf_fail(e, NULL,
			"not enough memory for the flows of %u workers; lower [tcp] "
			"max-connections or [stack] sockets, or raise [eal] memory-mb",
			s->conf.workers);
	for (uint32_t i = 0; i < s->conf.nb_ports; i++) {
		int rc = port_open(s, i, e);

		if (rc != 0)
			return rc;
	}
	if (except_create(s, e) != 0)
		return -EINVAL;
	return policy_add(s, e);
}

int
tl_create(const struct tl_conf *c, struct tl_stack **out, struct tl_error *e)
{
	struct tl_stack *s = calloc(1, sizeof(*s));
	int rc;

	e->text[0] = '\0';
	if (s == NULL)
		return -ENOMEM;
	s->text = c;
	pthread_mutex_init(&s->control.lock, NULL);
	rc = conf_build(c, &s->conf, e);
	if (rc == 0)
		rc = control_create(s, e);
	if (rc == 0)
		rc = build(s, e);
	if (rc == 0 && service != NULL)
		rc = service->start(s, &s->service, e);
	conf_done(&s->conf);
	if (rc != 0) {
		tl_destroy(s);
		return rc;
	}
	/* Beyond the first ones a stack has no number there, and nothing else is missing. */
	telemetry_add(s);
	*out = s;
	return 0;
}

void
tl_destroy(struct tl_stack *s)
{
	if (s == NULL)
		return;
	if (s->service != NULL)
		service->stop(s->service);
	telemetry_remove(s);
	tl_stop(s);
	tl_wait_stopped(s);
	capture_end(s);
	for (uint32_t i = 0; i < s->conf.nb_ports; i++)
		port_close(s, i);
	for (uint32_t w = 0; w < LC_MAX_WORKERS; w++) {
		if (s->lc[w] != NULL)
			worker_free(s, s->lc[w]);
	}
	for (uint32_t w = 0; w < LC_MAX_WORKERS; w++) {
		if (s->lc[w] != NULL)
			worker_free_pools(s->lc[w]);
	}
	flow_dir_free(s->flow_dir);
	control_destroy(s);
	free(s->conf.ident);
	latch_tables_free(s->conf.tables);
	OPENSSL_cleanse(&s->conf.tcp, sizeof(s->conf.tcp)); /* secrets of all workers */
	free(s);
}

unsigned int
tl_nb_workers(const struct tl_stack *s)
{
	return s->conf.workers;
}

struct tl_worker *
tl_worker(struct tl_stack *s, unsigned int i)
{
	return i < s->conf.workers ? worker_of(s->lc[i]) : NULL;
}

unsigned int
tl_worker_id(const struct tl_worker *w)
{
	return ((const struct lcore *)(const void *)w)->id;
}

uint64_t
tl_now_ns(const struct tl_worker *w)
{
	return ((const struct lcore *)(const void *)w)->now_ns;
}

void
tl_set_turn_fn(struct tl_worker *w, tl_turn_fn *fn, void *arg)
{
	lc_of(w)->run->fn = fn;
	lc_of(w)->run->arg = arg;
}

/* Workers from `first` on get lcores of their own. */
static int
launch(struct tl_stack *s, uint32_t first, tl_turn_fn *fn, void *arg)
{
	unsigned int lcore = rte_get_next_lcore(-1U, 1, 0);

	if (s->started)
		return -EBUSY;
	if (rte_lcore_count() - 1 < s->conf.workers - first)
		return -EINVAL;
	s->started = true;
	/* While nothing runs, whoever holds the lock may be inside a worker's state. */
	control_lock(s);
	atomic_store(&s->running, s->conf.workers);
	control_unlock(s);
	for (uint32_t w = 0; w < s->conf.workers; w++) {
		tl_set_turn_fn(worker_of(s->lc[w]), fn, arg);
		if (w < first)
			continue;
		rte_eal_remote_launch(loop_run, s->lc[w], lcore);
		lcore = rte_get_next_lcore(lcore, 1, 0);
	}
	control_keeper_start(s);
	return 0;
}

int
tl_run(struct tl_stack *s, tl_turn_fn *fn, void *arg)
{
	int rc = launch(s, 1, fn, arg);

	if (rc != 0)
		return rc;
	loop_run(s->lc[0]);
	tl_wait_stopped(s);
	return 0;
}

int
tl_start(struct tl_stack *s, tl_turn_fn *fn, void *arg)
{
	return launch(s, 0, fn, arg);
}

void
tl_stop(struct tl_stack *s)
{
	atomic_store_explicit(&s->stop, true, memory_order_relaxed);
}

void
tl_wait_stopped(struct tl_stack *s)
{
	if (s->started) {
		rte_eal_mp_wait_lcore();
		/* Reads what the workers' last decrement released: all that they wrote is visible
		 * now. */
		while (atomic_load_explicit(&s->running, memory_order_acquire) != 0)
			rte_pause();
		control_keeper_stop(s);
		s->started = false;
	}
	atomic_store(&s->stop, false);
}

bool
tl_is_running(const struct tl_stack *s)
{
	return atomic_load(&s->running) != 0;
}
