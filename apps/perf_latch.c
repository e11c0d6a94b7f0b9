/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * perf_latch.c - what the compare of a latch costs: latch_in() over a million tagged packets of
 * 1,024 connections, with the compare and without it, burst by burst in turn. Medians.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <x86intrin.h>

#include "apps/perf.h"
#include "esp/esp.h"
#include "latch/latch.h"
#include "stack/base/flow.h"
#include "stack/base/rand.h"
#include "stack/base/tmr.h"

enum { CONNS = 1024, BURSTS = 1000000 / PKT_BURST, ROOM = 128 };

/* As declared by latch.h; see perf_latch_off.c. */
void perf_latch_in_off(struct lcore *lc, struct pkt_sort *s);

struct conn {
	struct flow_ent fe;
	struct latch latch;
};

struct rig {
	struct lcore lc;
	struct latch_tables *tables;
	struct spd *spd;
	uint32_t profile;
	struct conn *c;
	struct rte_mbuf *m[PKT_BURST];
};

static struct flow_key
key_of(uint32_t i)
{
	return (struct flow_key){.local = ip_addr_v4(RTE_BE32(0x0a000001)),
		.remote = ip_addr_v4(RTE_BE32(0x0a000002)),
		.lport = RTE_BE16(3260),
		.rport = rte_cpu_to_be_16((uint16_t)(20000 + i)),
		.proto = IPPROTO_N_TCP};
}

static uint32_t
make_profile(struct latch_tables *t)
{
	struct tl_ident me = {.type = TL_ID_FQDN, .len = 2, .data = "me"};
	struct tl_ident peer = {.type = TL_ID_FQDN, .len = 4, .data = "peer"};
	struct latch_profile p = {.proto = IPPROTO_N_ESP,
		.mode = TL_LATCH_MODE_TRANSPORT,
		.type = TL_LATCH_TYPE_CONF | TL_LATCH_TYPE_INTEG,
		.replay = TL_LATCH_REPLAY_ON,
		.encr = ESP_ENCR_AES_GCM_16,
		.encr_bits = 128,
		.icv_bits = 128,
		.local_id = latch_ident_intern(t, &me),
		.peer_id = latch_ident_intern(t, &peer)};

	return latch_profile_intern(t, &p);
}

static int
add_sa(struct rig *r, uint32_t slot, bool inbound)
{
	struct esp_sa_conf c = {.spi = 0x1000 + slot,
		.inbound = inbound,
		.mode = ESP_MODE_TRANSPORT,
		.encr = ESP_ENCR_AES_GCM_16,
		.encr_bits = 128,
		.key_len = 20,
		.key = {(uint8_t)(slot + 1)},
		.iv_start = 1,
		.local = key_of(0).local,
		.remote = key_of(0).remote,
		.local_id = 1,
		.peer_id = 2,
		.profile = r->profile};

	esp_sel_any(&c.sel, 0);
	return esp_sad_add(&r->lc, &c, slot, 1);
}

static int
add_policy(struct rig *r)
{
	struct spd_rule rule = {.action = SPD_PROTECT, .dir = SPD_BOTH};
	const char *why;

	esp_sel_any(&rule.sel, 0);
	return spd_build(&rule, 1, &r->spd, &why) != 0 ? -ENOMEM : spd_install(&r->lc, r->spd);
}

static int
add_conns(struct rig *r)
{
	r->c = calloc(CONNS, sizeof(*r->c));
	for (uint32_t i = 0; r->c != NULL && i < CONNS; i++) {
		struct conn *c = &r->c[i];

		c->fe = (struct flow_ent){.key = key_of(i), .latch = &c->latch};
		if (latch_open(&r->lc, &c->latch, &c->fe.key) != 0 ||
			flow_insert(&r->lc, &c->fe) != 0)
			return -EINVAL;
	}
	return r->c == NULL ? -ENOMEM : 0;
}

static int
add_packets(struct rig *r)
{
	for (uint32_t i = 0; i < PKT_BURST; i++) {
		r->m[i] = pkt_alloc(&r->lc);
		if (r->m[i] == NULL)
			return -ENOMEM;
		pkt_tag_set(&r->lc, r->m[i], (struct tl_tag){.sad_gen = 1, .profile = r->profile});
	}
	return 0;
}

