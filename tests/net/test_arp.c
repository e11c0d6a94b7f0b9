/* SPDX-License-Identifier: BSD-3-Clause */
#include <rte_arp.h>

#include "stack/base/tmr.h"
#include "stack/net/arp.h"
#include "tests/net/net_util.h"

enum { MS = 1000000, PEER_OFF = 14, ARP_LEN = 28, FRAME_LEN = PEER_OFF + ARP_LEN };

static struct env *e;

static const struct rte_ether_addr us = {{2, 0, 0, 0, 0, 1}};
static const struct rte_ether_addr peer = {{2, 0, 0, 0, 0, 2}};
static const struct rte_ether_addr other = {{2, 0, 0, 0, 0, 3}};
static const struct rte_ether_addr all = {{255, 255, 255, 255, 255, 255}};

static void
start(uint32_t entries)
{
	struct arp_conf conf;

	arp_conf_default(&conf);
	conf.max_entries = entries;
	conf.max_waiting = 3;
	ck_assert_int_eq(arp_create(&e->lc, &conf), 0);
}

static void
setup(void)
{
	e = env_setup();
	start(8);
}

static void
teardown(void)
{
	arp_destroy(&e->lc);
	ck_assert_uint_eq(tmr_next_ns(&e->lc), UINT64_MAX);
	env_teardown(e);
}

static struct rte_arp_hdr
arp(uint16_t op, rte_be32_t sip, struct rte_ether_addr sha, rte_be32_t tip)
{
	return (struct rte_arp_hdr){
		.arp_hardware = RTE_BE16(1),
		.arp_protocol = RTE_BE16(0x0800),
		.arp_hlen = 6,
		.arp_plen = 4,
		.arp_opcode = rte_cpu_to_be_16(op),
		.arp_data = {.arp_sha = sha, .arp_sip = sip, .arp_tip = tip},
	};
}

static void
feed(const void *data, size_t len, uint8_t handoff)
{
	struct rte_mbuf *m = env_pkt(e, data, len);

	pkt_meta(m)->handoff = handoff;
	arp_in(&e->lc, &e->port, m, 0);
}

static void
recv_arp(uint16_t op, rte_be32_t sip, struct rte_ether_addr sha, rte_be32_t tip)
{
	struct rte_arp_hdr a = arp(op, sip, sha, tip);

	feed(&a, sizeof(a), HANDOFF_NONE);
}

/* Asserts that the next frame on out_l2 is this ARP packet. */
static void
expect_arp(uint16_t op, struct rte_ether_addr frame_dst, rte_be32_t sip, struct rte_ether_addr tha,
	rte_be32_t tip)
{
	struct rte_mbuf *m = pkt_queue_get(&e->lc.out_l2);
	struct rte_arp_hdr want = arp(op, sip, us, tip), a;
	struct rte_ether_hdr h;

	ck_assert_ptr_nonnull(m);
	ck_assert_uint_eq(m->data_len, FRAME_LEN);
	ck_assert_uint_eq(pkt_meta(m)->port, 0);
	memcpy(&h, pkt_data(m, 0), sizeof(h));
	memcpy(&a, pkt_data(m, sizeof(h)), sizeof(a));
	want.arp_data.arp_tha = tha;
	ck_assert(rte_is_same_ether_addr(&h.dst_addr, &frame_dst));
	ck_assert(rte_is_same_ether_addr(&h.src_addr, &us));
	ck_assert_uint_eq(h.ether_type, RTE_BE16(0x0806));
	ck_assert_mem_eq(&a, &want, sizeof(a));
	rte_pktmbuf_free(m);
}

static void
expect_no_arp(void)
{
	ck_assert_uint_eq(e->lc.out_l2.n, 0);
}

static void
expect_request(rte_be32_t tip)
{
	expect_arp(RTE_ARP_OP_REQUEST, all, NU_US, (struct rte_ether_addr){{0}}, tip);
}

static void
expect_poll(struct rte_ether_addr mac, rte_be32_t tip)
{
	expect_arp(RTE_ARP_OP_REQUEST, mac, NU_US, (struct rte_ether_addr){{0}}, tip);
}

