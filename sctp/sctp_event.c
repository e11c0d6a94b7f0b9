/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * sctp_event.c - what a program hears: readiness, and the notifications that it asked for (RFC 6458
 * s6.1). They stand among the messages, in the order of what happened.
 */
#include <netinet/in.h>
#include <string.h>

#include "sctp/sctp_int.h"
#include "stack/base/sock.h"

void
sctp_wake(struct lcore *lc, struct sctp_assoc *a)
{
	if (a->ep != NULL)
		sock_wake(lc, a->ep->s);
	else if (a->parent != NULL)
		sock_wake(lc, a->parent->s);
}

void
sctp_sockaddr(struct sockaddr_storage *to, const struct ip_addr *a, rte_be16_t port)
{
	struct ip_addr wire = ip_addr_wire(a);

	memset(to, 0, sizeof(*to));
	if (ip_addr_is_v4(a)) {
		struct sockaddr_in in = {.sin_family = AF_INET,
			.sin_port = port,
			.sin_addr.s_addr = ip_addr_to_v4(a)};

		memcpy(to, &in, sizeof(in));
	} else {
		struct sockaddr_in6 in6 = {.sin6_family = AF_INET6,
			.sin6_port = port,
			.sin6_scope_id = ip_addr_scope(a)};

		memcpy(&in6.sin6_addr, wire.b, sizeof(wire.b));
		memcpy(to, &in6, sizeof(in6));
	}
}

static bool
is_wanted(const struct sctp_assoc *a, uint16_t type)
{
	return a->ep != NULL && (a->ep->events & TL_SCTP_EVENT(type)) != 0;
}

/* One that finds no room is lost: what is true now can be asked. */
static void
tell(struct lcore *lc, struct sctp_assoc *a, const void *ev, uint32_t len)
{
	struct sctp_rec rec;

	memset(&rec, 0, sizeof(rec));
	rec.len = len;
	rec.flags = SCTP_F_B | SCTP_F_E;
	rec.is_event = true;
	/* It must not stand in the middle of a message. */
	if (!a->in_partial)
		sctp_rcv_put(lc, a, &rec, ev);
	sctp_wake(lc, a);
}

void
sctp_event_assoc(struct lcore *lc, struct sctp_assoc *a, uint16_t state, uint16_t error)
{
	struct tl_sctp_assoc_change ev = {.type = (uint16_t)TL_SCTP_ASSOC_CHANGE,
		.length = sizeof(ev),
		.state = state,
		.error = error,
		.out_streams = a->nb_out,
		.in_streams = a->nb_in};

	if (is_wanted(a, (uint16_t)TL_SCTP_ASSOC_CHANGE))
		tell(lc, a, &ev, sizeof(ev));
}

void
sctp_event_path(struct lcore *lc, struct sctp_path *p, uint32_t state, uint32_t error)
{
	struct tl_sctp_paddr_change ev;

	if (!is_wanted(p->a, (uint16_t)TL_SCTP_PEER_ADDR_CHANGE))
		return;
	memset(&ev, 0, sizeof(ev));
	ev.type = (uint16_t)TL_SCTP_PEER_ADDR_CHANGE;
	ev.length = sizeof(ev);
	ev.state = (int32_t)state;
	ev.error = (int32_t)error;
	sctp_sockaddr(&ev.addr, &p->way.fe.key.remote, p->way.fe.key.rport);
	tell(lc, p->a, &ev, sizeof(ev));
}

void
sctp_event_shutdown(struct lcore *lc, struct sctp_assoc *a)
{
	struct tl_sctp_shutdown_event ev = {
		.type = (uint16_t)TL_SCTP_SHUTDOWN_EVENT, .length = sizeof(ev)};

	if (is_wanted(a, (uint16_t)TL_SCTP_SHUTDOWN_EVENT))
		tell(lc, a, &ev, sizeof(ev));
}
