/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * tcp_syn.c - listeners: who listens where, the half-open children, the accept queue.
 *
 * A SYN becomes a child with its own latch before anything is answered (RFC 5660 s2.4, T-2); the
 * listener itself never changes state. Both queues are bounded.
 */
#include <errno.h>

#include "stack/base/rand.h"
#include "stack/net/route.h"
#include "tcp/tcp_int.h"

enum { BACKLOG_MAX = 4096, HALF_MIN = 64, HALF_LOOK = 64 };

/* How well a listener's local end fits k, in the order of enum fit. */
enum fit { FIT_NONE = 0, FIT_MAPPED, FIT_WILDCARD, FIT_ADDRESS };

static enum fit
fit_of(const struct tcp_pcb *pcb, const struct flow_key *k)
{
	const struct ip_addr *own = &pcb->fe.key.local;

	if (pcb->state != TCPS_LISTEN || pcb->fe.key.lport != k->lport)
		return FIT_NONE;
	if (ip_addr_eq(own, &k->local))
		return FIT_ADDRESS;
	if (!tcp_local_covers(own, pcb->s->v6only, &k->local))
		return FIT_NONE;
	/* RFC 3493 s5.3; the wildcard of the packet's own family comes first. */
	return ip_addr_is_v4(own) == ip_addr_is_v4(&k->local) ? FIT_WILDCARD : FIT_MAPPED;
}

/* Listeners that fit k equally well (SO_REUSEPORT), in the order of the list. */
struct group {
	struct tcp_pcb *first;
	uint32_t n;
	enum fit fit;
	bool one_wish; /* what they ask of a latch is the same */
};

static void
group_find(const struct lcore *lc, const struct flow_key *k, struct group *g)
{
	struct tcp_pcb *pcb;

	*g = (struct group){.fit = FIT_NONE};
	LIST_FOREACH (pcb, &lc->tcp->bound[rte_be_to_cpu_16(k->lport) % TCP_BOUND_BUCKETS], bound) {
		enum fit fit = fit_of(pcb, k);

		if (fit == FIT_NONE || fit < g->fit)
			continue;
		if (fit > g->fit)
			*g = (struct group){.first = pcb, .fit = fit, .one_wish = true};
		g->n++;
		g->one_wish = g->one_wish && pcb->latch.wish == g->first->latch.wish;
	}
}

/* The nth of those that would take a connection under the protection of m. NULL: fewer do. */
static struct tcp_pcb *
group_nth(struct lcore *lc, const struct group *g, const struct flow_key *k,
	const struct rte_mbuf *m, uint32_t nth)
{
	for (struct tcp_pcb *pcb = g->first; pcb != NULL; pcb = LIST_NEXT(pcb, bound)) {
		if (fit_of(pcb, k) != g->fit)
			continue;
		if (m != NULL && latch_spawn_check(lc, &pcb->latch, k, m) != DROP_NONE)
			continue;
		if (nth-- == 0)
			return pcb;
	}
	return NULL;
}

/*
 * One of several listeners, the same for every packet of a flow. Where they ask for different
 * protection, only those whose request the packet meets take part: nobody gets a connection that
 * it did not ask for, and one that somebody wants is not lost by the choice.
 */
static struct tcp_pcb *
group_pick(
	struct lcore *lc, const struct group *g, const struct flow_key *k, const struct rte_mbuf *m)
{
	uint32_t hash = flow_hash(lc->flow, k), willing = 0;

	if (g->one_wish)
		return group_nth(lc, g, k, NULL, hash % g->n);
	while (group_nth(lc, g, k, m, willing) != NULL)
		willing++;
	/* Nobody: any of them, which will say why not. */
	return willing == 0 ? g->first : group_nth(lc, g, k, m, hash % willing);
}

struct tcp_pcb *
tcp_listener_find(struct lcore *lc, const struct flow_key *k, const struct rte_mbuf *m)
{
	struct group g;

	group_find(lc, k, &g);
	return g.n <= 1 ? g.first : group_pick(lc, &g, k, m);
}

void
tcp_listen_start(struct lcore *lc, struct tcp_pcb *pcb, uint32_t backlog)
{
	pcb->backlog = RTE_MIN(RTE_MAX(backlog, 1u), (uint32_t)BACKLOG_MAX);
	if (pcb->state != TCPS_CLOSED)
		return;
	TAILQ_INIT(&pcb->half);
	TAILQ_INIT(&pcb->ready);
	pcb->half_n = pcb->ready_n = 0;
	tcp_set_state(lc, pcb, TCPS_LISTEN);
}

