/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * nl_xfrm_policy.c - the SPD messages of linux/xfrm.h.
 *
 * In Linux a rule has one direction, and its index has the direction in its lowest three bits; the
 * rest is the id of our rule. A rule of ours may cover both directions: it is shown twice.
 */
#include <errno.h>
#include <sys/socket.h>

#include "stack/ctl/nl_xfrm.h"

enum { DIR_BITS = 3 };

enum {
	P_TMPL,
	P_TYPE,
	P_IF_ID,
	P_NAME,
	P_LOCAL_ID,
	P_PEER_ID,
	P_SEL,
	P_SEC_CTX,
	P_MARK,
	P_OFFLOAD,
	P_MAX,
};

/* clang-format off */
static const struct nl_rule policy_rules[P_MAX] = {
	[P_TMPL] = {XFRMA_TMPL, 0, 6 * sizeof(struct xfrm_user_tmpl), "XFRMA_TMPL", false},
	[P_TYPE] = {XFRMA_POLICY_TYPE, sizeof(struct xfrm_userpolicy_type), sizeof(struct xfrm_userpolicy_type), "XFRMA_POLICY_TYPE", false},
	[P_IF_ID] = {XFRMA_IF_ID, 4, 4, "XFRMA_IF_ID", false},
	[P_NAME] = {TL_CTL_A_NAME, 1, 32, "TL_CTL_A_NAME", false},
	[P_LOCAL_ID] = {TL_CTL_A_LOCAL_ID, 0, 300, "TL_CTL_A_LOCAL_ID", false},
	[P_PEER_ID] = {TL_CTL_A_PEER_ID, 0, 300, "TL_CTL_A_PEER_ID", false},
	[P_SEL] = {TL_CTL_A_SEL, sizeof(struct tl_ctl_sel), sizeof(struct tl_ctl_sel), "TL_CTL_A_SEL", false},
	[P_SEC_CTX] = {XFRMA_SEC_CTX, NL_ANY_LEN, "XFRMA_SEC_CTX", true},
	[P_MARK] = {XFRMA_MARK, NL_ANY_LEN, "XFRMA_MARK", true},
	[P_OFFLOAD] = {XFRMA_OFFLOAD_DEV, NL_ANY_LEN, "XFRMA_OFFLOAD_DEV", true},
};
/* clang-format on */

/* ---- reading ---- */

static int
read_dir(struct nl_req *q, uint8_t dir, uint8_t *out)
{
	if (dir == XFRM_POLICY_FWD)
		return nl_refuse(q, -EOPNOTSUPP,
			"direction fwd: this host forwards nothing; expected in, out");
	if (dir != XFRM_POLICY_IN && dir != XFRM_POLICY_OUT)
		return nl_refuse(q, -EINVAL, "direction %u: expected in (0) or out (1)", dir);
	*out = dir == XFRM_POLICY_IN ? SPD_IN : SPD_OUT;
	return 0;
}

/* Policies here do not expire. */
static int
read_no_life(struct nl_req *q, const struct xfrm_lifetime_cfg *l)
{
	const uint64_t v[] = {l->soft_byte_limit, l->hard_byte_limit, l->soft_packet_limit,
		l->hard_packet_limit, l->soft_add_expires_seconds, l->hard_add_expires_seconds,
		l->soft_use_expires_seconds, l->hard_use_expires_seconds};

	for (size_t i = 0; i < RTE_DIM(v); i++) {
		if (v[i] != 0 && v[i] != XFRM_INF)
			return nl_refuse(q, -EOPNOTSUPP, "lifetime: a policy does not expire here");
	}
	return 0;
}

