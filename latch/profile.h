/* SPDX-License-Identifier: BSD-3-Clause */
/* profile.h - what the latch needs of a profile beside its values. Private to latch. */
#ifndef TL_LATCH_PROFILE_H
#define TL_LATCH_PROFILE_H

#include <pthread.h>

#include "latch/evidence.h"
#include "latch/intern.h"
#include "latch/latch.h"

enum { LATCH_EVIDENCE_BYTES = 32 << 20, LATCH_EVIDENCE_ENTRIES = 1 << 16 };

struct latch_tables {
	pthread_mutex_t lock;   /* of who adds; readers need none */
	struct intern ident;    /* struct tl_ident */
	struct intern profile;  /* struct profile */
	struct intern evidence; /* struct evidence */
	size_t evidence_bytes;
	uint32_t generation;
};

struct profile {
	struct latch_profile p;
	/*
	 * The same values as an outbound SA has them: replay protection on, since this
	 * stack never lets its counter cycle, whatever the receiver checks. That is stricter than
	 * RFC 4303 s3.3.3, which lets it when anti-replay is off. Its own handle
	 * when it is one already.
	 */
	uint32_t out_twin;
};

const struct profile *profile_get(const struct latch_tables *t, uint32_t handle);

#endif
