/* SPDX-License-Identifier: BSD-3-Clause */
/* Whole stacks against the latch requirements, one test for each, named after it. */
#include <errno.h>
#include <string.h>

#include "esp/esp.h"
#include "latch/latch.h"
#include "stack/base/stat.h"
#include "esp/sa.h"
#include "tcp/tcp_pcb.h"
#include "stack/net/route.h"
#include "tests/util/vnet_lab.h"

static const uint8_t all_flags[] = {CRAFT_RST, CRAFT_RST | CRAFT_ACK, CRAFT_SYN,
	CRAFT_SYN | CRAFT_ACK, CRAFT_ACK, CRAFT_ACK | CRAFT_PSH, CRAFT_FIN | CRAFT_ACK, 0,
	CRAFT_FIN | CRAFT_SYN | CRAFT_RST | CRAFT_PSH | CRAFT_ACK};
/* The first ones are what a TCP sends; the others never reach a control block. */
enum { LEGAL_FLAGS = 7 };
static const uint8_t poison[32] = {0xee, 0xbb, 0xee, 0xbb};

static const struct lab_opts plain_opts;

static struct craft_seg
hostile(struct lab *l, uint32_t d, uint8_t flags)
{
	struct craft_seg s = lab_seg(l, d, flags);

	if ((flags & CRAFT_PSH) != 0) {
		s.data = poison;
		s.len = sizeof(poison);
	}
	return s;
}

static struct tl_latch_info
info_of(const struct app_end *e)
{
	struct tl_latch_info i;

	app_latch(e, &i);
	return i;
}

static void
expect_open(struct lab *l)
{
	for (uint32_t k = 0; k < 2; k++) {
		const struct app_end *e = &l->c->end[k];

		ck_assert_int_eq(e->state, APP_OPEN);
		ck_assert_int_eq(info_of(e).state, TL_LATCH_ESTABLISHED);
		ck_assert_uint_eq(info_of(e).breaks, 0);
	}
}

static void
expect_broken(const struct app_end *e, enum tl_latch_reason why)
{
	ck_assert_int_eq(e->state, APP_FAILED);
	ck_assert_int_eq(e->err, ECONNRESET);
	ck_assert_int_eq(e->info.state, TL_LATCH_CLOSED);
	ck_assert_int_eq(e->info.reason, why);
	ck_assert_uint_eq(e->info.breaks, 1);
}

/* ---- what may change ---- */

/* E-19 */
START_TEST(g10_rekey_of_same_peer_changes_nothing)
{
	struct lab *l = lab_new(&plain_opts);
	uint32_t spi, profile;

	lab_open(l, 40000, 40000);
	spi = l->last_spi[0];
	profile = info_of(&l->c->end[1]).profile;
	for (int i = 0; i < 5; i++) {
		lab_rekey(l);
		lab_pass(l, VNET_MS);
		expect_open(l);
	}
	ck_assert_uint_eq(info_of(&l->c->end[1]).profile, profile);
	lab_complete(l);
	ck_assert_uint_ne(l->last_spi[0], spi);
	ck_assert_uint_eq(l->last_spi[0], LAB_SPI + 10);
	ck_assert_uint_eq(l->last_spi[1], LAB_SPI + 11);
	lab_free(l);
}
END_TEST

START_TEST(g10_rekey_in_tunnel_mode_changes_nothing)
{
	struct lab_opts o = {.tunnel = true, .ethernet = true};
	struct lab *l = lab_new(&o);

	lab_open(l, 40000, 40000);
	app_release(l->c);
	for (int i = 0; i < 5; i++) {
		lab_rekey(l);
		lab_pass(l, 3 * VNET_MS);
	}
	lab_complete(l);
	lab_free(l);
}
END_TEST

/* ---- clear attackers ---- */

static void
flood_icmp(struct lab *l, uint32_t d)
{
	struct craft_seg q = lab_seg(l, 1 - d, CRAFT_ACK);
	uint8_t quote[CRAFT_MAX], icmp[CRAFT_MAX], ip[CRAFT_MAX], tcp[CRAFT_MAX];
	size_t len = craft_ip4(quote, q.src, q.dst, CRAFT_TCP, tcp, craft_tcp(tcp, &q)), n;

	for (uint8_t code = 0; code < 16; code++) {
		n = craft_icmp_error(icmp, 3, code, 100, quote, len);
		n = craft_ip4(ip, l->n[d]->ip, l->n[1 - d]->ip, CRAFT_ICMP, icmp, n);
		vnet_inject(l->v, l->n[1 - d], l->n[d], ip, n, 0, 1);
	}
}

/* RFC 5927 s4.1: on a connection in clear, whoever guesses the ports must guess the number too. */
START_TEST(off_path_icmp_does_not_narrow_the_path)
{
	struct lab_opts o = {.clear = true};
	struct lab *l = lab_new(&o);
	struct ip_addr peer = ip_addr_v4(rte_cpu_to_be_32(l->n[1]->ip));
	struct route r;

	lab_open(l, 20000, 20000);
	flood_icmp(l, 1); /* nothing is in flight */
	lab_pass(l, VNET_MS);
	ck_assert_int_eq(route_find(l->n[0]->s->lc[0], &peer, &r), 0);
	ck_assert_uint_gt(r.mtu_bytes, 1400);
	ck_assert_uint_eq(lab_stat(l, 0, "path-mtus-learned"), 0);
	ck_assert_uint_eq(lab_stat(l, 0, "icmp-quote"), 16);
	lab_complete(l);
	lab_free(l);
}
END_TEST

START_TEST(b19_clear_flood_changes_nothing)
{
	struct lab *l = lab_new(&plain_opts);
	uint32_t sent[2], n = 0;

	lab_open(l, 20000, 20000);
	sent[0] = lab_sent(l, 0);
	sent[1] = lab_sent(l, 1);
	for (uint32_t i = 0; i < 200 * sizeof(all_flags); i++) {
		struct craft_seg s = hostile(l, i & 1, all_flags[i % sizeof(all_flags)]);

		s.seq += i % 3 * 1000;
		lab_send_clear(l, i & 1, &s);
		n++;
		if (i % 64 == 0)
			lab_pass(l, VNET_MS);
	}
	flood_icmp(l, 0);
	flood_icmp(l, 1);
	lab_pass(l, 50 * VNET_MS);
	expect_open(l);
	ck_assert_uint_eq(info_of(&l->c->end[0]).drop_clear + info_of(&l->c->end[1]).drop_clear, n);
	ck_assert_uint_eq(lab_stat(l, 0, "latch-m0") + lab_stat(l, 1, "latch-m0"), n);
	ck_assert_uint_eq(lab_sent(l, 0), sent[0]);
	ck_assert_uint_eq(lab_sent(l, 1), sent[1]);
	lab_complete(l);
	lab_free(l);
}
END_TEST

