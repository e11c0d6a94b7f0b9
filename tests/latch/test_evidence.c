/* SPDX-License-Identifier: BSD-3-Clause */
/* Evidence: content that has one number for life, the rule of C.2, and what damage does. */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>

#include "latch/profile.h"
#include "tests/util/lc_env.h"

static struct latch_tables *t;
static uint32_t alice, bob;

static uint32_t
ident(const char *text)
{
	struct tl_ident id = {.type = TL_ID_FQDN, .len = (uint16_t)strlen(text)};

	memcpy(id.data, text, id.len);
	return latch_ident_intern(t, &id);
}

static void
setup(void)
{
	ck_assert_int_eq(latch_tables_create(&t), 0);
	alice = ident("alice.example");
	bob = ident("bob.example");
}

static void
teardown(void)
{
	latch_tables_free(t);
}

/* A SEQUENCE of 100 times c; 0: none. */
static struct latch_der
der(char c, uint8_t buf[102])
{
	if (c == 0)
		return (struct latch_der){0};
	memset(buf, c, 102);
	buf[0] = 0x30;
	buf[1] = 100;
	return (struct latch_der){.at = buf, .len = 102};
}

static int
say(uint32_t whose, uint8_t cls, const char parts[3], uint32_t *handle, uint8_t hash[32])
{
	struct latch_evidence ev = {.auth_class = cls};
	uint8_t buf[3][102];

	for (int i = 0; i < 3; i++)
		ev.part[i] = der(parts[i], buf[i]);
	return latch_evidence_intern(t, whose, &ev, handle, hash);
}

static uint32_t
ev(uint32_t whose, uint8_t cls, char spki, char cert, char ta)
{
	const char parts[3] = {spki, cert, ta};
	uint8_t hash[32];
	uint32_t handle;

	ck_assert_int_eq(say(whose, cls, parts, &handle, hash), 0);
	ck_assert_uint_ne(handle, 0);
	return handle;
}

/* P-20, P-22, F-45: the same content, the same handle; another one otherwise. */
START_TEST(p22_evidence_is_named_by_its_content)
{
	uint32_t a = ev(alice, TL_AUTH_CERT, 'k', 'c', 't'), ident_of, n[7];
	struct latch_tables *first = t;
	uint8_t hash[32], again[32], cls;
	uint32_t handle;

	ck_assert_uint_eq(ev(alice, TL_AUTH_CERT, 'k', 'c', 't'), a);
	n[0] = ev(alice, TL_AUTH_CERT, 'K', 'c', 't');
	n[1] = ev(alice, TL_AUTH_CERT, 'k', 'C', 't');
	n[2] = ev(alice, TL_AUTH_CERT, 'k', 'c', 'T');
	n[3] = ev(alice, TL_AUTH_RAW_KEY, 'k', 'c', 't');
	n[4] = ev(bob, TL_AUTH_CERT, 'k', 'c', 't');
	n[5] = ev(alice, TL_AUTH_CERT, 'k', 'c', 0);
	n[6] = ev(alice, TL_AUTH_CERT, 'k', 0, 'c');
	for (int i = 0; i < 7; i++)
		ck_assert_uint_eq(n[i], a + 1 + (uint32_t)i);
	ck_assert_int_eq(say(alice, TL_AUTH_CERT, "kct", &handle, hash), 0);
	ck_assert_uint_eq(latch_evidence_find(t, hash, &ident_of, &cls), a);
	ck_assert_uint_eq(ident_of, alice);
	ck_assert_uint_eq(cls, TL_AUTH_CERT);
	hash[31] ^= 1;
	ck_assert_uint_eq(latch_evidence_find(t, hash, &ident_of, &cls), 0);
	hash[31] ^= 1;
	/* Another process, other numbers of identities: the hash is the same. */
	ck_assert_int_eq(latch_tables_create(&t), 0);
	ident("zero.example");
	ck_assert_int_eq(say(ident("Alice.example."), TL_AUTH_CERT, "kct", &handle, again), 0);
	ck_assert_mem_eq(hash, again, 32);
	latch_tables_free(t);
	t = first;
}
END_TEST

/* what was said can be read, byte by byte. */
START_TEST(q2_evidence_can_be_read)
{
	struct latch_evidence out;
	uint8_t want[102], hash[32];

	ck_assert(latch_evidence_get(t, ev(alice, TL_AUTH_CERT, 'k', 0, 't'), &out, hash));
	ck_assert_uint_eq(out.auth_class, TL_AUTH_CERT);
	der('k', want);
	ck_assert_mem_eq(out.part[LATCH_EV_SPKI].at, want, 102);
	ck_assert_uint_eq(out.part[LATCH_EV_CERT].len, 0);
	der('t', want);
	ck_assert_mem_eq(out.part[LATCH_EV_TA].at, want, 102);
	ck_assert(!latch_evidence_get(t, 77, &out, hash));
}
END_TEST

