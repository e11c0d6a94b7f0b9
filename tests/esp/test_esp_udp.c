/* SPDX-License-Identifier: BSD-3-Clause */
/* ESP in UDP (RFC 3948): what is ESP, what is IKE, peers that move, checksums behind a NAT. */
#include <rte_ip.h>
#include <rte_udp.h>

#include "stack/base/csum.h"
#include "tests/util/esp_env.h"

enum {
	S = 1000000000,
	MARKED = 64, /* zero bytes behind a short first buffer: they look like IKE's marker */
};

static uint8_t esp[EE_MAX];

/* What udp_in() gets: everything in one buffer, or the first bytes of it (not 0) in another. */
static uint32_t first_bytes;

static void
setup(void)
{
	ee_setup();
	first_bytes = 0;
}

static void
add_udp(uint8_t mode, bool v6, struct ip_addr oa_remote)
{
	struct esp_sa_conf in = ee_sa(true), out = ee_sa(false);

	in.mode = out.mode = mode;
	in.udp = out.udp = true;
	in.udp_local = in.udp_remote = out.udp_local = out.udp_remote = 4500;
	in.oa_remote = oa_remote;
	out.keepalive_s = 20;
	if (v6) {
		in.local = out.local = ee_here6;
		in.remote = out.remote = ee_there6;
	}
	ee_add_pair(&in, &out);
}

static struct rte_mbuf *
datagram(const uint8_t *udp, uint32_t len)
{
	struct rte_mbuf *head, *tail;

	if (first_bytes == 0)
		return env_pkt(ee, udp, len);
	head = pkt_alloc(&ee->lc);
	tail = env_pkt(ee, udp + first_bytes, len - first_bytes);
	memcpy(rte_pktmbuf_append(head, (uint16_t)first_bytes), udp, first_bytes);
	memset(rte_pktmbuf_mtod_offset(head, uint8_t *, first_bytes), 0, MARKED);
	ck_assert_int_eq(rte_pktmbuf_chain(head, tail), 0);
	return head;
}

/* A UDP datagram in front of esp_udp_in(). */
static bool tagged; /* udp_in(): as if it came out of a tunnel */

static void
udp_in(struct pkt_sort *s, const uint8_t *udp, uint32_t len, uint16_t sport, struct ip_addr from)
{
	struct rte_mbuf *m = datagram(udp, len);
	struct pkt_meta *pm = pkt_meta(m);

	pkt_sort_reset(s);
	pkt_data(m, 0)[0] = (uint8_t)(sport >> 8);
	pkt_data(m, 0)[1] = (uint8_t)sport;
	pm->nxt = IPPROTO_N_UDP;
	pm->key = (struct flow_key){.local = ee->lc.esp->slot[0]->conf.local,
		.remote = from,
		.proto = IPPROTO_N_UDP,
		.lport = RTE_BE16(4500),
		.rport = rte_cpu_to_be_16(sport)};
	pm->l4_len = (uint16_t)len;
	if (tagged)
		pkt_tag_set(&ee->lc, m, (struct tl_tag){.sad_gen = 1, .profile = 1});
	pkt_vec_add(&s->v[NX_UDP], m);
	esp_udp_in(&ee->lc, s);
}

static struct rte_mbuf *
through(uint32_t len, uint16_t sport, struct ip_addr from)
{
	struct pkt_sort s;

	udp_in(&s, esp, len, sport, from);
	ck_assert_uint_eq(s.v[NX_ESP].n, 1);
	esp_in(&ee->lc, &s.v[NX_ESP], &s);
	return s.v[NX_TCP].n == 1 ? s.v[NX_TCP].m[0] : NULL;
}

static uint32_t
encrypt(void)
{
	uint8_t p[EE_PAYLOAD];

	ee_payload(p);
	return ee_encrypt(IPPROTO_N_TCP, p, EE_PAYLOAD, esp);
}