START_TEST(b21_clear_resets_over_the_whole_window_change_nothing)
{
	struct lab *l = lab_new(&plain_opts);
	struct craft_seg s;

	lab_open(l, 1000, 1000);
	s = lab_seg(l, 1, CRAFT_RST);
	for (uint32_t i = 0; i < 65536; i++) {
		lab_send_clear(l, 1, &s);
		s.seq++;
		if (i % 256 == 0)
			lab_pass(l, VNET_MS / 1000);
	}
	lab_pass(l, VNET_MS);
	expect_open(l);
	ck_assert_uint_eq(lab_stat(l, 0, "latch-m0"), 65536);
	lab_complete(l);
	lab_free(l);
}
END_TEST

START_TEST(b21_reset_under_the_sa_of_another_breaks_once)
{
	struct lab *l = lab_new(&plain_opts);
	struct craft_seg s;

	lab_open(l, 1000, 1000);
	s = lab_seg(l, 1, CRAFT_RST);
	for (uint32_t i = 0; i < 100; i++) {
		lab_send(l, 1, &l->bad[0], &s);
		s.seq += 7;
	}
	lab_pass(l, VNET_MS);
	expect_broken(&l->c->end[1], TL_LATCH_PEER_CONFLICT);
	ck_assert_uint_eq(lab_stat(l, 0, "latches-broken"), 1);
	ck_assert_int_eq(l->c->end[0].state, APP_OPEN);
	lab_free(l);
}
END_TEST

START_TEST(f8_replayed_frames_are_never_delivered_twice)
{
	struct lab *l = lab_new(&plain_opts);
	uint32_t n;

	lab_open(l, 5000, 5000);
	n = l->nb_kept[1];
	ck_assert_uint_lt(n, LAB_KEPT);
	for (uint32_t i = 0; i < n; i++)
		vnet_inject_frame(l->v, l->n[0], l->kept[1][i].bytes, l->kept[1][i].len, 0, 1);
	lab_pass(l, VNET_MS);
	ck_assert_uint_eq(lab_stat(l, 0, "esp-replay"), n);
	expect_open(l);
	lab_complete(l);
	lab_free(l);
}
END_TEST

/* ---- classes ---- */

START_TEST(m1_packet_outside_the_selectors_of_its_sa_is_dropped_in_esp)
{
	struct lab *l = lab_new(&plain_opts);
	struct craft_sa narrow = {.esn = true, .key_len = 20};
	struct craft_seg s;

	lab_sa_draw(l->v, &narrow, LAB_ROGUE + 9, l->n[1]->ip, l->n[0]->ip);
	lab_sa_add(l->n[0], "narrow", &narrow, true, "rogue", "local-port=80");
	lab_open(l, 1000, 1000);
	s = hostile(l, 1, CRAFT_RST);
	lab_send(l, 1, &narrow, &s);
	lab_pass(l, VNET_MS);
	expect_open(l);
	ck_assert_uint_eq(lab_stat(l, 0, "esp-selector"), 1);
	lab_complete(l);
	lab_free(l);
}
END_TEST

START_TEST(outer_addresses_must_be_those_of_the_sa)
{
	struct lab *l = lab_new(&plain_opts);
	struct craft_seg s;

	lab_open(l, 1000, 1000);
	s = hostile(l, 1, CRAFT_RST);
	l->bad[0].src ^= 64;
	lab_send(l, 1, &l->bad[0], &s);
	lab_pass(l, VNET_MS);
	expect_open(l);
	ck_assert_uint_eq(lab_stat(l, 0, "esp-addr"), 1);
	lab_complete(l);
	lab_free(l);
}
END_TEST

/* The same peer under AES-256, where the latch has AES-128. */
static void
other_key_length(struct lab *l, struct craft_sa *wide)
{
	struct craft_seg s;

	*wide = (struct craft_sa){.esn = true, .key_len = 36};
	lab_sa_draw(l->v, wide, LAB_SPI + 100, l->n[1]->ip, l->n[0]->ip);
	lab_sa_add(l->n[0], "wide", wide, true, "peer", "");
	lab_open(l, 1000, 1000);
	s = hostile(l, 1, CRAFT_ACK | CRAFT_PSH);
	lab_send(l, 1, wide, &s);
	lab_pass(l, VNET_MS);
}

/* G-2, G-6, P-8 */
START_TEST(m2_other_key_length_breaks_with_qop_conflict)
{
	struct lab *l = lab_new(&plain_opts);
	struct craft_sa wide;

	other_key_length(l, &wide);
	expect_broken(&l->c->end[1], TL_LATCH_QOP_CONFLICT);
	ck_assert_uint_eq(l->c->end[1].rx_off, 0);
	ck_assert_uint_eq(l->c->end[1].info.drop_qop, 1);
	lab_free(l);
}
END_TEST

/* P-8 */
START_TEST(m2_is_dropped_where_the_knob_says_so)
{
	struct lab_opts o = {.m2_drop = true};
	struct lab *l = lab_new(&o);
	struct craft_sa wide;

	other_key_length(l, &wide);
	expect_open(l);
	ck_assert_uint_eq(lab_stat(l, 0, "latch-m2"), 1);
	lab_complete(l);
	lab_free(l);
}
END_TEST

/* G-15, P-13 */
START_TEST(m3_data_of_another_identity_breaks_and_is_never_delivered)
{
	struct lab_opts o = {.tunnel = true};
	struct lab *l = lab_new(&o);
	struct craft_seg s;

	lab_open(l, 1000, 1000);
	s = hostile(l, 0, CRAFT_ACK | CRAFT_PSH);
	lab_send(l, 0, &l->bad[1], &s);
	lab_pass(l, VNET_MS);
	expect_broken(&l->c->end[0], TL_LATCH_PEER_CONFLICT);
	ck_assert_uint_eq(l->c->end[0].rx_off, 0);
	lab_free(l);
}
END_TEST

