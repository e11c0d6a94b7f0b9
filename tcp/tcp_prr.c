/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * tcp_prr.c - how much may leave while the window shrinks: proportional rate reduction (RFC 9937).
 *
 * At the end of recovery about ssthresh is in flight, without a burst and without a silence on
 * the way there.
 */
#include "tcp/tcp_int.h"

void
tcp_prr_start(struct tcp_pcb *pcb)
{
	struct tcp_rec *rec = &pcb->rec;
	uint32_t fresh = pcb->sent.delivered - pcb->sent.delivered_out;

	/* RFC 9937 s6.1: RecoverFS counts what this recovery will see delivered, and of that the
	 * ACKs that came together with the one that begins it have delivered their share. */
	tcp_cwv_forget(pcb);
	rec->prr_flight =
		tcp_flight(pcb) - RTE_MIN(tcp_flight(pcb), pcb->sent.sacked_bytes) + fresh;
	rec->prr_flight = RTE_MAX(rec->prr_flight, 1u);
	rec->prr_delivered = fresh;
	rec->prr_out = 0;
}

/* RFC 9937 s6.2, SndCnt of an ACK that delivered a->delivered octets. */
static uint32_t
may_send(const struct tcp_pcb *pcb, const struct tcp_acked *a, bool lost_more)
{
	const struct tcp_rec *rec = &pcb->rec;
	uint32_t pipe = tcp_pipe(pcb), ssthresh = pcb->cc.ssthresh_bytes, n;

	if (pipe > ssthresh) {
		uint64_t due = ((uint64_t)rec->prr_delivered * ssthresh + rec->prr_flight - 1) /
			       rec->prr_flight;

		return due > rec->prr_out ? (uint32_t)(due - rec->prr_out) : 0;
	}
	n = rec->prr_delivered > rec->prr_out ? rec->prr_delivered - rec->prr_out : 0;
	n = RTE_MAX(n, a->delivered);
	/* The safe ACK: it moves snd_una and shows no further loss. */
	if (a->bytes > 0 && !lost_more)
		n += pcb->mss;
	return RTE_MIN(n, ssthresh - pipe);
}

void
tcp_prr_ack(struct tcp_pcb *pcb, const struct tcp_acked *a, bool lost_more)
{
	struct tcp_rec *rec = &pcb->rec;
	uint32_t n;

	if (a->delivered == 0 || pcb->cc.ops->control != NULL)
		return;
	n = may_send(pcb, a, lost_more);
	/* The first retransmission leaves in any case. DEVIATION: the RFC asks for SndCnt of 0; a
	 * part of a segment would not leave here. */
	if (n < pcb->mss && rec->prr_out == 0)
		n = pcb->mss;
	pcb->cc.cwnd_bytes = RTE_MAX(tcp_pipe(pcb) + n, (uint32_t)pcb->mss);
}
