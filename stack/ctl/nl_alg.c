/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * nl_alg.c - algorithms: names of Linux, numbers of IANA, and keys in attributes.
 *
 * What must not be used (RFC 8221) has a row too, so that it is refused with the reason.
 */
#include "stack/ctl/nl_xfrm.h"

#include <errno.h>
#include <openssl/crypto.h>

/* clang-format off */
static const struct nl_alg algs[] = {
	{NL_ALG_AEAD, "rfc4106(gcm(aes))", 64, ESP_ENCR_AES_GCM_8, false},
	{NL_ALG_AEAD, "rfc4106(gcm(aes))", 96, ESP_ENCR_AES_GCM_12, false},
	{NL_ALG_AEAD, "rfc4106(gcm(aes))", 128, ESP_ENCR_AES_GCM_16, false},
	{NL_ALG_AEAD, "rfc7539esp(chacha20,poly1305)", 128, ESP_ENCR_CHACHA20_POLY1305, false},
	{NL_ALG_AEAD, "rfc4309(ccm(aes))", 64, ESP_ENCR_AES_CCM_8, false},
	{NL_ALG_AEAD, "rfc4309(ccm(aes))", 96, ESP_ENCR_AES_CCM_12, false},
	{NL_ALG_AEAD, "rfc4309(ccm(aes))", 128, ESP_ENCR_AES_CCM_16, false},
	{NL_ALG_AEAD, "rfc4543(gcm(aes))", 128, ESP_ENCR_NULL_AUTH_AES_GMAC, false},
	{NL_ALG_CRYPT, "cbc(aes)", 0, ESP_ENCR_AES_CBC, false},
	{NL_ALG_CRYPT, "rfc3686(ctr(aes))", 0, ESP_ENCR_AES_CTR, false},
	{NL_ALG_CRYPT, "ecb(cipher_null)", 0, ESP_ENCR_NULL, false},
	{NL_ALG_CRYPT, "cbc(des)", 0, 2, false},
	{NL_ALG_CRYPT, "cbc(des3_ede)", 0, 3, false},
	{NL_ALG_CRYPT, "cbc(blowfish)", 0, 7, false},
	{NL_ALG_AUTH, "hmac(sha1)", 96, ESP_AUTH_HMAC_SHA1_96, true},
	{NL_ALG_AUTH, "hmac(sha256)", 128, ESP_AUTH_HMAC_SHA2_256_128, false},
	{NL_ALG_AUTH, "hmac(sha384)", 192, ESP_AUTH_HMAC_SHA2_384_192, true},
	{NL_ALG_AUTH, "hmac(sha512)", 256, ESP_AUTH_HMAC_SHA2_512_256, true},
	{NL_ALG_AUTH, "xcbc(aes)", 96, ESP_AUTH_AES_XCBC_96, true},
	{NL_ALG_AUTH, "cmac(aes)", 96, ESP_AUTH_AES_CMAC_96, true},
	{NL_ALG_AUTH, "hmac(md5)", 96, 1, true},
};
/* clang-format on */

const struct nl_alg *
nl_alg_row(size_t i)
{
	return i < RTE_DIM(algs) ? &algs[i] : NULL;
}

const struct nl_alg *
nl_alg_by_id(enum nl_alg_kind kind, uint16_t id)
{
	for (size_t i = 0; i < RTE_DIM(algs); i++) {
		if (algs[i].kind == kind && algs[i].id == id)
			return &algs[i];
	}
	return NULL;
}

/* What the three structures have in common. */
struct alg_in {
	const char *attr;
	char name[64];
	uint32_t key_bits, icv_bits;
	const uint8_t *key;
	size_t key_bytes;
};

