/* SPDX-License-Identifier: BSD-3-Clause */
/* RFC 3168 s6.1, both ways. */
#include <string.h>

#include "stack/base/csum.h"
#include "tests/tcp/tcp_env.h"

#define SEQ(n) (1 + (n)*MSS)
#define E      TCP_F_ECE
#define C      TCP_F_CWR

enum { ECT0 = 2, CE = 3 };

static void
drop_out(void)
{
	pkt_queue_drop(t.lc, &t.out, DROP_PORT_CLOSED);
}

/* The next segment's flags and the ECN of its IP header. */
static void
expect_ecn(uint8_t flags, uint8_t tos)
{
	ck_assert_uint_ge(t.out.n, 1);
	ck_assert_uint_eq(pkt_meta(t.out.head)->tos, tos);
	ck_assert_uint_eq(env_tx(NULL).flags, flags);
}

static void
rx_marked(const struct in *in, uint8_t tos)
{
	struct pkt_vec v = {.n = 0};

	pkt_vec_add(&v, env_segment(in));
	pkt_meta(v.m[0])->tos = tos;
	tcp_in(t.lc, &v);
	env_turn();
}

/* ESTABLISHED; we asked and the peer agreed. */
static void
ecn_established(void)
{
	struct sock_addr a = {
		.addr = ip_addr_v4(RTE_BE32(0x0a000002)), .port = RTE_BE16(PEER_PORT)};

	t.lc->tcp->conf.ecn = TCP_CONF_ECN_ASK;
	t.lc->tcp->conf.cc = TCP_CONF_NEWRENO;
	t.peer_sack = true;
	tcp_sock_ops.connect(t.lc, &t.s, &a);
	t.p = t.s.pcb;
	env_turn();
	expect_ecn(S | E | C, 0);
	RX(.flags = S | A | E, .ack = 1);
	expect_ecn(A, 0);
	ck_assert(t.p->opt_ecn);
}

/* RFC 3168 s6.1.1 */
START_TEST(syn_asks_where_the_configuration_says_so)
{
	struct sock_addr a = {
		.addr = ip_addr_v4(RTE_BE32(0x0a000002)), .port = RTE_BE16(PEER_PORT)};

	tcp_sock_ops.connect(t.lc, &t.s, &a);
	t.p = t.s.pcb;
	env_turn();
	expect_ecn(S, 0);
	/* Nobody asked, so this is no answer. */
	RX(.flags = S | A | E, .ack = 1);
	ck_assert(!t.p->opt_ecn);
	drop_out();
}
END_TEST

START_TEST(lost_syn_goes_without_ecn)
{
	struct sock_addr a = {
		.addr = ip_addr_v4(RTE_BE32(0x0a000002)), .port = RTE_BE16(PEER_PORT)};

	t.lc->tcp->conf.ecn = TCP_CONF_ECN_ASK;
	tcp_sock_ops.connect(t.lc, &t.s, &a);
	t.p = t.s.pcb;
	env_turn();
	expect_ecn(S | E | C, 0);
	env_wait_us(1000000);
	/* The second one may still ask; the third does not. */
	env_tx(NULL);
	env_wait_us(2000000);
	expect_ecn(S, 0);
}
END_TEST

START_TEST(reflected_flags_are_no_answer)
{
	struct sock_addr a = {
		.addr = ip_addr_v4(RTE_BE32(0x0a000002)), .port = RTE_BE16(PEER_PORT)};

	t.lc->tcp->conf.ecn = TCP_CONF_ECN_ASK;
	tcp_sock_ops.connect(t.lc, &t.s, &a);
	t.p = t.s.pcb;
	env_turn();
	drop_out();
	RX(.flags = S | A | E | C, .ack = 1);
	ck_assert(!t.p->opt_ecn);
	drop_out();
}
END_TEST

START_TEST(listener_answers_who_asks)
{
	pcb_listen();
	RX(.flags = S | E | C);
	expect_ecn(S | A | E, 0);
	RX(.flags = S, .peer_port = 4001);
	expect_ecn(S | A, 0);
	RX(.flags = S | E, .peer_port = 4002);
	expect_ecn(S | A, 0);
	t.lc->tcp->conf.ecn = TCP_CONF_ECN_OFF;
	RX(.flags = S | E | C, .peer_port = 4003);
	expect_ecn(S | A, 0);
}
END_TEST

/* A SYN that is ECN-capable itself was tampered with. */
START_TEST(marked_syn_gets_no_ecn)
{
	pcb_listen();
	rx_marked(&(struct in){.flags = S | E | C}, CE);
	expect_ecn(S | A, 0);
}
END_TEST

