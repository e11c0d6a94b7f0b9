/* SPDX-License-Identifier: BSD-3-Clause */
/* A key manager: that it comes and goes, what it says of peers, what it asks before it makes SAs.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <arpa/inet.h>
#include <rte_ring_elem.h>

#include "latch/latch_ctx.h"
#include "tests/util/ctl_env.h"
#include "tests/util/vnet_lab.h"

enum { DER = 40 };

static struct lab *l;
static struct ctl_env *e;

/* Two stacks; e speaks with the server's (0) or the client's (1). */
static void
begin(uint32_t node, const struct lab_opts *o)
{
	l = lab_new(o);
	e = ctl_env_at(l->n[node]);
}

static void
finish(void)
{
	ctl_env_free(e);
	lab_free(l);
}

static struct nlmsghdr *
reg(uint64_t epoch, bool lost)
{
	struct nlmsghdr *h = ctl_env_begin(e, TL_CTL_MSG_KMREGISTER, 0, NULL, 0);

	mnl_attr_put_u64(h, TL_CTL_A_EPOCH, epoch);
	if (lost)
		mnl_attr_put(h, TL_CTL_A_STATE_LOST, 0, NULL);
	return h;
}

static uint64_t
value(uint16_t type)
{
	ck_assert_uint_ge(e->nb_got, 1);
	return mnl_attr_get_u64(ctl_env_attr(e->got[0], 0, type));
}

static void
touch_and_pass(void)
{
	vnet_touch(l->n[0]);
	vnet_touch(l->n[1]);
	lab_pass(l, VNET_S);
}

static bool
present(void)
{
	return e->n->s->lc[0]->latch->km_present;
}

/* C-3, M-1, F-45: it registers, ends, comes again, and nothing breaks. */
START_TEST(m1_key_manager_restarts_and_nothing_breaks)
{
	static const struct lab_opts o;
	struct ctl_client *first, *second;

	begin(0, &o);
	ck_assert(!present());
	ctl_env_expect(e, reg(0, false), -EINVAL, "TL_CTL_A_EPOCH");
	ctl_env_expect(e, ctl_env_begin(e, TL_CTL_MSG_KMREGISTER, 0, NULL, 0), -EINVAL, "EPOCH");
	ctl_env_expect(e, reg(5, false), 0, NULL);
	ck_assert_uint_eq(value(TL_CTL_A_EPOCH), 0);
	ck_assert(present());
	lab_open(l, 20000, 20000);
	first = e->c;
	ctl_client_close(first);
	ck_assert(!present());
	e->c = ctl_client_open(e->k, -1);
	lab_pass(l, VNET_MS);
	ctl_env_expect(e, reg(6, false), 0, NULL);
	ck_assert_uint_eq(value(TL_CTL_A_EPOCH), 5);
	ck_assert_uint_eq(value(TL_CTL_A_VALUE), 0);
	/* A second one takes over; the first one's end does not matter any more. */
	first = e->c;
	e->c = second = ctl_client_open(e->k, -1);
	ctl_env_expect(e, reg(7, false), 0, NULL);
	ctl_client_close(first);
	ck_assert(present());
	ck_assert_ptr_eq(e->k->km, second);
	lab_complete(l);
	finish();
}
END_TEST

/* M-2, e14 */
START_TEST(m2_state_that_is_lost_closes_every_latch)
{
	static const struct lab_opts o;

	begin(0, &o);
	lab_open(l, 1000, 1000);
	ctl_env_expect(e, reg(5, true), 0, NULL);
	ck_assert_uint_eq(value(TL_CTL_A_VALUE), 1);
	touch_and_pass();
	ck_assert_int_eq(l->c->end[1].err, ECONNRESET);
	ck_assert_uint_eq(l->c->end[1].info.state, TL_LATCH_CLOSED);
	ck_assert_uint_eq(l->c->end[1].info.reason, TL_LATCH_KM_STATE_LOST);
	finish();
}
END_TEST

/* P-21, M-3: damage in memory is found while the stack runs, and does the same. */
START_TEST(p21_m3_damaged_table_closes_every_latch)
{
	static const struct lab_opts o;
	struct tl_ident *id;

	begin(0, &o);
	lab_open(l, 1000, 1000);
	id = (struct tl_ident *)(uintptr_t)latch_ident_get(e->n->s->conf.tables, 2);
	for (uint64_t i = 0; i < 20; i++)
		ctl_tick(e->k, (10 + i) * VNET_S);
	ck_assert_int_eq(l->c->end[1].state, APP_OPEN);
	id->data[3] ^= 1;
	for (uint64_t i = 0; i < 20; i++)
		ctl_tick(e->k, (40 + i) * VNET_S);
	touch_and_pass();
	ck_assert_int_eq(l->c->end[1].err, ECONNRESET);
	ck_assert_uint_eq(l->c->end[1].info.reason, TL_LATCH_KM_STATE_LOST);
	finish();
}
END_TEST

/* ---- identities and evidence ---- */

static void
put_der(struct nlmsghdr *h, uint16_t type, char c)
{
	uint8_t buf[DER];

	memset(buf, c, DER);
	buf[0] = 0x30;
	buf[1] = DER - 2;
	if (c != 0)
		mnl_attr_put(h, type, DER, buf);
}

/* Says it and copies the hash that came. */
static void
say(const char *fqdn, uint8_t cls, const char *parts, uint8_t hash[32])
{
	struct nlmsghdr *h = ctl_env_begin(e, TL_CTL_MSG_NEWIDENT, 0, NULL, 0);

	ctl_env_put_ident(h, TL_CTL_A_PEER_ID, fqdn);
	if (cls != 0)
		mnl_attr_put_u8(h, TL_CTL_A_AUTH_CLASS, cls);
	for (uint16_t i = 0; parts[i] != '\0'; i++)
		put_der(h, (uint16_t)(TL_CTL_A_SPKI + i), parts[i]);
	ctl_env_expect(e, h, 0, NULL);
	memcpy(hash, mnl_attr_get_payload(ctl_env_attr(e->got[0], 0, TL_CTL_A_HASH)), 32);
}

