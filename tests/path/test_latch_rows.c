/* SPDX-License-Identifier: BSD-3-Clause */
/* Requirements that the other files do not meet on their way: one test for each, named after it. */
#include <errno.h>
#include <string.h>

#include <arpa/inet.h>

#include "esp/sa.h"
#include "stack/include/tl_sock.h"
#include "tcp/tcp_pcb.h"
#include "tests/util/vnet_lab.h"

static const struct lab_opts plain_opts;

static struct tl_latch_info
info_of(const struct app_end *e)
{
	struct tl_latch_info i;

	app_latch(e, &i);
	return i;
}

static void
delete_all(struct lab *l)
{
	for (int i = 0; i < 2; i++) {
		lab_sa_del(l->n[i], "in0", false);
		lab_sa_del(l->n[i], "out0", false);
		lab_sa_del(l->n[i], "rogue-in", false);
		lab_sa_del(l->n[i], "rogue-out", false);
	}
}

/* A pair of SAs for each direction, as a key manager would make it after all were gone. */
static void
make_again(struct lab *l, const char *in_words, const char *out_words)
{
	for (uint32_t d = 0; d < 2; d++) {
		l->good[d].seq = 0;
		lab_sa_draw(l->v, &l->good[d], LAB_SPI + 60 + d, l->n[d]->ip, l->n[1 - d]->ip);
		lab_sa_add(l->n[1 - d], "again-in", &l->good[d], true, "peer", in_words);
		lab_sa_add(l->n[d], "again-out", &l->good[d], false, "peer", out_words);
	}
}

/* G-11, M-13, K-9: all SAs are deleted, as an IKE Delete does; the session is idle for an hour,
 * then it asks for SAs, the same peer makes some, and it goes on. */
START_TEST(g11_m13_session_outlives_its_sas)
{
	struct lab *l = lab_new(&plain_opts);
	uint64_t asked;

	lab_open(l, 50000, 50000);
	delete_all(l);
	lab_pass(l, 3600 * VNET_S);
	ck_assert_uint_eq(info_of(&l->c->end[1]).state, TL_LATCH_ESTABLISHED);
	asked = lab_stat(l, 0, "acquires");
	app_release(l->c);
	lab_pass(l, VNET_S);
	ck_assert_uint_gt(lab_stat(l, 0, "acquires"), asked);
	make_again(l, "", "");
	lab_complete(l);
	ck_assert_uint_eq(l->clear[0] + l->clear[1], 0);
	lab_free(l);
}
END_TEST

/* P-3: no SA is left: the packet is dropped and the program is told, once; and again when it is
 * over. */
static void
wants_nosa(struct tl_worker *w, int fd, bool listener)
{
	uint32_t mask = 1u << TL_LATCH_EV_NOSA;

	(void)listener;
	ck_assert_int_eq(
		tl_setsockopt(w, fd, SOL_TL_IPSEC, TL_LATCH_EVENTS, &mask, sizeof(mask)), 0);
}

START_TEST(p3_missing_sa_is_told)
{
	struct tl_latch_event ev;
	struct app_end *e;
	struct lab *l;

	app_prepare = wants_nosa;
	l = lab_new(&plain_opts);
	lab_open(l, 50000, 0);
	e = &l->c->end[0];
	delete_all(l);
	app_release(l->c);
	lab_pass(l, 2 * VNET_S);
	ck_assert_int_eq(tl_latch_event(e->w, e->fd, &ev), 1);
	ck_assert_uint_eq(ev.type, TL_LATCH_EV_NOSA);
	ck_assert_int_eq(tl_latch_event(e->w, e->fd, &ev), 0);
	ck_assert_uint_gt(lab_stat(l, 1, "esp-nosa"), 0);
	make_again(l, "", "");
	lab_complete(l);
	lab_free(l);
}
END_TEST

/* K-7: what an event tells: the handle, the flow, both states, the reason, when. */
static void
wants_all(struct tl_worker *w, int fd, bool listener)
{
	uint32_t mask = (1u << TL_LATCH_EVENT_TYPES) - 1;

	(void)listener;
	ck_assert_int_eq(
		tl_setsockopt(w, fd, SOL_TL_IPSEC, TL_LATCH_EVENTS, &mask, sizeof(mask)), 0);
}

