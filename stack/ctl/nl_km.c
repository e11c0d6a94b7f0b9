/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * nl_km.c - what a key manager says beside its SAs, and asks before it makes them (E.5).
 *
 * It registers and stays connected: while it does, a connection without an SA waits for one (C-3).
 * When it ends, nothing breaks (M-1): what it said is kept here, named by hashes of the content.
 */
#include <errno.h>

#include "stack/base/log.h"
#include "stack/ctl/nl_xfrm.h"

LOG_MODULE(km, NOTICE);

enum { INVERSE_MAX = 16 };

/* ---- it comes and goes ---- */

int
nl_km_register(struct nl_req *q)
{
	static const struct nl_rule rules[] = {
		{TL_CTL_A_EPOCH, 8, 8, "TL_CTL_A_EPOCH", false},
		{TL_CTL_A_STATE_LOST, 0, 0, "TL_CTL_A_STATE_LOST", false},
	};
	static const struct latch_filter all;
	_Alignas(8) uint8_t buf[CTL_MSG_MAX] = {0};
	const struct nlattr *at[RTE_DIM(rules)];
	uint64_t epoch, closed = 0;
	struct nlmsghdr *h;
	int rc = nl_parse(q, NULL, 0, rules, RTE_DIM(rules), at);

	if (rc != 0)
		return rc;
	epoch = at[0] == NULL ? 0 : mnl_attr_get_u64(at[0]);
	if (epoch == 0)
		return nl_refuse(q, -EINVAL, "expected TL_CTL_A_EPOCH, not 0");
	/* M-2: what it cannot vouch for any more ends. */
	if (at[1] != NULL)
		closed = control_latch_close(q->k->s, &all, TL_LATCH_KM_STATE_LOST);
	control_km_present(q->k->s, true);
	h = nl_begin(buf, TL_CTL_MSG_KMREGISTER, q->h->nlmsg_seq, q->h->nlmsg_pid, NULL, 0);
	mnl_attr_put_u64(h, TL_CTL_A_EPOCH, q->k->km_epoch);
	mnl_attr_put_u64(h, TL_CTL_A_VALUE, closed);
	LOG(NOTICE, "key manager registered, epoch 0x%llx after 0x%llx%s",
		(unsigned long long)epoch, (unsigned long long)q->k->km_epoch,
		at[1] != NULL ? ", its state is lost" : "");
	q->k->km = q->c;
	q->k->km_epoch = epoch;
	return nl_answer(q, h);
}

void
nl_km_gone(struct ctl_client *c)
{
	if (c->k->km != c)
		return;
	c->k->km = NULL;
	control_km_present(c->k->s, false);
	LOG(NOTICE, "key manager disconnected");
}

/* ---- identities and evidence ---- */

enum { I_ID, I_CLASS, I_SPKI, I_CERT, I_TA, I_MAX };

static int
refuse_evidence(struct nl_req *q, int rc)
{
	switch (rc) {
	case -EINVAL:
		return nl_refuse(q, rc,
			"expected DER of at most %u bytes, with TL_CTL_A_AUTH_CLASS 1 to %u, and "
			"TL_CTL_A_SPKI for a raw key",
			LATCH_DER_MAX, TL_AUTH_NULL);
	case -ENOSPC:
		return nl_refuse(q, rc, "there is no more room for evidence");
	default:
		return rc;
	}
}

