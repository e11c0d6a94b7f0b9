/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <string.h>

#include "tests/tcp/tcp_env.h"

#define SECOND UINT64_C(1000000)

static uint8_t got[65536], cookie[16];

static int
set(struct sock *s, int opt, int v)
{
	return tcp_sock_ops.setopt(t.lc, s, IPPROTO_TCP, opt, &v, sizeof(v));
}

static int
get(struct sock *s, int opt)
{
	socklen_t len = sizeof(int);
	int v = -1;

	ck_assert_int_eq(tcp_sock_ops.getopt(t.lc, s, IPPROTO_TCP, opt, &v, &len), 0);
	return v;
}

static void
setup_tfo(void)
{
	setup();
	t.lc->tcp->conf.fastopen = TCP_CONF_TFO_BOTH;
}

static void
discard(void)
{
	pkt_queue_drop(t.lc, &t.out, DROP_PORT_CLOSED);
}

static struct tcp_pcb *
flow_of(uint16_t peer_port)
{
	struct flow_key k = {.local = ip_addr_v4(RTE_BE32(0x0a000001)),
		.remote = ip_addr_v4(RTE_BE32(0x0a000002)),
		.lport = RTE_BE16(OWN_PORT),
		.rport = rte_cpu_to_be_16(peer_port),
		.proto = IPPROTO_N_TCP};
	struct flow_ent *fe = flow_find(t.lc, &k);

	return fe == NULL ? NULL : container_of(fe, struct tcp_pcb, fe);
}

/* ---- server ---- */

static void
server(int qlen)
{
	pcb_listen();
	ck_assert_int_eq(set(&t.lsn, TCP_FASTOPEN, qlen), 0);
}

/* The peer asks for a cookie with a connection that comes to nothing. */
static void
ask(void)
{
	struct tcp_seg g;

	RX(.flags = S, .opts = TCP_O_TFO, .peer_port = 3999);
	g = env_tx(NULL);
	ck_assert_uint_eq(g.flags, S | A);
	ck_assert_uint_eq(g.opts & TCP_O_TFO, TCP_O_TFO);
	ck_assert_uint_eq(g.tfo_len, 8);
	memcpy(cookie, g.tfo, 8);
	RX(.flags = R, .seq = 1, .peer_port = 3999);
	ck_assert_ptr_null(flow_of(3999));
}

/* A SYN with n octets and the cookie. */
static struct tcp_seg
open_with(uint16_t n)
{
	RX(.flags = S, .opts = TCP_O_TFO, .tfo = cookie, .tfo_len = 8, .len = n);
	t.p = flow_of(PEER_PORT);
	ck_assert_ptr_nonnull(t.p);
	return env_tx(NULL);
}

/* Off in the configuration (RFC 7413 s4: disabled by default is what Linux has). */
START_TEST(server_is_off_until_it_is_configured_and_asked_for)
{
	t.lc->tcp->conf.fastopen = TCP_CONF_TFO_CLIENT;
	pcb_listen();
	ck_assert_int_eq(set(&t.lsn, TCP_FASTOPEN, 5), -EOPNOTSUPP);
	t.lc->tcp->conf.fastopen = TCP_CONF_TFO_BOTH;
	RX(.flags = S, .opts = TCP_O_TFO);
	ck_assert_uint_eq(env_tx(NULL).opts & TCP_O_TFO, 0);
	ck_assert_int_eq(set(&t.lsn, TCP_FASTOPEN, -1), -EINVAL);
	ck_assert_int_eq(set(&t.lsn, TCP_FASTOPEN, 5), 0);
	ck_assert_int_eq(get(&t.lsn, TCP_FASTOPEN), 5);
}
END_TEST

