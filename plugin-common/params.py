# SPDX-License-Identifier: MIT OR Apache-2.0
"""The parameters of a fill as dialogs show and send them, from mend_describe; knows no host.

One copy serves every host. Python's standard library only, 3.8 or newer.
"""

import re
from typing import List, NamedTuple, Optional, Tuple, Union

# What most fills need no more than. "prompt" is there only with an engine that reads one.
ESSENTIAL = ("engine", "expand", "prompt", "grow")
# Engines' parameters that say what is wanted, and not how an engine is to work: one value for all.
WISHES = ("prompt",)
# Parameters that the plug-ins set themselves: where a fill goes is asked for in the host's words.
# And how far the canvas grows, which has a dialog of its own.
ASKED_OTHERWISE = ("result", "expand")
# Those that no dialog has a field for: several fills are shown, and one of them is chosen.
NO_FIELDS = ("result", "variations", "best-of")
# What a user wants, before anything is said of engines.
REMOVE, PROMPT = "remove", "prompt"
NO_PROMPT = "Write what is to be seen in the selection."
INTENTS = (REMOVE, PROMPT)
# And what the dialog is for that needs no selection; which parameters mean nothing then.
EXPAND = "expand"
NO_SIZE = "Say by how much the picture is to grow, in pixels (64) or as a share (10%)."
OF_SELECTIONS = ("grow", "feather")
# How far a picture grows if nobody says so, and what is offered.
SIDES = ("10%", "25%", "64", "left=25%", "right=25%", "top=25%", "bottom=25%")
# The engines that are made for removing, the best first. Who installed one of them wants it.
REMOVERS = ("lama", "migan")
# The actions without a dialog, by the parameters that they set: one for selections that hug an
# object, which has a rim, and one from what is close, by the engine that needs no model.
REMOVE_OBJECT = {"grow": "4"}
FILL_QUICKLY = {"engine": "exemplar", "context": "32"}

_FLAGS = {
    "true": True, "1": True, "yes": True, "on": True,
    "false": False, "0": False, "no": False, "off": False,
}  # fmt: skip
_EXTENT = re.compile(r"auto|\d+\s*(px)?|\d+(\.\d*)?\s*%")


class Field(NamedTuple):
    """One parameter of one engine, or of all, as a dialog shows it.

    Engines may mean different things by one name, with other choices, ranges and defaults: a field
    is one engine's, and is known by engine and name.
    """

    engine: str  # whose it is; "": every engine has it
    name: str
    label: str
    help: str
    type: str  # integer, number, flag, text, choice, extent
    default: Union[int, float, bool, str]
    min: Optional[float]
    max: Optional[float]
    choices: Tuple[Tuple[str, str], ...]  # (id, label) of a choice
    max_pixels: Optional[int]  # of an extent
    max_percent: Optional[float]

    @property
    def key(self):
        """Under which its value is kept: (whose it is, name). A wish is nobody's own."""
        return ("" if self.name in WISHES else self.engine, self.name)

    @property
    def essential(self):
        """Whether a dialog shows it at once, and not behind "More"."""
        return self.name in ESSENTIAL

    def text(self, value):
        """`value` in the form that the library reads, the same in every locale.

        Text stays as it is: what it must be is the library's to say.
        """
        if isinstance(value, str):
            return value
        if self.type == "flag":
            return "true" if value else "false"
        if self.type == "integer":
            return str(int(value))
        if self.type == "number":
            return repr(float(value))
        return str(value)

    def sound(self, value):
        """`value` as this field's type, or None where it is none that the field takes."""
        try:
            if self.type in ("integer", "number"):
                made = (int if self.type == "integer" else float)(value)
                return made if made == self.within(made) else None
            if self.type == "flag":
                return value if isinstance(value, bool) else _FLAGS.get(value)
            text = str(value)
            if self.type == "choice":
                return text if text in dict(self.choices) else None
            if self.type == "extent":
                return text if _EXTENT.fullmatch(text.strip()) else None
            return None if "\0" in text else text
        except (TypeError, ValueError, OverflowError):
            return None

    def within(self, number):
        """The number of this field's range that is nearest to `number`."""
        if self.min is not None and number < self.min:
            number = type(number)(self.min)
        if self.max is not None and number > self.max:
            number = type(number)(self.max)
        return number


class Engine(NamedTuple):
    """One engine as a dialog offers it."""

    id: str
    label: str
    summary: str
    available: bool
    why_not: str  # what is missing and how to get it, where not available


def _default(kind, text):
    if kind == "integer":
        return int(text)
    if kind == "number":
        return float(text)
    if kind == "flag":
        return _FLAGS.get(text, False)
    return str(text)


