/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdlib.h>

#include "stack/base/buf.h"
#include "stack/base/csum.h"
#include "tests/util/lc_env.h"

enum { CHUNK = BUF_CHUNK_BYTES, BIG = 100000 };

static struct env *e;
static struct buf b;
static uint8_t data[BIG];

static void
setup(void)
{
	e = env_setup();
	buf_init(&b, BIG);
	for (uint32_t i = 0; i < BIG; i++)
		data[i] = (uint8_t)(i * 31 + i / 256);
}

static void
teardown(void)
{
	buf_clear(&e->lc, &b);
	env_teardown(e);
}

START_TEST(empty_buffer_owns_no_chunk)
{
	ck_assert_uint_eq(buf_len(&b), 0);
	ck_assert_uint_eq(buf_pool_in_use(e->lc.buf), 0);
	ck_assert_uint_eq(buf_append(&e->lc, &b, data, 0), 0);
	ck_assert_uint_eq(buf_append(&e->lc, &b, data, 10), 10);
	ck_assert_uint_eq(buf_pool_in_use(e->lc.buf), 1);
	buf_drop(&e->lc, &b, 10);
	ck_assert_uint_eq(buf_pool_in_use(e->lc.buf), 0);
	buf_drop(&e->lc, &b, 0);
	ck_assert_uint_eq(buf_start(&b), 10);
	ck_assert_uint_eq(buf_end(&b), 10);
}
END_TEST

START_TEST(positions_are_absolute)
{
	const uint8_t *span;

	buf_append(&e->lc, &b, data, 100);
	buf_drop(&e->lc, &b, 40);
	ck_assert_uint_eq(buf_start(&b), 40);
	ck_assert_uint_eq(buf_end(&b), 100);
	ck_assert_uint_eq(buf_span(&b, 50, &span), 50);
	ck_assert_mem_eq(span, data + 50, 50);
}
END_TEST

START_TEST(append_stops_at_the_limit)
{
	buf_init(&b, 1000);
	ck_assert_uint_eq(buf_append(&e->lc, &b, data, 600), 600);
	ck_assert_uint_eq(buf_room(&b), 400);
	ck_assert_uint_eq(buf_append(&e->lc, &b, data, 600), 400);
	ck_assert_uint_eq(buf_append(&e->lc, &b, data, 1), 0);
	b.limit_bytes = 500;
	ck_assert_uint_eq(buf_room(&b), 0);
}
END_TEST

START_TEST(append_stops_when_no_chunk_is_left)
{
	struct buf hog;
	uint64_t got = 0;

	buf_init(&hog, UINT32_MAX);
	for (;;) {
		size_t n = buf_append(&e->lc, &hog, data, BIG);

		got += n;
		if (n < BIG)
			break;
	}
	ck_assert_uint_eq(got % CHUNK, 0);
	ck_assert_uint_eq(buf_append(&e->lc, &b, data, 10), 0);
	ck_assert_uint_eq(buf_len(&b), 0);
	buf_drop(&e->lc, &hog, CHUNK);
	ck_assert_uint_eq(buf_append(&e->lc, &b, data, 10), 10);
	buf_clear(&e->lc, &hog);
}
END_TEST

START_TEST(copy_crosses_chunks_at_every_place)
{
	static uint8_t out[BIG];

	buf_append(&e->lc, &b, data, BIG);
	for (uint32_t pos = CHUNK - 3; pos <= CHUNK + 3; pos++) {
		for (uint32_t len = 0; len < 8; len++) {
			buf_copy_out(&b, pos, out, len);
			ck_assert_int_eq(memcmp(out, data + pos, len), 0);
		}
	}
	buf_copy_out(&b, 0, out, BIG);
	ck_assert_mem_eq(out, data, BIG);
	buf_copy_out(&b, 5, out, CHUNK * 3);
	ck_assert_mem_eq(out, data + 5, CHUNK * 3);
}
END_TEST

START_TEST(checksum_is_right_when_a_span_ends_at_an_odd_place)
{
	static uint8_t out[CHUNK];

	buf_append(&e->lc, &b, data, BIG);
	for (uint32_t before = 1; before < 6; before++) {
		uint32_t sum = buf_copy_csum(&b, CHUNK - before, out, 1001, 77);

		ck_assert_mem_eq(out, data + CHUNK - before, 1001);
		ck_assert_uint_eq(csum_finish(sum), csum_finish(csum_add(out, 1001, 77)));
	}
}
END_TEST

