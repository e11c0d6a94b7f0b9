# SPDX-License-Identifier: BSD-3-Clause
"""lab.py - a veth link with a taglatch stack at one end and a real Linux kernel at the other.

The kernel is User-Mode Linux (package user-mode-linux), an ordinary process with the host's file
system read-only. Everything lives in a network namespace of its own, without IPv6, so the link
carries only what the two ends send. Used by the demo and by the tests.
"""
import atexit
import os
import queue
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
STACK_IP, PEER_IP, ROGUE_IP = "10.9.0.1", "10.9.0.2", "10.9.0.66"
STACK_IP6, PEER_IP6 = "fd09::1", "fd09::2"
STACK_MAC, PEER_MAC = "02:00:00:00:09:01", "02:00:00:00:09:02"
STACK_IF, PEER_IF = "tlv0", "tlv1"


class LabError(Exception):
    pass


PROCESSES = []


# What ends us must end the peer too.
signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))


@atexit.register
def end_all():
    """No process of the lab survives the script that started it."""
    for p in PROCESSES:
        if p.poll() is None:
            p.kill()
    for pid in peer_helpers() if PROCESSES else []:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass


def peer_helpers():
    """The kernel's own helper processes keep no tie to it but its name and its network namespace;
    another lab may run beside this one."""
    ours = os.readlink("/proc/self/ns/net")
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/cmdline", "rb") as f:
                named = b"vec0:transport=raw,ifname=" + PEER_IF.encode() in f.read()
            if named and os.readlink(f"/proc/{pid}/ns/net") == ours:
                yield int(pid)
        except OSError:
            continue


def spawn(args, **kw):
    p = subprocess.Popen(args, text=True, **kw)
    PROCESSES.append(p)
    return p


def enter_namespace():
    """Goes on in a fresh network and mount namespace; returns there only."""
    if os.environ.get("TL_LAB") != "1":
        os.environ["TL_LAB"] = "1"
        os.execvp("unshare", ["unshare", "-n", "-m", sys.executable] + sys.argv)
    if os.path.exists(os.path.join("/sys/class/net", STACK_IF)):
        return
    quiet("mount -t sysfs sysfs /sys", check=False)
    sh("ip link set lo up")
    for key in ("all", "default"):
        path = f"/proc/sys/net/ipv6/conf/{key}/disable_ipv6"
        if os.path.exists(path):
            with open(path, "w") as f:
                f.write("1")
    sh(f"ip link add {STACK_IF} address {STACK_MAC} type veth peer name {PEER_IF}")
    for end in (STACK_IF, PEER_IF):
        quiet(f"ethtool -K {end} tx off rx off gro off gso off tso off", check=False)
        sh(f"ip link set {end} arp off mtu 1500 up")


def sh(cmd):
    return subprocess.run(cmd, shell=True, check=True, text=True, capture_output=True).stdout


def quiet(cmd, check=True):
    subprocess.run(cmd, shell=True, check=check, capture_output=True)


def why_no_uml():
    """A reason why the Linux peer cannot run here, or None."""
    if os.geteuid() != 0:
        return "not root"
    for tool in ("linux.uml", "ip", "tcpdump", "ethtool", "gcc"):
        if shutil.which(tool, path=os.environ["PATH"] + ":/usr/sbin:/sbin") is None:
            return f"{tool} is not installed"
    if not os.path.isdir("/usr/lib/uml/modules"):
        return "no modules of User-Mode Linux"
    return None


class Lines:
    """Reads a process's output in the background and waits for lines in it."""

    def __init__(self, stream, log=None):
        self.q, self.all, self.log = queue.Queue(), [], log
        self.thread = threading.Thread(target=self._read, args=(stream,), daemon=True)
        self.thread.start()

    def _read(self, stream):
        for line in iter(stream.readline, ""):
            line = line.rstrip("\r\n")
            self.all.append(line)
            if self.log:
                print(self.log + line, flush=True)
            self.q.put(line)
        self.q.put(None)

    def until(self, pattern, timeout, seen=None):
        """The lines up to and with the first that matches; seen keeps those of a failure."""
        got, end = [], time.monotonic() + timeout
        while True:
            try:
                line = self.q.get(timeout=max(0.01, end - time.monotonic()))
            except queue.Empty:
                if seen is not None:
                    seen.extend(got)
                raise LabError(f"no line like {pattern!r} in {timeout} s; got:\n" +
                               "\n".join(self.all[-30:])) from None
            if line is None:
                raise LabError(f"ended before a line like {pattern!r}; got:\n" +
                               "\n".join(self.all[-30:]))
            got.append(line)
            if re.search(pattern, line):
                return got


