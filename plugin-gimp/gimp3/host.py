# SPDX-License-Identifier: MIT OR Apache-2.0
"""GIMP 3's side of fill.py: one drawable of one image."""

import gi

gi.require_version("Gimp", "3.0")
gi.require_version("Gegl", "0.4")
from fill import Item, Keeper, outdated, rounded, there  # noqa: E402
from gi.repository import Babl, Gegl, Gimp  # noqa: E402
from job import Rect  # noqa: E402

# A selection is linear coverage: a format with an encoding curve would bend it.
MASK = "Y u8"
NOTHING = Gegl.AbyssPolicy.NONE


def gegl(rect):
    return Gegl.Rectangle.new(rect.x, rect.y, rect.width, rect.height)


class Host:
    """What fill.py asks for; its documentation says what each member is."""

    def __init__(self, image, drawable, interactive):
        Gegl.init(None)
        self.image, self.drawable, self.interactive = image, drawable, interactive
        self.rect = there(self.now())
        self.format = drawable.get_format()
        self.encoding = Babl.format_get_encoding(self.format)
        self.item = self._item()
        self._progress = False
        self._projection = None

    def _item(self):
        drawable = self.drawable
        is_layer = drawable.is_layer()
        mask_of = Gimp.Layer.from_mask(drawable) if drawable.is_layer_mask() else None
        locked, item = "", drawable
        while item is not None and not locked:
            locked = item.get_name() if item.get_lock_content() else ""
            item = item.get_parent()
        return Item(
            name=drawable.get_name(),
            is_layer=is_layer,
            mask_of=mask_of.get_name() if mask_of else "",
            is_group=drawable.is_group(),
            is_text=is_layer and drawable.is_text_layer(),
            is_floating=is_layer and drawable.is_floating_sel(),
            content_locked=locked,
            alpha_locked=is_layer and drawable.get_lock_alpha(),
            has_alpha=drawable.has_alpha(),
        )

    def now(self):
        drawable = self.drawable
        if not drawable.is_valid():
            return None
        at = drawable.get_offsets()
        return Rect(at.offset_x, at.offset_y, drawable.get_width(), drawable.get_height())

    @property
    def canvas(self):
        return Rect(0, 0, self.image.get_width(), self.image.get_height())

    def selection_bounds(self):
        found = Gimp.Selection.bounds(self.image)
        if not found.non_empty:
            return None
        return Rect(found.x1, found.y1, found.x2 - found.x1, found.y2 - found.y1)

    def selection(self, rect):
        buffer = self.image.get_selection().get_buffer()
        return bytes(buffer.get(gegl(rect), 1.0, MASK, NOTHING))

    def grown(self, rect, mask, by):
        # On an image of its own: the user's selection and undo steps are not touched.
        scratch = Gimp.Image.new(rect.width, rect.height, Gimp.ImageBaseType.GRAY)
        try:
            scratch.undo_disable()
            self._select(scratch, Rect(0, 0, rect.width, rect.height), mask)
            Gimp.Selection.grow(scratch, by)
            buffer = scratch.get_selection().get_buffer()
            return bytes(
                buffer.get(Gegl.Rectangle.new(0, 0, rect.width, rect.height), 1.0, MASK, NOTHING)
            )
        finally:
            scratch.delete()

    def _select(self, image, rect, mask):
        """Makes `mask` over `rect` the selection of `image`."""
        channel = Gimp.Channel.new(
            image, "Mend", image.get_width(), image.get_height(), 100.0, Gegl.Color.new("black")
        )
        image.insert_channel(channel, None, 0)
        buffer = channel.get_buffer()
        buffer.clear(Gegl.Rectangle.new(0, 0, image.get_width(), image.get_height()))
        buffer.set(gegl(rect), MASK, mask)
        buffer.flush()
        image.select_item(Gimp.ChannelOps.REPLACE, channel)
        image.remove_channel(channel)

    def select_mask(self, mask, add):
        """Makes `mask`, 8 bits a pixel of the canvas, the selection, or adds it to that. One undo
        step."""
        image, area = self.image, self.canvas
        if add and self.selection_bounds() is not None:
            mask = bytes(map(max, mask, self.selection(area)))
        layers = image.get_selected_layers()
        image.undo_group_start()
        try:
            self._select(image, area, mask)
        finally:
            image.undo_group_end()
        if layers:
            image.set_selected_layers(layers)
        Gimp.displays_flush()

    def _format(self, encoding):
        """The name of the pixel format, in the layer's own colour space."""
        if encoding is None:
            return Babl.get_name(self.format)
        space = Babl.format_get_space(self.format)
        return Babl.get_name(Babl.format_with_space(encoding, space))

    def read(self, rect, encoding):
        buffer = self.drawable.get_buffer()
        return bytes(buffer.get(gegl(rect), 1.0, self._format(encoding), NOTHING))

    def visible(self):
        # A preview may have asked before; what it needed it has read.
        if self._projection is not None:
            self._projection.delete()
            self._projection = None
        # A layer that belongs to the image and is in none of its lists: no undo step, no display.
        layer = Gimp.Layer.new_from_visible(self.image, self.image, "Mend")
        if layer is None:
            raise MemoryError("GIMP gave no picture of the visible layers")
        self._projection = layer
        own = layer.get_format()
        space = Babl.format_get_space(own)

        def read(rect, encoding):
            asked = own if encoding is None else Babl.format_with_space(encoding, space)
            buffer = layer.get_buffer()
            return bytes(buffer.get(gegl(rect), 1.0, Babl.get_name(asked), NOTHING))

        return Babl.format_get_encoding(own), read

    def write(self, parts, encoding, hole, new_layer):
        image, name, bounds = self.image, self._format(encoding), hole.rect
        image.undo_group_start()
        try:
            if new_layer:
                target = self._new_layer(bounds)
                parts = [(rect.moved(-bounds.x, -bounds.y), pixels) for rect, pixels in parts]
                box, keeper = Rect(0, 0, bounds.width, bounds.height), None
            else:
                target, box = self.drawable, bounds
                keeper = self._keeper(hole) if rounded(self.encoding) else None

            self._lay_out(target, parts, name, box)

            def show():
                target.merge_shadow(True)
                if keeper:
                    keeper.restore(self._write_own)

            if outdated(self, hole):
                self._through(bounds.moved(self.rect.x, self.rect.y), hole.soft, show)
            else:
                show()
        finally:
            image.undo_group_end()
        target.update(box.x, box.y, box.width, box.height)
        Gimp.displays_flush()
        return target if new_layer else None

    def grow(self, canvas, strips, encoding, new_layer):
        image, name, layer = self.image, self._format(encoding), self.drawable
        size = Rect(0, 0, canvas["width"], canvas["height"])
        image.undo_group_start()
        try:
            image.resize(size.width, size.height, canvas["x"], canvas["y"])
            if new_layer:
                layer = self._layer("Expanded", Rect(0, 0, size.width, size.height))
            else:
                layer.resize_to_image_size()
            buffer = layer.get_buffer()
            for rect, pixels in strips:
                buffer.set(gegl(rect), name, bytes(pixels))
            buffer.flush()
        finally:
            image.undo_group_end()
        layer.update(0, 0, size.width, size.height)
        Gimp.displays_flush()
        return layer if new_layer else None

    def _keeper(self, hole):
        size = Babl.format_get_bytes_per_pixel(self.format)
        return Keeper(hole, size, lambda rect: self.read(rect, None))

    def _write_own(self, rect, pixels):
        buffer = self.drawable.get_buffer()
        buffer.set(gegl(rect), self._format(None), pixels)
        buffer.flush()

    def _new_layer(self, bounds):
        name = "Inpaint of %s" % self.drawable.get_name()
        return self._layer(name, bounds.moved(self.rect.x, self.rect.y))

    def _layer(self, name, bounds):
        """A new layer above the drawable, transparent, over a rectangle of the canvas."""
        drawable = self.drawable
        layer = Gimp.Layer.new(
            self.image,
            name,
            bounds.width,
            bounds.height,
            drawable.type_with_alpha(),
            100.0,
            Gimp.LayerMode.NORMAL,
        )
        layer.fill(Gimp.FillType.TRANSPARENT)
        layer.set_offsets(bounds.x, bounds.y)
        chosen = self.image.get_selected_layers()
        position = self.image.get_item_position(drawable)
        self.image.insert_layer(layer, drawable.get_parent(), position)
        # The layer that was filled stays the chosen one: the next fill starts from it, too.
        self.image.set_selected_layers(chosen)
        return layer

    def _lay_out(self, target, parts, name, box):
        """Puts what is to be shown into the drawable's shadow, which takes a while."""
        shadow = target.get_shadow_buffer()
        if [rect for rect, _ in parts] != [box]:
            # GIMP takes all of the selection's box from the shadow; what the parts leave out is the
            # layer's own.
            target.get_buffer().copy(gegl(box), NOTHING, shadow, gegl(box))
        for rect, pixels in parts:
            shadow.set(gegl(rect), name, bytes(pixels))
        shadow.flush()

    def _through(self, rect, mask, show):
        """Runs `show` with `mask` as the selection, then brings back the user's."""
        image = self.image
        layers, channels = image.get_selected_layers(), image.get_selected_channels()
        saved = None if Gimp.Selection.is_empty(image) else Gimp.Selection.save(image)
        self._select(image, rect, mask)
        try:
            show()
        finally:
            if saved is None:
                Gimp.Selection.none(image)
            else:
                image.select_item(Gimp.ChannelOps.REPLACE, saved)
                image.remove_channel(saved)
            if channels:
                image.set_selected_channels(channels)
            elif layers:
                image.set_selected_layers(layers)

    def progress(self, share, text):
        if not self._progress:
            Gimp.progress_init("Inpainting")
            self._progress = True
        if text:
            Gimp.progress_set_text("Inpainting: " + text)
        if share is not None:
            Gimp.progress_update(min(max(share, 0.0), 1.0))

    def finish(self):
        if self._projection is not None:
            self._projection.delete()
            self._projection = None
        if self._progress:
            Gimp.progress_end()

    def message(self, text):
        Gimp.message(text)
