/* SPDX-License-Identifier: BSD-3-Clause */
/* Clients of the control socket: our own messages, events, and what nobody should send. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <arpa/inet.h>
#include <rte_ring_elem.h>

#include "tests/util/ctl_env.h"
#include "tests/util/vnet_lab.h"

static struct nlmsghdr *
named(struct ctl_env *e, uint16_t type, const char *name, const char *settings)
{
	struct nlmsghdr *h = ctl_env_begin(e, type, 0, NULL, 0);

	mnl_attr_put_strz(h, TL_CTL_A_NAME, name);
	if (settings != NULL)
		mnl_attr_put_strz(h, TL_CTL_A_SETTINGS, settings);
	return h;
}

#define WORDS                                                                                      \
	"spi=0x1000 direction=in local=10.0.0.1 remote=10.0.0.2 local-id=me "                      \
	"peer-id=fqdn:new.example key=000102030405060708090a0b0c0d0e0f10111213"

START_TEST(sa_comes_by_the_words_of_its_section)
{
	struct ctl_env *e = ctl_env_new(NULL);
	struct nlmsghdr *h;

	ctl_env_expect(e, named(e, TL_CTL_MSG_ADDSA, "a", WORDS), 0, NULL);
	ck_assert_int_ge(control_sa_by_name(e->n->s, "a"), 0);
	ctl_env_expect(e, named(e, TL_CTL_MSG_ADDSA, "b", "spi=1"), -EINVAL, "expected 256");
	ctl_env_expect(e, named(e, TL_CTL_MSG_ADDSA, "b", "nonsense"), -EINVAL, "key=value");
	ctl_env_expect(
		e, named(e, TL_CTL_MSG_ADDSA, "b\033[2J", WORDS), -EINVAL, "expected letters");
	ctl_env_expect(e, named(e, TL_CTL_MSG_ADDSA, "", WORDS), -EINVAL, "expected a name");
	ctl_env_expect(e, ctl_env_begin(e, TL_CTL_MSG_ADDSA, 0, NULL, 0), -EINVAL, "TL_CTL_A_NAME");
	ctl_env_expect(e, named(e, TL_CTL_MSG_ADDSA, "b", NULL), -EINVAL, "TL_CTL_A_SETTINGS");
	h = named(e, TL_CTL_MSG_REMSA, "a", NULL);
	mnl_attr_put_u8(h, TL_CTL_A_CAUSE, 9);
	ctl_env_expect(e, h, -EINVAL, "TL_CTL_A_CAUSE");
	ctl_env_expect(e, named(e, TL_CTL_MSG_REMSA, "a", NULL), 0, NULL);
	ctl_env_expect(e, named(e, TL_CTL_MSG_REMSA, "a", NULL), -ENOENT, "no such SA");
	ctl_env_free(e);
}
END_TEST

START_TEST(identities_counters_suites_and_information_are_listed)
{
	struct ctl_env *e = ctl_env_new(NULL);
	struct nlmsghdr *h;
	uint32_t some;

	ctl_env_ask(e, ctl_env_begin(e, TL_CTL_MSG_GETID, NLM_F_DUMP, NULL, 0));
	ck_assert_uint_gt(e->nb_got, 0);
	ck_assert_uint_eq(e->got[0]->nlmsg_type, TL_CTL_MSG_ID);
	h = ctl_env_begin(e, TL_CTL_MSG_GETID, 0, NULL, 0);
	mnl_attr_put_u32(h, TL_CTL_A_HANDLE, 1);
	ctl_env_expect(e, h, 0, NULL);
	h = ctl_env_begin(e, TL_CTL_MSG_GETID, 0, NULL, 0);
	mnl_attr_put_u32(h, TL_CTL_A_HANDLE, 4000000000u);
	ctl_env_expect(e, h, -ENOENT, "no such handle");
	ctl_env_ask(e, ctl_env_begin(e, TL_CTL_MSG_GETSTAT, NLM_F_DUMP, NULL, 0));
	some = e->nb_got;
	h = ctl_env_begin(e, TL_CTL_MSG_GETSTAT, NLM_F_DUMP, NULL, 0);
	mnl_attr_put(h, TL_CTL_A_ALL, 0, NULL);
	ctl_env_ask(e, h);
	ck_assert_uint_eq(e->nb_got, ST_MAX + DROP_MAX - 1);
	ck_assert_uint_lt(some, e->nb_got);
	ctl_env_ask(e, ctl_env_begin(e, TL_CTL_MSG_GETSUITE, NLM_F_DUMP, NULL, 0));
	ck_assert_uint_eq(e->nb_got, 17);
	ctl_env_expect(e, ctl_env_begin(e, TL_CTL_MSG_GETINFO, 0, NULL, 0), 0, NULL);
	ck_assert_uint_eq(mnl_attr_get_u32(ctl_env_attr(e->got[0], 0, TL_CTL_A_WORKERS)), 1);
	ctl_env_expect(e, ctl_env_begin(e, TL_CTL_MSG_GETSTAT, 0, NULL, 0), -EINVAL, "a dump");
	ctl_env_expect(
		e, ctl_env_begin(e, XFRM_MSG_MIGRATE, 0, NULL, 0), -EOPNOTSUPP, "not supported");
	ctl_env_free(e);
}
END_TEST

/* ---- events ---- */

