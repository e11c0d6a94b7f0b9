/* SPDX-License-Identifier: BSD-3-Clause */
/* Lifetimes (RFC 4301 s4.4.2.1), the questions for SAs (F-14), and what an expired SA refuses. */
#include <rte_jhash.h>

#include "tests/util/esp_env.h"

enum { S = 1000000000 };

static uint8_t clear[EE_PAYLOAD], esp[EE_MAX];

static void
add(const struct esp_life *in_life, const struct esp_life *out_life)
{
	struct esp_sa_conf in = ee_sa(true), out = ee_sa(false);

	ee_payload(clear);
	if (in_life != NULL)
		in.life = *in_life;
	if (out_life != NULL)
		out.life = *out_life;
	ee_add_pair(&in, &out);
}

/* Returns whether a packet left. */
static bool
sent(void)
{
	struct rte_mbuf *m = ee_packet(IPPROTO_N_TCP, clear, EE_PAYLOAD);
	struct pkt_vec v = {.n = 1, .m = {m}};

	esp_out(&ee->lc, &v);
	if (v.n == 1)
		rte_pktmbuf_free(m);
	return v.n == 1;
}

static bool
received(void)
{
	uint32_t n = ee_encrypt(IPPROTO_N_TCP, clear, EE_PAYLOAD, esp);
	struct rte_mbuf *m = ee_receive(esp, n, NX_TCP);

	rte_pktmbuf_free(m);
	return m != NULL;
}

static void
wait_s(uint64_t s)
{
	ee->lc.now_ns += s * S;
	tmr_run(&ee->lc);
}

START_TEST(packets_soft_is_told_once_and_hard_refuses)
{
	add(NULL, &(struct esp_life){.soft_packets = 3, .hard_packets = 5});
	ck_assert(sent() && sent());
	ck_assert_uint_eq(ee_events, 0);
	ck_assert(sent());
	ck_assert_uint_eq(ee_events, 1);
	ck_assert_uint_eq(ee_event[0].kind, ESP_EV_SOFT);
	ck_assert_uint_eq(ee_event[0].index, 1);
	ck_assert(sent());
	ck_assert_uint_eq(ee_events, 1);
	ck_assert(sent());
	ck_assert_uint_eq(ee_events, 2);
	ck_assert_uint_eq(ee_event[1].kind, ESP_EV_HARD);
	ck_assert(!sent());
	ck_assert_uint_eq(ee->lc.stat.drop[DROP_ESP_EXPIRED], 1);
	ck_assert_uint_eq(ee_events, 2);
}
END_TEST

START_TEST(bytes_are_those_that_the_algorithm_saw)
{
	/* 41 bytes, padding and trailer: 44 */
	add(NULL, &(struct esp_life){.soft_bytes = 45, .hard_bytes = 132});
	ck_assert(sent());
	ck_assert_uint_eq(ee_events, 0);
	ck_assert(sent());
	ck_assert_uint_eq(ee_event[0].kind, ESP_EV_SOFT);
	ck_assert(sent());
	ck_assert_uint_eq(ee_event[1].kind, ESP_EV_HARD);
	ck_assert(!sent());
}
END_TEST

START_TEST(seconds_count_from_the_moment_it_was_added)
{
	add(NULL, &(struct esp_life){.soft_add_s = 10, .hard_add_s = 20});
	wait_s(9);
	ck_assert_uint_eq(ee_events, 0);
	wait_s(1);
	ck_assert_uint_eq(ee_events, 1);
	wait_s(9);
	ck_assert(sent());
	wait_s(1);
	ck_assert_uint_eq(ee_events, 2);
	ck_assert(!sent());
}
END_TEST

START_TEST(seconds_of_use_count_from_the_first_packet)
{
	add(NULL, &(struct esp_life){.soft_use_s = 10, .hard_use_s = 20});
	wait_s(100);
	ck_assert_uint_eq(ee_events, 0);
	ck_assert(sent());
	wait_s(10);
	ck_assert_uint_eq(ee_events, 1);
	wait_s(10);
	ck_assert_uint_eq(ee_events, 2);
	ck_assert(!sent());
}
END_TEST

