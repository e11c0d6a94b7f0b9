/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * sctp_wire.c - the common header, chunks and parameters (RFC 9260 s3).
 *
 * Called for every inbound packet before anything looks at an association, and for every outbound
 * one after it was decided.
 */
#include "sctp/sctp_wire.h"

#include <string.h>

#include "sctp/sctp_crc.h"

enum {
	ADDR4_LEN = 4,
	ADDR6_LEN = 16,
	SUM_AT = 8,
	FAMILY_V4 = SCTP_P_IPV4,
	FAMILY_V6 = SCTP_P_IPV6
};

uint16_t
sctp_get16(const uint8_t *p)
{
	rte_be16_t be;

	memcpy(&be, p, sizeof(be));
	return rte_be_to_cpu_16(be);
}

uint32_t
sctp_get32(const uint8_t *p)
{
	rte_be32_t be;

	memcpy(&be, p, sizeof(be));
	return rte_be_to_cpu_32(be);
}

void
sctp_put16(uint8_t *p, uint16_t v)
{
	rte_be16_t be = rte_cpu_to_be_16(v);

	memcpy(p, &be, sizeof(be));
}

void
sctp_put32(uint8_t *p, uint32_t v)
{
	rte_be32_t be = rte_cpu_to_be_32(v);

	memcpy(p, &be, sizeof(be));
}

static uint32_t
padded(uint32_t len)
{
	return (len + 3u) & ~3u;
}

/* ---- frames ---- */

enum drop_reason
sctp_wire_frame(const uint8_t *p, uint32_t len, struct sctp_hdr *h)
{
	uint32_t at = SCTP_HLEN;

	if (len < SCTP_HLEN + SCTP_CHUNK_HLEN)
		return DROP_SCTP_SHORT;
	memcpy(&h->sport, p, sizeof(h->sport));
	memcpy(&h->dport, p + 2, sizeof(h->dport));
	h->vtag = sctp_get32(p + 4);
	if (h->sport == 0 || h->dport == 0)
		return DROP_SCTP_PORT;
	while (at < len) {
		uint32_t n;

		if (len - at < SCTP_CHUNK_HLEN)
			return DROP_SCTP_CHUNK;
		n = sctp_get16(p + at + 2);
		/* s3.2: the padding of the last chunk may be missing; the chunk may not. */
		if (n < SCTP_CHUNK_HLEN || n > len - at)
			return DROP_SCTP_CHUNK;
		at += padded(n);
	}
	return DROP_NONE;
}

enum drop_reason
sctp_wire_check(const uint8_t *p, uint32_t len, struct sctp_hdr *h)
{
	enum drop_reason why = sctp_wire_frame(p, len, h);
	uint32_t sum;

	if (why == DROP_SCTP_SHORT)
		return why;
	memcpy(&sum, p + SUM_AT, sizeof(sum));
	/* s6.8: before anything in the packet is believed. */
	return rte_le_to_cpu_32(sum) != sctp_crc_packet(p, len) ? DROP_SCTP_CSUM : why;
}

void
sctp_walk_start(struct sctp_walk *w, const uint8_t *p, uint32_t len)
{
	w->p = p + SCTP_HLEN;
	w->end = p + len;
}

bool
sctp_walk_next(struct sctp_walk *w, struct sctp_chunk *c)
{
	uint32_t n;

	if (w->p >= w->end)
		return false;
	n = sctp_get16(w->p + 2);
	c->type = w->p[0];
	c->flags = w->p[1];
	c->len = (uint16_t)(n - SCTP_CHUNK_HLEN);
	c->val = w->p + SCTP_CHUNK_HLEN;
	w->p = padded(n) < (uint32_t)(w->end - w->p) ? w->p + padded(n) : w->end;
	return true;
}

/* ---- parameters ---- */

struct param {
	uint16_t type, len; /* of the value */
	const uint8_t *val;
};

