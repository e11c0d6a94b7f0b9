/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * icmp.c - echo, errors heard and errors told, and what IPv6 shares of them.
 *
 * Last stage of receive for ICMP, after the verdict; every packet ends here. Answers are fresh
 * packets on lc->out_l4 with the protection of what they answer. What an error says about a flow
 * is believed only if the hooks allow the packet that brought it to speak for that flow.
 */
#include "stack/net/icmp.h"

#include <errno.h>
#include <stdlib.h>
#include <rte_cycles.h>
#include <rte_ip.h>

#include "stack/base/csum.h"
#include "stack/base/flow.h"
#include "stack/base/msg.h"
#include "stack/net/icmp_int.h"
#include "stack/net/route.h"

enum {
	T_ECHO_REPLY = 0,
	T_UNREACHABLE = 3,
	T_SOURCE_QUENCH = 4,
	T_REDIRECT = 5,
	T_ECHO = 8,
	T_TIME_EXCEEDED = 11,
	T_PARAM_PROBLEM = 12,

	QUOTE_L4_MIN = 8, /* RFC 792: the header and 64 bits of the data */
	QUOTE_MAX = 548,  /* RFC 1812 s4.3.2.3: 576 bytes together with both headers */
	IP_HDR_MIN = 20,
	ANSWER_TTL = 64,
	ECN_MASK = 3,

	/* RFC 1812 s4.3.2.8: answers a second, and at once. Pings do not use up the errors. */
	ERR_PER_S = 1000,
	ERR_BURST = 100,
	ECHO_PER_S = 20000,
	ECHO_BURST = 2000,
};

struct icmp_hdr {
	uint8_t type;
	uint8_t code;
	rte_be16_t csum;
	rte_be16_t word[2]; /* code 4 of "unreachable": the second is the MTU */
};
_Static_assert(sizeof(struct icmp_hdr) == ICMP_HDR_LEN, "wire format");

static struct icmp_bucket
bucket_full(const struct lcore *lc, uint64_t per_s, uint64_t burst)
{
	uint64_t cost = NS_PER_S / per_s;

	return (struct icmp_bucket){cost, cost * burst, cost * burst, lc->now_ns};
}

bool
icmp_bucket_take(const struct lcore *lc, struct icmp_bucket *b)
{
	b->credit_ns = RTE_MIN(b->cap_ns, b->credit_ns + (lc->now_ns - b->last_ns));
	b->last_ns = lc->now_ns;
	if (b->credit_ns < b->cost_ns)
		return false;
	b->credit_ns -= b->cost_ns;
	return true;
}

int
icmp_create(struct lcore *lc, const struct icmp_hooks *hooks)
{
	struct icmp_ctx *c = calloc(1, sizeof(*c));

	if (c == NULL)
		return -ENOMEM;
	if (hooks != NULL)
		c->hooks = *hooks;
	c->err = bucket_full(lc, ERR_PER_S, ERR_BURST);
	c->echo = bucket_full(lc, ECHO_PER_S, ECHO_BURST);
	lc->icmp = c;
	return 0;
}

void
icmp_destroy(struct lcore *lc)
{
	free(lc->icmp);
	lc->icmp = NULL;
}

bool
icmp_may_answer(const struct lcore *lc, const struct rte_mbuf *m)
{
	return lc->icmp->hooks.stamp_answer != NULL || !pkt_is_tagged(lc, m);
}

struct rte_mbuf *
icmp_answer_alloc(struct lcore *lc, const struct rte_mbuf *m, uint32_t len)
{
	struct rte_mbuf *a = pkt_alloc(lc);
	struct pkt_meta *pm;

	if (a == NULL)
		return NULL;
	if (len > rte_pktmbuf_tailroom(a)) {
		rte_pktmbuf_free(a);
		return NULL;
	}
	rte_pktmbuf_append(a, (uint16_t)len);
	pm = pkt_meta(a);
	pm->key = pkt_meta(m)->key;
	pm->key.proto = ip_addr_is_v4(&pm->key.local) ? IPPROTO_N_ICMP : IPPROTO_N_ICMP6;
	pm->key.lport = 0;
	pm->key.rport = 0;
	pm->nxt = pm->key.proto;
	pm->ttl = ANSWER_TTL;
	pm->l4_len = (uint16_t)len;
	return a;
}

