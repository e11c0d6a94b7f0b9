/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * sock.c - the public socket calls and the table of a worker's sockets.
 *
 * A descriptor is a generation (1 to 127) above 24 bits of slot, so it is never below TL_FD_BASE
 * and one that was closed is found out when its slot has been used again.
 */
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "stack/base/assert.h"
#include "stack/include/tl_sock.h"
#include "stack/run/run.h"
#include "stack/run/sock_int.h"
#include "sctp/sctp.h"
#include "stack/udp/udp.h"
#include "tcp/tcp.h"

enum { FD_SLOT_BITS = 24, FD_GEN_MAX = 127 };

struct sock_ctx {
	struct sock *slot;
	uint32_t max;
	uint32_t *free_list;
	uint32_t nb_free;
	uint32_t free_at; /* the list is a ring: a slot rests as long as possible */
	struct sock *ready_head, *ready_tail; /* those that may have something to say */
};

int
sock_create(struct lcore *lc, uint32_t max)
{
	struct sock_ctx *c = calloc(1, sizeof(*c));

	if (c == NULL)
		return -ENOMEM;
	lc->sock = c;
	c->slot = calloc(max, sizeof(*c->slot));
	c->free_list = calloc(max, sizeof(*c->free_list));
	if (c->slot == NULL || c->free_list == NULL)
		return -ENOMEM;
	c->max = max;
	for (uint32_t i = 0; i < max; i++) {
		c->slot[i].index = i;
		c->slot[i].gen = 1;
		c->free_list[i] = i;
	}
	c->nb_free = max;
	return 0;
}

void
sock_destroy(struct lcore *lc)
{
	struct sock_ctx *c = lc->sock;

	if (c == NULL)
		return;
	for (uint32_t i = 0; i < c->max; i++) {
		if (c->slot[i].ops != NULL)
			c->slot[i].ops->close(lc, &c->slot[i]);
	}
	free(c->slot);
	free(c->free_list);
	free(c);
	lc->sock = NULL;
}

static int
fd_of(const struct sock *s)
{
	return (int)((uint32_t)s->gen << FD_SLOT_BITS | s->index);
}

struct sock *
sock_of(struct lcore *lc, int fd)
{
	uint32_t slot = (uint32_t)fd & ((1u << FD_SLOT_BITS) - 1);
	struct sock *s;

	if (fd < TL_FD_BASE || slot >= lc->sock->max)
		return NULL;
	s = &lc->sock->slot[slot];
	return s->ops != NULL && fd_of(s) == fd ? s : NULL;
}

static struct sock *
sock_alloc(struct lcore *lc)
{
	struct sock_ctx *c = lc->sock;
	struct sock *s;

	if (c->nb_free == 0)
		return NULL;
	s = &c->slot[c->free_list[c->free_at]];
	c->free_at = (c->free_at + 1) % c->max;
	c->nb_free--;
	*s = (struct sock){.index = s->index,
		.gen = s->gen,
		.domain = AF_INET,
		.type = SOCK_STREAM,
		.protocol = IPPROTO_N_TCP,
		.linger_s = -1};
	return s;
}

static void
ready_unlink(struct sock_ctx *c, struct sock *s)
{
	struct sock **pp, *prev = NULL;

	if (!s->on_ready)
		return;
	for (pp = &c->ready_head; *pp != s; pp = &(*pp)->ready_next)
		prev = *pp;
	*pp = s->ready_next;
	if (c->ready_tail == s)
		c->ready_tail = prev;
	s->on_ready = false;
}

static void
sock_free(struct lcore *lc, struct sock *s)
{
	struct sock_ctx *c = lc->sock;

	ready_unlink(c, s);
	s->ops = NULL;
	s->pcb = NULL;
	s->gen = s->gen == FD_GEN_MAX ? 1 : (uint8_t)(s->gen + 1);
	c->free_list[(c->free_at + c->nb_free++) % c->max] = s->index;
}

static void
ready_append(struct sock_ctx *c, struct sock *s)
{
	s->ready_next = NULL;
	if (c->ready_head == NULL)
		c->ready_head = s;
	else
		c->ready_tail->ready_next = s;
	c->ready_tail = s;
	s->on_ready = true;
}

