# SPDX-License-Identifier: MIT OR Apache-2.0
"""plugin-common/choosing.py: with a selector made of Python, and with the real library.

Run: python3 -m unittest discover tests/python
"""

import threading
import time
import unittest
from typing import Any

import plugins

plugins.import_gimp()

import choosing
import native
from choosing import Chooser, Drag, Frame
from test_native import library_file

WIDTH, HEIGHT = 12, 8


class Flag:
    def __init__(self):
        self.raised = threading.Event()

    def trigger(self):
        self.raised.set()


class Selector:
    """Selects one row for each click, and waits where it is told to."""

    def __init__(self, fails=None):
        self.flag, self.gate, self.calls = Flag(), threading.Event(), []
        self.fails: Any = fails
        self.gate.set()

    def cancel(self):
        return self.flag

    def look(self, image, progress=None, cancel=None):
        self.gate.wait(10)
        if self.fails == "look":
            raise native.MendError(native.ERR_MODEL, "no model")
        return self

    def select(self, clicks, out, area=None, grow=-1):
        self.calls.append((tuple(clicks), area, grow))
        self.gate.wait(10)
        if self.fails == "select":
            raise native.MendError(native.ERR_ARGUMENT, "not there")
        rows = len(clicks) + (area is not None)
        out.data[: rows * WIDTH] = b"\xff" * (rows * WIDTH)
        rect = {"x": 0, "y": 0, "width": WIDTH, "height": rows}
        return {"pixels": rows * WIDTH, "rect": rect, "notes": ["plain"]}


def image():
    return native.Image(bytes(WIDTH * HEIGHT), WIDTH, HEIGHT, native.GRAY | native.U8)


