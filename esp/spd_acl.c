/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * spd_acl.c - thousands of rules by librte_acl: one look whatever their number.
 *
 * The classifier knows masks for wide fields and ranges for narrow ones, so a range of addresses
 * becomes the prefixes that cover it, each with the priority of its rule.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "esp/spd.h"
#include "stack/base/pkt.h"

enum {
	F_PROTO,
	F_KIND,
	F_REALM,
	F_LPORT,
	F_RPORT,
	F_LOCAL, /* four words */
	F_REMOTE = F_LOCAL + 4,
	NB_FIELDS = F_REMOTE + 4,
	KIND_PORTS = 1, /* OPAQUE asks for what shows no ports */
	KIND_NONE = 2,
	MAX_ENTRIES = 4096, /* of one rule: building them takes time */
	MAX_PREFIXES = 256, /* of one range: at most 2 * 127 */
	BUILD_MAX_BYTES = 256 << 20,
};

/* What is classified, in network order where it has more bytes than one. */
struct acl_key {
	uint8_t proto;
	uint8_t kind;
	uint8_t zero[2];
	rte_be32_t realm;
	rte_be16_t lport, rport;
	struct ip_addr local, remote;
};

RTE_ACL_RULE_DEF(acl_entry, NB_FIELDS);

#define FIELD(t, n, i, member, input)                                                              \
	{                                                                                          \
		.type = RTE_ACL_FIELD_TYPE_##t, .size = n, .field_index = i, .input_index = input, \
		.offset = offsetof(struct acl_key, member),                                        \
	}

static const struct rte_acl_field_def fields[NB_FIELDS] = {
	FIELD(BITMASK, 1, F_PROTO, proto, 0),
	FIELD(BITMASK, 4, F_KIND, kind, 1),
	FIELD(BITMASK, 4, F_REALM, realm, 2),
	FIELD(RANGE, 2, F_LPORT, lport, 3),
	FIELD(RANGE, 2, F_RPORT, rport, 3),
	FIELD(MASK, 4, F_LOCAL, local.w[0], 4),
	FIELD(MASK, 4, F_LOCAL + 1, local.w[1], 5),
	FIELD(MASK, 4, F_LOCAL + 2, local.w[2], 6),
	FIELD(MASK, 4, F_LOCAL + 3, local.w[3], 7),
	FIELD(MASK, 4, F_REMOTE, remote.w[0], 8),
	FIELD(MASK, 4, F_REMOTE + 1, remote.w[1], 9),
	FIELD(MASK, 4, F_REMOTE + 2, remote.w[2], 10),
	FIELD(MASK, 4, F_REMOTE + 3, remote.w[3], 11),
};

struct prefix {
	struct ip_addr net;
	uint8_t plen;
};

static void
add_one(struct ip_addr *a)
{
	for (uint32_t i = 16; i-- > 0 && ++a->b[i] == 0;)
		;
}

/* The biggest prefix that begins at lo and does not pass hi. */
static uint8_t
biggest_at(const struct ip_addr *lo, const struct ip_addr *hi)
{
	struct addr_range r;
	uint8_t plen = 128;

	while (plen > 0) {
		addr_range_of_net(&r, lo, (uint8_t)(plen - 1));
		if (!ip_addr_eq(&r.lo, lo) || ip_addr_cmp(&r.hi, hi) > 0)
			break;
		plen--;
	}
	return plen;
}

static uint32_t
prefixes_of(const struct addr_range *range, struct prefix out[MAX_PREFIXES])
{
	struct ip_addr at = range->lo;
	struct addr_range r;
	uint32_t n = 0;

	while (n < MAX_PREFIXES) {
		out[n] = (struct prefix){at, biggest_at(&at, &range->hi)};
		addr_range_of_net(&r, &at, out[n++].plen);
		if (ip_addr_eq(&r.hi, &range->hi))
			break;
		at = r.hi;
		add_one(&at);
	}
	return n;
}

static void
put_prefix(struct acl_entry *a, uint32_t field, const struct prefix *p)
{
	for (uint32_t i = 0; i < 4; i++) {
		uint32_t bits = p->plen > i * 32 ? p->plen - i * 32 : 0;

		a->field[field + i].value.u32 = rte_be_to_cpu_32(p->net.w[i]);
		a->field[field + i].mask_range.u32 = RTE_MIN(bits, 32u);
	}
}

static void
put_ports(struct acl_entry *a, uint32_t field, const struct port_range *r)
{
	bool opaque = r->lo > r->hi;

	a->field[field].value.u16 = opaque ? 0 : r->lo;
	a->field[field].mask_range.u16 = opaque ? 65535 : r->hi;
	if (opaque) {
		/* Values are numbers, data is in network order: the first byte is the highest. */
		a->field[F_KIND].value.u32 = (uint32_t)KIND_NONE << 24;
		a->field[F_KIND].mask_range.u32 = 0xff000000u;
	}
}