/* RFC 7413 s4.2.2: data, accept() and the answer before the handshake ends. */
START_TEST(data_of_a_syn_with_a_cookie_are_served_at_once)
{
	struct tcp_seg g;

	server(5);
	ask();
	g = open_with(300);
	ck_assert_uint_eq(g.flags, S | A);
	ck_assert_uint_eq(g.seq, 0);
	ck_assert_uint_eq(g.ack, 301);
	ck_assert_uint_eq(g.opts & TCP_O_TFO, 0);
	ck_assert_int_eq(tcp_sock_ops.accept(t.lc, &t.lsn, &t.s), 0);
	ck_assert_int_eq(s_recv(got, sizeof(got)), 300);
	ck_assert_mem_eq(got, pattern(), 300);
	ck_assert_int_eq(s_send(5000), 5000);
	env_turn();
	EXPECT(A, 1, 301, MSS);
	EXPECT(A, 1 + MSS, 301, MSS);
	EXPECT(A, 1 + 2 * MSS, 301, MSS);
	EXPECT_NONE(); /* the rest is small: RFC 9293 s3.7.4 */
	ck_assert(t.p->tfo_unproved);
	RX(.flags = A, .seq = 301, .ack = 1);
	ck_assert(!t.p->tfo_unproved);
	RX(.flags = A, .seq = 301, .ack = 1 + 3 * MSS);
	EXPECT(A, 1 + 3 * MSS, 301, 5000 - 3 * MSS);
	RX(.flags = A, .seq = 301, .ack = 5001);
	ck_assert_uint_eq(buf_len(&t.p->snd), 0);
	EXPECT_STATE(ESTABLISHED);
	ck_assert_uint_eq(t.lc->stat.st[ST_TCP_TFO_PASSIVE], 1);
	discard();
}
END_TEST

/* RFC 3168 s6.1.1: the answer says ECE where the SYN asked, and nothing where it did not. */
START_TEST(ecn_of_the_answer_is_that_of_any_syn_ack)
{
	bool asks = _i & 1;

	server(5);
	t.lc->tcp->conf.ecn = _i < 2 ? TCP_CONF_ECN_ACCEPT : TCP_CONF_ECN_ASK;
	ask();
	RX(.flags = (uint8_t)(S | (asks ? TCP_F_ECE | TCP_F_CWR : 0)), .opts = TCP_O_TFO,
		.tfo = cookie, .tfo_len = 8, .len = 100);
	t.p = flow_of(PEER_PORT);
	ck_assert_uint_eq(t.p->opt_ecn, asks);
	ck_assert_uint_eq(env_tx(NULL).flags, S | A | (asks ? TCP_F_ECE : 0));
	env_wait_us(1000000);
	ck_assert_uint_eq(env_tx(NULL).flags, S | A | (asks ? TCP_F_ECE : 0));
	discard();
}
END_TEST

/* RFC 9293 s3.10.7.4, fifth, SYN-RECEIVED: who has not seen our SYN has nothing more to say. */
START_TEST(text_that_does_not_acknowledge_our_syn_is_refused)
{
	static const uint32_t acks[] = {0, (uint32_t)-60000, 2};

	server(5);
	ask();
	open_with(300);
	RX(.flags = A, .seq = 301, .ack = acks[_i], .len = 10);
	EXPECT(R, acks[_i], 0, 0);
	ck_assert(t.p->tfo_unproved);
	ck_assert_uint_eq(t.p->rcv_nxt - t.p->irs, 301);
	RX(.flags = A, .seq = 301, .ack = 1, .len = 10);
	ck_assert(!t.p->tfo_unproved);
	ck_assert_uint_eq(t.p->rcv_nxt - t.p->irs, 311);
	discard();
}
END_TEST

START_TEST(closed_window_of_a_syn_does_not_double_the_answer)
{
	server(5);
	ask();
	RX(.flags = S, .opts = TCP_O_TFO, .tfo = cookie, .tfo_len = 8, .len = 100, .wnd_0 = true);
	t.p = flow_of(PEER_PORT);
	ck_assert_uint_eq(env_tx(NULL).flags, S | A);
	for (uint32_t i = 0; i < 3; i++) {
		env_wait_us(SECOND << i);
		ck_assert_uint_eq(env_tx(NULL).flags, S | A);
		EXPECT_NONE();
	}
	ck_assert_uint_eq(t.lc->stat.st[ST_TCP_PROBE], 0);
}
END_TEST

START_TEST(answer_and_syn_are_acknowledged_together)
{
	server(5);
	ask();
	open_with(10);
	ck_assert_int_eq(tcp_sock_ops.accept(t.lc, &t.lsn, &t.s), 0);
	s_send(100);
	env_turn();
	EXPECT(A, 1, 11, 100);
	env_wait_us(5000);
	RX(.flags = A, .seq = 11, .ack = 101);
	ck_assert(!t.p->tfo_unproved);
	ck_assert_uint_eq(tcp_flight(t.p), 0);
	ck_assert_uint_eq(buf_len(&t.p->snd), 0);
	ck_assert_uint_eq(t.p->srtt_us, 5000);
	s_close();
	discard();
}
END_TEST