/* An SA whose identities nobody knows cannot be configured, so it is put in by hand. */
static void
add_nameless(struct lab *l, struct craft_sa *sa)
{
	struct tl_stack *s = l->n[0]->s;
	struct latch_profile p = {.proto = 50,
		.mode = TL_LATCH_MODE_TRANSPORT,
		.type = TL_LATCH_TYPE_CONF | TL_LATCH_TYPE_INTEG,
		.encr = ESP_ENCR_AES_GCM_16,
		.encr_bits = 128,
		.icv_bits = 128,
		.replay = TL_LATCH_REPLAY_ON};
	struct esp_sa_conf c = {.spi = sa->spi,
		.local = ip_addr_v4(rte_cpu_to_be_32(sa->dst)),
		.remote = ip_addr_v4(rte_cpu_to_be_32(sa->src)),
		.profile = latch_profile_intern(s->conf.tables, &p),
		.replay_window = 64,
		.encr = ESP_ENCR_AES_GCM_16,
		.encr_bits = 128,
		.mode = ESP_MODE_TRANSPORT,
		.inbound = true,
		.key_len = 20};

	esp_sel_any(&c.sel, 0);
	memcpy(c.key, sa->key, sa->key_len);
	ck_assert_int_eq(esp_sad_add(s->lc[0], &c, ESP_MAX_SAS_DEFAULT - 1, 1), 0);
}

START_TEST(m5_unknown_identity_is_dropped_and_never_breaks)
{
	struct lab *l = lab_new(&plain_opts);
	struct craft_sa nameless = {.key_len = 20};
	struct craft_seg s;

	lab_sa_draw(l->v, &nameless, LAB_ROGUE + 7, l->n[1]->ip, l->n[0]->ip);
	add_nameless(l, &nameless);
	lab_open(l, 1000, 1000);
	for (uint32_t i = 0; i < sizeof(all_flags); i++) {
		s = hostile(l, 1, all_flags[i]);
		lab_send(l, 1, &nameless, &s);
	}
	s = hostile(l, 1, CRAFT_SYN);
	s.sport++;
	lab_send(l, 1, &nameless, &s);
	lab_pass(l, VNET_MS);
	expect_open(l);
	ck_assert_uint_eq(lab_stat(l, 0, "latch-m5"), sizeof(all_flags) + 1);
	ck_assert_uint_eq(info_of(&l->c->end[1]).drop_unknown, sizeof(all_flags));
	lab_complete(l);
	lab_free(l);
}
END_TEST

START_TEST(m6_protected_packet_on_a_clear_connection_is_dropped)
{
	struct lab_opts o = {.clear = true};
	struct lab *l = lab_new(&o);

	lab_open(l, 1000, 1000);
	for (uint32_t i = 0; i < sizeof(all_flags); i++) {
		struct craft_seg s = hostile(l, 1, all_flags[i]);

		lab_send(l, 1, &l->bad[0], &s);
		lab_send(l, 1, &l->good[1], &s);
	}
	lab_pass(l, VNET_MS);
	ck_assert_int_eq(info_of(&l->c->end[1]).state, TL_LATCH_NONE);
	ck_assert_uint_eq(lab_stat(l, 0, "latch-m6"), 2 * sizeof(all_flags));
	ck_assert_uint_eq(l->esp[0], 0);
	lab_complete(l);
	lab_free(l);
}
END_TEST

/* ---- every state ---- */

static void
half_close(struct app_end *e)
{
	ck_assert_int_eq(tl_shutdown(e->w, e->fd, SHUT_WR), 0);
	vnet_touch(e->node);
}

/* Brings the client (node 1) into a state; both ends stay open sockets. */
static void
go_to(struct lab *l, const char *state)
{
	if (strcmp(state, "SYN-SENT") == 0) {
		l->block[1] = true;
		lab_begin(l, 0, 0);
		lab_pass(l, 10 * VNET_MS);
		return;
	}
	lab_open(l, 0, 0);
	if (strcmp(state, "CLOSE-WAIT") == 0 || strcmp(state, "LAST-ACK") == 0) {
		half_close(&l->c->end[1]);
		lab_pass(l, 20 * VNET_MS);
		l->block[1] = true;
		if (strcmp(state, "LAST-ACK") == 0)
			half_close(&l->c->end[0]);
	} else if (strcmp(state, "CLOSING") == 0) {
		l->block[1] = true; /* the server does not see the client's FIN */
		half_close(&l->c->end[0]);
		half_close(&l->c->end[1]);
	} else if (strcmp(state, "ESTABLISHED") != 0) {
		l->block[1] = strcmp(state, "FIN-WAIT-1") == 0;
		half_close(&l->c->end[0]);
		lab_pass(l, 60 * VNET_MS);
		if (strcmp(state, "TIME-WAIT") == 0)
			half_close(&l->c->end[1]);
	}
	lab_pass(l, 60 * VNET_MS);
}

static void
wrong_in_state(const char *state, uint8_t flags)
{
	struct lab *l = lab_new(&plain_opts);
	bool kept = strcmp(state, "TIME-WAIT") == 0;
	struct craft_seg s;
	uint32_t sent;

	go_to(l, state);
	ck_assert_str_eq(lab_state(l, 1), state);
	sent = lab_sent(l, 1);
	s = hostile(l, 0, flags);
	lab_send_clear(l, 0, &s);
	lab_pass(l, VNET_MS);
	ck_assert_str_eq(lab_state(l, 1), state);
	lab_send(l, 0, &l->bad[1], &s);
	lab_pass(l, 5 * VNET_MS);
	ck_assert_uint_eq(lab_sent(l, 1), sent);
	ck_assert_str_eq(lab_state(l, 1), kept ? state : "CLOSED");
	if (!kept)
		ck_assert_uint_eq(lab_stat(l, 1, "latches-broken"), 1);
	if (strcmp(state, "SYN-SENT") == 0) {
		ck_assert_int_eq(l->c->end[0].err, ECONNREFUSED);
		ck_assert_int_eq(l->c->end[0].info.reason, TL_LATCH_PEER_CONFLICT);
	} else if (!kept && l->c->end[0].state == APP_FAILED) {
		expect_broken(&l->c->end[0], TL_LATCH_PEER_CONFLICT);
	}
	lab_free(l);
}

