# SPDX-License-Identifier: BSD-3-Clause
"""test_uml_rekey.py BUILD - SAs are replaced all the time while a connection is busy.

Prints TAP. Linux sends without pause and compares what comes back; meanwhile both ends replace both
SAs, make before break: inbound ones of several generations stand before an outbound one is used,
and go when nothing can be on its way any more. TL_LONG=1: 1000 rekeys, else 100.
"""
import os
import re
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import lab  # noqa: E402
from lab import PEER_IP, STACK_IP  # noqa: E402
from test_uml import Tap, check  # noqa: E402

REKEYS = 1000 if os.environ.get("TL_LONG") == "1" else 100
CHUNK = 25

BUSY = """
import os, socket, threading
s = socket.create_connection(("10.9.0.1", 7), timeout=20)
s.settimeout(20)
block = os.urandom(1 << 16)
sent, got, stop = 0, 0, False

def send():
    global sent
    while not os.path.exists("/run/quit"):
        s.sendall(block)
        sent += len(block)
    s.shutdown(socket.SHUT_WR)

threading.Thread(target=send).start()
print("port", s.getsockname()[1], flush=True)
wrong = 0
while True:
    part = s.recv(1 << 16)
    if not part:
        break
    at = got % len(block)
    want = (block + block)[at:at + len(part)]
    wrong += part != want
    got += len(part)
print("sent", sent, "came back", got, "wrong", wrong, flush=True)
"""


def spi(direction, n):
    return (0x10000 if direction == "in" else 0x20000) + n


def stack_add(direction, n):
    return lab.stack_sa_words(f"{direction}{n}", spi(direction, n), direction)


def peer_add(direction, n):
    return lab.peer_sa(f"{direction}{n}", spi(direction, n), direction)[3:]


def peer_del(direction, n):
    src, dst = (PEER_IP, STACK_IP) if direction == "in" else (STACK_IP, PEER_IP)
    return f"xfrm state delete src {src} dst {dst} proto esp spi {spi(direction, n):#x}"


class Busy:
    """A stack with an echo role and one connection that never rests."""

    def __init__(self, build, d, peer):
        self.d, self.peer = d, peer
        peer.run("ip xfrm state flush; ip xfrm policy flush; rm -f /run/quit")
        self.batch([peer_add("in", 0), peer_add("out", 0)] + [p[3:] for p in lab.peer_policy()])
        conf = lab.conf([lab.stack_sa("in0", spi("in", 0), "in"),
                         lab.stack_sa("out0", spi("out", 0), "out")])
        self.stack = lab.Stack(build, conf, d, name="busy")
        self.stack.run("role echo 7")
        self.stack.run("start")
        path = os.path.join(d, "busy.py")
        with open(path, "w") as f:
            f.write(BUSY)
        self.job = peer.start(f"python3 {path}")
        for _ in range(100):
            if "port" in peer.run(f"cat /run/out{self.job}"):
                break
            time.sleep(0.1)

    def batch(self, lines):
        path = os.path.join(self.d, "batch")
        with open(path, "w") as f:
            f.write("\n".join(lines) + "\n")
        self.peer.run(f"ip -batch {path}", 60)

    def tell(self, commands):
        for c in commands:
            out = self.stack.run(c)
            check(f"{c.split()[:3]}: {out}", not any("rror" in line or "expected" in line for line in out))

    def rekey(self, first, last):
        """Generations first to last replace first - 1."""
        new = range(first, last + 1)
        self.tell([stack_add("in", n) for n in new])
        self.batch([peer_add("out", n) for n in new])
        # Each end sends under one generation after the other; the other end has them all.
        peer_out = []
        for n in new:
            peer_out += [peer_add("in", n), peer_del("in", n - 1)]
        self.batch(peer_out)
        for n in new:
            self.tell([stack_add("out", n), f"delete sa out{n - 1}"])
        time.sleep(0.3)  # what is on its way under the old ones arrives
        self.tell([f"delete sa in{n - 1}" for n in new])
        self.batch([peer_del("out", n - 1) for n in new])

    def run(self):
        profile = self.latch()["profile"]
        start = time.time()
        for first in range(1, REKEYS + 1, CHUNK):
            self.rekey(first, min(first + CHUNK - 1, REKEYS))
        took = time.time() - start
        row = self.latch()
        check(f"the latch is as it was: {row}", row["state"] == "ESTABLISHED" and
              row["profile"] == profile and row["reason"] == "NONE")
        self.peer.run("touch /run/quit")
        end = re.search(r"sent (\d+) came back (\d+) wrong (\d+)", self.peer.finish(self.job, 60))
        check("the peer ended", end)
        sent, back, wrong = map(int, end.groups())
        check(f"every byte came back: {sent} {back} {wrong}", sent == back and wrong == 0 and sent > 0)
        for name in ("latches-broken", "latch-m0", "latch-m2", "latch-m3", "latch-m5", "esp-icv",
                     "esp-replay", "esp-nosa", "esp-expired"):
            check(f"{name} is 0", self.stack.stat(name) == 0)
        lost, sads = self.stack.stat("esp-spi"), len(self.stack.table("sad"))
        check(f"two SAs are left, not {sads}", sads == 2)
        check("exit 0", self.stack.stop() == 0)
        return (f"{REKEYS} rekeys in {took:.1f} s, {sent} bytes each way, "
                f"{lost} packets under a deleted SPI")

    def latch(self):
        rows = [r for r in self.stack.table("latches") if r["state"] == "ESTABLISHED"]
        check("one connection", len(rows) == 1)
        return rows[0]


def run(build):
    tap, d = Tap(), lab.workdir()
    print("1..1", flush=True)
    peer = lab.Peer(d)
    tap.test(f"{REKEYS} rekeys under a busy connection lose nothing",
             lambda: Busy(build, d, peer).run())
    peer.stop()
    return 1 if tap.failed else 0


if __name__ == "__main__":
    lab.main(run)