START_TEST(inbound_sa_expires_too)
{
	add(&(struct esp_life){.hard_packets = 2}, NULL);
	ck_assert(received() && received());
	ck_assert(!received());
	ck_assert_uint_eq(ee->lc.stat.drop[DROP_ESP_EXPIRED], 1);
	ck_assert_uint_eq(ee_event[0].index, 0);
}
END_TEST

/* A forged packet must not bring the end nearer. */
START_TEST(only_authentic_packets_count)
{
	uint32_t n;

	add(&(struct esp_life){.hard_packets = 2}, NULL);
	n = ee_encrypt(IPPROTO_N_TCP, clear, EE_PAYLOAD, esp);
	esp[20] ^= 1;
	for (int i = 0; i < 10; i++)
		ck_assert_ptr_null(ee_receive(esp, n, NX_TCP));
	ck_assert_uint_eq(ee_events, 0);
	ck_assert(received());
}
END_TEST

/* Never in clear: neither for a latch nor for the policy (G-14). */
START_TEST(expiry_never_falls_back_to_clear)
{
	struct spd_rule r = {.action = SPD_PROTECT, .dir = SPD_BOTH, .id = 9};
	struct spd *spd;
	const char *why;

	esp_sel_any(&r.sel, 0);
	add(NULL, &(struct esp_life){.hard_packets = 1});
	ck_assert_int_eq(spd_build(&r, 1, &spd, &why), 0);
	ck_assert_int_eq(spd_install(&ee->lc, spd), 0);
	ck_assert(sent());
	for (int tagged = 0; tagged < 2; tagged++) {
		struct rte_mbuf *m = ee_packet(IPPROTO_N_TCP, clear, EE_PAYLOAD);
		struct pkt_vec v = {.n = 1, .m = {m}};

		if (tagged)
			pkt_tag_set(&ee->lc, m,
				(struct tl_tag){
					.sad_index = 1, .sad_gen = 1, .profile = EE_PROFILE});
		spd_out(&ee->lc, &v);
		ck_assert_uint_eq(v.n, 0);
		ck_assert_uint_eq(ee->lc.stat.drop[DROP_ESP_NOSA], (uint64_t)tagged + 1);
		ck_assert_uint_eq(ee_event[tagged + 1].kind, ESP_EV_ACQUIRE);
	}
	ck_assert_uint_eq(ee_event[1].rule, 9);
	ck_assert_uint_eq(ee_event[2].profile, EE_PROFILE);
	spd_free(spd);
}
END_TEST

/* E-4, RFC 4303 s3.3.3: the counter never wraps; its replacement is asked for in time. */
START_TEST(sequence_numbers_without_esn_warn_before_they_end)
{
	struct esp_sa_conf in = ee_sa(true), out = ee_sa(false);
	struct esp_sa *sa;

	in.esn = out.esn = false;
	ee_payload(clear);
	ee_add_pair(&in, &out);
	sa = ee->lc.esp->slot[1];
	sa->seq = sa->packets = (3ull << 30) - 2;
	ck_assert(sent());
	ck_assert_uint_eq(ee_events, 0);
	ck_assert(sent());
	ck_assert_uint_eq(ee_event[0].kind, ESP_EV_SOFT);
	sa->seq = UINT32_MAX - 1;
	ck_assert(sent());
	ck_assert(!sent());
	ck_assert_uint_eq(ee->lc.stat.drop[DROP_ESP_SEQ_END], 1);
}
END_TEST

/* K-9, RFC 4303 s3.3.3: the last number is a hard limit as any other: the key manager hears of it,
 * and the next packet finds an expired SA. */
