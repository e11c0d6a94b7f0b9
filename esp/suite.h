/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * suite.h - what a pair of algorithms means for a packet: lengths, nonces, who can compute it.
 *
 * A suite is an encryption transform, its key length and an integrity transform, by their IANA
 * IKEv2 numbers. Private to esp; others know the numbers and names by esp.h.
 */
#ifndef TL_ESP_SUITE_H
#define TL_ESP_SUITE_H

#include <stdbool.h>
#include <stdint.h>

#include "esp/esp.h"

/* How a packet is computed. */
enum suite_kind {
	SUITE_AEAD, /* one algorithm encrypts and authenticates; AAD is the ESP header */
	SUITE_GMAC, /* RFC 4543: all of the packet is AAD */
	SUITE_MAC,  /* a cipher (or none), then a MAC over header, IV and ciphertext (RFC 4303 s3.3)
		     */
};

struct esp_suite {
	uint16_t encr, encr_bits, integ;
	uint8_t kind;           /* enum suite_kind */
	uint8_t key_bytes;      /* of esp_sa_conf's key: cipher key, then salt */
	uint8_t salt_bytes;     /* the last ones of them */
	uint8_t auth_key_bytes; /* of esp_sa_conf's auth_key */
	uint8_t iv_bytes;       /* in the packet: 0, 8 or 16 */
	uint8_t icv_bytes;
	uint8_t align; /* the ciphertext fills multiples of it: 4 or 16 */
	bool confidential;
	bool iv_random;   /* RFC 3602 s3: no counter; nobody may guess the next one */
	bool iv_implicit; /* RFC 8750: made of the sequence number */
	uint8_t engines;  /* bit per enum esp_engine_id that computes it */
};

/*
 * Fills *out. Returns 0, or -EINVAL with the reason in *why: an unknown number, a key length that
 * the algorithm has not, a pair that RFC 8221 forbids, an AEAD with a MAC beside it.
 */
int esp_suite_find(
	uint16_t encr, uint16_t encr_bits, uint16_t integ, struct esp_suite *out, const char **why);

static inline bool
esp_suite_has_engine(const struct esp_suite *s, enum esp_engine_id id)
{
	return (s->engines >> id & 1) != 0;
}

#endif