class Stack:
    """A running tl-pmd, driven through its command pipe."""

    def __init__(self, build, conf, directory, name="stack", echo=None):
        self.path = os.path.join(directory, name + ".ini")
        fd = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(fd, "w") as f:
            f.write(conf)
        self.p = spawn([os.path.join(build, "apps", "tl-pmd"), "-f", self.path],
                       stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                       bufsize=1)
        self.lines = Lines(self.p.stdout, echo)
        self.n = 0

    def send(self, command):
        self.p.stdin.write(command + "\n")
        self.p.stdin.flush()

    def run(self, command, timeout=20):
        """One command and what it printed (a marker command tells where that ends)."""
        self.n += 1
        self.send(command)
        self.send(f"print mark{self.n}")
        return self.lines.until(f"^mark{self.n}$", timeout)[:-1]

    def table(self, what):
        """show TABLE as a list of dictionaries."""
        import json
        self.run("json on")
        text = "\n".join(self.run(f"show {what}"))
        self.run("json off")
        return json.loads(text[text.index("["):])

    def stat(self, name):
        return sum(r["value"] for r in self.table("stats") if r["name"] == name)

    def stop(self):
        if self.p.poll() is None:
            try:
                self.send("quit")
                self.p.wait(20)
            except (BrokenPipeError, subprocess.TimeoutExpired):
                self.p.kill()
                self.p.wait()
        return self.p.returncode


INIT = """#!/bin/sh
export PATH=/usr/sbin:/usr/bin:/sbin:/bin
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t tmpfs tmpfs /run
export TMPDIR=/run
stty -echo 2>/dev/null
exec 2>&1
echo PEER-UP
exec sh
"""


class Peer:
    """The Linux kernel at the other end; run() is a shell line inside it."""

    def __init__(self, directory, memory="384M", ip6=False):
        shim = os.path.join(directory, "uml_xstate.so")
        quiet(f"gcc -O1 -shared -fPIC -o {shim} {TOP}/tests/util/uml_xstate.c")
        init = os.path.join(directory, "init.sh")
        with open(init, "w") as f:
            f.write(INIT)
        os.chmod(init, 0o755)
        self._modules()
        self.p = spawn(
            ["linux.uml", f"mem={memory}", "root=/dev/root", "rootfstype=hostfs", "rootflags=/",
             "ro", f"init={init}", f"vec0:transport=raw,ifname={PEER_IF},depth=128,mac={PEER_MAC}",
             "con=null", "con0=fd:0,fd:1", "quiet", f"ipv6.disable={0 if ip6 else 1}"],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            bufsize=1, env=dict(os.environ, LD_PRELOAD=shim, TMPDIR="/dev/shm"))
        self.lines = Lines(self.p.stdout)
        self.n = 0
        self.lines.until("PEER-UP", 30)
        for line in (
                "PS1=; PS2=", "modprobe esp4", "modprobe gcm", "modprobe xfrm_user",
                "ip link set lo up",
                f"ip link set vec0 address {PEER_MAC} mtu 1500",
                f"ip addr add {PEER_IP}/24 dev vec0", "ip link set vec0 up"):
            self.run(line, check=False)
        if ip6:
            for line in (
                    "modprobe ipv6", "echo 0 >/proc/sys/net/ipv6/conf/all/accept_ra",
                    "echo 0 >/proc/sys/net/ipv6/conf/vec0/accept_ra",
                    "ip link set vec0 down; ip link set vec0 up",
                    f"ip addr add {PEER_IP}/24 dev vec0", f"ip -6 addr add {PEER_IP6}/64 dev vec0 nodad"):
                self.run(line, check=False)

    def _modules(self):
        os.makedirs("/lib/modules", exist_ok=True)
        for version in os.listdir("/usr/lib/uml/modules"):
            link = os.path.join("/lib/modules", version)
            if not os.path.lexists(link):
                os.symlink(os.path.join("/usr/lib/uml/modules", version), link)

    def run(self, command, timeout=30, check=True):
        self.n += 1
        self.p.stdin.write(f"{{ {command}\n}} </dev/null; echo RC{self.n}=$?\n")
        self.p.stdin.flush()
        out = self._answer(f"RC{self.n}=\\d+$", timeout)
        rc = int(re.search(r"=(\d+)$", out[-1]).group(1))
        text = "\n".join(out[:-1])
        if check and rc != 0:
            raise LabError(f"in the peer: {command}: exit {rc}\n{text}")
        return text

    def _answer(self, pattern, timeout):
        """The peer's console now and then misses that there is input: an empty line wakes it."""
        end = time.monotonic() + timeout
        got = []
        while True:
            try:
                return got + self.lines.until(pattern, min(3, max(0.1, end - time.monotonic())), got)
            except LabError:
                if time.monotonic() >= end or self.p.poll() is not None:
                    raise
                self.p.stdin.write("\n")
                self.p.stdin.flush()

    def start(self, command):
        """A command in the background; its output goes to a file that finish() reads."""
        self.jobs = getattr(self, "jobs", 0) + 1
        self.run(f"touch /run/out{self.jobs}; ( {command} ) >/run/out{self.jobs} 2>&1 & echo $! >/run/pid{self.jobs}")
        return self.jobs

    def finish(self, job, timeout=120):
        return self.run(f"while kill -0 $(cat /run/pid{job}) 2>/dev/null; do sleep 0.1; done; "
                        f"cat /run/out{job}", timeout)

    def stop(self):
        if self.p.poll() is None:
            try:
                self.p.stdin.write("halt -f\n")
                self.p.stdin.flush()
                self.p.wait(10)
            except (BrokenPipeError, subprocess.TimeoutExpired):
                self.p.kill()
                self.p.wait()


