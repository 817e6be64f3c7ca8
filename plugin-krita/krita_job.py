# SPDX-License-Identifier: MIT OR Apache-2.0
"""What the Krita plug-in decides on its own; knows no Krita and no Qt.

Colour spaces and pixel formats, which pixels a plan needs, when to refuse and with which words, and
the arithmetic on raw pixels, all of it in C loops of Python's own (slices, big integers), for a
Python loop over pixels would take seconds. Python's standard library only, 3.8 or newer.
"""

import array
import json
import operator
import sys
from typing import NamedTuple

from . import job, native
from .job import Rect


# --- Colour spaces -------------------------------------------------------------------------------


class Space(NamedTuple):
    """A colour space as Krita names it."""

    model: str  # RGBA, GRAYA, CMYKA, LABA, XYZA, YCbCrA
    depth: str  # U8, U16, F16, F32
    profile: str

    @property
    def channels(self):
        """Channels of a pixel, alpha included; alpha is the last one in every model."""
        return {"GRAYA": 2, "CMYKA": 5}.get(self.model, 4)

    @property
    def pixel_bytes(self):
        return self.channels * DEPTH_BYTES[self.depth]


DEPTH_BYTES = {"U8": 1, "U16": 2, "F16": 2, "F32": 4}
_DEPTHS = {"U8": native.U8, "U16": native.U16, "F16": native.F16, "F32": native.F32}

# Models that the library does not speak go through RGB. Wide primaries, linear light and floats:
# every colour of the others fits, and Lab and XYZ come back to their last bit but one.
CONVERTED = ("CMYKA", "LABA", "XYZA", "YCbCrA")
WORKING_PROFILES = ("Rec2020-elle-V4-g10.icc", "sRGB-elle-V2-g10.icc")

# Tables in CMYK and YCbCr profiles do not undo each other: there and back shifts every colour.
SHIFTING = ("CMYKA", "YCbCrA")
CORRECTIONS = 5
UNSEEN_SHIFT = 0.001


def known(space):
    """Whether pixels of this space can be filled, directly or through RGB."""
    return space.depth in _DEPTHS and space.model in ("RGBA", "GRAYA") + CONVERTED


def pixel_format(space, linear):
    """The library's number for pixels of RGBA or GRAYA as Krita stores them."""
    if space.model == "GRAYA":
        layout = native.GRAYA
    else:
        # Krita keeps whole numbers as blue, green, red and floats as red, green, blue.
        layout = native.BGRA if space.depth in ("U8", "U16") else native.RGBA
    return layout | _DEPTHS[space.depth] | (native.LINEAR if linear else 0)


def is_linear(at_quarter, at_half):
    """Whether values are proportional to light: what 0.25 and 0.5 of a profile are in linear light.

    A gamma of 1.8 gives a ratio of 3.5, sRGB 4.2, PQ 18.
    """
    return at_quarter > 0 and 1.9 < at_half / at_quarter < 2.1


def linear_by_name(profile):
    """The same from the profile's name, for when it cannot be measured."""
    name = profile.lower()
    return any(word in name for word in ("-g10", "linear", "scrgb", "_g100"))


# --- Which pixels a plan needs -------------------------------------------------------------------


def plan_within(canvas, selected, plan_of, margin=256):
    """The plan and the window of the canvas that it was made for.

    `plan_of(window)` plans from the mask's pixels of a window alone. The window is grown until no
    region ends at an edge that is not the canvas's own, so that the plan is the whole canvas's, at
    a cost that follows the selection.
    """
    selected = selected.intersect(canvas)
    while True:
        window = selected.grown(margin).intersect(canvas)
        plan = plan_of(window)
        if window == canvas or not _cramped(plan, window, canvas):
            return window, plan
        margin *= 4


def _cramped(plan, window, canvas):
    for region in plan["regions"]:
        rect = Rect.of(region["rect"]).moved(window.x, window.y)
        if (
            (rect.x == window.x > canvas.x)
            or (rect.y == window.y > canvas.y)
            or (rect.right == window.right < canvas.right)
            or (rect.bottom == window.bottom < canvas.bottom)
        ):
            return True
    return False


