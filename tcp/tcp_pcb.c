/* SPDX-License-Identifier: BSD-3-Clause */
/* tcp_pcb.c - life of a control block: pool, end, and what must hold in each state. */
#include "tcp/tcp_pcb.h"

#include <string.h>

#include "stack/base/assert.h"
#include "tcp/tcp_int.h"

enum { CHECK_WALK = 64 };

static void
pcb_init(struct tcp_pcb *pcb)
{
	memset(pcb, 0, sizeof(*pcb));
	tcp_sent_init(&pcb->sent);
	pcb->fe.latch = &pcb->latch;
	pcb->rto_us = TCP_RTO_INIT_US;
	pcb->mss = TCP_MSS_DEFAULT_V4;
	pcb->peer_mss = TCP_MSS_DEFAULT_V4;
	pcb->rcv_mss = TCP_MSS_MIN;
}

void
tcp_pcb_lend(struct lcore *lc, struct tcp_pcb *pcb)
{
	tl_assert(pcb->state == TCPS_TIME_WAIT && tcp_is_orphan(pcb) && !pcb->on_lent);
	pcb->on_lent = true;
	TAILQ_INSERT_TAIL(&lc->tcp->lent, pcb, lent);
}

static void
unlend(struct lcore *lc, struct tcp_pcb *pcb)
{
	if (!pcb->on_lent)
		return;
	pcb->on_lent = false;
	TAILQ_REMOVE(&lc->tcp->lent, pcb, lent);
}

/*
 * DEVIATION: RFC 9293 s3.6.1 wants 2 MSL of TIME-WAIT. A host that is out of control blocks would
 * refuse new connections for that long, so the oldest one ends early.
 */
static bool
end_oldest_time_wait(struct lcore *lc)
{
	struct tcp_pcb *pcb;

	TAILQ_FOREACH (pcb, &lc->tcp->lent, lent) {
		/* One whose 5-tuple is out is being replaced just now. */
		if (pcb->fe.linked)
			break;
	}
	if (pcb == NULL)
		return false;
	lc_count(lc, ST_TCP_TW_REUSE);
	tcp_pcb_end(lc, pcb, 0);
	tcp_pcb_free(lc, pcb);
	return true;
}

struct tcp_pcb *
tcp_pcb_alloc(struct lcore *lc)
{
	struct tcp_pcb *pcb;
	void *obj;

	if (rte_mempool_get(lc->tcp->pcbs, &obj) != 0 &&
		(!end_oldest_time_wait(lc) || rte_mempool_get(lc->tcp->pcbs, &obj) != 0))
		return NULL;
	pcb = obj;
	pcb_init(pcb);
	TAILQ_INSERT_TAIL(&lc->tcp->all, pcb, all);
	return pcb;
}

void
tcp_pcb_free(struct lcore *lc, struct tcp_pcb *pcb)
{
	tl_assert(pcb->state == TCPS_CLOSED && pcb->parent == NULL && !pcb->on_out);
	if (pcb->is_bound)
		LIST_REMOVE(pcb, bound);
	if (pcb->on_reap)
		TAILQ_REMOVE(&lc->tcp->reap, pcb, queue);
	TAILQ_REMOVE(&lc->tcp->all, pcb, all);
	buf_clear(lc, &pcb->snd);
	buf_clear(lc, &pcb->rcv);
	latch_fini(&pcb->latch);
	rte_mempool_put(lc->tcp->pcbs, pcb);
}

void
tcp_pcb_renew(struct lcore *lc, struct tcp_pcb *pcb)
{
	struct tcp_pcb keep = *pcb;

	tl_assert(pcb->state == TCPS_CLOSED && !pcb->on_out && !pcb->on_reap);
	buf_clear(lc, &pcb->snd);
	buf_clear(lc, &pcb->rcv);
	if (keep.is_bound)
		LIST_REMOVE(pcb, bound);
	TAILQ_REMOVE(&lc->tcp->all, pcb, all);
	pcb_init(pcb);
	TAILQ_INSERT_TAIL(&lc->tcp->all, pcb, all);
	pcb->s = keep.s;
	latch_renew(&keep.latch);
	pcb->latch = keep.latch;
	pcb->nodelay = keep.nodelay;
	pcb->corked = keep.corked;
	pcb->quickack = keep.quickack;
	pcb->cc.ops = keep.cc.ops;
	pcb->user_mss = keep.user_mss;
	pcb->fe.key = keep.fe.key;
	pcb->is_bound = keep.is_bound;
	if (pcb->is_bound)
		LIST_INSERT_HEAD(
			&lc->tcp->bound[rte_be_to_cpu_16(keep.fe.key.lport) % TCP_BOUND_BUCKETS],
			pcb, bound);
}

