/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * flow_dir.h - which worker owns a 5-tuple: one directory for all workers of a stack.
 *
 * Packets of one flow may come in at several workers: the NIC hashes something else, or the peer
 * has an SA for each of its CPUs (RFC 9611) and moves a flow from one to another. The worker where
 * a flow began owns it until its end, and nobody else can begin it meanwhile (C-9, P-14). A flow
 * table writes here what it inserts and removes; a stack with one worker has no directory.
 */
#ifndef TL_BASE_FLOW_DIR_H
#define TL_BASE_FLOW_DIR_H

#include <stdbool.h>
#include <stdint.h>

#include "stack/base/addr.h"

struct flow_dir;

enum { FLOW_DIR_ENTRY_BYTES = 128 }; /* of memory, about */

/* For so many flows. name is the process's own for it, 26 bytes at most. Returns 0 or -errno. */
int flow_dir_create(const char *name, uint32_t flows, uint32_t seed, struct flow_dir **out);
void flow_dir_free(struct flow_dir *d);

/* Returns 0, -EADDRINUSE if a worker has it, or -ENOBUFS. Any worker. */
int flow_dir_claim(struct flow_dir *d, const struct flow_key *k, uint16_t worker);

/* By the worker that claimed it. */
void flow_dir_release(struct flow_dir *d, const struct flow_key *k);

/* The worker that has k; false: none has. Any worker. */
bool flow_dir_find(struct flow_dir *d, const struct flow_key *k, uint16_t *worker);

#endif
