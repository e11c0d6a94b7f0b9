/* SPDX-License-Identifier: BSD-3-Clause */
/* What programs ask of their latches, what they hear, and what a break does by its disposition. */
#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#include "stack/include/tl_sock.h"
#include "esp/sa.h"
#include "tcp/tcp_pcb.h"
#include "tests/util/vnet_lab.h"

static const struct lab_opts plain_opts;

/* ---- what sockets ask for ---- */

static struct asked {
	struct tl_latch_disp disp;
	struct tl_latch_req req;
	struct tl_ident peer;
	uint32_t events;
	bool legacy;
	bool listener, opener;
	int rc;
} asked;

static int
set(struct tl_worker *w, int fd, int opt, const void *val, socklen_t len)
{
	return tl_setsockopt(w, fd, SOL_TL_IPSEC, opt, val, len) == 0 ? 0 : -errno;
}

static void
prepare(struct tl_worker *w, int fd, bool listener)
{
	uint32_t mode = TL_LATCH_ERR_LEGACY;

	if (listener ? !asked.listener : !asked.opener)
		return;
	asked.rc = set(w, fd, TL_LATCH_DISPOSITION, &asked.disp, sizeof(asked.disp));
	if (asked.req.version != 0)
		asked.rc |= set(w, fd, TL_LATCH_REQUEST, &asked.req, sizeof(asked.req));
	if (asked.peer.type != 0)
		asked.rc |= set(w, fd, TL_LATCH_PEER_ID, &asked.peer, sizeof(asked.peer));
	if (asked.events != 0)
		asked.rc |= set(w, fd, TL_LATCH_EVENTS, &asked.events, sizeof(asked.events));
	if (asked.legacy)
		asked.rc |= set(w, fd, TL_LATCH_ERRMODE, &mode, sizeof(mode));
	ck_assert_int_eq(asked.rc, 0);
}

static struct asked *
ask(void)
{
	asked = (struct asked){.listener = true, .opener = true};
	app_prepare = prepare;
	return &asked;
}

static struct tl_latch_req
request(uint32_t flags)
{
	return (struct tl_latch_req){
		.version = 1, .size = sizeof(struct tl_latch_req), .flags = flags};
}

static struct tl_ident
fqdn(const char *name)
{
	struct tl_ident id = {.type = TL_ID_FQDN, .len = (uint16_t)strlen(name)};

	memcpy(id.data, name, id.len);
	return id;
}

static struct tl_latch_info
info_of(const struct app_end *e)
{
	struct tl_latch_info i;

	app_latch(e, &i);
	return i;
}

/* A segment of the rogue for the server's end of the connection. */
static void
rogue_sends(struct lab *l, uint8_t flags)
{
	struct craft_seg s = lab_seg(l, 1, flags);

	lab_send(l, 1, &l->bad[0], &s);
	lab_pass(l, 10 * VNET_MS);
}

/* What the peer's SA has not sent yet. */
static void
good_seq(struct lab *l)
{
	static const uint32_t beyond = 1000;
	struct esp_sa_info i;
	int slot = control_sa_by_name(l->n[1]->s, "out0");

	ck_assert_int_eq(control_sa_info(l->n[1]->s, (uint32_t)slot, &i), 0);
	l->good[1].seq = RTE_MAX(l->good[1].seq, i.seq + beyond);
}

static void
good_sends(struct lab *l)
{
	struct craft_seg s = lab_seg(l, 1, CRAFT_ACK);

	good_seq(l);
	lab_send(l, 1, &l->good[1], &s);
	lab_pass(l, 10 * VNET_MS);
}

/* The events that the server's end has, in order. */
static uint32_t
events_of(const struct app_end *e, uint16_t type[16])
{
	struct tl_latch_event ev;
	uint32_t n = 0;

	while (n < 16 && tl_latch_event(e->w, e->fd, &ev) == 1)
		type[n++] = ev.type;
	return n;
}

/* ---- dispositions ---- */

/* B-16, B-7, B-10, B-11: reset is the default, and what it says is the error mode's choice (B-13,
 * B-14). */
START_TEST(b7_reset_is_the_default_and_the_error_mode_names_it)
{
	struct asked *a = ask();
	struct lab *l;

	a->legacy = _i == 0;
	l = lab_new(&plain_opts);
	lab_open(l, 1000, 1000);
	rogue_sends(l, CRAFT_ACK);
	ck_assert_int_eq(l->c->end[1].state, APP_FAILED);
	ck_assert_int_eq(l->c->end[1].err, _i == 0 ? ECONNRESET : TL_ELATCHBROKEN);
	ck_assert_str_eq(tl_strerror(TL_ELATCHBROKEN), "Connection latch broken");
	lab_free(l);
}
END_TEST

/* B-3, B-4, B-6: waiting sends and takes nothing, and goes on when the conflict is over (G-1). */
START_TEST(b3_b6_waiting_is_silent_and_returns_with_the_peer)
{
	struct asked *a = ask();
	struct lab *l;
	uint32_t sent;

	a->disp.on_conflict = TL_LATCH_DISP_WAIT;
	a->opener = false;
	l = lab_new(&plain_opts);
	lab_open(l, 60000, 60000);
	rogue_sends(l, CRAFT_ACK);
	ck_assert_uint_eq(info_of(&l->c->end[1]).state, TL_LATCH_BROKEN);
	ck_assert_uint_eq(info_of(&l->c->end[1]).reason, TL_LATCH_PEER_CONFLICT);
	ck_assert_uint_ne(info_of(&l->c->end[1]).flags & TL_LATCH_F_SUSPENDED, 0);
	app_release(l->c);
	sent = lab_sent(l, 0);
	lab_pass(l, VNET_S);
	ck_assert_uint_eq(lab_sent(l, 0), sent);
	ck_assert_uint_eq(l->c->end[1].rx_off, 0);
	ck_assert_uint_gt(lab_stat(l, 0, "latch-broken"), 0);
	/* The peer's retransmission after the quiet time ends it. */
	lab_complete(l);
	ck_assert_uint_eq(lab_stat(l, 0, "latches-restored"), 1);
	ck_assert_uint_eq(l->c->end[1].info.resumes, 1);
	lab_free(l);
}
END_TEST

/* B-3 in every kind of segment: BROKEN drops good and bad ones alike (B-5), whole block compared.
 */
START_TEST(b5_a_waiting_connection_is_not_touched)
{
	static const uint8_t kinds[] = {CRAFT_ACK, CRAFT_RST, CRAFT_SYN, CRAFT_FIN | CRAFT_ACK,
		CRAFT_RST | CRAFT_ACK, CRAFT_ACK | CRAFT_PSH};
	struct asked *a = ask();
	struct tcp_row before, after;
	struct lab *l;
	uint32_t sent;

	a->disp.on_conflict = TL_LATCH_DISP_WAIT;
	a->opener = false;
	l = lab_new(&plain_opts);
	lab_open(l, 1000, 1000);
	rogue_sends(l, CRAFT_ACK);
	ck_assert(lab_pcb(l, 0, &before));
	sent = lab_sent(l, 0);
	for (uint32_t i = 0; i < sizeof(kinds); i++) {
		struct craft_seg s = lab_seg(l, 1, kinds[i]);

		good_seq(l);
		lab_send(l, 1, &l->good[1], &s);
		lab_send(l, 1, &l->bad[0], &s);
		lab_send_clear(l, 1, &s);
		lab_pass(l, VNET_MS);
	}
	ck_assert(lab_pcb(l, 0, &after));
	ck_assert_str_eq(before.state, after.state);
	ck_assert_uint_eq(before.rcvq_bytes, after.rcvq_bytes);
	ck_assert_uint_eq(before.snd_wnd_bytes, after.snd_wnd_bytes);
	ck_assert_uint_eq(lab_sent(l, 0), sent);
	ck_assert_uint_eq(info_of(&l->c->end[1]).breaks, 1);
	lab_free(l);
}
END_TEST

/* B-16, B-6, B-15: what waits gives up by its own timers: ETIMEDOUT, or the latch's error to who
 * asked. */
