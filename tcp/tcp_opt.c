/* SPDX-License-Identifier: BSD-3-Clause */
/* tcp_opt.c - socket options; one that is not acted upon is refused. */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>

#include "stack/include/tl_ipsec.h"
#include "stack/include/tl_sock.h"
#include "tcp/tcp_info.h"
#include "tcp/tcp_int.h"

enum { BUF_MIN = 4096, BUF_MAX = 64 << 20, MAXSEG_MAX = 32767, DEFER_MAX_S = 32767 };

static uint32_t
buf_bytes(int v)
{
	return (uint32_t)RTE_MIN(RTE_MAX(v, BUF_MIN), BUF_MAX);
}

static void
set_rcvbuf(struct lcore *lc, struct sock *s, int v)
{
	struct tcp_pcb *pcb = s->pcb;

	s->rcvbuf_bytes = buf_bytes(v);
	s->rcvbuf_set = true;
	if (pcb->state <= TCPS_LISTEN)
		return;
	/* RFC 9293 s3.8.6: what was promised is kept. */
	pcb->rcv.limit_bytes =
		RTE_MAX(s->rcvbuf_bytes, buf_len(&pcb->rcv) + (pcb->rcv_adv - pcb->rcv_nxt));
	tcp_rcv_read(lc, pcb);
}

static void
set_sndbuf(struct lcore *lc, struct sock *s, int v)
{
	struct tcp_pcb *pcb = s->pcb;

	s->sndbuf_bytes = buf_bytes(v);
	s->sndbuf_set = true;
	if (pcb->state <= TCPS_LISTEN)
		return;
	pcb->snd.limit_bytes = s->sndbuf_bytes;
	tcp_wake(lc, pcb);
}

static int
set_linger(struct sock *s, const void *val, socklen_t len)
{
	struct linger l;

	if (len < sizeof(l))
		return -EINVAL;
	memcpy(&l, val, sizeof(l));
	if (l.l_onoff != 0 && l.l_linger < 0)
		return -EINVAL;
	s->linger_s = l.l_onoff != 0 ? l.l_linger : -1;
	return 0;
}

static int
set_lowat(struct lcore *lc, struct sock *s, int v)
{
	struct tcp_more *m = tcp_more(lc, s);

	if (m == NULL)
		return -ENOBUFS;
	/* What can never be reached would wait for ever: socket(7). */
	m->lowat_bytes = v < 0 ? INT32_MAX : (uint32_t)RTE_MAX(v, 1);
	sock_wake(lc, s);
	return 0;
}

static int
set_socket(struct lcore *lc, struct sock *s, int opt, int v)
{
	switch (opt) {
	case SO_REUSEADDR:
		s->reuse_addr = v != 0;
		return 0;
	case SO_REUSEPORT:
		s->reuse_port = v != 0;
		return 0;
	case SO_OOBINLINE:
		/* RFC 6093 s6: they are in line; another place for them there is not. */
		return v != 0 ? 0 : -EINVAL;
	case SO_RCVBUF:
		set_rcvbuf(lc, s, v);
		return 0;
	case SO_SNDBUF:
		set_sndbuf(lc, s, v);
		return 0;
	case SO_KEEPALIVE:
		return tcp_keep_set(lc, s, TCP_KEEP_ON, v);
	case SO_RCVLOWAT:
		return set_lowat(lc, s, v);
	default:
		return -ENOPROTOOPT;
	}
}

static int
set_user_timeout(struct lcore *lc, struct sock *s, int v)
{
	struct tcp_more *m = v < 0 ? NULL : tcp_more(lc, s);

	if (m == NULL)
		return v < 0 ? -EINVAL : -ENOBUFS;
	m->user_timeout_ms = (uint32_t)v;
	return 0;
}

/* What waited for more leaves. */
static int
set_cork(struct lcore *lc, struct tcp_pcb *pcb, int v)
{
	pcb->corked = v != 0;
	if (!pcb->corked && tcp_is_synced(pcb))
		tcp_output_mark(lc, pcb, TCP_OUT_DATA);
	return 0;
}

