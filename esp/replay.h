/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * replay.h - the sliding window of RFC 4303 s3.4.3 over 64-bit sequence numbers.
 *
 * The bitmap is a ring of 64-bit words (the way of RFC 6479), so moving the window clears whole
 * words and never shifts.
 */
#ifndef TL_ESP_REPLAY_H
#define TL_ESP_REPLAY_H

#include <stdbool.h>
#include <stdint.h>

enum { REPLAY_OWN_WORDS = 4 };

struct replay {
	uint64_t top;  /* highest sequence number that passed the integrity check */
	uint32_t size; /* packets; 0: every number passes */
	uint32_t mask; /* words - 1 */
	uint64_t *map; /* `own`, or memory of its own for a big window */
	uint64_t own[REPLAY_OWN_WORDS];
};

/* size in packets. The object must not be moved afterwards. Returns 0 or -ENOMEM. */
int replay_init(struct replay *r, uint32_t size);
void replay_free(struct replay *r);

/* True if seq is new: inside the window and not seen, or right of it. Changes nothing. */
bool replay_check(const struct replay *r, uint64_t seq);

/* Marks seq as seen; only after its packet passed the integrity check and replay_check(). */
void replay_update(struct replay *r, uint64_t seq);

/*
 * The 64-bit number that the low half seql stands for (RFC 4303 appendix A2.2). Returns 0, which
 * no packet has, when it would lie before the first one.
 */
uint64_t replay_esn(const struct replay *r, uint32_t seql);

#endif
