/* SPDX-License-Identifier: BSD-3-Clause */
/* tlctl_wire.c - the socket: a request out, its answers in. */
#include "apps/tlctl.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/socket.h>
#include <sys/un.h>

void
complain(const char *fmt, ...)
{
	va_list ap;

	fputs("tlctl: ", stderr);
	va_start(ap, fmt);
	vfprintf(stderr, fmt, ap);
	va_end(ap);
	fputc('\n', stderr);
}

static void
explain_connect(const char *path, int error)
{
	const char *what = error == ENOENT ? "no stack listens there; expected the path of its "
					     "[control] socket after -s"
			   : error == ECONNREFUSED ? "no stack listens there any more, or it is no "
						     "socket"
			   : error == EACCES ? "only root and the user that runs the stack may "
					       "connect"
					     : strerror(error);

	complain("%s: %s", path, what);
}

void
wire_open(struct tlctl *t)
{
	struct sockaddr_un at = {.sun_family = AF_UNIX};

	if (strlen(t->path) >= sizeof(at.sun_path)) {
		complain("%s: expected a path of at most %zu characters", t->path,
			sizeof(at.sun_path) - 1);
		exit(TLCTL_USAGE);
	}
	strcpy(at.sun_path, t->path);
	t->fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	if (t->fd < 0 || connect(t->fd, (struct sockaddr *)&at, sizeof(at)) != 0) {
		explain_connect(t->path, errno);
		exit(TLCTL_REFUSED);
	}
}

struct nlmsghdr *
wire_begin(void *buf, uint16_t type, uint16_t flags, const void *head, size_t len)
{
	struct nlmsghdr *h = mnl_nlmsg_put_header(buf);

	h->nlmsg_type = type;
	h->nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags);
	if ((flags & NLM_F_DUMP) != NLM_F_DUMP)
		h->nlmsg_flags |= NLM_F_ACK;
	if (len > 0)
		memcpy(mnl_nlmsg_put_extra_header(h, len), head, len);
	return h;
}

/* ---- answers ---- */

static int
text_cb(const struct nlattr *a, void *arg)
{
	const struct nlattr **text = arg;

	if (mnl_attr_get_type(a) == NLMSGERR_ATTR_MSG)
		*text = a;
	return MNL_CB_OK;
}

/* 0 for an acknowledgement. */
static int
take_error(const struct nlmsghdr *h)
{
	const struct nlattr *text = NULL;
	struct nlmsgerr err;

	if (mnl_nlmsg_get_payload_len(h) < sizeof(err)) {
		complain("the answer is too short");
		return TLCTL_REFUSED;
	}
	memcpy(&err, mnl_nlmsg_get_payload(h), sizeof(err));
	if (err.error == 0)
		return 0;
	mnl_attr_parse(h, sizeof(err), text_cb, &text);
	if (text != NULL)
		complain("%.*s", (int)mnl_attr_get_payload_len(text), mnl_attr_get_str(text));
	else
		complain("%s", strerror(-err.error));
	return TLCTL_REFUSED;
}

static ssize_t
receive(const struct tlctl *t, void *buf)
{
	ssize_t n = recv(t->fd, buf, TLCTL_BUF, 0);

	if (n == 0)
		complain("the stack ended the conversation");
	else if (n < 0)
		complain("%s", strerror(errno));
	return n;
}

/* Returns whether the answer is complete, its result in *rc. */
static bool
take_answer(const struct nlmsghdr *h, uint32_t seq, wire_fn *fn, void *arg, int *rc)
{
	bool unasked = h->nlmsg_seq == 0 && h->nlmsg_type == NLMSG_ERROR; /* EPERM at connect */

	if (h->nlmsg_seq != seq && !unasked)
		return false;
	if (h->nlmsg_type == NLMSG_ERROR) {
		*rc = take_error(h);
		return true;
	}
	if (h->nlmsg_type == NLMSG_DONE)
		return true;
	if (fn != NULL)
		fn(h, arg);
	return false;
}

/* mnl_nlmsg_ok() takes lengths of 2^31 and more for good. */
static bool
is_whole(const struct nlmsghdr *h, int left)
{
	return mnl_nlmsg_ok(h, left) && h->nlmsg_len <= (uint32_t)left;
}

/* A stack that hangs up has said why before. */
static bool
may_say_why(int error)
{
	return error == EPIPE || error == ECONNREFUSED || error == ECONNRESET;
}

int
wire_ask(struct tlctl *t, struct nlmsghdr *h, wire_fn *fn, void *arg)
{
	uint8_t *buf = malloc(TLCTL_BUF);
	bool done = false;
	int rc = 0;

	h->nlmsg_seq = ++t->seq;
	if (buf == NULL)
		return TLCTL_REFUSED;
	if (send(t->fd, h, h->nlmsg_len, MSG_NOSIGNAL) < 0 && !may_say_why(errno)) {
		complain("%s", strerror(errno));
		rc = TLCTL_REFUSED;
	}
	while (!done && rc == 0) {
		ssize_t n = receive(t, buf);
		int left = (int)n;

		rc = n <= 0 ? TLCTL_REFUSED : 0;
		for (const struct nlmsghdr *a = (void *)buf; is_whole(a, left) && !done;
			a = mnl_nlmsg_next(a, &left))
			done = take_answer(a, t->seq, fn, arg, &rc);
	}
	free(buf);
	return rc;
}

int
wire_listen(struct tlctl *t, bool (*fn)(const struct nlmsghdr *h, void *arg), void *arg)
{
	uint8_t *buf = malloc(TLCTL_BUF);
	bool more = buf != NULL;
	ssize_t n = 1;

	while (more && (n = receive(t, buf)) > 0) {
		int left = (int)n;

		for (const struct nlmsghdr *a = (void *)buf; is_whole(a, left) && more;
			a = mnl_nlmsg_next(a, &left))
			more = fn(a, arg);
	}
	free(buf);
	return n <= 0 ? TLCTL_REFUSED : 0;
}
