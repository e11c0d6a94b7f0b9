/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * sctp_wire.h - packets, chunks and parameters on the wire (RFC 9260 s3), parsed and emitted.
 *
 * Nothing here knows an association. What a parser returned true for is whole: every length inside
 * was checked against the packet. Pointers point into the packet.
 */
#ifndef TL_SCTP_SCTP_WIRE_H
#define TL_SCTP_SCTP_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <rte_byteorder.h>

#include "stack/base/addr.h"
#include "stack/base/stat.h"

enum {
	SCTP_HLEN = 12,
	SCTP_CHUNK_HLEN = 4,
	SCTP_PARAM_HLEN = 4,
	SCTP_DATA_HLEN = 16, /* with the chunk header */
	SCTP_SACK_HLEN = 16,
	SCTP_INIT_LEN = 16,     /* of the value, without parameters */
	SCTP_RWND_MIN = 1500,   /* RFC 9260 s3.3.2 */
	SCTP_ADDRS_MAX = 8,     /* of one peer; more are not looked at */
	SCTP_UNKNOWN_MAX = 4,   /* reported in one answer */
	SCTP_COOKIE_MAX = 1024, /* that a peer may give us to keep */
};

/* RFC 9260 s3.2, table 1. */
enum sctp_type {
	SCTP_DATA = 0,
	SCTP_INIT = 1,
	SCTP_INIT_ACK = 2,
	SCTP_SACK = 3,
	SCTP_HEARTBEAT = 4,
	SCTP_HEARTBEAT_ACK = 5,
	SCTP_ABORT = 6,
	SCTP_SHUTDOWN = 7,
	SCTP_SHUTDOWN_ACK = 8,
	SCTP_ERROR = 9,
	SCTP_COOKIE_ECHO = 10,
	SCTP_COOKIE_ACK = 11,
	SCTP_SHUTDOWN_COMPLETE = 14,
	SCTP_TYPES = 15, /* that this stack has a row for */
};

/* Flags of chunks. */
enum {
	SCTP_F_T = 1, /* ABORT, SHUTDOWN COMPLETE: the tag is the sender's own (s8.5.1) */
	SCTP_F_E = 1, /* DATA: last fragment */
	SCTP_F_B = 2, /* first fragment */
	SCTP_F_U = 4, /* unordered */
	SCTP_F_I = 8, /* acknowledge at once (RFC 7053) */
};

/* RFC 9260 s3.2, the upper bits of a chunk type or parameter type that nobody knows. */
enum { SCTP_UNKNOWN_SKIP = 0x80, SCTP_UNKNOWN_REPORT = 0x40 };

/* RFC 9260 s3.3.2.1, s3.3.3.1. */
enum sctp_param {
	SCTP_P_HEARTBEAT = 1,
	SCTP_P_IPV4 = 5,
	SCTP_P_IPV6 = 6,
	SCTP_P_COOKIE = 7,
	SCTP_P_UNRECOGNIZED = 8,
	SCTP_P_PRESERVATIVE = 9,
	SCTP_P_HOSTNAME = 11,
	SCTP_P_FAMILIES = 12,
};

/* RFC 9260 s3.3.10. */
enum sctp_cause {
	SCTP_C_NONE = 0,
	SCTP_C_STREAM = 1,
	SCTP_C_MISSING = 2,
	SCTP_C_STALE = 3,
	SCTP_C_RESOURCE = 4,
	SCTP_C_ADDRESS = 5,
	SCTP_C_CHUNK = 6,
	SCTP_C_INVALID = 7,
	SCTP_C_PARAMS = 8,
	SCTP_C_NO_DATA = 9,
	SCTP_C_COOKIE = 10,
	SCTP_C_RESTART = 11,
	SCTP_C_USER = 12,
	SCTP_C_PROTOCOL = 13,
};

struct sctp_hdr {
	rte_be16_t sport, dport;
	uint32_t vtag;
};

struct sctp_chunk {
	uint8_t type, flags;
	uint16_t len;       /* of the value */
	const uint8_t *val; /* behind the chunk header */
};

/* Where a walk over the chunks of a packet is. */
struct sctp_walk {
	const uint8_t *p, *end;
};

/* The common header and the frame of every chunk: DROP_NONE, or why the packet is dropped. */
enum drop_reason sctp_wire_check(const uint8_t *p, uint32_t len, struct sctp_hdr *h);

