/* SPDX-License-Identifier: BSD-3-Clause */
#include <ctype.h>

#include "stack/base/pkt.h"
#include "tests/util/lc_env.h"

static struct env *e;

static void
setup(void)
{
	e = env_setup();
}

static void
teardown(void)
{
	env_teardown(e);
}

START_TEST(fresh_packet_is_empty_untagged_and_zeroed)
{
	static const struct pkt_meta zero;
	struct rte_mbuf *m = pkt_alloc(&e->lc);

	memset(pkt_meta(m), 0xff, sizeof(struct pkt_meta));
	pkt_tag_set(&e->lc, m, (struct tl_tag){1, 2, 3});
	rte_pktmbuf_append(m, 10);
	rte_pktmbuf_free(m);
	/* The pool has no cache, so the same buffers come again. */
	for (uint32_t i = 0; i < 2000; i++) {
		m = pkt_alloc(&e->lc);
		ck_assert(!pkt_is_tagged(&e->lc, m));
		ck_assert_mem_eq(pkt_meta(m), &zero, PKT_META_FRESH);
		ck_assert_uint_eq(m->pkt_len, 0);
		ck_assert_uint_ge(rte_pktmbuf_headroom(m), PKT_HEADROOM);
		rte_pktmbuf_free(m);
	}
}
END_TEST

START_TEST(empty_pool_gives_null_and_counts_nothing)
{
	struct pkt_queue q = {0};
	struct rte_mbuf *m;

	while ((m = pkt_alloc(&e->lc)) != NULL)
		pkt_queue_put(&q, m);
	for (uint32_t i = 0; i < DROP_MAX; i++)
		ck_assert_uint_eq(e->lc.stat.drop[i], 0);
	pkt_queue_drop(&e->lc, &q, DROP_NOBUF);
}
END_TEST

/* F-5 */
START_TEST(tag_is_valid_only_with_its_flag)
{
	struct rte_mbuf *m = pkt_alloc(&e->lc);

	pkt_tag_set(&e->lc, m, (struct tl_tag){1, 2, 3});
	ck_assert(pkt_is_tagged(&e->lc, m));
	ck_assert_uint_eq(pkt_tag(&e->lc, m)->sad_index, 1);
	ck_assert_uint_eq(pkt_tag(&e->lc, m)->sad_gen, 2);
	ck_assert_uint_eq(pkt_tag(&e->lc, m)->profile, 3);
	pkt_tag_clear(&e->lc, m);
	ck_assert(!pkt_is_tagged(&e->lc, m));
	rte_pktmbuf_free(m);
}
END_TEST

START_TEST(tag_registers_once_in_a_process)
{
	uint64_t flag = e->lc.tag_flag;
	uint32_t off = e->lc.tag_off;

	ck_assert_int_eq(pkt_tag_register(&e->lc), 0);
	ck_assert_uint_eq(e->lc.tag_flag, flag);
	ck_assert_uint_eq(e->lc.tag_off, off);
	ck_assert_uint_ne(flag, 0);
}
END_TEST

START_TEST(drop_counts_its_reason_and_frees)
{
	struct pkt_vec v = {0};

	pkt_vec_add(&v, pkt_alloc(&e->lc));
	pkt_vec_add(&v, pkt_alloc(&e->lc));
	pkt_vec_drop(&e->lc, &v, DROP_ESP_ICV);
	pkt_drop(&e->lc, pkt_alloc(&e->lc), DROP_LATCH_M0);
	ck_assert_uint_eq(v.n, 0);
	ck_assert_uint_eq(e->lc.stat.drop[DROP_ESP_ICV], 2);
	ck_assert_uint_eq(e->lc.stat.drop[DROP_LATCH_M0], 1);
	ck_assert_uint_eq(rte_mempool_in_use_count(e->lc.pkt_pool), 0);
}
END_TEST

