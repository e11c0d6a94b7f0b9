# SPDX-License-Identifier: BSD-3-Clause
"""bench_report.py RESULTS.json DIR - docs/performance.md and its plots from the figures of scripts/bench."""
import json
import os
import subprocess
import sys

STAGES = ("port_rx", "eth_in", "ip_in", "esp_in", "latch_in", "tcp_in", "other_in", "timers", "program",
          "tcp_out", "spd_out", "esp_out", "ip_out", "eth_out", "port_tx")


def rows(results, table):
    return [r for r in results if r["table"] == table]


def table(head, lines):
    out = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    return "\n".join(out + ["| " + " | ".join(str(x) for x in line) + " |" for line in lines]) + "\n"


def plot(directory, name, script, data):
    """One gnuplot script as SVG and PNG."""
    path = os.path.join(directory, "plots")
    os.makedirs(path, exist_ok=True)
    blocks = "".join(f"${k} << EOD\n{v}\nEOD\n" for k, v in data.items())
    for term, ext in (("svg size 800,480 dynamic background 'white'", "svg"), ("png size 800,480", "png")):
        text = f"{blocks}set terminal {term}\nset output '{os.path.join(path, name + '.' + ext)}'\n{script}"
        subprocess.run(["gnuplot"], input=text, text=True, check=True)
    return f"![{name}](plots/{name}.svg)\n"


def esp_of(r):
    return "AES-GCM-128" if r["esp"] else "clear"


def bulk_text(results, directory):
    limits = {r["mtu"]: r for r in rows(results, "limit")}
    bulk, lines, bars = rows(results, "bulk"), [], []
    if not bulk:
        return ""
    for r in bulk:
        lines.append((r["mtu"], esp_of(r), r["connections"], r["write"], "yes" if r["zero_copy"] else "no",
                      f"{r['gbit_s']:.2f}", f"{r['gbit_min']:.2f} to {r['gbit_max']:.2f}",
                      "-" if r["of_limit"] is None else f"{r['of_limit']:.2f}",
                      f"{r['cycles_tx']:.0f} / {r['cycles_rx']:.0f}", f"{r['own_tx']:.0f} / {r['own_rx']:.0f}",
                      f"{r['retransmits']:.0f}", f"{r['cores']:.0f}"))
        if r["connections"] == 1 and r["write"] == 65536:
            name = f"{r['mtu']} {esp_of(r)}{' zero copy' if r['zero_copy'] else ''}"
            bars.append((name, r["gbit_s"]))
    for r in rows(results, "linux"):
        bars.append((f"Linux clear, TSO {'on' if r['tso'] else 'off'}", r["gbit_s"]))
    text = ("## Bulk\n\nTwo processes on net_memif, one core each. *Cores* are the cycles in which a frame of MTU 1500 goes "
            "from one core to the other through memory, before or after the run, whichever was more (`tl-perf cores`): on "
            "a virtual machine they change tenfold with the place that the host gives to the CPUs, and net_memif's copy "
            "into the other process pays them, in the sender's cycles. The bench waits for CPUs that are near each other; "
            "rows that differ here are no comparison.\n\n")
    text += table(("MTU", "bare port, cycles a frame", "Gbit/s", "engine, encrypt / decrypt", "limit, Gbit/s"),
                  [(m, f"{r['wire_cycles']:.0f}", f"{r['wire_gbit_s']:.1f}",
                    f"{r['encrypt_cycles']:.0f} / {r['decrypt_cycles']:.0f}", f"{r['limit_gbit_s']:.1f}")
                   for m, r in limits.items()])
    text += "\n" + table(("MTU", "ESP", "connections", "bytes a write", "zero copy", "Gbit/s", "spread",
                          "of the limit", "cycles a packet, tx / rx", "own, tx / rx", "retransmits", "cores"), lines)
    for r in rows(results, "linux"):
        text += (f"\nThe kernel's TCP over a veth pair in the same run, clear, TSO and GRO {'on' if r['tso'] else 'off'}: "
                 f"{r['gbit_s']:.2f} Gbit/s ({r['min']:.2f} to {r['max']:.2f}).\n")
    data = "\n".join(f'"{n}" {v}' for n, v in bars)
    return text + "\n" + plot(directory, "bulk", "set style fill solid 0.7\nset boxwidth 0.6\nset yrange [0:*]\n"
                              "set ylabel 'Gbit/s'\nset xtics rotate by -25\nset grid y\nunset key\n"
                              "plot $D using 0:2:xtic(1) with boxes lc rgb '#3366aa'\n", {"D": data})