void
icmp_answer_send(struct lcore *lc, const struct rte_mbuf *m, struct rte_mbuf *a)
{
	const struct icmp_hooks *hooks = &lc->icmp->hooks;
	struct icmp_hdr *h = (struct icmp_hdr *)(void *)pkt_data(a, 0);
	uint32_t sum = 0;

	h->csum = 0;
	/* RFC 4443 s2.3: with a pseudo-header; RFC 792: without. */
	if (pkt_meta(a)->nxt == IPPROTO_N_ICMP6)
		sum = csum_pseudo(&pkt_meta(a)->key, a->data_len);
	h->csum = csum_finish(csum_add(h, a->data_len, sum));
	pkt_read_ports(&pkt_meta(a)->key, pkt_data(a, 0), a->data_len); /* for selectors */
	if (hooks->stamp_answer != NULL)
		hooks->stamp_answer(lc, m, a);
	pkt_out(lc, &lc->out_l4, a);
}

/*
 * RFC 1122 s3.2.2.6, RFC 4443 s4.2: the answer comes from the address that was asked, with all the
 * data. The question's TOS is used (RFC 1349 s5.1), without ECN: no transport here reacts to it.
 */
enum drop_reason
icmp_echo(struct lcore *lc, const struct rte_mbuf *m, uint8_t code, uint8_t reply_type)
{
	const struct pkt_meta *pm = pkt_meta(m);
	struct rte_mbuf *a;

	lc_count(lc, ST_ICMP_ECHO_IN);
	/* RFC 1122 s3.2.2.6 allows silence: an echo to a broadcast address is an amplifier.
	 * DEVIATION: RFC 4443 s4.2 says SHOULD for multicast. */
	if ((pm->flags & PKT_F_MCAST) != 0)
		return DROP_ICMP_BCAST;
	if (code != 0)
		return DROP_ICMP_TYPE;
	if (!icmp_may_answer(lc, m))
		return DROP_ICMP_DONE;
	if (!icmp_bucket_take(lc, &lc->icmp->echo))
		return DROP_ICMP_RATE;
	a = icmp_answer_alloc(lc, m, pm->l4_len);
	if (a == NULL)
		return DROP_NOBUF;
	memcpy(pkt_data(a, 0), pkt_data(m, pm->l4_off), pm->l4_len);
	*pkt_data(a, 0) = reply_type;
	pkt_meta(a)->tos = (uint8_t)(pm->tos & ~ECN_MASK);
	icmp_answer_send(lc, m, a);
	return DROP_ICMP_DONE;
}

static bool
has_ports(uint8_t proto)
{
	return proto == IPPROTO_N_TCP || proto == IPPROTO_N_UDP || proto == IPPROTO_N_SCTP ||
	       proto == IPPROTO_N_ESP;
}

void
icmp_quote_l4(struct icmp_error *e, const uint8_t *l4)
{
	uint32_t word;

	if (has_ports(e->key.proto)) {
		memcpy(&e->key.lport, l4, 2);
		memcpy(&e->key.rport, l4 + 2, 2);
	}
	memcpy(&word, l4 + 4, 4);
	e->l4_word = rte_be_to_cpu_32(word);
}

/*
 * The transport of the flow hears of it, and so do routes: every later connection on that path
 * begins with the MTU that it has (RFC 1191 s6.3, RFC 8201 s5.2). The transport comes first: one
 * who only guesses what is in flight must not narrow the path of all (RFC 5927 s4.1, s7.2).
 */
enum drop_reason
icmp_tell(struct lcore *lc, const struct rte_mbuf *m, struct icmp_error *e)
{
	const struct icmp_hooks *hooks = &lc->icmp->hooks;

	/* The flow is another worker's: there it is heard, and judged for that flow. */
	if (flow_is_elsewhere(lc, &e->key, &lc->icmp->home))
		return DROP_NONE;
	e->is_protected = pkt_is_tagged(lc, m);
	if (hooks->may_speak == NULL || !hooks->may_speak(lc, m, &e->key))
		return DROP_ICMP_QUOTE;
	if (hooks->error == NULL || !hooks->error(lc, e))
		return DROP_ICMP_QUOTE;
	if (e->kind == ICMP_KIND_TOOBIG && e->mtu_bytes != 0 && e->key.proto != IPPROTO_N_ESP &&
		lc->route != NULL)
		route_pmtu_update(lc, &e->key.remote, e->mtu_bytes);
	return DROP_ICMP_DONE;
}

/*
 * Reads what an error quotes (len bytes at q): a packet that this host sent, so its source is us.
 * The quote was changed on the way (TTL), so its checksum says nothing.
 */
