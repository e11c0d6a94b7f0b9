/* SPDX-License-Identifier: BSD-3-Clause */
/* The SPD messages of linux/xfrm.h. */
#include <errno.h>
#include <string.h>
#include <arpa/inet.h>

#include "tests/util/ctl_env.h"

static struct xfrm_userpolicy_info
info(uint8_t dir, uint16_t port)
{
	struct xfrm_userpolicy_info x = {.dir = dir, .priority = 500};

	x.sel = (struct xfrm_selector){.family = AF_INET, .prefixlen_s = 32, .prefixlen_d = 32};
	x.sel.saddr.a4 = htonl(dir == XFRM_POLICY_IN ? CTL_ENV_PEER : CTL_ENV_US);
	x.sel.daddr.a4 = htonl(dir == XFRM_POLICY_IN ? CTL_ENV_US : CTL_ENV_PEER);
	x.sel.proto = 6;
	x.sel.dport = htons(port);
	x.sel.dport_mask = port == 0 ? 0 : 0xffff;
	x.lft.hard_byte_limit = XFRM_INF;
	return x;
}

static struct nlmsghdr *
request(struct ctl_env *e, uint16_t type, const struct xfrm_userpolicy_info *x)
{
	return ctl_env_begin(e, type, 0, x, sizeof(*x));
}

static struct xfrm_user_tmpl
tmpl(uint8_t mode)
{
	return (struct xfrm_user_tmpl){.id = {.proto = 50},
		.family = AF_INET,
		.mode = mode,
		.aalgos = UINT32_MAX,
		.ealgos = UINT32_MAX,
		.calgos = UINT32_MAX};
}

/* What a NEWPOLICY with this template is told. */
static void
expect_tmpl(struct ctl_env *e, const struct xfrm_user_tmpl *t, size_t n, int code, const char *text)
{
	struct xfrm_userpolicy_info x = info(XFRM_POLICY_OUT, 80);
	struct nlmsghdr *h = request(e, XFRM_MSG_NEWPOLICY, &x);
	struct xfrm_user_tmpl two[2] = {*t, *t};

	mnl_attr_put(h, XFRMA_TMPL, n, two);
	ctl_env_expect(e, h, code, text);
}

static const struct spd_rule *
last_rule(const struct ctl_env *e)
{
	const struct control *c = &e->n->s->control;

	ck_assert_uint_gt(c->nb_rules, 0);
	return &c->rule[c->nb_rules - 1];
}

START_TEST(template_makes_protect_and_none_makes_bypass_and_block_discards)
{
	struct ctl_env *e = ctl_env_new(NULL);
	struct xfrm_userpolicy_info x = info(XFRM_POLICY_OUT, 80);
	struct xfrm_user_tmpl t = tmpl(XFRM_MODE_TUNNEL);
	struct nlmsghdr *h = request(e, XFRM_MSG_NEWPOLICY, &x);

	t.reqid = 9;
	t.saddr.a4 = htonl(CTL_ENV_US);
	t.id.daddr.a4 = htonl(0x0a000003);
	mnl_attr_put(h, XFRMA_TMPL, sizeof(t), &t);
	ctl_env_put_ident(h, TL_CTL_A_PEER_ID, "peer.example");
	mnl_attr_put_strz(h, TL_CTL_A_NAME, "web");
	ctl_env_expect(e, h, 0, NULL);
	ck_assert_str_eq(last_rule(e)->name, "web");
	ck_assert_uint_eq(last_rule(e)->action, SPD_PROTECT);
	ck_assert_uint_eq(last_rule(e)->mode, ESP_MODE_TUNNEL);
	ck_assert_uint_eq(last_rule(e)->reqid, 9);
	ck_assert_uint_eq(last_rule(e)->dir, SPD_OUT);
	ck_assert_uint_eq(last_rule(e)->priority, 500);
	ck_assert_uint_eq(last_rule(e)->sel.rport.lo, 80);
	ck_assert_uint_ne(last_rule(e)->peer_id, 0);
	ck_assert_uint_eq(ntohl(ip_addr_to_v4(&last_rule(e)->tun_remote)), 0x0a000003);
	x = info(XFRM_POLICY_IN, 81);
	ctl_env_expect(e, request(e, XFRM_MSG_NEWPOLICY, &x), 0, NULL);
	ck_assert_uint_eq(last_rule(e)->action, SPD_BYPASS);
	ck_assert_uint_eq(last_rule(e)->sel.lport.lo, 81);
	x = info(XFRM_POLICY_IN, 82);
	x.action = XFRM_POLICY_BLOCK;
	ctl_env_expect(e, request(e, XFRM_MSG_NEWPOLICY, &x), 0, NULL);
	ck_assert_uint_eq(last_rule(e)->action, SPD_DISCARD);
	ctl_env_free(e);
}
END_TEST

