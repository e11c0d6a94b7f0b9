/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * nl_xfrm_sa_new.c - XFRM_MSG_NEWSA and XFRM_MSG_UPDSA: an SA comes in.
 *
 * It is read completely and checked before its identities and its profile are interned, and the
 * control context gives it to the workers; the answer comes when all have it.
 */
#include <errno.h>
#include <linux/udp.h>
#include <openssl/crypto.h>
#include <rte_jhash.h>

#include "stack/ctl/nl_xfrm.h"

enum {
	A_AEAD,
	A_CRYPT,
	A_AUTH,
	A_AUTH_TRUNC,
	A_REPLAY,
	A_REPLAY_ESN,
	A_ENCAP,
	A_TFCPAD,
	A_XFLAGS,
	A_IF_ID,
	A_NAME,
	A_LOCAL_ID,
	A_PEER_ID,
	A_MANUAL,
	A_SEL,
	A_WORKER,
	A_ENCR,
	A_AUTH_CLASS,
	A_LOCAL_EV,
	A_PEER_EV,
	A_COMP,
	A_SEC_CTX,
	A_MARK,
	A_SET_MARK,
	A_SET_MARK_MASK,
	A_OFFLOAD,
	A_COADDR,
	A_REPLAY_THRESH,
	A_ETIMER_THRESH,
	A_MTIMER_THRESH,
	A_NEW_MAX,
};

enum {
	IDENT_BYTES = 2 * 8 + TL_IDENT_MAX + 8,
	KEY_SLACK = 256, /* the readers say exactly what is too long */
	ESN_MAX = sizeof(struct xfrm_replay_state_esn) + XFRMA_REPLAY_ESN_MAX,
};

