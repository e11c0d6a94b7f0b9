/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#include "stack/base/flow_dir.h"
#include "tests/tcp/tcp_env.h"

static struct sock_addr
addr(uint32_t ip, uint16_t port)
{
	return (struct sock_addr){
		.addr = ip_addr_v4(rte_cpu_to_be_32(ip)), .port = rte_cpu_to_be_16(port)};
}

static int
bind_to(struct sock *s, uint32_t ip, uint16_t port)
{
	struct sock_addr a = addr(ip, port);

	return tcp_sock_ops.bind(t.lc, s, &a);
}

static int
connect_to(struct sock *s, uint32_t ip, uint16_t port)
{
	struct sock_addr a = addr(ip, port);

	return tcp_sock_ops.connect(t.lc, s, &a);
}

static uint16_t
local_port(struct sock *s)
{
	struct sock_addr a;

	ck_assert_int_eq(tcp_sock_ops.local(t.lc, s, &a), 0);
	return rte_be_to_cpu_16(a.port);
}

/* ---- bind, listen ---- */

START_TEST(bind_refuses_what_is_not_ours_or_taken)
{
	struct sock b, c;

	sock_new(&b);
	sock_new(&c);
	ck_assert_int_eq(bind_to(&t.s, 0x0a000005, 80), -EADDRNOTAVAIL);
	ck_assert_int_eq(bind_to(&t.s, 0x0a000001, 80), 0);
	ck_assert_int_eq(bind_to(&t.s, 0x0a000001, 81), -EINVAL);
	ck_assert_int_eq(bind_to(&b, 0x0a000001, 80), -EADDRINUSE);
	ck_assert_int_eq(bind_to(&b, 0, 80), -EADDRINUSE);
	b.reuse_addr = true;
	ck_assert_int_eq(bind_to(&b, 0, 80), -EADDRINUSE);
	t.s.reuse_addr = true;
	ck_assert_int_eq(bind_to(&b, 0, 80), 0);
	ck_assert_int_eq(tcp_sock_ops.listen(t.lc, &t.s, 1), 0);
	ck_assert_int_eq(tcp_sock_ops.listen(t.lc, &b, 1), -EADDRINUSE);
	c.reuse_addr = true;
	ck_assert_int_eq(bind_to(&c, 0, 80), -EADDRINUSE);
	ck_assert_int_eq(bind_to(&c, 0, 0), 0);
	ck_assert_uint_ge(local_port(&c), 49152);
	tcp_sock_ops.close(t.lc, &b);
	tcp_sock_ops.close(t.lc, &c);
	s_close();
	ck_assert_uint_eq(rte_mempool_in_use_count(t.lc->tcp->pcbs), 0);
}
END_TEST

START_TEST(listen_without_bind_takes_a_port)
{
	ck_assert_int_eq(tcp_sock_ops.listen(t.lc, &t.s, 1), 0);
	ck_assert_uint_ge(local_port(&t.s), 49152);
	ck_assert_int_eq(tcp_sock_ops.listen(t.lc, &t.s, 5), 0);
	ck_assert_int_eq(connect_to(&t.s, 0x0a000002, 1), -EOPNOTSUPP);
	ck_assert_int_eq(s_send(1), -ENOTCONN);
	ck_assert_int_eq(tcp_sock_ops.recv(t.lc, &t.s, &(char){0}, 1, 0), -ENOTCONN);
	ck_assert_int_eq(tcp_sock_ops.shutdown(t.lc, &t.s, SHUT_WR), -ENOTCONN);
}
END_TEST

START_TEST(exact_address_listener_wins)
{
	struct flow_key k = {.local = ip_addr_v4(RTE_BE32(0x0a000001)), .lport = RTE_BE16(80)};
	struct sock any;

	sock_new(&any);
	t.s.reuse_addr = any.reuse_addr = true;
	ck_assert_int_eq(bind_to(&any, 0, 80), 0);
	ck_assert_int_eq(bind_to(&t.s, 0x0a000001, 80), 0);
	ck_assert_int_eq(tcp_sock_ops.listen(t.lc, &t.s, 1), 0);
	ck_assert_ptr_eq(tcp_listener_find(t.lc, &k, NULL), t.s.pcb);
	k.lport = RTE_BE16(80 + 256);
	ck_assert_ptr_null(tcp_listener_find(t.lc, &k, NULL));
	tcp_sock_ops.close(t.lc, &any);
}
END_TEST

