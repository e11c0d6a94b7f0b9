/* SPDX-License-Identifier: BSD-3-Clause */
/* Whole stacks while SAs end and policy changes: what connections notice, what never leaves. */
#include <errno.h>
#include <string.h>

#include "esp/esp.h"
#include "latch/latch.h"
#include "stack/net/frag.h"
#include "tcp/tcp_pcb.h"
#include "tests/util/vnet_lab.h"

static const struct lab_opts plain_opts;
static struct control_note noted[64];
static uint32_t notes;

static void
watch(void *arg, const struct control_note *n)
{
	(void)arg;
	if (notes < 64)
		noted[notes] = *n;
	notes++;
}

static void
watch_server(struct lab *l)
{
	notes = 0;
	control_set_watch(l->n[0]->s, watch, NULL);
}

static uint8_t
latch_state(const struct app_end *e)
{
	struct tl_latch_info i;

	app_latch(e, &i);
	return i.state;
}

static void
expect_open(struct lab *l)
{
	for (int k = 0; k < 2; k++) {
		ck_assert_int_eq(l->c->end[k].state, APP_OPEN);
		ck_assert_int_eq(latch_state(&l->c->end[k]), TL_LATCH_ESTABLISHED);
	}
}

static void
policy(struct lab *l, uint32_t node, enum spd_action action)
{
	struct spd_rule r = {.action = (uint8_t)action, .dir = SPD_BOTH, .name = "edited"};
	struct tl_error e;

	esp_sel_any(&r.sel, 0);
	ck_assert_int_eq(control_policy_set(l->n[node]->s, &r, 1, &e), 0);
}

/* A fresh SA from the server, with limits, in place of the one that the lab made. */
static void
server_sends_under(struct lab *l, const char *name, uint32_t spi, const char *limits)
{
	static struct craft_sa sa[4];
	static uint32_t n;
	struct craft_sa *s = &sa[n++ % 4];

	*s = (struct craft_sa){.esn = true, .key_len = 20};
	lab_sa_draw(l->v, s, spi, l->n[0]->ip, l->n[1]->ip);
	lab_know(l, s);
	lab_sa_add(l->n[1], name, s, true, "peer", "");
	lab_sa_add(l->n[0], name, s, false, "peer", limits);
}

/* P-12, S-1, S-3, S-6: an edit of the policy, whatever it says, leaves latched connections alone.
 */
START_TEST(s3_s6_policy_edit_leaves_latched_connections)
{
	static const enum spd_action to[] = {SPD_DISCARD, SPD_BYPASS, SPD_PROTECT};
	struct lab *l = lab_new(&plain_opts);
	uint32_t clear;

	lab_open(l, 60000, 60000);
	clear = l->clear[0] + l->clear[1];
	for (int i = 0; i < 3; i++) {
		policy(l, 0, to[i]);
		policy(l, 1, to[i]);
		lab_pass(l, VNET_MS);
		expect_open(l);
	}
	policy(l, 0, SPD_BYPASS);
	policy(l, 1, SPD_BYPASS);
	lab_complete(l);
	ck_assert_uint_eq(l->clear[0] + l->clear[1], clear); /* the wire is unchanged (S-1) */
	lab_free(l);
}
END_TEST

/* What the application of an end was told: nothing yet, or that its latch broke. */
static void
expect_broken(const struct app_end *e, enum tl_latch_reason why)
{
	ck_assert_int_eq(e->state, APP_FAILED);
	ck_assert_int_eq(e->err, ECONNRESET);
	ck_assert_uint_eq(e->info.state, TL_LATCH_CLOSED);
	ck_assert_uint_eq(e->info.reason, why);
}

/* B-1, S-1, S-2: an edit to DISCARD, to BYPASS, to another protection; each ends the connection,
 * and nothing leaves for it any more, not even a reset. */
