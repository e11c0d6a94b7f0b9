/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * ctl_proto.h - what the control socket speaks beside linux/xfrm.h.
 *
 * The socket is AF_UNIX, SOCK_SEQPACKET; each datagram holds one or more netlink messages (RFC
 * 3549), in the byte order of the host. Types below 0x100 are those of linux/xfrm.h with their
 * structures; the others are declared here. Answers echo nlmsg_seq and nlmsg_pid. An error is
 * NLMSG_ERROR with NLMSGERR_ATTR_MSG, a text that names what was wrong and what was expected. It
 * quotes the header of the request only, so that no key travels back.
 *
 * Attributes of linux/xfrm.h and those declared here share one space of numbers, so that messages
 * of both kinds can carry both. Attributes that a message does not know are refused.
 */
#ifndef TL_CTL_PROTO_H
#define TL_CTL_PROTO_H

#include <stdint.h>

enum {
	TL_CTL_MSG_ADDSA = 0x100, /* NAME, SETTINGS: words of an [sa NAME] section */
	TL_CTL_MSG_REMSA,         /* NAME; CAUSE */
	TL_CTL_MSG_ADDPOLICY,     /* NAME, SETTINGS: words of a [policy NAME] section */
	TL_CTL_MSG_REMPOLICY,     /* NAME */
	TL_CTL_MSG_GETID,         /* HANDLE, or a dump; answered by ID */
	TL_CTL_MSG_ID,
	TL_CTL_MSG_GETLATCH, /* dump; STATE, PEER_ID: only those. Answered by LATCH */
	TL_CTL_MSG_LATCH,
	TL_CTL_MSG_GETSTAT, /* dump; ALL: those that are zero too. Answered by STAT */
	TL_CTL_MSG_STAT,
	TL_CTL_MSG_GETINFO, /* answered by INFO */
	TL_CTL_MSG_INFO,
	TL_CTL_MSG_GETSUITE, /* dump: the algorithms and their names in linux/xfrm.h */
	TL_CTL_MSG_SUITE,
	TL_CTL_MSG_SUBSCRIBE,  /* GROUPS: which events this client wants from now on */
	TL_CTL_MSG_BREAKLATCH, /* LATCH, PEER_ID, ALL or OVERRIDES; answered by itself with VALUE:
				  how many */
	TL_CTL_MSG_CLOSELATCH, /* the same; the connections end whatever their disposition is */
	/* Key managers. Those with VALUE in the answer: how many latches it concerned. */
	TL_CTL_MSG_KMREGISTER, /* EPOCH, STATE_LOST; answered with the former EPOCH and VALUE */
	TL_CTL_MSG_NEWIDENT,   /* PEER_ID, AUTH_CLASS, SPKI, CERT, TA; answered with HANDLE, HASH */
	TL_CTL_MSG_PEEREVENT,  /* PEER_ID, PEER_EVENT; answered with VALUE */
	TL_CTL_MSG_REFUSED, /* TUPLE: no SA can be made for it; a port or protocol of 0 may be any.
			       Answered with VALUE */
	TL_CTL_MSG_QUERYLATCH, /* dump; SEL, XFRMA_IF_ID: whose flows it covers. LATCH */
	TL_CTL_MSG_INVACQUIRE, /* SEL, XFRMA_IF_ID, PEER_ID: what an SA for it must have. Answered
				  by itself, once for each different set of latched values, with
				  VALUE; else by what the policy asks for, with NAME */
	/* The PAD (RFC 4301 s4.4.3). */
	TL_CTL_MSG_ADDPEER, /* NAME, SETTINGS: words of a [peer NAME] section */
	TL_CTL_MSG_REMPEER, /* NAME: a revocation; SAs and latches of whom it allowed end */
	TL_CTL_MSG_GETPEER, /* dump; answered by PEER */
	TL_CTL_MSG_PEER,    /* NAME, PEER_ID, CLASSES, TEXT: the networks */
	TL_CTL_MSG_MAX,
};

