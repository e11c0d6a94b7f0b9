/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * control.h - the control context: who changes SAs and policy while the workers turn.
 *
 * It owns the master SAD and SPD, numbers slots, generations and rules, and sends every change to
 * every worker as a message between two turns; a call returns when all have answered. One caller at
 * a time: take the lock around every call here (control_lock()). Any thread but a worker's.
 */
#ifndef TL_RUN_CONTROL_H
#define TL_RUN_CONTROL_H

#include <pthread.h>
#include <stdatomic.h>
#include <rte_ring.h>

#include "esp/esp.h"
#include "stack/include/tl.h"
#include "stack/run/conf.h"

struct tl_stack;

/* One SA half as the control context knows it. */
struct master_sa {
	char name[CONF_NAME];    /* empty: no SA in this slot */
	uint32_t gen;            /* of the SA, or of the last one */
	uint32_t next_in_queue;  /* of free or draining slots */
	uint64_t drain_epoch;    /* deleted: what every worker must have passed */
	struct esp_sa_conf conf; /* without keys */
};

/* The keys that this stack ever had, as digests: none may come again (RFC 4106 s3). */
struct key_memory {
	uint8_t salt[32];
	uint8_t (*digest)[32]; /* open addressing; all zero: empty */
	uint32_t n, cap;
};

/* FIFO of slots through next_in_queue. */
struct slot_queue {
	uint32_t head, tail, n;
};

/* What changed, for who watches (the control socket). Called with the lock held. */
enum control_change {
	CONTROL_SA_ADDED,
	CONTROL_SA_DELETED,
	CONTROL_SA_SOFT,
	CONTROL_SA_HARD,
	CONTROL_SA_MOVED,
	CONTROL_POLICY_ADDED,
	CONTROL_POLICY_DELETED,
	CONTROL_ACQUIRE,
};

struct control_note {
	enum control_change change;
	uint32_t slot;                 /* SA_* */
	const struct master_sa *sa;    /* SA_* */
	enum esp_del_cause cause;      /* SA_DELETED */
	const struct spd_rule *rule;   /* POLICY_*; ACQUIRE: whose packet it was, or NULL */
	const struct esp_event *event; /* ACQUIRE, SA_MOVED */
	struct ip_addr was_addr;       /* SA_MOVED: the peer before */
	uint16_t was_port;
};

typedef void control_watch_fn(void *arg, const struct control_note *note);

struct control {
	pthread_mutex_t lock;
	struct master_sa *sa; /* by slot */
	uint32_t nb_slots;
	struct slot_queue free, draining, settling; /* settling: drained once, of twice */
	uint64_t drain_epoch;
	struct key_memory keys;
	struct spd_rule *rule; /* in order */
	uint32_t nb_rules, cap_rules, next_rule_id;
	bool hold, dirty;
	struct spd_rule *held; /* the rules when it was held */
	uint32_t nb_held;
	struct spd *spd; /* what the workers use */
	struct rte_ring *event[LC_MAX_WORKERS];
	uint32_t next_sa_name;
	_Atomic uint64_t events_lost;
	pthread_t keeper;
	bool has_keeper;
	control_watch_fn *watch;
	void *watch_arg;
	struct latch_pad_entry *peer;
	uint32_t nb_peers;
	struct latch_pad *pad;    /* what the workers use; NULL: there was never a [peer] */
	struct latch_check check; /* where control_check_tables() goes on */
};

int control_create(struct tl_stack *s, struct tl_error *e);
void control_destroy(struct tl_stack *s);

void control_lock(struct tl_stack *s);
void control_unlock(struct tl_stack *s);

/* Runs fn on a worker between two of its turns, or here if nothing drives it; waits for it. */
void ctl_call(struct tl_stack *s, uint32_t worker, void (*fn)(struct lcore *, void *), void *arg);

/*
 * Handles what the workers reported: an SA at its hard limit is deleted, one that moved behind a
 * NAT is changed on every worker, and the watcher hears of all. Returns how many events. Called by
 * the control thread; tests call it themselves.
 */
uint32_t control_events(struct tl_stack *s);

/* A thread that handles events while the workers run, unless a service does. */
void control_keeper_start(struct tl_stack *s);
void control_keeper_stop(struct tl_stack *s);

/* Registers who hears of changes; NULL: nobody. */
void control_set_watch(struct tl_stack *s, control_watch_fn *fn, void *arg);

/*
 * Takes an SA into the master SAD and to every worker; the owner comes last, so that packets are
 * decrypted only when every worker knows the SA. name "": one is made of direction and SPI. Returns
 * the slot, or -EEXIST (name, inbound SPI, or key), -EINVAL, -ENOSPC, -ENOMEM, -ENOTSUP.
 */
