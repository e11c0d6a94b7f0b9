/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * @file tl.h
 * Configuration, life and driving of a stack.
 *
 * A stack has one or more workers; each is driven by one thread at a time and owns its sockets.
 * Either tl_run() drives them from threads, with the clock of the machine, or the program calls
 * tl_turn() itself with any clock: then nothing in the stack reads another one.
 *
 * Threads: a tl_conf belongs to one thread at a time. Of a stack, the functions that take a
 * tl_worker belong to the thread that drives it (see tl_turn_fn); tl_stop() and tl_is_running() to
 * anybody; the others to any thread but a worker's, one call at a time. Several stacks may live in
 * one process, if all were built after one tl_eal_init().
 *
 * Functions that return int give 0 or a negative errno, and leave errno alone. Where there is a
 * tl_error it must not be NULL; it says why if the result is negative, and what it holds
 * otherwise means nothing.
 */
#ifndef TAGLATCH_TL_H
#define TAGLATCH_TL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#ifdef __cplusplus
extern "C" {
#endif

struct tl_conf;
struct tl_stack;
struct tl_worker;

/** Why something was refused: one line for people, naming file, line, key and what was expected. */
struct tl_error {
	char text[1024];
};

/** An empty configuration; NULL when out of memory. The caller ends it by tl_conf_free(). */
struct tl_conf *tl_conf_new(void);

/** Frees a configuration and wipes the keys in it, after the last stack that was built from it is
 * destroyed. NULL is allowed. */
void tl_conf_free(struct tl_conf *c);

/**
 * Reads an INI file (see taglatch.conf(5)); keys set before it win over those in the file. One file
 * for each configuration: a second call is -EINVAL.
 * @param path  a file that only its owner may read, if there are keys in it: tl_conf_check() and
 *   tl_create() look
 * @return 0; -EINVAL (not the format of an INI file, an unknown key), -ENOMEM, or the -errno of
 *   opening the file; *e names file and line
 */
int tl_conf_load(struct tl_conf *c, const char *path, struct tl_error *e);

/**
 * Sets one key, as "--set SECTION.KEY=VALUE" does: key is "SECTION.KEY", split at its last dot.
 * A file loaded later does not change a key that was set here; a later tl_conf_set() does.
 * @param key    such as "stack.workers" or "port lan.mtu"; copied
 * @param value  as it would stand in a file; copied
 * @return 0, -EINVAL (no such key), -ENOMEM, with *e filled
 */
int tl_conf_set(struct tl_conf *c, const char *key, const char *value, struct tl_error *e);

/** Checks every key as tl_create() would, before anything is started.
 * @return 0, or -EINVAL with *e filled */
int tl_conf_check(const struct tl_conf *c, struct tl_error *e);

/**
 * A port made of two functions of the program. Both are called from tl_turn() or tl_run()'s
 * threads only, with the number of the calling worker.
 */
struct tl_mport_ops {
	/** Copies the next frame to buf, cap bytes at most; returns its length, 0 if there is none.
	 * ctx: as given to tl_conf_mport(); worker: 0 and up. */
	size_t (*rx)(void *ctx, unsigned int worker, void *buf, size_t cap);
	/** Takes a frame of len bytes, which is valid during the call only; false: not now, it is
	 * offered again. */
	bool (*tx)(void *ctx, unsigned int worker, const void *frame, size_t len);
};

/**
 * Binds the functions to the port of section "[port NAME]" whose key `device` is "memory".
 * @param ops  is copied
 * @param ctx  comes back as first argument of both; it outlives the stack
 * @return 0 or -ENOMEM
 */
int tl_conf_mport(struct tl_conf *c, const char *name, const struct tl_mport_ops *ops, void *ctx);

/**
 * Starts DPDK in this process, once, with what the [eal] section says: hugepages when there are
 * enough free ones, else ordinary memory. Core dumps of the process are off from here on, unless
 * [eal] core-dumps = yes: they would hold keys. Call it before any other thread exists, or from a
 * thread of its own: EAL pins its caller.
 * @return 0, -EALREADY (DPDK runs in this process), -EINVAL (a bad value, or DPDK does not start:
 * it prints why), with *e filled
 */
int tl_eal_init(const struct tl_conf *c, struct tl_error *e);

/**
 * Builds a stack: ports, addresses, routes, identities, SAs, policy, workers. tl_eal_init() was
 * called; c outlives the stack. The workers rest until tl_run(), tl_start() or tl_turn(); the
 * control socket, if one is configured, listens from now on.
 * @param out  the stack, which the caller ends by tl_destroy(); untouched on errors
 * @return 0; -EINVAL (a bad configuration), -ENOMEM (memory, or DPDK's), -ENODEV (no such device),
 *   -ENOTSUP (no crypto engine for a suite), or another -errno of DPDK or a socket; with *e filled
 */
int tl_create(const struct tl_conf *c, struct tl_stack **out, struct tl_error *e);

/** Stops, closes the ports, wipes keys, frees. Sockets that are still open vanish silently: no RST
 * or FIN is sent. A capture is ended. NULL is allowed. Not from a worker's thread. */
void tl_destroy(struct tl_stack *s);

/** How many workers there are, [stack] workers. Any thread. */
unsigned int tl_nb_workers(const struct tl_stack *s);

/** Worker i, counted from 0; NULL if there are not so many. Any thread; it lives as long as s. */
struct tl_worker *tl_worker(struct tl_stack *s, unsigned int i);

/** The number of a worker, counted from 0. Any thread. */
unsigned int tl_worker_id(const struct tl_worker *w);

/** The time of the current turn in nanoseconds; only differences mean something. The thread that
 * drives w. */
uint64_t tl_now_ns(const struct tl_worker *w);

/** Called once in every turn of every worker, after input and timers and before output, so that
 * what it writes leaves in the same turn. It runs on the thread that drives w, so it may use the
 * sockets of w and of no other worker, and must not block. arg is the same for all workers. */
typedef void tl_turn_fn(struct tl_worker *w, void *arg);

/**
 * Drives the stack until tl_stop(): worker 0 on the calling thread, the others on DPDK lcores.
 * An idle worker polls for 50 us, pauses until 200 us, then sleeps: a quarter of its idle time, 1
 * ms at most, never beyond its next timer.
 * @param fn   called in every turn; NULL: nothing is
 * @param arg  for fn
 * @return 0 after tl_stop(), when no worker turns any more; -EBUSY if it runs already, -EINVAL if
 *   DPDK has too few lcores ([eal])
 */
int tl_run(struct tl_stack *s, tl_turn_fn *fn, void *arg);

/** As tl_run(), but every worker gets a DPDK lcore of its own, one more than tl_run() takes, and
 * the call returns. @return 0, -EBUSY, -EINVAL as tl_run() */
int tl_start(struct tl_stack *s, tl_turn_fn *fn, void *arg);

/** Ends tl_run() or what tl_start() began; may be called from a signal handler. A stop before the
 * start ends that start at once, unless tl_wait_stopped() comes between. */
void tl_stop(struct tl_stack *s);

/** Waits for the workers of tl_start() after tl_stop(): afterwards no worker turns, and the program
 * may start again. Returns at once if nothing was started. Not from a worker's thread. */
void tl_wait_stopped(struct tl_stack *s);

/** Whether any worker is driven by tl_run() or tl_start() now. Any thread. */
bool tl_is_running(const struct tl_stack *s);

/**
 * One turn of a worker, while neither tl_run() nor tl_start() drives the stack. Any thread, one at
 * a time for the whole stack.
 * @param now_ns  the time in nanoseconds of any clock, which never goes back
 * @return the time of its next timer, UINT64_MAX if there is none; now_ns if something waits only
 * for another turn (a port that was full). Call again at that time, or earlier when a port has
 * something to receive or the program did something to a socket. Of several workers each must be
 * turned: one may have handed a packet to another.
 */
uint64_t tl_turn(struct tl_worker *w, uint64_t now_ns);

/** The callback that tl_turn() runs in each turn (see tl_turn_fn); NULL: none. tl_run() and
 * tl_start() set it to their own. */
void tl_set_turn_fn(struct tl_worker *w, tl_turn_fn *fn, void *arg);

/**
 * Adds an SA to a stack, running or not: settings are the keys of an [sa NAME] section as
 * "key=value" words. Every worker knows the SA when the call returns. Any thread but a worker's,
 * one at a time. A key that this stack had before is refused: its nonces could repeat.
 * @param name      of no other SA of the stack
 * @param settings  is copied; the caller wipes its own copy of the key
 * @return 0, -EEXIST (name, SPI or key was there before), -EINVAL (a bad word or value), -ENOSPC
 *   ([stack] max-sas), -ENOMEM, -ENOTSUP (no engine for the suite), with *e filled
 */
int tl_sa_add(struct tl_stack *s, const char *name, const char *settings, struct tl_error *e);

/**
 * Deletes an SA by name. No worker uses it when the call returns; its key is wiped. Connections
 * that were latched under it stay, and wait for another SA of the same peer and protection.
 * @param revoked  true: packets that were decrypted under it and wait in a queue are dropped too
 * @return 0, or -ENOENT with *e filled
 */
int tl_sa_del(struct tl_stack *s, const char *name, bool revoked, struct tl_error *e);

/**
 * Copies packets, after decryption and before encryption, to a new pcapng file of mode 0600: the
 * file holds plaintext. filter: "key=value" words, see tl-pmd(1); "" for every packet. One capture
 * at a time. A packet that finds the buffer full is counted and not copied. When the file has
 * max-bytes (1 GiB unless a word says else) nothing more is written until the capture is stopped.
 * Any thread but a worker's, one at a time. @return 0, -EBUSY, -EINVAL, -ENOENT (no such SA),
 * -ENOMEM, or the -errno of the file, with *e filled
 */
int tl_capture_start(struct tl_stack *s, const char *file, const char *filter, struct tl_error *e);

/** Ends the capture; the file is complete when the call returns. @return 0, -ENOENT if there is
 * none, -EIO if the file could not be written, with *e filled */
int tl_capture_stop(struct tl_stack *s, struct tl_error *e);

/** What a capture left. */
struct tl_capture_result {
	uint64_t packets; /**< in the file */
	uint64_t lost;    /**< that found no room in a buffer, or came after the file was full */
	uint64_t bytes;   /**< of the file */
	bool full;        /**< the file reached its max-bytes */
};

/** Of the last capture that ended. Any thread but a worker's. @return 0, or -ENOENT if none did */
int tl_capture_result(struct tl_stack *s, struct tl_capture_result *out);

/** Version of the library, "0.1.0"; the string is constant. Any thread. */
const char *tl_version(void);

#ifdef __cplusplus
}
#endif

#endif
