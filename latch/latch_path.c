/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * latch_path.c - several latches of one connection, one for each of its 5-tuples (RFC 5660 s5.4).
 *
 * Called by a transport with paths when it opens another one, and when one of them ends.
 */
#include "latch/latch_ctx.h"

void
latch_inherit(struct latch *l, const struct latch *from)
{
	if (l->wish == NULL && from->wish != NULL)
		l->wish = wish_get(from->wish);
}

bool
latch_is_same_peer(const struct lcore *lc, const struct latch *l, const struct latch *other)
{
	const struct profile *a = profile_get(lc->latch->tables, l->profile_in);
	const struct profile *b = profile_get(lc->latch->tables, other->profile_in);

	/* Who proved nothing and who did are never known to be one. */
	if (a == NULL || b == NULL)
		return a == b;
	return a->p.local_id == b->p.local_id && a->p.peer_id == b->p.peer_id &&
	       latch_evidence_agrees(lc, l, &a->p, &b->p);
}

bool
latch_wants_reset(const struct lcore *lc, const struct latch *l)
{
	uint8_t asked = l->wish == NULL ? TL_LATCH_DISP_DEFAULT : l->wish->disp.on_conflict;

	return asked == TL_LATCH_DISP_RESET ||
	       (asked == TL_LATCH_DISP_DEFAULT && lc->latch->reset_named);
}