/* RFC 9768 s3.1.2: a SYN that offers accurate ECN (AE, CWR and ECE) gets the answer of classic ECN
 * from a server that knows no more: ECE alone. The AE bit is one of the reserved ones for it. */
START_TEST(listener_answers_accurate_ecn_with_classic)
{
	struct pkt_vec v = {.n = 0};
	struct rte_mbuf *m;
	uint32_t len;
	uint16_t sum;
	uint8_t *h;

	pcb_listen();
	pkt_vec_add(&v, env_segment(&(struct in){.flags = S | E | C}));
	h = pkt_data(v.m[0], 0);
	h[12] |= 1;
	h[16] = h[17] = 0;
	len = v.m[0]->pkt_len;
	sum = csum_finish(csum_add(h, len, csum_pseudo(&pkt_meta(v.m[0])->key, len)));
	memcpy(h + 16, &sum, 2);
	tcp_in(t.lc, &v);
	env_turn();
	ck_assert_uint_eq(t.out.n, 1);
	m = t.out.head;
	h = pkt_data(m, 0);
	ck_assert_uint_eq(h[12] & 0xf, 0);
	expect_ecn(S | A | E, 0);
}
END_TEST

/* A listener that answers with cookies. */
static void
flooded(void)
{
	pcb_listen();
	for (uint16_t i = 0; i < 70; i++)
		RX(.flags = S, .peer_port = (uint16_t)(5000 + i));
	drop_out();
}

/* What the SYN asked for is in force after the cookie, and nothing else: SACK in bit 0 of the
 * loop's number, ECN in bit 1, and in bit 2 whether the ACK is lost, so that a segment of text,
 * which is ECN-capable then, brings the cookie. */
START_TEST(cookie_carries_sack_and_ecn)
{
	bool sack = (_i & 1) != 0, ecn = (_i & 2) != 0, text = (_i & 4) != 0;
	struct sock c = {.ops = &tcp_sock_ops};
	const struct tcp_pcb *p;
	struct tcp_seg g;

	flooded();
	t.peer_ts = true;
	t.peer_sack = sack;
	RX(.flags = ecn ? S | E | C : S, .peer_port = 7000);
	g = env_tx(NULL);
	ck_assert_uint_eq(t.lc->stat.st[ST_TCP_COOKIE_OUT], 7);
	ck_assert_uint_eq(g.flags, ecn ? S | A | E : S | A);
	ck_assert_uint_eq(g.opts & TCP_O_SACK_PERM, sack ? TCP_O_SACK_PERM : 0);
	rx_marked(&(struct in){.flags = A,
			  .seq = 1,
			  .ack = g.seq + 1,
			  .peer_port = 7000,
			  .ts_ecr = g.ts_val,
			  .len = text ? 100 : 0},
		text && ecn ? ECT0 : 0);
	ck_assert_uint_eq(t.lc->stat.st[ST_TCP_COOKIE_IN], 1);
	ck_assert_int_eq(tcp_sock_ops.accept(t.lc, &t.lsn, &c), 0);
	p = c.pcb;
	ck_assert_uint_eq(p->opt_sack, sack);
	ck_assert_uint_eq(p->opt_ecn, ecn);
	tcp_sock_ops.close(t.lc, &c);
	drop_out();
}
END_TEST

/* RFC 3168 s6.1.5: new data are ECN-capable, ACKs and retransmissions are not. */
START_TEST(established_only_new_data_are_capable)
{
	ecn_established();
	s_send(2 * MSS);
	env_turn();
	expect_ecn(A, ECT0);
	expect_ecn(A, ECT0);
	env_wait_us(1000000);
	expect_ecn(A, 0);
	drop_out();
	RX(.flags = A, .seq = 1, .ack = SEQ(2), .len = 2000);
	RX(.flags = A, .seq = 2001, .ack = SEQ(2), .len = 2000);
	expect_ecn(A, 0);
}
END_TEST

START_TEST(established_without_ecn_nothing_is_capable)
{
	pcb_established();
	s_send(MSS);
	env_turn();
	expect_ecn(A, 0);
	rx_marked(&(struct in){.flags = A, .seq = 1, .ack = 1, .len = 100}, CE);
	ck_assert(!t.p->ecn_echo);
	drop_out();
}
END_TEST

