/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * nl_xfrm_sa_put.c - an SA in the words of linux/xfrm.h: for answers, dumps and events.
 *
 * Keys stand there as zeros. What Linux has no word for follows in attributes of our own.
 */
#include <time.h>
#include <linux/udp.h>

#include "stack/ctl/nl_xfrm.h"

static uint64_t
or_inf(uint64_t limit)
{
	return limit == 0 ? XFRM_INF : limit;
}

static void
write_life(const struct esp_life *l, struct xfrm_lifetime_cfg *x)
{
	x->soft_byte_limit = or_inf(l->soft_bytes);
	x->hard_byte_limit = or_inf(l->hard_bytes);
	x->soft_packet_limit = or_inf(l->soft_packets);
	x->hard_packet_limit = or_inf(l->hard_packets);
	x->soft_add_expires_seconds = l->soft_add_s;
	x->hard_add_expires_seconds = l->hard_add_s;
	x->soft_use_expires_seconds = l->soft_use_s;
	x->hard_use_expires_seconds = l->hard_use_s;
}

/* Times of Linux are seconds of the wall clock. */
static void
write_current(const struct esp_sa_info *i, struct xfrm_lifetime_cur *x)
{
	uint64_t now_s = (uint64_t)time(NULL);

	x->bytes = i->bytes;
	x->packets = i->packets;
	x->add_time = now_s - i->age_ns / 1000000000u;
	x->use_time = i->used_ns == 0 ? 0 : now_s - i->used_ns / 1000000000u;
}

static void
write_info(const struct esp_sa_conf *sa, const struct esp_sa_info *i, struct xfrm_usersa_info *x)
{
	memset(x, 0, sizeof(*x));
	nl_sel_write(&sa->sel, sa->inbound, &x->sel);
	nl_addr_write(sa->inbound ? &sa->local : &sa->remote, &x->id.daddr);
	nl_addr_write(sa->inbound ? &sa->remote : &sa->local, &x->saddr);
	x->id.spi = rte_cpu_to_be_32(sa->spi);
	x->id.proto = IPPROTO_N_ESP;
	x->family = nl_addr_family(&sa->local);
	x->mode = sa->mode == ESP_MODE_TUNNEL ? XFRM_MODE_TUNNEL : XFRM_MODE_TRANSPORT;
	x->reqid = sa->reqid;
	x->replay_window = (uint8_t)RTE_MIN(sa->replay_window, 255u);
	x->flags = (uint8_t)((sa->ecn_off ? XFRM_STATE_NOECN : 0) |
			     (sa->df == ESP_DF_CLEAR ? XFRM_STATE_NOPMTUDISC : 0) |
			     (sa->esn ? XFRM_STATE_ESN : 0) |
			     (x->sel.family == 0 ? XFRM_STATE_AF_UNSPEC : 0));
	write_life(&sa->life, &x->lft);
	if (i == NULL)
		return;
	write_current(i, &x->curlft);
	x->stats.replay = (uint32_t)i->drop_replay;
	x->stats.integrity_failed = (uint32_t)i->drop_icv;
}

static void
put_replay(struct nlmsghdr *h, const struct esp_sa_conf *sa, const struct esp_sa_info *i)
{
	struct xfrm_replay_state_esn x = {.replay_window = sa->replay_window};
	uint64_t seq = i == NULL ? 0 : i->seq;

	if (sa->inbound) {
		x.seq = (uint32_t)seq;
		x.seq_hi = (uint32_t)(seq >> 32);
	} else {
		x.oseq = (uint32_t)seq;
		x.oseq_hi = (uint32_t)(seq >> 32);
	}
	mnl_attr_put(h, XFRMA_REPLAY_ESN_VAL, sizeof(x), &x);
}

static void
put_encap(struct nlmsghdr *h, const struct esp_sa_conf *sa)
{
	rte_be16_t local = rte_cpu_to_be_16(sa->udp_local);
	rte_be16_t remote = rte_cpu_to_be_16(sa->udp_remote);
	struct xfrm_encap_tmpl x = {.encap_type = UDP_ENCAP_ESPINUDP,
		.encap_sport = sa->inbound ? remote : local,
		.encap_dport = sa->inbound ? local : remote};
	const struct ip_addr *oa = sa->inbound ? &sa->oa_remote : &sa->oa_local;

	if (!sa->udp)
		return;
	if (!ip_addr_is_any(oa))
		nl_addr_write(oa, &x.encap_oa);
	mnl_attr_put(h, XFRMA_ENCAP, sizeof(x), &x);
}

/* "aes-gcm-16-128" or "aes-cbc-256/hmac-sha2-256-128": the IANA names in short. */
static void
put_suite(struct nlmsghdr *h, const struct esp_sa_conf *sa)
{
	char text[ESP_SUITE_TEXT];

	esp_suite_text(sa->encr, sa->encr_bits, sa->integ, text);
	mnl_attr_put_strz(h, TL_CTL_A_SUITE, text);
	mnl_attr_put_u16(h, TL_CTL_A_ENCR, sa->encr);
	mnl_attr_put_u16(h, TL_CTL_A_ENCR_BITS, sa->encr_bits);
	mnl_attr_put_u16(h, TL_CTL_A_INTEG, sa->integ);
}