START_TEST(b15_waiting_ends_by_the_timer)
{
	struct asked *a = ask();
	struct lab *l;

	a->disp.on_conflict = TL_LATCH_DISP_WAIT;
	a->opener = false;
	a->legacy = _i == 0;
	l = lab_new(&(struct lab_opts){.more = {"stack.settle-ms=600000", "tcp.data-retries=4"}});
	lab_open(l, 60000, 60000);
	rogue_sends(l, CRAFT_ACK);
	app_release(l->c);
	lab_pass(l, 120 * VNET_S);
	ck_assert_int_eq(l->c->end[1].state, APP_FAILED);
	ck_assert_int_eq(l->c->end[1].err, _i == 0 ? ETIMEDOUT : TL_ELATCHBROKEN);
	ck_assert_uint_eq(l->c->end[1].info.reason, TL_LATCH_PEER_CONFLICT);
	lab_free(l);
}
END_TEST

/* B-16, B-8: unreachable is a soft error; the connection lives. */
START_TEST(b8_unreachable_is_a_soft_error)
{
	struct asked *a = ask();
	struct lab *l;
	int err;
	socklen_t len = sizeof(err);

	a->disp.on_conflict = TL_LATCH_DISP_UNREACH;
	a->opener = false;
	l = lab_new(&plain_opts);
	lab_open(l, 60000, 60000);
	rogue_sends(l, CRAFT_ACK);
	ck_assert_int_eq(l->c->end[1].state, APP_OPEN);
	ck_assert_int_eq(
		tl_getsockopt(l->c->end[1].w, l->c->end[1].fd, SOL_SOCKET, SO_ERROR, &err, &len),
		0);
	ck_assert_int_eq(err, EHOSTUNREACH);
	lab_complete(l);
	lab_free(l);
}
END_TEST

/* B-18: suspend holds a connection for longer than its retries would, with a pair of events. */
START_TEST(b18_suspended_connection_does_not_give_up)
{
	struct asked *a = ask();
	struct lab *l;
	uint16_t ev[16];
	uint64_t until;

	a->disp = (struct tl_latch_disp){
		.on_conflict = TL_LATCH_DISP_SUSPEND, .suspend_max_s = 100000};
	a->events = 1 << TL_LATCH_EV_BROKEN | 1 << TL_LATCH_EV_RESTORED;
	a->opener = false;
	l = lab_new(&(struct lab_opts){.more = {"tcp.data-retries=4"}});
	lab_open(l, 60000, 0);
	l->block[1] = true; /* the client's answers do not come */
	app_release(l->c);
	until = l->v->now_ns + 600 * VNET_S;
	while (l->v->now_ns < until) {
		rogue_sends(l, CRAFT_ACK);
		lab_pass(l, 2 * VNET_S);
	}
	ck_assert_int_eq(l->c->end[1].state, APP_OPEN);
	ck_assert_uint_eq(info_of(&l->c->end[1]).state, TL_LATCH_BROKEN);
	lab_pass(l, 4 * VNET_S);
	good_sends(l);
	ck_assert_uint_eq(info_of(&l->c->end[1]).state, TL_LATCH_ESTABLISHED);
	ck_assert_uint_eq(events_of(&l->c->end[1], ev), 2);
	ck_assert_uint_eq(ev[0], TL_LATCH_EV_BROKEN);
	ck_assert_uint_eq(ev[1], TL_LATCH_EV_RESTORED);
	lab_free(l);
}
END_TEST

/* B-18: but not for ever. */
START_TEST(b18_suspension_has_an_end)
{
	struct asked *a = ask();
	struct lab *l;

	a->disp = (struct tl_latch_disp){.on_conflict = TL_LATCH_DISP_SUSPEND, .suspend_max_s = 60};
	a->opener = false;
	l = lab_new(&(struct lab_opts){.more = {"stack.settle-ms=600000", "tcp.data-retries=4"}});
	lab_open(l, 60000, 60000);
	rogue_sends(l, CRAFT_ACK);
	app_release(l->c);
	lab_pass(l, 50 * VNET_S);
	ck_assert_int_eq(l->c->end[1].state, APP_OPEN);
	lab_pass(l, 300 * VNET_S);
	ck_assert_int_eq(l->c->end[1].state, APP_FAILED);
	ck_assert_int_eq(l->c->end[1].err, TL_ELATCHBROKEN);
	lab_free(l);
}
END_TEST

/* B-9: the disposition may be set afterwards; F-89: a listener's later change is not its
 * children's. */
START_TEST(b9_disposition_is_set_before_and_after)
{
	struct tl_latch_disp d = {.on_conflict = TL_LATCH_DISP_WAIT}, got;
	struct lab *l = lab_new(&plain_opts);
	struct app_end *e;
	socklen_t len = sizeof(got);

	lab_open(l, 1000, 1000);
	e = &l->c->end[1];
	ck_assert_int_eq(
		set(l->app.lsn[0].w, l->app.lsn[0].fd, TL_LATCH_DISPOSITION, &d, sizeof(d)), 0);
	ck_assert_int_eq(
		tl_getsockopt(e->w, e->fd, SOL_TL_IPSEC, TL_LATCH_DISPOSITION, &got, &len), 0);
	ck_assert_uint_eq(got.on_conflict, TL_LATCH_DISP_RESET);
	ck_assert_int_eq(set(e->w, e->fd, TL_LATCH_DISPOSITION, &d, sizeof(d)), 0);
	rogue_sends(l, CRAFT_ACK);
	ck_assert_uint_eq(info_of(e).state, TL_LATCH_BROKEN);
	d.on_conflict = 99;
	ck_assert_int_eq(set(e->w, e->fd, TL_LATCH_DISPOSITION, &d, sizeof(d)), -EINVAL);
	lab_free(l);
}
END_TEST

/* B-17: the system's disposition, for programs that know nothing. */
START_TEST(b17_system_disposition_for_unaware_programs)
{
	struct lab *l = lab_new(&(struct lab_opts){.more = {"stack.disposition=wait"}});

	lab_open(l, 60000, 60000);
	rogue_sends(l, CRAFT_ACK);
	ck_assert_uint_eq(info_of(&l->c->end[1]).state, TL_LATCH_BROKEN);
	ck_assert_uint_ne(info_of(&l->c->end[1]).flags & TL_LATCH_F_AUTO, 0);
	lab_complete(l);
	lab_free(l);
}
END_TEST

/* B.4 (4b): while the rogue goes on, nothing comes back. */
START_TEST(no_return_while_the_conflict_lasts)
{
	struct lab *l = lab_new(&(struct lab_opts){.more = {"stack.disposition=wait"}});

	lab_open(l, 1000, 1000);
	for (int i = 0; i < 20; i++) {
		rogue_sends(l, CRAFT_ACK);
		lab_pass(l, 2 * VNET_S);
		good_sends(l);
		ck_assert_uint_eq(info_of(&l->c->end[1]).state, TL_LATCH_BROKEN);
	}
	ck_assert_uint_eq(info_of(&l->c->end[1]).breaks, 1);
	lab_free(l);
}
END_TEST

/* ---- conflicts elsewhere than in a segment ---- */

/* P-14: the SYN of another peer on a 5-tuple that lives: the old one ends, whatever its
 * disposition; or nothing happens; or he is refused, under his own SA, and the old one lives. */
START_TEST(p14_syn_of_another_peer)
{
	static const char *const knob[] = {
		"stack.new-syn=end", "stack.new-syn=drop", "stack.new-syn=reset"};
	struct lab *l = lab_new(&(struct lab_opts){.more = {knob[_i], "stack.disposition=wait"}});
	struct craft_seg s;

	lab_open(l, 1000, 1000);
	s = (struct craft_seg){.src = l->n[1]->ip,
		.dst = l->n[0]->ip,
		.sport = l->c->lport,
		.dport = APP_PORT,
		.seq = 77,
		.flags = CRAFT_SYN,
		.wnd = 1000};
	lab_send(l, 1, &l->bad[0], &s);
	lab_pass(l, 10 * VNET_MS);
	if (_i == 0) {
		ck_assert_int_eq(l->c->end[1].state, APP_FAILED);
		/* Its retransmission begins a connection of his own. */
		lab_send(l, 1, &l->bad[0], &s);
		lab_pass(l, 10 * VNET_MS);
		ck_assert_uint_eq(l->to_rogue.flags, CRAFT_SYN | CRAFT_ACK);
		ck_assert_uint_eq(l->to_rogue.ack, 78);
	} else {
		ck_assert_uint_eq(info_of(&l->c->end[1]).state, TL_LATCH_ESTABLISHED);
		ck_assert_uint_eq(l->under_rogue[0], _i == 2 ? 1 : 0);
		if (_i == 2)
			ck_assert_uint_ne(l->to_rogue.flags & CRAFT_RST, 0);
		lab_complete(l);
	}
	lab_free(l);
}
END_TEST

