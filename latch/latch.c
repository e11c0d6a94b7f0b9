/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * latch.c - the life of a latch: open, spawn, listen, stamp, release (RFC 5660 s2.3, s2.4, s5.1).
 *
 * NONE          no protection was agreed: the connection is clear, and stays so (G-23)
 * WANTED        protection is wanted and no SA is there yet: nothing leaves, nothing comes in
 * LISTENER      of a listening socket: what its children must have
 * ESTABLISHED   profile_in and profile_out are set and never change (G-16)
 * BROKEN        a conflict; nothing leaves, nothing comes in, until it is gone
 * CLOSED        final; the reason can be asked for until the socket is closed
 */
#include "latch/latch.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "latch/latch_ctx.h"

int
latch_create(struct lcore *lc, const struct latch_conf *conf, const struct latch_tables *tables)
{
	struct latch_ctx *c = calloc(1, sizeof(*c));

	if (c == NULL)
		return -ENOMEM;
	c->conf = *conf;
	c->reset_named = conf->disposition == TL_LATCH_DISP_RESET;
	if (c->conf.suspend_max_s == 0)
		c->conf.suspend_max_s = LATCH_SUSPEND_MAX_S;
	if (c->conf.settle_ms == 0)
		c->conf.settle_ms = LATCH_SETTLE_MS;
	if (c->conf.disposition == TL_LATCH_DISP_DEFAULT)
		c->conf.disposition = TL_LATCH_DISP_RESET;
	c->tables = tables;
	lc->latch = c;
	return 0;
}

void
latch_destroy(struct lcore *lc)
{
	if (lc->latch == NULL)
		return;
	tmr_stop(lc, &lc->latch->t_look);
	free(lc->latch->db.place);
	free(lc->latch);
	lc->latch = NULL;
}

static int
go_live(struct lcore *lc, struct latch *l, const struct flow_key *k)
{
	int rc = latch_db_add(lc, l, k);

	if (rc == 0)
		lc_count(lc, ST_LATCH_OPEN);
	return rc;
}

void
latch_use_sa(struct lcore *lc, struct latch *l, const struct esp_sa_ref *sa)
{
	l->mode = sa->mode;
	l->sad_index = sa->index;
	l->sad_gen = sa->gen;
	l->sad_version = esp_sad_version(lc);
	l->overhead_bytes = sa->overhead_bytes;
	l->align = sa->align;
	l->path_mtu_bytes = sa->path_mtu_bytes;
	l->tun_remote = sa->remote;
	l->also_out = sa->profile == l->profile_out ? 0 : sa->profile;
	l->flags &= (uint8_t) ~(LATCH_IS_NATT | LATCH_IS_UNIQUE);
	l->flags |= (uint8_t)((sa->udp ? LATCH_IS_NATT : 0) | (sa->unique ? LATCH_IS_UNIQUE : 0));
	if ((l->flags & LATCH_IS_STARVED) != 0) {
		l->flags &= (uint8_t)~LATCH_IS_STARVED;
		lc->latch->nb_starved--;
	}
}

/*
 * What will protect the peer's packets. Usually the same profile; it differs where this host's
 * inbound SA has its replay window off, which the outbound one cannot tell (C.2).
 */
static uint32_t
inbound_profile(struct lcore *lc, const struct esp_sa_ref *out, const struct flow_key *k)
{
	const struct profile *p;
	struct esp_sa_ref in;

	if (esp_sad_find_in(lc, out, k, &in) != 0)
		return out->profile;
	p = profile_get(lc->latch->tables, in.profile);
	return p != NULL && p->out_twin == out->profile ? in.profile : out->profile;
}

static void
record(struct lcore *lc, struct latch *l, const struct flow_key *k, const struct esp_sa_ref *sa)
{
	l->profile_out = sa->profile;
	l->profile_in = inbound_profile(lc, sa, k);
	latch_use_sa(lc, l, sa);
	latch_step(lc, l, STEP_LATCH, TL_LATCH_REASON_NONE);
}

/* In clear, because policy or a privileged program says so. */
static int
open_clear(struct lcore *lc, struct latch *l, const struct flow_key *k, bool is_override)
{
	int rc = go_live(lc, l, k);

	if (rc != 0)
		return rc;
	l->spd_version = spd_version(lc);
	if (is_override) {
		l->flags |= LATCH_IS_OVERRIDE;
		latch_audit(lc, l, AUDIT_OVERRIDE, 0, UINT32_MAX);
	}
	latch_step(lc, l, STEP_OPEN_CLEAR, TL_LATCH_REASON_NONE);
	return 0;
}

