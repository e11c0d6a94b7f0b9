/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * nl_own.c - messages that Linux has not: objects by name, identities, counters, information.
 */
#include <errno.h>
#include <stdlib.h>
#include <openssl/crypto.h>

#include "stack/ctl/nl_xfrm.h"

enum { SETTINGS_MAX = 8192 };

/* ---- objects by the words of their sections ---- */

enum { N_NAME, N_SETTINGS, N_CAUSE, N_MAX };

static const struct nl_rule name_rules[N_MAX] = {
	[N_NAME] = {TL_CTL_A_NAME, 1, CONF_NAME, "TL_CTL_A_NAME", false},
	[N_SETTINGS] = {TL_CTL_A_SETTINGS, 0, SETTINGS_MAX, "TL_CTL_A_SETTINGS", false},
	[N_CAUSE] = {TL_CTL_A_CAUSE, 1, 1, "TL_CTL_A_CAUSE", false},
};

static int
read_name(struct nl_req *q, const struct nlattr **at, char name[CONF_NAME])
{
	int rc = nl_parse(q, NULL, 0, name_rules, N_MAX, at);

	if (rc != 0)
		return rc;
	if (at[N_NAME] == NULL)
		return nl_refuse(q, -EINVAL, "expected TL_CTL_A_NAME");
	return nl_get_name(q, at[N_NAME], name, CONF_NAME);
}

typedef int add_words_fn(
	struct tl_stack *s, const char *name, const char *settings, struct tl_error *e);

static int
add_words(struct nl_req *q, add_words_fn *fn)
{
	const struct nlattr *at[N_MAX];
	char name[CONF_NAME], settings[SETTINGS_MAX + 1];
	int rc = read_name(q, at, name);

	if (rc == 0 && at[N_SETTINGS] == NULL)
		rc = nl_refuse(q, -EINVAL, "expected TL_CTL_A_SETTINGS");
	if (rc == 0)
		rc = nl_get_text(
			q, at[N_SETTINGS], "TL_CTL_A_SETTINGS", settings, sizeof(settings));
	if (rc == 0)
		rc = fn(q->k->s, name, settings, &q->e);
	OPENSSL_cleanse(settings, sizeof(settings));
	return RTE_MIN(rc, 0);
}

int
nl_own_add_sa(struct nl_req *q)
{
	return add_words(q, control_sa_add_words);
}

int
nl_own_add_policy(struct nl_req *q)
{
	return add_words(q, control_policy_add_words);
}

int
nl_own_add_peer(struct nl_req *q)
{
	return add_words(q, control_peer_add_words);
}

int
nl_own_del_peer(struct nl_req *q)
{
	const struct nlattr *at[N_MAX];
	char name[CONF_NAME];
	int rc = read_name(q, at, name);

	return rc != 0 ? rc : control_peer_del(q->k->s, name, &q->e);
}

int
nl_own_del_sa(struct nl_req *q)
{
	static const enum esp_del_cause causes[] = {ESP_DEL_REKEY, ESP_DEL_ADMIN, ESP_DEL_REVOKED};
	const struct nlattr *at[N_MAX];
	char name[CONF_NAME];
	uint8_t cause;
	int slot, rc = read_name(q, at, name);

	if (rc != 0)
		return rc;
	cause = at[N_CAUSE] == NULL ? TL_CTL_CAUSE_ADMIN : mnl_attr_get_u8(at[N_CAUSE]);
	if (cause >= RTE_DIM(causes))
		return nl_refuse(q, -EINVAL, "TL_CTL_A_CAUSE: %u, expected 0 to 2", cause);
	slot = control_sa_by_name(q->k->s, name);
	if (slot < 0)
		return nl_refuse(q, -ENOENT, "[sa %s]: no such SA", name);
	return control_sa_del(q->k->s, (uint32_t)slot, causes[cause]);
}

