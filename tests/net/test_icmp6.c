/* SPDX-License-Identifier: BSD-3-Clause */
#include "stack/net/icmp.h"
#include "stack/net/route.h"
#include "tests/net/net6_util.h"

enum { L3_OFF = 14, UNREACH = 1, TOOBIG = 2, PROBLEM = 4, ECHO = 128, REPLY = 129 };

static struct env *e;
static struct icmp_error heard;
static uint32_t nb_heard;
static bool may, plausible;

static bool
on_error(struct lcore *lc, const struct icmp_error *err)
{
	(void)lc;
	heard = *err;
	nb_heard++;
	return plausible;
}

static bool
on_may_speak(struct lcore *lc, const struct rte_mbuf *m, const struct flow_key *k)
{
	(void)lc;
	(void)m;
	(void)k;
	return may;
}

static void
on_stamp(struct lcore *lc, const struct rte_mbuf *q, struct rte_mbuf *a)
{
	if (pkt_is_tagged(lc, q))
		pkt_tag_set(lc, a, *pkt_tag(lc, q));
}

static void
setup(void)
{
	static const struct icmp_hooks hooks = {on_error, on_may_speak, on_stamp};
	struct ip_addr net = n6_addr("fd00::");

	e = env_setup();
	n6_port(e);
	ck_assert_int_eq(icmp_create(&e->lc, &hooks), 0);
	ck_assert_int_eq(route_create(&e->lc, "rt", SOCKET_ID_ANY), 0);
	ck_assert_int_eq(route_add(&e->lc, &net, 64, NULL, 0), 0);
	nb_heard = 0;
	may = true;
	plausible = true;
}

static void
teardown(void)
{
	route_free(&e->lc);
	icmp_destroy(&e->lc);
	env_teardown(e);
}

/* A received packet behind 14 bytes of link header, with the metadata of the IP stage. */
static struct rte_mbuf *
arrive(const uint8_t *ip, size_t n, uint8_t nxt, uint32_t l4_off)
{
	uint8_t f[NU_MAX + L3_OFF] = {0};
	struct rte_mbuf *m;
	struct pkt_meta *pm;

	memcpy(f + L3_OFF, ip, n);
	m = env_pkt(e, f, L3_OFF + n);
	pm = pkt_meta(m);
	pm->l3_off = L3_OFF;
	memcpy(pm->key.remote.b, ip + 8, 16);
	memcpy(pm->key.local.b, ip + 24, 16);
	pkt_set_l4(m, nxt, L3_OFF + l4_off, (uint32_t)n - l4_off);
	return m;
}

static void
hear_mbuf(struct rte_mbuf *m)
{
	struct pkt_vec v = {.n = 1, .m = {m}};

	icmp_in(&e->lc, &v);
	ck_assert_uint_eq(v.n, 0);
}

static void
hear(const uint8_t *icmp, uint32_t len)
{
	uint8_t ip[NU_MAX];
	size_t n = n6_ip(ip, &(struct n6){.nxt = IPPROTO_N_ICMP6, .data = icmp, .len = len});

	n6_fix_icmp(ip, n);
	hear_mbuf(arrive(ip, n, IPPROTO_N_ICMP6, IP6_HLEN));
}

static void
expect_drop(enum drop_reason r)
{
	ck_assert_msg(nu_drop(e, r) == 1, "%s was not counted", drop_reason_name(r));
	ck_assert_uint_eq(nu_drops(&e->lc), 1);
	memset(&e->lc.stat, 0, sizeof(e->lc.stat));
}

/* The only answer; its checksum is good. The caller frees it. */
static struct rte_mbuf *
expect_answer(void)
{
	struct rte_mbuf *a = pkt_queue_get(&e->lc.out_l4);
	const struct pkt_meta *pm;

	ck_assert_ptr_nonnull(a);
	ck_assert_uint_eq(e->lc.out_l4.n, 0);
	pm = pkt_meta(a);
	ck_assert_uint_eq(pm->nxt, IPPROTO_N_ICMP6);
	ck_assert_uint_eq(pm->key.proto, IPPROTO_N_ICMP6);
	ck_assert_uint_eq(pm->l4_len, a->data_len);
	ck_assert_uint_eq(csum_finish(csum_add(
				  pkt_data(a, 0), a->data_len, csum_pseudo(&pm->key, a->data_len))),
		0);
	return a;
}

