/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * sad.c - the SA database of a worker: inbound by SPI, outbound by profile, all by slot.
 *
 * This host chooses its inbound SPIs, so the low bits spread them well enough.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <rte_errno.h>

#include "esp/sa.h"
#include "stack/base/assert.h"
#include "stack/base/log.h"

LOG_MODULE(esp, NOTICE);

static int
engines_create(struct esp_ctx *e)
{
	for (enum esp_engine_id id = ESP_ENGINE_IPSEC_MB; id < ESP_ENGINES; id++) {
		const struct crypto_engine *eng = crypto_engine_get(id);
		int rc;

		if (eng == NULL || eng->create == NULL)
			continue;
		rc = eng->create(&e->engine_ctx[id]);
		if (rc != 0)
			return rc;
	}
	return 0;
}

int
esp_create(struct lcore *lc, const char *name, int socket_id)
{
	struct esp_ctx *e = calloc(1, sizeof(*e));
	char pool[RTE_MEMPOOL_NAMESIZE];
	int rc;

	if (e == NULL)
		return -ENOMEM;
	lc->esp = e;
	snprintf(pool, sizeof(pool), "%.20s.sa", name);
	e->sa_pool = rte_mempool_create(pool, ESP_SAD_SLOTS - 1, sizeof(struct esp_sa), 0, 0, NULL,
		NULL, NULL, NULL, socket_id, RTE_MEMPOOL_F_SP_PUT | RTE_MEMPOOL_F_SC_GET);
	rc = e->sa_pool == NULL ? -rte_errno : engines_create(e);
	if (rc != 0)
		esp_destroy(lc);
	return rc;
}

void
esp_destroy(struct lcore *lc)
{
	struct esp_ctx *e = lc->esp;

	if (e == NULL)
		return;
	for (uint32_t i = 0; i < ESP_SAD_SLOTS; i++) {
		if (e->slot[i] != NULL)
			esp_sa_free(lc, e->slot[i]);
	}
	for (enum esp_engine_id id = ESP_ENGINE_IPSEC_MB; id < ESP_ENGINES; id++) {
		const struct crypto_engine *eng = crypto_engine_get(id);

		if (e->engine_ctx[id] != NULL)
			eng->destroy(e->engine_ctx[id]);
	}
	rte_mempool_free(e->sa_pool);
	free(e->rule);
	free(e);
	lc->esp = NULL;
}

struct esp_sa *
esp_sad_lookup(const struct esp_ctx *e, uint32_t spi, uint32_t realm)
{
	struct esp_sa *sa;

	for (sa = e->in [spi & (SAD_BUCKETS - 1)]; sa != NULL; sa = sa->hash_next) {
		if (sa->conf.spi == spi && sa->conf.realm == realm)
			return sa;
	}
	return NULL;
}

static struct esp_sa **
bucket_of(struct esp_ctx *e, const struct esp_sa *sa)
{
	if (sa->conf.inbound)
		return &e->in[sa->conf.spi & (SAD_BUCKETS - 1)];
	return &e->out[sa->conf.profile & (SAD_BUCKETS - 1)];
}

int
esp_sad_add(struct lcore *lc, const struct esp_sa_conf *c, uint32_t index, uint32_t gen)
{
	struct esp_ctx *e = lc->esp;
	struct esp_sa *sa, **bucket;
	int rc;

	if (index >= ESP_SAD_SLOTS)
		return -EINVAL;
	if (e->slot[index] != NULL)
		return -EEXIST;
	if (c->inbound && esp_sad_lookup(e, c->spi, c->realm) != NULL)
		return -EEXIST;
	rc = esp_sa_alloc(lc, c, &sa);
	if (rc != 0)
		return rc;
	sa->index = index;
	sa->gen = gen;
	bucket = bucket_of(e, sa);
	sa->hash_next = *bucket;
	*bucket = sa;
	sa->age_next = e->age[c->inbound];
	e->age[c->inbound] = sa;
	e->slot[index] = sa;
	e->sad_version++;
	LOG(INFO, "worker %u: SA %u.%u added, spi 0x%08x %s", lc->id, index, gen, c->spi,
		c->inbound ? "in" : "out");
	return 0;
}

