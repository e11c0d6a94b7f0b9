# SPDX-License-Identifier: BSD-3-Clause
"""bench.py BUILD [options] - started by scripts/bench.

Measures the stack on this machine and writes docs/performance.md and its plots: bulk, latency,
connections, loss, cycles by stage, in clear and under ESP, each beside the raw crypto limit and the
bare port of the same run, and beside the Linux kernel's TCP where iperf3 is there.

Every figure has timestamps, software checksums both ways and, with ESP, AES-GCM-128 in transport mode
with ESN, a replay window of 64, policy and latch. "Own" cycles are those of a packet less those of
the bare port and of the engine alone. Median of the rounds, and their spread.
"""
import argparse
import hashlib
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
HUGE = "/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages"
PAGES = 1024
SERVER, CLIENT = "10.7.0.1", "10.7.0.2"


def hugepages():
    """Reserves pages if the machine gives them; returns how many there were before."""
    try:
        before = int(open(HUGE).read())
        if before < PAGES:
            open(HUGE, "w").write(str(PAGES))
        got = int(open(HUGE).read())
        say(f"hugepages: {got} of 2 MB" + ("" if got >= PAGES else " (too few: ordinary memory)"))
        return before
    except OSError as e:
        say(f"hugepages: none ({e}); ordinary memory")
        return None


def say(text):
    print(text, file=sys.stderr, flush=True)


