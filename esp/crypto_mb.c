/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * crypto_mb.c - the engine that calls Intel ipsec-mb, and its AES-GCM and GMAC.
 *
 * GCM gains nothing from the multi-buffer manager: one buffer fills the vector units, so it takes
 * the single-buffer calls. Keys are expanded once per SA; which call a key takes is found then too.
 */
#include "esp/crypto_mb.h"

#ifdef TL_HAVE_IPSEC_MB

#include <errno.h>
#include <stdlib.h>
#include <x86intrin.h>

struct mb_gcm_key {
	struct mb_key k;
	aes_gcm_enc_dec_t enc, dec;
	aes_gmac_init_t gmac_init;
	aes_gmac_update_t gmac_update;
	aes_gmac_finalize_t gmac_final;
	struct gcm_context_data gc; /* here, not on the stack: it is wiped with the key */
	/* The library's header aligns it only where LINUX is defined. */
	struct gcm_key_data gcm __attribute__((aligned(RTE_CACHE_LINE_SIZE)));
};

void *
mb_key_alloc(
	struct mb_ctx *ctx, uint32_t bytes, const struct esp_suite *s, const struct esp_sa_conf *c)
{
	struct mb_key *k = secret_alloc(&ctx->keys, bytes);

	if (k == NULL)
		return NULL;
	k->suite = *s;
	k->bytes = bytes;
	k->home = &ctx->keys;
	memcpy(k->salt, c->key + s->key_bytes - s->salt_bytes, s->salt_bytes);
	return k;
}

void
mb_key_free(void *key)
{
	struct mb_key *k = key;
	struct secret_arena *home = k->home;
	uint32_t bytes = k->bytes;

	imb_clear_mem(k, bytes);
	secret_free(home, k, bytes);
}

/*
 * crypto_nonce() with one store: the library loads the nonce at once, and waits for the end of two
 * stores that together are what it loads (20 to 45 cycles a packet).
 */
static inline void
gcm_nonce(uint8_t nonce[16], const struct mb_gcm_key *k, const struct crypto_op *op)
{
	uint64_t iv = rte_cpu_to_be_64(op->seq);
	uint32_t salt;
	__m128i v;

	if (!k->k.suite.iv_implicit)
		memcpy(&iv, op->esp + ESP_HDR_BYTES, sizeof(iv));
	memcpy(&salt, k->k.salt, sizeof(salt));
	v = _mm_slli_si128(_mm_cvtsi64_si128((long long)iv), sizeof(salt));
	_mm_storeu_si128((__m128i *)nonce, _mm_or_si128(v, _mm_cvtsi32_si128((int)salt)));
}

static void
gcm_encrypt(struct crypto_op *op)
{
	struct mb_gcm_key *k = op->key;
	uint8_t nonce[16];

	gcm_nonce(nonce, k, op);
	k->enc(&k->gcm, &k->gc, op->data, op->data, op->len, nonce, op->aad, op->aad_len, op->icv,
		k->k.suite.icv_bytes);
	op->ok = true;
}

static void
gcm_decrypt(struct crypto_op *op)
{
	struct mb_gcm_key *k = op->key;
	uint8_t nonce[16], icv[16];

	gcm_nonce(nonce, k, op);
	k->dec(&k->gcm, &k->gc, op->data, op->data, op->len, nonce, op->aad, op->aad_len, icv,
		k->k.suite.icv_bytes);
	op->ok = crypto_icv_equal(icv, op->icv, k->k.suite.icv_bytes);
}

/* RFC 4543 s3.3: the AAD of GCM is the header, with ESN all of the sequence number, IV and data. */
static void
gmac_compute(const struct crypto_op *op, uint8_t icv[16])
{
	struct mb_gcm_key *k = op->key;
	uint32_t packet_bytes = (uint32_t)(op->icv - op->esp);
	uint8_t nonce[16];

	gcm_nonce(nonce, k, op);
	if (!op->esn) { /* as the packet lies in memory */
		k->enc(&k->gcm, &k->gc, op->data, op->data, 0, nonce, op->esp, packet_bytes, icv,
			16);
		return;
	}
	k->gmac_init(&k->gcm, &k->gc, nonce, 12);
	k->gmac_update(&k->gcm, &k->gc, op->aad, op->aad_len);
	k->gmac_update(&k->gcm, &k->gc, op->esp + ESP_HDR_BYTES, packet_bytes - ESP_HDR_BYTES);
	k->gmac_final(&k->gcm, &k->gc, icv, 16);
}

static void
gmac_encrypt(struct crypto_op *op)
{
	gmac_compute(op, op->icv);
	op->ok = true;
}

static void
gmac_decrypt(struct crypto_op *op)
{
	uint8_t icv[16];

	gmac_compute(op, icv);
	op->ok = crypto_icv_equal(icv, op->icv, sizeof(icv));
}

