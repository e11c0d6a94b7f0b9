/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * frag.c - reassembly and fragmentation for both versions of IP.
 *
 * Called by the IP stages; a datagram that became whole goes on as one fresh buffer. Fragments
 * wait in the buffers in which they came, sorted by offset. A datagram that is given up is
 * remembered until its time is over, so that late parts cannot begin it again (RFC 5722 s4).
 */
#include "stack/net/frag.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/queue.h>
#include <rte_ip.h>
#include <rte_jhash.h>

#include "stack/base/assert.h"
#include "stack/base/csum.h"
#include "stack/base/ip6_ext.h"
#include "stack/base/rand.h"
#include "stack/base/tmr.h"

enum {
	TCP_FIRST_MIN = 16, /* RFC 1858 s3.2.1: TMIN, so the flags are in the first fragment */
	FRAG_UNIT = RTE_IPV4_HDR_OFFSET_UNITS,
	IP_MAX_LEN = 65535,
	ECN_CE = 3,
	IP4_HLEN = 20,
	IP6_LEN_AT = 4,
	IP6_SRC_AT = 8,
	IP6_DST_AT = 24,
};

#define NS_PER_MS UINT64_C(1000000)

/*
 * RFC 791 s3.2: src, dst, protocol and id name a datagram; RFC 8200 s4.5: all but the protocol.
 * Equal tuples of two realms are two, and so are those under two profiles (F-54).
 */
struct dgram_key {
	struct ip_addr src;
	struct ip_addr dst;
	uint32_t realm;
	rte_be32_t id;
	uint32_t profile; /* 0 if not tagged */
	uint8_t proto;    /* IPv6: 0 */
	bool tagged;
	uint8_t zero[2];
};
_Static_assert(sizeof(struct dgram_key) == 48, "hashed as words, without padding");

/* Owned by frag_ctx's array; from dgram_alloc() to dgram_free() in the hash and in by_age. */
struct dgram {
	struct dgram *next; /* in its bucket, or in the list of free ones */
	TAILQ_ENTRY(dgram) age;
	struct tmr tmr;
	struct dgram_key key;
	struct rte_mbuf *parts; /* by offset, through meta's link */
	struct tl_tag tag;      /* of every part */
	uint32_t nb_parts;
	uint32_t bytes;    /* of payload held */
	uint32_t total;    /* of payload, 0 while the last fragment is missing */
	bool ce;           /* a part had ECN's CE */
	uint16_t given_up; /* enum drop_reason of what comes now; DROP_NONE while it is alive */
};

TAILQ_HEAD(dgram_list, dgram);

struct frag_ctx {
	struct frag_conf conf;
	struct dgram *dgram;
	struct dgram *free;
	struct dgram **bucket;
	struct dgram_list by_age; /* oldest first */
	uint32_t mask;
	uint32_t seed;
	uint32_t alive;
	uint32_t room; /* the biggest datagram that fits a buffer */
};

/* What a fragment's headers say. */
struct part {
	uint32_t off;
	uint32_t len;
	uint32_t hlen; /* of what stands before the payload, an IPv6 fragment header included */
	uint32_t keep; /* of it, what the whole datagram keeps */
	bool more;
};

void
frag_conf_default(struct frag_conf *c)
{
	/*
	 * DEVIATION: RFC 1122 s3.3.2 asks for 60 to 120 seconds, RFC 8200 s4.5 for 60 and an ICMP
	 * error then; a peer that sends half datagrams would hold the quota and draw answers. At
	 * today's rates the 16-bit id comes round much sooner, and old parts then spoil new
	 * datagrams (RFC 4963 s2, s5).
	 */
	*c = (struct frag_conf){
		.max_datagrams = 64,
		.max_per_source = 8,
		.max_fragments = 16,
		.timeout_ms = 15000,
	};
}

int
frag_create(struct lcore *lc, const struct frag_conf *conf)
{
	struct frag_ctx *c = calloc(1, sizeof(*c));
	uint32_t buckets = rte_align32pow2(conf->max_datagrams);

	if (c == NULL)
		return -ENOMEM;
	c->conf = *conf;
	c->mask = buckets - 1;
	c->seed = rand_u32(lc->rand);
	c->room = (uint32_t)rte_pktmbuf_data_room_size(lc->pkt_pool) - RTE_PKTMBUF_HEADROOM;
	TAILQ_INIT(&c->by_age);
	c->dgram = calloc(conf->max_datagrams, sizeof(c->dgram[0]));
	c->bucket = calloc(buckets, sizeof(struct dgram *));
	if (c->dgram == NULL || c->bucket == NULL) {
		free(c->bucket);
		free(c->dgram);
		free(c);
		return -ENOMEM;
	}
	for (uint32_t i = conf->max_datagrams; i-- > 0;) {
		c->dgram[i].next = c->free;
		c->free = &c->dgram[i];
	}
	lc->frag = c;
	return 0;
}

