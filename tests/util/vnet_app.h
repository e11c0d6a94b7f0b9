/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * vnet_app.h - client and server programs of a net: seeded streams both ways, every byte checked.
 *
 * A connection has two ends: 0 opened it, 1 accepted it. An end sends its stream, reads the
 * other's to its end, and closes; one of them may close its sending side first.
 */
#ifndef TL_TESTS_UTIL_VNET_APP_H
#define TL_TESTS_UTIL_VNET_APP_H

#include "stack/include/tl_ipsec.h"
#include "stack/include/tl_sock.h"
#include "tests/util/vnet.h"

enum { APP_CONNS = 8, APP_PORT = 5000 };

enum app_state { APP_IDLE, APP_OPENING, APP_OPEN, APP_DONE, APP_FAILED };

struct app_end {
	struct app *app;
	struct app_conn *conn;
	struct vnet_node *node;
	struct tl_worker *w;
	enum app_state state;
	int fd, err;
	uint64_t stream; /* what this end sends */
	uint64_t tx_goal, tx_off, rx_goal, rx_off;
	bool nodelay, closes_first, shut, eof, paused, hold;
	uint32_t pause_chance;     /* of VNET_SCALE, after each read */
	uint32_t piece;            /* most bytes of one call */
	struct tl_latch_info info; /* at the end */
	uint32_t rogue;            /* marked frames that came for it, counted by the test */
};

struct app_conn {
	struct app_end end[2];
	uint16_t lport; /* of the opener */
	uint32_t id;
};

struct app_listener {
	struct app *app;
	struct vnet_node *node;
	struct tl_worker *w;
	int fd;
};

struct app {
	struct vnet *v;
	struct app_conn conn[APP_CONNS];
	uint32_t nb_conns;
	struct app_listener lsn[VNET_NODES * VNET_WORKERS];
	uint32_t nb_lsns;
	uint64_t completed, aborted_in_queue;
};

/* Called with each socket before connect and listen, where a test wants options set; NULL again at
 * the end of the test. */
extern void (*app_prepare)(struct tl_worker *w, int fd, bool listener);

/* Programs on every node that was started; each worker listens at APP_PORT. */
void app_start(struct app *a, struct vnet *v);
void app_stop(struct app *a);

/* A connection from one node to another that begins after delay_ns; streams of these sizes. The
 * caller may change the ends until it begins. */
struct app_conn *app_connect(struct app *a, struct vnet_node *from, struct vnet_node *to,
	uint64_t delay_ns, uint64_t tx, uint64_t rx);

/* Lets ends that `hold` (send nothing, do not close) go on. */
void app_release(struct app_conn *c);

bool app_end_is_over(const struct app_end *e);
bool app_conn_is_over(const struct app_conn *c);
/* For vnet_run(): all connections are over; one is established at both ends. */
bool app_all_over(void *app);
bool app_conn_open(void *conn);

/* Gives up an end: SO_LINGER 0, close. */
void app_abort(struct app_end *e);

/* The state of the latch now. */
void app_latch(const struct app_end *e, struct tl_latch_info *info);
const char *app_tcp_state(const struct app_end *e, char out[32]);

#endif
