# SPDX-License-Identifier: MIT OR Apache-2.0
"""The dialog that selects an object by clicks and boxes, with GTK 3. Pictures are put together by
GdkPixbuf, which every GIMP 3 brings.
"""

from typing import Any

import gi

gi.require_version("Gdk", "3.0")
gi.require_version("GdkPixbuf", "2.0")
gi.require_version("GimpUi", "3.0")
gi.require_version("Gtk", "3.0")
import choosing  # noqa: E402
import job  # noqa: E402
import thumbs  # noqa: E402
from gallery import blank, pixbuf  # noqa: E402
from gi.repository import Gdk, GdkPixbuf, GimpUi, GLib, Gtk  # noqa: E402
from job import Rect  # noqa: E402

SELECT, INPAINT = Gtk.ResponseType.OK, 1
# Pixels of the picture on the screen, and of a dot where a click was.
WIDTH, HEIGHT, DOT = 720, 400, 9
# Pixels of the longer side of what is shown, and of the lines of a box.
MOST, LINE = 1400, 2
THERE, NOT_THERE, WHITE = 0x14963CFF, 0xC81E1EFF, 0xFFFFFFFF
LOOK = 30  # milliseconds between two looks at the mask


class ChoosingWindow:
    """`whole`: all of the picture, with what thumbs.look wants of a part. `chooser`: a
    choosing.Chooser of it. `selected`: whether something is selected already."""

    def __init__(self, whole, chooser, selected):
        GimpUi.init("mend-inpaint")
        self.chooser = chooser
        view = Rect(0, 0, chooser.width, chooser.height)
        self._step = thumbs.step_of(view, MOST)
        look: Any = thumbs.look(whole, whole.data, view, self._step)
        scale = min(WIDTH / chooser.width, HEIGHT / chooser.height, 8.0)
        self._size = (max(round(chooser.width * scale), 1), max(round(chooser.height * scale), 1))
        self.frame = choosing.Frame(chooser.width, chooser.height, self._size)
        smooth = GdkPixbuf.InterpType.BILINEAR
        self._picture = pixbuf(look).scale_simple(*self._size, smooth)
        self._drag: Any = None
        self._dialog = Gtk.Dialog(title="Mend: Select Object", resizable=False)
        self._dialog.set_role("mend-choosing")
        self._dialog.set_border_width(6)
        GimpUi.window_set_transient(self._dialog)
        self._dialog.add_button("_Cancel", Gtk.ResponseType.CANCEL)
        self.inpaint = self._dialog.add_button("Select and _Inpaint…", INPAINT)
        self.select = self._dialog.add_button("_Select", SELECT)
        self._dialog.set_default_response(SELECT)
        content = self._dialog.get_content_area()
        content.set_spacing(8)
        content.pack_start(self._box(), False, False, 0)
        self._hint = Gtk.Label(xalign=0.0, wrap=True, max_width_chars=80)
        content.pack_start(self._hint, False, False, 0)
        content.pack_start(self._settings(selected), False, False, 0)
        content.show_all()
        self.add.set_visible(selected)
        self._refresh()
        self._timer = GLib.timeout_add(LOOK, self._look)

    def _box(self):
        self._image = Gtk.Image()
        self._event_box = box = Gtk.EventBox(can_focus=True, halign=Gtk.Align.CENTER)
        box.get_accessible().set_name("Picture")
        box.add(self._image)
        box.add_events(Gdk.EventMask.POINTER_MOTION_MASK)
        box.connect("button-press-event", self._pressed)
        box.connect("motion-notify-event", self._moved)
        box.connect("button-release-event", self._released)
        box.connect("key-press-event", self._key)
        return box

    def _settings(self, selected):
        row = Gtk.Box(spacing=8)
        label = Gtk.Label.new_with_mnemonic("_Grow:")
        self.grow = Gtk.SpinButton.new_with_range(choosing.BY_ITSELF, 200, 1)
        self.grow.set_value(choosing.BY_ITSELF)
        self.grow.set_tooltip_text(
            "Pixels that the selection reaches beyond the object; -1 for a little."
        )
        self.grow.connect("value-changed", self._grow)
        label.set_mnemonic_widget(self.grow)
        self.add = Gtk.CheckButton.new_with_mnemonic("_Add to the selection")
        self.add.set_active(selected)
        self.back = Gtk.Button.new_with_mnemonic("_Undo Click")
        self.back.set_tooltip_text("Backspace")
        self.back.connect("clicked", lambda *_: self._undo())
        for widget in (label, self.grow, self.add):
            row.pack_start(widget, False, False, 0)
        row.pack_end(self.back, False, False, 0)
        return row

    def run(self):
        """(the mask, whether to add it, whether to inpaint), or None where the user left."""
        try:
            self._dialog.present()
            self._event_box.grab_focus()
            while True:
                answer = self._dialog.run()
                if answer not in (SELECT, INPAINT):
                    return None
                if self.chooser.found:
                    return self.chooser.mask, self.add.get_active(), answer == INPAINT
        finally:
            GLib.source_remove(self._timer)
            self.chooser.close()
            self._dialog.destroy()
            while Gtk.events_pending():
                Gtk.main_iteration()

    # --- What the user does ---

    def _pressed(self, widget, event):
        widget.grab_focus()
        shifted = event.state & Gdk.ModifierType.SHIFT_MASK
        wanted = event.button == 1 and not shifted
        self._drag = choosing.Drag(self.frame, event.x, event.y, wanted)
        return True

    def _moved(self, _widget, event):
        if self._drag is not None:
            self._drag.move(event.x, event.y)
            self._refresh()
        return True

    def _released(self, *_):
        drag, self._drag = self._drag, None
        if drag is not None:
            drag.done(self.chooser)
            self._refresh()
        return True

    def _key(self, _widget, event):
        if event.keyval == Gdk.KEY_BackSpace:
            self._undo()
        elif event.keyval == Gdk.KEY_Delete:
            self.chooser.clear()
            self._refresh()
        else:
            return False
        return True

    def _undo(self):
        self.chooser.undo()
        self._refresh()

    def _grow(self, widget):
        self.chooser.set_grow(widget.get_value_as_int())
        self._refresh()

    # --- What is seen ---

    def _look(self):
        if self.chooser.poll():
            self._refresh()
        return GLib.SOURCE_CONTINUE

    def _refresh(self):
        chooser = self.chooser
        self._hint.set_text(job.sentence(chooser.hint))
        self.select.set_sensitive(chooser.found)
        self.inpaint.set_sensitive(chooser.found)
        self.back.set_sensitive(bool(chooser.asked.clicks or chooser.asked.area))
        shown = self._picture.copy()
        if chooser.mask is not None:
            self._lay(shown, choosing.tint(chooser.mask, chooser.width, chooser.height, self._step))
        self._mark(shown)
        self._image.set_from_pixbuf(shown)

    def _lay(self, shown, tint):
        """Lays the tint over the picture."""
        width, height, rgba = tint
        over = pixbuf(thumbs.Look(Rect(0, 0, width, height), width, height, rgba))
        scale = (self._size[0] / width, self._size[1] / height)
        over.composite(shown, 0, 0, *self._size, 0, 0, *scale, GdkPixbuf.InterpType.BILINEAR, 255)

    def _mark(self, shown):
        """What was pointed at."""
        asked = self.chooser.asked
        area = self._drag.area if self._drag and self._drag.is_box else asked.area
        if area is not None:
            (left, top), (right, bottom) = self.frame.place(*area[:2]), self.frame.place(*area[2:])
            wide, high = right - left, bottom - top
            for x, y, w, h in (
                (left, top, wide, LINE),
                (left, bottom - LINE, wide, LINE),
                (left, top, LINE, high),
                (right - LINE, top, LINE, high),
            ):
                self._spot(shown, x, y, w, h, WHITE)
        for column, row, wanted in asked.clicks:
            x, y = self.frame.place(column, row)
            for size, colour in ((DOT + 4, WHITE), (DOT, THERE if wanted else NOT_THERE)):
                self._spot(shown, x - size / 2, y - size / 2, size, size, colour)

    def _spot(self, shown, x, y, width, height, colour):
        place = Rect(round(x), round(y), max(round(width), 1), max(round(height), 1))
        inside = place.intersect(Rect(0, 0, *self._size))
        if not inside.empty:
            spot = blank(inside.width, inside.height)
            spot.fill(colour)
            nearest = GdkPixbuf.InterpType.NEAREST
            spot.composite(shown, *inside, inside.x, inside.y, 1.0, 1.0, nearest, 255)