START_TEST(k7_event_tells_handle_flow_states_and_reason)
{
	struct tl_latch_event ev;
	struct sockaddr_in peer;
	struct app_end *e;
	struct craft_seg s;
	struct lab *l;
	uint64_t handle;

	app_prepare = wants_all;
	l = lab_new(&(struct lab_opts){.more = {"stack.disposition=wait"}});
	lab_open(l, 1000, 1000);
	e = &l->c->end[1];
	handle = info_of(e).handle;
	ck_assert_int_eq(tl_latch_event(e->w, e->fd, &ev), 1);
	s = lab_seg(l, 1, CRAFT_ACK);
	lab_send(l, 1, &l->bad[0], &s);
	lab_pass(l, VNET_MS);
	ck_assert_int_eq(tl_latch_event(e->w, e->fd, &ev), 1);
	memcpy(&peer, &ev.peer, sizeof(peer));
	ck_assert_uint_eq(ev.type, TL_LATCH_EV_BROKEN);
	ck_assert_uint_eq(ev.old_state, TL_LATCH_ESTABLISHED);
	ck_assert_uint_eq(ev.new_state, TL_LATCH_BROKEN);
	ck_assert_uint_eq(ev.reason, TL_LATCH_PEER_CONFLICT);
	ck_assert_uint_eq(ev.handle, handle);
	ck_assert_uint_eq(ntohs(peer.sin_port), l->c->lport);
	ck_assert_uint_gt(ev.time_ns, 0);
	lab_free(l);
}
END_TEST

/* G-28: this end latches, the other one does not; they work together, nobody on the wire sees it.
 */
static void
is_plain(struct tl_worker *w, int fd, bool listener)
{
	struct tl_latch_req r = {.version = 1, .size = sizeof(r), .flags = TL_LATCH_OFF};

	if (listener)
		ck_assert_int_eq(
			tl_setsockopt(w, fd, SOL_TL_IPSEC, TL_LATCH_REQUEST, &r, sizeof(r)), 0);
}

START_TEST(g28_the_other_end_need_not_latch)
{
	struct craft_seg s;
	struct lab *l;

	app_prepare = is_plain;
	l = lab_new(&(struct lab_opts){
		.named_policy = true, .more = {"stack.privileged-programs=test_latch_rows"}});
	lab_open(l, 20000, 20000);
	ck_assert_uint_eq(info_of(&l->c->end[1]).state, TL_LATCH_NONE);
	ck_assert_uint_eq(info_of(&l->c->end[0]).state, TL_LATCH_ESTABLISHED);
	s = lab_seg(l, 0, CRAFT_ACK);
	lab_send_clear(l, 0, &s);
	lab_pass(l, VNET_MS);
	ck_assert_uint_eq(lab_stat(l, 1, "latch-m0"), 1);
	lab_complete(l);
	lab_free(l);
}
END_TEST

static uint32_t
latches(struct lab *l, uint32_t node)
{
	return latch_in_use(l->n[node]->s->lc[0]);
}

/* T-4: every way to CLOSED ends the latch: both close, abort, a reset under the right SA,
 * the timer. A clear reset does nothing. Only the listeners' latches are left. */
