/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * tcp_icmp.c - what ICMP errors do to a connection (RFC 9293 s3.9.2.2, RFC 5927, RFC 1191).
 *
 * The caller has made sure that the error may speak for the flow; here it must also quote an
 * octet in flight.
 */
#include <errno.h>

#include "tcp/tcp_int.h"

enum { MTU_MIN = 68 }; /* RFC 791: every IPv4 link carries it */

/* RFC 1191 s7.1: routers that do not tell their MTU. */
static uint32_t
next_plateau(uint32_t mtu)
{
	static const uint16_t plateau[] = {8166, 4352, 2002, 1492, 1006, 508, 296, 0};
	uint32_t i = 0;

	while (plateau[i] >= mtu)
		i++;
	return RTE_MAX((uint32_t)plateau[i], (uint32_t)MTU_MIN);
}

/* RFC 1191 s6.4: what was too large is sent again in smaller pieces; cwnd is not touched. */
static void
too_big(struct lcore *lc, struct tcp_pcb *pcb, uint32_t mtu)
{
	if (mtu < MTU_MIN)
		mtu = next_plateau(pcb->pmtu);
	/* Never less than the floor of the MSS takes: a forged MTU must not make dust of data. */
	mtu = RTE_MAX(mtu, tcp_pcb_mtu_floor(pcb));
	if (tcp_mtu_narrow(lc, pcb, mtu) && tcp_is_synced(pcb))
		tcp_rec_resend(lc, pcb);
}

bool
tcp_icmp(struct lcore *lc, const struct flow_key *k, uint32_t seq, enum tcp_icmp kind,
	uint32_t mtu_bytes)
{
	struct flow_ent *fe = flow_find(lc, k);
	struct tcp_pcb *pcb;

	if (fe == NULL || k->proto != IPPROTO_N_TCP)
		return false;
	pcb = container_of(fe, struct tcp_pcb, fe);
	/* RFC 5927 s4.1: SND.UNA <= quoted number < SND.NXT */
	if (seq_lt(seq, pcb->snd_una) || !seq_lt(seq, pcb->snd_max))
		return false;
	if (kind == TCP_ICMP_TOOBIG)
		too_big(lc, pcb, mtu_bytes);
	/* RFC 5927 s5.2: a hard error ends what is being opened and is soft for the rest. */
	else if (kind == TCP_ICMP_HARD && !tcp_is_synced(pcb))
		tcp_pcb_end(lc, pcb, ECONNREFUSED);
	tcp_pcb_check(lc, pcb);
	tcp_reap(lc);
	return true;
}
