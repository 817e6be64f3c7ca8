# SPDX-License-Identifier: MIT OR Apache-2.0
"""Selecting an object by clicks and boxes: what was pointed at, and the mask that it means, which
is made on a thread while a dialog is open.

Knows no host and no toolkit. One copy serves every host. Python's standard library only, 3.8 or
newer. All methods of Chooser belong on the dialog's thread, and none of them waits; a timer of the
dialog's calls `poll`.
"""

import threading
from typing import Any, NamedTuple, Optional, Tuple

try:  # Krita has the plug-in as a package, GIMP as a folder
    from . import native
except ImportError:
    import native

# What there is to see.
LOOKING = "looking"  # the picture is being looked at
WAITING = "waiting"  # nothing says where the object is
WORKING = "working"
READY = "ready"
FAILED = "failed"

# Pixels of the screen that a mouse moves before a click is a box.
STEADY = 4
# Red, green and blue of what is laid over the object, and how much of it.
TINT, SHARE = (255, 40, 90), 120
# A mask is widened a little by itself.
BY_ITSELF = -1
MOST_GROW = 4096


class Asked(NamedTuple):
    """What was pointed at."""

    clicks: Tuple[Tuple[float, float, bool], ...] = ()  # column, row, whether the object is there
    area: Optional[Tuple[float, float, float, float]] = None

    @property
    def enough(self):
        """Whether it says where the object is."""
        return self.area is not None or any(wanted for _, _, wanted in self.clicks)


class Frame(NamedTuple):
    """A picture in the middle of a part of the screen, as large as it goes."""

    width: int  # of the picture, in its own pixels
    height: int
    room: Tuple[float, float]  # the part of the screen

    @property
    def scale(self):
        """Pixels of the screen along one of the picture."""
        return min(self.room[0] / self.width, self.room[1] / self.height)

    @property
    def corner(self):
        """Where the picture begins on the screen."""
        return (
            (self.room[0] - self.width * self.scale) / 2,
            (self.room[1] - self.height * self.scale) / 2,
        )

    def inside(self, x, y):
        """Whether a place on the screen is on the picture."""
        left, top = self.corner
        wide, high = self.width * self.scale, self.height * self.scale
        return left <= x < left + wide and top <= y < top + high

    def pixel(self, x, y):
        """The picture's pixel at a place on the screen, or else the nearest one."""
        left, top = self.corner
        column, row = int((x - left) / self.scale), int((y - top) / self.scale)
        return max(0, min(column, self.width - 1)), max(0, min(row, self.height - 1))

    def place(self, column, row):
        """Where the middle of a pixel is on the screen."""
        left, top = self.corner
        return left + (column + 0.5) * self.scale, top + (row + 0.5) * self.scale


class Drag:
    """A mouse button from its press to its release: a click, or a box."""

    def __init__(self, frame, x, y, wanted):
        self.frame, self.wanted = frame, wanted
        self._from = self._to = (x, y)

    def move(self, x, y):
        """The mouse has moved."""
        self._to = (x, y)

    @property
    def is_box(self):
        """Whether the mouse has moved far enough. What is not the object has no box."""
        apart = max(abs(a - b) for a, b in zip(self._from, self._to))
        return self.wanted and apart > STEADY

    @property
    def area(self):
        """The box in pixels of the picture, its upper left corner first."""
        (ax, ay), (bx, by) = self.frame.pixel(*self._from), self.frame.pixel(*self._to)
        return (min(ax, bx), min(ay, by), max(ax, bx), max(ay, by))

    def done(self, chooser):
        """Tells the chooser what was pointed at."""
        if self.is_box:
            chooser.box(self.area)
        else:
            column, row = self.frame.pixel(*self._from)
            chooser.click(column, row, self.wanted)


