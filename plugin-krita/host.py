# SPDX-License-Identifier: MIT OR Apache-2.0
"""The plug-in as Krita sees it: its actions, messages, and the way from one to the other.

The only file that imports Krita. The library is looked for when it is used, so that the menu
entries are there whatever has become of it, and say what is wrong.
"""

import contextlib
import functools
import traceback

from krita import Extension, Krita, Selection

from . import choosing, choosing_dialog, job, krita_job, native, params, preview, raw
from .colours import Colours
from .dialog import Dialog, Progress
from .krita_job import IN_PLACE, LAYER, VISIBLE, Refused
from .layers import Changed, Target
from .models import Shelf
from .qt import QtCore, QtGui, QtWidgets
from .reading import Expansion, Reading, Whole
from .run import Run

SETTINGS = "mend_inpaint"
# A selection made just now may still be on its way when an action begins: it is looked for again
# after so many milliseconds, so many times.
WAIT, TRIES = 50, 20


def _guarded(method):
    """A slot that tells what went wrong instead of losing it."""

    @functools.wraps(method)
    def call(self, *_):
        try:
            method(self)
        except (native.MendError, Changed, Refused) as error:
            self.say(job.sentence(str(error)))
        except MemoryError:
            self.say(job.NO_MEMORY)
        except Exception:
            self.say(
                "Mend failed in a way that it does not know. If the layers changed, Undo takes "
                "it back. Please report this:\n\n" + traceback.format_exc(limit=4)
            )

    return call


@contextlib.contextmanager
def waiting():
    """The mouse cursor of a program that is busy."""
    cursor = QtGui.QCursor(QtCore.Qt.CursorShape.WaitCursor)
    QtWidgets.QApplication.setOverrideCursor(cursor)
    try:
        yield
    finally:
        QtWidgets.QApplication.restoreOverrideCursor()


def _window():
    window = Krita.instance().activeWindow()
    return window.qwindow() if window else None