static struct dgram **
bucket_of(const struct frag_ctx *c, const struct dgram_key *k)
{
	uint32_t h = rte_jhash_32b((const uint32_t *)(const void *)k, sizeof(*k) / 4, c->seed);

	return &c->bucket[h & c->mask];
}

static struct dgram *
dgram_find(const struct frag_ctx *c, const struct dgram_key *k)
{
	struct dgram *d;

	for (d = *bucket_of(c, k); d != NULL; d = d->next) {
		if (memcmp(&d->key, k, sizeof(*k)) == 0)
			return d;
	}
	return NULL;
}

static void
drop_parts(struct lcore *lc, struct dgram *d, enum drop_reason r)
{
	while (d->parts != NULL) {
		struct rte_mbuf *m = d->parts;

		d->parts = pkt_meta(m)->link;
		pkt_drop(lc, m, r);
	}
}

/* Ends d; what it still holds is dropped for reason r. */
static void
dgram_free(struct lcore *lc, struct dgram *d, enum drop_reason r)
{
	struct frag_ctx *c = lc->frag;
	struct dgram **pp = bucket_of(c, &d->key);

	while (*pp != d)
		pp = &(*pp)->next;
	*pp = d->next;
	TAILQ_REMOVE(&c->by_age, d, age);
	tmr_stop(lc, &d->tmr);
	drop_parts(lc, d, r);
	if (d->given_up == DROP_NONE)
		c->alive--;
	d->next = c->free;
	c->free = d;
}

/* Drops d with all its parts, those that are still to come included, and the latest one, m. */
static void
dgram_give_up(struct lcore *lc, struct dgram *d, struct rte_mbuf *m, enum drop_reason r)
{
	drop_parts(lc, d, r);
	pkt_drop(lc, m, r);
	d->given_up = (uint16_t)r;
	lc->frag->alive--;
}

static void
dgram_timer(struct lcore *lc, struct tmr *t)
{
	dgram_free(lc, container_of(t, struct dgram, tmr), DROP_FRAG_TIMEOUT);
}

void
frag_destroy(struct lcore *lc)
{
	struct frag_ctx *c = lc->frag;

	if (c == NULL)
		return;
	while (!TAILQ_EMPTY(&c->by_age))
		dgram_free(lc, TAILQ_FIRST(&c->by_age), DROP_PORT_CLOSED);
	free(c->bucket);
	free(c->dgram);
	free(c);
	lc->frag = NULL;
}

uint32_t
frag_in_use(const struct lcore *lc)
{
	return lc->frag->alive;
}

uint64_t
frag_oldest_ns(const struct lcore *lc)
{
	const struct dgram *d;

	TAILQ_FOREACH (d, &lc->frag->by_age, age) {
		if (d->key.tagged)
			return d->tmr.at_ns - (uint64_t)lc->frag->conf.timeout_ms * 1000000;
	}
	return UINT64_MAX;
}

/* Authenticated and clear fragments of one address are two sources: the second may be forged. */
static bool
same_source(const struct dgram *d, const struct dgram_key *k)
{
	return ip_addr_eq(&d->key.src, &k->src) && d->key.realm == k->realm &&
	       d->key.tagged == k->tagged;
}

/*
 * Makes room for a new datagram (F-58). A source that has its share, or finds the table full,
 * loses its own oldest; so nobody can push out another's. Only authenticated fragments may push
 * out clear ones. Returns false if the new one must be refused.
 */
static bool
make_room(struct lcore *lc, const struct dgram_key *k)
{
	struct frag_ctx *c = lc->frag;
	struct dgram *d, *oldest = NULL, *oldest_clear = NULL;
	uint32_t n = 0;

	TAILQ_FOREACH (d, &c->by_age, age) {
		if (!d->key.tagged && oldest_clear == NULL)
			oldest_clear = d;
		if (!same_source(d, k))
			continue;
		if (oldest == NULL)
			oldest = d;
		n++;
	}
	if (n < c->conf.max_per_source && c->free != NULL)
		return true;
	if (oldest == NULL && k->tagged)
		oldest = oldest_clear;
	if (oldest == NULL)
		return false;
	dgram_free(lc, oldest, DROP_FRAG_QUOTA);
	return true;
}

