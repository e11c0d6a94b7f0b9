/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * vnet.h - any number of stacks in one process, on virtual time, joined by a bad switch.
 *
 * One number, the seed, gives everything. Time jumps to the next event: a frame that arrives, a
 * timer of a stack, an alarm of the test. Programs run in the turn callback of their worker.
 */
#ifndef TL_TESTS_UTIL_VNET_H
#define TL_TESTS_UTIL_VNET_H

#include <check.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "stack/include/tl.h"

enum { VNET_NODES = 4, VNET_WORKERS = 2, VNET_SCALE = 100000, VNET_ETHER = 14 };

/* As ck_assert_msg(), which writes to a file whenever it holds: too slow for each byte and frame.
 */
#define VNET_CHECK(cond, ...)                                                                      \
	do {                                                                                       \
		if (!(cond))                                                                       \
			ck_abort_msg(__VA_ARGS__);                                                 \
	} while (0)

#define VNET_MS UINT64_C(1000000)
#define VNET_S  UINT64_C(1000000000)

/* What happens to frames that a node sends; chances of VNET_SCALE. */
struct vnet_link {
	uint32_t loss, dup, reorder, corrupt;
	uint32_t ce;           /* ECN-capable packets are marked (RFC 3168 s5) */
	uint32_t corrupt_bits; /* at most so many flips in a frame */
	uint64_t delay_ns;
	uint64_t late_ns; /* reordered frames come later by at most this */
};

struct vnet_count {
	uint64_t sent, lost, dup, reordered, corrupted, marked, injected;
};

struct vnet;
struct vnet_node;

/* Sees every frame that a node sends, before the link does. False: the frame is taken off. */
typedef bool vnet_tap_fn(
	struct vnet *v, struct vnet_node *from, uint8_t *frame, size_t len, void *arg);
typedef void vnet_alarm_fn(struct vnet *v, void *arg);

struct vnet_frame {
	struct vnet_node *to; /* NULL: an alarm */
	uint64_t at_ns, order;
	vnet_alarm_fn *alarm;
	void *arg;
	struct vnet_frame *next;
	uint32_t mark; /* of an injected frame; 0: a stack sent it */
	uint16_t len;
	uint8_t data[];
};

struct vnet_queue {
	struct vnet_frame *head, **tail;
	uint64_t timer_ns;
	bool due;
};

struct vnet_node {
	struct vnet *v;
	struct tl_conf *conf;
	struct tl_stack *s;
	uint32_t ip;
	uint8_t mac[6];
	unsigned int nb_workers;
	struct vnet_link out;
	struct vnet_queue w[VNET_WORKERS];
	/* Which worker's queue a frame comes to; NULL: 0. */
	unsigned int (*steer)(struct vnet_node *n, const uint8_t *frame, size_t len);
};

struct vnet {
	uint64_t seed, rng, now_ns, order;
	bool bare_ip;
	bool ip6; /* nodes have IPv6 addresses too, and programs use them; before vnet_add() */
	struct vnet_node node[VNET_NODES];
	unsigned int nb_nodes;
	struct vnet_frame **heap;
	size_t heap_n, heap_cap;
	vnet_tap_fn *tap;
	void *tap_arg;
	/* Called when a frame enters a node's receive queue. */
	void (*arrived)(struct vnet *v, const struct vnet_frame *f, void *arg);
	void *arrived_arg;
	struct vnet_count count;
	uint64_t turns;
};

/* An empty net at time 1 s. */
struct vnet *vnet_new(uint64_t seed, bool bare_ip);

/* Destroys the stacks; frames in flight are thrown away. */
void vnet_free(struct vnet *v);

/* A node with the smallest useful pools; keys can be changed until vnet_start(). */
struct vnet_node *vnet_add(struct vnet *v, uint32_t ip);
void vnet_set(struct vnet_node *n, const char *key, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* Congestion control, SACK, ECN and what goes with them, drawn from the seed; marks on its link. */
void vnet_draw_tcp(struct vnet_node *n);
void vnet_start(struct vnet_node *n);

/* Random numbers of the seed. */
uint64_t vnet_rnd(struct vnet *v);
uint32_t vnet_below(struct vnet *v, uint32_t bound);
bool vnet_chance(struct vnet *v, uint32_t of_scale);

/* A frame for a node, past the link, after delay_ns. ip: an IPv4 packet; the rest is added. */
void vnet_inject(struct vnet *v, struct vnet_node *to, const struct vnet_node *as, const void *ip,
	size_t len, uint64_t delay_ns, uint32_t mark);
/* The same with a whole frame. */
void vnet_inject_frame(struct vnet *v, struct vnet_node *to, const void *frame, size_t len,
	uint64_t delay_ns, uint32_t mark);

void vnet_alarm(struct vnet *v, uint64_t after_ns, vnet_alarm_fn *fn, void *arg);

/* The program did something to a socket: the worker must turn. */
void vnet_touch(struct vnet_node *n);

/* One event or one turn. False: nothing will ever happen again. */
bool vnet_step(struct vnet *v);

/* Steps until done() (NULL: never) or for span_ns. Returns whether done() said so. */
bool vnet_run(struct vnet *v, bool (*done)(void *arg), void *arg, uint64_t span_ns);

/* Where IPv4 begins in a frame. */
size_t vnet_l3(const struct vnet *v);

/* Asserts that no buffer, connection or latch is left in a node. */
void vnet_check_empty(struct vnet_node *n);
void vnet_dump(struct vnet *v);

#endif
