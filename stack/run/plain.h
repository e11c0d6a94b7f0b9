/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * plain.h - the IP packet that a packet on the path stands for, wherever on the path it is.
 *
 * ESP in transport mode leaves a header behind that says ESP, and what this host sends has none
 * until it is encrypted; here the header is the one that belongs to the plaintext.
 */
#ifndef TL_RUN_PLAIN_H
#define TL_RUN_PLAIN_H

#include "stack/base/pkt.h"

enum { PLAIN_HLEN_MAX = 60 };

/* hlen bytes of hdr, then len bytes of the mbuf from off on. */
struct plain {
	uint8_t hdr[PLAIN_HLEN_MAX];
	uint32_t hlen;
	uint32_t off, len;
};

/* Returns false if m is no IP packet. IPv6 extension headers are left out where ESP followed. */
bool plain_of(const struct rte_mbuf *m, struct plain *out);

/* The first cap bytes. Returns how many. */
uint32_t plain_copy(const struct plain *p, const struct rte_mbuf *m, uint8_t *to, uint32_t cap);

#endif
