"""Smooth extension of known pixels into the hole, by a pyramid (push-pull): what
`src/blend/extend.rs` computes.

Source: Gortler, Grzeszczuk, Szeliski, Cohen, "The Lumigraph", SIGGRAPH 1996, section 3.4.
"""

import torch
from torch.nn import functional as F


def extend(image, hole):
    """image `[batch, 3, height, width]`, hole `[batch, 1, height, width]` with 1 to fill; the image
    with the hole filled. What stands in the hole has no influence, unless all is hole: then it is
    0.5.

    Pull: a coarser pixel is the mean of the known ones of its 2 x 2, known if one of them is; an
    odd side is rounded up. Push: an unknown pixel takes the coarser level's value, bilinearly
    (`align_corners=False`)."""
    known = 1 - hole
    values, levels = image * known, []
    while max(values.shape[-2:]) > 1 and not bool((known > 0).all()):
        levels.append((values, known))
        height, width = values.shape[-2:]
        pad = (0, width % 2, 0, height % 2)
        total = F.avg_pool2d(F.pad(values, pad), 2)
        weight = F.avg_pool2d(F.pad(known, pad), 2)
        values = total / weight.clamp(min=1e-6)
        known = (weight > 0).to(values.dtype)
    if not levels:
        return values + 0.5 * (1 - known)
    values = torch.where(known > 0, values, 0.5)
    for finer, known in reversed(levels):
        height, width = finer.shape[-2:]
        coarse = F.interpolate(values, scale_factor=2, mode="bilinear", align_corners=False)[
            ..., :height, :width
        ]
        values = torch.where(known > 0, finer, coarse)
    return values
