/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * perf_limit.c - what this core can encrypt at most: the engines alone, in place, in runs of 32
 * packets as the stack makes them, best of many runs. The bench divides by it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <x86intrin.h>

#include "apps/perf.h"
#include "esp/crypto.h"
#include "stack/ctl/show.h"

enum { RUN = 32, CALLS = 300, STRIDE_ALIGN = 64 };

static const struct perf_suite {
	const char *name;
	uint16_t encr, bits, integ;
} suites[] = {
	{"GCM-128", ESP_ENCR_AES_GCM_16, 128, ESP_AUTH_NONE},
	{"GCM-256", ESP_ENCR_AES_GCM_16, 256, ESP_AUTH_NONE},
	{"CHACHA", ESP_ENCR_CHACHA20_POLY1305, 256, ESP_AUTH_NONE},
	{"CBC-128+SHA1", ESP_ENCR_AES_CBC, 128, ESP_AUTH_HMAC_SHA1_96},
	{"CBC-256+SHA256", ESP_ENCR_AES_CBC, 256, ESP_AUTH_HMAC_SHA2_256_128},
	{"CTR-128+SHA256", ESP_ENCR_AES_CTR, 128, ESP_AUTH_HMAC_SHA2_256_128},
	{"NULL+SHA256", ESP_ENCR_NULL, 0, ESP_AUTH_HMAC_SHA2_256_128},
	{"GMAC-128", ESP_ENCR_NULL_AUTH_AES_GMAC, 128, ESP_AUTH_NONE},
	{"CCM-128", ESP_ENCR_AES_CCM_16, 128, ESP_AUTH_NONE},
};
enum { NB_SUITES = sizeof(suites) / sizeof(suites[0]) };

/* A suite on an engine, and a run of packets for it. */
struct bench {
	const struct perf_suite *of;
	const struct crypto_engine *e;
	struct esp_suite suite;
	void *ctx, *enc, *dec;
	uint32_t bytes; /* of data in a packet */
	size_t stride;
	uint8_t *packets, *sealed; /* sealed: as they were when encrypted */
	struct crypto_op op[RUN];
};

/* Lays out the run. Returns false without memory. */
static bool
packets_make(struct bench *b)
{
	size_t whole = (size_t)ESP_HDR_BYTES + b->suite.iv_bytes + b->bytes + b->suite.icv_bytes;

	b->stride = (whole + STRIDE_ALIGN - 1) / STRIDE_ALIGN * STRIDE_ALIGN;
	b->packets = aligned_alloc(STRIDE_ALIGN, b->stride * RUN);
	b->sealed = aligned_alloc(STRIDE_ALIGN, b->stride * RUN);
	if (b->packets == NULL || b->sealed == NULL)
		return false;
	memset(b->packets, 7, b->stride * RUN);
	for (uint32_t i = 0; i < RUN; i++) {
		struct crypto_op *op = &b->op[i];

		*op = (struct crypto_op){.esp = b->packets + i * b->stride, .len = b->bytes};
		op->data = op->esp + ESP_HDR_BYTES + b->suite.iv_bytes;
		op->icv = op->data + op->len;
		op->aad_len = 8;
		memcpy(op->aad, op->esp, 8);
	}
	return true;
}

static void
set_key(struct bench *b, void *key)
{
	for (uint32_t i = 0; i < RUN; i++)
		b->op[i].key = key;
}

static double
encrypt_cycles(struct bench *b)
{
	uint64_t best = UINT64_MAX, one;

	set_key(b, b->enc);
	for (int i = 0; i < CALLS; i++) {
		one = __rdtsc();
		b->e->encrypt(b->ctx, b->op, RUN);
		one = __rdtsc() - one;
		best = one < best ? one : best;
	}
	memcpy(b->sealed, b->packets, b->stride * RUN);
	return (double)best / RUN;
}

/* Only packets that are authentic cost what they cost. Returns 0 if one was not. */
static double
decrypt_cycles(struct bench *b)
{
	uint64_t best = UINT64_MAX, one;

	set_key(b, b->dec);
	for (int i = 0; i < CALLS; i++) {
		memcpy(b->packets, b->sealed, b->stride * RUN);
		one = __rdtsc();
		b->e->decrypt(b->ctx, b->op, RUN);
		one = __rdtsc() - one;
		best = one < best ? one : best;
		for (uint32_t j = 0; j < RUN; j++) {
			if (!b->op[j].ok)
				return 0;
		}
	}
	return (double)best / RUN;
}

static int
line(const struct perf_opts *o, struct bench *b, uint32_t bytes)
{
	double enc, dec, ghz = ctl_tsc_ghz();
	int rc = 1;

	b->bytes =
		bytes < b->suite.align ? b->suite.align : bytes / b->suite.align * b->suite.align;
	if (packets_make(b)) {
		enc = encrypt_cycles(b);
		dec = decrypt_cycles(b);
		rc = dec > 0 ? 0 : 1;
		printf(o->json ? "{\"limit\": \"%s\", \"suite\": \"%s\", \"bits\": %u, \"bytes\": "
				 "%u, \"encrypt_cycles\": %.0f, \"decrypt_cycles\": %.0f, "
				 "\"encrypt_gbit_s\": %.2f, \"decrypt_gbit_s\": %.2f}\n"
			       : "%-9s %-14s %3u bits %5u bytes: encrypt %5.0f cycles, decrypt "
				 "%5.0f "
				 "cycles; %.2f and %.2f Gbit/s\n",
			b->e->name, b->of->name, b->of->bits, b->bytes, enc, dec,
			b->bytes * 8 * ghz / enc, b->bytes * 8 * ghz / dec);
	}
	free(b->packets);
	free(b->sealed);
	if (rc != 0)
		fprintf(stderr, "tl-perf: %s cannot compute %s\n", b->e->name, b->of->name);
	return rc;
}

