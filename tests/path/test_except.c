/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The exception path of a whole stack; a socket pair stands for the interface of the host's kernel.
 * Every other flow of the stack is to be protected, so what gets through was let through.
 */
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <rte_byteorder.h>

#include "stack/base/csum.h"
#include "stack/run/except.h"
#include "tests/util/vnet_lab.h"

enum { UDP = 17, UDP_HLEN = 8, IP_HLEN = 20, PORT_IKE = 500, PORT_NATT = 4500, ELSEWHERE = 7777 };

static const struct conf_except ike = {.name = "ike"};
static const uint8_t marker[] = {0, 0, 0, 0, 'i', 'k', 'e'};
static const uint8_t not_marker[] = {0, 0, 0x10, 1, 'e', 's', 'p', 0, 0, 0, 0, 0};
static const uint8_t keepalive[] = {0xff};

static struct lab *l;
static int host; /* the kernel's end */

static void
lab_with_host(const struct lab_opts *o, const struct conf_except *c)
{
	int fd[2];

	l = lab_new(o);
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fd), 0);
	host = fd[0];
	for (uint32_t w = 0; w < l->o.workers; w++)
		ck_assert_int_eq(except_attach(l->n[0]->s->lc[w], c, w == 0 ? fd[1] : -1), 0);
}

static void
lab_end(void)
{
	for (uint32_t w = 0; w < l->o.workers; w++)
		except_destroy(l->n[0]->s->lc[w]);
	close(host);
	lab_free(l);
}

static size_t
udp(uint8_t *out, uint16_t sport, uint16_t dport, const void *data, size_t len)
{
	uint16_t h[4] = {rte_cpu_to_be_16(sport), rte_cpu_to_be_16(dport),
		rte_cpu_to_be_16((uint16_t)(len + UDP_HLEN)), 0};

	memcpy(out, h, UDP_HLEN);
	memcpy(out + UDP_HLEN, data, len);
	return len + UDP_HLEN;
}

static size_t
packet(uint8_t *out, uint32_t src, uint32_t dst, uint16_t sport, uint16_t dport, const void *data,
	size_t len)
{
	uint8_t body[CRAFT_MAX];

	return craft_ip4(out, src, dst, UDP, body, udp(body, sport, dport, data, len));
}

static void
from_peer(uint16_t dport, const void *data, size_t len)
{
	uint8_t ip[CRAFT_MAX];
	size_t n = packet(ip, l->n[1]->ip, l->n[0]->ip, dport, dport, data, len);

	vnet_inject(l->v, l->n[0], l->n[1], ip, n, 0, 1);
	lab_pass(l, 3 * VNET_MS);
}

/* Writes a packet as the kernel would. */
static void
from_host(uint32_t src, uint32_t dst, uint16_t sport, const void *data, size_t len)
{
	uint8_t ip[CRAFT_MAX];
	size_t n = packet(ip, src, dst, sport, PORT_IKE, data, len);

	ck_assert_int_eq(write(host, ip, n), (ssize_t)n);
	lab_pass(l, 3 * VNET_MS);
}

/* What the kernel got: the UDP data of the next packet; -1: nothing. */
static ssize_t
host_got(uint8_t *data, uint16_t *dport)
{
	uint8_t ip[CRAFT_MAX];
	ssize_t n = read(host, ip, sizeof(ip));

	if (n < 0)
		return -1;
	ck_assert_int_ge(n, IP_HLEN + UDP_HLEN);
	*dport = (uint16_t)(ip[IP_HLEN + 2] << 8 | ip[IP_HLEN + 3]);
	/* From the peer, and whole, whatever it was on the wire. */
	ck_assert_uint_eq(ip[15], l->n[1]->ip & 255);
	ck_assert_uint_eq((uint32_t)ip[2] << 8 | ip[3], (uint32_t)n);
	memcpy(data, ip + IP_HLEN + UDP_HLEN, (size_t)n - IP_HLEN - UDP_HLEN);
	return n - IP_HLEN - UDP_HLEN;
}

static void
expect_host(uint16_t port, const void *data, size_t len)
{
	uint8_t got[CRAFT_MAX];
	uint16_t dport;

	ck_assert_int_eq(host_got(got, &dport), (ssize_t)len);
	ck_assert_uint_eq(dport, port);
	ck_assert_mem_eq(got, data, len);
}

