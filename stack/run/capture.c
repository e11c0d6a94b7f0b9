/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * capture.c - the worker's side of a capture: which packet, what is known of it, its copy.
 *
 * Called by rx_path() and tx_path() at their two taps, and by every drop.
 */
#include "stack/run/capture.h"

#include "stack/run/plain.h"

/* What a request tag or a tag says; the SA may be gone. */
static void
fill_tag(struct lcore *lc, const struct rte_mbuf *m, struct capture_rec *r)
{
	const struct tl_tag *t = pkt_tag(lc, m);
	struct esp_sa_ref sa;

	r->profile = t->profile;
	if (t->profile == 0 || t->sad_index >= TAG_BYPASS || r->out)
		return;
	r->has_sa = true;
	r->sad_index = t->sad_index;
	r->sad_gen = t->sad_gen;
	if (esp_sad_ref(lc, t, &sa))
		r->spi = sa.spi;
}

/* Meta's SA is valid within the turn that chose it. */
static bool
has_chosen_sa(const struct pkt_meta *pm)
{
	if (pm->place == PKT_MADE)
		return true;
	return pm->tunnel != 0 && (pm->nxt == IPPROTO_N_IPIP || pm->nxt == IPPROTO_N_IPV6);
}

/* ESP that was not decrypted says its SPI itself. */
static void
fill_wire_spi(const struct rte_mbuf *m, struct capture_rec *r)
{
	const struct pkt_meta *pm = pkt_meta(m);
	rte_be32_t spi;

	if (pm->nxt != IPPROTO_N_ESP || pm->l4_len < sizeof(spi) ||
		pm->l4_off + sizeof(spi) > m->data_len)
		return;
	memcpy(&spi, pkt_data(m, pm->l4_off), sizeof(spi));
	r->spi = rte_be_to_cpu_32(spi);
}

static void
fill_sa(struct lcore *lc, const struct rte_mbuf *m, struct capture_rec *r)
{
	struct esp_sa_ref sa;

	if (r->out && has_chosen_sa(pkt_meta(m)) && esp_out_sa(m, &sa)) {
		r->has_sa = true;
		r->spi = sa.spi;
		r->sad_index = sa.index;
		r->sad_gen = sa.gen;
		r->profile = sa.profile;
	} else if (pkt_is_tagged(lc, m)) {
		fill_tag(lc, m, r);
	} else if (!r->out) {
		fill_wire_spi(m, r);
	}
}

static bool
port_in(const struct port_range *r, rte_be16_t port)
{
	uint16_t p = rte_be_to_cpu_16(port);

	return r->lo <= p && p <= r->hi;
}

static bool
is_wanted(const struct capture_filter *f, const struct flow_key *k, const struct capture_rec *r)
{
	if (f->drops && r->drop == DROP_NONE)
		return false;
	if (f->spi != 0 && f->spi != r->spi)
		return false;
	if (f->sad_index != (uint32_t)CAPTURE_ANY_SA &&
		!(r->has_sa && f->sad_index == r->sad_index && f->sad_gen == r->sad_gen))
		return false;
	if (f->sel.proto != 0 && f->sel.proto != k->proto)
		return false;
	return addr_range_has(&f->sel.local, &k->local) &&
	       addr_range_has(&f->sel.remote, &k->remote) && port_in(&f->sel.lport, k->lport) &&
	       port_in(&f->sel.rport, k->rport);
}

static void
one(struct lcore *lc, const struct rte_mbuf *m, enum drop_reason why)
{
	struct capture_tap *t = lc->capture;
	struct capture_rec r = {.drop = (uint16_t)why, .out = pkt_meta(m)->place != PKT_RECEIVED};
	struct plain p;
	uint8_t *to;

	fill_sa(lc, m, &r);
	if (!is_wanted(&t->filter, &pkt_meta(m)->key, &r) || !plain_of(m, &p))
		return;
	r.wall_ns = t->wall_base_ns + lc->now_ns;
	r.len = p.hlen + p.len;
	to = recq_reserve(t->q, (uint32_t)sizeof(r) + RTE_MIN(r.len, t->snap_bytes));
	if (to == NULL) {
		t->lost++;
		lc_count(lc, ST_CAPTURE_LOST);
		return;
	}
	r.cap_len = plain_copy(&p, m, to + sizeof(r), RTE_MIN(r.len, t->snap_bytes));
	memcpy(to, &r, sizeof(r));
	recq_commit(t->q);
	t->captured++;
	lc_count(lc, ST_CAPTURED);
}

void
capture_packet(struct lcore *lc, const struct rte_mbuf *m)
{
	one(lc, m, DROP_NONE);
}

void
capture_in(struct lcore *lc, const struct pkt_sort *s)
{
	for (enum pkt_next nx = NX_TCP; nx < NX_MAX; nx++) {
		for (uint32_t i = 0; i < s->v[nx].n; i++)
			one(lc, s->v[nx].m[i], DROP_NONE);
	}
}

void
capture_out(struct lcore *lc, const struct pkt_vec *v)
{
	for (uint32_t i = 0; i < v->n; i++)
		one(lc, v->m[i], DROP_NONE);
}

void
capture_drop(struct lcore *lc, const struct rte_mbuf *m, enum drop_reason r)
{
	if (drop_reason_is_loss(r))
		one(lc, m, r);
}

void
capture_comment(const struct capture_rec *r, char *out, size_t cap)
{
	int n = 0;

	out[0] = '\0';
	if (r->spi != 0)
		n += snprintf(out + n, cap - (size_t)n, "spi 0x%08x, ", r->spi);
	if (r->has_sa)
		n += snprintf(out + n, cap - (size_t)n, "sad %u.%u, ", r->sad_index, r->sad_gen);
	if (r->profile != 0)
		n += snprintf(out + n, cap - (size_t)n, "profile %u, ", r->profile);
	if (n == 0)
		n += snprintf(out + n, cap - (size_t)n, "clear, ");
	n += snprintf(out + n, cap - (size_t)n, "dir %s", r->out ? "out" : "in");
	if (r->drop != DROP_NONE)
		snprintf(out + n, cap - (size_t)n, ", drop %s",
			drop_reason_name((enum drop_reason)r->drop));
}
