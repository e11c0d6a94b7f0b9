/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * ctl.h - the control socket without the socket: clients, their requests, answers and events.
 *
 * A datagram goes in by ctl_request(); what is answered, and events, come out of
 * ctl_client_next(). server.c puts a socket at both ends; tests do without. Every function here
 * takes the control lock itself, except where it says "lock held".
 */
#ifndef TL_CTL_CTL_H
#define TL_CTL_CTL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <linux/netlink.h>

#include "stack/include/tl.h"

enum {
	CTL_CLIENTS = 32,
	CTL_EVENTS_MAX = 256,     /* that wait for one client */
	CTL_REQUEST_MAX = 65536,  /* bytes of a datagram in */
	CTL_ANSWER_BYTES = 16384, /* of a datagram out */
	CTL_MSG_MAX = 4096,       /* of one message out */
	CTL_LARVAL_MAX = 1024,
	CTL_LARVAL_S = 30,
};

struct ctl;
struct ctl_client;

/* One datagram out. The receiver frees it. */
struct ctl_dgram {
	struct ctl_dgram *next;
	size_t len;
	bool is_event;
	_Alignas(8) uint8_t data[];
};

/* A dump that goes on while its client reads. */
struct ctl_dump;

/* Writes the message of row d->at, if it has one, to buf (CTL_MSG_MAX zero bytes) and goes on to
 * the next. Returns false when there is no such row. */
typedef bool ctl_row_fn(struct ctl *k, struct ctl_dump *d, void *buf);

struct ctl_dump {
	ctl_row_fn *row; /* NULL: no dump */
	uint32_t seq, pid;
	uint64_t at;
	bool all;
	void *snapshot; /* freed at the end */
	size_t nb_snapshot;
};

/* Owned by struct ctl. */
struct ctl_client {
	struct ctl *k;
	bool open;
	int fd;
	uint32_t groups;
	struct ctl_dgram *head, **tail;
	uint32_t nb_events;
	uint64_t lost, lost_told;
	struct ctl_dump dump;
};

/* An SPI that was promised to key management (RFC 4301 s4.4.2.1), not an SA yet. */
struct ctl_larval {
	uint32_t spi; /* 0: free */
	uint32_t realm;
	uint64_t until_ns;
};

struct ctl_latches;

struct ctl {
	struct tl_stack *s;
	uint64_t now_ns;
	struct ctl_client client[CTL_CLIENTS];
	struct ctl_larval larval[CTL_LARVAL_MAX];
	uint32_t acquires; /* so far: their numbers */
	uint64_t overruns; /* events that no client's queue had room for */
	uint64_t latches_at_ns;
	struct ctl_latches *latches; /* as they were when watched last */
	struct ctl_client *km;       /* the registered key manager, NULL: none is connected */
	uint64_t km_epoch;           /* of the last one */
};

/* Listens to the control context of s. Returns 0 or -ENOMEM. */
int ctl_new(struct tl_stack *s, struct ctl **out);
void ctl_free(struct ctl *k);

/* NULL: there are too many. */
struct ctl_client *ctl_client_open(struct ctl *k, int fd);
void ctl_client_close(struct ctl_client *c);

/* Handles every message of a datagram; buf is aligned to 4 bytes, and wiped: it may hold keys. */
void ctl_request(struct ctl_client *c, void *buf, size_t len);

/* An answer of this code without a request. */
void ctl_client_refuse(struct ctl_client *c, int error, const char *text);

/* What this client should get next, NULL if nothing. */
struct ctl_dgram *ctl_client_next(struct ctl_client *c);
/* It could not be sent now: it comes first the next time. */
void ctl_client_unget(struct ctl_client *c, struct ctl_dgram *d);

/* What the workers reported becomes events; SPIs that nobody completed are free again. */
void ctl_tick(struct ctl *k, uint64_t now_ns);

#endif
