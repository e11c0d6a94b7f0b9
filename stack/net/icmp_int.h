/* SPDX-License-Identifier: BSD-3-Clause */
/* icmp_int.h - what ICMP for IPv4 and for IPv6 share. Private to them. */
#ifndef TL_NET_ICMP_INT_H
#define TL_NET_ICMP_INT_H

#include "stack/net/icmp.h"

enum { ICMP_HDR_LEN = 8 };

struct icmp_bucket {
	uint64_t cost_ns;
	uint64_t cap_ns;
	uint64_t credit_ns;
	uint64_t last_ns;
};

struct icmp_ctx {
	struct icmp_hooks hooks;
	struct icmp_bucket err;
	struct icmp_bucket echo;
	uint16_t home; /* the worker that the message in hand goes to */
};

bool icmp_bucket_take(const struct lcore *lc, struct icmp_bucket *b);

/* F-33: an answer to a protected packet that nobody can protect is not given. */
bool icmp_may_answer(const struct lcore *lc, const struct rte_mbuf *m);

/* A fresh ICMP packet of len bytes back along the flow of m, or NULL. */
struct rte_mbuf *icmp_answer_alloc(struct lcore *lc, const struct rte_mbuf *m, uint32_t len);

/* Checksum (the field is zero), protection of the question, queue. */
void icmp_answer_send(struct lcore *lc, const struct rte_mbuf *m, struct rte_mbuf *a);

/* The answer to a checked echo request, with this type. */
enum drop_reason icmp_echo(
	struct lcore *lc, const struct rte_mbuf *m, uint8_t code, uint8_t reply_type);

/* Reads ports or SPI and the second word of a quoted L4 header of 8 bytes or more. */
void icmp_quote_l4(struct icmp_error *e, const uint8_t *l4);

/* Tells what m, an error, says about e's flow, if F-49 and F-50 allow it. DROP_NONE: the flow lives
 * on another worker, icmp_ctx.home, and m has to go there. */
enum drop_reason icmp_tell(struct lcore *lc, const struct rte_mbuf *m, struct icmp_error *e);

/* icmp6.c */
enum drop_reason icmp6_message_in(struct lcore *lc, const struct rte_mbuf *m);
void icmp6_unreachable(struct lcore *lc, const struct rte_mbuf *m, uint8_t code, uint16_t mtu);

#endif
