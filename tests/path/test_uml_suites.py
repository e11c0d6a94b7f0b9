# SPDX-License-Identifier: BSD-3-Clause
"""test_uml_suites.py BUILD - every suite that a real Linux 6.1 kernel has, against it.

Prints TAP. Each suite has a peer address, so a pair of SAs and a connection, of its own. By default
each is used in one of the 24 ways (mode, IP versions, ESN, UDP); with TL_LONG=1 each in every way.
"""
import hashlib
import os
import re
import sys
import time
import traceback

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import lab  # noqa: E402

LONG = os.environ.get("TL_LONG") == "1"
HERE = os.path.dirname(os.path.abspath(__file__))
BYTES = 60000

# IANA name, Linux name, key bits, salt bytes, ICV bits
AEAD = [(f"ENCR_AES_GCM_{n}", "rfc4106(gcm(aes))", bits, 4, n * 8)
        for n in (16, 12, 8) for bits in (128, 192, 256)]
AEAD += [("ENCR_CHACHA20_POLY1305", "rfc7539esp(chacha20,poly1305)", 256, 4, 128)]
AEAD += [(f"ENCR_AES_CCM_{n}", "rfc4309(ccm(aes))", bits, 3, n * 8)
         for n in (16, 12, 8) for bits in (128, 192, 256)]
AEAD += [("ENCR_NULL_AUTH_AES_GMAC", "rfc4543(gcm(aes))", bits, 4, 128) for bits in (128, 192, 256)]
CIPHER = [("ENCR_AES_CBC", "cbc(aes)", bits, 0) for bits in (128, 192, 256)]
CIPHER += [("ENCR_AES_CTR", "rfc3686(ctr(aes))", bits, 4) for bits in (128, 192, 256)]
CIPHER += [("ENCR_NULL", "ecb(cipher_null)", 0, 0)]
# IANA name, Linux name, key bytes, ICV bits
MAC = [("AUTH_HMAC_SHA1_96", "hmac(sha1)", 20, 96),
       ("AUTH_HMAC_SHA2_256_128", "hmac(sha256)", 32, 128),
       ("AUTH_HMAC_SHA2_384_192", "hmac(sha384)", 48, 192),
       ("AUTH_HMAC_SHA2_512_256", "hmac(sha512)", 64, 256),
       ("AUTH_AES_XCBC_96", "xcbc(aes)", 16, 96),
       ("AUTH_AES_CMAC_96", "cmac(aes)", 16, 96)]


