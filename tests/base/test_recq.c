/* SPDX-License-Identifier: BSD-3-Clause */
#include <string.h>

#include "stack/base/recq.h"
#include "tests/util/lc_env.h"

enum { BYTES = 256 };

static bool
write_rec(struct recq *q, uint8_t first, uint32_t len)
{
	uint8_t *to = recq_reserve(q, len);

	if (to == NULL)
		return false;
	for (uint32_t i = 0; i < len; i++)
		to[i] = (uint8_t)(first + i);
	recq_commit(q);
	return true;
}

static void
read_rec(struct recq *q, uint8_t first, uint32_t len)
{
	uint32_t got;
	const uint8_t *rec = recq_peek(q, &got);

	ck_assert_ptr_nonnull(rec);
	ck_assert_uint_eq(got, len);
	for (uint32_t i = 0; i < len; i++)
		ck_assert_uint_eq(rec[i], (uint8_t)(first + i));
	recq_pop(q);
}

/* Sizes that meet the end of the ring in every way. */
START_TEST(records_come_out_as_they_went_in)
{
	for (uint32_t step = 1; step < 60; step++) {
		struct recq *q = recq_new(BYTES);
		uint32_t in = 0, out = 0, len;

		for (uint32_t i = 0; i < 500; i++) {
			while (write_rec(q, (uint8_t)in, in * step % 71))
				in++;
			ck_assert_uint_gt(in, out);
			read_rec(q, (uint8_t)out, out * step % 71);
			out++;
		}
		while (out < in) {
			read_rec(q, (uint8_t)out, out * step % 71);
			out++;
		}
		ck_assert_ptr_null(recq_peek(q, &len));
		recq_free(q);
	}
}
END_TEST

START_TEST(what_does_not_fit_changes_nothing)
{
	struct recq *q = recq_new(BYTES);
	uint32_t len;

	ck_assert_ptr_null(recq_reserve(q, BYTES));
	ck_assert(write_rec(q, 1, BYTES - 8));
	ck_assert(!write_rec(q, 2, 0));
	read_rec(q, 1, BYTES - 8);
	ck_assert(write_rec(q, 3, 0));
	read_rec(q, 3, 0);
	ck_assert_ptr_null(recq_peek(q, &len));
	recq_free(q);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("recq");
	TCase *c = tcase_create("recq");

	tcase_add_test(c, records_come_out_as_they_went_in);
	tcase_add_test(c, what_does_not_fit_changes_nothing);
	suite_add_tcase(s, c);
	return env_main(s);
}
