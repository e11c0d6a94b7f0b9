/* SPDX-License-Identifier: BSD-3-Clause */
/* pmtu.h - what is known about path MTUs (RFC 1191 s6.3, RFC 8201 s4). Private to the routes. */
#ifndef TL_NET_PMTU_H
#define TL_NET_PMTU_H

#include <stdbool.h>

#include "stack/base/addr.h"
#include "stack/base/lcore.h"

enum { PMTU_MIN_V6 = 1280, PMTU_MIN_V4 = 576 };

struct pmtu;

/* Returns 0 or -ENOMEM. */
int pmtu_create(struct lcore *lc, struct pmtu **out);
void pmtu_free(struct pmtu *c);

/*
 * Notes that packets of mtu bytes at most reach dst. Less than every path carries is ignored for
 * IPv6 (RFC 8201 s4) and raised to PMTU_MIN_V4 for IPv4. Returns false if nothing became smaller.
 */
bool pmtu_update(struct lcore *lc, struct pmtu *c, const struct ip_addr *dst, uint32_t mtu);

/* The MTU towards dst, at most link_mtu. */
uint16_t pmtu_get(
	const struct lcore *lc, const struct pmtu *c, const struct ip_addr *dst, uint16_t link_mtu);

#endif
