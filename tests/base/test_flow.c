/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdlib.h>

#include "stack/base/flow.h"
#include "stack/base/flow_dir.h"
#include "tests/util/lc_env.h"

static struct env *e;
/* The table never looks into a latch. */
static char latch_stand_in;

static void
setup(void)
{
	e = env_setup();
}

static void
teardown(void)
{
	ck_assert_uint_eq(e->lc.flow->n, 0);
	env_teardown(e);
}

static struct flow_key
key(uint32_t i)
{
	struct flow_key k = {
		.proto = 6, .lport = rte_cpu_to_be_16(80), .rport = rte_cpu_to_be_16((uint16_t)i)};

	k.local = ip_addr_v4(RTE_BE32(0x0a000001));
	k.remote = ip_addr_v4(rte_cpu_to_be_32(0x0a000000 + (i >> 16)));
	return k;
}

static void
init_ent(struct flow_ent *fe, struct flow_key k)
{
	*fe = (struct flow_ent){.key = k, .latch = (struct latch *)(void *)&latch_stand_in};
}

START_TEST(inserted_flow_is_found_until_it_is_removed)
{
	struct flow_ent a;
	struct flow_key k = key(1);

	init_ent(&a, k);
	ck_assert_ptr_null(flow_find(&e->lc, &k));
	ck_assert_int_eq(flow_insert(&e->lc, &a), 0);
	ck_assert_ptr_eq(flow_find(&e->lc, &k), &a);
	flow_remove(&e->lc, &a);
	ck_assert_ptr_null(flow_find(&e->lc, &k));
	flow_remove(&e->lc, &a);
	ck_assert_uint_eq(e->lc.flow->n, 0);
}
END_TEST

/* C-9 */
START_TEST(key_with_an_owner_is_refused)
{
	struct flow_ent a, b;

	init_ent(&a, key(1));
	init_ent(&b, key(1));
	ck_assert_int_eq(flow_insert(&e->lc, &a), 0);
	ck_assert_int_eq(flow_insert(&e->lc, &b), -EADDRINUSE);
	ck_assert(!b.linked);
	flow_remove(&e->lc, &b);
	ck_assert_uint_eq(e->lc.flow->n, 1);
	flow_remove(&e->lc, &a);
	ck_assert_int_eq(flow_insert(&e->lc, &b), 0);
	flow_remove(&e->lc, &b);
}
END_TEST

START_TEST(every_field_of_the_key_counts)
{
	struct flow_key k = key(1), other[6];
	struct flow_ent a;

	init_ent(&a, k);
	ck_assert_int_eq(flow_insert(&e->lc, &a), 0);
	for (uint32_t i = 0; i < 6; i++)
		other[i] = k;
	other[0].local.b[15] ^= 1;
	other[1].remote.b[15] ^= 1;
	other[2].lport ^= 1;
	other[3].rport ^= 1;
	other[4].realm ^= 1; /* N-4, F-29 */
	other[5].proto ^= 1;
	for (uint32_t i = 0; i < 6; i++) {
		ck_assert_ptr_null(flow_find(&e->lc, &other[i]));
		ck_assert_uint_ne(flow_hash(e->lc.flow, &other[i]), flow_hash(e->lc.flow, &k));
	}
	flow_remove(&e->lc, &a);
}
END_TEST

START_TEST(version_rises_with_every_change_and_only_then)
{
	uint32_t v = e->lc.flow->version;
	struct flow_ent a, b;
	struct flow_key k = key(1);

	init_ent(&a, k);
	init_ent(&b, k);
	flow_insert(&e->lc, &a);
	ck_assert_uint_eq(e->lc.flow->version, v + 1);
	flow_insert(&e->lc, &b);
	flow_find(&e->lc, &k);
	ck_assert_uint_eq(e->lc.flow->version, v + 1);
	flow_remove(&e->lc, &a);
	flow_remove(&e->lc, &a);
	ck_assert_uint_eq(e->lc.flow->version, v + 2);
}
END_TEST

/* 256 buckets, ten times as many flows: chains of every length, random changes. */
START_TEST(table_agrees_with_an_array)
{
	enum { N = 2560 };
	struct flow_ent *ent = calloc(N, sizeof(*ent));
	uint32_t n = 0;

	srand(3);
	for (uint32_t i = 0; i < N; i++)
		init_ent(&ent[i], key(i * 977));
	for (uint32_t step = 0; step < 20000; step++) {
		struct flow_ent *fe = &ent[rand() % N];

		if (fe->linked) {
			ck_assert_ptr_eq(flow_find(&e->lc, &fe->key), fe);
			flow_remove(&e->lc, fe);
			n--;
		} else {
			ck_assert_int_eq(flow_insert(&e->lc, fe), 0);
			n++;
		}
		ck_assert_uint_eq(e->lc.flow->n, n);
	}
	for (uint32_t i = 0; i < N; i++) {
		struct flow_ent *found = flow_find(&e->lc, &ent[i].key);

		ck_assert_ptr_eq(found, ent[i].linked ? &ent[i] : NULL);
		flow_remove(&e->lc, &ent[i]);
	}
	free(ent);
}
END_TEST

