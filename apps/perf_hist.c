/* SPDX-License-Identifier: BSD-3-Clause */
/* perf_hist.c - a histogram of times: linear within each power of two. */
#include "apps/perf_hist.h"

/* Values below HIST_SUB have a bucket each. */
static uint32_t
bucket_of(uint64_t ns)
{
	uint32_t log;

	if (ns < HIST_SUB)
		return (uint32_t)ns;
	log = 63u - (uint32_t)__builtin_clzll(ns);
	return (log - 4) * HIST_SUB + (uint32_t)(ns >> (log - 5)) % HIST_SUB;
}

static double
middle_of(uint32_t bucket)
{
	uint32_t log = bucket / HIST_SUB + 4;
	double step;

	if (bucket < HIST_SUB)
		return bucket;
	step = (double)(1ull << (log - 5));
	return (double)(1ull << log) + (bucket % HIST_SUB + 0.5) * step;
}

void
hist_add(struct hist *h, uint64_t ns)
{
	if (h->n == 0 || ns < h->min_ns)
		h->min_ns = ns;
	if (ns > h->max_ns)
		h->max_ns = ns;
	h->n++;
	h->sum_ns += ns;
	h->bucket[bucket_of(ns)]++;
}

double
hist_quantile(const struct hist *h, double p)
{
	double wanted = p * (double)h->n;
	uint64_t seen = 0;

	for (uint32_t i = 0; i < HIST_BUCKETS; i++) {
		seen += h->bucket[i];
		if (seen > 0 && (double)seen >= wanted)
			return middle_of(i);
	}
	return 0;
}
