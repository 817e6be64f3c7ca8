# SPDX-License-Identifier: MIT OR Apache-2.0
"""plugin-common/preview.py and thumbs.py: with a library made of Python, and with the real one.

Run: python3 -m unittest discover tests/python
"""

import array
import threading
import time
import unittest
from typing import Any

import plugins

plugins.import_gimp()

import job
import native
import preview
import thumbs
from job import Piece, Rect
from test_native import library_file, picture


class Part:
    """Pixels around a hole."""

    soft: Any = None
    matrix: Any = None

    def __init__(self, rect, hole, data, pixel_format=native.RGBA | native.U8, weight=1.0):
        self.piece, self.data, self.format = Piece(rect, hole, weight), data, pixel_format
        inside = hole.moved(-rect.x, -rect.y)
        rows = bytearray(rect.area)
        for y in range(inside.y, inside.bottom):
            start = y * rect.width + inside.x
            rows[start : start + inside.width] = b"\xff" * inside.width
        self.mask = bytes(rows)


def reading(parameters=None, holes=None, seconds=0.1):
    holes = holes or (Rect(20, 16, 8, 6),)
    parts = [
        Part(hole.grown(10), hole, bytearray(b"\x10\x20\x30\xff" * hole.grown(10).area))
        for hole in holes
    ]
    return preview.Reading(parameters or {}, parts, seconds)


class Made:
    """Variations as Library makes them."""

    def __init__(self, pixels):
        self.pixels, self.report = pixels, {"notes": []}

    def __len__(self):
        return len(self.pixels)

    def take(self, number, image, out):
        out.data[:] = self.pixels[number]


class Library:
    """Fills whole pieces with one number: of the seed, and of the number of the variation."""

    def __init__(self, gate=None):
        self.calls, self.gate, self.alike = [], gate, False
        self.told: Any = None  # what a fill with a prompt reports before it goes on
        self.error: Any = None
        self.running = self.most = 0

    def cancel(self):
        library, flag = self, threading.Event()

        class Cancel:
            raised = flag

            ending = threading.Event()

            def trigger(self):
                flag.set()
                library.calls.append("cancelled")

            def finish(self):
                self.ending.set()
                library.calls.append("finish")

        return Cancel()

    def _wait(self, cancel):
        self.running += 1
        self.most = max(self.most, self.running)
        try:
            while self.gate is not None and not self.gate.wait(0.005):
                if cancel.ending.is_set():
                    break
                if cancel.raised.is_set():
                    raise native.MendError(native.ERR_CANCELLED, "cancelled")
            if self.error:
                raise self.error
        finally:
            self.running -= 1

    def _fill(self, parameters, number):
        seed = int(parameters.get("seed", 0))
        return 50 + 10 * seed + (0 if self.alike else number)

    def inpaint(self, parameters, image, mask, out, progress, cancel):
        self.calls.append(("inpaint", dict(parameters)))
        if self.told and "prompt" in parameters:
            progress(self.told)
        if "prompt" in parameters or not self.told:
            self._wait(cancel)
        out.data[:] = bytes([self._fill(parameters, 0)]) * len(out.data)
        return {"notes": ["one"]}

    def vary(self, parameters, image, mask, progress, cancel):
        self.calls.append(("vary", dict(parameters)))
        self._wait(cancel)
        count = int(parameters["variations"])
        # The first one is not the best.
        order = [(n + 1) % count for n in range(count)]
        return Made([bytes([self._fill(parameters, n)]) * len(image.data) for n in order])


class Told:
    """A report of a fill."""

    def __init__(self, stage, step, steps, glimpse=None):
        self.stage, self.step, self.steps, self.glimpse = stage, step, steps, glimpse
        self.share = step / steps


class Clock:
    now = 100.0

    def __call__(self):
        return self.now


def until(previewer, done):
    """Polls until it is done."""
    end = time.monotonic() + 20
    while not done():
        previewer.poll()
        assert time.monotonic() < end, (previewer.state, previewer.words)
        time.sleep(0.002)


