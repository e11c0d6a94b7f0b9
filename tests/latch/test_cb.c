/* SPDX-License-Identifier: BSD-3-Clause */
/* What a program learns of the keys behind its latch, and what its channel is bound to. */
#include <errno.h>
#include <openssl/evp.h>

#include "esp/esp.h"
#include "latch/latch_ctx.h"
#include "tests/util/lc_env.h"

static struct env *e;
static struct latch_tables *tables;
static struct latch latch;
static struct flow_ent flow;
static struct spd *spd;
static uint32_t me, peer;
static uint32_t nb_sas;

static const char prefix[] = "x-ipsec-end-point-sha256:";
enum { CB_BYTES = sizeof(prefix) - 1 + 32, DER = 40 };

static struct flow_key
key(void)
{
	return (struct flow_key){.local = ip_addr_v4(RTE_BE32(0x0a000001)),
		.remote = ip_addr_v4(RTE_BE32(0x0a000002)),
		.lport = RTE_BE16(7),
		.rport = RTE_BE16(4000),
		.proto = IPPROTO_N_TCP};
}

static void
der(char c, uint8_t out[DER])
{
	memset(out, c, DER);
	out[0] = 0x30;
	out[1] = DER - 2;
}

/* SPKI, certificate, anchor; '-': none. */
static uint32_t
ev(uint32_t whose, uint8_t cls, const char *parts)
{
	struct latch_evidence v = {.auth_class = cls};
	uint8_t buf[3][DER], hash[32];
	uint32_t handle;

	for (int i = 0; i < 3; i++) {
		der(parts[i], buf[i]);
		if (parts[i] != '-')
			v.part[i] = (struct latch_der){buf[i], DER};
	}
	ck_assert_int_eq(latch_evidence_intern(tables, whose, &v, &handle, hash), 0);
	return handle;
}

static uint32_t
profile(uint32_t local_ev, uint32_t peer_ev, uint8_t cls)
{
	struct latch_profile p = {.proto = 50,
		.mode = TL_LATCH_MODE_TRANSPORT,
		.type = 3,
		.replay = TL_LATCH_REPLAY_ON,
		.encr = ESP_ENCR_AES_GCM_16,
		.encr_bits = 128,
		.icv_bits = 128,
		.local_id = me,
		.peer_id = peer,
		.local_ev = local_ev,
		.peer_ev = peer_ev,
		.auth_class = cls};

	return latch_profile_intern(tables, &p);
}

/* Both halves. */
static void
add_sas(uint32_t prof)
{
	for (int in = 0; in < 2; in++) {
		struct esp_sa_conf c = {.spi = 0x1000 + nb_sas,
			.inbound = in == 1,
			.mode = ESP_MODE_TRANSPORT,
			.encr = ESP_ENCR_AES_GCM_16,
			.encr_bits = 128,
			.key_len = 20,
			.local = key().local,
			.remote = key().remote,
			.local_id = me,
			.peer_id = peer,
			.profile = prof};

		esp_sel_any(&c.sel, 0);
		ck_assert_int_eq(esp_sad_add(&e->lc, &c, nb_sas++, 1), 0);
	}
}

static void
drop_sas(void)
{
	for (uint32_t i = 0; i < nb_sas; i++)
		esp_sad_del(&e->lc, i, 1, ESP_DEL_ADMIN);
}

static void
setup(void)
{
	struct latch_conf conf = {0};
	struct tl_ident id = {.type = TL_ID_FQDN, .len = 2, .data = "me"};
	struct spd_rule r = {.action = SPD_PROTECT, .dir = SPD_BOTH};
	const char *why;

	e = env_setup();
	nb_sas = 0;
	ck_assert_int_eq(latch_tables_create(&tables), 0);
	me = latch_ident_intern(tables, &id);
	id.data[0] = 'p';
	peer = latch_ident_intern(tables, &id);
	ck_assert_int_eq(esp_create(&e->lc, NULL), 0);
	ck_assert_int_eq(latch_create(&e->lc, &conf, tables), 0);
	esp_sel_any(&r.sel, 0);
	ck_assert_int_eq(spd_build(&r, 1, &spd, &why), 0);
	ck_assert_int_eq(spd_install(&e->lc, spd), 0);
	memset(&latch, 0, sizeof(latch));
	flow = (struct flow_ent){.key = key(), .latch = &latch};
}

