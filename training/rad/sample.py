"""Fills the holes of a folder's photos, writes them, and measures PSNR in the holes.

usage: sample.py MODEL PHOTOS MASKS OUT [--kind medium] [--sampler ddpm] [--steps 100] [--reduce 4]
[--limit N] [--seed 1] [--threads T]

MODEL is a checkpoint of train.py or a folder of export.py; the mask of PHOTOS/NAME.png is
MASKS/NAME.KIND.png. The network sees the whole photo reduced by --reduce, and PSNR is that of the
reduced photo: beside a model's, that of noise and of the mean colour of what is known. OUT/NAME.png
shows the photo with its hole in grey, filled, and as it was.
"""

import argparse
import os
import time

import files
import numpy as np
import schedule
import torch
from PIL import Image
from torch.nn import functional as F


def fill(model, picture, hole, steps, sampler, seed):
    """`picture` in [-1, 1], `hole` 0 or 1; sides are multiples of the stride. Known pixels come
    back as they were."""
    chance = torch.Generator().manual_seed(seed)
    at = schedule.times(steps)
    x = schedule.start(picture, hole, at[0], torch.randn(picture.shape, generator=chance))
    for n, following in zip(at, [*at[1:], 0]):
        kept, before = schedule.kept_after(hole, n), schedule.kept_after(hole, following)
        output = model.forward_binary(x, hole, torch.zeros(1), torch.tensor([float(n)]))
        if sampler == "ddpm":
            x = schedule.ddpm(x, output, kept, before, torch.randn(x.shape, generator=chance))
        else:
            x = schedule.ddim(x, output, kept, before)
    return x


def read_photo(path, mask, by, stride):
    """Means of the photo's pixels; one that holds any of the hole is hole. Cut to multiples of what
    the network takes."""
    photo = (
        torch.from_numpy(np.array(Image.open(path).convert("RGB"))).permute(2, 0, 1)[None] / 127.5
        - 1
    )
    hole = (torch.from_numpy(np.array(Image.open(mask).convert("L")))[None, None] > 127).float()
    height, width = (side // (by * stride) * by * stride for side in photo.shape[-2:])
    return F.avg_pool2d(photo[..., :height, :width], by), F.max_pool2d(
        hole[..., :height, :width], by
    )


def psnr(answer, truth, hole):
    return -10 * torch.log10((((answer - truth) / 2) ** 2 * hole).sum() / (3 * hole.sum())).item()


def main():
    parser = argparse.ArgumentParser()
    for name in ("model", "photos", "masks", "out"):
        parser.add_argument(name)
    parser.add_argument("--kind", default="medium")
    parser.add_argument("--sampler", choices=("ddpm", "ddim"), default="ddpm")
    parser.add_argument("--steps", type=int, default=100)
    parser.add_argument("--reduce", type=int, default=4)
    parser.add_argument("--limit", type=int, default=10**9)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    a = parser.parse_args()
    torch.set_num_threads(a.threads)
    model = files.read(a.model)
    os.makedirs(a.out, exist_ok=True)
    found, seconds = [], 0.0
    for name in sorted(os.listdir(a.photos)):
        stem = os.path.splitext(name)[0]
        mask = os.path.join(a.masks, f"{stem}.{a.kind}.png")
        if not os.path.exists(mask) or len(found) == a.limit:
            continue
        photo, hole = read_photo(os.path.join(a.photos, name), mask, a.reduce, model.config.stride)
        began = time.time()
        with torch.no_grad():
            answer = fill(model, photo, hole, a.steps, a.sampler, a.seed)
        seconds += time.time() - began
        known = hole.expand_as(photo) == 0
        if not torch.equal(answer[known], photo[known]):
            raise SystemExit(f"{name}: known pixels were altered")
        mean = (photo * (1 - hole)).sum((2, 3), keepdim=True) / (1 - hole).sum()
        noise = 2 * torch.rand(photo.shape, generator=torch.Generator().manual_seed(a.seed)) - 1
        found.append([psnr(v, photo, hole) for v in (answer, mean.expand_as(photo), noise)])
        row = torch.cat([torch.where(hole > 0, 0, photo), answer, photo], 3)[0]
        Image.fromarray(
            ((row + 1) * 127.5).round().clamp(0, 255).byte().permute(1, 2, 0).numpy()
        ).save(os.path.join(a.out, f"{stem}.png"))
    means = np.mean(found, 0)
    print(
        f"{len(found)} photos, {a.sampler}, {a.steps} steps: {means[0]:.2f} dB (mean colour "
        f"{means[1]:.2f}, noise {means[2]:.2f}), "
        f"{seconds / len(found):.1f} s a photo of {photo.shape[-1]}x{photo.shape[-2]}"
    )


if __name__ == "__main__":
    main()
