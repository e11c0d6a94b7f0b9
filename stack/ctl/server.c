/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * server.c - the socket of the control socket: one thread that listens, reads and writes.
 *
 * It runs beside the workers while the stack exists, if [control] socket names a path. Who may
 * speak: root, and the user that runs the stack.
 */
#include "stack/ctl/ctl.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <openssl/crypto.h>
#include <rte_common.h>
#include <rte_lcore.h>

#include "stack/base/log.h"
#include "stack/run/run.h"

LOG_MODULE(ctl, NOTICE);

enum { TICK_MS = 10, BACKLOG = 8 };

struct server {
	struct ctl *k;
	struct tl_stack *s;
	int fd;
	pthread_t thread;
	_Atomic bool stop;
	struct sockaddr_un at;
	struct ctl_client *client[CTL_CLIENTS];
	uint32_t nb_clients;
	_Alignas(8) uint8_t buf[CTL_REQUEST_MAX + 8];
};

static uint64_t
now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

/* ---- the listener ---- */

/* True if a socket file is there and nobody listens at it. */
static bool
is_stale(const struct sockaddr_un *at)
{
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	struct stat st;
	bool stale;

	if (fd < 0)
		return false;
	stale = lstat(at->sun_path, &st) == 0 && S_ISSOCK(st.st_mode) &&
		connect(fd, (const struct sockaddr *)at, sizeof(*at)) != 0 && errno == ECONNREFUSED;
	close(fd);
	return stale;
}

static int
bind_at(int fd, const struct sockaddr_un *at)
{
	int rc = bind(fd, (const struct sockaddr *)at, sizeof(*at));

	if (rc != 0 && errno == EADDRINUSE && is_stale(at)) {
		unlink(at->sun_path);
		rc = bind(fd, (const struct sockaddr *)at, sizeof(*at));
	}
	return rc;
}

/* The mode of the descriptor is that of the file from its first moment, whatever the umask is. */
static int
listen_at(struct server *v, struct tl_error *e)
{
	v->fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (v->fd < 0 || fchmod(v->fd, 0600) != 0)
		return conf_fail(e, NULL, "[control] socket: %s", strerror(errno));
	if (bind_at(v->fd, &v->at) == 0) {
		if (chmod(v->at.sun_path, 0600) == 0 && listen(v->fd, BACKLOG) == 0)
			return 0;
		unlink(v->at.sun_path);
	}
	conf_fail(e, NULL, "[control] socket: %s: %s", v->at.sun_path,
		errno == EADDRINUSE ? "another process listens there, or it is no socket"
				    : strerror(errno));
	close(v->fd);
	v->fd = -1;
	return -EINVAL;
}

/* ---- clients ---- */

/* False: the client is gone. What finds no room in its socket stays queued. */
static bool
send_all(struct ctl_client *c)
{
	struct ctl_dgram *d;

	while ((d = ctl_client_next(c)) != NULL) {
		if (send(c->fd, d->data, d->len, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0) {
			free(d);
			continue;
		}
		if (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR) {
			ctl_client_unget(c, d);
			return true;
		}
		free(d);
		return false;
	}
	return true;
}

/* A client is heard when it has read its answers: they need no bound of their own. */
static bool
receive(struct server *v, struct ctl_client *c)
{
	ssize_t n = recv(c->fd, v->buf, sizeof(v->buf), MSG_DONTWAIT);

	if (n < 0)
		return errno == EAGAIN || errno == EINTR;
	if (n == 0)
		return false;
	ctl_request(c, v->buf, (size_t)n);
	return true;
}

static bool
may_speak(int fd)
{
	struct ucred u;
	socklen_t len = sizeof(u);

	return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &u, &len) == 0 && len == sizeof(u) &&
	       (u.uid == 0 || u.uid == geteuid());
}

/* What it sent already is taken out, or the kernel would reset the connection before it reads why.
 */
