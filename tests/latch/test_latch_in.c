/* SPDX-License-Identifier: BSD-3-Clause */
/* The verdict of every class of C.3, and the life of a latch. */
#include "tests/latch/latch_env.h"

/* P-4, P-5, T-3 */
START_TEST(p5_open_records_the_profile_of_the_outbound_sa)
{
	established();
	ck_assert_uint_eq(latch.profile_out, good);
	ck_assert_uint_eq(latch.profile_in, good);
	ck_assert_uint_eq(latch_in_use(&e->lc), 1);
}
END_TEST

START_TEST(ok_same_profile_is_accepted)
{
	established();
	ck_assert_int_eq(judge(good).verdict, VERDICT_ACCEPT);
}
END_TEST

/* B-19: clear never breaks. */
START_TEST(m0_clear_is_dropped_and_counted_and_never_breaks)
{
	established();
	for (int i = 0; i < 100; i++)
		ck_assert_int_eq(judge(0).drop, DROP_LATCH_M0);
	ck_assert_uint_eq(latch.drop_clear, 100);
	ck_assert_uint_eq(latch.state, TL_LATCH_ESTABLISHED);
}
END_TEST

/* G-6 */
START_TEST(m2_other_key_length_of_the_same_peer_breaks)
{
	struct said r;

	established();
	r = judge(weaker);
	ck_assert_int_eq(r.verdict, VERDICT_BREAK);
	ck_assert_int_eq(r.reason, TL_LATCH_QOP_CONFLICT);
}
END_TEST

START_TEST(g7_window_off_of_the_same_peer_breaks)
{
	established();
	ck_assert_int_eq(judge(window_off).reason, TL_LATCH_QOP_CONFLICT);
}
END_TEST

/* G-9 */
START_TEST(m3_other_identity_with_equal_suite_breaks)
{
	struct said r;

	established();
	r = judge(stranger);
	ck_assert_int_eq(r.verdict, VERDICT_BREAK);
	ck_assert_int_eq(r.reason, TL_LATCH_PEER_CONFLICT);
	ck_assert_uint_eq(latch.drop_peer, 1);
}
END_TEST

START_TEST(m5_unknown_identity_is_dropped_without_a_break)
{
	established();
	ck_assert_int_eq(judge(nameless).drop, DROP_LATCH_M5);
	ck_assert_int_eq(judge(99999).drop, DROP_LATCH_M5);
}
END_TEST

/* G-23 */
START_TEST(m6_protected_segment_on_a_clear_connection_is_dropped)
{

	set_policy(SPD_BYPASS);
	ck_assert_int_eq(latch_open(&e->lc, &latch, &flow.key), 0);
	ck_assert_uint_eq(latch.state, TL_LATCH_NONE);
	ck_assert_int_eq(flow_insert(&e->lc, &flow), 0);
	ck_assert_int_eq(judge(good).drop, DROP_LATCH_M6);
	ck_assert_int_eq(judge(0).verdict, VERDICT_ACCEPT);
}
END_TEST

/* P-11: packets of a latched connection ask no policy. */
START_TEST(p11_latched_traffic_needs_no_policy_lookup)
{
	uint64_t n;

	established();
	n = e->lc.stat.st[ST_SPD_LOOKUP];
	for (int i = 0; i < 50; i++)
		judge(good);
	ck_assert_uint_eq(e->lc.stat.st[ST_SPD_LOOKUP], n);
}
END_TEST

START_TEST(without_owner_the_policy_judges)
{
	ck_assert_int_eq(judge(0).drop, DROP_SPD_CLEAR);
	ck_assert_int_eq(judge(good).verdict, VERDICT_ACCEPT);
	ck_assert_int_eq(judge(nameless).drop, DROP_LATCH_M5);
	set_policy(SPD_DISCARD);
	ck_assert_int_eq(judge(good).drop, DROP_SPD_DISCARD_IN);
	set_policy(SPD_BYPASS);
	ck_assert_int_eq(judge(0).verdict, VERDICT_ACCEPT);
	policy(NULL, 0);
	ck_assert_int_eq(judge(0).drop, DROP_SPD_DISCARD_IN);
}
END_TEST

