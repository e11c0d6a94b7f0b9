/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Two ends of one connection on one worker, joined by a pipe that loses, delays, reorders,
 * repeats and damages segments. Every stream must come out as it went in, and end.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tests/tcp/tcp_env.h"

enum { TOTAL = 1 << 20, PIPE_MAX = 500 };

struct wire_pkt {
	uint64_t at_ns;
	struct rte_mbuf *m;
};

struct pipe {
	struct wire_pkt pkt[PIPE_MAX];
	uint32_t n;
	uint32_t loss, dup, bad; /* per mille */
	uint32_t delay_us, jitter_us;
};

struct end {
	struct sock s;
	uint32_t sent, got;
	uint32_t sent_seed, got_seed; /* of the byte streams */
	uint64_t sent_hash, got_hash;
	bool shut, eof, slow;
};

static struct pipe wire;
static struct end end[2];

static uint32_t
chance(uint32_t per_mille)
{
	return (uint32_t)rand() % 1000 < per_mille;
}

static uint64_t
fnv(uint64_t h, const uint8_t *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		h = (h ^ p[i]) * UINT64_C(0x100000001b3);
	return h;
}

static void
wire_put(struct rte_mbuf *m)
{
	if (chance(wire.loss) || wire.n == PIPE_MAX) {
		rte_pktmbuf_free(m);
		return;
	}
	if (chance(wire.bad))
		*pkt_data(m, (uint32_t)rand() % m->data_len) ^= (uint8_t)(1 + rand() % 255);
	wire.pkt[wire.n++] = (struct wire_pkt){
		t.lc->now_ns + (wire.delay_us + (uint32_t)rand() % wire.jitter_us) * 1000ull, m};
}

/* What latch_in and ip_in would say about the packet at the other end. */
static void
turn_round(struct rte_mbuf *m)
{
	struct pkt_meta *pm = pkt_meta(m);
	struct flow_key k = pm->key;

	memset(pm, 0, sizeof(*pm));
	pm->key = (struct flow_key){.local = k.remote,
		.remote = k.local,
		.lport = k.rport,
		.rport = k.lport,
		.proto = 6};
	pm->nxt = 6;
	pm->l4_len = m->data_len;
}

static void
worker_out(void)
{
	struct rte_mbuf *m;

	env_turn();
	while ((m = pkt_queue_get(&t.out)) != NULL) {
		if (chance(wire.dup)) {
			struct rte_mbuf *c = pkt_alloc(t.lc);

			memcpy(rte_pktmbuf_append(c, m->data_len), pkt_data(m, 0), m->data_len);
			*pkt_meta(c) = *pkt_meta(m);
			wire_put(c);
		}
		wire_put(m);
	}
}

static void
wire_deliver(void)
{
	struct pkt_vec v = {.n = 0};

	for (uint32_t i = 0; i < wire.n && v.n < PKT_BURST;) {
		if (wire.pkt[i].at_ns > t.lc->now_ns) {
			i++;
			continue;
		}
		turn_round(wire.pkt[i].m);
		pkt_vec_add(&v, wire.pkt[i].m);
		memmove(&wire.pkt[i], &wire.pkt[i + 1], (--wire.n - i) * sizeof(wire.pkt[0]));
	}
	tcp_in(t.lc, &v);
}

static uint64_t
next_event(void)
{
	uint64_t at = tmr_next_ns(t.lc);

	for (uint32_t i = 0; i < wire.n; i++)
		at = RTE_MIN(at, wire.pkt[i].at_ns);
	return at;
}

static void
app_send(struct end *e)
{
	uint8_t buf[3000];
	uint32_t want = 1 + (uint32_t)rand() % sizeof(buf), seed = e->sent_seed;
	ssize_t n;

	want = RTE_MIN(want, TOTAL - e->sent);
	for (uint32_t i = 0; i < want; i++)
		buf[i] = (uint8_t)((seed + i) * 2654435761u >> 24);
	n = tcp_sock_ops.send(t.lc, &e->s, buf, want, 0);
	ck_assert(n == -EAGAIN || n > 0);
	if (n < 0)
		return;
	e->sent_hash = fnv(e->sent_hash, buf, (size_t)n);
	e->sent_seed += (uint32_t)n;
	e->sent += (uint32_t)n;
}

