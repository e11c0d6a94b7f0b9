/* SPDX-License-Identifier: BSD-3-Clause */
/* sctp_opt.c - socket options (RFC 6458 s8). */
#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#include "sctp/sctp_int.h"
#include "stack/include/tl_ipsec.h"

enum { BUF_MIN = 4096, BUF_MAX = 64 << 20, SACK_DELAY_MAX = 500, LEVEL_SCTP = IPPROTO_N_SCTP };

static bool
is_of_latch(int level, int opt)
{
	return level == SOL_TL_IPSEC ||
	       ((level == IPPROTO_IP || level == IPPROTO_IPV6) && opt == TL_IP_SEC_OPT);
}

/* Whose latch a question is about: the primary path's; before there is one the program's wishes. */
static struct sctp_way *
way_of(const struct sock *s)
{
	struct sctp_ep *ep = s->pcb;

	return ep->a != NULL && ep->a->primary != NULL ? &ep->a->primary->way : &ep->way;
}

static void
set32(uint32_t *to, uint32_t v)
{
	if (v != 0)
		*to = v;
}

/* ---- set ---- */

static int
set_socket(struct sock *s, int opt, const void *val, socklen_t len)
{
	struct linger l;
	int v;

	if (opt == SO_LINGER) {
		if (len < sizeof(l))
			return -EINVAL;
		memcpy(&l, val, sizeof(l));
		s->linger_s = l.l_onoff != 0 ? l.l_linger : -1;
		return 0;
	}
	if (len < sizeof(v))
		return -EINVAL;
	memcpy(&v, val, sizeof(v));
	switch (opt) {
	case SO_REUSEADDR:
		s->reuse_addr = v != 0;
		return 0;
	case SO_RCVBUF: /* what was promised stays: of associations to come */
		s->rcvbuf_bytes = (uint32_t)RTE_MIN(RTE_MAX(v, BUF_MIN), BUF_MAX);
		return 0;
	case SO_SNDBUF:
		s->sndbuf_bytes = (uint32_t)RTE_MIN(RTE_MAX(v, BUF_MIN), BUF_MAX);
		return 0;
	default:
		return -ENOPROTOOPT;
	}
}

static int
set_initmsg(struct lcore *lc, struct sctp_ep *ep, const struct tl_sctp_initmsg *m)
{
	const struct sctp_conf *c = &lc->sctp->conf;

	if (m->out_streams != 0)
		ep->out_streams = (uint16_t)RTE_MIN(m->out_streams, c->out_streams);
	if (m->max_in_streams != 0)
		ep->in_streams = (uint16_t)RTE_MIN(m->max_in_streams, c->in_streams);
	set32(&ep->max_init_retrans, m->max_attempts);
	return 0;
}

static int
set_rto(struct sctp_ep *ep, const struct tl_sctp_rtoinfo *r)
{
	uint32_t lo = r->min_ms != 0 ? r->min_ms : ep->rto_min_ms;
	uint32_t hi = r->max_ms != 0 ? r->max_ms : ep->rto_max_ms;
	uint32_t first = r->initial_ms != 0 ? r->initial_ms : ep->rto_init_ms;

	if (lo > hi || first < lo || first > hi)
		return -EINVAL;
	ep->rto_min_ms = lo;
	ep->rto_max_ms = hi;
	ep->rto_init_ms = first;
	if (ep->a != NULL) {
		ep->a->rto_min_ms = lo;
		ep->a->rto_max_ms = hi;
	}
	return 0;
}

static int
set_assoc(struct sctp_ep *ep, const struct tl_sctp_assocparams *p)
{
	set32(&ep->max_retrans, p->max_retrans);
	set32(&ep->cookie_life_ms, p->cookie_life_ms);
	if (ep->a != NULL) {
		set32(&ep->a->max_retrans, p->max_retrans);
		set32(&ep->a->cookie_life_ms, p->cookie_life_ms);
	}
	return 0;
}

/* An address as the program gives it; false: of no family that is known. */
static bool
addr_of(const struct sockaddr_storage *ss, struct ip_addr *a)
{
	struct sockaddr_in in;
	struct sockaddr_in6 in6;

	if (ss->ss_family == AF_INET) {
		memcpy(&in, ss, sizeof(in));
		*a = ip_addr_v4(in.sin_addr.s_addr);
		return true;
	}
	memcpy(&in6, ss, sizeof(in6));
	memcpy(a->b, &in6.sin6_addr, sizeof(a->b));
	return ss->ss_family == AF_INET6;
}

static struct sctp_path *
path_of(const struct sctp_ep *ep, const struct sockaddr_storage *ss)
{
	struct ip_addr a;

	return ep->a == NULL || !addr_of(ss, &a) ? NULL : sctp_path_find(ep->a, &a);
}