void
sock_wake(struct lcore *lc, struct sock *s)
{
	if (!s->on_ready && s->watch != 0)
		ready_append(lc->sock, s);
}

static int
addr_in_4(const struct sockaddr *sa, socklen_t len, struct sock_addr *out)
{
	struct sockaddr_in in;

	if (len < sizeof(in))
		return -EINVAL;
	memcpy(&in, sa, sizeof(in));
	out->addr = ip_addr_v4(in.sin_addr.s_addr);
	out->port = in.sin_port;
	return 0;
}

/* RFC 3493 s3.3: the scope names the port of a link-local address; with one port it may be 0. */
static int
set_scope(const struct lcore *lc, struct ip_addr *a, uint32_t scope_id)
{
	if (!ip_addr_is_link_local(a))
		return 0;
	if (a->b[2] != 0 || a->b[3] != 0)
		return -EINVAL;
	if (scope_id == 0 && lc->nb_ports == 1)
		scope_id = 1;
	if (scope_id == 0 || scope_id > lc->nb_ports)
		return -EINVAL;
	ip_addr_set_scope(a, (uint8_t)(scope_id - 1));
	return 0;
}

static int
addr_in_6(const struct lcore *lc, const struct sock *s, const struct sockaddr *sa, socklen_t len,
	struct sock_addr *out)
{
	struct sockaddr_in6 in6;

	if (len < sizeof(in6))
		return -EINVAL;
	memcpy(&in6, sa, sizeof(in6));
	memcpy(out->addr.b, &in6.sin6_addr, sizeof(out->addr.b));
	out->port = in6.sin6_port;
	/* RFC 3493 s5.3 */
	if (ip_addr_is_v4(&out->addr) && s->v6only)
		return -EINVAL;
	return set_scope(lc, &out->addr, in6.sin6_scope_id);
}

int
sock_addr_in(const struct lcore *lc, const struct sock *s, const struct sockaddr *sa, socklen_t len,
	struct sock_addr *out)
{
	sa_family_t family;

	if (sa == NULL || len < sizeof(family))
		return -EINVAL;
	memcpy(&family, &sa->sa_family, sizeof(family));
	if (family != s->domain)
		return len < sizeof(struct sockaddr_in) ? -EINVAL : -EAFNOSUPPORT;
	return family == AF_INET ? addr_in_4(sa, len, out) : addr_in_6(lc, s, sa, len, out);
}

/* RFC 3493 s3.7: an IPv4 peer of an AF_INET6 socket has its mapped address, which is how we keep
 * it anyway. */
void
sock_addr_out(const struct sock *s, const struct sock_addr *a, struct sockaddr *sa, socklen_t *len)
{
	struct sockaddr_in in = {.sin_family = AF_INET,
		.sin_port = a->port,
		.sin_addr.s_addr = ip_addr_to_v4(&a->addr)};
	struct sockaddr_in6 in6 = {.sin6_family = AF_INET6,
		.sin6_port = a->port,
		.sin6_scope_id = ip_addr_scope(&a->addr)};
	struct ip_addr wire = ip_addr_wire(&a->addr);
	bool v4 = s->domain == AF_INET;
	size_t n = v4 ? sizeof(in) : sizeof(in6);

	if (sa == NULL || len == NULL)
		return;
	memcpy(&in6.sin6_addr, wire.b, sizeof(wire.b));
	memcpy(sa, v4 ? (const void *)&in : (const void *)&in6, RTE_MIN((size_t)*len, n));
	*len = (socklen_t)n;
}

struct transport {
	int type;
	uint8_t protocol;
	const struct sock_ops *ops;
};

static const struct transport *
transport_of(int type, int protocol)
{
	static const struct transport all[] = {
		{SOCK_STREAM, IPPROTO_N_TCP, &tcp_sock_ops},
		{SOCK_DGRAM, IPPROTO_N_UDP, &udp_sock_ops},
		{SOCK_STREAM, IPPROTO_N_SCTP, &sctp_sock_ops}, /* by name only */
	};

	for (size_t i = 0; i < RTE_DIM(all); i++) {
		if (all[i].type == type && (protocol == 0 || protocol == all[i].protocol))
			return &all[i];
	}
	return NULL;
}