static void
expect_host_quiet(void)
{
	uint8_t got[CRAFT_MAX];
	uint16_t dport;

	ck_assert_int_eq(host_got(got, &dport), -1);
}

static uint64_t
server_stat(const char *name)
{
	return lab_stat(l, 0, name);
}

START_TEST(kinds)
{
	static const struct conf_except some = {
		.no_ike = true, .udp = {1, {53}}, .tcp = {2, {22, 80}}, .protocol = {1, {47}}};
	static const struct {
		const struct conf_except *c;
		uint8_t proto;
		uint16_t port;
		const void *data;
		size_t len;
		enum except_kind kind;
	} cases[] = {
		{&ike, UDP, PORT_IKE, "x", 1, EXCEPT_IKE},
		{&ike, UDP, PORT_NATT, marker, sizeof(marker), EXCEPT_IKE},
		{&ike, UDP, PORT_NATT, marker, 4, EXCEPT_IKE},
		{&ike, UDP, PORT_NATT, marker, 3, EXCEPT_NOT},
		{&ike, UDP, PORT_NATT, not_marker, sizeof(not_marker), EXCEPT_ESP},
		{&ike, UDP, PORT_NATT, keepalive, 1, EXCEPT_IKE},
		{&ike, UDP, 53, "x", 1, EXCEPT_NOT},
		{&ike, CRAFT_TCP, PORT_IKE, "x", 1, EXCEPT_NOT},
		{&ike, CRAFT_ESP, 0, not_marker, sizeof(not_marker), EXCEPT_ESP},
		{&some, UDP, PORT_IKE, "x", 1, EXCEPT_NOT},
		{&some, UDP, PORT_NATT, marker, sizeof(marker), EXCEPT_NOT},
		{&some, UDP, 53, "x", 1, EXCEPT_LISTED},
		{&some, UDP, 22, "x", 1, EXCEPT_NOT},
		{&some, CRAFT_TCP, 80, "x", 1, EXCEPT_LISTED},
		{&some, CRAFT_TCP, 53, "x", 1, EXCEPT_NOT},
		{&some, 47, 0, "x", 1, EXCEPT_LISTED},
		{&some, 46, 0, "x", 1, EXCEPT_NOT},
	};
	uint8_t l4[64];

	for (size_t i = 0; i < RTE_DIM(cases); i++) {
		struct flow_key k = {
			.proto = cases[i].proto, .lport = rte_cpu_to_be_16(cases[i].port)};
		size_t n = udp(l4, 1, cases[i].port, cases[i].data, cases[i].len);

		ck_assert_msg(except_kind_of(cases[i].c, &k, l4, (uint32_t)n) == cases[i].kind,
			"case %zu", i);
	}
}
END_TEST

/* RFC 4301 s4.4.1: the policy says PROTECT for everything, and IKE passes. */
START_TEST(ike_reaches_the_host_and_esp_does_not)
{
	struct lab_opts o = {.ethernet = true};

	lab_with_host(&o, &ike);
	from_peer(PORT_IKE, "hello", 5);
	expect_host(PORT_IKE, "hello", 5);
	from_peer(PORT_NATT, marker, sizeof(marker));
	expect_host(PORT_NATT, marker, sizeof(marker));
	from_peer(PORT_NATT, not_marker, sizeof(not_marker));
	from_peer(PORT_NATT, keepalive, sizeof(keepalive));
	from_peer(53, "x", 1);
	expect_host_quiet();
	ck_assert_uint_eq(server_stat("except-to-host"), 2);
	ck_assert_uint_eq(server_stat("spd-clear"), 3);
	lab_end();
}
END_TEST

/* Half of a UDP packet of 64 bytes, the second one at offset 32. */
static void
fragment_from_peer(bool second, const uint8_t *body)
{
	uint8_t ip[CRAFT_MAX];
	size_t n = craft_ip4(ip, l->n[1]->ip, l->n[0]->ip, UDP, body + (second ? 32 : 0), 32);
	uint16_t csum;

	ip[4] = ip[5] = 0x55;
	ip[6] = second ? 0 : 0x20;
	ip[7] = second ? 4 : 0;
	ip[10] = ip[11] = 0;
	csum = csum_finish(csum_add(ip, IP_HLEN, 0));
	memcpy(ip + 10, &csum, 2);
	vnet_inject(l->v, l->n[0], l->n[1], ip, n, 0, 1);
	lab_pass(l, 3 * VNET_MS);
}

