/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * icmp.h - ICMP for IPv4 (RFC 792, RFC 1122 s3.2.2, RFC 1812 s4.3.2.8, RFC 4884 not used) and for
 * IPv6 (RFC 4443).
 */
#ifndef TL_NET_ICMP_H
#define TL_NET_ICMP_H

#include <stdbool.h>

#include "stack/base/lcore.h"
#include "stack/base/pkt.h"

enum {
	ICMP_DU_PROTOCOL = 2, /* destination unreachable codes */
	ICMP_DU_PORT = 3,
	ICMP_DU_FRAG_NEEDED = 4,
};

/* What an error means to a transport, whatever the version of IP calls it. */
enum icmp_kind {
	ICMP_KIND_SOFT = 0, /* may pass */
	ICMP_KIND_HARD,     /* protocol or port unreachable */
	ICMP_KIND_TOOBIG,   /* mtu_bytes */
};

/* What an ICMP error quotes: the start of a packet that this host sent. */
struct icmp_error {
	/* Of the quoted packet, as this host sees the flow. ESP (F-51): lport and rport are the two
	 * halves of the SPI, in wire order. A protocol without ports: 0. */
	struct flow_key key;
	uint32_t l4_word; /* bytes 4 to 7 of the quoted L4: TCP sequence number, host order */
	enum icmp_kind kind;
	uint8_t type; /* as the packet had them */
	uint8_t code;
	uint16_t mtu_bytes; /* of TOOBIG, 0 if the router did not say */
	bool is_protected;  /* the ICMP packet itself came under an SA that may speak for it */
};

/*
 * Who hears about errors; registered by stack/run, so that net depends on no transport.
 * error: returns whether the quote is of something that this host has in flight (RFC 5927 s4.1).
 * may_speak: whether the packet m (tagged or clear) may say something about the flow (F-49, F-50).
 */
struct icmp_hooks {
	bool (*error)(struct lcore *lc, const struct icmp_error *e);
	bool (*may_speak)(struct lcore *lc, const struct rte_mbuf *m, const struct flow_key *k);
	/* F-33: gives the answer the protection of the question. */
	void (*stamp_answer)(
		struct lcore *lc, const struct rte_mbuf *question, struct rte_mbuf *answer);
};

/*
 * hooks is copied; NULL, or a NULL member, takes the safe side: no error is believed, nobody hears
 * of one, and a protected packet is not answered. Returns 0 or -ENOMEM.
 */
int icmp_create(struct lcore *lc, const struct icmp_hooks *hooks);
void icmp_destroy(struct lcore *lc);

/*
 * Receive stage before the policy: moves what routers say in clear about the size of our ESP from v
 * to about (RFC 4301 s8.2.1).
 */
void icmp_take_esp(const struct lcore *lc, struct pkt_vec *v, struct pkt_vec *about);

/* Receive stage: takes every packet of v. Answers go to lc->out_l4. */
void icmp_in(struct lcore *lc, struct pkt_vec *v);

/*
 * Queues "destination unreachable" about m (still owned by the caller), rate-limited, with the
 * protection of m; silent where RFC 1122 s3.2.2 or RFC 4443 s2.4 forbid an error. mtu_bytes: of
 * code 4, else 0. The codes are IPv4's; about an IPv6 packet their counterparts are sent, for
 * PROTOCOL the parameter problem that m's metadata tell.
 */
void icmp_unreachable(struct lcore *lc, const struct rte_mbuf *m, uint8_t code, uint16_t mtu_bytes);

#endif
