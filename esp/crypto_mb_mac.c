/* SPDX-License-Identifier: BSD-3-Clause */
/* crypto_mb_mac.c - expands the keys of the MACs that the jobs of ipsec-mb compute. */
#include "esp/crypto_mb.h"

#ifdef TL_HAVE_IPSEC_MB

#include <errno.h>

struct hmac_alg {
	uint16_t integ;
	IMB_HASH_ALG alg;
	uint8_t key_bytes;
	uint8_t block_bytes;
};

/* RFC 2104 s2: one block of key ^ pad through the hash; keys of ESP are never longer than it. */
static void
hmac_half(hash_one_block_t hash, const struct hmac_alg *a, const uint8_t *key, uint8_t pad,
	uint8_t *state)
{
	uint8_t block[128];

	for (uint32_t i = 0; i < a->block_bytes; i++)
		block[i] = (uint8_t)((i < a->key_bytes ? key[i] : 0) ^ pad);
	hash(block, state);
	imb_clear_mem(block, sizeof(block));
}

static hash_one_block_t
hash_of(const IMB_MGR *mgr, IMB_HASH_ALG alg)
{
	switch (alg) {
	case IMB_AUTH_HMAC_SHA_1:
		return mgr->sha1_one_block;
	case IMB_AUTH_HMAC_SHA_256:
		return mgr->sha256_one_block;
	case IMB_AUTH_HMAC_SHA_384:
		return mgr->sha384_one_block;
	default:
		return mgr->sha512_one_block;
	}
}

static int
hmac_set(IMB_MGR *mgr, struct mb_mac *mac, IMB_JOB *job, uint16_t integ, const uint8_t *auth_key)
{
	/* clang-format off */
	static const struct hmac_alg algs[] = {
		{ESP_AUTH_HMAC_SHA1_96, IMB_AUTH_HMAC_SHA_1, 20, 64},
		{ESP_AUTH_HMAC_SHA2_256_128, IMB_AUTH_HMAC_SHA_256, 32, 64},
		{ESP_AUTH_HMAC_SHA2_384_192, IMB_AUTH_HMAC_SHA_384, 48, 128},
		{ESP_AUTH_HMAC_SHA2_512_256, IMB_AUTH_HMAC_SHA_512, 64, 128},
	};
	/* clang-format on */
	for (size_t i = 0; i < sizeof(algs) / sizeof(algs[0]); i++) {
		const struct hmac_alg *a = &algs[i];
		hash_one_block_t hash = hash_of(mgr, a->alg);

		if (a->integ != integ)
			continue;
		hmac_half(hash, a, auth_key, 0x36, mac->hmac.inner);
		hmac_half(hash, a, auth_key, 0x5c, mac->hmac.outer);
		job->hash_alg = a->alg;
		job->u.HMAC._hashed_auth_key_xor_ipad = mac->hmac.inner;
		job->u.HMAC._hashed_auth_key_xor_opad = mac->hmac.outer;
		return 0;
	}
	return -ENOTSUP;
}

static void
xcbc_set(IMB_MGR *mgr, struct mb_mac *mac, IMB_JOB *job, const uint8_t *auth_key)
{
	IMB_AES_XCBC_KEYEXP(mgr, auth_key, mac->xcbc.k1, mac->xcbc.k2, mac->xcbc.k3);
	job->hash_alg = IMB_AUTH_AES_XCBC;
	job->u.XCBC._k1_expanded = mac->xcbc.k1;
	job->u.XCBC._k2 = mac->xcbc.k2;
	job->u.XCBC._k3 = mac->xcbc.k3;
}

static void
cmac_set(IMB_MGR *mgr, struct mb_mac *mac, IMB_JOB *job, const uint8_t *auth_key)
{
	uint32_t backwards[44] __attribute__((aligned(16)));

	IMB_AES_KEYEXP_128(mgr, auth_key, mac->cmac.key, backwards);
	imb_clear_mem(backwards, sizeof(backwards));
	IMB_AES_CMAC_SUBKEY_GEN_128(mgr, mac->cmac.key, mac->cmac.k1, mac->cmac.k2);
	job->hash_alg = IMB_AUTH_AES_CMAC;
	job->u.CMAC._key_expanded = mac->cmac.key;
	job->u.CMAC._skey1 = mac->cmac.k1;
	job->u.CMAC._skey2 = mac->cmac.k2;
}

int
mb_mac_set(IMB_MGR *mgr, struct mb_mac *mac, IMB_JOB *job, uint16_t integ, const uint8_t *auth_key)
{
	switch (integ) {
	case ESP_AUTH_AES_XCBC_96:
		xcbc_set(mgr, mac, job, auth_key);
		return 0;
	case ESP_AUTH_AES_CMAC_96:
		cmac_set(mgr, mac, job, auth_key);
		return 0;
	default:
		return hmac_set(mgr, mac, job, integ, auth_key);
	}
}

#endif