/* P-20, P-22, F-45 */
START_TEST(p22_identity_said_twice_is_the_same)
{
	uint8_t hash[3][32];
	uint32_t handle;
	struct nlmsghdr *h;

	e = ctl_env_new(NULL);
	say("peer.example", TL_AUTH_CERT, "kct", hash[0]);
	handle = mnl_attr_get_u32(ctl_env_attr(e->got[0], 0, TL_CTL_A_HANDLE));
	ctl_client_close(e->c);
	e->c = ctl_client_open(e->k, -1);
	say("PEER.example.", TL_AUTH_CERT, "kct", hash[1]);
	ck_assert_uint_eq(mnl_attr_get_u32(ctl_env_attr(e->got[0], 0, TL_CTL_A_HANDLE)), handle);
	ck_assert_mem_eq(hash[0], hash[1], 32);
	say("peer.example", TL_AUTH_CERT, "kcT", hash[2]);
	ck_assert_mem_ne(hash[0], hash[2], 32);
	say("peer.example", 0, "", hash[2]); /* an identity alone */
	h = ctl_env_begin(e, TL_CTL_MSG_NEWIDENT, 0, NULL, 0);
	ctl_env_expect(e, h, -EINVAL, "TL_CTL_A_PEER_ID");
	h = ctl_env_begin(e, TL_CTL_MSG_NEWIDENT, 0, NULL, 0);
	ctl_env_put_ident(h, TL_CTL_A_PEER_ID, "peer.example");
	put_der(h, TL_CTL_A_SPKI, 'k'); /* of which class? */
	ctl_env_expect(e, h, -EINVAL, "AUTH_CLASS");
	h = ctl_env_begin(e, TL_CTL_MSG_NEWIDENT, 0, NULL, 0);
	ctl_env_put_ident(h, TL_CTL_A_PEER_ID, "peer.example");
	mnl_attr_put_u8(h, TL_CTL_A_AUTH_CLASS, TL_AUTH_CERT);
	mnl_attr_put(h, TL_CTL_A_TA, 3, "abc");
	ctl_env_expect(e, h, -EINVAL, "DER");
	ctl_env_free(e);
}
END_TEST

static struct nlmsghdr *
sa_with(const uint8_t *local, const uint8_t *peer, int cls)
{
	static uint32_t spi = 0x1000;
	struct nlmsghdr *h = ctl_env_new_sa(e, true, spi++);

	if (local != NULL)
		mnl_attr_put(h, TL_CTL_A_LOCAL_EV, 32, local);
	if (peer != NULL)
		mnl_attr_put(h, TL_CTL_A_PEER_EV, 32, peer);
	if (cls >= 0)
		mnl_attr_put_u8(h, TL_CTL_A_AUTH_CLASS, (uint8_t)cls);
	return h;
}

/* C.2, F-46: evidence comes with the SA by its hash; what nobody said, or of another, does not. */
START_TEST(sa_names_its_evidence_by_the_hash)
{
	uint8_t mine[32], its[32], others[32], none[32] = {1};
	const struct latch_profile *p;
	const struct esp_sa_conf *sa;
	struct latch_evidence ev;

	e = ctl_env_new(NULL);
	say("me.example", TL_AUTH_RAW_KEY, "m", mine);
	say("peer.example", TL_AUTH_CERT, "pct", its);
	say("other.example", TL_AUTH_CERT, "pct", others);
	ctl_env_expect(e, sa_with(mine, none, -1), -ENOENT, "nobody said");
	ctl_env_expect(e, sa_with(mine, others, -1), -EINVAL, "of another identity");
	ctl_env_expect(e, sa_with(its, its, -1), -EINVAL, "TL_CTL_A_LOCAL_EV: it is");
	ctl_env_expect(e, sa_with(mine, its, TL_AUTH_PSK), -EINVAL, "is of class 1");
	ctl_env_expect(e, sa_with(NULL, NULL, TL_AUTH_NULL + 1), -EINVAL, "AUTH_CLASS");
	ck_assert_uint_eq(ctl_env_sas(e), 0);
	ctl_env_expect(e, sa_with(mine, its, TL_AUTH_CERT), 0, NULL);
	sa = &e->n->s->control.sa[0].conf;
	p = latch_profile_get(e->n->s->conf.tables, sa->profile);
	ck_assert_uint_eq(p->auth_class, TL_AUTH_CERT);
	ck_assert(latch_evidence_get(e->n->s->conf.tables, p->peer_ev, &ev, none));
	ck_assert_mem_eq(none, its, 32);
	ck_assert_uint_eq(ev.part[LATCH_EV_TA].at[2], 't');
	ck_assert(latch_evidence_get(e->n->s->conf.tables, p->local_ev, &ev, none));
	ck_assert_mem_eq(none, mine, 32);
	ctl_env_free(e);
}
END_TEST

/* As the lab's SAs are. */
static struct nlmsghdr *
esn_sa(uint32_t spi, int cls)
{
	struct xfrm_usersa_info x = ctl_env_sa(true, spi);
	struct {
		struct xfrm_replay_state_esn esn;
		uint32_t bmp[2];
	} r = {.esn = {.bmp_len = 2, .replay_window = 64}};
	struct nlmsghdr *h;

	x.flags |= XFRM_STATE_ESN;
	h = ctl_env_begin(e, XFRM_MSG_NEWSA, 0, &x, sizeof(x));
	mnl_attr_put(h, XFRMA_REPLAY_ESN_VAL, sizeof(r), &r);
	ctl_env_put_gcm(e, h);
	ctl_env_put_ident(h, TL_CTL_A_LOCAL_ID, "n0.example");
	ctl_env_put_ident(h, TL_CTL_A_PEER_ID, "n1.example");
	if (cls != TL_AUTH_UNKNOWN)
		mnl_attr_put_u8(h, TL_CTL_A_AUTH_CLASS, (uint8_t)cls);
	return h;
}

/* F-44, C.2, K-2: an SA of the same peer, authenticated in another way, conflicts before it is
 * there. */
START_TEST(f44_sa_with_other_evidence_conflicts_with_the_latch)
{
	struct lab_opts o = {.more = {"stack.monitor=reject"}};

	begin(0, &o);
	lab_open(l, 1000, 1000);
	ctl_env_expect(e, esn_sa(0x5000, TL_AUTH_UNKNOWN), 0, NULL);
	ctl_env_expect(e, esn_sa(0x5001, TL_AUTH_PSK), -EADDRINUSE, "latched connections");
	ctl_env_expect(e, esn_sa(0x5002, TL_AUTH_CERT), -EADDRINUSE, "latched connections");
	lab_complete(l);
	finish();
}
END_TEST

/* An SA of a peer that is nobody; lineage: of which IKE SA it came. */
static struct nlmsghdr *
null_sa(uint32_t spi, uint8_t lineage, int cls)
{
	const uint8_t spis[16] = {lineage, [8] = 1};
	struct xfrm_usersa_info x = ctl_env_sa(true, spi);
	struct nlattr *nest;
	struct nlmsghdr *h = ctl_env_begin(e, XFRM_MSG_NEWSA, 0, &x, sizeof(x));

	ctl_env_put_gcm(e, h);
	ctl_env_put_ident(h, TL_CTL_A_LOCAL_ID, "me.example");
	nest = mnl_attr_nest_start(h, TL_CTL_A_PEER_ID);
	mnl_attr_put_u16(h, TL_CTL_ID_TYPE, TL_ID_NULL);
	mnl_attr_put(h, TL_CTL_ID_DATA, sizeof(spis), spis);
	mnl_attr_nest_end(h, nest);
	mnl_attr_put_u8(h, TL_CTL_A_AUTH_CLASS, (uint8_t)cls);
	return h;
}

