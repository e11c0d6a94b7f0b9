# SPDX-License-Identifier: BSD-3-Clause
"""uml_echo.py BYTES FILE - runs inside the Linux peer; FILE has lines "NAME SOURCE DESTINATION".

Each line is one connection to the echo port: BYTES bytes must come back as they were sent. Holds
the UDP socket through which the kernel hands ESP in UDP to its SAs. Prints "NAME ok" or why not.
"""
import os
import socket
import sys
import threading

size, path = int(sys.argv[1]), sys.argv[2]
UDP_ENCAP, UDP_ENCAP_ESPINUDP = 100, 2
holders = []
for family in (socket.AF_INET, socket.AF_INET6):
    s = socket.socket(family, socket.SOCK_DGRAM)
    if family == socket.AF_INET6:
        s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    s.setsockopt(socket.IPPROTO_UDP, UDP_ENCAP, UDP_ENCAP_ESPINUDP)
    s.bind(("", 4500))
    holders.append(s)


def echo(source, destination):
    family = socket.AF_INET6 if ":" in source else socket.AF_INET
    s = socket.socket(family, socket.SOCK_STREAM)
    s.settimeout(15)
    s.bind((source, 0))
    s.connect((destination, 7))
    data, got = os.urandom(size), b""
    sender = threading.Thread(target=s.sendall, args=(data,))
    sender.start()
    while len(got) < size:
        part = s.recv(1 << 16)
        if not part:
            break
        got += part
    sender.join()
    return "ok" if got == data else f"{len(got)} of {size} bytes, or wrong ones"


for line in open(path):
    name, source, destination = line.split()
    try:
        result = echo(source, destination)
    except OSError as e:
        result = str(e)
    print(name, result, flush=True)
print("all done", flush=True)