/* clang-format off */
static const struct nl_rule new_rules[A_NEW_MAX] = {
	[A_AEAD] = {XFRMA_ALG_AEAD, sizeof(struct xfrm_algo_aead), sizeof(struct xfrm_algo_aead) + KEY_SLACK, "XFRMA_ALG_AEAD", false},
	[A_CRYPT] = {XFRMA_ALG_CRYPT, sizeof(struct xfrm_algo), sizeof(struct xfrm_algo) + KEY_SLACK, "XFRMA_ALG_CRYPT", false},
	[A_AUTH] = {XFRMA_ALG_AUTH, sizeof(struct xfrm_algo), sizeof(struct xfrm_algo) + KEY_SLACK, "XFRMA_ALG_AUTH", false},
	[A_AUTH_TRUNC] = {XFRMA_ALG_AUTH_TRUNC, sizeof(struct xfrm_algo_auth), sizeof(struct xfrm_algo_auth) + KEY_SLACK, "XFRMA_ALG_AUTH_TRUNC", false},
	[A_REPLAY] = {XFRMA_REPLAY_VAL, sizeof(struct xfrm_replay_state), sizeof(struct xfrm_replay_state), "XFRMA_REPLAY_VAL", false},
	[A_REPLAY_ESN] = {XFRMA_REPLAY_ESN_VAL, sizeof(struct xfrm_replay_state_esn), ESN_MAX, "XFRMA_REPLAY_ESN_VAL", false},
	[A_ENCAP] = {XFRMA_ENCAP, sizeof(struct xfrm_encap_tmpl), sizeof(struct xfrm_encap_tmpl), "XFRMA_ENCAP", false},
	[A_TFCPAD] = {XFRMA_TFCPAD, 4, 4, "XFRMA_TFCPAD", false},
	[A_XFLAGS] = {XFRMA_SA_EXTRA_FLAGS, 4, 4, "XFRMA_SA_EXTRA_FLAGS", false},
	[A_IF_ID] = {XFRMA_IF_ID, 4, 4, "XFRMA_IF_ID", false},
	[A_NAME] = {TL_CTL_A_NAME, 1, CONF_NAME, "TL_CTL_A_NAME", false},
	[A_LOCAL_ID] = {TL_CTL_A_LOCAL_ID, 0, IDENT_BYTES, "TL_CTL_A_LOCAL_ID", false},
	[A_PEER_ID] = {TL_CTL_A_PEER_ID, 0, IDENT_BYTES, "TL_CTL_A_PEER_ID", false},
	[A_MANUAL] = {TL_CTL_A_MANUAL, 0, 0, "TL_CTL_A_MANUAL", false},
	[A_SEL] = {TL_CTL_A_SEL, sizeof(struct tl_ctl_sel), sizeof(struct tl_ctl_sel), "TL_CTL_A_SEL", false},
	[A_WORKER] = {TL_CTL_A_WORKER, 4, 4, "TL_CTL_A_WORKER", false},
	[A_ENCR] = {TL_CTL_A_ENCR, 2, 2, "TL_CTL_A_ENCR", false},
	[A_AUTH_CLASS] = {TL_CTL_A_AUTH_CLASS, 1, 1, "TL_CTL_A_AUTH_CLASS", false},
	[A_LOCAL_EV] = {TL_CTL_A_LOCAL_EV, LATCH_HASH_BYTES, LATCH_HASH_BYTES, "TL_CTL_A_LOCAL_EV", false},
	[A_PEER_EV] = {TL_CTL_A_PEER_EV, LATCH_HASH_BYTES, LATCH_HASH_BYTES, "TL_CTL_A_PEER_EV", false},
	[A_COMP] = {XFRMA_ALG_COMP, NL_ANY_LEN, "XFRMA_ALG_COMP", true},
	[A_SEC_CTX] = {XFRMA_SEC_CTX, NL_ANY_LEN, "XFRMA_SEC_CTX", true},
	[A_MARK] = {XFRMA_MARK, NL_ANY_LEN, "XFRMA_MARK", true},
	[A_SET_MARK] = {XFRMA_SET_MARK, NL_ANY_LEN, "XFRMA_SET_MARK", true},
	[A_SET_MARK_MASK] = {XFRMA_SET_MARK_MASK, NL_ANY_LEN, "XFRMA_SET_MARK_MASK", true},
	[A_OFFLOAD] = {XFRMA_OFFLOAD_DEV, NL_ANY_LEN, "XFRMA_OFFLOAD_DEV", true},
	[A_COADDR] = {XFRMA_COADDR, NL_ANY_LEN, "XFRMA_COADDR", true},
	[A_REPLAY_THRESH] = {XFRMA_REPLAY_THRESH, NL_ANY_LEN, "XFRMA_REPLAY_THRESH", true},
	[A_ETIMER_THRESH] = {XFRMA_ETIMER_THRESH, NL_ANY_LEN, "XFRMA_ETIMER_THRESH", true},
	[A_MTIMER_THRESH] = {XFRMA_MTIMER_THRESH, NL_ANY_LEN, "XFRMA_MTIMER_THRESH", true},
};
/* clang-format on */

/* ---- reading ---- */

/* Which half it is: who of us is its destination. */
static int
read_ends(struct nl_req *q, uint16_t family, const xfrm_address_t *daddr,
	const xfrm_address_t *saddr, struct esp_sa_conf *sa)
{
	struct ip_addr dst, src;
	int rc = nl_addr_read(q, "destination", family, daddr, &dst);

	if (rc == 0)
		rc = nl_addr_read(q, "source", family, saddr, &src);
	if (rc != 0)
		return rc;
	sa->inbound = nl_addr_is_ours(q->k->s, &dst);
	if (!sa->inbound && !nl_addr_is_ours(q->k->s, &src))
		return nl_refuse(
			q, -EINVAL, "neither source nor destination is an address of this host");
	sa->local = sa->inbound ? dst : src;
	sa->remote = sa->inbound ? src : dst;
	return 0;
}

