/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * sctp_out.c - transmit stage: what leaves, in which packet, on which path (RFC 9260 s6.1, s6.4,
 * s6.10).
 *
 * Called by out_next() once in a turn. Chunks of one path share packets: control first, then what
 * was lost, then new data.
 */
#include "sctp/sctp_int.h"

enum { OUT_QUANTUM = 8, HB_LEN = 16, PAYLOAD_MIN = 64 };

enum result { SENT, NOTHING, NO_PACKET };

void
sctp_mark(struct lcore *lc, struct sctp_assoc *a, uint16_t what)
{
	if (a->state == SCTPS_CLOSED)
		return;
	a->out |= what;
	if (a->on_out)
		return;
	a->on_out = true;
	TAILQ_INSERT_TAIL(&lc->sctp->out, a, outq);
}

void
sctp_unmark(struct lcore *lc, struct sctp_assoc *a)
{
	if (a->on_out)
		TAILQ_REMOVE(&lc->sctp->out, a, outq);
	a->on_out = false;
	a->out = 0;
}

/* s6.9: by the narrowest path, so that a chunk can go on any. */
void
sctp_frag_update(struct sctp_assoc *a)
{
	const struct sctp_path *p;
	uint32_t least = UINT16_MAX;

	TAILQ_FOREACH (p, &a->paths, entry) {
		if (p->mps_bytes != 0 && p->state != SCTP_PATH_BARRED)
			least = RTE_MIN(least, (uint32_t)p->mps_bytes);
	}
	a->frag_bytes = RTE_MAX((least - SCTP_HLEN - SCTP_DATA_HLEN) & ~3u, (uint32_t)PAYLOAD_MIN);
}

/* ---- which path ---- */

/* Where a lost chunk goes: s6.4, another one than before if it timed out. */
static struct sctp_path *
path_for_lost(const struct sctp_assoc *a, const struct sctp_tx *t)
{
	if (t->stay && sctp_path_is_good(t->path))
		return t->path;
	return sctp_path_pick_other(a, t->path);
}

static const struct sctp_tx *
first_lost(const struct sctp_assoc *a)
{
	const struct sctp_tx *t;

	TAILQ_FOREACH (t, &a->sent, entry) {
		if (t->state == SCTP_TX_LOST)
			return t;
	}
	return NULL;
}

static bool
may_write(const struct sctp_assoc *a)
{
	return a->state == SCTPS_ESTABLISHED || a->state == SCTPS_SHUTDOWN_PENDING ||
	       a->state == SCTPS_SHUTDOWN_RECEIVED;
}

/* s6.1, B and D. */
static bool
has_room(const struct sctp_ctx *sc, struct sctp_path *p)
{
	if (p->flight == 0 && p->burst < sc->conf.max_burst)
		p->burst = (uint16_t)sc->conf.max_burst;
	return p->burst > 0 && p->flight < p->cwnd;
}

/* s6.1, A: the peer's window; one chunk may probe a closed one. */
static bool
has_window(const struct sctp_assoc *a, uint32_t bytes)
{
	return bytes <= a->peer_rwnd || a->outstanding == 0;
}

/* RFC 6458 s8.1.5, as Nagle: less than a packet waits while something is on its way. */
static bool
is_held_back(const struct sctp_assoc *a)
{
	return !a->nodelay && a->outstanding > 0 && a->waiting_bytes < a->frag_bytes &&
	       a->state == SCTPS_ESTABLISHED;
}

/* Where data can leave now, NULL: none can. s6.1, C: what was lost goes first. */
static struct sctp_path *
data_path(struct lcore *lc, const struct sctp_assoc *a)
{
	const struct sctp_tx *t;
	struct sctp_path *p;

	if (!may_write(a))
		return NULL;
	if (a->nb_lost > 0) {
		t = first_lost(a);
		p = t == NULL ? NULL : path_for_lost(a, t);
		if (p == NULL)
			return NULL;
		return p->fast_due || has_room(lc->sctp, p) ? p : NULL;
	}
	t = TAILQ_FIRST(&a->waiting);
	if (t == NULL || is_held_back(a))
		return NULL;
	p = sctp_path_pick(a);
	if (p == NULL)
		return NULL;
	sctp_cc_idle(lc, p);
	if (!has_room(lc->sctp, p) || !has_window(a, RTE_MIN(t->len, a->frag_bytes)))
		return NULL;
	return p;
}