START_TEST(s2_policy_edit_breaks_what_conflicts_with_it)
{
	static const char *const to[] = {
		"action=discard", "action=bypass", "action=protect encryption=chacha20-poly1305"};
	struct lab *l = lab_new(&(struct lab_opts){.spd_break = true});
	struct control *c = &l->n[0]->s->control;
	struct tl_error e;
	uint32_t sent;

	lab_open(l, 60000, 60000);
	control_policy_hold(l->n[0]->s);
	ck_assert_int_eq(control_policy_del(l->n[0]->s, c->rule[0].id), 0);
	ck_assert_int_gt(control_policy_add_words(l->n[0]->s, "edited", to[_i], &e), 0);
	sent = lab_sent(l, 0);
	ck_assert_int_eq(control_policy_release(l->n[0]->s, &e), 0);
	vnet_touch(l->n[0]);
	lab_pass(l, VNET_S);
	expect_broken(&l->c->end[1], TL_LATCH_SPD_CHANGE);
	ck_assert_uint_eq(lab_sent(l, 0), sent);
	ck_assert_uint_eq(lab_stat(l, 0, "latches-broken"), 1);
	lab_free(l);
}
END_TEST

/* An edit that says of the connection what was said before is no conflict, nor is one of others. */
START_TEST(s2_policy_edit_of_others_breaks_nothing)
{
	struct lab *l = lab_new(&(struct lab_opts){.spd_break = true});
	struct tl_error e;

	lab_open(l, 60000, 60000);
	policy(l, 0, SPD_PROTECT);
	ck_assert_int_gt(control_policy_add_words(l->n[0]->s, "others",
				 "action=discard remote-net=192.0.2.0/24 priority=1", &e),
		0);
	ck_assert_int_gt(
		control_policy_add_words(l->n[0]->s, "same",
			"action=protect mode=transport encryption=aes-gcm-16 priority=1", &e),
		0);
	lab_pass(l, VNET_MS);
	expect_open(l);
	lab_complete(l);
	lab_free(l);
}
END_TEST

/* A clear connection that the policy wants protected, or away, ends too. */
START_TEST(s2_clear_connection_ends_when_the_policy_changes)
{
	struct lab *l = lab_new(&(struct lab_opts){.clear = true, .spd_break = true});

	lab_open(l, 60000, 60000);
	policy(l, 0, _i == 0 ? SPD_DISCARD : SPD_PROTECT);
	vnet_touch(l->n[0]);
	lab_pass(l, VNET_MS);
	expect_broken(&l->c->end[1], TL_LATCH_SPD_CHANGE);
	lab_free(l);
}
END_TEST

/* S-5: when the first owner hears, its worker still has the former policy. */
static uint32_t policy_at_break;

static void
look_at_policy(struct lcore *lc, struct latch *l, enum latch_act act)
{
	struct tcp_pcb *pcb = container_of(l, struct tcp_pcb, latch);

	ck_assert_int_eq(act, LATCH_ACT_RESET);
	policy_at_break = spd_rule_of(spd_installed(lc), SPD_OUT, &pcb->fe.key)->action;
	tcp_pcb_end(lc, pcb, ECONNRESET);
}

START_TEST(s5_the_break_comes_before_the_edit)
{
	struct lab *l = lab_new(&(struct lab_opts){.spd_break = true});

	lab_open(l, 60000, 60000);
	latch_set_owner(l->n[0]->s->lc[l->o.workers - 1], IPPROTO_N_TCP, look_at_policy);
	policy_at_break = SPD_DISCARD;
	policy(l, 0, SPD_DISCARD);
	ck_assert_uint_eq(policy_at_break, SPD_PROTECT);
	lab_free(l);
}
END_TEST

/* S-9: what was let go in clear asks again when the policy changed. */
START_TEST(s9_clear_connection_follows_the_policy)
{
	struct lab_opts o = {.clear = true};
	struct lab *l = lab_new(&o);
	uint32_t sent;

	lab_open(l, 60000, 60000);
	app_release(l->c);
	lab_pass(l, VNET_MS);
	policy(l, 0, SPD_DISCARD);
	policy(l, 1, SPD_DISCARD);
	sent = lab_sent(l, 0) + lab_sent(l, 1);
	lab_pass(l, 2 * VNET_S);
	ck_assert_uint_eq(lab_sent(l, 0) + lab_sent(l, 1), sent);
	ck_assert_uint_gt(lab_stat(l, 0, "spd-discard-out"), 0);
	policy(l, 0, SPD_BYPASS);
	policy(l, 1, SPD_BYPASS);
	lab_complete(l);
	lab_free(l);
}
END_TEST

