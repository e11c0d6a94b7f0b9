/* SPDX-License-Identifier: BSD-3-Clause */
/* stat.c - the names of drop reasons and counters. */
#include "stack/base/stat.h"

#define STAT_X_DROP_NAME(sym, name, text) name,
#define STAT_X_DROP_TEXT(sym, name, text) text,
#define STAT_X_STAT_NAME(sym, name)       name,

const char *
drop_reason_name(enum drop_reason r)
{
	static const char *const names[DROP_MAX] = {DROP_REASONS(STAT_X_DROP_NAME)};

	return r < DROP_MAX ? names[r] : "?";
}

const char *
drop_reason_text(enum drop_reason r)
{
	static const char *const texts[DROP_MAX] = {DROP_REASONS(STAT_X_DROP_TEXT)};

	return r < DROP_MAX ? texts[r] : "?";
}

const char *
stat_name(enum stat_id s)
{
	static const char *const names[ST_MAX] = {STATS(STAT_X_STAT_NAME)};

	return s < ST_MAX ? names[s] : "?";
}

bool
drop_reason_is_loss(enum drop_reason r)
{
	switch (r) {
	case DROP_ARP_DONE:
	case DROP_ND_DONE:
	case DROP_NATT_KEEPALIVE:
	case DROP_BUF_DONE:
	case DROP_TCP_DONE:
	case DROP_UDP_DONE:
	case DROP_SCTP_DONE:
	case DROP_ICMP_DONE:
	case DROP_EXCEPT_DONE:
		return false;
	default:
		return true;
	}
}
