/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * sctp_sack.c - SACK in both directions, and the map of what came (RFC 9260 s3.3.4, s6.2, s6.7).
 */
#include "sctp/sctp_int.h"

enum { GAPS_MAX = 64 };

/* ---- the map ---- */

static uint64_t *
word_of(const struct sctp_assoc *a, uint32_t tsn, uint64_t *bit)
{
	*bit = UINT64_C(1) << (tsn & 63);
	return &a->map->w[tsn % SCTP_MAP_BITS / 64];
}

bool
sctp_map_has(const struct sctp_assoc *a, uint32_t tsn)
{
	uint64_t bit;

	if (seq_leq(tsn, a->cum_tsn))
		return true;
	if (a->map == NULL || seq_gt(tsn, a->max_tsn))
		return false;
	return (*word_of(a, tsn, &bit) & bit) != 0;
}

void
sctp_map_free(struct lcore *lc, struct sctp_assoc *a)
{
	if (a->map != NULL)
		rte_mempool_put(lc->sctp->maps, a->map);
	a->map = NULL;
}

/* Over what is there already. */
static void
advance(struct lcore *lc, struct sctp_assoc *a)
{
	uint64_t bit, *w;

	while (a->cum_tsn != a->max_tsn) {
		w = word_of(a, a->cum_tsn + 1, &bit);
		if ((*w & bit) == 0)
			return;
		*w &= ~bit;
		a->cum_tsn++;
	}
	sctp_map_free(lc, a);
}

bool
sctp_map_add(struct lcore *lc, struct sctp_assoc *a, uint32_t tsn)
{
	uint64_t bit, *w;
	void *obj;

	if (tsn == a->cum_tsn + 1 && a->map == NULL) {
		a->cum_tsn = a->max_tsn = tsn;
		return true;
	}
	if (tsn - a->cum_tsn >= SCTP_MAP_BITS)
		return false;
	if (a->map == NULL) {
		if (rte_mempool_get(lc->sctp->maps, &obj) != 0)
			return false;
		a->map = obj;
		memset(a->map, 0, sizeof(*a->map));
	}
	w = word_of(a, tsn, &bit);
	*w |= bit;
	a->max_tsn = seq_max(a->max_tsn, tsn);
	advance(lc, a);
	return true;
}

/* ---- ours ---- */

struct gap {
	uint16_t start, end;
};

/* s3.3.4: offsets from the cumulative TSN. */
static uint32_t
gaps_of(const struct sctp_assoc *a, struct gap *g, uint32_t max)
{
	uint32_t n = 0, last = a->max_tsn - a->cum_tsn;
	bool in = false;

	for (uint32_t i = 1; a->map != NULL && i <= last; i++) {
		bool has = sctp_map_has(a, a->cum_tsn + i);

		if (has && !in) {
			if (n == max)
				break;
			g[n++].start = (uint16_t)i;
		}
		if (has)
			g[n - 1].end = (uint16_t)i;
		in = has;
	}
	return n;
}

bool
sctp_sack_emit(struct lcore *lc, struct sctp_assoc *a, struct sctp_emit *e)
{
	struct gap g[GAPS_MAX];
	uint32_t fixed = SCTP_SACK_HLEN - SCTP_CHUNK_HLEN, room, n;
	uint8_t *p;

	if (!sctp_emit_fits(e, fixed + 4u * a->nb_dups))
		return false;
	room = (e->cap - e->len - SCTP_SACK_HLEN) / 4 - a->nb_dups;
	n = gaps_of(a, g, RTE_MIN(room, (uint32_t)GAPS_MAX));
	p = sctp_emit_chunk(e, SCTP_SACK, 0, fixed + 4 * n + 4u * a->nb_dups);
	sctp_put32(p, a->cum_tsn);
	a->rwnd_told = sctp_rwnd(a);
	sctp_put32(p + 4, a->rwnd_told);
	sctp_put16(p + 8, (uint16_t)n);
	sctp_put16(p + 10, a->nb_dups);
	p += fixed;
	for (uint32_t i = 0; i < n; i++, p += 4) {
		sctp_put16(p, g[i].start);
		sctp_put16(p + 2, g[i].end);
	}
	for (uint32_t i = 0; i < a->nb_dups; i++, p += 4)
		sctp_put32(p, a->dup[i]);
	a->nb_dups = 0;
	a->sack_packets = 0;
	a->sack_now = false;
	a->out &= (uint16_t)~SCTP_OUT_SACK;
	tmr_stop(lc, &a->t_sack);
	lc_count(lc, ST_SCTP_SACK_OUT);
	return true;
}

/* ---- the peer's ---- */

/* s6.2.1, D iv: it has thrown away what it said that it had. */
static void
renege(struct lcore *lc, struct sctp_assoc *a, struct sctp_tx *t)
{
	lc_count(lc, ST_SCTP_RENEGE);
	sctp_tx_flight(a, t, t->path);
	t->again = true;
	if (!tmr_is_set(&t->path->t3))
		sctp_t3_start(lc, t->path);
}

/* Blocks come in order and do not overlap; what does not make sense ends the walk. Returns the
 * highest TSN that is acknowledged anew, or the cumulative one. */
static uint32_t
take_gaps(struct lcore *lc, struct sctp_assoc *a, const struct sctp_sack *s)
{
	struct sctp_tx *t = TAILQ_FIRST(&a->sent);
	uint32_t highest = a->cum_ack, after = 0;
	uint16_t start, end;

	for (uint32_t i = 0; i < s->nb_gaps && t != NULL; i++) {
		sctp_sack_gap(s, i, &start, &end);
		if (start <= after || end < start)
			break;
		after = end;
		for (; t != NULL && t->tsn - a->cum_ack < start; t = TAILQ_NEXT(t, entry)) {
			if (t->state == SCTP_TX_ACKED)
				renege(lc, a, t);
		}
		for (; t != NULL && t->tsn - a->cum_ack <= end; t = TAILQ_NEXT(t, entry)) {
			if (t->state == SCTP_TX_ACKED)
				continue;
			sctp_tx_ack(lc, a, t);
			highest = t->tsn;
		}
	}
	for (; t != NULL && a->nb_gap_acked > 0; t = TAILQ_NEXT(t, entry)) {
		if (t->state == SCTP_TX_ACKED)
			renege(lc, a, t);
	}
	return highest;
}

/* s6.2.1 */
enum sctp_next
sctp_sack_chunk(struct lcore *lc, struct sctp_rcv *r, const struct sctp_chunk *c)
{
	struct sctp_assoc *a = r->a;
	struct sctp_sack s;
	uint32_t highest;
	bool in_order;

	if (!sctp_wire_sack(c, &s))
		return SCTP_STOP;
	lc_count(lc, ST_SCTP_SACK_IN);
	/* D i: older than what is known; or of what was never sent. */
	if (seq_lt(s.cum_tsn, a->cum_ack) || seq_geq(s.cum_tsn, a->next_tsn))
		return SCTP_NEXT;
	in_order = s.cum_tsn != a->cum_ack;
	sctp_cum_ack(lc, a, s.cum_tsn);
	highest = a->cum_ack;
	if (s.nb_gaps > 0 || a->nb_gap_acked > 0)
		highest = take_gaps(lc, a, &s);
	/* D ii */
	a->peer_rwnd = s.a_rwnd > a->outstanding ? s.a_rwnd - a->outstanding : 0;
	if (highest != a->cum_ack)
		sctp_fast_rexmt(lc, a, highest);
	sctp_acked(lc, a, in_order);
	return a->state == SCTPS_CLOSED ? SCTP_STOP : SCTP_NEXT;
}
