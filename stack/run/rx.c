/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * rx.c - the receive path: from a port's burst to the transports.
 *
 * Called by loop_once(). The stages do not know each other; their order is written here only.
 */
#include "esp/esp.h"
#include "latch/latch.h"
#include "sctp/sctp.h"
#include "stack/base/flow.h"
#include "stack/base/stage.h"
#include "stack/net/arp.h"
#include "stack/net/eth.h"
#include "stack/net/icmp.h"
#include "stack/net/ip.h"
#include "stack/net/nd.h"
#include "stack/run/capture.h"
#include "stack/run/except.h"
#include "stack/run/run.h"
#include "stack/udp/udp.h"
#include "tcp/tcp.h"

/*
 * A flow lives where it began, wherever its packets are decrypted. One that nobody has may begin
 * here; but the port that a datagram socket without a connection was given says where that is.
 */
static uint16_t
home_of(struct lcore *lc, const struct flow_key *k)
{
	uint16_t port = rte_be_to_cpu_16(k->lport), worker;

	if (flow_find(lc, k) != NULL)
		return lc->id;
	if (flow_is_elsewhere(lc, k, &worker))
		return worker;
	if (k->proto == IPPROTO_N_UDP && port >= lc->run->port_first && port <= lc->run->port_last)
		return (uint16_t)(port % lc->nb_workers);
	return lc->id;
}

static void
steer(struct lcore *lc, struct pkt_vec *v)
{
	struct flow_key before = {.proto = 0}; /* of no packet in here */
	uint16_t home = lc->id;
	uint32_t kept = 0;

	if (lc->nb_workers == 1)
		return;
	for (uint32_t i = 0; i < v->n; i++) {
		const struct flow_key *k = &pkt_meta(v->m[i])->key;

		if (!flow_key_eq(k, &before)) {
			home = home_of(lc, k);
			before = *k;
		}
		if (home != lc->id)
			msg_handoff(lc, home, HANDOFF_L4, v->m[i]);
		else
			v->m[kept++] = v->m[i];
	}
	v->n = kept;
}

static void
other_one(struct lcore *lc, struct rte_mbuf *m)
{
	enum drop_reason why = (enum drop_reason)pkt_meta(m)->problem_why;

	icmp_unreachable(lc, m, ICMP_DU_PROTOCOL, 0);
	pkt_drop(lc, m, why != DROP_NONE ? why : DROP_IP_PROTO);
}

/* Judged like everything else before it is answered (F-33). */
static void
other_in(struct lcore *lc, struct pkt_vec *v)
{
	for (uint32_t i = 0; i < v->n; i++)
		other_one(lc, v->m[i]);
	v->n = 0;
}

/* The end of the path, shared with packets that were handed over after ESP. */
static void
rx_transports(struct lcore *lc, struct pkt_sort *s)
{
	struct pkt_vec about_esp = {.n = 0};

	if (lc->run->stack->conf.esp_pmtu)
		icmp_take_esp(lc, &s->v[NX_ICMP], &about_esp);
	if (lc->except != NULL)
		except_ike(lc, s);
	latch_in(lc, s); /* the verdict: latch of the flow's owner, else RFC 4301 s5.2 step 3b */
	stage_end(lc, STAGE_LATCH_IN);
	if (unlikely(lc->capture != NULL))
		capture_in(lc, s);
	if (lc->except != NULL)
		except_listed(lc, s);
	tcp_in(lc, &s->v[NX_TCP]);
	stage_end(lc, STAGE_TCP_IN);
	udp_in(lc, &s->v[NX_UDP]);
	sctp_in(lc, &s->v[NX_SCTP]);
	icmp_in(lc, &s->v[NX_ICMP]);
	icmp_in(lc, &about_esp); /* F-51: judged by the SA that it quotes */
	other_in(lc, &s->v[NX_OTHER]);
	stage_end(lc, STAGE_OTHER_IN);
}

static void
rx_ip(struct lcore *lc, struct pkt_sort *s)
{
	/* Two rounds at most: ESP inside ESP is dropped. */
	while (s->v[NX_IP].n > 0 || s->v[NX_ESP].n > 0) {
		ip_in(lc, s);
		stage_end(lc, STAGE_IP_IN);
		esp_udp_in(lc, s);            /* RFC 3948: NX_UDP to NX_ESP */
		esp_in(lc, &s->v[NX_ESP], s); /* tunnel: NX_IP again; transport: its L4 */
		stage_end(lc, STAGE_ESP_IN);
	}
	nd_in(lc, &s->v[NX_ND]); /* of the link, in clear: no policy is asked (RFC 4861 s11) */
	steer(lc, &s->v[NX_TCP]);
	steer(lc, &s->v[NX_UDP]);
	steer(lc, &s->v[NX_SCTP]);
	rx_transports(lc, s);
}

void
rx_path(struct lcore *lc, struct pkt_vec *in)
{
	struct pkt_sort s; /* one vector per next stage; a stage emits at most what it took */

	pkt_sort_reset(&s);
	eth_in(lc, in, &s);
	stage_end(lc, STAGE_ETH_IN);
	rx_ip(lc, &s);
}

/* F-1: what waited in a ring is asked once more whether its SA was revoked meanwhile. */
static bool
is_current(struct lcore *lc, struct rte_mbuf *m)
{
	if (latch_is_current(lc, m))
		return true;
	pkt_drop(lc, m, DROP_ESP_STALE);
	return false;
}

static void
take_over(struct lcore *lc, struct rte_mbuf *m, struct pkt_sort *ip, struct pkt_sort *l4,
	struct pkt_vec *tx)
{
	struct pkt_meta *pm = pkt_meta(m);
	enum pkt_next nx;

	switch (pm->handoff) {
	case HANDOFF_ARP:
		arp_in(lc, lc->port[pm->port], m, pm->l3_off);
		return;
	case HANDOFF_ND:
		pkt_vec_add(&ip->v[NX_ND], m);
		return;
	case HANDOFF_TX:
		pkt_vec_add(tx, m);
		return;
	case HANDOFF_EXCEPT:
		except_take(lc, m);
		return;
	case HANDOFF_IP:
		if (is_current(lc, m))
			pkt_vec_add(&ip->v[NX_IP], m);
		return;
	default:
		nx = pkt_next_of(pm->nxt);
		if (is_current(lc, m))
			pkt_vec_add(&l4->v[nx == NX_MAX ? NX_OTHER : nx], m);
	}
}

uint32_t
rx_handoff(struct lcore *lc)
{
	struct pkt_sort ip, l4;
	struct pkt_vec v, tx = {.n = 0};

	msg_handoff_get(lc, &v);
	if (v.n == 0)
		return 0;
	pkt_sort_reset(&ip);
	pkt_sort_reset(&l4);
	for (uint32_t i = 0; i < v.n; i++)
		take_over(lc, v.m[i], &ip, &l4, &tx);
	rx_ip(lc, &ip);
	rx_transports(lc, &l4);
	tx_path(lc, &tx);
	return v.n;
}
