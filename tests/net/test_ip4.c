/* SPDX-License-Identifier: BSD-3-Clause */
#include <rte_ring.h>

#include "stack/base/msg.h"
#include "stack/base/tmr.h"
#include "stack/net/arp.h"
#include "stack/net/frag.h"
#include "stack/net/icmp.h"
#include "stack/net/ip4.h"
#include "stack/net/route.h"
#include "tests/net/net_util.h"

enum { L3_OFF = 14, DF = 0x4000, MF = 0x2000 };

static struct env *e;
static struct pkt_sort s;
static const uint8_t payload[1600] = {0x30, 0x39, 0x00, 0x50, 1, 2, 3, 4};

static void
setup(void)
{
	struct ip_addr net = ip_addr_v4(RTE_BE32(0x0a000000)), any = ip_addr_v4(0);
	struct ip_addr gw = ip_addr_v4(RTE_BE32(0x0a0000fe));
	struct frag_conf frag;
	struct arp_conf arp;

	e = env_setup();
	frag_conf_default(&frag);
	arp_conf_default(&arp);
	ck_assert_int_eq(ip4_create(&e->lc), 0);
	ck_assert_int_eq(frag_create(&e->lc, &frag), 0);
	ck_assert_int_eq(arp_create(&e->lc, &arp), 0);
	ck_assert_int_eq(icmp_create(&e->lc, NULL), 0);
	ck_assert_int_eq(route_create(&e->lc, "rt", SOCKET_ID_ANY), 0);
	ck_assert_int_eq(route_add(&e->lc, &net, 24, NULL, 0), 0);
	ck_assert_int_eq(route_add(&e->lc, &any, 0, &gw, 0), 0);
	pkt_sort_reset(&s);
}

static void
teardown(void)
{
	nu_sort_free(&s);
	route_free(&e->lc);
	icmp_destroy(&e->lc);
	arp_destroy(&e->lc);
	frag_destroy(&e->lc);
	ip4_destroy(&e->lc);
	env_teardown(e);
}

/* A frame whose link header is 14 bytes of 0xee. */
static struct rte_mbuf *
framed(const uint8_t *ip, size_t len)
{
	uint8_t f[NU_MAX + L3_OFF];
	struct rte_mbuf *m;

	memset(f, 0xee, L3_OFF);
	memcpy(f + L3_OFF, ip, len);
	m = env_pkt(e, f, L3_OFF + len);
	pkt_meta(m)->l3_off = L3_OFF;
	return m;
}

static void
recv_mbuf(struct rte_mbuf *m)
{
	pkt_vec_add(&s.v[NX_IP], m);
	ip_in(&e->lc, &s);
	ck_assert_uint_eq(s.v[NX_IP].n, 0);
}

static void
recv_bytes(const uint8_t *ip, size_t len)
{
	recv_mbuf(framed(ip, len));
}

/* Fills in what a test left out: TCP with 8 bytes. */
static size_t
make(uint8_t *out, struct nu_ip spec)
{
	if (spec.proto == 0)
		spec.proto = IPPROTO_N_TCP;
	if (spec.data == NULL) {
		spec.data = payload;
		spec.len = spec.len != 0 ? spec.len : 8;
	}
	return nu_ip(out, &spec);
}

static void
recv_spec(struct nu_ip spec)
{
	uint8_t ip[NU_MAX];

	recv_bytes(ip, make(ip, spec));
}

/* The single packet in the vector of TCP. */
static struct rte_mbuf *
the_tcp(void)
{
	ck_assert_uint_eq(s.v[NX_TCP].n, 1);
	return s.v[NX_TCP].m[0];
}

static void
expect_drop(enum drop_reason r)
{
	ck_assert_uint_eq(nu_sort_free(&s), 0);
	ck_assert_uint_eq(nu_drop(e, r), 1);
	ck_assert_uint_eq(nu_drops(&e->lc), 1);
	e->lc.stat.drop[r] = 0;
}

START_TEST(good_packet_goes_on_with_complete_metadata)
{
	struct rte_mbuf *m;
	struct pkt_meta *pm;

	recv_spec((struct nu_ip){.tos = 0xb8, .ttl = 33, .frag = DF});
	m = the_tcp();
	pm = pkt_meta(m);
	ck_assert_uint_eq(ip_addr_to_v4(&pm->key.local), NU_US);
	ck_assert_uint_eq(ip_addr_to_v4(&pm->key.remote), NU_PEER);
	ck_assert_uint_eq(pm->key.rport, RTE_BE16(12345));
	ck_assert_uint_eq(pm->key.lport, RTE_BE16(80));
	ck_assert_uint_eq(pm->key.proto, IPPROTO_N_TCP);
	ck_assert_uint_eq(pm->l3_off, L3_OFF);
	ck_assert_uint_eq(pm->l4_off, L3_OFF + 20);
	ck_assert_uint_eq(pm->l4_len, 8);
	ck_assert_uint_eq(pm->nxt, IPPROTO_N_TCP);
	ck_assert_uint_eq(pm->tos, 0xb8);
	ck_assert_uint_eq(pm->ttl, 33);
	ck_assert_uint_eq(pm->flags, PKT_F_DF);
	ck_assert_uint_eq(*pkt_data(m, 0), 0xee);
}
END_TEST

