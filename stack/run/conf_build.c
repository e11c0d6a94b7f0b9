/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * conf_build.c - from the text of keys to values.
 *
 * One table says for each key where its value goes, how it is read and what was expected. Sections
 * with names make objects in the order of the file; policies keep that order.
 */
#include <stddef.h>
#include <stdlib.h>
#include <strings.h>
#include <openssl/crypto.h>

#include "stack/run/conf_check.h"
#include "stack/run/conf_value.h"

#define AT(type, member) ((uint32_t)offsetof(struct type, member))
#define ADDR_TEXT        "an IP address"
#define PREFIX_TEXT      "an IP prefix such as 10.0.0.0/24, a range such as 10.0.0.1-10.0.0.9, or any"
#define PORTS_TEXT       "a port, a range such as 1-1023, any, or opaque"
#define PROTO_TEXT       "tcp, udp, sctp, icmp, icmp6, a protocol number, or any"
#define ENCR_TEXT        "the IANA name of an encryption transform, such as ENCR_AES_GCM_16"
#define INTEG_TEXT       "the IANA name of an integrity transform, such as AUTH_HMAC_SHA2_256_128"
#define LIFE_TEXT        "a number, 0 for no limit"
#define IDENT_TEXT                                                                                 \
	"the name of an [identity NAME] section, or an identity in place such as "                 \
	"fqdn:host.example"

