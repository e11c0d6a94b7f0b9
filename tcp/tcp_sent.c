/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * tcp_sent.c - the scoreboard of a connection (RFC 6675 s3, RFC 8985 s5.2).
 *
 * The segment builder adds, acknowledgments remove and mark, loss detection marks. It knows
 * nothing about windows or timers.
 */
#include "tcp/tcp_sent.h"

#include "tcp/tcp_int.h"

/* ---- ranges ---- */

/* The first one of a connection is always there; the others are what the pool has beyond. */
static struct tcp_range *
range_new(struct lcore *lc, struct tcp_sent *s)
{
	struct tcp_ctx *tc = lc->tcp;
	void *obj;

	if (s->n > 0 && tc->ranges_more >= tc->conf.max_ranges)
		return NULL;
	if (rte_mempool_get(tc->ranges, &obj) != 0)
		return NULL;
	if (s->n++ > 0)
		tc->ranges_more++;
	return obj;
}

static void
range_free(struct lcore *lc, struct tcp_sent *s, struct tcp_range *r)
{
	struct tcp_ctx *tc = lc->tcp;

	if (s->sack_hint == r)
		s->sack_hint = NULL;
	if (s->lost_hint == r)
		s->lost_hint = TAILQ_NEXT(r, by_seq);
	if (r->state == TCP_R_FLIGHT)
		TAILQ_REMOVE(&s->by_time, r, by_time);
	TAILQ_REMOVE(&s->by_seq, r, by_seq);
	if (--s->n > 0)
		tc->ranges_more--;
	rte_mempool_put(tc->ranges, r);
}

static uint32_t
len_of(const struct tcp_range *r)
{
	return r->end - r->seq;
}

/* Takes r's octets out of the sum of its state, or puts them in. */
static void
sums(struct tcp_pcb *pcb, const struct tcp_range *r, uint32_t len, bool in)
{
	uint32_t d = in ? len : -len;

	if (r->state == TCP_R_LOST)
		pcb->sent.lost_bytes += d;
	else if (r->state == TCP_R_SACKED)
		pcb->sent.sacked_bytes += d;
}

/* Begins a second range at `at`, inside r. NULL: no range is left, and r stays whole. */
static struct tcp_range *
split(struct lcore *lc, struct tcp_sent *s, struct tcp_range *r, uint32_t at)
{
	struct tcp_range *n = range_new(lc, s);

	if (n == NULL)
		return NULL;
	*n = *r;
	n->seq = at;
	r->end = at;
	TAILQ_INSERT_AFTER(&s->by_seq, r, n, by_seq);
	if (r->state == TCP_R_FLIGHT)
		TAILQ_INSERT_AFTER(&s->by_time, r, n, by_time);
	return n;
}

/* Notes when r leaves, and what had been delivered by then. */
static void
stamp(struct lcore *lc, struct tcp_pcb *pcb, struct tcp_range *r)
{
	struct tcp_sent *s = &pcb->sent;
	uint64_t now = lc->now_ns;

	/* A flight begins: the time that passed without one says nothing about the path. */
	if (tcp_pipe(pcb) == 0)
		s->first_ns = s->delivered_ns = now;
	r->sent_ns = now;
	r->delivered = s->delivered;
	r->delivered_ns = (uint32_t)RTE_MIN(now - s->delivered_ns, (uint64_t)UINT32_MAX);
	r->first_ns = (uint32_t)RTE_MIN(now - s->first_ns, (uint64_t)UINT32_MAX);
	r->app_limited = s->limited != 0;
}

void
tcp_sent_init(struct tcp_sent *s)
{
	TAILQ_INIT(&s->by_seq);
	TAILQ_INIT(&s->by_time);
}

void
tcp_sent_clear(struct lcore *lc, struct tcp_pcb *pcb)
{
	struct tcp_sent *s = &pcb->sent;
	struct tcp_range *r;

	while ((r = TAILQ_FIRST(&s->by_seq)) != NULL)
		range_free(lc, s, r);
	s->sacked_bytes = s->lost_bytes = 0;
	s->sack_hint = s->lost_hint = NULL;
}

/* ---- leaving ---- */

/* No range is left for new octets: the last one takes them, and with them their time. */
static void
add_to_last(struct lcore *lc, struct tcp_pcb *pcb, struct tcp_range *last, uint32_t end)
{
	struct tcp_sent *s = &pcb->sent;

	if (last->state == TCP_R_SACKED) {
		pcb->sent.sacked_bytes -= len_of(last);
		last->state = TCP_R_FLIGHT;
		TAILQ_INSERT_TAIL(&s->by_time, last, by_time);
	} else if (last->state == TCP_R_FLIGHT) {
		TAILQ_REMOVE(&s->by_time, last, by_time);
		TAILQ_INSERT_TAIL(&s->by_time, last, by_time);
	} else {
		s->lost_bytes += end - last->end;
	}
	stamp(lc, pcb, last);
	last->end = end;
}