START_TEST(each_protocol_goes_to_its_stage)
{
	recv_spec((struct nu_ip){.proto = IPPROTO_N_UDP});
	recv_spec((struct nu_ip){.proto = IPPROTO_N_SCTP});
	recv_spec((struct nu_ip){.proto = IPPROTO_N_ICMP});
	recv_spec((struct nu_ip){.proto = IPPROTO_N_ESP});
	ck_assert_uint_eq(s.v[NX_UDP].n, 1);
	ck_assert_uint_eq(s.v[NX_SCTP].n, 1);
	ck_assert_uint_eq(s.v[NX_ICMP].n, 1);
	ck_assert_uint_eq(s.v[NX_ESP].n, 1);
}
END_TEST

START_TEST(padding_behind_the_packet_is_cut_off)
{
	uint8_t ip[NU_MAX];
	size_t n = make(ip, (struct nu_ip){0});

	memset(ip + n, 0xaa, 18);
	recv_bytes(ip, n + 18);
	ck_assert_uint_eq(the_tcp()->pkt_len, L3_OFF + n);
	ck_assert_uint_eq(pkt_meta(the_tcp())->l4_len, 8);
}
END_TEST

START_TEST(bad_lengths_and_version_are_dropped)
{
	uint8_t ip[NU_MAX];
	size_t n = make(ip, (struct nu_ip){0});

	recv_bytes(ip, 19);
	expect_drop(DROP_IP4_SHORT);
	recv_bytes(ip, n - 1);
	expect_drop(DROP_IP4_TOTLEN);
	ip[0] = 0x55;
	nu_fix_csum(ip);
	recv_bytes(ip, n);
	expect_drop(DROP_IP4_VERSION);
	ip[0] = 0x44;
	nu_fix_csum(ip);
	recv_bytes(ip, n);
	expect_drop(DROP_IP4_HLEN);
	ip[0] = 0x4f;
	recv_bytes(ip, n);
	expect_drop(DROP_IP4_HLEN);
	ip[0] = 0x45;
	ip[3] = 19;
	nu_fix_csum(ip);
	recv_bytes(ip, n);
	expect_drop(DROP_IP4_TOTLEN);
}
END_TEST

/* RFC 1122 s3.2.1.2 */
START_TEST(wrong_checksum_is_dropped)
{
	uint8_t ip[NU_MAX];
	size_t n = make(ip, (struct nu_ip){0});

	ip[10] ^= 1;
	recv_bytes(ip, n);
	expect_drop(DROP_IP4_CSUM);
}
END_TEST

/* RFC 1122 s3.2.1.3 */
START_TEST(impossible_sources_are_dropped)
{
	static const uint32_t bad[] = {0x00000001, 0x7f000001, 0xe0000001, 0xf0000001, 0xffffffff,
		0x0a000001, 0x0a0000ff, 0x0a000000};

	for (uint32_t i = 0; i < RTE_DIM(bad); i++) {
		recv_spec((struct nu_ip){.src = rte_cpu_to_be_32(bad[i])});
		expect_drop(DROP_IP4_SRC);
	}
}
END_TEST

START_TEST(destination_must_be_ours_in_this_realm)
{
	static const uint32_t bad[] = {
		0x0a000002, 0x0a0000ff, 0x0a000000, 0xffffffff, 0xe0000001, 0x7f000001};
	uint8_t ip[NU_MAX];
	struct rte_mbuf *m;

	for (uint32_t i = 0; i < RTE_DIM(bad); i++) {
		recv_spec((struct nu_ip){.dst = rte_cpu_to_be_32(bad[i]), .src = NU_OTHER});
		expect_drop(DROP_IP4_DST);
	}
	m = framed(ip, make(ip, (struct nu_ip){0}));
	pkt_meta(m)->key.realm = 1;
	recv_mbuf(m);
	expect_drop(DROP_IP4_DST);
}
END_TEST

/* RFC 1122 s3.3.6 */
START_TEST(unicast_packet_in_a_broadcast_frame_is_dropped)
{
	uint8_t ip[NU_MAX];
	struct rte_mbuf *m = framed(ip, make(ip, (struct nu_ip){0}));

	pkt_meta(m)->flags = PKT_F_MCAST;
	recv_mbuf(m);
	expect_drop(DROP_IP4_DST);
}
END_TEST

static void
recv_options(const char *opt, uint32_t len)
{
	recv_spec((struct nu_ip){.opt = (const uint8_t *)opt, .opt_len = len});
}

