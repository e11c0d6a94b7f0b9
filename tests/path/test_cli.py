# SPDX-License-Identifier: BSD-3-Clause
"""test_cli.py BUILD - the programs as a user meets them: help, errors, tables. Prints TAP."""
import json
import os
import resource
import signal
import socket
import subprocess
import sys
import tempfile

BUILD = sys.argv[1]
ENV = os.environ
KEY = "00112233445566778899aabbccddeeff01020304"
GOOD = f"""[stack]
manual-keys = i-accept-the-risk
mbufs = 2048
buffer-chunks = 256
[eal]
hugepages = no
[port lan]
device = net_null0
address = 10.1.0.1/24
[route 10.2.0.0/16]
via = 10.1.0.254
[identity me]
type = fqdn
value = me.example
[identity peer]
type = ipv4
value = 10.1.0.2
[sa in]
spi = 0x1000
direction = in
local = 10.1.0.1
remote = 10.1.0.2
key = {KEY}
local-id = me
peer-id = peer
[policy secure]
action = protect
remote-net = 10.1.0.0/24
[policy rest]
action = bypass
"""
n = failed = 0


def run(program, *args, conf=None, mode=0o600):
    with tempfile.TemporaryDirectory() as d:
        if conf is not None:
            path = os.path.join(d, "t.ini")
            with open(path, "w") as f:
                f.write(conf)
            os.chmod(path, mode)
            args = ("-f", path) + args
        p = subprocess.run([os.path.join(BUILD, "apps", program), *args], capture_output=True,
                           text=True, timeout=60, env=ENV, stdin=subprocess.DEVNULL)
    return p.returncode, p.stdout, p.stderr.strip()


def test(name, ok, detail=""):
    global n, failed
    n += 1
    print(f"{'ok' if ok else 'not ok'} {n} - {name}", flush=True)
    if not ok:
        failed += 1
        print("# " + str(detail).replace("\n", "\n# "), flush=True)


def line_of(text, start):
    return next(i for i, line in enumerate(text.split("\n"), 1) if line.startswith(start))


def refuses(name, conf, *expected, mode=0o600):
    """Exit 2, and one line that holds every expected piece."""
    rc, out, err = run("tl-pmd", "-c", "quit", conf=conf, mode=mode)
    test(f"refused: {name}", rc == 2 and all(e in err for e in expected) and KEY[:16] not in err,
         f"exit {rc}: {err}")


for program in ("tl-pmd", "tl-perf"):
    rc, out, err = run(program, "--help")
    test(f"{program} --help", rc == 0 and "--config" in out and "--json" in out, out + err)
    rc, out, err = run(program, "--version")
    test(f"{program} --version", rc == 0 and out.startswith("taglatch "), out)
    rc, out, err = run(program, "--nonsense")
    test(f"{program} with an unknown option exits 2", rc == 2, rc)

refuses("no file", None, "expected at least one section [port NAME]")
refuses("a line that is none", GOOD.replace("[eal]", "[eal\nx=1\n[eal]"),
        "t.ini:5:", "expected [section]")
refuses("a key without =", GOOD.replace("mbufs = 2048", "mbufs 2048"), "t.ini:3:",
        "expected key = value")
refuses("an unknown key", GOOD.replace("mbufs", "mbuffs"), "t.ini:3: [stack] mbuffs: unknown key",
        "mbufs")
refuses("an unknown section", GOOD + "[prot x]\na = 1\n", "unknown section", "port NAME")
refuses("a number out of range", GOOD.replace("2048", "7"), "t.ini:3: [stack] mbufs",
        "expected 256 to 4194304", '"7"')
refuses("a bad address", GOOD.replace("local = 10.1.0.1", "local = 10.1.0"),
        f":{line_of(GOOD, 'local =')}: [sa in] local: expected an IP address")
refuses("a prefix without length", GOOD.replace("10.1.0.1/24", "10.1.0.1"), "[port lan] address",
        "expected addresses with prefix length")
refuses("IPv6 on a small MTU",
        GOOD.replace("address = 10.1.0.1/24", "address = 10.1.0.1/24, fd00::1/64\nmtu = 1000"),
        "[port lan] mtu", "IPv6 needs 1280")
