/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * @file tl_sock.h
 * Sockets of a worker: POSIX meanings, non-blocking, no system call.
 *
 * Threads: a socket belongs to the worker that made it (w below); every call names that worker and
 * is made by the thread that drives it, from inside the callback of tl_run() or tl_start(), or
 * between two calls of tl_turn(). No call locks, waits, or is safe from a signal handler. What a
 * call changed leaves with the rest of the turn, or with the next turn if none is under way.
 *
 * Errors: -1 with errno set; 0 is success where nothing else is said. Each call gives EBADF for a
 * descriptor that is none of w's, or that was closed; beside that the values named with each call.
 * An error of the connection (ECONNRESET, ECONNREFUSED, ETIMEDOUT, ...) is told once: by the next
 * tl_send() or tl_recv(), or by SO_ERROR. A latch that broke gives ECONNRESET; TL_LATCH_INFO of
 * tl_ipsec.h tells why.
 *
 * Descriptors are never below TL_FD_BASE, so they cannot be mistaken for the kernel's. Addresses,
 * ports and lengths are as in POSIX: struct sockaddr_in or sockaddr_in6 in network byte order, and
 * bytes. Buffers are read or filled before the call returns; none is kept.
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
	TL_EV_LATCH = 1u << 5, /**< tl_latch_event() has something to tell */
};

/** A socket that is ready. */
struct tl_event {
	int fd;          /**< of the worker that tl_wait() was called for */
	uint32_t events; /**< TL_EV_* */
	void *udata;     /**< as given to tl_watch() */
};

/**
 * Makes a socket.
 * @param domain   AF_INET or AF_INET6; the latter takes and makes IPv4 connections too, with
 *   mapped addresses (::ffff:a.b.c.d), unless IPV6_V6ONLY is set (RFC 3493 s5.3)
 * @param type     SOCK_STREAM or SOCK_DGRAM
 * @param protocol 0, or IPPROTO_TCP or IPPROTO_UDP as the type says; SOCK_STREAM and IPPROTO_SCTP
 *   make a one-to-one SCTP socket (tl_sctp.h)
 * @return a descriptor; or -1: EAFNOSUPPORT (domain), EPROTONOSUPPORT (type or protocol;
 * SOCK_NONBLOCK and SOCK_CLOEXEC are not known, sockets never block), EMFILE ([stack] sockets of
 * this worker are open), ENOBUFS (no control block is left)
 */
int tl_socket(struct tl_worker *w, int domain, int type, int protocol);

/**
 * Names the local end, once.
 * @param addr  of the socket's family; the wildcard address (any of this stack's) and port 0 (an
 *   ephemeral port) are allowed. The sin6_scope_id of a link-local address is the number of its
 *   port, counted from 1; with one port it may be 0
 * @param len   bytes at addr
 * @return 0; or -1: EAFNOSUPPORT (another family), EADDRNOTAVAIL (not an address of this stack, or
 *   still being tried, RFC 4862 s5.4), EADDRINUSE (a listener has it, or another socket
 *   unless both have SO_REUSEADDR, and neither if both have SO_REUSEPORT; or no ephemeral port is
 *   left; sockets of other workers are in nobody's way), EINVAL (bound before, connected
 * or listening; len too small; a scope that names no port; a mapped address where IPV6_V6ONLY is
 * set)
 */
int tl_bind(struct tl_worker *w, int fd, const struct sockaddr *addr, socklen_t len);

/**
 * Waits for connections; binds to an ephemeral port if tl_bind() was not called. Called again it
 * changes the backlog. Of several listeners on one local end (SO_REUSEPORT) each connection goes to
 * one, by a hash of its addresses and ports. If they want different protection (TL_LATCH_REQUEST),
 * it goes to one of those whose request it meets; if it meets none it is dropped. A listener of
 * another worker gets what arrives there.
 * @param backlog  how many connections may wait for tl_accept(); below 0 is 0
 * @return 0; or -1: EINVAL (connected, or was), EADDRINUSE (another listener has the port, or no
 *   ephemeral one is left)
 */
int tl_listen(struct tl_worker *w, int fd, int backlog);

