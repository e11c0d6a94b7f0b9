/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * ctl.c - clients of the control socket: what they ask, in order, and what waits for them.
 *
 * A datagram is a batch: its messages are handled one by one, and an error in one undoes no other
 * (RFC 3549 s2.2). The policy that results is given to the workers once, at the end.
 */
#include "stack/ctl/ctl.h"

#include <errno.h>
#include <stdlib.h>
#include <openssl/crypto.h>

#include "stack/ctl/nl.h"

struct row {
	uint16_t type;
	nl_handler *handle;
};

static const struct row rows[] = {
	{XFRM_MSG_NEWSA, nl_sa_new},
	{XFRM_MSG_UPDSA, nl_sa_update},
	{XFRM_MSG_DELSA, nl_sa_del},
	{XFRM_MSG_GETSA, nl_sa_get},
	{XFRM_MSG_FLUSHSA, nl_sa_flush},
	{XFRM_MSG_ALLOCSPI, nl_sa_alloc_spi},
	{XFRM_MSG_GETSADINFO, nl_sa_count},
	{XFRM_MSG_NEWPOLICY, nl_policy_new},
	{XFRM_MSG_UPDPOLICY, nl_policy_update},
	{XFRM_MSG_DELPOLICY, nl_policy_del},
	{XFRM_MSG_GETPOLICY, nl_policy_get},
	{XFRM_MSG_FLUSHPOLICY, nl_policy_flush},
	{XFRM_MSG_GETSPDINFO, nl_policy_count},
	{TL_CTL_MSG_ADDSA, nl_own_add_sa},
	{TL_CTL_MSG_REMSA, nl_own_del_sa},
	{TL_CTL_MSG_ADDPOLICY, nl_own_add_policy},
	{TL_CTL_MSG_REMPOLICY, nl_own_del_policy},
	{TL_CTL_MSG_GETID, nl_own_ids},
	{TL_CTL_MSG_GETLATCH, nl_own_latches},
	{TL_CTL_MSG_BREAKLATCH, nl_own_break_latches},
	{TL_CTL_MSG_GETSTAT, nl_own_stats},
	{TL_CTL_MSG_GETINFO, nl_own_info},
	{TL_CTL_MSG_GETSUITE, nl_own_suites},
	{TL_CTL_MSG_SUBSCRIBE, nl_own_subscribe},
	{TL_CTL_MSG_CLOSELATCH, nl_own_close_latches},
	{TL_CTL_MSG_QUERYLATCH, nl_own_query_latches},
	{TL_CTL_MSG_ADDPEER, nl_own_add_peer},
	{TL_CTL_MSG_REMPEER, nl_own_del_peer},
	{TL_CTL_MSG_GETPEER, nl_own_peers},
	{TL_CTL_MSG_KMREGISTER, nl_km_register},
	{TL_CTL_MSG_NEWIDENT, nl_km_ident},
	{TL_CTL_MSG_PEEREVENT, nl_km_peer},
	{TL_CTL_MSG_REFUSED, nl_km_refused},
	{TL_CTL_MSG_INVACQUIRE, nl_km_inverse},
};

/* ---- queues ---- */

static struct ctl_dgram *
dgram_new(size_t cap)
{
	struct ctl_dgram *d = calloc(1, sizeof(*d) + cap);

	return d;
}

static void
queue(struct ctl_client *c, struct ctl_dgram *d)
{
	d->next = NULL;
	*c->tail = d;
	c->tail = &d->next;
	c->nb_events += d->is_event;
}

static int
queue_copy(struct ctl_client *c, const struct nlmsghdr *h, bool is_event)
{
	struct ctl_dgram *d = dgram_new(h->nlmsg_len);

	if (d == NULL)
		return -ENOMEM;
	memcpy(d->data, h, h->nlmsg_len);
	d->len = h->nlmsg_len;
	d->is_event = is_event;
	queue(c, d);
	return 0;
}

int
nl_answer(struct nl_req *q, const struct nlmsghdr *h)
{
	return queue_copy(q->c, h, false);
}

_Static_assert(sizeof(struct tl_error) + 64 <= CTL_MSG_MAX, "the longest text of an error fits");

/*
 * NLMSG_ERROR, error 0 to acknowledge. Always "capped" (Linux netlink.h NLM_F_CAPPED): only the
 * header of the request is quoted, its body may hold keys.
 */
static void
answer_code(struct ctl_client *c, const struct nlmsghdr *to, int error, const char *text)
{
	_Alignas(8) uint8_t buf[CTL_MSG_MAX] = {0};
	struct nlmsgerr err = {.error = error, .msg = *to};
	struct nlmsghdr *h =
		nl_begin(buf, NLMSG_ERROR, to->nlmsg_seq, to->nlmsg_pid, &err, sizeof(err));

	h->nlmsg_flags = NLM_F_CAPPED;
	if (text[0] != '\0') {
		h->nlmsg_flags |= NLM_F_ACK_TLVS;
		mnl_attr_put_strz(h, NLMSGERR_ATTR_MSG, text);
	}
	queue_copy(c, h, false);
}

