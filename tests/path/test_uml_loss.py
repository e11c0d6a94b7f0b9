# SPDX-License-Identifier: BSD-3-Clause
"""test_uml_loss.py BUILD - a lossy path: how fast this TCP sends over it, with Linux's beside it.

Inside the peer stands a router with netem (its own losses, its own delay) and, behind it, a Linux
receiver. This stack sends into that through the link; a Linux sender sends from a third namespace
of the same kernel, at the same time, through the same netem, to the same receiver: so path, losses,
receiver and the disturbance by others are the same for both, and only the sender differs. The
kernel's netem takes no seed (that came with 6.6); a run stands for one, and the means are compared.

Then data both ways with SACK, timestamps and ECN of Linux on and off, in every combination.

Prints TAP. TL_LONG=1: ten runs of 60 s; else one of a few MB, which tells whether it works, not how
fast it is.
"""
import os
import re
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import lab  # noqa: E402
from test_uml import HERE, LONG, Perf, Tap, check  # noqa: E402

RUNS, SECONDS = (10, 60) if LONG else (1, 0)
RUNS = int(os.environ.get("TL_RUNS", RUNS))
SHORT_BYTES = 3 << 20
LOSS, RTT_MS = "1%", 10
BAR = 0.95 if LONG else 0.1
COMBINATIONS = [(sack, stamps, ecn) for sack in (1, 0) for stamps in (1, 0) for ecn in (1, 0)]
RX_IP, TX_IP = "10.9.1.2", "10.9.2.2"


def namespace(name, ip, gateway):
    """A host behind the router, on a veth whose frames are as small as on the wire."""
    off = "tso off gso off gro off tx off rx off"
    return [f"ip netns add {name}", f"ip link add {name}0 type veth peer name {name}1 netns {name}",
            f"ethtool -K {name}0 {off}", f"ip netns exec {name} ethtool -K {name}1 {off}",
            f"ip addr add {gateway}/24 dev {name}0", f"ip link set {name}0 up",
            f"ip netns exec {name} ip addr add {ip}/24 dev {name}1",
            f"ip netns exec {name} ip link set {name}1 up",
            f"ip netns exec {name} ip link set lo up",
            f"ip netns exec {name} ip route add default via {gateway}"]


class Path:
    """The router and its two hosts in the peer."""

    def __init__(self, peer):
        self.peer, self.port = peer, 6000
        for line in ["modprobe veth", "modprobe sch_netem",
                     "ethtool -K vec0 gro off", "mkdir -p /run/netns",
                     "echo 1 >/proc/sys/net/ipv4/ip_forward",
                     *namespace("rx", RX_IP, "10.9.1.1"), *namespace("tx", TX_IP, "10.9.2.1")]:
            peer.run(line)
        for where in ("tc qdisc add dev rx0", "tc qdisc add dev vec0",
                      "ip netns exec rx tc qdisc add dev rx1"):
            peer.run(f"{where} root netem limit 10000")

    def set(self, data="", back="", delay_ms=RTT_MS / 2):
        """What happens to frames on their way to the receiver, and on the way back to the stack.
        Losses are the router's: a host's own queue sees many segments as one."""
        self.peer.run(f"tc qdisc change dev rx0 root netem limit 10000 delay {delay_ms}ms {data}")
        self.peer.run(f"tc qdisc change dev vec0 root netem limit 10000 {back}")
        self.peer.run("ip netns exec rx tc qdisc change dev rx1 root netem limit 10000 "
                      f"delay {delay_ms}ms")

    def start(self, ns, *words):
        return self.peer.start(f"ip netns exec {ns} python3 {HERE}/uml_flow.py " +
                               " ".join(map(str, words)))

    def sink(self):
        """A sink that listens, and its port."""
        self.port += 1
        job = self.start("rx", "sink", RX_IP, self.port)
        for _ in range(100):
            if "ready" in self.peer.run(f"cat /run/out{job}"):
                return job, self.port
            time.sleep(0.1)
        raise lab.LabError("the sink does not listen")

    def result(self, job):
        """What a sink got: bytes, seconds, digest."""
        out = self.peer.finish(job, 60 + 3 * SECONDS)
        m = re.search(r"flow bytes (\d+) seconds ([\d.]+) sha256 (\w+)", out)
        check(f"the sink came to the end: {out}", m)
        return int(m.group(1)), float(m.group(2)), m.group(3)


def conf(tcp=""):
    return f"""[stack]
mbufs = 8192
buffer-chunks = 4096
[eal]
hugepages = {os.environ.get("TL_HUGEPAGES", "auto")}
[tcp]
{tcp}
[port lan]
device = net_af_packet0,iface={lab.STACK_IF}
mac = {lab.STACK_MAC}
address = {lab.STACK_IP}/24
[route 10.9.0.0/16]
via = {lab.PEER_IP}
[policy all]
action = bypass
"""