static int
read_flags(struct nl_req *q, const struct xfrm_usersa_info *x, struct esp_sa_conf *sa)
{
	static const struct {
		uint8_t bit;
		const char *name;
	} refused[] = {
		{XFRM_STATE_DECAP_DSCP, "XFRM_STATE_DECAP_DSCP"},
		{XFRM_STATE_WILDRECV, "XFRM_STATE_WILDRECV"},
		{XFRM_STATE_ICMP, "XFRM_STATE_ICMP"},
		{XFRM_STATE_ALIGN4, "XFRM_STATE_ALIGN4"},
	};

	for (size_t i = 0; i < RTE_DIM(refused); i++) {
		if ((x->flags & refused[i].bit) != 0)
			return nl_refuse(q, -EOPNOTSUPP, "%s: not supported", refused[i].name);
	}
	sa->ecn_off = (x->flags & XFRM_STATE_NOECN) != 0;
	sa->df = (x->flags & XFRM_STATE_NOPMTUDISC) != 0 ? ESP_DF_CLEAR : ESP_DF_COPY;
	sa->esn = (x->flags & XFRM_STATE_ESN) != 0;
	return 0;
}

static int
read_mode(struct nl_req *q, uint8_t mode, struct esp_sa_conf *sa)
{
	if (mode >= XFRM_MODE_MAX)
		return nl_refuse(q, -EINVAL, "mode %u: expected transport (0) or tunnel (1)", mode);
	if (mode != XFRM_MODE_TRANSPORT && mode != XFRM_MODE_TUNNEL)
		return nl_refuse(
			q, -EOPNOTSUPP, "mode %u: only transport (0) and tunnel (1)", mode);
	sa->mode = mode == XFRM_MODE_TUNNEL ? ESP_MODE_TUNNEL : ESP_MODE_TRANSPORT;
	return 0;
}

/*
 * Without a selector, a transport SA speaks for its two hosts. Who may speak through a tunnel must
 * be said (F-59): by prefixes, or by XFRM_STATE_AF_UNSPEC, which Linux needs for all addresses too.
 */
static int
read_sel(struct nl_req *q, const struct xfrm_usersa_info *x, const struct nlattr *own,
	struct esp_sa_conf *sa)
{
	static const struct xfrm_selector none;

	if (own != NULL)
		return nl_sel_read_own(q, own, &sa->sel);
	esp_sel_any(&sa->sel, 0);
	if (memcmp(&x->sel, &none, sizeof(none)) != 0)
		return nl_sel_read(q, &x->sel, sa->inbound, &sa->sel);
	if (sa->mode == ESP_MODE_TRANSPORT) {
		addr_range_of_host(&sa->sel.local, &sa->local);
		addr_range_of_host(&sa->sel.remote, &sa->remote);
		return 0;
	}
	if ((x->flags & XFRM_STATE_AF_UNSPEC) != 0)
		return 0;
	return nl_refuse(q, -EINVAL,
		"tunnel mode needs selectors: who may speak through it? "
		"XFRM_STATE_AF_UNSPEC says all");
}

static int
read_limit(struct nl_req *q, const char *what, uint64_t x, uint64_t *out)
{
	if (x == 0)
		return nl_refuse(q, -EINVAL,
			"%s limit: 0 would expire at once; XFRM_INF means no limit", what);
	*out = x == XFRM_INF ? 0 : x;
	return 0;
}

static int
read_seconds(struct nl_req *q, uint64_t x, uint32_t *out)
{
	if (x == XFRM_INF)
		x = 0;
	if (x > UINT32_MAX)
		return nl_refuse(q, -EINVAL, "lifetime: expected less than 2^32 seconds");
	*out = (uint32_t)x;
	return 0;
}

