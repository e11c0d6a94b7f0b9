/* SPDX-License-Identifier: BSD-3-Clause */
/* esp_in and esp_out together, as a packet meets them, and what each wrong packet changes. */
#include <stdlib.h>

#include "tests/util/esp_env.h"

enum { PAYLOAD = EE_PAYLOAD, SPI_IN = EE_SPI_IN, SPI_OUT = EE_SPI_OUT, PROFILE = EE_PROFILE };

static uint32_t
make_esp(uint8_t *out, uint8_t nxt)
{
	uint8_t p[PAYLOAD];

	ee_payload(p);
	return ee_encrypt(nxt, p, PAYLOAD, out);
}

/* P-1 */
START_TEST(transport_round_trip_gives_the_payload_and_the_tag)
{
	uint8_t p[PAYLOAD], esp[256];
	uint32_t len;
	struct rte_mbuf *m;

	ee_add_default_pair();
	ee_payload(p);
	len = make_esp(esp, IPPROTO_N_TCP);
	/* RFC 4303 s2.4: ciphertext on a 4-byte boundary. */
	ck_assert_uint_eq((len - 8 - 8 - 16) % 4, 0);
	m = ee_receive(esp, len, NX_TCP);
	ck_assert_ptr_nonnull(m);
	ck_assert_uint_eq(pkt_meta(m)->l4_len, PAYLOAD);
	ck_assert_mem_eq(pkt_data(m, pkt_meta(m)->l4_off), p, PAYLOAD);
	ck_assert_uint_eq(rte_be_to_cpu_16(pkt_meta(m)->key.rport), 80);
	ck_assert_uint_eq(rte_be_to_cpu_16(pkt_meta(m)->key.lport), 4000);
	ck_assert(pkt_is_tagged(&ee->lc, m));
	ck_assert_uint_eq(pkt_tag(&ee->lc, m)->profile, PROFILE);
	ck_assert_uint_eq(pkt_tag(&ee->lc, m)->sad_index, 0);
	ck_assert_uint_eq(pkt_tag(&ee->lc, m)->sad_gen, 1);
	rte_pktmbuf_free(m);
}
END_TEST

START_TEST(explicit_iv_counts_up_from_its_start)
{
	uint8_t a[256], b[256];
	uint64_t iv_a, iv_b;

	ee_add_default_pair();
	make_esp(a, IPPROTO_N_TCP);
	make_esp(b, IPPROTO_N_TCP);
	memcpy(&iv_a, a + 8, 8);
	memcpy(&iv_b, b + 8, 8);
	ck_assert_uint_eq(rte_be_to_cpu_64(iv_a), 1000);
	ck_assert_uint_eq(rte_be_to_cpu_64(iv_b), 1001);
}
END_TEST

/* E-4 */
START_TEST(second_copy_is_a_replay_also_within_one_burst)
{
	uint8_t esp[256];
	uint32_t len;
	struct pkt_vec v = {.n = 2};
	struct pkt_sort s;

	ee_add_default_pair();
	len = make_esp(esp, IPPROTO_N_TCP);
	pkt_sort_reset(&s);
	for (int i = 0; i < 2; i++) {
		v.m[i] = env_pkt(ee, esp, len);
		pkt_meta(v.m[i])->key.local = ee_here;
		pkt_meta(v.m[i])->key.remote = ee_there;
		pkt_meta(v.m[i])->l4_len = (uint16_t)len;
	}
	esp_in(&ee->lc, &v, &s);
	ck_assert_uint_eq(s.v[NX_TCP].n, 1);
	ck_assert_uint_eq(ee->lc.stat.drop[DROP_ESP_REPLAY], 1);
	rte_pktmbuf_free(s.v[NX_TCP].m[0]);
	ck_assert_ptr_null(ee_receive(esp, len, NX_TCP));
	ck_assert_uint_eq(ee->lc.stat.drop[DROP_ESP_REPLAY], 2);
}
END_TEST

/* G-14: an SA of the profile that was asked for, which covers the flow, has numbers left and goes
 * out; profiles that share a bucket are two. F-2: of another generation nothing is deleted. */
START_TEST(only_a_usable_sa_of_the_profile_that_covers_the_flow_is_found)
{
	struct esp_sa_conf out = ee_sa(false);
	struct flow_key k = {.local = ee_here, .remote = ee_there, .proto = IPPROTO_N_TCP};
	struct esp_sa_ref ref;

	addr_range_of_host(&out.sel.remote, &ee_there);
	ck_assert_int_eq(esp_sad_add(&ee->lc, &out, 4, 1), 0);
	ck_assert_int_eq(esp_sad_find_out(&ee->lc, PROFILE, &k, &ref), 0);
	ck_assert_int_ne(esp_sad_find_out(&ee->lc, PROFILE + ee->lc.esp->mask + 1, &k, &ref), 0);
	k.remote = ip_addr_v4(RTE_BE32(0x0a000003));
	ck_assert_int_ne(esp_sad_find_out(&ee->lc, PROFILE, &k, &ref), 0);
	k.remote = ee_there;
	ck_assert_int_ne(esp_sad_del(&ee->lc, 4, 2, ESP_DEL_REKEY), 0);
	ck_assert_int_eq(esp_sad_find_out(&ee->lc, PROFILE, &k, &ref), 0);
	ee->lc.esp->slot[4]->seq = UINT64_MAX;
	ck_assert_int_ne(esp_sad_find_out(&ee->lc, PROFILE, &k, &ref), 0);
}
END_TEST

/* G-9: what the peer sends under is an SA of the same peer that is alive. F-1: a tag of another
 * generation names no SA. N-8: what moves is the peer's. */
