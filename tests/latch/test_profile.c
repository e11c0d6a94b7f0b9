/* SPDX-License-Identifier: BSD-3-Clause */
#include "latch/profile.h"
#include "tests/util/lc_env.h"

static struct latch_tables *t;

static void
setup(void)
{
	ck_assert_int_eq(latch_tables_create(&t), 0);
}

static void
teardown(void)
{
	latch_tables_free(t);
}

static uint32_t
ident(uint16_t type, const char *text)
{
	struct tl_ident id = {.type = type, .len = (uint16_t)strlen(text)};

	memcpy(id.data, text, id.len);
	return latch_ident_intern(t, &id);
}

/* F-41 */
START_TEST(f41_fqdn_compares_without_case_and_final_dot)
{
	uint32_t a = ident(TL_ID_FQDN, "Host.Example");

	ck_assert_uint_ne(a, 0);
	ck_assert_uint_eq(ident(TL_ID_FQDN, "host.example."), a);
	ck_assert_uint_ne(ident(TL_ID_FQDN, "host2.example"), a);
}
END_TEST

START_TEST(f41_type_is_part_of_the_identity)
{
	struct tl_ident v4 = {.type = TL_ID_IPV4_ADDR, .len = 4, .data = {10, 0, 0, 1}};

	ck_assert_uint_ne(ident(TL_ID_FQDN, "10.0.0.1"), latch_ident_intern(t, &v4));
	ck_assert_uint_ne(ident(TL_ID_FQDN, "a.example"), ident(TL_ID_KEY_ID, "a.example"));
}
END_TEST

START_TEST(f41_mailbox_keeps_the_case_of_its_local_part)
{
	ck_assert_uint_eq(ident(TL_ID_RFC822_ADDR, "Bob@Example.org"),
		ident(TL_ID_RFC822_ADDR, "Bob@example.ORG"));
	ck_assert_uint_ne(ident(TL_ID_RFC822_ADDR, "Bob@example.org"),
		ident(TL_ID_RFC822_ADDR, "bob@example.org"));
}
END_TEST

/* E-21, F-39 */
START_TEST(f39_nobody_and_malformed_identities_have_no_handle)
{
	struct tl_ident short4 = {.type = TL_ID_IPV4_ADDR, .len = 3};
	struct tl_ident null_id = {.type = 13};
	struct tl_ident toolong = {.type = TL_ID_KEY_ID, .len = TL_IDENT_MAX + 1};

	ck_assert_uint_eq(latch_ident_intern(t, &short4), 0);
	ck_assert_uint_eq(latch_ident_intern(t, &null_id), 0);
	ck_assert_uint_eq(latch_ident_intern(t, &toolong), 0);
	ck_assert_uint_eq(ident(TL_ID_FQDN, ""), 0);
	ck_assert_ptr_null(latch_ident_get(t, 0));
	ck_assert_ptr_null(latch_profile_get(t, 12345));
}
END_TEST

/* F-39: two who say that they are nobody are two, each the same over his rekeys; who does not say
 * where he comes from stays nobody. */
START_TEST(f39_null_identities_are_told_apart_by_their_lineage)
{
	struct tl_ident a = {.type = TL_ID_NULL, .len = 16, .data = {1, [8] = 2}}, b = a, bad;
	uint32_t handle;

	b.data[15] = 1;
	ck_assert_uint_ne(latch_ident_intern(t, &a), 0);
	ck_assert_uint_eq(latch_ident_intern(t, &a), latch_ident_intern(t, &a));
	ck_assert(latch_ident_find(t, &b, &handle));
	ck_assert_uint_eq(handle, 0); /* a question adds nobody */
	ck_assert_uint_ne(latch_ident_intern(t, &b), latch_ident_intern(t, &a));
	ck_assert(latch_ident_find(t, &b, &handle));
	ck_assert_uint_eq(handle, latch_ident_intern(t, &b));
	for (uint16_t len = 0; len <= 32; len++) {
		bad = a;
		bad.len = len;
		ck_assert(len == 16 || latch_ident_intern(t, &bad) == 0);
		ck_assert(len == 16 || !latch_ident_find(t, &bad, &handle));
	}
	bad = a;
	bad.data[0] = 0;
	ck_assert_uint_eq(latch_ident_intern(t, &bad), 0);
	bad = a;
	bad.data[8] = 0;
	ck_assert_uint_eq(latch_ident_intern(t, &bad), 0);
}
END_TEST

