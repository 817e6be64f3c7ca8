# SPDX-License-Identifier: MIT OR Apache-2.0
"""What the cases ask of GIMP, in GIMP 2.10 (run by the test-only plug-in mend-test)."""

import ctypes
import json
import os
import sys
from ctypes import byref, c_char_p, c_double, c_int, c_void_p

PLUGIN = os.path.join(os.environ["GIMP2_DIRECTORY"], "plug-ins", "mend-inpaint")
sys.path.insert(0, PLUGIN)

import arguments  # noqa: E402
import libgimp as lib  # noqa: E402
from libgimp import Buffer, Rectangle, babl, gegl, gimp  # noqa: E402

VERSION = 2
BASES = {"rgb": 0, "gray": 1}
TYPES = {("rgb", False): 0, ("rgb", True): 1, ("gray", False): 2, ("gray", True): 3}
# GimpPrecision
_PRECISIONS = {
    "u8-linear": 100,
    "u8-non-linear": 150,
    "u16-linear": 200,
    "u16-non-linear": 250,
    "u32-linear": 300,
    "u32-non-linear": 350,
    "half-linear": 500,
    "half-non-linear": 550,
    "float-linear": 600,
    "float-non-linear": 650,
    "double-linear": 700,
    "double-non-linear": 750,
}
PRECISIONS = list(_PRECISIONS)
ADD, REPLACE = 0, 2
PIXELS = 0  # GimpUnit

for _name, _result, _arguments in [
    (
        "gimp_run_procedure2",
        ctypes.POINTER(lib.Param),
        [c_char_p, ctypes.POINTER(c_int), c_int, ctypes.POINTER(lib.Param)],
    ),
    ("gimp_destroy_params", None, [ctypes.POINTER(lib.Param), c_int]),
    ("gimp_get_pdb_error", c_char_p, []),
    ("gimp_image_new_with_precision", c_int, [c_int] * 4),
    ("gimp_file_load", c_int, [c_int, c_char_p, c_char_p]),
    ("gimp_image_undo_enable", c_int, [c_int]),
    ("gimp_layer_group_new", c_int, [c_int]),
    ("gimp_text_layer_new", c_int, [c_int, c_char_p, c_char_p, c_double, c_int]),
    ("gimp_layer_create_mask", c_int, [c_int, c_int]),
    ("gimp_layer_add_mask", c_int, [c_int, c_int]),
    ("gimp_item_set_lock_content", c_int, [c_int, c_int]),
    ("gimp_layer_set_lock_alpha", c_int, [c_int, c_int]),
    ("gimp_image_convert_indexed", c_int, [c_int] * 6 + [c_char_p]),
    ("gimp_image_set_color_profile_from_file", c_int, [c_int, c_char_p]),
    ("gimp_image_select_ellipse", c_int, [c_int, c_int] + [c_double] * 4),
    ("gimp_image_select_rectangle", c_int, [c_int, c_int] + [c_double] * 4),
    ("gimp_selection_feather", c_int, [c_int, c_double]),
    ("gimp_selection_none", c_int, [c_int]),
    ("gimp_image_get_layers", ctypes.POINTER(c_int), [c_int, ctypes.POINTER(c_int)]),
    ("gimp_image_get_channels", ctypes.POINTER(c_int), [c_int, ctypes.POINTER(c_int)]),
    ("gimp_display_new", c_int, [c_int]),
    ("gimp_display_delete", c_int, [c_int]),
    ("gimp_context_get_font", c_void_p, []),
]:
    _function = getattr(gimp, _name)
    _function.restype, _function.argtypes = _result, _arguments
gegl.gegl_init(None, None)
gimp.gimp_plugin_enable_precision()


def new_image(width, height, base="rgb", depth="u8-non-linear"):
    return gimp.gimp_image_new_with_precision(width, height, BASES[base], _PRECISIONS[depth])


def load(path):
    image = gimp.gimp_file_load(lib.NONINTERACTIVE, path.encode(), path.encode())
    # File > Open does this, too: some loaders leave an image without undo.
    gimp.gimp_image_undo_enable(image)
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
    layer = gimp.gimp_layer_new(image, b"layer", width, height, TYPES[base, alpha], 100.0, 28)
    gimp.gimp_image_insert_layer(image, layer, parent or 0, 0)
    gimp.gimp_layer_set_offsets(layer, *offset)
    if pixels:
        put(layer, (0, 0, width, height), encoding, pixels)
    return layer


def add_group(image):
    group = gimp.gimp_layer_group_new(image)
    gimp.gimp_image_insert_layer(image, group, 0, 0)
    return group


def add_text(image, text):
    font = lib.taken(gimp.gimp_context_get_font())
    layer = gimp.gimp_text_layer_new(image, text.encode(), font.encode(), 40.0, PIXELS)
    gimp.gimp_image_insert_layer(image, layer, 0, 0)
    return layer


def add_mask(layer):
    mask = gimp.gimp_layer_create_mask(layer, 0)
    gimp.gimp_layer_add_mask(layer, mask)
    return mask


def first_layer(image):
    return layers(image)[0]


def lock_content(item):
    gimp.gimp_item_set_lock_content(item, 1)


def lock_alpha(layer):
    gimp.gimp_layer_set_lock_alpha(layer, 1)


