/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * No frame enters with a tag: a driver that leaves the flag and the tag of a sender in its mbufs
 * (net_ring does) changes nothing.
 */
#include <string.h>

#include "esp/esp.h"
#include "latch/latch.h"
#include "stack/base/port.h"
#include "tcp/tcp.h"
#include "tests/util/vnet_lab.h"

static const struct port_ops *true_ops; /* of the memory port */
static struct tl_tag forged;
static uint64_t nb_forged;

static uint16_t
rx_with_tags(struct lcore *lc, struct port *p, struct rte_mbuf **m, uint16_t n)
{
	n = true_ops->rx(lc, p, m, n);
	for (uint16_t i = 0; i < n; i++) {
		m[i]->ol_flags = ~UINT64_C(0) & ~(RTE_MBUF_F_EXTERNAL | RTE_MBUF_F_INDIRECT);
		m[i]->ol_flags |= RTE_MBUF_F_EXTERNAL; /* exact = yes */
		*RTE_MBUF_DYNFIELD(m[i], lc->tag_off, struct tl_tag *) = forged;
		memset(pkt_meta(m[i]), 0xff, sizeof(struct pkt_meta));
		nb_forged++;
	}
	return n;
}

static uint16_t
tx_as_before(struct lcore *lc, struct port *p, struct rte_mbuf **m, uint16_t n)
{
	return true_ops->tx(lc, p, m, n);
}

static const struct port_ops forging_ops = {.rx = rx_with_tags, .tx = tx_as_before};

static void
remember(const struct esp_sa_info *i, void *arg)
{
	const struct craft_sa *good = arg;

	if (i->inbound && i->spi == good->spi)
		forged = (struct tl_tag){i->ref.index, i->ref.gen, i->ref.profile};
}

/* From here on every frame that the server receives says that the peer's SA protected it. */
static void
forge(struct lab *l)
{
	struct lcore *lc = l->n[0]->s->lc[0];

	nb_forged = 0;
	memset(&forged, 0, sizeof(forged));
	esp_sad_foreach(lc, remember, &l->good[1]);
	ck_assert_uint_ne(forged.profile, 0);
	true_ops = lc->port[0]->ops;
	lc->port[0]->ops = &forging_ops;
}

START_TEST(f5_clear_frame_with_a_forged_tag_is_clear)
{
	static const uint8_t flags[] = {CRAFT_RST, CRAFT_ACK | CRAFT_PSH, CRAFT_FIN | CRAFT_ACK};
	static const uint8_t poison[16] = {0xee};
	struct lab_opts o = {.ethernet = true};
	struct lab *l = lab_new(&o);

	lab_open(l, 20000, 20000);
	forge(l);
	for (uint32_t i = 0; i < sizeof(flags); i++) {
		struct craft_seg s = lab_seg(l, 1, flags[i]);

		s.data = poison;
		s.len = (flags[i] & CRAFT_PSH) != 0 ? sizeof(poison) : 0;
		lab_send_clear(l, 1, &s);
	}
	lab_pass(l, VNET_MS);
	ck_assert_uint_eq(nb_forged, sizeof(flags));
	ck_assert_uint_eq(lab_stat(l, 0, "latch-m0"), sizeof(flags));
	ck_assert_str_eq(lab_state(l, 0), "ESTABLISHED");
	lab_complete(l); /* nor are protected frames taken for nested ESP */
	ck_assert_uint_eq(lab_stat(l, 0, "esp-nested"), 0);
	lab_free(l);
}
END_TEST

START_TEST(f6_clear_syn_with_a_forged_tag_meets_the_policy)
{
	struct lab *l = lab_new(&(struct lab_opts){0});
	struct craft_seg s = {.src = l->n[1]->ip,
		.dst = l->n[0]->ip,
		.sport = 7777,
		.dport = APP_PORT,
		.flags = CRAFT_SYN,
		.wnd = 1000};

	forge(l);
	lab_send_clear(l, 1, &s);
	lab_pass(l, 10 * VNET_MS);
	ck_assert_uint_eq(lab_stat(l, 0, "spd-clear"), 1);
	ck_assert_uint_eq(lab_sent(l, 0), 0);
	lab_free(l);
}
END_TEST

START_TEST(f6_rogue_frame_with_a_forged_tag_carries_the_tag_of_its_own_sa)
{
	struct lab *l = lab_new(&(struct lab_opts){.tunnel = true});
	struct craft_seg s;

	lab_open(l, 100, 100);
	forge(l);
	s = lab_seg(l, 1, CRAFT_RST);
	lab_send(l, 1, &l->bad[0], &s);
	lab_pass(l, VNET_MS);
	ck_assert_int_eq(l->c->end[1].err, 104);
	ck_assert_int_eq(l->c->end[1].info.reason, TL_LATCH_PEER_CONFLICT);
	lab_free(l);
}
END_TEST

