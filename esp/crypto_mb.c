/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * crypto_mb.c - AES-GCM by Intel ipsec-mb's single-buffer calls.
 *
 * GCM gains nothing from the multi-buffer manager: one buffer fills the vector units. The manager
 * serves as the table of functions for this CPU; the key is expanded once per SA.
 */
#include "esp/crypto.h"

#ifdef TL_HAVE_IPSEC_MB

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <intel-ipsec-mb.h>
#include <rte_malloc.h>

struct mb_key {
	struct gcm_key_data gcm;
	struct esp_suite suite;
	uint8_t salt[4];
	bool is_256;
};

static int
mb_create(void **ctx)
{
	IMB_MGR *mgr = alloc_mb_mgr(0);

	if (mgr == NULL)
		return -ENOMEM;
	init_mb_mgr_auto(mgr, NULL);
	if (imb_get_errno(mgr) != 0) {
		free_mb_mgr(mgr);
		return -ENOTSUP;
	}
	*ctx = mgr;
	return 0;
}

static void
mb_destroy(void *ctx)
{
	free_mb_mgr(ctx);
}

static int
mb_key_new(void *ctx, const struct esp_suite *s, const struct esp_sa_conf *c, void **out)
{
	IMB_MGR *mgr = ctx;
	struct mb_key *k;

	if (c->encr != ESP_ENCR_AES_GCM_16 || (c->encr_bits != 128 && c->encr_bits != 256))
		return -ENOTSUP;
	k = rte_zmalloc("mb_key", sizeof(*k), 64);
	if (k == NULL)
		return -ENOMEM;
	k->suite = *s;
	memcpy(k->salt, c->key + s->key_bytes - s->salt_bytes, s->salt_bytes);
	k->is_256 = c->encr_bits == 256;
	if (k->is_256)
		IMB_AES256_GCM_PRE(mgr, c->key, &k->gcm);
	else
		IMB_AES128_GCM_PRE(mgr, c->key, &k->gcm);
	*out = k;
	return 0;
}

static void
mb_key_free(void *key)
{
	imb_clear_mem(key, sizeof(struct mb_key));
	rte_free(key);
}

static void
encrypt_one(IMB_MGR *mgr, struct crypto_op *op)
{
	struct mb_key *k = op->key;
	struct gcm_context_data gc;
	uint8_t nonce[12];

	crypto_nonce(nonce, &k->suite, k->salt, op);
	if (k->is_256)
		IMB_AES256_GCM_ENC(mgr, &k->gcm, &gc, op->data, op->data, op->len, nonce, op->aad,
			op->aad_len, op->icv, 16);
	else
		IMB_AES128_GCM_ENC(mgr, &k->gcm, &gc, op->data, op->data, op->len, nonce, op->aad,
			op->aad_len, op->icv, 16);
}

static void
decrypt_one(IMB_MGR *mgr, struct crypto_op *op)
{
	struct mb_key *k = op->key;
	struct gcm_context_data gc;
	uint8_t nonce[12], icv[16];

	crypto_nonce(nonce, &k->suite, k->salt, op);
	if (k->is_256)
		IMB_AES256_GCM_DEC(mgr, &k->gcm, &gc, op->data, op->data, op->len, nonce, op->aad,
			op->aad_len, icv, 16);
	else
		IMB_AES128_GCM_DEC(mgr, &k->gcm, &gc, op->data, op->data, op->len, nonce, op->aad,
			op->aad_len, icv, 16);
	op->ok = crypto_icv_equal(icv, op->icv, 16);
}

static void
mb_encrypt(void *ctx, struct crypto_op *op, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		encrypt_one(ctx, &op[i]);
		op[i].ok = true;
	}
}

static void
mb_decrypt(void *ctx, struct crypto_op *op, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		decrypt_one(ctx, &op[i]);
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
