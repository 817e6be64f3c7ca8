# SPDX-License-Identifier: MIT OR Apache-2.0
"""What a plug-in decides before and after the library runs; knows no host.

Rectangles, what to send and where to put it, the fields of a dialog, and words for people. One copy
serves every host. Python's standard library only, 3.8 or newer.
"""

import re
import time
from typing import NamedTuple, Optional, Tuple, Union


# --- Rectangles ----------------------------------------------------------------------------------


class Rect(NamedTuple):
    """Pixels x ..< x + width, y ..< y + height."""

    x: int
    y: int
    width: int
    height: int

    @classmethod
    def of(cls, plain):
        """From {"x", "y", "width", "height"}, as the plan says it."""
        return cls(plain["x"], plain["y"], plain["width"], plain["height"])

    @property
    def right(self):
        return self.x + self.width

    @property
    def bottom(self):
        return self.y + self.height

    @property
    def area(self):
        return max(self.width, 0) * max(self.height, 0)

    @property
    def empty(self):
        return self.width <= 0 or self.height <= 0

    def moved(self, dx, dy):
        return Rect(self.x + dx, self.y + dy, self.width, self.height)

    def grown(self, by):
        return Rect(self.x - by, self.y - by, self.width + 2 * by, self.height + 2 * by)

    def intersect(self, other):
        """The common part; one without pixels is Rect(0, 0, 0, 0)."""
        x, y = max(self.x, other.x), max(self.y, other.y)
        right, bottom = min(self.right, other.right), min(self.bottom, other.bottom)
        if right <= x or bottom <= y:
            return Rect(0, 0, 0, 0)
        return Rect(x, y, right - x, bottom - y)

    def union(self, other):
        """The smallest rectangle around both; an empty one adds nothing."""
        if self.empty:
            return other
        if other.empty:
            return self
        x, y = min(self.x, other.x), min(self.y, other.y)
        right, bottom = max(self.right, other.right), max(self.bottom, other.bottom)
        return Rect(x, y, right - x, bottom - y)


# --- What to send and where to put it ------------------------------------------------------------


class Piece(NamedTuple):
    """Pixels that go to the library in one call, in the coordinates of the mask that was planned."""

    rect: Rect  # what is read: the holes and their context
    hole: Rect  # what is written
    weight: float  # its share of the whole work


def pieces(plan):
    """The calls that do what `plan` (of mend_plan) says, without reading what lies between.

    Regions whose crops touch go together, so no piece contains a part of another one's hole.
    """
    todo = [
        (Rect.of(r["rect"]).union(Rect.of(r["hole"])), Rect.of(r["hole"]), float(r["hole_pixels"]))
        for r in plan["regions"]
    ]
    done = []
    while todo:
        rect, hole, weight = todo.pop()
        for i, (other_rect, other_hole, other_weight) in enumerate(done):
            if not rect.intersect(other_rect).empty:
                del done[i]
                # The union may touch others in turn: look at it again.
                todo.append((rect.union(other_rect), hole.union(other_hole), weight + other_weight))
                break
        else:
            done.append((rect, hole, weight))
    total = sum(weight for _, _, weight in done) or 1.0
    return [Piece(rect, hole, weight / total) for rect, hole, weight in sorted(done)]


def cut(data, stride, rect, pixel_bytes=1):
    """The rows of `rect`, tightly packed, out of rows `stride` bytes apart."""
    row = rect.width * pixel_bytes
    start = rect.y * stride + rect.x * pixel_bytes
    if row == stride:
        return bytes(data[start : start + row * rect.height])
    return b"".join(
        data[i : i + row] for i in range(start, start + rect.height * stride, stride)
    )


