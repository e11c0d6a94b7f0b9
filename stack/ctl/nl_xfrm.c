/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * nl_xfrm.c - addresses and selectors of linux/xfrm.h in ours, and back.
 *
 * Linux writes source and destination, we write local and remote: which is which depends on the
 * direction. Of ICMP, Linux has the type in the source port and the code in the destination port.
 */
#include "stack/ctl/nl_xfrm.h"

#include <errno.h>
#include <netinet/in.h>
#include <sys/socket.h>

int
nl_proto_read(struct nl_req *q, uint8_t proto)
{
	if (proto == IPPROTO_N_ESP)
		return 0;
	return nl_refuse(q, proto == IPPROTO_AH || proto == IPPROTO_COMP ? -EOPNOTSUPP : -EINVAL,
		"protocol %u: expected ESP (50)", proto);
}

int
nl_addr_read(struct nl_req *q, const char *what, uint16_t family, const xfrm_address_t *x,
	struct ip_addr *out)
{
	if (family == AF_INET) {
		*out = ip_addr_v4(x->a4);
		return 0;
	}
	if (family != AF_INET6)
		return nl_refuse(q, -EINVAL, "%s: expected AF_INET or AF_INET6, got family %u",
			what, family);
	memcpy(out->b, x->a6, sizeof(out->b));
	if (ip_addr_is_v4(out))
		return nl_refuse(
			q, -EINVAL, "%s: an IPv4 address in mapped form; expected AF_INET", what);
	return 0;
}

void
nl_addr_write(const struct ip_addr *a, xfrm_address_t *x)
{
	memset(x, 0, sizeof(*x));
	if (ip_addr_is_v4(a))
		x->a4 = ip_addr_to_v4(a);
	else
		memcpy(x->a6, a->b, sizeof(a->b));
}

uint16_t
nl_addr_family(const struct ip_addr *a)
{
	return ip_addr_is_v4(a) ? AF_INET : AF_INET6;
}

bool
nl_addr_is_ours(const struct tl_stack *s, const struct ip_addr *a)
{
	for (uint32_t i = 0; i < s->conf.nb_ports; i++) {
		for (uint32_t j = 0; j < s->conf.port[i].nb_addrs; j++) {
			if (ip_addr_eq(&s->conf.port[i].addr[j].addr, a))
				return true;
		}
	}
	return false;
}

/* ---- selectors ---- */

static int
read_net(struct nl_req *q, const char *what, uint16_t family, const xfrm_address_t *x, uint8_t plen,
	struct addr_range *out)
{
	struct ip_addr net;
	int rc;

	if (family == AF_UNSPEC) {
		if (plen != 0)
			return nl_refuse(
				q, -EINVAL, "selector %s: a prefix without a family", what);
		memset(&net, 0, sizeof(net));
		addr_range_of_net(out, &net, 0);
		return 0;
	}
	if (plen > (family == AF_INET ? 32 : 128))
		return nl_refuse(q, -EINVAL, "selector %s: a prefix length of %u", what, plen);
	rc = nl_addr_read(q, what, family, x, &net);
	if (rc == 0)
		addr_range_of_net(out, &net, (uint8_t)(family == AF_INET ? plen + 96 : plen));
	return rc;
}

static int
read_port(struct nl_req *q, const char *what, rte_be16_t port, rte_be16_t mask,
	struct port_range *out)
{
	*out = port_range_any;
	if (mask == 0)
		return 0;
	if (mask != 0xffff)
		return nl_refuse(q, -EINVAL,
			"selector %s: expected a mask of 0 or 0xffff; ranges go into TL_CTL_A_SEL",
			what);
	out->lo = out->hi = rte_be_to_cpu_16(port);
	return 0;
}

/* RFC 4301 s4.4.1.1: type and code are one selector of 16 bits. */
static int
read_icmp(struct nl_req *q, const struct port_range *type, const struct port_range *code,
	struct esp_sel *out)
{
	bool any_type = type->lo != type->hi, any_code = code->lo != code->hi;

	out->lport = out->rport = port_range_any;
	if (any_type && any_code)
		return 0;
	if (any_type)
		return nl_refuse(q, -EINVAL, "selector: an ICMP code without its type");
	if (type->lo > 255 || (!any_code && code->lo > 255))
		return nl_refuse(q, -EINVAL, "selector: ICMP type and code are 0 to 255");
	out->lport.lo = (uint16_t)(type->lo << 8 | (any_code ? 0 : code->lo));
	out->lport.hi = (uint16_t)(type->lo << 8 | (any_code ? 255 : code->lo));
	return 0;
}

static bool
is_icmp(uint8_t proto)
{
	return proto == IPPROTO_N_ICMP || proto == IPPROTO_N_ICMP6;
}

int
nl_sel_read(struct nl_req *q, const struct xfrm_selector *x, bool inbound, struct esp_sel *out)
{
	struct addr_range src, dst;
	struct port_range sport, dport;
	int rc;

	if (x->ifindex != 0 || x->user != 0)
		return nl_refuse(
			q, -EOPNOTSUPP, "selector: an interface or a user is not supported");
	rc = read_net(q, "source", x->family, &x->saddr, x->prefixlen_s, &src);
	if (rc == 0)
		rc = read_net(q, "destination", x->family, &x->daddr, x->prefixlen_d, &dst);
	if (rc == 0)
		rc = read_port(q, "source port", x->sport, x->sport_mask, &sport);
	if (rc == 0)
		rc = read_port(q, "destination port", x->dport, x->dport_mask, &dport);
	if (rc != 0)
		return rc;
	out->proto = x->proto;
	out->local = inbound ? dst : src;
	out->remote = inbound ? src : dst;
	if (is_icmp(x->proto))
		return read_icmp(q, &sport, &dport, out);
	out->lport = inbound ? dport : sport;
	out->rport = inbound ? sport : dport;
	return 0;
}

