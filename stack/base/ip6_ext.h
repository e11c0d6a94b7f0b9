/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * ip6_ext.h - where the extension headers of an IPv6 packet lead (RFC 8200 s4).
 *
 * Reads only; nothing beyond len is touched. AH and the mobility headers count as upper layers.
 */
#ifndef TL_BASE_IP6_EXT_H
#define TL_BASE_IP6_EXT_H

#include <stdbool.h>
#include <stdint.h>

enum {
	IP6_HLEN = 40,
	IP6_EXT_MAX = 8,  /* headers of one packet */
	IP6_OPTS_MAX = 8, /* options of one header, padding not counted (RFC 8504 s5.3) */
	IP6_PAD1_MAX = 7, /* in a row (RFC 8504 s5.3) */
	IP6_FRAG_HLEN = 8,
};

/* IANA protocol numbers of the extension headers. */
enum {
	IP6_NH_HOPOPTS = 0,
	IP6_NH_ROUTING = 43,
	IP6_NH_FRAGMENT = 44,
	IP6_NH_DSTOPTS = 60,
};

enum ip6_ext_error {
	IP6_EXT_OK = 0,
	IP6_EXT_SHORT,   /* a header does not end within len */
	IP6_EXT_MANY,    /* too many headers, options or padding */
	IP6_EXT_ORDER,   /* hop-by-hop options not first, or two fragment headers */
	IP6_EXT_OPTION,  /* a malformed option, or an unknown one that forbids to go on */
	IP6_EXT_ROUTING, /* a routing header with segments left */
};

/* The ICMPv6 parameter problem that a refused packet asks for. */
enum ip6_problem {
	IP6_PROBLEM_NONE = 0,
	IP6_PROBLEM_UNICAST, /* only if the packet did not come to a multicast address */
	IP6_PROBLEM_ALWAYS,
};

struct ip6_upper {
	uint16_t off;       /* of the upper layer header, from the start of the IPv6 header */
	uint16_t frag_off;  /* of the fragment header, 0: none */
	uint16_t frag_data; /* fragment offset in bytes */
	/* Where the next-header byte is that names what stands at `off` or, with a fragment header,
	 * the one that names the fragment header. */
	uint16_t unfrag_nh;
	uint8_t nxt; /* IANA protocol at `off` */
	bool more;   /* the fragment header's M flag */

	/* After an error only. */
	uint8_t problem; /* enum ip6_problem */
	uint8_t code;    /* of the parameter problem (RFC 4443 s3.4) */
	uint16_t pointer;
};

/*
 * Walks the headers of the packet at p, len bytes with its fixed header. The walk stops at ESP, at
 * an upper layer (its own header is not looked at), and at the payload of a fragment whose offset
 * is not 0. Unless the result is IP6_EXT_OK, only the last three members of *out mean something.
 */
enum ip6_ext_error ip6_ext_walk(const uint8_t *p, uint32_t len, struct ip6_upper *out);

#endif