START_TEST(ike_in_fragments_is_whole_there)
{
	struct lab_opts o = {.ethernet = true};
	uint8_t data[56], body[64];

	memset(data, 0x5a, sizeof(data));
	udp(body, PORT_IKE, PORT_IKE, data, sizeof(data));
	lab_with_host(&o, &ike);
	fragment_from_peer(false, body);
	expect_host_quiet();
	fragment_from_peer(true, body);
	expect_host(PORT_IKE, data, sizeof(data));
	lab_end();
}
END_TEST

/* Under an SA it is not the host's: who reads it there would take it for clear. */
START_TEST(protected_ike_stays_here)
{
	struct lab_opts o = {.ethernet = true};
	uint8_t body[64], esp[CRAFT_MAX], ip[CRAFT_MAX];
	size_t n;

	lab_with_host(&o, &ike);
	n = udp(body, PORT_IKE, PORT_IKE, "x", 1);
	n = craft_esp(&l->good[1], esp, UDP, body, n, NULL);
	n = craft_ip4(ip, l->n[1]->ip, l->n[0]->ip, CRAFT_ESP, esp, n);
	vnet_inject(l->v, l->n[0], l->n[1], ip, n, 0, 1);
	lab_pass(l, 3 * VNET_MS);
	expect_host_quiet();
	ck_assert_uint_eq(server_stat("udp-no-socket"), 1);
	lab_end();
}
END_TEST

START_TEST(what_is_listed_is_judged_first)
{
	static const struct conf_except c = {.udp = {1, {53}}};

	for (uint32_t clear = 0; clear < 2; clear++) {
		struct lab_opts o = {.ethernet = true, .clear = clear};

		lab_with_host(&o, &c);
		from_peer(53, "query", 5);
		if (clear)
			expect_host(53, "query", 5);
		else
			expect_host_quiet();
		from_host(l->n[0]->ip, l->n[1]->ip, 53, "answer", 6);
		ck_assert_uint_eq(server_stat("except-from-host"), clear);
		ck_assert_uint_eq(server_stat("spd-discard-out"), !clear);
		lab_end();
	}
}
END_TEST

START_TEST(the_host_sends_ike_in_clear_and_nothing_else)
{
	struct lab_opts o = {.ethernet = true};
	uint32_t us, peer, clear;
	uint8_t esp[40], ip[CRAFT_MAX];

	lab_with_host(&o, &ike);
	us = l->n[0]->ip;
	peer = l->n[1]->ip;
	clear = l->clear[0];
	from_host(us, peer, PORT_IKE, "hello", 5);
	from_host(us, peer, PORT_NATT, marker, sizeof(marker));
	from_host(us, peer, PORT_NATT, keepalive, sizeof(keepalive));
	ck_assert_uint_eq(l->clear[0], clear + 3);
	from_host(us, peer, 53, "x", 1);
	from_host(us + 100, peer, PORT_IKE, "x", 1);
	from_host(us, us, PORT_IKE, "x", 1);
	from_host(us, 0xe0000001, PORT_IKE, "x", 1);
	from_host(us, peer, PORT_NATT, not_marker, sizeof(not_marker));
	memset(esp, 1, sizeof(esp));
	ck_assert_int_gt(write(host, ip, craft_ip4(ip, us, peer, CRAFT_ESP, esp, sizeof(esp))), 0);
	lab_pass(l, 3 * VNET_MS);
	ck_assert_uint_eq(l->clear[0], clear + 3);
	ck_assert_uint_eq(server_stat("except-unlisted"), 1);
	ck_assert_uint_eq(server_stat("except-src"), 1);
	ck_assert_uint_eq(server_stat("except-dst"), 1);
	ck_assert_uint_eq(server_stat("except-esp"), 2);
	ck_assert_uint_eq(server_stat("route-none"), 1);
	lab_end();
}
END_TEST