def one_run(build, d, path):
    """Both senders at once; returns their octets a second."""
    ours, port = path.sink()
    theirs, their_port = path.sink()
    amount = f"{SECONDS}s" if LONG else SHORT_BYTES
    linux = path.start("tx", "source", RX_IP, their_port, amount)
    args = ["bulk", "-t", str(SECONDS)] if LONG else ["exchange", "-b", str(SHORT_BYTES)]
    perf = Perf(build, d, conf(), args + ["-a", RX_IP, "-p", str(port)])
    said = perf.result(60 + 3 * SECONDS)
    got, seconds, digest = path.result(ours)
    their_got, their_seconds, their_digest = path.result(theirs)
    sent = re.search(r"flow sent (\d+) sha256 (\w+)", path.peer.finish(linux, 30))
    check("Linux' octets came", sent and their_got == int(sent.group(1)))
    check("Linux' digest", sent.group(2) == their_digest)
    # A connection of tl-perf begins with 24 octets of its own.
    check(f"our octets came: {got} of {said['sent']}", got == said["sent"] + 24)
    check("no error", said["error"] == "ok")
    return got / seconds, their_got / their_seconds


def goodput(build, d, path):
    rows = []
    path.set(data=f"loss {LOSS}")
    for i in range(RUNS):
        rows.append(one_run(build, d, path))
        print(f"# run {i + 1}: ours {rows[-1][0] / 1e3:.0f}, Linux {rows[-1][1] / 1e3:.0f} "
              f"kbyte/s, ratio {rows[-1][0] / rows[-1][1]:.3f}", flush=True)
    ours, linux = (sum(r[k] for r in rows) / len(rows) for k in (0, 1))
    print(f"# mean: ours {ours / 1e3:.0f}, Linux {linux / 1e3:.0f} kbyte/s", flush=True)
    check(f"{ours / linux:.3f} of Linux' goodput", ours / linux >= BAR)
    return f"{ours / linux:.3f} of Linux' goodput"


class Options:
    """One stack that runs through all combinations of Linux' options."""

    SIZE = (4 << 20) if LONG else (256 << 10)

    def __init__(self, build, d, path):
        self.path = path
        self.stack = lab.Stack(build, conf("ecn = accept"), d)
        self.stack.run("role echo 7")
        self.stack.run("start")
        path.set(data=f"loss {LOSS}", back=f"loss {LOSS}", delay_ms=1)

    def both_ways(self, sack, stamps, ecn):
        """Linux connects and hears its own octets; so each end is sender and receiver."""
        self.path.peer.run(f"ip netns exec rx sysctl -qw net.ipv4.tcp_sack={sack} "
                           f"net.ipv4.tcp_timestamps={stamps} net.ipv4.tcp_ecn={ecn}")
        before = {k: self.stack.stat(k) for k in ("tcp-retransmits", "tcp-timeouts")}
        job = self.path.start("rx", "echo", lab.STACK_IP, 7, self.SIZE)
        said = self.path.peer.finish(job, 120)
        check(f"the same octets came back: {said}", "flow echo ok" in said)
        check(f"those options were in force: {said}",
              f"flow options ts {stamps} sack {sack} ecn {ecn}" in said)
        return ", ".join(f"{self.stack.stat(k) - v} {k}" for k, v in before.items())

    def marks(self):
        """netem marks what it would have dropped: both ends have something to answer."""
        self.path.peer.run("ip netns exec rx sysctl -qw net.ipv4.tcp_ecn=1 net.ipv4.tcp_sack=1")
        self.path.set(data="loss 3% ecn", back="loss 3% ecn", delay_ms=1)
        before = {k: self.stack.stat(k) for k in ("tcp-congestion-marks", "tcp-ecn-reductions")}
        job = self.path.start("rx", "echo", lab.STACK_IP, 7, 2 * self.SIZE)
        said = self.path.peer.finish(job, 120)
        check(f"the same octets came back: {said}", "flow echo ok" in said)
        got = {k: self.stack.stat(k) - v for k, v in before.items()}
        check(f"marks were seen and answered: {got}", all(got.values()))
        return str(got)


def options(tap, build, d, path):
    made = []
    tap.test("a stack for the options", lambda: made.append(Options(build, d, path)))
    if not made:
        return
    for sack, stamps, ecn in COMBINATIONS:
        tap.test(f"Linux with tcp_sack={sack}, tcp_timestamps={stamps}, tcp_ecn={ecn}: {LOSS} loss "
                 "both ways, every octet right", made[0].both_ways, sack, stamps, ecn)
    tap.test("marks instead of losses", made[0].marks)
    tap.test("the stack stops cleanly", lambda: check("exit 0", made[0].stack.stop() == 0))


def run(build):
    tap, d = Tap(), lab.workdir()
    peer = lab.Peer(d)
    if os.environ.get("TL_TRACE"):
        peer.lines.log = "peer: "
    path = Path(peer)
    print(f"1..{len(COMBINATIONS) + 4}", flush=True)
    options(tap, build, d, path)
    tap.test(f"goodput at {LOSS} loss and {RTT_MS} ms, beside Linux", goodput, build, d, path)
    peer.stop()
    return 1 if tap.failed else 0


if __name__ == "__main__":
    lab.main(run)
