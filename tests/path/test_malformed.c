/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Every truncation and every flipped bit of every frame of a connection, before the frame itself:
 * nothing crashes, nothing leaks, each packet ends once, and the connection completes. Frames lie
 * in buffers of exactly their size.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/util/vnet_lab.h"

enum { WAITING = 128 };

/* Frames that were taken off the wire, in order, for their mutations. */
struct waiting {
	struct lab *l;
	bool deaf; /* answers to mutations go nowhere */
	uint32_t first, n;
	uint64_t mutants, accepted;
	struct {
		uint32_t to;
		size_t len;
		uint8_t bytes[CRAFT_MAX];
	} frame[WAITING];
};

static struct waiting wait_here;

static bool
take_off(struct vnet *v, struct vnet_node *from, uint8_t *frame, size_t len, void *arg)
{
	struct waiting *w = arg;
	uint32_t at = w->n % WAITING;

	(void)v;
	if (w->deaf)
		return false;
	VNET_CHECK(w->n - w->first < WAITING, "too many frames");
	w->frame[at].to = from == w->l->n[0];
	w->frame[at].len = len;
	memcpy(w->frame[at].bytes, frame, len);
	w->n++;
	return false;
}

static uint64_t
all_drops(const struct vnet_node *n)
{
	uint64_t sum = 0;

	for (unsigned int i = 1; i < DROP_MAX; i++)
		sum += n->s->lc[0]->stat.drop[i];
	return sum;
}

static uint64_t
in_use(struct vnet_node *n)
{
	return rte_mempool_in_use_count(n->s->lc[0]->pkt_pool);
}

static void
deliver(struct waiting *w, uint32_t to, const uint8_t *bytes, size_t len)
{
	struct vnet_node *n = w->l->n[to];
	struct lcore *lc = n->s->lc[0];
	uint64_t drops = all_drops(n), tx = lc->stat.st[ST_TX_PKTS], held = in_use(n);

	vnet_inject_frame(w->l->v, n, bytes, len, 0, 1);
	w->l->v->turns = 0;
	vnet_run(w->l->v, NULL, NULL, 0);
	w->mutants++;
	drops = all_drops(n) - drops;
	if (lc->stat.st[ST_TX_PKTS] == tx && in_use(n) == held)
		VNET_CHECK(drops == 1, "%lu drops for one packet of %lu bytes",
			(unsigned long)drops, (unsigned long)len);
	else
		w->accepted++;
}

