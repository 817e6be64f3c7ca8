# SPDX-License-Identifier: MIT OR Apache-2.0
"""plugin-common/expanding.py and what params.py says of sides.

Run: python3 -m unittest discover tests/python
"""

import unittest

import plugins

plugins.import_gimp()

import expanding
import native
import params
import preview
from job import Rect
from test_native import library_file, picture
from test_preview import until

RGBA = native.RGBA | native.U8


class Sides(unittest.TestCase):
    def test_what_is_written_is_read_again(self):
        for text, unit, lengths in [
            ("10%", "%", [10, 10, 10, 10]),
            ("64", "px", [64, 64, 64, 64]),
            ("8,16px", "px", [8, 16, 8, 16]),
            ("0, 25%, 0, 0", "%", [0, 25, 0, 0]),
            ("left=64", "px", [64, 0, 0, 0]),
            ("right=50%,top=12.4%", "%", [0, 12, 50, 0]),
            # Of both kinds the first counts, and what cannot be read is nothing.
            ("64,0,64,10%", "px", [64, 0, 64, 0]),
            ("0", "px", [0, 0, 0, 0]),
            ("", "px", [0, 0, 0, 0]),
            ("1,2,3", "px", [0, 0, 0, 0]),
            ("far", "px", [0, 0, 0, 0]),
        ]:
            self.assertEqual(params.sides_of(text), (unit, lengths), text)
            written = params.sides_text(unit, lengths)
            self.assertEqual(params.sides_of(written)[1], lengths, written)

    def test_a_selection_over_the_edge_says_how_far(self):
        canvas = Rect(0, 0, 100, 80)
        self.assertIsNone(params.sides_over(Rect(0, 0, 0, 0), canvas))
        self.assertIsNone(params.sides_over(Rect(10, 10, 90, 70), canvas))
        self.assertEqual(params.sides_over(Rect(-7, 60, 50, 33), canvas), "7,0,0,13")


class Frames(unittest.TestCase):
    def frame(self, canvas, size=(4, 3)):
        original = bytes(range(1, 1 + 4 * size[0] * size[1]))
        return expanding.Frame(canvas, size, original, RGBA)

    def test_what_is_new_is_cut_into_strips_that_do_not_overlap(self):
        for x, y, width, height in [(2, 1, 9, 7), (0, 0, 4, 5), (3, 0, 7, 3), (0, 0, 4, 3)]:
            frame = self.frame({"x": x, "y": y, "width": width, "height": height})
            seen = [0] * (width * height)
            for rect in (*frame.strips(), frame.place):
                for row in range(rect.y, rect.bottom):
                    for column in range(rect.x, rect.right):
                        seen[row * width + column] += 1
            self.assertEqual(set(seen), {1}, (x, y, width, height))
            # The old picture lies at its place, and nothing around it.
            start = (y * width + x) * 4
            self.assertEqual(frame.data[start : start + 16], frame.original[:16])
            self.assertEqual(sum(frame.data), sum(frame.original))
            self.assertEqual(frame.mask.count(255), width * height - 12)


@unittest.skipUnless(library_file(), "no library: cargo build --release")
class Library(unittest.TestCase):
    def test_a_preview_of_a_larger_picture(self):
        mend = native.Inpainter(library=native.load(library_file()))
        width, height, parameters = 40, 30, {"expand": "left=12,bottom=9", "seed": "3"}
        nothing = native.Image(bytes(width * height), width, height, native.GRAY | native.U8)
        plan = mend.plan(parameters, nothing)
        data = bytes(picture(width, height))
        frame = expanding.Frame(plan["canvas"], (width, height), data, RGBA)
        reading = expanding.Reading(parameters, [frame], 0.1)
        previewer = preview.Previewer(mend, lambda key: reading)
        previewer.want(1)
        until(previewer, lambda: previewer.state in (preview.READY, preview.FAILED))
        self.assertEqual(previewer.problem, "")
        self.assertGreater(len(previewer.fills), 1)
        out = bytearray(len(frame.data))
        whole, mask = reading.given(frame)
        mend.inpaint(parameters, whole, mask, native.Image(out, 52, 39, RGBA))
        # The first is what the same settings give, and what was there has no part in it.
        self.assertEqual(previewer.fills[0].pixels, (reading.kept(frame, out),))
        rects = [rect for rect, _ in previewer.fills[0].pixels[0]]
        self.assertEqual(rects, [Rect(0, 30, 52, 9), Rect(0, 0, 12, 30)])


if __name__ == "__main__":
    unittest.main()
