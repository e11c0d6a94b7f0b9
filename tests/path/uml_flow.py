# SPDX-License-Identifier: BSD-3-Clause
"""uml_flow.py - runs inside the Linux peer: one end of a one-way flow.

    sink ADDR PORT              accepts once, reads to the end; prints bytes, seconds and a digest
    source ADDR PORT N[s]       CUBIC; sends N octets, or for N seconds, and a digest of it
    echo ADDR PORT BYTES        what comes back must be what was sent; and the options in force
"""
import hashlib
import os
import socket
import sys
import threading
import time

role, addr, port = sys.argv[1], sys.argv[2], int(sys.argv[3])


def digest_of(sock):
    got, n, start = hashlib.sha256(), 0, None
    while True:
        data = sock.recv(1 << 18)
        start = start or time.monotonic()
        if not data:
            return n, time.monotonic() - start, got.hexdigest()
        got.update(data)
        n += len(data)


def sink():
    listener = socket.create_server((addr, port))
    print("ready", flush=True)
    s, _ = listener.accept()
    print("flow bytes %d seconds %.3f sha256 %s" % digest_of(s), flush=True)


def source(how_much):
    s = socket.socket()
    s.setsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, b"cubic")
    s.connect((addr, port))
    timed, sent, n = how_much.endswith("s"), hashlib.sha256(), 0
    limit, end = int(how_much.rstrip("s")), time.monotonic() + int(how_much.rstrip("s"))
    while time.monotonic() < end if timed else n < limit:
        part = os.urandom(1 << 14 if timed else min(1 << 14, limit - n))
        s.sendall(part)
        sent.update(part)
        n += len(part)
    s.shutdown(socket.SHUT_WR)
    s.recv(1)
    print(f"flow sent {n} sha256 {sent.hexdigest()}", flush=True)


def echo(size):
    s = socket.create_connection((addr, port), timeout=20)
    data, got = os.urandom(size), b""
    sender = threading.Thread(target=s.sendall, args=(data,))
    sender.start()
    while len(got) < size:
        part = s.recv(1 << 16)
        if not part:
            break
        got += part
    sender.join()
    options = s.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 8)[5]
    s.close()
    print(f"flow options ts {options & 1} sack {options >> 1 & 1} ecn {options >> 3 & 1}")
    print("flow echo " + ("ok" if got == data else f"{len(got)} of {size} octets, or wrong ones"))


if role == "sink":
    sink()
elif role == "source":
    source(sys.argv[4])
else:
    echo(int(sys.argv[4]))
