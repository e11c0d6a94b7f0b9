/* SPDX-License-Identifier: BSD-3-Clause */
/* tcp_isn.c - a keyed hash of the tuple, one secret for each purpose. */
#include "tcp/tcp_isn.h"

#include <string.h>

#include "tcp/tcp_pcb.h"

static inline uint64_t
rotl(uint64_t x, unsigned int b)
{
	return x << b | x >> (64 - b);
}

static void
sip_round(uint64_t v[4])
{
	v[0] += v[1];
	v[1] = rotl(v[1], 13) ^ v[0];
	v[0] = rotl(v[0], 32);
	v[2] += v[3];
	v[3] = rotl(v[3], 16) ^ v[2];
	v[0] += v[3];
	v[3] = rotl(v[3], 21) ^ v[0];
	v[2] += v[1];
	v[1] = rotl(v[1], 17) ^ v[2];
	v[2] = rotl(v[2], 32);
}

/* Aumasson and Bernstein, "SipHash: a fast short-input PRF", section 2. */
uint64_t
tcp_siphash(const struct tcp_secret *s, const void *data, size_t len)
{
	const uint8_t *p = data;
	uint64_t last = (uint64_t)len << 56, w;
	uint64_t v[4] = {s->k[0] ^ UINT64_C(0x736f6d6570736575),
		s->k[1] ^ UINT64_C(0x646f72616e646f6d), s->k[0] ^ UINT64_C(0x6c7967656e657261),
		s->k[1] ^ UINT64_C(0x7465646279746573)};

	for (; len >= 8; len -= 8, p += 8) {
		memcpy(&w, p, 8);
		w = rte_le_to_cpu_64(w);
		v[3] ^= w;
		sip_round(v);
		sip_round(v);
		v[0] ^= w;
	}
	for (size_t i = 0; i < len; i++)
		last |= (uint64_t)p[i] << (8 * i);
	v[3] ^= last;
	sip_round(v);
	sip_round(v);
	v[0] ^= last;
	v[2] ^= 0xff;
	for (int i = 0; i < 4; i++)
		sip_round(v);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}

uint32_t
tcp_isn(const struct lcore *lc, const struct flow_key *k)
{
	return (uint32_t)(lc->now_ns / 4000) +
	       (uint32_t)tcp_siphash(&lc->tcp->conf.isn_secret, k, sizeof(*k));
}

uint32_t
tcp_ts_offset(const struct lcore *lc, const struct flow_key *k)
{
	return (uint32_t)tcp_siphash(&lc->tcp->conf.ts_secret, k, sizeof(*k));
}
