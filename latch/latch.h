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

/* What a program asked for with setsockopt, shared by the connections of a listener. */
struct latch_wish;
/* Events that the program has not read yet. */
struct latch_queue;

enum latch_flag {
	LATCH_IS_OFF = 1u << 0,      /* no latch: policy decides packet by packet */
	LATCH_IS_OVERRIDE = 1u << 1, /* the program asked for what policy does not say */
	LATCH_IS_NATT = 1u << 2,     /* its SA is in UDP */
	LATCH_IS_UNIQUE = 1u << 3,   /* its SAs are for this 5-tuple alone */
	LATCH_IS_STARVED = 1u << 4,  /* something should have left and no SA was there */
	LATCH_IS_BOUND = 1u << 7,    /* its channel binding was told: no other key of the peer */
};

/*
 * A connection's record of its protection. Zero-initialised means TL_LATCH_NONE, closed to
 * protected packets (M6) once it owns a flow. profile_in and profile_out are handles of interned
 * immutable parameter sets; they never change after ESTABLISHED (G-16).
 */
struct latch {
	uint8_t state;           /* enum tl_latch_state; written by latch_set_state() only */
	uint8_t reason;          /* enum tl_latch_reason */
	uint8_t mode;            /* TL_LATCH_MODE_* of the SA */
	uint8_t flags;           /* enum latch_flag */
	uint8_t align;           /* payload and trailer fill multiples of it */
	uint16_t overhead_bytes; /* what ESP adds at most, padding apart, and in tunnel mode the
				    outer IP header */
	uint32_t place;          /* in the latch database, plus one; 0: not live */
	uint32_t profile_in;
	uint32_t profile_out;
	uint32_t also_in;   /* congruent with profile_in though not the same: the last such */
	uint32_t also_out;  /* the same of profile_out */
	uint32_t sad_index; /* hint: outbound SA of the last stamp */
	uint32_t sad_gen;
	uint32_t sad_version;      /* the hint is good while the SAD has this version */
	uint32_t spd_version;      /* NONE, opened here: the policy that said BYPASS; else 0 */
	uint32_t spd_version_in;   /* NONE: the policy that let clear packets of it in; else 0 */
	uint32_t path_mtu_bytes;   /* what routers said of ESP under this latch; 0: nothing */
	struct ip_addr tun_remote; /* mode TUNNEL: where the outer packets go, for their MTU */
	struct latch_wish *wish;   /* NULL: the program asked for nothing */
	struct latch_queue *queue; /* NULL: no event was kept yet */
	uint64_t broken_ns;        /* BROKEN since */
	uint64_t bad_ns; /* BROKEN: when the last conflicting packet came; starved: since when */
	uint64_t drop_clear, drop_qop, drop_peer, drop_unknown, breaks, resumes;
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
	uint32_t local_ev, peer_ev; /* evidence handles; 0: none was given */
	uint32_t auth_class;        /* enum tl_auth_class of the peer */
};

enum { LATCH_HASH_BYTES = 32, LATCH_DER_MAX = 8192 };

/* What a key manager saw of one end (C.2, Q-2): DER, each of it optional. */
enum latch_ev_part { LATCH_EV_SPKI, LATCH_EV_CERT, LATCH_EV_TA, LATCH_EV_PARTS };
struct latch_der {
	const uint8_t *at;
	uint32_t len; /* 0: not known */
};
struct latch_evidence {
	uint8_t auth_class; /* enum tl_auth_class */
	struct latch_der part[LATCH_EV_PARTS];
};

/* Identities, evidence and profiles of one stack, never renumbered or reused (F-4). Any thread may
 * add or read. */
struct latch_tables;

int latch_tables_create(struct latch_tables **out);
void latch_tables_free(struct latch_tables *t);

/*
 * The handle of an identity in its canonical form (F-41: the type is part of it; names in lower
 * case without a final dot); 0: out of memory or malformed.
 */
uint32_t latch_ident_intern(struct latch_tables *t, const struct tl_ident *id);

/* The handle of an identity that somebody has, 0 if nobody has it; false: it is malformed. */
bool latch_ident_find(struct latch_tables *t, const struct tl_ident *id, uint32_t *handle);

/* The identity of a handle, NULL if there is none. */
const struct tl_ident *latch_ident_get(const struct latch_tables *t, uint32_t handle);