void
tcp_sent_add(struct lcore *lc, struct tcp_pcb *pcb, uint32_t seq, uint32_t end)
{
	struct tcp_sent *s = &pcb->sent;
	struct tcp_range *last = TAILQ_LAST(&s->by_seq, tcp_range_list), *r;

	if (last != NULL && last->sent_ns == lc->now_ns && last->state == TCP_R_FLIGHT &&
		!last->rexmt) {
		last->end = end;
		return;
	}
	r = range_new(lc, s);
	if (unlikely(r == NULL)) {
		add_to_last(lc, pcb, last, end);
		return;
	}
	r->seq = seq;
	r->end = end;
	r->state = TCP_R_FLIGHT;
	r->rexmt = false;
	stamp(lc, pcb, r);
	TAILQ_INSERT_TAIL(&s->by_seq, r, by_seq);
	TAILQ_INSERT_TAIL(&s->by_time, r, by_time);
}

/* What was sent again just before r can take the first len octets of r too. */
static bool
again_joins(struct lcore *lc, struct tcp_range *prev, struct tcp_range *r, uint32_t len)
{
	if (prev == NULL || prev->state != TCP_R_FLIGHT || !prev->rexmt)
		return false;
	if (prev->sent_ns != lc->now_ns || len >= len_of(r))
		return false;
	prev->end += len;
	r->seq += len;
	return true;
}

void
tcp_sent_again(struct lcore *lc, struct tcp_pcb *pcb, struct tcp_range *r, uint32_t len)
{
	struct tcp_sent *s = &pcb->sent;
	bool was_lost = r->state == TCP_R_LOST;

	if (was_lost && again_joins(lc, TAILQ_PREV(r, tcp_range_list, by_seq), r, len)) {
		s->lost_bytes -= len;
		return;
	}
	/* Without a range to split r by, all of it counts as sent; it will be missed again. */
	if (len < len_of(r))
		split(lc, s, r, r->seq + len);
	sums(pcb, r, len_of(r), false);
	if (r->state == TCP_R_FLIGHT)
		TAILQ_REMOVE(&s->by_time, r, by_time);
	r->state = TCP_R_FLIGHT;
	r->rexmt = true;
	stamp(lc, pcb, r);
	TAILQ_INSERT_TAIL(&s->by_time, r, by_time);
}

struct tcp_range *
tcp_sent_tail(struct lcore *lc, struct tcp_pcb *pcb, uint32_t len)
{
	struct tcp_sent *s = &pcb->sent;
	struct tcp_range *last = TAILQ_LAST(&s->by_seq, tcp_range_list), *r = NULL;

	if (len < len_of(last))
		r = split(lc, s, last, last->end - len);
	return r == NULL ? last : r;
}

/* ---- arriving ---- */

/* RFC 8985 s6.2, step 2: an ACK so soon, or with an older echo, is for an earlier transmission. */
static bool
is_doubtful(const struct lcore *lc, const struct tcp_pcb *pcb, const struct tcp_range *r,
	const struct tcp_acked *a)
{
	if (!r->rexmt)
		return false;
	if (a->has_echo && seq_lt(a->echo_ms, (uint32_t)(r->sent_ns / 1000000)))
		return true;
	return lc->now_ns - r->sent_ns < pcb->rack.min_rtt_us * UINT64_C(1000);
}

/* RFC 8985 s6.2, step 2, RACK_sent_after() */
static bool
is_sent_after(uint64_t at_ns, uint32_t end, uint64_t than_ns, uint32_t than_end)
{
	return at_ns > than_ns || (at_ns == than_ns && seq_gt(end, than_end));
}

/* The octets of r up to `end` have arrived; it was not known. */
static void
arrived(const struct lcore *lc, struct tcp_pcb *pcb, const struct tcp_range *r, uint32_t end,
	struct tcp_acked *a)
{
	if (a->delivered == 0 || seq_gt(end, a->fack))
		a->fack = end;
	a->delivered += end - r->seq;
	if (r->rexmt) {
		a->again = true;
	} else {
		a->orig = true;
		a->orig_low |= seq_lt(end, pcb->rack.fack);
		a->orig_old |= seq_leq(end, pcb->rec.recover);
		if (a->first_ns == 0)
			a->first_ns = r->sent_ns;
		a->last_ns = RTE_MAX(a->last_ns, r->sent_ns);
	}
	if (r->sent_ns >= a->rate_sent_ns) {
		a->rate_sent_ns = r->sent_ns;
		a->rate_delivered = r->delivered;
		a->rate_delivered_ns = r->delivered_ns;
		a->rate_first_ns = r->first_ns;
		a->rate_limited = r->app_limited;
	}
	if (is_sent_after(r->sent_ns, end, a->sent_ns, a->sent_end) &&
		!is_doubtful(lc, pcb, r, a)) {
		a->sent_ns = r->sent_ns;
		a->sent_end = end;
	}
}