/* RFC 3168 s6.1.3: the echo goes on until the sender says that it has reacted. */
START_TEST(established_mark_is_echoed_until_cwr)
{
	ecn_established();
	rx_marked(&(struct in){.flags = A, .seq = 1, .ack = 1, .len = 100}, CE);
	expect_ecn(A | E, 0);
	rx_marked(&(struct in){.flags = A, .seq = 101, .ack = 1, .len = 100}, ECT0);
	env_wait_us(40000);
	expect_ecn(A | E, 0);
	rx_marked(&(struct in){.flags = A | C, .seq = 201, .ack = 1, .len = 100}, ECT0);
	env_wait_us(40000);
	expect_ecn(A, 0);
	/* CWR and a mark at once: the mark is news. */
	rx_marked(&(struct in){.flags = A | C, .seq = 301, .ack = 1, .len = 100}, CE);
	expect_ecn(A | E, 0);
	ck_assert_uint_eq(t.lc->stat.st[ST_TCP_ECN_CE], 2);
}
END_TEST

/* RFC 3168 s6.1.2: the window shrinks once for each window of data, and CWR says so once. */
START_TEST(established_echo_shrinks_the_window_once)
{
	uint32_t cwr = 0;

	ecn_established();
	s_send(40 * MSS);
	env_turn();
	ck_assert_uint_eq(t.out.n, 10);
	drop_out();
	RX(.flags = A | E, .seq = 1, .ack = SEQ(1));
	ck_assert_int_eq(t.p->ca, TCPR_CWR);
	ck_assert_uint_eq(t.p->cc.ssthresh_bytes, 5 * MSS);
	for (uint32_t i = 2; i <= 10; i++) {
		RX(.flags = A | E, .seq = 1, .ack = SEQ(i));
		ck_assert_uint_eq(t.p->cc.ssthresh_bytes, 5 * MSS);
	}
	ck_assert_uint_le(tcp_pipe(t.p), 5 * MSS);
	while (t.out.n > 0)
		cwr += (env_tx(NULL).flags & C) != 0;
	ck_assert_uint_eq(cwr, 1);
	/* What was sent since is acknowledged without an echo: the end of it. */
	RX(.flags = A, .seq = 1, .ack = t.p->snd_nxt - t.p->iss);
	ck_assert_int_eq(t.p->ca, TCPR_OPEN);
	ck_assert_uint_eq(t.lc->stat.st[ST_TCP_REXMT], 0);
	ck_assert_uint_eq(t.lc->stat.st[ST_TCP_ECN_CWR], 1);
	drop_out();
}
END_TEST

/* Also where many full segments may leave at once; each of them is marked as ECN-capable. */
START_TEST(cwr_is_in_the_first_segment_of_a_burst_alone)
{
	uint32_t n = 0;

	ecn_established();
	s_send(40 * MSS);
	env_turn();
	drop_out();
	RX(.flags = A, .seq = 1, .ack = SEQ(10));
	drop_out();
	t.p->ecn_cwr = true;
	RX(.flags = A, .seq = 1, .ack = t.p->snd_max - t.p->iss);
	ck_assert_uint_ge(t.out.n, 4);
	for (; t.out.n > 0; n++) {
		ck_assert_uint_eq(pkt_meta(t.out.head)->tos & 3, 2);
		ck_assert_uint_eq(env_tx(NULL).flags & C, n == 0 ? C : 0);
	}
}
END_TEST

/* RFC 8257 s3.2: the echo is of the last segment. */
START_TEST(established_dctcp_echo_follows_the_marks)
{
	ecn_established();
	t.p->cc.ops = &tcp_cc_dctcp;
	t.p->cc.ops->start(&t.p->cc, t.lc->now_ns);
	rx_marked(&(struct in){.flags = A, .seq = 1, .ack = 1, .len = 100}, CE);
	expect_ecn(A | E, 0);
	rx_marked(&(struct in){.flags = A, .seq = 101, .ack = 1, .len = 100}, ECT0);
	expect_ecn(A, 0);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("tcp_ecn");
	TCase *c = tcase_create("tcp_ecn");

	tcase_add_checked_fixture(c, setup, teardown);
	tcase_add_test(c, syn_asks_where_the_configuration_says_so);
	tcase_add_test(c, lost_syn_goes_without_ecn);
	tcase_add_test(c, reflected_flags_are_no_answer);
	tcase_add_test(c, listener_answers_who_asks);
	tcase_add_test(c, listener_answers_accurate_ecn_with_classic);
	tcase_add_loop_test(c, cookie_carries_sack_and_ecn, 0, 8);
	tcase_add_test(c, marked_syn_gets_no_ecn);
	tcase_add_test(c, established_only_new_data_are_capable);
	tcase_add_test(c, established_without_ecn_nothing_is_capable);
	tcase_add_test(c, established_mark_is_echoed_until_cwr);
	tcase_add_test(c, established_echo_shrinks_the_window_once);
	tcase_add_test(c, cwr_is_in_the_first_segment_of_a_burst_alone);
	tcase_add_test(c, established_dctcp_echo_follows_the_marks);
	suite_add_tcase(s, c);
	return env_main(s);
}
