/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>

#include "stack/net/route.h"
#include "tests/net/net_util.h"

static struct env *e;
static struct port second;

static struct ip_addr
ip(const char *text)
{
	struct ip_addr a;

	ck_assert_int_eq(ip_addr_parse(text, &a), 0);
	return a;
}

static int
add(const char *net, uint8_t plen, const char *gateway, uint8_t port)
{
	struct ip_addr n = ip(net), g = ip(gateway == NULL ? "0.0.0.0" : gateway);

	return route_add(&e->lc, &n, plen, gateway == NULL ? NULL : &g, port);
}

/* The route to dst as "nexthop src port mtu". */
static const char *
find(const char *dst)
{
	static char text[128];
	struct ip_addr d = ip(dst);
	char hop[IP_ADDR_STRLEN], src[IP_ADDR_STRLEN];
	struct route r;

	if (route_find(&e->lc, &d, &r) == -ENETUNREACH)
		return "none";
	snprintf(text, sizeof(text), "%s %s %u %u", ip_addr_str(&r.nexthop, hop),
		ip_addr_str(&r.src, src), r.port, r.mtu_bytes);
	return text;
}

static void
setup(void)
{
	e = env_setup();
	ck_assert_int_eq(route_create(&e->lc, "rt", SOCKET_ID_ANY), 0);
	second = (struct port){.index = 1, .mtu_bytes = 9000, .nb_addrs = 2, .realm = 7};
	second.addr[0] = (struct port_addr){.addr = ip("192.168.1.1"), .plen = 24};
	second.addr[1] = (struct port_addr){.addr = ip("172.16.0.1"), .plen = 31};
	e->lc.port[1] = &second;
	e->lc.nb_ports = 2;
	ck_assert_int_eq(add("10.0.0.0", 24, NULL, 0), 0);
	ck_assert_int_eq(add("192.168.1.0", 24, NULL, 1), 0);
	ck_assert_int_eq(add("172.16.0.0", 31, NULL, 1), 0);
}

static void
teardown(void)
{
	route_free(&e->lc);
	route_free(&e->lc);
	ck_assert_ptr_null(e->lc.route);
	env_teardown(e);
}

START_TEST(on_link_destination_is_its_own_next_hop)
{
	ck_assert_str_eq(find("10.0.0.9"), "10.0.0.9 10.0.0.1 0 1500");
	ck_assert_str_eq(find("172.16.0.0"), "172.16.0.0 172.16.0.1 1 9000");
}
END_TEST

START_TEST(longest_prefix_wins)
{
	ck_assert_int_eq(add("0.0.0.0", 0, "10.0.0.254", 0), 0);
	ck_assert_int_eq(add("8.0.0.0", 8, "192.168.1.254", 1), 0);
	ck_assert_int_eq(add("8.8.8.8", 32, "10.0.0.253", 0), 0);
	ck_assert_str_eq(find("9.9.9.9"), "10.0.0.254 10.0.0.1 0 1500");
	ck_assert_str_eq(find("8.8.8.9"), "192.168.1.254 192.168.1.1 1 9000");
	ck_assert_str_eq(find("8.8.8.8"), "10.0.0.253 10.0.0.1 0 1500");
	ck_assert_str_eq(find("10.0.0.77"), "10.0.0.77 10.0.0.1 0 1500");
}
END_TEST

START_TEST(address_without_a_route_is_unreachable)
{
	ck_assert_str_eq(find("9.9.9.9"), "none");
	ck_assert_str_eq(find("2001:db8::1"), "none");
}
END_TEST

/* RFC 1122 s3.2.1.3 */
START_TEST(what_names_no_host_is_unreachable_even_by_default_route)
{
	ck_assert_int_eq(add("0.0.0.0", 0, "10.0.0.254", 0), 0);
	ck_assert_str_eq(find("0.1.2.3"), "none");
	ck_assert_str_eq(find("127.0.0.1"), "none");
	ck_assert_str_eq(find("224.0.0.1"), "none");
	ck_assert_str_eq(find("255.255.255.255"), "none");
}
END_TEST

START_TEST(bad_routes_are_refused)
{
	struct ip_addr v6 = ip("2001:db8::"), net = ip("10.1.0.0");

	ck_assert_int_eq(add("10.0.0.0", 24, NULL, 0), -EEXIST);
	ck_assert_int_eq(add("10.1.0.1", 24, NULL, 0), -EINVAL);
	ck_assert_int_eq(add("10.1.0.0", 33, NULL, 0), -EINVAL);
	ck_assert_int_eq(add("10.1.0.0", 24, NULL, 2), -EINVAL);
	ck_assert_int_eq(add("10.1.0.0", 24, "11.0.0.1", 0), -EINVAL);
	ck_assert_int_eq(add("10.1.0.0", 24, "192.168.1.9", 0), -EINVAL);
	ck_assert_int_eq(add("10.1.0.0", 24, "0.0.0.0", 0), -EINVAL);
	ck_assert_int_eq(route_add(&e->lc, &v6, 20, NULL, 0), -EINVAL);
	ck_assert_int_eq(route_add(&e->lc, &v6, 129, NULL, 0), -EINVAL);
	ck_assert_int_eq(route_add(&e->lc, &v6, 32, &net, 0), -EINVAL);
	/* Its last 32 bits look like a gateway on the link. */
	v6 = ip("2001:db8::10.0.0.9");
	ck_assert_int_eq(route_add(&e->lc, &net, 24, &v6, 0), -EINVAL);
}
END_TEST

