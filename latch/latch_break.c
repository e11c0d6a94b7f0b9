/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * latch_break.c - conflicts: what breaks a latch, what that does, and how one comes back.
 *
 * A packet, an SA about to be added, a policy edit, a dead peer, the administrator: whatever the
 * cause, the disposition decides (RFC 5660 s5.5). The owner hears of it in the same call, so before
 * anything that its worker does next (K-5, S-5).
 */
#include "latch/latch_ctx.h"

static void look(struct lcore *lc, struct tmr *t);

void
latch_look_later(struct lcore *lc)
{
	if (!tmr_is_set(&lc->latch->t_look))
		tmr_set(lc, &lc->latch->t_look, lc->now_ns + LATCH_LOOK_MS * UINT64_C(1000000),
			look);
}

static enum latch_act
end(struct lcore *lc, struct latch *l, enum tl_latch_reason why)
{
	latch_step(lc, l, STEP_END, why);
	return LATCH_ACT_RESET;
}

static void
count_break(struct lcore *lc, struct latch *l)
{
	l->breaks++;
	lc_count(lc, ST_LATCH_BREAK);
}

/* An ESTABLISHED latch waits. */
static void
begin_wait(struct lcore *lc, struct latch *l, enum tl_latch_reason why)
{
	l->broken_ns = l->bad_ns = lc->now_ns;
	latch_step(lc, l, STEP_BREAK, why);
	latch_look_later(lc);
}

enum latch_act
latch_break(struct lcore *lc, struct latch *l, enum tl_latch_reason why)
{
	enum tl_latch_disposition d = latch_disposition(lc, l);

	/* What broke it first may pass; this may not. */
	if (l->state == TL_LATCH_BROKEN && why >= TL_LATCH_SPD_CHANGE)
		l->reason = (uint8_t)why;
	if (l->state == TL_LATCH_LISTENER || l->state >= TL_LATCH_BROKEN)
		return LATCH_ACT_NONE;
	count_break(lc, l);
	if (d == TL_LATCH_DISP_RESET || l->state != TL_LATCH_ESTABLISHED)
		return end(lc, l, why);
	begin_wait(lc, l, why);
	return d == TL_LATCH_DISP_UNREACH ? LATCH_ACT_SOFT : LATCH_ACT_PAUSE;
}

enum latch_act
latch_conflict(struct lcore *lc, struct latch *l, enum tl_latch_reason why, bool is_open)
{
	enum latch_act act;

	if (l->state == TL_LATCH_BROKEN)
		l->bad_ns = lc->now_ns;
	if (is_open && (l->state == TL_LATCH_ESTABLISHED || l->state == TL_LATCH_BROKEN)) {
		count_break(lc, l);
		act = end(lc, l, why);
	} else {
		act = latch_break(lc, l, why);
	}
	if (act != LATCH_ACT_NONE)
		latch_audit(lc, l, AUDIT_BREAK, 0, UINT32_MAX);
	return act;
}

enum latch_new_syn
latch_new_syn(const struct lcore *lc, const struct latch *l)
{
	/* F-29: behind one NAT two clients may look like one; neither may end the other. */
	if ((l->flags & LATCH_IS_NATT) != 0)
		return LATCH_SYN_DROP;
	return (enum latch_new_syn)lc->latch->conf.new_syn;
}

bool
latch_asks_window(const struct lcore *lc)
{
	return lc->latch->conf.m3 == LATCH_M3_WINDOW;
}

/* ---- the way back (K-6, B.4) ---- */

/* Whether a rule asks for what the latch has, in one direction. */
static bool
rule_agrees(const struct lcore *lc, const struct spd_rule *r, uint32_t profile)
{
	const struct profile *p = profile_get(lc->latch->tables, profile);
	struct esp_sa_ref sa;

	if (r == NULL)
		return false;
	if (p == NULL)
		return r->action == SPD_BYPASS;
	sa = latch_profile_sa(&p->p, profile);
	return r->action == SPD_PROTECT && spd_sa_fits(r, &sa);
}

