/* SPDX-License-Identifier: BSD-3-Clause */
/* sa.c - SA halves: what is allowed, construction, what a packet takes from them. */
#include "esp/sa.h"

#include <errno.h>
#include <stdlib.h>
#include <openssl/crypto.h>

#include "stack/base/assert.h"

static const char *
keys_refused(const struct esp_sa_conf *c, const struct esp_suite *s)
{
	if (c->key_len != s->key_bytes)
		return "the key must have the bits of its algorithm and its salt: 4 bytes with "
		       "GCM, GMAC, CTR and ChaCha20, 3 with CCM, none with CBC";
	if (c->auth_key_len != s->auth_key_bytes)
		return "the integrity key must have the length of its algorithm (RFC 4868 s2.6, "
		       "RFC 2404, RFC 3566, RFC 4494)";
	if (s->iv_implicit && c->manual)
		return "implicit IVs need negotiated keys: a manual key starts its sequence "
		       "numbers, so its nonces, again (RFC 8750 s7)";
	if (c->engine != ESP_ENGINE_AUTO && !esp_suite_has_engine(s, c->engine))
		return "this engine does not compute this suite";
	return NULL;
}

int
esp_sa_check_keys(const struct esp_sa_conf *c, const char **why)
{
	struct esp_suite s;

	if (esp_suite_find(c->encr, c->encr_bits, c->integ, &s, why) != 0)
		return -EINVAL;
	*why = keys_refused(c, &s);
	return *why == NULL ? 0 : -EINVAL;
}

static bool
above(uint64_t soft, uint64_t hard)
{
	return hard != 0 && soft > hard;
}

static bool
soft_above_hard(const struct esp_life *l)
{
	return above(l->soft_bytes, l->hard_bytes) || above(l->soft_packets, l->hard_packets) ||
	       above(l->soft_add_s, l->hard_add_s) || above(l->soft_use_s, l->hard_use_s);
}

int
esp_sa_check(const struct esp_sa_conf *c, const char **why)
{
	if (esp_sa_check_keys(c, why) != 0)
		return -EINVAL;
	if (c->spi < 256)
		*why = "SPI 0 to 255 are reserved (RFC 4303 s2.1)";
	else if (c->mode != ESP_MODE_TRANSPORT && c->mode != ESP_MODE_TUNNEL)
		*why = "mode is transport or tunnel";
	else if (c->inbound && c->replay_window != 0 &&
		 (c->replay_window < 32 || c->replay_window > ESP_REPLAY_MAX))
		*why = "the replay window is 0, or 32 to 65536 packets (RFC 4303 s3.4.3)";
	else if (soft_above_hard(&c->life))
		*why = "a soft limit above its hard one is never told";
	else if (c->udp && (c->udp_local == 0 || c->udp_remote == 0))
		*why = "ESP in UDP needs both ports (RFC 3948 s2.1)";
	else if (c->tfc_pad_bytes != 0 && c->mode != ESP_MODE_TUNNEL)
		*why = "TFC padding needs tunnel mode: a transport cannot tell it from data (RFC "
		       "4303 s2.7)";
	else if (ip_addr_is_v4(&c->local) != ip_addr_is_v4(&c->remote))
		*why = "both outer addresses must be of one IP version";
	return *why == NULL ? 0 : -EINVAL;
}

/* What ESP adds at most, padding apart (RFC 4303 s2). */
static uint16_t
overhead(const struct esp_sa_conf *c, const struct esp_suite *s)
{
	uint32_t n = (uint32_t)ESP_HDR_BYTES + s->iv_bytes + ESP_TRAILER_BYTES + s->icv_bytes;

	if (c->udp)
		n += UDP_HLEN;
	if (c->mode == ESP_MODE_TUNNEL)
		n += ip_addr_is_v4(&c->remote) ? 20 : 40;
	return (uint16_t)n;
}

/* The faster one that has the suite. */
static enum esp_engine_id
engine_choice(const struct esp_suite *s)
{
	if (crypto_mb_engine() != NULL && esp_suite_has_engine(s, ESP_ENGINE_IPSEC_MB))
		return ESP_ENGINE_IPSEC_MB;
	return ESP_ENGINE_LIBCRYPTO;
}

static int
key_expand(struct lcore *lc, struct esp_sa *sa, const struct esp_sa_conf *c)
{
	enum esp_engine_id id = c->engine;

	if (id == ESP_ENGINE_AUTO)
		id = engine_choice(&sa->suite);
	sa->engine = crypto_engine_get(id);
	if (sa->engine == NULL)
		return -ENOTSUP;
	sa->engine_ctx = lc->esp->engine_ctx[id];
	return sa->engine->key_new(sa->engine_ctx, &sa->suite, c, &sa->key);
}

