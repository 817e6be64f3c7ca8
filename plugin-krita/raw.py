# SPDX-License-Identifier: MIT OR Apache-2.0
"""Colour spaces as Krita names them, and arithmetic on raw pixels; knows no Krita and no Qt.

The arithmetic runs in C loops of Python's own (slices, big integers), for a Python loop over pixels
would take seconds. Python's standard library only, 3.8 or newer.
"""

import array
import operator
import sys
from typing import Dict, Literal, NamedTuple

from . import job, masks, native

# --- Colour spaces -------------------------------------------------------------------------------


class Space(NamedTuple):
    """A colour space as Krita names it."""

    model: str  # RGBA, GRAYA, CMYKA, LABA, XYZA, YCbCrA
    depth: str  # U8, U16, F16, F32
    profile: str

    @property
    def channels(self):
        """Channels of a pixel, alpha included; alpha is the last one in every model."""
        return {"GRAYA": 2, "CMYKA": 5}.get(self.model, 4)

    @property
    def pixel_bytes(self):
        return self.channels * DEPTH_BYTES[self.depth]


DEPTH_BYTES = {"U8": 1, "U16": 2, "F16": 2, "F32": 4}
_DEPTHS = {"U8": native.U8, "U16": native.U16, "F16": native.F16, "F32": native.F32}

# Models that the library does not speak go through RGB. Wide primaries, linear light and floats:
# every colour of the others fits, and Lab and XYZ come back to their last bit but one.
CONVERTED = ("CMYKA", "LABA", "XYZA", "YCbCrA")
WORKING_PROFILES = ("Rec2020-elle-V4-g10.icc", "sRGB-elle-V2-g10.icc")

# From the first one's primaries to those of screens.
TO_SCREEN = {
    "Rec2020-elle-V4-g10.icc": (
        (1.6605, -0.5876, -0.0728),
        (-0.1246, 1.1329, -0.0083),
        (-0.0182, -0.1006, 1.1187),
    )
}

# Tables in CMYK and YCbCr profiles do not undo each other: there and back shifts every colour.
SHIFTING = ("CMYKA", "YCbCrA")
CORRECTIONS = 5
UNSEEN_SHIFT = 0.001


def known(space):
    """Whether pixels of this space can be filled, directly or through RGB."""
    return space.depth in _DEPTHS and space.model in ("RGBA", "GRAYA", *CONVERTED)


def pixel_format(space, linear):
    """The library's number for pixels of RGBA or GRAYA as Krita stores them."""
    if space.model == "GRAYA":
        layout = native.GRAYA
    else:
        # Krita keeps whole numbers as blue, green, red and floats as red, green, blue.
        layout = native.BGRA if space.depth in ("U8", "U16") else native.RGBA
    return layout | _DEPTHS[space.depth] | (native.LINEAR if linear else 0)


def is_linear(at_quarter, at_half):
    """Whether values are proportional to light: what 0.25 and 0.5 of a profile are in linear light.

    A gamma of 1.8 gives a ratio of 3.5, sRGB 4.2, PQ 18.
    """
    return at_quarter > 0 and 1.9 < at_half / at_quarter < 2.1


def linear_by_name(profile):
    """The same from the profile's name, for when it cannot be measured."""
    name = profile.lower()
    return any(word in name for word in ("-g10", "linear", "scrgb", "_g100"))


# --- Arithmetic on raw pixels --------------------------------------------------------------------


def surrounded(data, space, mask):
    """Whether a pixel that `mask` leaves out is not wholly transparent."""
    seen = masks.visible(data, space.pixel_bytes, DEPTH_BYTES[space.depth])
    return masks.overlap(seen, masks.inverse(job.hard(mask)))


def corrected(target, aim, got):
    """Where to aim so that the next conversion hits `target`; all three are floats as bytes."""
    target, aim, got = (array.array("f", data) for data in (target, aim, got))
    return array.array("f", map(operator.add, aim, map(operator.sub, target, got))).tobytes()


def shift(target, got, visible, most=20000):
    """How far colours are off on average, as a share of white, after the square root (about as eyes
    judge).

    Of linear RGBA floats; from some `most` values of the pixels that `visible` says.
    """
    target, got = array.array("f", target), array.array("f", got)
    at = [i for i in range(0, len(visible), max(len(visible) * 3 // most, 1)) if visible[i]]
    if not at:
        return 0.0
    off = 0.0
    for i in at:
        for c in range(4 * i, 4 * i + 3):
            off += abs(max(target[c], 0.0) ** 0.5 - max(got[c], 0.0) ** 0.5)
    return off / (3 * len(at))


OPAQUE, EMPTY_PARTS, TRANSLUCENT = 0, 1, 2
# How the bits of an alpha are read as whole numbers.
_CODES: Dict[str, Literal["B", "H", "I"]] = {"U8": "B", "U16": "H", "F16": "H", "F32": "I"}


def transparency(data, space, mask):
    """What the selected pixels of `data` are: all opaque, some wholly transparent, some in
    between."""
    step, size = space.channels, DEPTH_BYTES[space.depth]
    opaque = {"U8": 0xFF, "U16": 0xFFFF, "F16": 0x3C00, "F32": 0x3F800000}[space.depth]
    pixel, first, count = step * size, (step - 1) * size, len(mask)
    if all(
        data[first + i :: pixel].count(byte) == count
        for i, byte in enumerate(opaque.to_bytes(size, sys.byteorder))
    ):
        return OPAQUE
    alphas = memoryview(data).cast(_CODES[space.depth])[step - 1 :: step]
    found = {alpha for alpha, covered in set(zip(alphas, mask)) if covered and alpha != opaque}
    return OPAQUE if not found else EMPTY_PARTS if found == {0} else TRANSLUCENT
