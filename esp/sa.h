/* SPDX-License-Identifier: BSD-3-Clause */
/* sa.h - one SA half and the context of ESP on a worker. Private to esp. */
#ifndef TL_ESP_SA_H
#define TL_ESP_SA_H

#include "esp/crypto.h"
#include "esp/esp.h"
#include "esp/replay.h"
#include "esp/suite.h"

enum { SAD_BUCKETS = 1024 };

/* Owned by the SAD of a worker. `key` is NULL where the worker does not own the SA. */
struct esp_sa {
	struct esp_sa_conf conf; /* without the keys */
	struct esp_suite suite;
	struct esp_sa *hash_next; /* same SPI bucket (inbound) or profile bucket (outbound) */
	struct esp_sa *age_next;  /* all of this direction, newest first */
	const struct crypto_engine *engine;
	void *engine_ctx;
	void *key;
	uint32_t index;
	uint32_t gen;
	uint16_t overhead_bytes;
	uint64_t seq; /* outbound: last one used */
	uint64_t iv;  /* outbound: last one used */
	uint64_t packets, bytes;
	uint64_t drop_icv, drop_replay;
	struct replay replay; /* inbound */
};

struct esp_ctx {
	struct rte_mempool *sa_pool;
	void *engine_ctx[ESP_ENGINES];
	uint32_t sad_version;
	struct esp_sa *in[SAD_BUCKETS];  /* by SPI */
	struct esp_sa *out[SAD_BUCKETS]; /* by profile, newest first */
	struct esp_sa *age[2];           /* [inbound] */
	struct esp_sa *slot[ESP_SAD_SLOTS];
	uint32_t revoked_gen[ESP_SAD_SLOTS]; /* last generation of the slot that was revoked */
	struct spd_rule *rule;
	uint32_t nb_rules;
};

/* The inbound SA of an SPI, or NULL. */
struct esp_sa *esp_sad_lookup(const struct esp_ctx *e, uint32_t spi, uint32_t realm);

/* Allocates and expands the key if lc owns it. Returns 0 or -errno. */
int esp_sa_alloc(struct lcore *lc, const struct esp_sa_conf *c, struct esp_sa **out);

/* RFC 4303 s3.3.3: false when the sequence numbers of an outbound SA are used up. */
bool esp_sa_is_usable(const struct esp_sa *sa);

/* Points op at a packet: ESP header at esp, so many bytes up to the end of the ICV. Sets everything
 * but ok; seq must be set. */
void esp_sa_op(struct esp_sa *sa, struct crypto_op *op, uint8_t *esp, uint32_t bytes);

/* How many of the n operations at op are of the first one's engine. */
static inline uint32_t
esp_op_run(const struct crypto_op *op, uint32_t n)
{
	uint32_t i = 1;

	while (i < n && op[i].sa->engine == op[0].sa->engine)
		i++;
	return i;
}

/* Tags m with this SA. */
void esp_sa_tag(const struct lcore *lc, struct rte_mbuf *m, const struct esp_sa *sa);

/* Wipes the key and frees. */
void esp_sa_free(struct lcore *lc, struct esp_sa *sa);

void esp_sa_ref_fill(const struct esp_sa *sa, struct esp_sa_ref *out);

#endif
