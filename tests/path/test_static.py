#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-3-Clause
"""What the source itself must show. Prints TAP."""

import pathlib
import re

ROOT = pathlib.Path(__file__).resolve().parents[2]


def callers(name):
    """Files of the stack that call a function, but for the one that defines it."""
    found = set()
    for d in ("stack", "esp", "tcp", "sctp", "latch"):
        for f in (ROOT / d).rglob("*.c"):
            text = re.sub(r"/\*.*?\*/", "", f.read_text(), flags=re.S)
            if re.search(rf"(?<!\w){name}\(", text) and not re.search(rf"^{name}\(", text, re.M):
                found.add(str(f.relative_to(ROOT)))
    return found


TESTS = [
    ("k1: SAs come and go through the control context only",
     {"esp_sad_add": {"stack/run/control_sa.c"}, "esp_sad_del": {"stack/run/control_sa.c"}}),
    ("g16: latches change state through the table, in this module only",
     {"latch_step": {"latch/latch.c", "latch/latch_break.c", "latch/pad.c"}}),
]

print(f"1..{len(TESTS)}")
for i, (what, expected) in enumerate(TESTS, 1):
    wrong = {n: callers(n) for n in expected if callers(n) != expected[n]}
    print(f"{'not ok' if wrong else 'ok'} {i} - {what}" + (f" # {wrong}" if wrong else ""))
