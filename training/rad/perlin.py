"""RAD's holes for training: Perlin noise of a random cell, cut at a random rank, so that a hole may
be anything from a pixel to nearly all, in one piece or a thousand."""

import numpy as np

MOST_CELL, AT_SIZE = 256, 256  # cells are 1 to 256 pixels of 256


def noise(rng, size, cell):
    """`[size, size]`; `cell` in pixels."""
    places = np.arange(size) / cell + rng.random((2, 1))
    corner = places.astype(int)
    y, x = places - corner
    (rows, columns), count = corner, corner.max() + 2
    angles = rng.uniform(0, 2 * np.pi, (count, count)).astype(np.float32)
    gradients = np.stack([np.sin(angles), np.cos(angles)])
    fade_y, fade_x = (v**3 * (v * (6 * v - 15) + 10) for v in (y, x))

    def slope(down, right):
        gy, gx = gradients[:, rows + down][:, :, columns + right]
        return gy * (y - down)[:, None] + gx * (x - right)[None, :]

    top = slope(0, 0) + (slope(0, 1) - slope(0, 0)) * fade_x
    bottom = slope(1, 0) + (slope(1, 1) - slope(1, 0)) * fade_x
    return top + (bottom - top) * fade_y[:, None]


def mask(rng, size):
    """A `size` x `size` array of 0 and 1 (to fill), at least a pixel of it 1."""
    cell = max(1.0, rng.uniform(1, MOST_CELL) * size / AT_SIZE)
    field = noise(rng, size, cell)
    rank = rng.integers(size * size)
    return (field >= np.partition(field, rank, axis=None)[rank]).astype(np.uint8)