static void
teardown(void)
{
	flow_remove(&e->lc, &flow);
	latch_release(&e->lc, &latch);
	latch_fini(&latch);
	latch_destroy(&e->lc);
	esp_destroy(&e->lc);
	spd_free(spd);
	spd = NULL;
	latch_tables_free(tables);
	env_teardown(e);
}

static void
established(uint32_t prof)
{
	add_sas(prof);
	ck_assert_int_eq(latch_open(&e->lc, &latch, &flow.key), 0);
	ck_assert_uint_eq(latch.state, TL_LATCH_ESTABLISHED);
	ck_assert_int_eq(flow_insert(&e->lc, &flow), 0);
}

/* Of a packet under prof. */
static enum pkt_verdict
judge(uint32_t prof, enum tl_latch_reason *why)
{
	struct rte_mbuf *m = pkt_alloc(&e->lc);
	enum pkt_verdict v = VERDICT_DROP;
	struct pkt_sort s;

	pkt_meta(m)->key = key();
	pkt_tag_set(&e->lc, m, (struct tl_tag){.sad_gen = 1, .profile = prof});
	pkt_sort_reset(&s);
	pkt_vec_add(&s.v[NX_TCP], m);
	latch_in(&e->lc, &s);
	*why = TL_LATCH_REASON_NONE;
	if (s.v[NX_TCP].n == 1) {
		v = pkt_meta(m)->verdict;
		*why = pkt_meta(m)->reason;
		rte_pktmbuf_free(m);
	}
	return v;
}

static int
get(int opt, void *val, socklen_t len)
{
	struct flow_key k = key();

	return latch_getopt(&e->lc, &latch, &k, opt, val, &len);
}

static int
cb(uint8_t out[CB_BYTES])
{
	return get(TL_LATCH_CB, out, CB_BYTES);
}

static uint32_t
cert_profile(const char *mine, const char *its)
{
	return profile(ev(me, TL_AUTH_CERT, mine), ev(peer, TL_AUTH_CERT, its), TL_AUTH_CERT);
}

static void
expect_cb(char first, char second)
{
	uint8_t text[24 + 2 * (4 + DER)] = "x-ipsec-end-point-sha256", want[32], got[CB_BYTES];
	unsigned int n = 32;

	text[24 + 3] = text[24 + 4 + DER + 3] = DER;
	der(first, text + 24 + 4);
	der(second, text + 24 + 4 + DER + 4);
	ck_assert_int_eq(EVP_Digest(text, sizeof(text), want, &n, EVP_sha256(), NULL), 1);
	ck_assert_int_eq(cb(got), 0);
	ck_assert_mem_eq(got, prefix, sizeof(prefix) - 1);
	ck_assert_mem_eq(got + sizeof(prefix) - 1, want, 32);
}

/* CB-7, CB-4, CB-2, G-27, CB-11: prefix, colon, and a digest that both ends compute alike. */
START_TEST(cb4_octets_are_canonical_whoever_is_which)
{
	established(_i == 0 ? cert_profile("act", "bct") : cert_profile("bct", "act"));
	expect_cb('a', 'b');
}
END_TEST

/* CB-6, CB-5: keys, not names or certificates, are bound; other keys, other octets (CB-8). */
START_TEST(cb6_renewed_certificate_with_the_same_key_changes_nothing)
{
	uint8_t text[CB_BYTES];

	established(_i == 0 ? cert_profile("aCt", "bXt")
			    : profile(ev(me, TL_AUTH_RAW_KEY, "a--"),
				      ev(peer, TL_AUTH_RAW_KEY, "b--"), TL_AUTH_RAW_KEY));
	expect_cb('a', 'b');
	ck_assert_int_eq(cb(text), 0);
	latch_release(&e->lc, &latch);
	flow_remove(&e->lc, &flow);
	memset(&latch, 0, sizeof(latch));
	drop_sas();
	add_sas(cert_profile("aCt", "zXt"));
	ck_assert_int_eq(latch_open(&e->lc, &latch, &flow.key), 0);
	expect_cb('a', 'z');
}
END_TEST