static void
subscribe(struct ctl_env *e, uint32_t groups, int code)
{
	struct nlmsghdr *h = ctl_env_begin(e, TL_CTL_MSG_SUBSCRIBE, 0, NULL, 0);

	mnl_attr_put_u32(h, TL_CTL_A_GROUPS, groups);
	ctl_env_expect(e, h, code, NULL);
}

static uint32_t
got_of_type(const struct ctl_env *e, uint16_t type)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < e->nb_got; i++)
		n += e->got[i]->nlmsg_type == type;
	return n;
}

/* As a worker would. */
static void
post(struct ctl_env *e, const struct esp_event *ev)
{
	ck_assert_int_eq(rte_ring_enqueue_elem(
				 e->n->s->control.event[0], (void *)(uintptr_t)ev, sizeof(*ev)),
		0);
	ctl_tick(e->k, VNET_S);
}

START_TEST(changes_of_sad_and_policy_reach_who_asked_for_them)
{
	struct ctl_env *e = ctl_env_new(NULL);

	subscribe(e, 0x1000, -EINVAL);
	subscribe(e, TL_CTL_GROUP_SA | TL_CTL_GROUP_POLICY, 0);
	ctl_env_expect(e, named(e, TL_CTL_MSG_ADDSA, "a", WORDS), 0, NULL);
	ck_assert_uint_eq(got_of_type(e, XFRM_MSG_NEWSA), 1);
	ck_assert_uint_eq(e->got[0]->nlmsg_seq, 0);
	ctl_env_expect(e, named(e, TL_CTL_MSG_REMSA, "a", NULL), 0, NULL);
	ck_assert_uint_eq(got_of_type(e, XFRM_MSG_DELSA), 1);
	ctl_env_expect(e, named(e, TL_CTL_MSG_ADDPOLICY, "p", "action=discard"), 0, NULL);
	ck_assert_uint_eq(got_of_type(e, XFRM_MSG_NEWPOLICY), 2); /* in and out */
	ctl_env_expect(e, named(e, TL_CTL_MSG_REMPOLICY, "p", NULL), 0, NULL);
	ck_assert_uint_eq(got_of_type(e, XFRM_MSG_DELPOLICY), 2);
	subscribe(e, 0, 0);
	ctl_env_expect(e, named(e, TL_CTL_MSG_ADDPOLICY, "p", "action=discard"), 0, NULL);
	ck_assert_uint_eq(e->nb_got, 0);
	ctl_env_free(e);
}
END_TEST

