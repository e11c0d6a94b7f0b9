/* SPDX-License-Identifier: BSD-3-Clause */
/* tcp_more.h - what few sockets ask for: keep-alives, user timeout, low-water mark. */
#ifndef TL_TCP_TCP_MORE_H
#define TL_TCP_TCP_MORE_H

#include <stdbool.h>
#include <stdint.h>

#include "stack/base/sock.h"
#include "stack/base/tmr.h"

struct tcp_pcb;

/* Owned by its socket. */
struct tcp_more {
	struct tmr tmr;
	struct sock *s;
	bool keep; /* SO_KEEPALIVE */
	uint8_t count, probes;
	uint16_t idle_s, interval_s;
	uint32_t seen_rcv_nxt, seen_snd_una, seen_ts; /* when the peer was last heard */
	uint32_t user_timeout_ms;                     /* 0: none */
	uint32_t lowat_bytes;                         /* SO_RCVLOWAT */
	uint32_t defer_s;                             /* TCP_DEFER_ACCEPT, of a listener */
	uint32_t tfo_qlen;                            /* TCP_FASTOPEN, of a listener */
	bool tfo_connect;                             /* TCP_FASTOPEN_CONNECT */
	uint64_t probe_ns;                            /* the first of these probes */
	uint64_t trouble_ns;                          /* since when nothing is acknowledged */
};

/* That of s, made if it has none; NULL: out of memory. */
struct tcp_more *tcp_more(struct lcore *lc, struct sock *s);
void tcp_more_free(struct lcore *lc, struct sock *s);

/* A listener's settings for an accepted socket. Returns 0 or -ENOBUFS. */
int tcp_more_inherit(struct lcore *lc, const struct sock *from, struct sock *to);

enum tcp_keep_knob { TCP_KEEP_ON, TCP_KEEP_IDLE, TCP_KEEP_INTERVAL, TCP_KEEP_COUNT };

/* Returns 0, -EINVAL, -ENOBUFS. */
int tcp_keep_set(struct lcore *lc, struct sock *s, enum tcp_keep_knob knob, int v);

/* The connection is ESTABLISHED. */
void tcp_keep_start(struct lcore *lc, struct sock *s);

/* At a timeout: nothing was acknowledged for as long as TCP_USER_TIMEOUT allows. */
bool tcp_user_timeout(struct lcore *lc, struct tcp_pcb *pcb);

#endif
