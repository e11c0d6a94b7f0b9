/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * @file tl_sctp.h
 * SCTP sockets beyond POSIX (RFC 6458), one-to-one style: tl_socket(SOCK_STREAM, IPPROTO_SCTP).
 *
 * Everything of tl_sock.h holds. tl_send() sends one message (stream and the rest by
 * TL_SCTP_DEFAULT_SEND_PARAM); all of it is taken, or nothing: EAGAIN, or EMSGSIZE if SO_SNDBUF is
 * smaller. tl_recv() gives one message, or what of it fits, the rest with the next call; 0 when the
 * peer shut down and all was read. There is no half-closed association (RFC 9260 s9.2): after
 * tl_shutdown(SHUT_WR) what the peer sent before can still be read.
 *
 * An association has paths, one for each address of the peer, and each its own latch. One that
 * breaks is given up while another path lives, the program hears TL_SCTP_PEER_ADDR_CHANGE with
 * TL_ELATCHBROKEN; the last one ends the association as an ABORT would: ECONNRESET, or
 * TL_ELATCHBROKEN. SOL_TL_IPSEC options tell of the primary path.
 *
 * Numbers of options and notifications are Linux'. Structures have their own names.
 */
#ifndef TAGLATCH_TL_SCTP_H
#define TAGLATCH_TL_SCTP_H

#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>

