/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * tcp_latch.c - what becomes of a connection when its latch changes (RFC 5660 s5.1, s5.5).
 *
 * While a latch lets nothing leave (WANTED, BROKEN) the connection sends as ever, and loses it all:
 * its timers run as under loss (B-4). So only the ends of that time need code.
 */
#include <errno.h>

#include "tcp/tcp_int.h"

/* An SA is there, or the conflict is gone. */
static void
go(struct lcore *lc, struct tcp_pcb *pcb)
{
	if (pcb->state <= TCPS_LISTEN)
		return;
	tcp_path_refresh(lc, pcb);
	tcp_pcb_update_mss(pcb);
	tcp_rexmt_resume(lc, pcb);
	if (tcp_is_synced(pcb))
		tcp_output_mark(lc, pcb, TCP_OUT_ACK | TCP_OUT_DATA);
}

/* E.4. RFC 9293 s3.10.7.4: in TIME-WAIT all was said and a reset tells nobody anything. */
static int
reset_errno(const struct tcp_pcb *pcb)
{
	const struct latch *l = &pcb->latch;
	bool conflict = l->reason == TL_LATCH_PEER_CONFLICT || l->reason == TL_LATCH_QOP_CONFLICT ||
			l->reason == TL_LATCH_SA_CONFLICT || l->reason == TL_LATCH_SPD_CHANGE;

	if (pcb->state == TCPS_TIME_WAIT)
		return 0;
	return latch_errno(l, pcb->state == TCPS_SYN_SENT && conflict ? ECONNREFUSED : ECONNRESET);
}

void
tcp_latch_alert(struct lcore *lc, struct latch *l, enum latch_act act)
{
	struct tcp_pcb *pcb = container_of(l, struct tcp_pcb, latch);

	switch (act) {
	case LATCH_ACT_RESET: /* as if a reset arrived in this state; nothing is sent (F-17) */
		tcp_pcb_end(lc, pcb, reset_errno(pcb));
		break;
	case LATCH_ACT_SOFT: /* RFC 1122 s4.2.3.9: a hint, unless the connection ends by itself */
		if (pcb->s != NULL)
			pcb->s->soft_error = EHOSTUNREACH;
		tcp_wake(lc, pcb);
		break;
	case LATCH_ACT_GO:
		go(lc, pcb);
		tcp_wake(lc, pcb);
		break;
	default:
		tcp_wake(lc, pcb);
		break;
	}
}