static int
sizes_run(const struct perf_opts *o, struct bench *b)
{
	static const uint32_t sizes[] = {64, 512, 1440, 8900};
	int rc = 0;

	if (o->size_bytes != 0)
		return line(o, b, o->size_bytes);
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
		rc |= line(o, b, sizes[i]);
	return rc;
}

/* Keys for both directions. Returns 0 or -errno; with -errno b holds nothing. */
static int
keys_make(struct bench *b)
{
	struct esp_sa_conf c = {.encr = b->of->encr,
		.encr_bits = b->of->bits,
		.integ = b->of->integ,
		.key = {1, 2, 3},
		.auth_key = {4, 5, 6}};
	int rc = b->e->key_new(b->ctx, &b->suite, &c, &b->enc);

	if (rc != 0)
		return rc;
	c.inbound = true;
	rc = b->e->key_new(b->ctx, &b->suite, &c, &b->dec);
	if (rc != 0)
		b->e->key_free(b->enc);
	return rc;
}

/* Returns 0 also where the engine does not compute the suite. */
static int
suite_run(const struct perf_opts *o, const struct perf_suite *of, enum esp_engine_id id)
{
	struct bench b = {.of = of, .e = crypto_engine_get(id)};
	const char *why;
	int rc;

	if (esp_suite_find(of->encr, of->bits, of->integ, &b.suite, &why) != 0)
		return 1;
	if (b.e == NULL || !esp_suite_has_engine(&b.suite, id))
		return 0;
	if (b.e->create != NULL && b.e->create(&b.ctx) != 0)
		return 1;
	rc = keys_make(&b);
	if (rc == 0) {
		rc = sizes_run(o, &b);
		b.e->key_free(b.enc);
		b.e->key_free(b.dec);
	}
	if (b.e->destroy != NULL)
		b.e->destroy(b.ctx);
	return rc != 0;
}

bool
perf_limit_has_suite(const char *name)
{
	for (uint32_t i = 0; i < NB_SUITES; i++) {
		if (strcmp(suites[i].name, name) == 0)
			return true;
	}
	return false;
}

void
perf_limit_print_names(FILE *out)
{
	for (uint32_t i = 0; i < NB_SUITES; i++)
		fprintf(out, " %s", suites[i].name);
}

static const char *
limit_name(const struct esp_suite *s)
{
	for (uint32_t i = 0; i < NB_SUITES; i++) {
		if (suites[i].encr == s->encr && suites[i].bits == s->encr_bits &&
			suites[i].integ == s->integ)
			return suites[i].name;
	}
	return "";
}

static void
suite_line(const struct perf_opts *o, const struct esp_suite *s)
{
	bool mb = crypto_engine_get(ESP_ENGINE_IPSEC_MB) != NULL &&
		  esp_suite_has_engine(s, ESP_ENGINE_IPSEC_MB);
	const char *engines = mb ? "ipsec-mb libcrypto" : "libcrypto";

	printf(o->json ? "{\"encryption\": \"%s\", \"key-bits\": %u, \"integrity\": \"%s\", "
			 "\"key-bytes\": %u, \"integrity-key-bytes\": %u, \"icv-bytes\": %u, "
			 "\"engines\": \"%s\", \"limit\": \"%s\"}\n"
		       : "%-27s %8u  %-23s %9u %19u %9u  %-18s  %s\n",
		esp_encr_name(s->encr), s->encr_bits, esp_integ_name(s->integ), s->key_bytes,
		s->auth_key_bytes, s->icv_bytes, engines, limit_name(s));
}

/* IANA's numbers of both kinds are small; a hole in the registry is an unknown algorithm. */
int
perf_suites(const struct perf_opts *o)
{
	static const uint16_t bits[] = {0, 128, 192, 256};
	struct esp_suite s;
	const char *why;

	if (!o->json)
		printf("%-27s key-bits  %-23s key-bytes integrity-key-bytes icv-bytes  engines     "
		       "        "
		       "limit -S\n",
			"encryption", "integrity");
	for (uint16_t encr = 0; encr < 256; encr++) {
		for (uint32_t b = 0; b < sizeof(bits) / sizeof(bits[0]); b++) {
			for (uint16_t integ = 0; integ < 256; integ++) {
				if (esp_suite_find(encr, bits[b], integ, &s, &why) == 0)
					suite_line(o, &s);
			}
		}
	}
	return 0;
}

int
perf_limit(const struct perf_opts *o)
{
	int rc = 0;

	for (uint32_t i = 0; i < NB_SUITES; i++) {
		if (o->suite != NULL && strcmp(o->suite, suites[i].name) != 0)
			continue;
		rc |= suite_run(o, &suites[i], ESP_ENGINE_IPSEC_MB);
		rc |= suite_run(o, &suites[i], ESP_ENGINE_LIBCRYPTO);
	}
	return rc;
}
