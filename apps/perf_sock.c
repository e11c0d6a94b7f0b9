/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * perf_sock.c - tl-perf's client and server on the socket calls.
 *
 * A connection begins with a hello of 24 bytes from the client that says what follows; the server
 * obeys it, so one server serves every kind of client:
 *   bulk      the client sends, the server reads, both close
 *   rr        the client sends a request of a size, the server answers with as much
 *   crr       one request and its answer, then both close, and the next connection begins
 *   open      nothing: it is opened and stays
 *   exchange  both send the same number of pseudo-random bytes and print digests of each direction
 */
#include "apps/perf_sock.h"

#include <arpa/inet.h>
#include <endian.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <openssl/evp.h>

#include "apps/common.h"
#include "apps/perf.h"
#include "stack/ctl/show.h"
#include "stack/include/tl_ipsec.h"
#include "stack/include/tl_sock.h"

/* How long an IPv6 address is tried at most before it is ours (RFC 4862 s5.4). */
#define DAD_WAIT_NS UINT64_C(4000000000)

enum {
	HELLO_MAGIC = 0x746c7066,
	HELLO_BYTES = 24,
	BUF_BYTES = 256 * 1024,
	HELD_BYTES = 32768,
	EVENTS = 64,
	SLOTS = 32,
	PIECES = 16,
	MALLOC_HEAD = 16 /* that malloc() adds, about */
};

struct hello {
	uint32_t magic;
	uint32_t kind;
	uint64_t bytes;
	uint64_t size;
};

struct conn {
	int fd;
	bool is_server, listening, greeted, sent_fin, got_fin, over, draining;
	struct hello hello; /* host order */
	size_t hello_at;
	uint64_t tx_bytes, rx_bytes, owed; /* owed: bytes the server still has to answer */
	uint64_t started_ns, ended_ns, asked_ns;
	uint64_t rng;
	int error;
	struct tl_latch_info latch;
	EVP_MD_CTX *tx_md, *rx_md;
	size_t held_at, held_bytes; /* exchange: generated and not yet sent */
	uint8_t *held;              /* HELD_BYTES */
	struct conn *next_done;
	TAILQ_ENTRY(conn) all;
};

static void
digest_start(struct conn *c)
{
	c->held = malloc(HELD_BYTES);
	if (c->held == NULL)
		abort();
	c->tx_md = EVP_MD_CTX_new();
	c->rx_md = EVP_MD_CTX_new();
	EVP_DigestInit_ex(c->tx_md, EVP_sha256(), NULL);
	EVP_DigestInit_ex(c->rx_md, EVP_sha256(), NULL);
}

static void
digest_text(EVP_MD_CTX *md, char out[65])
{
	uint8_t d[32];

	EVP_DigestFinal_ex(md, d, NULL);
	for (int i = 0; i < 32; i++)
		snprintf(out + 2 * i, 3, "%02x", d[i]);
}

/* Of those that were made beforehand: no page of the system's is touched first on the way. */
static struct conn *
conn_alloc(struct perf_run *p)
{
	struct conn *c = p->spare;

	if (c != NULL) {
		p->spare = c->next_done;
		memset(c, 0, sizeof(*c));
		return c;
	}
	c = calloc(1, sizeof(*c));
	if (c == NULL)
		abort();
	return c;
}

static void
conn_put(struct perf_run *p, struct conn *c)
{
	c->next_done = p->spare;
	p->spare = c;
}

static struct conn *
conn_new(struct tl_worker *w, struct perf_run *p, int fd, bool is_server)
{
	struct conn *c = conn_alloc(p);
	int on = 1;

	c->fd = fd;
	c->is_server = is_server;
	c->started_ns = tl_now_ns(w);
	c->rng = 0x9e3779b97f4a7c15u * (is_server ? 3 : 5) + tl_now_ns(w);
	TAILQ_INSERT_TAIL(&p->conns, c, all);
	p->open++;
	if (p->o->kind == PERF_RR || p->o->kind == PERF_CRR)
		tl_setsockopt(w, fd, IPPROTO_TCP, 1 /* TCP_NODELAY */, &on, sizeof(on));
	return c;
}

