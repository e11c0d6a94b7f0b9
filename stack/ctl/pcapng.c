/* SPDX-License-Identifier: BSD-3-Clause */
/* pcapng.c - blocks: section header, interface description, enhanced packet. */
#include "stack/ctl/pcapng.h"

#include <string.h>

enum {
	BLOCK_SECTION = 0x0a0d0d0a,
	BLOCK_INTERFACE = 1,
	BLOCK_PACKET = 6,
	BYTE_ORDER_MAGIC = 0x1a2b3c4d,
	LINK_RAW = 101, /* LINKTYPE_RAW: the packet begins with its IPv4 or IPv6 header */
	OPT_COMMENT = 1,
	OPT_APPLICATION = 4,    /* of a section */
	OPT_INTERFACE_NAME = 2, /* of an interface */
	OPT_RESOLUTION = 9,
	OPT_FLAGS = 2,  /* of a packet */
	BLOCK_MIN = 12, /* type and both lengths */
	OPT_HEAD = 4,
};

static uint32_t
padded(size_t n)
{
	return (uint32_t)(n + 3) & ~3u;
}

static uint32_t
option_size(size_t n)
{
	return OPT_HEAD + padded(n);
}

static bool
put(FILE *f, const void *data, size_t n)
{
	static const uint8_t zero[4];

	return fwrite(data, 1, n, f) == n && fwrite(zero, 1, padded(n) - n, f) == padded(n) - n;
}

static bool
put32(FILE *f, uint32_t v)
{
	return put(f, &v, sizeof(v));
}

static bool
option(FILE *f, uint16_t code, const void *data, size_t n)
{
	uint16_t head[2] = {code, (uint16_t)n};

	return put(f, head, sizeof(head)) && put(f, data, n);
}

static bool
block_begin(FILE *f, uint32_t type, uint32_t size)
{
	return put32(f, type) && put32(f, size);
}

/* The end of the options, then the length again. */
static bool
block_end(FILE *f, uint32_t size)
{
	return put32(f, 0) && put32(f, size);
}

static bool
section(FILE *f)
{
	static const char app[] = "taglatch";
	static const uint16_t version[2] = {1, 0};
	static const uint64_t unknown_length = UINT64_MAX;
	uint32_t size = BLOCK_MIN + 16 + option_size(sizeof(app) - 1) + OPT_HEAD;

	return block_begin(f, BLOCK_SECTION, size) && put32(f, BYTE_ORDER_MAGIC) &&
	       put(f, version, sizeof(version)) && put(f, &unknown_length, 8) &&
	       option(f, OPT_APPLICATION, app, sizeof(app) - 1) && block_end(f, size);
}

bool
pcapng_begin(FILE *f, const char *interface, uint32_t snap_bytes)
{
	static const uint8_t ns = 9; /* 10^-9 seconds */
	uint32_t size = BLOCK_MIN + 8 + option_size(strlen(interface)) + option_size(1) + OPT_HEAD;

	return section(f) && block_begin(f, BLOCK_INTERFACE, size) && put32(f, LINK_RAW) &&
	       put32(f, snap_bytes) &&
	       option(f, OPT_INTERFACE_NAME, interface, strlen(interface)) &&
	       option(f, OPT_RESOLUTION, &ns, 1) && block_end(f, size);
}

uint32_t
pcapng_packet_bytes(const struct pcapng_packet *p)
{
	return BLOCK_MIN + 20 + padded(p->cap_len) + option_size(strlen(p->comment)) +
	       option_size(sizeof(uint32_t)) + OPT_HEAD;
}

bool
pcapng_packet(FILE *f, const struct pcapng_packet *p)
{
	uint32_t flags = p->dir, size = pcapng_packet_bytes(p);

	return block_begin(f, BLOCK_PACKET, size) && put32(f, 0) &&
	       put32(f, (uint32_t)(p->wall_ns >> 32)) && put32(f, (uint32_t)p->wall_ns) &&
	       put32(f, p->cap_len) && put32(f, p->len) && put(f, p->data, p->cap_len) &&
	       option(f, OPT_COMMENT, p->comment, strlen(p->comment)) &&
	       option(f, OPT_FLAGS, &flags, sizeof(flags)) && block_end(f, size);
}
