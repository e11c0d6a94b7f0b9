/* SPDX-License-Identifier: BSD-3-Clause */
/* addr.c - the textual form of addresses. Control path only. */
#include "stack/base/addr.h"

#include <arpa/inet.h>
#include <errno.h>

const char *
ip_addr_str(const struct ip_addr *a, char *out)
{
	if (ip_addr_is_v4(a))
		return inet_ntop(AF_INET, &a->w[3], out, IP_ADDR_STRLEN);
	return inet_ntop(AF_INET6, a->b, out, IP_ADDR_STRLEN);
}

int
ip_addr_parse(const char *text, struct ip_addr *out)
{
	struct in_addr v4;

	if (inet_pton(AF_INET, text, &v4) == 1) {
		*out = ip_addr_v4(v4.s_addr);
		return 0;
	}
	return inet_pton(AF_INET6, text, out->b) == 1 ? 0 : -EINVAL;
}
