# SPDX-License-Identifier: MIT OR Apache-2.0
"""One fill on a thread of its own, so that the host goes on meanwhile. Knows no Krita and no Qt."""

import threading
import time

from . import job, krita_job, native


class Work:
    """One call of the library: a piece of the picture in a format that the library reads."""

    def __init__(self, piece, data, pixel_format, mask):
        """`piece`: where `data` and `mask` come from; `data` is a bytearray, filled in place."""
        self.piece, self.data, self.format, self.mask = piece, data, pixel_format, mask
        self.filled = None  # afterwards the pixels of piece.hole


class Run(threading.Thread):
    """Fills every piece. Read `share`, `seconds_left` and, once it is not alive, `error`."""

    def __init__(self, inpainter, parameters, works):
        super().__init__(name="mend-inpaint", daemon=True)
        self.works, self.reports = works, []
        self.share, self._told = 0.0, (None, 0.0)
        self._began, self._shown = time.monotonic(), 0.0
        self.error = None
        self._inpainter, self._parameters = inpainter, parameters
        self._cancel = inpainter.cancel()

    def cancel(self):
        """Stops soon; `error` is then a MendError with ERR_CANCELLED."""
        self._cancel.trigger()

    @property
    def seconds_left(self):
        """The seconds left, None before anything can be said. It counts down between reports."""
        left, when = self._told
        return krita_job.seconds_left(left, time.monotonic() - when)

    @property
    def shown_share(self):
        """The share done for a bar: between reports it goes on by the clock, and it never goes back."""
        left, elapsed = self.seconds_left, time.monotonic() - self._began
        by_clock = elapsed / (elapsed + left) if left and elapsed > 0.0 else 0.0
        self._shown = max(self._shown, self.share, by_clock)
        return self._shown

    @property
    def cancelled(self):
        return getattr(self.error, "status", None) == native.ERR_CANCELLED

    def run(self):
        done = 0.0
        try:
            for work in self.works:
                self._fill(work, done)
                done += work.piece.weight
        except BaseException as error:  # looked at by the thread that started this one
            self.error = error

    def _fill(self, work, done):
        rect, hole, weight = work.piece
        size = native.pixel_bytes(work.format)

        def progress(report):
            self.share = done + weight * report.share
            left = report.seconds_left
            # The pieces to come are guessed from this one's pace.
            if left is not None and report.share < 1.0:
                left += left / (1.0 - report.share) * (1.0 - done - weight) / max(weight, 1e-9)
            self._told = (left, time.monotonic())

        image = native.Image(work.data, rect.width, rect.height, work.format)
        mask = native.Image(work.mask, rect.width, rect.height, native.GRAY | native.U8)
        self.reports.append(
            self._inpainter.inpaint(
                self._parameters, image, mask, progress=progress, cancel=self._cancel
            )
        )
        inside = hole.moved(-rect.x, -rect.y)
        work.filled = job.cut(work.data, rect.width * size, inside, size)
        work.data = None