START_TEST(expire_acquire_and_mapping_are_passed_on)
{
	struct ctl_env *e = ctl_env_new(NULL);
	struct esp_event ev = {.kind = ESP_EV_SOFT};
	struct xfrm_user_expire x;
	struct xfrm_user_acquire acq;
	struct xfrm_user_mapping map;
	int slot;

	ctl_env_expect(e,
		named(e, TL_CTL_MSG_ADDSA, "a",
			WORDS " encapsulation=udp udp-local=4500 udp-remote=1111"),
		0, NULL);
	slot = control_sa_by_name(e->n->s, "a");
	subscribe(e, TL_CTL_GROUP_EXPIRE | TL_CTL_GROUP_ACQUIRE | TL_CTL_GROUP_NAT, 0);
	ev.index = (uint32_t)slot;
	ev.gen = e->n->s->control.sa[slot].gen;
	post(e, &ev);
	ctl_env_read(e);
	ck_assert_uint_eq(e->nb_got, 1);
	memcpy(&x, mnl_nlmsg_get_payload(e->got[0]), sizeof(x));
	ck_assert(!x.hard && ntohl(x.state.id.spi) == 0x1000);
	ev.kind = ESP_EV_MOVED;
	ev.addr = ip_addr_v4(htonl(0x0a000007));
	ev.port = 2222;
	post(e, &ev);
	ctl_env_read(e);
	ck_assert_uint_eq(got_of_type(e, XFRM_MSG_MAPPING), 1);
	memcpy(&map, mnl_nlmsg_get_payload(e->got[1]), sizeof(map));
	ck_assert_uint_eq(ntohl(map.old_saddr.a4), CTL_ENV_PEER);
	ck_assert_uint_eq(ntohl(map.new_saddr.a4), 0x0a000007);
	ck_assert_uint_eq(ntohs(map.old_sport), 1111);
	ck_assert_uint_eq(ntohs(map.new_sport), 2222);
	ev.kind = ESP_EV_HARD;
	post(e, &ev);
	ctl_env_read(e);
	memcpy(&x, mnl_nlmsg_get_payload(e->got[2]), sizeof(x));
	ck_assert(x.hard == 1 && ctl_env_sas(e) == 0);
	ev = (struct esp_event){.kind = ESP_EV_ACQUIRE,
		.rule = e->n->s->control.rule[0].id,
		.key = {.local = ip_addr_v4(htonl(CTL_ENV_US)),
			.remote = ip_addr_v4(htonl(CTL_ENV_PEER)),
			.lport = htons(5),
			.rport = htons(7),
			.proto = 6}};
	post(e, &ev);
	ctl_env_read(e);
	ck_assert_uint_eq(e->got[3]->nlmsg_type, XFRM_MSG_ACQUIRE);
	memcpy(&acq, mnl_nlmsg_get_payload(e->got[3]), sizeof(acq));
	ck_assert_uint_eq(ntohs(acq.sel.dport), 7);
	ck_assert_uint_eq(acq.policy.index >> 3, ev.rule);
	ck_assert_ptr_nonnull(ctl_env_attr(e->got[3], sizeof(acq), TL_CTL_A_NAME));
	ctl_env_free(e);
}
END_TEST

START_TEST(client_that_does_not_read_loses_events_and_is_told)
{
	struct ctl_env *e = ctl_env_new(NULL);
	struct ctl_client *reader = e->c, *idle = ctl_client_open(e->k, -1);
	uint32_t n = CTL_EVENTS_MAX / 2 + 10;

	subscribe(e, TL_CTL_GROUP_POLICY, 0);
	e->c = idle;
	for (uint32_t i = 0; i < n; i++) {
		ctl_env_expect(e,
			named(e, TL_CTL_MSG_ADDPOLICY, "p", "action=discard direction=in"), 0,
			NULL);
		ctl_env_expect(e, named(e, TL_CTL_MSG_REMPOLICY, "p", NULL), 0, NULL);
	}
	ck_assert_uint_eq(e->k->overruns, 2 * n - CTL_EVENTS_MAX);
	e->c = reader;
	e->code = 1;
	ctl_env_read(e);
	ck_assert_uint_eq(e->nb_got, CTL_EVENTS_MAX);
	ck_assert_int_eq(e->code, -ENOBUFS);
	ck_assert_ptr_nonnull(strstr(e->text, "20 events"));
	ck_assert_ptr_null(ctl_client_next(reader));
	ctl_env_free(e);
}
END_TEST

/* ---- latches ---- */

static const char *
latch_text(const struct nlmsghdr *h, uint16_t type)
{
	return mnl_attr_get_str(ctl_env_attr(h, 0, type));
}

