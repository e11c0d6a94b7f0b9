/* SPDX-License-Identifier: BSD-3-Clause */
#include <rte_ring.h>

#include "stack/base/msg.h"
#include "stack/net/arp.h"
#include "stack/net/frag.h"
#include "stack/net/icmp.h"
#include "stack/net/ip4.h"
#include "stack/net/ip6.h"
#include "stack/net/nd.h"
#include "stack/net/route.h"
#include "tests/net/net6_util.h"

enum { L3_OFF = 14, TCP = IPPROTO_N_TCP };

static struct env *e;
static struct pkt_sort s;
static const uint8_t payload[1600] = {
	0x30, 0x39, 0x00, 0x50, 0, 0, 0, 1, 0, 0, 0, 0, 0x50, 0x10, 0, 0, 0, 0, 0, 0, 'h', 'i'};

static void
setup(void)
{
	struct ip_addr net = n6_addr("fd00::"), any = n6_addr("::"), gw = n6_addr("fd00::fe");
	struct ip_addr net4 = ip_addr_v4(RTE_BE32(0x0a000000));
	struct frag_conf frag;
	struct arp_conf arp;
	struct nd_conf nd;

	e = env_setup();
	n6_port(e);
	frag_conf_default(&frag);
	arp_conf_default(&arp);
	nd_conf_default(&nd);
	ck_assert_int_eq(ip4_create(&e->lc), 0);
	ck_assert_int_eq(frag_create(&e->lc, &frag), 0);
	ck_assert_int_eq(arp_create(&e->lc, &arp), 0);
	ck_assert_int_eq(nd_create(&e->lc, &nd), 0);
	ck_assert_int_eq(icmp_create(&e->lc, NULL), 0);
	ck_assert_int_eq(route_create(&e->lc, "rt", SOCKET_ID_ANY), 0);
	ck_assert_int_eq(route_add(&e->lc, &net, 64, NULL, 0), 0);
	ck_assert_int_eq(route_add(&e->lc, &any, 0, &gw, 0), 0);
	ck_assert_int_eq(route_add(&e->lc, &net4, 24, NULL, 0), 0);
	pkt_sort_reset(&s);
}

static void
teardown(void)
{
	nu_sort_free(&s);
	route_free(&e->lc);
	icmp_destroy(&e->lc);
	nd_destroy(&e->lc);
	arp_destroy(&e->lc);
	frag_destroy(&e->lc);
	ip4_destroy(&e->lc);
	env_teardown(e);
}

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

static size_t
make(uint8_t *ip, struct n6 x)
{
	if (x.nxt == 0)
		x.nxt = TCP;
	if (x.data == NULL) {
		x.data = payload;
		x.len = 22;
	}
	return n6_ip(ip, &x);
}

static void
recv_one(struct n6 x)
{
	uint8_t ip[NU_MAX];
	size_t n = make(ip, x);

	recv_bytes(ip, n);
}

static void
expect_drop(enum drop_reason r)
{
	ck_assert_msg(nu_drop(e, r) == 1, "%s was not counted", drop_reason_name(r));
	ck_assert_uint_eq(nu_drops(&e->lc), 1);
	ck_assert_uint_eq(nu_sort_free(&s), 0);
	memset(&e->lc.stat, 0, sizeof(e->lc.stat));
}

/* The only packet, which went to nx. The caller frees it. */
static struct rte_mbuf *
expect_one(enum pkt_next nx)
{
	uint32_t n = 0;

	for (uint32_t i = 0; i < NX_MAX; i++)
		n += s.v[i].n;
	ck_assert_uint_eq(n, 1);
	ck_assert_uint_eq(s.v[nx].n, 1);
	ck_assert_uint_eq(nu_drops(&e->lc), 0);
	s.v[nx].n = 0;
	return s.v[nx].m[0];
}