/* RFC 791 s3.1, RFC 1122 s3.2.1.8 */
START_TEST(well_formed_options_are_skipped)
{
	recv_options("\x01\x01\x01\x00", 4);
	recv_options("\x94\x04\x00\x00", 4);
	recv_options("\x07\x07\x04\0\0\0\0\x00", 8);
	/* Behind the end of the list there may be anything. */
	recv_options("\x00\x83\xff\xff", 4);
	recv_options("\x01\x01\x94\x02", 4);
	ck_assert_uint_eq(s.v[NX_TCP].n, 5);
	ck_assert_uint_eq(pkt_meta(s.v[NX_TCP].m[2])->l4_off, L3_OFF + 28);
	ck_assert_uint_eq(pkt_meta(s.v[NX_TCP].m[2])->key.lport, RTE_BE16(80));
}
END_TEST

/* RFC 7126 s4.3, s4.4 */
START_TEST(source_routes_and_malformed_options_are_dropped)
{
	recv_options("\x83\x03\x04\x00", 4);
	expect_drop(DROP_IP4_OPTIONS);
	recv_options("\x01\x89\x03\x04", 4);
	expect_drop(DROP_IP4_OPTIONS);
	recv_options("\x94\x00\x00\x00", 4);
	expect_drop(DROP_IP4_OPTIONS);
	recv_options("\x94\x01\x00\x00", 4);
	expect_drop(DROP_IP4_OPTIONS);
	recv_options("\x94\x05\x00\x00", 4);
	expect_drop(DROP_IP4_OPTIONS);
	recv_options("\x01\x01\x01\x94", 4);
	expect_drop(DROP_IP4_OPTIONS);
}
END_TEST

START_TEST(bad_flags_are_dropped)
{
	recv_spec((struct nu_ip){.frag = 0x8000});
	expect_drop(DROP_IP4_FLAGS);
	recv_spec((struct nu_ip){.frag = DF | MF});
	expect_drop(DROP_IP4_FLAGS);
	recv_spec((struct nu_ip){.frag = DF | 2});
	expect_drop(DROP_IP4_FLAGS);
}
END_TEST

START_TEST(packet_too_short_for_its_ports_is_dropped)
{
	recv_spec((struct nu_ip){.data = payload, .len = 3});
	expect_drop(DROP_L4_SHORT);
	recv_spec((struct nu_ip){.data = payload, .len = 0});
	expect_drop(DROP_L4_SHORT);
}
END_TEST

/* RFC 4301 s5.2: policy judges it before RFC 1122 s3.2.2.1 has it answered. */
START_TEST(unknown_protocol_goes_on_to_be_judged)
{
	struct pkt_meta *pm;

	recv_spec((struct nu_ip){.proto = IPPROTO_N_IPIP, .len = 40});
	ck_assert_uint_eq(s.v[NX_OTHER].n, 1);
	pm = pkt_meta(s.v[NX_OTHER].m[0]);
	ck_assert_uint_eq(pm->nxt, IPPROTO_N_IPIP);
	ck_assert_uint_eq(pm->key.proto, IPPROTO_N_IPIP);
	ck_assert_uint_eq(pm->key.lport, 0);
	ck_assert_uint_eq(pm->l4_len, 40);
	ck_assert_uint_eq(nu_drops(&e->lc), 0);
	ck_assert_uint_eq(e->lc.out_l4.n, 0);
}
END_TEST

/* A tagged packet is what a tunnel left over: 34 bytes of outer headers, then the inner packet. */
static void
recv_inner(uint8_t outer_tos, uint8_t inner_tos)
{
	uint8_t buf[NU_MAX];
	size_t n = make(buf + 34, (struct nu_ip){.tos = inner_tos});
	struct rte_mbuf *m;

	memset(buf, 0xcc, 34);
	memset(buf + 34 + n, 0, 99);
	m = env_pkt(e, buf, 34 + n + 99);
	pkt_meta(m)->l3_off = 34;
	pkt_meta(m)->tos = outer_tos;
	pkt_meta(m)->flags = PKT_F_CSUM_OK;
	pkt_tag_set(&e->lc, m, (struct tl_tag){1, 2, 3});
	recv_mbuf(m);
}

/* E-7: RFC 4303 s2.7 */
START_TEST(inner_packet_keeps_its_tag_and_loses_traffic_padding)
{
	recv_inner(0, 0);
	ck_assert(pkt_is_tagged(&e->lc, the_tcp()));
	ck_assert_uint_eq(pkt_tag(&e->lc, the_tcp())->profile, 3);
	ck_assert_uint_eq(the_tcp()->pkt_len, 34 + 28);
	ck_assert_uint_eq(pkt_meta(the_tcp())->l4_off, 54);
	ck_assert_uint_eq(pkt_meta(the_tcp())->l4_len, 8);
	ck_assert_uint_eq(*pkt_data(the_tcp(), 33), 0xcc);
	ck_assert_uint_eq(pkt_meta(the_tcp())->flags & PKT_F_CSUM_OK, 0);
}
END_TEST