/* Pseudo-random bytes for the exchange; their digest is what the other end must see. */
static void
generate(struct conn *c, uint8_t *out, size_t len)
{
	for (size_t i = 0; i + 8 <= len; i += 8) {
		c->rng ^= c->rng << 13;
		c->rng ^= c->rng >> 7;
		c->rng ^= c->rng << 17;
		memcpy(out + i, &c->rng, 8);
	}
	EVP_DigestUpdate(c->tx_md, out, len);
}

static void
conn_over(struct tl_worker *w, struct perf_run *p, struct conn *c, int error)
{
	socklen_t len = sizeof(c->latch);

	c->error = error;
	c->over = true;
	c->ended_ns = tl_now_ns(w);
	tl_getsockopt(w, c->fd, SOL_TL_IPSEC, TL_LATCH_INFO, &c->latch, &len);
	tl_close(w, c->fd);
	if (!c->draining) {
		c->next_done = p->done;
		p->done = c;
	}
	p->open--;
	p->ended++;
	p->failed += error != 0;
	p->last_ns = c->ended_ns;
}

static void
report(const struct perf_opts *o, struct conn *c)
{
	char tx[65] = "", rx[65] = "";
	double s = (double)(c->ended_ns - c->started_ns) / 1e9;

	if (c->tx_md != NULL) {
		digest_text(c->tx_md, tx);
		digest_text(c->rx_md, rx);
	}
	printf(o->json ? "{\"end\": \"%s\", \"kind\": %u, \"sent\": %lu, \"received\": %lu, "
			 "\"seconds\": %.6f, \"error\": \"%s\", \"latch\": \"%s\", \"reason\": "
			 "\"%s\", "
			 "\"sent_sha256\": \"%s\", \"received_sha256\": \"%s\"}\n"
		       : "%s connection: kind %u, sent %lu, received %lu bytes in %.3f s, %s, "
			 "latch %s, "
			 "reason %s %s %s\n",
		c->is_server ? "server" : "client", c->hello.kind, (unsigned long)c->tx_bytes,
		(unsigned long)c->rx_bytes, s, c->error == 0 ? "ok" : strerrorname_np(c->error),
		tl_latch_state_name(c->latch.state), tl_latch_reason_name(c->latch.reason), tx, rx);
	fflush(stdout);
}

/* Sends from memory; returns bytes taken, 0 when the buffer is full, -1 at an error. */
static ssize_t
send_some(struct tl_worker *w, struct conn *c, const void *buf, size_t len)
{
	ssize_t n = tl_send(w, c->fd, buf, len, 0);

	if (n < 0 && errno == EAGAIN)
		return 0;
	return n;
}

static void
finish_sending(struct tl_worker *w, struct conn *c)
{
	if (!c->sent_fin)
		tl_shutdown(w, c->fd, SHUT_WR);
	c->sent_fin = true;
}

/* Client: the hello, which must fit in an empty buffer. Returns false at an error. */
static bool
greet(struct tl_worker *w, struct perf_run *p, struct conn *c)
{
	struct hello h = {.magic = htobe32(HELLO_MAGIC),
		.kind = htobe32(p->o->kind),
		.bytes = htobe64(p->o->bytes),
		.size = htobe64(p->o->size_bytes)};

	c->hello = (struct hello){HELLO_MAGIC, p->o->kind, p->o->bytes, p->o->size_bytes};
	if (send_some(w, c, &h, sizeof(h)) != HELLO_BYTES)
		return false;
	c->greeted = p->has_met = true;
	c->started_ns = c->asked_ns = tl_now_ns(w);
	c->owed = p->o->size_bytes; /* rr: the first request */
	if (p->o->kind == PERF_EXCHANGE)
		digest_start(c);
	return true;
}

static bool
is_done_sending(const struct perf_run *p, const struct conn *c, uint64_t now_ns)
{
	if (c->hello.kind == PERF_CRR)
		return c->rx_bytes >= c->hello.size;
	if (c->hello.bytes != 0)
		return c->tx_bytes >= c->hello.bytes;
	return now_ns - c->started_ns >= p->o->seconds * 1000000000u;
}

/* The next of the buffers that a program would fill in turn; 0 bytes if that one is under way. */
static const uint8_t *
next_buffer(struct tl_worker *w, struct perf_run *p, size_t len)
{
	struct tl_done done[SLOTS];
	uint32_t slots = (uint32_t)(BUF_BYTES / len);
	int n;

	if (slots > SLOTS)
		slots = SLOTS;
	for (n = tl_send_done(w, done, SLOTS); n > 0; n--)
		p->slots_busy &= ~(1u << done[n - 1].cookie);
	p->slot %= slots;
	return (p->slots_busy & 1u << p->slot) != 0 ? NULL : p->chunk + p->slot * len;
}