/**
 * Takes the next connection. It has the options of the listener.
 * @param addr  NULL, or filled with the peer's address, cut to *len bytes
 * @param len   NULL if addr is; in: bytes at addr; out: bytes that the address has
 * @return a descriptor of the same worker; or -1: EAGAIN (none waits), ECONNABORTED (it ended, or
 *   its latch broke, while it waited: call again), EMFILE, EINVAL (not listening)
 */
int tl_accept(struct tl_worker *w, int fd, struct sockaddr *addr, socklen_t *len);

/**
 * Begins a connection and its latch (RFC 5660 s2.4). Returns 0 with TCP_FASTOPEN_CONNECT only:
 * there is no loopback, and a handshake needs turns. A socket whose connection ended may connect
 * again.
 * @param addr  of the peer, of the socket's family; scope as with tl_bind()
 * @param len   bytes at addr
 * @return -1: EINPROGRESS is success so far, TL_EV_OUT tells the end and SO_ERROR the result (0,
 *   ECONNREFUSED, ETIMEDOUT, ...). Or it did not begin: EACCES (policy says DISCARD, or the SA's
 *   identities are not known), EHOSTUNREACH
 *   (policy says PROTECT and no SA fits; an IKE daemon was asked for one), ENETUNREACH (no route,
 *   an address of this stack, broadcast or multicast), EADDRNOTAVAIL (port 0; the port has no
 *   assigned address yet; no ephemeral port is left; with several workers, the bound port would
 *   bring the peer's segments to another worker), EADDRINUSE (this very connection exists),
 *   EAFNOSUPPORT, EINVAL (len, scope, or IP versions of both ends differ), EALREADY (it is being
 *   opened), EISCONN, EOPNOTSUPP (listening)
 */
int tl_connect(struct tl_worker *w, int fd, const struct sockaddr *addr, socklen_t len);

/*
 * Datagrams. tl_connect() of a datagram socket returns 0 and latches its 5-tuple at once (RFC 5660
 * s5.2), or -1 with the errors above except EINPROGRESS, EALREADY and EISCONN; and EOPNOTSUPP (a
 * multicast group where policy or TL_LATCH_REQUEST want protection; other groups: ENETUNREACH).
 * Called again it ends the connection before, and its latch, unless it refuses the address itself;
 * a datagram that waits is kept if it could have come on the new connection. With AF_UNSPEC it only
 * ends it. When a latch ends, one call says so (ECONNRESET or TL_ELATCHBROKEN), later ones
 * ENOTCONN, until tl_connect(). A socket that has no port gets one when it sends.
 */

/**
 * Appends to the send buffer.
 * @param buf    is copied
 * @param len    bytes at buf; 0 is allowed and sends nothing
 * @param flags  0; MSG_DONTWAIT and MSG_NOSIGNAL say what holds anyway, MSG_OOB is refused, others
 *   are ignored
 * @return bytes taken, which may be fewer than len; or -1: EAGAIN (the buffer or the pool is full,
 *   or the connection is still being opened: wait for TL_EV_OUT), ENOTCONN (never connected, or
 *   listening), EPIPE (after tl_shutdown() or the end of the connection; there is no signal),
 *   EOPNOTSUPP, or the error of the connection
 */
ssize_t tl_send(struct tl_worker *w, int fd, const void *buf, size_t len, int flags);

/**
 * Takes from the receive buffer.
 * @param buf    is filled
 * @param len    bytes at buf
 * @param flags  0 or MSG_PEEK; MSG_OOB is refused, others are ignored (MSG_WAITALL too)
 * @return bytes, at most len; 0 at the end of the stream; or -1: EAGAIN (nothing yet), ENOTCONN
 *   (never connected, or listening), EINVAL (MSG_OOB), or the error of the connection, which comes
 *   before data that was not read
 */
ssize_t tl_recv(struct tl_worker *w, int fd, void *buf, size_t len, int flags);

/**
 * Sends from the program's own memory, which is read when segments leave, and again when they are
 * lost: it stays as it is until tl_send_done() tells the cookie, also after tl_close(). Streams
 * only. All of it is taken, in the order of other sends, or nothing.
 * @param mem     is only read
 * @param len     1 to the size of the send buffer, whose room it takes like any other byte
 * @param cookie  comes back; any number
 * @return 0; or -1: EAGAIN (the buffer has not so much room, or 4096 pieces of this worker are
 * under way), EMSGSIZE (SO_SNDBUF is smaller than that), EINVAL (len 0), EOPNOTSUPP (a datagram
 *   socket), and what tl_send() says of the connection
 */
