/* SPDX-License-Identifier: BSD-3-Clause */
/* What breaks a latch, what does not, and what must be true before it comes back. */
#include "latch/latch_ctx.h"
#include "tests/latch/latch_env.h"

enum { MS = 1000000 };

static enum latch_act told;
static uint32_t tellings;

static void
alert(struct lcore *lc, struct latch *l, enum latch_act act)
{
	(void)lc;
	ck_assert_ptr_eq(l, &latch);
	told = act;
	tellings++;
}

static void
begin(void)
{
	setup();
	told = LATCH_ACT_NONE;
	tellings = 0;
	e->lc.latch->conf.disposition = TL_LATCH_DISP_WAIT;
	latch_set_owner(&e->lc, IPPROTO_N_TCP, alert);
}

static void
pass(uint64_t ms)
{
	for (uint64_t i = 0; i < ms; i += 10) {
		e->lc.now_ns += 10 * (uint64_t)MS;
		tmr_run(&e->lc);
	}
}

static void
broken(void)
{
	established();
	ck_assert_int_eq(
		latch_conflict(&e->lc, &latch, TL_LATCH_PEER_CONFLICT, false), LATCH_ACT_PAUSE);
}

static struct esp_sa_conf
covering(uint32_t prof, uint32_t peer, bool inbound)
{
	struct esp_sa_conf c = {.spi = 0x9000,
		.inbound = inbound,
		.mode = ESP_MODE_TRANSPORT,
		.local = key().local,
		.remote = key().remote,
		.local_id = 1,
		.peer_id = peer,
		.profile = prof};

	esp_sel_any(&c.sel, 0);
	return c;
}

/* K-6, B.4: quiet for the time, and an SA of the peer; one without the other does not do. */
START_TEST(k6_returns_when_it_was_quiet_and_an_sa_is_there)
{
	broken();
	pass(2900);
	ck_assert_uint_eq(latch.state, TL_LATCH_BROKEN);
	pass(500);
	ck_assert_uint_eq(latch.state, TL_LATCH_ESTABLISHED);
	ck_assert_int_eq(told, LATCH_ACT_GO);
	ck_assert_uint_eq(latch.resumes, 1);
}
END_TEST

START_TEST(k6_does_not_return_without_an_sa)
{
	broken();
	ck_assert_int_eq(esp_sad_del(&e->lc, 1, 1, ESP_DEL_REKEY), 0);
	pass(60000);
	ck_assert_uint_eq(latch.state, TL_LATCH_BROKEN);
	add_sa(2, false, good, 2, 128);
	latch_sad_changed(&e->lc, NULL);
	ck_assert_uint_eq(latch.state, TL_LATCH_ESTABLISHED);
}
END_TEST

/* K-6, e9: what an SA broke stays broken while such an SA is there. */
START_TEST(k6_does_not_return_while_the_conflicting_sa_is_there)
{
	struct esp_sa_conf c = covering(stranger, 3, true);

	established();
	ck_assert_uint_eq(latch_sa_adding(&e->lc, &c, true), 1);
	add_sa(2, true, stranger, 3, 128);
	pass(60000);
	ck_assert_uint_eq(latch.state, TL_LATCH_BROKEN);
	ck_assert_uint_eq(latch.reason, TL_LATCH_SA_CONFLICT);
	ck_assert_int_eq(esp_sad_del(&e->lc, 2, 1, ESP_DEL_ADMIN), 0);
	latch_sad_changed(&e->lc, NULL);
	ck_assert_uint_eq(latch.state, TL_LATCH_ESTABLISHED);
}
END_TEST