START_TEST(r6_r8_t4_closed_ends_the_latch)
{
	struct lab *l = lab_new(&(struct lab_opts){.more = {"tcp.data-retries=3"}});
	struct craft_seg s;
	struct esp_sa_info i;

	ck_assert_uint_eq(latches(l, 0), 1);
	lab_open(l, 5000, 5000);
	ck_assert_uint_eq(latches(l, 0), 2);
	s = lab_seg(l, 1, CRAFT_RST | CRAFT_ACK);
	lab_send_clear(l, 1, &s);
	lab_pass(l, VNET_MS);
	ck_assert_uint_eq(latches(l, 0), 2);
	switch (_i) {
	case 0:
		lab_complete(l);
		break;
	case 1:
		app_abort(&l->c->end[1]);
		break;
	case 2:
		ck_assert_int_eq(control_sa_info(l->n[1]->s,
					 (uint32_t)control_sa_by_name(l->n[1]->s, "out0"), &i),
			0);
		l->good[1].seq = i.seq + 10;
		lab_send(l, 1, &l->good[1], &s);
		lab_pass(l, VNET_MS);
		ck_assert_int_eq(l->c->end[1].err, ECONNRESET);
		break;
	default:
		l->block[0] = l->block[1] = true;
		app_release(l->c);
		lab_pass(l, 600 * VNET_S);
		ck_assert_int_eq(l->c->end[1].err, ETIMEDOUT);
		break;
	}
	lab_pass(l, 10 * VNET_S);
	ck_assert_uint_eq(latches(l, 0), 1);
	lab_free(l);
}
END_TEST

/* M-9: the operator ignores the verdict on the peer; when it is back, its own reset under a good SA
 * ends the connection, and nothing else did. */
START_TEST(rebooted_peer_ends_the_connection_itself)
{
	struct lab *l = lab_new(&(struct lab_opts){.more = {"stack.dpd-action=ignore"}});
	struct esp_sa_info i;
	struct craft_seg s;

	lab_open(l, 1000, 1000);
	ck_assert_uint_eq(
		latch_peer(l->n[0]->s->lc[0], info_of(&l->c->end[1]).peer_id, LATCH_PEER_REBOOT),
		0);
	ck_assert_uint_eq(info_of(&l->c->end[1]).state, TL_LATCH_ESTABLISHED);
	ck_assert_int_eq(
		control_sa_info(l->n[1]->s, (uint32_t)control_sa_by_name(l->n[1]->s, "out0"), &i),
		0);
	l->good[1].seq = i.seq + 10;
	s = lab_seg(l, 1, CRAFT_RST | CRAFT_ACK);
	lab_send(l, 1, &l->good[1], &s);
	lab_pass(l, VNET_MS);
	ck_assert_int_eq(l->c->end[1].err, ECONNRESET);
	ck_assert_uint_eq(l->c->end[1].info.reason, TL_LATCH_RELEASED);
	lab_free(l);
}
END_TEST

/* Q-4, N-2: inner and outer addresses of a tunnel. */
START_TEST(q4_n2_addresses_of_a_tunnel)
{
	struct lab *l = lab_new(&(struct lab_opts){.tunnel = true});
	struct tl_latch_info i;
	struct sockaddr_in a;

	lab_open(l, 1000, 1000);
	i = info_of(&l->c->end[1]);
	memcpy(&a, &i.peer_outer, sizeof(a));
	ck_assert_uint_eq(ntohl(a.sin_addr.s_addr), l->n[1]->ip);
	memcpy(&a, &i.local_outer, sizeof(a));
	ck_assert_uint_eq(ntohl(a.sin_addr.s_addr), l->n[0]->ip);
	memcpy(&a, &i.peer_inner, sizeof(a));
	ck_assert_uint_eq(ntohs(a.sin_port), l->c->lport);
	lab_complete(l);
	lab_free(l);
}
END_TEST

/* N-1, N-3, Q-3: SAs in UDP between two programs that know nothing of it; who asks is told the
 * public addresses and ports. */
START_TEST(n1_n3_q3_behind_a_nat)
{
	static const char udp[] = "encapsulation=udp udp-local=4500 udp-remote=4500";
	struct lab *l = lab_new(&plain_opts);
	struct tl_latch_info i;
	struct sockaddr_in a;

	delete_all(l);
	make_again(l, udp, udp);
	lab_open(l, 30000, 30000);
	i = info_of(&l->c->end[1]);
	ck_assert_uint_ne(i.flags & TL_LATCH_F_NATT, 0);
	memcpy(&a, &i.peer_public, sizeof(a));
	ck_assert_uint_eq(ntohl(a.sin_addr.s_addr), l->n[1]->ip);
	ck_assert_uint_eq(ntohs(a.sin_port), 4500);
	memcpy(&a, &i.local_private, sizeof(a));
	ck_assert_uint_eq(ntohl(a.sin_addr.s_addr), l->n[0]->ip);
	lab_complete(l);
	lab_free(l);
}
END_TEST