static void
put_own(struct nlmsghdr *h, const struct tl_stack *s, uint32_t slot, const struct esp_sa_info *i)
{
	const struct master_sa *ms = &s->control.sa[slot];

	mnl_attr_put_strz(h, TL_CTL_A_NAME, ms->name);
	mnl_attr_put_u8(h, TL_CTL_A_DIR, ms->conf.inbound ? SPD_IN : SPD_OUT);
	mnl_attr_put_u32(h, TL_CTL_A_INDEX, slot);
	mnl_attr_put_u32(h, TL_CTL_A_GEN, ms->gen);
	mnl_attr_put_u32(h, TL_CTL_A_PROFILE, ms->conf.profile);
	mnl_attr_put_u32(h, TL_CTL_A_WORKER, ms->conf.owner);
	nl_put_ident(h, TL_CTL_A_LOCAL_ID, s, ms->conf.local_id);
	nl_put_ident(h, TL_CTL_A_PEER_ID, s, ms->conf.peer_id);
	if (ms->conf.auth_class != TL_AUTH_UNKNOWN)
		mnl_attr_put_u8(h, TL_CTL_A_AUTH_CLASS, ms->conf.auth_class);
	nl_put_evidence(h, TL_CTL_A_LOCAL_EV, s, ms->conf.local_ev);
	nl_put_evidence(h, TL_CTL_A_PEER_EV, s, ms->conf.peer_ev);
	nl_put_flag(h, TL_CTL_A_MANUAL, ms->conf.manual);
	nl_sel_put_own(h, &ms->conf.sel);
	put_suite(h, &ms->conf);
	if (i == NULL)
		return;
	mnl_attr_put_strz(h, TL_CTL_A_ENGINE, i->engine);
	mnl_attr_put_u64(h, TL_CTL_A_SEQ, i->seq);
	mnl_attr_put_u64(h, TL_CTL_A_BAD_ICV, i->drop_icv);
	mnl_attr_put_u64(h, TL_CTL_A_REPLAYED, i->drop_replay);
	nl_put_flag(h, TL_CTL_A_EXPIRED, i->expired);
}

static void
put_attrs(struct nlmsghdr *h, const struct tl_stack *s, uint32_t slot, const struct esp_sa_info *i)
{
	const struct esp_sa_conf *sa = &s->control.sa[slot].conf;

	nl_alg_put(h, sa);
	put_replay(h, sa, i);
	put_encap(h, sa);
	if (sa->tfc_pad_bytes != 0)
		mnl_attr_put_u32(h, XFRMA_TFCPAD, sa->tfc_pad_bytes);
	if (sa->dscp_set && sa->dscp == 0)
		mnl_attr_put_u32(h, XFRMA_SA_EXTRA_FLAGS, XFRM_SA_XFLAG_DONT_ENCAP_DSCP);
	if (sa->realm != 0)
		mnl_attr_put_u32(h, XFRMA_IF_ID, sa->realm);
	put_own(h, s, slot, i);
}

struct nlmsghdr *
nl_sa_message(struct ctl *k, void *buf, uint16_t type, uint32_t slot)
{
	const struct esp_sa_conf *sa = &k->s->control.sa[slot].conf;
	struct xfrm_usersa_id id = {.spi = rte_cpu_to_be_32(sa->spi),
		.family = nl_addr_family(&sa->local),
		.proto = IPPROTO_N_ESP};
	struct esp_sa_info info, *i = &info;
	struct xfrm_usersa_info x;
	struct nlmsghdr *h;

	if (type == XFRM_MSG_DELSA || control_sa_info(k->s, slot, i) != 0)
		i = NULL; /* it is gone from its worker */
	write_info(sa, i, &x);
	if (type == XFRM_MSG_DELSA) {
		id.daddr = x.id.daddr;
		h = nl_begin(buf, type, 0, 0, &id, sizeof(id));
		mnl_attr_put(h, XFRMA_SA, sizeof(x), &x);
		mnl_attr_put_strz(h, TL_CTL_A_NAME, k->s->control.sa[slot].name);
		mnl_attr_put_u8(h, TL_CTL_A_DIR, sa->inbound ? SPD_IN : SPD_OUT);
		return h;
	}
	h = nl_begin(buf, type, 0, 0, &x, sizeof(x));
	put_attrs(h, k->s, slot, i);
	return h;
}

struct nlmsghdr *
nl_sa_message_expire(struct ctl *k, void *buf, uint32_t slot, bool hard)
{
	struct xfrm_user_expire x = {.hard = hard};
	struct esp_sa_info info, *i = &info;
	struct nlmsghdr *h;

	if (control_sa_info(k->s, slot, i) != 0)
		i = NULL;
	write_info(&k->s->control.sa[slot].conf, i, &x.state);
	h = nl_begin(buf, XFRM_MSG_EXPIRE, 0, 0, &x, sizeof(x));
	put_own(h, k->s, slot, i);
	return h;
}