static enum drop_reason
parse_quote(const struct rte_mbuf *m, const uint8_t *q, uint32_t len, struct icmp_error *e)
{
	const struct pkt_meta *pm = pkt_meta(m);
	const struct rte_ipv4_hdr *h = (const struct rte_ipv4_hdr *)q;
	uint32_t hlen;

	if (len < IP_HDR_MIN)
		return DROP_ICMP_SHORT;
	hlen = rte_ipv4_hdr_len(h);
	if (hlen < IP_HDR_MIN || hlen + QUOTE_L4_MIN > len)
		return DROP_ICMP_SHORT;
	/* Later fragments do not say whose they are. */
	if ((h->version_ihl >> 4) != 4 ||
		(h->fragment_offset & RTE_BE16(RTE_IPV4_HDR_OFFSET_MASK)) != 0)
		return DROP_ICMP_QUOTE;
	e->key.local = ip_addr_v4(h->src_addr);
	e->key.remote = ip_addr_v4(h->dst_addr);
	e->key.realm = pm->key.realm;
	e->key.proto = h->next_proto_id;
	/* RFC 792: an error goes to the source of the packet that it is about. */
	if (!ip_addr_eq(&e->key.local, &pm->key.local))
		return DROP_ICMP_QUOTE;
	icmp_quote_l4(e, q + hlen);
	return DROP_NONE;
}

/* RFC 1122 s4.2.3.9: unreachable of the protocol or port is hard, the rest soft. */
static enum icmp_kind
kind_of(const struct icmp_hdr *h)
{
	if (h->type != T_UNREACHABLE)
		return ICMP_KIND_SOFT;
	if (h->code == ICMP_DU_FRAG_NEEDED)
		return ICMP_KIND_TOOBIG;
	return h->code == ICMP_DU_PROTOCOL || h->code == ICMP_DU_PORT ? ICMP_KIND_HARD
								      : ICMP_KIND_SOFT;
}

/* RFC 1122 s3.2.2.1, s3.2.2.4, s3.2.2.5: told to the transport. */
static enum drop_reason
error(struct lcore *lc, const struct rte_mbuf *m, const struct icmp_hdr *h)
{
	const struct pkt_meta *pm = pkt_meta(m);
	struct icmp_error e = {.type = h->type, .code = h->code, .kind = kind_of(h)};
	enum drop_reason r;

	lc_count(lc, ST_ICMP_ERR_IN);
	r = parse_quote(
		m, pkt_data(m, pm->l4_off + ICMP_HDR_LEN), (uint32_t)pm->l4_len - ICMP_HDR_LEN, &e);
	if (r != DROP_NONE)
		return r;
	/* RFC 1191 s4 */
	if (e.kind == ICMP_KIND_TOOBIG)
		e.mtu_bytes = rte_be_to_cpu_16(h->word[1]);
	return icmp_tell(lc, m, &e);
}

/*
 * DEVIATION: redirects are ignored, although RFC 1122 s3.2.2.2 says SHOULD: anybody on the link
 * could move our traffic. Source quench is ignored as RFC 6633 s3 allows. Nobody here pings, so
 * no reply is expected.
 */
static enum drop_reason
message_in(struct lcore *lc, const struct rte_mbuf *m)
{
	const struct pkt_meta *pm = pkt_meta(m);
	struct icmp_hdr h;

	if (pm->l4_len < ICMP_HDR_LEN || (uint32_t)pm->l4_off + pm->l4_len > m->data_len)
		return DROP_ICMP_SHORT;
	/* RFC 792: over the whole message, without a pseudo-header. */
	if (csum_finish(csum_add(pkt_data(m, pm->l4_off), pm->l4_len, 0)) != 0)
		return DROP_ICMP_CSUM;
	memcpy(&h, pkt_data(m, pm->l4_off), sizeof(h));
	switch (h.type) {
	case T_ECHO:
		return icmp_echo(lc, m, h.code, T_ECHO_REPLY);
	case T_UNREACHABLE:
	case T_TIME_EXCEEDED:
	case T_PARAM_PROBLEM:
		return error(lc, m, &h);
	default:
		return DROP_ICMP_TYPE;
	}
}

/* Each version has its own protocol, and only that (RFC 4443 s2.1). */
static enum drop_reason
by_version(struct lcore *lc, const struct rte_mbuf *m)
{
	const struct pkt_meta *pm = pkt_meta(m);
	bool v4 = ip_addr_is_v4(&pm->key.local);

	if (pm->nxt != (v4 ? IPPROTO_N_ICMP : IPPROTO_N_ICMP6))
		return DROP_ICMP_TYPE;
	return v4 ? message_in(lc, m) : icmp6_message_in(lc, m);
}