START_TEST(tcp_comes_with_its_metadata)
{
	struct ip_addr us = n6_addr(N6_US), peer = n6_addr(N6_PEER);
	const struct pkt_meta *pm;
	struct rte_mbuf *m;

	recv_one((struct n6){.tc = 0xb9, .hops = 7});
	m = expect_one(NX_TCP);
	pm = pkt_meta(m);
	ck_assert(ip_addr_eq(&pm->key.local, &us) && ip_addr_eq(&pm->key.remote, &peer));
	ck_assert_uint_eq(pm->key.rport, RTE_BE16(0x3039));
	ck_assert_uint_eq(pm->key.lport, RTE_BE16(0x50));
	ck_assert_uint_eq(pm->tos, 0xb9);
	ck_assert_uint_eq(pm->ttl, 7);
	ck_assert_uint_eq(pm->l4_off, L3_OFF + 40);
	ck_assert_uint_eq(pm->l4_len, 22);
	rte_pktmbuf_free(m);
}
END_TEST

START_TEST(bad_lengths_are_dropped_and_padding_is_cut)
{
	uint8_t ip[NU_MAX] = {0};
	size_t n = make(ip, (struct n6){0});
	struct rte_mbuf *m;

	recv_bytes(ip, 39);
	expect_drop(DROP_IP6_SHORT);
	recv_bytes(ip, n - 1);
	expect_drop(DROP_IP6_LEN);
	recv_bytes(ip, n + 4);
	m = expect_one(NX_TCP);
	ck_assert_uint_eq(m->data_len, L3_OFF + n);
	rte_pktmbuf_free(m);
}
END_TEST

/* RFC 4291 s2.5.2, s2.5.3, s2.5.5.2, s2.7 */
START_TEST(impossible_sources_are_dropped)
{
	static const char *const bad[] = {"::", "::1", "ff02::1", N6_US, N6_LL};
	uint8_t ip[NU_MAX];
	size_t n;

	for (size_t i = 0; i < RTE_DIM(bad); i++) {
		recv_one((struct n6){.src = bad[i]});
		expect_drop(DROP_IP6_SRC);
	}
	n = make(ip, (struct n6){0});
	memset(ip + 8, 0, 10);
	memset(ip + 18, 0xff, 2);
	recv_bytes(ip, n);
	expect_drop(DROP_IP6_SRC);
	/* A scope on the wire would name another port. */
	n = make(ip, (struct n6){.src = N6_PEERLL});
	ip[8 + 3] = 2;
	recv_bytes(ip, n);
	expect_drop(DROP_IP6_SRC);
}
END_TEST

START_TEST(destination_must_be_ours)
{
	static const char *const bad[] = {"fd00::9", "::", "ff02::2", "ff0e::1", "fe80::9",
		"ff02::1:ff00:9", "ff02::1", "ff02::1:ff00:1"};

	/* The last two are our groups, but not for TCP. */
	for (size_t i = 0; i < RTE_DIM(bad); i++) {
		recv_one((struct n6){.dst = bad[i]});
		expect_drop(DROP_IP6_DST);
	}
	e->port.addr[1].state = ADDR_TENTATIVE;
	recv_one((struct n6){0});
	expect_drop(DROP_IP6_DST);
}
END_TEST

START_TEST(link_local_addresses_carry_their_port)
{
	struct rte_mbuf *m;

	recv_one((struct n6){.src = N6_PEERLL, .dst = N6_LL});
	m = expect_one(NX_TCP);
	ck_assert_uint_eq(ip_addr_scope(&pkt_meta(m)->key.remote), 1);
	ck_assert_uint_eq(ip_addr_scope(&pkt_meta(m)->key.local), 1);
	rte_pktmbuf_free(m);
}
END_TEST

static const uint8_t dstopts[] = {TCP, 0, 1, 4, 0, 0, 0, 0};

/* The payload behind one extension header of 8 bytes. */
static size_t
with_ext(uint8_t *ip, uint8_t type, const uint8_t ext[8])
{
	uint8_t data[64];

	memcpy(data, ext, 8);
	memcpy(data + 8, payload, 22);
	return n6_ip(ip, &(struct n6){.nxt = type, .data = data, .len = 30});
}

