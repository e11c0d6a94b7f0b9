/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * crypto_mb_job.c - the jobs of ipsec-mb: CBC, CTR and NULL with a MAC, CCM, ChaCha20-Poly1305.
 *
 * Called by the engine for each packet of a run and once at its end. The manager holds packets back
 * until its lanes are full, so a packet is complete when it comes out of the manager. A key has a
 * job with all that does not depend on the packet; that job was checked by the library when the key
 * was made, so packets go in without another check.
 *
 * On decrypt the library deciphers also where the ICV is wrong: the contract allows that.
 */
#include "esp/crypto_mb.h"

#ifdef TL_HAVE_IPSEC_MB

#include <errno.h>

enum { AES_ROUND_KEYS_BYTES = 15 * 16 };

struct mb_job_key {
	struct mb_key k;
	IMB_JOB encrypt, decrypt;
	uint8_t enc[AES_ROUND_KEYS_BYTES] __attribute__((aligned(16))); /* or ChaCha20's key */
	uint8_t dec[AES_ROUND_KEYS_BYTES] __attribute__((aligned(16)));
	struct mb_mac mac;
} __attribute__((aligned(RTE_CACHE_LINE_SIZE)));

/* One packet came out of the manager. */
static void
complete(IMB_JOB *job)
{
	const struct mb_scratch *s = job->user_data;
	struct crypto_op *op = s->op;
	const struct mb_key *k = op->key;

	op->ok = job->status == IMB_STATUS_COMPLETED;
	if (job->cipher_direction == IMB_DIR_ENCRYPT)
		return;
	if (op->esn && k->suite.kind == SUITE_MAC)
		memcpy(op->icv, s->icv_head, sizeof(s->icv_head));
	op->ok = op->ok && crypto_icv_equal(s->tag, op->icv, k->suite.icv_bytes);
}

void
mb_job_flush(struct mb_ctx *ctx)
{
	IMB_JOB *job;

	while ((job = IMB_FLUSH_JOB(ctx->mgr)) != NULL)
		complete(job);
	ctx->nb_jobs = 0;
}

static struct mb_scratch *
scratch_next(struct mb_ctx *ctx, struct crypto_op *op)
{
	struct mb_scratch *s;

	if (ctx->nb_jobs == MB_RUN)
		mb_job_flush(ctx);
	s = &ctx->scratch[ctx->nb_jobs++];
	s->op = op;
	op->ok = false;
	return s;
}

/* RFC 4309, RFC 7634: the nonce is the salt and the IV; the AAD stands beside the packet. */
static void
point_aead(IMB_JOB *job, struct mb_scratch *s)
{
	const struct crypto_op *op = s->op;

	job->src = job->dst = op->data;
	job->iv = s->nonce;
	job->msg_len_to_cipher_in_bytes = op->len;
	job->msg_len_to_hash_in_bytes = op->len;
	if (job->cipher_mode == IMB_CIPHER_CCM) {
		job->u.CCM.aad = op->aad;
		job->u.CCM.aad_len_in_bytes = op->aad_len;
	} else {
		job->u.CHACHA20_POLY1305.aad = op->aad;
		job->u.CHACHA20_POLY1305.aad_len_in_bytes = op->aad_len;
	}
}

/*
 * RFC 4303 s2.8: the MAC covers header, IV and ciphertext, and s2.2.1: with ESN the high half of
 * the sequence number behind them, where the ICV lies in memory.
 */
static void
point_mac(IMB_JOB *job, struct mb_scratch *s)
{
	const struct crypto_op *op = s->op;
	rte_be32_t seqh = rte_cpu_to_be_32((uint32_t)(op->seq >> 32));

	job->src = op->esp;
	job->dst = op->data;
	job->iv = job->cipher_mode == IMB_CIPHER_CNTR ? s->nonce : op->esp + ESP_HDR_BYTES;
	job->cipher_start_src_offset_in_bytes = (uint64_t)(op->data - op->esp);
	job->msg_len_to_cipher_in_bytes = job->cipher_mode == IMB_CIPHER_NULL ? 0 : op->len;
	job->msg_len_to_hash_in_bytes = (uint64_t)(op->icv - op->esp);
	if (op->esn) {
		memcpy(s->icv_head, op->icv, sizeof(s->icv_head));
		memcpy(op->icv, &seqh, sizeof(seqh));
		job->msg_len_to_hash_in_bytes += sizeof(seqh);
	}
}

static void
point(IMB_JOB *job, struct mb_scratch *s, uint8_t *tag)
{
	const struct mb_key *k = s->op->key;

	if (job->iv_len_in_bytes != 0 && job->cipher_mode != IMB_CIPHER_CBC)
		crypto_nonce(s->nonce, &k->suite, k->salt, s->op);
	job->user_data = s;
	job->auth_tag_output = tag;
	if (k->suite.kind == SUITE_MAC)
		point_mac(job, s);
	else
		point_aead(job, s);
}

static void
submit(struct mb_ctx *ctx)
{
	IMB_JOB *job = IMB_SUBMIT_JOB_NOCHECK(ctx->mgr);

	for (; job != NULL; job = IMB_GET_COMPLETED_JOB(ctx->mgr))
		complete(job);
}

void
mb_job_encrypt(struct mb_ctx *ctx, struct crypto_op *op)
{
	const struct mb_job_key *k = op->key;
	struct mb_scratch *s = scratch_next(ctx, op);
	IMB_JOB *job = IMB_GET_NEXT_JOB(ctx->mgr);

	*job = k->encrypt;
	point(job, s, op->icv);
	submit(ctx);
}