/* ---- state, segment, class: the whole control block ---- */

enum kind { K_SYN, K_RST, K_FIN, K_ACK, K_DATA, K_ICMP, KINDS };
enum class { C_CLEAR, C_OTHER_PEER, C_OTHER_QUALITY, C_NEW_SA, CLASSES };

static struct tcp_pcb *
client_pcb(struct lab *l)
{
	struct tcp_pcb *pcb;

	TAILQ_FOREACH (pcb, &l->n[1]->s->lc[0]->tcp->all, all) {
		if (pcb->state != TCPS_LISTEN && pcb->state != TCPS_CLOSED)
			return pcb;
	}
	return NULL;
}

/* An SA of direction d that the connection did not begin under. */
static void
another_sa(struct lab *l, uint32_t d, struct craft_sa *sa, bool same_quality)
{
	*sa = (struct craft_sa){.esn = true, .key_len = same_quality ? 20 : 36};
	lab_sa_draw(l->v, sa, LAB_SPI + 200, l->n[d]->ip, l->n[1 - d]->ip);
	lab_sa_add(l->n[1 - d], "another", sa, true, "peer", "");
}

/* As lab_seg(); without a connection, of one that could be. */
static struct craft_seg
seg_of(struct lab *l, uint32_t d, uint8_t flags)
{
	if (l->c != NULL)
		return lab_seg(l, d, flags);
	return (struct craft_seg){.src = l->n[d]->ip,
		.dst = l->n[1 - d]->ip,
		.sport = d == 1 ? 4321 : APP_PORT,
		.dport = d == 1 ? APP_PORT : 4321,
		.seq = 777,
		.ack = 888,
		.wnd = 1000,
		.flags = flags};
}

/* "Protocol unreachable" of direction d, about the last segment of the other one. */
static size_t
icmp_of(struct lab *l, uint32_t d, uint8_t *icmp)
{
	struct craft_seg q = seg_of(l, 1 - d, CRAFT_ACK);
	uint8_t quote[CRAFT_MAX], tcp[CRAFT_MAX];
	size_t n;

	q.seq -= 1;
	n = craft_ip4(quote, q.src, q.dst, CRAFT_TCP, tcp, craft_tcp(tcp, &q));
	return craft_icmp_error(icmp, 3, 2, 0, quote, n);
}

static void
send_kind(struct lab *l, uint32_t d, enum kind kind, enum class class, struct craft_sa *sa)
{
	static const uint8_t flags[] = {CRAFT_SYN, CRAFT_RST | CRAFT_ACK, CRAFT_FIN | CRAFT_ACK,
		CRAFT_ACK, CRAFT_ACK | CRAFT_PSH};
	uint8_t ip[CRAFT_MAX], icmp[CRAFT_MAX], esp[CRAFT_MAX];
	struct craft_seg s;
	size_t n;

	if (kind != K_ICMP) {
		s = seg_of(l, d, flags[kind]);
		s.data = poison;
		s.len = kind == K_DATA ? sizeof(poison) : 0;
		if (class == C_CLEAR)
			lab_send_clear(l, d, &s);
		else
			lab_send(l, d, sa, &s);
		return;
	}
	n = icmp_of(l, d, icmp);
	if (class == C_CLEAR) {
		n = craft_ip4(ip, l->n[d]->ip, l->n[1 - d]->ip, CRAFT_ICMP, icmp, n);
	} else {
		n = craft_esp(sa, esp, CRAFT_ICMP, icmp, n, NULL);
		n = craft_ip4(ip, sa->src, sa->dst, CRAFT_ESP, esp, n);
	}
	vnet_inject(l->v, l->n[1 - d], l->n[d], ip, n, 0, 1);
}

/* Only what the latch counts may differ. */
static void
expect_untouched(const struct tcp_pcb *before, const struct tcp_pcb *after, const char *what)
{
	struct tcp_pcb b = *before;

	b.latch.drop_clear = after->latch.drop_clear;
	b.latch.drop_qop = after->latch.drop_qop;
	b.latch.drop_peer = after->latch.drop_peer;
	ck_assert_msg(memcmp(&b, after, sizeof(b)) == 0, "%s", what);
}

static void
table_case(const char *state, enum kind kind, enum class class)
{
	struct lab *l = lab_new(&(struct lab_opts){.m2_drop = true, .m3_drop = true});
	struct craft_sa own, *sa = class == C_OTHER_PEER ? &l->bad[1] : &own;
	struct tcp_pcb before, *pcb;
	char what[80];
	uint32_t sent;

	snprintf(what, sizeof(what), "%s, segment %d, class %d", state, kind, class);
	go_to(l, state);
	if (class == C_OTHER_QUALITY)
		another_sa(l, 0, &own, false);
	pcb = client_pcb(l);
	ck_assert_ptr_nonnull(pcb);
	before = *pcb;
	sent = lab_sent(l, 1);
	send_kind(l, 0, kind, class, sa);
	lab_pass(l, VNET_MS);
	expect_untouched(&before, pcb, what);
	ck_assert_msg(lab_sent(l, 1) == sent, "%s: answered", what);
	lab_free(l);
}

/* What may be compared between two labs: no addresses. */
static void
numbers_of(const struct tcp_pcb *pcb, uint64_t out[16])
{
	uint64_t v[16] = {0};

	if (pcb != NULL) {
		uint64_t of[] = {pcb->state, pcb->snd_una - pcb->iss, pcb->snd_nxt - pcb->iss,
			pcb->snd_wnd, pcb->rcv_nxt - pcb->irs, pcb->rcv_adv - pcb->irs,
			pcb->ts_recent, pcb->rcv_fin, pcb->fin_queued, pcb->cc.cwnd_bytes,
			buf_len(&pcb->rcv), pcb->ooo_n, pcb->rexmt_cnt, pcb->latch.state,
			pcb->latch.profile_in, pcb->latch.breaks};

		memcpy(v, of, sizeof(v));
	}
	memcpy(out, v, sizeof(v));
}

