/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/util/vnet_app.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>

enum { EVENTS = 16, PIECE_MAX = 16384 };

/* Byte `off` of a stream. */
void (*app_prepare)(struct tl_worker *w, int fd, bool listener);

static uint8_t
stream_byte(uint64_t stream, uint64_t off)
{
	uint64_t z = stream + (off >> 3) * UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z ^= z >> 31;
	return (uint8_t)(z >> (off & 7) * 8);
}

static struct tl_worker *
worker_of_end(const struct app_end *e)
{
	return e->w;
}

static void
watch(struct app_end *e)
{
	uint32_t ev = 0;

	if (e->state == APP_OPENING || (e->tx_off < e->tx_goal && !e->hold))
		ev |= TL_EV_OUT;
	if (!e->paused && !e->eof)
		ev |= TL_EV_IN;
	/* Zero would hide errors too. */
	tl_watch(worker_of_end(e), e->fd, ev == 0 ? TL_EV_ERR : ev, e);
}

void
app_latch(const struct app_end *e, struct tl_latch_info *info)
{
	socklen_t len = sizeof(*info);

	memset(info, 0, sizeof(*info));
	ck_assert_int_eq(
		tl_getsockopt(worker_of_end(e), e->fd, SOL_TL_IPSEC, TL_LATCH_INFO, info, &len), 0);
}

const char *
app_tcp_state(const struct app_end *e, char out[32])
{
	socklen_t len = 32;

	ck_assert_int_eq(
		tl_getsockopt(worker_of_end(e), e->fd, IPPROTO_TCP, TL_TCP_STATE, out, &len), 0);
	return out;
}

static void
over(struct app_end *e, enum app_state state, int err)
{
	if (e->fd >= 0) {
		app_latch(e, &e->info);
		tl_close(worker_of_end(e), e->fd);
		vnet_touch(e->node);
	}
	e->fd = -1;
	e->err = err;
	e->state = state;
	if (state == APP_DONE)
		e->app->completed++;
}

void
app_abort(struct app_end *e)
{
	struct linger l = {.l_onoff = 1};

	if (e->fd >= 0)
		tl_setsockopt(worker_of_end(e), e->fd, SOL_SOCKET, SO_LINGER, &l, sizeof(l));
	over(e, APP_FAILED, ETIME);
}

static void
resume(struct vnet *v, void *arg)
{
	struct app_end *e = arg;

	(void)v;
	e->paused = false;
	if (e->fd < 0)
		return;
	watch(e);
	vnet_touch(e->node);
}

static void
maybe_pause(struct app_end *e)
{
	struct vnet *v = e->app->v;

	if (!vnet_chance(v, e->pause_chance))
		return;
	e->paused = true;
	vnet_alarm(v, VNET_MS * vnet_below(v, 3000), resume, e);
}

static void
check_bytes(struct app_end *e, const uint8_t *p, size_t n)
{
	const struct app_end *peer = &e->conn->end[e == &e->conn->end[0]];

	for (size_t i = 0; i < n; i++) {
		VNET_CHECK(p[i] == stream_byte(peer->stream, e->rx_off + i),
			"seed %lu: connection %u: wrong byte at offset %lu",
			(unsigned long)e->app->v->seed, e->conn->id,
			(unsigned long)(e->rx_off + i));
	}
	e->rx_off += n;
	VNET_CHECK(e->rx_off <= e->rx_goal, "seed %lu: more than was sent",
		(unsigned long)e->app->v->seed);
}

/* False: the end is over. */
static bool
read_all(struct app_end *e)
{
	uint8_t buf[PIECE_MAX];

	while (!e->paused && !e->eof) {
		size_t want = 1 + vnet_below(e->app->v, e->piece);
		int flags = vnet_chance(e->app->v, VNET_SCALE / 20) ? MSG_PEEK : 0;
		ssize_t n = tl_recv(worker_of_end(e), e->fd, buf, want, flags);

		if (n < 0 && errno == EAGAIN)
			return true;
		if (n < 0) {
			over(e, APP_FAILED, errno);
			return false;
		}
		if (n > 0 && flags != 0)
			continue;
		e->eof = n == 0;
		check_bytes(e, buf, (size_t)n);
		maybe_pause(e);
	}
	return true;
}

static bool
write_some(struct app_end *e)
{
	uint8_t buf[PIECE_MAX];

	while (e->tx_off < e->tx_goal && !e->hold) {
		size_t want = 1 + vnet_below(e->app->v, e->piece);
		ssize_t n;

		if (want > e->tx_goal - e->tx_off)
			want = e->tx_goal - e->tx_off;
		for (size_t i = 0; i < want; i++)
			buf[i] = stream_byte(e->stream, e->tx_off + i);
		n = tl_send(worker_of_end(e), e->fd, buf, want, 0);
		if (n < 0 && errno == EAGAIN)
			return true;
		if (n < 0) {
			over(e, APP_FAILED, errno);
			return false;
		}
		e->tx_off += (uint64_t)n;
	}
	return true;
}

