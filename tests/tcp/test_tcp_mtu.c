/* SPDX-License-Identifier: BSD-3-Clause */
/* Path MTU probing (RFC 4821) over a link that swallows what is too large and says nothing. */
#include <errno.h>
#include <string.h>

#include "tests/tcp/tcp_env.h"

enum { RANGES = 3, TURN_US = 10000 };
#define SECOND UINT64_C(1000000)

/* The link, and the peer behind it: what it has, relative to our SYN. */
static struct {
	uint32_t limit;   /* of IP packets */
	uint32_t largest; /* that arrived, and that was sent */
	uint32_t largest_sent;
	uint32_t cum;
	struct tcp_sack_block held[RANGES];
	uint32_t nb_held;
	uint32_t swallowed;
	bool lose_next; /* something else is lost, once */
} wire;

static void
setup_mtu(void)
{
	setup();
	memset(&wire, 0, sizeof(wire));
	wire.limit = 1500;
	wire.cum = 1;
	t.peer_sack = true;
	t.peer_ws = 7;
}

static void
begin(enum tcp_conf_mtu mode)
{
	t.lc->tcp->conf.mtu_probing = (uint8_t)mode;
	ck_assert_int_eq(tcp_mtu_create(t.lc->tcp), 0);
	pcb_established();
	t.p->cc.cwnd_bytes = 64000;
}

static void
hold(uint32_t l, uint32_t r)
{
	for (uint32_t i = 0; i < wire.nb_held; i++) {
		if (wire.held[i].r == l) {
			wire.held[i].r = r;
			return;
		}
	}
	ck_assert_uint_lt(wire.nb_held, (uint32_t)RANGES);
	wire.held[wire.nb_held++] = (struct tcp_sack_block){l, r};
}

static void
advance(uint32_t r)
{
	wire.cum = RTE_MAX(wire.cum, r);
	for (uint32_t i = 0; i < wire.nb_held; i++) {
		if (wire.held[i].l > wire.cum)
			continue;
		wire.cum = RTE_MAX(wire.cum, wire.held[i].r);
		wire.held[i] = wire.held[--wire.nb_held];
		i = UINT32_MAX;
	}
}

/* One packet; the peer answers each that arrives. */
static void
deliver(const struct tcp_seg *g)
{
	uint32_t size = 20 + tcp_wire_hlen(g) + g->len + t.fake.overhead;
	struct in in = {.flags = A, .seq = 1};

	wire.largest_sent = RTE_MAX(wire.largest_sent, size);
	if (size > wire.limit || (wire.lose_next && g->len > 0)) {
		wire.lose_next = wire.lose_next && size > wire.limit;
		wire.swallowed++;
		return;
	}
	wire.largest = RTE_MAX(wire.largest, size);
	if (g->seq <= wire.cum)
		advance(g->seq + g->len);
	else
		hold(g->seq, g->seq + g->len);
	in.ack = wire.cum;
	for (uint32_t i = 0; i < wire.nb_held; i++)
		in.sack[i] = wire.held[i];
	env_rx_quiet(&in);
}

/* A round trip: all that is out arrives or does not, and the program refills its buffer. */
static void
turn(void)
{
	struct tcp_seg g[512];
	uint32_t n = 0;

	while (s_send(65536) > 0)
		;
	env_turn();
	while (t.out.n > 0 && n < RTE_DIM(g))
		g[n++] = env_tx(NULL);
	env_wait_us(TURN_US);
	for (uint32_t i = 0; i < n; i++)
		deliver(&g[i]);
}

static void
turns(uint32_t n)
{
	while (n-- > 0)
		turn();
	pkt_queue_drop(t.lc, &t.out, DROP_PORT_CLOSED);
}

static uint64_t
st(enum stat_id s)
{
	return t.lc->stat.st[s];
}

START_TEST(nothing_is_probed_by_default)
{
	ck_assert_uint_eq(t.lc->tcp->conf.mtu_probing, TCP_CONF_MTU_OFF);
	begin(TCP_CONF_MTU_OFF);
	turns(20);
	ck_assert_uint_eq(st(ST_TCP_MTU_PROBE), 0);
	ck_assert_uint_eq(wire.largest, 1500);
}
END_TEST

/* RFC 4821 s7.2, s7.3: from 1024 upwards by halves. */
START_TEST(wide_path_is_found)
{
	begin(TCP_CONF_MTU_ALWAYS);
	ck_assert_uint_eq(t.p->mss, 1024);
	turns(20);
	ck_assert_uint_ge(t.p->pmtu, 1500 - 8);
	ck_assert_uint_le(t.p->pmtu, 1500);
	ck_assert_uint_eq(st(ST_TCP_MTU_PROBE_LOST), 0);
	ck_assert_uint_eq(st(ST_TCP_MTU_PROBE), st(ST_TCP_MTU_PROBE_OK));
	ck_assert_uint_le(st(ST_TCP_MTU_PROBE), 8);
}
END_TEST

