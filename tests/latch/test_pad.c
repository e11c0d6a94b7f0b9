/* SPDX-License-Identifier: BSD-3-Clause */
/* Who may claim which addresses, and what a program may ask for because of that. */
#include <errno.h>

#include "esp/esp.h"
#include "latch/latch.h"
#include "tests/util/lc_env.h"

static struct latch_pad_fault fault;

static struct ip_addr
addr(uint32_t host)
{
	return ip_addr_v4(rte_cpu_to_be_32(host));
}

static struct latch_pad_entry
entry(const char *name, uint32_t ident, uint32_t lo, uint32_t hi)
{
	struct latch_pad_entry e = {.ident = ident, .leap = ident == 0};

	snprintf(e.name, sizeof(e.name), "%s", name);
	if (hi != 0)
		e.net[e.nb_nets++] = (struct latch_pad_net){addr(lo), addr(hi)};
	return e;
}

static enum latch_pad_verdict
judge(const struct latch_pad *p, uint32_t ident, uint8_t cls, uint32_t lo, uint32_t hi,
	const char *by_name)
{
	struct latch_pad_claim c = {
		.ident = ident, .auth_class = cls, .remote = {addr(lo), addr(hi)}};
	const struct latch_pad_entry *by;
	enum latch_pad_verdict v = latch_pad_judge(p, &c, &by);

	ck_assert_str_eq(by == NULL ? "" : by->name, by_name);
	return v;
}

/* F-48, RFC 4301 s4.4.3: an identity is judged by its own entry, whole ranges, and its class. */
START_TEST(f48_claim_is_judged_by_the_entry_of_the_identity)
{
	struct latch_pad_entry e[] = {entry("b", 2, 0x0a000000, 0x0a0000ff), entry("c", 3, 0, 0),
		entry("all", 0, 0x0b000000, 0x0b0000ff)};
	struct latch_pad *p;

	e[0].classes = 1u << TL_AUTH_CERT | 1u << TL_AUTH_RAW_KEY;
	ck_assert_int_eq(latch_pad_build(e, 1, &p, &fault), 0);
	ck_assert_int_eq(judge(p, 2, TL_AUTH_CERT, 0x0a000002, 0x0a000002, "b"), LATCH_PAD_OK);
	ck_assert_int_eq(judge(p, 2, TL_AUTH_CERT, 0x0a000000, 0x0a0000ff, "b"), LATCH_PAD_OK);
	ck_assert_int_eq(judge(p, 2, TL_AUTH_CERT, 0x0a000000, 0x0a000100, "b"), LATCH_PAD_ADDRESS);
	ck_assert_int_eq(judge(p, 2, TL_AUTH_CERT, 0x09ffffff, 0x0a000001, "b"), LATCH_PAD_ADDRESS);
	ck_assert_int_eq(judge(p, 2, TL_AUTH_PSK, 0x0a000002, 0x0a000002, "b"), LATCH_PAD_CLASS);
	ck_assert_int_eq(
		judge(p, 2, TL_AUTH_UNKNOWN, 0x0a000002, 0x0a000002, "b"), LATCH_PAD_CLASS);
	ck_assert_int_eq(
		judge(p, 2, LATCH_PAD_ANY_CLASS, 0x0a000002, 0x0a000002, "b"), LATCH_PAD_OK);
	ck_assert_int_eq(judge(p, 3, TL_AUTH_CERT, 0x0a000002, 0x0a000002, ""), LATCH_PAD_UNKNOWN);
	ck_assert_int_eq(judge(p, 0, TL_AUTH_CERT, 0x0a000002, 0x0a000002, ""), LATCH_PAD_UNKNOWN);
	latch_pad_free(p);
	ck_assert_int_eq(latch_pad_build(e, 0, &p, &fault), 0);
	ck_assert_int_eq(judge(p, 2, TL_AUTH_CERT, 0x0a000002, 0x0a000002, ""), LATCH_PAD_UNKNOWN);
	latch_pad_free(p);
	ck_assert_int_eq(judge(NULL, 0, TL_AUTH_NULL, 0, UINT32_MAX, ""), LATCH_PAD_OK);
	e[1] = e[2];
	ck_assert_int_eq(latch_pad_build(e, 2, &p, &fault), 0);
	ck_assert_int_eq(judge(p, 9, TL_AUTH_NULL, 0x0b000001, 0x0b000001, "all"), LATCH_PAD_OK);
	ck_assert_int_eq(
		judge(p, 9, TL_AUTH_NULL, 0x0a000002, 0x0a000002, "all"), LATCH_PAD_ADDRESS);
	/* A named peer does not fall back on faith. */
	ck_assert_int_eq(judge(p, 2, TL_AUTH_CERT, 0x0b000001, 0x0b000001, "b"), LATCH_PAD_ADDRESS);
	latch_pad_free(p);
}
END_TEST