/* RFC 4443 s4.2 */
START_TEST(echo_is_answered_with_its_data)
{
	uint8_t q[64] = {ECHO, 0, 0, 0, 1, 2, 0, 9, 'd', 'a', 't', 'a'};
	struct rte_mbuf *a;

	hear(q, sizeof(q));
	expect_drop(DROP_ICMP_DONE);
	a = expect_answer();
	ck_assert_uint_eq(*pkt_data(a, 0), REPLY);
	ck_assert_mem_eq(pkt_data(a, 4), q + 4, sizeof(q) - 4);
	rte_pktmbuf_free(a);
}
END_TEST

START_TEST(wrong_checksum_or_protocol_is_dropped)
{
	uint8_t ip[NU_MAX], q[8] = {ECHO};
	size_t n = n6_ip(ip, &(struct n6){.nxt = IPPROTO_N_ICMP6, .data = q, .len = 8});

	hear_mbuf(arrive(ip, n, IPPROTO_N_ICMP6, IP6_HLEN));
	expect_drop(DROP_ICMP_CSUM);
	/* ICMP for IPv4 in IPv6, and the other way round. */
	hear_mbuf(arrive(ip, n, IPPROTO_N_ICMP, IP6_HLEN));
	expect_drop(DROP_ICMP_TYPE);
}
END_TEST

/* RFC 4861 s11 */
START_TEST(neighbour_discovery_here_came_under_an_sa)
{
	uint8_t ns[24] = {135};

	hear(ns, sizeof(ns));
	expect_drop(DROP_ND_TUNNEL);
}
END_TEST

/* An error of this type and code that quotes a TCP segment of ours. */
static size_t
error_of(uint8_t *icmp, uint8_t type, uint8_t code, uint32_t word, const char *src)
{
	static const uint8_t tcp[20] = {0, 80, 0x30, 0x39, 1, 2, 3, 4};

	memset(icmp, 0, 8);
	icmp[0] = type;
	icmp[1] = code;
	icmp[4] = (uint8_t)(word >> 24);
	icmp[5] = (uint8_t)(word >> 16);
	icmp[6] = (uint8_t)(word >> 8);
	icmp[7] = (uint8_t)word;
	return 8 + n6_ip(icmp + 8, &(struct n6){.src = src,
					   .dst = "2001:db8::9",
					   .nxt = IPPROTO_N_TCP,
					   .data = tcp,
					   .len = 20});
}

static void
hear_error(uint8_t type, uint8_t code, uint32_t word)
{
	uint8_t icmp[NU_MAX];

	hear(icmp, (uint32_t)error_of(icmp, type, code, word, N6_US));
}

/* RFC 4443 s3, RFC 9293 s3.9.2.2 */
START_TEST(errors_are_told_by_kind)
{
	static const struct {
		uint8_t type, code;
		enum icmp_kind kind;
	} row[] = {{1, 0, ICMP_KIND_SOFT}, {1, 1, ICMP_KIND_SOFT}, {1, 3, ICMP_KIND_SOFT},
		{1, 4, ICMP_KIND_HARD}, {2, 0, ICMP_KIND_TOOBIG}, {3, 0, ICMP_KIND_SOFT},
		{4, 0, ICMP_KIND_SOFT}, {4, 1, ICMP_KIND_HARD}};
	struct ip_addr remote = n6_addr("2001:db8::9");

	for (size_t i = 0; i < RTE_DIM(row); i++) {
		hear_error(row[i].type, row[i].code, 1400);
		expect_drop(DROP_ICMP_DONE);
		ck_assert_uint_eq(nb_heard, i + 1);
		ck_assert_int_eq(heard.kind, row[i].kind);
		ck_assert_uint_eq(heard.l4_word, 0x01020304);
		ck_assert(ip_addr_eq(&heard.key.remote, &remote));
		ck_assert_uint_eq(heard.key.lport, RTE_BE16(80));
		ck_assert_uint_eq(heard.mtu_bytes, row[i].type == TOOBIG ? 1400 : 0);
	}
}
END_TEST

