/* SPDX-License-Identifier: BSD-3-Clause */
/* sctp_int.h - the context of a worker, and what the files of this module call in each other. */
#ifndef TL_SCTP_SCTP_INT_H
#define TL_SCTP_SCTP_INT_H

#include <rte_mbuf.h>
#include <rte_mempool.h>

#include "sctp/sctp.h"
#include "sctp/sctp_assoc.h"
#include "sctp/sctp_path.h"
#include "sctp/sctp_wire.h"
#include "stack/base/seq.h"
#include "stack/include/tl_sctp.h"

enum { SCTP_BOUND_BUCKETS = 256, SCTP_NS_PER_MS = 1000000 };

/* Owner: its socket, or sctp context at the end. */
struct sctp_ep {
	struct sctp_way way; /* of a listener; and the program's wishes (path is NULL) */
	struct sock *s;
	struct sctp_assoc *a; /* connected, or was; NULL */
	LIST_ENTRY(sctp_ep) bound;
	bool is_bound, is_listening, nodelay, was_open;
	uint8_t nb_addrs; /* bound to; 0: the wildcard */
	struct ip_addr addr[SCTP_USR_ADDRS_MAX];
	uint32_t backlog, nb_ready;
	struct sctp_assoc_list ready; /* established, not accepted */
	uint32_t events;              /* 1 << (type - TL_SCTP_SN_BASE) */
	uint32_t max_retrans, max_init_retrans, rto_init_ms, rto_min_ms, rto_max_ms, cookie_life_ms;
	uint32_t init_max_ms; /* longest time between two INITs */
	uint32_t hb_interval_ms, path_retrans, autoclose_s, sack_delay_ms;
	uint16_t out_streams, in_streams;
	struct tl_sctp_sndrcvinfo def; /* of tl_send() */
};
LIST_HEAD(sctp_ep_list, sctp_ep);

struct sctp_ctx {
	struct sctp_conf conf;
	struct rte_mempool *assocs, *eps, *paths, *ways, *txs, *rxs, *maps;
	struct sctp_assoc_list all, out, reap;
	struct sctp_ep_list bound[SCTP_BOUND_BUCKETS];
	void *mac; /* EVP_MAC_CTX of the cookies */
	uint32_t nb_assocs, nb_eps;
	uint32_t held, held_max; /* packets that wait for holes */
	uint64_t next_id;
};

/* ---- sctp_chunk.c ---- */

/* A packet on its way through its chunks. */
struct sctp_rcv {
	struct rte_mbuf *m;
	const struct flow_key *key;
	struct sctp_hdr hdr;
	struct sctp_assoc *a;
	struct sctp_path *path; /* it came on */
	uint32_t nb;            /* chunks so far */
	bool data;              /* some of them were DATA */
	bool is_last;           /* no chunk follows */
};

enum sctp_next { SCTP_NEXT, SCTP_STOP };

/* Verification tag rules, RFC 9260 s8.5.1. */
enum sctp_vtag_rule {
	SCTP_V_OWN = 0,  /* s8.5: our own */
	SCTP_V_ZERO,     /* A: INIT */
	SCTP_V_T,        /* B, C: our own, or with the T bit the peer's */
	SCTP_V_COOKIE,   /* D: what the cookie says */
	SCTP_V_SHUT_ACK, /* E: in COOKIE-WAIT and COOKIE-ECHOED as out of the blue */
};

typedef enum sctp_next sctp_chunk_fn(
	struct lcore *lc, struct sctp_rcv *r, const struct sctp_chunk *c);

struct sctp_row_chunk {
	sctp_chunk_fn *fn;
	uint16_t states; /* 1 << enum sctp_state */
	uint16_t min;    /* of the value */
	bool alone;      /* never bundled (s6.10) */
	uint8_t vtag;    /* enum sctp_vtag_rule */
};

/* NULL: unknown. */
const struct sctp_row_chunk *sctp_chunk_row(uint8_t type);

/* All chunks from where w stands. DROP_SCTP_DONE, or why the packet was refused. */
enum drop_reason sctp_chunks_in(struct lcore *lc, struct sctp_rcv *r, struct sctp_walk *w);