/* Where control chunks go; NULL: there are none. */
static struct sctp_path *
control_path(const struct sctp_assoc *a)
{
	if ((a->out & SCTP_OUT_COOKIE_ACK) != 0)
		return a->primary;
	if ((a->out & (SCTP_OUT_SHUTDOWN | SCTP_OUT_SHUTDOWN_ACK)) != 0)
		return a->errors > 0 && a->ctl_path != NULL ? sctp_path_pick_other(a, a->ctl_path)
							    : sctp_path_pick(a);
	if ((a->out & SCTP_OUT_SACK) == 0)
		return NULL;
	/* s6.4: to where the data came from. */
	return a->sack_path != NULL && sctp_path_is_open(a->sack_path) ? a->sack_path
								       : sctp_path_pick(a);
}

/* ---- data ---- */

static void
emit_data(struct lcore *lc, struct sctp_assoc *a, struct sctp_emit *e, struct sctp_tx *t,
	struct sctp_path *p)
{
	uint32_t fixed = SCTP_DATA_HLEN - SCTP_CHUNK_HLEN;
	uint8_t *at = sctp_emit_chunk(e, SCTP_DATA, t->flags, fixed + t->len);

	sctp_put32(at, t->tsn);
	sctp_put16(at + 4, t->sid);
	sctp_put16(at + 6, t->ssn);
	memcpy(at + 8, &t->ppid, sizeof(t->ppid));
	buf_copy_out(&a->snd, t->pos, at + fixed, t->len);
	sctp_tx_flight(a, t, p);
	a->peer_rwnd -= RTE_MIN(a->peer_rwnd, t->len);
	if (!tmr_is_set(&p->t3))
		sctp_t3_start(lc, p);
	/* s6.3.1, C4: one at a time. */
	if (!p->rtt_busy && !t->again) {
		p->rtt_busy = true;
		p->rtt_tsn = t->tsn;
		p->rtt_ns = lc->now_ns;
	}
	lc_count(lc, ST_SCTP_DATA_OUT);
}

static bool
data_fits(const struct sctp_emit *e, uint32_t len)
{
	return sctp_emit_fits(e, SCTP_DATA_HLEN - SCTP_CHUNK_HLEN + len);
}

/* s6.3.3, E3; s7.2.4: as many as fit into this packet. Returns how many. */
static uint32_t
add_lost(struct lcore *lc, struct sctp_assoc *a, struct sctp_build *b)
{
	uint32_t left = a->nb_lost, n = 0;
	struct sctp_tx *t;

	TAILQ_FOREACH (t, &a->sent, entry) {
		if (left == 0)
			break;
		if (t->state != SCTP_TX_LOST)
			continue;
		left--;
		if (path_for_lost(a, t) != b->path)
			break;
		/* Cut for a wider path: alone, in fragments of IP (s7.3). */
		if (n == 0 && b->e.len == SCTP_HLEN && !data_fits(&b->e, t->len))
			b->e.cap = rte_pktmbuf_tailroom(b->m);
		if (!data_fits(&b->e, t->len) || (n > 0 && b->path->flight >= b->path->cwnd))
			break;
		emit_data(lc, a, &b->e, t, b->path);
		lc_count(lc, ST_SCTP_REXMT);
		n++;
	}
	return n;
}

/* The next chunk of the message at the head, split off if need be; NULL: nothing may go. */
static struct sctp_tx *
next_chunk(struct lcore *lc, struct sctp_assoc *a, const struct sctp_emit *e)
{
	struct sctp_tx *t = TAILQ_FIRST(&a->waiting), *head;
	uint32_t len = t == NULL ? 0 : RTE_MIN(t->len, a->frag_bytes);
	void *obj;

	if (t == NULL || !data_fits(e, len) || !has_window(a, len))
		return NULL;
	if ((t->flags & (SCTP_F_B | SCTP_F_U)) == SCTP_F_B)
		t->ssn = a->out_ssn[t->sid]++;
	a->waiting_bytes -= len;
	if (t->len == len) {
		TAILQ_REMOVE(&a->waiting, t, entry);
		return t;
	}
	if (rte_mempool_get(lc->sctp->txs, &obj) != 0) {
		a->waiting_bytes += len;
		if ((t->flags & (SCTP_F_B | SCTP_F_U)) == SCTP_F_B)
			a->out_ssn[t->sid]--;
		return NULL;
	}
	head = obj;
	*head = *t;
	head->len = len;
	head->flags &= (uint8_t)~SCTP_F_E;
	t->flags &= (uint8_t)~SCTP_F_B;
	t->pos += len;
	t->len -= len;
	return head;
}

