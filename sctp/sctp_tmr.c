/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * sctp_tmr.c - timers: T1, T2, T5, heartbeats, delayed SACKs, autoclose; the RTO (RFC 9260 s6.3,
 * s8.3). T3 is with what it retransmits.
 *
 * A timer marks what must leave and counts; packets are made by the transmit stage.
 */
#include <errno.h>

#include "sctp/sctp_int.h"
#include "stack/base/rand.h"

/* s6.3.1: RTO.Alpha 1/8, RTO.Beta 1/4; s9.2: T5 is five times RTO.Max. */
enum { ALPHA_SHIFT = 3, BETA_SHIFT = 2, GUARD_RTOS = 5, HB_LEN = 16 };

static uint64_t
after_ms(const struct lcore *lc, uint64_t ms)
{
	return lc->now_ns + ms * SCTP_NS_PER_MS;
}

/* ---- RTO ---- */

static uint32_t
rto_of(const struct sctp_assoc *a, uint64_t us)
{
	uint64_t ms = (us + 999) / 1000;

	return (uint32_t)RTE_MIN(RTE_MAX(ms, (uint64_t)a->rto_min_ms), (uint64_t)a->rto_max_ms);
}

/* s6.3.1, C2 and C3 */
void
sctp_rtt_sample(const struct sctp_assoc *a, struct sctp_path *p, uint32_t us)
{
	us = RTE_MAX(us, 1u);
	if (p->srtt_us == 0) {
		p->srtt_us = us;
		p->rttvar_us = us / 2;
	} else {
		uint32_t diff = p->srtt_us > us ? p->srtt_us - us : us - p->srtt_us;

		p->rttvar_us += (diff >> BETA_SHIFT) - (p->rttvar_us >> BETA_SHIFT);
		p->srtt_us += (us >> ALPHA_SHIFT) - (p->srtt_us >> ALPHA_SHIFT);
		p->srtt_us = RTE_MAX(p->srtt_us, 1u);
	}
	/* G1: a clock of one millisecond. */
	p->rto_ms = rto_of(a, p->srtt_us + RTE_MAX(4ull * p->rttvar_us, 1000ull));
}

/* s6.3.3, E2 */
void
sctp_rto_double(const struct sctp_assoc *a, struct sctp_path *p)
{
	p->rto_ms = RTE_MIN(2 * p->rto_ms, a->rto_max_ms);
}

/* ---- T1-init, T1-cookie, T2-shutdown ---- */

static void ctl_due(struct lcore *lc, struct tmr *t);

void
sctp_ctl_start(struct lcore *lc, struct sctp_assoc *a)
{
	uint64_t ms = (uint64_t)a->rto_init_ms << RTE_MIN(a->init_tries, 16);

	/* Behind a handshake the round trip is known. */
	if (a->state >= SCTPS_ESTABLISHED && a->primary->srtt_us != 0)
		ms = (uint64_t)a->primary->rto_ms << RTE_MIN(a->init_tries, 16);
	tmr_set(lc, &a->t_ctl, after_ms(lc, RTE_MIN(ms, (uint64_t)a->rto_max_ms)), ctl_due);
}

/* Of several addresses that the program named the next one is tried. */
static void
next_address(struct sctp_assoc *a)
{
	struct sctp_path *p = a->primary;

	for (;;) {
		p = TAILQ_NEXT(p, entry) != NULL ? TAILQ_NEXT(p, entry) : TAILQ_FIRST(&a->paths);
		if (p == a->primary)
			return;
		if (p->way.live && p->state != SCTP_PATH_BARRED)
			break;
	}
	a->primary = p;
}