START_TEST(closing_a_listener_resets_its_children)
{
	pcb_passive_queued();
	RX(.flags = S, .peer_port = 4321);
	ck_assert_uint_eq(t.out.n, 1);
	pkt_queue_drop(t.lc, &t.out, DROP_PORT_CLOSED);
	ck_assert_uint_eq(tcp_pcbs_in_use(t.lc), 2);
	tcp_sock_ops.close(t.lc, &t.lsn);
	env_turn();
	ck_assert_uint_eq(t.out.n, 2);
	ck_assert_uint_eq(tcp_pcbs_in_use(t.lc), 0);
	ck_assert_uint_eq(t.lc->stat.st[ST_TCP_RST_OUT], 2);
}
END_TEST

/* ---- connect ---- */

START_TEST(connect_errors)
{
	ck_assert_int_eq(connect_to(&t.s, 0x0b000001, 1), -ENETUNREACH);
	ck_assert_int_eq(connect_to(&t.s, 0x0a000002, 0), -EADDRNOTAVAIL);
	ck_assert_int_eq(connect_to(&t.s, 0xe0000001, 1), -ENETUNREACH);
	pcb_syn_sent();
	ck_assert_int_eq(connect_to(&t.s, 0x0a000002, 1), -EALREADY);
	ck_assert_int_eq(s_send(1), -EAGAIN);
	ck_assert_int_eq(s_recv(&(char){0}, 1), -EAGAIN);
	RX(.flags = S | A, .ack = 1);
	EXPECT(A, 1, 1, 0);
	ck_assert_int_eq(connect_to(&t.s, 0x0a000002, 1), -EISCONN);
}
END_TEST

START_TEST(same_tuple_twice_is_in_use)
{
	struct sock b;

	sock_new(&b);
	t.s.reuse_addr = b.reuse_addr = true;
	ck_assert_int_eq(bind_to(&t.s, 0, 5555), 0);
	ck_assert_int_eq(bind_to(&b, 0, 5555), 0);
	ck_assert_int_eq(connect_to(&t.s, 0x0a000002, 1), -EINPROGRESS);
	ck_assert_int_eq(connect_to(&b, 0x0a000002, 1), -EADDRINUSE);
	ck_assert_int_eq(connect_to(&b, 0x0a000002, 2), -EINPROGRESS);
	tcp_sock_ops.close(t.lc, &b);
}
END_TEST

START_TEST(failed_connect_may_be_tried_again)
{
	pcb_syn_sent();
	RX(.flags = R | A, .ack = 1);
	ck_assert_int_eq(s_so_error(), ECONNREFUSED);
	pcb_syn_sent();
	RX(.flags = S | A, .ack = 1);
	EXPECT(A, 1, 1, 0);
	EXPECT_STATE(ESTABLISHED);
	ck_assert_uint_eq(t.fake.opened, 2);
}
END_TEST

/* RFC 6056 s3.3.1, and one worker of several */
static int
connect_from(uint16_t port)
{
	struct sock_addr a = {.port = rte_cpu_to_be_16(port)};
	struct sock b;
	int rc;

	sock_new(&b);
	ck_assert_int_eq(tcp_sock_ops.bind(t.lc, &b, &a), 0);
	rc = connect_to(&b, 0x0a000002, 1);
	tcp_sock_ops.close(t.lc, &b);
	return rc;
}

/* One 5-tuple has one owner, also among workers (C-9). */
START_TEST(port_of_a_connection_of_another_worker_is_taken)
{
	struct sock b;
	struct flow_dir *d;
	struct flow_key k = {.local = ip_addr_v4(RTE_BE32(0x0a000001)),
		.remote = ip_addr_v4(RTE_BE32(0x0a000002)),
		.rport = RTE_BE16(1),
		.proto = IPPROTO_TCP};

	ck_assert_int_eq(flow_dir_create("usr", 64, 1, &d), 0);
	t.lc->flow->dir = d;
	t.lc->nb_workers = 2;
	t.lc->tcp->conf.port_first = 50000;
	t.lc->tcp->conf.port_last = 50001;
	for (uint16_t port = 50000; port < 50002; port++) {
		k.lport = rte_cpu_to_be_16(port);
		ck_assert_int_eq(flow_dir_claim(d, &k, 1), 0);
		ck_assert_int_eq(connect_from(port), -EADDRINUSE);
	}
	sock_new(&b);
	ck_assert_int_eq(connect_to(&b, 0x0a000002, 1), -EADDRNOTAVAIL);
	flow_dir_release(d, &k);
	ck_assert_int_eq(connect_to(&b, 0x0a000002, 1), -EINPROGRESS);
	tcp_sock_ops.close(t.lc, &b);
	t.lc->flow->dir = NULL;
	flow_dir_free(d);
}
END_TEST

