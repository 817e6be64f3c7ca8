# SPDX-License-Identifier: MIT OR Apache-2.0
"""Parameters as arguments of GIMP's procedures, for scripts; knows no GIMP.

A script's fill is sent what the script set, and nothing else: what an engine has besides is at that
engine's own default. What was set and is none of the chosen engine's goes on to the library, too,
which says so.
"""

import json
import os

import fill
import native
import params

HERE = os.path.dirname(os.path.abspath(__file__))


def registered(describe):
    """The description that the procedures' arguments follow: what the library said when it was
    installed, for GIMP asks for arguments only when the plug-in's file is new.

    Where no such file is, what `describe()` says now; without any, nothing.
    """
    try:
        with open(os.path.join(HERE, "describe.json"), encoding="utf-8") as file:
            return json.load(file)
    except (OSError, ValueError):
        try:
            return describe()
        except native.MendError:
            return {"params": [], "engines": []}


# --- GIMP 3: arguments by name -------------------------------------------------------------------


class Argument:
    """A name that some engine knows, as an argument of a procedure.

    GIMP cannot leave an argument out: one that has its own default counts as not set. Engines may
    have one name with other defaults: the argument's default is then no value of any of them.
    """

    def __init__(self, fields):
        """`fields`: every engine's of this name, or the one that all engines have."""
        self.fields, first = fields, fields[0]
        self.name, self.label = first.name, first.label
        kinds, defaults = {f.type for f in fields}, {(f.type, f.default) for f in fields}
        self.type = first.type if len(kinds) == 1 else "text"
        self.same, self.default = len(defaults) == 1, first.default
        if not self.same and self.type in ("integer", "number"):
            self.default = min([f.default for f in fields] + [f.min or 0 for f in fields]) - 1
        elif not self.same:
            self.type, self.default = "text", ""

    @property
    def blurb(self):
        """What it is for, and what it takes."""
        said = [self.fields[0].help]
        # Where engines take different values, each is told.
        alike = len({(_taken(f), f.default) for f in self.fields}) == 1
        for field in self.fields[:1] if alike else self.fields:
            taken = _taken(field)
            default = "" if self.same else "by default %s" % field.text(field.default)
            words = ", ".join(word for word in (taken, default) if word)
            if words:
                who = "" if alike or not field.engine else "%s: " % field.engine
                said.append("%s%s." % (who, words))
        if not self.same:
            none = "An empty text" if self.type == "text" else "%g" % self.default
            said.append("%s leaves it to the engine." % none)
        return " ".join(said)

    def text(self, value):
        """What the library gets for `value`; None where it is the argument's own default."""
        return None if value is None or value == self.default else self.fields[0].text(value)


def _taken(field):
    """The values that a parameter takes, in words."""
    if field.type in ("integer", "number"):
        low = "" if field.min is None else "%g" % field.min
        high = "" if field.max is None else "%g" % field.max
        return "%s to %s" % (low, high)
    if field.choices:
        return "one of %s" % ", ".join(name for name, _ in field.choices)
    return ""


def named(description):
    """Every parameter of every engine as an Argument, the common ones first."""
    by_name = {}
    for field in params.all_fields(description):
        if field.name not in params.ASKED_OTHERWISE:
            by_name.setdefault(field.name, []).append(field)
    return [Argument(fields) for fields in by_name.values()]


def from_named(description, value_of):
    """The library's parameters that a script set; `value_of(name)` is an argument's value."""
    texts = {a.name: a.text(value_of(a.name)) for a in named(description)}
    return {name: text for name, text in texts.items() if text is not None}


# --- GIMP 2.10: arguments by place ---------------------------------------------------------------

# Scripts count arguments, so these stay as they are; what engines bring is given by name in the
# last argument, with "sample" beside it.
PLACED = ("engine", "seed", "context", "grow", "feather")


def placed(description):
    """The fields that have an argument of their own, in the order of `PLACED`."""
    fields = [f for f in params.common_fields(description) if f.name in PLACED]
    return sorted(fields, key=lambda f: PLACED.index(f.name))


def from_placed(description, values, settings):
    """(the library's parameters that a script set, "sample"): from the values of `placed` and the
    lines of `settings`.

    Nothing can be left out by place: an empty text there, or the default, is nothing set.
    """
    parameters = {
        field.name: field.text(value)
        for field, value in zip(placed(description), values)
        if value not in ("", field.default)
    }
    parameters.update(_by_name(settings))
    sample = parameters.pop("sample", fill.LAYER)
    # Names that do not exist are the library's to refuse: it knows the nearest right one.
    return parameters, sample


def _by_name(settings):
    """The parameters of lines with name=value."""
    values = {}
    for line in settings.splitlines():
        name, equals, value = line.partition("=")
        if not line.strip():
            continue
        if not equals:
            raise fill.Refusal(
                "'settings' has the line '%s': write name=value, each on its own line." % line
            )
        values[name.strip().replace("_", "-")] = value.strip()
    return values
