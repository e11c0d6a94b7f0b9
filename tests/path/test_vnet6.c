/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Whole stacks that speak IPv6 on a bad network, one seed after another, and the sockets of both
 * families on a good one.
 *
 * TL_SEEDS=n runs n seeds from 1, TL_SEED=s runs one. Every choice comes from the seed.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "stack/ctl/show.h"
#include "stack/net/route.h"
#include "stack/run/run.h"
#include "tests/util/lc_env.h"
#include "tests/util/vnet_app.h"

enum { SEEDS_DEFAULT = 200, IP_A = 0x0a000001, PORT = 80 };

static struct {
	uint64_t running, completed, bytes, esp;
} total;

/* ---- seeds ---- */

/* How the nodes of a seed protect what they say. */
struct cover {
	bool on, tunnel, outer4, esn, udp;
	const char *encr, *integ;
	uint32_t key_bytes, integ_bytes;
};

static struct cover
draw_cover(struct vnet *v)
{
	static const struct cover suites[] = {
		{.encr = "ENCR_AES_GCM_16", .key_bytes = 20},
		{.encr = "ENCR_CHACHA20_POLY1305", .key_bytes = 36},
		{.encr = "ENCR_AES_CBC",
			.key_bytes = 16,
			.integ = "AUTH_HMAC_SHA2_256_128",
			.integ_bytes = 32},
		{.encr = "ENCR_NULL_AUTH_AES_GMAC", .key_bytes = 36},
	};
	struct cover c = suites[vnet_below(v, 4)];

	c.on = vnet_below(v, 4) != 0;
	c.tunnel = vnet_below(v, 2);
	c.outer4 = c.tunnel && vnet_below(v, 2);
	c.esn = vnet_below(v, 2);
	c.udp = vnet_below(v, 3) == 0;
	return c;
}

static void
set_key(struct vnet_node *n, const char *key, uint32_t bytes, uint32_t spi)
{
	char text[160] = "";

	for (uint32_t i = 0; i < bytes; i++)
		sprintf(text + 2 * i, "%02x", (uint8_t)(spi * 31 + i));
	vnet_set(n, key, "%s", text);
}

/* One half of the SA from node `from` to node `to`, on node n. */
static void
set_sa(struct vnet_node *n, const struct cover *c, uint32_t from, uint32_t to, bool in)
{
	uint32_t spi = 0x1000 + from * 16 + to, me = in ? to : from, peer = in ? from : to;
	char k[64];

#define KEY(name) (snprintf(k, sizeof(k), "sa s%u%u." name, from, to), k)
	vnet_set(n, KEY("spi"), "%u", spi);
	vnet_set(n, KEY("direction"), in ? "in" : "out");
	vnet_set(n, KEY("mode"), c->tunnel ? "tunnel" : "transport");
	vnet_set(n, KEY("local"), c->outer4 ? "10.0.0.%u" : "fd00::%x", 1 + me);
	vnet_set(n, KEY("remote"), c->outer4 ? "10.0.0.%u" : "fd00::%x", 1 + peer);
	vnet_set(n, KEY("local-net"), "fd00::%x", 1 + me);
	vnet_set(n, KEY("remote-net"), "fd00::%x", 1 + peer);
	vnet_set(n, KEY("local-id"), "n%u", me);
	vnet_set(n, KEY("peer-id"), "n%u", peer);
	vnet_set(n, KEY("encryption"), "%s", c->encr);
	vnet_set(n, KEY("esn"), c->esn ? "yes" : "no");
	set_key(n, KEY("key"), c->key_bytes, spi);
	if (c->integ != NULL) {
		vnet_set(n, KEY("integrity"), "%s", c->integ);
		set_key(n, KEY("integrity-key"), c->integ_bytes, spi);
	}
	if (c->udp) {
		vnet_set(n, KEY("encapsulation"), "udp");
		vnet_set(n, KEY("udp-local"), "4500");
		vnet_set(n, KEY("udp-remote"), "4500");
	}
#undef KEY
}

