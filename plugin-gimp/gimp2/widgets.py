# SPDX-License-Identifier: MIT OR Apache-2.0
"""The widgets of dialog.py with GTK 2, which every GIMP 2.10 brings: by its C functions."""

import ctypes
import sys
import traceback
from ctypes import POINTER, byref, c_char_p, c_double, c_int, c_uint, c_ulong, c_void_p

import libgimp
from libgimp import glib, gobject

FILL, HELP, RESET = -5, -11, 1
_CANCEL = -6
# Pixels of a line of text and of the form.
WIDTH = 420
_HORIZONTAL, _NEVER, _AUTOMATIC, _WORD_CHAR = 1, 2, 1, 2

_gtk = libgimp.load(
    {"linux": "gtk-x11-2.0", "darwin": "gtk-quartz-2.0"}.get(sys.platform, "gtk-win32-2.0"), 0
)
_gdk = libgimp.load(
    {"linux": "gdk-x11-2.0", "darwin": "gdk-quartz-2.0"}.get(sys.platform, "gdk-win32-2.0"), 0
)
_ui = libgimp.load("gimpui-2.0", 0)

_W = c_void_p  # a widget
_T = c_char_p
_GTK = {
    "gtk_events_pending": (c_int, []),
    "gtk_main_iteration": (c_int, []),
    "gtk_dialog_new": (_W, []),
    "gtk_dialog_add_button": (_W, [_W, _T, c_int]),
    "gtk_dialog_set_default_response": (None, [_W, c_int]),
    "gtk_dialog_set_response_sensitive": (None, [_W, c_int, c_int]),
    "gtk_dialog_get_content_area": (_W, [_W]),
    "gtk_dialog_get_action_area": (_W, [_W]),
    "gtk_dialog_run": (c_int, [_W]),
    "gtk_button_box_set_child_secondary": (None, [_W, _W, c_int]),
    "gtk_window_set_title": (None, [_W, _T]),
    "gtk_window_set_role": (None, [_W, _T]),
    "gtk_window_set_resizable": (None, [_W, c_int]),
    "gtk_window_present": (None, [_W]),
    "gtk_widget_destroy": (None, [_W]),
    "gtk_widget_show": (None, [_W]),
    "gtk_widget_hide": (None, [_W]),
    "gtk_widget_show_all": (None, [_W]),
    "gtk_widget_grab_focus": (None, [_W]),
    "gtk_widget_set_size_request": (None, [_W, c_int, c_int]),
    "gtk_widget_size_request": (None, [_W, POINTER(c_int * 2)]),
    "gtk_widget_set_tooltip_text": (None, [_W, _T]),
    "gtk_container_add": (None, [_W, _W]),
    "gtk_container_set_border_width": (None, [_W, c_uint]),
    "gtk_container_foreach": (None, [_W, c_void_p, c_void_p]),
    "gtk_vbox_new": (_W, [c_int, c_int]),
    "gtk_hbox_new": (_W, [c_int, c_int]),
    "gtk_box_pack_start": (None, [_W, _W, c_int, c_int, c_uint]),
    "gtk_box_set_spacing": (None, [_W, c_int]),
    "gtk_label_new": (_W, [_T]),
    "gtk_label_set_markup": (None, [_W, _T]),
    "gtk_label_set_line_wrap": (None, [_W, c_int]),
    "gtk_label_set_line_wrap_mode": (None, [_W, c_int]),
    "gtk_misc_set_alignment": (None, [_W, ctypes.c_float, ctypes.c_float]),
    "gtk_expander_new_with_mnemonic": (_W, [_T]),
    "gtk_scrolled_window_new": (_W, [_W, _W]),
    "gtk_scrolled_window_set_policy": (None, [_W, c_int, c_int]),
    "gtk_scrolled_window_add_with_viewport": (None, [_W, _W]),
    "gtk_viewport_set_shadow_type": (None, [_W, c_int]),
    "gtk_bin_get_child": (_W, [_W]),
    "gtk_size_group_new": (_W, [c_int]),
    "gtk_size_group_add_widget": (None, [_W, _W]),
    "gtk_combo_box_text_new": (_W, []),
    "gtk_combo_box_text_new_with_entry": (_W, []),
    "gtk_combo_box_text_append_text": (None, [_W, _T]),
    "gtk_combo_box_set_active": (None, [_W, c_int]),
    "gtk_combo_box_get_active": (c_int, [_W]),
    "gtk_spin_button_new_with_range": (_W, [c_double] * 3),
    "gtk_spin_button_set_digits": (None, [_W, c_uint]),
    "gtk_spin_button_set_value": (None, [_W, c_double]),
    "gtk_spin_button_get_value": (c_double, [_W]),
    "gtk_entry_new": (_W, []),
    "gtk_entry_set_text": (None, [_W, _T]),
    "gtk_entry_get_text": (_T, [_W]),
    "gtk_entry_set_width_chars": (None, [_W, c_int]),
    "gtk_entry_set_activates_default": (None, [_W, c_int]),
    "gtk_check_button_new": (_W, []),
    "gtk_toggle_button_set_active": (None, [_W, c_int]),
    "gtk_toggle_button_get_active": (c_int, [_W]),
    "gtk_show_uri": (c_int, [c_void_p, _T, ctypes.c_uint32, POINTER(c_void_p)]),
}
libgimp.declare(_gtk, _GTK)
libgimp.declare(
    _gdk, {"gdk_screen_get_default": (c_void_p, []), "gdk_screen_get_height": (c_int, [c_void_p])}
)
libgimp.declare(
    _ui, {"gimp_ui_init": (None, [_T, c_int]), "gimp_window_set_transient": (None, [_W])}
)
_SIGNAL = ctypes.CFUNCTYPE(None, _W, c_void_p)
_EVENT = ctypes.CFUNCTYPE(c_int, _W, c_void_p, c_void_p)
_TIMER = ctypes.CFUNCTYPE(c_int, c_void_p)
libgimp.declare(
    gobject,
    {
        "g_signal_connect_data": (c_ulong, [_W, _T, c_void_p, c_void_p, c_void_p, c_int]),
        "g_signal_stop_emission_by_name": (None, [_W, _T]),
    },
)
libgimp.declare(
    glib,
    {
        "g_timeout_add": (c_uint, [c_uint, c_void_p, c_void_p]),
        "g_source_remove": (c_int, [c_uint]),
        "g_markup_escape_text": (c_void_p, [_T, ctypes.c_ssize_t]),
        "g_filename_to_uri": (c_void_p, [_T, _T, c_void_p]),
    },
)
# GTK holds the functions that it calls for as long as this process lives; a dialog has few.
_KEPT = []


