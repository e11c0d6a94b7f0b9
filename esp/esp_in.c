/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * esp_in.c - inbound ESP (RFC 4303 s3.4): from ciphertext to a tagged packet.
 *
 * Called by rx_path() with a burst. Three passes: find the SA and check the sequence number, one
 * burst of crypto, then finish in arrival order: integrity, replay window, trailer, selectors,
 * tag. Nothing of an SA changes before its packet passed the integrity check. Packets go on to
 * ip_in() out of a tunnel, to latch_in() out of transport mode.
 */
#include "esp/sa.h"
#include "stack/base/msg.h"

bool
esp_linearise(struct lcore *lc, struct rte_mbuf *m)
{
	if (likely(m->nb_segs == 1))
		return true;
	if (rte_pktmbuf_linearize(m) != 0) {
		pkt_drop(lc, m, DROP_NOBUF);
		return false;
	}
	lc_count(lc, ST_ESP_LINEAR);
	return true;
}

static bool
lengths_ok(const struct esp_sa *sa, const struct pkt_meta *pm)
{
	const struct esp_suite *s = &sa->suite;
	uint32_t fixed = (uint32_t)ESP_HDR_BYTES + s->iv_bytes + s->icv_bytes;

	/* RFC 4303 s2.4: the ciphertext fills whole blocks, and 4-byte words at least. Both are
	 * powers of two. */
	return pm->l4_len >= fixed + s->align && ((pm->l4_len - fixed) & (s->align - 1u)) == 0;
}

static bool
addresses_ok(const struct esp_sa *sa, const struct pkt_meta *pm)
{
	if (!ip_addr_eq(&sa->conf.local, &pm->key.local))
		return false;
	/* A NAT may have changed where the peer sends from; the ICV says whether it is the peer. */
	return sa->conf.udp || ip_addr_eq(&sa->conf.remote, &pm->key.remote);
}

/* Finds the SA of a packet, or ends or hands over the packet and returns NULL. */
static struct esp_sa *
find_sa(struct lcore *lc, struct rte_mbuf *m)
{
	struct pkt_meta *pm = pkt_meta(m);
	struct esp_sa *sa;
	rte_be32_t spi;

	if (pkt_is_tagged(lc, m)) {
		/* F-61: a bundle of SAs would need a bundle of profiles. */
		pkt_drop(lc, m, DROP_ESP_NESTED);
		return NULL;
	}
	if (pm->l4_len < ESP_HDR_BYTES) {
		pkt_drop(lc, m, DROP_ESP_SHORT);
		return NULL;
	}
	memcpy(&spi, pkt_data(m, pm->l4_off), 4);
	sa = esp_sad_lookup(lc->esp, rte_be_to_cpu_32(spi), pm->key.realm);
	if (sa == NULL) {
		pkt_drop(lc, m, DROP_ESP_SPI);
		return NULL;
	}
	if (sa->conf.udp != (pm->udp_remote != 0)) {
		pkt_drop(lc, m, DROP_ESP_ENCAP);
		return NULL;
	}
	if (!addresses_ok(sa, pm)) {
		pkt_drop(lc, m, DROP_ESP_ADDR);
		return NULL;
	}
	if (sa->expired) {
		pkt_drop(lc, m, DROP_ESP_EXPIRED);
		return NULL;
	}
	if (!lengths_ok(sa, pm)) {
		pkt_drop(lc, m, DROP_ESP_SHORT);
		return NULL;
	}
	if (sa->key == NULL) {
		msg_handoff(lc, sa->conf.owner, HANDOFF_IP, m);
		return NULL;
	}
	return sa;
}

/* The 64-bit sequence number. Returns false if replayed. */
static bool
sequence(struct esp_sa *sa, const uint8_t *esp, struct crypto_op *op)
{
	rte_be32_t seql;

	memcpy(&seql, esp + 4, 4);
	op->seq = rte_be_to_cpu_32(seql);
	if (sa->conf.esn)
		op->seq = replay_esn(&sa->replay, (uint32_t)op->seq);
	return replay_check(&sa->replay, op->seq);
}

