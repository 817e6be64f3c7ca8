"""The losses. No downloaded network is in them: what a perceptual loss would do is left to the
energy of gradients and to learning which patches are alike.

Images `[batch, 3, height, width]` in [0, 1], holes `[batch, 1, height, width]`.
"""

import torch
from torch.nn import functional as F

LEAST_ERROR = 5e-4  # 33 dB: better is not pressed for
ALIKE = 8  # known tokens that count as alike, for each hole token
WINDOW = 16  # pixels over which the energy of gradients is compared


def psnr_loss(fill, truth, hole):
    """The mean of ln(mean squared error in the hole) over the images: what the mean PSNR measures
    (after NAFNet, arXiv 2204.04676), so that an easy picture counts as much as a hard one."""
    error = ((fill - truth) ** 2 * hole).sum((1, 2, 3)) / (3 * hole.sum((1, 2, 3)))
    return torch.log(error + LEAST_ERROR).mean()


def gradients(image):
    """|right - left| + |below - above| of the mean of the channels, `[batch, 1, height, width]`."""
    grey = image.mean(1, keepdim=True)
    across = F.pad(grey[..., :, 1:] - grey[..., :, :-1], (0, 1))
    down = F.pad(grey[..., 1:, :] - grey[..., :-1, :], (0, 0, 0, 1))
    return across.abs() + down.abs()


def texture_loss(fill, truth, hole):
    """How much the energy of gradients in windows of the hole differs from the truth's, relative to
    it, at the whole, the half and the quarter size."""
    total = 0
    for _ in range(3):
        weight = F.avg_pool2d(hole, WINDOW)
        is_, should = (F.avg_pool2d(gradients(i) * hole, WINDOW) for i in (fill, truth))
        per_image = (is_ - should).abs().sum((1, 2, 3)) / (
            should.sum((1, 2, 3)) + 0.01 * weight.sum((1, 2, 3))
        ).clamp(min=1e-4)
        total = total + per_image.mean() / 3
        fill, truth, hole = (F.avg_pool2d(i, 2) for i in (fill, truth, hole))
        hole = (hole > 0.99).to(fill.dtype)
    return total


def describe(image):
    """What a token looks like, `[batch, 20, rows, columns]`: the mean colour and the energy of
    gradients in both directions, in each quarter of it."""
    grey = F.pad(image.mean(1, keepdim=True), (0, 1, 0, 1), mode="replicate")
    across = (grey[..., :-1, 1:] - grey[..., :-1, :-1]).abs()
    down = (grey[..., 1:, :-1] - grey[..., :-1, :-1]).abs()
    quarters = F.avg_pool2d(torch.cat([image, 2 * across, 2 * down], 1), 4)
    return F.pixel_unshuffle(quarters, 2)


def match_loss(scores, truth):
    """Cross-entropy of the attention against the `ALIKE` known tokens that look most like the
    truth's hole token. `scores`: for each image (hole tokens, known tokens, logarithm of the
    attention)."""
    looks = describe(truth).flatten(2).transpose(1, 2)
    losses = []
    for look, (rows, columns, logarithm) in zip(looks, scores):
        if len(rows) == 0 or len(columns) < ALIKE:
            continue
        alike = torch.cdist(look[rows], look[columns]).topk(ALIKE, largest=False).indices
        losses.append(-logarithm.gather(1, alike).mean())
    return torch.stack(losses).mean() if losses else truth.new_zeros(())