/* Nobody will read what an error or the application ended (RFC 9293 s3.10.7.4, second). */
static void
flush(struct lcore *lc, struct tcp_pcb *pcb, bool unreadable)
{
	tcp_output_unmark(lc, pcb);
	unlend(lc, pcb);
	tcp_tmr_fed(lc, pcb);
	tcp_tmr_stop_all(lc, pcb);
	tcp_mtu_free(lc, pcb);
	tcp_rcv_purge(lc, pcb);
	tcp_sent_clear(lc, pcb);
	buf_clear(lc, &pcb->snd);
	if (unreadable && pcb->rcv_lent == 0)
		buf_clear(lc, &pcb->rcv);
}

void
tcp_pcb_end(struct lcore *lc, struct tcp_pcb *pcb, int err)
{
	uint8_t was = pcb->state;

	if (was == TCPS_CLOSED || was == TCPS_LISTEN)
		return;
	if (unlikely(pcb->tfo_unproved))
		tcp_tfo_proved(lc, pcb);
	flow_remove(lc, &pcb->fe);
	latch_release(lc, &pcb->latch);
	flush(lc, pcb, err != 0 || pcb->s == NULL);
	pcb->reset = err != 0;
	tcp_set_state(lc, pcb, TCPS_CLOSED);
	if (pcb->parent != NULL && was == TCPS_SYN_RCVD)
		tcp_syn_forget(pcb);
	if (pcb->parent != NULL) {
		/* F-32: it stays in the accept queue, and accept() will say ECONNABORTED. */
		tcp_wake(lc, pcb->parent);
		return;
	}
	if (pcb->s == NULL) {
		pcb->on_reap = true;
		TAILQ_INSERT_TAIL(&lc->tcp->reap, pcb, queue);
		return;
	}
	if (err != 0)
		pcb->s->so_error = err;
	tcp_wake(lc, pcb);
}

void
tcp_reap(struct lcore *lc)
{
	struct tcp_pcb *pcb;

	while ((pcb = TAILQ_FIRST(&lc->tcp->reap)) != NULL)
		tcp_pcb_free(lc, pcb);
}

static uint32_t
ip_hlen(const struct tcp_pcb *pcb)
{
	return ip_addr_is_v4(&pcb->fe.key.remote) ? 20 : 40;
}

/* Bytes of TCP header and payload that fit one packet of mtu under the latch. */
static uint32_t
l4_room(const struct tcp_pcb *pcb, uint32_t mtu)
{
	return latch_l4_room(&pcb->latch, mtu, ip_hlen(pcb));
}

uint32_t
tcp_pcb_mtu_floor(const struct tcp_pcb *pcb)
{
	return 40u + TCP_HLEN_MIN + TCP_OPT_TS_LEN + TCP_MSS_MIN + pcb->latch.overhead_bytes;
}

uint16_t
tcp_pcb_mss_at(const struct tcp_pcb *pcb, uint32_t mtu_bytes)
{
	/* RFC 9293 s3.7.1, MUST-16: min(SendMSS + 20, MMS_S) - TCPhdrsize. */
	uint32_t hdr = TCP_HLEN_MIN;
	uint32_t room = RTE_MIN(l4_room(pcb, mtu_bytes), pcb->peer_mss + (uint32_t)TCP_HLEN_MIN);
	uint32_t mss;

	if (pcb->opt_ts)
		hdr += TCP_OPT_TS_LEN;
	mss = room > hdr ? room - hdr : 0;
	mss = RTE_MAX(mss, (uint32_t)TCP_MSS_MIN);
	if (pcb->user_mss != 0)
		mss = RTE_MIN(mss, pcb->user_mss);
	return (uint16_t)RTE_MIN(mss, (uint32_t)UINT16_MAX);
}

void
tcp_pcb_update_mss(struct tcp_pcb *pcb)
{
	pcb->mss = tcp_pcb_mss_at(pcb, pcb->pmtu);
}

uint16_t
tcp_pcb_own_mss(const struct tcp_pcb *pcb)
{
	uint32_t room = l4_room(pcb, pcb->pmtu);
	uint32_t mss = room > TCP_HLEN_MIN ? room - (uint32_t)TCP_HLEN_MIN : 0u;

	mss = RTE_MAX(mss, (uint32_t)TCP_MSS_MIN);
	if (pcb->user_mss != 0)
		mss = RTE_MIN(mss, pcb->user_mss);
	return (uint16_t)RTE_MIN(mss, (uint32_t)UINT16_MAX);
}