/* clang-format off */
static const struct key_rule rules[] = {
	{"eal", "args", V_IGNORE, 0, 0, 0, ""},
	{"eal", "core-dumps", V_IGNORE, 0, 0, 0, ""},
	{"eal", "hugepages", V_IGNORE, 0, 0, 0, ""},
	{"eal", "memory-mb", V_IGNORE, 0, 0, 0, ""},
	{"eal", "cpus", V_IGNORE, 0, 0, 0, ""},
	{"stack", "workers", V_U32, AT(stack_conf, workers), 1, LC_MAX_WORKERS, "1 to 16"},
	{"stack", "mbufs", V_U32, AT(stack_conf, mbufs), 256, 1 << 22, "256 to 4194304"},
	{"stack", "buffer-chunks", V_U32, AT(stack_conf, chunks), 16, 1 << 22, "16 to 4194304"},
	{"stack", "sockets", V_U32, AT(stack_conf, sockets), 8, 1 << 22, "8 to 4194304"},
	{"stack", "manual-keys", V_CONSENT, AT(stack_conf, manual_keys), 0, 0, "i-accept-the-risk"},
	{"stack", "telemetry", V_BOOL, AT(stack_conf, telemetry), 0, 0, "yes or no"},
	{"stack", "seed", V_SEED, AT(stack_conf, seed), 0, 0, "a number; for tests only: it makes random numbers repeatable"},
	{"stack", "iv-start", V_U64, AT(stack_conf, iv_start), 0, 0, "a number; for tests only: first explicit IV"},
	{"stack", "esp-pmtu", V_BOOL, AT(stack_conf, esp_pmtu), 0, 0, "yes or no"},
	{"stack", "max-sas", V_U32, AT(stack_conf, max_sas), 16, 1 << 20, "16 to 1048576 SA halves, one for each direction"},
	{"stack", "m2-action", V_DROP, AT(stack_conf, latch.m2_drop), 0, 0, "break or drop"},
	{"stack", "m3-action", V_CHOICE, AT(stack_conf, latch.m3), 0, 0, "break,drop,window"},
	{"stack", "spd-change", V_SPD_CHANGE, AT(stack_conf, latch.spd_break), 0, 0, "preserve or break"},
	{"stack", "disposition", V_CHOICE, AT(stack_conf, latch.disposition), 0, 0, "default,wait,reset,unreachable,suspend"},
	{"stack", "suspend-max-s", V_U32, AT(stack_conf, latch.suspend_max_s), 1, 86400, "1 to 86400 seconds"},
	{"stack", "settle-ms", V_U32, AT(stack_conf, latch.settle_ms), 1, 600000, "1 to 600000 ms"},
	{"stack", "monitor", V_CHOICE, AT(stack_conf, latch.monitor), 0, 0, "off,log,break,reject"},
	{"stack", "new-syn", V_CHOICE, AT(stack_conf, latch.new_syn), 0, 0, "end,drop,reset"},
	{"stack", "dpd-action", V_CHOICE, AT(stack_conf, latch.dpd), 0, 0, "close,break,ignore"},
	{"stack", "sa-choice", V_CHOICE, AT(stack_conf, latch.open_newest), 0, 0, "unambiguous,newest"},
	{"stack", "wait-for-sa", V_BOOL, AT(stack_conf, latch.wait_sa), 0, 0, "yes or no"},
	{"stack", "auto-latch", V_BOOL_NOT, AT(stack_conf, latch.no_auto), 0, 0, "yes or no"},
	{"stack", "same-peer", V_BOOL, AT(stack_conf, latch.same_peer), 0, 0, "yes or no"},
	{"stack", "optional-protection", V_BOOL, AT(stack_conf, latch.optional), 0, 0, "yes or no"},
	{"stack", "privileged-bypass", V_BOOL, AT(stack_conf, latch.override), 0, 0, "yes or no"},
	{"stack", "privileged-programs", V_PROGRAMS, AT(stack_conf, latch.privileged), 0, 0, "names of programs"},
	{"control", "socket", V_TEXT, AT(stack_conf, control_socket), 107, 0, "a path of at most 107 characters"},
	{"tcp", "max-connections", V_U32, AT(stack_conf, tcp.max_pcbs), 8, 1 << 22, "8 to 4194304"},
	{"tcp", "sndbuf", V_U32, AT(stack_conf, tcp.sndbuf_bytes), 4096, 1 << 30, "4096 to 2^30 bytes"},
	{"tcp", "rcvbuf", V_U32, AT(stack_conf, tcp.rcvbuf_bytes), 4096, 1 << 30, "4096 to 2^30 bytes"},
	{"tcp", "sndbuf-max", V_U32, AT(stack_conf, tcp.sndbuf_max_bytes), 4096, 1 << 30, "4096 to 2^30 bytes"},
	{"tcp", "rcvbuf-max", V_U32, AT(stack_conf, tcp.rcvbuf_max_bytes), 4096, 1 << 30, "4096 to 2^30 bytes"},
	{"tcp", "memory-pressure", V_U32, AT(stack_conf, tcp.pressure_pct), 1, 101, "1 to 100 percent of buffer-chunks, or 101 for never"},
	{"tcp", "rto-min-ms", V_US, AT(stack_conf, tcp.rto_min_us), 10, 60000, "10 to 60000 ms"},
	{"tcp", "delack-ms", V_US, AT(stack_conf, tcp.delack_us), 0, 499, "0 to 499 ms"},
	{"tcp", "keep-idle-s", V_U16, AT(stack_conf, tcp.keep_idle_s), 1, 32767, "1 to 32767 seconds"},
	{"tcp", "keep-interval-s", V_U16, AT(stack_conf, tcp.keep_interval_s), 1, 32767, "1 to 32767 seconds"},
	{"tcp", "keep-probes", V_U16, AT(stack_conf, tcp.keep_count), 1, 127, "1 to 127"},
	{"tcp", "msl-ms", V_U32, AT(stack_conf, tcp.msl_ms), 10, 120000, "10 to 120000 ms"},
	{"tcp", "mtu-probing", V_CHOICE, AT(stack_conf, tcp.mtu_probing), 0, 0, "no,blackhole,always"},
	{"tcp", "mtu-base-mss", V_U16, AT(stack_conf, tcp.base_mss), 88, 8900, "88 to 8900 bytes"},
	{"tcp", "mtu-probe-interval-s", V_U32, AT(stack_conf, tcp.mtu_probe_s), 1, 86400, "1 to 86400 seconds"},
	{"tcp", "fin-wait-ms", V_U32, AT(stack_conf, tcp.fin_wait_ms), 10, 600000, "10 to 600000 ms"},
	{"tcp", "challenge-acks", V_U32, AT(stack_conf, tcp.challenge_per_s), 0, 1000000, "0 to 1000000 a second"},
	{"tcp", "timestamps", V_BOOL_NOT, AT(stack_conf, tcp.no_timestamps), 0, 0, "yes or no"},
	{"tcp", "window-scaling", V_BOOL_NOT, AT(stack_conf, tcp.no_wscale), 0, 0, "yes or no"},
	{"tcp", "first-port", V_U16, AT(stack_conf, tcp.port_first), 1, 65535, "1 to 65535"},
	{"tcp", "last-port", V_U16, AT(stack_conf, tcp.port_last), 1, 65535, "1 to 65535"},
	{"tcp", "fastopen", V_CHOICE, AT(stack_conf, tcp.fastopen), 0, 0, "no,client,server,both"},
	{"tcp", "fastopen-key", V_TFO_KEY, 0, 0, 0, "32 hexadecimal digits"},
	{"tcp", "fastopen-pause-s", V_U32, AT(stack_conf, tcp.fastopen_pause_s), 0, 86400, "0 to 86400 seconds"},
	{"tcp", "synack-retries", V_U32, AT(stack_conf, tcp.synack_retries), 0, 15, "0 to 15"},
	{"tcp", "time-wait-reuse", V_BOOL, AT(stack_conf, tcp.tw_reuse), 0, 0, "yes or no"},
	{"tcp", "syn-retries", V_U32, AT(stack_conf, tcp.syn_retries), 1, 15, "1 to 15"},
	{"tcp", "syn-cookies", V_BOOL_NOT, AT(stack_conf, tcp.no_cookies), 0, 0, "yes or no"},
	{"tcp", "rto-initial-ms", V_US, AT(stack_conf, tcp.rto_init_us), 10, 60000, "10 to 60000 ms"},
	{"tcp", "rto-max-ms", V_US, AT(stack_conf, tcp.rto_max_us), 1000, 600000, "1000 to 600000 ms"},
	{"tcp", "initial-cwnd", V_U32, AT(stack_conf, tcp.iw_segments), 1, 1000, "1 to 1000 segments"},
	{"tcp", "congestion-control", V_CHOICE, AT(stack_conf, tcp.cc), 0, 0, "newreno,cubic,dctcp,bbr"},
	{"tcp", "ecn", V_CHOICE, AT(stack_conf, tcp.ecn), 0, 0, "no,ask,accept"},
	{"tcp", "hystart", V_BOOL_NOT, AT(stack_conf, tcp.no_hystart), 0, 0, "yes or no"},
	{"tcp", "sack", V_BOOL_NOT, AT(stack_conf, tcp.no_sack), 0, 0, "yes or no"},
	{"tcp", "dsack", V_BOOL_NOT, AT(stack_conf, tcp.no_dsack), 0, 0, "yes or no"},
	{"tcp", "tlp", V_BOOL_NOT, AT(stack_conf, tcp.no_tlp), 0, 0, "yes or no"},
	{"tcp", "frto", V_BOOL_NOT, AT(stack_conf, tcp.no_frto), 0, 0, "yes or no"},
	{"tcp", "max-ranges", V_U32, AT(stack_conf, tcp.max_ranges), 0, 1 << 24, "0 to 16777216"},
	{"tcp", "data-retries", V_U32, AT(stack_conf, tcp.data_retries), 1, 20, "1 to 20"},
	{"udp", "max-sockets", V_U32, AT(stack_conf, udp.max_pcbs), 1, 1 << 22, "1 to 4194304"},
	{"udp", "sndbuf", V_U32, AT(stack_conf, udp.sndbuf_bytes), 4096, 64 << 20, "4096 to 67108864 bytes"},
	{"udp", "rcvbuf", V_U32, AT(stack_conf, udp.rcvbuf_bytes), 4096, 64 << 20, "4096 to 67108864 bytes"},
	{"sctp", "max-associations", V_U32, AT(stack_conf, sctp.max_assocs), 1, 1 << 20, "1 to 1048576"},
	{"sctp", "max-paths", V_U32, AT(stack_conf, sctp.max_paths), 1, 1 << 21, "1 to 2097152"},
	{"sctp", "max-chunks", V_U32, AT(stack_conf, sctp.max_chunks), 64, 1 << 24, "64 to 16777216"},
	{"sctp", "sndbuf", V_U32, AT(stack_conf, sctp.sndbuf_bytes), 4096, 64 << 20, "4096 to 67108864 bytes"},
	{"sctp", "rcvbuf", V_U32, AT(stack_conf, sctp.rcvbuf_bytes), 4096, 64 << 20, "4096 to 67108864 bytes"},
	{"sctp", "rto-initial-ms", V_U32, AT(stack_conf, sctp.rto_init_ms), 10, 60000, "10 to 60000 ms"},
	{"sctp", "rto-min-ms", V_U32, AT(stack_conf, sctp.rto_min_ms), 10, 60000, "10 to 60000 ms"},
	{"sctp", "rto-max-ms", V_U32, AT(stack_conf, sctp.rto_max_ms), 1000, 600000, "1000 to 600000 ms"},
	{"sctp", "max-burst", V_U32, AT(stack_conf, sctp.max_burst), 1, 256, "1 to 256 packets"},
	{"sctp", "association-max-retrans", V_U32, AT(stack_conf, sctp.assoc_max_retrans), 1, 200, "1 to 200"},
	{"sctp", "path-max-retrans", V_U32, AT(stack_conf, sctp.path_max_retrans), 0, 200, "0 to 200"},
	{"sctp", "max-init-retransmits", V_U32, AT(stack_conf, sctp.max_init_retrans), 1, 100, "1 to 100"},
	{"sctp", "heartbeat-interval-ms", V_U32, AT(stack_conf, sctp.hb_interval_ms), 100, 86400000, "100 to 86400000 ms"},
	{"sctp", "cookie-life-ms", V_U32, AT(stack_conf, sctp.cookie_life_ms), 1000, 3600000, "1000 to 3600000 ms"},
	{"sctp", "sack-delay-ms", V_U32, AT(stack_conf, sctp.sack_delay_ms), 0, 500, "0 to 500 ms"},
	{"sctp", "sack-frequency", V_U32, AT(stack_conf, sctp.sack_freq), 1, 100, "1 to 100 packets"},
	{"sctp", "out-streams", V_U16, AT(stack_conf, sctp.out_streams), 1, 65535, "1 to 65535"},
	{"sctp", "in-streams", V_U16, AT(stack_conf, sctp.in_streams), 1, 65535, "1 to 65535"},
	{"port", "device", V_TEXT, AT(conf_port, device), 255, 0, "memory, a PCI address, or a virtual device such as net_tap0,iface=tap0"},
	{"port", "mac", V_MAC, AT(conf_port, mac), 0, 0, "a unicast MAC address"},
	{"port", "mtu", V_U16, AT(conf_port, mtu_bytes), 576, 9216, "576 to 9216 bytes"},
	{"port", "vlan", V_U16, AT(conf_port, vlan), 0, 4094, "0 (untagged) to 4094"},
	{"port", "realm", V_U32, AT(conf_port, realm), 0, UINT32_MAX, "a number"},
	{"port", "address", V_ADDRS, 0, 0, 0, "addresses with prefix length (8 at most), such as 10.0.0.1/24 or fd00::1/64, separated by commas"},
	{"port", "ipv6", V_BOOL, AT(conf_port, ip6), 0, 0, "yes or no"},
	{"port", "dad", V_BOOL_NOT, AT(conf_port, no_dad), 0, 0, "yes or no"},
	{"port", "accept-ra", V_BOOL, AT(conf_port, accept_ra), 0, 0, "yes or no"},
	{"port", "offload", V_BOOL, AT(conf_port, offload), 0, 0, "yes or no"},
	{"port", "exact", V_BOOL, AT(conf_port, exact), 0, 0, "yes or no"},
	{"port", "link", V_LINK, AT(conf_port, bare_ip), 0, 0, "ethernet or ip"},
	{"route", "via", V_VIA, 0, 0, 0, "an IP address, a link-local one with its port, such as fe80::1%lan"},
	{"identity", "type", V_IGNORE, 0, 0, 0, ""},
	{"identity", "value", V_IGNORE, 0, 0, 0, ""},
	{"sa", "spi", V_U32, AT(conf_sa, sa.spi), 256, UINT32_MAX, "256 to 4294967295"},
	{"sa", "direction", V_DIR_SA, AT(conf_sa, sa.inbound), 0, 0, "in or out"},
	{"sa", "mode", V_MODE, AT(conf_sa, sa.mode), 1, 2, "transport or tunnel"},
	{"sa", "local", V_ADDR, AT(conf_sa, sa.local), 0, 0, ADDR_TEXT},
	{"sa", "remote", V_ADDR, AT(conf_sa, sa.remote), 0, 0, ADDR_TEXT},
	{"sa", "encryption", V_ENCR, AT(conf_sa, sa.encr), 0, 0, ENCR_TEXT},
	{"sa", "key", V_HEX, 0, 0, 0, "hexadecimal key and salt, such as 20 bytes for AES-GCM with 128 bits, 36 for 256"},
	{"sa", "integrity", V_INTEG, AT(conf_sa, sa.integ), 0, 0, INTEG_TEXT},
	{"sa", "integrity-key", V_AUTH_HEX, 0, 0, 0, "the hexadecimal key of the integrity algorithm"},
	{"sa", "esn", V_BOOL, AT(conf_sa, sa.esn), 0, 0, "yes or no"},
	{"sa", "replay-window", V_U32, AT(conf_sa, sa.replay_window), 0, ESP_REPLAY_MAX, "0 (off), or 32 to 65536 packets"},
	{"sa", "local-id", V_IDENT, AT(conf_sa, sa.local_id), 0, 0, IDENT_TEXT},
	{"sa", "peer-id", V_IDENT, AT(conf_sa, sa.peer_id), 0, 0, IDENT_TEXT},
	{"sa", "engine", V_ENGINE, AT(conf_sa, sa.engine), 0, 0, "auto, ipsec-mb or libcrypto"},
	{"sa", "encapsulation", V_ENCAP, AT(conf_sa, sa.udp), 0, 0, "none or udp"},
	{"sa", "udp-local", V_U16, AT(conf_sa, sa.udp_local), 1, 65535, "a UDP port"},
	{"sa", "udp-remote", V_U16, AT(conf_sa, sa.udp_remote), 1, 65535, "a UDP port"},
	{"sa", "original-local", V_ADDR, AT(conf_sa, sa.oa_local), 0, 0, ADDR_TEXT},
	{"sa", "original-remote", V_ADDR, AT(conf_sa, sa.oa_remote), 0, 0, ADDR_TEXT},
	{"sa", "nat-keepalive", V_U32, AT(conf_sa, sa.keepalive_s), 0, 3600, "0 (none) to 3600 seconds"},
	{"sa", "df", V_DF, AT(conf_sa, sa.df), 0, 0, "copy, set or clear"},
	{"sa", "dscp", V_DSCP, AT(conf_sa, sa.dscp), 0, 63, "copy, or 0 to 63"},
	{"sa", "ecn", V_NOT, AT(conf_sa, sa.ecn_off), 0, 0, "yes or no"},
	{"sa", "tfc-pad", V_U32, AT(conf_sa, sa.tfc_pad_bytes), 0, 9000, "0 (none) to 9000 bytes"},
	{"sa", "dummy-interval", V_U32, AT(conf_sa, sa.dummy_ms), 0, 3600000, "0 (none) to 3600000 ms"},
	{"sa", "reqid", V_U32, AT(conf_sa, sa.reqid), 0, UINT32_MAX, "a number; 0 for none"},
	{"sa", "soft-bytes", V_U64, AT(conf_sa, sa.life.soft_bytes), 0, 0, LIFE_TEXT},
	{"sa", "hard-bytes", V_U64, AT(conf_sa, sa.life.hard_bytes), 0, 0, LIFE_TEXT},
	{"sa", "soft-packets", V_U64, AT(conf_sa, sa.life.soft_packets), 0, 0, LIFE_TEXT},
	{"sa", "hard-packets", V_U64, AT(conf_sa, sa.life.hard_packets), 0, 0, LIFE_TEXT},
	{"sa", "soft-seconds", V_U32, AT(conf_sa, sa.life.soft_add_s), 0, UINT32_MAX, LIFE_TEXT},
	{"sa", "hard-seconds", V_U32, AT(conf_sa, sa.life.hard_add_s), 0, UINT32_MAX, LIFE_TEXT},
	{"sa", "soft-use-seconds", V_U32, AT(conf_sa, sa.life.soft_use_s), 0, UINT32_MAX, LIFE_TEXT},
	{"sa", "hard-use-seconds", V_U32, AT(conf_sa, sa.life.hard_use_s), 0, UINT32_MAX, LIFE_TEXT},
	{"sa", "worker", V_U16, AT(conf_sa, sa.owner), 0, LC_MAX_WORKERS - 1, "the number of a worker"},
	{"sa", "realm", V_U32, AT(conf_sa, sa.realm), 0, UINT32_MAX, "a number"},
	{"sa", "local-net", V_PREFIX, AT(conf_sa, sa.sel.local), 0, 0, PREFIX_TEXT},
	{"sa", "remote-net", V_PREFIX, AT(conf_sa, sa.sel.remote), 0, 0, PREFIX_TEXT},
	{"sa", "protocol", V_PROTO, AT(conf_sa, sa.sel.proto), 0, 0, PROTO_TEXT},
	{"sa", "icmp-type", V_ICMP_TYPE, AT(conf_sa, sa.sel.lport), 0, 0, "a type such as 8, or a type and a code such as 3/4"},
	{"sa", "local-port", V_PORTS, AT(conf_sa, sa.sel.lport), 0, 0, PORTS_TEXT},
	{"sa", "remote-port", V_PORTS, AT(conf_sa, sa.sel.rport), 0, 0, PORTS_TEXT},
	{"policy", "action", V_ACTION, AT(spd_rule, action), 0, 0, "protect, bypass or discard"},
	{"policy", "priority", V_U32, AT(spd_rule, priority), 0, UINT32_MAX, "a number; lower ones come first"},
	{"policy", "reqid", V_U32, AT(spd_rule, reqid), 0, UINT32_MAX, "a number; 0 for none"},
	{"policy", "tunnel-local", V_ADDR, AT(spd_rule, tun_local), 0, 0, ADDR_TEXT},
	{"policy", "tunnel-remote", V_ADDR, AT(spd_rule, tun_remote), 0, 0, ADDR_TEXT},
	{"policy", "direction", V_DIR_RULE, AT(spd_rule, dir), 0, 0, "in, out or both"},
	{"policy", "mode", V_MODE, AT(spd_rule, mode), 0, 2, "any, transport or tunnel"},
	{"policy", "encryption", V_ENCR, AT(spd_rule, encr), 0, 0, ENCR_TEXT},
	{"policy", "key-bits", V_U16, AT(spd_rule, encr_bits), 128, 256, "128, 192 or 256"},
	{"policy", "integrity", V_INTEG, AT(spd_rule, integ), 0, 0, INTEG_TEXT},
	{"policy", "local-id", V_IDENT, AT(spd_rule, local_id), 0, 0, IDENT_TEXT},
	{"policy", "peer-id", V_IDENT, AT(spd_rule, peer_id), 0, 0, IDENT_TEXT},
	{"policy", "realm", V_U32, AT(spd_rule, sel.realm), 0, UINT32_MAX, "a number"},
	{"policy", "local-net", V_PREFIX, AT(spd_rule, sel.local), 0, 0, PREFIX_TEXT},
	{"policy", "remote-net", V_PREFIX, AT(spd_rule, sel.remote), 0, 0, PREFIX_TEXT},
	{"policy", "protocol", V_PROTO, AT(spd_rule, sel.proto), 0, 0, PROTO_TEXT},
	{"policy", "icmp-type", V_ICMP_TYPE, AT(spd_rule, sel.lport), 0, 0, "a type such as 8, or a type and a code such as 3/4"},
	{"policy", "local-port", V_PORTS, AT(spd_rule, sel.lport), 0, 0, PORTS_TEXT},
	{"policy", "remote-port", V_PORTS, AT(spd_rule, sel.rport), 0, 0, PORTS_TEXT},
	{"peer", "identity", V_IDENT, AT(latch_pad_entry, ident), 0, 0, IDENT_TEXT},
	{"peer", "remote-net", V_NETS, 0, 0, 0, "at most 16 IP prefixes or ranges, separated by commas"},
	{"peer", "auth", V_CLASSES, AT(latch_pad_entry, classes), 0, 0, "any, or some of cert, raw-key, psk, eap, null and unknown, separated by commas"},
	{"peer", "leap-of-faith", V_BOOL, AT(latch_pad_entry, leap), 0, 0, "yes or no"},
	{"exception", "port", V_TEXT, AT(conf_except, port_name), CONF_NAME - 1, 0, "the name of a port"},
	{"exception", "interface", V_TEXT, AT(conf_except, interface), 15, 0, "the name of an interface to make, 15 characters at most"},
	{"exception", "ike", V_BOOL_NOT, AT(conf_except, no_ike), 0, 0, "yes or no"},
	{"exception", "configure", V_BOOL_NOT, AT(conf_except, no_configure), 0, 0, "yes or no"},
	{"exception", "udp", V_LIST, AT(conf_except, udp), 1, 65535, "at most 16 UDP ports, separated by commas"},
	{"exception", "tcp", V_LIST, AT(conf_except, tcp), 1, 65535, "at most 16 TCP ports, separated by commas"},
	{"exception", "protocol", V_LIST, AT(conf_except, protocol), 1, 255, "at most 16 protocol numbers, separated by commas"},
	{"capture", "local-net", V_PREFIX, AT(conf_capture, sel.local), 0, 0, PREFIX_TEXT},
	{"capture", "remote-net", V_PREFIX, AT(conf_capture, sel.remote), 0, 0, PREFIX_TEXT},
	{"capture", "protocol", V_PROTO, AT(conf_capture, sel.proto), 0, 0, PROTO_TEXT},
	{"capture", "local-port", V_PORTS, AT(conf_capture, sel.lport), 0, 0, PORTS_TEXT},
	{"capture", "remote-port", V_PORTS, AT(conf_capture, sel.rport), 0, 0, PORTS_TEXT},
	{"capture", "sa", V_TEXT, AT(conf_capture, sa), CONF_NAME - 1, 0, "the name of an SA"},
	{"capture", "spi", V_U32, AT(conf_capture, spi), 1, UINT32_MAX, "1 to 4294967295"},
	{"capture", "drops", V_BOOL, AT(conf_capture, drops), 0, 0, "yes or no"},
	{"capture", "snap", V_U32, AT(conf_capture, snap_bytes), 64, UINT16_MAX, "64 to 65535 bytes"},
	{"capture", "buffer-kb", V_U32, AT(conf_capture, buffer_kb), 64, 1 << 20, "64 to 1048576"},
};
/* clang-format on */

