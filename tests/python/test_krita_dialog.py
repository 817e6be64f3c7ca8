# SPDX-License-Identifier: MIT OR Apache-2.0
"""The Krita plug-in's dialog, with no Krita and no screen: on PyQt5 (Krita 5) or PyQt6 (Krita 6).

MEND_TEST_QT=PyQt6 chooses where both are installed; without either the tests are skipped.
"""

import copy
import importlib
import os
import sys
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

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from test_krita_job import DESCRIPTION, FIELDS, package  # noqa: E402

package()
from mend_inpaint import krita_job  # noqa: E402
from mend_inpaint.krita_job import Options  # noqa: E402

PLAN = {
    "engine": "a", "reason": "", "peak_bytes": 5 << 20, "seconds": 3.0,
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

        options = krita_job.recall(text, FIELDS)
        dialog = Dialog(None, "Title", description, options, plan_of, lambda o: refusal,
                        lambda o: "Known.")
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
        self.assertNotIn("result", dialog._inputs)
        self.assertTrue(dialog._inputs["seed"].isVisible())
        # Automatic, and the plan says that "a" will run.
        self.assertFalse(dialog._inputs["prompt"].isVisible())
        dialog._inputs["engine"].set("b")
        self.assertTrue(dialog._inputs["prompt"].isVisible())
        self.assertTrue(dialog._labels["guidance"].isVisible())
        dialog._inputs["engine"].set("a")
        self.assertFalse(dialog._labels["prompt"].isVisible())

    def test_the_plan_follows_and_is_shown(self):
        dialog = self.dialog()
        self.assertIn("about 3 seconds", dialog._planned.text())
        self.assertIn("5 MB", dialog._planned.text())
        count = len(self.planned)
        dialog._inputs["seed"].set(7)
        dialog._inputs["seed"].set(8)
        self.settle()
        self.assertEqual(len(self.planned), count + 1, "one plan when typing rests")
        self.assertEqual(self.planned[-1].values["seed"], 8)

    def test_what_is_remembered_is_shown_and_given_back(self):
        options = Options(
            {"engine": "b", "seed": 4, "context": "150%", "prompt": "a wall", "guidance": 3.5},
            "in-place", "own")
        dialog = self.dialog(krita_job.remember(options))
        self.assertEqual(dialog.options(), options)
        chosen = []
        dialog.chosen.connect(chosen.append)
        dialog._start.click()
        self.assertEqual(chosen, [options])
        self.assertFalse(dialog.isVisible())

    def test_nothing_is_cut_off_at_the_side(self):
        description = copy.deepcopy(DESCRIPTION)
        longest = 40 * "wide "
        for engine in description["engines"]:
            for n in range(40):  # more than a screen holds: the form scrolls
                engine["params"].append({
                    "name": "n%d" % n, "label": "Choice", "type": "choice", "default": "a", "help": "",
                    "choices": [{"id": "a", "label": longest}],
                })
        dialog = self.dialog(description=description)
        self.settle()
        self.assertTrue(dialog._scroll.verticalScrollBar().isVisible())
        inside, shown = dialog._scroll.widget().width(), dialog._scroll.viewport().width()
        self.assertLessEqual(inside, shown)
        self.assertLess(dialog.width(), 700)

    def test_defaults(self):
        options = Options({"engine": "b", "seed": 4, "context": "64", "prompt": "a", "guidance": 3.5},
                          "layer", "visible")
        dialog = self.dialog(krita_job.remember(options))
        self.assertEqual(dialog.options(), options)
        dialog._reset()
        wanted = krita_job.recall("", FIELDS)
        wanted.values.pop("result")
        self.assertEqual(dialog.options(), wanted)

    def test_refusals_and_errors_stop_it(self):
        dialog = self.dialog(refusal="Not here. Do that.")
        self.assertEqual(dialog._planned.text(), "Not here. Do that.")
        self.assertFalse(dialog._start.isEnabled())
        dialog = self.dialog(plan=ValueError("the whole picture"))
        self.assertEqual(dialog._planned.text(), "the whole picture")
        self.assertFalse(dialog._start.isEnabled())

    def test_an_engine_that_cannot_run_is_not_offered_but_explained(self):
        import copy

        description = copy.deepcopy(DESCRIPTION)
        description["engines"][1].update(available=False, reason="Run 'mend models fetch b'.")
        dialog = self.dialog(description=description)
        engine = dialog._inputs["engine"]
        self.assertEqual([engine.itemData(i) for i in range(engine.count())], ["auto", "a"])
        from mend_inpaint.qt import QtWidgets

        texts = [label.text() for label in dialog.findChildren(QtWidgets.QLabel)]
        self.assertTrue(any("mend models fetch b" in text for text in texts), texts)

    def test_extent_and_wide_numbers(self):
        import copy

        description = copy.deepcopy(DESCRIPTION)
        description["params"][1]["max"] = 4294967295
        dialog = self.dialog(description=description)
        context, seed = dialog._inputs["context"], dialog._inputs["seed"]
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