def convert_indexed(image):
    gimp.gimp_image_convert_indexed(image, 0, 0, 128, 0, 0, b"")


def set_profile(image, path):
    assert gimp.gimp_image_set_color_profile_from_file(image, ("file://" + path).encode())


def float_selection(drawable):
    params = (lib.Param * 3)()
    for param, kind, value in zip(params, (lib.DRAWABLE, lib.INT32, lib.INT32), (drawable, 5, 5)):
        param.type, param.data.int32 = kind, value
    count = c_int()
    back = gimp.gimp_run_procedure2(b"gimp-selection-float", byref(count), 3, params)
    layer = back[1].data.int32
    gimp.gimp_destroy_params(back, count)
    return layer


def select_ellipse(image, x, y, w, h):
    gimp.gimp_image_select_ellipse(image, REPLACE, x, y, w, h)


def select_rectangle(image, x, y, w, h, add=False):
    gimp.gimp_image_select_rectangle(image, ADD if add else REPLACE, x, y, w, h)


def feather(image, radius):
    gimp.gimp_selection_feather(image, radius)


def select_none(image):
    gimp.gimp_selection_none(image)


def _format(drawable):
    return gimp.gimp_drawable_get_format(drawable)


def encoding(drawable):
    return babl.babl_format_get_encoding(_format(drawable)).decode()


def size(drawable):
    return gimp.gimp_drawable_width(drawable), gimp.gimp_drawable_height(drawable)


def offsets(drawable):
    x, y = c_int(), c_int()
    gimp.gimp_drawable_offsets(drawable, byref(x), byref(y))
    return x.value, y.value


def _get(drawable, box, pixel_format):
    with Buffer(gimp.gimp_drawable_get_buffer(drawable)) as buffer:
        return bytes(buffer.get(Rectangle(*box), pixel_format))


def raw(drawable):
    """The layer's own bytes."""
    return _get(drawable, (0, 0, *size(drawable)), _format(drawable))


def get(drawable, box, name):
    return _get(drawable, box, babl.babl_format(name.encode()))


def put(drawable, box, name, pixels):
    with Buffer(gimp.gimp_drawable_get_buffer(drawable)) as buffer:
        buffer.set(Rectangle(*box), babl.babl_format(name.encode()), pixels)
        gegl.gegl_buffer_flush(buffer.pointer)
    gimp.gimp_drawable_update(drawable, *box)


def selection_over(image, drawable, name="Y u8"):
    box = offsets(drawable) + size(drawable)
    return _get(gimp.gimp_image_get_selection(image), box, babl.babl_format(name.encode()))


def _list(function, image):
    count = c_int()
    found = function(image, byref(count))
    return [found[i] for i in range(count.value)]


def layers(image):
    return _list(gimp.gimp_image_get_layers, image)


def channels(image):
    return _list(gimp.gimp_image_get_channels, image)


def name(item):
    return lib.taken(gimp.gimp_item_get_name(item))


def same(a, b):
    return a == b


def chosen(image):
    return gimp.gimp_image_get_active_layer(image)


def delete(image):
    gimp.gimp_image_delete(image)


def show(image):
    return gimp.gimp_display_new(image)


def close(display):
    gimp.gimp_display_delete(display)


def flush():
    gimp.gimp_displays_flush()


def call(procedure, image, drawable, mode="noninteractive", output="in-place", **values):
    """(whether it went well, the message, what holds the fill)"""
    if isinstance(drawable, list):
        raise NotImplementedError("GIMP 2.10 has one active drawable")
    first = {"interactive": 0, "noninteractive": 1, "with-last-vals": 2}[mode]
    given = [(lib.INT32, first), (lib.IMAGE, image), (lib.DRAWABLE, drawable)]
    if procedure in ("plug-in-mend-inpaint", "plug-in-mend-plan"):
        with open(os.path.join(PLUGIN, "describe.json")) as file:
            fields = arguments.placed(json.load(file))
        values = {key.replace("_", "-"): value for key, value in values.items()}
        given.append((lib.STRING, output))
        for field in fields:
            kind = lib.INT32 if field.type == "integer" else lib.STRING
            given.append((kind, values.pop(field.name, field.default)))
        # Names with "=" are lines of the last argument as they stand.
        lines = [k + v if k.endswith("=") else "%s=%s" % (k, v) for k, v in values.items()]
        given.append((lib.STRING, "\n".join(lines)))
    params = (lib.Param * len(given))()
    for param, (kind, value) in zip(params, given):
        param.type = kind
        if kind == lib.STRING:
            param.data.string = value.encode()
        elif kind == lib.FLOAT:
            param.data.float = value
        else:
            param.data.int32 = value
    count = c_int()
    back = gimp.gimp_run_procedure2(procedure.encode(), byref(count), len(given), params)
    good = back[0].data.int32 == lib.SUCCESS
    message, filled = "", None
    if count.value > 1:
        if back[1].type == lib.STRING:
            message = back[1].data.string.decode()
        elif back[1].data.int32 > 0:
            filled = back[1].data.int32
    if not good and not message:
        message = gimp.gimp_get_pdb_error().decode()
    gimp.gimp_destroy_params(back, count)
    return good, message, filled
