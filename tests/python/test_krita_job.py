# SPDX-License-Identifier: MIT OR Apache-2.0
"""The Krita plug-in's decisions, with no Krita."""

import array
import copy
import json
import os
import random
import re
import unittest
import xml.etree.ElementTree as ElementTree

import plugins

plugins.import_krita()
from mend_inpaint import krita_job, masks, native, raw
from mend_inpaint.job import Rect
from mend_inpaint.krita_job import Facts, Options
from mend_inpaint.raw import Space

KRITA = os.path.join(plugins.ROOT, "plugin-krita")
DESCRIPTION = {
    "params": [
        {
            "name": "engine",
            "label": "Engine",
            "help": "h",
            "type": "choice",
            "default": "auto",
            "choices": [
                {"id": "auto", "label": "Automatic"},
                {"id": "a", "label": "A"},
                {"id": "b", "label": "B"},
                {"id": "c", "label": "C"},
            ],
        },
        {
            "name": "seed",
            "label": "Seed",
            "help": "h",
            "type": "integer",
            "min": 0,
            "max": 9,
            "default": "0",
        },
        {
            "name": "context",
            "label": "Context",
            "help": "h",
            "type": "extent",
            "max_pixels": 100,
            "max_percent": 1000.0,
            "default": "auto",
        },
        {
            "name": "result",
            "label": "Result",
            "help": "h",
            "type": "choice",
            "default": "image",
            "choices": [{"id": "image", "label": "Picture"}, {"id": "layer", "label": "Layer"}],
        },
    ],
    "engines": [
        {"id": "a", "label": "A", "params": [], "available": True},
        {
            "id": "b",
            "label": "B",
            "available": True,
            "params": [
                {"name": "prompt", "label": "Prompt", "help": "h", "type": "text", "default": ""},
                {
                    "name": "guidance",
                    "label": "Guidance",
                    "help": "h",
                    "type": "number",
                    "min": 0.0,
                    "max": 20.0,
                    "default": "7.5",
                },
                {
                    "name": "steps",
                    "label": "Steps",
                    "help": "h",
                    "type": "integer",
                    "min": 1,
                    "max": 99,
                    "default": "20",
                },
            ],
        },
        {
            "id": "c",
            "label": "C",
            "available": True,
            "params": [
                {
                    "name": "steps",
                    "label": "Steps",
                    "help": "h",
                    "type": "integer",
                    "min": 1,
                    "max": 50,
                    "default": "25",
                }
            ],
        },
    ],
}


class Files(unittest.TestCase):
    def test_only_the_host_imports_krita(self):
        for name in sorted(os.listdir(KRITA)):
            if name.endswith(".py") and name not in ("host.py", "__init__.py"):
                with open(os.path.join(KRITA, name), encoding="utf-8") as file:
                    self.assertIsNone(
                        re.search(r"^\s*(from|import) krita\b", file.read(), re.MULTILINE), name
                    )

    def test_actions_are_those_of_the_code(self):
        tree = ElementTree.parse(os.path.join(KRITA, "mend_inpaint.action"))
        with open(os.path.join(KRITA, "host.py"), encoding="utf-8") as file:
            code = file.read()
        names = [action.get("name") for action in tree.iter("Action")]
        self.assertEqual(
            names,
            [
                "mend_inpaint",
                "mend_inpaint_again",
                "mend_select_object",
                "mend_expand",
                "mend_remove_object",
                "mend_fill_quickly",
            ],
        )
        for action in tree.iter("Action"):
            self.assertIn('"%s"' % action.get("name"), code)
            self.assertTrue(action.findtext("text").startswith("Mend: "))
            self.assertIn('"%s"' % action.findtext("text").replace("\u2026", "\\u2026"), code)
            # Greyed out, it could not say why it is.
            self.assertEqual(action.findtext("activationFlags"), "0")


class Formats(unittest.TestCase):
    def test_whole_numbers_are_bgra_and_floats_rgba(self):
        for depth, layout in (
            ("U8", native.BGRA),
            ("U16", native.BGRA),
            ("F16", native.RGBA),
            ("F32", native.RGBA),
        ):
            space = Space("RGBA", depth, "")
            number = raw.pixel_format(space, False)
            self.assertEqual(number & 15, layout)
            self.assertEqual(native.pixel_bytes(number), space.pixel_bytes)
        gray = raw.pixel_format(Space("GRAYA", "F16", ""), True)
        self.assertEqual(gray, native.GRAYA | native.F16 | native.LINEAR)

    def test_linear_is_measured_by_the_ratio(self):
        for gamma, linear in ((1.0, True), (1.8, False), (2.2, False), (2.4, False)):
            for white in (0.1, 1.0, 125.0):
                self.assertEqual(
                    raw.is_linear(white * 0.25**gamma, white * 0.5**gamma), linear, gamma
                )
        self.assertFalse(raw.is_linear(0.0, 0.0))


