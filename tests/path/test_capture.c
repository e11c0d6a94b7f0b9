/* SPDX-License-Identifier: BSD-3-Clause */
/* Captures of whole stacks: the files hold plaintext IP with sound checksums, and say why. */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <rte_byteorder.h>

#include "stack/base/csum.h"
#include "tests/util/vnet_lab.h"

enum { FILE_MAX = 8 << 20, IP4_HLEN = 20, TCP = 6, BLOCK_PACKET = 6, LINK_RAW = 101 };

static char path[64];
static uint8_t *file;
static struct tl_error err;

/* What a file held. */
struct seen {
	uint32_t packets, in, out, drops;
	uint32_t with_spi, clear;
	uint32_t m3, m0, icv;
	uint32_t esp; /* packets whose header says ESP */
	uint64_t payload[2];
	uint32_t cut;
	uint64_t last_ns;
};

static uint32_t
u32(const uint8_t *p)
{
	uint32_t v;

	memcpy(&v, p, 4);
	return v;
}

static void
see_packet(struct seen *s, const uint8_t *ip, uint32_t cap, uint32_t len, const char *comment)
{
	bool out = strstr(comment, "dir out") != NULL;
	struct flow_key k = {.proto = ip[9]};
	uint32_t l4_len = len - IP4_HLEN;

	s->packets++;
	s->in += !out;
	s->out += out;
	s->drops += strstr(comment, ", drop ") != NULL;
	s->m3 += strstr(comment, ", drop latch-m3") != NULL;
	s->m0 += strstr(comment, "clear, dir in, drop latch-m0") != NULL;
	s->icv += strstr(comment, ", drop esp-icv") != NULL;
	s->with_spi += strncmp(comment, "spi 0x0000", 10) == 0;
	s->clear += strncmp(comment, "clear, ", 7) == 0;
	s->esp += ip[9] == IPPROTO_N_ESP;
	s->cut += cap < len;
	ck_assert_uint_eq(ip[0], 0x45);
	ck_assert_uint_eq((uint32_t)ip[2] << 8 | ip[3], len);
	ck_assert_uint_eq(csum_finish(csum_add(ip, IP4_HLEN, 0)), 0);
	if (ip[9] != TCP || cap < len)
		return;
	k.local = ip_addr_v4(u32(ip + 12));
	k.remote = ip_addr_v4(u32(ip + 16));
	ck_assert_uint_eq(csum_finish(csum_add(ip + IP4_HLEN, l4_len, csum_pseudo(&k, l4_len))), 0);
	s->payload[out] += l4_len - (uint32_t)(ip[IP4_HLEN + 12] >> 4) * 4;
}

/* An enhanced packet block: both options are there, the comment first. */
static void
see_block(struct seen *s, const uint8_t *b, uint32_t size)
{
	uint64_t ns = (uint64_t)u32(b + 12) << 32 | u32(b + 16);
	uint32_t cap = u32(b + 20), len = u32(b + 24);
	const uint8_t *opt = b + 28 + ((cap + 3) & ~3u);
	char comment[200];
	uint16_t head[2];

	memcpy(head, opt, 4);
	ck_assert_uint_eq(head[0], 1);
	snprintf(comment, sizeof(comment), "%.*s", head[1], (const char *)opt + 4);
	opt += 4 + ((head[1] + 3u) & ~3u);
	ck_assert_uint_eq(u32(opt), 2 | 4 << 16);
	ck_assert_uint_eq(u32(opt + 4), strstr(comment, "dir in") != NULL ? 1 : 2);
	ck_assert_uint_eq(u32(opt + 8), 0);
	ck_assert_ptr_eq(opt + 16, b + size);
	ck_assert_uint_ge(ns, s->last_ns);
	s->last_ns = ns;
	see_packet(s, b + 28, cap, len, comment);
}

