/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>

#include "stack/base/tmr.h"
#include "stack/net/frag.h"
#include "tests/net/net_util.h"

enum { MF = 0x2000, TIMEOUT_MS = 1000 };

static struct env *e;
static uint8_t bytes[2048];

static void
setup(void)
{
	struct frag_conf conf = {.max_datagrams = 8,
		.max_per_source = 4,
		.max_fragments = 4,
		.timeout_ms = TIMEOUT_MS};

	e = env_setup();
	ck_assert_int_eq(frag_create(&e->lc, &conf), 0);
	for (uint32_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (uint8_t)(i * 7 + i / 256);
}

static void
teardown(void)
{
	frag_destroy(&e->lc);
	ck_assert_uint_eq(tmr_next_ns(&e->lc), UINT64_MAX);
	env_teardown(e);
}

/* A fragment of the datagram `bytes`; UDP unless the spec says else. profile 0: clear. */
struct part {
	struct nu_ip ip;
	uint32_t off;
	uint32_t len;
	bool last;
	uint32_t profile;
	uint32_t sa; /* which of the SAs of the profile */
	uint32_t gen;
	uint32_t realm;
};

static struct rte_mbuf *
give(struct part p)
{
	uint8_t pkt[NU_MAX + 64];
	struct rte_mbuf *m;
	size_t n;

	p.ip.proto = p.ip.proto != 0 ? p.ip.proto : (uint8_t)IPPROTO_N_UDP;
	p.ip.frag = (uint16_t)(p.off / 8 | (p.last ? 0 : MF));
	p.ip.data = bytes + (p.off < sizeof(bytes) ? p.off : 0);
	p.ip.len = p.len;
	n = nu_ip(pkt, &p.ip);
	m = env_pkt(e, pkt, n);
	pkt_meta(m)->tos = p.ip.tos;
	pkt_meta(m)->key.realm = p.realm;
	pkt_meta(m)->flags = PKT_F_CSUM_OK;
	if (p.profile != 0)
		pkt_tag_set(
			&e->lc, m, (struct tl_tag){p.profile + 100 + p.sa, 1 + p.gen, p.profile});
	return frag_in(&e->lc, m);
}

static void
give_pending(struct part p)
{
	ck_assert_ptr_null(give(p));
}

/* Asserts that m is the whole datagram with len bytes of payload, and frees it. */
static void
expect_whole(struct rte_mbuf *m, uint32_t len)
{
	const struct rte_ipv4_hdr *h;

	ck_assert_ptr_nonnull(m);
	h = (const struct rte_ipv4_hdr *)pkt_data(m, pkt_meta(m)->l3_off);
	ck_assert_uint_eq(m->pkt_len, 20 + len);
	ck_assert_uint_eq(m->nb_segs, 1);
	ck_assert_uint_eq(rte_be_to_cpu_16(h->total_length), 20 + len);
	ck_assert_uint_eq(h->fragment_offset, 0);
	ck_assert_uint_eq(csum_finish(csum_add(h, 20, 0)), 0);
	ck_assert_mem_eq(pkt_data(m, 20), bytes, len);
	ck_assert_uint_eq(pkt_meta(m)->flags, PKT_F_REASS);
	ck_assert(pkt_meta(m)->link == NULL);
	rte_pktmbuf_free(m);
}

static void
pass_ms(uint64_t ms)
{
	e->lc.now_ns += ms * 1000000;
	tmr_run(&e->lc);
}

START_TEST(fragments_in_every_order_make_the_same_datagram)
{
	static const uint32_t order[6][3] = {
		{0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}};
	static const struct part parts[3] = {{.off = 0, .len = 480}, {.off = 480, .len = 512},
		{.off = 992, .len = 5, .last = true}};

	for (uint32_t i = 0; i < 6; i++) {
		give_pending(parts[order[i][0]]);
		ck_assert_uint_eq(frag_in_use(&e->lc), 1);
		give_pending(parts[order[i][1]]);
		expect_whole(give(parts[order[i][2]]), 997);
		ck_assert_uint_eq(frag_in_use(&e->lc), 0);
	}
	ck_assert_uint_eq(nu_drops(&e->lc), 0);
	ck_assert_uint_eq(e->lc.stat.st[ST_IP_REASS], 6);
}
END_TEST

START_TEST(datagrams_differ_by_addresses_id_protocol_and_realm)
{
	give_pending((struct part){.len = 80});
	give_pending((struct part){.len = 80, .ip.id = 1});
	give_pending((struct part){.len = 80, .ip.proto = IPPROTO_N_ESP});
	give_pending((struct part){.len = 80, .realm = 1});
	give_pending((struct part){.len = 80, .ip.src = NU_OTHER});
	give_pending((struct part){.len = 80, .ip.dst = NU_OTHER});
	ck_assert_uint_eq(frag_in_use(&e->lc), 6);
	ck_assert_uint_eq(nu_drops(&e->lc), 0);
}
END_TEST

START_TEST(bad_fragments_are_dropped_alone)
{
	give_pending((struct part){.len = 0});
	give_pending((struct part){.len = 81});
	ck_assert_uint_eq(nu_drop(e, DROP_FRAG_SHORT), 2);
	give_pending((struct part){.off = 65528, .len = 8, .last = true});
	ck_assert_uint_eq(nu_drop(e, DROP_FRAG_RANGE), 1);
	ck_assert_uint_eq(frag_in_use(&e->lc), 0);
}
END_TEST

/* RFC 1858 s3.2.1, s3.2.2 */
START_TEST(tcp_header_cut_before_its_flags_is_dropped)
{
	give_pending((struct part){.len = 8, .ip.proto = IPPROTO_N_TCP});
	give_pending((struct part){.off = 8, .len = 80, .ip.proto = IPPROTO_N_TCP});
	ck_assert_uint_eq(nu_drop(e, DROP_FRAG_SHORT), 2);
	give_pending((struct part){.len = 16, .ip.proto = IPPROTO_N_TCP});
	give_pending((struct part){.len = 8, .ip.proto = IPPROTO_N_ESP});
	ck_assert_uint_eq(frag_in_use(&e->lc), 2);
}
END_TEST

/* F-57; RFC 5722 s4: those not yet received too. */
START_TEST(overlap_ends_the_datagram_and_its_late_parts)
{
	static const struct part overlaps[] = {{.off = 72, .len = 80}, {.off = 0, .len = 88},
		{.off = 8, .len = 16}, {.off = 0, .len = 72}, {.off = 0, .len = 80, .last = true}};

	for (uint32_t i = 0; i < RTE_DIM(overlaps); i++) {
		struct part p = overlaps[i];

		e->lc.stat.drop[DROP_FRAG_OVERLAP] = 0;
		give_pending((struct part){.len = 80});
		give_pending(p);
		ck_assert_uint_eq(nu_drop(e, DROP_FRAG_OVERLAP), 2);
		ck_assert_uint_eq(frag_in_use(&e->lc), 0);
		give_pending((struct part){.len = 80});
		give_pending((struct part){.off = 80, .len = 8, .last = true});
		ck_assert_uint_eq(nu_drop(e, DROP_FRAG_OVERLAP), 4);
		pass_ms(TIMEOUT_MS);
		/* After its time the id may be used again. */
		give_pending((struct part){.len = 80});
		expect_whole(give((struct part){.off = 80, .len = 8, .last = true}), 88);
	}
	ck_assert_uint_eq(nu_drop(e, DROP_FRAG_TIMEOUT), 0);
}
END_TEST

START_TEST(exact_duplicate_is_dropped_alone)
{
	give_pending((struct part){.len = 80});
	give_pending((struct part){.len = 80});
	ck_assert_uint_eq(nu_drop(e, DROP_FRAG_OVERLAP), 1);
	expect_whole(give((struct part){.off = 80, .len = 8, .last = true}), 88);
}
END_TEST

START_TEST(two_ends_or_data_behind_the_end_end_the_datagram)
{
	give_pending((struct part){.off = 80, .len = 8, .last = true});
	give_pending((struct part){.off = 88, .len = 8});
	ck_assert_uint_eq(nu_drop(e, DROP_FRAG_OVERLAP), 2);
	give_pending((struct part){.off = 160, .len = 8, .ip.id = 1});
	give_pending((struct part){.off = 80, .len = 8, .last = true, .ip.id = 1});
	ck_assert_uint_eq(nu_drop(e, DROP_FRAG_OVERLAP), 4);
	give_pending((struct part){.off = 80, .len = 8, .last = true, .ip.id = 2});
	give_pending((struct part){.off = 160, .len = 8, .last = true, .ip.id = 2});
	ck_assert_uint_eq(nu_drop(e, DROP_FRAG_OVERLAP), 6);
	/* More fragments are promised where the end is. */
	give_pending((struct part){.off = 80, .len = 8, .last = true, .ip.id = 3});
	give_pending((struct part){.off = 72, .len = 8, .ip.id = 3});
	expect_whole(give((struct part){.off = 0, .len = 72, .ip.id = 3}), 88);
}
END_TEST

/* E-10, F-54: nobody who lacks the keys can spoil a protected datagram, and the other way round. */
START_TEST(parts_under_different_protection_never_meet)
{
	static const uint32_t mix[][2] = {{0, 5}, {5, 0}, {5, 6}};

	for (uint32_t i = 0; i < RTE_DIM(mix); i++) {
		struct part end = {.off = 80, .len = 8, .last = true};
		struct rte_mbuf *m;

		give_pending((struct part){.len = 80, .profile = mix[i][0]});
		end.profile = mix[i][1];
		give_pending(end);
		ck_assert_uint_eq(frag_in_use(&e->lc), 2);
		/* Nor does an overlap reach over. */
		give_pending((struct part){.len = 88, .profile = mix[i][1]});
		ck_assert_uint_eq(nu_drop(e, DROP_FRAG_OVERLAP), 2);
		end.profile = mix[i][0];
		m = give(end);
		ck_assert_ptr_nonnull(m);
		ck_assert_uint_eq(pkt_is_tagged(&e->lc, m), mix[i][0] != 0);
		if (mix[i][0] != 0)
			ck_assert_uint_eq(pkt_tag(&e->lc, m)->profile, mix[i][0]);
		expect_whole(m, 88);
		pass_ms(TIMEOUT_MS);
		memset(&e->lc.stat, 0, sizeof(e->lc.stat));
	}
}
END_TEST

/* E-10: a tag that names no profile is not "clear". */
START_TEST(unknown_profile_and_clear_never_meet)
{
	uint8_t pkt[NU_MAX];
	struct nu_ip spec = {.proto = IPPROTO_N_UDP, .frag = MF, .data = bytes, .len = 80};
	struct rte_mbuf *m = env_pkt(e, pkt, nu_ip(pkt, &spec));

	pkt_tag_set(&e->lc, m, (struct tl_tag){1, 1, 0});
	ck_assert_ptr_null(frag_in(&e->lc, m));
	give_pending((struct part){.off = 80, .len = 8, .last = true});
	ck_assert_uint_eq(frag_in_use(&e->lc), 2);
}
END_TEST

/* F-1: one tag speaks for the whole, so it must be the tag of every part. */
START_TEST(parts_under_two_sas_of_one_profile_end_the_datagram)
{
	struct part end = {.off = 80, .len = 8, .last = true, .profile = 5};

	give_pending((struct part){.len = 80, .profile = 5});
	end.sa = _i == 0;
	end.gen = _i == 1;
	give_pending(end);
	ck_assert_uint_eq(nu_drop(e, DROP_FRAG_PROFILE), 2);
	ck_assert_uint_eq(frag_in_use(&e->lc), 0);
	give_pending((struct part){.off = 80, .len = 8, .last = true, .profile = 5});
	ck_assert_uint_eq(nu_drop(e, DROP_FRAG_PROFILE), 3);
}
END_TEST

START_TEST(parts_of_one_profile_make_a_packet_with_the_first_tag)
{
	struct rte_mbuf *m;

	give_pending((struct part){.len = 80, .profile = 5});
	m = give((struct part){.off = 80, .len = 8, .last = true, .profile = 5});
	ck_assert(pkt_is_tagged(&e->lc, m));
	ck_assert_uint_eq(pkt_tag(&e->lc, m)->profile, 5);
	ck_assert_uint_eq(pkt_tag(&e->lc, m)->sad_index, 105);
	expect_whole(m, 88);
	give_pending((struct part){.len = 80});
	m = give((struct part){.off = 80, .len = 8, .last = true});
	ck_assert(!pkt_is_tagged(&e->lc, m));
	expect_whole(m, 88);
}
END_TEST

/* RFC 3168 s5.3 */
START_TEST(congestion_mark_of_one_part_marks_the_datagram)
{
	struct rte_mbuf *m;

	give_pending((struct part){.len = 80, .ip.tos = 0x22});
	m = give((struct part){.off = 80, .len = 8, .last = true, .ip.tos = 0x23});
	ck_assert_uint_eq(pkt_meta(m)->tos, 0x23);
	ck_assert_uint_eq(*pkt_data(m, 1), 0x23);
	expect_whole(m, 88);
	give_pending((struct part){.len = 80, .ip.tos = 0x22});
	m = give((struct part){.off = 80, .len = 8, .last = true, .ip.tos = 0x21});
	ck_assert_uint_eq(pkt_meta(m)->tos, 0x22);
	expect_whole(m, 88);
}
END_TEST

START_TEST(metadata_of_the_whole_is_that_of_the_first_fragment)
{
	uint8_t pkt[128];
	struct nu_ip spec = {.proto = IPPROTO_N_UDP, .frag = MF, .data = bytes, .len = 80};
	size_t n = nu_ip(pkt, &spec);
	struct rte_mbuf *m = env_pkt(e, pkt, n);
	struct pkt_meta *pm = pkt_meta(m);

	pm->key.realm = 3;
	pm->key.remote = ip_addr_v4(NU_PEER);
	pm->key.local = ip_addr_v4(NU_US);
	pm->ttl = 9;
	pm->port = 2;
	pm->handoff = HANDOFF_IP;
	give_pending((struct part){.off = 80, .len = 8, .last = true, .realm = 3});
	m = frag_in(&e->lc, m);
	ck_assert_ptr_nonnull(m);
	pm = pkt_meta(m);
	ck_assert_uint_eq(pm->key.realm, 3);
	ck_assert_uint_eq(ip_addr_to_v4(&pm->key.remote), NU_PEER);
	ck_assert_uint_eq(ip_addr_to_v4(&pm->key.local), NU_US);
	ck_assert_uint_eq(pm->ttl, 9);
	ck_assert_uint_eq(pm->port, 2);
	ck_assert_uint_eq(pm->handoff, HANDOFF_IP);
	ck_assert_uint_eq(pm->l3_off, 0);
	expect_whole(m, 88);
}
END_TEST

START_TEST(datagram_incomplete_in_time_is_dropped)
{
	give_pending((struct part){.len = 80});
	give_pending((struct part){.off = 160, .len = 80});
	pass_ms(TIMEOUT_MS - 1);
	ck_assert_uint_eq(frag_in_use(&e->lc), 1);
	pass_ms(1);
	ck_assert_uint_eq(frag_in_use(&e->lc), 0);
	ck_assert_uint_eq(nu_drop(e, DROP_FRAG_TIMEOUT), 2);
}
END_TEST

/* F-58 */
START_TEST(source_over_its_quota_loses_its_own_oldest)
{
	for (uint16_t id = 0; id < 5; id++)
		give_pending((struct part){.len = 80, .ip.id = id});
	ck_assert_uint_eq(frag_in_use(&e->lc), 4);
	ck_assert_uint_eq(nu_drop(e, DROP_FRAG_QUOTA), 1);
	give_pending((struct part){.off = 80, .len = 8, .last = true, .ip.id = 0});
	expect_whole(give((struct part){.off = 80, .len = 8, .last = true, .ip.id = 4}), 88);
}
END_TEST

static void
fill_table(uint32_t profile)
{
	for (uint32_t i = 0; i < 8; i++) {
		struct part p = {.len = 80, .profile = profile};

		p.ip.src = rte_cpu_to_be_32(0x0a000010 + i);
		give_pending(p);
	}
	ck_assert_uint_eq(frag_in_use(&e->lc), 8);
	ck_assert_uint_eq(nu_drops(&e->lc), 0);
}

START_TEST(full_table_refuses_a_new_source)
{
	fill_table(0);
	give_pending((struct part){.len = 80});
	ck_assert_uint_eq(nu_drop(e, DROP_FRAG_QUOTA), 1);
	ck_assert_uint_eq(frag_in_use(&e->lc), 8);
	/* A source that is in the table takes the place of its own. */
	give_pending((struct part){.len = 80, .ip.id = 9, .ip.src = RTE_BE32(0x0a000010)});
	ck_assert_uint_eq(nu_drop(e, DROP_FRAG_QUOTA), 2);
	ck_assert_uint_eq(frag_in_use(&e->lc), 8);
}
END_TEST

/* F-58: nobody who is not authenticated pushes out another's. */
START_TEST(clear_fragment_of_a_new_source_pushes_out_nobody)
{
	fill_table(0);
	give_pending((struct part){.len = 80});
	for (uint32_t i = 0; i < 8; i++) {
		struct part p = {.off = 80, .len = 8, .last = true};

		p.ip.src = rte_cpu_to_be_32(0x0a000010 + i);
		expect_whole(give(p), 88);
	}
	ck_assert_uint_eq(nu_drop(e, DROP_FRAG_QUOTA), 1);
}
END_TEST

/* F-1: since when packets that name an SA wait here; clear ones name none. */
START_TEST(age_is_that_of_the_oldest_protected_fragment)
{
	uint64_t t0 = e->lc.now_ns;

	ck_assert_uint_eq(frag_oldest_ns(&e->lc), UINT64_MAX);
	give_pending((struct part){.len = 80});
	ck_assert_uint_eq(frag_oldest_ns(&e->lc), UINT64_MAX);
	pass_ms(5);
	give_pending((struct part){.len = 80, .profile = 5});
	pass_ms(5);
	give_pending((struct part){.len = 80, .profile = 5, .ip.id = 1});
	ck_assert_uint_eq(frag_oldest_ns(&e->lc), t0 + 5000000);
	expect_whole(give((struct part){.off = 80, .len = 8, .last = true, .profile = 5}), 88);
	ck_assert_uint_eq(frag_oldest_ns(&e->lc), t0 + 10000000);
	pass_ms(TIMEOUT_MS);
	ck_assert_uint_eq(frag_oldest_ns(&e->lc), UINT64_MAX);
}
END_TEST

START_TEST(protected_fragment_pushes_out_a_clear_one_and_not_the_other_way)
{
	fill_table(0);
	give_pending((struct part){.len = 80, .profile = 5});
	ck_assert_uint_eq(nu_drop(e, DROP_FRAG_QUOTA), 1);
	expect_whole(give((struct part){.off = 80, .len = 8, .last = true, .profile = 5}), 88);
	pass_ms(TIMEOUT_MS);
	memset(&e->lc.stat, 0, sizeof(e->lc.stat));
	fill_table(5);
	give_pending((struct part){.len = 80});
	give_pending((struct part){.len = 80, .ip.id = 3, .ip.src = RTE_BE32(0x0a000010)});
	ck_assert_uint_eq(nu_drop(e, DROP_FRAG_QUOTA), 2);
	expect_whole(give((struct part){.off = 80,
			     .len = 8,
			     .last = true,
			     .profile = 5,
			     .ip.src = RTE_BE32(0x0a000010)}),
		88);
}
END_TEST

START_TEST(too_many_fragments_end_the_datagram)
{
	for (uint32_t i = 0; i < 4; i++)
		give_pending((struct part){.off = 8 * i, .len = 8});
	ck_assert_uint_eq(nu_drop(e, DROP_FRAG_QUOTA), 4);
	ck_assert_uint_eq(frag_in_use(&e->lc), 0);
	give_pending((struct part){.off = 32, .len = 8, .last = true});
	ck_assert_uint_eq(nu_drop(e, DROP_FRAG_QUOTA), 5);
	/* As many as are allowed are enough. */
	for (uint32_t i = 0; i < 3; i++)
		give_pending((struct part){.off = 8 * i, .len = 8, .ip.id = 1});
	expect_whole(give((struct part){.off = 24, .len = 8, .ip.id = 1, .last = true}), 32);
}
END_TEST

START_TEST(datagram_larger_than_a_buffer_is_dropped)
{
	give_pending((struct part){.len = 1024});
	expect_whole(give((struct part){.off = 1024, .len = 1004, .last = true}), 2028);
	give_pending((struct part){.len = 1024});
	give_pending((struct part){.off = 1024, .len = 1005, .last = true});
	ck_assert_uint_eq(nu_drop(e, DROP_FRAG_TOOBIG), 2);
}
END_TEST

START_TEST(options_of_the_first_fragment_count_against_the_buffer)
{
	static const uint8_t nops[8] = {1, 1, 1, 1, 1, 1, 1, 1};
	struct part first = {.len = 1024, .ip = {.opt = nops, .opt_len = 8}};

	give_pending(first);
	give_pending((struct part){.off = 1024, .len = 1000, .last = true});
	ck_assert_uint_eq(nu_drop(e, DROP_FRAG_TOOBIG), 2);
	ck_assert_uint_eq(frag_in_use(&e->lc), 0);
}
END_TEST

/* Leaves n buffers in the pool. */
static void
take_all_but(uint32_t n, struct pkt_queue *taken)
{
	while (rte_mempool_avail_count(e->lc.pkt_pool) > n)
		pkt_queue_put(taken, pkt_alloc(&e->lc));
}

START_TEST(datagram_that_finds_no_buffer_is_dropped)
{
	struct pkt_queue all = {0};
	struct rte_mbuf *m;

	give_pending((struct part){.len = 80});
	take_all_but(1, &all);
	give_pending((struct part){.off = 80, .len = 8, .last = true});
	ck_assert_uint_eq(nu_drop(e, DROP_NOBUF), 2);
	ck_assert_uint_eq(frag_in_use(&e->lc), 0);
	while ((m = pkt_queue_get(&all)) != NULL)
		rte_pktmbuf_free(m);
}
END_TEST

START_TEST(destroying_drops_what_waits)
{
	struct frag_conf conf;

	give_pending((struct part){.len = 80});
	frag_destroy(&e->lc);
	ck_assert_uint_eq(nu_drop(e, DROP_PORT_CLOSED), 1);
	frag_conf_default(&conf);
	ck_assert_int_eq(frag_create(&e->lc, &conf), 0);
}
END_TEST

static void
collect(struct lcore *lc, struct rte_mbuf *f, void *arg)
{
	(void)lc;
	pkt_queue_put(arg, f);
}

/* A packet of ours that starts at its header: `len` bytes of `bytes` behind it. */
static struct rte_mbuf *
ours(uint32_t len)
{
	struct nu_ip spec = {.proto = IPPROTO_N_UDP, .id = 77, .data = bytes, .len = len};
	struct rte_mbuf *m = pkt_alloc(&e->lc);
	uint8_t ip[NU_MAX + 64];
	size_t n = nu_ip(ip, &spec);

	memcpy(rte_pktmbuf_append(m, (uint16_t)n), ip, n);
	pkt_meta(m)->nexthop = ip_addr_v4(NU_PEER);
	return m;
}

/* RFC 791 s3.2 */
START_TEST(cut_packet_comes_together_again)
{
	for (uint32_t mtu = 508; mtu <= 2000; mtu += 13) {
		struct pkt_queue q = {0};
		struct rte_mbuf *f, *whole = NULL;
		uint32_t n = 0;

		ck_assert_int_eq(frag_out(&e->lc, ours(1900), mtu, collect, &q), 0);
		while ((f = pkt_queue_get(&q)) != NULL) {
			ck_assert_ptr_null(whole);
			ck_assert_uint_le(f->pkt_len, mtu);
			ck_assert_uint_eq(csum_finish(csum_add(pkt_data(f, 0), 20, 0)), 0);
			ck_assert_uint_eq(ip_addr_to_v4(&pkt_meta(f)->nexthop), NU_PEER);
			n++;
			if (mtu >= 1920) {
				ck_assert_uint_eq(f->pkt_len, 1920);
				rte_pktmbuf_free(f);
				continue;
			}
			whole = frag_in(&e->lc, f);
		}
		if (mtu < 1920)
			expect_whole(whole, 1900);
		ck_assert_uint_eq(n, (1900 + (mtu - 20) / 8 * 8 - 1) / ((mtu - 20) / 8 * 8));
	}
}
END_TEST

START_TEST(packet_that_finds_no_buffer_for_a_fragment_is_dropped)
{
	struct pkt_queue taken = {0}, q = {0};
	struct rte_mbuf *m = ours(1000);

	take_all_but(1, &taken);
	ck_assert_int_eq(frag_out(&e->lc, m, 500, collect, &q), -ENOBUFS);
	ck_assert_uint_eq(q.n, 1);
	ck_assert_uint_eq(nu_drop(e, DROP_NOBUF), 1);
	pkt_queue_drop(&e->lc, &q, DROP_PORT_CLOSED);
	pkt_queue_drop(&e->lc, &taken, DROP_PORT_CLOSED);
}
END_TEST

START_TEST(mtu_without_room_for_data_is_refused)
{
	struct pkt_queue q = {0};

	ck_assert_int_eq(frag_out(&e->lc, ours(100), 27, collect, &q), -ENOBUFS);
	ck_assert_uint_eq(q.n, 0);
	ck_assert_uint_eq(nu_drop(e, DROP_IP_TOOBIG), 1);
}
END_TEST

int
main(void)
{
	Suite *su = suite_create("frag");
	TCase *c = tcase_create("frag");

	tcase_add_checked_fixture(c, setup, teardown);
	tcase_add_test(c, fragments_in_every_order_make_the_same_datagram);
	tcase_add_test(c, datagrams_differ_by_addresses_id_protocol_and_realm);
	tcase_add_test(c, bad_fragments_are_dropped_alone);
	tcase_add_test(c, tcp_header_cut_before_its_flags_is_dropped);
	tcase_add_test(c, overlap_ends_the_datagram_and_its_late_parts);
	tcase_add_test(c, exact_duplicate_is_dropped_alone);
	tcase_add_test(c, two_ends_or_data_behind_the_end_end_the_datagram);
	tcase_add_test(c, parts_under_different_protection_never_meet);
	tcase_add_test(c, unknown_profile_and_clear_never_meet);
	tcase_add_loop_test(c, parts_under_two_sas_of_one_profile_end_the_datagram, 0, 2);
	tcase_add_test(c, parts_of_one_profile_make_a_packet_with_the_first_tag);
	tcase_add_test(c, congestion_mark_of_one_part_marks_the_datagram);
	tcase_add_test(c, metadata_of_the_whole_is_that_of_the_first_fragment);
	tcase_add_test(c, datagram_incomplete_in_time_is_dropped);
	tcase_add_test(c, source_over_its_quota_loses_its_own_oldest);
	tcase_add_test(c, full_table_refuses_a_new_source);
	tcase_add_test(c, clear_fragment_of_a_new_source_pushes_out_nobody);
	tcase_add_test(c, age_is_that_of_the_oldest_protected_fragment);
	tcase_add_test(c, protected_fragment_pushes_out_a_clear_one_and_not_the_other_way);
	tcase_add_test(c, too_many_fragments_end_the_datagram);
	tcase_add_test(c, datagram_larger_than_a_buffer_is_dropped);
	tcase_add_test(c, options_of_the_first_fragment_count_against_the_buffer);
	tcase_add_test(c, datagram_that_finds_no_buffer_is_dropped);
	tcase_add_test(c, destroying_drops_what_waits);
	tcase_add_test(c, cut_packet_comes_together_again);
	tcase_add_test(c, packet_that_finds_no_buffer_for_a_fragment_is_dropped);
	tcase_add_test(c, mtu_without_room_for_data_is_refused);
	suite_add_tcase(su, c);
	return env_main(su);
}
