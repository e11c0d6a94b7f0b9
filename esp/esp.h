/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * esp.h - ESP (RFC 4303), its SAs and the policy (RFC 4301), for the rest of the stack.
 *
 * Every worker has the whole SAD and SPD. An SA half is owned by one worker: only there it has a
 * key, a sequence counter and a replay window; elsewhere its entry serves to find the owner.
 * Slots and generations are numbered by the control context and are the same on every worker.
 */
#ifndef TL_ESP_ESP_H
#define TL_ESP_ESP_H

#include <stdbool.h>
#include <stdint.h>

#include "stack/base/addr.h"
#include "stack/base/lcore.h"
#include "stack/base/pkt.h"

enum { ESP_KEY_MAX = 36, ESP_AUTH_KEY_MAX = 64 };
enum { ESP_REPLAY_MAX = 65536, ESP_REPLAY_DEFAULT = 64, ESP_MAX_SAS_DEFAULT = 4096 };
enum { ESP_HDR_BYTES = 8, ESP_IV_MAX = 16, ESP_ICV_MAX = 32, ESP_TRAILER_BYTES = 2 };

enum esp_mode { ESP_MODE_ANY = 0, ESP_MODE_TRANSPORT = 1, ESP_MODE_TUNNEL = 2 };
enum esp_engine_id { ESP_ENGINE_AUTO = 0, ESP_ENGINE_IPSEC_MB, ESP_ENGINE_LIBCRYPTO, ESP_ENGINES };

/* IANA IKEv2 encryption transforms (type 1) that this version computes. */
enum {
	ESP_ENCR_NULL = 11,
	ESP_ENCR_AES_CBC = 12,
	ESP_ENCR_AES_CTR = 13,
	ESP_ENCR_AES_CCM_8 = 14,
	ESP_ENCR_AES_CCM_12 = 15,
	ESP_ENCR_AES_CCM_16 = 16,
	ESP_ENCR_AES_GCM_8 = 18,
	ESP_ENCR_AES_GCM_12 = 19,
	ESP_ENCR_AES_GCM_16 = 20,
	ESP_ENCR_NULL_AUTH_AES_GMAC = 21,
	ESP_ENCR_CHACHA20_POLY1305 = 28,
	ESP_ENCR_AES_CCM_8_IIV = 29,
	ESP_ENCR_AES_GCM_16_IIV = 30,
	ESP_ENCR_CHACHA20_POLY1305_IIV = 31,
};

/* IANA IKEv2 integrity transforms (type 3) that this version computes. */
enum {
	ESP_AUTH_NONE = 0,
	ESP_AUTH_HMAC_SHA1_96 = 2,
	ESP_AUTH_AES_XCBC_96 = 5,
	ESP_AUTH_AES_CMAC_96 = 8,
	ESP_AUTH_HMAC_SHA2_256_128 = 12,
	ESP_AUTH_HMAC_SHA2_384_192 = 13,
	ESP_AUTH_HMAC_SHA2_512_256 = 14,
};

/* Both ends belong to the range; IPv4 in mapped form. */
struct addr_range {
	struct ip_addr lo, hi;
};

/* Host order, both ends belong to it. 0 to 65535 is ANY; lo above hi is OPAQUE: packets whose ports
 * cannot be seen (RFC 7296 s3.13.1 writes it as 65535 to 0). */
struct port_range {
	uint16_t lo, hi;
};

/*
 * Which flows an SA or a policy covers (RFC 4301 s4.4.1.1), as this host sees them. Of ICMP, type
 * and code together are the local port, and the remote port is 0.
 */
struct esp_sel {
	struct addr_range local, remote;
	struct port_range lport, rport;
	uint32_t realm;
	uint8_t proto; /* 0: ANY */
};

/* How long an SA may live (RFC 4301 s4.4.2.1). 0: no limit. */
struct esp_life {
	uint64_t soft_bytes, hard_bytes; /* that the algorithms saw */
	uint64_t soft_packets, hard_packets;
	uint32_t soft_add_s, hard_add_s; /* since it was added */
	uint32_t soft_use_s, hard_use_s; /* since its first packet */
};

/* RFC 4301 s8.1: the DF bit of a tunnel's outer header. */
enum esp_df { ESP_DF_COPY = 0, ESP_DF_SET, ESP_DF_CLEAR };

