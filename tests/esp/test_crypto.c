/* SPDX-License-Identifier: BSD-3-Clause */
/* Every suite by both engines: they agree, they keep order, and they notice every flipped bit. */
#include <errno.h>
#include <stdlib.h>

#include "tests/esp/crypto_unit.h"

static const enum esp_engine_id engines[] = {ESP_ENGINE_IPSEC_MB, ESP_ENGINE_LIBCRYPTO};

static const uint16_t encrs[] = {ESP_ENCR_AES_GCM_16, ESP_ENCR_AES_GCM_12, ESP_ENCR_AES_GCM_8,
	ESP_ENCR_CHACHA20_POLY1305, ESP_ENCR_AES_CCM_8, ESP_ENCR_AES_CCM_12, ESP_ENCR_AES_CCM_16,
	ESP_ENCR_NULL_AUTH_AES_GMAC, ESP_ENCR_AES_CCM_8_IIV, ESP_ENCR_AES_GCM_16_IIV,
	ESP_ENCR_CHACHA20_POLY1305_IIV, ESP_ENCR_AES_CBC, ESP_ENCR_AES_CTR, ESP_ENCR_NULL};

static const uint16_t integs[] = {ESP_AUTH_NONE, ESP_AUTH_HMAC_SHA1_96, ESP_AUTH_AES_XCBC_96,
	ESP_AUTH_AES_CMAC_96, ESP_AUTH_HMAC_SHA2_256_128, ESP_AUTH_HMAC_SHA2_384_192,
	ESP_AUTH_HMAC_SHA2_512_256};

/* All pairs and key lengths; those that are no suite are skipped by conf_nth(). */
enum {
	NB_ENCRS = RTE_DIM(encrs),
	CONFS_OF_ENCR = 4 * RTE_DIM(integs) * 2, /* key bits, integrity, ESN */
	NB_CONFS = NB_ENCRS * CONFS_OF_ENCR,
	RUN_MAX = 32,
	GUARD = 32, /* bytes behind a packet: the engines are assembly, which ASan does not see */
	PACKET_MAX = 9100,
};

/* False if number n is no suite. */
static bool
conf_nth(int n, struct esp_sa_conf *c)
{
	static const uint16_t bits[] = {0, 128, 192, 256};
	struct esp_suite s;
	const char *why;
	int rest = n / 2;

	*c = (struct esp_sa_conf){.esn = n % 2 != 0};
	c->encr_bits = bits[rest % 4];
	c->integ = integs[rest / 4 % (int)RTE_DIM(integs)];
	c->encr = encrs[rest / 4 / (int)RTE_DIM(integs)];
	if (esp_suite_find(c->encr, c->encr_bits, c->integ, &s, &why) != 0)
		return false;
	c->key_len = s.key_bytes;
	c->auth_key_len = s.auth_key_bytes;
	for (uint32_t i = 0; i < sizeof(c->key); i++)
		c->key[i] = (uint8_t)(i * 7 + (uint32_t)n);
	for (uint32_t i = 0; i < sizeof(c->auth_key); i++)
		c->auth_key[i] = (uint8_t)(i * 13 + (uint32_t)n);
	return true;
}

/* Calls fn with every suite of an encryption transform. */
static void
each_suite(int encr, void (*fn)(const struct esp_sa_conf *c))
{
	for (int n = encr * CONFS_OF_ENCR; n < (encr + 1) * CONFS_OF_ENCR; n++) {
		struct esp_sa_conf c;

		if (conf_nth(n, &c))
			fn(&c);
	}
}

static const char *
conf_text(const struct esp_sa_conf *c)
{
	static char text[96];

	snprintf(text, sizeof(text), "%s %u %s%s", esp_encr_name(c->encr), c->encr_bits,
		esp_integ_name(c->integ), c->esn ? " ESN" : "");
	return text;
}