class Inpaint(Extension):
    def __init__(self, parent):
        super().__init__(parent)
        self._mend = None
        self._description = None
        self._colours = Colours(Krita.instance(), QtCore.QByteArray)
        self._fill = None
        self._busy = False  # from before the fill's first read until after its last write
        self._looking = False  # for a selection that is on its way
        self._dialog = None
        self._choosing = None
        application = QtWidgets.QApplication.instance()
        if application is not None:
            application.aboutToQuit.connect(self._quit)

    def setup(self):
        pass

    def createActions(self, window):
        for name, text, slot in (
            ("mend_inpaint", "Mend: Inpaint\u2026", self.ask),
            ("mend_inpaint_again", "Mend: Inpaint Again", self.again),
            ("mend_select_object", "Mend: Select Object\u2026", self.select_object),
            ("mend_expand", "Mend: Expand Canvas\u2026", self.expand),
            ("mend_remove_object", "Mend: Remove Object", self.remove_object),
            ("mend_fill_quickly", "Mend: Fill Quickly", self.fill_quickly),
        ):
            action = window.createAction(name, text, "tools/scripts")
            action.triggered.connect(slot)

    # --- The actions ---

    @_guarded
    def ask(self):
        """Shows the dialog."""
        self._with_target(self._ask)

    @_guarded
    def again(self):
        """Fills with the settings of the last Inpaint, without a question."""
        self._with_target(self._again)

    @_guarded
    def select_object(self):
        """Shows the dialog that selects an object by clicks."""
        self._with_target(self._select_object, expanding=True)

    @_guarded
    def expand(self):
        """Shows the dialog for a canvas that grows."""
        self._with_target(self._expand, expanding=True)

    @_guarded
    def remove_object(self):
        """Fills the selection and a narrow rim around it, without a question."""
        self._one_click(params.REMOVE_OBJECT)

    @_guarded
    def fill_quickly(self):
        """Fills the selection from what is close to it, without a question."""
        self._one_click(params.FILL_QUICKLY)

    def _one_click(self, values):
        # Nothing of it is remembered: "Inpaint Again" repeats what the user chose.
        self._with_target(
            lambda target: self._start(target, krita_job.one_click(self._recall(), values))
        )

    def _select_object(self, target):
        if not raw.known(target.image_space()):
            raise Refused(krita_job.no_merged_fill(target.facts, target.image_space()))
        with waiting():
            whole = Whole(self._colours, target)
        chooser = choosing.Chooser(native.Selector(), whole.image)
        selected = not target.facts.selection.empty
        dialog = choosing_dialog.Dialog(_window(), whole, chooser, selected)
        dialog.taken.connect(lambda *taken: self._selected(target, *taken))
        dialog.finished.connect(self._chosen_object)
        self._choosing = dialog
        dialog.open()

    def _chosen_object(self, _result):
        self._choosing = None

    def _selected(self, target, mask, add, fill):
        @_guarded
        def select(self):
            target.there()
            target.select(Selection(), mask, add, QtCore.QByteArray)
            if fill:
                self.ask()

        select(self)

    def _expand(self, target):
        text = Krita.instance().readSetting(SETTINGS, "expand", "")
        options = krita_job.recall(text, self._description)
        self._ask(target, krita_job.expanding(options, target.facts.selection, target.facts.canvas))

    def _again(self, target):
        options = self._recall()
        if self._is_slow(target, options):
            # What takes minutes is shown while it is made.
            self._ask(target).fill_at_once()
        else:
            self._start(target, options)

    def _is_slow(self, target, options):
        """Whether nobody would want to wait for this without seeing how it goes."""
        if _refusal(target, options):
            return False
        plan = self._plan(self._mend, target, options)[1]
        return preview.slow(params.stepwise(self._description, plan["engine"]), plan["seconds"])

    def _ask(self, target, options=None):
        mend, planned = self._mend, {}

        def plan(options):
            # The preview needs what was just planned.
            planned.clear()
            planned[krita_job.preview_key(self._description, options)] = (
                options,
                self._plan(mend, target, options),
            )
            return planned

        def plan_of(options):
            return next(iter(plan(options).values()))[1][1]

        def read(key):
            options, (window, found) = planned[key]
            return self._read(target, options, window, found)

        dialog = Dialog(
            _window(),
            krita_job.title_text(target.facts, bool(options and options.intent == params.EXPAND)),
            self._description,
            options or self._recall(),
            plan_of,
            lambda options: _refusal(target, options),
            lambda options: krita_job.advice(options, target.facts),
            preview.Previewer(mend, read, rest=0.15),
            lambda: Shelf(mend),
        )
        dialog.chosen.connect(lambda options: self._chosen(target, options, dialog.taken))
        dialog.finished.connect(self._closed)
        dialog.offer(krita_job.prompts_of(self._prompts()))
        dialog.outdated.connect(lambda options: self._ask_anew(target, options))
        # Krita's window does not keep the Python half of a dialog alive.
        self._dialog = dialog
        dialog.open()
        return dialog

    def _chosen(self, target, options, taken):
        @_guarded
        def start(self):
            # "Inpaint Again" is about a selection.
            name = "expand" if options.intent == params.EXPAND else "last"
            Krita.instance().writeSetting(SETTINGS, name, krita_job.remember(options))
            prompt = krita_job.settings(self._description, options).prompt
            prompts = krita_job.with_prompt(self._prompts(), prompt)
            Krita.instance().writeSetting(SETTINGS, "prompts", prompts)
            self._start(target, options, taken)

        start(self)

    def _closed(self, _result):
        self._dialog = None

    def _ask_anew(self, target, options):
        """Models came or went, and engines with them: the dialog opens again, as it was left."""

        @_guarded
        def ask(self):
            self._description = self._mend.describe()
            self._ask(target, options)
            self._dialog.show_more()

        ask(self)

    def _prompts(self):
        return Krita.instance().readSetting(SETTINGS, "prompts", "")

    def _recall(self):
        text = Krita.instance().readSetting(SETTINGS, "last", "")
        return krita_job.recall(text, self._description)

    def _with_target(self, work, expanding=False):
        """Calls `work` with what is to be filled, or says why nothing can be."""
        if self._busy:
            self.say("A fill is running. Wait until it is done, or cancel it.")
        elif not self._looking:
            self._look(work, TRIES, expanding)

    def _look(self, work, tries, expanding):
        self._looking = False
        target = Target(Krita.instance())
        problem = krita_job.no_target(target.facts, expanding)
        if tries and target.document and target.facts.selection.empty and not expanding:

            @_guarded
            def again(self):
                self._look(work, tries - 1, expanding)

            self._looking = True
            QtCore.QTimer.singleShot(WAIT, lambda: again(self))
        elif problem:
            self.say(problem)
        else:
            self._load()
            work(target)

    def _load(self):
        """The inpainter and what it knows to do here; loads the library on first use."""
        mend = self._mend or native.Inpainter()
        # Each time anew: models come and go.
        self._description, self._mend = mend.describe(), mend

    # --- From a target to a fill ---

    def _plan(self, mend, target, options):
        """The window of the canvas and the plan inside it; Refused where nothing is around a
        hole."""
        parameters = krita_job.request(self._description, options)
        if options.intent == params.EXPAND:
            width, height = target.canvas[2:]
            nothing = bytes(target.canvas.area)
            mask = native.Image(nothing, width, height, native.GRAY | native.U8)
            return target.canvas, mend.plan(parameters, mask)

        def plan_of(window):
            mask = native.Image(
                target.mask(window), window.width, window.height, native.GRAY | native.U8
            )
            return mend.plan(parameters, mask)

        window, plan = krita_job.plan_within(target.canvas, target.facts.selection, plan_of)
        if options.source != VISIBLE:
            for piece in job.pieces(plan):
                if not target.surrounded(window, piece.rect):
                    raise Refused(krita_job.nothing_around(target.facts))
        return window, plan

    def _read(self, target, options, window, plan):
        parameters = krita_job.request(self._description, options)
        if options.intent == params.EXPAND:
            return Expansion(self._colours, target, options.source == VISIBLE, parameters, plan)
        return Reading(self._colours, target, options.source == VISIBLE, parameters, window, plan)

    def _start(self, target, options, taken=None):
        """Fills, or puts in place what was `taken` from a preview."""
        problem = _refusal(target, options)
        if problem:
            self.say(problem)
            return
        # Krita handles events while it converts colours: nobody may start a second fill meanwhile.
        self._busy = True
        try:
            if taken is not None:
                with waiting():
                    fill = Fill(self, target, options, taken.reading)
                    others = [one.pixels for one in taken.fills if one is not taken.fill]
                    fill.put(taken.fill.pixels, taken.fill.reports, others)
                self.finished()
                return
            with waiting():
                planned = self._plan(self._mend, target, options)
                fill = Fill(self, target, options, self._read(target, options, *planned))
            self._fill = fill
            fill.start(self._mend)
        except BaseException:
            self.finished()
            raise

    def finished(self):
        """The running fill is over, with whatever end."""
        self._fill, self._busy = None, False

    def _quit(self):
        if self._fill is not None:
            self._fill.stop()
        if self._choosing is not None:
            self._choosing.chooser.close()
        if self._dialog is not None:
            self._dialog.previewer.close(5.0)

    # --- Words to the user ---

    def say(self, text):
        """A message that waits for the user and holds up nothing else."""
        box = QtWidgets.QMessageBox(_window())
        box.setObjectName("mend_inpaint_message")
        box.setWindowTitle("Mend")
        box.setIcon(QtWidgets.QMessageBox.Icon.Information)
        box.setTextFormat(QtCore.Qt.TextFormat.PlainText)
        box.setText(text)
        box.setAttribute(QtCore.Qt.WidgetAttribute.WA_DeleteOnClose)
        box.open()

    def whisper(self, text):
        """A message that floats over the canvas for a moment."""
        window = Krita.instance().activeWindow()
        view = window.activeView() if window else None
        if view is not None:
            view.showFloatingMessage(text, QtGui.QIcon(), 3000, 1)