/* RFC 6040 s4.2, figure 4; rows: inner, columns: outer Not-ECT, ECT(1), ECT(0), CE as coded. */
START_TEST(ecn_of_a_decapsulated_packet_is_that_of_both_headers)
{
	static const uint8_t want[4][4] = {
		[0] = {0, 0, 0, 0xff},
		[1] = {1, 1, 1, 3},
		[2] = {2, 1, 2, 3},
		[3] = {3, 3, 3, 3},
	};

	for (uint8_t in = 0; in < 4; in++) {
		for (uint8_t out = 0; out < 4; out++) {
			recv_inner(out, 0x20 | in);
			if (want[in][out] == 0xff) {
				expect_drop(DROP_IP_ECN);
				continue;
			}
			ck_assert_uint_eq(pkt_meta(the_tcp())->tos, 0x20 | want[in][out]);
			nu_sort_free(&s);
		}
	}
}
END_TEST

START_TEST(fragments_come_out_as_one_packet)
{
	struct rte_mbuf *m;

	recv_spec((struct nu_ip){.id = 7, .frag = MF, .len = 800, .data = payload});
	ck_assert_uint_eq(nu_sort_free(&s), 0);
	recv_spec((struct nu_ip){.id = 7, .frag = 100, .len = 13, .data = payload});
	m = the_tcp();
	ck_assert_uint_eq(pkt_meta(m)->l4_len, 813);
	ck_assert_uint_eq(pkt_meta(m)->l4_off, 20);
	ck_assert_uint_eq(m->pkt_len, 833);
	ck_assert_uint_eq(pkt_meta(m)->flags & PKT_F_REASS, PKT_F_REASS);
	ck_assert_uint_eq(pkt_meta(m)->key.lport, RTE_BE16(80));
	ck_assert_uint_eq(nu_drops(&e->lc), 0);
}
END_TEST

START_TEST(all_fragments_of_a_datagram_go_to_one_worker)
{
	struct msg_ctx msg = {0};
	uint32_t mine = 0, theirs = 0;
	void *obj;

	msg.peer[1] = rte_ring_create("w1", 256, SOCKET_ID_ANY, 0);
	e->lc.msg = &msg;
	e->lc.nb_workers = 2;
	for (uint16_t id = 0; id < 32; id++) {
		uint32_t alive = frag_in_use(&e->lc);
		uint16_t first = (uint16_t)((id & 1) != 0 ? MF : 50);

		recv_spec((struct nu_ip){.id = id,
			.frag = first,
			.len = 400,
			.data = payload,
			.src = rte_cpu_to_be_32(0x0a000010u + id)});
		if (frag_in_use(&e->lc) > alive) {
			mine++;
		} else {
			struct rte_mbuf *m;

			theirs++;
			ck_assert_int_eq(rte_ring_dequeue(msg.peer[1], &obj), 0);
			m = obj;
			ck_assert_uint_eq(pkt_meta(m)->handoff, HANDOFF_IP);
			/* At the owner it is not handed on. */
			e->lc.id = 1;
			recv_mbuf(m);
			ck_assert_uint_eq(frag_in_use(&e->lc), alive + 1);
			e->lc.id = 0;
		}
	}
	ck_assert_uint_gt(mine, 4);
	ck_assert_uint_gt(theirs, 4);
	ck_assert_uint_eq(rte_ring_count(msg.peer[1]), 0);
	rte_ring_free(msg.peer[1]);
	e->lc.nb_workers = 1;
}
END_TEST

static struct rte_mbuf *
to_send(uint32_t len)
{
	struct rte_mbuf *m = nu_out_pkt(e, len);
	struct pkt_meta *pm = pkt_meta(m);

	pm->key.local = ip_addr_v4(NU_US);
	pm->key.remote = ip_addr_v4(NU_PEER);
	pm->nxt = IPPROTO_N_TCP;
	pm->tos = 0xb9;
	pm->ttl = 55;
	pm->flags = PKT_F_DF;
	return m;
}

/* Runs one packet through ip_out(); returns it, NULL if it was dropped. */
static struct rte_mbuf *
out(struct rte_mbuf *m)
{
	struct pkt_vec v = {.n = 1, .m = {m}};

	ip_out(&e->lc, &v);
	ck_assert_uint_le(v.n, 1);
	return v.n == 1 ? v.m[0] : NULL;
}

static void
expect_header(const struct rte_mbuf *m, uint32_t off, const struct nu_ip *want)
{
	uint8_t ip[NU_MAX];
	struct nu_ip w = *want;

	w.len = m->data_len - off - 20;
	w.data = pkt_data(m, off + 20);
	nu_ip(ip, &w);
	ck_assert_mem_eq(pkt_data(m, off), ip, 20);
}

START_TEST(header_is_made_from_the_metadata)
{
	struct rte_mbuf *m = out(to_send(100));

	ck_assert_ptr_nonnull(m);
	expect_header(m, 0,
		&(struct nu_ip){.src = NU_US,
			.dst = NU_PEER,
			.proto = IPPROTO_N_TCP,
			.tos = 0xb9,
			.ttl = 55,
			.frag = DF});
	ck_assert_uint_eq(m->pkt_len, 120);
	ck_assert_uint_eq(ip_addr_to_v4(&pkt_meta(m)->nexthop), NU_PEER);
	ck_assert_uint_eq(pkt_meta(m)->l3_off, 0);
	ck_assert_uint_eq(pkt_meta(m)->l4_off, 20);
	rte_pktmbuf_free(m);
}
END_TEST

