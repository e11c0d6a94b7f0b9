/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tests/tcp/tcp_env.h"

enum { BIG = 20000 };

static uint8_t mem[BIG];

static int
send_zc(const void *at, size_t len, uint64_t cookie)
{
	return tcp_sock_ops.send_zc(t.lc, &t.s, at, len, cookie);
}

/* The next memory that is ours again, and how it ended; fails if there is none. */
static uint64_t
done(int *error)
{
	uint64_t cookie;

	ck_assert_msg(buf_note_done(t.lc, &cookie, error), "nothing is done");
	return cookie;
}

static bool
is_nothing_done(void)
{
	uint64_t cookie;
	int error;

	return !buf_note_done(t.lc, &cookie, &error);
}

static void
fill(void)
{
	for (uint32_t i = 0; i < BIG; i++)
		mem[i] = (uint8_t)(i * 11 + i / 253);
}

START_TEST(memory_is_sent_as_it_is_and_told_when_its_last_octet_is_acknowledged)
{
	uint8_t out[4096];
	int error = -1;

	fill();
	pcb_established();
	t.p->nodelay = true;
	ck_assert_int_eq(send_zc(mem, 2000, 7), 0);
	env_turn();
	ck_assert_uint_eq(env_tx(out).len, MSS);
	ck_assert_mem_eq(out, mem, MSS);
	ck_assert_uint_eq(env_tx(out).len, 2000 - MSS);
	ck_assert_mem_eq(out, mem + MSS, 2000 - MSS);
	RX(.flags = A, .seq = 1, .ack = 1 + 1999);
	ck_assert(is_nothing_done());
	RX(.flags = A, .seq = 1, .ack = 1 + 2000);
	ck_assert_uint_eq(done(&error), 7);
	ck_assert_int_eq(error, 0);
	ck_assert(is_nothing_done());
}
END_TEST

START_TEST(lent_and_copied_bytes_keep_their_order)
{
	uint8_t out[4096];
	int error;

	fill();
	pcb_established();
	t.p->nodelay = true;
	ck_assert_int_eq(s_send(100), 100);
	ck_assert_int_eq(send_zc(mem, 333, 1), 0);
	ck_assert_int_eq(send_zc(mem + 333, 1, 2), 0);
	ck_assert_int_eq(s_send(50), 50);
	env_turn();
	ck_assert_uint_eq(env_tx(out).len, 484);
	ck_assert_mem_eq(out, pattern(), 100);
	ck_assert_mem_eq(out + 100, mem, 334);
	ck_assert_mem_eq(out + 434, pattern(), 50);
	RX(.flags = A, .seq = 1, .ack = 1 + 484);
	ck_assert_uint_eq(done(&error), 1);
	ck_assert_uint_eq(done(&error), 2);
}
END_TEST

START_TEST(what_was_lost_is_read_from_the_memory_again)
{
	uint8_t out[4096];
	int error;

	fill();
	pcb_established();
	ck_assert_int_eq(send_zc(mem, 700, 9), 0);
	env_turn();
	EXPECT(A, 1, 1, 700);
	env_wait_us(1100000);
	ck_assert_uint_eq(env_tx(out).len, 700);
	ck_assert_mem_eq(out, mem, 700);
	while (t.out.n > 0)
		env_tx(out);
	RX(.flags = A, .seq = 1, .ack = 701);
	ck_assert_uint_eq(done(&error), 9);
}
END_TEST

START_TEST(it_is_taken_whole_or_refused)
{
	int error;

	pcb_established();
	t.p->snd.limit_bytes = 5000;
	ck_assert_int_eq(send_zc(mem, 0, 1), -EINVAL);
	ck_assert_int_eq(send_zc(mem, 5001, 1), -EMSGSIZE);
	ck_assert_int_eq(send_zc(mem, 3000, 1), 0);
	ck_assert_int_eq(send_zc(mem, 2001, 2), -EAGAIN);
	ck_assert_int_eq(send_zc(mem, 2000, 2), 0);
	ck_assert_int_eq(s_send(1), -EAGAIN);
	tcp_usr_abort(t.lc, t.p, ECONNABORTED);
	ck_assert_uint_eq(done(&error), 1);
	ck_assert_int_eq(error, ECANCELED);
	ck_assert_uint_eq(done(&error), 2);
	while (t.out.n > 0)
		env_tx(NULL);
	env_turn();
	ck_assert_uint_eq(env_tx(NULL).flags, R | A);
}
END_TEST

START_TEST(memory_is_told_back_when_the_peer_resets)
{
	int error = 0;

	pcb_established();
	ck_assert_int_eq(send_zc(mem, 100, 5), 0);
	env_turn();
	EXPECT(A, 1, 1, 100);
	RX(.flags = R, .seq = 1);
	ck_assert_uint_eq(done(&error), 5);
	ck_assert_int_eq(error, ECANCELED);
	ck_assert_int_eq(send_zc(mem, 100, 6), -ECONNRESET);
	ck_assert_int_eq(send_zc(mem, 100, 6), -EPIPE);
}
END_TEST

START_TEST(a_closed_socket_still_tells)
{
	int error = -1;

	pcb_established();
	ck_assert_int_eq(send_zc(mem, 100, 5), 0);
	s_close();
	env_turn();
	EXPECT(A | F, 1, 1, 100);
	ck_assert(is_nothing_done());
	RX(.flags = A, .seq = 1, .ack = 102);
	ck_assert_uint_eq(done(&error), 5);
	ck_assert_int_eq(error, 0);
	RX(.flags = R, .seq = 1);
}
END_TEST

