/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * stat.h - what a worker counts: one counter for each drop reason, and the events of each module.
 *
 * Each list is written once and gives the enum and the names shown to operators.
 */
#ifndef TL_BASE_STAT_H
#define TL_BASE_STAT_H

#include <stdbool.h>
#include <stdint.h>

/* clang-format off */
/* X(symbol, name shown, what happened) */
#define DROP_REASONS(X)                                                                            \
	X(NONE,               "none",               "never counted")                               \
	X(ETH_SHORT,          "eth-short",          "shorter than its Ethernet header")            \
	X(ETH_TYPE,           "eth-type",           "ethertype not handled here")                  \
	X(ETH_VLAN,           "eth-vlan",           "VLAN tag missing, or not of this port")       \
	X(ETH_NOT_OURS,       "eth-not-ours",       "unicast to another MAC address")              \
	X(ETH_SRC,            "eth-src",            "source MAC is a group address")               \
	X(ARP_BAD,            "arp-bad",            "malformed ARP")                               \
	X(ARP_DONE,           "arp-done",           "ARP consumed (not a loss)")                   \
	X(ND_BAD,             "nd-bad",             "malformed neighbour discovery message")       \
	X(ND_HOPS,            "nd-hops",            "neighbour discovery from beyond the link (hop limit not 255)") \
	X(ND_TUNNEL,          "nd-tunnel",          "neighbour discovery under an SA")             \
	X(ND_FRAG,            "nd-frag",            "neighbour discovery in fragments (RFC 6980)") \
	X(ND_IGNORED,         "nd-ignored",         "redirect, router solicitation, or unwanted advertisement") \
	X(ND_DONE,            "nd-done",            "neighbour discovery consumed (not a loss)")   \
	X(NEIGH_QUEUE_FULL,   "neigh-queue-full",   "too many packets wait for one neighbour")     \
	X(NEIGH_UNRESOLVED,   "neigh-unresolved",   "the neighbour did not answer")                \
	X(NEIGH_TABLE_FULL,   "neigh-table-full",   "no room for another neighbour")               \
	X(IP4_SHORT,          "ip4-short",          "shorter than its IPv4 header")                \
	X(IP4_VERSION,        "ip4-version",        "version field is not 4")                      \
	X(IP4_HLEN,           "ip4-hlen",           "header length below 20 or beyond the packet") \
	X(IP4_TOTLEN,         "ip4-totlen",         "total length below header or beyond packet")  \
	X(IP4_CSUM,           "ip4-csum",           "header checksum wrong")                       \
	X(IP4_SRC,            "ip4-src",            "source is multicast, broadcast, zero, or ours") \
	X(IP4_DST,            "ip4-dst",            "destination not ours")                        \
	X(IP4_OPTIONS,        "ip4-options",        "source route or malformed option")            \
	X(IP4_FLAGS,          "ip4-flags",          "reserved flag, or DF together with a fragment") \
	X(IP6_SHORT,          "ip6-short",          "shorter than its IPv6 header")                \
	X(IP6_VERSION,        "ip6-version",        "version field is not 6")                      \
	X(IP6_LEN,            "ip6-len",            "payload length beyond the packet")            \
	X(IP6_SRC,            "ip6-src",            "source is multicast, unspecified, loopback, mapped, or ours") \
	X(IP6_DST,            "ip6-dst",            "destination not ours, or a group of no use here") \
	X(IP6_NONE,           "ip6-none",           "no next header (RFC 8200 s4.7)")              \
	X(IP6_EXT_SHORT,      "ip6-ext-short",      "an extension header does not end in the packet") \
	X(IP6_EXT_MANY,       "ip6-ext-many",       "too many extension headers or options")       \
	X(IP6_EXT_ORDER,      "ip6-ext-order",      "hop-by-hop options not first, or two fragment headers") \
	X(IP6_OPTION,         "ip6-option",         "malformed option, or an unknown one that forbids to go on") \
	X(IP6_ROUTING,        "ip6-routing",        "routing header with segments left (RFC 5095)") \
	X(IP_ECN,             "ip-ecn",             "outer header marked CE, inner not ECN-capable") \
	X(IP_PROTO,           "ip-proto",           "protocol without a handler")                  \
	X(L4_SHORT,           "l4-short",           "too short to hold its ports")                 \
	X(FRAG_SHORT,         "frag-short",         "fragment length not a multiple of 8, or tiny first") \
	X(FRAG_RANGE,         "frag-range",         "fragment ends beyond 65535")                  \
	X(FRAG_OVERLAP,       "frag-overlap",       "fragments overlap: whole datagram dropped")   \
	X(FRAG_PROFILE,       "frag-profile",       "fragments of one datagram came under two SAs") \
	X(FRAG_QUOTA,         "frag-quota",         "reassembly quota exceeded")                   \
	X(FRAG_TIMEOUT,       "frag-timeout",       "datagram incomplete in time")                 \
	X(FRAG_CHAIN,         "frag-chain",         "first fragment without the whole header chain (RFC 7112)") \
	X(FRAG_TOOBIG,        "frag-toobig",        "reassembled datagram does not fit a buffer")  \
	X(ESP_SHORT,          "esp-short",          "too short, or ciphertext not aligned")        \
	X(ESP_SPI,            "esp-spi",            "no SA with this SPI")                         \
	X(ESP_ADDR,           "esp-addr",           "outer addresses are not the SA's")            \
	X(ESP_SEQ,            "esp-seq",            "sequence number zero")                        \
	X(ESP_REPLAY,         "esp-replay",         "replayed, or left of the window")             \
	X(ESP_ICV,            "esp-icv",            "integrity check failed")                      \
	X(ESP_PAD,            "esp-pad",            "padding length or content wrong")             \
	X(ESP_DUMMY,          "esp-dummy",          "dummy packet (next header 59)")               \
	X(ESP_NEXT,           "esp-next",           "next header does not fit the mode of the SA") \
	X(ESP_SELECTOR,       "esp-selector",       "inner packet outside the SA's selectors")     \
	X(ESP_NESTED,         "esp-nested",         "ESP inside ESP")                              \
	X(ESP_NOSA,           "esp-nosa",           "policy says PROTECT and no SA fits")          \
	X(ESP_SEQ_END,        "esp-seq-end",        "the SA's sequence numbers are used up")       \
	X(ESP_ENCAP,          "esp-encap",          "in UDP where the SA is not, or the other way round") \
	X(NATT_KEEPALIVE,     "natt-keepalive",     "NAT keepalive (not a loss)")                  \
	X(NATT_LEN,           "natt-length",        "ESP in UDP with a wrong UDP length, or port zero") \
	X(NATT_CSUM,          "natt-checksum",      "ESP in UDP with a wrong UDP checksum")        \
	X(ESP_EXPIRED,        "esp-expired",        "the SA reached a hard lifetime")              \
	X(ESP_CRYPTO,         "esp-crypto",         "the crypto engine reported a failure")           \
	X(ESP_TOOBIG,         "esp-toobig",         "no room for ESP header or trailer")           \
	X(ESP_STALE,          "esp-stale",          "its SA was revoked while the packet was queued") \
	X(SPD_DISCARD_IN,     "spd-discard-in",     "inbound policy says DISCARD, or none matches") \
	X(SPD_DISCARD_OUT,    "spd-discard-out",    "outbound policy says DISCARD, or none matches") \
	X(SPD_CLEAR,          "spd-clear",          "clear packet where policy says PROTECT")      \
	X(SPD_PROTECTION,     "spd-protection",     "the SA's protection is not what policy asks for") \
	X(LATCH_M0,           "latch-m0",           "clear packet on a latched connection")        \
	X(LATCH_M2,           "latch-m2",           "same peer, other protection")                 \
	X(LATCH_M3,           "latch-m3",           "another identity")                            \
	X(LATCH_M5,           "latch-m5",           "the SA's identity is unknown")                \
	X(LATCH_M6,           "latch-m6",           "protected packet on a connection latched clear") \
	X(LATCH_CLOSED,       "latch-closed",       "the latch is closed")                         \
	X(LATCH_BROKEN,       "latch-broken",       "the latch waits for an SA, or for the end of a conflict") \
	X(LATCH_REQUEST,      "latch-request",      "not the protection or peer that the program asked for") \
	X(LATCH_AMBIGUOUS,    "latch-ambiguous",    "SAs of two peers cover the new connection")   \
	X(TCP_SHORT,          "tcp-short",          "shorter than its TCP header")                 \
	X(TCP_HLEN,           "tcp-hlen",           "data offset below 5 or beyond the segment")   \
	X(TCP_CSUM,           "tcp-csum",           "TCP checksum wrong")                          \
	X(TCP_OPT,            "tcp-opt",            "malformed TCP option")                        \
	X(TCP_FLAGS,          "tcp-flags",          "flag combination that no TCP sends")          \
	X(TCP_PORT,           "tcp-port",           "port zero")                                   \
	X(TCP_BCAST,          "tcp-bcast",          "segment to a broadcast or multicast address") \
	X(TCP_NO_PCB,         "tcp-no-pcb",         "no connection and no listener")               \
	X(TCP_COOKIE,         "tcp-cookie",         "ACK to a flooded listener without a valid SYN cookie") \
	X(TCP_BACKLOG,        "tcp-backlog",        "listen queue full")                           \
	X(TCP_MEM,            "tcp-mem",            "no control block or buffer left")             \
	X(TCP_SEQ,            "tcp-seq",            "outside the receive window")                  \
	X(TCP_PAWS,           "tcp-paws",           "old timestamp (PAWS)")                        \
	X(TCP_ACK,            "tcp-ack",            "unacceptable acknowledgment")                 \
	X(TCP_NOACK,          "tcp-noack",          "ACK flag missing")                            \
	X(TCP_RST,            "tcp-rst",            "RST not acceptable here")                     \
	X(TCP_SYN,            "tcp-syn",            "SYN not acceptable here")                     \
	X(TCP_OOO_LIMIT,      "tcp-ooo-limit",      "too much out-of-order data")                  \
	X(TCP_CLOSED,         "tcp-closed",         "data after the receiver closed")              \
	X(BUF_DONE,           "buf-done",           "what a packet brought was read (not a loss)")     \
	X(TCP_DONE,           "tcp-done",           "segment consumed (not a loss)")               \
	X(UDP_SHORT,          "udp-short",          "shorter than its UDP header")                 \
	X(UDP_LEN,            "udp-length",         "UDP length below 8 or beyond the packet")     \
	X(UDP_CSUM,           "udp-csum",           "UDP checksum wrong, or none over IPv6")       \
	X(UDP_PORT,           "udp-port",           "to port zero")                                \
	X(UDP_NO_SOCKET,      "udp-no-socket",      "no socket has the port")                      \
	X(UDP_SHUT,           "udp-shut",           "the socket reads no more")                    \
	X(UDP_FULL,           "udp-full",           "receive buffer full, or no chunk left")       \
	X(UDP_ENDED,          "udp-ended",          "the latch of its connection is gone")         \
	X(UDP_DONE,           "udp-done",           "datagram delivered (not a loss)")             \
	X(SCTP_SHORT,         "sctp-short",         "shorter than its SCTP header and one chunk") \
	X(SCTP_CSUM,          "sctp-checksum",      "SCTP checksum (CRC32c) wrong")        \
	X(SCTP_PORT,          "sctp-port",          "port zero")                           \
	X(SCTP_BCAST,         "sctp-bcast",         "SCTP packet to a broadcast or multicast address") \
	X(SCTP_CHUNK,         "sctp-chunk",         "malformed chunk or parameter")        \
	X(SCTP_BUNDLE,        "sctp-bundle",        "a chunk that stands alone was bundled") \
	X(SCTP_VTAG,          "sctp-vtag",          "wrong verification tag")              \
	X(SCTP_OOTB,          "sctp-ootb",          "of no association (out of the blue)") \
	X(SCTP_STATE,         "sctp-state",         "chunk that means nothing in this state") \
	X(SCTP_COOKIE,        "sctp-cookie",        "state cookie not ours, or under another protection than its INIT") \
	X(SCTP_STALE,         "sctp-stale",         "state cookie too old")                \
	X(SCTP_BACKLOG,       "sctp-backlog",       "listen queue full")                   \
	X(SCTP_MEM,           "sctp-mem",           "no association, path or buffer left") \
	X(SCTP_WINDOW,        "sctp-window",        "data beyond the receive window, or too far ahead") \
	X(SCTP_ENDED,         "sctp-ended",         "for an association that has ended")   \
	X(SCTP_DONE,          "sctp-done",          "SCTP packet consumed (not a loss)")   \
	X(ICMP_SHORT,         "icmp-short",         "shorter than its ICMP header")                \
	X(ICMP_CSUM,          "icmp-csum",          "ICMP checksum wrong")                         \
	X(ICMP_TYPE,          "icmp-type",          "ICMP type not handled")                       \
	X(ICMP_QUOTE,         "icmp-quote",         "ICMP error that quotes nothing that we sent") \
	X(ICMP_RATE,          "icmp-rate",          "ICMP answer over the rate limit")             \
	X(ICMP_BCAST,         "icmp-bcast",         "echo request to a broadcast address")         \
	X(ICMP_DONE,          "icmp-done",          "ICMP consumed (not a loss)")                  \
	X(ROUTE_NONE,         "route-none",         "no route to the destination")                 \
	X(IP_TOOBIG,          "ip-toobig",          "larger than the MTU and must not be fragmented") \
	X(TX_OFFLOAD,         "tx-offload",         "the port cannot complete it")                     \
	X(TX_FULL,            "tx-full",            "no room on the port")                         \
	X(OUT_FULL,           "out-full",           "queue of answers full")                       \
	X(NOBUF,              "nobuf",              "no packet buffer")                            \
	X(HANDOFF_FULL,       "handoff-full",       "hand-off ring to another worker full")        \
	X(EXCEPT_DONE,        "except-done",        "given to the host's kernel (not a loss)")     \
	X(EXCEPT_FULL,        "except-full",        "too many packets wait for the host's kernel") \
	X(EXCEPT_HOST,        "except-host",        "the host's kernel refused it")                \
	X(EXCEPT_BAD,         "except-bad",         "malformed, from the host's kernel")           \
	X(EXCEPT_SRC,         "except-src",         "from the host's kernel: source not ours")     \
	X(EXCEPT_DST,         "except-dst",         "from the host's kernel: to no single host")   \
	X(EXCEPT_ESP,         "except-esp",         "from the host's kernel: ESP or AH")           \
	X(EXCEPT_UNLISTED,    "except-unlisted",    "from the host's kernel: not what it may send") \
	X(PORT_CLOSED,        "port-closed",        "thrown away when the port or stack closed")

