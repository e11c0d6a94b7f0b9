/* SPDX-License-Identifier: BSD-3-Clause */
#include "stack/run/run.h"
#include "tests/util/lc_env.h"

static struct env *e;
static struct port other;
static struct rte_mbuf *taken[PORT_TX_BUF * 4];
static uint32_t nb_taken;

static uint16_t
take_all(struct lcore *lc, struct port *p, struct rte_mbuf **m, uint16_t n)
{
	(void)lc;
	(void)p;
	for (uint16_t i = 0; i < n; i++)
		taken[nb_taken++] = m[i];
	return n;
}

static const struct port_ops willing = {.tx = take_all};

static void
setup(void)
{
	e = env_setup();
	nb_taken = 0;
	other = (struct port){.ops = &willing, .index = 1};
	e->lc.port[1] = &other;
	e->lc.nb_ports = 2;
}

static void
teardown(void)
{
	for (uint32_t i = 0; i < nb_taken; i++)
		rte_pktmbuf_free(taken[i]);
	env_teardown(e);
}

static void
fill(struct port *p, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		port_put(&e->lc, p, pkt_alloc(&e->lc));
}

/* House 4.3: no ESP sequence number is spent on a packet that cannot leave. */
START_TEST(room_is_that_of_the_fullest_port)
{
	fill(&e->port, 100);
	ck_assert_uint_eq(port_room(&e->lc), PORT_TX_BUF - 100);
}
END_TEST

START_TEST(refused_frames_stay_in_order_and_stop_the_makers)
{
	e->tx_stuck = true;
	fill(&e->port, PORT_TX_BUF);
	port_flush(&e->lc);
	ck_assert_uint_eq(e->port.nb_tx, PORT_TX_BUF);
	ck_assert_uint_eq(port_room(&e->lc), 0);
	e->tx_stuck = false;
	port_flush(&e->lc);
	ck_assert_uint_eq(e->sent.n, PORT_TX_BUF);
	ck_assert_uint_eq(port_room(&e->lc), PORT_TX_BUF);
}
END_TEST

/* A device that is gone must not silence the others. */
START_TEST(stuck_port_stops_only_its_own_traffic)
{
	e->tx_stuck = true;
	port_flush(&e->lc);
	fill(&e->port, PORT_TX_BUF);
	port_flush(&e->lc);
	ck_assert_uint_eq(port_room(&e->lc), 0);
	e->lc.now_ns += PORT_STUCK_NS + 1;
	port_flush(&e->lc);
	ck_assert_uint_eq(port_room(&e->lc), PORT_TX_BUF);
	fill(&e->port, 1);
	ck_assert_uint_eq(e->lc.stat.drop[DROP_TX_FULL], 1);
	fill(&other, 3);
	port_flush(&e->lc);
	ck_assert_uint_eq(nb_taken, 3);
	e->tx_stuck = false;
	port_flush(&e->lc);
	ck_assert(!e->port.is_stuck);
}
END_TEST

START_TEST(no_room_when_every_port_is_stuck)
{
	e->port.is_stuck = other.is_stuck = true;
	ck_assert_uint_eq(port_room(&e->lc), 0);
}
END_TEST

/* F-5: a driver may leave the flag of a sender set. */
static uint16_t
rx_tagged(struct lcore *lc, struct port *p, struct rte_mbuf **m, uint16_t n)
{
	(void)p;
	(void)n;
	m[0] = pkt_alloc(lc);
	memset(pkt_meta(m[0]), 0xff, sizeof(struct pkt_meta));
	pkt_tag_set(lc, m[0], (struct tl_tag){.profile = 1});
	return 1;
}

START_TEST(f5_a_received_packet_has_no_tag_and_no_old_metadata)
{
	static const struct port_ops ops = {.rx = rx_tagged};
	struct pkt_vec v;

	other.ops = &ops;
	other.realm = 7;
	port_rx(&e->lc, &other, &v);
	ck_assert_uint_eq(v.n, 1);
	ck_assert(!pkt_is_tagged(&e->lc, v.m[0]));
	ck_assert_uint_eq(pkt_meta(v.m[0])->key.realm, 7);
	ck_assert_uint_eq(pkt_meta(v.m[0])->port, 1);
	ck_assert_uint_eq(pkt_meta(v.m[0])->verdict, VERDICT_NONE);
	ck_assert_uint_eq(pkt_meta(v.m[0])->flags, 0);
	rte_pktmbuf_free(v.m[0]);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("port");
	TCase *c = tcase_create("port");

	tcase_add_checked_fixture(c, setup, teardown);
	tcase_add_test(c, room_is_that_of_the_fullest_port);
	tcase_add_test(c, refused_frames_stay_in_order_and_stop_the_makers);
	tcase_add_test(c, stuck_port_stops_only_its_own_traffic);
	tcase_add_test(c, no_room_when_every_port_is_stuck);
	tcase_add_test(c, f5_a_received_packet_has_no_tag_and_no_old_metadata);
	suite_add_tcase(s, c);
	return env_main(s);
}
