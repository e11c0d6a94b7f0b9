/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * perf_esp.c - what ESP costs around its crypto, and what a lookup costs in small and big tables.
 *
 * One worker without ports. The stages run over bursts of 32 packets; the engine alone runs over
 * the same buffers in the same loop, so the two differ by what ESP itself does. Best of many
 * bursts.
 */
#include <stdio.h>
#include <stdlib.h>
#include <x86intrin.h>

#include "apps/perf.h"
#include "esp/sa.h"
#include "stack/base/rand.h"

enum { RUN = PKT_BURST, CALLS = 1000, ROOM = 9500, SCALE_BIG = 10000, LOOKS = 20000 };

/* A worker with an SA pair: what slot 1 encrypts, slot 0 decrypts. */
struct rig {
	struct lcore lc;
	struct rte_mbuf *m[RUN];
	uint32_t bytes;
};

struct cost {
	double out, enc, in, dec; /* cycles per packet */
};

static const struct ip_addr here = {.w = {0, 0, RTE_BE32(0xffff), RTE_BE32(0x0a000001)}};

static struct ip_addr
peer_addr(uint32_t i)
{
	return ip_addr_v4(rte_cpu_to_be_32(0x0b000000u + i));
}

static int
sa_add(struct rig *r, uint32_t slot, uint32_t peer, bool inbound)
{
	struct esp_sa_conf c = {.spi = 0x1000 + peer,
		.local = here,
		.remote = peer_addr(peer),
		.local_id = 1,
		.peer_id = 2,
		.profile = peer + 1,
		.replay_window = 1024,
		.iv_start = 1,
		.encr = ESP_ENCR_AES_GCM_16,
		.encr_bits = 128,
		.mode = ESP_MODE_TRANSPORT,
		.inbound = inbound,
		.esn = true,
		.key_len = 20,
		.key = {(uint8_t)peer, (uint8_t)(peer >> 8), 1}};

	esp_sel_any(&c.sel, 0);
	addr_range_of_host(&c.sel.local, &here);
	addr_range_of_host(&c.sel.remote, &c.remote);
	return esp_sad_add(&r->lc, &c, slot, 1);
}

static int
rig_open(struct rig *r, uint32_t max_sas)
{
	struct esp_conf conf = {.max_sas = max_sas};
	static unsigned int serial;
	char name[24];
	int rc;

	memset(r, 0, sizeof(*r));
	r->lc.now_ns = 1000000000;
	r->lc.nb_workers = 1;
	snprintf(name, sizeof(name), "perf_esp%u", serial++);
	r->lc.pkt_pool = rte_pktmbuf_pool_create(
		name, 255, 0, sizeof(struct pkt_meta), RTE_PKTMBUF_HEADROOM + ROOM, SOCKET_ID_ANY);
	if (r->lc.pkt_pool == NULL)
		return -ENOMEM;
	rc = pkt_tag_register(&r->lc);
	if (rc == 0)
		rc = tmr_create(r->lc.now_ns, &r->lc.tmr);
	if (rc == 0)
		rc = rand_create(NULL, &r->lc.rand);
	return rc != 0 ? rc : esp_create(&r->lc, &conf);
}

static int
rig_packets(struct rig *r)
{
	for (uint32_t i = 0; i < RUN; i++) {
		r->m[i] = pkt_alloc(&r->lc);
		if (r->m[i] == NULL)
			return -ENOMEM;
	}
	return 0;
}

static void
rig_close(struct rig *r)
{
	esp_destroy(&r->lc);
	rand_free(r->lc.rand);
	tmr_free(r->lc.tmr);
	rte_mempool_free(r->lc.pkt_pool);
}

static uint64_t
least(uint64_t best, uint64_t since)
{
	uint64_t t = __rdtsc() - since;

	return t < best ? t : best;
}