static const struct latch_profile base = {.proto = 50,
	.mode = 1,
	.type = 3,
	.replay = TL_LATCH_REPLAY_ON,
	.encr = 20,
	.encr_bits = 128,
	.icv_bits = 128,
	.local_id = 1,
	.peer_id = 2};

/* E-16, G-3 to G-9: every latched item makes another profile; C.2. */
START_TEST(each_latched_item_makes_another_profile)
{
	struct latch_profile p[12];
	uint32_t h[12];

	for (int i = 0; i < 12; i++)
		p[i] = base;
	p[1].proto = 51;
	p[2].mode = 2;
	p[3].type = 2;
	p[4].replay = TL_LATCH_REPLAY_ON | TL_LATCH_REPLAY_ESN;
	p[5].encr = 28;
	p[6].encr_bits = 256;
	p[7].integ = 12;
	p[8].icv_bits = 96;
	p[9].local_id = 3;
	p[10].peer_id = 3;
	p[11].realm = 1;
	for (int i = 0; i < 12; i++) {
		h[i] = latch_profile_intern(t, &p[i]);
		ck_assert_uint_ne(h[i], 0);
		for (int k = 0; k < i; k++)
			ck_assert_uint_ne(h[i], h[k]);
	}
	ck_assert_uint_eq(latch_profile_intern(t, &base), h[0]);
}
END_TEST

START_TEST(profile_with_replay_on_is_its_own_outbound_twin)
{
	uint32_t h = latch_profile_intern(t, &base);

	ck_assert_uint_eq(profile_get(t, h)->out_twin, h);
}
END_TEST

/* G-7: an inbound window that is off is another profile; what we send stays the same. */
START_TEST(g7_window_off_is_another_profile_with_the_same_outbound_twin)
{
	struct latch_profile off = base;
	uint32_t on = latch_profile_intern(t, &base), h;

	off.replay = 0;
	h = latch_profile_intern(t, &off);
	ck_assert_uint_ne(h, on);
	ck_assert_uint_eq(profile_get(t, h)->out_twin, on);
}
END_TEST

/* F-4: handles count up and keep naming what they named. */
START_TEST(f4_handles_are_never_reused)
{
	struct latch_profile p = base;
	uint32_t first = latch_profile_intern(t, &p);

	for (uint32_t i = 0; i < 5000; i++) {
		p.peer_id = 100 + i;
		ck_assert_uint_eq(latch_profile_intern(t, &p), first + 1 + i);
	}
	for (uint32_t i = 0; i < 5000; i++)
		ck_assert_uint_eq(latch_profile_get(t, first + 1 + i)->peer_id, 100 + i);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("profile");
	TCase *c = tcase_create("profile");

	tcase_add_checked_fixture(c, setup, teardown);
	tcase_add_test(c, f41_fqdn_compares_without_case_and_final_dot);
	tcase_add_test(c, f41_type_is_part_of_the_identity);
	tcase_add_test(c, f41_mailbox_keeps_the_case_of_its_local_part);
	tcase_add_test(c, f39_nobody_and_malformed_identities_have_no_handle);
	tcase_add_test(c, f39_null_identities_are_told_apart_by_their_lineage);
	tcase_add_test(c, each_latched_item_makes_another_profile);
	tcase_add_test(c, profile_with_replay_on_is_its_own_outbound_twin);
	tcase_add_test(c, g7_window_off_is_another_profile_with_the_same_outbound_twin);
	tcase_add_test(c, f4_handles_are_never_reused);
	suite_add_tcase(s, c);
	return env_main(s);
}
