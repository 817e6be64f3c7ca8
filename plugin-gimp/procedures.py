# SPDX-License-Identifier: MIT OR Apache-2.0
"""The procedures of every GIMP: their names and words, what each of them fills with, and what it
says at the end. Knows no GIMP.
"""

import sys
import traceback
from typing import NamedTuple

import canvas
import choosing
import fill
import job
import native
import panel
import params

INPAINT, AGAIN = "plug-in-mend-inpaint", "plug-in-mend-inpaint-again"
REMOVE, QUICK = "plug-in-mend-remove-object", "plug-in-mend-fill-quickly"
EXPAND, SELECT = "plug-in-mend-expand", "plug-in-mend-select-object"
PRESETS = {REMOVE: params.REMOVE_OBJECT, QUICK: params.FILL_QUICKLY}
MENU = "<Image>/Filters/Enhance"
AUTHORS, YEAR = "The Mend authors", "2026"
# GimpRunMode, the same numbers in every GIMP.
INTERACTIVE, NONINTERACTIVE, WITH_LAST_VALS = range(3)


class Words(NamedTuple):
    """What a menu and the procedure browser say of a procedure."""

    label: str
    blurb: str
    help: str


WORDS = {
    INPAINT: Words(
        "Mend: _Inpaint…",
        "Fill the selection so that nobody sees it was filled",
        "Replaces what is selected by a continuation of what surrounds it.",
    ),
    AGAIN: Words(
        "Mend: Inpaint _Again",
        "Fill the selection with the settings of the last dialog",
        "Runs Inpaint with the settings that its dialog was left with, and no dialog.",
    ),
    REMOVE: Words(
        "Mend: Remove _Object",
        "Fill the selection and a narrow rim around it",
        "Inpaint with the selection grown by 4 pixels, and no dialog.",
    ),
    QUICK: Words(
        "Mend: Fill _Quickly",
        "Fill the selection from what is close to it",
        "Inpaint with the engine that needs no model and a context of 32 pixels, and no dialog.",
    ),
}


# What GIMP 2.10 has not.
WORDS_3 = {
    **WORDS,
    SELECT: Words(
        "Mend: _Select Object…",
        "Select an object by a click or a box",
        "Shows the picture to click on. What does not belong to the object is said with the right "
        "button.",
    ),
    EXPAND: Words(
        "Mend: _Expand Canvas…",
        "Make the image larger and fill what is new",
        "Moves the sides of the image out and continues the picture there. No pixel changes that "
        "was there before.",
    ),
}


def asked_for(name, mode, host, inpainter, folder, from_script):
    """(What is to be filled how, what was chosen from a preview or None); None when the user left
    the dialog.

    `folder` is the user's GIMP folder; `from_script()` gives what the procedure's arguments ask
    for.
    """
    if name in PRESETS:
        return panel.Asked(dict(PRESETS[name]), fill.IN_PLACE, fill.LAYER), None
    if name in (INPAINT, EXPAND) and mode == NONINTERACTIVE:
        return from_script(), None
    if name == EXPAND:
        return _asked_to_expand(mode, host, inpainter, panel.Memory(folder, "mend-expand.json"))
    memory = panel.Memory(folder)
    if name == INPAINT and mode == INTERACTIVE:
        fill.find_hole(host, output=fill.NEW_LAYER)  # without one there is nothing to ask
        import dialog

        return dialog.ask(host, inpainter, memory)
    last = panel.Panel(inpainter.describe(), memory.read())
    last.for_item(host.item)
    if host.interactive and mode != NONINTERACTIVE and last.judge(host, inpainter).slow:
        # What takes minutes is shown while it is made.
        import dialog

        if dialog.Gallery:
            return dialog.ask(host, inpainter, memory, at_once=True)
    return last.asked(), None


def _asked_to_expand(mode, host, inpainter, memory):
    if mode == INTERACTIVE:
        import dialog

        return dialog.ask(host, inpainter, memory, intent=params.EXPAND)
    last = panel.Panel(inpainter.describe(), memory.read(), params.EXPAND)
    return last.asked(), None


def _select(mode, host, inpainter, folder):
    """Selects an object, and fills it if the user says so."""
    if mode == NONINTERACTIVE:
        raise fill.Refusal(
            "Select Object asks where the object is: run it with a dialog, or take 'mend select'."
        )
    import choosing_window

    area = host.canvas
    source = fill.Source(host, fill.NEW_LAYER, fill.VISIBLE)
    whole = Whole(source, source.read_all(area), area)
    image = native.Image(whole.data, area.width, area.height, whole.format)
    chooser = choosing.Chooser(native.Selector(), image)
    window = choosing_window.ChoosingWindow(whole, chooser, host.selection_bounds() is not None)
    answer = window.run()
    if answer is None:
        return False, None
    mask, add, inpaint = answer
    host.select_mask(mask, add)
    if inpaint:
        run(INPAINT, INTERACTIVE, host, inpainter, folder, dict)
    return True, None


class Whole:
    """All of the picture, as thumbs.look takes a part."""

    def __init__(self, source, data, area):
        self.piece, self.data, self.format = job.Piece(area, area, 1.0), data, source.format


def _fill(name, host, inpainter, asked, selection, taken):
    given = (asked.parameters, asked.output, asked.sample)
    if name == EXPAND:
        return canvas.expand(host, inpainter, *given, taken)
    return fill.fill(host, inpainter, *given, selection, taken)


def run(name, mode, host, inpainter, folder, from_script):
    """Asks as `asked_for`, and fills. (whether something was filled, the new layer or None)."""
    if name == SELECT:
        return _select(mode, host, inpainter, folder)
    # What was selected when this began counts, and after a dialog what is selected then.
    selection = fill.Selection.now(host)
    answer = asked_for(name, mode, host, inpainter, folder, from_script)
    if answer is None:
        return False, None
    asked, taken = answer
    if taken is not None or (name == INPAINT and mode == INTERACTIVE):
        selection = None
    host.progress(0.0, "")
    layer, notes = _fill(name, host, inpainter, asked, selection, taken)
    if not host.item.is_layer and name != INPAINT:
        # A dialog has said it before.
        notes = [fill.filled_text(host.item), *notes]
    told = "\n".join(job.sentence(note) for note in notes)
    if told and host.interactive:
        host.message(told)
    elif told:
        # A script's user sees the terminal, if anything.
        print(told, file=sys.stderr, flush=True)
    return True, layer


def problem(error):
    """What to tell the user of an exception; None where the user stopped the fill."""
    if isinstance(error, fill.Refusal):
        return str(error)
    if isinstance(error, native.MendError):
        cancelled = error.status == native.ERR_CANCELLED
        return None if cancelled else job.sentence(error.message)
    if isinstance(error, MemoryError):
        return job.NO_MEMORY
    # A last resort: the user sees what it was, and a terminal where.
    traceback.print_exception(type(error), error, error.__traceback__)
    return "Mend's plug-in failed: %s: %s" % (type(error).__name__, error)
