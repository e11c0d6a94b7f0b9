/* SPDX-License-Identifier: BSD-3-Clause */
/* tlctl_show.c - messages as rows of tables, and events as lines. */
#include "apps/tlctl.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "esp/esp.h"
#include "stack/include/tl_ipsec.h"

enum { TEXT = 600 };

/* clang-format off */
const char *const sa_cols[] = {"name", "dir", "spi", "mode", "suite", "local", "remote",
	"local-id", "peer-id", "#profile", "#worker", "engine", "esn", "#window", "#reqid", "#realm",
	"local-net", "remote-net", "proto", "local-port", "remote-port", "udp", "manual", "state",
	"#encr", "#encr-bits", "#integ", "#soft-bytes", "#hard-bytes", "#soft-packets",
	"#hard-packets", "#soft-seconds", "#hard-seconds", "#soft-use-seconds",
	"#hard-use-seconds", "#age-seconds", "#left-seconds", "#left-bytes", "#left-packets",
	"#seq", "#packets", "#bytes", "#bad-icv", "#replayed", NULL};
const char *const sa_short[] = {"name", "dir", "spi", "mode", "suite", "local", "remote", "peer-id",
	"#worker", "engine", "state", "#age-seconds", "#left-seconds", "#left-bytes", "#seq", "#packets", "#bytes", "#bad-icv", "#replayed", NULL};
const char *const policy_cols[] = {"name", "#index", "dir", "#priority", "action", "local-net",
	"remote-net", "proto", "local-port", "remote-port", "mode", "suite", "#reqid", "local-id", "peer-id",
	"tunnel-local", "tunnel-remote", "#encr", "#encr-bits", "#integ", "#realm", "#hits", NULL};
const char *const policy_short[] = {"name", "dir", "#priority", "action", "local-net", "remote-net",
	"proto", "local-port", "remote-port", "mode", "suite", "peer-id", "#hits", NULL};
const char *const latch_cols[] = {"handle", "#worker", "proto", "local", "remote", "state", "reason",
	"#profile", "mode", "suite", "local-id", "peer-id", "auth", "flags", "events", "#drop-clear",
	"#drop-qop", "#drop-peer", "#drop-unknown", NULL};
const char *const ident_cols[] = {"#handle", "type", "value", NULL};
const char *const stat_cols[] = {"#worker", "kind", "name", "#value", "what", NULL};
const char *const suite_cols[] = {"kind", "#iana", "name", "linux-name", "#icv-bits", NULL};
const char *const info_cols[] = {"version", "#workers", "#sas", "#max-sas", "#policies",
	"#events-lost", "key-manager", NULL};
const char *const peer_cols[] = {"name", "identity", "auth", "remote-net", NULL};
/* clang-format on */

/* ---- attributes ---- */

struct attrs {
	const struct nlattr *at[TL_CTL_A_MAX];
};

static int
attr_cb(const struct nlattr *a, void *arg)
{
	struct attrs *s = arg;
	uint16_t type = mnl_attr_get_type(a);

	if (type < TL_CTL_A_MAX)
		s->at[type] = a;
	return MNL_CB_OK;
}

/* The fixed part of a message and its attributes. False if it is too short. */
static bool
open_message(const struct nlmsghdr *h, void *head, size_t len, struct attrs *s)
{
	memset(s, 0, sizeof(*s));
	if (mnl_nlmsg_get_payload_len(h) < len)
		return false;
	if (len > 0)
		memcpy(head, mnl_nlmsg_get_payload(h), len);
	mnl_attr_parse(h, (unsigned int)len, attr_cb, s);
	return true;
}

static uint64_t
number(const struct attrs *s, int type)
{
	const struct nlattr *a = s->at[type];
	uint64_t v = 0;

	if (a == NULL || mnl_attr_get_payload_len(a) > sizeof(v))
		return 0;
	switch (mnl_attr_get_payload_len(a)) {
	case 1:
		return mnl_attr_get_u8(a);
	case 2:
		return mnl_attr_get_u16(a);
	case 4:
		return mnl_attr_get_u32(a);
	default:
		memcpy(&v, mnl_attr_get_payload(a), mnl_attr_get_payload_len(a));
		return v;
	}
}

/* What others wrote does not reach the terminal as it is. */
static void
make_printable(char *text)
{
	for (; *text != '\0'; text++) {
		if (!isprint((unsigned char)*text))
			*text = '?';
	}
}

