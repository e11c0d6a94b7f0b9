/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * nl_latch.c - latches: who has which protection, and what became of it.
 *
 * A latch is part of its control block, which its worker makes and ends by itself. So all latches
 * are copied between two turns of each worker; events are the difference of two such copies.
 */
#include <errno.h>
#include <stdlib.h>

#include "stack/ctl/nl_xfrm.h"
#include "tcp/tcp.h"

enum { WATCH_NS = 100000000, CTL_LATCHES_MIN = 64 };

struct row {
	struct tl_ctl_tuple tuple; /* first: the order */
	uint64_t handle;
	uint32_t worker;
	uint8_t state, reason;
	uint16_t flags;  /* TL_LATCH_F_* */
	uint32_t events; /* that its program wants */
	uint32_t profile;
	uint64_t drop_clear, drop_qop, drop_peer, drop_unknown;
};

struct ctl_latches {
	uint32_t n;
	struct row row[];
};

struct gather {
	struct ctl_latches *to; /* NULL: out of memory */
	uint32_t cap;
	uint32_t worker;
	struct lcore *lc;
	uint8_t state; /* TL_CTL_A_STATE; UINT8_MAX: all */
	uint32_t peer_id;
	const struct esp_sel *sel; /* NULL: all */
	bool policy;               /* it is asked about each, which costs a look-up */
	const struct latch_tables *tables;
};

static bool
grow(struct gather *g)
{
	uint32_t cap = g->cap == 0 ? CTL_LATCHES_MIN : g->cap * 2;
	struct ctl_latches *to = realloc(g->to, sizeof(*to) + cap * sizeof(to->row[0]));

	if (to == NULL) {
		free(g->to);
		g->to = NULL;
		return false;
	}
	if (g->cap == 0)
		to->n = 0;
	g->to = to;
	g->cap = cap;
	return true;
}

static bool
is_wanted(const struct gather *g, const struct latch *l)
{
	const struct latch_profile *p;

	if (g->state != UINT8_MAX && l->state != g->state)
		return false;
	if (g->sel != NULL && (l->state == TL_LATCH_LISTENER || l->profile_in == 0))
		return false;
	if (g->peer_id == 0)
		return true;
	p = latch_profile_get(g->tables, l->profile_in);
	return p != NULL && p->peer_id == g->peer_id;
}

static void
take(struct gather *g, struct lcore *lc, const struct latch *l, const struct flow_key *k)
{
	struct row *r;

	if (g->to == NULL || !is_wanted(g, l) || (g->sel != NULL && !esp_sel_match(g->sel, k)))
		return;
	if (g->to->n == g->cap && !grow(g))
		return;
	r = &g->to->row[g->to->n++];
	memset(r, 0, sizeof(*r));
	memcpy(r->tuple.local, k->local.b, 16);
	memcpy(r->tuple.remote, k->remote.b, 16);
	r->tuple.lport = rte_be_to_cpu_16(k->lport);
	r->tuple.rport = rte_be_to_cpu_16(k->rport);
	r->tuple.realm = k->realm;
	r->tuple.proto = k->proto;
	r->worker = g->worker;
	r->handle = latch_handle(lc, l);
	r->flags = latch_flags(l);
	if (g->policy && latch_is_preserved(lc, l, k))
		r->flags |= TL_LATCH_F_SPD_PRESERVED;
	r->events = latch_events_wanted(l);
	r->state = l->state;
	r->reason = l->reason;
	r->profile = l->profile_in;
	r->drop_clear = l->drop_clear;
	r->drop_qop = l->drop_qop;
	r->drop_peer = l->drop_peer;
	r->drop_unknown = l->drop_unknown;
}

static void
take_tcp(const struct tcp_row *i, void *arg)
{
	struct gather *g = arg;

	if (i->latch != NULL)
		take(g, g->lc, i->latch, &i->key);
}

/* TCP's are shown without a latch too. */
static void
take_other(struct lcore *lc, struct latch *l, const struct flow_key *k, void *arg)
{
	if (k->proto != IPPROTO_N_TCP)
		take(arg, lc, l, k);
}

static void
take_here(struct lcore *lc, void *arg)
{
	struct gather *g = arg;

	g->worker = lc->id;
	g->lc = lc;
	tcp_foreach(lc, take_tcp, g);
	latch_foreach(lc, take_other, g);
}

static struct ctl_latches *
latches_copy(struct tl_stack *s, struct gather g)
{
	g.tables = s->conf.tables;
	grow(&g);
	for (uint32_t w = 0; w < s->conf.workers; w++)
		ctl_call(s, w, take_here, &g);
	return g.to;
}

