/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/util/ctl_env.h"

#include <stdlib.h>
#include <string.h>
#include <arpa/inet.h>

struct ctl_env *
ctl_env_at(struct vnet_node *n)
{
	struct ctl_env *e = calloc(1, sizeof(*e));

	ck_assert_ptr_nonnull(e);
	e->n = n;
	ck_assert_int_eq(ctl_new(n->s, &e->k), 0);
	e->c = ctl_client_open(e->k, -1);
	ck_assert_ptr_nonnull(e->c);
	ctl_tick(e->k, VNET_S);
	return e;
}

struct ctl_env *
ctl_env_new(const char *const *settings)
{
	struct vnet *v = vnet_new(1, true);
	struct vnet_node *n = vnet_add(v, CTL_ENV_US);
	struct ctl_env *e;

	vnet_set(n, "identity me.type", "fqdn");
	vnet_set(n, "identity me.value", "me.example");
	vnet_set(n, "policy base.action", "protect");
	vnet_set(n, "policy base.priority", "1");
	for (size_t i = 0; settings != NULL && settings[i] != NULL; i += 2)
		vnet_set(n, settings[i], "%s", settings[i + 1]);
	vnet_start(n);
	e = ctl_env_at(n);
	e->v = v;
	return e;
}

static void
forget(struct ctl_env *e)
{
	for (uint32_t i = 0; i < e->nb_got; i++)
		free(e->got[i]);
	e->nb_got = e->nb_dgrams = e->nb_done = 0;
	e->code = 1;
	e->text[0] = '\0';
}

void
ctl_env_free(struct ctl_env *e)
{
	forget(e);
	ctl_free(e->k);
	if (e->v != NULL)
		vnet_free(e->v);
	free(e);
}

struct nlmsghdr *
ctl_env_begin(struct ctl_env *e, uint16_t type, uint16_t flags, const void *head, size_t len)
{
	struct nlmsghdr *h;

	memset(e->buf, 0, sizeof(e->buf));
	h = mnl_nlmsg_put_header(e->buf);
	h->nlmsg_type = type;
	h->nlmsg_flags = (uint16_t)(NLM_F_REQUEST | NLM_F_ACK | flags);
	h->nlmsg_seq = ++e->seq;
	h->nlmsg_pid = 77;
	if (len > 0)
		memcpy(mnl_nlmsg_put_extra_header(h, len), head, len);
	return h;
}

static void
take(struct ctl_env *e, const struct nlmsghdr *h)
{
	const struct nlattr *text;
	struct nlmsgerr err;

	if (h->nlmsg_type == NLMSG_DONE) {
		e->nb_done++;
		return;
	}
	if (h->nlmsg_type != NLMSG_ERROR) {
		ck_assert_uint_lt(e->nb_got, CTL_ENV_GOT);
		e->got[e->nb_got] = malloc(h->nlmsg_len);
		memcpy(e->got[e->nb_got++], h, h->nlmsg_len);
		return;
	}
	memcpy(&err, mnl_nlmsg_get_payload(h), sizeof(err));
	e->code = err.error;
	text = ctl_env_attr(h, sizeof(err), NLMSGERR_ATTR_MSG);
	snprintf(e->text, sizeof(e->text), "%s", text == NULL ? "" : mnl_attr_get_str(text));
	ck_assert(err.error == 0 || text != NULL);
}

void
ctl_env_read(struct ctl_env *e)
{
	struct ctl_dgram *d;

	while ((d = ctl_client_next(e->c)) != NULL) {
		const struct nlmsghdr *h = (const void *)d->data;
		int left = (int)d->len;

		ck_assert_uint_le(d->len, CTL_ANSWER_BYTES);
		e->nb_dgrams++;
		for (; mnl_nlmsg_ok(h, left); h = mnl_nlmsg_next(h, &left))
			take(e, h);
		ck_assert_int_le(left, 0);
		free(d);
	}
}

