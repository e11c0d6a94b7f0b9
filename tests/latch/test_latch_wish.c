/* SPDX-License-Identifier: BSD-3-Clause */
/* What each latched parameter is worth, and what a program may ask for. */
#include <netinet/in.h>
#include <sys/prctl.h>
#include <linux/capability.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "latch/latch_ctx.h"
#include "tests/latch/latch_env.h"

static struct latch_profile
base(void)
{
	return *latch_profile_get(tables, good);
}

static int
set(int opt, const void *val, socklen_t len)
{
	return latch_setopt(&e->lc, &latch, &flow.key, true, opt, val, len);
}

static int
ask(uint32_t flags)
{
	struct tl_latch_req r = {.version = 1, .size = sizeof(r), .flags = flags};

	return set(TL_LATCH_REQUEST, &r, sizeof(r));
}

static int
ask_req(struct tl_latch_req r)
{
	r.version = 1;
	r.size = sizeof(r);
	return set(TL_LATCH_REQUEST, &r, sizeof(r));
}

static int
open_latch(void)
{
	return latch_open(&e->lc, &latch, &flow.key);
}

/* An SA pair with this profile, in slots 2n and 2n+1; narrow: for the one flow. */
static void
pair(uint32_t n, const struct latch_profile *p, bool narrow, bool udp)
{
	for (uint32_t i = 0; i < 2; i++) {
		struct esp_sa_conf c = {.spi = 0x2000 + 2 * n + i,
			.inbound = i == 0,
			.mode = p->mode,
			.encr = p->encr,
			.encr_bits = p->encr_bits,
			.key_len = (uint8_t)(p->encr_bits / 8 + 4),
			.local = key().local,
			.remote = key().remote,
			.local_id = p->local_id,
			.peer_id = p->peer_id,
			.udp = udp,
			.udp_local = udp ? 4500 : 0,
			.udp_remote = udp ? 4500 : 0,
			.profile = latch_profile_intern(tables, p)};

		esp_sel_any(&c.sel, 0);
		if (narrow) {
			addr_range_of_host(&c.sel.local, &c.local);
			addr_range_of_host(&c.sel.remote, &c.remote);
			c.sel.proto = IPPROTO_N_TCP;
			c.sel.lport = (struct port_range){7, 7};
			c.sel.rport = (struct port_range){4000, 4000};
		}
		ck_assert_int_eq(esp_sad_add(&e->lc, &c, 2 * n + i, 1), 0);
	}
}

/* G-3 to G-9, K-3, E-16: each parameter that differs is a conflict, and which one it is. */
START_TEST(g3_g4_g5_g6_g7_g8_g9_each_parameter_counts)
{
	struct latch_profile p = base();
	struct said r;

	established();
	switch (_i) {
	case 0:
		p.type = TL_LATCH_TYPE_INTEG;
		break;
	case 1:
		p.mode = TL_LATCH_MODE_TUNNEL;
		break;
	case 2:
		p.encr = TL_ENCR_CHACHA20_POLY1305;
		break;
	case 3:
		p.encr_bits = 256;
		break;
	case 4:
		p.replay = 0;
		break;
	case 5:
		p.replay |= TL_LATCH_REPLAY_ESN;
		break;
	case 6:
		p.integ = TL_AUTH_HMAC_SHA2_256_128;
		break;
	case 7:
		p.icv_bits = 96;
		break;
	case 8:
		p.local_id = 3;
		break;
	default:
		p.peer_id = 3;
		break;
	}
	r = judge(latch_profile_intern(tables, &p));
	ck_assert_int_eq(r.verdict, VERDICT_BREAK);
	ck_assert_int_eq(r.reason, _i < 8 ? TL_LATCH_QOP_CONFLICT : TL_LATCH_PEER_CONFLICT);
}
END_TEST

