# SPDX-License-Identifier: MIT OR Apache-2.0
"""What a plug-in decides before and after the library runs; knows no host.

Rectangles, what to send and where to put it, and words for people. One copy serves every
host. Python's standard library only, 3.8 or newer.
"""

import time
from typing import NamedTuple

# --- Rectangles ----------------------------------------------------------------------------------


class Rect(NamedTuple):
    """Pixels x ..< x + width, y ..< y + height."""

    x: int
    y: int
    width: int
    height: int

    @classmethod
    def of(cls, plain):
        """From {"x", "y", "width", "height"}, as the plan says it."""
        return cls(plain["x"], plain["y"], plain["width"], plain["height"])

    @property
    def right(self):
        return self.x + self.width

    @property
    def bottom(self):
        return self.y + self.height

    @property
    def area(self):
        return max(self.width, 0) * max(self.height, 0)

    @property
    def empty(self):
        return self.width <= 0 or self.height <= 0

    def moved(self, dx, dy):
        return Rect(self.x + dx, self.y + dy, self.width, self.height)

    def grown(self, by):
        return Rect(self.x - by, self.y - by, self.width + 2 * by, self.height + 2 * by)

    def intersect(self, other):
        """The common part; one without pixels is Rect(0, 0, 0, 0)."""
        x, y = max(self.x, other.x), max(self.y, other.y)
        right, bottom = min(self.right, other.right), min(self.bottom, other.bottom)
        if right <= x or bottom <= y:
            return Rect(0, 0, 0, 0)
        return Rect(x, y, right - x, bottom - y)

    def union(self, other):
        """The smallest rectangle around both; an empty one adds nothing."""
        if self.empty:
            return other
        if other.empty:
            return self
        x, y = min(self.x, other.x), min(self.y, other.y)
        right, bottom = max(self.right, other.right), max(self.bottom, other.bottom)
        return Rect(x, y, right - x, bottom - y)


# --- What to send and where to put it ------------------------------------------------------------


class Piece(NamedTuple):
    """Pixels that go to the library in one call, in the coordinates of the mask that was
    planned."""

    rect: Rect  # what is read: the holes and their context
    hole: Rect  # what is written
    weight: float  # its share of the whole work


def pieces(plan):
    """The calls that do what `plan` (of mend_plan) says, without reading what lies between.

    Regions whose crops touch go together, so no piece contains a part of another one's hole.
    """
    todo = [
        (Rect.of(r["rect"]).union(Rect.of(r["hole"])), Rect.of(r["hole"]), float(r["hole_pixels"]))
        for r in plan["regions"]
    ]
    done = []
    while todo:
        rect, hole, weight = todo.pop()
        for i, (other_rect, other_hole, other_weight) in enumerate(done):
            if not rect.intersect(other_rect).empty:
                del done[i]
                # The union may touch others in turn: look at it again.
                todo.append((rect.union(other_rect), hole.union(other_hole), weight + other_weight))
                break
        else:
            done.append((rect, hole, weight))
    total = sum(weight for _, _, weight in done) or 1.0
    return [Piece(rect, hole, weight / total) for rect, hole, weight in sorted(done)]


def cut(data, stride, rect, pixel_bytes=1):
    """The rows of `rect`, tightly packed, out of rows `stride` bytes apart."""
    row = rect.width * pixel_bytes
    start = rect.y * stride + rect.x * pixel_bytes
    if row == stride:
        return bytes(data[start : start + row * rect.height])
    return b"".join(data[i : i + row] for i in range(start, start + rect.height * stride, stride))