static bool
prepare(struct lcore *lc, struct rte_mbuf *m, struct crypto_op *op)
{
	struct pkt_meta *pm = pkt_meta(m);
	struct esp_sa *sa;
	uint8_t *esp;

	if (!esp_linearise(lc, m))
		return false;
	sa = find_sa(lc, m);
	if (sa == NULL)
		return false;
	esp = pkt_data(m, pm->l4_off);
	if (!sequence(sa, esp, op)) {
		sa->drop_replay++;
		pkt_drop(lc, m, op->seq == 0 ? DROP_ESP_SEQ : DROP_ESP_REPLAY);
		return false;
	}
	op->ok = false;
	esp_sa_op(sa, op, esp, pm->l4_len);
	return true;
}

/* RFC 4303 s2.4: padding counts 1, 2, 3, ...; the receiver SHOULD inspect it. */
static bool
padding_ok(const struct crypto_op *op, uint32_t *pad_len)
{
	const uint8_t *pad;

	*pad_len = op->data[op->len - 2];
	if (*pad_len + ESP_TRAILER_BYTES > op->len)
		return false;
	pad = op->data + op->len - ESP_TRAILER_BYTES - *pad_len;
	for (uint32_t i = 0; i < *pad_len; i++) {
		if (pad[i] != i + 1)
			return false;
	}
	return true;
}

static void
finish_tunnel(struct lcore *lc, struct rte_mbuf *m, const struct crypto_op *op, uint8_t nxt,
	uint32_t len, struct pkt_sort *s)
{
	struct pkt_meta *pm = pkt_meta(m);

	if (!esp_inner_selected(op->sa, nxt, pm->port, op->data, len)) {
		pkt_drop(lc, m, DROP_ESP_SELECTOR);
		return;
	}
	pm->l3_off = (uint16_t)(pm->l4_off + ESP_HDR_BYTES + op->sa->suite.iv_bytes);
	rte_pktmbuf_trim(m, (uint16_t)(m->pkt_len - pm->l3_off - len));
	esp_sa_tag(lc, m, op->sa);
	pkt_vec_add(&s->v[NX_IP], m);
}

/* The packet of a burst that passed the selectors of its SA last. */
struct passed {
	const struct esp_sa *sa;
	const struct flow_key *key;
};

/* RFC 4301 s5.2, step 4; asked once for the packets of a run. */
static bool
is_selected(struct passed *before, const struct esp_sa *sa, const struct flow_key *key)
{
	if (before->sa == sa && flow_key_eq(before->key, key))
		return true;
	if (!esp_sel_match(&sa->conf.sel, key))
		return false;
	*before = (struct passed){.sa = sa, .key = key};
	return true;
}

/* No byte moves: the IP header stays where it was, and L4 begins behind the IV. */
static void
finish_transport(struct lcore *lc, struct rte_mbuf *m, const struct crypto_op *op, uint8_t nxt,
	uint32_t len, struct passed *before, struct pkt_sort *s)
{
	struct pkt_meta *pm = pkt_meta(m);
	uint32_t off = (uint32_t)pm->l4_off + ESP_HDR_BYTES + op->sa->suite.iv_bytes;
	enum pkt_next nx = pkt_next_of(nxt);

	if (nx == NX_ESP) {
		pkt_drop(lc, m, DROP_ESP_NESTED);
		return;
	}
	if (!pkt_set_l4(m, nxt, off, len)) {
		pkt_drop(lc, m, DROP_L4_SHORT);
		return;
	}
	if (!is_selected(before, op->sa, &pm->key)) {
		pkt_drop(lc, m, DROP_ESP_SELECTOR);
		return;
	}
	pm->flags &= (uint8_t)~PKT_F_CSUM_OK; /* the port saw ciphertext */
	if (op->sa->conf.udp)
		esp_udp_fix_csum(op->sa, m);
	esp_sa_tag(lc, m, op->sa);
	/* F-60: IP-in-IP in transport mode is no tunnel of ours, so it has no handler either. */
	pkt_vec_add(&s->v[nx == NX_MAX ? NX_OTHER : nx], m);
}

