/* SPDX-License-Identifier: BSD-3-Clause */
#include "stack/net/icmp.h"
#include "stack/net/route.h"
#include "tests/net/net_util.h"

enum { ERR_BURST = 100, ECHO_BURST = 2000 };

static struct env *e;
static struct icmp_error heard;
static uint32_t errors, stamped;
static bool speaks, plausible;

static bool
on_error(struct lcore *lc, const struct icmp_error *err)
{
	(void)lc;
	heard = *err;
	errors++;
	return plausible;
}

static bool
on_may_speak(struct lcore *lc, const struct rte_mbuf *m, const struct flow_key *k)
{
	(void)lc;
	(void)m;
	ck_assert_uint_eq(ip_addr_to_v4(&k->local), NU_US);
	return speaks;
}

static void
on_stamp(struct lcore *lc, const struct rte_mbuf *question, struct rte_mbuf *answer)
{
	stamped++;
	if (pkt_is_tagged(lc, question))
		pkt_tag_set(lc, answer, *pkt_tag(lc, question));
}

static const struct icmp_hooks hooks = {
	.error = on_error, .may_speak = on_may_speak, .stamp_answer = on_stamp};

static void
setup(void)
{
	e = env_setup();
	errors = 0;
	stamped = 0;
	speaks = true;
	plausible = true;
	ck_assert_int_eq(icmp_create(&e->lc, &hooks), 0);
}

static void
teardown(void)
{
	icmp_destroy(&e->lc);
	env_teardown(e);
}

static void
without_hooks(void)
{
	icmp_destroy(&e->lc);
	ck_assert_int_eq(icmp_create(&e->lc, NULL), 0);
}

static void
fix_icmp_csum(uint8_t *icmp, size_t len)
{
	uint16_t sum;

	memset(icmp + 2, 0, 2);
	sum = csum_finish(csum_add(icmp, len, 0));
	memcpy(icmp + 2, &sum, 2);
}

/* A packet as it leaves the IP stage: 20 bytes of header, then L4. */
static struct rte_mbuf *
as_l4(uint8_t proto, const uint8_t *l4, size_t len)
{
	struct nu_ip spec = {.proto = proto, .data = l4, .len = (uint32_t)len, .tos = 0x2a};
	uint8_t ip[NU_MAX];
	struct rte_mbuf *m = env_pkt(e, ip, nu_ip(ip, &spec));
	struct pkt_meta *pm = pkt_meta(m);

	pm->key.local = ip_addr_v4(NU_US);
	pm->key.remote = ip_addr_v4(NU_PEER);
	pm->key.realm = 4;
	pm->tos = 0x2a;
	pkt_set_l4(m, proto, 20, (uint32_t)len);
	return m;
}

static void
recv_mbuf(struct rte_mbuf *m)
{
	struct pkt_vec v = {.n = 1, .m = {m}};

	icmp_in(&e->lc, &v);
	ck_assert_uint_eq(v.n, 0);
}

static void
recv_bytes(const uint8_t *icmp, size_t len)
{
	recv_mbuf(as_l4(IPPROTO_N_ICMP, icmp, len));
}

static size_t
echo(uint8_t *out)
{
	for (uint32_t i = 0; i < 61; i++)
		out[i] = (uint8_t)(i * 3);
	out[0] = 8;
	out[1] = 0;
	fix_icmp_csum(out, 61);
	return 61;
}

/* An error that quotes a TCP segment 10.0.0.1:80 -> 10.0.0.2:12345 of ours, sequence 0x11223344. */
static size_t
quoting(uint8_t *out, uint8_t type, uint8_t code, struct nu_ip q)
{
	static const uint8_t l4[8] = {0, 80, 0x30, 0x39, 0x11, 0x22, 0x33, 0x44};
	size_t n;

	if (q.proto == 0)
		q.proto = IPPROTO_N_TCP;
	if (q.src == 0)
		q.src = NU_US;
	if (q.dst == 0)
		q.dst = NU_PEER;
	q.data = l4;
	q.len = 8;
	memcpy(out, (uint8_t[8]){type, code, 0, 0, 0, 0, 0x05, 0x14}, 8);
	n = 8 + nu_ip(out + 8, &q);
	fix_icmp_csum(out, n);
	return n;
}

static void
recv_quote(uint8_t type, uint8_t code, struct nu_ip q)
{
	uint8_t icmp[128];

	recv_bytes(icmp, quoting(icmp, type, code, q));
}