/* F-49, F-50 */
START_TEST(who_may_not_speak_changes_nothing)
{
	struct ip_addr remote = n6_addr("2001:db8::9"), any = n6_addr("::"),
		       gw = n6_addr("fd00::9");
	struct route r;

	ck_assert_int_eq(route_add(&e->lc, &any, 0, &gw, 0), 0);
	may = false;
	hear_error(TOOBIG, 0, 1300);
	expect_drop(DROP_ICMP_QUOTE);
	ck_assert_uint_eq(nb_heard, 0);
	ck_assert_int_eq(route_find(&e->lc, &remote, &r), 0);
	ck_assert_uint_eq(r.mtu_bytes, 1500);
	may = true;
	plausible = false; /* RFC 5927 s4.1 */
	hear_error(TOOBIG, 0, 1300);
	ck_assert_int_eq(route_find(&e->lc, &remote, &r), 0);
	ck_assert_uint_eq(r.mtu_bytes, 1500);
	plausible = true;
	hear_error(TOOBIG, 0, 1300);
	ck_assert_int_eq(route_find(&e->lc, &remote, &r), 0);
	ck_assert_uint_eq(r.mtu_bytes, 1300);
}
END_TEST

/* RFC 8201 s4 */
START_TEST(less_than_the_minimum_mtu_is_not_believed)
{
	hear_error(TOOBIG, 0, 1279);
	expect_drop(DROP_ICMP_QUOTE);
	ck_assert_uint_eq(nb_heard, 0);
}
END_TEST

START_TEST(quote_of_another_source_is_dropped)
{
	uint8_t icmp[NU_MAX];

	hear(icmp, (uint32_t)error_of(icmp, UNREACH, 4, 0, "fd00::77"));
	expect_drop(DROP_ICMP_QUOTE);
}
END_TEST

/* A UDP packet that came, len bytes of payload behind its header. */
static struct rte_mbuf *
udp(uint32_t len, const char *src, uint8_t nxt)
{
	static uint8_t data[1400];
	uint8_t ip[NU_MAX];
	size_t n = n6_ip(ip, &(struct n6){.src = src, .nxt = nxt, .data = data, .len = len});

	return arrive(ip, n, nxt, IP6_HLEN);
}

/* RFC 4443 s2.4 (c), s3.1 */
START_TEST(port_unreachable_quotes_what_fits_the_minimum_mtu)
{
	static const uint32_t lens[] = {8, 1192, 1193, 1400};

	for (size_t i = 0; i < RTE_DIM(lens); i++) {
		struct rte_mbuf *m = udp(lens[i], NULL, IPPROTO_N_UDP), *a;

		icmp_unreachable(&e->lc, m, ICMP_DU_PORT, 0);
		a = expect_answer();
		ck_assert_uint_eq(*pkt_data(a, 0), UNREACH);
		ck_assert_uint_eq(*pkt_data(a, 1), 4);
		ck_assert_uint_eq(a->data_len, RTE_MIN(8 + 40 + lens[i], 1240u));
		ck_assert_mem_eq(pkt_data(a, 8), pkt_data(m, L3_OFF), a->data_len - 8u);
		rte_pktmbuf_free(a);
		rte_pktmbuf_free(m);
	}
}
END_TEST

/* RFC 4443 s3.4 */
START_TEST(parameter_problem_points_at_the_byte)
{
	struct rte_mbuf *m = udp(20, NULL, 200), *a;

	pkt_meta(m)->problem_code = 1;
	pkt_meta(m)->problem_at = 6;
	icmp_unreachable(&e->lc, m, ICMP_DU_PROTOCOL, 0);
	a = expect_answer();
	ck_assert_mem_eq(pkt_data(a, 0), "\x04\x01", 2);
	ck_assert_mem_eq(pkt_data(a, 4), "\0\0\0\x06", 4);
	rte_pktmbuf_free(a);
	rte_pktmbuf_free(m);
}
END_TEST

START_TEST(packet_too_big_tells_the_mtu)
{
	struct rte_mbuf *m = udp(20, NULL, IPPROTO_N_UDP), *a;

	icmp_unreachable(&e->lc, m, ICMP_DU_FRAG_NEEDED, 1280);
	a = expect_answer();
	ck_assert_mem_eq(pkt_data(a, 0), "\x02\x00", 2);
	ck_assert_mem_eq(pkt_data(a, 4), "\0\0\x05\0", 4);
	rte_pktmbuf_free(a);
	rte_pktmbuf_free(m);
}
END_TEST

