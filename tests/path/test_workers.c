/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A server with two workers, turn by turn in one thread. Its SAs belong to worker 1; frames come
 * to whichever worker the test says.
 */
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "tcp/tcp_int.h"
#include "tests/util/vnet_lab.h"

static const struct lab_opts two_workers = {.workers = 2, .ethernet = true};

static unsigned int
to_worker_0(struct vnet_node *n, const uint8_t *frame, size_t len)
{
	(void)n;
	(void)frame;
	(void)len;
	return 0;
}

static unsigned int
to_worker_1(struct vnet_node *n, const uint8_t *frame, size_t len)
{
	(void)n;
	(void)frame;
	(void)len;
	return 1;
}

/* As a NIC that hashes something: the same frame, the same worker, but no sense in it. */
static unsigned int
to_any_worker(struct vnet_node *n, const uint8_t *frame, size_t len)
{
	return vnet_below(n->v, 2) ^ (frame[len - 1] & 1);
}

static struct lab *
lab_with(const struct lab_opts *o,
	unsigned int (*steer)(struct vnet_node *n, const uint8_t *frame, size_t len))
{
	struct lab *l = lab_new(o);

	l->n[0]->steer = steer;
	return l;
}

/* A connection that the server opens; worker 0 owns its socket. */
static void
open_from_server(struct lab *l, uint64_t tx, uint64_t rx)
{
	l->c = app_connect(&l->app, l->n[0], l->n[1], 0, tx, rx);
	l->c->end[0].hold = l->c->end[1].hold = true;
	ck_assert(vnet_run(l->v, app_conn_open, l->c, 10 * VNET_S));
	lab_pass(l, 100 * VNET_MS);
}

static uint32_t
pcbs_of(struct lab *l, uint32_t worker)
{
	return tcp_pcbs_in_use(l->n[0]->s->lc[worker]);
}

START_TEST(frames_at_the_wrong_worker_reach_the_owner_of_the_sa)
{
	struct lab *l = lab_with(&two_workers, to_worker_0);

	lab_open(l, 30000, 30000);
	ck_assert_uint_eq(pcbs_of(l, 1), 1); /* it lives where its SA is */
	lab_complete(l);
	ck_assert_uint_gt(lab_stat(l, 0, "handoff-in"), 20);
	ck_assert_uint_eq(lab_stat(l, 0, "handoff-in"), lab_stat(l, 0, "handoff-out"));
	ck_assert_uint_eq(lab_stat(l, 0, "handoff-full"), 0);
	lab_free(l);
}
END_TEST

START_TEST(connection_of_a_worker_without_sa_sends_and_receives_through_the_owner)
{
	struct lab *l = lab_with(&two_workers, to_worker_1);
	uint64_t out;

	open_from_server(l, 30000, 30000);
	ck_assert_uint_eq(pcbs_of(l, 0), 1);
	out = l->n[0]->s->lc[0]->stat.st[ST_HANDOFF_OUT];
	lab_complete(l);
	ck_assert_uint_gt(l->n[0]->s->lc[0]->stat.st[ST_HANDOFF_OUT], out); /* plaintext to 1 */
	ck_assert_uint_gt(l->n[0]->s->lc[1]->stat.st[ST_HANDOFF_OUT], 0);   /* decrypted to 0 */
	ck_assert_uint_eq(l->clear[0], 0);
	lab_free(l);
}
END_TEST

START_TEST(frames_at_any_worker_make_whole_streams_both_ways)
{
	for (uint32_t i = 0; i < 8; i++) {
		struct lab_opts o = {
			.workers = 2, .ethernet = i & 1, .tunnel = i & 2, .window = 1024};
		struct lab *l = lab_with(&o, to_any_worker);

		l->v->rng += i;
		if ((i & 4) != 0)
			open_from_server(l, 40000, 40000);
		else
			lab_open(l, 40000, 40000);
		app_release(l->c);
		lab_pass(l, 2 * VNET_MS);
		lab_rekey(l);
		lab_complete(l);
		ck_assert_uint_gt(lab_stat(l, 0, "handoff-in"), 0);
		lab_free(l);
	}
}
END_TEST

