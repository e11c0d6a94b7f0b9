/* SPDX-License-Identifier: BSD-3-Clause */
/* conf_value.c - the readers of configuration values, one for each type. */
#include "stack/run/conf_value.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <strings.h>

static bool
read_number(const char *text, uint64_t min, uint64_t max, uint64_t *out)
{
	char *end;

	errno = 0;
	*out = strtoull(text, &end, 0);
	return errno == 0 && end != text && *end == '\0' && text[0] != '-' && *out >= min &&
	       *out <= max;
}

int
conf_one_of(const char *text, const char *words)
{
	size_t n = strlen(text);

	for (int i = 0; *words != '\0'; i++) {
		size_t w = strcspn(words, ",");

		if (w == n && strncasecmp(words, text, n) == 0)
			return i;
		words += w + (words[w] == ',');
	}
	return -1;
}

bool
conf_read_bool(const char *text, bool *out)
{
	int i = conf_one_of(text, "no,yes,false,true,0,1,off,on");

	*out = (i & 1) != 0;
	return i >= 0;
}

static bool
read_choice(const char *text, const char *words, uint8_t *out)
{
	int i = conf_one_of(text, words);

	*out = (uint8_t)i;
	return i >= 0;
}

bool
conf_read_prefix(const char *text, struct ip_addr *net, uint8_t *plen)
{
	char buf[IP_ADDR_STRLEN];
	const char *slash = strchr(text, '/');
	size_t n = slash == NULL ? strlen(text) : (size_t)(slash - text);
	uint64_t len;
	uint32_t max;

	if (strcasecmp(text, "any") == 0) {
		*plen = 0;
		return true;
	}
	if (n >= sizeof(buf))
		return false;
	snprintf(buf, sizeof(buf), "%.*s", (int)n, text);
	if (ip_addr_parse(buf, net) != 0)
		return false;
	max = ip_addr_is_v4(net) ? 32 : 128;
	if (slash == NULL)
		len = max;
	else if (!read_number(slash + 1, 0, max, &len))
		return false;
	*plen = (uint8_t)(128 - max + len);
	return true;
}

enum { LIST_MAX = 2048 };

/* The words of a list, to be cut in pieces. What is longer than any list that is right is refused:
 * the end of it would be missing, and "/2" of "/24" is another network. */
static bool
copy_list(const char *text, char buf[LIST_MAX])
{
	size_t n = strlen(text);

	if (n >= LIST_MAX)
		return false;
	memcpy(buf, text, n + 1);
	return true;
}

static bool
read_addrs(const char *text, struct conf_port *p)
{
	char buf[LIST_MAX], *save = NULL, *word;

	if (!copy_list(text, buf))
		return false;
	for (word = strtok_r(buf, ", \t", &save); word != NULL;
		word = strtok_r(NULL, ", \t", &save)) {
		struct port_addr *a = &p->addr[p->nb_addrs];

		if (p->nb_addrs == CONF_MAX_ADDRS || strchr(word, '/') == NULL)
			return false;
		if (!conf_read_prefix(word, &a->addr, &a->plen) || ip_addr_is_mcast(&a->addr) ||
			ip_addr_is_any(&a->addr) || ip_addr_scope(&a->addr) != 0)
			return false;
		if (ip_addr_is_v4(&a->addr))
			a->plen = (uint8_t)(a->plen - 96);
		else
			p->ip6 = true;
		p->nb_addrs++;
	}
	return p->nb_addrs > 0;
}

/* "10.0.0.1", "fd00::1" or "fe80::1%PORT". */
static bool
read_via(const char *text, struct conf_route *r)
{
	size_t n = strcspn(text, "%");
	char buf[IP_ADDR_STRLEN];

	if (n >= sizeof(buf) || strlen(text) - n > CONF_NAME)
		return false;
	snprintf(buf, sizeof(buf), "%.*s", (int)n, text);
	if (ip_addr_parse(buf, &r->via) != 0)
		return false;
	r->via_port[0] = '\0';
	if (text[n] == '\0')
		return true;
	snprintf(r->via_port, sizeof(r->via_port), "%s", text + n + 1);
	return ip_addr_is_link_local(&r->via) && r->via_port[0] != '\0';
}