/* Splits "sa NAME" into kind and name; the name is empty for [stack]. */
static void
split_section(const char *section, char kind[CONF_NAME], const char **name)
{
	size_t n = strcspn(section, " ");

	snprintf(kind, CONF_NAME, "%.*s", (int)n, section);
	*name = section + n + (section[n] == ' ');
}

static const struct key_rule *
rule_of(const char *kind, const char *key)
{
	for (size_t i = 0; i < RTE_DIM(rules); i++) {
		if (strcmp(rules[i].kind, kind) == 0 && strcmp(rules[i].key, key) == 0)
			return &rules[i];
	}
	return NULL;
}

const struct key_rule *
conf_rule_nth(const char *kind, uint32_t n)
{
	for (size_t i = 0; i < RTE_DIM(rules); i++) {
		if (strcmp(rules[i].kind, kind) == 0 && n-- == 0)
			return &rules[i];
	}
	return NULL;
}

/* Lists what a section may hold, for the error about a key that it may not. */
static int
fail_unknown(struct tl_error *e, const struct conf_ent *at, const char *kind)
{
	char known[1024] = "";
	size_t n = 0;

	for (size_t i = 0; i < RTE_DIM(rules) && n < sizeof(known); i++) {
		if (strcmp(rules[i].kind, kind) == 0)
			n += (size_t)snprintf(
				known + n, sizeof(known) - n, "%s%s", n ? ", " : "", rules[i].key);
	}
	if (n == 0)
		return conf_fail(e, at,
			"unknown section; expected eal, stack, control, tcp, port NAME, route "
			"PREFIX, identity NAME, sa NAME, policy NAME, peer NAME or exception NAME");
	return conf_fail(e, at, "unknown key; expected one of %s", known);
}