/* E-18, RFC 3948 s2.1 */
START_TEST(udp_header_stands_before_esp)
{
	struct rte_udp_hdr h;
	uint32_t n;

	add_udp(ESP_MODE_TRANSPORT, false, (struct ip_addr){0});
	n = encrypt();
	memcpy(&h, esp, sizeof(h));
	ck_assert_uint_eq(rte_be_to_cpu_16(h.src_port), 4500);
	ck_assert_uint_eq(rte_be_to_cpu_16(h.dst_port), 4500);
	ck_assert_uint_eq(rte_be_to_cpu_16(h.dgram_len), n);
	ck_assert_uint_eq(h.dgram_cksum, 0);
	rte_pktmbuf_free(through(n, 4500, ee_there));
}
END_TEST

/* RFC 8200 s8.1: over IPv6 the checksum is not optional. */
START_TEST(over_ipv6_the_checksum_is_right)
{
	struct flow_key k = {.local = ee_here6, .remote = ee_there6, .proto = IPPROTO_N_UDP};
	uint32_t n;

	add_udp(ESP_MODE_TRANSPORT, true, (struct ip_addr){0});
	n = encrypt();
	ck_assert_uint_eq(csum_finish(csum_add(esp, n, csum_pseudo(&k, n))), 0);
	rte_pktmbuf_free(through(n, 4500, ee_there6));
}
END_TEST

/* E-18: ESP does not cover the addresses: what damaged them must not move the peer. */
START_TEST(wrong_checksum_is_dropped)
{
	struct pkt_sort s;
	uint32_t n;

	add_udp(ESP_MODE_TRANSPORT, true, (struct ip_addr){0});
	n = encrypt();
	udp_in(&s, esp, n, 4500, ee_here6);
	ck_assert_uint_eq(s.v[NX_UDP].n + s.v[NX_ESP].n, 0);
	esp[6] = esp[7] = 0; /* RFC 8200 s8.1 */
	udp_in(&s, esp, n, 4500, ee_there6);
	ck_assert_uint_eq(s.v[NX_UDP].n + s.v[NX_ESP].n, 0);
	ck_assert_uint_eq(ee->lc.stat.drop[DROP_NATT_CSUM], 2);
}
END_TEST

/* N-8, RFC 7296 s2.23 */
START_TEST(host_behind_a_nat_follows_nobody)
{
	uint32_t n;

	add_udp(ESP_MODE_TRANSPORT, false, (struct ip_addr){0});
	ee->lc.esp->slot[0]->conf.oa_local = ip_addr_v4(RTE_BE32(0xc0a80101));
	n = encrypt();
	rte_pktmbuf_free(through(n, 1234, ee_there));
	ck_assert_uint_eq(ee->lc.esp->slot[1]->conf.udp_remote, 4500);
}
END_TEST

/* E-18, RFC 3948 s2.2, s2.3 */
START_TEST(marker_is_ike_and_ff_is_a_keepalive)
{
	static const uint8_t ike[8 + 28] = {0}, keepalive[9] = {[8] = 0xff}, tiny[11] = {[8] = 7};
	struct pkt_sort s;

	add_udp(ESP_MODE_TRANSPORT, false, (struct ip_addr){0});
	udp_in(&s, ike, sizeof(ike), 4500, ee_there);
	ck_assert_uint_eq(s.v[NX_UDP].n, 1);
	rte_pktmbuf_free(s.v[NX_UDP].m[0]);
	udp_in(&s, tiny, sizeof(tiny), 4500, ee_there);
	ck_assert_uint_eq(s.v[NX_UDP].n, 1);
	rte_pktmbuf_free(s.v[NX_UDP].m[0]);
	udp_in(&s, keepalive, sizeof(keepalive), 4500, ee_there);
	ck_assert_uint_eq(s.v[NX_UDP].n + s.v[NX_ESP].n, 0);
	ck_assert_uint_eq(ee->lc.stat.drop[DROP_NATT_KEEPALIVE], 1);
}
END_TEST