START_TEST(policy_that_names_a_peer_refuses_another)
{
	struct spd_rule r = {.action = SPD_PROTECT, .dir = SPD_BOTH, .peer_id = 2};

	esp_sel_any(&r.sel, 0);
	policy(&r, 1);
	ck_assert_int_eq(judge(stranger).drop, DROP_SPD_PROTECTION);
	ck_assert_int_eq(judge(good).verdict, VERDICT_ACCEPT);
}
END_TEST

/* P-6 */
/* E-20, RFC 4301 s6.1.1 */
START_TEST(e20_policy_tells_icmp_types_and_codes_apart)
{
	struct spd_rule r[2] = {{.id = 1, .action = SPD_BYPASS, .dir = SPD_BOTH},
		{.id = 2, .action = SPD_DISCARD, .dir = SPD_BOTH}};

	esp_sel_any(&r[0].sel, 0);
	esp_sel_any(&r[1].sel, 0);
	r[0].sel.proto = IPPROTO_N_ICMP;
	r[0].sel.lport = (struct port_range){0x0304, 0x0304}; /* fragmentation needed */
	policy(r, 2);
	for (uint16_t code = 0; code < 8; code++) {
		struct rte_mbuf *m = segment(0);
		struct pkt_sort s;

		pkt_sort_reset(&s);
		pkt_meta(m)->key.proto = IPPROTO_N_ICMP;
		pkt_meta(m)->key.lport = rte_cpu_to_be_16((uint16_t)(0x0300 | code));
		pkt_meta(m)->key.rport = 0;
		pkt_vec_add(&s.v[NX_ICMP], m);
		latch_in(&e->lc, &s);
		ck_assert_uint_eq(s.v[NX_ICMP].n, code == 4);
		if (code == 4)
			rte_pktmbuf_free(m);
	}
	ck_assert_uint_eq(e->lc.stat.drop[DROP_SPD_DISCARD_IN], 7);
}
END_TEST

/* P-6, T-2 */
START_TEST(p6_spawn_records_the_tag_of_the_initiating_packet)
{
	struct rte_mbuf *m = segment(good);

	add_sa(1, false, good, 2, 128);
	ck_assert_int_eq(latch_spawn(&e->lc, &latch, NULL, &flow.key, m), 0);
	ck_assert_uint_eq(latch.state, TL_LATCH_ESTABLISHED);
	ck_assert_uint_eq(latch.profile_in, good);
	rte_pktmbuf_free(m);
}
END_TEST

/* G-7, F-92: the answer goes under what the peer can check, whatever our own window is. */
START_TEST(spawn_with_window_off_answers_under_the_twin)
{
	struct rte_mbuf *m = segment(window_off);

	add_sa(1, false, good, 2, 128);
	ck_assert_int_eq(latch_spawn(&e->lc, &latch, NULL, &flow.key, m), 0);
	ck_assert_uint_eq(latch.profile_in, window_off);
	ck_assert_uint_eq(latch.profile_out, good);
	rte_pktmbuf_free(m);
}
END_TEST

START_TEST(spawn_without_outbound_sa_fails)
{
	struct rte_mbuf *m = segment(good);

	ck_assert_int_eq(latch_spawn(&e->lc, &latch, NULL, &flow.key, m), DROP_ESP_NOSA);
	ck_assert_uint_eq(latch.state, TL_LATCH_NONE);
	rte_pktmbuf_free(m);
}
END_TEST

START_TEST(f39_nobody_can_be_latched)
{
	struct rte_mbuf *m = segment(nameless);

	add_sa(1, false, nameless, 0, 128);
	ck_assert_int_eq(latch_spawn(&e->lc, &latch, NULL, &flow.key, m), DROP_LATCH_M5);
	ck_assert_int_eq(latch_open(&e->lc, &latch, &flow.key), -EACCES);
	rte_pktmbuf_free(m);
}
END_TEST

