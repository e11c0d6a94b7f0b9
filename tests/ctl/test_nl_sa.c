/* SPDX-License-Identifier: BSD-3-Clause */
/* The SAD messages of linux/xfrm.h: what is taken, what is refused and with which words. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <arpa/inet.h>
#include <linux/udp.h>

#include "tests/util/ctl_env.h"

static const struct esp_sa_conf *
sa_of(struct ctl_env *e, bool inbound, uint32_t spi)
{
	struct ip_addr dst = ip_addr_v4(htonl(inbound ? CTL_ENV_US : CTL_ENV_PEER));
	int slot = control_sa_by_spi(e->n->s, inbound, spi, &dst, 0);

	ck_assert_int_ge(slot, 0);
	return &e->n->s->control.sa[slot].conf;
}

/* A request without algorithms. */
static struct nlmsghdr *
bare_sa(struct ctl_env *e, bool inbound, uint32_t spi)
{
	struct xfrm_usersa_info x = ctl_env_sa(inbound, spi);

	return ctl_env_begin(e, XFRM_MSG_NEWSA, 0, &x, sizeof(x));
}

static struct xfrm_usersa_info *
info_of(struct nlmsghdr *h)
{
	return mnl_nlmsg_get_payload(h);
}

START_TEST(sa_and_its_identities_come_in_one_message)
{
	struct ctl_env *e = ctl_env_new(NULL);
	const struct latch_profile *p;
	const struct esp_sa_conf *sa;

	ctl_env_expect(e, ctl_env_new_sa(e, true, 0x1000), 0, NULL);
	ctl_env_expect(e, ctl_env_new_sa(e, false, 0x2000), 0, NULL);
	sa = sa_of(e, true, 0x1000);
	ck_assert_uint_eq(sa->encr, ESP_ENCR_AES_GCM_16);
	ck_assert_uint_eq(sa->encr_bits, 128);
	ck_assert(!sa->manual && sa->mode == ESP_MODE_TRANSPORT && sa->inbound);
	ck_assert_uint_eq(sa->life.hard_bytes, 0); /* XFRM_INF */
	ck_assert(addr_range_is_host(&sa->sel.remote));
	p = latch_profile_get(e->n->s->conf.tables, sa->profile);
	ck_assert_uint_eq(p->peer_id, sa->peer_id);
	ck_assert_str_eq((const char *)latch_ident_get(e->n->s->conf.tables, sa->peer_id)->data,
		"peer.example");
	/* F-45: the same content has the same handle. */
	ck_assert_uint_eq(sa_of(e, false, 0x2000)->peer_id, sa->peer_id);
	ctl_env_free(e);
}
END_TEST

/* F-39, F-46: packets under it are of class M5. */
START_TEST(sa_without_identity_is_accepted_as_unknown)
{
	struct ctl_env *e = ctl_env_new(NULL);
	struct nlmsghdr *h = bare_sa(e, true, 0x1000);

	ctl_env_put_gcm(e, h);
	ctl_env_expect(e, h, 0, NULL);
	ck_assert_uint_eq(sa_of(e, true, 0x1000)->peer_id, 0);
	ctl_env_free(e);
}
END_TEST

struct alg_case {
	const char *aead, *crypt, *auth;
	uint32_t icv, key_bytes, auth_bytes;
	uint16_t encr, bits, integ;
};

/* clang-format off */
static const struct alg_case algs[] = {
	{"rfc4106(gcm(aes))", NULL, NULL, 64, 20, 0, ESP_ENCR_AES_GCM_8, 128, 0},
	{"rfc4106(gcm(aes))", NULL, NULL, 96, 36, 0, ESP_ENCR_AES_GCM_12, 256, 0},
	{"rfc4106(gcm(aes))", NULL, NULL, 128, 28, 0, ESP_ENCR_AES_GCM_16, 192, 0},
	{"rfc7539esp(chacha20,poly1305)", NULL, NULL, 128, 36, 0, ESP_ENCR_CHACHA20_POLY1305, 256, 0},
	{"rfc4309(ccm(aes))", NULL, NULL, 64, 19, 0, ESP_ENCR_AES_CCM_8, 128, 0},
	{"rfc4309(ccm(aes))", NULL, NULL, 96, 35, 0, ESP_ENCR_AES_CCM_12, 256, 0},
	{"rfc4309(ccm(aes))", NULL, NULL, 128, 19, 0, ESP_ENCR_AES_CCM_16, 128, 0},
	{"rfc4543(gcm(aes))", NULL, NULL, 128, 20, 0, ESP_ENCR_NULL_AUTH_AES_GMAC, 128, 0},
	{NULL, "cbc(aes)", "hmac(sha1)", 96, 16, 20, ESP_ENCR_AES_CBC, 128, ESP_AUTH_HMAC_SHA1_96},
	{NULL, "cbc(aes)", "hmac(sha256)", 128, 32, 32, ESP_ENCR_AES_CBC, 256, ESP_AUTH_HMAC_SHA2_256_128},
	{NULL, "rfc3686(ctr(aes))", "hmac(sha384)", 192, 20, 48, ESP_ENCR_AES_CTR, 128, ESP_AUTH_HMAC_SHA2_384_192},
	{NULL, "ecb(cipher_null)", "hmac(sha512)", 256, 0, 64, ESP_ENCR_NULL, 0, ESP_AUTH_HMAC_SHA2_512_256},
	{NULL, "cbc(aes)", "xcbc(aes)", 96, 24, 16, ESP_ENCR_AES_CBC, 192, ESP_AUTH_AES_XCBC_96},
	{NULL, "cbc(aes)", "cmac(aes)", 96, 16, 16, ESP_ENCR_AES_CBC, 128, ESP_AUTH_AES_CMAC_96},
};
/* clang-format on */