/* F-91: with m3-action = window a stray segment of another peer breaks nothing, one that fits does.
 */
START_TEST(f91_only_a_segment_in_the_window_breaks)
{
	struct lab *l = lab_new(&(struct lab_opts){.more = {"stack.m3-action=window"}});
	struct craft_seg s;

	lab_open(l, 1000, 1000);
	s = lab_seg(l, 1, CRAFT_ACK);
	s.seq -= 100000;
	lab_send(l, 1, &l->bad[0], &s);
	lab_pass(l, VNET_MS);
	ck_assert_int_eq(l->c->end[1].state, APP_OPEN);
	rogue_sends(l, CRAFT_ACK);
	ck_assert_int_eq(l->c->end[1].state, APP_FAILED);
	lab_free(l);
}
END_TEST

static void
add_another(struct lab *l, const char *name, struct craft_sa *sa, const char *peer,
	struct tl_error *e, int expect)
{
	char words[256], key[80] = "", *p = key;

	*sa = (struct craft_sa){.esn = true, .key_len = 20};
	lab_sa_draw(l->v, sa, 0x88000 + (uint32_t)name[0], l->n[1]->ip, l->n[0]->ip);
	for (int i = 0; i < 20; i++)
		p += sprintf(p, "%02x", sa->key[i]);
	snprintf(words, sizeof(words),
		"direction=in spi=%u local=%u.%u.%u.%u remote=%u.%u.%u.%u local-id=me peer-id=%s "
		"encryption=ENCR_AES_GCM_16 esn=yes key=%s",
		sa->spi, l->n[0]->ip >> 24, l->n[0]->ip >> 16 & 255, l->n[0]->ip >> 8 & 255,
		l->n[0]->ip & 255, l->n[1]->ip >> 24, l->n[1]->ip >> 16 & 255,
		l->n[1]->ip >> 8 & 255, l->n[1]->ip & 255, peer, key);
	ck_assert_int_eq(RTE_MIN(control_sa_add_words(l->n[0]->s, name, words, e), 0), expect);
	vnet_touch(l->n[0]);
}

/* B-1, K-2, K-3, K-5: an SA that covers a latch and is of another peer breaks it before it is
 * usable; one of the same profile is no conflict; in mode log nothing breaks; in mode reject it is
 * refused. */
START_TEST(k5_monitor_acts_before_the_sa_is_added)
{
	static const char *const knob[] = {"stack.monitor=break", "stack.monitor=log",
		"stack.monitor=reject", "stack.monitor=off"};
	struct lab *l = lab_new(&(struct lab_opts){.more = {knob[_i], "stack.disposition=wait"}});
	struct craft_sa same, other;
	struct tl_error e = {0};

	lab_open(l, 20000, 20000);
	add_another(l, "a", &same, "peer", &e, 0);
	ck_assert_uint_eq(info_of(&l->c->end[1]).state, TL_LATCH_ESTABLISHED);
	add_another(l, "b", &other, "rogue", &e, _i == 2 ? -EADDRINUSE : 0);
	ck_assert_uint_eq(
		info_of(&l->c->end[1]).state, _i == 0 ? TL_LATCH_BROKEN : TL_LATCH_ESTABLISHED);
	if (_i == 0)
		ck_assert_uint_eq(info_of(&l->c->end[1]).reason, TL_LATCH_SA_CONFLICT);
	if (_i == 2)
		ck_assert_ptr_nonnull(strstr(e.text, "1 latched connections"));
	lab_free(l);
}
END_TEST

/* P-23: the two models of RFC 5660 do not say the same. Tags (s2.4) notice another peer by his
 * packet and not before; the monitor (s2.3) by his SA, if he never sends one. This stack has both,
 * and taglatch-latching(7) tells which one does what. */
START_TEST(p23_the_models_differ_in_what_an_sa_alone_does)
{
	struct lab *l = lab_new(&(struct lab_opts){
		.more = {_i == 0 ? "stack.monitor=off" : "stack.monitor=break"}});
	struct craft_sa other;
	struct tl_error e = {0};

	lab_open(l, 20000, 20000);
	add_another(l, "b", &other, "rogue", &e, 0);
	lab_pass(l, 10 * VNET_S);
	ck_assert_uint_eq(l->c->end[1].state, _i == 0 ? APP_OPEN : APP_FAILED);
	if (_i == 0) {
		ck_assert_uint_eq(info_of(&l->c->end[1]).breaks, 0);
		rogue_sends(l, CRAFT_ACK);
		ck_assert_uint_eq(l->c->end[1].state, APP_FAILED);
	}
	ck_assert_uint_eq(
		l->c->end[1].info.reason, _i == 0 ? TL_LATCH_PEER_CONFLICT : TL_LATCH_SA_CONFLICT);
	lab_free(l);
}
END_TEST

/* B-20, RFC 5660 s6.5: who is on the path and may claim the address can break a latch, which is
 * accepted, because he can stop the packets as well. That is all that he gets: no octet of his is
 * delivered, none is sent to him, and when he is gone the connection goes on where it was. */
START_TEST(b20_attacker_on_the_path_costs_time_only)
{
	struct asked *a = ask();
	struct lab *l;

	a->disp.on_conflict = TL_LATCH_DISP_WAIT;
	l = lab_new(&plain_opts);
	lab_open(l, 60000, 60000);
	for (uint32_t i = 0; i < 20; i++) {
		struct craft_seg s = lab_seg(l, 1, CRAFT_ACK | CRAFT_PSH);

		s.data = (const uint8_t *)"poison";
		s.len = 6;
		if (_i == 0)
			lab_send(l, 1, &l->bad[0], &s);
		else
			l->block[0] = l->block[1] = true;
		lab_pass(l, 100 * VNET_MS);
		app_release(l->c);
		ck_assert_uint_eq(info_of(&l->c->end[1]).state,
			_i == 0 ? TL_LATCH_BROKEN : TL_LATCH_ESTABLISHED);
		ck_assert_int_eq(l->c->end[1].state, APP_OPEN);
	}
	ck_assert_uint_eq(l->c->end[1].rx_off, 0);
	ck_assert_uint_eq(l->under_rogue[0], 0);
	l->block[0] = l->block[1] = false;
	lab_complete(l); /* every octet of both streams is compared */
	lab_free(l);
}
END_TEST

/* K-6: all conflicting SAs are gone, and the transfer goes on. */
START_TEST(k6_return_when_the_conflicting_sa_is_deleted)
{
	struct lab *l = lab_new(
		&(struct lab_opts){.more = {"stack.monitor=break", "stack.disposition=wait"}});
	struct craft_sa other;
	struct tl_error e;

	/* What the lab added at first is a conflict already, but none that was added since. */
	lab_sa_del(l->n[0], "rogue-in", false);
	lab_sa_del(l->n[0], "rogue-out", false);
	lab_open(l, 60000, 60000);
	add_another(l, "b", &other, "rogue", &e, 0);
	app_release(l->c);
	lab_pass(l, 20 * VNET_S);
	ck_assert_uint_eq(info_of(&l->c->end[1]).state, TL_LATCH_BROKEN);
	lab_sa_del(l->n[0], "b", false);
	lab_complete(l);
	ck_assert_uint_eq(l->c->end[1].info.resumes, 1);
	lab_free(l);
}
END_TEST

/* K-12, K-10, F-24: the peer's SA is gone and another's covers the flow: the writer hears of it,
 * soon, and nothing is sent to the other. */