/* The longest prefix that holds both ends. */
static uint8_t
covering_plen(const struct addr_range *r)
{
	uint8_t bits = 0;

	for (uint32_t i = 0; i < 16; i++) {
		uint8_t diff = r->lo.b[i] ^ r->hi.b[i];

		if (diff != 0)
			return (uint8_t)(bits + __builtin_clz(diff) - 24);
		bits = (uint8_t)(bits + 8);
	}
	return 128;
}

static uint16_t
sel_family(const struct esp_sel *sel)
{
	const struct addr_range *r = covering_plen(&sel->local) != 0 ? &sel->local : &sel->remote;

	if (covering_plen(r) == 0)
		return AF_UNSPEC;
	return nl_addr_family(&r->lo);
}

static uint8_t
write_net(const struct addr_range *r, uint16_t family, xfrm_address_t *x)
{
	uint8_t plen = covering_plen(r);

	memset(x, 0, sizeof(*x));
	if (plen == 0)
		return 0;
	nl_addr_write(&r->lo, x);
	return (uint8_t)(family == AF_INET ? plen - 96 : plen);
}

static void
write_port(const struct port_range *r, rte_be16_t *port, rte_be16_t *mask)
{
	*mask = r->lo == r->hi ? 0xffff : 0;
	*port = r->lo == r->hi ? rte_cpu_to_be_16(r->lo) : 0;
}

static void
write_icmp(const struct port_range *r, struct xfrm_selector *x)
{
	const struct port_range type = {r->lo >> 8, r->hi >> 8};
	const struct port_range code = {r->lo & 0xff, r->hi & 0xff};

	write_port(&type, &x->sport, &x->sport_mask);
	if (x->sport_mask != 0)
		write_port(&code, &x->dport, &x->dport_mask);
}

void
nl_sel_write(const struct esp_sel *sel, bool inbound, struct xfrm_selector *x)
{
	const struct addr_range *src = inbound ? &sel->remote : &sel->local;
	const struct addr_range *dst = inbound ? &sel->local : &sel->remote;

	memset(x, 0, sizeof(*x));
	x->family = sel_family(sel);
	x->prefixlen_s = write_net(src, x->family, &x->saddr);
	x->prefixlen_d = write_net(dst, x->family, &x->daddr);
	x->proto = sel->proto;
	if (is_icmp(sel->proto)) {
		write_icmp(&sel->lport, x);
		return;
	}
	write_port(inbound ? &sel->rport : &sel->lport, &x->sport, &x->sport_mask);
	write_port(inbound ? &sel->lport : &sel->rport, &x->dport, &x->dport_mask);
}

static int
check_range(struct nl_req *q, const struct addr_range *r)
{
	if (ip_addr_cmp(&r->lo, &r->hi) <= 0 &&
		(ip_addr_is_v4(&r->lo) == ip_addr_is_v4(&r->hi) || addr_range_plen(r) == 0))
		return 0;
	return nl_refuse(q, -EINVAL,
		"TL_CTL_A_SEL: an address range runs backwards, or mixes "
		"IPv4 and IPv6");
}

/* RFC 7296 s3.13.1: only 65535 to 0 means OPAQUE. */
static int
check_ports(struct nl_req *q, const struct port_range *r)
{
	if (r->lo <= r->hi || (r->lo == 65535 && r->hi == 0))
		return 0;
	return nl_refuse(
		q, -EINVAL, "TL_CTL_A_SEL: ports %u to %u, expected the lower first", r->lo, r->hi);
}

int
nl_sel_read_own(struct nl_req *q, const struct nlattr *a, struct esp_sel *out)
{
	struct tl_ctl_sel x;
	int rc;

	nl_get(a, &x, sizeof(x));
	if (x.proto > 255)
		return nl_refuse(q, -EINVAL, "TL_CTL_A_SEL: a protocol of %u", x.proto);
	memcpy(out->local.lo.b, x.local_lo, 16);
	memcpy(out->local.hi.b, x.local_hi, 16);
	memcpy(out->remote.lo.b, x.remote_lo, 16);
	memcpy(out->remote.hi.b, x.remote_hi, 16);
	out->lport = (struct port_range){x.lport_lo, x.lport_hi};
	out->rport = (struct port_range){x.rport_lo, x.rport_hi};
	out->proto = (uint8_t)x.proto;
	rc = check_range(q, &out->local);
	if (rc == 0)
		rc = check_range(q, &out->remote);
	if (rc == 0)
		rc = check_ports(q, &out->lport);
	return rc != 0 ? rc : check_ports(q, &out->rport);
}

void
nl_sel_put_own(struct nlmsghdr *h, const struct esp_sel *sel)
{
	struct tl_ctl_sel x = {.lport_lo = sel->lport.lo,
		.lport_hi = sel->lport.hi,
		.rport_lo = sel->rport.lo,
		.rport_hi = sel->rport.hi,
		.proto = sel->proto};

	memcpy(x.local_lo, sel->local.lo.b, 16);
	memcpy(x.local_hi, sel->local.hi.b, 16);
	memcpy(x.remote_lo, sel->remote.lo.b, 16);
	memcpy(x.remote_hi, sel->remote.hi.b, 16);
	mnl_attr_put(h, TL_CTL_A_SEL, sizeof(x), &x);
}
