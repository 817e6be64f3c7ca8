# SPDX-License-Identifier: MIT OR Apache-2.0
"""Small pictures of pixels in any of the library's formats, for people to look at; knows no host.

It runs in C loops of Python's own (slices, tables), for a Python loop over pixels would take
seconds. One copy serves every host. Python's standard library only, 3.8 or newer.
"""

import array
import functools
import struct
import sys
from typing import NamedTuple

try:  # Krita has the plug-in as a package, GIMP as a folder
    from . import native
    from .job import Rect
except ImportError:
    import native
    from job import Rect


class Look(NamedTuple):
    """A small picture, and where it lies in the view that it is a part of."""

    rect: Rect  # in pixels of the view before it was made small
    width: int
    height: int
    rgba: bytes  # 8 bits a channel, as screens show it, alpha not multiplied in


# Of wide and narrow holes more is in view beside them: screens are wider than high.
ASPECT = 1.5


def view_of(parts, margin=0.5, least=32):
    """The rectangle to look at: around all holes of `parts`, with some of what is around them.

    `margin` is a share of the holes' longer side, `least` is in pixels. What was not read is left
    out.
    """
    holes, read = Rect(0, 0, 0, 0), Rect(0, 0, 0, 0)
    for part in parts:
        holes, read = holes.union(part.piece.hole), read.union(part.piece.rect)
    view = holes.grown(max(round(max(holes.width, holes.height) * margin), least))
    wide = max(view.width, round(view.height * ASPECT))
    high = max(view.height, round(view.width / ASPECT))
    view = Rect(view.x - (wide - view.width) // 2, view.y - (high - view.height) // 2, wide, high)
    return view.intersect(read)


def step_of(view, most):
    """Every so-manieth pixel is taken, so that the view's longer side has at most `most`."""
    return max(-(-max(view.width, view.height) // most), 1)


def look(part, data, view, step, cover=None):
    """What `data`, pixels over the rectangle of `part`, show of the view; None where it is nothing.

    `cover`, a byte a pixel over the same rectangle, takes the place of alpha. Where the part has a
    `matrix`, its floats in linear light are multiplied by it.
    """
    rect = part.piece.rect
    seen = rect.intersect(view)
    if seen.empty:
        return None
    inside = seen.moved(-rect.x, -rect.y)
    matrix = getattr(part, "matrix", None)
    rgba = bytearray(_small(data, rect.width, part.format, inside, step, matrix))
    if cover is not None:
        lines = [_row(cover, rect.width, 1, y, inside)[::step] for y in _rows(inside, step)]
        rgba[3::4] = b"".join(lines)
    width, height = -(-seen.width // step), -(-seen.height // step)
    return Look(seen.moved(-view.x, -view.y), width, height, bytes(rgba))


def glimpse_look(glimpse, part, view):
    """A Look of a native.Glimpse of `part`, seen where the part's mask selects; None where that is
    not in view."""
    rect = part.piece.rect
    place = Rect(glimpse.x, glimpse.y, glimpse.region_width, glimpse.region_height)
    at = place.moved(rect.x, rect.y)
    width, height = glimpse.width, glimpse.height
    if at.intersect(view).empty or at.intersect(rect) != at:
        return None
    columns = [place.x + (2 * i + 1) * place.width // (2 * width) for i in range(width)]
    rgba = bytearray(4 * width * height)
    for channel in range(3):
        rgba[channel::4] = glimpse.rgb[channel::3]
    alpha = []
    for i in range(height):
        start = (place.y + (2 * i + 1) * place.height // (2 * height)) * rect.width
        alpha.append(bytes(255 if part.mask[start + x] else 0 for x in columns))
    rgba[3::4] = b"".join(alpha)
    return Look(at.moved(-view.x, -view.y), width, height, bytes(rgba))


def _rows(rect, step):
    return range(rect.y, rect.bottom, step)


def _row(data, width, size, y, rect):
    start = (y * width + rect.x) * size
    return data[start : start + rect.width * size]


# The channels that are red, green, blue and alpha; None where pixels have no alpha.
_ORDER = {
    native.GRAY: (0, 0, 0, None),
    native.GRAYA: (0, 0, 0, 1),
    native.RGB: (0, 1, 2, None),
    native.RGBA: (0, 1, 2, 3),
    native.BGR: (2, 1, 0, None),
    native.BGRA: (2, 1, 0, 3),
}


def _small(data, width, pixel_format, rect, step, matrix=None):
    """Every `step`th pixel of `rect`, of rows of `width` pixels, as RGBA of 8 bits."""
    depth, size = pixel_format & 0xF0, native.pixel_bytes(pixel_format)
    channels = native.CHANNELS[pixel_format & 0x0F]
    linear = bool(pixel_format & native.LINEAR)
    count = -(-rect.width // step)
    opaque = b"\xff" * count
    colour, alpha = _table(depth, linear), _table(depth, False)
    # A float's upper half says enough, and stands beside the lower one.
    wide = 2 if depth == native.F32 else 1
    first = wide - 1 if sys.byteorder == "little" else 0
    lines = []
    for y in _rows(rect, step):
        row = _row(data, width, size, y, rect)
        if matrix:
            row = _times(row, matrix, step, channels)
        codes = _codes(row, depth)
        line = bytearray(4 * count)
        made = {}
        for to, channel in enumerate(_ORDER[pixel_format & 0x0F]):
            if channel is None:
                line[to::4] = opaque
                continue
            if channel not in made:
                table = alpha if to == 3 else colour
                taken = codes[channel * wide + first :: channels * wide * step].tolist()
                made[channel] = bytes(map(table.__getitem__, taken))
            line[to::4] = made[channel]
        lines.append(bytes(line))
    return b"".join(lines)


def _times(row, matrix, step, channels):
    """Each `step`th pixel of a row of floats with its colour multiplied by a matrix."""
    values = array.array("f", row)
    old = [values[i :: channels * step] for i in range(3)]
    for i, (a, b, c) in enumerate(matrix):
        values[i :: channels * step] = array.array(
            "f", [a * x + b * y + c * z for x, y, z in zip(*old)]
        )
    return values.tobytes()


def _codes(row, depth):
    view = memoryview(row)
    return view if depth == native.U8 else view.cast("H")


@functools.lru_cache(maxsize=None)
def _table(depth, linear):
    """The 8 bits that stand for each code of a channel."""
    if depth == native.U8:
        values = [code / 255.0 for code in range(256)]
    elif depth == native.U16:
        values = [code / 65535.0 for code in range(65536)]
    else:
        codes = range(65536)
        if depth == native.F16:
            raw, kind = struct.pack("=65536H", *codes), "=65536e"
        else:
            # The middle of all floats that begin with these 16 bits; infinity as it is.
            middles = [code << 16 | (code != 0x7F80) << 15 for code in codes]
            raw = struct.pack("=65536I", *middles)
            kind = "=65536f"
        values = struct.unpack(kind, raw)
    return bytes(map(_encoded if linear else _eight, values))


def _eight(value):
    # Not a number counts as nothing.
    return int(min(value, 1.0) * 255.0 + 0.5) if value > 0.0 else 0


def _encoded(value):
    """Light as sRGB writes it."""
    if not value > 0.0031308:
        return _eight(value * 12.92)
    return _eight(1.055 * min(value, 1.0) ** (1 / 2.4) - 0.055)