/* A new datagram without parts, with the tag of m; NULL if a quota forbids it. */
static struct dgram *
dgram_alloc(struct lcore *lc, const struct dgram_key *k, const struct rte_mbuf *m)
{
	struct frag_ctx *c = lc->frag;
	struct dgram **b = bucket_of(c, k);
	struct dgram *d;

	if (!make_room(lc, k))
		return NULL;
	d = c->free;
	c->free = d->next;
	*d = (struct dgram){.next = *b, .key = *k};
	if (k->tagged)
		d->tag = *pkt_tag(lc, m);
	*b = d;
	TAILQ_INSERT_TAIL(&c->by_age, d, age);
	tmr_set(lc, &d->tmr, lc->now_ns + c->conf.timeout_ms * NS_PER_MS, dgram_timer);
	c->alive++;
	return d;
}

static uint8_t *
hdr_at(const struct rte_mbuf *m)
{
	return pkt_data(m, pkt_meta(m)->l3_off);
}

static bool
is_ip6(const struct rte_mbuf *m)
{
	return *hdr_at(m) >> 4 == 6;
}

static uint16_t
get16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static void
put16(uint8_t *p, uint32_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static struct part
part_of_4(const struct rte_mbuf *m)
{
	const struct rte_ipv4_hdr *h = (const struct rte_ipv4_hdr *)(const void *)hdr_at(m);
	uint16_t frag = rte_be_to_cpu_16(h->fragment_offset);
	uint32_t hlen = rte_ipv4_hdr_len(h);

	return (struct part){
		.off = (uint32_t)(frag & RTE_IPV4_HDR_OFFSET_MASK) * FRAG_UNIT,
		.len = rte_be_to_cpu_16(h->total_length) - hlen,
		.hlen = hlen,
		.keep = hlen,
		.more = (frag & RTE_IPV4_HDR_MF_FLAG) != 0,
	};
}

/* The IP stage walked these headers before: they are whole and have a fragment header. */
static struct part
part_of_6(const struct rte_mbuf *m, struct ip6_upper *u)
{
	const uint8_t *h = hdr_at(m);
	uint32_t total = (uint32_t)IP6_HLEN + get16(h + IP6_LEN_AT);

	ip6_ext_walk(h, total, u);
	return (struct part){
		.off = u->frag_data,
		.len = total - u->frag_off - IP6_FRAG_HLEN,
		.hlen = u->frag_off + (uint32_t)IP6_FRAG_HLEN,
		.keep = u->frag_off,
		.more = u->more,
	};
}

static struct part
part_of(const struct rte_mbuf *m)
{
	struct ip6_upper u;

	return is_ip6(m) ? part_of_6(m, &u) : part_of_4(m);
}

/* What can be said about an IPv4 fragment alone; IPv6 has its own checks before. */
static enum drop_reason
check_part(const struct rte_mbuf *m, const struct part *p)
{
	bool tcp;

	if (is_ip6(m))
		return DROP_NONE;
	tcp = ((const struct rte_ipv4_hdr *)(const void *)hdr_at(m))->next_proto_id ==
	      IPPROTO_N_TCP;
	/* RFC 791 s3.2: all fragments but the last are whole units of 8 bytes. */
	if (p->len == 0 || (p->more && p->len % FRAG_UNIT != 0))
		return DROP_FRAG_SHORT;
	if (p->hlen + p->off + p->len > IP_MAX_LEN)
		return DROP_FRAG_RANGE;
	/* RFC 1858 s3.2.1, s3.2.2 and RFC 3128: a TCP header cut before its flags. */
	if (tcp && p->off == 0 && p->len < TCP_FIRST_MIN)
		return DROP_FRAG_SHORT;
	if (tcp && p->off == FRAG_UNIT)
		return DROP_FRAG_SHORT;
	return DROP_NONE;
}

/*
 * F-1: the whole carries one tag, which is asked whether its SA is still current, so no part may
 * come from another SA of the same profile. A rekey in the middle costs this datagram.
 */
static bool
same_sa(const struct lcore *lc, const struct dgram *d, const struct rte_mbuf *m)
{
	const struct tl_tag *tag = pkt_tag(lc, m);

	if (!d->key.tagged)
		return true;
	return tag->sad_index == d->tag.sad_index && tag->sad_gen == d->tag.sad_gen;
}

static bool
same_range(const struct part *a, const struct part *b)
{
	return a->off == b->off && a->len == b->len && a->more == b->more;
}

/* The end that the last fragment declares must be one, and nothing may lie beyond it. */
static bool
end_fits(const struct dgram *d, const struct part *p, const struct rte_mbuf *highest)
{
	uint32_t end = p->off + p->len;
	struct part h = {0};

	if (highest != NULL)
		h = part_of(highest);
	if (!p->more)
		return d->total == 0 && h.off + h.len <= end;
	return d->total == 0 || end < d->total;
}

/*
 * Puts m in its place. RFC 5722 s4 (RFC 8200 s4.5), which we apply to IPv4: an overlap ends the
 * datagram, an exact duplicate only itself. Returns false if m was dropped.
 */
static bool
insert(struct lcore *lc, struct dgram *d, struct rte_mbuf *m, const struct part *p)
{
	struct rte_mbuf *prev = NULL, *next = d->parts, *highest = NULL;

	for (struct rte_mbuf *i = d->parts; i != NULL; i = pkt_meta(i)->link) {
		struct part q = part_of(i);

		if (same_range(&q, p)) {
			pkt_drop(lc, m, DROP_FRAG_OVERLAP);
			return false;
		}
		if (q.off < p->off + p->len && p->off < q.off + q.len) {
			dgram_give_up(lc, d, m, DROP_FRAG_OVERLAP);
			return false;
		}
		if (q.off < p->off) {
			prev = i;
			next = pkt_meta(i)->link;
		}
		highest = i;
	}
	if (!end_fits(d, p, highest)) {
		dgram_give_up(lc, d, m, DROP_FRAG_OVERLAP);
		return false;
	}
	pkt_meta(m)->link = next;
	if (prev == NULL)
		d->parts = m;
	else
		pkt_meta(prev)->link = m;
	return true;
}

/* RFC 791 s3.2: length and offset of the whole. */
static void
finish_header_4(struct rte_mbuf *whole, uint32_t hlen)
{
	struct rte_ipv4_hdr *h = (struct rte_ipv4_hdr *)(void *)hdr_at(whole);

	h->type_of_service = pkt_meta(whole)->tos;
	h->total_length = rte_cpu_to_be_16((uint16_t)whole->pkt_len);
	h->fragment_offset = 0;
	h->hdr_checksum = 0;
	h->hdr_checksum = csum_finish(csum_add(h, hlen, 0));
}

/* RFC 8200 s4.5: length of the whole, and what stood in the first fragment's fragment header. */
static void
finish_header_6(struct rte_mbuf *whole, const struct rte_mbuf *first)
{
	uint8_t *h = hdr_at(whole), tos = pkt_meta(whole)->tos;
	struct ip6_upper u;

	part_of_6(first, &u);
	h[u.unfrag_nh] = hdr_at(first)[u.frag_off];
	h[0] = (uint8_t)(0x60 | tos >> 4);
	h[1] = (uint8_t)((h[1] & 0x0f) | tos << 4);
	put16(h + IP6_LEN_AT, whole->pkt_len - IP6_HLEN);
}

/*
 * One fresh buffer with everything that d holds, or NULL. The header and the metadata are those of
 * the first fragment; the tag is that of all.
 */
static struct rte_mbuf *
build(struct lcore *lc, const struct dgram *d)
{
	struct rte_mbuf *whole = pkt_alloc(lc);
	uint32_t keep = part_of(d->parts).keep;
	const struct pkt_meta *first = pkt_meta(d->parts);
	struct pkt_meta *pm;
	uint8_t *at;

	if (whole == NULL)
		return NULL;
	pm = pkt_meta(whole);
	pm->key = first->key;
	/* RFC 3168 s5.3: one CE marks it all. */
	pm->tos = (uint8_t)(first->tos | (d->ce ? ECN_CE : 0));
	pm->ttl = first->ttl;
	pm->port = first->port;
	pm->handoff = first->handoff;
	pm->place = first->place;
	/* No port verified a checksum over the whole. */
	pm->flags = (uint8_t)((first->flags & ~PKT_F_CSUM_OK) | PKT_F_REASS);
	at = (uint8_t *)rte_pktmbuf_append(whole, (uint16_t)(keep + d->total));
	memcpy(at, hdr_at(d->parts), keep);
	for (struct rte_mbuf *i = d->parts; i != NULL; i = pkt_meta(i)->link) {
		struct part p = part_of(i);

		memcpy(at + keep + p.off, hdr_at(i) + p.hlen, p.len);
	}
	if (is_ip6(whole))
		finish_header_6(whole, d->parts);
	else
		finish_header_4(whole, keep);
	if (d->key.tagged)
		pkt_tag_set(lc, whole, d->tag);
	return whole;
}

/* Every byte is there. The parts end here without a drop: their bytes go on. */
static struct rte_mbuf *
complete(struct lcore *lc, struct dgram *d)
{
	struct rte_mbuf *whole;

	if (part_of(d->parts).keep + d->total > lc->frag->room) {
		dgram_free(lc, d, DROP_FRAG_TOOBIG);
		return NULL;
	}
	whole = build(lc, d);
	if (whole == NULL) {
		dgram_free(lc, d, DROP_NOBUF);
		return NULL;
	}
	while (d->parts != NULL) {
		struct rte_mbuf *m = d->parts;

		d->parts = pkt_meta(m)->link;
		rte_pktmbuf_free(m);
	}
	dgram_free(lc, d, DROP_NONE);
	lc_count(lc, ST_IP_REASS);
	return whole;
}

static struct rte_mbuf *
add_part(struct lcore *lc, struct dgram *d, struct rte_mbuf *m, const struct part *p)
{
	if (p->keep + p->off + p->len > lc->frag->room) {
		dgram_give_up(lc, d, m, DROP_FRAG_TOOBIG);
		return NULL;
	}
	if (!insert(lc, d, m, p))
		return NULL;
	d->nb_parts++;
	d->bytes += p->len;
	if (!p->more)
		d->total = p->off + p->len;
	if ((pkt_meta(m)->tos & ECN_CE) == ECN_CE)
		d->ce = true;
	if (d->bytes == d->total)
		return complete(lc, d);
	if (d->nb_parts >= lc->frag->conf.max_fragments) {
		/* The next part would be one too many, so this datagram cannot become whole. */
		d->given_up = DROP_FRAG_QUOTA;
		lc->frag->alive--;
		drop_parts(lc, d, DROP_FRAG_QUOTA);
	}
	return NULL;
}

static struct dgram_key
key_of(const struct lcore *lc, const struct rte_mbuf *m, const struct part *p)
{
	const struct pkt_meta *pm = pkt_meta(m);
	const uint8_t *h = hdr_at(m);
	struct dgram_key k = {
		.src = pm->key.remote,
		.dst = pm->key.local,
		.realm = pm->key.realm,
		.tagged = pkt_is_tagged(lc, m),
		.profile = pkt_is_tagged(lc, m) ? pkt_tag(lc, m)->profile : 0,
	};

	if (is_ip6(m)) {
		memcpy(&k.id, h + p->keep + 4, 4);
	} else {
		const struct rte_ipv4_hdr *h4 = (const struct rte_ipv4_hdr *)(const void *)h;

		/* From the header: not every caller has a key yet. */
		k.src = ip_addr_v4(h4->src_addr);
		k.dst = ip_addr_v4(h4->dst_addr);
		k.id = h4->packet_id;
		k.proto = h4->next_proto_id;
	}
	return k;
}

struct rte_mbuf *
frag_in(struct lcore *lc, struct rte_mbuf *m)
{
	struct part p = part_of(m);
	struct dgram_key k = key_of(lc, m, &p);
	enum drop_reason r = check_part(m, &p);
	struct dgram *d;

	if (r != DROP_NONE) {
		pkt_drop(lc, m, r);
		return NULL;
	}
	d = dgram_find(lc->frag, &k);
	if (d == NULL)
		d = dgram_alloc(lc, &k, m);
	if (d == NULL) {
		pkt_drop(lc, m, DROP_FRAG_QUOTA);
		return NULL;
	}
	if (d->given_up != DROP_NONE) {
		pkt_drop(lc, m, (enum drop_reason)d->given_up);
		return NULL;
	}
	if (!same_sa(lc, d, m)) {
		dgram_give_up(lc, d, m, DROP_FRAG_PROFILE);
		return NULL;
	}
	return add_part(lc, d, m, &p);
}

/* What every fragment of one packet has in common. */
struct cutting {
	const struct rte_mbuf *m;
	uint32_t hlen;  /* of the packet's own header */
	uint32_t extra; /* what a fragment has besides */
	rte_be32_t id;  /* IPv6 */
};

static void
finish_cut_4(uint8_t *at, uint32_t len, uint32_t off, bool more)
{
	struct rte_ipv4_hdr *h = (struct rte_ipv4_hdr *)(void *)at;

	h->total_length = rte_cpu_to_be_16((uint16_t)(IP4_HLEN + len));
	h->fragment_offset =
		rte_cpu_to_be_16((uint16_t)(off / FRAG_UNIT | (more ? RTE_IPV4_HDR_MF_FLAG : 0)));
	h->hdr_checksum = 0;
	h->hdr_checksum = csum_finish(csum_add(h, IP4_HLEN, 0));
}

/* RFC 8200 s4.5. */
static void
finish_cut_6(uint8_t *h, const struct cutting *c, uint32_t len, uint32_t off, bool more)
{
	uint8_t *f = h + IP6_HLEN;

	f[0] = h[6];
	f[1] = 0;
	put16(f + 2, off | (more ? 1u : 0u));
	memcpy(f + 4, &c->id, 4);
	h[6] = IP6_NH_FRAGMENT;
	put16(h + IP6_LEN_AT, IP6_FRAG_HLEN + len);
}

/* A fresh packet with the header and len bytes of the payload from off; NULL if there is none. */
static struct rte_mbuf *
cut(struct lcore *lc, const struct cutting *c, uint32_t off, uint32_t len, bool more)
{
	uint32_t hlen = c->hlen + c->extra;
	struct rte_mbuf *f = pkt_alloc(lc);
	uint8_t *h;

	if (f == NULL)
		return NULL;
	h = (uint8_t *)rte_pktmbuf_append(f, (uint16_t)(hlen + len));
	if (h == NULL) {
		rte_pktmbuf_free(f);
		return NULL;
	}
	*pkt_meta(f) = *pkt_meta(c->m);
	memcpy(h, pkt_data(c->m, 0), c->hlen);
	memcpy(h + hlen, pkt_data(c->m, c->hlen + off), len);
	if (c->extra != 0)
		finish_cut_6(h, c, len, off, more);
	else
		finish_cut_4(h, len, off, more);
	return f;
}

/*
 * RFC 791 s3.2, RFC 8200 s4.5. Our own headers have neither options nor extension headers, so
 * every fragment has the same header. RFC 7739 s5.3: the id of IPv6 is not to be guessed.
 */
static struct cutting
cutting_of(struct lcore *lc, const struct rte_mbuf *m)
{
	struct cutting c = {.m = m, .hlen = IP4_HLEN};

	if (*pkt_data(m, 0) >> 4 == 6) {
		c.hlen = IP6_HLEN;
		c.extra = IP6_FRAG_HLEN;
		c.id = rand_u32(lc->rand);
	}
	return c;
}

int
frag_out(struct lcore *lc, struct rte_mbuf *m, uint32_t mtu_bytes,
	void (*fn)(struct lcore *lc, struct rte_mbuf *f, void *arg), void *arg)
{
	struct cutting c = cutting_of(lc, m);
	uint32_t payload = m->pkt_len - c.hlen, step;

	tl_assert(m->nb_segs == 1 && (c.extra != 0 || (*pkt_data(m, 0) & 0xf) * 4 == IP4_HLEN));
	if (mtu_bytes < c.hlen + c.extra + FRAG_UNIT) {
		pkt_drop(lc, m, DROP_IP_TOOBIG);
		return -ENOBUFS;
	}
	step = RTE_ALIGN_FLOOR(mtu_bytes - c.hlen - c.extra, (uint32_t)FRAG_UNIT);
	for (uint32_t off = 0; off < payload; off += step) {
		uint32_t len = RTE_MIN(step, payload - off);
		struct rte_mbuf *f = cut(lc, &c, off, len, off + len < payload);

		if (f == NULL) {
			pkt_drop(lc, m, DROP_NOBUF);
			return -ENOBUFS;
		}
		lc_count(lc, ST_IP_FRAG_OUT);
		fn(lc, f, arg);
	}
	/* Not a loss: every byte went on in a fragment. */
	rte_pktmbuf_free(m);
	return 0;
}