static struct rte_mbuf *
answer(void)
{
	struct rte_mbuf *m = pkt_queue_get(&e->lc.out_l4);

	ck_assert_ptr_nonnull(m);
	ck_assert_uint_eq(csum_finish(csum_add(pkt_data(m, 0), m->data_len, 0)), 0);
	return m;
}

static void
expect_silence(void)
{
	ck_assert_uint_eq(e->lc.out_l4.n, 0);
}

/* RFC 1122 s3.2.2.6 */
START_TEST(echo_is_answered_with_all_its_data)
{
	uint8_t q[64];
	size_t n = echo(q);
	const struct pkt_meta *pm;
	struct rte_mbuf *m;

	recv_bytes(q, n);
	m = answer();
	pm = pkt_meta(m);
	ck_assert_uint_eq(m->data_len, n);
	ck_assert_uint_eq(*pkt_data(m, 0), 0);
	ck_assert_mem_eq(pkt_data(m, 4), q + 4, n - 4);
	ck_assert_uint_eq(ip_addr_to_v4(&pm->key.local), NU_US);
	ck_assert_uint_eq(ip_addr_to_v4(&pm->key.remote), NU_PEER);
	ck_assert_uint_eq(pm->key.realm, 4);
	ck_assert_uint_eq(pm->key.proto, IPPROTO_N_ICMP);
	ck_assert_uint_eq(pm->nxt, IPPROTO_N_ICMP);
	ck_assert_uint_eq(pm->ttl, 64);
	ck_assert_uint_eq(pm->tos, 0x28);
	ck_assert_uint_eq(stamped, 1);
	ck_assert_uint_eq(nu_drop(e, DROP_ICMP_DONE), 1);
	ck_assert_uint_eq(e->lc.stat.st[ST_ICMP_ECHO_IN], 1);
	rte_pktmbuf_free(m);
}
END_TEST

START_TEST(echo_without_data_is_answered)
{
	uint8_t q[8] = {8, 0, 0, 0, 1, 2, 3, 4};

	fix_icmp_csum(q, sizeof(q));
	recv_bytes(q, sizeof(q));
	rte_pktmbuf_free(answer());
}
END_TEST

/* F-33 */
START_TEST(protected_echo_gets_a_protected_answer)
{
	uint8_t q[64];
	struct rte_mbuf *m = as_l4(IPPROTO_N_ICMP, q, echo(q));

	pkt_tag_set(&e->lc, m, (struct tl_tag){1, 2, 3});
	recv_mbuf(m);
	m = answer();
	ck_assert(pkt_is_tagged(&e->lc, m));
	ck_assert_uint_eq(pkt_tag(&e->lc, m)->profile, 3);
	rte_pktmbuf_free(m);
}
END_TEST

START_TEST(without_hooks_a_protected_echo_is_not_answered_in_clear)
{
	uint8_t q[64];
	struct rte_mbuf *m;

	without_hooks();
	m = as_l4(IPPROTO_N_ICMP, q, echo(q));
	pkt_tag_set(&e->lc, m, (struct tl_tag){1, 2, 3});
	recv_mbuf(m);
	expect_silence();
	recv_bytes(q, echo(q));
	rte_pktmbuf_free(answer());
	ck_assert_uint_eq(nu_drop(e, DROP_ICMP_DONE), 2);
}
END_TEST

START_TEST(broadcast_echo_is_not_answered)
{
	uint8_t q[64];
	struct rte_mbuf *m = as_l4(IPPROTO_N_ICMP, q, echo(q));

	pkt_meta(m)->flags = PKT_F_MCAST;
	recv_mbuf(m);
	expect_silence();
	ck_assert_uint_eq(nu_drop(e, DROP_ICMP_BCAST), 1);
}
END_TEST

START_TEST(wrong_checksum_or_length_is_dropped)
{
	uint8_t q[64];
	size_t n = echo(q);

	q[9] ^= 1;
	recv_bytes(q, n);
	ck_assert_uint_eq(nu_drop(e, DROP_ICMP_CSUM), 1);
	recv_bytes(q, 7);
	ck_assert_uint_eq(nu_drop(e, DROP_ICMP_SHORT), 1);
	expect_silence();
}
END_TEST