START_TEST(extension_headers_are_skipped)
{
	uint8_t ip[NU_MAX];
	struct rte_mbuf *m;

	recv_bytes(ip, with_ext(ip, IP6_NH_DSTOPTS, dstopts));
	m = expect_one(NX_TCP);
	ck_assert_uint_eq(pkt_meta(m)->l4_off, L3_OFF + 48);
	ck_assert_uint_eq(pkt_meta(m)->l4_len, 22);
	rte_pktmbuf_free(m);
}
END_TEST

/* RFC 8200 s4.2: silence, or an error once the policy agrees. */
START_TEST(bad_options_end_or_are_to_be_told)
{
	static const uint8_t discard[] = {TCP, 0, 0x5e, 4, 0, 0, 0, 0};
	static const uint8_t tell[] = {TCP, 0, 0x9e, 4, 0, 0, 0, 0};
	static const uint8_t route[] = {TCP, 0, 0, 1, 0, 0, 0, 0};
	uint8_t ip[NU_MAX];
	struct rte_mbuf *m;

	recv_bytes(ip, with_ext(ip, IP6_NH_DSTOPTS, discard));
	expect_drop(DROP_IP6_OPTION);
	recv_bytes(ip, with_ext(ip, IP6_NH_DSTOPTS, tell));
	m = expect_one(NX_OTHER);
	ck_assert_uint_eq(pkt_meta(m)->problem_why, DROP_IP6_OPTION);
	ck_assert_uint_eq(pkt_meta(m)->problem_code, 2);
	ck_assert_uint_eq(pkt_meta(m)->problem_at, 42);
	ck_assert_uint_eq(pkt_meta(m)->key.lport, 0);
	rte_pktmbuf_free(m);
	/* RFC 5095 s3 */
	recv_bytes(ip, with_ext(ip, IP6_NH_ROUTING, route));
	m = expect_one(NX_OTHER);
	ck_assert_uint_eq(pkt_meta(m)->problem_why, DROP_IP6_ROUTING);
	rte_pktmbuf_free(m);
}
END_TEST

START_TEST(unknown_protocol_goes_on_to_be_judged)
{
	struct rte_mbuf *m;

	recv_one((struct n6){.nxt = 200});
	m = expect_one(NX_OTHER);
	ck_assert_uint_eq(pkt_meta(m)->problem_why, DROP_NONE);
	ck_assert_uint_eq(pkt_meta(m)->problem_at, 6);
	rte_pktmbuf_free(m);
	recv_one((struct n6){.nxt = 59});
	expect_drop(DROP_IP6_NONE);
}
END_TEST

static void
tag(struct rte_mbuf *m, uint8_t outer_tos)
{
	pkt_tag_set(&e->lc, m, (struct tl_tag){.sad_index = 1, .sad_gen = 1, .profile = 7});
	pkt_meta(m)->tos = outer_tos;
}

/* RFC 4861 s11; before the policy, so in a vector of its own. */
START_TEST(neighbour_discovery_goes_its_own_way)
{
	static const uint8_t ns[24] = {135};
	uint8_t ip[NU_MAX];
	struct rte_mbuf *m;
	size_t n;

	for (uint8_t type = 133; type <= 137; type++) {
		uint8_t msg[24] = {type};

		recv_one((struct n6){.nxt = IPPROTO_N_ICMP6, .data = msg, .len = 24});
		rte_pktmbuf_free(expect_one(NX_ND));
	}
	recv_one((struct n6){
		.dst = "ff02::1:ff00:1", .nxt = IPPROTO_N_ICMP6, .data = ns, .len = 24});
	rte_pktmbuf_free(expect_one(NX_ND));
	n = make(ip, (struct n6){.nxt = IPPROTO_N_ICMP6, .data = ns, .len = 24});
	m = framed(ip, n);
	tag(m, 0);
	recv_mbuf(m);
	expect_drop(DROP_ND_TUNNEL);
}
END_TEST

