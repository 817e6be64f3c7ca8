# SPDX-License-Identifier: MIT OR Apache-2.0
"""One fill of a GIMP layer, the same in GIMP 2.10 and 3; imports neither.

What differs between the two versions is an adapter with these members (all rectangles `job.Rect`):

    interactive                 whether a person is looking on
    item                        facts: an Item
    rect                        the layer in canvas coordinates, as it was when the adapter was made
    now()                       the same as it is now; None when the layer is gone
    selection_bounds()          in canvas coordinates, or None when nothing is selected
    selection(rect)             8-bit selection of a rectangle of the canvas
    grown(rect, mask, by)       `mask` over `rect`, its selected part widened as GIMP widens selections
    encoding                    babl's name of the layer's pixel encoding
    read(rect, encoding)        pixels of the layer, in layer coordinates; encoding None: its own
    write(parts, encoding, hole, new_layer, through)
                                `parts`, (rect, bytes) in layer coordinates, shown through the
                                selection, or with `through` through the hole's own mask; in the
                                layer or in a new one; one undo step
    progress(share, text)       share None: only the text
"""

from typing import NamedTuple

import job
import native
from job import Rect

IN_PLACE, NEW_LAYER = "in-place", "new-layer"
OUTPUTS = (
    (IN_PLACE, "Change the layer"),
    (NEW_LAYER, "New layer above it"),
)


# Parameters of the library that these plug-ins set themselves.
OWN = ("result",)


def fields(description):
    """The parameters that a user of GIMP may set."""
    return [field for field in job.fields(description) if field.name not in OWN]


class Refusal(Exception):
    """Nothing was changed; the text says what to do."""


class Item(NamedTuple):
    """What must be known of a drawable before it is filled."""

    name: str
    is_layer: bool  # a layer, and not a channel or a mask
    is_group: bool = False
    is_text: bool = False
    is_floating: bool = False
    content_locked: str = ""  # the name of the item whose lock it is: its own or a group's
    alpha_locked: bool = False
    has_alpha: bool = False


# Encodings that the library reads as they are: nothing is converted and the layer's own colour
# space is kept. "~" is GIMP's perceptual curve, which is an encoding like sRGB's.
_LAYOUTS = {
    "RGB": (native.RGB, True), "RGBA": (native.RGBA, True),
    "R'G'B'": (native.RGB, False), "R'G'B'A": (native.RGBA, False),
    "R~G~B~": (native.RGB, False), "R~G~B~A": (native.RGBA, False),
    "Y": (native.GRAY, True), "YA": (native.GRAYA, True),
    "Y'": (native.GRAY, False), "Y'A": (native.GRAYA, False),
    "Y~": (native.GRAY, False), "Y~A": (native.GRAYA, False),
}
_DEPTHS = {"u8": native.U8, "u16": native.U16, "half": native.F16, "float": native.F32}
# Anything else (32-bit integers, doubles, indexed colours) goes through this, which holds it.
FALLBACK = "R'G'B'A float"


def pixel_format(encoding):
    """The library's format for a babl encoding, or None where it has none."""
    parts = encoding.split(" ")
    if len(parts) != 2 or parts[0] not in _LAYOUTS or parts[1] not in _DEPTHS:
        return None
    layout, linear = _LAYOUTS[parts[0]]
    return layout | _DEPTHS[parts[1]] | (native.LINEAR if linear else 0)


def check_item(item, output):
    """Raises Refusal for a drawable that cannot be filled this way."""
    if output not in dict(OUTPUTS):
        raise Refusal("output cannot be '%s': give in-place or new-layer." % output)
    here = "“%s”" % item.name
    other = "or choose “%s” as the result" % dict(OUTPUTS)[NEW_LAYER]
    if item.is_floating:
        raise Refusal("%s is a floating selection: anchor it or make it a layer first." % here)
    if output == NEW_LAYER:
        if not item.is_layer:
            raise Refusal(
                "%s is a mask or channel, and no layer can lie above it: fill it in place." % here
            )
        return
    if item.is_group:
        raise Refusal("%s is a layer group: select a layer inside it, %s." % (here, other))
    if item.content_locked:
        raise Refusal(
            "The pixels of “%s” are locked: unlock them in the Layers dialog, %s."
            % (item.content_locked, other)
        )
    if item.is_text:
        raise Refusal(
            "%s is a text layer, and a fill would turn it into pixels: choose Layer ▸ Discard Text "
            "Information first, %s." % (here, other)
        )