/* N-5, F-29, N-4: behind a NAT another peer's packet is dropped, and breaks nothing. */
START_TEST(f29_another_peer_behind_the_nat_breaks_nothing)
{
	struct latch_profile p = base();

	pair(0, &p, false, true);
	ck_assert_int_eq(open_latch(), 0);
	ck_assert_int_eq(flow_insert(&e->lc, &flow), 0);
	ck_assert_uint_ne(latch.flags & LATCH_IS_NATT, 0);
	ck_assert_int_eq(judge(stranger).drop, DROP_LATCH_M3);
	ck_assert_uint_eq(latch.state, TL_LATCH_ESTABLISHED);
	ck_assert_int_eq(latch_new_syn(&e->lc, &latch), LATCH_SYN_DROP);
}
END_TEST

/* G-24, Q-5: a program that takes any of a list: suites of the list are congruent, others are not;
 * what it is now is told as not determined. */
START_TEST(g24_a_list_of_suites_is_reported_as_indeterminate)
{
	struct tl_latch_req r = {.flags = TL_LATCH_SET_OK, .nsuite = 2};
	struct latch_profile p = base(), other = base(), third = base();
	struct tl_latch_info i;
	socklen_t len = sizeof(i);

	r.suite[0] = (struct tl_latch_suite){.encr = TL_ENCR_AES_GCM_16, .encr_bits = 128};
	r.suite[1] = (struct tl_latch_suite){.encr = TL_ENCR_AES_GCM_16, .encr_bits = 256};
	ck_assert_int_eq(ask_req(r), 0);
	pair(0, &p, false, false);
	ck_assert_int_eq(open_latch(), 0);
	ck_assert_int_eq(flow_insert(&e->lc, &flow), 0);
	other.encr_bits = 256;
	third.encr_bits = 192;
	ck_assert_int_eq(judge(latch_profile_intern(tables, &other)).verdict, VERDICT_ACCEPT);
	ck_assert_int_eq(judge(latch_profile_intern(tables, &third)).reason, TL_LATCH_QOP_CONFLICT);
	other.peer_id = 3;
	ck_assert_int_eq(
		judge(latch_profile_intern(tables, &other)).reason, TL_LATCH_PEER_CONFLICT);
	other = base();
	other.encr_bits = 256;
	other.mode = TL_LATCH_MODE_TUNNEL;
	ck_assert_int_eq(judge(latch_profile_intern(tables, &other)).reason, TL_LATCH_QOP_CONFLICT);
	ck_assert_int_eq(latch_getopt(&e->lc, &latch, &flow.key, TL_LATCH_INFO, &i, &len), 0);
	ck_assert_uint_ne(i.flags & TL_LATCH_F_QOP_INDETERMINATE, 0);
	ck_assert_uint_eq(i.nsuite, 2);
	ck_assert_uint_eq(i.suite[1].encr_bits, 256);
	/* What leaves takes the other one when it is all there is (C.4). */
	other.mode = TL_LATCH_MODE_TRANSPORT;
	pair(1, &other, false, false);
	ck_assert_int_eq(esp_sad_del(&e->lc, 1, 1, ESP_DEL_REKEY), 0);
	ck_assert(!latch_refresh(&e->lc, &latch, &flow.key) || latch.also_out != 0);
	ck_assert_uint_eq(latch.also_out, latch_profile_intern(tables, &other));
	ck_assert_uint_eq(latch.profile_out, good);
}
END_TEST

/* G-25, N-4: an SA for this flow alone, now and after every rekey. */
START_TEST(g25_unique_takes_no_wide_sa)
{
	struct latch_profile p = base();
	struct tl_latch_info i;
	socklen_t len = sizeof(i);

	ck_assert_int_eq(ask(TL_LATCH_UNIQUE), 0);
	pair(0, &p, false, false);
	ck_assert_int_eq(open_latch(), -EHOSTUNREACH);
	pair(1, &p, true, false);
	ck_assert_int_eq(open_latch(), 0);
	ck_assert_uint_eq(latch.sad_index, 3);
	ck_assert_int_eq(latch_getopt(&e->lc, &latch, &flow.key, TL_LATCH_INFO, &i, &len), 0);
	ck_assert_uint_ne(i.flags & TL_LATCH_F_UNIQUE, 0);
	/* Only the wide one is left: nothing leaves. */
	ck_assert_int_eq(esp_sad_del(&e->lc, 3, 1, ESP_DEL_REKEY), 0);
	latch_refresh(&e->lc, &latch, &flow.key);
	ck_assert_uint_ne(latch.flags & LATCH_IS_STARVED, 0);
}
END_TEST