/* RFC 6040 s4.2, the two headers of different versions. */
START_TEST(ecn_of_a_tunnel_is_that_of_both_headers)
{
	uint8_t ip[NU_MAX];
	struct rte_mbuf *m;
	size_t n = make(ip, (struct n6){.tc = 2});

	m = framed(ip, n);
	tag(m, 3);
	recv_mbuf(m);
	m = expect_one(NX_TCP);
	ck_assert_uint_eq(pkt_meta(m)->tos, 3);
	ck_assert(pkt_is_tagged(&e->lc, m));
	rte_pktmbuf_free(m);
	n = make(ip, (struct n6){.tc = 0});
	m = framed(ip, n);
	tag(m, 3);
	recv_mbuf(m);
	expect_drop(DROP_IP_ECN);
	n = nu_ip(ip, &(struct nu_ip){.proto = TCP, .tos = 1, .data = payload, .len = 22});
	m = framed(ip, n);
	tag(m, 3);
	recv_mbuf(m);
	m = expect_one(NX_TCP);
	ck_assert_uint_eq(pkt_meta(m)->tos, 3);
	rte_pktmbuf_free(m);
}
END_TEST

/* ---- fragments ---- */

/* Bytes [off, off + len) of the payload under one fragment header. */
static size_t
fragment(uint8_t *ip, uint32_t id, uint32_t off, uint32_t len, bool more)
{
	uint8_t data[NU_MAX] = {TCP, 0, (uint8_t)(off >> 8), (uint8_t)(off | more),
		(uint8_t)(id >> 24), (uint8_t)(id >> 16), (uint8_t)(id >> 8), (uint8_t)id};

	memcpy(data + 8, payload + off, len);
	return n6_ip(ip, &(struct n6){.nxt = IP6_NH_FRAGMENT, .data = data, .len = len + 8});
}

static void
recv_fragment(uint32_t id, uint32_t off, uint32_t len, bool more)
{
	uint8_t ip[NU_MAX];

	recv_bytes(ip, fragment(ip, id, off, len, more));
}

static void
expect_whole(uint32_t len)
{
	struct rte_mbuf *m = expect_one(NX_TCP);
	const struct pkt_meta *pm = pkt_meta(m);

	ck_assert_uint_eq(pm->l4_len, len);
	ck_assert_mem_eq(pkt_data(m, pm->l4_off), payload, len);
	ck_assert_uint_eq(*pkt_data(m, pm->l3_off + 6u), TCP);
	ck_assert((pm->flags & PKT_F_REASS) != 0);
	rte_pktmbuf_free(m);
}

START_TEST(fragments_come_out_as_one_packet_in_any_order)
{
	recv_fragment(7, 800, 205, false);
	recv_fragment(7, 0, 400, true);
	ck_assert_uint_eq(frag_in_use(&e->lc), 1);
	recv_fragment(7, 400, 400, true);
	expect_whole(1005);
	ck_assert_uint_eq(frag_in_use(&e->lc), 0);
}
END_TEST

START_TEST(unfragmentable_part_stays)
{
	uint8_t ip[NU_MAX], data[NU_MAX];

	for (uint32_t off = 0; off < 160; off += 80) {
		size_t n = fragment(ip, 9, off, 80, off == 0);
		struct rte_mbuf *m;

		/* Destination options before the fragment header. */
		memcpy(data, dstopts, 8);
		data[0] = IP6_NH_FRAGMENT;
		memcpy(data + 8, ip + IP6_HLEN, n - IP6_HLEN);
		n = n6_ip(ip, &(struct n6){.nxt = IP6_NH_DSTOPTS,
				      .data = data,
				      .len = (uint32_t)(n - IP6_HLEN) + 8});
		recv_bytes(ip, n);
		if (off == 0)
			continue;
		m = expect_one(NX_TCP);
		ck_assert_uint_eq(pkt_meta(m)->l4_off, 48);
		ck_assert_uint_eq(pkt_meta(m)->l4_len, 160);
		ck_assert_uint_eq(*pkt_data(m, 40), TCP);
		rte_pktmbuf_free(m);
	}
}
END_TEST

