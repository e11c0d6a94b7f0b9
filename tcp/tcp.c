/* SPDX-License-Identifier: BSD-3-Clause */
/* tcp.c - the context of a worker: made at start, torn down at the end, shown to operators. */
#include "tcp/tcp.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <rte_errno.h>
#include <rte_lcore.h>

#include "stack/base/rand.h"
#include "tcp/tcp_int.h"

/* One worker's, no device sees the objects: they may lie across pages, and none is wasted. */
enum {
	POOL_FLAGS = RTE_MEMPOOL_F_SP_PUT | RTE_MEMPOOL_F_SC_GET | RTE_MEMPOOL_F_NO_SPREAD |
		     RTE_MEMPOOL_F_NO_IOVA_CONTIG
};

void
tcp_conf_default(struct tcp_conf *c)
{
	*c = (struct tcp_conf){
		.max_pcbs = 4096,
		.sndbuf_bytes = 256 * 1024,
		.rcvbuf_bytes = 256 * 1024,
		.sndbuf_max_bytes = 16 << 20,
		.rcvbuf_max_bytes = 16 << 20,
		.pressure_pct = 75,
		.rto_min_us = 200000, /* DEVIATION: RFC 6298 (2.4) SHOULD be 1 s; as Linux */
		.msl_ms = 30000,
		.delack_us = 40000,
		.fin_wait_ms = 60000,
		.syn_retries = 6,
		.synack_retries = 5,
		.data_retries = 15,
		.keep_idle_s = 7200,
		.keep_interval_s = 75,
		.keep_count = 9,
		.rto_init_us = 1000000,
		.rto_max_us = 60000000,
		.iw_segments = 10,
		.max_ranges = 16384,
		.challenge_per_s = 1000,
		.fastopen = TCP_CONF_TFO_CLIENT,
		.fastopen_pause_s = 3600,
		.mtu_probing = TCP_CONF_MTU_OFF,
		.mtu_probe_s = 600,
		.base_mss = 1024,
		.cc = TCP_CONF_CUBIC,
		.ecn = TCP_CONF_ECN_ACCEPT,
		.port_first = 49152,
		.port_last = 65535,
	};
}

static void
secret_draw(struct lcore *lc, struct tcp_secret *s)
{
	s->k[0] = rand_u64(lc->rand);
	s->k[1] = rand_u64(lc->rand);
}

void
tcp_conf_secrets(struct lcore *lc, struct tcp_conf *c)
{
	secret_draw(lc, &c->isn_secret);
	secret_draw(lc, &c->ts_secret);
	secret_draw(lc, &c->cookie_secret);
	if (!c->has_fastopen_key)
		rand_bytes(lc->rand, c->fastopen_key, sizeof(c->fastopen_key));
	c->has_fastopen_key = true;
	c->fastopen_run = rand_u64(lc->rand);
	c->has_secrets = true;
}

int
tcp_create(struct lcore *lc, const struct tcp_conf *conf)
{
	struct tcp_ctx *tc = calloc(1, sizeof(*tc));
	char name[RTE_MEMPOOL_NAMESIZE];

	if (tc == NULL)
		return -ENOMEM;
	/* The address of a live worker is unique in the process. */
	snprintf(name, sizeof(name), "tcp_%p", (void *)lc);
	tc->pcbs = rte_mempool_create(name, conf->max_pcbs, sizeof(struct tcp_pcb), 0, 0, NULL,
		NULL, NULL, NULL, SOCKET_ID_ANY, POOL_FLAGS);
	if (tc->pcbs == NULL)
		goto no_pcbs;
	snprintf(name, sizeof(name), "tcps_%p", (void *)lc);
	tc->ranges = rte_mempool_create(name, conf->max_pcbs + conf->max_ranges,
		sizeof(struct tcp_range), 0, 0, NULL, NULL, NULL, NULL, SOCKET_ID_ANY,
		POOL_FLAGS | RTE_MEMPOOL_F_NO_CACHE_ALIGN);
	if (tc->ranges == NULL)
		goto no_ranges;
	tc->conf = *conf;
	if (tcp_tfo_create(tc) != 0 || tcp_mtu_create(tc) != 0)
		goto no_peers;
	if (!tc->conf.has_secrets)
		tcp_conf_secrets(lc, &tc->conf);
	if (tc->conf.cookie_ns == NULL)
		tc->conf.cookie_ns = &tc->own_cookie_ns;
	TAILQ_INIT(&tc->all);
	TAILQ_INIT(&tc->out);
	TAILQ_INIT(&tc->reap);
	TAILQ_INIT(&tc->lent);
	TAILQ_INIT(&tc->starved);
	TAILQ_INIT(&tc->holders);
	for (uint32_t i = 0; i < TCP_BOUND_BUCKETS; i++)
		LIST_INIT(&tc->bound[i]);
	/* A quarter of the packets may wait for holes; the rest keeps the worker receiving. */
	tc->ooo_max = lc->pkt_pool->size / 4;
	lc->tcp = tc;
	latch_set_owner(lc, IPPROTO_N_TCP, tcp_latch_alert);
	return 0;
no_peers:
	free(tc->tfo_peers);
	rte_errno = ENOMEM;
	rte_mempool_free(tc->ranges);
no_ranges:
	rte_mempool_free(tc->pcbs);
no_pcbs:
	free(tc);
	return -rte_errno;
}

void
tcp_destroy(struct lcore *lc)
{
	struct tcp_ctx *tc = lc->tcp;
	struct tcp_pcb *pcb;

	if (tc == NULL)
		return;
	TAILQ_FOREACH (pcb, &tc->all, all) {
		if (pcb->s != NULL)
			pcb->s->pcb = NULL;
		pcb->s = NULL;
		if (pcb->parent != NULL)
			tcp_syn_forget(pcb);
	}
	while ((pcb = TAILQ_FIRST(&tc->all)) != NULL) {
		if (pcb->state == TCPS_LISTEN)
			tcp_listen_end(lc, pcb);
		tcp_pcb_end(lc, pcb, 0);
		tcp_pcb_free(lc, pcb);
	}
	rte_mempool_free(tc->pcbs);
	rte_mempool_free(tc->ranges);
	free(tc->tfo_peers);
	free(tc->mtu);
	explicit_bzero(&tc->conf, sizeof(tc->conf)); /* its secrets */
	free(tc);
	lc->tcp = NULL;
}

uint32_t
tcp_pcbs_in_use(const struct lcore *lc)
{
	return lc->tcp->active;
}

void
tcp_foreach(struct lcore *lc, void (*fn)(const struct tcp_row *i, void *arg), void *arg)
{
	struct tcp_pcb *pcb;

	TAILQ_FOREACH (pcb, &lc->tcp->all, all) {
		struct tcp_row i = {
			.key = pcb->fe.key,
			.state = tcp_state_name(pcb->state),
			.latch = pcb->latch.place == 0 && pcb->latch.state == TL_LATCH_NONE
					 ? NULL
					 : &pcb->latch,
			.sndq_bytes = buf_len(&pcb->snd),
			.rcvq_bytes = buf_len(&pcb->rcv),
			.snd_wnd_bytes = pcb->snd_wnd,
			.cwnd_bytes = pcb->cc.cwnd_bytes,
			.srtt_us = pcb->srtt_us,
			.rto_us = pcb->rto_us,
			.mss_bytes = pcb->mss,
			.rexmt = pcb->rexmt_cnt,
		};

		fn(&i, arg);
	}
}