static uint32_t
add_new(struct lcore *lc, struct sctp_assoc *a, struct sctp_build *b)
{
	struct sctp_path *p = b->path;
	struct sctp_tx *t;
	uint32_t n = 0;

	if (a->nb_lost > 0 || p != sctp_path_pick(a))
		return 0;
	while (p->flight < p->cwnd && (t = next_chunk(lc, a, &b->e)) != NULL) {
		t->tsn = a->next_tsn++;
		TAILQ_INSERT_TAIL(&a->sent, t, entry);
		a->nb_sent++;
		emit_data(lc, a, &b->e, t, p);
		n++;
	}
	return n;
}

/* ---- packets ---- */

static void
put_packet(struct lcore *lc, struct sctp_build *b, struct pkt_vec *v)
{
	pkt_vec_add(v, sctp_build_end(lc, b));
}

/* INIT or COOKIE ECHO, alone (s6.10; bundling of the second is a may). */
static enum result
setup_out(struct lcore *lc, struct sctp_assoc *a, struct pkt_vec *v)
{
	bool is_init = (a->out & SCTP_OUT_INIT) != 0;
	struct sctp_path *p = a->primary;
	struct sctp_build b;
	struct sctp_offer o;
	uint8_t *at;

	a->out &= (uint16_t) ~(SCTP_OUT_INIT | SCTP_OUT_COOKIE_ECHO);
	if (!sctp_build_start(lc, &b, p, is_init ? 0 : a->peer_vtag))
		return NO_PACKET; /* T1 asks again */
	if (is_init) {
		sctp_offer_make(lc->sctp, a->ep, a->local, a->nb_local, &o);
		o.vtag = a->own_vtag;
		o.tsn = a->init_tsn;
		o.a_rwnd = a->rcv_limit;
		o.nb_out = a->nb_out;
		o.nb_in = a->nb_in;
		o.v4 = a->v4;
		o.v6 = a->v6;
		sctp_emit_init(&b.e, SCTP_INIT, &o);
	} else {
		b.e.cap = rte_pktmbuf_tailroom(b.m);
		at = sctp_emit_chunk(&b.e, SCTP_COOKIE_ECHO, 0, a->cookie.len);
		if (at != NULL)
			memcpy(at, a->cookie.at, a->cookie.len);
	}
	a->ctl_path = p;
	put_packet(lc, &b, v);
	return SENT;
}

/* s8.3, s5.4: the nonce says that the answer is an answer. */
static enum result
heartbeat_out(struct lcore *lc, struct sctp_assoc *a, struct pkt_vec *v)
{
	struct sctp_path *p;
	struct sctp_build b;
	uint8_t *at;

	TAILQ_FOREACH (p, &a->paths, entry) {
		if (p->hb_due)
			break;
	}
	if (p == NULL) {
		a->out &= (uint16_t)~SCTP_OUT_HB;
		return NOTHING;
	}
	p->hb_due = false;
	if (!p->way.live || !sctp_build_start(lc, &b, p, a->peer_vtag))
		return NO_PACKET;
	p->hb_nonce = (uint64_t)sctp_rand_tag(lc) << 32 | sctp_rand_tag(lc);
	p->hb_sent_ns = lc->now_ns;
	p->hb_wait = true;
	at = sctp_emit_chunk(&b.e, SCTP_HEARTBEAT, 0, SCTP_PARAM_HLEN + HB_LEN);
	sctp_put16(at, SCTP_P_HEARTBEAT);
	sctp_put16(at + 2, SCTP_PARAM_HLEN + HB_LEN);
	memcpy(at + 4, &p->hb_nonce, sizeof(p->hb_nonce));
	memset(at + 12, 0, 8);
	lc_count(lc, ST_SCTP_HB_OUT);
	put_packet(lc, &b, v);
	return SENT;
}

/* What of a->out goes to the path of b, which was chosen for it or else for data; with data a SACK
 * that is due later rides along (s6.2). */
