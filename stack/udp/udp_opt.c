/* SPDX-License-Identifier: BSD-3-Clause */
/* udp_opt.c - socket options; one that is not acted upon is refused. */
#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#include "stack/include/tl_ipsec.h"
#include "stack/udp/udp_int.h"

enum { BUF_MIN = 4096, BUF_MAX = 64 << 20 };

static int
set_socket(struct lcore *lc, struct sock *s, int opt, int v)
{
	struct udp_pcb *pcb = s->pcb;
	uint32_t bytes = (uint32_t)RTE_MIN(RTE_MAX(v, BUF_MIN), BUF_MAX);

	switch (opt) {
	case SO_REUSEADDR:
		s->reuse_addr = v != 0;
		return 0;
	case SO_RCVBUF:
		s->rcvbuf_bytes = pcb->rcv.limit_bytes = bytes;
		return 0;
	case SO_SNDBUF:
		s->sndbuf_bytes = bytes;
		udp_wake(lc, pcb);
		return 0;
	default:
		return -ENOPROTOOPT;
	}
}

/* RFC 3493 s5.3; what is bound has made its choice. */
static int
set_ipv6(struct sock *s, int opt, int v)
{
	const struct udp_pcb *pcb = s->pcb;

	if (opt != IPV6_V6ONLY || s->domain != AF_INET6)
		return -ENOPROTOOPT;
	if (pcb->is_bound)
		return -EINVAL;
	s->v6only = v != 0;
	return 0;
}

static int
set_tag(struct udp_pcb *pcb, int v)
{
	if (v != 0 && v != 1)
		return -EINVAL;
	pcb->want_tag = v != 0;
	return 0;
}

/* E.3: Solaris' option, at its own level and number. */
static bool
is_of_latch(int level, int opt)
{
	if (level == SOL_TL_IPSEC)
		return opt != TL_DGRAM_TAG;
	return (level == IPPROTO_IP || level == IPPROTO_IPV6) && opt == TL_IP_SEC_OPT;
}

int
udp_opt_set(struct lcore *lc, struct sock *s, int level, int opt, const void *val, socklen_t len)
{
	struct udp_pcb *pcb = s->pcb;
	int v;

	if (is_of_latch(level, opt))
		return latch_setopt(
			lc, &pcb->latch, &pcb->fe.key, pcb->state == UDP_OPEN, opt, val, len);
	if (level != SOL_SOCKET && level != SOL_TL_IPSEC && level != IPPROTO_IPV6)
		return -ENOPROTOOPT;
	if (len < sizeof(v))
		return -EINVAL;
	memcpy(&v, val, sizeof(v));
	if (level == SOL_SOCKET)
		return set_socket(lc, s, opt, v);
	return level == SOL_TL_IPSEC ? set_tag(pcb, v) : set_ipv6(s, opt, v);
}

static int
put_int(void *val, socklen_t *len, int v)
{
	if (*len < sizeof(v))
		return -EINVAL;
	memcpy(val, &v, sizeof(v));
	*len = sizeof(v);
	return 0;
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
get_socket(struct sock *s, int opt, void *val, socklen_t *len)
{
	switch (opt) {
	case SO_ERROR:
		return get_error(s, val, len);
	case SO_TYPE:
		return put_int(val, len, SOCK_DGRAM);
	case SO_ACCEPTCONN:
		return put_int(val, len, 0);
	case SO_REUSEADDR:
		return put_int(val, len, s->reuse_addr);
	case SO_RCVBUF:
		return put_int(val, len, (int)s->rcvbuf_bytes);
	case SO_SNDBUF:
		return put_int(val, len, (int)s->sndbuf_bytes);
	default:
		return -ENOPROTOOPT;
	}
}

int
udp_opt_get(struct lcore *lc, struct sock *s, int level, int opt, void *val, socklen_t *len)
{
	const struct udp_pcb *pcb = s->pcb;

	switch (level) {
	case SOL_SOCKET:
		return get_socket(s, opt, val, len);
	case IPPROTO_IPV6:
		if (opt != IPV6_V6ONLY || s->domain != AF_INET6)
			return -ENOPROTOOPT;
		return put_int(val, len, s->v6only);
	case SOL_TL_IPSEC:
		if (opt == TL_DGRAM_TAG)
			return put_int(val, len, pcb->want_tag);
		return latch_getopt(lc, &pcb->latch, &pcb->fe.key, opt, val, len);
	default:
		return -ENOPROTOOPT;
	}
}