/* RFC 5722 s4, RFC 8200 s4.5 */
START_TEST(overlap_ends_the_datagram_and_what_follows)
{
	recv_fragment(7, 0, 400, true);
	recv_fragment(7, 392, 400, true);
	ck_assert_uint_eq(nu_drop(e, DROP_FRAG_OVERLAP), 2);
	recv_fragment(7, 400, 400, false);
	ck_assert_uint_eq(nu_drop(e, DROP_FRAG_OVERLAP), 3);
	ck_assert_uint_eq(nu_sort_free(&s), 0);
	ck_assert_uint_eq(frag_in_use(&e->lc), 0);
}
END_TEST

/* RFC 6946 s4 */
START_TEST(atomic_fragment_passes_and_touches_nobody)
{
	recv_fragment(7, 0, 400, true);
	recv_fragment(7, 0, 300, false);
	expect_whole(300);
	recv_fragment(7, 400, 100, false);
	expect_whole(500);
}
END_TEST

/* RFC 7112 s5 */
START_TEST(first_fragment_without_the_chain_is_dropped)
{
	static const uint8_t cut[] = {TCP, 0, 0, 1, 0, 0, 0, 1, 1, 2, 3, 4, 5, 6, 7, 8};
	static const uint8_t ext[] = {
		IP6_NH_DSTOPTS, 0, 0, 1, 0, 0, 0, 1, TCP, 1, 1, 4, 0, 0, 0, 0};

	recv_one((struct n6){.nxt = IP6_NH_FRAGMENT, .data = cut, .len = 16});
	expect_drop(DROP_FRAG_CHAIN);
	recv_one((struct n6){.nxt = IP6_NH_FRAGMENT, .data = ext, .len = 16});
	expect_drop(DROP_IP6_EXT_SHORT);
}
END_TEST

/* RFC 8200 s4.5 */
START_TEST(fragment_of_a_broken_length_is_to_be_told)
{
	struct rte_mbuf *m;

	recv_fragment(7, 0, 401, true);
	m = expect_one(NX_OTHER);
	ck_assert_uint_eq(pkt_meta(m)->problem_why, DROP_FRAG_SHORT);
	ck_assert_uint_eq(pkt_meta(m)->problem_at, 4);
	rte_pktmbuf_free(m);
	recv_fragment(7, 0, 0, false);
	expect_drop(DROP_FRAG_SHORT);
}
END_TEST

START_TEST(fragments_end_beyond_the_largest_packet)
{
	uint8_t data[24] = {TCP, 0, 0xff, 0xf8, 0, 0, 0, 1};
	struct rte_mbuf *m;

	recv_one((struct n6){.nxt = IP6_NH_FRAGMENT, .data = data, .len = 24});
	m = expect_one(NX_OTHER);
	ck_assert_uint_eq(pkt_meta(m)->problem_why, DROP_FRAG_RANGE);
	ck_assert_uint_eq(pkt_meta(m)->problem_at, 42);
	rte_pktmbuf_free(m);
}
END_TEST

/* F-54 */
START_TEST(clear_and_protected_fragments_never_meet)
{
	uint8_t ip[NU_MAX];
	struct rte_mbuf *m = framed(ip, fragment(ip, 7, 0, 400, true));

	tag(m, 0);
	recv_mbuf(m);
	recv_fragment(7, 400, 400, false);
	ck_assert_uint_eq(nu_sort_free(&s), 0);
	ck_assert_uint_eq(frag_in_use(&e->lc), 2);
}
END_TEST