/* RFC 4821 s7.6.2: lost probes are no congestion; ESP is part of the packet. */
START_TEST(narrow_path_is_found_without_a_loss_of_speed)
{
	static const uint32_t limit[] = {1492, 1300, 1280, 1200, 1130};
	uint32_t cwnd;

	wire.limit = limit[_i % 5];
	t.fake.overhead = _i < 5 ? 0 : 53;
	begin(TCP_CONF_MTU_ALWAYS);
	ck_assert_uint_eq(t.p->mss, 1024);
	cwnd = t.p->cc.cwnd_bytes;
	for (uint32_t i = 0; i < 40; i++) {
		turn();
		ck_assert_uint_lt(t.p->ca, TCPR_CWR);
		ck_assert_uint_ge(t.p->cc.cwnd_bytes, cwnd);
		ck_assert_uint_le(t.p->pmtu, wire.limit);
	}
	pkt_queue_drop(t.lc, &t.out, DROP_PORT_CLOSED);
	ck_assert_uint_ge(t.p->pmtu + 8u, wire.limit);
	ck_assert_uint_gt(st(ST_TCP_MTU_PROBE_LOST), 0);
	ck_assert_uint_eq(wire.swallowed, st(ST_TCP_MTU_PROBE_LOST));
	ck_assert_uint_eq(st(ST_TCP_RTO), 0);
	ck_assert_uint_eq(st(ST_TCP_FAST_REXMT), 0);
	ck_assert_uint_gt(wire.cum, 40000);
}
END_TEST

/* RFC 4821 s7.7 */
START_TEST(black_hole_is_noticed_and_climbed_out_of)
{
	wire.limit = 1240;
	begin(TCP_CONF_MTU_BLACKHOLE);
	ck_assert_uint_eq(t.p->mss, MSS);
	turns(1);
	for (int i = 0; i < 400 && wire.cum < 200000; i++)
		turn();
	turns(40);
	ck_assert_uint_ge(wire.cum, 200000);
	ck_assert_uint_eq(st(ST_TCP_MTU_BLACKHOLE), 1);
	ck_assert_uint_ge(t.p->pmtu + 8u, 1240);
	ck_assert_uint_le(t.p->pmtu, 1240);
}
END_TEST

START_TEST(connection_that_may_not_probe_stays_in_the_hole)
{
	wire.limit = 1240;
	begin(TCP_CONF_MTU_OFF);
	for (int i = 0; i < 400; i++)
		turn();
	pkt_queue_drop(t.lc, &t.out, DROP_PORT_CLOSED);
	ck_assert_uint_eq(wire.cum, 1);
	ck_assert_uint_eq(t.p->mss, MSS);
}
END_TEST

START_TEST(two_timeouts_are_no_black_hole)
{
	begin(TCP_CONF_MTU_BLACKHOLE);
	wire.limit = 0;
	turn();
	while (st(ST_TCP_RTO) < 2)
		turn();
	wire.limit = 1500;
	turns(20);
	ck_assert_uint_eq(st(ST_TCP_MTU_BLACKHOLE), 0);
	ck_assert_uint_eq(t.p->mss, MSS);
	ck_assert_uint_gt(wire.cum, 20000);
}
END_TEST

/* RFC 4821 s7.7: less and less, but never below what every link carries. */
START_TEST(deep_hole_halves_what_is_tried)
{
	wire.limit = 300;
	begin(TCP_CONF_MTU_BLACKHOLE);
	for (int i = 0; i < 8000 && wire.cum < 5000; i++)
		turn();
	pkt_queue_drop(t.lc, &t.out, DROP_PORT_CLOSED);
	ck_assert_uint_ge(wire.cum, 5000);
	ck_assert_uint_ge(st(ST_TCP_MTU_BLACKHOLE), 3);
	ck_assert_uint_le(t.p->pmtu, 300);
}
END_TEST

/* A path that swallows everything: the floor leaves room for ESP, and segments do not grow again.
 */
START_TEST(bottomless_hole_ends_above_what_esp_adds)
{
	wire.limit = 300;
	begin(TCP_CONF_MTU_BLACKHOLE);
	t.fake.overhead = t.p->latch.overhead_bytes = 54;
	wire.limit = 1;
	for (int i = 0; i < 8000; i++) {
		turn();
		ck_assert_uint_ge(t.p->pmtu, 40 + 20 + 12 + TCP_MSS_MIN + 54);
		ck_assert_uint_le(t.p->mss, 1460u);
	}
	pkt_queue_drop(t.lc, &t.out, DROP_PORT_CLOSED);
	ck_assert_uint_ge(st(ST_TCP_MTU_BLACKHOLE), 5);
	ck_assert_uint_le(t.p->mss, 200);
}
END_TEST

/* RFC 8899 s5.1.1: PMTU_RAISE_TIMER */
START_TEST(wider_path_is_found_minutes_later)
{
	uint16_t before;

	wire.limit = 1300;
	begin(TCP_CONF_MTU_ALWAYS);
	turns(40);
	before = t.p->pmtu;
	wire.limit = 1500;
	turns(40);
	ck_assert_uint_eq(t.p->pmtu, before);
	env_wait_us(600 * SECOND);
	turns(40);
	ck_assert_uint_ge(t.p->pmtu, 1500 - 8);
}
END_TEST