/* The ends of a tunnel; all zero allows every peer. */
static int
read_tunnel(struct nl_req *q, const struct xfrm_user_tmpl *t, struct spd_rule *r)
{
	static const xfrm_address_t none;
	struct ip_addr src = {{{0}}}, dst = {{{0}}};
	int rc = 0;

	if (memcmp(&t->saddr, &none, sizeof(none)) != 0)
		rc = nl_addr_read(q, "XFRMA_TMPL source", t->family, &t->saddr, &src);
	if (rc == 0 && memcmp(&t->id.daddr, &none, sizeof(none)) != 0)
		rc = nl_addr_read(q, "XFRMA_TMPL destination", t->family, &t->id.daddr, &dst);
	if (rc != 0)
		return rc;
	r->tun_local = r->dir == SPD_IN ? dst : src;
	r->tun_remote = r->dir == SPD_IN ? src : dst;
	return 0;
}

static int
read_tmpl(struct nl_req *q, const struct nlattr *a, struct spd_rule *r)
{
	struct xfrm_user_tmpl t;
	size_t len = mnl_attr_get_payload_len(a);

	if (len % sizeof(t) != 0)
		return nl_refuse(
			q, -EINVAL, "XFRMA_TMPL: expected multiples of %zu bytes", sizeof(t));
	if (len != sizeof(t))
		return nl_refuse(q, -EOPNOTSUPP,
			"XFRMA_TMPL: %zu SAs, one inside the other; only "
			"one is supported",
			len / sizeof(t));
	nl_get(a, &t, sizeof(t));
	if (t.id.proto != IPPROTO_N_ESP)
		return nl_refuse(
			q, -EOPNOTSUPP, "XFRMA_TMPL: protocol %u, expected ESP (50)", t.id.proto);
	if (t.id.spi != 0)
		return nl_refuse(q, -EOPNOTSUPP,
			"XFRMA_TMPL: an SPI; a policy names its SAs by "
			"reqid here");
	if (t.optional != 0)
		return nl_refuse(q, -EOPNOTSUPP,
			"XFRMA_TMPL: optional protection is none; expected a rule that bypasses");
	if (t.mode != XFRM_MODE_TRANSPORT && t.mode != XFRM_MODE_TUNNEL)
		return nl_refuse(q, t.mode >= XFRM_MODE_MAX ? -EINVAL : -EOPNOTSUPP,
			"XFRMA_TMPL: mode %u, expected transport (0) or tunnel (1)", t.mode);
	r->mode = t.mode == XFRM_MODE_TUNNEL ? ESP_MODE_TUNNEL : ESP_MODE_TRANSPORT;
	r->reqid = t.reqid;
	return r->mode == ESP_MODE_TUNNEL ? read_tunnel(q, &t, r) : 0;
}

static int
read_action(struct nl_req *q, uint8_t action, const struct nlattr *tmpl, struct spd_rule *r)
{
	if (action > XFRM_POLICY_BLOCK)
		return nl_refuse(q, -EINVAL, "action %u: expected allow (0) or block (1)", action);
	r->action = SPD_DISCARD;
	if (action == XFRM_POLICY_BLOCK)
		return 0;
	r->action = SPD_BYPASS;
	if (tmpl == NULL || mnl_attr_get_payload_len(tmpl) == 0)
		return 0;
	r->action = SPD_PROTECT;
	return read_tmpl(q, tmpl, r);
}

static int
read_type(struct nl_req *q, const struct nlattr *a)
{
	struct xfrm_userpolicy_type t = {.type = XFRM_POLICY_TYPE_MAIN};

	if (a != NULL)
		nl_get(a, &t, sizeof(t));
	if (t.type != XFRM_POLICY_TYPE_MAIN)
		return nl_refuse(
			q, -EOPNOTSUPP, "XFRMA_POLICY_TYPE: %u, expected main (0)", t.type);
	return 0;
}

static int
read_fixed(struct nl_req *q, const struct xfrm_userpolicy_info *x, const struct nlattr **at,
	struct spd_rule *r)
{
	int rc = read_dir(q, x->dir, &r->dir);