START_TEST(before_a_connection_nothing_is_taken)
{
	pcb_listen();
	ck_assert_int_eq(tcp_sock_ops.send_zc(t.lc, &t.lsn, mem, 10, 1), -ENOTCONN);
	pcb_syn_sent();
	ck_assert_int_eq(send_zc(mem, 10, 1), -EAGAIN);
}
END_TEST

/* ---- reading ---- */

static int
peek(struct tl_piece *p, int max)
{
	return tcp_sock_ops.peek(t.lc, &t.s, p, max);
}

static int
give_back(size_t n)
{
	return tcp_sock_ops.release(t.lc, &t.s, n);
}

START_TEST(pieces_show_what_came_and_open_the_window_when_given_back)
{
	struct tl_piece p[4];
	uint32_t room;

	pcb_established();
	room = buf_room(&t.p->rcv);
	RX(.flags = A, .seq = 1, .ack = 1, .data = pattern(), .len = 1000);
	ck_assert_int_eq(peek(p, 4), 1);
	ck_assert_uint_eq(p[0].bytes, 1000);
	ck_assert_mem_eq(p[0].at, pattern(), 1000);
	ck_assert_uint_eq(buf_room(&t.p->rcv), room - 1000);
	ck_assert_int_eq(s_recv((uint8_t[10]){0}, 10), -EBUSY);
	ck_assert_int_eq(give_back(1001), -EINVAL);
	ck_assert_int_eq(give_back(400), 0);
	ck_assert_int_eq(peek(p, 4), 1);
	ck_assert_mem_eq(p[0].at, pattern() + 400, 600);
	ck_assert_int_eq(give_back(600), 0);
	ck_assert_uint_eq(buf_room(&t.p->rcv), room);
	ck_assert_int_eq(peek(p, 4), -EAGAIN);
	ck_assert_int_eq(give_back(1), -EINVAL);
}
END_TEST

START_TEST(no_more_than_was_shown_can_be_given_back)
{
	struct tl_piece p[2];

	pcb_established();
	RX(.flags = A, .seq = 1, .ack = 1, .len = 100);
	ck_assert_int_eq(peek(p, 2), 1);
	RX(.flags = A, .seq = 101, .ack = 1, .len = 100);
	ck_assert_int_eq(give_back(101), -EINVAL);
	ck_assert_int_eq(give_back(100), 0);
	ck_assert_int_eq(s_recv((uint8_t[200]){0}, 200), 100);
	while (t.out.n > 0)
		env_tx(NULL);
}
END_TEST

START_TEST(lent_bytes_outlive_a_reset)
{
	struct tl_piece p[2];

	pcb_established();
	RX(.flags = A, .seq = 1, .ack = 1, .data = pattern(), .len = 1000);
	ck_assert_int_eq(peek(p, 2), 1);
	RX(.flags = R, .seq = 1001);
	EXPECT_STATE(CLOSED);
	ck_assert_mem_eq(p[0].at, pattern(), 1000);
	ck_assert_int_eq(give_back(500), 0);
	ck_assert_mem_eq((const uint8_t *)p[0].at + 500, pattern() + 500, 500);
	ck_assert_int_eq(give_back(500), 0);
	ck_assert_uint_eq(buf_pool_in_use(t.lc->buf), 0);
	ck_assert_int_eq(peek(p, 2), -ECONNRESET);
	ck_assert_int_eq(peek(p, 2), 0);
}
END_TEST

START_TEST(end_of_stream_comes_after_the_last_piece)
{
	struct tl_piece p[2];

	pcb_established();
	RX(.flags = A | F, .seq = 1, .ack = 1, .len = 10);
	EXPECT(A, 1, 12, 0);
	ck_assert_int_eq(peek(p, 2), 1);
	ck_assert_int_eq(peek(p, 0), -EINVAL);
	ck_assert_int_eq(give_back(10), 0);
	ck_assert_int_eq(peek(p, 2), 0);
}
END_TEST

START_TEST(a_socket_that_closes_with_lent_bytes_aborts)
{
	struct tl_piece p[2];

	pcb_established();
	RX(.flags = A, .seq = 1, .ack = 1, .len = 10);
	ck_assert_int_eq(peek(p, 2), 1);
	s_close();
	env_turn();
	ck_assert_uint_eq(env_tx(NULL).flags, R | A);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("tcp_zc");
	TCase *c = tcase_create("tcp_zc");

	tcase_add_checked_fixture(c, setup, teardown);
	tcase_add_test(c, memory_is_sent_as_it_is_and_told_when_its_last_octet_is_acknowledged);
	tcase_add_test(c, lent_and_copied_bytes_keep_their_order);
	tcase_add_test(c, what_was_lost_is_read_from_the_memory_again);
	tcase_add_test(c, it_is_taken_whole_or_refused);
	tcase_add_test(c, memory_is_told_back_when_the_peer_resets);
	tcase_add_test(c, a_closed_socket_still_tells);
	tcase_add_test(c, before_a_connection_nothing_is_taken);
	tcase_add_test(c, pieces_show_what_came_and_open_the_window_when_given_back);
	tcase_add_test(c, no_more_than_was_shown_can_be_given_back);
	tcase_add_test(c, lent_bytes_outlive_a_reset);
	tcase_add_test(c, end_of_stream_comes_after_the_last_piece);
	tcase_add_test(c, a_socket_that_closes_with_lent_bytes_aborts);
	suite_add_tcase(s, c);
	return env_main(s);
}