START_TEST(counterpart_of_an_sa_is_of_the_same_peer_and_alive)
{
	struct esp_sa_conf in = ee_sa(true), out = ee_sa(false), other;
	struct flow_key k = {.local = ee_here, .remote = ee_there, .proto = IPPROTO_N_TCP};
	struct tl_tag tag = {.sad_index = 1, .sad_gen = 1, .profile = PROFILE};
	struct esp_sa_ref like, ref;

	ee_add_pair(&in, &out);
	ck_assert(esp_sad_ref(&ee->lc, &tag, &like));
	tag.sad_gen = 2;
	ck_assert(!esp_sad_ref(&ee->lc, &tag, &ref));
	ck_assert_int_eq(esp_sad_find_in(&ee->lc, &like, &k, &ref), 0);
	like.peer_id++;
	ck_assert_int_ne(esp_sad_find_in(&ee->lc, &like, &k, &ref), 0);
	like.peer_id--;
	ee->lc.esp->slot[0]->expired = true;
	ck_assert_int_ne(esp_sad_find_in(&ee->lc, &like, &k, &ref), 0);
	in.udp = true;
	other = in;
	ck_assert(esp_sa_moves_with(&in, &other));
	other.peer_id++;
	ck_assert(!esp_sa_moves_with(&in, &other));
}
END_TEST

/* E-11: every truncation and every flipped bit is dropped with one counter and changes no state. */
START_TEST(wrong_packet_changes_no_state)
{
	uint8_t esp[256], bad[256];
	uint32_t len;
	struct replay before;
	uint64_t n;

	ee_add_default_pair();
	len = make_esp(esp, IPPROTO_N_TCP);
	before = ee->lc.esp->slot[0]->replay;
	for (uint32_t cut = 0; cut < len; cut++) {
		n = ee_drops();
		ck_assert_ptr_null(ee_receive(esp, cut, NX_TCP));
		ck_assert_uint_eq(ee_drops(), n + 1);
	}
	for (uint32_t bit = 0; bit < len * 8; bit++) {
		memcpy(bad, esp, len);
		bad[bit / 8] ^= (uint8_t)(1u << (bit % 8));
		n = ee_drops();
		ck_assert_ptr_null(ee_receive(bad, len, NX_TCP));
		ck_assert_uint_eq(ee_drops(), n + 1);
	}
	ck_assert_mem_eq(&before, &ee->lc.esp->slot[0]->replay, sizeof(before));
	ck_assert_uint_eq(ee->lc.esp->slot[0]->packets, 0);
	rte_pktmbuf_free(ee_receive(esp, len, NX_TCP)); /* the good one is still good */
	ck_assert_uint_eq(ee->lc.esp->slot[0]->packets, 1);
}
END_TEST

/* E-9 */
START_TEST(unknown_spi_is_dropped)
{
	uint8_t esp[256];
	uint32_t len;

	ee_add_default_pair();
	len = make_esp(esp, IPPROTO_N_TCP);
	esp[3] ^= 0x40;
	ck_assert_ptr_null(ee_receive(esp, len, NX_TCP));
	ck_assert_uint_eq(ee->lc.stat.drop[DROP_ESP_SPI], 1);
}
END_TEST

/* E-6, RFC 4303 s2.6 */
START_TEST(dummy_packet_is_discarded)
{
	uint8_t esp[256];
	uint32_t len;

	ee_add_default_pair();
	len = make_esp(esp, IPPROTO_N_NONE);
	ck_assert_ptr_null(ee_receive(esp, len, NX_TCP));
	ck_assert_uint_eq(ee->lc.stat.drop[DROP_ESP_DUMMY], 1);
}
END_TEST

/* E-1: a port outside the selectors of the SA. */
START_TEST(inner_packet_outside_the_selectors_is_dropped_untagged)
{
	struct esp_sa_conf in = ee_sa(true), out = ee_sa(false);
	uint8_t esp[256];
	uint32_t len;

	in.sel.lport = (struct port_range){4001, 4001};
	ee_add_pair(&in, &out);
	len = make_esp(esp, IPPROTO_N_TCP);
	ck_assert_ptr_null(ee_receive(esp, len, NX_TCP));
	ck_assert_uint_eq(ee->lc.stat.drop[DROP_ESP_SELECTOR], 1);
}
END_TEST

/* E-1: what the packet before was let through for says nothing about another SA. */
START_TEST(selectors_are_those_of_each_sa_also_within_one_burst)
{
	struct esp_sa_conf in = ee_sa(true), out = ee_sa(false);
	uint8_t esp[2][256];
	uint32_t len[2];
	struct pkt_vec v = {.n = 2};
	struct pkt_sort s;

	ee_add_pair(&in, &out);
	len[0] = make_esp(esp[0], IPPROTO_N_TCP);
	ck_assert_int_eq(esp_sad_del(&ee->lc, 1, 1, ESP_DEL_ADMIN), 0);
	in.spi = out.spi = EE_SPI_IN + 4;
	in.sel.lport = (struct port_range){4001, 4001};
	ck_assert_int_eq(esp_sad_add(&ee->lc, &in, 2, 1), 0);
	ck_assert_int_eq(esp_sad_add(&ee->lc, &out, 1, 2), 0);
	len[1] = make_esp(esp[1], IPPROTO_N_TCP);
	pkt_sort_reset(&s);
	for (int i = 0; i < 2; i++) {
		v.m[i] = env_pkt(ee, esp[i], len[i]);
		pkt_meta(v.m[i])->key.local = ee_here;
		pkt_meta(v.m[i])->key.remote = ee_there;
		pkt_meta(v.m[i])->l4_len = (uint16_t)len[i];
	}
	esp_in(&ee->lc, &v, &s);
	ck_assert_uint_eq(s.v[NX_TCP].n, 1);
	ck_assert_uint_eq(pkt_tag(&ee->lc, s.v[NX_TCP].m[0])->sad_index, 0);
	ck_assert_uint_eq(ee->lc.stat.drop[DROP_ESP_SELECTOR], 1);
	rte_pktmbuf_free(s.v[NX_TCP].m[0]);
}
END_TEST

