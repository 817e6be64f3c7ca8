# SPDX-License-Identifier: MIT OR Apache-2.0
"""The dialog of Inpaint in every GIMP, drawn from what the library says of its parameters.

The widgets are those of `widgets.py`, which each GIMP has of its own with the same names: GTK 3 by
introspection, GTK 2 by its C functions.
"""

import contextlib
import functools
import os
from typing import Any

import canvas
import fill
import models
import panel
import params
import preview
import reading
import widgets

Gallery: Any = None
with contextlib.suppress(ImportError):  # GTK 2's dialog has no preview
    from gallery import Gallery
ModelsWindow: Any = None
with contextlib.suppress(ImportError):  # nor has it the models
    from models_window import ModelsWindow

HERE = os.path.dirname(os.path.abspath(__file__))
TITLE, TITLE_EXPAND = "Mend: Inpaint", "Mend: Expand Canvas"
# What a length around the hole is mostly set to; anything else can be typed.
EXTENTS = ("auto", "25%", "50%", "100%", "64", "256")
INTENTS = {params.REMOVE: "Remo_ve", params.PROMPT: "Fill with a _prompt"}
# The plan follows the settings after so many milliseconds of rest.
REST = 120
# Pixels that the dialog is high at most, without its frame: it fits the smallest screens in use.
HEIGHT = 560
INT_MAX = 2**31 - 1
MODELS = 2  # the answer of the button that opens the models


def ask(host, inpainter, memory, at_once=False, intent=None):
    """Shows the dialog; with `at_once` as if the user pressed Fill at once. (What the user wants,
    as an Asked; what was chosen from its preview, or None), or None; what was set is remembered."""
    stored, more = memory.read(), False
    while True:
        settings = panel.Panel(inpainter.describe(), stored, intent)
        if Gallery and intent is None:
            settings.with_intents()
        settings.for_item(host.item)
        view = View(settings, host, inpainter, more)
        if at_once and Gallery:
            widgets.later(0, functools.partial(view.window.answer, widgets.FILL))
            at_once = False
        try:
            if view.run():
                memory.write(settings.stored())
                return settings.asked(), view.taken
        finally:
            view.close()
        if not view.outdated:
            return None
        # Models came or went, and engines with them: it opens again as it was left.
        stored, more = settings.stored(), True


