/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * esp_udp.c - ESP in UDP, and peers behind a NAT (RFC 3948).
 *
 * Receive: between ip_in() and esp_in(), takes ESP out of the UDP packets to the port that IKE has
 * too; what carries the non-ESP marker stays UDP. Transmit: the header that esp_out() pushes.
 */
#include <rte_udp.h>

#include "esp/sa.h"
#include "stack/base/csum.h"

enum {
	MARKER_BYTES = 4, /* RFC 3948 s2.2: four zero bytes where ESP has its SPI */
	KEEPALIVE = 0xff, /* RFC 3948 s2.3 */
	TCP_CSUM_OFF = 16,
	UDP_CSUM_OFF = 6,
	NS_PER_SEC = 1000000000,
	MOVE_MIN_NS = NS_PER_SEC, /* between two changes of one SA */
};

enum udp_kind { KIND_UDP, KIND_ESP, KIND_KEEPALIVE };

/* To the port that ESP and IKE share, and not out of a tunnel. */
static bool
may_be_esp(const struct lcore *lc, const struct rte_mbuf *m)
{
	const struct pkt_meta *pm = pkt_meta(m);

	return lc->esp->nb_udp != 0 && !pkt_is_tagged(lc, m) && pm->l4_len > UDP_HLEN &&
	       rte_be_to_cpu_16(pm->key.lport) == lc->esp->udp_port;
}

static enum udp_kind
kind_of(const struct rte_mbuf *m)
{
	const struct pkt_meta *pm = pkt_meta(m);
	const uint8_t *p = pkt_data(m, pm->l4_off + UDP_HLEN);
	uint32_t marker;

	if (pm->l4_len == UDP_HLEN + 1 && p[0] == KEEPALIVE)
		return KIND_KEEPALIVE;
	if (pm->l4_len < UDP_HLEN + MARKER_BYTES)
		return KIND_UDP;
	memcpy(&marker, p, sizeof(marker));
	return marker == 0 ? KIND_UDP : KIND_ESP;
}

/*
 * RFC 3948 s2.1: nobody may depend on the checksum being zero. One that is there is verified: ESP
 * does not cover the addresses, and one that was damaged on the way would move the peer. Over IPv6
 * it must be there (RFC 8200 s8.1).
 */
static bool
csum_ok(const struct rte_mbuf *m, uint16_t csum)
{
	const struct pkt_meta *pm = pkt_meta(m);

	if (csum == 0)
		return ip_addr_is_v4(&pm->key.local);
	if ((pm->flags & PKT_F_CSUM_OK) != 0)
		return true;
	return csum_finish(csum_add(pkt_data(m, pm->l4_off), pm->l4_len,
		       csum_pseudo(&pm->key, pm->l4_len))) == 0;
}

static enum drop_reason
strip(struct rte_mbuf *m)
{
	struct pkt_meta *pm = pkt_meta(m);
	struct rte_udp_hdr h;

	memcpy(&h, pkt_data(m, pm->l4_off), sizeof(h));
	if (rte_be_to_cpu_16(h.dgram_len) != pm->l4_len)
		return DROP_NATT_LEN;
	if (!csum_ok(m, h.dgram_cksum))
		return DROP_NATT_CSUM;
	pm->udp_remote = rte_be_to_cpu_16(h.src_port);
	if (pm->udp_remote == 0)
		return DROP_NATT_LEN;
	pkt_set_l4(
		m, IPPROTO_N_ESP, (uint32_t)pm->l4_off + UDP_HLEN, (uint32_t)pm->l4_len - UDP_HLEN);
	return DROP_NONE;
}

static void
take(struct lcore *lc, struct rte_mbuf *m, struct pkt_sort *s)
{
	enum drop_reason r = strip(m);

	if (r == DROP_NONE)
		pkt_vec_add(&s->v[NX_ESP], m);
	else
		pkt_drop(lc, m, r);
}

void
esp_udp_in(struct lcore *lc, struct pkt_sort *s)
{
	struct pkt_vec *v = &s->v[NX_UDP];
	uint32_t kept = 0;

	for (uint32_t i = 0; i < v->n; i++) {
		struct rte_mbuf *m = v->m[i];

		if (!may_be_esp(lc, m)) {
			v->m[kept++] = m;
			continue;
		}
		if (!esp_linearise(lc, m))
			continue;
		switch (kind_of(m)) {
		case KIND_UDP:
			v->m[kept++] = m;
			break;
		case KIND_KEEPALIVE:
			pkt_drop(lc, m, DROP_NATT_KEEPALIVE);
			break;
		case KIND_ESP:
			take(lc, m, s);
			break;
		}
	}
	v->n = kept;
}

/*
 * RFC 7296 s2.23: an authentic and new packet from elsewhere moves the peer. Only the newest
 * counts, else a delayed one would move it back. Who is behind a NAT itself must not follow: then
 * it is the peer that has the fixed address.
 */
void
esp_udp_follow(struct lcore *lc, struct esp_sa *sa, const struct rte_mbuf *m)
{
	const struct pkt_meta *pm = pkt_meta(m);
	struct esp_event ev = {.kind = ESP_EV_MOVED,
		.worker = lc->id,
		.index = sa->index,
		.gen = sa->gen,
		.addr = pm->key.remote,
		.port = pm->udp_remote};

	if (pm->udp_remote == sa->conf.udp_remote && ip_addr_eq(&pm->key.remote, &sa->conf.remote))
		return;
	if (!ip_addr_is_any(&sa->conf.oa_local))
		return;
	if (sa->moved_ns != 0 && lc->now_ns - sa->moved_ns < MOVE_MIN_NS)
		return;
	lc_count(lc, ST_NATT_MOVED);
	esp_event_post(lc, &ev);
	esp_sad_move(lc, sa->index, sa->gen, &pm->key.remote, pm->udp_remote);
}

