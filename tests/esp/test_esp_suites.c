/* SPDX-License-Identifier: BSD-3-Clause */
/* Every suite through esp_out() and esp_in(): both modes, all pairs of IP versions, ESN, UDP. */
#include "tests/util/esp_env.h"

struct combo {
	uint16_t encr, bits, integ;
	enum esp_engine_id out, in;
	bool tunnel, inner6, outer6, esn, udp;
};

/* clang-format off */
static const struct { uint16_t encr, bits, integ; } suites[] = {
	{ESP_ENCR_AES_GCM_16, 128, 0}, {ESP_ENCR_AES_GCM_16, 192, 0}, {ESP_ENCR_AES_GCM_16, 256, 0},
	{ESP_ENCR_AES_GCM_12, 128, 0}, {ESP_ENCR_AES_GCM_8, 256, 0},
	{ESP_ENCR_CHACHA20_POLY1305, 256, 0},
	{ESP_ENCR_AES_CCM_8, 128, 0}, {ESP_ENCR_AES_CCM_12, 256, 0}, {ESP_ENCR_AES_CCM_16, 128, 0},
	{ESP_ENCR_NULL_AUTH_AES_GMAC, 128, 0}, {ESP_ENCR_NULL_AUTH_AES_GMAC, 256, 0},
	{ESP_ENCR_AES_GCM_16_IIV, 128, 0}, {ESP_ENCR_AES_CCM_8_IIV, 128, 0},
	{ESP_ENCR_CHACHA20_POLY1305_IIV, 256, 0},
	{ESP_ENCR_AES_CBC, 128, ESP_AUTH_HMAC_SHA1_96}, {ESP_ENCR_AES_CBC, 256, ESP_AUTH_HMAC_SHA2_256_128},
	{ESP_ENCR_AES_CBC, 192, ESP_AUTH_HMAC_SHA2_384_192}, {ESP_ENCR_AES_CBC, 128, ESP_AUTH_AES_XCBC_96},
	{ESP_ENCR_AES_CTR, 128, ESP_AUTH_HMAC_SHA2_512_256}, {ESP_ENCR_AES_CTR, 256, ESP_AUTH_AES_CMAC_96},
	{ESP_ENCR_NULL, 0, ESP_AUTH_HMAC_SHA1_96}, {ESP_ENCR_NULL, 0, ESP_AUTH_HMAC_SHA2_256_128},
	{ESP_ENCR_NULL, 0, ESP_AUTH_AES_CMAC_96},
};
/* clang-format on */

enum { NB_SUITES = sizeof(suites) / sizeof(suites[0]), COMBOS = 16 };

static void
prepare(struct esp_sa_conf *c, const struct combo *k)
{
	ee_sa_suite(c, k->encr, k->bits, k->integ);
	c->mode = k->tunnel ? ESP_MODE_TUNNEL : ESP_MODE_TRANSPORT;
	c->esn = k->esn;
	c->udp = k->udp;
	c->udp_local = c->udp_remote = 4500;
	if (k->outer6) {
		c->local = ee_here6;
		c->remote = ee_there6;
	}
}

