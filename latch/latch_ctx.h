/* SPDX-License-Identifier: BSD-3-Clause */
/* latch_ctx.h - what the latches of a worker share. Private to latch. */
#ifndef TL_LATCH_LATCH_CTX_H
#define TL_LATCH_LATCH_CTX_H

#include "latch/latch.h"

struct latch_ctx {
	struct latch_conf conf;
	const struct latch_tables *tables;
	uint32_t in_use;
	uint32_t flow_version; /* of the flow table when latch_in() judged the burst */
	bool stale;            /* a latch changed since */
};

#endif
