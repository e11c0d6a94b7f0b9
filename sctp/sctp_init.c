/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * sctp_init.c - INIT and INIT ACK, in both roles (RFC 9260 s5.1, s5.2.1 to s5.2.3).
 *
 * An INIT is answered from the packet alone; what is needed later travels in the cookie.
 */
#include <errno.h>
#include <string.h>

#include "sctp/sctp_int.h"

/* ---- ours ---- */

void
sctp_offer_make(const struct sctp_ctx *sc, const struct sctp_ep *ep, const struct ip_addr *local,
	uint8_t nb_local, struct sctp_offer *o)
{
	const struct sctp_conf *c = &sc->conf;

	*o = (struct sctp_offer){
		.a_rwnd = ep != NULL ? ep->s->rcvbuf_bytes : c->rcvbuf_bytes,
		.nb_out = ep != NULL ? ep->out_streams : c->out_streams,
		.nb_in = ep != NULL ? ep->in_streams : c->in_streams,
	};
	o->a_rwnd = RTE_MAX(o->a_rwnd, (uint32_t)SCTP_RWND_MIN);
	/* s3.3.2.1: with a single address the packet says it already. */
	if (nb_local < 2)
		return;
	o->nb_addrs = nb_local;
	memcpy(o->addr, local, nb_local * sizeof(*local));
}

static void
offer_of(const struct lcore *lc, const struct sctp_assoc *a, struct sctp_offer *o)
{
	sctp_offer_make(lc->sctp, a->ep, a->local, a->nb_local, o);
	o->a_rwnd = a->rcv_limit;
	o->nb_out = a->nb_out;
	o->nb_in = a->nb_in;
	o->vtag = a->own_vtag;
	o->tsn = a->init_tsn;
}

void
sctp_init_start(struct lcore *lc, struct sctp_assoc *a)
{
	rte_pktmbuf_free(a->cookie_m);
	a->cookie_m = NULL;
	sctp_set_state(lc, a, SCTPS_COOKIE_WAIT);
	sctp_mark(lc, a, SCTP_OUT_INIT);
	sctp_ctl_start(lc, a);
}

/* ---- what the peer's may not say ---- */

/* s3.3.2, s3.3.3: SCTP_C_NONE, or why it is refused. */
static uint16_t
refusal(const struct sctp_init *in)
{
	if (in->nb_out == 0 || in->nb_in == 0 || in->a_rwnd < SCTP_RWND_MIN)
		return SCTP_C_INVALID;
	return in->hostname ? SCTP_C_ADDRESS : SCTP_C_NONE; /* s5.1.2, C */
}

/* DROP_NONE if the INIT can be answered with an INIT ACK. */
static enum drop_reason
init_check(struct lcore *lc, struct sctp_rcv *r, const struct sctp_chunk *c, struct sctp_init *in)
{
	uint16_t cause;

	if (!sctp_wire_init(c, in))
		return DROP_SCTP_CHUNK;
	if (in->vtag == 0) /* s3.3.2 */
		return DROP_SCTP_VTAG;
	cause = refusal(in);
	if (cause == SCTP_C_NONE)
		return DROP_NONE;
	sctp_answer_abort(lc, r->m, in->vtag, 0, cause);
	return DROP_SCTP_CHUNK;
}

/* ---- INIT ACK ---- */

static void
answer_init(struct lcore *lc, struct sctp_rcv *r, const struct sctp_init *in, struct sctp_offer *o,
	struct sctp_cookie *c)
{
	uint8_t sealed[SCTP_OWN_COOKIE_MAX];
	struct sctp_build b;

	c->born_ns = lc->now_ns;
	c->own_vtag = o->vtag;
	c->own_tsn = o->tsn;
	c->peer_vtag = in->vtag;
	c->peer_tsn = in->tsn;
	c->peer_rwnd = in->a_rwnd;
	/* s5.1.1 */
	c->nb_out = (uint16_t)RTE_MIN(o->nb_out, in->nb_in);
	c->nb_in = (uint16_t)RTE_MIN(o->nb_in, in->nb_out);
	c->nb_addrs = in->nb_addrs;
	memcpy(c->addr, in->addr, in->nb_addrs * sizeof(in->addr[0]));
	o->about = in;
	o->cookie.at = sealed;
	o->cookie.len = (uint16_t)sctp_cookie_seal(lc, c, r->m, sealed);
	if (o->cookie.len == 0 || !sctp_answer_start(lc, &b, r->m, in->vtag))
		return;
	sctp_emit_init(&b.e, SCTP_INIT_ACK, o);
	sctp_answer_end(lc, &b, r->m);
	lc_count(lc, ST_SCTP_COOKIE_OUT);
}

