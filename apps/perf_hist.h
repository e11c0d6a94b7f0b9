/* SPDX-License-Identifier: BSD-3-Clause */
/* perf_hist.h - how long things took: a histogram with steps of 1/32 of the value. */
#ifndef TL_APPS_PERF_HIST_H
#define TL_APPS_PERF_HIST_H

#include <stdint.h>

enum { HIST_SUB = 32, HIST_BUCKETS = 64 * HIST_SUB };

/* Zero-initialised means empty. */
struct hist {
	uint64_t n, sum_ns, min_ns, max_ns;
	uint64_t bucket[HIST_BUCKETS];
};

void hist_add(struct hist *h, uint64_t ns);

/* The value below which the share p of all lies, in nanoseconds; 0 if there is none. */
double hist_quantile(const struct hist *h, double p);

#endif