START_TEST(what_a_policy_cannot_be_here_is_refused)
{
	struct ctl_env *e = ctl_env_new(NULL);
	uint32_t had = e->n->s->control.nb_rules;
	struct xfrm_userpolicy_info x;
	struct xfrm_user_tmpl t;

#define REFUSED(change, code, text)                                                                \
	do {                                                                                       \
		x = info(XFRM_POLICY_OUT, 80);                                                     \
		change;                                                                            \
		ctl_env_expect(e, request(e, XFRM_MSG_NEWPOLICY, &x), code, text);                 \
	} while (0)
	REFUSED(x.dir = XFRM_POLICY_FWD, -EOPNOTSUPP, "forwards nothing");
	REFUSED(x.dir = 7, -EINVAL, "direction 7");
	REFUSED(x.action = 2, -EINVAL, "action 2");
	REFUSED(x.index = 9, -EINVAL, "index 9");
	REFUSED(x.flags = XFRM_POLICY_ICMP, -EOPNOTSUPP, "policy flags");
	REFUSED(x.lft.hard_add_expires_seconds = 5, -EOPNOTSUPP, "does not expire");
	REFUSED(x.sel.dport_mask = 0xff00, -EINVAL, "mask of 0 or 0xffff");
	REFUSED(x.sel.user = 5, -EOPNOTSUPP, "user");
#undef REFUSED
	t = tmpl(XFRM_MODE_TRANSPORT);
	expect_tmpl(e, &t, sizeof(t) - 1, -EINVAL, "multiples of 64 bytes");
	expect_tmpl(e, &t, 2 * sizeof(t), -EOPNOTSUPP, "only one is supported");
	t.optional = 1;
	expect_tmpl(e, &t, sizeof(t), -EOPNOTSUPP, "optional protection is none");
	t = tmpl(XFRM_MODE_BEET);
	expect_tmpl(e, &t, sizeof(t), -EOPNOTSUPP, "mode 4");
	t = tmpl(XFRM_MODE_TRANSPORT);
	t.id.proto = 51;
	expect_tmpl(e, &t, sizeof(t), -EOPNOTSUPP, "expected ESP");
	t = tmpl(XFRM_MODE_TRANSPORT);
	t.id.spi = 1;
	expect_tmpl(e, &t, sizeof(t), -EOPNOTSUPP, "by reqid");
	ck_assert_uint_eq(e->n->s->control.nb_rules, had);
	ctl_env_free(e);
}
END_TEST

