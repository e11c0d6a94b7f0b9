/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * roles.c - echo, discard and source on the socket calls, one set for each worker.
 *
 * Also the shortest complete example of a program on taglatch: open, watch, wait, act.
 */
#include "apps/roles.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "stack/include/tl_ipsec.h"
#include "stack/include/tl_sock.h"

/* How long an IPv6 address is tried at most before it is ours (RFC 4862 s5.4). */
#define DAD_WAIT_NS UINT64_C(4000000000)

enum { CONN_BUF = 64 * 1024, EVENTS = 64 };

struct conn {
	int fd;
	bool listening;
	enum role_kind kind;
	union end peer;
	uint64_t rx_bytes, tx_bytes, goal;
	size_t held, at; /* echo: bytes of buf that were received and not yet sent */
	struct conn *next;
	uint8_t buf[CONN_BUF];
};

struct role_worker {
	uint32_t opened; /* roles */
	uint64_t first_ns;
	struct conn *conns;
};

int
roles_add(struct roles *r, const struct role *one)
{
	if (r->n == ROLES_MAX)
		return -ENOSPC;
	r->role[r->n++] = *one;
	return 0;
}

int
roles_bind(struct roles *r, struct tl_stack *s)
{
	r->nb_workers = tl_nb_workers(s);
	r->worker = calloc(r->nb_workers, sizeof(*r->worker));
	if (r->worker == NULL)
		return -ENOMEM;
	for (unsigned int i = 0; i < r->nb_workers; i++) {
		r->worker[i] = calloc(1, sizeof(**r->worker));
		if (r->worker[i] == NULL)
			return -ENOMEM;
	}
	return 0;
}

void
roles_free(struct roles *r)
{
	for (unsigned int i = 0; r->worker != NULL && i < r->nb_workers; i++) {
		struct role_worker *rw = r->worker[i];

		while (rw != NULL && rw->conns != NULL) {
			struct conn *c = rw->conns;

			rw->conns = c->next;
			free(c);
		}
		free(rw);
	}
	free(r->worker);
	r->worker = NULL;
}

static struct conn *
conn_new(struct tl_worker *w, struct role_worker *rw, int fd, enum role_kind kind, uint32_t events)
{
	struct conn *c = calloc(1, sizeof(*c));

	if (c == NULL) {
		tl_close(w, fd);
		return NULL;
	}
	c->fd = fd;
	c->kind = kind;
	c->next = rw->conns;
	rw->conns = c;
	tl_watch(w, fd, events, c);
	return c;
}

static void
conn_end(struct tl_worker *w, struct role_worker *rw, struct conn *c)
{
	struct conn **pp;

	for (pp = &rw->conns; *pp != c; pp = &(*pp)->next)
		;
	*pp = c->next;
	tl_close(w, c->fd);
	free(c);
}

/* What the application is told when its connection ends, and why, by its latch. */
static void
report(struct tl_worker *w, const struct conn *c, int err)
{
	struct tl_latch_info info = {0};
	socklen_t len = sizeof(info);
	char peer[END_TEXT];

	tl_getsockopt(w, c->fd, SOL_TL_IPSEC, TL_LATCH_INFO, &info, &len);
	printf("%s: ended (%s), received %lu, sent %lu bytes; latch %s, reason %s\n",
		end_text(&c->peer, peer), err == 0 ? "orderly close" : strerrorname_np(err),
		(unsigned long)c->rx_bytes, (unsigned long)c->tx_bytes,
		tl_latch_state_name(info.state), tl_latch_reason_name(info.reason));
	fflush(stdout);
}

static void
open_listener(struct tl_worker *w, struct role_worker *rw, const struct role *r)
{
	int fd = tl_socket(w, r->addr.sa.sa_family, SOCK_STREAM, 0), qlen = 64;

	/* RFC 7413, if the configuration allows it. */
	if (fd >= 0)
		tl_setsockopt(w, fd, IPPROTO_TCP, TCP_FASTOPEN, &qlen, sizeof(qlen));
	if (fd < 0 || tl_bind(w, fd, &r->addr.sa, sizeof(r->addr)) != 0 ||
		tl_listen(w, fd, 1024) != 0) {
		printf("cannot listen on port %u: %s\n", ntohs(r->addr.in.sin_port),
			strerror(errno));
		if (fd >= 0)
			tl_close(w, fd);
		return;
	}
	struct conn *c = conn_new(w, rw, fd, r->kind, TL_EV_IN);

	if (c != NULL)
		c->listening = true;
}