bool
nl_wanted(const struct ctl *k, uint32_t group)
{
	for (uint32_t i = 0; i < CTL_CLIENTS; i++) {
		if (k->client[i].open && (k->client[i].groups & group) != 0)
			return true;
	}
	return false;
}

/* A client that does not read loses events, never holds up the stack. */
void
nl_event(struct ctl *k, uint32_t group, const struct nlmsghdr *h)
{
	for (uint32_t i = 0; i < CTL_CLIENTS; i++) {
		struct ctl_client *c = &k->client[i];

		if (!c->open || (c->groups & group) == 0)
			continue;
		if (c->nb_events < CTL_EVENTS_MAX && queue_copy(c, h, true) == 0)
			continue;
		c->lost++;
		k->overruns++;
	}
}

/* ---- dumps ---- */

bool
nl_is_dump(const struct nl_req *q)
{
	return (q->h->nlmsg_flags & NLM_F_DUMP) == NLM_F_DUMP;
}

int
nl_dump(struct nl_req *q, ctl_row_fn *row, void *snapshot, size_t nb_snapshot)
{
	struct ctl_dump *d = &q->c->dump;

	if (d->row != NULL) {
		free(snapshot);
		return nl_refuse(q, -EBUSY, "a dump of this client is not read to its end");
	}
	*d = (struct ctl_dump){.row = row,
		.seq = q->h->nlmsg_seq,
		.pid = q->h->nlmsg_pid,
		.snapshot = snapshot,
		.nb_snapshot = nb_snapshot};
	return 0;
}

static void
dump_end(struct ctl_dump *d)
{
	free(d->snapshot);
	memset(d, 0, sizeof(*d));
}

/* As many rows as a datagram holds; NLMSG_DONE behind the last one. */
static struct ctl_dgram *
dump_next(struct ctl_client *c)
{
	struct ctl_dgram *d = dgram_new(CTL_ANSWER_BYTES);
	struct nlmsghdr *h;
	int zero = 0;

	while (d != NULL && d->len + 2 * CTL_MSG_MAX <= CTL_ANSWER_BYTES) {
		h = (struct nlmsghdr *)(void *)(d->data + d->len);
		if (!c->dump.row(c->k, &c->dump, h)) {
			h = nl_begin(h, NLMSG_DONE, c->dump.seq, c->dump.pid, &zero, sizeof(zero));
			h->nlmsg_flags = NLM_F_MULTI;
			d->len += nl_align(h->nlmsg_len);
			dump_end(&c->dump);
			break;
		}
		if (h->nlmsg_len == 0)
			continue; /* nothing in this row */
		h->nlmsg_flags |= NLM_F_MULTI;
		h->nlmsg_seq = c->dump.seq;
		h->nlmsg_pid = c->dump.pid;
		d->len += nl_align(h->nlmsg_len);
	}
	return d;
}

/* ---- requests ---- */

static int
handle(struct nl_req *q)
{
	for (size_t i = 0; i < RTE_DIM(rows); i++) {
		if (rows[i].type == q->h->nlmsg_type)
			return rows[i].handle(q);
	}
	return nl_refuse(q, -EOPNOTSUPP, "message type 0x%x: not supported", q->h->nlmsg_type);
}

static void
message(struct ctl_client *c, const struct nlmsghdr *h)
{
	struct nl_req q = {.k = c->k,
		.c = c,
		.h = h,
		.body = mnl_nlmsg_get_payload(h),
		.len = mnl_nlmsg_get_payload_len(h)};
	int rc = 0;

	/* As in Linux: what is no request is not looked at, but acknowledged. */
	if ((h->nlmsg_flags & NLM_F_REQUEST) != 0 && h->nlmsg_type >= NLMSG_MIN_TYPE)
		rc = handle(&q);
	if (rc < 0 && q.e.text[0] == '\0')
		snprintf(q.e.text, sizeof(q.e.text), "%s", strerror(-rc));
	if (rc < 0)
		answer_code(c, h, rc, q.e.text);
	else if ((h->nlmsg_flags & NLM_F_ACK) != 0 && !nl_is_dump(&q))
		answer_code(c, h, 0, "");
}

/* The message behind h, and the bytes from there on. */
static const struct nlmsghdr *
next_message(const struct nlmsghdr *h, size_t *left)
{
	size_t n = RTE_MIN(*left, nl_align(h->nlmsg_len));

	*left -= n;
	return (const struct nlmsghdr *)(const void *)((const uint8_t *)h + n);
}

