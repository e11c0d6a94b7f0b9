/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Every chunk in every state: one stack, 10.0.0.1, and a peer, 10.0.0.2, that the test plays.
 *
 * Also what needs a peer who does not behave: cookies under another SA, old ones, restarts.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#include "sctp/sctp_int.h"
#include "stack/ctl/show.h"
#include "stack/include/tl_sock.h"
#include "stack/run/run.h"
#include "tests/util/esp_craft.h"
#include "tests/util/lc_env.h"
#include "tests/util/vnet.h"
#include "tests/util/vnet_lab.h"

enum { ME = 0x0a000001, PEER = 0x0a000002, SCTP = 132, PEER_TAG = 0x7e7e7e7e, PEER_TSN = 500 };

static struct {
	struct vnet *v;
	struct vnet_node *n, *peer;
	struct craft_sa in, out, rogue;
	bool esp;
	int lsn, fd;
	uint16_t port; /* ours; the peer's is 4000 */
	uint8_t last[2048];
	size_t last_len; /* the last SCTP packet of the stack */
	uint32_t sent;
	struct sctp_init init; /* of its last INIT or INIT ACK */
	uint8_t cookie[1024];
	uint16_t cookie_len;
} t;

static void
note(const uint8_t *p, size_t len)
{
	struct sctp_walk k;
	struct sctp_chunk c;
	struct sctp_hdr h;

	ck_assert_uint_eq(sctp_wire_check(p, (uint32_t)len, &h), DROP_NONE);
	memcpy(t.last, p, len);
	t.last_len = len;
	t.sent++;
	sctp_walk_start(&k, t.last, (uint32_t)len);
	while (sctp_walk_next(&k, &c)) {
		if (c.type != SCTP_INIT && c.type != SCTP_INIT_ACK)
			continue;
		ck_assert(sctp_wire_init(&c, &t.init));
		t.port = (uint16_t)(p[0] << 8 | p[1]);
		t.cookie_len = t.init.cookie.len;
		if (t.cookie_len > 0)
			memcpy(t.cookie, t.init.cookie.at, t.cookie_len);
	}
}

static bool
tap(struct vnet *v, struct vnet_node *from, uint8_t *frame, size_t len, void *arg)
{
	static uint8_t plain[CRAFT_MAX];
	uint8_t nxt;
	long n;

	(void)v;
	(void)arg;
	if (from != t.n)
		return true;
	if (frame[9] == SCTP)
		note(frame + 20, len - 20);
	if (frame[9] == CRAFT_ESP) {
		n = craft_open(&t.out, frame + 20, len - 20, plain, &nxt);
		if (n > 0 && nxt == SCTP)
			note(plain, (size_t)n);
	}
	return false;
}

static void
pass(uint64_t ns)
{
	vnet_touch(t.n);
	vnet_run(t.v, NULL, NULL, ns);
}

static void
start(bool esp)
{
	memset(&t, 0, sizeof(t));
	t.esp = esp;
	t.fd = t.lsn = -1;
	t.v = vnet_new(1, true);
	t.v->tap = tap;
	t.n = vnet_add(t.v, ME);
	vnet_set(t.n, "sctp.max-associations", "8");
	vnet_set(t.n, "sctp.max-chunks", "256");
	vnet_set(t.n, "stack.sa-choice", "newest");
	vnet_set(t.n, "policy all.action", esp ? "protect" : "bypass");
	for (int i = 0; i < 3; i++) {
		static const char *const who[] = {"me", "peer", "rogue"};
		char key[64];

		snprintf(key, sizeof(key), "identity %s.type", who[i]);
		vnet_set(t.n, key, "fqdn");
		snprintf(key, sizeof(key), "identity %s.value", who[i]);
		vnet_set(t.n, key, "%s.example", who[i]);
	}
	vnet_start(t.n);
	t.peer = vnet_add(t.v, PEER); /* only its address is needed */
	if (!esp)
		return;
	t.in.key_len = t.out.key_len = t.rogue.key_len = 20;
	lab_sa_draw(t.v, &t.in, 0x1000, PEER, ME);
	lab_sa_draw(t.v, &t.out, 0x1001, ME, PEER);
	lab_sa_draw(t.v, &t.rogue, 0x6660, PEER, ME);
	lab_sa_add(t.n, "in", &t.in, true, "peer", "");
	lab_sa_add(t.n, "out", &t.out, false, "peer", "");
}