/* Returns 0 when out of memory. */
uint32_t latch_profile_intern(struct latch_tables *t, const struct latch_profile *p);
const struct latch_profile *latch_profile_get(const struct latch_tables *t, uint32_t handle);

/* Drawn when the tables were made, never 0: handles of two stacks, or of two runs, differ. */
uint32_t latch_tables_generation(const struct latch_tables *t);

/*
 * Keeps what is known of an identity and gives its handle, and the hash of identity and content
 * that names it for all times (P-22). Class UNKNOWN: only the hash, handle 0. Returns 0, -EINVAL
 * (no identity, or not DER), -ENOSPC, -ENOMEM.
 */
int latch_evidence_intern(struct latch_tables *t, uint32_t ident, const struct latch_evidence *ev,
	uint32_t *handle, uint8_t hash[LATCH_HASH_BYTES]);

/* The handle behind a hash, whose it is, and its class; 0: nobody said such. */
uint32_t latch_evidence_find(struct latch_tables *t, const uint8_t hash[LATCH_HASH_BYTES],
	uint32_t *ident, uint8_t *auth_class);

/* enum tl_latch_cert_rule of the latch that owns k here; the default without one. */
uint8_t latch_cert_rule(const struct lcore *lc, const struct flow_key *k);

/* What is behind a handle; false: nothing. */
bool latch_evidence_get(const struct latch_tables *t, uint32_t handle, struct latch_evidence *out,
	uint8_t hash[LATCH_HASH_BYTES]);

/* P-21, M-3: looks at some entries, and at the next ones when called again. Returns false if one is
 * not what it was: it names nobody from now on. c begins as zero. Control context. */
struct latch_check {
	uint32_t table, at;
};
bool latch_tables_check(struct latch_tables *t, struct latch_check *c);

/* ---- the PAD (RFC 4301 s4.4.3) ---- */

enum { LATCH_PAD_NETS = 16 };
struct latch_pad_net {
	struct ip_addr lo, hi;
};

struct latch_pad_entry {
	char name[32];
	uint32_t ident;   /* 0: leap of faith */
	uint32_t classes; /* 1 << enum tl_auth_class; 0: any */
	bool leap;        /* everybody who has no entry of his own (F-47) */
	uint8_t nb_nets;  /* 0: may claim every address */
	struct latch_pad_net net[LATCH_PAD_NETS];
};

/* Why entries are no PAD. */
struct latch_pad_fault {
	const struct latch_pad_entry *entry, *with; /* NULL: none */
	const char *why;
};

/* What somebody wants to be. */
enum { LATCH_PAD_ANY_CLASS = 0xff };
struct latch_pad_claim {
	uint32_t ident;
	uint8_t auth_class;          /* enum tl_auth_class, or ANY_CLASS: not asked yet */
	struct latch_pad_net remote; /* has to be in one of the networks */
};

enum latch_pad_verdict { LATCH_PAD_OK, LATCH_PAD_UNKNOWN, LATCH_PAD_CLASS, LATCH_PAD_ADDRESS };

/* Immutable, for all workers. Returns 0, -EINVAL, -ENOMEM. */
struct latch_pad;
int latch_pad_build(const struct latch_pad_entry *e, uint32_t n, struct latch_pad **out,
	struct latch_pad_fault *f);
void latch_pad_free(struct latch_pad *p);

/* by: the entry that decided, NULL if there is none. p NULL: all is allowed. */
enum latch_pad_verdict latch_pad_judge(const struct latch_pad *p, const struct latch_pad_claim *c,
	const struct latch_pad_entry **by);

/* From now on; gone: an entry of the former one that was revoked: latches of whom it allowed are
 * closed, their owners told. Returns how many. */
uint32_t latch_pad_install(
	struct lcore *lc, const struct latch_pad *p, const struct latch_pad_entry *gone);

/* What is done about an SA that is about to be added and conflicts with a latch (K-2, K-5). */
enum latch_monitor {
	LATCH_MONITOR_OFF = 0,
	LATCH_MONITOR_LOG,
	LATCH_MONITOR_BREAK,
	LATCH_MONITOR_REJECT,
};

/* P-14: the SYN of another peer on a 5-tuple that is in use. */
enum latch_new_syn { LATCH_SYN_END = 0, LATCH_SYN_DROP, LATCH_SYN_RESET };

/* M-5, M-6: a key manager says that a peer is dead or was rebooted. */
enum latch_dpd { LATCH_DPD_CLOSE = 0, LATCH_DPD_BREAK, LATCH_DPD_IGNORE };