/* E-21: nobody is no name, so no rule asks for it. */
START_TEST(e21_null_identity_is_no_policy)
{
	static const uint8_t lineage[16] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};
	struct ctl_env *e = ctl_env_new(NULL);
	uint32_t had = e->n->s->control.nb_rules;
	struct xfrm_userpolicy_info x = info(XFRM_POLICY_OUT, 80);
	struct xfrm_user_tmpl t = tmpl(XFRM_MODE_TRANSPORT);

	for (uint16_t which = TL_CTL_A_LOCAL_ID; which <= TL_CTL_A_PEER_ID; which++) {
		struct nlmsghdr *h = request(e, XFRM_MSG_NEWPOLICY, &x);
		struct nlattr *nest;

		mnl_attr_put(h, XFRMA_TMPL, sizeof(t), &t);
		nest = mnl_attr_nest_start(h, which);
		mnl_attr_put_u16(h, TL_CTL_ID_TYPE, TL_ID_NULL);
		mnl_attr_put(h, TL_CTL_ID_DATA, sizeof(lineage), lineage);
		mnl_attr_nest_end(h, nest);
		ctl_env_expect(e, h, -EINVAL, "ID_NULL");
	}
	ck_assert_uint_eq(e->n->s->control.nb_rules, had);
	ctl_env_free(e);
}
END_TEST

START_TEST(rule_is_known_by_direction_and_selector)
{
	struct ctl_env *e = ctl_env_new(NULL);
	struct xfrm_userpolicy_info x = info(XFRM_POLICY_OUT, 80);
	struct xfrm_userpolicy_id id = {.sel = x.sel, .dir = x.dir};
	uint32_t was, rules;

	ctl_env_expect(e, request(e, XFRM_MSG_NEWPOLICY, &x), 0, NULL);
	was = last_rule(e)->id;
	rules = e->n->s->control.nb_rules;
	ctl_env_expect(e, request(e, XFRM_MSG_NEWPOLICY, &x), -EEXIST, "same direction");
	x.action = XFRM_POLICY_BLOCK;
	ctl_env_expect(e, request(e, XFRM_MSG_UPDPOLICY, &x), 0, NULL);
	ck_assert_uint_eq(e->n->s->control.nb_rules, rules);
	ck_assert_uint_ne(last_rule(e)->id, was);
	ck_assert_uint_eq(last_rule(e)->action, SPD_DISCARD);
	ctl_env_expect(e, ctl_env_begin(e, XFRM_MSG_GETPOLICY, 0, &id, sizeof(id)), 0, NULL);
	memcpy(&x, mnl_nlmsg_get_payload(e->got[0]), sizeof(x));
	ck_assert_uint_eq(x.index, last_rule(e)->id << 3 | XFRM_POLICY_OUT);
	ck_assert_uint_eq(x.action, XFRM_POLICY_BLOCK);
	ck_assert_mem_eq(&x.sel, &id.sel, sizeof(x.sel));
	id.index = x.index + 8;
	ctl_env_expect(e, ctl_env_begin(e, XFRM_MSG_DELPOLICY, 0, &id, sizeof(id)), -ENOENT,
		"no such policy");
	id.index = x.index;
	ctl_env_expect(e, ctl_env_begin(e, XFRM_MSG_DELPOLICY, 0, &id, sizeof(id)), 0, NULL);
	id.index = 0;
	ctl_env_expect(e, ctl_env_begin(e, XFRM_MSG_DELPOLICY, 0, &id, sizeof(id)), -ENOENT,
		"no policy has this selector");
	ck_assert_uint_eq(e->n->s->control.nb_rules, rules - 1);
	ctl_env_free(e);
}
END_TEST

/* UPDPOLICY of a rule that is not there adds it, as in Linux. */
START_TEST(update_of_nothing_adds)
{
	struct ctl_env *e = ctl_env_new(NULL);
	struct xfrm_userpolicy_info x = info(XFRM_POLICY_OUT, 80);
	uint32_t rules = e->n->s->control.nb_rules;

	ctl_env_expect(e, request(e, XFRM_MSG_UPDPOLICY, &x), 0, NULL);
	ck_assert_uint_eq(e->n->s->control.nb_rules, rules + 1);
	ctl_env_free(e);
}
END_TEST