int tl_send_zc(struct tl_worker *w, int fd, const void *mem, size_t len, uint64_t cookie);

/** Memory that tl_send_zc() took and the stack will not look at again. */
struct tl_done {
	uint64_t cookie;
	int error; /**< 0: the peer acknowledged every byte; ECANCELED: the connection ended before
		    */
};

/**
 * Tells which memory is the program's again, of all sockets of this worker, in the order in which
 * that happened. A program that uses tl_send_zc() calls it in each turn.
 * @param done  is filled
 * @param max   entries at done
 * @return number of entries filled, 0 to max
 */
int tl_send_done(struct tl_worker *w, struct tl_done *done, int max);

/** Bytes of a stream where the stack keeps them. */
struct tl_piece {
	const void *at;
	size_t bytes;
};

/**
 * Shows what was received, from the first byte that was not given back, without copying it. The
 * pieces stay as they are until tl_recv_release(), tl_close() or a new tl_connect(), whatever
 * becomes of the connection. They fill the receive buffer: the peer's window grows when they are
 * given back. A second call shows the same again, and what came since. tl_recv() is EBUSY
 * meanwhile, and tl_close() counts what was not given back as unread. Streams only.
 * @param piece  is filled
 * @param max    entries at piece, 1 or more
 * @return number of entries filled; 0 at the end of the stream; or -1: EAGAIN (nothing yet), EINVAL
 *   (max), EOPNOTSUPP (a datagram socket), ENOTCONN, or the error of the connection
 */
int tl_recv_peek(struct tl_worker *w, int fd, struct tl_piece *piece, int max);

/**
 * Gives back the first bytes that tl_recv_peek() showed.
 * @return 0; or -1: EINVAL (more than was shown), EOPNOTSUPP (a datagram socket)
 */
int tl_recv_release(struct tl_worker *w, int fd, size_t bytes);

/**
 * Sends a datagram, or appends to a stream, which ignores the address; but with MSG_FASTOPEN it
 * connects to it, with data in the SYN if there is a cookie of the peer (RFC 7413): the result is
 * how many were taken, or EINPROGRESS: none, and what tl_connect() says. A datagram is one packet
 * buffer at most: 1976 bytes where no port has an MTU above 1792; beyond the path's MTU it leaves
 * in fragments.
 * @param to  NULL: the connected peer
 * @return bytes; or -1 as tl_send(), and of datagrams: EAGAIN (SO_SNDBUF bytes wait), EMSGSIZE,
 *   EDESTADDRREQ (no address), EISCONN (another address than the connection's), ENOTCONN (its latch
 *   ended), ENOBUFS (no packet), and what tl_connect() says of an address. Without a connection and
 *   without a tag the policy decides when it leaves, which nobody is told
 */
ssize_t tl_sendto(struct tl_worker *w, int fd, const void *buf, size_t len, int flags,
	const struct sockaddr *to, socklen_t to_len);

/**
 * Takes the next datagram, whole; what finds no room at buf is lost. Or bytes of a stream.
 * @param flags  as tl_recv(), and of datagrams MSG_TRUNC: the result is the datagram's length
 * @param from   NULL, or filled with the sender's address, cut to *from_len bytes; a stream sets
 *   *from_len to 0
 * @return as tl_recv(); an empty datagram gives 0
 */
ssize_t tl_recvfrom(struct tl_worker *w, int fd, void *buf, size_t len, int flags,
	struct sockaddr *from, socklen_t *from_len);

/**
 * tl_sendto() of several pieces, with ancillary data: datagrams may have one TL_IPSEC_TAG of level
 * SOL_TL_IPSEC (tl_ipsec.h). A tag is obeyed or refused, it never falls back.
 * @return as tl_sendto(); of a tag: ESTALE (a handle that this stack did not give), EPERM (another
 *   peer than the destination or the connection has; clear without privilege where the policy says
 *   PROTECT), EACCES (the policy wants something else), EHOSTUNREACH (no SA of this profile is
 *   there; a key manager was asked for one), EINVAL (malformed, or other control messages)
 */