/* Integrity, then the window: two copies in one burst both passed the first look (RFC 4303
 * s3.4.3 asks for the update only after the ICV was verified). */
static bool
authentic(struct lcore *lc, struct rte_mbuf *m, const struct crypto_op *op)
{
	struct esp_sa *sa = op->sa;

	if (!op->ok) {
		sa->drop_icv++;
		pkt_drop(lc, m, DROP_ESP_ICV);
		return false;
	}
	if (!replay_check(&sa->replay, op->seq)) {
		sa->drop_replay++;
		pkt_drop(lc, m, DROP_ESP_REPLAY);
		return false;
	}
	if (unlikely(sa->expired)) { /* by an earlier packet of the burst */
		pkt_drop(lc, m, DROP_ESP_EXPIRED);
		return false;
	}
	if (sa->conf.udp && op->seq > sa->replay.top)
		esp_udp_follow(lc, sa, m);
	replay_update(&sa->replay, op->seq);
	esp_life_count(lc, sa, op->len);
	lc_count(lc, ST_ESP_IN);
	return true;
}

static void
finish(struct lcore *lc, struct rte_mbuf *m, const struct crypto_op *op, struct passed *before,
	struct pkt_sort *s)
{
	uint32_t pad_len, len;
	uint8_t nxt;

	if (!authentic(lc, m, op))
		return;
	if (!padding_ok(op, &pad_len)) {
		pkt_drop(lc, m, DROP_ESP_PAD);
		return;
	}
	nxt = op->data[op->len - 1];
	len = op->len - ESP_TRAILER_BYTES - pad_len;
	if (nxt == IPPROTO_N_NONE)
		pkt_drop(lc, m, DROP_ESP_DUMMY); /* RFC 4303 s2.6 */
	else if (op->sa->conf.mode == ESP_MODE_TRANSPORT)
		finish_transport(lc, m, op, nxt, len, before, s);
	else if (nxt == IPPROTO_N_IPIP || nxt == IPPROTO_N_IPV6)
		finish_tunnel(lc, m, op, nxt, len, s);
	else
		pkt_drop(lc, m, DROP_ESP_NEXT);
}

/* Many peers: the SAs of a burst are fetched together instead of one after the other. */
static void
prefetch(const struct esp_ctx *e, const struct pkt_vec *v)
{
	struct esp_sa *const *bucket[PKT_BURST];
	uint32_t n = 0;

	for (uint32_t i = 0; i < v->n; i++) {
		const struct pkt_meta *pm = pkt_meta(v->m[i]);
		rte_be32_t spi;

		if (pm->l4_len < ESP_HDR_BYTES || v->m[i]->nb_segs > 1)
			continue;
		memcpy(&spi, pkt_data(v->m[i], pm->l4_off), 4);
		bucket[n] = &e->in[rte_be_to_cpu_32(spi) & e->mask];
		rte_prefetch0(bucket[n++]);
	}
	for (uint32_t i = 0; i < n; i++) {
		if (*bucket[i] != NULL)
			rte_prefetch0(*bucket[i]);
	}
}

void
esp_in(struct lcore *lc, struct pkt_vec *v, struct pkt_sort *s)
{
	struct crypto_op op[PKT_BURST];
	struct rte_mbuf *m[PKT_BURST];
	struct passed before = {.sa = NULL};
	uint32_t n = 0, taken = v->n;

	prefetch(lc->esp, v);
	v->n = 0; /* transport mode never adds to NX_ESP, but s may be where v lies */
	for (uint32_t i = 0; i < taken; i++) {
		if (prepare(lc, v->m[i], &op[n]))
			m[n++] = v->m[i];
	}
	for (uint32_t i = 0, run; i < n; i += run) {
		const struct esp_sa *sa = op[i].sa;

		run = esp_op_run(op + i, n - i);
		sa->engine->decrypt(sa->engine_ctx, op + i, run);
	}
	for (uint32_t i = 0; i < n; i++)
		finish(lc, m[i], &op[i], &before, s);
}
