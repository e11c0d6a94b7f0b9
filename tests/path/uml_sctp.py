# SPDX-License-Identifier: BSD-3-Clause
"""uml_sctp.py ROLE ADDR PORT BYTES MESSAGE STREAMS UNORDERED - runs inside the Linux peer.

The other end of sctp_exchange.c: sends BYTES in messages over all streams in turn, receives as
much, prints a digest of each direction that does not depend on the order of messages.
"""
import hashlib
import socket
import struct
import sys
import threading

role, addr, port = sys.argv[1], sys.argv[2], int(sys.argv[3])
size, message, streams, unordered = (int(x) for x in sys.argv[4:8])
SCTP, SNDRCV, INITMSG = 132, 1, 2
family = socket.AF_INET6 if ":" in addr else socket.AF_INET


def new_socket():
    s = socket.socket(family, socket.SOCK_STREAM, SCTP)
    s.setsockopt(SCTP, INITMSG, struct.pack("HHHH", streams, 64, 0, 0))
    return s


def digest(total, data):
    return total ^ int.from_bytes(hashlib.sha256(data).digest(), "big")


if role == "client":
    s = new_socket()
    s.connect((addr, port))
else:
    listener = new_socket()
    listener.bind((addr, port))
    listener.listen(4)
    print("ready", flush=True)
    s, _ = listener.accept()
s.settimeout(120)
sent = 0


def send():
    global sent
    left, n = size, 0
    block = bytearray(message)
    while left > 0:
        block[0:4] = struct.pack("=I", n)
        part = bytes(block[:min(left, message)])
        info = struct.pack("=HHHHIIIIIi", n % streams, 0, unordered, 0, 0, 0, 0, 0, 0, 0)
        s.sendmsg([part], [(SCTP, SNDRCV, info)])
        sent = digest(sent, part)
        left -= len(part)
        n += 1


sender = threading.Thread(target=send)
sender.start()
received, got, have = 0, 0, b""
while got < size:
    data, _, flags, _ = s.recvmsg(1 << 17)
    if not data:
        break
    have += data
    if flags & socket.MSG_EOR:
        received = digest(received, have)
        got += len(have)
        have = b""
sender.join()
if role == "client":
    s.shutdown(socket.SHUT_WR)  # nothing tells a reader here when it is complete
else:
    while s.recv(100):
        pass
print(f"peer sent {sent:064x} received {received:064x} bytes {got}", flush=True)