/* The name ends within its field, and the key is exactly as long as it says. */
static int
alg_check(struct nl_req *q, struct alg_in *in, const struct nlattr *a, size_t head)
{
	size_t have = mnl_attr_get_payload_len(a) - head;

	if (memchr(in->name, '\0', sizeof(in->name)) == NULL)
		return nl_refuse(q, -EINVAL, "%s: the name of the algorithm has no end", in->attr);
	in->key_bytes = in->key_bits / 8;
	if (in->key_bits % 8 != 0 || in->key_bytes != have)
		return nl_refuse(q, -EINVAL, "%s: a key of %u bits, but %zu bytes follow", in->attr,
			in->key_bits, have);
	in->key = (const uint8_t *)mnl_attr_get_payload(a) + head;
	return 0;
}

static const struct nl_alg *
alg_find(struct nl_req *q, const struct alg_in *in, enum nl_alg_kind kind, bool by_default)
{
	bool known = false;

	for (size_t i = 0; i < RTE_DIM(algs); i++) {
		if (algs[i].kind != kind || strcmp(algs[i].name, in->name) != 0)
			continue;
		if (by_default ? algs[i].is_default : algs[i].icv_bits == in->icv_bits)
			return &algs[i];
		known = true;
	}
	if (known && by_default)
		nl_refuse(q, -EINVAL,
			"%s: %s has another ICV length in Linux than in RFC 4868; expected "
			"XFRMA_ALG_AUTH_TRUNC",
			in->attr, in->name);
	else if (known)
		nl_refuse(q, -EINVAL, "%s: %s does not have an ICV of %u bits", in->attr, in->name,
			in->icv_bits);
	else
		nl_refuse(q, -EINVAL, "%s: no algorithm is known by this name", in->attr);
	return NULL;
}

/* a holds the key behind `head` bytes; the rest of it stands in `in`. */
static int
read_cipher(struct nl_req *q, struct alg_in *in, enum nl_alg_kind kind, const struct nlattr *a,
	size_t head, struct esp_sa_conf *sa)
{
	const struct nl_alg *alg;
	int rc = alg_check(q, in, a, head);

	if (rc != 0)
		return rc;
	alg = alg_find(q, in, kind, false);
	if (alg == NULL)
		return -EINVAL;
	if (in->key_bytes > ESP_KEY_MAX)
		return nl_refuse(q, -EINVAL, "%s: expected a key of at most %u bytes", in->attr,
			ESP_KEY_MAX);
	sa->encr = alg->id;
	sa->encr_bits = esp_encr_bits_of_key(alg->id, in->key_bytes);
	memcpy(sa->key, in->key, in->key_bytes);
	sa->key_len = (uint8_t)in->key_bytes;
	return 0;
}

int
nl_alg_read_aead(struct nl_req *q, const struct nlattr *a, struct esp_sa_conf *sa)
{
	struct xfrm_algo_aead x;
	struct alg_in in = {.attr = "XFRMA_ALG_AEAD"};

	nl_get(a, &x, sizeof(x));
	memcpy(in.name, x.alg_name, sizeof(in.name));
	in.key_bits = x.alg_key_len;
	in.icv_bits = x.alg_icv_len;
	return read_cipher(q, &in, NL_ALG_AEAD, a, sizeof(x), sa);
}

int
nl_alg_read_crypt(struct nl_req *q, const struct nlattr *a, struct esp_sa_conf *sa)
{
	struct xfrm_algo x;
	struct alg_in in = {.attr = "XFRMA_ALG_CRYPT"};

	nl_get(a, &x, sizeof(x));
	memcpy(in.name, x.alg_name, sizeof(in.name));
	in.key_bits = x.alg_key_len;
	return read_cipher(q, &in, NL_ALG_CRYPT, a, sizeof(x), sa);
}

