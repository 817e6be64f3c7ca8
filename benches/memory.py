#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""Fills a photo with a diffusion model under several memory budgets: predicted and measured peak of
the whole process, and the seconds of each stage.

    benches/memory.py MODEL [--binary MEND] [--steps N] [--least] [PARAMETER...]

Each budget is one run: none, none in eight bits, 2G, 1500M, and the smallest that is not refused;
--least runs only the last. Further parameters go to every run.
"""

import argparse
import json
import pathlib
import subprocess
import tempfile

HERE = pathlib.Path(__file__).resolve().parent.parent
PHOTO = HERE / "examples/photos/lighthouse.png"
MASK = HERE / "examples/photos/lighthouse.mask.png"


def run(binary, command, *arguments):
    done = subprocess.run(
        [binary, command, PHOTO, "--mask", MASK, "--json", *arguments],
        stdout=subprocess.PIPE,
        check=False,
    )
    return json.loads(done.stdout)


def smallest(binary, arguments):
    """The smallest budget in MiB that a plan keeps."""
    refused, kept = 0, 1 << 14
    while kept - refused > 1:
        budget = (refused + kept) // 2
        if run(binary, "plan", "--max-memory", f"{budget}M", *arguments)["ok"]:
            kept = budget
        else:
            refused = budget
    return kept


def line(binary, label, arguments):
    plan = run(binary, "plan", *arguments)
    with tempfile.TemporaryDirectory() as folder:
        made = run(binary, "fill", "-o", f"{folder}/out.png", *arguments)
    if not made["ok"]:
        print(f"{label:14} {made['error']['message']}")
        return
    predicted, measured = plan["command_bytes"], made["peak_bytes"]
    stages = ", ".join(f"{s['name']} {s['seconds']:.2f}" for s in made["report"]["stages"])
    print(
        f"{label:14} {predicted / 1e6:6.0f} MB predicted, {measured / 1e6:6.0f} MB measured, "
        f"{predicted / measured:.3f}; {made['seconds']:.1f} s: {stages}",
        flush=True,
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model")
    parser.add_argument("--binary", default=HERE / "target/release/mend")
    parser.add_argument("--steps", default="2")
    parser.add_argument("--least", action="store_true")
    args, more = parser.parse_known_args()
    common = [
        "--engine",
        "diffusion",
        "--model",
        args.model,
        "--steps",
        args.steps,
        "--prompt",
        "a wooden bench",
        "--guidance",
        "1",
        *more,
    ]
    if not args.least:
        for label, own in [
            ("no budget", []),
            ("int8", ["--precision", "int8"]),
            ("2G", ["--max-memory", "2G"]),
            ("1500M", ["--max-memory", "1500M"]),
        ]:
            line(args.binary, label, [*common, *own])
    # The command itself takes a little more to fill than to plan.
    least = smallest(args.binary, common) + 8
    line(args.binary, f"least, {least}M", [*common, "--max-memory", f"{least}M"])


main()