/* K-9: an SA at its end is no break; the connection waits for the next one, and nothing leaves. */
START_TEST(k9_hard_limit_stops_the_connection_until_the_next_sa)
{
	struct lab *l = lab_new(&(struct lab_opts){.more = {"stack.settle-ms=60000"}});
	uint32_t sent, clear;

	watch_server(l);
	lab_open(l, 60000, 60000);
	server_sends_under(l, "limited", 0x51000, "soft-packets=5 hard-packets=8");
	lab_sa_del(l->n[0], "out0", false);
	clear = l->clear[0];
	app_release(l->c);
	lab_pass(l, VNET_S);
	ck_assert_uint_gt(lab_stat(l, 0, "esp-nosa") + lab_stat(l, 0, "esp-expired"), 0);
	sent = lab_sent(l, 0);
	lab_pass(l, 3 * VNET_S);
	ck_assert_uint_eq(lab_sent(l, 0), sent);
	ck_assert_uint_eq(l->clear[0], clear);
	expect_open(l);
	/* What the control context makes of it: soft and hard are told, the SA is gone. */
	control_events(l->n[0]->s);
	ck_assert_uint_ge(notes, 5);
	ck_assert_int_eq(noted[2].change, CONTROL_SA_SOFT);
	ck_assert_int_eq(noted[3].change, CONTROL_SA_HARD);
	ck_assert_int_eq(noted[4].change, CONTROL_SA_DELETED);
	ck_assert_int_eq(noted[4].cause, ESP_DEL_EXPIRE);
	ck_assert_int_eq(control_sa_by_name(l->n[0]->s, "limited"), -ENOENT);
	server_sends_under(l, "next", 0x52000, "");
	lab_complete(l);
	lab_free(l);
}
END_TEST

/* Make before break by the soft limit: the replacement stands before the end. */
START_TEST(soft_limit_in_time_costs_nothing)
{
	struct lab *l = lab_new(&plain_opts);

	watch_server(l);
	lab_open(l, 200000, 200000);
	server_sends_under(l, "limited", 0x51000, "soft-packets=20 hard-packets=100000");
	app_release(l->c);
	for (int i = 0; i < 1000 && lab_stat(l, 0, "sa-soft-expiries") == 0; i++)
		lab_pass(l, VNET_MS / 10);
	control_events(l->n[0]->s);
	ck_assert_int_eq(noted[1].change, CONTROL_SA_SOFT);
	server_sends_under(l, "next", 0x52000, "");
	lab_sa_del(l->n[0], "limited", false);
	lab_complete(l);
	ck_assert_uint_eq(lab_stat(l, 0, "esp-nosa") + lab_stat(l, 0, "esp-expired"), 0);
	lab_free(l);
}
END_TEST

static int
add_words(struct lab *l, const char *name, const struct craft_sa *sa)
{
	char words[400], key[73];
	struct tl_error e;
	int rc;

	craft_key_text(sa, key);
	snprintf(words, sizeof(words),
		"spi=%u direction=in local=10.0.0.1 remote=10.0.0.2 local-id=me peer-id=peer "
		"key=%s",
		sa->spi, key);
	rc = tl_sa_add(l->n[0]->s, name, words, &e);
	if (rc == -ENOSPC)
		ck_assert_ptr_nonnull(strstr(e.text, "max-sas"));
	return rc;
}