static void
set_path(struct lcore *lc, struct sctp_path *p, const struct tl_sctp_paddrparams *v)
{
	set32(&p->hb_interval_ms, v->hb_interval_ms);
	if (v->path_max_retrans != 0)
		p->max_retrans = v->path_max_retrans;
	if ((v->flags & (TL_SCTP_HB_ENABLE | TL_SCTP_HB_DISABLE)) != 0)
		p->hb_off = (v->flags & TL_SCTP_HB_DISABLE) != 0;
	if (p->a->state < SCTPS_ESTABLISHED)
		return;
	if ((v->flags & TL_SCTP_HB_DEMAND) != 0)
		sctp_hb_now(lc, p);
	else if (v->hb_interval_ms != 0 && !p->hb_wait && !p->hb_due)
		sctp_hb_start(lc, p);
}

static int
set_paths(struct lcore *lc, struct sctp_ep *ep, const struct tl_sctp_paddrparams *v)
{
	struct sctp_path *p;

	if (v->addr.ss_family != 0) {
		p = path_of(ep, &v->addr);
		if (p == NULL)
			return -EINVAL;
		set_path(lc, p, v);
		return 0;
	}
	set32(&ep->hb_interval_ms, v->hb_interval_ms);
	set32(&ep->path_retrans, v->path_max_retrans);
	if (ep->a == NULL)
		return 0;
	TAILQ_FOREACH (p, &ep->a->paths, entry)
		set_path(lc, p, v);
	return 0;
}

static int
set_primary(struct lcore *lc, struct sctp_ep *ep, const struct tl_sctp_prim *v)
{
	struct sctp_path *p = path_of(ep, &v->addr);

	/* s5.4: data never goes where nobody showed that it is there. */
	if (p == NULL || ep->a->state < SCTPS_ESTABLISHED || !sctp_path_is_good(p))
		return -EINVAL;
	ep->a->primary = p;
	sctp_mark(lc, ep->a, SCTP_OUT_DATA);
	return 0;
}

static int
set_int(struct lcore *lc, struct sctp_ep *ep, int opt, int v)
{
	if (v < 0)
		return -EINVAL;
	switch (opt) {
	case TL_SCTP_NODELAY:
		ep->nodelay = v != 0;
		if (ep->a != NULL) {
			ep->a->nodelay = v != 0;
			sctp_mark(lc, ep->a, SCTP_OUT_DATA);
		}
		return 0;
	case TL_SCTP_AUTOCLOSE:
		ep->autoclose_s = (uint32_t)v;
		if (ep->a != NULL && ep->a->state != SCTPS_CLOSED) {
			ep->a->autoclose_s = (uint32_t)v;
			sctp_autoclose_touch(lc, ep->a);
		}
		return 0;
	case TL_SCTP_EVENTS:
		ep->events = (uint32_t)v;
		return 0;
	default: /* TL_SCTP_DELAYED_SACK */
		if (v > SACK_DELAY_MAX)
			return -EINVAL;
		ep->sack_delay_ms = (uint32_t)v;
		if (ep->a != NULL)
			ep->a->sack_delay_ms = (uint32_t)v;
		return 0;
	}
}

static size_t
size_of(int opt)
{
	switch (opt) {
	case TL_SCTP_RTOINFO:
		return sizeof(struct tl_sctp_rtoinfo);
	case TL_SCTP_ASSOCINFO:
		return sizeof(struct tl_sctp_assocparams);
	case TL_SCTP_INITMSG:
		return sizeof(struct tl_sctp_initmsg);
	case TL_SCTP_PRIMARY_ADDR:
		return sizeof(struct tl_sctp_prim);
	case TL_SCTP_PEER_ADDR_PARAMS:
		return sizeof(struct tl_sctp_paddrparams);
	case TL_SCTP_DEFAULT_SEND_PARAM:
		return sizeof(struct tl_sctp_sndrcvinfo);
	case TL_SCTP_STATUS:
		return sizeof(struct tl_sctp_status);
	case TL_SCTP_GET_PEER_ADDR_INFO:
		return sizeof(struct tl_sctp_paddrinfo);
	case TL_SCTP_NODELAY:
	case TL_SCTP_AUTOCLOSE:
	case TL_SCTP_EVENTS:
	case TL_SCTP_DELAYED_SACK:
		return sizeof(int);
	default:
		return 0;
	}
}

union value {
	struct tl_sctp_rtoinfo rto;
	struct tl_sctp_assocparams assoc;
	struct tl_sctp_initmsg init;
	struct tl_sctp_prim prim;
	struct tl_sctp_paddrparams path;
	struct tl_sctp_sndrcvinfo def;
	struct tl_sctp_status status;
	struct tl_sctp_paddrinfo info;
	int number;
};