START_TEST(selectors_are_asked_for_each_flow_also_within_one_burst)
{
	struct esp_sa_conf in = ee_sa(true), out = ee_sa(false);
	uint8_t payload[EE_PAYLOAD], esp[EE_MAX];
	struct pkt_vec v = {.n = 2};
	struct pkt_sort s;

	in.sel.lport = (struct port_range){4000, 4000};
	ee_add_pair(&in, &out);
	ee_payload(payload);
	for (int i = 0; i < 2; i++) {
		uint32_t len = ee_encrypt(IPPROTO_N_TCP, payload, EE_PAYLOAD, esp);

		v.m[i] = env_pkt(ee, esp, len);
		pkt_meta(v.m[i])->key.local = ee_here;
		pkt_meta(v.m[i])->key.remote = ee_there;
		pkt_meta(v.m[i])->l4_len = (uint16_t)len;
		payload[3]++; /* 4001 */
	}
	pkt_sort_reset(&s);
	esp_in(&ee->lc, &v, &s);
	ck_assert_uint_eq(s.v[NX_TCP].n, 1);
	ck_assert_uint_eq(ee->lc.stat.drop[DROP_ESP_SELECTOR], 1);
	rte_pktmbuf_free(s.v[NX_TCP].m[0]);
}
END_TEST

static void
encrypt_all_but_the_second(void *ctx, struct crypto_op *op, uint32_t n)
{
	(void)ctx;
	for (uint32_t i = 0; i < n; i++)
		op[i].ok = i != 1;
}

/* G-14: what an engine could not encrypt may still be plaintext, so it does not leave; the others
 * do.
 */
START_TEST(g14_packet_that_was_not_encrypted_does_not_leave)
{
	static const struct crypto_engine failing = {
		.name = "failing", .encrypt = encrypt_all_but_the_second};
	const struct crypto_engine *true_engine;
	uint8_t clear[EE_PAYLOAD];
	struct pkt_vec v = {.n = 3};
	struct rte_mbuf *m[3];

	ee_add_default_pair();
	ee_payload(clear);
	for (uint32_t i = 0; i < 3; i++)
		v.m[i] = m[i] = ee_packet(IPPROTO_N_TCP, clear, EE_PAYLOAD);
	true_engine = ee->lc.esp->slot[1]->engine;
	ee->lc.esp->slot[1]->engine = &failing;
	esp_out(&ee->lc, &v);
	ee->lc.esp->slot[1]->engine = true_engine;
	ck_assert_uint_eq(v.n, 2);
	ck_assert_ptr_eq(v.m[0], m[0]);
	ck_assert_ptr_eq(v.m[1], m[2]);
	ck_assert_uint_eq(ee->lc.stat.drop[DROP_ESP_CRYPTO], 1);
	ck_assert_uint_eq(ee->lc.stat.st[ST_ESP_OUT], 2);
	rte_pktmbuf_free(m[0]);
	rte_pktmbuf_free(m[2]);
}
END_TEST

/* F-61: one profile cannot stand for two SAs. */
START_TEST(esp_in_esp_is_dropped)
{
	uint8_t esp[256];
	uint32_t len;

	ee_add_default_pair();
	len = make_esp(esp, IPPROTO_N_ESP);
	ck_assert_ptr_null(ee_receive(esp, len, NX_ESP));
	ck_assert_uint_eq(ee->lc.stat.drop[DROP_ESP_NESTED], 1);
}
END_TEST

/* A good packet in front of esp_in(). */
static struct rte_mbuf *
received_esp(void)
{
	uint8_t esp[256];
	uint32_t len = make_esp(esp, IPPROTO_N_TCP);
	struct rte_mbuf *m = env_pkt(ee, esp, len);

	pkt_meta(m)->key.local = ee_here;
	pkt_meta(m)->key.remote = ee_there;
	pkt_meta(m)->l4_len = (uint16_t)len;
	return m;
}

/* F-61: what came out of one SA does not go through another, also out of a tunnel. */
START_TEST(tagged_esp_is_dropped)
{
	struct rte_mbuf *m;
	struct pkt_sort s;

	ee_add_default_pair();
	m = received_esp();
	esp_sa_tag(&ee->lc, m, ee->lc.esp->slot[0]);
	pkt_sort_reset(&s);
	pkt_vec_add(&s.v[NX_ESP], m);
	esp_in(&ee->lc, &s.v[NX_ESP], &s);
	ck_assert_uint_eq(s.v[NX_TCP].n, 0);
	ck_assert_uint_eq(ee->lc.stat.drop[DROP_ESP_NESTED], 1);
}
END_TEST

/* F-63: the port verified a checksum of the ciphertext, if any. */
START_TEST(verdict_of_the_port_on_the_checksum_ends_with_esp)
{
	struct rte_mbuf *m;
	struct pkt_sort s;

	ee_add_default_pair();
	m = received_esp();
	pkt_meta(m)->flags |= PKT_F_CSUM_OK;
	pkt_sort_reset(&s);
	pkt_vec_add(&s.v[NX_ESP], m);
	esp_in(&ee->lc, &s.v[NX_ESP], &s);
	ck_assert_uint_eq(s.v[NX_TCP].n, 1);
	ck_assert_uint_eq(pkt_meta(m)->flags & PKT_F_CSUM_OK, 0);
	rte_pktmbuf_free(m);
}
END_TEST