static bool
read_bool_not(const char *text, bool *out)
{
	bool v;

	if (!conf_read_bool(text, &v))
		return false;
	*out = !v;
	return true;
}

static bool
read_ports(const char *text, struct port_range *r)
{
	char *end;
	unsigned long lo, hi;

	if (strcasecmp(text, "any") == 0 || strcasecmp(text, "opaque") == 0) {
		*r = strcasecmp(text, "any") == 0 ? port_range_any : port_range_opaque;
		return true;
	}
	lo = hi = strtoul(text, &end, 10);
	if (*end == '-')
		hi = strtoul(end + 1, &end, 10);
	if (end == text || *end != '\0' || lo > hi || hi > 65535)
		return false;
	*r = (struct port_range){(uint16_t)lo, (uint16_t)hi};
	return true;
}

/* RFC 4301 s4.4.1.1: type and code are one selector of 16 bits. */
static bool
read_icmp_type(const char *text, struct port_range *r)
{
	char *end;
	unsigned long type = strtoul(text, &end, 10), code = 256;

	if (end == text || type > 255)
		return false;
	if (*end == '/')
		code = strtoul(end + 1, &end, 10);
	if (*end != '\0' || code > 256 || end[-1] == '/')
		return false;
	r->lo = (uint16_t)(type << 8 | (code == 256 ? 0 : code));
	r->hi = (uint16_t)(type << 8 | (code == 256 ? 255 : code));
	return true;
}

static bool
read_proto(const char *text, uint8_t *out)
{
	static const uint8_t number[] = {
		0, IPPROTO_N_TCP, IPPROTO_N_UDP, IPPROTO_N_SCTP, IPPROTO_N_ICMP, IPPROTO_N_ICMP6};
	int i = conf_one_of(text, "any,tcp,udp,sctp,icmp,icmp6");
	uint64_t n;

	if (i >= 0) {
		*out = number[i];
		return true;
	}
	if (!read_number(text, 1, 255, &n))
		return false;
	*out = (uint8_t)n;
	return true;
}

bool
conf_read_hex(const char *text, uint8_t *out, size_t cap, size_t *len)
{
	size_t n;

	if (text[0] == '0' && (text[1] == 'x' || text[1] == 'X'))
		text += 2;
	n = strlen(text);
	if (n % 2 != 0 || n / 2 > cap)
		return false;
	for (size_t i = 0; i < n; i += 2) {
		char pair[3] = {text[i], text[i + 1], '\0'};

		if (!isxdigit((unsigned char)pair[0]) || !isxdigit((unsigned char)pair[1]))
			return false;
		out[i / 2] = (uint8_t)strtoul(pair, NULL, 16);
	}
	*len = n / 2;
	return true;
}

static bool
read_key(const char *text, uint8_t *key, size_t cap, uint8_t *key_len)
{
	size_t len;

	if (!conf_read_hex(text, key, cap, &len))
		return false;
	*key_len = (uint8_t)len;
	return true;
}

static bool
read_sa_key(struct reader *r)
{
	struct esp_sa_conf *sa = &((struct conf_sa *)r->obj)->sa;

	if (r->rule->type == V_AUTH_HEX)
		return read_key(
			r->at->value, sa->auth_key, sizeof(sa->auth_key), &sa->auth_key_len);
	return read_key(r->at->value, sa->key, sizeof(sa->key), &sa->key_len);
}

static bool
read_mac(const char *text, struct conf_port *p)
{
	p->has_mac = true;
	return rte_ether_unformat_addr(text, &p->mac) == 0 &&
	       rte_is_valid_assigned_ether_addr(&p->mac);
}

static bool
read_ident(struct reader *r, uint32_t *out)
{
	for (uint32_t i = 0; i < r->sc->nb_idents; i++) {
		if (strcmp(r->sc->ident[i].name, r->at->value) == 0) {
			*out = r->sc->ident[i].handle;
			return true;
		}
	}
	*out = conf_ident_in_place(r->sc, r->at->value);
	return *out != 0;
}

static bool
read_sized(struct reader *r)
{
	uint64_t n;

	if (!read_number(r->at->value, r->rule->min, r->rule->max, &n))
		return false;
	if (r->rule->type == V_U32)
		*(uint32_t *)(void *)r->field = (uint32_t)n;
	else if (r->rule->type == V_US)
		*(uint32_t *)(void *)r->field = (uint32_t)n * 1000;
	else if (r->rule->type == V_U16)
		*(uint16_t *)(void *)r->field = (uint16_t)n;
	else
		*r->field = (uint8_t)n;
	return true;
}