/* Our SYN-ACK is lost, with what followed it. */
START_TEST(lost_answer_to_a_syn_leaves_again_and_then_the_data)
{
	t.peer_sack = _i == 1;
	server(5);
	ask();
	open_with(10);
	ck_assert_int_eq(tcp_sock_ops.accept(t.lc, &t.lsn, &t.s), 0);
	s_send(2000);
	env_turn();
	discard();
	env_wait_us(SECOND);
	EXPECT(S | A, 0, 11, 0);
	RX(.flags = A, .seq = 11, .ack = 1);
	EXPECT(A, 1, 11, MSS);
	RX(.flags = A, .seq = 11, .ack = 1 + MSS);
	EXPECT(A, 1 + MSS, 11, 2000 - MSS);
	RX(.flags = A, .seq = 11, .ack = 2001);
	ck_assert_uint_eq(tcp_flight(t.p), 0);
	EXPECT_STATE(ESTABLISHED);
}
END_TEST

/* RFC 7413 s4.1.3.1: the client falls back; here it heard nothing of our answer. */
START_TEST(syn_that_comes_again_without_data_is_answered_again)
{
	server(5);
	ask();
	open_with(10);
	RX(.flags = S);
	EXPECT(S | A, 0, 11, 0);
	EXPECT_STATE(ESTABLISHED);
	RX(.flags = A, .seq = 11, .ack = 1);
	ck_assert(!t.p->tfo_unproved);
	RX(.flags = S); /* now it is none of ours: RFC 5961 s4.2 */
	EXPECT(A, 1, 11, 0);
}
END_TEST

START_TEST(bad_cookie_is_a_plain_handshake_and_brings_a_good_one)
{
	struct tcp_seg g;

	server(5);
	ask();
	cookie[0] ^= 1;
	g = open_with(300);
	ck_assert_uint_eq(g.flags, S | A);
	ck_assert_uint_eq(g.ack, 1);
	ck_assert_uint_eq(g.tfo_len, 8);
	cookie[0] ^= 1;
	ck_assert_mem_eq(g.tfo, cookie, 8);
	EXPECT_STATE(SYN_RCVD);
	ck_assert_int_eq(tcp_sock_ops.accept(t.lc, &t.lsn, &t.s), -EAGAIN);
	RX(.flags = A, .seq = 1, .ack = 1, .len = 300);
	EXPECT_STATE(ESTABLISHED);
	ck_assert_int_eq(tcp_sock_ops.accept(t.lc, &t.lsn, &t.s), 0);
	ck_assert_int_eq(s_recv(got, sizeof(got)), 300);
	ck_assert_uint_eq(t.lc->stat.st[ST_TCP_TFO_REFUSED], 1);
	discard();
}
END_TEST

START_TEST(cookie_of_another_length_is_bad)
{
	server(5);
	ask();
	RX(.flags = S, .opts = TCP_O_TFO, .tfo = cookie, .tfo_len = 6, .len = 10);
	t.p = flow_of(PEER_PORT);
	EXPECT(S | A, 0, 1, 0);
	EXPECT_STATE(SYN_RCVD);
}
END_TEST

START_TEST(data_of_a_syn_without_the_option_wait_for_the_handshake)
{
	struct tcp_seg g;

	server(5);
	RX(.flags = S, .len = 50);
	t.p = flow_of(PEER_PORT);
	g = env_tx(NULL);
	ck_assert_uint_eq(g.ack, 1);
	ck_assert_uint_eq(g.opts & TCP_O_TFO, 0);
	EXPECT_STATE(SYN_RCVD);
}
END_TEST

/* F-23: another profile, another cookie; and the other way round. */
START_TEST(cookie_is_worth_nothing_under_another_profile)
{
	struct tcp_pcb *a, *b;
	struct tcp_seg x = {.opts = 0}, y = {.opts = 0};

	server(5);
	RX(.flags = S, .opts = TCP_O_TFO, .peer_port = 1);
	RX(.flags = S, .opts = TCP_O_TFO, .peer_port = 2);
	discard();
	a = flow_of(1);
	b = flow_of(2);
	a->latch.profile_in = 7;
	tcp_tfo_fill(t.lc, a, &x);
	tcp_tfo_fill(t.lc, b, &y);
	ck_assert_mem_ne(x.tfo, y.tfo, 8);
	b->latch.profile_in = 8;
	tcp_tfo_fill(t.lc, b, &y);
	ck_assert_mem_ne(x.tfo, y.tfo, 8);
	b->latch.profile_in = 7;
	tcp_tfo_fill(t.lc, b, &y);
	ck_assert_mem_eq(x.tfo, y.tfo, 8);
	/* The handle means something else in another process; a clear cookie does not change. */
	t.lc->tcp->conf.fastopen_run++;
	tcp_tfo_fill(t.lc, b, &y);
	ck_assert_mem_ne(x.tfo, y.tfo, 8);
	a->latch.profile_in = b->latch.profile_in = 0;
	tcp_tfo_fill(t.lc, a, &x);
	t.lc->tcp->conf.fastopen_run++;
	tcp_tfo_fill(t.lc, b, &y);
	ck_assert_mem_eq(x.tfo, y.tfo, 8);
	/* And of another address. */
	b->fe.key.remote = ip_addr_v4(RTE_BE32(0x0a000003));
	tcp_tfo_fill(t.lc, b, &y);
	b->fe.key.remote = a->fe.key.remote;
	ck_assert_mem_ne(x.tfo, y.tfo, 8);
}
END_TEST

