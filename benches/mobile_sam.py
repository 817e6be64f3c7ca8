#!/usr/bin/env python3
"""MobileSAM beside PyTorch, in one run: embedding a picture of 1024², and a click on it, in turns,
weights loaded.

    benches/mobile_sam.py --python VENV/bin/python [--threads 2] [--passes 7]

The weights are random, written to a file once and read by both sides; the published network takes
as long. PyTorch computes the definition in `tests/golden/mobile_sam.py`, and its embedding is
compared with ours. The Python needs torch, numpy and safetensors. Times are medians; memory is the
whole process's peak.
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
SIDE = 1024


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--python", help="a Python with torch, numpy and safetensors")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--passes", type=int, default=7)
    parser.add_argument("--binary", help="the built example, built here where none is given")
    args = parser.parse_args()
    # A virtual environment's Python is a link to the one that runs this.
    if args.python and os.path.abspath(args.python) != sys.executable:
        os.execv(args.python, [args.python, *sys.argv])
    binary = args.binary
    if not binary:
        build = ["cargo", "build", "--release", "-p", "mend-infer", "--example", "mobile_sam"]
        subprocess.run(build, cwd=ROOT, check=True)
        binary = ROOT / "target/release/examples/mobile_sam"
    compare(binary, args)


def compare(binary, args):
    import numpy as np
    import torch
    from safetensors.torch import save_file

    sys.path.insert(0, str(ROOT / "tests/golden"))
    import mobile_sam

    torch.set_num_threads(args.threads)
    torch.manual_seed(3)
    net = mobile_sam.MobileSam(mobile_sam.PUBLISHED).eval()
    mobile_sam.draw(net)
    row, column = torch.meshgrid(torch.arange(SIDE), torch.arange(SIDE), indexing="ij")
    waves = [(row * (c + 3) + column * 7) % 64 / 64.0 for c in range(3)]
    x = net.inputs(torch.stack(waves)[None], SIDE)
    point = [(300.0, 400.0, 1)]
    with tempfile.TemporaryDirectory() as folder:
        model, out = Path(folder) / "mobile_sam.safetensors", Path(folder) / "out"
        save_file({k: v.contiguous() for k, v in net.state_dict().items()}, str(model))
        command = [str(binary), str(model), str(args.threads), str(out)]
        ours = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        loaded = float(ours.stdout.readline().split()[1])
        times, peak = {}, 0
        with torch.inference_mode():
            for what in ("encode", "decode"):
                times[what] = {"mend": [], "torch": []}
                # The first of both is for the caches.
                for i in range(args.passes + 1):
                    start = time.perf_counter()
                    if what == "encode":
                        embedding = net.image_encoder(x)
                    else:
                        net.masks(embedding, point, None, SIDE)
                    seconds = time.perf_counter() - start
                    ours.stdin.write(what + "\n")
                    ours.stdin.flush()
                    _, own, peak = ours.stdout.readline().split()
                    if i:
                        times[what]["torch"].append(seconds)
                        times[what]["mend"].append(float(own))
        ours.stdin.close()
        ours.wait()
        want = embedding[0].permute(1, 2, 0)
        got = np.fromfile(out, dtype=np.float32).reshape(want.shape)
        error = np.abs(got - want.numpy()).max() / want.square().mean().sqrt().item()
    for what, both in times.items():
        mend, peer = (statistics.median(both[who]) for who in ("mend", "torch"))
        print(
            f"{what} {SIDE}² on {args.threads} threads: Mend {mend:.3f} s, PyTorch {peer:.3f} s, "
            f"{mend / peer:.2f} of it"
        )
    print(
        f"Mend's peak {int(peak) / 1000:.0f} MB, loaded in {loaded:.2f} s; "
        f"largest error {error:.1e}"
    )


if __name__ == "__main__":
    main()
