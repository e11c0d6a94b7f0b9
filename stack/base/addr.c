/* SPDX-License-Identifier: BSD-3-Clause */
/* addr.c - the textual form of addresses. Control path only. */
#include "stack/base/addr.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

const char *
ip_addr_str(const struct ip_addr *a, char *out)
{
	struct ip_addr wire;

	if (ip_addr_is_v4(a))
		return inet_ntop(AF_INET, &a->w[3], out, IP_ADDR_STRLEN);
	wire = ip_addr_wire(a);
	inet_ntop(AF_INET6, wire.b, out, IP_ADDR_STRLEN);
	if (ip_addr_scope(a) != 0)
		snprintf(out + strlen(out), IP_ADDR_STRLEN - strlen(out), "%%%u", ip_addr_scope(a));
	return out;
}

static int
parse_scope(const char *text, struct ip_addr *out)
{
	char *end;
	unsigned long n = strtoul(text, &end, 10);

	if (end == text || *end != '\0' || n == 0 || n > UINT8_MAX || !ip_addr_is_link_local(out))
		return -EINVAL;
	ip_addr_set_scope(out, (uint8_t)(n - 1));
	return 0;
}

int
ip_addr_parse(const char *text, struct ip_addr *out)
{
	char buf[INET6_ADDRSTRLEN];
	struct in_addr v4;
	size_t n;

	if (inet_pton(AF_INET, text, &v4) == 1) {
		*out = ip_addr_v4(v4.s_addr);
		return 0;
	}
	n = strcspn(text, "%");
	if (n >= sizeof(buf))
		return -EINVAL;
	memcpy(buf, text, n);
	buf[n] = '\0';
	if (inet_pton(AF_INET6, buf, out->b) != 1)
		return -EINVAL;
	if (ip_addr_scope(out) != 0 || (ip_addr_is_link_local(out) && out->b[2] != 0))
		return -EINVAL;
	return text[n] == '\0' ? 0 : parse_scope(text + n + 1, out);
}