/* CB-12, CB-1 */
START_TEST(cb12_only_an_established_latch_has_a_binding)
{
	struct latch_filter all = {0};
	uint8_t text[CB_BYTES];

	ck_assert_int_eq(cb(text), -ENOTCONN);
	established(cert_profile("act", "bct"));
	ck_assert_int_eq(cb(text), 0);
	latch.state = TL_LATCH_BROKEN;
	ck_assert_int_eq(cb(text), -TL_ELATCHBROKEN);
	latch.state = TL_LATCH_ESTABLISHED;
	ck_assert_uint_eq(latch_admin_close(&e->lc, &all, TL_LATCH_ADMIN), 1);
	ck_assert_int_eq(cb(text), -TL_ELATCHBROKEN);
}
END_TEST

/* CB-6: who proved nothing with a key of its own has none to bind. */
START_TEST(cb6_other_classes_have_no_binding)
{
	static const uint8_t cls[] = {TL_AUTH_PSK, TL_AUTH_EAP, TL_AUTH_NULL};
	uint8_t text[CB_BYTES];
	uint32_t mine = ev(me, TL_AUTH_CERT, "act");

	if (_i < 3)
		established(profile(mine, ev(peer, cls[_i], "b--"), cls[_i]));
	else if (_i == 3)
		established(profile(
			ev(me, TL_AUTH_PSK, "---"), ev(peer, TL_AUTH_CERT, "bct"), TL_AUTH_CERT));
	else
		established(profile(0, 0, 0));
	ck_assert_int_eq(cb(text), -EOPNOTSUPP);
	ck_assert_uint_eq(latch.flags & LATCH_IS_BOUND, 0);
}
END_TEST

START_TEST(cb2_unknown_key_is_not_known_now)
{
	uint8_t text[CB_BYTES];

	established(cert_profile("act", "-ct"));
	ck_assert_int_eq(cb(text), -EAGAIN);
}
END_TEST

/* F-43: by default another key under the same anchor is the same peer. */
START_TEST(f43_renewed_certificate_is_no_conflict)
{
	uint32_t renewed = cert_profile("act", "BCt");
	enum tl_latch_reason why;

	established(cert_profile("act", "bct"));
	ck_assert_int_eq(judge(renewed, &why), VERDICT_ACCEPT);
	ck_assert_int_eq(judge(renewed, &why), VERDICT_ACCEPT);
	ck_assert_uint_eq(latch.breaks, 0);
}
END_TEST

/* F-44, C.2: the same name from another authority, or by another method, is somebody else. */
START_TEST(f44_other_anchor_or_class_is_another_peer)
{
	enum tl_latch_reason why;
	uint32_t other = _i == 0   ? cert_profile("act", "BCT")
			 : _i == 1 ? profile(ev(me, TL_AUTH_CERT, "act"),
					     ev(peer, TL_AUTH_PSK, "---"), TL_AUTH_PSK)
				   : profile(0, 0, 0);

	established(cert_profile("act", "bct"));
	ck_assert_int_eq(judge(other, &why), VERDICT_BREAK);
	ck_assert_int_eq(why, TL_LATCH_PEER_CONFLICT);
}
END_TEST

/* C-7, F-44: no latch while two who share a name only have SAs for it; a renewal is no obstacle. */
START_TEST(c7_f44_two_authorities_behind_one_name_are_ambiguous)
{
	add_sas(cert_profile("act", "bct"));
	add_sas(_i == 0 ? cert_profile("act", "BCt") : cert_profile("act", "BCT"));
	ck_assert_int_eq(latch_open(&e->lc, &latch, &flow.key), _i == 0 ? 0 : -ECONNREFUSED);
}
END_TEST