START_TEST(g12_open_without_sa_fails_and_policy_discard_is_eacces)
{

	ck_assert_int_eq(latch_open(&e->lc, &latch, &flow.key), -EHOSTUNREACH);
	set_policy(SPD_DISCARD);
	ck_assert_int_eq(latch_open(&e->lc, &latch, &flow.key), -EACCES);
}
END_TEST

/* G-10, F-27: a newer SA with the same profile is used at once, another peer's never. */
START_TEST(g10_stamp_follows_a_rekey_and_no_stranger)
{
	struct rte_mbuf *m = segment(0);
	struct flow_key k = key();

	established();
	add_sa(7, false, stranger, 3, 128);
	latch_stamp(&e->lc, &latch, &k, m);
	ck_assert_uint_eq(pkt_tag(&e->lc, m)->sad_index, 1);
	add_sa(8, false, good, 2, 128);
	latch_stamp(&e->lc, &latch, &k, m);
	ck_assert_uint_eq(pkt_tag(&e->lc, m)->sad_index, 8);
	ck_assert_uint_eq(pkt_tag(&e->lc, m)->profile, good);
	rte_pktmbuf_free(m);
}
END_TEST

START_TEST(g14_stamp_without_any_sa_still_asks_for_the_profile)
{
	struct rte_mbuf *m = segment(0);
	struct flow_key k = key();

	established();
	esp_sad_del(&e->lc, 1, 1, ESP_DEL_EXPIRE);
	latch_stamp(&e->lc, &latch, &k, m);
	ck_assert(pkt_is_tagged(&e->lc, m));
	ck_assert_uint_eq(pkt_tag(&e->lc, m)->profile, good);
	rte_pktmbuf_free(m);
}
END_TEST

START_TEST(r5_broken_latch_keeps_its_reason_after_release)
{
	established();
	latch_conflict(&e->lc, &latch, TL_LATCH_PEER_CONFLICT, false);
	ck_assert_uint_eq(latch.state, TL_LATCH_CLOSED);
	ck_assert_int_eq(judge(good).drop, DROP_LATCH_CLOSED);
	latch_release(&e->lc, &latch);
	ck_assert_uint_eq(latch.reason, TL_LATCH_PEER_CONFLICT);
}
END_TEST

/* F-1, F-3: what waited for its fragments is asked once more about its SA: revoked meanwhile, it is
 * stale; deleted by a rekey, it is good. */
START_TEST(f1_reassembled_packet_asks_for_its_sa_again)
{
	struct rte_mbuf *m;
	struct pkt_sort s;

	established();
	ck_assert_int_eq(esp_sad_del(&e->lc, 0, 1, _i == 0 ? ESP_DEL_REVOKED : ESP_DEL_REKEY), 0);
	m = segment(good);
	pkt_meta(m)->flags |= PKT_F_REASS;
	pkt_sort_reset(&s);
	pkt_vec_add(&s.v[NX_TCP], m);
	latch_in(&e->lc, &s);
	ck_assert_uint_eq(s.v[NX_TCP].n, _i == 0 ? 0 : 1);
	ck_assert_uint_eq(e->lc.stat.drop[DROP_ESP_STALE], _i == 0 ? 1 : 0);
	if (_i == 1)
		rte_pktmbuf_free(m);
}
END_TEST

/* An earlier packet of the burst may have broken the latch or taken the flow away. */
START_TEST(recheck_sees_what_changed_within_a_burst)
{
	struct rte_mbuf *m = segment(good);
	struct pkt_sort s;

	established();
	pkt_sort_reset(&s);
	pkt_vec_add(&s.v[NX_TCP], m);
	latch_in(&e->lc, &s);
	ck_assert(latch_recheck(&e->lc, m));
	ck_assert_ptr_eq(pkt_meta(m)->flow, &flow);
	flow_remove(&e->lc, &flow);
	ck_assert(latch_recheck(&e->lc, m));
	ck_assert_ptr_null(pkt_meta(m)->flow);
	ck_assert_int_eq(flow_insert(&e->lc, &flow), 0);
	latch_conflict(&e->lc, &latch, TL_LATCH_ADMIN, false);
	ck_assert(!latch_recheck(&e->lc, m));
}
END_TEST