void
tcp_sent_ack(struct lcore *lc, struct tcp_pcb *pcb, uint32_t ack, struct tcp_acked *a)
{
	struct tcp_sent *s = &pcb->sent;
	struct tcp_range *r;

	while ((r = TAILQ_FIRST(&s->by_seq)) != NULL && seq_lt(r->seq, ack)) {
		uint32_t end = seq_min(r->end, ack);

		if (r->state != TCP_R_SACKED)
			arrived(lc, pcb, r, end, a);
		sums(pcb, r, end - r->seq, false);
		r->seq = end;
		if (r->seq != r->end)
			break;
		range_free(lc, s, r);
	}
}

/* One range nearer to seq. */
static struct tcp_range *
towards(struct tcp_range *r, uint32_t seq)
{
	return seq_gt(r->seq, seq) ? TAILQ_PREV(r, tcp_range_list, by_seq) : TAILQ_NEXT(r, by_seq);
}

/*
 * The range that holds seq, or NULL: the budget is spent. Looks from each known place in turn,
 * because what is near in octets may be far in ranges: what is SACKed is one, what is in flight are
 * many.
 */
static struct tcp_range *
find(const struct tcp_sent *s, uint32_t seq, uint32_t *budget)
{
	struct tcp_range *at[] = {
		s->sack_hint, TAILQ_LAST(&s->by_seq, tcp_range_list), TAILQ_FIRST(&s->by_seq)};

	for (uint32_t i = at[0] == NULL; *budget > 0; (*budget)--) {
		struct tcp_range *r = at[i];

		if (seq_leq(r->seq, seq) && seq_gt(r->end, seq))
			return r;
		at[i] = towards(r, seq);
		if (++i == RTE_DIM(at))
			i = at[0] == NULL;
	}
	return NULL;
}

/* r, which is not SACKED, becomes so, and one with the SACKED ranges beside it. */
static struct tcp_range *
mark_sacked(struct lcore *lc, struct tcp_pcb *pcb, struct tcp_range *r)
{
	struct tcp_sent *s = &pcb->sent;
	struct tcp_range *prev = TAILQ_PREV(r, tcp_range_list, by_seq);
	struct tcp_range *next = TAILQ_NEXT(r, by_seq);

	sums(pcb, r, len_of(r), false);
	if (r->state == TCP_R_FLIGHT)
		TAILQ_REMOVE(&s->by_time, r, by_time);
	r->state = TCP_R_SACKED;
	sums(pcb, r, len_of(r), true);
	if (prev != NULL && prev->state == TCP_R_SACKED) {
		prev->end = r->end;
		range_free(lc, s, r);
		r = prev;
	}
	if (next != NULL && next->state == TCP_R_SACKED) {
		r->end = next->end;
		range_free(lc, s, next);
	}
	return r;
}

/* The part of x that [l, r) covers, cut out. NULL: it cannot be cut, so nothing is known of it. */
static struct tcp_range *
cut_out(struct lcore *lc, struct tcp_sent *s, struct tcp_range *x, uint32_t l, uint32_t r)
{
	if (seq_lt(x->seq, l))
		x = split(lc, s, x, l);
	if (x != NULL && seq_gt(x->end, r) && split(lc, s, x, r) == NULL)
		return NULL;
	return x;
}

void
tcp_sent_sack(struct lcore *lc, struct tcp_pcb *pcb, uint32_t l, uint32_t r, struct tcp_acked *a,
	uint32_t *budget)
{
	struct tcp_sent *s = &pcb->sent;
	struct tcp_range *x = TAILQ_EMPTY(&s->by_seq) ? NULL : find(s, l, budget);

	while (x != NULL && seq_lt(x->seq, r) && *budget > 0) {
		(*budget)--;
		if (x->state != TCP_R_SACKED) {
			x = cut_out(lc, s, x, l, r);
			if (x == NULL)
				return;
			a->sacked += len_of(x);
			arrived(lc, pcb, x, x->end, a);
			x = mark_sacked(lc, pcb, x);
		}
		s->sack_hint = x;
		x = TAILQ_NEXT(x, by_seq);
	}
}

/* ---- lost ---- */