class Windows(unittest.TestCase):
    def plan_of(self, canvas, hole, context, seen):
        def plan(window):
            seen.append(window)
            inside = hole.moved(-window.x, -window.y)
            whole = Rect(0, 0, window.width, window.height)
            rect = inside.grown(context).intersect(whole)
            self.assertEqual(inside.intersect(whole), inside, "the window cuts the hole")
            return {"regions": [{"rect": dict(rect._asdict()), "hole": dict(inside._asdict())}]}

        return plan

    def test_the_plan_is_the_whole_canvas_s(self):
        canvas = Rect(0, 0, 5000, 4000)
        for hole in (Rect(2000, 1500, 40, 30), Rect(0, 0, 10, 10), Rect(4990, 3990, 10, 10)):
            for context in (0, 48, 255, 256, 257, 3000, 9000):
                seen = []
                window, plan = krita_job.plan_within(
                    canvas, hole, self.plan_of(canvas, hole, context, seen)
                )
                rect = Rect.of(plan["regions"][0]["rect"]).moved(window.x, window.y)
                self.assertEqual(rect, hole.grown(context).intersect(canvas))

    def test_a_small_hole_does_not_read_the_canvas(self):
        canvas, seen = Rect(0, 0, 20000, 20000), []
        hole = Rect(9000, 9000, 50, 50)
        krita_job.plan_within(canvas, hole, self.plan_of(canvas, hole, 100, seen))
        self.assertEqual(len(seen), 1)
        self.assertLess(seen[0].area, 600 * 600)


class Pixels(unittest.TestCase):
    def setUp(self):
        self.random = random.Random(5)

    def bytes(self, count):
        return bytes(self.random.randrange(256) for _ in range(count))

    def test_changed_and_chosen_pixels(self):
        for size in (1, 2, 4, 5, 8, 10, 16, 20):
            before, take = self.bytes(size * 50), self.bytes(size * 50)
            after = bytearray(before)
            for pixel in (0, 7, 49):
                after[pixel * size + self.random.randrange(size)] ^= 1 << self.random.randrange(8)
            changed = masks.changed(before, bytes(after), size)
            self.assertEqual([i for i in range(50) if changed[i]], [0, 7, 49])
            self.assertLessEqual(set(changed), {0, 255})
            chosen = masks.choose(before, take, changed, size)
            for i in range(50):
                source = take if i in (0, 7, 49) else before
                self.assertEqual(
                    chosen[i * size : i * size + size], source[i * size : i * size + size]
                )

    def test_visible_pixels(self):
        floats = array.array("f", [1, 2, 3, 0.0, 0, 0, 0, 1e-6, 5, 5, 5, 1.0])
        self.assertEqual(masks.visible(floats.tobytes(), 16, 4), bytes((0, 255, 255)))
        self.assertEqual(masks.visible(bytes((9, 9, 9, 0, 0, 0, 0, 1)), 4, 1), bytes((0, 255)))

    def test_whether_anything_is_around_the_hole(self):
        for space in (
            Space("RGBA", "U8", ""),
            Space("GRAYA", "F32", ""),
            Space("CMYKA", "U16", ""),
        ):
            size = space.pixel_bytes

            def pixels(*seen):
                return b"".join(b"\1" * size if s else b"\2" + bytes(size - 1) for s in seen)

            self.assertTrue(raw.surrounded(pixels(1, 0, 0), space, b"\0\xff\0"))
            self.assertTrue(raw.surrounded(pixels(0, 1, 1), space, b"\0\xff\0"))
            self.assertFalse(raw.surrounded(pixels(0, 1, 0), space, b"\0\1\0"))
            self.assertFalse(raw.surrounded(pixels(0, 0, 0), space, b"\0\0\0"))

    def test_transparency(self):
        import struct

        half = {"U8": 90, "U16": 90, "F16": 0.25, "F32": 0.25}
        code = {"U8": "B", "U16": "H", "F16": "e", "F32": "f"}
        full = {"U8": 255, "U16": 65535, "F16": 1.0, "F32": 1.0}
        for model in ("RGBA", "GRAYA", "CMYKA"):
            for depth, letter in code.items():
                space = Space(model, depth, "")

                def pixels(*alphas):
                    one = "%d%s" % (space.channels, letter)
                    return b"".join(
                        struct.pack("=" + one, *([0] * (space.channels - 1) + [a])) for a in alphas
                    )

                one, no, some = full[depth], 0, half[depth]
                for alphas, mask, wanted in (
                    ((one, one, one), b"\xff\1\xff", raw.OPAQUE),
                    ((one, some, no), b"\xff\0\0", raw.OPAQUE),
                    ((one, some, no), b"\xff\0\1", raw.EMPTY_PARTS),
                    ((one, some, no), b"\0\1\1", raw.TRANSLUCENT),
                ):
                    self.assertEqual(raw.transparency(pixels(*alphas), space, mask), wanted, space)

    def test_a_correction_meets_its_target(self):
        # A conversion that shifts every value by a tenth of it and something more.
        def there_and_back(data):
            return array.array("f", [v * 0.9 + 0.02 for v in array.array("f", data)]).tobytes()

        target = array.array("f", [0.1, 0.5, 0.9, 1.0] * 10).tobytes()
        seen = bytes([255]) * 10
        aim = target
        before = raw.shift(target, there_and_back(aim), seen)
        for _ in range(4):
            aim = raw.corrected(target, aim, there_and_back(aim))
        after = raw.shift(target, there_and_back(aim), seen)
        self.assertGreater(before, 0.01)
        self.assertLess(after, 0.0001)
        self.assertEqual(raw.shift(target, there_and_back(target), bytes(10)), 0.0)


