# SPDX-License-Identifier: BSD-3-Clause
"""test_uml6.py BUILD - a real Linux 6.1 kernel as IPv6 peer, in clear.

Neighbour discovery, duplicate addresses, fragments, TCP both ways, router advertisements. Prints
TAP. TL_LONG=1: 200 MB each way.
"""
import os
import re
import socket
import struct
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import lab  # noqa: E402
from lab import PEER_IP6, STACK_IP, STACK_IP6  # noqa: E402
from test_uml import HERE, MB, Perf, Tap, check  # noqa: E402

STACK_LL = "fe80::ff:fe00:901"  # of STACK_MAC, RFC 4291 appendix A
ROUTER_MAC, ROUTER_LL = "02:00:00:00:09:fe", "fe80::ff:fe00:9fe"


def conf(address, extra=""):
    return f"""[stack]
mbufs = 8192
buffer-chunks = 4096
[eal]
hugepages = {os.environ.get("TL_HUGEPAGES", "auto")}
[port lan]
device = net_af_packet0,iface={lab.STACK_IF}
mac = {lab.STACK_MAC}
address = {address}
{extra}
[policy all]
action = bypass
"""


def frames(path):
    with open(path, "rb") as f:
        data = f.read()
    at, out = 24, []
    while at + 16 <= len(data):
        size = int.from_bytes(data[at + 8:at + 12], "little")
        out.append(data[at + 16:at + 16 + size])
        at += 16 + size
    return out


def mac(text):
    return bytes.fromhex(text.replace(":", ""))


def addr(text):
    return socket.inet_pton(socket.AF_INET6, text)


def wait_assigned(stack, what):
    for _ in range(60):
        text = stack.table("ports")[0]["address"]
        if re.search(re.escape(what) + r"/\d+(,|$)", text):
            return text
        time.sleep(0.1)
    raise lab.LabError(f"{what} was never assigned: {text}")


def addresses_are_tried(build, d, peer):
    capture = lab.Capture(d, "dad")
    stack = lab.Stack(build, conf(f"{STACK_IP}/24, {STACK_IP6}/64"), d, name="dad")
    stack.run("start")
    text = stack.table("ports")[0]["address"]
    wait_assigned(stack, STACK_IP6)
    wait_assigned(stack, f"{STACK_LL}%1")
    out = peer.run(f"ping -c 3 -i 0.2 {STACK_IP6}")
    check(out, " 0% packet loss" in out)
    check("exit 0", stack.stop() == 0)
    capture.stop()
    check(f"tentative at first: {text}", "tentative" in text)
    asked = set()
    reports = 0
    for f in frames(capture.path):
        if f[12:14] != b"\x86\xdd" or f[6:12] != mac(lab.STACK_MAC):
            continue
        if f[20] == 58 and f[54] == 135 and f[22:38] == bytes(16):
            check("hop limit 255", f[21] == 255)
            check("to the solicited-node group", f[38:51] == addr("ff02::1:ff00:0")[:13])
            asked.add(f[62:78])
        reports += f[20] == 0 and f[62] == 143
    check(f"both addresses were asked for: {asked}", asked == {addr(STACK_IP6), addr(STACK_LL)})
    check(f"MLDv2 reports: {reports}", reports >= 2)


