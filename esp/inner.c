/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * inner.c - whether the packet in a tunnel is one that its SA may carry (E-1, F-59).
 *
 * Reads just enough of the inner header to ask the selectors, before the packet is tagged; ip_in()
 * does the full checks afterwards.
 */
#include <rte_ip.h>

#include "esp/sa.h"
#include "stack/base/ip6_ext.h"

/* What the selectors are asked about. */
struct inner {
	struct flow_key key;
	uint32_t l4_off;
	bool is_fragment, is_later;
};

static bool
read4(const uint8_t *ip, uint32_t len, struct inner *in)
{
	struct rte_ipv4_hdr h;

	if (len < sizeof(h))
		return false;
	memcpy(&h, ip, sizeof(h));
	in->l4_off = (h.version_ihl & 0xfu) * 4;
	if (in->l4_off < sizeof(h) || in->l4_off > len)
		return false;
	in->key.local = ip_addr_v4(h.dst_addr);
	in->key.remote = ip_addr_v4(h.src_addr);
	in->key.proto = h.next_proto_id;
	in->is_fragment = (rte_be_to_cpu_16(h.fragment_offset) & 0x3fff) != 0;
	in->is_later = (rte_be_to_cpu_16(h.fragment_offset) & 0x1fff) != 0;
	return true;
}

static bool
read6(const uint8_t *ip, uint32_t len, uint8_t port, struct inner *in)
{
	struct ip6_upper up;
	struct rte_ipv6_hdr h;

	if (ip6_ext_walk(ip, len, &up) != IP6_EXT_OK)
		return false;
	memcpy(&h, ip, sizeof(h));
	memcpy(in->key.local.b, h.dst_addr, 16);
	memcpy(in->key.remote.b, h.src_addr, 16);
	/* RFC 4291 s2.5.5.2: a mapped address never stands on a wire; here it would mean IPv4. */
	if (ip_addr_is_v4(&in->key.local) || ip_addr_is_v4(&in->key.remote))
		return false;
	if (ip_addr_is_link_local(&in->key.local))
		ip_addr_set_scope(&in->key.local, port);
	if (ip_addr_is_link_local(&in->key.remote))
		ip_addr_set_scope(&in->key.remote, port);
	in->key.proto = up.nxt;
	in->l4_off = up.off;
	in->is_fragment = up.frag_data != 0 || up.more;
	in->is_later = up.frag_data != 0;
	return true;
}

bool
esp_inner_selected(
	const struct esp_sa *sa, uint8_t nxt, uint8_t port, const uint8_t *ip, uint32_t len)
{
	struct inner in = {.key = {.realm = sa->conf.realm}};
	const struct esp_sel *sel = &sa->conf.sel;

	/* RFC 4303 s2.6: the next header says which version the packet must have. */
	if (len == 0 || ip[0] >> 4 != (nxt == IPPROTO_N_IPIP ? 4 : 6))
		return false;
	if (!(nxt == IPPROTO_N_IPIP ? read4(ip, len, &in) : read6(ip, len, port, &in)))
		return false;
	/* F-56: a fragment must be one that the SA takes, and a first one shows its ports too. */
	if (in.is_fragment && !esp_sel_match_fragment(sel, &in.key))
		return false;
	if (in.is_later)
		return true;
	return pkt_read_ports(&in.key, ip + in.l4_off, len - in.l4_off) &&
	       esp_sel_match(sel, &in.key);
}
