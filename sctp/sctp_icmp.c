/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * sctp_icmp.c - what ICMP errors do to a path (RFC 9260 s10, RFC 8899 s4.6.2).
 *
 * The caller has made sure that the error may speak for the flow; here the verification tag that it
 * quotes must be the one that is sent there. Before one is known nothing is believed.
 */
#include <errno.h>

#include "sctp/sctp_int.h"

enum { MTU_FLOOR = 576 }; /* a forged MTU must not make dust of data */

static void
too_big(struct lcore *lc, struct sctp_path *p, uint32_t mtu)
{
	mtu = RTE_MAX(mtu, (uint32_t)MTU_FLOOR);
	if (mtu >= p->pmtu_bytes)
		return;
	p->pmtu_bytes = (uint16_t)mtu;
	sctp_path_refresh(lc, p);
	/* s7.3: what is out there was too large; cwnd is not touched. */
	sctp_path_lost(lc, p);
}

bool
sctp_icmp(struct lcore *lc, const struct flow_key *k, uint32_t vtag, enum sctp_icmp kind,
	uint32_t mtu_bytes)
{
	struct flow_ent *fe = flow_find(lc, k);
	struct sctp_path *p;
	struct sctp_assoc *a;

	if (fe == NULL || k->proto != IPPROTO_N_SCTP)
		return false;
	p = sctp_way_of(fe)->path;
	a = p->a;
	if (a->state == SCTPS_CLOSED || a->peer_vtag == 0 || vtag != a->peer_vtag) /* ICMP6 */
		return false;
	if (kind == SCTP_ICMP_TOOBIG) {
		too_big(lc, p, mtu_bytes);
	} else if (kind == SCTP_ICMP_NO_PROTOCOL) {
		/* ICMP8: as an ABORT with the T bit. */
		sctp_event_assoc(lc, a, TL_SCTP_COMM_LOST, 0);
		sctp_assoc_end(lc, a, ECONNREFUSED);
	} else if (a->ep != NULL) {
		a->ep->s->soft_error = EHOSTUNREACH;
	}
	sctp_assoc_check(a);
	sctp_reap(lc);
	return true;
}
