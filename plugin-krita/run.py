# SPDX-License-Identifier: MIT OR Apache-2.0
"""One fill on a thread of its own, so that the host goes on meanwhile. Knows no Krita and no Qt."""

import threading
from typing import Any

from . import job, native


class Work:
    """One call of the library: a piece of the picture in a format that the library reads."""

    def __init__(self, piece, data, pixel_format, mask):
        """`piece`: where `data` and `mask` come from; `data` is a bytearray, filled in place."""
        self.piece, self.data, self.format, self.mask = piece, data, pixel_format, mask
        self.filled = None  # afterwards the pixels of piece.hole
        self.matrix: Any = None  # see thumbs.look


class Run(threading.Thread):
    """Fills every piece. Read `countdown` and, once it is not alive, `error`."""

    def __init__(self, inpainter, parameters, works, seconds):
        """`seconds`: what the plan says that it takes."""
        super().__init__(name="mend-inpaint", daemon=True)
        self.works, self.reports = works, []
        self.countdown = job.Countdown(seconds)
        self.error = None
        self._inpainter, self._parameters = inpainter, parameters
        self._cancel = inpainter.cancel()

    def cancel(self):
        """Stops soon; `error` is then a MendError with ERR_CANCELLED."""
        self._cancel.trigger()

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
            self.countdown.report(done + weight * report.share)

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