static void
check_closed(const struct tcp_pcb *pcb)
{
	tl_assert(!pcb->fe.linked);
	tl_assert(!pcb->on_out && !pcb->on_lent && !pcb->on_starved);
	tl_assert(!tmr_is_set(&pcb->t_rexmt) && !tmr_is_set(&pcb->t_delack));
	tl_assert(!tmr_is_set(&pcb->t_wait));
	tl_assert(pcb->ooo == NULL);
	tl_assert(buf_len(&pcb->snd) == 0);
	tl_assert(pcb->sent.n == 0);
}

/* RFC 6675 s3: the scoreboard is of what is out. */
static void
check_sent(const struct tcp_pcb *pcb)
{
	/* The walk is for flights of tests; what is larger is checked by its sums alone. */
	tl_assert(pcb->sent.n > CHECK_WALK || tcp_sent_ok(pcb));
	tl_assert(pcb->sent.sacked_bytes + pcb->sent.lost_bytes <= pcb->snd_nxt - pcb->snd_una ||
		  !pcb->opt_sack);
	tl_assert(pcb->sent.lost_bytes <= pcb->snd_nxt - pcb->snd_una);
	/* At most one octet of a probe lies beyond. */
	tl_assert(pcb->snd_max - pcb->snd_nxt <= 1);
	tl_assert(pcb->ca != TCPR_OPEN || pcb->sent.sacked_bytes == 0);
}

static void
check_send(const struct tcp_pcb *pcb)
{
	tl_assert(seq_leq(pcb->snd_una, pcb->snd_nxt));
	tl_assert(seq_leq(pcb->snd_nxt, pcb->snd_max));
	tl_assert(pcb->snd_wnd <= pcb->max_wnd);
	tl_assert(pcb->mss > 0 && pcb->rto_us > 0);
	if (tcp_is_synced(pcb)) {
		tl_assert(seq_leq(pcb->snd_max, tcp_snd_end(pcb)));
		tl_assert(pcb->cc.cwnd_bytes >= TCP_MSS_MIN);
		check_sent(pcb);
		/* What is in flight is watched by a timer. */
		if (pcb->state != TCPS_TIME_WAIT && tcp_flight(pcb) > 0)
			tl_assert(tmr_is_set(&pcb->t_rexmt));
	}
}

static void
check_receive(const struct lcore *lc, const struct tcp_pcb *pcb)
{
	tl_assert(seq_leq(pcb->rcv_nxt, pcb->rcv_adv));
	tl_assert(seq_leq(pcb->last_ack_sent, pcb->rcv_nxt));
	tl_assert(pcb->ooo_n <= TCP_OOO_MAX && lc->tcp->ooo_n <= lc->tcp->ooo_max);
	tl_assert(tcp_rcv_ooo_ok(pcb));
	tl_assert(!pcb->rcv_fin || pcb->ooo == NULL);
}

static void
check_fins(const struct tcp_pcb *pcb)
{
	switch (pcb->state) {
	case TCPS_ESTABLISHED:
		tl_assert(!pcb->fin_queued && !pcb->rcv_fin);
		break;
	case TCPS_FIN_WAIT_1:
		tl_assert(pcb->fin_queued && !pcb->rcv_fin && !tcp_fin_acked(pcb));
		break;
	case TCPS_FIN_WAIT_2:
		tl_assert(!pcb->rcv_fin && tcp_fin_acked(pcb));
		tl_assert(!tmr_is_set(&pcb->t_rexmt));
		break;
	case TCPS_CLOSE_WAIT:
		tl_assert(!pcb->fin_queued && pcb->rcv_fin);
		break;
	case TCPS_CLOSING:
	case TCPS_LAST_ACK:
		tl_assert(pcb->fin_queued && pcb->rcv_fin && !tcp_fin_acked(pcb));
		break;
	case TCPS_TIME_WAIT:
		tl_assert(pcb->rcv_fin && tcp_fin_acked(pcb));
		tl_assert(tmr_is_set(&pcb->t_wait) && !tmr_is_set(&pcb->t_rexmt));
		break;
	default:
		break;
	}
}

void
tcp_pcb_check(const struct lcore *lc, const struct tcp_pcb *pcb)
{
	if (pcb->state == TCPS_CLOSED) {
		check_closed(pcb);
		return;
	}
	if (pcb->state == TCPS_LISTEN) {
		check_closed(pcb);
		tl_assert(pcb->is_bound);
		return;
	}
	tl_assert(pcb->fe.linked && pcb->fe.latch == &pcb->latch);
	tl_assert(pcb->on_out == (pcb->out_flags != 0));
	check_send(pcb);
	if (pcb->state != TCPS_SYN_SENT)
		check_receive(lc, pcb);
	check_fins(pcb);
}
