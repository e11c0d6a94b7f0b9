/* SPDX-License-Identifier: BSD-3-Clause */
/**
 * @file tl_ipsec.h
 * What an application can ask about the IPsec protection of its connections (RFC 5660).
 */
#ifndef TAGLATCH_TL_IPSEC_H
#define TAGLATCH_TL_IPSEC_H

#include <stdint.h>
#include <sys/socket.h>

#ifdef __cplusplus
extern "C" {
#endif

/** Level of tl_getsockopt() for the options below. */
enum { SOL_TL_IPSEC = 0x7465 };

/** Options at SOL_TL_IPSEC. A buffer that is too small gives EMSGSIZE and the size in *len; the
 * identities give ENOTCONN if the connection is not latched. */
enum {
	TL_LATCH_INFO = 1,     /**< get: struct tl_latch_info; at any time until tl_close() (Q-1) */
	TL_LATCH_LOCAL_ID = 2, /**< get: struct tl_ident */
	TL_LATCH_PEER_ID = 3,  /**< get: struct tl_ident */
};

/** LISTENER, ESTABLISHED, BROKEN and CLOSED are those of RFC 5660 s2.2; NONE: not latched.
 * This version reports NONE, ESTABLISHED and CLOSED only. */
enum tl_latch_state {
	TL_LATCH_NONE = 0,
	TL_LATCH_WANTED,
	TL_LATCH_LISTENER,
	TL_LATCH_ESTABLISHED,
	TL_LATCH_BROKEN,
	TL_LATCH_CLOSED,
};

/** Why a latch is BROKEN or CLOSED. */
enum tl_latch_reason {
	TL_LATCH_REASON_NONE = 0,
	TL_LATCH_SA_CONFLICT,
	TL_LATCH_QOP_CONFLICT,  /**< class M2: same peer, other protection */
	TL_LATCH_PEER_CONFLICT, /**< class M3: another identity */
	TL_LATCH_SPD_CHANGE,
	TL_LATCH_PEER_DEAD,
	TL_LATCH_PEER_REBOOT,
	TL_LATCH_ADMIN,
	TL_LATCH_KM_STATE_LOST,
	TL_LATCH_NOSA,
	TL_LATCH_RELEASED, /**< the connection ended by itself */
};

enum { TL_LATCH_TYPE_CONF = 1, TL_LATCH_TYPE_INTEG = 2 };
enum { TL_LATCH_MODE_ANY = 0, TL_LATCH_MODE_TRANSPORT = 1, TL_LATCH_MODE_TUNNEL = 2 };
enum { TL_LATCH_REPLAY_ON = 1, TL_LATCH_REPLAY_ESN = 2 };

/** IANA IKEv2 transform numbers (type 1, encryption). */
enum {
	TL_ENCR_NONE = 0,
	TL_ENCR_NULL = 11,
	TL_ENCR_AES_CBC = 12,
	TL_ENCR_AES_CTR = 13,
	TL_ENCR_AES_CCM_8 = 14,
	TL_ENCR_AES_CCM_12 = 15,
	TL_ENCR_AES_CCM_16 = 16,
	TL_ENCR_AES_GCM_8 = 18,
	TL_ENCR_AES_GCM_12 = 19,
	TL_ENCR_AES_GCM_16 = 20,
	TL_ENCR_NULL_AUTH_AES_GMAC = 21,
	TL_ENCR_CHACHA20_POLY1305 = 28,
};

/** IANA IKEv2 transform numbers (type 3, integrity); NONE with an AEAD. */
enum {
	TL_AUTH_NONE = 0,
	TL_AUTH_HMAC_SHA1_96 = 2,
	TL_AUTH_AES_XCBC_96 = 5,
	TL_AUTH_AES_CMAC_96 = 8,
	TL_AUTH_HMAC_SHA2_256_128 = 12,
	TL_AUTH_HMAC_SHA2_384_192 = 13,
	TL_AUTH_HMAC_SHA2_512_256 = 14,
};

struct tl_latch_suite {
	uint16_t encr;      /**< IANA IKEv2 encryption transform */
	uint16_t encr_bits; /**< key length without salt */
	uint16_t integ;     /**< IANA IKEv2 integrity transform, 0 with an AEAD */
	uint16_t icv_bits;
};

struct tl_latch_info {
	uint16_t version; /**< 1 */
	uint16_t size;    /**< bytes of this struct that are filled */
	uint8_t state;    /**< enum tl_latch_state */
	uint8_t reason;   /**< enum tl_latch_reason */
	uint16_t flags;
	uint8_t type;   /**< TL_LATCH_TYPE_* */
	uint8_t mode;   /**< TL_LATCH_MODE_* */
	uint8_t replay; /**< TL_LATCH_REPLAY_*, inbound */
	uint8_t nsuite;
	struct tl_latch_suite suite[8];
	uint32_t local_id; /**< handles, comparable between the sockets of one stack (Q-11) */
	uint32_t peer_id;
	uint32_t profile; /**< handle of the whole parameter set, comparable as above */
	uint32_t pad;
	struct sockaddr_storage local_inner, peer_inner; /**< as TCP sees them */
	struct sockaddr_storage local_outer, peer_outer; /**< tunnel end points, else AF_UNSPEC */
	uint64_t drop_clear, drop_qop, drop_peer, drop_unknown, breaks;
};

enum { TL_IDENT_MAX = 256 };

/** IANA IKEv2 identification payload types (RFC 7296 s3.5). */
enum tl_ident_type {
	TL_ID_NONE = 0,
	TL_ID_IPV4_ADDR = 1,
	TL_ID_FQDN = 2,
	TL_ID_RFC822_ADDR = 3,
	TL_ID_IPV6_ADDR = 5,
	TL_ID_DER_ASN1_DN = 9,
	TL_ID_KEY_ID = 11,
};

struct tl_ident {
	uint16_t type; /**< enum tl_ident_type */
	uint16_t len;
	uint8_t data[TL_IDENT_MAX];
};

/** Names for people: "ESTABLISHED", "PEER_CONFLICT". Never NULL. */
const char *tl_latch_state_name(unsigned int state);
const char *tl_latch_reason_name(unsigned int reason);

/** As the configuration writes them: "transport", "fqdn". Never NULL. */
const char *tl_latch_mode_name(unsigned int mode);
const char *tl_ident_type_name(unsigned int type);

#ifdef __cplusplus
}
#endif

#endif
