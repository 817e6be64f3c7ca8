# SPDX-License-Identifier: MIT OR Apache-2.0
"""The Krita plug-in under a user's hands: run inside a real Krita by krita_driver.py.

Every case triggers the plug-in's own actions and looks at pixels, layers, the undo history and the
messages. One line a case; the exit code is 1 if any failed.
"""

import array
import os
import shutil
import sys
import time

from krita import Krita, Selection

try:
    from PyQt5.QtCore import QByteArray, QTimer
    from PyQt5.QtWidgets import QApplication, QPushButton
except ImportError:
    from PyQt6.QtCore import QByteArray, QTimer
    from PyQt6.QtWidgets import QApplication, QPushButton

OUT = os.environ["MEND_TEST_OUT"]
ONLY = os.environ.get("MEND_TEST_ONLY", "")
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
    return not plugin()._busy


def remember(result="layer", source="own", **values):
    import json

    text = json.dumps({"values": values, "result": result, "source": source})
    APP.writeSetting("mend_inpaint", "last", text)


def undo_name():
    action = APP.action("edit_undo")
    return action.text() if action.isEnabled() else ""


def layers(node):
    """The tree as far as undo must bring it back."""
    return [
        (n.name(), n.type(), n.opacity(), n.blendingMode(), n.locked(), layers(n))
        for n in node.childNodes() if n.type() != "selectionmask"
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
    """A document in a window: the left half flat with a red square on it, the right half texture."""

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
                -margin, -margin, self.width + 2 * margin, self.height + 2 * margin)
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
    return [i for i in range(pixels) if a[i * size : i * size + size] != b[i * size : i * size + size]]


def alike(a, b, space):
    """The same picture. Krita's blending of floats differs in the last bits from run to run."""
    if a == b or space[1] != "F32":
        return a == b
    a, b = array.array("f", a), array.array("f", b)
    return len(a) == len(b) and all(abs(p - q) <= 2e-6 * max(1, abs(p)) for p, q in zip(a, b))


def srgb(data, width, height, space):
    convert = plugin()._colours.convert
    space_of = module("krita_job").Space
    return convert(data, width, height, space_of(*space), space_of(*SRGB))


# --- Steps ---------------------------------------------------------------------------------------


def run(action="mend_inpaint_again"):
    APP.action(action).trigger()
    yield idle
    yield 80
    check(not shown("mend_inpaint_message"), "a message:", *[
        b.text() for b in shown("mend_inpaint_message")])


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
    before, own, tree, undoable = picture.seen(), picture.own(node), layers(doc.rootNode()), undo_name()
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
    check(0 <= box.x() and 0 <= box.y() and box.right() < picture.width
          and box.bottom() < picture.height, "the new layer reaches beyond the canvas:", box)
    changed = differing(before, after, len(mask))
    check(changed, "nothing changed")
    wrong = [i for i in changed if not mask[i]]
    check(not wrong, len(wrong), "pixels outside the selection changed, first", wrong[:1])
    yield 50
    check(doc.activeNode().uniqueId() == node.uniqueId(), "active is", doc.activeNode().name())
    yield from undo()
    yield from becomes(lambda: alike(picture.seen(), before, space),
                       "undo did not bring the picture back")
    check(picture.own(node) == own, "undo changed the layer")
    check(layers(doc.rootNode()) == tree, "undo left", layers(doc.rootNode()))
    check(undo_name() == undoable, "more than one undo step:", undo_name())
    yield from redo()
    yield from becomes(lambda: alike(picture.seen(), after, space),
                       "redo did not bring the fill back")
    layer = doc.nodeByUniqueID(layer.uniqueId())
    again = bytes(layer.pixelData(0, 0, picture.width, picture.height))
    check(again == pixels, "redo brought another fill back")
    return before, after, pixels


