/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * sad.c - the SA database of a worker: inbound by SPI, outbound by profile, all by slot.
 *
 * This host chooses its inbound SPIs, so the low bits spread them well enough.
 */
#include <errno.h>
#include <stdlib.h>
#include <rte_jhash.h>

#include "esp/sa.h"
#include "stack/base/assert.h"
#include "stack/base/log.h"
#include "stack/base/rand.h"

LOG_MODULE(esp, NOTICE);

enum { UDP_PORT_DEFAULT = 4500 };

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

/* All tables for so many SAs; half as many buckets as slots, because most SAs come in pairs. */
static int
tables_create(struct esp_ctx *e)
{
	uint32_t buckets;

	e->nb_slots = e->conf.max_sas != 0 ? e->conf.max_sas : ESP_MAX_SAS_DEFAULT;
	buckets = rte_align32pow2(RTE_MAX(e->nb_slots / 2, 64u));
	e->mask = buckets - 1;
	e->in = calloc(buckets, sizeof(struct esp_sa *));
	e->out = calloc(buckets, sizeof(struct esp_sa *));
	e->out_spi = calloc(buckets, sizeof(struct esp_sa *));
	e->udp_port = e->conf.udp_port != 0 ? e->conf.udp_port : UDP_PORT_DEFAULT;
	e->host[0] = calloc(buckets, sizeof(struct esp_sa *));
	e->host[1] = calloc(buckets, sizeof(struct esp_sa *));
	e->slot = calloc(e->nb_slots, sizeof(struct esp_sa *));
	e->revoked_gen = calloc(e->nb_slots, sizeof(*e->revoked_gen));
	if (e->in == NULL || e->out == NULL || e->out_spi == NULL || e->host[0] == NULL ||
		e->host[1] == NULL || e->slot == NULL || e->revoked_gen == NULL)
		return -ENOMEM;
	return 0;
}

int
esp_create(struct lcore *lc, const struct esp_conf *conf)
{
	struct esp_ctx *e = calloc(1, sizeof(*e));
	int rc;

	if (e == NULL)
		return -ENOMEM;
	lc->esp = e;
	if (conf != NULL)
		e->conf = *conf;
	e->acquire_seed = rand_u32(lc->rand);
	rc = tables_create(e);
	if (rc == 0)
		rc = engines_create(e);
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
	for (uint32_t i = 0; e->slot != NULL && i < e->nb_slots; i++) {
		if (e->slot[i] != NULL)
			esp_sa_free(e->slot[i]);
	}
	for (enum esp_engine_id id = ESP_ENGINE_IPSEC_MB; id < ESP_ENGINES; id++) {
		const struct crypto_engine *eng = crypto_engine_get(id);

		if (e->engine_ctx[id] != NULL)
			eng->destroy(e->engine_ctx[id]);
	}
	free(e->in);
	free(e->out);
	free(e->out_spi);
	free(e->host[0]);
	free(e->host[1]);
	free(e->slot);
	free(e->revoked_gen);
	free(e->spd.hits);
	free(e->spd.next_hits);
	free(e);
	lc->esp = NULL;
}

struct esp_sa *
esp_sad_lookup(const struct esp_ctx *e, uint32_t spi, uint32_t realm)
{
	struct esp_sa *sa;

	for (sa = e->in [spi & e->mask]; sa != NULL; sa = sa->hash_next) {
		if (sa->spi == spi && sa->realm == realm)
			return sa;
	}
	return NULL;
}

static struct esp_sa **
hash_list(struct esp_ctx *e, const struct esp_sa *sa)
{
	if (sa->conf.inbound)
		return &e->in[sa->conf.spi & e->mask];
	return &e->out[sa->conf.profile & e->mask];
}

static struct esp_sa **
host_list(const struct esp_ctx *e, bool inbound, const struct ip_addr *remote)
{
	return &e->host[inbound][rte_jhash(remote, sizeof(*remote), 0) & e->mask];
}

/* Most SAs speak for one remote host; the others are searched beside them. */
static struct esp_sa **
peer_list(struct esp_ctx *e, const struct esp_sa *sa)
{
	const struct addr_range *remote = &sa->conf.sel.remote;

	if (addr_range_is_host(remote))
		return host_list(e, sa->conf.inbound, &remote->lo);
	return &e->wide[sa->conf.inbound];
}

static void
link_in(struct esp_ctx *e, struct esp_sa *sa)
{
	struct esp_sa **hash = hash_list(e, sa), **peer = peer_list(e, sa);

	sa->serial = ++e->serial;
	sa->hash_next = *hash;
	*hash = sa;
	sa->peer_next = *peer;
	*peer = sa;
	if (!sa->conf.inbound) {
		sa->spi_next = e->out_spi[sa->conf.spi & e->mask];
		e->out_spi[sa->conf.spi & e->mask] = sa;
	}
	e->nb_udp += sa->conf.inbound && sa->conf.udp;
	e->slot[sa->index] = sa;
	e->sad_version++;
}