void
tcp_listen_end(struct lcore *lc, struct tcp_pcb *pcb)
{
	struct tcp_pcb *child;

	tcp_set_state(lc, pcb, TCPS_CLOSED);
	latch_release(lc, &pcb->latch);
	while ((child = TAILQ_FIRST(&pcb->half)) != NULL ||
		(child = TAILQ_FIRST(&pcb->ready)) != NULL) {
		tcp_syn_forget(child);
		if (child->state == TCPS_CLOSED)
			tcp_pcb_free(lc, child);
		else
			tcp_usr_abort(lc, child, 0);
	}
}

/* RFC 7323 s2.3: the smallest shift that can express the whole buffer. */
uint8_t
tcp_wscale_of(uint32_t bytes)
{
	uint8_t s = 0;

	while (s < TCP_WSCALE_MAX && bytes >> s > UINT16_MAX)
		s++;
	return s;
}

/*
 * RFC 4301 s8.2: the outer packets of a tunnel take the path to the other gateway, which may be
 * narrower than the path that the route to the peer promises.
 */
static uint16_t
path_mtu(const struct lcore *lc, const struct latch *l, uint16_t mtu_bytes)
{
	struct route outer;

	if (l->state != TL_LATCH_ESTABLISHED || l->mode != TL_LATCH_MODE_TUNNEL)
		return mtu_bytes;
	if (route_find(lc, &l->tun_remote, &outer) != 0)
		return mtu_bytes;
	return outer.mtu_bytes < mtu_bytes ? outer.mtu_bytes : mtu_bytes;
}

void
tcp_path_refresh(struct lcore *lc, struct tcp_pcb *pcb)
{
	struct route rt;

	if (route_find(lc, &pcb->fe.key.remote, &rt) == 0)
		tcp_mtu_narrow(lc, pcb, path_mtu(lc, &pcb->latch, rt.mtu_bytes));
}

void
tcp_syn_prepare(struct lcore *lc, struct tcp_pcb *pcb, const struct sock *s, uint16_t mtu_bytes)
{
	buf_init(&pcb->snd, s->sndbuf_bytes);
	buf_init(&pcb->rcv, s->rcvbuf_bytes);
	pcb->snd.modest = pcb->rcv.modest = true;
	pcb->rcv_wscale = tcp_wscale_of(tcp_tune_rcv_max(lc, s));
	pcb->opt_ws = !lc->tcp->conf.no_wscale;
	if (!pcb->opt_ws)
		pcb->rcv_wscale = 0;
	pcb->opt_ts = !lc->tcp->conf.no_timestamps;
	pcb->opt_sack = !lc->tcp->conf.no_sack;
	pcb->rto_us = lc->tcp->conf.rto_init_us;
	pcb->ts_offset = tcp_ts_offset(lc, &pcb->fe.key);
	pcb->rexmt_ts = tcp_now_ms(lc) + pcb->ts_offset;
	pcb->pmtu = path_mtu(lc, &pcb->latch, mtu_bytes);
	pcb->iss = tcp_isn(lc, &pcb->fe.key);
	pcb->snd_una = pcb->snd_nxt = pcb->snd_max = pcb->iss;
	tcp_pcb_update_mss(pcb);
}

void
tcp_syn_options(struct lcore *lc, struct tcp_pcb *pcb, const struct tcp_seg *seg)
{
	/* RFC 9293 s3.7.1, MUST-15 */
	pcb->peer_mss =
		ip_addr_is_v4(&pcb->fe.key.remote) ? TCP_MSS_DEFAULT_V4 : TCP_MSS_DEFAULT_V6;
	if ((seg->opts & TCP_O_MSS) != 0)
		pcb->peer_mss = seg->mss;
	/* RFC 7323 s1.3: an option is in force if both SYNs carry it. */
	pcb->opt_ws = pcb->opt_ws && (seg->opts & TCP_O_WS) != 0;
	pcb->snd_wscale = pcb->opt_ws ? seg->wscale : 0;
	if (!pcb->opt_ws)
		pcb->rcv_wscale = 0;
	pcb->opt_ts = pcb->opt_ts && (seg->opts & TCP_O_TS) != 0;
	/* RFC 2018 s2: a peer that did not permit it gets none. */
	pcb->opt_sack = pcb->opt_sack && (seg->opts & TCP_O_SACK_PERM) != 0;
	tcp_ecn_options(lc, pcb, seg);
	if (pcb->opt_ts) {
		pcb->ts_recent = seg->ts_val;
		pcb->ts_recent_ns = lc->now_ns;
	}
	tcp_pcb_update_mss(pcb);
}