START_TEST(syn_that_the_latch_refuses_brings_nothing)
{
	server(5);
	ask();
	t.fake.spawn_rc = DROP_LATCH_REQUEST;
	RX(.flags = S, .opts = TCP_O_TFO, .tfo = cookie, .tfo_len = 8, .len = 10);
	EXPECT_NONE();
	ck_assert_ptr_null(flow_of(PEER_PORT));
	ck_assert_int_eq(tcp_sock_ops.accept(t.lc, &t.lsn, &t.s), -EAGAIN);
}
END_TEST

/* RFC 7413 s5.1: PendingFastOpenRequests */
START_TEST(unproved_connections_are_limited)
{
	server(2);
	ask();
	for (uint16_t i = 0; i < 3; i++)
		RX(.flags = S, .opts = TCP_O_TFO, .tfo = cookie, .tfo_len = 8, .len = 10,
			.peer_port = (uint16_t)(100 + i));
	discard();
	ck_assert_uint_eq(flow_of(101)->state, TCPS_ESTABLISHED);
	ck_assert_uint_eq(flow_of(102)->state, TCPS_SYN_RCVD);
	ck_assert_uint_eq(t.lc->stat.st[ST_TCP_TFO_OVERFLOW], 1);
	/* One proves to be there, and there is room again. */
	t.p = flow_of(100);
	RX(.flags = A, .seq = 11, .ack = 1, .peer_port = 100);
	RX(.flags = S, .opts = TCP_O_TFO, .tfo = cookie, .tfo_len = 8, .len = 10, .peer_port = 103);
	ck_assert_uint_eq(flow_of(103)->state, TCPS_ESTABLISHED);
	discard();
}
END_TEST

/* Who sends in another's name has each of his requests reset by that one, and would never be
 * limited. */
START_TEST(reset_of_an_unproved_connection_keeps_its_place_for_a_minute)
{
	server(1);
	ask();
	open_with(100);
	RX(.flags = R, .seq = 101);
	ck_assert_ptr_null(flow_of(PEER_PORT));
	RX(.flags = S, .opts = TCP_O_TFO, .tfo = cookie, .tfo_len = 8, .len = 100);
	ck_assert_uint_eq(t.lc->stat.st[ST_TCP_TFO_OVERFLOW], 1);
	EXPECT(S | A, 0, 1, 0);
	RX(.flags = R, .seq = 1);
	env_wait_us(60 * SECOND);
	ck_assert_uint_eq(open_with(100).ack, 101);
	discard();
}
END_TEST

START_TEST(unproved_connection_is_given_up_like_a_half_open_one)
{
	server(5);
	ask();
	t.lc->tcp->conf.synack_retries = 2;
	open_with(10);
	ck_assert_int_eq(tcp_sock_ops.accept(t.lc, &t.lsn, &t.s), 0);
	env_wait_us(SECOND);
	EXPECT(S | A, 0, 11, 0);
	env_wait_us(2 * SECOND);
	EXPECT(S | A, 0, 11, 0);
	env_wait_us(4 * SECOND);
	EXPECT_STATE(CLOSED);
	ck_assert_int_eq(s_so_error(), ETIMEDOUT);
	ck_assert_uint_eq(t.lc->tcp->tfo_pending[OWN_PORT].n, 0);
}
END_TEST

START_TEST(unproved_connection_closes_in_order)
{
	server(5);
	ask();
	open_with(10);
	ck_assert_int_eq(tcp_sock_ops.accept(t.lc, &t.lsn, &t.s), 0);
	s_recv(got, sizeof(got));
	s_close();
	env_turn();
	EXPECT(F | A, 1, 11, 0);
	RX(.flags = F | A, .seq = 11, .ack = 2);
	EXPECT(A, 2, 12, 0);
	EXPECT_STATE(TIME_WAIT);
}
END_TEST