/* A packet with data and IV from a pattern, and a guard behind it. */
static uint8_t *
packet_new(const struct unit *u, struct crypto_op *op, uint32_t len, uint32_t seed)
{
	uint32_t bytes = unit_overhead(u) + len;
	uint8_t *p = malloc(bytes + GUARD);

	ck_assert_ptr_nonnull(p);
	for (uint32_t i = 0; i < bytes; i++)
		p[i] = (uint8_t)(i * 31 + seed);
	memset(p + bytes, 0xa5, GUARD);
	unit_op(u, op, p, len, 0x01020304 + seed);
	return p;
}

static void
packet_free(const struct unit *u, uint8_t *p, uint32_t len)
{
	for (uint32_t i = 0; i < GUARD; i++)
		ck_assert_uint_eq(p[unit_overhead(u) + len + i], 0xa5);
	free(p);
}

static void
check_pair(
	const struct unit *enc, const struct unit *dec, const struct esp_sa_conf *c, uint32_t len)
{
	struct crypto_op op;
	uint8_t *packet = packet_new(enc, &op, len, len), *plain = malloc(len);
	uint8_t head[ESP_HDR_BYTES + ESP_IV_MAX];
	uint32_t head_bytes = (uint32_t)ESP_HDR_BYTES + enc->suite.iv_bytes;

	memcpy(plain, op.data, len);
	memcpy(head, packet, head_bytes);
	ck_assert_msg(unit_encrypt(enc, &op), "%s, %u bytes", conf_text(c), len);
	if (len >= 8)
		ck_assert_msg(enc->suite.confidential == (memcmp(op.data, plain, len) != 0), "%s",
			conf_text(c));
	ck_assert_msg(unit_decrypt(dec, &op), "%s, %u bytes", conf_text(c), len);
	ck_assert_msg(memcmp(op.data, plain, len) == 0, "%s, %u bytes", conf_text(c), len);
	ck_assert_mem_eq(packet, head, head_bytes);
	packet_free(enc, packet, len);
	free(plain);
}

/* One engine encrypts, the other deciphers; if only one has the suite, it does both. */
static void
check_lengths(const struct esp_sa_conf *c, enum esp_engine_id enc_id, enum esp_engine_id dec_id)
{
	static const uint32_t large[] = {1024, 1440, 2048, 4080, 8896, 9008};
	struct esp_sa_conf in = *c;
	struct unit enc, dec;

	in.inbound = true;
	if (!unit_open(&enc, enc_id, c))
		return;
	if (!unit_open(&dec, dec_id, &in)) {
		unit_close(&enc);
		return;
	}
	for (uint32_t len = enc.suite.align; len <= 300; len += enc.suite.align)
		check_pair(&enc, &dec, c, len);
	for (size_t i = 0; i < RTE_DIM(large); i++)
		check_pair(&enc, &dec, c, large[i]);
	unit_close(&enc);
	unit_close(&dec);
}

static void
check_engines(const struct esp_sa_conf *c)
{
	for (int i = 0; i < 4; i++)
		check_lengths(c, engines[i / 2], engines[i % 2]);
}

/* E-12 */
START_TEST(engines_agree_at_every_length)
{
	each_suite(_i, check_engines);
}
END_TEST

/* Whether the packet as it lies there is taken; it is put back from good. */
static bool
taken(const struct unit *dec, uint8_t *packet, const uint8_t *good, uint32_t len, uint32_t seqh)
{
	struct crypto_op op;
	bool ok;

	unit_op(dec, &op, packet, len, seqh);
	ok = unit_decrypt(dec, &op);
	memcpy(packet, good, unit_overhead(dec) + len);
	return ok;
}