static struct tl_worker *
w(void)
{
	return tl_worker(t.n->s, 0);
}

static struct sctp_assoc *
assoc(void)
{
	return TAILQ_FIRST(&t.n->s->lc[0]->sctp->all);
}

static void
stop(void)
{
	if (t.fd >= 0)
		tl_close(w(), t.fd);
	if (t.lsn >= 0)
		tl_close(w(), t.lsn);
	pass(4000 * VNET_S);
	vnet_check_empty(t.n);
	vnet_free(t.v);
}

/* A packet of the peer with what is in e. */
static void
give(struct sctp_emit *e, struct craft_sa *sa)
{
	uint8_t ip[2048], body[2048];
	size_t n;

	sctp_emit_finish(e);
	if (sa != NULL) {
		n = craft_esp(sa, body, SCTP, e->p, e->len, NULL);
		n = craft_ip4(ip, PEER, ME, CRAFT_ESP, body, n);
	} else {
		n = craft_ip4(ip, PEER, ME, SCTP, e->p, e->len);
	}
	vnet_inject(t.v, t.n, t.peer, ip, n, 0, 1);
	pass(VNET_MS);
}

static uint8_t room[2048];

static struct sctp_emit
packet(uint32_t vtag)
{
	struct sctp_emit e = {.p = room, .cap = sizeof(room)};

	sctp_emit_header(&e, htons(4000), htons(t.port), vtag);
	return e;
}

static struct craft_sa *
own_sa(void)
{
	return t.esp ? &t.in : NULL;
}

static void
give_init(uint8_t type, uint32_t vtag, uint32_t own_tag, struct craft_sa *sa)
{
	struct sctp_emit e = packet(vtag);
	struct sctp_offer o = {
		.vtag = own_tag, .a_rwnd = 50000, .tsn = PEER_TSN, .nb_out = 8, .nb_in = 8};

	if (type == SCTP_INIT_ACK)
		o.cookie = (struct sctp_bytes){(const uint8_t *)"biscuit", 7};
	sctp_emit_init(&e, type, &o);
	give(&e, sa);
}

static void
give_cookie(struct craft_sa *sa)
{
	struct sctp_emit e = packet(t.init.vtag);

	memcpy(sctp_emit_chunk(&e, SCTP_COOKIE_ECHO, 0, t.cookie_len), t.cookie, t.cookie_len);
	give(&e, sa);
}

static void
give_chunk(uint8_t type, uint8_t flags, uint32_t vtag, const void *val, uint32_t len)
{
	struct sctp_emit e = packet(vtag);
	uint8_t *p = sctp_emit_chunk(&e, type, flags, len);

	if (len > 0)
		memcpy(p, val, len);
	give(&e, own_sa());
}

static uint8_t
last_type(void)
{
	return t.last_len > SCTP_HLEN ? t.last[SCTP_HLEN] : 255;
}

/* ---- builders ---- */

static void
listen_at(uint16_t port)
{
	struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(port)};

	t.port = port;
	t.lsn = tl_socket(w(), AF_INET, SOCK_STREAM, SCTP);
	ck_assert_int_eq(tl_bind(w(), t.lsn, (struct sockaddr *)&in, sizeof(in)), 0);
	ck_assert_int_eq(tl_listen(w(), t.lsn, 5), 0);
}

/* Brings the association there, as its opener. */
static void
reach(enum sctp_state st)
{
	struct sockaddr_in in = {
		.sin_family = AF_INET, .sin_port = htons(4000), .sin_addr.s_addr = htonl(PEER)};
	uint32_t none = htonl(PEER_TSN - 1);
	bool busy = st == SCTPS_SHUTDOWN_PENDING || st == SCTPS_SHUTDOWN_RECEIVED;

	t.fd = tl_socket(w(), AF_INET, SOCK_STREAM, SCTP);
	tl_connect(w(), t.fd, (struct sockaddr *)&in, sizeof(in));
	pass(VNET_MS);
	ck_assert_uint_eq(last_type(), SCTP_INIT);
	if (st >= SCTPS_COOKIE_ECHOED) {
		uint32_t tag = t.init.vtag;

		give_init(SCTP_INIT_ACK, tag, PEER_TAG, own_sa());
		ck_assert_uint_eq(last_type(), SCTP_COOKIE_ECHO);
	}
	if (st >= SCTPS_ESTABLISHED)
		give_chunk(SCTP_COOKIE_ACK, 0, t.init.vtag, NULL, 0);
	if (busy) {
		ck_assert_int_eq(tl_send(w(), t.fd, "hello", 5, 0), 5);
		pass(VNET_MS);
		ck_assert_uint_eq(last_type(), SCTP_DATA);
	}
	if (st == SCTPS_SHUTDOWN_PENDING || st == SCTPS_SHUTDOWN_SENT)
		ck_assert_int_eq(tl_shutdown(w(), t.fd, SHUT_WR), 0);
	if (st == SCTPS_SHUTDOWN_RECEIVED || st == SCTPS_SHUTDOWN_ACK_SENT) {
		none = htonl(assoc()->cum_ack);
		give_chunk(SCTP_SHUTDOWN, 0, t.init.vtag, &none, 4);
	}
	pass(VNET_MS);
	ck_assert_str_eq(sctp_state_name(assoc()->state), sctp_state_name((uint8_t)st));
}

