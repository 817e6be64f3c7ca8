# SPDX-License-Identifier: MIT OR Apache-2.0
"""What a plug-in decides before and after the library runs; knows no host.

Rectangles, what to send and where to put it, the fields of a dialog, and words for people. The same
bytes serve every host. Python's standard library only, 3.8 or newer.
"""

import re
import time
from typing import NamedTuple, Optional, Tuple


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


_HARD = bytes([0] + [255] * 255)


def hard(mask):
    """An 8-bit mask with every selected pixel selected fully, however softly it was."""
    return bytes(mask).translate(_HARD)


# --- The dialog, from mend_describe --------------------------------------------------------------


class Field(NamedTuple):
    """One parameter as a dialog shows it."""

    name: str
    label: str
    help: str
    type: str  # integer, number, flag, text, choice, extent
    default: object  # int, float, bool or str by type
    min: Optional[float]
    max: Optional[float]
    choices: Tuple[Tuple[str, str], ...]  # (id, label) of a choice
    engines: Tuple[str, ...]  # the engines that have it; empty: all

    @property
    def essential(self):
        """Whether a dialog shows it at once, and not behind "More"."""
        return self.name in ESSENTIAL

    def shown_for(self, engine):
        """Whether the field means something for this engine. "auto" may choose any of them."""
        return not self.engines or engine == "auto" or engine in self.engines

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
                low = self.min is None or made >= self.min
                high = self.max is None or made <= self.max
                return made if low and high and made == made else None
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


# What most fills need no more than. "prompt" is there only with an engine that reads one.
ESSENTIAL = ("engine", "prompt", "grow")
# Engines' parameters that say what is wanted, and not how an engine is to work: one value for all.
WISHES = ("prompt",)

_FLAGS = {"true": True, "1": True, "yes": True, "on": True,
          "false": False, "0": False, "no": False, "off": False}
_EXTENT = re.compile(r"auto|\d+\s*(px)?|\d+(\.\d*)?\s*%")


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


def _field(param, engines_with_it):
    return Field(
        param["name"], param["label"], param["help"], param["type"],
        _default(param["type"], param["default"]), param.get("min"), param.get("max"),
        tuple((c["id"], c["label"]) for c in param.get("choices", [])), engines_with_it,
    )


def fields(description):
    """Every name that some engine knows, once, the common ones first.

    Engines may mean different things by one name, with other defaults: what is shown for one engine
    and sent to it comes from `fields_of`.
    """
    found = {}
    for param in description.get("params", []):
        found[param["name"]] = _field(param, ())
    for engine in description.get("engines", []):
        for param in engine.get("params", []):
            have = found.get(param["name"])
            if have is None:
                found[param["name"]] = _field(param, (engine["id"],))
            elif have.engines:
                found[have.name] = have._replace(engines=have.engines + (engine["id"],))
    return list(found.values())


def fields_of(description, engine):
    """The parameters that a fill by `engine` has, as that engine describes them.

    "auto" has the common ones, and the prompt where an engine that can run here reads one.
    """
    found = [_field(param, ()) for param in description.get("params", [])]
    for one in description.get("engines", []):
        if one["id"] == engine:
            return found + [_field(param, (engine,)) for param in one.get("params", [])]
    wishes = [
        _field(param, (one["id"],))
        for one in description.get("engines", []) if one.get("available", True)
        for param in one.get("params", []) if param["name"] in WISHES
    ]
    return found + wishes[:1]


def engines(description):
    """The engines, with those that cannot run here and why."""
    return [
        Engine(
            e["id"], e["label"], e.get("summary", ""), bool(e.get("available", True)),
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


def parameters(all_fields, values):
    """`values` by name, in the form of the library; names with `_` for `-` are taken too."""
    given = {str(name).replace("_", "-"): value for name, value in values.items()}
    return {
        field.name: field.text(given[field.name])
        for field in all_fields
        if field.name in given and given[field.name] is not None
    }


class Settings:
    """What a user chose: a value of the common parameters, and one for each engine of its own.

    `stored` is what `stored()` gave in another session; what no longer fits counts as not set.
    """

    def __init__(self, description, stored=None):
        self.description = description
        self.reset()
        plain = stored if isinstance(stored, dict) else {}
        for scope, values in plain.items():
            for name, value in values.items() if isinstance(values, dict) else ():
                self._restore(scope, name, value)

    def _restore(self, scope, name, value):
        for field in fields_of(self.description, scope or "auto"):
            if field.name == name and self._scope(field, scope) == scope:
                value = field.sound(value)
                pairs = dict(choices(field, self.description))
                if value is not None and (field.type != "choice" or value in pairs):
                    self._values.setdefault(scope, {})[name] = value

    def reset(self):
        """Every value back to its default."""
        self._values = {}

    @property
    def engine(self):
        """The chosen engine's id, or "auto"."""
        return self._values.get("", {}).get("engine", "auto")

    def fields(self):
        """What can be set for the chosen engine."""
        return fields_of(self.description, self.engine)

    @staticmethod
    def _scope(field, engine):
        return engine if field.engines and field.name not in WISHES else ""

    def get(self, field):
        """The value of one of `fields()`, of its type."""
        return self._values.get(self._scope(field, self.engine), {}).get(field.name, field.default)

    def set(self, field, value):
        """Sets one of `fields()`."""
        self._values.setdefault(self._scope(field, self.engine), {})[field.name] = value

    def parameters(self, without=()):
        """What goes to the library: what differs from the chosen engine's own defaults."""
        changed = [f for f in self.fields() if f.name not in without and self.get(f) != f.default]
        return {field.name: field.text(self.get(field)) for field in changed}

    def stored(self):
        """All of it, for JSON."""
        return {scope: dict(values) for scope, values in self._values.items() if values}


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
        self._start = clock()
        self._told, self._at, self._left = 0.0, self._start, self._predicted

    def report(self, share):
        """`share` of the whole is done, 0.0 to 1.0."""
        if share <= self._told:
            return
        now = self._clock()
        taken = (now - self._start) / share
        # The plan knows the work but not what else the machine does: what was seen soon counts more.
        seen = min(share * 4.0, 1.0)
        self._left = (1.0 - share) * (self._predicted * (1.0 - seen) + taken * seen)
        self._told, self._at = share, now

    @property
    def left(self):
        """Seconds that are left."""
        return max(self._left - (self._clock() - self._at), 0.0)

    @property
    def share(self):
        """The share done, which never falls back behind a report and never runs up to the end."""
        if self._left <= 0.0 or self._told >= 1.0:
            return self._told
        # As far as the time goes, and slower and slower where it was too short.
        passed = (self._clock() - self._at) / self._left
        return self._told + (1.0 - self._told) * 0.9 * passed / (1.0 + passed)


def left_text(seconds):
    """The time left as people say it; empty before anything can be said."""
    if seconds is None:
        return ""
    return "a moment left" if seconds < 1.5 else seconds_text(seconds) + " left"