START_TEST(f5_fragments_with_forged_tags_are_clear)
{
	struct lab *l = lab_new(&(struct lab_opts){0});
	struct craft_seg s;
	uint8_t tcp[CRAFT_MAX], ip[CRAFT_MAX], part[CRAFT_MAX];
	size_t len;

	lab_open(l, 100, 100);
	forge(l);
	s = lab_seg(l, 1, CRAFT_RST);
	len = craft_ip4(ip, s.src, s.dst, CRAFT_TCP, tcp, craft_tcp(tcp, &s)) - 20;
	for (uint32_t i = 0; i < 2; i++) {
		size_t at = i * 24, n = i == 0 ? 24 : len - 24;

		craft_ip4(part, s.src, s.dst, CRAFT_TCP, ip + 20 + at, n);
		part[6] = i == 0 ? 0x20 : 0;
		part[7] = (uint8_t)(at / 8);
		/* The checksum changes by what was added. */
		uint32_t sum = ((uint32_t)part[10] << 8 | part[11]) + 0xffff -
			       ((uint32_t)part[6] << 8 | part[7]);
		sum = (sum & 0xffff) + (sum >> 16);
		part[10] = (uint8_t)(sum >> 8);
		part[11] = (uint8_t)sum;
		vnet_inject(l->v, l->n[0], l->n[1], part, n + 20, 0, 1);
	}
	lab_pass(l, VNET_MS);
	ck_assert_uint_eq(lab_stat(l, 0, "ip-reassembled"), 1);
	ck_assert_uint_eq(lab_stat(l, 0, "latch-m0"), 1);
	lab_complete(l);
	lab_free(l);
}
END_TEST

static uint64_t nb_offloaded;

/* A driver that says it opened ESP, and does not say of which SA. */
static uint16_t
rx_as_opened(struct lcore *lc, struct port *p, struct rte_mbuf **m, uint16_t n)
{
	n = true_ops->rx(lc, p, m, n);
	for (uint16_t i = 0; i < n; i++)
		m[i]->ol_flags |= RTE_MBUF_F_RX_SEC_OFFLOAD;
	return n;
}

static uint16_t
tx_that_looks(struct lcore *lc, struct port *p, struct rte_mbuf **m, uint16_t n)
{
	for (uint16_t i = 0; i < n; i++)
		nb_offloaded += (m[i]->ol_flags & RTE_MBUF_F_TX_SEC_OFFLOAD) != 0;
	return true_ops->tx(lc, p, m, n);
}

/* P-15, F-7: ESP that a device opened, but did not tag, is believed by nobody: such a packet is
 * clear, what is really ESP is opened here, and no device is asked to seal what leaves. */
START_TEST(p15_esp_offload_without_tags_is_not_believed_nor_asked_for)
{
	static const struct port_ops offloading = {.rx = rx_as_opened, .tx = tx_that_looks};
	static const uint8_t poison[16] = {0xee};
	struct lab *l = lab_new(&(struct lab_opts){.ethernet = true, .tunnel = _i != 0});
	struct lcore *lc = l->n[0]->s->lc[0];
	struct craft_seg s;

	nb_offloaded = 0;
	true_ops = lc->port[0]->ops;
	lc->port[0]->ops = &offloading;
	lab_open(l, 20000, 20000);
	s = lab_seg(l, 1, CRAFT_ACK | CRAFT_PSH);
	s.data = poison;
	s.len = sizeof(poison);
	lab_send_clear(l, 1, &s);
	lab_pass(l, VNET_MS);
	ck_assert_uint_eq(lab_stat(l, 0, "latch-m0"), 1);
	lab_complete(l);
	ck_assert_uint_gt(lab_stat(l, 0, "esp-in"), 10);
	ck_assert_uint_eq(nb_offloaded, 0);
	ck_assert_uint_eq(l->clear[0], 0);
	lab_free(l);
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("tag");
	TCase *c = tcase_create("forged");

	tcase_add_test(c, f5_clear_frame_with_a_forged_tag_is_clear);
	tcase_add_test(c, f6_clear_syn_with_a_forged_tag_meets_the_policy);
	tcase_add_test(c, f6_rogue_frame_with_a_forged_tag_carries_the_tag_of_its_own_sa);
	tcase_add_test(c, f5_fragments_with_forged_tags_are_clear);
	tcase_add_loop_test(c, p15_esp_offload_without_tags_is_not_believed_nor_asked_for, 0, 2);
	suite_add_tcase(s, c);
	return env_main(s);
}