static void
put_alg(struct nlmsghdr *h, uint16_t type, const char *name, uint32_t icv, uint32_t key_bytes,
	uint8_t fill)
{
	uint8_t buf[256] = {0};
	uint32_t bits = key_bytes * 8;
	size_t head = 68;

	strcpy((char *)buf, name);
	memcpy(buf + 64, &bits, 4);
	if (type == XFRMA_ALG_AEAD || type == XFRMA_ALG_AUTH_TRUNC) {
		memcpy(buf + 68, &icv, 4);
		head = 72;
	}
	memset(buf + head, fill, key_bytes);
	mnl_attr_put(h, type, head + key_bytes, buf);
}

START_TEST(names_of_linux_become_transforms_of_iana_and_back)
{
	struct ctl_env *e = ctl_env_new(NULL);

	for (uint32_t i = 0; i < RTE_DIM(algs); i++) {
		const struct alg_case *a = &algs[i];
		struct nlmsghdr *h = bare_sa(e, true, 0x1000 + i);
		const struct esp_sa_conf *sa;
		const struct nlattr *out;

		if (a->aead != NULL)
			put_alg(h, XFRMA_ALG_AEAD, a->aead, a->icv, a->key_bytes, (uint8_t)(i + 1));
		if (a->crypt != NULL)
			put_alg(h, XFRMA_ALG_CRYPT, a->crypt, 0, a->key_bytes, (uint8_t)(i + 1));
		if (a->auth != NULL)
			put_alg(h, XFRMA_ALG_AUTH_TRUNC, a->auth, a->icv, a->auth_bytes,
				(uint8_t)(i + 101));
		ctl_env_expect(e, h, 0, NULL);
		sa = sa_of(e, true, 0x1000 + i);
		ck_assert_uint_eq(sa->encr, a->encr);
		ck_assert_uint_eq(sa->encr_bits, a->bits);
		ck_assert_uint_eq(sa->integ, a->integ);
		h = ctl_env_begin(e, XFRM_MSG_GETSA, 0,
			&(struct xfrm_usersa_id){.daddr = {.a4 = htonl(CTL_ENV_US)},
				.spi = htonl(0x1000 + i),
				.family = AF_INET,
				.proto = 50},
			sizeof(struct xfrm_usersa_id));
		ctl_env_expect(e, h, 0, NULL);
		ck_assert_uint_eq(e->nb_got, 1);
		out = ctl_env_attr(e->got[0], sizeof(struct xfrm_usersa_info),
			a->aead != NULL ? XFRMA_ALG_AEAD : XFRMA_ALG_CRYPT);
		ck_assert_ptr_nonnull(out);
		ck_assert_str_eq(mnl_attr_get_payload(out), a->aead != NULL ? a->aead : a->crypt);
	}
	ctl_env_free(e);
}
END_TEST

START_TEST(algorithms_that_must_not_be_used_are_refused_with_the_reason)
{
	struct ctl_env *e = ctl_env_new(NULL);
	struct nlmsghdr *h = bare_sa(e, true, 0x1000);

	put_alg(h, XFRMA_ALG_CRYPT, "cbc(des)", 0, 8, 1);
	put_alg(h, XFRMA_ALG_AUTH_TRUNC, "hmac(sha256)", 128, 32, 2);
	ctl_env_expect(e, h, -EINVAL, "DES must not be used (RFC 8221");
	h = bare_sa(e, true, 0x1000);
	put_alg(h, XFRMA_ALG_CRYPT, "cbc(aes)", 0, 16, 1);
	put_alg(h, XFRMA_ALG_AUTH, "hmac(md5)", 0, 16, 2);
	ctl_env_expect(e, h, -EINVAL, "HMAC-MD5 must not be used");
	h = bare_sa(e, true, 0x1000);
	put_alg(h, XFRMA_ALG_CRYPT, "cbc(aes)", 0, 16, 1);
	ctl_env_expect(e, h, -EINVAL, "without integrity must not be used");
	h = bare_sa(e, true, 0x1000);
	put_alg(h, XFRMA_ALG_CRYPT, "cbc(aes)", 0, 16, 1);
	put_alg(h, XFRMA_ALG_AUTH, "hmac(sha256)", 0, 32, 2); /* 96 bits in Linux */
	ctl_env_expect(e, h, -EINVAL, "XFRMA_ALG_AUTH_TRUNC");
	h = bare_sa(e, true, 0x1000);
	put_alg(h, XFRMA_ALG_CRYPT, "cbc(cast5)", 0, 16, 1);
	ctl_env_expect(e, h, -EINVAL, "no algorithm is known by this name");
	h = bare_sa(e, true, 0x1000);
	put_alg(h, XFRMA_ALG_AEAD, "rfc4106(gcm(aes))", 80, 20, 1);
	ctl_env_expect(e, h, -EINVAL, "ICV of 80 bits");
	h = ctl_env_new_sa(e, true, 0x1000);
	put_alg(h, XFRMA_ALG_AUTH_TRUNC, "hmac(sha256)", 128, 32, 2);
	ctl_env_expect(e, h, -EINVAL, "beside it is refused");
	ctl_env_expect(e, bare_sa(e, true, 0x1000), -EINVAL, "expected XFRMA_ALG_AEAD");
	ck_assert_uint_eq(ctl_env_sas(e), 0);
	ctl_env_free(e);
}
END_TEST