static int
read_ent(struct stack_conf *sc, const struct conf_ent *at, void *obj, struct tl_error *e)
{
	char kind[CONF_NAME];
	const char *name;
	struct reader r = {.sc = sc, .at = at, .obj = obj};

	split_section(at->section, kind, &name);
	r.rule = rule_of(kind, at->key);
	if (r.rule == NULL)
		return fail_unknown(e, at, kind);
	r.field = (uint8_t *)obj + r.rule->offset;
	if (!conf_value_read(&r)) {
		bool secret = conf_is_secret(at->key);

		return conf_fail(e, at, "expected %s%s%s%s", r.rule->expected,
			secret ? "" : ", got \"", secret ? "" : at->value, secret ? "" : "\"");
	}
	return 0;
}

/* One more element behind n; what the former memory held is wiped. Returns false without memory. */
static bool
grow(void **array, uint32_t *cap, uint32_t n, size_t size)
{
	uint32_t more = *cap == 0 ? 16 : *cap * 2;
	void *to;

	if (n < *cap)
		return true;
	to = calloc(more, size);
	if (to == NULL)
		return false;
	if (*array != NULL) {
		memcpy(to, *array, n * size);
		OPENSSL_cleanse(*array, n * size);
		free(*array);
	}
	*array = to;
	*cap = more;
	return true;
}

