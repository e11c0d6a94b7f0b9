/* SPDX-License-Identifier: BSD-3-Clause */
/* sa.h - one SA half and the context of ESP on a worker. Private to esp. */
#ifndef TL_ESP_SA_H
#define TL_ESP_SA_H

#include "esp/crypto.h"
#include "esp/esp.h"
#include "esp/replay.h"
#include "esp/spd.h"
#include "esp/suite.h"
#include "stack/base/tmr.h"

enum { ACQUIRE_SLOTS = 256 };
enum { UDP_HLEN = 8 }; /* RFC 768 */

/* Owned by the SAD of a worker. `key` is NULL where the worker does not own the SA. */
struct esp_sa {
	/* What every packet reads; the lookup by SPI touches the first line only. */
	uint32_t spi, realm;
	struct esp_sa *hash_next; /* same SPI bucket (inbound) or profile bucket (outbound) */
	struct esp_suite suite;
	const struct crypto_engine *engine;
	void *engine_ctx;
	void *key;
	uint32_t index;
	uint32_t gen;
	uint16_t overhead_bytes;
	bool expired;
	bool soft_sent;
	uint64_t seq;     /* outbound: last one used */
	uint64_t seq_max; /* outbound: the last that may be used; 0: none (expired) */
	uint64_t iv;      /* outbound: last one used */
	uint64_t packets, bytes;
	uint64_t next_packets, next_bytes; /* what wakes life_limit() */
	struct replay replay;              /* inbound */

	/* What few read. */
	struct esp_sa_conf conf;  /* without the keys */
	struct esp_sa *spi_next;  /* outbound: same bucket of out_spi */
	struct esp_sa *peer_next; /* same list of SAs by remote selector, newest first */
	uint64_t serial;          /* order in which they were added */
	uint64_t drop_icv, drop_replay;
	uint64_t added_ns, used_ns; /* used: 0 before the first packet */
	uint64_t sent_ns;           /* outbound: the last packet, for keepalives */
	uint64_t moved_ns;          /* inbound: its peer came from elsewhere */
	uint32_t path_mtu_bytes;
	uint64_t path_mtu_until_ns;
	struct tmr life_tmr, keepalive_tmr, dummy_tmr;
	struct lcore *lc;
};

/* F-14: who was asked for lately. */
struct acquire {
	struct ip_addr local, remote;
	uint32_t rule, profile;
	uint64_t at_ns;
	bool used;
};

struct esp_ctx {
	struct esp_conf conf;
	void *engine_ctx[ESP_ENGINES];
	uint32_t sad_version;
	uint64_t serial;
	uint32_t nb_slots;
	uint32_t nb_udp; /* inbound SAs that come in UDP */
	uint16_t udp_port;
	uint32_t mask;           /* buckets - 1 */
	struct esp_sa **in;      /* by SPI */
	struct esp_sa **out;     /* by profile, newest first */
	struct esp_sa **out_spi; /* by the peer's SPI, for ICMP */
	struct esp_sa **host[2]; /* [inbound]: whose remote selector is one address, by it */
	struct esp_sa *wide[2];  /* the others */
	struct esp_sa **slot;
	uint32_t *revoked_gen; /* by slot: last generation that was revoked */
	struct acquire acquire[ACQUIRE_SLOTS];
	uint32_t acquire_seed; /* peers choose what is hashed */
	struct spd_view spd;
};

/* The inbound SA of an SPI, or NULL. */
struct esp_sa *esp_sad_lookup(const struct esp_ctx *e, uint32_t spi, uint32_t realm);

/* Allocates and expands the key if lc owns it. Returns 0 or -errno. */
int esp_sa_alloc(struct lcore *lc, const struct esp_sa_conf *c, struct esp_sa **out);

/* False when an outbound SA expired or its sequence numbers are used up (RFC 4303 s3.3.3). */
static inline bool
esp_sa_is_usable(const struct esp_sa *sa)
{
	return sa->seq < sa->seq_max;
}

/* The SA of a slot, NULL if the slot is empty or no slot. */
static inline struct esp_sa *
esp_sad_slot(const struct esp_ctx *e, uint32_t index)
{
	return index < e->nb_slots ? e->slot[index] : NULL;
}

/* Starts the lifetimes of an SA at its owner. */
void esp_life_start(struct lcore *lc, struct esp_sa *sa);

/* A counter reached next_packets or next_bytes. */
void esp_life_limit(struct lcore *lc, struct esp_sa *sa);

/* Counts a packet under its SA; len: what the algorithms saw. */
static inline void
esp_life_count(struct lcore *lc, struct esp_sa *sa, uint32_t len)
{
	sa->packets++;
	sa->bytes += len;
	if (unlikely(sa->packets >= sa->next_packets || sa->bytes >= sa->next_bytes))
		esp_life_limit(lc, sa);
}

/* What is known of the path of an SA, 0 if nothing. */
static inline uint32_t
esp_sa_path_mtu(const struct lcore *lc, const struct esp_sa *sa)
{
	return lc->now_ns < sa->path_mtu_until_ns ? sa->path_mtu_bytes : 0;
}

/* Whether the packet at ip, next header nxt of the ESP trailer, may come out of this SA; port: the
 * one that it came to. */
bool esp_inner_selected(
	const struct esp_sa *sa, uint8_t nxt, uint8_t port, const uint8_t *ip, uint32_t len);

/* Headers are read in place: makes one buffer of a chain. False: m was dropped. */
bool esp_linearise(struct lcore *lc, struct rte_mbuf *m);

/* RFC 3948: a peer that moved, the checksum behind a NAT, the header to push, keepalives. */
void esp_udp_follow(struct lcore *lc, struct esp_sa *sa, const struct rte_mbuf *m);
void esp_udp_fix_csum(const struct esp_sa *sa, struct rte_mbuf *m);
void esp_udp_push(struct rte_mbuf *m, const struct esp_sa *sa);
void esp_udp_start(struct lcore *lc, struct esp_sa *sa);

/* Dummy packets (RFC 4303 s2.6), if the SA asks for them. */
void esp_dummy_start(struct lcore *lc, struct esp_sa *sa);

/* Tells the control context. */
void esp_event_post(struct lcore *lc, const struct esp_event *ev);

/* Tells the control context of an SA. */
void esp_event_sa(struct lcore *lc, const struct esp_sa *sa, enum esp_event_kind kind);

/* The newest SA of a direction that fits and whose selectors cover k, or NULL; of outbound ones
 * with the same profile, this worker's own. */
struct esp_sa *esp_sad_newest(const struct esp_ctx *e, bool inbound, const struct flow_key *k,
	bool (*fits)(const struct esp_sa *sa, const void *arg), const void *arg);

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
void esp_sa_free(struct esp_sa *sa);

void esp_sa_ref_fill(const struct esp_sa *sa, struct esp_sa_ref *out);

#endif
