/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * sctp_msg.c - messages between a program and its association (RFC 6458 s4.1, s9.8, s9.9).
 *
 * A message that is sent is copied into the send buffer as a whole, or not at all; it is cut into
 * chunks when it leaves, because only then is known what fits.
 */
#include <errno.h>
#include <string.h>

#include "sctp/sctp_int.h"

/* ---- errors ---- */

int
sctp_take_error(struct sock *s)
{
	struct sctp_ep *ep = s->pcb;
	int err = s->so_error;

	s->so_error = 0;
	if (err == 0 && ep->a != NULL && ep->a->state == SCTPS_CLOSED) {
		err = ep->a->err;
		ep->a->err = 0;
	}
	return err;
}

/* ---- send ---- */

/* 0 if a message may be taken now. */
static int
may_send(struct sock *s)
{
	const struct sctp_assoc *a = ((struct sctp_ep *)s->pcb)->a;
	int err = sctp_take_error(s);

	if (err != 0)
		return -err;
	if (a == NULL)
		return -ENOTCONN;
	if (a->state == SCTPS_CLOSED || a->wr_shut)
		return -EPIPE;
	return a->state < SCTPS_ESTABLISHED ? -EAGAIN : 0;
}

static int
queue(struct lcore *lc, struct sctp_assoc *a, const void *buf, size_t len,
	const struct tl_sctp_sndrcvinfo *info)
{
	struct sctp_tx *t;
	void *obj;

	if (len == 0 || info->stream >= a->nb_out)
		return -EINVAL;
	if (len > a->snd.limit_bytes)
		return -EMSGSIZE;
	if (!buf_fits(lc, &a->snd, len))
		return -EAGAIN;
	if (rte_mempool_get(lc->sctp->txs, &obj) != 0)
		return -EAGAIN;
	t = obj;
	*t = (struct sctp_tx){.pos = buf_end(&a->snd),
		.len = (uint32_t)len,
		.ppid = info->ppid,
		.sid = info->stream,
		.flags = SCTP_F_B | SCTP_F_E};
	if ((info->flags & TL_SCTP_UNORDERED) != 0)
		t->flags |= SCTP_F_U;
	buf_append(lc, &a->snd, buf, len);
	TAILQ_INSERT_TAIL(&a->waiting, t, entry);
	a->waiting_bytes += t->len;
	sctp_mark(lc, a, SCTP_OUT_DATA);
	return 0;
}

ssize_t
sctp_usr_sendmsg(struct lcore *lc, struct sock *s, const void *buf, size_t len,
	const struct tl_sctp_sndrcvinfo *info)
{
	struct sctp_assoc *a = ((struct sctp_ep *)s->pcb)->a;
	struct sctp_bytes why = {buf, (uint16_t)RTE_MIN(len, (size_t)256)};
	int rc = may_send(s);

	if (rc != 0)
		return rc;
	if ((info->flags & TL_SCTP_ADDR_OVER) != 0)
		return -EOPNOTSUPP;
	if ((info->flags & TL_SCTP_ABORT) != 0) {
		sctp_abort(lc, a, SCTP_C_USER, &why, 0);
		return (ssize_t)len;
	}
	if (len > 0 || (info->flags & TL_SCTP_EOF) == 0)
		rc = queue(lc, a, buf, len, info);
	if (rc != 0)
		return rc;
	if ((info->flags & TL_SCTP_EOF) != 0) {
		a->wr_shut = true;
		sctp_shutdown_start(lc, a);
	}
	return (ssize_t)len;
}

ssize_t
sctp_usr_send(struct lcore *lc, struct sock *s, const void *buf, size_t len, int flags)
{
	const struct sctp_ep *ep = s->pcb;

	if ((flags & MSG_OOB) != 0)
		return -EOPNOTSUPP;
	return sctp_usr_sendmsg(lc, s, buf, len, &ep->def);
}

/* ---- receive ---- */

/* A piece that was read in part stays, with a shorter record in front of what is left. */
static void
shorten(struct lcore *lc, struct sctp_assoc *a, const struct sctp_rec *rec, uint32_t n)
{
	a->left = *rec;
	a->left.len -= n;
	a->left.flags &= (uint8_t)~SCTP_F_B;
	a->has_left = a->left.len > 0;
	buf_drop(lc, &a->rcv, n);
	a->rcv_bytes -= n;
	if (!a->has_left)
		a->rcv_bytes -= (uint32_t)sizeof(*rec);
}

