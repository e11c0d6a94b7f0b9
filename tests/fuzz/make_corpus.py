#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""make_corpus.py - writes the seeds of the fuzz targets into corpus/. Needs scapy."""
import os
import struct

from scapy.all import (ARP, ICMP, IP, TCP, UDP, Dot1Q, Ether, ICMPv6EchoRequest, ICMPv6ND_NA,
                       ICMPv6ND_NS, ICMPv6ND_RA, ICMPv6NDOptDstLLAddr, ICMPv6NDOptMTU,
                       ICMPv6NDOptPrefixInfo, ICMPv6NDOptSrcLLAddr, ICMPv6PacketTooBig, IPv6,
                       IPv6ExtHdrDestOpt, IPv6ExtHdrFragment, IPv6ExtHdrHopByHop,
                       IPv6ExtHdrRouting, Raw, raw)

HERE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "corpus")
ME, PEER = "02:00:00:00:00:01", "02:00:00:00:00:02"
ETH = Ether(src=PEER, dst=ME)
V4, V6 = IP(src="10.0.0.2", dst="10.0.0.1"), IPv6(src="fd00::2", dst="fd00::1")


def put(target, name, data):
    path = os.path.join(HERE, target)
    os.makedirs(path, exist_ok=True)
    with open(os.path.join(path, name), "wb") as f:
        f.write(data)


def frames(*packets):
    return b"".join(struct.pack(">H", len(raw(p))) + raw(p) for p in packets)


OPTIONS = [("MSS", 1460), ("SAckOK", b""), ("Timestamp", (1, 0)), ("NOP", None), ("WScale", 7)]
SYN = TCP(sport=1000, dport=7, flags="S", seq=100, options=OPTIONS)
put("frames", "arp", frames(ETH / ARP(op=1, hwsrc=PEER, psrc="10.0.0.2", pdst="10.0.0.1"),
                            ETH / ARP(op=2, hwsrc=PEER, psrc="10.0.0.2", pdst="10.0.0.1")))
put("frames", "tcp4", frames(ETH / V4 / SYN, ETH / V4 / TCP(sport=1000, dport=7, flags="R", seq=101),
                             ETH / V4 / TCP(sport=9, dport=9, flags="A")))
put("frames", "tcp6", frames(ETH / V6 / SYN, ETH / V6 / TCP(sport=9, dport=9, flags="S")))
put("frames", "udp_icmp", frames(ETH / V4 / UDP(sport=5, dport=4500) / b"\xff",
                                 ETH / V4 / ICMP() / (b"x" * 30),
                                 ETH / V6 / ICMPv6EchoRequest(data=b"x" * 30),
                                 ETH / V4 / ICMP(type=3, code=4, nexthopmtu=600) /
                                 Raw(raw(IP(src="10.0.0.1", dst="10.0.0.2", proto=50) /
                                         Raw(b"\0\0\x20\x02\0\0\0\1")))))
put("frames", "vlan", frames(ETH / Dot1Q(vlan=3) / V4 / SYN))
put("frames", "ext", frames(ETH / V6 / IPv6ExtHdrHopByHop() / IPv6ExtHdrDestOpt() / SYN,
                            ETH / V6 / IPv6ExtHdrRouting(type=0, segleft=1) / SYN,
                            ETH / V6 / IPv6ExtHdrFragment(offset=0, m=1, id=7) / (b"y" * 64)))
put("frames", "options", frames(ETH / IP(src="10.0.0.2", dst="10.0.0.1", options=b"\x83\x07\x04\1\2\3\4\0") / SYN))
put("frames", "esp", frames(ETH / IP(src="10.0.0.2", dst="10.0.0.1", proto=50) / Raw(struct.pack(">II", 0x1001, 1) + b"z" * 48)))

put("esp_wire", "whole", b"\0")
put("esp_wire", "tunnel", b"\1")
put("esp_wire", "bit", b"\0\0\x14\1")
put("esp_wire", "spi", b"\0\0\3\xff")
put("esp_wire", "seq", b"\1\0\7\x80\x11")
put("esp_wire", "icv", b"\0\0\x60\x80")