static int
set_sctp(struct lcore *lc, struct sctp_ep *ep, int opt, const void *val, socklen_t len)
{
	size_t size = size_of(opt);
	union value v;

	if (size == 0 || opt == TL_SCTP_STATUS || opt == TL_SCTP_GET_PEER_ADDR_INFO)
		return -ENOPROTOOPT;
	if (len < size)
		return -EINVAL;
	memcpy(&v, val, size);
	switch (opt) {
	case TL_SCTP_RTOINFO:
		return set_rto(ep, &v.rto);
	case TL_SCTP_ASSOCINFO:
		return set_assoc(ep, &v.assoc);
	case TL_SCTP_INITMSG:
		return ep->a != NULL ? -EINVAL : set_initmsg(lc, ep, &v.init);
	case TL_SCTP_PRIMARY_ADDR:
		return set_primary(lc, ep, &v.prim);
	case TL_SCTP_PEER_ADDR_PARAMS:
		return set_paths(lc, ep, &v.path);
	case TL_SCTP_DEFAULT_SEND_PARAM:
		ep->def = v.def;
		return 0;
	default:
		return set_int(lc, ep, opt, v.number);
	}
}

int
sctp_opt_set(struct lcore *lc, struct sock *s, int level, int opt, const void *val, socklen_t len)
{
	struct sctp_ep *ep = s->pcb;
	struct sctp_way *w = way_of(s);

	if (is_of_latch(level, opt) && opt != TL_DGRAM_TAG)
		return latch_setopt(lc, &w->latch, &w->fe.key, ep->a == NULL && !ep->is_listening,
			opt, val, len);
	if (level == SOL_SOCKET)
		return set_socket(s, opt, val, len);
	if (level == IPPROTO_IPV6 && opt == IPV6_V6ONLY && len >= sizeof(int)) {
		int v;

		memcpy(&v, val, sizeof(v));
		if (s->domain != AF_INET6 || ep->is_bound)
			return -EINVAL;
		s->v6only = v != 0;
		return 0;
	}
	return level == LEVEL_SCTP ? set_sctp(lc, ep, opt, val, len) : -ENOPROTOOPT;
}

/* ---- get ---- */

static void
get_path_info(const struct sctp_path *p, struct tl_sctp_paddrinfo *i)
{
	static const uint8_t state[SCTP_PATH_STATES] = {
		[SCTP_PATH_UNCONFIRMED] = TL_SCTP_PATH_UNCONFIRMED,
		[SCTP_PATH_ACTIVE] = TL_SCTP_PATH_ACTIVE,
		[SCTP_PATH_INACTIVE] = TL_SCTP_PATH_INACTIVE,
		[SCTP_PATH_BARRED] = TL_SCTP_PATH_BARRED,
	};

	sctp_sockaddr(&i->addr, &p->way.fe.key.remote, p->way.fe.key.rport);
	i->state = state[p->state];
	i->cwnd_bytes = p->cwnd;
	i->srtt_us = p->srtt_us;
	i->rto_ms = p->rto_ms;
	i->mtu_bytes = p->pmtu_bytes;
}

static int
get_status(const struct sctp_assoc *a, struct tl_sctp_status *st)
{
	if (a == NULL || a->primary == NULL)
		return -ENOTCONN;
	st->state = a->state + 1;
	st->peer_rwnd = a->peer_rwnd;
	st->unacked_chunks = (uint16_t)RTE_MIN(a->nb_sent, (uint32_t)UINT16_MAX);
	st->unread_messages = (uint16_t)RTE_MIN(a->rcv_msgs, (uint32_t)UINT16_MAX);
	st->in_streams = a->nb_in;
	st->out_streams = a->nb_out;
	st->fragmentation_point = a->frag_bytes;
	get_path_info(a->primary, &st->primary);
	return 0;
}

static void
get_assoc(const struct sctp_ep *ep, struct tl_sctp_assocparams *v)
{
	const struct sctp_path *p;

	v->max_retrans = (uint16_t)ep->max_retrans;
	v->cookie_life_ms = ep->cookie_life_ms;
	if (ep->a == NULL)
		return;
	v->max_retrans = (uint16_t)ep->a->max_retrans;
	v->peer_rwnd = ep->a->peer_rwnd;
	v->local_rwnd = sctp_rwnd(ep->a);
	TAILQ_FOREACH (p, &ep->a->paths, entry)
		v->nb_paths++;
}

static int
get_path_params(const struct sctp_ep *ep, struct tl_sctp_paddrparams *v)
{
	const struct sctp_path *p = path_of(ep, &v->addr);

	if (p == NULL && v->addr.ss_family != 0)
		return -EINVAL;
	v->hb_interval_ms = p != NULL ? p->hb_interval_ms : ep->hb_interval_ms;
	v->path_max_retrans = p != NULL ? p->max_retrans : (uint16_t)ep->path_retrans;
	v->path_mtu_bytes = p != NULL ? p->pmtu_bytes : 0;
	v->flags = p != NULL && p->hb_off ? TL_SCTP_HB_DISABLE : TL_SCTP_HB_ENABLE;
	return 0;
}

