/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * P-17, F-1, F-9, F-12: SAs change while packets are on their way between two workers.
 *
 * One connection of worker 0, whose SAs belong to worker 1. In each schedule one slot of the SAD
 * has an SA of the peer, then of a rogue, then of the peer, and so on: the change reaches the
 * workers one after the other, in any order, and the slot is used again at once, without any
 * draining. Meanwhile segments in clear, of the rogue and of the peer are decrypted at worker 1,
 * wait in rings, and are judged at worker 0, in any interleaving. No segment may be accepted but
 * those of the peer.
 *
 * TL_LONG=1: a million schedules. TL_SCHEDULES: so many.
 */
#include <stdlib.h>
#include <string.h>

#include "esp/esp.h"
#include "tcp/tcp.h"
#include "tests/util/vnet_lab.h"

enum { EVENTS_MAX = 24, SPI = 0xabc00 };

struct sched {
	struct lab *l;
	struct tl_stack *s;
	struct esp_sa_conf base[2]; /* of the peer, of the rogue; no key */
	struct craft_sa craft;      /* the SA of the slot */
	struct esp_sa_conf conf;
	uint32_t slot, gen, spi;
	bool rogue;      /* whose SA it is now */
	uint32_t has[2]; /* generation that a worker has in the slot; 0: none */
	uint32_t want;   /* generation that both shall have */
	uint64_t good;   /* segments of the peer that were sent */
	uint64_t accepted;
	struct craft_seg seg;
};

static struct esp_sa_conf
conf_of(struct sched *t, const char *name)
{
	struct control *c = &t->s->control;
	int slot = control_sa_by_name(t->s, name);

	ck_assert_int_ge(slot, 0);
	return c->sa[slot].conf;
}

/* Another key, SPI and owner for the slot. */
static void
next_sa(struct sched *t)
{
	struct vnet *v = t->l->v;

	t->rogue = !t->rogue;
	t->craft = (struct craft_sa){.esn = true, .key_len = 20};
	lab_sa_draw(v, &t->craft, SPI + (++t->spi & 0xff), t->l->n[1]->ip, t->l->n[0]->ip);
	t->conf = t->base[t->rogue];
	t->conf.spi = t->craft.spi;
	t->conf.key_len = t->craft.key_len;
	memcpy(t->conf.key, t->craft.key, t->craft.key_len);
	t->want = ++t->gen;
}

/* One worker takes one step of the change: it deletes the old one, or adds the new one. */
static void
change_one(struct sched *t, uint32_t w)
{
	struct lcore *lc = t->s->lc[w];

	if (t->has[w] == t->want)
		return;
	if (t->has[w] != 0) {
		esp_sad_del(lc, t->slot, t->has[w],
			vnet_below(t->l->v, 2) ? ESP_DEL_REKEY : ESP_DEL_REVOKED);
		t->has[w] = 0;
		return;
	}
	ck_assert_int_eq(esp_sad_add(lc, &t->conf, t->slot, t->want), 0);
	t->has[w] = t->want;
	latch_sad_changed(lc, NULL);
}

static void
receive(struct sched *t, uint32_t w, const uint8_t *ip, size_t len)
{
	struct lcore *lc = t->s->lc[w];
	struct rte_mbuf *m = pkt_alloc(lc);
	struct pkt_vec v = {.n = 0};

	ck_assert_ptr_nonnull(m);
	memcpy(rte_pktmbuf_append(m, (uint16_t)len), ip, len);
	pkt_vec_add(&v, m);
	rx_path(lc, &v);
}

/* A segment under the SA of the slot, or in clear, at any worker. */
static void
send_one(struct sched *t, bool clear)
{
	uint8_t ip[CRAFT_MAX], tcp[CRAFT_MAX];
	uint32_t w = vnet_below(t->l->v, 2);
	size_t n;

	if (clear) {
		n = craft_ip4(ip, t->seg.src, t->seg.dst, CRAFT_TCP, tcp, craft_tcp(tcp, &t->seg));
	} else {
		n = craft_protect(&t->craft, ip, &t->seg);
		t->good += !t->rogue;
	}
	receive(t, w, ip, n);
}

static void
turn(struct sched *t, uint32_t w)
{
	tl_turn(tl_worker(t->s, w), t->l->v->now_ns);
}

static uint64_t
accepted(const struct sched *t)
{
	return t->s->lc[0]->stat.st[ST_TCP_SEG_IN] + t->s->lc[1]->stat.st[ST_TCP_SEG_IN];
}

