/* SPDX-License-Identifier: BSD-3-Clause */
/* latch_ctx.h - what the files of this module share. Private to latch. */
#ifndef TL_LATCH_LATCH_CTX_H
#define TL_LATCH_LATCH_CTX_H

#include "esp/esp.h"
#include "latch/latch.h"
#include "latch/profile.h"
#include "stack/base/tmr.h"

enum {
	LATCH_SUSPEND_MAX_S = 180, /* B.4: BGP's suggested hold time, twice */
	LATCH_SETTLE_MS = 3000,
	LATCH_LOOK_MS = 250, /* between two looks at BROKEN latches */
	LATCH_EVENTS_MAX = 16,
	LATCH_PAIRS = 4096,
	LATCH_OPEN_MAX = 16,
};

/* What a program asked for; never changed while more than one latch has it. */
struct latch_wish {
	uint32_t refs;
	struct tl_latch_req req;
	struct tl_latch_disp disp;
	uint32_t local_id, peer_id; /* 0: any */
	uint32_t events;            /* 1 << enum tl_latch_event_type */
	uint8_t errmode;            /* enum tl_latch_errmode */
	bool asked;                 /* for protection, not only for how errors are told */
};

struct latch_queue {
	struct tl_latch_event ev[LATCH_EVENTS_MAX];
	uint32_t head, n;
	bool lost;
};

struct latch_place {
	struct latch *latch; /* NULL: free */
	const struct flow_key *key;
	uint32_t gen;
	uint32_t next;       /* free list, place + 1 */
	uint32_t pair, prev; /* list of the same pair of addresses, place + 1 */
};

struct latch_db {
	struct latch_place *place;
	uint32_t cap, n;
	uint32_t free; /* place + 1; 0: none */
	uint32_t pair[LATCH_PAIRS];
};

/* A bucket of audit lines for each kind, so that a flood of one cannot hide another (F-86). */
enum audit_kind {
	AUDIT_CLEAR,
	AUDIT_QOP,
	AUDIT_PEER,
	AUDIT_UNKNOWN,
	AUDIT_SA,
	AUDIT_BREAK,
	AUDIT_ADMIN,
	AUDIT_OVERRIDE,
	AUDIT_KINDS,
};
struct audit_bucket {
	uint64_t since_ns;
	uint32_t said, silent;
};

struct latch_ctx {
	struct latch_conf conf;
	const struct latch_tables *tables;
	struct latch_db db;
	latch_alert_fn *owner[256]; /* by protocol */
	struct tmr t_look;          /* runs while latches are BROKEN */
	uint32_t nb_broken, nb_wanted, nb_starved;
	const struct latch *open[LATCH_OPEN_MAX]; /* listeners that take clear connections */
	uint32_t nb_open;
	uint32_t flow_version; /* of the flow table when latch_in() judged the burst */
	bool stale;            /* a latch changed since */
	bool km_present;
	bool reset_named;            /* the configuration names RESET; it is not only the default */
	const struct latch_pad *pad; /* NULL: everybody may claim everything */
	struct audit_bucket audit[AUDIT_KINDS];
};

/* ---- latch_db.c ---- */

/* A latch begins and ends; k stays where it is meanwhile. Returns 0 or -errno. */
int latch_db_add(struct lcore *lc, struct latch *l, const struct flow_key *k);
void latch_db_remove(struct lcore *lc, struct latch *l);
const struct flow_key *latch_key(const struct lcore *lc, const struct latch *l);

/* Another ESTABLISHED or BROKEN latch between the same two addresses, NULL if there is none (G-22).
 */
const struct latch *latch_db_sibling(
	const struct lcore *lc, const struct latch *l, const struct flow_key *k);

/* ---- latch_state.c ---- */

/* B.3: what happens to a latch. */
enum latch_step {
	STEP_OPEN_CLEAR, /* e2, e4: begun in clear under BYPASS */
	STEP_WANT,       /* protection is wanted and no SA is there */
	STEP_LATCH,      /* e1, e3: begun under an SA */
	STEP_LISTEN,
	STEP_BREAK,   /* e7 to e9, e11, e12 with a disposition that waits */
	STEP_END,     /* the same with RESET; e14, e15, e17 */
	STEP_RESTORE, /* e10 */
	STEP_RELEASE, /* e18 */
	STEPS,
};
void latch_step(struct lcore *lc, struct latch *l, enum latch_step step, enum tl_latch_reason why);

/* Tells the owner that its latch was changed by somebody else. */
void latch_alert(struct lcore *lc, struct latch *l, enum latch_act act);

/* Keeps an event for the program if it wants such; true if it does. */
bool latch_event(struct lcore *lc, struct latch *l, enum tl_latch_event_type type, uint8_t old);

/* ---- latch_choice.c ---- */

enum choice_what { CHOICE_CLEAR, CHOICE_PROTECT, CHOICE_OFF };
struct choice {
	enum choice_what what;
	bool is_override;
	const struct spd_rule *rule; /* PROTECT; NULL: the program alone asks for it */
	const struct latch_wish *wish;
	uint32_t like;    /* G-22: the profile of the sibling, whose peer it must be; 0: any */
	uint32_t peer_id; /* the identity in it */
};

