# SPDX-License-Identifier: MIT OR Apache-2.0
"""Fills to look at and to choose from, made on a thread while a dialog is open.

Knows no host and no toolkit. One copy serves every host. Python's standard library only, 3.8 or
newer. All methods of Previewer belong on the dialog's thread, and none of them waits; a timer of
the dialog's calls `poll`.
"""

import threading
import time
from typing import Any, NamedTuple, Tuple

try:  # Krita has the plug-in as a package, GIMP as a folder
    from . import job, native, thumbs
except ImportError:
    import job
    import native
    import thumbs

# A setting that changes is followed after so many seconds of rest.
REST = 0.3
# How many fills a set has, and how many of an engine that takes minutes are made at a time.
FILLS, SLOW_FILLS = 4, 1
# Pixels of the longer side of the small pictures.
MOST = 640
SEEDS = 1 << 32
# A fill that takes more seconds is made only if it is asked for.
LONG = 20.0

# What there is to see.
NOTHING = "nothing"  # nothing can be filled
RESTING = "resting"  # the settings have just changed
ASK = "ask"  # this engine takes long: it waits to be asked
WORKING = "working"
READY = "ready"
FAILED = "failed"


# What a quick fill takes from the settings of a slow one.
QUICK = ("seed", "grow", "feather", "result", "expand")


def slow(stepwise, seconds, most=LONG):
    """Whether nobody waits for a preview unasked: of an engine that works in steps, or of a fill
    that is foreseen to take more than so many seconds."""
    return stepwise or seconds > most


class Reading:
    """What a dialog's settings ask for, with the pixels that it needs.

    `parts`: for each call of the library an object with `piece` (a job.Piece), `data` (the pixels
    of piece.rect, which stay as they are), `format`, `mask`, and perhaps `soft` (how much of each
    pixel is replaced, where the host and not the library sees to that).
    """

    def __init__(self, parameters, parts, seconds):
        self.parameters, self.parts, self.seconds = parameters, parts, seconds

    def given(self, part):
        """The picture and the mask that the library gets of a part."""
        rect = part.piece.rect
        mask = native.Image(part.mask, rect.width, rect.height, native.GRAY | native.U8)
        return native.Image(part.data, rect.width, rect.height, part.format), mask

    def kept(self, part, data):
        """What is kept of `data`, a fill of a part: the hole's pixels."""
        rect, size = part.piece.rect, native.pixel_bytes(part.format)
        hole = part.piece.hole.moved(-rect.x, -rect.y)
        return job.cut(data, rect.width * size, hole, size)


class Fill(NamedTuple):
    """One fill of all parts."""

    pixels: Tuple[Any, ...]  # of each part what Reading.kept gives
    looks: Tuple[Any, ...]  # a thumbs.Look for each part that is in view
    reports: Tuple[dict, ...]


class Taken(NamedTuple):
    """What was chosen, with all that it was chosen from."""

    reading: Any
    fill: Fill
    fills: Tuple[Fill, ...]