static int
get_number(const struct sctp_ep *ep, int opt)
{
	switch (opt) {
	case TL_SCTP_NODELAY:
		return ep->nodelay;
	case TL_SCTP_AUTOCLOSE:
		return (int)ep->autoclose_s;
	case TL_SCTP_EVENTS:
		return (int)ep->events;
	default:
		return (int)ep->sack_delay_ms;
	}
}

static int
get_by_addr(const struct sctp_ep *ep, int opt, union value *v)
{
	const struct sctp_path *p;

	if (opt == TL_SCTP_PEER_ADDR_PARAMS)
		return get_path_params(ep, &v->path);
	p = path_of(ep, &v->info.addr);
	if (p == NULL)
		return -EINVAL;
	get_path_info(p, &v->info);
	return 0;
}

/* v: as the program gave it, for options that ask about an address. */
static int
get_value(const struct sctp_ep *ep, int opt, union value *v)
{
	switch (opt) {
	case TL_SCTP_RTOINFO:
		v->rto = (struct tl_sctp_rtoinfo){
			0, ep->rto_init_ms, ep->rto_max_ms, ep->rto_min_ms};
		return 0;
	case TL_SCTP_ASSOCINFO:
		memset(v, 0, sizeof(*v));
		get_assoc(ep, &v->assoc);
		return 0;
	case TL_SCTP_INITMSG:
		v->init = (struct tl_sctp_initmsg){.out_streams = ep->out_streams,
			.max_in_streams = ep->in_streams,
			.max_attempts = (uint16_t)ep->max_init_retrans};
		return 0;
	case TL_SCTP_PRIMARY_ADDR:
		memset(v, 0, sizeof(*v));
		if (ep->a == NULL || ep->a->primary == NULL)
			return -ENOTCONN;
		sctp_sockaddr(&v->prim.addr, &ep->a->primary->way.fe.key.remote, ep->a->rport);
		return 0;
	case TL_SCTP_PEER_ADDR_PARAMS:
	case TL_SCTP_GET_PEER_ADDR_INFO:
		return get_by_addr(ep, opt, v);
	case TL_SCTP_DEFAULT_SEND_PARAM:
		v->def = ep->def;
		return 0;
	case TL_SCTP_STATUS:
		memset(v, 0, sizeof(*v));
		return get_status(ep->a, &v->status);
	default:
		v->number = get_number(ep, opt);
		return 0;
	}
}

static int
get_sctp(const struct sctp_ep *ep, int opt, void *val, socklen_t *len)
{
	size_t size = size_of(opt);
	union value v;
	int rc;

	if (size == 0)
		return -ENOPROTOOPT;
	if (*len < size)
		return -EINVAL;
	memcpy(&v, val, size);
	rc = get_value(ep, opt, &v);
	if (rc != 0)
		return rc;
	memcpy(val, &v, size);
	*len = (socklen_t)size;
	return 0;
}

static int
get_socket(struct sock *s, int opt, int *v)
{
	const struct sctp_ep *ep = s->pcb;

	switch (opt) {
	case SO_ERROR:
		*v = sctp_take_error(s);
		if (*v == 0)
			*v = s->soft_error;
		s->soft_error = 0;
		return 0;
	case SO_TYPE:
		*v = SOCK_STREAM;
		return 0;
	case SO_ACCEPTCONN:
		*v = ep->is_listening;
		return 0;
	case SO_REUSEADDR:
		*v = s->reuse_addr;
		return 0;
	case SO_RCVBUF:
		*v = (int)s->rcvbuf_bytes;
		return 0;
	case SO_SNDBUF:
		*v = (int)s->sndbuf_bytes;
		return 0;
	default:
		return -ENOPROTOOPT;
	}
}

int
sctp_opt_get(struct lcore *lc, struct sock *s, int level, int opt, void *val, socklen_t *len)
{
	struct sctp_way *w = way_of(s);
	int v, rc;

	if (is_of_latch(level, opt) && opt != TL_DGRAM_TAG)
		return latch_getopt(lc, &w->latch, &w->fe.key, opt, val, len);
	if (level == LEVEL_SCTP)
		return get_sctp(s->pcb, opt, val, len);
	if (level != SOL_SOCKET)
		return -ENOPROTOOPT;
	if (*len < sizeof(v))
		return -EINVAL;
	rc = get_socket(s, opt, &v);
	if (rc != 0)
		return rc;
	memcpy(val, &v, sizeof(v));
	*len = sizeof(v);
	return 0;
}