/* G-26: who names one suite gets an SA of its own, or none. */
START_TEST(g26_one_suite_means_an_sa_of_its_own)
{
	struct tl_latch_req r = {
		.nsuite = 1, .suite = {{.encr = TL_ENCR_AES_GCM_16, .encr_bits = 128}}};
	struct latch_profile p = base();

	ck_assert_int_eq(ask_req(r), 0);
	pair(0, &p, false, false);
	ck_assert_int_eq(open_latch(), -EHOSTUNREACH);
	pair(1, &p, true, false);
	ck_assert_int_eq(open_latch(), 0);
	ck_assert_uint_ne(latch.flags & LATCH_IS_UNIQUE, 0);
}
END_TEST

/* Q-7, C-6: each thing that can be asked for is looked at. */
START_TEST(q7_each_request_is_compared)
{
	static const struct tl_latch_req reqs[] = {{.type = TL_LATCH_TYPE_CONF},
		{.mode = TL_LATCH_MODE_TUNNEL}, {.replay = TL_LATCH_REPLAY_ESN},
		{.nsuite = 1,
			.suite = {{.encr = TL_ENCR_CHACHA20_POLY1305}},
			.flags = TL_LATCH_SET_OK},
		{.nsuite = 1, .suite = {{.encr = TL_ENCR_AES_GCM_16, .encr_bits = 256}}}};
	struct latch_profile p = base();
	struct tl_ident id = {.type = TL_ID_FQDN, .len = 1, .data = "c"};

	if (_i == 0)
		p.type = TL_LATCH_TYPE_INTEG;
	pair(0, &p, true, false);
	if (_i < 5)
		ck_assert_int_eq(ask_req(reqs[_i]), 0);
	else
		ck_assert_int_eq(
			set(_i == 5 ? TL_LATCH_LOCAL_ID : TL_LATCH_PEER_ID, &id, sizeof(id)), 0);
	ck_assert_int_eq(open_latch(), -EHOSTUNREACH);
	latch_fini(&latch);
	/* It is the request that made the difference. */
	ck_assert_int_eq(open_latch(), 0);
}
END_TEST

/* O-2, O-8, L-11, E.4: the privilege is asked at the call; DISCARD can be asked away by nobody. */
START_TEST(o8_lattice)
{
	struct __user_cap_header_struct h = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct all[2], none[2] = {{0}};
	struct latch_profile p = base();
	static const int protect[] = {-EACCES, -EACCES, 0}, bypass[] = {-EACCES, 0, 0};

	pair(0, &p, true, false);
	e->lc.latch->conf.override = e->lc.latch->conf.optional = _i >= 3;
	set_policy((enum spd_action)(_i % 3));
	ck_assert_int_eq(ask(TL_LATCH_REQUIRED), 0);
	ck_assert_int_eq(open_latch(), _i < 3 ? protect[_i] : _i % 3 == SPD_DISCARD ? -EACCES : 0);
	latch_release(&e->lc, &latch);
	latch_renew(&latch);
	latch_fini(&latch);
	/* In clear: the privileged only. */
	ck_assert_int_eq(syscall(SYS_capget, &h, all), 0);
	none[0].permitted = all[0].permitted;
	none[1].permitted = all[1].permitted;
	ck_assert_int_eq(syscall(SYS_capset, &h, none), 0);
	ck_assert_int_eq(ask(TL_LATCH_BYPASS), -EPERM);
	ck_assert_int_eq(ask(TL_LATCH_OFF), -EPERM);
	e->lc.latch->conf.privileged = true; /* the configuration names this program */
	ck_assert_int_eq(ask(TL_LATCH_BYPASS), 0);
	e->lc.latch->conf.privileged = false;
	ck_assert_int_eq(syscall(SYS_capset, &h, all), 0);
	ck_assert_int_eq(
		ask(TL_LATCH_BYPASS), (all[0].effective >> CAP_NET_ADMIN & 1) != 0 ? 0 : -EPERM);
	ck_assert_int_eq(open_latch(), _i < 3 ? (_i == SPD_PROTECT ? -EACCES : bypass[_i])
				       : _i % 3 == SPD_DISCARD ? -EACCES
							       : 0);
	ck_assert_uint_eq(latch.profile_out, 0);
}
END_TEST

