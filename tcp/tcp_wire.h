/* SPDX-License-Identifier: BSD-3-Clause */
/* tcp_wire.h - a segment as values: parsed once from the wire, or about to be written to it. */
#ifndef TL_TCP_TCP_WIRE_H
#define TL_TCP_TCP_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "stack/base/pkt.h"
#include "stack/base/stat.h"

enum tcp_flag {
	TCP_F_FIN = 0x01,
	TCP_F_SYN = 0x02,
	TCP_F_RST = 0x04,
	TCP_F_PSH = 0x08,
	TCP_F_ACK = 0x10,
	TCP_F_URG = 0x20,
	TCP_F_ECE = 0x40,
	TCP_F_CWR = 0x80,
};

enum {
	TCP_HLEN_MIN = 20,
	TCP_HLEN_MAX = 60,
	TCP_OPT_TS_LEN = 12, /* with its two NOPs, RFC 7323 appendix A */
	TCP_WSCALE_MAX = 14, /* RFC 7323 s2.3 */
	TCP_SACK_MAX = 4,    /* blocks that the options have room for, RFC 2018 s3 */
	TCP_TFO_MAX = 14,    /* bytes of a cookie that fit a SYN beside our other options */
};

/* Options seen, or wanted: bits of tcp_seg.opts. */
enum tcp_opt {
	TCP_O_MSS = 1u << 0,
	TCP_O_WS = 1u << 1,
	TCP_O_TS = 1u << 2,
	TCP_O_SACK_PERM = 1u << 3,
	TCP_O_TFO = 1u << 4,
};

/* Octets from l up to r, r not counted. */
struct tcp_sack_block {
	uint32_t l;
	uint32_t r;
};

struct tcp_seg {
	struct rte_mbuf *m; /* inbound: NULL once somebody else owns the packet */
	uint32_t seq;
	uint32_t ack;
	uint32_t ts_val;
	uint32_t ts_ecr;
	uint16_t wnd; /* the field, not scaled */
	uint16_t mss;
	uint16_t off; /* of the payload: from the header in parse, from the mbuf's data in tcp_in */
	uint16_t len; /* of the payload */
	uint8_t flags; /* TCP_F_* */
	uint8_t opts;  /* TCP_O_* */
	uint8_t wscale;
	bool fin_now;         /* the peer's FIN is the next octet in order */
	uint8_t sack_n;       /* of sack[] */
	uint8_t tos;          /* to send: ECN of the IP header */
	uint8_t tfo_len;      /* of tfo[], 0: none, a request */
	enum drop_reason why; /* how the packet ends; DROP_NONE: somebody keeps it */
	struct tcp_sack_block sack[TCP_SACK_MAX];
	uint8_t tfo[16]; /* a fast open cookie, RFC 7413 */
};

/* An empty segment, in pieces that a compiler clears without a call. Blocks and cookie are read
 * only where sack_n and tfo_len say that there are any. */
static inline void
tcp_seg_init(struct tcp_seg *s)
{
	memset(s, 0, 32);
	memset((uint8_t *)s + 32, 0, offsetof(struct tcp_seg, sack) - 32);
}

/* Octets of sequence space, RFC 9293 s3.3.1. */
static inline uint32_t
tcp_seg_len(const struct tcp_seg *s)
{
	uint32_t syn = (s->flags & TCP_F_SYN) != 0, fin = (s->flags & TCP_F_FIN) != 0;

	return s->len + syn + fin;
}

/*
 * Reads the len bytes of a whole segment at p. Returns DROP_NONE and fills s, or says why the
 * segment is malformed. The checksum and the ports are the caller's.
 */
enum drop_reason tcp_wire_parse(const uint8_t *p, uint32_t len, struct tcp_seg *s);

/* Size of the header that tcp_wire_emit() would write. */
uint32_t tcp_wire_hlen(const struct tcp_seg *s);

/* The Internet checksum's sum of the header that tcp_wire_emit() wrote at p. */
uint32_t tcp_wire_sum(
	const uint8_t *p, const struct tcp_seg *s, rte_be16_t sport, rte_be16_t dport);

/* Writes ports, header and options at p, checksum field zero. Returns tcp_wire_hlen(). */
uint32_t tcp_wire_emit(uint8_t *p, const struct tcp_seg *s, rte_be16_t sport, rte_be16_t dport);

#endif