/* C-2, C-3: an SA is asked for, and waited for if somebody heard that. */
static int
open_wanted(struct lcore *lc, struct latch *l, const struct flow_key *k, const struct choice *c)
{
	int rc;

	choice_acquire(lc, c, k);
	if (!lc->latch->conf.wait_sa && !lc->latch->km_present)
		return -EHOSTUNREACH;
	rc = go_live(lc, l, k);
	if (rc == 0)
		latch_step(lc, l, STEP_WANT, TL_LATCH_NOSA);
	return rc;
}

static int
open_protected(struct lcore *lc, struct latch *l, const struct flow_key *k, const struct choice *c)
{
	struct esp_sa_ref sa;
	int rc = choice_find(lc, c, k, &sa);

	if (rc == -ENOENT)
		return open_wanted(lc, l, k, c);
	if (rc != 0)
		return rc;
	rc = go_live(lc, l, k);
	if (rc != 0)
		return rc;
	record(lc, l, k, &sa);
	if (c->is_override) {
		l->flags |= LATCH_IS_OVERRIDE;
		latch_audit(lc, l, AUDIT_OVERRIDE, sa.profile, sa.index);
	}
	return 0;
}

/* No latch: the policy protects each packet. What its SA adds now must fit all the same. */
static int
open_off(struct lcore *lc, struct latch *l, const struct flow_key *k, const struct choice *c)
{
	struct esp_sa_ref sa;

	l->flags |= LATCH_IS_OFF;
	if (choice_find(lc, c, k, &sa) == 0) {
		latch_use_sa(lc, l, &sa);
		l->also_out = 0;
	}
	return go_live(lc, l, k);
}

int
latch_open(struct lcore *lc, struct latch *l, const struct flow_key *k)
{
	struct choice c;
	int rc = choice_make(lc, l, k, &c);

	if (rc != 0)
		return rc;
	if (c.what == CHOICE_PROTECT)
		return open_protected(lc, l, k, &c);
	if (c.what == CHOICE_OFF)
		return open_off(lc, l, k, &c);
	return open_clear(lc, l, k, c.is_override);
}

enum latch_act
latch_try(struct lcore *lc, struct latch *l, const struct flow_key *k)
{
	struct choice c;
	struct esp_sa_ref sa, in;
	int rc = choice_make(lc, l, k, &c);

	if (rc == 0 && c.what != CHOICE_PROTECT)
		rc = -EACCES; /* e11: the policy changed meanwhile; a new connect may follow it */
	if (rc == 0)
		rc = choice_find(lc, &c, k, &sa);
	if (rc == -ENOENT)
		return LATCH_ACT_NONE;
	if (rc != 0) {
		latch_step(lc, l, STEP_END,
			rc == -EACCES ? TL_LATCH_SPD_CHANGE : TL_LATCH_PEER_CONFLICT);
		return LATCH_ACT_RESET;
	}
	/* A key manager adds one direction after the other; what the peer's packets will have is
	 * not guessed when it can be known (C.2). */
	if (esp_sad_find_in(lc, &sa, k, &in) != 0)
		return LATCH_ACT_NONE;
	record(lc, l, k, &sa);
	return LATCH_ACT_GO;
}

/* ---- passive ---- */

/* What a passive open would record; asking for it changes nothing. */
struct spawn {
	struct choice c;
	bool tagged;
	uint32_t profile_in, profile_out;
	struct esp_sa_ref out;
};

static enum drop_reason
ask_clear(struct lcore *lc, const struct latch *l, const struct flow_key *k, struct spawn *s)
{
	int rc = choice_make(lc, l, k, &s->c);

	/* G-13, F-81: what must be answered under an SA is not begun in clear; nor is what the
	 * program wants protected. */
	if ((rc == 0 && s->c.what == CHOICE_PROTECT) || (rc != 0 && wish_asks_protection(l->wish)))
		return DROP_LATCH_REQUEST;
	return DROP_NONE;
}