def _connect(widget, signal, work, kind=_SIGNAL, after=False):
    """Calls `work` at the signal. An exception that left it would hand garbage to C."""

    def call(*given):
        try:
            return work(*given)
        except Exception:
            traceback.print_exc()
            return 0

    function = kind(call)
    _KEPT.append(function)
    gobject.g_signal_connect_data(
        widget, signal, ctypes.cast(function, c_void_p), None, None, 1 if after else 0
    )


def column():
    """A box whose widgets lie below each other."""
    return _gtk.gtk_vbox_new(0, 6)


def _size(widget):
    """Pixels that it wants: (width, height)."""
    size = (c_int * 2)()
    _gtk.gtk_widget_size_request(widget, byref(size))
    return tuple(size)


class Window:
    """A dialog: `head`, the scrolled `form`, `foot`, and buttons that are always in sight."""

    def __init__(self, title):
        _ui.gimp_ui_init(b"mend-inpaint", 0)
        self._dialog = dialog = _gtk.gtk_dialog_new()
        _gtk.gtk_window_set_title(dialog, title.encode())
        _gtk.gtk_window_set_role(dialog, b"mend-inpaint")
        _gtk.gtk_window_set_resizable(dialog, 0)
        _ui.gimp_window_set_transient(dialog)
        for text, answer in (
            (b"_Help", HELP),
            (b"_Reset", RESET),
            (b"_Cancel", _CANCEL),
            (b"_Fill", FILL),
        ):
            button = _gtk.gtk_dialog_add_button(dialog, text, answer)
            if answer == HELP:
                area = _gtk.gtk_dialog_get_action_area(dialog)
                _gtk.gtk_button_box_set_child_secondary(area, button, 1)
        _gtk.gtk_dialog_set_default_response(dialog, FILL)
        self._labels = _gtk.gtk_size_group_new(_HORIZONTAL)
        self.head, self.form, self.foot = column(), column(), column()
        self._scrolled = _gtk.gtk_scrolled_window_new(None, None)
        _gtk.gtk_scrolled_window_set_policy(self._scrolled, _NEVER, _AUTOMATIC)
        _gtk.gtk_scrolled_window_add_with_viewport(self._scrolled, self.form)
        _gtk.gtk_viewport_set_shadow_type(_gtk.gtk_bin_get_child(self._scrolled), 0)
        content = _gtk.gtk_dialog_get_content_area(dialog)
        _gtk.gtk_box_set_spacing(content, 8)
        for box in (self.head, self._scrolled, self.foot):
            _gtk.gtk_container_set_border_width(box, 6)
            _gtk.gtk_box_pack_start(content, box, box == self._scrolled, 1, 0)
        self._fill = button

    def run(self):
        """What the user chose: FILL, HELP, RESET or anything else."""
        _gtk.gtk_window_present(self._dialog)
        return _gtk.gtk_dialog_run(self._dialog)

    def close(self):
        _gtk.gtk_widget_destroy(self._dialog)
        # Nobody looks after the window system while a fill runs: it must be gone before.
        while _gtk.gtk_events_pending():
            _gtk.gtk_main_iteration()

    def put(self, parent, child):
        _gtk.gtk_box_pack_start(parent, child, 0, 0, 0)
        _gtk.gtk_widget_show(child)

    def clear(self, box):
        destroy = ctypes.cast(_gtk.gtk_widget_destroy, c_void_p)
        _gtk.gtk_container_foreach(box, destroy, None)

    def note(self, parent, text):
        """Text that wraps."""
        label = _gtk.gtk_label_new(None)
        _gtk.gtk_misc_set_alignment(label, 0.0, 0.5)
        _gtk.gtk_label_set_line_wrap(label, 1)
        _gtk.gtk_label_set_line_wrap_mode(label, _WORD_CHAR)
        _gtk.gtk_widget_set_size_request(label, WIDTH, -1)
        _gtk.gtk_box_pack_start(parent, label, 0, 0, 0)
        self.say(label, text)
        return label

    def say(self, label, text, bold=False):
        escaped = libgimp.taken(glib.g_markup_escape_text(text.encode(), -1))
        _gtk.gtk_label_set_markup(label, (("<b>%s</b>" if bold else "%s") % escaped).encode())
        (_gtk.gtk_widget_show if text else _gtk.gtk_widget_hide)(label)

    def row(self, box, text, tip, widget):
        label = _gtk.gtk_label_new(text.encode())
        _gtk.gtk_misc_set_alignment(label, 0.0, 0.5)
        _gtk.gtk_size_group_add_widget(self._labels, label)
        for part in (label, widget):
            _gtk.gtk_widget_set_tooltip_text(part, tip.encode())
        line = _gtk.gtk_hbox_new(0, 12)
        _gtk.gtk_box_pack_start(line, label, 0, 0, 0)
        wide = widget in _WIDE
        _gtk.gtk_box_pack_start(line, widget, wide, wide, 0)
        _gtk.gtk_box_pack_start(box, line, 0, 0, 0)
        _gtk.gtk_widget_show_all(line)

    def more(self, parent, text, toggled):
        """A part that is closed at first; the box inside."""
        expander, inside = _gtk.gtk_expander_new_with_mnemonic(text.encode()), column()
        _gtk.gtk_container_add(expander, inside)
        _connect(
            expander,
            b"notify::expanded",
            lambda *_: toggled(),
            ctypes.CFUNCTYPE(None, _W, c_void_p, c_void_p),
            after=True,
        )
        _gtk.gtk_box_pack_start(parent, expander, 0, 0, 0)
        _gtk.gtk_widget_show_all(expander)
        return inside

    def allow(self, answer, good):
        _gtk.gtk_dialog_set_response_sensitive(self._dialog, answer, int(good))

    def focus(self, widget):
        """Where keys go at first; None: to the button that fills."""
        _gtk.gtk_widget_grab_focus(widget or self._fill)

    def fit(self, height):
        """As high as what is shown, and at most `height` pixels: then the form scrolls."""
        height = min(height, _gdk.gdk_screen_get_height(_gdk.gdk_screen_get_default()) - 40)
        for box in (self.head, self.form, self._scrolled, self.foot):
            _gtk.gtk_widget_show(box)
        width, form = _size(self.form)
        # Room for the bar beside it, and for the border.
        width, form = width + 36, form + 16
        _gtk.gtk_widget_set_size_request(self._scrolled, width, 1)
        rest = _size(self._dialog)[1] - _size(self._scrolled)[1]
        _gtk.gtk_widget_set_size_request(self._scrolled, width, max(min(form, height - rest), 60))


