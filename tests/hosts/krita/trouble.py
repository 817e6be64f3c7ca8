# SPDX-License-Identifier: MIT OR Apache-2.0
"""What is refused, cancelled, taken away meanwhile, or large."""

import os
import shutil
import time

from krita import Selection

try:
    from PyQt5.QtCore import QByteArray, QPoint, Qt, QTimer
    from PyQt5.QtTest import QTest
    from PyQt5.QtWidgets import QPushButton, QWidget
except ImportError:
    from PyQt6.QtCore import QByteArray, QPoint, Qt, QTimer
    from PyQt6.QtTest import QTest
    from PyQt6.QtWidgets import QPushButton, QWidget

from hands import (
    APP,
    HOLES,
    OUT,
    SRGB,
    H,
    Picture,
    W,
    alphas,
    check,
    filled_layer,
    idle,
    layers,
    module,
    noise,
    photo,
    photograph,
    plugin,
    refused,
    remember,
    run,
    running,
    shown,
    undo,
    undo_name,
)


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
    remember("in-place")
    yield from refused("is locked", doc=doc)
    remember("layer")
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
    inner.setPixelData(QByteArray(photo(W, H)), 0, 0, W, H)
    doc.waitForDone()
    group.setLocked(True)
    yield from refused("group", doc=doc)
    remember("layer", "visible")
    yield from refused("group", doc=doc)
    remember("layer")
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


def locked():
    """A locked layer does not change, and so a layer may be put above it."""
    picture = Picture()
    yield from picture.open()
    picture.select(*HOLES)
    picture.node.setLocked(True)
    remember("layer")
    yield from filled_layer(picture)
    yield from picture.close()


def wrong_layer():
    """On an empty layer, or where it has nothing around the selection, the message names it."""
    picture = Picture()
    yield from picture.open()
    doc = picture.doc
    empty = doc.createNode("notes", "paintlayer")
    doc.rootNode().addChildNode(empty, picture.node)
    doc.waitForDone()
    yield from picture.activate(empty)
    picture.select(*HOLES)
    for result in ("layer", "in-place"):
        remember(result)
        yield from refused("active layer is \u201cnotes\u201d", doc=doc)
    # All that it has lies under the selection.
    empty.setPixelData(QByteArray(bytes((9, 9, 9, 255)) * 100), 50, 90, 10, 10)
    doc.waitForDone()
    remember("layer")
    yield from refused("active layer is \u201cnotes\u201d", doc=doc)
    remember("layer", "visible")
    yield from run()
    check("Inpaint" in [n.name() for n in doc.rootNode().childNodes()], "nothing was filled")
    yield from picture.close()


def drag(widget, start, end):
    """The left button pressed, moved and let go."""
    QTest.mousePress(widget, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, start)
    for step in range(1, 6):
        QTest.mouseMove(widget, start + (end - start) * (step / 5))
    QTest.mouseRelease(widget, Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier, end)


def canvas():
    """The widget that the picture is painted on."""
    window = APP.activeWindow().qwindow()
    found = [
        w
        for w in window.findChildren(QWidget)
        if "Canvas" in w.metaObject().className() and w.isVisible() and w.width() > 200
    ]
    check(found, "no canvas was found")
    return min(found, key=lambda w: w.width() * w.height())


def selected_just_now():
    """An action right after the mouse is let go fills what was just selected, and not what was
    selected before."""
    picture = Picture()
    yield from picture.open()
    APP.action("KisToolSelectRectangular").trigger()
    yield 300
    remember("layer")
    board = canvas()
    middle = board.rect().center()
    boxes = []
    for shift in (QPoint(-60, 0), QPoint(60, 20), QPoint(0, -40)):
        drag(board, middle + shift, middle + shift + QPoint(40, 30))
        # In the same turn of the event loop: no user is faster.
        APP.action("mend_inpaint_again").trigger()
        yield idle
        yield 100
        texts = [b.text() for b in shown("mend_inpaint_message")]
        check(not texts, *texts)
        mask = picture.selected()
        layer = picture.doc.rootNode().childNodes()[1]
        alpha = alphas(bytes(layer.pixelData(0, 0, W, H)), SRGB)
        wrong = [i for i in range(W * H) if bool(alpha[i]) != bool(mask[i])]
        check(not wrong, len(wrong), "pixels are not those that were selected")
        boxes.append(sum(map(bool, mask)))
        yield from undo()
    yield from picture.close()
    return "%s pixels" % boxes


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
    folder = os.path.dirname(str(module("native").__file__))
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
            ("/nowhere/libmend.so", "no such file"),
            (text, "cannot be loaded"),
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