/* P-20: what is no DER, too long, nobody's, or of no class is refused. */
START_TEST(p20_malformed_evidence_is_refused)
{
	static uint8_t big[LATCH_DER_MAX + 1] = {0x30, 0x82, 0x1f, 0xfc};
	struct latch_evidence e = {.auth_class = TL_AUTH_CERT};
	uint8_t hash[32], small[4] = {0x30, 2, 5, 0};
	uint32_t handle;

	e.part[0] = (struct latch_der){big, LATCH_DER_MAX};
	ck_assert_int_eq(latch_evidence_intern(t, alice, &e, &handle, hash), 0);
	for (uint32_t len = 1; len <= LATCH_DER_MAX + 1; len++) {
		e.part[0].len = len;
		if (len != LATCH_DER_MAX)
			ck_assert_int_eq(
				latch_evidence_intern(t, alice, &e, &handle, hash), -EINVAL);
	}
	e.part[0] = (struct latch_der){small, 4};
	ck_assert_int_eq(latch_evidence_intern(t, alice, &e, &handle, hash), 0);
	ck_assert_int_eq(latch_evidence_intern(t, 99, &e, &handle, hash), -EINVAL);
	ck_assert_int_eq(latch_evidence_intern(t, 0, &e, &handle, hash), -EINVAL);
	e.auth_class = TL_AUTH_UNKNOWN;
	ck_assert_int_eq(latch_evidence_intern(t, alice, &e, &handle, hash), -EINVAL);
	e.auth_class = TL_AUTH_NULL + 1;
	ck_assert_int_eq(latch_evidence_intern(t, alice, &e, &handle, hash), -EINVAL);
	e = (struct latch_evidence){.auth_class = TL_AUTH_RAW_KEY};
	ck_assert_int_eq(latch_evidence_intern(t, alice, &e, &handle, hash), -EINVAL);
	e.auth_class = TL_AUTH_PSK;
	ck_assert_int_eq(latch_evidence_intern(t, alice, &e, &handle, hash), 0);
	ck_assert_uint_ne(handle, 0);
	e.auth_class = TL_AUTH_UNKNOWN;
	ck_assert_int_eq(latch_evidence_intern(t, alice, &e, &handle, hash), 0);
	ck_assert_uint_eq(handle, 0);
}
END_TEST

/* P-19, P-20: memory has an end, and what is there stays. What comes when it is full is compared by
 * its hash, has a name, and cannot be read. */
START_TEST(p20_memory_for_evidence_is_bounded)
{
	static uint8_t big[LATCH_DER_MAX] = {0x30, 0x82, 0x1f, 0xfc};
	struct latch_evidence e = {.auth_class = TL_AUTH_CERT,
		.part = {{big, sizeof(big)}, {big, sizeof(big)}, {big, sizeof(big)}}};
	struct latch_evidence out = {.part[0].len = 1};
	uint8_t hash[32], first[32], cls;
	uint32_t handle = 0, n, whose;

	for (n = 0; out.part[0].len != 0 && n < 10000; n++) {
		memcpy(big + 4, &n, 4);
		ck_assert_int_eq(
			latch_evidence_intern(t, alice, &e, &handle, n == 0 ? first : hash), 0);
		ck_assert(latch_evidence_get(t, handle, &out, hash));
	}
	ck_assert_uint_le((n - 1) * 3u * LATCH_DER_MAX, LATCH_EVIDENCE_BYTES);
	ck_assert_uint_gt(n * 3u * LATCH_DER_MAX, LATCH_EVIDENCE_BYTES);
	for (int i = 0; i < LATCH_EV_PARTS; i++) {
		ck_assert_uint_eq(out.part[i].len, 0);
		ck_assert_ptr_null(out.part[i].at);
	}
	ck_assert_uint_eq(latch_evidence_find(t, hash, &whose, &cls), handle);
	ck_assert_uint_eq(whose, alice);
	ck_assert_uint_eq(latch_evidence_find(t, first, &whose, &cls), 1);
	ck_assert(latch_evidence_get(t, 1, &out, hash));
	ck_assert_uint_eq(out.part[LATCH_EV_TA].len, LATCH_DER_MAX);
}
END_TEST