/* RFC 6980 s5 */
START_TEST(neighbour_discovery_in_fragments_is_refused)
{
	uint8_t data[32] = {IPPROTO_N_ICMP6, 0, 0, 0, 0, 0, 0, 1, 135};

	recv_one((struct n6){.nxt = IP6_NH_FRAGMENT, .data = data, .len = 32});
	expect_drop(DROP_ND_FRAG);
}
END_TEST

/* ---- hostile ---- */

static void
feed_broken(const uint8_t *data, size_t len)
{
	uint64_t before = nu_drops(&e->lc);
	uint32_t waiting = frag_in_use(&e->lc);

	e->lc.now_ns += 1000000;
	recv_bytes(data, len);
	ck_assert_uint_eq(
		nu_sort_free(&s) + (nu_drops(&e->lc) - before) + frag_in_use(&e->lc) - waiting, 1);
}

START_TEST(every_broken_packet_passes_or_ends_in_one_counter)
{
	static const uint8_t hbh[] = {TCP, 0, 5, 2, 0, 0, 1, 0};
	uint8_t ip[NU_MAX];

	nu_each_broken(ip, make(ip, (struct n6){0}), feed_broken);
	nu_each_broken(ip, with_ext(ip, IP6_NH_HOPOPTS, hbh), feed_broken);
	nu_each_broken(ip, with_ext(ip, IP6_NH_DSTOPTS, dstopts), feed_broken);
}
END_TEST

START_TEST(every_broken_fragment_ends_somewhere)
{
	uint8_t ip[NU_MAX], copy[NU_MAX];
	size_t n = fragment(ip, 7, 0, 40, true);

	for (size_t bit = 0; bit < n * 8; bit++) {
		memcpy(copy, ip, n);
		copy[bit / 8] ^= (uint8_t)(1u << (bit % 8));
		recv_bytes(copy, n);
		nu_sort_free(&s);
	}
	for (size_t len = 0; len < n; len++)
		recv_bytes(ip, len);
	nu_sort_free(&s);
	ck_assert_uint_le(frag_in_use(&e->lc), 64);
}
END_TEST

/* ---- transmit ---- */

static struct rte_mbuf *
to(struct rte_mbuf *m, const char *us, const char *peer)
{
	struct pkt_meta *pm = pkt_meta(m);

	pm->key.local = n6_addr(us);
	pm->key.remote = n6_addr(peer);
	pm->key.proto = pm->nxt = TCP;
	pm->tos = 0xb8;
	pm->flags = PKT_F_DF;
	return m;
}

START_TEST(header_is_made_from_the_metadata)
{
	struct rte_mbuf *m = to(nu_out_pkt(e, 100), N6_US, "2001:db8::9");
	struct pkt_vec v = {.n = 1, .m = {m}};
	struct ip_addr gw = n6_addr("fd00::fe");
	uint8_t want[NU_MAX], bytes[100];

	for (uint8_t i = 0; i < 100; i++)
		bytes[i] = i;
	n6_ip(want, &(struct n6){.src = N6_US,
			    .dst = "2001:db8::9",
			    .nxt = TCP,
			    .tc = 0xb8,
			    .data = bytes,
			    .len = 100});
	ip_out(&e->lc, &v);
	ck_assert_uint_eq(v.n, 1);
	ck_assert_uint_eq(m->pkt_len, 140);
	ck_assert_mem_eq(pkt_data(m, 0), want, 140);
	ck_assert(ip_addr_eq(&pkt_meta(m)->nexthop, &gw));
	ck_assert_uint_eq(pkt_meta(m)->l4_off, 40);
	rte_pktmbuf_free(m);
}
END_TEST

START_TEST(scope_never_leaves)
{
	struct rte_mbuf *m = to(nu_out_pkt(e, 20), N6_LL "%1", N6_PEERLL "%1");
	struct pkt_vec v = {.n = 1, .m = {m}};
	struct ip_addr src = n6_addr(N6_LL), dst = n6_addr(N6_PEERLL);

	ip_out(&e->lc, &v);
	ck_assert_uint_eq(v.n, 1);
	ck_assert_mem_eq(pkt_data(m, 8), src.b, 16);
	ck_assert_mem_eq(pkt_data(m, 24), dst.b, 16);
	rte_pktmbuf_free(m);
}
END_TEST