def inner(flags, nxt, body, trailer=b"\0\0\0"):
    return bytes([flags, nxt]) + trailer + body


put("esp_inner", "tcp", inner(0, 6, raw(SYN)))
put("esp_inner", "udp", inner(0, 17, raw(UDP(sport=4500, dport=4500) / b"\0\0\0\0ike")))
put("esp_inner", "icmp", inner(0, 1, raw(ICMP() / (b"q" * 20))))
put("esp_inner", "tunnel4", inner(1, 4, raw(V4 / SYN)))
put("esp_inner", "tunnel6", inner(1, 41, raw(V6 / SYN)))
put("esp_inner", "tunnel_frag", inner(1, 4, raw(IP(src="10.0.0.2", dst="10.0.0.1", flags="MF") / (b"f" * 64))))
put("esp_inner", "tunnel6_ext", inner(1, 41, raw(V6 / IPv6ExtHdrDestOpt() / IPv6ExtHdrFragment(m=1) / (b"g" * 64))))
put("esp_inner", "tunnel_nd", inner(1, 41, raw(IPv6(src="fd00::2", dst="fd00::1", hlim=255) / ICMPv6ND_NS(tgt="fd00::1"))))
put("esp_inner", "dummy", inner(0, 59, b"d" * 40))
put("esp_inner", "nested", inner(0, 50, struct.pack(">II", 0x1001, 2) + b"n" * 40))
put("esp_inner", "padding", inner(2, 6, raw(SYN), b"\3\1\3"))


def frag(flags, ident, offset, length):
    return struct.pack(">BBHH", flags, ident, offset, length)


put("frag", "two4", frag(2, 1, 0, 64) + frag(0, 1, 8, 40))
put("frag", "two6", frag(3, 2, 0, 64) + frag(1, 2, 64, 40))
put("frag", "overlap4", frag(2, 3, 0, 64) + frag(2, 3, 4, 64) + frag(0, 3, 16, 8))
put("frag", "overlap6", frag(3, 4, 0, 64) + frag(3, 4, 56, 64) + frag(1, 4, 128, 8))
put("frag", "backwards", frag(0, 5, 16, 40) + frag(2, 5, 8, 64) + frag(2, 5, 0, 64))
put("frag", "mixed", frag(2, 6, 0, 64) + frag(4, 6, 8, 40) + frag(12, 6, 8, 40))
put("frag", "tunnel6", frag(7, 7, 0, 64) + frag(5, 7, 64, 40))
put("frag", "far", frag(2, 8, 0x1fff, 64) + frag(0, 8, 0x1ffe, 1199))


def nd(*messages):
    out = b""
    for flags, m in messages:
        body = raw(m)
        body = body[:2] + body[4:]
        out += bytes([flags, len(body)]) + body
    return out


SLL, DLL = ICMPv6NDOptSrcLLAddr(lladdr=PEER), ICMPv6NDOptDstLLAddr(lladdr=PEER)
put("nd", "ns", nd((8, ICMPv6ND_NS(tgt="fd00::1") / SLL), (0, ICMPv6ND_NS(tgt="fd00::1"))))
put("nd", "dad", nd((8 + 2, ICMPv6ND_NS(tgt="fd00::1"))))
put("nd", "na", nd((0, ICMPv6ND_NA(tgt="fd00::2", S=1) / DLL), (4, ICMPv6ND_NA(tgt="fd00::2", O=1) / DLL)))
put("nd", "ra", nd((5, ICMPv6ND_RA(routerlifetime=60) / SLL / ICMPv6NDOptMTU(mtu=1400) /
                    ICMPv6NDOptPrefixInfo(prefix="2001:db8::", prefixlen=64, L=1, A=1,
                                          validlifetime=100, preferredlifetime=50))))
