# SPDX-License-Identifier: MIT OR Apache-2.0
"""One fill of a GIMP layer, the same in GIMP 2.10 and 3; imports neither.

What differs between the two versions is an adapter with these members (all rectangles `job.Rect`):

    interactive                 whether a person is looking on
    item                        facts: an Item
    rect                        the layer in canvas coordinates, as it was when the adapter was made
    now()                       the same as it is now; None when the layer is gone
    canvas                      the canvas in its own coordinates
    selection_bounds()          in canvas coordinates, or None when nothing is selected
    selection(rect)             8-bit selection of a rectangle of the canvas
    grown(rect, mask, by)       `mask` over `rect`, its selected part widened as GIMP widens them
    encoding                    babl's name of the layer's pixel encoding
    read(rect, encoding)        pixels of the layer, in layer coordinates; encoding None: its own
    visible()                   (encoding, read) of all visible layers as one, in canvas coordinates
    write(parts, encoding, hole, new_layer)
                                `parts`, (rect, bytes) in layer coordinates, shown through the
                                selection, or where `outdated` says so through the hole's own mask;
                                in the layer or in a new one; one undo step
    progress(share, text)       share None: only the text
"""

import threading
from typing import NamedTuple, Optional

import job
import masks
import native
import params
from job import Rect

IN_PLACE, NEW_LAYER = "in-place", "new-layer"
OUTPUTS = ((IN_PLACE, "Change the layer"), (NEW_LAYER, "New layer above it"))

LAYER, VISIBLE = "layer", "visible"
SAMPLES = ((LAYER, "This layer"), (VISIBLE, "All visible layers"))


def check_parameters(inpainter, parameters):
    """Raises MendError or Refusal for a name or a value that cannot be, whatever else is wrong."""
    for name in params.ASKED_OTHERWISE:
        if name in parameters:
            raise Refusal("'%s' is for programs: here 'output' says where the fill goes." % name)
    inpainter.check(parameters)


class Refusal(Exception):
    """Nothing was changed; the text says what to do."""


def there(rect):
    """The rectangle of what is to be filled. Raises Refusal where it is gone."""
    if rect is None:
        raise Refusal("What was to be filled is gone: select a layer, and try again.")
    return rect


class Item(NamedTuple):
    """What must be known of a drawable before it is filled."""

    name: str
    is_layer: bool  # a layer, and not a channel or a mask
    mask_of: str = ""  # the name of the layer whose mask it is
    is_group: bool = False
    is_text: bool = False
    is_floating: bool = False
    content_locked: str = ""  # the name of the item whose lock it is: its own or a group's
    alpha_locked: bool = False
    has_alpha: bool = False


