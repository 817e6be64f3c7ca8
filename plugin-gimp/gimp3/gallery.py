# SPDX-License-Identifier: MIT OR Apache-2.0
"""The preview of dialog.py with GTK 3: the picture with the fill, the fills to choose from, and the
buttons that make more of them. Pictures are put together by GdkPixbuf, which every GIMP 3 brings.
"""

import gi

gi.require_version("Gdk", "3.0")
gi.require_version("GdkPixbuf", "2.0")
gi.require_version("Gtk", "3.0")
import preview  # noqa: E402
from gi.repository import Gdk, GdkPixbuf, GLib, Gtk  # noqa: E402
from job import Rect  # noqa: E402

# Pixels of the picture, and of the small ones.
WIDTH, HEIGHT, LEAST_HEIGHT = 428, 264, 110
SMALL, FRAME = (90, 54), 3
# How far small things are magnified, and how much is left of what is out of date.
MOST_ZOOM, FADED = 3.0, 110
# What the button does that makes more, or ends it.
TIPS = {
    "_Another Set": "Makes other fills. The chosen one stays.",
    "_Stop Here": "Ends soon, with what the steps have come to by then.",
}
LOOK = 30  # milliseconds between two looks at the preview


class Scene:
    """The picture around the hole and one fill on it, at any size."""

    def __init__(self, looks, fill=None):
        self.fill, self._sizes = fill, {}
        self._images = [(look.rect, pixbuf(look)) for look in looks]

    def at(self, part, width, height, faded=False):
        """`part` of it as a pixbuf of that size, the same one as long as nothing changes."""
        key = (part, width, height, faded)
        if key not in self._sizes:
            self._sizes[key] = self._paint(part, width, height, faded)
        return self._sizes[key]

    def _paint(self, part, width, height, faded):
        scale = min(width / part.width, height / part.height, MOST_ZOOM)
        wide = max(min(round(part.width * scale), width), 1)
        high = max(min(round(part.height * scale), height), 1)
        inside = blank(wide, high)
        for rect, image in self._images:
            seen = rect.intersect(part)
            if seen.empty:
                continue
            x, y = round((seen.x - part.x) * scale), round((seen.y - part.y) * scale)
            w = min(max(round(seen.width * scale), 1), wide - x)
            h = min(max(round(seen.height * scale), 1), high - y)
            if w < 1 or h < 1:
                continue
            image.composite(
                inside,
                x,
                y,
                w,
                h,
                (rect.x - part.x) * scale,
                (rect.y - part.y) * scale,
                rect.width * scale / image.get_width(),
                rect.height * scale / image.get_height(),
                GdkPixbuf.InterpType.BILINEAR,
                255,
            )
        whole = blank(width, height)
        x, y = (width - wide) // 2, (height - high) // 2
        nearest = GdkPixbuf.InterpType.NEAREST
        inside.composite(whole, x, y, wide, high, x, y, 1.0, 1.0, nearest, FADED if faded else 255)
        return whole


def blank(width, height):
    made = GdkPixbuf.Pixbuf.new(GdkPixbuf.Colorspace.RGB, True, 8, width, height)
    if made is None:
        raise MemoryError("no memory for a picture of the fill")
    made.fill(0)
    return made


def pixbuf(look):
    data = GLib.Bytes.new(look.rgba)
    rgb = GdkPixbuf.Colorspace.RGB
    return GdkPixbuf.Pixbuf.new_from_bytes(
        data, rgb, True, 8, look.width, look.height, look.width * 4
    )


