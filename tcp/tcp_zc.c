/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * tcp_zc.c - sending from the program's memory and reading in the stack's, without a copy between.
 *
 * What is lent to a reader stays where it is, whatever becomes of the connection, until it is given
 * back or the socket is closed; it fills the receive buffer, so the window grows when it is given
 * back. What a writer lends is told back by buf_note_done() when its last octet was acknowledged.
 */
#include <errno.h>

#include "stack/include/tl_sock.h"
#include "tcp/tcp_int.h"

int
tcp_zc_send(struct lcore *lc, struct sock *s, const void *mem, size_t len, uint64_t cookie)
{
	struct tcp_pcb *pcb = s->pcb;
	ssize_t rc = tcp_usr_may_send(s);

	if (rc != 0)
		return (int)rc;
	if (len == 0)
		return -EINVAL;
	if (len > buf_room(&pcb->snd))
		tcp_tune_snd(lc, pcb);
	if (len > pcb->snd.limit_bytes)
		return -EMSGSIZE;
	if (!buf_append_note(lc, &pcb->snd, mem, (uint32_t)len, cookie))
		return -EAGAIN;
	pcb->tfo_wait = false;
	tcp_output_mark(lc, pcb, TCP_OUT_DATA);
	return 0;
}

int
tcp_zc_peek(struct lcore *lc, struct sock *s, struct tl_piece *piece, int max)
{
	struct tcp_pcb *pcb = s->pcb;
	uint64_t pos = buf_start(&pcb->rcv), end = buf_end(&pcb->rcv);
	int n = 0;

	(void)lc;
	if (max < 1)
		return -EINVAL;
	if (s->so_error != 0 || pos == end || pcb->reset)
		return (int)tcp_usr_recv_nothing(s);
	for (; n < max && pos < end; n++) {
		const uint8_t *span;
		size_t len = buf_span(&pcb->rcv, pos, &span);

		piece[n] = (struct tl_piece){.at = span, .bytes = len};
		pos += len;
	}
	pcb->rcv_lent = RTE_MAX(pcb->rcv_lent, (uint32_t)(pos - buf_start(&pcb->rcv)));
	return n;
}

int
tcp_zc_release(struct lcore *lc, struct sock *s, size_t len)
{
	struct tcp_pcb *pcb = s->pcb;

	if (len > pcb->rcv_lent)
		return -EINVAL;
	buf_drop(lc, &pcb->rcv, len);
	pcb->rcv_lent -= (uint32_t)len;
	if (pcb->state != TCPS_CLOSED)
		tcp_rcv_read(lc, pcb);
	else if (pcb->rcv_lent == 0 && pcb->reset)
		buf_clear(lc, &pcb->rcv); /* what an error ended, nobody reads on */
	return 0;
}