START_TEST(gateway_behind_a_gateway_is_refused)
{
	ck_assert_int_eq(add("11.0.0.0", 8, "10.0.0.254", 0), 0);
	ck_assert_int_eq(add("12.0.0.0", 8, "11.0.0.1", 0), -EINVAL);
}
END_TEST

START_TEST(table_is_bounded)
{
	struct ip_addr a;
	uint32_t n = 0;
	int rc = 0;

	while (rc == 0 && n < 100000) {
		a = ip_addr_v4(rte_cpu_to_be_32(0x14000000 + (n << 8)));
		rc = route_add(&e->lc, &a, 24, NULL, 0);
		n++;
	}
	ck_assert_int_eq(rc, -ENOSPC);
	ck_assert_uint_ge(n, 1024 - 3);
}
END_TEST

START_TEST(addresses_are_ours_in_their_realm_only)
{
	struct ip_addr a = ip("10.0.0.1"), b = ip("192.168.1.1"), c = ip("172.16.0.1");
	struct ip_addr peer = ip("10.0.0.2");

	ck_assert(route_is_ours(&e->lc, &a, 0));
	ck_assert(!route_is_ours(&e->lc, &a, 7));
	ck_assert(route_is_ours(&e->lc, &b, 7));
	ck_assert(route_is_ours(&e->lc, &c, 7));
	ck_assert(!route_is_ours(&e->lc, &c, 0));
	ck_assert(!route_is_ours(&e->lc, &peer, 0));
}
END_TEST

/* RFC 1122 s3.3.6; RFC 3021 s3.1 */
START_TEST(broadcast_addresses_are_known_in_their_realm)
{
	ck_assert(route_is_broadcast(&e->lc, RTE_BE32(0xffffffff), 99));
	ck_assert(route_is_broadcast(&e->lc, RTE_BE32(0x0a0000ff), 0));
	ck_assert(route_is_broadcast(&e->lc, RTE_BE32(0x0a000000), 0));
	ck_assert(!route_is_broadcast(&e->lc, RTE_BE32(0x0a0000ff), 7));
	ck_assert(!route_is_broadcast(&e->lc, RTE_BE32(0x0a000005), 0));
	ck_assert(!route_is_broadcast(&e->lc, RTE_BE32(0xac100000), 7));
	ck_assert(!route_is_broadcast(&e->lc, RTE_BE32(0xac100001), 7));
}
END_TEST

static void
note(const struct ip_addr *net, uint8_t plen, const struct route *r, void *arg)
{
	char a[IP_ADDR_STRLEN], b[IP_ADDR_STRLEN], line[160];

	snprintf(line, sizeof(line), "%s/%u via %s port %u\n", ip_addr_str(net, a), plen,
		ip_addr_str(&r->nexthop, b), r->port);
	strcat(arg, line);
}

START_TEST(every_route_is_shown_once)
{
	char text[1024] = "";

	ck_assert_int_eq(add("0.0.0.0", 0, "10.0.0.254", 0), 0);
	route_foreach(&e->lc, note, text);
	ck_assert_str_eq(text, "0.0.0.0/0 via 10.0.0.254 port 0\n"
			       "10.0.0.0/24 via 0.0.0.0 port 0\n"
			       "172.16.0.0/31 via 0.0.0.0 port 1\n"
			       "192.168.1.0/24 via 0.0.0.0 port 1\n");
}
END_TEST

int
main(void)
{
	Suite *s = suite_create("route");
	TCase *c = tcase_create("route");

	tcase_add_checked_fixture(c, setup, teardown);
	tcase_add_test(c, on_link_destination_is_its_own_next_hop);
	tcase_add_test(c, longest_prefix_wins);
	tcase_add_test(c, address_without_a_route_is_unreachable);
	tcase_add_test(c, what_names_no_host_is_unreachable_even_by_default_route);
	tcase_add_test(c, bad_routes_are_refused);
	tcase_add_test(c, gateway_behind_a_gateway_is_refused);
	tcase_add_test(c, table_is_bounded);
	tcase_add_test(c, addresses_are_ours_in_their_realm_only);
	tcase_add_test(c, broadcast_addresses_are_known_in_their_realm);
	tcase_add_test(c, every_route_is_shown_once);
	suite_add_tcase(s, c);
	return env_main(s);
}
