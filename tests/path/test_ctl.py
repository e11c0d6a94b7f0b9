# SPDX-License-Identifier: BSD-3-Clause
"""test_ctl.py BUILD - tl-pmd with a control socket, and tlctl at its other end. Prints TAP."""
import json
import os
import shutil
import socket
import stat
import struct
import subprocess
import sys
import tempfile
import threading
import time

BUILD = sys.argv[1]
PMD = os.path.join(BUILD, "apps", "tl-pmd")
CTL = os.path.join(BUILD, "apps", "tlctl")
KEY = "00112233445566778899aabbccddeeff01020304"
CONF = """[stack]
manual-keys = i-accept-the-risk
mbufs = 2048
buffer-chunks = 256
[eal]
hugepages = no
[control]
socket = {socket}
[port lan]
device = net_null0,no-rx=1
address = 10.1.0.1/24
mac = 02:00:00:00:00:01
[identity me]
type = fqdn
value = me.example
[policy secure]
action = protect
remote-net = 10.1.0.0/24
[policy rest]
action = bypass
"""
n = failed = 0


def test(name, ok, detail=""):
    global n, failed
    n += 1
    print(f"{'ok' if ok else 'not ok'} {n} - {name}", flush=True)
    if not ok:
        failed += 1
        print("# " + str(detail).replace("\n", "\n# "), flush=True)