/* Z-3, Q-6 */
START_TEST(latches_are_listed_and_their_changes_told)
{
	struct lab *l = lab_new(&(struct lab_opts){.ethernet = true});
	struct ctl_env *e = ctl_env_at(l->n[0]);
	struct craft_seg s;
	struct nlmsghdr *h;

	subscribe(e, TL_CTL_GROUP_LATCH, 0);
	ctl_tick(e->k, VNET_S);
	lab_open(l, 1000, 1000);
	ctl_tick(e->k, 2 * VNET_S);
	ctl_env_read(e);
	ck_assert_uint_eq(e->nb_got, 1);
	ck_assert_str_eq(latch_text(e->got[0], TL_CTL_A_STATE), "ESTABLISHED");
	h = ctl_env_begin(e, TL_CTL_MSG_GETLATCH, NLM_F_DUMP, NULL, 0);
	mnl_attr_put_strz(h, TL_CTL_A_STATE, "ESTABLISHED");
	ctl_env_ask(e, h);
	ck_assert_uint_eq(e->nb_got, 1);
	ck_assert_ptr_nonnull(ctl_env_attr(e->got[0], 0, TL_CTL_A_PEER_ID));
	/* Its program asked for nothing. */
	ck_assert_uint_eq(
		mnl_attr_get_u32(ctl_env_attr(e->got[0], 0, TL_CTL_A_FLAGS)), TL_LATCH_F_AUTO);
	ck_assert_uint_eq(mnl_attr_get_u32(ctl_env_attr(e->got[0], 0, TL_CTL_A_EVENTS)), 0);
	h = ctl_env_begin(e, TL_CTL_MSG_GETLATCH, NLM_F_DUMP, NULL, 0);
	ctl_env_put_ident(h, TL_CTL_A_PEER_ID, "somebody.else");
	ctl_env_ask(e, h);
	ck_assert_uint_eq(e->nb_got, 0);
	h = ctl_env_begin(e, TL_CTL_MSG_GETLATCH, NLM_F_DUMP, NULL, 0);
	mnl_attr_put_strz(h, TL_CTL_A_STATE, "WRONG");
	ctl_env_expect(e, h, -EINVAL, "TL_CTL_A_STATE");
	s = lab_seg(l, 1, CRAFT_ACK);
	lab_send(l, 1, &l->bad[0], &s); /* another identity */
	lab_pass(l, 100 * VNET_MS);
	ctl_tick(e->k, 3 * VNET_S);
	ctl_env_read(e);
	ck_assert_uint_ge(e->nb_got, 1);
	h = e->got[e->nb_got - 1];
	ck_assert_str_eq(latch_text(h, TL_CTL_A_STATE), "CLOSED");
	ctl_env_free(e);
	lab_free(l);
}
END_TEST

/* S-8, Z-2: by handle; a handle that is no more finds nothing. */
START_TEST(s8_latch_is_broken_by_its_handle)
{
	struct lab *l = lab_new(&(struct lab_opts){.ethernet = true});
	struct ctl_env *e = ctl_env_at(l->n[0]);
	struct nlmsghdr *h;
	uint64_t handle;

	lab_open(l, 1000, 1000);
	h = ctl_env_begin(e, TL_CTL_MSG_GETLATCH, NLM_F_DUMP, NULL, 0);
	mnl_attr_put_strz(h, TL_CTL_A_STATE, "ESTABLISHED");
	ctl_env_ask(e, h);
	ck_assert_uint_eq(e->nb_got, 1);
	handle = mnl_attr_get_u64(ctl_env_attr(e->got[0], 0, TL_CTL_A_LATCH));
	for (int k = 0; k < 2; k++) {
		h = ctl_env_begin(e, TL_CTL_MSG_BREAKLATCH, 0, NULL, 0);
		mnl_attr_put_u64(h, TL_CTL_A_LATCH, k == 0 ? handle ^ 1 : handle ^ 1ull << 32);
		ctl_env_expect(e, h, -ENOENT, "gone");
	}
	h = ctl_env_begin(e, TL_CTL_MSG_BREAKLATCH, 0, NULL, 0);
	mnl_attr_put_u64(h, TL_CTL_A_LATCH, handle);
	ctl_env_ask(e, h);
	ck_assert_uint_eq(mnl_attr_get_u64(ctl_env_attr(e->got[0], 0, TL_CTL_A_VALUE)), 1);
	vnet_touch(l->n[0]);
	lab_pass(l, VNET_S);
	ck_assert_int_eq(l->c->end[1].err, ECONNRESET);
	ck_assert_uint_eq(l->c->end[1].info.reason, TL_LATCH_ADMIN);
	h = ctl_env_begin(e, TL_CTL_MSG_BREAKLATCH, 0, NULL, 0);
	mnl_attr_put_u64(h, TL_CTL_A_LATCH, handle);
	ctl_env_expect(e, h, -ENOENT, "gone");
	ctl_env_free(e);
	lab_free(l);
}
END_TEST