START_TEST(drop_gives_whole_chunks_back)
{
	buf_append(&e->lc, &b, data, 3 * CHUNK);
	ck_assert_uint_eq(buf_pool_in_use(e->lc.buf), 3);
	buf_drop(&e->lc, &b, CHUNK - 1);
	ck_assert_uint_eq(buf_pool_in_use(e->lc.buf), 3);
	buf_drop(&e->lc, &b, 1);
	ck_assert_uint_eq(buf_pool_in_use(e->lc.buf), 2);
	buf_drop(&e->lc, &b, 2 * CHUNK);
	ck_assert_uint_eq(buf_pool_in_use(e->lc.buf), 0);
	ck_assert_uint_eq(buf_append(&e->lc, &b, data, 5), 5);
	ck_assert_uint_eq(buf_start(&b), 3 * CHUNK);
}
END_TEST

/* Random appends, drops and reads against a flat array. */
START_TEST(buffer_agrees_with_an_array)
{
	enum { TOTAL = 2000000 };
	uint8_t *all = malloc(TOTAL), *out = malloc(BIG);
	uint64_t start = 0, end = 0;

	srand((unsigned int)_i);
	for (uint32_t i = 0; i < TOTAL; i++)
		all[i] = (uint8_t)rand();
	while (end < TOTAL - BIG) {
		size_t n = (size_t)rand() % 20000;
		size_t got = buf_append(&e->lc, &b, all + end, n);

		ck_assert_uint_eq(got, RTE_MIN(n, BIG - (end - start)));
		end += got;
		if (end > start) {
			uint64_t pos = start + (uint64_t)rand() % (end - start);
			size_t len = (size_t)((uint64_t)rand() % (end - pos)) + 1;

			buf_copy_out(&b, pos, out, len);
			ck_assert_mem_eq(out, all + pos, len);
			n = (size_t)((uint64_t)rand() % (end - start + 1));
			buf_drop(&e->lc, &b, n);
			start += n;
		}
		ck_assert_uint_eq(buf_start(&b), start);
		ck_assert_uint_eq(buf_end(&b), end);
		ck_assert_uint_le(buf_pool_in_use(e->lc.buf), (end - start) / CHUNK + 2);
	}
	free(out);
	free(all);
}
END_TEST

/* So that everybody keeps one chunk. */
START_TEST(modest_buffer_takes_no_second_chunk_of_a_nearly_empty_pool)
{
	uint32_t all = buf_pool_in_use(e->lc.buf) + 255;
	struct buf hog;

	buf_init(&hog, UINT32_MAX);
	while (buf_pool_in_use(e->lc.buf) < all - all / 8 + 1)
		buf_append(&e->lc, &hog, data, CHUNK);
	b.modest = true;
	ck_assert_uint_eq(buf_append(&e->lc, &b, data, CHUNK + 1), CHUNK);
	ck_assert(!buf_can_append(&e->lc, &b));
	b.modest = false;
	ck_assert(buf_can_append(&e->lc, &b));
	ck_assert_uint_eq(buf_append(&e->lc, &b, data, 1), 1);
	buf_clear(&e->lc, &b);
	b.modest = true;
	buf_clear(&e->lc, &hog);
	ck_assert_uint_eq(buf_append(&e->lc, &b, data, BIG), BIG);
}
END_TEST

START_TEST(buffer_knows_whether_it_can_take_a_byte)
{
	struct buf hog;

	buf_init(&hog, UINT32_MAX);
	buf_init(&b, CHUNK + 1);
	ck_assert(buf_can_append(&e->lc, &b));
	buf_append(&e->lc, &b, data, 1);
	while (buf_can_append(&e->lc, &hog))
		ck_assert_uint_eq(buf_append(&e->lc, &hog, data, CHUNK), CHUNK);
	ck_assert_uint_eq(buf_append(&e->lc, &hog, data, 1), 0);
	ck_assert(buf_can_append(&e->lc, &b));
	ck_assert_uint_eq(buf_append(&e->lc, &b, data, BIG), CHUNK - 1);
	ck_assert(!buf_can_append(&e->lc, &b));
	buf_clear(&e->lc, &hog);
	ck_assert(buf_can_append(&e->lc, &b));
	ck_assert_uint_eq(buf_append(&e->lc, &b, data, BIG), 1);
	ck_assert(!buf_can_append(&e->lc, &b));
}
END_TEST

