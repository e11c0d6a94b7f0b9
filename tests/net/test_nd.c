/* SPDX-License-Identifier: BSD-3-Clause */
#include <rte_ring.h>

#include "stack/base/msg.h"
#include "stack/base/tmr.h"
#include "stack/net/arp.h"
#include "stack/net/ip6.h"
#include "stack/net/nd.h"
#include "stack/net/route.h"
#include "tests/net/net6_util.h"

enum { NS = 135, NA = 136, RA = 134, R = 0x80, S = 0x40, O = 0x20, ENTRIES = 64 };

#define MS     UINT64_C(1000000)
#define SECOND UINT64_C(1000000000)

static const uint8_t peer_mac[] = {2, 0, 0, 0, 0, 2}, other_mac[] = {2, 0, 0, 0, 0, 3};
static struct env *e;

static void
setup(void)
{
	struct ip_addr net = n6_addr("fd00::");
	struct nd_conf conf;

	e = env_setup();
	n6_port(e);
	nd_conf_default(&conf);
	conf.max_entries = ENTRIES;
	ck_assert_int_eq(nd_create(&e->lc, &conf), 0);
	ck_assert_int_eq(route_create(&e->lc, "rt", SOCKET_ID_ANY), 0);
	ck_assert_int_eq(route_add(&e->lc, &net, 64, NULL, 0), 0);
}

static void
teardown(void)
{
	nd_destroy(&e->lc);
	route_free(&e->lc);
	env_teardown(e);
}

/* ---- what is said to us ---- */

struct told {
	uint8_t type, flags, hops;
	const char *src, *dst, *target;
	uint8_t opt; /* type of the address option, 0: none */
	const uint8_t *mac;
	const uint8_t *more; /* options of other kinds */
	uint32_t more_len;
	uint16_t retrans_s; /* of a router advertisement */
};

/* A whole frame from peer_mac; returns where the IP packet ends. */
static size_t
make(uint8_t *frame, const struct told *x)
{
	uint8_t icmp[256] = {x->type};
	uint32_t len = 8;
	size_t n;

	icmp[4] = x->flags;
	if (x->type == RA) {
		icmp[6] = 0x07; /* lifetime 1800 s */
		icmp[7] = 0x08;
		icmp[13] = (uint8_t)(x->retrans_s * 1000u >> 16);
		icmp[14] = (uint8_t)(x->retrans_s * 1000u >> 8);
		icmp[15] = (uint8_t)(x->retrans_s * 1000u);
		len = 16;
	} else {
		struct ip_addr t = n6_addr(x->target);

		memcpy(icmp + 8, t.b, 16);
		len = 24;
	}
	if (x->opt != 0) {
		icmp[len] = x->opt;
		icmp[len + 1] = 1;
		memcpy(icmp + len + 2, x->mac != NULL ? x->mac : peer_mac, 6);
		len += 8;
	}
	if (x->more_len > 0)
		memcpy(icmp + len, x->more, x->more_len);
	len += x->more_len;
	memcpy(frame, "\x02\0\0\0\0\x01\x02\0\0\0\0\x02\x86\xdd", 14);
	n = n6_ip(frame + 14, &(struct n6){.src = x->src,
				      .dst = x->dst,
				      .nxt = IPPROTO_N_ICMP6,
				      .hops = x->hops != 0 ? x->hops : 255,
				      .data = icmp,
				      .len = len});
	n6_fix_icmp(frame + 14, n);
	return 14 + n;
}

/* What the IP stage would have put into the metadata. */
static struct rte_mbuf *
arrive(const uint8_t *frame, size_t n)
{
	struct rte_mbuf *m = env_pkt(e, frame, n);
	struct pkt_meta *pm = pkt_meta(m);

	pm->l3_off = 14;
	ck_assert(ip6_read_addr(frame + 14 + 8, 0, &pm->key.remote));
	ck_assert(ip6_read_addr(frame + 14 + 24, 0, &pm->key.local));
	if (ip_addr_is_mcast(&pm->key.local))
		pm->flags |= PKT_F_MCAST;
	pm->ttl = frame[14 + 7];
	pkt_set_l4(m, IPPROTO_N_ICMP6, 54, (uint32_t)n - 54);
	return m;
}