/* RFC 4303 s2.8: header (so AAD), IV, data, ICV, and with ESN the half that is not sent. */
static void
check_flips_by(const struct esp_sa_conf *c, enum esp_engine_id id)
{
	enum { LEN = 48, SEQH = 0x01020304 };
	struct esp_sa_conf in = *c;
	struct unit enc, dec;
	struct crypto_op op;
	uint8_t *packet, good[256];
	uint32_t bytes;

	in.inbound = true;
	if (!unit_open(&enc, id, c))
		return;
	unit_open(&dec, id, &in);
	packet = packet_new(&enc, &op, LEN, 0);
	ck_assert(unit_encrypt(&enc, &op));
	bytes = unit_overhead(&enc) + LEN;
	memcpy(good, packet, bytes);
	for (uint32_t bit = 0; bit < bytes * 8; bit++) {
		packet[bit / 8] ^= (uint8_t)(1u << (bit % 8));
		ck_assert_msg(!taken(&dec, packet, good, LEN, SEQH), "%s by %s: bit %u",
			conf_text(c), dec.e->name, bit);
	}
	for (uint32_t bit = 0; bit < 32 && c->esn; bit++)
		ck_assert_msg(!taken(&dec, packet, good, LEN, SEQH ^ 1u << bit),
			"%s by %s: bit %u of the high half", conf_text(c), dec.e->name, bit);
	ck_assert(taken(&dec, packet, good, LEN, SEQH));
	packet_free(&enc, packet, LEN);
	unit_close(&enc);
	unit_close(&dec);
}

static void
check_flips(const struct esp_sa_conf *c)
{
	check_flips_by(c, ESP_ENGINE_IPSEC_MB);
	check_flips_by(c, ESP_ENGINE_LIBCRYPTO);
}

/* E-11 */
START_TEST(any_flipped_bit_is_noticed)
{
	each_suite(_i, check_flips);
}
END_TEST

static void
check_wrong_icv_by(const struct esp_sa_conf *c, enum esp_engine_id id)
{
	enum { LEN = 48 };
	struct esp_sa_conf in = *c;
	uint8_t *packet, good[LEN + ESP_ICV_MAX];
	struct crypto_op op;
	struct unit u;

	in.inbound = true;
	if (!unit_open(&u, id, &in))
		return;
	packet = packet_new(&u, &op, LEN, 9);
	memcpy(good, op.data, LEN + u.suite.icv_bytes);
	ck_assert(!unit_decrypt(&u, &op));
	ck_assert_mem_eq(op.icv, good + LEN, u.suite.icv_bytes);
	if (id == ESP_ENGINE_LIBCRYPTO && u.suite.kind == SUITE_MAC)
		ck_assert_mem_eq(op.data, good, LEN);
	packet_free(&u, packet, LEN);
	unit_close(&u);
}

static void
check_wrong_icv(const struct esp_sa_conf *c)
{
	check_wrong_icv_by(c, ESP_ENGINE_IPSEC_MB);
	check_wrong_icv_by(c, ESP_ENGINE_LIBCRYPTO);
}

/*
 * The received ICV is left as it came, also where ESN needs its place; and libcrypto does not
 * decipher what a MAC refused (RFC 4303 s3.4.4.1).
 */
START_TEST(wrong_icv_stays_in_the_packet)
{
	each_suite(_i, check_wrong_icv);
}
END_TEST

enum { BAD_KEY, BAD_SALT, BAD_AUTH_KEY, NB_BAD };

static void
check_wrong_key_by(const struct esp_sa_conf *c, enum esp_engine_id id, int what)
{
	struct esp_sa_conf bad = *c;
	struct unit enc, dec;
	struct crypto_op op;
	uint8_t *packet;
	bool ok;

	bad.inbound = true;
	if (what == BAD_KEY)
		bad.key[0] ^= 0x80;
	else if (what == BAD_SALT)
		bad.key[c->key_len - 1] ^= 1;
	else
		bad.auth_key[c->auth_key_len - 1] ^= 1;
	if (!unit_open(&enc, id, c))
		return;
	unit_open(&dec, id, &bad);
	packet = packet_new(&enc, &op, 64, 1);
	ck_assert(unit_encrypt(&enc, &op));
	ok = unit_decrypt(&dec, &op);
	/* A MAC does not cover the cipher key: what comes out is garbage, but authentic. */
	ck_assert_msg(ok == (c->integ != ESP_AUTH_NONE && what != BAD_AUTH_KEY), "%s by %s: %d",
		conf_text(c), enc.e->name, what);
	packet_free(&enc, packet, op.len);
	unit_close(&enc);
	unit_close(&dec);
}