static const uint8_t l4[6] = {0x30, 0x39, 0x00, 0x50, 1, 2};

START_TEST(ports_are_read_as_the_peer_sent_them)
{
	static const uint8_t protos[] = {IPPROTO_N_TCP, IPPROTO_N_UDP, IPPROTO_N_SCTP};

	for (uint32_t i = 0; i < RTE_DIM(protos); i++) {
		struct rte_mbuf *m = env_pkt(e, l4, sizeof(l4));
		const struct pkt_meta *pm = pkt_meta(m);

		ck_assert(pkt_set_l4(m, protos[i], 0, sizeof(l4)));
		ck_assert_uint_eq(pm->key.rport, rte_cpu_to_be_16(12345));
		ck_assert_uint_eq(pm->key.lport, rte_cpu_to_be_16(80));
		ck_assert_uint_eq(pm->key.proto, protos[i]);
		ck_assert_uint_eq(pm->nxt, protos[i]);
		ck_assert_uint_eq(pm->l4_off, 0);
		ck_assert_uint_eq(pm->l4_len, sizeof(l4));
		rte_pktmbuf_free(m);
	}
}
END_TEST

START_TEST(protocol_without_ports_has_port_zero)
{
	struct rte_mbuf *m = env_pkt(e, l4, sizeof(l4));
	struct pkt_meta *pm = pkt_meta(m);

	pm->key.lport = 9;
	pm->key.rport = 9;
	ck_assert(pkt_set_l4(m, IPPROTO_N_IPIP, 2, 4));
	ck_assert_uint_eq(pm->key.lport, 0);
	ck_assert_uint_eq(pm->key.rport, 0);
	ck_assert_uint_eq(pm->l4_off, 2);
	ck_assert(pkt_set_l4(m, IPPROTO_N_ESP, 6, 0));
	rte_pktmbuf_free(m);
}
END_TEST

/* RFC 4301 s4.4.1.1 */
START_TEST(icmp_type_and_code_are_the_local_port)
{
	static const uint8_t unreachable[] = {3, 4};
	struct flow_key k = {.proto = IPPROTO_N_ICMP, .rport = 7};

	ck_assert(pkt_read_ports(&k, unreachable, 2));
	ck_assert_uint_eq(rte_be_to_cpu_16(k.lport), 0x0304);
	ck_assert_uint_eq(k.rport, 0);
	ck_assert(!pkt_read_ports(&k, unreachable, 1));
}
END_TEST

START_TEST(ports_that_do_not_fit_are_refused)
{
	for (uint32_t len = 0; len < 4; len++) {
		struct rte_mbuf *m = env_pkt(e, l4, len);

		ck_assert(!pkt_set_l4(m, IPPROTO_N_TCP, 0, len));
		ck_assert_uint_eq(pkt_meta(m)->key.lport, 0);
		rte_pktmbuf_free(m);
	}
}
END_TEST

START_TEST(each_protocol_has_its_vector)
{
	uint32_t handled = 0;

	ck_assert_uint_eq(pkt_next_of(IPPROTO_N_TCP), NX_TCP);
	ck_assert_uint_eq(pkt_next_of(IPPROTO_N_UDP), NX_UDP);
	ck_assert_uint_eq(pkt_next_of(IPPROTO_N_SCTP), NX_SCTP);
	ck_assert_uint_eq(pkt_next_of(IPPROTO_N_ICMP), NX_ICMP);
	ck_assert_uint_eq(pkt_next_of(IPPROTO_N_ESP), NX_ESP);
	/* F-60: no IP in IP outside tunnel mode's own decapsulation. */
	ck_assert_uint_eq(pkt_next_of(IPPROTO_N_IPIP), NX_MAX);
	for (uint32_t i = 0; i < 256; i++)
		handled += pkt_next_of((uint8_t)i) != NX_MAX;
	ck_assert_uint_eq(handled, 6);
}
END_TEST