/* F-39, E-21: nobody who came by another IKE SA is somebody else; over a rekey he stays the same. A
 * name that nothing proved is refused, and the leap of faith is what a null identity may use. */
START_TEST(f39_two_null_peers_are_two)
{
	const struct control *c;
	struct nlmsghdr *h;

	e = ctl_env_new(NULL);
	c = &e->n->s->control;
	ctl_env_expect(e, null_sa(0x1000, 7, TL_AUTH_NULL), 0, NULL);
	ctl_env_expect(e, null_sa(0x1001, 7, TL_AUTH_NULL), 0, NULL);
	ctl_env_expect(e, null_sa(0x1002, 8, TL_AUTH_NULL), 0, NULL);
	ck_assert_uint_eq(c->sa[0].conf.profile, c->sa[1].conf.profile);
	ck_assert_uint_ne(c->sa[0].conf.profile, c->sa[2].conf.profile);
	ck_assert_uint_ne(c->sa[0].conf.peer_id, c->sa[2].conf.peer_id);
	ctl_env_expect(e, null_sa(0x1003, 0, TL_AUTH_NULL), -EINVAL, "type 13");
	h = ctl_env_new_sa(e, true, 0x1004);
	mnl_attr_put_u8(h, TL_CTL_A_AUTH_CLASS, TL_AUTH_NULL);
	ctl_env_expect(e, h, -EINVAL, "proved no name");
	ck_assert_uint_eq(ctl_env_sas(e), 3);
	ctl_env_free(e);
}
END_TEST

/* ---- from the key manager to the program ---- */

static const char *const names[2] = {"n0.example", "n1.example"};

/* One half of an SA between the two nodes, as the key manager of e's stack installs it. */
static void
give_half(uint32_t node, uint32_t d, struct craft_sa *sa, uint8_t hash[2][32])
{
	struct xfrm_usersa_info x = ctl_env_sa(true, sa->spi);
	struct xfrm_algo_aead alg = {
		.alg_name = "rfc4106(gcm(aes))", .alg_key_len = 160, .alg_icv_len = 128};
	uint8_t key[sizeof(alg) + 20];
	struct {
		struct xfrm_replay_state_esn esn;
		uint32_t bmp[2];
	} r = {.esn = {.bmp_len = 2, .replay_window = 64}};
	struct nlmsghdr *h;

	x.flags |= XFRM_STATE_ESN;
	x.saddr.a4 = htonl(l->n[d]->ip);
	x.id.daddr.a4 = htonl(l->n[1 - d]->ip);
	memcpy(key, &alg, sizeof(alg));
	memcpy(key + sizeof(alg), sa->key, 20);
	h = ctl_env_begin(e, XFRM_MSG_NEWSA, 0, &x, sizeof(x));
	mnl_attr_put(h, XFRMA_REPLAY_ESN_VAL, sizeof(r), &r);
	mnl_attr_put(h, XFRMA_ALG_AEAD, sizeof(key), key);
	ctl_env_put_ident(h, TL_CTL_A_LOCAL_ID, names[node]);
	ctl_env_put_ident(h, TL_CTL_A_PEER_ID, names[1 - node]);
	mnl_attr_put(h, TL_CTL_A_LOCAL_EV, 32, hash[node]);
	mnl_attr_put(h, TL_CTL_A_PEER_EV, 32, hash[1 - node]);
	ctl_env_expect(e, h, 0, NULL);
}

/* Both nodes hear the same of each other, and get SAs with it. */
static void
give_sas(struct craft_sa sa[2], const char *const parts[2])
{
	for (uint32_t d = 0; d < 2; d++) {
		sa[d] = (struct craft_sa){.esn = true, .key_len = 20};
		lab_sa_draw(l->v, &sa[d], 0x9000 + d, l->n[d]->ip, l->n[1 - d]->ip);
		lab_know(l, &sa[d]);
	}
	for (uint32_t node = 0; node < 2; node++) {
		uint8_t hash[2][32];

		e = ctl_env_at(l->n[node]);
		for (uint32_t i = 0; i < 2; i++)
			say(names[i], TL_AUTH_CERT, parts[i], hash[i]);
		for (uint32_t d = 0; d < 2; d++)
			give_half(node, d, &sa[d], hash);
		ctl_env_free(e);
		lab_sa_del(l->n[node], "in0", false);
		lab_sa_del(l->n[node], "out0", false);
	}
}

static int
end_get(uint32_t k, int opt, void *out, socklen_t len)
{
	const struct app_end *end = &l->c->end[k];

	return tl_getsockopt(tl_worker(end->node->s, 0), end->fd, SOL_TL_IPSEC, opt, out, &len);
}

/* CB-4, CB-11, Q-10, Q-2: what the key managers said reaches both programs, which see the same
 * channel. */
START_TEST(cb4_both_ends_export_the_same_binding)
{
	static const struct lab_opts o;
	static const char *const parts[2] = {"abt", "cdt"};
	uint8_t cb[2][57], cert[DER];
	struct tl_latch_info i;
	struct craft_sa sa[2];

	l = lab_new(&o);
	for (uint32_t d = 0; d < 2; d++) {
		lab_sa_del(l->n[d], "rogue-in", false);
		lab_sa_del(l->n[d], "rogue-out", false);
	}
	give_sas(sa, parts);
	lab_open(l, 1000, 1000);
	ck_assert_int_eq(end_get(0, TL_LATCH_CB, cb[0], sizeof(cb[0])), 0);
	ck_assert_int_eq(end_get(1, TL_LATCH_CB, cb[1], sizeof(cb[1])), 0);
	ck_assert_mem_eq(cb[0], cb[1], sizeof(cb[0]));
	ck_assert_mem_eq(cb[0], "x-ipsec-end-point-sha256:", 25);
	app_latch(&l->c->end[1], &i);
	ck_assert_uint_eq(i.auth_class, TL_AUTH_CERT);
	ck_assert_int_eq(end_get(1, TL_LATCH_PEER_CERT, cert, DER), 0);
	ck_assert_uint_eq(cert[2], 'd'); /* end 1 is the server's: it sees the client's */
	ck_assert_int_eq(end_get(0, TL_LATCH_PEER_CERT, cert, DER), 0);
	ck_assert_uint_eq(cert[2], 'b');
	lab_complete(l);
	lab_free(l);
}
END_TEST

enum { CB = 57 };

/* CB-3, CB-11: the binding is of the two public keys, so all connections of two hosts have one, and
 * with another key at either end it is another. */
