#!/usr/bin/env python3
"""RAD's network beside PyTorch, in one run: an evaluation of the FFHQ-size network, in turns,
weights loaded.

    benches/rad.py --python VENV/bin/python [--side 256] [--threads 2] [--passes 5] [--small]

The weights are random, written to a file once and read by both sides; trained ones take as long.
PyTorch computes `training/rad/network.py` in two ways: `map` embeds the level of every pixel, as
RAD's equations stand; `pair` embeds the two levels of a binary mask and blends what the blocks make
of them, which is the least that it can do. Its faster memory format is taken. The Python needs
torch, numpy and safetensors. Times are medians; memory is the whole process's peak.
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
LEVEL = 638.0  # as in `tools/rad.rs`


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--python", help="a Python with torch, numpy and safetensors")
    parser.add_argument("--side", type=int, default=256)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--passes", type=int, default=5)
    parser.add_argument(
        "--small", action="store_true", help="the small network of training/rad, for a quick look"
    )
    parser.add_argument("--binary", help="the built example, built here where none is given")
    args = parser.parse_args()
    # A virtual environment's Python is a link to the one that runs this.
    if args.python and os.path.abspath(args.python) != sys.executable:
        os.execv(args.python, [args.python, *sys.argv])
    binary = args.binary
    if not binary:
        subprocess.run(["cargo", "build", "--release", "--example", "rad"], cwd=ROOT, check=True)
        binary = ROOT / "target/release/examples/rad"
    compare(binary, args)


def network(small):
    import torch

    sys.path.insert(0, str(ROOT / "training/rad"))
    from network import Config, Rad

    torch.manual_seed(1)
    plain, attends = ("ResnetDownsampleBlock2D",), ("AttnDownBlock2D",)
    config = (
        Config()
        if small
        else Config(
            sample_size=256,
            block_out_channels=(128, 128, 256, 256, 512, 512),
            attention_head_dim=64,
            down_block_types=plain * 4 + attends + plain,
            up_block_types=("ResnetUpsampleBlock2D", "AttnUpBlock2D")
            + ("ResnetUpsampleBlock2D",) * 4,
        )
    )
    net = Rad(config).eval().requires_grad_(False)
    for name, p in net.named_parameters():
        # Of a size that lets signals through; nothing stays at the zero that it is initialised to.
        if p.dim() > 1:
            p.normal_(std=0.9 / p[0].numel() ** 0.5)
        elif "norm" not in name:
            p.uniform_(-0.1, 0.1)
    return net


def compare(binary, args):
    import json

    import numpy as np
    import torch
    from safetensors.torch import save_file

    torch.set_num_threads(args.threads)
    net, side = network(args.small), args.side
    row, column = torch.meshgrid(torch.arange(side), torch.arange(side), indexing="ij")
    inside = lambda n: (n >= side // 3) & (n < side // 2)  # noqa: E731
    mask = (inside(row) & inside(column)).float()[None, None]
    x = torch.stack([(row * (c + 3) + column * 7) % 64 / 64.0 for c in range(3)])[None] * 2 - 1
    known, hole = torch.tensor([0.0]), torch.tensor([LEVEL])
    ways = {
        "map": lambda: net(x, mask * LEVEL),
        "pair": lambda: net.forward_binary(x, mask, known, hole),
    }
    with tempfile.TemporaryDirectory() as folder, torch.inference_mode():
        model, out = Path(folder) / "rad.safetensors", Path(folder) / "out"
        metadata = {"config": json.dumps(net.config.plain())}
        save_file({k: v.contiguous() for k, v in net.state_dict().items()}, str(model), metadata)
        # Which of its two layouts is the faster on this machine.
        tried = {}
        for layout in (torch.contiguous_format, torch.channels_last):
            net, x = net.to(memory_format=layout), x.contiguous(memory_format=layout)
            ways["pair"]()
            start = time.perf_counter()
            ways["pair"]()
            tried[layout] = time.perf_counter() - start
        best = min(tried, key=tried.get)
        net, x = net.to(memory_format=best), x.contiguous(memory_format=best)
        command = [str(binary), str(model), str(side), str(args.threads), str(out)]
        ours = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        loaded = float(ours.stdout.readline().split()[1])
        times, peak, want = {"mend": [], "map": [], "pair": []}, 0, None
        # The first of all is for the caches.
        for i in range(args.passes + 1):
            for name, way in ways.items():
                start = time.perf_counter()
                want = way()
                seconds = time.perf_counter() - start
                if i:
                    times[name].append(seconds)
            ours.stdin.write("\n")
            ours.stdin.flush()
            _, own, peak = ours.stdout.readline().split()
            if i:
                times["mend"].append(float(own))
        ours.stdin.close()
        ours.wait()
        got = np.fromfile(out, dtype=np.float32).reshape(want.shape)
        error = np.abs(got - want.numpy()).max() / want.square().mean().sqrt().item()
    mend, full, pair = (statistics.median(times[who]) for who in ("mend", "map", "pair"))
    print(
        f"RAD's network at {side}² on {args.threads} threads: Mend {mend:.3f} s; PyTorch "
        f"{full:.3f} s with a map ({mend / full:.2f} of it), "
        f"{pair:.3f} s with two vectors ({mend / pair:.2f} of it), "
        f"{str(best).removeprefix('torch.')}; "
        f"Mend's peak {int(peak) / 1000:.0f} MB, loaded in {loaded:.2f} s; largest error "
        f"{error:.1e}"
    )


if __name__ == "__main__":
    main()