/* RFC 6633 s3 for source quench; redirects: see the DEVIATION in the source. */
START_TEST(other_types_are_ignored)
{
	static const uint8_t types[] = {0, 1, 2, 4, 5, 9, 10, 13, 15, 17, 255};
	uint8_t q[64];

	for (uint32_t i = 0; i < RTE_DIM(types); i++) {
		size_t n = echo(q);

		q[0] = types[i];
		fix_icmp_csum(q, n);
		recv_bytes(q, n);
	}
	ck_assert_uint_eq(nu_drop(e, DROP_ICMP_TYPE), RTE_DIM(types));
	ck_assert_uint_eq(errors, 0);
	expect_silence();
}
END_TEST

START_TEST(error_names_the_flow_of_the_quoted_packet)
{
	recv_quote(3, 4, (struct nu_ip){.ttl = 1});
	ck_assert_uint_eq(errors, 1);
	ck_assert_uint_eq(heard.type, 3);
	ck_assert_uint_eq(heard.code, 4);
	ck_assert_uint_eq(heard.mtu_bytes, 1300);
	ck_assert_uint_eq(heard.l4_word, 0x11223344);
	ck_assert_uint_eq(ip_addr_to_v4(&heard.key.local), NU_US);
	ck_assert_uint_eq(ip_addr_to_v4(&heard.key.remote), NU_PEER);
	ck_assert_uint_eq(heard.key.lport, RTE_BE16(80));
	ck_assert_uint_eq(heard.key.rport, RTE_BE16(12345));
	ck_assert_uint_eq(heard.key.proto, IPPROTO_N_TCP);
	ck_assert_uint_eq(heard.key.realm, 4);
	ck_assert(!heard.is_protected);
	ck_assert_uint_eq(nu_drop(e, DROP_ICMP_DONE), 1);
	expect_silence();
}
END_TEST

START_TEST(only_fragmentation_needed_has_an_mtu)
{
	recv_quote(3, 3, (struct nu_ip){0});
	ck_assert_uint_eq(heard.mtu_bytes, 0);
	ck_assert_uint_eq(heard.key.lport, RTE_BE16(80));
	recv_quote(11, 0, (struct nu_ip){0});
	ck_assert_uint_eq(heard.mtu_bytes, 0);
	recv_quote(12, 0, (struct nu_ip){0});
	ck_assert_uint_eq(heard.mtu_bytes, 0);
	ck_assert_uint_eq(errors, 3);
}
END_TEST

START_TEST(error_under_an_sa_is_marked_so)
{
	uint8_t icmp[128];
	struct rte_mbuf *m = as_l4(IPPROTO_N_ICMP, icmp, quoting(icmp, 3, 3, (struct nu_ip){0}));

	pkt_tag_set(&e->lc, m, (struct tl_tag){1, 2, 3});
	recv_mbuf(m);
	ck_assert_uint_eq(errors, 1);
	ck_assert(heard.is_protected);
}
END_TEST

/* F-51 */
START_TEST(quoted_esp_shows_its_spi_and_sequence_number)
{
	recv_quote(3, 4, (struct nu_ip){.proto = IPPROTO_N_ESP});
	ck_assert_uint_eq(heard.key.proto, IPPROTO_N_ESP);
	ck_assert_uint_eq(heard.key.lport, RTE_BE16(80));
	ck_assert_uint_eq(heard.key.rport, RTE_BE16(12345));
	ck_assert_uint_eq(heard.l4_word, 0x11223344);
}
END_TEST

START_TEST(quoted_ports_are_read_if_the_protocol_has_them)
{
	recv_quote(3, 3, (struct nu_ip){.proto = IPPROTO_N_UDP});
	ck_assert_uint_eq(heard.key.lport, RTE_BE16(80));
	recv_quote(3, 3, (struct nu_ip){.proto = IPPROTO_N_ICMP});
	ck_assert_uint_eq(heard.key.lport, 0);
	recv_quote(3, 3, (struct nu_ip){.proto = IPPROTO_N_SCTP});
	ck_assert_uint_eq(heard.key.rport, RTE_BE16(12345));
	ck_assert_uint_eq(errors, 3);
}
END_TEST