/* RFC 4301 s4.4.1.1; Linux has the type in the source port and the code in the destination port. */
START_TEST(icmp_type_and_code_come_and_go)
{
	struct ctl_env *e = ctl_env_new(NULL);
	struct xfrm_userpolicy_info x = info(XFRM_POLICY_OUT, 0), out;

	x.sel.proto = 1;
	x.sel.sport = htons(3);
	x.sel.sport_mask = 0xffff;
	x.sel.dport = htons(4);
	x.sel.dport_mask = 0xffff;
	ctl_env_expect(e, request(e, XFRM_MSG_NEWPOLICY, &x), 0, NULL);
	ck_assert_uint_eq(last_rule(e)->sel.lport.lo, 0x304);
	ck_assert_uint_eq(last_rule(e)->sel.lport.hi, 0x304);
	ctl_env_ask(e, ctl_env_begin(e, XFRM_MSG_GETPOLICY, NLM_F_DUMP, NULL, 0));
	memcpy(&out, mnl_nlmsg_get_payload(e->got[e->nb_got - 1]), sizeof(out));
	ck_assert_mem_eq(&out.sel, &x.sel, sizeof(out.sel));
	x.sel.dport_mask = 0;
	ctl_env_expect(e, request(e, XFRM_MSG_NEWPOLICY, &x), 0, NULL);
	ck_assert_uint_eq(last_rule(e)->sel.lport.hi, 0x3ff);
	x.sel.sport_mask = 0;
	x.sel.dport_mask = 0xffff;
	ctl_env_expect(e, request(e, XFRM_MSG_NEWPOLICY, &x), -EINVAL, "code without its type");
	x.sel.sport_mask = 0xffff;
	x.sel.sport = htons(256);
	ctl_env_expect(e, request(e, XFRM_MSG_NEWPOLICY, &x), -EINVAL, "0 to 255");
	ctl_env_free(e);
}
END_TEST

START_TEST(ranges_travel_in_our_own_selector)
{
	struct ctl_env *e = ctl_env_new(NULL);
	struct xfrm_userpolicy_info x = info(XFRM_POLICY_OUT, 0), out;
	struct tl_ctl_sel sel = {.lport_hi = 65535, .rport_lo = 10, .rport_hi = 19, .proto = 6};
	struct ip_addr lo = ip_addr_v4(htonl(0x0a000010)), hi = ip_addr_v4(htonl(0x0a00002f));
	const struct nlattr *a;
	struct nlmsghdr *h;

	memcpy(sel.local_lo, lo.b, 16);
	memcpy(sel.local_hi, lo.b, 16);
	memcpy(sel.remote_lo, lo.b, 16);
	memcpy(sel.remote_hi, hi.b, 16);
	h = request(e, XFRM_MSG_NEWPOLICY, &x);
	mnl_attr_put(h, TL_CTL_A_SEL, sizeof(sel), &sel);
	ctl_env_expect(e, h, 0, NULL);
	ctl_env_ask(e, ctl_env_begin(e, XFRM_MSG_GETPOLICY, NLM_F_DUMP, NULL, 0));
	h = e->got[e->nb_got - 1];
	memcpy(&out, mnl_nlmsg_get_payload(h), sizeof(out));
	ck_assert_uint_eq(out.sel.prefixlen_d, 26); /* the smallest prefix around it */
	a = ctl_env_attr(h, sizeof(out), TL_CTL_A_SEL);
	ck_assert_mem_eq(mnl_attr_get_payload(a), &sel, sizeof(sel));
	memcpy(sel.remote_lo, hi.b, 16);
	memcpy(sel.remote_hi, lo.b, 16);
	h = request(e, XFRM_MSG_NEWPOLICY, &x);
	mnl_attr_put(h, TL_CTL_A_SEL, sizeof(sel), &sel);
	ctl_env_expect(e, h, -EINVAL, "runs backwards");
	ctl_env_free(e);
}
END_TEST