static int
read_life(struct nl_req *q, const struct xfrm_lifetime_cfg *x, struct esp_life *out)
{
	int rc = read_limit(q, "soft byte", x->soft_byte_limit, &out->soft_bytes);

	if (rc == 0)
		rc = read_limit(q, "hard byte", x->hard_byte_limit, &out->hard_bytes);
	if (rc == 0)
		rc = read_limit(q, "soft packet", x->soft_packet_limit, &out->soft_packets);
	if (rc == 0)
		rc = read_limit(q, "hard packet", x->hard_packet_limit, &out->hard_packets);
	if (rc == 0)
		rc = read_seconds(q, x->soft_add_expires_seconds, &out->soft_add_s);
	if (rc == 0)
		rc = read_seconds(q, x->hard_add_expires_seconds, &out->hard_add_s);
	if (rc == 0)
		rc = read_seconds(q, x->soft_use_expires_seconds, &out->soft_use_s);
	if (rc == 0)
		rc = read_seconds(q, x->hard_use_expires_seconds, &out->hard_use_s);
	return rc;
}

/* Linux has the window of up to 32 packets in the fixed part, others and ESN in the attribute. */
static int
read_replay(struct nl_req *q, const struct xfrm_usersa_info *x, const struct nlattr *const *at,
	struct esp_sa_conf *sa)
{
	struct xfrm_replay_state old;
	struct xfrm_replay_state_esn esn;

	sa->replay_window = x->replay_window;
	if (at[A_REPLAY] != NULL) {
		nl_get(at[A_REPLAY], &old, sizeof(old));
		if ((old.oseq | old.seq | old.bitmap) != 0)
			return nl_refuse(q, -EOPNOTSUPP,
				"XFRMA_REPLAY_VAL: sequence numbers start at 0 here");
	}
	if (at[A_REPLAY_ESN] == NULL) {
		if (!sa->esn)
			return 0;
		return nl_refuse(q, -EINVAL, "XFRM_STATE_ESN: expected XFRMA_REPLAY_ESN_VAL");
	}
	nl_get(at[A_REPLAY_ESN], &esn, sizeof(esn));
	if (esn.bmp_len > XFRMA_REPLAY_ESN_MAX / 4 ||
		mnl_attr_get_payload_len(at[A_REPLAY_ESN]) != sizeof(esn) + esn.bmp_len * 4)
		return nl_refuse(q, -EINVAL, "XFRMA_REPLAY_ESN_VAL: %u words are not what follows",
			esn.bmp_len);
	if (esn.replay_window > esn.bmp_len * 32)
		return nl_refuse(q, -EINVAL,
			"XFRMA_REPLAY_ESN_VAL: a window of %u packets in a bitmap of %u words",
			esn.replay_window, esn.bmp_len);
	if ((esn.oseq | esn.seq | esn.oseq_hi | esn.seq_hi) != 0)
		return nl_refuse(
			q, -EOPNOTSUPP, "XFRMA_REPLAY_ESN_VAL: sequence numbers start at 0 here");
	sa->replay_window = esn.replay_window;
	return 0;
}

/* Linux writes the ports as they stand in the packets of this direction. */
static int
read_encap(struct nl_req *q, const struct nlattr *a, uint16_t family, struct esp_sa_conf *sa)
{
	static const xfrm_address_t none;
	struct xfrm_encap_tmpl x;
	struct ip_addr *oa = sa->inbound ? &sa->oa_remote : &sa->oa_local;

	if (a == NULL)
		return 0;
	nl_get(a, &x, sizeof(x));
	if (x.encap_type != UDP_ENCAP_ESPINUDP)
		return nl_refuse(q, -EOPNOTSUPP,
			"XFRMA_ENCAP: type %u, expected "
			"UDP_ENCAP_ESPINUDP (2)",
			x.encap_type);
	sa->udp = true;
	sa->udp_local = rte_be_to_cpu_16(sa->inbound ? x.encap_dport : x.encap_sport);
	sa->udp_remote = rte_be_to_cpu_16(sa->inbound ? x.encap_sport : x.encap_dport);
	if (memcmp(&x.encap_oa, &none, sizeof(none)) == 0)
		return 0;
	return nl_addr_read(q, "XFRMA_ENCAP", family, &x.encap_oa, oa);
}