/* ---- client ---- */

static struct sock_addr
server_addr(void)
{
	return (struct sock_addr){
		.addr = ip_addr_v4(RTE_BE32(0x0a000002)), .port = RTE_BE16(PEER_PORT)};
}

static int
connect_fast(void)
{
	struct sock_addr a = server_addr();
	int rc;

	ck_assert_int_eq(set(&t.s, TCP_FASTOPEN_CONNECT, 1), 0);
	rc = tcp_sock_ops.connect(t.lc, &t.s, &a);
	t.p = t.s.pcb;
	env_turn();
	return rc;
}

static void
abort_now(void)
{
	t.s.linger_s = 0;
	s_close();
	env_turn();
	discard();
	sock_new(&t.s);
}

/* Learns this cookie from a connection that is given up then. */
static void
learn(uint8_t len)
{
	struct tcp_seg g;

	for (uint8_t i = 0; i < len; i++)
		cookie[i] = (uint8_t)(0xc0 + i);
	ck_assert_int_eq(connect_fast(), -EINPROGRESS);
	g = env_tx(NULL);
	ck_assert_uint_eq(g.flags, S);
	ck_assert_uint_eq(g.opts & TCP_O_TFO, TCP_O_TFO);
	ck_assert_uint_eq(g.tfo_len, 0);
	ck_assert_uint_eq(g.len, 0);
	RX(.flags = S | A, .ack = 1, .opts = TCP_O_TFO, .tfo = cookie, .tfo_len = len);
	EXPECT_STATE(ESTABLISHED);
	abort_now();
}

/* RFC 7413 s4.2.1 */
START_TEST(second_connection_takes_data_along)
{
	struct tcp_seg g;
	uint8_t data[4096];

	learn(8);
	ck_assert_int_eq(connect_fast(), 0);
	EXPECT_NONE();
	ck_assert_uint_eq(tcp_sock_ops.ready(t.lc, &t.s), TL_EV_OUT);
	ck_assert_int_eq(s_send(500), 500);
	env_turn();
	g = env_tx(data);
	ck_assert_uint_eq(g.flags, S);
	ck_assert_uint_eq(g.len, 500);
	ck_assert_uint_eq(g.tfo_len, 8);
	ck_assert_mem_eq(g.tfo, cookie, 8);
	ck_assert_mem_eq(data, pattern(), 500);
	ck_assert_int_eq(s_send(1), -EAGAIN);
	RX(.flags = S | A, .ack = 501);
	EXPECT(A, 501, 1, 0);
	EXPECT_STATE(ESTABLISHED);
	ck_assert_uint_eq(buf_len(&t.p->snd), 0);
	ck_assert_uint_eq(t.lc->stat.st[ST_TCP_TFO_ACTIVE], 1);
	s_send(10);
	env_turn();
	EXPECT(A, 501, 1, 10);
}
END_TEST

START_TEST(what_the_server_did_not_take_leaves_again_at_once)
{
	learn(8);
	ck_assert_int_eq(connect_fast(), 0);
	ck_assert_int_eq(s_send(500), 500);
	env_turn();
	discard();
	RX(.flags = S | A, .ack = 1, .opts = TCP_O_TFO, .tfo = cookie, .tfo_len = 8);
	EXPECT(A, 1, 1, 500);
	ck_assert_uint_eq(t.lc->stat.st[ST_TCP_TFO_FAIL], 1);
	RX(.flags = A, .seq = 1, .ack = 501);
	ck_assert_uint_eq(tcp_flight(t.p), 0);
}
END_TEST

START_TEST(part_of_it_may_be_taken)
{
	learn(8);
	ck_assert_int_eq(connect_fast(), 0);
	ck_assert_int_eq(s_send(500), 500);
	env_turn();
	discard();
	RX(.flags = S | A, .ack = 201);
	EXPECT(A, 201, 1, 300);
}
END_TEST

START_TEST(answer_to_what_was_never_sent_is_refused)
{
	learn(8);
	ck_assert_int_eq(connect_fast(), 0);
	ck_assert_int_eq(s_send(500), 500);
	env_turn();
	discard();
	RX(.flags = S | A, .ack = 502);
	EXPECT(R, 502, 0, 0);
	EXPECT_STATE(SYN_SENT);
}
END_TEST