enum drop_reason
sctp_init_new(struct lcore *lc, struct sctp_rcv *r, const struct sctp_chunk *c)
{
	struct sctp_ep *ep = sctp_listener_find(lc, r->key);
	struct ip_addr local[SCTP_ADDRS_MAX];
	struct sctp_cookie cookie;
	enum drop_reason why;
	struct sctp_offer o;
	struct sctp_init in;

	why = init_check(lc, r, c, &in);
	if (why != DROP_NONE)
		return why;
	if (ep == NULL) { /* s5.1 */
		sctp_answer_abort(lc, r->m, in.vtag, 0, SCTP_C_NONE);
		return DROP_SCTP_OOTB;
	}
	if (ep->nb_ready >= ep->backlog)
		return DROP_SCTP_BACKLOG;
	why = latch_spawn_check(lc, &ep->way.latch, r->key, r->m);
	if (why != DROP_NONE)
		return why;
	sctp_offer_make(
		lc->sctp, ep, local, sctp_ep_locals(lc, ep, &r->key->local, &in, local), &o);
	o.vtag = sctp_rand_tag(lc);
	o.tsn = sctp_rand_tag(lc);
	memset(&cookie, 0, sizeof(cookie));
	cookie.life_ms = ep->cookie_life_ms;
	answer_init(lc, r, &in, &o, &cookie);
	return DROP_SCTP_DONE;
}

/* s5.2.2: an address that the association does not have. */
static bool
has_new_address(const struct sctp_assoc *a, const struct sctp_init *in)
{
	for (uint32_t i = 0; i < in->nb_addrs; i++) {
		if (sctp_path_find(a, &in->addr[i]) == NULL)
			return true;
	}
	return false;
}

/*
 * s5.2.1, s5.2.2: the association stays as it is; only a COOKIE ECHO may change it. The packet
 * passed the latch of its path, so who asks for a restart is the peer of this association (F-67,
 * F-68).
 */
enum sctp_next
sctp_init_chunk(struct lcore *lc, struct sctp_rcv *r, const struct sctp_chunk *c)
{
	struct sctp_assoc *a = r->a;
	struct sctp_cookie cookie;
	struct sctp_offer o;
	struct sctp_init in;

	if (a->state == SCTPS_SHUTDOWN_ACK_SENT) { /* s9.2 */
		sctp_mark(lc, a, SCTP_OUT_SHUTDOWN_ACK);
		return SCTP_STOP;
	}
	if (init_check(lc, r, c, &in) != DROP_NONE)
		return SCTP_STOP;
	if (a->state >= SCTPS_ESTABLISHED && has_new_address(a, &in)) {
		sctp_answer_abort(lc, r->m, in.vtag, 0, SCTP_C_RESTART);
		return SCTP_STOP;
	}
	offer_of(lc, a, &o);
	if (a->state >= SCTPS_ESTABLISHED) {
		o.vtag = sctp_rand_tag(lc);
		o.tsn = sctp_rand_tag(lc);
	}
	memset(&cookie, 0, sizeof(cookie));
	cookie.life_ms = a->cookie_life_ms;
	if (a->state != SCTPS_COOKIE_WAIT) {
		cookie.tie_own = a->tie_own;
		cookie.tie_peer = a->tie_peer;
	}
	answer_init(lc, r, &in, &o, &cookie);
	return SCTP_STOP;
}

/* ---- the peer's ---- */

void
sctp_take_peer(struct lcore *lc, struct sctp_assoc *a, const struct sctp_init *in)
{
	(void)lc;
	a->peer_vtag = in->vtag;
	a->peer_tsn = in->tsn;
	a->cum_tsn = a->max_tsn = in->tsn - 1;
	a->peer_rwnd = in->a_rwnd;
	/* s5.1.1 */
	a->nb_out = (uint16_t)RTE_MIN(a->nb_out, in->nb_in);
	a->nb_in = (uint16_t)RTE_MIN(a->nb_in, in->nb_out);
}

/* Whether packets can go to addr at all, by the families that the program wants. */
static bool
is_usable(const struct sctp_assoc *a, const struct ip_addr *addr)
{
	return ip_addr_is_v4(addr) ? a->v4 : a->v6;
}