/* Fresh payloads in front of esp_out(). */
static void
payloads(struct rig *r, struct pkt_vec *v)
{
	v->n = RUN;
	for (uint32_t i = 0; i < RUN; i++) {
		struct rte_mbuf *m = r->m[i];
		struct pkt_meta *pm = pkt_meta(m);

		rte_pktmbuf_reset(m);
		pkt_tag_clear(&r->lc, m);
		memset(rte_pktmbuf_append(m, (uint16_t)r->bytes), 7, r->bytes);
		pm->sa = r->lc.esp->slot[1];
		pm->nxt = IPPROTO_N_TCP;
		pm->flags = 0;
		pm->key = (struct flow_key){.local = here, .remote = peer_addr(0)};
		v->m[i] = m;
	}
}

/* What esp_out() made, in front of esp_in(). */
static void
turn_round(struct rig *r)
{
	for (uint32_t i = 0; i < RUN; i++) {
		struct pkt_meta *pm = pkt_meta(r->m[i]);

		pm->key.local = here;
		pm->key.proto = IPPROTO_N_ESP;
		pm->l4_off = 0;
		pm->l4_len = (uint16_t)r->m[i]->pkt_len;
		pm->nxt = IPPROTO_N_ESP;
	}
}

/* The same buffers through the engine alone; what it writes is not looked at again. */
static void
raw_ops(struct rig *r, struct crypto_op *op, uint32_t slot)
{
	struct esp_sa *sa = r->lc.esp->slot[slot];

	for (uint32_t i = 0; i < RUN; i++) {
		op[i].seq = i + 1;
		esp_sa_op(sa, &op[i], pkt_data(r->m[i], 0), r->m[i]->pkt_len);
	}
}

static bool
one_round(struct rig *r, uint64_t best[4])
{
	struct esp_sa *out = r->lc.esp->slot[1], *in = r->lc.esp->slot[0];
	struct crypto_op op[RUN];
	struct pkt_sort s;
	struct pkt_vec v;
	uint64_t t;

	payloads(r, &v);
	t = __rdtsc();
	esp_out(&r->lc, &v);
	best[0] = least(best[0], t);
	turn_round(r);
	pkt_sort_reset(&s);
	s.v[NX_ESP] = v;
	t = __rdtsc();
	esp_in(&r->lc, &s.v[NX_ESP], &s);
	best[2] = least(best[2], t);
	if (s.v[NX_TCP].n != RUN)
		return false;
	raw_ops(r, op, 1);
	t = __rdtsc();
	out->engine->encrypt(out->engine_ctx, op, RUN);
	best[1] = least(best[1], t);
	raw_ops(r, op, 0);
	t = __rdtsc();
	in->engine->decrypt(in->engine_ctx, op, RUN);
	best[3] = least(best[3], t);
	return true;
}

static bool
stages(struct rig *r, uint32_t bytes, struct cost *c)
{
	uint64_t best[4] = {UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX};

	r->bytes = bytes;
	for (uint32_t i = 0; i < CALLS; i++) {
		if (!one_round(r, best))
			return false;
	}
	*c = (struct cost){(double)best[0] / RUN, (double)best[1] / RUN, (double)best[2] / RUN,
		(double)best[3] / RUN};
	return true;
}

static int
stages_print(const struct perf_opts *o, struct rig *r, uint32_t bytes)
{
	/* Payload so that payload, padding and trailer have the size that the engine is told. */
	struct cost c;

	if (!stages(r, bytes - ESP_TRAILER_BYTES, &c)) {
		fprintf(stderr, "tl-perf: a packet did not come out of ESP as it went in\n");
		return 1;
	}
	printf(o->json ? "{\"esp\": \"%s\", \"bytes\": %u, \"out_cycles\": %.0f, "
			 "\"encrypt_cycles\": %.0f, \"out_ratio\": %.2f, \"in_cycles\": %.0f, "
			 "\"decrypt_cycles\": %.0f, \"in_ratio\": %.2f}\n"
		       : "%-9s %5u bytes: esp_out %5.0f cycles, engine %5.0f, ratio %.2f; "
			 "esp_in %5.0f, engine %5.0f, ratio %.2f\n",
		r->lc.esp->slot[1]->engine->name, bytes, c.out, c.enc, c.out / c.enc, c.in, c.dec,
		c.in / c.dec);
	return 0;
}