refuses("ipv6 = no beside an IPv6 address",
        GOOD.replace("address = 10.1.0.1/24", "address = fd00::1/64\nipv6 = no"),
        "[port lan] ipv6", "take that away")
refuses("a link-local gateway of no port", GOOD + "[route ::/0]\nvia = fe80::1%wan\n",
        "[route ::/0] via", "fe80::1%lan")
refuses("a multicast address", GOOD.replace("10.1.0.1/24", "ff02::1/64"), "[port lan] address",
        "expected addresses with prefix length")
refuses("a gateway of the other family", GOOD + "[route ::/0]\nvia = 10.1.0.2\n", "[route ::/0]")
refuses("a UDP port of an SA that is not in UDP", GOOD.replace("peer-id = peer", "peer-id = peer\nudp-local = 4500", 1),
        "udp-local", "encapsulation = udp")
refuses("a soft limit above the hard one", GOOD.replace("peer-id = peer", "peer-id = peer\nsoft-bytes = 9\nhard-bytes = 8", 1),
        "soft limit")
refuses("a short key, which is not shown", GOOD.replace(KEY, KEY[:38]), "[sa in] key",
        "the algorithm has no keys of this length")
BAD_MAC = GOOD.replace(f"key = {KEY}", "encryption = ENCR_AES_CBC\nintegrity = "
                       f"AUTH_HMAC_SHA1_96\nkey = {'11' * 16}\nintegrity-key = {KEY}0")
refuses("an odd integrity key, which is not shown", BAD_MAC, "[sa in] integrity-key")
rc, out, err = run("tl-pmd", "-c", "show config; quit", conf=BAD_MAC.replace(KEY + "0", KEY))
test("keys of integrity are secret too", rc == 0 and KEY[:16] not in out and
     out.count("(secret)") == 2, out + err)
refuses("an identity that does not exist", GOOD.replace("peer-id = peer", "peer-id = nobody"),
        "[sa in] peer-id", "identity")
refuses("an SA without identity", GOOD.replace("peer-id = peer\n", ""), 'expected a key "peer-id"')
refuses("keys without consent", GOOD.replace("manual-keys = i-accept-the-risk", "workers = 1"),
        "manual-keys = i-accept-the-risk", "[sa in] key")
refuses("keys in a file that others can read", GOOD, "readable by its owner only", mode=0o644)
refuses("a reserved SPI", GOOD.replace("0x1000", "255"), "[sa in] spi", "256")
refuses("the same key twice", GOOD + GOOD[GOOD.index("[sa in]"):GOOD.index("[policy secure]")]
        .replace("[sa in]", "[sa out]").replace("direction = in", "direction = out"),
        "[sa out] key", "nonces could repeat")
refuses("the same SPI twice", GOOD + GOOD[GOOD.index("[sa in]"):GOOD.index("[policy secure]")]
        .replace("[sa in]", "[sa in2]").replace(KEY, KEY[::-1]), "SPI", "exists")
refuses("a gateway that is not on-link", GOOD.replace("10.1.0.254", "10.9.0.254"), "via",
        "10.9.0.254")
refuses("a device that does not exist", GOOD.replace("net_null0", "0000:ff:1f.7"), "[port lan]")
refuses("an SA of a worker that is not there", GOOD.replace("spi =", "worker = 3\nspi ="),
        "[sa in] worker")
refuses("a key twice", GOOD.replace("mbufs = 2048", "mbufs = 2048\nmbufs = 4096"), "[stack] mbufs",
        "once")

refuses("a tunnel that says not who may speak for whom",
        GOOD.replace("direction = in", "direction = in\nmode = tunnel"), "[sa in]: tunnel mode needs")
refuses("two ports on one network", GOOD.replace("[route", "[port two]\ndevice = net_null1\n"
        "address = 10.1.0.7/24\n[route"), "[port two] address", "another port has this network")
refuses("a name that is too long", GOOD.replace("[policy rest]", "[policy " + "r" * 40 + "]"),
        "bad name")
SECOND = GOOD[GOOD.index("[sa in]"):GOOD.index("[policy secure]")].replace(
    "[sa in]", "[sa in2]").replace(KEY, KEY[::-1]).replace("0x1000", "0x1001\nworker = 1")
