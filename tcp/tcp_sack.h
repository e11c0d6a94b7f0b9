/* SPDX-License-Identifier: BSD-3-Clause */
/* tcp_sack.h - selective acknowledgments (RFC 2018, RFC 2883): what we say, what the peer says. */
#ifndef TL_TCP_TCP_SACK_H
#define TL_TCP_TCP_SACK_H

#include <stdbool.h>
#include <stdint.h>

#include "tcp/tcp_wire.h"

struct lcore;
struct tcp_pcb;
struct tcp_acked;

/* What the receiver says it holds: the most recently changed block first (RFC 2018 s4). */
struct tcp_sack_rcv {
	struct tcp_sack_block blk[TCP_SACK_MAX];
	struct tcp_sack_block dup; /* RFC 2883 s4; empty: nothing came twice since the last ACK */
	uint8_t n;
};

/* [l, r) is held now. */
void tcp_sack_held(struct tcp_pcb *pcb, uint32_t l, uint32_t r);
/* [l, r) was there already. */
void tcp_sack_dup(const struct lcore *lc, struct tcp_pcb *pcb, uint32_t l, uint32_t r);
/* rcv_nxt has advanced. */
void tcp_sack_advance(struct tcp_pcb *pcb);
/* What was held is held no more (RFC 2018 s8 permits it). */
void tcp_sack_purge(struct tcp_pcb *pcb);
/* The blocks that the next ACK carries. */
void tcp_sack_fill(const struct tcp_pcb *pcb, struct tcp_seg *s);
/* Bytes of option that they take from a segment. */
uint32_t tcp_sack_room(const struct tcp_pcb *pcb);

/* The blocks of an acceptable ACK; snd_una stands where the ACK put it, before is where it was. */
void tcp_sack_in(struct lcore *lc, struct tcp_pcb *pcb, const struct tcp_seg *seg, uint32_t before,
	struct tcp_acked *a);

#endif