put("nd", "too_big", nd((0, ICMPv6PacketTooBig(mtu=1280) / Raw(raw(IPv6(src="fd00::1", dst="fd00::2") / TCP(sport=7, dport=9))))))
put("nd", "echo", nd((0, ICMPv6EchoRequest(data=b"hello")), (16, ICMPv6ND_NS(tgt="fd00::1"))))


def nlmsg(kind, flags, body=b""):
    return struct.pack("<IHHII", 16 + len(body), kind, flags | 5, 1, 1) + body


def attr(kind, body):
    return struct.pack("<HH", 4 + len(body), kind) + body + b"\0" * (-len(body) % 4)


def ctl(*messages):
    return b"".join(struct.pack(">H", len(m)) + m for m in messages)


def xaddr(last):
    return bytes([10, 0, 0, last]) + b"\0" * 12


SELECTOR = xaddr(1) + xaddr(2) + struct.pack("<HHHHHBBBxxxiI", 0, 0, 0, 0, 2, 32, 32, 6, 0, 0)
LIFETIME = b"\xff" * 32 + b"\0" * 32


def usersa(src, dst, spi):
    return (SELECTOR + xaddr(dst) + struct.pack(">I", spi) + struct.pack("<Bxxx", 50) + xaddr(src) +
            LIFETIME + b"\0" * 32 + b"\0" * 12 + struct.pack("<IIHBBB7x", 0, 1, 2, 0, 32, 0))


GCM = attr(18, b"rfc4106(gcm(aes))".ljust(64, b"\0") + struct.pack("<II", 160, 128) + b"k" * 20)
CBC = (attr(2, b"cbc(aes)".ljust(64, b"\0") + struct.pack("<I", 128) + b"c" * 16) +
       attr(20, b"hmac(sha256)".ljust(64, b"\0") + struct.pack("<II", 256, 128) + b"h" * 32))
NEWSA, DELSA, GETSA, NEWPOLICY, DELPOLICY, GETPOLICY, ALLOCSPI, FLUSHSA, FLUSHPOLICY = (
    16, 17, 18, 19, 20, 21, 22, 28, 29)
put("ctl", "newsa", ctl(nlmsg(NEWSA, 0x600, usersa(2, 1, 0x3001) + GCM)))
put("ctl", "newsa_cbc", ctl(nlmsg(NEWSA, 0x600, usersa(1, 2, 0x3002) + CBC)))
put("ctl", "dump", ctl(nlmsg(GETSA, 0x300), nlmsg(GETPOLICY, 0x300)))
put("ctl", "flush", ctl(nlmsg(FLUSHSA, 0, b"\x32"), nlmsg(FLUSHPOLICY, 0)))
put("ctl", "allocspi", ctl(nlmsg(ALLOCSPI, 0, usersa(2, 1, 0) + struct.pack("<II", 0x4000, 0x5000))))
put("ctl", "policy", ctl(nlmsg(NEWPOLICY, 0, SELECTOR + LIFETIME + b"\0" * 32 +
                               struct.pack("<IIBBBBxxxx", 100, 0, 0, 0, 0, 0))))
put("ctl", "del", ctl(nlmsg(DELSA, 0, xaddr(1) + struct.pack(">I", 0x3001) + struct.pack("<HBx", 2, 50))))
for kind in range(0x100, 0x11b):
    put("ctl", f"own_{kind:x}", ctl(nlmsg(kind, 0), nlmsg(kind, 0x300)))


def nested_id(kind, fqdn):
    return attr(kind, attr(1, struct.pack("<H", 2)) + attr(2, fqdn))


# Key managers: attributes as ctl_proto.h numbers them.
PEER_ID, IDENT, TUPLE, SEL = 0x103, nested_id(0x103, b"a.example"), 0x119, 0x106
EPOCH, LOST, CLASS, SPKI, CERT, TA, HASH, LOCAL_EV, PEER_EV, EVENT = range(0x12b, 0x135)
SEL_ALL = attr(SEL, (b"\0" * 10 + b"\xff" * 2 + bytes([10, 0, 0, 0]) +
                     b"\0" * 10 + b"\xff" * 2 + bytes([10, 0, 0, 255])) * 2 +
               struct.pack("<HHHHI", 0, 65535, 0, 65535, 0))