/* The record at the front; its bytes are next in the buffer. False: none. */
static bool
front(struct lcore *lc, struct sctp_assoc *a, struct sctp_rec *rec)
{
	if (a->has_left) {
		*rec = a->left;
		return true;
	}
	if (buf_len(&a->rcv) == 0)
		return false;
	buf_copy_out(&a->rcv, buf_start(&a->rcv), rec, sizeof(*rec));
	buf_drop(lc, &a->rcv, sizeof(*rec));
	a->left = *rec;
	a->has_left = true;
	return true;
}

static void
fill_info(const struct sctp_rec *rec, struct tl_sctp_sndrcvinfo *info)
{
	if (info == NULL)
		return;
	*info = (struct tl_sctp_sndrcvinfo){.stream = rec->sid,
		.ssn = rec->ssn,
		.flags = (rec->flags & SCTP_F_U) != 0 ? TL_SCTP_UNORDERED : 0,
		.ppid = rec->ppid,
		.tsn = rec->tsn,
		.cum_tsn = rec->cum_tsn};
}

/* Pieces up to the end of the message or of the program's buffer. */
static size_t
take_pieces(struct lcore *lc, struct sctp_assoc *a, uint8_t *to, size_t len, int *flags)
{
	struct sctp_rec rec;
	size_t done = 0;

	while (done < len && front(lc, a, &rec)) {
		uint32_t n = (uint32_t)RTE_MIN((size_t)rec.len, len - done);

		buf_copy_out(&a->rcv, buf_start(&a->rcv), to + done, n);
		shorten(lc, a, &rec, n);
		done += n;
		if (a->has_left || (rec.flags & SCTP_F_E) == 0)
			continue;
		*flags |= MSG_EOR;
		a->rcv_msgs--;
		break;
	}
	return done;
}

/* MSG_PEEK: what the first piece has. */
static size_t
look(struct sctp_assoc *a, const struct sctp_rec *rec, void *to, size_t len)
{
	size_t n = RTE_MIN((size_t)rec->len, len);

	buf_copy_out(&a->rcv, buf_start(&a->rcv), to, n);
	return n;
}

static ssize_t
nothing(struct sock *s, const struct sctp_assoc *a)
{
	int err = sctp_take_error(s);

	if (err != 0)
		return -err;
	if (a->eof || a->rd_shut || a->state == SCTPS_CLOSED)
		return 0;
	return -EAGAIN;
}

/* Whole messages; or what is there of one that is larger than the buffer. */
static bool
is_readable(const struct sctp_assoc *a)
{
	return a->rcv_msgs > 0 || ((a->in_partial || a->has_left) && buf_len(&a->rcv) > 0);
}

/* What the peer sent before its association broke is not read any more. */
static void
keep_events(struct lcore *lc, struct sctp_assoc *a)
{
	struct sctp_rec rec;

	while (front(lc, a, &rec) && !rec.is_event) {
		a->rcv_msgs -= (rec.flags & SCTP_F_E) != 0;
		shorten(lc, a, &rec, rec.len);
	}
}

ssize_t
sctp_usr_recvmsg(struct lcore *lc, struct sock *s, void *buf, size_t len,
	struct tl_sctp_sndrcvinfo *info, int *flags)
{
	struct sctp_ep *ep = s->pcb;
	struct sctp_assoc *a = ep->a;
	bool peek = (*flags & MSG_PEEK) != 0;
	struct sctp_rec rec;
	size_t n;

	*flags = 0;
	if (a == NULL)
		return ep->is_listening || !ep->was_open ? -ENOTCONN : 0;
	/* G-15: the error comes before any byte; notifications are no bytes. */
	if (a->state == SCTPS_CLOSED && a->err != 0)
		keep_events(lc, a);
	if (len == 0 || !is_readable(a) || !front(lc, a, &rec))
		return nothing(s, a);
	fill_info(&rec, info);
	if (rec.is_event)
		*flags |= TL_MSG_NOTIFICATION;
	if (peek)
		return (ssize_t)look(a, &rec, buf, len);
	n = take_pieces(lc, a, buf, len, flags);
	sctp_data_room(lc, a);
	sctp_rwnd_opened(lc, a);
	return (ssize_t)n;
}

ssize_t
sctp_usr_recv(struct lcore *lc, struct sock *s, void *buf, size_t len, int flags)
{
	if ((flags & MSG_OOB) != 0)
		return -EINVAL;
	return sctp_usr_recvmsg(lc, s, buf, len, NULL, &flags);
}
