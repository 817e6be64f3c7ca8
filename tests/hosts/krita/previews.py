# SPDX-License-Identifier: MIT OR Apache-2.0
"""The preview in the dialog: what is seen is what is put in place, and Krita goes on meanwhile."""

import os
import time
from typing import Any

try:
    from PyQt5.QtCore import QTimer
    from PyQt5.QtGui import QImage
except ImportError:
    from PyQt6.QtCore import QTimer
    from PyQt6.QtGui import QImage

from hands import (
    APP,
    SRGB,
    H,
    Picture,
    W,
    becomes,
    check,
    differing,
    fits,
    idle,
    layers,
    noise,
    photograph,
    plugin,
    remember,
    shown,
    undo,
    undo_name,
)


def opened():
    """The dialog, with its four fills."""
    APP.action("mend_inpaint").trigger()
    yield lambda: shown("mend_inpaint_dialog")
    box = plugin()._dialog
    yield from ready(box)
    return box


def ready(box):
    now = box.previewer
    yield lambda: now.state in ("ready", "failed") and not now.stale
    check(now.state == "ready", now.problem)
    yield 60


def texture(width, height):
    """Noise that nowhere comes again, so that no two fills are alike."""
    import random

    data = bytearray(
        random.Random(3).getrandbits(32 * width * height).to_bytes(4 * width * height, "little")
    )
    data[3::4] = b"\xff" * (width * height)
    return bytes(data)


def silent():
    boxes = shown("mend_inpaint_message")
    check(not boxes, *[b.text() for b in boxes])


def chosen(result):
    """The fill that is chosen is the one that is put in place, and Undo takes it back."""
    picture = Picture(pixels=texture(W, H))
    yield from picture.open()
    picture.select((100, 80, 60, 50))
    remember(result)
    doc, mask = picture.doc, picture.selected()
    before, tree, undoable = picture.seen(), layers(doc.rootNode()), undo_name()
    box = yield from opened()
    fills = box.previewer.fills
    check(len(fills) == 4, len(fills), "fills")
    check(picture.seen() == before and undo_name() == undoable, "the preview changed something")
    box._gallery.thumbs[2].click()
    pixels = fills[2].pixels[0]
    box._start.click()
    yield idle
    yield 200
    silent()
    check(plugin()._dialog is None, "the dialog is still open")
    after = picture.seen()
    changed = differing(before, after, W * H)
    check(changed and all(mask[i] for i in changed), "pixels outside the selection changed")
    if result == "layer":
        layer = doc.rootNode().childNodes()[1]
        found = bytes(layer.pixelData(100, 80, 60, 50))
    else:
        found = bytes(doc.activeNode().pixelData(100, 80, 60, 50))
    check(found == pixels, "another fill is in place")
    yield from undo(1 if result == "layer" else 2)
    yield from becomes(lambda: picture.seen() == before, "undo did not bring the picture back")
    check(layers(doc.rootNode()) == tree, "undo left", layers(doc.rootNode()))
    check(undo_name() == undoable, "more undo steps:", undo_name())
    # The first fill is the one that the same settings give without a dialog.
    APP.action("mend_inpaint_again").trigger()
    yield idle
    yield 200
    node = doc.rootNode().childNodes()[1] if result == "layer" else doc.activeNode()
    found = bytes(node.pixelData(100, 80, 60, 50))
    check(found == fills[0].pixels[0], "Again gives another fill than the first one")
    yield from picture.close()


def kept():
    """All fills go into a group, one of them in sight; one Undo takes the group back."""
    picture = Picture(pixels=texture(W, H))
    yield from picture.open()
    picture.select((100, 80, 60, 50))
    remember("layer")
    doc = picture.doc
    before, tree, undoable = picture.seen(), layers(doc.rootNode()), undo_name()
    documents = len(APP.documents())
    box = yield from opened()
    box._more.click()
    box._keep.setChecked(True)
    yield 300
    yield from ready(box)
    fits(box, "with More")
    fills = box.previewer.fills
    box._gallery.thumbs[1].click()
    box._start.click()
    yield idle
    yield 300
    silent()
    check(len(APP.documents()) == documents, "a document is left")
    check(APP.activeDocument() == doc, "another document is active")
    group = doc.rootNode().childNodes()[1]
    check(group.type() == "grouplayer" and group.name() == "Inpaint", group.type(), group.name())
    inside = group.childNodes()
    shows = [node.visible() for node in inside]
    check(shows == [False, False, False, True], "in sight are", shows)
    found = [bytes(node.pixelData(100, 80, 60, 50)) for node in inside]
    wanted = [fills[n].pixels[0] for n in (3, 2, 0, 1)]
    check(found == wanted, "the layers hold other fills")
    after = picture.seen()
    check(after != before, "nothing was filled")
    check(doc.activeNode().name() == picture.node.name(), "active is", doc.activeNode().name())
    yield from undo()
    yield from becomes(lambda: picture.seen() == before, "undo did not bring the picture back")
    check(layers(doc.rootNode()) == tree, "undo left", layers(doc.rootNode()))
    check(undo_name() == undoable, "more than one undo step:", undo_name())
    APP.action("edit_redo").trigger()
    yield from becomes(lambda: picture.seen() == after, "redo did not bring the fill back")
    APP.action("edit_undo").trigger()
    yield 200
    # Krita lives, and another fill goes on top.
    remember("layer")
    APP.action("mend_inpaint_again").trigger()
    yield idle
    yield 100
    silent()
    yield from picture.close()


