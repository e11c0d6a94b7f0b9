/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * sctp_path.c - paths: made, latched, given up, chosen (RFC 9260 s5.4, s6.4, s8.2; RFC 5660 s5.4).
 */
#include "sctp/sctp_path.h"

#include <errno.h>
#include <string.h>

#include "sctp/sctp_int.h"
#include "stack/base/assert.h"
#include "stack/net/route.h"

enum { MTU_MIN = 512, MPS_MIN = 256, ADDR_UNREACHABLE = TL_SCTP_ADDR_UNREACHABLE };

const char *
sctp_path_state_name(uint8_t state)
{
	static const char *const names[SCTP_PATH_STATES] = {
		"unconfirmed", "active", "inactive", "barred"};

	return state < SCTP_PATH_STATES ? names[state] : "?";
}

void
sctp_path_set_state(struct lcore *lc, struct sctp_path *p, enum sctp_path_state to)
{
	static const bool legal[SCTP_PATH_STATES][SCTP_PATH_STATES] = {
		/* clang-format off */
		/*                          UNCONF ACTIVE INACT  BARRED */
		[SCTP_PATH_UNCONFIRMED] = {false, true,  true,  true},
		[SCTP_PATH_ACTIVE]      = {false, false, true,  true},
		[SCTP_PATH_INACTIVE]    = {false, true,  false, true},
		[SCTP_PATH_BARRED]      = {false, false, false, false},
		/* clang-format on */
	};

	tl_assert(legal[p->state][to]);
	lc_count(lc, to == SCTP_PATH_ACTIVE ? ST_SCTP_PATH_UP : ST_SCTP_PATH_DOWN);
	p->state = (uint8_t)to;
}

/* ---- life ---- */

static struct sctp_way
way_of(const struct sctp_assoc *a, const struct ip_addr *local, const struct ip_addr *remote)
{
	struct sctp_way w = {.fe.key = {.local = *local,
				     .remote = *remote,
				     .lport = a->lport,
				     .rport = a->rport,
				     .realm = a->realm,
				     .proto = IPPROTO_N_SCTP}};

	return w;
}

/* Our address on the way to remote: the one that the route has if the association has it too. */
static const struct ip_addr *
local_for(const struct lcore *lc, const struct sctp_assoc *a, const struct ip_addr *remote)
{
	const struct ip_addr *same = NULL;
	struct route rt;

	if (route_find(lc, remote, &rt) != 0)
		return NULL;
	for (uint32_t i = 0; i < a->nb_local; i++) {
		if (ip_addr_eq(&a->local[i], &rt.src))
			return &a->local[i];
		if (same == NULL && ip_addr_is_v4(&a->local[i]) == ip_addr_is_v4(remote))
			same = &a->local[i];
	}
	return same;
}

static void
way_add(struct lcore *lc, struct sctp_path *p, const struct ip_addr *local)
{
	struct sctp_way *w;
	void *obj;

	if (rte_mempool_get(lc->sctp->ways, &obj) != 0)
		return; /* what comes there is of nobody */
	w = obj;
	*w = way_of(p->a, local, &p->way.fe.key.remote);
	w->fe.latch = &w->latch;
	w->path = p;
	SLIST_INSERT_HEAD(&p->more, w, entry);
}

struct sctp_path *
sctp_path_add(struct lcore *lc, struct sctp_assoc *a, const struct ip_addr *remote)
{
	const struct ip_addr *local = local_for(lc, a, remote);
	struct sctp_path *p;
	void *obj;

	if (local == NULL || rte_mempool_get(lc->sctp->paths, &obj) != 0)
		return NULL;
	p = obj;
	memset(p, 0, sizeof(*p));
	p->way = way_of(a, local, remote);
	p->way.fe.latch = &p->way.latch;
	p->way.path = p;
	p->a = a;
	p->rto_ms = a->rto_init_ms;
	p->max_retrans = (uint16_t)a->path_retrans;
	p->hb_interval_ms = a->hb_interval_ms;
	p->pmtu_bytes = UINT16_MAX;
	SLIST_INIT(&p->more);
	for (uint32_t i = 0; i < a->nb_local; i++) {
		if (!ip_addr_eq(&a->local[i], local) &&
			ip_addr_is_v4(&a->local[i]) == ip_addr_is_v4(remote))
			way_add(lc, p, &a->local[i]);
	}
	TAILQ_INSERT_TAIL(&a->paths, p, entry);
	return p;
}

static void
way_close(struct lcore *lc, struct sctp_way *w)
{
	if (!w->live)
		return;
	w->live = false;
	flow_remove(lc, &w->fe);
	latch_release(lc, &w->latch);
}