static void
check_wrong_key(const struct esp_sa_conf *c)
{
	for (int what = 0; what < NB_BAD; what++) {
		if (what == BAD_AUTH_KEY ? c->auth_key_len == 0 : c->key_len == 0)
			continue;
		check_wrong_key_by(c, ESP_ENGINE_IPSEC_MB, what);
		check_wrong_key_by(c, ESP_ENGINE_LIBCRYPTO, what);
	}
}

/* One bit of the cipher key, of the salt or of the integrity key. */
START_TEST(wrong_key_is_refused)
{
	each_suite(_i, check_wrong_key);
}
END_TEST

/* Keys of many suites on the contexts of one engine, as the SAs of a worker are. */
struct mix {
	uint32_t nb;
	struct unit enc[NB_CONFS], dec[NB_CONFS];
};

static void
mix_open(struct mix *mix, enum esp_engine_id id)
{
	static struct unit base; /* holds the context */

	mix->nb = 0;
	for (int n = 0; n < NB_CONFS; n++) {
		struct esp_sa_conf c, in;
		struct esp_suite s;
		const char *why;

		if (!conf_nth(n, &c))
			continue;
		esp_suite_find(c.encr, c.encr_bits, c.integ, &s, &why);
		if (!esp_suite_has_engine(&s, id))
			continue;
		in = c;
		in.inbound = true;
		if (mix->nb == 0)
			ck_assert(unit_open(&base, id, &c));
		unit_share(&mix->enc[mix->nb], &base, &c);
		unit_share(&mix->dec[mix->nb++], &base, &in);
	}
	unit_close_key(&base);
}

static void
mix_close(struct mix *mix)
{
	for (uint32_t i = 0; i < mix->nb; i++) {
		unit_close_key(&mix->enc[i]);
		if (i + 1 < mix->nb)
			unit_close_key(&mix->dec[i]);
	}
	unit_close(&mix->dec[mix->nb - 1]);
}

struct mix_run {
	uint32_t n;
	uint32_t unit[RUN_MAX];
	struct crypto_op op[RUN_MAX];
	uint8_t *packet[RUN_MAX];
	uint8_t plain[RUN_MAX][PACKET_MAX];
	bool spoilt[RUN_MAX];
};

static void
mix_run_fill(struct mix_run *r, const struct mix *mix, uint32_t seed)
{
	for (uint32_t i = 0; i < r->n; i++) {
		const struct unit *u;
		uint32_t len;

		r->unit[i] = (uint32_t)rand() % mix->nb;
		u = &mix->enc[r->unit[i]];
		len = (1 + (uint32_t)rand() % (rand() % 8 == 0 ? 500 : 20)) * u->suite.align;
		r->packet[i] = packet_new(u, &r->op[i], len, seed + i);
		memcpy(r->plain[i], r->op[i].data, len);
		r->spoilt[i] = rand() % 4 == 0;
	}
}

static void
mix_run_check(struct mix_run *r, const struct mix *mix)
{
	mix->enc[0].e->encrypt(mix->enc[0].ctx, r->op, r->n);
	for (uint32_t i = 0; i < r->n; i++) {
		ck_assert(r->op[i].ok);
		r->op[i].ok = r->spoilt[i]; /* what was there must not matter */
		r->op[i].key = mix->dec[r->unit[i]].key;
		r->op[i].data[r->op[i].len / 2] ^= r->spoilt[i];
	}
	mix->enc[0].e->decrypt(mix->enc[0].ctx, r->op, r->n);
	for (uint32_t i = 0; i < r->n; i++) {
		ck_assert_int_eq(r->op[i].ok, !r->spoilt[i]);
		if (!r->spoilt[i])
			ck_assert_mem_eq(r->op[i].data, r->plain[i], r->op[i].len);
		packet_free(&mix->enc[r->unit[i]], r->packet[i], r->op[i].len);
	}
}

