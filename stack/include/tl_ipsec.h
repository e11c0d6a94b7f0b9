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

/** Level of tl_getsockopt() and tl_setsockopt() for the options below. */
enum { SOL_TL_IPSEC = 0x7465 };

/**
 * Options at SOL_TL_IPSEC. A buffer that is too small gives EMSGSIZE and the size in *len; what an
 * unlatched socket has not gives ENOTCONN. Setting any of them makes errors explicit
 * (TL_ELATCHBROKEN instead of ECONNRESET and others), unless TL_LATCH_ERRMODE says otherwise.
 */
enum {
	TL_LATCH_INFO = 1,     /**< get: struct tl_latch_info; at any time until tl_close() (Q-1) */
	TL_LATCH_LOCAL_ID = 2, /**< get: struct tl_ident, ENOTCONN if not latched; set before
				    connect or listen: what this end must be */
	TL_LATCH_PEER_ID = 3,  /**< the same of the peer */
	TL_LATCH_REQUEST = 4,  /**< get, and set before connect or listen: struct tl_latch_req */
	TL_LATCH_DISPOSITION = 5, /**< get and set, at any time: struct tl_latch_disp */
	TL_LATCH_PEER_CERT = 6,   /**< get: DER of the peer's certificate, EAGAIN: not known now */
	TL_LATCH_PEER_TA = 7,     /**< get: DER of its trust anchor */
	TL_LATCH_PEER_SPKI = 8,   /**< get: DER SubjectPublicKeyInfo of the peer (Q-8) */
	TL_LATCH_CB = 9,          /**< get: channel binding (RFC 5056), ESTABLISHED latches only */
	TL_LATCH_EVENTS = 10,  /**< get and set: uint32_t, mask of 1 << enum tl_latch_event_type */
	TL_LATCH_RESUME = 11,  /**< set: int 1; a BROKEN latch that waits looks again now */
	TL_LATCH_CLOSE = 12,   /**< set: int 1; the latch ends, as an administrator would do it */
	TL_LATCH_ERRMODE = 13, /**< get and set: int, enum tl_latch_errmode */
	TL_DGRAM_TAG = 14,     /**< get and set, datagrams: int 1; each comes with its tag */
};

/**
 * IPPROTO_IP or IPPROTO_IPV6, get and set before connect or listen: Solaris' ipsec_req_t, as
 * struct tl_ipsec_req. TL_IPSEC_PREF_NEVER is a request to bypass; all zero is the system's policy.
 */
enum { TL_IP_SEC_OPT = 0x22 };
enum {
	TL_IPSEC_PREF_NEVER = 1,
	TL_IPSEC_PREF_REQUIRED = 2,
	TL_IPSEC_PREF_UNIQUE = 4,
};
struct tl_ipsec_req {
	uint32_t ah_req;         /**< must be 0 or NEVER: there is no AH */
	uint32_t esp_req;        /**< TL_IPSEC_PREF_* */
	uint32_t self_encap_req; /**< not 0: tunnel mode */
	uint8_t auth_alg;        /**< must be 0 */
	uint8_t esp_alg;      /**< IANA ISAKMP ESP transform: 0 by policy, 11 NULL, 12 AES-CBC, 20
				   AES-GCM-16 */
	uint8_t esp_auth_alg; /**< IANA: 0 by policy, 2 HMAC-SHA1-96, 12 HMAC-SHA2-256-128 ... */
	uint8_t pad;
};

/** LISTENER, ESTABLISHED, BROKEN and CLOSED are those of RFC 5660 s2.2; NONE: not latched;
 * WANTED: protection is wanted and no SA is there yet (its LARVAL). */
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
	TL_LATCH_SA_CONFLICT,   /**< an SA was about to be added that conflicts with it */
	TL_LATCH_QOP_CONFLICT,  /**< class M2: same peer, other protection */
	TL_LATCH_PEER_CONFLICT, /**< class M3: another identity */
	TL_LATCH_SPD_CHANGE,
	TL_LATCH_PEER_DEAD,
	TL_LATCH_PEER_REBOOT,
	TL_LATCH_ADMIN,
	TL_LATCH_KM_STATE_LOST,
	TL_LATCH_NOSA,
	TL_LATCH_RELEASED,   /**< the connection ended by itself */
	TL_LATCH_PAD_CHANGE, /**< the peer may not claim its address any more */
};