static bool
read_tfo_key(const char *text, struct tcp_conf *c)
{
	size_t len;

	c->has_fastopen_key = conf_read_hex(text, c->fastopen_key, sizeof(c->fastopen_key), &len) &&
			      len == sizeof(c->fastopen_key);
	return c->has_fastopen_key;
}

static bool
read_dscp(struct reader *r)
{
	struct conf_sa *sa = r->obj;

	sa->sa.dscp_set = strcasecmp(r->at->value, "copy") != 0;
	return !sa->sa.dscp_set || read_sized(r);
}

/* A prefix, an address, or "LO-HI". */
static bool
read_range(const char *text, struct ip_addr *lo, struct ip_addr *hi)
{
	const char *dash = strchr(text, '-');
	char first[IP_ADDR_STRLEN];
	struct addr_range range;
	struct ip_addr net;
	uint8_t plen;

	if (dash == NULL) {
		if (!conf_read_prefix(text, &net, &plen))
			return false;
		addr_range_of_net(&range, &net, plen);
		*lo = range.lo;
		*hi = range.hi;
		return true;
	}
	if ((size_t)(dash - text) >= sizeof(first))
		return false;
	snprintf(first, sizeof(first), "%.*s", (int)(dash - text), text);
	return ip_addr_parse(first, lo) == 0 && ip_addr_parse(dash + 1, hi) == 0 &&
	       ip_addr_is_v4(lo) == ip_addr_is_v4(hi) && ip_addr_cmp(lo, hi) <= 0;
}

static bool
read_sel_net(struct reader *r)
{
	struct addr_range *range = (struct addr_range *)(void *)r->field;

	return read_range(r->at->value, &range->lo, &range->hi);
}

/* "10.0.0.0/8, fd00::/8" */
static bool
read_nets(const char *text, struct latch_pad_entry *p)
{
	char buf[LIST_MAX], *save = NULL, *word;

	if (!copy_list(text, buf))
		return false;
	for (word = strtok_r(buf, ", \t", &save); word != NULL;
		word = strtok_r(NULL, ", \t", &save)) {
		struct latch_pad_net *n = &p->net[p->nb_nets];

		if (p->nb_nets == LATCH_PAD_NETS || strcasecmp(word, "any") == 0 ||
			!read_range(word, &n->lo, &n->hi))
			return false;
		p->nb_nets++;
	}
	return p->nb_nets > 0;
}

/* "cert, raw-key"; any is none. */
static bool
read_classes(const char *text, uint32_t *out)
{
	char buf[LIST_MAX], *save = NULL, *word;

	*out = 0;
	if (strcasecmp(text, "any") == 0)
		return true;
	if (!copy_list(text, buf))
		return false;
	for (word = strtok_r(buf, ", \t", &save); word != NULL;
		word = strtok_r(NULL, ", \t", &save)) {
		int i = conf_one_of(word, "unknown,cert,raw-key,psk,eap,null");

		if (i < 0)
			return false;
		*out |= 1u << i;
	}
	return *out != 0;
}

/* "53, 1812" */
static bool
read_list(struct reader *r)
{
	struct conf_list *l = (struct conf_list *)(void *)r->field;
	char buf[LIST_MAX], *save = NULL, *word;
	uint64_t n;

	if (!copy_list(r->at->value, buf))
		return false;
	for (word = strtok_r(buf, ", \t", &save); word != NULL;
		word = strtok_r(NULL, ", \t", &save)) {
		if (l->n == CONF_LIST || !read_number(word, r->rule->min, r->rule->max, &n))
			return false;
		l->v[l->n++] = (uint16_t)n;
	}
	return true;
}

static bool
read_seed(const char *text, struct stack_conf *sc)
{
	uint64_t n;

	if (!read_number(text, 0, UINT64_MAX, &n))
		return false;
	memcpy(sc->seed, &n, sizeof(n));
	sc->has_seed = true;
	return true;
}

static bool
read_text(struct reader *r)
{
	if (strlen(r->at->value) > r->rule->min || r->at->value[0] == '\0')
		return false;
	strcpy((char *)r->field, r->at->value);
	return true;
}