START_TEST(remote_destination_goes_to_the_gateway)
{
	struct rte_mbuf *m = to_send(100);

	pkt_meta(m)->key.remote = ip_addr_v4(RTE_BE32(0x08080808));
	m = out(m);
	ck_assert_ptr_nonnull(m);
	ck_assert_uint_eq(ip_addr_to_v4(&pkt_meta(m)->nexthop), RTE_BE32(0x0a0000fe));
	rte_pktmbuf_free(m);
}
END_TEST

START_TEST(route_names_the_port)
{
	struct ip_addr net = ip_addr_v4(RTE_BE32(0x0b000000));
	struct port second = {.index = 1, .mtu_bytes = 600};
	struct rte_mbuf *m = to_send(580);

	e->lc.port[1] = &second;
	e->lc.nb_ports = 2;
	ck_assert_int_eq(route_add(&e->lc, &net, 8, NULL, 1), 0);
	pkt_meta(m)->key.remote = ip_addr_v4(RTE_BE32(0x0b000001));
	m = out(m);
	ck_assert_ptr_nonnull(m);
	ck_assert_uint_eq(pkt_meta(m)->port, 1);
	rte_pktmbuf_free(m);
	m = to_send(581);
	pkt_meta(m)->key.remote = ip_addr_v4(RTE_BE32(0x0b000001));
	ck_assert_ptr_null(out(m));
	e->lc.nb_ports = 1;
}
END_TEST

START_TEST(ttl_zero_in_the_metadata_means_the_default)
{
	struct rte_mbuf *m = to_send(100);

	pkt_meta(m)->ttl = 0;
	m = out(m);
	ck_assert_uint_eq(*pkt_data(m, 8), 64);
	rte_pktmbuf_free(m);
}
END_TEST

START_TEST(destination_without_route_or_ours_is_dropped)
{
	struct rte_mbuf *m = to_send(100);

	pkt_meta(m)->key.remote = ip_addr_v4(RTE_BE32(0xe0000001));
	ck_assert_ptr_null(out(m));
	m = to_send(100);
	pkt_meta(m)->key.remote = ip_addr_v4(NU_US);
	ck_assert_ptr_null(out(m));
	ck_assert_uint_eq(nu_drop(e, DROP_ROUTE_NONE), 2);
}
END_TEST

/* F-29: a realm is a network of its own; no route leads from one into another. */
START_TEST(route_into_another_realm_is_no_route)
{
	struct ip_addr net = ip_addr_v4(RTE_BE32(0x0b000000));
	struct port second = {.index = 1, .mtu_bytes = 1500, .realm = 7, .nb_addrs = 1};
	struct rte_mbuf *m = to_send(100);

	second.addr[0] = (struct port_addr){.addr = ip_addr_v4(RTE_BE32(0x0b000001)), .plen = 8};
	e->lc.port[1] = &second;
	e->lc.nb_ports = 2;
	ck_assert_int_eq(route_add(&e->lc, &net, 8, NULL, 1), 0);
	pkt_meta(m)->key.remote = ip_addr_v4(RTE_BE32(0x0b000002));
	ck_assert_ptr_null(out(m));
	m = to_send(100);
	pkt_meta(m)->key.realm = 7;
	ck_assert_ptr_null(out(m));
	m = to_send(100);
	pkt_meta(m)->tunnel = 1;
	pkt_meta(m)->tun_src = ip_addr_v4(NU_US);
	pkt_meta(m)->tun_dst = ip_addr_v4(RTE_BE32(0x0b000002));
	ck_assert_ptr_null(out(m));
	ck_assert_uint_eq(nu_drop(e, DROP_ROUTE_NONE), 3);
	m = to_send(100);
	pkt_meta(m)->key.realm = 7;
	pkt_meta(m)->key.remote = ip_addr_v4(RTE_BE32(0x0b000002));
	m = out(m);
	ck_assert_ptr_nonnull(m);
	ck_assert_uint_eq(pkt_meta(m)->port, 1);
	rte_pktmbuf_free(m);
	m = to_send(100);
	pkt_meta(m)->key.realm = 7;
	pkt_meta(m)->key.remote = ip_addr_v4(RTE_BE32(0x0b000001));
	ck_assert_ptr_null(out(m));
	e->lc.nb_ports = 1;
}
END_TEST

