/* SPDX-License-Identifier: BSD-3-Clause */
/* latch_info.c - what an application can ask about its latch. */
#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#include "esp/esp.h"
#include "latch/latch_ctx.h"
#include "latch/profile.h"

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
	};

	return reason < RTE_DIM(names) ? names[reason] : "?";
}

static void
put_addr(struct sockaddr_storage *out, const struct ip_addr *a, rte_be16_t port)
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

static void
put_profile(const struct latch_profile *p, struct tl_latch_info *i)
{
	i->type = p->type;
	i->mode = p->mode;
	i->replay = p->replay;
	i->nsuite = 1;
	i->suite[0] = (struct tl_latch_suite){.encr = p->encr,
		.encr_bits = p->encr_bits,
		.integ = p->integ,
		.icv_bits = p->icv_bits};
	i->local_id = p->local_id;
	i->peer_id = p->peer_id;
}

static void
fill(struct lcore *lc, const struct latch *l, const struct flow_key *k, struct tl_latch_info *i)
{
	const struct profile *p = profile_get(lc->latch->tables, l->profile_in);
	struct esp_sa_ref sa;

	*i = (struct tl_latch_info){
		.version = 1,
		.size = sizeof(*i),
		.state = l->state,
		.reason = l->reason,
		.profile = l->profile_in,
		.drop_clear = l->drop_clear,
		.drop_qop = l->drop_qop,
		.drop_peer = l->drop_peer,
		.drop_unknown = l->drop_unknown,
		.breaks = l->breaks,
	};
	put_addr(&i->local_inner, &k->local, k->lport);
	put_addr(&i->peer_inner, &k->remote, k->rport);
	if (p == NULL)
		return;
	put_profile(&p->p, i);
	if (p->p.mode == TL_LATCH_MODE_TUNNEL &&
		esp_sad_find_out(lc, l->profile_out, k, &sa) == 0) {
		put_addr(&i->local_outer, &sa.local, 0);
		put_addr(&i->peer_outer, &sa.remote, 0);
	}
}

static int
give(const void *src, size_t size, void *val, socklen_t *len)
{
	if (*len < size) {
		*len = (socklen_t)size;
		return -EMSGSIZE; /* E.4: the needed size is returned */
	}
	memcpy(val, src, size);
	*len = (socklen_t)size;
	return 0;
}

static int
give_ident(struct lcore *lc, const struct latch *l, int opt, void *val, socklen_t *len)
{
	const struct profile *p = profile_get(lc->latch->tables, l->profile_in);
	const struct tl_ident *id;

	if (p == NULL)
		return -ENOTCONN;
	id = latch_ident_get(
		lc->latch->tables, opt == TL_LATCH_PEER_ID ? p->p.peer_id : p->p.local_id);
	return id == NULL ? -ENOTCONN : give(id, sizeof(*id), val, len);
}

int
latch_getopt(struct lcore *lc, const struct latch *l, const struct flow_key *k, int opt, void *val,
	socklen_t *len)
{
	struct tl_latch_info i;

	switch (opt) {
	case TL_LATCH_INFO:
		fill(lc, l, k, &i);
		return give(&i, sizeof(i), val, len);
	case TL_LATCH_LOCAL_ID:
	case TL_LATCH_PEER_ID:
		return give_ident(lc, l, opt, val, len);
	default:
		return -ENOPROTOOPT;
	}
}