int
nl_alg_read_auth(struct nl_req *q, const struct nlattr *a, bool has_trunc, struct esp_sa_conf *sa)
{
	struct xfrm_algo_auth x = {.alg_key_len = 0};
	struct alg_in in = {.attr = has_trunc ? "XFRMA_ALG_AUTH_TRUNC" : "XFRMA_ALG_AUTH"};
	size_t head = has_trunc ? sizeof(struct xfrm_algo_auth) : sizeof(struct xfrm_algo);
	const struct nl_alg *alg;
	int rc;

	nl_get(a, &x, sizeof(x)); /* struct xfrm_algo is the same without the last member */
	memcpy(in.name, x.alg_name, sizeof(in.name));
	in.key_bits = x.alg_key_len;
	in.icv_bits = x.alg_trunc_len;
	OPENSSL_cleanse(&x, sizeof(x));
	rc = alg_check(q, &in, a, head);
	if (rc != 0)
		return rc;
	alg = alg_find(q, &in, NL_ALG_AUTH, !has_trunc);
	if (alg == NULL)
		return -EINVAL;
	if (in.key_bytes > ESP_AUTH_KEY_MAX)
		return nl_refuse(q, -EINVAL, "%s: expected a key of at most %u bytes", in.attr,
			ESP_AUTH_KEY_MAX);
	sa->integ = alg->id;
	memcpy(sa->auth_key, in.key, in.key_bytes);
	sa->auth_key_len = (uint8_t)in.key_bytes;
	return 0;
}

/* The transform that Linux can name: implicit IVs (RFC 8750) are TL_CTL_A_ENCR beside it. */
static uint16_t
explicit_form(uint16_t encr)
{
	return encr == ESP_ENCR_AES_GCM_16_IIV          ? ESP_ENCR_AES_GCM_16
	       : encr == ESP_ENCR_AES_CCM_8_IIV         ? ESP_ENCR_AES_CCM_8
	       : encr == ESP_ENCR_CHACHA20_POLY1305_IIV ? ESP_ENCR_CHACHA20_POLY1305
							: encr;
}

static void
put_aead(struct nlmsghdr *h, const struct nl_alg *alg, uint32_t key_bytes)
{
	struct xfrm_algo_aead x = {.alg_key_len = key_bytes * 8, .alg_icv_len = alg->icv_bits};
	uint8_t v[sizeof(x) + ESP_KEY_MAX] = {0};

	snprintf(x.alg_name, sizeof(x.alg_name), "%s", alg->name);
	memcpy(v, &x, sizeof(x));
	mnl_attr_put(h, XFRMA_ALG_AEAD, sizeof(x) + key_bytes, v);
}

static void
put_crypt(struct nlmsghdr *h, const struct nl_alg *alg, uint32_t key_bytes)
{
	struct xfrm_algo x = {.alg_key_len = key_bytes * 8};
	uint8_t v[sizeof(x) + ESP_KEY_MAX] = {0};

	snprintf(x.alg_name, sizeof(x.alg_name), "%s", alg->name);
	memcpy(v, &x, sizeof(x));
	mnl_attr_put(h, XFRMA_ALG_CRYPT, sizeof(x) + key_bytes, v);
}

static void
put_auth(struct nlmsghdr *h, const struct nl_alg *alg, uint32_t key_bytes)
{
	struct xfrm_algo_auth x = {.alg_key_len = key_bytes * 8, .alg_trunc_len = alg->icv_bits};
	uint8_t v[sizeof(x) + ESP_AUTH_KEY_MAX] = {0};

	snprintf(x.alg_name, sizeof(x.alg_name), "%s", alg->name);
	memcpy(v, &x, sizeof(x));
	mnl_attr_put(h, XFRMA_ALG_AUTH_TRUNC, sizeof(x) + key_bytes, v);
}

void
nl_alg_put(struct nlmsghdr *h, const struct esp_sa_conf *sa)
{
	const struct nl_alg *aead = nl_alg_by_id(NL_ALG_AEAD, explicit_form(sa->encr));
	const struct nl_alg *crypt = nl_alg_by_id(NL_ALG_CRYPT, sa->encr);
	const struct nl_alg *auth = nl_alg_by_id(NL_ALG_AUTH, sa->integ);

	if (aead != NULL)
		put_aead(h, aead, sa->key_len);
	else if (crypt != NULL)
		put_crypt(h, crypt, sa->key_len);
	if (auth != NULL)
		put_auth(h, auth, sa->auth_key_len);
}
