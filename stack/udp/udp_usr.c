/* SPDX-License-Identifier: BSD-3-Clause */
/* udp_usr.c - what a program does to a datagram socket, apart from data and options. */
#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#include "stack/base/port.h"
#include "stack/base/rand.h"
#include "stack/include/tl_sock.h"
#include "stack/net/route.h"
#include "stack/udp/udp_int.h"

struct udp_bound_list *
udp_bound_of(struct lcore *lc, rte_be16_t port)
{
	return &lc->udp->bound[rte_be_to_cpu_16(port) % UDP_BOUND_BUCKETS];
}

static bool
overlap(const struct udp_pcb *p, const struct sock *s, const struct ip_addr *a)
{
	return udp_local_covers(&p->bound_addr, p->s->v6only, a) ||
	       udp_local_covers(a, s->v6only, &p->bound_addr);
}

/* Whether another socket has this local end and one of both does not share it. */
static bool
is_taken(struct lcore *lc, const struct udp_pcb *self, const struct ip_addr *a, rte_be16_t port)
{
	const struct udp_pcb *p;

	LIST_FOREACH (p, udp_bound_of(lc, port), bound) {
		if (p != self && p->fe.key.lport == port && overlap(p, self->s, a) &&
			(!p->s->reuse_addr || !self->s->reuse_addr))
			return true;
	}
	return false;
}

/* RFC 6056 s3.3.1; with several workers, a port that leads back to this one. 0: there is none. */
static rte_be16_t
pick_port(struct lcore *lc, const struct udp_pcb *pcb, const struct ip_addr *a)
{
	const struct udp_conf *c = &lc->udp->conf;
	uint32_t n = c->port_last - c->port_first + 1u;
	uint32_t start = rand_below(lc->rand, n);

	for (uint32_t i = 0; i < n; i++) {
		uint32_t port = c->port_first + (start + i) % n;

		if (lc->nb_workers > 1 && port % lc->nb_workers != lc->id)
			continue;
		if (!is_taken(lc, pcb, a, rte_cpu_to_be_16((uint16_t)port)))
			return rte_cpu_to_be_16((uint16_t)port);
	}
	return 0;
}

static struct ip_addr
any_of(const struct sock *s)
{
	return s->domain == AF_INET6 ? (struct ip_addr){.q = {0, 0}} : ip_addr_v4(0);
}

static int
usr_open(struct lcore *lc, struct sock *s)
{
	struct udp_pcb *pcb;
	void *obj;

	if (rte_mempool_get(lc->udp->pcbs, &obj) != 0)
		return -ENOBUFS;
	pcb = obj;
	memset(pcb, 0, sizeof(*pcb));
	pcb->s = s;
	pcb->fe.latch = &pcb->latch;
	pcb->fe.key.local = pcb->bound_addr = any_of(s);
	pcb->fe.key.proto = IPPROTO_N_UDP;
	s->pcb = pcb;
	s->rcvbuf_bytes = lc->udp->conf.rcvbuf_bytes;
	s->sndbuf_bytes = lc->udp->conf.sndbuf_bytes;
	buf_init(&pcb->rcv, s->rcvbuf_bytes);
	TAILQ_INSERT_TAIL(&lc->udp->all, pcb, all);
	lc->udp->nb++;
	return 0;
}

static bool
is_local(const struct lcore *lc, const struct ip_addr *a)
{
	for (uint32_t i = 0; i < lc->nb_ports; i++) {
		if (route_is_ours(lc, a, lc->port[i]->realm))
			return true;
	}
	return false;
}

static int
usr_bind(struct lcore *lc, struct sock *s, const struct sock_addr *a)
{
	struct udp_pcb *pcb = s->pcb;
	rte_be16_t port = a->port;

	if (pcb->state != UDP_OPEN || pcb->is_bound)
		return -EINVAL;
	if (!ip_addr_is_any(&a->addr) && !is_local(lc, &a->addr))
		return -EADDRNOTAVAIL;
	if (port == 0)
		port = pick_port(lc, pcb, &a->addr);
	else if (is_taken(lc, pcb, &a->addr, port))
		return -EADDRINUSE;
	if (port == 0)
		return -EADDRINUSE;
	pcb->fe.key.local = pcb->bound_addr = a->addr;
	pcb->fe.key.lport = port;
	pcb->is_bound = true;
	LIST_INSERT_HEAD(udp_bound_of(lc, port), pcb, bound);
	return 0;
}

int
udp_usr_autobind(struct lcore *lc, struct sock *s)
{
	const struct udp_pcb *pcb = s->pcb;
	struct sock_addr any = {.addr = any_of(s)};

	return pcb->is_bound ? 0 : usr_bind(lc, s, &any);
}