START_TEST(ephemeral_ports_run_out)
{
	struct sock b[5];

	t.lc->tcp->conf.port_first = 50000;
	t.lc->tcp->conf.port_last = 50003;
	for (int i = 0; i < 5; i++) {
		sock_new(&b[i]);
		ck_assert_int_eq(
			connect_to(&b[i], 0x0a000002, 1), i < 4 ? -EINPROGRESS : -EADDRNOTAVAIL);
	}
	for (int i = 0; i < 5; i++)
		tcp_sock_ops.close(t.lc, &b[i]);
}
END_TEST

START_TEST(control_blocks_run_out)
{
	struct sock b[128];
	int n = 0;

	for (; n < 128; n++) {
		b[n] = (struct sock){.ops = &tcp_sock_ops};
		if (tcp_sock_ops.open(t.lc, &b[n]) != 0)
			break;
	}
	ck_assert_int_eq(n, 126);
	while (n > 0)
		tcp_sock_ops.close(t.lc, &b[--n]);
}
END_TEST

/* ---- close, RFC 9293 s3.10.4 ---- */

START_TEST(close_sends_data_then_fin_and_lives_until_time_wait_ends)
{
	pcb_established();
	s_send(100);
	s_close();
	env_turn();
	EXPECT(A | F, 1, 1, 100);
	RX(.flags = A, .seq = 1, .ack = 102);
	EXPECT_STATE(FIN_WAIT_2);
	RX(.flags = A | F, .seq = 1, .ack = 102);
	EXPECT(A, 102, 2, 0);
	ck_assert_uint_eq(tcp_pcbs_in_use(t.lc), 1);
	env_wait_us(60000000);
	ck_assert_uint_eq(tcp_pcbs_in_use(t.lc), 0);
	EXPECT_NONE();
}
END_TEST

START_TEST(close_in_close_wait_enters_last_ack_and_frees)
{
	pcb_close_wait();
	s_close();
	env_turn();
	EXPECT(A | F, 1, 2, 0);
	RX(.flags = A, .seq = 2, .ack = 2);
	ck_assert_uint_eq(tcp_pcbs_in_use(t.lc), 0);
	ck_assert_uint_eq(rte_mempool_in_use_count(t.lc->tcp->pcbs), 0);
}
END_TEST

START_TEST(close_in_syn_sent_is_silent)
{
	pcb_syn_sent();
	s_close();
	env_turn();
	EXPECT_NONE();
	ck_assert_uint_eq(tcp_pcbs_in_use(t.lc), 0);
	ck_assert_uint_eq(t.fake.released, 1);
}
END_TEST

/* RFC 9293 s3.10.4: queued until ESTABLISHED */
START_TEST(close_in_syn_received_sends_fin_when_established)
{
	pcb_syn_rcvd_active();
	s_close();
	env_turn();
	EXPECT_NONE();
	RX(.flags = A, .seq = 1, .ack = 1);
	EXPECT(A | F, 1, 1, 0);
	EXPECT_STATE(FIN_WAIT_1);
}
END_TEST

/* RFC 9293 s3.10.5 */
START_TEST(linger_zero_aborts)
{
	struct linger l = {.l_onoff = 1};

	pcb_established();
	s_send(100);
	ck_assert_int_eq(tcp_sock_ops.setopt(t.lc, &t.s, SOL_SOCKET, SO_LINGER, &l, sizeof(l)), 0);
	s_close();
	env_turn();
	EXPECT(R | A, 1, 1, 0);
	EXPECT_NONE();
	ck_assert_uint_eq(tcp_pcbs_in_use(t.lc), 0);
}
END_TEST

/* RFC 2525 s2.17 */
START_TEST(close_with_unread_data_aborts)
{
	pcb_established();
	RX(.flags = A, .seq = 1, .ack = 1, .len = 10);
	s_close();
	env_turn();
	EXPECT(R | A, 1, 11, 0);
	ck_assert_uint_eq(tcp_pcbs_in_use(t.lc), 0);
}
END_TEST

/* RFC 9293 s3.6.1 */
START_TEST(data_after_close_is_refused)
{
	pcb_established();
	s_close();
	env_turn();
	EXPECT(A | F, 1, 1, 0);
	RX(.flags = A, .seq = 1, .ack = 2, .len = 10);
	EXPECT(R | A, 2, 1, 0);
	ck_assert_uint_eq(tcp_pcbs_in_use(t.lc), 0);
	ck_assert_uint_eq(env_drops(DROP_TCP_CLOSED), 1);
}
END_TEST