/* sctp_in.c: an ERROR chunk with one cause, by itself. */
void sctp_report(
	struct lcore *lc, struct sctp_path *p, uint16_t cause, const struct sctp_bytes *info);

/* ---- handlers ---- */
sctp_chunk_fn sctp_init_chunk, sctp_init_ack_chunk, sctp_cookie_echo_chunk, sctp_cookie_ack_chunk;
sctp_chunk_fn sctp_data_chunk, sctp_sack_chunk, sctp_heartbeat_chunk, sctp_heartbeat_ack_chunk;
sctp_chunk_fn sctp_abort_chunk, sctp_error_chunk;
sctp_chunk_fn sctp_shutdown_chunk, sctp_shutdown_ack_chunk, sctp_shutdown_complete_chunk;

/* ---- sctp_init.c ---- */

/* COOKIE_WAIT: the paths are there. */
void sctp_init_start(struct lcore *lc, struct sctp_assoc *a);
/* Without an association: answers, keeps nothing. */
enum drop_reason sctp_init_new(struct lcore *lc, struct sctp_rcv *r, const struct sctp_chunk *c);
/* What both INIT and INIT ACK of ours say. */
void sctp_offer_make(const struct sctp_ctx *sc, const struct sctp_ep *ep,
	const struct ip_addr *local, uint8_t nb_local, struct sctp_offer *o);
/* The numbers that the peer's INIT or INIT ACK brings. */
void sctp_take_peer(struct lcore *lc, struct sctp_assoc *a, const struct sctp_init *in);
/* Paths to every address of the peer; those that cannot be opened stay closed. */
void sctp_take_addrs(
	struct lcore *lc, struct sctp_assoc *a, const struct ip_addr *addr, uint32_t n);
/* s5.1.2, and families: what of the peer's can be used. */
bool sctp_is_established(const struct sctp_assoc *a);
/* ESTABLISHED from now on. */
void sctp_establish(struct lcore *lc, struct sctp_assoc *a);

/* ---- sctp_cookie.c ---- */

/* RFC 9260 s5.1.3. Addresses follow. The flow and the protection of the INIT are covered by its
 * MAC and not in it (F-65). */
struct sctp_cookie {
	uint64_t born_ns;
	uint32_t own_vtag, own_tsn;
	uint32_t peer_vtag, peer_tsn, peer_rwnd;
	uint32_t tie_own, tie_peer;
	uint32_t life_ms;
	uint16_t nb_out, nb_in; /* of ours */
	uint8_t nb_addrs;
	uint8_t zero[3];
	struct ip_addr addr[SCTP_ADDRS_MAX];
};
enum { SCTP_MAC_LEN = 32, SCTP_OWN_COOKIE_MAX = sizeof(struct sctp_cookie) + SCTP_MAC_LEN };

int sctp_cookie_create(struct sctp_ctx *sc);
void sctp_cookie_destroy(struct sctp_ctx *sc);
/* Writes cookie and MAC, for an INIT that came as m. Returns its length, 0: libcrypto failed. */
uint32_t sctp_cookie_seal(struct lcore *lc, const struct sctp_cookie *c, const struct rte_mbuf *m,
	uint8_t out[SCTP_OWN_COOKIE_MAX]);
/* False: not ours, or of an INIT of another flow or under another protection. */
bool sctp_cookie_unseal(struct lcore *lc, const struct sctp_chunk *c, const struct rte_mbuf *m,
	struct sctp_cookie *out);
bool sctp_cookie_is_stale(const struct lcore *lc, const struct sctp_cookie *c);
/* COOKIE ECHO without an association: makes one (r->a, r->path). */
enum drop_reason sctp_cookie_new(struct lcore *lc, struct sctp_rcv *r, const struct sctp_chunk *c);

/* ---- sctp_build.c: packets ---- */

struct sctp_build {
	struct rte_mbuf *m;
	struct sctp_emit e;
	struct sctp_path *path;
};
/* False: no packet (counted). */
bool sctp_build_start(struct lcore *lc, struct sctp_build *b, struct sctp_path *p, uint32_t vtag);
/* Checksum, metadata, request tag. */
struct rte_mbuf *sctp_build_end(struct lcore *lc, struct sctp_build *b);
/* The same for an answer to a packet that has no association: back along its flow, under its
 * protection. */