#ifdef __cplusplus
extern "C" {
#endif

struct tl_worker;

/** Options at level IPPROTO_SCTP (132). */
enum {
	TL_SCTP_RTOINFO = 0,             /**< struct tl_sctp_rtoinfo */
	TL_SCTP_ASSOCINFO = 1,           /**< struct tl_sctp_assocparams */
	TL_SCTP_INITMSG = 2,             /**< struct tl_sctp_initmsg; before connect and listen */
	TL_SCTP_NODELAY = 3,             /**< int */
	TL_SCTP_AUTOCLOSE = 4,           /**< int, seconds without data; 0: never */
	TL_SCTP_PRIMARY_ADDR = 6,        /**< struct tl_sctp_prim */
	TL_SCTP_PEER_ADDR_PARAMS = 9,    /**< struct tl_sctp_paddrparams */
	TL_SCTP_DEFAULT_SEND_PARAM = 10, /**< struct tl_sctp_sndrcvinfo */
	TL_SCTP_EVENTS = 11,             /**< uint32_t, mask of TL_SCTP_EVENT(type) */
	TL_SCTP_STATUS = 14,             /**< get: struct tl_sctp_status */
	TL_SCTP_GET_PEER_ADDR_INFO = 15, /**< get: struct tl_sctp_paddrinfo, by its address */
	TL_SCTP_DELAYED_SACK = 16,       /**< int, milliseconds, at most 500 */
};

/** RFC 6458 s8.1.1. Zero members are not changed. */
struct tl_sctp_rtoinfo {
	uint32_t assoc_id; /**< not used: a socket has one association */
	uint32_t initial_ms, max_ms, min_ms;
};

/** RFC 6458 s8.1.2. Zero members are not changed. */
struct tl_sctp_assocparams {
	uint32_t assoc_id;
	uint16_t max_retrans;
	uint16_t nb_paths;   /**< get */
	uint32_t peer_rwnd;  /**< get */
	uint32_t local_rwnd; /**< get */
	uint32_t cookie_life_ms;
};

/** RFC 6458 s8.1.3. Zero members are not changed. */
struct tl_sctp_initmsg {
	uint16_t out_streams, max_in_streams, max_attempts, max_timeo_ms;
};

/** RFC 6458 s8.1.9. */
struct tl_sctp_prim {
	uint32_t assoc_id;
	struct sockaddr_storage addr; /**< of the peer */
};

enum {
	TL_SCTP_HB_ENABLE = 1,
	TL_SCTP_HB_DISABLE = 2,
	TL_SCTP_HB_DEMAND = 4, /**< one now */
};

/** RFC 6458 s8.1.12. Zero members are not changed; an address of all zero means all paths, and
 * those to come. */
struct tl_sctp_paddrparams {
	uint32_t assoc_id;
	struct sockaddr_storage addr;
	uint32_t hb_interval_ms;
	uint16_t path_max_retrans;
	uint16_t flags;          /**< TL_SCTP_HB_* */
	uint32_t path_mtu_bytes; /**< get */
};

enum tl_sctp_path_state {
	TL_SCTP_PATH_INACTIVE = 0,
	TL_SCTP_PATH_ACTIVE = 2,
	TL_SCTP_PATH_UNCONFIRMED = 3,
	TL_SCTP_PATH_BARRED = 4, /**< its latch ended */
};

/** RFC 6458 s8.2.2. */
struct tl_sctp_paddrinfo {
	uint32_t assoc_id;
	struct sockaddr_storage addr;
	int32_t state; /**< enum tl_sctp_path_state */
	uint32_t cwnd_bytes, srtt_us, rto_ms, mtu_bytes;
};

/** As Linux numbers them. */
enum tl_sctp_state {
	TL_SCTP_CLOSED = 1,
	TL_SCTP_COOKIE_WAIT,
	TL_SCTP_COOKIE_ECHOED,
	TL_SCTP_ESTABLISHED,
	TL_SCTP_SHUTDOWN_PENDING,
	TL_SCTP_SHUTDOWN_SENT,
	TL_SCTP_SHUTDOWN_RECEIVED,
	TL_SCTP_SHUTDOWN_ACK_SENT,
};

/** RFC 6458 s8.2.1. */
struct tl_sctp_status {
	uint32_t assoc_id;
	int32_t state; /**< enum tl_sctp_state */
	uint32_t peer_rwnd;
	uint16_t unacked_chunks, unread_messages;
	uint16_t in_streams, out_streams;
	uint32_t fragmentation_point;
	struct tl_sctp_paddrinfo primary;
};

/** Flags of struct tl_sctp_sndrcvinfo. */
enum {
	TL_SCTP_UNORDERED = 1,
	TL_SCTP_ADDR_OVER = 2, /**< refused: EOPNOTSUPP */
	TL_SCTP_ABORT = 4,     /**< sends an ABORT, the bytes are its cause; ends the association */
	TL_SCTP_EOF = 0x200,   /**< tl_shutdown(SHUT_WR) behind this message, which may be empty */
};

/** RFC 6458 s5.3.2. */
struct tl_sctp_sndrcvinfo {
	uint16_t stream, ssn;
	uint16_t flags;
	uint32_t ppid; /**< passed as it is, in network byte order */
	uint32_t context;
	uint32_t tsn, cum_tsn; /**< received */
};

/** Notifications (RFC 6458 s6.1): come as messages, with MSG_NOTIFICATION. */
enum {
	TL_SCTP_SN_BASE = 1 << 15,
	TL_SCTP_ASSOC_CHANGE = TL_SCTP_SN_BASE + 1,
	TL_SCTP_PEER_ADDR_CHANGE = TL_SCTP_SN_BASE + 2,
	TL_SCTP_SHUTDOWN_EVENT = TL_SCTP_SN_BASE + 5,
};
#define TL_SCTP_EVENT(type) (1u << ((type)-TL_SCTP_SN_BASE))

enum { TL_MSG_NOTIFICATION = 0x8000 };

enum tl_sctp_sac_state {
	TL_SCTP_COMM_UP = 0,
	TL_SCTP_COMM_LOST,
	TL_SCTP_RESTART,
	TL_SCTP_SHUTDOWN_COMP,
	TL_SCTP_CANT_STR_ASSOC,
};

struct tl_sctp_assoc_change {
	uint16_t type, flags;
	uint32_t length;
	uint16_t state; /**< enum tl_sctp_sac_state */
	uint16_t error; /**< cause code of an ABORT (RFC 9260 s3.3.10) */
	uint16_t out_streams, in_streams;
	uint32_t assoc_id;
};

enum tl_sctp_spc_state {
	TL_SCTP_ADDR_AVAILABLE = 0,
	TL_SCTP_ADDR_UNREACHABLE,
	TL_SCTP_ADDR_REMOVED,
	TL_SCTP_ADDR_ADDED,
	TL_SCTP_ADDR_MADE_PRIM,
	TL_SCTP_ADDR_CONFIRMED,
};

struct tl_sctp_paddr_change {
	uint16_t type, flags;
	uint32_t length;
	struct sockaddr_storage addr;
	int32_t state; /**< enum tl_sctp_spc_state */
	int32_t error; /**< TL_ELATCHBROKEN: its latch broke; else 0 */
	uint32_t assoc_id;
};

struct tl_sctp_shutdown_event {
	uint16_t type, flags;
	uint32_t length;
	uint32_t assoc_id;
};

/**
 * Sends one message.
 * @param ppid    payload protocol identifier, as it goes onto the wire
 * @param flags   TL_SCTP_UNORDERED, TL_SCTP_ABORT, TL_SCTP_EOF
 * @param stream  below what the association has
 * @return len; or -1 as tl_send(), and EINVAL (no such stream; an empty message), EMSGSIZE,
 *   EOPNOTSUPP (not an SCTP socket)
 */
ssize_t tl_sctp_sendmsg(struct tl_worker *w, int fd, const void *buf, size_t len, uint32_t ppid,
	uint32_t flags, uint16_t stream);

/**
 * Takes a message, or a piece of one.
 * @param info   NULL, or filled
 * @param flags  NULL, or out: MSG_EOR with the end of a message, TL_MSG_NOTIFICATION; in: MSG_PEEK
 * @return as tl_recv()
 */
ssize_t tl_sctp_recvmsg(struct tl_worker *w, int fd, void *buf, size_t len,
	struct tl_sctp_sndrcvinfo *info, int *flags);

/**
 * Binds to several addresses with one port, before connect and listen.
 * @param addr  n of the socket's family, in a row; the port of the first one is for all
 * @param n     1 to 8
 * @return as tl_bind()
 */
int tl_sctp_bindx(struct tl_worker *w, int fd, const struct sockaddr_storage *addr, int n);

/** Connects to a peer of whom several addresses are known, tried in turn. As tl_connect(). */
int tl_sctp_connectx(struct tl_worker *w, int fd, const struct sockaddr_storage *addr, int n);

/**
 * The addresses of the association.
 * @param remote  0: ours, else the peer's
 * @param addr    filled, at most max
 * @return how many there are; or -1: ENOTCONN
 */
int tl_sctp_addrs(struct tl_worker *w, int fd, int remote, struct sockaddr_storage *addr, int max);

#ifdef __cplusplus
}
#endif

#endif