/* F-50 */
START_TEST(f50_icmp_speaks_only_under_the_protection_of_what_it_quotes)
{
	struct flow_key k = key(), other = key();
	struct rte_mbuf *m = segment(0);

	established();
	other.rport = 9;
	ck_assert(!latch_may_speak(&e->lc, m, &k));
	pkt_tag_set(&e->lc, m, (struct tl_tag){.profile = stranger});
	ck_assert(!latch_may_speak(&e->lc, m, &k));
	pkt_tag_set(&e->lc, m, (struct tl_tag){.profile = good});
	ck_assert(latch_may_speak(&e->lc, m, &k));
	ck_assert(!latch_may_speak(&e->lc, m, &other));
	latch.state = TL_LATCH_BROKEN; /* while it waits, it hears nothing */
	ck_assert(!latch_may_speak(&e->lc, m, &k));
	latch.state = TL_LATCH_ESTABLISHED;
	rte_pktmbuf_free(m);
}
END_TEST

/* F-49, G-23: of a connection in clear, a protected error is as foreign as a clear one of a
 * protected connection. */
START_TEST(f49_icmp_about_a_clear_connection_is_clear)
{
	struct flow_key k = key();
	struct rte_mbuf *m = segment(good);

	set_policy(SPD_BYPASS);
	ck_assert_int_eq(latch_open(&e->lc, &latch, &flow.key), 0);
	ck_assert_int_eq(flow_insert(&e->lc, &flow), 0);
	ck_assert(!latch_may_speak(&e->lc, m, &k));
	pkt_tag_clear(&e->lc, m);
	ck_assert(latch_may_speak(&e->lc, m, &k));
	rte_pktmbuf_free(m);
}
END_TEST

/* F-33 */
START_TEST(f33_answer_gets_the_protection_of_the_question)
{
	struct rte_mbuf *q = segment(good), *a = segment(0);

	latch_stamp_answer(&e->lc, q, a);
	ck_assert(pkt_is_tagged(&e->lc, a));
	ck_assert_uint_eq(pkt_tag(&e->lc, a)->profile, good);
	pkt_tag_clear(&e->lc, q);
	latch_stamp_answer(&e->lc, q, a);
	ck_assert(!pkt_is_tagged(&e->lc, a));
	rte_pktmbuf_free(q);
	rte_pktmbuf_free(a);
}
END_TEST

/* F-28: whatever fits by this sum fits on the wire, and one byte more may not. */
START_TEST(room_under_the_latch_is_what_esp_leaves)
{
	struct latch clear = {0};

	established();
	for (uint32_t mtu = 600; mtu < 700; mtu++) {
		uint32_t room = latch_l4_room(&latch, mtu, 20);

		ck_assert_uint_le(20 + 8 + 8 + ((room + 2 + 3) & ~3u) + 16, mtu);
		ck_assert_uint_gt(20 + 8 + 8 + ((room + 1 + 2 + 3) & ~3u) + 16, mtu);
	}
	ck_assert_uint_eq(latch_l4_room(&clear, 1500, 20), 1480);
	/* What is smaller than all that goes around the text leaves nothing. */
	for (uint32_t mtu = 0; mtu < 100; mtu++) {
		ck_assert_uint_le(latch_l4_room(&latch, mtu, 20), mtu);
		ck_assert_uint_le(latch_l4_room(&clear, mtu, 40), mtu);
	}
}
END_TEST