/* Counters and window; the key only where the SA lives. */
static int
sa_init(struct lcore *lc, struct esp_sa *sa, const struct esp_sa_conf *c)
{
	int rc;

	sa->lc = lc;
	sa->conf = *c;
	sa->spi = c->spi;
	sa->realm = c->realm;
	OPENSSL_cleanse(sa->conf.key, sizeof(sa->conf.key));
	OPENSSL_cleanse(sa->conf.auth_key, sizeof(sa->conf.auth_key));
	sa->overhead_bytes = overhead(c, &sa->suite);
	sa->iv = c->iv_start - 1;
	sa->seq_max = c->esn ? UINT64_MAX : UINT32_MAX;
	sa->next_packets = sa->next_bytes = UINT64_MAX;
	sa->added_ns = lc->now_ns;
	if (c->owner != lc->id)
		return 0;
	rc = replay_init(&sa->replay, c->replay_window);
	return rc != 0 ? rc : key_expand(lc, sa, c);
}

int
esp_sa_alloc(struct lcore *lc, const struct esp_sa_conf *c, struct esp_sa **out)
{
	struct esp_sa *sa;
	const char *why;
	int rc;

	sa = aligned_alloc(
		RTE_CACHE_LINE_SIZE, RTE_ALIGN_CEIL(sizeof(*sa), (size_t)RTE_CACHE_LINE_SIZE));
	if (sa == NULL)
		return -ENOMEM;
	memset(sa, 0, sizeof(*sa));
	rc = esp_suite_find(c->encr, c->encr_bits, c->integ, &sa->suite, &why);
	if (rc == 0)
		rc = sa_init(lc, sa, c);
	if (rc != 0) {
		esp_sa_free(sa);
		return rc;
	}
	*out = sa;
	return 0;
}

/* RFC 4106 s5: SPI and sequence number, all 64 bits of it with ESN. */
static void
write_aad(const struct esp_sa *sa, struct crypto_op *op)
{
	rte_be32_t spi = rte_cpu_to_be_32(sa->conf.spi);
	rte_be32_t seqh = rte_cpu_to_be_32((uint32_t)(op->seq >> 32));
	rte_be32_t seql = rte_cpu_to_be_32((uint32_t)op->seq);

	memcpy(op->aad, &spi, 4);
	op->aad_len = sa->conf.esn ? 12 : 8;
	if (sa->conf.esn)
		memcpy(op->aad + 4, &seqh, 4);
	memcpy(op->aad + op->aad_len - 4, &seql, 4);
}

void
esp_sa_op(struct esp_sa *sa, struct crypto_op *op, uint8_t *esp, uint32_t bytes)
{
	const struct esp_suite *s = &sa->suite;

	op->sa = sa;
	op->key = sa->key;
	op->esp = esp;
	op->data = esp + ESP_HDR_BYTES + s->iv_bytes;
	op->len = bytes - ESP_HDR_BYTES - s->iv_bytes - s->icv_bytes;
	op->icv = op->data + op->len;
	op->esn = sa->conf.esn;
	write_aad(sa, op);
}

void
esp_sa_tag(const struct lcore *lc, struct rte_mbuf *m, const struct esp_sa *sa)
{
	pkt_tag_set(lc, m,
		(struct tl_tag){
			.sad_index = sa->index, .sad_gen = sa->gen, .profile = sa->conf.profile});
}

void
esp_sa_free(struct esp_sa *sa)
{
	tmr_stop(sa->lc, &sa->life_tmr);
	tmr_stop(sa->lc, &sa->keepalive_tmr);
	tmr_stop(sa->lc, &sa->dummy_tmr);
	if (sa->key != NULL)
		sa->engine->key_free(sa->key);
	replay_free(&sa->replay);
	OPENSSL_cleanse(sa, sizeof(*sa));
	free(sa);
}

void
esp_sa_ref_fill(const struct esp_sa *sa, struct esp_sa_ref *out)
{
	*out = (struct esp_sa_ref){
		.index = sa->index,
		.gen = sa->gen,
		.profile = sa->conf.profile,
		.local_id = sa->conf.local_id,
		.peer_id = sa->conf.peer_id,
		.encr = sa->conf.encr,
		.encr_bits = sa->conf.encr_bits,
		.integ = sa->conf.integ,
		.align = sa->suite.align,
		.owner = sa->conf.owner,
		.overhead_bytes = sa->overhead_bytes,
		.mode = sa->conf.mode,
		.local = sa->conf.local,
		.remote = sa->conf.remote,
		.reqid = sa->conf.reqid,
		.spi = sa->conf.spi,
		.path_mtu_bytes = esp_sa_path_mtu(sa->lc, sa),
	};
}
