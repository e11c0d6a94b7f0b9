/* SPDX-License-Identifier: BSD-3-Clause */
/* F-51: what an ICMP error that quotes our ESP may change. */
#include "tests/util/esp_env.h"

enum { S = 1000000000 };

static struct flow_key
quoted(uint32_t spi)
{
	return (struct flow_key){.local = ee_here,
		.remote = ee_there,
		.lport = rte_cpu_to_be_16((uint16_t)(spi >> 16)),
		.rport = rte_cpu_to_be_16((uint16_t)spi),
		.proto = IPPROTO_N_ESP};
}

static uint32_t
path_mtu(void)
{
	return esp_sa_path_mtu(&ee->lc, ee->lc.esp->slot[1]);
}

static void
setup(void)
{
	ee_setup();
	ee_add_default_pair();
	ee->lc.esp->slot[1]->seq = 1000;
}

START_TEST(router_that_quotes_our_packet_is_believed)
{
	struct flow_key k = quoted(EE_SPI_IN); /* the pair shares it */
	uint32_t version = esp_sad_version(&ee->lc);

	ck_assert(esp_may_speak(&ee->lc, &k));
	esp_too_big(&ee->lc, &k, 999, 1400);
	ck_assert_uint_eq(path_mtu(), 1400);
	ck_assert_uint_ne(esp_sad_version(&ee->lc), version);
	esp_too_big(&ee->lc, &k, 999, 1450); /* it only goes down */
	ck_assert_uint_eq(path_mtu(), 1400);
	ee->lc.now_ns += 601ull * S;
	ck_assert_uint_eq(path_mtu(), 0);
	esp_too_big(&ee->lc, &k, 999, 1450);
	ck_assert_uint_eq(path_mtu(), 1450);
}
END_TEST

START_TEST(forged_quote_changes_nothing)
{
	struct flow_key k = quoted(EE_SPI_IN + 1);

	ck_assert(!esp_may_speak(&ee->lc, &k));
	esp_too_big(&ee->lc, &k, 999, 1400);
	k = quoted(EE_SPI_IN);
	k.remote = ee_here;
	ck_assert(!esp_may_speak(&ee->lc, &k));
	k = quoted(EE_SPI_IN);
	k.realm = 1; /* F-64: of another tenant */
	ck_assert(!esp_may_speak(&ee->lc, &k));
	esp_too_big(&ee->lc, &k, 999, 1400);
	k = quoted(EE_SPI_IN);
	esp_too_big(&ee->lc, &k, 1001, 1400); /* never sent */
	esp_too_big(&ee->lc, &k, 1000u - 70000u, 1400);
	ck_assert_uint_eq(path_mtu(), 0);
}
END_TEST

/* F-2: what another worker heard of an SA is not said of the next one in its slot. */
START_TEST(news_of_a_deleted_sa_are_not_its_successors)
{
	esp_sad_set_pmtu(&ee->lc, 1, 2, 1400);
	esp_sad_set_pmtu(&ee->lc, 7, 1, 1400); /* nobody is there */
	ck_assert_uint_eq(path_mtu(), 0);
	esp_sad_set_pmtu(&ee->lc, 1, 1, 1400);
	ck_assert_uint_eq(path_mtu(), 1400);
}
END_TEST

START_TEST(nobody_can_make_packets_tiny)
{
	struct flow_key k = quoted(EE_SPI_IN);

	esp_too_big(&ee->lc, &k, 1000, 68);
	ck_assert_uint_eq(path_mtu(), 576);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("esp_icmp");
	TCase *c = tcase_create("esp_icmp");

	tcase_add_checked_fixture(c, setup, ee_teardown);
	tcase_add_test(c, router_that_quotes_our_packet_is_believed);
	tcase_add_test(c, forged_quote_changes_nothing);
	tcase_add_test(c, news_of_a_deleted_sa_are_not_its_successors);
	tcase_add_test(c, nobody_can_make_packets_tiny);
	suite_add_tcase(s, c);
	return env_main(s);
}