START_TEST(attributes_of_the_wrong_length_or_twice_or_unknown_are_named)
{
	struct ctl_env *e = ctl_env_new(NULL);
	struct {
		uint16_t type;
		size_t len;
		int code;
		const char *text;
	} cases[] = {
		{XFRMA_ALG_CRYPT, 67, -EINVAL, "XFRMA_ALG_CRYPT: expected 68"},
		{XFRMA_ALG_AUTH_TRUNC, 71, -EINVAL, "XFRMA_ALG_AUTH_TRUNC: expected 72"},
		{XFRMA_ENCAP, 23, -EINVAL, "XFRMA_ENCAP"},
		{XFRMA_ENCAP, 25, -EINVAL, "XFRMA_ENCAP"},
		{XFRMA_TFCPAD, 3, -EINVAL, "XFRMA_TFCPAD"},
		{XFRMA_TFCPAD, 8, -EINVAL, "XFRMA_TFCPAD"},
		{XFRMA_IF_ID, 0, -EINVAL, "XFRMA_IF_ID"},
		{XFRMA_SA_EXTRA_FLAGS, 5, -EINVAL, "XFRMA_SA_EXTRA_FLAGS"},
		{XFRMA_REPLAY_VAL, 11, -EINVAL, "XFRMA_REPLAY_VAL"},
		{XFRMA_REPLAY_ESN_VAL, 23, -EINVAL, "XFRMA_REPLAY_ESN_VAL"},
		{XFRMA_REPLAY_ESN_VAL, 5000, -EINVAL, "XFRMA_REPLAY_ESN_VAL"},
		{TL_CTL_A_NAME, 200, -EINVAL, "TL_CTL_A_NAME"},
		{TL_CTL_A_MANUAL, 1, -EINVAL, "TL_CTL_A_MANUAL"},
		{TL_CTL_A_SEL, 75, -EINVAL, "TL_CTL_A_SEL"},
		{TL_CTL_A_WORKER, 2, -EINVAL, "TL_CTL_A_WORKER"},
		{TL_CTL_A_ENCR, 4, -EINVAL, "TL_CTL_A_ENCR"},
		{TL_CTL_A_LOCAL_ID, 0, -EINVAL, "TL_CTL_A_LOCAL_ID: expected once"},
		{XFRMA_ALG_AEAD, 92, -EINVAL, "XFRMA_ALG_AEAD: expected once"},
		{XFRMA_MARK, 8, -EOPNOTSUPP, "XFRMA_MARK: not supported"},
		{XFRMA_OFFLOAD_DEV, 8, -EOPNOTSUPP, "XFRMA_OFFLOAD_DEV"},
		{XFRMA_ALG_COMP, 80, -EOPNOTSUPP, "XFRMA_ALG_COMP"},
		{XFRMA_TMPL, 64, -EINVAL, "attribute 5: this message does not know it"},
		{TL_CTL_A_HITS, 8, -EINVAL, "does not know it"},
		{0x3fff, 0, -EINVAL, "attribute 16383"},
	};
	static const uint8_t zeros[8192];

	for (size_t i = 0; i < RTE_DIM(cases); i++) {
		struct nlmsghdr *h = ctl_env_new_sa(e, true, 0x1000);

		mnl_attr_put(h, cases[i].type, cases[i].len, zeros);
		ctl_env_expect(e, h, cases[i].code, cases[i].text);
	}
	ck_assert_uint_eq(ctl_env_sas(e), 0);
	ctl_env_free(e);
}
END_TEST

START_TEST(key_that_does_not_end_with_its_attribute_is_refused)
{
	struct ctl_env *e = ctl_env_new(NULL);

	for (int d = -20; d <= 4; d += 4) {
		struct nlmsghdr *h = bare_sa(e, true, 0x1000);
		struct nlattr *a = mnl_nlmsg_get_payload_tail(h);

		ctl_env_put_gcm(e, h);
		a->nla_len = (uint16_t)(a->nla_len + d);
		h->nlmsg_len = (uint32_t)((int)h->nlmsg_len + d);
		if (d != 0)
			ctl_env_expect(e, h, -EINVAL, "a key of 160 bits, but");
	}
	ctl_env_free(e);
}
END_TEST

