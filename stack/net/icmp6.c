/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * icmp6.c - the messages of ICMPv6 (RFC 4443): echo, errors heard and errors told.
 *
 * Part of the last stage of receive, after the verdict. Neighbour discovery never comes here, but
 * for what an SA brought, which says nothing about the link.
 */
#include "stack/base/csum.h"
#include "stack/base/ip6_ext.h"
#include "stack/net/icmp_int.h"
#include "stack/net/ip6.h"
#include "stack/net/pmtu.h"

enum {
	T_UNREACHABLE = 1,
	T_TOOBIG = 2,
	T_TIME_EXCEEDED = 3,
	T_PARAM_PROBLEM = 4,
	T_INFORMATIONAL = 128, /* and above; below are errors (RFC 4443 s2.1) */
	T_ECHO = 128,
	T_ECHO_REPLY = 129,
	T_ND_FIRST = 133,
	T_REDIRECT = 137,

	DU_PORT = 4,
	PP_NEXT_HEADER = 1,
	PP_OPTION = 2,

	PACKET_MAX = 1280, /* RFC 4443 s2.4 (c): an error fits the minimum MTU */
	QUOTE_L4_MIN = 8,
	SRC_AT = 8,
	DST_AT = 24,
};

static uint32_t
get32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

/* RFC 4443 s3.1, s3.4; RFC 9293 s3.9.2.2 for what is hard. */
static enum icmp_kind
kind_of(uint8_t type, uint8_t code)
{
	if (type == T_TOOBIG)
		return ICMP_KIND_TOOBIG;
	if (type == T_UNREACHABLE && code == DU_PORT)
		return ICMP_KIND_HARD;
	if (type == T_PARAM_PROBLEM && code == PP_NEXT_HEADER)
		return ICMP_KIND_HARD;
	return ICMP_KIND_SOFT;
}

/*
 * Reads what an error quotes (len bytes at q): a packet that this host sent, so its source is us
 * (RFC 4443 s2.4 (d): the upper layer is found behind its extension headers).
 */
static enum drop_reason
parse_quote(const struct rte_mbuf *m, const uint8_t *q, uint32_t len, struct icmp_error *e)
{
	const struct pkt_meta *pm = pkt_meta(m);
	struct ip6_upper u;

	if (ip6_ext_walk(q, len, &u) != IP6_EXT_OK || len - u.off < QUOTE_L4_MIN)
		return DROP_ICMP_SHORT;
	/* Later fragments do not say whose they are. */
	if (q[0] >> 4 != 6 || u.frag_data != 0)
		return DROP_ICMP_QUOTE;
	if (!ip6_read_addr(q + SRC_AT, pm->port, &e->key.local) ||
		!ip6_read_addr(q + DST_AT, pm->port, &e->key.remote))
		return DROP_ICMP_QUOTE;
	e->key.realm = pm->key.realm;
	e->key.proto = u.nxt;
	/* RFC 4443 s2.2: an error goes to the source of the packet that it is about. */
	if (!ip_addr_eq(&e->key.local, &pm->key.local))
		return DROP_ICMP_QUOTE;
	icmp_quote_l4(e, q + u.off);
	return DROP_NONE;
}

static enum drop_reason
error(struct lcore *lc, const struct rte_mbuf *m, const uint8_t *h)
{
	const struct pkt_meta *pm = pkt_meta(m);
	struct icmp_error e = {.type = h[0], .code = h[1], .kind = kind_of(h[0], h[1])};
	uint32_t mtu = get32(h + 4);
	enum drop_reason r;

	lc_count(lc, ST_ICMP_ERR_IN);
	r = parse_quote(m, h + ICMP_HDR_LEN, (uint32_t)pm->l4_len - ICMP_HDR_LEN, &e);
	if (r != DROP_NONE)
		return r;
	if (e.kind == ICMP_KIND_TOOBIG) {
		/* RFC 8201 s4: less than the minimum is not believed. */
		if (mtu < PMTU_MIN_V6)
			return DROP_ICMP_QUOTE;
		e.mtu_bytes = (uint16_t)RTE_MIN(mtu, (uint32_t)UINT16_MAX);
	}
	return icmp_tell(lc, m, &e);
}

/* RFC 4443 s2.4 (a), (b): an unknown error would go to its upper layer, which knows no better. */
enum drop_reason
icmp6_message_in(struct lcore *lc, const struct rte_mbuf *m)
{
	const struct pkt_meta *pm = pkt_meta(m);
	const uint8_t *h = pkt_data(m, pm->l4_off);

	if (pm->l4_len < ICMP_HDR_LEN || (uint32_t)pm->l4_off + pm->l4_len > m->data_len)
		return DROP_ICMP_SHORT;
	if (csum_finish(csum_add(h, pm->l4_len, csum_pseudo(&pm->key, pm->l4_len))) != 0)
		return DROP_ICMP_CSUM;
	switch (h[0]) {
	case T_ECHO:
		return icmp_echo(lc, m, h[1], T_ECHO_REPLY);
	case T_UNREACHABLE:
	case T_TOOBIG:
	case T_TIME_EXCEEDED:
	case T_PARAM_PROBLEM:
		return error(lc, m, h);
	default:
		/* RFC 4861 s11: these say nothing when an SA brought them. */
		return h[0] >= T_ND_FIRST && h[0] <= T_REDIRECT ? DROP_ND_TUNNEL : DROP_ICMP_TYPE;
	}
}