/* Two workers, one directory. */
enum { DIR_FLOWS = 2560 };

struct two {
	struct lcore lc[2];
	struct flow_dir *dir;
};

static void
two_open(struct two *t)
{
	ck_assert_int_eq(flow_dir_create("two", DIR_FLOWS, 7, &t->dir), 0);
	for (uint16_t w = 0; w < 2; w++) {
		t->lc[w] = (struct lcore){.id = w, .nb_workers = 2};
		ck_assert_int_eq(flow_create(256, 7 + w, &t->lc[w].flow), 0);
		t->lc[w].flow->dir = t->dir;
	}
}

static void
two_close(struct two *t)
{
	flow_free(t->lc[0].flow);
	flow_free(t->lc[1].flow);
	flow_dir_free(t->dir);
}

/* C-9 */
START_TEST(flow_of_one_worker_is_refused_to_the_other_until_it_is_removed)
{
	struct two t;
	struct flow_ent a, b;
	struct flow_key k = key(5);
	uint16_t worker = 9;

	two_open(&t);
	init_ent(&a, k);
	init_ent(&b, k);
	ck_assert(!flow_is_elsewhere(&t.lc[0], &k, &worker));
	ck_assert_int_eq(flow_insert(&t.lc[1], &a), 0);
	ck_assert(flow_is_elsewhere(&t.lc[0], &k, &worker));
	ck_assert_uint_eq(worker, 1);
	ck_assert(!flow_is_elsewhere(&t.lc[1], &k, &worker));
	ck_assert_int_eq(flow_insert(&t.lc[0], &b), -EADDRINUSE);
	ck_assert(!b.linked);
	flow_remove(&t.lc[1], &a);
	ck_assert(!flow_is_elsewhere(&t.lc[0], &k, &worker));
	ck_assert_int_eq(flow_insert(&t.lc[0], &b), 0);
	flow_remove(&t.lc[0], &b);
	two_close(&t);
}
END_TEST

START_TEST(directory_holds_as_many_flows_as_it_was_made_for)
{
	struct flow_ent *ent = calloc(DIR_FLOWS, sizeof(*ent));
	struct two t;
	uint16_t worker;

	two_open(&t);
	for (uint32_t i = 0; i < DIR_FLOWS; i++) {
		init_ent(&ent[i], key(i));
		ck_assert_int_eq(flow_insert(&t.lc[i & 1], &ent[i]), 0);
	}
	for (uint32_t i = 0; i < DIR_FLOWS; i++) {
		ck_assert(flow_is_elsewhere(&t.lc[1 - (i & 1)], &ent[i].key, &worker));
		ck_assert_uint_eq(worker, i & 1);
		flow_remove(&t.lc[i & 1], &ent[i]);
		ck_assert(!flow_is_elsewhere(&t.lc[1 - (i & 1)], &ent[i].key, &worker));
	}
	two_close(&t);
	free(ent);
}
END_TEST

START_TEST(seed_changes_the_hash)
{
	struct flow_table *t;
	struct flow_key k = key(1);

	ck_assert_int_eq(flow_create(256, 8, &t), 0);
	ck_assert_uint_ne(flow_hash(t, &k), flow_hash(e->lc.flow, &k));
	flow_free(t);
	flow_free(NULL);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("flow");
	TCase *c = tcase_create("flow");

	tcase_add_checked_fixture(c, setup, teardown);
	tcase_add_test(c, inserted_flow_is_found_until_it_is_removed);
	tcase_add_test(c, key_with_an_owner_is_refused);
	tcase_add_test(c, every_field_of_the_key_counts);
	tcase_add_test(c, version_rises_with_every_change_and_only_then);
	tcase_add_test(c, table_agrees_with_an_array);
	tcase_add_test(c, flow_of_one_worker_is_refused_to_the_other_until_it_is_removed);
	tcase_add_test(c, directory_holds_as_many_flows_as_it_was_made_for);
	tcase_add_test(c, seed_changes_the_hash);
	suite_add_tcase(s, c);
	return env_main(s);
}