/* RFC 7413 s4.1.3: the MSS of the last time bounds it, options counted. */
START_TEST(syn_takes_no_more_than_fits)
{
	struct tcp_seg g;

	t.peer_mss = 1000;
	learn(8);
	ck_assert_int_eq(connect_fast(), 0);
	ck_assert_int_eq(s_send(3000), 3000);
	env_turn();
	g = env_tx(NULL);
	ck_assert_uint_eq(g.len, 1000 - 40);
	RX(.flags = S | A, .ack = 961);
	EXPECT(A, 961, 1, 1000);
	EXPECT(A, 1961, 1, 1000);
	discard();
}
END_TEST

/* RFC 7413 s4.1.3.1 */
START_TEST(lost_syn_leaves_plain_and_the_peer_is_left_alone_for_a_while)
{
	struct tcp_seg g;

	learn(8);
	ck_assert_int_eq(connect_fast(), 0);
	ck_assert_int_eq(s_send(500), 500);
	env_turn();
	discard();
	env_wait_us(SECOND);
	g = env_tx(NULL);
	ck_assert_uint_eq(g.flags, S);
	ck_assert_uint_eq(g.len, 0);
	ck_assert_uint_eq(g.opts & TCP_O_TFO, 0);
	RX(.flags = S | A, .ack = 1);
	EXPECT(A, 1, 1, 500);
	ck_assert_uint_eq(t.lc->stat.st[ST_TCP_TFO_BLACKHOLE], 1);
	abort_now();
	ck_assert_int_eq(connect_fast(), -EINPROGRESS);
	ck_assert_uint_eq(env_tx(NULL).opts & TCP_O_TFO, 0);
	abort_now();
	env_wait_us(3600 * SECOND);
	ck_assert_int_eq(connect_fast(), 0); /* the cookie is still good */
	ck_assert_int_eq(s_send(1), 1);
	env_turn();
	ck_assert_uint_eq(env_tx(NULL).tfo_len, 8);
}
END_TEST

START_TEST(lost_syn_whose_data_arrived_is_no_black_hole)
{
	learn(8);
	ck_assert_int_eq(connect_fast(), 0);
	ck_assert_int_eq(s_send(500), 500);
	env_turn();
	env_wait_us(SECOND);
	discard();
	RX(.flags = S | A, .ack = 501);
	EXPECT(A, 501, 1, 0);
	ck_assert_uint_eq(t.lc->stat.st[ST_TCP_TFO_BLACKHOLE], 0);
}
END_TEST

START_TEST(cookies_of_14_bytes_are_kept_and_longer_ones_are_not)
{
	learn(14);
	ck_assert_int_eq(connect_fast(), 0);
	ck_assert_int_eq(s_send(1), 1);
	env_turn();
	ck_assert_uint_eq(env_tx(NULL).tfo_len, 14);
	abort_now();
	/* What would not fit our SYN replaces nothing. */
	ck_assert_int_eq(connect_fast(), 0);
	ck_assert_int_eq(s_send(1), 1);
	env_turn();
	discard();
	RX(.flags = S | A, .ack = 1, .opts = TCP_O_TFO, .tfo = cookie, .tfo_len = 16);
	abort_now();
	ck_assert_int_eq(connect_fast(), 0);
	ck_assert_uint_eq(t.p->tfo_len, 14);
}
END_TEST

START_TEST(message_that_opens_needs_a_cookie)
{
	struct sock_addr a = server_addr();

	ck_assert_int_eq(tcp_sock_ops.send_to(t.lc, &t.s, &a, pattern(), 100), -EINPROGRESS);
	t.p = t.s.pcb;
	env_turn();
	EXPECT(S, 0, 0, 0);
	ck_assert_int_eq(tcp_sock_ops.send_to(t.lc, &t.s, &a, pattern(), 100), -EALREADY);
	RX(.flags = S | A, .ack = 1, .opts = TCP_O_TFO, .tfo = cookie, .tfo_len = 8);
	ck_assert_int_eq(tcp_sock_ops.send_to(t.lc, &t.s, &a, pattern(), 100), -EISCONN);
	abort_now();
	ck_assert_int_eq(tcp_sock_ops.send_to(t.lc, &t.s, &a, pattern(), 100), 100);
	t.p = t.s.pcb;
	env_turn();
	EXPECT(S, 0, 0, 100);
	ck_assert_int_eq(tcp_sock_ops.send(t.lc, &t.s, pattern(), 1, MSG_FASTOPEN), -EDESTADDRREQ);
}
END_TEST

