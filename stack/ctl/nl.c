/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * nl.c - strict parsing of netlink messages, and building answers.
 *
 * Everything about a message is checked before anything is done: an attribute that is unknown,
 * twice there, too short, too long or cut off is refused with its name.
 */
#include "stack/ctl/nl.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>

int
nl_refuse(struct nl_req *q, int error, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(q->e.text, sizeof(q->e.text), fmt, ap);
	va_end(ap);
	return error;
}

struct parse {
	struct nl_req *q;
	const struct nl_rule *rules;
	size_t n;
	const struct nlattr **out;
	size_t bytes;
	int rc;
};

static int
take(struct parse *p, const struct nlattr *a)
{
	uint16_t type = mnl_attr_get_type(a), len = mnl_attr_get_payload_len(a);
	size_t i;

	for (i = 0; i < p->n && p->rules[i].type != type; i++)
		;
	if (i == p->n)
		return nl_refuse(
			p->q, -EINVAL, "attribute %u: this message does not know it", type);
	if (p->rules[i].unsupported)
		return nl_refuse(p->q, -EOPNOTSUPP, "%s: not supported", p->rules[i].name);
	if (p->out[i] != NULL)
		return nl_refuse(p->q, -EINVAL, "%s: expected once", p->rules[i].name);
	if (len < p->rules[i].min || len > p->rules[i].max)
		return nl_refuse(p->q, -EINVAL, "%s: expected %u to %u bytes, got %u",
			p->rules[i].name, p->rules[i].min, p->rules[i].max, len);
	p->out[i] = a;
	return 0;
}

static int
take_cb(const struct nlattr *a, void *arg)
{
	struct parse *p = arg;

	p->bytes += nl_align(mnl_attr_get_len(a));
	p->rc = take(p, a);
	return p->rc == 0 ? MNL_CB_OK : MNL_CB_ERROR;
}

static int
parse_attrs(struct parse *p, const void *at, size_t len)
{
	mnl_attr_parse_payload(at, len, take_cb, p);
	if (p->rc == 0 && p->bytes < len)
		return nl_refuse(
			p->q, -EINVAL, "an attribute is cut off at byte %zu of %zu", p->bytes, len);
	return p->rc;
}

int
nl_parse(struct nl_req *q, void *head, size_t head_len, const struct nl_rule *rules, size_t n,
	const struct nlattr **out)
{
	struct parse p = {.q = q, .rules = rules, .n = n, .out = out};
	size_t from = RTE_MIN(nl_align(head_len), q->len);

	for (size_t i = 0; i < n; i++)
		out[i] = NULL;
	if (q->len < head_len)
		return nl_refuse(q, -EINVAL, "message type 0x%x: expected %zu bytes, got %zu",
			q->h->nlmsg_type, head_len, q->len);
	if (head_len > 0)
		memcpy(head, q->body, head_len);
	return parse_attrs(&p, q->body + from, q->len - from);
}

void
nl_get(const struct nlattr *a, void *out, size_t len)
{
	size_t n = RTE_MIN(len, (size_t)mnl_attr_get_payload_len(a));

	memset(out, 0, len);
	memcpy(out, mnl_attr_get_payload(a), n);
}

int
nl_get_text(struct nl_req *q, const struct nlattr *a, const char *name, char *out, size_t cap)
{
	size_t len = mnl_attr_get_payload_len(a);
	const char *text = mnl_attr_get_payload(a);

	if (len > 0 && text[len - 1] == '\0')
		len--;
	if (len >= cap || memchr(text, '\0', len) != NULL)
		return nl_refuse(
			q, -EINVAL, "%s: expected a text of less than %zu characters", name, cap);
	memcpy(out, text, len);
	out[len] = '\0';
	return 0;
}

int
nl_get_name(struct nl_req *q, const struct nlattr *a, char *out, size_t cap)
{
	int rc = nl_get_text(q, a, "TL_CTL_A_NAME", out, cap);

	for (const char *c = out; rc == 0 && *c != '\0'; c++) {
		if (!isalnum((unsigned char)*c) && strchr("._-+@:", *c) == NULL)
			rc = nl_refuse(q, -EINVAL,
				"TL_CTL_A_NAME: expected letters, digits and . _ - + @ :");
	}
	return rc;
}

/* ---- identities ---- */

enum { I_TYPE, I_DATA, I_HANDLE, I_MAX };