/* The SA for the answers; DROP_NONE, or why the initiating packet is dropped. */
static enum drop_reason
answer_sa(struct lcore *lc, const struct choice *c, const struct flow_key *k,
	const struct profile *p, struct esp_sa_ref *out)
{
	struct esp_sa_ref any;

	if (esp_sad_find_out(lc, p->out_twin, k, out) != 0) {
		esp_acquire(lc, k, 0, p->out_twin, NULL);
		return DROP_ESP_NOSA;
	}
	/* C-7, as for connect: two peers claim the flow. */
	return choice_find(lc, c, k, &any) == -ECONNREFUSED ? DROP_LATCH_AMBIGUOUS : DROP_NONE;
}

/* O-8, O-10: what may not be opened by connect() may not be by accept() either. More protection
 * than the policy asks for is no deviation when the peer brings it. */
static bool
may_spawn(struct lcore *lc, const struct latch *l, const struct flow_key *k, struct choice *c)
{
	if (choice_make(lc, l, k, c) != 0)
		return c->what == CHOICE_PROTECT && c->is_override;
	return c->what != CHOICE_CLEAR || !c->is_override;
}

static enum drop_reason
ask_tagged(struct lcore *lc, const struct latch *l, const struct flow_key *k,
	const struct rte_mbuf *m, struct spawn *s)
{
	const struct profile *p = profile_get(lc->latch->tables, pkt_tag(lc, m)->profile);
	struct esp_sa_ref in;

	if (p == NULL || p->p.local_id == 0 || p->p.peer_id == 0)
		return DROP_LATCH_M5;
	in = latch_tag_sa(lc, pkt_tag(lc, m), &p->p);
	if (!may_spawn(lc, l, k, &s->c) || !wish_fits(lc, l->wish, &in) ||
		!choice_is_peer(lc, &s->c, pkt_tag(lc, m)->profile))
		return DROP_LATCH_REQUEST;
	s->tagged = true;
	s->profile_in = pkt_tag(lc, m)->profile;
	s->profile_out = p->out_twin;
	return answer_sa(lc, &s->c, k, p, &s->out);
}

static enum drop_reason
ask_spawn(struct lcore *lc, const struct latch *l, const struct flow_key *k,
	const struct rte_mbuf *m, struct spawn *s)
{
	*s = (struct spawn){.tagged = false};
	return pkt_is_tagged(lc, m) ? ask_tagged(lc, l, k, m, s) : ask_clear(lc, l, k, s);
}

static int
do_spawn(struct lcore *lc, struct latch *l, const struct flow_key *k, const struct spawn *s)
{
	int rc;

	if (s->c.what == CHOICE_OFF)
		return open_off(lc, l, k, &s->c);
	rc = go_live(lc, l, k);
	if (rc != 0)
		return rc;
	if (s->tagged) {
		l->profile_in = s->profile_in;
		l->profile_out = s->profile_out;
		latch_use_sa(lc, l, &s->out);
		latch_step(lc, l, STEP_LATCH, TL_LATCH_REASON_NONE);
	} else if (s->c.what == CHOICE_CLEAR && s->c.is_override) {
		l->flags |= LATCH_IS_OVERRIDE;
	}
	return 0;
}

enum drop_reason
latch_spawn(struct lcore *lc, struct latch *l, struct latch *listener, const struct flow_key *k,
	const struct rte_mbuf *m)
{
	enum drop_reason why;
	struct spawn s;

	if (listener != NULL && listener->wish != NULL)
		l->wish = wish_get(listener->wish);
	why = ask_spawn(lc, l, k, m, &s);
	if (why == DROP_NONE && do_spawn(lc, l, k, &s) != 0)
		why = DROP_TCP_MEM;
	if (why != DROP_NONE)
		latch_fini(l);
	else if (listener != NULL && l->state == TL_LATCH_ESTABLISHED)
		latch_event(lc, listener, TL_LATCH_EV_SPAWNED, listener->state); /* L-4 */
	return why;
}

enum drop_reason
latch_spawn_check(struct lcore *lc, const struct latch *listener, const struct flow_key *k,
	const struct rte_mbuf *m)
{
	struct spawn s;

	return ask_spawn(lc, listener, k, m, &s);
}