def stages_text(results, directory):
    st = rows(results, "stages")
    if not st:
        return ""
    cases = [(m, e, s) for m in (1500, 9000) for e in (False, True) for s in ("client", "server")]
    value = {(r["mtu"], r["esp"], r["side"], r["stage"]): r["cycles"] for r in st}
    lines = [(stage, *(f"{value[(*c, stage)]:.0f}" for c in cases)) for stage in ("total",) + STAGES]
    head = ("stage", *(f"{m} {'ESP' if e else 'clear'} {'send' if s == 'client' else 'receive'}" for m, e, s in cases))
    text = ("## Where the cycles go\n\nBoth ends in one process and on one core, without a wire (`tl-perf pair-bulk -C`):"
            " cycles for each packet sent or received.\n\n" + table(head, lines))
    data = "case " + " ".join(STAGES) + "\n"
    for m, e, s in cases[:4]:
        name = f"{'ESP' if e else 'clear'} {'send' if s == 'client' else 'receive'}"
        data += f'"{name}" ' + " ".join(f"{value[(m, e, s, x)]:.1f}" for x in STAGES) + "\n"
    return text + "\n" + plot(directory, "stages", "set style data histograms\nset style histogram rowstacked\n"
                              "set style fill solid 0.8\nset boxwidth 0.6\nset key outside right noenhanced\n"
                              "set ylabel 'cycles a packet, MTU 1500'\nset grid y\n"
                              "plot for [i=2:16] $D using i:xtic(1) title columnheader(i)\n", {"D": data.rstrip()})


def latency_text(results, directory):
    rr = rows(results, "rr")
    if not rr:
        return ""
    text = "## Request and response\n\n64 bytes each way over net_memif.\n\n" + table(
        ("ESP", "connections", "a second", "least", "median", "99 %", "99.9 %", "most (us)", "cores"),
        [(esp_of(r), r["connections"], f"{r['per_second']:.0f}", f"{r['min_us']:.2f}", f"{r['p50_us']:.2f}",
          f"{r['p99_us']:.2f}", f"{r['p999_us']:.2f}", f"{r['max_us']:.0f}", f"{r['cores']:.0f}") for r in rr])
    one = [r for r in rr if r["connections"] == 1]
    data = "x " + " ".join(f'"{esp_of(r)}"' for r in one) + "\n" + "\n".join(
        f'"{name}" ' + " ".join(f"{r[k]:.3f}" for r in one)
        for name, k in (("least", "min_us"), ("median", "p50_us"), ("99 %", "p99_us"), ("99.9 %", "p999_us")))
    return text + "\n" + plot(directory, "latency", "set style data histograms\nset style fill solid 0.7\n"
                              "set ylabel 'microseconds, one connection'\nset yrange [0:*]\nset grid y\nset key top left\n"
                              f"plot for [i=2:{len(one) + 1}] $D using i:xtic(1) title columnheader(i)\n", {"D": data})


def connections_text(results):
    c = rows(results, "connections")
    if not c:
        return ""
    kind = {"open": "established only, and left open", "crr": "opened, 64 bytes each way, closed both ways"}
    return ("## Connections\n\nOver net_memif, one address at each end, "
            f"{c[0]['ports']} server ports, TIME-WAIT kept for {2 * c[0]['msl_ms']} ms; nothing is closed by RST.\n\n" +
            table(("ESP", "", "a second", "spread", "cores"),
                  [(esp_of(r), kind[r["mode"]], f"{r['per_second']:.0f}", f"{r['min']:.0f} to {r['max']:.0f}", f"{r['cores']:.0f}")
                   for r in c]))


