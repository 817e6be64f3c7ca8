"""The training pictures, decoded once into a memory-mapped file, and random crops of them with holes.

usage: data.py TRAIN_DIR CACHE_DIR    TRAIN_DIR holds scenes.tar and flowers.tar
"""
import io
import json
import os
import sys
import tarfile

import numpy as np
from PIL import Image

import masks

LEAST_SIDE = 256  # smaller pictures are enlarged to it
HALVE_FROM = 512  # a picture with a shorter side of at least this stands in the cache at half its size too
# No photos: charts, logos and drawings among the pictures of cid22.
DRAWN = ("newplot", "Boxplot", "Performance-Graph", "StockQuoteGraph", "Temperament-pie", "3DPieChart", "No-interference",
         "Beam-Space", "Lungs-Cross", "akfcrc022", "klepas-", "nicubunu_", "ularapi_", "adriankierman", "Abstract-Art")
FLOWERS_SHARE = 0.3  # of the crops; they are four fifths of the pictures
HALF_SHARE = 0.4  # of the crops of a picture that stands there at half its size
KINDS = ("thin", "medium", "thick")
KIND_SHARES = (0.15, 0.6, 0.25)


def build(train_dir, cache_dir):
    """Writes `pictures.u8`, all pictures one after the other, and `pictures.json` with [offset, height, width, source,
    picture, level] of each."""
    os.makedirs(cache_dir, exist_ok=True)
    index, offset, number = [], 0, 0
    with open(os.path.join(cache_dir, "pictures.u8"), "wb") as out:
        for archive in ("scenes.tar", "flowers.tar"):
            with tarfile.open(os.path.join(train_dir, archive)) as tar:
                for member in sorted(tar.getmembers(), key=lambda m: m.name):
                    base = os.path.basename(member.name)
                    if not member.isfile() or not base.lower().endswith((".jpg", ".jpeg", ".png")) or base.startswith(DRAWN):
                        continue
                    image = Image.open(io.BytesIO(tar.extractfile(member).read())).convert("RGB")
                    if min(image.size) < LEAST_SIDE:
                        s = LEAST_SIDE / min(image.size)
                        image = image.resize([max(LEAST_SIDE, round(v * s)) for v in image.size], Image.Resampling.BICUBIC)
                    levels = [image]
                    if min(image.size) >= HALVE_FROM:
                        levels.append(image.reduce(2))
                    for level, picture in enumerate(levels):
                        data = np.asarray(picture)
                        out.write(data.tobytes())
                        index.append([offset, *data.shape[:2], member.name.split("/")[0], number, level])
                        offset += data.size
                    number += 1
    with open(os.path.join(cache_dir, "pictures.json"), "w") as f:
        json.dump(index, f)
    print(f"{number} pictures, {len(index)} with halves, {offset / 1e6:.0f} MB")


class Crops:
    """Batches that depend on (seed, step, worker) alone, so that a resumed training goes on as it would have."""

    def __init__(self, cache_dir, seed):
        self.seed = seed
        self.bytes = np.memmap(os.path.join(cache_dir, "pictures.u8"), np.uint8, "r")
        with open(os.path.join(cache_dir, "pictures.json")) as f:
            index = json.load(f)
        self.pictures = {"flowers": {}, "scenes": {}}
        for offset, height, width, source, number, level in index:
            group = "flowers" if source == "flowers" else "scenes"
            self.pictures[group].setdefault(number, {})[level] = (offset, height, width)
        self.eligible = {}

    def choose(self, rng, size):
        if size not in self.eligible:
            fits = lambda levels: {k: v for k, v in levels.items() if min(v[1:]) >= size}
            self.eligible[size] = {g: [f for p in pictures.values() if (f := fits(p))] for g, pictures in self.pictures.items()}
        groups = self.eligible[size]
        group = "flowers" if rng.random() < FLOWERS_SHARE and groups["flowers"] else "scenes"
        levels = groups[group][rng.integers(len(groups[group]))]
        if 1 in levels and (0 not in levels or rng.random() < HALF_SHARE):
            return levels[1]
        return levels[0]

    def crop(self, rng, size):
        offset, height, width = self.choose(rng, size)
        y, x = rng.integers(0, height - size + 1), rng.integers(0, width - size + 1)
        picture = self.bytes[offset:offset + height * width * 3].reshape(height, width, 3)
        crop = picture[y:y + size, x:x + size]
        if rng.random() < 0.5:
            crop = crop[:, ::-1]
        # Jitter: a gamma for all, a gain for each channel.
        gamma, gains = np.exp(rng.uniform(-0.25, 0.25)), np.exp(rng.uniform(-0.1, 0.1, 3))
        table = np.clip((np.arange(256) / 255)[:, None] ** gamma * gains, 0, 1).astype(np.float32)
        return np.stack([np.take(line, crop[..., c]) for c, line in enumerate(np.ascontiguousarray(table.T))])

    def batch(self, step, worker, size, count):
        """Images `[count, 3, size, size]` in [0, 1] and holes `[count, 1, size, size]`."""
        rng = np.random.default_rng((self.seed, step, worker))
        images, holes = [], []
        for _ in range(count):
            images.append(self.crop(rng, size))
            # Pens from those of half the size to those of the whole.
            scale = np.exp(rng.uniform(np.log(0.4), 0))
            holes.append(masks.mask(rng, size, rng.choice(KINDS, p=KIND_SHARES), scale)[None].astype(np.float32))
        return np.stack(images), np.stack(holes)


if __name__ == "__main__":
    build(*sys.argv[1:])