/* O-5: what a privileged listener opened is its port alone. */
START_TEST(o5_open_listener_opens_its_port_only)
{
	struct latch listener = {.state = TL_LATCH_NONE};
	struct flow_key k = {.local = key().local, .lport = key().lport, .proto = IPPROTO_N_TCP};
	struct tl_latch_req r = {.version = 1, .size = sizeof(r), .flags = TL_LATCH_BYPASS};

	e->lc.latch->conf.override = e->lc.latch->conf.privileged = true;
	ck_assert_int_eq(
		latch_setopt(&e->lc, &listener, &k, true, TL_LATCH_REQUEST, &r, sizeof(r)), 0);
	ck_assert_int_eq(judge(0).drop, DROP_SPD_CLEAR);
	k.lport = RTE_BE16(8);
	ck_assert_int_eq(latch_listen(&e->lc, &listener, &k), 0);
	ck_assert_int_eq(judge(0).drop, DROP_SPD_CLEAR);
	latch_release(&e->lc, &listener);
	k.lport = key().lport;
	listener.state = TL_LATCH_NONE;
	ck_assert_int_eq(latch_listen(&e->lc, &listener, &k), 0);
	ck_assert_int_eq(judge(0).verdict, VERDICT_ACCEPT);
	latch_release(&e->lc, &listener);
	ck_assert_int_eq(judge(0).drop, DROP_SPD_CLEAR);
	latch_fini(&listener);
}
END_TEST

/* L-1, L-6, L-9, T-1: a listener's latch lives with it, and never gets a profile. */
START_TEST(l1_l6_l9_listener_latch)
{
	struct flow_key k = {.local = key().local, .lport = key().lport, .proto = IPPROTO_N_TCP};

	ck_assert_int_eq(latch_listen(&e->lc, &latch, &k), 0);
	ck_assert_int_eq(latch_listen(&e->lc, &latch, &k), 0);
	ck_assert_uint_eq(latch.state, TL_LATCH_LISTENER);
	ck_assert_uint_eq(latch_in_use(&e->lc), 1);
	ck_assert_int_eq(
		latch_conflict(&e->lc, &latch, TL_LATCH_PEER_CONFLICT, false), LATCH_ACT_NONE);
	ck_assert_uint_eq(latch.state, TL_LATCH_LISTENER);
	latch_release(&e->lc, &latch);
	ck_assert_uint_eq(latch.state, TL_LATCH_CLOSED);
	ck_assert_uint_eq(latch_in_use(&e->lc), 0);
}
END_TEST

