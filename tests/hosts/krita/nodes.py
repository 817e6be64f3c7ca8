# SPDX-License-Identifier: MIT OR Apache-2.0
"""Fills on layers that are moved, grouped, masked, animated; and from all that are visible."""

try:
    from PyQt5.QtCore import QByteArray
except ImportError:
    from PyQt6.QtCore import QByteArray

from hands import (
    APP,
    FLAT,
    HOLES,
    H,
    Picture,
    W,
    becomes,
    check,
    filled_in_place,
    filled_layer,
    noise,
    photo,
    remember,
    run,
    undo,
)


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