/* F-64: the SPIs of two realms are two spaces. */
START_TEST(spi_of_another_realm_is_unknown)
{
	struct rte_mbuf *m;
	struct pkt_sort s;

	ee_add_default_pair();
	m = received_esp();
	pkt_meta(m)->key.realm = 1;
	pkt_sort_reset(&s);
	pkt_vec_add(&s.v[NX_ESP], m);
	esp_in(&ee->lc, &s.v[NX_ESP], &s);
	ck_assert_uint_eq(ee->lc.stat.drop[DROP_ESP_SPI], 1);
}
END_TEST

/* The hard limit is reached between two packets of one burst. */
START_TEST(hard_limit_holds_within_a_burst)
{
	struct esp_sa_conf in = ee_sa(true), out = ee_sa(false);
	struct pkt_sort s;

	in.life.hard_packets = 1;
	ee_add_pair(&in, &out);
	pkt_sort_reset(&s);
	pkt_vec_add(&s.v[NX_ESP], received_esp());
	pkt_vec_add(&s.v[NX_ESP], received_esp());
	esp_in(&ee->lc, &s.v[NX_ESP], &s);
	ck_assert_uint_eq(s.v[NX_TCP].n, 1);
	ck_assert_uint_eq(ee->lc.stat.drop[DROP_ESP_EXPIRED], 1);
	rte_pktmbuf_free(s.v[NX_TCP].m[0]);
}
END_TEST

/* E-5: the sender goes on above 32 bits, and the receiver follows. */
START_TEST(extended_sequence_numbers_go_on_above_32_bits)
{
	struct rte_mbuf *m;
	uint8_t esp[256];
	uint32_t len;

	ee_add_default_pair();
	ee->lc.esp->slot[1]->seq = UINT32_MAX - 1;
	replay_update(&ee->lc.esp->slot[0]->replay, UINT32_MAX - 1);
	for (uint64_t seq = UINT32_MAX; seq < UINT32_MAX + 3ull; seq++) {
		len = make_esp(esp, IPPROTO_N_TCP);
		m = ee_receive(esp, len, NX_TCP);
		ck_assert_ptr_nonnull(m);
		ck_assert_uint_eq(ee->lc.esp->slot[0]->replay.top, seq);
		rte_pktmbuf_free(m);
	}
}
END_TEST

START_TEST(outer_addresses_of_another_host_are_dropped)
{
	struct esp_sa_conf in = ee_sa(true), out = ee_sa(false);
	uint8_t esp[256];
	uint32_t len;

	in.remote = ip_addr_v4(RTE_BE32(0x0a000003));
	ee_add_pair(&in, &out);
	len = make_esp(esp, IPPROTO_N_TCP);
	ck_assert_ptr_null(ee_receive(esp, len, NX_TCP));
	ck_assert_uint_eq(ee->lc.stat.drop[DROP_ESP_ADDR], 1);
}
END_TEST

/* E-4, RFC 4303 s3.3.3: the counter never cycles. */
START_TEST(used_up_sequence_numbers_stop_the_sa)
{
	struct esp_sa_conf in = ee_sa(true), out = ee_sa(false);
	struct rte_mbuf *m = pkt_alloc(&ee->lc);
	struct pkt_vec v = {.n = 1, .m = {m}};
	uint8_t esp[256];

	in.esn = out.esn = false;
	ee_add_pair(&in, &out);
	ee->lc.esp->slot[1]->seq = UINT32_MAX - 1;
	make_esp(esp, IPPROTO_N_TCP);
	ck_assert_uint_eq(ee->lc.esp->slot[1]->seq, UINT32_MAX);
	rte_pktmbuf_append(m, 20);
	pkt_meta(m)->sa = ee->lc.esp->slot[1];
	esp_out(&ee->lc, &v);
	ck_assert_uint_eq(v.n, 0);
	ck_assert_uint_eq(ee->lc.stat.drop[DROP_ESP_SEQ_END], 1);
	ck_assert_uint_eq(ee->lc.esp->slot[1]->seq, UINT32_MAX);
}
END_TEST

/* A port was to complete it, and would not see what ESP covers. */
START_TEST(packet_without_its_checksum_does_not_leave_encrypted)
{
	struct rte_mbuf *m = pkt_alloc(&ee->lc);
	struct pkt_vec v = {.n = 1, .m = {m}};

	ee_add_default_pair();
	rte_pktmbuf_append(m, 40);
	pkt_meta(m)->sa = ee->lc.esp->slot[1];
	pkt_meta(m)->flags = PKT_F_PARTIAL;
	esp_out(&ee->lc, &v);
	ck_assert_uint_eq(v.n, 0);
	ck_assert_uint_eq(ee->lc.stat.drop[DROP_TX_OFFLOAD], 1);
	ck_assert_uint_eq(ee->lc.esp->slot[1]->seq, 0);
}
END_TEST

START_TEST(no_room_spends_no_sequence_number)
{
	struct rte_mbuf *m = pkt_alloc(&ee->lc);
	struct pkt_vec v = {.n = 1, .m = {m}};

	ee_add_default_pair();
	rte_pktmbuf_append(m, rte_pktmbuf_tailroom(m));
	pkt_meta(m)->sa = ee->lc.esp->slot[1];
	esp_out(&ee->lc, &v);
	ck_assert_uint_eq(v.n, 0);
	ck_assert_uint_eq(ee->lc.stat.drop[DROP_ESP_TOOBIG], 1);
	ck_assert_uint_eq(ee->lc.esp->slot[1]->seq, 0);
}
END_TEST

/* Tunnel mode: an IPv4 packet from there to ee_here. */
static uint32_t
inner_packet(uint8_t *p, uint32_t src, uint16_t frag)
{
	static const uint8_t h[20] = {0x45, 0, 0, 30, 0, 1, 0, 0, 64, IPPROTO_N_TCP, 0, 0};
	rte_be32_t s = rte_cpu_to_be_32(src), d = RTE_BE32(0x0a000001);

	memset(p, 0, 30);
	memcpy(p, h, sizeof(h));
	p[6] = (uint8_t)(frag >> 8);
	p[7] = (uint8_t)frag;
	memcpy(p + 12, &s, 4);
	memcpy(p + 16, &d, 4);
	p[21] = 80;
	p[22] = 0x0f;
	p[23] = 0xa0;
	return 30;
}