static void
hear_mbuf(struct rte_mbuf *m)
{
	struct pkt_vec v = {.n = 1, .m = {m}};

	nd_in(&e->lc, &v);
	ck_assert_uint_eq(v.n, 0);
}

static void
hear(struct told x)
{
	uint8_t frame[NU_MAX];
	size_t n = make(frame, &x);

	hear_mbuf(arrive(frame, n));
}

static void
expect_drop(enum drop_reason r)
{
	ck_assert_msg(nu_drop(e, r) == 1, "%s was not counted", drop_reason_name(r));
	ck_assert_uint_eq(nu_drops(&e->lc), 1);
	memset(&e->lc.stat, 0, sizeof(e->lc.stat));
}

/* ---- what we say ---- */

struct said {
	struct rte_mbuf *m;
	const uint8_t *ip, *icmp;
	uint8_t type;
};

/* The next message; checked as a receiver would. type 0: there is none. */
static struct said
say(void)
{
	struct said s = {.m = pkt_queue_get(&e->lc.out_l2)};
	struct flow_key k = {.proto = IPPROTO_N_ICMP6};
	uint32_t off = 40, len;

	if (s.m == NULL)
		return s;
	s.ip = pkt_data(s.m, 14);
	ck_assert_mem_eq(pkt_data(s.m, 12), "\x86\xdd", 2);
	if (s.ip[6] == IP6_NH_HOPOPTS)
		off += 8;
	s.icmp = s.ip + off;
	s.type = s.icmp[0];
	len = s.m->data_len - 14 - off;
	memcpy(k.local.b, s.ip + 8, 16);
	memcpy(k.remote.b, s.ip + 24, 16);
	ck_assert_uint_eq(csum_finish(csum_add(s.icmp, len, csum_pseudo(&k, len))), 0);
	ck_assert_uint_eq(s.ip[7], s.type == 143 ? 1 : 255);
	if (s.ip[24] == 0xff)
		ck_assert_mem_eq(pkt_data(s.m, 0), "\x33\x33", 2);
	return s;
}

static bool
is_addr(const uint8_t *p, const char *text)
{
	struct ip_addr a = n6_addr(text);

	return memcmp(p, a.b, 16) == 0;
}

static void
quiet(void)
{
	pkt_queue_drop(&e->lc, &e->lc.out_l2, DROP_NONE);
	e->lc.stat.drop[DROP_NONE] = 0;
}

static void
expect_silence(void)
{
	ck_assert_uint_eq(e->lc.out_l2.n, 0);
}

static void
pass(uint64_t ms)
{
	uint64_t end = e->lc.now_ns + ms * MS, next;

	while ((next = tmr_next_ns(&e->lc)) <= end) {
		e->lc.now_ns = RTE_MAX(next, e->lc.now_ns);
		tmr_run(&e->lc);
	}
	e->lc.now_ns = end;
}

/* A packet for a neighbour; true if its MAC is known. */
static bool
resolve(const char *addr, struct rte_ether_addr *mac)
{
	struct ip_addr a = n6_addr(addr);
	struct rte_mbuf *m = nu_out_pkt(e, 60);

	if (!nd_resolve(&e->lc, &e->port, &a, m, mac))
		return false;
	rte_pktmbuf_free(m);
	return true;
}

static const char *state_is;
static uint32_t entries;

static void
look(const struct neigh_info *i, void *arg)
{
	struct ip_addr a = n6_addr(arg);

	entries++;
	if (ip_addr_eq(&i->addr, &a))
		state_is = i->state;
}

static const char *
state(const char *addr)
{
	state_is = "none";
	entries = 0;
	nd_foreach(&e->lc, look, (void *)(uintptr_t)addr);
	return state_is;
}

/* ---- neighbours ---- */