static int
read_algs(struct nl_req *q, const struct nlattr *const *at, struct esp_sa_conf *sa)
{
	const struct nlattr *auth = at[A_AUTH_TRUNC] != NULL ? at[A_AUTH_TRUNC] : at[A_AUTH];
	int rc = 0;

	if (at[A_AEAD] != NULL && (at[A_CRYPT] != NULL || auth != NULL))
		return nl_refuse(q, -EINVAL,
			"XFRMA_ALG_AEAD: another algorithm beside it is "
			"refused (RFC 8221 s4)");
	if (at[A_AUTH_TRUNC] != NULL && at[A_AUTH] != NULL)
		return nl_refuse(
			q, -EINVAL, "expected one of XFRMA_ALG_AUTH and XFRMA_ALG_AUTH_TRUNC");
	if (at[A_AEAD] == NULL && at[A_CRYPT] == NULL)
		return nl_refuse(q, -EINVAL,
			"expected XFRMA_ALG_AEAD, or XFRMA_ALG_CRYPT with "
			"XFRMA_ALG_AUTH_TRUNC");
	if (at[A_AEAD] != NULL)
		rc = nl_alg_read_aead(q, at[A_AEAD], sa);
	else
		rc = nl_alg_read_crypt(q, at[A_CRYPT], sa);
	if (rc == 0 && auth != NULL)
		rc = nl_alg_read_auth(q, auth, at[A_AUTH_TRUNC] != NULL, sa);
	return rc;
}

/* RFC 8750: Linux has no names for suites with implicit IVs. */
static int
read_encr(struct nl_req *q, const struct nlattr *a, struct esp_sa_conf *sa)
{
	uint16_t encr;

	if (a == NULL)
		return 0;
	encr = mnl_attr_get_u16(a);
	if (encr != sa->encr &&
		!(encr == ESP_ENCR_AES_GCM_16_IIV && sa->encr == ESP_ENCR_AES_GCM_16) &&
		!(encr == ESP_ENCR_AES_CCM_8_IIV && sa->encr == ESP_ENCR_AES_CCM_8) &&
		!(encr == ESP_ENCR_CHACHA20_POLY1305_IIV && sa->encr == ESP_ENCR_CHACHA20_POLY1305))
		return nl_refuse(q, -EINVAL,
			"TL_CTL_A_ENCR: %u is not an implicit-IV form of XFRMA_ALG_AEAD", encr);
	sa->encr = encr;
	return 0;
}

static int
read_extra(struct nl_req *q, const struct nlattr *const *at, struct esp_sa_conf *sa)
{
	uint32_t flags = at[A_XFLAGS] == NULL ? 0 : mnl_attr_get_u32(at[A_XFLAGS]);

	if ((flags & ~(uint32_t)XFRM_SA_XFLAG_DONT_ENCAP_DSCP) != 0)
		return nl_refuse(q, -EOPNOTSUPP,
			"XFRMA_SA_EXTRA_FLAGS: 0x%x, only "
			"XFRM_SA_XFLAG_DONT_ENCAP_DSCP is supported",
			flags);
	sa->dscp_set = flags != 0;
	if (at[A_TFCPAD] != NULL)
		sa->tfc_pad_bytes = mnl_attr_get_u32(at[A_TFCPAD]);
	if (sa->tfc_pad_bytes > 9000)
		return nl_refuse(q, -EINVAL, "XFRMA_TFCPAD: expected at most 9000 bytes");
	if (at[A_IF_ID] != NULL)
		sa->realm = mnl_attr_get_u32(at[A_IF_ID]);
	sa->sel.realm = sa->realm;
	sa->manual = at[A_MANUAL] != NULL;
	if (sa->manual && !q->k->s->conf.manual_keys)
		return nl_refuse(q, -EPERM,
			"keys typed by people are laboratory keys (RFC 8221 s3); expected [stack] "
			"manual-keys = i-accept-the-risk");
	return 0;
}

