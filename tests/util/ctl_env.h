/* SPDX-License-Identifier: BSD-3-Clause */
/* ctl_env.h - a stack, a client of its control socket without the socket, and what it was told. */
#ifndef TL_TESTS_UTIL_CTL_ENV_H
#define TL_TESTS_UTIL_CTL_ENV_H

#include <libmnl/libmnl.h>
#include <linux/xfrm.h>
#include <openssl/crypto.h>

#include "stack/ctl/ctl.h"
#include "stack/ctl/ctl_proto.h"
#include "stack/run/run.h"
#include "tests/util/lc_env.h"
#include "tests/util/vnet.h"

enum { CTL_ENV_GOT = 4096, CTL_ENV_US = 0x0a000001, CTL_ENV_PEER = 0x0a000002 };

struct ctl_env {
	struct vnet *v;
	struct vnet_node *n; /* 10.0.0.1 */
	struct ctl *k;
	struct ctl_client *c;
	uint32_t seq, keys;
	_Alignas(8) uint8_t buf[65536]; /* where requests are built */
	/* What came back since the last ctl_env_ask(). */
	int code; /* of NLMSG_ERROR; 1: none came */
	char text[600];
	uint32_t nb_got, nb_dgrams, nb_done;
	struct nlmsghdr *got[CTL_ENV_GOT];
};

/* With an identity "me" and a policy "base". settings: more keys and values, ended by NULL. */
struct ctl_env *ctl_env_new(const char *const *settings);
/* With the stack of somebody else. */
struct ctl_env *ctl_env_at(struct vnet_node *n);
void ctl_env_free(struct ctl_env *e);

/* The header of a request in e->buf, acknowledged, and its fixed part. */
struct nlmsghdr *ctl_env_begin(
	struct ctl_env *e, uint16_t type, uint16_t flags, const void *head, size_t len);

/* Sends len bytes in a buffer of exactly that size; returns the code of the (last) answer. */
int ctl_env_send(struct ctl_env *e, const void *bytes, size_t len);
int ctl_env_ask(struct ctl_env *e, const struct nlmsghdr *h);

/* Reads what waits for a client. */
void ctl_env_read(struct ctl_env *e);

/* Asks and checks the code; text: a piece of what must be said, NULL: anything. */
void ctl_env_expect(struct ctl_env *e, const struct nlmsghdr *h, int code, const char *text);

/* An SA between 10.0.0.1 and 10.0.0.2 without algorithms. */
struct xfrm_usersa_info ctl_env_sa(bool inbound, uint32_t spi);
/* A new key each time: AES-GCM with 128 bits. */
void ctl_env_put_gcm(struct ctl_env *e, struct nlmsghdr *h);
void ctl_env_put_ident(struct nlmsghdr *h, uint16_t which, const char *fqdn);
/* A complete request: SA, GCM, identities. */
struct nlmsghdr *ctl_env_new_sa(struct ctl_env *e, bool inbound, uint32_t spi);

/* The attribute of a message behind head bytes, NULL if it is not there. */
const struct nlattr *ctl_env_attr(const struct nlmsghdr *h, size_t head, uint16_t type);

/* SAs in the master SAD. */
uint32_t ctl_env_sas(const struct ctl_env *e);

#endif