int
nl_own_del_policy(struct nl_req *q)
{
	const struct nlattr *at[N_MAX];
	const struct spd_rule *r;
	char name[CONF_NAME];
	int rc = read_name(q, at, name);

	if (rc != 0)
		return rc;
	r = control_policy_by_name(q->k->s, name);
	if (r == NULL)
		return nl_refuse(q, -ENOENT, "[policy %s]: no such policy", name);
	return control_policy_del(q->k->s, r->id);
}

/* ---- the PAD ---- */

static void
put_nets(struct nlmsghdr *h, const struct latch_pad_entry *p)
{
	char text[LATCH_PAD_NETS * 2 * (IP_ADDR_STRLEN + 1) + 8] = "any";
	char lo[IP_ADDR_STRLEN], hi[IP_ADDR_STRLEN];
	size_t n = 0;

	for (uint32_t i = 0; i < p->nb_nets; i++) {
		struct addr_range r = {p->net[i].lo, p->net[i].hi};
		int plen = addr_range_plen(&r);

		ip_addr_str(&r.lo, lo);
		n += (size_t)snprintf(text + n, sizeof(text) - n, "%s%s", i == 0 ? "" : ",", lo);
		if (plen < 0)
			n += (size_t)snprintf(
				text + n, sizeof(text) - n, "-%s", ip_addr_str(&r.hi, hi));
		else
			n += (size_t)snprintf(text + n, sizeof(text) - n, "/%d",
				ip_addr_is_v4(&r.lo) ? plen - 96 : plen);
	}
	mnl_attr_put_strz(h, TL_CTL_A_TEXT, text);
}

static bool
peer_row(struct ctl *k, struct ctl_dump *d, void *buf)
{
	const struct latch_pad_entry *p;
	struct nlmsghdr *h;

	if (d->at >= k->s->control.nb_peers)
		return false;
	p = &k->s->control.peer[d->at++];
	h = nl_begin(buf, TL_CTL_MSG_PEER, 0, 0, NULL, 0);
	mnl_attr_put_strz(h, TL_CTL_A_NAME, p->name);
	nl_put_ident(h, TL_CTL_A_PEER_ID, k->s, p->ident);
	mnl_attr_put_u32(h, TL_CTL_A_CLASSES, p->classes);
	put_nets(h, p);
	return true;
}

int
nl_own_peers(struct nl_req *q)
{
	int rc = nl_parse(q, NULL, 0, NULL, 0, NULL);

	if (rc == 0 && !nl_is_dump(q))
		rc = nl_refuse(q, -EINVAL, "TL_CTL_MSG_GETPEER: expected a dump");
	return rc != 0 ? rc : nl_dump(q, peer_row, NULL, 0);
}

/* ---- identities ---- */

static struct nlmsghdr *
ident_message(struct ctl *k, void *buf, uint32_t handle)
{
	struct nlmsghdr *h = nl_begin(buf, TL_CTL_MSG_ID, 0, 0, NULL, 0);

	nl_put_ident(h, TL_CTL_A_PEER_ID, k->s, handle);
	mnl_attr_put_u32(h, TL_CTL_A_HANDLE, handle);
	return h;
}

static bool
ident_is(const struct ctl *k, uint32_t handle)
{
	const struct tl_ident *id = latch_ident_get(k->s->conf.tables, handle);

	return id != NULL && id->type != TL_ID_NONE;
}

static bool
ident_row(struct ctl *k, struct ctl_dump *d, void *buf)
{
	uint32_t handle = (uint32_t)++d->at;

	if (!ident_is(k, handle))
		return false;
	ident_message(k, buf, handle);
	return true;
}

