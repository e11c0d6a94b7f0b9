/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * tcp_tmr.c - the three timers of a connection, and the one of all that wait for memory: set,
 * stopped, and what they call.
 *
 * An expiry marks the control block for output or ends it; it sends nothing.
 */
#include "tcp/tcp_int.h"

static void
settle(struct lcore *lc, struct tcp_pcb *pcb)
{
	tcp_pcb_check(lc, pcb);
	tcp_reap(lc);
}

static void
rexmt_expired(struct lcore *lc, struct tmr *t)
{
	struct tcp_pcb *pcb = container_of(t, struct tcp_pcb, t_rexmt);

	/* The deadline moved since, as it does with each ACK: go on waiting. */
	if (lc->now_ns < pcb->due_ns) {
		tmr_set(lc, t, pcb->due_ns, rexmt_expired);
		return;
	}
	if (pcb->t_kind == TCP_T_TLP)
		tcp_tlp_timeout(lc, pcb);
	else if (pcb->t_kind == TCP_T_REO)
		tcp_rack_timeout(lc, pcb);
	else
		tcp_rexmt_timeout(lc, pcb);
	settle(lc, pcb);
}

/* RFC 9293 s3.8.6.3: the delay of an acknowledgment is over. */
static void
delack_expired(struct lcore *lc, struct tmr *t)
{
	struct tcp_pcb *pcb = container_of(t, struct tcp_pcb, t_delack);

	tcp_output_mark(lc, pcb, TCP_OUT_ACK);
	settle(lc, pcb);
}

/* RFC 9293 s3.10.8: the TIME-WAIT timeout; or nobody is left who could read in FIN-WAIT-2. */
static void
wait_expired(struct lcore *lc, struct tmr *t)
{
	struct tcp_pcb *pcb = container_of(t, struct tcp_pcb, t_wait);

	tcp_pcb_end(lc, pcb, 0);
	settle(lc, pcb);
}

/* Memory comes back from any connection, so nobody in particular could tell. */
static void
starved_expired(struct lcore *lc, struct tmr *t)
{
	struct tcp_pcb_list hungry = TAILQ_HEAD_INITIALIZER(hungry);
	struct tcp_pcb *pcb;

	(void)t;
	TAILQ_CONCAT(&hungry, &lc->tcp->starved, starved);
	while ((pcb = TAILQ_FIRST(&hungry)) != NULL) {
		TAILQ_REMOVE(&hungry, pcb, starved);
		pcb->on_starved = false;
		if (buf_can_append(lc, &pcb->snd))
			tcp_wake(lc, pcb);
		else
			tcp_tmr_starved(lc, pcb);
	}
}

void
tcp_tmr_starved(struct lcore *lc, struct tcp_pcb *pcb)
{
	struct tcp_ctx *tc = lc->tcp;

	if (pcb->on_starved)
		return;
	pcb->on_starved = true;
	TAILQ_INSERT_TAIL(&tc->starved, pcb, starved);
	if (!tmr_is_set(&tc->t_starved))
		tmr_set(lc, &tc->t_starved, lc->now_ns + TCP_STARVED_US * UINT64_C(1000),
			starved_expired);
}

void
tcp_tmr_fed(struct lcore *lc, struct tcp_pcb *pcb)
{
	struct tcp_ctx *tc = lc->tcp;

	if (!pcb->on_starved)
		return;
	pcb->on_starved = false;
	TAILQ_REMOVE(&tc->starved, pcb, starved);
	if (TAILQ_EMPTY(&tc->starved))
		tmr_stop(lc, &tc->t_starved);
}

void
tcp_tmr_at(struct lcore *lc, struct tcp_pcb *pcb, enum tcp_timer kind, uint64_t at_ns)
{
	pcb->t_kind = (uint8_t)kind;
	pcb->due_ns = at_ns;
	if (!tmr_is_set(&pcb->t_rexmt) || pcb->t_rexmt.at_ns > at_ns)
		tmr_set(lc, &pcb->t_rexmt, at_ns, rexmt_expired);
}

void
tcp_tmr_delack(struct lcore *lc, struct tcp_pcb *pcb)
{
	if (!tmr_is_set(&pcb->t_delack))
		tmr_set(lc, &pcb->t_delack, lc->now_ns + lc->tcp->conf.delack_us * UINT64_C(1000),
			delack_expired);
}

void
tcp_tmr_2msl(struct lcore *lc, struct tcp_pcb *pcb)
{
	tmr_set(lc, &pcb->t_wait, lc->now_ns + lc->tcp->conf.msl_ms * UINT64_C(2000000),
		wait_expired);
}

/* The next segment's time has come. */
static void
pace_expired(struct lcore *lc, struct tmr *t)
{
	struct tcp_pcb *pcb = container_of(t, struct tcp_pcb, t_wait);

	tcp_output_mark(lc, pcb, TCP_OUT_DATA);
	settle(lc, pcb);
}

void
tcp_tmr_pace(struct lcore *lc, struct tcp_pcb *pcb)
{
	/* All was sent in the states that t_wait is for. */
	if (pcb->state != TCPS_FIN_WAIT_2 && pcb->state != TCPS_TIME_WAIT)
		tmr_set(lc, &pcb->t_wait, pcb->pace_ns, pace_expired);
}

void
tcp_tmr_fin_wait_2(struct lcore *lc, struct tcp_pcb *pcb)
{
	tmr_set(lc, &pcb->t_wait, lc->now_ns + lc->tcp->conf.fin_wait_ms * UINT64_C(1000000),
		wait_expired);
}

void
tcp_tmr_stop_all(struct lcore *lc, struct tcp_pcb *pcb)
{
	tmr_stop(lc, &pcb->t_rexmt);
	tmr_stop(lc, &pcb->t_delack);
	tmr_stop(lc, &pcb->t_wait);
}
