/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * perf_cores.c - what it costs to hand a frame from one core to another.
 *
 * Two processes on a memory port pay this for every frame, whatever stack they have; on a virtual
 * machine it changes with the place that the host gives to its CPUs. One thread copies frames into
 * a ring, another copies them out.
 */
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <rte_cycles.h>

#include "apps/perf.h"

enum { CORES_SLOTS = 128, CORES_FRAMES = 100000, CORES_FRAME_MAX = 9216 };

struct line {
	_Atomic uint64_t n;
} __attribute__((aligned(128)));

struct cores {
	struct line put, got;
	uint8_t *ring;
	uint32_t frame, stride;
	uint32_t cpu[2];
};

static bool
pin(uint32_t cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	return pthread_setaffinity_np(pthread_self(), sizeof(set), &set) == 0;
}

/* The first two CPUs that this process may have. */
static bool
choose(uint32_t cpu[2])
{
	cpu_set_t set;
	int n = 0;

	if (sched_getaffinity(0, sizeof(set), &set) != 0)
		return false;
	for (uint32_t i = 0; i < CPU_SETSIZE && n < 2; i++) {
		if (CPU_ISSET(i, &set))
			cpu[n++] = i;
	}
	return n == 2;
}

static void *
taker(void *arg)
{
	struct cores *c = arg;
	uint8_t out[CORES_FRAME_MAX];

	pin(c->cpu[1]);
	for (uint64_t i = 0; i < CORES_FRAMES; i++) {
		while (atomic_load_explicit(&c->put.n, memory_order_acquire) <= i)
			;
		memcpy(out, c->ring + i % CORES_SLOTS * c->stride, c->frame);
		/* The compiler must not see that nobody reads it. */
		__asm__ volatile("" : : "r"(out) : "memory");
		atomic_store_explicit(&c->got.n, i + 1, memory_order_release);
	}
	return NULL;
}

/* Cycles of the TSC for each frame. */
static double
give(struct cores *c, const uint8_t *from)
{
	uint64_t start = rte_rdtsc();

	for (uint64_t i = 0; i < CORES_FRAMES; i++) {
		while (i - atomic_load_explicit(&c->got.n, memory_order_acquire) >= CORES_SLOTS)
			;
		memcpy(c->ring + i % CORES_SLOTS * c->stride, from, c->frame);
		atomic_store_explicit(&c->put.n, i + 1, memory_order_release);
	}
	while (atomic_load_explicit(&c->got.n, memory_order_acquire) < CORES_FRAMES)
		;
	return (double)(rte_rdtsc() - start) / CORES_FRAMES;
}

int
perf_cores(const struct perf_opts *o)
{
	static uint8_t from[CORES_FRAME_MAX] = {1};
	struct cores c = {.frame = RTE_MIN(o->mtu_bytes + 14u, (uint32_t)CORES_FRAME_MAX)};
	pthread_t t;
	double cycles;

	c.stride = RTE_ALIGN_CEIL(c.frame, 2048u);
	if (!choose(c.cpu)) {
		fprintf(stderr, "tl-perf cores: this process has one CPU, and needs two\n");
		return 1;
	}
	c.ring = aligned_alloc(4096, (size_t)CORES_SLOTS * c.stride);
	if (c.ring == NULL)
		return 1;
	memset(c.ring, 0, (size_t)CORES_SLOTS * c.stride);
	if (!pin(c.cpu[0]) || pthread_create(&t, NULL, taker, &c) != 0) {
		fprintf(stderr, "tl-perf cores: no second thread, or not where it belongs\n");
		free(c.ring);
		return 1;
	}
	cycles = give(&c, from);
	pthread_join(t, NULL);
	free(c.ring);
	printf(o->json ? "{\"cores\": [%u, %u], \"frame\": %u, \"cycles_per_frame\": %.0f}\n"
		       : "CPU %u to CPU %u: %u-byte frames, %.0f cycles each\n",
		c.cpu[0], c.cpu[1], c.frame, cycles);
	return 0;
}