/* The latch and the flow entry of a child. Returns DROP_NONE, or why the SYN is dropped. */
static enum drop_reason
child_own_flow(
	struct lcore *lc, struct tcp_pcb *lsn, struct tcp_pcb *pcb, const struct tcp_seg *seg)
{
	enum drop_reason why;

	pcb->fe.key = pkt_meta(seg->m)->key;
	why = latch_spawn(lc, &pcb->latch, &lsn->latch, &pcb->fe.key, seg->m);
	if (why != DROP_NONE)
		return why;
	if (flow_insert(lc, &pcb->fe) == 0)
		return DROP_NONE;
	latch_release(lc, &pcb->latch);
	return DROP_TCP_SYN;
}

static void
child_start(struct lcore *lc, struct tcp_pcb *lsn, struct tcp_pcb *pcb, const struct tcp_seg *seg)
{
	pcb->nodelay = lsn->nodelay;
	pcb->corked = lsn->corked;
	pcb->quickack = lsn->quickack;
	pcb->cc.ops = lsn->cc.ops;
	pcb->parent = lsn;
	TAILQ_INSERT_TAIL(&lsn->half, pcb, queue);
	lsn->half_n++;
	tcp_set_state(lc, pcb, TCPS_SYN_RCVD);
	tcp_rcv_start(pcb, seg);
	tcp_syn_options(lc, pcb, seg);
	pcb->snd_wnd = pcb->max_wnd = seg->wnd;
	pcb->snd_wl1 = seg->seq;
	lc_count(lc, ST_TCP_PASSIVE);
	tcp_output_mark(lc, pcb, TCP_OUT_DATA);
}

/* More half-open connections than a listener that keeps up ever has. */
static bool
is_flooded(const struct tcp_pcb *lsn)
{
	return lsn->half_n >= RTE_MAX(2 * lsn->backlog, (uint32_t)HALF_MIN);
}

/* Another child would push one out. */
static bool
is_pressed(const struct lcore *lc, const struct tcp_pcb *lsn)
{
	return is_flooded(lsn) ||
	       (lsn->half_n > 0 && rte_mempool_empty(lc->tcp->pcbs) && TAILQ_EMPTY(&lc->tcp->lent));
}

/*
 * RFC 4987 s3.4: a flood of SYNs must not shut the listener, and the flooder must not know whom
 * it pushes out. One of the oldest goes, so that the search is short; its peer hears nothing.
 */
static void
half_evict(struct lcore *lc, struct tcp_pcb *lsn)
{
	uint32_t skip = rand_below(lc->rand, RTE_MIN(lsn->half_n, (uint32_t)HALF_LOOK));
	struct tcp_pcb *child = TAILQ_FIRST(&lsn->half);

	while (skip-- > 0)
		child = TAILQ_NEXT(child, queue);
	lc_count(lc, ST_TCP_SYN_EVICT);
	tcp_pcb_end(lc, child, 0);
}

/* A control block for a child; where the pool is empty, in the place of another child. */
static struct tcp_pcb *
child_alloc(struct lcore *lc, struct tcp_pcb *lsn)
{
	struct tcp_pcb *pcb = tcp_pcb_alloc(lc);

	if (pcb != NULL || lsn->half_n == 0)
		return pcb;
	half_evict(lc, lsn);
	tcp_reap(lc);
	return tcp_pcb_alloc(lc);
}

void
tcp_syn_iss_above(struct lcore *lc, struct tcp_pcb *pcb, uint32_t used)
{
	if (seq_gt(pcb->iss, used))
		return;
	pcb->iss = used + (1u << 16) + (rand_u32(lc->rand) & 0xffff);
	pcb->snd_una = pcb->snd_nxt = pcb->snd_max = pcb->iss;
}