int
latch_listen(struct lcore *lc, struct latch *l, const struct flow_key *k)
{
	struct latch_ctx *c = lc->latch;
	bool open = l->wish != NULL && (l->wish->req.flags & TL_LATCH_BYPASS) != 0;
	int rc;

	if (l->state == TL_LATCH_LISTENER)
		return 0;
	if (open && !c->conf.override)
		return -EACCES;
	if (open && c->nb_open == LATCH_OPEN_MAX)
		return -ENOBUFS;
	rc = go_live(lc, l, k);
	if (rc != 0)
		return rc;
	if (open) {
		c->open[c->nb_open++] = l;
		latch_audit(lc, l, AUDIT_OVERRIDE, 0, UINT32_MAX);
	}
	latch_step(lc, l, STEP_LISTEN, TL_LATCH_REASON_NONE);
	return 0;
}

/* ---- the end ---- */

bool
latch_close_open(struct lcore *lc, const struct latch *l)
{
	struct latch_ctx *c = lc->latch;

	for (uint32_t i = 0; i < c->nb_open; i++) {
		if (c->open[i] != l)
			continue;
		c->open[i] = c->open[--c->nb_open];
		return true;
	}
	return false;
}

void
latch_release(struct lcore *lc, struct latch *l)
{
	if (l->place == 0)
		return;
	latch_close_open(lc, l);
	/* What kept it from ending well is why it ended. */
	if (l->state != TL_LATCH_CLOSED)
		latch_step(lc, l, STEP_RELEASE,
			l->reason == TL_LATCH_REASON_NONE ? TL_LATCH_RELEASED
							  : (enum tl_latch_reason)l->reason);
	if ((l->flags & LATCH_IS_STARVED) != 0)
		lc->latch->nb_starved--;
	l->flags &= (uint8_t)~LATCH_IS_STARVED;
	latch_db_remove(lc, l);
	lc_count(lc, ST_LATCH_FREE);
}

void
latch_renew(struct latch *l)
{
	struct latch keep = {.wish = l->wish};

	free(l->queue);
	*l = keep;
}

void
latch_fini(struct latch *l)
{
	if (l->wish != NULL)
		wish_put(l->wish);
	free(l->queue);
	l->wish = NULL;
	l->queue = NULL;
}

/* ---- what leaves ---- */

/*
 * S-9, RFC 4301 s4.4.1.1: the policy's BYPASS is remembered in the connection until the policy
 * changes; then it is asked again, and a packet goes as the policy says now. O-5: what a privileged
 * program asked for stands before the policy, for this 5-tuple only.
 */
static void
stamp_clear(struct lcore *lc, struct latch *l, const struct flow_key *k, struct rte_mbuf *m)
{
	if (l->spd_version != spd_version(lc)) {
		const struct spd_rule *r = spd_find(lc, SPD_OUT, k);

		pkt_tag_clear(lc, m);
		if ((l->flags & LATCH_IS_OVERRIDE) == 0 && (r == NULL || r->action != SPD_BYPASS))
			return;
		l->spd_version = spd_version(lc);
	}
	pkt_tag_set(lc, m, (struct tl_tag){.sad_index = TAG_BYPASS, .sad_gen = l->spd_version});
}

static bool
is_carrier(const struct esp_sa_ref *sa, const void *arg)
{
	const struct latch_seek *s = arg;
	const struct latch_wish *w = s->l->wish;

	/* N-4: a connection that asked for an SA of its own never shares one. */
	if (w != NULL && (w->req.flags & TL_LATCH_UNIQUE) != 0 && !sa->unique)
		return false;
	return latch_congruent(s->lc, s->l, false, sa->profile);
}

/* The SA that carries the latch now; a newer one is preferred: make before break. */
static bool
find_carrier(struct lcore *lc, struct latch *l, const struct flow_key *k, struct esp_sa_ref *out)
{
	struct latch_seek s = {.lc = lc, .l = l};

	if (l->wish == NULL && esp_sad_find_out(lc, l->profile_out, k, out) == 0)
		return true;
	return spd_find_sa_if(lc, k, is_carrier, &s, out) == 0;
}

bool
latch_has_sa(struct lcore *lc, struct latch *l, const struct flow_key *k)
{
	struct esp_sa_ref sa;

	return find_carrier(lc, l, k, &sa);
}

