/* SPDX-License-Identifier: BSD-3-Clause */
/* tcp_latch.c - what becomes of a connection when its latch breaks (RFC 5660 s5.5). */
#include <errno.h>

#include "tcp/tcp_int.h"

/* As if a reset arrived in this state; nothing is sent (F-17). */
void
tcp_latch_alert(struct lcore *lc, struct latch *l)
{
	struct tcp_pcb *pcb = container_of(l, struct tcp_pcb, latch);

	if (l->state == TL_LATCH_CLOSED)
		tcp_pcb_end(lc, pcb, pcb->state == TCPS_SYN_SENT ? ECONNREFUSED : ECONNRESET);
}