static void
protect(struct vnet_node *n, const struct cover *c, uint32_t me, uint32_t nodes)
{
	char k[64];

	vnet_set(n, "policy all.action", c->on ? "protect" : "bypass");
	vnet_set(n, "stack.manual-keys", "i-accept-the-risk");
	for (uint32_t i = 0; i < nodes; i++) {
		snprintf(k, sizeof(k), "identity n%u.type", i);
		vnet_set(n, k, "fqdn");
		snprintf(k, sizeof(k), "identity n%u.value", i);
		vnet_set(n, k, "n%u.example", i);
	}
	for (uint32_t i = 0; i < nodes && c->on; i++) {
		if (i == me)
			continue;
		set_sa(n, c, i, me, true);
		set_sa(n, c, me, i, false);
	}
}

static void
draw_node(struct vnet *v, const struct cover *c, uint32_t i, uint32_t nodes)
{
	struct vnet_node *n = vnet_add(v, IP_A + i);
	struct vnet_link *l = &n->out;

	l->delay_ns = VNET_MS / 10 * (1 + vnet_below(v, 300));
	l->late_ns = VNET_MS * vnet_below(v, 80);
	l->loss = vnet_below(v, VNET_SCALE / 12);
	l->dup = vnet_below(v, VNET_SCALE / 20);
	l->reorder = vnet_below(v, VNET_SCALE / 5);
	l->corrupt = vnet_below(v, VNET_SCALE / 50);
	n->nb_workers = 1 + vnet_below(v, 2);
	vnet_set(n, "stack.workers", "%u", n->nb_workers);
	vnet_set(n, "port p.mtu", "%u", 1280 + vnet_below(v, 221));
	vnet_set(n, "tcp.sndbuf", "%u", 4096u << vnet_below(v, 5));
	vnet_set(n, "tcp.rcvbuf", "%u", 4096u << vnet_below(v, 5));
	vnet_draw_tcp(n);
	vnet_set(n, "tcp.syn-retries", "15");
	vnet_set(n, "tcp.data-retries", "20");
	protect(n, c, i, nodes);
	vnet_start(n);
}

static bool
is_quiet(struct vnet *v)
{
	uint64_t left = 0;

	for (unsigned int i = 0; i < v->nb_nodes; i++) {
		struct ctl_usage u;

		ctl_usage(v->node[i].s, &u);
		left += u.pcbs + u.mbufs;
	}
	return left == 0;
}

static void
settle(struct vnet *v)
{
	for (uint32_t i = 0; i < 400 && (i == 0 || !is_quiet(v)); i++)
		vnet_run(v, NULL, NULL, 10 * VNET_S);
	for (unsigned int i = 0; i < v->nb_nodes; i++)
		vnet_check_empty(&v->node[i]);
}

static void
run_seed(uint64_t seed)
{
	static struct app app;
	struct vnet *v = vnet_new(seed, false);
	uint32_t nodes, conns;
	struct cover cover;

	total.running = seed;
	v->ip6 = true;
	nodes = 2 + vnet_below(v, 3);
	conns = 1 + vnet_below(v, 4);
	cover = draw_cover(v);
	for (uint32_t i = 0; i < nodes; i++)
		draw_node(v, &cover, i, nodes);
	app_start(&app, v);
	for (uint32_t i = 0; i < conns; i++) {
		uint32_t a = vnet_below(v, nodes), b = (a + 1 + vnet_below(v, nodes - 1)) % nodes;

		app_connect(&app, &v->node[a], &v->node[b], vnet_below(v, 3) * VNET_S,
			vnet_below(v, 60000), vnet_below(v, 60000));
	}
	ck_assert_msg(vnet_run(v, app_all_over, &app, 40000 * VNET_S), "seed %lu: hangs",
		(unsigned long)seed);
	for (uint32_t i = 0; i < conns; i++) {
		const struct app_conn *c = &app.conn[i];

		ck_assert_msg(c->end[0].state == APP_DONE && c->end[1].state == APP_DONE,
			"seed %lu: not completed", (unsigned long)seed);
		total.completed++;
		total.bytes += c->end[0].rx_off + c->end[1].rx_off;
	}
	for (uint32_t i = 0; i < nodes; i++)
		total.esp += ctl_stat(v->node[i].s, "esp-in");
	app_stop(&app);
	settle(v);
	vnet_free(v);
}