/* Where the connections of its flows live already, else by the peer's address. */
static int
read_worker(struct nl_req *q, const struct nlattr *a, struct esp_sa_conf *sa)
{
	const struct control *c = &q->k->s->control;
	uint32_t workers = q->k->s->conf.workers, want;

	want = a != NULL ? mnl_attr_get_u32(a)
			 : rte_jhash(&sa->remote, sizeof(sa->remote), 0) % workers;
	if (want >= workers)
		return nl_refuse(
			q, -EINVAL, "TL_CTL_A_WORKER: expected a worker below %u", workers);
	sa->owner = (uint16_t)want;
	for (uint32_t i = 0; i < c->nb_slots && a == NULL && workers > 1; i++) {
		if (c->sa[i].name[0] != '\0' && esp_sel_overlap(&c->sa[i].conf.sel, &sa->sel)) {
			sa->owner = c->sa[i].conf.owner;
			break;
		}
	}
	return 0;
}

/* Everything but the identities and the profile. */
static int
read_sa(struct nl_req *q, const struct xfrm_usersa_info *x, const struct nlattr *const *at,
	struct esp_sa_conf *sa)
{
	int rc = nl_proto_read(q, x->id.proto);

	sa->spi = rte_be_to_cpu_32(x->id.spi);
	sa->reqid = x->reqid;
	if (rc == 0)
		rc = read_ends(q, x->family, &x->id.daddr, &x->saddr, sa);
	if (rc == 0)
		rc = read_mode(q, x->mode, sa);
	if (rc == 0)
		rc = read_flags(q, x, sa);
	if (rc == 0)
		rc = read_sel(q, x, at[A_SEL], sa);
	if (rc == 0)
		rc = read_life(q, &x->lft, &sa->life);
	if (rc == 0)
		rc = read_replay(q, x, at, sa);
	if (rc == 0)
		rc = read_encap(q, at[A_ENCAP], x->family, sa);
	if (rc == 0)
		rc = read_algs(q, at, sa);
	if (rc == 0)
		rc = read_encr(q, at[A_ENCR], sa);
	if (rc == 0)
		rc = read_extra(q, at, sa);
	return rc == 0 ? read_worker(q, at[A_WORKER], sa) : rc;
}

/* P-22: evidence was told before and is named by its hash. */
static int
read_evidence(struct nl_req *q, const struct nlattr *const *at, struct esp_sa_conf *sa)
{
	uint8_t cls = 0, said = at[A_AUTH_CLASS] == NULL ? 0 : mnl_attr_get_u8(at[A_AUTH_CLASS]);
	int rc = nl_get_evidence(
		q, at[A_LOCAL_EV], "TL_CTL_A_LOCAL_EV", sa->local_id, &sa->local_ev, &cls);

	cls = 0;
	if (rc == 0)
		rc = nl_get_evidence(
			q, at[A_PEER_EV], "TL_CTL_A_PEER_EV", sa->peer_id, &sa->peer_ev, &cls);
	if (rc != 0)
		return rc;
	if (said > TL_AUTH_NULL)
		return nl_refuse(q, -EINVAL, "TL_CTL_A_AUTH_CLASS: expected 0 to %u", TL_AUTH_NULL);
	if (at[A_AUTH_CLASS] != NULL && at[A_PEER_EV] != NULL && said != cls)
		return nl_refuse(q, -EINVAL,
			"TL_CTL_A_AUTH_CLASS: %u, but the evidence of the peer is of class %u",
			said, cls);
	sa->auth_class = at[A_PEER_EV] != NULL ? cls : said;
	return 0;
}

