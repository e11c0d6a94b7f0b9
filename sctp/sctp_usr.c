/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * sctp_usr.c - what a program does to a one-to-one socket, apart from data and options (RFC 6458
 * s4). Calls change associations and mark them; packets leave in the same turn.
 */
#include <errno.h>
#include <string.h>

#include "sctp/sctp_int.h"
#include "stack/base/port.h"
#include "stack/include/tl_sock.h"
#include "stack/net/route.h"

enum { BACKLOG_MAX = 4096 };

static struct sctp_ep *
ep_of(const struct sock *s)
{
	return s->pcb;
}

static struct ip_addr
any_of(const struct sock *s)
{
	return s->domain == AF_INET6 ? (struct ip_addr){.q = {0, 0}} : ip_addr_v4(0);
}

static void
defaults(struct sctp_ep *ep, const struct sctp_conf *c)
{
	ep->max_retrans = c->assoc_max_retrans;
	ep->max_init_retrans = c->max_init_retrans;
	ep->rto_init_ms = c->rto_init_ms;
	ep->rto_min_ms = c->rto_min_ms;
	ep->rto_max_ms = c->rto_max_ms;
	ep->cookie_life_ms = c->cookie_life_ms;
	ep->hb_interval_ms = c->hb_interval_ms;
	ep->path_retrans = c->path_max_retrans;
	ep->sack_delay_ms = c->sack_delay_ms;
	ep->out_streams = c->out_streams;
	ep->in_streams = c->in_streams;
}

static struct sctp_ep *
ep_alloc(struct lcore *lc, struct sock *s)
{
	struct sctp_ep *ep;
	void *obj;

	if (rte_mempool_get(lc->sctp->eps, &obj) != 0)
		return NULL;
	ep = obj;
	memset(ep, 0, sizeof(*ep));
	TAILQ_INIT(&ep->ready);
	ep->s = s;
	ep->way.ep = ep;
	ep->way.fe.key.proto = IPPROTO_N_SCTP;
	ep->way.fe.key.local = any_of(s);
	defaults(ep, &lc->sctp->conf);
	lc->sctp->nb_eps++;
	s->pcb = ep;
	return ep;
}

static int
usr_open(struct lcore *lc, struct sock *s)
{
	s->rcvbuf_bytes = lc->sctp->conf.rcvbuf_bytes;
	s->sndbuf_bytes = lc->sctp->conf.sndbuf_bytes;
	return ep_alloc(lc, s) == NULL ? -ENOBUFS : 0;
}

static int
usr_bind(struct lcore *lc, struct sock *s, const struct sock_addr *a)
{
	return sctp_ep_bind(lc, ep_of(s), a, 1);
}

int
sctp_usr_bindx(struct lcore *lc, struct sock *s, const struct sock_addr *a, uint32_t n)
{
	if (n == 0 || n > SCTP_USR_ADDRS_MAX)
		return -EINVAL;
	return sctp_ep_bind(lc, ep_of(s), a, n);
}

static int
autobind(struct lcore *lc, struct sock *s)
{
	struct sock_addr any = {.addr = any_of(s)};

	return ep_of(s)->is_bound ? 0 : usr_bind(lc, s, &any);
}

static int
usr_listen(struct lcore *lc, struct sock *s, int backlog)
{
	struct sctp_ep *ep = ep_of(s);
	int rc;

	if (ep->a != NULL)
		return -EINVAL;
	rc = autobind(lc, s);
	if (rc == 0)
		rc = latch_listen(lc, &ep->way.latch, &ep->way.fe.key);
	if (rc != 0)
		return rc;
	ep->backlog = backlog < 1 ? 1 : RTE_MIN((uint32_t)backlog, (uint32_t)BACKLOG_MAX);
	ep->is_listening = true;
	return 0;
}