class Hole(NamedTuple):
    """What is selected of a layer."""

    rect: Rect  # around it, in layer coordinates
    soft: bytes  # 8-bit selection over `rect`, grown if that was asked for
    selected: tuple  # the selection's own (bounds, bytes over the grown `rect`)
    layer: native.Image  # the selection of the whole layer, hard, as the library takes it


def find_hole(host, grow=0):
    """The selected part of the layer, `grow` pixels wider. Raises Refusal when there is none."""
    bounds = host.selection_bounds()
    if bounds is None:
        raise Refusal(
            "Nothing is selected: select what is to be filled, with the Free Select tool say, "
            "then try again."
        )
    layer = host.rect
    near = bounds.grown(grow).intersect(layer)
    if near.empty:
        raise Refusal(
            "The selection does not touch “%s”: select a part of that layer, or select the layer "
            "that has the pixels." % host.item.name
        )
    soft = host.selection(near)
    selected = (bounds, soft)
    if grow:
        # What lies off the layer grows into it, too.
        wide = bounds.intersect(layer.grown(grow)).grown(grow)
        grown = host.grown(wide, host.selection(wide), grow)
        soft = job.cut(grown, wide.width, near.moved(-wide.x, -wide.y))
    mask = job.hard(soft)
    if 255 not in mask:
        raise Refusal(
            "No pixel of “%s” is selected: select a part of that layer, or select the layer that "
            "has the pixels." % host.item.name
        )
    rect = near.moved(-layer.x, -layer.y)
    whole = bytearray(layer.width * layer.height)
    for y in range(rect.height):
        start = (rect.y + y) * layer.width + rect.x
        whole[start : start + rect.width] = mask[y * rect.width : (y + 1) * rect.width]
    return Hole(
        rect, soft, selected, native.Image(whole, layer.width, layer.height, native.GRAY | native.U8)
    )


def rounded(encoding):
    """Whether GIMP's own compositing, in float, rounds pixels of this encoding."""
    return encoding.rpartition(" ")[2] in ("float", "double", "u32")


