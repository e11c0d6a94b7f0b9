/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * esp_out.c - outbound ESP (RFC 4303 s3.3): wraps L4 (transport) or an IP packet (tunnel).
 *
 * Called by tx_path() after spd_out() and ip_out_inner(), before the outer IP header exists, so
 * transport mode moves no byte. Three passes like esp_in(). A sequence number is spent only on a
 * packet that has room for its header and trailer.
 */
#include "esp/sa.h"
#include "stack/base/rand.h"

enum { TFC_TAIL_MIN = 64 }; /* left for padding, trailer and ICV */

/* RFC 4303 s2.4: padding brings the end of the trailer to a boundary of 4 bytes, or of a block. */
static uint32_t
pad_len_of(const struct esp_suite *s, uint32_t payload_bytes)
{
	return -(payload_bytes + ESP_TRAILER_BYTES) & (s->align - 1u);
}

/* Makes room for header, IV, padding, trailer and ICV. Returns NULL if there is none. */
static uint8_t *
make_room(struct rte_mbuf *m, const struct esp_suite *s, uint32_t pad_len, uint32_t udp_hlen)
{
	uint32_t tail = pad_len + ESP_TRAILER_BYTES + s->icv_bytes;
	uint32_t head = (uint32_t)ESP_HDR_BYTES + s->iv_bytes + udp_hlen;

	if (m->nb_segs > 1 && rte_pktmbuf_linearize(m) != 0)
		return NULL;
	if (rte_pktmbuf_headroom(m) < head || rte_pktmbuf_tailroom(m) < tail)
		return NULL;
	rte_pktmbuf_append(m, (uint16_t)tail);
	return (uint8_t *)rte_pktmbuf_prepend(m, (uint16_t)head) + udp_hlen;
}

/* A counter never repeats under a key; CBC wants what nobody can guess (RFC 3602 s3). */
static void
write_iv(struct lcore *lc, uint8_t *to, struct esp_sa *sa)
{
	uint64_t iv;

	if (sa->suite.iv_random) {
		rand_bytes(lc->rand, to, sa->suite.iv_bytes);
	} else if (sa->suite.iv_bytes != 0) {
		iv = rte_cpu_to_be_64(++sa->iv);
		memcpy(to, &iv, sizeof(iv));
	}
}

static void
write_header(uint8_t *esp, const struct esp_sa *sa, const struct crypto_op *op)
{
	rte_be32_t spi = rte_cpu_to_be_32(sa->conf.spi);
	rte_be32_t seql = rte_cpu_to_be_32((uint32_t)op->seq);

	memcpy(esp, &spi, 4);
	memcpy(esp + 4, &seql, 4);
}

/* RFC 4303 s2.7: in a tunnel the inner header says where the packet ends, so zeros may follow. */
static void
add_tfc(const struct esp_sa *sa, struct rte_mbuf *m)
{
	uint32_t tail = rte_pktmbuf_tailroom(m), want = sa->conf.tfc_pad_bytes;

	tail = tail > TFC_TAIL_MIN ? tail - (uint32_t)TFC_TAIL_MIN : 0;
	want = RTE_MIN(want, m->pkt_len + tail);
	if (sa->conf.mode != ESP_MODE_TUNNEL || m->pkt_len >= want)
		return;
	want -= m->pkt_len;
	memset(rte_pktmbuf_append(m, (uint16_t)want), 0, want);
}

static void
write_trailer(uint8_t *p, uint32_t pad_len, uint8_t nxt)
{
	for (uint32_t i = 0; i < pad_len; i++)
		p[i] = (uint8_t)(i + 1);
	p[pad_len] = (uint8_t)pad_len;
	p[pad_len + 1] = nxt;
}

