/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * udp_in.c - receive stage: from the verdict to the receive buffer of a socket.
 *
 * Called by rx_path() after latch_in(). The owner of the 5-tuple gets a datagram; without one, the
 * socket that is bound to its local end. Every packet ends here.
 */
#include "stack/base/csum.h"
#include "stack/net/icmp.h"
#include "stack/udp/udp_int.h"

#include <rte_udp.h>

/*
 * RFC 768; RFC 8200 s8.1: over IPv6 a checksum must be there. DROP_NONE, and how long the datagram
 * is: less than the packet is allowed, what follows is nobody's.
 */
static enum drop_reason
parse(const struct rte_mbuf *m, uint32_t *len)
{
	const struct pkt_meta *pm = pkt_meta(m);
	struct rte_udp_hdr h;

	if (pm->l4_len < UDP_HLEN || (uint32_t)pm->l4_off + pm->l4_len > m->data_len)
		return DROP_UDP_SHORT;
	memcpy(&h, pkt_data(m, pm->l4_off), sizeof(h));
	*len = rte_be_to_cpu_16(h.dgram_len);
	if (*len < UDP_HLEN || *len > pm->l4_len)
		return DROP_UDP_LEN;
	if (h.dst_port == 0)
		return DROP_UDP_PORT;
	*len -= UDP_HLEN;
	if (h.dgram_cksum == 0)
		return ip_addr_is_v4(&pm->key.local) ? DROP_NONE : DROP_UDP_CSUM;
	if ((pm->flags & PKT_F_CSUM_OK) != 0)
		return DROP_NONE;
	return csum_finish(csum_add(pkt_data(m, pm->l4_off), UDP_HLEN + *len,
		       csum_pseudo(&pm->key, UDP_HLEN + *len))) == 0
		       ? DROP_NONE
		       : DROP_UDP_CSUM;
}

/* The socket without a connection whose local end is the most exact. */
static struct udp_pcb *
bound_find(struct lcore *lc, const struct flow_key *k)
{
	struct udp_pcb *pcb, *any = NULL;

	LIST_FOREACH (pcb, udp_bound_of(lc, k->lport), bound) {
		const struct ip_addr *a = &pcb->fe.key.local;

		if (pcb->state != UDP_OPEN || pcb->fe.key.lport != k->lport)
			continue;
		if (ip_addr_eq(a, &k->local))
			return pcb;
		/* RFC 3493 s5.3; the wildcard of the packet's own family comes first. */
		if (udp_local_covers(a, pcb->s->v6only, &k->local) &&
			(any == NULL || (ip_addr_is_v4(a) == ip_addr_is_v4(&k->local) &&
						ip_addr_is_v4(&any->fe.key.local) !=
							ip_addr_is_v4(&k->local))))
			any = pcb;
	}
	return any;
}

static enum drop_reason
keep(struct lcore *lc, struct udp_pcb *pcb, const struct rte_mbuf *m, uint32_t len)
{
	const struct pkt_meta *pm = pkt_meta(m);
	struct udp_rec r;

	if (pcb->rd_shut)
		return DROP_UDP_SHUT;
	if (!buf_fits(lc, &pcb->rcv, sizeof(r) + len))
		return DROP_UDP_FULL;
	memset(&r, 0, sizeof(r));
	r.key = pm->key;
	r.profile = latch_dgram_profile(lc, m);
	r.natt = pm->udp_remote != 0;
	r.len = len;
	buf_append(lc, &pcb->rcv, &r, sizeof(r));
	buf_append(lc, &pcb->rcv, pkt_data(m, (uint32_t)pm->l4_off + UDP_HLEN), len);
	lc_count(lc, ST_UDP_IN);
	udp_wake(lc, pcb);
	return DROP_UDP_DONE;
}

/* Classes M2 and M3 (C.3): nothing of the datagram is used. Every datagram would fit (F-91). */
static enum drop_reason
conflict(struct lcore *lc, struct udp_pcb *pcb, const struct rte_mbuf *m)
{
	enum tl_latch_reason why = pkt_meta(m)->reason;

	if (pcb != NULL)
		udp_latch_alert(lc, &pcb->latch, latch_conflict(lc, &pcb->latch, why, false));
	return why == TL_LATCH_QOP_CONFLICT ? DROP_LATCH_M2 : DROP_LATCH_M3;
}

static enum drop_reason
of_nobody(struct lcore *lc, const struct rte_mbuf *m, uint32_t len)
{
	struct udp_pcb *pcb = bound_find(lc, &pkt_meta(m)->key);
	enum drop_reason why;

	if (pcb == NULL) {
		icmp_unreachable(lc, m, ICMP_DU_PORT, 0); /* RFC 1122 s4.1.3.1 */
		return DROP_UDP_NO_SOCKET;
	}
	why = latch_dgram_check(lc, &pcb->latch, m);
	return why != DROP_NONE ? why : keep(lc, pcb, m, len);
}

static enum drop_reason
arrives(struct lcore *lc, const struct rte_mbuf *m)
{
	const struct pkt_meta *pm = pkt_meta(m);
	struct udp_pcb *pcb = pm->flow == NULL ? NULL : container_of(pm->flow, struct udp_pcb, fe);
	enum drop_reason why;
	uint32_t len;

	if (pm->verdict == VERDICT_BREAK)
		return conflict(lc, pcb, m);
	if (pm->verdict != VERDICT_ACCEPT)
		return DROP_LATCH_CLOSED;
	why = parse(m, &len);
	if (why != DROP_NONE)
		return why;
	if (pcb == NULL)
		return of_nobody(lc, m, len);
	return pcb->state == UDP_CONNECTED ? keep(lc, pcb, m, len) : DROP_UDP_ENDED;
}

void
udp_in(struct lcore *lc, struct pkt_vec *v)
{
	for (uint32_t i = 0; i < v->n; i++) {
		if (latch_recheck(lc, v->m[i]))
			pkt_drop(lc, v->m[i], arrives(lc, v->m[i]));
	}
	v->n = 0;
}

/* One record of from, the next one, to the end of to. */
static void
move(struct lcore *lc, struct buf *from, const struct udp_rec *r, struct buf *to)
{
	uint64_t pos = buf_start(from), end = pos + sizeof(*r) + r->len;

	while (pos < end) {
		const uint8_t *p;
		size_t n = RTE_MIN(buf_span(from, pos, &p), (size_t)(end - pos));

		buf_append(lc, to, p, n);
		pos += n;
	}
}

void
udp_rcv_refilter(struct lcore *lc, struct udp_pcb *pcb)
{
	struct buf old = pcb->rcv;
	struct udp_rec r;

	buf_init(&pcb->rcv, old.limit_bytes);
	while (buf_len(&old) > 0) {
		buf_copy_out(&old, buf_start(&old), &r, sizeof(r));
		if (flow_key_eq(&r.key, &pcb->fe.key) &&
			latch_dgram_fits(lc, &pcb->latch, r.profile) &&
			buf_fits(lc, &pcb->rcv, sizeof(r) + r.len))
			move(lc, &old, &r, &pcb->rcv);
		buf_drop(lc, &old, sizeof(r) + r.len);
	}
}