/* RFC 5927 s4.1, s7.2: who can only guess what is in flight does not narrow the path for all. */
START_TEST(path_mtu_needs_a_quote_of_what_is_in_flight)
{
	struct ip_addr net = ip_addr_v4(RTE_BE32(0x0a000000)), peer = ip_addr_v4(NU_PEER);
	struct route r;

	ck_assert_int_eq(route_create(&e->lc, "rt", SOCKET_ID_ANY), 0);
	ck_assert_int_eq(route_add(&e->lc, &net, 24, NULL, 0), 0);
	plausible = false;
	recv_quote(3, 4, (struct nu_ip){0});
	ck_assert_uint_eq(errors, 1);
	ck_assert_uint_eq(nu_drop(e, DROP_ICMP_QUOTE), 1);
	ck_assert_int_eq(route_find(&e->lc, &peer, &r), 0);
	ck_assert_uint_eq(r.mtu_bytes, 1500);
	plausible = true;
	recv_quote(3, 4, (struct nu_ip){.proto = IPPROTO_N_ESP}); /* the SA keeps it, no route */
	ck_assert_int_eq(route_find(&e->lc, &peer, &r), 0);
	ck_assert_uint_eq(r.mtu_bytes, 1500);
	recv_quote(3, 4, (struct nu_ip){0});
	ck_assert_int_eq(route_find(&e->lc, &peer, &r), 0);
	ck_assert_uint_eq(r.mtu_bytes, 1300);
	route_free(&e->lc);
}
END_TEST

/* F-49, F-50 */
START_TEST(error_that_may_not_speak_is_dropped)
{
	speaks = false;
	recv_quote(3, 3, (struct nu_ip){0});
	ck_assert_uint_eq(errors, 0);
	ck_assert_uint_eq(nu_drop(e, DROP_ICMP_QUOTE), 1);
	without_hooks();
	recv_quote(3, 3, (struct nu_ip){0});
	ck_assert_uint_eq(nu_drop(e, DROP_ICMP_QUOTE), 2);
}
END_TEST

START_TEST(quote_that_is_not_ours_or_not_a_first_fragment_is_dropped)
{
	recv_quote(3, 3, (struct nu_ip){.src = NU_OTHER});
	recv_quote(3, 3, (struct nu_ip){.frag = 1});
	ck_assert_uint_eq(nu_drop(e, DROP_ICMP_QUOTE), 2);
	recv_quote(3, 3, (struct nu_ip){.frag = 0x2000});
	ck_assert_uint_eq(errors, 1);
}
END_TEST

/* RFC 792: the header and 64 bits; the header may have options. */
START_TEST(quote_must_hold_its_header_and_eight_bytes)
{
	static const uint8_t nops[8] = {1, 1, 1, 1, 1, 1, 1, 1};
	uint8_t icmp[128];
	size_t n = quoting(icmp, 3, 3, (struct nu_ip){.opt = nops, .opt_len = 8});

	recv_bytes(icmp, n);
	ck_assert_uint_eq(errors, 1);
	ck_assert_uint_eq(heard.l4_word, 0x11223344);
	for (size_t len = 8; len < n; len++) {
		fix_icmp_csum(icmp, len);
		recv_bytes(icmp, len);
	}
	ck_assert_uint_eq(errors, 1);
	ck_assert_uint_eq(nu_drop(e, DROP_ICMP_SHORT), n - 8);
}
END_TEST

/* A received UDP packet of len bytes of L4, for which nobody cares. */
static struct rte_mbuf *
unwanted(uint32_t len)
{
	uint8_t l4[1600];

	for (uint32_t i = 0; i < len; i++)
		l4[i] = (uint8_t)(i + 1);
	return as_l4(IPPROTO_N_UDP, l4, len);
}

START_TEST(unreachable_quotes_the_packet)
{
	struct rte_mbuf *m = unwanted(100), *a;

	pkt_tag_set(&e->lc, m, (struct tl_tag){1, 2, 3});
	icmp_unreachable(&e->lc, m, ICMP_DU_PORT, 0);
	a = answer();
	ck_assert_uint_eq(a->data_len, 8 + 20 + 100);
	ck_assert_mem_eq(pkt_data(a, 0), "\x03\x03", 2);
	ck_assert_mem_eq(pkt_data(a, 4), "\0\0\0\0", 4);
	ck_assert_mem_eq(pkt_data(a, 8), pkt_data(m, 0), 120);
	ck_assert_uint_eq(pkt_meta(a)->key.proto, IPPROTO_N_ICMP);
	ck_assert_uint_eq(
		pkt_meta(a)->key.lport, RTE_BE16(0x0303)); /* type and code, for selectors */
	ck_assert_uint_eq(pkt_meta(a)->tos, 0);
	ck_assert_uint_eq(pkt_tag(&e->lc, a)->profile, 3);
	ck_assert_uint_eq(e->lc.stat.st[ST_ICMP_ERR_OUT], 1);
	rte_pktmbuf_free(a);
	rte_pktmbuf_free(m);
}
END_TEST