static bool
policy_agrees(const struct lcore *lc, const struct spd *s, const struct latch *l,
	const struct flow_key *k)
{
	return rule_agrees(lc, spd_rule_of(s, SPD_OUT, k), l->profile_out) &&
	       rule_agrees(lc, spd_rule_of(s, SPD_IN, k), l->profile_in);
}

bool
latch_policy_agrees(const struct lcore *lc, const struct latch *l, const struct flow_key *k)
{
	const struct spd *s = spd_installed(lc);

	return s == NULL || policy_agrees(lc, s, l, k);
}

static bool
is_conflicting(const struct esp_sa_ref *sa, const void *arg)
{
	const struct latch_seek *s = arg;

	return !latch_congruent(s->lc, s->l, s->in, sa->profile);
}

/* C.1, third question, of all SAs: covering and not congruent. */
static bool
has_conflict(struct lcore *lc, const struct latch *l, const struct flow_key *k)
{
	struct latch_seek out = {.lc = lc, .l = l}, in = {.lc = lc, .l = l, .in = true};
	struct esp_sa_ref sa;

	return spd_find_sa_if(lc, k, is_conflicting, &out, &sa) == 0 ||
	       spd_find_sa_in_if(lc, k, is_conflicting, &in, &sa) == 0;
}

bool
latch_restore(struct lcore *lc, struct latch *l, const struct flow_key *k)
{
	const struct latch_conf *conf = &lc->latch->conf;

	/* B.4 (4b): quiet for a while, so that two peers do not make it flap. */
	if (lc->now_ns - l->bad_ns < conf->settle_ms * UINT64_C(1000000))
		return false;
	/* The administrator's act is not undone by time (Z-2). */
	if (l->reason == TL_LATCH_ADMIN)
		return false;
	if (!latch_has_sa(lc, l, k))
		return false;
	if (l->reason == TL_LATCH_SPD_CHANGE && !latch_policy_agrees(lc, l, k))
		return false;
	/* B.4 (4a): the monitor knows whether the conflict is gone. */
	if ((conf->monitor >= LATCH_MONITOR_BREAK || l->reason == TL_LATCH_SA_CONFLICT) &&
		has_conflict(lc, l, k))
		return false;
	l->resumes++;
	lc_count(lc, ST_LATCH_RESUME);
	l->sad_version = 0; /* the hint is old */
	latch_step(lc, l, STEP_RESTORE, TL_LATCH_REASON_NONE);
	return true;
}

/* Somebody with a name, and not the peer of the latch: another identity, or other evidence of it.
 */
static bool
is_anothers(const struct lcore *lc, const struct latch *l, uint32_t profile)
{
	const struct profile *got = profile_get(lc->latch->tables, profile);
	const struct profile *want = profile_get(lc->latch->tables, l->profile_out);

	return got != NULL && got->p.peer_id != 0 &&
	       (got->p.peer_id != want->p.peer_id || got->p.local_id != want->p.local_id ||
		       !latch_evidence_agrees(lc, l, &got->p, &want->p));
}

static bool
is_of_others(const struct esp_sa_ref *sa, const void *arg)
{
	const struct latch_seek *s = arg;

	return is_anothers(s->lc, s->l, sa->profile);
}

/*
 * K-10: something must leave, the peer has no SA any more, and somebody else's covers the flow.
 * Nothing is sent to him, so nothing would ever come back that could end the connection. A rekey
 * may leave a gap, so what stood there before gets the same time as a conflict (settle); a new SA
 * is the answer to our own request.
 */
