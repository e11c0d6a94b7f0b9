/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * pkt.h - packets between the stages: metadata, the tag, vectors, the drop.
 *
 * Ownership: passing an mbuf in a vector passes it; a stage forwards it or ends it by pkt_drop().
 * struct pkt_meta lives in the mbuf's private area and holds parse results, never a security
 * fact; the tag lives in a dynfield and is valid only with its dynflag (F-5).
 */
#ifndef TL_BASE_PKT_H
#define TL_BASE_PKT_H

#include <stdbool.h>
#include <stdint.h>
#include <rte_mbuf.h>
#include <rte_mbuf_dyn.h>

#include "stack/base/addr.h"
#include "stack/base/lcore.h"
#include "stack/base/stat.h"

enum {
	PKT_BURST = 32,     /* what one receive call may bring */
	PKT_HEADROOM = 128, /* RTE_PKTMBUF_HEADROOM: outer Ethernet, IP, ESP, IV and inner IP fit */
	PKT_OUT_MAX = 256,  /* bound of lc->out_l2 and lc->out_l4, packets */
};

/* IANA protocol numbers. */
enum {
	IPPROTO_N_ICMP = 1,
	IPPROTO_N_IPIP = 4,
	IPPROTO_N_TCP = 6,
	IPPROTO_N_UDP = 17,
	IPPROTO_N_IPV6 = 41,
	IPPROTO_N_ESP = 50,
	IPPROTO_N_ICMP6 = 58,
	IPPROTO_N_NONE = 59,
	IPPROTO_N_SCTP = 132,
};

/*
 * What protected this packet (inbound), or must protect it (outbound). RFC 5660 s2.4.
 * The profile is what the upper layers compare; index and generation serve counters, the hint of
 * the outbound SA, and F-1's check when a packet leaves a queue.
 */
enum {
	TAG_BYPASS = UINT32_MAX - 1, /* sad_index of a request: profile 0, and sad_gen is the
					version of the policy that said BYPASS */
	TAG_HELD = UINT32_MAX - 2,   /* of a latch that lets nothing leave now */
};
struct tl_tag {
	uint32_t sad_index;
	uint32_t sad_gen;
	uint32_t profile;
};

enum pkt_verdict { VERDICT_NONE = 0, VERDICT_ACCEPT, VERDICT_DROP, VERDICT_BREAK };

/* Why a hand-off ring carries a packet, so which stage goes on with it. */
enum pkt_handoff {
	HANDOFF_NONE = 0,
	HANDOFF_ARP,    /* arp_in: every worker learns what one of them heard */
	HANDOFF_ND,     /* nd_in: the same for IPv6 */
	HANDOFF_IP,     /* ip_in: a fragment, or ESP for another worker's SA */
	HANDOFF_L4,     /* latch_in: past ESP, tagged or clear */
	HANDOFF_TX,     /* tx_path: plaintext with its request tag */
	HANDOFF_EXCEPT, /* to the host's kernel */
};

enum {
	PKT_F_MCAST = 1u << 0,    /* came to a broadcast or multicast MAC or IP address */
	PKT_F_REASS = 1u << 1,    /* was reassembled: its parts came separately */
	PKT_F_DF = 1u << 2,       /* send: set DF; received: DF was set */
	PKT_F_CSUM_OK = 1u << 3,  /* the L4 checksum was verified by the port */
	PKT_F_PARTIAL = 1u << 5,  /* send: the port completes the L4 checksum, and cuts if the mbuf
				     has a tso_segsz */
	PKT_F_NO_ERROR = 1u << 4, /* never answer with an ICMP error (RFC 1122 s3.2.2) */
};

/*
 * Parse results. On receive `key` is complete when a packet leaves ip_in or esp_in as L4; on send
 * the maker of the packet fills it, and data starts at the L4 header.
 */
struct pkt_meta {
	struct flow_key key;
	struct rte_mbuf *link; /* pkt_queue */
	struct flow_ent *flow; /* latch_in: owner of the 5-tuple, valid as latch.h says */
	struct esp_sa *sa;     /* send, between spd_out and esp_out, within one turn */
	uint16_t l3_off;       /* all offsets count from the start of the mbuf's data */
	uint16_t l4_off;
	uint16_t l4_len; /* header and payload, ESP trailer excluded */
	uint8_t nxt;     /* IANA protocol of what l4_off points at */
	uint8_t port;    /* index into lc->port */
	uint8_t tos;     /* DSCP and ECN of the innermost header */
	uint8_t ttl;
	uint8_t flags;       /* PKT_F_* */
	uint8_t verdict;     /* enum pkt_verdict */
	uint8_t reason;      /* of a BREAK: enum tl_latch_reason */
	uint8_t handoff;     /* enum pkt_handoff */
	uint8_t tunnel;      /* send: spd_out chose a tunnel mode SA */
	uint16_t udp_remote; /* ESP came in UDP from this port, host order; 0: it did not */
	/* IPv6, received: the parameter problem to tell once the policy allowed an answer (RFC 4443
	 * s3.4); why is DROP_NONE if only the protocol has no handler. */
	uint8_t problem_why; /* enum drop_reason */
	uint8_t problem_code;
	uint16_t problem_at; /* of the offending byte, from the start of the IP header */
	uint8_t place;       /* enum pkt_place */

	/* From here on nothing is zeroed: set before it is read. */
	struct ip_addr nexthop; /* send: after routing */
	struct ip_addr tun_src; /* send, tunnel != 0: outer addresses, from spd_out */
	struct ip_addr tun_dst;
};