static void
add_tunnel(uint16_t port)
{
	struct esp_sa_conf in = ee_sa(true), out = ee_sa(false);

	in.mode = out.mode = ESP_MODE_TUNNEL;
	addr_range_of_host(&in.sel.remote, &ee_there);
	if (port != 0)
		in.sel.lport = (struct port_range){port, port};
	ee_add_pair(&in, &out);
}

static struct rte_mbuf *
through_tunnel(uint32_t src, uint16_t frag)
{
	uint8_t inner[64], esp[256];
	uint32_t len = ee_encrypt(IPPROTO_N_IPIP, inner, inner_packet(inner, src, frag), esp);

	return ee_receive(esp, len, NX_IP);
}

START_TEST(tunnel_gives_the_inner_packet_tagged_and_trimmed)
{
	struct rte_mbuf *m;

	add_tunnel(4000);
	m = through_tunnel(0x0a000002, 0);
	ck_assert_ptr_nonnull(m);
	ck_assert(pkt_is_tagged(&ee->lc, m));
	ck_assert_uint_eq(m->pkt_len - pkt_meta(m)->l3_off, 30);
	ck_assert_uint_eq(*pkt_data(m, pkt_meta(m)->l3_off), 0x45);
	rte_pktmbuf_free(m);
}
END_TEST

/* E-1, F-59: a tunnel peer may speak for nobody outside its selectors. */
START_TEST(tunnel_with_foreign_inner_source_is_dropped)
{
	add_tunnel(0);
	ck_assert_ptr_null(through_tunnel(0x0a000003, 0));
	ck_assert_uint_eq(ee->lc.stat.drop[DROP_ESP_SELECTOR], 1);
	ck_assert_ptr_null(
		through_tunnel(0x0a000003, 0x0002)); /* nor a fragment that shows no ports */
	ck_assert_uint_eq(ee->lc.stat.drop[DROP_ESP_SELECTOR], 2);
}
END_TEST

/* E-1: ports are looked for where the inner header says, and that may be nowhere; and a header that
 * looks like IPv4 but for its version is none. */
START_TEST(tunnel_with_a_wrong_inner_header_is_dropped)
{
	static const uint8_t first[] = {0x44, 0x4f, 0x65};
	uint8_t inner[64], esp[256];
	uint32_t len;

	add_tunnel(0);
	for (uint32_t i = 0; i < RTE_DIM(first); i++) {
		len = inner_packet(inner, 0x0a000002, 0);
		inner[0] = first[i];
		len = ee_encrypt(IPPROTO_N_IPIP, inner, len, esp);
		ck_assert_ptr_null(ee_receive(esp, len, NX_IP));
		ck_assert_uint_eq(ee->lc.stat.drop[DROP_ESP_SELECTOR], i + 1);
	}
}
END_TEST

/* F-56: a fragment has no ports to compare. */
START_TEST(tunnel_fragment_needs_an_sa_without_ports)
{
	add_tunnel(4000);
	ck_assert_ptr_null(through_tunnel(0x0a000002, 0x2000));
	ck_assert_ptr_null(through_tunnel(0x0a000002, 0x0002));
	ck_assert_uint_eq(ee->lc.stat.drop[DROP_ESP_SELECTOR], 2);
}
END_TEST

START_TEST(tunnel_sa_refuses_transport_payload)
{
	uint8_t esp[256];
	uint32_t len;

	add_tunnel(0);
	len = make_esp(esp, IPPROTO_N_TCP);
	ck_assert_ptr_null(ee_receive(esp, len, NX_TCP));
	ck_assert_uint_eq(ee->lc.stat.drop[DROP_ESP_NEXT], 1);
}
END_TEST

/* G-10: any SA with the same profile that covers the flow; the newest one first. */
START_TEST(outbound_choice_prefers_the_newest_of_the_profile)
{
	struct esp_sa_conf a = ee_sa(false), b = ee_sa(false);
	struct flow_key k = {.local = ee_here, .remote = ee_there, .proto = IPPROTO_N_TCP};
	struct esp_sa_ref ref;

	b.spi = 0x3003;
	ck_assert_int_eq(esp_sad_add(&ee->lc, &a, 4, 1), 0);
	ck_assert_int_eq(esp_sad_add(&ee->lc, &b, 5, 1), 0);
	ck_assert_int_eq(esp_sad_find_out(&ee->lc, PROFILE, &k, &ref), 0);
	ck_assert_uint_eq(ref.index, 5);
	ck_assert_int_eq(esp_sad_del(&ee->lc, 5, 1, ESP_DEL_REKEY), 0);
	ck_assert_int_eq(esp_sad_find_out(&ee->lc, PROFILE, &k, &ref), 0);
	ck_assert_uint_eq(ref.index, 4);
	ck_assert_int_eq(esp_sad_find_out(&ee->lc, PROFILE + 1, &k, &ref), -ENOENT);
}
END_TEST

/* F-3 */
START_TEST(revoked_sa_makes_its_queued_tags_stale_and_a_rekeyed_one_does_not)
{
	struct esp_sa_conf in = ee_sa(true);
	struct tl_tag t = {.sad_index = 7, .sad_gen = 1, .profile = PROFILE};

	ck_assert_int_eq(esp_sad_add(&ee->lc, &in, 7, 1), 0);
	ck_assert_int_eq(esp_sad_del(&ee->lc, 7, 1, ESP_DEL_REKEY), 0);
	ck_assert(esp_tag_current(&ee->lc, &t));
	ck_assert_int_eq(esp_sad_add(&ee->lc, &in, 7, 2), 0);
	ck_assert_int_eq(esp_sad_del(&ee->lc, 7, 2, ESP_DEL_REVOKED), 0);
	t.sad_gen = 2;
	ck_assert(!esp_tag_current(&ee->lc, &t));
}
END_TEST