static void
unlink_out(struct esp_ctx *e, struct esp_sa *sa)
{
	struct esp_sa **pp;

	for (pp = hash_list(e, sa); *pp != sa; pp = &(*pp)->hash_next)
		tl_assert(*pp != NULL);
	*pp = sa->hash_next;
	for (pp = peer_list(e, sa); *pp != sa; pp = &(*pp)->peer_next)
		tl_assert(*pp != NULL);
	*pp = sa->peer_next;
	if (!sa->conf.inbound) {
		for (pp = &e->out_spi[sa->conf.spi & e->mask]; *pp != sa; pp = &(*pp)->spi_next)
			tl_assert(*pp != NULL);
		*pp = sa->spi_next;
	}
	e->nb_udp -= sa->conf.inbound && sa->conf.udp;
	e->slot[sa->index] = NULL;
	e->sad_version++;
}

int
esp_sad_add(struct lcore *lc, const struct esp_sa_conf *c, uint32_t index, uint32_t gen)
{
	struct esp_ctx *e = lc->esp;
	struct esp_sa *sa;
	int rc;

	if (index >= e->nb_slots)
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
	link_in(e, sa);
	if (sa->key != NULL) {
		esp_life_start(lc, sa);
		esp_udp_start(lc, sa);
		esp_dummy_start(lc, sa);
	}
	LOG(INFO, "worker %u: SA %u.%u added, spi 0x%08x %s", lc->id, index, gen, c->spi,
		c->inbound ? "in" : "out");
	return 0;
}

int
esp_sad_del(struct lcore *lc, uint32_t index, uint32_t gen, enum esp_del_cause why)
{
	struct esp_ctx *e = lc->esp;
	struct esp_sa *sa = esp_sad_slot(e, index);

	if (sa == NULL || sa->gen != gen)
		return -ENOENT;
	if (why == ESP_DEL_REVOKED)
		e->revoked_gen[index] = gen;
	LOG(INFO, "worker %u: SA %u.%u deleted, spi 0x%08x", lc->id, index, gen, sa->conf.spi);
	unlink_out(e, sa);
	esp_sa_free(sa);
	return 0;
}

static struct esp_sa *
first_fit(struct esp_sa *sa, const struct flow_key *k,
	bool (*fits)(const struct esp_sa *sa, const void *arg), const void *arg)
{
	for (; sa != NULL; sa = sa->peer_next) {
		if (esp_sel_match(&sa->conf.sel, k) && fits(sa, arg))
			return sa;
	}
	return NULL;
}

/*
 * Of the outbound SAs with a profile, this worker's own before those of others, whose packets have
 * to be handed over (RFC 9611 s3: one SA for each CPU); the newer before the older.
 */
static struct esp_sa *
best_of_profile(const struct esp_ctx *e, uint32_t profile, const struct flow_key *k,
	bool (*fits)(const struct esp_sa *sa, const void *arg), const void *arg)
{
	struct esp_sa *best = NULL;

	for (struct esp_sa *sa = e->out[profile & e->mask]; sa != NULL; sa = sa->hash_next) {
		if (sa->conf.profile != profile || !esp_sel_match(&sa->conf.sel, k) ||
			!fits(sa, arg))
			continue;
		if (sa->key != NULL)
			return sa;
		if (best == NULL)
			best = sa;
	}
	return best;
}

/* The newest says which peer and which protection; its worker does not. */
struct esp_sa *
esp_sad_newest(const struct esp_ctx *e, bool inbound, const struct flow_key *k,
	bool (*fits)(const struct esp_sa *sa, const void *arg), const void *arg)
{
	struct esp_sa *host = first_fit(*host_list(e, inbound, &k->remote), k, fits, arg);
	struct esp_sa *wide = first_fit(e->wide[inbound], k, fits, arg);
	struct esp_sa *sa = host != NULL ? host : wide;

	if (host != NULL && wide != NULL && wide->serial > host->serial)
		sa = wide;
	if (sa == NULL || inbound || sa->key != NULL)
		return sa;
	return best_of_profile(e, sa->conf.profile, k, fits, arg);
}

static bool
is_usable(const struct esp_sa *sa, const void *arg)
{
	(void)arg;
	return esp_sa_is_usable(sa);
}

int
esp_sad_find_out(
	struct lcore *lc, uint32_t profile, const struct flow_key *k, struct esp_sa_ref *out)
{
	struct esp_sa *sa = best_of_profile(lc->esp, profile, k, is_usable, NULL);

	if (sa == NULL)
		return -ENOENT;
	esp_sa_ref_fill(sa, out);
	return 0;
}

bool
esp_sad_is_elsewhere(const struct lcore *lc, uint32_t profile, const struct flow_key *k)
{
	const struct esp_sa *sa = lc->esp->out[profile & lc->esp->mask];
	bool any = false;

	for (; sa != NULL; sa = sa->hash_next) {
		if (sa->conf.profile != profile)
			continue;
		if (sa->conf.sel.realm == k->realm &&
			addr_range_has(&sa->conf.sel.remote, &k->remote))
			return false;
		any = true;
	}
	return any;
}

