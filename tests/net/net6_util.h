/* SPDX-License-Identifier: BSD-3-Clause */
/* net6_util.h - builders of IPv6 packets for the tests of stack/net. */
#ifndef TL_TESTS_NET_NET6_UTIL_H
#define TL_TESTS_NET_NET6_UTIL_H

#include "stack/base/ip6_ext.h"
#include "tests/net/net_util.h"

#define N6_US     "fd00::1"
#define N6_PEER   "fd00::2"
#define N6_LL     "fe80::ff:fe00:1"
#define N6_PEERLL "fe80::ff:fe00:2"

/* What a test wants in a packet; n6_ip() supplies the lengths and what is not set. */
struct n6 {
	const char *src, *dst;
	uint8_t nxt, tc, hops;
	const void *data;
	uint32_t len;
};

static inline struct ip_addr
n6_addr(const char *text)
{
	struct ip_addr a;

	ck_assert_int_eq(ip_addr_parse(text, &a), 0);
	return a;
}

/* Builds the packet at out (NU_MAX bytes) and returns its length. */
static inline size_t
n6_ip(uint8_t *out, const struct n6 *s)
{
	struct ip_addr src = n6_addr(s->src != NULL ? s->src : N6_PEER);
	struct ip_addr dst = n6_addr(s->dst != NULL ? s->dst : N6_US);

	out[0] = (uint8_t)(0x60 | s->tc >> 4);
	out[1] = (uint8_t)(s->tc << 4);
	out[2] = out[3] = 0;
	out[4] = (uint8_t)(s->len >> 8);
	out[5] = (uint8_t)s->len;
	out[6] = s->nxt;
	out[7] = s->hops != 0 ? s->hops : 64;
	memcpy(out + 8, src.b, 16);
	memcpy(out + 24, dst.b, 16);
	if (s->len > 0)
		memcpy(out + IP6_HLEN, s->data, s->len);
	return IP6_HLEN + s->len;
}

/* The ICMPv6 checksum of a packet whose message follows the fixed header. */
static inline void
n6_fix_icmp(uint8_t *ip, size_t len)
{
	uint32_t bytes = (uint32_t)(len - IP6_HLEN);
	struct flow_key k = {.proto = IPPROTO_N_ICMP6};
	uint16_t sum;

	if (bytes < 4)
		return;
	memcpy(k.remote.b, ip + 8, 16);
	memcpy(k.local.b, ip + 24, 16);
	memset(ip + IP6_HLEN + 2, 0, 2);
	sum = csum_finish(csum_add(ip + IP6_HLEN, bytes, csum_pseudo(&k, bytes)));
	memcpy(ip + IP6_HLEN + 2, &sum, 2);
}

/* The port speaks IPv6 with N6_US/64 and N6_LL, both assigned. */
static inline void
n6_port(struct env *e)
{
	e->port.ip6 = true;
	e->port.nb_addrs = 3;
	e->port.addr[1] = (struct port_addr){.addr = n6_addr(N6_US), .plen = 64};
	e->port.addr[2] = (struct port_addr){.addr = n6_addr(N6_LL), .plen = 64};
	ip_addr_set_scope(&e->port.addr[2].addr, 0);
}

#endif
