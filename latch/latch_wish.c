/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * latch_wish.c - what a program asks for (RFC 5660 s2, b9; Q-7, L-2, C-6) and may ask for (O-2).
 *
 * A wish is shared by a listener and the connections that it spawns, so it is copied before it is
 * changed. Its identities are interned when they are set: a program that names a peer nobody knows
 * gets a handle of its own, and waits for an SA with it.
 */
#include <errno.h>
#include <linux/capability.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "latch/latch_ctx.h"

struct latch_wish *
wish_get(struct latch_wish *w)
{
	w->refs++;
	return w;
}

void
wish_put(struct latch_wish *w)
{
	if (--w->refs == 0)
		free(w);
}

/* The latch's own wish, to be changed; NULL: out of memory. */
static struct latch_wish *
own(struct latch *l)
{
	struct latch_wish *w = l->wish;

	if (w != NULL && w->refs == 1)
		return w;
	w = calloc(1, sizeof(*w));
	if (w == NULL)
		return NULL;
	if (l->wish != NULL) {
		*w = *l->wish;
		wish_put(l->wish);
	}
	w->refs = 1;
	l->wish = w;
	return w;
}

/*
 * CAP_NET_ADMIN effective now, or the configuration names the program. This stops mistakes: code in
 * this process could write into our memory.
 */
bool
latch_is_privileged(const struct lcore *lc)
{
	struct __user_cap_header_struct h = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct d[2] = {{0}};

	if (lc->latch->conf.privileged)
		return true;
	return syscall(SYS_capget, &h, d) == 0 && (d[0].effective >> CAP_NET_ADMIN & 1) != 0;
}

enum tl_latch_disposition
latch_disposition(const struct lcore *lc, const struct latch *l)
{
	uint8_t asked = l->wish == NULL ? TL_LATCH_DISP_DEFAULT : l->wish->disp.on_conflict;

	return (enum tl_latch_disposition)(
		asked != TL_LATCH_DISP_DEFAULT ? asked : lc->latch->conf.disposition);
}

bool
latch_is_suspended(const struct lcore *lc, const struct latch *l)
{
	uint64_t most_s;

	if (l->state != TL_LATCH_BROKEN || latch_disposition(lc, l) != TL_LATCH_DISP_SUSPEND)
		return false;
	most_s = l->wish != NULL && l->wish->disp.suspend_max_s != 0
			 ? l->wish->disp.suspend_max_s
			 : lc->latch->conf.suspend_max_s;
	return lc->now_ns - l->broken_ns < most_s * UINT64_C(1000000000);
}

/* E.4 */
int
latch_errno(const struct latch *l, int legacy)
{
	bool broke = l->reason != TL_LATCH_REASON_NONE && l->reason != TL_LATCH_RELEASED &&
		     l->state >= TL_LATCH_BROKEN;

	if (broke && l->wish != NULL && l->wish->errmode == TL_LATCH_ERR_EXPLICIT)
		return TL_ELATCHBROKEN;
	/* C-4: a key manager refused; the host is there, the way to it is not. */
	if (l->reason == TL_LATCH_NOSA && l->state == TL_LATCH_CLOSED)
		return EHOSTUNREACH;
	return legacy;
}

/* ---- set ---- */

static bool
suite_is_known(const struct tl_latch_suite *s)
{
	if (s->encr == 0)
		return false;
	return s->encr_bits == 0 || esp_icv_bits(s->encr, s->encr_bits, s->integ) != 0;
}

