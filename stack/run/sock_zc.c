/* SPDX-License-Identifier: BSD-3-Clause */
/* sock_zc.c - the public calls that lend memory instead of copying it. */
#include <errno.h>

#include "stack/base/buf.h"
#include "stack/include/tl_sock.h"
#include "stack/run/run.h"
#include "stack/run/sock_int.h"

int
tl_send_zc(struct tl_worker *w, int fd, const void *mem, size_t len, uint64_t cookie)
{
	struct lcore *lc = lc_of(w);
	struct sock *s = sock_of(lc, fd);

	if (s == NULL)
		return sock_result_int(-EBADF);
	if (s->ops->send_zc == NULL)
		return sock_result_int(-EOPNOTSUPP);
	return sock_result_int(s->ops->send_zc(lc, s, mem, len, cookie));
}

int
tl_send_done(struct tl_worker *w, struct tl_done *done, int max)
{
	int n = 0;

	while (n < max && buf_note_done(lc_of(w), &done[n].cookie, &done[n].error))
		n++;
	return n;
}

int
tl_recv_peek(struct tl_worker *w, int fd, struct tl_piece *piece, int max)
{
	struct lcore *lc = lc_of(w);
	struct sock *s = sock_of(lc, fd);

	if (s == NULL)
		return sock_result_int(-EBADF);
	if (s->ops->peek == NULL)
		return sock_result_int(-EOPNOTSUPP);
	return sock_result_int(s->ops->peek(lc, s, piece, max));
}

int
tl_recv_release(struct tl_worker *w, int fd, size_t bytes)
{
	struct lcore *lc = lc_of(w);
	struct sock *s = sock_of(lc, fd);

	if (s == NULL)
		return sock_result_int(-EBADF);
	if (s->ops->release == NULL)
		return sock_result_int(-EOPNOTSUPP);
	return sock_result_int(s->ops->release(lc, s, bytes));
}