/* The child has what its listener has. */
static void
inherit(struct sctp_ep *to, const struct sctp_ep *from)
{
	struct sock *s = to->s;

	to->events = from->events;
	to->def = from->def;
	to->nodelay = from->nodelay;
	to->max_retrans = from->max_retrans;
	to->hb_interval_ms = from->hb_interval_ms;
	to->path_retrans = from->path_retrans;
	s->linger_s = from->s->linger_s;
	s->rcvbuf_bytes = from->s->rcvbuf_bytes;
	s->sndbuf_bytes = from->s->sndbuf_bytes;
}

static int
usr_accept(struct lcore *lc, struct sock *s, struct sock *child)
{
	struct sctp_ep *lsn = ep_of(s), *ep;
	struct sctp_assoc *a = TAILQ_FIRST(&lsn->ready);

	if (!lsn->is_listening)
		return -EINVAL;
	if (a == NULL)
		return -EAGAIN;
	ep = a->state == SCTPS_CLOSED ? NULL : ep_alloc(lc, child);
	if (ep == NULL && a->state != SCTPS_CLOSED)
		return -ENOBUFS;
	TAILQ_REMOVE(&lsn->ready, a, queue);
	lsn->nb_ready--;
	a->parent = NULL;
	if (ep == NULL) { /* F-32 */
		sctp_assoc_free(lc, a);
		return -ECONNABORTED;
	}
	ep->way.fe.key.lport = a->lport;
	ep->a = a;
	ep->was_open = true;
	inherit(ep, lsn);
	a->ep = ep;
	sctp_wake(lc, a);
	return 0;
}

/* ---- connect ---- */

static int
may_connect(const struct sctp_ep *ep)
{
	if (ep->is_listening)
		return -EOPNOTSUPP;
	if (ep->a == NULL)
		return 0;
	switch (ep->a->state) {
	case SCTPS_CLOSED:
		return 0;
	case SCTPS_COOKIE_WAIT:
	case SCTPS_COOKIE_ECHOED:
		return -EALREADY;
	default:
		return -EISCONN;
	}
}

/* There is no loopback, and an association has one peer. */
static int
check_peer(struct lcore *lc, const struct sock_addr *a, struct route *rt, uint32_t *realm)
{
	int rc;

	if (a->port == 0)
		return -EADDRNOTAVAIL;
	if (ip_addr_is_any(&a->addr) || ip_addr_is_mcast(&a->addr))
		return -ENETUNREACH;
	rc = route_find(lc, &a->addr, rt);
	if (rc != 0)
		return rc;
	if (ip_addr_is_any(&rt->src))
		return -EADDRNOTAVAIL;
	*realm = rt->port < lc->nb_ports ? lc->port[rt->port]->realm : 0;
	if (route_is_ours(lc, &a->addr, *realm) ||
		(ip_addr_is_v4(&a->addr) &&
			route_is_broadcast(lc, ip_addr_to_v4(&a->addr), *realm)))
		return -ENETUNREACH;
	return 0;
}

/* The address that speaks to the first of the peer: the route's, or one that was bound to. */
static struct ip_addr
first_local(const struct sctp_ep *ep, const struct route *rt, const struct ip_addr *to)
{
	for (uint32_t i = 0; i < ep->nb_addrs; i++) {
		if (ip_addr_eq(&ep->addr[i], &rt->src))
			return rt->src;
	}
	for (uint32_t i = 0; i < ep->nb_addrs; i++) {
		if (ip_addr_is_v4(&ep->addr[i]) == ip_addr_is_v4(to))
			return ep->addr[i];
	}
	return rt->src;
}

/* The paths: the first one must have a latch, the others may get one later. */
static int
open_paths(struct lcore *lc, struct sctp_assoc *a, const struct sock_addr *to, uint32_t n)
{
	int rc;

	for (uint32_t i = 0; i < n; i++) {
		struct sctp_path *p = sctp_path_find(a, &to[i].addr);

		if (p == NULL)
			p = sctp_path_add(lc, a, &to[i].addr);
		if (p == NULL && i == 0)
			return -ENOBUFS;
		if (p == NULL)
			continue;
		if (i == 0)
			a->primary = p;
		rc = sctp_path_open(lc, p, &a->ep->way.latch);
		if (rc != 0 && i == 0)
			return rc;
		if (rc == 0)
			sctp_path_check_peer(lc, p);
	}
	return 0;
}