int
perf_esp(const struct perf_opts *o)
{
	static const uint32_t sizes[] = {64, 512, 1440, 8900};
	struct rig r;
	int rc = rig_open(&r, 0);

	if (rc == 0)
		rc = sa_add(&r, 0, 0, true);
	if (rc == 0)
		rc = sa_add(&r, 1, 0, false);
	if (rc == 0)
		rc = rig_packets(&r);
	if (rc != 0) {
		fprintf(stderr, "tl-perf: no worker for the measurement: %s\n", strerror(-rc));
		return 1;
	}
	for (size_t i = 0; i < RTE_DIM(sizes) && rc == 0; i++)
		rc = stages_print(o, &r, o->size_bytes != 0 ? o->size_bytes : sizes[i]);
	rte_pktmbuf_free_bulk(r.m, RUN);
	rig_close(&r);
	return rc;
}

/* ---- tables of many SAs and rules ---- */

struct scale {
	double spi, cached, classified, out, in;
};

static struct flow_key
flow_of(uint32_t peer, uint16_t port)
{
	return (struct flow_key){.local = here,
		.remote = peer_addr(peer),
		.lport = RTE_BE16(80),
		.rport = rte_cpu_to_be_16(port),
		.proto = IPPROTO_N_TCP};
}

static struct spd *
policy_of(uint32_t n)
{
	struct spd_rule *rule = calloc(n, sizeof(*rule));
	struct spd *spd = NULL;
	const char *why;

	for (uint32_t i = 0; rule != NULL && i < n; i++) {
		struct ip_addr a = peer_addr(i);

		rule[i] = (struct spd_rule){.id = i + 1, .action = SPD_PROTECT, .dir = SPD_BOTH};
		esp_sel_any(&rule[i].sel, 0);
		addr_range_of_host(&rule[i].sel.remote, &a);
	}
	if (rule != NULL && spd_build(rule, n, &spd, &why) != 0)
		fprintf(stderr, "tl-perf: %s\n", why);
	free(rule);
	return spd;
}

/* Not before what came earlier is done: a lookup must not hide behind the next one. */
static uint64_t
now(void)
{
	_mm_lfence();
	return __rdtsc();
}

static double
look_spi(struct rig *r, uint32_t n)
{
	uint64_t t, sum = 0;
	uint32_t found = 0;

	for (uint32_t i = 0; i < LOOKS; i++) {
		uint32_t spi = 0x1000 + rand_below(r->lc.rand, n);

		t = now();
		found += esp_sad_lookup(r->lc.esp, spi, 0)->key != NULL;
		sum += now() - t;
	}
	return found == LOOKS ? (double)sum / LOOKS : 0;
}

/* A new flow each time, or the same one: classified, or remembered. */
static double
look_policy(struct rig *r, uint32_t n, bool again)
{
	uint64_t t, sum = 0;
	uint32_t found = 0;

	for (uint32_t i = 0; i < LOOKS; i++) {
		uint32_t peer = again ? 0 : rand_below(r->lc.rand, n);
		struct flow_key k = flow_of(peer, again ? 1 : (uint16_t)i);

		t = now();
		found += spd_find(&r->lc, SPD_IN, &k)->id == peer + 1;
		sum += now() - t;
	}
	return found == LOOKS ? (double)sum / LOOKS : 0;
}