START_TEST(cb3_cb11_binding_is_of_the_end_points)
{
	static const struct lab_opts o;
	static const char *const parts[3][2] = {{"abt", "cdt"}, {"Abt", "cdt"}, {"abt", "Cdt"}};
	uint8_t cb[3][2][CB];

	for (uint32_t k = 0; k < 3; k++) {
		struct app_conn *first, *second;
		struct craft_sa sa[2];

		l = lab_new(&o);
		for (uint32_t d = 0; d < 2; d++) {
			lab_sa_del(l->n[d], "rogue-in", false);
			lab_sa_del(l->n[d], "rogue-out", false);
		}
		give_sas(sa, parts[k]);
		lab_open(l, 1000, 1000);
		first = l->c;
		lab_open(l, 1000, 1000);
		second = l->c;
		ck_assert_uint_ne(first->lport, second->lport);
		l->c = first;
		ck_assert_int_eq(end_get((uint32_t)_i, TL_LATCH_CB, cb[k][0], CB), 0);
		l->c = second;
		ck_assert_int_eq(end_get((uint32_t)_i, TL_LATCH_CB, cb[k][1], CB), 0);
		ck_assert_mem_eq(cb[k][0], cb[k][1], CB);
		app_release(first);
		lab_complete(l);
		lab_free(l);
	}
	ck_assert_mem_ne(cb[0][0], cb[1][0], CB);
	ck_assert_mem_ne(cb[0][0], cb[2][0], CB);
	ck_assert_mem_ne(cb[1][0], cb[2][0], CB);
}
END_TEST

/* CB-9, RFC 5056 s2.1: of nested channels the innermost is the one to bind. ESP within ESP goes no
 * further here, whichever SA is inside, so the SA of the latch is always the innermost, and what is
 * bound does not change. */
START_TEST(cb9_nested_channel_binds_nothing)
{
	static const struct lab_opts o;
	static const char *const parts[2] = {"abt", "cdt"};
	uint8_t before[CB], after[CB], inner[CRAFT_MAX], outer[CRAFT_MAX], ip[CRAFT_MAX];
	struct craft_sa sa[2], again;
	struct craft_seg s;

	l = lab_new(&o);
	give_sas(sa, parts);
	again = (struct craft_sa){.esn = true, .key_len = 20};
	lab_sa_draw(l->v, &again, 0x9100, l->n[1]->ip, l->n[0]->ip);
	lab_sa_add(l->n[0], "again", &again, true, "rogue", "");
	lab_open(l, 1000, 1000);
	ck_assert_int_eq(end_get(1, TL_LATCH_CB, before, CB), 0);
	s = lab_seg(l, 1, CRAFT_RST | CRAFT_ACK);
	sa[1].seq = 5000;
	for (int k = 0; k < 2; k++) {
		struct craft_sa *in = k == 0 ? &again : &sa[1], *out = k == 0 ? &sa[1] : &again;
		size_t n = craft_tcp(ip, &s);

		n = craft_esp(in, inner, CRAFT_TCP, ip, n, NULL);
		n = craft_esp(out, outer, CRAFT_ESP, inner, n, NULL);
		n = craft_ip4(ip, l->n[1]->ip, l->n[0]->ip, CRAFT_ESP, outer, n);
		vnet_inject(l->v, l->n[0], l->n[1], ip, n, 0, 1);
		lab_pass(l, VNET_MS);
		ck_assert_uint_eq(lab_stat(l, 0, "esp-nested"), (uint64_t)k + 1);
	}
	ck_assert_int_eq(l->c->end[1].state, APP_OPEN);
	ck_assert_int_eq(end_get(1, TL_LATCH_CB, after, CB), 0);
	ck_assert_mem_eq(before, after, CB);
	lab_free(l);
}
END_TEST

/* ---- peers ---- */

static struct nlmsghdr *
peer_event(const char *fqdn, uint8_t event)
{
	struct nlmsghdr *h = ctl_env_begin(e, TL_CTL_MSG_PEEREVENT, 0, NULL, 0);

	ctl_env_put_ident(h, TL_CTL_A_PEER_ID, fqdn);
	mnl_attr_put_u8(h, TL_CTL_A_PEER_EVENT, event);
	return h;
}

/* M-5, M-7, M-8, F-87: dead and rebooted end the latches of that peer; a restart of its key manager
 * ends nothing. */
START_TEST(m5_m7_what_is_said_of_a_peer)
{
	static const uint8_t reason[] = {0, TL_LATCH_PEER_DEAD, TL_LATCH_PEER_REBOOT};
	static const struct lab_opts o;
	uint8_t event = (uint8_t)(_i + 1);

	begin(0, &o);
	lab_open(l, 10000, 10000);
	ctl_env_expect(e, peer_event("n1.example", 0), -EINVAL, "1 to 3");
	ctl_env_expect(e, peer_event("n1.example", 4), -EINVAL, "1 to 3");
	ctl_env_expect(e, ctl_env_begin(e, TL_CTL_MSG_PEEREVENT, 0, NULL, 0), -EINVAL, "PEER_ID");
	ctl_env_expect(e, peer_event("rogue.example", event), 0, NULL);
	ck_assert_uint_eq(value(TL_CTL_A_VALUE), 0);
	ctl_env_expect(e, peer_event("n1.example", event), 0, NULL);
	touch_and_pass();
	if (event == TL_CTL_PEER_RESTART) {
		ck_assert_int_eq(l->c->end[1].state, APP_OPEN);
		lab_complete(l);
	} else {
		ck_assert_int_eq(l->c->end[1].err, ECONNRESET);
		ck_assert_uint_eq(l->c->end[1].info.reason, reason[event]);
	}
	finish();
}
END_TEST

/* M-12, RFC 5660 s6.5: the verdict "dead" is obeyed although the peer lives and sends, since who
 * can keep the key managers from hearing each other could stop the packets too. It costs the
 * connection, or nothing where the operator chose that; no octet is delivered after it. */
START_TEST(dead_by_verdict_while_the_peer_still_sends)
{
	struct lab_opts o = {
		.more = {_i == 0 ? "stack.dpd-action=close" : "stack.dpd-action=ignore"}};
	uint64_t got;

	begin(0, &o);
	lab_open(l, 400000, 0);
	app_release(l->c);
	while (l->c->end[1].rx_off == 0)
		vnet_step(l->v);
	ctl_env_expect(e, peer_event("n1.example", TL_CTL_PEER_DEAD), 0, NULL);
	got = l->c->end[1].rx_off;
	ck_assert_uint_lt(got, 400000);
	if (_i == 0) {
		ck_assert_uint_eq(value(TL_CTL_A_VALUE), 1);
		touch_and_pass();
		ck_assert_int_eq(l->c->end[1].err, ECONNRESET);
		ck_assert_uint_eq(l->c->end[1].info.reason, TL_LATCH_PEER_DEAD);
		ck_assert_uint_eq(l->c->end[1].rx_off, got);
	} else {
		ck_assert_uint_eq(value(TL_CTL_A_VALUE), 0);
		lab_complete(l);
	}
	finish();
}
END_TEST