/* Everything that one SA half is made of. Immutable once added, except as esp_sad_move() says. */
struct esp_sa_conf {
	uint32_t spi; /* host order, above 255 */
	uint32_t realm;
	struct ip_addr local; /* outer addresses, seen from this host */
	struct ip_addr remote;
	struct esp_sel sel;
	uint32_t local_id; /* handles of the identity table; 0: not known (F-39) */
	uint32_t peer_id;
	uint32_t local_ev; /* how they were authenticated: handles that the latch knows; 0: not told
			    */
	uint32_t peer_ev;
	uint32_t profile;       /* handle of the interned parameter set */
	uint32_t replay_window; /* inbound, packets; 0: off */
	uint64_t iv_start;      /* outbound: first explicit IV; never used again with this key */
	uint16_t encr;          /* IANA transform */
	uint16_t encr_bits;     /* without salt */
	uint16_t integ;         /* IANA transform; 0 with an AEAD */
	uint16_t owner;         /* worker */
	uint8_t engine;         /* enum esp_engine_id */
	uint8_t mode;           /* enum esp_mode, not ANY */
	uint8_t auth_class;     /* of the peer, as the key manager told; 0: it did not */
	uint8_t df;             /* enum esp_df */
	uint8_t dscp; /* of the outer header, if dscp_set; else copied (RFC 4301 s5.1.2.1) */
	bool dscp_set;
	bool ecn_off; /* outer header without ECN: RFC 6040 s4.1's compatibility mode */
	bool inbound;
	bool esn;
	bool udp;                       /* ESP in UDP (RFC 3948) */
	uint16_t udp_local, udp_remote; /* host order */
	struct ip_addr oa_remote; /* transport mode: the peer's address behind its NAT, or any */
	struct ip_addr oa_local;  /* and ours as the peer sees it, or any (RFC 3948 s3.1.2) */
	uint32_t keepalive_s;     /* outbound: RFC 3948 s4; 0: none */
	uint32_t tfc_pad_bytes;   /* outbound, tunnel: inner packets fill so much (RFC 4303 s2.7) */
	uint32_t reqid;           /* binds SAs to policies that name it; 0: none */
	uint32_t dummy_ms;        /* outbound: between dummy packets (s2.6), on average; 0: none */
	struct esp_life life;
	bool manual;     /* the keys were typed, not negotiated (E-13) */
	uint8_t key_len; /* cipher key, then its salt (as in RFC 4106 s8.1) */
	uint8_t auth_key_len;
	uint8_t key[ESP_KEY_MAX];
	uint8_t auth_key[ESP_AUTH_KEY_MAX];
};

/* Why an SA goes away (F-3): packets already decrypted stay good except after REVOKED. */
enum esp_del_cause { ESP_DEL_REKEY, ESP_DEL_EXPIRE, ESP_DEL_ADMIN, ESP_DEL_REVOKED };

/* What the layers above may know of an SA. */
struct esp_sa_ref {
	uint32_t index;
	uint32_t gen;
	uint32_t profile;
	uint32_t local_id, peer_id;
	uint16_t encr, encr_bits, integ;
	uint16_t owner;
	uint16_t overhead_bytes; /* header, IV, trailer, ICV, without padding; tunnel: and outer IP
				  */
	uint8_t align;           /* payload, padding and trailer fill multiples of it */
	uint8_t mode;
	struct ip_addr local, remote; /* outer */
	uint32_t reqid;
	uint32_t spi;            /* host order */
	uint32_t path_mtu_bytes; /* what a router said about ESP of this SA (F-51); 0: nothing */
	bool udp;                /* ESP in UDP (RFC 3948) */
	bool unique;             /* its selectors cover one flow only */
	uint16_t udp_local, udp_remote;     /* host order */
	struct ip_addr oa_local, oa_remote; /* original addresses behind NATs, or any */
};

enum spd_action { SPD_DISCARD = 0, SPD_BYPASS, SPD_PROTECT };
enum { SPD_IN = 1, SPD_OUT = 2, SPD_BOTH = 3, SPD_PRIORITY_DEFAULT = 1000 };

