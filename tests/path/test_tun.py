# SPDX-License-Identifier: BSD-3-Clause
"""test_tun.py BUILD - the exception path with real kernels: this one behind a port of the stack.

Two network namespaces joined by a veth pair. In the first the stack owns the link and the kernel
has only the TUN interface that the stack made; in the second is an ordinary Linux host. Prints TAP.
"""
import json
import os
import socket
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import lab  # noqa: E402
from lab import PEER_IF, PEER_IP, PEER_IP6, STACK_IF, STACK_IP, STACK_IP6, STACK_MAC  # noqa: E402
from test_uml import Tap, check  # noqa: E402

MARKER = bytes(4)
CONF = f"""[stack]
mbufs = 4096
buffer-chunks = 2048
[eal]
hugepages = {os.environ.get("TL_HUGEPAGES", "auto")}
[port lan]
device = net_af_packet0,iface={STACK_IF}
mac = {STACK_MAC}
address = {STACK_IP}/24, {STACK_IP6}/64
[exception host]
port = lan
interface = tl0
udp = 5060, 5061
tcp = 2222
[policy echo]
action = bypass
protocol = tcp
local-port = 7
[policy ssh]
action = bypass
protocol = tcp
local-port = 2222
[policy sip]
action = bypass
protocol = udp
local-port = 5060
"""


def sh(cmd):
    return lab.sh(cmd)


def set_up():
    """The veth pair; the kernel keeps out of what the stack owns. Returns the other namespace."""
    sh(f"ip link set {STACK_IF} address 02:00:00:00:09:99 promisc on arp off")
    with open("/proc/sys/net/ipv6/conf/default/disable_ipv6", "w") as f:
        f.write("0")
    peer = lab.spawn(["unshare", "-n", "sleep", "600"])
    for _ in range(100):
        if os.readlink(f"/proc/{peer.pid}/ns/net") != os.readlink("/proc/self/ns/net"):
            break
        time.sleep(0.02)
    sh(f"ip link set {PEER_IF} netns {peer.pid}")
    for line in ("ip link set lo up", f"sysctl -qw net.ipv6.conf.{PEER_IF}.disable_ipv6=0",
                 f"ip link set {PEER_IF} arp on up", f"ethtool -K {PEER_IF} tx off",
                 f"ip addr add {PEER_IP}/24 dev {PEER_IF}",
                 f"ip addr add {PEER_IP6}/64 dev {PEER_IF} nodad"):
        sh(f"nsenter -t {peer.pid} -n {line}")
    return peer.pid


class Host:
    """The daemon: answers on UDP ports of the addresses that the stack's port has."""

    def __init__(self):
        self.got, self.sock = [], {}
        for ip in (STACK_IP, STACK_IP6):
            for port in (500, 4500, 5060, 5061):
                s = socket.socket(socket.AF_INET6 if ":" in ip else socket.AF_INET,
                                  socket.SOCK_DGRAM)
                s.bind((ip, port))
                self.sock[ip, port] = s
                threading.Thread(target=self.echo, args=(ip, port, s), daemon=True).start()

    def echo(self, ip, port, s):
        while True:
            data, who = s.recvfrom(65536)
            self.got.append((ip, port, who[0], data))
            s.sendto(b"re:" + data if port != 4500 else MARKER + b"re:" + data[4:], who)


PEER_ASK = """
import json, socket, sys
out = []
for ip, port, data in json.loads(sys.argv[1]):
    s = socket.socket(socket.AF_INET6 if ":" in ip else socket.AF_INET, socket.SOCK_DGRAM)
    s.bind(("::" if ":" in ip else "0.0.0.0", port))
    s.settimeout(1.5)
    s.sendto(data.encode("latin-1"), (ip, port))
    try:
        back, who = s.recvfrom(65536)
        out.append([who[0], who[1], back.decode("latin-1")])
    except OSError as e:
        out.append([str(e), 0, ""])
    s.close()
print(json.dumps(out))
"""
PEER_TCP = """
import socket, sys
for ip in sys.argv[2:]:
    s = socket.create_connection((ip, int(sys.argv[1])), 5)
    data, got = bytes(range(256)) * 2000, b""
    s.settimeout(10)
    import threading
    threading.Thread(target=s.sendall, args=(data,)).start()
    while len(got) < len(data):
        more = s.recv(65536)
        assert more, len(got)
        got += more
    assert got == data
    s.close()
print("fine")
"""