static struct nlmsghdr *
refused(uint16_t rport)
{
	struct tl_ctl_tuple x = {.rport = rport};
	struct nlmsghdr *h = ctl_env_begin(e, TL_CTL_MSG_REFUSED, 0, NULL, 0);
	struct ip_addr a = ip_addr_v4(htonl(l->n[1]->ip));

	memcpy(x.local, a.b, 16);
	a = ip_addr_v4(htonl(l->n[0]->ip));
	memcpy(x.remote, a.b, 16);
	mnl_attr_put(h, TL_CTL_A_TUPLE, sizeof(x), &x);
	return h;
}

/* C-2, C-3, C-4, e17: while a key manager is there a connection waits; its refusal ends it. */
START_TEST(c4_refusal_ends_what_waits_for_an_sa)
{
	static const struct lab_opts o = {.unambiguous = false};

	begin(1, &o);
	lab_sa_del(l->n[1], "out0", false);
	lab_sa_del(l->n[1], "rogue-out", false);
	ctl_env_expect(e, reg(1, false), 0, NULL);
	lab_begin(l, 1000, 1000);
	lab_pass(l, VNET_MS);
	ck_assert_uint_eq(lab_sent(l, 1), 0); /* G-12 */
	ctl_env_expect(
		e, ctl_env_begin(e, TL_CTL_MSG_REFUSED, 0, NULL, 0), -EINVAL, "TL_CTL_A_TUPLE");
	ctl_env_expect(e, refused(0), 0, NULL);
	ck_assert_uint_eq(value(TL_CTL_A_VALUE), 1);
	touch_and_pass();
	ck_assert_int_eq(l->c->end[0].err, EHOSTUNREACH);
	finish();
}
END_TEST

/* ---- what it asks ---- */

static struct nlmsghdr *
about(uint16_t type, uint16_t flags, uint8_t last_lo, uint8_t last_hi)
{
	struct nlmsghdr *h = ctl_env_begin(e, type, flags, NULL, 0);
	struct tl_ctl_sel x = {.lport_hi = 65535, .rport_hi = 65535};
	struct ip_addr a = ip_addr_v4(htonl(0x0a000000));

	memcpy(x.local_lo, a.b, 16);
	memcpy(x.remote_lo, a.b, 16);
	a = ip_addr_v4(htonl(0x0a0000ff));
	memcpy(x.local_hi, a.b, 16);
	memcpy(x.remote_hi, a.b, 16);
	x.remote_lo[15] = last_lo;
	x.remote_hi[15] = last_hi;
	mnl_attr_put(h, TL_CTL_A_SEL, sizeof(x), &x);
	return h;
}

/* K-4: who makes an SA sees which latches it would cover. */
START_TEST(k4_latches_that_selectors_cover_are_told)
{
	static const struct lab_opts o;
	struct tl_ctl_tuple x;

	begin(0, &o);
	lab_open(l, 1000, 1000);
	ctl_env_ask(e, about(TL_CTL_MSG_QUERYLATCH, NLM_F_DUMP, 0, 255));
	ck_assert_uint_eq(e->nb_got, 1);
	memcpy(&x, mnl_attr_get_payload(ctl_env_attr(e->got[0], 0, TL_CTL_A_TUPLE)), sizeof(x));
	ck_assert_uint_eq(x.remote[15], 2);
	ctl_env_ask(e, about(TL_CTL_MSG_QUERYLATCH, NLM_F_DUMP, 3, 255));
	ck_assert_uint_eq(e->nb_got, 0);
	ctl_env_expect(e, about(TL_CTL_MSG_QUERYLATCH, 0, 0, 255), -EINVAL, "a dump");
	ctl_env_expect(e, ctl_env_begin(e, TL_CTL_MSG_QUERYLATCH, NLM_F_DUMP, NULL, 0), -EINVAL,
		"TL_CTL_A_SEL");
	finish();
}
END_TEST

/* A question about somebody who is not known adds nobody: handles are never given back (F-4). */
START_TEST(questions_do_not_fill_the_tables)
{
	static const uint16_t type[] = {TL_CTL_MSG_GETLATCH, TL_CTL_MSG_BREAKLATCH,
		TL_CTL_MSG_CLOSELATCH, TL_CTL_MSG_PEEREVENT, TL_CTL_MSG_INVACQUIRE};
	static const struct lab_opts o;
	struct nlmsghdr *h;
	uint32_t n = 1;

	begin(0, &o);
	lab_open(l, 1000, 1000);
	while (latch_ident_get(e->n->s->conf.tables, n) != NULL)
		n++;
	for (size_t i = 0; i < RTE_DIM(type); i++) {
		h = type[i] == TL_CTL_MSG_INVACQUIRE
			    ? about(type[i], 0, 0, 255)
			    : ctl_env_begin(e, type[i],
				      type[i] == TL_CTL_MSG_GETLATCH ? NLM_F_DUMP : 0, NULL, 0);
		ctl_env_put_ident(h, TL_CTL_A_PEER_ID, "nobody.knows.me");
		if (type[i] == TL_CTL_MSG_PEEREVENT)
			mnl_attr_put_u8(h, TL_CTL_A_PEER_EVENT, TL_CTL_PEER_DEAD);
		ck_assert_int_ge(ctl_env_ask(e, h), 0);
		ck_assert_ptr_null(latch_ident_get(e->n->s->conf.tables, n));
	}
	lab_complete(l);
	finish();
}
END_TEST

/* E.5: a part of what is latched would be taken for all of it. */
START_TEST(inverse_acquire_tells_all_or_refuses)
{
	struct latch latch[17] = {{0}};
	struct flow_key k[17] = {{.proto = IPPROTO_N_TCP}};
	static const struct lab_opts o;
	char name[16], words[256], secret[41];

	begin(0, &o);
	for (uint32_t i = 0; i < 17; i++) {
		struct tl_error err = {""};
		struct lcore *lc = e->n->s->lc[0];

		snprintf(name, sizeof(name), "o%u", i);
		snprintf(secret, sizeof(secret), "%040x", i + 1);
		snprintf(words, sizeof(words),
			"spi=%u direction=out mode=transport local=10.0.0.1 remote=10.0.0.%u "
			"key=%s "
			"local-id=me peer-id=fqdn:p%u remote-net=10.0.0.%u",
			0x5000 + i, 10 + i, secret, i, 10 + i);
		ck_assert_msg(tl_sa_add(e->n->s, name, words, &err) == 0, "%s", err.text);
		k[i] = (struct flow_key){.local = ip_addr_v4(htonl(l->n[0]->ip)),
			.remote = ip_addr_v4(htonl(0x0a000000 + 10 + i)),
			.lport = htons(1),
			.rport = htons(2),
			.proto = IPPROTO_N_TCP};
		ck_assert_int_eq(latch_open(lc, &latch[i], &k[i]), 0);
		ctl_env_expect(e, about(TL_CTL_MSG_INVACQUIRE, 0, 10, 255), i < 16 ? 0 : -E2BIG,
			i < 16 ? NULL : "narrow the selectors");
		ck_assert_uint_eq(e->nb_got, i < 16 ? i + 1 : 0);
	}
	for (uint32_t i = 0; i < 17; i++)
		latch_release(e->n->s->lc[0], &latch[i]);
	finish();
}
END_TEST

