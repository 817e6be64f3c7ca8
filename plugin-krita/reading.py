# SPDX-License-Identifier: MIT OR Apache-2.0
"""What a fill needs of the user's document, in a form that the library reads, and back. Knows no
Krita and no Qt; every call belongs on the main thread.
"""

from typing import Any

from . import expanding, job, masks, native, preview, raw
from .layers import Changed
from .run import Work

# Beyond this share of white a converted fill would be seen: it is refused.
MOST_SHIFT = 0.02


class Reading(preview.Reading):
    """The pixels that a plan needs, and no more."""

    def __init__(self, colours, target, merged, parameters, window, plan):
        self._look_at(colours, target, merged)
        # Of each hole: where it is, its pixels, and these as the library got them.
        self._holes = []
        works = []
        pixel_format = raw.pixel_format(self._working, colours.linear(self._working))
        mask = target.mask(window)
        for piece in job.pieces(plan):
            works.append(self._work(piece, window, mask, pixel_format))
        super().__init__(parameters, works, plan["seconds"])

    def _look_at(self, colours, target, merged):
        self._colours, self._target, self.merged = colours, target, merged
        self._space = target.image_space() if merged else target.facts.space
        self._converted = self._space.model in raw.CONVERTED
        self._working = colours.working() if self._converted else self._space

    def _work(self, piece, window, mask, pixel_format):
        rect = piece.rect.moved(window.x, window.y)
        size = self._space.pixel_bytes
        data = self._target.read(rect, self.merged)
        covered = job.cut(mask, window.width, piece.rect)
        inside = piece.hole.moved(-piece.rect.x, -piece.rect.y)
        before = job.cut(data, rect.width * size, inside, size)
        if self._converted:
            data = self._colours.convert(data, rect.width, rect.height, self._space, self._working)
        size = self._working.pixel_bytes
        started = job.cut(data, rect.width * size, inside, size)
        self._holes.append((piece.hole.moved(window.x, window.y), before, started))
        work = Work(piece, bytearray(data), pixel_format, covered)
        if self._converted:
            work.matrix = raw.TO_SCREEN.get(self._working.profile)
        return work

    def as_layer(self, pixels):
        """(rect, pixels) of each hole for a new layer: in the image's colour space, zero where
        there is no fill."""
        space = self._target.image_space()
        return [
            (rect, self._on_layer(filled, rect, space))
            for filled, (rect, _, _) in zip(pixels, self._holes)
        ]

    def _on_layer(self, pixels, rect, space):
        if self._working == space:
            return pixels
        visible = masks.visible(
            pixels, self._working.pixel_bytes, raw.DEPTH_BYTES[self._working.depth]
        )
        out = self._back(pixels, rect, space)
        return masks.choose(bytes(len(out)), out, visible, space.pixel_bytes)

    def in_place(self, pixels):
        """(rect, pixels now, new pixels) of each hole in the layer's colour space, the old bytes
        where nothing was filled."""
        return [
            (rect, before, self._in_place(filled, rect, before, started))
            for filled, (rect, before, started) in zip(pixels, self._holes)
        ]

    def _in_place(self, pixels, rect, before, started):
        if not self._converted:
            return pixels
        changed = masks.changed(started, pixels, self._working.pixel_bytes)
        out = self._back(pixels, rect, self._space)
        return masks.choose(before, out, changed, self._space.pixel_bytes)

    def _back(self, pixels, rect, space):
        if not self._converted:
            return self._colours.convert(pixels, rect.width, rect.height, self._working, space)
        out, shift = self._colours.back(pixels, rect.width, rect.height, space)
        if shift > MOST_SHIFT:
            raise Changed(
                "The fill's colours cannot be kept in %s with the profile \u201c%s\u201d, which "
                "does not convert back to what it came from. Nothing was changed. Convert the "
                "layer to RGB first, with Layer \u25b8 Convert \u25b8 Convert Layer Color Space."
                % (space.model, space.profile)
            )
        return out


class Whole:
    """All that is to be seen of the picture, as a part of a preview.Reading has it."""

    def __init__(self, colours, target):
        space, (_, _, width, height) = target.image_space(), target.canvas
        data = target.read(target.canvas, True)
        self.matrix: Any = None
        if space.model in raw.CONVERTED:
            working = colours.working()
            data = colours.convert(data, width, height, space, working)
            self.matrix, space = raw.TO_SCREEN.get(working.profile), working
        self.piece, self.data = job.Piece(target.canvas, target.canvas, 1.0), data
        self.format = raw.pixel_format(space, colours.linear(space))

    @property
    def image(self):
        """As the library takes it."""
        rect = self.piece.rect
        return native.Image(self.data, rect.width, rect.height, self.format)


class Expansion(expanding.Reading, Reading):
    """All pixels of the picture, for a canvas that grows."""

    def __init__(self, colours, target, merged, parameters, plan):
        self._look_at(colours, target, merged)
        self.canvas, (_, _, width, height) = plan["canvas"], target.canvas
        data = target.read(target.canvas, merged)
        if self._converted:
            data = colours.convert(data, width, height, self._space, self._working)
        pixel_format = raw.pixel_format(self._working, colours.linear(self._working))
        frame = expanding.Frame(self.canvas, (width, height), data, pixel_format)
        if self._converted:
            frame.matrix = raw.TO_SCREEN.get(self._working.profile)
        preview.Reading.__init__(self, parameters, [frame], plan["seconds"])

    def as_layer(self, pixels):
        """(rect, pixels) of what is new, on the new canvas and in the image's colour space."""
        space = self._target.image_space()
        strips = [strip for of_part in pixels for strip in of_part]
        return [(rect, self._on_layer(filled, rect, space)) for rect, filled in strips]