/* P-20, P-22, F-45 */
int
nl_km_ident(struct nl_req *q)
{
	static const struct nl_rule rules[I_MAX] = {
		[I_ID] = {TL_CTL_A_PEER_ID, 0, 300, "TL_CTL_A_PEER_ID", false},
		[I_CLASS] = {TL_CTL_A_AUTH_CLASS, 1, 1, "TL_CTL_A_AUTH_CLASS", false},
		[I_SPKI] = {TL_CTL_A_SPKI, 1, LATCH_DER_MAX, "TL_CTL_A_SPKI", false},
		[I_CERT] = {TL_CTL_A_CERT, 1, LATCH_DER_MAX, "TL_CTL_A_CERT", false},
		[I_TA] = {TL_CTL_A_TA, 1, LATCH_DER_MAX, "TL_CTL_A_TA", false},
	};
	_Alignas(8) uint8_t buf[CTL_MSG_MAX] = {0};
	struct latch_evidence ev = {0};
	const struct nlattr *at[I_MAX];
	uint8_t hash[LATCH_HASH_BYTES];
	uint32_t ident = 0, handle;
	struct tl_ident id;
	struct nlmsghdr *h;
	int rc = nl_parse(q, NULL, 0, rules, I_MAX, at);

	if (rc == 0)
		rc = nl_get_ident(q, at[I_ID], "TL_CTL_A_PEER_ID", &id);
	if (rc == 0)
		rc = nl_intern(q, &id, "TL_CTL_A_PEER_ID", &ident);
	if (rc != 0)
		return rc;
	if (ident == 0)
		return nl_refuse(q, -EINVAL, "expected TL_CTL_A_PEER_ID");
	ev.auth_class = at[I_CLASS] == NULL ? 0 : mnl_attr_get_u8(at[I_CLASS]);
	for (int i = I_SPKI; i < I_MAX; i++) {
		if (at[i] != NULL)
			ev.part[i - I_SPKI] = (struct latch_der){
				mnl_attr_get_payload(at[i]), mnl_attr_get_payload_len(at[i])};
	}
	rc = latch_evidence_intern(q->k->s->conf.tables, ident, &ev, &handle, hash);
	if (rc != 0)
		return refuse_evidence(q, rc);
	h = nl_begin(buf, TL_CTL_MSG_NEWIDENT, q->h->nlmsg_seq, q->h->nlmsg_pid, NULL, 0);
	mnl_attr_put_u32(h, TL_CTL_A_HANDLE, ident);
	mnl_attr_put(h, TL_CTL_A_HASH, sizeof(hash), hash);
	return nl_answer(q, h);
}

int
nl_get_evidence(struct nl_req *q, const struct nlattr *a, const char *name, uint32_t ident,
	uint32_t *handle, uint8_t *auth_class)
{
	uint8_t hash[LATCH_HASH_BYTES];
	uint32_t whose;

	*handle = 0;
	if (a == NULL)
		return 0;
	nl_get(a, hash, sizeof(hash));
	*handle = latch_evidence_find(q->k->s->conf.tables, hash, &whose, auth_class);
	if (*handle == 0)
		return nl_refuse(q, -ENOENT,
			"%s: nobody said what is behind this hash; TL_CTL_MSG_NEWIDENT does", name);
	if (whose != ident)
		return nl_refuse(q, -EINVAL, "%s: it is the evidence of another identity", name);
	return 0;
}

void
nl_put_evidence(struct nlmsghdr *h, uint16_t type, const struct tl_stack *s, uint32_t handle)
{
	struct latch_evidence ev;
	uint8_t hash[LATCH_HASH_BYTES];

	if (latch_evidence_get(s->conf.tables, handle, &ev, hash))
		mnl_attr_put(h, type, sizeof(hash), hash);
}

void
nl_put_profile(struct nlmsghdr *h, const struct tl_stack *s, uint32_t profile)
{
	const struct latch_profile *p = latch_profile_get(s->conf.tables, profile);

	if (p == NULL)
		return;
	mnl_attr_put_u32(h, TL_CTL_A_PROFILE, profile);
	mnl_attr_put_u8(h, TL_CTL_A_MODE, p->mode);
	mnl_attr_put_u16(h, TL_CTL_A_ENCR, p->encr);
	mnl_attr_put_u16(h, TL_CTL_A_ENCR_BITS, p->encr_bits);
	mnl_attr_put_u16(h, TL_CTL_A_INTEG, p->integ);
	nl_put_ident(h, TL_CTL_A_LOCAL_ID, s, p->local_id);
	nl_put_ident(h, TL_CTL_A_PEER_ID, s, p->peer_id);
	if (p->auth_class != TL_AUTH_UNKNOWN)
		mnl_attr_put_u8(h, TL_CTL_A_AUTH_CLASS, (uint8_t)p->auth_class);
	nl_put_evidence(h, TL_CTL_A_LOCAL_EV, s, p->local_ev);
	nl_put_evidence(h, TL_CTL_A_PEER_EV, s, p->peer_ev);
}

