/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * udp_msg.c - datagrams between a program and its socket, with their tags (RFC 5660 s5.3).
 *
 * A datagram that is sent is built, with its checksum, and waits for its turn; one that was
 * received is copied out of the socket's buffer.
 */
#include <errno.h>
#include <string.h>
#include <sys/uio.h>
#include <rte_udp.h>

#include "stack/base/csum.h"
#include "stack/include/tl_ipsec.h"
#include "stack/udp/udp_int.h"

enum { OUT_TTL = 64 };

/* An error is told once, and then the state speaks. */
static int
take_error(struct sock *s)
{
	int err = s->so_error;

	s->so_error = 0;
	return -err;
}

static size_t
total_of(const struct sock_msg *msg)
{
	size_t n = 0;

	for (size_t i = 0; i < msg->nb_iov; i++) {
		if (__builtin_add_overflow(n, msg->iov[i].iov_len, &n))
			return SIZE_MAX;
	}
	return n;
}

/* ---- send ---- */

/* One control message of the program. */
static int
read_cmsg(const struct cmsghdr *h, const uint8_t *data, struct tl_dgram_tag *tag, bool *has)
{
	if (h->cmsg_level != SOL_TL_IPSEC || h->cmsg_type != TL_IPSEC_TAG || *has)
		return -EINVAL;
	if (h->cmsg_len != CMSG_LEN(sizeof(*tag)))
		return -EINVAL;
	memcpy(tag, data, sizeof(*tag));
	*has = true;
	return 0;
}

/* The tag among the control messages; anything else is refused. */
static int
find_tag(const struct sock_msg *msg, struct tl_dgram_tag *tag, bool *has)
{
	const uint8_t *p = msg->control;
	size_t left = p == NULL ? 0 : msg->control_len;
	struct cmsghdr h;
	int rc = 0;

	*has = false;
	while (rc == 0 && left >= sizeof(h)) {
		size_t step;

		memcpy(&h, p, sizeof(h));
		if (h.cmsg_len < sizeof(h) || h.cmsg_len > left)
			return -EINVAL;
		rc = read_cmsg(&h, p + CMSG_LEN(0), tag, has);
		step = RTE_MIN((size_t)CMSG_ALIGN(h.cmsg_len), left);
		p += step;
		left -= step;
	}
	return rc;
}

/* The header, the payload, and the checksum over both; NULL: no packet is left. */
static struct rte_mbuf *
build(struct lcore *lc, const struct flow_key *k, const struct sock_msg *msg, uint32_t len)
{
	struct rte_mbuf *m = pkt_alloc(lc);
	struct rte_udp_hdr h = {.src_port = k->lport,
		.dst_port = k->rport,
		.dgram_len = rte_cpu_to_be_16((uint16_t)(UDP_HLEN + len))};
	struct pkt_meta *pm;
	uint8_t *p, *at;

	if (m == NULL)
		return NULL;
	p = (uint8_t *)rte_pktmbuf_append(m, (uint16_t)(UDP_HLEN + len));
	if (p == NULL) {
		rte_pktmbuf_free(m);
		return NULL;
	}
	at = p + UDP_HLEN;
	for (size_t i = 0; i < msg->nb_iov; i++) {
		if (msg->iov[i].iov_len > 0)
			memcpy(at, msg->iov[i].iov_base, msg->iov[i].iov_len);
		at += msg->iov[i].iov_len;
	}
	memcpy(p, &h, sizeof(h));
	h.dgram_cksum = csum_finish(csum_add(p, UDP_HLEN + len, csum_pseudo(k, UDP_HLEN + len)));
	if (h.dgram_cksum == 0)
		h.dgram_cksum = 0xffff; /* RFC 768: zero says that there is none */
	memcpy(p, &h, sizeof(h));
	pm = pkt_meta(m);
	pm->key = *k;
	pm->nxt = IPPROTO_N_UDP;
	pm->l4_len = (uint16_t)(UDP_HLEN + len);
	pm->ttl = OUT_TTL;
	return m;
}

/* Where a datagram goes, and whether its tag agrees with a connection (D-7). */
static int
target(struct lcore *lc, struct sock *s, const struct sock_msg *msg, const struct tl_dgram_tag *tag,
	struct flow_key *key)
{
	struct udp_pcb *pcb = s->pcb;
	int rc;

	if (pcb->state == UDP_ENDED)
		return -ENOTCONN;
	if (pcb->state == UDP_CONNECTED) {
		*key = pcb->fe.key;
		if (msg->has_addr && (!ip_addr_eq(&msg->addr.addr, &key->remote) ||
					     msg->addr.port != key->rport))
			return -EISCONN;
		return tag == NULL ? 0 : latch_dgram_agrees(lc, &pcb->latch, tag);
	}
	if (!msg->has_addr)
		return -EDESTADDRREQ;
	rc = udp_usr_autobind(lc, s);
	return rc != 0 ? rc : udp_usr_key(lc, pcb, &msg->addr, key);
}

/* 0 if len more bytes may wait here. */
static int
may_wait(const struct lcore *lc, const struct sock *s, size_t len)
{
	const struct udp_pcb *pcb = s->pcb;

	if (len > lc->udp->payload_max)
		return -EMSGSIZE;
	/* One always may, or a small buffer would let nothing leave ever. */
	if (pcb->snd.n > 0 && pcb->snd_bytes + udp_snd_charge((uint32_t)len) > s->sndbuf_bytes)
		return -EAGAIN;
	/* Each holds a packet: whatever programs chose for their buffers, receiving goes on. */
	return lc->udp->waiting >= lc->udp->waiting_max ? -ENOBUFS : 0;
}