START_TEST(clear_frames_at_the_wrong_worker_find_their_connection)
{
	struct lab_opts o = {.workers = 2, .clear = true, .ethernet = true};
	struct lab *l = lab_with(&o, to_worker_1);

	open_from_server(l, 20000, 20000);
	ck_assert_uint_eq(pcbs_of(l, 0), 1);
	lab_complete(l);
	ck_assert_uint_gt(lab_stat(l, 0, "handoff-in"), 0);
	lab_free(l);
}
END_TEST

START_TEST(rogue_at_the_wrong_worker_breaks_the_connection_at_its_own)
{
	struct lab *l = lab_with(&two_workers, to_worker_1);
	struct craft_seg s;

	open_from_server(l, 1000, 1000);
	s = (struct craft_seg){.src = l->n[1]->ip,
		.dst = l->n[0]->ip,
		.sport = APP_PORT,
		.dport = l->c->lport,
		.flags = CRAFT_RST,
		.seq = l->last[1].seq};
	lab_send_clear(l, 1, &s);
	lab_pass(l, VNET_MS);
	ck_assert_int_eq(l->c->end[0].state, APP_OPEN);
	ck_assert_uint_eq(lab_stat(l, 0, "latch-m0"), 1);
	lab_send(l, 1, &l->bad[0], &s);
	lab_pass(l, VNET_MS);
	ck_assert_int_eq(l->c->end[0].state, APP_FAILED);
	ck_assert_int_eq(l->c->end[0].info.reason, TL_LATCH_PEER_CONFLICT);
	lab_free(l);
}
END_TEST

/* RFC 6528, RFC 6191: the next connection of a 5-tuple may be another worker's, and so may the ACK
 * of a cookie. */
START_TEST(secrets_of_a_connection_are_those_of_all_workers)
{
	struct lab *l = lab_with(&two_workers, to_any_worker);
	const struct lcore *a = l->n[0]->s->lc[0], *b = l->n[0]->s->lc[1];
	struct flow_key k = {.lport = RTE_BE16(1), .proto = IPPROTO_TCP};

	ck_assert_uint_eq(tcp_ts_offset(a, &k), tcp_ts_offset(b, &k));
	ck_assert_uint_eq(a->now_ns, b->now_ns);
	ck_assert_uint_eq(tcp_isn(a, &k), tcp_isn(b, &k));
	ck_assert(!tcp_cookie_is_on(a) && !tcp_cookie_is_on(b));
	atomic_store(a->tcp->conf.cookie_ns, a->now_ns);
	ck_assert(tcp_cookie_is_on(a) && tcp_cookie_is_on(b));
	lab_free(l);
}
END_TEST

START_TEST(icmp_error_finds_the_worker_of_the_flow_that_it_quotes)
{
	struct lab_opts o = {.workers = 2, .clear = true, .ethernet = true};
	struct lab *l = lab_with(&o, to_worker_1);
	uint8_t tcp[CRAFT_MAX], quote[CRAFT_MAX], icmp[CRAFT_MAX], ip[CRAFT_MAX];
	size_t n;

	l->c = app_connect(&l->app, l->n[0], l->n[1], 0, 0, 0);
	l->block[0] = true; /* no answer to the SYN of worker 0 */
	lab_pass(l, 100 * VNET_MS);
	ck_assert_uint_eq(l->last[0].flags, CRAFT_SYN);
	ck_assert_uint_eq(pcbs_of(l, 0), 1);
	n = craft_ip4(quote, l->n[0]->ip, l->n[1]->ip, CRAFT_TCP, tcp, craft_tcp(tcp, &l->last[0]));
	n = craft_icmp_error(icmp, 3, 3, 0, quote, n);
	n = craft_ip4(ip, l->n[1]->ip, l->n[0]->ip, CRAFT_ICMP, icmp, n);
	vnet_inject(l->v, l->n[0], l->n[1], ip, n, 0, 1);
	lab_pass(l, VNET_MS);
	ck_assert_int_eq(l->c->end[0].state, APP_FAILED);
	ck_assert_int_eq(l->c->end[0].err, ECONNREFUSED);
	lab_free(l);
}
END_TEST