START_TEST(k10_another_peer_took_the_address)
{
	struct lab *l = lab_new(&plain_opts);
	uint64_t began;

	lab_open(l, 60000, 60000);
	lab_sa_del(l->n[0], "out0", false);
	began = l->v->now_ns;
	app_release(l->c);
	while (l->c->end[1].state == APP_OPEN && l->v->now_ns - began < 60 * VNET_S)
		lab_pass(l, VNET_S);
	ck_assert_int_eq(l->c->end[1].err, ECONNRESET);
	ck_assert_uint_eq(l->c->end[1].info.reason, TL_LATCH_PEER_CONFLICT);
	ck_assert_uint_lt(l->v->now_ns - began, 5 * VNET_S);
	ck_assert_uint_eq(l->under_rogue[0], 0);
	lab_free(l);
}
END_TEST

/* K-9, K-10: an idle connection does not notice that SAs went, and a rekey's gap is no take-over.
 */
START_TEST(k9_missing_sa_alone_breaks_nothing)
{
	struct lab *l = lab_new(&plain_opts);

	lab_open(l, 60000, 60000);
	lab_sa_del(l->n[0], "out0", false);
	lab_pass(l, 600 * VNET_S);
	ck_assert_uint_eq(info_of(&l->c->end[1]).state, TL_LATCH_ESTABLISHED);
	app_release(l->c);
	lab_pass(l, VNET_S);
	ck_assert_uint_eq(info_of(&l->c->end[1]).state, TL_LATCH_ESTABLISHED);
	l->good[0].seq = 0;
	lab_sa_draw(l->v, &l->good[0], LAB_SPI + 50, l->n[0]->ip, l->n[1]->ip);
	lab_sa_add(l->n[1], "in50", &l->good[0], true, "peer", "");
	lab_sa_add(l->n[0], "out50", &l->good[0], false, "peer", "");
	lab_complete(l);
	lab_free(l);
}
END_TEST

/* C-7: no latch while SAs of two peers cover the flow; neither by connect nor by accept. */
START_TEST(c7_two_peers_claim_the_flow)
{
	struct lab *l = lab_new(&(struct lab_opts){.unambiguous = true});
	struct craft_seg s;

	lab_begin(l, 1000, 1000);
	lab_pass(l, VNET_S);
	ck_assert_int_eq(l->c->end[0].state, APP_FAILED);
	ck_assert_int_eq(l->c->end[0].err, ECONNREFUSED);
	s = (struct craft_seg){.src = l->n[1]->ip,
		.dst = l->n[0]->ip,
		.sport = 4321,
		.dport = APP_PORT,
		.seq = 77,
		.flags = CRAFT_SYN,
		.wnd = 1000};
	lab_send(l, 1, &l->good[1], &s);
	lab_pass(l, VNET_S);
	ck_assert_uint_eq(lab_stat(l, 0, "latch-ambiguous"), 1);
	ck_assert_uint_eq(lab_sent(l, 0), 0);
	/* The policy names one of them, so nothing is ambiguous. */
	lab_free(l);
	l = lab_new(&(struct lab_opts){.unambiguous = true, .named_policy = true});
	lab_open(l, 1000, 1000);
	lab_complete(l);
	lab_free(l);
}
END_TEST

/* ---- requests ---- */

/* L-2, L-3, L-4, O-10: a listener that asks for one peer answers no other, and its children
 * inherit. */
START_TEST(l2_listener_takes_the_peer_that_it_asked_for)
{
	struct asked *a = ask();
	struct lab *l;

	a->opener = false;
	a->req = request(TL_LATCH_REQUIRED);
	a->peer = fqdn(_i == 0 ? "n1.example" : "somebody.else");
	a->events = 1 << TL_LATCH_EV_SPAWNED;
	l = lab_new(&plain_opts);
	lab_begin(l, 1000, 1000);
	lab_pass(l, 5 * VNET_S);
	if (_i == 0) {
		struct tl_latch_event ev;
		struct tl_latch_req got;
		socklen_t len = sizeof(got);

		ck_assert_int_eq(l->c->end[0].state, APP_OPEN);
		ck_assert_int_eq(tl_latch_event(l->app.lsn[0].w, l->app.lsn[0].fd, &ev), 1);
		ck_assert_uint_eq(ev.type, TL_LATCH_EV_SPAWNED);
		ck_assert_int_eq(tl_getsockopt(l->c->end[1].w, l->c->end[1].fd, SOL_TL_IPSEC,
					 TL_LATCH_REQUEST, &got, &len),
			0);
		ck_assert_uint_eq(got.flags, TL_LATCH_REQUIRED);
		ck_assert_uint_eq(info_of(&l->c->end[1]).flags & TL_LATCH_F_AUTO, 0);
		lab_complete(l);
	} else {
		ck_assert_int_eq(l->c->end[0].state, APP_OPENING);
		ck_assert_uint_eq(lab_sent(l, 0), 0); /* no SYN-ACK, no reset */
		ck_assert_uint_gt(lab_stat(l, 0, "latch-request"), 0);
	}
	lab_free(l);
}
END_TEST

/* C-6, P-5, F-38: connect uses the SA of the peer that was asked for, though another's is newer;
 * and the request is frozen then (G-16). */
START_TEST(c6_connect_to_the_peer_that_was_asked_for)
{
	struct asked *a = ask();
	struct tl_latch_req again = request(0);
	struct lab *l;

	a->listener = false;
	a->peer = fqdn("n0.example");
	l = lab_new(&(struct lab_opts){.unambiguous = true});
	/* The server must not doubt either. */
	lab_sa_del(l->n[0], "rogue-in", false);
	lab_sa_del(l->n[0], "rogue-out", false);
	lab_open(l, 1000, 1000);
	ck_assert_int_eq(
		set(l->c->end[0].w, l->c->end[0].fd, TL_LATCH_REQUEST, &again, sizeof(again)),
		-EINVAL);
	lab_complete(l);
	ck_assert_uint_eq(l->under_rogue[1], 0);
	lab_free(l);
}
END_TEST

/* P-5: nobody has an SA of the one that was asked for: an SA is asked for by name, nothing leaves.
 */
START_TEST(p5_connect_to_a_peer_without_sa)
{
	struct asked *a = ask();
	struct lab *l;

	a->listener = false;
	a->peer = fqdn("far.example");
	l = lab_new(&plain_opts);
	lab_begin(l, 1000, 1000);
	lab_pass(l, VNET_S);
	ck_assert_int_eq(l->c->end[0].err, EHOSTUNREACH);
	ck_assert_uint_eq(lab_stat(l, 1, "acquires"), 1);
	ck_assert_uint_eq(lab_sent(l, 1), 0);
	lab_free(l);
}
END_TEST

/* G-26, Q-7: a request for another suite than the SA has; the weaker one is not taken instead. */
START_TEST(g26_suite_that_was_asked_for)
{
	struct asked *a = ask();
	struct lab *l;

	a->listener = false;
	a->req = request(0);
	a->req.nsuite = 1;
	a->req.suite[0] = (struct tl_latch_suite){.encr = TL_ENCR_AES_GCM_16, .encr_bits = 256};
	l = lab_new(&plain_opts);
	lab_begin(l, 1000, 1000);
	lab_pass(l, VNET_S);
	ck_assert_int_eq(l->c->end[0].err, EHOSTUNREACH);
	ck_assert_uint_eq(lab_sent(l, 1), 0);
	lab_free(l);
}
END_TEST

/* C-5, L-5, O-4: REQUIRED under a policy that says BYPASS is an error, and a clear SYN to such a
 * listener is dropped in silence. */
START_TEST(l5_required_under_bypass)
{
	struct asked *a = ask();
	struct lab *l;

	a->req = request(TL_LATCH_REQUIRED);
	a->listener = _i == 0;
	a->opener = _i == 1;
	l = lab_new(&(struct lab_opts){.clear = true});
	lab_begin(l, 1000, 1000);
	lab_pass(l, VNET_S);
	if (_i == 0) {
		ck_assert_int_eq(l->c->end[0].state, APP_OPENING);
		ck_assert_uint_gt(lab_stat(l, 0, "latch-request"), 0);
		ck_assert_uint_eq(lab_sent(l, 0), 0);
	} else {
		ck_assert_int_eq(l->c->end[0].err, EACCES);
	}
	lab_free(l);
}
END_TEST

/* O-1, O-3, O-6: PROTECT over BYPASS where the administrator allows it: ESP from the first packet.
 */
