#!/usr/bin/env python3
"""How much several fills differ, whether their score finds the better ones, and what they take.

usage: benches/variations.py PHOTOS MASKS [--program PROGRAM] [--count N] [--kind KIND]
                                          [--engine ENGINE]

PHOTOS holds NAME.png, MASKS holds NAME.KIND.png. Each hole is filled with noise first, then by
`--variations N` in one go and by N seeds one after the other. One line a photo, and the means: how
far two fills are apart on average (root mean square in the hole at a quarter of the size, in levels
of 255), of the variations and of the seeds; the PSNR of the first variation, which is the one with
the best score, less the mean of all; the seconds that the library took for all variations over
those of one fill.
"""

import argparse
import itertools
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image

RUNS = 3  # of what is timed; the shortest counts


def load(path):
    return np.asarray(Image.open(path).convert("RGB"), np.float64)


def quarter(values):
    height, width = (side // 4 * 4 for side in values.shape[:2])
    blocks = values[:height, :width].reshape(height // 4, 4, width // 4, 4, -1)
    return blocks.mean((1, 3))


def apart(fills, hole):
    inside = quarter(hole[..., None].astype(float))[..., 0] > 0.5
    small = [quarter(fill)[inside] for fill in fills]
    pairs = itertools.combinations(small, 2)
    return np.mean([np.sqrt(((a - b) ** 2).mean()) for a, b in pairs])


def psnr(fill, truth, hole):
    return 10 * np.log10(255**2 / ((fill - truth)[hole] ** 2).mean())


class Photo:
    def __init__(self, args, mask, work):
        self.args, self.mask, self.work = args, mask, Path(work)
        name = mask.name.removesuffix(f".{args.kind}.png")
        self.name, self.truth = name, load(args.photos / f"{name}.png")
        self.hole = np.asarray(Image.open(mask).convert("L")) > 127
        noisy = self.truth.copy()
        noisy[self.hole] = np.random.default_rng(1).integers(0, 256, (self.hole.sum(), 3))
        Image.fromarray(noisy.astype(np.uint8)).save(self.work / "photo.png")

    def fill(self, *options):
        """The fills, and the library's seconds."""
        for old in self.work.glob("fill-*.png"):
            old.unlink()
        command = [self.args.program, "fill", self.work / "photo.png", "--mask", self.mask]
        command += ["-o", self.work / "fill-{n}.png", "--json", "--engine", self.args.engine]
        done = subprocess.run([*command, *options], check=False, capture_output=True, text=True)
        if done.returncode:
            sys.exit(done.stdout + done.stderr)
        fills = [load(path) for path in sorted(self.work.glob("fill-*.png"))]
        return fills, json.loads(done.stdout)["report"]["seconds"]

    def row(self):
        count = self.args.count
        runs = [self.fill("--variations", str(count)) for _ in range(RUNS)]
        variations, several = runs[0][0], min(seconds for _, seconds in runs)
        seeds, one = [], []
        for seed in range(max(count, RUNS)):
            (fill,), seconds = self.fill("--seed", str(seed))
            seeds.append(fill)
            one.append(seconds)
        scores = [psnr(fill, self.truth, self.hole) for fill in variations]
        return [
            apart(variations, self.hole),
            apart(seeds[:count], self.hole),
            scores[0] - np.mean(scores),
            several / min(one),
        ]


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("photos", type=Path)
    parser.add_argument("masks", type=Path)
    parser.add_argument("--program", default="target/release/mend")
    parser.add_argument("--count", type=int, default=4)
    parser.add_argument("--kind", default="medium")
    parser.add_argument("--engine", default="auto")
    args = parser.parse_args()
    rows = []
    print("| photo | variations apart | seeds apart | best score − mean, dB | seconds |")
    print("|---|---|---|---|---|")
    for mask in sorted(args.masks.glob(f"*.{args.kind}.png")):
        if not (args.photos / mask.name.replace(f".{args.kind}", "")).exists():
            continue
        with tempfile.TemporaryDirectory() as work:
            photo = Photo(args, mask, work)
            rows.append(photo.row())
            cells = " | ".join(f"{value:.2f}" for value in rows[-1])
            print(f"| {photo.name} | {cells} |", flush=True)
    mean, error = np.mean(rows, 0), np.std(rows, 0) / len(rows) ** 0.5
    print("| **mean** | " + " | ".join(f"{m:.2f} ± {e:.2f}" for m, e in zip(mean, error)) + " |")


if __name__ == "__main__":
    main()
