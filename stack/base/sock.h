/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * sock.h - the socket object between the public calls and a transport.
 *
 * The table of sockets belongs to stack/run; a transport sees one object through its ops table
 * and reports readiness with sock_wake(). A socket belongs to one worker.
 */
#ifndef TL_BASE_SOCK_H
#define TL_BASE_SOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>

#include "stack/base/addr.h"

struct lcore;
struct sock;
struct latch;

struct sock_addr {
	struct ip_addr addr;
	rte_be16_t port;
};

struct iovec;
struct tl_piece;

/* One call of sendmsg() or recvmsg(). */
struct sock_msg {
	const struct iovec *iov;
	size_t nb_iov;
	struct sock_addr addr; /* send: where to; recv: from where */
	bool has_addr;
	void *control;
	size_t control_len; /* recv: out, what was filled */
	int flags;          /* recv, out: MSG_* */
};

/* All return 0 (or a count) or -errno. */
struct sock_ops {
	int (*open)(struct lcore *lc, struct sock *s);
	int (*bind)(struct lcore *lc, struct sock *s, const struct sock_addr *a);
	int (*listen)(struct lcore *lc, struct sock *s, int backlog);
	/* Moves the next ready connection into the fresh socket `child`. */
	int (*accept)(struct lcore *lc, struct sock *s, struct sock *child);
	/* a NULL: ends the connection of a datagram socket (AF_UNSPEC); streams never see it. */
	int (*connect)(struct lcore *lc, struct sock *s, const struct sock_addr *a);
	ssize_t (*send)(struct lcore *lc, struct sock *s, const void *buf, size_t len, int flags);
	/* MSG_FASTOPEN, of streams; NULL: there is none. */
	ssize_t (*send_to)(struct lcore *lc, struct sock *s, const struct sock_addr *a,
		const void *buf, size_t len);
	ssize_t (*recv)(struct lcore *lc, struct sock *s, void *buf, size_t len, int flags);
	/* Datagrams; NULL: send() and recv() piece by piece. */
	ssize_t (*sendmsg)(struct lcore *lc, struct sock *s, const struct sock_msg *msg, int flags);
	ssize_t (*recvmsg)(struct lcore *lc, struct sock *s, struct sock_msg *msg, int flags);
	/* Without copies, of streams; NULL: there is none. As tl_sock.h says. */
	int (*send_zc)(
		struct lcore *lc, struct sock *s, const void *mem, size_t len, uint64_t cookie);
	int (*peek)(struct lcore *lc, struct sock *s, struct tl_piece *piece, int max);
	int (*release)(struct lcore *lc, struct sock *s, size_t len);
	int (*shutdown)(struct lcore *lc, struct sock *s, int how);
	/* The socket object is gone afterwards; the transport may live on (FIN, TIME-WAIT). */
	void (*close)(struct lcore *lc, struct sock *s);
	int (*setopt)(struct lcore *lc, struct sock *s, int level, int opt, const void *val,
		socklen_t len);
	int (*getopt)(
		struct lcore *lc, struct sock *s, int level, int opt, void *val, socklen_t *len);
	int (*local)(struct lcore *lc, struct sock *s, struct sock_addr *a);
	int (*remote)(struct lcore *lc, struct sock *s, struct sock_addr *a);
	/* Its latch, whose events the program reads. */
	struct latch *(*latch)(struct sock *s);
	/* Readiness now, TL_EV_* bits. */
	uint32_t (*ready)(struct lcore *lc, struct sock *s);
};

struct sock {
	const struct sock_ops *ops; /* NULL: slot free */
	void *pcb;                  /* the transport's object; NULL until it has one */
	void *more;                 /* the transport's, of sockets that asked for it */
	struct sock *ready_next;    /* lc->sock's list of sockets with something to say */
	void *udata;
	uint32_t watch; /* TL_EV_* that tl_watch() asked for */
	uint32_t index;
	uint8_t gen; /* upper bits of the descriptor: a stale one is found out */
	uint8_t domain;
	uint8_t type;
	uint8_t protocol;
	bool on_ready;
	bool reuse_addr;
	bool reuse_port;
	bool rcvbuf_set; /* by the program: the stack keeps its hands off */
	bool sndbuf_set;
	bool v6only;    /* AF_INET6: no IPv4 (RFC 3493 s5.3) */
	int so_error;   /* positive errno, cleared by reading SO_ERROR */
	int soft_error; /* the same, told by SO_ERROR only and never by a call */
	uint32_t rcvbuf_bytes;
	uint32_t sndbuf_bytes;
	int linger_s;         /* -1: off */
	uint32_t rcvtimeo_ms; /* 0: none; of calls that block */
	uint32_t sndtimeo_ms;
};

/* The readiness of s may have changed: tl_wait() will ask ops->ready(). Cheap, idempotent. */
void sock_wake(struct lcore *lc, struct sock *s);

#endif