int
ctl_env_send(struct ctl_env *e, const void *bytes, size_t len)
{
	uint8_t *copy = malloc(len == 0 ? 1 : len);

	forget(e);
	memcpy(copy, bytes, len);
	ctl_request(e->c, copy, len);
	for (size_t i = 0; i < len; i++)
		VNET_CHECK(copy[i] == 0, "byte %zu was not wiped: it may have held a key", i);
	free(copy);
	ctl_env_read(e);
	return e->code;
}

int
ctl_env_ask(struct ctl_env *e, const struct nlmsghdr *h)
{
	return ctl_env_send(e, h, h->nlmsg_len);
}

void
ctl_env_expect(struct ctl_env *e, const struct nlmsghdr *h, int code, const char *text)
{
	int got = ctl_env_ask(e, h);

	ck_assert_msg(got == code, "expected %d, got %d (%s)", code, got, e->text);
	ck_assert_msg(text == NULL || strstr(e->text, text) != NULL, "\"%s\" is not in \"%s\"",
		text, e->text);
}

struct xfrm_usersa_info
ctl_env_sa(bool inbound, uint32_t spi)
{
	struct xfrm_usersa_info x = {.id = {.spi = htonl(spi), .proto = 50}, .family = AF_INET};

	x.id.daddr.a4 = htonl(inbound ? CTL_ENV_US : CTL_ENV_PEER);
	x.saddr.a4 = htonl(inbound ? CTL_ENV_PEER : CTL_ENV_US);
	x.lft.soft_byte_limit = x.lft.hard_byte_limit = XFRM_INF;
	x.lft.soft_packet_limit = x.lft.hard_packet_limit = XFRM_INF;
	x.replay_window = 32;
	return x;
}

void
ctl_env_put_gcm(struct ctl_env *e, struct nlmsghdr *h)
{
	struct xfrm_algo_aead x = {
		.alg_name = "rfc4106(gcm(aes))", .alg_key_len = 160, .alg_icv_len = 128};
	uint8_t a[sizeof(x) + 20];

	e->keys++;
	memset(a, 0xa5, sizeof(a));
	memcpy(a, &x, sizeof(x));
	memcpy(a + sizeof(x), &e->keys, sizeof(e->keys));
	mnl_attr_put(h, XFRMA_ALG_AEAD, sizeof(a), a);
}

void
ctl_env_put_ident(struct nlmsghdr *h, uint16_t which, const char *fqdn)
{
	struct nlattr *nest = mnl_attr_nest_start(h, which);

	mnl_attr_put_u16(h, TL_CTL_ID_TYPE, TL_ID_FQDN);
	mnl_attr_put(h, TL_CTL_ID_DATA, strlen(fqdn), fqdn);
	mnl_attr_nest_end(h, nest);
}

struct nlmsghdr *
ctl_env_new_sa(struct ctl_env *e, bool inbound, uint32_t spi)
{
	struct xfrm_usersa_info x = ctl_env_sa(inbound, spi);
	struct nlmsghdr *h = ctl_env_begin(e, XFRM_MSG_NEWSA, 0, &x, sizeof(x));

	ctl_env_put_gcm(e, h);
	ctl_env_put_ident(h, TL_CTL_A_LOCAL_ID, "me.example");
	ctl_env_put_ident(h, TL_CTL_A_PEER_ID, "peer.example");
	return h;
}

struct wanted {
	uint16_t type;
	const struct nlattr *found;
};

static int
find_cb(const struct nlattr *a, void *arg)
{
	struct wanted *w = arg;

	if (mnl_attr_get_type(a) == w->type)
		w->found = a;
	return MNL_CB_OK;
}

const struct nlattr *
ctl_env_attr(const struct nlmsghdr *h, size_t head, uint16_t type)
{
	struct wanted w = {.type = type};

	mnl_attr_parse(h, (unsigned int)head, find_cb, &w);
	return w.found;
}

uint32_t
ctl_env_sas(const struct ctl_env *e)
{
	const struct control *c = &e->n->s->control;
	uint32_t n = 0;

	for (uint32_t i = 0; i < c->nb_slots; i++)
		n += c->sa[i].name[0] != '\0';
	return n;
}