/* A driver may cut a packet anywhere: no header need be whole in the first buffer. */
START_TEST(chain_is_read_as_one_packet)
{
	struct rte_mbuf *m;
	uint32_t n;

	add_udp(ESP_MODE_TRANSPORT, true, (struct ip_addr){0});
	for (first_bytes = 2; first_bytes < 8 + 8 + 8 + 2; first_bytes++) {
		n = encrypt();
		m = through(n, 4500, ee_there6);
		ck_assert_msg(m != NULL, "cut after %u bytes", first_bytes);
		ck_assert_uint_eq(m->nb_segs, 1);
		rte_pktmbuf_free(m);
	}
}
END_TEST

START_TEST(wrong_checksum_of_a_chain_is_dropped)
{
	struct pkt_sort s;
	uint32_t n;

	add_udp(ESP_MODE_TRANSPORT, true, (struct ip_addr){0});
	n = encrypt();
	first_bytes = 8;
	udp_in(&s, esp, n, 4500, ee_here6);
	ck_assert_uint_eq(s.v[NX_UDP].n + s.v[NX_ESP].n, 0);
	ck_assert_uint_eq(ee->lc.stat.drop[DROP_NATT_CSUM], 1);
}
END_TEST

START_TEST(chain_that_fits_no_buffer_is_dropped)
{
	uint8_t big[4000] = {0, 0, 0, 0, 4000 >> 8, 4000 & 0xff, 0, 0, 1};
	struct pkt_sort s;

	add_udp(ESP_MODE_TRANSPORT, false, (struct ip_addr){0});
	first_bytes = 8;
	udp_in(&s, big, sizeof(big), 4500, ee_there);
	ck_assert_uint_eq(s.v[NX_UDP].n + s.v[NX_ESP].n, 0);
	ck_assert_uint_eq(ee->lc.stat.drop[DROP_NOBUF], 1);
}
END_TEST

START_TEST(wrong_udp_length_is_dropped)
{
	struct pkt_sort s;
	uint32_t n;

	add_udp(ESP_MODE_TRANSPORT, false, (struct ip_addr){0});
	n = encrypt();
	esp[5]++;
	udp_in(&s, esp, n, 4500, ee_there);
	ck_assert_uint_eq(s.v[NX_UDP].n + s.v[NX_ESP].n, 0);
	ck_assert_uint_eq(ee->lc.stat.drop[DROP_NATT_LEN], 1);
}
END_TEST

/* E-18: nobody can be answered at port 0. */
START_TEST(source_port_0_is_dropped)
{
	struct pkt_sort s;
	uint32_t n;

	add_udp(ESP_MODE_TRANSPORT, false, (struct ip_addr){0});
	n = encrypt();
	udp_in(&s, esp, n, 0, ee_there);
	ck_assert_uint_eq(s.v[NX_UDP].n + s.v[NX_ESP].n, 0);
	ck_assert_uint_eq(ee->lc.stat.drop[DROP_NATT_LEN], 1);
}
END_TEST

/* E-18: a datagram that came under an SA is no ESP of the wire. */
START_TEST(datagram_out_of_a_tunnel_is_no_esp)
{
	struct pkt_sort s;
	uint32_t n;

	add_udp(ESP_MODE_TRANSPORT, false, (struct ip_addr){0});
	n = encrypt();
	tagged = true;
	udp_in(&s, esp, n, 4500, ee_there);
	tagged = false;
	ck_assert_uint_eq(s.v[NX_ESP].n, 0);
	ck_assert_uint_eq(s.v[NX_UDP].n, 1);
	rte_pktmbuf_free(s.v[NX_UDP].m[0]);
}
END_TEST

START_TEST(bare_esp_on_an_sa_in_udp_is_dropped)
{
	uint32_t n;

	add_udp(ESP_MODE_TRANSPORT, false, (struct ip_addr){0});
	n = encrypt();
	ee->lc.esp->slot[0]->conf.udp = false;
	ck_assert_ptr_null(through(n, 4500, ee_there));
	ck_assert_uint_eq(ee->lc.stat.drop[DROP_ESP_ENCAP], 1);
	ee->lc.esp->slot[0]->conf.udp = true;
	ee->lc.esp->slot[0]->conf.udp_remote = 0;
	ck_assert_ptr_null(ee_receive(esp + 8, n - 8, NX_TCP));
	ck_assert_uint_eq(ee->lc.stat.drop[DROP_ESP_ENCAP], 2);
}
END_TEST

