/* SPDX-License-Identifier: BSD-3-Clause */
/* Frames from the wire, Ethernet to L4. Input: for each frame two bytes of length, then its bytes.
 */
#include "tests/fuzz/fuzz_stack.h"

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	fuzz_open("bypass");
	while (size > 2) {
		size_t len = (size_t)data[0] << 8 | data[1];

		data += 2;
		size -= 2;
		if (len > size)
			len = size;
		fuzz_frame(data, len);
		fuzz_run();
		data += len;
		size -= len;
	}
	fuzz_settle();
	return 0;
}