/* RFC 4861 s7.2.2 */
START_TEST(unknown_neighbour_is_asked_in_its_group)
{
	struct rte_ether_addr mac;
	struct said s;

	ck_assert(!resolve("fd00::2", &mac));
	s = say();
	ck_assert_uint_eq(s.type, NS);
	ck_assert(is_addr(s.ip + 8, N6_US));
	ck_assert(is_addr(s.ip + 24, "ff02::1:ff00:2"));
	ck_assert(is_addr(s.icmp + 8, "fd00::2"));
	ck_assert_mem_eq(s.icmp + 24, "\x01\x01\x02\0\0\0\0\x01", 8);
	ck_assert_mem_eq(pkt_data(s.m, 0), "\x33\x33\xff\0\0\x02", 6);
	rte_pktmbuf_free(s.m);
	ck_assert_str_eq(state("fd00::2"), "incomplete");
	hear((struct told){
		.type = NA, .flags = S | O, .src = "fd00::2", .target = "fd00::2", .opt = 2});
	ck_assert_str_eq(state("fd00::2"), "reachable");
	/* What waited has left. */
	ck_assert_uint_eq(e->port.nb_tx, 1);
	ck_assert(resolve("fd00::2", &mac));
	ck_assert_mem_eq(mac.addr_bytes, peer_mac, 6);
}
END_TEST

START_TEST(silent_neighbour_is_given_up_after_three_questions)
{
	struct rte_ether_addr mac;
	uint32_t asked = 0;
	struct said s;

	ck_assert(!resolve("fd00::2", &mac));
	pass(5000);
	while ((s = say()).m != NULL) {
		asked += s.type == NS;
		rte_pktmbuf_free(s.m);
	}
	ck_assert_uint_eq(asked, 3);
	ck_assert_str_eq(state("fd00::2"), "none");
	expect_drop(DROP_NEIGH_UNRESOLVED);
}
END_TEST

static void
learn(void)
{
	struct rte_ether_addr mac;

	resolve("fd00::2", &mac);
	hear((struct told){
		.type = NA, .flags = S | O, .src = "fd00::2", .target = "fd00::2", .opt = 2});
	quiet();
	ck_assert_str_eq(state("fd00::2"), "reachable");
}

/* RFC 4861 s7.3.3 */
START_TEST(neighbour_in_use_is_delayed_then_probed_then_lost)
{
	struct rte_ether_addr mac;
	struct said s;

	learn();
	pass(46000);
	ck_assert_str_eq(state("fd00::2"), "stale");
	expect_silence();
	ck_assert(resolve("fd00::2", &mac));
	ck_assert_str_eq(state("fd00::2"), "delay");
	pass(4900);
	expect_silence();
	pass(200);
	ck_assert_str_eq(state("fd00::2"), "probe");
	s = say();
	ck_assert_uint_eq(s.type, NS);
	ck_assert(is_addr(s.ip + 24, "fd00::2"));
	ck_assert_mem_eq(pkt_data(s.m, 0), peer_mac, 6);
	rte_pktmbuf_free(s.m);
	pass(3000);
	quiet();
	ck_assert_str_eq(state("fd00::2"), "none");
}
END_TEST

/* RFC 4861 s7.2.5, I and II */
START_TEST(advertisements_change_an_entry_by_their_flags)
{
	static const struct {
		uint8_t flags;
		const uint8_t *mac;
		const char *state;
		const uint8_t *becomes;
	} row[] = {
		{0, other_mac, "stale", peer_mac},
		{S, other_mac, "stale", peer_mac},
		{O, other_mac, "stale", other_mac},
		{S | O, other_mac, "reachable", other_mac},
		{0, peer_mac, "reachable", peer_mac},
		{S, peer_mac, "reachable", peer_mac},
		{S, NULL, "reachable", peer_mac},
	};

	for (size_t i = 0; i < RTE_DIM(row); i++) {
		struct rte_ether_addr mac;

		hear((struct told){.type = NA,
			.flags = S | O,
			.src = "fd00::2",
			.target = "fd00::2",
			.opt = 2});
		learn();
		hear((struct told){.type = NA,
			.flags = row[i].flags,
			.src = "fd00::2",
			.target = "fd00::2",
			.opt = row[i].mac != NULL ? 2 : 0,
			.mac = row[i].mac});
		ck_assert_msg(strcmp(state("fd00::2"), row[i].state) == 0, "row %zu: %s", i,
			state("fd00::2"));
		ck_assert(resolve("fd00::2", &mac));
		ck_assert_mem_eq(mac.addr_bytes, row[i].becomes, 6);
		pass(200000);
		quiet();
	}
}
END_TEST