START_TEST(o1_protection_where_policy_says_bypass)
{
	struct asked *a = ask();
	struct lab *l;

	a->req = request(TL_LATCH_REQUIRED);
	l = lab_new(&(struct lab_opts){.clear = true, .more = {"stack.optional-protection=yes"}});
	lab_open(l, 1000, 1000);
	ck_assert_uint_ne(info_of(&l->c->end[0]).flags & TL_LATCH_F_OVERRIDE, 0);
	ck_assert_uint_eq(info_of(&l->c->end[0]).state, TL_LATCH_ESTABLISHED);
	lab_complete(l);
	ck_assert_uint_eq(l->clear[0] + l->clear[1], 0);
	lab_free(l);
}
END_TEST

/* O-2, O-5, O-12, G-23: BYPASS over PROTECT for the privileged, for that socket only, and only
 * where it is switched on (O-4, O-11). */
START_TEST(o2_bypass_where_policy_says_protect)
{
	struct asked *a = ask();
	struct craft_seg s;
	struct lab *l;

	a->req = request(TL_LATCH_BYPASS);
	l = lab_new(&(struct lab_opts){.more = {"stack.privileged-bypass=yes"}});
	lab_open(l, 1000, 1000);
	ck_assert_uint_ne(info_of(&l->c->end[1]).flags & TL_LATCH_F_OVERRIDE, 0);
	ck_assert_uint_eq(info_of(&l->c->end[1]).state, TL_LATCH_NONE);
	/* A protected packet of that 5-tuple is a mismatch. */
	s = lab_seg(l, 1, CRAFT_RST);
	lab_send(l, 1, &l->good[1], &s);
	lab_pass(l, VNET_MS);
	ck_assert_uint_eq(lab_stat(l, 0, "latch-m6"), 1);
	lab_complete(l);
	ck_assert_uint_eq(l->esp[0] + l->esp[1], 0);
	/* The next one follows the policy. */
	a->listener = a->opener = false;
	lab_free(l);
}
END_TEST

START_TEST(o4_bypass_is_refused_where_it_is_not_switched_on)
{
	struct asked *a = ask();
	struct lab *l;

	a->listener = false;
	a->req = request(TL_LATCH_BYPASS);
	l = lab_new(&plain_opts);
	lab_begin(l, 1000, 1000);
	lab_pass(l, VNET_S);
	ck_assert_int_eq(l->c->end[0].err, EACCES);
	ck_assert_uint_eq(lab_sent(l, 1), 0);
	lab_free(l);
}
END_TEST

/* C-2, C-3, G-12, G-13: with a key manager there, connect waits for its SA; nothing leaves in
 * clear, nothing that comes is taken; then the SYN leaves at once (C-13). */
START_TEST(c3_connect_waits_for_the_sa)
{
	struct lab *l = lab_new(&(struct lab_opts){.more = {"stack.wait-for-sa=yes"}});
	struct craft_seg s;

	lab_sa_del(l->n[1], "out0", false);
	lab_sa_del(l->n[1], "rogue-out", false);
	lab_begin(l, 1000, 1000);
	lab_pass(l, 20 * VNET_S);
	ck_assert_int_eq(l->c->end[0].state, APP_OPENING);
	ck_assert_uint_eq(info_of(&l->c->end[0]).state, TL_LATCH_WANTED);
	ck_assert_uint_eq(lab_sent(l, 1), 0);
	ck_assert_uint_gt(lab_stat(l, 1, "latch-broken"), 1); /* its SYNs, lost */
	s = (struct craft_seg){.src = l->n[0]->ip,
		.dst = l->n[1]->ip,
		.sport = APP_PORT,
		.dport = l->c->lport,
		.flags = CRAFT_SYN | CRAFT_ACK,
		.wnd = 1000};
	lab_send_clear(l, 0, &s);
	lab_pass(l, VNET_S);
	ck_assert_uint_eq(info_of(&l->c->end[0]).state, TL_LATCH_WANTED);
	l->good[1].seq = 0;
	lab_sa_draw(l->v, &l->good[1], LAB_SPI + 50, l->n[1]->ip, l->n[0]->ip);
	lab_sa_add(l->n[0], "in50", &l->good[1], true, "peer", "");
	lab_sa_add(l->n[1], "out50", &l->good[1], false, "peer", "");
	vnet_touch(l->n[1]);
	lab_pass(l, 100 * VNET_MS);
	ck_assert_int_eq(l->c->end[0].state, APP_OPEN);
	lab_complete(l);
	lab_free(l);
}
END_TEST

/* G-18, G-17, E.4: no SA ever comes: that is packet loss, and ends as such. */
START_TEST(g17_no_sa_is_packet_loss)
{
	struct lab *l =
		lab_new(&(struct lab_opts){.more = {"stack.wait-for-sa=yes", "tcp.syn-retries=3"}});

	lab_sa_del(l->n[1], "out0", false);
	lab_sa_del(l->n[1], "rogue-out", false);
	lab_begin(l, 1000, 1000);
	lab_pass(l, 60 * VNET_S);
	ck_assert_int_eq(l->c->end[0].err, ETIMEDOUT);
	ck_assert_uint_eq(l->c->end[0].info.reason, TL_LATCH_NOSA);
	lab_free(l);
}
END_TEST

struct refusal {
	struct flow_key k;
	uint32_t n;
};

static void
refuse_here(struct lcore *lc, void *arg)
{
	struct refusal *r = arg;

	r->n += latch_refused(lc, &r->k);
}

/* C-4: the key manager says no: connect ends at once, and says why. */
START_TEST(c4_refusal_ends_connect_at_once)
{
	struct lab *l = lab_new(&(struct lab_opts){.more = {"stack.wait-for-sa=yes"}});
	struct refusal r = {.k = {.local = ip_addr_v4(rte_cpu_to_be_32(l->n[1]->ip)),
				    .remote = ip_addr_v4(rte_cpu_to_be_32(l->n[0]->ip))}};

	lab_sa_del(l->n[1], "out0", false);
	lab_sa_del(l->n[1], "rogue-out", false);
	lab_begin(l, 1000, 1000);
	lab_pass(l, VNET_S);
	ctl_call(l->n[1]->s, 0, refuse_here, &r);
	ck_assert_uint_eq(r.n, 1);
	vnet_touch(l->n[1]);
	lab_pass(l, VNET_MS);
	ck_assert_int_eq(l->c->end[0].err, EHOSTUNREACH);
	ck_assert_uint_eq(l->c->end[0].info.reason, TL_LATCH_NOSA);
	lab_free(l);
}
END_TEST

/* SYNs of ports that nobody has, until the listener keeps nothing any more. */
static void
flood(struct lab *l, struct craft_sa *sa)
{
	for (uint16_t i = 0; i < 80; i++) {
		struct craft_seg s = {.src = l->n[1]->ip,
			.dst = l->n[0]->ip,
			.sport = (uint16_t)(20000 + i),
			.dport = APP_PORT,
			.seq = i,
			.flags = CRAFT_SYN,
			.wnd = 1000};

		lab_send(l, 1, sa, &s);
	}
	lab_pass(l, VNET_MS);
}

static struct craft_seg
plain_syn(struct lab *l, uint16_t sport)
{
	return (struct craft_seg){.src = l->n[1]->ip,
		.dst = l->n[0]->ip,
		.sport = sport,
		.dport = APP_PORT,
		.seq = 777,
		.flags = CRAFT_SYN,
		.wnd = 1000};
}

/* F-22: the cookie is good under the protection of its SYN only: not under another peer's SA, not
 * in clear; an ACK with a number that we did not send makes nothing either, and draws no answer. */
