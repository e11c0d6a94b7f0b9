/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * nl_event.c - what changes, as messages for the clients that want to hear of it.
 *
 * The control context calls nl_watch() with its lock held, whoever made the change. ACQUIRE comes
 * rate-limited from the workers (F-14) and is passed on.
 */
#include <errno.h>
#include <stdlib.h>

#include "stack/ctl/nl_xfrm.h"
#include "tcp/tcp.h"

static void
sa_changed(struct ctl *k, uint16_t type, uint32_t slot)
{
	_Alignas(8) uint8_t buf[CTL_MSG_MAX] = {0};

	if (nl_wanted(k, TL_CTL_GROUP_SA))
		nl_event(k, TL_CTL_GROUP_SA, nl_sa_message(k, buf, type, slot));
}

static void
sa_expired(struct ctl *k, uint32_t slot, bool hard)
{
	_Alignas(8) uint8_t buf[CTL_MSG_MAX] = {0};

	if (nl_wanted(k, TL_CTL_GROUP_EXPIRE))
		nl_event(k, TL_CTL_GROUP_EXPIRE, nl_sa_message_expire(k, buf, slot, hard));
}

static void
policy_changed(struct ctl *k, uint16_t type, const struct spd_rule *r)
{
	for (uint32_t dir = SPD_IN; dir <= SPD_OUT; dir++) {
		_Alignas(8) uint8_t buf[CTL_MSG_MAX] = {0};

		if ((r->dir & dir) != 0 && nl_wanted(k, TL_CTL_GROUP_POLICY))
			nl_event(k, TL_CTL_GROUP_POLICY, nl_policy_message(k, buf, type, r, dir));
	}
}

/* RFC 7296 s2.23: the peer behind a NAT has another address or port. */
static void
sa_moved(struct ctl *k, const struct control_note *n)
{
	_Alignas(8) uint8_t buf[CTL_MSG_MAX] = {0};
	const struct esp_sa_conf *sa = &n->sa->conf;
	struct xfrm_user_mapping x = {.id = {.spi = rte_cpu_to_be_32(sa->spi),
					      .family = nl_addr_family(&sa->local),
					      .proto = IPPROTO_N_ESP},
		.reqid = sa->reqid,
		.old_sport = rte_cpu_to_be_16(n->was_port),
		.new_sport = rte_cpu_to_be_16(sa->udp_remote)};
	struct nlmsghdr *h;

	if (!nl_wanted(k, TL_CTL_GROUP_NAT))
		return;
	nl_addr_write(&sa->local, &x.id.daddr);
	nl_addr_write(&n->was_addr, &x.old_saddr);
	nl_addr_write(&sa->remote, &x.new_saddr);
	h = nl_begin(buf, XFRM_MSG_MAPPING, 0, 0, &x, sizeof(x));
	mnl_attr_put_strz(h, TL_CTL_A_NAME, n->sa->name);
	nl_event(k, TL_CTL_GROUP_NAT, h);
}

/* ---- acquire ---- */

/* The selector is the packet's flow; protection is what the policy asks for, or the latch. */
static void
write_flow(const struct flow_key *key, struct esp_sel *sel)
{
	uint16_t lport = rte_be_to_cpu_16(key->lport), rport = rte_be_to_cpu_16(key->rport);

	addr_range_of_host(&sel->local, &key->local);
	addr_range_of_host(&sel->remote, &key->remote);
	sel->lport = (struct port_range){lport, lport};
	sel->rport = (struct port_range){rport, rport};
	sel->realm = key->realm;
	sel->proto = key->proto;
}

/* What the policy asks for, and the program beyond it. */
void
nl_put_asked(struct nlmsghdr *h, const struct tl_stack *s, const struct spd_rule *r,
	const struct esp_want *w)
{
	bool suite = w->encr != 0;

	if (r != NULL)
		mnl_attr_put_strz(h, TL_CTL_A_NAME, r->name);
	mnl_attr_put_u8(h, TL_CTL_A_MODE, w->mode != 0 || r == NULL ? w->mode : r->mode);
	mnl_attr_put_u16(h, TL_CTL_A_ENCR, suite || r == NULL ? w->encr : r->encr);
	mnl_attr_put_u16(h, TL_CTL_A_ENCR_BITS, suite || r == NULL ? w->encr_bits : r->encr_bits);
	mnl_attr_put_u16(h, TL_CTL_A_INTEG, suite || r == NULL ? w->integ : r->integ);
	nl_put_ident(
		h, TL_CTL_A_LOCAL_ID, s, w->local_id != 0 || r == NULL ? w->local_id : r->local_id);
	nl_put_ident(
		h, TL_CTL_A_PEER_ID, s, w->peer_id != 0 || r == NULL ? w->peer_id : r->peer_id);
	nl_put_flag(h, TL_CTL_A_UNIQUE, w->unique);
}

