/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * latch.c - the life of a latch: open, spawn, stamp, break, release (RFC 5660 s2.2, s2.4).
 *
 *   NONE --latch_open, latch_spawn--> ESTABLISHED --latch_break, latch_end--> CLOSED(reason)
 *    |                                    |
 *    +--latch_end--> CLOSED(reason)       +------------latch_release--------> CLOSED(RELEASED)
 *
 * NONE          no protection was agreed: the connection is clear, and stays so (G-23)
 * ESTABLISHED   profile_in and profile_out are set and never change (G-16)
 * CLOSED        final; the reason can be asked for until the socket is closed
 *
 * BROKEN passes in zero time: this version has the disposition "as if reset" (s5.5 b) only.
 */
#include "latch/latch.h"

#include <errno.h>
#include <stdlib.h>

#include "esp/esp.h"
#include "latch/latch_ctx.h"
#include "latch/profile.h"
#include "stack/base/assert.h"
#include "stack/base/log.h"

LOG_MODULE(latch, NOTICE);

int
latch_create(struct lcore *lc, const struct latch_conf *conf, const struct latch_tables *tables)
{
	struct latch_ctx *c = calloc(1, sizeof(*c));

	if (c == NULL)
		return -ENOMEM;
	c->conf = *conf;
	c->tables = tables;
	lc->latch = c;
	return 0;
}

void
latch_destroy(struct lcore *lc)
{
	if (lc->latch != NULL)
		free(lc->latch->db.place);
	free(lc->latch);
	lc->latch = NULL;
}

static void
set_state(struct lcore *lc, struct latch *l, enum tl_latch_state to, enum tl_latch_reason why)
{
	static const bool legal[TL_LATCH_CLOSED + 1][TL_LATCH_CLOSED + 1] = {
		[TL_LATCH_NONE] = {[TL_LATCH_ESTABLISHED] = true, [TL_LATCH_CLOSED] = true},
		[TL_LATCH_ESTABLISHED] = {[TL_LATCH_CLOSED] = true},
	};

	tl_assert(legal[l->state][to]);
	LOG(DEBUG, "latch %p: %s -> %s (%s)", (void *)l, tl_latch_state_name(l->state),
		tl_latch_state_name(to), tl_latch_reason_name(why));
	l->state = (uint8_t)to;
	l->reason = (uint8_t)why;
	lc->latch->stale = true;
}

static int
go_live(struct lcore *lc, struct latch *l, const struct flow_key *k)
{
	int rc = latch_db_add(lc, l, k);

	if (rc == 0)
		lc_count(lc, ST_LATCH_OPEN);
	return rc;
}

static void
use_sa(struct lcore *lc, struct latch *l, const struct esp_sa_ref *sa)
{
	l->mode = sa->mode;
	l->sad_index = sa->index;
	l->sad_gen = sa->gen;
	l->sad_version = esp_sad_version(lc);
	l->overhead_bytes = sa->overhead_bytes;
	l->align = sa->align;
	l->path_mtu_bytes = sa->path_mtu_bytes;
	l->tun_remote = sa->remote;
}

/*
 * What will protect the peer's packets. Usually the same profile; it differs where this host's
 * inbound SA has its replay window off, which the outbound one cannot tell (C.2).
 */
static uint32_t
inbound_profile(
	struct lcore *lc, struct latch *l, const struct esp_sa_ref *out, const struct flow_key *k)
{
	const struct profile *p;
	struct esp_sa_ref in;

	l->in_owner = out->owner;
	if (esp_sad_find_in(lc, out, k, &in) != 0)
		return out->profile;
	l->in_owner = in.owner;
	p = profile_get(lc->latch->tables, in.profile);
	return p != NULL && p->out_twin == out->profile ? in.profile : out->profile;
}

int
latch_open(struct lcore *lc, struct latch *l, const struct flow_key *k)
{
	const struct spd_rule *r = spd_find(lc, SPD_OUT, k);
	struct esp_sa_ref sa;
	int rc;

	if (r == NULL || r->action == SPD_DISCARD)
		return -EACCES;
	if (r->action == SPD_BYPASS) {
		l->spd_version = spd_version(lc);
		return go_live(lc, l, k);
	}
	if (spd_find_sa(lc, r, k, &sa) != 0) {
		esp_acquire(lc, k, r->id, 0);
		return -EHOSTUNREACH;
	}
	if (sa.local_id == 0 || sa.peer_id == 0)
		return -EACCES; /* F-39: nobody can be latched */
	rc = go_live(lc, l, k);
	if (rc != 0)
		return rc;
	l->profile_out = sa.profile;
	l->profile_in = inbound_profile(lc, l, &sa, k);
	use_sa(lc, l, &sa);
	set_state(lc, l, TL_LATCH_ESTABLISHED, TL_LATCH_REASON_NONE);
	return 0;
}

int
latch_spawn(struct lcore *lc, struct latch *l, const struct flow_key *k, const struct rte_mbuf *m)
{
	const struct profile *p;
	struct esp_sa_ref sa;
	int rc;

	if (!pkt_is_tagged(lc, m))
		return go_live(lc, l, k);
	p = profile_get(lc->latch->tables, pkt_tag(lc, m)->profile);
	if (p == NULL || p->p.local_id == 0 || p->p.peer_id == 0)
		return -EACCES;
	if (esp_sad_find_out(lc, p->out_twin, k, &sa) != 0)
		return -EHOSTUNREACH;
	rc = go_live(lc, l, k);
	if (rc != 0)
		return rc;
	l->profile_in = pkt_tag(lc, m)->profile;
	l->in_owner = lc->id; /* it was decrypted here, or the peer speaks clear */
	l->profile_out = p->out_twin;
	use_sa(lc, l, &sa);
	set_state(lc, l, TL_LATCH_ESTABLISHED, TL_LATCH_REASON_NONE);
	return 0;
}

