/* SPDX-License-Identifier: BSD-3-Clause */
/* csum.h - the Internet checksum (RFC 1071) over headers, payloads and pseudo-headers. */
#ifndef TL_BASE_CSUM_H
#define TL_BASE_CSUM_H

#include <stddef.h>
#include <stdint.h>
#include <rte_ip.h>

#include "stack/base/addr.h"

/* Adds len bytes at p to a running sum of 16-bit words (network order, not folded to 16 bits). */
uint32_t csum_add(const void *p, size_t len, uint32_t sum);

/* The sum of the pseudo-header of RFC 9293 s3.1 (IPv4) or RFC 8200 s8.1 (IPv6). */
uint32_t csum_pseudo(const struct flow_key *k, uint32_t l4_len);

/* Copies len bytes and adds them to sum in one pass. An odd length may only be the last piece. */
uint32_t csum_copy(void *dst, const void *src, size_t len, uint32_t sum);

/* Folds and complements: the value to store. A correct packet, its checksum included, gives 0. */
static inline uint16_t
csum_finish(uint32_t sum)
{
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

#endif
