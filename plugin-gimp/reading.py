# SPDX-License-Identifier: MIT OR Apache-2.0
"""What a preview needs of a GIMP layer, and whether it is still so when a fill is put in place.
Imports no GIMP; `host` is what fill.py says.
"""

import fill
import job
import preview


class Part:
    """A piece of the pixels as a preview needs it."""

    def __init__(self, source, hole, piece):
        self.piece, self.format = piece, source.format
        self.mask = job.cut(hole.mask.data, hole.mask.width, piece.rect)
        self.data = source.read(piece.rect, self.mask)
        self.soft = self._soft(hole)

    def _soft(self, hole):
        """How much of each pixel GIMP replaces, a byte a pixel."""
        rect, box = self.piece.rect, hole.rect
        both = rect.intersect(box)
        soft = bytearray(rect.area)
        rows = job.cut(hole.soft, box.width, both.moved(-box.x, -box.y))
        for y in range(both.height):
            start = (both.y - rect.y + y) * rect.width + both.x - rect.x
            soft[start : start + both.width] = rows[y * both.width : (y + 1) * both.width]
        return bytes(soft)


class Reading(preview.Reading):
    """What a preview shows: all pixels that a fill reads, at once."""

    def __init__(self, host, inpainter, parameters, output, sample):
        fill.check_parameters(inpainter, parameters)
        fill.check_item(host.item, output, sample)
        hole = fill.find_hole(host, int(parameters.get("grow", 0)), sample, output)
        parameters = dict(parameters, grow="0")
        planned = fill.ask_plan(inpainter, parameters, hole)
        source = fill.Source(host, output, sample)
        self._hole, self._place = hole, host.rect
        parts = [Part(source, hole, piece) for piece in job.pieces(planned)]
        super().__init__(parameters, parts, planned["seconds"])

    def holds(self, host, source, hole):
        """Whether all is still as it was read: GIMP goes on working while a dialog is open."""
        was = self._hole
        return (
            (hole.rect, hole.soft, hole.near) == (was.rect, was.soft, was.near)
            and host.rect == self._place
            and all(
                part.format == source.format
                and source.read(part.piece.rect, part.mask) == part.data
                for part in self.parts
            )
        )
