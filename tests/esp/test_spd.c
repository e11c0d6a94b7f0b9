/* SPDX-License-Identifier: BSD-3-Clause */
/* The policy: the classifier against a plain search, order, selectors, what is remembered. */
#include <stdlib.h>

#include "esp/spd.h"
#include "tests/util/esp_env.h"
#include "stack/base/rand.h"

static struct spd *spd;

static void
setup(void)
{
	ee_setup();
}

static void
teardown(void)
{
	spd_free(spd);
	spd = NULL;
	ee_teardown();
}

static void
install(const struct spd_rule *r, uint32_t n)
{
	struct spd *former = spd;
	const char *why;

	ck_assert_int_eq(spd_build(r, n, &spd, &why), 0);
	ck_assert_int_eq(spd_install(&ee->lc, spd), 0);
	spd_free(former);
}

static struct spd_rule
rule(uint32_t id, enum spd_action action)
{
	struct spd_rule r = {.id = id, .action = (uint8_t)action, .dir = SPD_BOTH};

	esp_sel_any(&r.sel, 0);
	return r;
}

static uint32_t
below(uint32_t bound)
{
	return rand_below(ee->lc.rand, bound);
}

/* Few values, so that rules and flows meet often. */
static struct ip_addr
some_addr(void)
{
	struct ip_addr a = {.b = {0x20, 1, [13] = (uint8_t)below(2), [14] = (uint8_t)below(4)}};

	if (below(2) != 0)
		return ip_addr_v4(rte_cpu_to_be_32(0x0a000000u + below(16) * 64 + below(4)));
	a.b[15] = (uint8_t)below(8);
	return a;
}

static void
some_range(struct addr_range *r)
{
	struct ip_addr a = some_addr(), b = some_addr();

	switch (below(4)) {
	case 0:
		return; /* any */
	case 1:
		addr_range_of_host(r, &a);
		return;
	case 2:
		addr_range_of_net(r, &a, (uint8_t)(96 + below(33)));
		return;
	default:
		if (ip_addr_is_v4(&a) != ip_addr_is_v4(&b))
			b = a;
		r->lo = ip_addr_cmp(&a, &b) < 0 ? a : b;
		r->hi = ip_addr_cmp(&a, &b) < 0 ? b : a;
	}
}

static struct port_range
some_ports(void)
{
	uint16_t a = (uint16_t)below(20), b = (uint16_t)below(20);

	if (below(3) == 0)
		return below(3) == 0 ? port_range_opaque : port_range_any;
	return a < b ? (struct port_range){a, b} : (struct port_range){b, a};
}

static uint8_t
some_proto(void)
{
	static const uint8_t p[] = {IPPROTO_N_TCP, IPPROTO_N_UDP, IPPROTO_N_ICMP, 47};

	return p[below(4)];
}

static void
make_rules(struct spd_rule *r, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		r[i] = rule(i + 1, (enum spd_action)below(3));
		r[i].dir = (uint8_t)(1 + below(3));
		r[i].sel.realm = below(2);
		r[i].sel.proto = below(3) == 0 ? 0 : some_proto();
		r[i].sel.lport = some_ports();
		r[i].sel.rport = some_ports();
		some_range(&r[i].sel.local);
		some_range(&r[i].sel.remote);
	}
}

static struct flow_key
some_key(void)
{
	struct flow_key k = {.local = some_addr(),
		.remote = some_addr(),
		.realm = below(2),
		.proto = some_proto()};

	if (k.proto != 47) {
		k.lport = rte_cpu_to_be_16((uint16_t)below(20));
		k.rport = rte_cpu_to_be_16((uint16_t)below(20));
	}
	return k;
}

/* The definition: the first rule, in order, that has the direction and covers the flow. */
static uint32_t
plain_search(const struct spd_rule *r, uint32_t n, uint32_t dir, const struct flow_key *k)
{
	for (uint32_t i = 0; i < n; i++) {
		if ((r[i].dir & dir) != 0 && esp_sel_match(&r[i].sel, k))
			return r[i].id;
	}
	return 0;
}

START_TEST(classifier_agrees_with_a_plain_search)
{
	enum { RULES = 120, FLOWS = 4000 };
	static struct spd_rule r[RULES];
	uint8_t seed[RAND_SEED_LEN] = {0};
	uint32_t found = 0;

	seed[0] = (uint8_t)_i;
	rand_free(ee->lc.rand);
	ck_assert_int_eq(rand_create(seed, &ee->lc.rand), 0);
	make_rules(r, RULES);
	install(r, RULES);
	ck_assert_ptr_nonnull(spd->acl[0]);
	for (int i = 0; i < FLOWS; i++) {
		struct flow_key k = some_key();
		uint32_t dir = below(2) ? SPD_IN : SPD_OUT;
		const struct spd_rule *got = spd_find(&ee->lc, dir, &k);
		uint32_t want = plain_search(r, RULES, dir, &k);

		ck_assert_uint_eq(got == NULL ? 0 : got->id, want);
		got = spd_find(&ee->lc, dir, &k); /* what is remembered is the same */
		ck_assert_uint_eq(got == NULL ? 0 : got->id, want);
		found += want != 0;
	}
	printf("# %u of %u flows had a rule\n", found, FLOWS);
	ck_assert_uint_gt(found, FLOWS / 10);
	ck_assert_uint_ge(ee->lc.stat.st[ST_SPD_LOOKUP], 2 * FLOWS);
	ck_assert_uint_le(ee->lc.stat.st[ST_SPD_MISS], FLOWS);
}
END_TEST