void
sctp_path_close(struct lcore *lc, struct sctp_path *p)
{
	struct sctp_way *w;

	sctp_path_timers_stop(lc, p);
	way_close(lc, &p->way);
	SLIST_FOREACH(w, &p->more, entry)
	way_close(lc, w);
}

void
sctp_path_free(struct lcore *lc, struct sctp_path *p)
{
	struct sctp_assoc *a = p->a;
	struct sctp_way *w;

	sctp_path_close(lc, p);
	while ((w = SLIST_FIRST(&p->more)) != NULL) {
		SLIST_REMOVE_HEAD(&p->more, entry);
		latch_fini(&w->latch);
		rte_mempool_put(lc->sctp->ways, w);
	}
	latch_fini(&p->way.latch);
	TAILQ_REMOVE(&a->paths, p, entry);
	if (a->primary == p)
		a->primary = TAILQ_FIRST(&a->paths);
	if (a->sack_path == p)
		a->sack_path = NULL;
	if (a->ctl_path == p)
		a->ctl_path = NULL;
	rte_mempool_put(lc->sctp->paths, p);
}

struct sctp_path *
sctp_path_find(const struct sctp_assoc *a, const struct ip_addr *remote)
{
	struct sctp_path *p;

	TAILQ_FOREACH (p, &a->paths, entry) {
		if (ip_addr_eq(&p->way.fe.key.remote, remote))
			return p;
	}
	return NULL;
}

/* ---- latches ---- */

static int
way_own(struct lcore *lc, struct sctp_way *w)
{
	int rc = flow_insert(lc, &w->fe);

	w->live = rc == 0;
	if (rc != 0) {
		latch_release(lc, &w->latch);
		latch_renew(&w->latch);
	}
	return rc;
}

static int
way_open(struct lcore *lc, struct sctp_way *w, const struct latch *like)
{
	int rc;

	if (w->live)
		return 0;
	if (flow_find(lc, &w->fe.key) != NULL)
		return -EADDRINUSE;
	latch_renew(&w->latch);
	latch_inherit(&w->latch, like);
	rc = latch_open(lc, &w->latch, &w->fe.key);
	return rc != 0 ? rc : way_own(lc, w);
}

/* Its latch ends, and the 5-tuple stays taken: what comes there is of nobody else, and no answer
 * to it could end the association at the peer. */
static void
way_bar(struct lcore *lc, struct sctp_way *w)
{
	if (w->latch.state != TL_LATCH_CLOSED)
		latch_conflict(lc, &w->latch, TL_LATCH_PEER_CONFLICT, true);
}

/* The peer may use them; where one has no SA nothing can come. */
static void
more_open(struct lcore *lc, struct sctp_path *p, const struct latch *like)
{
	struct sctp_way *w;

	SLIST_FOREACH(w, &p->more, entry)
	{
		if (way_open(lc, w, like) == 0 && w->latch.state != TL_LATCH_WANTED &&
			!latch_is_same_peer(lc, &w->latch, &p->way.latch))
			way_bar(lc, w);
	}
}

void
sctp_path_bar(struct lcore *lc, struct sctp_path *p)
{
	sctp_path_timers_stop(lc, p);
	if (p->way.live)
		way_bar(lc, &p->way);
	if (p->state != SCTP_PATH_BARRED)
		sctp_path_set_state(lc, p, SCTP_PATH_BARRED);
	p->hb_due = p->hb_wait = false;
}

int
sctp_path_open(struct lcore *lc, struct sctp_path *p, const struct latch *like)
{
	int rc = way_open(lc, &p->way, like);

	if (rc != 0)
		return rc;
	sctp_path_refresh(lc, p);
	more_open(lc, p, like);
	return 0;
}

enum drop_reason
sctp_path_spawn(
	struct lcore *lc, struct sctp_path *p, struct sctp_way *listener, const struct rte_mbuf *m)
{
	enum drop_reason why;

	why = latch_spawn(lc, &p->way.latch, &listener->latch, &p->way.fe.key, m);
	if (why != DROP_NONE)
		return why;
	if (way_own(lc, &p->way) != 0)
		return DROP_SCTP_MEM;
	sctp_path_refresh(lc, p);
	more_open(lc, p, &listener->latch);
	return DROP_NONE;
}

bool
sctp_path_check_peer(struct lcore *lc, struct sctp_path *p)
{
	const struct sctp_path *first = p->a->primary;

	if (p == first || p->way.latch.state == TL_LATCH_WANTED ||
		latch_is_same_peer(lc, &p->way.latch, &first->way.latch))
		return true;
	sctp_path_bar(lc, p);
	return false;
}

/* ---- MTU ---- */

