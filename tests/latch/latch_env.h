/* SPDX-License-Identifier: BSD-3-Clause */
/* latch_env.h - a worker with SAs, a policy and one latch, for the unit tests of this module. */
#ifndef TL_TESTS_LATCH_LATCH_ENV_H
#define TL_TESTS_LATCH_LATCH_ENV_H

#include <errno.h>

#include "esp/esp.h"
#include "latch/latch.h"
#include "tests/util/lc_env.h"

static struct env *e; /* of the test that runs */
static struct latch_tables *tables;
static struct latch latch;
static struct flow_ent flow;
static uint32_t good, weaker, stranger, nameless, window_off;

static struct flow_key
key(void)
{
	return (struct flow_key){.local = ip_addr_v4(RTE_BE32(0x0a000001)),
		.remote = ip_addr_v4(RTE_BE32(0x0a000002)),
		.lport = RTE_BE16(7),
		.rport = RTE_BE16(4000),
		.proto = IPPROTO_N_TCP};
}

static uint32_t
profile(uint32_t peer, uint16_t bits, uint8_t replay)
{
	struct latch_profile p = {.proto = 50,
		.mode = TL_LATCH_MODE_TRANSPORT,
		.type = 3,
		.replay = replay,
		.encr = ESP_ENCR_AES_GCM_16,
		.encr_bits = bits,
		.icv_bits = 128,
		.local_id = 1,
		.peer_id = peer};

	return latch_profile_intern(tables, &p);
}

static void
add_sa(uint32_t index, bool inbound, uint32_t prof, uint32_t peer, uint16_t bits)
{
	struct esp_sa_conf c = {.spi = 0x1000 + index,
		.inbound = inbound,
		.mode = ESP_MODE_TRANSPORT,
		.encr = ESP_ENCR_AES_GCM_16,
		.encr_bits = bits,
		.key_len = (uint8_t)(bits / 8 + 4),
		.local = key().local,
		.remote = key().remote,
		.local_id = 1,
		.peer_id = peer,
		.profile = prof};

	esp_sel_any(&c.sel, 0);
	ck_assert_int_eq(esp_sad_add(&e->lc, &c, index, 1), 0);
}

static struct spd *spd;

static void
policy(const struct spd_rule *r, uint32_t n)
{
	struct spd *former = spd;
	const char *why;

	ck_assert_int_eq(spd_build(r, n, &spd, &why), 0);
	ck_assert_int_eq(spd_install(&e->lc, spd), 0);
	spd_free(former);
}

static void
set_policy(enum spd_action action)
{
	struct spd_rule r = {.action = (uint8_t)action, .dir = SPD_BOTH};

	esp_sel_any(&r.sel, 0);
	policy(&r, 1);
}

static void
setup(void)
{
	struct latch_conf conf = {0};
	struct tl_ident id = {.type = TL_ID_FQDN, .len = 1, .data = "a"};

	e = env_setup();
	ck_assert_int_eq(latch_tables_create(&tables), 0);
	for (id.data[0] = 'a'; id.data[0] <= 'c'; id.data[0]++)
		latch_ident_intern(tables, &id);
	good = profile(2, 128, TL_LATCH_REPLAY_ON);
	weaker = profile(2, 256, TL_LATCH_REPLAY_ON);
	stranger = profile(3, 128, TL_LATCH_REPLAY_ON);
	nameless = profile(0, 128, TL_LATCH_REPLAY_ON);
	window_off = profile(2, 128, 0);
	ck_assert_int_eq(esp_create(&e->lc, NULL), 0);
	ck_assert_int_eq(latch_create(&e->lc, &conf, tables), 0);
	set_policy(SPD_PROTECT);
	memset(&latch, 0, sizeof(latch));
	flow = (struct flow_ent){.key = key(), .latch = &latch};
}

static void
teardown(void)
{
	flow_remove(&e->lc, &flow);
	latch_release(&e->lc, &latch);
	ck_assert_uint_eq(latch_in_use(&e->lc), 0);
	latch_destroy(&e->lc);
	esp_destroy(&e->lc);
	spd_free(spd);
	spd = NULL;
	latch_tables_free(tables);
	env_teardown(e);
}

static struct rte_mbuf *
segment(uint32_t prof)
{
	struct rte_mbuf *m = pkt_alloc(&e->lc);

	pkt_meta(m)->key = key();
	if (prof != 0)
		pkt_tag_set(&e->lc, m, (struct tl_tag){.sad_gen = 1, .profile = prof});
	return m;
}

/* What latch_in says of a segment under prof (0: clear): the verdict, or the drop reason. */
struct said {
	enum pkt_verdict verdict;
	enum tl_latch_reason reason;
	enum drop_reason drop;
};

static struct said
judge(uint32_t prof)
{
	struct rte_mbuf *m = segment(prof);
	uint64_t before[DROP_MAX];
	struct said r = {.verdict = VERDICT_DROP};
	struct pkt_sort s;

	memcpy(before, e->lc.stat.drop, sizeof(before));
	pkt_sort_reset(&s);
	pkt_vec_add(&s.v[NX_TCP], m);
	latch_in(&e->lc, &s);
	for (enum drop_reason i = 0; i < DROP_MAX; i++) {
		if (e->lc.stat.drop[i] != before[i])
			r.drop = i;
	}
	if (s.v[NX_TCP].n == 1) {
		r.verdict = pkt_meta(m)->verdict;
		r.reason = pkt_meta(m)->reason;
		rte_pktmbuf_free(m);
	}
	return r;
}

static void
established(void)
{

	add_sa(0, true, good, 2, 128);
	add_sa(1, false, good, 2, 128);
	ck_assert_int_eq(latch_open(&e->lc, &latch, &flow.key), 0);
	ck_assert_uint_eq(latch.state, TL_LATCH_ESTABLISHED);
	ck_assert_int_eq(flow_insert(&e->lc, &flow), 0);
}

#endif
