/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * tcp_tfo.c - fast open (RFC 7413): cookies, who gave us which, and SYNs with data.
 *
 * SERVER. A cookie is a MAC over the client's address and the profile of the SA that protected its
 * SYN, so a cookie of one peer is worth nothing under another's SA (F-23). A SYN with a good cookie
 * makes its child ESTABLISHED at once; until our SYN is acknowledged the child is `unproved`: its
 * SYN is the first octet of the scoreboard, is lost and sent again like any other, and its number
 * is limited. The data are the application's only after the latch of the child exists and fits the
 * listener's request, because a child without a latch is never made.
 *
 * CLIENT. Cookies are kept for each peer and outbound profile, in a table that never grows. Data
 * leave in the first SYN only; where SYNs with the option vanish, the peer is left alone for a
 * while (RFC 7413 s4.1.3.1).
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "stack/base/rand.h"
#include "tcp/tcp_int.h"

enum {
	COOKIE_BYTES = 8, /* of ours; RFC 7413 s4.1.1 allows 4 to 16 */
	COOKIE_MIN = 4,
	PEER_SETS = 256,
	PEER_WAYS = 4,
	OPTIONS_MAX = TCP_HLEN_MAX - TCP_HLEN_MIN,
	PAUSE_SHIFT_MAX = 6,
	RESET_COUNTS_S = 60,
};

#define SECOND_NS UINT64_C(1000000000)

/* What is known of a server. Zero: nothing. */
struct tcp_tfo_peer {
	struct ip_addr remote;
	uint32_t profile; /* outbound, 0: clear */
	uint16_t mss;
	uint8_t len; /* of the cookie; 0: none */
	uint8_t holes;
	uint8_t cookie[TCP_TFO_MAX];
	uint64_t used_ns;  /* 0: the entry is free */
	uint64_t pause_ns; /* until then no option is sent */
};

/* What the MAC covers. */
struct covered {
	struct ip_addr client;
	uint64_t run; /* handles of profiles mean something in this process only; clear: 0 */
	uint32_t profile;
	uint32_t zero;
};

int
tcp_tfo_create(struct tcp_ctx *tc)
{
	tc->tfo_peers = calloc(PEER_SETS * PEER_WAYS, sizeof(*tc->tfo_peers));
	return tc->tfo_peers == NULL ? -ENOMEM : 0;
}

/* ---- server ---- */

static void
make_cookie(const struct lcore *lc, const struct ip_addr *client, uint32_t profile,
	uint8_t out[COOKIE_BYTES])
{
	const struct tcp_conf *c = &lc->tcp->conf;
	struct tcp_secret key;
	struct covered v;
	uint64_t mac;

	memset(&v, 0, sizeof(v));
	v.client = *client;
	v.run = profile == 0 ? 0 : c->fastopen_run;
	v.profile = profile;
	memcpy(key.k, c->fastopen_key, sizeof(key.k));
	mac = tcp_siphash(&key, &v, sizeof(v));
	memcpy(out, &mac, COOKIE_BYTES);
}

void
tcp_tfo_fill(struct lcore *lc, const struct tcp_pcb *pcb, struct tcp_seg *s)
{
	if (pcb->state == TCPS_SYN_SENT) {
		s->tfo_len = pcb->tfo_len;
		memcpy(s->tfo, pcb->tfo_cookie, pcb->tfo_len);
	} else {
		s->tfo_len = COOKIE_BYTES;
		make_cookie(lc, &pcb->fe.key.remote, pcb->latch.profile_in, s->tfo);
		lc_count(lc, ST_TCP_TFO_COOKIE);
	}
	s->opts |= TCP_O_TFO;
}

static bool
is_good_cookie(const struct lcore *lc, const struct tcp_pcb *pcb, const struct tcp_seg *syn)
{
	uint8_t good[COOKIE_BYTES];
	uint8_t differ = 0;

	if (syn->tfo_len != COOKIE_BYTES)
		return false;
	make_cookie(lc, &pcb->fe.key.remote, pcb->latch.profile_in, good);
	for (uint32_t i = 0; i < COOKIE_BYTES; i++)
		differ |= good[i] ^ syn->tfo[i];
	return differ == 0;
}

static struct tcp_tfo_pending *
pending(struct lcore *lc, const struct tcp_pcb *pcb)
{
	return &lc->tcp->tfo_pending[rte_be_to_cpu_16(pcb->fe.key.lport) % TCP_BOUND_BUCKETS];
}

