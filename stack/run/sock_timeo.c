/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * sock_timeo.c - SO_RCVTIMEO and SO_SNDTIMEO: kept for calls that block, whatever the transport.
 *
 * Nothing inside the loop ever waits, so nothing here reads them.
 */
#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/time.h>

#include "stack/run/sock_int.h"

enum { USEC = 1000000 };

bool
sock_is_timeo(int level, int opt)
{
	return level == SOL_SOCKET && (opt == SO_RCVTIMEO || opt == SO_SNDTIMEO);
}

static uint32_t *
field(struct sock *s, int opt)
{
	return opt == SO_RCVTIMEO ? &s->rcvtimeo_ms : &s->sndtimeo_ms;
}

/* As in Linux: below 0 a call must not wait at all, which 1 ms comes closest to; what is too long
 * to count is for ever. */
static uint32_t
to_ms(const struct timeval *tv)
{
	if (tv->tv_sec < 0)
		return 1;
	if (tv->tv_sec >= INT_MAX / 1000)
		return 0;
	return (uint32_t)tv->tv_sec * 1000 + ((uint32_t)tv->tv_usec + 999) / 1000;
}

int
sock_timeo_set(struct sock *s, int opt, const void *val, socklen_t len)
{
	struct timeval tv;

	if (len < sizeof(tv))
		return -EINVAL;
	memcpy(&tv, val, sizeof(tv));
	if (tv.tv_usec < 0 || tv.tv_usec >= USEC)
		return -EDOM;
	*field(s, opt) = to_ms(&tv);
	return 0;
}

int
sock_timeo_get(struct sock *s, int opt, void *val, socklen_t *len)
{
	uint32_t ms = *field(s, opt);
	struct timeval tv = {.tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000};

	if (*len < sizeof(tv))
		return -EINVAL;
	memcpy(val, &tv, sizeof(tv));
	*len = sizeof(tv);
	return 0;
}
