/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What an authenticated peer can put into ESP. Input: a byte of flags (bit 0 tunnel, bit 1 a
 * trailer of its own), next header, pad length, first pad byte, bytes of padding, then the
 * plaintext.
 */
#include "tests/fuzz/fuzz_stack.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t esp[CRAFT_MAX], ip[CRAFT_MAX];
	struct craft_trailer t = {0};
	struct craft_sa *sa;
	uint64_t before;

	if (size < 5 || size > 1400)
		return 0;
	fuzz_open("protect");
	sa = fuzz_sa(data[0] & 1);
	if ((data[0] & 2) != 0)
		t = (struct craft_trailer){.set = true,
			.pad_len = data[2],
			.first = data[3],
			.real_pad = data[4] % 32};
	before = fuzz_stat(ST_ESP_IN);
	fuzz_ip(ip, craft_ip4(ip, FUZZ_PEER, FUZZ_ME, CRAFT_ESP, esp,
			    craft_esp(sa, esp, data[1], data + 5, size - 5, &t)));
	fuzz_run();
	/* A trailer of its own may not fill a word; else the packet is authentic. */
	fuzz_check(t.set || fuzz_stat(ST_ESP_IN) == before + 1, "authentic ESP was refused");
	fuzz_settle();
	return 0;
}