static void
setup_due(struct lcore *lc, struct sctp_assoc *a)
{
	bool waits = latch_is_suspended(lc, &a->primary->way.latch);

	if (!waits && ++a->init_tries > a->max_init_retrans) {
		sctp_event_assoc(lc, a, TL_SCTP_CANT_STR_ASSOC, 0);
		sctp_assoc_end(lc, a, ETIMEDOUT);
		return;
	}
	if (a->state == SCTPS_COOKIE_WAIT)
		next_address(a);
	sctp_mark(lc, a, a->state == SCTPS_COOKIE_WAIT ? SCTP_OUT_INIT : SCTP_OUT_COOKIE_ECHO);
	sctp_ctl_start(lc, a);
}

static void
shutdown_due(struct lcore *lc, struct sctp_assoc *a)
{
	struct sctp_path *p = a->ctl_path != NULL ? a->ctl_path : a->primary;

	if (!sctp_path_failed(lc, p))
		return;
	if (a->init_tries < UINT8_MAX)
		a->init_tries++;
	sctp_mark(
		lc, a, a->state == SCTPS_SHUTDOWN_SENT ? SCTP_OUT_SHUTDOWN : SCTP_OUT_SHUTDOWN_ACK);
	sctp_ctl_start(lc, a);
}

static void
ctl_due(struct lcore *lc, struct tmr *t)
{
	struct sctp_assoc *a = container_of(t, struct sctp_assoc, t_ctl);

	if (a->state <= SCTPS_COOKIE_ECHOED)
		setup_due(lc, a);
	else
		shutdown_due(lc, a);
	sctp_assoc_check(a);
}

/* ---- T5-shutdown-guard, autoclose ---- */

static void
guard_due(struct lcore *lc, struct tmr *t)
{
	struct sctp_assoc *a = container_of(t, struct sctp_assoc, t_guard);

	if (a->state == SCTPS_ESTABLISHED)
		sctp_shutdown_start(lc, a); /* RFC 6458 s8.1.8: idle for too long */
	else
		sctp_abort(lc, a, SCTP_C_NONE, NULL, ETIMEDOUT);
	sctp_assoc_check(a);
}

void
sctp_guard_start(struct lcore *lc, struct sctp_assoc *a)
{
	tmr_set(lc, &a->t_guard, after_ms(lc, (uint64_t)GUARD_RTOS * a->rto_max_ms), guard_due);
}

void
sctp_autoclose_touch(struct lcore *lc, struct sctp_assoc *a)
{
	if (a->autoclose_s != 0 && a->state == SCTPS_ESTABLISHED)
		tmr_set(lc, &a->t_guard, after_ms(lc, a->autoclose_s * UINT64_C(1000)), guard_due);
}

/* ---- delayed SACK (s6.2) ---- */

static void
sack_due(struct lcore *lc, struct tmr *t)
{
	sctp_mark(lc, container_of(t, struct sctp_assoc, t_sack), SCTP_OUT_SACK);
}

void
sctp_sack_later(struct lcore *lc, struct sctp_assoc *a)
{
	if (!tmr_is_set(&a->t_sack))
		tmr_set(lc, &a->t_sack, after_ms(lc, a->sack_delay_ms), sack_due);
}

/* ---- heartbeats (s8.3) ---- */

static void hb_timer(struct lcore *lc, struct tmr *t);

/* s8.3: RTO and HB.interval, with a jitter of half the RTO either way. */
static void
hb_rest(struct lcore *lc, struct sctp_path *p)
{
	uint64_t ms =
		(uint64_t)p->hb_interval_ms + p->rto_ms / 2 + rand_below(lc->rand, p->rto_ms + 1);

	tmr_set(lc, &p->t_hb, after_ms(lc, ms), hb_timer);
}

void
sctp_hb_start(struct lcore *lc, struct sctp_path *p)
{
	if (p->state != SCTP_PATH_BARRED)
		hb_rest(lc, p);
}

void
sctp_hb_now(struct lcore *lc, struct sctp_path *p)
{
	if (p->state == SCTP_PATH_BARRED || !p->way.live)
		return;
	p->hb_due = true;
	sctp_mark(lc, p->a, SCTP_OUT_HB);
	/* Its answer is due one RTO from now. */
	tmr_set(lc, &p->t_hb, after_ms(lc, p->rto_ms), hb_timer);
}

