#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""Runs a command a few times: median seconds and peak memory of its whole process.

benches/measure.py [--runs N] [--label TEXT] COMMAND [ARGUMENT...]
"""

import os
import statistics
import sys
import time


def run(command):
    start = time.perf_counter()
    quiet = [(os.POSIX_SPAWN_OPEN, fd, os.devnull, os.O_WRONLY, 0) for fd in (1, 2)]
    pid = os.posix_spawnp(command[0], command, os.environ, file_actions=quiet)
    _, status, usage = os.wait4(pid, 0)
    if status:
        code = os.waitstatus_to_exitcode(status)
        sys.exit(f"measure.py: {' '.join(command)} failed: exit code {code}")
    # Linux counts in KiB, macOS in bytes.
    unit = 1 if sys.platform == "darwin" else 1024
    return time.perf_counter() - start, usage.ru_maxrss * unit


def main():
    args, runs, label = sys.argv[1:], 3, None
    while args and args[0].startswith("--"):
        name, value, *args = args
        if name == "--runs":
            runs = int(value)
        elif name == "--label":
            label = value
        else:
            sys.exit(__doc__)
    if not args:
        sys.exit(__doc__)
    results = [run(args) for _ in range(runs)]
    seconds = [s for s, _ in results]
    print(
        f"{label or args[0]:24} {statistics.median(seconds):7.2f} s "
        f"({min(seconds):.2f} to {max(seconds):.2f}, {runs} runs), "
        f"peak {max(p for _, p in results) / 1e6:.0f} MB",
        flush=True,
    )


main()