/* The next of a list of parameters or causes. False: the end, or malformed (*bad). */
static bool
param_next(struct sctp_walk *w, struct param *p, bool *bad)
{
	uint32_t left = (uint32_t)(w->end - w->p), n;

	*bad = false;
	if (left == 0)
		return false;
	*bad = true;
	if (left < SCTP_PARAM_HLEN)
		return false;
	n = sctp_get16(w->p + 2);
	if (n < SCTP_PARAM_HLEN || n > left)
		return false;
	p->type = sctp_get16(w->p);
	p->len = (uint16_t)(n - SCTP_PARAM_HLEN);
	p->val = w->p + SCTP_PARAM_HLEN;
	w->p = padded(n) < left ? w->p + padded(n) : w->end;
	*bad = false;
	return true;
}

static void
take_addr(struct sctp_init *out, const struct ip_addr *a)
{
	if (ip_addr_is_any(a) || ip_addr_is_mcast(a))
		return;
	for (uint32_t i = 0; i < out->nb_addrs; i++) {
		if (ip_addr_eq(&out->addr[i], a))
			return;
	}
	if (out->nb_addrs < SCTP_ADDRS_MAX)
		out->addr[out->nb_addrs++] = *a;
}

static bool
take_addr4(struct sctp_init *out, const struct param *p)
{
	struct ip_addr a;
	rte_be32_t v4;

	if (p->len != ADDR4_LEN)
		return false;
	memcpy(&v4, p->val, sizeof(v4));
	a = ip_addr_v4(v4);
	if (v4 != RTE_BE32(UINT32_MAX))
		take_addr(out, &a);
	return true;
}

static bool
take_addr6(struct sctp_init *out, const struct param *p)
{
	struct ip_addr a;

	if (p->len != ADDR6_LEN)
		return false;
	memcpy(a.b, p->val, ADDR6_LEN);
	/* A mapped address names no IPv6 host, and bytes 2 and 3 of a link-local one are a scope
	 * that only we give. */
	if (!ip_addr_is_v4(&a) && !ip_addr_is_link_local(&a))
		take_addr(out, &a);
	return true;
}

static bool
take_families(struct sctp_init *out, const struct param *p)
{
	bool v4 = false, v6 = false;

	if (p->len % 2 != 0)
		return false;
	for (uint32_t i = 0; i < p->len; i += 2) {
		v4 |= sctp_get16(p->val + i) == FAMILY_V4;
		v6 |= sctp_get16(p->val + i) == FAMILY_V6;
	}
	out->no_v4 = !v4;
	out->no_v6 = !v6;
	return true;
}

/* s3.2.1: the two upper bits say what to do. False: the rest of the parameters is not looked at. */
static bool
take_unknown(struct sctp_init *out, const struct param *p)
{
	uint8_t bits = (uint8_t)(p->type >> 8);

	if ((bits & SCTP_UNKNOWN_REPORT) != 0 && out->nb_unknown < SCTP_UNKNOWN_MAX)
		out->unknown[out->nb_unknown++] = (struct sctp_bytes){
			p->val - SCTP_PARAM_HLEN, (uint16_t)(p->len + SCTP_PARAM_HLEN)};
	return (bits & SCTP_UNKNOWN_SKIP) != 0;
}

enum taken { TAKEN, TAKEN_STOP, TAKEN_BAD };

static enum taken
take_param(struct sctp_init *out, const struct param *p)
{
	switch (p->type) {
	case SCTP_P_IPV4:
		return take_addr4(out, p) ? TAKEN : TAKEN_BAD;
	case SCTP_P_IPV6:
		return take_addr6(out, p) ? TAKEN : TAKEN_BAD;
	case SCTP_P_COOKIE:
		out->cookie = (struct sctp_bytes){p->val, p->len};
		return TAKEN;
	case SCTP_P_FAMILIES:
		return take_families(out, p) ? TAKEN : TAKEN_BAD;
	case SCTP_P_HOSTNAME:
		out->hostname = true;
		return TAKEN;
	case SCTP_P_PRESERVATIVE: /* s3.3.2.1: may be ignored */
	case SCTP_P_UNRECOGNIZED:
		return TAKEN;
	default:
		return take_unknown(out, p) ? TAKEN : TAKEN_STOP;
	}
}

