/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * sctp_ep.c - endpoints: which local addresses and port a socket has, who listens where.
 */
#include <errno.h>

#include "sctp/sctp_int.h"
#include "stack/base/port.h"
#include "stack/base/rand.h"
#include "stack/net/route.h"

static struct sctp_ep_list *
bound_list(struct lcore *lc, rte_be16_t port)
{
	return &lc->sctp->bound[rte_be_to_cpu_16(port) % SCTP_BOUND_BUCKETS];
}

/* Whether the wildcard of a socket covers this address (RFC 3493 s5.3). */
static bool
any_covers(const struct sctp_ep *ep, const struct ip_addr *a)
{
	if (ip_addr_is_v4(a))
		return ep->s->domain == AF_INET || !ep->s->v6only;
	return ep->s->domain == AF_INET6;
}

static bool
has_addr(const struct sctp_ep *ep, const struct ip_addr *a)
{
	for (uint32_t i = 0; i < ep->nb_addrs; i++) {
		if (ip_addr_eq(&ep->addr[i], a))
			return true;
	}
	return ep->nb_addrs == 0 && any_covers(ep, a);
}

struct sctp_ep *
sctp_listener_find(struct lcore *lc, const struct flow_key *k)
{
	struct sctp_ep *ep, *any = NULL;

	LIST_FOREACH (ep, bound_list(lc, k->lport), bound) {
		if (!ep->is_listening || ep->way.fe.key.lport != k->lport ||
			!has_addr(ep, &k->local))
			continue;
		if (ep->nb_addrs > 0)
			return ep;
		any = ep;
	}
	return any;
}

/* ---- addresses ---- */

static bool
is_local(const struct lcore *lc, const struct ip_addr *a)
{
	for (uint32_t i = 0; i < lc->nb_ports; i++) {
		if (route_is_ours(lc, a, lc->port[i]->realm))
			return true;
	}
	return false;
}

/* RFC 9260 s5.1.2: the peer can use it, and is told. */
static bool
is_useful(const struct sctp_ep *ep, const struct ip_addr *a, const struct ip_addr *first,
	const struct sctp_init *peer)
{
	if (ip_addr_is_any(a) || ip_addr_is_link_local(a) || !has_addr(ep, a))
		return false;
	if (peer == NULL || ip_addr_is_v4(a) == ip_addr_is_v4(first))
		return true;
	return ip_addr_is_v4(a) ? !peer->no_v4 : !peer->no_v6;
}

/* first, the address that the packet came to or that the route has, is always one of them. */
uint8_t
sctp_ep_locals(const struct lcore *lc, const struct sctp_ep *ep, const struct ip_addr *first,
	const struct sctp_init *peer, struct ip_addr local[SCTP_ADDRS_MAX])
{
	uint8_t n = 0;

	local[n++] = *first;
	for (uint32_t i = 0; i < lc->nb_ports; i++) {
		const struct port *p = lc->port[i];

		for (uint32_t j = 0; j < p->nb_addrs && n < SCTP_ADDRS_MAX; j++) {
			const struct ip_addr *a = &p->addr[j].addr;

			if (port_addr_is_assigned(&p->addr[j]) && !ip_addr_eq(a, first) &&
				is_useful(ep, a, first, peer))
				local[n++] = *a;
		}
	}
	return n;
}

/* ---- bind ---- */

static bool
overlap(const struct sctp_ep *x, const struct sctp_ep *y)
{
	if (x->nb_addrs == 0 || y->nb_addrs == 0)
		return true;
	for (uint32_t i = 0; i < y->nb_addrs; i++) {
		if (has_addr(x, &y->addr[i]))
			return true;
	}
	return false;
}

static bool
is_taken(struct lcore *lc, const struct sctp_ep *self, rte_be16_t port)
{
	const struct sctp_ep *ep;

	LIST_FOREACH (ep, bound_list(lc, port), bound) {
		if (ep != self && ep->way.fe.key.lport == port && overlap(ep, self) &&
			(ep->is_listening || !ep->s->reuse_addr || !self->s->reuse_addr))
			return true;
	}
	return false;
}