/* F-1: a slot is used again only after the worker passed a turn. */
START_TEST(f1_slot_waits_until_the_worker_drained_its_queues)
{
	struct lab *l = lab_new(&plain_opts);
	struct tl_stack *s = l->n[0]->s;
	uint32_t slots = s->control.nb_slots;
	struct craft_sa sa = {.esn = true, .key_len = 20};
	char name[32];

	for (uint32_t i = 0; i + 4 < slots; i++) {
		lab_sa_draw(l->v, &sa, 0x90000 + i, l->n[1]->ip, l->n[0]->ip);
		snprintf(name, sizeof(name), "x%u", i);
		lab_sa_add(l->n[0], name, &sa, true, "peer", "");
	}
	/* The second time an epoch was passed before, but not the one that counts. */
	for (uint32_t i = 0; i < 2; i++) {
		snprintf(name, sizeof(name), "x%u", i);
		lab_sa_del(l->n[0], name, false);
		ck_assert_uint_eq(s->control.draining.n, 1);
		ck_assert_uint_eq(s->control.free.n, 0);
		lab_sa_draw(l->v, &sa, 0xa0000 + i, l->n[1]->ip, l->n[0]->ip);
		snprintf(name, sizeof(name), "y%u", i);
		ck_assert_int_eq(add_words(l, name, &sa), -ENOSPC);
		vnet_touch(l->n[0]);
		lab_pass(l, VNET_MS);
		ck_assert_int_eq(add_words(l, name, &sa), 0);
	}
	lab_free(l);
}
END_TEST

/* F-14, C-5: a connection that nobody can protect is refused, and an SA is asked for once. */
START_TEST(c5_connect_without_an_sa_asks_for_one)
{
	struct lab_opts o = {.named_policy = true};
	struct lab *l = lab_new(&o);

	watch_server(l);
	lab_sa_del(l->n[0], "out0", false);
	for (int i = 0; i < 5; i++) {
		struct flow_key k = {.local = ip_addr_v4(rte_cpu_to_be_32(l->n[0]->ip)),
			.remote = ip_addr_v4(rte_cpu_to_be_32(l->n[1]->ip)),
			.lport = RTE_BE16(5000),
			.rport = RTE_BE16(80),
			.proto = IPPROTO_N_TCP};
		struct latch latch = {0};

		ck_assert_int_eq(latch_open(l->n[0]->s->lc[0], &latch, &k), -EHOSTUNREACH);
	}
	notes = 0;
	control_events(l->n[0]->s);
	ck_assert_uint_eq(notes, 1);
	ck_assert_int_eq(noted[0].change, CONTROL_ACQUIRE);
	ck_assert_ptr_nonnull(noted[0].rule);
	lab_free(l);
}
END_TEST

/* E-2, E-3: parallel SAs of one peer with equal selectors and profile are one protection. */
START_TEST(e2_parallel_sas_of_one_profile_are_no_conflict)
{
	struct lab *l = lab_new(&plain_opts);
	struct craft_sa sa[2] = {{.esn = true, .key_len = 20}, {.esn = true, .key_len = 20}};

	lab_open(l, 40000, 40000);
	for (uint32_t i = 0; i < 2; i++) {
		lab_sa_draw(l->v, &sa[i], 0x61000 + i, l->n[1]->ip, l->n[0]->ip);
		lab_sa_add(l->n[0], i == 0 ? "dscp-a" : "dscp-b", &sa[i], true, "peer", "");
	}
	for (uint32_t i = 0; i < 10; i++) {
		struct craft_seg s = lab_seg(l, 1, CRAFT_ACK);

		lab_send(l, 1, &sa[i % 2], &s);
		lab_pass(l, VNET_MS);
		expect_open(l);
	}
	ck_assert_uint_eq(lab_stat(l, 0, "latch-m2") + lab_stat(l, 0, "latch-m3"), 0);
	lab_complete(l);
	lab_free(l);
}
END_TEST