static int
set_quickack(struct lcore *lc, struct tcp_pcb *pcb, int v)
{
	pcb->quickack = v != 0;
	if (pcb->quickack && tmr_is_set(&pcb->t_delack))
		tcp_output_mark(lc, pcb, TCP_OUT_ACK);
	return 0;
}

/* Of a listener; as in Linux, 0 or less: off. */
static int
set_defer(struct lcore *lc, struct sock *s, int v)
{
	struct tcp_more *m = tcp_more(lc, s);

	if (m == NULL)
		return -ENOBUFS;
	m->defer_s = (uint32_t)RTE_MIN(RTE_MAX(v, 0), DEFER_MAX_S);
	return 0;
}

/* Off in the configuration: an error, where Linux would say yes and do nothing. */
static int
set_fastopen(struct lcore *lc, struct sock *s, int v)
{
	const struct tcp_pcb *pcb = s->pcb;
	struct tcp_more *m;

	if ((lc->tcp->conf.fastopen & TCP_CONF_TFO_SERVER) == 0)
		return -EOPNOTSUPP;
	if (v < 0 || pcb->state > TCPS_LISTEN || (pcb->state == TCPS_CLOSED && pcb->was_open))
		return -EINVAL;
	m = tcp_more(lc, s);
	if (m == NULL)
		return -ENOBUFS;
	m->tfo_qlen = (uint32_t)v;
	return 0;
}

static int
set_fastopen_connect(struct lcore *lc, struct sock *s, int v)
{
	const struct tcp_pcb *pcb = s->pcb;
	struct tcp_more *m;

	if ((lc->tcp->conf.fastopen & TCP_CONF_TFO_CLIENT) == 0)
		return -EOPNOTSUPP;
	if (v < 0 || v > 1 || pcb->state != TCPS_CLOSED)
		return -EINVAL;
	m = tcp_more(lc, s);
	if (m == NULL)
		return -ENOBUFS;
	m->tfo_connect = v != 0;
	return 0;
}

static int
set_maxseg(struct tcp_pcb *pcb, int v)
{
	if (v < TCP_MSS_MIN || v > MAXSEG_MAX)
		return -EINVAL;
	pcb->user_mss = (uint16_t)v;
	if (pcb->state > TCPS_LISTEN)
		tcp_pcb_update_mss(pcb);
	return 0;
}

static int
set_tcp(struct lcore *lc, struct sock *s, int opt, int v)
{
	struct tcp_pcb *pcb = s->pcb;

	switch (opt) {
	case TCP_NODELAY:
		pcb->nodelay = v != 0;
		if (tcp_is_synced(pcb))
			tcp_output_mark(lc, pcb, TCP_OUT_DATA);
		return 0;
	case TCP_CORK:
		return set_cork(lc, pcb, v);
	case TCP_QUICKACK:
		return set_quickack(lc, pcb, v);
	case TCP_KEEPIDLE:
		return tcp_keep_set(lc, s, TCP_KEEP_IDLE, v);
	case TCP_KEEPINTVL:
		return tcp_keep_set(lc, s, TCP_KEEP_INTERVAL, v);
	case TCP_KEEPCNT:
		return tcp_keep_set(lc, s, TCP_KEEP_COUNT, v);
	case TCP_USER_TIMEOUT:
		return set_user_timeout(lc, s, v);
	case TCP_MAXSEG:
		return set_maxseg(pcb, v);
	case TCP_DEFER_ACCEPT:
		return set_defer(lc, s, v);
	case TCP_FASTOPEN:
		return set_fastopen(lc, s, v);
	case TCP_FASTOPEN_CONNECT:
		return set_fastopen_connect(lc, s, v);
	default:
		return -ENOPROTOOPT;
	}
}