static struct seen
see_file(void)
{
	struct seen s = {0};
	FILE *f = fopen(path, "r");
	struct stat st;
	size_t n, at = 0;

	ck_assert_ptr_nonnull(f);
	ck_assert_int_eq(fstat(fileno(f), &st), 0);
	ck_assert_uint_eq(st.st_mode & 0777, 0600);
	n = fread(file, 1, FILE_MAX, f);
	fclose(f);
	while (at < n) {
		uint32_t size = u32(file + at + 4);

		ck_assert_uint_le(at + size, n);
		ck_assert_uint_eq(size, u32(file + at + size - 4));
		if (at == 0)
			ck_assert_uint_eq(u32(file), 0x0a0d0d0a);
		else if (u32(file + at) == 1)
			ck_assert_uint_eq(u32(file + at + 8), LINK_RAW);
		else
			see_block(&s, file + at, size);
		at += size;
	}
	return s;
}

static void
start(struct lab *l, uint32_t node, const char *filter)
{
	ck_assert_msg(tl_capture_start(l->n[node]->s, path, filter, &err) == 0, "%s", err.text);
}

static void
stop(struct lab *l, uint32_t node)
{
	ck_assert_msg(tl_capture_stop(l->n[node]->s, &err) == 0, "%s", err.text);
}

static void
setup(void)
{
	snprintf(path, sizeof(path), "/tmp/taglatch-capture-%d", (int)getpid());
	file = malloc(FILE_MAX);
}

static void
teardown(void)
{
	unlink(path);
	free(file);
}

/* Transport, tunnel, tunnel over Ethernet, two workers, clear. */
START_TEST(a_capture_holds_the_plaintext_of_both_directions)
{
	static const struct lab_opts o[] = {{.ethernet = true}, {.tunnel = true},
		{.tunnel = true, .ethernet = true}, {.ethernet = true, .workers = 2},
		{.clear = true, .ethernet = true}};
	struct lab *l = lab_new(&o[_i]);
	struct seen s;

	start(l, 0, "");
	lab_open(l, 30000, 50000);
	lab_complete(l);
	stop(l, 0);
	s = see_file();
	ck_assert_uint_ge(s.payload[0], 30000);
	ck_assert_uint_ge(s.payload[1], 50000);
	ck_assert_uint_eq(s.esp, 0);
	ck_assert_uint_eq(o[_i].clear ? s.clear : s.with_spi, s.packets);
	ck_assert_uint_eq(lab_stat(l, 0, "captured"), s.packets);
	ck_assert_uint_eq(lab_stat(l, 0, "capture-lost"), 0);
	lab_free(l);
}
END_TEST

START_TEST(a_drop_says_its_reason)
{
	struct lab_opts o = {.ethernet = true, .m3_drop = true};
	struct lab *l = lab_new(&o);
	struct craft_seg g;
	struct seen s;

	lab_open(l, 20000, 20000);
	start(l, 0, "drops=yes");
	g = lab_seg(l, 1, CRAFT_ACK);
	lab_send_clear(l, 1, &g);
	lab_send(l, 1, &l->bad[0], &g);
	lab_pass(l, 5 * VNET_MS);
	stop(l, 0);
	s = see_file();
	ck_assert_uint_eq(s.m0, 1);
	ck_assert_uint_eq(s.m3, 1);
	ck_assert_uint_eq(s.drops, s.packets);
	lab_complete(l);
	lab_free(l);
}
END_TEST

/* One SA is one direction; a flow is both; another flow is nothing. */
START_TEST(filters_choose)
{
	static const struct {
		const char *filter;
		bool in, out;
	} cases[] = {{"sa=in0", true, false}, {"sa=out0", false, true}, {"spi=0x1001", true, false},
		{"protocol=tcp", true, true}, {"protocol=udp", false, false},
		{"remote-net=any local-port=0-65535", true, true}, {"local-port=1", false, false},
		{"remote-net=192.0.2.0/24", false, false}};
	struct lab_opts o = {.ethernet = true};
	struct lab *l = lab_new(&o);
	struct seen s;

	start(l, 0, cases[_i].filter);
	lab_open(l, 20000, 20000);
	lab_complete(l);
	stop(l, 0);
	s = see_file();
	ck_assert_msg((s.in > 0) == cases[_i].in, "%s: %u in", cases[_i].filter, s.in);
	ck_assert_msg((s.out > 0) == cases[_i].out, "%s: %u out", cases[_i].filter, s.out);
	lab_free(l);
}
END_TEST