static void
client_refuse(struct server *v, struct ctl_client *c)
{
	ctl_client_refuse(c, -EPERM, "only root and the user that runs the stack may speak");
	send_all(c);
	shutdown(c->fd, SHUT_RD);
	while (recv(c->fd, v->buf, sizeof(v->buf), MSG_DONTWAIT) > 0)
		;
	OPENSSL_cleanse(v->buf, sizeof(v->buf));
	close(c->fd);
	ctl_client_close(c);
}

static void
client_add(struct server *v, int fd)
{
	struct ctl_client *c = ctl_client_open(v->k, fd);

	if (c == NULL) {
		LOG(WARNING, "more than %u clients", CTL_CLIENTS);
		close(fd);
		return;
	}
	if (!may_speak(fd)) {
		client_refuse(v, c);
		return;
	}
	v->client[v->nb_clients++] = c;
}

static void
client_drop(struct server *v, uint32_t i)
{
	close(v->client[i]->fd);
	ctl_client_close(v->client[i]);
	v->client[i] = v->client[--v->nb_clients];
}

/* ---- the thread ---- */

static bool
has_output(struct server *v, const struct ctl_client *c)
{
	bool any;

	control_lock(v->s);
	any = c->head != NULL || c->dump.row != NULL;
	control_unlock(v->s);
	return any;
}

static bool
serve(struct server *v, struct ctl_client *c, short revents)
{
	if ((revents & (POLLERR | POLLNVAL)) != 0)
		return false;
	if (!send_all(c))
		return false;
	if (has_output(v, c))
		return (revents & POLLHUP) == 0;
	if ((revents & (POLLIN | POLLHUP)) != 0 && !receive(v, c))
		return false;
	return send_all(c);
}

static void
turn(struct server *v)
{
	struct pollfd p[CTL_CLIENTS + 1];
	uint32_t n = v->nb_clients;
	int fd;

	for (uint32_t i = 0; i < n; i++)
		p[i] = (struct pollfd){.fd = v->client[i]->fd,
			.events = has_output(v, v->client[i]) ? POLLOUT : POLLIN};
	p[n] = (struct pollfd){.fd = v->fd, .events = POLLIN};
	if (poll(p, n + 1, TICK_MS) < 0)
		return;
	ctl_tick(v->k, now_ns());
	for (uint32_t i = n; i-- > 0;) {
		if (!serve(v, v->client[i], p[i].revents))
			client_drop(v, i);
	}
	if ((p[n].revents & POLLIN) == 0)
		return;
	fd = accept4(v->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (fd >= 0)
		client_add(v, fd);
}

static void *
run(void *arg)
{
	struct server *v = arg;

	while (!atomic_load_explicit(&v->stop, memory_order_acquire))
		turn(v);
	return NULL;
}

static void
server_stop(void *arg)
{
	struct server *v = arg;

	atomic_store_explicit(&v->stop, true, memory_order_release);
	pthread_join(v->thread, NULL);
	while (v->nb_clients > 0)
		client_drop(v, v->nb_clients - 1);
	close(v->fd);
	unlink(v->at.sun_path);
	ctl_free(v->k);
	free(v);
}

static int
server_start(struct tl_stack *s, void **out, struct tl_error *e)
{
	struct server *v;
	int rc;

	if (s->conf.control_socket[0] == '\0')
		return 0;
	v = calloc(1, sizeof(*v));
	if (v == NULL)
		return -ENOMEM;
	v->s = s;
	v->at.sun_family = AF_UNIX;
	strcpy(v->at.sun_path, s->conf.control_socket);
	rc = listen_at(v, e);
	if (rc != 0)
		goto no_socket;
	rc = ctl_new(s, &v->k);
	if (rc != 0)
		goto no_ctl;
	rc = rte_ctrl_thread_create(&v->thread, "tl-control", NULL, run, v);
	if (rc != 0)
		goto no_thread;
	*out = v;
	return 0;
no_thread:
	conf_fail(e, NULL, "[control] socket: the thread cannot start");
	ctl_free(v->k);
no_ctl:
	close(v->fd);
	unlink(v->at.sun_path);
no_socket:
	free(v);
	return rc;
}

static const struct run_service service = {.start = server_start, .stop = server_stop};

RTE_INIT(ctl_server_register)
{
	run_service_register(&service);
}
