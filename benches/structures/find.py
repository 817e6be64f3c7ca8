#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""Proposes places for `crops.py`: discs in photos that straight edges cross, with contrast.

    benches/structures/find.py FOLDER SHEET.png [--smooth] [--each 2] [--best 35]

An edge counts if it comes in on one side and goes out on the other; a place is better if its edges
lie in one direction. With --smooth a place is good if there are no edges, but a change of light.
SHEET.png shows the best, numbered; what is printed says where they are. Look, and take those that
a person would want continued.
"""

from __future__ import annotations

import argparse
import dataclasses
import sys
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw
from scipy import ndimage
from skimage.feature import canny
from skimage.transform import probabilistic_hough_line

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from structures import crops, scores
from structures.holes import SIDE

TILE, COLUMNS, STEP, APART, MARGIN = 240, 7, 20, 130, 14


@dataclasses.dataclass
class Place:
    """A disc in a photo, and how good it is."""

    score: float
    photo: Path
    x: int
    y: int
    radius: int


class Lines:
    """The straight edges of a photo."""

    def __init__(self, pixels: np.ndarray) -> None:
        gray = scores.luma(pixels)
        found = probabilistic_hough_line(
            canny(gray, 1.5, 8, 16), threshold=12, line_length=70, line_gap=4, rng=0
        )
        ends = np.array(found, float).reshape(-1, 2, 2)
        self.start = ends[:, 0]
        along = ends[:, 1] - self.start
        self.length = np.hypot(*along.T)
        self.along = along / self.length[:, None]
        slope = ndimage.maximum_filter(np.hypot(*scores.gradient(gray, 1.0)), 3)
        points = self.start[:, None] + along[:, None] * np.linspace(0.05, 0.95, 12)[:, None]
        column, row = points.round().astype(int).T
        self.contrast = np.median(slope[row, column], axis=0)
        x, y, trace = (ndimage.gaussian_filter(part, 12) for part in scores.tensor(gray))
        self.coherence = np.hypot(x, y) / (trace + 4)

    def score(self, x: int, y: int, radius: int) -> float:
        """Grows with the edges that cross a disc; pieces of one edge count once."""
        to = np.array([x, y]) - self.start
        foot = (to * self.along).sum(1)
        beside = self.along[:, 0] * to[:, 1] - self.along[:, 1] * to[:, 0]
        half = np.sqrt(np.maximum(radius**2 - beside**2, 0))
        cross = (abs(beside) < 0.75 * radius) & (foot - half > 12)
        cross &= self.length - foot - half > 12
        angle = np.arctan2(self.along[:, 1], self.along[:, 0]) % np.pi
        edges = {
            (round(angle[i] / 0.15), round(beside[i] / 6)): min(self.contrast[i], 25)
            for i in np.flatnonzero(cross)
        }
        return float(np.sqrt(sum(edges.values())) * (0.3 + self.coherence[y, x]))


class Light:
    """The smooth parts of a photo."""

    def __init__(self, pixels: np.ndarray) -> None:
        self.low = ndimage.gaussian_filter(pixels.astype(float), (6, 6, 0))
        self.slope = np.hypot(*scores.gradient(scores.luma(pixels), 1.0))

    def score(self, x: int, y: int, radius: int) -> float:
        """Grows with the change of light, falls with edges; 0 where it is black, white or flat."""
        reach = radius + 12
        part = (slice(y - reach, y + reach), slice(x - reach, x + reach))
        change = np.ptp(np.percentile(self.low[part], (3, 97), axis=(0, 1)), axis=0).max()
        if not 25 < self.low[part].mean() < 247 or change < 5:
            return 0.0
        edges = np.percentile(self.slope[part], 97)
        return float(max(10 - edges + 0.12 * min(change, 20) + radius / 30, 0))


def places(path: Path, photo: Image.Image, smooth: bool, most: int) -> list[Place]:
    """The best places of a photo, apart from each other."""
    pixels = np.asarray(photo)
    judge = Light(pixels) if smooth else Lines(pixels)
    rng = np.random.default_rng(5)
    found = []
    for y in range(70, photo.height - 70, STEP):
        for x in range(70, photo.width - 70, STEP):
            radius = int(rng.integers(24, 60))
            if min(x, y, photo.width - x, photo.height - y) >= radius + MARGIN:
                found.append(Place(judge.score(x, y, radius), path, x, y, radius))
    kept: list[Place] = []
    for place in sorted(found, key=lambda p: -p.score):
        far = all(np.hypot(place.x - k.x, place.y - k.y) > APART for k in kept)
        if far and place.score > 0 and len(kept) < most:
            kept.append(place)
    return kept


def corner(place: Place, photo: Image.Image) -> tuple[int, int]:
    """The upper left corner of the crop around a place."""
    x = int(np.clip(place.x - SIDE // 2, 0, photo.width - SIDE))
    return x, int(np.clip(place.y - SIDE // 2, 0, photo.height - SIDE))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("sheet", type=Path)
    parser.add_argument("--smooth", action="store_true")
    parser.add_argument("--each", type=int, default=2, help="the most places of a photo")
    parser.add_argument("--best", type=int, default=35, help="how many places to show")
    args = parser.parse_args()
    found: list[Place] = []
    for path in sorted(args.folder.rglob("*")):
        if path.suffix in (".png", ".jpg", ".jpeg") and path.parent.name != "masks":
            photo = crops.shrunk(Image.open(path).convert("RGB"))
            if min(photo.size) >= SIDE:
                found += places(path, photo, args.smooth, args.each)
    best = sorted(found, key=lambda p: -p.score)[: args.best]
    page = Image.new("RGB", (COLUMNS * TILE, -(-len(best) // COLUMNS) * TILE))
    for number, place in enumerate(best):
        photo = crops.shrunk(Image.open(place.photo).convert("RGB"))
        left, top = corner(place, photo)
        x, y, r = place.x - left, place.y - top, place.radius
        part = photo.crop((left, top, left + SIDE, top + SIDE))
        draw = ImageDraw.Draw(part)
        draw.ellipse((x - r, y - r, x + r, y + r), outline=(255, 0, 255), width=2)
        draw.text((4, 4), str(number), fill=(255, 0, 255), font_size=28)
        at = (number % COLUMNS * TILE, number // COLUMNS * TILE)
        page.paste(part.resize((TILE - 4, TILE - 4)), at)
        name = place.photo.relative_to(args.folder)
        print(f"{number}: {name} crop {left}, {top} hole {x}, {y} radius {r}: {place.score:.1f}")
    page.save(args.sheet)


if __name__ == "__main__":
    main()
