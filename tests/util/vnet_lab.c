/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/util/vnet_lab.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tcp/tcp.h"

enum { LAB_IP = 0x0a000001 };

void
lab_sa_draw(struct vnet *v, struct craft_sa *sa, uint32_t spi, uint32_t src, uint32_t dst)
{
	sa->spi = spi;
	sa->src = src;
	sa->dst = dst;
	sa->seq = 0;
	if (sa->key_len == 0)
		sa->key_len = 20;
	for (uint32_t i = 0; i < sizeof(sa->key); i++)
		sa->key[i] = (uint8_t)vnet_rnd(v);
}

void
lab_sa_add(struct vnet_node *n, const char *name, const struct craft_sa *sa, bool in,
	const char *peer, const char *extra)
{
	uint32_t other = in ? sa->src : sa->dst;
	struct tl_error e = {""};
	char words[512], key[73];

	craft_key_text(sa, key);
	snprintf(words, sizeof(words),
		"spi=%u direction=%s mode=%s local=10.0.0.%u remote=10.0.0.%u key=%s local-id=me "
		"peer-id=%s esn=%s local-net=10.0.0.%u remote-net=10.0.0.%u %s",
		sa->spi, in ? "in" : "out", sa->tunnel ? "tunnel" : "transport", n->ip & 255,
		other & 255, key, peer, sa->esn ? "yes" : "no", n->ip & 255, other & 255, extra);
	ck_assert_msg(tl_sa_add(n->s, name, words, &e) == 0, "seed %lu: %s",
		(unsigned long)n->v->seed, e.text);
	vnet_touch(n);
}

void
lab_sa_del(struct vnet_node *n, const char *name, bool revoked)
{
	struct tl_error e = {""};

	ck_assert_msg(tl_sa_del(n->s, name, revoked, &e) == 0, "%s", e.text);
	vnet_touch(n);
}

void
lab_know(struct lab *l, struct craft_sa *sa)
{
	ck_assert_uint_lt(l->nb_known, LAB_SAS);
	l->known[l->nb_known++] = sa;
}

/* ---- the wire ---- */

static uint32_t
spi_of(const uint8_t *esp)
{
	return (uint32_t)esp[0] << 24 | (uint32_t)esp[1] << 16 | (uint32_t)esp[2] << 8 | esp[3];
}

static void
read_esp(struct lab *l, uint32_t d, const uint8_t *esp, size_t len)
{
	static uint8_t plain[CRAFT_MAX];
	struct craft_seg seg = {.src = l->n[d]->ip, .dst = l->n[1 - d]->ip};
	uint32_t spi = spi_of(esp), i = 0;
	uint8_t nxt;
	long n;

	while (i < l->nb_known && l->known[i]->spi != spi)
		i++;
	VNET_CHECK(i < l->nb_known, "node %u sent under unknown SPI %#x", d, spi);
	n = craft_open(l->known[i], esp, len, plain, &nxt);
	VNET_CHECK(n >= 0, "ciphertext of node %u does not open", d);
	l->esp[d]++;
	l->last_spi[d] = spi;
	if (nxt == CRAFT_IPIP)
		VNET_CHECK(craft_read(plain, (size_t)n, &seg), "no TCP inside");
	else if (nxt != CRAFT_TCP)
		return;
	else
		VNET_CHECK(craft_read_tcp(plain, (size_t)n, &seg), "no TCP inside");
	if (spi >= LAB_ANSWER) {
		l->under_rogue[d]++;
		l->to_rogue = seg;
	} else {
		l->last[d] = seg;
	}
}

static bool
tap(struct vnet *v, struct vnet_node *from, uint8_t *frame, size_t len, void *arg)
{
	struct lab *l = arg;
	uint32_t d = from == l->n[1];
	size_t at = vnet_l3(v);
	const uint8_t *ip = frame + at;
	struct lab_kept *k = &l->kept[d][l->nb_kept[d]++ % LAB_KEPT];

	k->len = len;
	memcpy(k->bytes, frame, len);
	if (at != 0 && (frame[12] != 8 || frame[13] != 0)) {
		l->arp[d]++;
		return true;
	}
	if (ip[9] == CRAFT_ESP) {
		read_esp(l, d, ip + 20, len - at - 20);
	} else {
		struct craft_seg seg;

		l->clear[d]++;
		if (craft_read(ip, len - at, &seg))
			l->last[d] = seg;
	}
	return !l->block[d];
}

uint32_t
lab_sent(const struct lab *l, uint32_t d)
{
	return l->clear[d] + l->esp[d];
}

/* ---- set-up ---- */

