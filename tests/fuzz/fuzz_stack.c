/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/fuzz/fuzz_stack.h"

#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "stack/ctl/show.h"
#include "stack/include/tl.h"
#include "stack/include/tl_sock.h"
#include "stack/run/run.h"

enum { QUEUE = 64, SECOND = 1000000000 };

static struct {
	struct tl_conf *conf;
	struct tl_stack *stack;
	uint64_t now_ns;
	int listener, dgram;
	struct {
		size_t len;
		uint8_t bytes[FUZZ_FRAME_MAX];
	} in[QUEUE];
	unsigned int first, n;
	struct craft_sa sa[2]; /* transport, tunnel */
} f;

void
fuzz_check(int ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "fuzz: %s\n", what);
	abort();
}

static size_t
rx(void *ctx, unsigned int worker, void *buf, size_t cap)
{
	size_t len;

	(void)ctx;
	(void)worker;
	if (f.n == 0)
		return 0;
	len = f.in[f.first].len < cap ? f.in[f.first].len : cap;
	memcpy(buf, f.in[f.first].bytes, len);
	f.first = (f.first + 1) % QUEUE;
	f.n--;
	return len;
}

/* The peer answers nothing. */
static bool
tx(void *ctx, unsigned int worker, const void *frame, size_t len)
{
	(void)ctx;
	(void)worker;
	(void)frame;
	(void)len;
	return true;
}

static const struct tl_mport_ops port = {.rx = rx, .tx = tx};

static void
set(const char *key, const char *value)
{
	struct tl_error e;

	if (tl_conf_set(f.conf, key, value, &e) != 0) {
		fprintf(stderr, "fuzz: %s\n", e.text);
		abort();
	}
}

static void
set_sa(const char *name, uint32_t spi, const char *direction, int tunnel)
{
	static const char *const words[][2] = {{"local", "10.0.0.1"}, {"remote", "10.0.0.2"},
		{"local-id", "me"}, {"peer-id", "peer"}, {"local-net", "any"},
		{"remote-net", "any"}};
	char key[64], value[80];

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		snprintf(key, sizeof(key), "sa %s.%s", name, words[i][0]);
		set(key, words[i][1]);
	}
	snprintf(key, sizeof(key), "sa %s.spi", name);
	snprintf(value, sizeof(value), "%u", spi);
	set(key, value);
	snprintf(key, sizeof(key), "sa %s.direction", name);
	set(key, direction);
	snprintf(key, sizeof(key), "sa %s.mode", name);
	set(key, tunnel ? "tunnel" : "transport");
	snprintf(key, sizeof(key), "sa %s.key", name);
	snprintf(value, sizeof(value), "%038x%02x", 7, spi & 0xff);
	set(key, value);
}

static void
make_sa(struct craft_sa *sa, uint32_t spi, int tunnel)
{
	*sa = (struct craft_sa){.spi = spi,
		.src = FUZZ_PEER,
		.dst = FUZZ_ME,
		.esn = true,
		.tunnel = tunnel != 0,
		.key_len = 20};
	sa->key[18] = 7;
	sa->key[19] = (uint8_t)spi;
}

static void
configure(const char *action)
{
	static const char *const keys[][2] = {
		{"eal.memory-mb", "256"},
		{"eal.hugepages", "no"},
		{"stack.seed", "1"},
		{"stack.iv-start", "1"},
		{"stack.manual-keys", "i-accept-the-risk"},
		{"stack.mbufs", "2048"},
		{"stack.buffer-chunks", "256"},
		{"stack.sockets", "64"},
		{"tcp.max-connections", "64"},
		{"port lan.device", "memory"},
		{"port lan.mac", "02:00:00:00:00:01"},
		{"port lan.address", "10.0.0.1/24, fd00::1/64"},
		{"port lan.dad", "no"},
		{"port lan.accept-ra", "yes"},
		{"identity me.type", "fqdn"},
		{"identity me.value", "me.example"},
		{"identity peer.type", "fqdn"},
		{"identity peer.value", "peer.example"},
	};

	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		set(keys[i][0], keys[i][1]);
	set("policy all.action", action);
	set_sa("in0", 0x1001, "in", 0);
	set_sa("out0", 0x2002, "out", 0);
	set_sa("in1", 0x1003, "in", 1);
	set_sa("out1", 0x2004, "out", 1);
	make_sa(&f.sa[0], 0x1001, 0);
	make_sa(&f.sa[1], 0x1003, 1);
	tl_conf_mport(f.conf, "lan", &port, NULL);
}

