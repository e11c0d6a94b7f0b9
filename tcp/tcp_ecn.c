/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * tcp_ecn.c - explicit congestion notification (RFC 3168 s6.1): asked for in SYNs, echoed by the
 * receiver until the sender has reacted, acted upon by the sender once in each window.
 *
 * The marks of the IP header are in the packet's metadata, through a tunnel too (RFC 6040).
 *
 * DEVIATION: a SYN that offers accurate ECN (RFC 9768 s3.1.1) is answered in classic ECN, as its
 * s3.1.2 foresees for a server that does not know more.
 */
#include "tcp/tcp_int.h"

enum { ECN_MASK = 3, ECN_ECT0 = 2, ECN_CE = 3 };

static uint8_t
marks_of(const struct tcp_seg *seg)
{
	return pkt_meta(seg->m)->tos & ECN_MASK;
}

static bool
is_dctcp(const struct tcp_pcb *pcb)
{
	return pcb->cc.ops == &tcp_cc_dctcp;
}

uint8_t
tcp_ecn_syn_flags(const struct lcore *lc, const struct tcp_pcb *pcb)
{
	/* Of a fast open, the answer may be sent in any state. */
	if (pcb->state == TCPS_SYN_RCVD || pcb->tfo_unproved)
		return pcb->opt_ecn ? TCP_F_ECE : 0;
	/* RFC 3168 s6.1.1.1: a SYN that was lost may have been dropped for its flags. */
	if (pcb->syn_again || lc->tcp->conf.ecn != TCP_CONF_ECN_ASK)
		return 0;
	return TCP_F_ECE | TCP_F_CWR;
}

bool
tcp_ecn_is_asked(const struct tcp_seg *syn)
{
	uint8_t both = TCP_F_ECE | TCP_F_CWR;

	/* RFC 3168 s6.1.1: a SYN is not ECN-capable itself; one that is was tampered with. */
	return (syn->flags & both) == both && marks_of(syn) == 0;
}

void
tcp_ecn_options(const struct lcore *lc, struct tcp_pcb *pcb, const struct tcp_seg *seg)
{
	uint8_t f = seg->flags & (TCP_F_ECE | TCP_F_CWR);
	bool is_answer = (seg->flags & TCP_F_ACK) != 0;

	pcb->opt_ecn = false;
	if (lc->tcp->conf.ecn == TCP_CONF_ECN_OFF)
		return;
	/* RFC 3168 s6.1.1: ECE alone answers; both are the reflection of a broken host. */
	if (is_answer)
		pcb->opt_ecn = f == TCP_F_ECE && tcp_ecn_syn_flags(lc, pcb) != 0;
	else
		pcb->opt_ecn = tcp_ecn_is_asked(seg);
}

/* RFC 3168 s6.1.3 */
void
tcp_ecn_text(struct lcore *lc, struct tcp_pcb *pcb, const struct tcp_seg *seg)
{
	bool ce = marks_of(seg) == ECN_CE;

	if (!pcb->opt_ecn || seg->len == 0)
		return;
	if (is_dctcp(pcb)) {
		/* RFC 8257 s3.2. DEVIATION: one ACK leaves in a turn, so it tells of the state that
		 * its last segment left behind. */
		if (ce != pcb->ecn_echo)
			tcp_output_mark(lc, pcb, TCP_OUT_ACK);
		pcb->ecn_echo = ce;
		return;
	}
	if ((seg->flags & TCP_F_CWR) != 0)
		pcb->ecn_echo = false;
	if (!ce)
		return;
	pcb->ecn_echo = true;
	lc_count(lc, ST_TCP_ECN_CE);
	/* The sender shall hear of it now. */
	tcp_output_mark(lc, pcb, TCP_OUT_ACK);
}

/* RFC 3168 s6.1.2, s6.1.4, s6.1.5: new data are ECN-capable, and nothing else is. */
void
tcp_ecn_fill(struct tcp_pcb *pcb, struct tcp_seg *s, bool is_new)
{
	if (pcb->ecn_echo)
		s->flags |= TCP_F_ECE;
	if (!is_new)
		return;
	s->tos = ECN_ECT0;
	if (pcb->ecn_cwr)
		s->flags |= TCP_F_CWR;
	pcb->ecn_cwr = false;
}

bool
tcp_ecn_is_echo(const struct tcp_pcb *pcb, const struct tcp_seg *seg)
{
	return pcb->opt_ecn && (seg->flags & (TCP_F_ECE | TCP_F_SYN)) == TCP_F_ECE;
}