static bool
is_taken_over(struct lcore *lc, const struct latch *l, const struct flow_key *k,
	const struct esp_sa_conf *added)
{
	struct latch_seek s = {.lc = lc, .l = l};
	struct esp_sa_ref sa;

	if (latch_drops_peer(lc, l))
		return false; /* F-29 */
	if (added != NULL && !added->inbound && esp_sel_match(&added->sel, k) &&
		is_anothers(lc, l, added->profile))
		return true;
	return lc->now_ns - l->bad_ns >= lc->latch->conf.settle_ms * UINT64_C(1000000) &&
	       spd_find_sa_if(lc, k, is_of_others, &s, &sa) == 0;
}

static void
look_at_starved(struct lcore *lc, struct latch *l, const struct flow_key *k,
	const struct esp_sa_conf *added)
{
	if (latch_has_sa(lc, l, k))
		latch_alert(lc, l, LATCH_ACT_GO);
	else if (is_taken_over(lc, l, k, added))
		latch_alert(lc, l, latch_conflict(lc, l, TL_LATCH_PEER_CONFLICT, false));
}

static void
look_at_broken(struct lcore *lc, struct latch *l, const struct flow_key *k)
{
	/* Who is dead must show that it lives; nobody knows that from the SAD (B.4, 6). Who had
	 * another in its place must show itself too, as long as that other has an SA (B.4, 4b). */
	if (l->reason == TL_LATCH_PEER_DEAD || l->reason == TL_LATCH_PEER_REBOOT ||
		((l->reason == TL_LATCH_PEER_CONFLICT || l->reason == TL_LATCH_QOP_CONFLICT) &&
			has_conflict(lc, l, k)))
		return;
	if (latch_restore(lc, l, k))
		latch_alert(lc, l, LATCH_ACT_GO);
}

/* arg: the SA that was added just now, or NULL. */
static void
look_at(struct lcore *lc, struct latch *l, const struct flow_key *k, void *arg)
{
	if (l->state == TL_LATCH_WANTED)
		latch_alert(lc, l, latch_try(lc, l, k));
	else if (l->state == TL_LATCH_BROKEN)
		look_at_broken(lc, l, k);
	else if ((l->flags & LATCH_IS_STARVED) != 0)
		look_at_starved(lc, l, k, arg);
}

static void
look(struct lcore *lc, struct tmr *t)
{
	(void)t;
	latch_foreach(lc, look_at, NULL);
	if (lc->latch->nb_broken + lc->latch->nb_starved > 0)
		latch_look_later(lc);
}

void
latch_sad_changed(struct lcore *lc, const struct esp_sa_conf *added)
{
	const struct latch_ctx *c = lc->latch;

	if (c->nb_wanted + c->nb_starved + c->nb_broken > 0)
		latch_foreach(lc, look_at, (void *)(uintptr_t)added);
}

/* ---- an SA about to be added ---- */

struct adding {
	const struct esp_sa_conf *sa;
	bool break_them;
	uint32_t n;
};

/* K-3: it covers the flow, and peer, type or quality differ. */
static void
judge_sa(struct lcore *lc, struct latch *l, const struct flow_key *k, void *arg)
{
	struct adding *a = arg;

	if ((l->state != TL_LATCH_ESTABLISHED && l->state != TL_LATCH_BROKEN) ||
		!esp_sel_match(&a->sa->sel, k) ||
		latch_congruent(lc, l, a->sa->inbound, a->sa->profile))
		return;
	a->n++;
	latch_audit(lc, l, AUDIT_SA, a->sa->profile, UINT32_MAX);
	if (!a->break_them)
		return;
	l->bad_ns = lc->now_ns;
	latch_alert(lc, l, latch_break(lc, l, TL_LATCH_SA_CONFLICT));
}

uint32_t
latch_sa_adding(struct lcore *lc, const struct esp_sa_conf *sa, bool break_them)
{
	struct adding a = {.sa = sa, .break_them = break_them};

	latch_foreach(lc, judge_sa, &a);
	return a.n;
}

/* ---- policy ---- */

struct edit {
	const struct spd *former, *next;
	uint32_t n;
};