START_TEST(advertisement_nobody_asked_for_makes_no_entry)
{
	for (uint32_t i = 0; i < 1000; i++) {
		char target[40];

		snprintf(target, sizeof(target), "fd00::1:%x", i);
		hear((struct told){.type = NA,
			.flags = O,
			.src = target,
			.dst = "ff02::1",
			.target = target,
			.opt = 2});
	}
	state("::");
	ck_assert_uint_eq(entries, 0);
}
END_TEST

/* RFC 4861 s7.2.3, s7.2.4 */
START_TEST(question_for_us_is_answered_and_teaches)
{
	struct said s;

	hear((struct told){
		.type = NS, .src = "fd00::2", .dst = "ff02::1:ff00:1", .target = N6_US, .opt = 1});
	s = say();
	ck_assert_uint_eq(s.type, NA);
	ck_assert_uint_eq(s.icmp[4], S | O);
	ck_assert(is_addr(s.ip + 8, N6_US) && is_addr(s.ip + 24, "fd00::2"));
	ck_assert_mem_eq(s.icmp + 24, "\x02\x01\x02\0\0\0\0\x01", 8);
	ck_assert_mem_eq(pkt_data(s.m, 0), peer_mac, 6);
	rte_pktmbuf_free(s.m);
	ck_assert_str_eq(state("fd00::2"), "stale");
	hear((struct told){.type = NS,
		.src = "fd00::2",
		.dst = "ff02::1:ff00:9",
		.target = "fd00::9",
		.opt = 1});
	expect_silence();
}
END_TEST

/* RFC 4861 s7.2.4: somebody else tries our address. */
START_TEST(question_without_an_address_is_answered_to_all)
{
	struct said s;

	hear((struct told){.type = NS, .src = "::", .dst = "ff02::1:ff00:1", .target = N6_US});
	s = say();
	ck_assert_uint_eq(s.type, NA);
	ck_assert_uint_eq(s.icmp[4], O);
	ck_assert(is_addr(s.ip + 24, "ff02::1"));
	rte_pktmbuf_free(s.m);
	ck_assert(port_addr_is_assigned(&e->port.addr[1]));
}
END_TEST

START_TEST(flood_of_questions_keeps_the_table_bounded)
{
	for (uint32_t i = 0; i < 1000; i++) {
		char src[40];

		e->lc.now_ns += 10 * MS;
		snprintf(src, sizeof(src), "fd00::1:%x", i);
		hear((struct told){.type = NS, .src = src, .target = N6_US, .opt = 1});
		quiet();
	}
	state("::");
	ck_assert_uint_le(entries, ENTRIES);
}
END_TEST

START_TEST(flood_of_absent_destinations_keeps_buffers)
{
	struct rte_ether_addr mac;

	for (uint32_t i = 0; i < 2000; i++) {
		char to[40];

		snprintf(to, sizeof(to), "fd00::1:%x", i);
		resolve(to, &mac);
		quiet();
	}
	state("::");
	ck_assert_uint_le(entries, ENTRIES);
	ck_assert_uint_le(
		rte_mempool_in_use_count(e->lc.pkt_pool), e->lc.pkt_pool->size / 8 + ENTRIES);
}
END_TEST

/* ---- what is no message ---- */