/* X(symbol, name shown) */
#define STATS(X)                                                                                   \
	X(RX_PKTS,        "rx-packets")         X(RX_BYTES,       "rx-bytes")                      \
	X(TX_PKTS,        "tx-packets")         X(TX_BYTES,       "tx-bytes")                      \
	X(ARP_RX_REQ,     "arp-requests-in")    X(ARP_TX_REQ,     "arp-requests-out")              \
	X(ARP_RX_REP,     "arp-replies-in")     X(ARP_TX_REP,     "arp-replies-out")               \
	X(ARP_CONFLICT,   "arp-conflicts")      X(ICMP_ERR_SKIP,  "icmp-errors-suppressed")        \
	X(ND_RX_NS,       "nd-solicits-in")     X(ND_TX_NS,       "nd-solicits-out")               \
	X(ND_RX_NA,       "nd-adverts-in")      X(ND_TX_NA,       "nd-adverts-out")                \
	X(ND_RX_RA,       "nd-router-adverts-in") X(ND_TX_RS,     "nd-router-solicits-out")        \
	X(ND_CONFLICT,    "nd-conflicts")       X(MLD_TX,         "mld-reports-out")               \
	X(PMTU_SET,       "path-mtus-learned")                                                     \
	X(IP_REASS,       "ip-reassembled")     X(IP_FRAG_OUT,    "ip-fragments-out")              \
	X(ICMP_ECHO_IN,   "icmp-echo-in")       X(ICMP_ERR_OUT,   "icmp-errors-out")               \
	X(ICMP_ERR_IN,    "icmp-errors-in")                                                        \
	X(ESP_IN,         "esp-in")             X(ESP_OUT,        "esp-out")                       \
	X(ESP_LINEAR,     "esp-linearised")     X(SPD_LOOKUP,     "spd-lookups")                   \
	X(SPD_MISS,       "spd-cache-misses")                                                      \
	X(NATT_MOVED,     "natt-moves")         X(NATT_KEEPALIVE, "natt-keepalives-out")           \
	X(ESP_DUMMY,      "esp-dummies-out")                                                       \
	X(ESP_PMTU,       "esp-path-mtu-updates")                                                  \
	X(SA_SOFT,        "sa-soft-expiries")   X(SA_HARD,        "sa-hard-expiries")              \
	X(ACQUIRE,        "acquires")           X(ACQUIRE_SKIP,   "acquires-suppressed")           \
	X(LATCH_OPEN,     "latches-created")    X(LATCH_FREE,     "latches-released")              \
	X(LATCH_BREAK,    "latches-broken")  X(LATCH_RESUME, "latches-restored")                                                        \
	X(TCP_SEG_IN,     "tcp-segments-in")    X(TCP_SEG_OUT,    "tcp-segments-out")              \
	X(TCP_LARGE,      "tcp-large-out")                                                         \
	X(TCP_ACTIVE,     "tcp-active-opens")   X(TCP_PASSIVE,    "tcp-passive-opens")             \
	X(TCP_ESTAB,      "tcp-established")    X(TCP_RST_IN,     "tcp-resets-in")                 \
	X(TCP_RST_OUT,    "tcp-resets-out")     X(TCP_REXMT,      "tcp-retransmits")               \
	X(TCP_RTO,        "tcp-timeouts")       X(TCP_FAST_REXMT, "tcp-fast-retransmits")          \
	X(TCP_CHALLENGE,  "tcp-challenge-acks") X(TCP_OOO,        "tcp-out-of-order")              \
	X(TCP_DUP,        "tcp-duplicate-data") X(TCP_PROBE,      "tcp-window-probes")             \
	X(TCP_COOKIE_OUT, "tcp-cookies-out")    X(TCP_COOKIE_IN,  "tcp-cookies-in")                \
	X(TCP_SYN_EVICT,  "tcp-half-open-evicted")                                                 \
	X(TCP_UNDO,       "tcp-spurious-undone") X(TCP_DSACK_IN,   "tcp-dsacks-in")                \
	X(TCP_KEEPALIVE,  "tcp-keepalives")     X(TCP_NO_OPTIONS, "tcp-options-lost")             \
	X(TCP_ECN_CE,     "tcp-congestion-marks") X(TCP_ECN_CWR, "tcp-ecn-reductions")              \
	X(TCP_TLP,        "tcp-tail-loss-probes")                                                    \
	X(TCP_TW_REUSE,   "tcp-time-wait-reused") X(TCP_TW_CONNECT, "tcp-time-wait-reconnects")    \
	X(TCP_RCV_GROWN,  "tcp-receive-buffers-grown") X(TCP_SND_GROWN, "tcp-send-buffers-grown")  \
	X(TCP_HELD_BACK,  "tcp-windows-held-back") X(TCP_DEFERRED, "tcp-accepts-deferred")         \
	X(TCP_TFO_ACTIVE, "tcp-fast-opens-out") X(TCP_TFO_FAIL, "tcp-fast-opens-out-failed")       \
	X(TCP_TFO_PASSIVE, "tcp-fast-opens-in") X(TCP_TFO_REFUSED, "tcp-fast-opens-in-refused")    \
	X(TCP_TFO_OVERFLOW, "tcp-fast-opens-in-overflow") X(TCP_TFO_COOKIE, "tcp-fast-open-cookies-given") \
	X(TCP_TFO_BLACKHOLE, "tcp-fast-open-black-holes")                                          \
	X(TCP_MTU_PROBE,  "tcp-mtu-probes") X(TCP_MTU_PROBE_OK, "tcp-mtu-probes-arrived")          \
	X(TCP_MTU_PROBE_LOST, "tcp-mtu-probes-lost") X(TCP_MTU_BLACKHOLE, "tcp-mtu-black-holes")   \
	X(UDP_IN,         "udp-datagrams-in")   X(UDP_OUT,        "udp-datagrams-out")             \
	X(SCTP_PKT_IN,    "sctp-packets-in") X(SCTP_PKT_OUT,   "sctp-packets-out")         \
	X(SCTP_ACTIVE,    "sctp-active-opens") X(SCTP_PASSIVE,   "sctp-passive-opens")     \
	X(SCTP_ESTAB,     "sctp-established") X(SCTP_RESTART,   "sctp-restarts")           \
	X(SCTP_ABORT_IN,  "sctp-aborts-in") X(SCTP_ABORT_OUT, "sctp-aborts-out")           \
	X(SCTP_DATA_IN,   "sctp-data-chunks-in") X(SCTP_DATA_OUT,  "sctp-data-chunks-out")  \
	X(SCTP_DUP,       "sctp-duplicate-chunks") X(SCTP_REXMT,     "sctp-retransmits")   \
	X(SCTP_FAST_REXMT,"sctp-fast-retransmits") X(SCTP_TIMEOUT,   "sctp-timeouts")      \
	X(SCTP_SACK_IN,   "sctp-sacks-in") X(SCTP_SACK_OUT,  "sctp-sacks-out")             \
	X(SCTP_COOKIE_OUT,"sctp-cookies-out") X(SCTP_COOKIE_IN, "sctp-cookies-in")         \
	X(SCTP_HB_OUT,    "sctp-heartbeats-out") X(SCTP_HB_LOST,   "sctp-heartbeats-lost")  \
	X(SCTP_FAILOVER,  "sctp-failovers") X(SCTP_PATH_DOWN, "sctp-paths-failed")         \
	X(SCTP_PATH_UP,   "sctp-paths-restored") X(SCTP_RENEGE,    "sctp-reneged-chunks")  \
	X(HANDOFF_IN,     "handoff-in")         X(HANDOFF_OUT,    "handoff-out")                   \
	X(TURNS,          "turns")              X(TURNS_BUSY,     "turns-busy")                    \
	X(EXCEPT_IN,      "except-to-host")     X(EXCEPT_OUT,     "except-from-host")              \
	X(CAPTURED,       "captured")           X(CAPTURE_LOST,   "capture-lost")                  \
	X(SLEEPS,         "sleeps")             X(BUSY_NS,        "busy-ns")                       \
	X(IDLE_NS,        "idle-ns")            X(ASSERTS,        "asserts")
/* clang-format on */

#define STAT_X_DROP_ENUM(sym, name, text) DROP_##sym,
#define STAT_X_STAT_ENUM(sym, name)       ST_##sym,

enum drop_reason { DROP_REASONS(STAT_X_DROP_ENUM) DROP_MAX };
enum stat_id { STATS(STAT_X_STAT_ENUM) ST_MAX };

struct stat_block {
	uint64_t drop[DROP_MAX];
	uint64_t st[ST_MAX];
};

/* Names for operators; an unknown number gives "?". */
const char *drop_reason_name(enum drop_reason r);
const char *drop_reason_text(enum drop_reason r);
const char *stat_name(enum stat_id s);

/* False for what ends where it should. */
bool drop_reason_is_loss(enum drop_reason r);

#endif