/* ---- what waits in a ring while its SA goes away ---- */

static uint32_t
ring_count(struct lab *l, uint32_t worker)
{
	return rte_ring_count(l->n[0]->s->lc[worker]->msg->handoff);
}

/* Data of the client was decrypted by worker 1 and waits for worker 0. */
static struct lab *
waiting_in_ring(void)
{
	struct lab *l = lab_with(&two_workers, to_worker_1);

	open_from_server(l, 0, 500);
	app_release(l->c);
	for (uint32_t i = 0; i < 100000 && ring_count(l, 0) == 0; i++)
		vnet_step(l->v);
	ck_assert_uint_gt(ring_count(l, 0), 0);
	return l;
}

static void
new_sas(struct lab *l)
{
	struct craft_sa old = l->good[1];

	lab_sa_draw(l->v, &l->good[1], LAB_SPI + 70, l->n[1]->ip, l->n[0]->ip);
	lab_sa_add(l->n[0], "in70", &l->good[1], true, "peer", "worker=1");
	lab_sa_add(l->n[1], "out70", &l->good[1], false, "peer", "");
	ck_assert_uint_ne(old.spi, l->good[1].spi);
}

START_TEST(f1_sa_revoked_while_its_packets_wait_in_a_ring_drops_them)
{
	struct lab *l = waiting_in_ring();
	uint32_t n = ring_count(l, 0);
	uint64_t got = l->c->end[0].rx_off;

	lab_sa_del(l->n[0], "in0", true);
	lab_pass(l, 0);
	ck_assert_uint_eq(lab_stat(l, 0, "esp-stale"), n);
	ck_assert_uint_eq(l->c->end[0].rx_off, got);
	new_sas(l);
	lab_complete(l);
	lab_free(l);
}
END_TEST

START_TEST(f3_sa_deleted_while_its_packets_wait_in_a_ring_keeps_them)
{
	struct lab *l = waiting_in_ring();

	lab_sa_del(l->n[0], "in0", false);
	lab_pass(l, 0);
	ck_assert_uint_eq(lab_stat(l, 0, "esp-stale"), 0);
	ck_assert_uint_eq(l->c->end[0].rx_off, 500);
	new_sas(l);
	lab_complete(l);
	lab_free(l);
}
END_TEST

/* F-1: with several workers a slot is drained twice, because what one reassembled before it passed
 * may lie in the ring of another that passed before. */
START_TEST(f1_slot_is_drained_twice_where_workers_hand_over)
{
	struct lab *l = lab_with(&two_workers, to_worker_0);
	struct tl_stack *s = l->n[0]->s;
	uint32_t free_slots = s->control.free.n;

	lab_sa_del(l->n[0], "rogue-in", false);
	ck_assert_uint_eq(s->control.draining.n, 1);
	vnet_touch(l->n[0]);
	lab_pass(l, VNET_MS);
	slots_collect(s);
	ck_assert_uint_eq(s->control.draining.n, 0);
	ck_assert_uint_eq(s->control.settling.n, 1);
	ck_assert_uint_eq(s->control.free.n, free_slots);
	slots_collect(s);
	ck_assert_uint_eq(s->control.settling.n, 1);
	vnet_touch(l->n[0]);
	lab_pass(l, VNET_MS);
	slots_collect(s);
	ck_assert_uint_eq(s->control.free.n, free_slots + 1);
	lab_free(l);
}
END_TEST