def filled_in_place(picture):
    doc = picture.doc
    mask, node = picture.selected(), doc.activeNode()
    before, own, tree, undoable = picture.seen(), picture.own(node), layers(doc.rootNode()), undo_name()
    layer = node.uniqueId()
    yield from run()
    after, node = picture.seen(), doc.activeNode()
    wide = picture.width + 80
    changed = differing(own, picture.own(node), wide * (picture.height + 80))
    check(changed, "nothing changed")
    for i in changed:
        x, y = i % wide - 40, i // wide - 40
        check(0 <= x < picture.width and 0 <= y < picture.height and mask[y * picture.width + x],
              "the pixel", x, y, "outside the selection changed")
    check(layers(doc.rootNode()) == tree, "the layers are", layers(doc.rootNode()))
    yield from undo(2)
    yield from becomes(lambda: alike(picture.seen(), before, picture.space),
                       "two undos did not bring the picture back")
    check(picture.own(doc.nodeByUniqueID(layer)) == own, "two undos did not bring the layer back")
    check(layers(doc.rootNode()) == tree, "two undos left", layers(doc.rootNode()))
    check(undo_name() == undoable, "more than two undo steps:", undo_name())
    yield from redo(2)
    yield from becomes(lambda: alike(picture.seen(), after, picture.space),
                       "two redos did not bring the fill back")
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
        picture = (bytes(doc.pixelData(0, 0, doc.width(), doc.height())), layers(doc.rootNode()),
                   undo_name())
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
        now = (bytes(doc.pixelData(0, 0, doc.width(), doc.height())), layers(doc.rootNode()),
               undo_name())
        check(now == picture, "something changed")


# --- Cases ---------------------------------------------------------------------------------------


def profiles(model, depth):
    """The profiles to try: what Krita takes by itself, and a linear one."""
    names = {
        "RGBA": ["sRGB-elle-V2-srgbtrc.icc", "sRGB-elle-V2-g10.icc"],
        "GRAYA": ["Gray-D50-elle-V2-srgbtrc.icc", "Gray-D50-elle-V2-g10.icc"],
    }.get(model)
    have = APP.profiles(model, depth)
    return names or [p for p in have if "V4" not in p and "1886" not in p][:2]


MATRIX = [
    (model, depth)
    for model in ("RGBA", "GRAYA", "CMYKA", "LABA", "XYZA", "YCbCrA")
    for depth in ("U8", "U16", "F16", "F32")
]


def matrix_case(space, result):
    picture = Picture(space=space)
    yield from picture.open()
    picture.select(*HOLES)
    remember(result)
    filling = filled_layer if result == "layer" else filled_in_place
    before, after, _ = yield from filling(picture)
    # Colours: the square is gone and the flat colour goes on.
    seen = srgb(after, W, H, space)
    around = srgb(before, W, H, space)[(10 * W + 10) * 4 :][:4]
    worst = 0
    for y in range(84, 136):
        for x in range(44, 96):
            pixel = seen[(y * W + x) * 4 :][:4]
            worst = max(worst, max(abs(p - q) for p, q in zip(pixel, around)))
    most = 4 if space[0] in ("CMYKA", "YCbCrA") else 2
    check(worst <= most, "the flat colour is off by", worst, "of 255")
    yield from picture.close()


def soft_case(result):
    picture = Picture()
    yield from picture.open()
    picture.select((40, 80, 60, 60), (220, 60, 60, 60), feather=8)
    mask = picture.selected()
    check(len(set(mask)) > 20, "the selection is not soft")
    remember(result)
    filling = filled_layer if result == "layer" else filled_in_place
    _, after, _ = yield from filling(picture)
    yield from picture.close()
    return after


def soft_both():
    """A layer above and a change in place look the same."""
    above = yield from soft_case("layer")
    inside = yield from soft_case("in-place")
    off = max(abs(a - b) for a, b in zip(above, inside))
    check(off <= 2, "they differ by", off)


