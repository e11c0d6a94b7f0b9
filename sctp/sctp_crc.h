/* SPDX-License-Identifier: BSD-3-Clause */
/* sctp_crc.h - the CRC32c of RFC 9260 s6.8 and appendix A. */
#ifndef TL_SCTP_SCTP_CRC_H
#define TL_SCTP_SCTP_CRC_H

#include <stddef.h>
#include <stdint.h>

/* Adds len bytes to a running CRC, which begins as UINT32_MAX and is complemented at the end. By
 * the CPU's instructions where it has them. */
uint32_t sctp_crc_add(uint32_t crc, const void *p, size_t len);

/* The same by a table, whatever the CPU has. */
uint32_t sctp_crc_add_table(uint32_t crc, const void *p, size_t len);

/* Of a whole packet, whose checksum field (bytes 8 to 11) counts as zero; as a number whose least
 * significant byte goes first onto the wire. len is at least 12. */
uint32_t sctp_crc_packet(const uint8_t *p, size_t len);

#endif
