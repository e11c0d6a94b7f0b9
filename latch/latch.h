/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * latch.h - RFC 5660 for the transports: one latch in each control block.
 *
 * latch_in() runs before any transport looks at a packet. A transport obeys the verdict in
 * pkt_meta in arrival order, calls latch_recheck() first, stamps what it sends, and releases the
 * latch when its connection is CLOSED. It never sees an SA.
 *
 * This header includes base only, so that no transport sees esp.
 */
#ifndef TL_LATCH_LATCH_H
#define TL_LATCH_LATCH_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "stack/base/flow.h"
#include "stack/base/lcore.h"
#include "stack/base/pkt.h"
#include "stack/include/tl_ipsec.h"

/*
 * A connection's record of its protection. Zero-initialised means TL_LATCH_NONE, closed to
 * protected packets (M6) once it owns a flow. profile_in and profile_out are handles of interned
 * immutable parameter sets; they never change after ESTABLISHED (G-16).
 */
struct latch {
	uint8_t state;     /* enum tl_latch_state; written by latch.c only */
	uint8_t reason;    /* enum tl_latch_reason */
	uint8_t mode;      /* TL_LATCH_MODE_* of the SA */
	uint16_t in_owner; /* the worker that decrypts what the peer sends */
	uint32_t place;    /* in the latch database, plus one; 0: not live */
	uint32_t profile_in;
	uint32_t profile_out;
	uint32_t sad_index; /* hint: outbound SA of the last stamp */
	uint32_t sad_gen;
	uint32_t sad_version;    /* the hint is good while the SAD has this version */
	uint32_t spd_version;    /* NONE, opened here: the policy that said BYPASS; else 0 */
	uint32_t spd_version_in; /* NONE: the policy that let clear packets of it in; else 0 */
	uint16_t overhead_bytes; /* what ESP adds at most, padding apart, and the outer IP header in
				    tunnel mode */
	uint32_t path_mtu_bytes; /* what routers said of ESP under this latch; 0: nothing */
	uint8_t align;           /* payload and trailer fill multiples of it */
	struct ip_addr tun_remote; /* mode TUNNEL: where the outer packets go, for their MTU */
	uint64_t drop_clear, drop_qop, drop_peer, drop_unknown, breaks;
};

/*
 * The interned, immutable parameter set that the transports compare as one number (C.5). Two SAs
 * with the same values have the same handle, whatever their SPI, keys or slot (C.4).
 */
struct latch_profile {
	uint8_t proto;            /* IANA protocol number: 50, ESP */
	uint8_t mode;             /* TL_LATCH_MODE_* */
	uint8_t type;             /* TL_LATCH_TYPE_* */
	uint8_t replay;           /* TL_LATCH_REPLAY_* */
	uint16_t encr, encr_bits; /* IANA transform, key bits without salt */
	uint16_t integ, icv_bits;
	uint32_t local_id, peer_id; /* identity handles; 0: unknown, never equal to anything */
	uint32_t realm;
};

/* Identities and profiles of one stack: numbered by its control context, never renumbered or
 * reused (F-4). A worker may read an entry once a message has told it the handle. */
struct latch_tables;

int latch_tables_create(struct latch_tables **out);
void latch_tables_free(struct latch_tables *t);

/*
 * Control context only. The handle of an identity in its canonical form (F-41: the type is part
 * of it; names in lower case without a final dot); 0: out of memory or malformed.
 */
uint32_t latch_ident_intern(struct latch_tables *t, const struct tl_ident *id);

/* The identity of a handle, NULL if there is none. */
const struct tl_ident *latch_ident_get(const struct latch_tables *t, uint32_t handle);

/* Control context only. Returns 0 when out of memory. */
uint32_t latch_profile_intern(struct latch_tables *t, const struct latch_profile *p);
const struct latch_profile *latch_profile_get(const struct latch_tables *t, uint32_t handle);

struct latch_conf {
	bool m2_drop;   /* C.6 m2_action: drop instead of break */
	bool m3_drop;   /* C.6 m3_action */
	bool spd_break; /* C.6 spd_change: break instead of preserve (S-2, S-3) */
};

struct latch_ctx;

/* tables: shared by the workers of a stack. Returns 0 or -ENOMEM. */
int latch_create(
	struct lcore *lc, const struct latch_conf *conf, const struct latch_tables *tables);
void latch_destroy(struct lcore *lc);

/*
 * Judges every L4 packet of the burst: sets flow, verdict and reason, drops what must be dropped
 * (counted). The owner of the 5-tuple alone judges; without one the SPD does (RFC 4301 s5.2).
 */
void latch_in(struct lcore *lc, struct pkt_sort *s);

/*
 * Judges one packet again if the flow table or a latch changed since latch_in() looked: an earlier
 * packet of the burst may have made or ended a connection. Call it directly before a packet is
 * processed. Returns false if the packet was dropped; else meta's flow and verdict are current.
 */
bool latch_recheck(struct lcore *lc, struct rte_mbuf *m);

