/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * tcp_usr.c - the user's calls, OPEN to ABORT (RFC 9293 s3.9.1, s3.10.1 to s3.10.6).
 *
 * They change buffers and states and mark the control block; segments leave in the next turn.
 */
#include <errno.h>
#include <string.h>

#include "stack/base/port.h"
#include "stack/base/rand.h"
#include "stack/include/tl_sock.h"
#include "stack/net/route.h"
#include "tcp/tcp_int.h"

enum { PORT_TRIES = 16 };
#define REUSE_AFTER_NS UINT64_C(1000000000)

static struct tcp_bound_list *
bound_list(struct lcore *lc, rte_be16_t port)
{
	return &lc->tcp->bound[rte_be_to_cpu_16(port) % TCP_BOUND_BUCKETS];
}

/* Whether p's local end and the address a, for a socket s, have an address in common. */
static bool
overlap(const struct tcp_pcb *p, const struct sock *s, const struct ip_addr *a)
{
	return tcp_local_covers(&p->fe.key.local, p->s->v6only, a) ||
	       tcp_local_covers(a, s->v6only, &p->fe.key.local);
}

/* SO_REUSEADDR: two sockets may have one local end as long as neither listens. */
static bool
may_both_have(const struct tcp_pcb *p, const struct tcp_pcb *self)
{
	return p->state != TCPS_LISTEN && p->s->reuse_addr && self->s->reuse_addr;
}

/* SO_REUSEPORT: they want to share what comes. */
static bool
are_group(const struct tcp_pcb *p, const struct tcp_pcb *self)
{
	return p->s->reuse_port && self->s->reuse_port;
}

/* The next socket after p (NULL: the first) that has this local end too. */
static const struct tcp_pcb *
next_at(struct lcore *lc, const struct tcp_pcb *p, const struct tcp_pcb *self,
	const struct ip_addr *a, rte_be16_t port)
{
	p = p == NULL ? LIST_FIRST(bound_list(lc, port)) : LIST_NEXT(p, bound);
	while (p != NULL && (p == self || p->fe.key.lport != port || !overlap(p, self->s, a)))
		p = LIST_NEXT(p, bound);
	return p;
}

/* Whether the program must not name this local end. */
static bool
is_taken(struct lcore *lc, const struct tcp_pcb *self, const struct ip_addr *a, rte_be16_t port)
{
	const struct tcp_pcb *p = NULL;

	while ((p = next_at(lc, p, self, a, port)) != NULL) {
		if (!may_both_have(p, self) && !are_group(p, self))
			return true;
	}
	return false;
}

/* Whether it must not be chosen: nobody joins a group by chance. */
static bool
is_used(struct lcore *lc, const struct tcp_pcb *self, const struct ip_addr *a, rte_be16_t port)
{
	const struct tcp_pcb *p = NULL;

	while ((p = next_at(lc, p, self, a, port)) != NULL) {
		if (!may_both_have(p, self))
			return true;
	}
	return false;
}

/*
 * Whether a new connection may take the 5-tuple of an old one in TIME-WAIT, whose owner is fe:
 * RFC 6191 s2, from the side that opens. Its peer tells old segments from new ones by the
 * timestamps if our clock has moved on, and it ticks a thousand times in this second.
 */
static bool
is_reusable(const struct lcore *lc, const struct flow_ent *fe)
{
	const struct tcp_pcb *old = container_of(fe, struct tcp_pcb, fe);

	return lc->tcp->conf.tw_reuse && old->state == TCPS_TIME_WAIT && tcp_is_orphan(old) &&
	       old->opt_ts && lc->now_ns - old->ts_recent_ns > REUSE_AFTER_NS;
}

/* No socket of this worker uses it, nor a connection of another one to key's remote end. */
static bool
is_good_port(struct lcore *lc, const struct tcp_pcb *pcb, struct flow_key *key, uint32_t port)
{
	uint16_t other;

	key->lport = rte_cpu_to_be_16((uint16_t)port);
	return !is_used(lc, pcb, &key->local, key->lport) && !flow_is_elsewhere(lc, key, &other);
}