/* a program learns that its connection is not latched. */
START_TEST(q9_clear_connection_says_so)
{
	struct lab *l = lab_new(&(struct lab_opts){.clear = true});
	struct tl_ident id;
	socklen_t len = sizeof(id);

	lab_open(l, 1000, 1000);
	ck_assert_uint_eq(info_of(&l->c->end[1]).state, TL_LATCH_NONE);
	ck_assert_uint_eq(info_of(&l->c->end[1]).type, 0);
	ck_assert_int_eq(tl_getsockopt(l->c->end[1].w, l->c->end[1].fd, SOL_TL_IPSEC,
				 TL_LATCH_PEER_ID, &id, &len),
		-1);
	ck_assert_int_eq(errno, ENOTCONN);
	lab_complete(l);
	lab_free(l);
}
END_TEST

/* two connections of one peer have the same numbers, one of another peer has others. */
START_TEST(q11_identities_of_two_connections_compare)
{
	struct lab *l = lab_new(&plain_opts);
	struct app_conn *first;
	struct tl_latch_info a, b;

	lab_open(l, 1000, 1000);
	first = l->c;
	lab_open(l, 1000, 1000);
	a = info_of(&first->end[1]);
	b = info_of(&l->c->end[1]);
	ck_assert_uint_eq(a.peer_id, b.peer_id);
	ck_assert_uint_eq(a.profile, b.profile);
	ck_assert_uint_ne(a.handle, b.handle);
	ck_assert_uint_ne(a.peer_id, a.local_id);
	app_release(first);
	lab_complete(l);
	lab_free(l);
}
END_TEST

/* C-1, C-9: what forbids a latch, each with its error: the 5-tuple has one, two peers claim it, the
 * policy says no. */
START_TEST(c1_each_obstacle_has_its_error)
{
	static const int expect[] = {EADDRINUSE, ECONNREFUSED, EACCES};
	struct lab *l = lab_new(&(struct lab_opts){.unambiguous = _i == 1});
	struct tl_worker *w = tl_worker(l->n[1]->s, 0);
	struct sockaddr_in to = {.sin_family = AF_INET,
		.sin_port = htons(APP_PORT),
		.sin_addr.s_addr = htonl(l->n[0]->ip)};
	struct sockaddr_in me = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(l->n[1]->ip)};
	int fd = tl_socket(w, AF_INET, SOCK_STREAM, 0), on = 1;

	if (_i == 0) {
		lab_open(l, 1000, 1000);
		me.sin_port = htons(l->c->lport);
		ck_assert_int_eq(
			tl_setsockopt(w, fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)), 0);
		ck_assert_int_eq(tl_bind(w, fd, (struct sockaddr *)&me, sizeof(me)), 0);
	} else if (_i == 2) {
		struct spd_rule r = {.action = SPD_DISCARD, .dir = SPD_BOTH};
		struct tl_error e;

		esp_sel_any(&r.sel, 0);
		ck_assert_int_eq(control_policy_set(l->n[1]->s, &r, 1, &e), 0);
	}
	ck_assert_int_eq(tl_connect(w, fd, (struct sockaddr *)&to, sizeof(to)), -1);
	ck_assert_int_eq(errno, expect[_i]);
	tl_close(w, fd);
	lab_free(l);
}
END_TEST

/* Both ends connect to each other at the same moment. */
static void
cross(struct lab *l, int fd[2])
{
	for (uint32_t i = 0; i < 2; i++) {
		struct tl_worker *w = tl_worker(l->n[i]->s, 0);
		struct sockaddr_in me = {.sin_family = AF_INET,
			.sin_port = htons(6000),
			.sin_addr.s_addr = htonl(l->n[i]->ip)};
		struct sockaddr_in to = me;

		to.sin_addr.s_addr = htonl(l->n[1 - i]->ip);
		fd[i] = tl_socket(w, AF_INET, SOCK_STREAM, 0);
		if (app_prepare != NULL)
			app_prepare(w, fd[i], false);
		ck_assert_int_eq(tl_bind(w, fd[i], (struct sockaddr *)&me, sizeof(me)), 0);
		ck_assert_int_eq(tl_connect(w, fd[i], (struct sockaddr *)&to, sizeof(to)), -1);
		ck_assert_int_eq(errno, EINPROGRESS);
		vnet_touch(l->n[i]);
	}
	lab_pass(l, 5 * VNET_S);
}