def cancelled():
    """Cancel in the middle: nothing changes, Krita lives, the next fill works."""
    pixels = bytearray(noise(1600, 1600))
    for y in range(
        100, 130
    ):  # the noise repeats, and what is taken out of it comes back to the bit
        pixels[(y * 1600 + 100) * 4 : (y * 1600 + 130) * 4] = b"\xff\x00\xff\xff" * 30
    picture = Picture(1600, 1600, pixels=bytes(pixels))
    yield from picture.open()
    picture.select((150, 150, 1300, 1300))
    for result in ("layer", "in-place"):
        remember(result)
        before, tree, name = picture.seen(), layers(picture.doc.rootNode()), undo_name()
        APP.action("mend_inpaint_again").trigger()
        yield lambda: running() and plugin()._fill._run.countdown.reported > 0.01
        APP.action("mend_inpaint_again").trigger()  # a second one meanwhile
        yield 50
        boxes = shown("mend_inpaint_message")
        check(boxes and "is running" in boxes[0].text(), "a second fill started")
        boxes[0].close()
        yield lambda: shown("mend_inpaint_progress")
        if result == "layer":
            yield from photograph(shown("mend_inpaint_progress")[0], "krita-progress.png")
        thread = plugin()._fill._run
        done = thread.countdown.reported
        shown("mend_inpaint_progress")[0].findChild(QPushButton).click()
        yield idle
        check(
            thread.countdown.reported - done < 0.1,
            "it went on from",
            done,
            "to",
            thread.countdown.reported,
        )
        yield 100
        check(
            not shown("mend_inpaint_message") and not shown("mend_inpaint_progress"), "windows left"
        )
        check(picture.seen() == before, "the picture changed")
        check(layers(picture.doc.rootNode()) == tree and undo_name() == name, "the layers changed")
    picture.select((100, 100, 30, 30))
    remember("layer")
    yield from run()
    check(picture.seen() != before, "the next fill did nothing")
    yield from picture.close()


def responsive():
    """Krita's own event loop turns while the library works: it sees the work at many stages."""
    picture = Picture(1200, 1200, pixels=noise(1200, 1200))
    yield from picture.open()
    picture.select((200, 200, 700, 700))
    remember("layer")
    APP.action("mend_inpaint_again").trigger()
    yield running
    thread = plugin()._fill._run
    seen, ticks = [], []
    timer = QTimer()
    timer.timeout.connect(
        lambda: (ticks.append(time.monotonic()), seen.append(thread.countdown.reported))
    )
    timer.start(10)
    yield lambda: not thread.is_alive()
    timer.stop()
    yield idle
    jumps = [b - a for a, b in zip([0.0, *seen], [*seen, 1.0])]
    stages = len(set(seen))
    check(stages >= 4, "the event loop turned at", stages, "stages of the work")
    check(max(jumps) < 0.5, "the event loop stood still for %.2f of the work" % max(jumps))
    yield from picture.close()
    gaps = [b - a for a, b in zip(ticks, ticks[1:])]
    return "%d turns, %d stages, the longest turn %.2f s" % (len(ticks), stages, max(gaps))


def large(depth):
    """Twelve megapixels, a small hole: what is read and written follows the hole, not the
    picture."""
    width, height = 4000, 3000
    picture = Picture(width, height, ("RGBA", depth, SRGB[2]), noise(width, height))
    yield from picture.open()
    picture.select((1900, 1400, 100, 80))
    yield 1500  # Krita draws its thumbnails
    layers_module, read = module("layers"), []
    pixels, mask = layers_module._pixels, layers_module.Target.mask

    def counted(source, rect, pixel_bytes):
        read.append(rect.area)
        return pixels(source, rect, pixel_bytes)

    def counted_mask(self, rect, keep=True):
        read.append(rect.area)
        return mask(self, rect, keep)

    took = []
    layers_module._pixels, layers_module.Target.mask = counted, counted_mask
    try:
        for result in ("layer", "in-place"):
            remember(result)
            del read[:]
            began = time.monotonic()
            APP.action("mend_inpaint_again").trigger()
            yield running
            fill = plugin()._fill
            yield idle
            whole = time.monotonic() - began
            boxes = shown("mend_inpaint_message")
            check(not boxes, *[b.text() for b in boxes])
            window = sum(work.piece.rect.area for work in fill._run.works)
            check(sum(read) < width * height / 4, "read were", read, "of a window of", window)
            library = sum(r["seconds"] for r in fill._run.reports)
            took.append(
                "%s %.2f s, library %.2f s, %.1f windows read"
                % (result, whole, library, sum(read) / window)
            )
            yield 300
    finally:
        layers_module._pixels, layers_module.Target.mask = pixels, mask
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
    yield running
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