static bool
is_full(const struct lcore *lc, struct tcp_tfo_pending *p, uint32_t qlen)
{
	if (p->reset > 0 && lc->now_ns >= p->until_ns) {
		p->n -= p->reset;
		p->reset = 0;
	}
	return p->n >= qlen;
}

/* The data of the SYN are taken and the child may answer (RFC 7413 s4.2.2). */
static void
open_early(struct lcore *lc, struct tcp_pcb *pcb, struct tcp_seg *syn)
{
	pcb->tfo_unproved = pcb->tfo_data = true;
	pending(lc, pcb)->n++;
	tcp_ack_open_early(lc, pcb, syn);
	tcp_set_state(lc, pcb, TCPS_ESTABLISHED);
	tcp_syn_done(lc, pcb);
	lc_count(lc, ST_TCP_TFO_PASSIVE);
	/* Nothing was offered before the SYN came; its data are within what the SYN-ACK would. */
	pcb->rcv_adv = pcb->rcv_nxt + RTE_MIN((uint32_t)syn->len, pcb->rcv.limit_bytes);
	syn->seq++;
	syn->flags &= (uint8_t)~TCP_F_SYN;
	tcp_rcv_text(lc, pcb, syn);
	tcp_output_mark(lc, pcb, TCP_OUT_DATA);
}

void
tcp_tfo_syn(struct lcore *lc, const struct tcp_pcb *lsn, struct tcp_pcb *pcb, struct tcp_seg *syn)
{
	const struct tcp_more *m = lsn->s->more;

	if ((syn->opts & TCP_O_TFO) == 0 || m == NULL || m->tfo_qlen == 0)
		return;
	if (!is_good_cookie(lc, pcb, syn)) {
		pcb->tfo_give = true;
		if (syn->tfo_len > 0)
			lc_count(lc, ST_TCP_TFO_REFUSED);
		return;
	}
	if (syn->len == 0)
		return;
	/* RFC 7413 s5.1: who has a cookie may still be many. */
	if (is_full(lc, pending(lc, pcb), m->tfo_qlen)) {
		lc_count(lc, ST_TCP_TFO_OVERFLOW);
		return;
	}
	open_early(lc, pcb, syn);
}

void
tcp_tfo_proved(struct lcore *lc, struct tcp_pcb *pcb)
{
	pcb->tfo_unproved = false;
	pending(lc, pcb)->n--;
}

/* Who sends in another's name has each of his requests reset by that one; as in Linux, they count
 * for a minute more, or nothing would limit him. */
void
tcp_tfo_reset(struct lcore *lc, struct tcp_pcb *pcb)
{
	struct tcp_tfo_pending *p = pending(lc, pcb);

	if (!pcb->tfo_unproved)
		return;
	pcb->tfo_unproved = false;
	p->reset++;
	p->until_ns = lc->now_ns + RESET_COUNTS_S * SECOND_NS;
}

bool
tcp_tfo_same_syn(struct lcore *lc, struct tcp_pcb *pcb, const struct tcp_seg *seg)
{
	if (!pcb->tfo_unproved || (seg->flags & (TCP_F_SYN | TCP_F_ACK)) != TCP_F_SYN ||
		seg->seq != pcb->irs)
		return false;
	if (pcb->snd_nxt != pcb->iss)
		tcp_sent_lose_head(lc, pcb, 1);
	tcp_output_mark(lc, pcb, TCP_OUT_DATA);
	return true;
}

bool
tcp_tfo_plan_syn(const struct lcore *lc, struct tcp_pcb *pcb, struct tcp_seg *s)
{
	const struct tcp_range *r = tcp_sent_next_lost(pcb);

	/* A tail loss probe (RFC 8985 s7.3) repeats data; our SYN has the retransmission timer. */
	pcb->out_flags &= (uint8_t)~TCP_OUT_TLP;
	if (pcb->snd_nxt != pcb->iss && (r == NULL || r->seq != pcb->iss))
		return false;
	s->seq = pcb->iss;
	s->flags = TCP_F_SYN | TCP_F_ACK;
	s->flags |= tcp_ecn_syn_flags(lc, pcb);
	return true;
}

/* ---- client ---- */

static struct tcp_tfo_peer *
peer_set(const struct lcore *lc, const struct tcp_pcb *pcb)
{
	struct covered k;

	memset(&k, 0, sizeof(k));
	k.client = pcb->fe.key.remote;
	k.profile = pcb->latch.profile_out;
	return &lc->tcp->tfo_peers[PEER_WAYS *
				   (tcp_siphash(&lc->tcp->conf.ts_secret, &k, sizeof(k)) %
					   PEER_SETS)];
}

