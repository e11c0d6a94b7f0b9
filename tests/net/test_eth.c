/* SPDX-License-Identifier: BSD-3-Clause */
#include <rte_arp.h>
#include <rte_ether.h>
#include <rte_ring.h>

#include "stack/base/msg.h"
#include "stack/net/arp.h"
#include "stack/net/eth.h"
#include "tests/net/net_util.h"

static struct env *e;
static struct pkt_sort s;

static void
setup(void)
{
	struct arp_conf conf;

	e = env_setup();
	arp_conf_default(&conf);
	ck_assert_int_eq(arp_create(&e->lc, &conf), 0);
	pkt_sort_reset(&s);
}

static void
teardown(void)
{
	nu_sort_free(&s);
	arp_destroy(&e->lc);
	env_teardown(e);
}

/* A frame to our MAC from 02:..:02; vid < 0: no tag. The payload is 20 zero bytes. */
static size_t
frame(uint8_t *out, int vid, uint16_t type)
{
	static const uint8_t macs[12] = {2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2};
	rte_be16_t t = rte_cpu_to_be_16(type);
	size_t n = 12;

	memcpy(out, macs, 12);
	if (vid >= 0) {
		rte_be16_t tag[2] = {RTE_BE16(0x8100), rte_cpu_to_be_16((uint16_t)vid)};

		memcpy(out + n, tag, 4);
		n += 4;
	}
	memcpy(out + n, &t, 2);
	memset(out + n + 2, 0, 20);
	return n + 22;
}

static void
recv_frame(const void *data, size_t len)
{
	struct pkt_vec in = {.n = 1, .m = {env_pkt(e, data, len)}};

	eth_in(&e->lc, &in, &s);
	ck_assert_uint_eq(in.n, 0);
}

static void
recv_vlan(int vid)
{
	uint8_t f[64];

	recv_frame(f, frame(f, vid, RTE_ETHER_TYPE_IPV4));
}

START_TEST(ip_frame_goes_to_ip_with_its_offset_and_realm)
{
	e->port.realm = 5;
	recv_vlan(-1);
	ck_assert_uint_eq(s.v[NX_IP].n, 1);
	ck_assert_uint_eq(pkt_meta(s.v[NX_IP].m[0])->l3_off, 14);
	ck_assert_uint_eq(pkt_meta(s.v[NX_IP].m[0])->key.realm, 5);
	ck_assert_uint_eq(pkt_meta(s.v[NX_IP].m[0])->flags, 0);
}
END_TEST

START_TEST(untagged_port_takes_a_priority_tag_and_no_other)
{
	recv_vlan(0);
	ck_assert_uint_eq(s.v[NX_IP].n, 1);
	ck_assert_uint_eq(pkt_meta(s.v[NX_IP].m[0])->l3_off, 18);
	recv_vlan(0xe000);
	ck_assert_uint_eq(s.v[NX_IP].n, 2);
	recv_vlan(1);
	ck_assert_uint_eq(nu_drop(e, DROP_ETH_VLAN), 1);
}
END_TEST

START_TEST(tagged_port_takes_its_own_vlan_only)
{
	e->port.vlan = 7;
	recv_vlan(7);
	recv_vlan(0xf007);
	ck_assert_uint_eq(s.v[NX_IP].n, 2);
	ck_assert_uint_eq(pkt_meta(s.v[NX_IP].m[0])->l3_off, 18);
	recv_vlan(-1);
	recv_vlan(0);
	recv_vlan(8);
	ck_assert_uint_eq(nu_drop(e, DROP_ETH_VLAN), 3);
}
END_TEST

START_TEST(foreign_unicast_and_group_source_are_dropped)
{
	uint8_t f[64];
	size_t n = frame(f, -1, RTE_ETHER_TYPE_IPV4);

	f[5] = 9;
	recv_frame(f, n);
	ck_assert_uint_eq(nu_drop(e, DROP_ETH_NOT_OURS), 1);
	f[5] = 1;
	f[6] = 3;
	recv_frame(f, n);
	ck_assert_uint_eq(nu_drop(e, DROP_ETH_SRC), 1);
}
END_TEST