/* ---- connections ---- */

static bool
is_one_other_host(const struct lcore *lc, const struct ip_addr *a, uint32_t realm)
{
	if (ip_addr_is_any(a) || ip_addr_is_mcast(a) || route_is_ours(lc, a, realm))
		return false;
	return !ip_addr_is_v4(a) || !route_is_broadcast(lc, ip_addr_to_v4(a), realm);
}

int
udp_usr_key(struct lcore *lc, const struct udp_pcb *pcb, const struct sock_addr *a,
	struct flow_key *key)
{
	struct route rt;
	int rc;

	if (a->port == 0)
		return -EADDRNOTAVAIL;
	rc = route_find(lc, &a->addr, &rt);
	if (rc != 0)
		return rc;
	if (ip_addr_is_any(&rt.src))
		return -EADDRNOTAVAIL;
	*key = (struct flow_key){.local = rt.src,
		.remote = a->addr,
		.lport = pcb->fe.key.lport,
		.rport = a->port,
		.proto = IPPROTO_N_UDP};
	if (rt.port < lc->nb_ports)
		key->realm = lc->port[rt.port]->realm;
	/* There is no loopback, and nothing is sent to many. */
	if (!is_one_other_host(lc, &a->addr, key->realm))
		return -ENETUNREACH;
	if (ip_addr_is_any(&pcb->bound_addr))
		return 0;
	if (ip_addr_is_v4(&pcb->bound_addr) != ip_addr_is_v4(&a->addr))
		return -EINVAL;
	key->local = pcb->bound_addr;
	return 0;
}

/* D-2, F-77: the latch ends, what was sent before still leaves under it. */
static void
disconnect(struct lcore *lc, struct udp_pcb *pcb)
{
	struct flow_key open = {
		.local = pcb->bound_addr, .lport = pcb->fe.key.lport, .proto = IPPROTO_N_UDP};

	udp_snd_leave(lc, pcb);
	if (pcb->state == UDP_OPEN)
		return;
	flow_remove(lc, &pcb->fe);
	latch_release(lc, &pcb->latch);
	latch_renew(&pcb->latch);
	pcb->fe.key = open;
	pcb->rd_shut = pcb->wr_shut = false;
	udp_set_state(pcb, UDP_OPEN);
}

/* D-1: the latch, then the flow. before: the profile of the connection to the same host, or 0. */
static int
own_flow(struct lcore *lc, struct udp_pcb *pcb, uint32_t before)
{
	int rc;

	if (flow_find(lc, &pcb->fe.key) != NULL)
		return -EADDRINUSE;
	rc = latch_open(lc, &pcb->latch, &pcb->fe.key);
	if (rc != 0)
		return rc;
	if (!latch_dgram_may_follow(lc, &pcb->latch, before))
		rc = -EACCES;
	else
		rc = flow_insert(lc, &pcb->fe);
	if (rc != 0)
		latch_release(lc, &pcb->latch);
	return rc;
}

/* D-14: many cannot be latched, so who needs a latch is refused. */
static int
refuse_group(struct lcore *lc, const struct udp_pcb *pcb, const struct sock_addr *a)
{
	struct flow_key k = {.local = pcb->bound_addr,
		.remote = a->addr,
		.lport = pcb->fe.key.lport,
		.rport = a->port,
		.proto = IPPROTO_N_UDP};

	return latch_dgram_is_wanted(lc, &pcb->latch, &k) ? -EOPNOTSUPP : -ENETUNREACH;
}

/*
 * RFC 5660 s5.2. A connection before this one ends when the new one could have a path, whether it
 * gets a latch or not: a socket never has the peer that its program gave up.
 */
static int
connect_to(struct lcore *lc, struct sock *s, const struct sock_addr *a)
{
	struct udp_pcb *pcb = s->pcb;
	uint32_t before = 0;
	struct flow_key key;
	int rc;

	if (ip_addr_is_mcast(&a->addr))
		return refuse_group(lc, pcb, a);
	rc = udp_usr_autobind(lc, s);
	if (rc == 0)
		rc = udp_usr_key(lc, pcb, a, &key);
	if (rc != 0)
		return rc;
	if (pcb->state != UDP_OPEN && ip_addr_eq(&pcb->fe.key.remote, &key.remote))
		before = pcb->latch.profile_out;
	disconnect(lc, pcb);
	latch_renew(&pcb->latch);
	pcb->fe.key = key;
	rc = own_flow(lc, pcb, before);
	if (rc != 0) {
		latch_renew(&pcb->latch);
		pcb->fe.key = (struct flow_key){
			.local = pcb->bound_addr, .lport = key.lport, .proto = IPPROTO_N_UDP};
		return rc;
	}
	udp_set_state(pcb, UDP_CONNECTED);
	udp_rcv_refilter(lc, pcb);
	s->so_error = s->soft_error = 0;
	udp_wake(lc, pcb);
	return 0;
}

