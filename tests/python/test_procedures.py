# SPDX-License-Identifier: MIT OR Apache-2.0
"""plugin-gimp/procedures.py with the real library and a GIMP made of bytes."""

import contextlib
import io
import json
import os
import tempfile
import unittest
from typing import Any

import plugins

plugins.import_gimp()

import fill
import job
import native
import panel
import params
import procedures
from job import Rect
from test_fill import Gimp
from test_native import library_file


class Telling:
    """The real inpainter, whose reports have a note; keeps what it was asked for."""

    def __init__(self, inpainter):
        self.inpainter, self.sent = inpainter, []

    def __getattr__(self, name):
        return getattr(self.inpainter, name)

    def inpaint(self, parameters, *images, **more):
        self.sent.append(parameters)
        report = self.inpainter.inpaint(parameters, *images, **more)
        return dict(report, notes=["the engine 'exemplar' has no 'steps'"])


class Procedures(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        library = native.load(library_file())
        cls.inpainter = native.Inpainter({"threads": "2", "models": "/nowhere"}, library)

    def run_one(self, name, mode, host=None, stored=None, script=None):
        """(what was sent, the messages, what was printed) of one call."""
        gimp: Any = host or Gimp()
        gimp.select(Rect(60, 40, 20, 20))
        messages, printed = [], io.StringIO()
        gimp.message = messages.append
        gimp.interactive = mode != procedures.NONINTERACTIVE
        mend = Telling(self.inpainter)
        with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stderr(printed):
            if stored:
                with open(os.path.join(folder, "mend-inpaint.json"), "w") as file:
                    json.dump(stored, file)
            filled, layer = procedures.run(
                name,
                mode,
                gimp,
                mend,
                folder,
                lambda: panel.Asked(script or {}, "in-place", "layer"),
            )
        self.assertEqual((filled, layer), (True, None))
        return mend.sent[0], messages, printed.getvalue()

    def test_a_scripts_fill_is_sent_what_the_script_set(self):
        sent, messages, printed = self.run_one(
            procedures.INPAINT, procedures.NONINTERACTIVE, script={"seed": "7", "grow": "2"}
        )
        # The selection itself was grown before.
        self.assertEqual(sent, {"seed": "7", "grow": "0"})
        # Nothing that the library tells is lost where nobody looks on.
        self.assertEqual((messages, printed), ([], "The engine 'exemplar' has no 'steps'.\n"))

    def test_the_actions_without_a_dialog(self):
        for name, expected in (
            (procedures.REMOVE, {"grow": "0"}),
            (procedures.QUICK, dict(params.FILL_QUICKLY, grow="0")),
            (procedures.AGAIN, {"seed": "3", "grow": "0"}),
        ):
            # The last dialog chose an engine that cannot run here: it counts as not set.
            stored = {"settings": {"": {"seed": 3, "engine": "rad"}, "rad": {"steps": 9}}}
            sent, messages, printed = self.run_one(name, procedures.INTERACTIVE, stored=stored)
            self.assertEqual(sent, expected, name)
            self.assertEqual((messages, printed), (["The engine 'exemplar' has no 'steps'."], ""))

    def test_a_mask_is_named_where_no_dialog_has_named_it(self):
        gimp = Gimp(item=fill.Item("layer mask", False, mask_of="sky"))
        _, messages, _ = self.run_one(procedures.QUICK, procedures.INTERACTIVE, gimp)
        self.assertIn("Filled the selection in the mask of “sky”", messages[0])

    def test_what_is_told_of_an_error(self):
        for error, text in (
            (fill.Refusal("No."), "No."),
            (native.MendError(native.ERR_MASK, "the mask is empty"), "The mask is empty."),
            (native.MendError(native.ERR_CANCELLED, "cancelled"), None),
            (MemoryError(), job.NO_MEMORY),
        ):
            self.assertEqual(procedures.problem(error), text)
        with contextlib.redirect_stderr(io.StringIO()) as printed:
            told = procedures.problem(KeyError("x"))
        self.assertEqual(told, "Mend's plug-in failed: KeyError: 'x'")
        self.assertIn("KeyError", printed.getvalue())

    def test_every_action_takes_values_that_the_library_takes(self):
        for values in procedures.PRESETS.values():
            self.inpainter.check(values)
            # As Krita does: by way of the settings.
            settings = params.Settings(self.inpainter.describe(), {"": values})
            self.assertEqual(settings.parameters(), values)


if __name__ == "__main__":
    unittest.main()
