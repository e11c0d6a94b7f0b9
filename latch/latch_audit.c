/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * latch_audit.c - the audit trail of latches (Z-4; RFC 4301 s9): one line for an act or a packet,
 * a few in each second of a kind, so that a flood of one kind hides no other (F-86).
 */
#include <stdio.h>
#include <string.h>

#include "latch/latch_ctx.h"
#include "stack/base/log.h"

LOG_MODULE(latch, NOTICE);

enum { LINES_PER_S = 5, TEXT = 96 };

static const char *const what[AUDIT_KINDS] = {
	[AUDIT_CLEAR] = "clear packet",
	[AUDIT_QOP] = "packet under other protection of the peer",
	[AUDIT_PEER] = "packet of another identity",
	[AUDIT_UNKNOWN] = "packet of an unknown identity",
	[AUDIT_SA] = "new SA of another peer or protection",
	[AUDIT_BREAK] = "latch broken",
	[AUDIT_ADMIN] = "latch ended by the administrator",
	[AUDIT_OVERRIDE] = "policy overridden by the program",
};

static bool
may_say(struct lcore *lc, enum audit_kind kind)
{
	struct audit_bucket *b = &lc->latch->audit[kind];

	if (lc->now_ns - b->since_ns >= UINT64_C(1000000000)) {
		if (b->silent > 0)
			LOG(NOTICE, "audit: %s: %u more like this were not logged", what[kind],
				b->silent);
		*b = (struct audit_bucket){.since_ns = lc->now_ns};
	}
	if (b->said < LINES_PER_S) {
		b->said++;
		return true;
	}
	b->silent++;
	return false;
}

/* An identity for people: names as they are, the rest as its handle. Nothing that a peer chose
 * reaches the log without a look at its characters. */
static const char *
ident_text(const struct lcore *lc, uint32_t handle, char out[TEXT])
{
	const struct tl_ident *id = latch_ident_get(lc->latch->tables, handle);

	snprintf(out, TEXT, "#%u", handle);
	if (id == NULL || (id->type != TL_ID_FQDN && id->type != TL_ID_RFC822_ADDR))
		return out;
	for (uint16_t i = 0; i < id->len; i++) {
		if (id->data[i] <= ' ' || id->data[i] >= 0x7f || i >= TEXT - 1)
			return out;
	}
	snprintf(out, TEXT, "%.*s", id->len, (const char *)id->data);
	return out;
}

static const char *
peer_text(const struct lcore *lc, uint32_t profile, char out[TEXT])
{
	const struct latch_profile *p = latch_profile_get(lc->latch->tables, profile);

	if (p != NULL)
		return ident_text(lc, p->peer_id, out);
	snprintf(out, TEXT, "none");
	return out;
}

void
latch_audit(struct lcore *lc, const struct latch *l, enum audit_kind kind, uint32_t profile,
	uint32_t index)
{
	const struct latch_profile *p = latch_profile_get(lc->latch->tables, profile);
	const struct flow_key *k = latch_key(lc, l);
	char local[IP_ADDR_STRLEN], remote[IP_ADDR_STRLEN], has[TEXT], came[TEXT];

	if (k == NULL || !may_say(lc, kind))
		return;
	LOG(NOTICE,
		"audit: %s: %s:%u - %s:%u protocol %u, latched peer %s, seen %s (SA %d, PAD entry "
		"%s), %s (%s)",
		what[kind], ip_addr_str(&k->local, local), rte_be_to_cpu_16(k->lport),
		ip_addr_str(&k->remote, remote), rte_be_to_cpu_16(k->rport), k->proto,
		peer_text(lc, l->profile_in, has), peer_text(lc, profile, came),
		index == UINT32_MAX ? -1 : (int)index,
		pad_entry_name(lc, p == NULL ? 0 : p->peer_id), tl_latch_state_name(l->state),
		tl_latch_reason_name(l->reason));
}
