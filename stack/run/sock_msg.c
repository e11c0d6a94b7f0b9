/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * sock_msg.c - the public calls with addresses, vectors and ancillary data.
 *
 * A datagram socket takes a message as a whole; a stream takes its pieces one after the other.
 */
#include <errno.h>
#include <string.h>
#include <sys/uio.h>

#include "stack/include/tl_ipsec.h"
#include "stack/include/tl_sock.h"
#include "stack/run/run.h"
#include "stack/run/sock_int.h"

enum { IOV_MOST = 1024 };

static ssize_t
stream_send(struct lcore *lc, struct sock *s, const struct sock_msg *msg, int flags)
{
	ssize_t done = 0;

	for (size_t i = 0; i < msg->nb_iov; i++) {
		const struct iovec *v = &msg->iov[i];
		ssize_t n;

		if (v->iov_len == 0 && msg->nb_iov > 1)
			continue;
		n = s->ops->send(lc, s, v->iov_base, v->iov_len, flags);
		if (n < 0)
			return done > 0 ? done : n;
		done += n;
		if ((size_t)n < v->iov_len)
			break;
	}
	return done;
}

/* What is only looked at comes in one piece: the next one would be the same again. */
static ssize_t
stream_recv(struct lcore *lc, struct sock *s, const struct sock_msg *msg, int flags)
{
	ssize_t done = 0;

	for (size_t i = 0; i < msg->nb_iov; i++) {
		const struct iovec *v = &msg->iov[i];
		ssize_t n;

		if (v->iov_len == 0 && msg->nb_iov > 1)
			continue;
		n = s->ops->recv(lc, s, v->iov_base, v->iov_len, flags);
		if (n < 0)
			return done > 0 ? done : n;
		done += n;
		if ((size_t)n < v->iov_len || (flags & MSG_PEEK) != 0)
			break;
	}
	return done;
}

/* As much as the first piece has: more would need an answer first. */
static ssize_t
stream_open(struct lcore *lc, struct sock *s, const struct sock_msg *msg)
{
	if (s->ops->send_to == NULL)
		return -EOPNOTSUPP;
	if (!msg->has_addr)
		return -EDESTADDRREQ;
	if (msg->nb_iov == 0)
		return -EINVAL;
	return s->ops->send_to(lc, s, &msg->addr, msg->iov[0].iov_base, msg->iov[0].iov_len);
}

static ssize_t
msg_send(struct lcore *lc, struct sock *s, const struct sock_msg *msg, int flags)
{
	if (s->ops->sendmsg != NULL)
		return s->ops->sendmsg(lc, s, msg, flags);
	return (flags & MSG_FASTOPEN) != 0 ? stream_open(lc, s, msg)
					   : stream_send(lc, s, msg, flags);
}

static ssize_t
msg_recv(struct lcore *lc, struct sock *s, struct sock_msg *msg, int flags)
{
	if (s->ops->recvmsg != NULL)
		return s->ops->recvmsg(lc, s, msg, flags);
	msg->control_len = 0;
	return stream_recv(lc, s, msg, flags);
}

/* E.2: what tl_latch_event() gives, for programs that know poll() only. */
static ssize_t
event_recv(struct sock *s, struct sock_msg *msg)
{
	struct tl_latch_event ev;
	const uint8_t *p = (const uint8_t *)&ev;
	size_t left = sizeof(ev);

	msg->control_len = 0;
	if (latch_event_next(s->ops->latch(s), &ev) == 0)
		return -EAGAIN;
	for (size_t i = 0; i < msg->nb_iov && left > 0; i++) {
		size_t n = RTE_MIN(left, msg->iov[i].iov_len);

		if (n > 0)
			memcpy(msg->iov[i].iov_base, p, n);
		p += n;
		left -= n;
	}
	msg->flags |= MSG_ERRQUEUE | (left > 0 ? MSG_TRUNC : 0);
	return (ssize_t)(sizeof(ev) - left);
}