void
sctp_take_addrs(struct lcore *lc, struct sctp_assoc *a, const struct ip_addr *addr, uint32_t n)
{
	const struct latch *like = &a->primary->way.latch;

	for (uint32_t i = 0; i < n; i++) {
		struct sctp_path *p = sctp_path_find(a, &addr[i]);

		if (!is_usable(a, &addr[i]))
			continue;
		if (p == NULL)
			p = sctp_path_add(lc, a, &addr[i]);
		/* F-66: one that has no SA now may have one later. */
		if (p != NULL && !p->way.live && sctp_path_open(lc, p, like) == 0)
			sctp_path_check_peer(lc, p);
	}
}

/* s5.1.2: addresses that the program named and the peer does not have. */
static void
drop_others(struct lcore *lc, struct sctp_assoc *a, const struct sctp_path *from,
	const struct sctp_init *in)
{
	struct sctp_path *p, *next;

	for (p = TAILQ_FIRST(&a->paths); p != NULL; p = next) {
		bool named = p == from;

		next = TAILQ_NEXT(p, entry);
		for (uint32_t i = 0; i < in->nb_addrs; i++)
			named |= ip_addr_eq(&in->addr[i], &p->way.fe.key.remote);
		if (!named)
			sctp_path_free(lc, p);
	}
}

/* s3.3.3: SCTP_C_NONE, or why the association cannot be. */
static uint16_t
ack_refusal(const struct sctp_init *in)
{
	if (in->vtag == 0)
		return SCTP_C_INVALID;
	if (in->cookie.len == 0 || in->cookie.len > SCTP_COOKIE_MAX)
		return SCTP_C_MISSING;
	return refusal(in);
}

/* s5.1, C. The packet is kept: the cookie is in it. */
enum sctp_next
sctp_init_ack_chunk(struct lcore *lc, struct sctp_rcv *r, const struct sctp_chunk *c)
{
	struct sctp_assoc *a = r->a;
	struct sctp_init in;
	uint16_t cause;

	if (!sctp_wire_init(c, &in))
		return SCTP_STOP;
	cause = ack_refusal(&in);
	if (cause != SCTP_C_NONE) {
		a->peer_vtag = in.vtag;
		sctp_abort(lc, a, cause, NULL, ECONNREFUSED);
		return SCTP_STOP;
	}
	sctp_take_peer(lc, a, &in);
	a->primary = r->path;
	drop_others(lc, a, r->path, &in);
	sctp_take_addrs(lc, a, in.addr, in.nb_addrs);
	if (r->path->state == SCTP_PATH_UNCONFIRMED)
		sctp_path_set_state(lc, r->path, SCTP_PATH_ACTIVE); /* s5.4, 1 */
	r->path->errors = 0;
	a->errors = 0;
	rte_mbuf_refcnt_update(r->m, 1);
	a->cookie_m = r->m;
	a->cookie = in.cookie;
	a->init_tries = 0;
	a->out &= (uint16_t)~SCTP_OUT_INIT;
	sctp_set_state(lc, a, SCTPS_COOKIE_ECHOED);
	sctp_mark(lc, a, SCTP_OUT_COOKIE_ECHO);
	sctp_ctl_start(lc, a);
	return SCTP_STOP;
}

/* ---- the end of the handshake ---- */

void
sctp_establish(struct lcore *lc, struct sctp_assoc *a)
{
	struct sctp_path *p;

	tmr_stop(lc, &a->t_ctl);
	rte_pktmbuf_free(a->cookie_m);
	a->cookie_m = NULL;
	a->out &= (uint16_t) ~(SCTP_OUT_INIT | SCTP_OUT_COOKIE_ECHO);
	if (a->state != SCTPS_ESTABLISHED)
		sctp_set_state(lc, a, SCTPS_ESTABLISHED);
	TAILQ_FOREACH (p, &a->paths, entry) {
		p->ssthresh = a->peer_rwnd;
		sctp_cc_init(p);
		sctp_hb_start(lc, p);
		/* s5.4: an address is confirmed before it is used. */
		if (p->state == SCTP_PATH_UNCONFIRMED)
			sctp_hb_now(lc, p);
	}
	sctp_autoclose_touch(lc, a);
	sctp_mark(lc, a, SCTP_OUT_DATA);
	sctp_wake(lc, a);
	/* What the program wanted meanwhile. */
	if (a->wr_shut)
		sctp_shutdown_start(lc, a);
}