static ssize_t
send_lent(struct tl_worker *w, struct perf_run *p, struct conn *c, const uint8_t *buf, size_t len)
{
	if (buf == NULL)
		return 0;
	if (tl_send_zc(w, c->fd, buf, len, p->slot) != 0)
		return errno == EAGAIN ? 0 : -1;
	p->slots_busy |= 1u << p->slot;
	return (ssize_t)len;
}

static ssize_t
send_next(struct tl_worker *w, struct perf_run *p, struct conn *c, size_t len)
{
	const uint8_t *buf = next_buffer(w, p, len);
	ssize_t n = p->o->zero_copy ? send_lent(w, p, c, buf, len) : send_some(w, c, buf, len);

	if (n > 0)
		p->slot++;
	return n;
}

/* Returns false at an error. */
static bool
send_bulk(struct tl_worker *w, struct perf_run *p, struct conn *c)
{
	while (!is_done_sending(p, c, tl_now_ns(w))) {
		size_t len = c->hello.size;
		ssize_t n;

		if (c->hello.bytes != 0 && len > c->hello.bytes - c->tx_bytes)
			len = c->hello.bytes - c->tx_bytes;
		n = send_next(w, p, c, len);
		if (n <= 0)
			return n == 0;
		c->tx_bytes += (uint64_t)n;
	}
	finish_sending(w, c);
	return true;
}

/* What was generated and not yet taken waits in c->held; its digest is counted already. */
static bool
send_exchange(struct tl_worker *w, struct conn *c)
{
	while (c->tx_bytes < c->hello.bytes) {
		ssize_t n;

		if (c->held_bytes == 0) {
			c->held_at = 0;
			c->held_bytes = c->hello.bytes - c->tx_bytes;
			if (c->held_bytes > HELD_BYTES)
				c->held_bytes = HELD_BYTES;
			generate(c, c->held, c->held_bytes);
		}
		n = send_some(w, c, c->held + c->held_at, c->held_bytes);
		if (n <= 0)
			return n == 0;
		c->held_at += (size_t)n;
		c->held_bytes -= (size_t)n;
		c->tx_bytes += (uint64_t)n;
	}
	finish_sending(w, c);
	return true;
}

/* rr, both ends: sends what is owed. */
static bool
send_owed(struct tl_worker *w, struct perf_run *p, struct conn *c)
{
	while (c->owed > 0) {
		ssize_t n = send_some(w, c, p->chunk, c->owed < BUF_BYTES ? c->owed : BUF_BYTES);

		if (n <= 0)
			return n == 0;
		c->owed -= (uint64_t)n;
		c->tx_bytes += (uint64_t)n;
	}
	return true;
}

static bool
send_side(struct tl_worker *w, struct perf_run *p, struct conn *c)
{
	switch (c->hello.kind) {
	case PERF_BULK:
		return c->is_server || send_bulk(w, p, c);
	case PERF_RR:
	case PERF_CRR:
		return send_owed(w, p, c);
	default:
		return send_exchange(w, c);
	}
}

/* Client of rr: a whole answer came. */
static void
answered(struct tl_worker *w, struct perf_run *p, struct conn *c)
{
	uint64_t now = tl_now_ns(w);

	hist_add(&p->rr, now - c->asked_ns);
	if (is_done_sending(p, c, now)) {
		finish_sending(w, c);
		return;
	}
	c->asked_ns = now;
	c->owed = c->hello.size;
}

static void
received(struct tl_worker *w, struct perf_run *p, struct conn *c, const uint8_t *buf, size_t n)
{
	uint64_t before = c->rx_bytes;

	c->rx_bytes += n;
	if (c->hello.kind == PERF_EXCHANGE)
		EVP_DigestUpdate(c->rx_md, buf, n);
	if (c->hello.kind != PERF_RR && c->hello.kind != PERF_CRR)
		return;
	if (c->is_server)
		c->owed += n;
	else if (c->rx_bytes / c->hello.size != before / c->hello.size)
		answered(w, p, c);
}