/* Every truncation of what the host may write, and a bit more. */
START_TEST(malformed_packets_of_the_host_are_dropped)
{
	struct lab_opts o = {.ethernet = true};
	uint8_t ip[CRAFT_MAX];
	uint32_t sent = 0;
	size_t n;

	lab_with_host(&o, &ike);
	n = packet(ip, l->n[0]->ip, l->n[1]->ip, PORT_IKE, PORT_IKE, "hello", 5);
	for (uint8_t version = 4; version <= 6; version++) {
		ip[0] = (uint8_t)(version << 4 | 5);
		for (size_t len = version == 4 ? 1 : 0; len < n; len++) {
			if (len == 0)
				continue;
			ck_assert_int_eq(write(host, ip, len), (ssize_t)len);
			lab_pass(l, 3 * VNET_MS);
			sent++;
		}
	}
	ck_assert_uint_eq(server_stat("except-bad"), sent);
	ck_assert_uint_eq(server_stat("except-from-host"), 0);
	lab_end();
}
END_TEST

START_TEST(a_connection_goes_on_beside_it)
{
	struct lab_opts o = {.ethernet = true};

	lab_with_host(&o, &ike);
	lab_open(l, 40000, 40000);
	for (int i = 0; i < 20; i++) {
		from_peer(PORT_IKE, "hello", 5);
		expect_host(PORT_IKE, "hello", 5);
		from_host(l->n[0]->ip, l->n[1]->ip, PORT_IKE, "back", 4);
	}
	lab_complete(l);
	ck_assert_uint_eq(server_stat("except-from-host"), 20);
	lab_end();
}
END_TEST

static unsigned int
to_worker_1(struct vnet_node *n, const uint8_t *frame, size_t len)
{
	(void)n;
	(void)frame;
	(void)len;
	return 1;
}

START_TEST(another_worker_hands_over)
{
	struct lab_opts o = {.ethernet = true, .workers = 2};

	lab_with_host(&o, &ike);
	l->n[0]->steer = to_worker_1;
	from_peer(PORT_IKE, "hello", 5);
	expect_host(PORT_IKE, "hello", 5);
	ck_assert_uint_eq(server_stat("handoff-in"), 1);
	from_host(l->n[0]->ip, l->n[1]->ip, PORT_IKE, "back", 4);
	ck_assert_uint_eq(server_stat("except-from-host"), 1);
	lab_end();
}
END_TEST

/* A kernel that takes nothing costs its own packets only. */
START_TEST(what_the_host_does_not_take_is_dropped)
{
	struct lab_opts o = {.ethernet = true};
	uint32_t sent = 0;

	lab_with_host(&o, &ike);
	while (server_stat("except-host") == 0 && sent++ < 2000)
		from_peer(PORT_IKE, "hello", 5);
	ck_assert_uint_eq(server_stat("except-to-host") + server_stat("except-host"), sent);
	lab_end();
}
END_TEST

START_TEST(later_fragment_without_its_first_does_not_leave)
{
	struct lab_opts o = {.ethernet = true};
	uint8_t ip[CRAFT_MAX], body[64];
	uint32_t clear;
	size_t n;

	memset(body, 0x41, sizeof(body));
	lab_with_host(&o, &ike);
	clear = l->clear[0];
	udp(body, 9999, 9999, "secretsecretsecret", 18);
	n = craft_ip4(ip, l->n[0]->ip, l->n[1]->ip, UDP, body, 32);
	craft_ip4_fragment(ip, 7, 0, true);
	ck_assert_int_gt(write(host, ip, n), 0);
	n = craft_ip4(ip, l->n[0]->ip, l->n[1]->ip, UDP, body + 32, 32);
	craft_ip4_fragment(ip, 7, 32, false);
	ck_assert_int_gt(write(host, ip, n), 0);
	lab_pass(l, 3 * VNET_MS);
	ck_assert_uint_eq(l->clear[0], clear);
	lab_end();
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("except");
	TCase *c = tcase_create("except");

	tcase_set_timeout(c, 60);
	tcase_add_test(c, later_fragment_without_its_first_does_not_leave);
	tcase_add_test(c, kinds);
	tcase_add_test(c, ike_reaches_the_host_and_esp_does_not);
	tcase_add_test(c, ike_in_fragments_is_whole_there);
	tcase_add_test(c, protected_ike_stays_here);
	tcase_add_test(c, what_is_listed_is_judged_first);
	tcase_add_test(c, the_host_sends_ike_in_clear_and_nothing_else);
	tcase_add_test(c, malformed_packets_of_the_host_are_dropped);
	tcase_add_test(c, a_connection_goes_on_beside_it);
	tcase_add_test(c, another_worker_hands_over);
	tcase_add_test(c, what_the_host_does_not_take_is_dropped);
	suite_add_tcase(s, c);
	return env_main(s);
}
