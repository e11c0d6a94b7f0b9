/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * msg.h - what crosses from one worker or thread to another: control messages and packets.
 *
 * A control message is a function and its argument; it runs between two turns of the worker, and
 * the sender may wait for the acknowledgment. Hand-off rings carry packets between workers.
 */
#ifndef TL_BASE_MSG_H
#define TL_BASE_MSG_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <rte_ring.h>

#include "stack/base/pkt.h"

struct lcore;

enum { MSG_RING_SIZE = 1024, HANDOFF_RING_SIZE = 2048 };

/* One job for one worker. The sender owns the memory until `done` is true. */
struct msg {
	void (*fn)(struct lcore *lc, void *arg);
	void *arg;
	_Atomic bool done;
};

struct msg_ctx {
	struct rte_ring *ctl;                  /* struct msg *, to this worker */
	struct rte_ring *handoff;              /* packets to this worker */
	struct rte_ring *peer[LC_MAX_WORKERS]; /* handoff rings of all workers, NULL for own */
};

/* Posts m to a worker's ring. Returns 0 or -ENOBUFS. Any thread. */
int msg_post(struct rte_ring *ctl, struct msg *m);

/* Runs what was posted since the last turn. Returns how many. */
uint32_t msg_run(struct lcore *lc);

/* Gives a packet to another worker, with the stage that goes on with it; drops if its ring is
 * full. Takes ownership. */
void msg_handoff(struct lcore *lc, uint16_t worker, enum pkt_handoff stage, struct rte_mbuf *m);

/* Takes up to PKT_BURST packets that other workers handed over. */
void msg_handoff_get(struct lcore *lc, struct pkt_vec *v);

#endif