def _field(engine, param):
    return Field(
        engine,
        param["name"],
        param["label"],
        param["help"],
        param["type"],
        _default(param["type"], param["default"]),
        param.get("min"),
        param.get("max"),
        tuple((c["id"], c["label"]) for c in param.get("choices", [])),
        param.get("max_pixels"),
        param.get("max_percent"),
    )


def common_fields(description):
    """The parameters that every engine has."""
    return [_field("", param) for param in description.get("params", [])]


def own_fields(description, engine):
    """The parameters of one engine alone, as that engine describes them."""
    return [
        _field(engine, param)
        for one in description.get("engines", [])
        if one["id"] == engine
        for param in one.get("params", [])
    ]


def all_fields(description):
    """Every parameter of every engine, the common ones first."""
    return common_fields(description) + [
        field for engine in engines(description) for field in own_fields(description, engine.id)
    ]


def fields_of(description, engine):
    """The parameters that a fill by `engine` has, as that engine describes them.

    "auto" has the common ones, and the prompt where an engine that can run here reads one.
    """
    every = engines(description)
    if engine in [one.id for one in every]:
        own = own_fields(description, engine)
    else:
        able = [one.id for one in every if one.available]
        own = [f for one in able for f in own_fields(description, one) if f.name in WISHES][:1]
    named = {field.name for field in own}
    # What an engine describes anew is that engine's.
    return [f for f in common_fields(description) if f.name not in named] + own


def engines(description):
    """The engines, with those that cannot run here and why."""
    return [
        Engine(
            e["id"],
            e["label"],
            e.get("summary", ""),
            bool(e.get("available", True)),
            str(e.get("reason") or e.get("missing") or "") or "not available here",
        )
        for e in description.get("engines", [])
    ]


def choices(field, description):
    """The (id, label) pairs of a choice, its default among them; engines that cannot run here are
    left out."""
    if field.name != "engine":
        return field.choices
    out = {e.id for e in engines(description) if not e.available} - {field.default}
    return tuple(c for c in field.choices if c[0] not in out)


def prompted(description):
    """The ids of the engines that read a prompt, and can run here."""
    return [
        one.id
        for one in engines(description)
        if one.available and any(f.name in WISHES for f in own_fields(description, one.id))
    ]


def stepwise(description, engine):
    """Whether an engine works in steps, which takes minutes: nobody waits for that unasked."""
    return any(field.name == "steps" for field in own_fields(description, engine))


def intent_of(description, stored):
    """What the stored values of a dialog without intents were for."""
    values = stored.get("", {}) if isinstance(stored, dict) else {}
    values = values if isinstance(values, dict) else {}
    able = prompted(description)
    wanted = values.get("engine", "auto") in ("auto", *able) and values.get("prompt")
    return PROMPT if able and wanted else REMOVE


def sides_of(text):
    """("px" or "%", [left, top, right, bottom]) of the value of "expand"; nothing of what it cannot
    read, and of lengths of both kinds those of the first."""
    named = ("left", "top", "right", "bottom")
    found: List[str] = [""] * 4
    parts = [part.strip() for part in str(text).split(",")]
    if any("=" in part for part in parts):
        for part in parts:
            name, _, length = part.partition("=")
            if name.strip() in named:
                found[named.index(name.strip())] = length.strip()
    else:
        times = {1: (0, 0, 0, 0), 2: (0, 1, 0, 1), 4: (0, 1, 2, 3)}.get(len(parts), ())
        found = [parts[i] for i in times] or found
    unit, lengths = None, []
    for length in found:
        match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*(%|px)?", length)
        own = (match.group(2) or "px") if match else None
        if match and float(match.group(1)) > 0:
            unit = unit or own
        lengths.append(round(float(match.group(1))) if match and own in (unit, None) else 0)
    return unit or "px", lengths


def sides_text(unit, lengths):
    """The value of "expand" for these lengths."""
    return ",".join("%d%s" % (n, "%" if unit == "%" and n else "") for n in lengths)


def sides_over(selection, canvas):
    """The value of "expand" that takes in a selection that reaches over the canvas's edge; None for
    one that does not."""
    if selection.empty:
        return None
    lengths = [
        canvas.x - selection.x,
        canvas.y - selection.y,
        selection.right - canvas.right,
        selection.bottom - canvas.bottom,
    ]
    lengths = [max(length, 0) for length in lengths]
    return sides_text("px", lengths) if any(lengths) else None


# So many prompts are kept, to be offered while one is written.
PROMPTS = 30


def with_prompt(prompts, prompt):
    """`prompts`, as they were stored, with `prompt` in front; the oldest goes."""
    kept = [p for p in prompts if isinstance(p, str)] if isinstance(prompts, list) else []
    prompt = str(prompt).strip()
    if not prompt:
        return kept[:PROMPTS]
    return [prompt, *(p for p in kept if p != prompt)][:PROMPTS]


