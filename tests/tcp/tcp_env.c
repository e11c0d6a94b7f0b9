/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/tcp/tcp_env.h"

#include <errno.h>
#include <string.h>
#include <rte_tcp.h>

#include "stack/base/csum.h"
#include "stack/base/flow_dir.h"
#include "stack/net/route.h"

struct tcp_env t;

enum { PATTERN = 65536 };
#define TUNNEL_PEER RTE_BE32(0x0a000009)
static uint8_t bytes[PATTERN];

/* ---- the fakes ---- */

int
route_find(const struct lcore *lc, const struct ip_addr *dst, struct route *out)
{
	(void)lc;
	*out = (struct route){
		.nexthop = *dst, .src = ip_addr_v4(RTE_BE32(0x0a000001)), .mtu_bytes = 1500};
	if ((rte_be_to_cpu_32(ip_addr_to_v4(dst)) & 0xffffff00) != 0x0a000000)
		return -ENETUNREACH;
	if (ip_addr_to_v4(dst) == TUNNEL_PEER)
		out->mtu_bytes = t.fake.tun_mtu;
	return 0;
}

bool
route_is_broadcast(const struct lcore *lc, rte_be32_t a, uint32_t realm)
{
	(void)lc;
	return realm == 0 && a == RTE_BE32(0x0a0000ff);
}

bool
route_is_ours(const struct lcore *lc, const struct ip_addr *a, uint32_t realm)
{
	(void)lc;
	return realm == 0 && ip_addr_to_v4(a) == RTE_BE32(0x0a000001);
}

void
sock_wake(struct lcore *lc, struct sock *s)
{
	(void)lc;
	(void)s;
	t.fake.wakes++;
}

bool
latch_holds(const struct lcore *lc)
{
	(void)lc;
	return !t.fake.stale_verdicts;
}

bool
latch_recheck(struct lcore *lc, struct rte_mbuf *m)
{
	struct pkt_meta *pm = pkt_meta(m);

	t.fake.rechecks++;
	if (t.fake.drop_recheck) {
		pkt_drop(lc, m, DROP_SPD_CLEAR);
		return false;
	}
	pm->flow = flow_find(lc, &pm->key);
	if (t.fake.drop_unowned && pm->flow == NULL) {
		pkt_drop(lc, m, DROP_SPD_CLEAR);
		return false;
	}
	/* Without an owner the SPD decides, and it never breaks. */
	pm->verdict = pm->flow != NULL ? t.fake.verdict : VERDICT_ACCEPT;
	pm->reason = t.fake.reason;
	return true;
}

bool
latch_is_current(const struct lcore *lc, const struct rte_mbuf *m)
{
	(void)lc;
	(void)m;
	return !t.fake.stale;
}

static void
establish(struct latch *l)
{
	l->state = TL_LATCH_ESTABLISHED;
	if (t.fake.tun_mtu == 0)
		return;
	l->mode = TL_LATCH_MODE_TUNNEL;
	l->tun_remote = ip_addr_v4(TUNNEL_PEER);
}

int
latch_open(struct lcore *lc, struct latch *l, const struct flow_key *k)
{
	(void)lc;
	ck_assert_uint_eq(k->proto, IPPROTO_N_TCP);
	if (t.fake.open_rc != 0)
		return t.fake.open_rc;
	establish(l);
	t.fake.opened++;
	t.fake.in_use++;
	return 0;
}

enum drop_reason
latch_spawn(struct lcore *lc, struct latch *l, struct latch *listener, const struct flow_key *k,
	const struct rte_mbuf *m)
{
	(void)lc;
	ck_assert_uint_eq(listener->state, TL_LATCH_LISTENER);
	ck_assert(flow_key_eq(k, &pkt_meta(m)->key));
	ck_assert_ptr_null(pkt_meta(m)->flow);
	if (t.fake.rival != NULL)
		ck_assert_int_eq(flow_dir_claim(t.fake.rival, k, 7), 0);
	if (t.fake.spawn_rc != DROP_NONE || listener == t.fake.refuser)
		return latch_spawn_check(lc, listener, k, m);
	establish(l);
	t.fake.spawned++;
	t.fake.in_use++;
	return 0;
}

void
latch_set_owner(struct lcore *lc, uint8_t proto, latch_alert_fn *alert)
{
	(void)lc;
	ck_assert_uint_eq(proto, IPPROTO_N_TCP);
	ck_assert_ptr_nonnull(alert);
}