START_TEST(broadcast_and_multicast_frames_are_marked)
{
	uint8_t f[64];
	size_t n = frame(f, -1, RTE_ETHER_TYPE_IPV4);

	f[0] = 1;
	recv_frame(f, n);
	memset(f, 255, 6);
	recv_frame(f, n);
	ck_assert_uint_eq(s.v[NX_IP].n, 2);
	ck_assert_uint_eq(pkt_meta(s.v[NX_IP].m[0])->flags, PKT_F_MCAST);
	ck_assert_uint_eq(pkt_meta(s.v[NX_IP].m[1])->flags, PKT_F_MCAST);
}
END_TEST

START_TEST(unknown_ethertype_is_dropped)
{
	uint8_t f[64];

	recv_frame(f, frame(f, -1, 0x86dd));
	recv_frame(f, frame(f, 0, RTE_ETHER_TYPE_VLAN));
	recv_frame(f, frame(f, -1, 0x002e));
	ck_assert_uint_eq(nu_drop(e, DROP_ETH_TYPE), 3);
}
END_TEST

START_TEST(bare_ip_port_passes_everything)
{
	static const uint8_t byte = 0x45;

	e->port.bare_ip = true;
	recv_frame(&byte, 1);
	ck_assert_uint_eq(s.v[NX_IP].n, 1);
	ck_assert_uint_eq(pkt_meta(s.v[NX_IP].m[0])->l3_off, 0);
}
END_TEST

START_TEST(chain_becomes_one_buffer)
{
	struct rte_mbuf *head = pkt_alloc(&e->lc), *tail = pkt_alloc(&e->lc);
	struct pkt_vec in = {.n = 1, .m = {head}};
	uint8_t f[64];
	size_t n = frame(f, -1, RTE_ETHER_TYPE_IPV4);

	memcpy(rte_pktmbuf_append(head, 13), f, 13);
	memcpy(rte_pktmbuf_append(tail, (uint16_t)(n - 13)), f + 13, n - 13);
	ck_assert_int_eq(rte_pktmbuf_chain(head, tail), 0);
	eth_in(&e->lc, &in, &s);
	ck_assert_uint_eq(s.v[NX_IP].n, 1);
	ck_assert_uint_eq(s.v[NX_IP].m[0]->nb_segs, 1);
	ck_assert_mem_eq(pkt_data(s.v[NX_IP].m[0], 0), f, n);
}
END_TEST

static size_t
arp_frame(uint8_t *out, int vid)
{
	struct rte_arp_hdr a = {
		.arp_hardware = RTE_BE16(1),
		.arp_protocol = RTE_BE16(0x0800),
		.arp_hlen = 6,
		.arp_plen = 4,
		.arp_opcode = RTE_BE16(1),
		.arp_data = {.arp_sha = {{2, 0, 0, 0, 0, 2}}, .arp_sip = NU_PEER, .arp_tip = NU_US},
	};
	size_t n = frame(out, vid, RTE_ETHER_TYPE_ARP) - 20;

	memset(out, 255, 6);
	memcpy(out + n, &a, sizeof(a));
	return n + sizeof(a);
}

START_TEST(arp_ends_here_and_is_answered_in_the_vlan)
{
	uint8_t f[64];
	struct rte_mbuf *m;

	e->port.vlan = 7;
	recv_frame(f, arp_frame(f, 7));
	ck_assert_uint_eq(nu_drop(e, DROP_ARP_DONE), 1);
	ck_assert_uint_eq(nu_sort_free(&s), 0);
	m = pkt_queue_get(&e->lc.out_l2);
	ck_assert_ptr_nonnull(m);
	ck_assert_uint_eq(m->data_len, 18 + 28);
	ck_assert_mem_eq(pkt_data(m, 12), "\x81\x00\x00\x07\x08\x06", 6);
	rte_pktmbuf_free(m);
}
END_TEST

static struct msg_ctx msg;

static void
three_workers(void)
{
	msg.peer[0] = rte_ring_create("w0", 8, SOCKET_ID_ANY, 0);
	msg.peer[2] = rte_ring_create("w2", 8, SOCKET_ID_ANY, 0);
	e->lc.msg = &msg;
	e->lc.nb_workers = 3;
	e->lc.id = 1;
}