/* Server: collects the hello from the start of the stream. Returns bytes used, -1 if it is none. */
static ssize_t
take_hello(struct conn *c, const uint8_t *buf, size_t n)
{
	size_t used = HELLO_BYTES - c->hello_at;

	if (used > n)
		used = n;
	memcpy((uint8_t *)&c->hello + c->hello_at, buf, used);
	c->hello_at += used;
	if (c->hello_at < HELLO_BYTES)
		return (ssize_t)used;
	c->hello.magic = be32toh(c->hello.magic);
	c->hello.kind = be32toh(c->hello.kind);
	c->hello.bytes = be64toh(c->hello.bytes);
	c->hello.size = be64toh(c->hello.size);
	if (c->hello.magic != HELLO_MAGIC || c->hello.kind < PERF_BULK || c->hello.kind > PERF_OPEN)
		return -1;
	c->greeted = true;
	if (c->hello.kind == PERF_EXCHANGE)
		digest_start(c);
	return (ssize_t)used;
}

/* The same without copies: what comes is looked at where it is. */
static int
receive_lent(struct tl_worker *w, struct conn *c)
{
	struct tl_piece piece[PIECES];

	for (;;) {
		int n = tl_recv_peek(w, c->fd, piece, PIECES);
		size_t bytes = 0;

		if (n <= 0)
			return n == 0 ? 0 : errno == EAGAIN ? 1 : -1;
		for (int i = 0; i < n; i++)
			bytes += piece[i].bytes;
		c->rx_bytes += bytes;
		tl_recv_release(w, c->fd, bytes);
	}
}

/* Returns 1 to go on, 0 at the end of the stream, -1 at an error. */
static int
receive(struct tl_worker *w, struct perf_run *p, struct conn *c)
{
	if (p->o->zero_copy && c->is_server && c->greeted && c->hello.kind == PERF_BULK)
		return receive_lent(w, c);
	for (;;) {
		ssize_t n = tl_recv(w, c->fd, p->buf, BUF_BYTES, 0), used = 0;

		if (n == 0)
			return 0;
		if (n < 0)
			return errno == EAGAIN ? 1 : -1;
		if (c->is_server && !c->greeted) {
			used = take_hello(c, p->buf, (size_t)n);
			if (used < 0) {
				errno = EPROTO;
				return -1;
			}
		}
		if (n > used)
			received(w, p, c, p->buf + used, (size_t)(n - used));
	}
}

/* Both directions end. What follows another is closed at once; else the last byte is waited for,
 * because the program may end then. */
static void
close_later(struct tl_worker *w, struct perf_run *p, struct conn *c)
{
	if (c->hello.kind == PERF_CRR) {
		conn_over(w, p, c, 0);
		return;
	}
	if (!c->draining) {
		c->draining = true;
		c->next_done = p->done;
		p->done = c;
	}
}

/* Nothing more is asked of it. */
static void
is_open(struct tl_worker *w, struct perf_run *p, struct conn *c)
{
	c->greeted = c->sent_fin = p->has_met = true;
	p->idle++;
	p->last_ns = tl_now_ns(w);
}

static void
act(struct tl_worker *w, struct perf_run *p, struct conn *c)
{
	int rc, err = 0;
	socklen_t len = sizeof(err);

	tl_getsockopt(w, c->fd, SOL_SOCKET, SO_ERROR, &err, &len);
	if (err != 0) {
		conn_over(w, p, c, err);
		return;
	}
	if (!c->is_server && p->o->kind == PERF_OPEN) {
		is_open(w, p, c);
		return;
	}
	rc = c->is_server || c->greeted ? c->got_fin ? 1 : receive(w, p, c)
	     : greet(w, p, c) ? 1
					: -1;
	if (rc == 0)
		c->got_fin = true;
	if (rc == 0 && (c->hello.kind != PERF_EXCHANGE || !c->greeted))
		finish_sending(w, c); /* nothing more will be asked for */
	if (rc >= 0 && c->greeted && !c->sent_fin && !send_side(w, p, c))
		rc = -1;
	if (rc < 0)
		conn_over(w, p, c, errno);
	else if (c->got_fin && c->sent_fin && !c->over)
		close_later(w, p, c);
}