enum drop_reason
latch_spawn_check(struct lcore *lc, const struct latch *listener, const struct flow_key *k,
	const struct rte_mbuf *m)
{
	(void)lc;
	(void)k;
	(void)m;
	return listener == t.fake.refuser ? DROP_LATCH_REQUEST : t.fake.spawn_rc;
}

enum latch_act
latch_conflict(struct lcore *lc, struct latch *l, enum tl_latch_reason why, bool is_open)
{
	(void)lc;
	t.fake.was_open = is_open;
	if (t.fake.waits) {
		t.fake.broken++;
		return LATCH_ACT_PAUSE;
	}
	ck_assert_uint_eq(l->state, TL_LATCH_ESTABLISHED);
	l->state = TL_LATCH_CLOSED;
	l->reason = (uint8_t)why;
	t.fake.broken++;
	t.fake.in_use--;
	return LATCH_ACT_RESET;
}

enum latch_new_syn
latch_new_syn(const struct lcore *lc, const struct latch *l)
{
	(void)lc;
	(void)l;
	return (enum latch_new_syn)t.fake.new_syn;
}

bool
latch_asks_window(const struct lcore *lc)
{
	(void)lc;
	return t.fake.window;
}

int
latch_errno(const struct latch *l, int legacy)
{
	(void)l;
	return legacy;
}

bool
latch_is_suspended(const struct lcore *lc, const struct latch *l)
{
	(void)lc;
	(void)l;
	return t.fake.suspended;
}

int
latch_listen(struct lcore *lc, struct latch *l, const struct flow_key *k)
{
	(void)lc;
	ck_assert_uint_eq(k->rport, 0);
	l->state = TL_LATCH_LISTENER;
	return 0;
}

bool
latch_has_event(const struct latch *l)
{
	(void)l;
	return false;
}

void
latch_renew(struct latch *l)
{
	memset(l, 0, sizeof(*l));
}

void
latch_fini(struct latch *l)
{
	(void)l;
}

int
latch_setopt(struct lcore *lc, struct latch *l, const struct flow_key *k, bool fresh, int opt,
	const void *val, socklen_t len)
{
	(void)lc;
	(void)l;
	(void)k;
	(void)fresh;
	(void)opt;
	(void)val;
	(void)len;
	return -ENOPROTOOPT;
}

void
latch_release(struct lcore *lc, struct latch *l)
{
	(void)lc;
	if (l->state != TL_LATCH_ESTABLISHED)
		return;
	l->state = TL_LATCH_CLOSED;
	l->reason = TL_LATCH_RELEASED;
	t.fake.released++;
	t.fake.in_use--;
}

void
latch_stamp(struct lcore *lc, struct latch *l, const struct flow_key *k, struct rte_mbuf *m)
{
	(void)lc;
	ck_assert(t.fake.any_stamp || l->state == TL_LATCH_ESTABLISHED);
	ck_assert(flow_key_eq(k, &pkt_meta(m)->key));
	t.fake.stamped++;
}

void
latch_stamp_answer(struct lcore *lc, const struct rte_mbuf *question, struct rte_mbuf *answer)
{
	(void)lc;
	ck_assert(flow_key_eq(&pkt_meta(question)->key, &pkt_meta(answer)->key));
	t.fake.answered++;
}

bool
latch_refresh(struct lcore *lc, struct latch *l, const struct flow_key *k)
{
	(void)lc;
	(void)l;
	(void)k;
	return false;
}

uint32_t
latch_l4_room(const struct latch *l, uint32_t mtu_bytes, uint32_t ip_hlen_bytes)
{
	(void)l;
	return mtu_bytes - ip_hlen_bytes - t.fake.overhead;
}

int
latch_getopt(struct lcore *lc, const struct latch *l, const struct flow_key *k, int opt, void *val,
	socklen_t *len)
{
	(void)lc;
	(void)k;
	if (opt != TL_LATCH_INFO)
		return -ENOPROTOOPT;
	memset(val, 0, *len);
	((struct tl_latch_info *)val)->state = l->state;
	((struct tl_latch_info *)val)->reason = l->reason;
	return 0;
}

/* ---- the worker ---- */

const uint8_t *
pattern(void)
{
	return bytes;
}