static uint64_t
env_number(const char *name, uint64_t otherwise)
{
	const char *text = getenv(name);

	return text == NULL ? otherwise : strtoull(text, NULL, 0);
}

START_TEST(every_stream_arrives_whole)
{
	uint64_t one = env_number("TL_SEED", 0), first = one != 0 ? one : 1;
	uint64_t n = one != 0 ? 1 : env_number("TL_SEEDS", SEEDS_DEFAULT);

	for (uint64_t seed = first; seed < first + n; seed++)
		run_seed(seed);
	printf("# %lu seeds over IPv6, %lu connections completed, %lu bytes, %lu ESP packets\n",
		(unsigned long)n, (unsigned long)total.completed, (unsigned long)total.bytes,
		(unsigned long)total.esp);
	ck_assert(total.esp > 0 || n == 1);
}
END_TEST

/* ---- sockets ---- */

static struct vnet *v;
static struct tl_worker *w[2];

static void
setup(void)
{
	v = vnet_new(1, false);
	v->ip6 = true;
	for (uint32_t i = 0; i < 2; i++) {
		struct vnet_node *n = vnet_add(v, IP_A + i);

		vnet_set(n, "policy all.action", "bypass");
		vnet_start(n);
		w[i] = tl_worker(n->s, 0);
	}
}

static void
teardown(void)
{
	settle(v);
	vnet_free(v);
}

static struct sockaddr_in6
in6(const char *addr, uint32_t scope)
{
	struct sockaddr_in6 a = {
		.sin6_family = AF_INET6, .sin6_port = htons(PORT), .sin6_scope_id = scope};

	ck_assert_int_eq(inet_pton(AF_INET6, addr, &a.sin6_addr), 1);
	return a;
}

static int
listener(int domain, const char *addr, bool v6only)
{
	struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(PORT)};
	struct sockaddr_in6 a = in6(addr, 0);
	int fd = tl_socket(w[1], domain, SOCK_STREAM, 0), on = v6only, rc;

	ck_assert_int_ge(fd, TL_FD_BASE);
	if (domain == AF_INET6)
		ck_assert_int_eq(
			tl_setsockopt(w[1], fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on)), 0);
	rc = domain == AF_INET ? tl_bind(w[1], fd, (struct sockaddr *)&in, sizeof(in))
			       : tl_bind(w[1], fd, (struct sockaddr *)&a, sizeof(a));
	if (rc == 0)
		rc = tl_listen(w[1], fd, 4);
	if (rc == 0)
		return fd;
	rc = errno;
	tl_close(w[1], fd);
	errno = rc;
	return -1;
}

/* Connects node 0 to a; the descriptor, or -errno. */
static int
dial(int domain, const void *a, socklen_t len)
{
	int fd = tl_socket(w[0], domain, SOCK_STREAM, 0), err = 0;
	socklen_t n = sizeof(err);

	if (tl_connect(w[0], fd, a, len) != 0 && errno != EINPROGRESS) {
		err = errno;
		tl_close(w[0], fd);
		return -err;
	}
	vnet_touch(&v->node[0]);
	vnet_run(v, NULL, NULL, VNET_S);
	ck_assert_int_eq(tl_getsockopt(w[0], fd, SOL_SOCKET, SO_ERROR, &err, &n), 0);
	if (err == 0)
		return fd;
	tl_close(w[0], fd);
	return -err;
}

static int
dial6(const char *to, uint32_t scope)
{
	struct sockaddr_in6 a = in6(to, scope);

	return dial(AF_INET6, &a, sizeof(a));
}