static void
add_control(struct lcore *lc, struct sctp_assoc *a, struct sctp_build *b, bool is_control)
{
	uint8_t *at;

	if (is_control && (a->out & SCTP_OUT_COOKIE_ACK) != 0) {
		sctp_emit_chunk(&b->e, SCTP_COOKIE_ACK, 0, 0);
		a->out &= (uint16_t)~SCTP_OUT_COOKIE_ACK;
	}
	if ((a->out & SCTP_OUT_SACK) != 0 || a->sack_packets > 0) {
		if (b->path == a->sack_path || is_control)
			sctp_sack_emit(lc, a, &b->e);
	}
	if (!is_control || (a->out & (SCTP_OUT_SHUTDOWN | SCTP_OUT_SHUTDOWN_ACK)) == 0)
		return;
	a->ctl_path = b->path;
	if ((a->out & SCTP_OUT_SHUTDOWN_ACK) != 0) {
		sctp_emit_chunk(&b->e, SCTP_SHUTDOWN_ACK, 0, 0);
	} else if (a->state == SCTPS_SHUTDOWN_SENT) {
		at = sctp_emit_chunk(&b->e, SCTP_SHUTDOWN, 0, 4);
		sctp_put32(at, a->cum_tsn);
	}
	a->out &= (uint16_t) ~(SCTP_OUT_SHUTDOWN | SCTP_OUT_SHUTDOWN_ACK);
}

static enum result
bundle_out(struct lcore *lc, struct sctp_assoc *a, struct pkt_vec *v)
{
	struct sctp_path *ctl = control_path(a), *data = data_path(lc, a);
	struct sctp_path *p = ctl != NULL ? ctl : data;
	struct sctp_build b;
	uint32_t n = 0;

	if (p == NULL)
		return NOTHING;
	if (!sctp_build_start(lc, &b, p, a->peer_vtag))
		return NO_PACKET;
	add_control(lc, a, &b, ctl != NULL);
	if (p == data) {
		n = add_lost(lc, a, &b);
		if (n > 0)
			p->fast_due = false;
		n += add_new(lc, a, &b);
	}
	if (n > 0) {
		p->burst = (uint16_t)(p->burst - (p->burst > 0));
		p->last_send_ns = lc->now_ns;
		sctp_autoclose_touch(lc, a);
	}
	if (b.e.len == SCTP_HLEN) {
		rte_pktmbuf_free(b.m); /* it never was a packet */
		return NOTHING;
	}
	put_packet(lc, &b, v);
	return SENT;
}

static enum result
one_packet(struct lcore *lc, struct sctp_assoc *a, struct pkt_vec *v)
{
	if ((a->out & (SCTP_OUT_INIT | SCTP_OUT_COOKIE_ECHO)) != 0)
		return setup_out(lc, a, v);
	if (a->state < SCTPS_ESTABLISHED)
		return NOTHING;
	/* s6.10: the COOKIE ACK is the first chunk that leaves. */
	if ((a->out & SCTP_OUT_HB) != 0 && (a->out & SCTP_OUT_COOKIE_ACK) == 0) {
		enum result r = heartbeat_out(lc, a, v);

		if (r != NOTHING)
			return r;
	}
	return bundle_out(lc, a, v);
}

static void
to_the_end(struct lcore *lc, struct sctp_assoc *a)
{
	TAILQ_REMOVE(&lc->sctp->out, a, outq);
	TAILQ_INSERT_TAIL(&lc->sctp->out, a, outq);
}

/* At most max packets of one association, which goes behind the others. False: no packet was left.
 */
static bool
assoc_out(struct lcore *lc, struct sctp_assoc *a, struct pkt_vec *v, uint32_t max)
{
	enum result r = SENT;

	for (uint32_t n = 0; n < max && r == SENT; n++)
		r = one_packet(lc, a, v);
	if (r == NOTHING)
		sctp_unmark(lc, a);
	else
		to_the_end(lc, a);
	sctp_assoc_check(a);
	return r != NO_PACKET;
}

uint32_t
sctp_out(struct lcore *lc, struct pkt_vec *v, uint32_t max)
{
	uint32_t first = v->n, limit = RTE_MIN(max, PKT_BURST - v->n);
	struct sctp_assoc *a;

	sctp_reap(lc);
	while (v->n - first < limit && (a = TAILQ_FIRST(&lc->sctp->out)) != NULL) {
		if (!assoc_out(lc, a, v, RTE_MIN(limit - (v->n - first), (uint32_t)OUT_QUANTUM)))
			break;
	}
	return v->n - first;
}

bool
sctp_out_pending(const struct lcore *lc)
{
	return !TAILQ_EMPTY(&lc->sctp->out) || !TAILQ_EMPTY(&lc->sctp->reap);
}