class Capture:
    """tcpdump on the link; kinds() tells which protocols were on it."""

    def __init__(self, directory, name="link"):
        self.path = os.path.join(directory, name + ".pcap")
        self.p = spawn(
            ["tcpdump", "-i", PEER_IF, "-s", "128", "-B", "65536", "-U", "--immediate-mode", "-Z", "root", "-w", self.path],
            stderr=subprocess.PIPE)
        Lines(self.p.stderr).until("listening on", 10)

    def stop(self):
        time.sleep(0.3)
        self.p.terminate()
        self.p.wait()

    def kinds(self):
        """{"ESP": n, "ARP": n, ...} from the headers themselves."""
        found = {}
        with open(self.path, "rb") as f:
            data = f.read()
        at = 24
        while at + 16 <= len(data):
            size = int.from_bytes(data[at + 8:at + 12], "little")
            frame = data[at + 16:at + 16 + size]
            at += 16 + size
            ethertype = int.from_bytes(frame[12:14], "big")
            if ethertype == 0x0806:
                kind = "ARP"
            elif ethertype == 0x0800:
                kind = {50: "ESP", 1: "ICMP", 6: "TCP", 17: "UDP"}.get(frame[23], f"IP {frame[23]}")
            else:
                kind = f"ethertype 0x{ethertype:04x}"
            found[kind] = found.get(kind, 0) + 1
        return found


def workdir():
    """A directory that the peer sees too, through the host's file system."""
    return tempfile.mkdtemp(prefix="taglatch-lab-", dir="/var/tmp")


# ---- one pair of SAs at both ends ----

def key(name, bits=128):
    """A laboratory key and its salt, different for each name."""
    import hashlib
    return hashlib.sha512(name.encode()).digest()[:bits // 8 + 4].hex()


def conf(sas, extra="", stack="", mode="transport", bits=128, workers=1):
    """A stack's configuration: identities of both ends and of a rogue, policy, SAs."""
    queues = f",qpairs={workers}" if workers > 1 else ""
    return f"""[stack]
manual-keys = i-accept-the-risk
workers = {workers}
mbufs = 8192
buffer-chunks = 4096
{stack}
[eal]
hugepages = {os.environ.get("TL_HUGEPAGES", "auto")}
[port lan]
device = net_af_packet0,iface={STACK_IF}{queues}
mac = {STACK_MAC}
address = {STACK_IP}/24
[identity me]
type = fqdn
value = storage.example
[identity peer]
type = fqdn
value = client.example
[identity rogue]
type = fqdn
value = rogue.example
[policy all]
action = protect
mode = {mode}
key-bits = {bits}
{extra}
""" + "\n".join(sas) + "\n"


def stack_sa(name, spi, direction, mode="transport", bits=128, peer="peer", esn=True, window=64,
             worker=0):
    nets = ""
    if mode == "tunnel":
        nets = f"local-net = {STACK_IP}\nremote-net = {PEER_IP}\n"
    return f"""[sa {name}]
spi = {spi:#x}
direction = {direction}
mode = {mode}
local = {STACK_IP}
remote = {PEER_IP}
key = {key(name, bits)}
local-id = me
peer-id = {peer}
esn = {"yes" if esn else "no"}
replay-window = {window}
worker = {worker}
{nets}"""


def stack_sa_words(name, spi, direction, **kw):
    """The same as one line for "add sa NAME ..."."""
    body = stack_sa(name, spi, direction, **kw).strip().split("\n")[1:]
    return f"add sa {name} " + " ".join(line.replace(" = ", "=") for line in body if line)


def peer_sa(name, spi, direction, mode="transport", bits=128, esn=True, window=64):
    """ip xfrm state for the same SA; direction as the stack sees it."""
    src, dst = (PEER_IP, STACK_IP) if direction == "in" else (STACK_IP, PEER_IP)
    flag = "flag esn" if esn else ""
    return (f"ip xfrm state add src {src} dst {dst} proto esp spi {spi:#x} reqid 1 mode {mode} "
            f"replay-window {window} {flag} aead 'rfc4106(gcm(aes))' 0x{key(name, bits)} 128")


def peer_policy(mode="transport"):
    tmpl = f"tmpl src {{}} dst {{}} proto esp reqid 1 mode {mode}"
    return [f"ip xfrm policy add src {PEER_IP} dst {STACK_IP} dir out " +
            tmpl.format(PEER_IP, STACK_IP),
            f"ip xfrm policy add src {STACK_IP} dst {PEER_IP} dir in " +
            tmpl.format(STACK_IP, PEER_IP)]


def main(run):
    """A test against the Linux peer: run(BUILD) returns its exit status."""
    missing = why_no_uml()
    if missing:
        print(f"1..0 # SKIP the Linux peer cannot run here: {missing}")
        sys.exit(0)
    enter_namespace()
    sys.exit(run(sys.argv[1]))
