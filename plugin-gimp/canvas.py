# SPDX-License-Identifier: MIT OR Apache-2.0
"""An image that grows, with what is new filled. Imports no GIMP; `host` is what fill.py says, with

grow(canvas, strips, encoding, new_layer)
                            the image becomes as large as a plan's `canvas`, and `strips`, (rect,
                            bytes) in its coordinates, go into the layer, which grows too, or into
                            a new one above; one undo step
"""

import expanding
import fill
import job
import native
import params


def check(host, inpainter, parameters, output, sample):
    """Raises MendError or Refusal for what cannot be."""
    inpainter.check(parameters)
    fill.check_item(host.item, output, sample)
    if not host.item.is_layer:
        raise fill.Refusal(
            "“%s” is a mask or channel, and a picture grows by its layers: select a layer."
            % host.item.name
        )


def plan(host, inpainter, parameters, output=fill.IN_PLACE, sample=fill.LAYER):
    """The library's plan for a larger image."""
    check(host, inpainter, parameters, output, sample)
    area = host.canvas
    nothing = native.Image(bytes(area.area), area.width, area.height, native.GRAY | native.U8)
    planned = inpainter.plan(parameters, nothing)
    if planned["canvas"] is None:
        raise fill.Refusal(params.NO_SIZE)
    return planned


class Reading(expanding.Reading):
    """All pixels of the image, of a layer or of all that is visible."""

    def __init__(self, host, inpainter, parameters, output, sample):
        planned = plan(host, inpainter, parameters, output, sample)
        source = fill.Source(host, fill.NEW_LAYER, sample)
        self.canvas, self.encoding = planned["canvas"], source.encoding
        self._place = (host.canvas, host.rect)
        data = self._pixels(host, source)
        if not any(fill.shown(data, source.format) or b"\xff"):
            raise fill.Refusal(
                "“%s” is transparent all over the image: select the layer that has the picture."
                % host.item.name
            )
        size = (host.canvas.width, host.canvas.height)
        frame = expanding.Frame(self.canvas, size, data, source.format)
        super().__init__(parameters, [frame], planned["seconds"])

    def _pixels(self, host, source):
        here = host.canvas
        return source.read_all(here.moved(-source.area.x, -source.area.y))

    def holds(self, host, sample):
        """Whether all is still as it was read: GIMP goes on working while a dialog is open."""
        if (host.canvas, host.now()) != self._place:
            return False
        source = fill.Source(host, fill.NEW_LAYER, sample)
        return self._pixels(host, source) == self.parts[0].original


class Work:
    """The one call of the library, as fill.watched runs it."""

    def __init__(self, inpainter, reading):
        (frame,) = reading.parts
        self.inpainter, self.piece = inpainter, frame.piece
        self._parameters = reading.parameters
        self.data = bytearray(len(frame.data))
        whole = frame.piece.rect
        self._image = reading.given(frame)[0]
        self._out = native.Image(self.data, whole.width, whole.height, frame.format)

    def run(self, cancel, report):
        return self.inpainter.inpaint(
            self._parameters,
            self._image,
            None,
            self._out,
            cancel=cancel,
            progress=lambda progress: report(progress.share),
        )


def expand(host, inpainter, parameters, output, sample, taken=None):
    """Makes the image larger and fills what is new. Gives back (the new layer or None, the
    library's notes). `taken`, a preview.Taken, is put in place where nothing has changed since."""
    check(host, inpainter, parameters, output, sample)
    if taken is not None and taken.reading.holds(host, sample):
        reading, strips, reports = taken.reading, taken.fill.pixels[0], taken.fill.reports
    else:
        reading = Reading(host, inpainter, parameters, output, sample)
        work = Work(inpainter, reading)
        reports = [fill.watched(host, work, job.Countdown(reading.seconds), 0.0)]
        strips = reading.kept(reading.parts[0], work.data)
    host.progress(1.0, "")
    if host.now() != host.rect:
        raise fill.Refusal(
            "“%s” was moved, resized or removed meanwhile; nothing was changed. Try again."
            % host.item.name
        )
    layer = host.grow(reading.canvas, strips, reading.encoding, output == fill.NEW_LAYER)
    return layer, job.notes_of(reports)
