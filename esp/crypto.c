/* SPDX-License-Identifier: BSD-3-Clause */
/* crypto.c - the table of engines. */
#include "esp/crypto.h"

#include <openssl/crypto.h>

const struct crypto_engine *
crypto_engine_get(enum esp_engine_id id)
{
	switch (id) {
	case ESP_ENGINE_IPSEC_MB:
		return crypto_mb_engine();
	case ESP_ENGINE_LIBCRYPTO:
		return crypto_ossl_engine();
	default:
		return NULL;
	}
}

bool
crypto_icv_equal(const uint8_t *a, const uint8_t *b, uint32_t len)
{
	return CRYPTO_memcmp(a, b, len) == 0;
}
