/* SPDX-License-Identifier: BSD-3-Clause */
/* nl.h - one netlink message of a client: parsing it strictly, answering it. Private to ctl. */
#ifndef TL_CTL_NL_H
#define TL_CTL_NL_H

#include <libmnl/libmnl.h>
#include <linux/xfrm.h>

#include "stack/ctl/ctl.h"
#include "stack/ctl/ctl_proto.h"
#include "stack/run/run.h"

/* A request while it is handled, lock held. */
struct nl_req {
	struct ctl *k;
	struct ctl_client *c;
	const struct nlmsghdr *h;
	const uint8_t *body;
	size_t len;        /* of body */
	struct tl_error e; /* text of the answer */
};

typedef int nl_handler(struct nl_req *q);

/* Which attributes a message knows. */
struct nl_rule {
	uint16_t type;
	uint16_t min, max; /* bytes */
	const char *name;
	bool unsupported; /* known, but refused */
};

/* As mnl_nlmsg_ok(), which takes lengths of 2^31 and more for negative ones, so for good. */
static inline bool
nl_ok(const struct nlmsghdr *h, size_t left)
{
	return left >= sizeof(*h) && h->nlmsg_len >= sizeof(*h) && h->nlmsg_len <= left;
}

static inline size_t
nl_align(size_t n)
{
	return (n + NLMSG_ALIGNTO - 1) & ~(size_t)(NLMSG_ALIGNTO - 1);
}

/* Returns error, with the text of the answer. */
int nl_refuse(struct nl_req *q, int error, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* The fixed part of a message, then its attributes by the n rules: out[i] is that of rules[i] or
 * NULL. Returns 0, -EINVAL, -EOPNOTSUPP. */
int nl_parse(struct nl_req *q, void *head, size_t head_len, const struct nl_rule *rules, size_t n,
	const struct nlattr **out);

/* Copies the payload of an attribute; what it does not fill is zero. */
void nl_get(const struct nlattr *a, void *out, size_t len);

/* A text attribute into out, if it is one. Returns 0 or -EINVAL. */
int nl_get_text(struct nl_req *q, const struct nlattr *a, const char *name, char *out, size_t cap);

/* A name that is shown to people: no spaces, no control characters. */
int nl_get_name(struct nl_req *q, const struct nlattr *a, char *out, size_t cap);

/* TL_CTL_A_LOCAL_ID or PEER_ID to a handle; 0 without attribute. */
int nl_get_ident(struct nl_req *q, const struct nlattr *a, const char *name, struct tl_ident *out);
int nl_intern(struct nl_req *q, const struct tl_ident *id, const char *name, uint32_t *handle);

/* The same for a question, which adds nothing to the tables: NL_NOBODY if nobody has it. */
#define NL_NOBODY UINT32_MAX
int nl_find_ident(struct nl_req *q, const struct nlattr *a, const char *name, uint32_t *handle);

/* Writes the header of a message and its fixed part. */
struct nlmsghdr *nl_begin(
	void *buf, uint16_t type, uint32_t seq, uint32_t pid, const void *head, size_t len);
void nl_put_ident(struct nlmsghdr *h, uint16_t type, const struct tl_stack *s, uint32_t handle);
void nl_put_flag(struct nlmsghdr *h, uint16_t type, bool set);

/* Queues a message for the client that asked. Returns 0 or -ENOMEM. */
int nl_answer(struct nl_req *q, const struct nlmsghdr *h);
/* The same, a message of the request's type with TL_CTL_A_VALUE. */
int nl_answer_value(struct nl_req *q, uint64_t value);

/* Begins a dump for the client that asked. Returns 0 or -EBUSY. */
int nl_dump(struct nl_req *q, ctl_row_fn *row, void *snapshot, size_t nb_snapshot);
bool nl_is_dump(const struct nl_req *q);

/* Gives an event to the clients of a group. */
bool nl_wanted(const struct ctl *k, uint32_t group);
void nl_event(struct ctl *k, uint32_t group, const struct nlmsghdr *h);

/* ---- the messages ---- */

nl_handler nl_sa_new, nl_sa_update, nl_sa_del, nl_sa_get, nl_sa_flush, nl_sa_alloc_spi, nl_sa_count;
nl_handler nl_policy_new, nl_policy_update, nl_policy_del, nl_policy_get, nl_policy_flush,
	nl_policy_count;
nl_handler nl_own_add_sa, nl_own_del_sa, nl_own_add_policy, nl_own_del_policy, nl_own_ids,
	nl_own_latches, nl_own_break_latches, nl_own_stats, nl_own_info, nl_own_suites,
	nl_own_subscribe, nl_own_close_latches, nl_own_query_latches;
nl_handler nl_own_add_peer, nl_own_del_peer, nl_own_peers;
nl_handler nl_km_register, nl_km_ident, nl_km_peer, nl_km_refused, nl_km_inverse;

/* A client is gone; if it was the key manager, nobody hears acquires any more. Lock held. */
void nl_km_gone(struct ctl_client *c);

/* The values of a profile, as far as an SA must have them. */
void nl_put_profile(struct nlmsghdr *h, const struct tl_stack *s, uint32_t profile);

/* What a rule (NULL: none) asks for, and a program beyond it. */
void nl_put_asked(struct nlmsghdr *h, const struct tl_stack *s, const struct spd_rule *r,
	const struct esp_want *w);

/* The hash of evidence, nothing for handle 0. */
void nl_put_evidence(struct nlmsghdr *h, uint16_t type, const struct tl_stack *s, uint32_t handle);

/* TL_CTL_A_LOCAL_EV or PEER_EV to a handle, 0 without attribute; ident: whose it must be. */
int nl_get_evidence(struct nl_req *q, const struct nlattr *a, const char *name, uint32_t ident,
	uint32_t *handle, uint8_t *auth_class);

/* Messages about an SA: XFRM_MSG_NEWSA, XFRM_MSG_DELSA or XFRM_MSG_EXPIRE. */
struct nlmsghdr *nl_sa_message(struct ctl *k, void *buf, uint16_t type, uint32_t slot);
struct nlmsghdr *nl_sa_message_expire(struct ctl *k, void *buf, uint32_t slot, bool hard);

/* dir: SPD_IN or SPD_OUT. */
struct nlmsghdr *nl_policy_message(
	struct ctl *k, void *buf, uint16_t type, const struct spd_rule *r, uint32_t dir);

/* Frees the SPIs whose time is over, lock held. */
void nl_larval_expire(struct ctl *k);

/* Compares the latches with what they were and tells who listens, lock held. */
void nl_latches_watch(struct ctl *k);

/* The watcher of the control context. */
void nl_watch(void *ctl, const struct control_note *n);

#endif