static void
app_recv(struct end *e)
{
	uint8_t buf[5000];
	ssize_t n;

	if (e->slow && chance(980))
		return;
	n = tcp_sock_ops.recv(t.lc, &e->s, buf, 1 + (size_t)rand() % sizeof(buf), 0);
	ck_assert_msg(n == -EAGAIN || n >= 0, "recv: %zd", n);
	e->eof |= n == 0;
	if (n <= 0)
		return;
	e->got += (uint32_t)n;
	e->got_hash = fnv(e->got_hash, buf, (size_t)n);
}

static void
app(struct end *e)
{
	uint32_t ev = tcp_sock_ops.ready(t.lc, &e->s);

	ck_assert_msg((ev & TL_EV_ERR) == 0, "so_error %d", e->s.so_error);
	for (int i = 0; i < 40 && e->sent < TOTAL && (ev & TL_EV_OUT) != 0; i++)
		app_send(e);
	if (e->sent == TOTAL && !e->shut) {
		e->shut = true;
		ck_assert_int_eq(tcp_sock_ops.shutdown(t.lc, &e->s, SHUT_WR), 0);
	}
	for (int i = 0; i < 40 && !e->eof && (tcp_sock_ops.ready(t.lc, &e->s) & TL_EV_IN); i++)
		app_recv(e);
}

static void
apps_open(void)
{
	struct sock_addr a = {.addr = ip_addr_v4(RTE_BE32(0x0a000002)), .port = RTE_BE16(80)};
	static const uint32_t bufs[] = {4096, 20000, 65536, 256 * 1024};

	memset(&wire, 0, sizeof(wire));
	memset(end, 0, sizeof(end));
	wire.loss = (uint32_t)rand() % 4 * 25;
	wire.dup = (uint32_t)rand() % 3 * 20;
	wire.bad = (uint32_t)rand() % 3 * 10;
	wire.delay_us = 20 + (uint32_t)rand() % 20000;
	wire.jitter_us = 1 + (uint32_t)rand() % (chance(500) ? 10 : 5000);
	pcb_listen();
	t.lsn.rcvbuf_bytes = bufs[rand() % 4];
	t.lsn.sndbuf_bytes = bufs[rand() % 4];
	sock_new(&end[0].s);
	end[0].s.rcvbuf_bytes = bufs[rand() % 4];
	end[0].slow = chance(200);
	end[1].slow = chance(200);
	t.lc->tcp->conf.no_sack = chance(300);
	t.lc->tcp->conf.max_ranges = (uint32_t[]){0, 3, 1000}[rand() % 3];
	ck_assert_int_eq(tcp_sock_ops.connect(t.lc, &end[0].s, &a), -EINPROGRESS);
}

static bool
apps_done(void)
{
	return end[0].eof && end[1].eof && end[0].shut && end[1].shut;
}

static void
apps_run(void)
{
	if (end[0].s.so_error == 0 && tcp_sock_ops.ready(t.lc, &end[0].s) != 0)
		app(&end[0]);
	if (end[1].s.pcb != NULL)
		app(&end[1]);
	else if (tcp_sock_ops.accept(t.lc, &t.lsn, &end[1].s) == 0)
		end[1].s.ops = &tcp_sock_ops;
}