/* ---- the table ---- */

enum { NO = 99 }; /* stays as it is */

/* RFC 9260 s4, s5.2, s8.5.1, s9: the state behind each chunk with the right tag. SACK and SHUTDOWN
 * acknowledge everything. */
static const uint8_t after[SCTP_TYPES][SCTPS_STATES] = {
	/* clang-format off */
	/*                          CLOSED WAIT          ECHOED             ESTAB                  PENDING                SENT                   RECEIVED               ACK_SENT */
	[SCTP_DATA]              = {NO,    NO,           NO,                NO,                    NO,                    NO,                    NO,                    NO},
	[SCTP_INIT]              = {NO,    NO,           NO,                NO,                    NO,                    NO,                    NO,                    NO},
	[SCTP_INIT_ACK]          = {NO,    SCTPS_COOKIE_ECHOED, NO,         NO,                    NO,                    NO,                    NO,                    NO},
	[SCTP_SACK]              = {NO,    NO,           NO,                NO,                    SCTPS_SHUTDOWN_SENT,   NO,                    SCTPS_SHUTDOWN_ACK_SENT, NO},
	[SCTP_HEARTBEAT]         = {NO,    NO,           NO,                NO,                    NO,                    NO,                    NO,                    NO},
	[SCTP_HEARTBEAT_ACK]     = {NO,    NO,           NO,                NO,                    NO,                    NO,                    NO,                    NO},
	[SCTP_ABORT]             = {NO,    SCTPS_CLOSED, SCTPS_CLOSED,      SCTPS_CLOSED,          SCTPS_CLOSED,          SCTPS_CLOSED,          SCTPS_CLOSED,          SCTPS_CLOSED},
	[SCTP_SHUTDOWN]          = {NO,    NO,           NO,                SCTPS_SHUTDOWN_ACK_SENT, SCTPS_SHUTDOWN_ACK_SENT, SCTPS_SHUTDOWN_ACK_SENT, SCTPS_SHUTDOWN_ACK_SENT, NO},
	[SCTP_SHUTDOWN_ACK]      = {NO,    NO,           NO,                NO,                    NO,                    SCTPS_CLOSED,          NO,                    SCTPS_CLOSED},
	[SCTP_ERROR]             = {NO,    NO,           NO,                NO,                    NO,                    NO,                    NO,                    NO},
	[SCTP_COOKIE_ECHO]       = {NO,    NO,           NO,                NO,                    NO,                    NO,                    NO,                    NO},
	[SCTP_COOKIE_ACK]        = {NO,    NO,           SCTPS_ESTABLISHED, NO,                    NO,                    NO,                    NO,                    NO},
	[SCTP_SHUTDOWN_COMPLETE] = {NO,    NO,           NO,                NO,                    NO,                    NO,                    NO,                    SCTPS_CLOSED},
	/* clang-format on */
};

static void
give_type(uint8_t type, uint32_t tag)
{
	uint8_t val[16] = {0};

	if (type == SCTP_INIT) {
		give_init(type, 0, 0x5151, own_sa());
		return;
	}
	if (type == SCTP_INIT_ACK) {
		give_init(type, tag, PEER_TAG, own_sa());
		return;
	}
	if (type == SCTP_DATA)
		sctp_put32(val, PEER_TSN);
	if (type == SCTP_SACK || type == SCTP_SHUTDOWN)
		sctp_put32(val, assoc()->next_tsn - 1);
	if (type == SCTP_SACK)
		sctp_put32(val + 4, 50000);
	if (type == SCTP_HEARTBEAT || type == SCTP_HEARTBEAT_ACK || type == SCTP_ERROR)
		val[1] = 1, val[3] = 16;
	give_chunk(type, type == SCTP_DATA ? 3 : 0, tag, val,
		type == SCTP_COOKIE_ACK || type >= SCTP_SHUTDOWN_COMPLETE ? 0
		: type == SCTP_SHUTDOWN                                   ? 4
									  : sizeof(val));
}

