/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * crypto_ossl_mac.c - the MACs of the libcrypto engine: HMAC and CMAC of the library, and XCBC,
 * which it has not.
 *
 * A context is started again without a key for each packet: measured faster than a copy of it.
 */
#include <errno.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/params.h>

#include "esp/crypto_ossl.h"

enum { BLOCK = 16, CBC_CHUNK = 64 * BLOCK };

struct mac_alg {
	uint16_t integ;
	const char *name;
	const char *param; /* NULL: no algorithm of the library */
	char value[16];
	uint8_t key_bytes;
};

static const struct mac_alg algs[] = {
	{ESP_AUTH_HMAC_SHA1_96, "HMAC", OSSL_MAC_PARAM_DIGEST, "SHA1", 20},
	{ESP_AUTH_HMAC_SHA2_256_128, "HMAC", OSSL_MAC_PARAM_DIGEST, "SHA256", 32},
	{ESP_AUTH_HMAC_SHA2_384_192, "HMAC", OSSL_MAC_PARAM_DIGEST, "SHA384", 48},
	{ESP_AUTH_HMAC_SHA2_512_256, "HMAC", OSSL_MAC_PARAM_DIGEST, "SHA512", 64},
	{ESP_AUTH_AES_CMAC_96, "CMAC", OSSL_MAC_PARAM_CIPHER, "AES-128-CBC", 16},
};

static int
library_mac_set(struct ossl_mac *mac, const struct mac_alg *a, const uint8_t *auth_key)
{
	char value[sizeof(a->value)];
	OSSL_PARAM params[2];
	EVP_MAC *alg = EVP_MAC_fetch(NULL, a->name, NULL);

	if (alg == NULL)
		return -ENOTSUP;
	memcpy(value, a->value, sizeof(value)); /* the library wants it without const */
	params[0] = OSSL_PARAM_construct_utf8_string(a->param, value, 0);
	params[1] = OSSL_PARAM_construct_end();
	mac->evp = EVP_MAC_CTX_new(alg);
	EVP_MAC_free(alg); /* the context holds it */
	if (mac->evp == NULL)
		return -ENOMEM;
	return EVP_MAC_init(mac->evp, auth_key, a->key_bytes, params) == 1 ? 0 : -ENOTSUP;
}

/* RFC 3566 s4: K1, K2 and K3 are blocks of 1, 2 and 3 under the key. */
static int
xcbc_set(struct ossl_mac *mac, const uint8_t *auth_key)
{
	EVP_CIPHER_CTX *ecb = EVP_CIPHER_CTX_new();
	uint8_t in[3 * BLOCK], k[3 * BLOCK];
	int n, rc = -ENOMEM;

	memset(in, 1, BLOCK);
	memset(in + BLOCK, 2, BLOCK);
	memset(in + 2 * BLOCK, 3, BLOCK);
	mac->cbc = EVP_CIPHER_CTX_new();
	if (ecb != NULL && mac->cbc != NULL &&
		EVP_EncryptInit_ex(ecb, EVP_aes_128_ecb(), NULL, auth_key, NULL) == 1 &&
		EVP_EncryptUpdate(ecb, k, &n, in, sizeof(in)) == 1 &&
		EVP_EncryptInit_ex(mac->cbc, EVP_aes_128_cbc(), NULL, k, NULL) == 1) {
		memcpy(mac->k2, k + BLOCK, BLOCK);
		memcpy(mac->k3, k + 2 * BLOCK, BLOCK);
		rc = 0;
	}
	OPENSSL_cleanse(k, sizeof(k));
	EVP_CIPHER_CTX_free(ecb);
	return rc;
}

int
ossl_mac_set(struct ossl_mac *mac, uint16_t integ, const uint8_t *auth_key)
{
	if (integ == ESP_AUTH_AES_XCBC_96)
		return xcbc_set(mac, auth_key);
	for (size_t i = 0; i < sizeof(algs) / sizeof(algs[0]); i++) {
		if (algs[i].integ == integ)
			return library_mac_set(mac, &algs[i], auth_key);
	}
	return -ENOTSUP;
}

void
ossl_mac_clear(struct ossl_mac *mac)
{
	EVP_MAC_CTX_free(mac->evp);
	EVP_CIPHER_CTX_free(mac->cbc);
	OPENSSL_cleanse(mac, sizeof(*mac));
}

/* Whole blocks through CBC; what comes out is of no use but for the state it leaves. */
static bool
cbc_run(EVP_CIPHER_CTX *cbc, const uint8_t *p, uint32_t bytes)
{
	uint8_t sink[CBC_CHUNK];
	int n;

	while (bytes > 0) {
		uint32_t take = bytes < CBC_CHUNK ? bytes : CBC_CHUNK;

		if (EVP_EncryptUpdate(cbc, sink, &n, p, (int)take) != 1)
			return false;
		p += take;
		bytes -= take;
	}
	return true;
}

/* RFC 3566 s4: the last block, filled up with 10* if short; tail holds it, 1 to 16 bytes. */
static bool
xcbc_last(const struct ossl_mac *mac, uint8_t tail[BLOCK], uint32_t bytes, uint8_t *icv)
{
	const uint8_t *k = bytes == BLOCK ? mac->k2 : mac->k3;
	int n;

	if (bytes < BLOCK) {
		tail[bytes] = 0x80;
		memset(tail + bytes + 1, 0, BLOCK - bytes - 1);
	}
	for (uint32_t i = 0; i < BLOCK; i++)
		tail[i] ^= k[i];
	return EVP_EncryptUpdate(mac->cbc, icv, &n, tail, BLOCK) == 1;
}

/* The message is the packet and then extra bytes, 0 or 4; the packet has 8 at least. */
static bool
xcbc_compute(struct ossl_mac *mac, const uint8_t *p, uint32_t bytes, const void *extra,
	uint32_t extra_bytes, uint8_t *icv)
{
	static const uint8_t zero_iv[BLOCK];
	uint32_t rest = bytes % BLOCK == 0 ? BLOCK : bytes % BLOCK;
	uint8_t tail[BLOCK + 4];

	if (EVP_EncryptInit_ex(mac->cbc, NULL, NULL, NULL, zero_iv) != 1 ||
		!cbc_run(mac->cbc, p, bytes - rest))
		return false;
	memcpy(tail, p + bytes - rest, rest);
	memcpy(tail + rest, extra, extra_bytes);
	rest += extra_bytes;
	if (rest <= BLOCK)
		return xcbc_last(mac, tail, rest, icv);
	return cbc_run(mac->cbc, tail, BLOCK) &&
	       xcbc_last(mac, memmove(tail, tail + BLOCK, rest - BLOCK), rest - BLOCK, icv);
}

bool
ossl_mac_compute(struct ossl_mac *mac, const struct crypto_op *op, uint8_t icv[64])
{
	rte_be32_t seqh = rte_cpu_to_be_32((uint32_t)(op->seq >> 32));
	uint32_t bytes = (uint32_t)(op->icv - op->esp), extra = op->esn ? sizeof(seqh) : 0;
	size_t n;

	if (mac->cbc != NULL)
		return xcbc_compute(mac, op->esp, bytes, &seqh, extra, icv);
	return EVP_MAC_init(mac->evp, NULL, 0, NULL) == 1 &&
	       EVP_MAC_update(mac->evp, op->esp, bytes) == 1 &&
	       EVP_MAC_update(mac->evp, (const uint8_t *)&seqh, extra) == 1 &&
	       EVP_MAC_final(mac->evp, icv, &n, 64) == 1;
}