/* RFC 4301 s5.1.2.1, RFC 6040 s4.1 */
START_TEST(tunnel_packet_gets_an_inner_and_an_outer_header)
{
	struct rte_mbuf *m = to_send(100);
	struct pkt_meta *pm = pkt_meta(m);
	struct pkt_vec v = {.n = 1, .m = {m}};

	pm->tunnel = 1;
	pm->key.remote = ip_addr_v4(RTE_BE32(0xc0a80001));
	pm->key.local = ip_addr_v4(RTE_BE32(0xc0a80102));
	pm->tun_src = ip_addr_v4(NU_US);
	pm->tun_dst = ip_addr_v4(NU_PEER);
	ip_out_inner(&e->lc, &v);
	ck_assert_uint_eq(v.n, 1);
	ck_assert_uint_eq(pm->nxt, IPPROTO_N_IPIP);
	expect_header(m, 0,
		&(struct nu_ip){.src = RTE_BE32(0xc0a80102),
			.dst = RTE_BE32(0xc0a80001),
			.proto = IPPROTO_N_TCP,
			.tos = 0xb9,
			.ttl = 55,
			.frag = DF});
	pm->nxt = IPPROTO_N_ESP;
	m = out(m);
	expect_header(m, 0,
		&(struct nu_ip){.src = NU_US,
			.dst = NU_PEER,
			.proto = IPPROTO_N_ESP,
			.tos = 0xb9,
			.ttl = 64,
			.frag = DF});
	ck_assert_uint_eq(ip_addr_to_v4(&pkt_meta(m)->nexthop), NU_PEER);
	ck_assert_uint_eq(m->pkt_len, 140);
	rte_pktmbuf_free(m);
}
END_TEST

START_TEST(packet_without_tunnel_gets_no_inner_header)
{
	struct pkt_vec v = {.n = 1, .m = {to_send(100)}};

	ip_out_inner(&e->lc, &v);
	ck_assert_uint_eq(v.n, 1);
	ck_assert_uint_eq(v.m[0]->pkt_len, 100);
	ck_assert_uint_eq(pkt_meta(v.m[0])->nxt, IPPROTO_N_TCP);
	rte_pktmbuf_free(v.m[0]);
}
END_TEST

START_TEST(big_packet_with_df_is_dropped)
{
	struct rte_mbuf *m = out(to_send(1480));

	ck_assert_ptr_nonnull(m);
	rte_pktmbuf_free(m);
	ck_assert_ptr_null(out(to_send(1481)));
	ck_assert_uint_eq(nu_drop(e, DROP_IP_TOOBIG), 1);
}
END_TEST

START_TEST(big_packet_without_df_is_cut)
{
	struct pkt_vec v = {.n = 1, .m = {to_send(1481)}};

	pkt_meta(v.m[0])->flags = 0;
	ip_out(&e->lc, &v);
	ck_assert_uint_eq(v.n, 2);
	ck_assert_uint_eq(v.m[0]->pkt_len, 1500);
	ck_assert_uint_eq(v.m[1]->pkt_len, 21);
	ck_assert_mem_eq(pkt_data(v.m[0], 4), pkt_data(v.m[1], 4), 2);
	ck_assert_uint_eq(ip_addr_to_v4(&pkt_meta(v.m[1])->nexthop), NU_PEER);
	pkt_vec_drop(&e->lc, &v, DROP_PORT_CLOSED);
}
END_TEST

START_TEST(more_fragments_than_a_vector_holds_leave_in_order)
{
	struct pkt_vec v = {.n = PKT_BURST};
	struct rte_mbuf *m;
	uint32_t n = 0;

	e->port.bare_ip = true;
	for (uint32_t i = 0; i < PKT_BURST; i++) {
		v.m[i] = to_send(2000);
		*pkt_data(v.m[i], 0) = (uint8_t)i;
		pkt_meta(v.m[i])->flags = 0;
	}
	ip_out(&e->lc, &v);
	ck_assert_uint_eq(v.n, PKT_BURST);
	while ((m = env_sent(e)) != NULL) {
		if (n % 2 == 0)
			ck_assert_uint_eq(*pkt_data(m, 20), n / 2);
		rte_pktmbuf_free(m);
		n++;
	}
	ck_assert_uint_eq(n, PKT_BURST);
	ck_assert_uint_eq(*pkt_data(v.m[0], 20), PKT_BURST / 2);
	pkt_vec_drop(&e->lc, &v, DROP_PORT_CLOSED);
}
END_TEST

/* RFC 6864 s4.3 */
START_TEST(ids_of_packets_without_df_differ_between_packets_and_workers)
{
	uint16_t seen[4];

	e->lc.nb_workers = 2;
	for (uint32_t i = 0; i < 4; i++) {
		struct rte_mbuf *m = to_send(100);

		e->lc.id = (uint16_t)(i % 2);
		pkt_meta(m)->flags = 0;
		m = out(m);
		memcpy(&seen[i], pkt_data(m, 4), 2);
		ck_assert_uint_eq(rte_be_to_cpu_16(seen[i]) % 2, i % 2);
		rte_pktmbuf_free(m);
		for (uint32_t k = 0; k < i; k++)
			ck_assert_uint_ne(seen[k], seen[i]);
	}
	e->lc.nb_workers = 1;
	e->lc.id = 0;
}
END_TEST