START_TEST(queue_keeps_order)
{
	struct pkt_queue q = {0};
	struct rte_mbuf *m[5];

	ck_assert_ptr_null(pkt_queue_get(&q));
	for (uint32_t i = 0; i < 5; i++) {
		m[i] = pkt_alloc(&e->lc);
		pkt_queue_put(&q, m[i]);
	}
	ck_assert_uint_eq(q.n, 5);
	for (uint32_t i = 0; i < 3; i++)
		ck_assert_ptr_eq(pkt_queue_get(&q), m[i]);
	pkt_queue_put(&q, m[0]);
	ck_assert_ptr_eq(pkt_queue_get(&q), m[3]);
	ck_assert_ptr_eq(pkt_queue_get(&q), m[4]);
	ck_assert_ptr_eq(pkt_queue_get(&q), m[0]);
	ck_assert_ptr_null(pkt_queue_get(&q));
	ck_assert_uint_eq(q.n, 0);
	for (uint32_t i = 0; i < 5; i++)
		rte_pktmbuf_free(m[i]);
}
END_TEST

START_TEST(answers_are_bounded)
{
	for (uint32_t i = 0; i < PKT_OUT_MAX + 3; i++)
		pkt_out(&e->lc, &e->lc.out_l4, pkt_alloc(&e->lc));
	ck_assert_uint_eq(e->lc.out_l4.n, PKT_OUT_MAX);
	ck_assert_uint_eq(e->lc.stat.drop[DROP_OUT_FULL], 3);
}
END_TEST

/* Operators read these, and know no numbers of our requirements such as "E-9" or "M1". */
static void
expect_plain(const char *text)
{
	for (const char *p = text; *p != '\0'; p++) {
		if (isupper((unsigned char)p[0]) && (p == text || !isalnum((unsigned char)p[-1])))
			ck_assert_msg(!isdigit((unsigned char)p[1]) &&
					      (p[1] != '-' || !isdigit((unsigned char)p[2])),
				"\"%s\"", text);
	}
}

START_TEST(every_counter_has_its_own_name)
{
	for (uint32_t i = 0; i < DROP_MAX; i++) {
		for (uint32_t k = 0; k < i; k++)
			ck_assert_str_ne(drop_reason_name(i), drop_reason_name(k));
		ck_assert_uint_gt(strlen(drop_reason_text(i)), 0);
		expect_plain(drop_reason_text(i));
	}
	for (uint32_t i = 0; i < ST_MAX; i++) {
		for (uint32_t k = 0; k < i; k++)
			ck_assert_str_ne(stat_name(i), stat_name(k));
	}
	ck_assert_str_eq(drop_reason_name(DROP_MAX), "?");
	ck_assert_str_eq(drop_reason_text(DROP_MAX), "?");
	ck_assert_str_eq(stat_name(ST_MAX), "?");
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("pkt");
	TCase *c = tcase_create("pkt");

	tcase_add_checked_fixture(c, setup, teardown);
	tcase_add_test(c, fresh_packet_is_empty_untagged_and_zeroed);
	tcase_add_test(c, empty_pool_gives_null_and_counts_nothing);
	tcase_add_test(c, tag_is_valid_only_with_its_flag);
	tcase_add_test(c, tag_registers_once_in_a_process);
	tcase_add_test(c, drop_counts_its_reason_and_frees);
	tcase_add_test(c, ports_are_read_as_the_peer_sent_them);
	tcase_add_test(c, protocol_without_ports_has_port_zero);
	tcase_add_test(c, icmp_type_and_code_are_the_local_port);
	tcase_add_test(c, ports_that_do_not_fit_are_refused);
	tcase_add_test(c, each_protocol_has_its_vector);
	tcase_add_test(c, queue_keeps_order);
	tcase_add_test(c, answers_are_bounded);
	tcase_add_test(c, every_counter_has_its_own_name);
	suite_add_tcase(s, c);
	return env_main(s);
}