class Gallery:
    """All of the preview. `previewer`: a preview.Previewer; a timer here makes it go on.
    `settled()` is called when a fill was made, or could not be."""

    def __init__(self, previewer, settled=lambda: None):
        self.previewer, self._settled = previewer, settled
        self._becoming, self._becoming_of = None, None
        self._scenes, self._original, self._of = {}, None, None
        self._held, self._height, self._setting = False, HEIGHT, False
        self.widget = Gtk.Box(orientation=Gtk.Orientation.VERTICAL, spacing=6)
        self._picture()
        self._strip()
        self._buttons()
        self.widget.show_all()
        self.refresh()
        self._timer = GLib.timeout_add(LOOK, self._look)

    def _picture(self):
        self._image = Gtk.Image()
        self._text = Gtk.Label(wrap=True, max_width_chars=48, justify=Gtk.Justification.CENTER)
        frame = Gtk.Overlay()
        frame.add(self._image)
        frame.add_overlay(self._text)
        self._text.set_halign(Gtk.Align.CENTER)
        box = self._box = Gtk.EventBox(can_focus=True)
        box.set_tooltip_text("Hold the mouse button or the space bar to see the original.")
        box.get_accessible().set_name("Preview")
        box.add(frame)
        box.connect("button-press-event", lambda *_: self._hold(True))
        box.connect("button-release-event", lambda *_: self._hold(False))
        self._held_by_keys(box)
        self.widget.pack_start(box, False, False, 0)

    def _strip(self):
        row = Gtk.Box(spacing=6, homogeneous=True)
        self.thumbs, first = [], None
        for number in range(preview.FILLS):
            thumb = Gtk.RadioButton.new_from_widget(first)
            first = first or thumb
            # As a button that stays pressed, with a picture in place of the dot.
            thumb.set_mode(False)
            thumb.set_image(Gtk.Image())
            thumb.set_always_show_image(True)
            thumb.set_tooltip_text("Alt+%d" % (number + 1))
            thumb.get_accessible().set_name("Fill %d" % (number + 1))
            thumb.connect("toggled", self._toggled, number)
            row.pack_start(thumb, True, True, 0)
            self.thumbs.append(thumb)
        self.widget.pack_start(row, False, False, 0)

    def _buttons(self):
        row = Gtk.Box(spacing=6)
        self.original = Gtk.Button.new_with_mnemonic("Show _Original")
        self.original.set_tooltip_text("Shows the picture without the fill, as long as it is held.")
        self.original.connect("pressed", lambda *_: self._hold(True))
        self.original.connect("released", lambda *_: self._hold(False))
        self._held_by_keys(self.original)
        self.another = Gtk.Button.new_with_mnemonic("_Another Set")
        self.another.set_tooltip_text(TIPS["_Another Set"])
        self.another.connect("clicked", lambda *_: self._another())
        row.pack_start(self.original, False, False, 0)
        row.pack_end(self.another, False, False, 0)
        self.widget.pack_start(row, False, False, 0)

    def _held_by_keys(self, widget):
        def key(_widget, event, held):
            if event.keyval != Gdk.KEY_space:
                return False
            self._hold(held)
            return True

        widget.connect("key-press-event", key, True)
        widget.connect("key-release-event", key, False)
        widget.connect("focus-out-event", lambda *_: self._hold(False))

    def accelerate(self, window):
        """Alt and a digit choose a fill in `window`."""
        group = Gtk.AccelGroup()
        window.add_accel_group(group)
        for number, thumb in enumerate(self.thumbs):
            key = Gdk.KEY_1 + number
            alt = Gdk.ModifierType.MOD1_MASK
            thumb.add_accelerator("clicked", group, key, alt, Gtk.AccelFlags(0))

    # --- What the user does ---

    def want(self, key, slow, steps):
        """The settings are these now; see Previewer.want."""
        self.previewer.want(key, slow, steps)
        self.previewer.poll()
        self.refresh()

    def _hold(self, held):
        if held != self._held:
            self._held = held
            self.refresh()
        return False

    def _toggled(self, thumb, number):
        if thumb.get_active() and not self._setting:
            self.previewer.choose(number)
            self.refresh()

    def _another(self):
        state = self.previewer.state
        if state in (preview.ASK, preview.FAILED):
            self.previewer.ask()
        elif self.previewer.can_finish:
            self.previewer.finish()
        elif self.previewer.working:
            self.previewer.stop()
        else:
            self.previewer.another()
        self.previewer.poll()
        self.refresh()

    # --- What is seen ---

    def make(self):
        """Makes the fill that waits to be asked for."""
        self.previewer.ask()
        self.previewer.poll()
        self.refresh()

    def _look(self):
        now = self.previewer
        worked, changed = now.working, now.poll()
        if changed or (now.working and now.slow):
            self.refresh()
        if (worked and not now.working) or (changed and now.fills and not now.stale):
            self._settled()
        return GLib.SOURCE_CONTINUE

    def close(self):
        """Stops for good."""
        GLib.source_remove(self._timer)
        self.previewer.close()

    def fit(self, height):
        """Shows the picture so high, within its limits."""
        height = min(max(height, LEAST_HEIGHT), HEIGHT)
        if height != self._height:
            self._height = height
            self.refresh()

    @property
    def height(self):
        return self._height

    def refresh(self):
        """Shows the state as it is."""
        now = self.previewer
        self._make_scenes()
        size = (WIDTH, self._height)
        shown = self._original if self._held else None
        if shown is None and now.fills:
            shown = self._scenes[id(now.fills[now.chosen])]
        if now.glimpse and not self._held:
            shown = self._becoming
        shown = shown or self._original
        picture = blank(*size)
        if shown:
            whole = Rect(0, 0, now.view.width, now.view.height)
            picture = shown.at(whole, *size, now.stale and not self._held)
        self._image.set_from_pixbuf(picture)
        self._text.set_text(self.previewer.words)
        self._text.set_valign(Gtk.Align.END if shown else Gtk.Align.CENTER)
        context = self._text.get_style_context()
        (context.add_class if shown else context.remove_class)("osd")
        self._text.set_visible(bool(self.previewer.words))
        self._setting = True
        for number, thumb in enumerate(self.thumbs):
            self._refresh_thumb(number, thumb)
        self._setting = False
        self.original.set_sensitive(bool(now.fills))
        text, able = "_Another Set", now.more
        if now.state in (preview.ASK, preview.FAILED):
            text, able = "Previe_w", True
        elif now.working and now.steps:
            text, able = "_Stop Here", now.can_finish
        elif now.working and now.slow:
            text, able = "_Stop", True
        if self.another.get_label() != text:
            self.another.set_label(text)
            self.another.set_tooltip_text(TIPS.get(text, ""))
        self.another.set_sensitive(able)

    def _refresh_thumb(self, number, thumb):
        now = self.previewer
        there = number < len(now.fills)
        framed = blank(SMALL[0] + 2 * FRAME, SMALL[1] + 2 * FRAME)
        if there:
            fill = now.fills[number]
            if number == now.chosen:
                framed.fill(self._highlight())
            faded = now.stale or fill in now.leaving
            picture = self._scenes[id(fill)].at(now.close_up, *SMALL, faded)
            picture.copy_area(0, 0, *SMALL, framed, FRAME, FRAME)
        thumb.get_image().set_from_pixbuf(framed)
        awaited = not there and now.working and number < now.expected
        thumb.set_label("\u2026" if awaited else "")
        thumb.set_sensitive(there)
        if there and number == now.chosen and not thumb.get_active():
            thumb.set_active(True)

    def _highlight(self):
        """The theme's colour of what is chosen, as a pixbuf is filled with it."""
        found, colour = self.widget.get_style_context().lookup_color("theme_selected_bg_color")
        parts = (colour.red, colour.green, colour.blue) if found else (0.2, 0.5, 0.9)
        red, green, blue = (round(part * 255) for part in parts)
        return red << 24 | green << 16 | blue << 8 | 0xFF

    def _make_scenes(self):
        now = self.previewer
        if now.view is None:
            self._scenes, self._original, self._of = {}, None, None
            self._becoming, self._becoming_of = None, None
            return
        if self._original is None or self._of is not now.picture:
            self._original, self._of = Scene(now.picture), now.picture
        if now.glimpse is not self._becoming_of:
            self._becoming_of = now.glimpse
            self._becoming = Scene((*now.picture, *now.glimpse)) if now.glimpse else None
        kept = {}
        for fill in now.fills:
            known = self._scenes.get(id(fill))
            # The fill is kept beside its scene, so that no other one gets its id.
            if known is None or known.fill is not fill:
                known = Scene((*now.picture, *fill.looks), fill)
            kept[id(fill)] = known
        self._scenes = kept
