#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""What the diffusion engine's thrift gains: one fill as it is, then with region cropping, attention
slices and the autoencoder's bands of rows switched off in turn. Prints a table in Markdown:
seconds, the process's peak memory, and how much of both the switch gains.

    benches/ablation.py MODEL [--steps N] [--canvas WIDTHxHEIGHT] [--runs N] [--only WHAT]
                        [--binary TEST]

MODEL is a Stable Diffusion folder of the true size; random weights do (see benches/README.md). A
hole of 256x256 in the middle of a canvas of 24 megapixels is filled in a region of 512x512. The
switches are in the library's own tests, which are built first (minutes); --binary takes them as
built, target/release/deps/mend-….
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
TEST = "inpainter::ablation::ablation"
ROWS = [
    ("nothing", "as it is"),
    ("cropping", "without region cropping: the whole canvas is the region, scaled down to 512"),
    ("slices", "without attention slices: all queries of a head at once"),
    ("bands", "without VAE tiling: encoder and decoder over whole pictures"),
]


def build():
    """The library's tests, and where they are."""
    made = subprocess.run(
        [
            "cargo",
            "test",
            "--release",
            "-p",
            "mend-inpaint",
            "--lib",
            "--no-run",
            "--message-format=json",
        ],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    if made.returncode != 0:
        sys.exit("the tests could not be built")
    for line in reversed(made.stdout.splitlines()):
        message = json.loads(line) if line.startswith("{") else {}
        if message.get("executable") and message.get("profile", {}).get("test"):
            return message["executable"]
    sys.exit("cargo named no test program")


def fill(binary, args, without):
    """Seconds of a fill and its stages, and the peak of its process in bytes."""
    environment = os.environ | {
        "MEND_MODEL": os.path.abspath(args.model),
        "MEND_WITHOUT": without,
        "MEND_STEPS": str(args.steps),
        "MEND_CANVAS": args.canvas,
    }
    command = [binary, TEST, "--exact", "--ignored", "--nocapture", "--test-threads=1"]
    child = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
    said = child.stdout.read()
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = status
    told = [line for line in said.splitlines() if line.startswith("ABLATION ")]
    if status != 0 or not told:
        sys.stderr.write(said)
        sys.exit(f"the fill without {without} failed")
    report = json.loads(told[-1].removeprefix("ABLATION "))
    peak = usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    return report["seconds"], {s["name"]: s["seconds"] for s in report["stages"]}, peak


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("model")
    parser.add_argument("--steps", type=int, default=2)
    parser.add_argument("--canvas", default="6000x4000", metavar="WIDTHxHEIGHT")
    parser.add_argument(
        "--runs", type=int, default=1, help="of each row; seconds are the median, memory the most"
    )
    parser.add_argument(
        "--only", choices=[name for name, _ in ROWS], action="append", help="may be given again"
    )
    parser.add_argument("--binary", help="the library's test program, in release")
    args = parser.parse_args()
    if not os.path.isdir(os.path.join(args.model, "unet")):
        parser.error(f"{args.model}: there is no unet/ in it; give a diffusers folder")
    binary = args.binary or build()
    print(
        f"{args.canvas}, {args.steps} steps without guidance, {os.cpu_count()} processors, "
        f"{time.strftime('%Y-%m-%d')}\n"
    )
    print("| | seconds | gained | GB at most | gained | encode | steps | decode |")
    print("|---|---|---|---|---|---|---|---|", flush=True)
    base = None
    for name, label in ROWS:
        if args.only and name not in args.only:
            continue
        runs = [fill(binary, args, name) for _ in range(args.runs)]
        seconds = statistics.median(r[0] for r in runs)
        peak = max(r[2] for r in runs) / 1e9
        stage = {
            key: statistics.median(r[1].get(key, 0.0) for r in runs)
            for key in ("encode", "steps", "decode")
        }
        if name == "nothing":
            base = seconds, peak
        gains = (
            ("", "")
            if base is None or name == "nothing"
            else (f"{seconds - base[0]:+.1f}", f"{peak - base[1]:+.2f}")
        )
        each = " | ".join(f"{stage[key]:.1f}" for key in ("encode", "steps", "decode"))
        print(
            f"| {label} | {seconds:.1f} | {gains[0]} | {peak:.2f} | {gains[1]} | {each} |",
            flush=True,
        )


main()