/* ---- peers ---- */

/* M-5 to M-9, D-10 */
int
nl_km_peer(struct nl_req *q)
{
	static const struct nl_rule rules[] = {
		{TL_CTL_A_PEER_ID, 0, 300, "TL_CTL_A_PEER_ID", false},
		{TL_CTL_A_PEER_EVENT, 1, 1, "TL_CTL_A_PEER_EVENT", false},
	};
	static const enum latch_peer_event events[] = {
		[TL_CTL_PEER_DEAD] = LATCH_PEER_DEAD,
		[TL_CTL_PEER_REBOOT] = LATCH_PEER_REBOOT,
		[TL_CTL_PEER_RESTART] = LATCH_PEER_IKE_RESTART,
	};
	const struct nlattr *at[RTE_DIM(rules)];
	uint32_t peer_id = 0;
	uint8_t event;
	int rc = nl_parse(q, NULL, 0, rules, RTE_DIM(rules), at);

	if (rc == 0)
		rc = nl_find_ident(q, at[0], "TL_CTL_A_PEER_ID", &peer_id);
	if (rc != 0)
		return rc;
	event = at[1] == NULL ? 0 : mnl_attr_get_u8(at[1]);
	if (peer_id == 0 || event < TL_CTL_PEER_DEAD || event > TL_CTL_PEER_RESTART)
		return nl_refuse(q, -EINVAL,
			"expected TL_CTL_A_PEER_ID, and TL_CTL_A_PEER_EVENT from 1 to 3");
	return nl_answer_value(q, control_peer_event(q->k->s, peer_id, events[event]));
}

static int
read_tuple(struct nl_req *q, const struct nlattr *a, struct flow_key *k)
{
	struct tl_ctl_tuple x;

	nl_get(a, &x, sizeof(x));
	if (x.proto > 255)
		return nl_refuse(q, -EINVAL, "TL_CTL_A_TUPLE: a protocol of %u", x.proto);
	*k = (struct flow_key){.lport = rte_cpu_to_be_16(x.lport),
		.rport = rte_cpu_to_be_16(x.rport),
		.realm = x.realm,
		.proto = (uint8_t)x.proto};
	memcpy(k->local.b, x.local, 16);
	memcpy(k->remote.b, x.remote, 16);
	return 0;
}

/* C-4, e17 */
int
nl_km_refused(struct nl_req *q)
{
	static const struct nl_rule rules[] = {
		{TL_CTL_A_TUPLE, sizeof(struct tl_ctl_tuple), sizeof(struct tl_ctl_tuple),
			"TL_CTL_A_TUPLE", false},
	};
	const struct nlattr *at[1];
	struct flow_key k;
	int rc = nl_parse(q, NULL, 0, rules, 1, at);

	if (rc == 0 && at[0] == NULL)
		rc = nl_refuse(q, -EINVAL, "expected TL_CTL_A_TUPLE");
	if (rc == 0)
		rc = read_tuple(q, at[0], &k);
	return rc != 0 ? rc : nl_answer_value(q, control_refused(q->k->s, &k));
}

/* ---- inverse acquire ---- */

/* The latched parameters that selectors cover, each once. */
struct inverse {
	const struct esp_sel *sel;
	const struct latch_tables *tables;
	uint32_t peer_id;
	bool more; /* than there is room for */
	uint32_t n, profile[INVERSE_MAX], latches[INVERSE_MAX];
	uint8_t rule[INVERSE_MAX];
};

