/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * nl_xfrm_spi.c - XFRM_MSG_ALLOCSPI: inbound SPIs that are promised to an SA to come ("larval").
 *
 * The SA comes by XFRM_MSG_UPDSA, or the promise ends with its time.
 */
#include <errno.h>

#include "stack/ctl/nl_xfrm.h"

struct ctl_larval *
nl_larval_find(struct ctl *k, uint32_t spi, uint32_t realm)
{
	for (uint32_t i = 0; i < CTL_LARVAL_MAX; i++) {
		if (k->larval[i].spi == spi && k->larval[i].realm == realm)
			return &k->larval[i];
	}
	return NULL;
}

void
nl_larval_expire(struct ctl *k)
{
	for (uint32_t i = 0; i < CTL_LARVAL_MAX; i++) {
		if (k->larval[i].spi != 0 && k->larval[i].until_ns <= k->now_ns)
			k->larval[i].spi = 0;
	}
}

enum { S_IF_ID, S_MARK, S_MAX };

static const struct nl_rule spi_rules[S_MAX] = {
	[S_IF_ID] = {XFRMA_IF_ID, 4, 4, "XFRMA_IF_ID", false},
	[S_MARK] = {XFRMA_MARK, NL_ANY_LEN, "XFRMA_MARK", true},
};

static uint32_t
choose_spi(struct ctl *k, uint32_t lo, uint32_t hi, uint32_t realm)
{
	for (int tries = 0; tries < 64; tries++) {
		uint32_t spi = control_spi_choose(k->s, lo, hi, realm);

		if (spi == 0 || nl_larval_find(k, spi, realm) == NULL)
			return spi;
	}
	return 0;
}

static int
answer_spi(struct nl_req *q, const struct xfrm_usersa_info *x)
{
	_Alignas(8) uint8_t buf[CTL_MSG_MAX] = {0};

	return nl_answer(
		q, nl_begin(buf, XFRM_MSG_NEWSA, q->h->nlmsg_seq, q->h->nlmsg_pid, x, sizeof(*x)));
}

static int
promise(struct nl_req *q, struct xfrm_userspi_info *x, uint32_t realm)
{
	struct ctl_larval *l = NULL;
	uint32_t spi;

	for (uint32_t i = 0; i < CTL_LARVAL_MAX && l == NULL; i++) {
		if (q->k->larval[i].spi == 0)
			l = &q->k->larval[i];
	}
	if (l == NULL)
		return nl_refuse(q, -ENOSPC, "%u SPIs wait for their SAs", CTL_LARVAL_MAX);
	spi = choose_spi(q->k, x->min, x->max, realm);
	if (spi == 0)
		return nl_refuse(
			q, -ENOENT, "no SPI is free between 0x%x and 0x%x", x->min, x->max);
	*l = (struct ctl_larval){.spi = spi,
		.realm = realm,
		.until_ns = q->k->now_ns + CTL_LARVAL_S * UINT64_C(1000000000)};
	x->info.id.spi = rte_cpu_to_be_32(spi);
	return answer_spi(q, &x->info);
}

int
nl_sa_alloc_spi(struct nl_req *q)
{
	const struct nlattr *at[S_MAX];
	struct xfrm_userspi_info x;
	struct ip_addr dst;
	int rc = nl_parse(q, &x, sizeof(x), spi_rules, S_MAX, at);

	if (rc == 0)
		rc = nl_proto_read(q, x.info.id.proto);
	if (rc == 0)
		rc = nl_addr_read(q, "destination", x.info.family, &x.info.id.daddr, &dst);
	if (rc == 0 && !nl_addr_is_ours(q->k->s, &dst))
		rc = nl_refuse(q, -EINVAL, "destination: expected an address of this host");
	if (rc == 0 && (x.min > x.max || x.max < 256))
		rc = nl_refuse(q, -EINVAL,
			"SPI 0x%x to 0x%x: expected a range above 255 (RFC 4303 s2.1)", x.min,
			x.max);
	if (rc != 0)
		return rc;
	return promise(q, &x, at[S_IF_ID] == NULL ? 0 : mnl_attr_get_u32(at[S_IF_ID]));
}
