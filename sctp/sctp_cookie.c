/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * sctp_cookie.c - the state cookie and what a COOKIE ECHO makes of it (RFC 9260 s5.1.3 to s5.1.5,
 * s5.2.4).
 *
 * The MAC covers the cookie, the 5-tuple that the INIT came on, and the profile of the SA that
 * protected it: a COOKIE ECHO under another peer's SA makes nothing (F-65). The profile is not in
 * the cookie, which anybody may read (s5.1.3); it is that of the COOKIE ECHO's tag.
 */
#include <errno.h>
#include <string.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>

#include "sctp/sctp_int.h"

/* What the MAC covers beside the cookie. */
struct bound {
	struct flow_key key;
	uint32_t profile; /* 0: clear */
	uint32_t zero;
};

int
sctp_cookie_create(struct sctp_ctx *sc)
{
	char digest[] = "SHA256";
	OSSL_PARAM p[] = {OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
		OSSL_PARAM_construct_end()};
	EVP_MAC *mac = EVP_MAC_fetch(NULL, "HMAC", NULL);
	EVP_MAC_CTX *ctx = mac == NULL ? NULL : EVP_MAC_CTX_new(mac);

	EVP_MAC_free(mac); /* the context has it */
	if (ctx == NULL || EVP_MAC_init(ctx, sc->conf.secret, sizeof(sc->conf.secret), p) != 1) {
		EVP_MAC_CTX_free(ctx);
		return -ENOMEM;
	}
	sc->mac = ctx;
	return 0;
}

void
sctp_cookie_destroy(struct sctp_ctx *sc)
{
	EVP_MAC_CTX_free(sc->mac);
	sc->mac = NULL;
}

static bool
mac_of(struct lcore *lc, const void *c, size_t len, const struct rte_mbuf *m,
	uint8_t out[SCTP_MAC_LEN])
{
	EVP_MAC_CTX *ctx = lc->sctp->mac;
	struct bound b = {.key = pkt_meta(m)->key,
		.profile = pkt_is_tagged(lc, m) ? pkt_tag(lc, m)->profile : 0};
	size_t n = 0;

	/* Without a key the one of before is used again. */
	return EVP_MAC_init(ctx, NULL, 0, NULL) == 1 &&
	       EVP_MAC_update(ctx, (const uint8_t *)&b, sizeof(b)) == 1 &&
	       EVP_MAC_update(ctx, c, len) == 1 && EVP_MAC_final(ctx, out, &n, SCTP_MAC_LEN) == 1 &&
	       n == SCTP_MAC_LEN;
}

static size_t
cookie_len(uint32_t nb_addrs)
{
	return offsetof(struct sctp_cookie, addr) + nb_addrs * sizeof(struct ip_addr);
}

uint32_t
sctp_cookie_seal(struct lcore *lc, const struct sctp_cookie *c, const struct rte_mbuf *m,
	uint8_t out[SCTP_OWN_COOKIE_MAX])
{
	size_t n = cookie_len(c->nb_addrs);

	memcpy(out, c, n);
	return mac_of(lc, out, n, m, out + n) ? (uint32_t)(n + SCTP_MAC_LEN) : 0;
}

bool
sctp_cookie_unseal(struct lcore *lc, const struct sctp_chunk *c, const struct rte_mbuf *m,
	struct sctp_cookie *out)
{
	uint8_t mac[SCTP_MAC_LEN];
	size_t n;

	if (c->len < cookie_len(0) + SCTP_MAC_LEN || c->len > SCTP_OWN_COOKIE_MAX)
		return false;
	n = c->len - (size_t)SCTP_MAC_LEN;
	if (!mac_of(lc, c->val, n, m, mac) || CRYPTO_memcmp(mac, c->val + n, sizeof(mac)) != 0)
		return false;
	memset(out, 0, sizeof(*out));
	memcpy(out, c->val, n);
	return n == cookie_len(out->nb_addrs);
}

bool
sctp_cookie_is_stale(const struct lcore *lc, const struct sctp_cookie *c)
{
	/* The clock of another worker may be ahead by a little. */
	return (int64_t)(lc->now_ns - c->born_ns) > (int64_t)c->life_ms * SCTP_NS_PER_MS;
}

/* s5.1.5, 4; s3.3.10.3: by how much, in microseconds. */
static void
answer_stale(struct lcore *lc, const struct sctp_rcv *r, const struct sctp_cookie *c)
{
	uint64_t over_us = (lc->now_ns - c->born_ns) / 1000 - c->life_ms * UINT64_C(1000);
	uint8_t be[4];
	struct sctp_bytes info = {be, sizeof(be)};
	struct sctp_build b;

	sctp_put32(be, (uint32_t)RTE_MIN(over_us, (uint64_t)UINT32_MAX));
	if (!sctp_answer_start(lc, &b, r->m, c->peer_vtag))
		return;
	sctp_emit_cause(&b.e, SCTP_ERROR, 0, SCTP_C_STALE, &info);
	sctp_answer_end(lc, &b, r->m);
}

