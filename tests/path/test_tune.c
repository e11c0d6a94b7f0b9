/* SPDX-License-Identifier: BSD-3-Clause */
/* Buffers over a long path under ESP, in virtual time: how soon a stream is through. */
#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#include "tests/util/vnet_lab.h"

enum { RTT_MS = 100, BYTES = 6 << 20 };

static uint64_t began_ns;

static struct lab *
long_path(const char *rcv_max, const char *snd_max, const char *chunks, uint32_t bytes)
{
	struct lab_opts o = {.window = 1024,
		.more = {"tcp.rcvbuf=65536", "tcp.sndbuf=65536", rcv_max, snd_max, chunks,
			"stack.mbufs=8191"}};
	struct lab *l = lab_new(&o);

	for (uint32_t i = 0; i < 2; i++)
		l->n[i]->out.delay_ns = RTT_MS * VNET_MS / 2;
	lab_open(l, bytes, 0);
	began_ns = l->v->now_ns;
	app_release(l->c);
	return l;
}

static double
seconds(struct lab *l)
{
	ck_assert(vnet_run(l->v, app_all_over, &l->app, 60 * VNET_S));
	return (double)(l->v->now_ns - began_ns) / 1e9;
}

/* 64 KiB in each of 96 round trips. */
START_TEST(buffers_that_stay_hold_a_long_path_back)
{
	struct lab *l = long_path(
		"tcp.rcvbuf-max=65536", "tcp.sndbuf-max=65536", "stack.buffer-chunks=4096", BYTES);

	ck_assert_double_gt(seconds(l), 9.0);
	lab_free(l);
}
END_TEST

START_TEST(buffers_that_grow_fill_it)
{
	struct lab *l = long_path("tcp.rcvbuf-max=4194304", "tcp.sndbuf-max=4194304",
		"stack.buffer-chunks=4096", BYTES);

	ck_assert_double_lt(seconds(l), 3.0);
	ck_assert_uint_gt(lab_stat(l, 0, "tcp-receive-buffers-grown"), 1);
	ck_assert_uint_gt(lab_stat(l, 1, "tcp-send-buffers-grown"), 1);
	ck_assert_uint_eq(lab_stat(l, 0, "tcp-mem"), 0);
	lab_free(l);
}
END_TEST

/* One end alone does not help: each has its own buffer. */
START_TEST(both_ends_have_to_grow)
{
	struct lab *l = _i == 0 ? long_path("tcp.rcvbuf-max=4194304", "tcp.sndbuf-max=65536",
					  "stack.buffer-chunks=4096", BYTES)
				: long_path("tcp.rcvbuf-max=65536", "tcp.sndbuf-max=4194304",
					  "stack.buffer-chunks=4096", BYTES);

	ck_assert_double_gt(seconds(l), 9.0);
	lab_free(l);
}
END_TEST

/* 40 chunks are 317 KiB: more is offered than there is only as long as nobody uses it. */
START_TEST(small_pools_are_shared_without_a_loss)
{
	struct lab *l = long_path("tcp.rcvbuf-max=4194304", "tcp.sndbuf-max=4194304",
		"stack.buffer-chunks=40", BYTES / 4);

	seconds(l);
	ck_assert_uint_eq(lab_stat(l, 0, "tcp-mem"), 0);
	ck_assert_uint_eq(lab_stat(l, 0, "tcp-timeouts") + lab_stat(l, 1, "tcp-timeouts"), 0);
	lab_free(l);
}
END_TEST

/* A reader that rests while the pool is small: windows close, nothing is dropped, it ends well. */
START_TEST(pressure_closes_windows_before_anything_is_dropped)
{
	struct lab_opts o = {.window = 1024,
		.more = {"tcp.rcvbuf=262144", "tcp.sndbuf=65536", "tcp.rcvbuf-max=262144",
			"tcp.memory-pressure=25", "stack.buffer-chunks=32", "stack.mbufs=511"}};
	struct lab *l = lab_new(&o);

	lab_open(l, 1 << 20, 0);
	l->c->end[1].paused = true;
	app_release(l->c);
	lab_pass(l, 5 * VNET_S);
	/* A quarter of the pool and what was promised before. */
	ck_assert_uint_gt(lab_stat(l, 0, "tcp-windows-held-back"), 0);
	ck_assert_uint_eq(lab_stat(l, 0, "tcp-mem"), 0);
	l->c->end[1].paused = false;
	vnet_touch(l->n[0]);
	app_release(l->c);
	ck_assert(vnet_run(l->v, app_all_over, &l->app, 60 * VNET_S));
	ck_assert_int_eq(l->c->end[1].state, APP_DONE);
	lab_free(l);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("tune");
	TCase *c = tcase_create("tune");

	tcase_set_timeout(c, 0);
	tcase_add_test(c, buffers_that_stay_hold_a_long_path_back);
	tcase_add_test(c, buffers_that_grow_fill_it);
	tcase_add_loop_test(c, both_ends_have_to_grow, 0, 2);
	tcase_add_test(c, small_pools_are_shared_without_a_loss);
	tcase_add_test(c, pressure_closes_windows_before_anything_is_dropped);
	suite_add_tcase(s, c);
	return env_main(s);
}