static void
owner_words(const struct lab *l, uint32_t node, char out[64])
{
	unsigned int workers = node == 0 ? l->o.workers : 1;

	snprintf(out, 64, "replay-window=%u worker=%u", l->o.window == 0 ? 64 : l->o.window,
		workers - 1);
}

static void
add_generation(struct lab *l)
{
	char name[16], words[64];

	for (uint32_t d = 0; d < 2; d++)
		lab_sa_draw(
			l->v, &l->good[d], LAB_SPI + 2 * l->gen + d, l->n[d]->ip, l->n[1 - d]->ip);
	for (uint32_t d = 0; d < 2; d++) {
		owner_words(l, 1 - d, words);
		snprintf(name, sizeof(name), "in%u", l->gen);
		lab_sa_add(l->n[1 - d], name, &l->good[d], true, "peer", words);
	}
	for (uint32_t d = 0; d < 2; d++) {
		owner_words(l, d, words);
		snprintf(name, sizeof(name), "out%u", l->gen);
		lab_sa_add(l->n[d], name, &l->good[d], false, "peer", words);
	}
	l->gen++;
}

void
lab_rekey(struct lab *l)
{
	char name[16];

	add_generation(l);
	for (uint32_t i = 0; i < 2; i++) {
		snprintf(name, sizeof(name), "out%u", l->gen - 2);
		lab_sa_del(l->n[i], name, false);
		snprintf(name, sizeof(name), "in%u", l->gen - 2);
		lab_sa_del(l->n[i], name, false);
	}
}

static void
add_rogue(struct lab *l)
{
	char words[64];

	for (uint32_t i = 0; i < 2; i++) {
		owner_words(l, i, words);
		lab_sa_draw(l->v, &l->bad[i], LAB_ROGUE + i, l->n[1 - i]->ip, l->n[i]->ip);
		lab_sa_add(l->n[i], "rogue-in", &l->bad[i], true, "rogue", words);
		lab_sa_draw(l->v, &l->answer[i], LAB_ANSWER + i, l->n[i]->ip, l->n[1 - i]->ip);
		if (!l->o.no_answer_sa)
			lab_sa_add(l->n[i], "rogue-out", &l->answer[i], false, "rogue", words);
	}
}

static void
add_node(struct lab *l, uint32_t i)
{
	struct vnet_node *n = l->n[i] = vnet_add(l->v, LAB_IP + i);

	vnet_set(n, "identity me.type", "fqdn");
	vnet_set(n, "identity me.value", "n%u.example", i);
	vnet_set(n, "identity peer.type", "fqdn");
	vnet_set(n, "identity peer.value", "n%u.example", 1 - i);
	vnet_set(n, "identity rogue.type", "fqdn");
	vnet_set(n, "identity rogue.value", "rogue.example");
	vnet_set(n, "policy all.action", l->o.clear ? "bypass" : "protect");
	vnet_set(n, "stack.m2-action", l->o.m2_drop ? "drop" : "break");
	vnet_set(n, "stack.m3-action", l->o.m3_drop ? "drop" : "break");
	vnet_set(n, "stack.spd-change", l->o.spd_break ? "break" : "preserve");
	vnet_set(n, "stack.sa-choice", l->o.unambiguous ? "unambiguous" : "newest");
	for (uint32_t k = 0; k < 8 && l->o.more[k] != NULL; k++) {
		char key[64];
		const char *eq = strchr(l->o.more[k], '=');

		snprintf(key, sizeof(key), "%.*s", (int)(eq - l->o.more[k]), l->o.more[k]);
		vnet_set(n, key, "%s", eq + 1);
	}
	if (l->o.named_policy)
		vnet_set(n, "policy all.peer-id", "peer");
	if (i == 0)
		vnet_set(n, "stack.workers", "%u", l->o.workers);
	vnet_start(n);
}

static struct craft_sa
sa_like(const struct lab *l)
{
	return (struct craft_sa){.esn = true, .tunnel = l->o.tunnel, .key_len = 20};
}

struct lab *
lab_new(const struct lab_opts *o)
{
	struct lab *l = calloc(1, sizeof(*l));

	ck_assert_ptr_nonnull(l);
	l->o = *o;
	if (l->o.workers == 0)
		l->o.workers = 1;
	l->v = vnet_new(1, !o->ethernet);
	for (uint32_t i = 0; i < 2; i++) {
		add_node(l, i);
		l->good[i] = l->bad[i] = l->answer[i] = sa_like(l);
	}
	add_rogue(l);
	add_generation(l);
	for (uint32_t i = 0; i < 2; i++) {
		lab_know(l, &l->good[i]);
		lab_know(l, &l->answer[i]);
	}
	app_start(&l->app, l->v);
	l->v->tap = tap;
	l->v->tap_arg = l;
	return l;
}

