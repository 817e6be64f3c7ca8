# SPDX-License-Identifier: MIT OR Apache-2.0
"""What the cases ask of GIMP, in GIMP 3 (run by python-fu-eval)."""

import gi

gi.require_version("Gimp", "3.0")
gi.require_version("Gegl", "0.4")
from gi.repository import Babl, Gegl, Gimp, Gio  # noqa: E402

VERSION = 3
NOTHING = Gegl.AbyssPolicy.NONE
BASES = {"rgb": Gimp.ImageBaseType.RGB, "gray": Gimp.ImageBaseType.GRAY}
TYPES = {
    ("rgb", False): Gimp.ImageType.RGB_IMAGE,
    ("rgb", True): Gimp.ImageType.RGBA_IMAGE,
    ("gray", False): Gimp.ImageType.GRAY_IMAGE,
    ("gray", True): Gimp.ImageType.GRAYA_IMAGE,
}
PRECISIONS = [
    "u8-linear",
    "u8-non-linear",
    "u8-perceptual",
    "u16-linear",
    "u16-non-linear",
    "u32-linear",
    "u32-non-linear",
    "half-linear",
    "half-non-linear",
    "float-linear",
    "float-non-linear",
    "double-linear",
    "double-non-linear",
]
Gegl.init(None)


def precision(name):
    return getattr(Gimp.Precision, name.upper().replace("-", "_"))


def _box(x, y, w, h):
    return Gegl.Rectangle.new(x, y, w, h)


def new_image(width, height, base="rgb", depth="u8-non-linear"):
    return Gimp.Image.new_with_precision(width, height, BASES[base], precision(depth))


def load(path):
    image = Gimp.file_load(Gimp.RunMode.NONINTERACTIVE, Gio.File.new_for_path(path))
    # File > Open does this, too: some loaders leave an image without undo.
    image.undo_enable()
    return image


def add_layer(
    image,
    width,
    height,
    base="rgb",
    alpha=False,
    offset=(0, 0),
    pixels=None,
    encoding="R'G'B'A u8",
    parent=None,
):
    layer = Gimp.Layer.new(
        image, "layer", width, height, TYPES[base, alpha], 100.0, Gimp.LayerMode.NORMAL
    )
    image.insert_layer(layer, parent, 0)
    layer.set_offsets(*offset)
    if pixels:
        put(layer, (0, 0, width, height), encoding, pixels)
    return layer


def add_group(image):
    group = Gimp.GroupLayer.new(image, "group")
    image.insert_layer(group, None, 0)
    return group


def add_text(image, text):
    layer = Gimp.TextLayer.new(image, text, Gimp.context_get_font(), 40.0, Gimp.Unit.pixel())
    image.insert_layer(layer, None, 0)
    return layer


def add_mask(layer):
    mask = layer.create_mask(Gimp.AddMaskType.WHITE)
    layer.add_mask(mask)
    return mask


def first_layer(image):
    return image.get_layers()[0]


def lock_content(item):
    item.set_lock_content(True)


def lock_alpha(layer):
    layer.set_lock_alpha(True)


def convert_indexed(image):
    image.convert_indexed(
        Gimp.ConvertDitherType.NONE, Gimp.ConvertPaletteType.GENERATE, 128, False, False, ""
    )


def set_profile(image, path):
    image.set_color_profile(Gimp.ColorProfile.new_from_file(Gio.File.new_for_path(path)))


def float_selection(drawable):
    return Gimp.Selection.float(drawable.get_image(), [drawable], 5, 5)


def select_ellipse(image, x, y, w, h):
    image.select_ellipse(Gimp.ChannelOps.REPLACE, x, y, w, h)


def select_rectangle(image, x, y, w, h, add=False):
    op = Gimp.ChannelOps.ADD if add else Gimp.ChannelOps.REPLACE
    image.select_rectangle(op, x, y, w, h)


def feather(image, radius):
    Gimp.Selection.feather(image, radius)


def select_none(image):
    Gimp.Selection.none(image)


def encoding(drawable):
    return Babl.format_get_encoding(drawable.get_format())


def size(drawable):
    return drawable.get_width(), drawable.get_height()


def offsets(drawable):
    found = drawable.get_offsets()
    return found.offset_x, found.offset_y


def raw(drawable):
    """The layer's own bytes."""
    box = _box(0, 0, *size(drawable))
    return bytes(drawable.get_buffer().get(box, 1.0, Babl.get_name(drawable.get_format()), NOTHING))


def get(drawable, box, name):
    return bytes(drawable.get_buffer().get(_box(*box), 1.0, name, NOTHING))


def put(drawable, box, name, pixels):
    buffer = drawable.get_buffer()
    buffer.set(_box(*box), name, pixels)
    buffer.flush()
    drawable.update(*box)


def selection_over(image, drawable, name="Y u8"):
    x, y = offsets(drawable)
    box = _box(x, y, *size(drawable))
    return bytes(image.get_selection().get_buffer().get(box, 1.0, name, NOTHING))


def layers(image):
    return list(image.get_layers())


def channels(image):
    return list(image.get_channels())


def name(item):
    return item.get_name()


def same(a, b):
    return a is not None and b is not None and a.get_id() == b.get_id()


def chosen(image):
    return image.get_selected_layers()[0]


def delete(image):
    image.delete()


def show(image):
    return Gimp.Display.new(image)


def close(display):
    display.delete()


def flush():
    Gimp.displays_flush()


def call(procedure, image, drawable, mode="noninteractive", **values):
    """(whether it went well, the message, what holds the fill)"""
    found = Gimp.get_pdb().lookup_procedure(procedure)
    config = found.create_config()
    config.set_property("run-mode", getattr(Gimp.RunMode, mode.upper().replace("-", "_")))
    config.set_property("image", image)
    drawables = drawable if isinstance(drawable, list) else [drawable]
    config.set_core_object_array("drawables", drawables)
    for key, value in values.items():
        config.set_property(key.replace("_", "-"), value)
    result = found.run(config)
    good = result.index(0) == Gimp.PDBStatusType.SUCCESS
    filled = result.index(1) if good and result.length() > 1 else None
    return good, "" if good else (Gimp.get_pdb().get_last_error() or ""), filled
