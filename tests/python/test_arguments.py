# SPDX-License-Identifier: MIT OR Apache-2.0
"""plugin-gimp/arguments.py: what a script for GIMP sets is what the library gets."""

import os
import unittest

import plugins

plugins.import_gimp()

import arguments
import fill
import native
from test_native import library_file
from test_params import TWO


def choice(*names):
    return [{"id": name, "label": name} for name in names]


def param(name, kind, default, **more):
    return dict(name=name, label=name.title(), help="Help.", type=kind, default=default, **more)


def described(**engines):
    """A description of engines with these parameters of their own."""
    common = [param("engine", "choice", "auto", choices=choice("auto", *engines))]
    listed = [{"id": i, "label": i, "available": True, "params": p} for i, p in engines.items()]
    return {"params": common, "engines": listed}


class Named(unittest.TestCase):
    """GIMP 3."""

    def arguments(self, description):
        return {a.name: a for a in arguments.named(description)}

    def sent(self, description, **values):
        """What goes to the library for a script that sets these and leaves the others."""
        defaults = {name: a.default for name, a in self.arguments(description).items()}
        given = dict(defaults, **values)
        return arguments.from_named(description, given.__getitem__)

    def test_what_is_not_set_is_not_sent(self):
        self.assertEqual(self.sent(TWO), {})
        self.assertEqual(self.sent(TWO, engine="second"), {"engine": "second"})

    def test_each_engines_own_default_can_be_asked_for(self):
        for engine, steps, scheduler in (("first", 20, "karras"), ("second", 25, "ddim")):
            for other_steps, other_scheduler in ((20, "karras"), (25, "ddim"), (7, "ddpm")):
                got = self.sent(TWO, engine=engine, steps=other_steps, scheduler=other_scheduler)
                self.assertEqual(
                    got, {"engine": engine, "steps": str(other_steps), "scheduler": other_scheduler}
                )
            self.assertEqual(self.sent(TWO, engine=engine, steps=steps)["steps"], str(steps))
            self.assertNotIn("scheduler", self.sent(TWO, engine=engine))
            self.assertNotEqual(self.arguments(TWO)["scheduler"].default, scheduler)

    def test_what_the_engine_has_not_goes_on_where_it_was_set(self):
        self.assertEqual(
            self.sent(TWO, engine="second", prompt="a boat"),
            {"engine": "second", "prompt": "a boat"},
        )

    def test_no_engine_has_the_default_that_stands_for_each_ones_own(self):
        description = described(
            a=[
                param("steps", "integer", "20", min=1, max=9),
                param("noise", "number", "0.5", min=0.0),
                param("sharp", "flag", "true"),
                param("size", "integer", "3"),
            ],
            b=[
                param("steps", "integer", "5", min=-4, max=9),
                param("noise", "number", "-1.5"),
                param("sharp", "flag", "false"),
                param("size", "text", "large"),
            ],
        )
        got = {name: (a.type, a.default) for name, a in self.arguments(description).items()}
        self.assertEqual(
            got,
            {
                "engine": ("choice", "auto"),
                "steps": ("integer", -5),
                "noise": ("number", -2.5),
                "sharp": ("text", ""),
                "size": ("text", ""),
            },
        )
        self.assertEqual(
            self.sent(description, sharp="false", steps=0, noise=-1.5, size="3"),
            {"sharp": "false", "steps": "0", "noise": "-1.5", "size": "3"},
        )

    def test_each_engines_values_are_told(self):
        blurb = self.arguments(TWO)["scheduler"].blurb
        for words in (
            "first: one of euler, karras, ddim, by default karras.",
            "second: one of ddpm, ddim, by default ddim.",
            "An empty text leaves it",
        ):
            self.assertIn(words, blurb)
        # One default and other choices.
        description = described(
            a=[param("mode", "choice", "x", choices=choice("x", "y"))],
            b=[param("mode", "choice", "x", choices=choice("x", "z"))],
        )
        self.assertEqual(
            self.arguments(description)["mode"].blurb, "Help. a: one of x, y. b: one of x, z."
        )
        self.assertEqual(self.arguments(TWO)["prompt"].blurb, "h")


class Placed(unittest.TestCase):
    """GIMP 2.10."""

    def test_places_are_those_that_scripts_count(self):
        description = dict(TWO, params=TWO["params"][::-1])
        self.assertEqual([f.name for f in arguments.placed(description)], ["engine", "grow"])

    def test_what_is_not_set_is_not_sent(self):
        for values in (["auto", 0], ["", 0]):
            self.assertEqual(arguments.from_placed(TWO, values, ""), ({}, fill.LAYER))
        got = arguments.from_placed(
            TWO, ["second", 4], "steps=20\n\n negative_prompt = a = b \nsample=visible\n"
        )
        self.assertEqual(
            got,
            (
                {"engine": "second", "grow": "4", "steps": "20", "negative-prompt": "a = b"},
                fill.VISIBLE,
            ),
        )
        with self.assertRaisesRegex(fill.Refusal, "'steps 20'"):
            arguments.from_placed(TWO, ["auto", 0], "grow=1\nsteps 20")


class Library(unittest.TestCase):
    """What the real library says of itself."""

    @classmethod
    def setUpClass(cls):
        cls.inpainter = native.Inpainter({"models": "/nowhere"}, native.load(library_file()))

    def test_every_argument_left_alone_sends_nothing(self):
        description = self.inpainter.describe()
        named = arguments.named(description)
        self.assertNotIn("result", [a.name for a in named])
        defaults = {a.name: a.default for a in named}
        self.assertEqual(arguments.from_named(description, defaults.__getitem__), {})
        placed = [f.default for f in arguments.placed(description)]
        self.assertEqual(len(placed), len(arguments.PLACED))
        self.assertEqual(arguments.from_placed(description, placed, ""), ({}, fill.LAYER))

    def test_every_default_of_every_engine_can_be_set(self):
        description = self.inpainter.describe()
        kinds = {a.name: a for a in arguments.named(description)}
        for engine in description["engines"]:
            for own in engine["params"]:
                with self.subTest((engine["id"], own["name"])):
                    argument = kinds[own["name"]]
                    field = next(f for f in argument.fields if f.engine == engine["id"])
                    given = {a.name: a.default for a in kinds.values()}
                    given.update({"engine": engine["id"], own["name"]: field.default})
                    sent = arguments.from_named(description, given.__getitem__)
                    self.assertEqual(sent.pop("engine"), engine["id"])
                    # Equal to what stands for "not set" only where every engine's default is that.
                    if not argument.same:
                        self.assertEqual(sent, {own["name"]: field.text(field.default)})
                    self.inpainter.check(dict(sent, engine=engine["id"]))

    def test_without_a_file_the_library_is_asked(self):
        self.assertFalse(os.path.exists(os.path.join(arguments.HERE, "describe.json")))
        self.assertEqual(arguments.registered(lambda: TWO), TWO)

        def broken():
            raise native.LoadError("none")

        self.assertEqual(arguments.registered(broken), {"params": [], "engines": []})


if __name__ == "__main__":
    unittest.main()