static struct conf_port *
port_obj(struct stack_conf *sc, const struct tl_conf *c, const char *name)
{
	struct conf_port *p;

	for (uint32_t i = 0; i < sc->nb_ports; i++) {
		if (strcmp(sc->port[i].name, name) == 0)
			return &sc->port[i];
	}
	if (sc->nb_ports == LC_MAX_PORTS)
		return NULL;
	p = &sc->port[sc->nb_ports++];
	snprintf(p->name, sizeof(p->name), "%s", name);
	p->mtu_bytes = 1500;
	for (const struct conf_mport *m = c->mport; m != NULL; m = m->next) {
		if (strcmp(m->name, name) == 0)
			p->mport = m;
	}
	return p;
}

static struct conf_route *
route_obj(struct stack_conf *sc, const char *name)
{
	struct conf_route *r, want = {0};

	if (!conf_read_prefix(name, &want.net, &want.plen) || strcasecmp(name, "any") == 0)
		return NULL;
	if (ip_addr_is_v4(&want.net))
		want.plen = (uint8_t)(want.plen - 96);
	for (uint32_t i = 0; i < sc->nb_routes; i++) {
		r = &sc->route[i];
		if (ip_addr_eq(&r->net, &want.net) && r->plen == want.plen)
			return r;
	}
	if (sc->nb_routes == CONF_MAX_ROUTES)
		return NULL;
	r = &sc->route[sc->nb_routes++];
	*r = want;
	return r;
}

