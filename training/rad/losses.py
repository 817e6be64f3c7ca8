"""What RAD is trained for: the noise (its squared error) and the noise's variance (the variational
bound), at a random step of a random phase."""

import math

import schedule
import torch

BOUND_WEIGHT = 1e-3  # of the bound over all steps of a phase, of which one is looked at


def first_picture(picture, mean, deviation):
    """-log of the chance of an 8-bit picture, as DDPM bounds it, with the Gaussian's integral as
    tanh has it."""

    def below(v):
        return 0.5 * (1 + torch.tanh(math.sqrt(2 / math.pi) * (v + 0.044715 * v**3)))

    off = picture - mean
    high, low = below((off + 1 / 255) / deviation), below((off - 1 / 255) / deviation)
    chance = torch.where(picture < -0.999, high, torch.where(picture > 0.999, 1 - low, high - low))
    return -torch.log(chance.clamp(min=1e-12))


def bound(x, picture, output, at, before, earlier):
    """Bits for each number of the step from `at` to `before`, both alpha bar and less than what is
    before them. `earlier` is the pair that the least variance is taken from: the second step's at
    the first, which has none. The noise is given: only the variance learns."""
    found, choice = output.chunk(2, 1)
    mean, _, most = schedule.posterior(x, schedule.predicted(x, found.detach(), at), at, before)
    truth, _, _ = schedule.posterior(x, picture, at, before)
    _, least, _ = schedule.posterior(x, picture, *earlier)
    chosen = schedule.chosen(choice, least, most)
    divergence = 0.5 * (
        chosen - least - 1 + torch.exp(least - chosen) + (truth - mean) ** 2 * torch.exp(-chosen)
    )
    nats = torch.where(
        before < 1, divergence, first_picture(picture, mean, torch.exp(0.5 * chosen))
    )
    return nats / math.log(2)


def objective(model, picture, hole, phase, n, noise):
    """The loss and its parts: squared error of the noise, the bound, then the sums of squared
    errors in phase 1 and 2 and how many each sums. `phase` (1 or 2) and `n` (1 to `schedule.STEPS`)
    are `[batch]`, on the CPU; holes are 0 or 1. Pixels without noise are left out: it cannot be
    told there, and need not."""
    first = (phase == 1).to(hole.device)[:, None, None, None]

    def kept(n):
        return torch.where(first, schedule.kept_after(hole, n, 1), schedule.kept_after(hole, n, 2))

    at, before = kept(n), kept(n - 1)
    x = schedule.noised(picture, at, noise)
    known, deep = (
        v.to(hole.device) for v in (n * (phase == 2), torch.where(phase == 1, n, schedule.STEPS))
    )
    with torch.autocast(x.device.type, dtype=torch.bfloat16, enabled=x.is_cuda):
        output = model.forward_binary(x, hole, known, deep)
    output = output.float()

    noisy, moving = at < 1, at < before
    errors = (noise - output.chunk(2, 1)[0]) ** 2

    def mean_over(where, values):
        return (where * values).sum() / (where.expand_as(values).sum() + 1e-9)

    error = mean_over(noisy, errors)
    # Any pair of values where nothing moves: what comes of it is not used, but is to be finite.
    second = n.clamp(min=2)
    pair = [torch.where(moving, v, other) for v, other in ((at, 0.5), (before, 0.7))]
    earlier = [
        torch.where(moving, v, other) for v, other in ((kept(second), 0.5), (kept(second - 1), 0.7))
    ]
    bits = mean_over(moving, bound(x, picture, output, *pair, earlier))
    loss = error + BOUND_WEIGHT * schedule.STEPS * bits
    with torch.no_grad():
        of = [(noisy & phase).expand_as(errors) for phase in (first, ~first)]
        parts = [loss, error, bits, *((w * errors).sum() for w in of), *(w.sum() for w in of)]
    return loss, torch.stack([part.detach().float() for part in parts])