/* Ten thousand hosts, each with its rule behind those of all others. */
START_TEST(ten_thousand_rules_are_told_apart)
{
	enum { N = 10000 };
	struct spd_rule *r = calloc(N, sizeof(*r));
	struct flow_key k = {.local = ee_here, .proto = IPPROTO_N_TCP};

	for (uint32_t i = 0; i < N; i++) {
		struct ip_addr a = ip_addr_v4(rte_cpu_to_be_32(0x0b000000 + i * 7));

		r[i] = rule(i + 1, SPD_PROTECT);
		addr_range_of_host(&r[i].sel.remote, &a);
	}
	install(r, N);
	for (uint32_t i = 0; i < N; i++) {
		k.remote = ip_addr_v4(rte_cpu_to_be_32(0x0b000000 + i * 7));
		ck_assert_uint_eq(spd_find(&ee->lc, SPD_IN, &k)->id, i + 1);
	}
	k.remote = ip_addr_v4(rte_cpu_to_be_32(0x0b000001));
	ck_assert_ptr_null(spd_find(&ee->lc, SPD_IN, &k));
	free(r);
}
END_TEST

START_TEST(new_policy_forgets_what_was_found_and_keeps_counts)
{
	struct flow_key k = {.local = ee_here, .remote = ee_there, .proto = IPPROTO_N_TCP};
	struct spd_rule r[2] = {rule(1, SPD_BYPASS), rule(2, SPD_DISCARD)};

	install(r, 1);
	ck_assert_uint_eq(spd_find(&ee->lc, SPD_OUT, &k)->id, 1);
	ck_assert_uint_eq(spd_find(&ee->lc, SPD_OUT, &k)->id, 1);
	r[0] = rule(2, SPD_DISCARD);
	r[1] = rule(1, SPD_BYPASS);
	install(r, 2);
	ck_assert_uint_eq(spd_find(&ee->lc, SPD_OUT, &k)->id, 2);
	ck_assert_uint_eq(ee->lc.esp->spd.hits[0], 1);
	ck_assert_uint_eq(ee->lc.esp->spd.hits[1], 2);
}
END_TEST

static uint32_t
chosen(const struct flow_key *k)
{
	struct rte_mbuf *m = pkt_alloc(&ee->lc);
	struct pkt_vec v = {.n = 1, .m = {m}};
	uint32_t index = UINT32_MAX;

	pkt_meta(m)->key = *k;
	spd_out(&ee->lc, &v);
	if (v.n == 1) {
		index = pkt_meta(m)->sa == NULL ? UINT32_MAX - 1 : pkt_meta(m)->sa->index;
		rte_pktmbuf_free(m);
	}
	return index;
}

/* Make before break: the newest SA that fits carries the flow, remembered or not. */
START_TEST(remembered_sa_gives_way_to_a_newer_one)
{
	struct flow_key k = {.local = ee_here, .remote = ee_there, .proto = IPPROTO_N_TCP};
	struct spd_rule r = rule(1, SPD_PROTECT);
	struct esp_sa_conf c = ee_sa(false);

	install(&r, 1);
	addr_range_of_host(&c.sel.remote, &ee_there);
	ck_assert_uint_eq(chosen(&k), UINT32_MAX);
	ck_assert_int_eq(esp_sad_add(&ee->lc, &c, 3, 1), 0);
	ck_assert_uint_eq(chosen(&k), 3);
	ck_assert_uint_eq(chosen(&k), 3);
	esp_sel_any(&c.sel, 0); /* one for everybody is found too, if it is newer */
	ck_assert_int_eq(esp_sad_add(&ee->lc, &c, 4, 1), 0);
	ck_assert_uint_eq(chosen(&k), 4);
	addr_range_of_host(&c.sel.remote, &ee_there);
	ck_assert_int_eq(esp_sad_add(&ee->lc, &c, 5, 1), 0);
	ck_assert_uint_eq(chosen(&k), 5);
	ck_assert_int_eq(esp_sad_del(&ee->lc, 5, 1, ESP_DEL_REKEY), 0);
	ck_assert_uint_eq(chosen(&k), 4);
	ck_assert_int_eq(esp_sad_del(&ee->lc, 4, 1, ESP_DEL_REKEY), 0);
	ck_assert_int_eq(esp_sad_del(&ee->lc, 3, 1, ESP_DEL_REKEY), 0);
	ck_assert_uint_eq(chosen(&k), UINT32_MAX);
}
END_TEST

