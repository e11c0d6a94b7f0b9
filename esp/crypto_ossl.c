/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * crypto_ossl.c - the engine that calls OpenSSL libcrypto: the portable one, and the one that
 * checks the other. Contexts of an SA half hold the expanded keys; a packet sets the nonce only.
 *
 * How a key computes a packet is found once, when it is made.
 */
#include "esp/crypto_ossl.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <openssl/crypto.h>

struct ossl_key {
	void (*encrypt)(struct ossl_key *k, struct crypto_op *op);
	void (*decrypt)(struct ossl_key *k, struct crypto_op *op);
	EVP_CIPHER_CTX *evp; /* NULL: nothing is encrypted */
	struct ossl_mac mac;
	struct esp_suite suite;
	uint8_t salt[4];
};

/* AES-GCM and ChaCha20-Poly1305: nonce, AAD and data in this order; the ICV last. */
static bool
aead_run(struct ossl_key *k, struct crypto_op *op, int enc)
{
	uint8_t nonce[12];
	int n;

	crypto_nonce(nonce, &k->suite, k->salt, op);
	return EVP_CipherInit_ex(k->evp, NULL, NULL, NULL, nonce, enc) == 1 &&
	       EVP_CipherUpdate(k->evp, NULL, &n, op->aad, (int)op->aad_len) == 1 &&
	       EVP_CipherUpdate(k->evp, op->data, &n, op->data, (int)op->len) == 1;
}

/* RFC 4543 s3.3: all of the packet is AAD, with ESN all of the sequence number too. */
static bool
gmac_run(struct ossl_key *k, struct crypto_op *op, int enc)
{
	const uint8_t *iv = op->esp + ESP_HDR_BYTES;
	uint8_t nonce[12];
	int n;

	crypto_nonce(nonce, &k->suite, k->salt, op);
	return EVP_CipherInit_ex(k->evp, NULL, NULL, NULL, nonce, enc) == 1 &&
	       EVP_CipherUpdate(k->evp, NULL, &n, op->aad, (int)op->aad_len) == 1 &&
	       EVP_CipherUpdate(k->evp, NULL, &n, iv, (int)(op->icv - iv)) == 1;
}

static bool
icv_write(struct ossl_key *k, struct crypto_op *op)
{
	uint8_t none[16];
	int n;

	return EVP_CipherFinal_ex(k->evp, none, &n) == 1 &&
	       EVP_CIPHER_CTX_ctrl(k->evp, EVP_CTRL_AEAD_GET_TAG, k->suite.icv_bytes, op->icv) == 1;
}

static bool
icv_check(struct ossl_key *k, struct crypto_op *op)
{
	uint8_t none[16];
	int n;

	return EVP_CIPHER_CTX_ctrl(k->evp, EVP_CTRL_AEAD_SET_TAG, k->suite.icv_bytes, op->icv) ==
		       1 &&
	       EVP_CipherFinal_ex(k->evp, none, &n) == 1;
}

static void
aead_encrypt(struct ossl_key *k, struct crypto_op *op)
{
	op->ok = aead_run(k, op, 1) && icv_write(k, op);
}

static void
aead_decrypt(struct ossl_key *k, struct crypto_op *op)
{
	op->ok = aead_run(k, op, 0) && icv_check(k, op);
}

static void
gmac_encrypt(struct ossl_key *k, struct crypto_op *op)
{
	op->ok = gmac_run(k, op, 1) && icv_write(k, op);
}

static void
gmac_decrypt(struct ossl_key *k, struct crypto_op *op)
{
	op->ok = gmac_run(k, op, 0) && icv_check(k, op);
}

/*
 * CCM begins with the length of the data (RFC 3610 s2.2). On decrypt the ICV must be there before
 * the data: the call that deciphers is the one that compares.
 */