def _refusal(target, options):
    facts = target.facts
    if options.source == VISIBLE:
        problem = krita_job.no_merged_fill(facts, target.image_space())
    else:
        problem = krita_job.no_layer_fill(facts)
    if problem is None:
        in_place = options.result == IN_PLACE
        problem = krita_job.no_in_place(facts) if in_place else krita_job.no_new_layer(facts)
    return problem


class Fill(QtCore.QObject):
    """One fill: pixels out of the document, through the library on a thread, into the document."""

    def __init__(self, host, target, options, reading):
        super().__init__()
        self._host, self._target, self._options = host, target, options
        self._reading = reading

    def start(self, mend):
        """Fills on a thread, and puts the fill into the document when it is there."""
        reading = self._reading
        self._run = Run(mend, reading.parameters, reading.parts, reading.seconds)
        self._progress = Progress(_window())
        self._progress.canceled.connect(self._run.cancel)
        self._progress.destroyed.connect(self._orphaned)
        self._timer = QtCore.QTimer(self)
        self._timer.timeout.connect(self._poll)
        self._run.start()
        self._timer.start(25)

    def stop(self):
        """Cancels, and waits for the thread: Krita is about to quit."""
        self._timer.stop()
        self._run.cancel()
        self._run.join(5.0)

    def _orphaned(self, *_):
        # Krita's window was closed, and took the progress window along.
        if self._progress is not None:
            self._progress = None
            self._run.cancel()

    def _poll(self):
        progress = self._progress
        if self._run.is_alive():
            if progress is not None:
                progress.tell(self._run.countdown.shown, self._run.countdown.left)
            return
        self._timer.stop()
        if progress is None:
            self._host.finished()
            return
        self._progress = None
        progress.done_with()
        try:
            with waiting():
                self._end(self._host)
        finally:
            self._host.finished()

    def _end(self, host):
        @_guarded
        def end(_host):
            if self._run.cancelled:
                host.whisper("The fill was cancelled. Nothing was changed.")
                return
            if self._run.error is not None:
                raise self._run.error
            self.put([work.filled for work in self._run.works], self._run.reports)

        end(host)

    def put(self, pixels, reports, others=()):
        """Puts a fill into the document: `pixels` of each hole. `others` are fills that go beside
        it on hidden layers, if the options say so."""
        if not pixels:
            self._host.say("Nothing is selected on the canvas. Nothing was changed.")
            return
        target, reading = self._target, self._reading
        target.there()
        if self._options.intent == params.EXPAND:
            target.grow(reading.canvas)
            self._activate(target.add_layer("Expand", reading.as_layer(pixels), QtCore.QByteArray))
        elif self._options.result == LAYER:
            parts = reading.as_layer(pixels)
            if self._options.keep and others:
                hidden = [reading.as_layer(other) for other in others]
                layer = target.add_group("Inpaint", parts, hidden, QtCore.QByteArray)
            else:
                layer = target.add_layer("Inpaint", parts, QtCore.QByteArray)
            # The next fill of a layer starts from that layer; one of all layers, from the top.
            self._activate(layer if reading.merged else target.node)
        else:
            self._activate(target.exchange_layer(reading.in_place(pixels), QtCore.QByteArray))
        # A fill that can be seen needs no words, and they would lie over it.
        text = krita_job.notes_text(reports)
        if text:
            self._host.whisper(text)

    def _activate(self, node):
        # Krita makes every new layer the active one, a little later.
        QtCore.QTimer.singleShot(0, lambda: self._target.activate(node))


Krita.instance().addExtension(Inpaint(Krita.instance()))