void
sctp_path_refresh(struct lcore *lc, struct sctp_path *p)
{
	struct route rt, outer;
	uint32_t room;

	if (route_find(lc, &p->way.fe.key.remote, &rt) == 0)
		p->pmtu_bytes = (uint16_t)RTE_MIN(p->pmtu_bytes, rt.mtu_bytes);
	/* RFC 4301 s8.2: a tunnel has a path of its own. */
	if (p->way.latch.state == TL_LATCH_ESTABLISHED &&
		p->way.latch.mode == TL_LATCH_MODE_TUNNEL &&
		route_find(lc, &p->way.latch.tun_remote, &outer) == 0)
		p->pmtu_bytes = (uint16_t)RTE_MIN(p->pmtu_bytes, outer.mtu_bytes);
	p->pmtu_bytes = (uint16_t)RTE_MAX(p->pmtu_bytes, (uint16_t)MTU_MIN);
	room = latch_l4_room(&p->way.latch, p->pmtu_bytes, sctp_ip_hlen(p)) & ~3u;
	p->mps_bytes = (uint16_t)RTE_MAX(room, (uint32_t)MPS_MIN);
	sctp_frag_update(p->a);
}

/* ---- health (RFC 9260 s8.1, s8.2) ---- */

void
sctp_path_alive(struct lcore *lc, struct sctp_path *p)
{
	struct sctp_assoc *a = p->a;

	p->errors = 0;
	a->errors = 0;
	if (p->state != SCTP_PATH_INACTIVE)
		return;
	sctp_path_set_state(lc, p, SCTP_PATH_ACTIVE);
	sctp_event_path(lc, p, TL_SCTP_ADDR_AVAILABLE, 0);
	sctp_mark(lc, a, SCTP_OUT_DATA);
}

static void
inactive(struct lcore *lc, struct sctp_path *p)
{
	struct sctp_assoc *a = p->a;

	if (p->state == SCTP_PATH_ACTIVE && sctp_path_pick_other(a, p) != p)
		lc_count(lc, ST_SCTP_FAILOVER);
	sctp_path_set_state(lc, p, SCTP_PATH_INACTIVE);
	sctp_event_path(lc, p, ADDR_UNREACHABLE, 0);
	/* s6.4.1: what it has in flight goes another way. */
	if (sctp_path_pick_other(a, p) != p)
		sctp_path_lost(lc, p);
}

bool
sctp_path_failed(struct lcore *lc, struct sctp_path *p)
{
	struct sctp_assoc *a = p->a;

	if (p->errors < UINT8_MAX)
		p->errors++;
	/* s5.4: what was never confirmed says nothing about the association. */
	if (p->state != SCTP_PATH_UNCONFIRMED && a->errors < UINT8_MAX &&
		!latch_is_suspended(lc, &p->way.latch))
		a->errors++;
	if (a->errors > a->max_retrans) {
		sctp_event_assoc(lc, a, TL_SCTP_COMM_LOST, 0);
		sctp_assoc_end(lc, a, ETIMEDOUT);
		return false;
	}
	if (p->errors > p->max_retrans && p->state <= SCTP_PATH_ACTIVE)
		inactive(lc, p);
	return true;
}

/* ---- choice (s6.4) ---- */

static struct sctp_path *
best(const struct sctp_assoc *a, const struct sctp_path *not_here)
{
	struct sctp_path *p, *found = NULL;

	TAILQ_FOREACH (p, &a->paths, entry) {
		if (p == not_here || !sctp_path_is_good(p))
			continue;
		if (found == NULL || p->errors < found->errors)
			found = p;
	}
	return found;
}

/* s8.2: with none active, data goes on to one of the others. */
static struct sctp_path *
any_open(const struct sctp_assoc *a)
{
	struct sctp_path *p, *found = NULL;

	if (a->primary != NULL && a->primary->state != SCTP_PATH_BARRED && a->primary->way.live)
		return a->primary;
	TAILQ_FOREACH (p, &a->paths, entry) {
		if (p->state == SCTP_PATH_BARRED || !p->way.live)
			continue;
		if (found == NULL ||
			(found->state == SCTP_PATH_UNCONFIRMED && p->state != found->state))
			found = p;
	}
	return found;
}

struct sctp_path *
sctp_path_pick(const struct sctp_assoc *a)
{
	struct sctp_path *p;

	if (a->primary != NULL && sctp_path_is_good(a->primary))
		return a->primary;
	p = best(a, NULL);
	return p != NULL ? p : any_open(a);
}

struct sctp_path *
sctp_path_pick_other(const struct sctp_assoc *a, const struct sctp_path *not_here)
{
	struct sctp_path *p = best(a, not_here);

	return p != NULL ? p : sctp_path_pick(a);
}