static const char *
text_of(const struct attrs *s, int type, char out[TEXT])
{
	const struct nlattr *a = s->at[type];

	snprintf(out, TEXT, "%.*s", a == NULL ? 1 : (int)mnl_attr_get_payload_len(a),
		a == NULL ? "-" : (const char *)mnl_attr_get_payload(a));
	make_printable(out);
	return out;
}

static void
put_text(struct table *t, const struct attrs *s, int type)
{
	char text[TEXT];

	table_put(t, "%s", text_of(s, type, text));
}

static void
put_number(struct table *t, uint64_t n)
{
	table_put(t, "%lu", (unsigned long)n);
}

/* ---- addresses and identities ---- */

/* 16 bytes, IPv4 in mapped form. */
static const char *
addr_text(const uint8_t a[16], char out[INET6_ADDRSTRLEN])
{
	static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};

	if (memcmp(a, mapped, sizeof(mapped)) == 0)
		inet_ntop(AF_INET, a + 12, out, INET6_ADDRSTRLEN);
	else
		inet_ntop(AF_INET6, a, out, INET6_ADDRSTRLEN);
	return out;
}

static const char *
xaddr_text(const xfrm_address_t *a, uint16_t family, char out[INET6_ADDRSTRLEN])
{
	if (inet_ntop(family == AF_INET6 ? AF_INET6 : AF_INET, a, out, INET6_ADDRSTRLEN) == NULL)
		strcpy(out, "?");
	return out;
}

static void
put_xaddr(struct table *t, const xfrm_address_t *a, uint16_t family)
{
	char text[INET6_ADDRSTRLEN];

	table_put(t, "%s", xaddr_text(a, family, text));
}

static int
ident_cb(const struct nlattr *a, void *arg)
{
	const struct nlattr **at = arg;

	if (mnl_attr_get_type(a) < TL_CTL_ID_MAX)
		at[mnl_attr_get_type(a)] = a;
	return MNL_CB_OK;
}

static void
ident_value(const struct nlattr *data, uint16_t type, char out[TEXT])
{
	const uint8_t *d = mnl_attr_get_payload(data);
	uint16_t len = mnl_attr_get_payload_len(data);
	size_t n = 0;

	if (type == 1 && len == 4) {
		inet_ntop(AF_INET, d, out, TEXT);
	} else if (type == 5 && len == 16) {
		inet_ntop(AF_INET6, d, out, TEXT);
	} else if (type == 2 || type == 3) {
		snprintf(out, TEXT, "%.*s", len, (const char *)d);
		make_printable(out);
	} else {
		for (uint16_t i = 0; i < len && n + 3 < TEXT; i++)
			n += (size_t)snprintf(out + n, TEXT - n, "%02x", d[i]);
	}
}

/* Returns false, and "-" in both, without an identity. */
static bool
read_ident(const struct attrs *s, int which, const char **type, char value[TEXT])
{
	const struct nlattr *at[TL_CTL_ID_MAX] = {NULL};

	*type = "-";
	strcpy(value, "-");
	if (s->at[which] == NULL)
		return false;
	mnl_attr_parse_nested(s->at[which], ident_cb, at);
	if (at[TL_CTL_ID_TYPE] == NULL || at[TL_CTL_ID_DATA] == NULL)
		return false;
	*type = tl_ident_type_name(mnl_attr_get_u16(at[TL_CTL_ID_TYPE]));
	ident_value(at[TL_CTL_ID_DATA], mnl_attr_get_u16(at[TL_CTL_ID_TYPE]), value);
	return true;
}

static void
put_ident(struct table *t, const struct attrs *s, int which)
{
	char value[TEXT];
	const char *type;

	if (read_ident(s, which, &type, value))
		table_put(t, "%s:%s", type, value);
	else
		table_put(t, "-");
}

/* ---- selectors ---- */

static unsigned int
common_bits(const uint8_t *lo, const uint8_t *hi)
{
	unsigned int n = 0;

	while (n < 128 && ((lo[n / 8] ^ hi[n / 8]) >> (7 - n % 8) & 1) == 0)
		n++;
	return n;
}