static bool
ccm_run(struct ossl_key *k, struct crypto_op *op, int enc)
{
	uint8_t nonce[12];
	int n;

	crypto_nonce(nonce, &k->suite, k->salt, op);
	if (EVP_CipherInit_ex(k->evp, NULL, NULL, NULL, nonce, enc) != 1)
		return false;
	if (!enc && EVP_CIPHER_CTX_ctrl(
			    k->evp, EVP_CTRL_AEAD_SET_TAG, k->suite.icv_bytes, op->icv) != 1)
		return false;
	return EVP_CipherUpdate(k->evp, NULL, &n, NULL, (int)op->len) == 1 &&
	       EVP_CipherUpdate(k->evp, NULL, &n, op->aad, (int)op->aad_len) == 1 &&
	       EVP_CipherUpdate(k->evp, op->data, &n, op->data, (int)op->len) == 1;
}

static void
ccm_encrypt(struct ossl_key *k, struct crypto_op *op)
{
	op->ok = ccm_run(k, op, 1) && EVP_CIPHER_CTX_ctrl(k->evp, EVP_CTRL_AEAD_GET_TAG,
					      k->suite.icv_bytes, op->icv) == 1;
}

static void
ccm_decrypt(struct ossl_key *k, struct crypto_op *op)
{
	op->ok = ccm_run(k, op, 0);
}

/* The cipher of a suite with a MAC: AES-CBC with the IV of the packet, AES-CTR, or none. */
static bool
cipher_run(struct ossl_key *k, struct crypto_op *op, int enc)
{
	uint8_t iv[16];
	int n;

	if (k->evp == NULL)
		return true;
	if (k->suite.iv_bytes == sizeof(iv)) {
		memcpy(iv, op->esp + ESP_HDR_BYTES, sizeof(iv));
	} else {
		/* RFC 3686 s4: nonce, IV and a block counter that starts with 1. */
		memset(iv, 0, sizeof(iv));
		crypto_nonce(iv, &k->suite, k->salt, op);
		iv[15] = 1;
	}
	return EVP_CipherInit_ex(k->evp, NULL, NULL, NULL, iv, enc) == 1 &&
	       EVP_CipherUpdate(k->evp, op->data, &n, op->data, (int)op->len) == 1;
}

static void
mac_encrypt(struct ossl_key *k, struct crypto_op *op)
{
	uint8_t icv[64];

	op->ok = cipher_run(k, op, 1) && ossl_mac_compute(&k->mac, op, icv);
	if (op->ok)
		memcpy(op->icv, icv, k->suite.icv_bytes);
}

/* RFC 4303 s3.4.4.1: the ICV first; what fails is not deciphered. */
static void
mac_decrypt(struct ossl_key *k, struct crypto_op *op)
{
	uint8_t icv[64];

	op->ok = ossl_mac_compute(&k->mac, op, icv) &&
		 crypto_icv_equal(icv, op->icv, k->suite.icv_bytes) && cipher_run(k, op, 0);
}

static const char *
cipher_name(uint16_t encr)
{
	switch (encr) {
	case ESP_ENCR_AES_CBC:
		return "CBC";
	case ESP_ENCR_AES_CTR:
		return "CTR";
	case ESP_ENCR_AES_CCM_8:
	case ESP_ENCR_AES_CCM_12:
	case ESP_ENCR_AES_CCM_16:
	case ESP_ENCR_AES_CCM_8_IIV:
		return "CCM";
	default:
		return "GCM";
	}
}

/* A reference, to be freed. */
static EVP_CIPHER *
cipher_of(const struct esp_sa_conf *c)
{
	char name[32];

	if (c->encr == ESP_ENCR_CHACHA20_POLY1305 || c->encr == ESP_ENCR_CHACHA20_POLY1305_IIV)
		return EVP_CIPHER_fetch(NULL, "ChaCha20-Poly1305", NULL);
	snprintf(name, sizeof(name), "AES-%u-%s", c->encr_bits, cipher_name(c->encr));
	return EVP_CIPHER_fetch(NULL, name, NULL);
}