/* Sends a packet of len bytes to a neighbour; true if its MAC was known, and is mac. */
static bool
send_to(rte_be32_t ip, uint32_t len, struct rte_ether_addr *mac)
{
	struct rte_mbuf *m = nu_out_pkt(e, len);
	bool known = arp_resolve(&e->lc, &e->port, ip, m, mac);

	if (known)
		rte_pktmbuf_free(m);
	return known;
}

static bool
knows(rte_be32_t ip, struct rte_ether_addr want)
{
	struct rte_ether_addr mac;

	return send_to(ip, 20, &mac) && rte_is_same_ether_addr(&mac, &want);
}

static void
expect_sent(uint32_t ip_len)
{
	struct rte_mbuf *m = env_sent(e);

	ck_assert_ptr_nonnull(m);
	ck_assert_uint_eq(m->pkt_len, 14 + ip_len);
	ck_assert_mem_eq(pkt_data(m, 0), &peer, 6);
	ck_assert_mem_eq(pkt_data(m, 6), &us, 6);
	ck_assert_uint_eq(*pkt_data(m, 12), 8);
	ck_assert_uint_eq(*pkt_data(m, 13), 0);
	rte_pktmbuf_free(m);
}

static void
pass_ms(uint64_t ms)
{
	for (uint64_t i = 0; i < ms; i += 100) {
		e->lc.now_ns += 100 * MS;
		tmr_run(&e->lc);
	}
}

static void
count_ent(const struct neigh_info *i, void *arg)
{
	(void)i;
	++*(uint32_t *)arg;
}

static uint32_t
entries(void)
{
	uint32_t n = 0;

	arp_foreach(&e->lc, count_ent, &n);
	return n;
}

static void
copy_info(const struct neigh_info *i, void *arg)
{
	*(struct neigh_info *)arg = *i;
}

static struct neigh_info
the_entry(void)
{
	struct neigh_info i = {0};

	ck_assert_uint_eq(entries(), 1);
	arp_foreach(&e->lc, copy_info, &i);
	return i;
}

/* RFC 826 */
START_TEST(request_for_our_address_is_answered)
{
	recv_arp(RTE_ARP_OP_REQUEST, NU_PEER, peer, NU_US);
	expect_arp(RTE_ARP_OP_REPLY, peer, NU_US, peer, NU_PEER);
	expect_no_arp();
	ck_assert_uint_eq(nu_drop(e, DROP_ARP_DONE), 1);
	ck_assert_uint_eq(e->lc.stat.st[ST_ARP_RX_REQ], 1);
	ck_assert_uint_eq(e->lc.stat.st[ST_ARP_TX_REP], 1);
	ck_assert(knows(NU_PEER, peer));
}
END_TEST

START_TEST(request_for_another_address_is_not_answered_and_teaches_nothing)
{
	recv_arp(RTE_ARP_OP_REQUEST, NU_PEER, peer, NU_OTHER);
	expect_no_arp();
	ck_assert_uint_eq(entries(), 0);
	ck_assert_uint_eq(nu_drop(e, DROP_ARP_DONE), 1);
}
END_TEST

/* RFC 826: the merge flag. */
START_TEST(known_neighbour_is_updated_by_any_packet_of_its)
{
	recv_arp(RTE_ARP_OP_REPLY, NU_PEER, peer, NU_US);
	ck_assert(knows(NU_PEER, peer));
	recv_arp(RTE_ARP_OP_REQUEST, NU_PEER, other, NU_PEER);
	ck_assert(knows(NU_PEER, other));
	expect_no_arp();
}
END_TEST

/* RFC 5227 s2.1.1: a probe has sender address 0; s2.5 asks for an answer to it. */
START_TEST(probe_for_our_address_is_answered_and_teaches_nothing)
{
	recv_arp(RTE_ARP_OP_REQUEST, 0, peer, NU_US);
	expect_arp(RTE_ARP_OP_REPLY, peer, NU_US, peer, 0);
	ck_assert_uint_eq(entries(), 0);
	ck_assert_uint_eq(e->lc.stat.st[ST_ARP_CONFLICT], 0);
}
END_TEST

