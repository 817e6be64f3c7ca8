# SPDX-License-Identifier: MIT OR Apache-2.0
"""What a plug-in decides before and after the library runs; knows no host.

Rectangles, what to send and where to put it, the fields of a dialog, and words for people. The same
bytes serve every host. Python's standard library only, 3.8 or newer.
"""

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

    def shown_for(self, engine):
        """Whether the field means something for this engine. "auto" may choose any of them."""
        return not self.engines or engine == "auto" or engine in self.engines

    def text(self, value):
        """`value` in the form that the library reads."""
        if self.type == "flag":
            return "true" if value else "false"
        if self.type == "integer":
            return str(int(value))
        if self.type == "number":
            return repr(float(value))
        return str(value)


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
        return text in ("true", "1", "yes", "on")
    return str(text)


def fields(description):
    """The fields that `description` (of mend_describe) asks for, the common ones first."""
    found = {}
    common = [(p, None) for p in description.get("params", [])]
    own = [(p, e["id"]) for e in description.get("engines", []) for p in e.get("params", [])]
    for param, engine in common + own:
        name = param["name"]
        if name in found:
            if engine and found[name].engines:
                found[name] = found[name]._replace(engines=found[name].engines + (engine,))
            continue
        found[name] = Field(
            name, param["label"], param["help"], param["type"],
            _default(param["type"], param["default"]), param.get("min"), param.get("max"),
            tuple((c["id"], c["label"]) for c in param.get("choices", [])),
            (engine,) if engine else (),
        )
    return list(found.values())


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


def left_text(seconds):
    """The time left as people say it; empty before anything can be said."""
    if seconds is None:
        return ""
    return "a moment left" if seconds < 1.5 else seconds_text(seconds) + " left"