/* By name, as in Linux; the windows of a connection stay, the algorithm learns anew. */
static int
set_congestion(struct lcore *lc, struct tcp_pcb *pcb, const void *val, socklen_t len)
{
	char name[TCP_CC_NAME_MAX] = "";
	const struct tcp_cc_ops *ops;

	if (len < 1)
		return -EINVAL;
	memcpy(name, val, RTE_MIN(len, (socklen_t)sizeof(name) - 1));
	ops = tcp_cc_find(name);
	if (ops == NULL)
		return -ENOENT;
	if (ops == pcb->cc.ops)
		return 0;
	pcb->cc.ops = ops;
	pcb->cc.pace = 0;
	if (tcp_is_synced(pcb))
		ops->start(&pcb->cc, lc->now_ns);
	return 0;
}

/* RFC 3493 s5.3; what is bound has made its choice. */
static int
set_ipv6(struct sock *s, int opt, const void *val, socklen_t len)
{
	const struct tcp_pcb *pcb = s->pcb;
	int v;

	if (opt != IPV6_V6ONLY || s->domain != AF_INET6)
		return -ENOPROTOOPT;
	if (len < sizeof(v) || pcb->is_bound || pcb->state != TCPS_CLOSED)
		return -EINVAL;
	memcpy(&v, val, sizeof(v));
	s->v6only = v != 0;
	return 0;
}

/* E.3: Solaris' option, at its own level and number. */
static bool
is_sec_opt(int level, int opt)
{
	return (level == IPPROTO_IP || level == IPPROTO_IPV6) && opt == TL_IP_SEC_OPT;
}

int
tcp_opt_set(struct lcore *lc, struct sock *s, int level, int opt, const void *val, socklen_t len)
{
	struct tcp_pcb *pcb = s->pcb;
	int v;

	if (level == SOL_TL_IPSEC || is_sec_opt(level, opt))
		return latch_setopt(
			lc, &pcb->latch, &pcb->fe.key, pcb->state == TCPS_CLOSED, opt, val, len);
	if (level == IPPROTO_IPV6)
		return set_ipv6(s, opt, val, len);
	if (level != SOL_SOCKET && level != IPPROTO_TCP)
		return -ENOPROTOOPT;
	if (level == SOL_SOCKET && opt == SO_LINGER)
		return set_linger(s, val, len);
	if (level == IPPROTO_TCP && opt == TCP_CONGESTION)
		return set_congestion(lc, pcb, val, len);
	if (len < sizeof(v))
		return -EINVAL;
	memcpy(&v, val, sizeof(v));
	return level == SOL_SOCKET ? set_socket(lc, s, opt, v) : set_tcp(lc, s, opt, v);
}

static int
put(void *val, socklen_t *len, const void *src, socklen_t n)
{
	if (*len < n)
		return -EINVAL;
	memcpy(val, src, n);
	*len = n;
	return 0;
}

static int
put_int(void *val, socklen_t *len, int v)
{
	return put(val, len, &v, sizeof(v));
}

static int
get_error(struct sock *s, void *val, socklen_t *len)
{
	int rc = put_int(val, len, s->so_error != 0 ? s->so_error : s->soft_error);

	if (rc == 0)
		s->so_error = s->soft_error = 0;
	return rc;
}

static int
get_linger(const struct sock *s, void *val, socklen_t *len)
{
	struct linger l = {
		.l_onoff = s->linger_s >= 0, .l_linger = s->linger_s >= 0 ? s->linger_s : 0};

	return put(val, len, &l, sizeof(l));
}

static int
get_socket(struct sock *s, int opt, void *val, socklen_t *len)
{
	const struct tcp_pcb *pcb = s->pcb;
	const struct tcp_more *m = s->more;
	bool is_open = pcb->state > TCPS_LISTEN;

	switch (opt) {
	case SO_ERROR:
		return get_error(s, val, len);
	case SO_TYPE:
		return put_int(val, len, SOCK_STREAM);
	case SO_ACCEPTCONN:
		return put_int(val, len, pcb->state == TCPS_LISTEN);
	case SO_REUSEADDR:
		return put_int(val, len, s->reuse_addr);
	case SO_REUSEPORT:
		return put_int(val, len, s->reuse_port);
	case SO_OOBINLINE:
		return put_int(val, len, 1);
	case SO_RCVBUF:
		return put_int(val, len, (int)(is_open ? pcb->rcv.limit_bytes : s->rcvbuf_bytes));
	case SO_SNDBUF:
		return put_int(val, len, (int)(is_open ? pcb->snd.limit_bytes : s->sndbuf_bytes));
	case SO_LINGER:
		return get_linger(s, val, len);
	case SO_KEEPALIVE:
		return put_int(val, len, m != NULL && m->keep);
	case SO_RCVLOWAT:
		return put_int(val, len, m != NULL ? (int)m->lowat_bytes : 1);
	default:
		return -ENOPROTOOPT;
	}
}