START_TEST(first_packet_waits_and_leaves_with_the_answer)
{
	struct rte_ether_addr mac;

	ck_assert(!send_to(NU_PEER, 100, &mac));
	expect_request(NU_PEER);
	ck_assert(!send_to(NU_PEER, 101, &mac));
	expect_no_arp();
	ck_assert_str_eq(the_entry().state, "incomplete");
	ck_assert_uint_eq(the_entry().waiting, 2);
	recv_arp(RTE_ARP_OP_REPLY, NU_PEER, peer, NU_US);
	expect_sent(100);
	expect_sent(101);
	ck_assert_ptr_null(env_sent(e));
	ck_assert_str_eq(the_entry().state, "reachable");
	ck_assert(knows(NU_PEER, peer));
}
END_TEST

/* RFC 1122 s2.3.2.2: the latest packet is kept. */
START_TEST(full_queue_drops_its_oldest_packet)
{
	struct rte_ether_addr mac;

	for (uint32_t i = 0; i < 5; i++)
		ck_assert(!send_to(NU_PEER, 100 + i, &mac));
	ck_assert_uint_eq(nu_drop(e, DROP_NEIGH_QUEUE_FULL), 2);
	recv_arp(RTE_ARP_OP_REPLY, NU_PEER, peer, NU_US);
	expect_sent(102);
	expect_sent(103);
	expect_sent(104);
}
END_TEST

/* RFC 1122 s2.3.2.1: no more than one request a second. */
START_TEST(silent_neighbour_is_asked_three_times_and_given_up)
{
	struct rte_ether_addr mac;

	ck_assert(!send_to(NU_PEER, 100, &mac));
	expect_request(NU_PEER);
	pass_ms(900);
	expect_no_arp();
	pass_ms(100);
	expect_request(NU_PEER);
	pass_ms(1000);
	expect_request(NU_PEER);
	ck_assert_uint_eq(nu_drop(e, DROP_NEIGH_UNRESOLVED), 0);
	pass_ms(1000);
	expect_no_arp();
	ck_assert_uint_eq(nu_drop(e, DROP_NEIGH_UNRESOLVED), 1);
	ck_assert_uint_eq(entries(), 0);
}
END_TEST

/* RFC 1122 s2.3.2.1 (2) */
START_TEST(aged_neighbour_in_use_is_polled_unicast_then_broadcast_then_forgotten)
{
	recv_arp(RTE_ARP_OP_REPLY, NU_PEER, peer, NU_US);
	pass_ms(30000);
	ck_assert(knows(NU_PEER, peer));
	pass_ms(29900);
	expect_no_arp();
	pass_ms(100);
	expect_poll(peer, NU_PEER);
	ck_assert_str_eq(the_entry().state, "stale");
	ck_assert_uint_eq(the_entry().age_ms, 60000);
	ck_assert(knows(NU_PEER, peer));
	pass_ms(1000);
	expect_poll(peer, NU_PEER);
	pass_ms(1000);
	expect_request(NU_PEER);
	ck_assert(knows(NU_PEER, peer));
	pass_ms(1000);
	expect_no_arp();
	ck_assert_uint_eq(entries(), 0);
}
END_TEST

START_TEST(answer_to_the_poll_makes_it_reachable_again)
{
	recv_arp(RTE_ARP_OP_REPLY, NU_PEER, peer, NU_US);
	pass_ms(100);
	ck_assert(knows(NU_PEER, peer));
	pass_ms(59900);
	expect_poll(peer, NU_PEER);
	recv_arp(RTE_ARP_OP_REPLY, NU_PEER, peer, NU_US);
	ck_assert_str_eq(the_entry().state, "reachable");
	pass_ms(50000);
	expect_no_arp();
	/* The next time it has all its chances again. */
	ck_assert(knows(NU_PEER, peer));
	pass_ms(10000);
	expect_poll(peer, NU_PEER);
	pass_ms(1000);
	expect_poll(peer, NU_PEER);
	pass_ms(1000);
	expect_request(NU_PEER);
}
END_TEST

START_TEST(aged_neighbour_that_nobody_uses_is_asked_when_it_is_used)
{
	recv_arp(RTE_ARP_OP_REPLY, NU_PEER, peer, NU_US);
	pass_ms(100000);
	expect_no_arp();
	ck_assert_str_eq(the_entry().state, "stale");
	ck_assert_uint_eq(tmr_next_ns(&e->lc), UINT64_MAX);
	ck_assert(knows(NU_PEER, peer));
	expect_poll(peer, NU_PEER);
	ck_assert(knows(NU_PEER, peer));
	expect_no_arp();
}
END_TEST