/* RFC 4291 s2.5.5.2: every IPv6 address is not every address. */
START_TEST(f48_ipv6_network_is_no_leave_for_ipv4)
{
	static const struct ip_addr any6[2] = {{.q = {0, 0}}, {.q = {UINT64_MAX, UINT64_MAX}}};
	static const struct ip_addr doc = {.b = {0x20, 1, 0x0d, 0xb8, [15] = 1}};
	struct latch_pad_entry e = entry("b", 2, 0, 0);
	const struct latch_pad_entry *by;
	struct latch_pad *p;
	struct latch_pad_claim c = {.ident = 2, .remote = {doc, doc}};

	e.net[e.nb_nets++] = (struct latch_pad_net){any6[0], any6[1]};
	ck_assert_int_eq(latch_pad_build(&e, 1, &p, &fault), 0);
	ck_assert_int_eq(latch_pad_judge(p, &c, &by), LATCH_PAD_OK);
	ck_assert_int_eq(judge(p, 2, TL_AUTH_CERT, 0x0a000002, 0x0a000002, "b"), LATCH_PAD_ADDRESS);
	c.remote = (struct latch_pad_net){any6[0], any6[1]};
	ck_assert_int_eq(latch_pad_judge(p, &c, &by), LATCH_PAD_ADDRESS);
	latch_pad_free(p);
	e.net[0] = (struct latch_pad_net){addr(0), addr(UINT32_MAX)};
	ck_assert_int_eq(latch_pad_build(&e, 1, &p, &fault), 0);
	ck_assert_int_eq(judge(p, 2, TL_AUTH_CERT, 0x0a000002, 0x0a000002, "b"), LATCH_PAD_OK);
	c.remote = (struct latch_pad_net){doc, doc};
	ck_assert_int_eq(latch_pad_judge(p, &c, &by), LATCH_PAD_ADDRESS);
	latch_pad_free(p);
}
END_TEST

/* F-47: nobody unknown may have the address of a named peer; in either order. */
START_TEST(f47_leap_of_faith_never_overlaps_a_named_peer)
{
	struct latch_pad_entry named = entry("b", 2, 0x0a000000, 0x0a0000ff);
	struct latch_pad_entry any = entry("anywhere", 3, 0, 0);
	struct {
		struct latch_pad_entry leap;
		bool ok;
	} cases[] = {
		{entry("all", 0, 0x0a000100, 0x0a0001ff), true},
		{entry("all", 0, 0x0a0000ff, 0x0a0001ff), false},
		{entry("all", 0, 0x09000000, 0x0a000000), false},
		{entry("all", 0, 0x0a000010, 0x0a000010), false},
		{entry("all", 0, 0, 0), false},
	};
	struct latch_pad *p;

	for (size_t i = 0; i < RTE_DIM(cases); i++) {
		for (int order = 0; order < 2; order++) {
			struct latch_pad_entry e[2] = {order == 0 ? named : cases[i].leap,
				order == 0 ? cases[i].leap : named};

			ck_assert_int_eq(
				latch_pad_build(e, 2, &p, &fault), cases[i].ok ? 0 : -EINVAL);
			if (cases[i].ok)
				latch_pad_free(p);
			else
				ck_assert_str_eq(fault.with->name, "b");
		}
	}
	{
		struct latch_pad_entry e[2] = {cases[0].leap, any};

		ck_assert_int_eq(latch_pad_build(e, 2, &p, &fault), -EINVAL);
		ck_assert_str_eq(fault.with->name, "anywhere");
	}
}
END_TEST