/* RFC 4303: 4 or 41 says what is inside; the outer header is the gateway's. */
START_TEST(tunnel_of_either_version_in_either)
{
	static const char *const us[] = {"10.0.0.1", N6_US}, *const peer[] = {"10.0.0.2", N6_PEER};

	for (int inner = 0; inner < 2; inner++) {
		for (int outer = 0; outer < 2; outer++) {
			struct rte_mbuf *m = to(nu_out_pkt(e, 20), us[inner], peer[inner]);
			struct pkt_meta *pm = pkt_meta(m);
			struct pkt_vec v = {.n = 1, .m = {m}};

			pm->tunnel = 1;
			pm->tun_src = n6_addr(us[outer]);
			pm->tun_dst = n6_addr(peer[outer]);
			ip_out_inner(&e->lc, &v);
			ck_assert_uint_eq(pm->nxt, inner ? IPPROTO_N_IPV6 : IPPROTO_N_IPIP);
			ck_assert_uint_eq(*pkt_data(m, 0) >> 4, inner ? 6 : 4);
			ip_out(&e->lc, &v);
			ck_assert_uint_eq(v.n, 1);
			ck_assert_uint_eq(*pkt_data(m, 0) >> 4, outer ? 6 : 4);
			ck_assert_uint_eq(
				m->pkt_len, 20u + (inner ? 40u : 20u) + (outer ? 40u : 20u));
			ck_assert_uint_eq(pm->l4_off, outer ? 40 : 20);
			rte_pktmbuf_free(m);
		}
	}
}
END_TEST

/* What we cut, we can put together; RFC 8200 s4.5. */
START_TEST(big_packet_leaves_in_fragments)
{
	struct rte_mbuf *m = to(nu_out_pkt(e, 1600), N6_US, N6_PEER);
	struct pkt_vec v = {.n = 1, .m = {m}};
	uint8_t ip[NU_MAX];

	pkt_meta(m)->flags = 0;
	ip_out(&e->lc, &v);
	ck_assert_uint_eq(v.n, 2);
	for (uint32_t i = 0; i < 2; i++) {
		uint8_t swap[16];
		uint32_t len = v.m[i]->pkt_len;

		ck_assert_uint_le(len, 1500);
		memcpy(ip, pkt_data(v.m[i], 0), len);
		memcpy(swap, ip + 8, 16);
		memcpy(ip + 8, ip + 24, 16);
		memcpy(ip + 24, swap, 16);
		recv_bytes(ip, len);
		rte_pktmbuf_free(v.m[i]);
	}
	m = expect_one(NX_TCP);
	ck_assert_uint_eq(pkt_meta(m)->l4_len, 1600);
	for (uint32_t i = 0; i < 1600; i++)
		ck_assert_uint_eq(*pkt_data(m, pkt_meta(m)->l4_off + i), (uint8_t)i);
	rte_pktmbuf_free(m);
}
END_TEST

/* RFC 8201 s4: what is known of the path counts, and is forgotten after ten minutes. */
START_TEST(path_mtu_is_obeyed_and_forgotten)
{
	struct ip_addr peer = n6_addr(N6_PEER), other = n6_addr("fd00::3");
	struct route r;

	ck_assert(!route_pmtu_update(&e->lc, &peer, 1279));
	ck_assert(route_pmtu_update(&e->lc, &peer, 1400));
	ck_assert(!route_pmtu_update(&e->lc, &peer, 1450));
	ck_assert_int_eq(route_find(&e->lc, &peer, &r), 0);
	ck_assert_uint_eq(r.mtu_bytes, 1400);
	ck_assert_int_eq(route_find(&e->lc, &other, &r), 0);
	ck_assert_uint_eq(r.mtu_bytes, 1500);
	e->lc.now_ns += UINT64_C(600) * 1000000000;
	ck_assert_int_eq(route_find(&e->lc, &peer, &r), 0);
	ck_assert_uint_eq(r.mtu_bytes, 1500);
	peer = ip_addr_v4(NU_PEER);
	ck_assert(route_pmtu_update(&e->lc, &peer, 100));
	ck_assert_int_eq(route_find(&e->lc, &peer, &r), 0);
	ck_assert_uint_eq(r.mtu_bytes, 576);
}
END_TEST

