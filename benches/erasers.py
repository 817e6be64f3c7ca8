#!/usr/bin/env python3
"""LaMa and MI-GAN beside PyTorch, in one run: a pass over one region, in turns, weights loaded.

    benches/erasers.py --python VENV/bin/python [--side 512] [--threads 2] [--passes 7]
                       [lama] [migan]

The weights are random, written to a file once and read by both sides; the published networks take
as long. PyTorch computes the definitions in `tests/golden/erasers.py`, and its result is compared
with ours. The Python needs torch, numpy and safetensors. Times are medians; memory is the whole
process's peak.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("networks", nargs="*", default=["migan", "lama"])
    parser.add_argument("--python", help="a Python with torch, numpy and safetensors")
    parser.add_argument("--side", type=int, default=512)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--passes", type=int, default=7)
    parser.add_argument("--binary", help="the built example, built here where none is given")
    args = parser.parse_args()
    # A virtual environment's Python is a link to the one that runs this.
    if args.python and os.path.abspath(args.python) != sys.executable:
        os.execv(args.python, [args.python, *sys.argv])
    binary = args.binary
    if not binary:
        subprocess.run(["cargo", "build", "--release", "--example", "eraser"], cwd=ROOT, check=True)
        binary = ROOT / "target/release/examples/eraser"
    for name in args.networks:
        compare(name, binary, args)


def compare(name, binary, args):
    import numpy as np
    import torch
    from safetensors.torch import save_file

    sys.path.insert(0, str(ROOT / "tests/golden"))
    import erasers

    torch.set_num_threads(args.threads)
    net = erasers.Lama() if name == "lama" else erasers.Generator(args.side)
    net = erasers.randomize(net, 1)
    whole = net.generator if name == "lama" else net
    x = given(name, args.side)
    if name == "lama":
        # Random blocks add up to thousands, where single precision itself is a thousandth off
        # behind the sigmoid.
        with torch.inference_mode():
            deviation = whole.model[:-1](given(name, 64)).std()
        whole.model[-2].weight.data /= deviation
        whole.model[-2].bias.data /= deviation
    with tempfile.TemporaryDirectory() as folder:
        model, out = Path(folder) / f"{name}.safetensors", Path(folder) / "out"
        save_file({k: v.contiguous() for k, v in net.state_dict().items()}, str(model))
        command = [str(binary), name, str(model), str(args.side), str(args.threads), str(out)]
        ours = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        loaded = float(ours.stdout.readline().split()[1])
        times, peak = {"mend": [], "torch": []}, 0
        with torch.inference_mode():
            # The first of both is for the caches.
            for i in range(args.passes + 1):
                start = time.perf_counter()
                want = whole(x)
                seconds = time.perf_counter() - start
                ours.stdin.write("\n")
                ours.stdin.flush()
                _, own, peak = ours.stdout.readline().split()
                if i:
                    times["torch"].append(seconds)
                    times["mend"].append(float(own))
        ours.stdin.close()
        ours.wait()
        got = np.fromfile(out, dtype=np.float32).reshape(want.shape)
        error = np.abs(got - want.numpy()).max() / want.square().mean().sqrt().item()
    mend, peer = (statistics.median(times[who]) for who in ("mend", "torch"))
    print(
        f"{name} {args.side}² on {args.threads} threads: Mend {mend:.3f} s, PyTorch {peer:.3f} s, "
        f"{mend / peer:.2f} of it; "
        f"Mend's peak {int(peak) / 1000:.0f} MB, loaded in {loaded:.2f} s; largest error "
        f"{error:.1e}"
    )


def given(name, side):
    """As in `tools/eraser.rs`."""
    import torch

    row, column = torch.meshgrid(torch.arange(side), torch.arange(side), indexing="ij")

    def inside(n):
        return (n >= side // 3) & (n < side // 2)

    known = 1.0 - (inside(row) & inside(column)).float()
    image = torch.stack([(row * (c + 3) + column * 7) % 64 / 64.0 for c in range(3)])
    if name == "migan":
        return torch.cat([(known - 0.5)[None], (2 * image - 1) * known])[None]
    return torch.cat([image * known, (1 - known)[None]])[None]


if __name__ == "__main__":
    main()
