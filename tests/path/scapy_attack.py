# SPDX-License-Identifier: BSD-3-Clause
"""scapy_attack.py KIND PORT COUNT - an attacker on the lab's link who owns no SA.

KIND: rst, syn, data, icmp (clear frames for the 5-tuple of a latched connection, from the peer's
MAC and IP address), replay (real ESP frames again), mutate (real ESP frames with flipped bits).
"""
import random
import sys
import time

from scapy.all import (ICMP, IP, TCP, Ether, IPerror, Raw, TCPerror, conf, raw, sendp)

import lab

kind, port, count = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
conf.verb = 0
random.seed(7)
IFACE = lab.PEER_IF
ETH = Ether(src=lab.PEER_MAC, dst=lab.STACK_MAC)


def tcp(flags, payload=b""):
    # Sequence numbers over the whole space: some of them lie in any window.
    return ETH / IP(src=lab.PEER_IP, dst=lab.STACK_IP) / TCP(
        sport=port, dport=7, flags=flags, seq=random.getrandbits(32), ack=random.getrandbits(32),
        window=65535) / Raw(payload)


def icmp(n):
    inner = IP(src=lab.STACK_IP, dst=lab.PEER_IP) / TCPerror(sport=7, dport=port,
                                                            seq=random.getrandbits(32))
    code = (0, 1, 2, 3, 4)[n % 5]
    return ETH / IP(src=lab.PEER_IP, dst=lab.STACK_IP) / ICMP(type=3, code=code) / IPerror(
        raw(inner))


def captured(n):
    """ESP frames that the peer really sent, caught from the link while the test provokes some."""
    import socket
    s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3))
    s.bind((lab.STACK_IF, 0))
    s.settimeout(5)
    print("armed", flush=True)
    frames, end = [], time.time() + 5
    while len(frames) < n and time.time() < end:
        try:
            f = s.recv(2048)
        except OSError:
            break
        if f[12:14] == b"\x08\x00" and f[23] == 50 and f[6:12] == bytes.fromhex(
                lab.PEER_MAC.replace(":", "")):
            frames.append(f)
    return frames


def mutated(frame):
    b = bytearray(frame)
    b[random.randrange(34, len(b))] ^= 1 << random.randrange(8)
    return bytes(b)


if kind in ("replay", "mutate"):
    frames = captured(1)
    if not frames:
        sys.exit("no ESP frame to copy")
    batch = [(f if kind == "replay" else mutated(f)) for f in frames * count][:count]
else:
    build = {"rst": lambda n: tcp("R"), "syn": lambda n: tcp("S"),
             "data": lambda n: tcp("PA", b"A" * 100), "icmp": icmp}[kind]
    batch = [build(n) for n in range(count)]
sendp(batch, iface=IFACE)