/* One rule; the first that matches decides (RFC 4301 s4.4.1), none means DISCARD. */
struct spd_rule {
	struct esp_sel sel;
	uint32_t id;       /* never 0, never used again */
	uint32_t priority; /* lower ones come first; equal ones in the order of their ids */
	uint8_t action;    /* enum spd_action */
	uint8_t dir;       /* SPD_IN, SPD_OUT or both */
	uint8_t mode;      /* PROTECT: enum esp_mode, ANY allows both */
	uint16_t encr;     /* PROTECT: 0 allows every suite */
	uint16_t encr_bits;
	uint16_t integ;
	uint32_t local_id; /* PROTECT: 0 allows every identity */
	uint32_t peer_id;
	uint32_t reqid;                       /* PROTECT: 0 allows every SA */
	struct ip_addr tun_local, tun_remote; /* PROTECT by tunnel: its ends; any allows all */
	char name[32];
	uint64_t hits;
};

extern const struct port_range port_range_any, port_range_opaque;

static inline bool
addr_range_has(const struct addr_range *r, const struct ip_addr *a)
{
	return ip_addr_cmp(&r->lo, a) <= 0 && ip_addr_cmp(a, &r->hi) <= 0;
}

/* ANY and OPAQUE. */
static inline bool
port_range_takes_fragments(const struct port_range *r)
{
	return (r->lo == 0 && r->hi == 65535) || r->lo > r->hi;
}

/* plen counts of 128 bits: an IPv4 prefix has 96 more. Bits behind it do not matter. */
void addr_range_of_net(struct addr_range *r, const struct ip_addr *net, uint8_t plen);
void addr_range_of_host(struct addr_range *r, const struct ip_addr *a);
bool addr_range_is_host(const struct addr_range *r);

/* The prefix length (of 128 bits) if the range is a prefix, else -1. */
int addr_range_plen(const struct addr_range *r);

/* Fills the "matches every flow of the realm" selector. */
void esp_sel_any(struct esp_sel *sel, uint32_t realm);
bool esp_sel_match(const struct esp_sel *sel, const struct flow_key *k);

/* The same for a later fragment, which shows no ports: they must be ANY or OPAQUE (F-56). */
bool esp_sel_match_fragment(const struct esp_sel *sel, const struct flow_key *k);

/* True if some flow is covered by both. */
bool esp_sel_overlap(const struct esp_sel *a, const struct esp_sel *b);

/* True if one flow alone is covered: two hosts, one protocol, one pair of ports. */
bool esp_sel_is_flow(const struct esp_sel *sel);

/* What the program asks for of an SA that is to be made; zeros leave it to the policy. */
struct esp_want {
	uint32_t local_id, peer_id;
	uint16_t encr, encr_bits, integ;
	uint8_t mode;
	bool unique;
};

/* What a worker tells the control context. */
enum esp_event_kind {
	ESP_EV_SOFT = 1, /* an SA should be replaced */
	ESP_EV_HARD,     /* it may not be used any more, and refuses to be */
	ESP_EV_ACQUIRE,  /* a packet for `key` needs an SA that `rule` asks for */
	ESP_EV_PMTU,     /* a router said that packets of an SA are too big */
	ESP_EV_MOVED,    /* authentic packets come from another address or port (RFC 7296 s2.23) */
};

struct esp_event {
	uint8_t kind; /* enum esp_event_kind */
	uint16_t worker;
	uint16_t port;        /* MOVED: host order */
	uint32_t index, gen;  /* of the SA */
	uint32_t profile;     /* ACQUIRE: that a latch asks for; 0: none does */
	uint32_t mtu_bytes;   /* PMTU */
	uint32_t rule;        /* ACQUIRE: id of the policy; 0: a latch asks */
	struct ip_addr addr;  /* MOVED */
	struct flow_key key;  /* ACQUIRE */
	struct esp_want want; /* ACQUIRE */
};

/* Registered by stack/run, so that esp depends on nobody above it. May be NULL. */
struct esp_events {
	void (*post)(struct lcore *lc, const struct esp_event *ev);
};

struct esp_conf {
	uint16_t udp_port; /* ESP in UDP comes to it (RFC 3948); 0: 4500 */
	uint32_t max_sas;  /* slots: SA halves, those being deleted included; 0: the default */
	struct esp_events events;
};

/* Needs lc's rand context. conf NULL: defaults. Returns 0 or -errno (-ENOTSUP: no crypto engine).
 */
int esp_create(struct lcore *lc, const struct esp_conf *conf);
void esp_destroy(struct lcore *lc);

/* Names of IANA's registry, such as ENCR_AES_GCM_16; "?" for an unknown number. */
const char *esp_encr_name(uint16_t encr);
const char *esp_integ_name(uint16_t integ);
bool esp_encr_by_name(const char *name, uint16_t *encr);
bool esp_integ_by_name(const char *name, uint16_t *integ);