START_TEST(buffer_knows_whether_all_of_it_fits)
{
	size_t n = 7;
	bool fits;

	ck_assert(buf_fits(&e->lc, &b, 0));
	ck_assert(buf_fits(&e->lc, &b, BIG));
	ck_assert(!buf_fits(&e->lc, &b, BIG + 1));
	/* What it says is what append does, at the end of a chunk and of the pool too. */
	buf_init(&b, UINT32_MAX);
	buf_append(&e->lc, &b, data, CHUNK - 7);
	do {
		fits = buf_fits(&e->lc, &b, n);
		ck_assert_int_eq(buf_append(&e->lc, &b, data, n) == n, fits);
		n = CHUNK;
	} while (fits);
	ck_assert(!buf_fits(&e->lc, &b, 1));
	buf_drop(&e->lc, &b, CHUNK);
	ck_assert(buf_fits(&e->lc, &b, CHUNK));
	ck_assert(!buf_fits(&e->lc, &b, CHUNK + 1));
}
END_TEST

/* At every place around the end of a chunk; odd pieces too. */
START_TEST(staged_bytes_are_seen_when_they_are_committed)
{
	static uint8_t out[2 * CHUNK];

	for (uint32_t at = CHUNK - 40; at < CHUNK + 3; at++) {
		uint32_t sum = 0;

		buf_clear(&e->lc, &b);
		buf_init(&b, BIG);
		ck_assert_uint_eq(buf_append(&e->lc, &b, data, at), at);
		ck_assert(buf_stage(&e->lc, &b, data + at, 37, &sum));
		ck_assert_uint_eq(csum_finish(sum), csum_finish(csum_add(data + at, 37, 0)));
		ck_assert_uint_eq(buf_len(&b), at);
		buf_commit(&b, 37);
		ck_assert_uint_eq(buf_append(&e->lc, &b, data + at + 37, 100), 100);
		ck_assert_uint_eq(buf_len(&b), at + 137);
		buf_copy_out(&b, 0, out, at + 137);
		ck_assert_mem_eq(out, data, at + 137);
	}
}
END_TEST

START_TEST(unstaged_bytes_were_never_there)
{
	static uint8_t out[3 * CHUNK];
	static const uint32_t before[] = {0, 1, CHUNK - 1, CHUNK, CHUNK + 1};

	for (size_t i = 0; i < sizeof(before) / sizeof(before[0]); i++) {
		uint32_t at = before[i], sum = 0, chunks;

		buf_clear(&e->lc, &b);
		buf_init(&b, BIG);
		buf_append(&e->lc, &b, data, at);
		chunks = buf_pool_in_use(e->lc.buf);
		ck_assert(buf_stage(&e->lc, &b, data + 5000, 2 * CHUNK - 100, &sum));
		buf_unstage(&e->lc, &b);
		ck_assert_uint_eq(buf_pool_in_use(e->lc.buf), chunks);
		ck_assert_uint_eq(buf_len(&b), at);
		ck_assert_uint_eq(buf_append(&e->lc, &b, data + at, 300), 300);
		buf_copy_out(&b, 0, out, at + 300);
		ck_assert_mem_eq(out, data, at + 300);
	}
}
END_TEST

START_TEST(stage_takes_all_or_nothing)
{
	uint32_t sum = 0, chunks;

	buf_init(&b, 1000);
	ck_assert(!buf_stage(&e->lc, &b, data, 1001, &sum));
	ck_assert(buf_stage(&e->lc, &b, data, 1000, &sum));
	buf_unstage(&e->lc, &b);
	buf_init(&b, UINT32_MAX);
	while (buf_fits(&e->lc, &b, 2 * CHUNK))
		buf_append(&e->lc, &b, data, CHUNK);
	chunks = buf_pool_in_use(e->lc.buf);
	ck_assert(!buf_stage(&e->lc, &b, data, 2 * CHUNK, &sum));
	ck_assert_uint_eq(buf_pool_in_use(e->lc.buf), chunks);
	ck_assert(buf_stage(&e->lc, &b, data, CHUNK, &sum));
	buf_commit(&b, CHUNK);
}
END_TEST

/* Offers len bytes of data in a packet; it stays ours if the buffer does not take it. */
static bool
offer(uint32_t at, uint32_t len)
{
	struct rte_mbuf *m = env_pkt(e, data + at, len);

	if (!buf_takes_packet(&e->lc, &b, len)) {
		rte_pktmbuf_free(m);
		return false;
	}
	buf_append_packet(&e->lc, &b, m, pkt_data(m, 0), len);
	return true;
}