/* RFC 6724 s5: scope, then no deprecated one, then the longest prefix. */
START_TEST(source_fits_the_destination)
{
	struct ip_addr global = n6_addr("2001:db8::9"), link = n6_addr(N6_PEERLL "%1");
	struct ip_addr near = n6_addr("fd01::9");
	struct ip_addr us = n6_addr(N6_US), second = n6_addr("fd01::1"), a;

	e->port.addr[3] = (struct port_addr){.addr = second, .plen = 64};
	e->port.nb_addrs = 4;
	a = route_source6(&e->port, &link);
	ck_assert(ip_addr_is_link_local(&a));
	a = route_source6(&e->port, &near);
	ck_assert(ip_addr_eq(&a, &second));
	e->port.addr[3].state = ADDR_DEPRECATED;
	a = route_source6(&e->port, &near);
	ck_assert(ip_addr_eq(&a, &us));
	e->port.addr[1].state = ADDR_TENTATIVE;
	a = route_source6(&e->port, &global);
	ck_assert(ip_addr_eq(&a, &second));
}
END_TEST

int
main(void)
{
	Suite *su = suite_create("ip6");
	TCase *c = tcase_create("ip6");

	tcase_add_checked_fixture(c, setup, teardown);
	tcase_add_test(c, tcp_comes_with_its_metadata);
	tcase_add_test(c, bad_lengths_are_dropped_and_padding_is_cut);
	tcase_add_test(c, impossible_sources_are_dropped);
	tcase_add_test(c, destination_must_be_ours);
	tcase_add_test(c, link_local_addresses_carry_their_port);
	tcase_add_test(c, extension_headers_are_skipped);
	tcase_add_test(c, bad_options_end_or_are_to_be_told);
	tcase_add_test(c, unknown_protocol_goes_on_to_be_judged);
	tcase_add_test(c, neighbour_discovery_goes_its_own_way);
	tcase_add_test(c, ecn_of_a_tunnel_is_that_of_both_headers);
	tcase_add_test(c, fragments_come_out_as_one_packet_in_any_order);
	tcase_add_test(c, unfragmentable_part_stays);
	tcase_add_test(c, overlap_ends_the_datagram_and_what_follows);
	tcase_add_test(c, atomic_fragment_passes_and_touches_nobody);
	tcase_add_test(c, first_fragment_without_the_chain_is_dropped);
	tcase_add_test(c, fragment_of_a_broken_length_is_to_be_told);
	tcase_add_test(c, fragments_end_beyond_the_largest_packet);
	tcase_add_test(c, clear_and_protected_fragments_never_meet);
	tcase_add_test(c, neighbour_discovery_in_fragments_is_refused);
	tcase_add_test(c, every_broken_packet_passes_or_ends_in_one_counter);
	tcase_add_test(c, every_broken_fragment_ends_somewhere);
	tcase_add_test(c, header_is_made_from_the_metadata);
	tcase_add_test(c, scope_never_leaves);
	tcase_add_test(c, tunnel_of_either_version_in_either);
	tcase_add_test(c, big_packet_leaves_in_fragments);
	tcase_add_test(c, path_mtu_is_obeyed_and_forgotten);
	tcase_add_test(c, source_fits_the_destination);
	suite_add_tcase(su, c);
	return env_main(su);
}
