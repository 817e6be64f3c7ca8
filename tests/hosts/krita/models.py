# SPDX-License-Identifier: MIT OR Apache-2.0
"""An engine with a model and a prompt. The model is tiny, and its fill is noise."""

import os
from typing import Any

from hands import (
    APP,
    FLAT,
    HOLES,
    Picture,
    check,
    filled_in_place,
    filled_layer,
    fits,
    idle,
    layers,
    photograph,
    plugin,
    refused,
    remember,
    shown,
)

TINY = {"engine": "diffusion", "model": os.environ["MEND_TINY"], "steps": 2}


def diffusion(result):
    """Everything that holds of a fill holds of this engine's; the prompt and the seed count."""
    picture = Picture()
    yield from picture.open()
    picture.select(HOLES[0])
    fills = []
    for values in (
        {"prompt": "a (red:1.2) boat, 50% \\ \"new\""},
        {"prompt": "a tree"},
        {"prompt": "a tree", "seed": 5},
        {"prompt": "a tree"},
    ):
        remember(result, **TINY, **values)
        filling = filled_layer if result == "layer" else filled_in_place
        _, after, _ = yield from filling(picture)
        fills.append(after)
        for _ in range(1 if result == "layer" else 2):
            APP.action("edit_undo").trigger()
            yield 120
    check(fills[0] != fills[1], "the prompt does not count")
    check(fills[2] != fills[1], "the seed does not count")
    check(fills[3] == fills[1], "the same request gave another fill")
    remember(result, **dict(TINY, model=os.path.join(TINY["model"], "none")))
    yield from refused("none", doc=picture.doc)
    yield from picture.close()


def in_the_dialog():
    """The engine and its model are chosen and a prompt is written as a user does."""
    picture = Picture()
    yield from picture.open()
    picture.select(HOLES[0])
    APP.writeSetting("mend_inpaint", "last", "")
    before = picture.seen()
    APP.action("mend_inpaint").trigger()
    yield lambda: shown("mend_inpaint_dialog")
    box = plugin()._dialog
    check(box.input("prompt") is None, "a prompt for what is to be removed")
    box._intents._buttons["prompt"].click()
    check(box.input("prompt").isVisible(), "no prompt, though an engine reads one")
    yield 300
    check(not box._start.isEnabled(), "it can be started without a prompt")
    box.input("prompt").set("a tree")
    for name, value in TINY.items():
        box.input(name).set(value)
    yield 600
    check(box.previewer.state == "ask", "the preview is", box.previewer.state)
    check(box.input("prompt").isVisible(), "there is nowhere to write a prompt")
    check("changed" in box._more.text(), "nothing says that more is set:", box._more.text())
    fits(box, "with a prompt")
    box._more.click()
    yield 200
    check(box.input("steps").isVisible(), "the steps are not shown")
    fits(box, "with all of a model's parameters")
    check(box._start.isEnabled(), "it cannot be started:", box._planned.text())
    check("region" in box._planned.text(), "the plan says", box._planned.text())
    inside, seen = box._scroll.widget().width(), box._scroll.viewport().width()
    check(inside <= seen, "the form is", inside, "wide, and", seen, "of it are shown")
    box._gallery.another.click()
    yield lambda: box.previewer.state == "ready"
    check(len(box.previewer.fills) == 1, len(box.previewer.fills), "fills")
    yield from photograph(box, "krita-prompt.png")
    box.input("model").set(TINY["model"] + "/none")
    yield 600
    check(not box._start.isEnabled(), "a model that is not there can be started")
    box.input("model").set(TINY["model"])
    yield 600
    check(box.previewer.taken(box.previewer._key) is None, "a stale fill is taken")
    box._start.click()
    yield idle
    yield 100
    check(not shown("mend_inpaint_message"), *[b.text() for b in shown("mend_inpaint_message")])
    after = picture.seen()
    x, y = HOLES[0][0] + 6, HOLES[0][1] + 6
    pixel = after[(y * picture.width + x) * 4 :][:4]
    check(after != before and tuple(pixel) != FLAT, "the model filled nothing")
    yield from picture.close()


def ended_early():
    """A fill in steps is seen as it is made, and ends with what there is when the user says so."""
    picture = Picture()
    yield from picture.open()
    picture.select(HOLES[0])
    values: Any = dict(TINY, steps=900, scheduler="ddim", prompt="a tree")
    remember("layer", **values)
    before, tree = picture.seen(), layers(picture.doc.rootNode())
    APP.action("mend_inpaint_again").trigger()
    yield lambda: shown("mend_inpaint_dialog")
    box = plugin()._dialog
    now, button = box.previewer, box._gallery.another
    yield lambda: now.glimpse and "step" in now.words
    check(not box._start.isEnabled(), "another fill could be started")
    check(button.text() == "&Stop Here" and button.isEnabled(), "the button says", button.text())
    check(box._gallery.picture.scene is box._gallery._becoming, "the steps are not seen")
    yield from photograph(box, "krita-steps.png")
    check(picture.seen() == before, "the picture changed")
    button.click()
    yield idle
    yield 100
    check(not shown("mend_inpaint_dialog"), "the dialog is still there")
    check(not shown("mend_inpaint_message"), *[b.text() for b in shown("mend_inpaint_message")])
    check(picture.seen() != before, "nothing was filled")
    check(len(layers(picture.doc.rootNode())) == len(tree) + 1, "there is no new layer")
    yield from picture.close()