# Encodings that the library reads as they are: nothing is converted and the layer's own colour
# space is kept. "~" is GIMP's perceptual curve, which is an encoding like sRGB's.
_LAYOUTS = {
    "RGB": (native.RGB, True),
    "RGBA": (native.RGBA, True),
    "R'G'B'": (native.RGB, False),
    "R'G'B'A": (native.RGBA, False),
    "R~G~B~": (native.RGB, False),
    "R~G~B~A": (native.RGBA, False),
    "Y": (native.GRAY, True),
    "YA": (native.GRAYA, True),
    "Y'": (native.GRAY, False),
    "Y'A": (native.GRAYA, False),
    "Y~": (native.GRAY, False),
    "Y~A": (native.GRAYA, False),
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


def target_text(item):
    """What will be changed: a mask or a channel is easily taken for the layer."""
    if item.mask_of:
        return "Fills the selection in the mask of “%s”, not in the layer." % item.mask_of
    if not item.is_layer:
        return "Fills the selection in the channel “%s”." % item.name
    return "Fills the selection on “%s”." % item.name


def filled_text(item):
    """The same, said afterwards."""
    return target_text(item).replace("Fills", "Filled", 1)


def check_item(item, output, sample=LAYER):
    """Raises Refusal for a drawable that cannot be filled this way."""
    if output not in dict(OUTPUTS):
        raise Refusal("output cannot be '%s': give in-place or new-layer." % output)
    if sample not in dict(SAMPLES):
        raise Refusal("sample cannot be '%s': give layer or visible." % sample)
    if sample == VISIBLE and not item.is_layer:
        raise Refusal(
            "“%s” is a mask or channel, which is filled from its own values: choose “%s” to fill "
            "from." % (item.name, dict(SAMPLES)[LAYER])
        )
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


class Selection(NamedTuple):
    """What is selected at one moment; GIMP goes on working while a plug-in does."""

    bounds: Optional[Rect]  # in canvas coordinates; None where nothing is selected
    soft: bytes  # 8 bits a pixel over `bounds`

    @classmethod
    def now(cls, host):
        """As it is now."""
        bounds = host.selection_bounds()
        return cls(bounds, b"" if bounds is None else bytes(host.selection(bounds)))

    def over(self, rect):
        """8 bits a pixel over another rectangle of the canvas: nothing is selected beside
        `bounds`."""
        bounds = self.bounds or Rect(0, 0, 0, 0)
        both = rect.intersect(bounds)
        if both.empty:
            return bytes(rect.area)
        rows = job.cut(self.soft, bounds.width, both.moved(-bounds.x, -bounds.y))
        before, after = bytes(both.x - rect.x), bytes(rect.right - both.right)
        lines = [before + rows[i : i + both.width] + after for i in range(0, len(rows), both.width)]
        above, below = both.y - rect.y, rect.bottom - both.bottom
        return bytes(above * rect.width) + b"".join(lines) + bytes(below * rect.width)


class Hole(NamedTuple):
    """What is selected of the pixels that are looked at: of a layer, or of the canvas."""

    rect: Rect  # around it, in the coordinates of those pixels
    soft: bytes  # 8-bit selection over `rect`, grown if that was asked for
    near: Rect  # `rect` in canvas coordinates
    selected: tuple  # the user's selection: its bounds, and its bytes over `near`
    grown: bool
    mask: native.Image  # all of those pixels, hard, as the library takes a mask


def find_hole(host, grow=0, sample=LAYER, output=IN_PLACE, selection=None):
    """The selected part, `grow` pixels wider, of a Selection, or of the one that is there now.
    Raises Refusal when there is none."""
    selection = selection or Selection.now(host)
    bounds = selection.bounds
    if bounds is None:
        raise Refusal(
            "Nothing is selected: select what is to be filled, with the Free Select tool say, "
            "then try again."
        )
    area = host.canvas if sample == VISIBLE else host.rect
    limit = area if output == NEW_LAYER else area.intersect(host.rect)
    near = bounds.grown(grow).intersect(limit)
    if near.empty:
        raise Refusal(
            "The selection does not touch “%s”: select a part of that layer, or select the layer "
            "that has the pixels." % host.item.name
        )
    soft = selection.over(near)
    selected = (bounds, soft)
    if grow:
        # What lies beside those pixels grows into them, too.
        wide = bounds.intersect(limit.grown(grow)).grown(grow)
        grown = host.grown(wide, selection.over(wide), grow)
        soft = job.cut(grown, wide.width, near.moved(-wide.x, -wide.y))
    mask = job.hard(soft)
    if 255 not in mask:
        raise Refusal(
            "No pixel of “%s” is selected: select a part of that layer, or select the layer that "
            "has the pixels." % host.item.name
        )
    rect = near.moved(-area.x, -area.y)
    whole = bytearray(area.width * area.height)
    for y in range(rect.height):
        start = (rect.y + y) * area.width + rect.x
        whole[start : start + rect.width] = mask[y * rect.width : (y + 1) * rect.width]
    image = native.Image(whole, area.width, area.height, native.GRAY | native.U8)
    return Hole(rect, soft, near, selected, grow > 0, image)


def outdated(host, hole):
    """Whether GIMP's selection, as it is now, would not show the fill where it belongs.

    GIMP goes on working while a plug-in does: this is to be asked right before the fill is shown.
    """
    return hole.grown or (host.selection_bounds(), host.selection(hole.near)) != hole.selected


def rounded(encoding):
    """Whether GIMP's own compositing, in float, rounds pixels of this encoding."""
    return encoding.rpartition(" ")[2] in ("float", "double", "u32")


# Bytes that are kept and compared at a time.
STRIP = 4 << 20


class Keeper:
    """Gives unselected pixels their bits back after GIMP composited a layer in place.

    `read(rect)` and `write(rect, bytes)` move the layer's own bytes. What GIMP pushed for undo
    holds the box's bits as they were; redo brings back what is there when the user undoes.
    """

    def __init__(self, hole, size, read):
        self.hole, self.size, self.read = hole, size, read
        strips = job.bands(hole.rect, size, STRIP)
        self.strips = [(strip, bytes(read(strip))) for strip in strips]

    def restore(self, write):
        box, mask = self.hole.rect, job.hard(self.hole.soft)
        for strip, before in self.strips:
            after = bytes(self.read(strip))
            chosen = job.cut(mask, box.width, strip.moved(-box.x, -box.y))
            right = masks.choose(before, after, chosen, self.size)
            if right != after:
                write(strip, right)


def shown(pixels, pixel_fmt):
    """255 for each pixel that is not wholly transparent, else 0; None where pixels have no
    alpha."""
    if pixel_fmt & 0x0F not in (native.RGBA, native.GRAYA, native.BGRA):
        return None
    size, alpha = native.pixel_bytes(pixel_fmt), native.DEPTH_BYTES[pixel_fmt & 0xF0]
    return masks.visible(pixels, size, alpha)


def check_surroundings(pixels, pixel_fmt, mask, name, sample):
    """Raises Refusal where all around the hole is transparent: most often it is the wrong layer."""
    opaque = shown(pixels, pixel_fmt)
    if opaque is None or masks.overlap(opaque, masks.inverse(mask)):
        return
    if sample == VISIBLE:
        raise Refusal("Nothing is visible around the selection: show the layers to fill from.")
    raise Refusal(
        "“%s” is transparent all around the selection: is it the wrong layer? Select the layer "
        "that "
        "shows what is to go, or fill from “%s”." % (name, dict(SAMPLES)[VISIBLE])
    )


class Source:
    """The pixels that are looked at, and the form in which the library gets them."""

    def __init__(self, host, output, sample):
        self.name, self.sample = host.item.name, sample
        self.area = host.canvas if sample == VISIBLE else host.rect
        own, self._read = host.visible() if sample == VISIBLE else (host.encoding, host.read)
        self.format = pixel_format(own)
        # None: the layer's own, whatever it is called.
        self.encoding = None if self.format is not None else FALLBACK
        if self.encoding or output == NEW_LAYER or sample == VISIBLE:
            # A new layer has alpha whatever the old one has; its colours are those of the old one.
            self.encoding = self.encoding or with_alpha(own)
            self.format = pixel_format(self.encoding)
        self.pixel_bytes = native.pixel_bytes(self.format)

    def read_all(self, rect):
        """The pixels of a rectangle, transparent where there are none."""
        return bytes(self._read(rect, self.encoding))

    def read(self, rect, mask):
        """The pixels of a piece whose hole `mask` has. Raises Refusal for one with no
        surroundings."""
        pixels = bytearray(self._read(rect, self.encoding))
        check_surroundings(pixels, self.format, mask, self.name, self.sample)
        return pixels


def ask_plan(inpainter, parameters, hole):
    """The library's plan, whose hole is grown already."""
    return inpainter.plan(dict(parameters, grow="0"), hole.mask)


def plan(host, inpainter, parameters, output=IN_PLACE, sample=LAYER):
    """The library's plan for the present selection. Raises what `fill` would raise before it
    runs."""
    check_parameters(inpainter, parameters)
    check_item(host.item, output, sample)
    hole = find_hole(host, int(parameters.get("grow", 0)), sample, output)
    found = ask_plan(inpainter, parameters, hole)
    if sample == LAYER and host.item.has_alpha:
        source = Source(host, output, sample)
        for piece in job.pieces(found):
            mask = job.cut(hole.mask.data, hole.mask.width, piece.rect)
            # A dialog asks again and again: only what looks bad in one byte a pixel is read
            # exactly.
            rough = job.hard(host.read(piece.rect, "A u8"))
            if not masks.overlap(rough, masks.inverse(mask)):
                source.read(piece.rect, mask)
    return found


def fill(host, inpainter, parameters, output, sample=LAYER, selection=None, taken=None):
    """Fills the selection of the layer: `selection`, or the one that is there now. Gives back (the
    new layer or None, the library's notes). `taken`, a preview.Taken of a
    reading.Reading for the same settings, is put in place where nothing has changed since; else the
    fill is made anew.

    Raises Refusal or MendError; the image is untouched then. The library is handed hard masks: GIMP
    itself applies the selection when the result is written, so that softness counts once.
    """
    check_parameters(inpainter, parameters)
    check_item(host.item, output, sample)
    # The selection itself is grown here, for what is written must show through it.
    hole = find_hole(host, int(parameters.get("grow", 0)), sample, output, selection)
    parameters = dict(parameters, grow="0")
    planned = ask_plan(inpainter, parameters, hole)
    pieces = job.pieces(planned)
    if not pieces:
        raise Refusal("Nothing is selected.")
    source = Source(host, output, sample)
    dx, dy = source.area.x - host.rect.x, source.area.y - host.rect.y
    if output == IN_PLACE and host.item.alpha_locked:
        check_alpha(host, hole, hole.rect.moved(dx, dy))
    parts, reports, done = [], [], 0.0
    countdown = job.Countdown(planned["seconds"])
    if taken is not None and taken.reading.holds(host, source, hole):
        reports = taken.fill.reports
        for part, pixels in zip(taken.reading.parts, taken.fill.pixels):
            parts.append((part.piece.hole.moved(dx, dy), pixels))
        pieces = []
    for piece in pieces:
        work = Work(inpainter, parameters, source, hole, piece)
        reports.append(watched(host, work, countdown, done))
        parts.append((piece.hole.moved(dx, dy), work.filled()))
        done += piece.weight
        del work  # its pixels go before the next one's come
    host.progress(1.0, "")
    if host.now() != host.rect:
        raise Refusal(
            "“%s” was moved, resized or removed while it was being filled; nothing was changed. "
            "Try again." % host.item.name
        )
    hole = hole._replace(rect=hole.rect.moved(dx, dy))
    return host.write(parts, source.encoding, hole, output == NEW_LAYER), job.notes_of(reports)


class Work:
    """One call of the library: a piece of the pixels, filled in place."""

    def __init__(self, inpainter, parameters, source, hole, piece):
        self.inpainter, self.parameters, self.piece = inpainter, parameters, piece
        rect, self.size = piece.rect, source.pixel_bytes
        mask = job.cut(hole.mask.data, hole.mask.width, rect)
        self.pixels = source.read(rect, mask)
        self.image = native.Image(self.pixels, rect.width, rect.height, source.format)
        self.mask = native.Image(mask, rect.width, rect.height, native.GRAY | native.U8)

    def run(self, cancel, report):
        """Fills it and gives the library's report; `report(share)` hears how much is done."""
        return self.inpainter.inpaint(
            self.parameters,
            self.image,
            self.mask,
            cancel=cancel,
            progress=lambda progress: report(progress.share),
        )

    def filled(self):
        """The pixels of the hole."""
        rect, hole = self.piece.rect, self.piece.hole
        inside = hole.moved(-rect.x, -rect.y)
        return job.cut(self.pixels, rect.width * self.size, inside, self.size)


# Seconds between two looks at a fill that runs.
LOOK = 0.2


def watched(host, work, countdown, done):
    """The report of a Work that runs on a thread of its own: GIMP is told from this one how far all
    is, also within long steps. `done` is the share of the works before it."""
    cancel, ended = work.inpainter.cancel(), []

    def report(share):
        countdown.report(done + share * work.piece.weight)

    def run():
        try:
            ended.append((work.run(cancel, report), None))
        except BaseException as error:
            ended.append((None, error))

    thread = threading.Thread(target=run, name="fill", daemon=True)
    thread.start()
    try:
        while True:
            host.progress(countdown.shown, job.left_text(countdown.left))
            thread.join(LOOK)
            if not thread.is_alive():
                break
    finally:
        # Where telling failed, the fill must end before its pixels go.
        if thread.is_alive():
            cancel.trigger()
            thread.join()
    result, error = ended[0]
    if error is not None:
        raise error
    return result


def check_alpha(host, hole, rect):
    """Raises Refusal where a lock on transparency would hide the fill; `rect` in layer
    coordinates."""
    encoding = host.encoding if pixel_format(host.encoding) is not None else FALLBACK
    opaque = shown(host.read(rect, encoding), pixel_format(encoding))
    if opaque is not None and masks.overlap(masks.inverse(opaque), job.hard(hole.soft)):
        raise Refusal(
            "The transparency of “%s” is locked, so that a fill of its transparent pixels would "
            "not "
            "show: unlock its alpha channel in the Layers dialog." % host.item.name
        )


def with_alpha(encoding):
    """The encoding with alpha of the same model and depth, or None for the layer's own."""
    model, _, depth = encoding.partition(" ")
    return encoding if model.endswith("A") else "%sA %s" % (model, depth)
