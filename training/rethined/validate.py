"""Mean PSNR in the hole over the photos of a folder with their masks, of the coarse answer, the refined one and the
smooth extension.

usage: validate.py CHECKPOINT PHOTOS MASKS [KIND] [--reduce N] [--save DIR]

The whole photo is given to the network, reduced by N (default 2), and its answer brought back bicubically.
"""
import argparse
import os

import numpy as np
import torch
from PIL import Image
from torch.nn import functional as F

from extend import extend
from network import STRIDE, Config, Rethined


def load(checkpoint):
    state = torch.load(checkpoint, map_location="cpu", weights_only=True)
    model = Rethined(Config(**{k: tuple(v) if isinstance(v, list) else v for k, v in state["config"].items()}))
    model.load_state_dict(state["ema"])
    return model.eval()


def reduced(image, hole, by):
    """Means of the known pixels; a pixel that holds any of the hole is hole."""
    known = 1 - hole
    values = F.avg_pool2d(image * known, by) / F.avg_pool2d(known, by).clamp(min=1e-6)
    return values, F.max_pool2d(hole, by)


def padded(image, hole):
    height, width = image.shape[-2:]
    pad = (0, -width % STRIDE, 0, -height % STRIDE)
    return F.pad(image, pad, mode="replicate"), F.pad(hole, pad)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("checkpoint")
    parser.add_argument("photos")
    parser.add_argument("masks")
    parser.add_argument("kind", nargs="?", default="medium")
    parser.add_argument("--reduce", type=int, default=2)
    parser.add_argument("--save")
    a = parser.parse_args()
    model = load(a.checkpoint)
    sums, count = {}, 0
    for name in sorted(os.listdir(a.photos)):
        stem = os.path.splitext(name)[0]
        mask = os.path.join(a.masks, f"{stem}.{a.kind}.png")
        if not os.path.exists(mask):
            continue
        full = torch.from_numpy(np.asarray(Image.open(os.path.join(a.photos, name)).convert("RGB"))).permute(2, 0, 1)[None] / 255
        hole_full = (torch.from_numpy(np.asarray(Image.open(mask).convert("L")))[None, None] > 127).float()
        height, width = (side // a.reduce * a.reduce for side in full.shape[-2:])
        full, hole_full = full[..., :height, :width], hole_full[..., :height, :width]
        image, hole = reduced(full, hole_full, a.reduce)
        size = image.shape[-2:]
        image, hole = padded(image, hole)
        with torch.no_grad():
            coarse, features = model.fill_coarse(image, hole)
            refined, mixed, _ = model.fill_matched(coarse, features, hole)
        answers = {"extension": extend(image, hole), "coarse": coarse, "mixed": mixed, "refined": refined}
        for key, answer in answers.items():
            answer = answer[..., :size[0], :size[1]].clamp(0, 1)
            back = F.interpolate(answer, (height, width), mode="bicubic", align_corners=False).clamp(0, 1)
            error = ((back - full) ** 2 * hole_full).sum() / (3 * hole_full.sum())
            sums[key] = sums.get(key, 0) - 10 * torch.log10(error).item()
            if a.save:
                os.makedirs(a.save, exist_ok=True)
                shown = torch.where(hole_full > 0, back, full)[0].permute(1, 2, 0) * 255
                Image.fromarray(shown.round().byte().numpy()).save(os.path.join(a.save, f"{stem}.{key}.png"))
        count += 1
    print(f"{count} photos:", ", ".join(f"{key} {value / count:.2f} dB" for key, value in sums.items()))


if __name__ == "__main__":
    main()