/* Something must leave and no SA is there. */
static void
starve(struct lcore *lc, struct latch *l)
{
	if ((l->flags & LATCH_IS_STARVED) != 0)
		return;
	l->flags |= LATCH_IS_STARVED;
	lc->latch->nb_starved++;
	l->bad_ns = lc->now_ns;
	latch_event(lc, l, TL_LATCH_EV_NOSA, l->state);
	latch_look_later(lc);
}

bool
latch_refresh(struct lcore *lc, struct latch *l, const struct flow_key *k)
{
	struct esp_sa_ref sa;
	uint32_t was;

	if (likely(l->sad_version == esp_sad_version(lc)) || l->profile_out == 0)
		return false;
	was = latch_l4_room(l, UINT16_MAX, 40);
	if (!find_carrier(lc, l, k, &sa)) {
		l->sad_version = esp_sad_version(lc);
		starve(lc, l);
		return false;
	}
	latch_use_sa(lc, l, &sa);
	return latch_l4_room(l, UINT16_MAX, 40) != was;
}

void
latch_stamp(struct lcore *lc, struct latch *l, const struct flow_key *k, struct rte_mbuf *m)
{
	if (unlikely(l->state == TL_LATCH_WANTED || l->state == TL_LATCH_BROKEN)) {
		pkt_tag_set(lc, m, (struct tl_tag){.sad_index = TAG_HELD});
		return;
	}
	if ((l->flags & LATCH_IS_OFF) != 0) {
		pkt_tag_clear(lc, m);
		return;
	}
	if (l->profile_out == 0) {
		stamp_clear(lc, l, k, m);
		return;
	}
	latch_refresh(lc, l, k);
	/* Where no SA is left the tag still asks for the profile: never in clear (G-14). */
	pkt_tag_set(lc, m,
		(struct tl_tag){.sad_index = l->sad_index,
			.sad_gen = l->sad_gen,
			.profile = l->also_out != 0 ? l->also_out : l->profile_out});
}

void
latch_stamp_answer(struct lcore *lc, const struct rte_mbuf *question, struct rte_mbuf *answer)
{
	const struct profile *p;

	pkt_tag_clear(lc, answer);
	if (!pkt_is_tagged(lc, question))
		return;
	p = profile_get(lc->latch->tables, pkt_tag(lc, question)->profile);
	pkt_tag_set(lc, answer,
		(struct tl_tag){.sad_index = UINT32_MAX, .profile = p == NULL ? 0 : p->out_twin});
}

uint32_t
latch_l4_room(const struct latch *l, uint32_t mtu_bytes, uint32_t ip_hlen_bytes)
{
	uint32_t inner, fixed, room;

	if (l->overhead_bytes == 0)
		return mtu_bytes > ip_hlen_bytes ? mtu_bytes - ip_hlen_bytes : 0;
	/* RFC 4303 s2.4: payload and trailer together fill whole words or blocks. */
	if (l->path_mtu_bytes != 0)
		mtu_bytes = RTE_MIN(mtu_bytes, l->path_mtu_bytes);
	inner = l->mode == TL_LATCH_MODE_TUNNEL ? ip_hlen_bytes : 0;
	fixed = l->overhead_bytes - ESP_TRAILER_BYTES + ip_hlen_bytes - inner;
	room = mtu_bytes > fixed ? (mtu_bytes - fixed) & ~(l->align - 1u) : 0;
	return room > ESP_TRAILER_BYTES + inner ? room - ESP_TRAILER_BYTES - inner : 0;
}

bool
latch_is_current(const struct lcore *lc, const struct rte_mbuf *m)
{
	return !pkt_is_tagged(lc, m) || esp_tag_current(lc, pkt_tag(lc, m));
}

bool
latch_may_speak(struct lcore *lc, const struct rte_mbuf *m, const struct flow_key *quoted)
{
	const struct flow_ent *fe;

	if (quoted->proto == IPPROTO_N_ESP)
		return !pkt_is_tagged(lc, m) && esp_may_speak(lc, quoted);
	fe = flow_find(lc, quoted);
	if (fe == NULL)
		return false;
	if (fe->latch->state == TL_LATCH_NONE)
		return !pkt_is_tagged(lc, m);
	return fe->latch->state == TL_LATCH_ESTABLISHED && pkt_is_tagged(lc, m) &&
	       latch_congruent(lc, fe->latch, true, pkt_tag(lc, m)->profile);
}