/* What pkt_meta_init() zeroes, in pieces that a compiler clears without a loop. */
enum { PKT_META_PIECE = 32, PKT_META_FRESH = offsetof(struct pkt_meta, nexthop) };
_Static_assert(PKT_META_FRESH == 3 * PKT_META_PIECE, "three pieces");

/* A fresh packet's metadata. */
static inline void
pkt_meta_init(struct pkt_meta *pm)
{
	uint8_t *p = (uint8_t *)pm;

	memset(p, 0, PKT_META_PIECE);
	memset(p + PKT_META_PIECE, 0, PKT_META_PIECE);
	memset(p + 2 * PKT_META_PIECE, 0, PKT_META_PIECE);
}

/* Where the IP header of a packet is, for who looks at it from outside (captures). */
enum pkt_place {
	PKT_MADE = 0, /* ours; data starts at L4 or ESP, meta knows what the header will be */
	PKT_RECEIVED, /* at l3_off; what l4_off points at may be decrypted */
	PKT_READY,    /* ours; at l3_off */
};

struct pkt_vec {
	uint32_t n;
	struct rte_mbuf *m[PKT_BURST];
};

/* Where a stage says a packet goes next; the order is known to rx_path() alone. */
enum pkt_next { NX_IP, NX_ESP, NX_ND, NX_TCP, NX_UDP, NX_SCTP, NX_ICMP, NX_OTHER, NX_MAX };

struct pkt_sort {
	struct pkt_vec v[NX_MAX];
};

static inline struct pkt_meta *
pkt_meta(const struct rte_mbuf *m)
{
	return (struct pkt_meta *)rte_mbuf_to_priv((struct rte_mbuf *)(uintptr_t)m);
}

static inline uint8_t *
pkt_data(const struct rte_mbuf *m, uint32_t off)
{
	return rte_pktmbuf_mtod_offset(m, uint8_t *, off);
}

static inline bool
pkt_is_tagged(const struct lcore *lc, const struct rte_mbuf *m)
{
	return (m->ol_flags & lc->tag_flag) != 0;
}

/* The tag; meaningful only if pkt_is_tagged(). */
static inline const struct tl_tag *
pkt_tag(const struct lcore *lc, const struct rte_mbuf *m)
{
	return RTE_MBUF_DYNFIELD(m, lc->tag_off, const struct tl_tag *);
}

static inline void
pkt_tag_set(const struct lcore *lc, struct rte_mbuf *m, struct tl_tag t)
{
	*RTE_MBUF_DYNFIELD(m, lc->tag_off, struct tl_tag *) = t;
	m->ol_flags |= lc->tag_flag;
}

/* F-5, F-6: on receive, and whenever a packet is built, turned round or stripped of a header. */
static inline void
pkt_tag_clear(const struct lcore *lc, struct rte_mbuf *m)
{
	m->ol_flags &= ~lc->tag_flag;
}

static inline void
pkt_vec_add(struct pkt_vec *v, struct rte_mbuf *m)
{
	v->m[v->n++] = m;
}

/* Takes every packet of v; what a stage emits may go there. */
static inline void
pkt_vec_take(struct pkt_vec *v, struct pkt_vec *into)
{
	into->n = v->n;
	memcpy(into->m, v->m, v->n * sizeof(v->m[0]));
	v->n = 0;
}

static inline void
pkt_sort_reset(struct pkt_sort *s)
{
	for (unsigned int i = 0; i < NX_MAX; i++)
		s->v[i].n = 0;
}

/* Ends a packet and counts why. The only way to free a packet on the path. */
void pkt_drop(struct lcore *lc, struct rte_mbuf *m, enum drop_reason r);

/* Ends every packet of v, which is empty afterwards. */
void pkt_vec_drop(struct lcore *lc, struct pkt_vec *v, enum drop_reason r);

/* A fresh, untagged packet with zeroed metadata and PKT_HEADROOM; NULL (not counted) if none. */
struct rte_mbuf *pkt_alloc(struct lcore *lc);

/* n untagged packets, or none (false, not counted). Their metadata are the caller's to fill, up to
 * PKT_META_FRESH. */
bool pkt_alloc_bulk(struct lcore *lc, struct rte_mbuf **m, uint32_t n);

/*
 * Declares that L4 of protocol nxt lies at [off, off + len) of m, and reads its ports into the
 * key when the protocol has them (0 otherwise). Returns false if the ports do not fit in len.
 */
bool pkt_set_l4(struct rte_mbuf *m, uint8_t nxt, uint32_t off, uint32_t len);

/*
 * Reads the ports of a received L4 header into k, when its protocol has them; of ICMP, type and
 * code are the local port. Returns false if they do not fit in len.
 */
bool pkt_read_ports(struct flow_key *k, const uint8_t *l4, uint32_t len);

/* Whether selectors see ports (or a type and code) in it. */
bool proto_has_ports(uint8_t proto);

/* The vector for an L4 protocol, NX_MAX if it has no handler. */
enum pkt_next pkt_next_of(uint8_t nxt);

/* FIFO of packets linked through their metadata. */
void pkt_queue_put(struct pkt_queue *q, struct rte_mbuf *m);
struct rte_mbuf *pkt_queue_get(struct pkt_queue *q);
void pkt_queue_drop(struct lcore *lc, struct pkt_queue *q, enum drop_reason r);

/* Puts m on a bounded queue of answers, or drops it (OUT_FULL). Takes ownership. */
void pkt_out(struct lcore *lc, struct pkt_queue *q, struct rte_mbuf *m);

/*
 * Registers the tag's dynfield and dynflag in this process (idempotent) and stores their places
 * in lc. Returns 0 or -errno.
 */
int pkt_tag_register(struct lcore *lc);

#endif
