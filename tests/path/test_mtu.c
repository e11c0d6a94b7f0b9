/* SPDX-License-Identifier: BSD-3-Clause */
/* Two stacks under ESP, and a link between them that swallows large packets in silence. */
#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#include "tests/util/vnet_lab.h"

enum { NARROW = 1300, BYTES = 400000 };

static struct {
	vnet_tap_fn *tap;
	void *arg;
	uint32_t limit, swallowed;
} narrow;

static bool
swallow(struct vnet *v, struct vnet_node *from, uint8_t *frame, size_t len, void *arg)
{
	(void)arg;
	if (!narrow.tap(v, from, frame, len, narrow.arg))
		return false;
	if (len - vnet_l3(v) <= narrow.limit)
		return true;
	narrow.swallowed++;
	return false;
}

static struct lab *
lab_over(const char *probing, bool tunnel)
{
	struct lab_opts o = {.window = 1024,
		.tunnel = tunnel,
		.more = {probing, "stack.buffer-chunks=256", "stack.mbufs=2047"}};
	struct lab *l = lab_new(&o);

	narrow.tap = l->v->tap;
	narrow.arg = l->v->tap_arg;
	narrow.limit = NARROW;
	narrow.swallowed = 0;
	l->v->tap = swallow;
	return l;
}

/* RFC 4821 s7.7; the sizes are those of ESP packets. */
START_TEST(black_hole_under_esp_is_climbed_out_of)
{
	struct lab *l = lab_over("tcp.mtu-probing=blackhole", _i == 1);

	lab_open(l, BYTES, 1000);
	app_release(l->c);
	lab_pass(l, 30 * VNET_S);
	ck_assert_int_eq(l->c->end[0].state, APP_DONE);
	ck_assert_int_eq(l->c->end[1].state, APP_DONE);
	ck_assert_uint_ge(lab_stat(l, 1, "tcp-mtu-black-holes"), 1);
	ck_assert_uint_ge(lab_stat(l, 1, "tcp-mtu-probes-arrived"), 1);
	ck_assert_uint_gt(narrow.swallowed, 0);
	lab_free(l);
}
END_TEST

START_TEST(size_is_found_under_esp_before_anything_is_lost_for_long)
{
	struct lab *l = lab_over("tcp.mtu-probing=always", _i == 1);

	lab_open(l, BYTES, BYTES);
	app_release(l->c);
	lab_pass(l, 5 * VNET_S);
	ck_assert_int_eq(l->c->end[0].state, APP_DONE);
	ck_assert_int_eq(l->c->end[1].state, APP_DONE);
	ck_assert_uint_eq(lab_stat(l, 1, "tcp-timeouts"), 0);
	ck_assert_uint_eq(lab_stat(l, 1, "tcp-mtu-black-holes"), 0);
	ck_assert_uint_ge(lab_stat(l, 1, "tcp-mtu-probes-arrived"), 2);
	ck_assert_uint_eq(narrow.swallowed,
		lab_stat(l, 0, "tcp-mtu-probes-lost") + lab_stat(l, 1, "tcp-mtu-probes-lost"));
	lab_free(l);
}
END_TEST

START_TEST(nobody_who_does_not_probe_gets_out)
{
	struct lab *l = lab_over("tcp.mtu-probing=no", false);

	lab_open(l, BYTES, 1000);
	app_release(l->c);
	lab_pass(l, 30 * VNET_S);
	ck_assert_int_ne(l->c->end[0].state, APP_DONE);
	app_abort(&l->c->end[0]);
	lab_pass(l, VNET_S);
	lab_free(l);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("mtu");
	TCase *c = tcase_create("mtu");

	tcase_set_timeout(c, 0);
	tcase_add_loop_test(c, black_hole_under_esp_is_climbed_out_of, 0, 2);
	tcase_add_loop_test(c, size_is_found_under_esp_before_anything_is_lost_for_long, 0, 2);
	tcase_add_test(c, nobody_who_does_not_probe_gets_out);
	suite_add_tcase(s, c);
	return env_main(s);
}