START_TEST(packet_without_headroom_is_dropped)
{
	struct rte_mbuf *m = env_pkt(e, payload, 100);
	struct pkt_vec v = {.n = 1};

	pkt_meta(m)->key.remote = ip_addr_v4(NU_PEER);
	ck_assert_ptr_null(out(m));
	ck_assert_uint_eq(nu_drop(e, DROP_NOBUF), 1);
	v.m[0] = env_pkt(e, payload, 100);
	pkt_meta(v.m[0])->tunnel = 1;
	ip_out_inner(&e->lc, &v);
	ck_assert_uint_eq(v.n, 0);
	ck_assert_uint_eq(nu_drop(e, DROP_NOBUF), 2);
}
END_TEST

static void
feed_broken(const uint8_t *data, size_t len)
{
	uint64_t before = nu_drops(&e->lc);
	uint32_t held = frag_in_use(&e->lc);

	recv_bytes(data, len);
	ck_assert_uint_eq(
		nu_drops(&e->lc) - before + nu_sort_free(&s) + frag_in_use(&e->lc) - held, 1);
	pkt_queue_drop(&e->lc, &e->lc.out_l4, DROP_PORT_CLOSED);
	e->lc.now_ns += 60000000000;
	tmr_run(&e->lc);
}

/* The same with a checksum that fits, so that the checks behind it see the damage. */
static void
feed_broken_fixed(const uint8_t *data, size_t len)
{
	uint8_t copy[NU_MAX];

	memcpy(copy, data, len);
	if (len >= 20 && (size_t)(copy[0] & 15) * 4 <= len)
		nu_fix_csum(copy);
	feed_broken(copy, len);
}

START_TEST(every_broken_packet_passes_or_ends_in_one_counter)
{
	static const uint8_t opt[] = {7, 7, 4, 0, 0, 0, 0, 1, 0x94, 4, 0, 0};
	static const uint8_t protos[] = {IPPROTO_N_TCP, IPPROTO_N_ICMP, IPPROTO_N_ESP};
	/* The last one ends 11 bytes before what an IPv4 length can say. */
	static const uint16_t frags[] = {MF, MF | 3, 2, 100, 0x1ff9};
	uint8_t ip[NU_MAX];

	for (uint32_t i = 0; i < RTE_DIM(protos); i++) {
		size_t n = make(ip, (struct nu_ip){.proto = protos[i]});

		nu_each_broken(ip, n, feed_broken);
		nu_each_broken(ip, n, feed_broken_fixed);
		n = make(
			ip, (struct nu_ip){.proto = protos[i], .opt = opt, .opt_len = sizeof(opt)});
		nu_each_broken(ip, n, feed_broken);
		nu_each_broken(ip, n, feed_broken_fixed);
	}
	for (uint32_t i = 0; i < RTE_DIM(frags); i++) {
		size_t n = make(ip, (struct nu_ip){.frag = frags[i], .data = payload, .len = 24});

		nu_each_broken(ip, n, feed_broken);
		nu_each_broken(ip, n, feed_broken_fixed);
	}
	ck_assert_uint_gt(nu_drop(e, DROP_IP4_OPTIONS), 0);
	ck_assert_uint_gt(nu_drop(e, DROP_FRAG_RANGE), 0);
	ck_assert_uint_gt(nu_drop(e, DROP_FRAG_SHORT), 0);
	ck_assert_uint_gt(nu_drop(e, DROP_FRAG_TOOBIG), 0);
	ck_assert_uint_gt(nu_drop(e, DROP_FRAG_TIMEOUT), 0);
}
END_TEST

static void
add_receive_tests(TCase *c)
{
	tcase_add_test(c, good_packet_goes_on_with_complete_metadata);
	tcase_add_test(c, each_protocol_goes_to_its_stage);
	tcase_add_test(c, padding_behind_the_packet_is_cut_off);
	tcase_add_test(c, bad_lengths_and_version_are_dropped);
	tcase_add_test(c, wrong_checksum_is_dropped);
	tcase_add_test(c, impossible_sources_are_dropped);
	tcase_add_test(c, destination_must_be_ours_in_this_realm);
	tcase_add_test(c, unicast_packet_in_a_broadcast_frame_is_dropped);
	tcase_add_test(c, well_formed_options_are_skipped);
	tcase_add_test(c, source_routes_and_malformed_options_are_dropped);
	tcase_add_test(c, bad_flags_are_dropped);
	tcase_add_test(c, packet_too_short_for_its_ports_is_dropped);
	tcase_add_test(c, unknown_protocol_goes_on_to_be_judged);
	tcase_add_test(c, inner_packet_keeps_its_tag_and_loses_traffic_padding);
	tcase_add_test(c, ecn_of_a_decapsulated_packet_is_that_of_both_headers);
	tcase_add_test(c, fragments_come_out_as_one_packet);
	tcase_add_test(c, all_fragments_of_a_datagram_go_to_one_worker);
	tcase_add_test(c, every_broken_packet_passes_or_ends_in_one_counter);
}

/* What became of a packet: where it went or why not, and what was read from it. */
struct outcome {
	uint64_t drop[DROP_MAX];
	uint32_t n[NX_MAX];
	struct flow_key key;
	uint32_t l4_off, l4_len;
	uint8_t nxt, tos, ttl, flags;
};