static int
dial4(void)
{
	struct sockaddr_in a = {
		.sin_family = AF_INET, .sin_port = htons(PORT), .sin_addr.s_addr = htonl(IP_A + 1)};

	return dial(AF_INET, &a, sizeof(a));
}

/* Takes the connection from the queue: its peer must be this. */
static void
take(int lsn, int client, const char *peer)
{
	struct sockaddr_in6 a = {0};
	socklen_t len = sizeof(a);
	char text[INET6_ADDRSTRLEN] = "";
	int fd;

	ck_assert_int_ge(client, TL_FD_BASE);
	fd = tl_accept(w[1], lsn, (struct sockaddr *)&a, &len);
	ck_assert_int_ge(fd, TL_FD_BASE);
	ck_assert_uint_eq(len, sizeof(a));
	ck_assert_int_eq(a.sin6_family, AF_INET6);
	inet_ntop(AF_INET6, &a.sin6_addr, text, sizeof(text));
	ck_assert_str_eq(text, peer);
	ck_assert_uint_eq(a.sin6_scope_id, strncmp(peer, "fe80", 4) == 0 ? 1 : 0);
	tl_close(w[0], client);
	tl_close(w[1], fd);
	vnet_touch(&v->node[0]);
	vnet_touch(&v->node[1]);
	vnet_run(v, NULL, NULL, VNET_S);
}

/* RFC 3493 s5.3 */
START_TEST(wildcard_listener_takes_both_families)
{
	int lsn = listener(AF_INET6, "::", false);

	take(lsn, dial6("fd00::2", 0), "fd00::1");
	take(lsn, dial4(), "::ffff:10.0.0.1");
	take(lsn, dial6("::ffff:10.0.0.2", 0), "::ffff:10.0.0.1");
	take(lsn, dial6("fe80::aff:fe00:2", 0), "fe80::aff:fe00:1");
	take(lsn, dial6("fe80::aff:fe00:2", 1), "fe80::aff:fe00:1");
	ck_assert_int_eq(dial6("fe80::aff:fe00:2", 2), -EINVAL);
	tl_close(w[1], lsn);
}
END_TEST

START_TEST(v6only_listener_leaves_ipv4_to_another)
{
	int lsn6 = listener(AF_INET6, "::", true), lsn4;

	ck_assert_int_eq(dial4(), -ECONNREFUSED);
	lsn4 = listener(AF_INET, "::", false);
	ck_assert_int_ge(lsn4, TL_FD_BASE);
	take(lsn6, dial6("fd00::2", 0), "fd00::1");
	tl_close(w[0], dial4());
	tl_close(w[1], tl_accept(w[1], lsn4, NULL, NULL));
	tl_close(w[1], lsn4);
	tl_close(w[1], lsn6);
	vnet_run(v, NULL, NULL, VNET_S);
}
END_TEST

START_TEST(wildcards_of_both_families_share_no_port)
{
	int lsn = listener(AF_INET6, "::", false);

	ck_assert_int_eq(listener(AF_INET, "::", false), -1);
	ck_assert_int_eq(errno, EADDRINUSE);
	tl_close(w[1], lsn);
	lsn = listener(AF_INET, "::", false);
	ck_assert_int_eq(dial6("fd00::2", 0), -ECONNREFUSED);
	ck_assert_int_eq(listener(AF_INET6, "::", false), -1);
	ck_assert_int_eq(errno, EADDRINUSE);
	tl_close(w[1], lsn);
}
END_TEST

