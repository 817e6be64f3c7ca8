# SPDX-License-Identifier: MIT OR Apache-2.0
"""A canvas that grows, with what is new filled on a layer of its own."""

from hands import (
    APP,
    H,
    Picture,
    W,
    becomes,
    check,
    fits,
    idle,
    layers,
    photograph,
    plugin,
    shown,
    undo,
    undo_name,
)
from previews import ready, silent, texture


def expanded(selected):
    """What was there keeps its bits, what is new is what the preview showed, and two Undo steps
    take it back. Without a selection, or with one that reaches over the edge and says how far."""
    picture = Picture(pixels=texture(W, H))
    yield from picture.open()
    doc = picture.doc
    if selected:
        picture.select((W - 30, 20, 50, 30))
        sides = (0, 0, 20, 0)
    else:
        sides = tuple(round(n * 0.1) for n in (W, H, W, H))
    before, tree, undoable = picture.seen(), layers(doc.rootNode()), undo_name()
    APP.writeSetting("mend_inpaint", "expand", "")
    APP.action("mend_expand").trigger()
    yield lambda: shown("mend_inpaint_dialog")
    box = plugin()._dialog
    yield from ready(box)
    check(box.input("grow") is None, "there is something about a selection")
    check(not box._intents.isVisible(), "something else can be wanted")
    fits(box, "for a canvas")
    fills = box.previewer.fills
    check(len(fills) == 4, len(fills), "fills")
    yield from photograph(box, "krita-expand.png")
    check((doc.width(), doc.height()) == (W, H) and picture.seen() == before, "it grew at once")
    box._gallery.thumbs[1].click()
    box._start.click()
    yield idle
    yield 300
    silent()
    left, top, right, bottom = sides
    size = (W + left + right, H + top + bottom)
    check((doc.width(), doc.height()) == size, "it is", doc.width(), "x", doc.height())
    check(bytes(doc.pixelData(left, top, W, H)) == before, "what was there changed")
    layer = doc.rootNode().childNodes()[1]
    for rect, pixels in fills[1].pixels[0]:
        check(bytes(layer.pixelData(*rect)) == pixels, "another fill is in place", rect)
    seen = bytes(doc.pixelData(0, 0, *size))
    check(set(seen[3::4]) == {255}, "something is not filled")
    yield from undo(2)
    yield from becomes(lambda: (doc.width(), doc.height()) == (W, H), "it is still larger")
    check(picture.seen() == before, "undo did not bring the picture back")
    check(layers(doc.rootNode()) == tree, "undo left", layers(doc.rootNode()))
    check(undo_name() == undoable, "more undo steps:", undo_name())
    yield from picture.close()