void
lab_free(struct lab *l)
{
	for (uint32_t i = 0; i < l->app.nb_conns; i++) {
		for (uint32_t k = 0; k < 2; k++) {
			if (l->app.conn[i].end[k].fd >= 0)
				app_abort(&l->app.conn[i].end[k]);
		}
	}
	app_stop(&l->app);
	l->block[0] = l->block[1] = false;
	lab_pass(l, 4000 * VNET_S);
	vnet_check_empty(l->n[0]);
	vnet_check_empty(l->n[1]);
	vnet_free(l->v);
	app_prepare = NULL;
	free(l);
}

/* ---- the connection ---- */

void
lab_begin(struct lab *l, uint64_t tx, uint64_t rx)
{
	l->c = app_connect(&l->app, l->n[1], l->n[0], 0, tx, rx);
	l->c->end[0].hold = l->c->end[1].hold = true;
}

void
lab_open(struct lab *l, uint64_t tx, uint64_t rx)
{
	lab_begin(l, tx, rx);
	ck_assert(vnet_run(l->v, app_conn_open, l->c, 10 * VNET_S));
	lab_pass(l, 100 * VNET_MS);
}

void
lab_complete(struct lab *l)
{
	app_release(l->c);
	ck_assert(vnet_run(l->v, app_all_over, &l->app, 600 * VNET_S));
	for (uint32_t k = 0; k < 2; k++) {
		ck_assert_int_eq(l->c->end[k].err, 0);
		ck_assert_int_eq(l->c->end[k].state, APP_DONE);
	}
}

void
lab_pass(struct lab *l, uint64_t ns)
{
	vnet_run(l->v, NULL, NULL, ns);
}

struct craft_seg
lab_seg(struct lab *l, uint32_t d, uint8_t flags)
{
	const struct craft_seg *mine = &l->last[d], *other = &l->last[1 - d];
	bool one = (mine->flags & (CRAFT_SYN | CRAFT_FIN)) != 0;

	return (struct craft_seg){.src = l->n[d]->ip,
		.dst = l->n[1 - d]->ip,
		.sport = d == 1 ? l->c->lport : (uint16_t)APP_PORT,
		.dport = d == 1 ? (uint16_t)APP_PORT : l->c->lport,
		.seq = mine->seq + (uint32_t)mine->len + one,
		.ack = other->seq + (uint32_t)other->len +
		       ((other->flags & (CRAFT_SYN | CRAFT_FIN)) != 0),
		.wnd = 1000,
		.flags = flags,
		.has_ts = mine->has_ts,
		.ts_val = mine->ts_val + 1,
		.ts_ecr = mine->ts_ecr};
}

void
lab_send_clear(struct lab *l, uint32_t d, const struct craft_seg *s)
{
	uint8_t tcp[CRAFT_MAX], ip[CRAFT_MAX];
	size_t n = craft_ip4(ip, s->src, s->dst, CRAFT_TCP, tcp, craft_tcp(tcp, s));

	vnet_inject(l->v, l->n[1 - d], l->n[d], ip, n, 0, 1);
}

void
lab_send(struct lab *l, uint32_t d, struct craft_sa *sa, const struct craft_seg *s)
{
	uint8_t ip[CRAFT_MAX];
	size_t n = craft_protect(sa, ip, s);

	vnet_inject(l->v, l->n[1 - d], l->n[d], ip, n, 0, 1);
}

struct find {
	struct tcp_row *out;
	bool found;
};

static void
look(const struct tcp_row *i, void *arg)
{
	struct find *f = arg;

	if (i->latch == NULL || strcmp(i->state, "CLOSED") == 0 || strcmp(i->state, "LISTEN") == 0)
		return;
	*f->out = *i;
	f->found = true;
}

bool
lab_pcb(struct lab *l, uint32_t node, struct tcp_row *out)
{
	struct tl_stack *s = l->n[node]->s;
	struct find f = {.out = out};

	for (uint32_t w = 0; w < s->conf.workers; w++)
		tcp_foreach(s->lc[w], look, &f);
	return f.found;
}

const char *
lab_state(struct lab *l, uint32_t node)
{
	struct tcp_row i;

	return lab_pcb(l, node, &i) ? i.state : "CLOSED";
}

uint64_t
lab_stat(struct lab *l, uint32_t node, const char *name)
{
	return ctl_stat(l->n[node]->s, name);
}