static bool
is_counterpart(const struct esp_sa *sa, const void *arg)
{
	const struct esp_sa_conf *c = &sa->conf;
	const struct esp_sa_ref *like = arg;

	return c->local_id == like->local_id && c->peer_id == like->peer_id &&
	       c->mode == like->mode && c->encr == like->encr && c->encr_bits == like->encr_bits &&
	       c->integ == like->integ && !sa->expired;
}

int
esp_sad_find_in(struct lcore *lc, const struct esp_sa_ref *like, const struct flow_key *k,
	struct esp_sa_ref *out)
{
	const struct esp_sa *sa = esp_sad_newest(lc->esp, true, k, is_counterpart, like);

	if (sa == NULL)
		return -ENOENT;
	esp_sa_ref_fill(sa, out);
	return 0;
}

bool
esp_tag_current(const struct lcore *lc, const struct tl_tag *t)
{
	const struct esp_ctx *e = lc->esp;

	return t->sad_index < e->nb_slots && e->revoked_gen[t->sad_index] < t->sad_gen;
}

bool
esp_sad_ref(const struct lcore *lc, const struct tl_tag *t, struct esp_sa_ref *out)
{
	const struct esp_sa *sa = esp_sad_slot(lc->esp, t->sad_index);

	if (sa == NULL || sa->gen != t->sad_gen)
		return false;
	esp_sa_ref_fill(sa, out);
	return true;
}

bool
esp_out_sa(const struct rte_mbuf *m, struct esp_sa_ref *out)
{
	const struct esp_sa *sa = pkt_meta(m)->sa;

	if (sa != NULL)
		esp_sa_ref_fill(sa, out);
	return sa != NULL;
}

uint32_t
esp_sad_version(const struct lcore *lc)
{
	return lc->esp->sad_version;
}

bool
esp_sa_moves_with(const struct esp_sa_conf *sa, const struct esp_sa_conf *other)
{
	return sa->udp && ip_addr_eq(&sa->remote, &other->remote) &&
	       sa->udp_remote == other->udp_remote && sa->peer_id == other->peer_id &&
	       sa->realm == other->realm;
}

uint32_t
esp_sad_move(struct lcore *lc, uint32_t index, uint32_t gen, const struct ip_addr *remote,
	uint16_t udp_port)
{
	struct esp_ctx *e = lc->esp;
	struct esp_sa *one = esp_sad_slot(e, index);
	struct esp_sa_conf was;
	uint32_t n = 0;

	if (one == NULL || one->gen != gen)
		return 0;
	was = one->conf;
	e->sad_version++; /* latches learn the new end of their tunnel */
	for (uint32_t i = 0; i < e->nb_slots; i++) {
		struct esp_sa *sa = e->slot[i];

		if (sa == NULL || !esp_sa_moves_with(&sa->conf, &was))
			continue;
		sa->conf.remote = *remote;
		sa->conf.udp_remote = udp_port;
		sa->moved_ns = lc->now_ns;
		n++;
	}
	return n;
}

static void
fill_info(const struct esp_sa *sa, struct esp_sa_info *i)
{
	*i = (struct esp_sa_info){
		.sel = sa->conf.sel,
		.spi = sa->conf.spi,
		.inbound = sa->conf.inbound,
		.esn = sa->conf.esn,
		.expired = sa->expired,
		.replay_window = sa->conf.replay_window,
		.engine = sa->key != NULL ? sa->engine->name : "-",
		.seq = sa->conf.inbound ? sa->replay.top : sa->seq,
		.packets = sa->packets,
		.bytes = sa->bytes,
		.drop_icv = sa->drop_icv,
		.drop_replay = sa->drop_replay,
		.age_ns = sa->lc->now_ns - sa->added_ns,
		.used_ns = sa->used_ns == 0 ? 0 : sa->lc->now_ns - sa->used_ns,
		.life = sa->conf.life,
	};
	esp_sa_ref_fill(sa, &i->ref);
}

int
esp_sad_info(struct lcore *lc, uint32_t index, uint32_t gen, struct esp_sa_info *out)
{
	const struct esp_sa *sa = esp_sad_slot(lc->esp, index);

	if (sa == NULL || sa->gen != gen)
		return -ENOENT;
	fill_info(sa, out);
	return 0;
}

void
esp_sad_foreach(struct lcore *lc, void (*fn)(const struct esp_sa_info *i, void *arg), void *arg)
{
	struct esp_sa_info info;

	for (uint32_t i = 0; i < lc->esp->nb_slots; i++) {
		if (lc->esp->slot[i] == NULL)
			continue;
		fill_info(lc->esp->slot[i], &info);
		fn(&info, arg);
	}
}
