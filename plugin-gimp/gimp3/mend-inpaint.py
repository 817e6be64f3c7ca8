#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""Mend for GIMP 3, under Filters ▸ Enhance: the procedures and what they are called with."""

import os
import sys

import gi

gi.require_version("Gimp", "3.0")
from gi.repository import Gimp, GLib, GObject  # noqa: E402

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)
# What is installed is all that lies here, so that it can be taken away again.
sys.dont_write_bytecode = True

import arguments  # noqa: E402
import fill  # noqa: E402
import native  # noqa: E402
import panel  # noqa: E402
import params  # noqa: E402
import procedures  # noqa: E402

READWRITE = GObject.ParamFlags.READWRITE
# GIMP's integers have 32 bits.
INT_MIN, INT_MAX = -(2**31), 2**31 - 1
NUMBER_MAX = 1e300
EXPAND = (
    "How far the sides are moved out: 64 or 10% for all of them, 64,0,64,10% for left, top, right "
    "and bottom, or left=64,bottom=10%"
)


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
        """What the procedures' arguments follow."""
        return arguments.registered(self.describe)

    def describe(self):
        """What the library says of itself now. Raises MendError where it cannot be loaded."""
        return self.inpainter.describe()


def add_argument(procedure, argument):
    """Declares a parameter. The range is the library's to check: GIMP would drop a value out of it
    without a word."""
    given = (argument.name, argument.label, argument.blurb)
    if argument.type == "integer":
        procedure.add_int_argument(*given, INT_MIN, INT_MAX, int(argument.default), READWRITE)
    elif argument.type == "number":
        default = float(argument.default)
        procedure.add_double_argument(*given, -NUMBER_MAX, NUMBER_MAX, default, READWRITE)
    elif argument.type == "flag":
        procedure.add_boolean_argument(*given, argument.default, READWRITE)
    else:
        # A choice, too: GIMP's own choices turn a misspelt one into the default.
        procedure.add_string_argument(*given, str(argument.default), READWRITE)


def add_arguments(procedure, description):
    """The arguments of Inpaint besides those that every procedure has."""
    for name, label, blurb, default in [
        ("output", "Result", "Where the fill goes: in-place or new-layer", fill.IN_PLACE),
        (
            "sample",
            "Fill from",
            "Where the fill takes its pixels from: layer or visible, all visible layers",
            fill.LAYER,
        ),
    ]:
        procedure.add_string_argument(name, label, blurb, default, READWRITE)
    for argument in arguments.named(description):
        add_argument(procedure, argument)


def from_script(config, description, name):
    """The fill that a script asks for."""
    value_of = config.get_property
    parameters = arguments.from_named(description, value_of)
    if name == procedures.EXPAND:
        parameters["expand"] = value_of("expand")
    return panel.Asked(parameters, value_of("output"), value_of("sample"))


def answer(procedure, status, message=None, filled=None):
    values = procedure.new_return_values(status, GLib.Error(message) if message else GLib.Error())
    if status == Gimp.PDBStatusType.SUCCESS:
        values.remove(1)
        values.insert(1, GObject.Value(Gimp.Drawable, filled))
    return values


def run(procedure, run_mode, image, drawables, config, mend):
    """Every procedure."""
    name, mode, host = procedure.get_name(), int(run_mode), None
    try:
        if len(drawables) != 1:
            raise fill.Refusal(
                "%d layers are selected: select the one layer that is to be filled."
                % len(drawables)
            )
        from host import Host

        host = Host(image, drawables[0], mode != procedures.NONINTERACTIVE)
        filled, layer = procedures.run(
            name,
            mode,
            host,
            mend.inpainter,
            Gimp.directory(),
            lambda: from_script(config, mend.registered(), name),
        )
        if not filled:
            return answer(procedure, Gimp.PDBStatusType.CANCEL)
        return answer(procedure, Gimp.PDBStatusType.SUCCESS, filled=layer or host.drawable)
    except Exception as error:
        problem = procedures.problem(error)
        if problem is None:
            return answer(procedure, Gimp.PDBStatusType.CANCEL)
        return answer(procedure, Gimp.PDBStatusType.EXECUTION_ERROR, problem)
    finally:
        if host:
            host.finish()


class MendInpaint(Gimp.PlugIn):
    def do_set_i18n(self, _name):
        return False

    def do_query_procedures(self):
        return list(procedures.WORDS_3)

    def do_create_procedure(self, name):
        mend = Mend()
        words = procedures.WORDS_3[name]
        procedure = Gimp.ImageProcedure.new(self, name, Gimp.PDBProcType.PLUGIN, run, mend)
        procedure.set_image_types("*")
        mask = Gimp.ProcedureSensitivityMask
        procedure.set_sensitivity_mask(mask.DRAWABLE | mask.DRAWABLES)
        procedure.set_attribution(procedures.AUTHORS, procedures.AUTHORS, procedures.YEAR)
        procedure.set_menu_label(words.label)
        procedure.set_documentation(words.blurb, words.help, name)
        if name == procedures.EXPAND:
            procedure.add_string_argument("expand", "Expand", EXPAND, params.SIDES[0], READWRITE)
        if name in (procedures.INPAINT, procedures.EXPAND):
            add_arguments(procedure, mend.registered())
        procedure.add_menu_path(procedures.MENU)
        procedure.add_drawable_return_value(
            "filled",
            "Filled",
            "What holds the fill: the new layer or the drawable itself",
            False,
            READWRITE,
        )
        return procedure


Gimp.main(MendInpaint.__gtype__, sys.argv)