/* F-43: the program may be stricter. */
START_TEST(f43_program_chooses_the_rule)
{
	struct tl_latch_req r = {.version = 1, .size = sizeof(r), .cert_rule = (uint8_t)_i};
	uint32_t same_key = cert_profile("act", "bCt"), new_key = cert_profile("act", "BCt");
	enum tl_latch_reason why;

	ck_assert_int_eq(
		latch_setopt(&e->lc, &latch, &flow.key, true, TL_LATCH_REQUEST, &r, sizeof(r)), 0);
	established(cert_profile("act", "bct"));
	ck_assert_int_eq(
		judge(same_key, &why), _i == TL_LATCH_CERT_EXACT ? VERDICT_BREAK : VERDICT_ACCEPT);
	ck_assert_int_eq(
		judge(new_key, &why), _i == TL_LATCH_CERT_ID_TA ? VERDICT_ACCEPT : VERDICT_BREAK);
}
END_TEST

/* CB-14, G.1: who was told the keys relies on them, of either end. */
START_TEST(cb14_after_the_export_another_key_is_a_conflict)
{
	enum tl_latch_reason why;
	uint8_t text[CB_BYTES];

	established(cert_profile("act", "bct"));
	ck_assert_int_eq(get(TL_LATCH_CB, text, CB_BYTES - 1), -EMSGSIZE);
	ck_assert_int_eq(judge(cert_profile("act", "bXt"), &why), VERDICT_ACCEPT);
	ck_assert_int_eq(cb(text), 0);
	ck_assert_int_eq(judge(cert_profile("act", "bYt"), &why), VERDICT_ACCEPT);
	ck_assert_int_eq(
		judge(_i == 0 ? cert_profile("act", "BCt") : cert_profile("ACt", "bct"), &why),
		VERDICT_BREAK);
	ck_assert_int_eq(why, TL_LATCH_PEER_CONFLICT);
	expect_cb('a', 'b'); /* frozen */
}
END_TEST

/* G.1 (3): once another key was taken, nothing can be bound any more. */
START_TEST(cb14_after_another_key_there_is_no_export)
{
	enum tl_latch_reason why;
	uint8_t text[CB_BYTES];

	established(cert_profile("act", "bct"));
	ck_assert_int_eq(judge(cert_profile("act", "BCt"), &why), VERDICT_ACCEPT);
	ck_assert_int_eq(cb(text), -EOPNOTSUPP);
}
END_TEST

static uint32_t
raw_key_profile(char its)
{
	char parts[4] = {its, '-', '-', '\0'};

	return profile(
		ev(me, TL_AUTH_RAW_KEY, "m--"), ev(peer, TL_AUTH_RAW_KEY, parts), TL_AUTH_RAW_KEY);
}

/* CB-15, G-22, RFC 5387 s1.2: between two sessions another may take the name and the address, with
 * a key of his own. The program of the second session sees that by the fingerprint; who asked for
 * the same peer as the first session, which still is there, gets no connection. The same key is the
 * same peer, whatever SA it has by then. */
START_TEST(cb15_second_session_under_another_key_is_flagged)
{
	struct tl_latch_req r = {.version = 1, .size = sizeof(r), .flags = TL_LATCH_SAME_PEER};
	bool asks = (_i & 1) != 0, same_key = (_i & 2) != 0;
	struct tl_latch_info first, again;
	struct latch second = {.state = TL_LATCH_NONE};
	struct flow_key k = key();
	socklen_t len = sizeof(again);
	uint32_t before;

	established(raw_key_profile('b'));
	before = latch.profile_out;
	ck_assert_int_eq(get(TL_LATCH_INFO, &first, sizeof(first)), 0);
	drop_sas();
	add_sas(raw_key_profile(same_key ? 'b' : 'B'));
	k.lport = RTE_BE16(8);
	if (asks)
		ck_assert_int_eq(
			latch_setopt(&e->lc, &second, &k, true, TL_LATCH_REQUEST, &r, sizeof(r)),
			0);
	if (asks && !same_key) {
		ck_assert_int_eq(latch_open(&e->lc, &second, &k), -EHOSTUNREACH);
		ck_assert_uint_eq(e->lc.stat.st[ST_ACQUIRE], 1); /* for an SA of the true one */
	} else {
		ck_assert_int_eq(latch_open(&e->lc, &second, &k), 0);
		ck_assert_int_eq(latch_getopt(&e->lc, &second, &k, TL_LATCH_INFO, &again, &len), 0);
		ck_assert_int_eq(again.peer_id, first.peer_id);
		ck_assert_int_eq(memcmp(again.peer_fpr, first.peer_fpr, 32) == 0, same_key);
		/* Datagrams: the next connection of one socket. */
		ck_assert_int_eq(
			latch_dgram_may_follow(&e->lc, &second, before), !asks || same_key);
		second.profile_out = raw_key_profile('B');
		ck_assert_int_eq(latch_dgram_may_follow(&e->lc, &second, before), !asks);
		latch_release(&e->lc, &second);
	}
	latch_fini(&second);
}
END_TEST