/* The orderly end: everything was said, and everything heard. */
static void
maybe_close(struct app_end *e)
{
	if (e->tx_off < e->tx_goal || e->hold)
		return;
	if (e->eof) {
		ck_assert_msg(e->rx_off == e->rx_goal, "seed %lu: end of stream at %lu of %lu",
			(unsigned long)e->app->v->seed, (unsigned long)e->rx_off,
			(unsigned long)e->rx_goal);
		over(e, APP_DONE, 0);
	} else if (e->closes_first && !e->shut) {
		e->shut = true;
		tl_shutdown(worker_of_end(e), e->fd, SHUT_WR);
	}
}

static void
work(struct app_end *e)
{
	if (!write_some(e) || !read_all(e))
		return;
	maybe_close(e);
	if (e->fd >= 0)
		watch(e);
}

static void
end_event(struct app_end *e, uint32_t events)
{
	int err = 0;
	socklen_t len = sizeof(err);

	if (e->fd < 0)
		return;
	if ((events & TL_EV_ERR) != 0) {
		tl_getsockopt(worker_of_end(e), e->fd, SOL_SOCKET, SO_ERROR, &err, &len);
		if (err != 0) {
			over(e, APP_FAILED, err);
			return;
		}
	}
	if (e->state == APP_OPENING) {
		if ((events & TL_EV_OUT) == 0)
			return;
		e->state = APP_OPEN;
	}
	work(e);
}

/* ---- opening ---- */

static void
end_options(struct app_end *e)
{
	int on = e->nodelay;

	if (e->nodelay)
		ck_assert_int_eq(tl_setsockopt(worker_of_end(e), e->fd, IPPROTO_TCP, TCP_NODELAY,
					 &on, sizeof(on)),
			0);
}

/* Large enough for both families; the port is at the same place in both. */
static struct sockaddr_in6
address(const struct vnet_node *n)
{
	struct sockaddr_in6 a = {.sin6_family = AF_INET6, .sin6_port = htons(APP_PORT)};

	if (n->v->ip6) {
		a.sin6_addr.s6_addr[0] = 0xfd;
		a.sin6_addr.s6_addr[15] = (uint8_t)n->ip;
	} else {
		struct sockaddr_in in = {.sin_family = AF_INET,
			.sin_port = htons(APP_PORT),
			.sin_addr = {.s_addr = htonl(n->ip)}};

		memcpy(&a, &in, sizeof(in));
	}
	return a;
}

static void
open_now(struct vnet *v, void *arg)
{
	struct app_conn *c = arg;
	struct app_end *e = &c->end[0];
	struct sockaddr_in6 to = address(c->end[1].node), me;
	struct tl_worker *w = worker_of_end(e);
	socklen_t len = sizeof(me);

	(void)v;
	e->fd = tl_socket(w, to.sin6_family, SOCK_STREAM, 0);
	ck_assert_int_ge(e->fd, TL_FD_BASE);
	end_options(e);
	/* Where the net allows it; who says nothing first must not. */
	if (e->tx_goal > 0 && !e->hold)
		tl_setsockopt(w, e->fd, IPPROTO_TCP, TCP_FASTOPEN_CONNECT, &(int){1}, sizeof(int));
	if (app_prepare != NULL)
		app_prepare(w, e->fd, false);
	e->state = APP_OPENING;
	if (tl_connect(w, e->fd, (struct sockaddr *)&to, sizeof(to)) != 0 && errno != EINPROGRESS) {
		over(e, APP_FAILED, errno);
		return;
	}
	ck_assert_int_eq(tl_getsockname(w, e->fd, (struct sockaddr *)&me, &len), 0);
	c->lport = ntohs(me.sin6_port);
	watch(e);
	vnet_touch(e->node);
}

static struct app_end *
acceptor(struct app_listener *l, uint16_t port)
{
	for (uint32_t i = 0; i < l->app->nb_conns; i++) {
		struct app_conn *c = &l->app->conn[i];

		if (c->lport == port && c->end[1].node == l->node && c->end[1].state == APP_IDLE)
			return &c->end[1];
	}
	return NULL;
}

static void
accept_all(struct app_listener *l)
{
	for (;;) {
		struct sockaddr_in6 peer;
		socklen_t len = sizeof(peer);
		int fd = tl_accept(l->w, l->fd, (struct sockaddr *)&peer, &len);
		struct app_end *e;

		if (fd < 0 && errno == ECONNABORTED) {
			l->app->aborted_in_queue++;
			continue;
		}
		if (fd < 0)
			return;
		e = acceptor(l, ntohs(peer.sin6_port));
		if (e == NULL) { /* of nobody here: the test's own */
			tl_close(l->w, fd);
			continue;
		}
		e->fd = fd;
		e->w = l->w;
		e->state = APP_OPEN;
		end_options(e);
		work(e);
	}
}