static ssize_t
send_to(struct lcore *lc, struct sock *s, const struct sock_msg *msg,
	const struct tl_dgram_tag *tag)
{
	struct udp_pcb *pcb = s->pcb;
	size_t len = total_of(msg);
	int rc = may_wait(lc, s, len);
	struct flow_key key;
	struct rte_mbuf *m;

	if (rc == 0)
		rc = target(lc, s, msg, tag, &key);
	if (rc != 0)
		return rc;
	m = build(lc, &key, msg, (uint32_t)len);
	if (m == NULL)
		return -ENOBUFS;
	if (pcb->state == UDP_OPEN)
		rc = latch_dgram_stamp(lc, &pcb->latch, &key, tag, m);
	if (rc != 0) {
		rte_pktmbuf_free(m);
		return rc;
	}
	udp_snd_put(lc, pcb, m);
	return (ssize_t)len;
}

ssize_t
udp_msg_sendmsg(struct lcore *lc, struct sock *s, const struct sock_msg *msg, int flags)
{
	const struct udp_pcb *pcb = s->pcb;
	struct tl_dgram_tag tag;
	bool has_tag;
	int rc;

	if ((flags & MSG_OOB) != 0)
		return -EOPNOTSUPP;
	if (s->so_error != 0)
		return take_error(s);
	if (pcb->wr_shut)
		return -EPIPE;
	rc = find_tag(msg, &tag, &has_tag);
	return rc != 0 ? rc : send_to(lc, s, msg, has_tag ? &tag : NULL);
}

ssize_t
udp_msg_send(struct lcore *lc, struct sock *s, const void *buf, size_t len, int flags)
{
	struct iovec iov = {.iov_base = (void *)(uintptr_t)buf, .iov_len = len};

	return udp_msg_sendmsg(lc, s, &(struct sock_msg){.iov = &iov, .nb_iov = 1}, flags);
}

/* ---- receive ---- */

/* F-80: a tag comes with clear datagrams too. D-8: one without room is lost, and MSG_CTRUNC tells.
 */
static void
put_tag(const struct lcore *lc, const struct udp_rec *r, struct sock_msg *msg)
{
	struct cmsghdr h = {.cmsg_len = CMSG_LEN(sizeof(struct tl_dgram_tag)),
		.cmsg_level = SOL_TL_IPSEC,
		.cmsg_type = TL_IPSEC_TAG};
	struct tl_dgram_tag tag = {.handle = latch_dgram_handle(lc, r->profile),
		.flags = (r->profile != 0 ? TL_TAG_PROTECTED : 0u) | (r->natt ? TL_TAG_NATT : 0u)};
	uint8_t *p = msg->control;

	if (p == NULL || msg->control_len < h.cmsg_len) {
		msg->flags |= MSG_CTRUNC;
		msg->control_len = 0;
		return;
	}
	memcpy(p, &h, sizeof(h));
	memcpy(p + CMSG_LEN(0), &tag, sizeof(tag));
	msg->control_len = RTE_MIN((size_t)CMSG_SPACE(sizeof(tag)), msg->control_len);
}

static size_t
put_data(struct buf *b, const struct udp_rec *r, const struct sock_msg *msg)
{
	uint64_t pos = buf_start(b) + sizeof(*r), end = pos + r->len;

	for (size_t i = 0; i < msg->nb_iov && pos < end; i++) {
		size_t n = RTE_MIN(msg->iov[i].iov_len, (size_t)(end - pos));

		if (n > 0)
			buf_copy_out(b, pos, msg->iov[i].iov_base, n);
		pos += n;
	}
	return r->len - (size_t)(end - pos);
}

/* What a read without a datagram says. */
static int
recv_nothing(struct sock *s)
{
	const struct udp_pcb *pcb = s->pcb;

	if (pcb->state == UDP_ENDED)
		return -ENOTCONN;
	return pcb->rd_shut ? 0 : -EAGAIN;
}

ssize_t
udp_msg_recvmsg(struct lcore *lc, struct sock *s, struct sock_msg *msg, int flags)
{
	struct udp_pcb *pcb = s->pcb;
	struct udp_rec r;
	size_t n;

	if ((flags & MSG_OOB) != 0)
		return -EINVAL;
	if (s->so_error != 0)
		return take_error(s);
	if (buf_len(&pcb->rcv) == 0) {
		msg->control_len = 0;
		return recv_nothing(s);
	}
	buf_copy_out(&pcb->rcv, buf_start(&pcb->rcv), &r, sizeof(r));
	n = put_data(&pcb->rcv, &r, msg);
	if (n < r.len)
		msg->flags |= MSG_TRUNC;
	msg->addr = (struct sock_addr){.addr = r.key.remote, .port = r.key.rport};
	msg->has_addr = true;
	if (pcb->want_tag)
		put_tag(lc, &r, msg);
	else
		msg->control_len = 0;
	if ((flags & MSG_PEEK) == 0)
		buf_drop(lc, &pcb->rcv, sizeof(r) + r.len);
	return (ssize_t)((flags & MSG_TRUNC) != 0 ? r.len : n);
}

ssize_t
udp_msg_recv(struct lcore *lc, struct sock *s, void *buf, size_t len, int flags)
{
	struct iovec iov = {.iov_base = buf, .iov_len = len};

	return udp_msg_recvmsg(lc, s, &(struct sock_msg){.iov = &iov, .nb_iov = 1}, flags);
}