/* Cut to what fits, as in Linux. */
static int
get_congestion(const struct lcore *lc, const struct tcp_pcb *pcb, void *val, socklen_t *len)
{
	const struct tcp_cc_ops *ops =
		pcb->cc.ops != NULL ? pcb->cc.ops : tcp_cc_nth(lc->tcp->conf.cc);
	char name[TCP_CC_NAME_MAX] = "";

	memcpy(name, ops->name, RTE_MIN(strlen(ops->name), sizeof(name) - 1));
	*len = RTE_MIN(*len, (socklen_t)sizeof(name));
	memcpy(val, name, *len);
	return 0;
}

static int
get_tcp(const struct lcore *lc, const struct tcp_pcb *pcb, int opt, void *val, socklen_t *len)
{
	const struct tcp_conf *c = &lc->tcp->conf;
	const struct tcp_more *m = pcb->s->more;
	const char *name;

	switch (opt) {
	case TCP_INFO:
		return tcp_info_get(lc, pcb, val, len);
	case TCP_CORK:
		return put_int(val, len, pcb->corked);
	case TCP_QUICKACK:
		return put_int(val, len, pcb->quickack);
	case TCP_KEEPIDLE:
		return put_int(val, len, m != NULL ? m->idle_s : c->keep_idle_s);
	case TCP_KEEPINTVL:
		return put_int(val, len, m != NULL ? m->interval_s : c->keep_interval_s);
	case TCP_KEEPCNT:
		return put_int(val, len, m != NULL ? m->count : c->keep_count);
	case TCP_USER_TIMEOUT:
		return put_int(val, len, m != NULL ? (int)m->user_timeout_ms : 0);
	case TCP_NODELAY:
		return put_int(val, len, pcb->nodelay);
	case TCP_DEFER_ACCEPT:
		return put_int(val, len, m != NULL ? (int)m->defer_s : 0);
	case TCP_FASTOPEN:
		return put_int(val, len, m != NULL ? (int)m->tfo_qlen : 0);
	case TCP_FASTOPEN_CONNECT:
		return put_int(val, len, m != NULL && m->tfo_connect);
	case TCP_MAXSEG:
		return put_int(val, len,
			pcb->state <= TCPS_LISTEN && pcb->user_mss != 0 ? pcb->user_mss : pcb->mss);
	case TCP_CONGESTION:
		return get_congestion(lc, pcb, val, len);
	case TL_TCP_STATE:
		name = tcp_state_name(pcb->state);
		return put(val, len, name, (socklen_t)strlen(name) + 1);
	default:
		return -ENOPROTOOPT;
	}
}

int
tcp_opt_get(struct lcore *lc, struct sock *s, int level, int opt, void *val, socklen_t *len)
{
	const struct tcp_pcb *pcb = s->pcb;

	switch (level) {
	case SOL_SOCKET:
		return get_socket(s, opt, val, len);
	case IPPROTO_TCP:
		return get_tcp(lc, pcb, opt, val, len);
	case IPPROTO_IPV6:
		if (opt != IPV6_V6ONLY || s->domain != AF_INET6)
			return -ENOPROTOOPT;
		return put_int(val, len, s->v6only);
	case SOL_TL_IPSEC:
		return latch_getopt(lc, &pcb->latch, &pcb->fe.key, opt, val, len);
	default:
		return -ENOPROTOOPT;
	}
}