START_TEST(every_truncation_is_refused_and_reads_no_byte_behind_it)
{
	struct ctl_env *e = ctl_env_new(NULL);
	struct nlmsghdr *h = ctl_env_new_sa(e, true, 0x1000);
	static uint8_t copy[65536];
	uint32_t len = h->nlmsg_len, accepted = 0;

	memcpy(copy, h, len);
	for (uint32_t n = 0; n < len; n++) {
		struct nlmsghdr *cut = (void *)e->buf;

		memcpy(e->buf, copy, len);
		ck_assert_int_eq(ctl_env_send(e, e->buf, n), n == 0 ? 1 : -EINVAL);
		ck_assert_uint_eq(ctl_env_sas(e), 0);
		if (n < sizeof(*cut))
			continue;
		memcpy(e->buf, copy, len);
		cut->nlmsg_len = n; /* it says itself that it is shorter */
		if (ctl_env_send(e, e->buf, n) != 0)
			continue;
		accepted++; /* cut between two attributes: without identities */
		ctl_env_expect(e,
			ctl_env_begin(e, XFRM_MSG_FLUSHSA, 0, &(struct xfrm_usersa_flush){0},
				sizeof(struct xfrm_usersa_flush)),
			0, NULL);
	}
	/* The key is remembered, so the second one was refused. */
	ck_assert_uint_eq(accepted, 1);
	ctl_env_free(e);
}
END_TEST

START_TEST(identities_are_checked)
{
	struct ctl_env *e = ctl_env_new(NULL);
	struct nlmsghdr *h = bare_sa(e, true, 0x1000);
	struct nlattr *nest;

	ctl_env_put_gcm(e, h);
	nest = mnl_attr_nest_start(h, TL_CTL_A_PEER_ID);
	mnl_attr_put_u16(h, TL_CTL_ID_TYPE, TL_ID_IPV4_ADDR);
	mnl_attr_put(h, TL_CTL_ID_DATA, 5, "abcde");
	mnl_attr_nest_end(h, nest);
	ctl_env_expect(e, h, -EINVAL, "TL_CTL_A_PEER_ID: type 1 with 5 bytes");
	h = bare_sa(e, true, 0x1000);
	ctl_env_put_gcm(e, h);
	nest = mnl_attr_nest_start(h, TL_CTL_A_PEER_ID);
	mnl_attr_put_u16(h, TL_CTL_ID_TYPE, TL_ID_IPV4_ADDR);
	mnl_attr_nest_end(h, nest);
	ctl_env_expect(e, h, -EINVAL, "TL_CTL_ID_DATA");
	h = bare_sa(e, true, 0x1000);
	ctl_env_put_gcm(e, h);
	mnl_attr_put(h, TL_CTL_A_PEER_ID, 3, "abc");
	ctl_env_expect(e, h, -EINVAL, "cut off");
	ctl_env_free(e);
}
END_TEST

START_TEST(fixed_part_is_checked)
{
	struct ctl_env *e = ctl_env_new(NULL);
	struct nlmsghdr *h;

#define REFUSED(change, code, text)                                                                \
	do {                                                                                       \
		h = ctl_env_new_sa(e, true, 0x1000);                                               \
		change;                                                                            \
		ctl_env_expect(e, h, code, text);                                                  \
	} while (0)
	REFUSED(info_of(h)->id.proto = 51, -EOPNOTSUPP, "expected ESP");
	REFUSED(info_of(h)->id.proto = 6, -EINVAL, "expected ESP");
	REFUSED(info_of(h)->family = 7, -EINVAL, "AF_INET");
	REFUSED(info_of(h)->id.spi = htonl(255), -EINVAL, "SPI 0 to 255 are reserved");
	REFUSED(info_of(h)->id.daddr.a4 = htonl(0x0a000009), -EINVAL, "neither source nor");
	REFUSED(info_of(h)->mode = XFRM_MODE_BEET, -EOPNOTSUPP, "mode 4");
	REFUSED(info_of(h)->mode = 9, -EINVAL, "mode 9");
	REFUSED(info_of(h)->flags = XFRM_STATE_DECAP_DSCP, -EOPNOTSUPP, "XFRM_STATE_DECAP_DSCP");
	REFUSED(info_of(h)->flags = XFRM_STATE_WILDRECV, -EOPNOTSUPP, "XFRM_STATE_WILDRECV");
	REFUSED(info_of(h)->flags = XFRM_STATE_ESN, -EINVAL, "expected XFRMA_REPLAY_ESN_VAL");
	REFUSED(info_of(h)->replay_window = 7, -EINVAL, "the replay window is 0, or 32");
	REFUSED(info_of(h)->lft.hard_byte_limit = 0, -EINVAL, "XFRM_INF means no limit");
	REFUSED(info_of(h)->lft.hard_add_expires_seconds = UINT64_C(1) << 32, -EINVAL, "2^32");
	REFUSED(info_of(h)->mode = XFRM_MODE_TUNNEL, -EINVAL, "tunnel mode needs selectors");
	REFUSED(info_of(h)->sel.prefixlen_s = 1, -EINVAL, "a prefix without a family");
	REFUSED((info_of(h)->sel.family = AF_INET, info_of(h)->sel.prefixlen_d = 33), -EINVAL,
		"prefix length of 33");
	REFUSED((info_of(h)->sel.family = AF_INET, info_of(h)->sel.sport_mask = 0xff), -EINVAL,
		"mask of 0 or 0xffff");
	REFUSED(info_of(h)->sel.ifindex = 1, -EOPNOTSUPP, "an interface or a user");
#undef REFUSED
	ck_assert_uint_eq(ctl_env_sas(e), 0);
	ctl_env_free(e);
}
END_TEST