/* RFC 5227 s2.4 (c) */
START_TEST(claim_of_our_address_is_counted_defended_once_and_not_obeyed)
{
	recv_arp(RTE_ARP_OP_REQUEST, NU_US, other, NU_US);
	expect_arp(RTE_ARP_OP_REQUEST, all, NU_US, (struct rte_ether_addr){{0}}, NU_US);
	recv_arp(RTE_ARP_OP_REPLY, NU_US, other, NU_PEER);
	expect_no_arp();
	ck_assert_uint_eq(e->lc.stat.st[ST_ARP_CONFLICT], 2);
	ck_assert_uint_eq(entries(), 0);
	pass_ms(10000);
	recv_arp(RTE_ARP_OP_REPLY, NU_US, other, NU_PEER);
	expect_arp(RTE_ARP_OP_REQUEST, all, NU_US, (struct rte_ether_addr){{0}}, NU_US);
}
END_TEST

START_TEST(our_own_announcement_coming_back_is_no_conflict)
{
	recv_arp(RTE_ARP_OP_REQUEST, NU_US, us, NU_US);
	expect_no_arp();
	ck_assert_uint_eq(e->lc.stat.st[ST_ARP_CONFLICT], 0);
	ck_assert_uint_eq(nu_drop(e, DROP_ARP_DONE), 1);
}
END_TEST

START_TEST(implausible_senders_are_refused)
{
	static const struct rte_ether_addr group = {{3, 0, 0, 0, 0, 2}}, zero;

	recv_arp(RTE_ARP_OP_REQUEST, NU_PEER, group, NU_US);
	recv_arp(RTE_ARP_OP_REQUEST, NU_PEER, all, NU_US);
	recv_arp(RTE_ARP_OP_REQUEST, NU_PEER, zero, NU_US);
	recv_arp(RTE_ARP_OP_REPLY, 0, peer, NU_US);
	recv_arp(RTE_ARP_OP_REQUEST, RTE_BE32(0x0b000002), peer, NU_US);
	recv_arp(RTE_ARP_OP_REQUEST, RTE_BE32(0x0a0000ff), peer, NU_US);
	recv_arp(RTE_ARP_OP_REQUEST, RTE_BE32(0x0a000000), peer, NU_US);
	recv_arp(RTE_ARP_OP_REQUEST, RTE_BE32(0xffffffff), peer, NU_US);
	recv_arp(RTE_ARP_OP_REQUEST, RTE_BE32(0xe0000001), peer, NU_US);
	ck_assert_uint_eq(nu_drop(e, DROP_ARP_BAD), 9);
	ck_assert_uint_eq(entries(), 0);
	expect_no_arp();
}
END_TEST

START_TEST(packet_from_another_worker_teaches_and_is_not_answered)
{
	struct rte_arp_hdr a = arp(RTE_ARP_OP_REQUEST, NU_PEER, peer, NU_US);

	feed(&a, sizeof(a), HANDOFF_ARP);
	expect_no_arp();
	ck_assert(knows(NU_PEER, peer));
	ck_assert_uint_eq(e->lc.stat.st[ST_ARP_RX_REQ], 0);
	a.arp_data.arp_sip = NU_US;
	feed(&a, sizeof(a), HANDOFF_ARP);
	expect_no_arp();
	ck_assert_uint_eq(e->lc.stat.st[ST_ARP_CONFLICT], 0);
}
END_TEST

START_TEST(full_table_of_fresh_questions_refuses_another)
{
	struct rte_ether_addr mac;

	for (uint32_t i = 0; i < 8; i++)
		ck_assert(!send_to(rte_cpu_to_be_32(0x0a000010 + i), 20, &mac));
	ck_assert(!send_to(NU_PEER, 20, &mac));
	ck_assert_uint_eq(nu_drop(e, DROP_NEIGH_TABLE_FULL), 1);
	pkt_queue_drop(&e->lc, &e->lc.out_l2, DROP_PORT_CLOSED);
	pass_ms(1000);
	pkt_queue_drop(&e->lc, &e->lc.out_l2, DROP_PORT_CLOSED);
	ck_assert(!send_to(NU_PEER, 20, &mac));
	ck_assert_uint_eq(nu_drop(e, DROP_NEIGH_TABLE_FULL), 1);
	ck_assert_uint_eq(nu_drop(e, DROP_NEIGH_UNRESOLVED), 1);
	expect_request(NU_PEER);
}
END_TEST