two_workers = GOOD.replace("mbufs", "workers = 2\nmbufs") + SECOND
rc, out, err = run("tl-pmd", "-c", "show config; quit", conf=two_workers)
test("two workers that own SAs of the same flows (RFC 9611)", rc == 0 and not err, err)
refuses("an SA of a worker that is not there", two_workers.replace("worker = 1", "worker = 2"), "[sa in2]",
        "worker")

two_ports = GOOD.replace("[route", "[port two]\ndevice = net_null1\naddress = 10.8.0.1/24\n[route")
rc, out, err = run("tl-pmd", "-c", "show routes; quit",
                   conf=two_ports.replace("via = 10.1.0.254", "via = 10.8.0.254"))
test("a gateway on the second port", rc == 0 and "10.8.0.254" in out, out + err)
with tempfile.TemporaryDirectory() as deep:
    path = os.path.join(deep, *["d" * 200] * 4)
    os.makedirs(path)
    path = os.path.join(path, "t.ini")
    with open(path, "w") as f:
        f.write("[stack]\nworkers = none\n")
    rc, out, err = run("tl-pmd", "-f", path)
    test("an error in a file with a very long path", rc == 2 and "expected 1 to 16" in err, err)
rc, out, err = run("tl-pmd", "-c", "add sa x spi=0x2000 direction=out local=10.1.0.1 "
                   f"remote=10.1.0.2 key={KEY[::-1]} local-id=me peer-id=peer; delete sa x; "
                   f"add sa x2 spi=0x2001 direction=out local=10.1.0.1 remote=10.1.0.2 "
                   f"key={KEY[::-1]} local-id=me peer-id=peer; quit", conf=GOOD)
test("a key that was used before is refused, even after its SA is gone",
     rc == 1 and "SA x added" in out and "x2] key" in out and "nonces could repeat" in out, out)

rc, out, err = run("tl-pmd", "--set", "stack.mbufs=9", "-c", "quit", conf=GOOD)
test("--set wins over the file and is named in the error",
     rc == 2 and "stack.mbufs: expected 256" in err, err)
rc, out, err = run("tl-pmd", "--set", "nonsense", conf=GOOD)
test("--set without a value exits 2", rc == 2 and "SECTION.KEY=VALUE" in err, err)

TABLES = ("config", "tcp", "ports", "neighbours", "routes", "sad", "spd", "identities", "sockets",
          "latches", "exceptions", "captures", "stats", "stats-all")
for table in TABLES:
    rc, out, err = run("tl-pmd", "-c", f"show {table}; json on; print MARK; show {table}; quit",
                       conf=GOOD)
    try:
        text, _, tail = out.partition("MARK")
        rows = json.loads(tail)
        ok = rc == 0 and isinstance(rows, list) and KEY not in out
        if rows:
            ok = ok and all(column in text for column in rows[0])
    except ValueError as e:
        ok, rows = False, e
    test(f"show {table}, for people and as JSON", ok, f"exit {rc}\n{out}\n{err}")
rc, out, err = run("tl-pmd", "-j", "--set", "tcp.congestion-control=bbr", "--set",
                   "tcp.fastopen-key=000102030405060708090a0b0c0d0e0f", "-c", "show tcp; quit", conf=GOOD)
tcp = {r["key"]: (r["value"], r["from"]) for r in json.loads(out)} if rc == 0 else {}
test("show tcp: values in force and who decided them, no secret",
     tcp.get("congestion-control") == ("bbr", "program or command line") and
     tcp.get("delack-ms") == ("40", "default") and tcp.get("rcvbuf-max") == ("16777216", "default") and
     tcp.get("sack") == ("yes", "default") and tcp.get("fastopen-key", ("",))[0] == "(secret)" and
     "0c0d0e0f" not in out, (tcp, err))
rc, out, err = run("tl-pmd", "-j", "-c", "show sad; print MARK; show spd; quit", conf=GOOD.replace(
    "[policy secure]", "hard-seconds = 3600\nhard-packets = 50\n[policy secure]\npriority = 7\n"
    "encryption = ENCR_AES_GCM_16\nkey-bits = 256"))