static int
rig_open(struct rig *r)
{
	static const struct latch_conf conf;
	int rc;

	memset(r, 0, sizeof(*r));
	r->lc.now_ns = 1000000000;
	r->lc.nb_workers = 1;
	r->lc.pkt_pool = rte_pktmbuf_pool_create("perf_latch", 255, 0, sizeof(struct pkt_meta),
		RTE_PKTMBUF_HEADROOM + ROOM, SOCKET_ID_ANY);
	if (r->lc.pkt_pool == NULL || latch_tables_create(&r->tables) != 0)
		return -ENOMEM;
	r->profile = make_profile(r->tables);
	rc = pkt_tag_register(&r->lc);
	if (rc == 0)
		rc = tmr_create(r->lc.now_ns, &r->lc.tmr);
	if (rc == 0)
		rc = rand_create(NULL, &r->lc.rand);
	if (rc == 0)
		rc = flow_create(4096, 1, &r->lc.flow);
	if (rc == 0)
		rc = esp_create(&r->lc, NULL);
	if (rc == 0)
		rc = latch_create(&r->lc, &conf, r->tables);
	if (rc == 0)
		rc = add_sa(r, 0, true);
	if (rc == 0)
		rc = add_sa(r, 1, false);
	if (rc == 0)
		rc = add_policy(r);
	if (rc == 0)
		rc = add_conns(r);
	return rc != 0 ? rc : add_packets(r);
}

static void
rig_close(struct rig *r)
{
	for (uint32_t i = 0; r->c != NULL && i < CONNS; i++) {
		flow_remove(&r->lc, &r->c[i].fe);
		latch_release(&r->lc, &r->c[i].latch);
	}
	free(r->c);
	latch_destroy(&r->lc);
	esp_destroy(&r->lc);
	spd_free(r->spd);
	flow_free(r->lc.flow);
	rand_free(r->lc.rand);
	tmr_free(r->lc.tmr);
	latch_tables_free(r->tables);
	rte_mempool_free(r->lc.pkt_pool);
}

/* Nothing of the burst runs before or behind it. */
static uint64_t
now(void)
{
	uint64_t t;

	_mm_lfence();
	t = __rdtsc();
	_mm_lfence();
	return t;
}

/* One burst of random connections; cycles for each packet, or 0 if one was not accepted. */
static double
burst(struct rig *r, void (*in)(struct lcore *lc, struct pkt_sort *s))
{
	struct pkt_sort s;
	uint64_t t;

	pkt_sort_reset(&s);
	for (uint32_t i = 0; i < PKT_BURST; i++) {
		pkt_meta(r->m[i])->key = r->c[rand_below(r->lc.rand, CONNS)].fe.key;
		pkt_vec_add(&s.v[NX_TCP], r->m[i]);
	}
	t = now();
	in(&r->lc, &s);
	t = now() - t;
	return s.v[NX_TCP].n == PKT_BURST ? (double)t / PKT_BURST : 0;
}

static int
by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static void
print(const struct perf_opts *o, double on[], double off[])
{
	double with, without, q1, q3;

	qsort(on, BURSTS, sizeof(on[0]), by_value);
	qsort(off, BURSTS, sizeof(off[0]), by_value);
	with = on[BURSTS / 2];
	without = off[BURSTS / 2];
	q1 = on[BURSTS / 4];
	q3 = on[BURSTS * 3 / 4];
	printf(o->json ? "{\"stage\": \"latch_in\", \"connections\": %d, \"packets\": %d, "
			 "\"cycles\": %.1f, \"without_compare\": %.1f, \"compare\": %.1f, "
			 "\"ratio\": %.3f, \"quartiles\": [%.1f, %.1f]}\n"
		       : "latch_in, %d connections, %d packets: %.1f cycles a packet, %.1f without "
			 "the compare: it costs %.1f (ratio %.3f; quartiles %.1f and %.1f)\n",
		CONNS, BURSTS * PKT_BURST, with, without, with - without, with / without, q1, q3);
}

int
perf_latch(const struct perf_opts *o)
{
	double *on = calloc(BURSTS, sizeof(*on)), *off = calloc(BURSTS, sizeof(*off));
	struct rig r;
	int rc = on == NULL || off == NULL ? -ENOMEM : rig_open(&r);

	for (uint32_t i = 0; rc == 0 && i < BURSTS; i++) {
		/* The one that comes second finds the caches of the first. */
		on[i] = i % 2 == 0 ? burst(&r, latch_in) : 0;
		off[i] = burst(&r, perf_latch_in_off);
		if (i % 2 != 0)
			on[i] = burst(&r, latch_in);
		if (on[i] == 0 || off[i] == 0)
			rc = -EPROTO;
	}
	if (rc == 0)
		print(o, on, off);
	else
		fprintf(stderr, "tl-perf: latch: %s\n",
			rc == -EPROTO ? "a packet of the peer was not accepted" : strerror(-rc));
	if (on != NULL && off != NULL)
		rig_close(&r);
	free(on);
	free(off);
	return rc != 0;
}
