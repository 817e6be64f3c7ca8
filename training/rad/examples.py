"""Crops with holes, each of which depends on (seed, its number) alone, so that a resumed training
goes on as it would have, whatever the number of workers. The pictures are the cache that
../rethined/data.py writes."""

import os
import signal
import sys

import numpy as np
import perlin
import torch
from torch.utils.data import DataLoader, Dataset

sys.path.append(os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "rethined"))
import masks
from data import KIND_SHARES, KINDS, Crops


class Examples(Dataset):
    """`strokes` is the share of LaMa's holes; the others are Perlin's."""

    def __init__(self, cache, seed, size, strokes):
        self.crops, self.seed, self.size, self.strokes = Crops(cache, seed), seed, size, strokes

    def __getitem__(self, number):
        """A picture `[3, size, size]` in [-1, 1] and its hole `[1, size, size]`."""
        rng = np.random.default_rng((self.seed, number))
        picture = 2 * self.crops.crop(rng, self.size) - 1
        if rng.random() < self.strokes:
            scale = np.exp(rng.uniform(np.log(0.2), np.log(0.6)))
            hole = masks.mask(rng, self.size, rng.choice(KINDS, p=KIND_SHARES), scale)
        else:
            hole = perlin.mask(rng, self.size)
        return picture, hole[None].astype(np.float32)


class Numbers:
    """Batches of numbers, on and on."""

    def __init__(self, first, count):
        self.first, self.count = first, count

    def __iter__(self):
        at = self.first
        while True:
            yield range(at, at + self.count)
            at += self.count


def deaf(_):
    """The one that trains is told to end, saves and ends its workers."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)


def batches(examples, first, count, workers):
    return iter(
        DataLoader(
            examples,
            batch_sampler=Numbers(first, count),
            num_workers=workers,
            worker_init_fn=deaf,
            pin_memory=torch.cuda.is_available(),
        )
    )