class Settings(unittest.TestCase):
    """The state machine."""

    def previewer(self, gate=None):
        self.library, self.clock, self.read = Library(gate), Clock(), []

        def read(key):
            self.read.append(key)
            if isinstance(key, Exception):
                raise key
            if isinstance(key, dict):
                return reading(key)
            return reading({"seed": str(key)} if key else {})

        return preview.Previewer(self.library, read, clock=self.clock)

    def settle(self, previewer):
        end = time.monotonic() + 20
        while previewer.state == preview.WORKING or previewer._old:
            previewer.poll()
            self.assertLess(time.monotonic(), end, previewer.state)
            time.sleep(0.002)

    def values(self, previewer):
        """The number that each fill was filled with."""
        return [fill.pixels[0][0] for fill in previewer.fills]

    def test_the_first_fill_is_what_the_settings_give_and_others_follow(self):
        previewer = self.previewer()
        self.assertEqual(previewer.state, preview.NOTHING)
        previewer.want(0)
        self.assertTrue(previewer.poll(), "at first nobody waits for rest")
        self.settle(previewer)
        self.assertEqual(previewer.state, preview.READY)
        self.assertEqual(self.values(previewer), [50, 51, 52, 53])
        self.assertEqual(previewer.chosen, 0)
        self.assertEqual(self.library.calls, [("inpaint", {}), ("vary", {"variations": "4"})])
        taken = previewer.taken(0)
        self.assertEqual(taken.fill.pixels, (bytes([50]) * 8 * 6 * 4,))
        self.assertEqual(taken.fill.reports, ({"notes": ["one"]},))
        self.assertEqual(len(taken.fills), 4)

    def test_the_first_fill_is_shown_while_the_others_are_made(self):
        gate = threading.Event()
        previewer = self.previewer(gate)
        previewer.want(0)
        previewer.poll()
        self.assertIsNone(previewer.taken(0))
        gate.set()
        while not previewer.fills:
            previewer.poll()
        self.assertEqual(previewer.taken(0).fill.pixels[0][0], 50)
        self.settle(previewer)

    def test_a_change_is_followed_when_it_rests_and_cancels_what_is_stale(self):
        gate = threading.Event()
        previewer = self.previewer(gate)
        previewer.want(0)
        previewer.poll()
        for key in (1, 2, 3):
            previewer.want(key)
            self.clock.now += 0.2
            previewer.poll()
        self.assertEqual(self.read, [0])
        self.assertIn("cancelled", self.library.calls)
        self.clock.now += 0.2
        gate.set()
        while previewer.state == preview.RESTING:
            previewer.poll()
        self.settle(previewer)
        self.assertEqual((self.read, self.values(previewer)), ([0, 3], [80, 81, 82, 83]))
        self.assertEqual(self.library.most, 1, "two ran at a time")
        self.assertIsNone(previewer.taken(0))
        self.assertIsNotNone(previewer.taken(3))

    def test_what_is_shown_stays_until_something_newer_comes_but_is_not_taken(self):
        previewer = self.previewer()
        previewer.want(0)
        previewer.poll()
        self.settle(previewer)
        previewer.choose(2)
        previewer.want(1)
        self.assertTrue(previewer.stale)
        self.assertEqual(len(previewer.fills), 4)
        self.assertIsNone(previewer.taken(1))
        self.assertFalse(previewer.more)
        self.clock.now += 0.31
        previewer.poll()
        self.settle(previewer)
        self.assertFalse(previewer.stale)
        self.assertEqual((previewer.chosen, self.values(previewer)[0]), (0, 60))

    def test_the_same_settings_again_change_nothing(self):
        previewer = self.previewer()
        previewer.want(0)
        previewer.poll()
        self.settle(previewer)
        previewer.choose(3)
        previewer.want(0)
        self.assertEqual((previewer.state, previewer.chosen), (preview.READY, 3))
        self.assertEqual(previewer.taken(0).fill.pixels[0][0], 53)

    def test_another_set_keeps_the_chosen_fill_and_shows_a_new_one(self):
        previewer = self.previewer()
        previewer.want(0)
        previewer.poll()
        self.settle(previewer)
        previewer.choose(2)
        previewer.another()
        self.assertEqual(len(previewer.fills), 4, "the old set stays until the new one comes")
        self.settle(previewer)
        self.assertEqual(self.values(previewer), [52, 61, 62, 60])
        self.assertEqual(previewer.chosen, 1)
        previewer.another()
        self.settle(previewer)
        self.assertEqual(self.values(previewer), [61, 71, 72, 70])
        seeds = [call[1].get("seed") for call in self.library.calls if call[0] == "vary"]
        self.assertEqual(seeds, [None, "1", "2"])
        self.assertEqual(previewer.taken(0).fill.pixels[0][0], 71)

    def test_an_engine_that_leaves_nothing_to_chance_shows_one_fill(self):
        previewer = self.previewer()
        self.library.alike = True
        previewer.want(0)
        previewer.poll()
        self.settle(previewer)
        self.assertEqual(self.values(previewer), [50])

    def test_a_slow_engine_is_asked_for_and_makes_one_at_a_time(self):
        previewer = self.previewer()
        previewer.want(0, slow=True)
        self.clock.now += 9
        previewer.poll()
        self.assertEqual((previewer.state, self.read), (preview.ASK, []))
        previewer.ask()
        previewer.poll()
        self.settle(previewer)
        self.assertEqual(self.values(previewer), [50])
        for expected in ([50, 60], [50, 60, 70], [50, 60, 70, 80]):
            previewer.another()
            self.settle(previewer)
            self.assertEqual(self.values(previewer), expected)
            self.assertEqual(previewer.chosen, len(expected) - 1)
        previewer.choose(0)
        previewer.another()
        self.settle(previewer)
        self.assertEqual(self.values(previewer), [50, 70, 80, 90], "the chosen one stays")
        self.assertNotIn("vary", [call[0] for call in self.library.calls])

    def test_steps_are_shown_and_can_be_ended_with_what_there_is(self):
        previewer = self.previewer(gate=threading.Event())
        key = {"prompt": "a boat", "engine": "diffusion", "seed": "7"}
        self.library.told = Told("steps", 2, 20, native.Glimpse(0, 0, 28, 26, 2, 2, b"\x50" * 12))
        previewer.want(key, slow=True, steps=True)
        self.assertEqual(previewer.glimpse, ())
        previewer.ask()
        until(previewer, lambda: "step 3 of 20" in previewer.words)
        # First of all it was filled quickly, by what is not the engine's own.
        self.assertEqual(self.library.calls[0], ("inpaint", {"seed": "7"}))
        until(previewer, lambda: len(previewer.glimpse) == 1 and previewer.view is not None)
        look = previewer.glimpse[0]
        self.assertEqual((look.width, look.height), (2, 2))
        self.assertFalse(previewer.fills)
        self.assertTrue(previewer.can_finish)
        previewer.finish()
        self.assertFalse(previewer.can_finish)
        self.assertIn("Ending", previewer.words)
        until(previewer, lambda: previewer.state == preview.READY)
        self.assertNotIn("cancelled", self.library.calls)
        self.assertEqual(previewer.glimpse, ())
        self.assertIsNotNone(previewer.taken(key))

    def test_a_step_shows_where_the_mask_selects_and_nowhere_else(self):
        part = reading(holes=(Rect(20, 16, 8, 6),)).parts[0]
        view = Rect(12, 8, 24, 22)
        glimpse = native.Glimpse(0, 0, 28, 26, 14, 13, bytes(range(182)) * 3)
        made = thumbs.glimpse_look(glimpse, part, view)
        rect = part.piece.rect
        self.assertEqual(made.rect, Rect(rect.x - 12, rect.y - 8, 28, 26))
        seen = [i for i in range(14 * 13) if made.rgba[4 * i + 3]]
        # The hole is 10 pixels from the left and the top, a pixel here is 2 there.
        self.assertEqual(seen, [14 * y + x for y in (5, 6, 7) for x in (5, 6, 7, 8)])
        # Beside what was read, or out of sight, is nothing.
        self.assertIsNone(thumbs.glimpse_look(glimpse._replace(x=5), part, view))
        self.assertIsNone(thumbs.glimpse_look(glimpse, part, Rect(500, 500, 9, 9)))

    def test_stopping_keeps_what_is_there(self):
        gate = threading.Event()
        previewer = self.previewer(gate)
        previewer.want(0, slow=True)
        previewer.ask()
        previewer.poll()
        previewer.stop()
        self.settle(previewer)
        self.assertEqual((previewer.state, previewer.fills), (preview.ASK, ()))
        gate.set()
        previewer.ask()
        while previewer.state != preview.READY:
            previewer.poll()
        gate.clear()
        previewer.another()
        previewer.stop()
        self.settle(previewer)
        self.assertEqual((previewer.state, self.values(previewer)), (preview.READY, [50]))

    def test_what_goes_wrong_is_said_and_can_be_tried_again(self):
        previewer = self.previewer()
        previewer.want(ValueError("there is nothing to fill from"))
        previewer.poll()
        self.assertEqual(previewer.state, preview.FAILED)
        self.assertEqual(previewer.problem, "There is nothing to fill from.")
        self.assertEqual(previewer.words, previewer.problem)
        previewer.want(1)
        self.library.error = MemoryError()
        self.clock.now += 1
        previewer.poll()
        self.settle(previewer)
        self.assertEqual((previewer.state, previewer.problem), (preview.FAILED, job.NO_MEMORY))
        self.library.error = None
        previewer.ask()
        previewer.poll()
        self.settle(previewer)
        self.assertEqual((previewer.state, self.values(previewer)[0]), (preview.READY, 60))

    def test_settings_that_cannot_be_used_show_nothing(self):
        previewer = self.previewer()
        previewer.want(0)
        previewer.poll()
        self.settle(previewer)
        previewer.want(None)
        self.assertEqual((previewer.state, previewer.fills), (preview.NOTHING, ()))
        self.assertIsNone(previewer.taken(None))
        previewer.poll()
        self.assertEqual(self.read, [0])

    def test_closing_ends_the_thread(self):
        previewer = self.previewer(threading.Event())
        previewer.want(0)
        previewer.poll()
        work = previewer._job
        previewer.close(5.0)
        self.assertFalse(work.is_alive())
        self.assertTrue(work.cancelled)

    def test_several_parts_make_one_fill(self):
        library = Library()
        holes = (Rect(20, 16, 8, 6), Rect(200, 40, 4, 4))
        work = preview.Job(library, reading({}, holes), 0, 4, ())
        work.run()
        self.assertIsNone(work.error)
        self.assertEqual(
            [[p[0] for p in f.pixels] for f in work.fills], [[n, n] for n in (50, 51, 52, 53)]
        )
        self.assertEqual([len(p) for p in work.fills[0].pixels], [8 * 6 * 4, 4 * 4 * 4])
        self.assertEqual(len(work.picture), 2)


