/* SPDX-License-Identifier: BSD-3-Clause */
/* csum.c - the Internet checksum, on top of DPDK's summing loop. */
#include "stack/base/csum.h"

#include <rte_memcpy.h>

uint32_t
csum_add(const void *p, size_t len, uint32_t sum)
{
	return rte_raw_cksum(p, len) + sum;
}

uint32_t
csum_pseudo(const struct flow_key *k, uint32_t l4_len)
{
	struct {
		uint32_t len;
		uint8_t zero[3];
		uint8_t proto;
	} tail = {.len = rte_cpu_to_be_32(l4_len), .proto = k->proto};
	uint32_t sum = csum_add(&tail, sizeof(tail), 0);

	/* The mapped prefix of an IPv4 address is no part of the pseudo-header. */
	if (ip_addr_is_v4(&k->local)) {
		sum = csum_add(&k->local.w[3], 4, sum);
		return csum_add(&k->remote.w[3], 4, sum);
	}
	if (unlikely(ip_addr_is_link_local(&k->local) || ip_addr_is_link_local(&k->remote))) {
		struct ip_addr l = ip_addr_wire(&k->local), r = ip_addr_wire(&k->remote);

		return csum_add(r.b, 16, csum_add(l.b, 16, sum));
	}
	sum = csum_add(k->local.b, 16, sum);
	return csum_add(k->remote.b, 16, sum);
}

uint32_t
csum_copy(void *dst, const void *src, size_t len, uint32_t sum)
{
	rte_memcpy(dst, src, len);
	return csum_add(dst, len, sum);
}
