/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * sctp_crc.c - CRC32c: the CPU's instruction in three lanes, or a table of 16 entries.
 *
 * Called once for each packet in either direction. The instruction has a latency of three cycles
 * and a throughput of one, so three lanes run side by side; a carry-less multiplication moves a
 * lane's remainder over the bytes behind it.
 */
#include "sctp/sctp_crc.h"

#include <string.h>
#include <rte_byteorder.h>

enum { SUM_AT = 8, SUM_LEN = 4 };

uint32_t
sctp_crc_add_table(uint32_t crc, const void *p, size_t len)
{
	/* Of four bits each: entry i is i multiplied by x^4, modulo the polynomial. */
	static const uint32_t step[16] = {0x00000000, 0x105ec76f, 0x20bd8ede, 0x30e349b1,
		0x417b1dbc, 0x5125dad3, 0x61c69362, 0x7198540d, 0x82f63b78, 0x92a8fc17, 0xa24bb5a6,
		0xb21572c9, 0xc38d26c4, 0xd3d3e1ab, 0xe330a81a, 0xf36e6f75};
	const uint8_t *b = p;

	for (size_t i = 0; i < len; i++) {
		crc ^= b[i];
		crc = crc >> 4 ^ step[crc & 15];
		crc = crc >> 4 ^ step[crc & 15];
	}
	return crc;
}

#if defined(__x86_64__)
#include <immintrin.h>

enum { LANE = 256 };
/* x^(8 * LANE - 33) and x^(16 * LANE - 33) modulo the polynomial: what a lane is multiplied by to
 * stand LANE or 2 * LANE bytes further left; the instruction brings the missing x^33. */
#define OVER_ONE UINT64_C(0xb9e02b86)
#define OVER_TWO UINT64_C(0xdd7e3b0c)

__attribute__((target("sse4.2,pclmul"))) static inline uint64_t
word(const uint8_t *p)
{
	uint64_t w;

	memcpy(&w, p, sizeof(w));
	return w;
}

__attribute__((target("sse4.2,pclmul"))) static inline uint64_t
move(uint64_t crc, uint64_t by)
{
	__m128i r = _mm_clmulepi64_si128(
		_mm_cvtsi64_si128((long long)crc), _mm_cvtsi64_si128((long long)by), 0);

	return _mm_crc32_u64(0, (uint64_t)_mm_cvtsi128_si64(r));
}

__attribute__((target("sse4.2,pclmul"))) static uint32_t
add_cpu(uint32_t start, const uint8_t *p, size_t len)
{
	uint64_t crc = start;

	for (; len >= 3 * LANE; p += 3 * LANE, len -= 3 * LANE) {
		uint64_t b = 0, c = 0;

		for (size_t i = 0; i < LANE; i += 8) {
			crc = _mm_crc32_u64(crc, word(p + i));
			b = _mm_crc32_u64(b, word(p + LANE + i));
			c = _mm_crc32_u64(c, word(p + 2 * LANE + i));
		}
		crc = move(crc, OVER_TWO) ^ move(b, OVER_ONE) ^ c;
	}
	for (; len >= 8; p += 8, len -= 8)
		crc = _mm_crc32_u64(crc, word(p));
	for (; len > 0; p++, len--)
		crc = _mm_crc32_u8((uint32_t)crc, *p);
	return (uint32_t)crc;
}

uint32_t
sctp_crc_add(uint32_t crc, const void *p, size_t len)
{
	if (__builtin_cpu_supports("sse4.2") && __builtin_cpu_supports("pclmul"))
		return add_cpu(crc, p, len);
	return sctp_crc_add_table(crc, p, len);
}
#else
uint32_t
sctp_crc_add(uint32_t crc, const void *p, size_t len)
{
	return sctp_crc_add_table(crc, p, len);
}
#endif

uint32_t
sctp_crc_packet(const uint8_t *p, size_t len)
{
	uint8_t head[SUM_AT + SUM_LEN] = {0};
	uint32_t crc;

	memcpy(head, p, SUM_AT);
	crc = sctp_crc_add(UINT32_MAX, head, sizeof(head));
	return ~sctp_crc_add(crc, p + sizeof(head), len - sizeof(head));
}
