/* SPDX-License-Identifier: BSD-3-Clause */
/* What tl_conf_check() says of values that are each well written but do not fit together. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "stack/include/tl.h"
#include "stack/run/conf.h"
#include "tests/util/lc_env.h"

#define CIPHER_KEY   "000102030405060708090a0b0c0d0e0f"
#define CIPHER_KEY_2 "100102030405060708090a0b0c0d0e0f"
#define MAC_KEY      "200102030405060708090a0b0c0d0e0f000102030405060708090a0b0c0d0e0f"
#define MAC_KEY_2    "300102030405060708090a0b0c0d0e0f000102030405060708090a0b0c0d0e0f"

static struct tl_conf *c;
static struct tl_error err;

static void
set(const char *section, const char *key, const char *value)
{
	char name[128];

	snprintf(name, sizeof(name), "%s.%s", section, key);
	ck_assert_int_eq(tl_conf_set(c, name, value, &err), 0);
}

static void
setup(void)
{
	c = tl_conf_new();
	set("stack", "manual-keys", "i-accept-the-risk");
	set("port lan", "device", "net_null0");
	set("port lan", "address", "10.0.0.1/24");
}

static void
teardown(void)
{
	tl_conf_free(c);
}

/* An SA half with AES-CBC, or with ENCR_NULL if it has no cipher key. */
static void
sa(const char *section, const char *spi, const char *key, const char *mac_key)
{
	set(section, "spi", spi);
	set(section, "direction", "out");
	set(section, "local", "10.0.0.1");
	set(section, "remote", "10.0.0.2");
	set(section, "local-id", "fqdn:a.example");
	set(section, "peer-id", "fqdn:b.example");
	set(section, "encryption", key == NULL ? "ENCR_NULL" : "ENCR_AES_CBC");
	if (key != NULL)
		set(section, "key", key);
	set(section, "integrity", "AUTH_HMAC_SHA2_256_128");
	set(section, "integrity-key", mac_key);
}

static void
expect_refused(const char *why)
{
	ck_assert_int_eq(tl_conf_check(c, &err), -EINVAL);
	ck_assert_msg(strstr(err.text, why) != NULL, "%s", err.text);
}

START_TEST(sas_with_other_keys_are_accepted)
{
	sa("sa a", "1000", CIPHER_KEY, MAC_KEY);
	sa("sa b", "1001", CIPHER_KEY_2, MAC_KEY);
	ck_assert_msg(tl_conf_check(c, &err) == 0, "%s", err.text);
}
END_TEST

START_TEST(sas_with_the_same_keys_are_refused)
{
	sa("sa a", "1000", CIPHER_KEY_2, MAC_KEY);
	sa("sa b", "1001", CIPHER_KEY, MAC_KEY);
	sa("sa c", "1002", CIPHER_KEY, MAC_KEY);
	expect_refused("sa c.key: expected a key of its own; [sa b] has the same");
}
END_TEST

/* RFC 4106 s3: a nonce does not get better by another key for the MAC. */
START_TEST(sas_with_the_same_cipher_key_and_another_mac_key_are_refused)
{
	sa("sa a", "1000", CIPHER_KEY, MAC_KEY);
	sa("sa b", "1001", CIPHER_KEY, MAC_KEY_2);
	expect_refused("sa b.key: expected a key of its own; [sa a] has the same");
}
END_TEST

START_TEST(sas_without_cipher_and_the_same_mac_key_are_refused)
{
	sa("sa a", "1000", NULL, MAC_KEY);
	sa("sa b", "1001", NULL, MAC_KEY);
	expect_refused("sa b.integrity-key: expected a key of its own; [sa a] has the same");
}
END_TEST

/* F-47 and the form of [peer NAME]. */
START_TEST(f47_peers_that_do_not_fit_together_are_refused)
{
	set("peer a", "identity", "fqdn:a.example");
	set("peer a", "remote-net", "10.0.0.0/24, 10.0.2.1-10.0.2.9, fd00::/8");
	set("peer a", "auth", "cert, raw-key");
	set("peer rest", "leap-of-faith", "yes");
	expect_refused("[peer rest]: its networks overlap those of a named peer");
	set("peer rest", "remote-net", "10.0.2.9-10.0.3.0");
	expect_refused("([peer a])");
	set("peer rest", "remote-net", "fdff::/16");
	expect_refused("overlap");
	set("peer rest", "remote-net", "10.0.2.10-10.0.3.0, fe00::/8");
	ck_assert_msg(tl_conf_check(c, &err) == 0, "%s", err.text);
	set("peer b", "remote-net", "10.1.0.0/16");
	set("peer b", "identity", "fqdn:A.example.");
	expect_refused("another peer has this identity");
	set("peer b", "identity", "fqdn:b.example");
	set("peer b", "auth", "passport");
	expect_refused("raw-key, psk");
	set("peer b", "auth", "any");
	set("peer b", "leap-of-faith", "yes");
	expect_refused("expected a key \"identity\"");
}
END_TEST