static struct sctp_assoc *
assoc_active(struct lcore *lc, struct sctp_ep *ep, rte_be16_t rport, uint32_t realm)
{
	struct sctp_assoc *a = sctp_assoc_alloc(lc);

	if (a == NULL)
		return NULL;
	sctp_ep_settings(a, ep);
	a->ep = ep;
	a->lport = ep->way.fe.key.lport;
	a->rport = rport;
	a->realm = realm;
	a->own_vtag = sctp_rand_tag(lc);
	a->init_tsn = a->next_tsn = sctp_rand_tag(lc);
	a->cum_ack = a->init_tsn - 1;
	return a;
}

int
sctp_usr_connectx(struct lcore *lc, struct sock *s, const struct sock_addr *to, uint32_t n)
{
	struct sctp_ep *ep = ep_of(s);
	struct sctp_assoc *a;
	struct ip_addr first;
	struct route rt;
	uint32_t realm;
	int rc = may_connect(ep);

	if (rc != 0)
		return rc;
	if (n == 0 || n > SCTP_USR_ADDRS_MAX)
		return -EINVAL;
	rc = check_peer(lc, to, &rt, &realm);
	if (rc == 0)
		rc = autobind(lc, s);
	if (rc != 0)
		return rc;
	a = assoc_active(lc, ep, to->port, realm);
	if (a == NULL)
		return -ENOBUFS;
	first = first_local(ep, &rt, &to->addr);
	a->nb_local = sctp_ep_locals(lc, ep, &first, NULL, a->local);
	rc = open_paths(lc, a, to, n);
	if (rc != 0) {
		sctp_assoc_free(lc, a);
		return rc;
	}
	if (ep->a != NULL)
		sctp_assoc_free(lc, ep->a);
	ep->a = a;
	ep->was_open = true;
	s->so_error = 0;
	lc_count(lc, ST_SCTP_ACTIVE);
	sctp_init_start(lc, a);
	return -EINPROGRESS;
}

static int
usr_connect(struct lcore *lc, struct sock *s, const struct sock_addr *a)
{
	return sctp_usr_connectx(lc, s, a, 1);
}

/* ---- the end ---- */

static int
usr_shutdown(struct lcore *lc, struct sock *s, int how)
{
	struct sctp_assoc *a = ep_of(s)->a;

	if (how != SHUT_RD && how != SHUT_WR && how != SHUT_RDWR)
		return -EINVAL;
	if (a == NULL || a->state < SCTPS_ESTABLISHED)
		return -ENOTCONN;
	if (how != SHUT_WR)
		a->rd_shut = true;
	if (how != SHUT_RD && !a->wr_shut) {
		a->wr_shut = true;
		sctp_shutdown_start(lc, a);
	}
	sctp_wake(lc, a);
	return 0;
}

/* RFC 6458 s4.1.8: graceful, unless the program wants it otherwise or what it did not read shows
 * that it does not care. */
static void
give_up(struct lcore *lc, struct sctp_assoc *a, int linger_s)
{
	bool unread = a->rcv_msgs > 0 || !TAILQ_EMPTY(&a->held);

	a->ep = NULL;
	if (a->state == SCTPS_CLOSED) {
		sctp_assoc_free(lc, a);
		return;
	}
	a->rd_shut = true;
	if (a->state <= SCTPS_COOKIE_ECHOED || linger_s == 0 || unread) {
		sctp_abort(lc, a, SCTP_C_USER, NULL, 0);
		return;
	}
	a->wr_shut = true;
	buf_clear(lc, &a->rcv);
	a->rcv_bytes = 0;
	a->has_left = false;
	sctp_shutdown_start(lc, a);
}

static void
usr_close(struct lcore *lc, struct sock *s)
{
	struct sctp_ep *ep = ep_of(s);

	if (ep == NULL)
		return;
	s->pcb = NULL;
	if (ep->a != NULL)
		give_up(lc, ep->a, s->linger_s);
	sctp_ep_free(lc, ep);
}