START_TEST(entries_that_are_ambiguous_are_refused)
{
	struct latch_pad_entry e[2] = {entry("b", 2, 0, 0), entry("b", 3, 0, 0)};
	struct latch_pad *p;

	ck_assert_int_eq(latch_pad_build(e, 2, &p, &fault), -EINVAL);
	ck_assert_ptr_nonnull(strstr(fault.why, "of this name"));
	e[1] = entry("c", 2, 0, 0);
	ck_assert_int_eq(latch_pad_build(e, 2, &p, &fault), -EINVAL);
	ck_assert_ptr_nonnull(strstr(fault.why, "has this identity"));
	e[0] = entry("x", 0, 1, 2);
	e[1] = entry("y", 0, 3, 4);
	ck_assert_int_eq(latch_pad_build(e, 2, &p, &fault), -EINVAL);
	ck_assert_ptr_nonnull(strstr(fault.why, "one leap of faith"));
	e[0].leap = false;
	ck_assert_int_eq(latch_pad_build(e, 1, &p, &fault), -EINVAL);
	e[1].ident = 7;
	ck_assert_int_eq(latch_pad_build(&e[1], 1, &p, &fault), -EINVAL);
}
END_TEST

/* O-10: a program asks for a peer that may not have the address: EACCES, at once. */
START_TEST(o10_program_may_not_ask_for_what_the_pad_forbids)
{
	struct tl_ident id = {.type = TL_ID_FQDN, .len = 1, .data = "b"};
	struct spd_rule r = {.action = SPD_PROTECT, .dir = SPD_BOTH};
	struct latch_conf conf = {.wait_sa = true};
	struct flow_key k = {.local = addr(0x0a000001),
		.remote = addr(0x0a000002),
		.lport = RTE_BE16(7),
		.rport = RTE_BE16(4000),
		.proto = IPPROTO_N_TCP};
	struct latch_pad_entry p;
	struct latch_tables *t;
	struct env *e = env_setup();
	struct latch latch = {0};
	struct latch_pad *pad;
	struct spd *spd;
	const char *why;

	ck_assert_int_eq(latch_tables_create(&t), 0);
	ck_assert_int_eq(esp_create(&e->lc, NULL), 0);
	ck_assert_int_eq(latch_create(&e->lc, &conf, t), 0);
	esp_sel_any(&r.sel, 0);
	ck_assert_int_eq(spd_build(&r, 1, &spd, &why), 0);
	ck_assert_int_eq(spd_install(&e->lc, spd), 0);
	p = entry("b", latch_ident_intern(t, &id), 0x0a000000 + (_i == 0 ? 2 : 3), 0x0a0000ff);
	ck_assert_int_eq(latch_pad_build(&p, 1, &pad, &fault), 0);
	ck_assert_uint_eq(latch_pad_install(&e->lc, pad, NULL), 0);
	if (_i == 2)
		id.data[0] = 'c';
	ck_assert_int_eq(
		latch_setopt(&e->lc, &latch, &k, true, TL_LATCH_PEER_ID, &id, sizeof(id)), 0);
	ck_assert_int_eq(latch_open(&e->lc, &latch, &k), _i == 0 ? 0 : -EACCES);
	ck_assert_uint_eq(latch.state, _i == 0 ? TL_LATCH_WANTED : TL_LATCH_NONE);
	latch_release(&e->lc, &latch);
	latch_fini(&latch);
	latch_destroy(&e->lc);
	latch_pad_free(pad);
	esp_destroy(&e->lc);
	spd_free(spd);
	latch_tables_free(t);
	env_teardown(e);
}
END_TEST

static Suite *
suite(void)
{
	Suite *s = suite_create("pad");
	TCase *c = tcase_create("pad");

	tcase_add_test(c, f48_claim_is_judged_by_the_entry_of_the_identity);
	tcase_add_test(c, f48_ipv6_network_is_no_leave_for_ipv4);
	tcase_add_test(c, f47_leap_of_faith_never_overlaps_a_named_peer);
	tcase_add_test(c, entries_that_are_ambiguous_are_refused);
	tcase_add_loop_test(c, o10_program_may_not_ask_for_what_the_pad_forbids, 0, 3);
	suite_add_tcase(s, c);
	return s;
}

int
main(void)
{
	env_eal_init();
	return env_main(suite());
}