/* Each of the others got n copies of the ARP packet in f; then there is one worker again. */
static void
expect_copies(const uint8_t *f, uint32_t n)
{
	ck_assert_uint_eq(e->lc.stat.st[ST_HANDOFF_OUT], 2 * n);
	for (int w = 0; w < 3; w += 2) {
		void *obj[8];

		ck_assert_uint_eq(rte_ring_dequeue_burst(msg.peer[w], obj, 8, NULL), n);
		for (uint32_t i = 0; i < n; i++) {
			struct rte_mbuf *m = obj[i];

			ck_assert_uint_eq(pkt_meta(m)->handoff, HANDOFF_ARP);
			ck_assert_uint_eq(pkt_meta(m)->port, 0);
			ck_assert(!pkt_is_tagged(&e->lc, m));
			ck_assert_mem_eq(pkt_data(m, pkt_meta(m)->l3_off), f + 14, 28);
			rte_pktmbuf_free(m);
		}
		rte_ring_free(msg.peer[w]);
	}
	e->lc.nb_workers = 1;
}

START_TEST(arp_is_copied_to_every_other_worker)
{
	uint8_t f[64];
	size_t n = arp_frame(f, -1);

	three_workers();
	recv_frame(f, n);
	/* What is too short to be ARP stays here. */
	recv_frame(f, n - 1);
	expect_copies(f, 1);
}
END_TEST

/* Broadcasts of others are many, and forged ones may be more: a ring slot each would be dear. */
START_TEST(arp_that_teaches_nothing_here_is_not_copied)
{
	uint8_t f[64], bad[64];
	size_t n = arp_frame(f, -1);
	struct rte_arp_hdr *a = (struct rte_arp_hdr *)(void *)(bad + 14);

	three_workers();
	/* The target is another host, and the sender is unknown here. */
	memcpy(bad, f, n);
	memcpy(&a->arp_data.arp_tip, &(rte_be32_t){NU_OTHER}, 4);
	recv_frame(bad, n);
	/* Senders that nobody may believe: a group address, a probe, our own. */
	memcpy(bad, f, n);
	a->arp_data.arp_sha.addr_bytes[0] = 3;
	recv_frame(bad, n);
	memcpy(bad, f, n);
	memset(&a->arp_data.arp_sip, 0, 4);
	recv_frame(bad, n);
	memcpy(bad, f, n);
	memcpy(&a->arp_data.arp_sip, &(rte_be32_t){NU_US}, 4);
	recv_frame(bad, n);
	memcpy(bad, f, n);
	a->arp_opcode = RTE_BE16(9);
	recv_frame(bad, n);
	expect_copies(f, 0);
}
END_TEST

START_TEST(arp_of_a_known_neighbour_to_another_host_is_copied)
{
	uint8_t f[64];
	size_t n = arp_frame(f, -1);

	recv_frame(f, n);
	three_workers();
	memcpy(f + n - 4, &(rte_be32_t){NU_OTHER}, 4);
	recv_frame(f, n);
	expect_copies(f, 1);
}
END_TEST

static void
send_ip(uint32_t len)
{
	struct pkt_vec v = {.n = 1, .m = {nu_out_pkt(e, len)}};

	pkt_meta(v.m[0])->nexthop = ip_addr_v4(NU_PEER);
	eth_out(&e->lc, &v);
	ck_assert_uint_eq(v.n, 0);
}

START_TEST(packet_to_a_known_neighbour_leaves_with_its_header)
{
	uint8_t f[64];
	struct rte_mbuf *m;

	recv_frame(f, arp_frame(f, -1));
	send_ip(100);
	m = env_sent(e);
	ck_assert_ptr_nonnull(m);
	ck_assert_uint_eq(m->pkt_len, 114);
	ck_assert_mem_eq(pkt_data(m, 0), "\2\0\0\0\0\2\2\0\0\0\0\1\x08\x00\0\1\2", 17);
	rte_pktmbuf_free(m);
	e->port.vlan = 0xabc;
	send_ip(100);
	m = env_sent(e);
	ck_assert_uint_eq(m->pkt_len, 118);
	ck_assert_mem_eq(
		pkt_data(m, 0), "\2\0\0\0\0\2\2\0\0\0\0\1\x81\x00\x0a\xbc\x08\x00\0\1\2", 21);
	rte_pktmbuf_free(m);
}
END_TEST