/* RFC 1624 s3: takes `was` out of a checksum and puts `now` in. */
static uint16_t
csum_replace(uint16_t csum, const struct ip_addr *was, const struct ip_addr *now)
{
	uint16_t out = csum_finish(csum_add(was, sizeof(*was), 0)); /* already complemented */

	return csum_finish((uint16_t)~csum + out + csum_add(now, sizeof(*now), 0));
}

/*
 * RFC 3948 s3.1.2: in transport mode the NAT changed addresses that the checksum covers. Where the
 * original ones are known it is corrected and then verified as any other; else the ICV, which
 * covers more, stands for it.
 */
void
esp_udp_fix_csum(const struct esp_sa *sa, struct rte_mbuf *m)
{
	struct pkt_meta *pm = pkt_meta(m);
	uint32_t at = pm->nxt == IPPROTO_N_TCP ? TCP_CSUM_OFF : UDP_CSUM_OFF;
	const struct esp_sa_conf *c = &sa->conf;
	uint16_t csum;

	if ((pm->nxt != IPPROTO_N_TCP && pm->nxt != IPPROTO_N_UDP) || pm->l4_len < at + 2)
		return;
	if (ip_addr_is_any(&c->oa_remote) && ip_addr_is_any(&c->oa_local)) {
		pm->flags |= PKT_F_CSUM_OK;
		return;
	}
	memcpy(&csum, pkt_data(m, pm->l4_off + at), sizeof(csum));
	if (pm->nxt == IPPROTO_N_UDP && csum == 0)
		return; /* none was sent */
	if (!ip_addr_is_any(&c->oa_remote))
		csum = csum_replace(csum, &c->oa_remote, &pm->key.remote);
	if (!ip_addr_is_any(&c->oa_local))
		csum = csum_replace(csum, &c->oa_local, &pm->key.local);
	memcpy(pkt_data(m, pm->l4_off + at), &csum, sizeof(csum));
}

/* RFC 3948 s2.1: IPv4 sends no checksum; IPv6 must (RFC 8200 s8.1). */
void
esp_udp_push(struct rte_mbuf *m, const struct esp_sa *sa)
{
	uint16_t len = (uint16_t)m->pkt_len;
	struct rte_udp_hdr h = {.src_port = rte_cpu_to_be_16(sa->conf.udp_local),
		.dst_port = rte_cpu_to_be_16(sa->conf.udp_remote),
		.dgram_len = rte_cpu_to_be_16(len)};
	struct flow_key outer = {
		.local = sa->conf.local, .remote = sa->conf.remote, .proto = IPPROTO_N_UDP};
	uint16_t csum;

	memcpy(pkt_data(m, 0), &h, sizeof(h));
	if (ip_addr_is_v4(&sa->conf.remote))
		return;
	csum = csum_finish(csum_add(pkt_data(m, 0), len, csum_pseudo(&outer, len)));
	h.dgram_cksum = csum == 0 ? 0xffff : csum;
	memcpy(pkt_data(m, 0), &h, sizeof(h));
}

/* RFC 3948 s4: a byte that keeps the NAT's mapping, when nothing else did. */
static void
keepalive_send(struct lcore *lc, const struct esp_sa *sa)
{
	struct rte_mbuf *m = pkt_alloc(lc);
	struct pkt_meta *pm;

	if (m == NULL)
		return;
	*rte_pktmbuf_append(m, UDP_HLEN + 1) = 0;
	*pkt_data(m, UDP_HLEN) = KEEPALIVE;
	esp_udp_push(m, sa);
	pm = pkt_meta(m);
	pm->key = (struct flow_key){.local = sa->conf.local,
		.remote = sa->conf.remote,
		.lport = rte_cpu_to_be_16(sa->conf.udp_local),
		.rport = rte_cpu_to_be_16(sa->conf.udp_remote),
		.realm = sa->conf.realm,
		.proto = IPPROTO_N_UDP};
	pm->nxt = IPPROTO_N_UDP;
	pm->ttl = 64;
	pm->l4_len = UDP_HLEN + 1;
	/* It belongs to the tunnel, not to a flow that policy could know. */
	pkt_tag_set(
		lc, m, (struct tl_tag){.sad_index = TAG_BYPASS, .sad_gen = lc->esp->spd.version});
	lc_count(lc, ST_NATT_KEEPALIVE);
	pkt_out(lc, &lc->out_l4, m);
}

static void
keepalive_timer(struct lcore *lc, struct tmr *t)
{
	struct esp_sa *sa = container_of(t, struct esp_sa, keepalive_tmr);
	uint64_t every = (uint64_t)sa->conf.keepalive_s * NS_PER_SEC;

	if (lc->now_ns - sa->sent_ns >= every) {
		keepalive_send(lc, sa);
		sa->sent_ns = lc->now_ns;
	}
	tmr_set(lc, t, sa->sent_ns + every, keepalive_timer);
}

void
esp_udp_start(struct lcore *lc, struct esp_sa *sa)
{
	if (sa->conf.udp && !sa->conf.inbound && sa->conf.keepalive_s != 0) {
		sa->sent_ns = lc->now_ns;
		tmr_set(lc, &sa->keepalive_tmr,
			lc->now_ns + (uint64_t)sa->conf.keepalive_s * NS_PER_SEC, keepalive_timer);
	}
}
