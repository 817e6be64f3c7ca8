# SPDX-License-Identifier: MIT OR Apache-2.0
"""A picture that grows, and what is new around it; knows no host.

One copy serves every host. Python's standard library only, 3.8 or newer.
"""

from typing import Any

try:  # Krita has the plug-in as a package, GIMP as a folder
    from . import job, native, preview
    from .job import Rect
except ImportError:
    import job
    import native
    import preview
    from job import Rect


class Frame:
    """The larger picture, of which all that lies around the old one is to be filled."""

    def __init__(self, canvas, size, original, pixel_format):
        """`canvas`: of a plan. `size`: columns and rows of `original`, whose pixels have
        `pixel_format`."""
        whole = Rect(0, 0, canvas["width"], canvas["height"])
        self.piece, self.format = job.Piece(whole, whole, 1.0), pixel_format
        self.matrix: Any = None  # see thumbs.look
        self.original, self.place = original, Rect(canvas["x"], canvas["y"], *size)
        pixel = native.pixel_bytes(pixel_format)
        self.data = _laid(bytes(whole.area * pixel), whole, original, self.place, pixel)
        # Where a step of a fill is shown.
        inside = bytes(self.place.area)
        self.mask = _laid(b"\xff" * whole.area, whole, inside, self.place, 1)

    def strips(self):
        """What is new, in rectangles that do not overlap."""
        whole, place = self.piece.rect, self.place
        around = (
            Rect(0, 0, whole.width, place.y),
            Rect(0, place.bottom, whole.width, whole.bottom - place.bottom),
            Rect(0, place.y, place.x, place.height),
            Rect(place.right, place.y, whole.right - place.right, place.height),
        )
        return [rect for rect in around if not rect.empty]


def _laid(data, whole, original, place, pixel):
    """`data` over `whole` with the rows of `original` at `place`."""
    out = bytearray(data)
    row = place.width * pixel
    for y in range(place.height):
        start = ((place.y + y) * whole.width + place.x) * pixel
        out[start : start + row] = original[y * row : (y + 1) * row]
    return out


class Reading(preview.Reading):
    """A preview.Reading of one Frame; of each fill the strips are kept."""

    def given(self, part):
        image = native.Image(part.original, part.place.width, part.place.height, part.format)
        return image, None

    def kept(self, part, data):
        size = native.pixel_bytes(part.format)
        stride = part.piece.rect.width * size
        return tuple((rect, job.cut(data, stride, rect, size)) for rect in part.strips())