START_TEST(snap_cuts_packets_and_keeps_their_length)
{
	struct lab_opts o = {.ethernet = true};
	struct lab *l = lab_new(&o);
	struct seen s;

	start(l, 1, "snap=64");
	lab_open(l, 20000, 20000);
	lab_complete(l);
	stop(l, 1);
	s = see_file();
	ck_assert_uint_gt(s.cut, 10);
	lab_free(l);
}
END_TEST

/* Whoever forgets a capture finds a full file, not a full disk. */
START_TEST(a_full_file_ends_the_writing)
{
	struct lab_opts o = {.ethernet = true};
	struct lab *l = lab_new(&o);
	struct tl_capture_result r;
	struct stat st;
	struct seen s;

	ck_assert_int_eq(tl_capture_result(l->n[0]->s, &r), -ENOENT);
	start(l, 0, "snap=64 max-bytes=4k");
	lab_open(l, 60000, 60000);
	lab_complete(l);
	stop(l, 0);
	s = see_file();
	ck_assert_int_eq(stat(path, &st), 0);
	ck_assert_int_le(st.st_size, 4096);
	ck_assert_int_gt(st.st_size, 4096 - 300);
	ck_assert_int_eq(tl_capture_result(l->n[0]->s, &r), 0);
	ck_assert(r.full);
	ck_assert_uint_eq(r.bytes, (uint64_t)st.st_size);
	ck_assert_uint_eq(r.packets, s.packets);
	ck_assert_uint_gt(r.lost, 0);
	ck_assert_uint_eq(
		r.packets + r.lost, lab_stat(l, 0, "captured") + lab_stat(l, 0, "capture-lost"));
	start(l, 0, "max-bytes=0");
	stop(l, 0);
	ck_assert_int_eq(tl_capture_result(l->n[0]->s, &r), 0);
	ck_assert(!r.full);
	ck_assert_uint_eq(r.packets + r.lost, 0);
	lab_free(l);
}
END_TEST

START_TEST(what_is_wrong_is_refused)
{
	static const struct {
		const char *filter, *expected;
		int rc;
	} cases[] = {{"sa=nobody", "no such SA", -ENOENT}, {"colour=red", "local-port", -EINVAL},
		{"drops", "expected key=value", -EINVAL}, {"snap=1", "64 to 65535", -EINVAL},
		{"max-bytes=", "max-bytes", -EINVAL}, {"max-bytes=100", "4096", -EINVAL},
		{"max-bytes=2T", "100M or 2G", -EINVAL},
		{"max-bytes=99999999999G", "max-bytes", -EINVAL},
		{"max-bytes=-1", "max-bytes", -EINVAL}};
	struct lab_opts o = {.ethernet = true};
	struct lab *l = lab_new(&o);
	struct tl_stack *s = l->n[0]->s;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		ck_assert_int_eq(tl_capture_start(s, path, cases[i].filter, &err), cases[i].rc);
		ck_assert_msg(strstr(err.text, cases[i].expected) != NULL, "%s", err.text);
		ck_assert_int_eq(access(path, F_OK), -1);
	}
	ck_assert_int_eq(tl_capture_start(s, "/nonexistent/f", "", &err), -ENOENT);
	ck_assert_int_eq(tl_capture_stop(s, &err), -ENOENT);
	start(l, 0, "");
	ck_assert_int_eq(tl_capture_start(s, path, "", &err), -EBUSY);
	lab_free(l); /* ends the capture */
	ck_assert_uint_eq(see_file().packets, 0);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("capture");
	TCase *c = tcase_create("capture");

	tcase_add_checked_fixture(c, setup, teardown);
	tcase_set_timeout(c, 30);
	tcase_add_loop_test(c, a_capture_holds_the_plaintext_of_both_directions, 0, 5);
	tcase_add_test(c, a_drop_says_its_reason);
	tcase_add_loop_test(c, filters_choose, 0, 8);
	tcase_add_test(c, snap_cuts_packets_and_keeps_their_length);
	tcase_add_test(c, a_full_file_ends_the_writing);
	tcase_add_test(c, what_is_wrong_is_refused);
	suite_add_tcase(s, c);
	return env_main(s);
}