/* Both directions have ended and every byte was acknowledged. */
static bool
is_drained(struct tl_worker *w, const struct conn *c)
{
	char state[32] = "";
	socklen_t len = sizeof(state);

	tl_getsockopt(w, c->fd, IPPROTO_TCP, TL_TCP_STATE, state, &len);
	return strcmp(state, "TIME-WAIT") == 0 || strcmp(state, "CLOSED") == 0;
}

static void
accept_all(struct tl_worker *w, struct perf_run *p, struct conn *l)
{
	for (;;) {
		int fd = tl_accept(w, l->fd, NULL, NULL);

		if (fd < 0)
			return;
		if (p->first_ns == 0)
			p->first_ns = tl_now_ns(w);
		tl_watch(w, fd, TL_EV_IN | TL_EV_OUT, conn_new(w, p, fd, true));
	}
}

static bool
wants_out(const struct conn *c)
{
	if (c->sent_fin)
		return false;
	if (!c->greeted)
		return !c->is_server;
	if (c->hello.kind == PERF_RR || c->hello.kind == PERF_CRR)
		return c->owed > 0;
	return c->hello.kind == PERF_EXCHANGE || !c->is_server;
}

static uint32_t
wanted(const struct conn *c)
{
	return (c->got_fin ? 0u : TL_EV_IN) | (wants_out(c) ? TL_EV_OUT : 0u) | TL_EV_ERR;
}

static void
conn_free(struct perf_run *p, struct conn *c)
{
	p->tx_bytes += c->tx_bytes;
	p->rx_bytes += c->rx_bytes;
	TAILQ_REMOVE(&p->conns, c, all);
	EVP_MD_CTX_free(c->tx_md);
	EVP_MD_CTX_free(c->rx_md);
	free(c->held);
	conn_put(p, c);
}

static bool
is_worth_a_line(const struct perf_run *p, const struct conn *c)
{
	if (c->error != 0 || c->hello.kind == PERF_EXCHANGE)
		return true;
	return c->hello.kind < PERF_CRR && (p->o->json || c->is_server);
}

/* Closes what is drained; reports and forgets what is over. */
static void
finish_done(struct tl_worker *w, struct perf_run *p)
{
	struct conn *c = p->done, *next;

	for (p->done = NULL; c != NULL; c = next) {
		next = c->next_done;
		if (!c->over && is_drained(w, c))
			conn_over(w, p, c, 0);
		if (!c->over) {
			c->next_done = p->done;
			p->done = c;
			continue;
		}
		if (is_worth_a_line(p, c))
			report(p->o, c);
		conn_free(p, c);
	}
}

static void
turn(struct tl_worker *w, struct perf_run *p)
{
	struct tl_event ev[EVENTS];
	int n = tl_wait(w, ev, EVENTS);

	for (int i = 0; i < n; i++) {
		struct conn *c = ev[i].udata;

		if (c->listening) {
			accept_all(w, p, c);
			continue;
		}
		act(w, p, c);
		if (!c->over)
			tl_watch(w, c->fd, wanted(c), c);
	}
	finish_done(w, p);
}

static bool
listen_on(struct tl_worker *w, struct perf_run *p, uint16_t port)
{
	int fd = tl_socket(w, AF_INET6, SOCK_STREAM, 0);
	union end a = end_any(port);
	struct conn *c;

	if (tl_bind(w, fd, &a.sa, sizeof(a)) != 0 || tl_listen(w, fd, 4096) != 0) {
		fprintf(stderr, "tl-perf: port %u: %s\n", port, strerror(errno));
		p->failed++;
		tl_stop(p->stack);
		return false;
	}
	c = conn_new(w, p, fd, true);
	c->listening = true;
	p->open--;
	tl_watch(w, fd, TL_EV_IN, c);
	return true;
}

void
perf_server_turn(struct tl_worker *w, void *arg)
{
	struct perf_run *p = arg;

	if (!p->opened) {
		p->opened = true;
		for (uint32_t i = 0; i < p->o->ports; i++) {
			if (!listen_on(w, p, (uint16_t)(p->o->port + i)))
				return;
		}
		printf("listening\n");
		fflush(stdout);
	}
	turn(w, p);
	if (p->o->sessions != 0 && p->ended >= p->o->sessions && p->open == 0)
		tl_stop(p->stack);
}