/* C.6 m3_action. */
enum latch_m3 { LATCH_M3_BREAK = 0, LATCH_M3_DROP, LATCH_M3_WINDOW };

/* What the system decides where no program did. All zero: the defaults of C.6. */
struct latch_conf {
	bool m2_drop;     /* C.6 m2_action: drop instead of break */
	bool spd_break;   /* C.6 spd_change: break instead of preserve (S-2, S-3) */
	bool open_newest; /* two peers' SAs cover a new 5-tuple: the newest, not a refusal (C-7) */
	bool wait_sa;     /* a connection without an SA waits for one (C-3) */
	bool no_auto;     /* do not latch what did not ask for it (G-19) */
	bool same_peer;   /* G-22 for everybody */
	bool optional;    /* programs may ask for PROTECT where policy says BYPASS (O-1) */
	bool override;    /* privileged ones may ask for BYPASS instead of PROTECT (O-2) */
	bool privileged;  /* the configuration names this program (O-2) */
	uint8_t m3;       /* enum latch_m3 */
	uint8_t monitor;  /* enum latch_monitor */
	uint8_t new_syn;  /* enum latch_new_syn */
	uint8_t dpd;      /* enum latch_dpd */
	uint8_t disposition;    /* enum tl_latch_disposition; DEFAULT: RESET */
	uint32_t suspend_max_s; /* 0: 180 */
	uint32_t settle_ms;     /* quiet before a BROKEN latch returns; 0: 3000 */
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

/* Whether what latch_in() said last is true of every packet of the burst still, so that segments
 * may be processed together. */
bool latch_holds(const struct lcore *lc);

/*
 * Active open (P-5, T-3): finds the protection of k by the policy and the program's wish, and
 * records it in l. k is the owner's own copy of the 5-tuple: it stays where it is while the latch
 * is live. Returns 0 with state ESTABLISHED, NONE (clear), or WANTED (an SA was asked for and may
 * come: what is sent meanwhile is lost); -EACCES if policy, PAD or privilege forbid; -ECONNREFUSED
 * if SAs of two peers cover k (C-7); -EHOSTUNREACH if no SA is there and none will be (C-5);
 * -ENOBUFS, -ENOMEM.
 */
int latch_open(struct lcore *lc, struct latch *l, const struct flow_key *k);

/*
 * Passive open (P-6, T-2, L-5): records the tag of an initiating packet whose verdict was ACCEPT,
 * as far as the wishes of the listener agree, which the child inherits (NULL: none). k as above.
 * Returns DROP_NONE with state ESTABLISHED (tagged) or NONE (clear), or why the packet is dropped.
 */
enum drop_reason latch_spawn(struct lcore *lc, struct latch *l, struct latch *listener,
	const struct flow_key *k, const struct rte_mbuf *m);

/* The same question for a packet whose connection is made later (SYN cookies): nothing is kept. */
enum drop_reason latch_spawn_check(struct lcore *lc, const struct latch *listener,
	const struct flow_key *k, const struct rte_mbuf *m);

/* L-1, T-1: a LISTENER latch; k has the local end only. Idempotent. 0, -EACCES, -ENOBUFS, -ENOMEM.
 */
int latch_listen(struct lcore *lc, struct latch *l, const struct flow_key *k);

/* What the owner of a latch must do when it changed. */
enum latch_act {
	LATCH_ACT_NONE = 0,
	LATCH_ACT_NEWS,  /* an event waits: wake who reads */
	LATCH_ACT_GO,    /* ESTABLISHED now: what is due can leave */
	LATCH_ACT_PAUSE, /* BROKEN: what is sent is lost until GO; timers run */
	LATCH_ACT_SOFT,  /* the same, and EHOSTUNREACH as a soft error */
	LATCH_ACT_RESET, /* CLOSED: as if the peer had reset it (RFC 5660 s5.5) */
};

/*
 * Somebody else than the owner changed its latch: policy, key manager, administrator, time (RFC
 * 5660 s2.3, ALERT). The owner may end its connection in the call, except on GO and NEWS, which may
 * come while it handles a packet. Registered once for each protocol, by the transport.
 */
typedef void latch_alert_fn(struct lcore *lc, struct latch *l, enum latch_act act);
void latch_set_owner(struct lcore *lc, uint8_t proto, latch_alert_fn *alert);

/*
 * A packet with VERDICT_BREAK arrived: what its reason means for the connection, by its disposition
 * (B-6 to B-11). is_open: the packet wants to begin a connection of its own, so the old one ends
 * (P-14). The transport does what is returned; the packet is dropped in any case.
 */
enum latch_act latch_conflict(
	struct lcore *lc, struct latch *l, enum tl_latch_reason why, bool is_open);

/* P-14: what becomes of the SYN of another peer on a 5-tuple that lives. */
enum latch_new_syn latch_new_syn(const struct lcore *lc, const struct latch *l);

/* F-91: only a packet that would fit into the connection may break it. */
bool latch_asks_window(const struct lcore *lc);

/* What the program hears: TL_ELATCHBROKEN if the latch broke and it wants to know, else legacy. */
int latch_errno(const struct latch *l, int legacy);

/* B-18: BROKEN with disposition SUSPEND and not for too long: the connection must not give up. */
bool latch_is_suspended(const struct lcore *lc, const struct latch *l);

/*
 * One connection with several 5-tuples has a latch for each (RFC 5660 s5.4). inherit: what the
 * program asked of `from` holds for l too; before l is opened. is_same_peer: whether both have the
 * same identities, or neither has any; quality and mode are each latch's own.
 * wants_reset: program or configuration name RESET, so that one broken latch ends them all (B.3);
 * it is the default for the last one only.
 */
void latch_inherit(struct latch *l, const struct latch *from);
bool latch_is_same_peer(const struct lcore *lc, const struct latch *l, const struct latch *other);
bool latch_wants_reset(const struct lcore *lc, const struct latch *l);

/* The connection is over. Keeps an earlier reason. Idempotent. */
void latch_release(struct lcore *lc, struct latch *l);

/* For a control block that begins another life: forgets all but what the program asked for; or that
 * ends: forgets that too. The latch is not live. */
void latch_renew(struct latch *l);
void latch_fini(struct latch *l);

/* ---- the latch database (RFC 5660 s2.3) ---- */

/* Names a live latch of this process; 0: the latch is not live. Never given twice. */
uint64_t latch_handle(const struct lcore *lc, const struct latch *l);

/* FIND_LATCH by handle; NULL: no such latch, or it is another worker's. */
struct latch *latch_by_handle(const struct lcore *lc, uint64_t handle);

/* Every live latch of this worker. fn may end it. */
typedef void latch_visit_fn(struct lcore *lc, struct latch *l, const struct flow_key *k, void *arg);
void latch_foreach(struct lcore *lc, latch_visit_fn *fn, void *arg);

/* Latches that are live: 0 when no connection and no listener is left. */
uint32_t latch_in_use(const struct lcore *lc);

/* ---- what others do to latches; each returns how many it changed ---- */

/*
 * The policy is about to become `next`, on this worker and in this call: with spd_break every latch
 * that agrees with the policy now and not with next breaks, and its owner is told (S-2, S-5).
 */
struct spd;
uint32_t latch_policy_edit(struct lcore *lc, const struct spd *next);

/* The policy was changed: those that wait may agree again (K-6). */
void latch_policy_changed(struct lcore *lc);

/* K-2, K-5: an SA is about to be added. Counts the latches that it conflicts with; break_them: and
 * breaks them, before it is usable. */
struct esp_sa_conf;
uint32_t latch_sa_adding(struct lcore *lc, const struct esp_sa_conf *sa, bool break_them);

/* An SA was added, or some were deleted (NULL): latches that wait for one, or for the end of one,
 * look again; K-10. */
void latch_sad_changed(struct lcore *lc, const struct esp_sa_conf *added);

/* Which latches are meant; a zero says nothing. */
struct latch_filter {
	uint64_t handle;
	uint32_t peer_id;
	bool overrides; /* those that a program has against the policy, clear ones too (O-13) */
};

/* Z-2: BROKEN by disposition; and Z-1: CLOSED with this reason, as if reset by the peer (B-12). */
uint32_t latch_admin_break(struct lcore *lc, const struct latch_filter *f);
uint32_t latch_admin_close(
	struct lcore *lc, const struct latch_filter *f, enum tl_latch_reason why);

/* M-5 to M-9: the key manager's verdict on a peer. restart: of its key manager only (M-7). */
enum latch_peer_event { LATCH_PEER_DEAD, LATCH_PEER_REBOOT, LATCH_PEER_IKE_RESTART };
uint32_t latch_peer(struct lcore *lc, uint32_t peer_id, enum latch_peer_event what);

/* e17, C-4: the key manager cannot make an SA for k. A port or protocol that is 0 may be any. */
uint32_t latch_refused(struct lcore *lc, const struct flow_key *k);

/* Whether somebody hears requests for SAs, so that waiting for one makes sense (C-3). */
void latch_set_km(struct lcore *lc, bool present);

/* ---- packets ---- */

/* P-9: puts the request tag on a packet of this connection, or clears it for a clear one. */
void latch_stamp(struct lcore *lc, struct latch *l, const struct flow_key *k, struct rte_mbuf *m);

/* Whether what is sent now leaves in clear, so that a port sees what is in it. */
static inline bool
latch_sends_clear(const struct latch *l)
{
	return l->state == TL_LATCH_NONE && l->profile_out == 0 && (l->flags & LATCH_IS_OFF) == 0;
}

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

/* ---- datagrams without a connection (RFC 5660 s2.4, s5.3) ---- */

/* The profile that protected m, 0: clear. Kept with a datagram that waits: it holds no SA (F-11).
 */
uint32_t latch_dgram_profile(const struct lcore *lc, const struct rte_mbuf *m);

/* What a program gets to know of a profile: struct tl_dgram_tag's handle. */
uint64_t latch_dgram_handle(const struct lcore *lc, uint32_t profile);

/* Whether a datagram that the policy accepted is what the program asked for, by the wish of l,
 * which is not live. DROP_NONE, or why it is dropped. */
enum drop_reason latch_dgram_check(
	struct lcore *lc, const struct latch *l, const struct rte_mbuf *m);

/* F-78: whether what waits under `profile` might have come on the connection that l was opened for.
 */
bool latch_dgram_fits(const struct lcore *lc, const struct latch *l, uint32_t profile);

/*
 * Puts on m, which begins at its L4 header and goes to k, the request of its tag; NULL: what the
 * wish of l asks for, else what the policy says when it leaves. A tag is obeyed or refused, it
 * never falls back (D-12): 0; -EINVAL (unknown flags); -ESTALE (a handle of another run, or of
 * nothing); -EHOSTUNREACH (no SA is there, one was asked for); -EPERM (another peer than this
 * destination allows; clear without privilege); -EACCES (the policy says otherwise); -ECONNREFUSED
 * (C-7).
 */
int latch_dgram_stamp(struct lcore *lc, const struct latch *l, const struct flow_key *k,
	const struct tl_dgram_tag *tag, struct rte_mbuf *m);

/* D-7: the same question of a connection: 0, -EINVAL, -ESTALE, or -EPERM if the latch is not that.
 */
int latch_dgram_agrees(
	const struct lcore *lc, const struct latch *l, const struct tl_dgram_tag *tag);

/* Whether policy or program want protection for k; who cannot be latched is refused then (D-14). */
bool latch_dgram_is_wanted(struct lcore *lc, const struct latch *l, const struct flow_key *k);

/* F-77, G-22: whether l, connected anew to the same host, may have this peer where the profile of
 * the connection before was `before`. */
bool latch_dgram_may_follow(const struct lcore *lc, const struct latch *l, uint32_t before);

/* ---- the program ---- */

/* Options at SOL_TL_IPSEC and TL_IP_SEC_OPT. fresh: before connect and listen. Return 0 or -errno
 * as getsockopt and setsockopt do (E.4). */
int latch_getopt(struct lcore *lc, const struct latch *l, const struct flow_key *k, int opt,
	void *val, socklen_t *len);
int latch_setopt(struct lcore *lc, struct latch *l, const struct flow_key *k, bool fresh, int opt,
	const void *val, socklen_t len);

/* TL_LATCH_F_*, all but the answer to the next question; and the events that the program wants. */
uint16_t latch_flags(const struct latch *l);
uint32_t latch_events_wanted(const struct latch *l);

/* The policy says something else about k by now (TL_LATCH_F_SPD_PRESERVED). Looks at the SPD. */
bool latch_is_preserved(const struct lcore *lc, const struct latch *l, const struct flow_key *k);

/* The next event. Returns 1, or 0 if there is none. */
bool latch_has_event(const struct latch *l);
int latch_event_next(struct latch *l, struct tl_latch_event *out);

#endif