/* E-21: what a peer says of itself and nothing proves is no name; the policy would believe it. */
static int
check_null(struct nl_req *q, const struct tl_ident *peer, const struct esp_sa_conf *sa)
{
	if (sa->auth_class != TL_AUTH_NULL || sa->peer_id == 0 || peer->type == TL_ID_NULL)
		return 0;
	return nl_refuse(q, -EINVAL,
		"TL_CTL_A_PEER_ID: a peer of class %u proved no name; expected type %u, with the "
		"SPIs of its first IKE SA",
		TL_AUTH_NULL, TL_ID_NULL);
}

/* F-46: the identities come with their SA and are interned with it. */
static int
add(struct nl_req *q, const char *name, const struct nlattr *const *at, struct esp_sa_conf *sa)
{
	struct tl_stack *s = q->k->s;
	struct tl_ident local, peer;
	const char *why;
	int rc = nl_get_ident(q, at[A_LOCAL_ID], "TL_CTL_A_LOCAL_ID", &local);

	if (rc == 0)
		rc = nl_get_ident(q, at[A_PEER_ID], "TL_CTL_A_PEER_ID", &peer);
	if (rc == 0 && esp_sa_check(sa, &why) != 0)
		rc = nl_refuse(q, -EINVAL, "SPI 0x%08x: %s", sa->spi, why);
	if (rc == 0)
		rc = nl_intern(q, &local, "TL_CTL_A_LOCAL_ID", &sa->local_id);
	if (rc == 0)
		rc = nl_intern(q, &peer, "TL_CTL_A_PEER_ID", &sa->peer_id);
	if (rc == 0)
		rc = read_evidence(q, at, sa);
	if (rc == 0)
		rc = check_null(q, &peer, sa);
	if (rc == 0)
		rc = conf_sa_finish(&s->conf, sa);
	if (rc == 0)
		rc = control_sa_add(s, name, sa, &q->e);
	return rc;
}

/* ---- new, update ---- */

/* As Linux: an SPI got by ALLOCSPI is completed by UPDSA only; another one by NEWSA only. */
static int
check_larval(struct nl_req *q, const struct esp_sa_conf *sa, bool update)
{
	struct ctl_larval *l = sa->inbound ? nl_larval_find(q->k, sa->spi, sa->realm) : NULL;

	if (!update && l != NULL)
		return nl_refuse(q, -EEXIST,
			"SPI 0x%08x was allocated: complete it with XFRM_MSG_UPDSA", sa->spi);
	if (update && l == NULL &&
		control_sa_by_spi(q->k->s, sa->inbound, sa->spi,
			sa->inbound ? &sa->local : &sa->remote, sa->realm) >= 0)
		return nl_refuse(q, -EEXIST,
			"SPI 0x%08x: an SA does not change; add another one and delete this",
			sa->spi);
	if (update && l == NULL)
		return nl_refuse(q, -ESRCH, "SPI 0x%08x: not allocated, or not in time", sa->spi);
	return 0;
}

static int
sa_enter(struct nl_req *q, bool update)
{
	const struct nlattr *at[A_NEW_MAX];
	struct xfrm_usersa_info x;
	struct esp_sa_conf sa = {0};
	char name[CONF_NAME] = "";
	int rc = nl_parse(q, &x, sizeof(x), new_rules, A_NEW_MAX, at);

	if (rc == 0 && at[A_NAME] != NULL)
		rc = nl_get_name(q, at[A_NAME], name, sizeof(name));
	if (rc == 0)
		rc = read_sa(q, &x, at, &sa);
	if (rc == 0)
		rc = check_larval(q, &sa, update);
	if (rc == 0)
		rc = add(q, name, at, &sa);
	if (rc >= 0 && update && sa.inbound)
		nl_larval_find(q->k, sa.spi, sa.realm)->spi = 0;
	OPENSSL_cleanse(&sa, sizeof(sa));
	return RTE_MIN(rc, 0);
}

int
nl_sa_new(struct nl_req *q)
{
	return sa_enter(q, false);
}

int
nl_sa_update(struct nl_req *q)
{
	return sa_enter(q, true);
}