/* Whether a profile is of the peer that the sibling has: the name, and what proved it (F-44). */
bool choice_is_peer(const struct lcore *lc, const struct choice *c, uint32_t profile);

/* What policy and program together want for k. Returns 0 or -EACCES. */
int choice_make(
	struct lcore *lc, const struct latch *l, const struct flow_key *k, struct choice *c);

/* The newest outbound SA that is all of that. Returns 0, -ENOENT, -EACCES if it has no identity
 * (F-39), or -ECONNREFUSED (C-7). */
int choice_find(
	struct lcore *lc, const struct choice *c, const struct flow_key *k, struct esp_sa_ref *sa);

/* Whether a program asked for protection of any kind. */
bool wish_asks_protection(const struct latch_wish *w);

/* Whether an SA is what the program asked for. */
bool wish_fits(const struct lcore *lc, const struct latch_wish *w, const struct esp_sa_ref *sa);

/* Asks key managers for an SA of this kind (P-3, P-16). */
void choice_acquire(struct lcore *lc, const struct choice *c, const struct flow_key *k);

/*
 * An SA as its profile has it: what is asked of it when the SA itself is gone, which changes
 * nothing of what it was (F-3). No generation: nobody knows for whom it was made.
 */
struct esp_sa_ref latch_profile_sa(const struct latch_profile *p, uint32_t handle);

/* The SA of a tag, by its profile p if it is gone. */
struct esp_sa_ref latch_tag_sa(
	const struct lcore *lc, const struct tl_tag *t, const struct latch_profile *p);

/* C.1, first question: does a profile match the latch, in this direction? */
bool latch_congruent(const struct lcore *lc, const struct latch *l, bool in, uint32_t profile);

/* For who looks for SAs by their relation to a latch, in one direction. */
struct latch_seek {
	const struct lcore *lc;
	const struct latch *l;
	bool in;
};

/* C.2: the part of it about certificates and keys, by the rule of the latch. */
bool latch_evidence_agrees(const struct lcore *lc, const struct latch *l,
	const struct latch_profile *a, const struct latch_profile *b);

/* ---- latch.c ---- */

/* A listener takes clear connections against the policy no more; false: it took none. */
bool latch_close_open(struct lcore *lc, const struct latch *l);

void latch_use_sa(struct lcore *lc, struct latch *l, const struct esp_sa_ref *sa);
/* Whether an SA is there that can carry the latch. */
bool latch_has_sa(struct lcore *lc, struct latch *l, const struct flow_key *k);
/* A WANTED latch: ESTABLISHED if an SA is there now. */
enum latch_act latch_try(struct lcore *lc, struct latch *l, const struct flow_key *k);

/* ---- latch_break.c ---- */

/* Breaks an ESTABLISHED (or WANTED) latch by its disposition; the owner is not told. */
enum latch_act latch_break(struct lcore *lc, struct latch *l, enum tl_latch_reason why);
/* Looks at latches that wait, in a moment. */
void latch_look_later(struct lcore *lc);
/* BROKEN to ESTABLISHED if nothing speaks against it any more. */
bool latch_restore(struct lcore *lc, struct latch *l, const struct flow_key *k);

/* Whether the policy asks for what the latch has, both ways. */
bool latch_policy_agrees(const struct lcore *lc, const struct latch *l, const struct flow_key *k);

/* ---- latch_in.c ---- */

/* Whether packets of another peer are dropped instead of breaking the latch. */
bool latch_drops_peer(const struct lcore *lc, const struct latch *l);

/* ---- latch_wish.c ---- */

enum tl_latch_disposition latch_disposition(const struct lcore *lc, const struct latch *l);
void wish_put(struct latch_wish *w);
struct latch_wish *wish_get(struct latch_wish *w);
/* Whether the program may ask for less than the policy says, as far as the system knows it. */
bool latch_is_privileged(const struct lcore *lc);

/* ---- latch_info.c ---- */

/* A whole object as getsockopt gives it; -EMSGSIZE with the size in *len if it is larger (E.4). */
int latch_give(const void *src, size_t size, void *val, socklen_t *len);

void latch_sockaddr(struct sockaddr_storage *out, const struct ip_addr *a, rte_be16_t port);

/* ---- pad.c ---- */

/* O-10: whether the peer that the program names may have the address. */
bool pad_allows(const struct lcore *lc, const struct latch_wish *w, const struct flow_key *k);

/* F-48: for the audit. */
const char *pad_entry_name(const struct lcore *lc, uint32_t ident);

/* ---- cb.c ---- */

/* A piece of the peer's evidence, and the channel binding, as getsockopt does. The second may be
 * what makes another key of the peer a conflict from now on. */
int latch_get_der(struct lcore *lc, const struct latch *l, enum latch_ev_part part, void *val,
	socklen_t *len);
int latch_get_cb(struct lcore *lc, struct latch *l, void *val, socklen_t *len);
void latch_put_evidence(struct lcore *lc, const struct latch_profile *p, struct tl_latch_info *i);

/* ---- latch_audit.c ---- */

/* One line about a packet or an act; profile: that of what came, 0: clear. */
void latch_audit(struct lcore *lc, const struct latch *l, enum audit_kind kind, uint32_t profile,
	uint32_t index);

#endif