/* A stream has its address already, and ignores one as POSIX lets it. */
static int
take_addr(const struct lcore *lc, const struct sock *s, const struct sockaddr *to, socklen_t len,
	int flags, struct sock_msg *msg)
{
	if (to == NULL || (s->ops->sendmsg == NULL && (flags & MSG_FASTOPEN) == 0))
		return 0;
	msg->has_addr = true;
	return sock_addr_in(lc, s, to, len, &msg->addr);
}

ssize_t
tl_sendto(struct tl_worker *w, int fd, const void *buf, size_t len, int flags,
	const struct sockaddr *to, socklen_t to_len)
{
	struct lcore *lc = lc_of(w);
	struct sock *s = sock_of(lc, fd);
	struct iovec iov = {.iov_base = (void *)(uintptr_t)buf, .iov_len = len};
	struct sock_msg msg = {.iov = &iov, .nb_iov = 1};
	int rc;

	if (s == NULL)
		return sock_result(-EBADF);
	rc = take_addr(lc, s, to, to_len, flags, &msg);
	return sock_result(rc != 0 ? rc : msg_send(lc, s, &msg, flags));
}

ssize_t
tl_recvfrom(struct tl_worker *w, int fd, void *buf, size_t len, int flags, struct sockaddr *from,
	socklen_t *from_len)
{
	struct lcore *lc = lc_of(w);
	struct sock *s = sock_of(lc, fd);
	struct iovec iov = {.iov_base = buf, .iov_len = len};
	struct sock_msg msg = {.iov = &iov, .nb_iov = 1};
	ssize_t n;

	if (s == NULL)
		return sock_result(-EBADF);
	n = msg_recv(lc, s, &msg, flags);
	if (n >= 0 && msg.has_addr)
		sock_addr_out(s, &msg.addr, from, from_len);
	else if (n >= 0 && from_len != NULL)
		*from_len = 0;
	return sock_result(n);
}

static int
take_msg(const struct msghdr *h, struct sock_msg *msg)
{
	if (h->msg_iovlen > IOV_MOST)
		return -EMSGSIZE;
	*msg = (struct sock_msg){.iov = h->msg_iov,
		.nb_iov = h->msg_iovlen,
		.control = h->msg_control,
		.control_len = h->msg_controllen};
	return 0;
}

ssize_t
tl_sendmsg(struct tl_worker *w, int fd, const struct msghdr *h, int flags)
{
	struct lcore *lc = lc_of(w);
	struct sock *s = sock_of(lc, fd);
	struct sock_msg msg;
	int rc;

	if (s == NULL)
		return sock_result(-EBADF);
	rc = take_msg(h, &msg);
	if (rc == 0)
		rc = take_addr(lc, s, h->msg_name, h->msg_namelen, flags, &msg);
	/* No control message means anything to a stream. */
	if (rc == 0 && s->ops->sendmsg == NULL && h->msg_controllen > 0)
		rc = -EINVAL;
	return sock_result(rc != 0 ? rc : msg_send(lc, s, &msg, flags));
}

ssize_t
tl_recvmsg(struct tl_worker *w, int fd, struct msghdr *h, int flags)
{
	struct lcore *lc = lc_of(w);
	struct sock *s = sock_of(lc, fd);
	struct sock_msg msg;
	ssize_t n;

	if (s == NULL)
		return sock_result(-EBADF);
	n = take_msg(h, &msg);
	if (n != 0)
		return sock_result(n);
	n = (flags & MSG_ERRQUEUE) != 0 ? event_recv(s, &msg) : msg_recv(lc, s, &msg, flags);
	if (n < 0)
		return sock_result(n);
	if (msg.has_addr)
		sock_addr_out(s, &msg.addr, h->msg_name, &h->msg_namelen);
	else
		h->msg_namelen = 0;
	h->msg_controllen = msg.control_len;
	h->msg_flags = msg.flags;
	return n;
}