/* F-1: nor is it free while packets wait in the ring of a worker that took only a part of them. */
START_TEST(f1_slot_waits_for_the_ring_of_a_worker)
{
	struct lab *l = lab_with(&two_workers, to_worker_0);
	struct tl_stack *s = l->n[0]->s;

	for (uint32_t i = 0; i < PKT_BURST + 1; i++) {
		struct rte_mbuf *m = pkt_alloc(s->lc[1]);

		pkt_meta(m)->key.proto = pkt_meta(m)->nxt = IPPROTO_N_UDP;
		msg_handoff(s->lc[1], 0, HANDOFF_L4, m);
	}
	lab_sa_del(l->n[0], "rogue-in", false);
	for (uint32_t w = 0; w < 2; w++)
		tl_turn(tl_worker(s, w), l->v->now_ns);
	ck_assert_uint_eq(ring_count(l, 0), 1);
	slots_collect(s);
	ck_assert_uint_eq(s->control.draining.n, 1);
	tl_turn(tl_worker(s, 0), l->v->now_ns);
	ck_assert_uint_eq(ring_count(l, 0), 0);
	slots_collect(s);
	ck_assert_uint_eq(s->control.draining.n, 0);
	ck_assert_uint_eq(s->control.settling.n, 1);
	lab_free(l);
}
END_TEST

/* F-2: a slot that is used again has another generation, so nothing that names the SA before means
 * this one. */
START_TEST(f2_slot_that_is_used_again_has_another_generation)
{
	static const struct lab_opts few = {
		.workers = 2, .ethernet = true, .more = {"stack.max-sas=16"}};
	struct lab *l = lab_with(&few, to_worker_0);
	struct tl_stack *s = l->n[0]->s;
	uint32_t seen[16] = {0};

	for (uint32_t i = 0; i < 64; i++) {
		struct craft_sa sa = {.esn = true, .key_len = 20};
		uint32_t slot;

		lab_sa_draw(l->v, &sa, 0x90000 + i, l->n[1]->ip, l->n[0]->ip);
		lab_sa_add(l->n[0], "again", &sa, true, "peer", "worker=1");
		slot = (uint32_t)control_sa_by_name(s, "again");
		ck_assert_uint_lt(slot, RTE_DIM(seen));
		ck_assert_uint_gt(s->control.sa[slot].gen, seen[slot]);
		seen[slot] = s->control.sa[slot].gen;
		lab_sa_del(l->n[0], "again", false);
		lab_pass(l, VNET_MS);
	}
	lab_free(l);
}
END_TEST

/* A connect() that fails after its latch was made leaves a socket that may listen (L-1). */
START_TEST(l1_listen_after_a_failed_connect)
{
	struct lab *l = lab_with(&two_workers, to_worker_1);
	struct tl_worker *w = tl_worker(l->n[0]->s, 0), *other = tl_worker(l->n[0]->s, 1);
	int fd = tl_socket(w, AF_INET, SOCK_STREAM, 0);
	int rival = tl_socket(other, AF_INET, SOCK_STREAM, 0);
	struct sockaddr_in me = {.sin_family = AF_INET, .sin_port = RTE_BE16(81)};
	struct sockaddr_in to = {.sin_family = AF_INET,
		.sin_port = RTE_BE16(APP_PORT),
		.sin_addr.s_addr = rte_cpu_to_be_32(l->n[1]->ip)};

	/* The 5-tuple is another worker's. */
	ck_assert_int_eq(tl_bind(other, rival, (struct sockaddr *)&me, sizeof(me)), 0);
	ck_assert_int_eq(tl_connect(other, rival, (struct sockaddr *)&to, sizeof(to)), -1);
	ck_assert_int_eq(errno, EINPROGRESS);
	ck_assert_int_eq(tl_bind(w, fd, (struct sockaddr *)&me, sizeof(me)), 0);
	ck_assert_int_eq(tl_connect(w, fd, (struct sockaddr *)&to, sizeof(to)), -1);
	ck_assert_int_eq(errno, EADDRINUSE);
	ck_assert_int_eq(tl_listen(w, fd, 4), 0);
	tl_close(other, rival);
	tl_close(w, fd);
	lab_free(l);
}
END_TEST

