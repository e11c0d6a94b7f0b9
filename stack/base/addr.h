/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * addr.h - network addresses and the key of a flow, the same for both IP versions.
 *
 * An IPv4 address is kept in its mapped form (::ffff:a.b.c.d, RFC 4291 s2.5.5.2), so nothing
 * above the IP layer knows which version carried a packet.
 *
 * A link-local IPv6 address names a host only together with a port. Inside the stack it carries
 * that port's index + 1 (its scope) in bytes 2 and 3, which are zero on the wire (RFC 4291
 * s2.5.6); so flows, routes and neighbours of two links never meet.
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

/* RFC 4291 s2.5.6: fe80::/10. */
static inline bool
ip_addr_is_link_local(const struct ip_addr *a)
{
	return (a->w[0] & RTE_BE32(0xffc00000)) == RTE_BE32(0xfe800000);
}

static inline bool
ip_addr_is_mcast(const struct ip_addr *a)
{
	if (ip_addr_is_v4(a))
		return (a->w[3] & RTE_BE32(0xf0000000)) == RTE_BE32(0xe0000000);
	return a->b[0] == 0xff;
}

/* What the wire sees of a: the scope of a link-local address is taken out. */
static inline struct ip_addr
ip_addr_wire(const struct ip_addr *a)
{
	struct ip_addr r = *a;

	if (ip_addr_is_link_local(a))
		r.b[2] = r.b[3] = 0;
	return r;
}

/* Writes the scope of port index into a link-local address; no effect on any other. */
static inline void
ip_addr_set_scope(struct ip_addr *a, uint8_t port)
{
	if (ip_addr_is_link_local(a)) {
		a->b[2] = 0;
		a->b[3] = (uint8_t)(port + 1);
	}
}

/* Index + 1 of the port of a link-local address, 0: none is named, or not link-local. */
static inline uint8_t
ip_addr_scope(const struct ip_addr *a)
{
	return ip_addr_is_link_local(a) ? a->b[3] : 0;
}

/* How many leading bits of a and b are equal; an IPv4 address counts from bit 96. */
static inline uint32_t
ip_addr_common_bits(const struct ip_addr *a, const struct ip_addr *b)
{
	uint64_t hi = rte_be_to_cpu_64(a->q[0] ^ b->q[0]);
	uint64_t lo = rte_be_to_cpu_64(a->q[1] ^ b->q[1]);

	if (hi != 0)
		return (uint32_t)__builtin_clzll(hi);
	return lo != 0 ? 64 + (uint32_t)__builtin_clzll(lo) : 128;
}

/* a with all bits behind the first plen (of 128) zero. */
static inline struct ip_addr
ip_addr_mask(const struct ip_addr *a, uint32_t plen)
{
	struct ip_addr r = *a;

	if (plen < 64) {
		r.q[0] &= rte_cpu_to_be_64(plen == 0 ? 0 : UINT64_MAX << (64 - plen));
		r.q[1] = 0;
	} else if (plen < 128) {
		r.q[1] &= rte_cpu_to_be_64(plen == 64 ? 0 : UINT64_MAX << (128 - plen));
	}
	return r;
}

static inline bool
flow_key_eq(const struct flow_key *a, const struct flow_key *b)
{
	return memcmp(a, b, sizeof(*a)) == 0;
}

enum { IP_ADDR_STRLEN = 50 };

/* Text of an address, IPv4 in dotted form, a scope as "%N". Returns out, which holds IP_ADDR_STRLEN
 * bytes. */
const char *ip_addr_str(const struct ip_addr *a, char *out);

/* Reads either textual form; a link-local address may end in "%N". Returns 0 or -EINVAL. */
int ip_addr_parse(const char *text, struct ip_addr *out);

#endif