class Clear:
    """One stack in clear for the tests that need no other configuration."""

    def __init__(self, build, d, peer):
        self.peer = peer
        self.stack = lab.Stack(build, conf(f"{STACK_IP}/24, {STACK_IP6}/64", "dad = no"), d,
                               name="clear6")
        self.stack.run("role echo 7")
        self.stack.run("start")

    def ping(self, to, size, count=5):
        out = self.peer.run(f"ping -c {count} -i 0.2 -s {size} {to}")
        check(out, " 0% packet loss" in out)

    def oversize(self):
        before = self.stack.stat("ip-fragments-out"), self.stack.stat("ip-reassembled")
        self.ping(STACK_IP6, 1600)
        after = self.stack.stat("ip-fragments-out"), self.stack.stat("ip-reassembled")
        check(f"fragments came and went: {before} {after}",
              after[0] >= before[0] + 10 and after[1] >= before[1] + 5)

    def neighbour(self):
        rows = {r["address"]: r for r in self.stack.table("neighbours")}
        check(f"the peer is a neighbour: {rows}", rows[PEER_IP6]["mac"] == lab.PEER_MAC)
        told = self.peer.run("ip -6 neigh show dev vec0")
        check(told, re.search(rf"{STACK_IP6} lladdr {lab.STACK_MAC} (REACHABLE|STALE|DELAY)", told))

    def both_versions(self):
        """One listener, an IPv4 and an IPv6 client (RFC 3493 s5.3)."""
        for a in (STACK_IP, STACK_IP6):
            out = self.peer.run("python3 -c 'import socket; s = socket.create_connection((\"%s\", 7), 5); "
                                "s.sendall(b\"hello\"); print(s.recv(9)); s.close()'" % a)
            check(f"{a}: {out}", "hello" in out)
        ends = self.stack.lines.until(r"\[fd09::2\]:\d+: ended", 10)
        check(f"told: {ends}", ends)

    def closed_port(self):
        out = self.peer.run("python3 -c 'import socket; s = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM); "
                            "s.settimeout(5); s.connect((\"%s\", 9)); s.send(b\"x\"); s.recv(9)'" % STACK_IP6,
                            check=False)
        check(f"port unreachable: {out}", "ConnectionRefusedError" in out)


def exchange(build, d, peer, linux_role):
    size = MB << 20
    text = conf(f"{STACK_IP6}/64")
    if linux_role == "client":
        perf = Perf(build, d, text, ["server", "-n", "1"])
        perf.lines.until("listening", 30)
        time.sleep(2.5)  # the address is tried first, and Linux asks for it only thrice
        job = peer.start(f"python3 {HERE}/uml_exchange.py client {STACK_IP6} 5201 {size}")
    else:
        job = peer.start(f"python3 {HERE}/uml_exchange.py server {PEER_IP6} 5201 0")
        for _ in range(100):
            if "ready" in peer.run(f"cat /run/out{job}"):
                break
            time.sleep(0.1)
        perf = Perf(build, d, text, ["exchange", "-a", PEER_IP6, "-b", str(size)])
    ours = perf.result(60 + MB * 3)
    theirs = re.search(r"peer sent (\w+) received (\w+) bytes (\d+)",
                       peer.finish(job, 60 + MB * 3))
    check("the peer printed its digests", theirs)
    check("stack -> Linux: same digest", ours["sent_sha256"] == theirs.group(2))
    check("Linux -> stack: same digest", ours["received_sha256"] == theirs.group(1))
    check("all bytes came", ours["received"] == size and int(theirs.group(3)) == size)
    check("no error", ours["error"] == "ok")


def duplicate(build, d, peer):
    peer.run("ip -6 addr add fd09::99/64 dev vec0 nodad")
    stack = lab.Stack(build, conf("fd09::99/64"), d, name="dup")
    stack.run("start")
    wait_assigned(stack, f"{STACK_LL}%1")
    time.sleep(0.5)
    text = stack.table("ports")[0]["address"]
    check(f"not used: {text}", "fd09::99/64 (duplicate)" in text)
    check("exit 0", stack.stop() == 0)
    peer.run("ip -6 addr del fd09::99/64 dev vec0")


def advertise(hops=255, lifetime=1800, option_len=4):
    """A router advertisement with MTU 1400 and the prefix fd77::/64, from the link."""
    body = struct.pack("!BBHBBHII", 134, 0, 0, 64, 0, lifetime, 0, 0)
    body += struct.pack("!BB6s", 1, 1, mac(ROUTER_MAC)) + struct.pack("!BBHI", 5, 1, 0, 1400)
    body += struct.pack("!BBBBIII16s", 3, option_len, 64, 0xc0, 7200, 3600, 0, addr("fd77::"))
    src, dst = addr(ROUTER_LL), addr("ff02::1")
    pseudo = src + dst + struct.pack("!II", len(body), 58)
    total = sum(struct.unpack(f"!{len(pseudo + body) // 2}H", pseudo + body))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    body = body[:2] + struct.pack("!H", ~total & 0xffff) + body[4:]
    ip = struct.pack("!IHBB", 6 << 28, len(body), 58, hops) + src + dst
    frame = mac("33:33:00:00:00:01") + mac(ROUTER_MAC) + b"\x86\xdd" + ip + body
    s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
    s.bind((lab.PEER_IF, 0))
    s.send(frame)
    s.close()


