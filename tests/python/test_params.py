# SPDX-License-Identifier: MIT OR Apache-2.0
"""params.py: what dialogs show and send. Run: python3 -m unittest discover tests/python"""

import json
import unittest

import plugins

plugins.import_gimp()

import params

DESCRIPTION = {
    "params": [
        {
            "name": "engine",
            "label": "Engine",
            "help": "h",
            "type": "choice",
            "default": "auto",
            "choices": [{"id": i, "label": i.title()} for i in ("auto", "exemplar", "big")],
        },
        {
            "name": "seed",
            "label": "Seed",
            "help": "h",
            "type": "integer",
            "default": "0",
            "min": 0,
            "max": 9,
        },
        {
            "name": "context",
            "label": "Context",
            "help": "h",
            "type": "extent",
            "default": "auto",
            "max_pixels": 10,
            "max_percent": 10.0,
        },
    ],
    "engines": [
        {
            "id": "exemplar",
            "label": "Exemplar",
            "summary": "s",
            "available": True,
            "params": [
                {"name": "sharp", "label": "Sharp", "help": "h", "type": "flag", "default": "true"}
            ],
        },
        {
            "id": "big",
            "label": "Big",
            "summary": "s",
            "available": False,
            "reason": "run 'mend models get big'",
            "params": [
                {
                    "name": "steps",
                    "label": "Steps",
                    "help": "h",
                    "type": "number",
                    "default": "2.5",
                    "min": 0,
                    "max": 9,
                },
                {"name": "sharp", "label": "Sharp", "help": "h", "type": "flag", "default": "true"},
            ],
        },
    ],
}


def _choices(*names):
    return [{"id": name, "label": name.title()} for name in names]


def _param(name, kind, default, **more):
    return dict(
        {"name": name, "label": name, "help": "h", "type": kind, "default": default}, **more
    )


# Two engines that mean different things by one name: by each kind of parameter.
TWO = {
    "params": [
        _param("engine", "choice", "auto", choices=_choices("auto", "first", "second")),
        _param("grow", "integer", "0", min=0, max=256),
    ],
    "engines": [
        {
            "id": "first",
            "label": "First",
            "available": True,
            "params": [
                _param("prompt", "text", ""),
                _param("steps", "integer", "20", min=1, max=99),
                _param(
                    "scheduler", "choice", "karras", choices=_choices("euler", "karras", "ddim")
                ),
            ],
        },
        {
            "id": "second",
            "label": "Second",
            "available": True,
            "params": [
                _param("steps", "integer", "25", min=1, max=99),
                _param("scheduler", "choice", "ddim", choices=_choices("ddpm", "ddim")),
                _param("grow", "integer", "2", min=1, max=8),
            ],
        },
    ],
}


