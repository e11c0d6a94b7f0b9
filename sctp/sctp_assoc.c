/* SPDX-License-Identifier: BSD-3-Clause */
/* sctp_assoc.c - the life of an association: made, moved from state to state, ended, freed. */
#include "sctp/sctp_assoc.h"

#include <string.h>

#include "sctp/sctp_int.h"
#include "stack/base/assert.h"
#include "stack/base/log.h"

LOG_MODULE(sctp, NOTICE);

static const char *const names[SCTPS_STATES] = {"CLOSED", "COOKIE-WAIT", "COOKIE-ECHOED",
	"ESTABLISHED", "SHUTDOWN-PENDING", "SHUTDOWN-SENT", "SHUTDOWN-RECEIVED",
	"SHUTDOWN-ACK-SENT"};

const char *
sctp_state_name(uint8_t state)
{
	return state < SCTPS_STATES ? names[state] : "?";
}

/* RFC 9260 s4, figure 3, as the diagram of enum sctp_state has it. */
static const bool legal[SCTPS_STATES][SCTPS_STATES] = {
	/* clang-format off */
	/* from                     CLOSED WAIT   ECHOED ESTAB  PENDING SENT   RECVD  ACK_SENT */
	[SCTPS_CLOSED]            = {false, true,  false, true,  false,  false, false, false},
	[SCTPS_COOKIE_WAIT]       = {true,  false, true,  true,  false,  false, false, false},
	[SCTPS_COOKIE_ECHOED]     = {true,  true,  false, true,  false,  false, false, false},
	[SCTPS_ESTABLISHED]       = {true,  false, false, false, true,   false, true,  false},
	[SCTPS_SHUTDOWN_PENDING]  = {true,  false, false, true,  false,  true,  true,  false},
	[SCTPS_SHUTDOWN_SENT]     = {true,  false, false, true,  false,  false, false, true},
	[SCTPS_SHUTDOWN_RECEIVED] = {true,  false, false, true,  false,  false, false, true},
	[SCTPS_SHUTDOWN_ACK_SENT] = {true,  false, false, false, false,  false, false, false},
	/* clang-format on */
};

void
sctp_set_state(struct lcore *lc, struct sctp_assoc *a, enum sctp_state to)
{
	tl_assert(legal[a->state][to]);
	LOG(DEBUG, "association %lu: %s -> %s", (unsigned long)a->id, names[a->state], names[to]);
	if (to == SCTPS_ESTABLISHED)
		lc_count(lc, ST_SCTP_ESTAB);
	a->state = (uint8_t)to;
}

struct sctp_assoc *
sctp_assoc_alloc(struct lcore *lc)
{
	struct sctp_ctx *sc = lc->sctp;
	struct sctp_assoc *a;
	void *obj;

	if (rte_mempool_get(sc->assocs, &obj) != 0)
		return NULL;
	a = obj;
	memset(a, 0, sizeof(*a) + sizeof(a->ssn[0]) * (sc->conf.out_streams + sc->conf.in_streams));
	a->out_ssn = a->ssn;
	a->in_ssn = a->ssn + sc->conf.out_streams;
	TAILQ_INIT(&a->paths);
	TAILQ_INIT(&a->waiting);
	TAILQ_INIT(&a->sent);
	TAILQ_INIT(&a->held);
	a->id = ++sc->next_id;
	a->tie_own = sctp_rand_tag(lc);
	a->tie_peer = sctp_rand_tag(lc);
	TAILQ_INSERT_TAIL(&sc->all, a, all);
	sc->nb_assocs++;
	return a;
}

void
sctp_assoc_free(struct lcore *lc, struct sctp_assoc *a)
{
	struct sctp_ctx *sc = lc->sctp;
	struct sctp_path *p;

	tl_assert(a->state == SCTPS_CLOSED);
	buf_clear(lc, &a->rcv);
	while ((p = TAILQ_FIRST(&a->paths)) != NULL)
		sctp_path_free(lc, p);
	if (a->on_reap)
		TAILQ_REMOVE(&sc->reap, a, queue);
	TAILQ_REMOVE(&sc->all, a, all);
	sc->nb_assocs--;
	rte_mempool_put(sc->assocs, a);
}