/* "AES-GCM-16-128" or "AES-CBC-256/HMAC-SHA2-256-128": the IANA names in short. Returns out. */
enum { ESP_SUITE_TEXT = 64 };
const char *esp_suite_text(uint16_t encr, uint16_t encr_bits, uint16_t integ, char *out);

/* The key bits of a key with its salt in so many bytes; 0 if that cannot be one. */
uint16_t esp_encr_bits_of_key(uint16_t encr, size_t key_bytes);

/* Bits of the ICV, and whether the algorithms hide the content; 0 and false for no suite. */
uint16_t esp_icv_bits(uint16_t encr, uint16_t encr_bits, uint16_t integ);
bool esp_is_confidential(uint16_t encr, uint16_t encr_bits, uint16_t integ);

/* Whether the keys are those of a suite that may be used; called by esp_sa_check(). */
int esp_sa_check_keys(const struct esp_sa_conf *c, const char **why);

/* Refuses what is not supported, with the reason in *why. Returns 0 or -EINVAL. */
int esp_sa_check(const struct esp_sa_conf *c, const char **why);

/*
 * Puts an SA into slot index with generation gen; at its owner the key is expanded. Returns 0,
 * -EEXIST (slot, or inbound SPI, in use), -ENOMEM, -ENOTSUP. Runs between turns.
 */
int esp_sad_add(struct lcore *lc, const struct esp_sa_conf *c, uint32_t index, uint32_t gen);

/* Removes it and wipes the key. Returns 0 or -ENOENT. */
int esp_sad_del(struct lcore *lc, uint32_t index, uint32_t gen, enum esp_del_cause why);

/* What the owner of an SA knows of it. Returns 0 or -ENOENT. */
struct esp_sa_info;
int esp_sad_info(struct lcore *lc, uint32_t index, uint32_t gen, struct esp_sa_info *out);

/*
 * The peer of inbound SA (index, gen) is behind a NAT and sends from another address or port now:
 * its SAs in both directions follow (RFC 7296 s2.23). Returns how many changed here.
 */
uint32_t esp_sad_move(struct lcore *lc, uint32_t index, uint32_t gen, const struct ip_addr *remote,
	uint16_t udp_port);

/* Whether an SA leads to the same place as another, so that both move together. */
bool esp_sa_moves_with(const struct esp_sa_conf *sa, const struct esp_sa_conf *other);

/* The newest usable outbound SA with this profile that covers k, one of this worker if it has any.
 * Returns 0 or -ENOENT. */
int esp_sad_find_out(
	struct lcore *lc, uint32_t profile, const struct flow_key *k, struct esp_sa_ref *out);

/* Whether outbound SAs with this profile are there, and all of them lead to other hosts than k. */
bool esp_sad_is_elsewhere(const struct lcore *lc, uint32_t profile, const struct flow_key *k);

/* The newest inbound SA with these identities, mode and suite that covers k, or -ENOENT. */
int esp_sad_find_in(struct lcore *lc, const struct esp_sa_ref *like, const struct flow_key *k,
	struct esp_sa_ref *out);

/* Asks for an SA, unless somebody was asked a moment ago (F-14). rule or profile is 0; want NULL:
 * nothing beside them. */
void esp_acquire(struct lcore *lc, const struct flow_key *k, uint32_t rule, uint32_t profile,
	const struct esp_want *want);

/* Forgets when SAs of such a flow were asked for last: somebody looked after it. */
void esp_acquire_done(struct lcore *lc);

/* F-1, F-3: false if the SA of the tag was revoked since; asked when a packet leaves a queue. */
bool esp_tag_current(const struct lcore *lc, const struct tl_tag *t);

/* The SA of a tag, while it is in the SAD. Returns false when it is gone. */
bool esp_sad_ref(const struct lcore *lc, const struct tl_tag *t, struct esp_sa_ref *out);

/* The SA that spd_out chose for a packet that esp_out has not wrapped yet; false: none. */
bool esp_out_sa(const struct rte_mbuf *m, struct esp_sa_ref *out);

/* Changes whenever an SA is added or deleted, so a remembered SA can be trusted until then. */
uint32_t esp_sad_version(const struct lcore *lc);

/*
 * A policy for all workers: rules in their order, sorted by id where the order allows. Returns 0,
 * or -errno with the reason in *why. Control context.
 */
