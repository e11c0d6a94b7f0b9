/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * tcp_wire.c - the TCP header and its options (RFC 9293 s3.1, s3.2; RFC 7323; RFC 2018).
 *
 * Called for every inbound segment before anything looks at a control block, and for every
 * outbound one after it was decided.
 */
#include "tcp/tcp_wire.h"

#include <stddef.h>
#include <string.h>
#include <rte_tcp.h>

#include "stack/base/csum.h"

/* RFC 7323 appendix A: two NOPs, kind, length. */
#define TS_WORD UINT32_C(0x0101080a)

enum {
	OPT_END = 0,
	OPT_NOP = 1,
	OPT_MSS = 2,
	OPT_WS = 3,
	OPT_SACK_PERM = 4,
	OPT_SACK = 5,
	OPT_TS = 8,
	OPT_TFO = 34
};

static uint16_t
get16(const uint8_t *p)
{
	rte_be16_t be;

	memcpy(&be, p, sizeof(be));
	return rte_be_to_cpu_16(be);
}

static uint32_t
get32(const uint8_t *p)
{
	rte_be32_t be;

	memcpy(&be, p, sizeof(be));
	return rte_be_to_cpu_32(be);
}

static void
put32(uint8_t *p, uint32_t v)
{
	rte_be32_t be = rte_cpu_to_be_32(v);

	memcpy(p, &be, 4);
}

/* RFC 2018 s3: whole blocks; whether they make sense is for who knows the window. */
static bool
parse_sack(struct tcp_seg *s, const uint8_t *p, uint8_t len)
{
	uint32_t n = (len - 2u) / 8;

	if (n == 0 || n > TCP_SACK_MAX || len != 2 + 8 * n)
		return false;
	for (uint32_t i = 0; i < n; i++)
		s->sack[i] = (struct tcp_sack_block){get32(p + 2 + 8 * i), get32(p + 6 + 8 * i)};
	s->sack_n = (uint8_t)n;
	return true;
}

/* RFC 7413 s4.1.1, as erratum 4238 has it: 2 bytes, or 6 to 18 and even. Another length is like an
 * option that nobody knows. */
static void
parse_tfo(struct tcp_seg *s, const uint8_t *p, uint8_t len)
{
	if (len != 2 && (len < 6 || len > 2 + sizeof(s->tfo) || len % 2 != 0))
		return;
	s->opts |= TCP_O_TFO;
	s->tfo_len = (uint8_t)(len - 2);
	memcpy(s->tfo, p + 2, s->tfo_len);
}

/* One option of len bytes at p, kind and length included. False if its length is wrong. */
static bool
parse_opt(struct tcp_seg *s, const uint8_t *p, uint8_t len)
{
	switch (p[0]) {
	case OPT_MSS:
		if (len != 4)
			return false;
		s->mss = get16(p + 2);
		s->opts |= TCP_O_MSS;
		return true;
	case OPT_WS:
		if (len != 3)
			return false;
		/* RFC 7323 s2.3: a larger shift count is used as 14. */
		s->wscale = (uint8_t)RTE_MIN(p[2], TCP_WSCALE_MAX);
		s->opts |= TCP_O_WS;
		return true;
	case OPT_SACK_PERM:
		if (len != 2)
			return false;
		s->opts |= TCP_O_SACK_PERM;
		return true;
	case OPT_SACK:
		return parse_sack(s, p, len);
	case OPT_TS:
		if (len != 10)
			return false;
		s->ts_val = get32(p + 2);
		s->ts_ecr = get32(p + 6);
		s->opts |= TCP_O_TS;
		return true;
	case OPT_TFO:
		parse_tfo(s, p, len);
		return true;
	default:
		/* RFC 9293 s3.2, MUST-6: unknown options are skipped. */
		return true;
	}
}

static bool
parse_opts(struct tcp_seg *s, const uint8_t *p, const uint8_t *end)
{
	while (p < end) {
		if (*p == OPT_END)
			return true;
		if (*p == OPT_NOP) {
			p++;
			continue;
		}
		/* RFC 9293 s3.1, MUST-7: a length of 0 or beyond the header is survived. */
		if (end - p < 2 || p[1] < 2 || p[1] > end - p)
			return false;
		if (!parse_opt(s, p, p[1]))
			return false;
		p += p[1];
	}
	return true;
}

/* A SYN that also ends or resets: sent by scanners only. The rest is left to RFC 9293 s3.10.7. */
static bool
flags_bad(uint8_t f)
{
	return (f & TCP_F_SYN) != 0 && (f & (TCP_F_FIN | TCP_F_RST)) != 0;
}