/* Each message names the key, what it takes and what it got. */
START_TEST(tcp_keys_with_bad_values_are_refused)
{
	static const char *const bad[][3] = {
		{"rto-initial-ms", "9", "10 to 60000 ms"},
		{"rto-max-ms", "999", "1000 to 600000 ms"},
		{"initial-cwnd", "0", "1 to 1000 segments"},
		{"congestion-control", "vegas", "newreno,cubic,dctcp,bbr"},
		{"congestion-control", "cub", "newreno,cubic,dctcp,bbr"},
		{"ecn", "yes", "no,ask,accept"},
		{"hystart", "maybe", "yes or no"},
		{"sack", "2", "yes or no"},
		{"dsack", "", "yes or no"},
		{"tlp", "on please", "yes or no"},
		{"frto", "-", "yes or no"},
		{"max-ranges", "16777217", "0 to 16777216"},
		{"max-ranges", "-1", "0 to 16777216"},
		{"syn-cookies", "never", "yes or no"},
		{"keep-idle-s", "0", "1 to 32767 seconds"},
		{"keep-interval-s", "32768", "1 to 32767 seconds"},
		{"keep-probes", "128", "1 to 127"},
	};
	char why[128];

	set("tcp", bad[_i][0], bad[_i][1]);
	snprintf(why, sizeof(why), "tcp.%s: expected %s, got \"%s\"", bad[_i][0], bad[_i][2],
		bad[_i][1]);
	expect_refused(why);
}
END_TEST

/* RFC 6298 (2.5): the maximum is at least the minimum. */
START_TEST(rto_bounds_that_cross_are_refused)
{
	set("tcp", "rto-max-ms", "2000");
	set("tcp", "rto-min-ms", "2001");
	expect_refused("[tcp] rto-max-ms: expected at least rto-min-ms and rto-initial-ms");
	set("tcp", "rto-min-ms", "2000");
	ck_assert_msg(tl_conf_check(c, &err) == 0, "%s", err.text);
	set("tcp", "rto-initial-ms", "2001");
	expect_refused("[tcp] rto-max-ms: expected at least rto-min-ms and rto-initial-ms");
}
END_TEST

/* Every parameter of TCP is shown as text that could be written. */
START_TEST(each_value_of_tcp_that_is_shown_could_be_configured)
{
	struct stack_conf *sc = calloc(1, sizeof(*sc));
	struct conf_shown shown;
	uint32_t n = 0;

	ck_assert_int_eq(conf_build(c, sc, &err), 0);
	for (; conf_shown_nth(sc, "tcp", n, &shown); n++) {
		if (!conf_is_secret(shown.key))
			set("tcp", shown.key, shown.value);
		ck_assert_int_eq(tl_conf_check(c, &err), 0);
	}
	ck_assert_uint_ge(n, 40);
	conf_done(sc);
	latch_tables_free(sc->tables);
	free(sc);
}
END_TEST

static const char *
shown_as(const struct stack_conf *sc, const char *key)
{
	static struct conf_shown shown;

	for (uint32_t i = 0; conf_shown_nth(sc, "tcp", i, &shown); i++) {
		if (strcmp(shown.key, key) == 0)
			return shown.value;
	}
	return "";
}

START_TEST(what_is_configured_for_tcp_is_what_is_shown)
{
	static const char *const pairs[][2] = {{"congestion-control", "dctcp"}, {"ecn", "ask"},
		{"rto-min-ms", "250"}, {"keep-probes", "11"}, {"timestamps", "no"},
		{"time-wait-reuse", "yes"}, {"mtu-probing", "always"}, {"fastopen", "both"},
		{"rcvbuf-max", "5000000"}, {"msl-ms", "1234"}};
	struct stack_conf *sc = calloc(1, sizeof(*sc));

	for (size_t i = 0; i < RTE_DIM(pairs); i++)
		set("tcp", pairs[i][0], pairs[i][1]);
	ck_assert_int_eq(conf_build(c, sc, &err), 0);
	for (size_t i = 0; i < RTE_DIM(pairs); i++)
		ck_assert_str_eq(shown_as(sc, pairs[i][0]), pairs[i][1]);
	ck_assert_str_eq(shown_as(sc, "initial-cwnd"), "10"); /* RFC 6928 */
	conf_done(sc);
	latch_tables_free(sc->tables);
	free(sc);
}
END_TEST

START_TEST(range_of_ports_has_a_beginning_and_an_end)
{
	set("tcp", "first-port", "40000");
	set("tcp", "last-port", "39999");
	expect_refused("last-port");
}
END_TEST

START_TEST(key_of_fast_open_has_32_digits)
{
	set("tcp", "fastopen-key", "0011");
	expect_refused("32 hexadecimal digits");
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("conf_check");
	TCase *t = tcase_create("keys");

	tcase_add_checked_fixture(t, setup, teardown);
	tcase_add_test(t, sas_with_other_keys_are_accepted);
	tcase_add_test(t, sas_with_the_same_keys_are_refused);
	tcase_add_test(t, sas_with_the_same_cipher_key_and_another_mac_key_are_refused);
	tcase_add_test(t, sas_without_cipher_and_the_same_mac_key_are_refused);
	tcase_add_test(t, f47_peers_that_do_not_fit_together_are_refused);
	tcase_add_loop_test(t, tcp_keys_with_bad_values_are_refused, 0, 17);
	tcase_add_test(t, rto_bounds_that_cross_are_refused);
	tcase_add_test(t, each_value_of_tcp_that_is_shown_could_be_configured);
	tcase_add_test(t, what_is_configured_for_tcp_is_what_is_shown);
	tcase_add_test(t, range_of_ports_has_a_beginning_and_an_end);
	tcase_add_test(t, key_of_fast_open_has_32_digits);
	suite_add_tcase(s, t);
	return env_main(s);
}
