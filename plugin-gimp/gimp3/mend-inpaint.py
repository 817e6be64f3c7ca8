#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""Mend for GIMP 3, under Filters ▸ Enhance: the procedures and what they are called with."""

import json
import os
import sys
import traceback

import gi

gi.require_version("Gimp", "3.0")
from gi.repository import Gimp, GLib, GObject  # noqa: E402

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
# What is installed is all that lies here, so that it can be taken away again.
sys.dont_write_bytecode = True

import fill  # noqa: E402
import job  # noqa: E402
import native  # noqa: E402

PROCEDURE = "plug-in-mend-inpaint"
AGAIN = "plug-in-mend-inpaint-again"
REMOVE = "plug-in-mend-remove-object"
QUICK = "plug-in-mend-fill-quickly"
MENU = "<Image>/Filters/Enhance"
# name: (label in the menu, what it does, more of that)
PROCEDURES = {
    PROCEDURE: (
        "Mend: _Inpaint…", "Fill the selection so that nobody sees it was filled",
        "Replaces what is selected by a continuation of what surrounds it.",
    ),
    AGAIN: (
        "Mend: Inpaint _Again", "Fill the selection with the settings of the last dialog",
        "Runs Inpaint with the settings that its dialog was left with, and no dialog.",
    ),
    REMOVE: (
        "Mend: Remove _Object", "Fill the selection and a narrow rim around it",
        "Inpaint with the selection grown by 4 pixels, and no dialog.",
    ),
    QUICK: (
        "Mend: Fill _Quickly", "Fill the selection from what is close to it",
        "Inpaint with the engine that needs no model and a context of 32 pixels, and no dialog.",
    ),
}
PRESETS = {REMOVE: fill.REMOVE_OBJECT, QUICK: fill.FILL_QUICKLY}
READWRITE = GObject.ParamFlags.READWRITE
# GIMP's integers have 32 bits.
INT_MIN, INT_MAX = -(2**31), 2**31 - 1
NUMBER_MAX = 1e300


class Mend:
    """The library, loaded at most once."""

    def __init__(self):
        self._inpainter = None

    @property
    def inpainter(self):
        if self._inpainter is None:
            self._inpainter = native.Inpainter()
        return self._inpainter

    def registered(self):
        """The description that the procedure's arguments follow: what the library said when it was
        installed, for GIMP asks for arguments only when the plug-in's file is new.

        Where no such file is, what the library says now; without any, nothing.
        """
        try:
            with open(os.path.join(HERE, "describe.json"), encoding="utf-8") as file:
                return json.load(file)
        except (OSError, ValueError):
            try:
                return self.inpainter.describe()
            except native.MendError:
                return {"params": [], "engines": []}


class Argument:
    """How a parameter is an argument of the procedure.

    Engines may have one name with other defaults: such an argument's own default is no value, and
    stands for that of the engine which will run.
    """

    def __init__(self, name, specs):
        self.name, self.spec = name, specs[0]
        self.type = self.spec.type if len({f.type for f in specs}) == 1 else "text"
        self.same = len({(f.type, f.default) for f in specs}) == 1
        self.default = self.spec.default
        if not self.same:
            numbers = self.type in ("integer", "number")
            self.type = self.type if numbers else "text"
            self.default = min(f.min for f in specs) - 1 if numbers else ""
        self.specs = specs

    @property
    def blurb(self):
        """What it is for, and what it takes."""
        said = [self.spec.help]
        for spec in self.specs:
            who = "" if self.same or not spec.engines else "%s: " % spec.engines[0]
            if spec.type in ("integer", "number"):
                said.append("%s%g to %g%s." % (
                    who, spec.min, spec.max, "" if self.same else ", by default %g" % spec.default))
            elif spec.choices:
                said.append("%sone of %s%s." % (
                    who, ", ".join(name for name, _ in spec.choices),
                    "" if self.same else ", by default %s" % spec.default))
            if self.same:
                break
        if not self.same:
            said.append("%s leaves it to the engine." % (
                "An empty text" if self.type == "text" else "%g" % self.default))
        return " ".join(said)

    def add(self, procedure):
        """Declares it. The range is the library's to check: GIMP would drop a value out of it
        without a word."""
        given = (self.name, self.spec.label, self.blurb)
        if self.type == "integer":
            procedure.add_int_argument(*given, INT_MIN, INT_MAX, int(self.default), READWRITE)
        elif self.type == "number":
            procedure.add_double_argument(
                *given, -NUMBER_MAX, NUMBER_MAX, float(self.default), READWRITE)
        elif self.type == "flag":
            procedure.add_boolean_argument(*given, self.default, READWRITE)
        else:
            # A choice, too: GIMP's own choices turn a misspelt one into the default.
            procedure.add_string_argument(*given, str(self.default), READWRITE)


def registered_arguments(description):
    """The parameters as arguments, the common ones first."""
    engines = [engine["id"] for engine in description.get("engines", [])]
    own = [field for engine in engines for field in job.fields_of(description, engine)]
    return [
        Argument(field.name, [f for f in own if f.name == field.name] or [field])
        for field in fill.fields(description)
    ]