sad, spd = (json.loads(x) for x in out.split("MARK")) if rc == 0 else ([{}], [{}])
test("show sad: age, and what is left until the hard limits",
     0 <= sad[0].get("age-seconds", -1) < 60 and 3500 < sad[0]["left-seconds"] <= 3600 and
     sad[0]["left-packets"] == 50 and sad[0]["left-bytes"] is None, (sad, err))
test("show spd: priority and suite", [(r.get("name"), r.get("priority"), r.get("suite")) for r in spd]
     == [("secure", 7, "AES-GCM-16-256"), ("rest", spd[-1].get("priority"), "-")], (spd, err))
rc, out, err = run("tl-pmd", "-c", "show everything; quit", conf=GOOD)
test("an unknown table names those that exist, exit 1", rc == 1 and "neighbours" in out, out)
rc, out, err = run("tl-pmd", "-c", "start; sleep 50; role echo 7; stop; start; start; stop; quit",
                   conf=GOOD)
test("start and stop as often as one likes; what does not fit is said",
     rc == 1 and out.count("started") == 2 and out.count("stopped") == 2 and
     "stop the stack first" in out and "runs already" in out, out + err)


def stops_on(sig):
    with tempfile.TemporaryDirectory() as d:
        path = os.path.join(d, "t.ini")
        with open(path, "w") as f:
            f.write(GOOD)
        os.chmod(path, 0o600)
        p = subprocess.Popen([os.path.join(BUILD, "apps", "tl-pmd"), "-f", path, "-c",
                              "start; wait; print DONE"], stdout=subprocess.PIPE, text=True, env=ENV)
        while "started" not in p.stdout.readline():
            pass
        p.send_signal(sig)
        out, _ = p.communicate(timeout=60)
    test(f"{sig.name} stops the workers and ends the program cleanly",
         p.returncode == 0 and "DONE" in out, f"exit {p.returncode}\n{out}")


stops_on(signal.SIGINT)
stops_on(signal.SIGTERM)
rc, out, err = run("tl-pmd", "-c", "add sa x spi=0x2000 direction=out local=10.1.0.1 "
                   f"remote=10.1.0.2 key={KEY[::-1]} local-id=me peer-id=peer; start; "
                   "delete sa x; delete sa x; add sa y spi=1; quit", conf=GOOD)
test("SAs come and go at the prompt, running or not",
     rc == 1 and "SA x added" in out and "SA x deleted" in out and "no such SA" in out and
     "spi: expected 256" in out, out + err)
with tempfile.TemporaryDirectory() as d:
    path = os.path.join(d, "c.pcapng")
    rc, out, err = run("tl-pmd", "-c", f"capture start {path} local-port=7 drops=yes; start; sleep 50; capture show; "
                       f"capture start {path}; capture stop; capture stop; quit", conf=GOOD)
    with open(path, "rb") as f:
        head = f.read(12)
    test("a capture starts and stops; one at a time; for its owner's eyes only",
         rc == 1 and f"capture to {path} started" in out and "local-port=7 drops=yes" in out and
         "stop that first" in out and out.count("capture stopped: 0 packets written, 0 lost, ") == 1 and
         "none was started" in out and head[:4] == b"\n\r\r\n" and
         head[8:] == b"\x4d\x3c\x2b\x1a" and os.stat(path).st_mode & 0o777 == 0o600, out + err)
    rc, out, err = run("tl-pmd", "-c", f"capture start {d}/x sa=nobody; capture start {d}/x colour=red; "
                       f"capture start {d}/no/x; capture start {d}/x snap=1; quit", conf=GOOD)
    test("a capture of what does not exist is refused",
         rc == 1 and "[sa nobody]: no such SA" in out and "local-port" in out and
         "No such file" in out and "64 to 65535" in out and os.listdir(d) == ["c.pcapng"], out + err)
refuses("a capture in a file", GOOD + "[capture]\nsnap = 100\n", "[capture] snap")
EXCEPTION = "[exception x]\nport = lan\ninterface = tlx0\n"
refuses("an exception of no port", GOOD + EXCEPTION.replace("lan", "wan"), "[exception x] port",
        'expected the name of a port, got "wan"')
refuses("an exception without interface", GOOD + "[exception x]\nport = lan\n",
        '[exception x]: expected the keys "port" and "interface"')