/* The same without the checksum, for what quotes or tests. */
enum drop_reason sctp_wire_frame(const uint8_t *p, uint32_t len, struct sctp_hdr *h);

/* Over a packet that sctp_wire_check() accepted. */
void sctp_walk_start(struct sctp_walk *w, const uint8_t *p, uint32_t len);
bool sctp_walk_next(struct sctp_walk *w, struct sctp_chunk *c);

struct sctp_data {
	uint32_t tsn;
	uint16_t sid, ssn;
	rte_be32_t ppid;
	uint8_t flags;
	uint16_t len; /* at least 1 */
	const uint8_t *data;
};
/* False: malformed; an empty chunk is whole (len 0) and another matter (s6.2). */
bool sctp_wire_data(const struct sctp_chunk *c, struct sctp_data *out);

struct sctp_sack {
	uint32_t cum_tsn, a_rwnd;
	uint16_t nb_gaps, nb_dups;
	const uint8_t *gaps;
};
bool sctp_wire_sack(const struct sctp_chunk *c, struct sctp_sack *out);
/* Offsets from cum_tsn; i below nb_gaps. */
void sctp_sack_gap(const struct sctp_sack *s, uint32_t i, uint16_t *start, uint16_t *end);

struct sctp_bytes {
	const uint8_t *at;
	uint16_t len;
};

struct sctp_init {
	uint32_t vtag, a_rwnd, tsn;
	uint16_t nb_out, nb_in;
	uint8_t nb_addrs, nb_unknown;
	bool no_v4, no_v6; /* Supported Address Types leaves it out */
	bool hostname;
	struct ip_addr addr[SCTP_ADDRS_MAX];
	struct sctp_bytes cookie;                    /* INIT ACK */
	struct sctp_bytes unknown[SCTP_UNKNOWN_MAX]; /* to be reported, whole parameters */
};
/* INIT and INIT ACK. False: malformed. What the values mean is the caller's to judge. */
bool sctp_wire_init(const struct sctp_chunk *c, struct sctp_init *out);

/* The first cause of an ABORT or ERROR; SCTP_C_NONE if there is none, or a malformed one. */
uint16_t sctp_wire_cause(const struct sctp_chunk *c);
/* Whether a cause is in it, and its information. */
bool sctp_wire_find_cause(const struct sctp_chunk *c, uint16_t cause, struct sctp_bytes *info);

/* The one parameter of a HEARTBEAT or its ACK. False: there is none. */
bool sctp_wire_heartbeat(const struct sctp_chunk *c, struct sctp_bytes *info);

uint16_t sctp_get16(const uint8_t *p);
uint32_t sctp_get32(const uint8_t *p);
void sctp_put16(uint8_t *p, uint16_t v);
void sctp_put32(uint8_t *p, uint32_t v);

/* ---- emit ---- */

/* A packet under construction. */
struct sctp_emit {
	uint8_t *p;
	uint32_t len, cap; /* len is a multiple of 4 behind every chunk */
};

/* The common header; the checksum is missing. */
void sctp_emit_header(struct sctp_emit *e, rte_be16_t sport, rte_be16_t dport, uint32_t vtag);

static inline bool
sctp_emit_fits(const struct sctp_emit *e, uint32_t value_len)
{
	return e->len + SCTP_CHUNK_HLEN + ((value_len + 3u) & ~3u) <= e->cap;
}

/* Room for the value, which the caller fills; padding is zero. NULL: it does not fit. */
uint8_t *sctp_emit_chunk(struct sctp_emit *e, uint8_t type, uint8_t flags, uint32_t value_len);

/* What an INIT or INIT ACK of ours says. */
struct sctp_offer {
	uint32_t vtag, a_rwnd, tsn;
	uint16_t nb_out, nb_in;
	uint8_t nb_addrs;
	bool v4, v6; /* INIT: families that we take */
	struct ip_addr addr[SCTP_ADDRS_MAX];
	struct sctp_bytes cookie;      /* INIT ACK */
	const struct sctp_init *about; /* INIT ACK: whose unknown parameters are reported */
};
bool sctp_emit_init(struct sctp_emit *e, uint8_t type, const struct sctp_offer *o);

/* One cause with its information. */
bool sctp_emit_cause(struct sctp_emit *e, uint8_t type, uint8_t flags, uint16_t cause,
	const struct sctp_bytes *info);

/* The checksum. */
void sctp_emit_finish(struct sctp_emit *e);

#endif