int control_sa_add(
	struct tl_stack *s, const char *name, const struct esp_sa_conf *sa, struct tl_error *e);

/* Deletes the SA of a slot everywhere. Returns 0 or -ENOENT. */
int control_sa_del(struct tl_stack *s, uint32_t slot, enum esp_del_cause cause);

/* The slot of an SA, or -ENOENT. */
int control_sa_by_name(const struct tl_stack *s, const char *name);
int control_sa_by_spi(const struct tl_stack *s, bool inbound, uint32_t spi,
	const struct ip_addr *destination, uint32_t realm);

/* What the owner of an SA counts. Returns 0 or -ENOENT. */
int control_sa_info(struct tl_stack *s, uint32_t slot, struct esp_sa_info *out);

/*
 * An inbound SPI in [lo, hi] that nobody has, chosen at random. RFC 4303 s2.1: above 255. Nothing
 * is reserved: the caller adds its SA before it gives up the lock, or asks again. Returns 0 (none
 * is free) or the SPI.
 */
uint32_t control_spi_choose(struct tl_stack *s, uint32_t lo, uint32_t hi, uint32_t realm);

/*
 * Adds a rule (its id is set here) or replaces the whole policy; every worker uses the result when
 * the call returns. Returns the id, or -EEXIST (a rule of this name), -ENOMEM.
 */
int control_policy_add(struct tl_stack *s, const struct spd_rule *r, struct tl_error *e);
int control_policy_set(
	struct tl_stack *s, const struct spd_rule *r, uint32_t n, struct tl_error *e);
int control_policy_del(struct tl_stack *s, uint32_t id);

/* Between the two, changes of the policy are collected; the second gives them to the workers. */
void control_policy_hold(struct tl_stack *s);
int control_policy_release(struct tl_stack *s, struct tl_error *e);

/* NULL if there is none. */
const struct spd_rule *control_policy_by_id(const struct tl_stack *s, uint32_t id);
const struct spd_rule *control_policy_by_name(const struct tl_stack *s, const char *name);

/* The rule with its hits of all workers. Returns 0 or -ENOENT. */
int control_policy_info(struct tl_stack *s, uint32_t id, struct spd_rule *out);

/*
 * The same as control_sa_add() and control_policy_add(), from the words "key=value key=value" of a
 * section [sa NAME] or [policy NAME].
 */
int control_sa_add_words(
	struct tl_stack *s, const char *name, const char *settings, struct tl_error *e);
int control_policy_add_words(
	struct tl_stack *s, const char *name, const char *settings, struct tl_error *e);

/*
 * The PAD. Deleting an entry revokes: the SAs of whom it allowed are deleted and their latches
 * closed (F-82). Without its last entry nobody is allowed. Return 0, -EINVAL, -ENOENT, -ENOMEM.
 */
int control_peer_set(
	struct tl_stack *s, const struct latch_pad_entry *e, uint32_t n, struct tl_error *err);
int control_peer_add(struct tl_stack *s, const struct latch_pad_entry *e, struct tl_error *err);
int control_peer_add_words(
	struct tl_stack *s, const char *name, const char *settings, struct tl_error *e);
int control_peer_del(struct tl_stack *s, const char *name, struct tl_error *err);

/* Whether the peer of an SA may claim what its selectors say. Returns 0 or -EACCES. */
int control_peer_judge(const struct tl_stack *s, const char *name, const struct esp_sa_conf *sa,
	struct tl_error *e);

/* On every worker; each returns how many latches it concerned. */
uint32_t control_latch_close(
	struct tl_stack *s, const struct latch_filter *filter, enum tl_latch_reason why);
uint32_t control_latch_break(struct tl_stack *s, const struct latch_filter *filter);
uint32_t control_peer_event(struct tl_stack *s, uint32_t peer_id, enum latch_peer_event event);
uint32_t control_refused(struct tl_stack *s, const struct flow_key *k);

/* Whether a key manager listens (C-3). */
void control_km_present(struct tl_stack *s, bool present);

/* P-21: a look at some of what is interned. If it is damaged, every latch is closed. */
void control_check_tables(struct tl_stack *s);

/* Remembers the keys of an SA. Returns 0, -EEXIST if the stack had them before, or -ENOMEM. */
int key_remember(struct key_memory *k, const struct esp_sa_conf *sa);
void key_forget(struct key_memory *k, const struct esp_sa_conf *sa);

#endif