static bool
edit_breaks(const struct lcore *lc, const struct latch *l)
{
	uint8_t on_spd = l->wish == NULL ? TL_LATCH_SPD_DEFAULT : l->wish->disp.on_spd;

	if ((l->flags & (LATCH_IS_OFF | LATCH_IS_OVERRIDE)) != 0)
		return false;
	return on_spd == TL_LATCH_SPD_DEFAULT ? lc->latch->conf.spd_break
					      : on_spd == TL_LATCH_SPD_BREAK;
}

static void
judge_edit(struct lcore *lc, struct latch *l, const struct flow_key *k, void *arg)
{
	struct edit *e = arg;

	if ((l->state != TL_LATCH_NONE && l->state != TL_LATCH_ESTABLISHED &&
		    l->state != TL_LATCH_BROKEN) ||
		!edit_breaks(lc, l))
		return;
	/* An edit of something else is no conflict, whatever an older edit was. */
	if (policy_agrees(lc, e->next, l, k) || !policy_agrees(lc, e->former, l, k))
		return;
	e->n++;
	latch_alert(lc, l, latch_break(lc, l, TL_LATCH_SPD_CHANGE));
}

uint32_t
latch_policy_edit(struct lcore *lc, const struct spd *next)
{
	struct edit e = {.former = spd_installed(lc), .next = next};

	if (e.former != NULL)
		latch_foreach(lc, judge_edit, &e);
	return e.n;
}

void
latch_policy_changed(struct lcore *lc)
{
	latch_sad_changed(lc, NULL);
}

/* ---- administrator and key manager ---- */

static bool
is_of_peer(const struct lcore *lc, const struct latch *l, uint32_t peer_id)
{
	const struct profile *p = profile_get(lc->latch->tables, l->profile_in);

	return p != NULL && p->p.peer_id == peer_id;
}

struct act_job {
	const struct latch_filter *f;
	enum tl_latch_reason why;
	bool close;
	uint32_t n;
};

/* A listener is its program's; but that clear connections come in by it is the administrator's
 * leave, which ends (O-13). */
static bool
act_on_listener(struct lcore *lc, struct latch *l, const struct act_job *j)
{
	if (!j->f->overrides || !latch_close_open(lc, l))
		return false;
	latch_audit(lc, l, AUDIT_ADMIN, 0, UINT32_MAX);
	return true;
}

static void
act_visit(struct lcore *lc, struct latch *l, const struct flow_key *k, void *arg)
{
	struct act_job *j = arg;
	enum latch_act act;

	(void)k;
	if (l->state == TL_LATCH_LISTENER) {
		j->n += act_on_listener(lc, l, j);
		return;
	}
	/* Of clear connections there is nothing to break. */
	if (l->state == TL_LATCH_CLOSED || (l->state == TL_LATCH_NONE && !j->f->overrides))
		return;
	if (j->f->overrides && (l->flags & LATCH_IS_OVERRIDE) == 0)
		return;
	if (j->f->handle != 0 && latch_by_handle(lc, j->f->handle) != l)
		return;
	if (j->f->peer_id != 0 && !is_of_peer(lc, l, j->f->peer_id))
		return;
	act = j->close ? end(lc, l, j->why) : latch_break(lc, l, j->why);
	if (act == LATCH_ACT_NONE)
		return;
	j->n++;
	latch_audit(lc, l, AUDIT_ADMIN, l->profile_in, UINT32_MAX);
	latch_alert(lc, l, act);
}

uint32_t
latch_admin_break(struct lcore *lc, const struct latch_filter *f)
{
	struct act_job j = {.f = f, .why = TL_LATCH_ADMIN};

	latch_foreach(lc, act_visit, &j);
	return j.n;
}

uint32_t
latch_admin_close(struct lcore *lc, const struct latch_filter *f, enum tl_latch_reason why)
{
	struct act_job j = {.f = f, .why = why, .close = true};

	latch_foreach(lc, act_visit, &j);
	return j.n;
}

struct peer_job {
	uint32_t peer_id;
	enum latch_peer_event what;
	uint32_t n;
};

