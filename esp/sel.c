/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * sel.c - selectors: which flows an SA or a policy covers (RFC 4301 s4.4.1.1).
 *
 * Asked for every packet that comes out of ESP, and by the SPD. Addresses of both versions are
 * 128-bit numbers here, so a range is two comparisons.
 */
#include "esp/esp.h"

const struct port_range port_range_any = {0, 65535};
const struct port_range port_range_opaque = {65535, 0};

void
esp_sel_any(struct esp_sel *sel, uint32_t realm)
{
	struct ip_addr lowest = {.q = {0, 0}}, highest = {.q = {UINT64_MAX, UINT64_MAX}};

	*sel = (struct esp_sel){.local = {lowest, highest},
		.remote = {lowest, highest},
		.lport = port_range_any,
		.rport = port_range_any,
		.realm = realm};
}

void
addr_range_of_net(struct addr_range *r, const struct ip_addr *net, uint8_t plen)
{
	r->lo = r->hi = *net;
	for (uint32_t i = 0; i < 16; i++) {
		uint32_t fixed = plen > i * 8 ? plen - i * 8 : 0;
		uint8_t host = (uint8_t)(fixed >= 8 ? 0 : 0xff >> fixed);

		r->lo.b[i] &= (uint8_t)~host;
		r->hi.b[i] |= host;
	}
}

void
addr_range_of_host(struct addr_range *r, const struct ip_addr *a)
{
	r->lo = r->hi = *a;
}

/* RFC 4301 s4.4.1.1: OPAQUE is for what shows no ports. */
static bool
port_match(const struct port_range *r, uint8_t proto, uint16_t port)
{
	if (unlikely(r->lo > r->hi))
		return !proto_has_ports(proto);
	return port >= r->lo && port <= r->hi;
}

bool
esp_sel_match(const struct esp_sel *sel, const struct flow_key *k)
{
	if (sel->realm != k->realm || (sel->proto != 0 && sel->proto != k->proto))
		return false;
	if (!port_match(&sel->lport, k->proto, rte_be_to_cpu_16(k->lport)) ||
		!port_match(&sel->rport, k->proto, rte_be_to_cpu_16(k->rport)))
		return false;
	return addr_range_has(&sel->local, &k->local) && addr_range_has(&sel->remote, &k->remote);
}

bool
esp_sel_match_fragment(const struct esp_sel *sel, const struct flow_key *k)
{
	if (sel->realm != k->realm || (sel->proto != 0 && sel->proto != k->proto))
		return false;
	if (!port_range_takes_fragments(&sel->lport) || !port_range_takes_fragments(&sel->rport))
		return false;
	return addr_range_has(&sel->local, &k->local) && addr_range_has(&sel->remote, &k->remote);
}

static bool
addr_overlap(const struct addr_range *a, const struct addr_range *b)
{
	return ip_addr_cmp(&a->lo, &b->hi) <= 0 && ip_addr_cmp(&b->lo, &a->hi) <= 0;
}

static bool
port_overlap(const struct port_range *a, const struct port_range *b)
{
	bool a_opaque = a->lo > a->hi, b_opaque = b->lo > b->hi;

	if (a_opaque || b_opaque)
		return port_range_takes_fragments(a) && port_range_takes_fragments(b);
	return a->lo <= b->hi && b->lo <= a->hi;
}

bool
esp_sel_overlap(const struct esp_sel *a, const struct esp_sel *b)
{
	if (a->realm != b->realm)
		return false;
	if (a->proto != 0 && b->proto != 0 && a->proto != b->proto)
		return false;
	return port_overlap(&a->lport, &b->lport) && port_overlap(&a->rport, &b->rport) &&
	       addr_overlap(&a->local, &b->local) && addr_overlap(&a->remote, &b->remote);
}

bool
addr_range_is_host(const struct addr_range *r)
{
	return ip_addr_eq(&r->lo, &r->hi);
}

int
addr_range_plen(const struct addr_range *r)
{
	uint32_t plen = ip_addr_common_bits(&r->lo, &r->hi);
	struct addr_range net;

	addr_range_of_net(&net, &r->lo, (uint8_t)plen);
	if (!ip_addr_eq(&net.lo, &r->lo) || !ip_addr_eq(&net.hi, &r->hi))
		return -1;
	return (int)plen;
}

bool
esp_sel_is_flow(const struct esp_sel *sel)
{
	return sel->proto != 0 && addr_range_is_host(&sel->local) &&
	       addr_range_is_host(&sel->remote) && sel->lport.lo == sel->lport.hi &&
	       sel->rport.lo == sel->rport.hi;
}
