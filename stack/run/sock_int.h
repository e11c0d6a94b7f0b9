/* SPDX-License-Identifier: BSD-3-Clause */
/* sock_int.h - what the files of the public socket calls share. */
#ifndef TL_RUN_SOCK_INT_H
#define TL_RUN_SOCK_INT_H

#include <sys/socket.h>

#include "stack/base/sock.h"

/* The socket of a descriptor, NULL if it is none of this worker's. */
struct sock *sock_of(struct lcore *lc, int fd);

/* Sets errno from a negative result; -1, or the result itself. */
ssize_t sock_result(ssize_t rc);

static inline int
sock_result_int(int rc)
{
	return (int)sock_result(rc);
}

/* An address of the program for s. Returns 0, -EINVAL or -EAFNOSUPPORT. */
int sock_addr_in(const struct lcore *lc, const struct sock *s, const struct sockaddr *sa,
	socklen_t len, struct sock_addr *out);

/* The other way; no effect if sa or len is NULL. */
void sock_addr_out(
	const struct sock *s, const struct sock_addr *a, struct sockaddr *sa, socklen_t *len);

/* sock_timeo.c: options of every transport; 0 or -errno. */
bool sock_is_timeo(int level, int opt);
int sock_timeo_set(struct sock *s, int opt, const void *val, socklen_t len);
int sock_timeo_get(struct sock *s, int opt, void *val, socklen_t *len);

#endif