def routers(build, d, peer):
    stack = lab.Stack(build, conf(f"{STACK_IP6}/64", "accept-ra = yes"), d, name="ra")
    stack.run("start")
    wait_assigned(stack, f"{STACK_LL}%1")
    for bad in ({"hops": 254}, {"option_len": 0}):
        advertise(**bad)
    time.sleep(0.3)
    check("bad ones change nothing", not [r for r in stack.table("routes") if r["prefix"] == "::/0"])
    check("counted", stack.stat("nd-hops") == 1 and stack.stat("nd-bad") == 1)
    for _ in range(40):
        if stack.stat("nd-router-solicits-out") > 0:
            break
        time.sleep(0.1)
    check("solicited", stack.stat("nd-router-solicits-out") == 1)
    advertise()
    wait_assigned(stack, "fd77::ff:fe00:901")
    rows = {r["prefix"]: r for r in stack.table("routes")}
    check(f"default route: {rows}", rows["::/0"]["via"] == f"{ROUTER_LL}%1")
    check("its MTU", rows["::/0"]["mtu"] == 1400)
    check("the prefix is on the link", rows["fd77::/64"]["via"] == "on-link")
    peer.run("ip -6 addr add fd77::2/64 dev vec0 nodad")
    out = peer.run("ping -c 2 -i 0.2 fd77::ff:fe00:901")
    check(out, " 0% packet loss" in out)
    advertise(lifetime=0)
    time.sleep(0.3)
    check("the router is gone", not [r for r in stack.table("routes") if r["prefix"] == "::/0"])
    check("exit 0", stack.stop() == 0)


def routers_unwanted(build, d, peer):
    stack = lab.Stack(build, conf(f"{STACK_IP6}/64", "dad = no"), d, name="nora")
    stack.run("start")
    advertise()
    time.sleep(0.5)
    check("no route", not [r for r in stack.table("routes") if r["prefix"] == "::/0"])
    check("no address", "fd77" not in stack.table("ports")[0]["address"])
    check("counted", stack.stat("nd-ignored") >= 1)
    check("exit 0", stack.stop() == 0)


def run(build):
    tap, d = Tap(), lab.workdir()
    peer = lab.Peer(d, ip6=True)
    print("1..13", flush=True)
    if os.environ.get("TL_TRACE"):
        peer.lines.log = "peer: "
    tap.test("addresses are tried, then Linux pings them", addresses_are_tried, build, d, peer)
    one = Clear(build, d, peer)
    tap.test("Linux pings in clear", one.ping, STACK_IP6, 1300)
    tap.test("Linux pings the link-local address", one.ping, STACK_LL + "%vec0", 56)
    tap.test("an oversize ping comes and goes in fragments", one.oversize)
    tap.test("each is the other's neighbour", one.neighbour)
    tap.test("one listener serves both versions", one.both_versions)
    tap.test("a closed UDP port is told", one.closed_port)
    tap.test("the stack stops cleanly", lambda: check("\n".join(one.stack.lines.all[-40:]), one.stack.stop() == 0))
    for role in ("client", "server"):
        tap.test(f"Linux as {role}: {MB} MB each way, digests equal", exchange, build, d, peer, role)
    tap.test("an address that Linux has is not used", duplicate, build, d, peer)
    tap.test("a router is believed when asked for", routers, build, d, peer)
    tap.test("and else is not", routers_unwanted, build, d, peer)
    peer.stop()
    return 1 if tap.failed else 0


if __name__ == "__main__":
    lab.main(run)