void
setup(void)
{
	struct tcp_conf conf;

	memset(&t, 0, sizeof(t));
	for (uint32_t i = 0; i < PATTERN; i++)
		bytes[i] = (uint8_t)(i * 7 + (i >> 8) * 13);
	t.e = env_setup();
	t.lc = &t.e->lc;
	t.fake.verdict = VERDICT_ACCEPT;
	t.peer_iss = PEER_ISS;
	t.peer_mss = MSS;
	t.peer_ws = -1;
	t.peer_ts_val = 0xfffffff0;
	tcp_conf_default(&conf);
	conf.max_pcbs = 127;
	conf.max_ranges = 1000;
	/* Windows that stay are easier to say in numbers. */
	conf.sndbuf_max_bytes = conf.rcvbuf_max_bytes = 0;
	ck_assert_int_eq(tcp_create(t.lc, &conf), 0);
	sock_new(&t.s);
}

void
setup_newreno(void)
{
	setup();
	t.lc->tcp->conf.cc = TCP_CONF_NEWRENO;
	t.lc->tcp->conf.no_hystart = true;
}

static void
discard_out(void)
{
	pkt_queue_drop(t.lc, &t.out, DROP_PORT_CLOSED);
}

void
teardown(void)
{
	if (t.s.pcb != NULL) {
		t.s.linger_s = 0;
		tcp_sock_ops.close(t.lc, &t.s);
	}
	if (t.lsn.pcb != NULL)
		tcp_sock_ops.close(t.lc, &t.lsn);
	tcp_destroy(t.lc);
	ck_assert_int_eq(t.fake.in_use, 0);
	ck_assert_uint_eq(t.lc->flow->n, 0);
	ck_assert_uint_eq(tmr_next_ns(t.lc), UINT64_MAX);
	discard_out();
	env_teardown(t.e);
}

void
env_turn(void)
{
	struct pkt_vec v;
	struct rte_mbuf *m;

	while ((m = pkt_queue_get(&t.lc->out_l4)) != NULL)
		pkt_queue_put(&t.out, m);
	while (tcp_out_pending(t.lc)) {
		uint32_t n;

		v.n = 0;
		n = tcp_out(t.lc, &v, PKT_BURST);
		ck_assert_uint_eq(n, v.n);
		for (uint32_t i = 0; i < v.n; i++)
			pkt_queue_put(&t.out, v.m[i]);
	}
}

void
env_wait_us(uint64_t us)
{
	uint64_t end = t.lc->now_ns + us * 1000;

	while (tmr_next_ns(t.lc) <= end) {
		t.lc->now_ns = tmr_next_ns(t.lc);
		tmr_run(t.lc);
		env_turn();
	}
	t.lc->now_ns = end;
	tmr_run(t.lc);
}

static struct flow_key
key_of(const struct in *in)
{
	struct flow_key k = {.local = ip_addr_v4(RTE_BE32(0x0a000001)),
		.remote = ip_addr_v4(RTE_BE32(0x0a000002)),
		.lport = RTE_BE16(OWN_PORT),
		.rport = rte_cpu_to_be_16(in->peer_port != 0 ? in->peer_port : PEER_PORT),
		.proto = IPPROTO_N_TCP};

	if (t.p != NULL && in->peer_port == 0)
		k = t.p->fe.key;
	return k;
}

static void
fill_opts(const struct in *in, struct tcp_seg *s)
{
	s->opts = in->opts;
	if ((in->flags & S) != 0) {
		s->opts |= TCP_O_MSS;
		s->mss = t.peer_mss;
		if (t.peer_ws >= 0) {
			s->opts |= TCP_O_WS;
			s->wscale = (uint8_t)t.peer_ws;
		}
		if (t.peer_sack)
			s->opts |= TCP_O_SACK_PERM;
	}
	if (t.peer_ts && !in->no_ts) {
		s->opts |= TCP_O_TS;
		s->ts_val = t.peer_ts_val;
		s->ts_ecr = in->ts_ecr;
	}
	s->tfo_len = in->tfo_len;
	if (in->tfo_len > 0)
		memcpy(s->tfo, in->tfo, in->tfo_len);
	for (uint32_t i = 0; i < TCP_SACK_MAX && in->sack[i].l != in->sack[i].r; i++) {
		s->sack[i] =
			(struct tcp_sack_block){t.p->iss + in->sack[i].l, t.p->iss + in->sack[i].r};
		s->sack_n++;
	}
}