/* The last packet that one vector holds more than before. */
static void
note_packet(struct outcome *o, const uint32_t *before)
{
	for (uint32_t i = 0; i < NX_MAX; i++) {
		const struct pkt_meta *pm;

		o->n[i] = s.v[i].n - before[i];
		if (o->n[i] == 0)
			continue;
		pm = pkt_meta(s.v[i].m[s.v[i].n - 1]);
		o->key = pm->key;
		o->l4_off = pm->l4_off;
		o->l4_len = pm->l4_len;
		o->nxt = pm->nxt;
		o->tos = pm->tos;
		o->ttl = pm->ttl;
		o->flags = pm->flags;
	}
}

/* The packet alone, or in one burst after a good one. */
static void
judge(struct outcome *o, const uint8_t *ip, size_t len, const uint8_t *first, size_t first_len)
{
	uint32_t before[NX_MAX] = {0};

	memset(o, 0, sizeof(*o));
	nu_sort_free(&s);
	pkt_sort_reset(&s);
	memset(e->lc.stat.drop, 0, sizeof(e->lc.stat.drop));
	if (first != NULL) {
		pkt_vec_add(&s.v[NX_IP], framed(first, first_len));
		before[NX_TCP] = 1;
	}
	pkt_vec_add(&s.v[NX_IP], framed(ip, len));
	ip_in(&e->lc, &s);
	memcpy(o->drop, e->lc.stat.drop, sizeof(o->drop));
	note_packet(o, before);
}

/* A packet with one bit of its header turned round, and with the checksum that it had or the right
 * one. Each is another datagram, because fragments would meet. */
static size_t
spoil(uint8_t *ip, uint32_t bit, bool is_fixed, uint16_t id)
{
	size_t len = make(ip, (struct nu_ip){.frag = DF, .id = id});

	ip[bit / 8] ^= (uint8_t)(1u << bit % 8);
	if (is_fixed)
		nu_fix_csum(ip);
	return len;
}

/* Every bit of the header. */
START_TEST(packet_after_a_good_one_is_judged_as_if_it_were_alone)
{
	uint8_t good[NU_MAX], ip[NU_MAX];
	size_t len = make(good, (struct nu_ip){.frag = DF});
	struct outcome alone, after;

	for (uint16_t i = 0; i < 2 * 8 * 20; i++) {
		judge(&alone, ip, spoil(ip, i / 2, (i & 1) != 0, (uint16_t)(2 * i)), NULL, 0);
		judge(&after, ip, spoil(ip, i / 2, (i & 1) != 0, (uint16_t)(2 * i + 1)), good, len);
		ck_assert_mem_eq(&alone, &after, sizeof(alone));
	}
	judge(&after, good, len, good, len);
	ck_assert_uint_eq(after.n[NX_TCP], 1);
}
END_TEST

/* F-29: what is ours in one realm is not in another. */
START_TEST(packet_of_another_realm_is_not_like_the_one_before)
{
	uint8_t ip[NU_MAX];
	size_t len = make(ip, (struct nu_ip){.frag = DF});
	struct rte_mbuf *other = framed(ip, len);

	pkt_meta(other)->key.realm = 5;
	pkt_vec_add(&s.v[NX_IP], framed(ip, len));
	pkt_vec_add(&s.v[NX_IP], other);
	ip_in(&e->lc, &s);
	ck_assert_uint_eq(s.v[NX_TCP].n, 1);
	ck_assert_uint_eq(nu_drop(e, DROP_IP4_DST), 1);
}
END_TEST

int
main(void)
{
	Suite *su = suite_create("ip4");
	TCase *c = tcase_create("ip4");

	tcase_add_checked_fixture(c, setup, teardown);
	add_receive_tests(c);
	tcase_add_test(c, header_is_made_from_the_metadata);
	tcase_add_test(c, remote_destination_goes_to_the_gateway);
	tcase_add_test(c, route_names_the_port);
	tcase_add_test(c, ttl_zero_in_the_metadata_means_the_default);
	tcase_add_test(c, destination_without_route_or_ours_is_dropped);
	tcase_add_test(c, route_into_another_realm_is_no_route);
	tcase_add_test(c, tunnel_packet_gets_an_inner_and_an_outer_header);
	tcase_add_test(c, packet_without_tunnel_gets_no_inner_header);
	tcase_add_test(c, big_packet_with_df_is_dropped);
	tcase_add_test(c, big_packet_without_df_is_cut);
	tcase_add_test(c, more_fragments_than_a_vector_holds_leave_in_order);
	tcase_add_test(c, ids_of_packets_without_df_differ_between_packets_and_workers);
	tcase_add_test(c, packet_without_headroom_is_dropped);
	tcase_add_test(c, packet_after_a_good_one_is_judged_as_if_it_were_alone);
	tcase_add_test(c, packet_of_another_realm_is_not_like_the_one_before);
	suite_add_tcase(su, c);
	return env_main(su);
}