START_TEST(f22_cookie_is_bound_to_the_profile)
{
	struct lab *l = lab_new(&plain_opts);
	struct craft_seg s, ack;
	uint64_t before;

	flood(l, &l->bad[0]);
	l->block[0] = true; /* the client's own stack would refuse what it did not ask for */
	s = plain_syn(l, 4321);
	lab_send(l, 1, &l->good[1], &s);
	lab_pass(l, VNET_MS);
	ck_assert_uint_gt(lab_stat(l, 0, "tcp-cookies-out"), 0);
	ck_assert_uint_eq(l->last[0].flags, CRAFT_SYN | CRAFT_ACK);
	ack = s;
	ack.flags = CRAFT_ACK;
	ack.seq = s.seq + 1;
	ack.ack = l->last[0].seq + 1;
	before = lab_sent(l, 0);
	lab_send(l, 1, &l->bad[0], &ack);
	lab_send_clear(l, 1, &ack);
	ack.ack++;
	lab_send(l, 1, &l->good[1], &ack);
	ack.ack--;
	ack.seq++;
	lab_send(l, 1, &l->good[1], &ack);
	ack.seq--;
	lab_pass(l, VNET_MS);
	ck_assert_uint_eq(lab_stat(l, 0, "tcp-cookies-in"), 0);
	ck_assert_uint_eq(lab_stat(l, 0, "tcp-cookie"), 3);
	ck_assert_uint_eq(lab_sent(l, 0), before);
	lab_send(l, 1, &l->good[1], &ack);
	lab_pass(l, VNET_MS);
	ck_assert_uint_eq(lab_stat(l, 0, "tcp-cookies-in"), 1);
	ck_assert_uint_eq(lab_stat(l, 0, "tcp-established"), 1);
	lab_free(l);
}
END_TEST

/* A cookie is good for its minute and the next, no longer. */
START_TEST(f22_cookie_expires)
{
	struct lab *l = lab_new(&(struct lab_opts){.more = {"tcp.syn-retries=15"}});
	struct craft_seg s, ack;

	flood(l, &l->bad[0]);
	l->block[0] = true;
	s = plain_syn(l, 4321);
	lab_send(l, 1, &l->good[1], &s);
	lab_pass(l, VNET_MS);
	ack = s;
	ack.flags = CRAFT_ACK;
	ack.seq = s.seq + 1;
	ack.ack = l->last[0].seq + 1;
	lab_pass(l, (_i == 0 ? 60 : 200) * VNET_S);
	/* Another one keeps the listener in that mode. */
	s.sport++;
	lab_send(l, 1, &l->good[1], &s);
	lab_send(l, 1, &l->good[1], &ack);
	lab_pass(l, VNET_MS);
	ck_assert_uint_eq(lab_stat(l, 0, "tcp-cookies-in"), _i == 0 ? 1 : 0);
	lab_free(l);
}
END_TEST

/* A whole stack opens, transfers and closes by a cookie, with its window scaled. */
START_TEST(flooded_listener_serves_real_clients)
{
	struct lab *l = lab_new(&plain_opts);

	flood(l, &l->bad[0]);
	lab_begin(l, 400000, 400000);
	l->good[1].seq = 0;
	ck_assert(vnet_run(l->v, app_conn_open, l->c, 10 * VNET_S));
	ck_assert_uint_eq(lab_stat(l, 0, "tcp-cookies-in"), 1);
	lab_complete(l);
	lab_free(l);
}
END_TEST

/* L-2: a listener that asked for another peer sends no cookie either. */
START_TEST(l2_no_cookie_for_whom_the_listener_does_not_take)
{
	struct asked *a = ask();
	struct lab *l;
	struct craft_seg s;

	a->opener = false;
	a->peer = fqdn("rogue.example");
	l = lab_new(&plain_opts);
	flood(l, &l->bad[0]);
	s = plain_syn(l, 4321);
	lab_send(l, 1, &l->good[1], &s);
	lab_pass(l, VNET_MS);
	ck_assert_uint_eq(lab_stat(l, 0, "latch-request"), 1);
	ck_assert_uint_ne(l->last[0].dport, 4321);
	lab_free(l);
}
END_TEST

/* G-22: another connection to the address must have the peer that the first one has. */
START_TEST(g22_same_peer_as_the_other_connections)
{
	struct lab *l = lab_new(&(struct lab_opts){
		.more = {_i == 0 ? "stack.same-peer=yes" : "stack.same-peer=no"}});
	struct craft_seg s;

	lab_open(l, 1000, 1000);
	s = (struct craft_seg){.src = l->n[1]->ip,
		.dst = l->n[0]->ip,
		.sport = 4321,
		.dport = APP_PORT,
		.seq = 77,
		.flags = CRAFT_SYN,
		.wnd = 1000};
	lab_send(l, 1, &l->bad[0], &s);
	lab_pass(l, VNET_MS);
	ck_assert_uint_eq(lab_stat(l, 0, "latch-request"), _i == 0 ? 1 : 0);
	ck_assert_uint_eq(l->under_rogue[0], _i == 0 ? 0 : 1);
	lab_free(l);
}
END_TEST

/* G-19: what did not ask is not latched where the administrator says so; the policy still protects
 * every packet. */
START_TEST(g19_automatic_latching_can_be_switched_off)
{
	struct lab *l =
		lab_new(&(struct lab_opts){.named_policy = true, .more = {"stack.auto-latch=no"}});

	lab_open(l, 20000, 20000);
	ck_assert_uint_eq(info_of(&l->c->end[1]).state, TL_LATCH_NONE);
	lab_complete(l);
	ck_assert_uint_eq(l->clear[0] + l->clear[1], 0);
	ck_assert_uint_gt(l->esp[0], 0);
	lab_free(l);
}
END_TEST

/* M-5 to M-9, B-1: what the key manager says of the peer. */
struct verdict {
	uint32_t peer;
	enum latch_peer_event what;
	uint32_t n;
};

static void
peer_here(struct lcore *lc, void *arg)
{
	struct verdict *v = arg;

	v->n += latch_peer(lc, v->peer, v->what);
}

/* B-1, M-5, M-6: the administrator's choice: close (as the RFC says), break by disposition, ignore.
 */
START_TEST(dpd_closes_breaks_or_is_ignored)
{
	static const char *const knob[] = {
		"stack.dpd-action=close", "stack.dpd-action=break", "stack.dpd-action=ignore"};
	struct lab *l = lab_new(&(struct lab_opts){.more = {knob[_i], "stack.disposition=wait"}});
	struct verdict v = {.what = LATCH_PEER_DEAD};

	lab_open(l, 1000, 1000);
	v.peer = info_of(&l->c->end[1]).peer_id + 1000;
	ctl_call(l->n[0]->s, 0, peer_here, &v);
	ck_assert_uint_eq(v.n, 0); /* latches of others live */
	v.peer = info_of(&l->c->end[1]).peer_id;
	ctl_call(l->n[0]->s, 0, peer_here, &v);
	vnet_touch(l->n[0]);
	lab_pass(l, VNET_MS);
	if (_i == 0) {
		ck_assert_int_eq(l->c->end[1].err, ECONNRESET);
		ck_assert_uint_eq(l->c->end[1].info.reason, TL_LATCH_PEER_DEAD);
	} else {
		ck_assert_uint_eq(info_of(&l->c->end[1]).state,
			_i == 1 ? TL_LATCH_BROKEN : TL_LATCH_ESTABLISHED);
	}
	lab_free(l);
}
END_TEST

/* M-7: a restart of the peer's key manager is news, no break. */
START_TEST(restart_of_the_peers_key_manager_is_news_only)
{
	struct asked *a = ask();
	struct verdict v = {.what = LATCH_PEER_IKE_RESTART};
	struct lab *l;
	uint16_t ev[16];

	a->events = 1 << TL_LATCH_EV_PEER_RESTART;
	l = lab_new(&plain_opts);
	lab_open(l, 1000, 1000);
	v.peer = info_of(&l->c->end[1]).peer_id;
	ctl_call(l->n[0]->s, 0, peer_here, &v);
	ck_assert_uint_eq(events_of(&l->c->end[1], ev), 1);
	ck_assert_uint_eq(ev[0], TL_LATCH_EV_PEER_RESTART);
	lab_complete(l);
	lab_free(l);
}
END_TEST

/* B-2: every transition is told once; the 17th event pushes the oldest out, and that is told too.
 */