void
latch_end(struct lcore *lc, struct latch *l, enum tl_latch_reason why)
{
	l->breaks++;
	lc_count(lc, ST_LATCH_BREAK);
	set_state(lc, l, TL_LATCH_CLOSED, why);
}

void
latch_break(struct lcore *lc, struct latch *l, enum tl_latch_reason why)
{
	if (l->state == TL_LATCH_ESTABLISHED)
		latch_end(lc, l, why);
}

void
latch_release(struct lcore *lc, struct latch *l)
{
	if (l->place == 0)
		return;
	latch_db_remove(lc, l);
	lc_count(lc, ST_LATCH_FREE);
	if (l->state == TL_LATCH_ESTABLISHED)
		set_state(lc, l, TL_LATCH_CLOSED, TL_LATCH_RELEASED);
}

/*
 * S-9, RFC 4301 s4.4.1.1: the policy's BYPASS is remembered in the connection until the policy
 * changes; then it is asked again, and a packet goes as the policy says now.
 */
static void
stamp_clear(struct lcore *lc, struct latch *l, const struct flow_key *k, struct rte_mbuf *m)
{
	if (l->spd_version != spd_version(lc)) {
		const struct spd_rule *r = spd_find(lc, SPD_OUT, k);

		pkt_tag_clear(lc, m);
		if (r == NULL || r->action != SPD_BYPASS)
			return;
		l->spd_version = spd_version(lc);
	}
	pkt_tag_set(lc, m, (struct tl_tag){.sad_index = TAG_BYPASS, .sad_gen = l->spd_version});
}

bool
latch_refresh(struct lcore *lc, struct latch *l, const struct flow_key *k)
{
	struct esp_sa_ref sa;
	uint32_t was;

	if (likely(l->sad_version == esp_sad_version(lc)) || l->profile_out == 0)
		return false;
	was = latch_l4_room(l, UINT16_MAX, 40);
	/* A newer SA with the same parameters is preferred: make before break. */
	if (esp_sad_find_out(lc, l->profile_out, k, &sa) != 0)
		return false;
	use_sa(lc, l, &sa);
	return latch_l4_room(l, UINT16_MAX, 40) != was;
}

void
latch_stamp(struct lcore *lc, struct latch *l, const struct flow_key *k, struct rte_mbuf *m)
{
	if (l->profile_out == 0) {
		stamp_clear(lc, l, k, m);
		return;
	}
	latch_refresh(lc, l, k);
	/* Where no SA is left the tag still asks for the profile: never in clear (G-14). */
	pkt_tag_set(lc, m,
		(struct tl_tag){.sad_index = l->sad_index,
			.sad_gen = l->sad_gen,
			.profile = l->profile_out});
}

void
latch_stamp_answer(struct lcore *lc, const struct rte_mbuf *question, struct rte_mbuf *answer)
{
	const struct profile *p;

	pkt_tag_clear(lc, answer);
	if (!pkt_is_tagged(lc, question))
		return;
	p = profile_get(lc->latch->tables, pkt_tag(lc, question)->profile);
	pkt_tag_set(lc, answer,
		(struct tl_tag){.sad_index = UINT32_MAX, .profile = p == NULL ? 0 : p->out_twin});
}

uint32_t
latch_l4_room(const struct latch *l, uint32_t mtu_bytes, uint32_t ip_hlen_bytes)
{
	uint32_t inner, fixed, room;

	if (l->profile_out == 0)
		return mtu_bytes - ip_hlen_bytes;
	/* RFC 4303 s2.4: payload and trailer together fill whole words or blocks. */
	if (l->path_mtu_bytes != 0)
		mtu_bytes = RTE_MIN(mtu_bytes, l->path_mtu_bytes);
	inner = l->mode == TL_LATCH_MODE_TUNNEL ? ip_hlen_bytes : 0;
	fixed = l->overhead_bytes - ESP_TRAILER_BYTES + ip_hlen_bytes - inner;
	room = (mtu_bytes - fixed) & ~(l->align - 1u);
	return room - ESP_TRAILER_BYTES - inner;
}

bool
latch_is_current(const struct lcore *lc, const struct rte_mbuf *m)
{
	return !pkt_is_tagged(lc, m) || esp_tag_current(lc, pkt_tag(lc, m));
}

bool
latch_may_speak(struct lcore *lc, const struct rte_mbuf *m, const struct flow_key *quoted)
{
	const struct flow_ent *fe;

	if (quoted->proto == IPPROTO_N_ESP)
		return !pkt_is_tagged(lc, m) && esp_may_speak(lc, quoted);
	fe = flow_find(lc, quoted);
	if (fe == NULL)
		return false;
	if (fe->latch->state == TL_LATCH_NONE)
		return !pkt_is_tagged(lc, m);
	return fe->latch->state == TL_LATCH_ESTABLISHED && pkt_is_tagged(lc, m) &&
	       pkt_tag(lc, m)->profile == fe->latch->profile_in;
}

uint32_t
latch_in_use(const struct lcore *lc)
{
	return lc->latch->db.n;
}