/* In transport mode ESP lay between the header and what was decrypted. */
START_TEST(quote_is_what_the_sender_knew)
{
	uint8_t ip[NU_MAX], data[60] = {0};
	size_t n = n6_ip(ip, &(struct n6){.nxt = IPPROTO_N_ESP, .data = data, .len = 60});
	struct rte_mbuf *m = arrive(ip, n, IPPROTO_N_UDP, IP6_HLEN + 16), *a;

	pkt_meta(m)->l4_len = 20;
	pkt_tag_set(&e->lc, m, (struct tl_tag){.profile = 5});
	icmp_unreachable(&e->lc, m, ICMP_DU_PORT, 0);
	a = expect_answer();
	ck_assert(pkt_is_tagged(&e->lc, a));
	ck_assert_uint_eq(a->data_len, 8 + 40 + 20);
	ck_assert_uint_eq(*pkt_data(a, 8 + 6), IPPROTO_N_UDP);
	ck_assert_uint_eq(*pkt_data(a, 8 + 5), 20);
	rte_pktmbuf_free(a);
	rte_pktmbuf_free(m);
}
END_TEST

/* RFC 4443 s2.4 (e), (f) */
START_TEST(errors_that_must_not_be_sent)
{
	struct rte_mbuf *m[4] = {udp(20, NULL, IPPROTO_N_UDP), udp(20, NULL, IPPROTO_N_ICMP6),
		udp(20, "::", IPPROTO_N_UDP), udp(20, "ff02::5", IPPROTO_N_UDP)};

	pkt_meta(m[0])->flags |= PKT_F_MCAST;
	for (uint32_t i = 0; i < 4; i++) {
		icmp_unreachable(&e->lc, m[i], ICMP_DU_PORT, 0);
		ck_assert_uint_eq(e->lc.out_l4.n, 0);
	}
	/* An option that says so is told even to a group. */
	pkt_meta(m[0])->problem_code = 2;
	icmp_unreachable(&e->lc, m[0], ICMP_DU_PROTOCOL, 0);
	rte_pktmbuf_free(expect_answer());
	for (uint32_t i = 0; i < 4; i++)
		rte_pktmbuf_free(m[i]);
	m[0] = udp(20, NULL, IPPROTO_N_UDP);
	for (uint32_t i = 0; i < 300; i++)
		icmp_unreachable(&e->lc, m[0], ICMP_DU_PORT, 0);
	ck_assert_uint_le(e->lc.out_l4.n, 100);
	rte_pktmbuf_free(m[0]);
}
END_TEST

static bool fix_checksums;

static void
feed_broken(const uint8_t *icmp, size_t len)
{
	uint64_t before = nu_drops(&e->lc);
	uint8_t ip[NU_MAX];
	size_t n =
		n6_ip(ip, &(struct n6){.nxt = IPPROTO_N_ICMP6, .data = icmp, .len = (uint32_t)len});

	e->lc.now_ns += 1000000;
	if (fix_checksums)
		n6_fix_icmp(ip, n);
	hear_mbuf(arrive(ip, n, IPPROTO_N_ICMP6, IP6_HLEN));
	ck_assert_uint_eq(nu_drops(&e->lc), before + 1);
	pkt_queue_drop(&e->lc, &e->lc.out_l4, DROP_PORT_CLOSED);
}

START_TEST(every_broken_message_ends_in_one_counter)
{
	uint8_t icmp[NU_MAX];

	for (int fix = 0; fix < 2; fix++) {
		fix_checksums = fix != 0;
		nu_each_broken(icmp, error_of(icmp, TOOBIG, 0, 1400, N6_US), feed_broken);
		memset(icmp, 0, 16);
		icmp[0] = ECHO;
		nu_each_broken(icmp, 16, feed_broken);
	}
}
END_TEST

int
main(void)
{
	Suite *su = suite_create("icmp6");
	TCase *c = tcase_create("icmp6");

	tcase_add_checked_fixture(c, setup, teardown);
	tcase_add_test(c, echo_is_answered_with_its_data);
	tcase_add_test(c, wrong_checksum_or_protocol_is_dropped);
	tcase_add_test(c, neighbour_discovery_here_came_under_an_sa);
	tcase_add_test(c, errors_are_told_by_kind);
	tcase_add_test(c, who_may_not_speak_changes_nothing);
	tcase_add_test(c, less_than_the_minimum_mtu_is_not_believed);
	tcase_add_test(c, quote_of_another_source_is_dropped);
	tcase_add_test(c, port_unreachable_quotes_what_fits_the_minimum_mtu);
	tcase_add_test(c, parameter_problem_points_at_the_byte);
	tcase_add_test(c, packet_too_big_tells_the_mtu);
	tcase_add_test(c, quote_is_what_the_sender_knew);
	tcase_add_test(c, errors_that_must_not_be_sent);
	tcase_add_test(c, every_broken_message_ends_in_one_counter);
	suite_add_tcase(su, c);
	return env_main(su);
}