/* What the cookie remembers of the peer's INIT. */
static void
peer_of(const struct sctp_cookie *c, struct sctp_init *in)
{
	*in = (struct sctp_init){.vtag = c->peer_vtag,
		.tsn = c->peer_tsn,
		.a_rwnd = c->peer_rwnd,
		.nb_out = c->nb_in,
		.nb_in = c->nb_out,
		.nb_addrs = c->nb_addrs};
	memcpy(in->addr, c->addr, sizeof(c->addr));
}

static void
own_numbers(struct sctp_assoc *a, const struct sctp_cookie *c)
{
	a->own_vtag = c->own_vtag;
	a->init_tsn = a->next_tsn = c->own_tsn;
	a->cum_ack = c->own_tsn - 1;
}

/* ---- a new association (s5.1, D; s5.1.5) ---- */

static struct sctp_assoc *
assoc_for(
	struct lcore *lc, struct sctp_ep *ep, const struct flow_key *k, const struct sctp_init *in)
{
	struct sctp_assoc *a = sctp_assoc_alloc(lc);

	if (a == NULL)
		return NULL;
	a->lport = k->lport;
	a->rport = k->rport;
	a->realm = k->realm;
	a->passive = true;
	sctp_ep_settings(a, ep);
	a->nb_local = sctp_ep_locals(lc, ep, &k->local, in, a->local);
	return a;
}

/* The latch comes first (P-6); without it there is no association. */
static enum drop_reason
open_passive(struct lcore *lc, struct sctp_rcv *r, struct sctp_ep *ep, struct sctp_assoc *a)
{
	struct sctp_path *p = sctp_path_add(lc, a, &r->key->remote);
	enum drop_reason why;

	if (p == NULL)
		return DROP_SCTP_MEM;
	/* The packet knows better than the route which of our addresses the peer uses. */
	if (!ip_addr_eq(&p->way.fe.key.local, &r->key->local)) {
		struct sctp_way *w;

		SLIST_FOREACH(w, &p->more, entry)
		{
			if (ip_addr_eq(&w->fe.key.local, &r->key->local))
				w->fe.key.local = p->way.fe.key.local;
		}
		p->way.fe.key.local = r->key->local;
	}
	why = sctp_path_spawn(lc, p, &ep->way, r->m);
	a->primary = r->path = p;
	return why;
}

enum drop_reason
sctp_cookie_new(struct lcore *lc, struct sctp_rcv *r, const struct sctp_chunk *c)
{
	struct sctp_ep *ep = sctp_listener_find(lc, r->key);
	struct sctp_cookie cookie;
	enum drop_reason why;
	struct sctp_init in;

	if (!sctp_cookie_unseal(lc, c, r->m, &cookie))
		return DROP_SCTP_COOKIE; /* in silence (s5.1.5, 2) */
	if (r->hdr.vtag != cookie.own_vtag)
		return DROP_SCTP_VTAG;
	if (sctp_cookie_is_stale(lc, &cookie)) {
		answer_stale(lc, r, &cookie);
		return DROP_SCTP_STALE;
	}
	if (ep == NULL) {
		sctp_answer_abort(lc, r->m, cookie.peer_vtag, 0, SCTP_C_NONE);
		return DROP_SCTP_OOTB;
	}
	if (ep->nb_ready >= ep->backlog)
		return DROP_SCTP_BACKLOG; /* the peer asks again */
	peer_of(&cookie, &in);
	r->a = assoc_for(lc, ep, r->key, &in);
	if (r->a == NULL)
		return DROP_SCTP_MEM;
	why = open_passive(lc, r, ep, r->a);
	if (why != DROP_NONE) {
		sctp_assoc_free(lc, r->a);
		return why;
	}
	own_numbers(r->a, &cookie);
	sctp_take_peer(lc, r->a, &in);
	sctp_path_set_state(lc, r->path, SCTP_PATH_ACTIVE);
	sctp_take_addrs(lc, r->a, in.addr, in.nb_addrs);
	r->a->parent = ep;
	TAILQ_INSERT_TAIL(&ep->ready, r->a, queue);
	ep->nb_ready++;
	lc_count(lc, ST_SCTP_PASSIVE);
	lc_count(lc, ST_SCTP_COOKIE_IN);
	sctp_establish(lc, r->a);
	sctp_mark(lc, r->a, SCTP_OUT_COOKIE_ACK);
	return DROP_NONE;
}

/* ---- an association that is there (s5.2.4) ---- */

enum action { ACT_NONE, ACT_RESTART, ACT_COLLISION, ACT_SAME };

/* Table 12. */
static enum action
action_of(const struct sctp_assoc *a, const struct sctp_cookie *c)
{
	bool own = c->own_vtag == a->own_vtag, peer = c->peer_vtag == a->peer_vtag;
	bool ties = c->tie_own == a->tie_own && c->tie_peer == a->tie_peer;

	if (own && peer)
		return ACT_SAME; /* D */
	if (own)
		return ACT_COLLISION; /* B */
	if (!peer && ties)
		return ACT_RESTART; /* A */
	return ACT_NONE;            /* C, and what is no row */
}