class Parameters(unittest.TestCase):
    def test_fields(self):
        found = [(f.engine, f.name, f.default) for f in params.all_fields(DESCRIPTION)]
        self.assertEqual(
            found,
            [
                ("", "engine", "auto"),
                ("", "seed", 0),
                ("", "context", "auto"),
                ("exemplar", "sharp", True),
                ("big", "steps", 2.5),
                ("big", "sharp", True),
            ],
        )
        context = params.all_fields(DESCRIPTION)[2]
        self.assertEqual((context.max_pixels, context.max_percent), (10, 10.0))

    def test_engines_that_cannot_run_are_not_offered_and_say_why(self):
        engine = params.common_fields(DESCRIPTION)[0]
        self.assertEqual([i for i, _ in params.choices(engine, DESCRIPTION)], ["auto", "exemplar"])
        self.assertEqual(params.engines(DESCRIPTION)[1].why_not, "run 'mend models get big'")

    def test_an_engines_fields_are_its_own(self):
        def own(engine):
            return [(f.name, f.default) for f in params.fields_of(TWO, engine)]

        common = [("engine", "auto"), ("grow", 0)]
        self.assertEqual(
            own("first"), [*common, ("prompt", ""), ("steps", 20), ("scheduler", "karras")]
        )
        # What an engine describes anew is its own.
        self.assertEqual(
            own("second"), [*common[:1], ("steps", 25), ("scheduler", "ddim"), ("grow", 2)]
        )
        # Automatic asks for what is wanted, and for nothing that only one engine knows.
        self.assertEqual(own("auto"), [*common, ("prompt", "")])
        gone = dict(TWO, engines=[dict(e, available=e["id"] != "first") for e in TWO["engines"]])
        self.assertEqual([f.name for f in params.fields_of(gone, "auto")], ["engine", "grow"])
        self.assertEqual(
            [f.name for f in params.fields_of(TWO, "first") if f.essential],
            ["engine", "grow", "prompt"],
        )

    def test_an_engines_value_is_judged_by_that_engine(self):
        for engine, name, value, expected in [
            ("first", "scheduler", "karras", "karras"),
            ("second", "scheduler", "karras", None),
            ("first", "scheduler", "ddpm", None),
            ("second", "scheduler", "ddpm", "ddpm"),
            ("first", "grow", 0, 0),
            ("second", "grow", 0, None),
            ("first", "grow", 200, 200),
        ]:
            field = next(f for f in params.fields_of(TWO, engine) if f.name == name)
            self.assertEqual(field.sound(value), expected, (engine, name, value))
        # Nor does what one of them cannot have come back from a file, or under the other's name.
        stored = {
            "": {"engine": "second", "grow": 9},
            "second": {"scheduler": "karras", "steps": 30},
            "first": {"scheduler": "euler", "grow": 5},
        }
        settings = params.Settings(TWO, stored)
        self.assertEqual(settings.parameters(), {"engine": "second", "steps": "30"})
        self.assertEqual(
            settings.stored(),
            {
                "": {"engine": "second", "grow": 9},
                "second": {"steps": 30},
                "first": {"scheduler": "euler"},
            },
        )

    def test_the_engine_that_is_the_default_is_the_chosen_one(self):
        other = dict(TWO, params=[dict(TWO["params"][0], default="second"), *TWO["params"][1:]])
        settings = params.Settings(other)
        self.assertEqual([f.default for f in settings.fields()], ["second", 25, "ddim", 2])
        self.assertEqual(settings.parameters(), {})
        settings.set(settings.fields()[0], "auto")
        self.assertEqual(settings.parameters(), {"engine": "auto"})
        gone = dict(other, engines=[dict(e, available=False) for e in TWO["engines"]])
        offered = params.choices(params.common_fields(gone)[0], gone)
        self.assertEqual([name for name, _ in offered], ["auto", "second"])

    def test_a_prompt_waits_for_the_engine_that_reads_it(self):
        gone = dict(TWO, engines=[dict(e, available=False) for e in TWO["engines"]])
        settings = params.Settings(gone, {"": {"prompt": "a boat"}})
        self.assertEqual(settings.parameters(), {})
        self.assertEqual(params.Settings(TWO, settings.stored()).parameters(), {"prompt": "a boat"})

    def test_each_engine_keeps_its_values_and_is_sent_no_others(self):
        settings = params.Settings(TWO)

        def set_value(name, value):
            settings.set(next(f for f in settings.fields() if f.name == name), value)

        self.assertEqual(settings.parameters(), {})
        set_value("engine", "first")
        set_value("steps", 30)
        set_value("prompt", "a boat")
        set_value("grow", 9)
        set_value("engine", "second")
        self.assertEqual(settings.parameters(), {"engine": "second"})
        set_value("steps", 20)
        set_value("scheduler", "ddpm")
        set_value("grow", 4)
        expected = {"engine": "second", "steps": "20", "scheduler": "ddpm", "grow": "4"}
        self.assertEqual(settings.parameters(), expected)
        again = params.Settings(TWO, json.loads(json.dumps(settings.stored())))
        self.assertEqual(again.parameters(), expected)
        engine = again.fields()[0]
        again.set(engine, "first")
        self.assertEqual(
            again.parameters(), {"engine": "first", "steps": "30", "prompt": "a boat", "grow": "9"}
        )
        again.set(engine, "auto")
        self.assertEqual(again.parameters(), {"prompt": "a boat", "grow": "9"})
        again.reset()
        self.assertEqual(again.stored(), {})

    def test_what_no_longer_fits_is_not_restored(self):
        for stored in (
            None,
            [],
            "x",
            {"": []},
            {"": {"engine": "gone", "grow": 3000}},
            {"none": {"steps": 3}},
            {"second": {"scheduler": "dpmpp", "steps": "many"}},
            {"first": {"grow": 3}},
            {"": {"grow": float("nan")}},
            {"": {"grow": None, "prompt": "a\0b"}},
        ):
            self.assertEqual(params.Settings(TWO, stored).stored(), {}, stored)
        # An engine whose model has gone is not chosen, and its values wait for it.
        gone = dict(TWO, engines=[dict(e, available=e["id"] != "second") for e in TWO["engines"]])
        settings = params.Settings(gone, {"": {"engine": "second"}, "second": {"steps": 9}})
        self.assertEqual((settings.engine, settings.stored()), ("auto", {"second": {"steps": 9}}))

    def test_sound_values(self):
        fields = {f.name: f for f in params.all_fields(DESCRIPTION)}
        for name, value, expected in [
            ("seed", "7", 7),
            ("seed", 10, None),
            ("seed", -1, None),
            ("seed", "abc", None),
            ("steps", "2.5", 2.5),
            ("steps", float("nan"), None),
            ("steps", 1e300, None),
            ("sharp", "off", False),
            ("sharp", "perhaps", None),
            ("engine", "big", "big"),
            ("engine", "b", None),
            ("context", "25%", "25%"),
            ("context", "64 px", "64 px"),
            ("context", "wide", None),
            ("context", "auto", "auto"),
        ]:
            self.assertEqual(fields[name].sound(value), expected, (name, value))

    def test_numbers_come_into_their_range(self):
        fields = {f.name: f for f in params.all_fields(DESCRIPTION)}
        for name, value, expected in [
            ("seed", 12, 9),
            ("seed", -3, 0),
            ("seed", 4, 4),
            ("steps", 12.5, 9.0),
            ("steps", 0.5, 0.5),
        ]:
            got = fields[name].within(value)
            self.assertEqual((got, type(got)), (expected, type(value)))

    def test_values_go_to_the_library_as_text(self):
        fields = {f.name: f for f in params.all_fields(DESCRIPTION)}
        for name, value, text in [
            ("seed", 3.0, "3"),
            ("sharp", False, "false"),
            ("sharp", True, "true"),
            ("steps", 2, "2.0"),
            ("context", "5%", "5%"),
            ("engine", "big", "big"),
        ]:
            self.assertEqual(fields[name].text(value), text)

    def test_what_is_missing_takes_one_line(self):
        text = params.missing_text(DESCRIPTION)
        self.assertIn("Big", text)
        self.assertNotIn("\n", text)
        self.assertEqual(params.missing_text(TWO), "")


class Prompts(unittest.TestCase):
    def test_the_last_ones_are_kept_each_once(self):
        kept = []
        for number in range(40):
            kept = params.with_prompt(kept, " a boat %d " % number)
        self.assertEqual((len(kept), kept[0], kept[-1]), (30, "a boat 39", "a boat 10"))
        self.assertEqual(params.with_prompt(kept, "a boat 20")[:2], ["a boat 20", "a boat 39"])
        self.assertEqual(params.with_prompt(kept, " "), kept)
        for damaged in (None, 7, {"a": 1}, "text"):
            self.assertEqual(params.with_prompt(damaged, "a cat"), ["a cat"])
        self.assertEqual(params.with_prompt([1, "a", None], ""), ["a"])


if __name__ == "__main__":
    unittest.main()
