/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * frag.h - reassembly with quotas (RFC 791, RFC 815, RFC 1858, RFC 3128; RFC 8200 s4.5; RFC 5722's
 * rule for both versions of IP).
 *
 * The key holds the profile of the fragment's tag, or "clear", so parts under different protection
 * never meet (F-54): they cannot be merged, and a forged clear part cannot spoil a protected
 * datagram. Parts under two SAs of one profile end their datagram, because the whole has one tag.
 */
#ifndef TL_NET_FRAG_H
#define TL_NET_FRAG_H

#include "stack/base/lcore.h"
#include "stack/base/pkt.h"

struct frag_conf {
	uint32_t max_datagrams; /* being reassembled at once */
	uint32_t max_per_source;
	uint32_t max_fragments; /* of one datagram */
	uint32_t timeout_ms;    /* RFC 1122 s3.3.2: 60 to 120 s; less here, it is a quota */
};

void frag_conf_default(struct frag_conf *c);
int frag_create(struct lcore *lc, const struct frag_conf *conf);
void frag_destroy(struct lcore *lc);

/*
 * Takes one fragment whose IP headers (checked) lie at meta's l3_off; key and tos of meta are set.
 * Returns the whole datagram as one buffer, its header rewritten (length, no fragment bits or
 * header, checksum), when this one completed it; else NULL.
 */
struct rte_mbuf *frag_in(struct lcore *lc, struct rte_mbuf *m);

/*
 * Cuts a packet that starts at its IP header into fragments of at most mtu_bytes and calls fn
 * for each, in order. Takes ownership of m. Returns 0, or -ENOBUFS (m and the rest dropped).
 */
int frag_out(struct lcore *lc, struct rte_mbuf *m, uint32_t mtu_bytes,
	void (*fn)(struct lcore *lc, struct rte_mbuf *f, void *arg), void *arg);

/* When the oldest datagram under an SA that is remembered began; UINT64_MAX if there is none. */
uint64_t frag_oldest_ns(const struct lcore *lc);

/* Datagrams being reassembled now; those that were given up and only remembered do not count. */
uint32_t frag_in_use(const struct lcore *lc);

#endif
