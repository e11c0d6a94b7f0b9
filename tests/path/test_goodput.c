/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * How fast one connection gets over a lossy path, in virtual time: two stacks, ESP, 10 ms round
 * trip, 1 % of the data packets lost at random, buffers that hold nobody back.
 *
 * What to expect is computed: at this loss and delay CUBIC is in its Reno-friendly region (RFC 9438
 * s4.3), and Reno's window is sqrt(3 / 2 p) segments on average (RFC 5348 s3.1 without timeouts).
 */
#include <stdlib.h>

#include "tests/util/vnet_lab.h"

enum { LOSS_PER_CENT = 1, RTT_MS = 10, SEGMENT = 1400, SEEDS = 3, SEEDS_LONG = 30, SEED_STEP = 4 };

struct result {
	double bytes_per_s;
	uint64_t timeouts, again, undone;
	uint64_t lost; /* on the way, or for want of memory at its end */
};

static double
reno_bytes_per_s(void)
{
	const double segments = 12.247; /* sqrt(3 / (2 * 0.01)) */

	return segments * SEGMENT * 1000 / RTT_MS;
}

static uint32_t
seeds(void)
{
	const char *is_long = getenv("TL_LONG");

	return is_long != NULL && is_long[0] == '1' ? SEEDS_LONG : SEEDS;
}

/* From the client, node 1, to the server. */
static struct result
transfer(const char *cc, const char *more, uint64_t bytes, uint32_t skip)
{
	struct lab_opts o = {.ethernet = true,
		.more = {"tcp.sndbuf=4194304", "tcp.rcvbuf=4194304", "stack.mbufs=16383",
			"stack.buffer-chunks=2048", "tcp.max-ranges=4096", cc, more}};
	struct lab *l = lab_new(&o);
	struct result r;
	uint64_t from;

	for (uint32_t i = 0; i < skip; i++)
		vnet_rnd(l->v);
	for (uint32_t i = 0; i < 2; i++)
		l->n[i]->out.delay_ns = VNET_MS * RTT_MS / 2;
	lab_open(l, bytes, 1);
	l->n[1]->out.loss = VNET_SCALE * LOSS_PER_CENT / 100;
	l->c->end[0].piece = l->c->end[1].piece = 16384;
	from = l->v->now_ns;
	app_release(l->c);
	ck_assert(vnet_run(l->v, app_all_over, &l->app, 600 * VNET_S));
	r.bytes_per_s = (double)bytes * 1e9 / (double)(l->v->now_ns - from);
	r.timeouts = lab_stat(l, 1, "tcp-timeouts");
	r.again = lab_stat(l, 1, "tcp-retransmits");
	r.undone = lab_stat(l, 1, "tcp-spurious-undone");
	r.lost = l->v->count.lost + lab_stat(l, 0, "tcp-ooo-limit");
	lab_free(l);
	return r;
}

static struct result
mean(const char *cc, const char *more, uint64_t bytes)
{
	struct result sum = {0};
	uint32_t n = seeds();

	for (uint32_t i = 0; i < n; i++) {
		/* The draws of one seed are those of the one before, shifted by one. */
		struct result r = transfer(cc, more, bytes, SEED_STEP * i);

		sum.bytes_per_s += r.bytes_per_s / n;
		sum.timeouts += r.timeouts;
		sum.again += r.again;
		sum.undone += r.undone;
		sum.lost += r.lost;
	}
	printf("# %s %s: %.2f of Reno's %.0f kbyte/s, %lu timeouts, %lu lost, %lu sent again, %lu "
	       "undone\n",
		cc, more, sum.bytes_per_s / reno_bytes_per_s(), reno_bytes_per_s() / 1000,
		(unsigned long)sum.timeouts, (unsigned long)sum.lost, (unsigned long)sum.again,
		(unsigned long)sum.undone);
	return sum;
}

START_TEST(cubic_reaches_what_reno_would)
{
	struct result r = mean("tcp.congestion-control=cubic", "tcp.sack=yes", 4 << 20);

	ck_assert_double_ge(r.bytes_per_s, 0.75 * reno_bytes_per_s());
	ck_assert_double_le(r.bytes_per_s, 1.6 * reno_bytes_per_s());
	/* Losses are repaired without the timer, but for a few that lose their repair as well. */
	ck_assert_uint_le(r.timeouts, r.again / 10);
}
END_TEST

START_TEST(newreno_reaches_what_reno_would)
{
	struct result r = mean("tcp.congestion-control=newreno", "tcp.sack=yes", 4 << 20);

	ck_assert_double_ge(r.bytes_per_s, 0.7 * reno_bytes_per_s());
	ck_assert_double_le(r.bytes_per_s, 1.6 * reno_bytes_per_s());
}
END_TEST

/* RFC 6582: a hole for each round trip. */
START_TEST(without_sack_it_is_slower_and_goes_on)
{
	struct result r = mean("tcp.congestion-control=cubic", "tcp.sack=no", 2 << 20);

	ck_assert_double_ge(r.bytes_per_s, 0.4 * reno_bytes_per_s());
}
END_TEST

/* A model of the path does not care for random losses. */
START_TEST(bbr_is_faster_than_windows)
{
	struct result r = mean("tcp.congestion-control=bbr", "tcp.sack=yes", 8 << 20);

	ck_assert_double_ge(r.bytes_per_s, 2 * reno_bytes_per_s());
	/* With hundreds of segments in flight it is still known which ones arrived. */
	ck_assert_uint_le(r.again, r.lost + r.lost / 50);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("goodput");
	TCase *c = tcase_create("goodput");

	tcase_set_timeout(c, 3000);
	tcase_add_test(c, cubic_reaches_what_reno_would);
	tcase_add_test(c, newreno_reaches_what_reno_would);
	tcase_add_test(c, without_sack_it_is_slower_and_goes_on);
	tcase_add_test(c, bbr_is_faster_than_windows);
	suite_add_tcase(s, c);
	return env_main(s);
}
