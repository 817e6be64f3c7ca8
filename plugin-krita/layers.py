# SPDX-License-Identifier: MIT OR Apache-2.0
"""The user's document: what is read of it, and how a fill is put into it.

Works on Krita's objects without importing Krita. Every call belongs on the main thread.

Krita's setPixelData on a layer of the document cannot be undone and confuses the undo history, so
pixels are only ever set on layers that are not in the document yet; adding and removing layers are
undo steps.
"""

from typing import Any

from . import raw
from .job import Rect, bands, cut
from .krita_job import Facts
from .raw import Space

# Krita counts bytes in 32-bit numbers.
AT_ONCE = 1 << 28


class Changed(Exception):
    """The document is no longer what it was when the fill began; nothing was done to it."""


class Target:
    """What the user pointed at: document, active layer, selection."""

    def __init__(self, krita):
        """`krita`: Krita.instance()."""
        self._krita = krita
        document = krita.activeDocument()
        self.document: Any = document
        self.node: Any = document.activeNode() if document else None
        self._selection: Any = None
        self._masks = {}
        self.canvas = Rect(0, 0, 0, 0)
        if document:
            document.waitForDone()
            self.canvas = Rect(0, 0, document.width(), document.height())
            self._selection = _selection(document, self.node)
        self.facts = self._facts()

    def _facts(self):
        document, node = self.document, self.node
        if document is None:
            return Facts(document=False)
        selection = Rect(0, 0, 0, 0)
        if self._selection is not None:
            s = self._selection
            selection = Rect(s.x(), s.y(), s.width(), s.height())
        if node is None:
            return Facts(layer=False, canvas=self.canvas, selection=selection)
        around = list(_groups(node))
        facts = Facts(
            kind=node.type(),
            name=node.name(),
            locked=node.locked(),
            locked_group=any(n.locked() for n in around),
            hidden=not node.visible() or any(not n.visible() for n in around),
            hidden_group=any(not n.visible() for n in around),
            alpha_locked=node.alphaLocked(),
            space=_space(node),
            canvas=self.canvas,
            selection=selection,
            opacity=node.opacity(),
            blending=node.blendingMode(),
            masks=_has_effects(node),
            animated=node.animated(),
        )
        hole = selection.intersect(self.canvas)
        if facts.kind == "paintlayer" and not hole.empty and raw.known(facts.space):
            facts = facts._replace(transparency=self._transparency(facts.space, hole))
        return facts

    def _transparency(self, space, hole):
        worst = raw.OPAQUE
        for band in bands(hole, space.pixel_bytes, 1 << 24):
            data = _pixels(self.node, band, space.pixel_bytes)
            worst = max(worst, raw.transparency(data, space, self.mask(band, keep=False)))
            if worst == raw.TRANSLUCENT:
                break
        return worst

    def image_space(self):
        """The document's own colour space."""
        d = self.document
        return Space(d.colorModel(), d.colorDepth(), d.colorProfile())

    def mask(self, rect, keep=True):
        """How much of each pixel of `rect` is selected, a byte a pixel."""
        if rect not in self._masks:
            data = bytes(self._selection.pixelData(*rect))
            if not keep:
                return data
            self._masks = {rect: data}
        return self._masks[rect]

    def read(self, rect, merged):
        """The pixels of `rect`: the active layer's, or those of all visible layers."""
        if merged:
            return _pixels(self.document, rect, self.image_space().pixel_bytes)
        return _pixels(self.node, rect, self.facts.space.pixel_bytes)

    def surrounded(self, window, rect):
        """Whether `rect` of `window` has a pixel of the active layer that is not selected and can
        be seen."""
        mask, space = self.mask(window), self.facts.space
        at = rect.moved(window.x, window.y)

        def around(part):
            covered = cut(mask, window.width, part.moved(-window.x, -window.y))
            return raw.surrounded(_pixels(self.node, part, space.pixel_bytes), space, covered)

        # Nearly always one of these says it, and all of a large layer need not be read.
        few = [Rect(at.x, y, at.width, 1) for y in (at.y, at.y + at.height // 2, at.bottom - 1)]
        return any(around(part) for part in (*few, at))

    def _open(self):
        return any(document == self.document for document in self._krita.documents())

    def activate(self, node):
        """Makes `node` the active layer, if the document is still the one that is worked on."""
        if (
            self._open()
            and self._krita.activeDocument() == self.document
            and node.parentNode() is not None
        ):
            self.document.setActiveNode(node)

    def there(self):
        """Raises Changed unless document and layer are still there, in their colour space."""
        # First of all: nodes of a document that was closed must not be touched.
        parent = self.node.parentNode() if self._open() else None
        if (
            parent is None
            or (self.document.width(), self.document.height()) != self.canvas[2:]
            or _space(self.node) != self.facts.space
        ):
            raise Changed(
                "The layer or its document was changed or closed while the fill ran. Nothing was "
                "done."
            )
        return parent

    def add_layer(self, name, parts, to_bytes):
        """Puts `parts`, (rect, pixels in image_space()), on a new layer above, and gives it
        back. One undo step."""
        parent = self.there()
        layer = self.document.createNode(name, "paintlayer")
        if layer is None:
            raise RuntimeError("Krita made no layer")
        for rect, pixels in parts:
            layer.setPixelData(to_bytes(pixels), *rect)
        # Clipped as what it covers is clipped.
        layer.setInheritAlpha(self.node.inheritAlpha())
        if not parent.addChildNode(layer, self.node):
            raise RuntimeError("Krita did not add the layer")
        self.document.waitForDone()
        return layer

    def select(self, selection, mask, add, to_bytes):
        """Makes `mask`, over the canvas, the document's selection, or adds it to that. `selection`
        is an empty one of Krita's. Krita makes no undo step of it."""
        selection.setPixelData(to_bytes(mask), *self.canvas)
        if add and self._selection is not None:
            selection.add(self._selection)
        self.document.setSelection(selection)
        self.document.waitForDone()

    def grow(self, canvas):
        """Makes the canvas of the document that of a plan. One undo step."""
        self.there()
        size = canvas["width"], canvas["height"]
        self.document.resizeImage(-canvas["x"], -canvas["y"], *size)
        self.document.waitForDone()
        self.canvas = Rect(0, 0, *size)

    def add_group(self, name, parts, hidden, to_bytes):
        """As `add_layer`, in a group with a hidden layer for each of `hidden`. One undo step."""
        parent = self.there()
        space = self.image_space()
        # Krita adds to a document node by node, each an undo step. So the group is made in a
        # document that nobody sees, and a copy of the whole is added.
        # As large as the picture, for Krita would show no more of the group than fits it.
        scratch = self._krita.createDocument(
            self.document.width(), self.document.height(), name, *space, 72.0
        )
        if scratch is None:
            raise RuntimeError("Krita made no document in %s/%s %s" % space)
        try:
            scratch.setBatchmode(True)
            group = scratch.createGroupLayer(name)
            scratch.rootNode().addChildNode(group, None)
            fills = [*hidden[::-1], parts]
            for number, fill in enumerate(fills):
                shown = number == len(fills) - 1
                title = "%s %d" % (name, len(fills) - number)
                layer = scratch.createNode(title, "paintlayer")
                for rect, pixels in fill:
                    layer.setPixelData(to_bytes(pixels), *rect)
                layer.setVisible(shown)
                group.addChildNode(layer, None)
            scratch.waitForDone()
            copy = group.duplicate()
            copy.setName(name)
            copy.setInheritAlpha(self.node.inheritAlpha())
            if not parent.addChildNode(copy, self.node):
                raise RuntimeError("Krita did not add the group")
            self.document.waitForDone()
            return copy
        finally:
            scratch.setModified(False)
            scratch.close()

    def exchange_layer(self, parts, to_bytes):
        """Puts `parts`, (rect, pixels now, new pixels), into the active layer. Two undo steps: a
        copy of the layer with the new pixels is added, and the layer is removed. Gives back the
        copy."""
        parent = self.there()
        for rect, before, _ in parts:
            if self.read(rect, False) != before:
                raise Changed(
                    "The layer was painted on while the fill ran. Nothing was done; run it again."
                )
        layer = self.node.duplicate()
        if layer is None:
            raise RuntimeError("Krita made no copy of the layer")
        for rect, _, pixels in parts:
            layer.setPixelData(to_bytes(pixels), *rect)
        layer.setName(self.node.name())
        if not parent.addChildNode(layer, self.node):
            raise RuntimeError("Krita did not add the layer")
        self.document.waitForDone()
        self.node.remove()
        self.document.waitForDone()
        return layer


def _space(node):
    return Space(node.colorModel(), node.colorDepth(), node.colorProfile())


def _pixels(source, rect, pixel_bytes):
    return b"".join(bytes(source.pixelData(*band)) for band in bands(rect, pixel_bytes, AT_ONCE))


def _groups(node):
    """The groups around `node`, the root left out."""
    node = node.parentNode()
    while node is not None:
        parent = node.parentNode()
        if parent is not None:
            yield node
        node = parent


def _selection(document, node):
    """A copy of the selection that Krita shows: the document's, or the active layer's own."""
    selection = document.selection()
    if selection is None and node is not None:
        for child in node.childNodes():
            if child.type() == "selectionmask" and child.visible():
                selection = child.selection()
    return selection.duplicate() if selection is not None else None


def _has_effects(node):
    """Whether masks or a layer style change how the layer looks."""
    for child in node.childNodes():
        if child.type() in ("transparencymask", "filtermask", "transformmask") and child.visible():
            return True
    style = getattr(node, "layerStyleToAsl", None)
    return bool(style and style())
