/* SPDX-License-Identifier: BSD-3-Clause */
/* sock_sctp.c - the public calls of SCTP sockets that POSIX does not have (RFC 6458 s9). */
#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#include "sctp/sctp.h"
#include "stack/include/tl_sctp.h"
#include "stack/include/tl_sock.h"
#include "stack/run/run.h"
#include "stack/run/sock_int.h"

/* NULL and *rc: it is none. */
static struct sock *
sctp_sock_of(struct lcore *lc, int fd, int *rc)
{
	struct sock *s = sock_of(lc, fd);

	*rc = s == NULL ? -EBADF : s->ops != &sctp_sock_ops ? -EOPNOTSUPP : 0;
	return *rc == 0 ? s : NULL;
}

ssize_t
tl_sctp_sendmsg(struct tl_worker *w, int fd, const void *buf, size_t len, uint32_t ppid,
	uint32_t flags, uint16_t stream)
{
	struct lcore *lc = lc_of(w);
	struct tl_sctp_sndrcvinfo info = {.stream = stream, .flags = (uint16_t)flags, .ppid = ppid};
	int rc;
	struct sock *s = sctp_sock_of(lc, fd, &rc);

	return sock_result(s == NULL ? rc : sctp_usr_sendmsg(lc, s, buf, len, &info));
}

ssize_t
tl_sctp_recvmsg(struct tl_worker *w, int fd, void *buf, size_t len, struct tl_sctp_sndrcvinfo *info,
	int *flags)
{
	struct lcore *lc = lc_of(w);
	int rc, none = 0;
	struct sock *s = sctp_sock_of(lc, fd, &rc);

	return sock_result(
		s == NULL ? rc
			  : sctp_usr_recvmsg(lc, s, buf, len, info, flags == NULL ? &none : flags));
}

/* n addresses of the program. */
static int
take_addrs(const struct lcore *lc, const struct sock *s, const struct sockaddr_storage *addr, int n,
	struct sock_addr *out)
{
	int rc = n < 1 || n > SCTP_USR_ADDRS_MAX ? -EINVAL : 0;

	for (int i = 0; rc == 0 && i < n; i++)
		rc = sock_addr_in(
			lc, s, (const struct sockaddr *)&addr[i], sizeof(addr[i]), &out[i]);
	return rc;
}

int
tl_sctp_bindx(struct tl_worker *w, int fd, const struct sockaddr_storage *addr, int n)
{
	struct sock_addr a[SCTP_USR_ADDRS_MAX];
	struct lcore *lc = lc_of(w);
	int rc;
	struct sock *s = sctp_sock_of(lc, fd, &rc);

	if (s != NULL)
		rc = take_addrs(lc, s, addr, n, a);
	return sock_result_int(rc != 0 ? rc : sctp_usr_bindx(lc, s, a, (uint32_t)n));
}

int
tl_sctp_connectx(struct tl_worker *w, int fd, const struct sockaddr_storage *addr, int n)
{
	struct sock_addr a[SCTP_USR_ADDRS_MAX];
	struct lcore *lc = lc_of(w);
	int rc;
	struct sock *s = sctp_sock_of(lc, fd, &rc);

	if (s != NULL)
		rc = take_addrs(lc, s, addr, n, a);
	return sock_result_int(rc != 0 ? rc : sctp_usr_connectx(lc, s, a, (uint32_t)n));
}

int
tl_sctp_addrs(struct tl_worker *w, int fd, int remote, struct sockaddr_storage *addr, int max)
{
	struct sock_addr a[SCTP_USR_ADDRS_MAX];
	struct lcore *lc = lc_of(w);
	int rc;
	struct sock *s = sctp_sock_of(lc, fd, &rc);

	if (s == NULL)
		return sock_result_int(rc);
	rc = sctp_usr_addrs(lc, s, remote != 0, a, SCTP_USR_ADDRS_MAX);
	for (int i = 0; i < rc && i < max && i < (int)SCTP_USR_ADDRS_MAX; i++) {
		socklen_t len = sizeof(addr[i]);

		sock_addr_out(s, &a[i], (struct sockaddr *)&addr[i], &len);
	}
	return sock_result_int(rc);
}