/* CB-15, G-22: the same of who comes in: another key behind the name is another peer. */
START_TEST(cb15_syn_under_another_key_is_not_the_same_peer)
{
	struct tl_latch_req r = {.version = 1, .size = sizeof(r), .flags = TL_LATCH_SAME_PEER};
	struct latch listener = {.state = TL_LATCH_NONE};
	struct rte_mbuf *m = pkt_alloc(&e->lc);
	struct flow_key k = key();

	established(raw_key_profile('b'));
	add_sas(raw_key_profile('B'));
	e->lc.latch->conf.open_newest = true;
	k.rport = RTE_BE16(4001);
	pkt_meta(m)->key = k;
	ck_assert_int_eq(
		latch_setopt(&e->lc, &listener, &k, true, TL_LATCH_REQUEST, &r, sizeof(r)), 0);
	pkt_tag_set(&e->lc, m,
		(struct tl_tag){.sad_index = 3, .sad_gen = 1, .profile = raw_key_profile('B')});
	ck_assert_int_eq(latch_spawn_check(&e->lc, &listener, &k, m), DROP_LATCH_REQUEST);
	pkt_tag_set(&e->lc, m,
		(struct tl_tag){.sad_index = 1, .sad_gen = 1, .profile = raw_key_profile('b')});
	ck_assert_int_eq(latch_spawn_check(&e->lc, &listener, &k, m), DROP_NONE);
	rte_pktmbuf_free(m);
	latch_fini(&listener);
}
END_TEST

/* E.4 */
START_TEST(q2_q8_program_reads_certificate_anchor_and_key)
{
	static const int opt[] = {TL_LATCH_PEER_SPKI, TL_LATCH_PEER_CERT, TL_LATCH_PEER_TA};
	uint8_t got[DER], want[DER];

	ck_assert_int_eq(get(TL_LATCH_PEER_SPKI, got, DER), -ENOTCONN);
	established(cert_profile("xyz", "bct"));
	for (int i = 0; i < 3; i++) {
		der("bct"[i], want);
		ck_assert_int_eq(get(opt[i], got, DER), 0);
		ck_assert_mem_eq(got, want, DER);
		ck_assert_int_eq(get(opt[i], got, DER - 1), -EMSGSIZE);
	}
}
END_TEST

/* P-19, E.4: what nobody told is EAGAIN, not garbage. */
START_TEST(p19_evidence_that_is_not_known_is_eagain)
{
	struct tl_latch_info i;
	uint8_t got[DER];

	established(profile(0, ev(peer, TL_AUTH_RAW_KEY, "b--"), TL_AUTH_RAW_KEY));
	ck_assert_int_eq(get(TL_LATCH_PEER_SPKI, got, DER), 0);
	ck_assert_int_eq(get(TL_LATCH_PEER_CERT, got, DER), -EAGAIN);
	ck_assert_int_eq(get(TL_LATCH_PEER_TA, got, DER), -EAGAIN);
	ck_assert_int_eq(get(TL_LATCH_INFO, &i, sizeof(i)), 0);
	ck_assert_uint_eq(i.auth_class, TL_AUTH_RAW_KEY);
	latch_release(&e->lc, &latch);
	flow_remove(&e->lc, &flow);
	memset(&latch, 0, sizeof(latch));
	drop_sas();
	add_sas(profile(0, 0, 0));
	ck_assert_int_eq(latch_open(&e->lc, &latch, &flow.key), 0);
	ck_assert_int_eq(get(TL_LATCH_PEER_SPKI, got, DER), -EAGAIN);
}
END_TEST