static int
usr_connect(struct lcore *lc, struct sock *s, const struct sock_addr *a)
{
	struct udp_pcb *pcb = s->pcb;

	if (a != NULL)
		return connect_to(lc, s, a);
	disconnect(lc, pcb);
	s->so_error = s->soft_error = 0;
	return 0;
}

static int
usr_listen(struct lcore *lc, struct sock *s, int backlog)
{
	(void)lc;
	(void)s;
	(void)backlog;
	return -EOPNOTSUPP;
}

static int
usr_accept(struct lcore *lc, struct sock *s, struct sock *child)
{
	(void)lc;
	(void)s;
	(void)child;
	return -EOPNOTSUPP;
}

static int
usr_shutdown(struct lcore *lc, struct sock *s, int how)
{
	struct udp_pcb *pcb = s->pcb;

	if (how != SHUT_RD && how != SHUT_WR && how != SHUT_RDWR)
		return -EINVAL;
	if (pcb->state != UDP_CONNECTED)
		return -ENOTCONN;
	pcb->rd_shut |= how != SHUT_WR;
	pcb->wr_shut |= how != SHUT_RD;
	udp_wake(lc, pcb);
	return 0;
}

static void
usr_close(struct lcore *lc, struct sock *s)
{
	struct udp_pcb *pcb = s->pcb;

	if (pcb == NULL)
		return;
	s->pcb = NULL;
	disconnect(lc, pcb);
	if (pcb->is_bound)
		LIST_REMOVE(pcb, bound);
	buf_clear(lc, &pcb->rcv);
	latch_fini(&pcb->latch);
	TAILQ_REMOVE(&lc->udp->all, pcb, all);
	lc->udp->nb--;
	rte_mempool_put(lc->udp->pcbs, pcb);
}

/* ---- questions ---- */

static int
usr_local(struct lcore *lc, struct sock *s, struct sock_addr *a)
{
	const struct udp_pcb *pcb = s->pcb;

	(void)lc;
	*a = (struct sock_addr){.addr = pcb->fe.key.local, .port = pcb->fe.key.lport};
	return 0;
}

static int
usr_remote(struct lcore *lc, struct sock *s, struct sock_addr *a)
{
	const struct udp_pcb *pcb = s->pcb;

	(void)lc;
	if (pcb->state != UDP_CONNECTED)
		return -ENOTCONN;
	*a = (struct sock_addr){.addr = pcb->fe.key.remote, .port = pcb->fe.key.rport};
	return 0;
}

static struct latch *
usr_latch(struct sock *s)
{
	struct udp_pcb *pcb = s->pcb;

	return &pcb->latch;
}

static uint32_t
usr_ready(struct lcore *lc, struct sock *s)
{
	const struct udp_pcb *pcb = s->pcb;
	uint32_t ev = s->so_error != 0 ? TL_EV_ERR | TL_EV_IN | TL_EV_OUT : 0;

	(void)lc;
	if (latch_has_event(&pcb->latch))
		ev |= TL_EV_LATCH;
	if (pcb->state == UDP_ENDED)
		return ev | TL_EV_IN | TL_EV_OUT | TL_EV_HUP;
	if (buf_len(&pcb->rcv) > 0 || pcb->rd_shut)
		ev |= TL_EV_IN;
	if (pcb->rd_shut)
		ev |= TL_EV_RDHUP;
	if (pcb->wr_shut || pcb->snd_bytes <= s->sndbuf_bytes - s->sndbuf_bytes / 3)
		ev |= TL_EV_OUT;
	return ev;
}

const struct sock_ops udp_sock_ops = {
	.open = usr_open,
	.bind = usr_bind,
	.listen = usr_listen,
	.accept = usr_accept,
	.connect = usr_connect,
	.send = udp_msg_send,
	.recv = udp_msg_recv,
	.sendmsg = udp_msg_sendmsg,
	.recvmsg = udp_msg_recvmsg,
	.shutdown = usr_shutdown,
	.close = usr_close,
	.setopt = udp_opt_set,
	.getopt = udp_opt_get,
	.local = usr_local,
	.remote = usr_remote,
	.latch = usr_latch,
	.ready = usr_ready,
};
