"""The training pictures, decoded once into a memory-mapped file, and random crops of them with
holes.

usage: data.py TRAIN_DIR CACHE_DIR    TRAIN_DIR holds scenes.tar and flowers.tar
"""

import io
import json
import os
import sys
import tarfile

import masks
import numpy as np
from PIL import Image

LEAST_SIDE = 256  # smaller pictures are enlarged to it
HALVE_FROM = (
    512  # a picture with a shorter side of at least this stands in the cache at half its size too
)
# No photos: charts, logos and drawings among the pictures of cid22.
DRAWN = (
    "newplot",
    "Boxplot",
    "Performance-Graph",
    "StockQuoteGraph",
    "Temperament-pie",
    "3DPieChart",
    "No-interference",
    "Beam-Space",
    "Lungs-Cross",
    "akfcrc022",
    "klepas-",
    "nicubunu_",
    "ularapi_",
    "adriankierman",
    "Abstract-Art",
)
FLOWERS_SHARE = 0.3  # of the crops; they are four fifths of the pictures
REDUCED = (
    2  # halvings at the most: crops show a picture at its size, at half and at a quarter of it
)
KINDS = ("thin", "medium", "thick")
KIND_SHARES = (0.15, 0.6, 0.25)


def build(train_dir, cache_dir):
    """Writes `pictures.u8`, all pictures one after the other, and `pictures.json` with [offset,
    height, width, source, picture, level] of each."""
    os.makedirs(cache_dir, exist_ok=True)
    index, offset, number = [], 0, 0
    with open(os.path.join(cache_dir, "pictures.u8"), "wb") as out:
        for archive in ("scenes.tar", "flowers.tar"):
            with tarfile.open(os.path.join(train_dir, archive)) as tar:
                for member in sorted(tar.getmembers(), key=lambda m: m.name):
                    base = os.path.basename(member.name)
                    if (
                        not member.isfile()
                        or not base.lower().endswith((".jpg", ".jpeg", ".png"))
                        or base.startswith(DRAWN)
                    ):
                        continue
                    image = Image.open(io.BytesIO(tar.extractfile(member).read())).convert("RGB")
                    if min(image.size) < LEAST_SIDE:
                        s = LEAST_SIDE / min(image.size)
                        image = image.resize(
                            [max(LEAST_SIDE, round(v * s)) for v in image.size],
                            Image.Resampling.BICUBIC,
                        )
                    levels = [image]
                    if min(image.size) >= HALVE_FROM:
                        levels.append(image.reduce(2))
                    for level, picture in enumerate(levels):
                        data = np.asarray(picture)
                        out.write(data.tobytes())
                        index.append(
                            [offset, *data.shape[:2], member.name.split("/")[0], number, level]
                        )
                        offset += data.size
                    number += 1
    with open(os.path.join(cache_dir, "pictures.json"), "w") as f:
        json.dump(index, f)
    print(f"{number} pictures, {len(index)} with halves, {offset / 1e6:.0f} MB")


class Crops:
    """Batches that depend on (seed, step, worker) alone, so that a resumed training goes on as it
    would have."""

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
        """A part of the file and by how much to reduce it: a picture, then its size among those at
        which a crop fits."""
        if size not in self.eligible:

            def sizes(levels):
                at = [
                    (levels[level], 2 ** (total - level), total)
                    for total in range(REDUCED + 1)
                    for level in range(total, -1, -1)
                    if level in levels
                ]
                first = {}
                for place, by, total in at:
                    if min(place[1:]) >= size * by:
                        first.setdefault(total, (place, by))
                return list(first.values())

            self.eligible[size] = {
                g: [f for p in pictures.values() if (f := sizes(p))]
                for g, pictures in self.pictures.items()
            }
        groups = self.eligible[size]
        group = "flowers" if rng.random() < FLOWERS_SHARE and groups["flowers"] else "scenes"
        found = groups[group][rng.integers(len(groups[group]))]
        return found[rng.integers(len(found))]

    def crop(self, rng, size):
        (offset, height, width), by = self.choose(rng, size)
        side = size * by
        y, x = rng.integers(0, height - side + 1), rng.integers(0, width - side + 1)
        picture = self.bytes[offset : offset + height * width * 3].reshape(height, width, 3)
        crop = picture[y : y + side, x : x + side]
        if by > 1:
            crop = (
                crop.reshape(size, by, size, by, 3)
                .mean((1, 3), dtype=np.float32)
                .round()
                .astype(np.uint8)
            )
        if rng.random() < 0.5:
            crop = crop[:, ::-1]
        # Jitter: a gamma for all, a gain for each channel.
        gamma, gains = np.exp(rng.uniform(-0.25, 0.25)), np.exp(rng.uniform(-0.1, 0.1, 3))
        table = np.clip((np.arange(256) / 255)[:, None] ** gamma * gains, 0, 1).astype(np.float32)
        return np.stack(
            [np.take(line, crop[..., c]) for c, line in enumerate(np.ascontiguousarray(table.T))]
        )

    def batch(self, step, worker, size, count):
        """Images `[count, 3, size, size]` in [0, 1] and holes `[count, 1, size, size]`."""
        rng = np.random.default_rng((self.seed, step, worker))
        images, holes = [], []
        for _ in range(count):
            images.append(self.crop(rng, size))
            # Widths are those for 512 x 512; a crop of a quarter of it has them at a third, on
            # average.
            scale = np.exp(rng.uniform(np.log(0.2), np.log(0.6)))
            holes.append(
                masks.mask(rng, size, rng.choice(KINDS, p=KIND_SHARES), scale)[None].astype(
                    np.float32
                )
            )
        return np.stack(images), np.stack(holes)


if __name__ == "__main__":
    build(*sys.argv[1:])