START_TEST(key_is_not_kept_beside_the_engine)
{
	static const uint8_t zero[ESP_KEY_MAX];

	ee_add_default_pair();
	ck_assert_mem_eq(ee->lc.esp->slot[0]->conf.key, zero, sizeof(zero));
}
END_TEST

/* G-14: a packet that asks for a profile without an SA never leaves in clear. */
START_TEST(request_without_sa_is_dropped)
{
	struct rte_mbuf *m = pkt_alloc(&ee->lc);
	struct pkt_vec v = {.n = 1, .m = {m}};

	pkt_tag_set(&ee->lc, m, (struct tl_tag){.sad_index = 3, .sad_gen = 1, .profile = 77});
	spd_out(&ee->lc, &v);
	ck_assert_uint_eq(v.n, 0);
	ck_assert_uint_eq(ee->lc.stat.drop[DROP_ESP_NOSA], 1);
}
END_TEST

static bool
leaves(const struct tl_tag *tag, enum pkt_handoff from)
{
	struct rte_mbuf *m = pkt_alloc(&ee->lc);
	struct pkt_vec v = {.n = 1, .m = {m}};

	pkt_meta(m)->key.local = ee_here;
	pkt_meta(m)->key.remote = ee_there;
	pkt_meta(m)->handoff = (uint8_t)from;
	pkt_tag_set(&ee->lc, m, *tag);
	spd_out(&ee->lc, &v);
	if (v.n == 1)
		rte_pktmbuf_free(m);
	return v.n == 1;
}

/* G-14, F-1: a request tag is index, generation and profile of an outbound SA; all must agree, or
 * another SA is looked for, which has to cover the flow. */
START_TEST(request_tag_that_does_not_agree_never_leaves)
{
	struct esp_sa_conf in = ee_sa(true), narrow = ee_sa(false), far = ee_sa(false);
	struct tl_tag tag = {.sad_index = 4, .sad_gen = 2, .profile = PROFILE};

	addr_range_of_host(&narrow.sel.remote, &ee_here);
	ck_assert_int_eq(esp_sad_add(&ee->lc, &in, 3, 1), 0);
	ck_assert_int_eq(esp_sad_add(&ee->lc, &narrow, 4, 2), 0);
	ck_assert(leaves(&tag, HANDOFF_NONE));
	tag.sad_gen = 1; /* the slot is another SA's now, which does not cover the flow */
	ck_assert(!leaves(&tag, HANDOFF_NONE));
	tag.sad_gen = 2;
	tag.profile++;
	ck_assert(!leaves(&tag, HANDOFF_NONE));
	tag = (struct tl_tag){.sad_index = 3, .sad_gen = 1, .profile = PROFILE}; /* inbound */
	ck_assert(!leaves(&tag, HANDOFF_NONE));
	tag = (struct tl_tag){.sad_index = TAG_BYPASS, .profile = PROFILE};
	ck_assert(!leaves(&tag, HANDOFF_NONE));
	far.owner = 1; /* where the packet was handed over from */
	far.spi++;
	ck_assert_int_eq(esp_sad_add(&ee->lc, &far, 5, 1), 0);
	tag = (struct tl_tag){.sad_index = 5, .sad_gen = 1, .profile = PROFILE};
	ck_assert(!leaves(&tag, HANDOFF_TX));
	ck_assert_uint_eq(ee->lc.stat.drop[DROP_ESP_NOSA], 5);
}
END_TEST

/* A used-up SA makes room for another with the same parameters. */
START_TEST(used_up_sa_is_not_chosen_again)
{
	struct esp_sa_conf a = ee_sa(false), b = ee_sa(false);
	struct rte_mbuf *m = pkt_alloc(&ee->lc);
	struct pkt_vec v = {.n = 1, .m = {m}};

	a.esn = b.esn = false;
	b.spi = 0x3003;
	b.key[0] = 9;
	ck_assert_int_eq(esp_sad_add(&ee->lc, &a, 4, 1), 0);
	ck_assert_int_eq(esp_sad_add(&ee->lc, &b, 5, 1), 0);
	ee->lc.esp->slot[5]->seq = UINT32_MAX;
	pkt_meta(m)->key.local = ee_here;
	pkt_meta(m)->key.remote = ee_there;
	pkt_tag_set(&ee->lc, m, (struct tl_tag){.sad_index = 5, .sad_gen = 1, .profile = PROFILE});
	spd_out(&ee->lc, &v);
	ck_assert_uint_eq(v.n, 1);
	ck_assert_ptr_eq(pkt_meta(m)->sa, ee->lc.esp->slot[4]);
	rte_pktmbuf_free(m);
}
END_TEST

/* Encrypts a payload with a trailer of the test's own making. */
static struct rte_mbuf *
with_trailer(const uint8_t *trailer, uint32_t n)
{
	struct esp_sa *sa = ee->lc.esp->slot[1];
	uint8_t esp[8 + 8 + 40 + 16] = {0};
	struct crypto_op op = {.seq = 1};
	rte_be32_t spi = rte_cpu_to_be_32(SPI_IN), seq = RTE_BE32(1);

	memcpy(esp, &spi, 4);
	memcpy(esp + 4, &seq, 4);
	memcpy(esp + 56 - n, trailer, n);
	esp_sa_op(sa, &op, esp, sizeof(esp));
	sa->engine->encrypt(sa->engine_ctx, &op, 1);
	return ee_receive(esp, sizeof(esp), NX_TCP);
}