/* Events. They carry nlmsg_seq 0. NLMSG_ERROR with -ENOBUFS among them: some were lost. */
enum {
	TL_CTL_GROUP_SA = 1,      /* XFRM_MSG_NEWSA, XFRM_MSG_DELSA */
	TL_CTL_GROUP_POLICY = 2,  /* XFRM_MSG_NEWPOLICY, XFRM_MSG_DELPOLICY */
	TL_CTL_GROUP_ACQUIRE = 4, /* XFRM_MSG_ACQUIRE */
	TL_CTL_GROUP_EXPIRE = 8,  /* XFRM_MSG_EXPIRE */
	TL_CTL_GROUP_LATCH = 16,  /* TL_CTL_MSG_LATCH: a latch was made, changed or ended */
	TL_CTL_GROUP_NAT = 32,    /* XFRM_MSG_MAPPING */
	TL_CTL_GROUPS = 63,
};

/* in: taken with a request; out: part of an answer or event. */
enum {
	TL_CTL_A_NAME = 0x100, /* in, out: text, of letters, digits and . _ - + @ : */
	TL_CTL_A_SETTINGS,     /* in: text, "key=value key=value" */
	TL_CTL_A_LOCAL_ID,     /* in, out: nested TL_CTL_ID_*; with a new SA its identities */
	TL_CTL_A_PEER_ID,      /* come in the same message (F-46) */
	TL_CTL_A_MANUAL,       /* in: flag; the keys were typed by people (RFC 8221 s3) */
	TL_CTL_A_CAUSE,        /* in, DELSA: u8, TL_CTL_CAUSE_* */
	TL_CTL_A_SEL,          /* in, out: struct tl_ctl_sel; wins over struct xfrm_selector */
	TL_CTL_A_WORKER,       /* in, out: u32 */
	TL_CTL_A_ENCR,       /* in, out: u16, IANA transform; in: an implicit-IV form (RFC 8750) */
	TL_CTL_A_ENCR_BITS,  /* out: u16 */
	TL_CTL_A_INTEG,      /* out: u16, IANA transform */
	TL_CTL_A_SUITE,      /* out: text */
	TL_CTL_A_ENGINE,     /* out: text */
	TL_CTL_A_DIR,        /* out: u8, 1 in, 2 out, 3 both */
	TL_CTL_A_INDEX,      /* out: u32, slot of the SAD */
	TL_CTL_A_GEN,        /* out: u32, generation of the slot */
	TL_CTL_A_PROFILE,    /* out: u32, handle of the parameter set */
	TL_CTL_A_SEQ,        /* out: u64, last sent or highest received */
	TL_CTL_A_BAD_ICV,    /* out: u64 */
	TL_CTL_A_REPLAYED,   /* out: u64 */
	TL_CTL_A_EXPIRED,    /* out: flag */
	TL_CTL_A_HITS,       /* out: u64 */
	TL_CTL_A_HANDLE,     /* in, out: u32, of an identity */
	TL_CTL_A_STATE,      /* in, out: text; of a latch ("ESTABLISHED") or a connection */
	TL_CTL_A_REASON,     /* out: text */
	TL_CTL_A_TUPLE,      /* out: struct tl_ctl_tuple */
	TL_CTL_A_DROP_CLEAR, /* out: u64, and the next three */
	TL_CTL_A_DROP_QOP,
	TL_CTL_A_DROP_PEER,
	TL_CTL_A_DROP_UNKNOWN,
	TL_CTL_A_KIND,  /* out: text, "count" or "drop" */
	TL_CTL_A_VALUE, /* out: u64 */
	TL_CTL_A_TEXT,  /* out: text, what it means */
	TL_CTL_A_ALL,   /* in: flag */
	TL_CTL_A_GROUPS,
	TL_CTL_A_VERSION,    /* out: text */
	TL_CTL_A_WORKERS,    /* out: u32 */
	TL_CTL_A_SAS,        /* out: u32 */
	TL_CTL_A_MAX_SAS,    /* out: u32 */
	TL_CTL_A_RULES,      /* out: u32 */
	TL_CTL_A_LOST,       /* out: u64, events that found no room on their way here */
	TL_CTL_A_MODE,       /* out: u8, 0 any, 1 transport, 2 tunnel */
	TL_CTL_A_LATCH,      /* in, out: u64, handle of a latch; never given twice */
	TL_CTL_A_EPOCH,      /* in, out: u64, not 0: names one life of a key manager */
	TL_CTL_A_STATE_LOST, /* in: flag; it does not know any more what it said: all latches end */
	TL_CTL_A_AUTH_CLASS, /* in, out: u8, enum tl_auth_class: how the peer was authenticated */
	TL_CTL_A_SPKI,       /* in: DER SubjectPublicKeyInfo, at most 8192 bytes */
	TL_CTL_A_CERT,       /* in: DER of the certificate, the same */
	TL_CTL_A_TA,         /* in: DER of the trust anchor, the same */
	TL_CTL_A_HASH,       /* out: 32 bytes, SHA-256 that names identity and evidence */
	TL_CTL_A_LOCAL_EV,   /* in, out: such a hash, of this end */
	TL_CTL_A_PEER_EV,    /* in, out: and of the peer */
	TL_CTL_A_PEER_EVENT, /* in: u8, TL_CTL_PEER_* */
	TL_CTL_A_CERT_RULE,  /* out: u8, enum tl_latch_cert_rule: which evidence will do */
	TL_CTL_A_CLASSES,    /* out: u32, 1 << enum tl_auth_class; 0: any */
	TL_CTL_A_UNIQUE,     /* out: flag; the SA must be for this flow alone */
	TL_CTL_A_OVERRIDES,  /* in: flag; what programs asked for beside the policy (O-13) */
	TL_CTL_A_FLAGS,      /* out: u32, TL_LATCH_F_* */
	TL_CTL_A_EVENTS,     /* out: u32, 1 << enum tl_latch_event_type: which the program wants */
	TL_CTL_A_MAX,
};