START_TEST(full_table_gives_up_the_neighbour_unused_for_longest)
{
	for (uint32_t i = 0; i < 8; i++)
		recv_arp(RTE_ARP_OP_REPLY, rte_cpu_to_be_32(0x0a000010 + i), peer, NU_US);
	for (uint32_t i = 0; i < 8; i++) {
		if (i != 5)
			ck_assert(knows(rte_cpu_to_be_32(0x0a000010 + i), peer));
	}
	pass_ms(5000);
	recv_arp(RTE_ARP_OP_REPLY, NU_PEER, peer, NU_US);
	ck_assert_uint_eq(entries(), 8);
	ck_assert(knows(NU_PEER, peer));
	for (uint32_t i = 0; i < 8; i++) {
		if (i != 5)
			ck_assert(knows(rte_cpu_to_be_32(0x0a000010 + i), peer));
	}
	expect_no_arp();
}
END_TEST

/* RFC 5227 s2.3 */
START_TEST(announcement_names_every_address_of_every_port)
{
	struct port bare = {.index = 1, .bare_ip = true, .nb_addrs = 1};

	e->port.addr[1] = (struct port_addr){.addr = ip_addr_v4(RTE_BE32(0x0a000101)), .plen = 24};
	e->port.nb_addrs = 2;
	bare.addr[0] = (struct port_addr){.addr = ip_addr_v4(RTE_BE32(0x0b000001)), .plen = 24};
	e->lc.port[1] = &bare;
	e->lc.nb_ports = 2;
	arp_announce(&e->lc);
	expect_request(NU_US);
	expect_arp(RTE_ARP_OP_REQUEST, all, RTE_BE32(0x0a000101), (struct rte_ether_addr){{0}},
		RTE_BE32(0x0a000101));
	expect_no_arp();
	e->lc.nb_ports = 1;
}
END_TEST

START_TEST(request_uses_the_address_of_the_neighbours_prefix)
{
	struct rte_ether_addr mac;

	e->port.addr[1] = (struct port_addr){.addr = ip_addr_v4(RTE_BE32(0x0a000101)), .plen = 24};
	e->port.nb_addrs = 2;
	ck_assert(!send_to(RTE_BE32(0x0a000102), 20, &mac));
	expect_arp(RTE_ARP_OP_REQUEST, all, RTE_BE32(0x0a000101), (struct rte_ether_addr){{0}},
		RTE_BE32(0x0a000102));
}
END_TEST

START_TEST(equal_address_on_two_ports_is_two_neighbours)
{
	struct port p1 = e->port;
	struct rte_mbuf *m = nu_out_pkt(e, 20);
	struct rte_ether_addr mac;

	p1.index = 1;
	e->lc.port[1] = &p1;
	e->lc.nb_ports = 2;
	recv_arp(RTE_ARP_OP_REPLY, NU_PEER, peer, NU_US);
	ck_assert(!arp_resolve(&e->lc, &p1, NU_PEER, m, &mac));
	ck_assert_uint_eq(entries(), 2);
	ck_assert_uint_eq(e->lc.out_l2.n, 1);
	ck_assert_uint_eq(pkt_meta(e->lc.out_l2.head)->port, 1);
	arp_destroy(&e->lc);
	e->lc.nb_ports = 1;
	start(8);
}
END_TEST

static void
feed_broken(const uint8_t *data, size_t len)
{
	uint64_t before = nu_drops(&e->lc);

	feed(data, len, HANDOFF_NONE);
	ck_assert_uint_eq(nu_drops(&e->lc), before + 1);
	if (len < ARP_LEN)
		ck_assert_uint_eq(e->lc.out_l2.n, 0);
	pkt_queue_drop(&e->lc, &e->lc.out_l2, DROP_PORT_CLOSED);
}