/* RFC 1812 s4.3.2.3, RFC 1191 s4 */
START_TEST(unreachable_fits_576_bytes_and_carries_the_mtu)
{
	struct rte_mbuf *m = unwanted(1400), *a;

	icmp_unreachable(&e->lc, m, ICMP_DU_FRAG_NEEDED, 1280);
	a = answer();
	ck_assert_uint_eq(20 + a->data_len, 576);
	ck_assert_mem_eq(pkt_data(a, 4), "\0\0\x05\x00", 4);
	rte_pktmbuf_free(a);
	rte_pktmbuf_free(m);
}
END_TEST

START_TEST(transport_mode_packet_is_quoted_as_it_was_before_esp)
{
	struct rte_mbuf *m = unwanted(100), *a;
	const struct rte_ipv4_hdr *h;

	/* The first 24 bytes of the payload stand for ESP header and IV. */
	*pkt_data(m, 9) = IPPROTO_N_ESP;
	pkt_set_l4(m, IPPROTO_N_UDP, 44, 60);
	icmp_unreachable(&e->lc, m, ICMP_DU_PORT, 0);
	a = answer();
	h = (const struct rte_ipv4_hdr *)pkt_data(a, 8);
	ck_assert_uint_eq(a->data_len, 8 + 20 + 60);
	ck_assert_uint_eq(h->next_proto_id, IPPROTO_N_UDP);
	ck_assert_uint_eq(rte_be_to_cpu_16(h->total_length), 80);
	ck_assert_uint_eq(csum_finish(csum_add(h, 20, 0)), 0);
	ck_assert_uint_eq(*pkt_data(a, 28), 25);
	rte_pktmbuf_free(a);
	rte_pktmbuf_free(m);
}
END_TEST

static void
expect_no_error_about(struct rte_mbuf *m)
{
	icmp_unreachable(&e->lc, m, ICMP_DU_PROTOCOL, 0);
	expect_silence();
	rte_pktmbuf_free(m);
}

/* RFC 1122 s3.2.2 */
START_TEST(no_error_about_errors_broadcasts_and_later_fragments)
{
	static const uint8_t types[] = {3, 4, 5, 11, 12};
	uint8_t icmp[128];
	struct rte_mbuf *m;

	for (uint32_t i = 0; i < RTE_DIM(types); i++)
		expect_no_error_about(
			as_l4(IPPROTO_N_ICMP, icmp, quoting(icmp, types[i], 0, (struct nu_ip){0})));
	expect_no_error_about(as_l4(IPPROTO_N_ICMP, icmp, 0));
	m = unwanted(100);
	pkt_meta(m)->flags = PKT_F_MCAST;
	expect_no_error_about(m);
	m = unwanted(100);
	pkt_meta(m)->flags = PKT_F_NO_ERROR;
	expect_no_error_about(m);
	m = unwanted(100);
	*pkt_data(m, 7) = 1;
	expect_no_error_about(m);
	ck_assert_uint_eq(e->lc.stat.st[ST_ICMP_ERR_OUT], 0);
	/* An echo is no error. */
	m = as_l4(IPPROTO_N_ICMP, icmp, echo(icmp));
	icmp_unreachable(&e->lc, m, ICMP_DU_PROTOCOL, 0);
	rte_pktmbuf_free(answer());
	rte_pktmbuf_free(m);
}
END_TEST

/* RFC 1812 s4.3.2.8 */
START_TEST(errors_are_limited_and_the_limit_recovers)
{
	struct rte_mbuf *m = unwanted(100);

	for (uint32_t i = 0; i < ERR_BURST + 7; i++)
		icmp_unreachable(&e->lc, m, ICMP_DU_PORT, 0);
	ck_assert_uint_eq(e->lc.out_l4.n, ERR_BURST);
	ck_assert_uint_eq(e->lc.stat.st[ST_ICMP_ERR_SKIP], 7);
	e->lc.now_ns += 1000000;
	icmp_unreachable(&e->lc, m, ICMP_DU_PORT, 0);
	icmp_unreachable(&e->lc, m, ICMP_DU_PORT, 0);
	ck_assert_uint_eq(e->lc.out_l4.n, ERR_BURST + 1);
	rte_pktmbuf_free(m);
}
END_TEST

START_TEST(echo_answers_are_limited)
{
	uint8_t q[64];
	size_t n = echo(q);

	for (uint32_t i = 0; i < ECHO_BURST + 5; i++) {
		recv_bytes(q, n);
		pkt_queue_drop(&e->lc, &e->lc.out_l4, DROP_PORT_CLOSED);
	}
	ck_assert_uint_eq(nu_drop(e, DROP_ICMP_DONE), ECHO_BURST);
	ck_assert_uint_eq(nu_drop(e, DROP_ICMP_RATE), 5);
}
END_TEST