/* RFC 4821 s7.6.4: then it says nothing, and the loss is congestion. */
START_TEST(probe_lost_among_others_says_nothing)
{
	uint32_t cwnd;

	wire.limit = 1100;
	begin(TCP_CONF_MTU_ALWAYS);
	cwnd = t.p->cc.cwnd_bytes;
	wire.lose_next = true;
	turns(1);
	ck_assert_uint_eq(wire.swallowed, 2);
	ck_assert_uint_eq(st(ST_TCP_MTU_PROBE_LOST), 0);
	ck_assert_uint_eq(st(ST_TCP_FAST_REXMT), 1);
	ck_assert_uint_lt(t.p->cc.ssthresh_bytes, cwnd);
	turns(60);
	ck_assert_uint_le(t.p->pmtu, 1100);
	ck_assert_uint_gt(st(ST_TCP_MTU_PROBE_LOST), 0);
}
END_TEST

START_TEST(router_that_speaks_is_believed)
{
	begin(TCP_CONF_MTU_ALWAYS);
	wire.limit = 1200;
	while (s_send(65536) > 0)
		;
	env_turn();
	pkt_queue_drop(t.lc, &t.out, DROP_PORT_CLOSED);
	ck_assert(tcp_icmp(t.lc, &t.p->fe.key, t.p->snd_una, TCP_ICMP_TOOBIG, 1050));
	ck_assert_uint_eq(t.p->pmtu, 1050);
	ck_assert_uint_eq(t.p->mss, 1010);
	env_turn();
	turns(40);
	/* Nothing larger is tried before the search begins anew. */
	ck_assert_uint_le(t.p->pmtu, 1050);
}
END_TEST

START_TEST(little_data_are_not_probed_with)
{
	begin(TCP_CONF_MTU_ALWAYS);
	for (int i = 0; i < 10; i++) {
		s_send(3000);
		env_turn();
		while (t.out.n > 0) {
			struct tcp_seg g = env_tx(NULL);

			deliver(&g);
		}
	}
	pkt_queue_drop(t.lc, &t.out, DROP_PORT_CLOSED);
	ck_assert_uint_eq(st(ST_TCP_MTU_PROBE), 0);
}
END_TEST

START_TEST(nothing_is_probed_behind_a_fin)
{
	begin(TCP_CONF_MTU_ALWAYS);
	s_send(20);
	ck_assert_int_eq(tcp_sock_ops.shutdown(t.lc, &t.s, SHUT_WR), 0);
	env_turn();
	EXPECT(F | A, 1, 1, 20);
	tcp_output_mark(t.lc, t.p, TCP_OUT_DATA);
	env_turn();
	EXPECT_NONE();
	ck_assert_uint_eq(st(ST_TCP_MTU_PROBE), 0);
}
END_TEST

START_TEST(without_sack_nothing_is_probed)
{
	t.peer_sack = false;
	begin(TCP_CONF_MTU_ALWAYS);
	ck_assert_uint_eq(t.p->mss, MSS);
	ck_assert_uint_eq(t.p->mtu, 0);
}
END_TEST

START_TEST(who_ends_gives_its_place_back)
{
	uint16_t place;

	begin(TCP_CONF_MTU_ALWAYS);
	place = t.p->mtu;
	ck_assert_uint_ne(place, 0);
	RX(.flags = R, .seq = 1);
	ck_assert_uint_eq(t.p->mtu, 0);
	ck_assert_uint_eq(t.lc->tcp->mtu_unused, place);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("tcp_mtu");
	TCase *c = tcase_create("tcp_mtu");

	tcase_set_timeout(c, 0);
	tcase_add_checked_fixture(c, setup_mtu, teardown);
	tcase_add_test(c, nothing_is_probed_by_default);
	tcase_add_test(c, wide_path_is_found);
	tcase_add_loop_test(c, narrow_path_is_found_without_a_loss_of_speed, 0, 10);
	tcase_add_test(c, black_hole_is_noticed_and_climbed_out_of);
	tcase_add_test(c, connection_that_may_not_probe_stays_in_the_hole);
	tcase_add_test(c, two_timeouts_are_no_black_hole);
	tcase_add_test(c, deep_hole_halves_what_is_tried);
	tcase_add_test(c, bottomless_hole_ends_above_what_esp_adds);
	tcase_add_test(c, wider_path_is_found_minutes_later);
	tcase_add_test(c, probe_lost_among_others_says_nothing);
	tcase_add_test(c, router_that_speaks_is_believed);
	tcase_add_test(c, little_data_are_not_probed_with);
	tcase_add_test(c, nothing_is_probed_behind_a_fin);
	tcase_add_test(c, without_sack_nothing_is_probed);
	tcase_add_test(c, who_ends_gives_its_place_back);
	suite_add_tcase(s, c);
	return env_main(s);
}