/** What the connection does when its latch breaks (RFC 5660 s5.5). DEFAULT: as configured. */
enum tl_latch_disposition {
	TL_LATCH_DISP_DEFAULT = 0,
	TL_LATCH_DISP_WAIT,    /**< as if packets were lost, until the conflict is gone */
	TL_LATCH_DISP_RESET,   /**< as if the peer had reset it */
	TL_LATCH_DISP_UNREACH, /**< WAIT, and EHOSTUNREACH as a soft error */
	TL_LATCH_DISP_SUSPEND, /**< WAIT, and the connection does not give up for suspend_max_s */
};

enum tl_latch_on_peer_dead {
	TL_LATCH_DEAD_DEFAULT = 0,
	TL_LATCH_DEAD_IGNORE,
	TL_LATCH_DEAD_WAIT, /**< as a conflict with disposition WAIT */
	TL_LATCH_DEAD_RESET,
};

enum tl_latch_on_qop { TL_LATCH_QOP_DEFAULT = 0, TL_LATCH_QOP_BREAK, TL_LATCH_QOP_DROP };
enum tl_latch_on_spd { TL_LATCH_SPD_DEFAULT = 0, TL_LATCH_SPD_PRESERVE, TL_LATCH_SPD_BREAK };

/** How an ended connection tells that its latch broke. */
enum tl_latch_errmode {
	TL_LATCH_ERR_LEGACY = 0, /**< as TCP does without us: ECONNRESET, ETIMEDOUT, ... */
	TL_LATCH_ERR_EXPLICIT,   /**< TL_ELATCHBROKEN */
};

/** errno of a broken latch, outside the range of the system's; see tl_strerror(). */
enum { TL_ELATCHBROKEN = 0x746c };

/** As strerror(), and knows TL_ELATCHBROKEN. The text is for people. */
const char *tl_strerror(int error);

/** Flags of struct tl_latch_req. */
enum {
	TL_LATCH_REQUIRED = 1u << 0,  /**< no connection without a latch (C-5) */
	TL_LATCH_UNIQUE = 1u << 1,    /**< an SA for this 5-tuple alone (G-25) */
	TL_LATCH_OFF = 1u << 2,       /**< policy packet by packet, no latch (privileged) */
	TL_LATCH_BYPASS = 1u << 3,    /**< in clear where policy says PROTECT (privileged, O-2) */
	TL_LATCH_SET_OK = 1u << 4,    /**< any of the suites will do, also a change among them */
	TL_LATCH_SAME_PEER = 1u << 5, /**< the peer that other connections to the address have */
};