START_TEST(lifetimes_window_encapsulation_and_flags_arrive)
{
	struct ctl_env *e = ctl_env_new(NULL);
	struct nlmsghdr *h = ctl_env_new_sa(e, true, 0x1000);
	struct xfrm_usersa_info *x = info_of(h);
	struct xfrm_replay_state_esn x_esn = {.bmp_len = 32, .replay_window = 1024};
	uint8_t esn[sizeof(x_esn) + 128] = {0};
	struct xfrm_encap_tmpl udp = {.encap_type = UDP_ENCAP_ESPINUDP,
		.encap_sport = htons(1111),
		.encap_dport = htons(4500)};
	const struct esp_sa_conf *sa;

	x->lft.soft_byte_limit = 1000;
	x->lft.hard_packet_limit = 77;
	x->lft.hard_use_expires_seconds = 60;
	x->flags = XFRM_STATE_ESN | XFRM_STATE_NOECN | XFRM_STATE_NOPMTUDISC | XFRM_STATE_AF_UNSPEC;
	x->mode = XFRM_MODE_TUNNEL;
	x->reqid = 5;
	memcpy(esn, &x_esn, sizeof(x_esn));
	mnl_attr_put(h, XFRMA_REPLAY_ESN_VAL, sizeof(esn), esn);
	mnl_attr_put(h, XFRMA_ENCAP, sizeof(udp), &udp);
	mnl_attr_put_u32(h, XFRMA_TFCPAD, 1200);
	mnl_attr_put_u32(h, XFRMA_SA_EXTRA_FLAGS, XFRM_SA_XFLAG_DONT_ENCAP_DSCP);
	ctl_env_expect(e, h, 0, NULL);
	sa = sa_of(e, true, 0x1000);
	ck_assert_uint_eq(sa->life.soft_bytes, 1000);
	ck_assert_uint_eq(sa->life.hard_packets, 77);
	ck_assert_uint_eq(sa->life.hard_use_s, 60);
	ck_assert(sa->esn && sa->ecn_off && sa->df == ESP_DF_CLEAR && sa->udp && sa->dscp_set);
	ck_assert_uint_eq(sa->udp_local, 4500);
	ck_assert_uint_eq(sa->udp_remote, 1111);
	ck_assert_uint_eq(sa->replay_window, 1024);
	ck_assert_uint_eq(sa->tfc_pad_bytes, 1200);
	ck_assert_uint_eq(sa->reqid, 5);
	ck_assert_int_eq(addr_range_plen(&sa->sel.remote), 0);
	h = ctl_env_new_sa(e, true, 0x1001);
	x_esn.replay_window = 1025;
	memcpy(esn, &x_esn, sizeof(x_esn));
	mnl_attr_put(h, XFRMA_REPLAY_ESN_VAL, sizeof(esn), esn);
	ctl_env_expect(e, h, -EINVAL, "a window of 1025 packets");
	h = ctl_env_new_sa(e, true, 0x1001);
	x_esn.bmp_len = 0x40000020;
	memcpy(esn, &x_esn, sizeof(x_esn));
	mnl_attr_put(h, XFRMA_REPLAY_ESN_VAL, sizeof(esn), esn);
	ctl_env_expect(e, h, -EINVAL, "are not what follows");
	ctl_env_free(e);
}
END_TEST

START_TEST(selector_of_linux_is_turned_by_direction)
{
	struct ctl_env *e = ctl_env_new(NULL);

	for (int in = 0; in < 2; in++) {
		struct nlmsghdr *h = ctl_env_new_sa(e, in == 1, 0x1000);
		struct xfrm_selector *s = &info_of(h)->sel;
		const struct esp_sa_conf *sa;

		*s = (struct xfrm_selector){.family = AF_INET,
			.prefixlen_s = 24,
			.prefixlen_d = 16,
			.proto = 6,
			.sport = htons(80),
			.sport_mask = 0xffff};
		s->saddr.a4 = htonl(0x0a010100);
		s->daddr.a4 = htonl(0x0a020000);
		ctl_env_expect(e, h, 0, NULL);
		sa = sa_of(e, in == 1, 0x1000);
		ck_assert_int_eq(addr_range_plen(in ? &sa->sel.remote : &sa->sel.local), 96 + 24);
		ck_assert_int_eq(addr_range_plen(in ? &sa->sel.local : &sa->sel.remote), 96 + 16);
		ck_assert_uint_eq((in ? sa->sel.rport : sa->sel.lport).lo, 80);
		ck_assert_uint_eq((in ? sa->sel.lport : sa->sel.rport).hi, 65535);
	}
	ctl_env_free(e);
}
END_TEST

START_TEST(typed_keys_need_consent_and_cannot_have_implicit_ivs)
{
	struct ctl_env *e = ctl_env_new(NULL);
	struct nlmsghdr *h;

	e->n->s->conf.manual_keys = false;
	h = ctl_env_new_sa(e, true, 0x1000);
	mnl_attr_put(h, TL_CTL_A_MANUAL, 0, NULL);
	ctl_env_expect(e, h, -EPERM, "manual-keys = i-accept-the-risk");
	h = ctl_env_new_sa(e, true, 0x1000);
	mnl_attr_put_u16(h, TL_CTL_A_ENCR, ESP_ENCR_AES_GCM_16_IIV);
	ctl_env_expect(e, h, 0, NULL);
	ck_assert_uint_eq(sa_of(e, true, 0x1000)->encr, ESP_ENCR_AES_GCM_16_IIV);
	h = ctl_env_new_sa(e, true, 0x1001);
	mnl_attr_put_u16(h, TL_CTL_A_ENCR, ESP_ENCR_CHACHA20_POLY1305_IIV);
	ctl_env_expect(e, h, -EINVAL, "not an implicit-IV form");
	e->n->s->conf.manual_keys = true;
	h = ctl_env_new_sa(e, true, 0x1002);
	mnl_attr_put(h, TL_CTL_A_MANUAL, 0, NULL);
	mnl_attr_put_u16(h, TL_CTL_A_ENCR, ESP_ENCR_AES_GCM_16_IIV);
	ctl_env_expect(e, h, -EINVAL, "implicit IVs need negotiated keys");
	h = ctl_env_new_sa(e, true, 0x1002);
	mnl_attr_put(h, TL_CTL_A_MANUAL, 0, NULL);
	ctl_env_expect(e, h, 0, NULL);
	ck_assert(sa_of(e, true, 0x1002)->manual);
	ctl_env_free(e);
}
END_TEST