/* S-8: all of a peer, or all; and what is not a choice is refused. */
START_TEST(s8_latches_are_broken_by_their_peer)
{
	struct lab *l = lab_new(&(struct lab_opts){.ethernet = true});
	struct ctl_env *e = ctl_env_at(l->n[0]);
	struct nlmsghdr *h;

	lab_open(l, 1000, 1000);
	ctl_env_expect(
		e, ctl_env_begin(e, TL_CTL_MSG_BREAKLATCH, 0, NULL, 0), -EINVAL, "expected one of");
	h = ctl_env_begin(e, TL_CTL_MSG_BREAKLATCH, 0, NULL, 0);
	ctl_env_put_ident(h, TL_CTL_A_PEER_ID, "somebody.else");
	ctl_env_ask(e, h);
	ck_assert_uint_eq(mnl_attr_get_u64(ctl_env_attr(e->got[0], 0, TL_CTL_A_VALUE)), 0);
	h = ctl_env_begin(e, TL_CTL_MSG_BREAKLATCH, 0, NULL, 0);
	if (_i == 0)
		ctl_env_put_ident(h, TL_CTL_A_PEER_ID, "n1.example");
	else
		mnl_attr_put(h, TL_CTL_A_ALL, 0, NULL);
	ctl_env_ask(e, h);
	ck_assert_uint_eq(mnl_attr_get_u64(ctl_env_attr(e->got[0], 0, TL_CTL_A_VALUE)), 1);
	vnet_touch(l->n[0]);
	lab_pass(l, VNET_S);
	ck_assert_uint_eq(l->c->end[1].info.reason, TL_LATCH_ADMIN);
	ctl_env_free(e);
	lab_free(l);
}
END_TEST

/* ---- what nobody should send ---- */

/* A refusal quotes what was wrong; however long that is, its message holds it. */
START_TEST(refusal_of_a_long_value_fits_its_message)
{
	struct ctl_env *e = ctl_env_new(NULL);
	char settings[6000] = "action=";

	for (size_t len = 800; len < 1200; len++) {
		struct nlmsghdr *h = ctl_env_begin(e, TL_CTL_MSG_ADDPOLICY, 0, NULL, 0);

		memset(settings + 7, 'A', len);
		settings[7 + len] = '\0';
		mnl_attr_put_strz(h, TL_CTL_A_NAME, "p");
		mnl_attr_put_strz(h, TL_CTL_A_SETTINGS, settings);
		ctl_env_expect(e, h, -EINVAL, "action");
	}
	ctl_env_free(e);
}
END_TEST

START_TEST(any_bytes_are_refused_or_obeyed_but_never_read_beyond)
{
	struct ctl_env *e = ctl_env_new(NULL);
	static const uint16_t types[] = {XFRM_MSG_NEWSA, XFRM_MSG_UPDSA, XFRM_MSG_DELSA,
		XFRM_MSG_GETSA, XFRM_MSG_FLUSHSA, XFRM_MSG_ALLOCSPI, XFRM_MSG_NEWPOLICY,
		XFRM_MSG_UPDPOLICY, XFRM_MSG_DELPOLICY, XFRM_MSG_GETPOLICY, XFRM_MSG_FLUSHPOLICY,
		XFRM_MSG_GETSADINFO, XFRM_MSG_GETSPDINFO};

	for (uint32_t i = 0; i < 20000; i++) {
		struct nlmsghdr *h = (void *)e->buf;
		uint32_t len = vnet_below(e->v, 400);

		for (uint32_t b = 0; b < len; b++)
			e->buf[b] = vnet_chance(e->v, VNET_SCALE / 2) ? 0 : (uint8_t)vnet_rnd(e->v);
		if (len >= sizeof(*h)) {
			h->nlmsg_len = len;
			h->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
			h->nlmsg_type =
				vnet_chance(e->v, VNET_SCALE / 2)
					? types[vnet_below(e->v, RTE_DIM(types))]
					: (uint16_t)(TL_CTL_MSG_ADDSA +
						     vnet_below(e->v,
							     TL_CTL_MSG_MAX - TL_CTL_MSG_ADDSA));
		}
		ctl_env_send(e, e->buf, len);
	}
	ctl_env_free(e);
}
END_TEST