static void
add_latched(struct lcore *lc, struct latch *l, const struct flow_key *k, void *arg)
{
	struct inverse *v = arg;
	const struct latch_profile *p = latch_profile_get(v->tables, l->profile_out);
	uint8_t rule;
	uint32_t i;

	if (p == NULL || (l->state != TL_LATCH_ESTABLISHED && l->state != TL_LATCH_BROKEN) ||
		!esp_sel_match(v->sel, k) || (v->peer_id != 0 && p->peer_id != v->peer_id))
		return;
	for (i = 0; i < v->n && v->profile[i] != l->profile_out; i++)
		;
	v->more |= i == INVERSE_MAX;
	if (i == INVERSE_MAX)
		return;
	if (i == v->n)
		v->profile[v->n++] = l->profile_out;
	rule = latch_cert_rule(lc, k);
	if (rule > v->rule[i])
		v->rule[i] = rule;
	v->latches[i]++;
}

static void
inverse_here(struct lcore *lc, void *arg)
{
	latch_foreach(lc, add_latched, arg);
}

static int
answer_latched(struct nl_req *q, const struct inverse *v)
{
	int rc = 0;

	for (uint32_t i = 0; i < v->n && rc == 0; i++) {
		_Alignas(8) uint8_t buf[CTL_MSG_MAX] = {0};
		struct nlmsghdr *h = nl_begin(
			buf, TL_CTL_MSG_INVACQUIRE, q->h->nlmsg_seq, q->h->nlmsg_pid, NULL, 0);

		nl_put_profile(h, q->k->s, v->profile[i]);
		mnl_attr_put_u8(h, TL_CTL_A_CERT_RULE, v->rule[i]);
		mnl_attr_put_u64(h, TL_CTL_A_VALUE, v->latches[i]);
		rc = nl_answer(q, h);
	}
	return rc;
}

static int
answer_policy(struct nl_req *q, const struct esp_sel *sel)
{
	_Alignas(8) uint8_t buf[CTL_MSG_MAX] = {0};
	const struct control *c = &q->k->s->control;
	const struct spd_rule *r = NULL;
	struct nlmsghdr *h;

	for (uint32_t i = 0; i < c->nb_rules && r == NULL; i++) {
		if (c->rule[i].action == SPD_PROTECT && esp_sel_overlap(&c->rule[i].sel, sel))
			r = &c->rule[i];
	}
	if (r == NULL)
		return nl_refuse(q, -ENOENT, "no latch and no policy asks for protection of this");
	h = nl_begin(buf, TL_CTL_MSG_INVACQUIRE, q->h->nlmsg_seq, q->h->nlmsg_pid, NULL, 0);
	nl_put_asked(h, q->k->s, r, &(struct esp_want){0});
	return nl_answer(q, h);
}

int
nl_km_inverse(struct nl_req *q)
{
	static const struct nl_rule rules[] = {
		{TL_CTL_A_SEL, sizeof(struct tl_ctl_sel), sizeof(struct tl_ctl_sel), "TL_CTL_A_SEL",
			false},
		{XFRMA_IF_ID, 4, 4, "XFRMA_IF_ID", false},
		{TL_CTL_A_PEER_ID, 0, 300, "TL_CTL_A_PEER_ID", false},
	};
	const struct nlattr *at[RTE_DIM(rules)];
	struct inverse v = {.tables = q->k->s->conf.tables};
	struct esp_sel sel;
	int rc = nl_parse(q, NULL, 0, rules, RTE_DIM(rules), at);

	if (rc == 0 && at[0] == NULL)
		rc = nl_refuse(q, -EINVAL, "expected TL_CTL_A_SEL");
	if (rc == 0)
		rc = nl_sel_read_own(q, at[0], &sel);
	if (rc == 0)
		rc = nl_find_ident(q, at[2], "TL_CTL_A_PEER_ID", &v.peer_id);
	if (rc != 0)
		return rc;
	sel.realm = at[1] == NULL ? 0 : mnl_attr_get_u32(at[1]);
	v.sel = &sel;
	for (uint32_t w = 0; w < q->k->s->conf.workers; w++)
		ctl_call(q->k->s, w, inverse_here, &v);
	/* Half of the truth would make an SA that conflicts with the other half. */
	if (v.more)
		return nl_refuse(q, -E2BIG,
			"more than %u different sets of parameters are latched; narrow the "
			"selectors",
			INVERSE_MAX);
	return v.n > 0 ? answer_latched(q, &v) : answer_policy(q, &sel);
}
