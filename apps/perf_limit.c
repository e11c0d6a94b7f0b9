/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * perf_limit.c - what this core can encrypt at most: AES-GCM alone, best of ten, in place, 8-byte
 * AAD, hot buffer. The bench divides by it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <openssl/evp.h>
#include <x86intrin.h>
#ifdef TL_HAVE_IPSEC_MB
#include <intel-ipsec-mb.h>
#endif

#include "apps/perf.h"
#include "stack/ctl/show.h"

enum { ROUNDS = 2000, BEST_OF = 10, BUF_BYTES = 16384 };

struct raw {
	const char *engine;
	uint32_t bits;
	void *mgr;
	void *key;
	EVP_CIPHER_CTX *evp;
};

#ifdef TL_HAVE_IPSEC_MB
static bool
raw_open(struct raw *r)
{
	static const uint8_t key[32] = {1, 2, 3};
	IMB_MGR *mgr = alloc_mb_mgr(0);

	if (mgr == NULL)
		return false;
	init_mb_mgr_auto(mgr, NULL);
	r->mgr = mgr;
	r->engine = "ipsec-mb";
	r->key = aligned_alloc(64, (sizeof(struct gcm_key_data) + 63) / 64 * 64);
	if (r->bits == 256)
		IMB_AES256_GCM_PRE(mgr, key, r->key);
	else
		IMB_AES128_GCM_PRE(mgr, key, r->key);
	return true;
}

static void
raw_once(struct raw *r, uint8_t *buf, uint32_t len, bool encrypt)
{
	static const uint8_t iv[12], aad[8];
	struct gcm_context_data c;
	IMB_MGR *mgr = r->mgr;
	uint8_t tag[16];

	if (r->bits == 256 && encrypt)
		IMB_AES256_GCM_ENC(mgr, r->key, &c, buf, buf, len, iv, aad, 8, tag, 16);
	else if (r->bits == 256)
		IMB_AES256_GCM_DEC(mgr, r->key, &c, buf, buf, len, iv, aad, 8, tag, 16);
	else if (encrypt)
		IMB_AES128_GCM_ENC(mgr, r->key, &c, buf, buf, len, iv, aad, 8, tag, 16);
	else
		IMB_AES128_GCM_DEC(mgr, r->key, &c, buf, buf, len, iv, aad, 8, tag, 16);
}

static void
raw_close(struct raw *r)
{
	free(r->key);
	free_mb_mgr(r->mgr);
}
#else
static bool
raw_open(struct raw *r)
{
	static const uint8_t key[32] = {1, 2, 3};

	r->engine = "libcrypto";
	r->evp = EVP_CIPHER_CTX_new();
	return r->evp != NULL &&
	       EVP_EncryptInit_ex(r->evp, r->bits == 256 ? EVP_aes_256_gcm() : EVP_aes_128_gcm(),
		       NULL, key, NULL) == 1;
}

static void
raw_once(struct raw *r, uint8_t *buf, uint32_t len, bool encrypt)
{
	static const uint8_t iv[12], aad[8];
	int n;

	(void)encrypt;
	EVP_EncryptInit_ex(r->evp, NULL, NULL, NULL, iv);
	EVP_EncryptUpdate(r->evp, NULL, &n, aad, 8);
	EVP_EncryptUpdate(r->evp, buf, &n, buf, (int)len);
	EVP_EncryptFinal_ex(r->evp, buf + len, &n);
}

static void
raw_close(struct raw *r)
{
	EVP_CIPHER_CTX_free(r->evp);
}
#endif

static double
best_cycles(struct raw *r, uint8_t *buf, uint32_t len, bool encrypt)
{
	double best = 1e18;

	for (int b = 0; b < BEST_OF; b++) {
		uint64_t start = __rdtsc();
		double one;

		for (int i = 0; i < ROUNDS; i++)
			raw_once(r, buf, len, encrypt);
		one = (double)(__rdtsc() - start) / ROUNDS;
		best = one < best ? one : best;
	}
	return best;
}

static void
line(const struct perf_opts *o, struct raw *r, uint8_t *buf, uint32_t len)
{
	double enc = best_cycles(r, buf, len, true), dec = best_cycles(r, buf, len, false);
	double ghz = ctl_tsc_ghz();

	printf(o->json ? "{\"limit\": \"%s\", \"bits\": %u, \"bytes\": %u, \"encrypt_cycles\": "
			 "%.0f, "
			 "\"decrypt_cycles\": %.0f, \"encrypt_gbit_s\": %.2f, \"decrypt_gbit_s\": "
			 "%.2f}\n"
		       : "%s AES-GCM-%u %5u bytes: encrypt %5.0f cycles, decrypt %5.0f cycles; "
			 "%.2f and %.2f Gbit/s\n",
		r->engine, r->bits, len, enc, dec, len * 8 * ghz / enc, len * 8 * ghz / dec);
}

int
perf_limit(const struct perf_opts *o)
{
	static const uint32_t sizes[] = {64, 256, 512, 1024, 1440, 8900};
	struct raw r = {.bits = o->key_bits};
	uint8_t *buf = aligned_alloc(64, BUF_BYTES);

	if (buf == NULL || !raw_open(&r)) {
		fprintf(stderr, "tl-perf: no crypto engine\n");
		return 1;
	}
	memset(buf, 7, BUF_BYTES);
	if (o->size_bytes != 0) {
		line(o, &r, buf, o->size_bytes);
	} else {
		for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
			line(o, &r, buf, sizes[i]);
	}
	raw_close(&r);
	free(buf);
	return 0;
}