static const char *
state_of(struct lab *l, uint32_t i, int fd)
{
	static char name[32];
	socklen_t len = sizeof(name);

	ck_assert_int_eq(tl_getsockopt(tl_worker(l->n[i]->s, 0), fd, IPPROTO_N_TCP, TL_TCP_STATE,
				 name, &len),
		0);
	return name;
}

/* C-10, F-26: simultaneous open under equal parameters. */
START_TEST(c10_simultaneous_open)
{
	struct lab *l = lab_new(&plain_opts);
	int fd[2];

	cross(l, fd);
	for (uint32_t i = 0; i < 2; i++) {
		ck_assert_str_eq(state_of(l, i, fd[i]), "ESTABLISHED");
		tl_close(tl_worker(l->n[i]->s, 0), fd[i]);
		vnet_touch(l->n[i]);
	}
	lab_free(l);
}
END_TEST

/* C-11: one end's SYN goes under another protection than the other end's latch: no connection, no
 * data. */
START_TEST(c11_simultaneous_open_with_different_parameters_fails)
{
	struct lab *l = lab_new(&plain_opts);
	struct craft_sa wide = {.esn = true, .key_len = 36};
	int fd[2];

	/* Node 1 sends under AES-256; node 0 latches AES-128. */
	lab_sa_draw(l->v, &wide, LAB_SPI + 70, l->n[1]->ip, l->n[0]->ip);
	lab_sa_add(l->n[0], "wide", &wide, true, "peer", "");
	lab_sa_add(l->n[1], "wide", &wide, false, "peer", "");
	lab_know(l, &wide);
	cross(l, fd);
	for (uint32_t i = 0; i < 2; i++) {
		ck_assert_str_ne(state_of(l, i, fd[i]), "ESTABLISHED");
		tl_close(tl_worker(l->n[i]->s, 0), fd[i]);
		vnet_touch(l->n[i]);
	}
	lab_free(l);
}
END_TEST

/* O-9: what a program asks for is asked for beside the policy, never instead of it. */
static void
wants_128(struct tl_worker *w, int fd, bool listener)
{
	struct tl_latch_req r = {.version = 1, .size = sizeof(r), .nsuite = 1};

	r.suite[0] = (struct tl_latch_suite){.encr = TL_ENCR_AES_GCM_16, .encr_bits = 128};
	if (!listener)
		ck_assert_int_eq(
			tl_setsockopt(w, fd, SOL_TL_IPSEC, TL_LATCH_REQUEST, &r, sizeof(r)), 0);
}

START_TEST(o9_no_program_weakens_the_policy)
{
	struct lab *l;

	app_prepare = wants_128;
	l = lab_new(&(struct lab_opts){
		.more = {"policy all.encryption=ENCR_AES_GCM_16", "policy all.key-bits=256"}});
	lab_begin(l, 1000, 1000);
	lab_pass(l, VNET_S);
	ck_assert_int_eq(l->c->end[0].err, EHOSTUNREACH);
	ck_assert_uint_eq(lab_sent(l, 1), 0);
	lab_free(l);
}
END_TEST

/* O-13, S-7: deviations are no rules of the policy, and the administrator ends them all at once. */
static void
wants_clear(struct tl_worker *w, int fd, bool listener)
{
	struct tl_latch_req r = {.version = 1, .size = sizeof(r), .flags = TL_LATCH_BYPASS};

	(void)listener;
	ck_assert_int_eq(tl_setsockopt(w, fd, SOL_TL_IPSEC, TL_LATCH_REQUEST, &r, sizeof(r)), 0);
}

