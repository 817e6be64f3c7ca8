#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""Filters ▸ Enhance ▸ Inpaint… for GIMP 3: the procedures and what they are called with."""

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
MENU = "<Image>/Filters/Enhance"
READWRITE = GObject.ParamFlags.READWRITE
# GIMP's integers have 32 bits.
INT_MAX = 2**31 - 1


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


def add_arguments(procedure, description):
    """One argument for each field, of the type that suits it."""
    procedure.add_string_argument(
        "output", "Result", "Where the fill goes: in-place or new-layer", fill.IN_PLACE, READWRITE
    )
    for field in fill.fields(description):
        label, blurb = field.label, field.help
        if field.type == "integer":
            low, high = int(field.min), min(int(field.max), INT_MAX)
            procedure.add_int_argument(
                field.name, label, blurb, low, high, field.default, READWRITE
            )
        elif field.type == "number":
            procedure.add_double_argument(
                field.name, label, blurb, field.min, field.max, field.default, READWRITE
            )
        elif field.type == "flag":
            procedure.add_boolean_argument(field.name, label, blurb, field.default, READWRITE)
        else:
            # A choice, too: GIMP's own choices turn a misspelt one into the default without a word.
            if field.choices:
                blurb += " One of %s." % ", ".join(name for name, _ in field.choices)
            procedure.add_string_argument(field.name, label, blurb, field.default, READWRITE)


def answer(procedure, status, message=None, filled=None):
    values = procedure.new_return_values(status, GLib.Error(message) if message else GLib.Error())
    if status == Gimp.PDBStatusType.SUCCESS:
        values.remove(1)
        values.insert(1, GObject.Value(Gimp.Drawable, filled))
    return values


def run(procedure, run_mode, image, drawables, config, mend):
    """The procedure itself."""
    status = Gimp.PDBStatusType
    interactive = run_mode == Gimp.RunMode.INTERACTIVE
    host = None
    try:
        if len(drawables) != 1:
            raise fill.Refusal(
                "%d layers are selected: select the one layer that is to be filled."
                % len(drawables)
            )
        from host import Host

        host = Host(image, drawables[0], run_mode != Gimp.RunMode.NONINTERACTIVE)
        fields = fill.fields(mend.registered())
        inpainter = mend.inpainter
        if interactive:
            fill.find_hole(host)  # without one there is nothing to ask
            import dialog

            if not dialog.ask(procedure, config, host, inpainter, fields):
                return answer(procedure, status.CANCEL)
        values = {field.name: config.get_property(field.name) for field in fields}
        host.progress(0.0, "")
        layer, notes = fill.fill(
            host, inpainter, job.parameters(fields, values), config.get_property("output")
        )
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
        return answer(
            procedure, status.EXECUTION_ERROR,
            "There is not enough memory for these pixels: select a smaller region.",
        )
    except Exception as error:  # noqa: B902 - a script's last resort: the user sees what it was
        traceback.print_exc()
        return answer(
            procedure, status.EXECUTION_ERROR,
            "Mend's plug-in failed: %s: %s" % (type(error).__name__, error),
        )
    finally:
        if host:
            host.finish()


def run_again(procedure, run_mode, image, drawables, config, mend):
    """The same as last time, with no dialog."""
    # What goes wrong is told once, by the procedure that was called.
    procedure.get_plug_in().set_pdb_error_handler(Gimp.PDBErrorHandler.PLUGIN)
    main = Gimp.get_pdb().lookup_procedure(PROCEDURE)
    again = main.create_config()
    again.set_property("run-mode", Gimp.RunMode.WITH_LAST_VALS)
    again.set_property("image", image)
    again.set_core_object_array("drawables", drawables)
    result = main.run(again)
    state = result.index(0)
    if state == Gimp.PDBStatusType.SUCCESS:
        return answer(procedure, state, filled=result.index(1))
    return answer(procedure, state, Gimp.get_pdb().get_last_error())


class MendInpaint(Gimp.PlugIn):
    def do_set_i18n(self, _name):
        return False

    def do_query_procedures(self):
        return [PROCEDURE, AGAIN]

    def do_create_procedure(self, name):
        mend = Mend()
        again = name == AGAIN
        procedure = Gimp.ImageProcedure.new(
            self, name, Gimp.PDBProcType.PLUGIN, run_again if again else run, mend
        )
        procedure.set_image_types("*")
        mask = Gimp.ProcedureSensitivityMask
        procedure.set_sensitivity_mask(mask.DRAWABLE | mask.DRAWABLES)
        procedure.set_attribution("The Mend authors", "The Mend authors", "2026")
        if again:
            procedure.set_menu_label("Inpaint _Again")
            procedure.set_documentation(
                "Fill the selection as the last time", "Runs Inpaint with its last settings and "
                "no dialog.", name,
            )
        else:
            procedure.set_menu_label("_Inpaint…")
            procedure.set_documentation(
                "Fill the selection so that nobody sees it was filled",
                "Replaces what is selected by a continuation of what surrounds it.", name,
            )
            add_arguments(procedure, mend.registered())
        procedure.add_menu_path(MENU)
        procedure.add_drawable_return_value(
            "filled", "Filled", "What holds the fill: the new layer or the drawable itself", False,
            READWRITE,
        )
        return procedure


Gimp.main(MendInpaint.__gtype__, sys.argv)
