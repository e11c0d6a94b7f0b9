/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * telemetry.h - the tables of all stacks of this process as endpoints of DPDK's telemetry.
 *
 * /taglatch/stacks lists the stacks; /taglatch/TABLE[,STACK[,FIRST]] gives rows of a table of stack
 * number STACK (0), from row FIRST (0) on, as many as one answer holds; "next" is the row to go on
 * with, or "total". A stack that its program drives by tl_turn() gives none: no other thread may
 * look at it.
 */
#ifndef TL_CTL_TELEMETRY_H
#define TL_CTL_TELEMETRY_H

#include "stack/include/tl.h"

/* The stack gets the lowest number that is free. Returns 0 or -ENOSPC. */
int telemetry_add(struct tl_stack *s);

/* No endpoint uses the stack when this returns. No effect if it was not added. */
void telemetry_remove(struct tl_stack *s);

#endif