struct tcp_pcb *
tcp_syn_child(struct lcore *lc, struct tcp_pcb *lsn, struct tcp_seg *seg, const uint32_t *iss_min)
{
	struct tcp_pcb *pcb;
	struct route rt;

	seg->why = DROP_ROUTE_NONE;
	if (route_find(lc, &pkt_meta(seg->m)->key.remote, &rt) != 0)
		return NULL;
	seg->why = DROP_TCP_MEM;
	pcb = child_alloc(lc, lsn);
	if (pcb == NULL)
		return NULL;
	seg->why = child_own_flow(lc, lsn, pcb, seg);
	if (seg->why != DROP_NONE) {
		tcp_pcb_free(lc, pcb);
		return NULL;
	}
	seg->why = DROP_TCP_DONE;
	if (is_flooded(lsn))
		half_evict(lc, lsn);
	pcb->user_mss = lsn->user_mss;
	tcp_syn_prepare(lc, pcb, lsn->s, rt.mtu_bytes);
	if (iss_min != NULL)
		tcp_syn_iss_above(lc, pcb, *iss_min);
	child_start(lc, lsn, pcb, seg);
	tcp_tfo_syn(lc, lsn, pcb, seg);
	return pcb;
}

void
tcp_syn_in(struct lcore *lc, struct tcp_pcb *lsn, struct tcp_seg *seg, const uint32_t *iss_min)
{
	struct route rt;

	if (lsn->ready_n >= lsn->backlog) {
		seg->why = DROP_TCP_BACKLOG;
		return;
	}
	if (!is_pressed(lc, lsn) || lc->tcp->conf.no_cookies || iss_min != NULL) {
		tcp_syn_child(lc, lsn, seg, iss_min);
		return;
	}
	seg->why = DROP_ROUTE_NONE;
	if (route_find(lc, &pkt_meta(seg->m)->key.remote, &rt) == 0)
		tcp_cookie_send(lc, lsn, seg, rt.mtu_bytes);
}

bool
tcp_syn_room(const struct tcp_pcb *child)
{
	return child->parent == NULL || child->parent->ready_n < child->parent->backlog;
}

/*
 * TCP_DEFER_ACCEPT as in Linux: a peer that only says that it is there stays half-open. It is asked
 * again when its time is over, and then its ACK is good enough.
 */
bool
tcp_syn_defer(struct lcore *lc, struct tcp_pcb *child, const struct tcp_seg *seg)
{
	const struct tcp_more *m = child->parent == NULL ? NULL : child->parent->s->more;

	if (m == NULL || m->defer_s == 0 || seg->len > 0 || (seg->flags & TCP_F_FIN) != 0)
		return false;
	if (child->deferred)
		return child->rexmt_cnt == 0;
	/* The ACK is measured now, or the wait would be taken for the round trip. */
	if (!child->syn_again)
		tcp_rtt_sample(lc, child, (uint32_t)((lc->now_ns - child->last_send_ns) / 1000));
	child->deferred = true;
	child->rexmt_cnt = 0;
	tcp_tmr_at(lc, child, TCP_T_RTO, lc->now_ns + m->defer_s * UINT64_C(1000000000));
	lc_count(lc, ST_TCP_DEFERRED);
	return true;
}

void
tcp_syn_done(struct lcore *lc, struct tcp_pcb *child)
{
	struct tcp_pcb *lsn = child->parent;

	if (lsn == NULL)
		return;
	TAILQ_REMOVE(&lsn->half, child, queue);
	lsn->half_n--;
	TAILQ_INSERT_TAIL(&lsn->ready, child, queue);
	lsn->ready_n++;
	child->in_ready = true;
	tcp_wake(lc, lsn);
}

void
tcp_syn_forget(struct tcp_pcb *child)
{
	struct tcp_pcb *lsn = child->parent;

	if (child->in_ready) {
		TAILQ_REMOVE(&lsn->ready, child, queue);
		lsn->ready_n--;
	} else {
		TAILQ_REMOVE(&lsn->half, child, queue);
		lsn->half_n--;
	}
	child->in_ready = false;
	child->parent = NULL;
}

struct tcp_pcb *
tcp_syn_accept(struct tcp_pcb *lsn)
{
	struct tcp_pcb *child = TAILQ_FIRST(&lsn->ready);

	if (child != NULL)
		tcp_syn_forget(child);
	return child;
}
