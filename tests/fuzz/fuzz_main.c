/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * fuzz_main.c - the short run: TARGET CORPUS-DIRECTORY [RUNS]. Every file of the corpus, then RUNS
 * mutations of them from a fixed seed, the same on every machine. scripts/fuzz runs the same
 * targets under libFuzzer.
 */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/fuzz/fuzz_stack.h"

enum { SEEDS = 256, SEED_MAX = 4096 };

static struct {
	size_t len;
	uint8_t bytes[SEED_MAX];
} seed[SEEDS];
static unsigned int nb_seeds;
static uint64_t state = 0x9e3779b97f4a7c15;

static uint32_t
below(uint32_t bound)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (uint32_t)((state >> 32) * bound >> 32);
}

static void
read_corpus(const char *path)
{
	struct dirent **entry;
	int n = scandir(path, &entry, NULL, alphasort);
	char name[512];

	for (int i = 0; i < n; i++) {
		FILE *in;

		snprintf(name, sizeof(name), "%s/%s", path, entry[i]->d_name);
		in = entry[i]->d_name[0] == '.' ? NULL : fopen(name, "rb");
		if (in != NULL && nb_seeds < SEEDS)
			seed[nb_seeds].len = fread(seed[nb_seeds].bytes, 1, SEED_MAX, in),
			nb_seeds++;
		if (in != NULL)
			fclose(in);
		free(entry[i]);
	}
	if (n >= 0)
		free(entry);
}

/* A buffer of exactly its size, so that the sanitizer sees a byte too far. */
static void
run(const uint8_t *bytes, size_t len)
{
	uint8_t *exact = malloc(len + !len);

	memcpy(exact, bytes, len);
	LLVMFuzzerTestOneInput(exact, len);
	free(exact);
}

static void
mutated(void)
{
	static uint8_t work[SEED_MAX];
	unsigned int a = below(nb_seeds), b = below(nb_seeds), changes = 1 + below(8);
	size_t len = seed[a].len;

	memcpy(work, seed[a].bytes, len);
	if (below(4) == 0 && len > 0) { /* the head of one, the tail of another */
		size_t at = below((uint32_t)len), n = seed[b].len;

		n = at < n ? n - at : 0;
		memcpy(work + at, seed[b].bytes + seed[b].len - n, n);
		len = at + n;
	}
	for (; changes > 0 && len > 0; changes--)
		work[below((uint32_t)len)] = (uint8_t)(below(2) ? below(256) : 1u << below(8));
	run(work, below(8) == 0 && len > 0 ? below((uint32_t)len) : len);
}

int
main(int argc, char **argv)
{
	unsigned long runs = argc > 2 ? strtoul(argv[2], NULL, 10) : 300;

	if (argc < 2) {
		fprintf(stderr, "usage: %s CORPUS-DIRECTORY [RUNS]\n", argv[0]);
		return 2;
	}
	read_corpus(argv[1]);
	if (nb_seeds == 0) {
		fprintf(stderr, "%s: no corpus in %s\n", argv[0], argv[1]);
		return 1;
	}
	for (unsigned int i = 0; i < nb_seeds; i++)
		run(seed[i].bytes, seed[i].len);
	for (unsigned long i = 0; i < runs; i++)
		mutated();
	printf("1..1\nok 1 - %u inputs of the corpus and %lu mutations\n", nb_seeds, runs);
	return 0;
}
