# SPDX-License-Identifier: MIT OR Apache-2.0
"""plugin-gimp/panel.py with the real library. Run: python3 -m unittest discover tests/python"""

import json
import os
import tempfile
import unittest

import plugins

plugins.import_gimp()

import fill
import native
import panel
import params
from fill import Item
from job import Rect
from test_fill import Gimp
from test_native import library_file


def chosen(settings, name):
    return next(f for e in (True, False) for f in settings.fields(e) if f.name == name)


class Panel(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        library = native.load(library_file())
        cls.inpainter = native.Inpainter({"threads": "2", "models": "/nowhere"}, library)
        cls.description = cls.inpainter.describe()
        # As if every model were here.
        cls.everything = dict(
            cls.description,
            engines=[dict(e, available=True, reason=None) for e in cls.description["engines"]],
        )

    def panel(self, description=None, stored=None):
        return panel.Panel(description or self.description, stored or {})

    def test_what_is_shown_at_once_is_little(self):
        names = [f.name for f in self.panel().fields(True)]
        self.assertEqual(names, ["engine", "grow"])
        everything = self.panel(self.everything)
        self.assertEqual([f.name for f in everything.fields(True)], ["engine", "grow", "prompt"])
        for engine in self.everything["engines"]:
            everything.settings.set(chosen(everything, "engine"), engine["id"])
            self.assertLessEqual(len(everything.fields(True)), 3)
            shown = {f.name for e in (True, False) for f in everything.fields(e)}
            common = {p["name"] for p in self.description["params"]} - set(params.NO_FIELDS)
            # A canvas that grows has a dialog of its own.
            common -= {"expand"}
            self.assertEqual(shown, common | {p["name"] for p in engine["params"]})

    def test_a_dialog_with_intents(self):
        settings = self.panel(self.everything)
        self.assertIsNone(settings.intent)
        settings.with_intents()
        self.assertEqual(settings.intent, params.REMOVE)
        self.assertNotIn("prompt", [f.name for e in (True, False) for f in settings.fields(e)])
        # The best of those that are here, for removing.
        self.assertEqual(settings.asked().parameters, {"engine": "lama"})
        self.assertEqual(self.panel(stored={"intent": "remove"}).asked().parameters, {})
        settings.intent = params.PROMPT
        gimp = Gimp()
        gimp.select(Rect(60, 40, 20, 20))
        verdict = settings.judge(gimp, self.inpainter)
        self.assertEqual((verdict.good, verdict.text), (False, params.NO_PROMPT))
        settings.settings.set(chosen(settings, "prompt"), "a wall")
        self.assertEqual(settings.asked().parameters, {"engine": "diffusion", "prompt": "a wall"})
        again = self.panel(self.everything, settings.stored())
        self.assertEqual((again.intent, again.asked()), (params.PROMPT, settings.asked()))
        # Where its model is gone, something else is wanted.
        self.assertEqual(self.panel(stored=settings.stored()).intent, params.REMOVE)
        # What a dialog without intents kept.
        old = self.panel(self.everything, {"settings": {"": {"prompt": "a wall"}}})
        old.with_intents()
        self.assertEqual(old.intent, params.PROMPT)

    def test_every_engine_accepts_its_own_defaults_and_gets_no_others(self):
        everything = self.panel(self.everything)
        for engine in self.everything["engines"]:
            everything.settings.set(chosen(everything, "engine"), engine["id"])
            for f in everything.fields(False):
                everything.settings.set(f, f.default)
            self.assertEqual(everything.asked().parameters, {"engine": engine["id"]})

    def test_every_engine_keeps_its_own_values_and_the_library_takes_them(self):
        everything = self.panel(self.everything)
        wanted = {}
        for engine in self.everything["engines"]:
            wanted[engine["id"]] = {"engine": engine["id"]}
            everything.settings.set(chosen(everything, "engine"), engine["id"])
            for f in everything.settings.fields():
                if not f.engine or f.type == "text":
                    continue
                # The choice that stands first is not always the default, nor is the lowest number.
                values = [name for name, _ in f.choices] or [f.min, f.max]
                value = next(v for v in values if v != f.default)
                everything.settings.set(f, value)
                wanted[engine["id"]][f.name] = f.text(value)
        again = self.panel(self.everything, json.loads(json.dumps(everything.stored())))
        for engine, parameters in wanted.items():
            again.settings.set(chosen(again, "engine"), engine)
            self.assertEqual(again.asked().parameters, parameters)
            self.inpainter.check(parameters)
        self.assertNotEqual(wanted["rad"]["scheduler"], wanted["diffusion"]["scheduler"])

    def test_a_verdict_for_every_state(self):
        gimp = Gimp()
        good, text, *_ = self.panel().judge(gimp, self.inpainter)
        self.assertEqual((good, "Nothing is selected" in text), (False, True))
        gimp.select(Rect(40, 40, 20, 20))
        good, text, summary, *_ = self.panel().judge(gimp, self.inpainter)
        self.assertTrue(good and text.endswith("of memory.") and summary)
        settings = self.panel()
        settings.settings.set(chosen(settings, "context"), "wid")
        good, text, *_ = settings.judge(gimp, self.inpainter)
        self.assertEqual((good, "'context'" in text), (False, True))

    def test_a_mask_is_filled_in_place_from_itself(self):
        settings = self.panel(stored={"output": "new-layer", "sample": "visible"})
        self.assertEqual(settings.asked()[1:], ("new-layer", "visible"))
        settings.for_item(Item("layer mask", False, mask_of="sky"))
        self.assertEqual(settings.asked()[1:], (fill.IN_PLACE, fill.LAYER))

    def test_settings_are_kept_and_a_broken_file_is_none(self):
        with tempfile.TemporaryDirectory() as folder:
            memory = panel.Memory(folder)
            self.assertEqual(memory.read(), {})
            settings = self.panel(stored={"output": "new-layer"})
            settings.settings.set(chosen(settings, "grow"), 7)
            memory.write(settings.stored())
            again = self.panel(stored=memory.read())
            self.assertEqual(again.asked(), ({"grow": "7"}, "new-layer", "layer"))
            self.assertEqual(os.listdir(folder), ["mend-inpaint.json"])
            for text in (
                "",
                "[]",
                "{",
                json.dumps({"output": 3, "settings": [1], "sample": None}),
                json.dumps({"output": "in-place", "values": {"grow": "4"}}),
            ):
                with open(memory.path, "w") as file:
                    file.write(text)
                self.assertEqual(
                    self.panel(stored=memory.read()).asked(), ({}, "in-place", "layer")
                )
        memory.write({})  # nowhere to write: nothing is raised


if __name__ == "__main__":
    unittest.main()