class Choosing(unittest.TestCase):
    def chooser(self, selector, state: Any = choosing.WAITING):
        chooser = Chooser(selector, image())
        self.addCleanup(chooser.close)
        if state:
            self.until(chooser, state)
        return chooser

    def until(self, chooser, *states):
        end = time.monotonic() + 10
        while chooser.state not in states:
            self.assertLess(time.monotonic(), end, chooser.state)
            chooser.poll()
            time.sleep(0.002)

    def test_clicks_boxes_and_undo_each_make_their_mask(self):
        selector = Selector()
        chooser = self.chooser(selector)
        self.assertIn("Click on the object", chooser.hint)
        steps = [
            (lambda: chooser.click(3, 2, True), WIDTH),
            (lambda: chooser.click(5, 5, False), 2 * WIDTH),
            (lambda: chooser.box((1, 1, 6, 6)), 3 * WIDTH),
            (lambda: chooser.box((2, 1, 6, 6)), 3 * WIDTH),
            (chooser.undo, 3 * WIDTH),
            (chooser.undo, 2 * WIDTH),
            (chooser.undo, WIDTH),
        ]
        for step, pixels in steps:
            step()
            self.assertEqual(chooser.state, choosing.WORKING)
            self.until(chooser, choosing.READY)
            self.assertEqual(chooser.mask.count(255), pixels)
            self.assertTrue(chooser.found)
        self.assertEqual(chooser.hint, "plain")
        self.assertEqual(choosing.bounds(chooser.report), (0, 0, WIDTH, 1))
        self.assertTrue(chooser.undo())
        self.assertEqual((chooser.state, chooser.mask), (choosing.WAITING, None))
        self.assertFalse(chooser.undo() or chooser.found)

    def test_what_is_not_the_object_alone_asks_for_nothing(self):
        selector = Selector()
        chooser = self.chooser(selector)
        chooser.click(1, 1, False)
        self.assertEqual((chooser.state, selector.calls), (choosing.WAITING, []))
        chooser.click(2, 2, True)
        self.until(chooser, choosing.READY)
        self.assertEqual(selector.calls, [(((1, 1, False), (2, 2, True)), None, -1)])
        chooser.clear()
        self.assertEqual(chooser.state, choosing.WAITING)
        self.assertTrue(chooser.undo())
        self.until(chooser, choosing.READY)

    def test_the_newest_wish_counts_and_no_call_waits(self):
        selector = Selector()
        chooser = self.chooser(selector)
        selector.gate.clear()
        chooser.click(1, 1, True)
        end = time.monotonic() + 10
        while not selector.calls and time.monotonic() < end:
            time.sleep(0.002)
        # Meanwhile more is asked for than is ever made.
        for grow in range(5):
            chooser.set_grow(grow)
        chooser.set_grow(10**9)
        self.assertEqual(chooser.grow, choosing.MOST_GROW)
        self.assertEqual(chooser.state, choosing.WORKING)
        selector.gate.set()
        self.until(chooser, choosing.READY)
        grows = [grow for _, _, grow in selector.calls]
        self.assertEqual(grows, [-1, choosing.MOST_GROW])

    def test_clicks_while_the_picture_is_looked_at_are_heeded_then(self):
        selector = Selector()
        selector.gate.clear()
        chooser = self.chooser(selector, None)
        chooser.click(1, 1, True)
        self.assertEqual((chooser.state, chooser.poll()), (choosing.LOOKING, False))
        selector.gate.set()
        self.until(chooser, choosing.READY)

    def test_failures_are_told_and_a_selection_can_be_tried_again(self):
        chooser = self.chooser(Selector("look"), choosing.FAILED)
        self.assertEqual(chooser.hint, "no model")
        chooser.click(1, 1, True)
        self.assertEqual(chooser.state, choosing.FAILED)
        selector = Selector("select")
        chooser = self.chooser(selector)
        chooser.click(1, 1, True)
        self.until(chooser, choosing.FAILED)
        self.assertEqual(chooser.hint, "not there")
        selector.fails = None
        chooser.click(2, 1, True)
        self.until(chooser, choosing.READY)

    def test_closing_ends_the_thread(self):
        selector = Selector()
        chooser = self.chooser(selector)
        chooser.close()
        chooser._thread.join(10)
        self.assertFalse(chooser._thread.is_alive())
        self.assertTrue(selector.flag.raised.is_set())

    def test_a_press_is_a_click_or_a_box_where_it_is_shown(self):
        frame = Frame(WIDTH, HEIGHT, (240.0, 200.0))
        self.assertEqual((frame.scale, frame.corner), (20.0, (0.0, 20.0)))
        self.assertTrue(frame.inside(0, 20) and not frame.inside(0, 19))
        self.assertEqual(frame.pixel(*frame.place(7, 3)), (7, 3))
        self.assertEqual(frame.pixel(-5, 999), (0, HEIGHT - 1))
        told = []

        class To:
            def click(self, *args):
                told.append(args)

            def box(self, area):
                told.append(area)

        for wanted, to in ((True, (103, 72)), (True, (30, 170)), (False, (30, 170))):
            drag = Drag(frame, 100.0, 70.0, wanted)
            drag.move(*to)
            drag.done(To())
        self.assertEqual(told, [(5, 2, True), (1, 2, 5, 7), (5, 2, False)])

    def test_the_tint_shows_the_mask(self):
        mask = bytearray(WIDTH * HEIGHT)
        mask[4 * WIDTH + 6] = 255
        columns, rows, rgba = choosing.tint(bytes(mask), WIDTH, HEIGHT, 2)
        self.assertEqual((columns, rows, len(rgba)), (6, 4, 96))
        self.assertEqual(sum(1 for a in rgba[3::4] if a), 1)
        at = 4 * (2 * columns + 3)
        self.assertEqual(tuple(rgba[at : at + 4]), (*choosing.TINT, choosing.SHARE))

    def test_the_real_library_selects(self):
        width, height = 90, 60
        pixels = bytearray(b"\x30\x30\x30\xff" * (width * height))
        for y in range(20, 40):
            pixels[(y * width + 30) * 4 : (y * width + 60) * 4] = b"\xd0\x80\x40\xff" * 30
        selector = native.Selector({"models": "/no/such/folder"}, native.load(library_file()))
        picture = native.Image(bytes(pixels), width, height, native.RGBA | native.U8)
        chooser = Chooser(selector, picture, 0)
        self.addCleanup(chooser.close)
        chooser.click(45, 30, True)
        self.until(chooser, choosing.READY, choosing.FAILED)
        self.assertTrue(chooser.found, chooser.hint)
        self.assertIn("mend models fetch mobile-sam", chooser.hint)
        self.assertTrue(560 <= chooser.mask.count(255) <= 640)


if __name__ == "__main__":
    unittest.main()