/* L-7: a child whose SYN is refused leaves nothing behind. */
START_TEST(l7_refused_children_leave_nothing)
{
	struct latch listener = {.state = TL_LATCH_NONE};
	struct tl_ident id = {.type = TL_ID_FQDN, .len = 1, .data = "c"};
	struct rte_mbuf *m = segment(good);

	add_sa(1, false, good, 2, 128);
	ck_assert_int_eq(
		latch_setopt(&e->lc, &listener, &flow.key, true, TL_LATCH_PEER_ID, &id, sizeof(id)),
		0);
	ck_assert_int_eq(latch_spawn(&e->lc, &latch, &listener, &flow.key, m), DROP_LATCH_REQUEST);
	ck_assert_ptr_null(latch.wish);
	ck_assert_uint_eq(latch_in_use(&e->lc), 0);
	ck_assert_int_eq(latch_spawn_check(&e->lc, &listener, &flow.key, m), DROP_LATCH_REQUEST);
	ck_assert_uint_eq(listener.wish->refs, 1);
	rte_pktmbuf_free(m);
	latch_fini(&listener);
}
END_TEST

/* C-12: the SA of a SYN is gone when TCP looks at it: the latch has the peer that sent it, or there
 * is none; never one without a name, never the slot's next owner. */
START_TEST(c12_syn_whose_sa_is_gone)
{
	struct rte_mbuf *m = segment(good);

	pkt_tag_set(&e->lc, m, (struct tl_tag){.sad_index = 0, .sad_gen = 1, .profile = good});
	add_sa(0, true, good, 2, 128);
	add_sa(1, false, good, 2, 128);
	ck_assert_int_eq(esp_sad_del(&e->lc, 0, 1, ESP_DEL_REKEY), 0);
	if (_i == 1) { /* another peer claims the flow by now */
		add_sa(2, true, stranger, 3, 128);
		add_sa(3, false, stranger, 3, 128);
	}
	ck_assert_int_eq(latch_spawn(&e->lc, &latch, NULL, &flow.key, m),
		_i == 0 ? DROP_NONE : DROP_LATCH_AMBIGUOUS);
	if (_i == 0)
		ck_assert_uint_eq(latch_profile_get(tables, latch.profile_in)->peer_id, 2);
	rte_pktmbuf_free(m);
}
END_TEST

/* a handle names one latch of one process, and none when it is gone. */
START_TEST(r1_q6_handles_are_never_given_twice)
{
	uint64_t first, second;

	established();
	first = latch_handle(&e->lc, &latch);
	ck_assert_ptr_eq(latch_by_handle(&e->lc, first), &latch);
	ck_assert_ptr_null(latch_by_handle(&e->lc, first ^ 1ull << 56));
	ck_assert_ptr_null(latch_by_handle(&e->lc, 0));
	latch_release(&e->lc, &latch);
	ck_assert_ptr_null(latch_by_handle(&e->lc, first));
	flow_remove(&e->lc, &flow);
	latch_renew(&latch);
	ck_assert_int_eq(open_latch(), 0);
	second = latch_handle(&e->lc, &latch);
	ck_assert_uint_ne(first, second);
	ck_assert_ptr_null(latch_by_handle(&e->lc, first));
}
END_TEST

/* E.4: what is no option, or no value of it. */
START_TEST(malformed_requests_are_refused)
{
	struct tl_latch_req r = {.version = 2, .size = sizeof(r)};
	struct tl_ident id = {.type = 99, .len = 1};
	uint32_t v = 1u << TL_LATCH_EVENT_TYPES;

	ck_assert_int_eq(set(TL_LATCH_REQUEST, &r, sizeof(r)), -EINVAL);
	ck_assert_int_eq(set(TL_LATCH_REQUEST, &r, 4), -EINVAL);
	r = (struct tl_latch_req){.nsuite = 9};
	ck_assert_int_eq(ask_req(r), -EINVAL);
	r = (struct tl_latch_req){.nsuite = 1, .suite = {{.encr = 3, .encr_bits = 128}}};
	ck_assert_int_eq(ask_req(r), -EINVAL);
	r = (struct tl_latch_req){.flags = 1u << 20};
	ck_assert_int_eq(ask_req(r), -EINVAL);
	r = (struct tl_latch_req){.flags = TL_LATCH_BYPASS | TL_LATCH_REQUIRED};
	ck_assert_int_eq(ask_req(r), -EINVAL);
	ck_assert_int_eq(set(TL_LATCH_PEER_ID, &id, sizeof(id)), -EINVAL);
	id = (struct tl_ident){.type = TL_ID_FQDN, .len = 255};
	ck_assert_int_eq(set(TL_LATCH_PEER_ID, &id, 8), -EINVAL);
	ck_assert_int_eq(set(TL_LATCH_EVENTS, &v, sizeof(v)), -EINVAL);
	ck_assert_int_eq(set(TL_LATCH_ERRMODE, &v, sizeof(v)), -EINVAL);
	ck_assert_int_eq(set(TL_LATCH_INFO, &v, sizeof(v)), -ENOPROTOOPT);
	ck_assert_int_eq(set(999, &v, sizeof(v)), -ENOPROTOOPT);
}
END_TEST