/* E.5: a responder learns what is latched, or else what the policy asks for. */
START_TEST(inverse_acquire_gives_latched_values_before_policy)
{
	struct lab_opts o = {.named_policy = true};
	struct nlmsghdr *h;

	begin(0, &o);
	ctl_env_expect(e, about(TL_CTL_MSG_INVACQUIRE, 0, 0, 255), 0, NULL);
	ck_assert_uint_eq(e->nb_got, 1);
	ck_assert_str_eq(mnl_attr_get_str(ctl_env_attr(e->got[0], 0, TL_CTL_A_NAME)), "all");
	ck_assert_ptr_nonnull(ctl_env_attr(e->got[0], 0, TL_CTL_A_PEER_ID));
	lab_open(l, 1000, 1000);
	ctl_env_expect(e, about(TL_CTL_MSG_INVACQUIRE, 0, 0, 255), 0, NULL);
	ck_assert_uint_eq(e->nb_got, 1);
	ck_assert_ptr_null(ctl_env_attr(e->got[0], 0, TL_CTL_A_NAME));
	ck_assert_uint_eq(value(TL_CTL_A_VALUE), 1);
	ck_assert_uint_eq(
		mnl_attr_get_u16(ctl_env_attr(e->got[0], 0, TL_CTL_A_ENCR)), ESP_ENCR_AES_GCM_16);
	ck_assert_uint_eq(mnl_attr_get_u8(ctl_env_attr(e->got[0], 0, TL_CTL_A_CERT_RULE)),
		TL_LATCH_CERT_ID_TA);
	h = about(TL_CTL_MSG_INVACQUIRE, 0, 0, 255);
	ctl_env_put_ident(h, TL_CTL_A_PEER_ID, "rogue.example");
	ctl_env_expect(e, h, 0, NULL);
	ck_assert_ptr_nonnull(ctl_env_attr(e->got[0], 0, TL_CTL_A_NAME));
	ctl_env_expect(e, ctl_env_begin(e, TL_CTL_MSG_INVACQUIRE, 0, NULL, 0), -EINVAL, "A_SEL");
	finish();
	o = (struct lab_opts){.clear = true};
	begin(0, &o);
	ctl_env_expect(e, about(TL_CTL_MSG_INVACQUIRE, 0, 0, 255), -ENOENT, "no policy");
	finish();
}
END_TEST

static const struct nlattr *
acquired(const struct esp_event *ev, uint16_t type)
{
	ck_assert_int_eq(rte_ring_enqueue_elem(
				 e->n->s->control.event[0], (void *)(uintptr_t)ev, sizeof(*ev)),
		0);
	while (e->nb_got > 0)
		free(e->got[--e->nb_got]);
	ctl_tick(e->k, VNET_S);
	ctl_env_read(e);
	ck_assert_uint_eq(e->nb_got, 1);
	ck_assert_uint_eq(e->got[0]->nlmsg_type, XFRM_MSG_ACQUIRE);
	return ctl_env_attr(e->got[0], sizeof(struct xfrm_user_acquire), type);
}

/* P-3, P-5, P-16, C-6, G-25: the request carries what the program asked for, beyond the policy; or
 * what is latched. */
START_TEST(p16_acquire_carries_wish_and_latch)
{
	static const struct lab_opts o = {.named_policy = true};
	struct esp_event ev = {.kind = ESP_EV_ACQUIRE,
		.key = {.local = ip_addr_v4(htonl(CTL_ENV_US)),
			.remote = ip_addr_v4(htonl(CTL_ENV_PEER)),
			.lport = htons(5),
			.rport = htons(7),
			.proto = 6}};
	struct tl_latch_info i;
	struct nlmsghdr *h;

	begin(0, &o);
	lab_open(l, 1000, 1000);
	h = ctl_env_begin(e, TL_CTL_MSG_SUBSCRIBE, 0, NULL, 0);
	mnl_attr_put_u32(h, TL_CTL_A_GROUPS, TL_CTL_GROUP_ACQUIRE);
	ctl_env_expect(e, h, 0, NULL);
	ev.rule = e->n->s->control.rule[0].id;
	ck_assert_uint_eq(mnl_attr_get_u16(acquired(&ev, TL_CTL_A_ENCR)), 0);
	ck_assert_ptr_null(acquired(&ev, TL_CTL_A_UNIQUE));
	ev.want = (struct esp_want){.peer_id = 1,
		.encr = ESP_ENCR_AES_GCM_16,
		.encr_bits = 256,
		.mode = ESP_MODE_TUNNEL,
		.unique = true};
	ck_assert_uint_eq(mnl_attr_get_u16(acquired(&ev, TL_CTL_A_ENCR_BITS)), 256);
	ck_assert_ptr_nonnull(acquired(&ev, TL_CTL_A_UNIQUE));
	ck_assert_uint_eq(mnl_attr_get_u8(acquired(&ev, TL_CTL_A_MODE)), ESP_MODE_TUNNEL);
	ck_assert_ptr_nonnull(acquired(&ev, TL_CTL_A_PEER_ID));
	ev.rule = 0; /* PROTECT over BYPASS: the program alone */
	ck_assert_uint_eq(mnl_attr_get_u16(acquired(&ev, TL_CTL_A_ENCR_BITS)), 256);
	app_latch(&l->c->end[1], &i);
	ev.want = (struct esp_want){0};
	ev.profile = i.profile;
	ck_assert_uint_eq(mnl_attr_get_u16(acquired(&ev, TL_CTL_A_ENCR)), ESP_ENCR_AES_GCM_16);
	ck_assert_uint_eq(mnl_attr_get_u8(acquired(&ev, TL_CTL_A_CERT_RULE)), TL_LATCH_CERT_ID_TA);
	finish();
}
END_TEST