void
tcp_sent_lose(struct tcp_pcb *pcb, struct tcp_range *r)
{
	struct tcp_sent *s = &pcb->sent;

	TAILQ_REMOVE(&s->by_time, r, by_time);
	r->state = TCP_R_LOST;
	sums(pcb, r, len_of(r), true);
	if (s->lost_hint == NULL || seq_lt(r->seq, s->lost_hint->seq))
		s->lost_hint = r;
}

void
tcp_sent_lose_head(struct lcore *lc, struct tcp_pcb *pcb, uint32_t len)
{
	struct tcp_range *r = TAILQ_FIRST(&pcb->sent.by_seq);

	if (r == NULL || r->state != TCP_R_FLIGHT)
		return;
	if (len < len_of(r))
		split(lc, &pcb->sent, r, r->seq + len);
	tcp_sent_lose(pcb, r);
}

void
tcp_sent_lose_old(struct tcp_pcb *pcb, uint64_t at_ns)
{
	struct tcp_sent *s = &pcb->sent;
	struct tcp_range *r;

	while ((r = TAILQ_FIRST(&s->by_time)) != NULL && r->sent_ns <= at_ns)
		tcp_sent_lose(pcb, r);
	r = TAILQ_FIRST(&s->by_seq);
	if (r != NULL && r->state == TCP_R_FLIGHT)
		tcp_sent_lose(pcb, r);
}

/* In flight again, among the others by the time it left. */
static void
fly(struct tcp_sent *s, struct tcp_range *r)
{
	struct tcp_range *x = TAILQ_FIRST(&s->by_time);

	r->state = TCP_R_FLIGHT;
	while (x != NULL && x->sent_ns < r->sent_ns)
		x = TAILQ_NEXT(x, by_time);
	if (x == NULL)
		TAILQ_INSERT_TAIL(&s->by_time, r, by_time);
	else
		TAILQ_INSERT_BEFORE(x, r, by_time);
}

static void
fly_all(struct tcp_pcb *pcb, uint8_t state)
{
	struct tcp_sent *s = &pcb->sent;
	struct tcp_range *r;

	/* From the end, so that each is older than the one before and goes to the front. */
	TAILQ_FOREACH_REVERSE(r, &s->by_seq, tcp_range_list, by_seq)
	{
		if (r->state != state)
			continue;
		sums(pcb, r, len_of(r), false);
		fly(s, r);
	}
}

void
tcp_sent_unlose(struct tcp_pcb *pcb)
{
	fly_all(pcb, TCP_R_LOST);
	pcb->sent.lost_hint = NULL;
}

void
tcp_sent_forget_sacks(struct tcp_pcb *pcb)
{
	fly_all(pcb, TCP_R_SACKED);
}

struct tcp_range *
tcp_sent_next_lost(struct tcp_pcb *pcb)
{
	struct tcp_sent *s = &pcb->sent;

	if (s->lost_bytes == 0)
		return NULL;
	while (s->lost_hint != NULL && s->lost_hint->state != TCP_R_LOST)
		s->lost_hint = TAILQ_NEXT(s->lost_hint, by_seq);
	return s->lost_hint;
}

/* ---- invariants ---- */

static bool
hint_ok(const struct tcp_pcb *pcb)
{
	const struct tcp_range *r = TAILQ_FIRST(&pcb->sent.by_seq);

	while (r != NULL && r != pcb->sent.lost_hint && r->state != TCP_R_LOST)
		r = TAILQ_NEXT(r, by_seq);
	return r == NULL || r == pcb->sent.lost_hint;
}

static uint32_t
times_ok(const struct tcp_sent *s)
{
	const struct tcp_range *r;
	uint64_t at = 0;
	uint32_t n = 0;

	TAILQ_FOREACH (r, &s->by_time, by_time) {
		if (r->sent_ns < at || r->state != TCP_R_FLIGHT)
			return UINT32_MAX;
		at = r->sent_ns;
		n++;
	}
	return n;
}

bool
tcp_sent_ok(const struct tcp_pcb *pcb)
{
	const struct tcp_sent *s = &pcb->sent;
	uint32_t n = 0, flying = 0, sum[3] = {0}, at = pcb->snd_una;
	const struct tcp_range *r;

	TAILQ_FOREACH (r, &s->by_seq, by_seq) {
		if (r->seq != at || !seq_lt(r->seq, r->end))
			return false;
		sum[r->state] += len_of(r);
		flying += r->state == TCP_R_FLIGHT;
		at = r->end;
		n++;
	}
	if (n != s->n || at != pcb->snd_nxt || times_ok(s) != flying || !hint_ok(pcb))
		return false;
	if (pcb->opt_sack && sum[TCP_R_SACKED] != s->sacked_bytes)
		return false;
	return sum[TCP_R_LOST] == s->lost_bytes;
}