static int
add_rule(struct rte_acl_ctx *ctx, const struct spd_rule *r, uint32_t position)
{
	struct prefix local[MAX_PREFIXES], remote[MAX_PREFIXES];
	uint32_t nl = prefixes_of(&r->sel.local, local), nr = prefixes_of(&r->sel.remote, remote);
	struct acl_entry a;
	int rc = 0;

	memset(&a, 0, sizeof(a));
	a.data.category_mask = 1;
	a.data.priority = (int32_t)(RTE_ACL_MAX_PRIORITY - (int)position);
	a.data.userdata = position + 1;
	a.field[F_PROTO].value.u8 = r->sel.proto;
	a.field[F_PROTO].mask_range.u8 = r->sel.proto == 0 ? 0 : 0xff;
	a.field[F_REALM].value.u32 = r->sel.realm;
	a.field[F_REALM].mask_range.u32 = UINT32_MAX;
	put_ports(&a, F_LPORT, &r->sel.lport);
	put_ports(&a, F_RPORT, &r->sel.rport);
	for (uint32_t i = 0; i < nl * nr && rc == 0; i++) {
		put_prefix(&a, F_LOCAL, &local[i / nr]);
		put_prefix(&a, F_REMOTE, &remote[i % nr]);
		rc = rte_acl_add_rules(ctx, (const struct rte_acl_rule *)&a, 1);
	}
	return rc;
}

/* UINT32_MAX: a rule alone has too many. */
static uint32_t
entries_of(const struct spd *s, uint32_t dir)
{
	struct prefix p[MAX_PREFIXES];
	uint32_t n = 0;

	for (uint32_t i = 0; i < s->nb_rules; i++) {
		const struct spd_rule *r = &s->rule[i];

		uint32_t one = prefixes_of(&r->sel.local, p) * prefixes_of(&r->sel.remote, p);

		if (one > MAX_ENTRIES)
			return UINT32_MAX;
		if ((r->dir & dir) != 0)
			n += one;
	}
	return n;
}

static struct rte_acl_ctx *
ctx_new(uint32_t entries)
{
	char name[RTE_ACL_NAMESIZE];
	struct rte_acl_param prm = {.name = name,
		.socket_id = SOCKET_ID_ANY,
		.rule_size = RTE_ACL_RULE_SZ(NB_FIELDS),
		.max_rule_num = entries};
	static _Atomic uint32_t serial; /* names are for the whole process */

	snprintf(name, sizeof(name), "tl.spd.%u", ++serial);
	return rte_acl_create(&prm);
}

static int
build_one(struct spd *s, bool inbound)
{
	uint32_t dir = inbound ? SPD_IN : SPD_OUT, entries = entries_of(s, dir);
	struct rte_acl_config cfg = {
		.num_categories = 1, .num_fields = NB_FIELDS, .max_size = BUILD_MAX_BYTES};
	int rc = 0;

	if (entries == 0)
		return 0;
	if (entries == UINT32_MAX)
		return -E2BIG;
	s->acl[inbound] = ctx_new(entries);
	if (s->acl[inbound] == NULL)
		return -ENOMEM;
	for (uint32_t i = 0; i < s->nb_rules && rc == 0; i++) {
		if ((s->rule[i].dir & dir) != 0)
			rc = add_rule(s->acl[inbound], &s->rule[i], i);
	}
	memcpy(cfg.defs, fields, sizeof(fields));
	return rc != 0 ? rc : rte_acl_build(s->acl[inbound], &cfg);
}

int
spd_acl_build(struct spd *s, const char **why)
{
	int rc = build_one(s, false);

	if (rc == 0)
		rc = build_one(s, true);
	if (rc == -E2BIG)
		*why = "a rule's address ranges need more than 4096 pairs of prefixes; write "
		       "ranges "
		       "that begin and end at prefixes";
	else
		*why = rc == 0 ? NULL
			       : "not enough memory to classify so many rules; raise [eal] "
				 "memory-mb, or "
				 "write "
				 "address ranges that are prefixes";
	return rc;
}

void
spd_acl_free(struct spd *s)
{
	rte_acl_free(s->acl[0]);
	rte_acl_free(s->acl[1]);
}

uint32_t
spd_acl_find(const struct spd *s, bool inbound, const struct flow_key *k)
{
	struct acl_key key = {.proto = k->proto,
		.kind = proto_has_ports(k->proto) ? KIND_PORTS : KIND_NONE,
		.realm = rte_cpu_to_be_32(k->realm),
		.lport = k->lport,
		.rport = k->rport,
		.local = k->local,
		.remote = k->remote};
	const uint8_t *data = (const uint8_t *)&key;
	uint32_t found = 0;

	if (s->acl[inbound] != NULL)
		rte_acl_classify(s->acl[inbound], &data, &found, 1, 1);
	return found;
}
