/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * sctp_path.h - one destination address of an association, and the 5-tuples that lead there.
 */
#ifndef TL_SCTP_SCTP_PATH_H
#define TL_SCTP_SCTP_PATH_H

#include <sys/queue.h>

#include "latch/latch.h"
#include "stack/base/flow.h"
#include "stack/base/tmr.h"

struct sctp_assoc;
struct sctp_ep;
struct sctp_path;

/*
 * A 5-tuple and its latch. The first one of a path is used to send; the others exist because the
 * peer may choose among our addresses as it likes, and what it sends there has to be judged by a
 * latch too (X-1: N times M of them). Owner: its path, or its endpoint if path is NULL.
 */
struct sctp_way {
	struct flow_ent fe;
	struct latch latch;
	struct sctp_path *path;
	struct sctp_ep *ep;
	bool live; /* the latch is open, and fe owns the 5-tuple */
	SLIST_ENTRY(sctp_way) entry;
};
SLIST_HEAD(sctp_way_list, sctp_way);

/*
 *               heartbeat ACK            errors > Path.Max.Retrans
 *   UNCONFIRMED -------------> ACTIVE --------------------------> INACTIVE
 *       |                       |  <-----------------------------  |
 *       |                       |       an acknowledgement         |
 *       +------- latch ended ---+----------------------------------+--> BARRED
 *
 * UNCONFIRMED  RFC 9260 s5.4: no data goes there before its owner showed that it is there
 * ACTIVE       data may go there
 * INACTIVE     s8.2: heartbeats go there, and data if there is nothing better
 * BARRED       its latch ended; nothing goes there, nothing comes from there, for good (F-74)
 */
enum sctp_path_state {
	SCTP_PATH_UNCONFIRMED = 0,
	SCTP_PATH_ACTIVE,
	SCTP_PATH_INACTIVE,
	SCTP_PATH_BARRED,
	SCTP_PATH_STATES,
};

/* Owner: its association, in a->paths. */
struct sctp_path {
	struct sctp_way way;
	struct sctp_way_list more;
	struct sctp_assoc *a;
	TAILQ_ENTRY(sctp_path) entry;
	uint8_t state; /* enum sctp_path_state; written by sctp_path_set_state() only */
	uint8_t errors;
	bool hb_off;   /* the program wants no heartbeats */
	bool hb_due;   /* one is to be sent */
	bool hb_wait;  /* one is out */
	bool rtt_busy; /* rtt_tsn is being measured (s6.3.1, C4) */
	bool in_fast;  /* fast recovery, until fast_exit is acknowledged (s7.2.4) */
	bool fast_due; /* the first packet of it may leave whatever cwnd says */
	uint16_t pmtu_bytes;
	uint16_t mps_bytes; /* of one SCTP packet, header included */
	uint16_t max_retrans;
	uint16_t burst; /* packets that may leave before the next SACK (s6.1, D) */
	uint32_t hb_interval_ms;
	uint32_t rto_ms, srtt_us, rttvar_us;
	uint32_t rtt_tsn;
	uint32_t fast_exit;
	uint32_t cwnd, ssthresh, partial_bytes_acked, flight;
	uint32_t acked;  /* scratch of one SACK: newly acknowledged bytes */
	uint64_t rtt_ns; /* when rtt_tsn was sent */
	uint64_t last_send_ns;
	uint64_t hb_nonce, hb_sent_ns;
	struct tmr t3, t_hb;
};
TAILQ_HEAD(sctp_path_list, sctp_path);

/* A path of a to remote, from the association's local addresses. Not live yet; NULL: no memory, no
 * route. */
struct sctp_path *sctp_path_add(
	struct lcore *lc, struct sctp_assoc *a, const struct ip_addr *remote);
void sctp_path_free(struct lcore *lc, struct sctp_path *p);

struct sctp_path *sctp_path_find(const struct sctp_assoc *a, const struct ip_addr *remote);

/* Opens the latch of the path, and of its other ways, under the wish of `like`; takes the 5-tuples.
 * Returns 0 or -errno; then the path is there but not live. */
int sctp_path_open(struct lcore *lc, struct sctp_path *p, const struct latch *like);

/* The same for the path that m came on (RFC 5660 s2.4, passive). DROP_NONE, or why m is dropped. */
enum drop_reason sctp_path_spawn(
	struct lcore *lc, struct sctp_path *p, struct sctp_way *listener, const struct rte_mbuf *m);

/* the identity is the association's. Bars a path whose latch has another one. */
bool sctp_path_check_peer(struct lcore *lc, struct sctp_path *p);

/* BARRED: its latch ended or ends here. Its 5-tuple stays the association's. */
void sctp_path_bar(struct lcore *lc, struct sctp_path *p);

/* Releases latches and 5-tuples; the latches can still be asked. */
void sctp_path_close(struct lcore *lc, struct sctp_path *p);

void sctp_path_set_state(struct lcore *lc, struct sctp_path *p, enum sctp_path_state to);
const char *sctp_path_state_name(uint8_t state);

/* Something can be sent there and heard from there. */
static inline bool
sctp_path_is_open(const struct sctp_path *p)
{
	return p->way.live && p->state != SCTP_PATH_BARRED &&
	       (p->way.latch.state == TL_LATCH_ESTABLISHED || p->way.latch.state == TL_LATCH_NONE);
}

/* New data may go there. */
static inline bool
sctp_path_is_good(const struct sctp_path *p)
{
	return p->state == SCTP_PATH_ACTIVE && sctp_path_is_open(p);
}

/* What fits into a packet, from route, latch and what routers said. */
void sctp_path_refresh(struct lcore *lc, struct sctp_path *p);

/* Something that was sent there was answered (s8.2). */
void sctp_path_alive(struct lcore *lc, struct sctp_path *p);
/* Something was not: counts, for path and association; the latter may end. Returns false then. */
bool sctp_path_failed(struct lcore *lc, struct sctp_path *p);

/* Where new data goes; and what was lost on `not_here`. NULL: nowhere. */
struct sctp_path *sctp_path_pick(const struct sctp_assoc *a);
struct sctp_path *sctp_path_pick_other(
	const struct sctp_assoc *a, const struct sctp_path *not_here);

#endif