static void
check_cell(enum sctp_state st, uint8_t type, bool esp)
{
	uint8_t want = after[type][st];

	start(esp);
	reach(st);
	give_type(type, assoc()->own_vtag);
	want = want == NO ? (uint8_t)st : want;
	ck_assert_msg(assoc()->state == want, "chunk %u in %s: %s, expected %s", type,
		sctp_state_name((uint8_t)st), sctp_state_name(assoc()->state),
		sctp_state_name(want));
	stop();
}

START_TEST(every_chunk_in_every_state_does_what_the_table_says)
{
	for (uint8_t st = SCTPS_COOKIE_WAIT; st < SCTPS_STATES; st++) {
		for (uint8_t type = 0; type < SCTP_TYPES; type++) {
			if (sctp_chunk_row(type) != NULL)
				check_cell(st, type, _i != 0);
		}
	}
}
END_TEST

/* s8.5: with a wrong tag none of them does anything. */
START_TEST(no_chunk_with_a_wrong_tag_changes_a_state)
{
	for (uint8_t st = SCTPS_COOKIE_WAIT; st < SCTPS_STATES; st++) {
		start(false);
		reach(st);
		for (uint8_t type = 0; type < SCTP_TYPES; type++) {
			if (sctp_chunk_row(type) != NULL && type != SCTP_INIT)
				give_type(type, assoc()->own_vtag ^ 0x40);
		}
		ck_assert_str_eq(sctp_state_name(assoc()->state), sctp_state_name(st));
		stop();
	}
}
END_TEST

/* ---- cookies ---- */

/* s5.1, F-65: nothing is kept for an INIT; its cookie makes an association, once. */
START_TEST(cookie_makes_an_association_and_its_copy_changes_nothing)
{
	start(_i != 0);
	listen_at(5000);
	give_init(SCTP_INIT, 0, PEER_TAG, own_sa());
	ck_assert_uint_eq(last_type(), SCTP_INIT_ACK);
	ck_assert_ptr_null(assoc());
	give_cookie(own_sa());
	ck_assert_uint_eq(last_type(), SCTP_COOKIE_ACK);
	ck_assert_int_eq(assoc()->state, SCTPS_ESTABLISHED);
	give_cookie(own_sa()); /* s5.2.4, D */
	ck_assert_uint_eq(last_type(), SCTP_COOKIE_ACK);
	ck_assert_uint_eq(ctl_stat(t.n->s, "sctp-passive-opens"), 1);
	stop();
}
END_TEST

/* F-65: the cookie is good for the protection of its INIT only. */
START_TEST(cookie_of_an_init_under_another_sa_makes_nothing)
{
	start(true);
	listen_at(5000);
	lab_sa_add(t.n, "rogue", &t.rogue, true, "rogue", "");
	give_init(SCTP_INIT, 0, PEER_TAG, own_sa());
	ck_assert_uint_eq(last_type(), SCTP_INIT_ACK);
	t.sent = 0;
	give_cookie(&t.rogue);
	ck_assert_ptr_null(assoc());
	ck_assert_uint_eq(t.sent, 0); /* in silence */
	ck_assert_uint_eq(ctl_stat(t.n->s, "sctp-cookie"), 1);
	stop();
}
END_TEST

START_TEST(cookie_with_a_flipped_bit_makes_nothing)
{
	start(false);
	listen_at(5000);
	give_init(SCTP_INIT, 0, PEER_TAG, NULL);
	for (uint32_t at = 0; at < t.cookie_len; at += 5) {
		t.cookie[at] ^= 0x10;
		give_cookie(NULL);
		t.cookie[at] ^= 0x10;
	}
	ck_assert_ptr_null(assoc());
	stop();
}
END_TEST

/* s5.1.5, 4: and the peer hears that it is stale. */
START_TEST(old_cookie_is_stale)
{
	start(false);
	listen_at(5000);
	give_init(SCTP_INIT, 0, PEER_TAG, NULL);
	pass(61 * VNET_S);
	give_cookie(NULL);
	ck_assert_ptr_null(assoc());
	ck_assert_uint_eq(last_type(), SCTP_ERROR);
	stop();
}
END_TEST