START_TEST(rule_of_both_directions_is_shown_twice_and_changed_by_name)
{
	struct ctl_env *e = ctl_env_new(NULL);
	struct xfrm_userpolicy_id id = {.dir = XFRM_POLICY_IN};
	struct nlmsghdr *h;

	ctl_env_expect(e, ctl_env_begin(e, XFRM_MSG_FLUSHPOLICY, 0, NULL, 0), 0, NULL);
	ck_assert_uint_eq(e->n->s->control.nb_rules, 0);
	h = ctl_env_begin(e, TL_CTL_MSG_ADDPOLICY, 0, NULL, 0);
	mnl_attr_put_strz(h, TL_CTL_A_NAME, "all");
	mnl_attr_put_strz(h, TL_CTL_A_SETTINGS, "action=bypass");
	ctl_env_expect(e, h, 0, NULL);
	ctl_env_ask(e, ctl_env_begin(e, XFRM_MSG_GETPOLICY, NLM_F_DUMP, NULL, 0));
	ck_assert_uint_eq(e->nb_got, 2);
	id.index = last_rule(e)->id << 3;
	ctl_env_expect(e, ctl_env_begin(e, XFRM_MSG_DELPOLICY, 0, &id, sizeof(id)), -EOPNOTSUPP,
		"both directions");
	ctl_env_expect(e,
		ctl_env_begin(e, XFRM_MSG_GETSPDINFO, 0, &(uint32_t){0}, sizeof(uint32_t)), 0,
		NULL);
	h = ctl_env_begin(e, TL_CTL_MSG_REMPOLICY, 0, NULL, 0);
	mnl_attr_put_strz(h, TL_CTL_A_NAME, "all");
	ctl_env_expect(e, h, 0, NULL);
	ctl_env_expect(e, h, -ENOENT, NULL);
	ctl_env_free(e);
}
END_TEST

START_TEST(batch_of_rules_reaches_the_workers_once)
{
	struct ctl_env *e = ctl_env_new(NULL);
	uint32_t version = spd_version(e->n->s->lc[0]), n = 0;
	static uint8_t batch[65536];

	for (uint16_t i = 0; i < 100; i++) {
		struct xfrm_userpolicy_info x = info(XFRM_POLICY_OUT, (uint16_t)(1000 + i));
		struct nlmsghdr *h = request(e, XFRM_MSG_NEWPOLICY, &x);

		memcpy(batch + n, h, h->nlmsg_len);
		n += h->nlmsg_len;
	}
	ck_assert_int_eq(ctl_env_send(e, batch, n), 0);
	ck_assert_uint_eq(e->nb_dgrams, 100);
	ck_assert_uint_eq(spd_version(e->n->s->lc[0]), version + 1);
	ctl_env_free(e);
}
END_TEST

START_TEST(every_truncation_of_a_policy_is_refused)
{
	struct ctl_env *e = ctl_env_new(NULL);
	struct xfrm_userpolicy_info x = info(XFRM_POLICY_OUT, 80);
	struct xfrm_user_tmpl t = tmpl(XFRM_MODE_TRANSPORT);
	struct nlmsghdr *h = request(e, XFRM_MSG_NEWPOLICY, &x);
	uint32_t len, rules = e->n->s->control.nb_rules, head = sizeof(*h) + sizeof(x);

	mnl_attr_put(h, XFRMA_TMPL, sizeof(t), &t);
	len = h->nlmsg_len;
	for (uint32_t n = sizeof(*h); n < len; n++) {
		h->nlmsg_len = n;
		if (n == head)
			continue; /* complete: a rule that bypasses */
		ck_assert_int_eq(ctl_env_send(e, h, n), -EINVAL);
		ck_assert_uint_eq(e->n->s->control.nb_rules, rules);
	}
	ctl_env_free(e);
}
END_TEST