static bool
prepare(struct lcore *lc, struct rte_mbuf *m, struct crypto_op *op)
{
	struct pkt_meta *pm = pkt_meta(m);
	struct esp_sa *sa = pm->sa;
	uint32_t udp_hlen = sa->conf.udp ? UDP_HLEN : 0;
	uint32_t payload, pad_len;
	uint8_t *esp;

	if (!esp_sa_is_usable(sa)) {
		pkt_drop(lc, m, sa->expired ? DROP_ESP_EXPIRED : DROP_ESP_SEQ_END);
		return false;
	}
	/* It was made while the connection was to be clear; TCP sends it again. */
	if (unlikely((pm->flags & PKT_F_PARTIAL) != 0)) {
		pkt_drop(lc, m, DROP_TX_OFFLOAD);
		return false;
	}
	add_tfc(sa, m);
	payload = m->pkt_len;
	pad_len = pad_len_of(&sa->suite, payload);
	esp = make_room(m, &sa->suite, pad_len, udp_hlen);
	if (esp == NULL) {
		pkt_drop(lc, m, DROP_ESP_TOOBIG);
		return false;
	}
	op->seq = ++sa->seq;
	op->ok = true;
	esp_sa_op(sa, op, esp, m->pkt_len - udp_hlen);
	write_header(esp, sa, op);
	write_iv(lc, esp + ESP_HDR_BYTES, sa);
	write_trailer(op->data + payload, pad_len, pm->nxt);
	return true;
}

/* RFC 4301 s5.1.2.1: what the outer header takes from the inner one; RFC 6040 s4.1 for ECN. */
static void
outer_fields(const struct esp_sa *sa, struct pkt_meta *pm)
{
	const struct esp_sa_conf *c = &sa->conf;
	uint8_t ecn = c->ecn_off ? 0 : pm->tos & 3u;
	uint8_t dscp = c->dscp_set ? c->dscp : pm->tos >> 2;

	pm->tos = (uint8_t)(dscp << 2 | ecn);
	if (c->df == ESP_DF_SET)
		pm->flags |= PKT_F_DF;
	else if (c->df == ESP_DF_CLEAR)
		pm->flags &= (uint8_t)~PKT_F_DF;
}

static void
finish(struct lcore *lc, struct rte_mbuf *m, const struct crypto_op *op)
{
	struct pkt_meta *pm = pkt_meta(m);

	if (pm->tunnel != 0)
		outer_fields(op->sa, pm);
	esp_life_count(lc, op->sa, op->len);
	op->sa->sent_ns = lc->now_ns;
	pm->nxt = IPPROTO_N_ESP;
	pm->place = PKT_MADE;
	if (op->sa->conf.udp) {
		esp_udp_push(m, op->sa);
		pm->nxt = IPPROTO_N_UDP;
	}
	pm->l4_len = (uint16_t)m->pkt_len;
	lc_count(lc, ST_ESP_OUT);
}

/* Drops what has no room; one operation for each protected packet that stays. */
static uint32_t
prepare_all(struct lcore *lc, struct pkt_vec *v, struct crypto_op *op)
{
	uint32_t n = 0, kept = 0;

	for (uint32_t i = 0; i < v->n; i++) {
		struct rte_mbuf *m = v->m[i];

		if (pkt_meta(m)->sa != NULL) {
			if (!prepare(lc, m, &op[n]))
				continue;
			n++;
		}
		v->m[kept++] = m;
	}
	v->n = kept;
	return n;
}

void
esp_out(struct lcore *lc, struct pkt_vec *v)
{
	struct crypto_op op[PKT_BURST];
	uint32_t n = prepare_all(lc, v, op), kept = 0;
	const struct crypto_op *o = op;

	for (uint32_t i = 0, run; i < n; i += run) {
		const struct esp_sa *sa = op[i].sa;

		run = esp_op_run(op + i, n - i);
		sa->engine->encrypt(sa->engine_ctx, op + i, run);
	}
	for (uint32_t i = 0; i < v->n; i++) {
		struct rte_mbuf *m = v->m[i];

		if (pkt_meta(m)->sa != NULL) {
			if (!o->ok) {
				pkt_drop(lc, m, DROP_ESP_CRYPTO); /* it may still be plaintext */
				o++;
				continue;
			}
			finish(lc, m, o++);
		}
		v->m[kept++] = m;
	}
	v->n = kept;
}