/* s5.2.4, A; F-68: the peer came back; the latch is what it was. */
START_TEST(restart_of_the_same_peer_keeps_association_and_latch)
{
	uint64_t handle;
	struct sctp_assoc *a;

	start(_i != 0);
	listen_at(5000);
	give_init(SCTP_INIT, 0, PEER_TAG, own_sa());
	give_cookie(own_sa());
	a = assoc();
	handle = latch_handle(t.n->s->lc[0], &a->primary->way.latch);
	give_init(SCTP_INIT, 0, PEER_TAG + 1, own_sa());
	ck_assert_uint_eq(last_type(), SCTP_INIT_ACK);
	ck_assert_uint_eq(a->peer_vtag, PEER_TAG); /* an INIT alone changes nothing */
	give_cookie(own_sa());
	ck_assert_uint_eq(last_type(), SCTP_COOKIE_ACK);
	ck_assert_ptr_eq(assoc(), a);
	ck_assert_int_eq(a->state, SCTPS_ESTABLISHED);
	ck_assert_uint_eq(a->peer_vtag, PEER_TAG + 1);
	ck_assert_uint_eq(ctl_stat(t.n->s, "sctp-restarts"), 1);
	ck_assert_uint_eq(latch_handle(t.n->s->lc[0], &a->primary->way.latch), handle);
	stop();
}
END_TEST

/* F-67: who is another one restarts nothing. */
START_TEST(init_of_another_identity_is_no_restart)
{
	start(true);
	listen_at(5000);
	give_init(SCTP_INIT, 0, PEER_TAG, own_sa());
	give_cookie(own_sa());
	lab_sa_add(t.n, "rogue", &t.rogue, true, "rogue", "");
	t.sent = 0;
	give_init(SCTP_INIT, 0, PEER_TAG + 1, &t.rogue);
	ck_assert_uint_eq(t.sent, 0);
	ck_assert_int_eq(assoc()->state, SCTPS_CLOSED); /* the last path: B-11 */
	ck_assert_uint_eq(ctl_stat(t.n->s, "sctp-restarts"), 0);
	stop();
}
END_TEST

/* s8.4 */
START_TEST(out_of_the_blue)
{
	static const struct {
		uint8_t type, answer; /* 255: none */
	} row[] = {{SCTP_DATA, SCTP_ABORT}, {SCTP_SACK, SCTP_ABORT}, {SCTP_ABORT, 255},
		{SCTP_SHUTDOWN_ACK, SCTP_SHUTDOWN_COMPLETE}, {SCTP_SHUTDOWN_COMPLETE, 255},
		{SCTP_COOKIE_ACK, 255}, {SCTP_HEARTBEAT, SCTP_ABORT}};
	uint8_t val[16] = {0};

	start(_i != 0);
	t.port = 5000;
	for (size_t i = 0; i < RTE_DIM(row); i++) {
		t.last_len = 0;
		give_chunk(row[i].type, 0, 0x1234, val, sizeof(val));
		ck_assert_uint_eq(last_type(), row[i].answer);
		if (row[i].answer == 255)
			continue;
		ck_assert_uint_eq(t.last[SCTP_HLEN + 1], SCTP_F_T);
		ck_assert_uint_eq(sctp_get32(t.last + 4), 0x1234);
	}
	stop();
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("sctp_state");
	TCase *tc = tcase_create("state");

	tcase_set_timeout(tc, 120);
	tcase_add_loop_test(tc, every_chunk_in_every_state_does_what_the_table_says, 0, 2);
	tcase_add_test(tc, no_chunk_with_a_wrong_tag_changes_a_state);
	tcase_add_loop_test(tc, cookie_makes_an_association_and_its_copy_changes_nothing, 0, 2);
	tcase_add_test(tc, cookie_of_an_init_under_another_sa_makes_nothing);
	tcase_add_test(tc, cookie_with_a_flipped_bit_makes_nothing);
	tcase_add_test(tc, old_cookie_is_stale);
	tcase_add_loop_test(tc, restart_of_the_same_peer_keeps_association_and_latch, 0, 2);
	tcase_add_test(tc, init_of_another_identity_is_no_restart);
	tcase_add_loop_test(tc, out_of_the_blue, 0, 2);
	suite_add_tcase(s, tc);
	return env_main(s);
}
