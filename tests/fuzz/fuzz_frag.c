/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Fragments with right headers, in any order and overlap. Input, six bytes for each: flags (bit 0
 * IPv6, bit 1 more follow, bit 2 inside a tunnel, bit 3 another source), id, offset (2), length
 * (2, modulo 1200).
 */
#include <string.h>

#include "tests/fuzz/fuzz_stack.h"

enum { V6 = 1, MORE = 2, TUNNEL = 4, OTHER = 8 };

static void
put16(uint8_t *p, size_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static size_t
fragment4(uint8_t *out, const uint8_t *r, const uint8_t *body, size_t len)
{
	size_t n = craft_ip4(out, FUZZ_PEER + (r[0] & OTHER), FUZZ_ME, CRAFT_TCP, body, len);

	craft_ip4_fragment(out, r[1], (((size_t)r[2] << 8 | r[3]) & 0x1fff) * 8, r[0] & MORE);
	return n;
}

static size_t
fragment6(uint8_t *out, const uint8_t *r, const uint8_t *body, size_t len)
{
	memset(out, 0, 48);
	out[0] = 0x60;
	put16(out + 4, len + 8);
	out[6] = 44;
	out[7] = 64;
	out[8] = out[24] = 0xfd;
	out[23] = (r[0] & OTHER) != 0 ? 9 : 2;
	out[39] = 1;
	out[40] = CRAFT_TCP;
	put16(out + 42, (((size_t)r[2] << 8 | r[3]) & ~(size_t)7) | ((r[0] & MORE) != 0));
	out[47] = r[1];
	memcpy(out + 48, body, len);
	return len + 48;
}

static void
one(const uint8_t *r)
{
	static uint8_t body[1200];
	uint8_t ip[CRAFT_MAX], esp[CRAFT_MAX], outer[CRAFT_MAX];
	size_t len = ((size_t)r[4] << 8 | r[5]) % sizeof(body);

	if ((r[0] & MORE) != 0)
		len &= ~(size_t)7;
	len = (r[0] & V6) != 0 ? fragment6(ip, r, body, len) : fragment4(ip, r, body, len);
	if ((r[0] & TUNNEL) == 0) {
		fuzz_ip(ip, len);
		return;
	}
	len = craft_esp(fuzz_sa(1), esp, (r[0] & V6) != 0 ? 41 : CRAFT_IPIP, ip, len, NULL);
	fuzz_ip(outer, craft_ip4(outer, FUZZ_PEER, FUZZ_ME, CRAFT_ESP, esp, len));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	fuzz_open("protect");
	for (unsigned int n = 0; size >= 6 && n < 60; data += 6, size -= 6, n++) {
		one(data);
		fuzz_run();
	}
	fuzz_settle();
	return 0;
}
