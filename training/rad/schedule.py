"""RAD's noise schedules, pixel by pixel, and the steps back (arXiv 2412.09191).

Phase 1 takes the hole's pixels from picture to noise, phase 2 the others; filling goes back through
phase 1 alone. A mask's 1 is hole, and its values between give a pixel part of the noise. `n` counts
the steps of a phase taken so far, 0 to `STEPS`: it is one more than the time of DDPM. `kept` is the
share of the picture's variance that is left in a pixel (alpha bar), `[batch, 1, height, width]` in
float64, as all of the schedule is; pictures, and what they are multiplied with, are float32.
"""

import numpy as np
import torch

STEPS = 1000
BETAS = (1e-4, 0.02)
# alpha bar after n steps of the plain schedule
KEPT = torch.from_numpy(
    np.concatenate([[1.0], np.cumprod(1 - np.linspace(*BETAS, STEPS, dtype=np.float64))])
)
LEAST = KEPT[-1].item()  # 1 - nu


def gamma(n):
    """How far a phase is after n steps: 0 to 1."""
    return torch.log(KEPT[torch.as_tensor(n).cpu()]) / np.log(LEAST)


def kept_after(mask, n, phase=1):
    """`n` is a number, or one for each of the batch."""
    floor = 1 - (1 - LEAST) * mask.double()  # after phase 1
    g = gamma(n).to(mask.device)
    if g.dim():
        g = g[:, None, None, None]
    return floor**g if phase == 1 else floor * (LEAST / floor) ** g


def levels(kept):
    """The fractional number of plain steps that leave so much: what the network is told."""
    table = 1 - KEPT.to(kept.device)
    noise = 1 - kept
    above = torch.searchsorted(table, noise).clamp(1, STEPS)
    low, high = table[above - 1], table[above]
    return above - 1 + ((noise - low) / (high - low)).clamp(0, 1)


def noised(picture, kept, noise):
    return kept.sqrt().float() * picture + (1 - kept).sqrt().float() * noise


def times(steps):
    """The numbers of steps taken, from the most noise on: one more than 990, 980, ... 0 for 100."""
    return [i * STEPS // steps + 1 for i in reversed(range(steps))]


def start(picture, mask, n, noise):
    """What sampling begins with. What stands in the hole of the picture is not used."""
    return noised(picture * (mask < 1), kept_after(mask, n), noise)


def predicted(x, noise, kept):
    """The picture that is in `x` if `noise` is."""
    return (x - (1 - kept).sqrt().float() * noise) / kept.sqrt().float()


def posterior(x, picture, kept, before):
    """Mean and the least and the most log variance of a step back from `kept` to `before`, which
    may be several steps. Where nothing happens, or nothing is left to be random, they are not
    finite."""
    beta, rest = 1 - kept / before, 1 - kept
    of_picture, of_x = before.sqrt() * beta / rest, (kept / before).sqrt() * (1 - before) / rest
    mean = of_picture.float() * picture + of_x.float() * x
    return mean, torch.log(beta * (1 - before) / rest).float(), torch.log(beta).float()


def chosen(choice, least, most):
    """The log variance that the network chose: -1 is the least, 1 the most."""
    return least + (choice + 1) / 2 * (most - least)


def ddpm(x, output, kept, before, noise):
    """A random step with the variance that the network chose. `output` is the network's."""
    found, choice = output.chunk(2, 1)
    mean, least, most = posterior(x, predicted(x, found, kept).clamp(-1, 1), kept, before)
    after = mean + torch.where(before < 1, torch.exp(0.5 * chosen(choice, least, most)) * noise, 0)
    return torch.where(kept < 1, after, x)


def ddim(x, output, kept, before):
    """A step without chance (eta 0). As in ADM the noise is that which belongs to the bounded
    picture."""
    picture = predicted(x, output.chunk(2, 1)[0], kept).clamp(-1, 1)
    noise = (x - kept.sqrt().float() * picture) / (1 - kept).sqrt().float()
    return torch.where(kept < 1, noised(picture, before, noise), x)
