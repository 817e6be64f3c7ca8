# SPDX-License-Identifier: MIT OR Apache-2.0
"""GIMP 2.10's own C libraries through ctypes: what a plug-in needs of them.

GIMP 2.10 has no Python 3 of its own; these libraries are in every GIMP 2.10, and nothing need be
compiled. Constants are those of libgimp 2.10's headers.
"""

import ctypes
import sys
from ctypes import POINTER, c_char_p, c_double, c_int, c_int32, c_void_p

# GimpPDBArgType
INT32, FLOAT, STRING, IMAGE, LAYER, DRAWABLE, STATUS = 0, 3, 4, 13, 14, 16, 21
# GimpPDBStatusType
EXECUTION_ERROR, CALLING_ERROR, PASS_THROUGH, SUCCESS, CANCEL = range(5)
# GimpRunMode
INTERACTIVE, NONINTERACTIVE, WITH_LAST_VALS = range(3)
GRAY_IMAGE, REPLACE, NORMAL_MODE, TRANSPARENT_FILL = 1, 2, 28, 3
# GeglAbyssPolicy: outside of a buffer is nothing.
NOTHING = 0

_SUFFIX = {"linux": "lib%s.so.%s", "darwin": "lib%s.%s.dylib"}.get(sys.platform, "lib%s-%s.dll")


def load(name, version):
    """One of the C libraries that GIMP is made of."""
    return ctypes.CDLL(_SUFFIX % (name, version))


def declare(library, table):
    """Tells what functions take and give back: name: (result, arguments)."""
    for name, (result, arguments) in table.items():
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments


class Rectangle(ctypes.Structure):
    _fields_ = [("x", c_int), ("y", c_int), ("width", c_int), ("height", c_int)]


class Color(ctypes.Structure):
    _fields_ = [("r", c_double), ("g", c_double), ("b", c_double), ("a", c_double)]


class ParamDef(ctypes.Structure):
    _fields_ = [("type", c_int), ("name", c_char_p), ("description", c_char_p)]


class ParamData(ctypes.Union):
    # The largest member of GimpParamData is a colour of four doubles.
    _fields_ = [("int32", c_int32), ("float", c_double), ("string", c_char_p), ("size", Color)]


class Param(ctypes.Structure):
    _fields_ = [("type", c_int), ("data", ParamData)]


QUERY = ctypes.CFUNCTYPE(None)
RUN = ctypes.CFUNCTYPE(
    None, c_char_p, c_int, POINTER(Param), POINTER(c_int), POINTER(POINTER(Param))
)


class PlugInInfo(ctypes.Structure):
    _fields_ = [("init", c_void_p), ("quit", c_void_p), ("query", QUERY), ("run", RUN)]


gimp = load("gimp-2.0", 0)
gegl = load("gegl-0.4", 0)
babl = load("babl-0.1", 0)
gobject = load("gobject-2.0", 0)
glib = load("glib-2.0", 0)

