"""Holes for training, after LaMa's free-form masks (arXiv 2109.07161): strokes of a thick pen, and
boxes.

The numbers are those of `METHODS.md` ("Measuring"), at 512 x 512; other sizes scale them.
"""

import math

import numpy as np
from PIL import Image, ImageDraw

# kind: least and most strokes, most width, most length, chance of boxes, most boxes, most side of a
# box
KINDS = {
    "thin": (4, 70, 20, 100, 0.0, 0, 0),
    "medium": (4, 10, 100, 200, 0.3, 5, 150),
    "thick": (1, 5, 250, 450, 0.3, 4, 300),
}
BOX_LEAST = 30
MOST_AREA = 0.5


def stroke(draw, rng, size, scale, width, length):
    x, y = rng.integers(0, size, 2)
    for i in range(1 + rng.integers(5)):
        angle = 0.01 + rng.integers(4)
        if i % 2 == 0:
            angle = 2 * math.pi - angle
        reach = (10 + rng.integers(length)) * scale
        thick = max(1, round((5 + rng.integers(width)) * scale))
        end_x = int(np.clip(x + reach * math.sin(angle), 0, size))
        end_y = int(np.clip(y + reach * math.cos(angle), 0, size))
        draw.line((x, y, end_x, end_y), fill=1, width=thick)
        for cx, cy in ((x, y), (end_x, end_y)):
            r = thick / 2
            draw.ellipse((cx - r, cy - r, cx + r, cy + r), fill=1)
        x, y = end_x, end_y


def mask(rng, size, kind, scale):
    """A `size` x `size` array of 0 and 1 (to fill), at most half of it 1 and never empty. `scale` 1
    has the widths and lengths of 512 x 512."""
    least, most, width, length, chance, boxes, side = KINDS[kind]
    # The number of strokes is for 512 x 512 at scale 1: as many a square of the same content.
    share = (size / (512 * scale)) ** 2
    for _ in range(20):
        picture = Image.new("L", (size, size))
        draw = ImageDraw.Draw(picture)
        for _ in range(max(1, round(rng.integers(least, most + 1) * share))):
            stroke(draw, rng, size, scale, width, length)
        if boxes and rng.random() < chance:
            for _ in range(max(1, round(rng.integers(1, boxes + 1) * share))):
                w, h = ((BOX_LEAST + rng.integers(side - BOX_LEAST, size=2)) * scale).astype(int)
                x, y = rng.integers(0, max(1, size - w)), rng.integers(0, max(1, size - h))
                draw.rectangle((x, y, x + w, y + h), fill=1)
        found = np.asarray(picture, dtype=np.uint8)
        if 0 < found.mean() <= MOST_AREA:
            return found
    found = np.zeros((size, size), dtype=np.uint8)
    found[size // 4 : size // 2, size // 4 : size // 2] = 1
    return found