/* RFC 6056 s3.3.1. 0: there is none. */
rte_be16_t
sctp_ep_pick_port(struct lcore *lc, const struct sctp_ep *ep)
{
	const struct sctp_conf *c = &lc->sctp->conf;
	uint32_t n = c->port_last - c->port_first + 1u, start = rand_below(lc->rand, n);

	for (uint32_t i = 0; i < n; i++) {
		rte_be16_t port = rte_cpu_to_be_16((uint16_t)(c->port_first + (start + i) % n));

		if (!is_taken(lc, ep, port))
			return port;
	}
	return 0;
}

int
sctp_ep_bind(struct lcore *lc, struct sctp_ep *ep, const struct sock_addr *a, uint32_t n)
{
	rte_be16_t port = a->port;
	bool any = n == 1 && ip_addr_is_any(&a->addr);

	if (ep->is_bound || ep->a != NULL)
		return -EINVAL;
	for (uint32_t i = 0; i < n && !any; i++) {
		if (!is_local(lc, &a[i].addr))
			return -EADDRNOTAVAIL;
		ep->addr[i] = a[i].addr;
	}
	ep->nb_addrs = any ? 0 : (uint8_t)n;
	if (port == 0)
		port = sctp_ep_pick_port(lc, ep);
	else if (is_taken(lc, ep, port))
		port = 0;
	if (port == 0) {
		ep->nb_addrs = 0;
		return -EADDRINUSE;
	}
	ep->way.fe.key.lport = port;
	ep->way.fe.key.local = a->addr;
	ep->is_bound = true;
	LIST_INSERT_HEAD(bound_list(lc, port), ep, bound);
	return 0;
}

void
sctp_ep_unbind(struct sctp_ep *ep)
{
	if (ep->is_bound)
		LIST_REMOVE(ep, bound);
	ep->is_bound = false;
}

/* ---- settings ---- */

void
sctp_ep_settings(struct sctp_assoc *a, const struct sctp_ep *ep)
{
	a->max_retrans = ep->max_retrans;
	a->max_init_retrans = ep->max_init_retrans;
	a->rto_init_ms = ep->rto_init_ms;
	a->rto_min_ms = ep->rto_min_ms;
	a->rto_max_ms = ep->rto_max_ms;
	a->cookie_life_ms = ep->cookie_life_ms;
	a->sack_delay_ms = ep->sack_delay_ms;
	a->hb_interval_ms = ep->hb_interval_ms;
	a->path_retrans = ep->path_retrans;
	a->autoclose_s = ep->autoclose_s;
	a->nodelay = ep->nodelay;
	a->nb_out = ep->out_streams;
	a->nb_in = ep->in_streams;
	a->v4 = ep->s->domain == AF_INET || !ep->s->v6only;
	a->v6 = ep->s->domain == AF_INET6;
	a->rcv_limit = RTE_MAX(ep->s->rcvbuf_bytes, (uint32_t)SCTP_RWND_MIN);
	buf_init(&a->snd, ep->s->sndbuf_bytes);
	/* With room for what is beside the bytes of messages. */
	buf_init(&a->rcv, a->rcv_limit + 2 * UINT16_MAX);
}

/* What nobody accepted ends as if its program had died (RFC 9260 s9.1). */
void
sctp_ep_listen_end(struct lcore *lc, struct sctp_ep *ep)
{
	struct sctp_assoc *a;

	ep->is_listening = false;
	while ((a = TAILQ_FIRST(&ep->ready)) != NULL) {
		TAILQ_REMOVE(&ep->ready, a, queue);
		ep->nb_ready--;
		a->parent = NULL;
		if (a->state == SCTPS_CLOSED)
			sctp_assoc_free(lc, a);
		else
			sctp_abort(lc, a, SCTP_C_USER, NULL, 0);
	}
	latch_release(lc, &ep->way.latch);
}

void
sctp_ep_free(struct lcore *lc, struct sctp_ep *ep)
{
	sctp_ep_listen_end(lc, ep);
	sctp_ep_unbind(ep);
	latch_fini(&ep->way.latch);
	lc->sctp->nb_eps--;
	rte_mempool_put(lc->sctp->eps, ep);
}