static bool
is_prefix(const uint8_t *lo, const uint8_t *hi, unsigned int n)
{
	for (; n < 128; n++) {
		if ((lo[n / 8] >> (7 - n % 8) & 1) != 0 || (hi[n / 8] >> (7 - n % 8) & 1) == 0)
			return false;
	}
	return true;
}

static void
put_net(struct table *t, const uint8_t *lo, const uint8_t *hi)
{
	char a[INET6_ADDRSTRLEN], b[INET6_ADDRSTRLEN];
	unsigned int n = common_bits(lo, hi);
	bool v4 = strchr(addr_text(lo, a), '.') != NULL && strchr(a, ':') == NULL;

	if (n == 0)
		table_put(t, "any");
	else if (is_prefix(lo, hi, n))
		table_put(t, "%s/%u", a, v4 && n >= 96 ? n - 96 : n);
	else
		table_put(t, "%s-%s", a, addr_text(hi, b));
}

static void
put_ports(struct table *t, uint16_t lo, uint16_t hi)
{
	if (lo == 0 && hi == 65535)
		table_put(t, "any");
	else if (lo > hi)
		table_put(t, "opaque");
	else if (lo == hi)
		table_put(t, "%u", lo);
	else
		table_put(t, "%u-%u", lo, hi);
}

static void
put_sel(struct table *t, const struct attrs *s)
{
	struct tl_ctl_sel x = {.lport_hi = 65535, .rport_hi = 65535};
	const struct nlattr *a = s->at[TL_CTL_A_SEL];

	if (a != NULL && mnl_attr_get_payload_len(a) == sizeof(x))
		memcpy(&x, mnl_attr_get_payload(a), sizeof(x));
	put_net(t, x.local_lo, x.local_hi);
	put_net(t, x.remote_lo, x.remote_hi);
	table_put(t, x.proto == 0 ? "any" : "%u", x.proto);
	put_ports(t, x.lport_lo, x.lport_hi);
	put_ports(t, x.rport_lo, x.rport_hi);
}

/* ---- rows ---- */

static const char *
dir_name(uint64_t dir)
{
	return dir == 1 ? "in" : dir == 2 ? "out" : "both";
}

static const char *
mode_name(const struct attrs *s)
{
	return tl_latch_mode_name((unsigned int)number(s, TL_CTL_A_MODE));
}

static uint64_t
or_zero(uint64_t limit)
{
	return limit == XFRM_INF ? 0 : limit;
}

static void
put_life(struct table *t, const struct xfrm_lifetime_cfg *l)
{
	put_number(t, or_zero(l->soft_byte_limit));
	put_number(t, or_zero(l->hard_byte_limit));
	put_number(t, or_zero(l->soft_packet_limit));
	put_number(t, or_zero(l->hard_packet_limit));
	put_number(t, l->soft_add_expires_seconds);
	put_number(t, l->hard_add_expires_seconds);
	put_number(t, l->soft_use_expires_seconds);
	put_number(t, l->hard_use_expires_seconds);
}

static void
put_left(struct table *t, uint64_t limit, uint64_t used)
{
	if (limit == 0)
		table_put(t, "%s", "");
	else
		put_number(t, used < limit ? limit - used : 0);
}

/* The limit, from when on, that ends the SA first; seconds of the wall clock. */
static void
put_age(struct table *t, const struct xfrm_lifetime_cfg *l, const struct xfrm_lifetime_cur *c)
{
	uint64_t now = (uint64_t)time(NULL), end = UINT64_MAX;

	if (l->hard_add_expires_seconds != 0)
		end = c->add_time + l->hard_add_expires_seconds;
	if (l->hard_use_expires_seconds != 0 && c->use_time != 0)
		end = RTE_MIN(end, (uint64_t)c->use_time + l->hard_use_expires_seconds);
	put_number(t, now > c->add_time ? now - c->add_time : 0);
	put_left(t, end == UINT64_MAX ? 0 : end, now);
	put_left(t, or_zero(l->hard_byte_limit), c->bytes);
	put_left(t, or_zero(l->hard_packet_limit), c->packets);
}

static void
put_suite(struct table *t, const struct attrs *s, const char *none)
{
	char text[ESP_SUITE_TEXT];

	if (number(s, TL_CTL_A_ENCR) == 0)
		table_put(t, "%s", none);
	else
		table_put(t, "%s",
			esp_suite_text((uint16_t)number(s, TL_CTL_A_ENCR),
				(uint16_t)number(s, TL_CTL_A_ENCR_BITS),
				(uint16_t)number(s, TL_CTL_A_INTEG), text));
}