/* Z-1, B-12 */
START_TEST(z1_administrator_closes_latches)
{
	static const struct lab_opts o = {.more = {"stack.disposition=wait"}};
	struct nlmsghdr *h;

	begin(0, &o);
	lab_open(l, 1000, 1000);
	h = ctl_env_begin(e, TL_CTL_MSG_CLOSELATCH, 0, NULL, 0);
	ctl_env_expect(e, h, -EINVAL, "expected one of");
	h = ctl_env_begin(e, TL_CTL_MSG_CLOSELATCH, 0, NULL, 0);
	ctl_env_put_ident(h, TL_CTL_A_PEER_ID, "n1.example");
	ctl_env_expect(e, h, 0, NULL);
	ck_assert_uint_eq(value(TL_CTL_A_VALUE), 1);
	touch_and_pass();
	ck_assert_int_eq(l->c->end[1].err, ECONNRESET);
	ck_assert_uint_eq(l->c->end[1].info.state, TL_LATCH_CLOSED);
	ck_assert_uint_eq(l->c->end[1].info.reason, TL_LATCH_ADMIN);
	finish();
}
END_TEST

static void
wants_clear(struct tl_worker *w, int fd, bool listener)
{
	struct tl_latch_req r = {.version = 1, .size = sizeof(r), .flags = TL_LATCH_BYPASS};
	uint32_t events = 1u << TL_LATCH_EV_CLOSED | 1u << TL_LATCH_EV_NOSA;

	(void)listener;
	ck_assert_int_eq(tl_setsockopt(w, fd, SOL_TL_IPSEC, TL_LATCH_REQUEST, &r, sizeof(r)), 0);
	ck_assert_int_eq(
		tl_setsockopt(w, fd, SOL_TL_IPSEC, TL_LATCH_EVENTS, &events, sizeof(events)), 0);
}

/* O-13, Z-1: the administrator ends what deviates from the policy and nothing else: the connection
 * that a privileged program has in clear, and that its listener takes such. What deviates, and what
 * its program hears, is listed. */
START_TEST(o13_deviations_are_listed_and_ended)
{
	static const uint16_t type[] = {TL_CTL_MSG_CLOSELATCH, TL_CTL_MSG_BREAKLATCH};
	struct lab_opts o = {
		.more = {"stack.privileged-bypass=yes", "stack.privileged-programs=test_km"}};
	struct craft_seg s = {.sport = 4444, .dport = APP_PORT, .flags = CRAFT_SYN, .wnd = 1000};
	struct nlmsghdr *h;
	uint32_t seen = 0;

	app_prepare = wants_clear;
	begin(0, &o);
	lab_open(l, 1000, 1000);
	ctl_env_ask(e, ctl_env_begin(e, TL_CTL_MSG_GETLATCH, NLM_F_DUMP, NULL, 0));
	for (uint32_t i = 0; i < e->nb_got; i++) {
		uint32_t f = mnl_attr_get_u32(ctl_env_attr(e->got[i], 0, TL_CTL_A_FLAGS));

		ck_assert_uint_eq(mnl_attr_get_u32(ctl_env_attr(e->got[i], 0, TL_CTL_A_EVENTS)),
			1u << TL_LATCH_EV_CLOSED | 1u << TL_LATCH_EV_NOSA);
		ck_assert_uint_eq(f & TL_LATCH_F_AUTO, 0);
		seen += (f & TL_LATCH_F_OVERRIDE) != 0;
	}
	ck_assert_uint_eq(seen, 1);
	h = ctl_env_begin(e, type[_i], 0, NULL, 0);
	mnl_attr_put(h, TL_CTL_A_OVERRIDES, 0, NULL);
	mnl_attr_put(h, TL_CTL_A_ALL, 0, NULL);
	ctl_env_expect(e, h, -EINVAL, "expected one of");
	h = ctl_env_begin(e, type[_i], 0, NULL, 0);
	mnl_attr_put(h, TL_CTL_A_OVERRIDES, 0, NULL);
	ctl_env_expect(e, h, 0, NULL);
	ck_assert_uint_eq(value(TL_CTL_A_VALUE), 2);
	touch_and_pass();
	ck_assert_uint_eq(l->c->end[1].info.reason, TL_LATCH_ADMIN);
	s.src = l->n[1]->ip;
	s.dst = l->n[0]->ip;
	lab_send_clear(l, 1, &s);
	lab_pass(l, VNET_MS);
	ck_assert_uint_eq(lab_stat(l, 0, "spd-clear"), 1);
	h = ctl_env_begin(e, type[_i], 0, NULL, 0);
	mnl_attr_put(h, TL_CTL_A_OVERRIDES, 0, NULL);
	ctl_env_expect(e, h, 0, NULL);
	ck_assert_uint_eq(value(TL_CTL_A_VALUE), 0);
	finish();
}
END_TEST

/* O-13: what follows the policy stays. */
START_TEST(o13_what_follows_the_policy_stays)
{
	static const struct lab_opts o;
	struct nlmsghdr *h;

	begin(0, &o);
	lab_open(l, 1000, 1000);
	h = ctl_env_begin(e, TL_CTL_MSG_CLOSELATCH, 0, NULL, 0);
	mnl_attr_put(h, TL_CTL_A_OVERRIDES, 0, NULL);
	ctl_env_expect(e, h, 0, NULL);
	ck_assert_uint_eq(value(TL_CTL_A_VALUE), 0);
	lab_complete(l);
	finish();
}
END_TEST

/* ---- the PAD ---- */

static struct nlmsghdr *
named(uint16_t type, const char *name, const char *settings)
{
	struct nlmsghdr *h = ctl_env_begin(e, type, 0, NULL, 0);

	mnl_attr_put_strz(h, TL_CTL_A_NAME, name);
	if (settings != NULL)
		mnl_attr_put_strz(h, TL_CTL_A_SETTINGS, settings);
	return h;
}