	r->priority = x->priority;
	if (rc == 0 && x->flags != 0)
		rc = nl_refuse(q, -EOPNOTSUPP, "policy flags 0x%x: not supported", x->flags);
	if (rc == 0)
		rc = read_no_life(q, &x->lft);
	if (rc == 0)
		rc = read_type(q, at[P_TYPE]);
	if (rc == 0 && at[P_SEL] != NULL)
		rc = nl_sel_read_own(q, at[P_SEL], &r->sel);
	else if (rc == 0)
		rc = nl_sel_read(q, &x->sel, r->dir == SPD_IN, &r->sel);
	r->sel.realm = at[P_IF_ID] == NULL ? 0 : mnl_attr_get_u32(at[P_IF_ID]);
	return rc == 0 ? read_action(q, x->action, at[P_TMPL], r) : rc;
}

static int
read_rule(struct nl_req *q, const struct xfrm_userpolicy_info *x, const struct nlattr **at,
	struct spd_rule *r)
{
	struct tl_ident local, peer;
	int rc = read_fixed(q, x, at, r);

	if (rc == 0 && at[P_NAME] != NULL)
		rc = nl_get_name(q, at[P_NAME], r->name, sizeof(r->name));
	if (rc == 0)
		rc = nl_get_ident(q, at[P_LOCAL_ID], "TL_CTL_A_LOCAL_ID", &local);
	if (rc == 0)
		rc = nl_get_ident(q, at[P_PEER_ID], "TL_CTL_A_PEER_ID", &peer);
	if (rc == 0 && r->action != SPD_PROTECT && (local.len != 0 || peer.len != 0))
		rc = nl_refuse(q, -EINVAL, "identities: only a rule that protects asks for them");
	if (rc == 0 && (local.type == TL_ID_NULL || peer.type == TL_ID_NULL))
		rc = nl_refuse(q, -EINVAL, "identities: ID_NULL is nobody's name (E-21)");
	if (rc == 0)
		rc = nl_intern(q, &local, "TL_CTL_A_LOCAL_ID", &r->local_id);
	if (rc == 0)
		rc = nl_intern(q, &peer, "TL_CTL_A_PEER_ID", &r->peer_id);
	return rc;
}

/* ---- new, update ---- */

static bool
same_sel(const struct esp_sel *a, const struct esp_sel *b)
{
	return ip_addr_eq(&a->local.lo, &b->local.lo) && ip_addr_eq(&a->local.hi, &b->local.hi) &&
	       ip_addr_eq(&a->remote.lo, &b->remote.lo) &&
	       ip_addr_eq(&a->remote.hi, &b->remote.hi) && a->lport.lo == b->lport.lo &&
	       a->lport.hi == b->lport.hi && a->rport.lo == b->rport.lo &&
	       a->rport.hi == b->rport.hi && a->realm == b->realm && a->proto == b->proto;
}

/* As in Linux, a rule is known by its direction and its selector. */
static const struct spd_rule *
find_same(const struct tl_stack *s, uint8_t dir, const struct esp_sel *sel)
{
	const struct control *c = &s->control;

	for (uint32_t i = 0; i < c->nb_rules; i++) {
		if ((c->rule[i].dir & dir) != 0 && same_sel(&c->rule[i].sel, sel))
			return &c->rule[i];
	}
	return NULL;
}

static int
refuse_both(struct nl_req *q, const struct spd_rule *r)
{
	return nl_refuse(q, -EOPNOTSUPP,
		"policy %s covers both directions: change it by its name (TL_CTL_MSG_REMPOLICY)",
		r->name);
}

/* The workers get the old one or the new one, nothing between. */
static int
replace(struct nl_req *q, const struct spd_rule *old, const struct spd_rule *r)
{
	struct tl_stack *s = q->k->s;
	struct spd_rule was = *old;
	bool held = s->control.hold;
	int rc, rc2 = 0;

	if (was.dir == SPD_BOTH)
		return refuse_both(q, old);
	if (!held)
		control_policy_hold(s);
	control_policy_del(s, was.id);
	rc = control_policy_add(s, r, &q->e);
	if (rc < 0)
		control_policy_add(s, &was, &(struct tl_error){""});
	if (!held)
		rc2 = control_policy_release(s, &q->e);
	return rc < 0 ? rc : rc2;
}