START_TEST(client_that_is_off_says_so)
{
	struct sock_addr a = server_addr();

	t.lc->tcp->conf.fastopen = TCP_CONF_TFO_SERVER;
	ck_assert_int_eq(set(&t.s, TCP_FASTOPEN_CONNECT, 1), -EOPNOTSUPP);
	ck_assert_int_eq(tcp_sock_ops.send_to(t.lc, &t.s, &a, pattern(), 1), -EOPNOTSUPP);
	t.lc->tcp->conf.fastopen = TCP_CONF_TFO_CLIENT;
	ck_assert_int_eq(set(&t.s, TCP_FASTOPEN_CONNECT, 2), -EINVAL);
	ck_assert_int_eq(set(&t.s, TCP_FASTOPEN_CONNECT, 1), 0);
	ck_assert_int_eq(get(&t.s, TCP_FASTOPEN_CONNECT), 1);
}
END_TEST

START_TEST(who_waits_to_send_can_be_closed)
{
	learn(8);
	ck_assert_int_eq(connect_fast(), 0);
	ck_assert_int_eq(s_recv(got, 1), -EAGAIN);
	env_wait_us(1000 * SECOND); /* no timer: nothing was sent */
	EXPECT_NONE();
	s_close();
	env_turn();
	EXPECT_NONE();
	sock_new(&t.s);
}
END_TEST

START_TEST(end_of_data_that_left_with_the_syn_follows_them)
{
	learn(8);
	ck_assert_int_eq(connect_fast(), 0);
	ck_assert_int_eq(tcp_sock_ops.shutdown(t.lc, &t.s, SHUT_WR), -ENOTCONN);
	ck_assert_int_eq(s_send(500), 500);
	ck_assert_int_eq(tcp_sock_ops.shutdown(t.lc, &t.s, SHUT_WR), 0);
	ck_assert_int_eq(s_send(1), -EPIPE);
	env_turn();
	EXPECT(S, 0, 0, 500);
	RX(.flags = S | A, .ack = _i == 0 ? 501 : 1);
	if (_i == 0)
		EXPECT(F | A, 501, 1, 0);
	else
		EXPECT(F | A, 1, 1, 500);
	EXPECT_STATE(FIN_WAIT_1);
	RX(.flags = A, .seq = 1, .ack = 502);
	EXPECT_STATE(FIN_WAIT_2);
}
END_TEST

START_TEST(data_that_left_with_the_syn_outlive_their_socket)
{
	learn(8);
	ck_assert_int_eq(connect_fast(), 0);
	ck_assert_int_eq(s_send(500), 500);
	s_close();
	sock_new(&t.s);
	env_turn();
	EXPECT(S, 0, 0, 500);
	EXPECT_STATE(SYN_SENT);
	RX(.flags = S | A, .ack = 1);
	EXPECT(F | A, 1, 1, 500);
	RX(.flags = F | A, .seq = 1, .ack = 502);
	EXPECT(A, 502, 2, 0);
	EXPECT_STATE(TIME_WAIT);
}
END_TEST

START_TEST(nobody_takes_the_data_of_a_socket_that_is_gone)
{
	learn(8);
	t.lc->tcp->conf.syn_retries = 1;
	ck_assert_int_eq(connect_fast(), 0);
	ck_assert_int_eq(s_send(500), 500);
	s_close();
	sock_new(&t.s);
	env_turn();
	env_wait_us(10 * SECOND);
	discard();
	ck_assert_uint_eq(tcp_pcbs_in_use(t.lc), 0);
	t.p = NULL;
}
END_TEST

/* RFC 9293 s3.5, figure 8, with data that wait. */
START_TEST(simultaneous_open_sends_the_data_afterwards)
{
	learn(8);
	ck_assert_int_eq(connect_fast(), 0);
	ck_assert_int_eq(s_send(500), 500);
	env_turn();
	discard();
	RX(.flags = S);
	EXPECT(S | A, 0, 1, 0);
	RX(.flags = S | A, .ack = 1);
	EXPECT_STATE(ESTABLISHED);
	EXPECT(A, 1, 1, 500);
	discard();
}
END_TEST