/* F-48, F-47: an SA is refused by name of the entry that says no. */
START_TEST(f48_sa_whose_peer_may_not_claim_its_selectors_is_refused)
{
	e = ctl_env_new(NULL);
	ctl_env_expect(
		e, named(TL_CTL_MSG_ADDPEER, "x", "remote-net=10.0.0.0/24"), -EINVAL, "identity");
	ctl_env_expect(e, named(TL_CTL_MSG_ADDPEER, "x", "identity=fqdn:x remote-net=any"), -EINVAL,
		"prefixes");
	ctl_env_expect(e, named(TL_CTL_MSG_ADDPEER, "x", "identity=fqdn:x auth=cert,none"), -EINVAL,
		"psk");
	ctl_env_expect(e, named(TL_CTL_MSG_ADDPEER, "x", "identity=fqdn:x"), 0, NULL);
	ctl_env_expect(e, ctl_env_new_sa(e, true, 0x1000), -EACCES, "no [peer NAME]");
	ctl_env_expect(e,
		named(TL_CTL_MSG_ADDPEER, "bob",
			"identity=fqdn:peer.example remote-net=10.1.0.0/16,10.0.0.4-10.0.0.9"),
		0, NULL);
	ctl_env_expect(e, ctl_env_new_sa(e, true, 0x1000), -EACCES, "[peer bob] remote-net");
	ctl_env_expect(e, named(TL_CTL_MSG_ADDPEER, "bob", "identity=fqdn:z"), -EINVAL, "exists");
	ctl_env_expect(e, named(TL_CTL_MSG_REMPEER, "bob", NULL), 0, NULL);
	ctl_env_expect(e,
		named(TL_CTL_MSG_ADDPEER, "bob", "identity=fqdn:peer.example auth=cert,raw-key"), 0,
		NULL);
	ctl_env_expect(e, ctl_env_new_sa(e, true, 0x1000), -EACCES, "[peer bob] auth");
	ctl_env_expect(e, sa_with(NULL, NULL, TL_AUTH_PSK), -EACCES, "[peer bob] auth");
	ctl_env_expect(e, sa_with(NULL, NULL, TL_AUTH_CERT), 0, NULL);
	ctl_env_expect(e,
		named(TL_CTL_MSG_ADDPEER, "all", "leap-of-faith=yes remote-net=10.0.0.0/8"),
		-EINVAL, "overlap");
	ctl_env_ask(e, ctl_env_begin(e, TL_CTL_MSG_GETPEER, NLM_F_DUMP, NULL, 0));
	ck_assert_uint_eq(e->nb_got, 2);
	ck_assert_str_eq(mnl_attr_get_str(ctl_env_attr(e->got[1], 0, TL_CTL_A_NAME)), "bob");
	ck_assert_str_eq(mnl_attr_get_str(ctl_env_attr(e->got[1], 0, TL_CTL_A_TEXT)), "any");
	ctl_env_expect(e, named(TL_CTL_MSG_REMPEER, "nobody", NULL), -ENOENT, "no such peer");
	ctl_env_free(e);
}
END_TEST

/* F-48: a list of networks is read to its end, or refused: were it cut in the middle of a prefix
 * length, the peer could claim a quarter of all addresses. */
START_TEST(f48_long_list_of_networks_is_not_cut)
{
	char settings[4096] = "identity=fqdn:peer.example remote-net=fd00::1/128";
	size_t at = strlen("identity=fqdn:peer.example remote-net="), end = strlen(settings);

	e = ctl_env_new(NULL);
	memset(settings + end, ',', at + 245 - end);
	strcpy(settings + at + 245, "10.0.0.0/24");
	ctl_env_expect(e, named(TL_CTL_MSG_ADDPEER, "long", settings), 0, NULL);
	ctl_env_ask(e, ctl_env_begin(e, TL_CTL_MSG_GETPEER, NLM_F_DUMP, NULL, 0));
	ck_assert_uint_eq(e->nb_got, 1);
	ck_assert_str_eq(mnl_attr_get_str(ctl_env_attr(e->got[0], 0, TL_CTL_A_TEXT)),
		"fd00::1/128,10.0.0.0/24");
	memset(settings + end, ',', at + 2048 - end);
	strcpy(settings + at + 2048, "10.0.0.0/24");
	ctl_env_expect(e, named(TL_CTL_MSG_ADDPEER, "longer", settings), -EINVAL, "prefixes");
	ctl_env_free(e);
}
END_TEST

/* F-82: who is taken out of the PAD is gone, though policy edits are survived. */
START_TEST(f82_revoked_peer_loses_its_sas_and_latches)
{
	struct lab_opts o = {.more = {"peer p.identity=peer", "peer p.remote-net=10.0.0.0/24",
				     "peer r.identity=rogue", "stack.spd-change=preserve"}};
	uint32_t sas;

	begin(0, &o);
	lab_open(l, 1000, 1000);
	sas = ctl_env_sas(e);
	ctl_env_expect(e, named(TL_CTL_MSG_REMPEER, "r", NULL), 0, NULL);
	ck_assert_uint_eq(ctl_env_sas(e), sas - 2);
	lab_pass(l, VNET_MS);
	ck_assert_int_eq(l->c->end[1].state, APP_OPEN);
	ctl_env_expect(e, named(TL_CTL_MSG_REMPEER, "p", NULL), 0, NULL);
	ck_assert_uint_eq(ctl_env_sas(e), 0);
	touch_and_pass();
	ck_assert_int_eq(l->c->end[1].err, ECONNRESET);
	ck_assert_uint_eq(l->c->end[1].info.state, TL_LATCH_CLOSED);
	ck_assert_uint_eq(l->c->end[1].info.reason, TL_LATCH_PAD_CHANGE);
	/* The last entry is gone, and with it everybody's right. */
	ctl_env_expect(e, ctl_env_new_sa(e, true, 0x1000), -EACCES, "no [peer NAME]");
	finish();
}
END_TEST

static Suite *
suite(void)
{
	Suite *s = suite_create("km");
	TCase *c = tcase_create("km");

	tcase_set_timeout(c, 100);
	tcase_add_test(c, m1_key_manager_restarts_and_nothing_breaks);
	tcase_add_test(c, m2_state_that_is_lost_closes_every_latch);
	tcase_add_test(c, p21_m3_damaged_table_closes_every_latch);
	tcase_add_test(c, p22_identity_said_twice_is_the_same);
	tcase_add_test(c, sa_names_its_evidence_by_the_hash);
	tcase_add_test(c, f44_sa_with_other_evidence_conflicts_with_the_latch);
	tcase_add_test(c, f39_two_null_peers_are_two);
	tcase_add_test(c, cb4_both_ends_export_the_same_binding);
	tcase_add_loop_test(c, cb3_cb11_binding_is_of_the_end_points, 0, 2);
	tcase_add_test(c, cb9_nested_channel_binds_nothing);
	tcase_add_loop_test(c, m5_m7_what_is_said_of_a_peer, 0, 3);
	tcase_add_loop_test(c, dead_by_verdict_while_the_peer_still_sends, 0, 2);
	tcase_add_test(c, c4_refusal_ends_what_waits_for_an_sa);
	tcase_add_test(c, k4_latches_that_selectors_cover_are_told);
	tcase_add_test(c, questions_do_not_fill_the_tables);
	tcase_add_test(c, inverse_acquire_tells_all_or_refuses);
	tcase_add_test(c, inverse_acquire_gives_latched_values_before_policy);
	tcase_add_test(c, p16_acquire_carries_wish_and_latch);
	tcase_add_test(c, z1_administrator_closes_latches);
	tcase_add_loop_test(c, o13_deviations_are_listed_and_ended, 0, 2);
	tcase_add_test(c, o13_what_follows_the_policy_stays);
	tcase_add_test(c, f48_sa_whose_peer_may_not_claim_its_selectors_is_refused);
	tcase_add_test(c, f48_long_list_of_networks_is_not_cut);
	tcase_add_test(c, f82_revoked_peer_loses_its_sas_and_latches);
	suite_add_tcase(s, c);
	return s;
}

int
main(void)
{
	env_eal_init();
	return env_main(suite());
}
