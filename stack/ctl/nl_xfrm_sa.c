/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * nl_xfrm_sa.c - the messages of linux/xfrm.h about SAs that exist: get, dump, delete, flush,
 * count.
 */
#include <errno.h>

#include "stack/ctl/nl_xfrm.h"

enum { B_SRCADDR, B_IF_ID, B_CAUSE, B_MARK, B_MAX };

static const struct nl_rule id_rules[B_MAX] = {
	[B_SRCADDR] = {XFRMA_SRCADDR, sizeof(xfrm_address_t), sizeof(xfrm_address_t),
		"XFRMA_SRCADDR", false},
	[B_IF_ID] = {XFRMA_IF_ID, 4, 4, "XFRMA_IF_ID", false},
	[B_CAUSE] = {TL_CTL_A_CAUSE, 1, 1, "TL_CTL_A_CAUSE", false},
	[B_MARK] = {XFRMA_MARK, NL_ANY_LEN, "XFRMA_MARK", true},
};

/* The slot that a message names, -ESRCH; larval SPIs are found by *larval. */
static int
find(struct nl_req *q, const struct nlattr **at, struct ctl_larval **larval)
{
	struct xfrm_usersa_id x;
	struct ip_addr dst;
	uint32_t realm, spi;
	bool inbound;
	int rc = nl_parse(q, &x, sizeof(x), id_rules, B_MAX, at);

	*larval = NULL;
	if (rc == 0)
		rc = nl_proto_read(q, x.proto);
	if (rc == 0)
		rc = nl_addr_read(q, "destination", x.family, &x.daddr, &dst);
	if (rc != 0)
		return rc;
	realm = at[B_IF_ID] == NULL ? 0 : mnl_attr_get_u32(at[B_IF_ID]);
	spi = rte_be_to_cpu_32(x.spi);
	inbound = nl_addr_is_ours(q->k->s, &dst);
	rc = control_sa_by_spi(q->k->s, inbound, spi, &dst, realm);
	if (rc >= 0)
		return rc;
	*larval = inbound && spi != 0 ? nl_larval_find(q->k, spi, realm) : NULL;
	return nl_refuse(
		q, -ESRCH, "%s SPI 0x%08x: no such SA", inbound ? "inbound" : "outbound", spi);
}

static int
read_cause(struct nl_req *q, const struct nlattr *a, enum esp_del_cause *out)
{
	uint8_t cause = a == NULL ? TL_CTL_CAUSE_REKEY : mnl_attr_get_u8(a);

	if (cause > TL_CTL_CAUSE_REVOKED)
		return nl_refuse(q, -EINVAL, "TL_CTL_A_CAUSE: %u, expected 0 to 2", cause);
	*out = cause == TL_CTL_CAUSE_REVOKED ? ESP_DEL_REVOKED
	       : cause == TL_CTL_CAUSE_ADMIN ? ESP_DEL_ADMIN
					     : ESP_DEL_REKEY;
	return 0;
}

int
nl_sa_del(struct nl_req *q)
{
	const struct nlattr *at[B_MAX];
	struct ctl_larval *larval;
	enum esp_del_cause cause = ESP_DEL_ADMIN;
	int slot = find(q, at, &larval), rc;

	if (slot == -ESRCH && larval != NULL) {
		larval->spi = 0;
		return 0;
	}
	if (slot < 0)
		return slot;
	rc = read_cause(q, at[B_CAUSE], &cause);
	return rc != 0 ? rc : control_sa_del(q->k->s, (uint32_t)slot, cause);
}

static bool
sa_row(struct ctl *k, struct ctl_dump *d, void *buf)
{
	const struct control *c = &k->s->control;

	while (d->at < c->nb_slots && c->sa[d->at].name[0] == '\0')
		d->at++;
	if (d->at >= c->nb_slots)
		return false;
	nl_sa_message(k, buf, XFRM_MSG_NEWSA, (uint32_t)d->at++);
	return true;
}

int
nl_sa_get(struct nl_req *q)
{
	_Alignas(8) uint8_t buf[CTL_MSG_MAX] = {0};
	const struct nlattr *at[B_MAX];
	struct ctl_larval *larval;
	struct nlmsghdr *h;
	int slot;

	/* What other programs send with a dump is a structure of their own, or nothing. */
	if (nl_is_dump(q) && q->len > sizeof(struct xfrm_usersa_id))
		return nl_refuse(q, -EOPNOTSUPP, "XFRM_MSG_GETSA: a dump has no filters here");
	if (nl_is_dump(q))
		return nl_dump(q, sa_row, NULL, 0);
	slot = find(q, at, &larval);
	if (slot < 0)
		return slot;
	h = nl_sa_message(q->k, buf, XFRM_MSG_NEWSA, (uint32_t)slot);
	h->nlmsg_seq = q->h->nlmsg_seq;
	h->nlmsg_pid = q->h->nlmsg_pid;
	return nl_answer(q, h);
}

int
nl_sa_flush(struct nl_req *q)
{
	struct xfrm_usersa_flush x;
	struct control *c = &q->k->s->control;
	int rc = nl_parse(q, &x, sizeof(x), NULL, 0, NULL);

	if (rc == 0 && x.proto != 0 && x.proto != 255)
		rc = nl_proto_read(q, x.proto);
	for (uint32_t i = 0; i < c->nb_slots && rc == 0; i++) {
		if (c->sa[i].name[0] != '\0')
			rc = control_sa_del(q->k->s, i, ESP_DEL_ADMIN);
	}
	if (rc == 0)
		memset(q->k->larval, 0, sizeof(q->k->larval));
	return rc;
}

int
nl_sa_count(struct nl_req *q)
{
	_Alignas(8) uint8_t buf[CTL_MSG_MAX] = {0};
	const struct control *c = &q->k->s->control;
	struct xfrmu_sadhinfo info = {.sadhmcnt = c->nb_slots};
	uint32_t flags, n = 0;
	struct nlmsghdr *h;
	int rc = nl_parse(q, &flags, sizeof(flags), NULL, 0, NULL);

	if (rc != 0)
		return rc;
	for (uint32_t i = 0; i < c->nb_slots; i++)
		n += c->sa[i].name[0] != '\0';
	info.sadhcnt = n;
	h = nl_begin(
		buf, XFRM_MSG_NEWSADINFO, q->h->nlmsg_seq, q->h->nlmsg_pid, &flags, sizeof(flags));
	mnl_attr_put_u32(h, XFRMA_SAD_CNT, n);
	mnl_attr_put(h, XFRMA_SAD_HINFO, sizeof(info), &info);
	return nl_answer(q, h);
}