class Lab:
    def __init__(self, build, d, workers=1):
        self.peer = set_up()
        conf = CONF
        if workers > 1:
            conf = conf.replace("[eal]", f"workers = {workers}\n[eal]").replace(
                f"iface={STACK_IF}", f"iface={STACK_IF},qpairs={workers}")
        self.stack = lab.Stack(build, conf, d)
        self.stack.run("role echo 7")
        check("started", "started" in "\n".join(self.stack.run("start")))
        for _ in range(60):
            if "tentative" not in self.stack.table("ports")[0]["address"]:
                break
            time.sleep(0.1)
        time.sleep(1.2)  # the table shows worker 0; the others ask the link themselves
        self.host = Host()

    def in_peer(self, program, *args):
        p = subprocess.run(["nsenter", "-t", str(self.peer), "-n", sys.executable, "-c", program,
                            *args], capture_output=True, text=True, timeout=60)
        check(p.stdout + p.stderr, p.returncode == 0)
        return p.stdout

    def ask(self, *questions):
        """Sends each and returns what came back within a moment."""
        coded = json.dumps([(ip, port, data.decode("latin-1")) for ip, port, data in questions])
        return [(a, p, d.encode("latin-1")) for a, p, d in json.loads(self.in_peer(PEER_ASK, coded))]

    def interface(self):
        text = sh("ip -o addr show dev tl0; ip -o link show dev tl0")
        check(text, f"{STACK_IP}/24" in text and f"{STACK_IP6}/64" in text and "mtu 1500" in text
              and "UP" in text)
        row = self.stack.table("exceptions")[0]
        check(row, row["interface"] == "tl0" and row["ike"] == "yes" and row["udp"] == "5060,5061")

    def ike(self):
        for ip in (STACK_IP, STACK_IP6):
            got = self.ask((ip, 500, b"init"), (ip, 4500, MARKER + b"auth"))
            check(got, got == [(ip, 500, b"re:init"), (ip, 4500, MARKER + b"re:auth")])
            peer = PEER_IP6 if ":" in ip else PEER_IP
            check(self.host.got, self.host.got[-2:] == [(ip, 500, peer, b"init"),
                                                        (ip, 4500, peer, MARKER + b"auth")])

    def large(self):
        """Certificates: larger than the MTU both ways, so in fragments both ways."""
        data = bytes(i % 251 for i in range(1800))
        for ip in (STACK_IP, STACK_IP6):
            got = self.ask((ip, 500, data))
            check(got, got == [(ip, 500, b"re:" + data)])

    def no_leak(self):
        before = len(self.host.got)
        for ip in (STACK_IP, STACK_IP6):
            self.ask((ip, 4500, b"\x00\x00\x10\x01esp-in-udp........"), (ip, 4500, b"\xff"))
        check(self.host.got[before:], len(self.host.got) == before)

    def listed(self):
        for ip in (STACK_IP, STACK_IP6):
            got = self.ask((ip, 5060, b"invite"))
            check(got, got == [(ip, 5060, b"re:invite")])
        before = len(self.host.got)
        self.ask((STACK_IP, 5061, b"no policy lets it in"))
        check(self.host.got[before:], len(self.host.got) == before)

    def host_tcp(self):
        """A TCP server of this kernel, on a listed port."""
        for ip in (STACK_IP, STACK_IP6):
            s = socket.create_server((ip, 2222), family=socket.AF_INET6 if ":" in ip
                                     else socket.AF_INET)

            def serve(s=s):
                c, _ = s.accept()
                while True:
                    data = c.recv(65536)
                    if not data:
                        break
                    c.sendall(data)
                c.close()
            t = threading.Thread(target=serve, daemon=True)
            t.start()
            check(ip, "fine" in self.in_peer(PEER_TCP, "2222", ip))
            t.join(5)
            s.close()

    def stack_tcp(self):
        stop = threading.Event()

        def noise():
            while not stop.is_set():
                self.host.sock[STACK_IP, 500].sendto(b"noise", (PEER_IP, 500))
                time.sleep(0.002)
        t = threading.Thread(target=noise)
        t.start()
        try:
            check("echo", "fine" in self.in_peer(PEER_TCP, "7", STACK_IP, STACK_IP6))
        finally:
            stop.set()
            t.join()

    def refused(self):
        """What the kernel may not send: other ports, ESP in UDP, a foreign source."""
        names = ("except-unlisted", "except-esp", "except-src", "except-from-host")
        before = {n: self.stack.stat(n) for n in names}
        s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        s.bind((STACK_IP, 9999))
        s.sendto(b"x", (PEER_IP, 9999))
        self.host.sock[STACK_IP, 4500].sendto(b"\x00\x00\x10\x01esp", (PEER_IP, 4500))
        sh("ip addr add 10.77.0.1/32 dev tl0")
        s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        s.bind(("10.77.0.1", 500 + 6000))
        s.sendto(b"x", (PEER_IP, 500))
        time.sleep(0.2)
        diff = {n: self.stack.stat(n) - before[n] for n in names}
        check(diff, diff["except-unlisted"] >= 1 and diff["except-esp"] == 1 and
              diff["except-src"] >= 1 and diff["except-from-host"] == 0)

    def idle(self):
        """A quiet interface leaves the core."""
        def load():
            s = {r["name"]: r["value"] for r in self.stack.table("stats") if r["worker"] == 0}
            return s["busy-ns"], s["idle-ns"]
        a = load()
        time.sleep(1)
        b = load()
        check((a, b), (b[0] - a[0]) < 0.2 * (b[1] - a[1]))


def run(build):
    d = lab.workdir()
    tap = Tap()
    one = Lab(build, d, workers=int(os.environ.get("TL_WORKERS", "2")))
    print("1..10", flush=True)
    tap.test("the kernel has an interface with the port's addresses", one.interface)
    tap.test("IKE goes there and answers come back", one.ike)
    tap.test("also in fragments", one.large)
    tap.test("ESP in UDP and keepalives do not go there", one.no_leak)
    tap.test("what is listed goes there if the policy says so", one.listed)
    tap.test("a TCP server of the kernel", one.host_tcp)
    tap.test("TCP of the stack meanwhile", one.stack_tcp)
    tap.test("the kernel may not send what is not listed", one.refused)
    tap.test("a quiet interface costs little", one.idle)
    tap.test("the stack stops cleanly and takes the interface away", lambda: check(
        "\n".join(one.stack.lines.all[-30:]), one.stack.stop() == 0 and
        not os.path.exists("/sys/class/net/tl0")))
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
