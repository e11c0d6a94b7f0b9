/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * stage.h - where the cycles of a worker go, stage by stage, while somebody asks.
 *
 * The stages of a turn follow each other, so one mark at the end of each is enough.
 */
#ifndef TL_BASE_STAGE_H
#define TL_BASE_STAGE_H

#include <stdint.h>
#include <rte_branch_prediction.h>
#include <rte_cycles.h>

#include "stack/base/lcore.h"

enum stage {
	STAGE_PORT_RX,
	STAGE_ETH_IN,
	STAGE_IP_IN,
	STAGE_ESP_IN,
	STAGE_LATCH_IN,
	STAGE_TCP_IN,
	STAGE_OTHER_IN, /* UDP, ICMP, neighbours, packets of other workers */
	STAGE_TIMERS,   /* and messages */
	STAGE_PROGRAM,  /* the callback of the application, its socket calls included */
	STAGE_TCP_OUT,  /* and UDP, answers */
	STAGE_SPD_OUT,
	STAGE_ESP_OUT,
	STAGE_IP_OUT,
	STAGE_ETH_OUT,
	STAGE_PORT_TX,
	STAGE_MAX,
};

struct stage_clock {
	uint64_t at;
	uint64_t cycles[STAGE_MAX];
};

/* From here on time belongs to the next stage that ends. */
static inline void
stage_start(struct lcore *lc)
{
	if (unlikely(lc->stages != NULL))
		lc->stages->at = rte_rdtsc();
}

/* What passed since the last mark was stage s. */
static inline void
stage_end(struct lcore *lc, enum stage s)
{
	uint64_t now;

	if (likely(lc->stages == NULL))
		return;
	now = rte_rdtsc();
	lc->stages->cycles[s] += now - lc->stages->at;
	lc->stages->at = now;
}

const char *stage_name(enum stage s);

#endif