START_TEST(packet_to_an_unknown_neighbour_waits)
{
	send_ip(100);
	ck_assert_ptr_null(env_sent(e));
	ck_assert_uint_eq(e->lc.out_l2.n, 1);
}
END_TEST

START_TEST(bare_ip_port_sends_without_header_or_question)
{
	struct rte_mbuf *m;

	e->port.bare_ip = true;
	send_ip(100);
	m = env_sent(e);
	ck_assert_uint_eq(m->pkt_len, 100);
	rte_pktmbuf_free(m);
	ck_assert_uint_eq(e->lc.out_l2.n, 0);
}
END_TEST

START_TEST(full_port_drops)
{
	e->port.bare_ip = true;
	e->tx_stuck = true;
	for (uint32_t i = 0; i < PORT_TX_BUF + 3; i++)
		send_ip(20);
	ck_assert_uint_eq(nu_drop(e, DROP_TX_FULL), 3);
}
END_TEST

START_TEST(packet_without_headroom_is_dropped)
{
	uint8_t f[64];
	struct pkt_vec v = {.n = 1};

	recv_frame(f, arp_frame(f, -1));
	v.m[0] = env_pkt(e, f, 20);
	pkt_meta(v.m[0])->nexthop = ip_addr_v4(NU_PEER);
	eth_out(&e->lc, &v);
	ck_assert_uint_eq(nu_drop(e, DROP_NOBUF), 1);
}
END_TEST

static void
feed_broken(const uint8_t *data, size_t len)
{
	uint64_t before = nu_drops(&e->lc);

	recv_frame(data, len);
	ck_assert_uint_eq(nu_drops(&e->lc) - before + nu_sort_free(&s), 1);
	pkt_queue_drop(&e->lc, &e->lc.out_l2, DROP_PORT_CLOSED);
}

START_TEST(every_broken_frame_passes_or_ends_in_one_counter)
{
	uint8_t f[64];

	nu_each_broken(f, frame(f, -1, RTE_ETHER_TYPE_IPV4), feed_broken);
	nu_each_broken(f, arp_frame(f, -1), feed_broken);
	e->port.vlan = 7;
	nu_each_broken(f, frame(f, 7, RTE_ETHER_TYPE_IPV4), feed_broken);
	nu_each_broken(f, arp_frame(f, 7), feed_broken);
	ck_assert_uint_eq(nu_drop(e, DROP_ETH_SHORT), 14 + 14 + 18 + 18);
}
END_TEST

int
main(void)
{
	Suite *su = suite_create("eth");
	TCase *c = tcase_create("eth");

	tcase_add_checked_fixture(c, setup, teardown);
	tcase_add_test(c, ip_frame_goes_to_ip_with_its_offset_and_realm);
	tcase_add_test(c, untagged_port_takes_a_priority_tag_and_no_other);
	tcase_add_test(c, tagged_port_takes_its_own_vlan_only);
	tcase_add_test(c, foreign_unicast_and_group_source_are_dropped);
	tcase_add_test(c, broadcast_and_multicast_frames_are_marked);
	tcase_add_test(c, unknown_ethertype_is_dropped);
	tcase_add_test(c, bare_ip_port_passes_everything);
	tcase_add_test(c, chain_becomes_one_buffer);
	tcase_add_test(c, arp_ends_here_and_is_answered_in_the_vlan);
	tcase_add_test(c, arp_is_copied_to_every_other_worker);
	tcase_add_test(c, arp_that_teaches_nothing_here_is_not_copied);
	tcase_add_test(c, arp_of_a_known_neighbour_to_another_host_is_copied);
	tcase_add_test(c, packet_to_a_known_neighbour_leaves_with_its_header);
	tcase_add_test(c, packet_to_an_unknown_neighbour_waits);
	tcase_add_test(c, bare_ip_port_sends_without_header_or_question);
	tcase_add_test(c, full_port_drops);
	tcase_add_test(c, packet_without_headroom_is_dropped);
	tcase_add_test(c, every_broken_frame_passes_or_ends_in_one_counter);
	suite_add_tcase(su, c);
	return env_main(su);
}
