# SPDX-License-Identifier: MIT OR Apache-2.0
"""What the cases handle: the plug-in, Krita's documents, and a fill with all that must hold of
it."""

import array
import os
import time

from krita import Krita, Selection

try:
    from PyQt5.QtCore import QByteArray, QPoint
    from PyQt5.QtWidgets import QApplication, QDialogButtonBox
except ImportError:
    from PyQt6.QtCore import QByteArray, QPoint
    from PyQt6.QtWidgets import QApplication, QDialogButtonBox

OUT = os.environ["MEND_TEST_OUT"]
APP = Krita.instance()
W, H = 320, 240
SRGB = ("RGBA", "U8", "sRGB-elle-V2-srgbtrc.icc")
FLAT = (60, 120, 180, 255)  # blue, green, red, alpha


class Failed(Exception):
    pass


def check(truth, *words):
    if not truth:
        raise Failed(" ".join(str(w) for w in words))


# --- Handles on the plug-in and on Krita ---------------------------------------------------------


def plugin():
    return next(e for e in APP.extensions() if type(e).__module__.startswith("mend_inpaint"))


def module(name):
    import importlib

    return importlib.import_module("mend_inpaint." + name)


def shown(name):
    return [w for w in QApplication.topLevelWidgets() if w.objectName() == name and w.isVisible()]


def idle():
    return not (plugin()._busy or plugin()._looking or filling())


def filling():
    """A fill is being made in the dialog, to be put in place when it is there."""
    return bool(plugin()._dialog and plugin()._dialog._filling)


def running():
    """The fill is under way, its pixels read."""
    return plugin()._fill is not None


def remember(result="layer", source="own", **values):
    """As if the user had chosen this in the dialog the last time."""
    import json

    common = ("engine", "seed", "context", "grow", "feather", "prompt")
    scopes = {"": {n: v for n, v in values.items() if n in common}}
    own = {n: v for n, v in values.items() if n not in common}
    if own:
        scopes[values["engine"]] = own
    text = json.dumps({"values": scopes, "result": result, "source": source})
    APP.writeSetting("mend_inpaint", "last", text)


def undo_name():
    action = APP.action("edit_undo")
    return action.text() if action.isEnabled() else ""


def layers(node):
    """The tree as far as undo must bring it back."""
    return [
        (n.name(), n.type(), n.opacity(), n.blendingMode(), n.locked(), layers(n))
        for n in node.childNodes()
        if n.type() != "selectionmask"
    ]


def close(document):
    """Closes as the user does. Krita's layer list crashes when a document goes away before the
    list has taken in its last change."""
    document.waitForDone()
    yield 250
    document.setModified(False)
    APP.setActiveDocument(document)
    yield lambda: APP.activeDocument() == document
    APP.action("file_close").trigger()
    yield lambda: not any(d == document for d in APP.documents())
    yield 50


class Picture:
    """A document in a window: the left half flat with a red square on it, the right half
    texture."""

    def __init__(self, width=W, height=H, space=SRGB, pixels=None):
        self.width, self.height, self.space = width, height, space
        self.pixels = pixels

    def open(self):
        self.doc = APP.createDocument(self.width, self.height, "case", *SRGB, 72.0)
        self.doc.setBatchmode(True)
        APP.activeWindow().addView(self.doc)
        APP.setActiveDocument(self.doc)
        yield lambda: APP.activeDocument() is not None and self.doc.activeNode() is not None
        self.node = self.doc.rootNode().childNodes()[0]
        data = self.pixels or photo(self.width, self.height)
        self.node.setPixelData(QByteArray(data), 0, 0, self.width, self.height)
        if self.space != SRGB:
            self.doc.setColorSpace(*self.space)
        self.doc.waitForDone()
        self.node = self.doc.rootNode().childNodes()[0]
        self.doc.setActiveNode(self.node)
        self.doc.refreshProjection()
        self.doc.waitForDone()
        have = (self.node.colorModel(), self.node.colorDepth(), self.node.colorProfile())
        check(have == self.space, "the document is", have)
        yield 30

    def select(self, *boxes, feather=0):
        selection = Selection()
        for box in boxes:
            selection.select(*box, 255)
        if feather:
            selection.feather(feather)
        self.doc.setSelection(selection)
        self.doc.waitForDone()

    def pixels_now(self):
        return bytes(self.node.pixelData(0, 0, self.width, self.height))

    def selected(self):
        return bytes(self.doc.selection().pixelData(0, 0, self.width, self.height))

    def seen(self):
        self.doc.waitForDone()
        return bytes(self.doc.pixelData(0, 0, self.width, self.height))

    def own(self, node=None, margin=40):
        return bytes(
            (node or self.node).pixelData(
                -margin, -margin, self.width + 2 * margin, self.height + 2 * margin
            )
        )

    def activate(self, node):
        yield 50
        self.doc.setActiveNode(node)
        yield lambda: self.doc.activeNode().uniqueId() == node.uniqueId()
        yield 30

    def close(self):
        yield from close(self.doc)