/* K-3: it must cover the flow, and must not be congruent. */
START_TEST(k3_what_is_a_conflict)
{
	struct esp_sa_conf c = covering(stranger, 3, true);

	established();
	addr_range_of_host(&c.sel.remote, &c.local);
	ck_assert_uint_eq(latch_sa_adding(&e->lc, &c, true), 0);
	c = covering(good, 2, true);
	ck_assert_uint_eq(latch_sa_adding(&e->lc, &c, true), 0);
	c = covering(weaker, 2, false);
	ck_assert_uint_eq(latch_sa_adding(&e->lc, &c, false), 1);
	ck_assert_uint_eq(latch.state, TL_LATCH_ESTABLISHED);
	ck_assert_uint_eq(latch_sa_adding(&e->lc, &c, true), 1);
	ck_assert_uint_eq(latch.state, TL_LATCH_BROKEN);
	ck_assert_int_eq(told, LATCH_ACT_PAUSE);
}
END_TEST

/* K-10: the answer to our request for an SA is an outbound SA of another peer. */
START_TEST(k10_the_answer_was_another_peer)
{
	struct esp_sa_conf c = covering(stranger, 3, _i == 0);

	established();
	ck_assert_int_eq(esp_sad_del(&e->lc, 1, 1, ESP_DEL_EXPIRE), 0);
	latch_sad_changed(&e->lc, &c);
	ck_assert_uint_eq(latch.state, TL_LATCH_ESTABLISHED); /* nothing had to leave yet */
	latch_refresh(&e->lc, &latch, &flow.key);
	ck_assert_uint_ne(latch.flags & LATCH_IS_STARVED, 0);
	latch_sad_changed(&e->lc, &c);
	ck_assert_uint_eq(latch.state, _i == 0 ? TL_LATCH_ESTABLISHED : TL_LATCH_BROKEN);
	/* One of the same peer is what it waited for. */
	if (_i == 0) {
		add_sa(2, false, good, 2, 128);
		c = covering(good, 2, false);
		latch_sad_changed(&e->lc, &c);
		ck_assert_int_eq(told, LATCH_ACT_GO);
	}
}
END_TEST

/* S-2, S-5, K-6: an edit breaks; the edit undone, it comes back, not earlier. */
START_TEST(s2_returns_when_the_edit_is_undone)
{
	struct spd_rule r = {.action = SPD_DISCARD, .dir = SPD_BOTH};
	struct spd *next;
	const char *why;

	established();
	e->lc.latch->conf.spd_break = true;
	esp_sel_any(&r.sel, 0);
	ck_assert_int_eq(spd_build(&r, 1, &next, &why), 0);
	ck_assert_uint_eq(latch_policy_edit(&e->lc, next), 1);
	spd_free(next);
	ck_assert_uint_eq(latch.state, TL_LATCH_BROKEN);
	ck_assert_uint_eq(latch.reason, TL_LATCH_SPD_CHANGE);
	set_policy(SPD_DISCARD);
	pass(60000);
	ck_assert_uint_eq(latch.state, TL_LATCH_BROKEN);
	set_policy(SPD_PROTECT);
	latch_policy_changed(&e->lc);
	ck_assert_uint_eq(latch.state, TL_LATCH_ESTABLISHED);
}
END_TEST

/* S-2: what disagreed before the edit, and what a program may do against the policy, is left alone.
 */
START_TEST(s2_o5_edit_that_changes_nothing_for_the_latch)
{
	struct spd_rule r = {.action = SPD_BYPASS, .dir = SPD_BOTH};
	struct spd *next;
	const char *why;

	established();
	e->lc.latch->conf.spd_break = true;
	esp_sel_any(&r.sel, 0);
	if (_i == 0)
		set_policy(SPD_DISCARD); /* preserved from an older edit, say */
	else
		latch.flags |= LATCH_IS_OVERRIDE;
	ck_assert_int_eq(spd_build(&r, 1, &next, &why), 0);
	ck_assert_uint_eq(latch_policy_edit(&e->lc, next), 0);
	spd_free(next);
	ck_assert_uint_eq(latch.state, TL_LATCH_ESTABLISHED);
}
END_TEST