class Settings:
    """What a user chose: a value of the common parameters, and one for each engine of its own.

    `stored` is what `stored()` gave in another session; what no longer fits counts as not set.
    `intent` says which engines and parameters count. With None all do, and a prompt decides.
    """

    def __init__(self, description, stored=None, intent=None):
        self.description, self.intent = description, intent
        self.reset()
        known = {}
        for field in all_fields(description):
            if field.name not in NO_FIELDS:
                known.setdefault(field.key, field)
        plain = stored if isinstance(stored, dict) else {}
        for whose, values in plain.items():
            for name, value in values.items() if isinstance(values, dict) else ():
                if (whose, name) in known:
                    self._restore(known[whose, name], value)

    def _restore(self, field, value):
        value = field.sound(value)
        offered = dict(choices(field, self.description))
        if value is not None and (field.type != "choice" or value in offered):
            self.set(field, value)

    def reset(self):
        """Every value back to its default."""
        self._values = {}

    @property
    def engine(self):
        """The chosen engine's id, or "auto", as which one counts that the intent cannot use."""
        for field in common_fields(self.description):
            if field.name == "engine":
                return self._fitting(self.get(field))
        return "auto"

    def _fitting(self, engine):
        return engine if engine in self.offered() else "auto"

    def offered(self):
        """The ids of the engines that can be chosen here, "auto" among them."""
        for field in common_fields(self.description):
            if field.name == "engine":
                able = [choice[0] for choice in choices(field, self.description)]
                if self.intent == PROMPT:
                    readers = prompted(self.description)
                    return [engine for engine in able if engine == "auto" or engine in readers]
                return able
        return ["auto"]

    @property
    def runs(self):
        """The engine that the library is asked for: where it is "auto", the library chooses."""
        engine = self.engine
        if engine != "auto" or self.intent is None:
            return engine
        able = [one.id for one in engines(self.description) if one.available]
        known = [one for one in self.offered() if one in able]
        if self.intent == PROMPT:
            return known[0] if known else "auto"
        if self.intent == EXPAND:
            # With a prompt the library takes an engine that reads it.
            return "auto"
        return next((one for one in REMOVERS if one in known), "auto")

    def fields(self):
        """What can be set for the chosen engine."""
        return [
            field
            for field in fields_of(self.description, self.engine)
            if field.name not in NO_FIELDS and self._means_something(field.name)
        ]

    def _means_something(self, name):
        if self.intent == EXPAND:
            return name not in OF_SELECTIONS
        return name != "expand" and not (self.intent == REMOVE and name in WISHES)

    @property
    def prompt(self):
        """The prompt that a fill goes by; empty where it goes by none."""
        wishes = [str(self.get(field)) for field in self.fields() if field.name in WISHES]
        return wishes[0] if wishes else ""

    @property
    def missing(self):
        """What is still to be said before a fill can start; None where all is."""
        if self.needs_prompt:
            return NO_PROMPT
        for field in self.fields():
            if field.name == "expand" and str(self.get(field)).strip() in ("", field.default):
                return NO_SIZE
        return None

    @property
    def needs_prompt(self):
        """Whether a prompt is wanted and none is written."""
        return self.intent == PROMPT and not any(
            field.name in WISHES and self.get(field) for field in self.fields()
        )

    def get(self, field):
        """A field's value, of its type."""
        whose, name = field.key
        return self._values.get(whose, {}).get(name, field.default)

    def set(self, field, value):
        """Sets a field's value; what other engines have under the same name stays as it is."""
        whose, name = field.key
        self._values.setdefault(whose, {})[name] = value

    def changed(self):
        """The chosen engine's fields whose values are not that engine's own defaults."""
        return [field for field in self.fields() if self.get(field) != field.default]

    def parameters(self):
        """What goes to the library: what the chosen engine has, where it is not the default."""
        asked = {}
        for field in self.fields():
            # An engine that the intent has no use for stays chosen, and is not asked for.
            value = self.runs if field.name == "engine" else self.get(field)
            if value != field.default:
                asked[field.name] = field.text(value)
        return asked

    def stored(self):
        """All of it, for JSON."""
        return {whose: dict(values) for whose, values in self._values.items() if values}


def missing_text(description, dialog=True):
    """One line on the engines that cannot run here; empty where all can. `dialog`: whether this
    host has one for the models."""
    missing = [engine.label for engine in engines(description) if not engine.available]
    if not missing:
        return ""
    if dialog:
        what = "“Models…” gets or imports what they need."
    else:
        what = "“mend models” in a terminal gets or imports what they need."
    return "Not here without a model: %s. %s" % (", ".join(missing), what)