int
nl_own_ids(struct nl_req *q)
{
	static const struct nl_rule rules[] = {
		{TL_CTL_A_HANDLE, 4, 4, "TL_CTL_A_HANDLE", false},
	};
	_Alignas(8) uint8_t buf[CTL_MSG_MAX] = {0};
	const struct nlattr *at[1];
	struct nlmsghdr *h;
	int rc = nl_parse(q, NULL, 0, rules, 1, at);

	if (rc != 0)
		return rc;
	if (nl_is_dump(q))
		return nl_dump(q, ident_row, NULL, 0);
	if (at[0] == NULL)
		return nl_refuse(q, -EINVAL, "expected TL_CTL_A_HANDLE, or a dump");
	if (!ident_is(q->k, mnl_attr_get_u32(at[0])))
		return nl_refuse(
			q, -ENOENT, "identity %u: no such handle", mnl_attr_get_u32(at[0]));
	h = ident_message(q->k, buf, mnl_attr_get_u32(at[0]));
	h->nlmsg_seq = q->h->nlmsg_seq;
	h->nlmsg_pid = q->h->nlmsg_pid;
	return nl_answer(q, h);
}

/* ---- counters ---- */

static void
copy_stats(struct lcore *lc, void *arg)
{
	struct stat_block *to = arg;

	to[lc->id] = lc->stat;
}

static void
put_stat(void *buf, uint32_t worker, const char *kind, const char *name, uint64_t value,
	const char *text)
{
	struct nlmsghdr *h = nl_begin(buf, TL_CTL_MSG_STAT, 0, 0, NULL, 0);

	mnl_attr_put_u32(h, TL_CTL_A_WORKER, worker);
	mnl_attr_put_strz(h, TL_CTL_A_KIND, kind);
	mnl_attr_put_strz(h, TL_CTL_A_NAME, name);
	mnl_attr_put_u64(h, TL_CTL_A_VALUE, value);
	mnl_attr_put_strz(h, TL_CTL_A_TEXT, text);
}

/* Row worker * (ST_MAX + DROP_MAX) + i. */
static bool
stat_row(struct ctl *k, struct ctl_dump *d, void *buf)
{
	const struct stat_block *all = d->snapshot;
	uint32_t worker = (uint32_t)(d->at / (ST_MAX + DROP_MAX));
	uint32_t i = (uint32_t)(d->at % (ST_MAX + DROP_MAX));
	uint32_t drop = i - ST_MAX;

	if (worker >= k->s->conf.workers)
		return false;
	d->at++;
	if (i < ST_MAX && (d->all || all[worker].st[i] != 0))
		put_stat(buf, worker, "count", stat_name((enum stat_id)i), all[worker].st[i], "");
	else if (i > ST_MAX && (d->all || all[worker].drop[drop] != 0))
		put_stat(buf, worker, "drop", drop_reason_name((enum drop_reason)drop),
			all[worker].drop[drop], drop_reason_text((enum drop_reason)drop));
	return true;
}

int
nl_own_stats(struct nl_req *q)
{
	static const struct nl_rule rules[] = {{TL_CTL_A_ALL, 0, 0, "TL_CTL_A_ALL", false}};
	struct tl_stack *s = q->k->s;
	const struct nlattr *at[1];
	struct stat_block *all;
	int rc = nl_parse(q, NULL, 0, rules, 1, at);

	if (rc == 0 && !nl_is_dump(q))
		rc = nl_refuse(q, -EINVAL, "TL_CTL_MSG_GETSTAT: expected a dump");
	if (rc != 0)
		return rc;
	all = calloc(s->conf.workers, sizeof(*all));
	if (all == NULL)
		return -ENOMEM;
	for (uint32_t w = 0; w < s->conf.workers; w++)
		ctl_call(s, w, copy_stats, all);
	rc = nl_dump(q, stat_row, all, s->conf.workers);
	if (rc == 0)
		q->c->dump.all = at[0] != NULL;
	return rc;
}

/* ---- what this stack is ---- */