START_TEST(orphan_in_fin_wait_2_times_out)
{
	pcb_fin_wait_2();
	env_wait_us(200000000);
	EXPECT_STATE(FIN_WAIT_2);
	s_close();
	env_wait_us(59999999);
	EXPECT_STATE(FIN_WAIT_2);
	env_wait_us(1);
	ck_assert_uint_eq(tcp_pcbs_in_use(t.lc), 0);
}
END_TEST

START_TEST(close_in_time_wait_keeps_it)
{
	pcb_time_wait();
	t.s.linger_s = 0;
	s_close();
	ck_assert_uint_eq(tcp_pcbs_in_use(t.lc), 1);
	EXPECT_NONE();
}
END_TEST

START_TEST(info_is_readable_until_close)
{
	struct tl_latch_info info;
	socklen_t len = sizeof(info);

	pcb_established();
	RX(.flags = R, .seq = 1);
	ck_assert_int_eq(
		tcp_sock_ops.getopt(t.lc, &t.s, SOL_TL_IPSEC, TL_LATCH_INFO, &info, &len), 0);
	ck_assert_uint_eq(info.reason, TL_LATCH_RELEASED);
	ck_assert_uint_eq(rte_mempool_in_use_count(t.lc->tcp->pcbs), 1);
}
END_TEST

/* ---- shutdown, errors, readiness ---- */

START_TEST(shutdown_write_gives_epipe_and_still_reads)
{
	uint8_t b[10];

	pcb_fin_wait_2();
	ck_assert_int_eq(s_send(1), -EPIPE);
	ck_assert_int_eq(s_recv(b, 10), -EAGAIN);
	RX(.flags = A, .seq = 1, .ack = 2, .len = 10);
	ck_assert_int_eq(s_recv(b, 10), 10);
	ck_assert_int_eq(tcp_sock_ops.shutdown(t.lc, &t.s, 9), -EINVAL);
}
END_TEST

START_TEST(shutdown_read_gives_end_of_stream)
{
	uint8_t b[10];

	pcb_established();
	ck_assert_int_eq(tcp_sock_ops.shutdown(t.lc, &t.s, SHUT_RD), 0);
	ck_assert_int_eq(s_recv(b, 10), 0);
	ck_assert_int_eq(s_send(1), 1);
}
END_TEST

START_TEST(fresh_socket_is_not_connected)
{
	struct sock_addr a;

	ck_assert_int_eq(s_recv(&(char){0}, 1), -ENOTCONN);
	ck_assert_int_eq(s_send(1), -ENOTCONN);
	ck_assert_int_eq(tcp_sock_ops.shutdown(t.lc, &t.s, SHUT_WR), -ENOTCONN);
	ck_assert_int_eq(tcp_sock_ops.remote(t.lc, &t.s, &a), -ENOTCONN);
	ck_assert_uint_eq(tcp_sock_ops.ready(t.lc, &t.s), 0);
}
END_TEST

START_TEST(send_buffer_full_is_eagain_and_then_ready_again)
{
	int v = 8192;

	ck_assert_int_eq(tcp_sock_ops.setopt(t.lc, &t.s, SOL_SOCKET, SO_SNDBUF, &v, sizeof(v)), 0);
	pcb_established();
	ck_assert_int_eq(s_send(10000), 8192);
	ck_assert_int_eq(s_send(1), -EAGAIN);
	ck_assert_uint_eq(tcp_sock_ops.ready(t.lc, &t.s) & TL_EV_OUT, 0);
	env_turn();
	pkt_queue_drop(t.lc, &t.out, DROP_PORT_CLOSED);
	t.fake.wakes = 0;
	RX(.flags = A, .seq = 1, .ack = 1 + 5 * MSS);
	ck_assert_uint_gt(t.fake.wakes, 0);
	ck_assert_uint_eq(tcp_sock_ops.ready(t.lc, &t.s) & TL_EV_OUT, TL_EV_OUT);
	pkt_queue_drop(t.lc, &t.out, DROP_PORT_CLOSED);
}
END_TEST

START_TEST(ready_bits_follow_the_state)
{
	uint32_t all = TL_EV_IN | TL_EV_OUT | TL_EV_HUP | TL_EV_RDHUP;

	pcb_time_wait();
	ck_assert_uint_eq(tcp_sock_ops.ready(t.lc, &t.s), all);
	env_wait_us(60000000);
	EXPECT_STATE(CLOSED);
	ck_assert_uint_eq(tcp_sock_ops.ready(t.lc, &t.s), all);
	ck_assert_int_eq(s_recv(&(char){0}, 1), 0);
	ck_assert_int_eq(s_send(1), -EPIPE);
}
END_TEST

