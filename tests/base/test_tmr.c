/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdlib.h>

#include "stack/base/tmr.h"
#include "tests/util/lc_env.h"

static struct env *e;
static uint64_t order[64];
static uint32_t ran;

static void
setup(void)
{
	e = env_setup();
	ran = 0;
}

static void
teardown(void)
{
	env_teardown(e);
}

static void
note(struct lcore *lc, struct tmr *t)
{
	ck_assert_uint_le(t->at_ns, lc->now_ns);
	if (ran < 64)
		order[ran] = t->at_ns;
	ran++;
}

START_TEST(timer_runs_at_its_time_and_not_before)
{
	struct tmr t = {0};
	uint64_t at = e->lc.now_ns + 12345;

	tmr_set(&e->lc, &t, at, note);
	ck_assert_uint_eq(tmr_next_ns(&e->lc), at);
	e->lc.now_ns = at - 1;
	ck_assert_uint_eq(tmr_run(&e->lc), 0);
	e->lc.now_ns = at;
	ck_assert_uint_eq(tmr_run(&e->lc), 1);
	ck_assert(!tmr_is_set(&t));
	ck_assert_uint_eq(tmr_next_ns(&e->lc), UINT64_MAX);
}
END_TEST

START_TEST(stopped_timer_never_runs)
{
	struct tmr t = {0};

	tmr_set(&e->lc, &t, e->lc.now_ns + 1, note);
	tmr_stop(&e->lc, &t);
	tmr_stop(&e->lc, &t);
	e->lc.now_ns += 1000000000;
	ck_assert_uint_eq(tmr_run(&e->lc), 0);
}
END_TEST

static void
again(struct lcore *lc, struct tmr *t)
{
	note(lc, t);
	if (ran < 10)
		tmr_set(lc, t, lc->now_ns + 5, again);
}

START_TEST(timer_may_set_itself_again)
{
	struct tmr t = {0};

	tmr_set(&e->lc, &t, e->lc.now_ns + 5, again);
	for (int i = 0; i < 50; i++) {
		e->lc.now_ns += 5;
		tmr_run(&e->lc);
	}
	ck_assert_uint_eq(ran, 10);
}
END_TEST

/* Random timers over twelve orders of magnitude, random steps of the clock: a naive list of the
 * same timers says what must run, when, and what comes next. */
START_TEST(wheel_agrees_with_a_list)
{
	enum { N = 200 };
	struct tmr t[N] = {0};
	uint64_t at[N];

	srand((unsigned int)_i);
	for (int i = 0; i < N; i++)
		at[i] = UINT64_MAX;
	for (int step = 0; step < 400; step++) {
		uint64_t next = UINT64_MAX;
		uint32_t due = 0;

		for (int k = 0; k < 8; k++) {
			int i = rand() % N;

			at[i] = e->lc.now_ns +
				((uint64_t)rand() >> (rand() % 31)) * (1u << (rand() % 12));
			tmr_set(&e->lc, &t[i], at[i], note);
		}
		for (int i = 0; i < N; i++)
			next = at[i] < next ? at[i] : next;
		ck_assert_uint_eq(tmr_next_ns(&e->lc), next);
		e->lc.now_ns += (uint64_t)rand() >> (rand() % 31);
		for (int i = 0; i < N; i++) {
			if (at[i] <= e->lc.now_ns) {
				at[i] = UINT64_MAX;
				due++;
			}
		}
		ran = 0;
		ck_assert_uint_eq(tmr_run(&e->lc), due);
		for (uint32_t i = 1; i < due && i < 64; i++)
			ck_assert_uint_le(order[i - 1], order[i]);
	}
	for (int i = 0; i < N; i++)
		tmr_stop(&e->lc, &t[i]);
	ck_assert_uint_eq(tmr_next_ns(&e->lc), UINT64_MAX);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("tmr");
	TCase *c = tcase_create("tmr");

	tcase_add_checked_fixture(c, setup, teardown);
	tcase_add_test(c, timer_runs_at_its_time_and_not_before);
	tcase_add_test(c, stopped_timer_never_runs);
	tcase_add_test(c, timer_may_set_itself_again);
	tcase_add_loop_test(c, wheel_agrees_with_a_list, 0, 20);
	suite_add_tcase(s, c);
	return env_main(s);
}