/*
 * RFC 6056: a port from the ephemeral range. Some are tried at random (s3.3.2), so that those in
 * use never form long rows, and then all from a random one on (s3.3.1). Returns 0 if there is none.
 */
static rte_be16_t
pick_port(struct lcore *lc, const struct tcp_pcb *pcb, struct flow_key key)
{
	const struct tcp_conf *c = &lc->tcp->conf;
	uint32_t n = c->port_last - c->port_first + 1u;
	const struct flow_ent *fe;
	uint32_t start;

	for (uint32_t i = 0; i < PORT_TRIES; i++) {
		if (is_good_port(lc, pcb, &key, c->port_first + rand_below(lc->rand, n)) &&
			flow_find(lc, &key) == NULL)
			return key.lport;
	}
	start = rand_below(lc->rand, n);
	for (uint32_t i = 0; i < n; i++) {
		if (!is_good_port(lc, pcb, &key, c->port_first + (start + i) % n))
			continue;
		fe = flow_find(lc, &key);
		if (fe == NULL || is_reusable(lc, fe))
			return key.lport;
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
	struct tcp_pcb *pcb = tcp_pcb_alloc(lc);

	if (pcb == NULL)
		return -ENOBUFS;
	pcb->s = s;
	pcb->fe.key.local = any_of(s);
	pcb->fe.key.proto = IPPROTO_N_TCP;
	s->pcb = pcb;
	s->linger_s = -1;
	s->rcvbuf_bytes = lc->tcp->conf.rcvbuf_bytes;
	s->sndbuf_bytes = lc->tcp->conf.sndbuf_bytes;
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
	struct tcp_pcb *pcb = s->pcb;
	struct flow_key key = {.local = a->addr, .proto = IPPROTO_N_TCP};
	rte_be16_t port = a->port;

	if (pcb->state != TCPS_CLOSED || pcb->is_bound || pcb->was_open)
		return -EINVAL;
	if (!ip_addr_is_any(&a->addr) && !is_local(lc, &a->addr))
		return -EADDRNOTAVAIL;
	if (port == 0)
		port = pick_port(lc, pcb, key);
	else if (is_taken(lc, pcb, &a->addr, port))
		return -EADDRINUSE;
	if (port == 0)
		return -EADDRINUSE;
	key.lport = port;
	pcb->fe.key = key;
	pcb->is_bound = true;
	LIST_INSERT_HEAD(bound_list(lc, port), pcb, bound);
	return 0;
}

static void
unbind(struct tcp_pcb *pcb)
{
	if (!pcb->is_bound)
		return;
	LIST_REMOVE(pcb, bound);
	pcb->is_bound = false;
}

static bool
has_listener(struct lcore *lc, const struct tcp_pcb *self)
{
	const struct tcp_pcb *p = NULL;

	while ((p = next_at(lc, p, self, &self->fe.key.local, self->fe.key.lport)) != NULL) {
		if (p->state == TCPS_LISTEN && !are_group(p, self))
			return true;
	}
	return false;
}

static int
usr_listen(struct lcore *lc, struct sock *s, int backlog)
{
	struct tcp_pcb *pcb = s->pcb;
	int rc;

	if (pcb->state != TCPS_LISTEN && (pcb->state != TCPS_CLOSED || pcb->was_open))
		return -EINVAL;
	if (!pcb->is_bound) {
		struct sock_addr any = {.addr = any_of(s)};

		rc = usr_bind(lc, s, &any);
		if (rc != 0)
			return rc;
	}
	if (has_listener(lc, pcb))
		return -EADDRINUSE;
	rc = latch_listen(lc, &pcb->latch, &pcb->fe.key);
	if (rc != 0)
		return rc;
	tcp_listen_start(lc, pcb, backlog < 0 ? 0 : (uint32_t)backlog);
	return 0;
}

static int
usr_accept(struct lcore *lc, struct sock *s, struct sock *child)
{
	struct tcp_pcb *lsn = s->pcb, *pcb;

	if (lsn->state != TCPS_LISTEN)
		return -EINVAL;
	pcb = tcp_syn_accept(lsn);
	if (pcb == NULL)
		return -EAGAIN;
	if (pcb->state == TCPS_CLOSED) {
		/* F-32 */
		tcp_pcb_free(lc, pcb);
		return -ECONNABORTED;
	}
	if (child->pcb != NULL) {
		struct tcp_pcb *unused = child->pcb;

		unused->s = NULL;
		tcp_pcb_free(lc, unused);
	}
	child->pcb = pcb;
	child->linger_s = s->linger_s;
	child->reuse_addr = s->reuse_addr;
	child->reuse_port = s->reuse_port;
	child->rcvbuf_bytes = pcb->rcv.limit_bytes;
	child->sndbuf_bytes = pcb->snd.limit_bytes;
	child->rcvbuf_set = s->rcvbuf_set;
	child->sndbuf_set = s->sndbuf_set;
	pcb->s = child;
	tcp_tune_start(lc, pcb);
	if (tcp_more_inherit(lc, s, child) != 0)
		lc_count(lc, ST_TCP_NO_OPTIONS);
	tcp_wake(lc, pcb);
	return 0;
}

/* 0 if a new connection may begin here, the errno of connect() if not. */
static int
may_connect(const struct tcp_pcb *pcb)
{
	switch (pcb->state) {
	case TCPS_CLOSED:
		return 0;
	case TCPS_LISTEN:
		return -EOPNOTSUPP;
	case TCPS_SYN_SENT:
	case TCPS_SYN_RCVD:
		return -EALREADY;
	default:
		return -EISCONN;
	}
}

static bool
is_unicast(const struct ip_addr *a)
{
	if (ip_addr_is_any(a))
		return false;
	if (!ip_addr_is_v4(a))
		return a->b[0] != 0xff;
	return rte_be_to_cpu_32(ip_addr_to_v4(a)) < 0xe0000000;
}

static bool
is_ours_or_broadcast(const struct lcore *lc, const struct ip_addr *a, uint32_t realm)
{
	if (route_is_ours(lc, a, realm))
		return true;
	return ip_addr_is_v4(a) && route_is_broadcast(lc, ip_addr_to_v4(a), realm);
}

/* The 5-tuple of a connection to a, and the path. */
static int
connect_key(struct lcore *lc, const struct tcp_pcb *pcb, const struct sock_addr *a,
	struct flow_key *key, struct route *rt)
{
	int rc;

	if (a->port == 0)
		return -EADDRNOTAVAIL;
	if (!is_unicast(&a->addr))
		return -ENETUNREACH;
	rc = route_find(lc, &a->addr, rt);
	if (rc != 0)
		return rc;
	if (ip_addr_is_any(&rt->src))
		return -EADDRNOTAVAIL;
	*key = (struct flow_key){
		.local = rt->src, .remote = a->addr, .rport = a->port, .proto = IPPROTO_N_TCP};
	if (rt->port < lc->nb_ports)
		key->realm = lc->port[rt->port]->realm;
	/* There is no loopback, and no connection to many (RFC 9293 s3.9.2.3, MUST-46). */
	if (is_ours_or_broadcast(lc, &a->addr, key->realm))
		return -ENETUNREACH;
	if (pcb->is_bound && !ip_addr_is_any(&pcb->fe.key.local)) {
		if (ip_addr_is_v4(&pcb->fe.key.local) != ip_addr_is_v4(&a->addr))
			return -EINVAL;
		key->local = pcb->fe.key.local;
	}
	key->lport = pcb->is_bound ? pcb->fe.key.lport : pick_port(lc, pcb, *key);
	return key->lport == 0 ? -EADDRNOTAVAIL : 0;
}

/* The 5-tuple is pcb's from here on, and the old connection's, if there is one, is no longer. */
static int
take_flow(struct lcore *lc, struct tcp_pcb *pcb, struct flow_ent *old)
{
	int rc;

	if (old != NULL)
		flow_remove(lc, old);
	rc = flow_insert(lc, &pcb->fe);
	/* Another worker was quicker: then the old connection has lost it to that one. */
	if (rc != 0 && old != NULL && flow_insert(lc, old) != 0)
		tcp_pcb_end(lc, container_of(old, struct tcp_pcb, fe), 0);
	return rc;
}

/* T-3: the latch, then the flow; both before the SYN. pcb->fe.key is set. *old: a connection whose
 * 5-tuple was taken and that is to end, or NULL. */
static int
connect_own_flow(struct lcore *lc, struct tcp_pcb *pcb, struct flow_ent **old)
{
	int rc;

	latch_renew(&pcb->latch);
	*old = flow_find(lc, &pcb->fe.key);
	if (*old != NULL && !is_reusable(lc, *old))
		return -EADDRINUSE;
	rc = latch_open(lc, &pcb->latch, &pcb->fe.key);
	if (rc != 0)
		return rc;
	rc = take_flow(lc, pcb, *old);
	if (rc != 0) {
		latch_release(lc, &pcb->latch);
		latch_renew(&pcb->latch); /* there was no connection: the socket may listen now */
	}
	return rc;
}

/* pcb is the new incarnation of old, and its sequence numbers are beyond. */
static void
end_time_wait(struct lcore *lc, struct tcp_pcb *pcb, struct tcp_pcb *old)
{
	tcp_syn_iss_above(lc, pcb, old->snd_max);
	tcp_pcb_end(lc, old, 0);
	tcp_reap(lc);
	lc_count(lc, ST_TCP_TW_CONNECT);
}

/* RFC 9293 s3.10.1, active OPEN, up to the SYN. Returns 0 or -errno. */
static int
open_active(struct lcore *lc, struct sock *s, const struct sock_addr *a)
{
	struct tcp_pcb *pcb = s->pcb;
	struct flow_key key, before = pcb->fe.key;
	struct flow_ent *old;
	struct route rt;
	int rc = may_connect(pcb);

	if (rc != 0)
		return rc;
	if (pcb->was_open)
		tcp_pcb_renew(lc, pcb);
	rc = connect_key(lc, pcb, a, &key, &rt);
	if (rc != 0)
		return rc;
	pcb->fe.key = key;
	rc = connect_own_flow(lc, pcb, &old);
	if (rc != 0) {
		pcb->fe.key = before;
		return rc;
	}
	tcp_syn_prepare(lc, pcb, s, rt.mtu_bytes);
	if (old != NULL)
		end_time_wait(lc, pcb, container_of(old, struct tcp_pcb, fe));
	pcb->was_open = true;
	s->so_error = 0;
	tcp_set_state(lc, pcb, TCPS_SYN_SENT);
	lc_count(lc, ST_TCP_ACTIVE);
	return 0;
}

/* -EINPROGRESS is success; 0 is too: the SYN waits for what the program sends (RFC 7413 s4.2.1). */
static int
usr_connect(struct lcore *lc, struct sock *s, const struct sock_addr *a)
{
	struct tcp_pcb *pcb = s->pcb;
	const struct tcp_more *m = s->more;
	int rc = open_active(lc, s, a);

	if (rc != 0)
		return rc;
	if (m != NULL && m->tfo_connect && tcp_tfo_prepare(lc, pcb)) {
		pcb->tfo_wait = true;
		return 0;
	}
	tcp_output_mark(lc, pcb, TCP_OUT_DATA);
	return -EINPROGRESS;
}

/* MSG_FASTOPEN: connect() and send() in one. Without a cookie nothing is taken yet. */
static ssize_t
usr_send_to(
	struct lcore *lc, struct sock *s, const struct sock_addr *a, const void *buf, size_t len)
{
	struct tcp_pcb *pcb = s->pcb;
	size_t n = 0;
	int rc;

	if ((lc->tcp->conf.fastopen & TCP_CONF_TFO_CLIENT) == 0)
		return -EOPNOTSUPP;
	rc = open_active(lc, s, a);
	if (rc != 0)
		return rc;
	if (tcp_tfo_prepare(lc, pcb))
		n = buf_append(lc, &pcb->snd, buf, len);
	tcp_output_mark(lc, pcb, TCP_OUT_DATA);
	return n > 0 ? (ssize_t)n : -EINPROGRESS;
}

/* An error is told once, and then the state speaks. */
static int
take_error(struct sock *s)
{
	int err = s->so_error;

	s->so_error = 0;
	return -err;
}

/* A writer whom no chunk is left for hears of one; who filled its buffer hears of the ACK. */
static void
note_want(struct lcore *lc, struct tcp_pcb *pcb)
{
	if (buf_room(&pcb->snd) > 0 && !buf_can_append(lc, &pcb->snd))
		tcp_tmr_starved(lc, pcb);
}

ssize_t
tcp_usr_may_send(struct sock *s)
{
	const struct tcp_pcb *pcb = s->pcb;

	if (s->so_error != 0)
		return take_error(s);
	if (pcb->state == TCPS_LISTEN || (pcb->state == TCPS_CLOSED && !pcb->was_open))
		return -ENOTCONN;
	if (pcb->fin_queued || pcb->state == TCPS_CLOSED)
		return -EPIPE;
	return tcp_is_synced(pcb) || pcb->tfo_wait ? 0 : -EAGAIN;
}

/* RFC 9293 s3.10.2. */
static ssize_t
usr_send(struct lcore *lc, struct sock *s, const void *buf, size_t len, int flags)
{
	struct tcp_pcb *pcb = s->pcb;
	ssize_t rc;
	size_t n;

	if ((flags & MSG_OOB) != 0)
		return -EOPNOTSUPP;
	if ((flags & MSG_FASTOPEN) != 0)
		return -EDESTADDRREQ;
	rc = tcp_usr_may_send(s);
	if (rc != 0 || len == 0)
		return rc;
	if (unlikely(len > buf_room(&pcb->snd)))
		tcp_tune_snd(lc, pcb);
	n = buf_append(lc, &pcb->snd, buf, len);
	if (n < len)
		note_want(lc, pcb);
	if (n == 0)
		return -EAGAIN;
	pcb->tfo_wait = false;
	tcp_output_mark(lc, pcb, TCP_OUT_DATA);
	return (ssize_t)n;
}

/* What a read without data says. */
static ssize_t
recv_nothing(const struct tcp_pcb *pcb, size_t len)
{
	if (pcb->state == TCPS_LISTEN || (pcb->state == TCPS_CLOSED && !pcb->was_open))
		return -ENOTCONN;
	if (len == 0 || pcb->rcv_fin || pcb->rd_shut || pcb->state == TCPS_CLOSED)
		return 0;
	return -EAGAIN;
}

ssize_t
tcp_usr_recv_nothing(struct sock *s)
{
	return s->so_error != 0 ? take_error(s) : recv_nothing(s->pcb, 1);
}

/* RFC 9293 s3.10.3. */
static ssize_t
usr_recv(struct lcore *lc, struct sock *s, void *buf, size_t len, int flags)
{
	struct tcp_pcb *pcb = s->pcb;
	size_t n;

	if ((flags & MSG_OOB) != 0)
		return -EINVAL;
	if (s->so_error != 0)
		return take_error(s);
	if (pcb->rcv_lent > 0)
		return -EBUSY;
	n = RTE_MIN(len, (size_t)buf_len(&pcb->rcv));
	if (n == 0)
		return recv_nothing(pcb, len);
	buf_copy_out(&pcb->rcv, buf_start(&pcb->rcv), buf, n);
	if ((flags & MSG_PEEK) == 0) {
		buf_drop(lc, &pcb->rcv, n);
		tcp_rcv_read(lc, pcb);
	}
	return (ssize_t)n;
}

void
tcp_usr_fin(struct lcore *lc, struct tcp_pcb *pcb)
{
	if (pcb->fin_queued)
		return;
	if (pcb->state == TCPS_ESTABLISHED)
		tcp_set_state(lc, pcb, TCPS_FIN_WAIT_1);
	else if (pcb->state == TCPS_CLOSE_WAIT)
		tcp_set_state(lc, pcb, TCPS_LAST_ACK);
	else if (pcb->state != TCPS_SYN_RCVD && pcb->state != TCPS_SYN_SENT)
		return;
	pcb->fin_queued = true;
	tcp_output_mark(lc, pcb, TCP_OUT_DATA);
}

void
tcp_usr_abort(struct lcore *lc, struct tcp_pcb *pcb, int err)
{
	switch (pcb->state) {
	case TCPS_SYN_RCVD:
	case TCPS_ESTABLISHED:
	case TCPS_FIN_WAIT_1:
	case TCPS_FIN_WAIT_2:
	case TCPS_CLOSE_WAIT:
		tcp_out_rst(lc, pcb);
		break;
	default:
		break;
	}
	tcp_pcb_end(lc, pcb, err);
}

/* RFC 7413: data are on their way before the connection is there, so they may have an end too. */
static bool
has_given(const struct tcp_pcb *pcb)
{
	return pcb->state == TCPS_SYN_SENT && buf_end(&pcb->snd) > 0;
}

static int
usr_shutdown(struct lcore *lc, struct sock *s, int how)
{
	struct tcp_pcb *pcb = s->pcb;

	if (how != SHUT_RD && how != SHUT_WR && how != SHUT_RDWR)
		return -EINVAL;
	if (pcb->state <= TCPS_SYN_SENT && !has_given(pcb))
		return -ENOTCONN;
	if (how != SHUT_WR)
		pcb->rd_shut = true;
	if (how != SHUT_RD)
		tcp_usr_fin(lc, pcb);
	tcp_wake(lc, pcb);
	return 0;
}

/* RFC 9293 s3.10.4 for a connection; its socket is gone already. */
static void
close_conn(struct lcore *lc, struct tcp_pcb *pcb, bool abortive)
{
	if (pcb->state == TCPS_TIME_WAIT) {
		buf_clear(lc, &pcb->rcv);
		tcp_pcb_lend(lc, pcb);
		return;
	}
	/* RFC 2525 s2.17: data that nobody read are not acknowledged by a FIN. */
	if (abortive || buf_len(&pcb->rcv) > 0 ||
		(pcb->state == TCPS_SYN_SENT && !has_given(pcb))) {
		tcp_usr_abort(lc, pcb, 0);
		return;
	}
	tcp_usr_fin(lc, pcb);
	if (pcb->state == TCPS_FIN_WAIT_2)
		tcp_tmr_fin_wait_2(lc, pcb);
}

static void
usr_close(struct lcore *lc, struct sock *s)
{
	struct tcp_pcb *pcb = s->pcb;
	bool abortive = s->linger_s == 0;

	if (pcb == NULL)
		return;
	tcp_more_free(lc, s);
	s->pcb = NULL;
	pcb->s = NULL;
	unbind(pcb);
	if (pcb->state == TCPS_LISTEN)
		tcp_listen_end(lc, pcb);
	if (pcb->state == TCPS_CLOSED)
		tcp_pcb_free(lc, pcb);
	else
		close_conn(lc, pcb, abortive);
	tcp_reap(lc);
}

static int
usr_local(struct lcore *lc, struct sock *s, struct sock_addr *a)
{
	const struct tcp_pcb *pcb = s->pcb;

	(void)lc;
	*a = (struct sock_addr){.addr = pcb->fe.key.local, .port = pcb->fe.key.lport};
	return 0;
}

static int
usr_remote(struct lcore *lc, struct sock *s, struct sock_addr *a)
{
	const struct tcp_pcb *pcb = s->pcb;

	(void)lc;
	if (pcb->state <= TCPS_SYN_SENT)
		return -ENOTCONN;
	*a = (struct sock_addr){.addr = pcb->fe.key.remote, .port = pcb->fe.key.rport};
	return 0;
}

static bool
is_writable(struct lcore *lc, struct tcp_pcb *pcb)
{
	if (pcb->fin_queued)
		return true;
	/* A third of the buffer: otherwise every ACK would wake the writer for a few bytes. */
	if (buf_room(&pcb->snd) < RTE_MAX(pcb->snd.limit_bytes / 3, 1u))
		tcp_tune_snd(lc, pcb);
	if (buf_room(&pcb->snd) < RTE_MAX(pcb->snd.limit_bytes / 3, 1u))
		return false;
	note_want(lc, pcb);
	return buf_can_append(lc, &pcb->snd);
}

/* SO_RCVLOWAT, and never more than the buffer can come to hold. */
static uint32_t
lowat(const struct tcp_pcb *pcb)
{
	const struct tcp_more *m = pcb->s->more;

	return m == NULL ? 1 : RTE_MIN(m->lowat_bytes, RTE_MAX(pcb->rcv.limit_bytes / 2, 1u));
}

static uint32_t
ready_open(struct lcore *lc, struct tcp_pcb *pcb)
{
	uint32_t ev = 0;

	if (buf_len(&pcb->rcv) >= lowat(pcb) || pcb->rcv_fin || pcb->rd_shut)
		ev |= TL_EV_IN;
	if (pcb->rcv_fin || pcb->rd_shut)
		ev |= TL_EV_RDHUP;
	if (is_writable(lc, pcb))
		ev |= TL_EV_OUT;
	if (pcb->fin_queued && pcb->rcv_fin)
		ev |= TL_EV_HUP;
	return ev;
}

static struct latch *
usr_latch(struct sock *s)
{
	struct tcp_pcb *pcb = s->pcb;

	return &pcb->latch;
}

static uint32_t
usr_ready(struct lcore *lc, struct sock *s)
{
	struct tcp_pcb *pcb = s->pcb;
	uint32_t ev = s->so_error != 0 ? TL_EV_ERR | TL_EV_IN | TL_EV_OUT : 0;

	if (latch_has_event(&pcb->latch))
		ev |= TL_EV_LATCH;
	switch (pcb->state) {
	case TCPS_CLOSED:
		if (pcb->was_open)
			ev |= TL_EV_IN | TL_EV_OUT | TL_EV_HUP | TL_EV_RDHUP;
		return ev;
	case TCPS_LISTEN:
		return pcb->ready_n > 0 ? ev | TL_EV_IN : ev;
	case TCPS_SYN_SENT:
	case TCPS_SYN_RCVD:
		return pcb->tfo_wait ? ev | TL_EV_OUT : ev;
	default:
		return ev | ready_open(lc, pcb);
	}
}

const struct sock_ops tcp_sock_ops = {
	.open = usr_open,
	.bind = usr_bind,
	.listen = usr_listen,
	.accept = usr_accept,
	.connect = usr_connect,
	.send = usr_send,
	.send_to = usr_send_to,
	.recv = usr_recv,
	.send_zc = tcp_zc_send,
	.peek = tcp_zc_peek,
	.release = tcp_zc_release,
	.shutdown = usr_shutdown,
	.close = usr_close,
	.setopt = tcp_opt_set,
	.getopt = tcp_opt_get,
	.local = usr_local,
	.remote = usr_remote,
	.latch = usr_latch,
	.ready = usr_ready,
};