/* S-2, E.2: the socket's own choice stands before the system's. */
START_TEST(s2_socket_chooses_preserve_or_break)
{
	struct tl_latch_disp d = {.on_spd = _i == 0 ? TL_LATCH_SPD_PRESERVE : TL_LATCH_SPD_BREAK};
	struct spd_rule r = {.action = SPD_DISCARD, .dir = SPD_BOTH};
	struct spd *next;
	const char *why;

	established();
	e->lc.latch->conf.spd_break = _i == 0;
	ck_assert_int_eq(
		latch_setopt(&e->lc, &latch, &flow.key, false, TL_LATCH_DISPOSITION, &d, sizeof(d)),
		0);
	esp_sel_any(&r.sel, 0);
	ck_assert_int_eq(spd_build(&r, 1, &next, &why), 0);
	ck_assert_uint_eq(latch_policy_edit(&e->lc, next), _i == 0 ? 0 : 1);
	spd_free(next);
}
END_TEST

/* M-5, B.4 (6): who was dead shows itself by a packet; the clock alone is no proof. */
START_TEST(dead_peer_returns_by_its_own_packet_only)
{
	established();
	e->lc.latch->conf.dpd = LATCH_DPD_BREAK;
	ck_assert_uint_eq(latch_peer(&e->lc, 2, LATCH_PEER_DEAD), 1);
	ck_assert_uint_eq(latch.state, TL_LATCH_BROKEN);
	pass(60000);
	ck_assert_uint_eq(latch.state, TL_LATCH_BROKEN);
	ck_assert_int_eq(judge(good).verdict, VERDICT_ACCEPT);
	ck_assert_uint_eq(latch.state, TL_LATCH_ESTABLISHED);
}
END_TEST

/* M-5: per socket; M-10: none of it says that the peer is gone for ever. */
START_TEST(socket_chooses_what_a_dead_peer_means)
{
	static const uint8_t state[] = {TL_LATCH_ESTABLISHED, TL_LATCH_BROKEN, TL_LATCH_CLOSED};
	struct tl_latch_disp d = {.on_peer_dead = (uint8_t)(TL_LATCH_DEAD_IGNORE + _i)};

	established();
	ck_assert_int_eq(
		latch_setopt(&e->lc, &latch, &flow.key, false, TL_LATCH_DISPOSITION, &d, sizeof(d)),
		0);
	latch_peer(&e->lc, 2, LATCH_PEER_DEAD);
	ck_assert_uint_eq(latch.state, state[_i]);
}
END_TEST

/* D-10: a datagram's latch ends when its peer was rebooted, whatever the system says of TCP. */
START_TEST(d10_reboot_ends_the_latch_of_a_datagram)
{
	e->lc.latch->conf.dpd = LATCH_DPD_IGNORE;
	flow.key.proto = IPPROTO_N_UDP;
	established();
	ck_assert_uint_eq(latch_peer(&e->lc, 2, LATCH_PEER_REBOOT), 1);
	ck_assert_uint_eq(latch.state, TL_LATCH_CLOSED);
	ck_assert_uint_eq(latch.reason, TL_LATCH_PEER_REBOOT);
}
END_TEST

/* C-4: the refusal is of a pair of addresses, or of one flow. */
START_TEST(c4_refusal_names_its_flow)
{
	struct flow_key k = key();

	e->lc.latch->conf.wait_sa = true;
	ck_assert_int_eq(latch_open(&e->lc, &latch, &flow.key), 0);
	ck_assert_uint_eq(latch.state, TL_LATCH_WANTED);
	k.rport = RTE_BE16(1);
	ck_assert_uint_eq(latch_refused(&e->lc, &k), 0);
	k = key();
	k.remote = k.local;
	ck_assert_uint_eq(latch_refused(&e->lc, &k), 0);
	k = key();
	ck_assert_uint_eq(latch_refused(&e->lc, &k), 1);
	ck_assert_uint_eq(latch.state, TL_LATCH_CLOSED);
	ck_assert_int_eq(latch_errno(&latch, ECONNREFUSED), EHOSTUNREACH);
}
END_TEST