int
tl_socket(struct tl_worker *w, int domain, int type, int protocol)
{
	struct lcore *lc = lc_of(w);
	const struct transport *t;
	struct sock *s;
	int rc;

	if (domain != AF_INET && domain != AF_INET6)
		return sock_result_int(-EAFNOSUPPORT);
	t = transport_of(type, protocol);
	if (t == NULL)
		return sock_result_int(-EPROTONOSUPPORT);
	s = sock_alloc(lc);
	if (s == NULL)
		return sock_result_int(-EMFILE);
	s->domain = (uint8_t)domain;
	s->type = (uint8_t)type;
	s->protocol = t->protocol;
	s->ops = t->ops;
	rc = s->ops->open(lc, s);
	if (rc != 0) {
		sock_free(lc, s);
		return sock_result_int(rc);
	}
	return fd_of(s);
}

int
tl_bind(struct tl_worker *w, int fd, const struct sockaddr *addr, socklen_t len)
{
	struct lcore *lc = lc_of(w);
	struct sock *s = sock_of(lc, fd);
	struct sock_addr a;
	int rc;

	if (s == NULL)
		return sock_result_int(-EBADF);
	rc = sock_addr_in(lc, s, addr, len, &a);
	return sock_result_int(rc != 0 ? rc : s->ops->bind(lc, s, &a));
}

int
tl_listen(struct tl_worker *w, int fd, int backlog)
{
	struct lcore *lc = lc_of(w);
	struct sock *s = sock_of(lc, fd);

	return sock_result_int(s == NULL ? -EBADF : s->ops->listen(lc, s, backlog));
}

int
tl_accept(struct tl_worker *w, int fd, struct sockaddr *addr, socklen_t *len)
{
	struct lcore *lc = lc_of(w);
	struct sock *s = sock_of(lc, fd), *child;
	struct sock_addr a;
	int rc;

	if (s == NULL)
		return sock_result_int(-EBADF);
	child = sock_alloc(lc);
	if (child == NULL)
		return sock_result_int(-EMFILE);
	child->ops = s->ops;
	child->domain = s->domain;
	child->v6only = s->v6only;
	child->rcvtimeo_ms = s->rcvtimeo_ms;
	child->sndtimeo_ms = s->sndtimeo_ms;
	rc = s->ops->accept(lc, s, child);
	if (rc != 0) {
		sock_free(lc, child);
		return sock_result_int(rc);
	}
	if (addr != NULL && child->ops->remote(lc, child, &a) == 0)
		sock_addr_out(child, &a, addr, len);
	return fd_of(child);
}

/* POSIX: the null address ends the connection of a datagram socket. */
static bool
is_disconnect(const struct sock *s, const struct sockaddr *addr, socklen_t len)
{
	sa_family_t family;

	if (s->type != SOCK_DGRAM || addr == NULL || len < sizeof(family))
		return false;
	memcpy(&family, &addr->sa_family, sizeof(family));
	return family == AF_UNSPEC;
}

int
tl_connect(struct tl_worker *w, int fd, const struct sockaddr *addr, socklen_t len)
{
	struct lcore *lc = lc_of(w);
	struct sock *s = sock_of(lc, fd);
	struct sock_addr a;
	int rc;

	if (s == NULL)
		return sock_result_int(-EBADF);
	if (is_disconnect(s, addr, len))
		return sock_result_int(s->ops->connect(lc, s, NULL));
	rc = sock_addr_in(lc, s, addr, len, &a);
	return sock_result_int(rc != 0 ? rc : s->ops->connect(lc, s, &a));
}

ssize_t
sock_result(ssize_t n)
{
	if (n >= 0)
		return n;
	errno = (int)-n;
	return -1;
}

ssize_t
tl_send(struct tl_worker *w, int fd, const void *buf, size_t len, int flags)
{
	struct lcore *lc = lc_of(w);
	struct sock *s = sock_of(lc, fd);

	return sock_result(s == NULL ? -EBADF : s->ops->send(lc, s, buf, len, flags));
}

ssize_t
tl_recv(struct tl_worker *w, int fd, void *buf, size_t len, int flags)
{
	struct lcore *lc = lc_of(w);
	struct sock *s = sock_of(lc, fd);

	return sock_result(s == NULL ? -EBADF : s->ops->recv(lc, s, buf, len, flags));
}