/* ---- questions ---- */

static int
usr_local(struct lcore *lc, struct sock *s, struct sock_addr *a)
{
	const struct sctp_ep *ep = ep_of(s);

	(void)lc;
	*a = (struct sock_addr){.addr = ep->way.fe.key.local, .port = ep->way.fe.key.lport};
	if (ep->a != NULL && ep->a->primary != NULL)
		a->addr = ep->a->primary->way.fe.key.local;
	return 0;
}

static int
usr_remote(struct lcore *lc, struct sock *s, struct sock_addr *a)
{
	const struct sctp_assoc *assoc = ep_of(s)->a;

	(void)lc;
	if (assoc == NULL || assoc->state == SCTPS_CLOSED || assoc->primary == NULL)
		return -ENOTCONN;
	*a = (struct sock_addr){.addr = assoc->primary->way.fe.key.remote, .port = assoc->rport};
	return 0;
}

int
sctp_usr_addrs(
	struct lcore *lc, const struct sock *s, bool remote, struct sock_addr *out, uint32_t max)
{
	const struct sctp_assoc *a = ep_of(s)->a;
	const struct sctp_path *p;
	uint32_t n = 0;

	(void)lc;
	if (a == NULL || a->state == SCTPS_CLOSED)
		return -ENOTCONN;
	for (uint32_t i = 0; !remote && i < a->nb_local; i++, n++) {
		if (n < max)
			out[n] = (struct sock_addr){.addr = a->local[i], .port = a->lport};
	}
	TAILQ_FOREACH (p, &a->paths, entry) {
		if (!remote)
			break;
		if (n < max)
			out[n] = (struct sock_addr){.addr = p->way.fe.key.remote, .port = a->rport};
		n++;
	}
	return (int)n;
}

static struct latch *
usr_latch(struct sock *s)
{
	struct sctp_ep *ep = ep_of(s);

	return ep->a != NULL && ep->a->primary != NULL ? &ep->a->primary->way.latch
						       : &ep->way.latch;
}

static uint32_t
ready_assoc(const struct sock *s, const struct sctp_assoc *a)
{
	uint32_t ev = 0;

	if (a->state == SCTPS_CLOSED)
		return TL_EV_IN | TL_EV_OUT | TL_EV_HUP | TL_EV_RDHUP |
		       (a->err != 0 ? TL_EV_ERR : 0);
	if (a->rcv_msgs > 0 || (a->in_partial && buf_len(&a->rcv) > 0) || a->rd_shut)
		ev |= TL_EV_IN;
	if (a->eof)
		ev |= TL_EV_IN | TL_EV_RDHUP;
	if (a->state < SCTPS_ESTABLISHED)
		return ev;
	if (a->wr_shut || buf_len(&a->snd) <= s->sndbuf_bytes - s->sndbuf_bytes / 3)
		ev |= TL_EV_OUT;
	return ev;
}

static uint32_t
usr_ready(struct lcore *lc, struct sock *s)
{
	const struct sctp_ep *ep = ep_of(s);
	uint32_t ev = s->so_error != 0 ? TL_EV_ERR | TL_EV_IN | TL_EV_OUT : 0;

	(void)lc;
	if (latch_has_event(usr_latch(s)))
		ev |= TL_EV_LATCH;
	if (ep->is_listening)
		return ep->nb_ready > 0 ? ev | TL_EV_IN : ev;
	return ep->a == NULL ? ev | TL_EV_HUP : ev | ready_assoc(s, ep->a);
}

const struct sock_ops sctp_sock_ops = {
	.open = usr_open,
	.bind = usr_bind,
	.listen = usr_listen,
	.accept = usr_accept,
	.connect = usr_connect,
	.send = sctp_usr_send,
	.recv = sctp_usr_recv,
	.shutdown = usr_shutdown,
	.close = usr_close,
	.setopt = sctp_opt_set,
	.getopt = sctp_opt_get,
	.local = usr_local,
	.remote = usr_remote,
	.latch = usr_latch,
	.ready = usr_ready,
};
