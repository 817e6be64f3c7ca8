# SPDX-License-Identifier: MIT OR Apache-2.0
"""Pictures that are drawn: patterns, floors, borders, wires and smooth light, known exactly."""

from __future__ import annotations

import dataclasses
from typing import Callable

import numpy as np
from scipy import ndimage

from structures import holes
from structures.holes import SIDE, Hole

# Samples along each side of a pixel: edges are not jagged.
FINE = 3
Rng = np.random.Generator


@dataclasses.dataclass(frozen=True)
class Drawing:
    """A picture by the function that draws it, and the hole in it."""

    kind: str
    name: str
    draw: Callable[[Rng], np.ndarray]
    hole: Hole
    noise: float
    seed: int

    def picture(self) -> np.ndarray:
        """The picture as a camera would see it: a little soft, with noise."""
        rng = np.random.default_rng(self.seed)
        seen = ndimage.gaussian_filter(self.draw(rng), (0.6, 0.6, 0))
        grain = ndimage.gaussian_filter(rng.normal(size=(SIDE, SIDE, 3)), (0.5, 0.5, 0))
        return (seen + self.noise * grain / grain.std()).round().clip(0, 255).astype(np.uint8)


def plane() -> tuple[np.ndarray, np.ndarray]:
    """x and y in pixels, FINE samples a pixel."""
    y, x = (np.mgrid[: SIDE * FINE, : SIDE * FINE] + 0.5) / FINE
    return x, y


def turned(degrees: float) -> tuple[np.ndarray, np.ndarray]:
    """Coordinates turned around the picture's middle."""
    x, y = plane()
    x, y, turn = x - SIDE / 2, y - SIDE / 2, np.deg2rad(degrees)
    return x * np.cos(turn) + y * np.sin(turn), y * np.cos(turn) - x * np.sin(turn)