DER = b"\x30\x06" + b"k" * 6
put("ctl", "km_register", ctl(nlmsg(0x111, 0, attr(EPOCH, struct.pack("<Q", 7))),
                              nlmsg(0x111, 0, attr(EPOCH, struct.pack("<Q", 8)) + attr(LOST, b""))))
put("ctl", "km_ident", ctl(nlmsg(0x112, 0, IDENT + attr(CLASS, b"\1") + attr(SPKI, DER) + attr(CERT, DER) +
                                 attr(TA, DER)), nlmsg(0x112, 0, IDENT)))
put("ctl", "km_sa", ctl(nlmsg(NEWSA, 0x600, usersa(2, 1, 0x3004) + GCM + nested_id(0x102, b"me") + IDENT +
                              attr(CLASS, b"\2")),
                        nlmsg(NEWSA, 0x600, usersa(2, 1, 0x3005) + GCM + IDENT + attr(PEER_EV, b"h" * 32))))
put("ctl", "km_peer", ctl(*(nlmsg(0x113, 0, IDENT + attr(EVENT, bytes([n]))) for n in range(5))))
put("ctl", "km_refused", ctl(nlmsg(0x114, 0, attr(TUPLE, b"\0" * 32 + struct.pack("<HHII", 7, 9, 0, 6)))))
put("ctl", "km_query", ctl(nlmsg(0x115, 0x300, SEL_ALL), nlmsg(0x116, 0, SEL_ALL + IDENT)))
put("ctl", "latch_close", ctl(nlmsg(0x110, 0, IDENT), nlmsg(0x10f, 0, attr(0x123, b""))))
put("ctl", "pad", ctl(nlmsg(0x117, 0, attr(0x100, b"p") + attr(0x101, b"identity=fqdn:a remote-net=10.0.0.0/8")),
                      nlmsg(0x117, 0, attr(0x100, b"q") + attr(0x101, b"leap-of-faith=yes remote-net=11.0.0.0/8")),
                      nlmsg(0x119, 0x300), nlmsg(0x118, 0, attr(0x100, b"p"))))
put("ctl", "batch", ctl(nlmsg(NEWSA, 0x600, usersa(2, 1, 0x3003) + GCM) + nlmsg(GETSA, 0x300)))


def chunk(kind, value, flags=0):
    return struct.pack(">BBH", kind, flags, len(value) + 4) + value + b"\0" * (-len(value) % 4)


SCTP_INIT = struct.pack(">IIHHI", 0x1234, 50000, 8, 8, 100)
TAG = b"\0\0\x12\x34"
put("sctp", "init", b"\0\0\0\0" + chunk(1, SCTP_INIT + b"\0\5\0\x08\x0a\0\0\2\0\x0c\0\6\0\5\0\0"))
put("sctp", "init_ack", TAG + chunk(2, SCTP_INIT + b"\0\7\0\x08cook\xc0\0\0\4"))
put("sctp", "data", TAG + chunk(0, struct.pack(">IHHI", 100, 1, 0, 0) + b"hello", 3) * 2)
put("sctp", "sack", TAG + chunk(3, struct.pack(">IIHHHHI", 99, 5000, 1, 1, 2, 3, 98)))
put("sctp", "cookie", TAG + chunk(10, b"c" * 80) + chunk(0, struct.pack(">IHHI", 100, 1, 0, 0) + b"x", 3))
put("sctp", "blue", TAG + chunk(8, b"") + chunk(6, b"\0\x0c\0\4", 1))
put("sctp", "beat", TAG + chunk(4, b"\0\1\0\x0c12345678") + chunk(9, b"\0\3\0\x08\0\0\0\1"))