/* The next server port in turn, so that there are more pairs of ports than one port has. */
static union end
next_address(struct perf_run *p)
{
	union end a = p->o->addr;
	uint32_t port = p->o->port + (uint32_t)(p->started++ % p->o->ports);

	if (a.sa.sa_family == AF_INET6)
		a.in6.sin6_port = htons((uint16_t)port);
	else
		a.in.sin_port = htons((uint16_t)port);
	return a;
}

enum opened { OPENED, OPEN_FAILED, OPEN_TOO_EARLY };

static enum opened
open_one(struct tl_worker *w, struct perf_run *p)
{
	int fd = tl_socket(w, p->o->addr.sa.sa_family, SOCK_STREAM, 0);
	union end to = next_address(p);

	if (fd >= 0 && tl_connect(w, fd, &to.sa, sizeof(to)) != 0 && errno != EINPROGRESS) {
		bool early = p->started == 1 && errno == EADDRNOTAVAIL &&
			     tl_now_ns(w) - p->opened_ns < DAD_WAIT_NS;

		/* Our own IPv6 address is still being tried. */
		if (early)
			p->started = 0;
		else
			fprintf(stderr, "tl-perf: connect: %s\n", strerror(errno));
		tl_close(w, fd);
		if (early)
			return OPEN_TOO_EARLY;
		fd = -1;
	}
	if (fd < 0) {
		p->failed++;
		return OPEN_FAILED;
	}
	tl_watch(w, fd, TL_EV_OUT, conn_new(w, p, fd, false));
	return OPENED;
}

/* One after the other as earlier ones end, or are open. */
static bool
goes_on(const struct tl_worker *w, const struct perf_run *p)
{
	if (p->o->kind != PERF_CRR && p->o->kind != PERF_OPEN)
		return p->started < p->o->connections;
	if (p->failed > 0) /* it will not get better */
		return false;
	if (p->o->total != 0)
		return p->started < p->o->total;
	return tl_now_ns(w) - p->first_ns < p->o->seconds * 1000000000u;
}

static bool
open_clients(struct tl_worker *w, struct perf_run *p)
{
	if (p->opened_ns == 0)
		p->opened_ns = tl_now_ns(w);
	if (p->started == 0)
		p->first_ns = tl_now_ns(w);
	/* The first alone: until the neighbour is known, few packets may wait for it. */
	while (p->open - p->idle < (p->has_met ? p->o->connections : 1) && goes_on(w, p)) {
		if (open_one(w, p) == OPEN_TOO_EARLY)
			return false;
	}
	return true;
}

void
perf_client_turn(struct tl_worker *w, void *arg)
{
	struct perf_run *p = arg;

	if (!p->opened || goes_on(w, p)) {
		if (!open_clients(w, p))
			return;
		p->opened = true;
	}
	turn(w, p);
	if (p->open == p->idle && !goes_on(w, p)) {
		p->is_over = true;
		tl_stop(p->stack);
	}
}

struct totals {
	double seconds, gbit_s, cycles_per_packet, busy;
	uint64_t bytes, packets, rexmt;
};

static struct totals
totals_of(struct perf_run *p)
{
	struct totals t = {.bytes = p->tx_bytes + p->rx_bytes};

	for (const struct conn *c = TAILQ_FIRST(&p->conns); c != NULL; c = TAILQ_NEXT(c, all))
		t.bytes += c->tx_bytes + c->rx_bytes;
	t.seconds = p->last_ns > p->first_ns ? (double)(p->last_ns - p->first_ns) / 1e9 : 0;
	t.gbit_s = t.seconds > 0 ? (double)t.bytes * 8 / t.seconds / 1e9 : 0;
	t.packets = ctl_stat(p->stack, "rx-packets") + ctl_stat(p->stack, "tx-packets");
	t.rexmt = ctl_stat(p->stack, "tcp-retransmits");
	t.busy = ctl_busy(p->stack);
	t.cycles_per_packet = t.packets == 0 ? 0
					     : (double)ctl_stat(p->stack, "busy-ns") *
						       ctl_tsc_ghz() / (double)t.packets;
	return t;
}