int
tl_shutdown(struct tl_worker *w, int fd, int how)
{
	struct lcore *lc = lc_of(w);
	struct sock *s = sock_of(lc, fd);

	return sock_result_int(s == NULL ? -EBADF : s->ops->shutdown(lc, s, how));
}

int
tl_close(struct tl_worker *w, int fd)
{
	struct lcore *lc = lc_of(w);
	struct sock *s = sock_of(lc, fd);

	if (s == NULL)
		return sock_result_int(-EBADF);
	s->ops->close(lc, s);
	sock_free(lc, s);
	return 0;
}

int
tl_setsockopt(struct tl_worker *w, int fd, int level, int opt, const void *val, socklen_t len)
{
	struct lcore *lc = lc_of(w);
	struct sock *s = sock_of(lc, fd);

	if (s == NULL)
		return sock_result_int(-EBADF);
	if (sock_is_timeo(level, opt))
		return sock_result_int(sock_timeo_set(s, opt, val, len));
	return sock_result_int(s->ops->setopt(lc, s, level, opt, val, len));
}

int
tl_getsockopt(struct tl_worker *w, int fd, int level, int opt, void *val, socklen_t *len)
{
	struct lcore *lc = lc_of(w);
	struct sock *s = sock_of(lc, fd);

	if (s == NULL)
		return sock_result_int(-EBADF);
	if (sock_is_timeo(level, opt))
		return sock_result_int(sock_timeo_get(s, opt, val, len));
	return sock_result_int(s->ops->getopt(lc, s, level, opt, val, len));
}

static int
name_of(struct tl_worker *w, int fd, bool remote, struct sockaddr *addr, socklen_t *len)
{
	struct lcore *lc = lc_of(w);
	struct sock *s = sock_of(lc, fd);
	struct sock_addr a;
	int rc;

	if (s == NULL)
		return sock_result_int(-EBADF);
	rc = remote ? s->ops->remote(lc, s, &a) : s->ops->local(lc, s, &a);
	if (rc == 0)
		sock_addr_out(s, &a, addr, len);
	return sock_result_int(rc);
}

int
tl_getsockname(struct tl_worker *w, int fd, struct sockaddr *addr, socklen_t *len)
{
	return name_of(w, fd, false, addr, len);
}

int
tl_getpeername(struct tl_worker *w, int fd, struct sockaddr *addr, socklen_t *len)
{
	return name_of(w, fd, true, addr, len);
}

int
tl_watch(struct tl_worker *w, int fd, uint32_t events, void *udata)
{
	struct lcore *lc = lc_of(w);
	struct sock *s = sock_of(lc, fd);

	if (s == NULL)
		return sock_result_int(-EBADF);
	s->watch = events == 0 ? 0 : events | TL_EV_ERR | TL_EV_HUP;
	s->udata = udata;
	if (events == 0)
		ready_unlink(lc->sock, s);
	else
		sock_wake(lc, s); /* it may be ready already */
	return 0;
}

/* Asks each socket on the list once; those still ready go to its end, the others leave it. */
int
tl_wait(struct tl_worker *w, struct tl_event *ev, int max)
{
	struct lcore *lc = lc_of(w);
	struct sock_ctx *c = lc->sock;
	struct sock *last = c->ready_tail;
	int n = 0;

	while (n < max && c->ready_head != NULL) {
		struct sock *s = c->ready_head;
		uint32_t now = s->ops->ready(lc, s) & s->watch;

		c->ready_head = s->ready_next;
		s->on_ready = false;
		if (now != 0) {
			ev[n++] =
				(struct tl_event){.fd = fd_of(s), .events = now, .udata = s->udata};
			ready_append(c, s);
		}
		if (s == last)
			break;
	}
	return n;
}

int
tl_latch_event(struct tl_worker *w, int fd, struct tl_latch_event *ev)
{
	struct lcore *lc = lc_of(w);
	struct sock *s = sock_of(lc, fd);

	return sock_result_int(s == NULL ? -EBADF : latch_event_next(s->ops->latch(s), ev));
}
