/* SPDX-License-Identifier: BSD-3-Clause */
/* crypto_ossl.h - what the files of the libcrypto engine share. Private to them. */
#ifndef TL_ESP_CRYPTO_OSSL_H
#define TL_ESP_CRYPTO_OSSL_H

#include <openssl/evp.h>

#include "esp/crypto.h"

/* The key of a MAC. NULL contexts: unused. */
struct ossl_mac {
	EVP_MAC_CTX *evp;    /* HMAC, CMAC: has the key; started again for each packet */
	EVP_CIPHER_CTX *cbc; /* XCBC: AES-CBC with K1 */
	uint8_t k2[16], k3[16];
};

/* Returns 0, -ENOTSUP or -ENOMEM; mac is to be cleared in any case. */
int ossl_mac_set(struct ossl_mac *mac, uint16_t integ, const uint8_t *auth_key);
void ossl_mac_clear(struct ossl_mac *mac);

/* The ICV of a packet (RFC 4303 s2.8, s2.2.1), not truncated. False if it could not be computed. */
bool ossl_mac_compute(struct ossl_mac *mac, const struct crypto_op *op, uint8_t icv[64]);

#endif