_ids = POINTER(c_int)
# name: (result, arguments); images and items are numbers, buffers and formats are pointers.
_GIMP = {
    "gimp_main": (c_int, [POINTER(PlugInInfo), c_int, POINTER(c_char_p)]),
    "gimp_plugin_enable_precision": (c_int, []),
    "gimp_install_procedure": (
        None,
        [c_char_p] * 8 + [c_int, c_int, c_int, POINTER(ParamDef), POINTER(ParamDef)],
    ),
    "gimp_plugin_menu_register": (c_int, [c_char_p, c_char_p]),
    "gimp_directory": (c_char_p, []),
    "gimp_message": (c_int, [c_char_p]),
    "gimp_displays_flush": (None, []),
    "gimp_progress_init": (c_int, [c_char_p]),
    "gimp_progress_set_text": (c_int, [c_char_p]),
    "gimp_progress_update": (c_int, [c_double]),
    "gimp_progress_end": (c_int, []),
    "gimp_image_new": (c_int, [c_int, c_int, c_int]),
    "gimp_image_delete": (c_int, [c_int]),
    "gimp_image_width": (c_int, [c_int]),
    "gimp_image_height": (c_int, [c_int]),
    "gimp_image_get_selection": (c_int, [c_int]),
    "gimp_image_get_item_position": (c_int, [c_int, c_int]),
    "gimp_image_get_active_layer": (c_int, [c_int]),
    "gimp_image_set_active_layer": (c_int, [c_int, c_int]),
    "gimp_image_get_active_channel": (c_int, [c_int]),
    "gimp_image_set_active_channel": (c_int, [c_int, c_int]),
    "gimp_image_insert_layer": (c_int, [c_int, c_int, c_int, c_int]),
    "gimp_image_insert_channel": (c_int, [c_int, c_int, c_int, c_int]),
    "gimp_image_remove_channel": (c_int, [c_int, c_int]),
    "gimp_image_select_item": (c_int, [c_int, c_int, c_int]),
    "gimp_image_undo_group_start": (c_int, [c_int]),
    "gimp_image_undo_group_end": (c_int, [c_int]),
    "gimp_image_undo_disable": (c_int, [c_int]),
    "gimp_selection_bounds": (c_int, [c_int] + [_ids] * 5),
    "gimp_selection_none": (c_int, [c_int]),
    "gimp_selection_grow": (c_int, [c_int, c_int]),
    "gimp_selection_save": (c_int, [c_int]),
    "gimp_channel_new": (c_int, [c_int, c_char_p, c_int, c_int, c_double, POINTER(Color)]),
    "gimp_layer_new": (c_int, [c_int, c_char_p, c_int, c_int, c_int, c_double, c_int]),
    "gimp_layer_new_from_visible": (c_int, [c_int, c_int, c_char_p]),
    "gimp_layer_from_mask": (c_int, [c_int]),
    "gimp_layer_set_offsets": (c_int, [c_int, c_int, c_int]),
    "gimp_layer_get_lock_alpha": (c_int, [c_int]),
    "gimp_layer_is_floating_sel": (c_int, [c_int]),
    "gimp_item_is_valid": (c_int, [c_int]),
    "gimp_item_is_layer": (c_int, [c_int]),
    "gimp_item_is_layer_mask": (c_int, [c_int]),
    "gimp_item_delete": (c_int, [c_int]),
    "gimp_item_is_group": (c_int, [c_int]),
    "gimp_item_is_text_layer": (c_int, [c_int]),
    "gimp_item_get_lock_content": (c_int, [c_int]),
    "gimp_item_get_parent": (c_int, [c_int]),
    "gimp_item_get_name": (c_void_p, [c_int]),
    "gimp_drawable_width": (c_int, [c_int]),
    "gimp_drawable_height": (c_int, [c_int]),
    "gimp_drawable_offsets": (c_int, [c_int, _ids, _ids]),
    "gimp_drawable_has_alpha": (c_int, [c_int]),
    "gimp_drawable_type_with_alpha": (c_int, [c_int]),
    "gimp_drawable_fill": (c_int, [c_int, c_int]),
    "gimp_drawable_get_format": (c_void_p, [c_int]),
    "gimp_drawable_get_buffer": (c_void_p, [c_int]),
    "gimp_drawable_get_shadow_buffer": (c_void_p, [c_int]),
    "gimp_drawable_merge_shadow": (c_int, [c_int, c_int]),
    "gimp_drawable_update": (c_int, [c_int] * 5),
}
_rect = POINTER(Rectangle)
_GEGL = {
    "gegl_init": (None, [c_void_p, c_void_p]),
    "gegl_buffer_get": (None, [c_void_p, _rect, c_double, c_void_p, c_void_p, c_int, c_int]),
    "gegl_buffer_set": (None, [c_void_p, _rect, c_int, c_void_p, c_void_p, c_int]),
    "gegl_buffer_copy": (None, [c_void_p, _rect, c_int, c_void_p, _rect]),
    "gegl_buffer_clear": (None, [c_void_p, _rect]),
    "gegl_buffer_flush": (None, [c_void_p]),
}
_BABL = {
    "babl_format": (c_void_p, [c_char_p]),
    "babl_format_with_space": (c_void_p, [c_char_p, c_void_p]),
    "babl_format_get_space": (c_void_p, [c_void_p]),
    "babl_format_get_encoding": (c_char_p, [c_void_p]),
    "babl_format_get_bytes_per_pixel": (c_int, [c_void_p]),
}
for _library, _table in [(gimp, _GIMP), (gegl, _GEGL), (babl, _BABL)]:
    declare(_library, _table)
declare(gobject, {"g_object_unref": (None, [c_void_p])})
declare(glib, {"g_free": (None, [c_void_p])})


def taken(pointer):
    """The text of a string that GIMP hands over, which is freed."""
    if not pointer:
        return ""
    try:
        return ctypes.string_at(pointer).decode("utf-8", "replace")
    finally:
        glib.g_free(pointer)


class Buffer:
    """A GEGL buffer, let go of at the end of a `with`."""

    def __init__(self, pointer):
        if not pointer:
            raise MemoryError("GIMP gave no access to the pixels")
        self.pointer = pointer

    def __enter__(self):
        return self

    def __exit__(self, *_):
        gobject.g_object_unref(self.pointer)

    def get(self, rect, babl_format):
        size = babl.babl_format_get_bytes_per_pixel(babl_format)
        pixels = bytearray(rect.width * rect.height * size)
        into = (ctypes.c_char * len(pixels)).from_buffer(pixels)
        gegl.gegl_buffer_get(
            self.pointer, ctypes.byref(rect), 1.0, babl_format, ctypes.addressof(into), 0, NOTHING
        )
        return pixels

    def set(self, rect, babl_format, pixels):
        pixels = bytes(pixels)
        need = rect.width * rect.height * babl.babl_format_get_bytes_per_pixel(babl_format)
        if len(pixels) != need:
            raise ValueError("%d bytes for pixels of %d" % (len(pixels), need))
        address = ctypes.cast(ctypes.c_char_p(pixels), c_void_p)
        gegl.gegl_buffer_set(self.pointer, ctypes.byref(rect), 0, babl_format, address, 0)