/* B.3 e12. D-10: a datagram has nobody who would tell it otherwise, so a reboot ends its latch. */
static enum latch_act
peer_gone(struct lcore *lc, struct latch *l, const struct flow_key *k, enum tl_latch_reason why)
{
	uint8_t asked = l->wish == NULL ? TL_LATCH_DEAD_DEFAULT : l->wish->disp.on_peer_dead;

	if (k->proto == IPPROTO_N_UDP && why == TL_LATCH_PEER_REBOOT)
		return end(lc, l, why);
	if (asked == TL_LATCH_DEAD_IGNORE ||
		(asked == TL_LATCH_DEAD_DEFAULT && lc->latch->conf.dpd == LATCH_DPD_IGNORE))
		return LATCH_ACT_NONE;
	if (asked == TL_LATCH_DEAD_WAIT && l->state == TL_LATCH_BROKEN) {
		l->reason = (uint8_t)why;
		return LATCH_ACT_NONE;
	}
	if (asked == TL_LATCH_DEAD_WAIT && l->state == TL_LATCH_ESTABLISHED) {
		count_break(lc, l);
		begin_wait(lc, l, why);
		return LATCH_ACT_PAUSE;
	}
	if (asked == TL_LATCH_DEAD_DEFAULT && lc->latch->conf.dpd == LATCH_DPD_BREAK)
		return latch_break(lc, l, why);
	return end(lc, l, why);
}

static void
peer_visit(struct lcore *lc, struct latch *l, const struct flow_key *k, void *arg)
{
	struct peer_job *j = arg;
	enum latch_act act;

	if ((l->state != TL_LATCH_ESTABLISHED && l->state != TL_LATCH_BROKEN) ||
		!is_of_peer(lc, l, j->peer_id))
		return;
	if (j->what == LATCH_PEER_IKE_RESTART) { /* M-7, F-87: no break */
		j->n += latch_event(lc, l, TL_LATCH_EV_PEER_RESTART, l->state);
		return;
	}
	if (j->what == LATCH_PEER_REBOOT)
		latch_event(lc, l, TL_LATCH_EV_PEER_REBOOT, l->state);
	act = peer_gone(
		lc, l, k, j->what == LATCH_PEER_REBOOT ? TL_LATCH_PEER_REBOOT : TL_LATCH_PEER_DEAD);
	j->n += act != LATCH_ACT_NONE;
	latch_alert(lc, l, act);
}

uint32_t
latch_peer(struct lcore *lc, uint32_t peer_id, enum latch_peer_event what)
{
	struct peer_job j = {.peer_id = peer_id, .what = what};

	latch_foreach(lc, peer_visit, &j);
	return j.n;
}

struct refused_job {
	const struct flow_key *k;
	uint32_t n;
};

/* What is zero in the refusal may be anything. */
static bool
is_refused(const struct flow_key *what, const struct flow_key *k)
{
	if (k->realm != what->realm || !ip_addr_eq(&k->remote, &what->remote) ||
		!ip_addr_eq(&k->local, &what->local))
		return false;
	if (what->proto != 0 && k->proto != what->proto)
		return false;
	if (what->lport != 0 && k->lport != what->lport)
		return false;
	return what->rport == 0 || k->rport == what->rport;
}

static void
refused_visit(struct lcore *lc, struct latch *l, const struct flow_key *k, void *arg)
{
	struct refused_job *j = arg;

	if (l->state != TL_LATCH_WANTED || !is_refused(j->k, k))
		return;
	j->n++;
	latch_alert(lc, l, end(lc, l, TL_LATCH_NOSA));
}

uint32_t
latch_refused(struct lcore *lc, const struct flow_key *k)
{
	struct refused_job j = {.k = k};

	latch_foreach(lc, refused_visit, &j);
	return j.n;
}

void
latch_set_km(struct lcore *lc, bool present)
{
	lc->latch->km_present = present;
}