def add_arguments(procedure, description):
    """The arguments of Inpaint besides those that every procedure has."""
    for name, label, blurb, default in [
        ("output", "Result", "Where the fill goes: in-place or new-layer", fill.IN_PLACE),
        ("sample", "Fill from", "Where the fill takes its pixels from: layer or visible, all "
         "visible layers", fill.LAYER),
    ]:
        procedure.add_string_argument(name, label, blurb, default, READWRITE)
    for argument in registered_arguments(description):
        argument.add(procedure)


def from_script(config, description):
    """What a script asked for: of the parameters only those that it set."""
    parameters = {}
    for argument in registered_arguments(description):
        value = config.get_property(argument.name)
        if value is not None and value != argument.default:
            parameters[argument.name] = argument.spec.text(value)
    return parameters, config.get_property("output"), config.get_property("sample")


def answer(procedure, status, message=None, filled=None):
    values = procedure.new_return_values(status, GLib.Error(message) if message else GLib.Error())
    if status == Gimp.PDBStatusType.SUCCESS:
        values.remove(1)
        values.insert(1, GObject.Value(Gimp.Drawable, filled))
    return values


def asked_for(procedure, run_mode, config, host, mend):
    """What is to be filled how; None when the user left the dialog."""
    import panel

    name = procedure.get_name()
    if name in PRESETS:
        return panel.Asked(dict(PRESETS[name]), fill.IN_PLACE, fill.LAYER)
    if name == PROCEDURE and run_mode == Gimp.RunMode.NONINTERACTIVE:
        return panel.Asked(*from_script(config, mend.registered()))
    memory = panel.Memory(Gimp.directory())
    if name == PROCEDURE and run_mode == Gimp.RunMode.INTERACTIVE:
        fill.find_hole(host, output=fill.NEW_LAYER)  # without one there is nothing to ask
        import dialog

        return dialog.ask(host, mend.inpainter, memory)
    last = panel.Panel(mend.inpainter.describe(), memory.read())
    last.for_item(host.item)
    return last.asked()


def run(procedure, run_mode, image, drawables, config, mend):
    """Every procedure."""
    status = Gimp.PDBStatusType
    host = None
    try:
        if len(drawables) != 1:
            raise fill.Refusal(
                "%d layers are selected: select the one layer that is to be filled."
                % len(drawables)
            )
        from host import Host

        host = Host(image, drawables[0], run_mode != Gimp.RunMode.NONINTERACTIVE)
        # What was selected when this began counts, and after a dialog what is selected then.
        selection = fill.Selection.now(host)
        inpainter = mend.inpainter
        asked = asked_for(procedure, run_mode, config, host, mend)
        if asked is None:
            return answer(procedure, status.CANCEL)
        if procedure.get_name() == PROCEDURE and run_mode == Gimp.RunMode.INTERACTIVE:
            selection = None
        host.progress(0.0, "")
        layer, notes = fill.fill(host, inpainter, *asked, selection=selection)
        if not host.item.is_layer and procedure.get_name() != PROCEDURE:
            # A dialog has said it before.
            notes = [fill.filled_text(host.item)] + notes
        if notes and host.interactive:
            host.message("\n".join(notes))
        return answer(procedure, status.SUCCESS, filled=layer or host.drawable)
    except fill.Refusal as refusal:
        return answer(procedure, status.EXECUTION_ERROR, str(refusal))
    except native.MendError as error:
        if error.status == native.ERR_CANCELLED:
            return answer(procedure, status.CANCEL)
        return answer(procedure, status.EXECUTION_ERROR, fill.sentence(error.message))
    except MemoryError:
        return answer(procedure, status.EXECUTION_ERROR, fill.NO_MEMORY)
    except Exception as error:  # noqa: B902 - a script's last resort: the user sees what it was
        traceback.print_exc()
        return answer(
            procedure, status.EXECUTION_ERROR,
            "Mend's plug-in failed: %s: %s" % (type(error).__name__, error),
        )
    finally:
        if host:
            host.finish()


class MendInpaint(Gimp.PlugIn):
    def do_set_i18n(self, _name):
        return False

    def do_query_procedures(self):
        return list(PROCEDURES)

    def do_create_procedure(self, name):
        mend = Mend()
        label, blurb, help_text = PROCEDURES[name]
        procedure = Gimp.ImageProcedure.new(self, name, Gimp.PDBProcType.PLUGIN, run, mend)
        procedure.set_image_types("*")
        mask = Gimp.ProcedureSensitivityMask
        procedure.set_sensitivity_mask(mask.DRAWABLE | mask.DRAWABLES)
        procedure.set_attribution("The Mend authors", "The Mend authors", "2026")
        procedure.set_menu_label(label)
        procedure.set_documentation(blurb, help_text, name)
        if name == PROCEDURE:
            add_arguments(procedure, mend.registered())
        procedure.add_menu_path(MENU)
        procedure.add_drawable_return_value(
            "filled", "Filled", "What holds the fill: the new layer or the drawable itself", False,
            READWRITE,
        )
        return procedure


Gimp.main(MendInpaint.__gtype__, sys.argv)
