# SPDX-License-Identifier: BSD-3-Clause
"""bench.py BUILD [--time S] [--json] - started by scripts/bench.

Every line is a ratio within one run: goodput against raw AES-GCM of the same record size on the
same core, and against the same stack without ESP.
"""
import argparse
import hashlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time

HUGE = "/sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages"
PAGES = 768


def hugepages():
    """Reserves pages if the machine gives them; returns how many there were before."""
    try:
        before = int(open(HUGE).read())
        if before < PAGES:
            open(HUGE, "w").write(str(PAGES))
        got = int(open(HUGE).read())
        print(f"hugepages: {got} of 2 MB" + ("" if got >= PAGES else " (too few: ordinary memory)"))
        return before
    except OSError as e:
        print(f"hugepages: none ({e}); ordinary memory")
        return None


def key(name, bits):
    return hashlib.sha512(name.encode()).digest()[:bits // 8 + 4].hex()


def conf(role, sock, mtu, esp, bits, latch=True):
    me, peer = ("10.7.0.1", "10.7.0.2") if role == "server" else ("10.7.0.2", "10.7.0.1")
    ids = ("a.example", "b.example") if role == "server" else ("b.example", "a.example")
    bsize = 2048 if mtu <= 1500 else 10240
    text = f"""[stack]
mbufs = 16384
manual-keys = i-accept-the-risk
auto-latch = {"yes" if latch else "no"}
[tcp]
sndbuf = 1048576
rcvbuf = 1048576
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
action = {"protect" if esp else "bypass"}
"""
    if esp:
        for name, spi, direction in (("to-server", 0x1000, "in"), ("to-client", 0x2000, "out")):
            if role == "client":
                direction = "out" if direction == "in" else "in"
            text += f"""[sa {name}]
spi = {spi}
direction = {direction}
local = {me}
remote = {peer}
key = {key(name, bits)}
replay-window = 1024
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


def run_pair(perf, d, mtu, esp, bits, seconds, latch=True):
    sock = os.path.join(d, f"memif-{mtu}-{esp}-{bits}-{latch}.sock")
    server = subprocess.Popen(
        [perf, "server", "-j", "-n", "1", "-f",
         write(os.path.join(d, "server.ini"), conf("server", sock, mtu, esp, bits, latch))],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        for line in server.stdout:
            if "listening" in line:
                break
        time.sleep(0.3)
        client = subprocess.run(
            [perf, "bulk", "-j", "-a", "10.7.0.1", "-t", str(seconds), "-f",
             write(os.path.join(d, "client.ini"), conf("client", sock, mtu, esp, bits, latch))],
            capture_output=True, text=True, timeout=seconds + 30)
        out, err = server.communicate(timeout=20)
    finally:
        server.kill()
    if client.returncode != 0:
        raise SystemExit(f"bench: the client failed:\n{client.stdout}{client.stderr}{out}{err}")
    tx = [o for o in objects(client.stdout) if o.get("total")][0]
    rx = [o for o in objects(out) if o.get("total")][0]
    return tx, rx


def limit(perf, size, bits):
    out = subprocess.run([perf, "limit", "-j", "-l", str(size), "-k", str(bits)], text=True,
                         capture_output=True, check=True).stdout
    return objects(out)[0]


def alone(perf, mode, as_json, results):
    """ESP beside its crypto, or lookups in small and big tables; no port, one core."""
    out = subprocess.run([perf, mode] + (["-j"] if as_json else []), text=True,
                         capture_output=True, check=True).stdout
    if as_json:
        results += objects(out)
    else:
        print(out, end="", flush=True)


def latched_or_not(perf, d, seconds, rounds, as_json, results):
    """Bulk under ESP, latched and not, in turn; without a latch the policy judges every packet."""
    gbit = {True: [], False: []}
    for i in range(2 * rounds):
        # The order changes from round to round: on off, off on, ...
        latch = i % 2 == (i // 2) % 2
        gbit[latch].append(run_pair(perf, d, 1500, True, 128, seconds, latch)[1]["gbit_s"])
    on, off = (statistics.median(gbit[x]) for x in (True, False))
    r = {"bulk": "ESP, MTU 1500", "rounds": rounds, "latched_gbit_s": gbit[True],
         "not_latched_gbit_s": gbit[False], "ratio": on / off}
    results.append(r)
    if not as_json:
        print(f"latched {on:.2f} Gbit/s ({min(gbit[True]):.2f} to {max(gbit[True]):.2f}), not latched "
              f"{off:.2f} ({min(gbit[False]):.2f} to {max(gbit[False]):.2f}), medians of {rounds} runs "
              f"in turn, ratio {on / off:.3f}", flush=True)


def main():
    ap = argparse.ArgumentParser()
    ap.add_argument("build")
    ap.add_argument("--time", type=int, default=5, help="seconds for each measurement")
    ap.add_argument("--json", action="store_true")
    a = ap.parse_args()
    perf = os.path.join(a.build, "apps", "tl-perf")
    before, results = hugepages(), []
    print(f"two processes on net_memif, one core each, {a.time} s each; the limit is raw AES-GCM "
          "of the record size", flush=True)
    head = f"{'MTU':>5} {'suite':<12} {'Gbit/s':>7} {'cyc/pkt tx':>10} {'cyc/pkt rx':>10} " \
           f"{'busy tx':>7} {'busy rx':>7} {'limit':>7} {'of limit':>8} {'of clear':>8} {'rexmt':>6}"
    if not a.json:
        print(head, flush=True)
    try:
        with tempfile.TemporaryDirectory() as d:
            for mtu in (1500, 9000):
                clear = None
                for esp, bits in ((False, 128), (True, 128), (True, 256)):
                    tx, rx = run_pair(perf, d, mtu, esp, bits, a.time)
                    record = (mtu - 20 - 8 - 8 - 16) // 4 * 4
                    lim = limit(perf, record, bits)
                    gbit, top = rx["gbit_s"], min(lim["encrypt_gbit_s"], lim["decrypt_gbit_s"])
                    clear = clear or gbit
                    r = {"mtu": mtu, "suite": f"AES-GCM-{bits}" if esp else "clear",
                         "gbit_s": gbit, "cycles_per_packet_tx": tx["cycles_per_packet"],
                         "cycles_per_packet_rx": rx["cycles_per_packet"], "busy_tx": tx["busy"],
                         "busy_rx": rx["busy"], "limit_gbit_s": top if esp else None,
                         "of_limit": gbit / top if esp else None, "of_clear": gbit / clear,
                         "retransmits": tx["retransmits"], "record_bytes": record}
                    results.append(r)
                    if not a.json:
                        print(f"{mtu:>5} {r['suite']:<12} {gbit:>7.2f} "
                              f"{r['cycles_per_packet_tx']:>10.0f} {r['cycles_per_packet_rx']:>10.0f} "
                              f"{r['busy_tx']:>7.2f} {r['busy_rx']:>7.2f} " +
                              (f"{top:>7.1f} {gbit / top:>8.3f}" if esp else f"{'-':>7} {'-':>8}") +
                              f" {gbit / clear:>8.3f} {r['retransmits']:>6}", flush=True)
            latched_or_not(perf, d, min(a.time, 2), 5, a.json, results)
        alone(perf, "latch", a.json, results)
        alone(perf, "esp", a.json, results)
        alone(perf, "scale", a.json, results)
    finally:
        if before is not None and before < PAGES:
            open(HUGE, "w").write(str(before))
    if a.json:
        print(json.dumps(results, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