static void
same_under(const char *state, enum kind kind, bool new_sa, uint64_t out[17])
{
	struct lab *l = lab_new(&plain_opts);
	struct esp_sa_info i;
	struct craft_sa own;
	int slot;

	go_to(l, state);
	if (new_sa) {
		another_sa(l, 0, &own, true);
	} else {
		/* The SA of the connection, where the peer's own stack has not come yet. */
		slot = control_sa_by_name(l->n[0]->s, "out0");
		ck_assert_int_eq(control_sa_info(l->n[0]->s, (uint32_t)slot, &i), 0);
		l->good[0].seq = i.seq + 500;
	}
	/* The program would wonder about these octets. */
	tl_watch(l->c->end[0].w, l->c->end[0].fd, 0, NULL);
	send_kind(l, 0, kind, C_NEW_SA, new_sa ? &own : &l->good[0]);
	lab_pass(l, VNET_MS);
	numbers_of(client_pcb(l), out);
	out[16] = lab_sent(l, 1);
	lab_free(l);
}

/* P-7, F-15, F-16, F-18, F-35, F-49, F-50: every state, every kind of segment, every class. What is
 * in clear, of another peer or of other quality touches no octet of the control block and is not
 * answered; what has the same profile does the same under a new SA as under the old one (G-10). */
START_TEST(p7_f15_table_of_states_segments_and_classes)
{
	static const char *const states[] = {"SYN-SENT", "ESTABLISHED", "FIN-WAIT-1", "FIN-WAIT-2",
		"CLOSING", "TIME-WAIT", "CLOSE-WAIT", "LAST-ACK"};
	uint64_t old[17], new[17];
	enum kind kind = (enum kind)_i;

	for (uint32_t i = 0; i < sizeof(states) / sizeof(states[0]); i++) {
		for (enum class c = C_CLEAR; c < C_NEW_SA; c++)
			table_case(states[i], kind, c);
		same_under(states[i], kind, false, old);
		same_under(states[i], kind, true, new);
		ck_assert_msg(
			memcmp(old, new, sizeof(old)) == 0, "%s, segment %d", states[i], kind);
	}
}
END_TEST

START_TEST(p7_wrong_profile_in_every_state)
{
	static const char *const states[] = {"SYN-SENT", "ESTABLISHED", "FIN-WAIT-1", "FIN-WAIT-2",
		"CLOSING", "TIME-WAIT", "CLOSE-WAIT", "LAST-ACK"};

	for (uint32_t i = 0; i < sizeof(states) / sizeof(states[0]); i++) {
		for (uint32_t f = 0; f < LEGAL_FLAGS; f++)
			wrong_in_state(states[i], all_flags[f]);
	}
}
END_TEST

/* ---- opening ---- */

/* The server is in SYN-RECEIVED: the client's ACK does not come through. */
static struct lab *
half_open(const struct lab_opts *o)
{
	struct lab *l = lab_new(o);

	lab_begin(l, 3000, 3000);
	for (uint32_t i = 0; i < 100000 && lab_sent(l, 0) == 0; i++)
		vnet_step(l->v);
	l->block[1] = true;
	lab_pass(l, 10 * VNET_MS);
	ck_assert_str_eq(lab_state(l, 0), "SYN-RECEIVED");
	return l;
}

START_TEST(f21_wrong_profile_in_syn_received_is_dropped_and_the_entry_kept)
{
	for (uint32_t i = 0; i < LEGAL_FLAGS; i++) {
		struct lab *l = half_open(&plain_opts);
		uint32_t sent = lab_sent(l, 0);
		struct craft_seg s = hostile(l, 1, all_flags[i]);

		lab_send(l, 1, &l->bad[0], &s);
		lab_send_clear(l, 1, &s);
		lab_pass(l, 5 * VNET_MS);
		ck_assert_str_eq(lab_state(l, 0), "SYN-RECEIVED");
		ck_assert_int_eq(l->c->end[1].state, APP_IDLE);
		ck_assert_uint_eq(lab_sent(l, 0), sent);
		ck_assert_uint_eq(lab_stat(l, 0, "latch-m3"), 1);
		l->block[1] = false;
		lab_complete(l);
		lab_free(l);
	}
}
END_TEST

START_TEST(f32_connection_broken_before_accept_is_econnaborted)
{
	struct lab *l = lab_new(&plain_opts);
	struct craft_seg s;

	tl_set_turn_fn(tl_worker(l->n[0]->s, 0), NULL, NULL); /* the server sleeps */
	lab_begin(l, 100, 100);
	lab_pass(l, 20 * VNET_MS);
	ck_assert_str_eq(lab_state(l, 0), "ESTABLISHED");
	s = hostile(l, 1, CRAFT_RST);
	lab_send(l, 1, &l->bad[0], &s);
	lab_pass(l, VNET_MS);
	ck_assert_int_eq(tl_accept(l->app.lsn[0].w, l->app.lsn[0].fd, NULL, NULL), -1);
	ck_assert_int_eq(errno, ECONNABORTED);
	lab_free(l);
}
END_TEST

/* The rogue answers the SYN-ACK that it got under its own SA. Returns its next sequence number. */
static void
rogue_connects(struct lab *l, uint32_t seq)
{
	struct craft_seg s = hostile(l, 1, CRAFT_SYN);

	s.seq = seq;
	lab_send(l, 1, &l->bad[0], &s);
	lab_pass(l, VNET_MS);
	ck_assert_uint_eq(l->under_rogue[0], 1);
	ck_assert_uint_eq(l->to_rogue.flags, CRAFT_SYN | CRAFT_ACK);
	ck_assert_uint_eq(l->to_rogue.ack, seq + 1);
	s.flags = CRAFT_ACK;
	s.seq = seq + 1;
	s.ack = l->to_rogue.seq + 1;
	s.ts_ecr = l->to_rogue.ts_val;
	lab_send(l, 1, &l->bad[0], &s);
	lab_pass(l, VNET_MS);
	ck_assert_str_eq(lab_state(l, 0), "ESTABLISHED");
}