ssize_t tl_sendmsg(struct tl_worker *w, int fd, const struct msghdr *msg, int flags);

/**
 * tl_recvfrom() into several pieces, with ancillary data where TL_DGRAM_TAG is on: a TL_IPSEC_TAG
 * with each datagram, clear ones included (handle 0, no TL_TAG_PROTECTED). If it found no room,
 * MSG_CTRUNC is set, and the datagram must be treated as clear. MSG_PEEK on a stream fills one
 * piece.
 * @param flags  as tl_recvfrom(), or MSG_ERRQUEUE, of any socket: one struct tl_latch_event comes
 *   as data, EAGAIN if there is none
 * @return as tl_recvfrom(); msg_flags has MSG_TRUNC, MSG_CTRUNC, MSG_ERRQUEUE
 */
ssize_t tl_recvmsg(struct tl_worker *w, int fd, struct msghdr *msg, int flags);

/**
 * Ends one or both directions; what was sent is still delivered.
 * @param how  SHUT_RD (tl_recv() returns 0 when the buffer is empty), SHUT_WR (FIN after the data)
 *   or SHUT_RDWR
 * @return 0; or -1: EINVAL (how), ENOTCONN (no connection, or it is being opened)
 */
int tl_shutdown(struct tl_worker *w, int fd, int how);

/**
 * Ends the descriptor, at once and whatever SO_LINGER says. Data that was sent is still delivered
 * (RFC 9293 s3.10.4), except with SO_LINGER of 0 seconds or unread data, which abort (RFC 9293
 * s3.10.5, RFC 2525 s2.17). Connections that wait at a listener are aborted. Descriptors are used
 * again, but not soon.
 * @return 0; or -1: EBADF
 */
int tl_close(struct tl_worker *w, int fd);

/** tl_getsockopt(IPPROTO_TCP): name of the RFC 9293 state as a string that ends with 0. */
enum { TL_TCP_STATE = 0x7401 };

/**
 * Sets an option; int unless said otherwise.
 *
 * - SOL_SOCKET, SO_REUSEADDR: not 0: shares a bound port with others that say so, no listener
 * - SOL_SOCKET, SO_RCVBUF: bytes, brought into 4096 to 64 MiB; never below what is promised. A
 * stream that does not say has [tcp] rcvbuf, which grows to rcvbuf-max as its program reads
 * - SOL_SOCKET, SO_SNDBUF: bytes, brought into 4096 to 64 MiB. A stream that does not say has [tcp]
 *   sndbuf, which grows to sndbuf-max with the congestion window
 * - SOL_SOCKET, SO_REUSEPORT: streams; not 0: shares a bound port, listeners too, with others that
 *   say so
 * - SOL_SOCKET, SO_LINGER: struct linger; 0 seconds: tl_close() aborts. More is how long a call
 * that blocks waits for what was sent; tl_close() never does, and the connection goes on without it
 * - SOL_SOCKET, SO_RCVTIMEO, SO_SNDTIMEO: struct timeval; kept for calls that block, which these
 *   functions never do; EDOM (microseconds)
 * - SOL_SOCKET, SO_OOBINLINE: 1 and nothing else: urgent data are in line (RFC 9293 s3.8.5)
 * - SOL_SOCKET, SO_KEEPALIVE: not 0: a silent peer is asked (RFC 9293 s3.8.4), as the next four say
 * - SOL_SOCKET, SO_RCVLOWAT: bytes before TL_EV_IN, half of the buffer at most; 1
 * - IPPROTO_TCP, TCP_KEEPIDLE, TCP_KEEPINTVL: seconds, 1 to 32767; [tcp] keep-idle-s,
 * keep-interval-s
 * - IPPROTO_TCP, TCP_KEEPCNT: probes, 1 to 127; [tcp] keep-probes
 * - IPPROTO_TCP, TCP_USER_TIMEOUT: ms that nothing may be acknowledged before ETIMEDOUT; 0: [tcp]
 *   data-retries decides
 * - IPPROTO_TCP, TCP_CORK: not 0: only full segments leave, others after a timeout of 200 ms or
 * more
 * - IPPROTO_TCP, TCP_QUICKACK: not 0: no delayed acknowledgments, until it is 0 again
 * - IPPROTO_TCP, TCP_CONGESTION: a name: newreno, cubic, dctcp or bbr; ENOENT
 * - IPPROTO_TCP, TCP_NODELAY: not 0: small segments do not wait (RFC 9293 s3.7.4)
 * - IPPROTO_TCP, TCP_FASTOPEN: how many connections that a cookie opened may wait for their
 *   handshake, of a listener (RFC 7413); 0: none. Data of a SYN come twice where the network
 * repeats it and no replay window stops that. EOPNOTSUPP: [tcp] fastopen says no
 * - IPPROTO_TCP, TCP_FASTOPEN_CONNECT: 1: tl_connect() returns 0 if it has a cookie, and the SYN
 *   leaves with the first data; without any, nothing leaves. EOPNOTSUPP as above
 * - IPPROTO_TCP, TCP_MAXSEG: bytes, 88 to 32767: upper limit of the MSS
 * - IPPROTO_TCP, TCP_DEFER_ACCEPT: seconds, of a listener: tl_accept() gives connections that said
 *   something, and those that did not after this time; 0: at once
 * - IPPROTO_IPV6, IPV6_V6ONLY: not 0: no IPv4; AF_INET6 sockets, before tl_bind()
 *
 * @param val  is copied
 * @param len  bytes at val
 * @return 0; or -1: EINVAL (value, len, or too late), ENOPROTOOPT (anything else: no option is
 *   accepted and ignored)
 */
