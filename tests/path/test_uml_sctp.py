#!/usr/bin/python3
# SPDX-License-Identifier: BSD-3-Clause
"""test_uml_sctp.py BUILD - SCTP with the Linux 6.1 kernel: both roles, IPv4 and IPv6, with ESP.

Prints TAP. TL_LONG=1: 100 MB each way in every combination; else 1 MB.
"""
import os
import re
import sys
import time
import traceback

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import lab  # noqa: E402
from lab import PEER_IP, PEER_IP6, STACK_IP, STACK_IP6  # noqa: E402

MB = 100 if os.environ.get("TL_LONG") == "1" else 1
HERE = os.path.dirname(os.path.abspath(__file__))
PORT = 5300


def check(what, condition):
    if not condition:
        raise AssertionError(what)


def configuration(d, esp, six):
    """The stack's file, and the peer's SAs and policy in step."""
    extra = "[sctp]\nrto-min-ms = 200\n"
    if esp:
        text = lab.conf([lab.stack_sa("s-in", 0x1001, "in"), lab.stack_sa("s-out", 0x2001, "out")],
                        extra=extra)
    else:
        text = lab.conf([], extra=extra).replace("action = protect", "action = bypass")
        text = re.sub(r"\nmode = transport\nkey-bits = \d+", "", text)
    if six:
        text = text.replace(f"address = {STACK_IP}/24", f"address = {STACK_IP}/24, {STACK_IP6}/64\ndad = no")
        text = text.replace(f"local = {STACK_IP}", f"local = {STACK_IP6}")
        text = text.replace(f"remote = {PEER_IP}", f"remote = {PEER_IP6}")
    path = os.path.join(d, f"sctp{esp:d}{six:d}.ini")
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(fd, "w") as f:
        f.write(text)
    return path


def peer_sas(peer, esp, six):
    peer.run("ip xfrm state flush; ip xfrm policy flush")
    if not esp:
        return
    for line in [lab.peer_sa("s-in", 0x1001, "in"), lab.peer_sa("s-out", 0x2001, "out")] + lab.peer_policy():
        if six:
            line = line.replace(PEER_IP, PEER_IP6).replace(STACK_IP, STACK_IP6)
            # Linux would want neighbour discovery protected too, which belongs to the link.
            line = line.replace(" dir ", " proto sctp dir ")
        peer.run(line)


class Exchange:
    def __init__(self, build, path, args):
        self.p = lab.spawn([os.path.join(build, "tests", "sctp", "sctp_exchange"), path] + args,
                           stdout=lab.subprocess.PIPE, stderr=lab.subprocess.STDOUT)
        self.lines = lab.Lines(self.p.stdout)

    def result(self, timeout):
        line = self.lines.until(r"^sent \w+ received", timeout)[-1]
        self.p.wait(30)
        return re.search(r"sent (\w+) received (\w+) bytes (\d+) error (\d+)", line)


def exchange(build, d, peer, esp, six, linux_role, message, streams, unordered):
    size = MB << 20
    own, other = (STACK_IP6, PEER_IP6) if six else (STACK_IP, PEER_IP)
    peer_sas(peer, esp, six)
    path = configuration(d, esp, six)
    rest = [str(PORT), str(size), str(message), str(streams), str(unordered)]
    linux = f"python3 {HERE}/uml_sctp.py {linux_role} {{}} " + " ".join(rest)
    start = time.time()
    if linux_role == "client":
        ours = Exchange(build, path, ["server", own] + rest)
        ours.lines.until("ready", 30)
        job = peer.start(linux.format(own))
    else:
        job = peer.start(linux.format(other))
        for _ in range(100):
            if "ready" in peer.run(f"cat /run/out{job}"):
                break
            time.sleep(0.1)
        ours = Exchange(build, path, ["client", other] + rest)
    try:
        got = ours.result(60 + MB * 3)
    except lab.LabError:
        raise AssertionError("no end; the peer: " + peer.run(f"cat /run/out{job}")) from None
    out = peer.finish(job, 60 + MB * 3)
    theirs = re.search(r"peer sent (\w+) received (\w+) bytes (\d+)", out)
    check("the peer printed its digests: " + out, theirs)
    check(f"no error, got {got.group(4)}", got.group(4) == "0")
    check("all bytes came", int(got.group(3)) == size and int(theirs.group(3)) == size)
    check("stack -> Linux: same digest", got.group(1) == theirs.group(2))
    check("Linux -> stack: same digest", got.group(2) == theirs.group(1))
    return f"{MB} MB each way in {time.time() - start:.1f} s"


def run(build):
    d = lab.workdir()
    peer = lab.Peer(d, ip6=True)
    peer.run("modprobe esp6; modprobe sctp")
    failed = n = 0
    for esp in (False, True):
        for six in (False, True):
            for role in ("client", "server"):
                for message, streams, unordered in ((1400, 1, 0), (200, 16, 1), (20000, 16, 0)):
                    n += 1
                    name = (f"{'ESP' if esp else 'clear'} IPv{6 if six else 4}, Linux is {role}, "
                            f"messages of {message}, {streams} streams{', unordered' * unordered}")
                    try:
                        print(f"ok {n} - {name} # " + exchange(build, d, peer, esp, six, role,
                                                                message, streams, unordered), flush=True)
                    except Exception as e:  # a test that cannot finish has failed
                        failed += 1
                        print(f"not ok {n} - {name}", flush=True)
                        for line in (traceback.format_exc() + str(e)).split("\n"):
                            print("# " + line, flush=True)
    print(f"1..{n}")
    peer.stop()
    return failed


lab.main(run)