static struct nlmsghdr *
id_request(struct ctl_env *e, uint16_t type, bool inbound, uint32_t spi)
{
	struct xfrm_usersa_id id = {.daddr = {.a4 = htonl(inbound ? CTL_ENV_US : CTL_ENV_PEER)},
		.spi = htonl(spi),
		.family = AF_INET,
		.proto = 50};

	return ctl_env_begin(e, type, 0, &id, sizeof(id));
}

START_TEST(sa_is_got_and_deleted_by_destination_and_spi)
{
	struct ctl_env *e = ctl_env_new(NULL);
	struct xfrm_usersa_info x;
	struct nlmsghdr *h;

	ctl_env_expect(e, ctl_env_new_sa(e, true, 0x1000), 0, NULL);
	ctl_env_expect(e, ctl_env_new_sa(e, false, 0x1000), 0, NULL);
	ctl_env_expect(e, ctl_env_new_sa(e, true, 0x1000), -EEXIST, "exists");
	ctl_env_expect(e, id_request(e, XFRM_MSG_GETSA, false, 0x1000), 0, NULL);
	memcpy(&x, mnl_nlmsg_get_payload(e->got[0]), sizeof(x));
	ck_assert_uint_eq(ntohl(x.id.daddr.a4), CTL_ENV_PEER);
	ck_assert_uint_eq(e->got[0]->nlmsg_seq, e->seq);
	ck_assert_uint_eq(e->got[0]->nlmsg_pid, 77);
	ck_assert(x.lft.hard_byte_limit == XFRM_INF);
	ctl_env_expect(e, id_request(e, XFRM_MSG_GETSA, true, 0x1001), -ESRCH, "no such SA");
	h = id_request(e, XFRM_MSG_DELSA, true, 0x1000);
	mnl_attr_put_u8(h, TL_CTL_A_CAUSE, 3);
	ctl_env_expect(e, h, -EINVAL, "TL_CTL_A_CAUSE");
	h = id_request(e, XFRM_MSG_DELSA, true, 0x1000);
	mnl_attr_put_u8(h, TL_CTL_A_CAUSE, TL_CTL_CAUSE_REVOKED);
	ctl_env_expect(e, h, 0, NULL);
	ctl_env_expect(e, id_request(e, XFRM_MSG_DELSA, true, 0x1000), -ESRCH, "no such SA");
	ck_assert_uint_eq(ctl_env_sas(e), 1);
	ctl_env_free(e);
}
END_TEST

/* ---- SPIs ---- */

static struct nlmsghdr *
alloc_request(struct ctl_env *e, uint32_t lo, uint32_t hi)
{
	struct xfrm_userspi_info x = {.info = ctl_env_sa(true, 0), .min = lo, .max = hi};

	return ctl_env_begin(e, XFRM_MSG_ALLOCSPI, 0, &x, sizeof(x));
}

static uint32_t
spi_got(struct ctl_env *e)
{
	struct xfrm_usersa_info x;

	ck_assert_uint_eq(e->nb_got, 1);
	ck_assert_uint_eq(e->got[0]->nlmsg_type, XFRM_MSG_NEWSA);
	memcpy(&x, mnl_nlmsg_get_payload(e->got[0]), sizeof(x));
	return ntohl(x.id.spi);
}

static struct nlmsghdr *
update_request(struct ctl_env *e, uint32_t spi)
{
	struct nlmsghdr *h = ctl_env_new_sa(e, true, spi);

	h->nlmsg_type = XFRM_MSG_UPDSA;
	return h;
}

START_TEST(allocated_spi_is_completed_by_update_within_30_seconds)
{
	struct ctl_env *e = ctl_env_new(NULL);

	ctl_env_expect(e, alloc_request(e, 0x5000, 0x5000), 0, NULL);
	ck_assert_uint_eq(spi_got(e), 0x5000);
	ctl_env_expect(e, alloc_request(e, 0x5000, 0x5000), -ENOENT, "no SPI is free");
	ctl_env_expect(e, ctl_env_new_sa(e, true, 0x5000), -EEXIST, "XFRM_MSG_UPDSA");
	ctl_env_expect(e, update_request(e, 0x5000), 0, NULL);
	ctl_env_expect(e, update_request(e, 0x5000), -EEXIST, "an SA does not change");
	ctl_env_expect(e, update_request(e, 0x6000), -ESRCH, "not allocated");
	ctl_env_expect(e, alloc_request(e, 0x6000, 0x6000), 0, NULL);
	ctl_tick(e->k, VNET_S + 29 * VNET_S);
	ctl_env_expect(e, alloc_request(e, 0x6000, 0x6000), -ENOENT, NULL);
	ctl_tick(e->k, VNET_S + 30 * VNET_S);
	ctl_env_expect(e, update_request(e, 0x6000), -ESRCH, "not in time");
	ctl_env_expect(e, alloc_request(e, 0x6000, 0x6000), 0, NULL);
	ctl_env_expect(e, id_request(e, XFRM_MSG_DELSA, true, 0x6000), 0, NULL);
	ctl_env_expect(e, alloc_request(e, 0x6000, 0x6000), 0, NULL);
	ctl_env_expect(e, alloc_request(e, 9, 8), -EINVAL, "above 255");
	ctl_env_expect(e, alloc_request(e, 1, 255), -EINVAL, "above 255");
	ctl_env_free(e);
}
END_TEST