int tl_setsockopt(struct tl_worker *w, int fd, int level, int opt, const void *val, socklen_t len);

/**
 * Reads an option: those of tl_setsockopt(), and SO_ERROR (the error of the connection, 0 if none;
 * reading takes it away), SO_TYPE, SO_ACCEPTCONN (1: listening), TL_TCP_STATE, TCP_INFO (struct
 * tcp_info of <linux/tcp.h>, cut to *len; what is not counted is 0), and those of
 * SOL_TL_IPSEC, see tl_ipsec.h.
 * @param val  is filled
 * @param len  in: bytes at val; out: bytes filled
 * @return 0; or -1: EINVAL (*len too small; SOL_TL_IPSEC: EMSGSIZE), ENOPROTOOPT, ENOTCONN (an
 *   identity without a latch)
 */
int tl_getsockopt(struct tl_worker *w, int fd, int level, int opt, void *val, socklen_t *len);

/**
 * The local end; the wildcard address and port 0 where nothing is bound.
 * @param addr  is filled, cut to *len bytes
 * @param len   in: bytes at addr; out: bytes that the address has
 * @return 0; or -1: EBADF
 */
int tl_getsockname(struct tl_worker *w, int fd, struct sockaddr *addr, socklen_t *len);

/** The remote end, as tl_getsockname(). @return 0; or -1: ENOTCONN (none, being opened, or over) */
int tl_getpeername(struct tl_worker *w, int fd, struct sockaddr *addr, socklen_t *len);

/**
 * Says which readiness tl_wait() reports for fd, in place of what was said before. A socket that
 * nobody watches is never reported; tl_close() ends the watch.
 * @param events  TL_EV_* together; ERR and HUP come with any; 0: none
 * @param udata   comes back in tl_event
 * @return 0; or -1: EBADF
 */
int tl_watch(struct tl_worker *w, int fd, uint32_t events, void *udata);

/**
 * Reports sockets that are ready now, level-triggered: a socket is reported on every call for as
 * long as it stays ready. Never waits, never fails. Sockets take turns where max is too small.
 * TL_EV_OUT means that a third of the send buffer is free.
 * @param ev   is filled
 * @param max  entries at ev
 * @return number of entries filled, 0 to max
 */
int tl_wait(struct tl_worker *w, struct tl_event *ev, int max);

struct tl_latch_event;

/**
 * Takes the next event of the socket's latch (tl_ipsec.h), of those that TL_LATCH_EVENTS asked for.
 * @return 1 with *ev filled, 0 if there is none; EBADF
 */
int tl_latch_event(struct tl_worker *w, int fd, struct tl_latch_event *ev);

#ifdef __cplusplus
}
#endif

#endif