START_TEST(f1_ciphertext_that_waits_for_a_deleted_sa_is_dropped)
{
	struct lab *l = lab_with(&two_workers, to_worker_0);

	lab_open(l, 500, 0);
	app_release(l->c);
	for (uint32_t i = 0; i < 100000 && ring_count(l, 1) == 0; i++)
		vnet_step(l->v);
	ck_assert_uint_gt(ring_count(l, 1), 0);
	lab_sa_del(l->n[0], "in0", false);
	lab_pass(l, 0);
	ck_assert_uint_gt(lab_stat(l, 0, "esp-spi"), 0);
	ck_assert_str_eq(lab_state(l, 0), "ESTABLISHED");
	new_sas(l);
	lab_complete(l);
	lab_free(l);
}
END_TEST

/* Plaintext waits for worker 1's outbound SA, which is deleted: the newer SA takes it. */
START_TEST(g14_plaintext_that_waits_for_a_deleted_sa_leaves_under_a_newer_one_or_not_at_all)
{
	struct lab *l = lab_with(&two_workers, to_worker_1);
	uint32_t clear;

	open_from_server(l, 500, 0);
	app_release(l->c);
	for (uint32_t i = 0; i < 100000 && ring_count(l, 1) == 0; i++)
		vnet_step(l->v);
	ck_assert_uint_gt(ring_count(l, 1), 0);
	clear = l->clear[0];
	lab_sa_del(l->n[0], "out0", true);
	lab_pass(l, 2 * VNET_S);
	ck_assert_uint_eq(l->clear[0], clear);
	ck_assert_uint_eq(l->under_rogue[0], 0);
	ck_assert_uint_gt(lab_stat(l, 0, "esp-nosa") + lab_stat(l, 0, "esp-stale"), 0);
	lab_sa_draw(l->v, &l->good[0], LAB_SPI + 80, l->n[0]->ip, l->n[1]->ip);
	lab_sa_add(l->n[1], "in80", &l->good[0], true, "peer", "");
	lab_sa_add(l->n[0], "out80", &l->good[0], false, "peer", "worker=1");
	lab_complete(l);
	lab_free(l);
}
END_TEST

/* Else the rogue's segments would be judged where the connection is not (C-9, P-14). */
/* ---- one SA for each worker (RFC 9611) ---- */

/* A pair of SAs beside the lab's, which belong to worker 1. The client sends under the newer one.
 */
static struct craft_sa *
pair_at_worker_0(struct lab *l)
{
	static struct craft_sa sa[2];

	for (uint32_t d = 0; d < 2; d++) {
		sa[d] = l->good[d];
		lab_sa_draw(l->v, &sa[d], LAB_SPI + 90 + d, l->n[d]->ip, l->n[1 - d]->ip);
		lab_know(l, &sa[d]);
	}
	lab_sa_add(l->n[0], "in-0", &sa[1], true, "peer", "worker=0");
	lab_sa_add(l->n[0], "out-0", &sa[0], false, "peer", "worker=0");
	lab_sa_add(l->n[1], "in-0", &sa[0], true, "peer", "");
	lab_sa_add(l->n[1], "out-0", &sa[1], false, "peer", "");
	return sa;
}

static uint64_t
handed(struct lab *l, uint32_t worker)
{
	return l->n[0]->s->lc[worker]->stat.st[ST_HANDOFF_OUT];
}

START_TEST(p14_flow_whose_peer_takes_the_sa_of_another_worker_stays_where_it_is)
{
	struct lab *l = lab_with(&two_workers, to_worker_1);

	lab_open(l, 30000, 30000);
	ck_assert_uint_eq(pcbs_of(l, 1), 1);
	pair_at_worker_0(l);
	lab_sa_del(l->n[1], "out0", false); /* the client's hint is stale now */
	lab_complete(l);
	ck_assert_uint_eq(pcbs_of(l, 0), 0);
	ck_assert_uint_gt(handed(l, 1), 0); /* ciphertext to 0 */
	ck_assert_uint_gt(handed(l, 0), 0); /* and decrypted, back to 1 */
	ck_assert_uint_eq(lab_stat(l, 0, "tcp-rst-out"), 0);
	lab_free(l);
}
END_TEST