class Chooser:
    """What was pointed at, and the mask of it.

    `selector`: a native.Selector, or what behaves like one. `image`: a native.Image, whose pixels
    stay as they are.
    """

    def __init__(self, selector, image, grow=BY_ITSELF):
        self.width, self.height = image.width, image.height
        self.state, self.asked, self.grow = LOOKING, Asked(), grow
        # Of what is pointed at, once the state is READY; else of what was before.
        self.mask: Any = None
        self.report: Any = None
        self.error: Any = None
        self._earlier = []
        self._cancel = selector.cancel()
        self._thread = _Worker(selector, image, self._cancel)
        self._thread.start()

    def click(self, x, y, wanted):
        """The object is there, or is not."""
        self._ask(self.asked._replace(clicks=(*self.asked.clicks, (x, y, bool(wanted)))))

    def box(self, area):
        """The object is in there; a box before it goes."""
        self._ask(self.asked._replace(area=tuple(area)))

    def undo(self):
        """As it was before the last click or box; whether there was one."""
        if not self._earlier:
            return False
        self.asked = self._earlier.pop()
        self._order()
        return True

    def clear(self):
        """Nothing was pointed at; `undo` brings it back."""
        if self.asked != Asked():
            self._ask(Asked())

    def set_grow(self, pixels):
        """Pixels to widen the mask by; BY_ITSELF for a little."""
        pixels = max(BY_ITSELF, min(int(pixels), MOST_GROW))
        if pixels != self.grow:
            self.grow = pixels
            self._order()

    def poll(self):
        """Takes what the thread has made; whether there is anything new to see."""
        done = self._thread.taken()
        if done is None:
            return False
        order, mask, report, error = done
        if error is not None:
            self.state, self.error = FAILED, error
        elif order is None:
            # The picture was looked at.
            self._settle()
        elif order == (self.asked, self.grow):
            self.mask, self.report, self.state = mask, report, READY
        return True

    def close(self):
        """The thread ends soon, and nobody waits for it."""
        self._cancel.trigger()
        self._thread.stop()

    @property
    def found(self):
        """Whether there is a mask that selects something."""
        return self.state == READY and bool(self.report["pixels"])

    @property
    def hint(self):
        """A line for the user."""
        if self.state == FAILED:
            return str(self.error)
        if self.state == LOOKING:
            return "Looking at the picture…"
        if self.state == WAITING:
            return "Click on the object, or drag a box around it. Right click: not this."
        if self.state == WORKING:
            return "Selecting…"
        return " ".join(self.report["notes"])

    def _ask(self, asked):
        self._earlier.append(self.asked)
        self.asked = asked
        self._order()

    def _order(self):
        if self.state in (FAILED, LOOKING) and not self._thread.looked:
            return
        self._settle()

    def _settle(self):
        """Has the thread make what is wanted now."""
        self.error = None
        if self.asked.enough:
            self.state = WORKING
            self._thread.order((self.asked, self.grow))
        else:
            self.state, self.mask, self.report = WAITING, None, None


class _Worker(threading.Thread):
    """Looks at the picture, and then makes the newest mask that is asked for."""

    def __init__(self, selector, image, cancel):
        super().__init__(name="mend-select", daemon=True)
        self.looked, self._flag = False, cancel
        self._selector: Any = selector
        self._image: Any = image
        self._change = threading.Condition()
        self._wanted: Any = None
        self._done: Any = None
        self._stopped = False

    def order(self, order):
        with self._change:
            self._wanted = order
            self._change.notify()

    def taken(self):
        """What was made last, once: the order, mask, report and error."""
        with self._change:
            done, self._done = self._done, None
            return done

    def stop(self):
        with self._change:
            self._stopped = True
            self._change.notify()

    def run(self):
        try:
            seen = self._selector.look(self._image, cancel=self._flag)
        except BaseException as error:  # looked at by the dialog's thread
            self._tell(None, None, None, error)
            return
        width, height = self._image.width, self._image.height
        # Its pixels are not needed any more, nor is the network for another picture.
        self._image = self._selector = None
        self.looked = True
        self._tell(None, None, None, None)
        while True:
            with self._change:
                while self._wanted is None and not self._stopped:
                    self._change.wait()
                if self._stopped:
                    return
                wanted, self._wanted = self._wanted, None
            order: Any = wanted
            asked, grow = order
            try:
                kind = native.GRAY | native.U8
                out = native.Image(bytearray(width * height), width, height, kind)
                report = seen.select(list(asked.clicks), out, asked.area, grow)
                self._tell(order, bytes(out.data), report, None)
            except BaseException as error:  # looked at by the dialog's thread
                self._tell(order, None, None, error)

    def _tell(self, *done):
        with self._change:
            self._done = done


def tint(mask, width, height, step):
    """Every `step`th pixel of a mask as RGBA of 8 bits, to be laid over the picture, with its
    columns and rows."""
    columns, rows = -(-width // step), -(-height // step)
    cover = b"".join(mask[y * width : (y + 1) * width : step] for y in range(0, height, step))
    rgba = bytearray(4 * columns * rows)
    for channel, value in enumerate(TINT):
        rgba[channel::4] = bytes([value]) * (columns * rows)
    rgba[3::4] = cover.translate(bytes(code * SHARE // 255 for code in range(256)))
    return columns, rows, bytes(rgba)


def bounds(report):
    """The rectangle of a mask that selects something, as (x, y, width, height)."""
    rect = report["rect"]
    return rect["x"], rect["y"], rect["width"], rect["height"]