/* What is said to port 7 comes back, and every connection that ends is closed. */
static void
serve(struct tl_worker *w, void *arg)
{
	static int fd[64];
	static unsigned int n;
	struct sockaddr_in6 from;
	socklen_t len = sizeof(from);
	char buf[512];
	ssize_t got;
	int one;

	(void)arg;
	while ((got = tl_recvfrom(w, f.dgram, buf, sizeof(buf), 0, (void *)&from, &len)) >= 0)
		tl_sendto(w, f.dgram, buf, (size_t)got, 0, (void *)&from, sizeof(from));
	while (n < 64 && (one = tl_accept(w, f.listener, NULL, NULL)) >= 0)
		fd[n++] = one;
	for (unsigned int i = 0; i < n; i++) {
		got = tl_recv(w, fd[i], buf, sizeof(buf), 0);
		if (got > 0)
			tl_send(w, fd[i], buf, (size_t)got, 0);
		else if (got == 0 || (errno != EAGAIN && errno != EWOULDBLOCK)) {
			tl_close(w, fd[i]);
			fd[i--] = fd[--n];
		}
	}
}

static void
listen_on_7(struct tl_worker *w)
{
	struct sockaddr_in6 a = {.sin6_family = AF_INET6, .sin6_port = htons(7)};

	f.listener = tl_socket(w, AF_INET6, SOCK_STREAM, 0);
	fuzz_check(f.listener >= 0 && tl_bind(w, f.listener, (void *)&a, sizeof(a)) == 0 &&
			   tl_listen(w, f.listener, 16) == 0,
		"no listener");
	f.dgram = tl_socket(w, AF_INET6, SOCK_DGRAM, 0);
	fuzz_check(f.dgram >= 0 && tl_bind(w, f.dgram, (void *)&a, sizeof(a)) == 0, "no datagrams");
}

static void
close_all(void)
{
	tl_destroy(f.stack);
	tl_conf_free(f.conf);
}

void
fuzz_open(const char *action)
{
	struct tl_error e = {""};

	if (f.stack != NULL)
		return;
	f.conf = tl_conf_new();
	configure(action);
	if (tl_eal_init(f.conf, &e) != 0 || tl_create(f.conf, &f.stack, &e) != 0) {
		fprintf(stderr, "fuzz: %s\n", e.text);
		abort();
	}
	atexit(close_all);
	f.now_ns = SECOND;
	listen_on_7(tl_worker(f.stack, 0));
	tl_set_turn_fn(tl_worker(f.stack, 0), serve, NULL);
	fuzz_settle();
}

void
fuzz_frame(const uint8_t *frame, size_t len)
{
	unsigned int at = (f.first + f.n) % QUEUE;

	if (f.n == QUEUE || len > FUZZ_FRAME_MAX || len == 0)
		return;
	memcpy(f.in[at].bytes, frame, len);
	f.in[at].len = len;
	f.n++;
}

void
fuzz_ip(const uint8_t *ip, size_t len)
{
	uint8_t frame[FUZZ_FRAME_MAX] = {2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0};

	if (len == 0 || len + 14 > sizeof(frame))
		return;
	if (ip[0] >> 4 == 6) {
		frame[12] = 0x86;
		frame[13] = 0xdd;
	}
	memcpy(frame + 14, ip, len);
	fuzz_frame(frame, len + 14);
}

void
fuzz_run(void)
{
	struct tl_worker *w = tl_worker(f.stack, 0);

	do {
		f.now_ns += 1000;
		tl_turn(w, f.now_ns);
	} while (f.n > 0);
	tl_turn(w, f.now_ns);
}

static void
pass(uint64_t ns)
{
	struct tl_worker *w = tl_worker(f.stack, 0);

	for (uint64_t end = f.now_ns + ns; f.now_ns < end;) {
		uint64_t next = tl_turn(w, f.now_ns);

		if (next == UINT64_MAX || next > end)
			next = end;
		f.now_ns = next > f.now_ns ? next : f.now_ns + 1000000;
	}
}

void
fuzz_settle(void)
{
	struct lcore *lc = lc_of(tl_worker(f.stack, 0));

	fuzz_run();
	/* Half a virtual hour: connections give up, reassemblies and neighbours are forgotten. */
	pass(1800ull * SECOND);
	/* What a router told may go on for hours, so a packet may just be waiting: not for ever. */
	for (int i = 0; i < 100 && rte_mempool_in_use_count(lc->pkt_pool) != 0; i++)
		pass(SECOND);
	if (rte_mempool_in_use_count(lc->pkt_pool) == 0)
		return;
	ctl_show(f.stack, "neighbours", false, stderr);
	ctl_show(f.stack, "stats", false, stderr);
	fuzz_check(0, "packet buffers are left");
}

struct tl_stack *
fuzz_tl_stack(void)
{
	return f.stack;
}

uint64_t
fuzz_stat(enum stat_id id)
{
	return lc_of(tl_worker(f.stack, 0))->stat.st[id];
}

struct craft_sa *
fuzz_sa(int tunnel)
{
	return &f.sa[tunnel != 0];
}