bool sctp_answer_start(
	struct lcore *lc, struct sctp_build *b, const struct rte_mbuf *q, uint32_t vtag);
void sctp_answer_end(struct lcore *lc, struct sctp_build *b, const struct rte_mbuf *q);
/* Onto the queue of answers. */
void sctp_build_queue(struct lcore *lc, struct sctp_build *b);

/* ---- sctp_data.c, sctp_sack.c: receiving ---- */

/* After all chunks of a packet with DATA (s6.2). */
void sctp_data_done(struct lcore *lc, struct sctp_assoc *a, struct sctp_path *p);
void sctp_data_free(struct lcore *lc, struct sctp_assoc *a);
/* The program made room: what was held for want of it is delivered. */
void sctp_data_room(struct lcore *lc, struct sctp_assoc *a);
uint32_t sctp_rwnd(const struct sctp_assoc *a);
/* The program took something: a window that grew is told (s6.2). */
void sctp_rwnd_opened(struct lcore *lc, struct sctp_assoc *a);
bool sctp_sack_emit(struct lcore *lc, struct sctp_assoc *a, struct sctp_emit *e);
/* Whether tsn came already. */
bool sctp_map_has(const struct sctp_assoc *a, uint32_t tsn);
/* Notes it. False: too far ahead, or no memory. */
bool sctp_map_add(struct lcore *lc, struct sctp_assoc *a, uint32_t tsn);
void sctp_map_free(struct lcore *lc, struct sctp_assoc *a);
/* Appends a record with these bytes for the program. False: no room. */
bool sctp_rcv_put(
	struct lcore *lc, struct sctp_assoc *a, const struct sctp_rec *rec, const void *p);

/* ---- sctp_rexmt.c: what was sent ---- */

/* Everything up to tsn is acknowledged (SACK, SHUTDOWN). */
void sctp_cum_ack(struct lcore *lc, struct sctp_assoc *a, uint32_t tsn);
/* After acknowledgements: congestion windows, timers, states. in_order: the point moved. */
void sctp_acked(struct lcore *lc, struct sctp_assoc *a, bool in_order);
void sctp_tx_free(struct lcore *lc, struct sctp_assoc *a);
void sctp_tx_lost(struct sctp_assoc *a, struct sctp_tx *t);
void sctp_tx_ack(struct lcore *lc, struct sctp_assoc *a, struct sctp_tx *t);
void sctp_tx_flight(struct sctp_assoc *a, struct sctp_tx *t, struct sctp_path *p);
void sctp_t3_start(struct lcore *lc, struct sctp_path *p);
void sctp_fast_rexmt(struct lcore *lc, struct sctp_assoc *a, uint32_t highest_new);
/* Everything in flight on p is lost for it, and may go elsewhere. */
void sctp_path_lost(struct lcore *lc, struct sctp_path *p);

/* ---- sctp_cc.c ---- */
void sctp_cc_init(struct sctp_path *p);
void sctp_cc_ack(struct sctp_assoc *a, struct sctp_path *p, bool in_order, uint32_t flight_before);
void sctp_cc_loss(struct sctp_path *p);    /* fast retransmit */
void sctp_cc_timeout(struct sctp_path *p); /* T3 */
void sctp_cc_idle(struct lcore *lc, struct sctp_path *p);
void sctp_cc_burst(const struct sctp_ctx *sc, struct sctp_path *p);

/* ---- sctp_tmr.c ---- */
void sctp_ctl_start(struct lcore *lc, struct sctp_assoc *a);
void sctp_guard_start(struct lcore *lc, struct sctp_assoc *a);
void sctp_autoclose_touch(struct lcore *lc, struct sctp_assoc *a);
void sctp_hb_start(struct lcore *lc, struct sctp_path *p);
void sctp_hb_now(struct lcore *lc, struct sctp_path *p);
void sctp_sack_later(struct lcore *lc, struct sctp_assoc *a);
void sctp_rtt_sample(const struct sctp_assoc *a, struct sctp_path *p, uint32_t us);
void sctp_timers_stop(struct lcore *lc, struct sctp_assoc *a);
void sctp_path_timers_stop(struct lcore *lc, struct sctp_path *p);
void sctp_rto_double(const struct sctp_assoc *a, struct sctp_path *p);