/* C-4: what the refusal leaves open may be anything; what it names must be it, and that alone. */
START_TEST(c4_refusal_is_as_wide_as_it_says)
{
	static const struct {
		rte_be16_t lport, rport;
		uint8_t proto;
		uint32_t n;
	} said[] = {{0, 0, 0, 1}, {0, RTE_BE16(4000), 0, 1}, {RTE_BE16(7), 0, 0, 1},
		{0, 0, IPPROTO_N_TCP, 1}, {0, RTE_BE16(4001), 0, 0}, {RTE_BE16(8), 0, 0, 0},
		{0, 0, IPPROTO_N_UDP, 0}, {RTE_BE16(7), RTE_BE16(4000), IPPROTO_N_UDP, 0}};
	struct flow_key k = key();

	e->lc.latch->conf.wait_sa = true;
	ck_assert_int_eq(latch_open(&e->lc, &latch, &flow.key), 0);
	k.lport = said[_i].lport;
	k.rport = said[_i].rport;
	k.proto = said[_i].proto;
	ck_assert_uint_eq(latch_refused(&e->lc, &k), said[_i].n);
	ck_assert_uint_eq(latch.state, said[_i].n == 1 ? TL_LATCH_CLOSED : TL_LATCH_WANTED);
}
END_TEST

/* C-7, e11: what a WANTED latch finds may be ambiguous, or the policy another by then. */
START_TEST(c7_wanted_latch_refuses_what_connect_would_refuse)
{
	e->lc.latch->conf.wait_sa = true;
	ck_assert_int_eq(latch_open(&e->lc, &latch, &flow.key), 0);
	if (_i == 0) {
		add_sa(1, false, good, 2, 128);
		add_sa(2, false, stranger, 3, 128);
		latch_sad_changed(&e->lc, NULL);
		ck_assert_uint_eq(latch.reason, TL_LATCH_PEER_CONFLICT);
	} else {
		set_policy(_i == 1 ? SPD_BYPASS : SPD_DISCARD);
		latch_policy_changed(&e->lc);
		ck_assert_uint_eq(latch.reason, TL_LATCH_SPD_CHANGE);
	}
	ck_assert_uint_eq(latch.state, TL_LATCH_CLOSED);
	ck_assert_int_eq(told, LATCH_ACT_RESET);
}
END_TEST

/* G-13, e5, e6: a WANTED latch takes nothing, whatever protects it. */
START_TEST(g13_wanted_latch_takes_nothing)
{
	e->lc.latch->conf.wait_sa = true;
	ck_assert_int_eq(latch_open(&e->lc, &latch, &flow.key), 0);
	ck_assert_int_eq(flow_insert(&e->lc, &flow), 0);
	ck_assert_int_eq(judge(0).drop, DROP_LATCH_BROKEN);
	ck_assert_int_eq(judge(good).drop, DROP_LATCH_BROKEN);
	ck_assert_int_eq(judge(stranger).drop, DROP_LATCH_BROKEN);
	ck_assert_uint_eq(latch.state, TL_LATCH_WANTED);
}
END_TEST

/* G-22: connect takes an SA of the peer that the address has, not the newest. */
START_TEST(g22_connect_takes_the_siblings_peer)
{
	static struct latch second;
	struct flow_key k = key();

	established();
	add_sa(3, false, stranger, 3, 128);
	e->lc.latch->conf.same_peer = true;
	e->lc.latch->conf.open_newest = true;
	memset(&second, 0, sizeof(second));
	k.rport = RTE_BE16(4001);
	ck_assert_int_eq(latch_open(&e->lc, &second, &k), 0);
	ck_assert_uint_eq(second.profile_out, good);
	latch_release(&e->lc, &second);
	e->lc.latch->conf.same_peer = false;
	latch_renew(&second);
	ck_assert_int_eq(latch_open(&e->lc, &second, &k), 0);
	ck_assert_uint_eq(second.profile_out, stranger);
	latch_release(&e->lc, &second);
}
END_TEST