class Job(threading.Thread):
    """Makes one set of fills. Read `fills` and `glimpse` at any time, `error` once it is not
    alive."""

    def __init__(self, inpainter, reading, number, count, kept, steps=False):
        """`number`: of the set, from 0 on. `kept`: fills of earlier sets, which stay in front.
        `steps`: the engine works in steps, and something is shown of them."""
        super().__init__(name="mend-preview", daemon=True)
        self.reading, self.fills = reading, tuple(kept)
        self.error: Any = None
        # Known once there is a fill, as `picture`, the looks of what was there.
        self.view: Any = None
        self.close_up: Any = None
        self.picture = ()
        # Looks of what the fill is becoming, and what is being done.
        self.glimpse, self.doing = (), ""
        self.steps, self._glimpses = steps, {}
        self.countdown = job.Countdown(reading.seconds * (count if number else 1))
        self._inpainter, self._number, self._count = inpainter, number, count
        self._cancel = inpainter.cancel()

    def cancel(self):
        """Stops soon; `error` is then a MendError with ERR_CANCELLED."""
        self._cancel.trigger()

    def finish(self):
        """Ends soon with what there is; only where the engine works in steps."""
        self._cancel.finish()

    @property
    def cancelled(self):
        return getattr(self.error, "status", None) == native.ERR_CANCELLED

    def run(self):
        try:
            self._look_at_it()
            if self.steps and not self.fills:
                self._quickly()
            if self._number:
                made = self._make(self._count)
                self._add(zip(*made))
                return
            # The fill that the settings give by themselves comes first, and soon.
            first = self._make(1)
            self._add(zip(*first))
            if self._count > 1:
                made = self._make(self._count)
                # It is one of these, too, and stays in front.
                rest = [_without(of_part, one[0]) for of_part, one in zip(made, first)]
                self._add(zip(*rest))
        except BaseException as error:  # looked at by the thread that started this one
            self.error = error

    def _look_at_it(self):
        parts = self.reading.parts
        view = thumbs.view_of(parts)
        self._step = thumbs.step_of(view, MOST)
        looks = [thumbs.look(part, part.data, view, self._step) for part in parts]
        self.picture = tuple(look for look in looks if look)
        # What small pictures show, in the view's own coordinates.
        self.close_up = thumbs.view_of(parts, 0.12, 8).intersect(view).moved(-view.x, -view.y)
        self.view = view

    def _quickly(self):
        """Shows a fill that needs no model until the steps show more."""
        kept = self.reading.parameters.items()
        parameters = {name: text for name, text in kept if name in QUICK}
        for number, part in enumerate(self.reading.parts):
            try:
                made = self._fill(part, parameters, 1, 0.0, told=False)[0][1]
            except native.MendError:
                # It would only have been shown. What is wrong comes again, or does not matter.
                return
            self._glimpsed(number, made)

    def _glimpsed(self, number, look):
        if look is not None:
            self._glimpses[number] = look
            self.glimpse = tuple(self._glimpses.values())

    def _make(self, count):
        """For each part its fills."""
        parameters = dict(self.reading.parameters)
        if self._number:
            seed = int(parameters.get("seed", 0)) + self._number
            parameters["seed"] = str(seed % SEEDS)
        if count > 1:
            parameters["variations"] = str(count)
        done, made = 0.0, []
        for part in self.reading.parts:
            made.append(self._fill(part, parameters, count, done))
            done += part.piece.weight
        return made

    def _fill(self, part, parameters, count, done, told=True):
        rect, number = part.piece.rect, self.reading.parts.index(part)

        def progress(report):
            if not told:
                return
            self.countdown.report(done + part.piece.weight * report.share)
            self.doing = job.stage_text(report.stage, report.step, report.steps)
            if report.glimpse is not None:
                self._glimpsed(number, thumbs.glimpse_look(report.glimpse, part, self.view))

        def image(data):
            return native.Image(data, rect.width, rect.height, part.format)

        whole, mask = self.reading.given(part)
        given = {"progress": progress, "cancel": self._cancel}
        if count == 1:
            out = bytearray(len(part.data))
            report = self._inpainter.inpaint(parameters, whole, mask, image(out), **given)
            return [self._one(part, out, report)]
        variations = self._inpainter.vary(parameters, whole, mask, **given)
        fills = []
        for number in range(len(variations)):
            out = bytearray(len(part.data))
            variations.take(number, whole, image(out))
            fills.append(self._one(part, out, variations.report))
        return fills

    def _one(self, part, data, report):
        """(what is kept, what is seen of it, the report)."""
        pixels = self.reading.kept(part, data)
        cover = getattr(part, "soft", None)
        return pixels, thumbs.look(part, data, self.view, self._step, cover), report

    def _add(self, fills):
        """Adds fills, each with what belongs to each part; of equal ones only the first."""
        known = {fill.pixels for fill in self.fills}
        new = []
        for fill in fills:
            pixels = tuple(of_part[0] for of_part in fill)
            if pixels not in known:
                known.add(pixels)
                looks = tuple(of_part[1] for of_part in fill if of_part[1])
                new.append(Fill(pixels, looks, tuple(of_part[2] for of_part in fill)))
        self.fills = (*self.fills, *new)