START_TEST(addresses_have_the_family_of_the_socket)
{
	struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(PORT)};
	struct sockaddr_in6 a = in6("fd00::1", 0), name;
	int fd = tl_socket(w[0], AF_INET6, SOCK_STREAM, 0), on = 1;
	socklen_t len = sizeof(name);

	ck_assert_int_eq(tl_bind(w[0], fd, (struct sockaddr *)&in, sizeof(in)), -1);
	ck_assert_int_eq(errno, EAFNOSUPPORT);
	ck_assert_int_eq(tl_bind(w[0], fd, (struct sockaddr *)&a, sizeof(in)), -1);
	ck_assert_int_eq(errno, EINVAL);
	ck_assert_int_eq(tl_bind(w[0], fd, (struct sockaddr *)&a, sizeof(a)), 0);
	ck_assert_int_eq(tl_getsockname(w[0], fd, (struct sockaddr *)&name, &len), 0);
	ck_assert_mem_eq(&name, &a, sizeof(a));
	ck_assert_int_eq(tl_setsockopt(w[0], fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on)), -1);
	ck_assert_int_eq(errno, EINVAL);
	a = in6("::ffff:10.0.0.2", 0);
	ck_assert_int_eq(tl_connect(w[0], fd, (struct sockaddr *)&a, sizeof(a)), -1);
	ck_assert_int_eq(errno, EINVAL);
	tl_close(w[0], fd);
	fd = tl_socket(w[0], AF_INET, SOCK_STREAM, 0);
	ck_assert_int_eq(tl_bind(w[0], fd, (struct sockaddr *)&a, sizeof(a)), -1);
	ck_assert_int_eq(errno, EAFNOSUPPORT);
	ck_assert_int_eq(tl_setsockopt(w[0], fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on)), -1);
	ck_assert_int_eq(errno, ENOPROTOOPT);
	tl_close(w[0], fd);
}
END_TEST

START_TEST(unreachable_and_foreign_addresses)
{
	ck_assert_int_eq(dial6("2001:db8::1", 0), -ENETUNREACH);
	ck_assert_int_eq(dial6("ff02::1", 0), -ENETUNREACH);
	ck_assert_int_eq(dial6("::1", 0), -ENETUNREACH);
	ck_assert_int_eq(dial6("fd00::1", 0), -ENETUNREACH);
}
END_TEST

static size_t longest;

static bool
measure(struct vnet *net, struct vnet_node *from, uint8_t *frame, size_t len, void *arg)
{
	(void)net;
	(void)from;
	(void)frame;
	(void)arg;
	longest = RTE_MAX(longest, len);
	return true;
}

/* RFC 8201 s5.2: another connection, or ESP, learned that the path is narrow. */
START_TEST(connection_follows_the_path_mtu)
{
	static struct app app;
	struct ip_addr peer;
	struct app_conn *c;

	app_start(&app, v);
	c = app_connect(&app, &v->node[0], &v->node[1], 0, 2000000, 0);
	ck_assert(vnet_run(v, app_conn_open, c, 10 * VNET_S));
	vnet_run(v, NULL, NULL, 20 * VNET_MS);
	ck_assert(!app_conn_is_over(c));
	ck_assert_int_eq(ip_addr_parse("fd00::2", &peer), 0);
	ck_assert(route_pmtu_update(v->node[0].s->lc[0], &peer, 1300));
	v->tap = measure;
	longest = 0;
	ck_assert(vnet_run(v, app_all_over, &app, 100 * VNET_S));
	ck_assert_int_eq(c->end[0].state, APP_DONE);
	ck_assert_uint_gt(longest, 1280);
	ck_assert_uint_le(longest, VNET_ETHER + 1300);
	app_stop(&app);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("vnet6");
	TCase *c = tcase_create("seeds"), *k = tcase_create("sockets");
	int rc;

	tcase_set_timeout(c, 0);
	tcase_add_test(c, every_stream_arrives_whole);
	suite_add_tcase(s, c);
	tcase_add_checked_fixture(k, setup, teardown);
	tcase_add_test(k, wildcard_listener_takes_both_families);
	tcase_add_test(k, v6only_listener_leaves_ipv4_to_another);
	tcase_add_test(k, wildcards_of_both_families_share_no_port);
	tcase_add_test(k, addresses_have_the_family_of_the_socket);
	tcase_add_test(k, connection_follows_the_path_mtu);
	tcase_add_test(k, unreachable_and_foreign_addresses);
	suite_add_tcase(s, k);
	rc = env_main(s);
	if (rc != 0)
		printf("# repeat with TL_SEED=%lu\n", (unsigned long)total.running);
	return rc;
}