bool
sctp_wire_init(const struct sctp_chunk *c, struct sctp_init *out)
{
	struct sctp_walk w;
	struct param p;
	bool bad;

	memset(out, 0, sizeof(*out));
	if (c->len < SCTP_INIT_LEN)
		return false;
	out->vtag = sctp_get32(c->val);
	out->a_rwnd = sctp_get32(c->val + 4);
	out->nb_out = sctp_get16(c->val + 8);
	out->nb_in = sctp_get16(c->val + 10);
	out->tsn = sctp_get32(c->val + 12);
	w = (struct sctp_walk){c->val + SCTP_INIT_LEN, c->val + c->len};
	while (param_next(&w, &p, &bad)) {
		enum taken t = take_param(out, &p);

		if (t != TAKEN)
			return t == TAKEN_STOP;
	}
	return !bad;
}

/* ---- chunks ---- */

bool
sctp_wire_data(const struct sctp_chunk *c, struct sctp_data *out)
{
	const uint32_t fixed = SCTP_DATA_HLEN - SCTP_CHUNK_HLEN;

	if (c->len < fixed)
		return false;
	out->tsn = sctp_get32(c->val);
	out->sid = sctp_get16(c->val + 4);
	out->ssn = sctp_get16(c->val + 6);
	memcpy(&out->ppid, c->val + 8, sizeof(out->ppid));
	out->flags = c->flags;
	out->data = c->val + fixed;
	out->len = (uint16_t)(c->len - fixed);
	return true;
}

bool
sctp_wire_sack(const struct sctp_chunk *c, struct sctp_sack *out)
{
	const uint32_t fixed = SCTP_SACK_HLEN - SCTP_CHUNK_HLEN;

	if (c->len < fixed)
		return false;
	out->cum_tsn = sctp_get32(c->val);
	out->a_rwnd = sctp_get32(c->val + 4);
	out->nb_gaps = sctp_get16(c->val + 8);
	out->nb_dups = sctp_get16(c->val + 10);
	out->gaps = c->val + fixed;
	return c->len >= fixed + 4u * out->nb_gaps + 4u * out->nb_dups;
}

void
sctp_sack_gap(const struct sctp_sack *s, uint32_t i, uint16_t *start, uint16_t *end)
{
	*start = sctp_get16(s->gaps + 4 * i);
	*end = sctp_get16(s->gaps + 4 * i + 2);
}

uint16_t
sctp_wire_cause(const struct sctp_chunk *c)
{
	struct sctp_walk w = {c->val, c->val + c->len};
	struct param p;
	bool bad;

	return param_next(&w, &p, &bad) ? p.type : (uint16_t)SCTP_C_NONE;
}

bool
sctp_wire_find_cause(const struct sctp_chunk *c, uint16_t cause, struct sctp_bytes *info)
{
	struct sctp_walk w = {c->val, c->val + c->len};
	struct param p;
	bool bad;

	while (param_next(&w, &p, &bad)) {
		if (p.type != cause)
			continue;
		*info = (struct sctp_bytes){p.val, p.len};
		return true;
	}
	return false;
}

bool
sctp_wire_heartbeat(const struct sctp_chunk *c, struct sctp_bytes *info)
{
	return sctp_wire_find_cause(c, SCTP_P_HEARTBEAT, info);
}

/* ---- emit ---- */

void
sctp_emit_header(struct sctp_emit *e, rte_be16_t sport, rte_be16_t dport, uint32_t vtag)
{
	memcpy(e->p, &sport, sizeof(sport));
	memcpy(e->p + 2, &dport, sizeof(dport));
	sctp_put32(e->p + 4, vtag);
	e->len = SCTP_HLEN;
}

uint8_t *
sctp_emit_chunk(struct sctp_emit *e, uint8_t type, uint8_t flags, uint32_t value_len)
{
	uint8_t *p = e->p + e->len;

	if (!sctp_emit_fits(e, value_len))
		return NULL;
	p[0] = type;
	p[1] = flags;
	sctp_put16(p + 2, (uint16_t)(value_len + SCTP_CHUNK_HLEN));
	memset(p + SCTP_CHUNK_HLEN + value_len, 0, padded(value_len) - value_len);
	e->len += SCTP_CHUNK_HLEN + padded(value_len);
	return p + SCTP_CHUNK_HLEN;
}