def loss_text(results, directory):
    loss = rows(results, "loss")
    if not loss:
        return ""
    data = "\n".join(f"{r['loss_percent']} {r['mbit_s']}" for r in loss if r["loss_percent"] > 0)
    return ("## Loss\n\nOne connection under ESP in one process, random loss in both directions, round trip 10 ms, "
            "buffers of 8 MiB.\n\n" +
            table(("loss, %", "Mbit/s"), [(r["loss_percent"], f"{r['mbit_s']:.0f}") for r in loss]) + "\n" +
            plot(directory, "loss", "set logscale xy\nset xlabel 'loss, %'\nset ylabel 'Mbit/s'\nset grid\nunset key\n"
                 "plot $D with linespoints lw 2 pt 7 lc rgb '#3366aa'\n", {"D": data}))


def rest_text(results):
    text = ""
    for r in rows(results, "idle"):
        text += (f"## Idle connections\n\n{r['connections']} latched connections under ESP, established and silent, on one "
                 f"worker: {r['bytes']:.0f} bytes each at either end (control block, socket, tables, pools), "
                 f"{r['process_bytes'] / 2**30:.1f} GiB for both ends in one process.\n\n")
    workers = rows(results, "workers")
    if workers:
        text += ("## Workers\n\nTwo workers of each end on two cores beside one on one core, in one process; with ESP each "
                 "worker has a pair of SAs of its own.\n\n" +
                 table(("", "one, Gbit/s", "two, Gbit/s", "ratio"),
                       [("AES-GCM-128" if r.get("esp") else "clear", f"{r['one_gbit_s']:.2f}", f"{r['two_gbit_s']:.2f}",
                         f"{r['ratio']:.2f}") for r in workers]) + "\n")
    for r in rows(results, "latch"):
        if "latched" in r:
            text += (f"## The latch\n\nBulk under ESP at MTU 1500, latched {r['latched']:.2f} Gbit/s, not latched "
                     f"{r['not_latched']:.2f} (then the policy judges each packet); medians of runs in turn.\n\n")
        else:
            text += "`tl-perf latch`: " + ", ".join(f"{k} {v}" for k, v in r.items() if k != "table") + "\n\n"
    return text


def write(results, directory):
    run = rows(results, "run")[0]
    text = (f"# How fast\n\nMade by `scripts/bench` on {run['date']}, commit {run['commit']}; do not edit.\n\n"
            f"Machine: {run['machine']}. Runs of {run['time']} s, median of {run['rounds']} with the spread; "
            f"{run['seconds']} s in all. Timestamps, software checksums both ways, and with ESP: AES-GCM-128 in transport "
            "mode, ESN, a replay window of 64, policy and latch. *Own* cycles are those of a packet less those that the "
            "bare port takes for a frame and the engine for its payload. Cycles are those of the TSC.\n\n"
            "Figures of one machine say little of another: compare the columns of one run.\n\n")
    text += "\n".join(x for x in (bulk_text(results, directory), stages_text(results, directory),
                                  latency_text(results, directory), connections_text(results),
                                  loss_text(results, directory), rest_text(results)) if x)
    os.makedirs(directory, exist_ok=True)
    with open(os.path.join(directory, "performance.md"), "w", encoding="utf-8") as f:
        f.write(text.rstrip() + "\n")
    with open(os.path.join(directory, "performance.json"), "w", encoding="utf-8") as f:
        f.write(json.dumps(results, indent=1) + "\n")
    print(os.path.join(directory, "performance.md"))


if __name__ == "__main__":
    with open(sys.argv[1], encoding="utf-8") as given:
        write(json.load(given), sys.argv[2])