class Stack:
    """tl-pmd in a directory of its own; commands are its -c."""

    def __init__(self, commands, at=None, conf=CONF):
        self.dir = tempfile.TemporaryDirectory()
        os.chmod(self.dir.name, 0o755)
        self.socket = at or os.path.join(self.dir.name, "s")
        path = os.path.join(self.dir.name, "t.ini")
        with open(path, "w") as f:
            f.write(conf.format(socket=self.socket))
        os.chmod(path, 0o600)
        # The widest umask there is: the mode of the socket must not depend on it.
        self.p = subprocess.Popen([PMD, "-f", path, "-c", commands], stdin=subprocess.DEVNULL,
                                  stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                                  umask=0)

    def __enter__(self):
        self.wait_ready()
        return self

    def wait_ready(self):
        for _ in range(300):
            if self.ctl("info")[0] == 0 or self.p.poll() is not None:
                return
            time.sleep(0.1)

    def __exit__(self, *_):
        if self.p.poll() is None:
            self.p.terminate()
        self.out, _ = self.p.communicate(timeout=60)
        self.dir.cleanup()

    def ctl(self, *args, stdin="", user=None, program=CTL):
        p = subprocess.run([program, "-s", self.socket, *args], input=stdin, capture_output=True,
                           text=True, timeout=60, user=user)
        return p.returncode, p.stdout, p.stderr

    def rows(self, *args):
        rc, out, err = self.ctl("--json", *args)
        return json.loads(out) if rc == 0 else err

    def monitor(self, count, *groups):
        p = subprocess.Popen([CTL, "-s", self.socket, "-j", "-n", str(count), "monitor", *groups],
                             stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        time.sleep(0.5)
        return p


def events(p):
    try:
        out, _ = p.communicate(timeout=30)
    except subprocess.TimeoutExpired:
        p.kill()
        out, _ = p.communicate()
    return [json.loads(line) for line in out.splitlines() if line.startswith("{")]


SA = ["spi=0x1000", "direction=in", "local=10.1.0.1", "remote=10.1.0.2", "local-id=me",
      "peer-id=fqdn:peer.example"]

with Stack("start; wait; print DONE") as s:
    mode = stat.S_IMODE(os.stat(s.socket).st_mode)
    test("the socket is for its owner only", mode == 0o600, oct(mode))
    rc, out, err = s.ctl("sa", "add", "a", *SA, "key=@-", stdin=KEY + "\n")
    test("an SA is added with its key from standard input", rc == 0, err)
    keyfile = os.path.join(s.dir.name, "key")
    with open(keyfile, "w") as f:
        f.write(KEY[::-1])
    rc, out, err = s.ctl("sa", "add", "b", "spi=0x2000", "direction=out", *SA[2:],
                         f"key=@{keyfile}", "reqid=7", "hard-bytes=1000000")
    test("and with its key from a file", rc == 0, err)
    rows = s.rows("sa", "list")
    test("sa list --json has both", [r["name"] for r in rows] == ["a", "b"] and
         rows[1]["hard-bytes"] == 1000000 and rows[1]["reqid"] == 7 and rows[0]["manual"] == "yes" and
         rows[0]["peer-id"] == "fqdn:peer.example" and rows[0]["suite"] == "AES-GCM-16-128", rows)
    test("sa list has age and what is left of the hard limits",
         0 <= rows[1]["age-seconds"] < 60 and rows[1]["left-bytes"] == 1000000 and
         rows[1]["left-seconds"] is None and rows[0]["left-bytes"] is None, rows)
    rc, out, err = s.ctl("sa", "list")
    test("sa list for people", rc == 0 and "0x00001000" in out and KEY[:16] not in out, out)
    rc, out, err = s.ctl("sa", "show", "b")
    test("sa show", rc == 0 and "hard-bytes        1000000" in out, out)
    rc, out, err = s.ctl("sa", "show", "nobody")
    test("sa show of nothing names the remedy", rc == 1 and "tlctl sa list" in err, err)
    rc, out, err = s.ctl("sa", "add", "c", *SA, f"key={KEY[:-1]}5")
    test("an SPI that exists is refused", rc == 1 and "SPI exists" in err, err)
    rc, out, err = s.ctl("sa", "add", "c", "spi=0x3000", *SA[1:], f"key={KEY}")
    test("a key that was used is refused, and not shown",
         rc == 1 and "nonces could repeat" in err and KEY[:16] not in err, err)
    rc, out, err = s.ctl("sa", "add", "c", "spi=0x3000", *SA[1:], "encryption=ENCR_DES",
                         "key=0011223344556677")
    test("DES is refused with the reason", rc == 1 and "DES must not be used" in err, err)
    rc, out, err = s.ctl("sa", "add", "c", "spi=0x3000", *SA[1:], "key=@/nonexistent")
    test("a key file that is not there", rc == 2 and "/nonexistent" in err, err)
    rc, out, err = s.ctl("sa", "alloc", "10.1.0.1", "10.1.0.2", "0x4000", "0x4fff")
    test("sa alloc", rc == 0 and 0x4000 <= int(out, 16) <= 0x4fff, out + err)
    rc, out, err = s.ctl("sa", "alloc", "10.1.0.1", "10.1.0.2", "0x4000", "x")
    test("sa alloc of nonsense", rc == 2 and "expected a number from 16384" in err, err)
    rc, out, err = s.ctl("sa", "del", "a", "revoked")
    test("sa del", rc == 0 and [r["name"] for r in s.rows("sa", "list")] == ["b"], err)
    rc, out, err = s.ctl("sa", "del", "a")
    test("sa del of nothing", rc == 1 and "no such SA" in err, err)
    rc, out, err = s.ctl("sa", "flush")
    test("sa flush", rc == 0 and s.rows("sa", "list") == [], err)

    rc, out, err = s.ctl("policy", "add", "web", "action=discard", "protocol=tcp",
                         "local-port=80", "priority=5")
    rows = s.rows("policy", "list")
    test("policy add, in its place", rc == 0 and rows[0]["name"] == "web" and
         rows[0]["local-port"] == "80" and len(rows) == 6, rows)
    rc, out, err = s.ctl("policy", "add", "secret", "action=protect", "encryption=aes-cbc",
                         "key-bits=256", "integrity=hmac-sha2-256-128", "protocol=tcp")
    rows = {r["name"]: r for r in s.rows("policy", "list")}
    test("policy list names the suite", rc == 0 and
         rows["secret"]["suite"] == "AES-CBC-256/HMAC-SHA2-256-128" and
         rows["web"]["suite"] == "-", err or rows)
    s.ctl("policy", "del", "secret")
    rc, out, err = s.ctl("policy", "add", "web", "action=discard")
    test("a policy of this name exists", rc == 1 and "exists" in err, err)
    rc, out, err = s.ctl("policy", "add", "x", "action=dance")
    test("a wrong word says what was expected", rc == 1 and "protect, bypass or discard" in err, err)
    rc, out, err = s.ctl("policy", "del", "web")
    test("policy del", rc == 0 and len(s.rows("policy", "list")) == 4, err)
    test("id list", "me.example" in [r["value"] for r in s.rows("id", "list")], s.rows("id", "list"))
    test("latch list", s.rows("latch", "list") == [])
    rc, out, err = s.ctl("latch", "close", "overrides")
    test("o13: latch close overrides, and there is none", rc == 0 and out == "0 closed\n", (out, err))
    rc, out, err = s.ctl("latch", "break", "all")
    test("latch break all, and there is none", rc == 0 and out == "0 broken\n", (out, err))
    rc, out, err = s.ctl("latch", "break", "0x1000001")
    test("latch break of a handle that there is not", rc == 1 and "gone" in err, err)
    rc, out, err = s.ctl("latch", "break", "everything")
    test("latch break of what is no handle", rc == 2 and "expected a handle" in err, err)
    rc, out, err = s.ctl("latch", "break", "peer=fqdn:host.example")
    test("latch break by peer", rc == 0 and out == "0 broken\n", (out, err))
    rc, out, err = s.ctl("latch", "close", "peer=somebody")
    test("an identity without its type is refused", rc == 2 and "fqdn:host.example" in err, err)
    rc, out, err = s.ctl("-j", "latch", "close", "all")
    test("latch close all, as JSON", rc == 0 and json.loads(out) == {"closed": 0}, (out, err))
    for verb in "dead", "reboot", "restart":
        rc, out, err = s.ctl("peer", verb, "ipv4:10.1.0.2")
        test(f"peer {verb}", rc == 0 and out == "0 concerned\n", (out, err))
    rc, out, err = s.ctl("peer", "dead", "ipv4:10.1.0")
    test("peer dead of what is no address", rc == 2 and "expected an identity" in err, err)
    some, all_ = s.rows("stats"), s.rows("-a", "stats")
    test("stats, and all of them", len(all_) > 100 > len(some) > 0, (len(some), len(all_)))
    test("suites", len(s.rows("suites")) == 17)
    info = s.rows("info")
    test("info", info[0]["workers"] == 1 and info[0]["policies"] == 2 and
         info[0]["key-manager"] == "-", info)

    first, second = s.monitor(3, "sa", "expire"), s.monitor(1, "policy")
    s.ctl("sa", "add", "short", "spi=0x5000", *SA[1:], f"key={KEY[:-1]}6", "soft-seconds=1",
          "hard-seconds=2")
    s.ctl("policy", "add", "p", "action=discard", "direction=in")
    e = events(second)
    test("a second client hears of policies only", [x["event"] for x in e] == ["policy-added"], e)
    e = events(first)
    test("monitor sees an SA come, age and end",
         [x["event"] for x in e] == ["sa-added", "sa-expires-soon", "sa-expired"] and
         all(x["name"] == "short" for x in e), e)
    time.sleep(0.2)
    test("at its hard limit the SA is gone", s.rows("sa", "list") == [], s.rows("sa", "list"))

    rc, out, err = s.ctl("sa", "dance")
    test("an unknown verb shows those that there are", rc == 2 and "sa list" in err, err)
    rc, out, err = s.ctl("dance")
    test("an unknown command", rc == 2 and "no such command" in err, err)
    rc, out, err = s.ctl()
    test("no command", rc == 2 and "usage" in err, err)
    rc, out, err = s.ctl("--help", "sa")
    test("--help sa", rc == 0 and "sa add" in out and "policy add" not in out, out)
    rc, out, err = s.ctl("monitor", "weather")
    test("monitor of what there is not", rc == 2 and "acquire" in err, err)
    rc, out, err = s.ctl("latch", "list", "state=wrong")
    test("a latch state that there is not", rc == 1 and "ESTABLISHED" in err, err)

    if os.geteuid() == 0:
        program = os.path.join(s.dir.name, "tlctl")
        shutil.copy(CTL, program)
        rc, out, err = s.ctl("info", user=65534, program=program)
        test("another user cannot connect", rc == 1 and "only root" in err, err)
        os.chmod(s.socket, 0o666)
        rc, out, err = s.ctl("info", user=65534, program=program)
        test("and is refused by its credentials when it can", rc == 1 and "only root" in err, err)
        os.chmod(s.socket, 0o600)

    raw = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    raw.connect(s.socket)
    raw.send(b"\xff" * 1000)
    answer = raw.recv(65536)
    test("a datagram that is no netlink is refused", len(answer) > 36 and answer[4] == 2, answer)
    other = Stack("quit", at=s.socket)
    out, _ = other.p.communicate(timeout=60)
    test("a socket that somebody listens to is not taken",
         other.p.returncode == 2 and "another process listens" in out and s.ctl("info")[0] == 0, out)
    other.dir.cleanup()
    km = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    km.connect(s.socket)
    km.send(struct.pack("<IHHIIHHQ", 28, 0x111, 5, 1, 0, 12, 0x12b, 0x77))  # KMREGISTER, EPOCH
    kind = struct.unpack_from("<IH", km.recv(65536))[1]
    test("a key manager registers", kind == 0x111 and s.rows("info")[0]["key-manager"] == "0x77", kind)
    km.close()
    for _ in range(50):
        left = s.rows("info")[0]["key-manager"] == "-"
        if left:
            break
        time.sleep(0.1)
    test("M-1: its end is noticed, and nothing else ends", left and s.p.poll() is None)
    rc, out, err = s.ctl("peer", "add", "bob", "identity=fqdn:bob.example", "auth=cert,raw-key",
                         "remote-net=10.1.0.0/24,10.2.0.1-10.2.0.9")
    rows = s.rows("peer", "list")
    test("peer add and list", rc == 0 and rows == [{
        "name": "bob", "identity": "fqdn:bob.example", "auth": "cert,raw-key",
        "remote-net": "10.1.0.0/24,10.2.0.1-10.2.0.9"}], err or rows)
    rc, out, err = s.ctl("peer", "add", "all", "leap-of-faith=yes", "remote-net=10.1.0.7")
    test("F-47: leap of faith over a named peer", rc == 1 and "[peer bob]" in err, err)
    rc, out, err = s.ctl("peer", "add", "all", "leap-of-faith=yes", "remote-net=0.0.0.0/1,::/0")
    test("F-47: an overlap in one of several networks", rc == 1 and "overlap" in err, err)
    rc, out, err = s.ctl("peer", "add", "all", "leap-of-faith=yes", "remote-net=10.1.1.0/24")
    test("F-47: leap of faith beside it", rc == 0 and
         s.rows("peer", "list")[1]["identity"] == "leap-of-faith", err)
    rc, out, err = s.ctl("peer", "del", "bob")
    test("peer del", rc == 0 and len(s.rows("peer", "list")) == 1, err)
    rc, out, err = s.ctl("peer", "del", "bob")
    test("peer del of one that there is not", rc == 1 and "no such peer" in err, err)
    rc, out, err = s.ctl("peer", "del", "all")
    test("the last one", rc == 0 and s.rows("peer", "list") == [], err)
    rc, out, err = s.ctl("sa", "add", "late", "spi=0x7000", *SA[1:], f"key={KEY[:-1]}f")
    test("without its last entry a PAD lets nobody in", rc == 1 and "no [peer NAME]" in err, err)
    path = s.socket
test("the program ends cleanly with clients connected", s.p.returncode == 0 and "DONE" in s.out, s.out)
test("and takes its socket with it", not os.path.exists(path))
raw.close()
rc, out, err = s.ctl("info")
test("without a stack tlctl says so", rc == 1 and "no stack listens there" in err, err)

with tempfile.TemporaryDirectory() as d:
    path = os.path.join(d, "stale")
    stale = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    stale.bind(path)
    stale.close()
    with Stack("wait; start; wait", at=path) as s:
        test("a stale socket is replaced", s.ctl("info")[0] == 0)
    plain = os.path.join(d, "file")
    with open(plain, "w") as f:
        f.write("precious")
    s = Stack("quit", at=plain)
    out, _ = s.p.communicate(timeout=60)
    with open(plain) as f:
        test("a file that is no socket is not touched", s.p.returncode == 2 and
             "[control] socket" in out and f.read() == "precious", out)
    s.dir.cleanup()



def csum(b):
    s = sum(b[i] << 8 | b[i + 1] for i in range(0, len(b), 2))
    while s >> 16:
        s = (s & 0xffff) + (s >> 16)
    return struct.pack(">H", ~s & 0xffff)


def ping():
    """A frame with an echo request from 10.1.0.2."""
    icmp = b"\x08\0\0\0\0\1\0\1" + b"x" * 24
    icmp = icmp[:2] + csum(icmp) + icmp[4:]
    ip = struct.pack(">BBHHHBB2x4s4s", 0x45, 0, 20 + len(icmp), 1, 0, 64, 1,
                     bytes([10, 1, 0, 2]), bytes([10, 1, 0, 1]))
    ip = ip[:10] + csum(ip) + ip[12:]
    return bytes.fromhex("020000000001020000000002") + b"\x08\0" + ip + icmp


def veth(*args):
    return subprocess.run(["ip", "link", *args], capture_output=True, check=False).returncode == 0


# In clear a question may come in, but its answer needs an SA.
NAME = f"tlc{os.getpid()}"
if os.geteuid() == 0 and shutil.which("ip") and veth("add", NAME + "a", "type", "veth", "peer",
                                                     "name", NAME + "b"):
    try:
        veth("set", NAME + "a", "up")
        veth("set", NAME + "b", "up")
        with Stack("start; wait", conf=CONF.replace("net_null0,no-rx=1",
                                                    f"net_af_packet0,iface={NAME}a")
                   .replace("[policy secure]", "[policy ask]\naction = bypass\ndirection = in\n"
                            "[policy secure]")) as s:
            m = s.monitor(1, "acquire")
            with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as raw:
                raw.bind((NAME + "b", 0))
                for _ in range(3):
                    raw.send(ping())
            e = events(m)
            test("monitor sees the acquire of a packet without SA", len(e) == 1 and
                 e[0]["event"] == "acquire" and e[0]["policy"] == "secure" and
                 e[0]["remote"].startswith("10.1.0.2:"), (e, s.rows("stats")))
    finally:
        veth("del", NAME + "a")
else:
    print("# no veth here: the acquire of a packet is not tried")

COMPLETION = os.path.join(os.path.dirname(os.path.abspath(__file__)),
                          "../../docs/tlctl.bash-completion")


def complete(*words):
    p = subprocess.run(["bash", "-c", 'source "$0"; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); '
                        '_tlctl 2>/dev/null; echo "${COMPREPLY[*]}"', COMPLETION, "tlctl", *words],
                       capture_output=True, text=True, check=False)
    return p.stdout.split()


test("bash completes commands, verbs, groups and keys",
     "monitor" in complete("") and complete("sa", "d") == ["del"] and
     complete("latch", "close", "ov") == ["overrides"] and
     complete("monitor", "acq") == ["acquire"] and complete("-s", "/x", "policy", "fl") == ["flush"] and
     complete("sa", "add", "n", "rep") == ["replay-window="] and complete("--j") == ["--json"],
     complete(""))

# The workers start and stop while clients ask: who answers is a worker, or nobody but the server.
with Stack("; ".join(["start", "sleep 150", "stop", "sleep 50"] * 12) + "; print DONE; quit",
           conf=CONF.replace("mbufs", "workers = 2\nmbufs")) as s:
    bad = []

    def ask(i):
        for j in range(12):
            if s.p.poll() is not None:
                return
            name = f"t{i}-{j}"
            rc, out, err = s.ctl("sa", "add", name, f"spi={0x10000 + i * 1000 + j}", *SA[1:],
                                 f"key={KEY[:-4]}{i:02x}{j:02x}")
            if rc != 0 and "no stack" not in err and "ended" not in err:
                bad.append(err)
            s.ctl("stats")
            s.ctl("sa", "del", name)

    threads = [threading.Thread(target=ask, args=(i,)) for i in range(2)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    s.p.wait(timeout=60)
test("clients while the workers start and stop", not bad and s.p.returncode == 0 and
     "DONE" in s.out, (bad, s.p.returncode, s.out[-2000:]))

print(f"1..{n}")
sys.exit(1 if failed else 0)
