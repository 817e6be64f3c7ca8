# SPDX-License-Identifier: MIT OR Apache-2.0
"""GIMP 2.10's side of fill.py: one drawable of one image."""

import functools
from ctypes import byref, c_int

from fill import Item, Keeper, outdated, rounded, there
from job import Rect
from libgimp import (
    GRAY_IMAGE,
    NORMAL_MODE,
    NOTHING,
    REPLACE,
    TRANSPARENT_FILL,
    Buffer,
    Color,
    Rectangle,
    babl,
    gegl,
    gimp,
    taken,
)


@functools.lru_cache(maxsize=None)
def start_gegl():
    gegl.gegl_init(None, None)


def mask_format():
    # A selection is linear coverage: a format with an encoding curve would bend it.
    return babl.babl_format(b"Y u8")


def buffer_of(drawable):
    return Buffer(gimp.gimp_drawable_get_buffer(drawable))


class Host:
    """What fill.py asks for; its documentation says what each member is."""

    def __init__(self, image, drawable, interactive):
        start_gegl()
        gimp.gimp_plugin_enable_precision()
        self.image, self.drawable, self.interactive = image, drawable, interactive
        self.rect = there(self.now())
        self.format = gimp.gimp_drawable_get_format(drawable)
        self.encoding = (babl.babl_format_get_encoding(self.format) or b"").decode()
        self.item = self._item()
        self._progress = False
        self._projection = None

    def _item(self):
        drawable = self.drawable
        is_layer = bool(gimp.gimp_item_is_layer(drawable))
        mask_of = (
            gimp.gimp_layer_from_mask(drawable) if gimp.gimp_item_is_layer_mask(drawable) else 0
        )
        locked, item = "", drawable
        while item > 0 and not locked:
            if gimp.gimp_item_get_lock_content(item):
                locked = taken(gimp.gimp_item_get_name(item))
            item = gimp.gimp_item_get_parent(item)
        return Item(
            name=taken(gimp.gimp_item_get_name(drawable)),
            is_layer=is_layer,
            mask_of=taken(gimp.gimp_item_get_name(mask_of)) if mask_of > 0 else "",
            is_group=bool(gimp.gimp_item_is_group(drawable)),
            is_text=is_layer and bool(gimp.gimp_item_is_text_layer(drawable)),
            is_floating=is_layer and bool(gimp.gimp_layer_is_floating_sel(drawable)),
            content_locked=locked,
            alpha_locked=is_layer and bool(gimp.gimp_layer_get_lock_alpha(drawable)),
            has_alpha=bool(gimp.gimp_drawable_has_alpha(drawable)),
        )

    def now(self):
        drawable = self.drawable
        if not gimp.gimp_item_is_valid(drawable):
            return None
        x, y = c_int(), c_int()
        gimp.gimp_drawable_offsets(drawable, byref(x), byref(y))
        return Rect(
            x.value,
            y.value,
            gimp.gimp_drawable_width(drawable),
            gimp.gimp_drawable_height(drawable),
        )

    @property
    def canvas(self):
        image = self.image
        return Rect(0, 0, gimp.gimp_image_width(image), gimp.gimp_image_height(image))

    def selection_bounds(self):
        some, x1, y1, x2, y2 = (c_int() for _ in range(5))
        gimp.gimp_selection_bounds(
            self.image, byref(some), byref(x1), byref(y1), byref(x2), byref(y2)
        )
        if not some.value:
            return None
        return Rect(x1.value, y1.value, x2.value - x1.value, y2.value - y1.value)

    def selection(self, rect):
        with buffer_of(gimp.gimp_image_get_selection(self.image)) as buffer:
            return bytes(buffer.get(Rectangle(*rect), mask_format()))

    def grown(self, rect, mask, by):
        # On an image of its own: the user's selection and undo steps are not touched.
        scratch = gimp.gimp_image_new(rect.width, rect.height, GRAY_IMAGE)
        try:
            gimp.gimp_image_undo_disable(scratch)
            self._select(scratch, Rect(0, 0, rect.width, rect.height), mask)
            gimp.gimp_selection_grow(scratch, by)
            with buffer_of(gimp.gimp_image_get_selection(scratch)) as buffer:
                return bytes(buffer.get(Rectangle(0, 0, rect.width, rect.height), mask_format()))
        finally:
            gimp.gimp_image_delete(scratch)

    def _select(self, image, rect, mask):
        """Makes `mask` over `rect` the selection of `image`."""
        width, height = gimp.gimp_image_width(image), gimp.gimp_image_height(image)
        channel = gimp.gimp_channel_new(image, b"Mend", width, height, 100.0, byref(Color()))
        gimp.gimp_image_insert_channel(image, channel, 0, 0)
        with buffer_of(channel) as buffer:
            gegl.gegl_buffer_clear(buffer.pointer, byref(Rectangle(0, 0, width, height)))
            buffer.set(Rectangle(*rect), mask_format(), mask)
            gegl.gegl_buffer_flush(buffer.pointer)
        gimp.gimp_image_select_item(image, REPLACE, channel)
        gimp.gimp_image_remove_channel(image, channel)

    def _format(self, encoding):
        """The pixel format, in the layer's own colour space."""
        if encoding is None:
            return self.format
        space = babl.babl_format_get_space(self.format)
        return babl.babl_format_with_space(encoding.encode(), space)

    def read(self, rect, encoding):
        with buffer_of(self.drawable) as buffer:
            return buffer.get(Rectangle(*rect), self._format(encoding))

    def visible(self):
        # A layer that belongs to the image and is in none of its lists: no undo step, no display.
        layer = gimp.gimp_layer_new_from_visible(self.image, self.image, b"Mend")
        if layer <= 0:
            raise MemoryError("GIMP gave no picture of the visible layers")
        self._projection = layer
        own = gimp.gimp_drawable_get_format(layer)
        space = babl.babl_format_get_space(own)

        def read(rect, encoding):
            asked = own
            if encoding is not None:
                asked = babl.babl_format_with_space(encoding.encode(), space)
            with buffer_of(layer) as buffer:
                return buffer.get(Rectangle(*rect), asked)

        return (babl.babl_format_get_encoding(own) or b"").decode(), read

    def write(self, parts, encoding, hole, new_layer):
        image, pixel_format, bounds = self.image, self._format(encoding), hole.rect
        gimp.gimp_image_undo_group_start(image)
        try:
            if new_layer:
                target = self._new_layer(bounds)
                parts = [(rect.moved(-bounds.x, -bounds.y), pixels) for rect, pixels in parts]
                box, keeper = Rect(0, 0, bounds.width, bounds.height), None
            else:
                target, box = self.drawable, bounds
                keeper = self._keeper(hole) if rounded(self.encoding) else None

            self._lay_out(target, parts, pixel_format, box)

            def show():
                gimp.gimp_drawable_merge_shadow(target, 1)
                if keeper:
                    keeper.restore(self._write_own)

            if outdated(self, hole):
                self._through(bounds.moved(self.rect.x, self.rect.y), hole.soft, show)
            else:
                show()
        finally:
            gimp.gimp_image_undo_group_end(image)
        gimp.gimp_drawable_update(target, *box)
        gimp.gimp_displays_flush()
        return target if new_layer else None

    def _keeper(self, hole):
        size = babl.babl_format_get_bytes_per_pixel(self.format)
        return Keeper(hole, size, lambda rect: self.read(rect, None))

    def _write_own(self, rect, pixels):
        with buffer_of(self.drawable) as buffer:
            buffer.set(Rectangle(*rect), self.format, pixels)
            gegl.gegl_buffer_flush(buffer.pointer)

    def _new_layer(self, bounds):
        image, drawable = self.image, self.drawable
        layer = gimp.gimp_layer_new(
            image,
            ("Inpaint of %s" % self.item.name).encode(),
            bounds.width,
            bounds.height,
            gimp.gimp_drawable_type_with_alpha(drawable),
            100.0,
            NORMAL_MODE,
        )
        gimp.gimp_drawable_fill(layer, TRANSPARENT_FILL)
        gimp.gimp_layer_set_offsets(layer, bounds.x + self.rect.x, bounds.y + self.rect.y)
        chosen = gimp.gimp_image_get_active_layer(image)
        position = gimp.gimp_image_get_item_position(image, drawable)
        parent = gimp.gimp_item_get_parent(drawable)
        gimp.gimp_image_insert_layer(image, layer, max(parent, 0), position)
        # The layer that was filled stays the chosen one: the next fill starts from it, too.
        if chosen > 0:
            gimp.gimp_image_set_active_layer(image, chosen)
        return layer

    def _lay_out(self, target, parts, pixel_format, box):
        """Puts what is to be shown into the drawable's shadow, which takes a while."""
        with Buffer(gimp.gimp_drawable_get_shadow_buffer(target)) as shadow:
            if [rect for rect, _ in parts] != [box]:
                # GIMP takes all of the selection's box from the shadow; what the parts leave out is
                # the layer's own.
                whole = Rectangle(*box)
                with buffer_of(target) as own:
                    gegl.gegl_buffer_copy(
                        own.pointer, byref(whole), NOTHING, shadow.pointer, byref(whole)
                    )
            for rect, pixels in parts:
                shadow.set(Rectangle(*rect), pixel_format, pixels)
            gegl.gegl_buffer_flush(shadow.pointer)

    def _through(self, rect, mask, show):
        """Runs `show` with `mask` as the selection, then brings back the user's."""
        image = self.image
        layer = gimp.gimp_image_get_active_layer(image)
        channel = gimp.gimp_image_get_active_channel(image)
        saved = None if self.selection_bounds() is None else gimp.gimp_selection_save(image)
        self._select(image, rect, mask)
        try:
            show()
        finally:
            if saved is None:
                gimp.gimp_selection_none(image)
            else:
                gimp.gimp_image_select_item(image, REPLACE, saved)
                gimp.gimp_image_remove_channel(image, saved)
            if channel > 0:
                gimp.gimp_image_set_active_channel(image, channel)
            elif layer > 0:
                gimp.gimp_image_set_active_layer(image, layer)

    def progress(self, share, text):
        if not self._progress:
            gimp.gimp_progress_init(b"Inpainting")
            self._progress = True
        if text:
            gimp.gimp_progress_set_text(("Inpainting: " + text).encode())
        if share is not None:
            gimp.gimp_progress_update(min(max(share, 0.0), 1.0))

    def finish(self):
        if self._projection is not None:
            gimp.gimp_item_delete(self._projection)
            self._projection = None
        if self._progress:
            gimp.gimp_progress_end()

    def message(self, text):
        gimp.gimp_message(text.encode())