static uint8_t *
put_param(uint8_t *p, uint16_t type, const void *val, uint32_t len)
{
	sctp_put16(p, type);
	sctp_put16(p + 2, (uint16_t)(SCTP_PARAM_HLEN + len));
	memcpy(p + SCTP_PARAM_HLEN, val, len);
	memset(p + SCTP_PARAM_HLEN + len, 0, padded(len) - len);
	return p + SCTP_PARAM_HLEN + padded(len);
}

static uint32_t
params_len(const struct sctp_offer *o)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < o->nb_addrs; i++)
		n += SCTP_PARAM_HLEN +
		     (ip_addr_is_v4(&o->addr[i]) ? (uint32_t)ADDR4_LEN : (uint32_t)ADDR6_LEN);
	if (o->v4 || o->v6)
		n += SCTP_PARAM_HLEN + padded(o->v4 && o->v6 ? 4 : 2);
	if (o->cookie.len > 0)
		n += SCTP_PARAM_HLEN + padded(o->cookie.len);
	for (uint32_t i = 0; o->about != NULL && i < o->about->nb_unknown; i++)
		n += SCTP_PARAM_HLEN + padded(o->about->unknown[i].len);
	return n;
}

static uint8_t *
put_families(uint8_t *p, const struct sctp_offer *o)
{
	uint8_t val[4];
	uint32_t n = 0;

	if (o->v4) {
		sctp_put16(val, FAMILY_V4);
		n = 2;
	}
	if (o->v6) {
		sctp_put16(val + n, FAMILY_V6);
		n += 2;
	}
	return n == 0 ? p : put_param(p, SCTP_P_FAMILIES, val, n);
}

bool
sctp_emit_init(struct sctp_emit *e, uint8_t type, const struct sctp_offer *o)
{
	uint8_t *p = sctp_emit_chunk(e, type, 0, SCTP_INIT_LEN + params_len(o));

	if (p == NULL)
		return false;
	sctp_put32(p, o->vtag);
	sctp_put32(p + 4, o->a_rwnd);
	sctp_put16(p + 8, o->nb_out);
	sctp_put16(p + 10, o->nb_in);
	sctp_put32(p + 12, o->tsn);
	p += SCTP_INIT_LEN;
	for (uint32_t i = 0; i < o->nb_addrs; i++) {
		const struct ip_addr *a = &o->addr[i];

		p = ip_addr_is_v4(a) ? put_param(p, SCTP_P_IPV4, &a->w[3], ADDR4_LEN)
				     : put_param(p, SCTP_P_IPV6, a->b, ADDR6_LEN);
	}
	p = put_families(p, o);
	if (o->cookie.len > 0)
		p = put_param(p, SCTP_P_COOKIE, o->cookie.at, o->cookie.len);
	for (uint32_t i = 0; o->about != NULL && i < o->about->nb_unknown; i++)
		p = put_param(
			p, SCTP_P_UNRECOGNIZED, o->about->unknown[i].at, o->about->unknown[i].len);
	return true;
}

bool
sctp_emit_cause(struct sctp_emit *e, uint8_t type, uint8_t flags, uint16_t cause,
	const struct sctp_bytes *info)
{
	uint32_t n = info == NULL ? 0 : info->len;
	uint8_t *p = sctp_emit_chunk(e, type, flags, SCTP_PARAM_HLEN + n);

	if (p == NULL)
		return false;
	sctp_put16(p, cause);
	sctp_put16(p + 2, (uint16_t)(SCTP_PARAM_HLEN + n));
	if (n > 0)
		memcpy(p + SCTP_PARAM_HLEN, info->at, n);
	return true;
}

void
sctp_emit_finish(struct sctp_emit *e)
{
	uint32_t sum = rte_cpu_to_le_32(sctp_crc_packet(e->p, e->len));

	memcpy(e->p + SUM_AT, &sum, sizeof(sum));
}