static uint32_t
window_of(const struct attrs *s, const struct xfrm_usersa_info *x)
{
	struct xfrm_replay_state_esn r;
	const struct nlattr *a = s->at[XFRMA_REPLAY_ESN_VAL];

	if (a == NULL || mnl_attr_get_payload_len(a) < sizeof(r))
		return x->replay_window;
	memcpy(&r, mnl_attr_get_payload(a), sizeof(r));
	return r.replay_window;
}

static void
put_udp(struct table *t, const struct attrs *s)
{
	struct xfrm_encap_tmpl x;
	const struct nlattr *a = s->at[XFRMA_ENCAP];

	if (a == NULL || mnl_attr_get_payload_len(a) < sizeof(x)) {
		table_put(t, "-");
		return;
	}
	memcpy(&x, mnl_attr_get_payload(a), sizeof(x));
	table_put(t, "%u-%u", ntohs(x.encap_sport), ntohs(x.encap_dport));
}

static void
put_sa(struct table *t, const struct xfrm_usersa_info *x, const struct attrs *s)
{
	bool inbound = number(s, TL_CTL_A_DIR) == 1;

	put_text(t, s, TL_CTL_A_NAME);
	table_put(t, "%s", dir_name(number(s, TL_CTL_A_DIR)));
	table_put(t, "0x%08x", ntohl(x->id.spi));
	table_put(t, "%s", x->mode == XFRM_MODE_TUNNEL ? "tunnel" : "transport");
	put_text(t, s, TL_CTL_A_SUITE);
	put_xaddr(t, inbound ? &x->id.daddr : &x->saddr, x->family);
	put_xaddr(t, inbound ? &x->saddr : &x->id.daddr, x->family);
	put_ident(t, s, TL_CTL_A_LOCAL_ID);
	put_ident(t, s, TL_CTL_A_PEER_ID);
	put_number(t, number(s, TL_CTL_A_PROFILE));
	put_number(t, number(s, TL_CTL_A_WORKER));
	put_text(t, s, TL_CTL_A_ENGINE);
	table_put(t, "%s", (x->flags & XFRM_STATE_ESN) != 0 ? "yes" : "no");
	put_number(t, window_of(s, x));
	put_number(t, x->reqid);
	put_number(t, number(s, XFRMA_IF_ID));
	put_sel(t, s);
	put_udp(t, s);
	table_put(t, "%s", s->at[TL_CTL_A_MANUAL] != NULL ? "yes" : "no");
	table_put(t, "%s", s->at[TL_CTL_A_EXPIRED] != NULL ? "expired" : "good");
	put_number(t, number(s, TL_CTL_A_ENCR));
	put_number(t, number(s, TL_CTL_A_ENCR_BITS));
	put_number(t, number(s, TL_CTL_A_INTEG));
	put_life(t, &x->lft);
	put_age(t, &x->lft, &x->curlft);
	put_number(t, number(s, TL_CTL_A_SEQ));
	put_number(t, x->curlft.packets);
	put_number(t, x->curlft.bytes);
	put_number(t, number(s, TL_CTL_A_BAD_ICV));
	put_number(t, number(s, TL_CTL_A_REPLAYED));
}

void
row_sa(const struct nlmsghdr *h, void *arg)
{
	struct xfrm_usersa_info x;
	struct attrs s;

	if (h->nlmsg_type == XFRM_MSG_NEWSA && open_message(h, &x, sizeof(x), &s))
		put_sa(arg, &x, &s);
}

static void
put_tunnel(struct table *t, const struct attrs *s, bool inbound)
{
	static const xfrm_address_t none;
	struct xfrm_user_tmpl x = {.family = AF_INET};
	const struct nlattr *a = s->at[XFRMA_TMPL];
	const xfrm_address_t *local, *remote;

	if (a != NULL && mnl_attr_get_payload_len(a) >= sizeof(x))
		memcpy(&x, mnl_attr_get_payload(a), sizeof(x));
	local = inbound ? &x.id.daddr : &x.saddr;
	remote = inbound ? &x.saddr : &x.id.daddr;
	put_number(t, x.reqid);
	put_ident(t, s, TL_CTL_A_LOCAL_ID);
	put_ident(t, s, TL_CTL_A_PEER_ID);
	if (memcmp(local, &none, sizeof(none)) == 0)
		table_put(t, "any");
	else
		put_xaddr(t, local, x.family);
	if (memcmp(remote, &none, sizeof(none)) == 0)
		table_put(t, "any");
	else
		put_xaddr(t, remote, x.family);
}