/* False: our own IPv6 address is still being tried (RFC 4862 s5.4), so it is too early. */
static bool
open_source(struct tl_worker *w, struct role_worker *rw, const struct role *r)
{
	int fd = tl_socket(w, r->addr.sa.sa_family, SOCK_STREAM, 0), on = 1;
	struct conn *c;

	if (fd < 0)
		return true;
	/* It speaks first, as RFC 7413 needs it. */
	tl_setsockopt(w, fd, IPPROTO_TCP, TCP_FASTOPEN_CONNECT, &on, sizeof(on));
	if (tl_connect(w, fd, &r->addr.sa, sizeof(r->addr)) != 0 && errno != EINPROGRESS) {
		bool early = errno == EADDRNOTAVAIL && tl_now_ns(w) - rw->first_ns < DAD_WAIT_NS;
		char to[END_TEXT];

		if (!early)
			printf("%s: cannot connect: %s\n", end_text(&r->addr, to), strerror(errno));
		tl_close(w, fd);
		return !early;
	}
	c = conn_new(w, rw, fd, r->kind, TL_EV_OUT);
	if (c == NULL)
		return true;
	c->peer = r->addr;
	c->goal = r->bytes;
	for (size_t i = 0; i < sizeof(c->buf); i++)
		c->buf[i] = (uint8_t)i;
	return true;
}

static void
accept_all(struct tl_worker *w, struct role_worker *rw, struct conn *l)
{
	for (;;) {
		union end peer;
		socklen_t len = sizeof(peer);
		int fd = tl_accept(w, l->fd, &peer.sa, &len);
		struct conn *c;

		if (fd < 0)
			return;
		c = conn_new(w, rw, fd, l->kind, TL_EV_IN);
		if (c != NULL)
			c->peer = peer;
	}
}

/* Returns false when the connection is over. */
static bool
give_held(struct tl_worker *w, struct conn *c)
{
	while (c->held > 0) {
		ssize_t n = tl_send(w, c->fd, c->buf + c->at, c->held, 0);

		if (n < 0) {
			if (errno == EAGAIN)
				break;
			report(w, c, errno);
			return false;
		}
		c->at += (size_t)n;
		c->held -= (size_t)n;
		c->tx_bytes += (uint64_t)n;
	}
	tl_watch(w, c->fd, c->held > 0 ? TL_EV_OUT : TL_EV_IN, c);
	return true;
}

static bool
receive(struct tl_worker *w, struct conn *c)
{
	while (c->held == 0) {
		ssize_t n = tl_recv(w, c->fd, c->buf, sizeof(c->buf), 0);

		if (n < 0 && errno == EAGAIN)
			return true;
		if (n <= 0) {
			report(w, c, n < 0 ? errno : 0);
			return false;
		}
		c->rx_bytes += (uint64_t)n;
		if (c->kind != ROLE_ECHO)
			continue;
		c->at = 0;
		c->held = (size_t)n;
		if (!give_held(w, c))
			return false;
	}
	return true;
}

static bool
produce(struct tl_worker *w, struct conn *c)
{
	while (c->tx_bytes < c->goal) {
		size_t want = c->goal - c->tx_bytes;
		ssize_t n;

		if (want > sizeof(c->buf))
			want = sizeof(c->buf);
		n = tl_send(w, c->fd, c->buf, want, 0);
		if (n < 0) {
			if (errno == EAGAIN)
				return true;
			report(w, c, errno);
			return false;
		}
		c->tx_bytes += (uint64_t)n;
	}
	report(w, c, 0);
	return false;
}

static void
act(struct tl_worker *w, struct role_worker *rw, struct conn *c, uint32_t events)
{
	bool goes_on = true;
	int err = 0;
	socklen_t len = sizeof(err);

	if (c->listening) {
		accept_all(w, rw, c);
		return;
	}
	if ((events & TL_EV_ERR) != 0) {
		tl_getsockopt(w, c->fd, SOL_SOCKET, SO_ERROR, &err, &len);
		report(w, c, err);
		conn_end(w, rw, c);
		return;
	}
	if (c->kind == ROLE_SOURCE)
		goes_on = produce(w, c);
	else if (c->held > 0)
		goes_on = give_held(w, c);
	if (goes_on && c->kind != ROLE_SOURCE)
		goes_on = receive(w, c);
	if (!goes_on)
		conn_end(w, rw, c);
}

static bool
open_role(struct tl_worker *w, struct role_worker *rw, const struct role *r)
{
	if (rw->first_ns == 0)
		rw->first_ns = tl_now_ns(w);
	if (r->kind == ROLE_SOURCE)
		return tl_worker_id(w) != 0 || open_source(w, rw, r);
	open_listener(w, rw, r);
	return true;
}

void
roles_turn(struct tl_worker *w, void *arg)
{
	struct roles *r = arg;
	struct role_worker *rw = r->worker[tl_worker_id(w)];
	struct tl_event ev[EVENTS];
	int n;

	while (rw->opened < r->n && open_role(w, rw, &r->role[rw->opened]))
		rw->opened++;
	n = tl_wait(w, ev, EVENTS);
	for (int i = 0; i < n; i++)
		act(w, rw, ev[i].udata, ev[i].events);
}