void
mb_job_decrypt(struct mb_ctx *ctx, struct crypto_op *op)
{
	const struct mb_job_key *k = op->key;
	struct mb_scratch *s = scratch_next(ctx, op);
	IMB_JOB *job = IMB_GET_NEXT_JOB(ctx->mgr);

	*job = k->decrypt;
	point(job, s, s->tag);
	submit(ctx);
}

static void
aes_expand(IMB_MGR *mgr, struct mb_job_key *k, const struct esp_sa_conf *c)
{
	if (c->encr_bits == 128)
		IMB_AES_KEYEXP_128(mgr, c->key, k->enc, k->dec);
	else if (c->encr_bits == 192)
		IMB_AES_KEYEXP_192(mgr, c->key, k->enc, k->dec);
	else
		IMB_AES_KEYEXP_256(mgr, c->key, k->enc, k->dec);
}

static int
set_mac_suite(IMB_MGR *mgr, struct mb_job_key *k, IMB_JOB *job, const struct esp_sa_conf *c)
{
	switch (c->encr) {
	case ESP_ENCR_AES_CBC:
		job->cipher_mode = IMB_CIPHER_CBC;
		job->iv_len_in_bytes = 16;
		break;
	case ESP_ENCR_AES_CTR:
		/* RFC 3686 s4: nonce, IV and a block counter that starts with 1. */
		job->cipher_mode = IMB_CIPHER_CNTR;
		job->iv_len_in_bytes = 12;
		break;
	case ESP_ENCR_NULL:
		job->cipher_mode = IMB_CIPHER_NULL;
		break;
	default:
		return -ENOTSUP;
	}
	if (job->cipher_mode != IMB_CIPHER_NULL)
		aes_expand(mgr, k, c);
	return mb_mac_set(mgr, &k->mac, job, c->integ, c->auth_key);
}

static int
set_job(IMB_MGR *mgr, struct mb_job_key *k, IMB_JOB *job, const struct esp_sa_conf *c)
{
	job->enc_keys = k->enc;
	job->dec_keys = k->dec;
	job->key_len_in_bytes = c->encr_bits / 8u;
	job->auth_tag_output_len_in_bytes = k->k.suite.icv_bytes;
	switch (c->encr) {
	case ESP_ENCR_CHACHA20_POLY1305:
	case ESP_ENCR_CHACHA20_POLY1305_IIV:
		memcpy(k->enc, c->key, 32);
		job->dec_keys = k->enc;
		job->cipher_mode = IMB_CIPHER_CHACHA20_POLY1305;
		job->hash_alg = IMB_AUTH_CHACHA20_POLY1305;
		job->iv_len_in_bytes = 12;
		return 0;
	case ESP_ENCR_AES_CCM_8:
	case ESP_ENCR_AES_CCM_12:
	case ESP_ENCR_AES_CCM_16:
	case ESP_ENCR_AES_CCM_8_IIV:
		aes_expand(mgr, k, c);
		job->dec_keys = k->enc; /* CCM never runs the cipher backwards */
		job->cipher_mode = IMB_CIPHER_CCM;
		job->hash_alg = IMB_AUTH_AES_CCM;
		job->iv_len_in_bytes = 11;
		return 0;
	default:
		return set_mac_suite(mgr, k, job, c);
	}
}

/* Both directions of a job. CCM hashes the plaintext, all others the ciphertext. */
static void
set_directions(struct mb_job_key *k, const IMB_JOB *job)
{
	bool ccm = job->cipher_mode == IMB_CIPHER_CCM;

	k->encrypt = k->decrypt = *job;
	k->encrypt.cipher_direction = IMB_DIR_ENCRYPT;
	k->encrypt.chain_order = ccm ? IMB_ORDER_HASH_CIPHER : IMB_ORDER_CIPHER_HASH;
	k->decrypt.cipher_direction = IMB_DIR_DECRYPT;
	k->decrypt.chain_order = ccm ? IMB_ORDER_CIPHER_HASH : IMB_ORDER_HASH_CIPHER;
}

/* Has the library check a job with this key, over a packet of zeros. */
static bool
job_is_valid(struct mb_ctx *ctx, struct mb_job_key *k, const IMB_JOB *of)
{
	uint8_t packet[96] = {0};
	struct crypto_op op = {.key = k, .esp = packet, .len = 16, .aad_len = 8};
	struct mb_scratch *s = scratch_next(ctx, &op);
	IMB_JOB *job = IMB_GET_NEXT_JOB(ctx->mgr);

	op.data = op.esp + ESP_HDR_BYTES + k->k.suite.iv_bytes;
	op.icv = op.data + op.len;
	*job = *of;
	point(job, s, s->tag);
	job = IMB_SUBMIT_JOB(ctx->mgr);
	if (job == NULL)
		job = IMB_FLUSH_JOB(ctx->mgr);
	ctx->nb_jobs = 0;
	return job != NULL && job->status == IMB_STATUS_COMPLETED && imb_get_errno(ctx->mgr) == 0;
}

int
mb_job_key_new(
	struct mb_ctx *ctx, const struct esp_suite *s, const struct esp_sa_conf *c, void **key)
{
	struct mb_job_key *k = mb_key_alloc(ctx, sizeof(*k), s, c);
	IMB_JOB job = {0};
	int rc;

	if (k == NULL)
		return -ENOMEM;
	rc = set_job(ctx->mgr, k, &job, c);
	if (rc == 0 && imb_get_errno(ctx->mgr) != 0)
		rc = -ENOTSUP;
	if (rc == 0) {
		set_directions(k, &job);
		if (!job_is_valid(ctx, k, &k->encrypt) || !job_is_valid(ctx, k, &k->decrypt))
			rc = -ENOTSUP;
	}
	if (rc != 0) {
		mb_key_free(k);
		return rc;
	}
	*key = k;
	return 0;
}

#endif