START_TEST(promised_spis_are_bounded)
{
	struct ctl_env *e = ctl_env_new(NULL);

	for (uint32_t i = 0; i < CTL_LARVAL_MAX; i++)
		ctl_env_expect(e, alloc_request(e, 256, UINT32_MAX), 0, NULL);
	ctl_env_expect(e, alloc_request(e, 256, UINT32_MAX), -ENOSPC, "wait for their SAs");
	ctl_env_free(e);
}
END_TEST

/* ---- dumps ---- */

static bool
holds(const void *in, size_t len, const void *what, size_t n)
{
	return memmem(in, len, what, n) != NULL;
}

START_TEST(dump_of_1000_sas_comes_in_several_datagrams_without_keys)
{
	static const char *const many[] = {"stack.max-sas", "2048", NULL};
	struct ctl_env *e = ctl_env_new(many);
	uint8_t key[8];

	memset(key, 0xa5, sizeof(key));
	for (uint32_t i = 0; i < 1000; i++)
		ctl_env_expect(e, ctl_env_new_sa(e, true, 0x10000 + i), 0, NULL);
	ctl_env_ask(e, ctl_env_begin(e, XFRM_MSG_GETSA, NLM_F_DUMP, NULL, 0));
	ck_assert_uint_eq(e->nb_got, 1000);
	ck_assert_uint_eq(e->nb_done, 1);
	ck_assert_uint_gt(e->nb_dgrams, 20);
	for (uint32_t i = 0; i < 1000; i++) {
		ck_assert_uint_eq(e->got[i]->nlmsg_type, XFRM_MSG_NEWSA);
		ck_assert((e->got[i]->nlmsg_flags & NLM_F_MULTI) != 0);
		ck_assert_uint_eq(e->got[i]->nlmsg_seq, e->seq);
		ck_assert(!holds(e->got[i], e->got[i]->nlmsg_len, key, sizeof(key)));
	}
	ctl_env_expect(e,
		ctl_env_begin(e, XFRM_MSG_GETSADINFO, 0, &(uint32_t){UINT32_MAX}, sizeof(uint32_t)),
		0, NULL);
	ck_assert_uint_eq(mnl_attr_get_u32(ctl_env_attr(e->got[0], 4, XFRMA_SAD_CNT)), 1000);
	ctl_env_expect(e,
		ctl_env_begin(e, XFRM_MSG_FLUSHSA, 0, &(struct xfrm_usersa_flush){0},
			sizeof(struct xfrm_usersa_flush)),
		0, NULL);
	ck_assert_uint_eq(ctl_env_sas(e), 0);
	ctl_env_free(e);
}
END_TEST

START_TEST(second_dump_waits_for_the_end_of_the_first)
{
	struct ctl_env *e = ctl_env_new(NULL);
	struct nlmsghdr *h = ctl_env_begin(e, XFRM_MSG_GETSA, NLM_F_DUMP, NULL, 0);
	uint32_t len = h->nlmsg_len;

	memcpy(e->buf + len, e->buf, len);
	ck_assert_int_eq(ctl_env_send(e, e->buf, 2 * len), -EBUSY);
	ck_assert_uint_eq(e->nb_done, 1);
	ctl_env_free(e);
}
END_TEST

/* RFC 3549 s2.2: each message of a datagram stands for itself. */
START_TEST(error_in_a_batch_undoes_no_other_message)
{
	struct ctl_env *e = ctl_env_new(NULL);
	static uint8_t batch[4096];
	uint32_t n = 0;

	for (uint32_t i = 0; i < 3; i++) {
		struct nlmsghdr *h = ctl_env_new_sa(e, true, i == 1 ? 9 : 0x1000 + i);

		memcpy(batch + n, h, h->nlmsg_len);
		n += h->nlmsg_len;
	}
	ctl_env_send(e, batch, n);
	ck_assert_uint_eq(e->nb_dgrams, 3);
	ck_assert_int_eq(e->code, 0); /* of the last one */
	ck_assert_uint_eq(ctl_env_sas(e), 2);
	ctl_env_free(e);
}
END_TEST

START_TEST(key_that_came_before_is_refused)
{
	struct ctl_env *e = ctl_env_new(NULL);

	ctl_env_expect(e, ctl_env_new_sa(e, true, 0x1000), 0, NULL);
	e->keys--;
	ctl_env_expect(e, ctl_env_new_sa(e, false, 0x2000), -EEXIST, "nonces could repeat");
	ctl_env_free(e);
}
END_TEST