static bool
is_icmp_error(const struct rte_mbuf *m)
{
	const struct pkt_meta *pm = pkt_meta(m);

	if (pm->nxt != IPPROTO_N_ICMP6)
		return false;
	/* What cannot be read might be one. */
	if (pm->l4_len == 0)
		return true;
	return *pkt_data(m, pm->l4_off) < T_INFORMATIONAL || *pkt_data(m, pm->l4_off) == T_REDIRECT;
}

/*
 * RFC 4443 s2.4 (e): what no error may be sent about. Only a parameter problem of an option may
 * answer a group.
 */
static bool
error_forbidden(const struct rte_mbuf *m, uint8_t type, uint8_t code)
{
	const struct pkt_meta *pm = pkt_meta(m);

	if ((pm->flags & PKT_F_NO_ERROR) != 0)
		return true;
	if ((pm->flags & PKT_F_MCAST) != 0 && (type != T_PARAM_PROBLEM || code != PP_OPTION))
		return true;
	if (ip_addr_is_any(&pm->key.remote) || ip_addr_is_mcast(&pm->key.remote))
		return true;
	return is_icmp_error(m);
}

/* The IPv4 name of an error as IPv6 says it; word is what follows the checksum. */
static void
translate(const struct pkt_meta *pm, uint8_t code4, uint16_t mtu, uint8_t h[ICMP_HDR_LEN])
{
	uint16_t word = 0;

	switch (code4) {
	case ICMP_DU_PROTOCOL:
		/* RFC 4443 s3.4 */
		h[0] = T_PARAM_PROBLEM;
		h[1] = pm->problem_code;
		word = pm->problem_at;
		break;
	case ICMP_DU_FRAG_NEEDED:
		h[0] = T_TOOBIG;
		word = mtu;
		break;
	default:
		h[0] = T_UNREACHABLE;
		h[1] = code4 == ICMP_DU_PORT ? DU_PORT : 0;
		break;
	}
	h[6] = (uint8_t)(word >> 8);
	h[7] = (uint8_t)word;
}

/*
 * Quotes m as its sender knew it: the headers directly followed by the L4. In transport mode ESP
 * lay between the two; then the plaintext gets a fixed header that fits it.
 */
static uint32_t
quote(uint8_t *to, const struct rte_mbuf *m, uint32_t room)
{
	const struct pkt_meta *pm = pkt_meta(m);
	const uint8_t *h = pkt_data(m, pm->l3_off);
	struct ip6_upper u;
	uint32_t hlen = (uint32_t)pm->l4_off - pm->l3_off, bytes;
	bool was_esp = ip6_ext_walk(h, hlen, &u) == IP6_EXT_OK && u.nxt == IPPROTO_N_ESP &&
		       pm->nxt != IPPROTO_N_ESP;

	if (was_esp)
		hlen = IP6_HLEN;
	bytes = RTE_MIN(room - hlen, (uint32_t)pm->l4_len);
	memcpy(to, h, hlen);
	memcpy(to + hlen, pkt_data(m, pm->l4_off), bytes);
	if (was_esp) {
		to[4] = (uint8_t)(pm->l4_len >> 8);
		to[5] = (uint8_t)pm->l4_len;
		to[6] = pm->nxt;
	}
	return hlen + bytes;
}

void
icmp6_unreachable(struct lcore *lc, const struct rte_mbuf *m, uint8_t code, uint16_t mtu)
{
	const uint32_t room = PACKET_MAX - IP6_HLEN - ICMP_HDR_LEN;
	const struct pkt_meta *pm = pkt_meta(m);
	uint8_t h[ICMP_HDR_LEN] = {0};
	struct rte_mbuf *a = NULL;
	uint32_t len;

	translate(pm, code, mtu, h);
	/* Headers alone that leave no room to quote come from nobody who means well. */
	if (error_forbidden(m, h[0], h[1]) || (uint32_t)pm->l4_off - pm->l3_off >= room)
		return;
	if (icmp_may_answer(lc, m) && icmp_bucket_take(lc, &lc->icmp->err))
		a = icmp_answer_alloc(lc, m, ICMP_HDR_LEN + room);
	if (a == NULL) {
		lc_count(lc, ST_ICMP_ERR_SKIP);
		return;
	}
	memcpy(pkt_data(a, 0), h, sizeof(h));
	len = ICMP_HDR_LEN + quote(pkt_data(a, ICMP_HDR_LEN), m, room);
	rte_pktmbuf_trim(a, (uint16_t)(ICMP_HDR_LEN + room - len));
	pkt_meta(a)->l4_len = (uint16_t)len;
	lc_count(lc, ST_ICMP_ERR_OUT);
	icmp_answer_send(lc, m, a);
}
