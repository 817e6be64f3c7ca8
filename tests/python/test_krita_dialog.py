# SPDX-License-Identifier: MIT OR Apache-2.0
"""The Krita plug-in's dialog, with no Krita and no screen: on PyQt5 (Krita 5) or PyQt6 (Krita 6).

MEND_TEST_QT=PyQt6 chooses where both are installed; without either the tests are skipped.
"""

import copy
import importlib
import os
import unittest

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
WANTED = os.environ.get("MEND_TEST_QT")
for name in [WANTED] if WANTED else ["PyQt5", "PyQt6"]:
    try:
        # What Krita has loaded before it loads plug-ins.
        importlib.import_module(name + ".QtCore")
        importlib.import_module(name + ".QtWidgets")
        HAVE = True
        break
    except ImportError:
        HAVE = False

import plugins
from test_krita_job import DESCRIPTION

plugins.import_gimp()
plugins.import_krita()
from mend_inpaint import krita_job
from mend_inpaint.krita_job import Options
from test_params import TWO

PLAN = {
    "engine": "a",
    "reason": "",
    "peak_bytes": 5 << 20,
    "seconds": 3.0,
    "regions": [{"rect": {}, "hole": {}, "hole_pixels": 4}],
}


@unittest.skipUnless(HAVE, "PyQt5 or PyQt6 is not installed")
class DialogTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        from mend_inpaint.qt import QtWidgets

        cls.app = QtWidgets.QApplication.instance() or QtWidgets.QApplication([])

    def dialog(self, text="", plan=PLAN, refusal=None, description=DESCRIPTION):
        from mend_inpaint.dialog import Dialog

        self.planned = []

        def plan_of(options):
            self.planned.append(options)
            if isinstance(plan, Exception):
                raise plan
            return plan

        options = krita_job.recall(text, description)
        dialog = Dialog(
            None, "Title", description, options, plan_of, lambda o: refusal, lambda o: "Known."
        )
        dialog.show()
        self.addCleanup(dialog.close)
        return dialog

    def settle(self):
        import time

        until = time.monotonic() + 0.4
        while time.monotonic() < until:
            self.app.processEvents()
            time.sleep(0.01)

    def test_shows_what_the_engine_knows(self):
        dialog = self.dialog()
        self.assertIsNone(dialog.input("result"))
        self.assertTrue(dialog.input("engine").isVisible())
        # Mend chooses by the prompt, which is there because an engine reads one.
        self.assertTrue(dialog.input("prompt").isVisible())
        self.assertIsNone(dialog.input("guidance"))
        dialog.input("engine").set("b")
        self.assertTrue(dialog.input("prompt").isVisible())
        self.assertFalse(dialog.input("guidance").isVisible())
        dialog._more.click()
        self.assertTrue(dialog.input("guidance").isVisible())
        self.assertTrue(dialog.input("seed").isVisible())
        guidance = dialog.input("guidance")
        dialog.input("engine").set("a")
        self.assertIsNone(dialog.input("prompt"))
        self.assertFalse(guidance.isVisible())

    def test_each_engine_keeps_its_values(self):
        dialog = self.dialog()
        for engine, steps in (("b", 20), ("c", 25)):
            dialog.input("engine").set(engine)
            self.assertEqual(dialog.input("steps").get(), steps)
        dialog.input("steps").set(7)
        dialog.input("engine").set("b")
        dialog.input("steps").set(30)
        dialog.input("prompt").set("a wall")
        dialog.input("engine").set("c")
        self.assertEqual(dialog.input("steps").get(), 7)
        self.assertEqual(
            krita_job.request(DESCRIPTION, dialog.options()),
            {"engine": "c", "steps": "7", "result": "layer"},
        )
        dialog.input("engine").set("b")
        self.assertEqual(
            krita_job.request(DESCRIPTION, dialog.options()),
            {"engine": "b", "steps": "30", "prompt": "a wall", "result": "layer"},
        )

    def test_each_choice_starts_at_its_engines_default(self):
        dialog = self.dialog(description=TWO)
        for engine, names, default in (
            ("first", ["euler", "karras", "ddim"], "karras"),
            ("second", ["ddpm", "ddim"], "ddim"),
        ):
            dialog.input("engine").set(engine)
            scheduler = dialog.input("scheduler")
            self.assertEqual([scheduler.itemData(i) for i in range(scheduler.count())], names)
            self.assertEqual(scheduler.get(), default)
        self.assertEqual(
            krita_job.request(TWO, dialog.options()), {"engine": "second", "result": "layer"}
        )
        # What an engine describes anew stands in place of what all have.
        dialog.input("grow").set(4)
        dialog.input("engine").set("first")
        self.assertEqual(dialog.input("grow").get(), 0)
        self.assertEqual(
            krita_job.request(TWO, dialog.options()), {"engine": "first", "result": "layer"}
        )
        dialog._reset()
        dialog.input("engine").set("first")
        self.assertEqual(dialog.input("scheduler").get(), "karras")

    def test_more_says_what_it_hides(self):
        dialog = self.dialog()
        self.assertEqual(dialog._more.text(), "More")
        dialog._more.click()
        dialog.input("seed").set(3)
        self.assertEqual(dialog._more.text(), "More")
        dialog._more.click()
        self.assertEqual(dialog._more.text(), "More (1 changed)")
        self.assertFalse(dialog.input("seed").isVisible())

    def test_the_plan_follows_and_is_shown(self):
        dialog = self.dialog()
        self.assertIn("about 3 seconds", dialog._planned.text())
        self.assertIn("5 MB", dialog._planned.text())
        count = len(self.planned)
        dialog.input("seed").set(7)
        dialog.input("seed").set(8)
        self.settle()
        self.assertEqual(len(self.planned), count + 1, "one plan when typing rests")
        self.assertEqual(self.planned[-1].values[""]["seed"], 8)

    def test_what_is_remembered_is_shown_and_given_back(self):
        options = Options(
            {
                "": {"engine": "b", "seed": 4, "context": "150%", "prompt": "a wall"},
                "b": {"guidance": 3.5},
                "c": {"steps": 9},
            },
            "in-place",
            "own",
        )
        dialog = self.dialog(krita_job.remember(options))
        self.assertEqual(dialog.input("guidance").get(), 3.5)
        self.assertEqual(dialog.options(), options)
        chosen = []
        dialog.chosen.connect(chosen.append)
        dialog._start.click()
        self.assertEqual(chosen, [options])
        self.assertFalse(dialog.isVisible())

    def long_description(self, available):
        """As much as the library may say: many engines, many parameters, long texts."""
        description = copy.deepcopy(DESCRIPTION)
        many = [
            {
                "name": "n%d" % n,
                "label": "Choice",
                "type": "choice",
                "default": "a",
                "help": "",
                "choices": [{"id": "a", "label": 40 * "wide "}],
            }
            for n in range(40)
        ]
        for engine in description["engines"]:
            engine["params"] += many
            engine["summary"] = "It does a little of this and more of that. " * 6
        for n in range(6):
            engine = {
                "id": "more%d" % n,
                "label": "Another engine %d" % n,
                "params": many,
                "summary": "And so on. " * 30,
                "available": available,
                "reason": "put a model into /home/somebody/.local/share/mend/models. " * 4,
            }
            description["engines"].append(engine)
            description["params"][0]["choices"].append(
                {"id": engine["id"], "label": engine["label"]}
            )
        return description

    def inside(self, dialog, case):
        """The whole dialog fits a screen of 600 pixels, and its buttons are inside of it."""
        from mend_inpaint.qt import QtCore, QtWidgets

        self.settle()
        self.assertLessEqual(dialog.height(), 600 - 36, case)  # a title bar is above it
        self.assertLess(dialog.width(), 700, case)
        for button in dialog.findChild(QtWidgets.QDialogButtonBox).buttons():
            self.assertTrue(button.isVisible(), case)
            bottom = button.mapTo(dialog, QtCore.QPoint(0, button.height())).y()
            self.assertLessEqual(bottom, dialog.height(), case)
        inside, shown = dialog._scroll.widget().width(), dialog._scroll.viewport().width()
        self.assertLessEqual(inside, shown, case)

    def test_it_fits_a_small_screen(self):
        from unittest import mock

        with mock.patch("mend_inpaint.dialog._screen_height", lambda: 2000):
            self.it_fits()

    def it_fits(self):
        for available in (False, True):
            description = self.long_description(available)
            for refusal in (None, "Not here, and this is why. " * 40):
                dialog = self.dialog(description=description, refusal=refusal)
                for engine in krita_job.offered(description):
                    for _ in range(2):
                        dialog.input("engine").set(engine)
                        dialog._plan()
                        self.inside(dialog, (available, bool(refusal), engine))
                        dialog._more.click()
        dialog = self.dialog(description=self.long_description(True), plan=ValueError("x " * 2000))
        self.inside(dialog, "an error")

    def test_a_refusal_shows_no_more_fields(self):
        from mend_inpaint.qt import QtWidgets

        def fields(dialog):
            return sorted(
                w.objectName()
                for w in dialog.findChildren(QtWidgets.QWidget)
                if w.objectName().startswith("mend_") and w.isVisible()
            )

        self.assertEqual(fields(self.dialog(refusal="No.")), fields(self.dialog()))

    def test_defaults(self):
        options = Options(
            {"": {"engine": "b", "seed": 4, "context": "64"}, "b": {"guidance": 3.5}},
            "layer",
            "visible",
        )
        dialog = self.dialog(krita_job.remember(options))
        self.assertEqual(dialog.options(), options)
        dialog._reset()
        self.assertEqual(dialog.options(), krita_job.recall("", DESCRIPTION))
        self.assertEqual(dialog.input("seed").get(), 0)

    def test_help_shows_the_manual(self):
        from mend_inpaint.qt import QtWidgets

        dialog = self.dialog()
        dialog.findChild(QtWidgets.QDialogButtonBox).helpRequested.emit()
        text = dialog.findChild(QtWidgets.QTextBrowser).toPlainText()
        self.assertIn("If it does not look right", text)

    def test_refusals_and_errors_stop_it(self):
        dialog = self.dialog(refusal="Not here. Do that.")
        self.assertEqual(dialog._planned.text(), "Not here. Do that.")
        self.assertFalse(dialog._start.isEnabled())
        dialog = self.dialog(plan=ValueError("the whole picture"))
        self.assertEqual(dialog._planned.text(), "The whole picture.")
        self.assertFalse(dialog._start.isEnabled())

    def test_an_engine_that_cannot_run_is_not_offered_but_explained(self):
        import copy

        description = copy.deepcopy(DESCRIPTION)
        description["engines"][1].update(available=False, reason="Run 'mend models fetch b'.")
        dialog = self.dialog(description=description)
        engine = dialog.input("engine")
        self.assertEqual([engine.itemData(i) for i in range(engine.count())], ["auto", "a", "c"])
        self.assertIsNone(dialog.input("prompt"), "no engine that can run here reads one")
        from mend_inpaint.qt import QtWidgets

        notes = [n for n in dialog.findChildren(QtWidgets.QLabel) if "B." in n.text()]
        self.assertEqual([n.isVisible() for n in notes], [False])
        dialog._more.click()
        self.assertTrue(notes[0].isVisible())
        self.assertIn("mend models fetch b", notes[0].toolTip())

    def test_extent_and_wide_numbers(self):
        import copy

        description = copy.deepcopy(DESCRIPTION)
        description["params"][1]["max"] = 4294967295
        dialog = self.dialog(description=description)
        dialog._more.click()
        context, seed = dialog.input("context"), dialog.input("seed")
        for text in ("auto", "64", "0", "100", "0%", "75%", "1000%"):
            context.set(text)
            self.assertEqual(context.get(), text)
            self.assertEqual(context._amount.isVisible(), text != "auto")
        context.set("2000%")
        self.assertEqual(context.get(), "1000%")
        seed.set(4294967295)
        self.assertEqual(seed.get(), 4294967295)
        seed.set(5000000000)
        self.assertEqual(seed.get(), 4294967295)
        seed.set("")
        self.assertEqual(seed.get(), 0)

    def test_progress_window(self):
        from mend_inpaint.dialog import Progress

        progress = Progress(None)
        stopped = []
        progress.canceled.connect(lambda: stopped.append(1))
        progress.tell(0.25, 12.0)
        self.assertEqual(progress.value(), 250)
        self.assertIn("about 12 seconds left", progress.labelText())
        progress.tell(1.0, None)
        self.assertEqual(progress.value(), 999, "it closes only when it is done")
        progress.done_with()
        self.assertEqual(stopped, [], "being done is no cancel")
        from mend_inpaint.qt import QtWidgets

        for stop in (
            lambda window: window.findChild(QtWidgets.QPushButton).click(),
            lambda window: window.close(),
        ):
            progress = Progress(None)
            progress.canceled.connect(lambda: stopped.append(1))
            progress.show()
            del stopped[:]
            stop(progress)
            self.assertEqual(stopped, [1])
            progress.tell(0.5, None)
            self.assertFalse(progress.isVisible(), "it came back after Cancel")


if __name__ == "__main__":
    unittest.main()
