# SPDX-License-Identifier: MIT OR Apache-2.0
"""Masks of pixels, by arithmetic on the pixels' bytes; knows no host.

It runs in C loops of Python's own (slices, big integers), for a Python loop over pixels would take
seconds. Masks have a byte a pixel: 255 where they select, 0 elsewhere. One copy serves every host.
Python's standard library only, 3.8 or newer.
"""

_NONZERO = bytes([0] + [255] * 255)
_INVERSE = bytes(range(255, -1, -1))


def _number(data):
    return int.from_bytes(data, "little")


def _nonzero(data, pixel_bytes, first):
    """A mask of the pixels that have, from byte `first` on, one that is not 0."""
    found = 0
    for i in range(first, pixel_bytes):
        found |= _number(data[i::pixel_bytes])
    return found.to_bytes(len(data) // pixel_bytes, "little").translate(_NONZERO)


def changed(before, after, pixel_bytes):
    """A mask of the pixels whose bytes differ."""
    differ = (_number(before) ^ _number(after)).to_bytes(len(before), "little")
    return _nonzero(differ, pixel_bytes, 0)


def visible(data, pixel_bytes, alpha_bytes):
    """A mask of the pixels whose alpha, their last bytes, is not 0."""
    return _nonzero(data, pixel_bytes, pixel_bytes - alpha_bytes)


def choose(keep, take, mask, pixel_bytes):
    """The pixels of `take` where `mask` selects, elsewhere those of `keep`."""
    wide = bytearray(len(keep))
    for i in range(pixel_bytes):
        wide[i::pixel_bytes] = mask
    old = _number(keep)
    return (old ^ ((old ^ _number(take)) & _number(wide))).to_bytes(len(keep), "little")


def inverse(mask):
    """What `mask` leaves out."""
    return bytes(mask).translate(_INVERSE)


def overlap(first, second):
    """Whether two masks have a pixel in common."""
    return _number(first) & _number(second) != 0