START_TEST(length_of_a_message_is_never_believed)
{
	static const uint32_t lens[] = {0, 1, 15, 1001, 0x7fffffff, 0x80000000, 0xfffffff0,
		0xfffffffc, 0xfffffffd, 0xffffffff};
	struct ctl_env *e = ctl_env_new(NULL);

	for (size_t i = 0; i < RTE_DIM(lens); i++) {
		struct nlmsghdr *h = ctl_env_begin(e, TL_CTL_MSG_GETINFO, 0, NULL, 0);

		h->nlmsg_len = lens[i];
		ck_assert_int_eq(ctl_env_send(e, h, 1000), -EINVAL);
		ck_assert_ptr_nonnull(strstr(e->text, "its length is wrong"));
	}
	ctl_env_free(e);
}
END_TEST

/* RFC 3549 s2.2, as Linux does. */
START_TEST(message_that_is_no_request_is_ignored)
{
	struct ctl_env *e = ctl_env_new(NULL);
	struct nlmsghdr *h = ctl_env_new_sa(e, true, 0x1000);

	h->nlmsg_flags = 0;
	ck_assert_int_eq(ctl_env_ask(e, h), 1);
	h = ctl_env_new_sa(e, true, 0x1000);
	h->nlmsg_flags = NLM_F_REQUEST; /* no acknowledgement */
	ck_assert_int_eq(ctl_env_ask(e, h), 1);
	ck_assert_uint_eq(ctl_env_sas(e), 1);
	ctl_env_free(e);
}
END_TEST

START_TEST(clients_are_bounded_and_may_leave_in_the_middle)
{
	struct ctl_env *e = ctl_env_new(NULL);
	struct ctl_client *c[CTL_CLIENTS];
	struct nlmsghdr *h;

	for (uint32_t i = 1; i < CTL_CLIENTS; i++) {
		c[i] = ctl_client_open(e->k, -1);
		ck_assert_ptr_nonnull(c[i]);
	}
	ck_assert_ptr_null(ctl_client_open(e->k, -1));
	h = ctl_env_begin(e, TL_CTL_MSG_GETSTAT, NLM_F_DUMP, NULL, 0);
	ctl_request(c[1], h, h->nlmsg_len);
	ctl_client_close(c[1]);
	c[1] = ctl_client_open(e->k, -1);
	ck_assert_ptr_null(ctl_client_next(c[1]));
	ctl_env_free(e);
}
END_TEST

static Suite *
suite(void)
{
	Suite *s = suite_create("ctl");
	TCase *c = tcase_create("ctl");

	tcase_set_timeout(c, 100);
	tcase_add_test(c, sa_comes_by_the_words_of_its_section);
	tcase_add_test(c, identities_counters_suites_and_information_are_listed);
	tcase_add_test(c, changes_of_sad_and_policy_reach_who_asked_for_them);
	tcase_add_test(c, expire_acquire_and_mapping_are_passed_on);
	tcase_add_test(c, client_that_does_not_read_loses_events_and_is_told);
	tcase_add_test(c, latches_are_listed_and_their_changes_told);
	tcase_add_test(c, s8_latch_is_broken_by_its_handle);
	tcase_add_loop_test(c, s8_latches_are_broken_by_their_peer, 0, 2);
	tcase_add_test(c, refusal_of_a_long_value_fits_its_message);
	tcase_add_test(c, any_bytes_are_refused_or_obeyed_but_never_read_beyond);
	tcase_add_test(c, length_of_a_message_is_never_believed);
	tcase_add_test(c, message_that_is_no_request_is_ignored);
	tcase_add_test(c, clients_are_bounded_and_may_leave_in_the_middle);
	suite_add_tcase(s, c);
	return s;
}

int
main(void)
{
	env_eal_init();
	return env_main(suite());
}