/* ---- sctp_out.c ---- */
void sctp_mark(struct lcore *lc, struct sctp_assoc *a, uint16_t what);
void sctp_unmark(struct lcore *lc, struct sctp_assoc *a);
void sctp_frag_update(struct sctp_assoc *a);

/* ---- sctp_shut.c ---- */
/* s9.2: begins, or goes on as far as what is outstanding allows. */
void sctp_shutdown_start(struct lcore *lc, struct sctp_assoc *a);
void sctp_shutdown_go_on(struct lcore *lc, struct sctp_assoc *a);
/* s9.1: an ABORT leaves at once, with this cause; then the end. */
void sctp_abort(struct lcore *lc, struct sctp_assoc *a, uint16_t cause,
	const struct sctp_bytes *info, int err);
/* An ABORT in answer to a packet without an association. T: its own tag reflected. */
void sctp_answer_abort(
	struct lcore *lc, const struct rte_mbuf *q, uint32_t vtag, uint8_t flags, uint16_t cause);
void sctp_answer_shutdown_complete(struct lcore *lc, const struct rte_mbuf *q, uint32_t vtag);

/* ---- sctp_latch.c ---- */
latch_alert_fn sctp_latch_alert;

/* ---- sctp_event.c ---- */
void sctp_wake(struct lcore *lc, struct sctp_assoc *a);
void sctp_event_assoc(struct lcore *lc, struct sctp_assoc *a, uint16_t state, uint16_t error);
void sctp_event_path(struct lcore *lc, struct sctp_path *p, uint32_t state, uint32_t error);
void sctp_event_shutdown(struct lcore *lc, struct sctp_assoc *a);
void sctp_sockaddr(struct sockaddr_storage *to, const struct ip_addr *a, rte_be16_t port);

/* ---- sctp_ep.c ---- */
struct sctp_ep *sctp_listener_find(struct lcore *lc, const struct flow_key *k);
/* The association's addresses: what ep is bound to and a peer at `remote` can be told of. */
uint8_t sctp_ep_locals(const struct lcore *lc, const struct sctp_ep *ep,
	const struct ip_addr *remote, const struct sctp_init *peer,
	struct ip_addr local[SCTP_ADDRS_MAX]);
/* Gives a the limits of ep. */
void sctp_ep_settings(struct sctp_assoc *a, const struct sctp_ep *ep);
void sctp_ep_free(struct lcore *lc, struct sctp_ep *ep);
void sctp_ep_listen_end(struct lcore *lc, struct sctp_ep *ep);
int sctp_ep_bind(struct lcore *lc, struct sctp_ep *ep, const struct sock_addr *a, uint32_t n);
void sctp_ep_unbind(struct sctp_ep *ep);
rte_be16_t sctp_ep_pick_port(struct lcore *lc, const struct sctp_ep *ep);

/* ---- sctp_opt.c ---- */
int sctp_opt_set(
	struct lcore *lc, struct sock *s, int level, int opt, const void *val, socklen_t len);
int sctp_opt_get(struct lcore *lc, struct sock *s, int level, int opt, void *val, socklen_t *len);

/* ---- sctp_msg.c ---- */
ssize_t sctp_usr_send(struct lcore *lc, struct sock *s, const void *buf, size_t len, int flags);
ssize_t sctp_usr_recv(struct lcore *lc, struct sock *s, void *buf, size_t len, int flags);
/* Positive errno of the socket's association once it ended badly, told once. */
int sctp_take_error(struct sock *s);

static inline struct sctp_way *
sctp_way_of(struct flow_ent *fe)
{
	return (struct sctp_way *)(void *)((uint8_t *)fe - offsetof(struct sctp_way, fe));
}

static inline uint32_t
sctp_ip_hlen(const struct sctp_path *p)
{
	return ip_addr_is_v4(&p->way.fe.key.remote) ? 20 : 40;
}

/* A random number that is not 0. */
uint32_t sctp_rand_tag(struct lcore *lc);

#endif