static bool
is_batch(const struct nlmsghdr *h, size_t left)
{
	if (!nl_ok(h, left))
		return false;
	h = next_message(h, &left);
	return nl_ok(h, left);
}

static void
messages(struct ctl_client *c, const struct nlmsghdr *h, size_t left)
{
	struct nlmsghdr last = {0};

	while (nl_ok(h, left)) {
		message(c, h);
		last = *h;
		h = next_message(h, &left);
	}
	if (left == 0)
		return;
	if (left >= sizeof(*h))
		last = *h;
	answer_code(c, &last, -EINVAL, "a message is cut off, or its length is wrong");
}

void
ctl_request(struct ctl_client *c, void *buf, size_t len)
{
	struct tl_stack *s = c->k->s;
	struct nlmsghdr *h = buf, none = {0};
	bool batch = len <= CTL_REQUEST_MAX && is_batch(h, len);
	struct tl_error e = {""};

	control_lock(s);
	if (batch)
		control_policy_hold(s);
	if (len <= CTL_REQUEST_MAX)
		messages(c, h, len);
	else
		answer_code(c, &none, -EMSGSIZE, "expected at most 65536 bytes in a datagram");
	if (batch && control_policy_release(s, &e) != 0)
		answer_code(c, &none, -ENOMEM, e.text);
	control_unlock(s);
	OPENSSL_cleanse(buf, len);
}

/* ---- clients ---- */

struct ctl_client *
ctl_client_open(struct ctl *k, int fd)
{
	struct ctl_client *c = NULL;

	control_lock(k->s);
	for (uint32_t i = 0; i < CTL_CLIENTS && c == NULL; i++) {
		if (!k->client[i].open)
			c = &k->client[i];
	}
	if (c != NULL) {
		*c = (struct ctl_client){.k = k, .open = true, .fd = fd};
		c->tail = &c->head;
	}
	control_unlock(k->s);
	return c;
}

static void
client_close(struct ctl_client *c)
{
	while (c->head != NULL) {
		struct ctl_dgram *d = c->head;

		c->head = d->next;
		free(d);
	}
	dump_end(&c->dump);
	c->open = false;
	nl_km_gone(c);
}

void
ctl_client_close(struct ctl_client *c)
{
	control_lock(c->k->s);
	client_close(c);
	control_unlock(c->k->s);
}

void
ctl_client_refuse(struct ctl_client *c, int error, const char *text)
{
	const struct nlmsghdr none = {0};

	control_lock(c->k->s);
	answer_code(c, &none, error, text);
	control_unlock(c->k->s);
}

/* The events that were dropped are told when the others have been read, as Linux does. */
static void
tell_lost(struct ctl_client *c)
{
	const struct nlmsghdr none = {0};
	char text[80];

	if (c->nb_events > 0 || c->lost == c->lost_told)
		return;
	snprintf(text, sizeof(text), "%lu events found no room and are lost",
		(unsigned long)(c->lost - c->lost_told));
	c->lost_told = c->lost;
	answer_code(c, &none, -ENOBUFS, text);
}

struct ctl_dgram *
ctl_client_next(struct ctl_client *c)
{
	struct ctl_dgram *d;

	control_lock(c->k->s);
	if (c->head == NULL && c->dump.row == NULL)
		tell_lost(c);
	d = c->head;
	if (d != NULL) {
		c->head = d->next;
		if (c->head == NULL)
			c->tail = &c->head;
		c->nb_events -= d->is_event;
	} else if (c->dump.row != NULL) {
		d = dump_next(c);
	}
	control_unlock(c->k->s);
	return d;
}

void
ctl_client_unget(struct ctl_client *c, struct ctl_dgram *d)
{
	control_lock(c->k->s);
	if (c->head == NULL)
		c->tail = &d->next;
	d->next = c->head;
	c->head = d;
	c->nb_events += d->is_event;
	control_unlock(c->k->s);
}

/* ---- the whole ---- */

int
ctl_new(struct tl_stack *s, struct ctl **out)
{
	struct ctl *k = calloc(1, sizeof(*k));

	if (k == NULL)
		return -ENOMEM;
	k->s = s;
	control_lock(s);
	control_set_watch(s, nl_watch, k);
	control_unlock(s);
	*out = k;
	return 0;
}

void
ctl_free(struct ctl *k)
{
	control_lock(k->s);
	control_set_watch(k->s, NULL, NULL);
	for (uint32_t i = 0; i < CTL_CLIENTS; i++) {
		if (k->client[i].open)
			client_close(&k->client[i]);
	}
	free(k->latches);
	control_unlock(k->s);
	free(k);
}

void
ctl_tick(struct ctl *k, uint64_t now_ns)
{
	control_lock(k->s);
	k->now_ns = now_ns;
	control_events(k->s);
	control_check_tables(k->s);
	nl_larval_expire(k);
	nl_latches_watch(k);
	control_unlock(k->s);
}
