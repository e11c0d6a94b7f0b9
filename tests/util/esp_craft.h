/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * esp_craft.h - packets made by hand: TCP, ICMP, IPv4, and ESP with AES-GCM on libcrypto.
 *
 * Shares no code with the stack, so each checks the other. Addresses and numbers are in host
 * order; every function returns the bytes written.
 */
#ifndef TL_TESTS_UTIL_ESP_CRAFT_H
#define TL_TESTS_UTIL_ESP_CRAFT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { CRAFT_FIN = 1, CRAFT_SYN = 2, CRAFT_RST = 4, CRAFT_PSH = 8, CRAFT_ACK = 16 };
enum { CRAFT_TCP = 6, CRAFT_ICMP = 1, CRAFT_IPIP = 4, CRAFT_ESP = 50, CRAFT_MAX = 2048 };

/* One direction of a security association. */
struct craft_sa {
	uint32_t spi;
	uint32_t src, dst; /* outer */
	uint64_t seq;      /* last one used */
	uint64_t iv;       /* last one used */
	bool esn, tunnel;
	uint8_t key_len; /* 20 or 36, salt included */
	uint8_t key[36];
};

struct craft_seg {
	uint32_t src, dst;
	uint16_t sport, dport;
	uint32_t seq, ack;
	uint16_t wnd;
	uint8_t flags;
	bool has_ts; /* timestamp option with these values */
	uint32_t ts_val, ts_ecr;
	const uint8_t *opts; /* without has_ts: these, whole words */
	size_t opts_len;
	const uint8_t *data;
	size_t len;
};

/* What makes a trailer wrong; zero: nothing. */
struct craft_trailer {
	bool set;
	uint8_t pad_len, first; /* pad length field, and the value of the first pad byte */
	uint8_t real_pad;       /* bytes that are really there */
};

size_t craft_tcp(uint8_t *out, const struct craft_seg *s);
size_t craft_ip4(
	uint8_t *out, uint32_t src, uint32_t dst, uint8_t proto, const uint8_t *body, size_t len);
/* Makes the IPv4 packet at ip a fragment: id, offset in bytes, whether more follow. */
void craft_ip4_fragment(uint8_t *ip, uint16_t id, size_t offset, bool more);
/* An ICMP error that quotes the IPv4 packet `quoted`. */
size_t craft_icmp_error(
	uint8_t *out, uint8_t type, uint8_t code, uint16_t mtu, const uint8_t *quoted, size_t len);
size_t craft_icmp_echo(uint8_t *out, uint16_t id, size_t len);

/* ESP of a payload whose next header is nxt: from SPI to ICV. */
size_t craft_esp(struct craft_sa *sa, uint8_t *out, uint8_t nxt, const uint8_t *body, size_t len,
	const struct craft_trailer *t);

/* The whole IPv4 packet of a segment under an SA, in its mode. */
size_t craft_protect(struct craft_sa *sa, uint8_t *out, const struct craft_seg *s);

/* Opens what craft_esp() or the stack made. Returns payload bytes, or -1 if the ICV is wrong. */
long craft_open(
	const struct craft_sa *sa, const uint8_t *esp, size_t len, uint8_t *out, uint8_t *nxt);

/* Reads the segment of an IPv4 packet with TCP at `ip`; false if it is none. */
bool craft_read(const uint8_t *ip, size_t len, struct craft_seg *s);
/* The same for a bare TCP header. */
bool craft_read_tcp(const uint8_t *tcp, size_t len, struct craft_seg *s);

/* "key" of an [sa] section. */
void craft_key_text(const struct craft_sa *sa, char out[73]);

#endif