/* What comes out must be what went in, tagged; and no bit of it may be changed on the way. */
static void
round_trip(const struct combo *k)
{
	struct esp_sa_conf in = ee_sa(true), out = ee_sa(false);
	uint8_t clear[256], esp[EE_MAX], nxt;
	uint32_t len, n, udp = k->udp ? 8 : 0;
	struct rte_mbuf *m;

	prepare(&in, k);
	prepare(&out, k);
	in.engine = (uint8_t)k->in;
	out.engine = (uint8_t)k->out;
	ee_add_pair(&in, &out);
	nxt = !k->tunnel ? IPPROTO_N_TCP : k->inner6 ? IPPROTO_N_IPV6 : IPPROTO_N_IPIP;
	len = EE_PAYLOAD;
	ee_payload(clear);
	if (k->tunnel)
		len = ee_inner(clear, k->inner6);
	n = ee_encrypt(nxt, clear, len, esp);
	esp[udp + 8] ^= 1;
	ck_assert_ptr_null(ee_receive(esp + udp, n - udp, k->tunnel ? NX_IP : NX_TCP));
	ck_assert_uint_eq(ee->lc.stat.drop[DROP_ESP_ICV], 1);
	esp[udp + 8] ^= 1;
	m = ee_receive(esp + udp, n - udp, k->tunnel ? NX_IP : NX_TCP);
	ck_assert_ptr_nonnull(m);
	ck_assert(pkt_is_tagged(&ee->lc, m));
	n = k->tunnel ? pkt_meta(m)->l3_off : pkt_meta(m)->l4_off;
	ck_assert_mem_eq(pkt_data(m, n), clear, len);
	ck_assert_uint_eq(m->pkt_len - n >= len, 1);
	rte_pktmbuf_free(m);
	esp_sad_del(&ee->lc, 0, 1, ESP_DEL_REKEY);
	esp_sad_del(&ee->lc, 1, 1, ESP_DEL_REKEY);
	ee->lc.stat.drop[DROP_ESP_ICV] = 0;
}

static bool
has(const struct combo *k, enum esp_engine_id id)
{
	struct esp_suite s;
	const char *why;

	esp_suite_find(k->encr, k->bits, k->integ, &s, &why);
	return crypto_engine_get(id) != NULL && esp_suite_has_engine(&s, id);
}

/* E-12, E-14 */
START_TEST(what_goes_out_comes_in)
{
	for (int i = 0; i < COMBOS; i++) {
		struct combo k = {.encr = suites[_i].encr,
			.bits = suites[_i].bits,
			.integ = suites[_i].integ,
			.tunnel = i & 1,
			.inner6 = i & 2,
			.outer6 = i & 4,
			.esn = i & 8,
			.udp = (i ^ i >> 2) & 1};

		for (k.out = ESP_ENGINE_IPSEC_MB; k.out < ESP_ENGINES; k.out++) {
			for (k.in = ESP_ENGINE_IPSEC_MB; k.in < ESP_ENGINES; k.in++) {
				if (has(&k, k.out) && has(&k, k.in))
					round_trip(&k);
			}
		}
	}
}
END_TEST

/* RFC 4303 s2.4: a block cipher's ciphertext fills blocks; an SA refuses what cannot be one. */
START_TEST(ciphertext_that_fills_no_block_is_dropped)
{
	struct esp_sa_conf in = ee_sa(true), out = ee_sa(false);
	uint8_t p[EE_PAYLOAD], esp[EE_MAX];
	uint32_t n;

	ee_sa_suite(&in, ESP_ENCR_AES_CBC, 128, ESP_AUTH_HMAC_SHA1_96);
	ee_sa_suite(&out, ESP_ENCR_AES_CBC, 128, ESP_AUTH_HMAC_SHA1_96);
	ee_add_pair(&in, &out);
	ee_payload(p);
	n = ee_encrypt(IPPROTO_N_TCP, p, EE_PAYLOAD, esp);
	ck_assert_uint_eq((n - 8 - 16 - 12) % 16, 0);
	for (uint32_t cut = 1; cut < n; cut++) {
		bool whole = cut % 16 == 0 && n - cut >= 8 + 16 + 16 + 12;

		ee->lc.stat.drop[DROP_ESP_SHORT] = ee->lc.stat.drop[DROP_ESP_ICV] = 0;
		ck_assert_ptr_null(ee_receive(esp, n - cut, NX_TCP));
		ck_assert_uint_eq(ee->lc.stat.drop[DROP_ESP_SHORT], !whole);
		ck_assert_uint_eq(ee->lc.stat.drop[DROP_ESP_ICV], whole);
	}
}
END_TEST