/* A: what both sides had agreed on is gone; the latches are not (F-68). */
static void
restart(struct lcore *lc, struct sctp_assoc *a, const struct sctp_cookie *c)
{
	struct sctp_init in;
	struct sctp_path *p;

	sctp_timers_stop(lc, a);
	sctp_tx_free(lc, a);
	sctp_data_free(lc, a);
	a->out &= (uint16_t) ~(SCTP_OUT_SHUTDOWN | SCTP_OUT_SACK);
	a->nb_out = c->nb_out;
	a->nb_in = c->nb_in;
	memset(a->ssn, 0,
		sizeof(a->ssn[0]) * (lc->sctp->conf.out_streams + lc->sctp->conf.in_streams));
	peer_of(c, &in);
	own_numbers(a, c);
	sctp_take_peer(lc, a, &in);
	TAILQ_FOREACH (p, &a->paths, entry) {
		p->errors = 0;
		p->rtt_busy = p->in_fast = p->hb_wait = false;
	}
	a->errors = 0;
	a->eof = a->wr_shut = false;
	a->tie_own = sctp_rand_tag(lc);
	a->tie_peer = sctp_rand_tag(lc);
	lc_count(lc, ST_SCTP_RESTART);
	sctp_establish(lc, a);
	sctp_event_assoc(lc, a, TL_SCTP_RESTART, 0);
}

/* B: the peer's INIT counts, which was sent after it had answered ours. */
static void
collide(struct lcore *lc, struct sctp_rcv *r, const struct sctp_cookie *c)
{
	struct sctp_assoc *a = r->a;
	struct sctp_init in;

	peer_of(c, &in);
	sctp_take_peer(lc, a, &in);
	if (r->path->state == SCTP_PATH_UNCONFIRMED)
		sctp_path_set_state(lc, r->path, SCTP_PATH_ACTIVE);
	a->primary = r->path;
	sctp_take_addrs(lc, a, in.addr, in.nb_addrs);
	sctp_establish(lc, a);
	sctp_event_assoc(lc, a, TL_SCTP_COMM_UP, 0);
}

/* Not a byte went either way yet, so another tag of the peer changes nothing else. */
static bool
is_fresh(const struct sctp_assoc *a)
{
	return a->cum_tsn == a->peer_tsn - 1 && TAILQ_EMPTY(&a->held) &&
	       a->next_tsn == a->init_tsn && a->state == SCTPS_ESTABLISHED;
}

static enum sctp_next
act(struct lcore *lc, struct sctp_rcv *r, const struct sctp_cookie *c, enum action what)
{
	struct sctp_assoc *a = r->a;

	switch (what) {
	case ACT_RESTART:
		if (a->state == SCTPS_SHUTDOWN_ACK_SENT) {
			sctp_mark(lc, a, SCTP_OUT_SHUTDOWN_ACK);
			sctp_report(lc, r->path, SCTP_C_COOKIE, NULL);
			return SCTP_STOP;
		}
		restart(lc, a, c);
		break;
	case ACT_COLLISION:
		if (a->state >= SCTPS_ESTABLISHED && !is_fresh(a))
			return SCTP_STOP;
		collide(lc, r, c);
		break;
	case ACT_SAME:
		if (a->state == SCTPS_COOKIE_ECHOED) {
			sctp_establish(lc, a);
			sctp_event_assoc(lc, a, TL_SCTP_COMM_UP, 0);
		}
		break;
	default:
		return SCTP_STOP;
	}
	sctp_mark(lc, a, SCTP_OUT_COOKIE_ACK);
	return SCTP_NEXT;
}

enum sctp_next
sctp_cookie_echo_chunk(struct lcore *lc, struct sctp_rcv *r, const struct sctp_chunk *c)
{
	struct sctp_cookie cookie;
	enum action what;

	if (!sctp_cookie_unseal(lc, c, r->m, &cookie) || r->hdr.vtag != cookie.own_vtag)
		return SCTP_STOP;
	what = action_of(r->a, &cookie);
	/* s5.2.4, 3: one that fits the association is good however old it is. */
	if (what != ACT_SAME && sctp_cookie_is_stale(lc, &cookie)) {
		answer_stale(lc, r, &cookie);
		return SCTP_STOP;
	}
	return act(lc, r, &cookie, what);
}

/* s5.1, E; s5.2.5 */
enum sctp_next
sctp_cookie_ack_chunk(struct lcore *lc, struct sctp_rcv *r, const struct sctp_chunk *c)
{
	(void)c;
	sctp_path_alive(lc, r->path);
	sctp_establish(lc, r->a);
	sctp_event_assoc(lc, r->a, TL_SCTP_COMM_UP, 0);
	return SCTP_NEXT;
}