struct rte_mbuf *
env_segment(const struct in *in)
{
	struct flow_key k = key_of(in);
	struct tcp_seg s = {.flags = in->flags, .seq = t.peer_iss + in->seq};
	uint8_t buf[4096];
	uint32_t hlen, len;
	struct rte_mbuf *m;
	uint16_t c;

	if ((in->flags & A) != 0)
		s.ack = (t.p != NULL ? t.p->iss : 0) + in->ack;
	s.wnd = (uint16_t)(in->wnd_0 ? 0 : in->wnd != 0 ? in->wnd : PEER_WND);
	fill_opts(in, &s);
	hlen = tcp_wire_emit(buf, &s, k.rport, k.lport);
	if (in->len > 0)
		memcpy(buf + hlen, in->data != NULL ? in->data : bytes, in->len);
	len = hlen + in->len;
	c = csum_finish(csum_add(buf, len, csum_pseudo(&k, len)));
	if (in->bad_csum)
		c ^= 0x55;
	memcpy(buf + offsetof(struct rte_tcp_hdr, cksum), &c, 2);
	m = env_pkt(t.e, buf, len);
	memset(pkt_meta(m), 0, sizeof(struct pkt_meta));
	pkt_meta(m)->key = k;
	ck_assert(pkt_set_l4(m, IPPROTO_N_TCP, 0, len));
	pkt_meta(m)->verdict = VERDICT_NONE;
	return m;
}

void
env_rx_quiet(const struct in *in)
{
	struct pkt_vec v = {.n = 0};

	pkt_vec_add(&v, env_segment(in));
	tcp_in(t.lc, &v);
	ck_assert_uint_eq(v.n, 0);
}

void
env_rx(const struct in *in)
{
	env_rx_quiet(in);
	env_turn();
}

struct tcp_seg
env_tx(uint8_t *data)
{
	struct rte_mbuf *m = pkt_queue_get(&t.out);
	const struct pkt_meta *pm;
	struct tcp_seg s;

	ck_assert_msg(m != NULL, "nothing was sent");
	pm = pkt_meta(m);
	ck_assert_uint_eq(pm->l4_off, 0);
	ck_assert_uint_eq(pm->l4_len, m->pkt_len);
	ck_assert_uint_eq(pm->nxt, IPPROTO_N_TCP);
	ck_assert_uint_eq(pm->ttl, 64);
	ck_assert_uint_eq(pm->flags, PKT_F_DF);
	ck_assert_uint_eq(tcp_wire_parse(pkt_data(m, 0), pm->l4_len, &s), DROP_NONE);
	ck_assert_uint_eq(csum_finish(csum_add(
				  pkt_data(m, 0), pm->l4_len, csum_pseudo(&pm->key, pm->l4_len))),
		0);
	if (data != NULL && s.len > 0)
		memcpy(data, pkt_data(m, s.off), s.len);
	s.flags &= (uint8_t)~P;
	if (t.p != NULL && s.seq != 0)
		s.seq -= t.p->iss;
	if ((s.flags & A) != 0)
		s.ack -= t.peer_iss;
	for (uint32_t i = 0; i < s.sack_n; i++) {
		s.sack[i].l -= t.peer_iss;
		s.sack[i].r -= t.peer_iss;
	}
	rte_pktmbuf_free(m);
	return s;
}

uint64_t
env_drops(enum drop_reason r)
{
	return t.lc->stat.drop[r];
}

/* ---- builders ---- */

void
sock_new(struct sock *s)
{
	*s = (struct sock){.ops = &tcp_sock_ops, .linger_s = -1};
	ck_assert_int_eq(tcp_sock_ops.open(t.lc, s), 0);
}

void
pcb_listen(void)
{
	struct sock_addr a = {.addr = ip_addr_v4(0), .port = RTE_BE16(OWN_PORT)};

	sock_new(&t.lsn);
	ck_assert_int_eq(tcp_sock_ops.bind(t.lc, &t.lsn, &a), 0);
	ck_assert_int_eq(tcp_sock_ops.listen(t.lc, &t.lsn, 4), 0);
}

