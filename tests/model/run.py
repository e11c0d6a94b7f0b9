# SPDX-License-Identifier: BSD-3-Clause
"""run.py [NAME...] - searches all that could happen in latch.pml, and in variants that are wrong on purpose.

Prints TAP. The model itself must have no error in any scope; of a variant the checker must find the
error that it is said to have, which shows that the model could have found it in the code's rules
too. Names choose some of the tests. Needs spin and cc.
"""
import os
import re
import shutil
import subprocess
import sys
import tempfile

MODEL = os.path.join(os.path.dirname(os.path.abspath(__file__)), "latch.pml")
MEGABYTES = 2000
SECONDS = 100

# What a search may do: see the top of latch.pml.
CONNECT = "-DRING=1 -DSAS=2 -DDELS=1 -DEDITS=1 -DADMIN=1 -DLIVES=2"
LISTEN = "-DLISTEN " + CONNECT
REUSE = "-DRING=1 -DSAS=3 -DDELS=2 -DEDITS=0 -DADMIN=0 -DLIVES=1"
IN = REUSE + " -DNO_OUT"
OUT = "-DRING=2 -DSAS=3 -DDELS=2 -DEDITS=0 -DADMIN=0 -DLIVES=1 -DNO_IN"

# Name, definitions, and the assertion that must fail; None: no error.
TESTS = [
    # G-12, G-13, G-14, G-15, F-1, F-3, B-3, R-1
    ("g12_g13_g14_g15_a_connect_is_protected_whatever_happens", CONNECT, None),
    ("g12_g13_g14_g15_a_listener_is_protected_whatever_happens", LISTEN, None),
    ("g15_f1_nothing_is_taken_for_another_peers_while_slots_are_used_again", REUSE, None),
    ("g14_nothing_leaves_under_another_sa_while_slots_are_used_again", OUT, None),
    # One of two walls is enough for F-1: the profile in the tag, or the drained slot.
    ("f1_the_profile_in_the_tag_is_enough_without_draining", IN + " -DNO_DRAIN", None),
    ("f1_draining_twice_is_enough_with_an_index_in_the_tag",
     IN + " -DTAG_BY_INDEX -DDRAIN_ROUNDS=2", None),
    ("f1_draining_twice_empties_every_queue", IN + " -DCHECK_DRAINED -DDRAIN_ROUNDS=2", None),

    # ---- wrong on purpose ----
    ("f1_no_drain_and_an_index_in_the_tag", IN + " -DTAG_BY_INDEX -DNO_DRAIN", r"g_profile|said|sad1"),
    # Worker 0 hands a datagram over after worker 1 passed: see docs/model.md.
    ("f1_draining_once_and_an_index_in_the_tag", IN + " -DTAG_BY_INDEX", r"g_profile|said|sad1"),
    ("f1_draining_once_leaves_a_packet_in_the_ring", IN + " -DCHECK_DRAINED", r"in_ring"),
    ("f1_drain_is_asked_before_the_sa_is_deleted",
     IN + " -DCHECK_DRAINED -DDRAIN_ROUNDS=2 -DDRAIN_BEFORE_DEL", r"in_ring|reass"),
    ("f3_no_check_after_the_ring", IN + " -DNO_CHECK_ON_HANDOFF", r"g_revoked"),
    ("f5_the_tag_is_read_without_its_flag", CONNECT + " -DIGNORE_FLAG", r"sa==0"),
    ("g12_what_waits_for_an_sa_is_sent", CONNECT + " -DSEND_IN_WANTED", r"g_wanted&&!\(g_established"),
    ("g12_c6_an_sa_of_another_than_asked_for", CONNECT + " -DNO_WISH", r"wish_b"),
    ("g13_packets_are_taken_before_there_is_a_latch", CONNECT + " -DACCEPT_IN_WANTED",
     r"g_wanted&&!\(g_established"),
    ("g13_a_listener_takes_a_clear_packet", LISTEN + " -DSPAWN_CLEAR",
     r"g_wanted&&!\(g_established|policy==BYPASS"),
    ("g14_clear_where_no_sa_is_left", OUT + " -DSTAMP_CLEAR", r"!\(g_wanted\)"),
    ("g14_clear_because_the_policy_says_so_now", CONNECT + " -DPOLICY_JUDGES_LATCHED",
     r"!\(g_wanted\)"),
    ("g14_any_sa_that_covers_the_flow", OUT + " -DANY_SA", r"want"),
    ("g14_the_request_tag_is_an_index", OUT + " -DOUT_BY_INDEX -DNO_DRAIN", r"want"),
    ("g15_only_the_peer_is_compared", CONNECT + " -DNO_QOP", r"g_profile"),
    ("g1_g16_the_latch_follows_the_last_packet", CONNECT + " -DRELATCH", r"g_profile"),
    ("b3_a_broken_latch_takes_packets", CONNECT + " -DACCEPT_WHEN_BROKEN", r"state!="),
    ("b3_a_broken_latch_sends", CONNECT + " -DSEND_WHEN_BROKEN", r"state!="),
    ("b3_a_closed_latch_comes_back", CONNECT + " -DRESTORE_CLOSED", r"state!="),
]


def search(defs, optimize):
    """Returns what the checker printed."""
    with tempfile.TemporaryDirectory() as d:
        spin = subprocess.run(["spin", "-a", *defs.split(), MODEL], cwd=d, text=True, timeout=60,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        if spin.returncode != 0:
            return spin.stdout
        subprocess.run(["cc", optimize, "-w", "-DSAFETY", "-DCOLLAPSE", "-DNOFAIR", f"-DMEMLIM={MEGABYTES}",
                        "-o", "pan", "pan.c"], cwd=d, check=True, timeout=120)
        try:
            pan = subprocess.run(["./pan", "-m100000"], cwd=d, text=True, timeout=SECONDS,
                                 stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        except subprocess.TimeoutExpired:
            return f"the search did not end within {SECONDS} s"
        return pan.stdout


def verdict(out, wanted):
    """None if the search ended as it should, else what is wrong."""
    violated = re.search(r"assertion violated (.*)", out)
    if "max search depth too small" in out or "out of memory" in out or "errors:" not in out:
        return "the search is not complete: " + out[-400:]
    if wanted is None:
        return f"violated: {violated.group(1)}" if violated else None if "errors: 0" in out else out
    if violated is None:
        return "no error was found"
    said = violated.group(1).replace(" ", "")
    return None if re.search(wanted.replace(" ", ""), said) else f"another error was found: {said}"


def main():
    if shutil.which("spin") is None:
        print("1..0 # SKIP spin is not installed")
        return 0
    tests = [t for t in TESTS if not sys.argv[1:] or any(a in t[0] for a in sys.argv[1:])]
    failed = 0
    print(f"1..{len(tests)}", flush=True)
    for n, (name, defs, wanted) in enumerate(tests, 1):
        out = search(defs, "-O2" if wanted is None else "-O0")  # an error is found at once
        wrong = verdict(out, wanted)
        states = re.search(r"(\d+) states, stored", out)
        failed += wrong is not None
        print(f"{'ok' if wrong is None else 'not ok'} {n} - {'' if wanted is None else 'error found: '}"
              f"{name}", flush=True)
        if states:
            print(f"# {states.group(1)} states", flush=True)
        if wrong is not None:
            print("# " + wrong.replace("\n", "\n# "), flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