static int
policy_enter(struct nl_req *q, bool update)
{
	const struct nlattr *at[P_MAX];
	const struct spd_rule *old;
	struct xfrm_userpolicy_info x;
	struct spd_rule r = {.id = 0};
	int rc = nl_parse(q, &x, sizeof(x), policy_rules, P_MAX, at);

	if (rc == 0 && !update && x.index != 0)
		rc = nl_refuse(q, -EINVAL, "index %u: expected 0, it is chosen here", x.index);
	if (rc == 0)
		rc = read_rule(q, &x, at, &r);
	if (rc != 0)
		return rc;
	old = find_same(q->k->s, r.dir, &r.sel);
	if (old != NULL && !update)
		return nl_refuse(
			q, -EEXIST, "policy %s has the same direction and selector", old->name);
	rc = old != NULL ? replace(q, old, &r) : control_policy_add(q->k->s, &r, &q->e);
	return RTE_MIN(rc, 0);
}

int
nl_policy_new(struct nl_req *q)
{
	return policy_enter(q, false);
}

int
nl_policy_update(struct nl_req *q)
{
	return policy_enter(q, true);
}

/* ---- writing ---- */

static void
put_tmpl(struct nlmsghdr *h, const struct spd_rule *r, uint32_t dir)
{
	struct xfrm_user_tmpl t = {.id = {.proto = IPPROTO_N_ESP},
		.family = AF_INET,
		.reqid = r->reqid,
		.mode = r->mode == ESP_MODE_TUNNEL ? XFRM_MODE_TUNNEL : XFRM_MODE_TRANSPORT,
		.aalgos = UINT32_MAX,
		.ealgos = UINT32_MAX,
		.calgos = UINT32_MAX};
	const struct ip_addr *src = dir == SPD_IN ? &r->tun_remote : &r->tun_local;
	const struct ip_addr *dst = dir == SPD_IN ? &r->tun_local : &r->tun_remote;

	if (!ip_addr_is_any(src))
		nl_addr_write(src, &t.saddr);
	if (!ip_addr_is_any(dst))
		nl_addr_write(dst, &t.id.daddr);
	if (!ip_addr_is_any(dst))
		t.family = nl_addr_family(dst);
	else if (!ip_addr_is_any(&r->sel.local.lo))
		t.family = nl_addr_family(&r->sel.local.lo);
	mnl_attr_put(h, XFRMA_TMPL, sizeof(t), &t);
}

static void
put_own(struct nlmsghdr *h, const struct tl_stack *s, const struct spd_rule *r)
{
	mnl_attr_put_strz(h, TL_CTL_A_NAME, r->name);
	mnl_attr_put_u8(h, TL_CTL_A_DIR, r->dir);
	mnl_attr_put_u64(h, TL_CTL_A_HITS, r->hits);
	nl_sel_put_own(h, &r->sel);
	if (r->action != SPD_PROTECT)
		return;
	mnl_attr_put_u8(h, TL_CTL_A_MODE, r->mode);
	mnl_attr_put_u16(h, TL_CTL_A_ENCR, r->encr);
	mnl_attr_put_u16(h, TL_CTL_A_ENCR_BITS, r->encr_bits);
	mnl_attr_put_u16(h, TL_CTL_A_INTEG, r->integ);
	nl_put_ident(h, TL_CTL_A_LOCAL_ID, s, r->local_id);
	nl_put_ident(h, TL_CTL_A_PEER_ID, s, r->peer_id);
}