static void
put_policy(struct table *t, const struct xfrm_userpolicy_info *x, const struct attrs *s)
{
	bool protect = s->at[XFRMA_TMPL] != NULL;

	put_text(t, s, TL_CTL_A_NAME);
	put_number(t, x->index);
	table_put(t, "%s", x->dir == XFRM_POLICY_IN ? "in" : "out");
	put_number(t, x->priority);
	table_put(t, "%s",
		x->action == XFRM_POLICY_BLOCK ? "discard"
		: protect                      ? "protect"
					       : "bypass");
	put_sel(t, s);
	table_put(t, "%s", protect ? mode_name(s) : "-");
	put_suite(t, s, protect ? "any" : "-");
	put_tunnel(t, s, x->dir == XFRM_POLICY_IN);
	put_number(t, number(s, TL_CTL_A_ENCR));
	put_number(t, number(s, TL_CTL_A_ENCR_BITS));
	put_number(t, number(s, TL_CTL_A_INTEG));
	put_number(t, number(s, XFRMA_IF_ID));
	put_number(t, number(s, TL_CTL_A_HITS));
}

void
row_policy(const struct nlmsghdr *h, void *arg)
{
	struct xfrm_userpolicy_info x;
	struct attrs s;

	if (h->nlmsg_type == XFRM_MSG_NEWPOLICY && open_message(h, &x, sizeof(x), &s))
		put_policy(arg, &x, &s);
}

static void
put_end(struct table *t, const uint8_t a[16], uint16_t port)
{
	char text[INET6_ADDRSTRLEN];

	addr_text(a, text);
	table_put(t, strchr(text, ':') != NULL ? "[%s]:%u" : "%s:%u", text, port);
}

static void
put_auth(struct table *t, const struct attrs *s)
{
	static const char *const names[] = {"-", "cert", "raw-key", "psk", "eap", "null"};
	uint64_t c = number(s, TL_CTL_A_AUTH_CLASS);

	table_put(t, "%s", c < sizeof(names) / sizeof(names[0]) ? names[c] : "?");
}

/* Names of bits, "a,b"; "-": none. */
static void
put_bits(struct table *t, uint64_t bits, const char *const *names, size_t n)
{
	char text[TEXT] = "";
	size_t at = 0;

	for (size_t i = 0; i < n; i++) {
		if ((bits >> i & 1) != 0 && at < sizeof(text))
			at += (size_t)snprintf(
				text + at, sizeof(text) - at, "%s%s", at == 0 ? "" : ",", names[i]);
	}
	table_put(t, "%s", at == 0 ? "-" : text);
}

/* In the order of TL_LATCH_F_* and of enum tl_latch_event_type. */
static void
put_latch_bits(struct table *t, const struct attrs *s)
{
	static const char *const flags[] = {
		"indeterminate", "suspended", "natt", "override", "preserved", "auto", "unique"};
	static const char *const events[] = {"spawned", "established", "broken", "restored",
		"closed", "nosa", "peer-reboot", "peer-restart", "lost"};

	put_bits(t, number(s, TL_CTL_A_FLAGS), flags, sizeof(flags) / sizeof(flags[0]));
	put_bits(t, number(s, TL_CTL_A_EVENTS), events, sizeof(events) / sizeof(events[0]));
}