START_TEST(last_sequence_number_is_a_hard_limit)
{
	struct esp_sa_conf in = ee_sa(true), out = ee_sa(false);
	struct esp_sa *sa;

	in.esn = out.esn = false;
	ee_payload(clear);
	ee_add_pair(&in, &out);
	sa = ee->lc.esp->slot[1];
	sa->soft_sent = true;
	sa->seq = sa->packets = UINT32_MAX - 2;
	ck_assert(sent());
	ck_assert_uint_eq(ee_events, 0);
	ck_assert(sent());
	ck_assert_uint_eq(ee_events, 1);
	ck_assert_uint_eq(ee_event[0].kind, ESP_EV_HARD);
	ck_assert(!sent());
	ck_assert_uint_eq(ee->lc.stat.drop[DROP_ESP_EXPIRED], 1);
}
END_TEST

/* P-16, F-14 */
START_TEST(the_same_question_is_asked_once)
{
	struct flow_key k = {.local = ee_here, .remote = ee_there, .proto = IPPROTO_N_TCP};

	for (uint16_t port = 0; port < 10000; port++) {
		k.lport = port;
		esp_acquire(&ee->lc, &k, 7, 0, NULL);
	}
	ck_assert_uint_eq(ee_events, 1);
	ck_assert_uint_eq(ee->lc.stat.st[ST_ACQUIRE_SKIP], 9999);
	esp_acquire(&ee->lc, &k, 8, 0, NULL); /* another rule is another question */
	ck_assert_uint_eq(ee_events, 2);
	wait_s(5);
	esp_acquire(&ee->lc, &k, 7, 0, NULL);
	ck_assert_uint_eq(ee_events, 3);
	esp_acquire_done(&ee->lc);
	esp_acquire(&ee->lc, &k, 7, 0, NULL);
	ck_assert_uint_eq(ee_events, 4);
}
END_TEST

/* Who may choose addresses must not choose which questions drive out which. */
START_TEST(nobody_can_choose_questions_of_one_slot)
{
	struct flow_key k = {.local = ee_here, .proto = IPPROTO_N_TCP};
	uint32_t asked = 0;

	for (uint32_t n = 1; asked < 16; n++) {
		k.remote = ip_addr_v4(rte_cpu_to_be_32(n));
		if (rte_jhash(&k.remote, sizeof(k.remote), 7) % ACQUIRE_SLOTS != 0)
			continue;
		esp_acquire(&ee->lc, &k, 7, 0, NULL);
		asked++;
	}
	ck_assert_uint_gt(ee_events, 12);
}
END_TEST

START_TEST(deleted_sa_has_no_timer_left)
{
	add(&(struct esp_life){.hard_add_s = 5}, &(struct esp_life){.hard_add_s = 5});
	ck_assert_int_eq(esp_sad_del(&ee->lc, 0, 1, ESP_DEL_REKEY), 0);
	ck_assert_int_eq(esp_sad_del(&ee->lc, 1, 1, ESP_DEL_REKEY), 0);
	ck_assert_uint_eq(tmr_next_ns(&ee->lc), UINT64_MAX);
	wait_s(10);
	ck_assert_uint_eq(ee_events, 0);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("sa_life");
	TCase *c = tcase_create("sa_life");

	tcase_add_checked_fixture(c, ee_setup, ee_teardown);
	tcase_add_test(c, packets_soft_is_told_once_and_hard_refuses);
	tcase_add_test(c, bytes_are_those_that_the_algorithm_saw);
	tcase_add_test(c, seconds_count_from_the_moment_it_was_added);
	tcase_add_test(c, seconds_of_use_count_from_the_first_packet);
	tcase_add_test(c, inbound_sa_expires_too);
	tcase_add_test(c, only_authentic_packets_count);
	tcase_add_test(c, expiry_never_falls_back_to_clear);
	tcase_add_test(c, sequence_numbers_without_esn_warn_before_they_end);
	tcase_add_test(c, last_sequence_number_is_a_hard_limit);
	tcase_add_test(c, the_same_question_is_asked_once);
	tcase_add_test(c, nobody_can_choose_questions_of_one_slot);
	tcase_add_test(c, deleted_sa_has_no_timer_left);
	suite_add_tcase(s, c);
	return env_main(s);
}