/* RFC 4861 s7.1.1, s7.1.2, s6.1.2 */
START_TEST(bad_messages_are_dropped)
{
	static const uint8_t zero[8] = {1, 0}, beyond[8] = {1, 2};

	hear((struct told){.type = NS, .hops = 254, .target = N6_US, .opt = 1});
	expect_drop(DROP_ND_HOPS);
	hear((struct told){.type = NS, .target = "ff02::1", .opt = 1});
	expect_drop(DROP_ND_BAD);
	hear((struct told){.type = NS, .target = N6_US, .more = zero, .more_len = 8});
	expect_drop(DROP_ND_BAD);
	hear((struct told){.type = NS, .target = N6_US, .more = beyond, .more_len = 8});
	expect_drop(DROP_ND_BAD);
	hear((struct told){.type = NS, .src = "::", .target = N6_US});
	expect_drop(DROP_ND_BAD);
	hear((struct told){
		.type = NS, .src = "::", .dst = "ff02::1:ff00:1", .target = N6_US, .opt = 1});
	expect_drop(DROP_ND_BAD);
	hear((struct told){.type = NS,
		.target = N6_US,
		.opt = 1,
		.mac = (const uint8_t *)"\xff\xff\xff\xff\xff\xff"});
	expect_drop(DROP_ND_BAD);
	hear((struct told){
		.type = NA, .flags = S, .dst = "ff02::1", .target = "fd00::2", .opt = 2});
	expect_drop(DROP_ND_BAD);
	hear((struct told){.type = RA, .src = "fd00::2", .dst = "ff02::1"});
	expect_drop(DROP_ND_BAD);
	hear((struct told){.type = 137, .target = N6_US});
	expect_drop(DROP_ND_IGNORED);
	hear((struct told){.type = RA, .src = N6_PEERLL, .dst = "ff02::1"});
	expect_drop(DROP_ND_IGNORED);
	expect_silence();
	state("::");
	ck_assert_uint_eq(entries, 0);
}
END_TEST

static bool fix_checksums;

static void
feed_broken(const uint8_t *icmp, size_t len)
{
	uint8_t frame[NU_MAX];
	uint64_t before = nu_drops(&e->lc);
	size_t n;

	memcpy(frame, "\x02\0\0\0\0\x01\x02\0\0\0\0\x02\x86\xdd", 14);
	n = n6_ip(frame + 14, &(struct n6){.src = N6_PEERLL,
				      .dst = "ff02::1",
				      .nxt = IPPROTO_N_ICMP6,
				      .hops = 255,
				      .data = icmp,
				      .len = (uint32_t)len});
	if (len < 1 || icmp[0] < 133 || icmp[0] > 137)
		return;
	if (fix_checksums)
		n6_fix_icmp(frame + 14, n);
	hear_mbuf(arrive(frame, 14 + n));
	ck_assert_uint_eq(nu_drops(&e->lc), before + 1);
	quiet();
}

START_TEST(every_broken_message_ends_in_one_counter)
{
	static const uint8_t prefix[40] = {3, 4, 64, 0xc0, 0, 0, 0x1c, 0x20, 0, 0, 0x0e, 0x10, 0, 0,
		0, 0, 0xfd, 0x77, [32] = 5, 1, 0, 0, 0, 0, 5, 0xdc};
	uint8_t frame[NU_MAX];

	e->port.accept_ra = true;
	for (int fix = 0; fix < 2; fix++) {
		struct told all[] = {
			{.type = NS, .src = N6_PEERLL, .dst = "ff02::1", .target = N6_US, .opt = 1},
			{.type = NA,
				.src = N6_PEERLL,
				.dst = "ff02::1",
				.target = "fd00::2",
				.opt = 2},
			{.type = RA,
				.src = N6_PEERLL,
				.dst = "ff02::1",
				.opt = 1,
				.more = prefix,
				.more_len = 40},
		};

		fix_checksums = fix != 0;
		for (size_t i = 0; i < RTE_DIM(all); i++) {
			size_t n = make(frame, &all[i]);

			nu_each_broken(frame + 54, n - 54, feed_broken);
		}
	}
}
END_TEST

/* ---- our addresses ---- */

/* RFC 4862 s5.4.2, RFC 3810 s6.1 */
START_TEST(address_is_tried_then_assigned)
{
	struct said s;

	e->port.dad = true;
	e->port.nb_addrs = 2;
	nd_start(&e->lc);
	ck_assert_uint_eq(e->port.addr[1].state, ADDR_TENTATIVE);
	pass(1000);
	s = say();
	ck_assert_uint_eq(s.type, 143);
	ck_assert(is_addr(s.ip + 8, "::") && is_addr(s.ip + 24, "ff02::16"));
	ck_assert(is_addr(s.icmp + 12, "ff02::1:ff00:1"));
	rte_pktmbuf_free(s.m);
	s = say();
	ck_assert_uint_eq(s.type, NS);
	ck_assert(is_addr(s.ip + 8, "::") && is_addr(s.ip + 24, "ff02::1:ff00:1"));
	ck_assert_uint_eq(s.m->data_len, 14 + 40 + 24);
	rte_pktmbuf_free(s.m);
	/* Our own question, brought back by a switch, is no objection. */
	ck_assert_uint_eq(e->port.addr[1].state, ADDR_TENTATIVE);
	pass(1000);
	ck_assert_uint_eq(e->port.addr[1].state, ADDR_PREFERRED);
	quiet();
}
END_TEST

