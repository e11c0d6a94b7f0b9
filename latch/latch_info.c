/* SPDX-License-Identifier: BSD-3-Clause */
/* latch_info.c - what an application can ask about its latch. */
#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#include "latch/latch_ctx.h"

const char *
tl_latch_state_name(unsigned int state)
{
	static const char *const names[] = {
		[TL_LATCH_NONE] = "NONE",
		[TL_LATCH_WANTED] = "WANTED",
		[TL_LATCH_LISTENER] = "LISTENER",
		[TL_LATCH_ESTABLISHED] = "ESTABLISHED",
		[TL_LATCH_BROKEN] = "BROKEN",
		[TL_LATCH_CLOSED] = "CLOSED",
	};

	return state < RTE_DIM(names) ? names[state] : "?";
}

const char *
tl_latch_reason_name(unsigned int reason)
{
	static const char *const names[] = {
		[TL_LATCH_REASON_NONE] = "NONE",
		[TL_LATCH_SA_CONFLICT] = "SA_CONFLICT",
		[TL_LATCH_QOP_CONFLICT] = "QOP_CONFLICT",
		[TL_LATCH_PEER_CONFLICT] = "PEER_CONFLICT",
		[TL_LATCH_SPD_CHANGE] = "SPD_CHANGE",
		[TL_LATCH_PEER_DEAD] = "PEER_DEAD",
		[TL_LATCH_PEER_REBOOT] = "PEER_REBOOT",
		[TL_LATCH_ADMIN] = "ADMIN",
		[TL_LATCH_KM_STATE_LOST] = "KM_STATE_LOST",
		[TL_LATCH_NOSA] = "NOSA",
		[TL_LATCH_RELEASED] = "RELEASED",
		[TL_LATCH_PAD_CHANGE] = "PAD_CHANGE",
	};

	return reason < RTE_DIM(names) ? names[reason] : "?";
}

void
latch_sockaddr(struct sockaddr_storage *out, const struct ip_addr *a, rte_be16_t port)
{
	if (ip_addr_is_v4(a)) {
		struct sockaddr_in in = {.sin_family = AF_INET,
			.sin_port = port,
			.sin_addr.s_addr = ip_addr_to_v4(a)};

		memcpy(out, &in, sizeof(in));
	} else {
		struct sockaddr_in6 in6 = {.sin6_family = AF_INET6,
			.sin6_port = port,
			.sin6_scope_id = ip_addr_scope(a)};
		struct ip_addr wire = ip_addr_wire(a);

		memcpy(&in6.sin6_addr, wire.b, 16);
		memcpy(out, &in6, sizeof(in6));
	}
}

const char *
tl_strerror(int error)
{
	return error == TL_ELATCHBROKEN ? "Connection latch broken" : strerror(error);
}

static void
put_suite(const struct latch_profile *p, struct tl_latch_suite *s)
{
	*s = (struct tl_latch_suite){.encr = p->encr,
		.encr_bits = p->encr_bits,
		.integ = p->integ,
		.icv_bits = p->icv_bits};
}

static void
put_profile(const struct latch_profile *p, struct tl_latch_info *i)
{
	i->type = p->type;
	i->mode = p->mode;
	i->replay = p->replay;
	i->nsuite = 1;
	put_suite(p, &i->suite[0]);
	i->local_id = p->local_id;
	i->peer_id = p->peer_id;
}

/* G-24, Q-5: the program takes any of a list, so which one it is now says nothing of later. */
static void
put_set(const struct latch_wish *w, struct tl_latch_info *i)
{
	i->flags |= TL_LATCH_F_QOP_INDETERMINATE;
	i->nsuite = (uint8_t)w->req.nsuite;
	memcpy(i->suite, w->req.suite, sizeof(i->suite));
}

uint16_t
latch_flags(const struct latch *l)
{
	uint16_t f = 0;

	if (l->state == TL_LATCH_BROKEN)
		f |= TL_LATCH_F_SUSPENDED;
	if ((l->flags & LATCH_IS_NATT) != 0)
		f |= TL_LATCH_F_NATT;
	if ((l->flags & LATCH_IS_OVERRIDE) != 0)
		f |= TL_LATCH_F_OVERRIDE;
	if ((l->flags & LATCH_IS_UNIQUE) != 0)
		f |= TL_LATCH_F_UNIQUE;
	if (l->wish == NULL || !l->wish->asked)
		f |= TL_LATCH_F_AUTO;
	return f;
}

bool
latch_is_preserved(const struct lcore *lc, const struct latch *l, const struct flow_key *k)
{
	return l->state == TL_LATCH_ESTABLISHED && !latch_policy_agrees(lc, l, k);
}

uint32_t
latch_events_wanted(const struct latch *l)
{
	return l->wish == NULL ? 0 : l->wish->events;
}

/* Q-3, N-1: which end is behind a NAT, as far as the SAs tell. */
static void
put_nat(const struct esp_sa_ref *sa, const struct flow_key *k, struct tl_latch_info *i)
{
	if (!sa->udp)
		return;
	latch_sockaddr(&i->local_public, ip_addr_is_any(&sa->oa_local) ? &sa->local : &sa->oa_local,
		rte_cpu_to_be_16(sa->udp_local));
	latch_sockaddr(&i->local_private, &k->local, k->lport);
	latch_sockaddr(&i->peer_public, &sa->remote, rte_cpu_to_be_16(sa->udp_remote));
	latch_sockaddr(&i->peer_private,
		ip_addr_is_any(&sa->oa_remote) ? &k->remote : &sa->oa_remote, k->rport);
}