class Refusals(unittest.TestCase):
    good = Facts(name="L", canvas=Rect(0, 0, 100, 100), selection=Rect(10, 10, 5, 5))

    def test_what_can_be_filled_is_not_refused(self):
        self.assertIsNone(krita_job.no_target(self.good))
        self.assertIsNone(krita_job.no_layer_fill(self.good))
        self.assertIsNone(krita_job.no_in_place(self.good))
        self.assertEqual(krita_job.advice(Options({}), self.good), "")
        partly_off = self.good._replace(selection=Rect(-50, -50, 60, 60))
        self.assertIsNone(krita_job.no_target(partly_off))
        for model in ("RGBA", "GRAYA", "CMYKA", "LABA", "XYZA", "YCbCrA"):
            for depth in ("U8", "U16", "F16", "F32"):
                facts = self.good._replace(space=Space(model, depth, "p"))
                self.assertIsNone(krita_job.no_layer_fill(facts))

    def test_every_refusal_says_what_to_do(self):
        for change, word, judge in (
            ({"document": False}, "Open one", krita_job.no_target),
            ({"selection": Rect(0, 0, 0, 0)}, "Select", krita_job.no_target),
            ({"selection": Rect(200, 0, 9, 9)}, "Select", krita_job.no_target),
            ({"layer": False}, "Choose one", krita_job.no_target),
            ({"kind": "grouplayer"}, "all visible layers", krita_job.no_layer_fill),
            ({"kind": "vectorlayer"}, "Choose a paint layer", krita_job.no_layer_fill),
            ({"kind": "something new"}, "Choose a paint layer", krita_job.no_layer_fill),
            ({"locked": True}, "on a new layer", krita_job.no_in_place),
            ({"locked_group": True}, "Unlock the group", krita_job.no_in_place),
            ({"locked_group": True}, "Unlock the group", krita_job.no_new_layer),
            ({"name": "sky"}, "active layer is \u201csky\u201d", krita_job.nothing_around),
            ({"hidden": True}, "Show it", krita_job.no_layer_fill),
            ({"space": Space("A", "U8", "")}, "Convert", krita_job.no_layer_fill),
            (
                {"alpha_locked": True, "transparency": raw.EMPTY_PARTS},
                "Unlock",
                krita_job.no_in_place,
            ),
        ):
            text = judge(self.good._replace(**change)) or ""
            self.assertIn(word, text, change)
            self.assertTrue(text.endswith("."), text)

    def test_a_locked_layer_may_get_a_layer_above(self):
        locked = self.good._replace(locked=True)
        self.assertIsNone(krita_job.no_layer_fill(locked))
        self.assertIsNone(krita_job.no_new_layer(locked))

    def test_all_visible_layers_need_no_paint_layer(self):
        rgb = Space("RGBA", "U8", "")
        for kind in ("grouplayer", "vectorlayer", "paintlayer", "clonelayer"):
            self.assertIsNone(krita_job.no_merged_fill(self.good._replace(kind=kind), rgb))
        mask = self.good._replace(kind="filtermask")
        self.assertIn("Choose a layer", krita_job.no_merged_fill(mask, rgb) or "")

    def test_advice_where_a_layer_above_cannot_hide_what_is_below(self):
        for change in (
            {"opacity": 100},
            {"blending": "multiply"},
            {"masks": True},
            {"transparency": raw.TRANSLUCENT},
        ):
            facts = self.good._replace(**change)
            self.assertIn("In place", krita_job.advice(Options({}), facts))
            self.assertEqual(krita_job.advice(Options({}, "in-place"), facts), "")
            self.assertEqual(krita_job.advice(Options({}, "layer", "visible"), facts), "")


