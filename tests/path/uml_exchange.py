# SPDX-License-Identifier: BSD-3-Clause
"""uml_exchange.py ROLE ADDR PORT BYTES - runs inside the Linux peer; speaks tl-perf's exchange.

Sends BYTES random bytes, receives until the end of the stream, prints a digest of each direction.
"""
import hashlib
import os
import socket
import struct
import sys
import threading

role, addr, port, size = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
if role == "client":
    s = socket.create_connection((addr, port), timeout=20)
    s.sendall(struct.pack("!IIQQ", 0x746c7066, 3, size, 0))
else:
    family = socket.AF_INET6 if ":" in addr else socket.AF_INET
    listener = socket.create_server((addr, port), family=family)
    print("ready", flush=True)
    s, _ = listener.accept()
    hello = b""
    while len(hello) < 24:
        hello += s.recv(24 - len(hello))
    size = struct.unpack("!IIQQ", hello)[2]
s.settimeout(120)
block, sent = bytearray(os.urandom(1 << 20)), hashlib.sha256()


def send():
    left, n = size, 0
    while left > 0:
        block[0:8] = struct.pack("!Q", n)
        part = bytes(block[:min(left, len(block))])
        sent.update(part)
        s.sendall(part)
        left -= len(part)
        n += 1
    s.shutdown(socket.SHUT_WR)


sender = threading.Thread(target=send)
sender.start()
received, got = hashlib.sha256(), 0
while True:
    data = s.recv(1 << 18)
    if not data:
        break
    received.update(data)
    got += len(data)
sender.join()
print(f"peer sent {sent.hexdigest()} received {received.hexdigest()} bytes {got}", flush=True)