struct spd;
int spd_build(const struct spd_rule *rules, uint32_t n, struct spd **out, const char **why);
void spd_free(struct spd *s);

/* Takes what spd_install() of s will need, so that it cannot fail. Returns 0 or -ENOMEM. */
int spd_prepare(struct lcore *lc, const struct spd *s);

/* A worker uses this policy from now on; the former one may be freed. Returns 0 or -ENOMEM. */
int spd_install(struct lcore *lc, const struct spd *s);

/* What the worker uses now; NULL before the first. */
const struct spd *spd_installed(const struct lcore *lc);

/* What a policy says of a flow in a direction, installed or not; NULL: no rule covers it. */
const struct spd_rule *spd_rule_of(const struct spd *s, uint32_t dir, const struct flow_key *k);

/* Changes whenever another policy is installed. */
uint32_t spd_version(const struct lcore *lc);

/* The first rule for a flow in a direction (SPD_IN or SPD_OUT); NULL: none, so DISCARD. */
const struct spd_rule *spd_find(struct lcore *lc, uint32_t dir, const struct flow_key *k);

/* RFC 4301 s4.4.1: whether an SA gives what a PROTECT rule asks for. */
bool spd_sa_fits(const struct spd_rule *r, const struct esp_sa_ref *sa);

/* The newest usable outbound SA that covers k and that fits() takes. Returns 0 or -ENOENT. */
typedef bool esp_fits_fn(const struct esp_sa_ref *sa, const void *arg);
int spd_find_sa_if(struct lcore *lc, const struct flow_key *k, esp_fits_fn *fits, const void *arg,
	struct esp_sa_ref *out);

/* The same of inbound ones. */
int spd_find_sa_in_if(struct lcore *lc, const struct flow_key *k, esp_fits_fn *fits,
	const void *arg, struct esp_sa_ref *out);

/*
 * Receive stage: takes every packet of v (meta complete, l4_off at the ESP header). Decrypted
 * packets are tagged and go to s: NX_IP out of a tunnel, their L4 out of transport mode. An SA of
 * another worker: the packet is handed over to it.
 */
void esp_in(struct lcore *lc, struct pkt_vec *v, struct pkt_sort *s);

/*
 * Transmit stage: finds what each packet needs: the SA of its request tag, else the policy.
 * Removes from v what is discarded or handed over; sets meta's sa and tunnel fields.
 */
void spd_out(struct lcore *lc, struct pkt_vec *v);

/* Transmit stage: encrypts what spd_out marked; data starts at L4, or at the inner IP header. */
void esp_out(struct lcore *lc, struct pkt_vec *v);

/*
 * Receive stage between ip_in and esp_in: moves ESP in UDP from s->v[NX_UDP] to s->v[NX_ESP], drops
 * NAT keepalives (RFC 3948 s3.2, s2.3).
 */
void esp_udp_in(struct lcore *lc, struct pkt_sort *s);

/*
 * F-51: an ICMP error quotes ESP; key's ports are the halves of the SPI. Whether it may be heard at
 * all, and what "packet too big" does: seql is the quoted sequence number, mtu_bytes 0 if unknown.
 */
bool esp_may_speak(struct lcore *lc, const struct flow_key *quoted);
void esp_too_big(
	struct lcore *lc, const struct flow_key *quoted, uint32_t seql, uint32_t mtu_bytes);

/* A worker other than the owner of the SA learns its path MTU. */
void esp_sad_set_pmtu(struct lcore *lc, uint32_t index, uint32_t gen, uint32_t mtu_bytes);

/* For operators. */
struct esp_sa_info {
	struct esp_sa_ref ref;
	struct esp_sel sel;
	uint32_t spi;
	bool inbound;
	bool esn;
	bool expired;
	uint32_t replay_window;
	const char *engine; /* "-" where this worker is not the owner */
	uint64_t seq;       /* last sent, or highest received */
	uint64_t packets, bytes;
	uint64_t drop_icv, drop_replay;
	uint64_t age_ns, used_ns; /* since it was added; since its first packet, 0: none came */
	struct esp_life life;
};
void esp_sad_foreach(
	struct lcore *lc, void (*fn)(const struct esp_sa_info *i, void *arg), void *arg);
void spd_foreach(struct lcore *lc, void (*fn)(const struct spd_rule *r, void *arg), void *arg);

#endif