class View:
    """The widgets, and the plan that follows them."""

    def __init__(self, settings, host, inpainter, more=False):
        self.outdated = False  # models came or went: this dialog is to be asked anew
        self.panel, self.host, self.inpainter = settings, host, inpainter
        self.timer, self.drawn_for, self.good, self.closed = None, [], False, False
        self.gallery, self.taken = None, None
        self.filling, self.made = False, False
        self.window: Any = widgets.Window(TITLE_EXPAND if settings.only else TITLE)
        window = self.window
        window.note(window.head, self._title())
        # The engine's own rows change with the engine; the others stay, and keep the focus.
        names = ("front", "engine", "own", "common", "more", "own more")
        self.boxes = {name: widgets.column() for name in names}
        if Gallery:
            self._with_preview(window)
        else:
            for name in names[:4]:
                window.put(window.form, self.boxes[name])
            self.inside = window.more(window.form, "_More", self._opened)
            window.put(self.inside, self.boxes["more"])
            window.put(self.inside, self.boxes["own more"])
        missing = params.missing_text(settings.description, bool(ModelsWindow))
        if missing:
            window.note(self.inside, missing)
        if ModelsWindow:
            window.button(self.inside, "Mode_ls…", "What is here, and what can be had.", MODELS)
        if more:
            window.open_more()
        self.said = window.note(window.foot, "")
        self._draw()
        self._refresh()
        # Enter fills. Where nothing can be filled it does nothing, and opens no list either.
        window.focus(None if self.good else self.rows.get(("", "grow")))

    def _with_preview(self, window):
        """What is wanted and what is seen stand on the left, all settings on the right."""
        able = {
            params.REMOVE,
            *([params.PROMPT] if params.prompted(self.panel.description) else []),
        }
        if self.panel.only is None:
            self.intents = window.intents(INTENTS, self.panel.intent, able, self._intend)
        window.put(window.left, self.boxes["front"])
        window.put(window.left, self.boxes["own"])
        read = preview.Previewer(self.inpainter, self._read, rest=0.18)
        self.gallery = Gallery(read, self._made)
        window.show_gallery(self.gallery)
        self.inside = window.beside("_More", self._opened)
        for name in ("engine", "common", "more", "own more"):
            window.put(self.inside, self.boxes[name])

    def _title(self):
        if self.panel.only == params.EXPAND:
            size = (self.host.canvas.width, self.host.canvas.height)
            return "Makes the image of %d × %d pixels larger, and fills what is new." % size
        return fill.target_text(self.host.item)

    def _read(self, key):
        parameters, output, sample = key
        if self.panel.only == params.EXPAND:
            return canvas.Reading(self.host, self.inpainter, dict(parameters), output, sample)
        return reading.Reading(self.host, self.inpainter, dict(parameters), output, sample)

    def _intend(self, intent):
        self.panel.intent = intent
        self._draw()
        self._changed()

    def run(self):
        """Until the user fills (True) or leaves."""
        while True:
            answer = self.window.run()
            if answer == widgets.FILL:
                self._settle()
                if self.good and self._taken():
                    return True
            elif answer == widgets.HELP:
                problem = widgets.open_file(os.path.join(HERE, "help.html"))
                if problem:
                    self.window.say(self.said, problem, True)
                    self._fit()
            elif answer == MODELS:
                shelf = models.Shelf(self.inpainter)
                self.window.show_models(ModelsWindow, shelf)
                if shelf.changed:
                    self.outdated = True
                    return False
            elif answer == widgets.RESET:
                self.panel.reset()
                self.panel.for_item(self.host.item)
                if self.gallery and self.panel.only is None:
                    self.window.intend(self.intents, self.panel.intent)
                self._draw()
                self._refresh()
            else:
                return False

    def _taken(self):
        """Whether the dialog is over: not as long as a fill is made in it that takes a while."""
        if not self.gallery:
            return True
        previewer = self.gallery.previewer
        self.taken = previewer.taken(self.panel.asked().key)
        if self.taken is not None or not (previewer.slow or self.panel.only):
            return True
        # Unless it has just failed, or was stopped.
        self._fill_on(not self.made)
        self.made = False
        if self.filling:
            self.gallery.make()
        return False

    def _fill_on(self, on):
        """Whether the fill that is being made is put in place when it is there."""
        if on != self.filling:
            self.filling = on
            self.window.filling(on)

    def _made(self):
        if self.filling:
            self.made = True
            self.window.answer(widgets.FILL)

    def close(self):
        """Takes the window away."""
        if self.timer is not None:
            widgets.cancel(self.timer)
            self.timer = None
        if self.gallery:
            self.gallery.close()
        self.window.close()
        self.closed = True

    # --- Rows

    def _draw(self):
        """All rows anew."""
        self.rows = {}
        for name in ("front", "engine", "common", "more"):
            self.window.clear(self.boxes[name])
        basic, more = self.panel.fields(True), self.panel.fields(False)
        for field in basic:
            if not field.engine:
                place = {"engine": "engine", "expand": "front"}.get(field.name, "common")
                self._row(self.boxes[place], field)
        self.summary = self.window.note(self.boxes["engine"], "")
        if self.host.item.is_layer:
            self._pair("Fill from:", "Where the fill takes its pixels from", fill.SAMPLES, "sample")
            self._pair("Result:", "Where the fill goes", fill.OUTPUTS, "output")
        for field in more:
            if not field.engine:
                self._row(self.boxes["more"], field)
        self._draw_own()

    def _draw_own(self):
        """The rows of the chosen engine."""
        self.drawn_for = self.panel.settings.fields()
        for name, essential in (("own", True), ("own more", False)):
            self.window.clear(self.boxes[name])
            for field in self.panel.fields(essential):
                if field.engine:
                    self._row(self.boxes[name], field)

    def _pair(self, label, tip, pairs, name):
        def changed(value):
            setattr(self.panel, name, value)
            self._changed()

        widget = widgets.combo(pairs, getattr(self.panel, name), changed)
        self.window.row(self.boxes["common"], label, tip, widget)

    def _row(self, box, field):
        value = self.panel.settings.get(field)

        def changed(given):
            # Text that is no value yet, while it is typed, goes to the library, which says so.
            sound = field.sound(given)
            self.panel.settings.set(field, given if sound is None else sound)
            self._changed()

        label = field.label + ":"
        if field.type == "choice":
            pairs = params.choices(field, self.panel.description)
            if field.name == "engine":
                offered = self.panel.settings.offered()
                value = self.panel.settings.engine
                pairs = [pair for pair in pairs if pair[0] in offered]
            widget = widgets.combo(pairs, value, changed)
        elif field.type == "flag":
            widget = widgets.check(value, changed)
        elif field.type in ("integer", "number"):
            whole = field.type == "integer"
            low = -INT_MAX if field.min is None else max(field.min, -INT_MAX)
            high = INT_MAX if field.max is None else min(field.max, INT_MAX)
            step = 1 if whole else max((high - low) / 100.0, 0.01)
            widget = widgets.spin(low, high, step, 0 if whole else 2, value, changed)
        elif field.type == "extent":
            widget = widgets.entry(value, changed, EXTENTS)
        elif field.type == "sides":
            widget = widgets.entry(value, changed, params.SIDES)
        else:
            widget = widgets.entry(value, changed)
            complete = getattr(widgets, "complete", None)  # GTK 2's has none
            if complete and field.name in params.WISHES:
                complete(widget, self.panel.prompts)
        self.rows[field.key] = widget
        self.window.row(box, label, field.help, widget)

    # --- What follows from them

    def _changed(self):
        self._fill_on(False)
        if self.timer is not None:
            widgets.cancel(self.timer)
        self.timer = widgets.later(REST, self._refresh)

    def _settle(self):
        """The plan for what was set last."""
        if self.timer is not None:
            widgets.cancel(self.timer)
            self._refresh()

    def _refresh(self):
        self.timer = None
        fields = self.panel.settings.fields()
        if [f for f in fields if not f.engine] != [f for f in self.drawn_for if not f.engine]:
            self._draw()  # the engine describes one of them anew
        elif fields != self.drawn_for:
            self._draw_own()
        verdict = self.panel.judge(self.host, self.inpainter)
        self.good = verdict.good
        self.window.say(self.summary, verdict.summary)
        self.window.say(self.said, verdict.text, bold=not verdict.good)
        self.window.allow(widgets.FILL, verdict.good and not self.filling)
        if self.gallery:
            key = self.panel.asked().key if verdict.good else None
            self.gallery.want(key, verdict.slow, verdict.steps)
        self._fit()

    def _opened(self):
        # What was opened has its size only when the toolkit has gone on; GTK 2 opens it in steps.
        for milliseconds in (0, 120, 400):
            widgets.later(milliseconds, self._fit)

    def _fit(self):
        if not self.closed:
            self.window.fit(HEIGHT)