/* Data that came before the end can be read after it. */
START_TEST(unread_data_survive_an_orderly_end)
{
	uint8_t b[20];

	pcb_fin_wait_2();
	RX(.flags = A | F, .seq = 1, .ack = 2, .len = 10);
	EXPECT(A, 2, 12, 0);
	env_wait_us(60000000);
	EXPECT_STATE(CLOSED);
	ck_assert_int_eq(s_recv(b, 20), 10);
	ck_assert_mem_eq(b, pattern(), 10);
	ck_assert_int_eq(s_recv(b, 20), 0);
}
END_TEST

/* ---- options ---- */

static int
get(int level, int opt)
{
	socklen_t len = sizeof(int);
	int v = -1, rc;

	rc = tcp_sock_ops.getopt(t.lc, &t.s, level, opt, &v, &len);
	return rc == 0 ? v : rc;
}

static int
set(int level, int opt, int v)
{
	return tcp_sock_ops.setopt(t.lc, &t.s, level, opt, &v, sizeof(v));
}

START_TEST(options_are_kept_or_refused)
{
	struct linger l = {.l_onoff = 1, .l_linger = 7}, g;
	socklen_t len = sizeof(g);
	char name[32];

	ck_assert_int_eq(set(SOL_SOCKET, SO_REUSEADDR, 1), 0);
	ck_assert_int_eq(get(SOL_SOCKET, SO_REUSEADDR), 1);
	ck_assert_int_eq(set(SOL_SOCKET, SO_RCVBUF, 10000), 0);
	ck_assert_int_eq(get(SOL_SOCKET, SO_RCVBUF), 10000);
	ck_assert_int_eq(set(SOL_SOCKET, SO_SNDBUF, 20000), 0);
	ck_assert_int_eq(get(SOL_SOCKET, SO_SNDBUF), 20000);
	ck_assert_int_eq(set(IPPROTO_TCP, 1, 1), 0);
	ck_assert_int_eq(get(IPPROTO_TCP, 1), 1);
	ck_assert_int_eq(set(IPPROTO_TCP, 2, 10), -EINVAL);
	ck_assert_int_eq(get(SOL_SOCKET, SO_TYPE), SOCK_STREAM);
	ck_assert_int_eq(get(SOL_SOCKET, SO_ACCEPTCONN), 0);
	ck_assert_int_eq(set(SOL_SOCKET, SO_BROADCAST, 1), -ENOPROTOOPT);
	ck_assert_int_eq(set(IPPROTO_TCP, 99, 1), -ENOPROTOOPT);
	ck_assert_int_eq(set(SOL_TL_IPSEC, TL_LATCH_INFO, 1), -ENOPROTOOPT);
	ck_assert_int_eq(set(0, 1, 1), -ENOPROTOOPT);
	ck_assert_int_eq(get(0, 1), -ENOPROTOOPT);
	ck_assert_int_eq(get(SOL_SOCKET, SO_BROADCAST), -ENOPROTOOPT);
	ck_assert_int_eq(tcp_sock_ops.setopt(t.lc, &t.s, SOL_SOCKET, SO_RCVBUF, &l, 2), -EINVAL);
	ck_assert_int_eq(tcp_sock_ops.setopt(t.lc, &t.s, SOL_SOCKET, SO_LINGER, &l, sizeof(l)), 0);
	ck_assert_int_eq(tcp_sock_ops.getopt(t.lc, &t.s, SOL_SOCKET, SO_LINGER, &g, &len), 0);
	ck_assert_int_eq(g.l_linger, 7);
	pcb_syn_sent();
	len = sizeof(name);
	ck_assert_int_eq(tcp_sock_ops.getopt(t.lc, &t.s, IPPROTO_TCP, TL_TCP_STATE, name, &len), 0);
	ck_assert_str_eq(name, "SYN-SENT");
	ck_assert_uint_eq(len, 9);
}
END_TEST

START_TEST(maxseg_and_buffers_change_on_a_live_connection)
{
	pcb_established();
	ck_assert_int_eq(get(IPPROTO_TCP, 2), MSS);
	ck_assert_int_eq(set(IPPROTO_TCP, 2, 500), 0);
	ck_assert_int_eq(get(IPPROTO_TCP, 2), 500);
	ck_assert_int_eq(set(SOL_SOCKET, SO_SNDBUF, 5000), 0);
	ck_assert_int_eq(s_send(10000), 5000);
}
END_TEST

