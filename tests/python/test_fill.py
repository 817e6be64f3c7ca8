# SPDX-License-Identifier: MIT OR Apache-2.0
"""plugin-gimp/fill.py with the real library and a GIMP made of bytes.

Run: python3 -m unittest discover tests/python
"""

import contextlib
import unittest
from typing import Any, Callable

import plugins

plugins.import_gimp()

import fill
import job
import native
import preview
import reading
from fill import Item, Refusal
from job import Rect
from test_native import library_file, picture

# An engine that needs little around a hole.
CLOSE = {"engine": "exemplar"}


class Gimp:
    """A layer of R'G'B'A u8 and a selection of the canvas, as fill.py asks for them."""

    interactive = False
    encoding = "R'G'B'A u8"

    def __init__(self, width=160, height=120, offset=(0, 0), canvas=(160, 120), item=None):
        self.rect = Rect(offset[0], offset[1], width, height)
        self.item = item or Item("layer", True, has_alpha=True)
        self.pixels = picture(width, height)
        self.canvas = Rect(0, 0, *canvas)
        self.selected = bytearray(self.canvas.area)
        self.reads = []
        self.written: Any = None

    def select(self, rect, value=255):
        for y in range(rect.y, rect.bottom):
            start = y * self.canvas.width + rect.x
            self.selected[start : start + rect.width] = bytes([value]) * rect.width

    def selection_bounds(self):
        width = self.canvas.width
        on = [i for i, s in enumerate(self.selected) if s]
        if not on:
            return None
        xs, ys = [i % width for i in on], [i // width for i in on]
        return Rect(min(xs), min(ys), max(xs) - min(xs) + 1, max(ys) - min(ys) + 1)

    def selection(self, rect):
        out = bytearray()
        for y in range(rect.y, rect.bottom):
            for x in range(rect.x, rect.right):
                inside = 0 <= x < self.canvas.width and 0 <= y < self.canvas.height
                out.append(self.selected[y * self.canvas.width + x] if inside else 0)
        return bytes(out)

    def grown(self, rect, mask, by):
        out = bytearray(mask)
        for i, value in enumerate(mask):
            if value:
                x, y = i % rect.width, i // rect.width
                for v in range(max(y - by, 0), min(y + by + 1, rect.height)):
                    for u in range(max(x - by, 0), min(x + by + 1, rect.width)):
                        out[v * rect.width + u] = max(out[v * rect.width + u], value)
        return bytes(out)

    def read(self, rect, encoding):
        if encoding == "A u8":
            return job.cut(self.pixels[3::4], self.rect.width, rect)
        self.reads.append(rect)
        return job.cut(self.pixels, self.rect.width * 4, rect, 4)

    def visible(self):
        whole = picture(self.canvas.width, self.canvas.height)
        return "R'G'B'A u8", lambda rect, _: job.cut(whole, self.canvas.width * 4, rect, 4)

    def write(self, parts, encoding, hole, new_layer):
        through = fill.outdated(self, hole)
        self.written = (parts, encoding, hole, new_layer, through)
        return "the new layer" if new_layer else None

    def now(self) -> Any:
        return self.rect

    meddle: Callable[[], None] = staticmethod(lambda: None)

    def progress(self, share, text):
        self.share = share
        self.meddle()


class Fill(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.library = native.load(library_file())

    def setUp(self):
        self.inpainter = native.Inpainter({"threads": "2"}, self.library)

    def whole(self, gimp):
        """The library's own fill of the whole layer at once."""
        near = gimp.rect
        mask = job.hard(gimp.selection(near))
        pixels = bytearray(gimp.pixels)
        self.inpainter.inpaint(
            CLOSE,
            native.Image(pixels, near.width, near.height, native.RGBA | native.U8),
            native.Image(mask, near.width, near.height, native.GRAY | native.U8),
        )
        return pixels

    def test_crops_give_what_the_whole_layer_gives(self):
        # So far apart that two crops cost less than one.
        gimp = Gimp(4000, 100, canvas=(4000, 100))
        gimp.select(Rect(60, 40, 20, 20))
        gimp.select(Rect(3800, 30, 12, 16), 90)
        expected = self.whole(gimp)
        fill.fill(gimp, self.inpainter, CLOSE, fill.IN_PLACE)
        parts = gimp.written[0]
        self.assertEqual(
            [rect for rect, _ in parts], [Rect(60, 40, 20, 20), Rect(3800, 30, 12, 16)]
        )
        for rect, pixels in parts:
            self.assertEqual(pixels, job.cut(expected, 4000 * 4, rect, 4))
        # And without reading what lies between.
        self.assertLess(sum(rect.area for rect in gimp.reads), 4000 * 100 // 2)
        self.assertAlmostEqual(gimp.share, 1.0)

    def test_a_preview_of_all_visible_layers_is_put_on_a_new_layer(self):
        gimp = Gimp(60, 50, (40, 30))
        gimp.select(Rect(20, 20, 30, 20))
        given = (gimp, self.inpainter, {}, fill.NEW_LAYER, fill.VISIBLE)
        work = preview.Job(self.inpainter, reading.Reading(*given), 0, 4, ())
        work.run()
        fill.fill(*given)
        wanted = gimp.written
        fill.fill(*given, taken=preview.Taken(work.reading, work.fills[0], work.fills))
        self.assertEqual(gimp.written[0], wanted[0])
        fill.fill(*given, taken=preview.Taken(work.reading, work.fills[1], work.fills))
        self.assertEqual([r for r, _ in gimp.written[0]], [r for r, _ in wanted[0]])
        self.assertNotEqual(gimp.written[0], wanted[0])

    def taken(self, gimp, number, parameters=None):
        """The fill `number` of a preview."""
        given = (gimp, self.inpainter, parameters or {}, fill.IN_PLACE, fill.LAYER)
        work = preview.Job(self.inpainter, reading.Reading(*given), 0, 4, ())
        work.run()
        self.assertIsNone(work.error)
        return preview.Taken(work.reading, work.fills[number], work.fills)

    def test_what_was_chosen_is_put_in_place_and_nothing_is_filled_again(self):
        gimp = Gimp()
        gimp.select(Rect(60, 40, 20, 20), 90)
        parameters = {"grow": "2"}
        taken = self.taken(gimp, 2, parameters)
        # The first one is what a fill gives.
        fill.fill(gimp, self.inpainter, parameters, fill.IN_PLACE)
        self.assertEqual([p for _, p in gimp.written[0]], list(taken.fills[0].pixels))
        wanted = gimp.written

        class NoFill(native.Inpainter):
            def inpaint(self, *_args, **_named):
                raise AssertionError("it was filled again")

        never = NoFill({"threads": "2"}, self.library)
        fill.fill(gimp, never, parameters, fill.IN_PLACE, taken=taken)
        parts, encoding, hole, new_layer, through = gimp.written
        self.assertEqual([p for _, p in parts], list(taken.fill.pixels))
        self.assertEqual([r for r, _ in parts], [r for r, _ in wanted[0]])
        self.assertEqual((encoding, new_layer, through), (wanted[1], wanted[3], wanted[4]))
        self.assertEqual(hole.soft, wanted[2].soft)

    def test_what_was_chosen_for_other_pixels_is_not_put_in_place(self):
        def paint(gimp):
            gimp.pixels = bytearray(gimp.pixels)
            gimp.pixels[4 * (40 * 160 + 50) : 4 * (40 * 160 + 52)] = bytes(8)

        def select(gimp):
            gimp.select(Rect(62, 62, 4, 4))

        def soften(gimp):
            gimp.select(Rect(60, 40, 4, 4), 20)

        for change in (paint, select, soften):
            gimp = Gimp()
            gimp.select(Rect(60, 40, 20, 20))
            taken = self.taken(gimp, 1)
            change(gimp)
            fill.fill(gimp, self.inpainter, {}, fill.IN_PLACE, taken=taken)
            again, _ = gimp.written[0], fill.fill(gimp, self.inpainter, {}, fill.IN_PLACE)
            self.assertEqual(again, gimp.written[0], change.__name__)
            self.assertNotEqual([p for _, p in again], list(taken.fill.pixels), change.__name__)

    def test_a_preview_shows_the_fill_through_the_selection(self):
        gimp = Gimp()
        gimp.select(Rect(60, 40, 20, 20), 90)
        work = preview.Job(
            self.inpainter,
            reading.Reading(gimp, self.inpainter, {}, fill.IN_PLACE, fill.LAYER),
            0,
            1,
            (),
        )
        work.run()
        look = work.fills[0].looks[0]
        self.assertEqual(set(look.rgba[3::4]), {0, 90})
        self.assertEqual(sum(a == 90 for a in look.rgba[3::4]), 20 * 20)

    def test_what_goes_wrong_while_it_runs_ends_it_and_is_raised(self):
        gimp = Gimp()
        gimp.select(Rect(40, 30, 80, 60))
        looks = []

        def fail():
            looks.append(1)
            raise OSError("GIMP is gone")

        gimp.meddle = fail
        with self.assertRaisesRegex(OSError, "GIMP is gone"):
            fill.fill(gimp, self.inpainter, {}, fill.IN_PLACE)
        self.assertEqual((len(looks), gimp.written), (1, None))
        # And what the library raises comes out here.
        gimp.meddle = lambda: None
        with self.assertRaises(native.MendError):
            fill.fill(gimp, self.inpainter, {"engine": "lama", "model": "/nowhere"}, fill.IN_PLACE)

    def test_a_layer_off_the_canvas_is_filled_where_both_are(self):
        gimp = Gimp(offset=(100, -50))
        gimp.select(Rect(90, 0, 30, 20))
        fill.fill(gimp, self.inpainter, {}, fill.IN_PLACE)
        hole = gimp.written[2]
        self.assertEqual(hole.rect, Rect(0, 50, 20, 20))
        self.assertEqual(hole.soft, b"\xff" * 400)

    def test_grow_widens_the_hole_also_from_beside_the_layer(self):
        gimp = Gimp(offset=(100, 0))
        gimp.select(Rect(90, 40, 8, 10))  # ends 2 pixels left of the layer
        with self.assertRaisesRegex(Refusal, "does not touch"):
            fill.fill(gimp, self.inpainter, {}, fill.IN_PLACE)
        fill.fill(gimp, self.inpainter, {"grow": "5"}, fill.NEW_LAYER)
        _, encoding, hole, new_layer, through = gimp.written
        self.assertEqual(hole.rect, Rect(0, 35, 3, 20))
        self.assertEqual((encoding, new_layer, through), ("R'G'B'A u8", True, True))

    def test_softness_is_left_to_gimp(self):
        gimp = Gimp()
        gimp.select(Rect(40, 40, 20, 20), 30)
        fill.fill(gimp, self.inpainter, CLOSE, fill.IN_PLACE)
        ((rect, pixels),) = gimp.written[0]
        self.assertEqual(pixels, job.cut(self.whole(gimp), 160 * 4, rect, 4))
        self.assertEqual(set(gimp.written[2].soft), {30})

    def test_what_the_user_does_meanwhile_does_not_move_the_fill(self):
        gimp = Gimp()
        gimp.select(Rect(40, 40, 20, 20))
        fill.fill(gimp, self.inpainter, {}, fill.IN_PLACE)
        self.assertFalse(gimp.written[4], "GIMP's own selection shows it")
        for label, meddle in [
            ("another selection", lambda: gimp.select(Rect(100, 80, 9, 9))),
            ("none", lambda: gimp.selected.__setitem__(slice(None), bytes(len(gimp.selected)))),
        ]:
            gimp = Gimp()
            gimp.select(Rect(40, 40, 20, 20))
            gimp.meddle = meddle
            fill.fill(gimp, self.inpainter, {}, fill.IN_PLACE)
            hole, through = gimp.written[2], gimp.written[4]
            self.assertEqual((hole.rect, through), (Rect(40, 40, 20, 20), True), label)
        # What was selected when the plug-in began counts, however late the fill begins.
        gimp = Gimp()
        gimp.select(Rect(40, 40, 20, 20), 200)
        begun = fill.Selection.now(gimp)
        gimp.selected[:] = bytes(len(gimp.selected))
        gimp.select(Rect(100, 80, 9, 9))
        fill.fill(gimp, self.inpainter, {}, fill.IN_PLACE, selection=begun)
        hole, through = gimp.written[2], gimp.written[4]
        self.assertEqual((hole.rect, set(hole.soft), through), (Rect(40, 40, 20, 20), {200}, True))
        for rect in (
            Rect(40, 40, 20, 20),
            Rect(45, 50, 3, 4),
            Rect(30, 35, 50, 40),
            Rect(-5, -5, 60, 50),
            Rect(55, 55, 90, 60),
            Rect(0, 0, 10, 10),
        ):
            other = Gimp()
            other.select(Rect(40, 40, 20, 20), 200)
            self.assertEqual(begun.over(rect), other.selection(rect), rect)
        gimp = Gimp()
        gimp.select(Rect(40, 40, 20, 20))
        gimp.now = lambda: None
        with self.assertRaisesRegex(Refusal, "removed while it was being filled"):
            fill.fill(gimp, self.inpainter, {}, fill.IN_PLACE)
        self.assertIsNone(gimp.written)

    def test_refusals_write_nothing(self):
        locked = Item("paint", True, content_locked="group")
        for words, item, output, select in [
            ("Nothing is selected", None, fill.IN_PLACE, None),
            ("does not touch", None, fill.IN_PLACE, Rect(0, 0, 10, 10)),
            ("“group” are locked", locked, fill.IN_PLACE, Rect(60, 60, 10, 10)),
            ("layer group", Item("g", True, is_group=True), fill.IN_PLACE, Rect(60, 60, 10, 10)),
            ("text layer", Item("t", True, is_text=True), fill.IN_PLACE, Rect(60, 60, 10, 10)),
            ("floating", Item("f", True, is_floating=True), fill.NEW_LAYER, Rect(60, 60, 10, 10)),
            ("in place", Item("mask", False), fill.NEW_LAYER, Rect(60, 60, 10, 10)),
            ("in-place or new-layer", None, "elsewhere", Rect(60, 60, 10, 10)),
        ]:
            with self.subTest(words):
                gimp = Gimp(100, 80, offset=(30, 30), item=item)
                if select:
                    gimp.select(select)
                with self.assertRaisesRegex(Refusal, words):
                    fill.fill(gimp, self.inpainter, {}, output)
                self.assertIsNone(gimp.written)

    def test_every_value_is_the_librarys_to_judge_and_first(self):
        gimp = Gimp()  # nothing is selected, and the value is what is told
        for name, value in [
            ("grow", "3000"),
            ("grow", "-4"),
            ("grow", "abc"),
            ("grow", ""),
            ("grow", "1e3"),
            ("grow", "4.5"),
            ("grow", "99999999999999999999"),
            ("grow", "nan"),
            ("feather", "-1"),
            ("feather", "257"),
            ("seed", "-1"),
            ("seed", "4294967296"),
            ("context", "wide"),
            ("context", "-5%"),
            ("engine", "exemplr"),
            ("steps", "0"),
            ("steps", "many"),
            ("strength", "nan"),
            ("guidance", "inf"),
            ("scheduler", "best"),
            ("promt", "x"),
            ("result", "layer"),
        ]:
            for act in (fill.fill, fill.plan):
                with self.subTest((name, value)), self.assertRaisesRegex(
                    (Refusal, native.MendError), "'%s'|engine 'exemplr'" % name
                ):
                    act(gimp, self.inpainter, {name: value}, fill.IN_PLACE)
        self.assertIsNone(gimp.written)
        gimp.select(Rect(60, 40, 9, 9))
        for good in ({"grow": " 4 "}, {"grow": "+4"}, {"seed": "4294967295"}, {"context": "25 %"}):
            fill.fill(gimp, self.inpainter, good, fill.IN_PLACE)

    def test_an_empty_layer_is_most_often_the_wrong_one(self):
        gimp = Gimp()
        gimp.select(Rect(60, 40, 20, 20))
        for y in range(120):
            for x in range(160):
                if not (60 <= x < 80 and 40 <= y < 60):
                    gimp.pixels[(y * 160 + x) * 4 + 3] = 0
        for act in (fill.fill, fill.plan):
            with self.assertRaisesRegex(Refusal, "“layer” is transparent .* wrong layer"):
                act(gimp, self.inpainter, {}, fill.IN_PLACE)
        self.assertIsNone(gimp.written)
        # One pixel that is there is the library's to judge.
        gimp.pixels[3] = 1
        with contextlib.suppress(native.MendError):
            fill.plan(gimp, self.inpainter, {})

    def test_all_visible_layers_fill_a_layer_that_shows_nothing_itself(self):
        for offset, size in [((0, 0), (160, 120)), ((50, 30), (60, 50)), ((-20, -10), (300, 200))]:
            gimp = Gimp(*size, offset=offset)
            gimp.pixels = bytearray(size[0] * size[1] * 4)
            gimp.select(Rect(60, 40, 20, 20))
            expected = picture(160, 120)
            self.inpainter.inpaint(
                {},
                native.Image(expected, 160, 120, native.RGBA | native.U8),
                native.Image(bytes(gimp.selected), 160, 120, native.GRAY | native.U8),
            )
            for output in (fill.IN_PLACE, fill.NEW_LAYER):
                fill.plan(gimp, self.inpainter, {}, output, fill.VISIBLE)
                fill.fill(gimp, self.inpainter, {}, output, fill.VISIBLE)
                ((rect, pixels),), _, hole, _, _ = gimp.written
                self.assertEqual(rect, Rect(60 - offset[0], 40 - offset[1], 20, 20))
                self.assertEqual(hole.rect, rect)
                self.assertEqual(pixels, job.cut(expected, 640, Rect(60, 40, 20, 20), 4))
        # Beside the layer there is only room for a new one.
        gimp = Gimp(40, 40, offset=(0, 0))
        gimp.select(Rect(100, 80, 20, 20))
        with self.assertRaisesRegex(Refusal, "does not touch"):
            fill.fill(gimp, self.inpainter, {}, fill.IN_PLACE, fill.VISIBLE)
        fill.fill(gimp, self.inpainter, {}, fill.NEW_LAYER, fill.VISIBLE)
        self.assertEqual(gimp.written[2].rect, Rect(100, 80, 20, 20))
        gimp = Gimp(item=Item("layer mask", False, mask_of="sky"))
        gimp.select(Rect(60, 40, 20, 20))
        with self.assertRaisesRegex(Refusal, "filled from its own values"):
            fill.fill(gimp, self.inpainter, {}, fill.IN_PLACE, fill.VISIBLE)
        with self.assertRaisesRegex(Refusal, "layer or visible"):
            fill.fill(Gimp(), self.inpainter, {}, fill.IN_PLACE, "merged")

    def test_the_target_is_said(self):
        for item, words in [
            (Item("sky", True), "Fills the selection on “sky”."),
            (
                Item("layer mask", False, mask_of="sky"),
                "Fills the selection in the mask of “sky”, not in the layer.",
            ),
            (Item("red", False), "Fills the selection in the channel “red”."),
        ]:
            self.assertEqual(fill.target_text(item), words)
            self.assertEqual(fill.filled_text(item), words.replace("Fills", "Filled"))

    def test_a_lock_on_alpha_counts_only_where_it_would_hide_the_fill(self):
        gimp = Gimp(item=Item("layer", True, alpha_locked=True, has_alpha=True))
        gimp.pixels[(30 * 160 + 30) * 4 + 3] = 0
        gimp.select(Rect(100, 60, 10, 10))
        fill.fill(gimp, self.inpainter, {}, fill.IN_PLACE)
        gimp.select(Rect(28, 28, 6, 6))
        with self.assertRaisesRegex(Refusal, "transparency of “layer” is locked"):
            fill.fill(gimp, self.inpainter, {}, fill.IN_PLACE)


class Pixels(unittest.TestCase):
    def test_formats_are_taken_as_they_are_or_not_at_all(self):
        for encoding, expected in [
            ("R'G'B' u8", native.RGB | native.U8),
            ("R'G'B'A u16", native.RGBA | native.U16),
            ("RGBA half", native.RGBA | native.F16 | native.LINEAR),
            ("R~G~B~ float", native.RGB | native.F32),
            ("Y u8", native.GRAY | native.U8 | native.LINEAR),
            ("Y'A float", native.GRAYA | native.F32),
            ("RGB u32", None),
            ("Y' double", None),
            (")gimp-indexed-format-8", None),
            ("cairo-ARGB32", None),
            ("", None),
        ]:
            self.assertEqual(fill.pixel_format(encoding), expected, encoding)


if __name__ == "__main__":
    unittest.main()
