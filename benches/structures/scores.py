# SPDX-License-Identifier: MIT OR Apache-2.0
"""How right a fill is, in the hole: a number for each thing that an eye would find wrong."""

from __future__ import annotations

import numpy as np
from scipy import ndimage
from skimage.feature import canny

FARTHEST = 12.0


def luma(picture: np.ndarray) -> np.ndarray:
    """Brightness, 0 to 255."""
    return picture.astype(float) @ np.array([0.299, 0.587, 0.114])


def gradient(gray: np.ndarray, sigma: float) -> tuple[np.ndarray, np.ndarray]:
    """Slopes along x and y of a picture that is blurred first."""
    return (
        ndimage.gaussian_filter(gray, sigma, order=(0, 1)),
        ndimage.gaussian_filter(gray, sigma, order=(1, 0)),
    )


def tensor(gray: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The structure tensor as a vector of twice its angle (x, y), and its trace."""
    gx, gy = gradient(gray, 1.0)
    xx, yy, xy = (ndimage.gaussian_filter(p, 1.5) for p in (gx * gx, gy * gy, gx * gy))
    return xx - yy, 2 * xy, xx + yy


def psnr(truth: np.ndarray, fill: np.ndarray, hole: np.ndarray) -> float:
    """Distance to what stood there, in dB."""
    error = ((truth.astype(float) - fill)[hole] ** 2).mean() / 255**2
    return float(-10 * np.log10(error + 1e-12))


def orientation(truth: np.ndarray, fill: np.ndarray, hole: np.ndarray) -> float:
    """cos(2·turn) between both structure tensors, weighted by the truth's oriented edges.

    Where the fill is less oriented than the truth, it counts by as much less. 1 is right, 0 is as
    good as chance, less is across.
    """
    tx, ty, tall = tensor(luma(truth))
    fx, fy, fall = tensor(luma(fill))
    true, filled = np.hypot(tx, ty), np.hypot(fx, fy)
    cosine = (tx * fx + ty * fy) / (true * filled + 1e-9)
    # A level of noise below which no orientation is taken for certain.
    coherence = (filled / (fall + 1)) / (true / (tall + 1) + 1e-9)
    weight = np.sqrt(true)[hole]
    agreed = (cosine * np.minimum(coherence, 1))[hole]
    return float((weight * agreed).sum() / (weight.sum() + 1e-9))


def edges(picture: np.ndarray) -> np.ndarray:
    """Canny's edges."""
    return canny(luma(picture) / 255, sigma=1.5, low_threshold=0.03, high_threshold=0.08)


def shift(truth: np.ndarray, fill: np.ndarray, hole: np.ndarray) -> float:
    """Mean distance in pixels from the truth's edges to the fill's and back, 12 at most."""
    near = ndimage.binary_dilation(hole, iterations=2)
    here, there = edges(truth), edges(fill)
    ways = [
        np.minimum(ndimage.distance_transform_edt(~to), FARTHEST)[start & near].mean()
        if to.any()
        else FARTHEST
        for start, to in ((here, there), (there, here))
        if (start & near).any()
    ]
    return float(np.mean(ways)) if ways else 0.0


def crispness(truth: np.ndarray, fill: np.ndarray, hole: np.ndarray) -> float:
    """The gradient's 95th percentile over the truth's."""
    true, filled = (
        np.percentile(np.hypot(*gradient(luma(p), 0.7))[hole], 95) for p in (truth, fill)
    )
    return float(filled / (true + 1e-9))


def texture(truth: np.ndarray, fill: np.ndarray, hole: np.ndarray) -> float:
    """The deviation of what a blur of 2 pixels removes, over the truth's."""
    true, filled = (
        (g - ndimage.gaussian_filter(g, 2.0))[hole].std() for g in (luma(truth), luma(fill))
    )
    return float(filled / (true + 1e-9))


def seam(truth: np.ndarray, fill: np.ndarray, hole: np.ndarray) -> float:
    """The gradient's error on a band along the rim, as `tools/score` has it."""
    band = ndimage.binary_dilation(hole, iterations=2) & ~ndimage.binary_erosion(hole, iterations=2)
    true, filled = (p.astype(float).mean(2) / 255 for p in (truth, fill))
    error = sum(
        abs(
            abs(np.diff(true, axis=a, append=true.take([-1], a)))
            - abs(np.diff(filled, axis=a, append=filled.take([-1], a)))
        )
        for a in (0, 1)
    )
    return float(error[band].mean())


def step(truth: np.ndarray, fill: np.ndarray, hole: np.ndarray) -> float:
    """How far the light jumps at the old outline, in levels of 0 to 255.

    The error's low frequencies (a blur of 4 pixels, of the hole's pixels only), absolute, averaged
    over channels and over the band 3 to 8 pixels inside the outline. Outside the error is 0, so
    what it is just inside is a step that the truth does not have.
    """
    error = (fill.astype(float) - truth) * hole[..., None]
    share = ndimage.gaussian_filter(hole.astype(float), 4.0)
    low = ndimage.gaussian_filter(error, (4.0, 4.0, 0)) / (share[..., None] + 1e-9)
    deep = ndimage.distance_transform_edt(hole)
    return float(abs(low[(deep >= 3) & (deep <= 8)]).mean())


MEASURES = {
    "psnr": psnr,
    "orient": orientation,
    "shift": shift,
    "crisp": crispness,
    "texture": texture,
    "seam": seam,
    "step": step,
}


def score(truth: np.ndarray, fill: np.ndarray, hole: np.ndarray) -> dict[str, float]:
    """All measures of a fill."""
    return {name: measure(truth, fill, hole) for name, measure in MEASURES.items()}