/* Everything at once: half-open, queued, aborted in the queue, connecting, orphaned. */
START_TEST(destroy_frees_whatever_is_left)
{
	struct tcp_conf conf;
	struct sock b;

	pcb_passive_queued();
	RX(.flags = R, .seq = 1);
	t.p = NULL;
	RX(.flags = S, .peer_port = 4321);
	sock_new(&b);
	ck_assert_int_eq(connect_to(&b, 0x0a000002, 1), -EINPROGRESS);
	ck_assert_int_eq(connect_to(&t.s, 0x0a000002, 1), -EINPROGRESS);
	t.p = t.s.pcb;
	env_turn();
	pkt_queue_drop(t.lc, &t.out, DROP_PORT_CLOSED);
	RX(.flags = S | A, .ack = 1, .peer_port = 0);
	s_send(100);
	s_close();
	tcp_destroy(t.lc);
	ck_assert_ptr_null(b.pcb);
	ck_assert_ptr_null(t.lsn.pcb);
	tcp_sock_ops.close(t.lc, &b);
	tcp_conf_default(&conf);
	ck_assert_int_eq(tcp_create(t.lc, &conf), 0);
}
END_TEST

START_TEST(bound_socket_connects_from_its_end_again_and_again)
{
	struct sock_addr a;

	ck_assert_int_eq(bind_to(&t.s, 0x0a000001, 7777), 0);
	for (int i = 0; i < 2; i++) {
		pcb_syn_sent();
		RX(.flags = R | A, .ack = 1);
		ck_assert_int_eq(s_so_error(), ECONNREFUSED);
		ck_assert_uint_eq(local_port(&t.s), 7777);
	}
	pcb_established();
	ck_assert_int_eq(tcp_sock_ops.remote(t.lc, &t.s, &a), 0);
	ck_assert_uint_eq(a.port, RTE_BE16(PEER_PORT));
}
END_TEST

START_TEST(syn_without_control_block_is_dropped)
{
	struct sock b[128];
	int n = 0;

	pcb_listen();
	for (; n < 128; n++) {
		b[n] = (struct sock){.ops = &tcp_sock_ops};
		if (tcp_sock_ops.open(t.lc, &b[n]) != 0)
			break;
	}
	RX(.flags = S);
	EXPECT_NONE();
	ck_assert_uint_eq(env_drops(DROP_TCP_MEM), 1);
	while (n > 0)
		tcp_sock_ops.close(t.lc, &b[--n]);
	RX(.flags = S);
	ck_assert_uint_eq(t.out.n, 1);
}
END_TEST

static void
count_infos(const struct tcp_row *i, void *arg)
{
	uint32_t *n = arg;

	ck_assert_ptr_nonnull(i->state);
	n[0]++;
	n[1] += i->latch == NULL;
}

START_TEST(foreach_shows_listeners_and_connections)
{
	uint32_t n[2] = {0};

	pcb_passive_queued();
	tcp_foreach(t.lc, count_infos, n);
	ck_assert_uint_eq(n[0], 3);
	ck_assert_uint_eq(n[1], 1);
}
END_TEST

START_TEST(accept_into_an_opened_socket_replaces_its_block)
{
	pcb_passive();
	ck_assert_uint_eq(rte_mempool_in_use_count(t.lc->tcp->pcbs), 2);
	ck_assert_int_eq(tcp_sock_ops.ready(t.lc, &t.s), TL_EV_OUT);
}
END_TEST

/* TIME-WAIT keeps old duplicates away as long as there is room for it, not longer. */
START_TEST(empty_pool_takes_the_oldest_time_wait)
{
	struct sock b[128];
	int n = 0;

	pcb_time_wait();
	s_close();
	for (; n < 128; n++) {
		b[n] = (struct sock){.ops = &tcp_sock_ops};
		if (tcp_sock_ops.open(t.lc, &b[n]) != 0)
			break;
		ck_assert_uint_eq(tcp_pcbs_in_use(t.lc), n < 126);
	}
	ck_assert_int_eq(n, 127);
	ck_assert_uint_eq(t.lc->stat.st[ST_TCP_TW_REUSE], 1);
	ck_assert_int_eq(t.fake.in_use, 0);
	while (n > 0)
		tcp_sock_ops.close(t.lc, &b[--n]);
}
END_TEST