void
row_latch(const struct nlmsghdr *h, void *arg)
{
	struct tl_ctl_tuple x = {.proto = 0};
	struct table *t = arg;
	struct attrs s;

	if (h->nlmsg_type != TL_CTL_MSG_LATCH || !open_message(h, NULL, 0, &s))
		return;
	if (s.at[TL_CTL_A_TUPLE] != NULL &&
		mnl_attr_get_payload_len(s.at[TL_CTL_A_TUPLE]) == sizeof(x))
		memcpy(&x, mnl_attr_get_payload(s.at[TL_CTL_A_TUPLE]), sizeof(x));
	if (s.at[TL_CTL_A_LATCH] == NULL)
		table_put(t, "-"); /* it is over, or was never a latch */
	else
		table_put(t, "0x%llx", (unsigned long long)mnl_attr_get_u64(s.at[TL_CTL_A_LATCH]));
	put_number(t, number(&s, TL_CTL_A_WORKER));
	table_put(t,
		x.proto == 6     ? "tcp"
		: x.proto == 17  ? "udp"
		: x.proto == 132 ? "sctp"
				 : "%u",
		x.proto);
	put_end(t, x.local, x.lport);
	put_end(t, x.remote, x.rport);
	put_text(t, &s, TL_CTL_A_STATE);
	put_text(t, &s, TL_CTL_A_REASON);
	put_number(t, number(&s, TL_CTL_A_PROFILE));
	table_put(t, "%s", s.at[TL_CTL_A_MODE] == NULL ? "-" : mode_name(&s));
	put_suite(t, &s, "-");
	put_ident(t, &s, TL_CTL_A_LOCAL_ID);
	put_ident(t, &s, TL_CTL_A_PEER_ID);
	put_auth(t, &s);
	put_latch_bits(t, &s);
	put_number(t, number(&s, TL_CTL_A_DROP_CLEAR));
	put_number(t, number(&s, TL_CTL_A_DROP_QOP));
	put_number(t, number(&s, TL_CTL_A_DROP_PEER));
	put_number(t, number(&s, TL_CTL_A_DROP_UNKNOWN));
}

void
row_ident(const struct nlmsghdr *h, void *arg)
{
	struct table *t = arg;
	char value[TEXT];
	const char *type;
	struct attrs s;

	if (h->nlmsg_type != TL_CTL_MSG_ID || !open_message(h, NULL, 0, &s))
		return;
	read_ident(&s, TL_CTL_A_PEER_ID, &type, value);
	put_number(t, number(&s, TL_CTL_A_HANDLE));
	table_put(t, "%s", type);
	table_put(t, "%s", value);
}

void
row_stat(const struct nlmsghdr *h, void *arg)
{
	struct table *t = arg;
	struct attrs s;

	if (h->nlmsg_type != TL_CTL_MSG_STAT || !open_message(h, NULL, 0, &s))
		return;
	put_number(t, number(&s, TL_CTL_A_WORKER));
	put_text(t, &s, TL_CTL_A_KIND);
	put_text(t, &s, TL_CTL_A_NAME);
	put_number(t, number(&s, TL_CTL_A_VALUE));
	put_text(t, &s, TL_CTL_A_TEXT);
}

void
row_suite(const struct nlmsghdr *h, void *arg)
{
	struct table *t = arg;
	struct attrs s;

	if (h->nlmsg_type != TL_CTL_MSG_SUITE || !open_message(h, NULL, 0, &s))
		return;
	put_text(t, &s, TL_CTL_A_KIND);
	put_number(t, number(&s, s.at[TL_CTL_A_INTEG] != NULL ? TL_CTL_A_INTEG : TL_CTL_A_ENCR));
	put_text(t, &s, TL_CTL_A_TEXT);
	put_text(t, &s, TL_CTL_A_NAME);
	put_number(t, number(&s, TL_CTL_A_VALUE));
}

void
row_info(const struct nlmsghdr *h, void *arg)
{
	struct table *t = arg;
	struct attrs s;

	if (h->nlmsg_type != TL_CTL_MSG_INFO || !open_message(h, NULL, 0, &s))
		return;
	put_text(t, &s, TL_CTL_A_VERSION);
	put_number(t, number(&s, TL_CTL_A_WORKERS));
	put_number(t, number(&s, TL_CTL_A_SAS));
	put_number(t, number(&s, TL_CTL_A_MAX_SAS));
	put_number(t, number(&s, TL_CTL_A_RULES));
	put_number(t, number(&s, TL_CTL_A_LOST));
	/* Its epoch while it is connected. */
	if (s.at[TL_CTL_A_EPOCH] == NULL)
		table_put(t, "-");
	else
		table_put(t, "0x%llx", (unsigned long long)number(&s, TL_CTL_A_EPOCH));
}