class Suite:
    def __init__(self, encr, kernel, bits, salt, icv=None, mac=None):
        self.encr, self.kernel, self.bits, self.salt = encr, kernel, bits, salt
        self.icv, self.mac = icv, mac
        self.name = encr[5:].lower().replace("_", "-") + (f"-{bits}" if bits else "")
        if mac:
            self.name += "/" + mac[0][5:].lower().replace("_", "-")

    def key(self, salt):
        return hashlib.shake_256(f"{self.name} {salt}".encode()).hexdigest(self.bits // 8 + self.salt)

    def mac_key(self, salt):
        return hashlib.shake_256(f"mac {self.name} {salt}".encode()).hexdigest(self.mac[2])

    def stack_lines(self, salt):
        lines = f"encryption = {self.encr}\n"
        if self.bits:
            lines += f"key = {self.key(salt)}\n"
        if self.mac:
            lines += f"integrity = {self.mac[0]}\nintegrity-key = {self.mac_key(salt)}\n"
        return lines

    def kernel_words(self, salt):
        if self.icv:
            return f"aead '{self.kernel}' 0x{self.key(salt)} {self.icv}"
        key = f"0x{self.key(salt)}" if self.bits else "''"
        return (f"enc '{self.kernel}' {key} "
                f"auth-trunc '{self.mac[1]}' 0x{self.mac_key(salt)} {self.mac[3]}")


SUITES = [Suite(*a) for a in AEAD] + [Suite(*c, mac=m) for c in CIPHER for m in MAC]


class Way:
    def __init__(self, mode, inner, outer, esn, udp):
        self.mode, self.inner, self.outer, self.esn, self.udp = mode, inner, outer, esn, udp
        self.name = (f"{mode} v{inner}" + (f" in v{outer}" if mode == "tunnel" else "") +
                     (" esn" if esn else "") + (" udp" if udp else ""))


WAYS = [Way("transport", v, v, esn, udp) for esn in (True, False) for udp in (False, True)
        for v in (4, 6)]
WAYS += [Way("tunnel", i, o, esn, udp) for esn in (True, False) for udp in (False, True)
         for i in (4, 6) for o in (4, 6)]

STACK = {4: "10.9.0.1", 6: "fd09::1"}


def peer_addr(version, i):
    return f"10.9.2.{i + 1}" if version == 4 else f"fd09::2:{i + 1:x}"


def stack_sas(i, suite, way):
    out = ""
    for direction, spi in (("in", 0x10000 + i), ("out", 0x20000 + i)):
        out += f"""[sa s{i}-{direction}]
spi = {spi:#x}
direction = {direction}
mode = {way.mode}
local = {STACK[way.outer]}
remote = {peer_addr(way.outer, i)}
local-net = {STACK[way.inner]}
remote-net = {peer_addr(way.inner, i)}
local-id = me
peer-id = peer
esn = {"yes" if way.esn else "no"}
{suite.stack_lines(f"{i} {direction} {way.name}")}"""
        if way.udp:
            out += "encapsulation = udp\nudp-local = 4500\nudp-remote = 4500\n"
    return out


def kernel_lines(i, suite, way):
    """State and policy; Linux needs the selector where inner and outer version differ."""
    ours, theirs = STACK[way.outer], peer_addr(way.outer, i)
    a, b = STACK[way.inner], peer_addr(way.inner, i)
    bits = 128 if way.inner == 6 else 32
    lines = []
    for direction, spi in (("in", 0x10000 + i), ("out", 0x20000 + i)):
        src, dst = (theirs, ours) if direction == "in" else (ours, theirs)
        sel = (b, a) if direction == "in" else (a, b)
        line = (f"xfrm state add src {src} dst {dst} proto esp spi {spi:#x} reqid {i + 1} "
                f"mode {way.mode} replay-window 64 {'flag esn' if way.esn else ''} "
                f"{suite.kernel_words(f'{i} {direction} {way.name}')} ")
        if way.udp:
            line += "encap espinudp 4500 4500 0.0.0.0 " if way.outer == 4 else "encap espinudp 4500 4500 :: "
        if way.mode == "tunnel":
            line += f"sel src {sel[0]}/{bits} dst {sel[1]}/{bits}"
        lines.append(line)
    for direction, src, dst, t in (("out", b, a, (theirs, ours)), ("in", a, b, (ours, theirs))):
        lines.append(f"xfrm policy add src {src}/{bits} dst {dst}/{bits} proto tcp dir {direction} "
                     f"tmpl src {t[0]} dst {t[1]} proto esp reqid {i + 1} mode {way.mode}")
    return lines


def stack_conf(pairs):
    head = lab.conf([], stack="max-sas = 1024").replace(
        "address = 10.9.0.1/24", "address = 10.9.0.1/16, fd09::1/64\ndad = no").replace(
        "mode = transport\nkey-bits = 128\n", "mode = any\n")
    return head + "".join(stack_sas(i, s, w) for i, s, w in pairs)


def set_peer(peer, d, pairs, batch):
    """All of it as two files in the shared directory: the console is slow."""
    path = os.path.join(d, f"peer{batch}.sh")
    with open(path, "w") as f:
        f.write("ip xfrm state flush; ip xfrm policy flush\n")
        for i, suite, way in pairs:
            for line in kernel_lines(i, suite, way):
                f.write(f"ip {line} || echo FAILED {suite.name} {way.name}: '{line[:60]}'\n")
    out = peer.run(f"sh {path}", 120)
    path = os.path.join(d, f"flows{batch}")
    with open(path, "w") as f:
        for i, suite, way in pairs:
            f.write(f"{i} {peer_addr(way.inner, i)} {STACK[way.inner]}\n")
    return out, path


def batch(build, d, peer, pairs, n):
    told, flows = set_peer(peer, d, pairs, n)
    stack = lab.Stack(build, stack_conf(pairs), d, name=f"suites{n}")
    stack.run("role echo 7")
    stack.run("start")
    job = peer.start(f"python3 {HERE}/uml_echo.py {BYTES} {flows}")
    out = peer.finish(job, 120 + 20 * len(pairs))
    results = dict(re.findall(r"^(\d+) (.*)$", out, re.M))
    used = {r["name"]: r for r in stack.table("sad")}
    drops = {r["name"]: r["value"] for r in stack.table("stats") if r["name"].startswith("esp-")}
    code = stack.stop()
    rows = []
    for i, suite, way in pairs:
        result = results.get(str(i), "no answer at all: " + out[-300:])
        row = used[f"s{i}-in"], used[f"s{i}-out"]
        if result == "ok" and (row[0]["packets"] < 10 or row[1]["packets"] < 10):
            result = f"the SAs did not carry it: {row}"
        rows.append((f"{suite.name}, {way.name}", result))
    for line in told.split("\n"):
        if "FAILED" in line or "Error" in line or "RTNETLINK" in line:
            print("# peer: " + line)
    return rows, code, {k: v for k, v in drops.items() if v and k not in ("esp-in", "esp-out")}


def prepare(peer):
    for module in ("esp6", "ccm", "chacha20poly1305", "xcbc", "cmac", "ctr", "cbc", "sha512_generic",
                   "sha256_generic", "sha1_generic", "xfrm_interface", "udp_tunnel"):
        peer.run(f"modprobe {module}", check=False)
    peer.run("ip addr flush dev vec0; ip addr add 10.9.0.2/16 dev vec0; "
             "ip -6 addr add fd09::2/64 dev vec0 nodad")
    peer.run(f"ip neigh replace fd09::1 lladdr {lab.STACK_MAC} dev vec0 nud permanent")
    for i in range(len(SUITES)):
        peer.run(f"ip addr add {peer_addr(4, i)}/16 dev vec0; "
                 f"ip -6 addr add {peer_addr(6, i)}/64 dev vec0 nodad")


def run(build):
    if LONG:
        batches = [[(i, s, way) for i, s in enumerate(SUITES)] for way in WAYS]
    else:
        batches = [[(i, s, WAYS[i % len(WAYS)]) for i, s in enumerate(SUITES)]]
    print(f"1..{sum(map(len, batches)) + len(batches)}", flush=True)
    d, n, failed = lab.workdir(), 0, 0
    peer = lab.Peer(d, ip6=True)
    prepare(peer)
    for number, pairs in enumerate(batches):
        start = time.time()
        try:
            rows, code, drops = batch(build, d, peer, pairs, number)
        except Exception:
            for line in traceback.format_exc().split("\n"):
                print("# " + line)
            rows, code, drops = [(f"{s.name}, {w.name}", "the lab failed") for _, s, w in pairs], 1, {}
        for name, result in rows + [(f"batch {number}: the stack stops cleanly",
                                     "ok" if code == 0 else f"exit {code}")]:
            n += 1
            failed += result != "ok"
            print(f"{'ok' if result == 'ok' else 'not ok'} {n} - {name}", flush=True)
            if result != "ok":
                print("# " + result.replace("\n", "\n# "), flush=True)
        print(f"# {len(pairs)} suites in {time.time() - start:.1f} s; drops: {drops}", flush=True)
    peer.stop()
    return 1 if failed else 0


if __name__ == "__main__":
    lab.main(run)