static void
sa_defaults(struct conf_sa *sa)
{
	sa->sa.mode = ESP_MODE_TRANSPORT;
	sa->sa.encr = ESP_ENCR_AES_GCM_16;
	sa->sa.esn = true;
	sa->sa.replay_window = ESP_REPLAY_DEFAULT;
	esp_sel_any(&sa->sa.sel, 0);
}

static struct conf_sa *
sa_obj(struct stack_conf *sc, const char *name)
{
	struct conf_sa *sa;

	/* Backwards: the keys of a section usually stand together. */
	for (uint32_t i = sc->nb_sas; i-- > 0;) {
		if (strcmp(sc->sa[i].name, name) == 0)
			return &sc->sa[i];
	}
	if (!grow((void **)&sc->sa, &sc->cap_sas, sc->nb_sas, sizeof(*sc->sa)))
		return NULL;
	sa = &sc->sa[sc->nb_sas++];
	snprintf(sa->name, sizeof(sa->name), "%s", name);
	sa_defaults(sa);
	return sa;
}

static void
rule_defaults(struct spd_rule *r)
{
	*r = (struct spd_rule){.dir = SPD_BOTH, .priority = SPD_PRIORITY_DEFAULT};
	esp_sel_any(&r->sel, 0);
}

static struct spd_rule *
rule_obj(struct stack_conf *sc, const char *name)
{
	struct spd_rule *r;

	for (uint32_t i = sc->nb_rules; i-- > 0;) {
		if (strcmp(sc->rule[i].name, name) == 0)
			return &sc->rule[i];
	}
	if (strlen(name) >= sizeof(r->name) ||
		!grow((void **)&sc->rule, &sc->cap_rules, sc->nb_rules, sizeof(*sc->rule)))
		return NULL;
	r = &sc->rule[sc->nb_rules++];
	rule_defaults(r);
	strcpy(r->name, name);
	return r;
}

