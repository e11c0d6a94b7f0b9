/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdlib.h>

#include "esp/replay.h"
#include "tests/util/lc_env.h"

static struct replay r;

static void
window(uint32_t size)
{
	replay_free(&r);
	ck_assert_int_eq(replay_init(&r, size), 0);
}

static bool
take(uint64_t seq)
{
	if (!replay_check(&r, seq))
		return false;
	replay_update(&r, seq);
	return true;
}

/* E-4, RFC 4303 s3.4.3 */
START_TEST(number_zero_is_never_accepted)
{
	window(64);
	ck_assert(!replay_check(&r, 0));
}
END_TEST

START_TEST(each_number_is_accepted_once)
{
	window(64);
	for (uint64_t s = 1; s < 1000; s++) {
		ck_assert(take(s));
		ck_assert(!take(s));
	}
}
END_TEST

/* E-4 */
START_TEST(left_edge_of_the_window_is_exact)
{
	static const uint32_t sizes[] = {32, 64, 100, 128, 1024, 4096, 65536};
	uint32_t w = sizes[_i];

	window(w);
	ck_assert(take(100000));
	ck_assert(!replay_check(&r, 100000 - w));
	ck_assert(replay_check(&r, 100000 - w + 1));
	ck_assert(take(100000 - w + 1));
	ck_assert(!take(100000 - w + 1));
}
END_TEST

START_TEST(check_alone_changes_nothing)
{
	struct replay before;

	window(64);
	take(70);
	before = r;
	replay_check(&r, 500);
	replay_check(&r, 69);
	ck_assert_mem_eq(&before, &r, sizeof(r));
}
END_TEST

START_TEST(window_of_zero_accepts_everything)
{
	window(0);
	ck_assert(take(9));
	ck_assert(take(9));
	ck_assert(take(1));
}
END_TEST

/* E-4: a window kept as a list of every number seen says the same, whatever the order and the
 * jumps. */
START_TEST(window_agrees_with_a_list)
{
	enum { N = 3000 };
	static uint64_t seen[N];
	static const uint32_t sizes[] = {32, 64, 200, 1024, 4096};
	uint32_t w = sizes[_i % 5], n = 0;
	uint64_t top = 0;

	srand((unsigned int)_i);
	window(w);
	for (int i = 0; i < N; i++) {
		uint64_t seq = top + (uint64_t)(rand() % (rand() % 50 == 0 ? 20000 : 40));
		bool want;

		seq = seq > w ? seq - (uint64_t)rand() % (w + 20) : seq + 1;
		want = seq != 0 && (seq > top || top - seq < w);
		for (uint32_t k = 0; k < n; k++)
			want = want && seen[k] != seq;
		ck_assert_int_eq(take(seq), want);
		if (want)
			seen[n++] = seq;
		if (want && seq > top)
			top = seq;
	}
}
END_TEST

/* RFC 4303 appendix A2.2 */
START_TEST(esn_first_packet_is_number_one)
{
	window(64);
	ck_assert_uint_eq(replay_esn(&r, 1), 1);
}
END_TEST

START_TEST(esn_before_the_first_packet_is_refused)
{
	window(64);
	ck_assert_uint_eq(replay_esn(&r, 0xfffffff0u), 0);
}
END_TEST

/* E-5 */
START_TEST(esn_case_a_smaller_number_is_of_the_next_subspace)
{
	window(64);
	take(0x100001000u);
	ck_assert_uint_eq(replay_esn(&r, 0x0fffu), 0x100000fffu);
	ck_assert_uint_eq(replay_esn(&r, 0x0fc1u), 0x100000fc1u); /* bottom of the window */
	ck_assert_uint_eq(replay_esn(&r, 0x0fc0u), 0x200000fc0u); /* one below it */
}
END_TEST

/* E-5 */
START_TEST(esn_case_b_window_spans_two_subspaces)
{
	window(64);
	take(0x200000010u);
	ck_assert_uint_eq(replay_esn(&r, 0xfffffff0u), 0x1fffffff0u);
	ck_assert_uint_eq(replay_esn(&r, 0x0011u), 0x200000011u);
	ck_assert_uint_eq(replay_esn(&r, 0x0fu), 0x20000000fu);
}
END_TEST

/* E-5 */
START_TEST(esn_follows_a_sender_over_the_edge)
{
	window(64);
	take(0xfffffff0u);
	for (uint64_t s = 0xfffffff1u; s < 0x100000020u; s++) {
		ck_assert_uint_eq(replay_esn(&r, (uint32_t)s), s);
		ck_assert(take(s));
	}
}
END_TEST

static void
teardown(void)
{
	replay_free(&r);
}

int
main(void)
{
	Suite *s = suite_create("replay");
	TCase *c = tcase_create("replay");

	tcase_add_checked_fixture(c, NULL, teardown);

	tcase_add_test(c, number_zero_is_never_accepted);
	tcase_add_test(c, each_number_is_accepted_once);
	tcase_add_loop_test(c, left_edge_of_the_window_is_exact, 0, 7);
	tcase_add_test(c, check_alone_changes_nothing);
	tcase_add_test(c, window_of_zero_accepts_everything);
	tcase_add_loop_test(c, window_agrees_with_a_list, 0, 15);
	tcase_add_test(c, esn_first_packet_is_number_one);
	tcase_add_test(c, esn_before_the_first_packet_is_refused);
	tcase_add_test(c, esn_case_a_smaller_number_is_of_the_next_subspace);
	tcase_add_test(c, esn_case_b_window_spans_two_subspaces);
	tcase_add_test(c, esn_follows_a_sender_over_the_edge);
	suite_add_tcase(s, c);
	return env_main(s);
}