static void
write_policy(const struct spd_rule *r, uint32_t dir, struct xfrm_userpolicy_info *x)
{
	struct xfrm_lifetime_cfg *l = &x->lft;

	memset(x, 0, sizeof(*x));
	nl_sel_write(&r->sel, dir == SPD_IN, &x->sel);
	l->soft_byte_limit = l->hard_byte_limit = XFRM_INF;
	l->soft_packet_limit = l->hard_packet_limit = XFRM_INF;
	x->priority = r->priority;
	x->dir = dir == SPD_IN ? XFRM_POLICY_IN : XFRM_POLICY_OUT;
	x->index = r->id << DIR_BITS | x->dir;
	x->action = r->action == SPD_DISCARD ? XFRM_POLICY_BLOCK : XFRM_POLICY_ALLOW;
}

struct nlmsghdr *
nl_policy_message(struct ctl *k, void *buf, uint16_t type, const struct spd_rule *r, uint32_t dir)
{
	struct xfrm_userpolicy_info x;
	struct xfrm_userpolicy_id id;
	struct nlmsghdr *h;

	write_policy(r, dir, &x);
	if (type == XFRM_MSG_DELPOLICY) {
		id = (struct xfrm_userpolicy_id){.sel = x.sel, .index = x.index, .dir = x.dir};
		h = nl_begin(buf, type, 0, 0, &id, sizeof(id));
		mnl_attr_put(h, XFRMA_POLICY, sizeof(x), &x);
	} else {
		h = nl_begin(buf, type, 0, 0, &x, sizeof(x));
	}
	if (r->action == SPD_PROTECT)
		put_tmpl(h, r, dir);
	if (r->sel.realm != 0)
		mnl_attr_put_u32(h, XFRMA_IF_ID, r->sel.realm);
	put_own(h, k->s, r);
	return h;
}

/* ---- get, delete, flush ---- */

enum { D_IF_ID, D_TYPE, D_SEL, D_MARK, D_SEC_CTX, D_MAX };

static const struct nl_rule id_rules[D_MAX] = {
	[D_IF_ID] = {XFRMA_IF_ID, 4, 4, "XFRMA_IF_ID", false},
	[D_TYPE] = {XFRMA_POLICY_TYPE, sizeof(struct xfrm_userpolicy_type),
		sizeof(struct xfrm_userpolicy_type), "XFRMA_POLICY_TYPE", false},
	[D_SEL] = {TL_CTL_A_SEL, sizeof(struct tl_ctl_sel), sizeof(struct tl_ctl_sel),
		"TL_CTL_A_SEL", false},
	[D_MARK] = {XFRMA_MARK, NL_ANY_LEN, "XFRMA_MARK", true},
	[D_SEC_CTX] = {XFRMA_SEC_CTX, NL_ANY_LEN, "XFRMA_SEC_CTX", true},
};

/* By its index, or without one by direction and selector. */
static int
find(struct nl_req *q, const struct spd_rule **out, uint8_t *dir)
{
	const struct nlattr *at[D_MAX];
	struct xfrm_userpolicy_id x;
	struct esp_sel sel;
	int rc = nl_parse(q, &x, sizeof(x), id_rules, D_MAX, at);

	if (rc == 0)
		rc = read_dir(q, x.dir, dir);
	if (rc == 0)
		rc = read_type(q, at[D_TYPE]);
	if (rc == 0 && x.index != 0) {
		*out = control_policy_by_id(q->k->s, x.index >> DIR_BITS);
		if (*out != NULL && ((*out)->dir & *dir) != 0)
			return 0;
		return nl_refuse(q, -ENOENT, "index %u: no such policy in this direction", x.index);
	}
	if (rc == 0 && at[D_SEL] != NULL)
		rc = nl_sel_read_own(q, at[D_SEL], &sel);
	else if (rc == 0)
		rc = nl_sel_read(q, &x.sel, *dir == SPD_IN, &sel);
	if (rc != 0)
		return rc;
	sel.realm = at[D_IF_ID] == NULL ? 0 : mnl_attr_get_u32(at[D_IF_ID]);
	*out = find_same(q->k->s, *dir, &sel);
	return *out != NULL ? 0 : nl_refuse(q, -ENOENT, "no policy has this selector");
}