static struct nlmsghdr *
latch_message(const struct ctl *k, void *buf, const struct row *r)
{
	struct nlmsghdr *h = nl_begin(buf, TL_CTL_MSG_LATCH, 0, 0, NULL, 0);

	mnl_attr_put(h, TL_CTL_A_TUPLE, sizeof(r->tuple), &r->tuple);
	mnl_attr_put_u32(h, TL_CTL_A_WORKER, r->worker);
	if (r->handle != 0)
		mnl_attr_put_u64(h, TL_CTL_A_LATCH, r->handle);
	mnl_attr_put_strz(h, TL_CTL_A_STATE, tl_latch_state_name(r->state));
	mnl_attr_put_strz(h, TL_CTL_A_REASON, tl_latch_reason_name(r->reason));
	mnl_attr_put_u32(h, TL_CTL_A_FLAGS, r->flags);
	mnl_attr_put_u32(h, TL_CTL_A_EVENTS, r->events);
	mnl_attr_put_u64(h, TL_CTL_A_DROP_CLEAR, r->drop_clear);
	mnl_attr_put_u64(h, TL_CTL_A_DROP_QOP, r->drop_qop);
	mnl_attr_put_u64(h, TL_CTL_A_DROP_PEER, r->drop_peer);
	mnl_attr_put_u64(h, TL_CTL_A_DROP_UNKNOWN, r->drop_unknown);
	nl_put_profile(h, k->s, r->profile);
	return h;
}

/* ---- list ---- */

static bool
latch_row(struct ctl *k, struct ctl_dump *d, void *buf)
{
	const struct ctl_latches *l = d->snapshot;

	if (d->at >= l->n)
		return false;
	latch_message(k, buf, &l->row[d->at++]);
	return true;
}

static int
read_state(struct nl_req *q, const struct nlattr *a, uint8_t *out)
{
	char text[32];
	int rc;

	*out = UINT8_MAX;
	if (a == NULL)
		return 0;
	rc = nl_get_text(q, a, "TL_CTL_A_STATE", text, sizeof(text));
	for (uint8_t i = TL_LATCH_NONE; rc == 0 && i <= TL_LATCH_CLOSED; i++) {
		if (strcmp(tl_latch_state_name(i), text) == 0) {
			*out = i;
			return 0;
		}
	}
	return rc != 0 ? rc
		       : nl_refuse(q, -EINVAL,
				 "TL_CTL_A_STATE: expected NONE, WANTED, LISTENER, ESTABLISHED, "
				 "BROKEN or CLOSED");
}

int
nl_own_latches(struct nl_req *q)
{
	static const struct nl_rule rules[] = {
		{TL_CTL_A_STATE, 1, 32, "TL_CTL_A_STATE", false},
		{TL_CTL_A_PEER_ID, 0, 300, "TL_CTL_A_PEER_ID", false},
	};
	const struct nlattr *at[RTE_DIM(rules)];
	struct ctl_latches *l;
	uint32_t peer_id = 0;
	uint8_t state;
	int rc = nl_parse(q, NULL, 0, rules, RTE_DIM(rules), at);

	if (rc == 0 && !nl_is_dump(q))
		rc = nl_refuse(q, -EINVAL, "TL_CTL_MSG_GETLATCH: expected a dump");
	if (rc == 0)
		rc = read_state(q, at[0], &state);
	if (rc == 0)
		rc = nl_find_ident(q, at[1], "TL_CTL_A_PEER_ID", &peer_id);
	if (rc != 0)
		return rc;
	l = latches_copy(
		q->k->s, (struct gather){.state = state, .peer_id = peer_id, .policy = true});
	return l == NULL ? -ENOMEM : nl_dump(q, latch_row, l, l->n);
}

/* K-4: what an SA with these selectors would concern, so that its maker can narrow them. */
int
nl_own_query_latches(struct nl_req *q)
{
	static const struct nl_rule rules[] = {
		{TL_CTL_A_SEL, sizeof(struct tl_ctl_sel), sizeof(struct tl_ctl_sel), "TL_CTL_A_SEL",
			false},
		{XFRMA_IF_ID, 4, 4, "XFRMA_IF_ID", false},
	};
	const struct nlattr *at[RTE_DIM(rules)];
	struct ctl_latches *l;
	struct esp_sel sel;
	int rc = nl_parse(q, NULL, 0, rules, RTE_DIM(rules), at);

	if (rc == 0 && !nl_is_dump(q))
		rc = nl_refuse(q, -EINVAL, "TL_CTL_MSG_QUERYLATCH: expected a dump");
	if (rc == 0 && at[0] == NULL)
		rc = nl_refuse(q, -EINVAL, "expected TL_CTL_A_SEL");
	if (rc == 0)
		rc = nl_sel_read_own(q, at[0], &sel);
	if (rc != 0)
		return rc;
	sel.realm = at[1] == NULL ? 0 : mnl_attr_get_u32(at[1]);
	l = latches_copy(q->k->s, (struct gather){.state = UINT8_MAX, .sel = &sel, .policy = true});
	return l == NULL ? -ENOMEM : nl_dump(q, latch_row, l, l->n);
}

