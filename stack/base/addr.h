/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * addr.h - network addresses and the key of a flow, the same for both IP versions.
 *
 * An IPv4 address is kept in its mapped form (::ffff:a.b.c.d, RFC 4291 s2.5.5.2), so nothing
 * above the IP layer knows which version carried a packet.
 */
#ifndef TL_BASE_ADDR_H
#define TL_BASE_ADDR_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <rte_byteorder.h>

struct ip_addr {
	union {
		uint8_t b[16];
		rte_be32_t w[4];
		uint64_t q[2];
	};
};

/* A 5-tuple and its realm, as seen from this host in both directions. */
struct flow_key {
	struct ip_addr local;
	struct ip_addr remote;
	rte_be16_t lport;
	rte_be16_t rport;
	uint32_t realm; /* N-4, F-29, F-64: equal tuples of two tenants are two flows */
	uint8_t proto;  /* IANA protocol number */
	uint8_t zero[7];
};
_Static_assert(sizeof(struct flow_key) == 48, "the key is hashed and compared as 6 words");

static inline struct ip_addr
ip_addr_v4(rte_be32_t a)
{
	struct ip_addr r = {.w = {0, 0, RTE_BE32(0xffff), a}};

	return r;
}

static inline bool
ip_addr_is_v4(const struct ip_addr *a)
{
	return a->q[0] == 0 && a->w[2] == RTE_BE32(0xffff);
}

/* The IPv4 address inside a mapped one; meaningful only if ip_addr_is_v4(). */
static inline rte_be32_t
ip_addr_to_v4(const struct ip_addr *a)
{
	return a->w[3];
}

static inline bool
ip_addr_eq(const struct ip_addr *a, const struct ip_addr *b)
{
	return ((a->q[0] ^ b->q[0]) | (a->q[1] ^ b->q[1])) == 0;
}

/* As numbers: below 0, 0, above 0. */
static inline int
ip_addr_cmp(const struct ip_addr *a, const struct ip_addr *b)
{
	uint64_t x = rte_be_to_cpu_64(a->q[0]), y = rte_be_to_cpu_64(b->q[0]);

	if (x == y) {
		x = rte_be_to_cpu_64(a->q[1]);
		y = rte_be_to_cpu_64(b->q[1]);
	}
	return (x > y) - (x < y);
}

/* All zero, or IPv4's 0.0.0.0. */
static inline bool
ip_addr_is_any(const struct ip_addr *a)
{
	return a->q[0] == 0 && (a->q[1] == 0 || (ip_addr_is_v4(a) && a->w[3] == 0));
}

static inline bool
flow_key_eq(const struct flow_key *a, const struct flow_key *b)
{
	return memcmp(a, b, sizeof(*a)) == 0;
}

enum { IP_ADDR_STRLEN = 46 };

/* Text of an address, IPv4 in dotted form. Returns out, which holds IP_ADDR_STRLEN bytes. */
const char *ip_addr_str(const struct ip_addr *a, char *out);

/* Reads either textual form. Returns 0 or -EINVAL. */
int ip_addr_parse(const char *text, struct ip_addr *out);

#endif