START_TEST(f19_syn_of_other_peer_ends_old_and_retransmission_connects)
{
	struct lab *l = lab_new(&plain_opts);
	struct craft_seg s;
	struct tcp_row i;
	uint32_t old_profile;

	lab_open(l, 1000, 1000);
	ck_assert(lab_pcb(l, 0, &i));
	old_profile = i.latch->profile_in;
	s = hostile(l, 1, CRAFT_SYN);
	s.seq += 100000;
	lab_send(l, 1, &l->bad[0], &s);
	lab_pass(l, VNET_MS);
	expect_broken(&l->c->end[1], TL_LATCH_PEER_CONFLICT);
	ck_assert_uint_eq(l->under_rogue[0], 0); /* P-14: the SYN ends the old, and is dropped */
	tl_set_turn_fn(tl_worker(l->n[0]->s, 0), NULL, NULL);
	rogue_connects(l, s.seq);
	ck_assert(lab_pcb(l, 0, &i));
	ck_assert_uint_ne(i.latch->profile_in, old_profile);
	lab_free(l);
}
END_TEST

/* P-10 */
START_TEST(p14_knob_drop_keeps_the_old_connection)
{
	struct lab_opts o = {.m3_drop = true};
	struct lab *l = lab_new(&o);
	struct craft_seg s;

	lab_open(l, 1000, 1000);
	for (uint32_t i = 0; i < 3; i++) {
		s = hostile(l, 1, CRAFT_SYN);
		s.seq += 100000;
		lab_send(l, 1, &l->bad[0], &s);
		lab_pass(l, VNET_MS);
	}
	expect_open(l);
	ck_assert_uint_eq(l->under_rogue[0], 0);
	ck_assert_uint_eq(lab_stat(l, 0, "latch-m3"), 3);
	lab_complete(l);
	lab_free(l);
}
END_TEST

START_TEST(f15_wrong_profile_changes_no_field_of_the_control_block)
{
	struct lab_opts o = {.m2_drop = true, .m3_drop = true};
	struct lab *l = lab_new(&o);
	struct tcp_row before, after;
	uint32_t sent;

	lab_open(l, 1000, 1000);
	sent = lab_sent(l, 0);
	ck_assert(lab_pcb(l, 0, &before));
	for (uint32_t i = 0; i < sizeof(all_flags); i++) {
		for (int32_t off = -2000; off <= 2000; off += 2000) {
			struct craft_seg s = hostile(l, 1, all_flags[i]);

			s.seq += (uint32_t)off;
			s.ts_val += 100000;
			lab_send(l, 1, &l->bad[0], &s);
			lab_send_clear(l, 1, &s);
		}
		lab_pass(l, VNET_MS);
	}
	/* F-18: nor did any of them draw an answer. */
	ck_assert_uint_eq(lab_sent(l, 0), sent);
	ck_assert(lab_pcb(l, 0, &after));
	ck_assert_int_eq(memcmp(&before, &after, sizeof(before)), 0);
	ck_assert_uint_eq(lab_stat(l, 0, "tcp-challenge-acks"), 0);
	lab_complete(l);
	lab_free(l);
}
END_TEST

START_TEST(f20_new_syn_of_the_same_peer_draws_a_challenge_ack_only)
{
	struct lab *l = lab_new(&plain_opts);
	struct craft_seg s;

	lab_open(l, 1000, 1000);
	s = hostile(l, 1, CRAFT_SYN);
	l->good[1].seq = 1000; /* beyond what the client used */
	l->good[1].iv = 1;
	l->block[0] = true; /* the client does not see the challenge */
	lab_send(l, 1, &l->good[1], &s);
	lab_pass(l, VNET_MS);
	expect_open(l);
	ck_assert_uint_eq(lab_stat(l, 0, "tcp-challenge-acks"), 1);
	ck_assert_uint_eq(l->last[0].flags, CRAFT_ACK);
	ck_assert_uint_eq(l->under_rogue[0], 0);
	lab_free(l);
}
END_TEST

/* ---- what is sent ---- */

START_TEST(f17_nothing_sent_under_rogue_sa)
{
	for (uint32_t i = 0; i < LEGAL_FLAGS; i++) {
		struct lab *l = lab_new(&plain_opts);
		struct craft_seg s;
		uint32_t sent;

		lab_open(l, 30000, 30000);
		l->block[0] = true; /* the server has much in flight */
		app_release(l->c);
		lab_pass(l, 30 * VNET_MS);
		s = hostile(l, 1, all_flags[i]);
		l->block[1] = true;
		lab_pass(l, 10 * VNET_MS);
		sent = lab_sent(l, 0);
		lab_send(l, 1, &l->bad[0], &s);
		lab_pass(l, 100 * VNET_S);
		ck_assert_uint_eq(lab_stat(l, 0, "latches-broken"), 1);
		ck_assert_uint_eq(l->under_rogue[0], 0);
		ck_assert_uint_eq(lab_sent(l, 0), sent);
		lab_free(l);
	}
}
END_TEST

START_TEST(g14_no_sa_means_drop_never_clear)
{
	/* The rogue's SA is no reason to break within this time (K-10). */
	struct lab *l = lab_new(&(struct lab_opts){.more = {"stack.settle-ms=60000"}});
	uint32_t sent;

	lab_open(l, 30000, 30000);
	lab_sa_del(l->n[0], "out0", false);
	sent = lab_sent(l, 0);
	app_release(l->c);
	lab_pass(l, 5 * VNET_S);
	ck_assert_uint_eq(lab_sent(l, 0), sent);
	ck_assert_uint_eq(l->clear[0] + l->clear[1], 0);
	ck_assert_uint_eq(l->under_rogue[0], 0);
	ck_assert_uint_gt(lab_stat(l, 0, "esp-nosa"), 0);
	/* A new SA of the same peer, and the connection goes on. */
	l->good[0].seq = 0;
	lab_sa_draw(l->v, &l->good[0], LAB_SPI + 50, l->n[0]->ip, l->n[1]->ip);
	lab_sa_add(l->n[1], "in50", &l->good[0], true, "peer", "");
	lab_sa_add(l->n[0], "out50", &l->good[0], false, "peer", "");
	lab_complete(l);
	ck_assert_uint_eq(l->clear[0] + l->clear[1], 0);
	lab_free(l);
}
END_TEST