static void
print_latency(const struct perf_run *p, double seconds)
{
	const struct hist *h = &p->rr;

	printf(p->o->json
			? "{\"requests\": %lu, \"per_second\": %.0f, \"min_us\": %.2f, \"avg_us\": "
			  "%.2f, \"p50_us\": %.2f, \"p99_us\": %.2f, \"p999_us\": %.2f, "
			  "\"max_us\": "
			  "%.2f}\n"
			: "%lu requests, %.0f/s, latency min %.2f avg %.2f p50 %.2f p99 %.2f p99.9 "
			  "%.2f max %.2f us\n",
		(unsigned long)h->n, (double)h->n / seconds, (double)h->min_ns / 1e3,
		(double)h->sum_ns / (double)h->n / 1e3, hist_quantile(h, 0.5) / 1e3,
		hist_quantile(h, 0.99) / 1e3, hist_quantile(h, 0.999) / 1e3,
		(double)h->max_ns / 1e3);
}

static void
print_connections(const struct perf_run *p, double seconds)
{
	uint64_t n = p->idle + p->ended;

	printf(p->o->json
			? "{\"connections\": %lu, \"per_second\": %.0f, \"open\": %u, \"ports\": "
			  "%u, \"bytes_of_program\": %zu}\n"
			: "%lu connections, %.0f/s, %u still open, %u server ports; tl-perf itself "
			  "keeps %zu bytes of each\n",
		(unsigned long)n, seconds > 0 ? (double)n / seconds : 0, p->idle, p->o->ports,
		sizeof(struct conn) + MALLOC_HEAD);
}

void
perf_run_summary(struct perf_run *p, const char *end)
{
	struct totals t = totals_of(p);

	printf(p->o->json ? "{\"end\": \"%s\", \"total\": true, \"seconds\": %.6f, \"bytes\": %lu, "
			    "\"gbit_s\": %.3f, \"packets\": %lu, \"cycles_per_packet\": %.0f, "
			    "\"busy\": %.3f, "
			    "\"retransmits\": %lu, \"failed\": %u}\n"
			  : "%s: %.3f s, %lu bytes, %.3f Gbit/s, %lu packets, %.0f cycles/packet, "
			    "busy %.3f, %lu retransmits, %u failed\n",
		end, t.seconds, (unsigned long)t.bytes, t.gbit_s, (unsigned long)t.packets,
		t.cycles_per_packet, t.busy, (unsigned long)t.rexmt, p->failed);
	if (p->rr.n > 0)
		print_latency(p, t.seconds);
	if (p->o->kind == PERF_CRR || p->o->kind == PERF_OPEN)
		print_connections(p, t.seconds);
	fflush(stdout);
}

int
perf_run_open(struct perf_run *p, struct tl_stack *s, const struct perf_opts *o)
{
	*p = (struct perf_run){.o = o, .stack = s};
	TAILQ_INIT(&p->conns);
	p->buf = malloc(BUF_BYTES);
	p->chunk = calloc(1, BUF_BYTES);
	for (uint64_t i = 0; i < o->total; i++) {
		struct conn *c = malloc(sizeof(*c));

		if (c == NULL)
			return -ENOMEM;
		conn_put(p, c);
	}
	return p->buf == NULL || p->chunk == NULL ? -ENOMEM : 0;
}

uint32_t
perf_run_close(struct perf_run *p)
{
	uint32_t failed = p->failed;

	while (!TAILQ_EMPTY(&p->conns))
		conn_free(p, TAILQ_FIRST(&p->conns));
	while (p->spare != NULL)
		free(conn_alloc(p));
	free(p->buf);
	free(p->chunk);
	return failed;
}

static int
drive(struct tl_stack *s, const struct perf_opts *o, tl_turn_fn *fn, const char *end)
{
	struct perf_run p;
	bool is_over;
	int rc;

	if (tl_nb_workers(s) != 1) {
		fprintf(stderr, "tl-perf: drives one worker; set stack.workers=1\n");
		return EXIT_CONFIG;
	}
	if (perf_run_open(&p, s, o) != 0)
		return 1;
	stop_on_signals(s);
	rc = tl_run(s, fn, &p);
	stop_on_signals(NULL);
	if (rc == 0)
		perf_run_summary(&p, end);
	is_over = fn != perf_client_turn || p.is_over;
	return perf_run_close(&p) != 0 || rc != 0 || !is_over ? 1 : 0;
}

int
perf_server(struct tl_stack *s, const struct perf_opts *o)
{
	return drive(s, o, perf_server_turn, "server");
}

int
perf_client(struct tl_stack *s, const struct perf_opts *o)
{
	return drive(s, o, perf_client_turn, "client");
}
