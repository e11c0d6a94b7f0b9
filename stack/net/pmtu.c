/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * pmtu.c - a bounded memory of path MTUs that are smaller than the link's.
 *
 * Asked with every route, so an empty memory costs one compare. What it holds is forgotten after
 * ten minutes, because paths change and nobody tells when they get wider.
 */
#include "stack/net/pmtu.h"

#include <errno.h>
#include <stdlib.h>
#include <rte_jhash.h>

#include "stack/base/rand.h"

enum { SETS = 256, WAYS = 4 };

/* RFC 1191 s6.3 and RFC 8201 s4 both recommend ten minutes. */
#define PMTU_LIFE_NS (UINT64_C(600) * 1000000000)

struct entry {
	struct ip_addr dst;
	uint64_t until_ns; /* 0: free */
	uint16_t mtu;
};

struct pmtu {
	uint64_t until_ns; /* nothing is known at or after this time */
	uint32_t seed;
	struct entry e[SETS][WAYS];
};

int
pmtu_create(struct lcore *lc, struct pmtu **out)
{
	*out = calloc(1, sizeof(**out));
	if (*out == NULL)
		return -ENOMEM;
	(*out)->seed = rand_u32(lc->rand);
	return 0;
}

void
pmtu_free(struct pmtu *c)
{
	free(c);
}

static uint32_t
set_of(const struct pmtu *c, const struct ip_addr *dst)
{
	return rte_jhash_32b((const uint32_t *)dst->w, 4, c->seed) % SETS;
}

/* The entry of dst, else the one that ends first. */
static struct entry *
place_of(struct pmtu *c, const struct ip_addr *dst)
{
	struct entry *set = c->e[set_of(c, dst)], *oldest = &set[0];

	for (uint32_t i = 0; i < WAYS; i++) {
		if (ip_addr_eq(&set[i].dst, dst))
			return &set[i];
		if (set[i].until_ns < oldest->until_ns)
			oldest = &set[i];
	}
	return oldest;
}

bool
pmtu_update(struct lcore *lc, struct pmtu *c, const struct ip_addr *dst, uint32_t mtu)
{
	bool v4 = ip_addr_is_v4(dst);
	struct entry *e;

	/* RFC 8201 s4: a node MUST discard a report of less than the IPv6 minimum link MTU. */
	if (mtu > UINT16_MAX || (!v4 && mtu < PMTU_MIN_V6))
		return false;
	/* A forged report must not make dust of all data. */
	mtu = RTE_MAX(mtu, v4 ? (uint32_t)PMTU_MIN_V4 : (uint32_t)PMTU_MIN_V6);
	/* RFC 8201 s4, RFC 1191 s6: nor may one make the estimate larger. */
	if (mtu >= pmtu_get(lc, c, dst, UINT16_MAX))
		return false;
	e = place_of(c, dst);
	*e = (struct entry){*dst, lc->now_ns + PMTU_LIFE_NS, (uint16_t)mtu};
	c->until_ns = e->until_ns;
	lc_count(lc, ST_PMTU_SET);
	return true;
}

uint16_t
pmtu_get(const struct lcore *lc, const struct pmtu *c, const struct ip_addr *dst, uint16_t link_mtu)
{
	const struct entry *set;

	if (likely(c->until_ns <= lc->now_ns))
		return link_mtu;
	set = c->e[set_of(c, dst)];
	for (uint32_t i = 0; i < WAYS; i++) {
		if (ip_addr_eq(&set[i].dst, dst) && set[i].until_ns > lc->now_ns)
			return set[i].mtu < link_mtu ? set[i].mtu : link_mtu;
	}
	return link_mtu;
}