class Memory(unittest.TestCase):
    def test_what_was_remembered_comes_back(self):
        options = Options(
            {
                "": {
                    "engine": "b",
                    "seed": 4,
                    "context": "50%",
                    "prompt": "a \u201cwall\u201d, \n",
                },
                "b": {"guidance": 3.5, "steps": 30},
                "c": {"steps": 7},
            },
            "in-place",
            "own",
            "prompt",
            True,
        )
        self.assertEqual(krita_job.recall(krita_job.remember(options), DESCRIPTION), options)

    def test_what_was_remembered_before_there_were_intents(self):
        for values, intent in (
            ({}, "remove"),
            ({"": {"prompt": "a wall"}}, "prompt"),
            ({"": {"engine": "b", "prompt": "a wall"}}, "prompt"),
            ({"": {"engine": "b"}}, "remove"),
            ({"": {"engine": "a", "prompt": "a wall"}}, "remove"),
        ):
            text = json.dumps({"values": values, "result": "in-place", "source": "own"})
            recalled = krita_job.recall(text, DESCRIPTION)
            self.assertEqual(recalled, Options(values, "in-place", "own", intent), text)
        # A model that is gone takes the intent along.
        gone = copy.deepcopy(DESCRIPTION)
        gone["engines"][1]["available"] = False
        text = krita_job.remember(Options({}, "layer", "own", "prompt"))
        self.assertEqual(krita_job.recall(text, gone).intent, "remove")

    def test_anything_else_gives_defaults(self):
        wanted = krita_job.recall("", DESCRIPTION)
        self.assertEqual(wanted, Options({}, "layer", "own", "remove"))
        for text in (
            "{",
            "[]",
            "3",
            "null",
            '{"values": 3}',
            '{"values": {"": {"seed": "x"}}}',
            '{"values": {"seed": 3}}',
            9999 * "[",
            '{"values": {"": {"seed": null, "engine": "gone", "context": []}}}',
            '{"values": {"b": {"guidance": NaN}}}',
            '{"result": 1, "source": {}}',
        ):
            self.assertEqual(krita_job.recall(text, DESCRIPTION), wanted, text)
        both = krita_job.recall('{"result": "in-place", "source": "visible"}', DESCRIPTION)
        self.assertEqual(both.result, "layer")

    def request(self, values, **more):
        return krita_job.request(DESCRIPTION, Options(values, **more))

    def test_the_request_has_what_the_engine_knows(self):
        kept = {"b": {"guidance": 3.0, "steps": 30}, "c": {"steps": 7}}
        for engine, wanted in (
            ("a", {"engine": "a"}),
            ("b", {"engine": "b", "guidance": "3.0", "steps": "30"}),
            ("c", {"engine": "c", "steps": "7"}),
        ):
            got = self.request(dict(kept, **{"": {"engine": engine}}))
            self.assertEqual(got, dict(wanted, result="layer"))
        self.assertEqual(self.request(kept), {"result": "layer"})
        # What differs from another engine's default and not from this one's.
        self.assertEqual(
            self.request({"": {"engine": "c"}, "c": {"steps": 25}}, result="in-place"),
            {"engine": "c", "result": "image"},
        )

    def test_one_click_forgets_the_last_settings_but_where_it_goes(self):
        last = Options({"": {"engine": "b", "grow": 9, "seed": 3}}, "in-place", "own")
        clicked = krita_job.one_click(last, {"seed": 4})
        self.assertEqual(krita_job.request(DESCRIPTION, clicked), {"seed": "4", "result": "image"})

    def test_what_stands_behind_more_is_counted(self):
        def changed(values):
            return krita_job.changed(krita_job.settings(DESCRIPTION, Options(values)))

        self.assertEqual(changed({}), 0)
        self.assertEqual(changed({"": {"engine": "b", "prompt": "x"}}), 1)
        self.assertEqual(changed({"": {"engine": "b", "seed": 3}, "b": {"steps": 3}}), 3)
        self.assertEqual(changed({"": {"seed": 3}, "b": {"steps": 3}}), 1)

    def test_extents(self):
        for text, parts in (
            ("auto", ("auto", 0)),
            ("64", ("px", 64)),
            ("64px", ("px", 64)),
            ("50%", ("%", 50)),
            ("12.5 %", ("%", 12)),
            ("x", ("auto", 0)),
            ("-3", ("px", 0)),
            ("", ("auto", 0)),
            ("1e999%", ("auto", 0)),
        ):
            self.assertEqual(krita_job.extent_parts(text), parts, text)


if __name__ == "__main__":
    unittest.main()