static void
forget_cookie(struct sctp_assoc *a)
{
	rte_pktmbuf_free(a->cookie_m);
	a->cookie_m = NULL;
}

void
sctp_assoc_end(struct lcore *lc, struct sctp_assoc *a, int err)
{
	struct sctp_path *p;

	if (a->state == SCTPS_CLOSED)
		return;
	sctp_set_state(lc, a, SCTPS_CLOSED);
	a->err = err;
	a->eof = true;
	sctp_timers_stop(lc, a);
	sctp_unmark(lc, a);
	sctp_tx_free(lc, a);
	sctp_data_free(lc, a);
	forget_cookie(a);
	TAILQ_FOREACH (p, &a->paths, entry)
		sctp_path_close(lc, p);
	sctp_wake(lc, a);
	if (a->ep == NULL && a->parent == NULL && !a->on_reap) {
		a->on_reap = true;
		TAILQ_INSERT_TAIL(&lc->sctp->reap, a, queue);
	}
}

void
sctp_reap(struct lcore *lc)
{
	struct sctp_assoc *a;

	while ((a = TAILQ_FIRST(&lc->sctp->reap)) != NULL)
		sctp_assoc_free(lc, a);
}

#ifdef TL_DEBUG
static uint32_t
flight_of(const struct sctp_assoc *a, const struct sctp_path *p)
{
	const struct sctp_tx *t;
	uint32_t n = 0;

	TAILQ_FOREACH (t, &a->sent, entry)
		n += t->path == p && t->state == SCTP_TX_SENT ? t->len : 0;
	return n;
}

static void
check_closed(const struct sctp_assoc *a)
{
	const struct sctp_path *p;

	TAILQ_FOREACH (p, &a->paths, entry)
		tl_assert(!p->way.live && !tmr_is_set(&p->t3) && !tmr_is_set(&p->t_hb));
	tl_assert(!tmr_is_set(&a->t_ctl) && !tmr_is_set(&a->t_guard) && !tmr_is_set(&a->t_sack));
	tl_assert(sctp_assoc_is_drained(a) && TAILQ_EMPTY(&a->held) && !a->on_out);
}

static void
check_sent(const struct sctp_assoc *a)
{
	const struct sctp_tx *t;
	uint32_t lost = 0, n = 0, tsn = a->cum_ack + 1;

	TAILQ_FOREACH (t, &a->sent, entry) {
		tl_assert(t->tsn == tsn);
		tl_assert(t->state != SCTP_TX_WAITS);
		lost += t->state == SCTP_TX_LOST;
		tsn++;
		n++;
	}
	tl_assert(tsn == a->next_tsn && lost == a->nb_lost && n == a->nb_sent);
}

static void
check_held(const struct sctp_assoc *a)
{
	const struct sctp_rx *r, *before = NULL;
	uint32_t bytes = 0;

	TAILQ_FOREACH (r, &a->held, entry) {
		tl_assert(before == NULL || seq_lt(before->tsn, r->tsn));
		bytes += r->len;
		before = r;
	}
	tl_assert(bytes == a->held_bytes);
}

void
sctp_assoc_check(const struct sctp_assoc *a)
{
	const struct sctp_path *p;
	uint32_t all = 0;

	if (a->state == SCTPS_CLOSED) {
		check_closed(a);
		return;
	}
	tl_assert(a->own_vtag != 0 && a->primary != NULL);
	tl_assert(a->state < SCTPS_ESTABLISHED || a->peer_vtag != 0);
	TAILQ_FOREACH (p, &a->paths, entry) {
		tl_assert(p->flight == flight_of(a, p));
		tl_assert(p->flight == 0 || tmr_is_set(&p->t3));
		all += p->flight;
	}
	tl_assert(all == a->outstanding);
	if (a->state == SCTPS_SHUTDOWN_SENT || a->state == SCTPS_SHUTDOWN_ACK_SENT)
		tl_assert(sctp_assoc_is_drained(a));
	check_sent(a);
	check_held(a);
}
#else
void
sctp_assoc_check(const struct sctp_assoc *a)
{
	(void)a;
}
#endif