static void
fill(struct lcore *lc, const struct latch *l, const struct flow_key *k, struct tl_latch_info *i)
{
	const struct profile *p = profile_get(lc->latch->tables, l->profile_in);
	struct esp_sa_ref sa;

	*i = (struct tl_latch_info){
		.version = 2,
		.size = sizeof(*i),
		.state = l->state,
		.reason = l->reason,
		.flags = (uint16_t)(latch_flags(l) |
				    (latch_is_preserved(lc, l, k) ? TL_LATCH_F_SPD_PRESERVED : 0)),
		.profile = l->profile_in,
		.drop_clear = l->drop_clear,
		.drop_qop = l->drop_qop,
		.drop_peer = l->drop_peer,
		.drop_unknown = l->drop_unknown,
		.breaks = l->breaks,
		.resumes = l->resumes,
		.handle = latch_handle(lc, l),
	};
	latch_sockaddr(&i->local_inner, &k->local, k->lport);
	latch_sockaddr(&i->peer_inner, &k->remote, k->rport);
	if (p == NULL)
		return;
	put_profile(&p->p, i);
	latch_put_evidence(lc, &p->p, i);
	if (l->wish != NULL && (l->wish->req.flags & TL_LATCH_SET_OK) != 0 &&
		l->wish->req.nsuite > 1)
		put_set(l->wish, i);
	if (esp_sad_find_out(lc, l->profile_out, k, &sa) != 0)
		return;
	put_nat(&sa, k, i);
	if (p->p.mode == TL_LATCH_MODE_TUNNEL) {
		latch_sockaddr(&i->local_outer, &sa.local, 0);
		latch_sockaddr(&i->peer_outer, &sa.remote, 0);
	}
}

int
latch_give(const void *src, size_t size, void *val, socklen_t *len)
{
	if (*len < size) {
		*len = (socklen_t)size;
		return -EMSGSIZE;
	}
	memcpy(val, src, size);
	*len = (socklen_t)size;
	return 0;
}

/* Of a latched connection, what is; else what the program asked for. */
static int
give_ident(struct lcore *lc, const struct latch *l, int opt, void *val, socklen_t *len)
{
	const struct profile *p = profile_get(lc->latch->tables, l->profile_in);
	const struct tl_ident *id;
	uint32_t handle = 0;

	if (p != NULL)
		handle = opt == TL_LATCH_PEER_ID ? p->p.peer_id : p->p.local_id;
	else if (l->wish != NULL)
		handle = opt == TL_LATCH_PEER_ID ? l->wish->peer_id : l->wish->local_id;
	id = latch_ident_get(lc->latch->tables, handle);
	return id == NULL ? -ENOTCONN : latch_give(id, sizeof(*id), val, len);
}

static int
give_request(const struct latch *l, void *val, socklen_t *len)
{
	struct tl_latch_req r = {.version = 1, .size = sizeof(r)};

	if (l->wish != NULL && l->wish->req.version != 0)
		r = l->wish->req;
	return latch_give(&r, sizeof(r), val, len);
}

static int
give_disposition(const struct lcore *lc, const struct latch *l, void *val, socklen_t *len)
{
	struct tl_latch_disp d = {0};

	if (l->wish != NULL)
		d = l->wish->disp;
	d.on_conflict = (uint8_t)latch_disposition(lc, l);
	if (d.suspend_max_s == 0)
		d.suspend_max_s = lc->latch->conf.suspend_max_s;
	return latch_give(&d, sizeof(d), val, len);
}

static int
give_word(const struct latch *l, int opt, void *val, socklen_t *len)
{
	uint32_t v = 0;

	if (l->wish != NULL)
		v = opt == TL_LATCH_EVENTS ? l->wish->events : l->wish->errmode;
	return latch_give(&v, sizeof(v), val, len);
}

int
latch_getopt(struct lcore *lc, const struct latch *l, const struct flow_key *k, int opt, void *val,
	socklen_t *len)
{
	struct tl_latch_info i;

	switch (opt) {
	case TL_LATCH_INFO:
		fill(lc, l, k, &i);
		/* A program that was built for an older version gets the fields that it knows. */
		if (*len >= offsetof(struct tl_latch_info, resumes) && *len < sizeof(i))
			i.size = (uint16_t)*len;
		return latch_give(&i, i.size, val, len);
	case TL_LATCH_LOCAL_ID:
	case TL_LATCH_PEER_ID:
		return give_ident(lc, l, opt, val, len);
	case TL_LATCH_PEER_CERT:
		return latch_get_der(lc, l, LATCH_EV_CERT, val, len);
	case TL_LATCH_PEER_TA:
		return latch_get_der(lc, l, LATCH_EV_TA, val, len);
	case TL_LATCH_PEER_SPKI:
		return latch_get_der(lc, l, LATCH_EV_SPKI, val, len);
	case TL_LATCH_CB:
		/* Of the latch itself; the caller only promises not to change it. */
		return latch_get_cb(lc, (struct latch *)(uintptr_t)l, val, len);
	case TL_LATCH_REQUEST:
		return give_request(l, val, len);
	case TL_LATCH_DISPOSITION:
		return give_disposition(lc, l, val, len);
	case TL_LATCH_EVENTS:
	case TL_LATCH_ERRMODE:
		return give_word(l, opt, val, len);
	default:
		return -ENOPROTOOPT;
	}
}