/* A socket still shows it: its block is not free to take. */
START_TEST(time_wait_with_a_socket_is_not_taken)
{
	struct sock b[128];
	int n = 0;

	pcb_time_wait();
	for (; n < 128; n++) {
		b[n] = (struct sock){.ops = &tcp_sock_ops};
		if (tcp_sock_ops.open(t.lc, &b[n]) != 0)
			break;
	}
	ck_assert_int_eq(n, 126);
	EXPECT_STATE(TIME_WAIT);
	s_close();
	ck_assert_int_eq(tcp_sock_ops.open(t.lc, &t.s), 0);
	ck_assert_uint_eq(tcp_pcbs_in_use(t.lc), 0);
	while (n > 0)
		tcp_sock_ops.close(t.lc, &b[--n]);
}
END_TEST

/* There is no loopback, and TCP speaks to one host. */
START_TEST(connect_to_ourselves_or_to_all_is_unreachable)
{
	ck_assert_int_eq(connect_to(&t.s, 0x0a000001, 1), -ENETUNREACH);
	ck_assert_int_eq(connect_to(&t.s, 0x0a0000ff, 1), -ENETUNREACH);
	ck_assert_int_eq(connect_to(&t.s, 0xffffffff, 1), -ENETUNREACH);
	ck_assert_uint_eq(t.fake.opened, 0);
	ck_assert_uint_eq(t.lc->flow->n, 0);
	ck_assert_int_eq(connect_to(&t.s, 0x0a000002, 1), -EINPROGRESS);
}
END_TEST

static void
take_all_chunks(struct buf *hog)
{
	buf_init(hog, UINT32_MAX);
	while (buf_append(t.lc, hog, pattern(), 8192) == 8192)
		;
}

/* Level-triggered readiness that send() does not keep would make the application spin. */
START_TEST(connection_without_chunks_is_not_writable_until_there_are_some)
{
	struct buf hog;

	pcb_established();
	ck_assert_uint_eq(tcp_sock_ops.ready(t.lc, &t.s), TL_EV_OUT);
	take_all_chunks(&hog);
	if (_i == 0)
		ck_assert_uint_eq(tcp_sock_ops.ready(t.lc, &t.s), 0);
	else
		ck_assert_int_eq(s_send(1), -EAGAIN);
	t.fake.wakes = 0;
	env_wait_us(1000000);
	ck_assert_uint_eq(t.fake.wakes, 0);
	ck_assert_uint_eq(tcp_sock_ops.ready(t.lc, &t.s), 0);
	buf_clear(t.lc, &hog);
	env_wait_us(20000);
	ck_assert_uint_eq(t.fake.wakes, 1);
	ck_assert_uint_eq(tcp_sock_ops.ready(t.lc, &t.s), TL_EV_OUT);
	ck_assert_uint_eq(tmr_next_ns(t.lc), UINT64_MAX);
	ck_assert_int_eq(s_send(1), 1);
}
END_TEST

START_TEST(connection_that_ends_waits_for_no_chunk)
{
	struct buf hog;

	pcb_established();
	take_all_chunks(&hog);
	ck_assert_uint_eq(tcp_sock_ops.ready(t.lc, &t.s), 0);
	ck_assert_uint_ne(tmr_next_ns(t.lc), UINT64_MAX);
	RX(.flags = R, .seq = 1);
	EXPECT_STATE(CLOSED);
	ck_assert_uint_eq(tmr_next_ns(t.lc), UINT64_MAX);
	buf_clear(t.lc, &hog);
}
END_TEST

#ifndef TL_DEBUG
/* House 3.6: a release build counts the mistake and resets the connection. */
START_TEST(illegal_transition_is_refused_and_resets)
{
	pcb_established();
	tcp_set_state(t.lc, t.p, TCPS_TIME_WAIT);
	EXPECT_STATE(ESTABLISHED);
	ck_assert_uint_eq(t.lc->stat.st[ST_ASSERTS], 1);
	env_turn();
	env_turn();
	EXPECT(R | A, 1, 1, 0);
	EXPECT_STATE(CLOSED);
	ck_assert_int_eq(s_so_error(), ECONNABORTED);
	ck_assert_uint_eq(tcp_pcbs_in_use(t.lc), 0);
}
END_TEST

START_TEST(illegal_transition_of_an_orphan_frees_it)
{
	pcb_fin_wait_2();
	s_close();
	tcp_set_state(t.lc, t.p, TCPS_LAST_ACK);
	env_turn();
	env_turn();
	EXPECT(R | A, 2, 1, 0);
	ck_assert_uint_eq(tcp_pcbs_in_use(t.lc), 0);
	ck_assert_uint_eq(rte_mempool_in_use_count(t.lc->tcp->pcbs), 0);
}
END_TEST
#endif