/* E-8: ESP that was cut on the way is made whole before it is opened; a piece alone is nothing. */
START_TEST(e8_outer_fragments_of_esp_come_together_first)
{
	struct lab *l = lab_new(&plain_opts);
	struct craft_sa sa = {.esn = true, .key_len = 20};
	uint8_t ip[CRAFT_MAX], part[CRAFT_MAX];
	uint64_t before;
	size_t n, cut = 24;

	lab_open(l, 40000, 40000);
	lab_sa_draw(l->v, &sa, 0x61000, l->n[1]->ip, l->n[0]->ip);
	lab_sa_add(l->n[0], "cut", &sa, true, "peer", "");
	before = lab_stat(l, 0, "esp-in");
	for (int both = 0; both < 2; both++) {
		struct craft_seg s = lab_seg(l, 1, CRAFT_ACK);

		n = craft_protect(&sa, ip, &s);
		for (int late = 1; late >= !both; late--) {
			size_t len = late ? n - 20 - cut : cut;

			craft_ip4(part, l->n[1]->ip, l->n[0]->ip, CRAFT_ESP,
				ip + 20 + (late ? cut : 0), len);
			craft_ip4_fragment(part, (uint16_t)(77 + both), late ? cut : 0, !late);
			vnet_inject(l->v, l->n[0], l->n[1], part, len + 20, 0, 1);
			lab_pass(l, VNET_MS);
		}
		ck_assert_uint_eq(lab_stat(l, 0, "esp-in") - before, (uint64_t)both);
	}
	expect_open(l);
	lab_complete(l);
	lab_free(l);
}
END_TEST

/* F-51: a router between the two says that our ESP is too big. */
START_TEST(f51_path_mtu_of_an_sa_shrinks_segments)
{
	struct lab *l = lab_new(&plain_opts);
	uint8_t quote[CRAFT_MAX], icmp[CRAFT_MAX], ip[CRAFT_MAX], esp[8];
	struct tcp_row row;
	uint32_t spi, seq;
	size_t n;

	lab_open(l, 100000, 100000);
	ck_assert(lab_pcb(l, 0, &row));
	ck_assert_uint_gt(row.mss_bytes, 1000);
	spi = rte_cpu_to_be_32(l->good[0].spi);
	seq = rte_cpu_to_be_32(1);
	memcpy(esp, &spi, 4);
	memcpy(esp + 4, &seq, 4);
	n = craft_ip4(quote, l->n[0]->ip, l->n[1]->ip, CRAFT_ESP, esp, sizeof(esp));
	n = craft_icmp_error(icmp, 3, 4, 700, quote, n);
	n = craft_ip4(ip, l->n[1]->ip, l->n[0]->ip, CRAFT_ICMP, icmp, n);
	vnet_inject(l->v, l->n[0], l->n[1], ip, n, 0, 1);
	lab_pass(l, VNET_MS);
	ck_assert_uint_eq(lab_stat(l, 0, "esp-path-mtu-updates"), 1);
	app_release(l->c);
	lab_pass(l, 5 * VNET_MS);
	ck_assert(lab_pcb(l, 0, &row));
	ck_assert_uint_lt(row.mss_bytes, 700 - 20 - 20);
	lab_complete(l);
	lab_free(l);
}
END_TEST

START_TEST(sa_of_the_configuration_expires)
{
	struct vnet *v = vnet_new(1, true);
	struct vnet_node *n = vnet_add(v, 0x0a000001);

	vnet_set(n, "stack.manual-keys", "i-accept-the-risk");
	vnet_set(n, "identity me.type", "fqdn");
	vnet_set(n, "identity me.value", "me.example");
	vnet_set(n, "identity peer.type", "fqdn");
	vnet_set(n, "identity peer.value", "peer.example");
	vnet_set(n, "policy base.action", "protect");
	vnet_set(n, "sa x.spi", "4096");
	vnet_set(n, "sa x.direction", "out");
	vnet_set(n, "sa x.local", "10.0.0.1");
	vnet_set(n, "sa x.remote", "10.0.0.2");
	vnet_set(n, "sa x.local-id", "me");
	vnet_set(n, "sa x.peer-id", "peer");
	vnet_set(n, "sa x.key", "000102030405060708090a0b0c0d0e0f10111213");
	vnet_set(n, "sa x.hard-seconds", "5");
	vnet_start(n);
	vnet_run(v, NULL, NULL, 100 * VNET_S);
	control_events(n->s);
	ck_assert_int_eq(control_sa_by_name(n->s, "x"), -ENOENT);
	vnet_free(v);
}
END_TEST