#include <time.h>
static struct nlmsghdr *
wide(struct ctl_env *e, uint16_t port, bool rough)
{
	struct xfrm_userpolicy_info x = info(XFRM_POLICY_OUT, port);
	struct nlmsghdr *h = request(e, XFRM_MSG_NEWPOLICY, &x);
	struct tl_ctl_sel s = {.lport_hi = 65535, .rport_lo = port, .rport_hi = port, .proto = 6};

	memset(s.local_lo, 0, 16);
	memset(s.local_hi, 0xff, 16);
	memset(s.remote_lo, 0, 16);
	memset(s.remote_hi, 0xff, 16);
	if (rough) {
		s.local_lo[0] = s.remote_lo[0] = 0x10;
		s.local_lo[15] = s.remote_lo[15] = 1;
		s.local_hi[15] = s.remote_hi[15] = 0xfe;
	}
	mnl_attr_put(h, TL_CTL_A_SEL, sizeof(s), &s);
	return h;
}

/* Rules whose ranges nobody could classify: none of the batch stays, and the next one goes in. */
START_TEST(refused_batch_leaves_the_policy_as_it_was)
{
	struct ctl_env *e = ctl_env_new(NULL);
	uint8_t batch[4096];
	size_t len = 0;
	uint32_t had;

	for (uint16_t i = 0; i < 9; i++)
		ctl_env_expect(e, wide(e, (uint16_t)(100 + i), false), 0, NULL);
	had = e->n->s->control.nb_rules;
	for (uint16_t i = 0; i < 12; i++) {
		struct nlmsghdr *h = wide(e, (uint16_t)(200 + i), true);

		memcpy(batch + len, h, h->nlmsg_len);
		len += (h->nlmsg_len + 3) & ~3u;
	}
	ck_assert_int_ne(ctl_env_send(e, batch, len), 0);
	ck_assert_ptr_nonnull(strstr(e->text, "prefixes"));
	ck_assert_uint_eq(e->n->s->control.nb_rules, had);
	ctl_env_expect(e, wide(e, 300, false), 0, NULL);
	ck_assert_uint_eq(e->n->s->control.nb_rules, had + 1);
	ctl_env_free(e);
}
END_TEST

/* RFC 7296 s3.13.1 */
START_TEST(ports_backwards_are_refused)
{
	struct ctl_env *e = ctl_env_new(NULL);
	struct nlmsghdr *h = wide(e, 80, false);
	struct tl_ctl_sel *s = mnl_attr_get_payload((struct nlattr *)(uintptr_t)ctl_env_attr(
		h, sizeof(struct xfrm_userpolicy_info), TL_CTL_A_SEL));

	s->rport_lo = 443;
	s->rport_hi = 80;
	ctl_env_expect(e, h, -EINVAL, NULL);
	ctl_env_free(e);
}
END_TEST

static Suite *
suite(void)
{
	Suite *s = suite_create("nl_policy");
	TCase *c = tcase_create("nl_policy");

	tcase_set_timeout(c, 60);
	tcase_add_test(c, refused_batch_leaves_the_policy_as_it_was);
	tcase_add_test(c, ports_backwards_are_refused);
	tcase_add_test(c, template_makes_protect_and_none_makes_bypass_and_block_discards);
	tcase_add_test(c, what_a_policy_cannot_be_here_is_refused);
	tcase_add_test(c, e21_null_identity_is_no_policy);
	tcase_add_test(c, rule_is_known_by_direction_and_selector);
	tcase_add_test(c, update_of_nothing_adds);
	tcase_add_test(c, icmp_type_and_code_come_and_go);
	tcase_add_test(c, ranges_travel_in_our_own_selector);
	tcase_add_test(c, rule_of_both_directions_is_shown_twice_and_changed_by_name);
	tcase_add_test(c, batch_of_rules_reaches_the_workers_once);
	tcase_add_test(c, every_truncation_of_a_policy_is_refused);
	suite_add_tcase(s, c);
	return s;
}

int
main(void)
{
	env_eal_init();
	return env_main(suite());
}