/* F-66: it had no SA when it was made; perhaps it has one by now. */
static void
try_open(struct lcore *lc, struct sctp_path *p)
{
	if (sctp_path_open(lc, p, &p->a->primary->way.latch) == 0 && sctp_path_check_peer(lc, p))
		sctp_hb_now(lc, p);
}

static bool
is_idle(const struct lcore *lc, const struct sctp_path *p)
{
	return p->last_send_ns == 0 ||
	       lc->now_ns - p->last_send_ns >= (uint64_t)p->hb_interval_ms * SCTP_NS_PER_MS;
}

static void
hb_timer(struct lcore *lc, struct tmr *t)
{
	struct sctp_path *p = container_of(t, struct sctp_path, t_hb);
	struct sctp_assoc *a = p->a;

	hb_rest(lc, p);
	if (!p->way.live) {
		try_open(lc, p);
	} else if (p->hb_wait || p->hb_due) {
		/* s8.3: not answered within one RTO. */
		p->hb_wait = p->hb_due = false;
		lc_count(lc, ST_SCTP_HB_LOST);
		sctp_rto_double(a, p);
		if (!sctp_path_failed(lc, p))
			return;
		/* s5.4: an address that is to be confirmed is asked once in each RTO. */
		if (p->state == SCTP_PATH_UNCONFIRMED)
			sctp_hb_now(lc, p);
	} else if (!p->hb_off && (is_idle(lc, p) || p->state != SCTP_PATH_ACTIVE)) {
		sctp_hb_now(lc, p);
	}
	sctp_assoc_check(a);
}

static struct sctp_path *
asked_by(const struct sctp_assoc *a, const struct sctp_bytes *info)
{
	struct sctp_path *p;
	uint64_t nonce;

	if (info->len != HB_LEN)
		return NULL;
	memcpy(&nonce, info->at, sizeof(nonce));
	TAILQ_FOREACH (p, &a->paths, entry) {
		if (p->hb_wait && p->hb_nonce == nonce)
			return p;
	}
	return NULL;
}

/* s8.3, s5.4: only who got the question knows its nonce. It may answer on another path, which has a
 * latch of its own (F-72). */
enum sctp_next
sctp_heartbeat_ack_chunk(struct lcore *lc, struct sctp_rcv *r, const struct sctp_chunk *c)
{
	struct sctp_bytes info;
	struct sctp_path *p;

	if (!sctp_wire_heartbeat(c, &info))
		return SCTP_NEXT;
	p = asked_by(r->a, &info);
	if (p == NULL || !sctp_path_is_open(p))
		return SCTP_NEXT;
	p->hb_wait = false;
	sctp_rtt_sample(r->a, p, (uint32_t)((lc->now_ns - p->hb_sent_ns) / 1000));
	hb_rest(lc, p);
	if (p->state == SCTP_PATH_UNCONFIRMED) {
		sctp_path_set_state(lc, p, SCTP_PATH_ACTIVE);
		sctp_event_path(lc, p, TL_SCTP_ADDR_CONFIRMED, 0);
	}
	sctp_path_alive(lc, p);
	return SCTP_NEXT;
}

/* ---- the end ---- */

void
sctp_path_timers_stop(struct lcore *lc, struct sctp_path *p)
{
	tmr_stop(lc, &p->t3);
	tmr_stop(lc, &p->t_hb);
}

void
sctp_timers_stop(struct lcore *lc, struct sctp_assoc *a)
{
	struct sctp_path *p;

	tmr_stop(lc, &a->t_ctl);
	tmr_stop(lc, &a->t_guard);
	tmr_stop(lc, &a->t_sack);
	TAILQ_FOREACH (p, &a->paths, entry)
		sctp_path_timers_stop(lc, p);
}
