/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * dummy.c - packets that mean nothing, so that nobody sees when there is something to say
 * (RFC 4303 s2.6, E-6). An SA that asks for them sends one now and then; the receiver drops it
 * behind the integrity check.
 */
#include "esp/sa.h"
#include "stack/base/rand.h"

enum { DUMMY_MIN_BYTES = 32, DUMMY_SPAN_BYTES = 512, NS_PER_MS = 1000000 };

static void
dummy_send(struct lcore *lc, const struct esp_sa *sa)
{
	uint32_t len = DUMMY_MIN_BYTES + rand_below(lc->rand, DUMMY_SPAN_BYTES);
	struct rte_mbuf *m = pkt_alloc(lc);
	struct pkt_meta *pm;

	if (m == NULL)
		return;
	pm = pkt_meta(m);
	for (uint8_t *p = (uint8_t *)rte_pktmbuf_append(m, (uint16_t)len); len > 0; p += 8) {
		uint32_t n = RTE_MIN(len, 8u);

		rand_bytes(lc->rand, p, n);
		len -= n;
	}
	pm->key = (struct flow_key){.local = sa->conf.local,
		.remote = sa->conf.remote,
		.realm = sa->conf.realm,
		.proto = IPPROTO_N_NONE};
	pm->nxt = IPPROTO_N_NONE;
	pm->ttl = 64;
	pm->l4_len = (uint16_t)m->pkt_len;
	esp_sa_tag(lc, m, sa);
	lc_count(lc, ST_ESP_DUMMY);
	pkt_out(lc, &lc->out_l4, m);
}

static void
dummy_timer(struct lcore *lc, struct tmr *t)
{
	struct esp_sa *sa = container_of(t, struct esp_sa, dummy_tmr);

	dummy_send(lc, sa);
	esp_dummy_start(lc, sa);
}

void
esp_dummy_start(struct lcore *lc, struct esp_sa *sa)
{
	uint32_t ms = sa->conf.dummy_ms;

	/* Half to one and a half times the interval, or the regular ones would be known. */
	if (!sa->conf.inbound && ms != 0)
		tmr_set(lc, &sa->dummy_tmr,
			lc->now_ns + (ms / 2 + 1ull + rand_below(lc->rand, ms)) * NS_PER_MS,
			dummy_timer);
}