static bool
read_direction_sa(const char *text, bool *inbound)
{
	uint8_t i;

	if (!read_choice(text, "out,in", &i))
		return false;
	*inbound = i == 1;
	return true;
}

/* Words, with or without commas; the name is that of the running program's file. */
static bool
names_this_program(const char *text)
{
	const char *self = program_invocation_short_name;
	size_t n;

	for (const char *p = text; *(p += strspn(p, ", ")) != '\0'; p += n) {
		n = strcspn(p, ", ");
		if (strlen(self) == n && strncmp(p, self, n) == 0)
			return true;
	}
	return false;
}

static bool
read_direction_rule(const char *text, uint8_t *dir)
{
	if (!read_choice(text, "in,out,both", dir))
		return false;
	(*dir)++;
	return true;
}

static bool
read_flag(const char *text, const char *words, bool *out)
{
	uint8_t i;

	if (!read_choice(text, words, &i))
		return false;
	*out = i == 1;
	return true;
}

/* long: one row for each type of value. */
bool
conf_value_read(struct reader *r)
{
	const char *v = r->at->value;
	bool *flag = (bool *)(void *)r->field;

	switch (r->rule->type) {
	case V_U32:
	case V_U16:
	case V_US:
		return read_sized(r);
	case V_BOOL:
		return conf_read_bool(v, flag);
	case V_TEXT:
		return read_text(r);
	case V_ADDR:
		return ip_addr_parse(v, (struct ip_addr *)(void *)r->field) == 0;
	case V_PREFIX:
		return read_sel_net(r);
	case V_ADDRS:
		return read_addrs(v, r->obj);
	case V_VIA:
		return read_via(v, r->obj);
	case V_BOOL_NOT:
		return read_bool_not(v, flag);
	case V_MAC:
		return read_mac(v, r->obj);
	case V_PORTS:
		return read_ports(v, (struct port_range *)(void *)r->field);
	case V_ICMP_TYPE:
		return read_icmp_type(v, (struct port_range *)(void *)r->field);
	case V_PROTO:
		return read_proto(v, r->field);
	case V_HEX:
	case V_AUTH_HEX:
		return read_sa_key(r);
	case V_MODE:
		return read_choice(v, "any,transport,tunnel", r->field) &&
		       *r->field >= r->rule->min;
	case V_ENCAP:
		return read_choice(v, "none,udp", r->field);
	case V_DF:
		return read_choice(v, "copy,set,clear", r->field);
	case V_DSCP:
		return read_dscp(r);
	case V_NOT:
		return read_choice(v, "yes,no", r->field);
	case V_ENCR:
		return esp_encr_by_name(v, (uint16_t *)(void *)r->field);
	case V_INTEG:
		return esp_integ_by_name(v, (uint16_t *)(void *)r->field);
	case V_DIR_SA:
		return read_direction_sa(v, flag);
	case V_DIR_RULE:
		return read_direction_rule(v, r->field);
	case V_ACTION:
		return read_choice(v, "discard,bypass,protect", r->field);
	case V_ENGINE:
		return read_choice(v, "auto,ipsec-mb,libcrypto", r->field);
	case V_IDENT:
		return read_ident(r, (uint32_t *)(void *)r->field);
	case V_LINK:
		return read_flag(v, "ethernet,ip", flag);
	case V_CONSENT:
		*flag = strcmp(v, "i-accept-the-risk") == 0;
		return *flag;
	case V_SEED:
		return read_seed(v, r->sc);
	case V_U64:
		return read_number(v, 1, UINT64_MAX, (uint64_t *)(void *)r->field);
	case V_TFO_KEY:
		return read_tfo_key(v, &r->sc->tcp);
	case V_LIST:
		return read_list(r);
	case V_NETS:
		return read_nets(v, r->obj);
	case V_CLASSES:
		return read_classes(v, (uint32_t *)(void *)r->field);
	case V_CHOICE:
		return read_choice(v, r->rule->expected, r->field);
	case V_DROP:
		return read_flag(v, "break,drop", flag);
	case V_PROGRAMS:
		*flag = names_this_program(v);
		return true;
	case V_SPD_CHANGE:
		return read_flag(v, "preserve,break", flag);
	default:
		return true;
	}
}