START_TEST(f1_clear_fragments_do_not_hold_up_slots)
{
	struct lab *l = lab_new(&plain_opts);
	struct tl_stack *s = l->n[0]->s;
	struct craft_sa sa = {.esn = true, .key_len = 20};
	uint8_t ip[CRAFT_MAX], body[64] = {1};

	for (uint32_t i = 0; i < 80; i++) {
		char name[32];
		size_t n = craft_ip4(ip, 0x0a000063, l->n[0]->ip, 17, body, 64);

		craft_ip4_fragment(ip, (uint16_t)i, 0, true);
		vnet_inject(l->v, l->n[0], l->n[1], ip, n, 0, 1);
		lab_pass(l, 2 * VNET_S);
		lab_sa_draw(l->v, &sa, 0x90000 + i, l->n[1]->ip, l->n[0]->ip);
		snprintf(name, sizeof(name), "x%u", i);
		lab_sa_add(l->n[0], name, &sa, true, "peer", "");
		lab_sa_del(l->n[0], name, false);
		lab_pass(l, 2 * VNET_S);
	}
	/* 400 s later at most those of the last 15 s wait */
	ck_assert_uint_le(s->control.draining.n, 4);
	lab_free(l);
}
END_TEST

/* F-1: a part of a datagram that came under an SA names it until the rest comes, or its time is
 * over.
 */
START_TEST(f1_protected_fragments_hold_up_the_slots_of_their_time)
{
	struct lab *l = lab_new(&(struct lab_opts){.tunnel = true});
	struct tl_stack *s = l->n[0]->s;
	uint8_t inner[CRAFT_MAX], esp[CRAFT_MAX], ip[CRAFT_MAX], body[64] = {1};
	size_t n = craft_ip4(inner, l->n[1]->ip, l->n[0]->ip, 17, body, 64);

	craft_ip4_fragment(inner, 7, 0, true);
	n = craft_esp(&l->good[1], esp, CRAFT_IPIP, inner, n, NULL);
	n = craft_ip4(ip, l->good[1].src, l->good[1].dst, CRAFT_ESP, esp, n);
	vnet_inject(l->v, l->n[0], l->n[1], ip, n, 0, 1);
	lab_pass(l, VNET_MS);
	ck_assert_uint_eq(frag_in_use(s->lc[0]), 1);
	lab_sa_del(l->n[0], "rogue-in", false);
	lab_pass(l, VNET_S);
	slots_collect(s);
	ck_assert_uint_eq(s->control.draining.n, 1);
	lab_pass(l, 20 * VNET_S);
	ck_assert_uint_eq(frag_in_use(s->lc[0]), 0);
	vnet_touch(l->n[0]);
	lab_pass(l, VNET_S);
	slots_collect(s);
	ck_assert_uint_eq(s->control.draining.n, 0);
	lab_free(l);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("sa_path");
	TCase *c = tcase_create("sa_path");

	tcase_set_timeout(c, 60);
	tcase_add_test(c, sa_of_the_configuration_expires);
	tcase_add_test(c, f1_clear_fragments_do_not_hold_up_slots);
	tcase_add_test(c, f1_protected_fragments_hold_up_the_slots_of_their_time);
	tcase_add_test(c, s3_s6_policy_edit_leaves_latched_connections);
	tcase_add_loop_test(c, s2_policy_edit_breaks_what_conflicts_with_it, 0, 3);
	tcase_add_test(c, s2_policy_edit_of_others_breaks_nothing);
	tcase_add_loop_test(c, s2_clear_connection_ends_when_the_policy_changes, 0, 2);
	tcase_add_test(c, s5_the_break_comes_before_the_edit);
	tcase_add_test(c, s9_clear_connection_follows_the_policy);
	tcase_add_test(c, k9_hard_limit_stops_the_connection_until_the_next_sa);
	tcase_add_test(c, soft_limit_in_time_costs_nothing);
	tcase_add_test(c, f1_slot_waits_until_the_worker_drained_its_queues);
	tcase_add_test(c, c5_connect_without_an_sa_asks_for_one);
	tcase_add_test(c, e2_parallel_sas_of_one_profile_are_no_conflict);
	tcase_add_test(c, e8_outer_fragments_of_esp_come_together_first);
	tcase_add_test(c, f51_path_mtu_of_an_sa_shrinks_segments);
	suite_add_tcase(s, c);
	return env_main(s);
}