START_TEST(g14_newer_sa_of_another_peer_or_suite_is_not_used)
{
	struct lab *l = lab_new(&plain_opts);
	struct craft_sa other = {.esn = true, .key_len = 36};
	struct craft_sa rogue = {.esn = true, .key_len = 20};

	lab_open(l, 30000, 30000);
	lab_sa_draw(l->v, &other, LAB_SPI + 60, l->n[0]->ip, l->n[1]->ip);
	lab_sa_add(l->n[0], "strong", &other, false, "peer", "");
	lab_sa_draw(l->v, &rogue, LAB_ANSWER + 60, l->n[0]->ip, l->n[1]->ip);
	lab_sa_add(l->n[0], "rogue-new", &rogue, false, "rogue", "");
	lab_complete(l);
	ck_assert_uint_eq(l->last_spi[0], LAB_SPI);
	ck_assert_uint_eq(l->under_rogue[0], 0);
	lab_free(l);
}
END_TEST

/* RFC 4301 s5.2 step 3b comes before RFC 1122 s3.2.2.1: who may not speak is not answered. */
START_TEST(f33_clear_packet_of_unknown_protocol_draws_no_answer)
{
	const struct lab_opts opts[] = {{0}, {.tunnel = true}, {.ethernet = true}};
	uint8_t ip[CRAFT_MAX], body[24] = {0};

	for (uint32_t i = 0; i < 3; i++) {
		struct lab *l = lab_new(&opts[i]);
		uint32_t sent;

		lab_open(l, 100, 100);
		sent = lab_sent(l, 0);
		for (uint32_t p = 0; p < 256; p++) {
			size_t n = craft_ip4(
				ip, l->n[1]->ip, l->n[0]->ip, (uint8_t)p, body, sizeof(body));

			vnet_inject(l->v, l->n[0], l->n[1], ip, n, 0, 1);
			lab_pass(l, 2 * VNET_S);
		}
		ck_assert_uint_eq(lab_sent(l, 0), sent);
		expect_open(l);
		lab_complete(l);
		lab_free(l);
	}
}
END_TEST

/* ---- TIME-WAIT ---- */

static struct lab *
time_wait(void)
{
	struct lab *l = lab_new(&plain_opts);

	/* The server closes first, so it waits. */
	lab_open(l, 0, 0);
	half_close(&l->c->end[1]);
	lab_pass(l, 50 * VNET_MS);
	half_close(&l->c->end[0]);
	lab_pass(l, 50 * VNET_MS);
	ck_assert_str_eq(lab_state(l, 0), "TIME-WAIT");
	return l;
}

/* R-4, F-30 */
START_TEST(f30_wrong_profile_in_time_wait_is_dropped_and_the_latch_kept)
{
	for (uint32_t i = 0; i < 2 * LEGAL_FLAGS; i++) {
		struct lab *l = time_wait();
		struct craft_seg s = hostile(l, 1, all_flags[i / 2]);
		uint32_t sent = lab_sent(l, 0);

		/* The old SYN is old: a new one is the other test. */
		s.seq -= 1000;
		s.ts_val -= 1000000;
		s.has_ts = (i & 1) != 0;
		lab_send(l, 1, &l->bad[0], &s);
		lab_send_clear(l, 1, &s);
		lab_pass(l, VNET_MS);
		ck_assert_str_eq(lab_state(l, 0), "TIME-WAIT");
		ck_assert_uint_eq(lab_sent(l, 0), sent);
		lab_pass(l, 2 * VNET_S);
		ck_assert_str_eq(lab_state(l, 0), "CLOSED");
		lab_free(l);
	}
}
END_TEST

START_TEST(f30_new_syn_of_another_peer_in_time_wait_gets_a_latch_of_its_own)
{
	struct lab *l = time_wait();
	struct tcp_row i;
	uint32_t old;

	ck_assert(lab_pcb(l, 0, &i));
	old = i.latch->profile_in;
	tl_set_turn_fn(tl_worker(l->n[0]->s, 0), NULL, NULL);
	rogue_connects(l, l->last[1].seq + 100000);
	ck_assert(lab_pcb(l, 0, &i));
	ck_assert_uint_ne(i.latch->profile_in, old);
	ck_assert_int_eq(i.latch->state, TL_LATCH_ESTABLISHED);
	lab_free(l);
}
END_TEST

/* ---- the same table where a server waits: LISTEN, SYN-RECEIVED, and its TIME-WAIT ---- */

enum wait { W_LISTEN, W_SYN_RCVD, W_TIME_WAIT, WAITS };

static const char *const wait_name[WAITS] = {"LISTEN", "SYN-RECEIVED", "TIME-WAIT"};

/* A listener takes whom the policy allows, so there the policy names peer and quality. */
static struct lab *
server_in(enum wait w, bool drops)
{
	struct lab_opts o = {.m2_drop = drops, .m3_drop = drops};
	struct lab *l;

	if (w == W_LISTEN)
		o = (struct lab_opts){.named_policy = true, .more = {"policy all.key-bits=128"}};
	if (w == W_SYN_RCVD)
		return half_open(&o);
	l = lab_new(&o);
	if (w == W_LISTEN)
		return l;
	lab_open(l, 0, 0);
	half_close(&l->c->end[1]);
	lab_pass(l, 50 * VNET_MS);
	half_close(&l->c->end[0]);
	lab_pass(l, 50 * VNET_MS);
	ck_assert_str_eq(lab_state(l, 0), "TIME-WAIT");
	return l;
}

static struct tcp_pcb *
server_pcb(struct lab *l, enum wait w)
{
	struct tcp_pcb *pcb;

	TAILQ_FOREACH (pcb, &l->n[0]->s->lc[0]->tcp->all, all) {
		if (w == W_LISTEN ? pcb->state == TCPS_LISTEN
				  : pcb->state != TCPS_LISTEN && pcb->state != TCPS_CLOSED)
			return pcb;
	}
	return NULL;
}

