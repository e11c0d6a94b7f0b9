/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/util/vnet.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "stack/ctl/show.h"
#include "stack/run/run.h"
#include "tests/util/lc_env.h"

/* More turns than this at one instant mean that a stack does not settle. */
enum { TURNS_AT_ONCE = 20000, FRAME_CAP = 9216 + 64 };

uint64_t
vnet_rnd(struct vnet *v)
{
	uint64_t z = v->rng += UINT64_C(0x9e3779b97f4a7c15); /* splitmix64 */

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

uint32_t
vnet_below(struct vnet *v, uint32_t bound)
{
	return (uint32_t)((vnet_rnd(v) >> 32) * bound >> 32);
}

bool
vnet_chance(struct vnet *v, uint32_t of_scale)
{
	return of_scale != 0 && vnet_below(v, VNET_SCALE) < of_scale;
}

size_t
vnet_l3(const struct vnet *v)
{
	return v->bare_ip ? 0 : VNET_ETHER;
}

/* ---- events ---- */

static bool
before(const struct vnet_frame *a, const struct vnet_frame *b)
{
	return a->at_ns != b->at_ns ? a->at_ns < b->at_ns : a->order < b->order;
}

static void
swap(struct vnet *v, size_t i, size_t j)
{
	struct vnet_frame *f = v->heap[i];

	v->heap[i] = v->heap[j];
	v->heap[j] = f;
}

static void
heap_put(struct vnet *v, struct vnet_frame *f)
{
	size_t i = v->heap_n++;

	if (v->heap_n > v->heap_cap) {
		v->heap_cap = v->heap_cap == 0 ? 256 : 2 * v->heap_cap;
		v->heap = realloc(v->heap, v->heap_cap * sizeof(*v->heap));
		ck_assert_ptr_nonnull(v->heap);
	}
	f->order = v->order++;
	v->heap[i] = f;
	for (; i > 0 && before(v->heap[i], v->heap[(i - 1) / 2]); i = (i - 1) / 2)
		swap(v, i, (i - 1) / 2);
}

static struct vnet_frame *
heap_get(struct vnet *v)
{
	struct vnet_frame *f = v->heap[0];
	size_t i = 0;

	v->heap[0] = v->heap[--v->heap_n];
	for (;;) {
		size_t c = 2 * i + 1;

		if (c >= v->heap_n)
			return f;
		if (c + 1 < v->heap_n && before(v->heap[c + 1], v->heap[c]))
			c++;
		if (!before(v->heap[c], v->heap[i]))
			return f;
		swap(v, i, c);
		i = c;
	}
}

static struct vnet_frame *
event_new(struct vnet *v, size_t len, uint64_t after_ns)
{
	struct vnet_frame *f = calloc(1, sizeof(*f) + len);

	VNET_CHECK(f != NULL, "out of memory");
	f->at_ns = v->now_ns + after_ns;
	f->len = (uint16_t)len;
	return f;
}

void
vnet_alarm(struct vnet *v, uint64_t after_ns, vnet_alarm_fn *fn, void *arg)
{
	struct vnet_frame *f = event_new(v, 0, after_ns);

	f->alarm = fn;
	f->arg = arg;
	heap_put(v, f);
}

void
vnet_inject_frame(struct vnet *v, struct vnet_node *to, const void *frame, size_t len,
	uint64_t delay_ns, uint32_t mark)
{
	struct vnet_frame *f = event_new(v, len, delay_ns);

	memcpy(f->data, frame, len);
	f->to = to;
	f->mark = mark;
	v->count.injected += mark != 0;
	heap_put(v, f);
}

void
vnet_inject(struct vnet *v, struct vnet_node *to, const struct vnet_node *as, const void *ip,
	size_t len, uint64_t delay_ns, uint32_t mark)
{
	uint8_t frame[FRAME_CAP];
	size_t at = vnet_l3(v);

	if (at != 0) {
		memcpy(frame, to->mac, 6);
		memcpy(frame + 6, as->mac, 6);
		memcpy(frame + 12, "\x08\x00", 2);
	}
	memcpy(frame + at, ip, len);
	vnet_inject_frame(v, to, frame, at + len, delay_ns, mark);
}

/* ---- the switch ---- */

/* Ethernet has its own check, and ARP has none: so IP only. */
static void
corrupt(struct vnet *v, const struct vnet_link *l, uint8_t *frame, size_t len)
{
	size_t at = vnet_l3(v);
	uint32_t bits = 1 + vnet_below(v, l->corrupt_bits);

	if (len <= at || (at != 0 && frame[12] == 8 && frame[13] != 0))
		return;
	while (bits-- > 0) {
		uint32_t bit = vnet_below(v, (uint32_t)(len - at) * 8);

		frame[at + bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
	v->count.corrupted++;
}

/* What a router does to an ECN-capable packet instead of dropping it (RFC 3168 s5). */
static void
mark(struct vnet *v, uint8_t *frame, size_t len)
{
	uint8_t *ip = frame + vnet_l3(v);
	uint32_t shift, ecn, sum;

	if (len < vnet_l3(v) + 20 || (ip != frame && frame[12] == 8 && frame[13] != 0))
		return;
	shift = ip[0] >> 4 == 6 ? 4u : 0;
	ecn = (uint32_t)ip[1] >> shift & 3;
	if (ecn == 0 || ecn == 3)
		return;
	ip[1] |= (uint8_t)(3u << shift);
	v->count.marked++;
	if (shift != 0)
		return;
	/* RFC 1624 s3: the checksum falls by what the word rises. */
	sum = (uint32_t)(ip[10] << 8 | ip[11]) + 0xffff - (3 - ecn);
	sum = (sum & 0xffff) + (sum >> 16);
	ip[10] = (uint8_t)(sum >> 8);
	ip[11] = (uint8_t)sum;
}

static void
carry(struct vnet *v, struct vnet_node *from, struct vnet_node *to, const uint8_t *frame,
	size_t len)
{
	const struct vnet_link *l = &from->out;
	uint32_t copies = 1 + vnet_chance(v, l->dup);

	if (vnet_chance(v, l->loss)) {
		v->count.lost++;
		return;
	}
	v->count.dup += copies - 1;
	while (copies-- > 0) {
		struct vnet_frame *f = event_new(v, len, l->delay_ns);

		memcpy(f->data, frame, len);
		f->to = to;
		if (vnet_chance(v, l->reorder)) {
			f->at_ns += vnet_rnd(v) % (l->late_ns + 1);
			v->count.reordered++;
		}
		if (vnet_chance(v, l->ce))
			mark(v, f->data, len);
		if (vnet_chance(v, l->corrupt))
			corrupt(v, l, f->data, len);
		heap_put(v, f);
	}
}

static bool
is_for(const struct vnet_node *n, const uint8_t *frame, size_t len)
{
	const uint8_t ip[4] = {(uint8_t)(n->ip >> 24), (uint8_t)(n->ip >> 16),
		(uint8_t)(n->ip >> 8), (uint8_t)n->ip};

	if (n->v->bare_ip)
		return len >= 20 && memcmp(frame + 16, ip, 4) == 0;
	return (frame[0] & 1) != 0 || memcmp(frame, n->mac, 6) == 0;
}

static bool
wire_tx(void *ctx, unsigned int worker, const void *frame, size_t len)
{
	struct vnet_node *from = ctx;
	struct vnet *v = from->v;
	uint8_t copy[FRAME_CAP];

	(void)worker;
	VNET_CHECK(len <= sizeof(copy), "frame of %zu bytes", len);
	memcpy(copy, frame, len);
	v->count.sent++;
	if (v->tap != NULL && !v->tap(v, from, copy, len, v->tap_arg))
		return true;
	for (unsigned int i = 0; i < v->nb_nodes; i++) {
		if (&v->node[i] != from && is_for(&v->node[i], copy, len))
			carry(v, from, &v->node[i], copy, len);
	}
	return true;
}

static size_t
wire_rx(void *ctx, unsigned int worker, void *buf, size_t cap)
{
	struct vnet_node *n = ctx;
	struct vnet_queue *q = &n->w[worker];
	struct vnet_frame *f = q->head;
	size_t len;

	if (f == NULL)
		return 0;
	q->head = f->next;
	if (q->head == NULL)
		q->tail = &q->head;
	len = f->len;
	VNET_CHECK(len <= cap, "no room for %zu bytes", len);
	memcpy(buf, f->data, len);
	free(f);
	return len;
}

static void
deliver(struct vnet *v, struct vnet_frame *f)
{
	struct vnet_node *n = f->to;
	unsigned int w = n->steer == NULL ? 0 : n->steer(n, f->data, f->len);
	struct vnet_queue *q = &n->w[w];

	if (v->arrived != NULL)
		v->arrived(v, f, v->arrived_arg);
	f->next = NULL;
	*q->tail = f;
	q->tail = &f->next;
	q->due = true;
}

/* ---- time ---- */

void
vnet_touch(struct vnet_node *n)
{
	for (unsigned int w = 0; w < n->nb_workers; w++)
		n->w[w].due = true;
}

static void
turn(struct vnet_node *n, unsigned int w)
{
	struct vnet_queue *q = &n->w[w];

	q->due = false;
	q->timer_ns = tl_turn(tl_worker(n->s, w), n->v->now_ns);
	VNET_CHECK(++n->v->turns < TURNS_AT_ONCE, "seed %lu: no progress at %lu ns",
		(unsigned long)n->v->seed, (unsigned long)n->v->now_ns);
	if (q->head != NULL)
		q->due = true;
	for (unsigned int o = 0; n->nb_workers > 1 && o < n->nb_workers; o++) {
		if (rte_ring_count(n->s->lc[o]->msg->handoff) > 0)
			n->w[o].due = true;
	}
}

static bool
turn_one(struct vnet *v)
{
	for (unsigned int i = 0; i < v->nb_nodes; i++) {
		for (unsigned int w = 0; w < v->node[i].nb_workers; w++) {
			if (v->node[i].w[w].due && v->node[i].s != NULL) {
				turn(&v->node[i], w);
				return true;
			}
		}
	}
	return false;
}

static uint64_t
next_ns(const struct vnet *v)
{
	uint64_t t = v->heap_n > 0 ? v->heap[0]->at_ns : UINT64_MAX;

	for (unsigned int i = 0; i < v->nb_nodes; i++) {
		for (unsigned int w = 0; w < v->node[i].nb_workers; w++) {
			if (v->node[i].s != NULL && v->node[i].w[w].timer_ns < t)
				t = v->node[i].w[w].timer_ns;
		}
	}
	return t;
}

static void
advance(struct vnet *v, uint64_t t)
{
	if (t > v->now_ns) {
		v->now_ns = t;
		v->turns = 0;
	}
	for (unsigned int i = 0; i < v->nb_nodes; i++) {
		for (unsigned int w = 0; w < v->node[i].nb_workers; w++)
			v->node[i].w[w].due |= v->node[i].w[w].timer_ns <= v->now_ns;
	}
	while (v->heap_n > 0 && v->heap[0]->at_ns <= v->now_ns) {
		struct vnet_frame *f = heap_get(v);

		if (f->to != NULL) {
			deliver(v, f);
			continue;
		}
		f->alarm(v, f->arg);
		free(f);
	}
}

bool
vnet_step(struct vnet *v)
{
	uint64_t t;

	if (turn_one(v))
		return true;
	t = next_ns(v);
	if (t == UINT64_MAX)
		return false;
	advance(v, t);
	return true;
}

bool
vnet_run(struct vnet *v, bool (*done)(void *arg), void *arg, uint64_t span_ns)
{
	uint64_t end = v->now_ns + span_ns;

	for (;;) {
		if (done != NULL && done(arg))
			return true;
		if (turn_one(v))
			continue;
		if (next_ns(v) > end)
			break;
		advance(v, next_ns(v));
	}
	v->now_ns = end;
	return false;
}

/* ---- life ---- */

struct vnet *
vnet_new(uint64_t seed, bool bare_ip)
{
	struct vnet *v = calloc(1, sizeof(*v));

	env_eal_init();
	ck_assert_ptr_nonnull(v);
	v->seed = v->rng = seed;
	v->bare_ip = bare_ip;
	v->now_ns = VNET_S;
	return v;
}

void
vnet_set(struct vnet_node *n, const char *key, const char *fmt, ...)
{
	struct tl_error e = {""};
	char value[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(value, sizeof(value), fmt, ap);
	va_end(ap);
	ck_assert_msg(tl_conf_set(n->conf, key, value, &e) == 0, "%s", e.text);
}

static void
defaults(struct vnet_node *n)
{
	vnet_set(n, "stack.manual-keys", "i-accept-the-risk");
	vnet_set(n, "stack.mbufs", "512");
	vnet_set(n, "stack.buffer-chunks", "256");
	vnet_set(n, "stack.sockets", "16");
	vnet_set(n, "stack.seed", "%lu", (unsigned long)vnet_rnd(n->v));
	vnet_set(n, "stack.iv-start", "%lu", (unsigned long)(vnet_rnd(n->v) >> 1 | 1));
	vnet_set(n, "tcp.max-connections", "16");
	vnet_set(n, "tcp.max-ranges", "256");
	vnet_set(n, "tcp.msl-ms", "500");
	vnet_set(n, "port p.device", "memory");
	vnet_set(n, "port p.exact", "yes");
	vnet_set(n, "port p.link", n->v->bare_ip ? "ip" : "ethernet");
	vnet_set(n, "port p.mac", "02:00:%02x:%02x:%02x:%02x", n->mac[2], n->mac[3], n->mac[4],
		n->mac[5]);
	vnet_set(n, "port p.address", n->v->ip6 ? "%u.%u.%u.%u/24, fd00::%x/64" : "%u.%u.%u.%u/24",
		n->ip >> 24, n->ip >> 16 & 255, n->ip >> 8 & 255, n->ip & 255, n->ip & 255);
	if (n->v->ip6)
		vnet_set(n, "port p.dad", "no");
}

struct vnet_node *
vnet_add(struct vnet *v, uint32_t ip)
{
	static const struct tl_mport_ops ops = {.rx = wire_rx, .tx = wire_tx};
	struct vnet_node *n = &v->node[v->nb_nodes++];

	n->v = v;
	n->ip = ip;
	n->nb_workers = 1;
	n->out.delay_ns = VNET_MS;
	n->out.corrupt_bits = 1;
	n->mac[0] = 2;
	for (int i = 0; i < 4; i++)
		n->mac[2 + i] = (uint8_t)(ip >> (24 - 8 * i));
	for (unsigned int w = 0; w < VNET_WORKERS; w++) {
		n->w[w].tail = &n->w[w].head;
		n->w[w].timer_ns = UINT64_MAX;
	}
	n->conf = tl_conf_new();
	ck_assert_ptr_nonnull(n->conf);
	ck_assert_int_eq(tl_conf_mport(n->conf, "p", &ops, n), 0);
	defaults(n);
	return n;
}

void
vnet_draw_tcp(struct vnet_node *n)
{
	static const char *const cc[] = {"cubic", "cubic", "newreno", "dctcp", "bbr"};
	static const char *const ecn[] = {"no", "ask", "accept"};
	static const uint32_t ranges[] = {0, 5, 256}, pressure[] = {75, 75, 10, 101};
	static const char *const probing[] = {"no", "blackhole", "always", "always"};
	struct vnet *v = n->v;

	vnet_set(n, "tcp.congestion-control", "%s", cc[vnet_below(v, 5)]);
	vnet_set(n, "tcp.ecn", "%s", ecn[vnet_below(v, 3)]);
	vnet_set(n, "tcp.sack", "%s", vnet_below(v, 4) == 0 ? "no" : "yes");
	vnet_set(n, "tcp.dsack", "%s", vnet_below(v, 4) == 0 ? "no" : "yes");
	vnet_set(n, "tcp.tlp", "%s", vnet_below(v, 4) == 0 ? "no" : "yes");
	vnet_set(n, "tcp.frto", "%s", vnet_below(v, 4) == 0 ? "no" : "yes");
	vnet_set(n, "tcp.hystart", "%s", vnet_below(v, 2) == 0 ? "no" : "yes");
	vnet_set(n, "tcp.max-ranges", "%u", ranges[vnet_below(v, 3)]);
	n->out.ce = vnet_below(v, 2) == 0 ? 0 : vnet_below(v, VNET_SCALE / 10);
	vnet_set(n, "tcp.timestamps", "%s", vnet_below(v, 6) == 0 ? "no" : "yes");
	vnet_set(n, "tcp.window-scaling", "%s", vnet_below(v, 6) == 0 ? "no" : "yes");
	vnet_set(n, "tcp.mtu-probing", "%s", probing[vnet_below(v, 4)]);
	vnet_set(n, "tcp.mtu-base-mss", "%u", 200 + vnet_below(v, 900));
	vnet_set(n, "tcp.rcvbuf-max", "%u", 4096u << vnet_below(v, 9));
	vnet_set(n, "tcp.sndbuf-max", "%u", 4096u << vnet_below(v, 9));
	vnet_set(n, "tcp.memory-pressure", "%u", pressure[vnet_below(v, 4)]);
	vnet_set(n, "tcp.synack-retries", "15");
	vnet_set(n, "tcp.fastopen", "%s", vnet_below(v, 4) == 0 ? "client" : "both");
}

void
vnet_start(struct vnet_node *n)
{
	struct tl_error e = {""};

	ck_assert_msg(tl_create(n->conf, &n->s, &e) == 0, "seed %lu: %s", (unsigned long)n->v->seed,
		e.text);
	n->nb_workers = tl_nb_workers(n->s);
	ck_assert_uint_le(n->nb_workers, VNET_WORKERS);
	vnet_touch(n);
}

static void
queue_free(struct vnet_queue *q)
{
	while (q->head != NULL) {
		struct vnet_frame *f = q->head;

		q->head = f->next;
		free(f);
	}
}

void
vnet_free(struct vnet *v)
{
	while (v->heap_n > 0)
		free(heap_get(v));
	for (unsigned int i = 0; i < v->nb_nodes; i++) {
		for (unsigned int w = 0; w < VNET_WORKERS; w++)
			queue_free(&v->node[i].w[w]);
		tl_destroy(v->node[i].s);
		tl_conf_free(v->node[i].conf);
	}
	free(v->heap);
	free(v);
}

void
vnet_dump(struct vnet *v)
{
	fprintf(stderr, "# seed %lu at %.6f s\n", (unsigned long)v->seed, (double)v->now_ns / 1e9);
	for (unsigned int i = 0; i < v->nb_nodes; i++) {
		if (v->node[i].s == NULL)
			continue;
		ctl_show(v->node[i].s, "sockets", false, stderr);
		ctl_show(v->node[i].s, "latches", false, stderr);
		ctl_show(v->node[i].s, "sad", false, stderr);
		ctl_show(v->node[i].s, "stats", false, stderr);
	}
}

void
vnet_check_empty(struct vnet_node *n)
{
	struct ctl_usage u;

	ctl_usage(n->s, &u);
	if (u.mbufs + u.chunks + u.pcbs + u.latches != 0)
		vnet_dump(n->v);
	ck_assert_msg(u.mbufs + u.chunks + u.pcbs + u.latches == 0,
		"seed %lu: left over: %lu mbufs, %lu chunks, %lu control blocks, %lu latches",
		(unsigned long)n->v->seed, (unsigned long)u.mbufs, (unsigned long)u.chunks,
		(unsigned long)u.pcbs, (unsigned long)u.latches);
	ck_assert_uint_eq(ctl_stat(n->s, "asserts"), 0);
}