static const struct nl_rule ident_rules[I_MAX] = {
	[I_TYPE] = {TL_CTL_ID_TYPE, 2, 2, "TL_CTL_ID_TYPE", false},
	[I_DATA] = {TL_CTL_ID_DATA, 1, TL_IDENT_MAX, "TL_CTL_ID_DATA", false},
	[I_HANDLE] = {TL_CTL_ID_HANDLE, 4, 4, "TL_CTL_ID_HANDLE", false},
};

int
nl_get_ident(struct nl_req *q, const struct nlattr *a, const char *name, struct tl_ident *out)
{
	const struct nlattr *at[I_MAX] = {NULL};
	struct parse p = {.q = q, .rules = ident_rules, .n = I_MAX, .out = at};
	int rc;

	memset(out, 0, sizeof(*out));
	if (a == NULL)
		return 0;
	rc = parse_attrs(&p, mnl_attr_get_payload(a), mnl_attr_get_payload_len(a));
	if (rc != 0)
		return rc;
	if (at[I_TYPE] == NULL || at[I_DATA] == NULL)
		return nl_refuse(
			q, -EINVAL, "%s: expected TL_CTL_ID_TYPE and TL_CTL_ID_DATA in it", name);
	out->type = mnl_attr_get_u16(at[I_TYPE]);
	out->len = mnl_attr_get_payload_len(at[I_DATA]);
	nl_get(at[I_DATA], out->data, sizeof(out->data));
	return 0;
}

static int
refuse_ident(struct nl_req *q, const struct tl_ident *id, const char *name)
{
	return nl_refuse(q, -EINVAL,
		"%s: type %u with %u bytes is no identity (RFC 7296 s3.5; 4 bytes for IPv4, 16 for "
		"IPv6)",
		name, id->type, id->len);
}

int
nl_intern(struct nl_req *q, const struct tl_ident *id, const char *name, uint32_t *handle)
{
	*handle = 0;
	if (id->type == TL_ID_NONE && id->len == 0)
		return 0;
	*handle = latch_ident_intern(q->k->s->conf.tables, id);
	return *handle != 0 ? 0 : refuse_ident(q, id, name);
}

int
nl_find_ident(struct nl_req *q, const struct nlattr *a, const char *name, uint32_t *handle)
{
	struct tl_ident id;
	int rc = nl_get_ident(q, a, name, &id);

	*handle = 0;
	if (rc != 0 || a == NULL)
		return rc;
	if (!latch_ident_find(q->k->s->conf.tables, &id, handle))
		return refuse_ident(q, &id, name);
	if (*handle == 0)
		*handle = NL_NOBODY;
	return 0;
}

/* ---- answers ---- */

struct nlmsghdr *
nl_begin(void *buf, uint16_t type, uint32_t seq, uint32_t pid, const void *head, size_t len)
{
	struct nlmsghdr *h = mnl_nlmsg_put_header(buf);

	h->nlmsg_type = type;
	h->nlmsg_seq = seq;
	h->nlmsg_pid = pid;
	if (len > 0)
		memcpy(mnl_nlmsg_put_extra_header(h, len), head, len);
	return h;
}

int
nl_answer_value(struct nl_req *q, uint64_t value)
{
	_Alignas(8) uint8_t buf[CTL_MSG_MAX] = {0};
	struct nlmsghdr *h =
		nl_begin(buf, q->h->nlmsg_type, q->h->nlmsg_seq, q->h->nlmsg_pid, NULL, 0);

	mnl_attr_put_u64(h, TL_CTL_A_VALUE, value);
	return nl_answer(q, h);
}

void
nl_put_ident(struct nlmsghdr *h, uint16_t type, const struct tl_stack *s, uint32_t handle)
{
	const struct tl_ident *id = latch_ident_get(s->conf.tables, handle);
	struct nlattr *nest;

	if (handle == 0 || id == NULL)
		return;
	nest = mnl_attr_nest_start(h, type);
	mnl_attr_put_u16(h, TL_CTL_ID_TYPE, id->type);
	mnl_attr_put(h, TL_CTL_ID_DATA, id->len, id->data);
	mnl_attr_put_u32(h, TL_CTL_ID_HANDLE, handle);
	mnl_attr_nest_end(h, nest);
}

void
nl_put_flag(struct nlmsghdr *h, uint16_t type, bool set)
{
	if (set)
		mnl_attr_put(h, type, 0, NULL);
}
