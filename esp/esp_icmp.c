/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * esp_icmp.c - what a router may say about our ESP packets (F-49, F-51; RFC 4301 s6.1, s8.2).
 *
 * Such an error comes in clear and can be forged, so only one kind is heard at all, and only if it
 * quotes an SPI, addresses and a sequence number that an SA used lately: "packet too big". It sets
 * the path MTU of that SA for a while, never below what every path carries.
 */
#include "esp/sa.h"

enum {
	MTU_MIN_V4 = 576,         /* a datagram that every host takes (RFC 791 s3.1) */
	MTU_MIN_V6 = 1280,        /* RFC 8200 s5 */
	SEQ_BEHIND_MAX = 1 << 16, /* packets that may be on their way */
};

/* RFC 8201 s4, RFC 1191 s6.3: the path may have become wider. */
static const uint64_t path_mtu_ns = 600ull * 1000000000;

static struct esp_sa *
quoted_sa(const struct esp_ctx *e, const struct flow_key *k)
{
	uint32_t spi = (uint32_t)rte_be_to_cpu_16(k->lport) << 16 | rte_be_to_cpu_16(k->rport);
	struct esp_sa *sa = e->out_spi[spi & e->mask];

	for (; sa != NULL; sa = sa->spi_next) {
		if (sa->conf.spi == spi && sa->conf.realm == k->realm && !sa->conf.udp &&
			ip_addr_eq(&sa->conf.local, &k->local) &&
			ip_addr_eq(&sa->conf.remote, &k->remote))
			return sa;
	}
	return NULL;
}

/* F-51: only the owner knows what it sent; it is the one who is believed. */
static bool
was_sent(const struct esp_sa *sa, uint32_t seql)
{
	return sa->key != NULL && (uint32_t)sa->seq - seql < SEQ_BEHIND_MAX && sa->seq != 0;
}

bool
esp_may_speak(struct lcore *lc, const struct flow_key *quoted)
{
	return quoted_sa(lc->esp, quoted) != NULL;
}

void
esp_too_big(struct lcore *lc, const struct flow_key *quoted, uint32_t seql, uint32_t mtu_bytes)
{
	struct esp_sa *sa = quoted_sa(lc->esp, quoted);
	uint32_t least;
	struct esp_event ev = {.kind = ESP_EV_PMTU, .worker = lc->id};

	if (sa == NULL || !was_sent(sa, seql))
		return;
	least = ip_addr_is_v4(&sa->conf.remote) ? MTU_MIN_V4 : MTU_MIN_V6;
	ev.index = sa->index;
	ev.gen = sa->gen;
	ev.mtu_bytes = RTE_MAX(mtu_bytes, least);
	lc_count(lc, ST_ESP_PMTU);
	esp_sad_set_pmtu(lc, ev.index, ev.gen, ev.mtu_bytes);
	if (lc->nb_workers > 1)
		esp_event_post(lc, &ev); /* its connections may live on other workers */
}

void
esp_sad_set_pmtu(struct lcore *lc, uint32_t index, uint32_t gen, uint32_t mtu_bytes)
{
	struct esp_sa *sa = esp_sad_slot(lc->esp, index);

	if (sa == NULL || sa->gen != gen)
		return;
	if (mtu_bytes >= esp_sa_path_mtu(lc, sa) && esp_sa_path_mtu(lc, sa) != 0)
		return;
	sa->path_mtu_bytes = mtu_bytes;
	sa->path_mtu_until_ns = lc->now_ns + path_mtu_ns;
	lc->esp->sad_version++; /* latches look again */
}