void
pcb_syn_sent(void)
{
	struct sock_addr a = {
		.addr = ip_addr_v4(RTE_BE32(0x0a000002)), .port = RTE_BE16(PEER_PORT)};

	ck_assert_int_eq(tcp_sock_ops.connect(t.lc, &t.s, &a), -EINPROGRESS);
	t.p = t.s.pcb;
	env_turn();
	EXPECT(S, 0, 0, 0);
	EXPECT_STATE(SYN_SENT);
}

void
pcb_syn_rcvd_active(void)
{
	pcb_syn_sent();
	RX(.flags = S);
	EXPECT(S | A, 0, 1, 0);
	EXPECT_STATE(SYN_RCVD);
}

static struct tcp_pcb *
only_flow(void)
{
	struct flow_key k = key_of(&(struct in){0});
	struct flow_ent *fe = flow_find(t.lc, &k);

	ck_assert_ptr_nonnull(fe);
	return container_of(fe, struct tcp_pcb, fe);
}

void
pcb_syn_rcvd(void)
{
	struct tcp_seg g;

	pcb_listen();
	RX(.flags = S);
	t.p = only_flow();
	g = env_tx(NULL);
	ck_assert_uint_eq(g.flags, S | A);
	ck_assert_uint_eq(g.seq, 0);
	ck_assert_uint_eq(g.ack, 1);
	EXPECT_STATE(SYN_RCVD);
}

void
pcb_established(void)
{
	pcb_syn_sent();
	RX(.flags = S | A, .ack = 1, .ts_ecr = tcp_now_ms(t.lc) + t.p->ts_offset);
	EXPECT(A, 1, 1, 0);
	EXPECT_STATE(ESTABLISHED);
}

void
pcb_passive_queued(void)
{
	pcb_syn_rcvd();
	RX(.flags = A, .seq = 1, .ack = 1);
	EXPECT_NONE();
	EXPECT_STATE(ESTABLISHED);
}

void
pcb_passive(void)
{
	pcb_passive_queued();
	ck_assert_int_eq(tcp_sock_ops.accept(t.lc, &t.lsn, &t.s), 0);
	ck_assert_ptr_eq(t.s.pcb, t.p);
}

void
pcb_fin_wait_1(void)
{
	pcb_established();
	ck_assert_int_eq(tcp_sock_ops.shutdown(t.lc, &t.s, SHUT_WR), 0);
	env_turn();
	EXPECT(F | A, 1, 1, 0);
	EXPECT_STATE(FIN_WAIT_1);
}

void
pcb_fin_wait_2(void)
{
	pcb_fin_wait_1();
	RX(.flags = A, .seq = 1, .ack = 2);
	EXPECT_NONE();
	EXPECT_STATE(FIN_WAIT_2);
}

void
pcb_close_wait(void)
{
	pcb_established();
	RX(.flags = F | A, .seq = 1, .ack = 1);
	EXPECT(A, 1, 2, 0);
	EXPECT_STATE(CLOSE_WAIT);
}

void
pcb_closing(void)
{
	pcb_fin_wait_1();
	RX(.flags = F | A, .seq = 1, .ack = 1);
	EXPECT(A, 2, 2, 0);
	EXPECT_STATE(CLOSING);
}

void
pcb_last_ack(void)
{
	pcb_close_wait();
	ck_assert_int_eq(tcp_sock_ops.shutdown(t.lc, &t.s, SHUT_WR), 0);
	env_turn();
	EXPECT(F | A, 1, 2, 0);
	EXPECT_STATE(LAST_ACK);
}

void
pcb_time_wait(void)
{
	pcb_fin_wait_2();
	RX(.flags = F | A, .seq = 1, .ack = 2);
	EXPECT(A, 2, 2, 0);
	EXPECT_STATE(TIME_WAIT);
}

ssize_t
s_send(size_t len)
{
	return tcp_sock_ops.send(t.lc, &t.s, bytes, len, 0);
}

ssize_t
s_recv(void *buf, size_t len)
{
	return tcp_sock_ops.recv(t.lc, &t.s, buf, len, 0);
}

void
s_close(void)
{
	tcp_sock_ops.close(t.lc, &t.s);
}

int
s_so_error(void)
{
	socklen_t len = sizeof(int);
	int v = 0;

	ck_assert_int_eq(tcp_sock_ops.getopt(t.lc, &t.s, SOL_SOCKET, SO_ERROR, &v, &len), 0);
	return v;
}
