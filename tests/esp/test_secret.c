/* SPDX-License-Identifier: BSD-3-Clause */
#include <string.h>
#include <stdio.h>

#include "esp/secret.h"
#include "tests/util/lc_env.h"

/* Whether the mapping of p has the flag "dd" (do not dump) in /proc/self/smaps. */
static bool
is_left_out_of_dumps(const void *p)
{
	FILE *f = fopen("/proc/self/smaps", "r");
	unsigned long lo, hi;
	bool here = false, found = false;
	char line[512];

	ck_assert_ptr_nonnull(f);
	while (fgets(line, sizeof(line), f) != NULL) {
		if (sscanf(line, "%lx-%lx ", &lo, &hi) == 2)
			here = lo <= (uintptr_t)p && (uintptr_t)p < hi;
		else if (here && strncmp(line, "VmFlags:", 8) == 0)
			found = strstr(line, " dd") != NULL;
	}
	fclose(f);
	return found;
}

START_TEST(secrets_are_left_out_of_core_dumps)
{
	struct secret_arena a = {.chunk = NULL};
	uint8_t *p[100];

	for (uint32_t i = 0; i < 100; i++) {
		p[i] = secret_alloc(&a, 3000);
		ck_assert_ptr_nonnull(p[i]);
		ck_assert_uint_eq((uintptr_t)p[i] % SECRET_ALIGN, 0);
		memset(p[i], (int)i + 1, 3000);
	}
	for (uint32_t i = 0; i < 100; i += 33) {
		ck_assert(is_left_out_of_dumps(p[i]));
		ck_assert(is_left_out_of_dumps(p[i] + 2999));
	}
	for (uint32_t i = 0; i < 100; i++) {
		for (uint32_t k = 0; k < 3000; k++)
			ck_assert(p[i][k] == i + 1);
	}
	secret_arena_done(&a);
}
END_TEST

START_TEST(freed_memory_comes_again_and_is_zero)
{
	static const uint8_t zero[200];
	struct secret_arena a = {.chunk = NULL};
	uint8_t *p = secret_alloc(&a, 200), *q = secret_alloc(&a, 200);

	ck_assert_ptr_ne(p, q);
	memset(p, 0, 200);
	secret_free(&a, p, 200);
	ck_assert_ptr_ne(secret_alloc(&a, 300), p);
	ck_assert_ptr_eq(secret_alloc(&a, 193), p);
	ck_assert_mem_eq(p, zero, sizeof(zero));
	ck_assert_ptr_null(secret_alloc(&a, 0));
	ck_assert_ptr_null(secret_alloc(&a, SECRET_MAX_BYTES + 1));
	secret_arena_done(&a);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("secret");
	TCase *c = tcase_create("secret");

	tcase_add_test(c, secrets_are_left_out_of_core_dumps);
	tcase_add_test(c, freed_memory_comes_again_and_is_zero);
	suite_add_tcase(s, c);
	return env_main(s);
}