static void
check(const struct sched *t, uint64_t schedule)
{
	struct tcp_row r;

	ck_assert(lab_pcb(t->l, 0, &r));
	ck_assert_msg(r.rcvq_bytes == 0 && strcmp(r.state, "ESTABLISHED") == 0 &&
			      r.latch->state == TL_LATCH_ESTABLISHED,
		"schedule %lu: state %s, %u bytes were accepted", (unsigned long)schedule, r.state,
		r.rcvq_bytes);
	ck_assert_msg(accepted(t) - t->accepted <= t->good,
		"schedule %lu: %lu segments were accepted, the peer sent %lu",
		(unsigned long)schedule, (unsigned long)(accepted(t) - t->accepted),
		(unsigned long)t->good);
}

static void
run(struct sched *t, uint64_t schedule)
{
	uint32_t n = 4 + vnet_below(t->l->v, EVENTS_MAX - 4);

	for (uint32_t i = 0; i < n; i++) {
		switch (vnet_below(t->l->v, 8)) {
		case 0:
			if (t->has[0] == t->want && t->has[1] == t->want)
				next_sa(t);
			break;
		case 1:
		case 2:
			change_one(t, vnet_below(t->l->v, 2));
			break;
		case 3:
			send_one(t, true);
			break;
		case 4:
		case 5:
			send_one(t, false);
			break;
		default:
			turn(t, vnet_below(t->l->v, 2));
			break;
		}
	}
	for (uint32_t i = 0; i < 4; i++)
		turn(t, i & 1);
	check(t, schedule);
}

static uint64_t
how_many(void)
{
	const char *text = getenv("TL_SCHEDULES"), *is_long = getenv("TL_LONG");

	if (text != NULL)
		return strtoull(text, NULL, 0);
	return is_long != NULL && strcmp(is_long, "1") == 0 ? 1000000 : 50000;
}

/* P-17, F-1, F-9, F-12 */
START_TEST(f1_no_schedule_accepts_what_is_not_the_peers)
{
	struct lab_opts o = {.workers = 2, .m2_drop = true, .m3_drop = true};
	struct sched t = {.l = lab_new(&o)};
	uint64_t n = how_many(), seed = t.l->v->seed;

	t.s = t.l->n[0]->s;
	t.l->c = app_connect(&t.l->app, t.l->n[0], t.l->n[1], 0, 1000, 1000);
	t.l->c->end[0].hold = t.l->c->end[1].hold = true;
	ck_assert(vnet_run(t.l->v, app_conn_open, t.l->c, 10 * VNET_S));
	lab_pass(t.l, VNET_S);
	t.base[0] = conf_of(&t, "in0");
	t.base[1] = conf_of(&t, "rogue-in");
	t.slot = t.s->control.nb_slots - 1;
	/* An acknowledgment of nothing new: taken if its protection is right, and changes nothing.
	 */
	t.seg = lab_seg(t.l, 1, CRAFT_ACK);
	t.seg.sport = APP_PORT;
	t.seg.dport = t.l->c->lport;
	t.rogue = true;
	t.accepted = accepted(&t);
	next_sa(&t);
	for (uint64_t i = 0; i < n; i++)
		run(&t, i);
	printf("# seed %lu: %lu schedules, the peer sent %lu segments, %lu were accepted\n",
		(unsigned long)seed, (unsigned long)n, (unsigned long)t.good,
		(unsigned long)(accepted(&t) - t.accepted));
	/* The test would say little if nothing were accepted at all. */
	ck_assert_uint_gt(accepted(&t) - t.accepted, t.good / 4);
	ck_assert_uint_gt(lab_stat(t.l, 0, "latch-m3"), n / 20);
	ck_assert_uint_gt(lab_stat(t.l, 0, "latch-m0"), n / 20);
	ck_assert_uint_gt(lab_stat(t.l, 0, "esp-stale") + lab_stat(t.l, 0, "esp-spi"), n / 20);
	for (uint32_t w = 0; w < 2; w++) {
		if (t.has[w] != 0)
			esp_sad_del(t.s->lc[w], t.slot, t.has[w], ESP_DEL_REKEY);
	}
	lab_complete(t.l);
	lab_free(t.l);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("schedule");
	TCase *c = tcase_create("schedule");

	tcase_set_timeout(c, 3000);
	tcase_add_test(c, f1_no_schedule_accepts_what_is_not_the_peers);
	suite_add_tcase(s, c);
	return env_main(s);
}