/* ---- the administrator's act ---- */

static int
read_filter(struct nl_req *q, struct latch_filter *f)
{
	static const struct nl_rule rules[] = {
		{TL_CTL_A_LATCH, 8, 8, "TL_CTL_A_LATCH", false},
		{TL_CTL_A_PEER_ID, 0, 300, "TL_CTL_A_PEER_ID", false},
		{TL_CTL_A_ALL, 0, 0, "TL_CTL_A_ALL", false},
		{TL_CTL_A_OVERRIDES, 0, 0, "TL_CTL_A_OVERRIDES", false},
	};
	const struct nlattr *at[RTE_DIM(rules)];
	int rc = nl_parse(q, NULL, 0, rules, RTE_DIM(rules), at);

	if (rc != 0)
		return rc;
	if ((at[0] != NULL) + (at[1] != NULL) + (at[2] != NULL) + (at[3] != NULL) != 1)
		return nl_refuse(q, -EINVAL,
			"expected one of TL_CTL_A_LATCH, TL_CTL_A_PEER_ID, TL_CTL_A_ALL and "
			"TL_CTL_A_OVERRIDES");
	f->overrides = at[3] != NULL;
	if (at[0] != NULL)
		f->handle = mnl_attr_get_u64(at[0]);
	if (at[0] != NULL && f->handle == 0)
		return nl_refuse(q, -EINVAL, "TL_CTL_A_LATCH: 0 names no latch");
	return nl_find_ident(q, at[1], "TL_CTL_A_PEER_ID", &f->peer_id);
}

/* The answer of what concerned n latches. */
static int
answer_acted(struct nl_req *q, const struct latch_filter *f, uint32_t n)
{
	if (n == 0 && f->handle != 0)
		return nl_refuse(q, -ENOENT, "latch 0x%llx: it is not established, or gone",
			(unsigned long long)f->handle);
	return nl_answer_value(q, n);
}

int
nl_own_break_latches(struct nl_req *q)
{
	struct latch_filter f = {0};
	int rc = read_filter(q, &f);

	return rc != 0 ? rc : answer_acted(q, &f, control_latch_break(q->k->s, &f));
}

/* Z-1, B-12 */
int
nl_own_close_latches(struct nl_req *q)
{
	struct latch_filter f = {0};
	int rc = read_filter(q, &f);

	return rc != 0 ? rc : answer_acted(q, &f, control_latch_close(q->k->s, &f, TL_LATCH_ADMIN));
}

/* ---- events ---- */

static int
by_tuple(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct tl_ctl_tuple));
}

static void
tell(struct ctl *k, const struct row *r)
{
	_Alignas(8) uint8_t buf[CTL_MSG_MAX] = {0};

	nl_event(k, TL_CTL_GROUP_LATCH, latch_message(k, buf, r));
}

/* Its control block is gone: it was closed, and forgotten since. */
static void
tell_gone(struct ctl *k, const struct row *was)
{
	struct row r = *was;

	if (r.state == TL_LATCH_CLOSED)
		return;
	r.state = TL_LATCH_CLOSED;
	r.reason = TL_LATCH_RELEASED;
	tell(k, &r);
}

static void
tell_difference(struct ctl *k, const struct ctl_latches *was, const struct ctl_latches *now)
{
	uint32_t i = 0, j = 0;

	while (i < was->n || j < now->n) {
		int order = i == was->n   ? 1
			    : j == now->n ? -1
					  : by_tuple(&was->row[i], &now->row[j]);

		if (order < 0) {
			tell_gone(k, &was->row[i++]);
			continue;
		}
		if (order > 0 || was->row[i].state != now->row[j].state ||
			was->row[i].reason != now->row[j].reason ||
			was->row[i].profile != now->row[j].profile)
			tell(k, &now->row[j]);
		i += order == 0;
		j++;
	}
}

void
nl_latches_watch(struct ctl *k)
{
	struct ctl_latches *now;

	if (!nl_wanted(k, TL_CTL_GROUP_LATCH)) {
		free(k->latches);
		k->latches = NULL;
		return;
	}
	if (k->latches != NULL && k->now_ns - k->latches_at_ns < WATCH_NS)
		return;
	now = latches_copy(k->s, (struct gather){.state = UINT8_MAX});
	if (now == NULL)
		return;
	qsort(now->row, now->n, sizeof(now->row[0]), by_tuple);
	if (k->latches != NULL)
		tell_difference(k, k->latches, now);
	free(k->latches);
	k->latches = now;
	k->latches_at_ns = k->now_ns;
}