def bands(rect, pixel_bytes, most=1 << 28):
    """`rect` in horizontal bands of at most `most` bytes: Krita counts bytes in 32-bit numbers."""
    rows = max(most // max(rect.width * pixel_bytes, 1), 1)
    return [
        Rect(rect.x, y, rect.width, min(rows, rect.bottom - y))
        for y in range(rect.y, rect.bottom, rows)
    ]


# --- Arithmetic on raw pixels --------------------------------------------------------------------

_NONZERO = bytes([0] + [255] * 255)


def _number(data):
    return int.from_bytes(data, "little")


def _or_of_columns(data, step):
    """A byte a pixel: not 0 where one of the pixel's `step` bytes is not 0."""
    found = 0
    for i in range(step):
        found |= _number(data[i::step])
    return found.to_bytes(len(data) // step, "little")


def changed_pixels(before, after, pixel_bytes):
    """255 for every pixel whose bytes differ, 0 for the others."""
    differ = (_number(before) ^ _number(after)).to_bytes(len(before), "little")
    return _or_of_columns(differ, pixel_bytes).translate(_NONZERO)


def visible_pixels(data, pixel_bytes, alpha_bytes):
    """255 for every pixel whose alpha (its last bytes) is not 0, 0 for the others."""
    found = 0
    for i in range(pixel_bytes - alpha_bytes, pixel_bytes):
        found |= _number(data[i::pixel_bytes])
    return found.to_bytes(len(data) // pixel_bytes, "little").translate(_NONZERO)


def surrounded(data, space, mask):
    """Whether a pixel that `mask` leaves out is not wholly transparent."""
    seen = _number(visible_pixels(data, space.pixel_bytes, DEPTH_BYTES[space.depth]))
    return bool(seen & ~_number(job.hard(mask)))


def choose(keep, take, chosen, pixel_bytes):
    """`take` where `chosen` is 255, `keep` where it is 0."""
    wide = bytearray(len(keep))
    for i in range(pixel_bytes):
        wide[i::pixel_bytes] = chosen
    old = _number(keep)
    return (old ^ ((old ^ _number(take)) & _number(wide))).to_bytes(len(keep), "little")


def corrected(target, aim, got):
    """Where to aim so that the next conversion hits `target`; all three are floats as bytes."""
    target, aim, got = (array.array("f", data) for data in (target, aim, got))
    return array.array("f", map(operator.add, aim, map(operator.sub, target, got))).tobytes()


def shift(target, got, visible, most=20000):
    """How far colours are off on average, as a share of white, after the square root (about as eyes judge).

    Of linear RGBA floats; from some `most` values of the pixels that `visible` says.
    """
    target, got = array.array("f", target), array.array("f", got)
    at = [i for i in range(0, len(visible), max(len(visible) * 3 // most, 1)) if visible[i]]
    if not at:
        return 0.0
    off = 0.0
    for i in at:
        for c in range(4 * i, 4 * i + 3):
            off += abs(max(target[c], 0.0) ** 0.5 - max(got[c], 0.0) ** 0.5)
    return off / (3 * len(at))


OPAQUE, EMPTY_PARTS, TRANSLUCENT = 0, 1, 2


def transparency(data, space, mask):
    """What the selected pixels of `data` are: all opaque, some wholly transparent, some in between."""
    step, size = space.channels, DEPTH_BYTES[space.depth]
    code = {"U8": "B", "U16": "H", "F16": "H", "F32": "I"}[space.depth]
    opaque = {"U8": 0xFF, "U16": 0xFFFF, "F16": 0x3C00, "F32": 0x3F800000}[space.depth]
    pixel, first, count = step * size, (step - 1) * size, len(mask)
    if all(
        data[first + i :: pixel].count(byte) == count
        for i, byte in enumerate(opaque.to_bytes(size, sys.byteorder))
    ):
        return OPAQUE
    alphas = memoryview(data).cast(code)[step - 1 :: step]
    found = {alpha for alpha, covered in set(zip(alphas, mask)) if covered and alpha != opaque}
    return OPAQUE if not found else EMPTY_PARTS if found == {0} else TRANSLUCENT


# --- Refusals ------------------------------------------------------------------------------------


class Facts(NamedTuple):
    """What is known of the document and its active layer when the user asks for a fill."""

    document: bool = True
    layer: bool = True  # there is an active layer
    kind: str = "paintlayer"
    name: str = ""
    locked: bool = False
    locked_group: bool = False  # a group around it is
    hidden: bool = False  # it or a group around it
    hidden_group: bool = False
    alpha_locked: bool = False
    transparency: int = OPAQUE  # of the selected pixels
    space: Space = Space("RGBA", "U8", "")
    canvas: Rect = Rect(0, 0, 1, 1)
    selection: Rect = Rect(0, 0, 0, 0)  # its bounds; empty where nothing is selected
    opacity: int = 255
    blending: str = "normal"
    masks: bool = False  # filter, transform or transparency masks, or a layer style
    animated: bool = False


_KINDS = {
    "grouplayer": "is a group",
    "filelayer": "is a file layer",
    "filterlayer": "is a filter layer",
    "filllayer": "is a fill layer",
    "clonelayer": "is a clone layer",
    "vectorlayer": "is a vector layer",
    "transparencymask": "is a transparency mask",
    "filtermask": "is a filter mask",
    "transformmask": "is a transform mask",
    "selectionmask": "is a selection mask",
    "colorizemask": "is a colorize mask",
    "referenceimageslayer": "holds reference images",
}


def no_target(facts):
    """Why nothing at all can be filled, and what to do; None where something can."""
    if not facts.document:
        return "There is no picture. Open one, select what is to be filled, and try again."
    if facts.selection.empty:
        return (
            "Nothing is selected. Select what is to be filled with one of the selection tools, "
            "and try again."
        )
    if facts.selection.intersect(facts.canvas).empty:
        return "The selection lies outside the canvas. Select something on it, and try again."
    if not facts.layer:
        return "No layer is active. Choose one in the Layers docker, and try again."
    return None


def no_layer_fill(facts):
    """Why the active layer's own pixels cannot be filled, and what to do; None where they can."""
    if facts.kind != "paintlayer":
        return (
            "\u201c%s\u201d %s, which has no pixels of its own to fill. Choose a paint layer in the "
            "Layers docker, or fill from all visible layers." % (facts.name, _KINDS.get(
                facts.kind, "is no paint layer"))
        )
    if facts.hidden:
        return (
            "The layer \u201c%s\u201d is hidden. Show it (or the group around it) in the Layers "
            "docker, and try again." % facts.name
        )
    if not known(facts.space):
        return (
            "Layers in %s/%s cannot be filled. Convert the layer to RGB with Layer \u25b8 Convert "
            "\u25b8 Convert Layer Color Space, and try again." % (facts.space.model, facts.space.depth)
        )
    return None


class Refused(Exception):
    """What was asked for cannot be done, and what to do; nothing was changed."""


def nothing_around(facts):
    """That the layer has no pixels to fill from: most often it is the wrong one."""
    return (
        "The active layer is \u201c%s\u201d, and it is empty around the selection: there is nothing "
        "to fill from. Choose the layer with the picture in the Layers docker, or fill from all "
        "visible layers." % facts.name
    )


def no_merged_fill(facts, space):
    """Why all visible layers together cannot be filled from; `space` is the image's."""
    if facts.kind.endswith("mask"):
        return (
            "\u201c%s\u201d %s, and the new layer cannot be put above it. Choose a layer in the "
            "Layers docker, and try again." % (facts.name, _KINDS.get(facts.kind, "is a mask"))
        )
    if facts.hidden_group:
        return (
            "The group around \u201c%s\u201d is hidden, and the new layer would be. Show it in the "
            "Layers docker, and try again." % facts.name
        )
    if not known(space):
        return (
            "Images in %s/%s cannot be filled. Convert the image to RGB with Image \u25b8 Convert "
            "Image Color Space, and try again." % (space.model, space.depth)
        )
    return None


def no_new_layer(facts):
    """Why no layer can be put above the active one. That one may be locked: it does not change."""
    if facts.locked_group:
        return (
            "The group around \u201c%s\u201d is locked, and the new layer would go into it. Unlock "
            "the group in the Layers docker, and try again." % facts.name
        )
    return None


def no_in_place(facts):
    """Why the active layer cannot be changed in place although it can be filled from."""
    if facts.locked_group:
        return (
            "The group around \u201c%s\u201d is locked. Unlock the group in the Layers docker, and "
            "try again." % facts.name
        )
    if facts.locked:
        return (
            "The layer \u201c%s\u201d is locked. Unlock it in the Layers docker, or put the fill on "
            "a new layer above it." % facts.name
        )
    if facts.alpha_locked and facts.transparency != OPAQUE:
        return (
            "The transparency of \u201c%s\u201d is locked, which would hide a fill of its empty "
            "parts. Unlock it in the Layers docker, or put the fill on a new layer." % facts.name
        )
    return None


def advice(options, facts):
    """What the user should know before this fill; "" where it is plain."""
    said = []
    merged = options.source == VISIBLE
    if options.result == LAYER and not merged:
        odd = []
        if facts.opacity < 255:
            odd.append("is not fully opaque")
        if facts.blending != "normal":
            odd.append("has a blending mode")
        if facts.masks:
            odd.append("has masks")
        if facts.transparency == TRANSLUCENT:
            odd.append("is partly transparent in the selection")
        if odd:
            said.append(
                "This layer %s: a new layer would not hide what is below it exactly. "
                "In place does." % _listed(odd)
            )
        if facts.animated:
            said.append("The new layer will show on every frame; in place changes this frame.")
    return " ".join(said)


def _listed(words):
    return words[0] if len(words) == 1 else ", ".join(words[:-1]) + " and " + words[-1]


# --- What is remembered --------------------------------------------------------------------------

LAYER, IN_PLACE = "layer", "in-place"
OWN, VISIBLE = "own", "visible"


class Options(NamedTuple):
    """A fill as the user asked for it."""

    values: dict  # as job.Settings stores them
    result: str = LAYER
    source: str = OWN


# Where the fill goes is asked for in Krita's words.
ASKED_OTHERWISE = ("result",)


def settings(description, options):
    """The parameters' values, to be read and changed."""
    return job.Settings(description, options.values)


def fields(description, engine):
    """What the dialog has for an engine, or for "auto"."""
    return [f for f in job.fields_of(description, engine) if f.name not in ASKED_OTHERWISE]


def offered(description):
    """The engines that can be chosen here, by their ids, "auto" among them."""
    for field in fields(description, "auto"):
        if field.name == "engine":
            return [choice[0] for choice in job.choices(field, description)]
    return ["auto"]


def changed(settings):
    """How many of the chosen engine's values that stand behind "More" are not the defaults."""
    return sum(
        1 for f in fields(settings.description, settings.engine)
        if not f.essential and settings.get(f) != f.default
    )


# The one-click actions, as in GIMP: a little more than what was selected, for objects have rims;
# and the engine that needs no model with less of the surroundings.
REMOVE = {"grow": 4}
QUICK = {"engine": "exemplar", "context": "32"}


def one_click(options, values):
    """Everything at its default but `values`; the fill goes where the user's last one went."""
    return options._replace(values={"": dict(values)})


def sound(field, value):
    """`value` if the field takes it, else the field's default."""
    try:
        if field.type in ("integer", "number"):
            value = int(value) if field.type == "integer" else float(value)
            low = field.min if field.min is not None else value
            high = field.max if field.max is not None else value
            return min(max(value, low), high) if value == value else field.default
        if field.type == "flag":
            return value if isinstance(value, bool) else field.default
        if field.type == "choice":
            return value if value in [c[0] for c in field.choices] else field.default
        return value if isinstance(value, str) and "\0" not in value else field.default
    except (TypeError, ValueError, OverflowError):
        return field.default


def recall(text, description):
    """The options that `remember` wrote, whatever has become of the text or of the parameters."""
    try:
        kept = json.loads(text) if text else {}
    except (ValueError, RecursionError):
        kept = {}
    kept = kept if isinstance(kept, dict) else {}
    source = kept["source"] if kept.get("source") in (OWN, VISIBLE) else OWN
    result = kept["result"] if kept.get("result") in (LAYER, IN_PLACE) else LAYER
    return Options(
        job.Settings(description, kept.get("values")).stored(),
        LAYER if source == VISIBLE else result,
        source,
    )


def remember(options):
    """The options as one line of text."""
    return json.dumps(
        {"values": options.values, "result": options.result, "source": options.source},
        sort_keys=True,
    )


def request(description, options):
    """The library's parameters: those of the chosen engine that are not its defaults."""
    wanted = settings(description, options).parameters(without=ASKED_OTHERWISE)
    wanted["result"] = "layer" if options.result == LAYER else "image"
    return wanted


def limits(description, name, engine=None):
    """The description of the parameter `name`, of `engine` or of all, {} where there is none."""
    every = list(description.get("params", []))
    for e in description.get("engines", []):
        if engine in (None, e["id"]):
            every += e.get("params", [])
    return next((p for p in every if p.get("name") == name), {})


def extent_parts(text):
    """("auto", 0), ("px", pixels) or ("%", per cent) of an extent's text; what is no extent: auto."""
    text = str(text).strip()
    try:
        if text.endswith("%"):
            return "%", max(int(round(float(text[:-1]))), 0)
        if text != "auto":
            return "px", max(int(text[:-2] if text.endswith("px") else text), 0)
    except (ValueError, OverflowError):
        pass
    return "auto", 0


# --- Words ---------------------------------------------------------------------------------------


def undo_text(options):
    """How a fill is taken back."""
    if options.result == LAYER:
        return "One Undo takes it back. The layer below is not changed."
    return (
        "Taking it back needs two Undo steps: Krita lets a plug-in change pixels only by putting "
        "a new layer in the old one's place."
    )


def title_text(facts):
    """What will be filled."""
    hole = facts.selection.intersect(facts.canvas)
    name = facts.name if len(facts.name) <= 40 else facts.name[:39] + "\u2026"
    return "Fills the selection, %d \u00d7 %d pixels, on \u201c%s\u201d." % (
        hole.width, hole.height, name)


def seconds_left(told, since):
    """The seconds left, `since` seconds after it was `told`: it counts down by the clock, ever more
    slowly where it has turned out too short."""
    if told is None:
        return None
    half = told / 2
    return told - since if since <= half else half * half / since


def sentence(text):
    """The library's message as a dialog writes it."""
    text = text[:1].upper() + text[1:]
    return text if text.endswith((".", "!", "?")) else text + "."


def notes_text(reports):
    """What the library wants the user to know of a finished fill."""
    notes = []
    for report in reports:
        for note in report.get("notes", []):
            if note not in notes:
                notes.append(note)
    return " ".join(sentence(note) for note in notes)
