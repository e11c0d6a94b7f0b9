/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * esp_out.c - outbound ESP (RFC 4303 s3.3): wraps L4 (transport) or an IP packet (tunnel).
 *
 * Called by tx_path() after spd_out() and ip_out_inner(), before the outer IP header exists, so
 * transport mode moves no byte. Three passes like esp_in(). A sequence number is spent only on a
 * packet that has room for its header and trailer.
 */
#include "esp/sa.h"

static uint32_t
pad_len_of(uint32_t payload_bytes)
{
	/* RFC 4303 s2.4: padding brings the trailer to a 4-byte boundary. */
	return -(payload_bytes + ESP_TRAILER_BYTES) & 3u;
}

/* Makes room for header, IV, padding, trailer and ICV. Returns NULL if there is none. */
static uint8_t *
make_room(struct rte_mbuf *m, uint32_t pad_len)
{
	uint32_t tail = pad_len + ESP_TRAILER_BYTES + ESP_ICV_BYTES;
	uint32_t head = ESP_HDR_BYTES + ESP_IV_BYTES;

	if (m->nb_segs > 1 && rte_pktmbuf_linearize(m) != 0)
		return NULL;
	if (rte_pktmbuf_headroom(m) < head || rte_pktmbuf_tailroom(m) < tail)
		return NULL;
	rte_pktmbuf_append(m, (uint16_t)tail);
	return (uint8_t *)rte_pktmbuf_prepend(m, (uint16_t)head);
}

static void
write_header(uint8_t *esp, struct esp_sa *sa, const struct crypto_op *op)
{
	rte_be32_t spi = rte_cpu_to_be_32(sa->conf.spi);
	rte_be32_t seql = rte_cpu_to_be_32((uint32_t)op->seq);
	uint64_t iv = rte_cpu_to_be_64(++sa->iv);

	memcpy(esp, &spi, 4);
	memcpy(esp + 4, &seql, 4);
	memcpy(esp + ESP_HDR_BYTES, &iv, ESP_IV_BYTES);
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
	uint32_t payload = m->pkt_len, pad_len = pad_len_of(payload);
	uint8_t *esp;

	if (!esp_sa_is_usable(sa)) {
		pkt_drop(lc, m, DROP_ESP_SEQ_END);
		return false;
	}
	esp = make_room(m, pad_len);
	if (esp == NULL) {
		pkt_drop(lc, m, DROP_ESP_TOOBIG);
		return false;
	}
	op->seq = ++sa->seq;
	op->sa = sa;
	op->iv = esp + ESP_HDR_BYTES;
	op->data = op->iv + ESP_IV_BYTES;
	op->len = payload + pad_len + ESP_TRAILER_BYTES;
	op->icv = op->data + op->len;
	op->ok = true;
	write_header(esp, sa, op);
	esp_sa_aad(sa, op);
	write_trailer(op->data + payload, pad_len, pm->nxt);
	return true;
}

static void
finish(struct lcore *lc, struct rte_mbuf *m, const struct crypto_op *op)
{
	struct pkt_meta *pm = pkt_meta(m);

	op->sa->packets++;
	op->sa->bytes += op->len;
	pm->nxt = IPPROTO_N_ESP;
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

	for (uint32_t i = 0; i < n; i++) {
		struct esp_sa *sa = op[i].sa;

		sa->engine->encrypt(sa->engine_ctx, sa->key, sa->salt, &op[i]);
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
