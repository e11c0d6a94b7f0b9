# SPDX-License-Identifier: BSD-3-Clause
"""test_uml.py BUILD - a real Linux 6.1 kernel as peer: data both ways, attacks, rekey, conflict.

Prints TAP. TL_LONG=1: 200 MB each way in every combination; else 4 MB in two of them.
"""
import json
import os
import re
import subprocess
import sys
import time
import traceback

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import lab  # noqa: E402
from lab import PEER_IP, STACK_IP  # noqa: E402

LONG = os.environ.get("TL_LONG") == "1"
MB = 200 if LONG else 4
HERE = os.path.dirname(os.path.abspath(__file__))


class Tap:
    def __init__(self):
        self.n, self.failed = 0, 0

    def test(self, name, fn, *args):
        self.n += 1
        try:
            note = fn(*args)
            print(f"ok {self.n} - {name}" + (f" # {note}" if note else ""), flush=True)
        except Exception as e:  # a test that cannot finish has failed
            self.failed += 1
            print(f"not ok {self.n} - {name}", flush=True)
            for line in traceback.format_exc().split("\n"):
                print("# " + line)
            print(f"# {e}", flush=True)


def check(what, condition):
    if not condition:
        raise AssertionError(what)


class Perf:
    """tl-perf in place of tl-pmd, on the same link."""

    def __init__(self, build, d, conf, args):
        path = os.path.join(d, "perf.ini")
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(fd, "w") as f:
            f.write(conf)
        self.p = lab.spawn([os.path.join(build, "apps", "tl-perf"), args[0], "-j", "-f", path] +
                           args[1:], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self.lines = lab.Lines(self.p.stdout)

    def result(self, timeout):
        line = self.lines.until('"sent_sha256"', timeout)[-1]
        self.p.wait(30)
        return json.loads(line)


def set_sas(peer, mode, bits):
    peer.run("ip xfrm state flush; ip xfrm policy flush")
    for command in [lab.peer_sa("p-in", 0x1001, "in", mode, bits),
                    lab.peer_sa("p-out", 0x2001, "out", mode, bits)] + lab.peer_policy(mode):
        peer.run(command)
    return lab.conf([lab.stack_sa("p-in", 0x1001, "in", mode, bits),
                     lab.stack_sa("p-out", 0x2001, "out", mode, bits)], mode=mode, bits=bits)


def exchange(build, d, peer, mode, bits, linux_role):
    conf, size = set_sas(peer, mode, bits), MB << 20
    if linux_role == "client":
        perf = Perf(build, d, conf, ["server", "-n", "1"])
        perf.lines.until("listening", 30)
        job = peer.start(f"python3 {HERE}/uml_exchange.py client {STACK_IP} 5201 {size}")
    else:
        job = peer.start(f"python3 {HERE}/uml_exchange.py server {PEER_IP} 5201 0")
        for _ in range(100):
            if "ready" in peer.run(f"cat /run/out{job}"):
                break
            time.sleep(0.1)
        perf = Perf(build, d, conf, ["exchange", "-a", PEER_IP, "-b", str(size)])
    start = time.time()
    ours = perf.result(60 + MB * 3)
    theirs = re.search(r"peer sent (\w+) received (\w+) bytes (\d+)",
                       peer.finish(job, 60 + MB * 3))
    check("the peer printed its digests", theirs)
    check("stack -> Linux: same digest", ours["sent_sha256"] == theirs.group(2))
    check("Linux -> stack: same digest", ours["received_sha256"] == theirs.group(1))
    check("all bytes came", ours["received"] == size and int(theirs.group(3)) == size)
    check("no error", ours["error"] == "ok")
    return f"{MB} MB each way in {time.time() - start:.1f} s"


def ping(build, d, peer, mode, bits):
    stack = lab.Stack(build, set_sas(peer, mode, bits), d, name="ping")
    stack.run("start")
    out = peer.run(f"ping -c 5 -i 0.2 -s 1300 {STACK_IP}")
    check(out, " 0% packet loss" in out)
    check("the answers were protected", stack.stat("esp-out") >= 5)
    check("exit 0", stack.stop() == 0)


ECHO = """
import os, socket, sys, time
s = socket.create_connection(("10.9.0.1", 7), timeout=5)
s.settimeout(4)
n = 0
print("port", s.getsockname()[1], flush=True)
while not os.path.exists("/run/quit"):
    if not os.path.exists("/run/say%d" % n):
        time.sleep(0.02)
        continue
    line = ("line %d\\n" % n).encode()
    s.sendall(line)
    try:
        got = s.recv(100)
        print("said", n, "ok" if got == line else "WRONG %r" % got, flush=True)
    except OSError as e:
        print("said", n, "error", e, flush=True)
    n += 1
"""


class Echo:
    """A connection from Linux that says a line whenever it is asked to."""

    def __init__(self, d, peer):
        path = os.path.join(d, "echo.py")
        with open(path, "w") as f:
            f.write(ECHO)
        self.peer, self.n = peer, 0
        peer.run("rm -f /run/say* /run/quit")
        self.job = peer.start(f"python3 {path}")
        self.port = int(self.wait(r"port (\d+)").group(1))

    def wait(self, pattern):
        for _ in range(150):
            m = re.search(pattern, self.peer.run(f"cat /run/out{self.job}"))
            if m:
                return m
            time.sleep(0.1)
        raise lab.LabError(f"the peer never printed {pattern}")

    def say(self):
        self.peer.run(f"touch /run/say{self.n}")
        m = self.wait(rf"said {self.n} (.*)")
        self.n += 1
        return m.group(1)


def flood(kind, port, count):
    """Clear frames from somebody who owns no SA, in a process with scapy (it is slow to load)."""
    subprocess.run(["/usr/bin/python3", os.path.join(HERE, "scapy_attack.py"), kind, str(port),
                    str(count)], check=True, timeout=120)


class Latched:
    """One stack with an echo role and one connection that every following test attacks."""

    def __init__(self, build, d, peer):
        self.d, self.peer = d, peer
        self.stack = lab.Stack(build, set_sas(peer, "transport", 128), d)
        self.stack.run("role echo 7")
        self.stack.run("start")
        self.echo = Echo(d, peer)
        check("the first line", self.echo.say() == "ok")

    def row(self):
        rows = [r for r in self.stack.table("latches") if r["remote"].endswith(f":{self.echo.port}")]
        check("the connection is there", len(rows) == 1)
        return rows[0]

    def latch_is_established(self):
        row = self.row()
        check("state", row["state"] == "ESTABLISHED" and row["reason"] == "NONE")
        check("peer", row["peer-id"] == "client.example" and row["suite"] == "AES-GCM-16-128")

    def survives(self, kind):
        before = {k: self.stack.stat(k) for k in ("latch-m0", "spd-clear", "tcp-resets-out",
                                                  "tcp-challenge-acks", "latches-broken")}
        count = 500 if LONG else 60
        flood(kind, self.echo.port, count)
        after = {k: self.stack.stat(k) for k in before}
        dropped = after["latch-m0"] + after["spd-clear"] - before["latch-m0"] - before["spd-clear"]
        check(f"every frame was dropped, {dropped} of {count}", dropped >= count)
        for k in ("tcp-resets-out", "tcp-challenge-acks", "latches-broken"):
            check(f"{k} did not move", after[k] == before[k])
        check("the connection still works", self.echo.say() == "ok")
        self.latch_is_established()
        return f"{count} frames"

    def esp_drops(self):
        return sum(self.stack.stat(f"esp-{why}") for why in ("replay", "icv", "spi", "seq"))

    def stolen(self, kind):
        """Frames of the peer's own SA, sent again as they were or with a flipped bit."""
        before, count = self.esp_drops(), 40
        p = lab.spawn(["/usr/bin/python3", os.path.join(HERE, "scapy_attack.py"), kind,
                       str(self.echo.port), str(count)], stdout=subprocess.PIPE)
        lab.Lines(p.stdout).until("armed", 60)
        check("the connection works", self.echo.say() == "ok")
        check("the attacker sent", p.wait(60) == 0)
        dropped = self.esp_drops() - before
        check(f"dropped {dropped} of {count}", dropped >= count)
        check("the connection still works", self.echo.say() == "ok")
        self.latch_is_established()

    def rekey(self):
        profile = self.row()["profile"]
        for name, spi, direction in (("new-in", 0x1002, "in"), ("new-out", 0x2002, "out")):
            told = self.stack.run(lab.stack_sa_words(name, spi, direction))
            check(f"added: {told}", any("added" in line for line in told))
        self.peer.run(lab.peer_sa("new-out", 0x2002, "out"))
        self.peer.run(f"ip xfrm state delete src {PEER_IP} dst {STACK_IP} proto esp spi 0x1001")
        self.peer.run(lab.peer_sa("new-in", 0x1002, "in"))
        for name in ("p-in", "p-out"):
            self.stack.run(f"delete sa {name}")
        for _ in range(3):
            check("the connection still works", self.echo.say() == "ok")
        self.latch_is_established()
        check("same profile", self.row()["profile"] == profile)
        used = {r["name"]: r["packets"] for r in self.stack.table("sad")}
        check(f"the new SAs carry it: {used}", used["new-in"] > 0 and used["new-out"] > 0)

    def conflict(self):
        self.stack.run(lab.stack_sa_words("rogue-in", 0x1666, "in", peer="rogue"))
        self.peer.run(f"ip xfrm state delete src {PEER_IP} dst {STACK_IP} proto esp spi 0x1002")
        self.peer.run(lab.peer_sa("rogue-in", 0x1666, "in"))
        said = self.echo.say()
        check(f"no answer under the rogue's SA, but {said!r}", said.startswith("error"))
        told = self.stack.lines.until("reason PEER_CONFLICT", 10)[-1]
        check(f"told: {told}", "ECONNRESET" in told and "latch CLOSED" in told)
        # Every line but the last was echoed; not one byte of the last was delivered.
        want = sum(len(f"line {i}\n") for i in range(self.echo.n - 1))
        check(f"{want} bytes delivered: {told}", f"received {want}, sent {want} bytes" in told)
        return told.split("; ", 1)[1]


def attacks(tap, build, d, peer):
    latched = []
    tap.test("p6: a connection from Linux is latched",
             lambda: latched.append(Latched(build, d, peer)) or latched[0].latch_is_established())
    if not latched:
        return
    one = latched[0]
    for kind in ("rst", "syn", "data", "icmp"):
        tap.test(f"b19: a clear {kind} flood changes nothing", one.survives, kind)
    tap.test("replayed ESP changes nothing", one.stolen, "replay")
    tap.test("ESP with flipped bits changes nothing", one.stolen, "mutate")
    tap.test("g10: new SAs of the same peer change nothing", one.rekey)
    tap.test("p13: one segment under another identity ends the connection", one.conflict)
    tap.test("the stack stops cleanly", lambda: check("exit 0", one.stack.stop() == 0))


SINK = """
import socket
l = socket.create_server(("10.9.0.2", 5999))
print("ready", flush=True)
s, _ = l.accept()
n = 0
while True:
    d = s.recv(1 << 16)
    if not d:
        break
    n += len(d)
print("sink", n, flush=True)
"""


def two_workers(build, d, peer):
    """Both SAs belong to worker 1; the connection that this end opens lives on worker 0."""
    size = 8 << 20
    set_sas(peer, "transport", 128)
    path = os.path.join(d, "sink.py")
    with open(path, "w") as f:
        f.write(SINK)
    sink = peer.start(f"python3 {path}")
    while "ready" not in peer.run(f"cat /run/out{sink}"):
        time.sleep(0.1)
    stack = lab.Stack(build, lab.conf(
        [lab.stack_sa("p-in", 0x1001, "in", worker=1),
         lab.stack_sa("p-out", 0x2001, "out", worker=1)], workers=2), d, name="two")
    stack.run("role echo 7")
    stack.run(f"role source {PEER_IP}:5999:{size}")
    stack.run("start")
    echo = Echo(d, peer)
    for _ in range(5):
        check("echo through the other worker's SA", echo.say() == "ok")
    got = re.search(r"sink (\d+)", peer.finish(sink, 60))
    check(f"all bytes of the source came: {got}", got and int(got.group(1)) == size)
    handed = stack.stat("handoff-in")
    check(f"packets were handed over: {handed}", handed > size // 1448)
    peer.run("touch /run/quit")
    time.sleep(0.5)
    check("nothing is left", not [r for r in stack.table("sockets")
                                  if r["state"] not in ("LISTEN", "TIME-WAIT")])
    check("exit 0", stack.stop() == 0)
    return f"{handed} packets handed over"


def a_pair_each(build, d, peer):
    """RFC 9611: each worker has a pair of SAs, and Linux one choice for all that it sends."""
    size = 8 << 20
    set_sas(peer, "transport", 128)
    for name, spi, direction in (("q-in", 0x1002, "in"), ("q-out", 0x2002, "out")):
        peer.run(lab.peer_sa(name, spi, direction))
    sink = peer.start(f"python3 {os.path.join(d, 'sink.py')}")
    while "ready" not in peer.run(f"cat /run/out{sink}"):
        time.sleep(0.1)
    stack = lab.Stack(build, lab.conf(
        [lab.stack_sa("p-in", 0x1001, "in", worker=0), lab.stack_sa("p-out", 0x2001, "out", worker=0),
         lab.stack_sa("q-in", 0x1002, "in", worker=1), lab.stack_sa("q-out", 0x2002, "out", worker=1)],
        workers=2), d, name="each")
    stack.run("role echo 7")
    stack.run(f"role source {PEER_IP}:5999:{size}")
    stack.run("start")
    echo = Echo(d, peer)
    for _ in range(5):
        check("echo", echo.say() == "ok")
    got = re.search(r"sink (\d+)", peer.finish(sink, 60))
    check(f"all bytes of the source came: {got}", got and int(got.group(1)) == size)
    sent = {r["name"]: r["packets"] for r in stack.table("sad") if r["dir"] == "out"}
    check(f"worker 0 sent under its own SA: {sent}", sent["p-out"] >= size // 1448)
    check(f"worker 1 encrypted nothing of it: {sent}", sent["q-out"] < 100)
    peer.run("touch /run/quit")
    time.sleep(0.5)
    check("exit 0", stack.stop() == 0)
    return f"{sent['p-out']} packets under one SA, {sent['q-out']} under the other"


FAST = """
import signal, socket
signal.alarm(15)
for i in range(2):
    s = socket.socket()
    s.sendto(b"q" * 700, socket.MSG_FASTOPEN, ("10.9.0.1", 7))
    got = b""
    while len(got) < 700:
        got += s.recv(700)
    options = s.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 104)[5]
    print("fast", i, "ok" if got == b"q" * 700 else "WRONG", "data in SYN" if options & 32 else "plain")
    s.close()
"""


def fast_open(build, d, peer):
    """RFC 7413 with Linux as the client: a cookie first, then a question in the SYN."""
    path = os.path.join(d, "fast.py")
    with open(path, "w") as f:
        f.write(FAST)
    peer.run("echo 1 > /proc/sys/net/ipv4/tcp_fastopen")
    conf = set_sas(peer, "transport", 128) + "\n[tcp]\nfastopen = server\n"
    stack = lab.Stack(build, conf, d, name="fast")
    stack.run("role echo 7")
    stack.run("start")
    said = " / ".join(peer.finish(peer.start(f"python3 {path}"), 20).split("\n"))
    check(f"the first asks: {said}", "fast 0 ok plain" in said)
    check(f"the second has a cookie: {said}", "fast 1 ok data in SYN" in said)
    check("the stack took it", stack.stat("tcp-fast-opens-in") == 1)
    check("exit 0", stack.stop() == 0)


FAST_SINK = """
import socket
l = socket.socket()
l.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
l.setsockopt(socket.IPPROTO_TCP, socket.TCP_FASTOPEN, 5)
l.bind(("10.9.0.2", 5998))
l.listen()
print("ready", flush=True)
for i in range(2):
    s, _ = l.accept()
    options = s.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 104)[5]
    n = 0
    while d := s.recv(1 << 16):
        n += len(d)
    print("sink", i, n, "data in SYN" if options & 32 else "plain", flush=True)
"""


def fast_open_of_ours(build, d, peer):
    """The other way round: Linux gives the cookie, and what comes with it is not sent twice."""
    path = os.path.join(d, "fast_sink.py")
    with open(path, "w") as f:
        f.write(FAST_SINK)
    peer.run("echo 3 > /proc/sys/net/ipv4/tcp_fastopen")
    stack = lab.Stack(build, set_sas(peer, "transport", 128), d, name="fast2")
    sink = peer.start(f"python3 {path}")
    while "ready" not in peer.run(f"cat /run/out{sink}"):
        time.sleep(0.1)
    for size in (900, 3000):
        stack.run(f"role source {PEER_IP}:5998:{size}")
        stack.run("start")
        for _ in range(50):  # until nothing waits for Linux any more
            time.sleep(0.1)
            if not [r for r in stack.table("sockets") if r["state"] in ("SYN-SENT", "FIN-WAIT-1")]:
                break
        stack.run("stop")
    stack.run("start")
    said = " / ".join(peer.finish(sink, 20).split("\n"))
    check(f"the first is plain: {said}", "sink 0 900 plain" in said)
    check(f"the second brought data: {said}", "sink 1 3000 data in SYN" in said)
    check("Linux took what was in the SYN", stack.stat("tcp-fast-opens-out") == 1)
    check("exit 0", stack.stop() == 0)


def run(build):
    tap, d = Tap(), lab.workdir()
    capture, peer = lab.Capture(d), lab.Peer(d)
    combos = [("transport", 128, "client"), ("tunnel", 256, "server")]
    if LONG:
        combos = [(m, b, r) for m in ("transport", "tunnel") for b in (128, 256)
                  for r in ("client", "server")]
    print(f"1..{len(combos) + 16}", flush=True)
    if os.environ.get("TL_TRACE"):
        peer.lines.log = "peer: "
    for mode, bits in (("transport", 128), ("tunnel", 256)):
        tap.test(f"the Linux kernel pings over {mode} AES-GCM-{bits}", ping, build, d, peer, mode,
                 bits)
    for mode, bits, role in combos:
        tap.test(f"{mode} AES-GCM-{bits}, Linux as {role}: {MB} MB each way, digests equal",
                 exchange, build, d, peer, mode, bits, role)

    def only_esp_and_arp():
        capture.stop()
        kinds = capture.kinds()
        check(f"only ESP and ARP: {kinds}", set(kinds) == {"ESP", "ARP"})
        return str(kinds)

    tap.test("the link carried ESP and ARP, nothing else", only_esp_and_arp)
    attacks(tap, build, d, peer)
    tap.test("two workers, SAs on one, connections on the other", two_workers, build, d, peer)
    tap.test("two workers with a pair of SAs each (RFC 9611)", a_pair_each, build, d, peer)
    tap.test("fast open from Linux, under ESP", fast_open, build, d, peer)
    tap.test("fast open to Linux, under ESP", fast_open_of_ours, build, d, peer)
    peer.stop()
    return 1 if tap.failed else 0


if __name__ == "__main__":
    lab.main(run)
