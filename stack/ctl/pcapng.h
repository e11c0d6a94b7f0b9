/* SPDX-License-Identifier: BSD-3-Clause */
/* pcapng.h - writing IP packets with comments as pcapng (draft-ietf-opsawg-pcapng). */
#ifndef TL_CTL_PCAPNG_H
#define TL_CTL_PCAPNG_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

enum pcapng_dir { PCAPNG_IN = 1, PCAPNG_OUT = 2 };

struct pcapng_packet {
	uint64_t wall_ns; /* since 1970 */
	uint32_t len;     /* of the packet; cap_len bytes of it are at data */
	uint32_t cap_len;
	enum pcapng_dir dir;
	const char *comment;
	const uint8_t *data;
};

/* The start of a file: one section with one interface of raw IP. Returns false on errors. */
bool pcapng_begin(FILE *f, const char *interface, uint32_t snap_bytes);
bool pcapng_packet(FILE *f, const struct pcapng_packet *p);

/* Bytes that pcapng_packet() writes. */
uint32_t pcapng_packet_bytes(const struct pcapng_packet *p);

#endif
