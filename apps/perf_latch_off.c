/* SPDX-License-Identifier: BSD-3-Clause */
/* perf_latch_off.c - latch_in() without its compare, for the bench beside the real one only. */
#define LATCH_NO_COMPARE
#define latch_in         perf_latch_in_off
#define latch_recheck    perf_latch_recheck_off
#define latch_holds      perf_latch_holds_off
#define latch_drops_peer perf_latch_drops_peer_off
#include "latch/latch_in.c" /* the same source, so the two differ by nothing else */
