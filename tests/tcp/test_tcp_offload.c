/* SPDX-License-Identifier: BSD-3-Clause */
#include <rte_tcp.h>

#include "stack/base/csum.h"
#include "tests/tcp/tcp_env.h"

static void
setup_offload(void)
{
	setup();
	t.lc->offload = true;
	pcb_established();
	t.p->latch.state = TL_LATCH_NONE; /* in clear */
	t.fake.any_stamp = true;
}

/* The fake latch counts what is released by its state. */
static void
teardown_offload(void)
{
	t.p->latch.state = TL_LATCH_ESTABLISHED;
	teardown();
}

/* What lies in the checksum's place is the sum of a pseudo-header that says so many bytes. */
static void
expect_pseudo(struct rte_mbuf *m, uint32_t said_len)
{
	const struct rte_tcp_hdr *h = (const struct rte_tcp_hdr *)pkt_data(m, 0);
	struct pkt_meta *pm = pkt_meta(m);

	ck_assert_uint_ne(pm->flags & PKT_F_PARTIAL, 0);
	ck_assert_uint_ne(m->ol_flags & RTE_MBUF_F_TX_TCP_CKSUM, 0);
	ck_assert_uint_ne(m->ol_flags & RTE_MBUF_F_TX_IP_CKSUM, 0);
	ck_assert_uint_eq(m->l4_len, (uint32_t)(h->data_off >> 4) * 4);
	ck_assert_uint_eq(h->cksum, csum_fold(csum_pseudo(&pm->key, said_len)));
}

START_TEST(run_leaves_as_one_chain_for_the_port_to_cut)
{
	uint8_t text[6 * MSS];
	struct rte_mbuf *m;
	uint32_t hlen;

	s_send(6 * MSS + 5);
	env_turn();
	ck_assert_uint_eq(t.out.n, 1); /* Nagle holds the rest */
	m = pkt_queue_get(&t.out);
	ck_assert_uint_ne(m->ol_flags & RTE_MBUF_F_TX_TCP_SEG, 0);
	ck_assert_uint_eq(m->tso_segsz, MSS);
	ck_assert_uint_eq(m->nb_segs, 6);
	hlen = m->l4_len;
	ck_assert_uint_eq(m->pkt_len, hlen + 6 * MSS);
	ck_assert_uint_eq(pkt_meta(m)->l4_len, m->pkt_len);
	expect_pseudo(m, 0);
	for (uint32_t i = 0; i < 6; i++) {
		struct rte_mbuf *s = m;

		for (uint32_t k = 0; k < i; k++)
			s = s->next;
		memcpy(text + i * MSS, pkt_data(s, i == 0 ? hlen : 0), MSS);
		ck_assert_uint_eq(s->data_len, MSS + (i == 0 ? hlen : 0));
	}
	ck_assert_mem_eq(text, pattern(), sizeof(text));
	ck_assert_uint_eq(t.lc->stat.st[ST_TCP_LARGE], 1);
	ck_assert_uint_eq(t.p->snd_nxt - t.p->snd_una, 6 * MSS);
	rte_pktmbuf_free(m);
}
END_TEST

/* The octets are accounted as six segments: an ACK of some of them is an ACK like any other. */
START_TEST(lost_part_of_a_chain_is_sent_again_alone)
{
	struct rte_mbuf *m;

	s_send(6 * MSS);
	env_turn();
	while ((m = pkt_queue_get(&t.out)) != NULL)
		rte_pktmbuf_free(m);
	RX(.flags = A, .seq = 1, .ack = 1 + 2 * MSS);
	env_wait_us(3000000);
	m = pkt_queue_get(&t.out);
	ck_assert_ptr_nonnull(m);
	ck_assert_uint_eq(m->ol_flags & RTE_MBUF_F_TX_TCP_SEG, 0);
	ck_assert_uint_eq(m->pkt_len, m->l4_len + (uint32_t)MSS);
	expect_pseudo(m, m->pkt_len);
	do {
		rte_pktmbuf_free(m);
	} while ((m = pkt_queue_get(&t.out)) != NULL);
}
END_TEST

START_TEST(large_segments_stay_below_64_kib)
{
	struct rte_mbuf *m;
	struct tcp_seg s = {.seq = t.p->snd_nxt, .flags = TCP_F_ACK, .len = 1400};
	struct pkt_vec v = {.n = 0};

	s_send(35000);
	s_send(35000);
	ck_assert_uint_eq(tcp_build(t.lc, t.p, &s, PKT_BURST, &v), PKT_BURST);
	s.len = 2000;
	ck_assert_uint_eq(tcp_build(t.lc, t.p, &s, PKT_BURST, &v), 30);
	ck_assert_uint_eq(v.n, 2);
	for (uint32_t i = 0; i < v.n; i++) {
		m = v.m[i];
		ck_assert_uint_le(m->pkt_len, 60000 + TCP_HLEN_MAX);
		rte_pktmbuf_free(m);
	}
}
END_TEST

/* No device sees into ESP; a connection that policy was not asked about may be protected later. */
START_TEST(protected_connection_is_never_left_to_the_port)
{
	struct rte_mbuf *m;

	if (_i == 0)
		t.p->latch.profile_out = 3;
	else if (_i == 1)
		t.p->latch.flags |= LATCH_IS_OFF;
	else
		t.p->latch.state = TL_LATCH_WANTED;
	s_send(3 * MSS);
	env_turn();
	ck_assert_uint_eq(t.out.n, 3);
	while ((m = pkt_queue_get(&t.out)) != NULL) {
		ck_assert_uint_eq(pkt_meta(m)->flags & PKT_F_PARTIAL, 0);
		ck_assert_uint_eq(m->ol_flags & RTE_MBUF_F_TX_TCP_CKSUM, 0);
		rte_pktmbuf_free(m);
	}
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("tcp_offload");
	TCase *c = tcase_create("tcp_offload");

	tcase_add_checked_fixture(c, setup_offload, teardown_offload);
	tcase_add_test(c, run_leaves_as_one_chain_for_the_port_to_cut);
	tcase_add_test(c, lost_part_of_a_chain_is_sent_again_alone);
	tcase_add_test(c, large_segments_stay_below_64_kib);
	tcase_add_loop_test(c, protected_connection_is_never_left_to_the_port, 0, 3);
	suite_add_tcase(s, c);
	return env_main(s);
}