/* P-20: nor are there more of them than a number. */
START_TEST(p20_number_of_evidence_is_bounded)
{
	uint8_t small[6] = {0x30, 4}, hash[32], first[32], cls;
	struct latch_evidence e = {.auth_class = TL_AUTH_CERT, .part = {{small, sizeof(small)}}};
	uint32_t handle, n = 0, whose;
	int rc = 0;

	while (rc == 0 && n < 2 * LATCH_EVIDENCE_ENTRIES) {
		memcpy(small + 2, &n, 4);
		rc = latch_evidence_intern(t, alice, &e, &handle, n == 0 ? first : hash);
		n += rc == 0;
	}
	ck_assert_int_eq(rc, -ENOSPC);
	ck_assert_uint_eq(handle, 0);
	ck_assert_uint_eq(n, LATCH_EVIDENCE_ENTRIES);
	ck_assert_uint_eq(latch_evidence_find(t, first, &whose, &cls), 1);
}
END_TEST

struct rule_case {
	uint8_t cls[2];
	char a[4], b[4]; /* SPKI, certificate, anchor; '-': none */
	bool id_ta, id_spki, exact;
};

/* clang-format off */
static const struct rule_case cases[] = {
	{{TL_AUTH_CERT, TL_AUTH_CERT}, "kct", "kct", true, true, true},
	{{TL_AUTH_CERT, TL_AUTH_CERT}, "kct", "kCt", true, true, false},   /* renewed */
	{{TL_AUTH_CERT, TL_AUTH_CERT}, "kct", "KCt", true, false, false},  /* renewed, new key */
	{{TL_AUTH_CERT, TL_AUTH_CERT}, "kct", "kcT", false, true, true},   /* F-44 */
	{{TL_AUTH_CERT, TL_AUTH_CERT}, "kct", "KCT", false, false, false},
	{{TL_AUTH_CERT, TL_AUTH_CERT}, "kct", "kc-", false, true, true},
	{{TL_AUTH_CERT, TL_AUTH_CERT}, "kc-", "kC-", true, true, false},
	{{TL_AUTH_CERT, TL_AUTH_CERT}, "kc-", "KC-", false, false, false},
	{{TL_AUTH_CERT, TL_AUTH_CERT}, "-c-", "-C-", false, false, false},
	{{TL_AUTH_CERT, TL_AUTH_RAW_KEY}, "kct", "kct", false, false, false},
	{{TL_AUTH_RAW_KEY, TL_AUTH_RAW_KEY}, "k--", "K--", false, false, false},
	{{TL_AUTH_RAW_KEY, TL_AUTH_RAW_KEY}, "k-t", "K-t", false, false, false},
	{{TL_AUTH_RAW_KEY, TL_AUTH_RAW_KEY}, "k-t", "k-T", true, true, true},
	{{TL_AUTH_CERT, TL_AUTH_PSK}, "kct", "---", false, false, false},
	{{TL_AUTH_PSK, TL_AUTH_PSK}, "---", "---", true, true, true},
	{{TL_AUTH_PSK, TL_AUTH_EAP}, "---", "---", false, false, false},
	{{TL_AUTH_PSK, TL_AUTH_NULL}, "---", "---", false, false, false},
};
/* clang-format on */

static uint32_t
of_case(uint8_t cls, const char *p)
{
	return ev(
		alice, cls, p[0] == '-' ? 0 : p[0], p[1] == '-' ? 0 : p[1], p[2] == '-' ? 0 : p[2]);
}

/* F-43, F-44, C.2: by each rule, in both orders, of the peer and of this end. */
START_TEST(f43_f44_rule_says_which_evidence_is_as_good)
{
	for (size_t i = 0; i < RTE_DIM(cases); i++) {
		const struct rule_case *c = &cases[i];
		const bool want[] = {c->id_ta, c->id_spki, c->exact};
		uint32_t h[2] = {of_case(c->cls[0], c->a), of_case(c->cls[1], c->b)};

		for (uint32_t rule = TL_LATCH_CERT_ID_TA; rule <= TL_LATCH_CERT_EXACT; rule++) {
			struct latch_profile a = {.peer_ev = h[0], .auth_class = c->cls[0]};
			struct latch_profile b = {.peer_ev = h[1], .auth_class = c->cls[1]};

			ck_assert_msg(evidence_agrees(t, &a, &b, rule) == want[rule] &&
					      evidence_agrees(t, &b, &a, rule) == want[rule],
				"case %zu, rule %u", i, rule);
			a = (struct latch_profile){.local_ev = h[0]};
			b = (struct latch_profile){.local_ev = h[1]};
			ck_assert_msg(evidence_agrees(t, &a, &b, rule) == want[rule],
				"case %zu, rule %u, this end", i, rule);
		}
	}
}
END_TEST