/* In TL_CTL_A_LOCAL_ID and TL_CTL_A_PEER_ID. */
enum {
	TL_CTL_ID_TYPE = 1, /* u16, RFC 7296 s3.5 */
	TL_CTL_ID_DATA,     /* 1 to 256 bytes */
	TL_CTL_ID_HANDLE,   /* out: u32 */
	TL_CTL_ID_MAX,
};

/* Packets that were decrypted under a revoked SA and wait in a queue are dropped (F-3). */
enum { TL_CTL_CAUSE_REKEY = 0, TL_CTL_CAUSE_ADMIN = 1, TL_CTL_CAUSE_REVOKED = 2 };

/* What a key manager found out about a peer. RESTART: of its key manager only, which breaks
 * nothing. */
enum { TL_CTL_PEER_DEAD = 1, TL_CTL_PEER_REBOOT = 2, TL_CTL_PEER_RESTART = 3 };

/*
 * A selector with ranges, as this host sees it. Addresses are of 16 bytes, IPv4 in mapped form
 * (RFC 4291 s2.5.5.2). Ports in host order; lo above hi: OPAQUE. Of ICMP the local port is type
 * and code.
 */
struct tl_ctl_sel {
	uint8_t local_lo[16], local_hi[16];
	uint8_t remote_lo[16], remote_hi[16];
	uint16_t lport_lo, lport_hi, rport_lo, rport_hi;
	uint32_t proto; /* 0: any */
};

struct tl_ctl_tuple {
	uint8_t local[16], remote[16];
	uint16_t lport, rport; /* host order */
	uint32_t realm;
	uint32_t proto;
};

#endif