enum drop_reason
tcp_wire_parse(const uint8_t *p, uint32_t len, struct tcp_seg *s)
{
	uint32_t hlen;

	tcp_seg_init(s);
	s->why = DROP_TCP_DONE;
	if (len < TCP_HLEN_MIN || len > UINT16_MAX)
		return DROP_TCP_SHORT;
	hlen = (uint32_t)(p[12] >> 4) * 4;
	if (hlen < TCP_HLEN_MIN || hlen > len)
		return DROP_TCP_HLEN;
	s->seq = get32(p + 4);
	s->ack = get32(p + 8);
	s->flags = p[13];
	s->wnd = get16(p + 14);
	s->off = (uint16_t)hlen;
	s->len = (uint16_t)(len - hlen);
	if (flags_bad(s->flags))
		return DROP_TCP_FLAGS;
	/* What nearly every segment has, and nothing else. */
	if (likely(hlen == TCP_HLEN_MIN + TCP_OPT_TS_LEN && get32(p + TCP_HLEN_MIN) == TS_WORD)) {
		s->opts = TCP_O_TS;
		s->ts_val = get32(p + TCP_HLEN_MIN + 4);
		s->ts_ecr = get32(p + TCP_HLEN_MIN + 8);
		return DROP_NONE;
	}
	return parse_opts(s, p + TCP_HLEN_MIN, p + hlen) ? DROP_NONE : DROP_TCP_OPT;
}

/* The option with what fills the last word. */
static uint32_t
tfo_room(const struct tcp_seg *s)
{
	return (2u + s->tfo_len + 3u) / 4 * 4;
}

uint32_t
tcp_wire_hlen(const struct tcp_seg *s)
{
	uint32_t n = TCP_HLEN_MIN;

	if ((s->opts & TCP_O_TS) != 0)
		n += TCP_OPT_TS_LEN;
	if (likely((s->opts & ~TCP_O_TS) == 0 && s->sack_n == 0))
		return n;
	if ((s->opts & TCP_O_MSS) != 0)
		n += 4;
	if ((s->opts & TCP_O_WS) != 0)
		n += 4;
	if ((s->opts & TCP_O_SACK_PERM) != 0)
		n += 4;
	if ((s->opts & TCP_O_TFO) != 0)
		n += tfo_room(s);
	if (s->sack_n > 0)
		n += 4u + 8u * s->sack_n;
	return n;
}

static void
emit_opts(uint8_t *p, const struct tcp_seg *s)
{
	if ((s->opts & TCP_O_MSS) != 0) {
		put32(p, (uint32_t)OPT_MSS << 24 | 4u << 16 | s->mss);
		p += 4;
	}
	if ((s->opts & TCP_O_WS) != 0) {
		put32(p, (uint32_t)OPT_NOP << 24 | OPT_WS << 16 | 3u << 8 | s->wscale);
		p += 4;
	}
	if ((s->opts & TCP_O_SACK_PERM) != 0) {
		put32(p, (uint32_t)OPT_NOP << 24 | OPT_NOP << 16 | OPT_SACK_PERM << 8 | 2u);
		p += 4;
	}
	if ((s->opts & TCP_O_TS) != 0) {
		put32(p, TS_WORD);
		put32(p + 4, s->ts_val);
		put32(p + 8, s->ts_ecr);
		p += TCP_OPT_TS_LEN;
	}
	if ((s->opts & TCP_O_TFO) != 0) {
		memset(p, OPT_NOP, tfo_room(s));
		p[0] = OPT_TFO;
		p[1] = (uint8_t)(2 + s->tfo_len);
		memcpy(p + 2, s->tfo, s->tfo_len);
		p += tfo_room(s);
	}
	if (s->sack_n > 0)
		put32(p, (uint32_t)OPT_NOP << 24 | OPT_NOP << 16 | OPT_SACK << 8 |
				 (2u + 8u * s->sack_n));
	for (uint32_t i = 0; i < s->sack_n; i++) {
		put32(p + 4 + 8 * i, s->sack[i].l);
		put32(p + 8 + 8 * i, s->sack[i].r);
	}
}

uint32_t
tcp_wire_sum(const uint8_t *p, const struct tcp_seg *s, rte_be16_t sport, rte_be16_t dport)
{
	uint32_t hlen = tcp_wire_hlen(s);
	uint64_t sum;

	if ((s->opts & ~TCP_O_TS) != 0 || s->sack_n > 0)
		return csum_add(p, hlen, 0);
	/* From the values: what was just written is not in the cache yet. */
	sum = (uint64_t)sport + dport + rte_cpu_to_be_32(s->seq) + rte_cpu_to_be_32(s->ack) +
	      rte_cpu_to_be_32(hlen / 4 << 28 | (uint32_t)s->flags << 16 | s->wnd);
	if ((s->opts & TCP_O_TS) != 0)
		sum += (uint64_t)rte_cpu_to_be_32(TS_WORD) + rte_cpu_to_be_32(s->ts_val) +
		       rte_cpu_to_be_32(s->ts_ecr);
	return csum_fold(sum);
}

uint32_t
tcp_wire_emit(uint8_t *p, const struct tcp_seg *s, rte_be16_t sport, rte_be16_t dport)
{
	uint32_t hlen = tcp_wire_hlen(s);

	memcpy(p, &sport, 2);
	memcpy(p + 2, &dport, 2);
	put32(p + 4, s->seq);
	put32(p + 8, s->ack);
	put32(p + 12, hlen / 4 << 28 | (uint32_t)s->flags << 16 | s->wnd);
	put32(p + 16, 0); /* checksum, urgent pointer */
	if (hlen > TCP_HLEN_MIN)
		emit_opts(p + TCP_HLEN_MIN, s);
	return hlen;
}