# The widgets that are as wide as their row.
_WIDE = set()


def combo(pairs, chosen, changed):
    """A drop-down of (id, label); changed(id)."""
    ids = [key for key, _ in pairs]
    widget = _gtk.gtk_combo_box_text_new()
    for _, label in pairs:
        _gtk.gtk_combo_box_text_append_text(widget, label.encode())
    _gtk.gtk_combo_box_set_active(widget, ids.index(chosen) if chosen in ids else 0)
    _keep_from_wheel(widget)
    _connect(widget, b"changed", lambda w, _: changed(ids[_gtk.gtk_combo_box_get_active(w)]))
    _WIDE.add(widget)
    return widget


def spin(low, high, step, digits, value, changed):
    """A number; changed(int or float)."""
    widget = _gtk.gtk_spin_button_new_with_range(low, high, step)
    _gtk.gtk_spin_button_set_digits(widget, digits)
    _gtk.gtk_spin_button_set_value(widget, value)
    _gtk.gtk_entry_set_width_chars(widget, 8)
    _gtk.gtk_entry_set_activates_default(widget, 1)
    _keep_from_wheel(widget)

    def told(w, _):
        number = _gtk.gtk_spin_button_get_value(w)
        changed(number if digits else round(number))

    _connect(widget, b"value-changed", told)
    _WIDE.discard(widget)
    return widget


