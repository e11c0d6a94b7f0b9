/* SPDX-License-Identifier: BSD-3-Clause */
/* show.h - the state of a stack, for operators: the one header of ctl that programs include. */
#ifndef TL_CTL_SHOW_H
#define TL_CTL_SHOW_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "stack/include/tl.h"

/*
 * Prints one of ctl_show_names(); stats-all has zero counters too. Runs between two turns of each
 * worker. Any thread but a worker's. Returns 0 or -ENOENT.
 */
int ctl_show(struct tl_stack *s, const char *what, bool json, FILE *out);

/* "config, ports, ..." for help and errors. */
const char *ctl_show_names(void);

/* Sum over the workers of the counter or drop reason of this name; 0 if there is none. */
uint64_t ctl_stat(struct tl_stack *s, const char *name);

/* Share of the time that the workers had work, 0 to 1 for each worker, since they started. */
double ctl_busy(struct tl_stack *s);

/* Cycles of the time-stamp counter in a nanosecond. Works before DPDK was started too. */
double ctl_tsc_ghz(void);

/* Packet buffers, control blocks and latches in use now, all workers together. */
struct ctl_usage {
	uint64_t mbufs, chunks, pcbs, latches;
};
void ctl_usage(struct tl_stack *s, struct ctl_usage *out);

#endif