/* RFC 7413 s4.1.3: of many servers the ones used longest ago are forgotten. */
START_TEST(cookies_of_many_servers_take_no_more_memory)
{
	struct tcp_seg syn_ack = {.opts = TCP_O_TFO, .tfo_len = 8};
	uint32_t known = 0;

	ck_assert_int_eq(connect_fast(), -EINPROGRESS);
	discard();
	for (uint32_t i = 0; i < 5000; i++) {
		t.p->fe.key.remote = ip_addr_v4(rte_cpu_to_be_32(0x0b000000 + i));
		t.lc->now_ns++;
		syn_ack.ack = t.p->iss + 1;
		tcp_tfo_syn_ack(t.lc, t.p, &syn_ack);
	}
	for (uint32_t i = 0; i < 5000; i++) {
		t.p->fe.key.remote = ip_addr_v4(rte_cpu_to_be_32(0x0b000000 + i));
		known += tcp_tfo_prepare(t.lc, t.p);
	}
	t.p->fe.key.remote = server_addr().addr;
	ck_assert_uint_le(known, 1024);
	ck_assert_uint_gt(known, 900);
}
END_TEST

/* ---- the option itself ---- */

/* RFC 7413 s4.1.1 */
START_TEST(option_of_another_length_is_unknown)
{
	uint8_t p[60] = {[12] = 0xf0, [13] = TCP_F_SYN};
	bool good = _i == 2 || (_i >= 6 && _i <= 18 && _i % 2 == 0);
	struct tcp_seg s;

	memset(p + 20, 1, 40);
	p[20] = 34;
	p[21] = (uint8_t)_i;
	ck_assert_uint_eq(tcp_wire_parse(p, sizeof(p), &s), DROP_NONE);
	ck_assert_uint_eq(s.opts, good ? TCP_O_TFO : 0);
	ck_assert_int_eq(s.tfo_len, good ? _i - 2 : 0);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("tcp_tfo");
	TCase *c = tcase_create("tcp_tfo");

	tcase_set_timeout(c, 0);
	tcase_add_checked_fixture(c, setup_tfo, teardown);
	tcase_add_test(c, server_is_off_until_it_is_configured_and_asked_for);
	tcase_add_test(c, data_of_a_syn_with_a_cookie_are_served_at_once);
	tcase_add_loop_test(c, ecn_of_the_answer_is_that_of_any_syn_ack, 0, 4);
	tcase_add_loop_test(c, text_that_does_not_acknowledge_our_syn_is_refused, 0, 3);
	tcase_add_test(c, closed_window_of_a_syn_does_not_double_the_answer);
	tcase_add_test(c, answer_and_syn_are_acknowledged_together);
	tcase_add_loop_test(c, lost_answer_to_a_syn_leaves_again_and_then_the_data, 0, 2);
	tcase_add_test(c, syn_that_comes_again_without_data_is_answered_again);
	tcase_add_test(c, bad_cookie_is_a_plain_handshake_and_brings_a_good_one);
	tcase_add_test(c, cookie_of_another_length_is_bad);
	tcase_add_test(c, data_of_a_syn_without_the_option_wait_for_the_handshake);
	tcase_add_test(c, cookie_is_worth_nothing_under_another_profile);
	tcase_add_test(c, syn_that_the_latch_refuses_brings_nothing);
	tcase_add_test(c, unproved_connections_are_limited);
	tcase_add_test(c, reset_of_an_unproved_connection_keeps_its_place_for_a_minute);
	tcase_add_test(c, unproved_connection_is_given_up_like_a_half_open_one);
	tcase_add_test(c, unproved_connection_closes_in_order);
	tcase_add_test(c, second_connection_takes_data_along);
	tcase_add_test(c, what_the_server_did_not_take_leaves_again_at_once);
	tcase_add_test(c, part_of_it_may_be_taken);
	tcase_add_test(c, answer_to_what_was_never_sent_is_refused);
	tcase_add_test(c, syn_takes_no_more_than_fits);
	tcase_add_test(c, lost_syn_leaves_plain_and_the_peer_is_left_alone_for_a_while);
	tcase_add_test(c, lost_syn_whose_data_arrived_is_no_black_hole);
	tcase_add_test(c, cookies_of_14_bytes_are_kept_and_longer_ones_are_not);
	tcase_add_test(c, message_that_opens_needs_a_cookie);
	tcase_add_test(c, client_that_is_off_says_so);
	tcase_add_test(c, who_waits_to_send_can_be_closed);
	tcase_add_loop_test(c, end_of_data_that_left_with_the_syn_follows_them, 0, 2);
	tcase_add_test(c, data_that_left_with_the_syn_outlive_their_socket);
	tcase_add_test(c, nobody_takes_the_data_of_a_socket_that_is_gone);
	tcase_add_test(c, simultaneous_open_sends_the_data_afterwards);
	tcase_add_test(c, cookies_of_many_servers_take_no_more_memory);
	tcase_add_loop_test(c, option_of_another_length_is_unknown, 2, 40);
	suite_add_tcase(s, c);
	return env_main(s);
}
