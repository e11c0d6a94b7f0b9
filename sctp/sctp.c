/* SPDX-License-Identifier: BSD-3-Clause */
/* sctp.c - the context of a worker: made at start, torn down at the end, shown to operators. */
#include "sctp/sctp.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <rte_errno.h>
#include <rte_lcore.h>

#include "sctp/sctp_int.h"
#include "stack/base/rand.h"

enum { RXS_MIN = 255, MAPS_SHARE = 4, WAYS_SHARE = 2, PATHS_SHARE = 2 };

void
sctp_conf_default(struct sctp_conf *c)
{
	/* RFC 9260 s16 */
	*c = (struct sctp_conf){
		.max_assocs = 256,
		.max_chunks = 16384,
		.sndbuf_bytes = 256 * 1024,
		.rcvbuf_bytes = 256 * 1024,
		.rto_init_ms = 1000,
		.rto_min_ms = 1000,
		.rto_max_ms = 60000,
		.max_burst = 4,
		.assoc_max_retrans = 10,
		.path_max_retrans = 5,
		.max_init_retrans = 8,
		.hb_interval_ms = 30000,
		.cookie_life_ms = 60000,
		.sack_delay_ms = 200,
		.sack_freq = 2,
		.out_streams = 64,
		.in_streams = 64,
		.port_first = 49152,
		.port_last = 65535,
	};
}

void
sctp_conf_secrets(struct lcore *lc, struct sctp_conf *c)
{
	rand_bytes(lc->rand, c->secret, sizeof(c->secret));
	c->has_secret = true;
}

static uint32_t
paths_of(const struct sctp_conf *c)
{
	return c->max_paths != 0 ? c->max_paths : PATHS_SHARE * c->max_assocs;
}

static size_t
assoc_bytes(const struct sctp_conf *c)
{
	return sizeof(struct sctp_assoc) +
	       sizeof(uint16_t) * ((size_t)c->out_streams + c->in_streams);
}

uint64_t
sctp_conf_memory(const struct sctp_conf *c)
{
	const uint64_t head = 64; /* of each object of a pool, about */
	uint64_t paths = paths_of(c);

	return c->max_assocs * (assoc_bytes(c) + sizeof(struct sctp_ep) + 2 * head) +
	       paths * (sizeof(struct sctp_path) + head) +
	       paths * WAYS_SHARE * (sizeof(struct sctp_way) + head) +
	       c->max_chunks * (sizeof(struct sctp_tx) + sizeof(struct sctp_rx) + 2 * head) +
	       (c->max_assocs / MAPS_SHARE + 1) * (sizeof(struct sctp_map) + head);
}

static struct rte_mempool *
pool(const struct lcore *lc, const char *what, uint32_t n, size_t bytes)
{
	char name[RTE_MEMPOOL_NAMESIZE];

	/* The address of a live worker is unique in the process. */
	snprintf(name, sizeof(name), "sc%s_%p", what, (const void *)lc);
	return rte_mempool_create(name, n, (unsigned int)bytes, 0, 0, NULL, NULL, NULL, NULL,
		SOCKET_ID_ANY,
		RTE_MEMPOOL_F_SP_PUT | RTE_MEMPOOL_F_SC_GET | RTE_MEMPOOL_F_NO_SPREAD);
}

static void
pools_free(struct sctp_ctx *sc)
{
	rte_mempool_free(sc->assocs);
	rte_mempool_free(sc->eps);
	rte_mempool_free(sc->paths);
	rte_mempool_free(sc->ways);
	rte_mempool_free(sc->txs);
	rte_mempool_free(sc->rxs);
	rte_mempool_free(sc->maps);
}

static bool
pools_create(struct lcore *lc, struct sctp_ctx *sc)
{
	const struct sctp_conf *c = &sc->conf;
	uint32_t paths = paths_of(c);

	sc->assocs = pool(lc, "a", c->max_assocs, assoc_bytes(c));
	sc->eps = pool(lc, "e", c->max_assocs, sizeof(struct sctp_ep));
	sc->paths = pool(lc, "p", paths, sizeof(struct sctp_path));
	sc->ways = pool(lc, "w", paths * WAYS_SHARE, sizeof(struct sctp_way));
	sc->txs = pool(lc, "t", c->max_chunks, sizeof(struct sctp_tx));
	sc->rxs = pool(lc, "r", sc->held_max, sizeof(struct sctp_rx));
	sc->maps = pool(lc, "m", c->max_assocs / MAPS_SHARE + 1, sizeof(struct sctp_map));
	return sc->assocs != NULL && sc->eps != NULL && sc->paths != NULL && sc->ways != NULL &&
	       sc->txs != NULL && sc->rxs != NULL && sc->maps != NULL;
}

