/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * sa_life.c - how long SAs live (RFC 4301 s4.4.2.1), and what the control context hears of them.
 *
 * The owner of an SA counts and has the timer. A soft limit is told once; at a hard one the SA
 * refuses every packet from then on, in both directions, until the control context deletes it:
 * nothing falls back to clear, because policy and latches go on asking for protection.
 */
#include <rte_jhash.h>

#include "esp/sa.h"
#include "stack/base/log.h"

LOG_MODULE(esp, NOTICE);

enum { NS_PER_SEC = 1000000000 };

/* Without ESN an outbound SA has 2^32 - 1 packets; its replacement is due well before the end. */
static const uint64_t seq_soft = 3ull << 30;

/* The same question again, if nobody answered; another one from the same slot of the table. */
static const uint64_t acquire_again_ns = 5ull * NS_PER_SEC, acquire_other_ns = NS_PER_SEC / 10;

void
esp_event_post(struct lcore *lc, const struct esp_event *ev)
{
	if (lc->esp->conf.events.post != NULL)
		lc->esp->conf.events.post(lc, ev);
}

void
esp_event_sa(struct lcore *lc, const struct esp_sa *sa, enum esp_event_kind kind)
{
	struct esp_event ev = {.kind = (uint8_t)kind,
		.worker = lc->id,
		.index = sa->index,
		.gen = sa->gen,
		.profile = sa->conf.profile,
		.addr = sa->conf.remote,
		.port = sa->conf.udp_remote};

	esp_event_post(lc, &ev);
}

static uint64_t
limit_or_never(uint64_t limit)
{
	return limit == 0 ? UINT64_MAX : limit;
}

static uint64_t
soft_packets(const struct esp_sa *sa)
{
	uint64_t soft = limit_or_never(sa->conf.life.soft_packets);

	return sa->conf.inbound || sa->conf.esn ? soft : RTE_MIN(soft, seq_soft);
}

/* When a limit in seconds since `from` falls due. */
static uint64_t
due(uint64_t from_ns, uint32_t limit_s)
{
	return limit_s == 0 || from_ns == 0 ? UINT64_MAX : from_ns + (uint64_t)limit_s * NS_PER_SEC;
}

static bool
hard_reached(const struct lcore *lc, const struct esp_sa *sa)
{
	const struct esp_life *l = &sa->conf.life;

	/* RFC 4303 s3.3.3: the end of the numbers is the end of the SA. */
	if (!sa->conf.inbound && sa->seq >= sa->seq_max)
		return true;
	return sa->packets >= limit_or_never(l->hard_packets) ||
	       sa->bytes >= limit_or_never(l->hard_bytes) ||
	       lc->now_ns >= due(sa->added_ns, l->hard_add_s) ||
	       lc->now_ns >= due(sa->used_ns, l->hard_use_s);
}

static bool
soft_reached(const struct lcore *lc, const struct esp_sa *sa)
{
	const struct esp_life *l = &sa->conf.life;

	return sa->packets >= soft_packets(sa) || sa->bytes >= limit_or_never(l->soft_bytes) ||
	       lc->now_ns >= due(sa->added_ns, l->soft_add_s) ||
	       lc->now_ns >= due(sa->used_ns, l->soft_use_s);
}

static void life_timer(struct lcore *lc, struct tmr *t);

/* What must wake this SA next: the next counter values and the next moment. */
static void
arm(struct lcore *lc, struct esp_sa *sa)
{
	const struct esp_life *l = &sa->conf.life;
	uint64_t at;

	sa->next_packets = limit_or_never(l->hard_packets);
	sa->next_bytes = limit_or_never(l->hard_bytes);
	if (!sa->conf.inbound)
		sa->next_packets = RTE_MIN(sa->next_packets, sa->seq_max);
	at = RTE_MIN(due(sa->added_ns, l->hard_add_s), due(sa->used_ns, l->hard_use_s));
	if (!sa->soft_sent) {
		sa->next_packets = RTE_MIN(sa->next_packets, soft_packets(sa));
		sa->next_bytes = RTE_MIN(sa->next_bytes, limit_or_never(l->soft_bytes));
		at = RTE_MIN(at, due(sa->added_ns, l->soft_add_s));
		at = RTE_MIN(at, due(sa->used_ns, l->soft_use_s));
	}
	if (sa->used_ns == 0 && (l->soft_use_s | l->hard_use_s) != 0)
		sa->next_packets = 1; /* the first packet starts the clock */
	if (at != UINT64_MAX)
		tmr_set(lc, &sa->life_tmr, at, life_timer);
}

static void
expire(struct lcore *lc, struct esp_sa *sa)
{
	sa->expired = true;
	sa->seq_max = 0;
	sa->next_packets = sa->next_bytes = UINT64_MAX;
	tmr_stop(lc, &sa->life_tmr);
	tmr_stop(lc, &sa->keepalive_tmr);
	tmr_stop(lc, &sa->dummy_tmr);
	lc->esp->sad_version++; /* remembered SAs are looked up again */
	lc_count(lc, ST_SA_HARD);
	LOG(INFO, "worker %u: SA %u.%u expired, spi 0x%08x", lc->id, sa->index, sa->gen,
		sa->conf.spi);
	esp_event_sa(lc, sa, ESP_EV_HARD);
}

static void
judge(struct lcore *lc, struct esp_sa *sa)
{
	if (hard_reached(lc, sa)) {
		expire(lc, sa);
		return;
	}
	if (!sa->soft_sent && soft_reached(lc, sa)) {
		sa->soft_sent = true;
		lc_count(lc, ST_SA_SOFT);
		esp_event_sa(lc, sa, ESP_EV_SOFT);
	}
	arm(lc, sa);
}

static void
life_timer(struct lcore *lc, struct tmr *t)
{
	judge(lc, container_of(t, struct esp_sa, life_tmr));
}

void
esp_life_start(struct lcore *lc, struct esp_sa *sa)
{
	arm(lc, sa);
}

void
esp_life_limit(struct lcore *lc, struct esp_sa *sa)
{
	if (sa->used_ns == 0)
		sa->used_ns = lc->now_ns;
	if (!sa->expired)
		judge(lc, sa);
}

static bool
asked_lately(const struct acquire *a, const struct acquire *want)
{
	bool same = ip_addr_eq(&a->local, &want->local) && ip_addr_eq(&a->remote, &want->remote) &&
		    a->rule == want->rule && a->profile == want->profile;

	return a->used && want->at_ns - a->at_ns < (same ? acquire_again_ns : acquire_other_ns);
}

void
esp_acquire(struct lcore *lc, const struct flow_key *k, uint32_t rule, uint32_t profile,
	const struct esp_want *want)
{
	struct esp_event ev = {.kind = ESP_EV_ACQUIRE,
		.worker = lc->id,
		.rule = rule,
		.profile = profile,
		.key = *k};
	struct acquire asked = {k->local, k->remote, rule, profile, lc->now_ns, true};
	uint32_t h =
		rte_jhash(&k->remote, sizeof(k->remote), lc->esp->acquire_seed ^ rule ^ profile);
	struct acquire *a = &lc->esp->acquire[h % ACQUIRE_SLOTS];

	if (asked_lately(a, &asked)) {
		lc_count(lc, ST_ACQUIRE_SKIP);
		return;
	}
	*a = asked;
	if (want != NULL)
		ev.want = *want;
	lc_count(lc, ST_ACQUIRE);
	esp_event_post(lc, &ev);
}

void
esp_acquire_done(struct lcore *lc)
{
	memset(lc->esp->acquire, 0, sizeof(lc->esp->acquire));
}