START_TEST(rekey_to_another_worker_leaves_the_connection_where_it_is)
{
	struct lab *l = lab_with(&two_workers, to_any_worker);

	lab_open(l, 30000, 30000);
	pair_at_worker_0(l);
	for (uint32_t i = 0; i < 2; i++) {
		lab_sa_del(l->n[i], "out0", false);
		lab_sa_del(l->n[i], "in0", false);
	}
	lab_complete(l);
	lab_free(l);
}
END_TEST

START_TEST(flow_that_begins_at_the_sa_of_a_worker_lives_there_and_hands_nothing_over)
{
	struct lab *l = lab_with(&two_workers, to_worker_0);
	uint64_t before;

	pair_at_worker_0(l);
	lab_open(l, 30000, 30000);
	before = handed(l, 0) + handed(l, 1); /* ARP */
	ck_assert_uint_eq(pcbs_of(l, 0), 1);
	lab_complete(l);
	ck_assert_uint_eq(handed(l, 0) + handed(l, 1), before);
	lab_free(l);
}
END_TEST

/* Both outbound SAs have one profile; the newer one is the other worker's. */
START_TEST(worker_sends_under_its_own_sa_before_a_newer_one_of_another)
{
	struct lab *l = lab_with(&two_workers, to_worker_0);
	uint64_t before;

	pair_at_worker_0(l);
	lab_sa_draw(l->v, &l->good[0], LAB_SPI + 80, l->n[0]->ip, l->n[1]->ip);
	lab_sa_add(l->n[1], "in80", &l->good[0], true, "peer", "");
	lab_sa_add(l->n[0], "out80", &l->good[0], false, "peer", "worker=1");
	open_from_server(l, 30000, 0);
	before = handed(l, 0); /* ARP */
	lab_complete(l);
	ck_assert_uint_eq(handed(l, 0), before);
	lab_free(l);
}
END_TEST

/* sa-choice = newest: which worker has an SA does not say whose it is. */
START_TEST(sa_of_the_newest_peer_is_chosen_wherever_it_lives)
{
	struct lab *l = lab_with(&two_workers, to_worker_1);
	struct craft_sa other = {.esn = true, .key_len = 20};

	pair_at_worker_0(l);
	lab_know(l, &other);
	lab_sa_draw(l->v, &other, LAB_ANSWER + 3, l->n[0]->ip, l->n[1]->ip);
	lab_sa_add(l->n[0], "newest", &other, false, "rogue", "worker=1");
	l->c = app_connect(&l->app, l->n[0], l->n[1], 0, 0, 0);
	lab_pass(l, 100 * VNET_MS);
	ck_assert_uint_eq(l->last_spi[0], other.spi);
	lab_free(l);
}
END_TEST

/* Another peer's SA may live anywhere; its segments find the connection that they conflict with. */
START_TEST(p14_segment_of_another_peer_at_another_worker_ends_the_connection)
{
	struct craft_sa other = {.esn = true, .key_len = 20};
	struct lab *l = lab_with(&two_workers, to_worker_1);
	struct craft_seg s;

	lab_open(l, 1000, 1000);
	lab_sa_draw(l->v, &other, LAB_ROGUE + 3, l->n[1]->ip, l->n[0]->ip);
	lab_sa_add(l->n[0], "elsewhere", &other, true, "rogue", "worker=0");
	s = lab_seg(l, 1, CRAFT_SYN);
	lab_send(l, 1, &other, &s);
	lab_pass(l, VNET_MS);
	ck_assert_int_eq(l->c->end[1].state, APP_FAILED);
	ck_assert_int_eq(l->c->end[1].info.reason, TL_LATCH_PEER_CONFLICT);
	ck_assert_uint_eq(l->under_rogue[0], 0);
	lab_free(l);
}
END_TEST

