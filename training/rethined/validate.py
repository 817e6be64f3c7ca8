"""Mean PSNR and texture in the hole over the photos of a folder with their masks, of the smooth
extension, the coarse answer, the patches that the attention mixes and the refined answer; the parts
of the ablation that have no native detail. Texture is the energy of gradients over the truth's, at
the whole, the half and the quarter size. Last, the seconds of a pass over 512 x 512 pixels with the
branches and with one kernel for all.

usage: validate.py CHECKPOINT PHOTOS MASKS [KIND] [--reduce N] [--limit N] [--save DIR]

The whole photo is given to the network, reduced by N (default 2), and its answer brought back
bicubically.
"""

import argparse
import os
import time

import numpy as np
import torch
from extend import extend
from network import STRIDE, Config, Rethined
from PIL import Image
from torch.nn import functional as F


def load(checkpoint):
    state = torch.load(checkpoint, map_location="cpu", weights_only=True)
    model = Rethined(
        Config(**{k: tuple(v) if isinstance(v, list) else v for k, v in state["config"].items()})
    )
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


def energies(image, hole):
    """Of gradients inside the hole, at three sizes."""
    found = []
    for _ in range(3):
        across = (image[..., :-1, 1:] - image[..., :-1, :-1]).abs()
        down = (image[..., 1:, :-1] - image[..., :-1, :-1]).abs()
        found.append(((across + down) * hole[..., :-1, :-1]).sum().item())
        image, hole = F.avg_pool2d(image, 2), (F.avg_pool2d(hole, 2) > 0.99).float()
    return found


def seconds(model):
    image, hole = torch.rand(1, 3, 512, 512), torch.zeros(1, 1, 512, 512)
    hole[..., 160:352, 160:352] = 1
    with torch.no_grad():
        extended, best = extend(image, hole), 1e9
        for _ in range(5):
            start = time.perf_counter()
            model.coarse(extended, hole)
            best = min(best, time.perf_counter() - start)
    return best


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("checkpoint")
    parser.add_argument("photos")
    parser.add_argument("masks")
    parser.add_argument("kind", nargs="?", default="medium")
    parser.add_argument("--reduce", type=int, default=2)
    parser.add_argument("--limit", type=int, default=10**9)
    parser.add_argument("--save")
    a = parser.parse_args()
    model = load(a.checkpoint)
    sums, textures, count = {}, {}, 0
    for name in sorted(os.listdir(a.photos)):
        if count == a.limit:
            break
        stem = os.path.splitext(name)[0]
        mask = os.path.join(a.masks, f"{stem}.{a.kind}.png")
        if not os.path.exists(mask):
            continue
        full = (
            torch.from_numpy(
                np.array(Image.open(os.path.join(a.photos, name)).convert("RGB"))
            ).permute(2, 0, 1)[None]
            / 255
        )
        hole_full = (
            torch.from_numpy(np.array(Image.open(mask).convert("L")))[None, None] > 127
        ).float()
        height, width = (side // a.reduce * a.reduce for side in full.shape[-2:])
        full, hole_full = full[..., :height, :width], hole_full[..., :height, :width]
        image, hole = reduced(full, hole_full, a.reduce)
        size = image.shape[-2:]
        image, hole = padded(image, hole)
        with torch.no_grad():
            coarse, features = model.fill_coarse(image, hole)
            refined, mixed, _ = model.fill_matched(coarse, features, hole)
        should = energies(full, hole_full)
        answers = {
            "extension": extend(image, hole),
            "coarse": coarse,
            "mixed": mixed,
            "refined": refined,
        }
        for key, answer in answers.items():
            answer = answer[..., : size[0], : size[1]].clamp(0, 1)
            back = F.interpolate(
                answer, (height, width), mode="bicubic", align_corners=False
            ).clamp(0, 1)
            error = ((back - full) ** 2 * hole_full).sum() / (3 * hole_full.sum())
            sums[key] = sums.get(key, 0) - 10 * torch.log10(error).item()
            shown = torch.where(hole_full > 0, back, full)
            ratios = [e / max(s, 1e-9) for e, s in zip(energies(shown, hole_full), should)]
            textures[key] = [t + r for t, r in zip(textures.get(key, [0, 0, 0]), ratios)]
            if a.save:
                os.makedirs(a.save, exist_ok=True)
                Image.fromarray((shown[0].permute(1, 2, 0) * 255).round().byte().numpy()).save(
                    os.path.join(a.save, f"{stem}.{key}.png")
                )
        count += 1
    for key, value in sums.items():
        print(
            f"{key:10} {value / count:.2f} dB, texture "
            f"{' '.join(f'{t / count:.3f}' for t in textures[key])}"
        )
    branches = seconds(model)
    print(
        f"{count} photos; coarse pass at 512 x 512: {branches:.3f} s with branches, "
        f"{seconds(model.fold()):.3f} s folded"
    )


if __name__ == "__main__":
    main()