START_TEST(two_megabytes_over_a_bad_pipe_arrive_whole)
{
	uint64_t start;

	srand((unsigned int)_i + 1);
	apps_open();
	start = t.lc->now_ns;
	while (!apps_done()) {
		uint64_t at;

		worker_out();
		at = next_event();
		/* A slow reader acts by itself every few milliseconds. */
		if (end[0].slow || end[1].slow)
			at = RTE_MIN(at, t.lc->now_ns + 2000000);
		ck_assert_msg(at != UINT64_MAX, "stuck");
		t.lc->now_ns = RTE_MAX(at, t.lc->now_ns);
		ck_assert_msg(t.lc->now_ns - start < UINT64_C(120000000000), "two minutes");
		wire_deliver();
		tmr_run(t.lc);
		apps_run();
	}
	for (int i = 0; i < 2; i++) {
		ck_assert_uint_eq(end[i].got, TOTAL);
		ck_assert(end[i].got_hash == end[1 - i].sent_hash);
		tcp_sock_ops.close(t.lc, &end[i].s);
	}
	while (tcp_pcbs_in_use(t.lc) > 0) {
		worker_out();
		t.lc->now_ns = RTE_MAX(next_event(), t.lc->now_ns);
		wire_deliver();
		tmr_run(t.lc);
	}
	while (wire.n > 0)
		rte_pktmbuf_free(wire.pkt[--wire.n].m);
	ck_assert_uint_eq(buf_pool_in_use(t.lc->buf), 0);
}
END_TEST

/* A storm of random segments at a connection: no state of ours breaks, nothing leaks. */
START_TEST(random_segments_never_break_the_invariants)
{
	srand((unsigned int)_i + 1000);
	t.peer_ts = rand() % 2;
	t.peer_ws = rand() % 2 ? 4 : -1;
	t.peer_sack = rand() % 2;
	t.lc->tcp->conf.max_ranges = (uint32_t[]){0, 3, 1000}[rand() % 3];
	pcb_passive();
	for (int i = 0; i < 3000; i++) {
		uint32_t una = t.p->snd_una - t.p->iss, nxt = t.p->rcv_nxt - t.p->irs;
		struct in in = {.flags = (uint8_t)(A | (rand() & rand() & rand())),
			.seq = nxt + (uint32_t)((rand() % 3000 - 1000) * (rand() % 2)),
			.ack = una + (uint32_t)((rand() % 4000 - 500) * (rand() % 2)),
			.len = (uint16_t)(rand() % 3 ? rand() % 1400 : 0),
			.wnd = 1 + (uint32_t)rand() % 60000,
			.wnd_0 = rand() % 20 == 0,
			.no_ts = rand() % 50 == 0,
			.ts_ecr = (uint32_t)rand()};
		uint8_t buf[4000];

		for (int j = rand() % 5 - 1; j >= 0; j--) {
			in.sack[j].l = una + (uint32_t)(rand() % 9000 - 500);
			in.sack[j].r = in.sack[j].l + (uint32_t)(rand() % 5000 - 100);
		}

		if (rand() % 10 != 0)
			in.flags &= (uint8_t) ~(R | S | F);
		t.peer_ts_val += (uint32_t)(rand() % 8) - 1;
		RX(.flags = in.flags, .seq = in.seq, .ack = in.ack, .len = in.len, .wnd = in.wnd,
			.wnd_0 = in.wnd_0, .no_ts = in.no_ts, .ts_ecr = in.ts_ecr,
			.sack = {in.sack[0], in.sack[1], in.sack[2], in.sack[3]});
		pkt_queue_drop(t.lc, &t.out, DROP_PORT_CLOSED);
		if (t.p->state == TCPS_CLOSED)
			break;
		if (rand() % 3 == 0)
			s_recv(buf, (size_t)rand() % sizeof(buf));
		if (rand() % 3 == 0)
			s_send((size_t)rand() % 5000);
		if (rand() % 2000 == 0)
			tcp_sock_ops.shutdown(t.lc, &t.s, SHUT_WR);
		env_wait_us((uint64_t)(rand() % 100000) * (rand() % 8 == 0));
		pkt_queue_drop(t.lc, &t.out, DROP_PORT_CLOSED);
		if (t.p->state == TCPS_CLOSED)
			break;
	}
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("tcp_pair");
	TCase *c = tcase_create("tcp_pair");

	tcase_set_timeout(c, 0);
	tcase_add_checked_fixture(c, setup, teardown);
	tcase_add_loop_test(c, two_megabytes_over_a_bad_pipe_arrive_whole, 0, 40);
	tcase_add_loop_test(c, random_segments_never_break_the_invariants, 0, 60);
	suite_add_tcase(s, c);
	return env_main(s);
}
