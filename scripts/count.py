# SPDX-License-Identifier: BSD-3-Clause
"""count.py JUNIT... - the last line of scripts/test: how many test cases passed and failed."""
import sys
import xml.etree.ElementTree as ET

passed = failed = skipped = 0
suites = []
for path in sys.argv[1:]:
    try:
        suites += ET.parse(path).getroot().iter("testsuite")
    except (OSError, ET.ParseError) as e:
        print(f"no test results in {path}: {e}")
        failed += 1
for suite in suites:
    cases = list(suite.iter("testcase"))
    for case in cases:
        if case.find("failure") is not None or case.find("error") is not None:
            failed += 1
        elif case.find("skipped") is not None:
            skipped += 1
            reason = case.find("skipped").get("message") or ""
            print(f"skipped: {suite.get('name')} {case.get('name')} {reason}")
        else:
            passed += 1
    # A program that crashed or was cut off has fewer cases than it should, and an error instead.
    if int(suite.get("errors", "0")) > 0 and not any(
            c.find("error") is not None or c.find("failure") is not None for c in cases):
        failed += 1
        print(f"failed: {suite.get('name')} ended abnormally")
print(f"{passed} passed, {failed} failed" + (f", {skipped} skipped" if skipped else ""))
sys.exit(1 if failed or not passed else 0)