static struct tcp_tfo_peer *
peer_find(struct lcore *lc, const struct tcp_pcb *pcb)
{
	struct tcp_tfo_peer *p = peer_set(lc, pcb);

	for (uint32_t i = 0; i < PEER_WAYS; i++, p++) {
		if (p->used_ns == 0 || p->profile != pcb->latch.profile_out ||
			!ip_addr_eq(&p->remote, &pcb->fe.key.remote))
			continue;
		p->used_ns = lc->now_ns;
		return p;
	}
	return NULL;
}

/* That of pcb's peer, in the place of the one that was used longest ago if it is new. */
static struct tcp_tfo_peer *
peer_get(struct lcore *lc, const struct tcp_pcb *pcb)
{
	struct tcp_tfo_peer *p = peer_find(lc, pcb), *set = peer_set(lc, pcb);

	if (p != NULL)
		return p;
	p = set;
	for (uint32_t i = 1; i < PEER_WAYS; i++) {
		if (set[i].used_ns < p->used_ns)
			p = &set[i];
	}
	*p = (struct tcp_tfo_peer){.remote = pcb->fe.key.remote,
		.profile = pcb->latch.profile_out,
		.used_ns = lc->now_ns};
	return p;
}

bool
tcp_tfo_prepare(struct lcore *lc, struct tcp_pcb *pcb)
{
	const struct tcp_tfo_peer *p = peer_find(lc, pcb);

	/* What is sent before there is an SA is lost, and would look like a black hole. */
	if (pcb->latch.state == TL_LATCH_WANTED || (p != NULL && p->pause_ns > lc->now_ns))
		return false;
	pcb->tfo_ask = true;
	pcb->tfo_len = 0;
	if (p == NULL || p->len == 0)
		return false;
	pcb->tfo_len = p->len;
	memcpy(pcb->tfo_cookie, p->cookie, p->len);
	/* RFC 7413 s4.1.3: what the peer took the last time, or the least that everybody takes. */
	pcb->tfo_mss = (uint16_t)RTE_MIN(p->mss, tcp_pcb_own_mss(pcb));
	return true;
}

uint16_t
tcp_tfo_syn_data(const struct tcp_pcb *pcb)
{
	if (!pcb->tfo_ask || pcb->tfo_len == 0 || pcb->tfo_mss <= OPTIONS_MAX)
		return 0;
	return (uint16_t)RTE_MIN(
		buf_len(&pcb->snd), (uint32_t)pcb->tfo_mss - (uint32_t)OPTIONS_MAX);
}

/* RFC 7413 s4.1.3.1: a SYN with the option was lost and one without was not. */
static void
note_hole(struct lcore *lc, struct tcp_tfo_peer *p)
{
	uint64_t s = lc->tcp->conf.fastopen_pause_s;

	p->pause_ns = lc->now_ns + (s << p->holes) * SECOND_NS;
	if (p->holes < PAUSE_SHIFT_MAX)
		p->holes++;
	lc_count(lc, ST_TCP_TFO_BLACKHOLE);
}

void
tcp_tfo_syn_ack(struct lcore *lc, struct tcp_pcb *pcb, const struct tcp_seg *seg)
{
	bool has_data = pcb->snd_max != pcb->iss + 1, is_taken = seg->ack != pcb->iss + 1;
	bool has_cookie = (seg->opts & TCP_O_TFO) != 0 && seg->tfo_len >= COOKIE_MIN &&
			  seg->tfo_len <= TCP_TFO_MAX;
	struct tcp_tfo_peer *p = peer_get(lc, pcb);

	if (has_cookie) {
		p->len = seg->tfo_len;
		memcpy(p->cookie, seg->tfo, seg->tfo_len);
	}
	if ((seg->opts & TCP_O_MSS) != 0)
		p->mss = seg->mss;
	else
		p->mss = ip_addr_is_v4(&p->remote) ? TCP_MSS_DEFAULT_V4 : TCP_MSS_DEFAULT_V6;
	if (has_cookie || (has_data && is_taken))
		p->holes = 0;
	else if (pcb->syn_again)
		note_hole(lc, p);
	if (has_data)
		lc_count(lc, is_taken ? ST_TCP_TFO_ACTIVE : ST_TCP_TFO_FAIL);
	pcb->tfo_data = has_data && is_taken;
}