/* P-19, E.4: nor is what found no room; the fingerprint of the key, and whom it conflicts with, are
 * known all the same. */
START_TEST(p19_evidence_that_found_no_room_is_eagain)
{
	uint8_t got[DER], want[32], spki[DER], text[CB_BYTES];
	enum tl_latch_reason why;
	struct tl_latch_info i;
	unsigned int n = 32;
	uint32_t other;

	tables->evidence_bytes = LATCH_EVIDENCE_BYTES;
	established(cert_profile("act", "bct"));
	other = cert_profile("act", "BCT");
	ck_assert_int_eq(get(TL_LATCH_PEER_SPKI, got, DER), -EAGAIN);
	ck_assert_int_eq(get(TL_LATCH_PEER_CERT, got, DER), -EAGAIN);
	ck_assert_int_eq(get(TL_LATCH_PEER_TA, got, DER), -EAGAIN);
	ck_assert_int_eq(cb(text), -EAGAIN);
	der('b', spki);
	EVP_Digest(spki, DER, want, &n, EVP_sha256(), NULL);
	ck_assert_int_eq(get(TL_LATCH_INFO, &i, sizeof(i)), 0);
	ck_assert_mem_eq(i.peer_fpr, want, 32);
	ck_assert_int_eq(judge(cert_profile("act", "bCt"), &why), VERDICT_ACCEPT);
	ck_assert_int_eq(judge(other, &why), VERDICT_BREAK);
}
END_TEST

/* CB-10: E.2: the fingerprint is that of the key. */
START_TEST(q8_information_has_the_fingerprint_of_the_key)
{
	uint8_t want[32], spki[DER];
	struct tl_latch_info i;
	unsigned int n = 32;

	established(cert_profile("act", "bct"));
	der('b', spki);
	EVP_Digest(spki, DER, want, &n, EVP_sha256(), NULL);
	ck_assert_int_eq(get(TL_LATCH_INFO, &i, sizeof(i)), 0);
	ck_assert_mem_eq(i.peer_fpr, want, 32);
	ck_assert_uint_eq(i.auth_class, TL_AUTH_CERT);
	ck_assert_uint_eq(i.type, 3); /* CB-10: confidential, as can be seen beside it */
}
END_TEST

static Suite *
suite(void)
{
	Suite *s = suite_create("cb");
	TCase *c = tcase_create("cb");

	tcase_add_checked_fixture(c, setup, teardown);
	tcase_add_loop_test(c, cb4_octets_are_canonical_whoever_is_which, 0, 2);
	tcase_add_loop_test(c, cb6_renewed_certificate_with_the_same_key_changes_nothing, 0, 2);
	tcase_add_test(c, cb12_only_an_established_latch_has_a_binding);
	tcase_add_loop_test(c, cb6_other_classes_have_no_binding, 0, 5);
	tcase_add_test(c, cb2_unknown_key_is_not_known_now);
	tcase_add_test(c, f43_renewed_certificate_is_no_conflict);
	tcase_add_loop_test(c, f44_other_anchor_or_class_is_another_peer, 0, 3);
	tcase_add_loop_test(c, c7_f44_two_authorities_behind_one_name_are_ambiguous, 0, 2);
	tcase_add_loop_test(c, f43_program_chooses_the_rule, 0, 3);
	tcase_add_loop_test(c, cb14_after_the_export_another_key_is_a_conflict, 0, 2);
	tcase_add_test(c, cb14_after_another_key_there_is_no_export);
	tcase_add_loop_test(c, cb15_second_session_under_another_key_is_flagged, 0, 4);
	tcase_add_test(c, cb15_syn_under_another_key_is_not_the_same_peer);
	tcase_add_test(c, q2_q8_program_reads_certificate_anchor_and_key);
	tcase_add_test(c, p19_evidence_that_is_not_known_is_eagain);
	tcase_add_test(c, p19_evidence_that_found_no_room_is_eagain);
	tcase_add_test(c, q8_information_has_the_fingerprint_of_the_key);
	suite_add_tcase(s, c);
	return s;
}

int
main(void)
{
	env_eal_init();
	return env_main(suite());
}