START_TEST(o13_s7_deviations_are_ended_by_the_administrator)
{
	struct latch_filter f = {.overrides = true};
	uint32_t rules;
	struct lab *l;

	app_prepare = wants_clear;
	l = lab_new(&(struct lab_opts){.more = {"stack.privileged-bypass=yes",
					       "stack.privileged-programs=test_latch_rows"}});
	rules = l->n[0]->s->control.nb_rules;
	lab_open(l, 1000, 1000);
	ck_assert_uint_eq(l->n[0]->s->control.nb_rules, rules);
	/* The connection, and that the listener takes clear ones. */
	ck_assert_uint_eq(latch_admin_close(l->n[0]->s->lc[0], &f, TL_LATCH_ADMIN), 2);
	vnet_touch(l->n[0]);
	lab_pass(l, VNET_MS);
	ck_assert_int_eq(l->c->end[1].state, APP_FAILED);
	ck_assert_uint_eq(l->c->end[1].info.reason, TL_LATCH_ADMIN);
	lab_free(l);
}
END_TEST

/* N-7: a NAT keepalive is no sign of life of the peer. */
START_TEST(n7_keepalive_is_no_proof_of_life)
{
	static const char udp[] = "encapsulation=udp udp-local=4500 udp-remote=4500";
	struct lab *l = lab_new(
		&(struct lab_opts){.more = {"stack.dpd-action=break", "stack.disposition=wait"}});
	uint8_t dgram[9] = {0x11, 0x94, 0x11, 0x94, 0, 9, 0, 0, 0xff}, ip[64];
	size_t n;

	delete_all(l);
	make_again(l, udp, udp);
	lab_open(l, 1000, 1000);
	latch_peer(l->n[0]->s->lc[0], info_of(&l->c->end[1]).peer_id, LATCH_PEER_DEAD);
	ck_assert_uint_eq(info_of(&l->c->end[1]).state, TL_LATCH_BROKEN);
	for (int i = 0; i < 20; i++) {
		n = craft_ip4(ip, l->n[1]->ip, l->n[0]->ip, 17, dgram, sizeof(dgram));
		vnet_inject(l->v, l->n[0], l->n[1], ip, n, 0, 1);
		lab_pass(l, VNET_S);
	}
	ck_assert_uint_gt(lab_stat(l, 0, "natt-keepalive"), 0);
	ck_assert_uint_eq(info_of(&l->c->end[1]).state, TL_LATCH_BROKEN);
	lab_free(l);
}
END_TEST

/* N-9: the NAT got another address: what comes from there is another 5-tuple, no conflict. */
START_TEST(n9_another_address_is_another_connection)
{
	struct lab *l = lab_new(&plain_opts);
	struct craft_sa moved = {.esn = true, .key_len = 20};
	struct craft_seg s;

	lab_open(l, 1000, 1000);
	lab_sa_draw(l->v, &moved, LAB_SPI + 80, l->n[1]->ip + 5, l->n[0]->ip);
	lab_sa_add(l->n[0], "moved", &moved, true, "rogue", "");
	s = lab_seg(l, 1, CRAFT_ACK);
	s.src = l->n[1]->ip + 5;
	lab_send(l, 1, &moved, &s);
	lab_pass(l, VNET_MS);
	ck_assert_uint_eq(lab_stat(l, 0, "latch-m3"), 0);
	ck_assert_uint_eq(info_of(&l->c->end[1]).state, TL_LATCH_ESTABLISHED);
	lab_complete(l);
	lab_free(l);
}
END_TEST

static void
count_one(struct lcore *lc, struct latch *l, const struct flow_key *k, void *arg)
{
	(void)lc;
	(void)k;
	*(uint32_t *)arg += l->state != TL_LATCH_LISTENER;
}

static uint32_t
connections(struct tl_stack *s)
{
	uint32_t n = 0;

	latch_foreach(s->lc[0], count_one, &n);
	return n;
}

/* K-8, S-4, O-7, S-10: the process ends and begins again with its configuration: the policy is
 * there, as it was written; no latch, no deviation, no SA. (M-4) */