START_TEST(protect_rule_takes_only_sas_that_give_what_it_asks)
{
	struct flow_key k = {.local = ee_here, .remote = ee_there, .proto = IPPROTO_N_TCP};
	struct spd_rule ok = rule(1, SPD_PROTECT), r;
	struct esp_sa_conf c = ee_sa(false);

	c.reqid = 77;
	c.mode = ESP_MODE_TUNNEL;
	ck_assert_int_eq(esp_sad_add(&ee->lc, &c, 3, 1), 0);
	ok.reqid = 77;
	ok.tun_local = ee_here;
	ok.tun_remote = ee_there;
	ok.mode = ESP_MODE_TUNNEL;
	ok.encr = ESP_ENCR_AES_GCM_16;
	ok.encr_bits = 128;
	ok.local_id = 1;
	ok.peer_id = 2;
	install(&ok, 1);
	ck_assert_uint_eq(chosen(&k), 3);
	for (int i = 0; i < 7; i++) {
		r = ok;
		r.reqid += i == 0;
		r.tun_remote.b[15] ^= i == 1;
		r.mode = i == 2 ? ESP_MODE_TRANSPORT : r.mode;
		r.encr_bits = i == 3 ? 256 : 128;
		r.peer_id += i == 4;
		r.integ = i == 5 ? ESP_AUTH_HMAC_SHA1_96 : 0;
		r.local_id += i == 6;
		install(&r, 1);
		ck_assert_uint_eq(chosen(&k), UINT32_MAX);
	}
}
END_TEST

/* S-9: a connection's remembered BYPASS holds while the policy is the one that said so. */
START_TEST(bypass_tag_counts_for_its_policy_only)
{
	struct spd_rule r[2] = {rule(1, SPD_BYPASS), rule(2, SPD_DISCARD)};
	struct rte_mbuf *m = pkt_alloc(&ee->lc);
	struct pkt_vec v = {.n = 1, .m = {m}};
	uint64_t looked;

	install(&r[0], 1);
	pkt_tag_set(&ee->lc, m,
		(struct tl_tag){.sad_index = TAG_BYPASS, .sad_gen = spd_version(&ee->lc)});
	looked = ee->lc.stat.st[ST_SPD_LOOKUP];
	spd_out(&ee->lc, &v);
	ck_assert_uint_eq(v.n, 1);
	ck_assert_uint_eq(ee->lc.stat.st[ST_SPD_LOOKUP], looked);
	install(&r[1], 1);
	spd_out(&ee->lc, &v);
	ck_assert_uint_eq(v.n, 0);
}
END_TEST

/* RFC 4301 s4.4.1.1 */
START_TEST(opaque_is_for_what_shows_no_ports)
{
	struct flow_key k = {.proto = IPPROTO_N_TCP}, frag = {.proto = IPPROTO_N_TCP};
	struct esp_sel sel;

	esp_sel_any(&sel, 0);
	ck_assert(esp_sel_match_fragment(&sel, &frag));
	sel.lport = sel.rport = port_range_opaque;
	ck_assert(!esp_sel_match(&sel, &k));
	ck_assert(esp_sel_match_fragment(&sel, &frag));
	k.proto = 47;
	ck_assert(esp_sel_match(&sel, &k));
	sel.lport = (struct port_range){80, 80};
	ck_assert(!esp_sel_match_fragment(&sel, &frag));
}
END_TEST

START_TEST(range_that_is_a_prefix_is_known_as_one)
{
	struct ip_addr a = ip_addr_v4(RTE_BE32(0x0a000040));
	struct addr_range r;

	for (uint8_t plen = 122; plen <= 128; plen++) {
		addr_range_of_net(&r, &a, plen);
		ck_assert_int_eq(addr_range_plen(&r), plen);
	}
	r.hi = r.lo;
	r.hi.b[15] += 2;
	ck_assert_int_eq(addr_range_plen(&r), -1);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("spd");
	TCase *c = tcase_create("spd");

	tcase_add_checked_fixture(c, setup, teardown);
	tcase_add_loop_test(c, classifier_agrees_with_a_plain_search, 0, 5);
	tcase_add_test(c, ten_thousand_rules_are_told_apart);
	tcase_add_test(c, new_policy_forgets_what_was_found_and_keeps_counts);
	tcase_add_test(c, remembered_sa_gives_way_to_a_newer_one);
	tcase_add_test(c, protect_rule_takes_only_sas_that_give_what_it_asks);
	tcase_add_test(c, bypass_tag_counts_for_its_policy_only);
	tcase_add_test(c, opaque_is_for_what_shows_no_ports);
	tcase_add_test(c, range_that_is_a_prefix_is_known_as_one);
	suite_add_tcase(s, c);
	return env_main(s);
}
