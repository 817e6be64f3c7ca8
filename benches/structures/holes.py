# SPDX-License-Identifier: MIT OR Apache-2.0
"""Holes: rectangles, ellipses, blobs and brush strokes, each given by a few numbers."""

from __future__ import annotations

import dataclasses

import numpy as np

SIDE = 384
SHAPES = ("rect", "ellipse", "blob", "stroke")


@dataclasses.dataclass(frozen=True)
class Hole:
    """A shape around a point: its extents in pixels, turned by degrees; seed bends its outline."""

    shape: str
    x: float
    y: float
    width: float
    height: float
    angle: float = 0.0
    seed: int = 0

    def mask(self, side: int = SIDE) -> np.ndarray:
        """True where to fill."""
        y, x = np.mgrid[:side, :side] + 0.5
        turn = np.deg2rad(self.angle)
        u = ((x - self.x) * np.cos(turn) + (y - self.y) * np.sin(turn)) / (self.width / 2)
        v = ((y - self.y) * np.cos(turn) - (x - self.x) * np.sin(turn)) / (self.height / 2)
        bend = np.random.default_rng(self.seed).uniform(-1, 1, 6)
        if self.shape == "rect":
            return np.maximum(abs(u), abs(v)) <= 1
        if self.shape == "ellipse":
            return np.hypot(u, v) <= 1
        if self.shape == "blob":
            around = np.arctan2(v, u)
            waves = [
                bend[2 * i] * np.cos((i + 2) * around) + bend[2 * i + 1] * np.sin((i + 2) * around)
                for i in range(3)
            ]
            return np.hypot(u, v) <= 1 + 0.12 * sum(waves)
        if self.shape == "stroke":
            middle = 0.8 * bend[0] * np.sin(2.2 * u + 3 * bend[1])
            ends = np.maximum(abs(u) - 1, 0) * self.width / self.height
            return np.hypot(v - middle, ends) <= 1
        raise ValueError(f"no such shape: {self.shape}")


def drawn(seed: int) -> Hole:
    """A hole near the middle of a picture, 40 to 120 pixels a side; the same for the same seed."""
    rng = np.random.default_rng(1000 + seed)
    shape = SHAPES[seed % len(SHAPES)]
    x, y = rng.uniform(174, 210, 2)
    width = rng.uniform(80, 120)
    height = rng.uniform(40, 54) if shape == "stroke" else rng.uniform(64, 110)
    angle = rng.uniform(0, 180)
    return Hole(shape, round(x), round(y), round(width), round(height), round(angle), seed)