static void
begin_trial(void)
{
	e->port.dad = true;
	nd_start(&e->lc);
	pass(1000);
	quiet();
	ck_assert_uint_eq(e->port.addr[1].state, ADDR_TENTATIVE);
}

/* RFC 4862 s5.4.3, s5.4.4 */
START_TEST(objection_ends_the_trial)
{
	begin_trial();
	hear((struct told){
		.type = NA, .flags = O, .src = N6_US, .dst = "ff02::1", .target = N6_US, .opt = 2});
	ck_assert_uint_eq(e->port.addr[1].state, ADDR_DUPLICATE);
	pass(5000);
	ck_assert_uint_eq(e->port.addr[1].state, ADDR_DUPLICATE);
	ck_assert_uint_eq(e->port.addr[2].state, ADDR_PREFERRED);
	quiet();
}
END_TEST

START_TEST(another_trial_of_the_same_address_ends_ours)
{
	begin_trial();
	hear((struct told){.type = NS, .src = "::", .dst = "ff02::1:ff00:1", .target = N6_US});
	ck_assert_uint_eq(e->port.addr[1].state, ADDR_DUPLICATE);
	expect_silence();
}
END_TEST

START_TEST(our_own_question_is_no_objection)
{
	uint8_t frame[NU_MAX];
	size_t n;

	begin_trial();
	n = make(frame,
		&(struct told){.type = NS, .src = "::", .dst = "ff02::1:ff00:1", .target = N6_US});
	memcpy(frame + 6, e->port.mac.addr_bytes, 6);
	hear_mbuf(arrive(frame, n));
	ck_assert_uint_eq(e->port.addr[1].state, ADDR_TENTATIVE);
}
END_TEST

/* RFC 4862 s5.4.5 */
START_TEST(duplicate_of_the_mac_ends_ip_on_the_port)
{
	begin_trial();
	hear((struct told){
		.type = NA, .flags = O, .src = N6_LL, .dst = "ff02::1", .target = N6_LL});
	ck_assert_uint_eq(e->port.addr[1].state, ADDR_DUPLICATE);
	ck_assert_uint_eq(e->port.addr[2].state, ADDR_DUPLICATE);
	ck_assert_uint_eq(e->port.addr[0].state, ADDR_PREFERRED);
}
END_TEST

/* RFC 4862 s5.4: nothing is said or answered from an address that is tried. */
START_TEST(tentative_address_answers_nobody)
{
	begin_trial();
	hear((struct told){.type = NS, .dst = "ff02::1:ff00:1", .target = N6_US, .opt = 1});
	expect_silence();
	ck_assert_str_eq(state("fd00::2"), "none");
}
END_TEST

/* ---- routers ---- */

static void
put32(uint8_t *p, uint32_t v)
{
	p[0] = (uint8_t)(v >> 24);
	p[1] = (uint8_t)(v >> 16);
	p[2] = (uint8_t)(v >> 8);
	p[3] = (uint8_t)v;
}

/* The prefix fd77::/64 with both flags. */
static void
advertise(uint32_t valid, uint32_t preferred)
{
	uint8_t o[32] = {3, 4, 64, 0xc0, [16] = 0xfd, 0x77};

	put32(o + 4, valid);
	put32(o + 8, preferred);
	hear((struct told){.type = RA,
		.src = N6_PEERLL,
		.dst = "ff02::1",
		.opt = 1,
		.more = o,
		.more_len = 32});
}

static int
route_to(const char *to, struct route *r)
{
	struct ip_addr a = n6_addr(to);

	return route_find(&e->lc, &a, r);
}