def check(value, changed):
    """A flag; changed(bool)."""
    widget = _gtk.gtk_check_button_new()
    _gtk.gtk_toggle_button_set_active(widget, int(value))
    _connect(widget, b"toggled", lambda w, _: changed(bool(_gtk.gtk_toggle_button_get_active(w))))
    _WIDE.discard(widget)
    return widget


def entry(value, changed, suggestions=()):
    """A line of text; changed(text)."""
    if suggestions:
        widget = _gtk.gtk_combo_box_text_new_with_entry()
        for suggestion in suggestions:
            _gtk.gtk_combo_box_text_append_text(widget, suggestion.encode())
        line = _gtk.gtk_bin_get_child(widget)
        _keep_from_wheel(widget)
    else:
        widget = line = _gtk.gtk_entry_new()
    _gtk.gtk_entry_set_text(line, value.encode())
    _gtk.gtk_entry_set_width_chars(line, 24)
    _gtk.gtk_entry_set_activates_default(line, 1)
    _connect(
        line,
        b"changed",
        lambda w, _: changed(_gtk.gtk_entry_get_text(w).decode("utf-8", "replace")),
    )
    _WIDE.add(widget)
    return widget


def _keep_from_wheel(widget):
    """The wheel scrolls the form; it does not change what lies under the pointer."""

    def turned(widget, _event, _data):
        gobject.g_signal_stop_emission_by_name(widget, b"scroll-event")
        return 0

    _connect(widget, b"scroll-event", turned, _EVENT)


def later(milliseconds, work):
    """Runs `work` once; gives what `cancel` takes."""

    def once(_):
        try:
            work()
        except Exception:
            traceback.print_exc()
        return 0

    function = _TIMER(once)
    _KEPT.append(function)
    return glib.g_timeout_add(milliseconds, ctypes.cast(function, c_void_p), None)


def cancel(timer):
    glib.g_source_remove(timer)


def open_file(path):
    """Opens a file in the user's program for it; what went wrong, or an empty text."""
    uri = libgimp.taken(glib.g_filename_to_uri(path.encode(), None, None)).encode()
    if _gtk.gtk_show_uri(None, uri, 0, None):
        return ""
    return "The manual is %s; no program for it could be started." % path