def _without(fills, one):
    """`fills` without the one that has the pixels of `one`."""
    for i, fill in enumerate(fills):
        if fill[0] == one[0]:
            return fills[:i] + fills[i + 1 :]
    return fills[:-1]


class Previewer:
    """What a dialog shows of its fills, as its settings change.

    `read(key)` gives the Reading for what `want` was told, or raises an exception whose text says
    what is wrong. `slow` says that the engine takes long, and makes one fill at a time.
    """

    def __init__(self, inpainter, read, rest=REST, clock=time.monotonic):
        self._inpainter, self._read, self._rest, self._clock = inpainter, read, rest, clock
        self._key, self.slow, self.steps, self._due = None, False, False, 0.0
        self._job: Any = None
        self._old, self._seen = [], ()
        self._number, self._show = 0, None
        self._glimpse, self.ending = (), False
        self.clear()
        self.state, self.problem = NOTHING, ""

    def clear(self):
        """Nothing is shown."""
        self.fills: Tuple[Fill, ...] = ()
        self.view: Any = None
        self.close_up: Any = None
        self.chosen, self.picture = 0, ()
        self._made_for, self._reading = None, None

    @property
    def words(self):
        """What is to be said over the picture or in its place; empty where it speaks for itself."""
        if self.state == FAILED:
            return self.problem
        if self.state == ASK:
            return "This takes a while. Preview shows the fill before it is put in place."
        if self.working and self.slow:
            return self._told()
        if self.working and not self.fills:
            return "Making a preview\u2026"
        return ""

    def _told(self):
        """How far a slow fill is."""
        if self.ending:
            return "Ending with what there is\u2026"
        doing = self._job.doing if self._job else ""
        left = job.left_text(self.countdown.left) if self.countdown else ""
        return "Making a fill\u2026 %s" % ", ".join(said for said in (doing, left) if said)

    @property
    def glimpse(self) -> Tuple[Any, ...]:
        """Looks of what the fill that is being made is becoming."""
        return self._job.glimpse if self._job else ()

    @property
    def can_finish(self):
        """Whether the fill that is being made can end early with what there is."""
        return self._job is not None and self.steps and not self.ending

    @property
    def stale(self):
        """Whether what is shown was made for other settings."""
        return self._made_for != self._key

    @property
    def working(self):
        return self.state in (RESTING, WORKING)

    @property
    def expected(self):
        """How many fills are shown when all is done."""
        return SLOW_FILLS if self.slow else FILLS

    @property
    def leaving(self):
        """The fills that go when the set that is being made comes."""
        if self.state != WORKING or self.stale or not self._number:
            return ()
        return tuple(fill for fill in self.fills if fill not in self._seen)

    @property
    def more(self):
        """Whether another set can be made."""
        return self.state == READY and bool(self.fills) and not self.stale

    @property
    def countdown(self):
        """Of the set that is being made; None where none is."""
        return self._job.countdown if self._job else None

    def want(self, key, slow=False, steps=False):
        """The settings are these now: None where they cannot be used. `slow`: only if asked for.
        `steps`: the engine works in steps."""
        if (key, slow, steps) == (self._key, self.slow, self.steps):
            return
        first = self._made_for is None and self.state == NOTHING
        self._stop()
        self._key, self.slow, self.steps = key, slow, steps
        self.problem = ""
        if key is None or slow:
            self.clear()
            self.state = NOTHING if key is None else ASK
            return
        self.state = RESTING
        self._due = self._clock() + (0.0 if first else self._rest)

    def ask(self):
        """Makes the preview, although it takes long; or once more after a failure."""
        if self.state in (ASK, FAILED):
            self.state, self._due = RESTING, self._clock()

    def stop(self):
        """Makes no more; what is there stays."""
        if self.working:
            self._stop()
            self.state = READY if self.fills and not self.stale else ASK

    def finish(self):
        """The fill that is being made ends soon, with what there is."""
        if self.can_finish:
            self.ending = True
            self._job.finish()

    def another(self):
        """Another set: the chosen fill stays, and others come with it."""
        if not self.more:
            return
        self._number += 1
        kept, count = (self.fills[self.chosen],), FILLS - 1
        if self.slow:
            # What took so long is not thrown away at once: only the oldest, where it must.
            kept, count = list(self.fills), SLOW_FILLS
            while len(kept) > FILLS - count:
                del kept[1 if self.chosen == 0 else 0]
        self._begin(self._reading, count, kept)

    def choose(self, number):
        """The fill `number` is the one that is taken."""
        if 0 <= number < len(self.fills):
            self.chosen = number

    def taken(self, key):
        """What was chosen for the settings `key`; None where nothing was made for them."""
        if self._made_for is None or self._made_for != key or not self.fills:
            return None
        return Taken(self._reading, self.fills[self.chosen], self.fills)

    def poll(self):
        """Goes on. Whether something changed that is shown."""
        self._old = [old for old in self._old if old.is_alive()]
        if self._job is not None:
            return self._follow()
        # Two at a time would take twice the memory.
        if self.state == RESTING and self._clock() >= self._due and not self._old:
            self._start()
            return True
        return False

    def close(self, patience=0.0):
        """Stops for good; waits so many seconds for the threads."""
        self._stop()
        for old in self._old:
            if patience > 0.0:
                old.join(patience)
        self._key = None
        self.clear()
        self.state = NOTHING

    def _start(self):
        try:
            reading = self._read(self._key)
        except Exception as error:
            self.clear()
            memory = isinstance(error, MemoryError)
            self.problem = job.NO_MEMORY if memory else job.sentence(str(error))
            self.state = FAILED
            return
        self._number = 0
        count = SLOW_FILLS if self.slow else FILLS
        self._begin(reading, count, ())

    def _begin(self, reading, count, kept):
        work = Job(self._inpainter, reading, self._number, count, kept, self.steps)
        self._job, self._seen, self._glimpse, self.ending = work, work.fills, (), False
        # The first one that is new is shown: those that were kept are known.
        self._show = len(work.fills)
        self.state = WORKING
        work.start()

    def _follow(self):
        work = self._job
        # In this order: what comes between the two is seen the next time.
        over, fills = not work.is_alive(), work.fills
        changed = fills is not self._seen
        if changed:
            self._adopt(work, fills)
        glimpse = work.glimpse
        if glimpse is not self._glimpse:
            self._glimpse, changed = glimpse, True
            if self.view is None:
                self._see(work)
        if not over:
            return changed
        self._job = None
        if work.error is None:
            self.state = READY
        elif work.cancelled:
            self.state = READY if self.fills and not self.stale else ASK
        else:
            memory = isinstance(work.error, MemoryError)
            self.problem = job.NO_MEMORY if memory else job.sentence(str(work.error))
            self.state = FAILED
            if self.stale:
                self.clear()
        return True

    def _adopt(self, work, fills):
        self._seen = self.fills = fills
        if self._show is not None and len(fills) > self._show:
            self.chosen, self._show = self._show, None
        self._see(work)
        self._made_for, self._reading = self._key, work.reading

    def _see(self, work):
        self.view, self.close_up, self.picture = work.view, work.close_up, work.picture

    def _stop(self):
        self._glimpse, self.ending = (), False
        if self._job is not None:
            self._job.cancel()
            self._old.append(self._job)
            self._job = None