/* RFC 4861 s6.3.4 */
START_TEST(router_gives_routes_and_an_address)
{
	struct ip_addr gw = n6_addr(N6_PEERLL "%1"), made = n6_addr("fd77::ff:fe00:1");
	struct route r;

	e->port.accept_ra = true;
	ck_assert_int_ne(route_to("2001:db8::1", &r), 0);
	advertise(7200, 3600);
	ck_assert_int_eq(route_to("2001:db8::1", &r), 0);
	ck_assert(ip_addr_eq(&r.nexthop, &gw));
	ck_assert_int_eq(route_to("fd77::5", &r), 0);
	ck_assert(ip_addr_eq(&r.src, &made));
	pass(3600 * 1000 + 1);
	ck_assert_uint_eq(e->port.addr[3].state, ADDR_DEPRECATED);
	/* The router's lifetime is 1800 s. */
	ck_assert_int_ne(route_to("2001:db8::1", &r), 0);
	pass(3600 * 1000 + 1);
	ck_assert_uint_eq(e->port.addr[3].state, ADDR_NONE);
	ck_assert_int_ne(route_to("fd77::5", &r), 0);
	quiet();
}
END_TEST

/* RFC 4862 s5.5.3 (e) */
START_TEST(short_lifetime_does_not_end_an_address_soon)
{
	e->port.accept_ra = true;
	advertise(86400, 86400);
	advertise(1, 1);
	pass(7100 * 1000);
	ck_assert_uint_eq(e->port.addr[3].state, ADDR_DEPRECATED);
	advertise(60, 60);
	pass(101 * 1000);
	ck_assert_uint_eq(e->port.addr[3].state, ADDR_NONE);
	quiet();
}
END_TEST

START_TEST(flood_of_prefixes_and_routers_is_bounded)
{
	e->port.accept_ra = true;
	for (uint32_t i = 0; i < 500; i++) {
		uint8_t o[32] = {3, 4, 64, 0xc0, 0, 1, 0, 0, 0, 1, [16] = 0xfd, (uint8_t)(i >> 8),
			(uint8_t)i};
		char src[40];

		snprintf(src, sizeof(src), "fe80::1:%x", i);
		hear((struct told){.type = RA,
			.src = src,
			.dst = "ff02::1",
			.opt = 1,
			.more = o,
			.more_len = 32});
	}
	ck_assert_uint_le(e->port.nb_addrs, PORT_MAX_ADDRS);
	state("::");
	ck_assert_uint_le(entries, ENTRIES);
	quiet();
}
END_TEST

/* RFC 4861 s7.2.5: who is no router any more loses its place. */
START_TEST(router_that_says_it_is_none_is_left)
{
	struct route r;

	e->port.accept_ra = true;
	advertise(0, 0);
	ck_assert_int_eq(route_to("2001:db8::1", &r), 0);
	hear((struct told){.type = NA,
		.flags = O,
		.src = N6_PEERLL,
		.dst = "ff02::1",
		.target = N6_PEERLL,
		.opt = 2});
	ck_assert_int_ne(route_to("2001:db8::1", &r), 0);
}
END_TEST

/* Packets wait for three retransmissions; a router must not make them wait for hours. */
START_TEST(router_cannot_make_packets_wait_for_long)
{
	struct rte_ether_addr mac;

	e->port.accept_ra = true;
	hear((struct told){
		.type = RA, .src = N6_PEERLL, .dst = "ff02::1", .opt = 1, .retrans_s = 3600});
	ck_assert(!resolve("fd00::77", &mac));
	pass(30 * 1000 + 1);
	ck_assert_uint_eq(e->lc.stat.drop[DROP_NEIGH_UNRESOLVED], 1);
}
END_TEST

