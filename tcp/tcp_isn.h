/* SPDX-License-Identifier: BSD-3-Clause */
/* tcp_isn.h - numbers that an off-path attacker cannot guess (RFC 6528, RFC 7323 s5.4). */
#ifndef TL_TCP_TCP_ISN_H
#define TL_TCP_TCP_ISN_H

#include <stddef.h>
#include <stdint.h>

#include "stack/base/addr.h"
#include "stack/base/lcore.h"

/* The two halves of a SipHash key. */
struct tcp_secret {
	uint64_t k[2];
};

/* SipHash-2-4 of len bytes. */
uint64_t tcp_siphash(const struct tcp_secret *s, const void *data, size_t len);

/* RFC 6528 s3: ISN = M + F(tuple, secret), M a clock of 4 microseconds. */
uint32_t tcp_isn(const struct lcore *lc, const struct flow_key *k);

/* Offset of the connection's timestamp clock: equal for equal tuples, so it never runs back. */
uint32_t tcp_ts_offset(const struct lcore *lc, const struct flow_key *k);

#endif