/* RFC 3602 s3: nobody may guess the next IV. */
START_TEST(iv_of_cbc_is_no_counter)
{
	struct esp_sa_conf out = ee_sa(false), in = ee_sa(true);
	uint8_t p[EE_PAYLOAD], a[EE_MAX], b[EE_MAX];
	int same = 0;

	ee_sa_suite(&out, ESP_ENCR_AES_CBC, 128, ESP_AUTH_HMAC_SHA1_96);
	ee_sa_suite(&in, ESP_ENCR_AES_CBC, 128, ESP_AUTH_HMAC_SHA1_96);
	ee_add_pair(&in, &out);
	ee_payload(p);
	ee_encrypt(IPPROTO_N_TCP, p, EE_PAYLOAD, a);
	ee_encrypt(IPPROTO_N_TCP, p, EE_PAYLOAD, b);
	for (int i = 8; i < 24; i++)
		same += a[i] == b[i];
	ck_assert_int_lt(same, 8);
}
END_TEST

/* RFC 4303 s2.6: the next header says which IP version the packet has. */
START_TEST(inner_version_must_be_the_one_of_the_trailer)
{
	struct esp_sa_conf in = ee_sa(true), out = ee_sa(false);
	uint8_t clear[128], esp[EE_MAX];
	uint32_t len, n;

	in.mode = out.mode = ESP_MODE_TUNNEL;
	ee_add_pair(&in, &out);
	for (int v6 = 0; v6 < 2; v6++) {
		len = ee_inner(clear, v6);
		n = ee_encrypt(v6 ? IPPROTO_N_IPIP : IPPROTO_N_IPV6, clear, len, esp);
		ck_assert_ptr_null(ee_receive(esp, n, NX_IP));
	}
	ck_assert_uint_eq(ee->lc.stat.drop[DROP_ESP_SELECTOR], 2);
}
END_TEST

/* A mapped address on the wire would be taken for IPv4 and pass its selectors. */
START_TEST(mapped_address_in_an_inner_ipv6_header_is_dropped)
{
	struct esp_sa_conf in = ee_sa(true), out = ee_sa(false);
	uint8_t clear[128], esp[EE_MAX];
	uint32_t len;

	in.mode = out.mode = ESP_MODE_TUNNEL;
	ee_add_pair(&in, &out);
	len = ee_inner(clear, true);
	memcpy(clear + 8, ee_there.b, 16);
	memcpy(clear + 24, ee_here.b, 16);
	ck_assert_ptr_null(ee_receive(esp, ee_encrypt(IPPROTO_N_IPV6, clear, len, esp), NX_IP));
	ck_assert_uint_eq(ee->lc.stat.drop[DROP_ESP_SELECTOR], 1);
}
END_TEST

/* E-7, RFC 4303 s2.7: padding behind the inner packet, which its header cuts off again. */
START_TEST(tfc_padding_hides_the_length)
{
	struct esp_sa_conf in = ee_sa(true), out = ee_sa(false);
	uint8_t clear[128], esp[EE_MAX];
	uint32_t len, n;
	struct rte_mbuf *m;

	in.mode = out.mode = ESP_MODE_TUNNEL;
	out.tfc_pad_bytes = 500;
	ee_add_pair(&in, &out);
	len = ee_inner(clear, false);
	n = ee_encrypt(IPPROTO_N_IPIP, clear, len, esp);
	ck_assert_uint_eq(n, 8 + 8 + 500 + 2 + 2 + 16); /* 500 and the trailer fill words */
	m = ee_receive(esp, n, NX_IP);
	ck_assert_ptr_nonnull(m);
	ck_assert_mem_eq(pkt_data(m, pkt_meta(m)->l3_off), clear, len);
	rte_pktmbuf_free(m);
}
END_TEST