int
nl_own_info(struct nl_req *q)
{
	_Alignas(8) uint8_t buf[CTL_MSG_MAX] = {0};
	const struct control *c = &q->k->s->control;
	struct nlmsghdr *h;
	uint32_t n = 0;
	int rc = nl_parse(q, NULL, 0, NULL, 0, NULL);

	if (rc != 0)
		return rc;
	for (uint32_t i = 0; i < c->nb_slots; i++)
		n += c->sa[i].name[0] != '\0';
	h = nl_begin(buf, TL_CTL_MSG_INFO, q->h->nlmsg_seq, q->h->nlmsg_pid, NULL, 0);
	mnl_attr_put_strz(h, TL_CTL_A_VERSION, tl_version());
	mnl_attr_put_u32(h, TL_CTL_A_WORKERS, q->k->s->conf.workers);
	mnl_attr_put_u32(h, TL_CTL_A_SAS, n);
	mnl_attr_put_u32(h, TL_CTL_A_MAX_SAS, c->nb_slots);
	mnl_attr_put_u32(h, TL_CTL_A_RULES, c->nb_rules);
	if (q->k->km != NULL)
		mnl_attr_put_u64(h, TL_CTL_A_EPOCH, q->k->km_epoch);
	mnl_attr_put_u64(h, TL_CTL_A_LOST,
		q->k->overruns + atomic_load_explicit(&c->events_lost, memory_order_relaxed));
	return nl_answer(q, h);
}

/* The rows that must not be used are not shown. */
static bool
suite_row(struct ctl *k, struct ctl_dump *d, void *buf)
{
	static const char *const kinds[] = {"aead", "cipher", "integrity"};
	const struct nl_alg *a = nl_alg_row(d->at++);
	struct nlmsghdr *h;

	(void)k;
	if (a == NULL)
		return false;
	if (a->kind == NL_ALG_AUTH ? a->id == 1 : a->id < ESP_ENCR_NULL)
		return true;
	h = nl_begin(buf, TL_CTL_MSG_SUITE, 0, 0, NULL, 0);
	mnl_attr_put_strz(h, TL_CTL_A_KIND, kinds[a->kind]);
	mnl_attr_put_strz(h, TL_CTL_A_NAME, a->name);
	mnl_attr_put_u64(h, TL_CTL_A_VALUE, a->icv_bits);
	mnl_attr_put_u16(h, a->kind == NL_ALG_AUTH ? TL_CTL_A_INTEG : TL_CTL_A_ENCR, a->id);
	mnl_attr_put_strz(h, TL_CTL_A_TEXT,
		a->kind == NL_ALG_AUTH ? esp_integ_name(a->id) : esp_encr_name(a->id));
	return true;
}

int
nl_own_suites(struct nl_req *q)
{
	int rc = nl_parse(q, NULL, 0, NULL, 0, NULL);

	if (rc == 0 && !nl_is_dump(q))
		rc = nl_refuse(q, -EINVAL, "TL_CTL_MSG_GETSUITE: expected a dump");
	return rc != 0 ? rc : nl_dump(q, suite_row, NULL, 0);
}

/* ---- events ---- */

int
nl_own_subscribe(struct nl_req *q)
{
	static const struct nl_rule rules[] = {{TL_CTL_A_GROUPS, 4, 4, "TL_CTL_A_GROUPS", false}};
	const struct nlattr *at[1];
	int rc = nl_parse(q, NULL, 0, rules, 1, at);

	if (rc == 0 && at[0] == NULL)
		rc = nl_refuse(q, -EINVAL, "expected TL_CTL_A_GROUPS");
	if (rc != 0)
		return rc;
	if ((mnl_attr_get_u32(at[0]) & ~(uint32_t)TL_CTL_GROUPS) != 0)
		return nl_refuse(q, -EINVAL, "TL_CTL_A_GROUPS: 0x%x, expected bits of 0x%x",
			mnl_attr_get_u32(at[0]), TL_CTL_GROUPS);
	q->c->groups = mnl_attr_get_u32(at[0]);
	return 0;
}