refuses("an interface with a long name", GOOD + EXCEPTION.replace("tlx0", "x" * 16),
        "[exception x] interface", "15 characters")
refuses("two exceptions of one port", GOOD + EXCEPTION + EXCEPTION.replace(" x]", " y]"),
        "[exception y] port", "[exception x] has it")
refuses("ESP in UDP for the host", GOOD + EXCEPTION + "udp = 53, 4500\n", "[exception x] udp",
        "port 4500 carries ESP too")
refuses("a port that is none", GOOD + EXCEPTION + "tcp = 22, 70000\n", "[exception x] tcp",
        "at most 16 TCP ports")
refuses("a protocol of the stack for the host", GOOD + EXCEPTION + "protocol = 47, 50\n",
        "[exception x] protocol", "got 50")
refuses("an unknown key of an exception", GOOD + EXCEPTION + "sctp = 1\n", "[exception x] sctp",
        "port, interface, ike, configure, udp, tcp, protocol")
MAC_KEY = "5a" * 32
CBC = GOOD.replace(f"key = {KEY}", f"encryption = ENCR_AES_CBC\nkey = {KEY[:32]}\nintegrity = "
                   f"AUTH_HMAC_SHA2_256_128\nintegrity-key = {MAC_KEY}")
rc, out, err = run("tl-pmd", "-c", "show config; json on; show config; quit", conf=CBC)
test("no key of either kind is shown", rc == 0 and out.count("(secret)") == 4 and
     MAC_KEY[:8] not in out and KEY[:8] not in out, out + err)
rc, out, err = run("tl-pmd", "-c", "quit", conf=CBC.replace(MAC_KEY, MAC_KEY + "x"))
test("a bad integrity key is refused and not shown",
     rc == 2 and "integrity-key" in err and MAC_KEY[:8] not in err, err)
refuses("core dumps that are neither on nor off", GOOD.replace("[eal]", "[eal]\ncore-dumps = maybe"),
        "[eal] core-dumps", "yes or no")


def core_limit(extra):
    with tempfile.TemporaryDirectory() as d:
        path = os.path.join(d, "t.ini")
        with open(path, "w") as f:
            f.write(GOOD.replace("[eal]", "[eal]\n" + extra))
        os.chmod(path, 0o600)
        p = subprocess.Popen([os.path.join(BUILD, "apps", "tl-pmd"), "-f", path],
                             stdout=subprocess.PIPE, stdin=subprocess.PIPE, text=True, env=ENV)
        p.stdin.write("print READY\n")
        p.stdin.flush()
        while "READY" not in p.stdout.readline():
            pass
        with open(f"/proc/{p.pid}/limits") as f:
            line = next(line for line in f if line.startswith("Max core file size"))
        p.communicate("quit\n", timeout=60)
    return line.split()[4:6]


resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))
before = resource.getrlimit(resource.RLIMIT_CORE)[1]
test("a process with keys leaves no core", core_limit("") == ["0", "0"])
test("unless it is asked for", before == 0 or core_limit("core-dumps = yes")[1] != "0")


