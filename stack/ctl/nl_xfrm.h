/* SPDX-License-Identifier: BSD-3-Clause */
/* nl_xfrm.h - the words of linux/xfrm.h in ours, and back. Private to ctl. */
#ifndef TL_CTL_NL_XFRM_H
#define TL_CTL_NL_XFRM_H

#include "stack/ctl/nl.h"

/* The two lengths in a row of an attribute that may have any: it is refused whatever is in it. */
#define NL_ANY_LEN 0, UINT16_MAX

/* Linux knows algorithms by name and bits of ICV; IKEv2 by number. */
enum nl_alg_kind { NL_ALG_AEAD, NL_ALG_CRYPT, NL_ALG_AUTH };

struct nl_alg {
	enum nl_alg_kind kind;
	const char *name;
	uint16_t icv_bits; /* 0: CRYPT */
	uint16_t id;       /* IANA transform */
	bool is_default;   /* AUTH: the length that XFRMA_ALG_AUTH means in Linux */
};

/* Row i of the table, NULL behind the last one. */
const struct nl_alg *nl_alg_row(size_t i);

/* NULL: Linux has no name for it. */
const struct nl_alg *nl_alg_by_id(enum nl_alg_kind kind, uint16_t id);

/* Reads XFRMA_ALG_*: algorithms and keys into sa. Returns 0, -EINVAL, -EOPNOTSUPP. */
int nl_alg_read_aead(struct nl_req *q, const struct nlattr *a, struct esp_sa_conf *sa);
int nl_alg_read_crypt(struct nl_req *q, const struct nlattr *a, struct esp_sa_conf *sa);
int nl_alg_read_auth(
	struct nl_req *q, const struct nlattr *a, bool has_trunc, struct esp_sa_conf *sa);

/* Puts the algorithms of an SA, keys as zeros. */
void nl_alg_put(struct nlmsghdr *h, const struct esp_sa_conf *sa);

/* Returns 0, or -EINVAL, -EOPNOTSUPP for what is not ESP. */
int nl_proto_read(struct nl_req *q, uint8_t proto);

/* The promise of an inbound SPI, or NULL. */
struct ctl_larval *nl_larval_find(struct ctl *k, uint32_t spi, uint32_t realm);

/* family AF_INET or AF_INET6. Returns 0 or -EINVAL. */
int nl_addr_read(struct nl_req *q, const char *what, uint16_t family, const xfrm_address_t *x,
	struct ip_addr *out);
void nl_addr_write(const struct ip_addr *a, xfrm_address_t *x);
uint16_t nl_addr_family(const struct ip_addr *a);

/* Whether a port of this host has the address. */
bool nl_addr_is_ours(const struct tl_stack *s, const struct ip_addr *a);

/*
 * A selector; inbound: its daddr is this host. Its realm is not touched. family of x: AF_INET,
 * AF_INET6, or AF_UNSPEC for all addresses. Returns 0, -EINVAL, -EOPNOTSUPP.
 */
int nl_sel_read(struct nl_req *q, const struct xfrm_selector *x, bool inbound, struct esp_sel *out);
/* Ranges become the smallest prefix around them; TL_CTL_A_SEL has them exactly. */
void nl_sel_write(const struct esp_sel *sel, bool inbound, struct xfrm_selector *x);

int nl_sel_read_own(struct nl_req *q, const struct nlattr *a, struct esp_sel *out);
void nl_sel_put_own(struct nlmsghdr *h, const struct esp_sel *sel);

#endif