/* N-8, RFC 7296 s2.23: authentic packets move the peer, in both directions; others do not. */
START_TEST(peer_moves_with_its_authentic_packets_only)
{
	const struct esp_sa_conf *out;
	uint32_t n;

	add_udp(ESP_MODE_TRANSPORT, false, (struct ip_addr){0});
	out = &ee->lc.esp->slot[1]->conf;
	n = encrypt();
	esp[30] ^= 1;
	ck_assert_ptr_null(through(n, 1234, ee_there));
	ck_assert_uint_eq(out->udp_remote, 4500);
	esp[30] ^= 1;
	rte_pktmbuf_free(through(n, 1234, ee_there));
	ck_assert_uint_eq(out->udp_remote, 1234);
	ck_assert_uint_eq(ee_event[0].kind, ESP_EV_MOVED);
	ck_assert_uint_eq(ee_event[0].port, 1234);
	ck_assert_ptr_null(through(n, 9999, ee_there)); /* a replay */
	ck_assert_uint_eq(out->udp_remote, 1234);
}
END_TEST

/* N-8: a peer that seems to move with every packet costs an event and a search each time, so it
 * moves once in a while only; what it sends is taken meanwhile. */
START_TEST(peer_moves_at_most_once_in_a_while)
{
	const struct esp_sa_conf *out;
	struct rte_mbuf *m;

	add_udp(ESP_MODE_TRANSPORT, false, (struct ip_addr){0});
	out = &ee->lc.esp->slot[1]->conf;
	rte_pktmbuf_free(through(encrypt(), 1111, ee_there));
	ck_assert_uint_eq(out->udp_remote, 1111);
	ck_assert_uint_eq(ee_events, 1);
	m = through(encrypt(), 2222, ee_there);
	ck_assert_ptr_nonnull(m);
	rte_pktmbuf_free(m);
	ck_assert_uint_eq(out->udp_remote, 1111);
	ck_assert_uint_eq(ee_events, 1);
	ee->lc.now_ns += 2ull * S;
	rte_pktmbuf_free(through(encrypt(), 3333, ee_there));
	ck_assert_uint_eq(out->udp_remote, 3333);
	ck_assert_uint_eq(ee_events, 2);
}
END_TEST

START_TEST(older_packet_does_not_move_the_peer_back)
{
	uint8_t old[EE_MAX];
	uint32_t n;

	add_udp(ESP_MODE_TRANSPORT, false, (struct ip_addr){0});
	n = encrypt();
	memcpy(old, esp, n);
	encrypt();
	rte_pktmbuf_free(through(n, 1234, ee_there));
	ee->lc.now_ns += 10ull * S;
	memcpy(esp, old, n);
	rte_pktmbuf_free(through(n, 4500, ee_there));
	ck_assert_uint_eq(ee->lc.esp->slot[1]->conf.udp_remote, 1234);
}
END_TEST

/* A TCP segment of 24 bytes whose checksum its sender made with its private address. */
static uint32_t
segment_behind_nat(struct ip_addr private, uint8_t p[24])
{
	struct flow_key k = {.local = private, .remote = ee_here, .proto = IPPROTO_N_TCP};
	uint16_t csum;

	memset(p, 0, 24);
	ee_payload((uint8_t[EE_PAYLOAD]){0});
	p[1] = 80, p[3] = 90, p[12] = 0x50, p[23] = 0x77;
	csum = csum_finish(csum_add(p, 24, csum_pseudo(&k, 24)));
	memcpy(p + 16, &csum, 2);
	return ee_encrypt(IPPROTO_N_TCP, p, 24, esp);
}