def bands(rect, row_bytes):
    """`rect` in strips of a few megabytes."""
    rows = max(1, (4 << 20) // max(row_bytes, 1))
    return [
        Rect(rect.x, y, rect.width, min(rows, rect.bottom - y))
        for y in range(rect.y, rect.bottom, rows)
    ]


def kept(before, after, mask, size):
    """The pixels of `after` where `mask` (of 0 and 255) selects, elsewhere those of `before`."""
    wide = bytearray(len(mask) * size)
    for i in range(size):
        wide[i::size] = mask
    # Whole strips as numbers: the fastest that Python has without other libraries.
    select, old, new = (int.from_bytes(b, "little") for b in (wide, before, after))
    return (old ^ ((old ^ new) & select)).to_bytes(len(before), "little")


class Keeper:
    """Gives unselected pixels their bits back after GIMP composited a layer in place.

    `read(rect)` and `write(rect, bytes)` move the layer's own bytes. What GIMP pushed for undo holds
    the box's bits as they were; redo brings back what is there when the user undoes.
    """

    def __init__(self, hole, size, read):
        self.hole, self.size, self.read = hole, size, read
        self.strips = [(band, bytes(read(band))) for band in bands(hole.rect, hole.rect.width * size)]

    def restore(self, write):
        box, mask = self.hole.rect, job.hard(self.hole.soft)
        for band, before in self.strips:
            after = bytes(self.read(band))
            chosen = job.cut(mask, box.width, band.moved(-box.x, -box.y))
            right = kept(before, after, chosen, self.size)
            if right != after:
                write(band, right)


_ZERO = bytes([255] + [0] * 255)


def shows_nothing(pixels, width, pixel_fmt, hole_mask):
    """Whether some pixel that `hole_mask` (of 0 and 255) selects is wholly transparent."""
    layout = pixel_fmt & 0x0F
    if layout not in (native.RGBA, native.GRAYA, native.BGRA):
        return False
    size = native.pixel_bytes(pixel_fmt)
    alpha = native.DEPTH_BYTES[pixel_fmt & 0xF0]
    found = int.from_bytes(hole_mask, "little")
    for i in range(size - alpha, size):
        found &= int.from_bytes(bytes(pixels[i::size]).translate(_ZERO), "little")
    return found != 0


def plan(host, inpainter, parameters):
    """The library's plan for the present selection, in the layer's coordinates."""
    grow = int(parameters.get("grow", 0))
    hole = find_hole(host, grow)
    return inpainter.plan(dict(parameters, grow="0"), hole.layer)


def fill(host, inpainter, parameters, output):
    """Fills the selection of the layer. Gives back (the new layer or None, the library's notes).

    Raises Refusal or MendError; the image is untouched then. The library is handed hard masks: GIMP
    itself applies the selection when the result is written, so that softness counts once.
    """
    check_item(host.item, output)
    # The selection itself is grown here, for what is written must show through it.
    grow = int(parameters.get("grow", 0))
    parameters = dict(parameters, grow="0")
    hole = find_hole(host, grow)
    pieces = job.pieces(inpainter.plan(parameters, hole.layer))
    if not pieces:
        raise Refusal("Nothing is selected.")
    fmt = pixel_format(host.encoding)
    encoding = None if fmt is not None else FALLBACK
    if fmt is None or output == NEW_LAYER:
        # A new layer has alpha whatever the old one has; its colours are those of the old one.
        encoding = encoding or with_alpha(host.encoding)
        fmt = pixel_format(encoding)
    size = native.pixel_bytes(fmt)
    parts, notes, done = [], [], 0.0
    for piece in pieces:
        rect = piece.rect
        pixels = bytearray(host.read(rect, encoding))
        mask = job.cut(hole.layer.data, hole.layer.width, rect)
        if output == IN_PLACE and host.item.alpha_locked:
            if shows_nothing(pixels, rect.width, fmt, mask):
                raise Refusal(
                    "The transparency of “%s” is locked, so that a fill of its transparent pixels "
                    "would not show: unlock its alpha channel in the Layers dialog." % host.item.name
                )

        def report(progress, done=done, weight=piece.weight):
            host.progress(done + progress.share * weight, job.left_text(progress.seconds_left))

        result = inpainter.inpaint(
            parameters,
            native.Image(pixels, rect.width, rect.height, fmt),
            native.Image(mask, rect.width, rect.height, native.GRAY | native.U8),
            progress=report,
        )
        notes += [note for note in result.get("notes", []) if note not in notes]
        where = piece.hole.moved(-rect.x, -rect.y)
        parts.append((piece.hole, job.cut(pixels, rect.width * size, where, size)))
        done += piece.weight
        del pixels
    if host.now() != host.rect:
        raise Refusal(
            "“%s” was moved, resized or removed while it was being filled; nothing was changed. "
            "Try again." % host.item.name
        )
    # GIMP goes on working meanwhile: another selection must not decide where this fill shows.
    near = hole.rect.moved(host.rect.x, host.rect.y)
    same = (host.selection_bounds(), host.selection(near)) == hole.selected
    layer = host.write(parts, encoding, hole, output == NEW_LAYER, grow > 0 or not same)
    return layer, notes


def sentence(text):
    """The library's message as a dialog writes it."""
    text = text[:1].upper() + text[1:]
    return text if text.endswith((".", "!", "?")) else text + "."


def with_alpha(encoding):
    """The encoding with alpha of the same model and depth, or None for the layer's own."""
    model, _, depth = encoding.partition(" ")
    return encoding if model.endswith("A") else "%sA %s" % (model, depth)