/* C.2: from known to unknown is a conflict; the class alone is one too. */
START_TEST(evidence_that_is_missing_agrees_with_none)
{
	struct latch_profile a = {.peer_ev = ev(alice, TL_AUTH_CERT, 'k', 'c', 't'),
				     .auth_class = TL_AUTH_CERT},
			     b = {.auth_class = TL_AUTH_CERT}, c = {0};

	ck_assert(!evidence_agrees(t, &a, &b, TL_LATCH_CERT_ID_TA));
	ck_assert(!evidence_agrees(t, &b, &c, TL_LATCH_CERT_ID_TA));
	ck_assert(evidence_agrees(t, &c, &c, TL_LATCH_CERT_EXACT));
}
END_TEST

/* ---- threads ---- */

struct adder {
	uint32_t first;
	uint32_t handle[2000];
};

static void *
add_many(void *arg)
{
	struct adder *a = arg;

	for (uint32_t i = 0; i < RTE_DIM(a->handle); i++) {
		uint32_t n = (a->first + i * 7) % RTE_DIM(a->handle);
		struct latch_profile p = {.proto = 50, .local_id = 1, .peer_id = n + 1};
		char text[32];

		snprintf(text, sizeof(text), "h%u.example", n);
		a->handle[n] = ident(text);
		ck_assert_str_eq((const char *)latch_ident_get(t, a->handle[n])->data, text);
		ck_assert_uint_eq(
			latch_profile_get(t, latch_profile_intern(t, &p))->peer_id, n + 1);
	}
	return NULL;
}

/* P-20: a program names an identity on a worker's thread while the control context adds others. */
START_TEST(p20_threads_that_add_agree_on_the_handles)
{
	static struct adder a[4];
	pthread_t id[4];

	for (uint32_t i = 0; i < 4; i++) {
		a[i].first = i * 500;
		ck_assert_int_eq(pthread_create(&id[i], NULL, add_many, &a[i]), 0);
	}
	for (uint32_t i = 0; i < 4; i++)
		pthread_join(id[i], NULL);
	for (uint32_t n = 0; n < RTE_DIM(a[0].handle); n++) {
		for (uint32_t i = 1; i < 4; i++)
			ck_assert_uint_eq(a[i].handle[n], a[0].handle[n]);
	}
}
END_TEST

/* ---- damage ---- */

static uint32_t
damages(void)
{
	struct latch_check c = {0};
	uint32_t n = 0;

	for (int i = 0; i < 500; i++)
		n += !latch_tables_check(t, &c);
	return n;
}

/* P-21, M-3: one bit anywhere is found once, and what it was in names nobody. */
START_TEST(p21_flipped_bit_is_found)
{
	struct latch_profile p = {.proto = 50, .local_id = alice, .peer_id = bob};
	uint32_t handle = 0, e = ev(bob, TL_AUTH_CERT, 'k', 'c', 't');

	for (uint32_t i = 0; i < 3000; i++) {
		p.realm = i;
		handle = latch_profile_intern(t, &p);
	}
	ck_assert_uint_eq(damages(), 0);
	((uint8_t *)intern_get(&t->ident, bob))[7] ^= 0x10;
	ck_assert_uint_eq(damages(), 1);
	ck_assert_uint_eq(latch_ident_get(t, bob)->type, TL_ID_NONE);
	((struct profile *)intern_get(&t->profile, handle))->p.peer_id ^= 1;
	ck_assert_uint_eq(damages(), 1);
	ck_assert_uint_eq(latch_profile_get(t, handle)->peer_id, 0);
	ck_assert_uint_ne(latch_profile_get(t, handle - 2)->peer_id, 0);
	((struct evidence *)intern_get(&t->evidence, e))->der[50] ^= 1;
	{
		uint8_t *lost = ((struct evidence *)intern_get(&t->evidence, e))->der;

		ck_assert_uint_eq(damages(), 1);
		free(lost);
	}
	ck_assert_uint_eq(evidence_get(t, e)->auth_class, 0);
	ck_assert_uint_eq(damages(), 0);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("evidence");
	TCase *c = tcase_create("evidence");

	tcase_set_timeout(c, 60);
	tcase_add_checked_fixture(c, setup, teardown);
	tcase_add_test(c, p22_evidence_is_named_by_its_content);
	tcase_add_test(c, q2_evidence_can_be_read);
	tcase_add_test(c, p20_malformed_evidence_is_refused);
	tcase_add_test(c, p20_memory_for_evidence_is_bounded);
	tcase_add_test(c, p20_number_of_evidence_is_bounded);
	tcase_add_test(c, f43_f44_rule_says_which_evidence_is_as_good);
	tcase_add_test(c, evidence_that_is_missing_agrees_with_none);
	tcase_add_test(c, p20_threads_that_add_agree_on_the_handles);
	tcase_add_test(c, p21_flipped_bit_is_found);
	suite_add_tcase(s, c);
	return env_main(s);
}
