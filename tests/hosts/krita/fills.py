# SPDX-License-Identifier: MIT OR Apache-2.0
"""Fills in every colour space, soft, grown, at the canvas's edge, again."""

try:
    from PyQt5.QtCore import QByteArray
except ImportError:
    from PyQt6.QtCore import QByteArray

from hands import (
    APP,
    FLAT,
    HOLES,
    SRGB,
    H,
    Picture,
    W,
    alphas,
    becomes,
    check,
    differing,
    filled_in_place,
    filled_layer,
    noise,
    photo,
    remember,
    run,
    srgb,
    undo,
)


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
            worst = max(worst, *(abs(p - q) for p, q in zip(pixel, around)))
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
    check(
        (min(xs), max(xs), min(ys), max(ys)) == (52, 87, 92, 127),
        min(xs),
        max(xs),
        min(ys),
        max(ys),
    )
    yield from undo()
    yield from becomes(lambda: picture.seen() == before, "undo did not bring the picture back")
    yield from picture.close()


def one_click():
    """Remove Object takes a rim along, whatever was chosen the last time, and changes nothing of
    that; Fill Quickly fills with the engine that needs no model."""
    picture = Picture()
    yield from picture.open()
    picture.select((60, 100, 20, 20))
    remember("layer", grow=8, feather=2)
    kept = APP.readSetting("mend_inpaint", "last", "")
    before = picture.seen()
    for action, grow in (
        ("mend_remove_object", 4),
        ("mend_fill_quickly", 0),
        ("mend_inpaint_again", 8),
    ):
        yield from run(action)
        layer = picture.doc.rootNode().childNodes()[1]
        alpha = alphas(bytes(layer.pixelData(0, 0, W, H)), SRGB)
        xs = [i % W for i in range(W * H) if alpha[i]]
        check((min(xs), max(xs)) == (60 - grow, 79 + grow), action, "filled", min(xs), max(xs))
        check(APP.readSetting("mend_inpaint", "last", "") == kept, action, "changed the settings")
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