/* RFC 4303 s2.4 */
START_TEST(padding_must_count_up_and_fit)
{
	static const uint8_t good[] = {1, 2, 3, 3, IPPROTO_N_TCP};
	static const uint8_t wrong[] = {1, 2, 4, 3, IPPROTO_N_TCP};
	static const uint8_t too_long[] = {39, IPPROTO_N_TCP};
	uint8_t into_the_iv[41]; /* its first byte is the last one of the IV */

	ee_add_default_pair();
	ck_assert_ptr_null(with_trailer(wrong, sizeof(wrong)));
	ck_assert_uint_eq(ee->lc.stat.drop[DROP_ESP_PAD], 1);
	replay_init(&ee->lc.esp->slot[0]->replay, 64);
	ck_assert_ptr_null(with_trailer(too_long, sizeof(too_long)));
	ck_assert_uint_eq(ee->lc.stat.drop[DROP_ESP_PAD], 2);
	replay_init(&ee->lc.esp->slot[0]->replay, 64);
	for (uint8_t i = 0; i < 39; i++)
		into_the_iv[i] = (uint8_t)(i + 1);
	into_the_iv[39] = 39;
	into_the_iv[40] = IPPROTO_N_TCP;
	ck_assert_ptr_null(with_trailer(into_the_iv, sizeof(into_the_iv)));
	ck_assert_uint_eq(ee->lc.stat.drop[DROP_ESP_PAD], 3);
	replay_init(&ee->lc.esp->slot[0]->replay, 64);
	struct rte_mbuf *m = with_trailer(good, sizeof(good));

	ck_assert_ptr_nonnull(m);
	ck_assert_uint_eq(pkt_meta(m)->l4_len, 35);
	rte_pktmbuf_free(m);
}
END_TEST

/* Makes a good packet wrong in one way. */
enum wrong {
	W_NONE,
	W_CUT,
	W_BIT,
	W_SPI,
	W_SEQ_ZERO,
	W_REPLAY,
	W_ADDR,
	W_LOCAL,
	W_ENCAP,
	W_EXPIRED,
	W_SELECTOR,
	W_MAX
};

static const enum drop_reason wrong_counter[W_MAX] = {
	[W_CUT] = DROP_ESP_SHORT,
	[W_BIT] = DROP_ESP_ICV,
	[W_SPI] = DROP_ESP_SPI,
	[W_SEQ_ZERO] = DROP_ESP_SEQ,
	[W_REPLAY] = DROP_ESP_REPLAY,
	[W_ADDR] = DROP_ESP_ADDR,
	[W_LOCAL] = DROP_ESP_ADDR,
	[W_ENCAP] = DROP_ESP_ENCAP,
	[W_EXPIRED] = DROP_ESP_EXPIRED,
	[W_SELECTOR] = DROP_ESP_SELECTOR,
};

static uint32_t
make_wrong(enum wrong w, uint8_t *esp, uint32_t len)
{
	struct esp_sa *sa = ee->lc.esp->slot[0];

	switch (w) {
	case W_CUT:
		return len - 3;
	case W_BIT:
		esp[len / 2] ^= 4;
		break;
	case W_SPI:
		esp[3] ^= 1;
		break;
	case W_SEQ_ZERO:
		memset(esp + 4, 0, 4);
		break;
	case W_REPLAY:
		rte_pktmbuf_free(ee_receive(esp, len, NX_TCP));
		break;
	case W_ADDR:
		sa->conf.remote = ee_here;
		break;
	case W_LOCAL:
		sa->conf.local = ee_there;
		break;
	case W_ENCAP:
		sa->conf.udp = true;
		break;
	case W_EXPIRED:
		sa->expired = true;
		break;
	case W_SELECTOR:
		sa->conf.sel.lport = (struct port_range){1, 2};
		break;
	default:
		break;
	}
	return len;
}

/* Each has a counter of its own, and nothing else moves but what an authentic packet may move. */
START_TEST(each_wrong_packet_has_its_own_counter_and_no_other_effect)
{
	enum wrong w = (enum wrong)_i;
	struct esp_sa *sa;
	uint8_t esp[256];
	uint64_t top, packets;
	uint32_t len;

	ee_add_default_pair();
	sa = ee->lc.esp->slot[0];
	make_esp(esp, IPPROTO_N_TCP);
	len = make_wrong(w, esp, make_esp(esp, IPPROTO_N_TCP));
	top = sa->replay.top;
	packets = sa->packets;
	sa->conf.udp_remote = 0; /* so that the packet comes as ESP whatever the SA says */
	ck_assert_ptr_null(ee_receive(esp, len, NX_TCP));
	ck_assert_uint_eq(ee_drops(), 1);
	ck_assert_uint_eq(ee->lc.stat.drop[wrong_counter[w]], 1);
	if (w == W_SELECTOR)
		return; /* it was authentic */
	ck_assert_uint_eq(sa->replay.top, top);
	ck_assert_uint_eq(sa->packets, packets);
}
END_TEST

/* What would never work, or not be safe, is refused before any worker hears of it (E-4, E-7, E-12,
 * E-13, E-18). */