struct rule_job {
	const struct flow_key *key;
	uint8_t rule;
};

static void
rule_here(struct lcore *lc, void *arg)
{
	struct rule_job *j = arg;
	uint8_t rule = latch_cert_rule(lc, j->key);

	if (rule > j->rule)
		j->rule = rule;
}

/* P-3, P-16: what the SA must have, so that it fits the latch, and how alike the evidence must be.
 */
static void
put_latched(struct nlmsghdr *h, struct tl_stack *s, const struct esp_event *ev)
{
	struct rule_job j = {.key = &ev->key};

	for (uint32_t w = 0; w < s->conf.workers; w++)
		ctl_call(s, w, rule_here, &j);
	nl_put_profile(h, s, ev->profile);
	mnl_attr_put_u8(h, TL_CTL_A_CERT_RULE, j.rule);
	nl_put_flag(h, TL_CTL_A_UNIQUE, ev->want.unique);
}

static void
acquire(struct ctl *k, const struct control_note *n)
{
	_Alignas(8) uint8_t buf[CTL_MSG_MAX] = {0};
	const struct flow_key *key = &n->event->key;
	bool tunnel = n->rule != NULL && !ip_addr_is_any(&n->rule->tun_remote);
	struct xfrm_user_acquire x = {.id = {.proto = IPPROTO_N_ESP},
		.aalgos = UINT32_MAX,
		.ealgos = UINT32_MAX,
		.calgos = UINT32_MAX,
		.seq = ++k->acquires};
	struct nlmsghdr *h;
	struct esp_sel sel;

	if (!nl_wanted(k, TL_CTL_GROUP_ACQUIRE))
		return;
	nl_addr_write(tunnel ? &n->rule->tun_remote : &key->remote, &x.id.daddr);
	nl_addr_write(
		tunnel && !ip_addr_is_any(&n->rule->tun_local) ? &n->rule->tun_local : &key->local,
		&x.saddr);
	write_flow(key, &sel);
	nl_sel_write(&sel, false, &x.sel);
	if (n->rule != NULL) {
		x.policy.priority = n->rule->priority;
		x.policy.index = n->rule->id << 3 | XFRM_POLICY_OUT;
		x.policy.dir = XFRM_POLICY_OUT;
		nl_sel_write(&n->rule->sel, false, &x.policy.sel);
	}
	h = nl_begin(buf, XFRM_MSG_ACQUIRE, 0, 0, &x, sizeof(x));
	if (key->realm != 0)
		mnl_attr_put_u32(h, XFRMA_IF_ID, key->realm);
	if (n->event->profile != 0)
		put_latched(h, k->s, n->event);
	else
		nl_put_asked(h, k->s, n->rule, &n->event->want);
	nl_event(k, TL_CTL_GROUP_ACQUIRE, h);
}

void
nl_watch(void *ctl, const struct control_note *n)
{
	struct ctl *k = ctl;

	switch (n->change) {
	case CONTROL_SA_ADDED:
		sa_changed(k, XFRM_MSG_NEWSA, n->slot);
		break;
	case CONTROL_SA_DELETED:
		sa_changed(k, XFRM_MSG_DELSA, n->slot);
		break;
	case CONTROL_SA_SOFT:
		sa_expired(k, n->slot, false);
		break;
	case CONTROL_SA_HARD:
		sa_expired(k, n->slot, true);
		break;
	case CONTROL_SA_MOVED:
		sa_moved(k, n);
		break;
	case CONTROL_POLICY_ADDED:
		policy_changed(k, XFRM_MSG_NEWPOLICY, n->rule);
		break;
	case CONTROL_POLICY_DELETED:
		policy_changed(k, XFRM_MSG_DELPOLICY, n->rule);
		break;
	case CONTROL_ACQUIRE:
		acquire(k, n);
		break;
	}
}