def bands(rect, pixel_bytes, most):
    """`rect` in horizontal bands of at most `most` bytes, and of one row at least."""
    rows = max(most // max(rect.width * pixel_bytes, 1), 1)
    return [
        Rect(rect.x, y, rect.width, min(rows, rect.bottom - y))
        for y in range(rect.y, rect.bottom, rows)
    ]


_HARD = bytes([0] + [255] * 255)


def hard(mask):
    """An 8-bit mask with every selected pixel selected fully, however softly it was."""
    return bytes(mask).translate(_HARD)


# --- Words ---------------------------------------------------------------------------------------


def seconds_text(seconds):
    """A predicted time as people say it."""
    if seconds < 1:
        return "less than a second"
    if seconds < 90:
        n = round(seconds)
        return "about %d second%s" % (n, "" if n == 1 else "s")
    n = round(seconds / 60)
    return "about %d minute%s" % (n, "" if n == 1 else "s")


def bytes_text(count):
    """An amount of memory as people say it."""
    mib = count / (1024.0 * 1024.0)
    if mib < 1:
        return "less than 1 MB"
    if mib < 1000:
        return "%d MB" % round(mib)
    return "%.1f GB" % (mib / 1024.0)


NO_MEMORY = "There is not enough memory for these pixels: select a smaller region."


def sentence(text):
    """The library's message as a dialog writes it."""
    text = text[:1].upper() + text[1:]
    return text if text.endswith((".", "!", "?")) else text + "."


def notes_of(reports):
    """What the library wants the user to know of a fill's reports, each thing once."""
    notes = []
    for report in reports:
        for note in report.get("notes", []):
            if note not in notes:
                notes.append(note)
    return notes


def plan_text(plan, description=None):
    """One line on what a fill will do and take."""
    count = len(plan["regions"])
    if not count:
        return "Nothing is selected."
    labels = {e["id"]: e["label"] for e in (description or {}).get("engines", [])}
    where = "1 region" if count == 1 else "%d regions" % count
    return "%s, %s: %s, %s of memory" % (
        labels.get(plan["engine"], plan["engine"]),
        where,
        seconds_text(plan["seconds"]),
        bytes_text(plan["peak_bytes"]),
    )


class Countdown:
    """How far a fill is, from its plan and its reports, and in between.

    Reports come when a piece of work is done, and a large one can take a while: the time that is
    left goes on falling meanwhile, and the share done goes on growing towards the next report.
    `clock` gives seconds.
    """

    def __init__(self, predicted_seconds, clock=time.monotonic):
        self._predicted, self._clock = max(float(predicted_seconds), 0.0), clock
        self._start, self._shown = clock(), 0.0
        # The last report, when it came, the seconds left then. One object, for reports may come
        # from another thread than the one that asks.
        self._last = (0.0, self._start, self._predicted)

    def report(self, share):
        """`share` of the whole is done, 0.0 to 1.0."""
        if share <= self._last[0]:
            return
        now = self._clock()
        taken = (now - self._start) / share
        # The plan knows the work but not what else the machine does: what was seen soon counts
        # more.
        seen = min(share * 4.0, 1.0)
        left = (1.0 - share) * (self._predicted * (1.0 - seen) + taken * seen)
        self._last = (share, now, left)

    @property
    def reported(self):
        """The share done at the last report."""
        return self._last[0]

    @property
    def left(self):
        """Seconds that are left."""
        _, at, left = self._last
        return max(left - (self._clock() - at), 0.0)

    @property
    def share(self):
        """The share done, which never falls back behind a report and never runs up to the end."""
        told, at, left = self._last
        if left <= 0.0 or told >= 1.0:
            return told
        # As far as the time goes, and slower and slower where it was too short.
        passed = (self._clock() - at) / left
        return told + (1.0 - told) * 0.9 * passed / (1.0 + passed)

    @property
    def shown(self):
        """The share done for a bar, which never goes back."""
        self._shown = max(self._shown, self.share)
        return self._shown


_STAGES = {
    "load": "reading the model",
    "text": "reading the prompt",
    "encode": "looking at the picture",
    "decode": "painting the result",
    "detail": "adding detail",
}


def stage_text(stage, step, steps):
    """What a fill is doing, as people say it; empty where it says nothing to them."""
    if stage == "steps":
        return "step %d of %d" % (min(step + 1, steps), steps)
    return _STAGES.get(stage, "")


def left_text(seconds):
    """The time left as people say it; empty before anything can be said."""
    if seconds is None:
        return ""
    return "a moment left" if seconds < 1.5 else seconds_text(seconds) + " left"