#include "esp/sa.h"
static void
exhaust(struct lab *l, uint16_t owner)
{
	struct esp_ctx *e = l->n[0]->s->lc[owner]->esp;

	for (uint32_t i = 0; i < e->nb_slots; i++) {
		if (e->slot[i] != NULL && !e->slot[i]->conf.inbound && e->slot[i]->key != NULL)
			e->slot[i]->seq_max = e->slot[i]->seq; /* as after 2^32 - 1 packets */
	}
}

START_TEST(packet_for_two_exhausted_sas_is_dropped_soon)
{
	static struct craft_sa sa = {.esn = true, .key_len = 20};
	struct lab *l = lab_with(&two_workers, to_worker_1);
	uint64_t before;

	open_from_server(l, 30000, 30000);
	lab_sa_draw(l->v, &sa, 0x51000, l->n[0]->ip, l->n[1]->ip);
	lab_know(l, &sa);
	lab_sa_add(l->n[1], "second", &sa, true, "peer", "");
	lab_sa_add(l->n[0], "second", &sa, false, "peer", "worker=0");
	exhaust(l, 0);
	exhaust(l, 1);
	before = l->n[0]->s->lc[0]->stat.st[ST_HANDOFF_OUT];
	app_release(l->c);
	for (int i = 0; i < 2000; i++) {
		tl_turn(tl_worker(l->n[0]->s, 0), l->v->now_ns);
		tl_turn(tl_worker(l->n[0]->s, 1), l->v->now_ns);
	}
	fprintf(stderr, "# handed over: %lu\n",
		(unsigned long)(l->n[0]->s->lc[0]->stat.st[ST_HANDOFF_OUT] - before));
	ck_assert_uint_lt(l->n[0]->s->lc[0]->stat.st[ST_HANDOFF_OUT] - before, 200);
	lab_free(l);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("workers");
	TCase *c = tcase_create("handoff");

	tcase_add_test(c, packet_for_two_exhausted_sas_is_dropped_soon);
	tcase_add_test(c, frames_at_the_wrong_worker_reach_the_owner_of_the_sa);
	tcase_add_test(c, connection_of_a_worker_without_sa_sends_and_receives_through_the_owner);
	tcase_add_test(c, frames_at_any_worker_make_whole_streams_both_ways);
	tcase_add_test(c, clear_frames_at_the_wrong_worker_find_their_connection);
	tcase_add_test(c, rogue_at_the_wrong_worker_breaks_the_connection_at_its_own);
	tcase_add_test(c, secrets_of_a_connection_are_those_of_all_workers);
	tcase_add_test(c, icmp_error_finds_the_worker_of_the_flow_that_it_quotes);
	tcase_add_test(c, f1_sa_revoked_while_its_packets_wait_in_a_ring_drops_them);
	tcase_add_test(c, f3_sa_deleted_while_its_packets_wait_in_a_ring_keeps_them);
	tcase_add_test(c, f1_slot_is_drained_twice_where_workers_hand_over);
	tcase_add_test(c, f1_slot_waits_for_the_ring_of_a_worker);
	tcase_add_test(c, f2_slot_that_is_used_again_has_another_generation);
	tcase_add_test(c, l1_listen_after_a_failed_connect);
	tcase_add_test(c, f1_ciphertext_that_waits_for_a_deleted_sa_is_dropped);
	tcase_add_test(c,
		g14_plaintext_that_waits_for_a_deleted_sa_leaves_under_a_newer_one_or_not_at_all);
	tcase_add_test(c, p14_flow_whose_peer_takes_the_sa_of_another_worker_stays_where_it_is);
	tcase_add_test(c, rekey_to_another_worker_leaves_the_connection_where_it_is);
	tcase_add_test(
		c, flow_that_begins_at_the_sa_of_a_worker_lives_there_and_hands_nothing_over);
	tcase_add_test(c, worker_sends_under_its_own_sa_before_a_newer_one_of_another);
	tcase_add_test(c, sa_of_the_newest_peer_is_chosen_wherever_it_lives);
	tcase_add_test(c, p14_segment_of_another_peer_at_another_worker_ends_the_connection);
	suite_add_tcase(s, c);
	return env_main(s);
}