START_TEST(every_broken_packet_ends_in_one_counter)
{
	struct rte_arp_hdr q = arp(RTE_ARP_OP_REQUEST, NU_PEER, peer, NU_US);
	struct rte_arp_hdr r = arp(RTE_ARP_OP_REPLY, NU_PEER, peer, NU_US);

	nu_each_broken((const uint8_t *)&q, sizeof(q), feed_broken);
	nu_each_broken((const uint8_t *)&r, sizeof(r), feed_broken);
	ck_assert_uint_ge(nu_drop(e, DROP_ARP_BAD), 2 * (ARP_LEN + 8 * 6));
}
END_TEST

/* Unanswered questions must not hold the packets that the worker receives with. */
START_TEST(all_that_waits_together_is_an_eighth_of_the_pool_at_most)
{
	uint32_t max = e->lc.pkt_pool->size / 8;
	struct rte_ether_addr mac;

	arp_destroy(&e->lc);
	start(256);
	for (uint32_t i = 0; i < max; i++)
		ck_assert(!send_to(rte_cpu_to_be_32(0x0a000010 + i), 20, &mac));
	ck_assert_uint_eq(nu_drop(e, DROP_NEIGH_QUEUE_FULL), 0);
	/* A neighbour with a packet loses its own oldest, one without any gets no place. */
	ck_assert(!send_to(RTE_BE32(0x0a000010), 21, &mac));
	ck_assert_uint_eq(nu_drop(e, DROP_NEIGH_QUEUE_FULL), 1);
	ck_assert(!send_to(NU_PEER, 20, &mac));
	ck_assert_uint_eq(nu_drop(e, DROP_NEIGH_QUEUE_FULL), 2);
	/* An answer makes room. */
	recv_arp(RTE_ARP_OP_REPLY, RTE_BE32(0x0a000010), peer, NU_US);
	expect_sent(21);
	ck_assert(!send_to(NU_PEER, 20, &mac));
	ck_assert_uint_eq(nu_drop(e, DROP_NEIGH_QUEUE_FULL), 2);
	/* And so does giving up. */
	pass_ms(10000);
	ck_assert_uint_eq(nu_drop(e, DROP_NEIGH_UNRESOLVED), max);
	for (uint32_t i = 0; i < max; i++)
		ck_assert(!send_to(rte_cpu_to_be_32(0x0a000010 + i), 20, &mac) || i == 0);
	ck_assert_uint_eq(nu_drop(e, DROP_NEIGH_QUEUE_FULL), 2);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("arp");
	TCase *c = tcase_create("arp");

	tcase_add_checked_fixture(c, setup, teardown);
	tcase_add_test(c, request_for_our_address_is_answered);
	tcase_add_test(c, request_for_another_address_is_not_answered_and_teaches_nothing);
	tcase_add_test(c, known_neighbour_is_updated_by_any_packet_of_its);
	tcase_add_test(c, probe_for_our_address_is_answered_and_teaches_nothing);
	tcase_add_test(c, first_packet_waits_and_leaves_with_the_answer);
	tcase_add_test(c, full_queue_drops_its_oldest_packet);
	tcase_add_test(c, silent_neighbour_is_asked_three_times_and_given_up);
	tcase_add_test(c, aged_neighbour_in_use_is_polled_unicast_then_broadcast_then_forgotten);
	tcase_add_test(c, answer_to_the_poll_makes_it_reachable_again);
	tcase_add_test(c, aged_neighbour_that_nobody_uses_is_asked_when_it_is_used);
	tcase_add_test(c, claim_of_our_address_is_counted_defended_once_and_not_obeyed);
	tcase_add_test(c, our_own_announcement_coming_back_is_no_conflict);
	tcase_add_test(c, implausible_senders_are_refused);
	tcase_add_test(c, packet_from_another_worker_teaches_and_is_not_answered);
	tcase_add_test(c, full_table_of_fresh_questions_refuses_another);
	tcase_add_test(c, full_table_gives_up_the_neighbour_unused_for_longest);
	tcase_add_test(c, announcement_names_every_address_of_every_port);
	tcase_add_test(c, request_uses_the_address_of_the_neighbours_prefix);
	tcase_add_test(c, equal_address_on_two_ports_is_two_neighbours);
	tcase_add_test(c, every_broken_packet_ends_in_one_counter);
	tcase_add_test(c, all_that_waits_together_is_an_eighth_of_the_pool_at_most);
	suite_add_tcase(s, c);
	return env_main(s);
}