int
esp_sad_del(struct lcore *lc, uint32_t index, uint32_t gen, enum esp_del_cause why)
{
	struct esp_ctx *e = lc->esp;
	struct esp_sa *sa, **pp;

	if (index >= ESP_SAD_SLOTS || e->slot[index] == NULL || e->slot[index]->gen != gen)
		return -ENOENT;
	sa = e->slot[index];
	for (pp = bucket_of(e, sa); *pp != sa; pp = &(*pp)->hash_next)
		tl_assert(*pp != NULL);
	*pp = sa->hash_next;
	for (pp = &e->age[sa->conf.inbound]; *pp != sa; pp = &(*pp)->age_next)
		tl_assert(*pp != NULL);
	*pp = sa->age_next;
	if (why == ESP_DEL_REVOKED)
		e->revoked_gen[index] = gen;
	LOG(INFO, "worker %u: SA %u.%u deleted, spi 0x%08x", lc->id, index, gen, sa->conf.spi);
	e->slot[index] = NULL;
	e->sad_version++;
	esp_sa_free(lc, sa);
	return 0;
}

int
esp_sad_find_out(
	struct lcore *lc, uint32_t profile, const struct flow_key *k, struct esp_sa_ref *out)
{
	struct esp_sa *sa = lc->esp->out[profile & (SAD_BUCKETS - 1)];

	for (; sa != NULL; sa = sa->hash_next) {
		if (sa->conf.profile == profile && esp_sel_match(&sa->conf.sel, k) &&
			esp_sa_is_usable(sa)) {
			esp_sa_ref_fill(sa, out);
			return 0;
		}
	}
	return -ENOENT;
}

int
esp_sad_find_in(struct lcore *lc, const struct esp_sa_ref *like, const struct flow_key *k,
	struct esp_sa_ref *out)
{
	for (struct esp_sa *sa = lc->esp->age[true]; sa != NULL; sa = sa->age_next) {
		const struct esp_sa_conf *c = &sa->conf;

		if (c->local_id == like->local_id && c->peer_id == like->peer_id &&
			c->mode == like->mode && c->encr == like->encr &&
			c->encr_bits == like->encr_bits && c->integ == like->integ &&
			esp_sel_match(&c->sel, k)) {
			esp_sa_ref_fill(sa, out);
			return 0;
		}
	}
	return -ENOENT;
}

bool
esp_tag_current(const struct lcore *lc, const struct tl_tag *t)
{
	return t->sad_index < ESP_SAD_SLOTS && lc->esp->revoked_gen[t->sad_index] < t->sad_gen;
}

uint32_t
esp_sad_version(const struct lcore *lc)
{
	return lc->esp->sad_version;
}

static void
show(const struct esp_sa *sa, void (*fn)(const struct esp_sa_info *i, void *arg), void *arg)
{
	struct esp_sa_info i = {
		.sel = sa->conf.sel,
		.spi = sa->conf.spi,
		.inbound = sa->conf.inbound,
		.esn = sa->conf.esn,
		.replay_window = sa->conf.replay_window,
		.engine = sa->key != NULL ? sa->engine->name : "-",
		.seq = sa->conf.inbound ? sa->replay.top : sa->seq,
		.packets = sa->packets,
		.bytes = sa->bytes,
		.drop_icv = sa->drop_icv,
		.drop_replay = sa->drop_replay,
	};

	esp_sa_ref_fill(sa, &i.ref);
	fn(&i, arg);
}

void
esp_sad_foreach(struct lcore *lc, void (*fn)(const struct esp_sa_info *i, void *arg), void *arg)
{
	for (uint32_t i = 0; i < ESP_SAD_SLOTS; i++) {
		if (lc->esp->slot[i] != NULL)
			show(lc->esp->slot[i], fn, arg);
	}
}