def floor(horizon: float, width: float, turn: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """Coordinates on a floor in perspective, in tiles; width is a tile's 200 pixels below."""
    x, y = plane()
    depth = 200 / np.maximum(y - horizon, 1)
    u, v, angle = (x - SIDE / 2) * depth / width, 2 * depth * 200 / width, np.deg2rad(turn)
    return u * np.cos(angle) + v * np.sin(angle), v * np.cos(angle) - u * np.sin(angle)


def averaged(samples: np.ndarray) -> np.ndarray:
    """Pixels of samples."""
    shape = (SIDE, FINE, SIDE, FINE, *samples.shape[2:])
    return samples.reshape(shape).mean((1, 3))


def mix(share: np.ndarray, one: object, other: object) -> np.ndarray:
    """One colour or picture where share is 0, the other where it is 1."""
    share = share[..., None].astype(float)
    return (1 - share) * np.asarray(one, float) + share * np.asarray(other, float)


def clouds(rng: Rng, sigma: float, across: float | None = None) -> np.ndarray:
    """Blurred noise of deviation 1; across is the blur along y, if that is another."""
    noise = ndimage.gaussian_filter(rng.normal(size=(SIDE, SIDE)), (across or sigma, sigma))
    return (noise - noise.mean()) / noise.std()


def shaded(picture: np.ndarray, rng: Rng, by: float) -> np.ndarray:
    """A picture under light that is not even."""
    return picture * (1 + by * clouds(rng, 90))[..., None]


def of_cell(rng: Rng, *cells: np.ndarray) -> np.ndarray:
    """A random number for each cell of a lattice, of deviation 1."""
    return rng.normal(size=(64, 64))[tuple(np.mod(c.astype(int), 64) for c in cells)]


def stripes(angle: float, period: float, hard: bool, one: object, other: object):
    """Parallel stripes with sharp edges or soft ones."""

    def draw(rng: Rng) -> np.ndarray:
        wave = np.sin(2 * np.pi * turned(angle)[0] / period)
        return shaded(mix(averaged(wave > 0 if hard else 0.5 + 0.5 * wave), one, other), rng, 0.06)

    return draw


def bricks(width: float, height: float, angle: float, colour: object):
    """A wall of bricks that differ a little, with mortar between."""

    def draw(rng: Rng) -> np.ndarray:
        u, v = turned(angle)
        row = np.floor(v / height)
        column, within = np.divmod(u / width + 0.5 * (row % 2), 1)
        mortar = (within * width < 4) | (v - row * height < 4)
        wall = np.asarray(colour, float) * (1 + 0.09 * of_cell(rng, row, column))[..., None]
        rough = 1 + 0.05 * clouds(rng, 1.2)
        return shaded(averaged(mix(mortar, wall, (188, 182, 172))) * rough[..., None], rng, 0.1)

    return draw


def windows(width: float, height: float, angle: float, wall: object):
    """A front with rows of windows: frames, bars, sills."""

    def draw(rng: Rng) -> np.ndarray:
        u, v = turned(angle)
        x, y = np.mod(u, width) / width, np.mod(v, height) / height
        frame = (abs(x - 0.5) < 0.3) & (abs(y - 0.45) < 0.3)
        glass = (abs(x - 0.5) < 0.26) & (abs(y - 0.45) < 0.27)
        glass &= (abs(x - 0.5) > 0.02) & (abs(y - 0.38) > 0.015)
        sill = (abs(x - 0.5) < 0.35) & (abs(y - 0.78) < 0.03)
        front = mix(frame | sill, wall, (226, 222, 210))
        front = averaged(mix(glass, front, (52, 62, 78)))
        return shaded(front + 4 * clouds(rng, 1)[..., None], rng, 0.06)

    return draw


def checkers(horizon: float, width: float, turn: float, one: object, other: object):
    """A floor of squares in two colours."""

    def draw(rng: Rng) -> np.ndarray:
        u, v = floor(horizon, width, turn)
        return shaded(mix(averaged((np.floor(u) + np.floor(v)) % 2), one, other), rng, 0.06)

    return draw


def tiles(horizon: float, width: float, turn: float, colour: object):
    """A floor of tiles that differ a little, with joints."""

    def draw(rng: Rng) -> np.ndarray:
        u, v = floor(horizon, width, turn)
        joint = (np.mod(u, 1) < 0.06) | (np.mod(v, 1) < 0.06)
        each = 1 + 0.07 * of_cell(rng, np.floor(u), np.floor(v))
        laid = mix(joint, np.asarray(colour, float) * each[..., None], (70, 66, 60))
        return shaded(averaged(laid) + 3 * clouds(rng, 1)[..., None], rng, 0.06)

    return draw


def fence(vanishing: float, pickets: float):
    """A fence with two rails that runs away to one side, before grass."""

    def draw(rng: Rng) -> np.ndarray:
        x, y = plane()
        depth = 300 / (x - vanishing)
        up = (y - 170) * depth
        rail = (abs(up + 30) < 9) | (abs(up - 75) < 9)
        picket = (np.mod(depth * pickets, 1) < 0.45) & (abs(up - 20) < 105)
        wood = averaged((rail | picket).astype(float))
        return mix(wood, grass(rng), np.array([216, 208, 192]) + 3 * clouds(rng, 1)[..., None])

    return draw


def rails(horizon: float, width: float):
    """A railway that runs to the horizon: two rails, sleepers, gravel."""

    def draw(rng: Rng) -> np.ndarray:
        u, v = floor(horizon, width, 4)
        sleeper = averaged(((np.mod(2 * v, 1) < 0.42) & (abs(u) < 1.5)).astype(float))
        rail = averaged((abs(abs(u) - 1) < 0.09).astype(float))
        return mix(rail, mix(sleeper, gravel(rng), (84, 66, 52)), (196, 198, 204))

    return draw


def grass(rng: Rng) -> np.ndarray:
    """Upright blades."""
    blades = clouds(rng, 0.8, 4) + 0.6 * clouds(rng, 6)
    return np.array([82, 118, 48.0]) * (1 + 0.22 * blades)[..., None]


def gravel(rng: Rng) -> np.ndarray:
    """Small stones."""
    stones = np.tanh(1.5 * clouds(rng, 1.8)) + 0.3 * clouds(rng, 0.6)
    return np.array([138, 132, 124.0]) * (1 + 0.22 * stones)[..., None]


def sand(rng: Rng) -> np.ndarray:
    """Fine grain in soft ripples."""
    grain = 0.5 * clouds(rng, 0.6) + 0.8 * clouds(rng, 14, 4)
    return np.array([206, 182, 140.0]) * (1 + 0.06 * grain)[..., None]


def water(rng: Rng) -> np.ndarray:
    """Level waves."""
    waves = clouds(rng, 7, 1.5) + 0.3 * clouds(rng, 1)
    return np.array([62, 98, 124.0]) * (1 + 0.16 * waves)[..., None]


def asphalt(rng: Rng) -> np.ndarray:
    """Fine grain."""
    return np.array([88, 88, 92.0]) * (1 + 0.1 * clouds(rng, 0.9))[..., None]


def plaster(rng: Rng) -> np.ndarray:
    """A rough light wall."""
    return np.array([214, 204, 186.0]) * (1 + 0.04 * clouds(rng, 1.5))[..., None]


def border(one: Callable, other: Callable, angle: float, bend: float):
    """Two surfaces that meet in a line, bent by as many pixels."""

    def draw(rng: Rng) -> np.ndarray:
        u, v = turned(angle)
        beyond = averaged((v > bend * (np.cos(u / 60) - 0.7)).astype(float))
        return mix(beyond, one(rng), other(rng))

    return draw


def sky(above: object, below: object) -> np.ndarray:
    """One colour above that turns into another below."""
    return mix(np.mgrid[:SIDE, :SIDE][0] / SIDE, above, below)


def wires(thickness: float, angles: tuple[float, ...], sag: float, above: object, below: object):
    """Wires before a sky, all through about the middle."""

    def draw(rng: Rng) -> np.ndarray:
        picture = sky(above, below)
        for i, angle in enumerate(angles):
            u, v = turned(angle)
            wire = abs(v - 14 * (i - len(angles) / 2) - sag * ((u / 192) ** 2 - 0.3))
            picture = mix(averaged((wire < thickness / 2).astype(float)), picture, (44, 42, 46))
        return shaded(picture, rng, 0.02)

    return draw


def gradient(above: object, below: object):
    """A clear sky."""
    return lambda _: sky(above, below)


def glow(x: float, y: float, reach: float, light: object, above: object, below: object):
    """Light around a point, before a sky or a wall."""

    def draw(_: Rng) -> np.ndarray:
        row, column = np.mgrid[:SIDE, :SIDE]
        near = np.exp(-((column - x) ** 2 + (row - y) ** 2) / (2 * reach**2))
        return mix(near, sky(above, below), light)

    return draw


def haze(colour: object, by: float, size: float):
    """Soft clouds, or what is far out of focus."""
    return lambda rng: np.asarray(colour, float) * (1 + by * clouds(rng, size))[..., None]


def slanted(one: object, other: object, angle: float):
    """A wall that is lit from one side."""
    return lambda _: mix(averaged(0.5 + turned(angle)[0] / 544), one, other)


# Kind, name, what draws it, noise in levels.
PICTURES = [
    ("stripes", "hard-0", stripes(0, 24, True, (40, 60, 120), (225, 225, 215)), 4),
    ("stripes", "hard-28", stripes(28, 32, True, (170, 40, 40), (235, 225, 200)), 5),
    ("stripes", "hard-115", stripes(115, 17, True, (60, 60, 60), (190, 190, 180)), 6),
    ("stripes", "soft-62", stripes(62, 40, False, (50, 100, 70), (210, 220, 180)), 4),
    ("stripes", "soft-90", stripes(90, 20, False, (120, 80, 50), (220, 190, 150)), 8),
    ("stripes", "soft-140", stripes(140, 56, False, (80, 80, 140), (200, 200, 230)), 3),
    ("bricks", "level", bricks(46, 20, 0, (150, 74, 56)), 4),
    ("bricks", "turned", bricks(60, 26, 17, (166, 98, 70)), 5),
    ("bricks", "small", bricks(32, 14, 0, (128, 96, 80)), 4),
    ("bricks", "steep", bricks(52, 24, 48, (180, 150, 120)), 6),
    ("windows", "level", windows(64, 84, 0, (176, 140, 96)), 3),
    ("windows", "turned", windows(52, 70, 8, (150, 160, 150)), 4),
    ("windows", "small", windows(38, 48, 0, (196, 110, 90)), 4),
    ("perspective", "checkers", checkers(40, 60, 0, (40, 40, 44), (225, 220, 210)), 4),
    ("perspective", "checkers-turned", checkers(10, 80, 35, (96, 60, 44), (214, 190, 150)), 4),
    ("perspective", "tiles", tiles(30, 70, 0, (186, 168, 144)), 4),
    ("perspective", "tiles-turned", tiles(-40, 64, 22, (150, 160, 166)), 4),
    ("perspective", "fence", fence(-120, 12), 3),
    ("perspective", "fence-near", fence(-260, 22), 4),
    ("perspective", "rails", rails(20, 60), 3),
    ("borders", "grass-asphalt", border(grass, asphalt, 12, 0), 2),
    ("borders", "sand-water", border(water, sand, 25, 22), 2),
    ("borders", "plaster-gravel", border(plaster, gravel, 0, 0), 2),
    ("borders", "grass-sand", border(grass, sand, 70, 30), 2),
    ("borders", "asphalt-plaster", border(plaster, asphalt, 100, 0), 3),
    ("borders", "gravel-grass", border(gravel, grass, 140, 16), 2),
    ("borders", "water-plaster", border(plaster, water, 0, 8), 2),
    ("wires", "one", wires(2, (8,), 0, (96, 140, 196), (196, 210, 220)), 2),
    ("wires", "three", wires(1.6, (4, 6, 9), 18, (120, 150, 190), (210, 214, 216)), 2),
    ("wires", "crossing", wires(2.4, (30, 120), 0, (190, 196, 204), (226, 220, 206)), 2),
    ("wires", "cable", wires(5, (-20,), 24, (84, 110, 160), (180, 176, 180)), 3),
    ("wires", "mast", wires(3, (88, 0), 0, (200, 150, 120), (240, 214, 170)), 2),
    ("smooth", "sky", gradient((66, 118, 190), (190, 212, 230)), 1.5),
    ("smooth", "dusk", gradient((30, 36, 84), (222, 130, 92)), 2),
    ("smooth", "sunset", glow(250, 260, 90, (255, 214, 130), (96, 80, 130), (226, 120, 70)), 1.5),
    ("smooth", "vignette", glow(192, 192, 170, (240, 238, 232), (150, 148, 144), (140,) * 3), 2),
    ("smooth", "lamp", glow(110, 90, 80, (255, 236, 190), (150, 120, 90), (120, 96, 74)), 2.5),
    ("smooth", "wall", slanted((226, 222, 214), (164, 160, 156), 35), 2),
    ("smooth", "clouds", haze((186, 192, 200), 0.06, 34), 2),
    ("smooth", "blur", haze((104, 126, 84), 0.16, 26), 1),
]  # fmt: skip
DRAWN = [
    Drawing(kind, name, draw, holes.drawn(number), noise, number)
    for number, (kind, name, draw, noise) in enumerate(PICTURES)
]