/* RFC 3810 s6.2 */
START_TEST(query_is_answered_once_for_all_groups)
{
	static const uint8_t icmp[8 + 24] = {58, 0, 5, 2, 0, 0, 1, 0, 130, 0, 0, 0, 0x03, 0xe8};
	uint8_t frame[NU_MAX] = {0};
	uint32_t sum, reports = 0;
	struct rte_mbuf *m;
	struct said s;
	uint16_t c;
	size_t n = 14 + n6_ip(frame + 14, &(struct n6){.src = N6_PEERLL,
						  .dst = "ff02::1",
						  .hops = 1,
						  .data = icmp,
						  .len = sizeof(icmp)});

	for (int i = 0; i < 3; i++) {
		m = arrive(frame, n);
		pkt_set_l4(m, IPPROTO_N_ICMP6, 62, 24);
		sum = csum_add(pkt_data(m, 62), 24, csum_pseudo(&pkt_meta(m)->key, 24));
		c = csum_finish(sum);
		memcpy(pkt_data(m, 64), &c, 2);
		pkt_meta(m)->ttl = i == 2 ? 2 : 1;
		hear_mbuf(m);
	}
	ck_assert_uint_eq(nu_drop(e, DROP_ND_DONE), 2);
	ck_assert_uint_eq(nu_drop(e, DROP_ND_HOPS), 1);
	pass(1000);
	while ((s = say()).m != NULL) {
		ck_assert_uint_eq(s.type, 143);
		ck_assert_uint_eq(s.icmp[8], 2);
		rte_pktmbuf_free(s.m);
		reports++;
	}
	ck_assert_uint_eq(reports, 2);
}
END_TEST

/* ---- workers ---- */

START_TEST(what_one_worker_hears_teaches_the_others)
{
	struct msg_ctx msg = {0};
	struct rte_ring *ring = rte_ring_create("nd6", 64, SOCKET_ID_ANY, RING_F_SC_DEQ);
	struct pkt_vec v;

	ck_assert_ptr_nonnull(ring);
	msg.peer[1] = ring;
	msg.handoff = ring;
	e->lc.msg = &msg;
	e->lc.nb_workers = 2;
	hear((struct told){.type = NS, .src = "fd00::2", .target = N6_US, .opt = 1});
	quiet();
	ck_assert_uint_eq(rte_ring_count(ring), 1);
	/* The other worker: the same message, and no answer. */
	e->lc.id = 1;
	msg_handoff_get(&e->lc, &v);
	ck_assert_uint_eq(v.n, 1);
	ck_assert_uint_eq(pkt_meta(v.m[0])->handoff, HANDOFF_ND);
	pass(100000);
	nd_in(&e->lc, &v);
	expect_silence();
	ck_assert_str_eq(state("fd00::2"), "stale");
	ck_assert_uint_eq(rte_ring_count(ring), 0);
	rte_ring_free(ring);
}
END_TEST

int
main(void)
{
	Suite *su = suite_create("nd");
	TCase *c = tcase_create("nd");

	tcase_add_checked_fixture(c, setup, teardown);
	tcase_add_test(c, unknown_neighbour_is_asked_in_its_group);
	tcase_add_test(c, silent_neighbour_is_given_up_after_three_questions);
	tcase_add_test(c, neighbour_in_use_is_delayed_then_probed_then_lost);
	tcase_add_test(c, advertisements_change_an_entry_by_their_flags);
	tcase_add_test(c, advertisement_nobody_asked_for_makes_no_entry);
	tcase_add_test(c, question_for_us_is_answered_and_teaches);
	tcase_add_test(c, question_without_an_address_is_answered_to_all);
	tcase_add_test(c, flood_of_questions_keeps_the_table_bounded);
	tcase_add_test(c, flood_of_absent_destinations_keeps_buffers);
	tcase_add_test(c, bad_messages_are_dropped);
	tcase_add_test(c, every_broken_message_ends_in_one_counter);
	tcase_add_test(c, address_is_tried_then_assigned);
	tcase_add_test(c, objection_ends_the_trial);
	tcase_add_test(c, another_trial_of_the_same_address_ends_ours);
	tcase_add_test(c, our_own_question_is_no_objection);
	tcase_add_test(c, duplicate_of_the_mac_ends_ip_on_the_port);
	tcase_add_test(c, tentative_address_answers_nobody);
	tcase_add_test(c, router_gives_routes_and_an_address);
	tcase_add_test(c, short_lifetime_does_not_end_an_address_soon);
	tcase_add_test(c, flood_of_prefixes_and_routers_is_bounded);
	tcase_add_test(c, router_that_says_it_is_none_is_left);
	tcase_add_test(c, router_cannot_make_packets_wait_for_long);
	tcase_add_test(c, query_is_answered_once_for_all_groups);
	tcase_add_test(c, what_one_worker_hears_teaches_the_others);
	suite_add_tcase(su, c);
	return env_main(su);
}
