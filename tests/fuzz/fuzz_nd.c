/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * ICMPv6 with a right checksum: neighbour discovery, router advertisements, errors. Input, for
 * each message: flags (bits 0-1 source, bits 2-3 destination, bit 4 a wrong hop limit), length of
 * what follows (type, code, body).
 */
#include <string.h>

#include "tests/fuzz/fuzz_stack.h"

static const uint8_t sources[4][16] = {
	{0xfd, [15] = 2}, {0xfe, 0x80, [15] = 2}, {0}, {0xfd, [15] = 9}};
static const uint8_t destinations[4][16] = {{0xfd, [15] = 1}, {0xff, 2, [15] = 1},
	{0xff, 2, [11] = 1, [12] = 0xff, [15] = 1},
	{0xfe, 0x80, [8] = 0, [11] = 0xff, 0xfe, 0, 0, 1}};

static uint32_t
sum16(const uint8_t *p, size_t len, uint32_t sum)
{
	for (size_t i = 0; i + 1 < len; i += 2)
		sum += (uint32_t)p[i] << 8 | p[i + 1];
	if (len % 2 != 0)
		sum += (uint32_t)p[len - 1] << 8;
	return sum;
}

static void
message(uint8_t flags, const uint8_t *body, size_t len)
{
	uint8_t ip[400] = {0x60, 0, 0, 0, 0, (uint8_t)(len + 2), 58};
	uint32_t sum;

	ip[7] = (flags & 16) != 0 ? 64 : 255;
	memcpy(ip + 8, sources[flags & 3], 16);
	memcpy(ip + 24, destinations[flags >> 2 & 3], 16);
	ip[40] = body[0];
	ip[41] = body[1];
	memcpy(ip + 44, body + 2, len - 2);
	sum = sum16(ip + 8, 32, (uint32_t)len + 2 + 58);
	sum = sum16(ip + 40, len + 2, sum);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = ~((sum & 0xffff) + (sum >> 16));
	ip[42] = (uint8_t)(sum >> 8);
	ip[43] = (uint8_t)sum;
	fuzz_ip(ip, len + 42);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	fuzz_open("bypass");
	while (size >= 4) {
		uint8_t flags = data[0];
		size_t len = data[1];

		data += 2;
		size -= 2;
		if (len > size)
			len = size;
		if (len >= 2)
			message(flags, data, len);
		fuzz_run();
		data += len;
		size -= len;
	}
	fuzz_settle();
	return 0;
}
