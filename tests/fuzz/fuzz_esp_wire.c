/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * ESP that was changed on the wire. Input: a byte (bit 0: tunnel), then changes of three bytes
 * (offset, xor), and what remains cuts the end off. Nothing that was changed may be accepted.
 */
#include <string.h>

#include "tests/fuzz/fuzz_stack.h"

enum { IP_HLEN = 20, PAYLOAD = 64 };

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t body[PAYLOAD] = {0x45}, esp[CRAFT_MAX], changed[CRAFT_MAX], ip[CRAFT_MAX];
	uint64_t before;
	struct craft_sa *sa;
	size_t len, cut;

	if (size == 0)
		return 0;
	fuzz_open("protect");
	sa = fuzz_sa(data[0] & 1);
	len = craft_esp(sa, esp, sa->tunnel ? CRAFT_IPIP : CRAFT_TCP, body, PAYLOAD, NULL);
	memcpy(changed, esp, len);
	for (data++, size--; size >= 3; data += 3, size -= 3)
		changed[((size_t)data[0] << 8 | data[1]) % len] ^= data[2];
	cut = size == 0 ? len : len - data[0] % len;
	before = fuzz_stat(ST_ESP_IN);
	fuzz_ip(ip, craft_ip4(ip, FUZZ_PEER, FUZZ_ME, CRAFT_ESP, changed, cut));
	fuzz_run();
	fuzz_check(fuzz_stat(ST_ESP_IN) == before || (cut == len && memcmp(esp, changed, len) == 0),
		"changed ESP was accepted");
	fuzz_settle();
	return 0;
}
