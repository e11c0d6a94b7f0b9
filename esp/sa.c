/* SPDX-License-Identifier: BSD-3-Clause */
/* sa.c - SA halves: what is allowed, key expansion, selectors. */
#include "esp/sa.h"

#include <errno.h>
#include <openssl/crypto.h>

#include "stack/base/assert.h"

void
esp_sel_any(struct esp_sel *sel, uint32_t realm)
{
	*sel = (struct esp_sel){.realm = realm, .lport_hi = 65535, .rport_hi = 65535};
}

static bool
prefix_match(const struct ip_addr *net, uint8_t plen, const struct ip_addr *a)
{
	uint32_t bytes = plen / 8u, bits = plen % 8u;

	if (memcmp(net->b, a->b, bytes) != 0)
		return false;
	return bits == 0 || ((net->b[bytes] ^ a->b[bytes]) >> (8 - bits)) == 0;
}

bool
esp_sel_match(const struct esp_sel *sel, const struct flow_key *k)
{
	uint16_t lport = rte_be_to_cpu_16(k->lport), rport = rte_be_to_cpu_16(k->rport);

	if (sel->realm != k->realm)
		return false;
	if (sel->proto != 0 && sel->proto != k->proto)
		return false;
	if (lport < sel->lport_lo || lport > sel->lport_hi)
		return false;
	if (rport < sel->rport_lo || rport > sel->rport_hi)
		return false;
	return prefix_match(&sel->local, sel->local_plen, &k->local) &&
	       prefix_match(&sel->remote, sel->remote_plen, &k->remote);
}

static bool
prefix_overlap(const struct ip_addr *a, uint8_t a_plen, const struct ip_addr *b, uint8_t b_plen)
{
	return prefix_match(a, a_plen < b_plen ? a_plen : b_plen, b);
}

bool
esp_sel_overlap(const struct esp_sel *a, const struct esp_sel *b)
{
	if (a->realm != b->realm)
		return false;
	if (a->proto != 0 && b->proto != 0 && a->proto != b->proto)
		return false;
	if (a->lport_lo > b->lport_hi || b->lport_lo > a->lport_hi)
		return false;
	if (a->rport_lo > b->rport_hi || b->rport_lo > a->rport_hi)
		return false;
	return prefix_overlap(&a->local, a->local_plen, &b->local, b->local_plen) &&
	       prefix_overlap(&a->remote, a->remote_plen, &b->remote, b->remote_plen);
}

int
esp_sa_check(const struct esp_sa_conf *c, const char **why)
{
	*why = NULL;
	if (c->spi < 256)
		*why = "SPI 0 to 255 are reserved (RFC 4303 s2.1)";
	else if (c->encr != ESP_ENCR_AES_GCM_16)
		*why = "only ENCR_AES_GCM_16 is supported";
	else if (c->encr_bits != 128 && c->encr_bits != 256)
		*why = "AES-GCM keys have 128 or 256 bits";
	else if (c->key_len != c->encr_bits / 8 + 4)
		*why = "the key must have its bits and 4 bytes of salt (RFC 4106 s8.1)";
	else if (c->mode != ESP_MODE_TRANSPORT && c->mode != ESP_MODE_TUNNEL)
		*why = "mode is transport or tunnel";
	else if (c->inbound && c->replay_window != 0 &&
		 (c->replay_window < 32 || c->replay_window > ESP_REPLAY_MAX))
		*why = "the replay window is 0, or 32 to 4096 packets (RFC 4303 s3.4.3)";
	else if (!ip_addr_is_v4(&c->local) || !ip_addr_is_v4(&c->remote))
		*why = "outer addresses must be IPv4";
	return *why == NULL ? 0 : -EINVAL;
}

/* What ESP adds at most, padding apart (RFC 4303 s2, RFC 4106 s3 and s6). */
static uint16_t
overhead(const struct esp_sa_conf *c)
{
	uint16_t n = ESP_HDR_BYTES + ESP_IV_BYTES + ESP_TRAILER_BYTES + ESP_ICV_BYTES;

	return (uint16_t)(n + (c->mode == ESP_MODE_TUNNEL ? 20 : 0));
}

static int
key_expand(struct lcore *lc, struct esp_sa *sa, const struct esp_sa_conf *c)
{
	enum esp_engine_id id = c->engine;

	if (id == ESP_ENGINE_AUTO)
		id = crypto_mb_engine() != NULL ? ESP_ENGINE_IPSEC_MB : ESP_ENGINE_LIBCRYPTO;
	sa->engine = crypto_engine_get(id);
	if (sa->engine == NULL)
		return -ENOTSUP;
	sa->engine_ctx = lc->esp->engine_ctx[id];
	memcpy(&sa->salt, c->key + c->encr_bits / 8, 4);
	return sa->engine->key_new(sa->engine_ctx, c, &sa->key);
}

int
esp_sa_alloc(struct lcore *lc, const struct esp_sa_conf *c, struct esp_sa **out)
{
	struct esp_sa *sa;
	void *obj;
	int rc;

	if (rte_mempool_get(lc->esp->sa_pool, &obj) != 0)
		return -ENOMEM;
	sa = obj;
	memset(sa, 0, sizeof(*sa));
	sa->conf = *c;
	OPENSSL_cleanse(sa->conf.key, sizeof(sa->conf.key));
	sa->overhead_bytes = overhead(c);
	sa->iv = c->iv_start - 1;
	replay_init(&sa->replay, c->replay_window);
	if (c->owner == lc->id) {
		rc = key_expand(lc, sa, c);
		if (rc != 0) {
			rte_mempool_put(lc->esp->sa_pool, sa);
			return rc;
		}
	}
	*out = sa;
	return 0;
}

bool
esp_sa_is_usable(const struct esp_sa *sa)
{
	return sa->seq < (sa->conf.esn ? UINT64_MAX : UINT32_MAX);
}

void
esp_sa_aad(const struct esp_sa *sa, struct crypto_op *op)
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
esp_sa_tag(const struct lcore *lc, struct rte_mbuf *m, const struct esp_sa *sa)
{
	pkt_tag_set(lc, m,
		(struct tl_tag){
			.sad_index = sa->index, .sad_gen = sa->gen, .profile = sa->conf.profile});
}

void
esp_sa_free(struct lcore *lc, struct esp_sa *sa)
{
	if (sa->key != NULL)
		sa->engine->key_free(sa->key);
	OPENSSL_cleanse(sa, sizeof(*sa));
	rte_mempool_put(lc->esp->sa_pool, sa);
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
		.owner = sa->conf.owner,
		.overhead_bytes = sa->overhead_bytes,
		.mode = sa->conf.mode,
		.local = sa->conf.local,
		.remote = sa->conf.remote,
	};
}
