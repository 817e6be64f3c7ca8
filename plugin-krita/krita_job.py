# SPDX-License-Identifier: MIT OR Apache-2.0
"""What the Krita plug-in decides on its own; knows no Krita and no Qt.

Which pixels a plan needs, when to refuse and with which words, what is asked for and remembered.
Python's standard library only, 3.8 or newer.
"""

import json
from typing import NamedTuple, Optional

from . import job, params
from .job import Rect
from .raw import OPAQUE, TRANSLUCENT, Space, known

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


def no_target(facts, expanding=False):
    """Why nothing at all can be filled, or with `expanding` the canvas cannot grow, and what to do;
    None where it can."""
    if not facts.document:
        return "There is no picture. Open one, select what is to be filled, and try again."
    if facts.selection.empty and not expanding:
        return (
            "Nothing is selected. Select what is to be filled with one of the selection tools, "
            "and try again."
        )
    if facts.selection.intersect(facts.canvas).empty and not expanding:
        return "The selection lies outside the canvas. Select something on it, and try again."
    if not facts.layer:
        return "No layer is active. Choose one in the Layers docker, and try again."
    return None


def no_layer_fill(facts):
    """Why the active layer's own pixels cannot be filled, and what to do; None where they can."""
    if facts.kind != "paintlayer":
        return (
            "\u201c%s\u201d %s, which has no pixels of its own to fill. Choose a paint layer in "
            "the "
            "Layers docker, or fill from all visible layers."
            % (facts.name, _KINDS.get(facts.kind, "is no paint layer"))
        )
    if facts.hidden:
        return (
            "The layer \u201c%s\u201d is hidden. Show it (or the group around it) in the Layers "
            "docker, and try again." % facts.name
        )
    if not known(facts.space):
        return (
            "Layers in %s/%s cannot be filled. Convert the layer to RGB with Layer \u25b8 Convert "
            "\u25b8 Convert Layer Color Space, and try again."
            % (facts.space.model, facts.space.depth)
        )
    return None


class Refused(Exception):
    """What was asked for cannot be done, and what to do; nothing was changed."""


def nothing_around(facts):
    """That the layer has no pixels to fill from: most often it is the wrong one."""
    return (
        "The active layer is \u201c%s\u201d, and it is empty around the selection: there is "
        "nothing "
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
            "The layer \u201c%s\u201d is locked. Unlock it in the Layers docker, or put the fill "
            "on "
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

    values: dict  # as params.Settings stores them
    result: str = LAYER
    source: str = OWN
    intent: Optional[str] = None  # as params.Settings takes it
    keep: bool = False  # of several fills all are kept, on hidden layers


def settings(description, options):
    """The parameters' values, to be read and changed."""
    return params.Settings(description, options.values, options.intent)


def offered(description):
    """The engines that can be chosen here, by their ids, "auto" among them."""
    for field in params.common_fields(description):
        if field.name == "engine":
            return [choice[0] for choice in params.choices(field, description)]
    return ["auto"]


def changed(settings):
    """How many of the chosen engine's values that stand behind "More" are not the defaults."""
    front = (*params.WISHES, "expand")
    return sum(1 for field in settings.changed() if field.name not in front)


def one_click(options, values):
    """Everything at its default but `values`; the fill goes where the user's last one went."""
    return options._replace(values={"": dict(values)}, intent=None)


def preview_key(description, options):
    """What a preview depends on."""
    return (tuple(sorted(request(description, options).items())), options.source)


def recall(text, description):
    """The options that `remember` wrote, whatever has become of the text or of the parameters."""
    try:
        kept = json.loads(text) if text else {}
    except (ValueError, RecursionError):
        kept = {}
    kept = kept if isinstance(kept, dict) else {}
    source = kept["source"] if kept.get("source") in (OWN, VISIBLE) else OWN
    result = kept["result"] if kept.get("result") in (LAYER, IN_PLACE) else LAYER
    values = params.Settings(description, kept.get("values")).stored()
    intent = kept.get("intent")
    if intent == params.PROMPT and not params.prompted(description):
        intent = params.REMOVE
    return Options(
        values,
        LAYER if source == VISIBLE else result,
        source,
        intent if intent in params.INTENTS else params.intent_of(description, values),
        kept.get("keep") is True,
    )


def prompts_of(text):
    """The prompts that `with_prompt` wrote, the last one first."""
    try:
        return params.with_prompt(json.loads(text) if text else [], "")
    except (ValueError, RecursionError):
        return []


def with_prompt(text, prompt):
    """The same with one more, as one line of text."""
    return json.dumps(params.with_prompt(prompts_of(text), prompt))


def remember(options):
    """The options as one line of text."""
    return json.dumps(options._asdict(), sort_keys=True)


def request(description, options):
    """The library's parameters: those of the chosen engine that are not its defaults."""
    wanted = settings(description, options).parameters()
    layer = options.result == LAYER and options.intent != params.EXPAND
    wanted["result"] = "layer" if layer else "image"
    return wanted


def expanding(options, selection, canvas):
    """The options for a canvas that grows: as far as the selection reaches over its edge, and else
    as it last did, or by a tenth."""
    sides = params.sides_over(selection, canvas)
    kept = options.values.get("", {})
    values = dict(options.values)
    values[""] = dict(kept, expand=sides or kept.get("expand", params.SIDES[0]))
    return options._replace(values=values, intent=params.EXPAND, result=LAYER, keep=False)


def extent_parts(text):
    """("auto", 0), ("px", pixels) or ("%", per cent) of an extent's text; "auto" where it is "
    "none."""
    text = str(text).strip()
    try:
        if text.endswith("%"):
            return "%", max(round(float(text[:-1])), 0)
        if text != "auto":
            return "px", max(int(text[:-2] if text.endswith("px") else text), 0)
    except (ValueError, OverflowError):
        pass
    return "auto", 0


# --- Words ---------------------------------------------------------------------------------------


def undo_text(options):
    """How a fill is taken back."""
    if options.intent == params.EXPAND:
        return (
            "What is new goes on a new layer above. Taking it back needs two Undo steps: one for "
            "the layer, and one for the canvas."
        )
    if options.result == LAYER:
        return "One Undo takes it back. The layer below is not changed."
    return (
        "Taking it back needs two Undo steps: Krita lets a plug-in change pixels only by putting "
        "a new layer in the old one's place."
    )


def title_text(facts, expanding=False):
    """What will be filled."""
    if expanding:
        return "Makes the picture of %d \u00d7 %d pixels larger, and fills what is new." % (
            facts.canvas.width,
            facts.canvas.height,
        )
    hole = facts.selection.intersect(facts.canvas)
    name = facts.name if len(facts.name) <= 40 else facts.name[:39] + "\u2026"
    return "Fills the selection, %d \u00d7 %d pixels, on \u201c%s\u201d." % (
        hole.width,
        hole.height,
        name,
    )


def notes_text(reports):
    """What the library wants the user to know of a finished fill."""
    return " ".join(job.sentence(note) for note in job.notes_of(reports))