START_TEST(sa_that_cannot_work_is_refused)
{
	struct esp_sa_conf good = ee_sa(true), c[11];
	const char *why;
	uint32_t n = 0;

	ck_assert_int_eq(esp_sa_check(&good, &why), 0);
	for (uint32_t i = 0; i < RTE_DIM(c); i++)
		c[i] = good;
	c[n++].key_len--;
	c[n++].auth_key_len = 20;
	c[n].encr = ESP_ENCR_AES_GCM_16_IIV;
	c[n++].manual = true;
	c[n++].spi = 255;
	c[n++].mode = 7;
	c[n++].replay_window = 31;
	c[n++].replay_window = ESP_REPLAY_MAX + 1;
	c[n].life.soft_packets = 2;
	c[n++].life.hard_packets = 1;
	c[n++].udp = true; /* and no ports */
	c[n++].tfc_pad_bytes = 1000;
	c[n++].local = ee_here6;
	ck_assert_uint_eq(n, RTE_DIM(c));
	for (uint32_t i = 0; i < n; i++) {
		ck_assert_int_ne(esp_sa_check(&c[i], &why), 0);
		ck_assert_ptr_nonnull(why);
	}
}
END_TEST

/* C-9: which SAs may not have two owners. */
START_TEST(selectors_overlap_when_a_flow_fits_both)
{
	struct esp_sel a, b;

	esp_sel_any(&a, 0);
	esp_sel_any(&b, 0);
	ck_assert(esp_sel_overlap(&a, &b));
	addr_range_of_host(&a.remote, &ee_there);
	ck_assert(esp_sel_overlap(&a, &b));
	addr_range_of_host(&b.remote, &ee_here);
	ck_assert(!esp_sel_overlap(&a, &b));
	addr_range_of_net(&b.remote, &ee_here, 126); /* 10.0.0.0/30 */
	ck_assert(esp_sel_overlap(&a, &b));
	a.lport = (struct port_range){80, 80};
	b.lport.hi = 79;
	ck_assert(!esp_sel_overlap(&a, &b));
	b.lport.hi = 80;
	a.proto = IPPROTO_N_TCP;
	ck_assert(esp_sel_overlap(&a, &b));
	b.proto = IPPROTO_N_UDP;
	ck_assert(!esp_sel_overlap(&a, &b));
	b.proto = IPPROTO_N_TCP;
	b.realm = 1;
	ck_assert(!esp_sel_overlap(&a, &b));
}
END_TEST

/* RFC 4301 s4.4.1: no rule, no packet. */
START_TEST(empty_policy_discards)
{
	struct rte_mbuf *m = pkt_alloc(&ee->lc);
	struct pkt_vec v = {.n = 1, .m = {m}};

	spd_out(&ee->lc, &v);
	ck_assert_uint_eq(v.n, 0);
	ck_assert_uint_eq(ee->lc.stat.drop[DROP_SPD_DISCARD_OUT], 1);
}
END_TEST

static void
add_tests(TCase *c)
{
	tcase_add_test(c, transport_round_trip_gives_the_payload_and_the_tag);
	tcase_add_test(c, explicit_iv_counts_up_from_its_start);
	tcase_add_test(c, second_copy_is_a_replay_also_within_one_burst);
	tcase_add_test(c, wrong_packet_changes_no_state);
	tcase_add_test(c, unknown_spi_is_dropped);
	tcase_add_test(c, dummy_packet_is_discarded);
	tcase_add_test(c, inner_packet_outside_the_selectors_is_dropped_untagged);
	tcase_add_test(c, selectors_are_those_of_each_sa_also_within_one_burst);
	tcase_add_test(c, selectors_are_asked_for_each_flow_also_within_one_burst);
	tcase_add_test(c, g14_packet_that_was_not_encrypted_does_not_leave);
	tcase_add_test(c, esp_in_esp_is_dropped);
	tcase_add_test(c, tagged_esp_is_dropped);
	tcase_add_test(c, verdict_of_the_port_on_the_checksum_ends_with_esp);
	tcase_add_test(c, spi_of_another_realm_is_unknown);
	tcase_add_test(c, only_a_usable_sa_of_the_profile_that_covers_the_flow_is_found);
	tcase_add_test(c, counterpart_of_an_sa_is_of_the_same_peer_and_alive);
	tcase_add_test(c, request_tag_that_does_not_agree_never_leaves);
	tcase_add_test(c, hard_limit_holds_within_a_burst);
	tcase_add_test(c, extended_sequence_numbers_go_on_above_32_bits);
	tcase_add_test(c, outer_addresses_of_another_host_are_dropped);
	tcase_add_test(c, used_up_sequence_numbers_stop_the_sa);
	tcase_add_test(c, packet_without_its_checksum_does_not_leave_encrypted);
	tcase_add_test(c, no_room_spends_no_sequence_number);
	tcase_add_test(c, tunnel_gives_the_inner_packet_tagged_and_trimmed);
	tcase_add_test(c, tunnel_with_foreign_inner_source_is_dropped);
	tcase_add_test(c, tunnel_with_a_wrong_inner_header_is_dropped);
	tcase_add_test(c, tunnel_fragment_needs_an_sa_without_ports);
	tcase_add_test(c, tunnel_sa_refuses_transport_payload);
	tcase_add_test(c, outbound_choice_prefers_the_newest_of_the_profile);
	tcase_add_test(c, revoked_sa_makes_its_queued_tags_stale_and_a_rekeyed_one_does_not);
	tcase_add_test(c, key_is_not_kept_beside_the_engine);
	tcase_add_test(c, request_without_sa_is_dropped);
	tcase_add_test(c, empty_policy_discards);
	tcase_add_loop_test(
		c, each_wrong_packet_has_its_own_counter_and_no_other_effect, W_CUT, W_MAX);
	tcase_add_test(c, used_up_sa_is_not_chosen_again);
	tcase_add_test(c, padding_must_count_up_and_fit);
	tcase_add_test(c, sa_that_cannot_work_is_refused);
	tcase_add_test(c, selectors_overlap_when_a_flow_fits_both);
}

int
main(void)
{
	Suite *s = suite_create("esp");
	TCase *c = tcase_create("esp");

	tcase_add_checked_fixture(c, ee_setup, ee_teardown);
	add_tests(c);
	suite_add_tcase(s, c);
	return env_main(s);
}