static void
app_turn(struct tl_worker *w, void *arg)
{
	struct app *a = arg;
	struct tl_event ev[EVENTS];
	int n = tl_wait(w, ev, EVENTS);

	for (int i = 0; i < n; i++) {
		uint32_t k = 0;

		while (k < a->nb_lsns && ev[i].udata != &a->lsn[k])
			k++;
		if (k < a->nb_lsns)
			accept_all(&a->lsn[k]);
		else
			end_event(ev[i].udata, ev[i].events);
	}
	if (n == EVENTS) {
		for (unsigned int i = 0; i < a->v->nb_nodes; i++)
			vnet_touch(&a->v->node[i]);
	}
}

static void
listen_on(struct app *a, struct vnet_node *n, struct tl_worker *w)
{
	struct app_listener *l = &a->lsn[a->nb_lsns++];
	struct sockaddr_in6 me = address(n);

	*l = (struct app_listener){.app = a, .node = n, .w = w};
	l->fd = tl_socket(w, me.sin6_family, SOCK_STREAM, 0);
	ck_assert_int_ge(l->fd, TL_FD_BASE);
	ck_assert_int_eq(tl_bind(w, l->fd, (struct sockaddr *)&me, sizeof(me)), 0);
	tl_setsockopt(w, l->fd, IPPROTO_TCP, TCP_FASTOPEN, &(int){4}, sizeof(int));
	if (app_prepare != NULL)
		app_prepare(w, l->fd, true);
	ck_assert_int_eq(tl_listen(w, l->fd, 8), 0);
	tl_watch(w, l->fd, TL_EV_IN, l);
	tl_set_turn_fn(w, app_turn, a);
}

void
app_start(struct app *a, struct vnet *v)
{
	memset(a, 0, sizeof(*a));
	a->v = v;
	for (unsigned int i = 0; i < v->nb_nodes; i++) {
		struct vnet_node *n = &v->node[i];

		for (unsigned int w = 0; n->s != NULL && w < n->nb_workers; w++)
			listen_on(a, n, tl_worker(n->s, w));
	}
}

void
app_stop(struct app *a)
{
	for (uint32_t i = 0; i < a->nb_lsns; i++) {
		tl_close(a->lsn[i].w, a->lsn[i].fd);
		vnet_touch(a->lsn[i].node);
	}
}

static void
end_init(struct app *a, struct app_conn *c, struct app_end *e, struct vnet_node *n)
{
	*e = (struct app_end){.app = a,
		.conn = c,
		.node = n,
		.w = tl_worker(n->s, 0),
		.fd = -1,
		.piece = 4096,
		.stream = vnet_rnd(a->v)};
}

struct app_conn *
app_connect(struct app *a, struct vnet_node *from, struct vnet_node *to, uint64_t delay_ns,
	uint64_t tx, uint64_t rx)
{
	struct app_conn *c = &a->conn[a->nb_conns];

	ck_assert_uint_lt(a->nb_conns, APP_CONNS);
	c->id = a->nb_conns++;
	end_init(a, c, &c->end[0], from);
	end_init(a, c, &c->end[1], to);
	c->end[0].tx_goal = c->end[1].rx_goal = tx;
	c->end[1].tx_goal = c->end[0].rx_goal = rx;
	c->end[0].closes_first = true;
	vnet_alarm(a->v, delay_ns, open_now, c);
	return c;
}

void
app_release(struct app_conn *c)
{
	for (int i = 0; i < 2; i++) {
		c->end[i].hold = false;
		if (c->end[i].fd < 0)
			continue;
		work(&c->end[i]);
		vnet_touch(c->end[i].node);
	}
}

bool
app_end_is_over(const struct app_end *e)
{
	return e->state == APP_DONE || e->state == APP_FAILED;
}

bool
app_conn_is_over(const struct app_conn *c)
{
	if (c->end[0].state == APP_FAILED && c->end[1].state == APP_IDLE)
		return true;
	return app_end_is_over(&c->end[0]) && app_end_is_over(&c->end[1]);
}

bool
app_all_over(void *app)
{
	const struct app *a = app;

	for (uint32_t i = 0; i < a->nb_conns; i++) {
		if (!app_conn_is_over(&a->conn[i]))
			return false;
	}
	return true;
}

bool
app_conn_open(void *conn)
{
	const struct app_conn *c = conn;

	return c->end[0].state == APP_OPEN && c->end[1].state == APP_OPEN;
}