START_TEST(q1_info_tells_state_suite_identities_and_drops)
{
	struct tl_latch_info i;
	struct tl_ident id;
	socklen_t len = sizeof(i);
	struct flow_key k = key();

	established();
	judge(0);
	ck_assert_int_eq(latch_getopt(&e->lc, &latch, &k, TL_LATCH_INFO, &i, &len), 0);
	ck_assert_uint_eq(i.state, TL_LATCH_ESTABLISHED);
	ck_assert_uint_eq(i.nsuite, 1);
	ck_assert_uint_eq(i.suite[0].encr, TL_ENCR_AES_GCM_16);
	ck_assert_uint_eq(i.suite[0].encr_bits, 128);
	ck_assert_uint_eq(i.mode, TL_LATCH_MODE_TRANSPORT);
	ck_assert_uint_eq(i.type, TL_LATCH_TYPE_CONF | TL_LATCH_TYPE_INTEG);
	ck_assert_uint_eq(i.drop_clear, 1);
	len = sizeof(id);
	ck_assert_int_eq(latch_getopt(&e->lc, &latch, &k, TL_LATCH_PEER_ID, &id, &len), 0);
	ck_assert_uint_eq(id.data[0], 'b');
	len = 4;
	ck_assert_int_eq(latch_getopt(&e->lc, &latch, &k, TL_LATCH_INFO, &i, &len), -EMSGSIZE);
	ck_assert_uint_eq(len, sizeof(i));
}
END_TEST

/* long: the list of tests. */
static void
add_tests(TCase *c)
{
	tcase_add_test(c, p5_open_records_the_profile_of_the_outbound_sa);
	tcase_add_test(c, ok_same_profile_is_accepted);
	tcase_add_test(c, m0_clear_is_dropped_and_counted_and_never_breaks);
	tcase_add_test(c, m2_other_key_length_of_the_same_peer_breaks);
	tcase_add_test(c, g7_window_off_of_the_same_peer_breaks);
	tcase_add_test(c, m3_other_identity_with_equal_suite_breaks);
	tcase_add_test(c, m5_unknown_identity_is_dropped_without_a_break);
	tcase_add_test(c, m6_protected_segment_on_a_clear_connection_is_dropped);
	tcase_add_test(c, p11_latched_traffic_needs_no_policy_lookup);
	tcase_add_test(c, without_owner_the_policy_judges);
	tcase_add_test(c, policy_that_names_a_peer_refuses_another);
	tcase_add_test(c, e20_policy_tells_icmp_types_and_codes_apart);
	tcase_add_test(c, p6_spawn_records_the_tag_of_the_initiating_packet);
	tcase_add_test(c, spawn_with_window_off_answers_under_the_twin);
	tcase_add_test(c, spawn_without_outbound_sa_fails);
	tcase_add_test(c, f39_nobody_can_be_latched);
	tcase_add_test(c, g12_open_without_sa_fails_and_policy_discard_is_eacces);
	tcase_add_test(c, g10_stamp_follows_a_rekey_and_no_stranger);
	tcase_add_test(c, g14_stamp_without_any_sa_still_asks_for_the_profile);
	tcase_add_test(c, r5_broken_latch_keeps_its_reason_after_release);
	tcase_add_loop_test(c, f1_reassembled_packet_asks_for_its_sa_again, 0, 2);
	tcase_add_test(c, recheck_sees_what_changed_within_a_burst);
	tcase_add_test(c, f49_icmp_about_a_clear_connection_is_clear);
	tcase_add_test(c, f50_icmp_speaks_only_under_the_protection_of_what_it_quotes);
	tcase_add_test(c, f33_answer_gets_the_protection_of_the_question);
	tcase_add_test(c, room_under_the_latch_is_what_esp_leaves);
	tcase_add_test(c, q1_info_tells_state_suite_identities_and_drops);
}

int
main(void)
{
	Suite *s = suite_create("latch_in");
	TCase *c = tcase_create("latch_in");

	tcase_add_checked_fixture(c, setup, teardown);
	add_tests(c);
	suite_add_tcase(s, c);
	return env_main(s);
}
