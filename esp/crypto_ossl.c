/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * crypto_ossl.c - AES-GCM by OpenSSL libcrypto: the portable engine, and the one that checks the
 * other. One EVP context per SA half holds the expanded key; a packet sets the nonce only.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <openssl/evp.h>

#include "esp/crypto.h"

struct ossl_key {
	EVP_CIPHER_CTX *evp;
	struct esp_suite suite;
	uint8_t salt[4];
};

static const EVP_CIPHER *
cipher_of(const struct esp_sa_conf *c)
{
	if (c->encr != ESP_ENCR_AES_GCM_16)
		return NULL;
	switch (c->encr_bits) {
	case 128:
		return EVP_aes_128_gcm();
	case 256:
		return EVP_aes_256_gcm();
	default:
		return NULL;
	}
}

static void
ossl_key_free(void *key)
{
	struct ossl_key *k = key;

	EVP_CIPHER_CTX_free(k->evp); /* cleanses the key schedule */
	free(k);
}

static int
ossl_key_new(void *ctx, const struct esp_suite *s, const struct esp_sa_conf *c, void **out)
{
	const EVP_CIPHER *cipher = cipher_of(c);
	struct ossl_key *k;

	(void)ctx;
	if (cipher == NULL)
		return -ENOTSUP;
	k = calloc(1, sizeof(*k));
	if (k == NULL)
		return -ENOMEM;
	k->suite = *s;
	memcpy(k->salt, c->key + s->key_bytes - s->salt_bytes, s->salt_bytes);
	k->evp = EVP_CIPHER_CTX_new();
	if (k->evp == NULL ||
		EVP_CipherInit_ex(k->evp, cipher, NULL, c->key, NULL, !c->inbound) != 1) {
		ossl_key_free(k);
		return -ENOMEM;
	}
	*out = k;
	return 0;
}

static bool
start(struct ossl_key *k, struct crypto_op *op, int enc)
{
	uint8_t nonce[12];
	int n;

	crypto_nonce(nonce, &k->suite, k->salt, op);
	return EVP_CipherInit_ex(k->evp, NULL, NULL, NULL, nonce, enc) == 1 &&
	       EVP_CipherUpdate(k->evp, NULL, &n, op->aad, (int)op->aad_len) == 1 &&
	       EVP_CipherUpdate(k->evp, op->data, &n, op->data, (int)op->len) == 1;
}

static void
encrypt_one(struct crypto_op *op)
{
	struct ossl_key *k = op->key;
	uint8_t tail[16];
	int n;

	op->ok = start(k, op, 1) && EVP_CipherFinal_ex(k->evp, tail, &n) == 1 &&
		 EVP_CIPHER_CTX_ctrl(k->evp, EVP_CTRL_AEAD_GET_TAG, 16, op->icv) == 1;
}

static void
decrypt_one(struct crypto_op *op)
{
	struct ossl_key *k = op->key;
	uint8_t tail[16];
	int n;

	op->ok = start(k, op, 0) &&
		 EVP_CIPHER_CTX_ctrl(k->evp, EVP_CTRL_AEAD_SET_TAG, 16, op->icv) == 1 &&
		 EVP_CipherFinal_ex(k->evp, tail, &n) == 1;
}

static void
ossl_encrypt(void *ctx, struct crypto_op *op, uint32_t n)
{
	(void)ctx;
	for (uint32_t i = 0; i < n; i++)
		encrypt_one(&op[i]);
}

static void
ossl_decrypt(void *ctx, struct crypto_op *op, uint32_t n)
{
	(void)ctx;
	for (uint32_t i = 0; i < n; i++)
		decrypt_one(&op[i]);
}

const struct crypto_engine *
crypto_ossl_engine(void)
{
	static const struct crypto_engine engine = {
		.name = "libcrypto",
		.key_new = ossl_key_new,
		.key_free = ossl_key_free,
		.encrypt = ossl_encrypt,
		.decrypt = ossl_decrypt,
	};

	return &engine;
}
