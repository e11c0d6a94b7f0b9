/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * @file tl_sock.h
 * Sockets of a worker: POSIX meanings, non-blocking, no system call.
 *
 * A socket belongs to the worker that made it; every call names that worker and is made by the
 * thread that drives it, from inside the callback of tl_run() or between two calls of tl_turn().
 * All calls return -1 and set errno on error, with the values that POSIX gives, unless said
 * otherwise. Descriptors are never below TL_FD_BASE, so they cannot be mistaken for the kernel's.
 */
#ifndef TAGLATCH_TL_SOCK_H
#define TAGLATCH_TL_SOCK_H

#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

struct tl_worker;

enum { TL_FD_BASE = 1 << 24 };

/** Readiness, as tl_wait() reports it and tl_watch() asks for it. ERR and HUP need not be asked. */
enum tl_event_bits {
	TL_EV_IN = 1u << 0,    /**< data, end of stream, an error, or a connection to accept */
	TL_EV_OUT = 1u << 1,   /**< room in the send buffer; connect() has ended */
	TL_EV_ERR = 1u << 2,   /**< SO_ERROR has something to say */
	TL_EV_HUP = 1u << 3,   /**< both directions are closed */
	TL_EV_RDHUP = 1u << 4, /**< the peer will send no more */
};

struct tl_event {
	int fd;
	uint32_t events; /**< TL_EV_* */
	void *udata;     /**< as given to tl_watch() */
};

/**
 * Makes a socket.
 * @param domain   AF_INET or AF_INET6; the latter takes and makes IPv4 connections too, with
 *   mapped addresses (::ffff:a.b.c.d), unless IPV6_V6ONLY is set (RFC 3493 s5.3)
 * @param type     SOCK_STREAM
 * @param protocol 0 or IPPROTO_TCP
 * @return a descriptor; EAFNOSUPPORT, EPROTONOSUPPORT, EMFILE
 */
int tl_socket(struct tl_worker *w, int domain, int type, int protocol);

/**
 * Names the local end. An address has the family of the socket (EAFNOSUPPORT). The sin6_scope_id of
 * a link-local address is the number of its port, counted from 1; with one port it may be 0.
 * EADDRNOTAVAIL if the address is not this stack's or is still being tried (RFC 4862 s5.4),
 * EADDRINUSE, EINVAL.
 */
int tl_bind(struct tl_worker *w, int fd, const struct sockaddr *addr, socklen_t len);

/** Waits for connections; backlog counts those that tl_accept() has not yet taken. */
int tl_listen(struct tl_worker *w, int fd, int backlog);

/** Takes the next connection. EAGAIN; ECONNABORTED if it ended in the queue (RFC 5660: F-32). */
int tl_accept(struct tl_worker *w, int fd, struct sockaddr *addr, socklen_t *len);

/**
 * Begins a connection and its latch (RFC 5660 s2.4).
 * @return -1 with EINPROGRESS; TL_EV_OUT tells the end and SO_ERROR the result. EACCES if policy
 *   says DISCARD, EHOSTUNREACH if policy says PROTECT and no SA fits, ENETUNREACH, EADDRINUSE;
 *   EADDRNOTAVAIL if the port has no assigned address yet, if no ephemeral port is left or, with
 * several workers, if the bound port would bring the peer's segments to another worker
 */
int tl_connect(struct tl_worker *w, int fd, const struct sockaddr *addr, socklen_t len);

/** Appends to the send buffer. @return bytes taken; EAGAIN, EPIPE (no signal), ECONNRESET. */
ssize_t tl_send(struct tl_worker *w, int fd, const void *buf, size_t len, int flags);

/** Takes from the receive buffer. @return bytes, 0 at the end of stream; EAGAIN. MSG_PEEK works. */
ssize_t tl_recv(struct tl_worker *w, int fd, void *buf, size_t len, int flags);

/** SHUT_RD, SHUT_WR or SHUT_RDWR. */
int tl_shutdown(struct tl_worker *w, int fd, int how);

/** Ends the descriptor. Data that was sent is still delivered (RFC 9293 s3.10.4), except with
 * SO_LINGER of 0 seconds or unread data, which abort (RFC 9293 s3.10.5, RFC 2525 s2.17). */
int tl_close(struct tl_worker *w, int fd);

/**
 * SOL_SOCKET: SO_REUSEADDR, SO_RCVBUF, SO_SNDBUF, SO_LINGER (get: also SO_ERROR, SO_TYPE,
 * SO_ACCEPTCONN); IPPROTO_TCP: TCP_NODELAY, TCP_MAXSEG (get: also TL_TCP_STATE, the name of the
 * state as a string); IPPROTO_IPV6: IPV6_V6ONLY, before tl_bind(); SOL_TL_IPSEC: see tl_ipsec.h.
 * Anything else is ENOPROTOOPT: no option is accepted and ignored.
 */
int tl_setsockopt(struct tl_worker *w, int fd, int level, int opt, const void *val, socklen_t len);
int tl_getsockopt(struct tl_worker *w, int fd, int level, int opt, void *val, socklen_t *len);

int tl_getsockname(struct tl_worker *w, int fd, struct sockaddr *addr, socklen_t *len);
int tl_getpeername(struct tl_worker *w, int fd, struct sockaddr *addr, socklen_t *len);

/** tl_getsockopt(IPPROTO_TCP): name of the RFC 9293 state as a string. */
enum { TL_TCP_STATE = 0x7401 };

/** Says which readiness tl_wait() reports for fd (0: none), and the word that comes with it. */
int tl_watch(struct tl_worker *w, int fd, uint32_t events, void *udata);

/**
 * Reports sockets that are ready now, level-triggered: a socket is reported on every call for as
 * long as it stays ready. Never waits.
 * @return number of entries filled, at most max
 */
int tl_wait(struct tl_worker *w, struct tl_event *ev, int max);

#ifdef __cplusplus
}
#endif

#endif