enum tl_latch_cert_rule {
	TL_LATCH_CERT_ID_TA = 0, /**< same identity and trust anchor; raw keys: same key */
	TL_LATCH_CERT_ID_SPKI,   /**< same identity and public key */
	TL_LATCH_CERT_EXACT,     /**< same certificate */
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

/** What a program asks for; zeros leave it to the policy. */
struct tl_latch_req {
	uint16_t version, size;         /**< 1 and sizeof */
	uint32_t flags;                 /**< TL_LATCH_REQUIRED and so on */
	uint8_t type;                   /**< TL_LATCH_TYPE_*; 0: by policy */
	uint8_t mode;                   /**< TL_LATCH_MODE_* */
	uint8_t replay;                 /**< TL_LATCH_REPLAY_* that must be on; 0: any */
	uint8_t cert_rule;              /**< enum tl_latch_cert_rule */
	uint32_t nsuite;                /**< 0: by policy; 1 implies TL_LATCH_UNIQUE (G-26) */
	struct tl_latch_suite suite[8]; /**< icv_bits may be 0 */
};

/** Zeros: as configured. */
struct tl_latch_disp {
	uint8_t on_conflict;    /**< enum tl_latch_disposition */
	uint8_t on_peer_dead;   /**< enum tl_latch_on_peer_dead */
	uint8_t on_qop;         /**< enum tl_latch_on_qop: class M2 */
	uint8_t on_spd;         /**< enum tl_latch_on_spd */
	uint32_t suspend_max_s; /**< 0: as configured, 180 */
};

/** Flags of struct tl_latch_info. */
enum {
	TL_LATCH_F_QOP_INDETERMINATE = 1u << 0, /**< one of suite[]; which, may change (R s2.1) */
	TL_LATCH_F_SUSPENDED = 1u << 1,     /**< BROKEN, and waits for the end of the conflict */
	TL_LATCH_F_NATT = 1u << 2,          /**< the SAs are in UDP (RFC 3948) */
	TL_LATCH_F_OVERRIDE = 1u << 3,      /**< not what the policy says: the program asked */
	TL_LATCH_F_SPD_PRESERVED = 1u << 4, /**< the policy says something else by now */
	TL_LATCH_F_AUTO = 1u << 5,          /**< the program asked for nothing */
	TL_LATCH_F_UNIQUE = 1u << 6,        /**< its SA is for this 5-tuple alone */
};

struct tl_latch_info {
	uint16_t version; /**< 2 */
	uint16_t size;    /**< bytes of this struct that are filled */
	uint8_t state;    /**< enum tl_latch_state */
	uint8_t reason;   /**< enum tl_latch_reason */
	uint16_t flags;   /**< TL_LATCH_F_* */
	uint8_t type;     /**< TL_LATCH_TYPE_* */
	uint8_t mode;     /**< TL_LATCH_MODE_* */
	uint8_t replay;   /**< TL_LATCH_REPLAY_*, inbound */
	uint8_t nsuite;
	struct tl_latch_suite suite[8];
	uint32_t local_id; /**< handles, comparable between the sockets of one stack (Q-11) */
	uint32_t peer_id;
	uint32_t profile; /**< handle of the whole parameter set, comparable as above */
	uint32_t pad;
	struct sockaddr_storage local_inner, peer_inner; /**< as TCP sees them */
	struct sockaddr_storage local_outer, peer_outer; /**< tunnel end points, else AF_UNSPEC */
	uint64_t drop_clear, drop_qop, drop_peer, drop_unknown, breaks;
	/* Version 2. */
	uint64_t resumes;
	uint64_t handle;      /**< of the latch, for administrators; 0: not live */
	uint8_t peer_fpr[32]; /**< SHA-256 of the peer's SubjectPublicKeyInfo; zero: not known */
	uint32_t auth_class;  /**< enum tl_auth_class: how the peer was authenticated */
	uint32_t pad2;
	struct sockaddr_storage peer_public, peer_private;   /**< NAT: outside, inside */
	struct sockaddr_storage local_public, local_private; /**< AF_UNSPEC: not known */
};

/** How a key manager authenticated a peer. */
enum tl_auth_class {
	TL_AUTH_UNKNOWN = 0,
	TL_AUTH_CERT,
	TL_AUTH_RAW_KEY,
	TL_AUTH_PSK,
	TL_AUTH_EAP,
	TL_AUTH_NULL,
};

enum tl_latch_event_type {
	TL_LATCH_EV_SPAWNED = 0, /**< a listener's: a connection was latched */
	TL_LATCH_EV_ESTABLISHED,
	TL_LATCH_EV_BROKEN,
	TL_LATCH_EV_RESTORED,
	TL_LATCH_EV_CLOSED,
	TL_LATCH_EV_NOSA, /**< no SA for what should be sent; once until there is one */
	TL_LATCH_EV_PEER_REBOOT,
	TL_LATCH_EV_PEER_RESTART, /**< of its key manager only */
	TL_LATCH_EV_LOST,         /**< events before this one found no room */
	TL_LATCH_EVENT_TYPES,
};

/** What happened to a latch (ALERT of RFC 5660 s2.3), as tl_latch_event() and MSG_ERRQUEUE give
 * it. */
struct tl_latch_event {
	uint16_t type; /**< enum tl_latch_event_type */
	uint8_t old_state, new_state, reason;
	uint8_t pad[3];
	uint64_t handle; /**< of the latch */
	struct sockaddr_storage local, peer;
	uint64_t time_ns; /**< the worker's clock */
};

/** Ancillary data at SOL_TL_IPSEC of a datagram: which protection it had, or must get. */
enum { TL_IPSEC_TAG = 1 };
enum {
	TL_TAG_PROTECTED = 1u << 0, /**< in: it came under an SA, whose profile is the handle */
	TL_TAG_NATT = 1u << 1,      /**< in */
	TL_TAG_REQUIRE = 1u << 2,   /**< out: an SA of this profile, or EHOSTUNREACH */
};
struct tl_dgram_tag {
	uint64_t handle; /**< profile and stack; stays good over rekeys, holds no SA. 0: clear */
	uint32_t flags;  /**< TL_TAG_* */
	uint32_t reserved;
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
	TL_ID_NULL = 13, /**< of nobody: 16 bytes, the two SPIs of the IKE SA that the peer began
			      with; it keeps them over rekeys, another IKE SA is another peer */
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
