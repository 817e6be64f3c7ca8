"""Trains the head that says how sure the coarse answer is, on the network's features as they
are, and exports it.

usage: sure.py CACHE_DIR OUT.safetensors [--steps N] [--seed S] [--crates DIR]
                                         [--check PHOTOS MASKS]

The network is read from the two crates (see split.py) and not changed. The loss is the negative
logarithm of a normal distribution's likelihood: a cell whose error is e and whose predicted
variance is v costs (log v + e^2 / v) / 2. CACHE_DIR is what data.py made. --check prints how the
predicted variance goes with the real error on photos that were not trained on.
"""

import argparse
import math
import time
from pathlib import Path

import numpy as np
import torch
from data import Crops
from extend import extend
from network import Config, RepConv, Rethined, Sure
from PIL import Image
from safetensors.torch import load_file, save_file
from torch.nn import functional as F
from validate import padded

CELL = 4
SIZES = ((192, 12), (256, 6))  # of crops, and how many, in turn
RATE, LOG_STEPS = 2e-3, 50
LEAST, MOST = math.log(1e-5), math.log(0.3)
FIRST = math.log(0.01)  # what is said before anything is learned


def network(crates):
    """The network of the crates, folded as it is there."""
    tensors = {}
    for part in (1, 2):
        tensors |= load_file(Path(crates) / f"mend-rethined-{part}" / "src" / "weights.safetensors")
    model = Rethined(Config())
    for module in model.modules():
        if isinstance(module, RepConv):
            module.pointwise = module.scale = None
    model.load_state_dict({name: value.float() for name, value in tensors.items()})
    return model.eval().requires_grad_(False).to(memory_format=torch.channels_last)


def predicted(model, sure, image, hole):
    """The logarithm of each cell's variance, and its real squared error, `[batch, 1, rows,
    columns]`; and which cells lie in the hole by half or more."""
    with torch.no_grad():
        extended = extend(image, hole)
        decoded, _ = model.coarse.decoded(extended, hole)
        residual = F.pixel_shuffle(model.coarse.head(decoded), model.coarse.factor)
        lacking = F.avg_pool2d((extended + residual - image) * hole, CELL)
        covered = F.avg_pool2d(hole, CELL)
        error = (lacking / covered.clamp(min=1e-3)).square().mean(1, keepdim=True)
    return sure(decoded).clamp(LEAST, MOST), error, covered >= 0.5


def nll(logarithm, error, inside):
    return 0.5 * (logarithm + error * torch.exp(-logarithm))[inside].mean()


def check(model, sure, photos, masks):
    """Ten classes of predicted variance, each with the predicted and the real mean."""
    said, real = [], []
    for mask in sorted(Path(masks).glob("*.medium.png")):
        photo = Path(photos) / mask.name.replace(".medium", "")
        if not photo.exists():
            continue
        image = np.asarray(Image.open(photo).convert("RGB"), np.float32) / 255
        hole = np.asarray(Image.open(mask).convert("L")) > 127
        image = torch.from_numpy(image).permute(2, 0, 1)[None]
        hole = F.max_pool2d(torch.from_numpy(hole)[None, None].float(), 2)
        image, hole = padded(F.avg_pool2d(image, 2), hole)
        with torch.no_grad():
            logarithm, error, inside = predicted(model, sure, image, hole)
        said.append(logarithm[inside].exp())
        real.append(error[inside])
    said, real = torch.cat(said), torch.cat(real)
    order = said.argsort()
    for part in order.chunk(10):
        print(f"said {said[part].mean():.5f}  real {real[part].mean():.5f}")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("cache")
    parser.add_argument("out")
    parser.add_argument("--steps", type=int, default=4000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--crates", default=Path(__file__).parents[2] / "crates")
    parser.add_argument("--check", nargs=2)
    a = parser.parse_args()
    torch.manual_seed(a.seed)
    model = network(a.crates)
    sure = Sure(model.config.channels[0])
    torch.nn.init.constant_(sure.conv2.bias, FIRST)
    optimizer = torch.optim.AdamW(sure.parameters(), lr=RATE, weight_decay=1e-4)
    crops, start, sums = Crops(a.cache, a.seed), time.time(), torch.zeros(2)
    for step in range(a.steps):
        rate = 0.5 * (1 + math.cos(math.pi * step / a.steps))
        optimizer.param_groups[0]["lr"] = RATE * rate * min(1, (step + 1) / 100)
        size, count = SIZES[step % len(SIZES)]
        image, hole = (torch.from_numpy(b) for b in crops.batch(step, 0, size, count))
        logarithm, error, inside = predicted(model, sure, image, hole)
        loss = nll(logarithm, error, inside)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        # Beside it what one variance for all cells of the batch would cost.
        sums += torch.stack([loss.detach(), 0.5 * (error[inside].mean().log() + 1)])
        if (step + 1) % LOG_STEPS == 0:
            own, one = (sums / LOG_STEPS).tolist()
            print(
                f"{step + 1} {own:.3f} (one for all: {one:.3f}) {time.time() - start:.0f} s",
                flush=True,
            )
            sums.zero_()
    save_file({f"sure.{k}": v.half().contiguous() for k, v in sure.state_dict().items()}, a.out)
    if a.check:
        check(model, sure, *a.check)


if __name__ == "__main__":
    main()
