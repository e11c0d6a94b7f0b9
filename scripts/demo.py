# SPDX-License-Identifier: BSD-3-Clause
"""demo.py BUILD - started by scripts/demo; prints each step for somebody who sees it first."""
import os
import re
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tests", "path"))
import lab  # noqa: E402

CLIENT = """
import os, socket, sys, time
s = socket.create_connection(("10.9.0.1", 7), timeout=5)
def say(text):
    s.sendall(text.encode() + b"\\n")
    try:
        return repr(s.recv(200))
    except OSError as e:
        return "nothing (%s)" % e
print("1:", say("hello over ESP"), flush=True)
while not os.path.exists("/run/go"):
    time.sleep(0.05)
s.settimeout(2)
print("2:", say("and now under somebody else's SA"), flush=True)
"""

BULK = """
import socket, time
s = socket.create_connection(("10.9.0.1", 9), timeout=10)
block, n = bytes(65536), 320
start = time.time()
for _ in range(n):
    s.sendall(block)
s.shutdown(socket.SHUT_WR)
s.recv(1)
print("%.0f" % (n * len(block) * 8 / (time.time() - start) / 1e6))
"""


def step(text):
    print(f"\n=== {text}", flush=True)


def show(lines):
    for line in lines:
        print("    " + line, flush=True)


def main(build):
    reason = lab.why_no_uml()
    if reason:
        print(f"the demo needs root and a Linux peer: {reason}")
        return 1
    lab.enter_namespace()
    d = lab.workdir()
    step("Starting a real Linux kernel (User-Mode Linux) at 10.9.0.2, on one end of a link")
    peer = lab.Peer(d)
    show([f"Linux {peer.run('uname -r').strip()}, in a process of its own"])
    step("Starting a taglatch stack (DPDK, user space) at 10.9.0.1, on the other end")
    capture = lab.Capture(d)
    stack = lab.Stack(build, lab.conf([lab.stack_sa("client-in", 0x1001, "in"),
                                       lab.stack_sa("client-out", 0x2001, "out")]), d)
    for command in ("role echo 7", "role discard 9", "start"):
        show(f"tl-pmd> {command}  {line}" for line in stack.run(command) or [""])
    for command in [lab.peer_sa("client-in", 0x1001, "in"),
                    lab.peer_sa("client-out", 0x2001, "out")] + lab.peer_policy():
        peer.run(command)
    show(["policy at both ends: PROTECT everything with ESP, AES-GCM-128, transport mode;",
          "the SAs belong to the identities storage.example (here) and client.example (there)"])

    step("ping over ESP")
    show(line for line in peer.run("ping -c 3 -i 0.2 10.9.0.1").split("\n") if "bytes from" in line)

    step("one line of TCP, echoed over ESP")
    with open(os.path.join(d, "client.py"), "w") as f:
        f.write(CLIENT)
    job = peer.start(f"python3 {d}/client.py")
    for _ in range(50):
        if "1:" in peer.run(f"cat /run/out{job}"):
            break
        time.sleep(0.1)
    show([f"the peer received {peer.run(f'cat /run/out{job}').strip()[3:]}"])

    step("the latch of this connection, as taglatch sees it")
    latch = next(r for r in stack.table("latches") if r["state"] == "ESTABLISHED")
    show(f"{k:10} {latch[k]}" for k in ("local", "remote", "state", "mode", "suite", "local-id",
                                        "peer-id", "profile"))
    step("the same connection, as the Linux kernel sees it (it has SAs, but no latch)")
    show(re.sub(r"\s+", " ", line) for line in
         peer.run("ss -tn state established 2>/dev/null | tail -1; "
                  "ip xfrm state | grep -E '^src|proto'").split("\n"))

    step("throughput: 20 MB from the Linux kernel to taglatch, TCP over ESP")
    with open(os.path.join(d, "bulk.py"), "w") as f:
        f.write(BULK)
    show([f"{peer.run(f'python3 {d}/bulk.py', 120).strip()} Mbit/s (the limit is the peer: "
          "generic C AES in a kernel that is a process)"])

    step("the conflict: another identity, rogue.example, gets an SA with the same addresses")
    show(["tl-pmd> add sa rogue-in ...  " + line for line in
          stack.run(lab.stack_sa_words("rogue-in", 0x1666, "in", peer="rogue"))
          if line.startswith("SA ")])
    peer.run(f"ip xfrm state delete src {lab.PEER_IP} dst {lab.STACK_IP} proto esp spi 0x1001")
    peer.run(lab.peer_sa("rogue-in", 0x1666, "in"))
    show(["the Linux end now sends the next segment of the connection under that SA ..."])
    peer.run("touch /run/go")
    told = stack.lines.until("reason PEER_CONFLICT", 10)[-1]
    step("what the application on taglatch was told")
    show([told])
    step("what the sender got back")
    show([peer.finish(job, 20).strip().split("\n")[-1][3:]])

    capture.stop()
    step("what was on the wire")
    kinds = capture.kinds()
    show([", ".join(f"{n} {k}" for k, n in sorted(kinds.items()))])
    peer.stop()
    rc = stack.stop()
    ok = set(kinds) == {"ESP", "ARP"} and "ECONNRESET" in told and "received 15," in told and rc == 0
    step("done: the connection was ended, and not one byte of the rogue's segment was delivered"
         if ok else "FAILED: see above")
    return 0 if ok else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
