/* SPDX-License-Identifier: BSD-3-Clause */
/* replay.c - sliding anti-replay window. */
#include "esp/replay.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Without a window, ESN still needs one to guess the high half with. */
enum { ESN_GUESS_WINDOW = 64 };

int
replay_init(struct replay *r, uint32_t size)
{
	uint32_t words = 2;

	memset(r, 0, sizeof(*r));
	r->size = size;
	/* One word more than the window: the word being filled also holds expired numbers. */
	while (words < size / 64 + 2)
		words *= 2;
	r->mask = words - 1;
	r->map = words <= REPLAY_OWN_WORDS ? r->own : calloc(words, sizeof(*r->map));
	return r->map == NULL ? -ENOMEM : 0;
}

void
replay_free(struct replay *r)
{
	if (r->map != r->own)
		free(r->map);
	r->map = NULL;
}

bool
replay_check(const struct replay *r, uint64_t seq)
{
	if (seq == 0)
		return false;
	if (r->size == 0 || seq > r->top)
		return true;
	if (r->top - seq >= r->size)
		return false;
	return (r->map[(seq / 64) & r->mask] >> (seq % 64) & 1) == 0;
}

void
replay_update(struct replay *r, uint64_t seq)
{
	if (seq > r->top) {
		uint64_t words = seq / 64 - r->top / 64;

		if (words > r->mask)
			words = r->mask + 1;
		for (uint64_t i = 1; i <= words; i++)
			r->map[(r->top / 64 + i) & r->mask] = 0;
		/* Where the whole ring was cleared, top's own word went too: all of it is old. */
		r->top = seq;
	}
	r->map[(seq / 64) & r->mask] |= UINT64_C(1) << (seq % 64);
}

uint64_t
replay_esn(const struct replay *r, uint32_t seql)
{
	uint32_t w = r->size != 0 ? r->size : ESN_GUESS_WINDOW;
	uint32_t tl = (uint32_t)r->top, th = (uint32_t)(r->top >> 32);
	uint32_t bl = tl - w + 1; /* bottom of the window, modulo 2^32 */

	if (tl >= w - 1) {
		/* Case A: the window lies in one subspace of 2^32. */
		if (seql < bl)
			th++;
	} else if (seql >= bl) {
		/* Case B: it spans two, and seql belongs to the older one. */
		if (th == 0)
			return 0;
		th--;
	}
	return (uint64_t)th << 32 | seql;
}