static int
check_request(const struct lcore *lc, const struct tl_latch_req *r)
{
	const uint32_t flags = TL_LATCH_REQUIRED | TL_LATCH_UNIQUE | TL_LATCH_OFF |
			       TL_LATCH_BYPASS | TL_LATCH_SET_OK | TL_LATCH_SAME_PEER;

	if (r->version != 1 || r->size != sizeof(*r) || (r->flags & ~flags) != 0 ||
		r->mode > TL_LATCH_MODE_TUNNEL || r->cert_rule > TL_LATCH_CERT_EXACT ||
		(r->type & ~(TL_LATCH_TYPE_CONF | TL_LATCH_TYPE_INTEG)) != 0 ||
		(r->replay & ~(TL_LATCH_REPLAY_ON | TL_LATCH_REPLAY_ESN)) != 0 ||
		r->nsuite > RTE_DIM(r->suite))
		return -EINVAL;
	for (uint32_t i = 0; i < r->nsuite; i++) {
		if (!suite_is_known(&r->suite[i]))
			return -EINVAL;
	}
	if ((r->flags & (TL_LATCH_BYPASS | TL_LATCH_OFF)) == 0)
		return 0;
	/* What is asked for cannot be both. */
	if ((r->flags & (TL_LATCH_REQUIRED | TL_LATCH_UNIQUE)) != 0 || r->nsuite > 0)
		return -EINVAL;
	return latch_is_privileged(lc) ? 0 : -EPERM;
}

static int
set_request(struct lcore *lc, struct latch *l, const void *val, socklen_t len)
{
	struct tl_latch_req r;
	struct latch_wish *w;
	int rc;

	if (len < sizeof(r))
		return -EINVAL;
	memcpy(&r, val, sizeof(r));
	rc = check_request(lc, &r);
	if (rc != 0)
		return rc;
	w = own(l);
	if (w == NULL)
		return -ENOMEM;
	/* G-26: who names the suite wants it fixed, and only an SA of its own has one. */
	if (r.nsuite == 1)
		r.flags |= TL_LATCH_UNIQUE;
	w->req = r;
	w->asked = true;
	return 0;
}

static int
set_ident(struct lcore *lc, struct latch *l, int opt, const void *val, socklen_t len)
{
	struct tl_ident id = {0};
	struct latch_wish *w;
	uint32_t handle = 0;

	if (len < offsetof(struct tl_ident, data) || len > sizeof(id))
		return -EINVAL;
	memcpy(&id, val, len);
	if (id.len > len - offsetof(struct tl_ident, data))
		return -EINVAL;
	if (id.type != TL_ID_NONE) {
		/* The tables of a stack are one; whoever adds to them takes their lock. */
		handle = latch_ident_intern(
			(struct latch_tables *)(uintptr_t)lc->latch->tables, &id);
		if (handle == 0)
			return -EINVAL;
	}
	w = own(l);
	if (w == NULL)
		return -ENOMEM;
	*(opt == TL_LATCH_PEER_ID ? &w->peer_id : &w->local_id) = handle;
	w->asked = true;
	return 0;
}

static int
set_disposition(struct latch *l, const void *val, socklen_t len)
{
	struct tl_latch_disp d;
	struct latch_wish *w;

	if (len < sizeof(d))
		return -EINVAL;
	memcpy(&d, val, sizeof(d));
	if (d.on_conflict > TL_LATCH_DISP_SUSPEND || d.on_peer_dead > TL_LATCH_DEAD_RESET ||
		d.on_qop > TL_LATCH_QOP_DROP || d.on_spd > TL_LATCH_SPD_BREAK)
		return -EINVAL;
	w = own(l);
	if (w == NULL)
		return -ENOMEM;
	w->disp = d;
	return 0;
}

static uint32_t
req_flags(uint32_t pref)
{
	return ((pref & TL_IPSEC_PREF_NEVER) != 0 ? TL_LATCH_BYPASS : 0) |
	       ((pref & TL_IPSEC_PREF_REQUIRED) != 0 ? TL_LATCH_REQUIRED : 0) |
	       ((pref & TL_IPSEC_PREF_UNIQUE) != 0 ? TL_LATCH_UNIQUE : 0);
}