/* Half-open connections must not take the pool from those that would be completed. */
START_TEST(empty_pool_gives_up_a_half_open_connection)
{
	struct sock b[128];
	int n = 0;

	t.lc->tcp->conf.no_cookies = true;
	pcb_listen();
	for (uint16_t i = 0; i < 3; i++)
		RX(.flags = S, .peer_port = (uint16_t)(5000 + i));
	for (; n < 128; n++) {
		b[n] = (struct sock){.ops = &tcp_sock_ops};
		if (tcp_sock_ops.open(t.lc, &b[n]) != 0)
			break;
	}
	pkt_queue_drop(t.lc, &t.out, DROP_PORT_CLOSED);
	RX(.flags = S, .peer_port = 6000);
	ck_assert_uint_eq(t.out.n, 1);
	ck_assert_uint_eq(t.lc->stat.st[ST_TCP_SYN_EVICT], 1);
	ck_assert_uint_eq(tcp_pcbs_in_use(t.lc), 3);
	ck_assert_int_eq(t.fake.in_use, 3);
	while (n > 0)
		tcp_sock_ops.close(t.lc, &b[--n]);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("tcp_usr");
	TCase *c = tcase_create("tcp_usr");

	tcase_add_checked_fixture(c, setup, teardown);
	tcase_add_test(c, bind_refuses_what_is_not_ours_or_taken);
	tcase_add_test(c, listen_without_bind_takes_a_port);
	tcase_add_test(c, exact_address_listener_wins);
	tcase_add_test(c, closing_a_listener_resets_its_children);
	tcase_add_test(c, connect_errors);
	tcase_add_test(c, same_tuple_twice_is_in_use);
	tcase_add_test(c, failed_connect_may_be_tried_again);
	tcase_add_test(c, port_of_a_connection_of_another_worker_is_taken);
	tcase_add_test(c, ephemeral_ports_run_out);
	tcase_add_test(c, control_blocks_run_out);
	tcase_add_test(c, close_sends_data_then_fin_and_lives_until_time_wait_ends);
	tcase_add_test(c, close_in_close_wait_enters_last_ack_and_frees);
	tcase_add_test(c, close_in_syn_sent_is_silent);
	tcase_add_test(c, close_in_syn_received_sends_fin_when_established);
	tcase_add_test(c, linger_zero_aborts);
	tcase_add_test(c, close_with_unread_data_aborts);
	tcase_add_test(c, data_after_close_is_refused);
	tcase_add_test(c, orphan_in_fin_wait_2_times_out);
	tcase_add_test(c, close_in_time_wait_keeps_it);
	tcase_add_test(c, info_is_readable_until_close);
	tcase_add_test(c, shutdown_write_gives_epipe_and_still_reads);
	tcase_add_test(c, shutdown_read_gives_end_of_stream);
	tcase_add_test(c, fresh_socket_is_not_connected);
	tcase_add_test(c, send_buffer_full_is_eagain_and_then_ready_again);
	tcase_add_test(c, ready_bits_follow_the_state);
	tcase_add_test(c, unread_data_survive_an_orderly_end);
	tcase_add_test(c, options_are_kept_or_refused);
	tcase_add_test(c, maxseg_and_buffers_change_on_a_live_connection);
	tcase_add_test(c, destroy_frees_whatever_is_left);
	tcase_add_test(c, bound_socket_connects_from_its_end_again_and_again);
	tcase_add_test(c, syn_without_control_block_is_dropped);
	tcase_add_test(c, foreach_shows_listeners_and_connections);
	tcase_add_test(c, accept_into_an_opened_socket_replaces_its_block);
	tcase_add_test(c, empty_pool_takes_the_oldest_time_wait);
	tcase_add_test(c, time_wait_with_a_socket_is_not_taken);
	tcase_add_test(c, connect_to_ourselves_or_to_all_is_unreachable);
	tcase_add_loop_test(
		c, connection_without_chunks_is_not_writable_until_there_are_some, 0, 2);
	tcase_add_test(c, connection_that_ends_waits_for_no_chunk);
#ifndef TL_DEBUG
	tcase_add_test(c, illegal_transition_is_refused_and_resets);
	tcase_add_test(c, illegal_transition_of_an_orphan_frees_it);
#endif
	tcase_add_test(c, empty_pool_gives_up_a_half_open_connection);
	suite_add_tcase(s, c);
	return env_main(s);
}