/* N-6, RFC 3948 s3.1.2 */
START_TEST(checksum_is_repaired_where_the_original_address_is_known)
{
	struct ip_addr private = ip_addr_v4(RTE_BE32(0xc0a80105));
	struct flow_key k = {.local = ee_here, .remote = ee_there, .proto = IPPROTO_N_TCP};
	struct rte_mbuf *m;
	uint8_t p[24];

	add_udp(ESP_MODE_TRANSPORT, false, private);
	m = through(segment_behind_nat(private, p), 4500, ee_there);
	ck_assert_ptr_nonnull(m);
	ck_assert_uint_eq(pkt_meta(m)->flags & PKT_F_CSUM_OK, 0); /* it is verified as any other */
	ck_assert_uint_eq(
		csum_finish(csum_add(pkt_data(m, pkt_meta(m)->l4_off), 24, csum_pseudo(&k, 24))),
		0);
	rte_pktmbuf_free(m);
}
END_TEST

START_TEST(checksum_is_not_asked_where_it_is_not_known)
{
	struct rte_mbuf *m;
	uint8_t p[24];

	add_udp(ESP_MODE_TRANSPORT, false, (struct ip_addr){0});
	m = through(segment_behind_nat(ip_addr_v4(7), p), 4500, ee_there);
	ck_assert_ptr_nonnull(m);
	ck_assert_uint_ne(pkt_meta(m)->flags & PKT_F_CSUM_OK, 0);
	rte_pktmbuf_free(m);
}
END_TEST

/* RFC 3948 s4 */
START_TEST(keepalive_leaves_when_nothing_else_did)
{
	struct rte_mbuf *m;

	add_udp(ESP_MODE_TRANSPORT, false, (struct ip_addr){0});
	ee->lc.now_ns += 15ull * S;
	encrypt();
	ee->lc.now_ns += 10ull * S;
	tmr_run(&ee->lc);
	ck_assert_uint_eq(ee->lc.out_l4.n, 0);
	ee->lc.now_ns += 10ull * S;
	tmr_run(&ee->lc);
	ck_assert_uint_eq(ee->lc.out_l4.n, 1);
	m = pkt_queue_get(&ee->lc.out_l4);
	ck_assert_uint_eq(m->pkt_len, 9);
	ck_assert_uint_eq(*pkt_data(m, 8), 0xff);
	ck_assert_uint_eq(pkt_meta(m)->nxt, IPPROTO_N_UDP);
	rte_pktmbuf_free(m);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("esp_udp");
	TCase *c = tcase_create("esp_udp");

	tcase_add_checked_fixture(c, setup, ee_teardown);
	tcase_add_test(c, udp_header_stands_before_esp);
	tcase_add_test(c, over_ipv6_the_checksum_is_right);
	tcase_add_test(c, wrong_checksum_is_dropped);
	tcase_add_test(c, host_behind_a_nat_follows_nobody);
	tcase_add_test(c, marker_is_ike_and_ff_is_a_keepalive);
	tcase_add_test(c, chain_is_read_as_one_packet);
	tcase_add_test(c, wrong_checksum_of_a_chain_is_dropped);
	tcase_add_test(c, chain_that_fits_no_buffer_is_dropped);
	tcase_add_test(c, wrong_udp_length_is_dropped);
	tcase_add_test(c, source_port_0_is_dropped);
	tcase_add_test(c, datagram_out_of_a_tunnel_is_no_esp);
	tcase_add_test(c, bare_esp_on_an_sa_in_udp_is_dropped);
	tcase_add_test(c, peer_moves_with_its_authentic_packets_only);
	tcase_add_test(c, peer_moves_at_most_once_in_a_while);
	tcase_add_test(c, older_packet_does_not_move_the_peer_back);
	tcase_add_test(c, checksum_is_repaired_where_the_original_address_is_known);
	tcase_add_test(c, checksum_is_not_asked_where_it_is_not_known);
	tcase_add_test(c, keepalive_leaves_when_nothing_else_did);
	suite_add_tcase(s, c);
	return env_main(s);
}