static struct latch_pad_entry *
peer_obj(struct stack_conf *sc, const char *name)
{
	struct latch_pad_entry *p;

	for (uint32_t i = sc->nb_peers; i-- > 0;) {
		if (strcmp(sc->peer[i].name, name) == 0)
			return &sc->peer[i];
	}
	if (strlen(name) >= sizeof(p->name) || name[0] == '\0' ||
		!grow((void **)&sc->peer, &sc->cap_peers, sc->nb_peers, sizeof(*sc->peer)))
		return NULL;
	p = &sc->peer[sc->nb_peers++];
	strcpy(p->name, name);
	return p;
}

static struct conf_except *
except_obj(struct stack_conf *sc, const char *name)
{
	struct conf_except *x;

	for (uint32_t i = 0; i < sc->nb_excepts; i++) {
		if (strcmp(sc->except[i].name, name) == 0)
			return &sc->except[i];
	}
	if (sc->nb_excepts == LC_MAX_PORTS)
		return NULL;
	x = &sc->except[sc->nb_excepts++];
	snprintf(x->name, sizeof(x->name), "%s", name);
	return x;
}

static void *
obj_of(struct stack_conf *sc, const struct tl_conf *c, const struct conf_ent *at)
{
	char kind[CONF_NAME];
	const char *name;

	split_section(at->section, kind, &name);
	if (strcmp(kind, "port") == 0)
		return port_obj(sc, c, name);
	if (strcmp(kind, "route") == 0)
		return route_obj(sc, name);
	if (strcmp(kind, "sa") == 0)
		return sa_obj(sc, name);
	if (strcmp(kind, "policy") == 0)
		return rule_obj(sc, name);
	if (strcmp(kind, "peer") == 0)
		return peer_obj(sc, name);
	if (strcmp(kind, "exception") == 0)
		return except_obj(sc, name);
	if (strcmp(kind, "capture") == 0)
		return NULL; /* for a running stack only */
	return sc;           /* [stack], [tcp], and what rule_of() will refuse */
}

static bool
ident_value(const char *text, struct tl_ident *id)
{
	struct ip_addr a;
	size_t len;

	if (id->type == TL_ID_IPV4_ADDR || id->type == TL_ID_IPV6_ADDR) {
		bool v4 = id->type == TL_ID_IPV4_ADDR;

		if (ip_addr_parse(text, &a) != 0 || ip_addr_is_v4(&a) != v4)
			return false;
		id->len = v4 ? 4 : 16;
		memcpy(id->data, v4 ? (const uint8_t *)&a.w[3] : a.b, id->len);
		return true;
	}
	if (id->type == TL_ID_DER_ASN1_DN || id->type == TL_ID_KEY_ID) {
		if (!conf_read_hex(text, id->data, sizeof(id->data), &len))
			return false;
		id->len = (uint16_t)len;
		return true;
	}
	len = strlen(text);
	if (len > TL_IDENT_MAX)
		return false;
	memcpy(id->data, text, len);
	id->len = (uint16_t)len;
	return true;
}

/* The IANA number of "fqdn" and so on; 0 for another word. */
static uint16_t
ident_type(const char *word)
{
	static const uint16_t types[] = {TL_ID_FQDN, TL_ID_IPV4_ADDR, TL_ID_IPV6_ADDR,
		TL_ID_RFC822_ADDR, TL_ID_DER_ASN1_DN, TL_ID_KEY_ID};

	for (size_t i = 0; i < RTE_DIM(types); i++) {
		if (strcasecmp(word, tl_ident_type_name(types[i])) == 0)
			return types[i];
	}
	return 0;
}

uint32_t
conf_ident_in_place(const struct stack_conf *sc, const char *text)
{
	const char *colon = strchr(text, ':');
	struct tl_ident id = {0};
	char word[16];

	if (colon == NULL || (size_t)(colon - text) >= sizeof(word))
		return 0;
	snprintf(word, sizeof(word), "%.*s", (int)(colon - text), text);
	id.type = ident_type(word);
	if (id.type == 0 || !ident_value(colon + 1, &id))
		return 0;
	return latch_ident_intern(sc->tables, &id);
}

/* One [identity NAME] section; called at its `type` key. */
static int
add_ident(struct stack_conf *sc, const struct tl_conf *c, const struct conf_ent *type,
	struct tl_error *e)
{
	const struct conf_ent *value = conf_find(c, type->section, "value");
	struct tl_ident id = {0};
	struct conf_ident *ci;
	char kind[CONF_NAME];
	const char *name;

	id.type = ident_type(type->value);
	split_section(type->section, kind, &name);
	if (id.type == 0)
		return conf_fail(e, type,
			"expected fqdn, ipv4, ipv6, rfc822, dn (hex DER) or key-id (hex), got "
			"\"%s\"",
			type->value);
	if (value == NULL)
		return conf_fail(e, type, "expected a key \"value\" beside it");
	if (!grow((void **)&sc->ident, &sc->cap_idents, sc->nb_idents, sizeof(*sc->ident)))
		return conf_fail(e, NULL, "out of memory");
	ci = &sc->ident[sc->nb_idents];
	snprintf(ci->name, sizeof(ci->name), "%s", name);
	if (ident_value(value->value, &id))
		ci->handle = latch_ident_intern(sc->tables, &id);
	if (ci->handle == 0)
		return conf_fail(e, value, "expected the text of a %s identity, got \"%s\"",
			type->value, value->value);
	sc->nb_idents++;
	return 0;
}

