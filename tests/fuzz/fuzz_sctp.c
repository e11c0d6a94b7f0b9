/* SPDX-License-Identifier: BSD-3-Clause */
/* SCTP packets, ports and checksum made right: the parsers in a buffer of exactly that size, then a
 * whole stack. Input: what follows the common header, after four bytes of verification tag. */
#include <stdlib.h>
#include <string.h>

#include "sctp/sctp_wire.h"
#include "tests/fuzz/fuzz_stack.h"

enum { SCTP = 132, MOST = 1400, TAG_LEN = 4 };

/* As a handler would, whatever the chunk says that it is. */
static void
parse_all(const struct sctp_chunk *c)
{
	struct sctp_init init;
	struct sctp_sack sack;
	struct sctp_data data;
	struct sctp_bytes info;
	uint16_t start, end;

	if (sctp_wire_init(c, &init))
		fuzz_check(init.nb_addrs <= SCTP_ADDRS_MAX, "too many addresses");
	sctp_wire_data(c, &data);
	sctp_wire_cause(c);
	sctp_wire_heartbeat(c, &info);
	if (!sctp_wire_sack(c, &sack))
		return;
	for (uint32_t i = 0; i < sack.nb_gaps; i++)
		sctp_sack_gap(&sack, i, &start, &end);
}

static void
parse(const uint8_t *p, size_t len)
{
	uint8_t *copy = malloc(len);
	struct sctp_chunk c;
	struct sctp_walk w;
	struct sctp_hdr h;

	memcpy(copy, p, len);
	if (sctp_wire_frame(copy, (uint32_t)len, &h) == DROP_NONE) {
		sctp_walk_start(&w, copy, (uint32_t)len);
		while (sctp_walk_next(&w, &c))
			parse_all(&c);
	}
	free(copy);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t l4[SCTP_HLEN + MOST], ip[SCTP_HLEN + MOST + 64];
	struct sctp_emit e = {.p = l4, .cap = sizeof(l4)};

	fuzz_open("bypass");
	if (size < TAG_LEN || size > MOST)
		return 0;
	sctp_emit_header(&e, RTE_BE16(4000), RTE_BE16(7), sctp_get32(data));
	memcpy(l4 + SCTP_HLEN, data + TAG_LEN, size - TAG_LEN);
	e.len = (uint32_t)(SCTP_HLEN + size - TAG_LEN);
	sctp_emit_finish(&e);
	parse(l4, e.len);
	fuzz_ip(ip, craft_ip4(ip, FUZZ_PEER, FUZZ_ME, SCTP, l4, e.len));
	fuzz_settle();
	return 0;
}