START_TEST(runs_that_mix_suites_keep_order_and_verdicts)
{
	static struct mix mix;
	static struct mix_run r;

	env_eal_init();
	if (crypto_engine_get(engines[_i]) == NULL) {
		printf("# this build has no such engine\n");
		return;
	}
	mix_open(&mix, engines[_i]);
	srand(1);
	for (uint32_t round = 0; round < 8; round++) {
		for (r.n = 1; r.n <= RUN_MAX; r.n++) {
			mix_run_fill(&r, &mix, round);
			mix_run_check(&r, &mix);
		}
	}
	mix_close(&mix);
}
END_TEST

/* More packets than the engine keeps under way at once. */
START_TEST(long_run_is_complete_when_the_call_returns)
{
	enum { N = 300 };
	static struct crypto_op op[N];
	struct esp_sa_conf c = {.encr = ESP_ENCR_AES_CBC, .encr_bits = 128, .integ = 2}, in = c;
	uint8_t *packet[N];
	struct unit enc, dec;

	in.inbound = true;
	if (!unit_open(&enc, engines[_i], &c)) {
		printf("# this build has no such engine\n");
		return;
	}
	unit_open(&dec, engines[_i], &in);
	for (uint32_t i = 0; i < N; i++)
		packet[i] = packet_new(&enc, &op[i], 16 * (1 + i % 7), i);
	enc.e->encrypt(enc.ctx, op, N);
	for (uint32_t i = 0; i < N; i++) {
		ck_assert(op[i].ok);
		op[i].ok = false;
		op[i].key = dec.key;
	}
	dec.e->decrypt(dec.ctx, op, N);
	for (uint32_t i = 0; i < N; i++) {
		ck_assert(op[i].ok);
		packet_free(&enc, packet[i], op[i].len);
	}
	unit_close(&enc);
	unit_close(&dec);
}
END_TEST

static void
check_refused(const struct esp_sa_conf *c)
{
	for (size_t i = 0; i < RTE_DIM(engines); i++) {
		const struct crypto_engine *e = crypto_engine_get(engines[i]);
		void *ctx = NULL, *key = NULL;
		struct esp_suite s;
		const char *why;

		esp_suite_find(c->encr, c->encr_bits, c->integ, &s, &why);
		if (e == NULL || esp_suite_has_engine(&s, engines[i]))
			continue;
		if (e->create != NULL)
			ck_assert_int_eq(e->create(&ctx), 0);
		ck_assert_int_eq(e->key_new(ctx, &s, c, &key), -ENOTSUP);
		ck_assert_ptr_null(key);
		if (e->destroy != NULL)
			e->destroy(ctx);
	}
}

START_TEST(suite_that_an_engine_has_not_is_refused_by_it)
{
	each_suite(_i, check_refused);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("crypto");
	TCase *c = tcase_create("crypto");

	tcase_set_timeout(c, 60);
	tcase_add_loop_test(c, engines_agree_at_every_length, 0, NB_ENCRS);
	tcase_add_loop_test(c, any_flipped_bit_is_noticed, 0, NB_ENCRS);
	tcase_add_loop_test(c, wrong_icv_stays_in_the_packet, 0, NB_ENCRS);
	tcase_add_loop_test(c, wrong_key_is_refused, 0, NB_ENCRS);
	tcase_add_loop_test(c, suite_that_an_engine_has_not_is_refused_by_it, 0, NB_ENCRS);
	tcase_add_loop_test(c, runs_that_mix_suites_keep_order_and_verdicts, 0, 2);
	tcase_add_loop_test(c, long_run_is_complete_when_the_call_returns, 0, 2);
	suite_add_tcase(s, c);
	return env_main(s);
}
