/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * tcp_keep.c - keep-alives (RFC 9293 s3.8.4) and the user timeout (RFC 9293 s3.8.3, RFC 5482).
 *
 * Both are of a socket that somebody holds, so what they need is the socket's, and only of those
 * that asked for it: a connection without options costs nothing more.
 */
#include <errno.h>
#include <stdlib.h>

#include "tcp/tcp_int.h"

enum { IDLE_MAX_S = 32767, COUNT_MAX = 127 };

struct tcp_more *
tcp_more(struct lcore *lc, struct sock *s)
{
	const struct tcp_conf *c = &lc->tcp->conf;
	struct tcp_more *m = s->more;

	if (m != NULL)
		return m;
	m = calloc(1, sizeof(*m));
	if (m == NULL)
		return NULL;
	m->s = s;
	m->idle_s = c->keep_idle_s;
	m->interval_s = c->keep_interval_s;
	m->count = (uint8_t)c->keep_count;
	m->lowat_bytes = 1;
	s->more = m;
	return m;
}

void
tcp_more_free(struct lcore *lc, struct sock *s)
{
	struct tcp_more *m = s->more;

	if (m == NULL)
		return;
	tmr_stop(lc, &m->tmr);
	free(m);
	s->more = NULL;
}

/* A listener's own options are no reason for every connection to have some. */
static bool
has_heritage(const struct lcore *lc, const struct tcp_more *f)
{
	const struct tcp_conf *c = &lc->tcp->conf;

	return f->keep || f->idle_s != c->keep_idle_s || f->interval_s != c->keep_interval_s ||
	       f->count != c->keep_count || f->lowat_bytes != 1 || f->user_timeout_ms != 0;
}

int
tcp_more_inherit(struct lcore *lc, const struct sock *from, struct sock *to)
{
	const struct tcp_more *f = from->more;
	struct tcp_more *m;

	if (f == NULL || !has_heritage(lc, f))
		return 0;
	m = tcp_more(lc, to);
	if (m == NULL)
		return -ENOBUFS;
	m->keep = f->keep;
	m->idle_s = f->idle_s;
	m->interval_s = f->interval_s;
	m->count = f->count;
	m->lowat_bytes = f->lowat_bytes;
	m->user_timeout_ms = f->user_timeout_ms;
	tcp_keep_start(lc, to);
	return 0;
}

/* What the peer said changes at least one of these; with timestamps the time is known as well. */
static bool
was_heard(const struct tcp_more *m, const struct tcp_pcb *pcb)
{
	return m->seen_rcv_nxt != pcb->rcv_nxt || m->seen_snd_una != pcb->snd_una ||
	       m->seen_ts != pcb->ts_recent;
}

static void
note_heard(struct tcp_more *m, const struct tcp_pcb *pcb)
{
	m->seen_rcv_nxt = pcb->rcv_nxt;
	m->seen_snd_una = pcb->snd_una;
	m->seen_ts = pcb->ts_recent;
	m->probes = 0;
}

static void keep_expired(struct lcore *lc, struct tmr *t);

static void
wait_s(struct lcore *lc, struct tcp_more *m, uint64_t from_ns, uint32_t s)
{
	tmr_set(lc, &m->tmr, from_ns + s * UINT64_C(1000000000), keep_expired);
}

/* Enough probes, or the user timeout is over since the first (RFC 5482 s4 leaves it to the host).
 */
static bool
is_lost(const struct lcore *lc, const struct tcp_more *m)
{
	if (m->user_timeout_ms != 0)
		return m->probes > 0 &&
		       lc->now_ns - m->probe_ns >= m->user_timeout_ms * UINT64_C(1000000);
	return m->probes >= m->count;
}

static void
probe(struct lcore *lc, struct tcp_more *m, struct tcp_pcb *pcb)
{
	/* B-18: what a suspended latch holds back proves nothing. */
	if (latch_is_suspended(lc, &pcb->latch)) {
		note_heard(m, pcb);
	} else if (is_lost(lc, m)) {
		tcp_pcb_end(lc, pcb, latch_errno(&pcb->latch, ETIMEDOUT));
		return;
	} else {
		if (m->probes == 0)
			m->probe_ns = lc->now_ns;
		m->probes++;
		tcp_out_keepalive(lc, pcb);
	}
	wait_s(lc, m, lc->now_ns, m->interval_s);
}

static void
keep_expired(struct lcore *lc, struct tmr *t)
{
	struct tcp_more *m = container_of(t, struct tcp_more, tmr);
	struct tcp_pcb *pcb = m->s->pcb;
	uint64_t heard_ns = pcb->opt_ts ? pcb->ts_recent_ns : lc->now_ns;

	if (!m->keep || !tcp_is_synced(pcb) || pcb->state == TCPS_TIME_WAIT)
		return;
	/* Data in flight have a timer of their own. */
	if (was_heard(m, pcb) || tcp_flight(pcb) > 0) {
		note_heard(m, pcb);
		wait_s(lc, m, heard_ns, m->idle_s);
		return;
	}
	probe(lc, m, pcb);
	tcp_pcb_check(lc, pcb);
	tcp_reap(lc);
}

void
tcp_keep_start(struct lcore *lc, struct sock *s)
{
	struct tcp_more *m = s->more;
	struct tcp_pcb *pcb = s->pcb;

	if (m == NULL || !m->keep || pcb == NULL || !tcp_is_synced(pcb))
		return;
	note_heard(m, pcb);
	wait_s(lc, m, lc->now_ns, m->idle_s);
}

int
tcp_keep_set(struct lcore *lc, struct sock *s, enum tcp_keep_knob knob, int v)
{
	struct tcp_more *m = tcp_more(lc, s);

	if (m == NULL)
		return -ENOBUFS;
	if (knob != TCP_KEEP_ON && (v < 1 || v > (knob == TCP_KEEP_COUNT ? COUNT_MAX : IDLE_MAX_S)))
		return -EINVAL;
	if (knob == TCP_KEEP_ON)
		m->keep = v != 0;
	else if (knob == TCP_KEEP_IDLE)
		m->idle_s = (uint16_t)v;
	else if (knob == TCP_KEEP_INTERVAL)
		m->interval_s = (uint16_t)v;
	else
		m->count = (uint8_t)v;
	tmr_stop(lc, &m->tmr);
	tcp_keep_start(lc, s);
	return 0;
}

bool
tcp_user_timeout(struct lcore *lc, struct tcp_pcb *pcb)
{
	struct tcp_more *m = pcb->s == NULL ? NULL : pcb->s->more;

	if (m == NULL || m->user_timeout_ms == 0)
		return false;
	if (pcb->rexmt_cnt == 0)
		m->trouble_ns = lc->now_ns - pcb->rto_us * UINT64_C(1000);
	return lc->now_ns - m->trouble_ns >= m->user_timeout_ms * UINT64_C(1000000) &&
	       !latch_is_suspended(lc, &pcb->latch);
}