static int
read_idents(struct stack_conf *sc, const struct tl_conf *c, struct tl_error *e)
{
	for (const struct conf_ent *at = c->head; at != NULL; at = at->next) {
		int rc;

		if (strncmp(at->section, "identity ", 9) != 0)
			continue;
		if (strcmp(at->key, "type") != 0) {
			if (conf_find(c, at->section, "type") == NULL)
				return conf_fail(e, at, "expected a key \"type\" beside it");
			continue;
		}
		rc = add_ident(sc, c, at, e);
		if (rc != 0)
			return rc;
	}
	return 0;
}

static void
defaults(struct stack_conf *sc)
{
	memset(sc, 0, sizeof(*sc));
	sc->workers = 1;
	sc->mbufs = 16384;
	sc->chunks = 8192;
	sc->sockets = 16384;
	sc->max_sas = ESP_MAX_SAS_DEFAULT;
	sc->esp_pmtu = true;
	tcp_conf_default(&sc->tcp);
	udp_conf_default(&sc->udp);
	sctp_conf_default(&sc->sctp);
}

int
conf_build(const struct tl_conf *c, struct stack_conf *sc, struct tl_error *e)
{
	int rc;

	defaults(sc);
	if (latch_tables_create(&sc->tables) != 0)
		return conf_fail(e, NULL, "out of memory");
	rc = read_idents(sc, c, e);
	for (const struct conf_ent *at = c->head; at != NULL && rc == 0; at = at->next) {
		void *obj = obj_of(sc, c, at);

		if (obj == NULL)
			rc = conf_fail(e, at, "bad name, or too many sections of this kind");
		else
			rc = read_ent(sc, at, obj, e);
	}
	return rc != 0 ? rc : conf_check(c, sc, e);
}

int
conf_read_sa(const struct tl_conf *c, struct stack_conf *sc, const char *name,
	struct esp_sa_conf *out, struct tl_error *e)
{
	struct conf_sa sa = {0};
	char section[CONF_NAME + 4];
	int rc = 0;

	snprintf(sa.name, sizeof(sa.name), "%s", name);
	snprintf(section, sizeof(section), "sa %s", sa.name);
	sa_defaults(&sa);
	for (const struct conf_ent *at = c->head; at != NULL && rc == 0; at = at->next) {
		if (strcmp(at->section, section) == 0)
			rc = read_ent(sc, at, &sa, e);
	}
	if (rc == 0)
		rc = conf_check_sa(c, sc, &sa, e);
	*out = sa.sa;
	OPENSSL_cleanse(&sa, sizeof(sa));
	return rc;
}

int
conf_read_rule(const struct tl_conf *c, struct stack_conf *sc, const char *name,
	struct spd_rule *out, struct tl_error *e)
{
	char section[CONF_NAME + 8];
	int rc = 0;

	rule_defaults(out);
	if (strlen(name) >= sizeof(out->name))
		return conf_fail(e, NULL,
			"[policy %s]: expected a name of less than %zu characters", name,
			sizeof(out->name));
	strcpy(out->name, name);
	snprintf(section, sizeof(section), "policy %s", name);
	for (const struct conf_ent *at = c->head; at != NULL && rc == 0; at = at->next) {
		if (strcmp(at->section, section) == 0)
			rc = read_ent(sc, at, out, e);
	}
	return rc != 0 ? rc : conf_check_rule(c, out, e);
}

int
conf_read_peer(const struct tl_conf *c, struct stack_conf *sc, const char *name,
	struct latch_pad_entry *out, struct tl_error *e)
{
	char section[CONF_NAME + 8];
	int rc = 0;

	memset(out, 0, sizeof(*out));
	if (strlen(name) >= sizeof(out->name))
		return conf_fail(e, NULL, "[peer %s]: expected a name of less than %zu characters",
			name, sizeof(out->name));
	strcpy(out->name, name);
	snprintf(section, sizeof(section), "peer %s", name);
	for (const struct conf_ent *at = c->head; at != NULL && rc == 0; at = at->next) {
		if (strcmp(at->section, section) == 0)
			rc = read_ent(sc, at, out, e);
	}
	return rc;
}

int
conf_read_capture(const struct tl_conf *c, struct conf_capture *out, struct tl_error *e)
{
	int rc = 0;

	*out = (struct conf_capture){.snap_bytes = UINT16_MAX, .buffer_kb = 4096};
	esp_sel_any(&out->sel, 0);
	for (const struct conf_ent *at = c->head; at != NULL && rc == 0; at = at->next)
		rc = read_ent(NULL, at, out, e);
	return rc;
}

void
conf_done(struct stack_conf *sc)
{
	if (sc->sa != NULL)
		OPENSSL_cleanse(sc->sa, sc->cap_sas * sizeof(*sc->sa));
	/* The workers have their own by now. */
	OPENSSL_cleanse(sc->tcp.fastopen_key, sizeof(sc->tcp.fastopen_key));
	free(sc->sa);
	free(sc->rule);
	free(sc->peer);
	sc->sa = NULL;
	sc->rule = NULL;
	sc->peer = NULL;
	sc->nb_peers = sc->cap_peers = 0;
	sc->nb_sas = sc->cap_sas = sc->nb_rules = sc->cap_rules = 0;
}

int
tl_conf_check(const struct tl_conf *c, struct tl_error *e)
{
	struct stack_conf *sc = calloc(1, sizeof(*sc));
	int rc;

	if (sc == NULL)
		return conf_fail(e, NULL, "out of memory");
	rc = conf_build(c, sc, e);
	conf_done(sc);
	free(sc->ident);
	latch_tables_free(sc->tables);
	free(sc);
	return rc;
}