/* P-14: the inbound SAs of a flow have one owner. */
START_TEST(sa_without_a_worker_joins_those_of_its_flows)
{
	static const char *const two[] = {"stack.workers", "2", NULL};
	struct ctl_env *e = ctl_env_new(two);

	for (uint32_t w = 0; w < 2; w++) {
		struct nlmsghdr *h = ctl_env_new_sa(e, true, 0x1000);

		mnl_attr_put_u32(h, TL_CTL_A_WORKER, w);
		ctl_env_expect(e, h, 0, NULL);
		ctl_env_expect(e, ctl_env_new_sa(e, true, 0x1001), 0, NULL);
		ctl_env_expect(e, ctl_env_new_sa(e, false, 0x1001), 0, NULL);
		ck_assert_uint_eq(sa_of(e, true, 0x1001)->owner, w);
		ck_assert_uint_eq(sa_of(e, false, 0x1001)->owner, w);
		h = ctl_env_new_sa(e, true, 0x1002);
		mnl_attr_put_u32(h, TL_CTL_A_WORKER, 1 - w);
		ctl_env_expect(e, h, 0, NULL); /* RFC 9611: one for each worker */
		ck_assert_uint_eq(sa_of(e, true, 0x1002)->owner, 1 - w);
		h = ctl_env_new_sa(e, true, 0x1003);
		mnl_attr_put_u32(h, TL_CTL_A_WORKER, 2);
		ctl_env_expect(e, h, -EINVAL, "a worker below 2");
		ctl_env_expect(e,
			ctl_env_begin(e, XFRM_MSG_FLUSHSA, 0, &(struct xfrm_usersa_flush){0},
				sizeof(struct xfrm_usersa_flush)),
			0, NULL);
	}
	ctl_env_free(e);
}
END_TEST

START_TEST(e13_cipher_key_again_with_another_mac_key_is_refused)
{
	struct ctl_env *e = ctl_env_new(NULL);
	struct {
		struct xfrm_algo a;
		uint8_t key[20];
	} c;
	struct {
		struct xfrm_algo_auth a;
		uint8_t key[32];
	} m;

	for (uint32_t i = 0; i < 2; i++) {
		struct nlmsghdr *h = bare_sa(e, i == 0, 0x1000 + i);

		memset(&c, 0, sizeof(c));
		memset(&m, 0, sizeof(m));
		strcpy(c.a.alg_name, "rfc3686(ctr(aes))");
		c.a.alg_key_len = 160;
		memset(c.key, 0x77, sizeof(c.key));
		strcpy(m.a.alg_name, "hmac(sha256)");
		m.a.alg_key_len = 256;
		m.a.alg_trunc_len = 128;
		memset(m.key, (int)i + 1, sizeof(m.key));
		mnl_attr_put(h, XFRMA_ALG_CRYPT, sizeof(c.a) + 20, &c);
		mnl_attr_put(h, XFRMA_ALG_AUTH_TRUNC, sizeof(m.a) + 32, &m);
		ctl_env_put_ident(h, TL_CTL_A_LOCAL_ID, "me.example");
		ctl_env_put_ident(h, TL_CTL_A_PEER_ID, "peer.example");
		ctl_env_expect(e, h, i == 0 ? 0 : -EEXIST, NULL);
	}
	ctl_env_free(e);
}
END_TEST

static Suite *
suite(void)
{
	Suite *s = suite_create("nl_sa");
	TCase *c = tcase_create("nl_sa");

	tcase_set_timeout(c, 60);
	tcase_add_test(c, e13_cipher_key_again_with_another_mac_key_is_refused);
	tcase_add_test(c, sa_and_its_identities_come_in_one_message);
	tcase_add_test(c, sa_without_identity_is_accepted_as_unknown);
	tcase_add_test(c, names_of_linux_become_transforms_of_iana_and_back);
	tcase_add_test(c, algorithms_that_must_not_be_used_are_refused_with_the_reason);
	tcase_add_test(c, attributes_of_the_wrong_length_or_twice_or_unknown_are_named);
	tcase_add_test(c, key_that_does_not_end_with_its_attribute_is_refused);
	tcase_add_test(c, every_truncation_is_refused_and_reads_no_byte_behind_it);
	tcase_add_test(c, identities_are_checked);
	tcase_add_test(c, fixed_part_is_checked);
	tcase_add_test(c, lifetimes_window_encapsulation_and_flags_arrive);
	tcase_add_test(c, selector_of_linux_is_turned_by_direction);
	tcase_add_test(c, typed_keys_need_consent_and_cannot_have_implicit_ivs);
	tcase_add_test(c, sa_is_got_and_deleted_by_destination_and_spi);
	tcase_add_test(c, allocated_spi_is_completed_by_update_within_30_seconds);
	tcase_add_test(c, promised_spis_are_bounded);
	tcase_add_test(c, dump_of_1000_sas_comes_in_several_datagrams_without_keys);
	tcase_add_test(c, second_dump_waits_for_the_end_of_the_first);
	tcase_add_test(c, error_in_a_batch_undoes_no_other_message);
	tcase_add_test(c, key_that_came_before_is_refused);
	tcase_add_test(c, sa_without_a_worker_joins_those_of_its_flows);
	suite_add_tcase(s, c);
	return s;
}

int
main(void)
{
	env_eal_init();
	return env_main(suite());
}