static void
choose(struct ossl_key *k, const EVP_CIPHER *cipher)
{
	if (k->suite.kind == SUITE_MAC) {
		k->encrypt = mac_encrypt;
		k->decrypt = mac_decrypt;
	} else if (k->suite.kind == SUITE_GMAC) {
		k->encrypt = gmac_encrypt;
		k->decrypt = gmac_decrypt;
	} else if (EVP_CIPHER_get_mode(cipher) == EVP_CIPH_CCM_MODE) {
		k->encrypt = ccm_encrypt;
		k->decrypt = ccm_decrypt;
	} else {
		k->encrypt = aead_encrypt;
		k->decrypt = aead_decrypt;
	}
}

/*
 * CCM's key schedule depends on the lengths of nonce and ICV, so they come before the key. Without
 * padding each packet costs 90 cycles more, so only that asks for it which would hold back the last
 * block: CBC backwards.
 */
static bool
cipher_set(struct ossl_key *k, const EVP_CIPHER *cipher, const struct esp_sa_conf *c)
{
	int enc = !c->inbound;

	if (EVP_CipherInit_ex(k->evp, cipher, NULL, NULL, NULL, enc) != 1)
		return false;
	if (EVP_CIPHER_get_mode(cipher) == EVP_CIPH_CCM_MODE &&
		(EVP_CIPHER_CTX_ctrl(k->evp, EVP_CTRL_AEAD_SET_IVLEN, 11, NULL) != 1 ||
			EVP_CIPHER_CTX_ctrl(
				k->evp, EVP_CTRL_AEAD_SET_TAG, k->suite.icv_bytes, NULL) != 1))
		return false;
	if (EVP_CIPHER_get_mode(cipher) == EVP_CIPH_CBC_MODE && c->inbound)
		EVP_CIPHER_CTX_set_padding(k->evp, 0);
	return EVP_CipherInit_ex(k->evp, NULL, NULL, c->key, NULL, enc) == 1;
}

static void
ossl_key_free(void *key)
{
	struct ossl_key *k = key;

	EVP_CIPHER_CTX_free(k->evp); /* cleanses the key schedule */
	ossl_mac_clear(&k->mac);
	OPENSSL_cleanse(k, sizeof(*k));
	free(k);
}

/* NULL cipher: the suite has none. */
static int
expand(struct ossl_key *k, const EVP_CIPHER *cipher, const struct esp_sa_conf *c)
{
	if (cipher != NULL) {
		k->evp = EVP_CIPHER_CTX_new();
		if (k->evp == NULL || !cipher_set(k, cipher, c))
			return -ENOMEM;
	}
	choose(k, cipher);
	return k->suite.kind == SUITE_MAC ? ossl_mac_set(&k->mac, c->integ, c->auth_key) : 0;
}

static int
ossl_key_new(void *ctx, const struct esp_suite *s, const struct esp_sa_conf *c, void **out)
{
	EVP_CIPHER *cipher = NULL;
	struct ossl_key *k;
	int rc;

	(void)ctx;
	if (c->encr != ESP_ENCR_NULL && (cipher = cipher_of(c)) == NULL)
		return -ENOTSUP;
	k = calloc(1, sizeof(*k));
	if (k == NULL) {
		EVP_CIPHER_free(cipher);
		return -ENOMEM;
	}
	k->suite = *s;
	memcpy(k->salt, c->key + s->key_bytes - s->salt_bytes, s->salt_bytes);
	rc = expand(k, cipher, c);
	EVP_CIPHER_free(cipher); /* the context holds it */
	if (rc != 0)
		ossl_key_free(k);
	else
		*out = k;
	return rc;
}

static void
ossl_encrypt(void *ctx, struct crypto_op *op, uint32_t n)
{
	(void)ctx;
	for (uint32_t i = 0; i < n; i++) {
		struct ossl_key *k = op[i].key;

		k->encrypt(k, &op[i]);
	}
}

static void
ossl_decrypt(void *ctx, struct crypto_op *op, uint32_t n)
{
	(void)ctx;
	for (uint32_t i = 0; i < n; i++) {
		struct ossl_key *k = op[i].key;

		k->decrypt(k, &op[i]);
	}
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