static void
server_case(enum wait w, enum kind kind, enum class class, bool drops)
{
	struct lab *l = server_in(w, drops);
	struct craft_sa own, *sa = class == C_OTHER_PEER ? &l->bad[0] : &own;
	struct tcp_pcb before, *pcb;
	uint32_t sent, pcbs;
	char what[80];

	snprintf(what, sizeof(what), "%s, segment %d, class %d", wait_name[w], kind, class);
	if (class == C_OTHER_QUALITY)
		another_sa(l, 1, &own, false);
	pcb = server_pcb(l, w);
	ck_assert_ptr_nonnull(pcb);
	before = *pcb;
	sent = lab_sent(l, 0);
	pcbs = tcp_pcbs_in_use(l->n[0]->s->lc[0]);
	send_kind(l, 1, kind, class, sa);
	lab_pass(l, VNET_MS);
	ck_assert_msg(server_pcb(l, w) == pcb, "%s: another connection", what);
	expect_untouched(&before, pcb, what);
	ck_assert_msg(lab_sent(l, 0) == sent, "%s: answered", what);
	ck_assert_msg(tcp_pcbs_in_use(l->n[0]->s->lc[0]) == pcbs, "%s: a child", what);
	lab_free(l);
}

static void
server_under(enum wait w, enum kind kind, bool new_sa, uint64_t out[18])
{
	struct lab *l = server_in(w, false);
	struct esp_sa_info i;
	struct craft_sa own;
	int slot;

	if (new_sa) {
		another_sa(l, 1, &own, true);
	} else {
		slot = control_sa_by_name(l->n[1]->s, "out0");
		ck_assert_int_eq(control_sa_info(l->n[1]->s, (uint32_t)slot, &i), 0);
		l->good[1].seq = i.seq + 500;
	}
	tl_set_turn_fn(tl_worker(l->n[0]->s, 0), NULL, NULL); /* the program would wonder */
	send_kind(l, 1, kind, C_NEW_SA, new_sa ? &own : &l->good[1]);
	lab_pass(l, VNET_MS);
	numbers_of(server_pcb(l, w), out);
	out[16] = lab_sent(l, 0);
	out[17] = tcp_pcbs_in_use(l->n[0]->s->lc[0]);
	lab_free(l);
}

/* P-7, F-15, F-21, F-30, L-2: in LISTEN, SYN-RECEIVED and TIME-WAIT neither class touches an octet
 * of the control block, makes a connection or is answered, with the knobs as they are by default
 * and with those that drop; a new SA of the same profile is as good as the old one (G-10). Of
 * TIME-WAIT without those knobs a new SYN of another peer is the exception (F-30), which has its
 * own test. */
START_TEST(p7_f15_table_of_waiting_states)
{
	uint64_t old[18], new[18];
	enum kind kind = (enum kind)_i;

	for (enum wait w = W_LISTEN; w < WAITS; w++) {
		for (enum class c = C_CLEAR; c < C_NEW_SA; c++) {
			server_case(w, kind, c, true);
			if (w != W_TIME_WAIT || kind != K_SYN || c == C_CLEAR)
				server_case(w, kind, c, false);
		}
		server_under(w, kind, false, old);
		server_under(w, kind, true, new);
		ck_assert_msg(
			memcmp(old, new, sizeof(old)) == 0, "%s, segment %d", wait_name[w], kind);
	}
}
END_TEST

static Suite *
latch_path_suite(void)
{
	Suite *s = suite_create("latch_path");
	TCase *c = tcase_create("change"), *a = tcase_create("attack"), *o = tcase_create("open");

	tcase_add_test(c, g10_rekey_of_same_peer_changes_nothing);
	tcase_add_test(c, g10_rekey_in_tunnel_mode_changes_nothing);
	tcase_add_test(c, g14_no_sa_means_drop_never_clear);
	tcase_add_test(c, g14_newer_sa_of_another_peer_or_suite_is_not_used);
	tcase_add_test(c, f17_nothing_sent_under_rogue_sa);
	tcase_add_test(a, off_path_icmp_does_not_narrow_the_path);
	tcase_add_test(a, b19_clear_flood_changes_nothing);
	tcase_add_test(a, b21_clear_resets_over_the_whole_window_change_nothing);
	tcase_add_test(a, b21_reset_under_the_sa_of_another_breaks_once);
	tcase_add_test(a, f8_replayed_frames_are_never_delivered_twice);
	tcase_add_test(a, m1_packet_outside_the_selectors_of_its_sa_is_dropped_in_esp);
	tcase_add_test(a, outer_addresses_must_be_those_of_the_sa);
	tcase_add_test(a, m2_other_key_length_breaks_with_qop_conflict);
	tcase_add_test(a, m2_is_dropped_where_the_knob_says_so);
	tcase_add_test(a, m3_data_of_another_identity_breaks_and_is_never_delivered);
	tcase_add_test(a, m5_unknown_identity_is_dropped_and_never_breaks);
	tcase_add_test(a, m6_protected_packet_on_a_clear_connection_is_dropped);
	tcase_add_test(a, f15_wrong_profile_changes_no_field_of_the_control_block);
	tcase_add_test(a, p7_wrong_profile_in_every_state);
	tcase_add_loop_test(a, p7_f15_table_of_states_segments_and_classes, 0, KINDS);
	tcase_add_loop_test(a, p7_f15_table_of_waiting_states, 0, KINDS);
	tcase_add_test(o, f19_syn_of_other_peer_ends_old_and_retransmission_connects);
	tcase_add_test(o, f33_clear_packet_of_unknown_protocol_draws_no_answer);
	tcase_add_test(o, p14_knob_drop_keeps_the_old_connection);
	tcase_add_test(o, f20_new_syn_of_the_same_peer_draws_a_challenge_ack_only);
	tcase_add_test(o, f21_wrong_profile_in_syn_received_is_dropped_and_the_entry_kept);
	tcase_add_test(o, f30_wrong_profile_in_time_wait_is_dropped_and_the_latch_kept);
	tcase_add_test(o, f30_new_syn_of_another_peer_in_time_wait_gets_a_latch_of_its_own);
	tcase_add_test(o, f32_connection_broken_before_accept_is_econnaborted);
	suite_add_tcase(s, c);
	suite_add_tcase(s, a);
	suite_add_tcase(s, o);
	return s;
}

int
main(void)
{
	return env_main(latch_path_suite());
}