void
row_peer(const struct nlmsghdr *h, void *arg)
{
	static const char *const classes[] = {"unknown", "cert", "raw-key", "psk", "eap", "null"};
	char text[TEXT] = "";
	struct table *t = arg;
	struct attrs s;
	size_t n = 0;

	if (h->nlmsg_type != TL_CTL_MSG_PEER || !open_message(h, NULL, 0, &s))
		return;
	put_text(t, &s, TL_CTL_A_NAME);
	if (s.at[TL_CTL_A_PEER_ID] == NULL)
		table_put(t, "leap-of-faith");
	else
		put_ident(t, &s, TL_CTL_A_PEER_ID);
	for (size_t i = 0; i < sizeof(classes) / sizeof(classes[0]); i++) {
		if ((number(&s, TL_CTL_A_CLASSES) >> i & 1) != 0)
			n += (size_t)snprintf(
				text + n, sizeof(text) - n, "%s%s", n == 0 ? "" : ",", classes[i]);
	}
	table_put(t, "%s", n == 0 ? "any" : text);
	put_text(t, &s, TL_CTL_A_TEXT);
}

/* ---- output ---- */

static const char *
bare(const char *col)
{
	return col + (col[0] == '#');
}

static const char *
cell(const struct table *t, uint32_t row, uint32_t col)
{
	const char *c = t->cell[row * t->nb_cols + col];

	return c == NULL ? "" : c;
}

static uint32_t
column(const struct table *t, const char *name)
{
	uint32_t i = 0;

	while (i + 1 < t->nb_cols && strcmp(t->col[i], name) != 0)
		i++;
	return i;
}

void
show_rows(const struct table *t, const char *const *only, bool json)
{
	struct table part;

	if (json || only == NULL) {
		table_print(t, json, stdout);
		return;
	}
	table_init(&part, only);
	for (uint32_t r = 0; r < t->nb_rows; r++) {
		for (uint32_t c = 0; only[c] != NULL; c++)
			table_put(&part, "%s", cell(t, r, column(t, only[c])));
	}
	table_print(&part, false, stdout);
	table_free(&part);
}

void
show_detail(const struct table *t, bool json)
{
	if (json) {
		table_print(t, true, stdout);
		return;
	}
	for (uint32_t r = 0; r < t->nb_rows; r++) {
		for (uint32_t c = 0; c < t->nb_cols; c++)
			printf("%-17s %s\n", bare(t->col[c]), cell(t, r, c));
	}
}

/* ---- events ---- */

static const char *const acquire_cols[] = {"event", "policy", "local", "remote", "proto", "mode",
	"#encr", "#encr-bits", "#integ", "local-id", "peer-id", "#profile", NULL};
static const char *const gone_cols[] = {"event", "name", "dir", NULL};
static const char *const move_cols[] = {
	"event", "name", "spi", "old-remote", "#old-port", "new-remote", "#new-port", NULL};
static const char *const lost_cols[] = {"event", "what", NULL};

static void
print_event(const struct table *t, bool json)
{
	if (json) {
		table_print_lines(t, stdout);
	} else {
		for (uint32_t c = 0; c < t->nb_cols && t->nb_rows > 0; c++)
			printf("%s%s%s%s", c == 0 ? "" : " ", c == 0 ? "" : bare(t->col[c]),
				c == 0 ? "" : "=", cell(t, 0, c));
		putchar('\n');
	}
	fflush(stdout);
}

/* A row of other columns with the name of the event in front. */
static void
event_row(const char *event, const char *const *cols, const struct nlmsghdr *h, wire_fn *row,
	bool json)
{
	struct table inner, t;
	const char *all[TABLE_COLS + 1] = {"event"};
	uint32_t n = 1;

	while (cols[n - 1] != NULL && n < TABLE_COLS) {
		all[n] = cols[n - 1];
		n++;
	}
	table_init(&inner, cols);
	table_init(&t, all);
	row(h, &inner);
	if (inner.nb_rows == 1) {
		table_put(&t, "%s", event);
		for (uint32_t c = 0; c < inner.nb_cols; c++)
			table_put(&t, "%s", cell(&inner, 0, c));
		print_event(&t, json);
	}
	table_free(&inner);
	table_free(&t);
}

static void
row_expire(const struct nlmsghdr *h, void *arg)
{
	struct xfrm_user_expire x;
	struct attrs s;

	if (open_message(h, &x, sizeof(x), &s))
		put_sa(arg, &x.state, &s);
}

static bool
is_hard(const struct nlmsghdr *h)
{
	struct xfrm_user_expire x;
	struct attrs s;

	return open_message(h, &x, sizeof(x), &s) && x.hard != 0;
}