START_TEST(echo_larger_than_a_buffer_is_not_answered)
{
	static uint8_t q[2100] = {8};
	struct rte_mbuf *m;

	fix_icmp_csum(q, sizeof(q));
	m = env_pkt(e, q, sizeof(q));
	pkt_meta(m)->key.local = ip_addr_v4(NU_US);
	pkt_set_l4(m, IPPROTO_N_ICMP, 0, sizeof(q));
	recv_mbuf(m);
	expect_silence();
	ck_assert_uint_eq(nu_drop(e, DROP_NOBUF), 1);
}
END_TEST

static void
feed_broken(const uint8_t *data, size_t len)
{
	uint64_t before = nu_drops(&e->lc);

	e->lc.now_ns += 1000000;
	recv_bytes(data, len);
	ck_assert_uint_eq(nu_drops(&e->lc), before + 1);
	pkt_queue_drop(&e->lc, &e->lc.out_l4, DROP_PORT_CLOSED);
}

/* The same with a checksum that fits. */
static void
feed_broken_fixed(const uint8_t *data, size_t len)
{
	uint8_t copy[256];

	memcpy(copy, data, len);
	if (len >= 4)
		fix_icmp_csum(copy, len);
	feed_broken(copy, len);
}

START_TEST(every_broken_message_ends_in_one_counter)
{
	static const uint8_t nops[8] = {1, 1, 1, 1, 1, 1, 1, 1};
	uint8_t icmp[128];

	nu_each_broken(icmp, echo(icmp), feed_broken);
	nu_each_broken(icmp, echo(icmp), feed_broken_fixed);
	nu_each_broken(icmp, quoting(icmp, 3, 4, (struct nu_ip){0}), feed_broken);
	nu_each_broken(icmp, quoting(icmp, 3, 4, (struct nu_ip){0}), feed_broken_fixed);
	nu_each_broken(icmp, quoting(icmp, 3, 4, (struct nu_ip){.opt = nops, .opt_len = 8}),
		feed_broken_fixed);
	ck_assert_uint_gt(nu_drop(e, DROP_ICMP_QUOTE), 0);
}
END_TEST

int
main(void)
{
	Suite *su = suite_create("icmp");
	TCase *c = tcase_create("icmp");

	tcase_add_checked_fixture(c, setup, teardown);
	tcase_add_test(c, echo_is_answered_with_all_its_data);
	tcase_add_test(c, echo_without_data_is_answered);
	tcase_add_test(c, protected_echo_gets_a_protected_answer);
	tcase_add_test(c, without_hooks_a_protected_echo_is_not_answered_in_clear);
	tcase_add_test(c, broadcast_echo_is_not_answered);
	tcase_add_test(c, wrong_checksum_or_length_is_dropped);
	tcase_add_test(c, other_types_are_ignored);
	tcase_add_test(c, error_names_the_flow_of_the_quoted_packet);
	tcase_add_test(c, only_fragmentation_needed_has_an_mtu);
	tcase_add_test(c, error_under_an_sa_is_marked_so);
	tcase_add_test(c, quoted_esp_shows_its_spi_and_sequence_number);
	tcase_add_test(c, quoted_ports_are_read_if_the_protocol_has_them);
	tcase_add_test(c, path_mtu_needs_a_quote_of_what_is_in_flight);
	tcase_add_test(c, error_that_may_not_speak_is_dropped);
	tcase_add_test(c, quote_that_is_not_ours_or_not_a_first_fragment_is_dropped);
	tcase_add_test(c, quote_must_hold_its_header_and_eight_bytes);
	tcase_add_test(c, unreachable_quotes_the_packet);
	tcase_add_test(c, unreachable_fits_576_bytes_and_carries_the_mtu);
	tcase_add_test(c, transport_mode_packet_is_quoted_as_it_was_before_esp);
	tcase_add_test(c, no_error_about_errors_broadcasts_and_later_fragments);
	tcase_add_test(c, errors_are_limited_and_the_limit_recovers);
	tcase_add_test(c, echo_answers_are_limited);
	tcase_add_test(c, echo_larger_than_a_buffer_is_not_answered);
	tcase_add_test(c, every_broken_message_ends_in_one_counter);
	suite_add_tcase(su, c);
	return env_main(su);
}