class RealLibrary(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.library = native.load(library_file())

    def make(self, parameters, count=4):
        inpainter = native.Inpainter({"threads": "2"}, self.library)
        rect, hole = Rect(0, 0, 96, 80), Rect(36, 30, 24, 18)
        part = Part(rect, hole, bytearray(picture(96, 80)))
        work = preview.Job(inpainter, preview.Reading(parameters, [part], 0.1), 0, count, ())
        before = bytes(part.data)
        work.run()
        if work.error:
            raise work.error
        self.assertEqual(bytes(part.data), before, "the picture was changed")
        return inpainter, part, work

    def test_the_first_fill_is_the_librarys_own(self):
        for parameters in ({}, {"engine": "exemplar", "seed": "7", "grow": "0"}):
            inpainter, part, work = self.make(parameters)
            out = bytearray(part.data)
            image = native.Image(out, 96, 80, part.format)
            inpainter.inpaint(
                parameters, image, native.Image(part.mask, 96, 80, native.GRAY | native.U8)
            )
            hole = job.cut(out, 96 * 4, part.piece.hole, 4)
            self.assertEqual(work.fills[0].pixels, (hole,))
            self.assertEqual(len({fill.pixels for fill in work.fills}), len(work.fills))
            self.assertGreater(len(work.fills), 1)

    def test_a_fill_ends_when_it_is_cancelled(self):
        inpainter = native.Inpainter({"threads": "2"}, self.library)
        part = Part(Rect(0, 0, 700, 600), Rect(100, 100, 480, 400), bytearray(picture(700, 600)))
        work = preview.Job(inpainter, preview.Reading({}, [part], 5.0), 0, 4, ())
        work.start()
        time.sleep(0.1)
        began = time.monotonic()
        work.cancel()
        work.join(10)
        self.assertTrue(work.cancelled, work.error)
        self.assertLess(time.monotonic() - began, 3.0)


class Thumbs(unittest.TestCase):
    def small(self, data, pixel_format, width, height, step=1):
        rect = Rect(5, 7, width, height)
        part = Part(rect, Rect(5, 7, 1, 1), data, pixel_format)
        return thumbs.look(part, data, rect, step)

    def test_every_format(self):
        half = {native.U8: 128, native.U16: 0x8000, native.F16: 0.5, native.F32: 0.5}
        whole = {native.U8: 255, native.U16: 0xFFFF, native.F16: 1.0, native.F32: 1.0}
        for depth in (native.U8, native.U16, native.F16, native.F32):
            for layout in (1, 2, 3, 4, 5, 6):
                for linear in (0, native.LINEAR):
                    channels = native.CHANNELS[layout]
                    # The first channel half, the others none, alpha whole.
                    pixel = [half[depth]] + [0] * (channels - 1)
                    if layout in (native.GRAYA, native.RGBA, native.BGRA):
                        pixel[-1] = whole[depth]
                    if depth == native.F16:
                        import struct

                        data = struct.pack("=%de" % channels, *pixel) * 6
                    else:
                        code = {native.U8: "B", native.U16: "H", native.F32: "f"}[depth]
                        data = array.array(code, pixel).tobytes() * 6
                    seen = self.small(bytearray(data), layout | depth | linear, 3, 2)
                    self.assertEqual((seen.width, seen.height), (3, 2))
                    red, green, blue, alpha = seen.rgba[:4]
                    self.assertEqual(seen.rgba, bytes((red, green, blue, alpha)) * 6)
                    value = 188 if linear else 128
                    if layout in (native.BGR, native.BGRA):
                        red, blue = blue, red
                    case = (hex(depth), layout, linear, tuple(seen.rgba[:4]))
                    self.assertLessEqual(abs(red - value), 2, case)
                    gray = layout in (native.GRAY, native.GRAYA)
                    self.assertEqual((green, blue), (red, red) if gray else (0, 0), case)
                    self.assertEqual(alpha, 255, case)

    def test_numbers_out_of_range(self):
        values = (float("nan"), float("inf"), -1.0, 7.0)
        data = array.array("f", values).tobytes()
        seen = self.small(bytearray(data), native.RGBA | native.F32, 1, 1)
        self.assertEqual(seen.rgba, bytes((0, 255, 0, 255)))

    def test_every_so_manieth_pixel_and_the_view(self):
        rect = Rect(10, 20, 90, 60)
        data = b"".join(bytes((x, y, 0, 255)) for y in range(60) for x in range(90))
        part = Part(rect, Rect(40, 40, 10, 10), bytearray(data))
        view = thumbs.view_of([part], margin=0.5, least=8)
        # As wide as a screen.
        self.assertEqual(view, Rect(26, 32, 39, 26))
        self.assertEqual(thumbs.step_of(view, 20), 2)
        self.assertEqual(thumbs.step_of(view, 19), 3)
        seen = thumbs.look(part, data, view, 2)
        self.assertEqual((seen.rect, seen.width, seen.height), (Rect(0, 0, 39, 26), 20, 13))
        self.assertEqual(tuple(seen.rgba[:2]), (16, 12))
        self.assertEqual(tuple(seen.rgba[-4:-2]), (16 + 38, 12 + 24))
        self.assertIsNone(thumbs.look(part, data, Rect(500, 0, 10, 10), 1))
        # What was not read is not in view.
        self.assertEqual(thumbs.view_of([part], margin=50), rect)

    def test_other_primaries(self):
        data = array.array("f", (0.5, 0.25, 1.0, 1.0) * 4).tobytes()
        part = Part(Rect(0, 0, 2, 2), Rect(0, 0, 1, 1), data, native.RGBA | native.F32)
        part.matrix = ((0, 1, 0), (1, 0, 0), (0.5, 0, 0.5))
        seen = thumbs.look(part, data, Rect(0, 0, 2, 2), 1)
        for have, wanted in zip(seen.rgba, (64, 128, 191, 255) * 4):
            self.assertLessEqual(abs(have - wanted), 1, tuple(seen.rgba))

    def test_a_cover_in_place_of_alpha(self):
        rect = Rect(0, 0, 4, 4)
        part = Part(rect, Rect(1, 1, 2, 2), bytearray(b"\x01\x02\x03" * 16), native.RGB | native.U8)
        seen = thumbs.look(part, part.data, rect, 2, bytes(range(16)))
        self.assertEqual(list(seen.rgba[3::4]), [0, 2, 8, 10])


if __name__ == "__main__":
    unittest.main()