static void
event_gone(const struct nlmsghdr *h, struct table *t)
{
	bool sa = h->nlmsg_type == XFRM_MSG_DELSA;
	uint8_t head[sizeof(struct xfrm_userpolicy_id)];
	struct attrs s;

	if (!open_message(h, head,
		    sa ? sizeof(struct xfrm_usersa_id) : sizeof(struct xfrm_userpolicy_id), &s))
		return;
	table_put(t, sa ? "sa-deleted" : "policy-deleted");
	put_text(t, &s, TL_CTL_A_NAME);
	table_put(t, "%s", dir_name(number(&s, TL_CTL_A_DIR)));
}

static void
event_acquire(const struct nlmsghdr *h, struct table *t)
{
	char a[INET6_ADDRSTRLEN];
	struct xfrm_user_acquire x;
	struct attrs s;

	if (!open_message(h, &x, sizeof(x), &s))
		return;
	table_put(t, "acquire");
	put_text(t, &s, TL_CTL_A_NAME);
	table_put(t, "%s:%u", xaddr_text(&x.sel.saddr, x.sel.family, a), ntohs(x.sel.sport));
	table_put(t, "%s:%u", xaddr_text(&x.sel.daddr, x.sel.family, a), ntohs(x.sel.dport));
	table_put(t, "%u", x.sel.proto);
	table_put(t, "%s", mode_name(&s));
	put_number(t, number(&s, TL_CTL_A_ENCR));
	put_number(t, number(&s, TL_CTL_A_ENCR_BITS));
	put_number(t, number(&s, TL_CTL_A_INTEG));
	put_ident(t, &s, TL_CTL_A_LOCAL_ID);
	put_ident(t, &s, TL_CTL_A_PEER_ID);
	put_number(t, number(&s, TL_CTL_A_PROFILE));
}

static void
event_move(const struct nlmsghdr *h, struct table *t)
{
	struct xfrm_user_mapping x;
	struct attrs s;

	if (!open_message(h, &x, sizeof(x), &s))
		return;
	table_put(t, "nat-moved");
	put_text(t, &s, TL_CTL_A_NAME);
	table_put(t, "0x%08x", ntohl(x.id.spi));
	put_xaddr(t, &x.old_saddr, x.id.family);
	table_put(t, "%u", ntohs(x.old_sport));
	put_xaddr(t, &x.new_saddr, x.id.family);
	table_put(t, "%u", ntohs(x.new_sport));
}

static void
event_lost(const struct nlmsghdr *h, struct table *t)
{
	struct nlmsgerr err;
	char text[TEXT];
	struct attrs s;

	if (!open_message(h, &err, sizeof(err), &s))
		return;
	table_put(t, "lost");
	table_put(t, "%s", text_of(&s, NLMSGERR_ATTR_MSG, text));
}

static void
event_own(const struct nlmsghdr *h, const char *const *cols,
	void (*fill)(const struct nlmsghdr *h, struct table *t), bool json)
{
	struct table t;

	table_init(&t, cols);
	fill(h, &t);
	print_event(&t, json);
	table_free(&t);
}

bool
show_event(const struct nlmsghdr *h, bool json)
{
	switch (h->nlmsg_type) {
	case XFRM_MSG_NEWSA:
		event_row("sa-added", sa_cols, h, row_sa, json);
		return true;
	case XFRM_MSG_NEWPOLICY:
		event_row("policy-added", policy_cols, h, row_policy, json);
		return true;
	case XFRM_MSG_EXPIRE:
		event_row(is_hard(h) ? "sa-expired" : "sa-expires-soon", sa_cols, h, row_expire,
			json);
		return true;
	case TL_CTL_MSG_LATCH:
		event_row("latch", latch_cols, h, row_latch, json);
		return true;
	case XFRM_MSG_DELSA:
	case XFRM_MSG_DELPOLICY:
		event_own(h, gone_cols, event_gone, json);
		return true;
	case XFRM_MSG_ACQUIRE:
		event_own(h, acquire_cols, event_acquire, json);
		return true;
	case XFRM_MSG_MAPPING:
		event_own(h, move_cols, event_move, json);
		return true;
	case NLMSG_ERROR:
		event_own(h, lost_cols, event_lost, json);
		return true;
	default:
		return false;
	}
}