/* E-6, RFC 4303 s2.6: made now and then, and dropped by who gets them, in both modes. */
START_TEST(dummy_packets_leave_and_are_dropped)
{
	struct esp_sa_conf in = ee_sa(true), out = ee_sa(false);
	struct pkt_vec v = {.n = 1};
	uint8_t esp[EE_MAX];
	uint32_t len;

	in.mode = out.mode = _i == 0 ? ESP_MODE_TRANSPORT : ESP_MODE_TUNNEL;
	out.dummy_ms = 100;
	ee_add_pair(&in, &out);
	ee->lc.now_ns += 151000000;
	tmr_run(&ee->lc);
	ck_assert_uint_eq(ee->lc.out_l4.n, 1);
	ck_assert(tmr_next_ns(&ee->lc) > ee->lc.now_ns + 50000000);
	v.m[0] = pkt_queue_get(&ee->lc.out_l4);
	spd_out(&ee->lc, &v);
	ck_assert_uint_eq(v.n, 1);
	ck_assert_uint_eq(pkt_meta(v.m[0])->tunnel, 0);
	esp_out(&ee->lc, &v);
	len = v.m[0]->pkt_len;
	memcpy(esp, pkt_data(v.m[0], 0), len);
	rte_pktmbuf_free(v.m[0]);
	ck_assert_ptr_null(ee_receive(esp, len, NX_OTHER));
	ck_assert_uint_eq(ee->lc.stat.drop[DROP_ESP_DUMMY], 1);
	ck_assert_uint_eq(ee->lc.esp->slot[0]->packets, 1);
}
END_TEST

struct outer_case {
	struct esp_sa_conf c;
	uint8_t tos, want_tos;
	bool df, want_df;
};

/* RFC 4301 s5.1.2.1, s8.1; RFC 6040 s4.1 */
START_TEST(tunnel_header_is_made_as_the_sa_says)
{
	static const struct outer_case cases[] = {
		{.tos = 0xb9, .want_tos = 0xb9, .df = true, .want_df = true},
		{.tos = 0xb9, .want_tos = 0xb9},
		{.c.dscp_set = true, .c.dscp = 10, .tos = 0xb9, .want_tos = 41},
		{.c.ecn_off = true, .tos = 0xbb, .want_tos = 0xb8},
		{.c.df = ESP_DF_SET, .want_df = true},
		{.c.df = ESP_DF_CLEAR, .df = true},
	};
	const struct outer_case *k = &cases[_i];
	struct esp_sa_conf in = ee_sa(true), out = ee_sa(false);
	uint8_t clear[128];
	struct pkt_vec v = {.n = 1};
	struct pkt_meta *pm;

	in.mode = out.mode = ESP_MODE_TUNNEL;
	out.df = k->c.df;
	out.dscp = k->c.dscp;
	out.dscp_set = k->c.dscp_set;
	out.ecn_off = k->c.ecn_off;
	ee_add_pair(&in, &out);
	v.m[0] = ee_packet(IPPROTO_N_IPIP, clear, ee_inner(clear, false));
	pm = pkt_meta(v.m[0]);
	pm->tos = k->tos;
	pm->flags = k->df ? PKT_F_DF : 0;
	esp_out(&ee->lc, &v);
	ck_assert_uint_eq(v.n, 1);
	ck_assert_uint_eq(pm->tos, k->want_tos);
	ck_assert_uint_eq((pm->flags & PKT_F_DF) != 0, k->want_df);
	rte_pktmbuf_free(v.m[0]);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("esp_suites");
	TCase *c = tcase_create("esp_suites");

	tcase_add_checked_fixture(c, ee_setup, ee_teardown);
	tcase_add_loop_test(c, what_goes_out_comes_in, 0, NB_SUITES);
	tcase_add_test(c, ciphertext_that_fills_no_block_is_dropped);
	tcase_add_test(c, iv_of_cbc_is_no_counter);
	tcase_add_test(c, inner_version_must_be_the_one_of_the_trailer);
	tcase_add_test(c, mapped_address_in_an_inner_ipv6_header_is_dropped);
	tcase_add_test(c, tfc_padding_hides_the_length);
	tcase_add_loop_test(c, dummy_packets_leave_and_are_dropped, 0, 2);
	tcase_add_loop_test(c, tunnel_header_is_made_as_the_sa_says, 0, 6);
	suite_add_tcase(s, c);
	return env_main(s);
}