START_TEST(packet_is_kept_until_all_of_it_is_read)
{
	const uint8_t *span;

	buf_pool_keep(e->lc.buf, 2, 1000);
	ck_assert(offer(0, 1000));
	ck_assert(offer(1000, 1400));
	ck_assert_uint_eq(buf_len(&b), 2400);
	ck_assert_uint_eq(buf_span(&b, 990, &span), 10);
	ck_assert_mem_eq(span, data + 990, 10);
	ck_assert_uint_eq(buf_span(&b, 1000, &span), 1400);
	buf_drop(&e->lc, &b, 999);
	ck_assert_uint_eq(e->lc.stat.drop[DROP_BUF_DONE], 0);
	ck_assert_uint_eq(buf_pool_in_use(e->lc.buf), 2);
	buf_drop(&e->lc, &b, 1);
	ck_assert_uint_eq(e->lc.stat.drop[DROP_BUF_DONE], 1);
	ck_assert_uint_eq(buf_pool_in_use(e->lc.buf), 1);
	buf_drop(&e->lc, &b, 1400);
	ck_assert_uint_eq(e->lc.stat.drop[DROP_BUF_DONE], 2);
	ck_assert_uint_eq(buf_pool_in_use(e->lc.buf), 0);
}
END_TEST

START_TEST(packet_that_would_waste_memory_is_not_taken)
{
	ck_assert(!offer(0, 1400)); /* nobody said that packets may be kept */
	buf_pool_keep(e->lc.buf, 2, 1000);
	ck_assert(!offer(0, 999));
	buf_append(&e->lc, &b, data, 1);
	ck_assert(!offer(1, 1400)); /* the chunk has room */
	buf_append(&e->lc, &b, data + 1, CHUNK - 1);
	ck_assert(offer(CHUNK, 1400));
	ck_assert(offer(CHUNK + 1400, 1400));
	ck_assert(!offer(0, 1400)); /* two are kept */
	buf_clear(&e->lc, &b);
	buf_init(&b, 1399);
	ck_assert(!offer(0, 1400)); /* above the limit of the buffer */
	ck_assert(offer(0, 1399));
}
END_TEST

START_TEST(packets_and_chunks_are_read_as_one)
{
	enum { LEN = 1001 };
	uint8_t *out = malloc(BIG);
	uint32_t n = 0, sum = 0, kept = 0;

	buf_pool_keep(e->lc.buf, 8, LEN);
	while (n < BIG / 2) {
		bool in_packet = offer(n, LEN);

		kept += in_packet;
		if (!in_packet)
			ck_assert_uint_eq(buf_append(&e->lc, &b, data + n, LEN), LEN);
		n += LEN;
	}
	ck_assert_uint_eq(kept, 8);
	for (uint32_t at = 0; at < n; at += 3001) {
		buf_copy_out(&b, at, out, n - at);
		ck_assert_mem_eq(out, data + at, n - at);
	}
	sum = buf_copy_csum(&b, 0, out, n, 0);
	ck_assert_uint_eq(csum_finish(sum), csum_finish(csum_add(data, n, 0)));
	free(out);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("buf");
	TCase *c = tcase_create("buf");

	tcase_add_checked_fixture(c, setup, teardown);
	tcase_add_test(c, empty_buffer_owns_no_chunk);
	tcase_add_test(c, positions_are_absolute);
	tcase_add_test(c, append_stops_at_the_limit);
	tcase_add_test(c, append_stops_when_no_chunk_is_left);
	tcase_add_test(c, copy_crosses_chunks_at_every_place);
	tcase_add_test(c, checksum_is_right_when_a_span_ends_at_an_odd_place);
	tcase_add_test(c, drop_gives_whole_chunks_back);
	tcase_add_loop_test(c, buffer_agrees_with_an_array, 0, 8);
	tcase_add_test(c, modest_buffer_takes_no_second_chunk_of_a_nearly_empty_pool);
	tcase_add_test(c, buffer_knows_whether_it_can_take_a_byte);
	tcase_add_test(c, buffer_knows_whether_all_of_it_fits);
	tcase_add_test(c, staged_bytes_are_seen_when_they_are_committed);
	tcase_add_test(c, unstaged_bytes_were_never_there);
	tcase_add_test(c, stage_takes_all_or_nothing);
	tcase_add_test(c, packet_is_kept_until_all_of_it_is_read);
	tcase_add_test(c, packet_that_would_waste_memory_is_not_taken);
	tcase_add_test(c, packets_and_chunks_are_read_as_one);
	suite_add_tcase(s, c);
	return env_main(s);
}
