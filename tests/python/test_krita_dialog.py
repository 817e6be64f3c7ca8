# SPDX-License-Identifier: MIT OR Apache-2.0
"""The Krita plug-in's dialog, with no Krita and no screen: on PyQt5 (Krita 5) or PyQt6 (Krita 6).

MEND_TEST_QT=PyQt6 chooses where both are installed; without either the tests are skipped.
"""

import copy
import importlib
import os
import threading
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
from mend_inpaint.preview import Previewer
from test_params import TWO
from test_preview import Library, reading

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

    def reading(self, key):
        return reading(dict(key[0]))

    def dialog(self, text="", plan=PLAN, refusal=None, description=DESCRIPTION, read=None):
        from mend_inpaint.dialog import Dialog

        self.planned, self.library = [], Library()

        def plan_of(options):
            self.planned.append(options)
            if isinstance(plan, Exception):
                raise plan
            return plan

        options = krita_job.recall(text, description)
        dialog = Dialog(
            None,
            "Title",
            description,
            options,
            plan_of,
            lambda o: refusal,
            lambda o: "Known.",
            Previewer(self.library, read or self.reading),
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
        self.assertIsNone(dialog.input("prompt"), "nothing is to be described that is removed")
        self.assertFalse(dialog.input("engine").isVisible())
        dialog._more.click()
        self.assertTrue(dialog.input("engine").isVisible())
        self.assertTrue(dialog.input("seed").isVisible())
        self.assertIsNone(dialog.input("guidance"))
        dialog.input("engine").set("b")
        self.assertTrue(dialog.input("guidance").isVisible())
        self.assertIsNone(dialog.input("prompt"))
        guidance = dialog.input("guidance")
        dialog.input("engine").set("a")
        self.assertFalse(guidance.isVisible())

    def intend(self, dialog, intent):
        from mend_inpaint.qt import QtWidgets

        dialog.findChild(QtWidgets.QRadioButton, "mend_intent_" + intent).click()

    def engines_of(self, dialog):
        engine = dialog.input("engine")
        return [engine.itemData(i) for i in range(engine.count())]

    def test_the_intent_decides_what_is_asked_for(self):
        dialog = self.dialog()
        self.assertEqual(self.engines_of(dialog), ["auto", "a", "b", "c"])
        dialog.input("engine").set("a")
        self.intend(dialog, "prompt")
        # Only an engine that reads one, and nothing starts without a prompt.
        self.assertEqual(self.engines_of(dialog), ["auto", "b"])
        self.assertEqual(dialog.input("engine").get(), "auto")
        self.assertTrue(dialog.input("prompt").isVisible())
        self.settle()
        self.assertFalse(dialog._start.isEnabled())
        self.assertIn("Write what", dialog._planned.text())
        dialog.input("prompt").set("a wall")
        self.settle()
        self.assertTrue(dialog._start.isEnabled())
        wanted = {"engine": "b", "prompt": "a wall", "result": "layer"}
        self.assertEqual(krita_job.request(DESCRIPTION, dialog.options()), wanted)
        self.assertEqual(
            krita_job.recall(krita_job.remember(dialog.options()), DESCRIPTION), dialog.options()
        )
        # What was chosen and written for one is there when it is wanted again.
        self.intend(dialog, "remove")
        self.assertIsNone(dialog.input("prompt"))
        self.assertEqual(dialog.input("engine").get(), "a")
        wanted = {"engine": "a", "result": "layer"}
        self.assertEqual(krita_job.request(DESCRIPTION, dialog.options()), wanted)
        self.intend(dialog, "prompt")
        self.assertEqual(dialog.input("prompt").get(), "a wall")

    def test_removing_takes_the_eraser_that_is_installed(self):
        description = copy.deepcopy(DESCRIPTION)
        eraser = {"id": "lama", "label": "L", "params": [], "available": False}
        description["engines"].append(eraser)
        description["params"][0]["choices"].append({"id": "lama", "label": "L"})
        for available, wanted in ((False, {}), (True, {"engine": "lama"})):
            eraser["available"] = available
            options = krita_job.recall("", description)
            wanted["result"] = "layer"
            self.assertEqual(krita_job.request(description, options), wanted)
        # One click, and scripts, leave it to the library.
        clicked = krita_job.one_click(options, {"grow": "4"})
        self.assertNotIn("engine", krita_job.request(description, clicked))

    def wait(self, truth, what):
        import time

        until = time.monotonic() + 20
        while not truth():
            self.app.processEvents()
            self.assertLess(time.monotonic(), until, what)
            time.sleep(0.005)

    def ready(self, dialog):
        self.wait(lambda: dialog.previewer.state == "ready", dialog.previewer.problem)
        self.wait(lambda: not dialog._gallery.picture.faded, "it is still faded")

    def test_the_fill_is_shown_and_the_chosen_one_is_taken(self):
        dialog = self.dialog()
        self.ready(dialog)
        gallery = dialog._gallery
        self.assertEqual([thumb.isEnabled() for thumb in gallery.thumbs], [True] * 4)
        self.assertTrue(gallery.thumbs[0].isChecked())
        with_fill = self.grab(gallery.picture)
        gallery.original.pressed.emit()
        without = self.grab(gallery.picture)
        gallery.original.released.emit()
        self.assertNotEqual(without, with_fill)
        self.assertEqual(self.grab(gallery.picture), with_fill)
        gallery.thumbs[2].click()
        self.assertNotEqual(self.grab(gallery.picture), with_fill)
        gallery.another.click()
        self.wait(lambda: len(dialog.previewer.fills) == 4 and dialog.previewer.chosen == 1, "")
        self.ready(dialog)
        self.assertTrue(gallery.thumbs[1].isChecked())
        gallery.thumbs[0].click()
        chosen = []
        dialog.chosen.connect(lambda options: chosen.append(dialog.taken))
        dialog._start.click()
        # The third of the first set, kept in front of the second.
        self.assertEqual(chosen[0].fill.pixels[0][0], 52)
        self.assertEqual(len(chosen[0].fills), 4)

    def grab(self, widget):
        image = widget.grab().toImage()
        pointer = image.bits()
        pointer.setsize(image.sizeInBytes() if hasattr(image, "sizeInBytes") else image.byteCount())
        return bytes(pointer)

    def test_the_keyboard_does_all_of_it(self):
        from mend_inpaint.qt import QtCore, QtGui, QtWidgets

        dialog = self.dialog()
        self.ready(dialog)
        gallery, key = dialog._gallery, QtCore.Qt.Key

        def press(widget, kind, code):
            none = QtCore.Qt.KeyboardModifier.NoModifier
            event = QtGui.QKeyEvent(getattr(QtCore.QEvent.Type, kind), code, none)
            QtWidgets.QApplication.sendEvent(widget, event)

        with_fill = self.grab(gallery.picture)
        for widget in (gallery.picture, gallery.original):
            press(widget, "KeyPress", key.Key_Space)
            self.assertIs(gallery.picture.scene, gallery._original)
            press(widget, "KeyRelease", key.Key_Space)
            self.assertEqual(self.grab(gallery.picture), with_fill)
        gallery.thumbs[0].setFocus()
        press(gallery.thumbs[0], "KeyPress", key.Key_Right)
        self.assertEqual(dialog.previewer.chosen, 1)
        self.keys_differ(dialog)

    def test_earlier_prompts_are_offered(self):
        text = krita_job.with_prompt(krita_job.with_prompt("", "a red boat"), "a wall")
        self.assertEqual(krita_job.prompts_of(text), ["a wall", "a red boat"])
        for damaged in ("{", "7", "[" * 100000):
            self.assertEqual(krita_job.prompts_of(damaged), [])
        dialog = self.dialog()
        dialog.offer(krita_job.prompts_of(text))
        self.intend(dialog, "prompt")
        completer = dialog.input("prompt").completer()
        completer.setCompletionPrefix("BOAT")
        self.assertEqual(completer.currentCompletion(), "a red boat")

    def keys_differ(self, dialog):
        """No two things have one key."""
        from mend_inpaint.qt import QtGui, QtWidgets

        keys = []
        for widget in dialog.findChildren(QtWidgets.QWidget):
            if isinstance(widget, (QtWidgets.QAbstractButton, QtWidgets.QLabel)):
                keys.append(QtGui.QKeySequence.mnemonic(widget.text()).toString())
        keys = [k for k in keys if k]
        self.assertGreater(len(keys), 8)
        self.assertEqual(sorted(keys), sorted(set(keys)))

    def test_no_stale_preview_is_taken(self):
        dialog = self.dialog()
        self.ready(dialog)
        dialog.input("seed").set(3)
        # In the same moment.
        taken = []
        dialog.chosen.connect(lambda options: taken.append(dialog.taken))
        dialog._start.click()
        self.assertEqual(taken, [None])

    def test_a_setting_makes_another_preview(self):
        dialog = self.dialog()
        self.ready(dialog)
        dialog.input("seed").set(3)
        self.settle()
        self.ready(dialog)
        self.assertEqual(dialog.previewer.fills[0].pixels[0][0], 80)

    def test_a_fill_that_takes_long_waits_to_be_asked(self):
        dialog = self.dialog(plan=dict(PLAN, seconds=21.0))
        self.settle()
        self.assertEqual((self.library.calls, dialog.previewer.state), ([], "ask"))

    def test_an_engine_with_steps_waits_to_be_asked(self):
        plan = dict(PLAN, engine="c")
        dialog = self.dialog(plan=plan)
        self.settle()
        self.assertEqual(self.library.calls, [])
        self.assertEqual(dialog._gallery.another.text(), "Pre&view")
        self.assertTrue(dialog._start.isEnabled())
        dialog._gallery.another.click()
        self.ready(dialog)
        # A quick fill is shown first, by an engine that takes no time.
        (quick, made) = [given for name, given in self.library.calls if name == "inpaint"]
        self.assertNotIn("engine", quick)
        self.assertEqual(made, dialog.previewer.fills and {"result": "layer"})
        self.assertEqual(dialog._gallery.another.text(), "&Another Set")

    def test_filling_in_steps_is_seen_in_the_dialog_and_then_put_in_place(self):
        dialog = self.dialog(plan=dict(PLAN, engine="c"))
        gate = self.library.gate = threading.Event()
        taken = []
        dialog.chosen.connect(lambda options: taken.append(dialog.taken))
        self.settle()
        dialog._start.click()
        self.assertEqual(dialog._start.text(), "Filling\u2026")
        self.assertFalse(dialog._start.isEnabled())
        self.wait(lambda: dialog._gallery.another.text() == "&Stop Here", "it never began")
        self.keys_differ(dialog)
        # Another wish takes it back.
        dialog.input("seed").set(5)
        self.assertEqual(dialog._start.text(), "&Fill")
        self.settle()
        self.assertEqual(dialog.previewer.state, "ask")
        gate.set()
        dialog._start.click()
        self.wait(lambda: taken, "it was not put in place")
        self.assertIsNotNone(taken[0])
        self.assertFalse(dialog.isVisible())

    def test_what_cannot_be_read_is_said_in_the_picture(self):
        def read(key):
            raise ValueError("the layer is gone")

        dialog = self.dialog(read=read)
        self.settle()
        self.assertEqual(dialog._gallery.picture.text, "The layer is gone.")
        self.assertTrue(dialog._start.isEnabled())

    def test_each_engine_keeps_its_values(self):
        dialog = self.dialog()
        self.intend(dialog, "prompt")
        dialog.input("prompt").set("a wall")
        self.intend(dialog, "remove")
        for engine, steps in (("b", 20), ("c", 25)):
            dialog.input("engine").set(engine)
            self.assertEqual(dialog.input("steps").get(), steps)
        dialog.input("steps").set(7)
        dialog.input("engine").set("b")
        dialog.input("steps").set(30)
        dialog.input("engine").set("c")
        self.assertEqual(dialog.input("steps").get(), 7)
        self.assertEqual(
            krita_job.request(DESCRIPTION, dialog.options()),
            {"engine": "c", "steps": "7", "result": "layer"},
        )
        dialog.input("engine").set("b")
        self.intend(dialog, "prompt")
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
        self.assertEqual(dialog._more.text(), "&More")
        dialog._more.click()
        dialog.input("seed").set(3)
        self.assertEqual(dialog._more.text(), "&More")
        dialog._more.click()
        self.assertEqual(dialog._more.text(), "&More (1 changed)")
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
            "prompt",
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
        self.assertLess(dialog.width(), 1000, case)
        for button in dialog.findChild(QtWidgets.QDialogButtonBox).buttons():
            self.assertTrue(button.isVisible(), case)
            bottom = button.mapTo(dialog, QtCore.QPoint(0, button.height())).y()
            self.assertLessEqual(bottom, dialog.height(), case)
        self.assertGreaterEqual(dialog._gallery.picture.height(), 110, case)
        if dialog._scroll.isVisible():
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
            "remove",
            True,
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
        from mend_inpaint.qt import QtWidgets

        radio = dialog.findChild(QtWidgets.QRadioButton, "mend_intent_prompt")
        self.assertFalse(radio.isEnabled(), "no engine that can run here reads a prompt")
        self.assertIn("Models…", radio.toolTip())
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