static void
mutate(struct waiting *w, uint32_t to, const uint8_t *bytes, size_t len)
{
	uint8_t copy[CRAFT_MAX];

	w->deaf = true;
	for (size_t n = 1; n < len; n++)
		deliver(w, to, bytes, n);
	memcpy(copy, bytes, len);
	for (size_t bit = 0; bit < len * 8; bit++) {
		copy[bit / 8] ^= (uint8_t)(1u << bit % 8);
		deliver(w, to, copy, len);
		copy[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
	w->deaf = false;
}

static void
mutate_next(struct waiting *w)
{
	uint32_t at = w->first++ % WAITING;

	mutate(w, w->frame[at].to, w->frame[at].bytes, w->frame[at].len);
	vnet_inject_frame(
		w->l->v, w->l->n[w->frame[at].to], w->frame[at].bytes, w->frame[at].len, 0, 1);
	lab_pass(w->l, VNET_MS);
}

static struct waiting *
watch_wire(struct lab *l)
{
	struct waiting *w = &wait_here;

	memset(w, 0, sizeof(*w));
	w->l = l;
	l->v->tap = take_off;
	l->v->tap_arg = w;
	return w;
}

static void
whole_connection(const struct lab_opts *o)
{
	struct lab *l = lab_new(o);
	struct waiting *w = watch_wire(l);

	lab_begin(l, 300, 300);
	l->c->end[0].hold = l->c->end[1].hold = false;
	for (uint32_t i = 0; i < 2000 && !app_all_over(&l->app); i++) {
		if (w->first < w->n)
			mutate_next(w);
		else
			lab_pass(l, 10 * VNET_MS);
	}
	ck_assert(app_all_over(&l->app));
	ck_assert_int_eq(l->c->end[0].state, APP_DONE);
	ck_assert_int_eq(l->c->end[1].state, APP_DONE);
	printf("# %lu mutants of %u frames, %lu answered or kept\n", (unsigned long)w->mutants,
		w->first, (unsigned long)w->accepted);
	w->deaf = true;
	lab_free(l);
}

START_TEST(mutants_of_a_clear_connection_change_nothing)
{
	struct lab_opts o = {.clear = true, .ethernet = true};

	whole_connection(&o);
}
END_TEST

START_TEST(mutants_of_a_latched_connection_change_nothing)
{
	struct lab_opts o = {.ethernet = true};

	whole_connection(&o);
}
END_TEST

START_TEST(mutants_of_a_tunnel_without_ethernet_change_nothing)
{
	struct lab_opts o = {.tunnel = true};

	whole_connection(&o);
}
END_TEST

/* ---- ICMP echo, whole and in fragments, in clear ---- */

static size_t
echo_frame(struct lab *l, uint8_t *out, uint16_t id)
{
	uint8_t icmp[CRAFT_MAX];

	return craft_ip4(
		out, l->n[1]->ip, l->n[0]->ip, CRAFT_ICMP, icmp, craft_icmp_echo(icmp, id, 64));
}

/* Half of a datagram: its identification and place. */
static size_t
fragment(uint8_t *out, const uint8_t *ip, size_t len, uint16_t id, bool last)
{
	size_t body = last ? len - 20 - 40 : 40;
	uint32_t sum = 0;

	memcpy(out, ip, 20);
	memcpy(out + 20, ip + (last ? 60 : 20), body);
	out[2] = 0;
	out[3] = (uint8_t)(20 + body);
	out[4] = (uint8_t)(id >> 8);
	out[5] = (uint8_t)id;
	out[6] = last ? 0 : 0x20;
	out[7] = last ? 5 : 0;
	out[10] = out[11] = 0;
	for (int i = 0; i < 20; i += 2)
		sum += (uint32_t)out[i] << 8 | out[i + 1];
	sum = (sum & 0xffff) + (sum >> 16);
	sum = ~((sum & 0xffff) + (sum >> 16));
	out[10] = (uint8_t)(sum >> 8);
	out[11] = (uint8_t)sum;
	return 20 + body;
}

START_TEST(mutants_of_an_echo_change_nothing)
{
	struct lab_opts o = {.clear = true};
	struct lab *l = lab_new(&o);
	struct waiting *w = watch_wire(l);
	uint8_t ip[CRAFT_MAX];
	size_t len = echo_frame(l, ip, 7);

	mutate(w, 0, ip, len);
	lab_pass(l, 60 * VNET_S);
	ck_assert_uint_eq(w->n, 0);
	vnet_inject(l->v, l->n[0], l->n[1], ip, len, 0, 1);
	lab_pass(l, VNET_MS);
	ck_assert_uint_eq(w->n, 1);
	lab_free(l);
}
END_TEST

START_TEST(mutants_of_fragments_change_nothing)
{
	struct lab_opts o = {.clear = true};
	struct lab *l = lab_new(&o);
	struct waiting *w = watch_wire(l);
	uint8_t ip[CRAFT_MAX], half[CRAFT_MAX];
	size_t len = echo_frame(l, ip, 7);

	for (uint32_t i = 0; i < 2; i++) {
		mutate(w, 0, half, fragment(half, ip, len, 77, i == 0));
		mutate(w, 0, half, fragment(half, ip, len, 78, i == 1));
	}
	lab_pass(l, 200 * VNET_S);
	w->first = w->n;
	for (uint32_t i = 0; i < 2; i++) {
		size_t n = fragment(half, ip, len, 79, i == 0);

		vnet_inject(l->v, l->n[0], l->n[1], half, n, 0, 1);
	}
	lab_pass(l, VNET_MS);
	ck_assert_uint_eq(w->n - w->first, 1); /* answered */
	lab_free(l);
}
END_TEST

/* ---- inside a good ESP packet ---- */

/* A second inbound SA of the true peer, whose key the test has. */
static void
add_inner_sa(struct lab *l, struct craft_sa *sa)
{
	*sa = (struct craft_sa){.esn = true, .tunnel = l->o.tunnel, .key_len = 20};
	lab_sa_draw(l->v, sa, LAB_SPI + 200, l->n[1]->ip, l->n[0]->ip);
	lab_sa_add(l->n[0], "inner", sa, true, "peer", "");
}

static void
send_plain(struct waiting *w, struct craft_sa *sa, uint8_t nxt, const uint8_t *body, size_t len,
	const struct craft_trailer *t)
{
	uint8_t esp[CRAFT_MAX], ip[CRAFT_MAX];
	size_t n = craft_esp(sa, esp, nxt, body, len, t);

	deliver(w, 0, ip, craft_ip4(ip, sa->src, sa->dst, CRAFT_ESP, esp, n));
}

/* The next segment of the client with false data, so that accepting it would be noticed. */
static size_t
poisoned(struct lab *l, uint8_t *out)
{
	static const uint8_t poison[24] = {0xee};
	struct craft_seg s = lab_seg(l, 1, CRAFT_ACK | CRAFT_PSH);
	uint8_t tcp[CRAFT_MAX];

	s.data = poison;
	s.len = sizeof(poison);
	if (!l->o.tunnel)
		return craft_tcp(out, &s);
	return craft_ip4(out, s.src, s.dst, CRAFT_TCP, tcp, craft_tcp(tcp, &s));
}

static void
inner_mutants(struct waiting *w, struct craft_sa *sa)
{
	uint8_t plain[CRAFT_MAX], nxt = w->l->o.tunnel ? CRAFT_IPIP : CRAFT_TCP;
	size_t len = poisoned(w->l, plain);

	for (size_t n = 0; n < len; n++)
		send_plain(w, sa, nxt, plain, n, NULL);
	for (size_t bit = 0; bit < len * 8; bit++) {
		plain[bit / 8] ^= (uint8_t)(1u << bit % 8);
		send_plain(w, sa, nxt, plain, len, NULL);
		plain[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
	for (uint32_t p = 0; p < 256; p++) {
		if (p != nxt)
			send_plain(w, sa, (uint8_t)p, plain, len, NULL);
	}
}

static void
trailer_mutants(struct waiting *w, struct craft_sa *sa)
{
	uint8_t plain[CRAFT_MAX], nxt = w->l->o.tunnel ? CRAFT_IPIP : CRAFT_TCP;
	size_t len = poisoned(w->l, plain);
	uint8_t real = (uint8_t)(4 + (-(len + 2) & 3u));
	struct lcore *lc = w->l->n[0]->s->lc[0];
	uint64_t bad = lc->stat.drop[DROP_ESP_PAD], n = 0;

	/* RFC 4303 s2.7: in a tunnel, bytes behind the inner packet are good (TFC padding). */
	for (uint32_t pad = w->l->o.tunnel; pad < 256; pad++) {
		struct craft_trailer t = {true, (uint8_t)pad, 1, real};

		if (pad == real)
			continue;
		n += pad > 0; /* no padding at all: the segment is longer, and its checksum wrong */
		send_plain(w, sa, nxt, plain, len, &t);
	}
	for (uint32_t first = 0; first < 256; first++) {
		struct craft_trailer t = {true, real, (uint8_t)first, real};

		if (first == 1)
			continue;
		n++;
		send_plain(w, sa, nxt, plain, len, &t);
	}
	ck_assert_uint_eq(lc->stat.drop[DROP_ESP_PAD] - bad, n);
}

/* Inner addresses and ports that the SA does not cover (tunnel). */
static void
selector_mutants(struct waiting *w, struct craft_sa *sa)
{
	struct lcore *lc = w->l->n[0]->s->lc[0];
	uint64_t before = lc->stat.drop[DROP_ESP_SELECTOR];
	struct craft_seg s = lab_seg(w->l, 1, CRAFT_RST);
	uint8_t tcp[CRAFT_MAX], ip[CRAFT_MAX];

	if (!w->l->o.tunnel)
		return;
	for (uint32_t bit = 0; bit < 64; bit++) {
		struct craft_seg t = s;

		*(bit < 32 ? &t.src : &t.dst) ^= 1u << bit % 32;
		send_plain(w, sa, CRAFT_IPIP, ip,
			craft_ip4(ip, t.src, t.dst, CRAFT_TCP, tcp, craft_tcp(tcp, &t)), NULL);
	}
	ck_assert_uint_eq(lc->stat.drop[DROP_ESP_SELECTOR] - before, 64);
}

static void
inside_esp(const struct lab_opts *o)
{
	struct lab *l = lab_new(o);
	struct craft_sa sa;
	struct waiting *w = &wait_here;

	add_inner_sa(l, &sa);
	lab_open(l, 5000, 5000);
	memset(w, 0, sizeof(*w));
	w->l = l;
	inner_mutants(w, &sa);
	trailer_mutants(w, &sa);
	selector_mutants(w, &sa);
	lab_pass(l, 100 * VNET_S);
	ck_assert_str_eq(lab_state(l, 0), "ESTABLISHED");
	printf("# %lu mutants inside ESP, %lu answered or kept\n", (unsigned long)w->mutants,
		(unsigned long)w->accepted);
	lab_complete(l);
	lab_free(l);
}

START_TEST(mutants_inside_transport_mode_change_nothing)
{
	struct lab_opts o = {0};

	inside_esp(&o);
}
END_TEST

START_TEST(mutants_inside_tunnel_mode_change_nothing)
{
	struct lab_opts o = {.tunnel = true};

	inside_esp(&o);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("malformed");
	TCase *c = tcase_create("mutants");

	tcase_set_timeout(c, 0);
	tcase_add_test(c, mutants_of_a_clear_connection_change_nothing);
	tcase_add_test(c, mutants_of_a_latched_connection_change_nothing);
	tcase_add_test(c, mutants_of_a_tunnel_without_ethernet_change_nothing);
	tcase_add_test(c, mutants_of_an_echo_change_nothing);
	tcase_add_test(c, mutants_of_fragments_change_nothing);
	tcase_add_test(c, mutants_inside_transport_mode_change_nothing);
	tcase_add_test(c, mutants_inside_tunnel_mode_change_nothing);
	suite_add_tcase(s, c);
	return env_main(s);
}