void
icmp_in(struct lcore *lc, struct pkt_vec *v)
{
	for (uint32_t i = 0; i < v->n; i++) {
		enum drop_reason why = by_version(lc, v->m[i]);

		if (unlikely(why == DROP_NONE))
			msg_handoff(lc, lc->icmp->home, HANDOFF_L4, v->m[i]);
		else
			pkt_drop(lc, v->m[i], why);
	}
	v->n = 0;
}

static bool
is_icmp_error(const struct rte_mbuf *m)
{
	const struct pkt_meta *pm = pkt_meta(m);

	if (pm->nxt != IPPROTO_N_ICMP)
		return false;
	/* What cannot be read might be one. */
	if (pm->l4_len == 0)
		return true;
	switch (*pkt_data(m, pm->l4_off)) {
	case T_UNREACHABLE:
	case T_SOURCE_QUENCH:
	case T_REDIRECT:
	case T_TIME_EXCEEDED:
	case T_PARAM_PROBLEM:
		return true;
	default:
		return false;
	}
}

/* RFC 1122 s3.2.2, the list of what no error may be sent about. Sources were checked by IP. */
static bool
error_forbidden(const struct rte_mbuf *m)
{
	const struct pkt_meta *pm = pkt_meta(m);
	const struct rte_ipv4_hdr *h = (const struct rte_ipv4_hdr *)pkt_data(m, pm->l3_off);

	if ((pm->flags & (PKT_F_MCAST | PKT_F_NO_ERROR)) != 0)
		return true;
	if ((h->fragment_offset & RTE_BE16(RTE_IPV4_HDR_OFFSET_MASK)) != 0)
		return true;
	return is_icmp_error(m);
}

/*
 * Quotes m as its sender knew it: the IP header directly followed by the L4. In transport mode ESP
 * lay between the two, so the header that fits the plaintext is made again.
 */
static void
quote(uint8_t *to, const struct rte_mbuf *m, uint32_t hlen, uint32_t l4_bytes)
{
	const struct pkt_meta *pm = pkt_meta(m);
	struct rte_ipv4_hdr *h = (struct rte_ipv4_hdr *)to;

	memcpy(to, pkt_data(m, pm->l3_off), hlen);
	memcpy(to + hlen, pkt_data(m, pm->l4_off), l4_bytes);
	if (pm->l4_off == pm->l3_off + hlen)
		return;
	h->next_proto_id = pm->nxt;
	h->total_length = rte_cpu_to_be_16((uint16_t)(hlen + pm->l4_len));
	h->hdr_checksum = 0;
	h->hdr_checksum = csum_finish(csum_add(h, hlen, 0));
}

void
icmp_unreachable(struct lcore *lc, const struct rte_mbuf *m, uint8_t code, uint16_t mtu_bytes)
{
	const struct pkt_meta *pm = pkt_meta(m);
	struct icmp_hdr h = {.type = T_UNREACHABLE, .code = code};
	uint32_t hlen, l4_bytes;
	struct rte_mbuf *a;

	if (!ip_addr_is_v4(&pm->key.local)) {
		icmp6_unreachable(lc, m, code, mtu_bytes);
		return;
	}
	if (error_forbidden(m))
		return;
	hlen = rte_ipv4_hdr_len((const struct rte_ipv4_hdr *)pkt_data(m, pm->l3_off));
	l4_bytes = RTE_MIN((uint32_t)pm->l4_len, QUOTE_MAX - hlen);
	a = NULL;
	if (icmp_may_answer(lc, m) && icmp_bucket_take(lc, &lc->icmp->err))
		a = icmp_answer_alloc(lc, m, ICMP_HDR_LEN + hlen + l4_bytes);
	if (a == NULL) {
		lc_count(lc, ST_ICMP_ERR_SKIP);
		return;
	}
	/* RFC 1191 s4: the MTU is in the last half of the second word. */
	if (code == ICMP_DU_FRAG_NEEDED)
		h.word[1] = rte_cpu_to_be_16(mtu_bytes);
	memcpy(pkt_data(a, 0), &h, sizeof(h));
	quote(pkt_data(a, ICMP_HDR_LEN), m, hlen, l4_bytes);
	lc_count(lc, ST_ICMP_ERR_OUT);
	icmp_answer_send(lc, m, a);
}