/* E.3. Zero everywhere is the system's policy. */
static int
set_sec_opt(struct lcore *lc, struct latch *l, const void *val, socklen_t len)
{
	struct tl_latch_req r = {.version = 1, .size = sizeof(r)};
	struct tl_ipsec_req q;

	if (len < sizeof(q))
		return -EINVAL;
	memcpy(&q, val, sizeof(q));
	if ((q.ah_req & ~(uint32_t)TL_IPSEC_PREF_NEVER) != 0 || q.auth_alg != 0)
		return -EOPNOTSUPP; /* no AH */
	if ((q.esp_req & ~7u) != 0)
		return -EINVAL;
	r.flags = req_flags(q.esp_req);
	r.mode = q.self_encap_req != 0 ? TL_LATCH_MODE_TUNNEL : TL_LATCH_MODE_ANY;
	if (q.esp_alg != 0) {
		r.suite[0] = (struct tl_latch_suite){.encr = q.esp_alg, .integ = q.esp_auth_alg};
		r.nsuite = 1;
	}
	return set_request(lc, l, &r, sizeof(r));
}

static int
set_word(struct lcore *lc, struct latch *l, const struct flow_key *k, int opt, uint32_t v)
{
	struct latch_filter self = {.handle = latch_handle(lc, l)};
	struct latch_wish *w;

	switch (opt) {
	case TL_LATCH_RESUME:
		if (l->state == TL_LATCH_BROKEN && l->reason == TL_LATCH_ADMIN)
			return -EPERM;
		l->bad_ns = lc->now_ns - lc->latch->conf.settle_ms * UINT64_C(1000000);
		if (l->state != TL_LATCH_BROKEN || k == NULL || !latch_restore(lc, l, k))
			return l->state == TL_LATCH_BROKEN ? -EAGAIN : -ENOTCONN;
		latch_alert(lc, l, LATCH_ACT_GO);
		return 0;
	case TL_LATCH_CLOSE:
		if (self.handle == 0)
			return -ENOTCONN;
		return latch_admin_close(lc, &self, TL_LATCH_ADMIN) > 0 ? 0 : -ENOTCONN;
	default:
		break;
	}
	w = own(l);
	if (w == NULL)
		return -ENOMEM;
	if (opt == TL_LATCH_EVENTS)
		w->events = v;
	else
		w->errmode = (uint8_t)v;
	return 0;
}

static int
set_word_checked(struct lcore *lc, struct latch *l, const struct flow_key *k, int opt,
	const void *val, socklen_t len)
{
	uint32_t v;

	if (len < sizeof(v))
		return -EINVAL;
	memcpy(&v, val, sizeof(v));
	if ((opt == TL_LATCH_ERRMODE && v > TL_LATCH_ERR_EXPLICIT) ||
		(opt == TL_LATCH_EVENTS && v >= 1u << TL_LATCH_EVENT_TYPES) ||
		((opt == TL_LATCH_RESUME || opt == TL_LATCH_CLOSE) && v != 1))
		return -EINVAL;
	return set_word(lc, l, k, opt, v);
}

int
latch_setopt(struct lcore *lc, struct latch *l, const struct flow_key *k, bool fresh, int opt,
	const void *val, socklen_t len)
{
	int rc;

	switch (opt) {
	case TL_LATCH_REQUEST:
	case TL_LATCH_LOCAL_ID:
	case TL_LATCH_PEER_ID:
	case TL_IP_SEC_OPT:
		if (!fresh)
			return -EINVAL; /* F-38: frozen at the first packet */
		rc = opt == TL_LATCH_REQUEST ? set_request(lc, l, val, len)
		     : opt == TL_IP_SEC_OPT  ? set_sec_opt(lc, l, val, len)
					     : set_ident(lc, l, opt, val, len);
		break;
	case TL_LATCH_DISPOSITION:
		rc = set_disposition(l, val, len);
		break;
	case TL_LATCH_EVENTS:
	case TL_LATCH_ERRMODE:
	case TL_LATCH_RESUME:
	case TL_LATCH_CLOSE:
		return set_word_checked(lc, l, k, opt, val, len);
	default:
		return -ENOPROTOOPT;
	}
	/* JL-0805: who uses this API wants to know. */
	if (rc == 0)
		l->wish->errmode = TL_LATCH_ERR_EXPLICIT;
	return rc;
}
