/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * name.c - words for the numbers in the public headers, as configuration and tables write them.
 *
 * Needs nothing but libc: the client of the control socket has it too.
 */
#include <stddef.h>

#include "stack/include/tl_ipsec.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

const char *
tl_ident_type_name(unsigned int type)
{
	static const char *const names[] = {
		[TL_ID_IPV4_ADDR] = "ipv4",
		[TL_ID_FQDN] = "fqdn",
		[TL_ID_RFC822_ADDR] = "rfc822",
		[TL_ID_IPV6_ADDR] = "ipv6",
		[TL_ID_DER_ASN1_DN] = "dn",
		[TL_ID_KEY_ID] = "key-id",
		[TL_ID_NULL] = "null",
	};

	return type < COUNT(names) && names[type] != NULL ? names[type] : "?";
}

const char *
tl_latch_mode_name(unsigned int mode)
{
	static const char *const names[] = {
		[TL_LATCH_MODE_ANY] = "any",
		[TL_LATCH_MODE_TRANSPORT] = "transport",
		[TL_LATCH_MODE_TUNNEL] = "tunnel",
	};

	return mode < COUNT(names) ? names[mode] : names[TL_LATCH_MODE_ANY];
}
