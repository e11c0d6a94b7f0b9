/* SPDX-License-Identifier: BSD-3-Clause */
/* evidence.h - how an end of an SA was authenticated (C.2, Q-2). Private to latch. */
#ifndef TL_LATCH_EVIDENCE_H
#define TL_LATCH_EVIDENCE_H

#include "latch/latch.h"

struct evidence_part {
	uint8_t hash[LATCH_HASH_BYTES]; /* of the DER; zero without */
	uint32_t len;                   /* 0: not known */
	uint32_t at;                    /* in der */
};

/* Interned and immutable. Its key is the hash of all the rest. */
struct evidence {
	uint8_t hash[LATCH_HASH_BYTES];
	uint32_t ident;      /* whose it is */
	uint32_t auth_class; /* enum tl_auth_class */
	struct evidence_part part[LATCH_EV_PARTS];
	uint8_t *der; /* owned by the tables; NULL: there was no room for it, or nothing */
};

/* Whether the bytes of a part are here; its hash may be without. */
bool evidence_has(const struct evidence *e, enum latch_ev_part part);

const struct evidence *evidence_get(const struct latch_tables *t, uint32_t handle);
uint32_t evidence_sum(const void *entry, uint32_t entry_bytes);

/* C.2: whether what two profiles say of how both ends were authenticated is the same, by `rule`. */
bool evidence_agrees(const struct latch_tables *t, const struct latch_profile *a,
	const struct latch_profile *b, enum tl_latch_cert_rule rule);

/* The parts of `len` bytes in all; false if libcrypto failed. */
bool evidence_sha256(const void *bytes, size_t len, uint8_t out[LATCH_HASH_BYTES]);

#endif