START_TEST(k8_s4_o7_s10_nothing_but_the_configuration_outlives_a_restart)
{
	struct tl_error e;
	struct lab *l;
	uint32_t rules;

	app_prepare = wants_clear;
	l = lab_new(&(struct lab_opts){.more = {"stack.privileged-bypass=yes",
					       "stack.privileged-programs=test_latch_rows"}});
	rules = l->n[0]->s->control.nb_rules;
	lab_open(l, 1000, 1000);
	ck_assert_uint_eq(connections(l->n[0]->s), 1);
	app_abort(&l->c->end[0]);
	app_abort(&l->c->end[1]);
	app_stop(&l->app);
	tl_destroy(l->n[0]->s);
	ck_assert_int_eq(tl_create(l->n[0]->conf, &l->n[0]->s, &e), 0);
	ck_assert_uint_eq(l->n[0]->s->control.nb_rules, rules);
	ck_assert_uint_eq(l->n[0]->s->control.rule[0].action, SPD_PROTECT);
	ck_assert_uint_eq(latch_in_use(l->n[0]->s->lc[0]), 0);
	ck_assert_int_eq(control_sa_by_name(l->n[0]->s, "in0"), -ENOENT);
	app_start(&l->app, l->v);
	lab_free(l);
}
END_TEST

static void
send_frame(struct lab *l, bool tagged)
{
	struct lcore *lc = l->n[0]->s->lc[0];
	struct rte_mbuf *m = pkt_alloc(lc);
	uint8_t *p = (uint8_t *)rte_pktmbuf_append(m, 64);

	for (uint8_t i = 0; i < 64; i++)
		p[i] = i;
	if (tagged)
		pkt_tag_set(lc, m, (struct tl_tag){.sad_index = 1, .sad_gen = 2, .profile = 3});
	pkt_out(lc, &lc->out_l2, m);
	vnet_touch(l->n[0]);
	lab_pass(l, VNET_MS);
}

/* P-2: what leaves is the same, byte for byte, whether its mbuf has a tag or not. */
START_TEST(p2_tags_are_not_on_the_wire)
{
	struct lab *l = lab_new(&(struct lab_opts){.clear = true});
	struct lab_kept *k = l->kept[0];

	send_frame(l, false);
	send_frame(l, true);
	ck_assert_uint_eq(l->nb_kept[0], 2);
	ck_assert_uint_eq(k[0].len, 64);
	ck_assert_uint_eq(k[1].len, 64);
	ck_assert_mem_eq(k[0].bytes, k[1].bytes, 64);
	lab_free(l);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("latch_rows");
	TCase *c = tcase_create("rows");

	tcase_set_timeout(c, 120);
	tcase_add_test(c, g11_m13_session_outlives_its_sas);
	tcase_add_test(c, p3_missing_sa_is_told);
	tcase_add_test(c, k7_event_tells_handle_flow_states_and_reason);
	tcase_add_test(c, g28_the_other_end_need_not_latch);
	tcase_add_loop_test(c, r6_r8_t4_closed_ends_the_latch, 0, 4);
	tcase_add_test(c, rebooted_peer_ends_the_connection_itself);
	tcase_add_test(c, q4_n2_addresses_of_a_tunnel);
	tcase_add_test(c, n1_n3_q3_behind_a_nat);
	tcase_add_test(c, q9_clear_connection_says_so);
	tcase_add_test(c, q11_identities_of_two_connections_compare);
	tcase_add_loop_test(c, c1_each_obstacle_has_its_error, 0, 3);
	tcase_add_test(c, c10_simultaneous_open);
	tcase_add_test(c, c11_simultaneous_open_with_different_parameters_fails);
	tcase_add_test(c, o9_no_program_weakens_the_policy);
	tcase_add_test(c, o13_s7_deviations_are_ended_by_the_administrator);
	tcase_add_test(c, n7_keepalive_is_no_proof_of_life);
	tcase_add_test(c, n9_another_address_is_another_connection);
	tcase_add_test(c, k8_s4_o7_s10_nothing_but_the_configuration_outlives_a_restart);
	tcase_add_test(c, p2_tags_are_not_on_the_wire);
	suite_add_tcase(s, c);
	return env_main(s);
}