def photo(width, height):
    out = bytearray()
    for y in range(height):
        row = bytearray()
        for x in range(width):
            if x < width // 2:
                inside = 50 <= x < 90 and 90 <= y < 130
                row += bytes((20, 20, 230, 255)) if inside else bytes(FLAT)
            else:
                t = (x * 7 + y * 3) % 32 * 3 + ((x // 4) ^ (y // 4)) % 4 * 12
                row += bytes((40 + t, 60 + t // 2, 30 + t, 255))
        out += row
    return bytes(out)


def noise(width, height):
    """Much texture for little time: a fill that takes a while."""
    import random

    block = random.Random(7).getrandbits(8 * width * 256).to_bytes(width * 256, "little")
    data = bytearray((block * (height // 64 + 1))[: width * height * 4])
    data[3::4] = b"\xff" * (width * height)
    return bytes(data)


HOLES = ((44, 84, 52, 52), (220, 60, 40, 30))  # around the square; in the texture


def alphas(data, space):
    """The alpha of every pixel as a number, 0 for none."""
    channels = {"GRAYA": 2, "CMYKA": 5}.get(space[0], 4)
    code = {"U8": "B", "U16": "H", "F16": "H", "F32": "f"}[space[1]]
    return array.array(code, data)[channels - 1 :: channels]


def differing(a, b, pixels):
    """The indices of the pixels that differ."""
    check(len(a) == len(b), "sizes differ:", len(a), len(b))
    size = len(a) // pixels
    return [
        i for i in range(pixels) if a[i * size : i * size + size] != b[i * size : i * size + size]
    ]


def alike(a, b, space):
    """The same picture. Krita's blending of floats differs in the last bits from run to run."""
    if a == b or space[1] != "F32":
        return a == b
    a, b = array.array("f", a), array.array("f", b)
    return len(a) == len(b) and all(abs(p - q) <= 2e-6 * max(1, abs(p)) for p, q in zip(a, b))


def srgb(data, width, height, space):
    convert = plugin()._colours.convert
    space_of = module("raw").Space
    return convert(data, width, height, space_of(*space), space_of(*SRGB))


# --- Steps ---------------------------------------------------------------------------------------


def run(action="mend_inpaint_again"):
    APP.action(action).trigger()
    yield idle
    yield 80
    check(
        not shown("mend_inpaint_message"),
        "a message:",
        *[b.text() for b in shown("mend_inpaint_message")],
    )


def undo(times=1):
    for _ in range(times):
        APP.action("edit_undo").trigger()
        yield 120


def redo(times=1):
    for _ in range(times):
        APP.action("edit_redo").trigger()
        yield 120


def filled_layer(picture, holes=None):
    """Runs a fill onto a new layer and checks everything that must hold of it."""
    doc, space = picture.doc, picture.space
    mask, node = picture.selected(), doc.activeNode()
    before, own, tree, undoable = (
        picture.seen(),
        picture.own(node),
        layers(doc.rootNode()),
        undo_name(),
    )
    yield from run()
    after = picture.seen()
    check(picture.own(node) == own, "the layer that was filled from changed")
    siblings = node.parentNode().childNodes()
    at = [n.uniqueId() for n in siblings].index(node.uniqueId())
    layer = siblings[at + 1]
    check(layer.name() == "Inpaint", "above is", layer.name())
    pixels = bytes(layer.pixelData(0, 0, picture.width, picture.height))
    alpha = alphas(pixels, space)
    wrong = [i for i in range(len(mask)) if alpha[i] != 0 and not mask[i]]
    check(not wrong, len(wrong), "pixels outside the selection on the new layer, first", wrong[:1])
    covered = sum(1 for a in alpha if a)
    check(covered > 0, "the new layer is empty")
    box = layer.bounds()
    check(
        box.x() >= 0
        and box.y() >= 0
        and box.right() < picture.width
        and box.bottom() < picture.height,
        "the new layer reaches beyond the canvas:",
        box,
    )
    changed = differing(before, after, len(mask))
    check(changed, "nothing changed")
    wrong = [i for i in changed if not mask[i]]
    check(not wrong, len(wrong), "pixels outside the selection changed, first", wrong[:1])
    yield 50
    check(doc.activeNode().uniqueId() == node.uniqueId(), "active is", doc.activeNode().name())
    yield from undo()
    yield from becomes(
        lambda: alike(picture.seen(), before, space), "undo did not bring the picture back"
    )
    check(picture.own(node) == own, "undo changed the layer")
    check(layers(doc.rootNode()) == tree, "undo left", layers(doc.rootNode()))
    check(undo_name() == undoable, "more than one undo step:", undo_name())
    yield from redo()
    yield from becomes(
        lambda: alike(picture.seen(), after, space), "redo did not bring the fill back"
    )
    layer = doc.nodeByUniqueID(layer.uniqueId())
    again = bytes(layer.pixelData(0, 0, picture.width, picture.height))
    check(again == pixels, "redo brought another fill back")
    return before, after, pixels


def filled_in_place(picture):
    doc = picture.doc
    mask, node = picture.selected(), doc.activeNode()
    before, own, tree, undoable = (
        picture.seen(),
        picture.own(node),
        layers(doc.rootNode()),
        undo_name(),
    )
    layer = node.uniqueId()
    yield from run()
    after, node = picture.seen(), doc.activeNode()
    wide = picture.width + 80
    changed = differing(own, picture.own(node), wide * (picture.height + 80))
    check(changed, "nothing changed")
    for i in changed:
        x, y = i % wide - 40, i // wide - 40
        check(
            0 <= x < picture.width and 0 <= y < picture.height and mask[y * picture.width + x],
            "the pixel",
            x,
            y,
            "outside the selection changed",
        )
    check(layers(doc.rootNode()) == tree, "the layers are", layers(doc.rootNode()))
    yield from undo(2)
    yield from becomes(
        lambda: alike(picture.seen(), before, picture.space),
        "two undos did not bring the picture back",
    )
    check(picture.own(doc.nodeByUniqueID(layer)) == own, "two undos did not bring the layer back")
    check(layers(doc.rootNode()) == tree, "two undos left", layers(doc.rootNode()))
    check(undo_name() == undoable, "more than two undo steps:", undo_name())
    yield from redo(2)
    yield from becomes(
        lambda: alike(picture.seen(), after, picture.space), "two redos did not bring the fill back"
    )
    return before, after, None


def becomes(test, *words):
    """Waits a little for what Krita does in the background."""
    until = time.monotonic() + 20.0
    yield lambda: test() or time.monotonic() > until
    check(test(), *words)


def refused(word, action="mend_inpaint_again", doc=None):
    """The action gives a message with `word` in it, and nothing changes."""
    picture = None
    if doc:
        doc.refreshProjection()
        doc.waitForDone()
        picture = (
            bytes(doc.pixelData(0, 0, doc.width(), doc.height())),
            layers(doc.rootNode()),
            undo_name(),
        )
    APP.action(action).trigger()
    yield idle
    yield 60
    boxes = shown("mend_inpaint_message")
    check(len(boxes) == 1, len(boxes), "messages;", len(shown("mend_inpaint_dialog")), "dialogs")
    text = boxes[0].text()
    boxes[0].close()
    yield 30
    check(word.lower() in text.lower(), "the message is:", text)
    if doc:
        now = (
            bytes(doc.pixelData(0, 0, doc.width(), doc.height())),
            layers(doc.rootNode()),
            undo_name(),
        )
        check(now == picture, "something changed")


def photograph(widget, name):
    widget.repaint()
    yield 100
    check(widget.grab().save(os.path.join(OUT, name)), "no picture of the dialog")


def fits(box, *words):
    """The dialog is no higher than a small laptop's screen, and its buttons are on it."""
    from_top = box.frameGeometry().height()
    check(from_top <= 600, *words, "the dialog is", from_top, "pixels high")
    for button in box.findChild(QDialogButtonBox).buttons():
        bottom = button.mapTo(box, QPoint(0, button.height())).y()
        check(button.isVisible() and bottom <= box.height(), *words, button.text(), "is cut off")