/* Z-4, F-86: a flood of clear packets does not hide the line about another peer. */
START_TEST(f86_one_kind_of_audit_line_hides_no_other)
{
	established();
	e->lc.latch->conf.m3 = LATCH_M3_DROP;
	for (int i = 0; i < 1000; i++)
		judge(0);
	ck_assert_uint_gt(e->lc.latch->audit[AUDIT_CLEAR].silent, 900);
	judge(stranger);
	ck_assert_uint_eq(e->lc.latch->audit[AUDIT_PEER].said, 1);
	ck_assert_uint_eq(e->lc.latch->audit[AUDIT_PEER].silent, 0);
}
END_TEST

/* R-7, G-20, G-21, S-4: ten thousand connections come and go, and nothing is left; the policy is as
 * it was. */
START_TEST(g20_g21_nothing_outlives_its_connection)
{
	uint32_t version = spd_version(&e->lc);
	const struct spd *s = spd_installed(&e->lc);

	add_sa(0, true, good, 2, 128);
	add_sa(1, false, good, 2, 128);
	for (int i = 0; i < 10000; i++) {
		ck_assert_int_eq(open_latch(), 0);
		ck_assert_uint_eq(latch_in_use(&e->lc), 1);
		latch_release(&e->lc, &latch);
		latch_renew(&latch);
	}
	ck_assert_uint_eq(latch_in_use(&e->lc), 0);
	ck_assert_uint_eq(spd_version(&e->lc), version);
	ck_assert_ptr_eq(spd_installed(&e->lc), s);
}
END_TEST

static void
clean(void)
{
	latch_fini(&latch);
	teardown();
}

int
main(void)
{
	Suite *s = suite_create("latch_wish");
	TCase *c = tcase_create("wish");

	tcase_add_checked_fixture(c, setup, clean);
	tcase_add_loop_test(c, g3_g4_g5_g6_g7_g8_g9_each_parameter_counts, 0, 10);
	tcase_add_test(c, f29_another_peer_behind_the_nat_breaks_nothing);
	tcase_add_test(c, g24_a_list_of_suites_is_reported_as_indeterminate);
	tcase_add_test(c, g25_unique_takes_no_wide_sa);
	tcase_add_test(c, g26_one_suite_means_an_sa_of_its_own);
	tcase_add_loop_test(c, q7_each_request_is_compared, 0, 7);
	tcase_add_loop_test(c, o8_lattice, 0, 6);
	tcase_add_test(c, o5_open_listener_opens_its_port_only);
	tcase_add_test(c, l1_l6_l9_listener_latch);
	tcase_add_test(c, l7_refused_children_leave_nothing);
	tcase_add_loop_test(c, c12_syn_whose_sa_is_gone, 0, 2);
	tcase_add_test(c, r1_q6_handles_are_never_given_twice);
	tcase_add_test(c, malformed_requests_are_refused);
	tcase_add_test(c, f86_one_kind_of_audit_line_hides_no_other);
	tcase_add_test(c, g20_g21_nothing_outlives_its_connection);
	suite_add_tcase(s, c);
	return env_main(s);
}