def key(name, bits):
    return hashlib.sha512(name.encode()).digest()[:bits // 8 + 4].hex()


def conf(role, sock, case):
    """One end of a pair of processes on net_memif."""
    mtu, bits = case["mtu"], case.get("bits", 128)
    me, peer = (SERVER, CLIENT) if role == "server" else (CLIENT, SERVER)
    ids = ("a.example", "b.example") if role == "server" else ("b.example", "a.example")
    bsize = 2048 if mtu <= 1500 else 10240
    text = f"""[stack]
mbufs = 16384
sockets = {case.get("sockets", 4096)}
manual-keys = i-accept-the-risk
auto-latch = {"yes" if case.get("latch", True) else "no"}
[tcp]
max-connections = {case.get("sockets", 4096)}
msl-ms = {case.get("msl", 30000)}
[eal]
cpus = {0 if role == "server" else 1}
[port lan]
device = net_memif0,role={role},id=0,socket={sock},socket-abstract=no,bsize={bsize},rsize=10
address = {me}/24
mac = 02:00:00:00:07:0{1 if role == "server" else 2}
mtu = {mtu}
[identity me]
type = fqdn
value = {ids[0]}
[identity peer]
type = fqdn
value = {ids[1]}
[policy all]
action = {"protect" if case["esp"] else "bypass"}
"""
    for name, spi, inbound in (("to-server", 0x1000, role == "server"),
                               ("to-client", 0x2000, role == "client")):
        if case["esp"]:
            text += f"""[sa {name}]
spi = {spi}
direction = {"in" if inbound else "out"}
local = {me}
remote = {peer}
key = {key(name, bits)}
esn = yes
replay-window = 64
local-id = me
peer-id = peer
"""
    return text


def write(path, text):
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(fd, "w") as f:
        f.write(text)
    return path


def objects(text):
    return [json.loads(line) for line in text.split("\n") if line.startswith("{")]


# Cores are near if a frame goes between them within so many times the least cycles that were seen.
NEAR = 1.5


class Bench:
    def __init__(self, perf, options):
        self.perf, self.o, self.results = perf, options, []
        self.least, self.patience, self.apart = None, options.wait, []

    def tool(self, *args):
        p = subprocess.run([self.perf, *args, "-j"], capture_output=True, text=True, check=False)
        if p.returncode != 0:
            raise SystemExit(f"bench: tl-perf {' '.join(args)}:\n{p.stdout}{p.stderr}")
        return objects(p.stdout)

    def cores(self):
        """Cycles for a frame from one core to the other, now."""
        cycles = self.tool("cores")[0]["cycles_per_frame"]
        self.least = min(self.least or cycles, cycles)
        return cycles

    def is_near(self, cycles):
        return cycles <= NEAR * self.least

    def wait_near(self):
        """A host moves the CPUs of a virtual machine: waits until they are as near as they were at best, as long as
        there is patience left."""
        if self.least is None:
            for _ in range(min(20, self.o.wait)):
                self.cores()
                time.sleep(0.5)
        start, cycles = time.time(), self.cores()
        while not self.is_near(cycles) and self.patience > time.time() - start:
            time.sleep(0.5)
            cycles = self.cores()
        self.patience -= time.time() - start
        return cycles

    def processes(self, case, mode, *args):
        """One run of client and server; again if the cores were moved apart meanwhile. self.apart gets the cycles
        between the cores, the larger of before and after."""
        while True:
            before = self.wait_near()
            start, result = time.time(), self.run_processes(case, mode, *args)
            apart = max(before, self.cores())
            if self.is_near(apart) or not self.is_near(before) or self.patience <= 0:
                self.apart.append(apart)
                return result
            self.patience -= time.time() - start

    def run_processes(self, case, mode, *args):
        """Client and server on net_memif: the objects that each printed."""
        with tempfile.TemporaryDirectory() as d:
            sock = os.path.join(d, "memif.sock")
            ports = ["-P", str(case.get("ports", 1))] + case.get("total", [])
            extra = ["-z"] if case.get("zero_copy") else []
            server = subprocess.Popen(
                [self.perf, "server", "-j", *ports, *extra, "-f",
                 write(os.path.join(d, "server.ini"), conf("server", sock, case))],
                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
            try:
                for line in server.stdout:
                    if "listening" in line:
                        break
                time.sleep(0.3)
                client = subprocess.run(
                    [self.perf, mode, "-j", "-a", SERVER, *ports, *extra, *args, "-f",
                     write(os.path.join(d, "client.ini"), conf("client", sock, case))],
                    capture_output=True, text=True, timeout=120, check=False)
                server.terminate()
                out, err = server.communicate(timeout=20)
            finally:
                server.kill()
        if client.returncode != 0:
            raise SystemExit(f"bench: tl-perf {mode} failed:\n{client.stdout}{client.stderr}{out}{err}")
        return objects(client.stdout), objects(out)

    def wire(self, mtu):
        """Cycles of the bare port for one frame: what it takes at least."""
        tries = []
        for _ in range(self.o.rounds):
            self.wait_near()
            tries.append(self.run_wire(mtu))
        return min(tries, key=lambda x: x["cycles_per_packet"])

    def run_wire(self, mtu):
        with tempfile.TemporaryDirectory() as d:
            sock = os.path.join(d, "memif.sock")
            case = {"mtu": mtu, "esp": False}
            names = [write(os.path.join(d, r), conf(r, sock, case)) for r in ("server", "client")]
            rx = subprocess.Popen([self.perf, "wire-rx", "-j", "-t", "4", "-m", str(mtu), "-f", names[0]],
                                  stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
            time.sleep(1)
            tx = subprocess.run([self.perf, "wire-tx", "-j", "-t", "2", "-m", str(mtu), "-f", names[1]],
                                capture_output=True, text=True, check=False)
            rx.communicate(timeout=30)
        return objects(tx.stdout)[0]

    def limit(self, mtu):
        """The engine alone on the payload of a full segment with its TCP header."""
        record = (mtu - 20 - 8 - 8 - 16) // 4 * 4
        return self.tool("limit", "-l", str(record), "-k", "128")[0]

    # ---- one function for each table ----

    def bulk(self):
        o = self.o
        for mtu in (1500, 9000):
            wire, lim = self.wire(mtu), self.limit(mtu)
            self.results.append({"table": "limit", "mtu": mtu, "wire_cycles": wire["cycles_per_packet"],
                                 "wire_gbit_s": wire["gbit_s"], "encrypt_cycles": lim["encrypt_cycles"],
                                 "decrypt_cycles": lim["decrypt_cycles"],
                                 "limit_gbit_s": min(lim["encrypt_gbit_s"], lim["decrypt_gbit_s"])})
            for esp in (False, True):
                for conns, size, zc in self.bulk_cases():
                    self.bulk_case(mtu, esp, conns, size, zc, wire, lim)

    def bulk_cases(self):
        cases = [(1, 65536, False), (1, 65536, True)]
        if not self.o.quick:
            cases += [(16, 65536, False), (256, 65536, False), (1, 4096, False), (1, 131072, False)]
        return cases

    def bulk_case(self, mtu, esp, conns, size, zc, wire, lim):
        case = {"mtu": mtu, "esp": esp, "zero_copy": zc}
        runs, self.apart = [], []
        for _ in range(self.o.rounds):
            tx, rx = self.processes(case, "bulk", "-t", str(self.o.time), "-c", str(conns), "-l", str(size))
            tx, rx = ([x for x in side if x.get("total")][0] for side in (tx, rx))
            runs.append((rx["gbit_s"], tx["cycles_per_packet"], rx["cycles_per_packet"], tx["retransmits"]))
        gbit, ctx, crx, rexmt = (statistics.median(r[i] for r in runs) for i in range(4))
        top = min(lim["encrypt_gbit_s"], lim["decrypt_gbit_s"])
        crypto = (lim["encrypt_cycles"], lim["decrypt_cycles"]) if esp else (0, 0)
        r = {"table": "bulk", "mtu": mtu, "esp": esp, "connections": conns, "write": size, "zero_copy": zc,
             "gbit_s": gbit, "gbit_min": min(r[0] for r in runs), "gbit_max": max(r[0] for r in runs),
             "of_limit": gbit / top if esp else None, "cycles_tx": ctx, "cycles_rx": crx,
             "own_tx": ctx - wire["cycles_per_packet"] - crypto[0],
             "own_rx": crx - wire["cycles_per_packet"] - crypto[1], "retransmits": rexmt,
             "cores": statistics.median(self.apart)}
        self.results.append(r)
        say(f"bulk MTU {mtu} {'ESP  ' if esp else 'clear'} {conns:>3} connections, {size:>6} a write"
            f"{', zero copy' if zc else ''}: {gbit:.2f} Gbit/s ({r['gbit_min']:.2f} to {r['gbit_max']:.2f})")

    def latency(self):
        for esp in (False, True):
            for conns in (1, 64):
                rows, self.apart = [], []
                for _ in range(self.o.rounds):
                    tx, _ = self.processes({"mtu": 1500, "esp": esp}, "rr", "-t", str(self.o.time + 1),
                                           "-c", str(conns))
                    rows.append([x for x in tx if "requests" in x][0])
                rows.sort(key=lambda x: x["p50_us"])
                m = rows[len(rows) // 2]
                self.results.append({"table": "rr", "esp": esp, "connections": conns, **m,
                                     "cores": statistics.median(self.apart)})
                say(f"rr {'ESP  ' if esp else 'clear'} {conns:>2} connections: p50 {m['p50_us']:.2f} us, "
                    f"p99 {m['p99_us']:.2f}, {m['per_second']:.0f}/s")

    def connections(self):
        case = {"mtu": 1500, "sockets": 250000, "ports": 40, "msl": 500}
        for esp in (False, True):
            for mode in ("open", "crr"):
                rates, self.apart = [], []
                for _ in range(self.o.rounds):
                    # The server knows how many there will be, so that both have their memory.
                    total = ["-N", "200000"] if mode == "open" else []
                    tx, _ = self.processes({**case, "esp": esp, "total": total}, mode, "-t",
                                           str(self.o.time), "-c", "64")
                    rates.append([x for x in tx if "connections" in x][0]["per_second"])
                self.results.append({"table": "connections", "esp": esp, "mode": mode,
                                     "per_second": statistics.median(rates), "min": min(rates),
                                     "max": max(rates), "ports": case["ports"], "msl_ms": case["msl"],
                                     "cores": statistics.median(self.apart)})
                say(f"{mode} {'ESP' if esp else 'clear'}: {statistics.median(rates):.0f} a second")

    def idle(self):
        """Memory of an idle connection under ESP, beside what a stack of few needs: both ends live in one process."""
        few, many = 10000, 100000 if self.o.quick else 1000000
        used = {}
        for n in (few, many):
            p = subprocess.Popen([self.perf, "pair-open", "-E", "-j", "-N", str(n), "-c", "64", "-P", "64",
                                  "-s", f"tcp.max-connections={n + 1000}", "-s", f"stack.sockets={n + 1100}",
                                  "-s", f"eal.memory-mb={700 + n * 3 // 1000}", "-s", "eal.hugepages=no"],
                                 stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
            out, err = p.stdout.read(), p.stderr.read()
            _, status, usage = os.wait4(p.pid, 0)
            p.returncode = os.waitstatus_to_exitcode(status)
            rows = [x for x in objects(out) if "connections" in x]
            if p.returncode != 0 or not rows or rows[0]["connections"] != n:
                raise SystemExit(f"bench: {n} idle connections:\n{out}{err}")
            used[n] = usage.ru_maxrss * 1024 - 2 * n * rows[0]["bytes_of_program"]
        each = (used[many] - used[few]) / (2 * (many - few))
        self.results.append({"table": "idle", "connections": many, "bytes": each, "process_bytes": used[many]})
        say(f"idle: {many} connections, {each:.0f} bytes each and end, {used[many] >> 20} MB for both ends")

    def stages(self):
        for mtu in (1500, 9000):
            for esp in (False, True):
                args = ["pair-bulk", "-C", "-t", str(self.o.time), "-m", str(mtu)] + (["-E"] if esp else [])
                best = {}
                for _ in range(self.o.rounds):
                    for x in self.tool(*args):
                        if "side" in x:
                            k = (x["side"], x.get("stage", "total"))
                            best.setdefault(k, []).append(x["cycles_per_packet"])
                for (side, stage), v in best.items():
                    self.results.append({"table": "stages", "mtu": mtu, "esp": esp, "side": side,
                                         "stage": stage, "cycles": statistics.median(v)})
                say(f"stages MTU {mtu} {'ESP' if esp else 'clear'}: " + ", ".join(
                    f"{side} {statistics.median(best[side, 'total']):.0f}" for side in ("client", "server")))

    def loss(self):
        for pct in (0, 0.01, 0.03, 0.1, 0.3, 1, 3):
            rates = []
            for _ in range(1 if self.o.quick else 3):
                rows = self.tool("pair-bulk", "-E", "-t", str(max(self.o.time, 5)), "-D", "5000", "-L",
                                 str(pct), "-s", "tcp.sndbuf=8388608", "-s", "tcp.rcvbuf=8388608",
                                 "-s", "stack.mbufs=32768", "-s", "eal.memory-mb=900")
                rates.append([x for x in rows if x.get("total")][0]["gbit_s"] * 1000)
            self.results.append({"table": "loss", "loss_percent": pct, "rtt_ms": 10,
                                 "mbit_s": statistics.median(rates)})
            say(f"loss {pct} %, RTT 10 ms: {statistics.median(rates):.1f} Mbit/s")

    def workers(self):
        """With ESP each worker has a pair of SAs of its own. One and two in turn."""
        for esp in (False, True):
            rates = {1: [], 2: []}
            for i in range(2 * self.o.rounds):
                n = 1 + i % 2
                rows = self.tool("pair-bulk", "-w", str(n), "-t", str(self.o.time), *["-E"][:esp])
                rates[n].append(sum(x["gbit_s"] for x in rows if x.get("total")))
            one, two = (statistics.median(rates[n]) for n in (1, 2))
            self.results.append({"table": "workers", "esp": esp, "one_gbit_s": one, "two_gbit_s": two,
                                 "ratio": two / one, "runs": rates})
            say(f"workers, {'ESP' if esp else 'clear'}: one {one:.2f} Gbit/s, two {two:.2f}, ratio {two / one:.2f}")

    def latched_or_not(self):
        """Bulk under ESP, latched and not, in turn; without a latch the policy judges every packet."""
        gbit = {True: [], False: []}
        for i in range(2 * self.o.rounds):
            latch = i % 2 == (i // 2) % 2  # on off, off on, ...
            _, rx = self.processes({"mtu": 1500, "esp": True, "latch": latch}, "bulk", "-t",
                                   str(min(self.o.time, 2)))
            gbit[latch].append([x for x in rx if x.get("total")][0]["gbit_s"])
        on, off = (statistics.median(gbit[x]) for x in (True, False))
        self.results.append({"table": "latch", "latched": on, "not_latched": off, "ratio": on / off,
                             "latched_runs": gbit[True], "not_latched_runs": gbit[False]})
        say(f"latched {on:.2f} Gbit/s, not latched {off:.2f}, ratio {on / off:.3f}")

    def linux(self):
        """The kernel's TCP between two network namespaces on a veth pair."""
        if shutil.which("iperf3") is None or os.geteuid() != 0:
            say("linux: skipped (needs root and iperf3)")
            return
        ns = [f"tlb{os.getpid()}{x}" for x in "ab"]
        sh = lambda *a: subprocess.run(a, check=True, stdout=subprocess.DEVNULL)  # noqa: E731
        try:
            for n in ns:
                sh("ip", "netns", "add", n)
            sh("ip", "link", "add", "tlv0", "netns", ns[0], "type", "veth", "peer", "name", "tlv1",
               "netns", ns[1])
            for n, dev, addr in ((ns[0], "tlv0", SERVER), (ns[1], "tlv1", CLIENT)):
                sh("ip", "-n", n, "addr", "add", addr + "/24", "dev", dev)
                sh("ip", "-n", n, "link", "set", dev, "up")
            for tso in (True, False):
                for n, dev in ((ns[0], "tlv0"), (ns[1], "tlv1")):
                    sh("ip", "netns", "exec", n, "ethtool", "-K", dev, "tso", "on" if tso else "off",
                       "gso", "on" if tso else "off", "gro", "on" if tso else "off")
                self.linux_bulk(ns, tso)
        finally:
            for n in ns:
                subprocess.run(["ip", "netns", "del", n], check=False, stderr=subprocess.DEVNULL)

    def linux_bulk(self, ns, tso):
        rates = []
        for _ in range(self.o.rounds):
            server = subprocess.Popen(["ip", "netns", "exec", ns[0], "iperf3", "-s", "-1", "-A", "0"],
                                      stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            time.sleep(0.3)
            out = subprocess.run(["ip", "netns", "exec", ns[1], "iperf3", "-c", SERVER, "-J", "-A", "1",
                                  "-t", str(self.o.time)], capture_output=True, text=True, check=False)
            server.wait(timeout=20)
            try:
                rates.append(json.loads(out.stdout)["end"]["sum_received"]["bits_per_second"] / 1e9)
            except (KeyError, ValueError):
                say("linux: iperf3 gave no result: " + out.stdout[-200:] + out.stderr[-200:])
                return
        self.results.append({"table": "linux", "tso": tso, "gbit_s": statistics.median(rates),
                             "min": min(rates), "max": max(rates)})
        say(f"linux veth, TSO {'on' if tso else 'off'}: {statistics.median(rates):.2f} Gbit/s")

    def alone(self):
        for mode in ("latch", "esp", "scale"):
            for x in self.tool(mode):
                self.results.append({"table": mode, **x})


TABLES = ("bulk", "latency", "connections", "idle", "stages", "workers", "loss", "latched_or_not", "linux", "alone")


def machine():
    model = [x.split(":")[1].strip() for x in open("/proc/cpuinfo") if x.startswith("model name")]
    flags = [x for x in open("/proc/cpuinfo") if x.startswith("flags")][0].split()
    wide = "AVX-512" if "avx512f" in flags else "AVX2" if "avx2" in flags else "SSE"
    return (f"{model[0]}, {len(model)} CPUs, {wide}{', VAES' if 'vaes' in flags else ''}, "
            f"Linux {platform.release().split('-')[0]}")


def main():
    ap = argparse.ArgumentParser(prog="scripts/bench", description=__doc__.split("\n\n")[1],
                                 epilog="Tables: " + ", ".join(TABLES))
    ap.add_argument("build", help=argparse.SUPPRESS)
    ap.add_argument("--only", metavar="TABLE[,...]", help="some of the tables")
    ap.add_argument("--time", type=int, default=2, help="seconds for each run (2)")
    ap.add_argument("--rounds", type=int, default=5, help="runs of each figure (5)")
    ap.add_argument("--wait", type=int, default=300, metavar="SECONDS",
                    help="in all, for a virtual machine's CPUs to be near each other (300)")
    ap.add_argument("--quick", action="store_true", help="one run of a second, fewer cases")
    ap.add_argument("--json", action="store_true", help="print the figures, write no file")
    ap.add_argument("--out", default=os.path.join(ROOT, "docs"), help="where performance.md goes (docs)")
    o = ap.parse_args()
    if o.quick:
        o.time, o.rounds, o.wait = 1, 1, 0
    wanted = o.only.split(",") if o.only else TABLES
    for t in wanted:
        if t not in TABLES:
            ap.error(f"no table \"{t}\"; expected {', '.join(TABLES)}")
    before = hugepages()
    b = Bench(os.path.join(o.build, "apps", "tl-perf"), o)
    start, commit = time.time(), subprocess.run(["git", "-C", ROOT, "describe", "--always", "--dirty"],
                                                capture_output=True, text=True, check=False).stdout.strip()
    try:
        for t in wanted:
            getattr(b, t)()
    finally:
        if before is not None and before < PAGES:
            open(HUGE, "w").write(str(before))
    b.results.append({"table": "run", "machine": machine(), "date": time.strftime("%Y-%m-%d"),
                      "seconds": round(time.time() - start), "rounds": o.rounds, "time": o.time,
                      "commit": commit})
    if o.json:
        print(json.dumps(b.results, indent=1))
        return 0
    sys.path.insert(0, os.path.join(ROOT, "scripts"))
    import bench_report
    bench_report.write(b.results, o.out)
    return 0


if __name__ == "__main__":
    sys.exit(main())
