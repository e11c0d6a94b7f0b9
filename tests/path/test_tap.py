# SPDX-License-Identifier: BSD-3-Clause
"""test_tap.py BUILD - checksums and segmentation left to the port, with this machine's kernel behind a TAP device.

net_tap completes checksums and cuts large segments; the kernel counts what is wrong. The device counts the Ethernet
header as part of its MTU, so the kernel's is 14 bytes less. Prints TAP.
"""
import hashlib
import os
import socket
import sys
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import lab  # noqa: E402
from test_uml import Tap, check  # noqa: E402

STACK, HOST, STACK6, HOST6 = "10.9.0.1", "10.9.0.2", "fd09::1", "fd09::2"
BYTES = 20_000_000


def conf(offload):
    return f"""[stack]
mbufs = 4096
buffer-chunks = 2048
[eal]
hugepages = {os.environ.get("TL_HUGEPAGES", "auto")}
[port lan]
device = net_tap0,iface=tltap0
mac = 02:00:00:00:09:01
address = {STACK}/24, {STACK6}/64
mtu = 1500
offload = {"yes" if offload else "no"}
dad = no
[policy all]
action = bypass
"""


def segments_with_bad_sums():
    """Of all TCP that this kernel received."""
    lines = [x.split() for x in open("/proc/net/snmp") if x.startswith("Tcp:")]
    return int(dict(zip(*lines))["InCsumErrors"])


def echo(address):
    """Sends and reads the same back; the digests of both."""
    s = socket.create_connection((address, 7), 20)
    s.settimeout(30)
    data = os.urandom(1 << 20) * (BYTES >> 20)
    threading.Thread(target=s.sendall, args=(data,), daemon=True).start()
    got, back = hashlib.sha256(), 0
    while back < len(data):
        more = s.recv(1 << 18)
        check(f"{back} octets came back", more)
        back += len(more)
        got.update(more)
    s.close()
    check("the same came back", got.digest() == hashlib.sha256(data).digest())


class Case:
    def __init__(self, build, directory, offload):
        self.offload = offload
        self.stack = lab.Stack(build, conf(offload), directory, name=f"tap{offload}")
        self.stack.run("role echo 7")
        lines = self.stack.run("start")
        check("\n".join(lines), "started" in "\n".join(lines))
        for line in ("ip link set tltap0 up mtu 1486", f"ip addr add {HOST}/24 dev tltap0",
                     f"ip addr add {HOST6}/64 dev tltap0 nodad"):
            lab.sh(line)
        time.sleep(0.5)

    def bulk(self, address):
        bad, large = segments_with_bad_sums(), self.stack.stat("tcp-large-out")
        echo(address)
        check("no checksum was wrong at the kernel", segments_with_bad_sums() == bad)
        check("nor here", self.stack.stat("tcp-csum") == 0)
        large = self.stack.stat("tcp-large-out") - large
        check(f"{large} large segments left", (large > 100) == self.offload)

    def stop(self):
        check("\n".join(self.stack.lines.all[-30:]), self.stack.stop() == 0)


def run(build):
    directory, tap = lab.workdir(), Tap()
    with open("/proc/sys/net/ipv6/conf/default/disable_ipv6", "w") as f:
        f.write("0")
    print("1..6", flush=True)
    for offload in (True, False):
        case = Case(build, directory, offload)
        what = "the port completes and cuts" if offload else "the stack does all itself"
        tap.test(f"IPv4, {what}", lambda c=case: c.bulk(STACK))
        tap.test(f"IPv6, {what}", lambda c=case: c.bulk(STACK6))
        tap.test("the stack stops cleanly", case.stop)
    return 1 if tap.failed else 0


if __name__ == "__main__":
    missing = "not root" if os.geteuid() != 0 else None
    if missing is None and not os.path.exists("/dev/net/tun"):
        missing = "no /dev/net/tun"
    if missing is not None:
        print(f"1..0 # SKIP no interface can be made here: {missing}")
        sys.exit(0)
    lab.enter_namespace()
    sys.exit(run(sys.argv[1]))