START_TEST(b2_every_transition_is_told)
{
	struct asked *a = ask();
	struct lab *l;
	uint16_t ev[16];
	uint32_t n;

	a->events = (1u << TL_LATCH_EVENT_TYPES) - 1;
	a->disp.on_conflict = TL_LATCH_DISP_WAIT;
	l = lab_new(&(struct lab_opts){.more = {"stack.settle-ms=1"}});
	lab_open(l, 1000, 1000);
	n = events_of(&l->c->end[1], ev);
	ck_assert_uint_eq(n, 1);
	ck_assert_uint_eq(ev[0], TL_LATCH_EV_ESTABLISHED);
	for (int i = 0; i < 7; i++) {
		rogue_sends(l, CRAFT_ACK);
		good_sends(l);
		ck_assert_uint_eq(info_of(&l->c->end[1]).state, TL_LATCH_ESTABLISHED);
	}
	n = events_of(&l->c->end[1], ev);
	ck_assert_uint_eq(n, 14);
	for (uint32_t i = 0; i < n; i++)
		ck_assert_uint_eq(ev[i], i % 2 == 0 ? TL_LATCH_EV_BROKEN : TL_LATCH_EV_RESTORED);
	for (int i = 0; i < 10; i++) {
		rogue_sends(l, CRAFT_ACK);
		good_sends(l);
	}
	n = events_of(&l->c->end[1], ev);
	ck_assert_uint_eq(ev[0], TL_LATCH_EV_LOST);
	ck_assert_uint_eq(n, 16);
	lab_free(l);
}
END_TEST

/* E.2: the program's own release and look. */
START_TEST(program_resumes_and_closes_its_latch)
{
	struct lab *l = lab_new(
		&(struct lab_opts){.more = {"stack.disposition=wait", "stack.settle-ms=600000"}});
	struct app_end *e;
	uint32_t one = 1, two = 2;

	lab_open(l, 1000, 1000);
	e = &l->c->end[1];
	ck_assert_int_eq(set(e->w, e->fd, TL_LATCH_RESUME, &one, sizeof(one)), -ENOTCONN);
	rogue_sends(l, CRAFT_ACK);
	ck_assert_int_eq(set(e->w, e->fd, TL_LATCH_RESUME, &two, sizeof(two)), -EINVAL);
	ck_assert_int_eq(set(e->w, e->fd, TL_LATCH_RESUME, &one, sizeof(one)), 0);
	ck_assert_uint_eq(info_of(e).state, TL_LATCH_ESTABLISHED);
	ck_assert_int_eq(set(e->w, e->fd, TL_LATCH_CLOSE, &one, sizeof(one)), 0);
	vnet_touch(l->n[0]);
	lab_pass(l, VNET_MS);
	ck_assert_int_eq(e->err, ECONNRESET);
	ck_assert_uint_eq(e->info.reason, TL_LATCH_ADMIN);
	lab_free(l);
}
END_TEST

/* E.3: Solaris' option. */
START_TEST(ip_sec_opt_is_understood)
{
	struct lab *l = lab_new(&plain_opts);
	struct tl_worker *w = tl_worker(l->n[0]->s, 0);
	struct tl_ipsec_req q = {.esp_req = TL_IPSEC_PREF_REQUIRED | TL_IPSEC_PREF_UNIQUE};
	struct tl_latch_req r;
	socklen_t len = sizeof(r);
	int fd = tl_socket(w, AF_INET, SOCK_STREAM, 0);

	ck_assert_int_eq(tl_setsockopt(w, fd, IPPROTO_IP, TL_IP_SEC_OPT, &q, sizeof(q)), 0);
	ck_assert_int_eq(tl_getsockopt(w, fd, SOL_TL_IPSEC, TL_LATCH_REQUEST, &r, &len), 0);
	ck_assert_uint_eq(r.flags, TL_LATCH_REQUIRED | TL_LATCH_UNIQUE);
	q = (struct tl_ipsec_req){.ah_req = TL_IPSEC_PREF_REQUIRED};
	ck_assert_int_ne(tl_setsockopt(w, fd, IPPROTO_IP, TL_IP_SEC_OPT, &q, sizeof(q)), 0);
	ck_assert_int_eq(errno, EOPNOTSUPP);
	q = (struct tl_ipsec_req){.esp_req = TL_IPSEC_PREF_REQUIRED, .esp_alg = TL_ENCR_AES_GCM_16};
	ck_assert_int_eq(tl_setsockopt(w, fd, IPPROTO_IP, TL_IP_SEC_OPT, &q, sizeof(q)), 0);
	tl_close(w, fd);
	lab_free(l);
}
END_TEST

/* A listener that wants events is flooded: the question about a cookie tells nobody anything. */
START_TEST(events_of_a_flooded_listener)
{
	struct asked *a = ask();
	struct lab *l;

	a->opener = false;
	a->events = (1u << TL_LATCH_EVENT_TYPES) - 1;
	l = lab_new(&plain_opts);
	flood(l, &l->bad[0]);
	ck_assert_uint_gt(lab_stat(l, 0, "tcp-cookies-out"), 0);
	lab_free(l);
}
END_TEST

/* S-1, S-2: what is BROKEN for another reason is not immune to an edit. */
START_TEST(s2_edit_while_the_latch_is_broken)
{
	struct lab *l = lab_new(
		&(struct lab_opts){.spd_break = true, .more = {"stack.disposition=suspend"}});
	struct spd_rule r = {.action = SPD_DISCARD, .dir = SPD_BOTH};
	struct tl_error e;

	lab_open(l, 60000, 60000);
	rogue_sends(l, CRAFT_ACK);
	esp_sel_any(&r.sel, 0);
	ck_assert_int_eq(control_policy_set(l->n[0]->s, &r, 1, &e), 0);
	ck_assert_uint_eq(info_of(&l->c->end[1]).reason, TL_LATCH_SPD_CHANGE);
	app_release(l->c);
	lab_pass(l, 60 * VNET_S);
	ck_assert_uint_eq(info_of(&l->c->end[1]).state, TL_LATCH_BROKEN);
	ck_assert_uint_eq(l->c->end[0].rx_off, 0);
	lab_free(l);
}
END_TEST

/* G-22: breaking the first connection does not open the way for the second. */
START_TEST(g22_broken_sibling_counts)
{
	struct lab *l = lab_new(
		&(struct lab_opts){.more = {"stack.same-peer=yes", "stack.disposition=suspend"}});
	struct craft_seg s;

	lab_open(l, 1000, 1000);
	rogue_sends(l, CRAFT_ACK);
	s = plain_syn(l, 4321);
	lab_send(l, 1, &l->bad[0], &s);
	lab_pass(l, VNET_MS);
	ck_assert_uint_eq(lab_stat(l, 0, "latch-request"), 1);
	ck_assert_uint_eq(l->under_rogue[0], 0);
	lab_free(l);
}
END_TEST

/* B-4, G-17, F-31: a rogue that breaks the latch again and again does not keep a dead connection.
 */
START_TEST(b4_rogue_cannot_keep_a_dead_connection)
{
	struct lab *l = lab_new(
		&(struct lab_opts){.more = {"stack.disposition=wait", "tcp.data-retries=6"}});
	struct craft_seg s;

	lab_open(l, 60000, 60000);
	s = lab_seg(l, 1, CRAFT_ACK);
	l->block[0] = l->block[1] = true;
	app_release(l->c);
	for (int i = 0; i < 200; i++) {
		lab_send(l, 1, &l->bad[0], &s);
		lab_pass(l, 6 * VNET_S);
	}
	ck_assert_int_eq(l->c->end[1].state, APP_FAILED);
	lab_free(l);
}
END_TEST

/* O-8: what connect() may not open, accept() does not either. */
START_TEST(o8_discard_on_the_way_out_refuses_the_syn)
{
	struct lab *l = lab_new(&plain_opts);
	struct tl_error e;
	struct spd_rule r[2] = {{.action = SPD_PROTECT, .dir = SPD_IN, .name = "i"},
		{.action = SPD_DISCARD, .dir = SPD_OUT, .name = "o"}};

	esp_sel_any(&r[0].sel, 0);
	esp_sel_any(&r[1].sel, 0);
	ck_assert_int_eq(control_policy_set(l->n[0]->s, r, 2, &e), 0);
	lab_begin(l, 1000, 1000);
	lab_pass(l, 3 * VNET_S);
	ck_assert_int_eq(l->c->end[0].state, APP_OPENING);
	ck_assert_uint_gt(lab_stat(l, 0, "latch-request"), 0);
	ck_assert_uint_eq(lab_sent(l, 0), 0);
	lab_free(l);
}
END_TEST

/* F-29, B.4: where packets of others are dropped, they do not prolong a break that another cause
 * had; and S-8, Z-2: what the administrator broke, time does not mend, nor the program. */