def telemetry():
    with tempfile.TemporaryDirectory() as d:
        path = os.path.join(d, "t.ini")
        with open(path, "w") as f:
            f.write(GOOD.replace("[eal]", "telemetry = yes\n[eal]"))
        os.chmod(path, 0o600)
        p = subprocess.Popen([os.path.join(BUILD, "apps", "tl-pmd"), "-f", path, "-c",
                              "start; wait"], stdout=subprocess.PIPE, text=True, env=ENV)
        while "started" not in p.stdout.readline():
            pass
        runtime = "/var/run" if os.geteuid() == 0 else os.environ.get("XDG_RUNTIME_DIR", "/tmp")
        s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        s.settimeout(10)
        try:
            s.connect(f"{runtime}/dpdk/taglatch{p.pid}/dpdk_telemetry.v2")
            s.recv(16384)

            def ask(what):
                what = what.replace("-all", "_all")
                s.send(f"/taglatch/{what}".encode())
                a = json.loads(s.recv(16384))[f"/taglatch/{what.split(',')[0]}"]
                if isinstance(a, dict):
                    a["rows"] = [a["rows"][n] for n in sorted(a["rows"], key=int)]
                return a
            answers = {t: ask(t) for t in TABLES}
            sad, stats = answers["sad"], ask("stats-all,0,30")
            test("every table is an endpoint of telemetry", ask("stacks") == [0] and
                 all(a["rows"] or not a["total"] for a in answers.values()) and
                 sad["total"] == 1 and sad["rows"][0]["spi"] == "0x00001000" and
                 sad["rows"][0]["peer_id"] == "10.1.0.2" and sad["rows"][0]["profile"] > 0 and
                 KEY not in json.dumps(answers), answers)
            s.send(b"/ethdev/info,0")
            port = json.loads(s.recv(16384))["/ethdev/info"]
            # RTE_ETH_RX_OFFLOAD_SECURITY and RTE_ETH_TX_OFFLOAD_SECURITY
            test("p15: no port is configured to do ESP", port["name"] == "net_null0" and
                 port["rx_offloads"] >> 15 & 1 == 0 and port["tx_offloads"] >> 17 & 1 == 0, port)
            first = answers["stats-all"]
            rows, at = first["rows"], first["next"]
            while at < first["total"]:
                more = ask(f"stats-all,0,{at}")
                rows, at = rows + more["rows"], more["next"]
            test("a long table comes in pieces", len(rows) == first["total"] > first["next"] and
                 stats["rows"][0]["name"] == rows[30]["name"], (first, stats))
            test("no other stack, and no nonsense", all(ask(f"ports,{x}") is None for x in
                                                        ("1", "64", "x", "0,", "0,1x", "-1")), "")
        finally:
            p.send_signal(signal.SIGTERM)
            out, _ = p.communicate(timeout=60)
        test("a stack with telemetry ends cleanly", p.returncode == 0, out)


with open(os.path.join(os.path.dirname(os.path.abspath(__file__)),
                       "../../docs/taglatch-latching.7"), encoding="utf-8") as f:
    manual = f.read()
section = manual.partition(".SH THE TWO MODELS\n")[2].partition("\n.SH ")[0]
test("p23: the manual says which of the two models does what, and that they differ",
     "does not claim that the two are the same" in section and "(section 2.4)" in section and
     "(section 2.3)" in section and ".B monitor" in section, section)

telemetry()
rc, out, err = run("tl-pmd", "-c", "start; sleep 1500; json on; show stats-all; quit", conf=GOOD
                   .replace("net_null0", "net_null0,no-rx=1"))
stats = {r["name"]: r["value"] for r in json.loads(out[out.index("["):])}
test("an idle stack sleeps and leaves the core",
     stats["sleeps"] > 200 and stats["busy-permille"] < 100 and stats["idle-ns"] > 1e9, stats)
rc, out, err = run("tl-pmd", "-c", "stop; start; sleep 300; json on; show stats; quit", conf=GOOD)
stats = {r["name"]: r["value"] for r in json.loads(out[out.index("["):])}
test("a stop before the start does not end the start", stats.get("turns", 0) > 10, out)
rc, out, err = run("tl-pmd", "-c", "print " + "x" * 3000, conf=GOOD)
test("a command line that is too long is refused", rc == 1 and "line too long" in out, out + err)
add = ("add sa {} spi={} direction=in local=10.1.0.1 remote=10.1.0.2 "
       f"key={KEY[::-1]} local-id=me peer-id=peer")
rc, out, err = run("tl-pmd", "-c", add.format("x", 0x1000) + ";" + add.format("x", 0x1001),
                   conf=GOOD)
test("a key of an SA that was refused may be used", "SPI exists" in out and "SA x added" in out, out)
for args in (["limit", "-k", "192"], ["limit", "-S", "DES"], ["limit", "-l", "20000"],
             ["limit", "more"], ["wire-foo"], ["bulk", "-c", "0"], ["wire-tx", "-s", "stack.nonsense=1"]):
    rc, out, err = run("tl-perf", *args)
    test(f"tl-perf {' '.join(args)} exits 2", rc == 2 and err, f"{rc} {out} {err}")