def lighthouse(width=None, height=None):
    """A photo, at its own size or another."""
    image = QImage(os.path.join(os.path.dirname(__file__), "lighthouse.png"))
    if width and height:
        image = image.scaled(width, height)
    image = image.convertToFormat(QImage.Format.Format_ARGB32)
    pointer: Any = image.constBits()
    pointer.setsize(image.width() * image.height() * 4)
    return Picture(image.width(), image.height(), pixels=bytes(pointer))


def photo():
    """Pictures of the dialog as a user sees it."""
    picture = lighthouse()
    yield from picture.open()
    picture.node.setName("Photo")
    x, y, width, height = LIGHTHOUSE
    picture.select((x, y, width, height))
    APP.writeSetting("mend_inpaint", "last", "")
    box = yield from opened()
    fits(box, "with a preview")
    yield from photograph(box, "krita-dialog.png")
    box._gallery.original.pressed.emit()
    yield from photograph(box, "krita-dialog-original.png")
    box._gallery.original.released.emit()
    box._gallery.another.click()
    yield 100
    yield from photograph(box, "krita-dialog-another.png")
    yield from ready(box)
    box._more.click()
    yield 300
    fits(box, "with More")
    yield from photograph(box, "krita-dialog-more.png")
    box.reject()
    yield from picture.close()


# What is to go from examples/photos/lighthouse.png.
LIGHTHOUSE = (312, 56, 91, 261)


def colours():
    """The preview shows what the canvas shows, whatever the layer's numbers mean."""
    spaces = [SRGB, ("RGBA", "F32", "sRGB-elle-V2-g10.icc"), ("RGBA", "U16", SRGB[2])]
    spaces += [("GRAYA", "U8", "Gray-D50-elle-V2-srgbtrc.icc"), ("RGBA", "F16", SRGB[2])]
    spaces.append(("CMYKA", "U8", APP.profiles("CMYKA", "U8")[0]))
    said = []
    for space in spaces:
        picture = Picture(space=space)
        yield from picture.open()
        picture.select((44, 84, 52, 52))
        remember("layer")
        box = yield from opened()
        image = box._gallery.picture.grab().toImage()
        seen = image.pixelColor(image.width() // 2, image.height() // 2)
        wanted = picture.doc.projection(10, 10, 4, 4).pixelColor(1, 1)
        off = max(
            abs(seen.red() - wanted.red()),
            abs(seen.green() - wanted.green()),
            abs(seen.blue() - wanted.blue()),
        )
        said.append("%s %s %d" % (space[0], space[1], off))
        check(off <= 6, space, "is off by", off)
        box.reject()
        yield from picture.close()
    return "off by " + ", ".join(said)


def responsive():
    """Krita's event loop turns while a preview is made, and a stale one ends soon."""
    picture = Picture(1600, 1600, pixels=noise(1600, 1600))
    yield from picture.open()
    picture.select((300, 300, 900, 900))
    remember("layer")
    APP.action("mend_inpaint").trigger()
    yield lambda: shown("mend_inpaint_dialog")
    box, ticks = plugin()._dialog, []
    timer = QTimer()
    timer.timeout.connect(lambda: ticks.append(time.monotonic()))
    timer.start(10)
    yield lambda: box.previewer.state == "working"
    yield 1200
    first = box.previewer._job
    check(first is not None and first.is_alive(), "the preview ended too soon to say anything")
    began = time.monotonic()
    box.input("seed").set(5)
    yield lambda: not first.is_alive()
    stopped = time.monotonic() - began
    # The machine may have other work, too.
    check(first.cancelled and stopped < 6.0, "the stale preview ended after", stopped)
    yield lambda: box.previewer._job is not None
    second = box.previewer._job
    timer.stop()
    box.reject()
    yield lambda: not second.is_alive()
    check(second.cancelled, "leaving the dialog left the preview running")
    yield from picture.close()
    gaps = [b - a for a, b in zip(ticks, ticks[1:])]
    check(max(gaps) < 2.0, "Krita stood still for", max(gaps))
    return "stopped in %.2f s, the longest turn %.2f s of %d" % (stopped, max(gaps), len(ticks))


def large():
    """Twelve megapixels and a hole of 200 pixels: from the menu to the fill in place, with one
    click in the menu and one on Fill; and how soon it was seen."""
    picture = lighthouse(4000, 3000)
    yield from picture.open()
    yield 1500
    took = []
    for turn in range(3):
        picture.select((1200 + 400 * turn, 1500, 200, 200))
        remember("layer")
        yield 300
        count = len(picture.doc.rootNode().childNodes())
        began = time.monotonic()
        APP.action("mend_inpaint").trigger()
        yield lambda: shown("mend_inpaint_dialog")
        box, there = plugin()._dialog, time.monotonic() - began
        yield lambda: box.previewer.fills
        made = box.previewer.taken(box.previewer._key)
        seen = time.monotonic() - began
        box._start.click()
        yield idle
        silent()
        check(len(picture.doc.rootNode().childNodes()) == count + 1, "nothing was filled")
        whole = time.monotonic() - began
        library = sum(r["seconds"] for r in made.fill.reports)
        took.append(
            "shown after %.2f s, seen after %.2f s (library %.2f s), in place after %.2f s"
            % (there, seen, library, whole)
        )
    yield from picture.close()
    return "; ".join(took)