/*
 * Active open (P-5, T-3): finds the protection of k by the SPD and records it in l.
 * Returns 0 with state ESTABLISHED (PROTECT) or NONE (BYPASS); -EACCES if policy says DISCARD;
 * -EHOSTUNREACH if it says PROTECT and there is no SA (C-5); -ENOBUFS, -ENOMEM. k is the owner's
 * own copy of the 5-tuple, as for latch_spawn().
 */
int latch_open(struct lcore *lc, struct latch *l, const struct flow_key *k);

/*
 * Passive open (P-6, T-2): records the tag of an initiating packet whose verdict was ACCEPT.
 * k is the owner's own copy of the 5-tuple: it stays where it is while the latch is live.
 * Returns 0 with state ESTABLISHED (tagged) or NONE (clear), -EHOSTUNREACH if no outbound SA can
 * carry the answer (C-7), -EACCES if its identity is unknown (F-39, F-46), -ENOBUFS, -ENOMEM.
 */
int latch_spawn(
	struct lcore *lc, struct latch *l, const struct flow_key *k, const struct rte_mbuf *m);

/*
 * Somebody else than the owner changed its latch: a policy edit, the administrator (RFC 5660 s2.3,
 * ALERT). The state tells what it is now; on CLOSED the transport acts as if reset. It may end the
 * connection in the call. Registered once for each protocol, by the transport.
 */
typedef void latch_alert_fn(struct lcore *lc, struct latch *l);
void latch_set_owner(struct lcore *lc, uint8_t proto, latch_alert_fn *alert);

/* Names a live latch of this process; 0: the latch is not live. Never given twice. */
uint64_t latch_handle(const struct lcore *lc, const struct latch *l);

/* FIND_LATCH by handle; NULL: no such latch, or it is another worker's. */
struct latch *latch_by_handle(const struct lcore *lc, uint64_t handle);

/* Every live latch of this worker. fn may end it. */
typedef void latch_visit_fn(struct lcore *lc, struct latch *l, const struct flow_key *k, void *arg);
void latch_foreach(struct lcore *lc, latch_visit_fn *fn, void *arg);

/*
 * The policy is about to become `next`, on this worker and in this call: with spd_break every latch
 * that agrees with the policy now and not with next ends, and its owner is told (S-2, S-5). Returns
 * how many.
 */
struct spd;
uint32_t latch_policy_edit(struct lcore *lc, const struct spd *next);

/* Which latches the administrator means; a zero says nothing. */
struct latch_filter {
	uint64_t handle;
	uint32_t peer_id;
};

/* Z-2: ends the ESTABLISHED latches that f names and tells their owners. Returns how many. */
uint32_t latch_admin_break(struct lcore *lc, const struct latch_filter *f);

/* What a packet of another identity or protection does: state CLOSED with the reason, counted.
 * The transport acts as if reset (RFC 5660 s5.5). */
void latch_break(struct lcore *lc, struct latch *l, enum tl_latch_reason why);

/* The connection is over. Keeps an earlier reason. Idempotent. */
void latch_release(struct lcore *lc, struct latch *l);

/* P-9: puts the request tag on a packet of this connection, or clears it for a clear one. */
void latch_stamp(struct lcore *lc, struct latch *l, const struct flow_key *k, struct rte_mbuf *m);

/*
 * Looks whether another SA carries this latch now. Returns true if what fits a packet may have
 * changed since: other encapsulation (F-28), a path MTU that a router told (F-51).
 */
bool latch_refresh(struct lcore *lc, struct latch *l, const struct flow_key *k);

/* F-33: an answer without a control block gets the protection of its question. */
void latch_stamp_answer(struct lcore *lc, const struct rte_mbuf *question, struct rte_mbuf *answer);

/*
 * How many bytes of L4 (header and payload) fit in one packet of mtu_bytes under this latch:
 * RFC 4303 s2.4's padding, IV and ICV are taken off. ip_hlen_bytes: of the header in front of L4;
 * that of a tunnel is counted here.
 */
uint32_t latch_l4_room(const struct latch *l, uint32_t mtu_bytes, uint32_t ip_hlen_bytes);

/* F-1, F-3: false if the SA that protected m was revoked since; asked again by who kept m. */
bool latch_is_current(const struct lcore *lc, const struct rte_mbuf *m);

/* F-49, F-50: whether the protection of packet m entitles it to speak about the flow it quotes. */
bool latch_may_speak(struct lcore *lc, const struct rte_mbuf *m, const struct flow_key *quoted);

/* TL_LATCH_INFO, TL_LATCH_LOCAL_ID, TL_LATCH_PEER_ID. Returns 0 or -errno as getsockopt does. */
int latch_getopt(struct lcore *lc, const struct latch *l, const struct flow_key *k, int opt,
	void *val, socklen_t *len);

/* Latches that were opened or spawned and not yet released: 0 when no connection is left. */
uint32_t latch_in_use(const struct lcore *lc);

#endif