/* Z-1, Z-2, B-12: break goes by the disposition, close does not. */
START_TEST(z1_z2_break_and_close)
{
	struct latch_filter f = {.peer_id = 2};

	established();
	ck_assert_uint_eq(_i == 0 ? latch_admin_break(&e->lc, &f)
				  : latch_admin_close(&e->lc, &f, TL_LATCH_ADMIN),
		1);
	ck_assert_uint_eq(latch.state, _i == 0 ? TL_LATCH_BROKEN : TL_LATCH_CLOSED);
	ck_assert_uint_eq(latch.reason, TL_LATCH_ADMIN);
	ck_assert_int_eq(told, _i == 0 ? LATCH_ACT_PAUSE : LATCH_ACT_RESET);
	if (_i == 0) { /* also of what is BROKEN */
		ck_assert_uint_eq(latch_admin_close(&e->lc, &f, TL_LATCH_KM_STATE_LOST), 1);
		ck_assert_uint_eq(latch.state, TL_LATCH_CLOSED);
	}
	ck_assert_uint_eq(latch_admin_break(&e->lc, &f), 0);
}
END_TEST

/* B-22, F-26: BROKEN is left by three ways only, CLOSED by none. */
START_TEST(closed_is_final)
{
	established();
	e->lc.latch->conf.disposition = TL_LATCH_DISP_RESET;
	ck_assert_int_eq(
		latch_conflict(&e->lc, &latch, TL_LATCH_QOP_CONFLICT, false), LATCH_ACT_RESET);
	ck_assert_int_eq(
		latch_conflict(&e->lc, &latch, TL_LATCH_PEER_CONFLICT, true), LATCH_ACT_NONE);
	ck_assert_uint_eq(latch_peer(&e->lc, 2, LATCH_PEER_DEAD), 0);
	latch_sad_changed(&e->lc, NULL);
	pass(10000);
	ck_assert_uint_eq(latch.state, TL_LATCH_CLOSED);
	ck_assert_uint_eq(latch.reason, TL_LATCH_QOP_CONFLICT);
	ck_assert_int_eq(judge(good).drop, DROP_LATCH_CLOSED);
}
END_TEST

static void
end(void)
{
	latch_release(&e->lc, &latch);
	latch_fini(&latch);
	teardown();
}

int
main(void)
{
	Suite *s = suite_create("latch_break");
	TCase *c = tcase_create("break");

	tcase_add_checked_fixture(c, begin, end);
	tcase_add_test(c, k6_returns_when_it_was_quiet_and_an_sa_is_there);
	tcase_add_test(c, k6_does_not_return_without_an_sa);
	tcase_add_test(c, k6_does_not_return_while_the_conflicting_sa_is_there);
	tcase_add_test(c, k3_what_is_a_conflict);
	tcase_add_loop_test(c, k10_the_answer_was_another_peer, 0, 2);
	tcase_add_test(c, s2_returns_when_the_edit_is_undone);
	tcase_add_loop_test(c, s2_o5_edit_that_changes_nothing_for_the_latch, 0, 2);
	tcase_add_loop_test(c, s2_socket_chooses_preserve_or_break, 0, 2);
	tcase_add_test(c, dead_peer_returns_by_its_own_packet_only);
	tcase_add_loop_test(c, socket_chooses_what_a_dead_peer_means, 0, 3);
	tcase_add_test(c, d10_reboot_ends_the_latch_of_a_datagram);
	tcase_add_test(c, c4_refusal_names_its_flow);
	tcase_add_loop_test(c, c4_refusal_is_as_wide_as_it_says, 0, 8);
	tcase_add_loop_test(c, c7_wanted_latch_refuses_what_connect_would_refuse, 0, 3);
	tcase_add_test(c, g13_wanted_latch_takes_nothing);
	tcase_add_test(c, g22_connect_takes_the_siblings_peer);
	tcase_add_loop_test(c, z1_z2_break_and_close, 0, 2);
	tcase_add_test(c, closed_is_final);
	suite_add_tcase(s, c);
	return env_main(s);
}
