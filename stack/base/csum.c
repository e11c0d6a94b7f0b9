/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * csum.c - the Internet checksum, alone or in the same pass as a copy.
 *
 * Both loops take 64 bytes in a step with the widest registers of the CPU they run on; the linker
 * chooses the version when the program starts.
 */
#include "stack/base/csum.h"

#include <string.h>

/* Clang 14 loses the symbol of a function with clones. */
#if defined(__x86_64__) && !defined(__clang__)
#define CSUM_CLONES __attribute__((target_clones("avx2", "default")))
#else
#define CSUM_CLONES
#endif

enum { STEP = 64 };

typedef uint64_t lanes __attribute__((vector_size(32)));

/*
 * Four sums of 64-bit words, and four of their upper halves alone. The first lose carries; but less
 * 2^32 times the second they are the sums of the lower halves, and those are small enough that
 * nothing of them was lost. So each word costs two additions and a shift.
 */
struct acc {
	lanes all, upper;
};

/* 64 bytes. The sums of 2^31 steps fit. */
#define ACC_STEP(acc, x, y)                                                                        \
	do {                                                                                       \
		(acc).all += (x) + (y);                                                            \
		(acc).upper += ((x) >> 32) + ((y) >> 32);                                          \
	} while (0)

static inline uint64_t
acc_sum(const struct acc *acc)
{
	lanes s = acc->all - (acc->upper << 32) + acc->upper;

	return s[0] + s[1] + s[2] + s[3];
}

/* Sums, and copies unless to is NULL, fewer than STEP bytes. */
static inline __attribute__((always_inline)) uint64_t
rest(uint8_t *to, const uint8_t *p, size_t len)
{
	uint64_t s = 0, w;

	for (; len >= sizeof(w); p += sizeof(w), len -= sizeof(w)) {
		memcpy(&w, p, sizeof(w));
		if (to != NULL) {
			memcpy(to, &w, sizeof(w));
			to += sizeof(w);
		}
		s += (w & UINT32_MAX) + (w >> 32);
	}
	w = 0;
	/* An odd last byte stands in the first half of its word. */
	for (size_t i = 0; i < len; i++) {
		w |= (uint64_t)p[i] << 8 * i;
		if (to != NULL)
			to[i] = p[i];
	}
	return s + (w & UINT32_MAX) + (w >> 32);
}

CSUM_CLONES uint32_t
csum_add(const void *src, size_t len, uint32_t sum)
{
	const uint8_t *p = src;
	struct acc acc = {{0}, {0}};
	lanes x, y;

	for (; len >= STEP; p += STEP, len -= STEP) {
		memcpy(&x, p, sizeof(x));
		memcpy(&y, p + sizeof(x), sizeof(y));
		ACC_STEP(acc, x, y);
	}
	return csum_fold(acc_sum(&acc) + rest(NULL, p, len)) + sum;
}

CSUM_CLONES uint32_t
csum_copy(void *dst, const void *src, size_t len, uint32_t sum)
{
	const uint8_t *p = src;
	uint8_t *to = dst;
	struct acc acc = {{0}, {0}};
	lanes x, y;

	for (; len >= STEP; p += STEP, to += STEP, len -= STEP) {
		memcpy(&x, p, sizeof(x));
		memcpy(&y, p + sizeof(x), sizeof(y));
		memcpy(to, &x, sizeof(x));
		memcpy(to + sizeof(x), &y, sizeof(y));
		ACC_STEP(acc, x, y);
	}
	return csum_fold(acc_sum(&acc) + rest(to, p, len)) + sum;
}

static uint64_t
sum_addr(const struct ip_addr *a)
{
	return (uint64_t)a->w[0] + a->w[1] + a->w[2] + a->w[3];
}

uint32_t
csum_pseudo(const struct flow_key *k, uint32_t l4_len)
{
	uint64_t sum = (uint64_t)rte_cpu_to_be_32(l4_len) + rte_cpu_to_be_32(k->proto);

	/* The mapped prefix of an IPv4 address is no part of the pseudo-header. */
	if (ip_addr_is_v4(&k->local))
		return csum_fold(sum + k->local.w[3] + k->remote.w[3]);
	if (unlikely(ip_addr_is_link_local(&k->local) || ip_addr_is_link_local(&k->remote))) {
		struct ip_addr l = ip_addr_wire(&k->local), r = ip_addr_wire(&k->remote);

		return csum_fold(sum + sum_addr(&l) + sum_addr(&r));
	}
	return csum_fold(sum + sum_addr(&k->local) + sum_addr(&k->remote));
}