rc, out, err = run("tl-pmd", "stack.ini")
test("a file without -f is pointed out", rc == 2 and "goes after -f" in err, err)
rc, out, err = run("tl-perf", "limit", "-l", "1024", "--json")
lines = [json.loads(line) for line in out.splitlines()]
test("tl-perf limit", rc == 0 and len({x["suite"] for x in lines}) == 9 and
     all(x["encrypt_cycles"] > 0 and x["decrypt_cycles"] > 0 for x in lines), out + err)
rc, out, err = run("tl-perf", "bulk", conf=GOOD)
test("tl-perf bulk without an address exits 2", rc == 2 and "--address" in err, err)
here = os.path.dirname(os.path.abspath(__file__))
for args, code, words in ((["--help"], 0, "usage: scripts/demo"), (["-x"], 2, 'unexpected "-x"')):
    p = subprocess.run([os.path.join(here, "..", "..", "scripts", "demo"), *args],
                       capture_output=True, text=True, timeout=10)
    test(f"scripts/demo {args[0]}", p.returncode == code and words in p.stdout + p.stderr, p)
rc, out, err = run("tl-perf", "limit", "-S", "ROT13")
test("an unknown suite names those that are known",
     rc == 2 and '"ROT13"' in err and "GCM-128" in err and "CCM-128" in err, err)
rc, out, err = run("tl-perf", "cores", "--json")
test("tl-perf cores says what a frame between two CPUs costs", rc == 0 and
     json.loads(out)["cycles_per_frame"] > 0, out + err)
rc, out, err = run("tl-perf", "suites")
test("tl-perf suites lists them", rc == 0 and "ENCR_AES_GCM_16" in out and "CBC-128+SHA1" in out and
     "DES" not in out, out + err)
rc, out, err = run("tl-perf", "suites", "--json")
rows = [json.loads(x) for x in out.splitlines()]
test("and as JSON", rc == 0 and {"encryption": "ENCR_AES_CBC", "key-bits": 256,
                                 "integrity": "AUTH_HMAC_SHA2_256_128", "key-bytes": 32,
                                 "integrity-key-bytes": 32, "icv-bytes": 16, "limit": "CBC-256+SHA256"}
     in [{k: v for k, v in r.items() if k != "engines"} for r in rows], rows)
rc, out, err = run("tl-perf", "bulk", "-a", "10.0.0.300", conf=GOOD)
test("an address that is none is shown", rc == 2 and '"10.0.0.300"' in err, err)
for command, missing in (("add sa a", "KEY=VALUE"), ("add sa", "NAME"), ("add", "sa"),
                         ("delete sa", "NAME"), ("capture start", "FILE"), ("role echo", "PORT"),
                         ("show", "TABLE"), ("sleep", "MS")):
    rc, out, err = run("tl-pmd", "-c", f"{command}; quit", conf=GOOD)
    test(f'"{command}" says what is missing',
         rc == 1 and "incomplete" in out and missing in out, (rc, out, err))
def objects(text):
    return [json.loads(line) for line in text.splitlines() if line.startswith("{")]


# Client and server in one process: that each kind runs, in clear and protected, to its right end.
for args, key, wanted in ((["pair-bulk", "-b", "5M"], "bytes", 5 << 20),
                          (["pair-bulk", "-E", "-b", "5M", "-m", "9000"], "bytes", 5 << 20),
                          (["pair-bulk", "-E", "-z", "-b", "5M"], "bytes", 5 << 20),
                          (["pair-bulk", "-w", "2", "-E", "-b", "1M"], "bytes", 1 << 20),
                          (["pair-rr", "-E", "-t", "0"], "requests", 1),
                          (["pair-crr", "-E", "-N", "50", "-c", "4", "-P", "2"], "connections", 50),
                          (["pair-open", "-E", "-N", "50", "-c", "4"], "connections", 50)):
    rc, out, err = run("tl-perf", *args, "-C", "-j")
    rows = objects(out)
    values = [r[key] for r in rows if key in r]
    stages = {r["stage"] for r in rows if "stage" in r}
    test(f"tl-perf {' '.join(args)}", rc == 0 and values and min(values) >= wanted and
         {"esp_in", "latch_in", "tcp_in"} <= stages, out + err)
rc, out, err = run("tl-perf", "dance")
test("tl-perf with an unknown mode exits 2", rc == 2 and "exchange" in err, err)
print(f"1..{n}")
sys.exit(1 if failed else 0)