def bands(rect, pixel_bytes, most):
    """`rect` in horizontal bands of at most `most` bytes, and of one row at least."""
    rows = max(most // max(rect.width * pixel_bytes, 1), 1)
    return [
        Rect(rect.x, y, rect.width, min(rows, rect.bottom - y))
        for y in range(rect.y, rect.bottom, rows)
    ]


_HARD = bytes([0] + [255] * 255)


def hard(mask):
    """An 8-bit mask with every selected pixel selected fully, however softly it was."""
    return bytes(mask).translate(_HARD)


# --- The dialog, from mend_describe --------------------------------------------------------------


# What most fills need no more than. "prompt" is there only with an engine that reads one.
ESSENTIAL = ("engine", "prompt", "grow")
# Engines' parameters that say what is wanted, and not how an engine is to work: one value for all.
WISHES = ("prompt",)
# Parameters that the plug-ins set themselves: where a fill goes is asked for in the host's words.
ASKED_OTHERWISE = ("result",)
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
    """The (id, label) pairs of a choice, without engines that cannot run here."""
    if field.name != "engine":
        return field.choices
    out = {e.id for e in engines(description) if not e.available}
    return tuple(c for c in field.choices if c[0] not in out)


class Settings:
    """What a user chose: a value of the common parameters, and one for each engine of its own.

    `stored` is what `stored()` gave in another session; what no longer fits counts as not set.
    """

    def __init__(self, description, stored=None):
        self.description = description
        self.reset()
        known = {}
        for field in all_fields(description):
            if field.name not in ASKED_OTHERWISE:
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
        """The chosen engine's id, or "auto"."""
        return self._values.get("", {}).get("engine", "auto")

    def fields(self):
        """What can be set for the chosen engine."""
        return [
            field
            for field in fields_of(self.description, self.engine)
            if field.name not in ASKED_OTHERWISE
        ]

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
        return {field.name: field.text(self.get(field)) for field in self.changed()}

    def stored(self):
        """All of it, for JSON."""
        return {whose: dict(values) for whose, values in self._values.items() if values}


# --- Words ---------------------------------------------------------------------------------------


def seconds_text(seconds):
    """A predicted time as people say it."""
    if seconds < 1:
        return "less than a second"
    if seconds < 90:
        n = int(round(seconds))
        return "about %d second%s" % (n, "" if n == 1 else "s")
    n = int(round(seconds / 60))
    return "about %d minute%s" % (n, "" if n == 1 else "s")


def bytes_text(count):
    """An amount of memory as people say it."""
    mib = count / (1024.0 * 1024.0)
    if mib < 1:
        return "less than 1 MB"
    if mib < 1000:
        return "%d MB" % round(mib)
    return "%.1f GB" % (mib / 1024.0)


NO_MEMORY = "There is not enough memory for these pixels: select a smaller region."


def sentence(text):
    """The library's message as a dialog writes it."""
    text = text[:1].upper() + text[1:]
    return text if text.endswith((".", "!", "?")) else text + "."


def notes_of(reports):
    """What the library wants the user to know of a fill's reports, each thing once."""
    notes = []
    for report in reports:
        for note in report.get("notes", []):
            if note not in notes:
                notes.append(note)
    return notes


def plan_text(plan, description=None):
    """One line on what a fill will do and take."""
    count = len(plan["regions"])
    if not count:
        return "Nothing is selected."
    labels = {e["id"]: e["label"] for e in (description or {}).get("engines", [])}
    where = "1 region" if count == 1 else "%d regions" % count
    return "%s, %s: %s, %s of memory" % (
        labels.get(plan["engine"], plan["engine"]), where, seconds_text(plan["seconds"]),
        bytes_text(plan["peak_bytes"]),
    )


def missing_text(description):
    """One line on the engines that cannot run here; empty where all can."""
    missing = [engine.label for engine in engines(description) if not engine.available]
    if not missing:
        return ""
    return "Not here without a model: %s. “mend engines” says what each of them needs." % (
        ", ".join(missing)
    )


class Countdown:
    """How far a fill is, from its plan and its reports, and in between.

    Reports come when a piece of work is done, and a large one can take a while: the time that is left
    goes on falling meanwhile, and the share done goes on growing towards the next report. `clock`
    gives seconds.
    """

    def __init__(self, predicted_seconds, clock=time.monotonic):
        self._predicted, self._clock = max(float(predicted_seconds), 0.0), clock
        self._start, self._shown = clock(), 0.0
        # The last report, when it came, the seconds left then. One object, for reports may come from
        # another thread than the one that asks.
        self._last = (0.0, self._start, self._predicted)

    def report(self, share):
        """`share` of the whole is done, 0.0 to 1.0."""
        if share <= self._last[0]:
            return
        now = self._clock()
        taken = (now - self._start) / share
        # The plan knows the work but not what else the machine does: what was seen soon counts more.
        seen = min(share * 4.0, 1.0)
        left = (1.0 - share) * (self._predicted * (1.0 - seen) + taken * seen)
        self._last = (share, now, left)

    @property
    def reported(self):
        """The share done at the last report."""
        return self._last[0]

    @property
    def left(self):
        """Seconds that are left."""
        _, at, left = self._last
        return max(left - (self._clock() - at), 0.0)

    @property
    def share(self):
        """The share done, which never falls back behind a report and never runs up to the end."""
        told, at, left = self._last
        if left <= 0.0 or told >= 1.0:
            return told
        # As far as the time goes, and slower and slower where it was too short.
        passed = (self._clock() - at) / left
        return told + (1.0 - told) * 0.9 * passed / (1.0 + passed)

    @property
    def shown(self):
        """The share done for a bar, which never goes back."""
        self._shown = max(self._shown, self.share)
        return self._shown


def left_text(seconds):
    """The time left as people say it; empty before anything can be said."""
    if seconds is None:
        return ""
    return "a moment left" if seconds < 1.5 else seconds_text(seconds) + " left"
