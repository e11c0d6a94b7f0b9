/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * ip6_ext.c - the walk along the extension headers of an IPv6 packet.
 *
 * Used by the IP stage on what arrives, by ICMP on what an error quotes, and by ESP on what came
 * out of a tunnel.
 */
#include "stack/base/ip6_ext.h"

#include <string.h>

enum {
	NH_AT = 6, /* next-header byte of the fixed header */
	OPT_PAD1 = 0,
	CODE_FIELD = 0, /* RFC 4443 s3.4 */
	CODE_NEXT_HEADER = 1,
	CODE_OPTION = 2,
	FRAG_OFF_MASK = 0xfff8,
	FRAG_MORE = 1,
};

/* One walk. */
struct walk {
	const uint8_t *p;
	uint32_t len;
	uint32_t off;   /* of the header to look at */
	uint32_t nh_at; /* of the byte that named it */
	struct ip6_upper *out;
};

static enum ip6_ext_error
refuse(struct walk *w, enum ip6_ext_error e, enum ip6_problem due, uint8_t code, uint32_t pointer)
{
	w->out->problem = (uint8_t)due;
	w->out->code = code;
	w->out->pointer = (uint16_t)pointer;
	return e;
}

/*
 * RFC 8200 s4.2: the two high bits of an option that we do not know say what to do. We know only
 * padding; every other option that may be skipped is.
 */
static enum ip6_ext_error
unknown_option(struct walk *w, uint32_t at)
{
	switch (w->p[at] >> 6) {
	case 0:
		return IP6_EXT_OK;
	case 1:
		return IP6_EXT_OPTION;
	case 2:
		return refuse(w, IP6_EXT_OPTION, IP6_PROBLEM_ALWAYS, CODE_OPTION, at);
	default:
		return refuse(w, IP6_EXT_OPTION, IP6_PROBLEM_UNICAST, CODE_OPTION, at);
	}
}

/* The options of a hop-by-hop or destination options header (RFC 8200 s4.2) up to `end`. */
static enum ip6_ext_error
options(struct walk *w, uint32_t end)
{
	uint32_t at = w->off + 2, pad1 = 0, others = 0;
	enum ip6_ext_error e = IP6_EXT_OK;

	while (at < end && e == IP6_EXT_OK) {
		if (w->p[at] == OPT_PAD1) {
			at++;
			if (++pad1 > IP6_PAD1_MAX)
				return IP6_EXT_MANY;
			continue;
		}
		pad1 = 0;
		if (end - at < 2 || w->p[at + 1] > end - at - 2)
			return refuse(w, IP6_EXT_OPTION, IP6_PROBLEM_UNICAST, CODE_FIELD, at);
		if (w->p[at] != 1 && ++others > IP6_OPTS_MAX)
			return IP6_EXT_MANY;
		if (w->p[at] != 1)
			e = unknown_option(w, at);
		at += 2u + w->p[at + 1];
	}
	return e;
}

/*
 * RFC 8200 s4.4: a type that is not known is skipped when nothing is left to visit, and refused
 * else. RFC 5095 s3: so is type 0. We know none.
 */
static enum ip6_ext_error
routing(struct walk *w)
{
	if (w->p[w->off + 3] == 0)
		return IP6_EXT_OK;
	return refuse(w, IP6_EXT_ROUTING, IP6_PROBLEM_UNICAST, CODE_FIELD, w->off + 2);
}

/* RFC 8200 s4.5. */
static enum ip6_ext_error
fragment(struct walk *w)
{
	struct ip6_upper *u = w->out;
	uint32_t field = (uint32_t)w->p[w->off + 2] << 8 | w->p[w->off + 3];

	if (u->frag_off != 0)
		return IP6_EXT_ORDER;
	u->frag_off = (uint16_t)w->off;
	u->frag_data = (uint16_t)(field & FRAG_OFF_MASK);
	u->more = (field & FRAG_MORE) != 0;
	u->unfrag_nh = (uint16_t)w->nh_at;
	return IP6_EXT_OK;
}

/* Whether nxt is a header that the walk goes through. */
static bool
is_ext(uint8_t nxt)
{
	return nxt == IP6_NH_HOPOPTS || nxt == IP6_NH_ROUTING || nxt == IP6_NH_FRAGMENT ||
	       nxt == IP6_NH_DSTOPTS;
}

/* The header at w->off, of type nxt; on success w stands at the one behind it. */
static enum ip6_ext_error
step(struct walk *w, uint8_t nxt)
{
	enum ip6_ext_error e;
	uint32_t hlen = 8;

	/* RFC 8200 s4: hop-by-hop options elsewhere are like an unknown header. */
	if (nxt == IP6_NH_HOPOPTS && w->nh_at != NH_AT)
		return refuse(w, IP6_EXT_ORDER, IP6_PROBLEM_UNICAST, CODE_NEXT_HEADER, w->nh_at);
	if (w->len - w->off < hlen)
		return IP6_EXT_SHORT;
	if (nxt != IP6_NH_FRAGMENT)
		hlen += 8u * w->p[w->off + 1];
	if (hlen > w->len - w->off)
		return IP6_EXT_SHORT;
	if (nxt == IP6_NH_FRAGMENT)
		e = fragment(w);
	else if (nxt == IP6_NH_ROUTING)
		e = routing(w);
	else
		e = options(w, w->off + hlen);
	w->nh_at = w->off;
	w->off += hlen;
	return e;
}

enum ip6_ext_error
ip6_ext_walk(const uint8_t *p, uint32_t len, struct ip6_upper *out)
{
	struct walk w = {.p = p, .len = len, .off = IP6_HLEN, .nh_at = NH_AT, .out = out};
	uint32_t n = 0;

	memset(out, 0, sizeof(*out));
	if (len < IP6_HLEN)
		return IP6_EXT_SHORT;
	/* What follows a later fragment's header is the middle of something. */
	while (is_ext(p[w.nh_at]) && out->frag_data == 0) {
		enum ip6_ext_error e;

		if (n++ == IP6_EXT_MAX)
			return IP6_EXT_MANY;
		e = step(&w, p[w.nh_at]);
		if (e != IP6_EXT_OK)
			return e;
	}
	if (w.off > UINT16_MAX)
		return IP6_EXT_MANY;
	out->off = (uint16_t)w.off;
	out->nxt = p[w.nh_at];
	if (out->frag_off == 0)
		out->unfrag_nh = (uint16_t)w.nh_at;
	return IP6_EXT_OK;
}