def grown():
    """Growing the selection fills beyond it, by so many pixels and no more."""
    picture = Picture()
    yield from picture.open()
    picture.select((60, 100, 20, 20))
    remember("layer", grow=8)
    before = picture.seen()
    yield from run()
    layer = picture.doc.rootNode().childNodes()[1]
    alpha = alphas(bytes(layer.pixelData(0, 0, W, H)), SRGB)
    xs = [i % W for i in range(W * H) if alpha[i]]
    ys = [i // W for i in range(W * H) if alpha[i]]
    check((min(xs), max(xs), min(ys), max(ys)) == (52, 87, 92, 127), min(xs), max(xs), min(ys), max(ys))
    yield from undo()
    yield from becomes(lambda: picture.seen() == before, "undo did not bring the picture back")
    yield from picture.close()


def off_canvas():
    picture = Picture(pixels=noise(W, H))
    yield from picture.open()
    for box in ((-30, -20, 60, 50), (W - 25, H - 30, 80, 90), (100, -10, 20, H + 20)):
        picture.select(box)
        for result, filling in (("layer", filled_layer), ("in-place", filled_in_place)):
            remember(result)
            yield from filling(picture)
            yield from undo(1 if result == "layer" else 2)
    yield from picture.close()


def beyond_canvas():
    """A layer larger than the canvas keeps what lies beyond."""
    picture = Picture(pixels=noise(W, H))
    yield from picture.open()
    picture.node.setPixelData(QByteArray(bytes((9, 200, 90, 255)) * 3200), -30, -30, 80, 40)
    picture.select((0, 0, 60, 60))
    for result, filling in (("layer", filled_layer), ("in-place", filled_in_place)):
        remember(result)
        yield from filling(picture)
        yield from undo(1 if result == "layer" else 2)
    yield from picture.close()


def small_layer(result):
    """A layer smaller than the canvas and moved; the selection reaches beyond it."""
    picture = Picture()
    yield from picture.open()
    doc = picture.doc
    small = doc.createNode("small", "paintlayer")
    small.setPixelData(QByteArray(photo(160, 120)), 0, 0, 160, 120)
    doc.rootNode().addChildNode(small, picture.node)
    small.move(70, 55)
    doc.refreshProjection()
    doc.waitForDone()
    yield from picture.activate(small)
    picture.select((190, 120, 70, 40))
    remember(result)
    yield from (filled_layer if result == "layer" else filled_in_place)(picture)
    yield from picture.close()


def in_group(result):
    picture = Picture()
    yield from picture.open()
    doc = picture.doc
    group = doc.createGroupLayer("group")
    doc.rootNode().addChildNode(group, picture.node)
    yield 50
    inner = doc.createNode("inner", "paintlayer")
    inner.setPixelData(QByteArray(photo(W, H)), 0, 0, W, H)
    group.addChildNode(inner, None)
    yield 50
    top = doc.createNode("top", "paintlayer")
    group.addChildNode(top, inner)
    doc.waitForDone()
    yield from picture.activate(inner)
    picture.select(*HOLES)
    remember(result)
    yield from (filled_layer if result == "layer" else filled_in_place)(picture)
    names = [n.name() for n in group.childNodes()]
    check(names == (["inner", "Inpaint", "top"] if result == "layer" else ["inner", "top"]), names)
    yield from picture.close()


def masked_layer():
    """A layer with a transparency mask and half opacity, in place: mask and opacity stay."""
    picture = Picture()
    yield from picture.open()
    picture.node.setOpacity(128)
    APP.action("add_new_transparency_mask").trigger()
    yield 200
    check([n.type() for n in picture.node.childNodes()] == ["transparencymask"], "no mask was made")
    yield from picture.activate(picture.node)
    picture.select(*HOLES)
    remember("in-place")
    yield from filled_in_place(picture)
    node = picture.doc.activeNode()
    check([n.type() for n in node.childNodes()] == ["transparencymask"], "the mask is gone")
    yield from picture.close()


def animated(result):
    """An animated layer: in place only the current frame changes."""
    picture = Picture()
    yield from picture.open()
    picture.node.enableAnimation()
    picture.doc.setFullClipRangeEndTime(20)
    picture.doc.setCurrentTime(5)
    yield 200
    APP.action("add_duplicate_frame").trigger()
    yield 300
    node = picture.node
    check(node.hasKeyframeAtTime(5) and node.hasKeyframeAtTime(0), "no second frame was made")
    first = bytes(node.pixelDataAtTime(0, 0, W, H, 0))
    check(first == picture.pixels_now(), "the frames differ")
    picture.select(*HOLES)
    remember(result)
    yield from (filled_layer if result == "layer" else filled_in_place)(picture)
    node = picture.doc.rootNode().childNodes()[0]
    check(bytes(node.pixelDataAtTime(0, 0, W, H, 0)) == first, "the first frame changed")
    if result == "in-place":
        check(bytes(node.pixelDataAtTime(0, 0, W, H, 5)) != first, "the second frame did not")
    yield from picture.close()


def archive():
    """Krita's own importer takes the archive of 'mend install krita --zip', all of it."""
    import filecmp
    import tempfile

    from plugin_importer.plugin_importer import PluginImporter

    with tempfile.TemporaryDirectory() as folder:
        importer = PluginImporter(os.path.join(OUT, "mend.zip"), folder, lambda plugin: False)
        imported = importer.import_all()
        check([p["name"] for p in imported] == ["mend_inpaint"], imported)
        installed = os.path.join(os.environ["XDG_DATA_HOME"], "krita")
        files = ["actions/mend_inpaint.action", "pykrita/mend_inpaint.desktop"] + [
            "pykrita/mend_inpaint/" + name
            for name in os.listdir(os.path.join(installed, "pykrita", "mend_inpaint"))
            if name not in ("__pycache__", "installed.txt")
        ]
        check(len(files) > 12 and "pykrita/mend_inpaint/libmend.so" in files, files)
        _, differ, missing = filecmp.cmpfiles(installed, folder, files, False)
        check(not differ and not missing, "differ:", differ, "missing:", missing)
    yield 0


def see_through(result):
    """Holes in transparency: an empty part is filled, and half opaque pixels in place exactly."""
    picture = Picture()
    yield from picture.open()
    picture.node.setPixelData(QByteArray(bytes(40 * 40 * 4)), 50, 90, 40, 40)
    picture.node.setPixelData(QByteArray(bytes((10, 10, 10, 90)) * 900), 230, 60, 30, 30)
    picture.select((44, 84, 52, 52), (226, 56, 38, 38))
    remember(result)
    _, after, _ = yield from (filled_layer if result == "layer" else filled_in_place)(picture)
    alpha = alphas(after, SRGB)
    check(alpha[110 * W + 70] == 255, "the empty part has alpha", alpha[110 * W + 70])
    pixel = after[(110 * W + 70) * 4 :][:4]
    check(max(abs(p - q) for p, q in zip(pixel, FLAT)) <= 2, "and is", tuple(pixel))
    if result == "in-place":
        check(alpha[75 * W + 245] == 255, "the half opaque part has alpha", alpha[75 * W + 245])
    yield from picture.close()


def other_space(result):
    """A layer whose colour space is not the document's."""
    picture = Picture()
    yield from picture.open()
    doc = picture.doc
    other = doc.createNode("other", "paintlayer")
    other.setPixelData(QByteArray(photo(W, H)), 0, 0, W, H)
    doc.rootNode().addChildNode(other, picture.node)
    other.setColorSpace("LABA", "U16", APP.profiles("LABA", "U16")[0])
    doc.waitForDone()
    yield from picture.activate(other)
    picture.select(*HOLES)
    remember(result)
    _, after, _ = yield from (filled_layer if result == "layer" else filled_in_place)(picture)
    pixel = after[(110 * W + 70) * 4 :][:4]
    check(max(abs(p - q) for p, q in zip(pixel, FLAT)) <= 3, "the fill is", tuple(pixel))
    yield from picture.close()


def all_visible():
    """Filling from all visible layers, with a group as the active layer."""
    picture = Picture()
    yield from picture.open()
    doc = picture.doc
    patch = doc.createNode("patch", "paintlayer")
    patch.setPixelData(QByteArray(bytes((0, 0, 0, 255)) * 400), 60, 30, 20, 20)
    group = doc.createGroupLayer("group")
    doc.rootNode().addChildNode(group, picture.node)
    yield 50
    group.addChildNode(patch, None)
    doc.waitForDone()
    yield from picture.activate(group)
    picture.select((54, 24, 32, 32), (44, 84, 52, 52))
    remember("layer", "visible")
    before = picture.seen()
    yield from run()
    after = picture.seen()
    names = [n.name() for n in doc.rootNode().childNodes() if n.type() != "selectionmask"]
    check(names == ["Background", "group", "Inpaint"], names)
    for x, y in ((70, 40), (70, 110)):
        pixel = after[(y * W + x) * 4 :][:4]
        check(max(abs(p - q) for p, q in zip(pixel, FLAT)) <= 2, x, y, "is", tuple(pixel))
    yield 100
    check(doc.activeNode().name() == "Inpaint", "active is", doc.activeNode().name())
    yield from undo()
    yield from becomes(lambda: picture.seen() == before, "undo did not bring the picture back")
    yield from picture.close()


def own_selection():
    """A selection that belongs to the layer, where the document has none."""
    picture = Picture()
    yield from picture.open()
    picture.select(*HOLES)
    APP.action("add_new_selection_mask").trigger()
    yield 200
    picture.doc.setSelection(None)
    picture.doc.waitForDone()
    masks = [n for n in picture.node.childNodes() if n.type() == "selectionmask"]
    check(masks, "no local selection was made")
    yield from picture.activate(picture.node)
    before = picture.seen()
    remember("layer")
    yield from run()
    changed = differing(before, picture.seen(), W * H)
    check(changed, "nothing changed")
    for i in changed:
        x, y = i % W, i // W
        check(any(a <= x < a + w and b <= y < b + h for a, b, w, h in HOLES), x, y, "changed")
    yield from picture.close()


def same_again():
    """The same fill twice gives the same bytes, a second seed may not."""
    picture = Picture()
    yield from picture.open()
    picture.select((200, 60, 60, 60))
    pictures = []
    for _ in range(2):
        remember("layer", seed=5)
        yield from run()
        pictures.append(picture.seen())
        yield from undo()
    check(pictures[0] == pictures[1], "two fills with one seed differ")
    yield from picture.close()


def refusals():
    picture = Picture()
    yield from picture.open()
    doc, root = picture.doc, picture.doc.rootNode()
    remember("layer")
    yield from refused("Nothing is selected", doc=doc)
    yield from refused("Nothing is selected", "mend_inpaint", doc)
    doc.setSelection(Selection())
    yield from refused("Nothing is selected", doc=doc)
    picture.select((-90, -90, 40, 40))
    yield from refused("outside the canvas", doc=doc)
    picture.select((0, 0, W, H))
    yield from refused("whole", doc=doc)
    picture.select((10, 10, 40, 40))
    picture.node.setLocked(True)
    yield from refused("locked", doc=doc)
    picture.node.setLocked(False)
    picture.node.setVisible(False)
    doc.waitForDone()
    yield from refused("hidden", doc=doc)
    picture.node.setVisible(True)
    group = doc.createGroupLayer("the group")
    root.addChildNode(group, picture.node)
    yield 50
    inner = doc.createNode("inner", "paintlayer")
    group.addChildNode(inner, None)
    yield from picture.activate(group)
    yield from refused("is a group", doc=doc)
    yield from picture.activate(inner)
    yield from refused("nothing to fill from", doc=doc)
    group.setLocked(True)
    yield from refused("locked", doc=doc)
    group.setLocked(False)
    group.setVisible(False)
    doc.waitForDone()
    yield from refused("hidden", doc=doc)
    remember("layer", "visible")
    yield from refused("hidden", doc=doc)
    group.setVisible(True)
    remember("layer")
    vector = doc.createVectorLayer("vectors")
    root.addChildNode(vector, group)
    yield from picture.activate(vector)
    yield from refused("is a vector layer", doc=doc)
    clone = doc.createCloneLayer("clone", picture.node)
    root.addChildNode(clone, vector)
    yield from picture.activate(clone)
    yield from refused("is a clone layer", doc=doc)
    from krita import InfoObject

    fill = doc.createFillLayer("fill", "color", InfoObject(), Selection())
    root.addChildNode(fill, clone)
    yield from picture.activate(fill)
    yield from refused("is a fill layer", doc=doc)
    mask = doc.createTransparencyMask("mask") if hasattr(doc, "createTransparencyMask") else None
    if mask:
        picture.node.addChildNode(mask, None)
        yield from picture.activate(mask)
        yield from refused("mask", doc=doc)
    # In place where transparency is locked and would have to change.
    yield from picture.activate(inner)
    inner.setPixelData(QByteArray(photo(W, H)), 0, 0, W, H)
    inner.setPixelData(QByteArray(bytes(400)), 20, 20, 10, 10)
    inner.setAlphaLocked(True)
    remember("in-place")
    yield from refused("transparency", doc=doc)
    yield from picture.close()


def no_document():
    yield from refused("There is no picture", "mend_inpaint")
    yield from refused("There is no picture")


def bad_libraries():
    """No library, one of another ABI, something else: a message when used, and nothing changes."""
    picture = Picture()
    yield from picture.open()
    picture.select(*HOLES)
    remember("layer")
    extension = plugin()
    folder = os.path.dirname(module("native").__file__)
    library, aside = os.path.join(folder, "libmend.so"), os.path.join(OUT, "aside")
    kept, extension._mend = extension._mend, None
    shutil.move(library, aside)
    try:
        yield from refused("is missing", doc=picture.doc)
        yield from refused("is missing", "mend_inpaint", picture.doc)
    finally:
        shutil.move(aside, library)
    # The system would give the library that is loaded already for a file of the same name.
    text = os.path.join(OUT, "text.so")
    with open(text, "w") as file:
        file.write("this is no library")
    try:
        for path, word in (
            ("/nowhere/libmend.so", "no such file"), (text, "cannot be loaded"),
            (os.path.join(OUT, "libother.so"), "has version"),
        ):
            os.environ["MEND_LIBRARY"] = path
            yield from refused(word, doc=picture.doc)
    finally:
        del os.environ["MEND_LIBRARY"]
    check(APP.action("mend_inpaint").isEnabled(), "the menu entry is off")
    yield from filled_layer(picture)
    check(extension._mend is not None and kept is not extension._mend, "not loaded again")
    yield from picture.close()


def menu():
    """Both actions are under Tools, Scripts, with shortcuts that nothing else has."""
    shortcuts = {}
    for action in APP.actions():
        for shortcut in action.shortcuts():
            shortcuts.setdefault(shortcut.toString(), set()).add(action.objectName())
    for name, key in (("mend_inpaint", "Shift+F5"), ("mend_inpaint_again", "Ctrl+F5")):
        check(shortcuts.get(key) == {name}, key, "belongs to", shortcuts.get(key))
        found = [
            m for m in APP.activeWindow().qwindow().findChildren(type(
                APP.activeWindow().qwindow().menuBar().actions()[0].menu()))
            if any(a.objectName() == name for a in m.actions())
        ]
        titles = [m.title().replace("&", "") for m in found]
        check("Scripts" in titles, name, "is in the menus", titles)
    yield 0


def dialog():
    """Opens, shows the plan and what each choice means, remembers, fills."""
    picture = Picture(1200, 900)
    yield from picture.open()
    picture.select((700, 300, 240, 180))
    APP.writeSetting("mend_inpaint", "last", "")
    APP.action("mend_inpaint").trigger()
    yield lambda: shown("mend_inpaint_dialog")
    box = plugin()._dialog
    yield 400
    yield from photograph(box, "krita-dialog.png")
    text = box._planned.text()
    check("region" in text and "memory" in text, "the plan says", text)
    check(box._start.isEnabled(), "it cannot be started")
    check("One Undo" in box._undo.text(), box._undo.text())
    box._result.set("in-place")
    check("two Undo" in box._undo.text(), box._undo.text())
    box._source.set("visible")
    check(box.options().result == "layer", "in place with all visible layers")
    box._source.set("own")
    box._inputs["grow"].set(7)
    box._inputs["context"].set("120%")
    box._inputs["seed"].set(4000000000)
    before = text
    yield 500
    check(box._planned.text() != before, "the plan did not follow:", before)
    wanted = box.options()
    check(wanted.values["context"] == "120%" and wanted.values["grow"] == 7
          and wanted.values["seed"] == 4000000000, wanted)
    pixels = picture.seen()
    box._start.click()
    yield idle
    yield 100
    check(plugin()._dialog is None, "the dialog is still open")
    check(picture.seen() != pixels, "nothing was filled")
    APP.action("mend_inpaint").trigger()
    yield lambda: shown("mend_inpaint_dialog")
    box = plugin()._dialog
    check(box.options() == wanted, "remembered were", box.options())
    box.reject()
    yield 100
    check(plugin()._dialog is None, "the dialog is still open")
    count = len(layers(picture.doc.rootNode()))
    yield 300
    check(len(layers(picture.doc.rootNode())) == count and idle(), "Cancel filled")
    # On a group it opens too, says why not, and fills from all layers.
    group = picture.doc.createGroupLayer("group")
    picture.doc.rootNode().addChildNode(group, None)
    yield from picture.activate(group)
    APP.writeSetting("mend_inpaint", "last", "not { json")
    APP.action("mend_inpaint").trigger()
    yield lambda: shown("mend_inpaint_dialog")
    box = plugin()._dialog
    yield 300
    check(not box._start.isEnabled() and "is a group" in box._planned.text(), box._planned.text())
    box._source.set("visible")
    yield 300
    check(box._start.isEnabled(), box._planned.text())
    box.reject()
    yield from picture.close()


def photograph(widget, name):
    widget.repaint()
    yield 100
    check(widget.grab().save(os.path.join(OUT, name)), "no picture of the dialog")


def noise(width, height):
    """Much texture for little time: a fill that takes a while."""
    import random

    block = random.Random(7).getrandbits(8 * width * 256).to_bytes(width * 256, "little")
    data = bytearray((block * (height // 64 + 1))[: width * height * 4])
    data[3::4] = b"\xff" * (width * height)
    return bytes(data)


def cancelled():
    """Cancel in the middle: nothing changes, Krita lives, the next fill works."""
    picture = Picture(1600, 1600, pixels=noise(1600, 1600))
    yield from picture.open()
    picture.select((150, 150, 1300, 1300))
    for result in ("layer", "in-place"):
        remember(result)
        before, tree, name = picture.seen(), layers(picture.doc.rootNode()), undo_name()
        APP.action("mend_inpaint_again").trigger()
        check(not idle(), "the fill was over at once")
        yield lambda: plugin()._fill is not None and plugin()._fill._run.share > 0.01
        APP.action("mend_inpaint_again").trigger()  # a second one meanwhile
        yield 50
        boxes = shown("mend_inpaint_message")
        check(boxes and "is running" in boxes[0].text(), "a second fill started")
        boxes[0].close()
        yield lambda: shown("mend_inpaint_progress")
        if result == "layer":
            yield from photograph(shown("mend_inpaint_progress")[0], "krita-progress.png")
        began = time.monotonic()
        shown("mend_inpaint_progress")[0].findChild(QPushButton).click()
        yield idle
        took = time.monotonic() - began
        check(took < 1.0, "it took %.1f s to stop" % took)
        yield 100
        check(not shown("mend_inpaint_message") and not shown("mend_inpaint_progress"), "windows left")
        check(picture.seen() == before, "the picture changed")
        check(layers(picture.doc.rootNode()) == tree and undo_name() == name, "the layers changed")
    picture.select((100, 100, 30, 30))
    remember("layer")
    yield from run()
    check(picture.seen() != before, "the next fill did nothing")
    yield from picture.close()


def responsive():
    """Krita's own event loop turns while the library works."""
    picture = Picture(1200, 1200, pixels=noise(1200, 1200))
    yield from picture.open()
    picture.select((200, 200, 700, 700))
    remember("layer")
    ticks = []
    timer = QTimer()
    timer.timeout.connect(lambda: ticks.append(time.monotonic()))
    APP.action("mend_inpaint_again").trigger()
    thread = plugin()._fill._run
    timer.start(10)
    yield lambda: not thread.is_alive()
    timer.stop()
    yield idle
    gaps = [b - a for a, b in zip(ticks, ticks[1:])]
    seconds = thread.reports[0]["seconds"]
    check(seconds > 0.3, "the fill took only", seconds)
    check(max(gaps) < 0.3, "Krita stood still for %.2f s" % max(gaps))
    check(len(ticks) > 15 * seconds, len(ticks), "ticks in", seconds, "s")
    yield from picture.close()


def large(depth):
    """Twelve megapixels, a small hole: the library's own time and at most 1.5 s more."""
    width, height = 4000, 3000
    picture = Picture(width, height, ("RGBA", depth, SRGB[2]), noise(width, height))
    yield from picture.open()
    picture.select((1900, 1400, 100, 80))
    yield 1500  # Krita draws its thumbnails
    took = []
    for result in ("layer", "in-place"):
        remember(result)
        times = []
        for _ in range(3):  # the best of three: the machine may be busy with something else
            began = time.monotonic()
            APP.action("mend_inpaint_again").trigger()
            fill = plugin()._fill
            yield idle
            whole = time.monotonic() - began
            boxes = shown("mend_inpaint_message")
            check(not boxes, *[b.text() for b in boxes])
            library = sum(r["seconds"] for r in fill._run.reports)
            times.append((whole - library, whole, library))
            yield 300
        over, whole, library = min(times)
        took.append("%s %.2f s, library %.2f s" % (result, whole, library))
        check(over <= 1.5, took[-1])
    yield from picture.close()
    return "; ".join(took)


def gone_meanwhile(what):
    """The layer or the document goes away while the fill runs: a message, and Krita lives."""
    picture = Picture(1200, 1200, pixels=noise(1200, 1200))
    yield from picture.open()
    picture.select((200, 200, 700, 700))
    remember("layer")
    yield 300
    APP.action("mend_inpaint_again").trigger()
    check(not idle(), "the fill was over at once")
    if what == "layer":
        picture.node.remove()
    else:
        picture.doc.setModified(False)
        APP.action("file_close").trigger()
    yield idle
    yield 100
    boxes = shown("mend_inpaint_message")
    check(boxes and "while the fill ran" in boxes[0].text(), "no message")
    boxes[0].close()
    if what == "layer":
        names = [n.type() for n in picture.doc.rootNode().childNodes()]
        check("paintlayer" not in names, "a layer was added")
        yield from picture.close()
    yield 50


def cases():
    yield "no document", no_document
    yield "menu and shortcuts", menu
    yield "archive for Krita's importer", archive
    yield "dialog", dialog
    for model, depth in MATRIX:
        if depth not in APP.colorDepths(model):
            continue
        for profile in profiles(model, depth):
            for result in ("layer", "in-place"):
                space = (model, depth, profile)
                yield "%s %s %s, %s" % (space + (result,)), lambda s=space, r=result: matrix_case(s, r)
    yield "soft selection, both ways alike", soft_both
    yield "grow", grown
    yield "selection partly off the canvas", off_canvas
    yield "layer larger than the canvas", beyond_canvas
    for result in ("layer", "in-place"):
        yield "small moved layer, " + result, lambda r=result: small_layer(r)
        yield "in a group, " + result, lambda r=result: in_group(r)
        yield "transparency, " + result, lambda r=result: see_through(r)
        yield "layer of another colour space, " + result, lambda r=result: other_space(r)
        yield "animated layer, " + result, lambda r=result: animated(r)
    yield "mask and opacity, in place", masked_layer
    yield "all visible layers", all_visible
    yield "the layer's own selection", own_selection
    yield "the same fill again", same_again
    yield "refusals", refusals
    yield "library missing or wrong", bad_libraries
    yield "cancel", cancelled
    yield "Krita stays responsive", responsive
    yield "layer removed meanwhile", lambda: gone_meanwhile("layer")
    yield "document closed meanwhile", lambda: gone_meanwhile("document")
    yield "12 megapixels U8", lambda: large("U8")
    yield "12 megapixels F32", lambda: large("F32")


def main(say):
    say("Krita", APP.version())
    failed = 0
    for name, case in cases():
        if ONLY and not any(part in name for part in ONLY.split("|")):
            continue
        began = time.monotonic()
        note = ""
        try:
            note = (yield from case()) or ""
            verdict = "ok  "
        except (Failed, TimeoutError) as error:
            verdict, note, failed = "FAIL", str(error), failed + 1
        if isinstance(note, bytes):
            note = ""
        say("%s %s (%.1f s)%s" % (verdict, name, time.monotonic() - began, ": " + note if note else ""))
        # Whatever the case left behind.
        for name_left in ("mend_inpaint_message", "mend_inpaint_dialog", "mend_inpaint_progress"):
            for window in shown(name_left):
                window.close()
        fill = plugin()._fill
        if fill is not None:
            fill._run.cancel()
            yield idle
        for document in APP.documents():
            yield from close(document)
    if failed:
        say(failed, "failed")
        return 1
    # Last of all, for there is no window after it: Krita's window is closed while a fill runs. Krita
    # may end by itself then, and its exit status is the verdict.
    picture = Picture(1200, 1200, pixels=noise(1200, 1200))
    yield from picture.open()
    picture.select((200, 200, 700, 700))
    remember("layer")
    yield 300
    raised = []
    sys.excepthook = lambda *error: raised.append(error[1])
    APP.action("mend_inpaint_again").trigger()
    thread = plugin()._fill._run
    picture.doc.setModified(False)
    say("all passed so far; Krita's window is closed while a fill runs")
    APP.activeWindow().qwindow().close()
    yield lambda: idle() and not thread.is_alive()
    yield 300
    if raised or not thread.cancelled or shown("mend_inpaint_message"):
        say("FAIL window closed meanwhile:", raised, thread.error)
        return 1
    return 0