/* spd_out() for flows of random peers: rule and SA. */
static double
look_out(struct rig *r, uint32_t n)
{
	struct rte_mbuf *m = pkt_alloc(&r->lc);
	uint64_t t, sum = 0;
	uint32_t found = 0;

	for (uint32_t i = 0; m != NULL && i < LOOKS; i++) {
		struct pkt_vec v = {.n = 1, .m = {m}};

		pkt_meta(m)->key = flow_of(rand_below(r->lc.rand, n), (uint16_t)i);
		t = now();
		spd_out(&r->lc, &v);
		sum += now() - t;
		found += v.n == 1 && pkt_meta(m)->sa != NULL;
	}
	rte_pktmbuf_free(m);
	return found == LOOKS ? (double)sum / LOOKS : 0;
}

/* Bursts to esp_in() whose packets each come from another peer, as many clients make them. */
static double
burst_in(struct rig *r, uint32_t n)
{
	uint64_t t, sum = 0;
	uint32_t came = 0;

	r->bytes = 62;
	for (uint32_t b = 0; b < LOOKS / RUN; b++) {
		struct pkt_sort s;
		struct pkt_vec v;

		payloads(r, &v);
		for (uint32_t i = 0; i < RUN; i++)
			pkt_meta(r->m[i])->sa = r->lc.esp->slot[2 * rand_below(r->lc.rand, n) + 1];
		for (uint32_t i = 0; i < RUN; i++)
			pkt_meta(r->m[i])->key.remote = pkt_meta(r->m[i])->sa->conf.remote;
		esp_out(&r->lc, &v);
		turn_round(r);
		pkt_sort_reset(&s);
		s.v[NX_ESP] = v;
		t = now();
		esp_in(&r->lc, &s.v[NX_ESP], &s);
		sum += now() - t;
		came += s.v[NX_TCP].n;
	}
	return came == LOOKS / RUN * RUN ? (double)sum / came : 0;
}

static int
scale_of(uint32_t n, struct scale *out)
{
	struct spd *spd = policy_of(n);
	struct rig r;
	int rc = rig_open(&r, 2 * n);

	if (rc == 0)
		rc = rig_packets(&r);

	for (uint32_t i = 0; i < n && rc == 0; i++) {
		rc = sa_add(&r, 2 * i, i, true);
		if (rc == 0)
			rc = sa_add(&r, 2 * i + 1, i, false);
	}
	if (rc == 0 && spd != NULL)
		rc = spd_install(&r.lc, spd);
	if (rc == 0 && spd != NULL)
		*out = (struct scale){look_spi(&r, n), look_policy(&r, n, true),
			look_policy(&r, n, false), look_out(&r, n), burst_in(&r, n)};
	rte_pktmbuf_free_bulk(r.m, RUN);
	rig_close(&r);
	spd_free(spd);
	return rc != 0 || spd == NULL || out->in == 0 || out->spi == 0 || out->cached == 0 ||
	       out->classified == 0 || out->out == 0;
}

static void
scale_print(const struct perf_opts *o, const char *what, double few, double many)
{
	printf(o->json ? "{\"lookup\": \"%s\", \"cycles_10\": %.0f, \"cycles_10000\": %.0f, "
			 "\"ratio\": %.2f}\n"
		       : "%-42s %6.0f cycles with 10, %6.0f with 10000, ratio %.2f\n",
		what, few, many, many / few);
}

int
perf_scale(const struct perf_opts *o)
{
	struct scale few = {0}, many = {0};

	if (scale_of(10, &few) != 0 || scale_of(SCALE_BIG, &many) != 0) {
		fprintf(stderr, "tl-perf: the tables could not be built, or a lookup was wrong\n");
		return 1;
	}
	scale_print(o, "inbound SA by SPI, random peer", few.spi, many.spi);
	scale_print(o, "policy of a flow seen before", few.cached, many.cached);
	scale_print(o, "policy of a new flow, random peer", few.classified, many.classified);
	scale_print(o, "policy and SA of a new flow, random peer", few.out, many.out);
	scale_print(o, "esp_in, 64 bytes, each from a random peer", few.in, many.in);
	return 0;
}