int
nl_policy_del(struct nl_req *q)
{
	const struct spd_rule *r;
	uint8_t dir = 0;
	int rc = find(q, &r, &dir);

	if (rc != 0)
		return rc;
	if (r->dir == SPD_BOTH)
		return refuse_both(q, r);
	return control_policy_del(q->k->s, r->id);
}

/* Row 2i is rule i inbound, row 2i + 1 outbound. */
static bool
policy_row(struct ctl *k, struct ctl_dump *d, void *buf)
{
	const struct control *c = &k->s->control;
	uint32_t i = (uint32_t)(d->at / 2), dir = d->at % 2 == 0 ? SPD_IN : SPD_OUT;
	struct spd_rule r;

	if (i >= c->nb_rules)
		return false;
	d->at++;
	if ((c->rule[i].dir & dir) != 0 && control_policy_info(k->s, c->rule[i].id, &r) == 0)
		nl_policy_message(k, buf, XFRM_MSG_NEWPOLICY, &r, dir);
	return true;
}

int
nl_policy_get(struct nl_req *q)
{
	_Alignas(8) uint8_t buf[CTL_MSG_MAX] = {0};
	const struct spd_rule *found;
	struct spd_rule r;
	struct nlmsghdr *h;
	uint8_t dir = 0;
	int rc;

	if (nl_is_dump(q) && q->len > sizeof(struct xfrm_userpolicy_id))
		return nl_refuse(q, -EOPNOTSUPP, "XFRM_MSG_GETPOLICY: a dump has no filters here");
	if (nl_is_dump(q))
		return nl_dump(q, policy_row, NULL, 0);
	rc = find(q, &found, &dir);
	if (rc == 0)
		rc = control_policy_info(q->k->s, found->id, &r);
	if (rc != 0)
		return rc;
	h = nl_policy_message(q->k, buf, XFRM_MSG_NEWPOLICY, &r, dir);
	h->nlmsg_seq = q->h->nlmsg_seq;
	h->nlmsg_pid = q->h->nlmsg_pid;
	return nl_answer(q, h);
}

int
nl_policy_flush(struct nl_req *q)
{
	static const struct nl_rule rules[] = {
		{XFRMA_POLICY_TYPE, sizeof(struct xfrm_userpolicy_type),
			sizeof(struct xfrm_userpolicy_type), "XFRMA_POLICY_TYPE", false},
	};
	struct control *c = &q->k->s->control;
	const struct nlattr *at[1];
	bool held = c->hold;
	int rc = nl_parse(q, NULL, 0, rules, 1, at);

	if (rc == 0)
		rc = read_type(q, at[0]);
	if (rc != 0)
		return rc;
	if (!held)
		control_policy_hold(q->k->s);
	while (c->nb_rules > 0 && rc == 0)
		rc = control_policy_del(q->k->s, c->rule[c->nb_rules - 1].id);
	if (!held)
		rc = control_policy_release(q->k->s, &q->e);
	return rc;
}

int
nl_policy_count(struct nl_req *q)
{
	_Alignas(8) uint8_t buf[CTL_MSG_MAX] = {0};
	const struct control *c = &q->k->s->control;
	struct xfrmu_spdinfo info = {.incnt = 0};
	struct nlmsghdr *h;
	uint32_t flags;
	int rc = nl_parse(q, &flags, sizeof(flags), NULL, 0, NULL);

	if (rc != 0)
		return rc;
	for (uint32_t i = 0; i < c->nb_rules; i++) {
		info.incnt += (c->rule[i].dir & SPD_IN) != 0;
		info.outcnt += (c->rule[i].dir & SPD_OUT) != 0;
	}
	h = nl_begin(
		buf, XFRM_MSG_NEWSPDINFO, q->h->nlmsg_seq, q->h->nlmsg_pid, &flags, sizeof(flags));
	mnl_attr_put(h, XFRMA_SPD_INFO, sizeof(info), &info);
	return nl_answer(q, h);
}