int
sctp_create(struct lcore *lc, const struct sctp_conf *conf)
{
	struct sctp_ctx *sc = calloc(1, sizeof(*sc));
	int rc = -ENOMEM;

	if (sc == NULL)
		return rc;
	sc->conf = *conf;
	if (!sc->conf.has_secret)
		sctp_conf_secrets(lc, &sc->conf);
	/* A quarter of the packets may wait for holes; the rest keeps the worker receiving. */
	sc->held_max = RTE_MAX(lc->pkt_pool->size / 4, (uint32_t)RXS_MIN);
	if (!pools_create(lc, sc))
		goto fail;
	rc = sctp_cookie_create(sc);
	if (rc != 0)
		goto fail;
	TAILQ_INIT(&sc->all);
	TAILQ_INIT(&sc->out);
	TAILQ_INIT(&sc->reap);
	for (uint32_t i = 0; i < SCTP_BOUND_BUCKETS; i++)
		LIST_INIT(&sc->bound[i]);
	lc->sctp = sc;
	latch_set_owner(lc, IPPROTO_N_SCTP, sctp_latch_alert);
	return 0;
fail:
	pools_free(sc);
	free(sc);
	return rc;
}

void
sctp_destroy(struct lcore *lc)
{
	struct sctp_ctx *sc = lc->sctp;
	struct sctp_assoc *a;

	if (sc == NULL)
		return;
	/* The sockets were closed before; what they left behind ends now. */
	while ((a = TAILQ_FIRST(&sc->all)) != NULL) {
		sctp_assoc_end(lc, a, 0);
		sctp_assoc_free(lc, a);
	}
	sctp_cookie_destroy(sc);
	pools_free(sc);
	explicit_bzero(&sc->conf, sizeof(sc->conf)); /* its secret */
	free(sc);
	lc->sctp = NULL;
}

uint32_t
sctp_in_use(const struct lcore *lc)
{
	return lc->sctp->nb_assocs + lc->sctp->nb_eps;
}

uint32_t
sctp_rand_tag(struct lcore *lc)
{
	uint32_t v = rand_u32(lc->rand);

	return v != 0 ? v : 1;
}

static void
show_path(const struct sctp_path *p, void (*fn)(const struct sctp_row *i, void *arg), void *arg)
{
	const struct sctp_assoc *a = p->a;
	bool first = p == a->primary;
	struct sctp_row i = {
		.key = p->way.fe.key,
		.state = sctp_state_name(a->state),
		.path = sctp_path_state_name(p->state),
		.is_primary = first,
		.latch = &p->way.latch,
		.sndq_bytes = first ? a->waiting_bytes + a->outstanding : 0,
		.rcvq_bytes = first ? a->rcv_bytes + a->held_bytes : 0,
		.cwnd_bytes = p->cwnd,
		.flight_bytes = p->flight,
		.srtt_us = p->srtt_us,
		.rto_ms = p->rto_ms,
		.mtu_bytes = p->pmtu_bytes,
		.errors = p->errors,
	};

	fn(&i, arg);
}

static void
show_listeners(struct lcore *lc, void (*fn)(const struct sctp_row *i, void *arg), void *arg)
{
	const struct sctp_ep *ep;

	for (uint32_t b = 0; b < SCTP_BOUND_BUCKETS; b++) {
		LIST_FOREACH (ep, &lc->sctp->bound[b], bound) {
			struct sctp_row i = {.key = ep->way.fe.key, .state = "LISTEN", .path = ""};

			if (ep->is_listening)
				fn(&i, arg);
		}
	}
}

void
sctp_foreach(struct lcore *lc, void (*fn)(const struct sctp_row *i, void *arg), void *arg)
{
	const struct sctp_assoc *a;
	const struct sctp_path *p;

	show_listeners(lc, fn, arg);
	TAILQ_FOREACH (a, &lc->sctp->all, all) {
		TAILQ_FOREACH (p, &a->paths, entry)
			show_path(p, fn, arg);
	}
}