static void
gcm_expand(IMB_MGR *mgr, struct mb_gcm_key *k, const struct esp_sa_conf *c)
{
#define GCM_CALLS(bits)                                                                            \
	do {                                                                                       \
		IMB_AES##bits##_GCM_PRE(mgr, c->key, &k->gcm);                                     \
		k->enc = mgr->gcm##bits##_enc;                                                     \
		k->dec = mgr->gcm##bits##_dec;                                                     \
		k->gmac_init = mgr->gmac##bits##_init;                                             \
		k->gmac_update = mgr->gmac##bits##_update;                                         \
		k->gmac_final = mgr->gmac##bits##_finalize;                                        \
	} while (0)
	if (c->encr_bits == 128)
		GCM_CALLS(128);
	else if (c->encr_bits == 192)
		GCM_CALLS(192);
	else
		GCM_CALLS(256);
#undef GCM_CALLS
}

int
mb_gcm_key_new(
	struct mb_ctx *ctx, const struct esp_suite *s, const struct esp_sa_conf *c, void **key)
{
	struct mb_gcm_key *k = mb_key_alloc(ctx, sizeof(*k), s, c);
	bool gmac = s->kind == SUITE_GMAC;

	if (k == NULL)
		return -ENOMEM;
	k->k.encrypt = gmac ? gmac_encrypt : gcm_encrypt;
	k->k.decrypt = gmac ? gmac_decrypt : gcm_decrypt;
	gcm_expand(ctx->mgr, k, c);
	if (imb_get_errno(ctx->mgr) != 0) {
		mb_key_free(k);
		return -ENOTSUP;
	}
	*key = k;
	return 0;
}

static int
mb_create(void **out)
{
	struct mb_ctx *ctx = calloc(1, sizeof(*ctx));

	if (ctx == NULL)
		return -ENOMEM;
	ctx->mgr = alloc_mb_mgr(0);
	if (ctx->mgr == NULL) {
		free(ctx);
		return -ENOMEM;
	}
	init_mb_mgr_auto(ctx->mgr, NULL);
	if (imb_get_errno(ctx->mgr) != 0) {
		free_mb_mgr(ctx->mgr);
		free(ctx);
		return -ENOTSUP;
	}
	*out = ctx;
	return 0;
}

/* The lanes of the manager keep round keys and hash states of its last jobs. */
static void
mb_destroy(void *p)
{
	struct mb_ctx *ctx = p;

	imb_clear_mem(ctx->mgr, imb_get_mb_mgr_size());
	free_mb_mgr(ctx->mgr);
	secret_arena_done(&ctx->keys);
	free(ctx);
}

static int
mb_key_new(void *p, const struct esp_suite *s, const struct esp_sa_conf *c, void **key)
{
	struct mb_ctx *ctx = p;

	if (!esp_suite_has_engine(s, ESP_ENGINE_IPSEC_MB))
		return -ENOTSUP;
	switch (s->encr) {
	case ESP_ENCR_AES_GCM_8:
	case ESP_ENCR_AES_GCM_12:
	case ESP_ENCR_AES_GCM_16:
	case ESP_ENCR_AES_GCM_16_IIV:
	case ESP_ENCR_NULL_AUTH_AES_GMAC:
		return mb_gcm_key_new(ctx, s, c, key);
	default:
		return mb_job_key_new(ctx, s, c, key);
	}
}

static void
mb_encrypt(void *p, struct crypto_op *op, uint32_t n)
{
	struct mb_ctx *ctx = p;

	for (uint32_t i = 0; i < n; i++) {
		const struct mb_key *k = op[i].key;

		if (k->encrypt != NULL)
			k->encrypt(&op[i]);
		else
			mb_job_encrypt(ctx, &op[i]);
	}
	if (ctx->nb_jobs != 0)
		mb_job_flush(ctx);
}

static void
mb_decrypt(void *p, struct crypto_op *op, uint32_t n)
{
	struct mb_ctx *ctx = p;

	for (uint32_t i = 0; i < n; i++) {
		const struct mb_key *k = op[i].key;

		if (k->decrypt != NULL)
			k->decrypt(&op[i]);
		else
			mb_job_decrypt(ctx, &op[i]);
	}
	if (ctx->nb_jobs != 0)
		mb_job_flush(ctx);
}

const struct crypto_engine *
crypto_mb_engine(void)
{
	static const struct crypto_engine engine = {
		.name = "ipsec-mb",
		.create = mb_create,
		.destroy = mb_destroy,
		.key_new = mb_key_new,
		.key_free = mb_key_free,
		.encrypt = mb_encrypt,
		.decrypt = mb_decrypt,
	};

	return &engine;
}

#else

const struct crypto_engine *
crypto_mb_engine(void)
{
	return NULL;
}

#endif