START_TEST(z2_administrators_break_lasts)
{
	static const struct latch_filter all;
	struct lab *l =
		lab_new(&(struct lab_opts){.m3_drop = true, .more = {"stack.disposition=suspend"}});
	uint32_t one = 1;

	lab_open(l, 1000, 1000);
	latch_admin_break(l->n[0]->s->lc[0], &all);
	lab_pass(l, 60 * VNET_S);
	ck_assert_uint_eq(info_of(&l->c->end[1]).state, TL_LATCH_BROKEN);
	good_sends(l);
	ck_assert_uint_eq(info_of(&l->c->end[1]).state, TL_LATCH_BROKEN);
	ck_assert_int_eq(
		set(l->c->end[1].w, l->c->end[1].fd, TL_LATCH_RESUME, &one, sizeof(one)), -EPERM);
	lab_free(l);
}
END_TEST

START_TEST(f29_dropped_packets_do_not_prolong_a_break)
{
	struct lab *l = lab_new(&(struct lab_opts){
		.m3_drop = true, .spd_break = true, .more = {"stack.disposition=suspend"}});
	struct spd_rule r = {.action = SPD_DISCARD, .dir = SPD_BOTH};
	struct tl_error e;

	lab_open(l, 1000, 1000);
	esp_sel_any(&r.sel, 0);
	ck_assert_int_eq(control_policy_set(l->n[0]->s, &r, 1, &e), 0);
	ck_assert_uint_eq(info_of(&l->c->end[1]).state, TL_LATCH_BROKEN);
	r.action = SPD_PROTECT;
	ck_assert_int_eq(control_policy_set(l->n[0]->s, &r, 1, &e), 0);
	for (int i = 0; i < 10; i++) {
		rogue_sends(l, CRAFT_RST);
		lab_pass(l, VNET_S);
	}
	ck_assert_uint_eq(info_of(&l->c->end[1]).state, TL_LATCH_ESTABLISHED);
	lab_free(l);
}
END_TEST

/* B.4 (4b): as long as the other one has an SA, silence is no proof; the peer must be heard. */
START_TEST(silence_alone_restores_nothing_while_the_other_is_there)
{
	struct lab *l = lab_new(&(struct lab_opts){.more = {"stack.disposition=wait"}});

	lab_open(l, 1000, 1000);
	rogue_sends(l, CRAFT_ACK);
	lab_pass(l, 60 * VNET_S);
	ck_assert_uint_eq(info_of(&l->c->end[1]).state, TL_LATCH_BROKEN);
	good_sends(l);
	ck_assert_uint_eq(info_of(&l->c->end[1]).state, TL_LATCH_ESTABLISHED);
	lab_free(l);
}
END_TEST

/* B-12, RFC 9293 s3.10.7.4: in TIME-WAIT nothing is lost by a close of the latch. */
START_TEST(b12_close_in_time_wait_leaves_what_was_received)
{
	static const struct latch_filter all;
	struct lab *l = lab_new(&plain_opts);
	struct app_end *s, *c;
	char b[64];

	lab_open(l, 1000, 1000);
	s = &l->c->end[1];
	c = &l->c->end[0];
	tl_watch(s->w, s->fd, 0, NULL);
	ck_assert_int_eq(tl_send(c->w, c->fd, "hello", 5, 0), 5);
	vnet_touch(l->n[1]);
	lab_pass(l, VNET_S);
	ck_assert_int_eq(tl_shutdown(s->w, s->fd, SHUT_WR), 0);
	vnet_touch(l->n[0]);
	lab_pass(l, VNET_S);
	ck_assert_int_eq(tl_shutdown(c->w, c->fd, SHUT_WR), 0);
	vnet_touch(l->n[1]);
	lab_pass(l, 100 * VNET_MS);
	ck_assert_str_eq(lab_state(l, 0), "TIME-WAIT");
	ck_assert_uint_eq(latch_admin_close(l->n[0]->s->lc[0], &all, TL_LATCH_ADMIN), 1);
	ck_assert_int_eq(tl_recv(s->w, s->fd, b, sizeof(b), 0), 5);
	lab_free(l);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("latch_disp");
	TCase *c = tcase_create("latch");

	tcase_set_timeout(c, 120);
	tcase_add_loop_test(c, b7_reset_is_the_default_and_the_error_mode_names_it, 0, 2);
	tcase_add_test(c, b3_b6_waiting_is_silent_and_returns_with_the_peer);
	tcase_add_test(c, b5_a_waiting_connection_is_not_touched);
	tcase_add_loop_test(c, b15_waiting_ends_by_the_timer, 0, 2);
	tcase_add_test(c, b8_unreachable_is_a_soft_error);
	tcase_add_test(c, b18_suspended_connection_does_not_give_up);
	tcase_add_test(c, b18_suspension_has_an_end);
	tcase_add_test(c, b9_disposition_is_set_before_and_after);
	tcase_add_test(c, b17_system_disposition_for_unaware_programs);
	tcase_add_test(c, no_return_while_the_conflict_lasts);
	tcase_add_loop_test(c, p14_syn_of_another_peer, 0, 3);
	tcase_add_test(c, f91_only_a_segment_in_the_window_breaks);
	tcase_add_loop_test(c, k5_monitor_acts_before_the_sa_is_added, 0, 4);
	tcase_add_loop_test(c, p23_the_models_differ_in_what_an_sa_alone_does, 0, 2);
	tcase_add_loop_test(c, b20_attacker_on_the_path_costs_time_only, 0, 2);
	tcase_add_test(c, k6_return_when_the_conflicting_sa_is_deleted);
	tcase_add_test(c, k10_another_peer_took_the_address);
	tcase_add_test(c, k9_missing_sa_alone_breaks_nothing);
	tcase_add_test(c, c7_two_peers_claim_the_flow);
	tcase_add_loop_test(c, l2_listener_takes_the_peer_that_it_asked_for, 0, 2);
	tcase_add_test(c, c6_connect_to_the_peer_that_was_asked_for);
	tcase_add_test(c, p5_connect_to_a_peer_without_sa);
	tcase_add_test(c, g26_suite_that_was_asked_for);
	tcase_add_loop_test(c, l5_required_under_bypass, 0, 2);
	tcase_add_test(c, o1_protection_where_policy_says_bypass);
	tcase_add_test(c, o2_bypass_where_policy_says_protect);
	tcase_add_test(c, o4_bypass_is_refused_where_it_is_not_switched_on);
	tcase_add_test(c, c3_connect_waits_for_the_sa);
	tcase_add_test(c, g17_no_sa_is_packet_loss);
	tcase_add_test(c, c4_refusal_ends_connect_at_once);
	tcase_add_test(c, f22_cookie_is_bound_to_the_profile);
	tcase_add_loop_test(c, f22_cookie_expires, 0, 2);
	tcase_add_test(c, flooded_listener_serves_real_clients);
	tcase_add_test(c, l2_no_cookie_for_whom_the_listener_does_not_take);
	tcase_add_loop_test(c, g22_same_peer_as_the_other_connections, 0, 2);
	tcase_add_test(c, g19_automatic_latching_can_be_switched_off);
	tcase_add_loop_test(c, dpd_closes_breaks_or_is_ignored, 0, 3);
	tcase_add_test(c, restart_of_the_peers_key_manager_is_news_only);
	tcase_add_test(c, b2_every_transition_is_told);
	tcase_add_test(c, program_resumes_and_closes_its_latch);
	tcase_add_test(c, ip_sec_opt_is_understood);
	tcase_add_test(c, events_of_a_flooded_listener);
	tcase_add_test(c, s2_edit_while_the_latch_is_broken);
	tcase_add_test(c, g22_broken_sibling_counts);
	tcase_add_test(c, b4_rogue_cannot_keep_a_dead_connection);
	tcase_add_test(c, o8_discard_on_the_way_out_refuses_the_syn);
	tcase_add_test(c, z2_administrators_break_lasts);
	tcase_add_test(c, f29_dropped_packets_do_not_prolong_a_break);
	tcase_add_test(c, silence_alone_restores_nothing_while_the_other_is_there);
	tcase_add_test(c, b12_close_in_time_wait_leaves_what_was_received);
	suite_add_tcase(s, c);
	return env_main(s);
}
