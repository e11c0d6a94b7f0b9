/* SPDX-License-Identifier: BSD-3-Clause */
/* csum.h - the Internet checksum (RFC 1071) over headers, payloads and pseudo-headers. */
#ifndef TL_BASE_CSUM_H
#define TL_BASE_CSUM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <rte_ip.h>

#include "stack/base/addr.h"

/* Adds len bytes at p to a running sum of 16-bit words (network order, not folded to 16 bits). */
uint32_t csum_add(const void *p, size_t len, uint32_t sum);

/* The sum of the pseudo-header of RFC 9293 s3.1 (IPv4) or RFC 8200 s8.1 (IPv6). */
uint32_t csum_pseudo(const struct flow_key *k, uint32_t l4_len);

/* Copies len bytes and adds them to sum in one pass. An odd length may only be the last piece. */
uint32_t csum_copy(void *dst, const void *src, size_t len, uint32_t sum);

/* The sum of two pieces; the second began at an odd byte: its bytes stand the other way round in
 * their words (RFC 1071 s2). b is one result of the functions above, without a sum before it. */
static inline uint32_t
csum_join(uint32_t a, uint32_t b, bool is_odd)
{
	return a + (is_odd ? (uint32_t)rte_bswap16((uint16_t)b) : b);
}

/* A sum of 32-bit words as csum_add() gives it. */
static inline uint32_t
csum_fold(uint64_t sum)
{
	sum = (sum & UINT32_MAX) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16);
	return (uint32_t)((sum & 0xffff) + (sum >> 16));
}

/* Word i of a header, as csum_fold() wants them added up. */
static inline uint64_t
csum_word(const void *header, uint32_t i)
{
	uint32_t w;

	memcpy(&w, (const uint8_t *)header + (size_t)4 * i, sizeof(w));
	return w;
}

/* Folds and complements: the value to store. A correct packet, its checksum included, gives 0. */
static inline uint16_t
csum_finish(uint32_t sum)
{
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

#endif
