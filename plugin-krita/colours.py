# SPDX-License-Identifier: MIT OR Apache-2.0
"""Colour conversion by Krita itself, through documents that nobody sees.

Krita converts whole documents only. A document of the pixels' own size, in their colour space, is
made, converted, read and closed: no window, no undo step, nothing the user's document knows of.
`krita` is Krita.instance(); every call belongs on the main thread.
"""

import struct

from . import masks, raw
from .raw import Space


class Colours:
    """Converts pixels, and remembers which profiles are linear."""

    def __init__(self, krita, to_bytes):
        """`to_bytes` makes what Krita wants as pixel data (a QByteArray) from bytes."""
        self._krita = krita
        self._to_bytes = to_bytes
        self._linear = {}
        self._working = None

    def convert(self, data, width, height, source, target):
        """Pixels in `source` as pixels in `target`; alpha goes along."""
        if source == target:
            return data
        document = self._krita.createDocument(
            width, height, "Inpaint", source.model, source.depth, source.profile, 72.0
        )
        if document is None:
            raise RuntimeError("Krita made no document in %s/%s %s" % source)
        try:
            document.setBatchmode(True)
            node = document.rootNode().childNodes()[0]
            have = Space(node.colorModel(), node.colorDepth(), node.colorProfile())
            if have != source:
                raise RuntimeError("Krita has no colour space %s/%s %s" % source)
            node.setPixelData(self._to_bytes(data), 0, 0, width, height)
            document.setColorSpace(target.model, target.depth, target.profile)
            document.waitForDone()
            node = document.rootNode().childNodes()[0]
            have = Space(node.colorModel(), node.colorDepth(), node.colorProfile())
            if have != target:
                raise RuntimeError("Krita did not convert to %s/%s %s" % target)
            return bytes(node.pixelData(0, 0, width, height))
        finally:
            document.setModified(False)
            document.close()

    def working(self):
        """The RGB space that other models are filled in: floats, in linear light."""
        if self._working is None:
            have = self._krita.profiles("RGBA", "F32")
            for profile in raw.WORKING_PROFILES:
                if profile in have:
                    self._working = Space("RGBA", "F32", profile)
                    break
            else:
                raise RuntimeError(
                    "Krita's own linear RGB profiles are missing: %s"
                    % ", ".join(raw.WORKING_PROFILES)
                )
        return self._working

    def linear(self, space):
        """Whether the numbers of this RGB or gray space are proportional to light: measured."""
        key = (space.model, space.profile)
        if key not in self._linear:
            try:
                self._linear[key] = self._measure(Space(space.model, "F32", space.profile))
            except Exception:  # a profile that Krita will not convert is judged by its name
                self._linear[key] = raw.linear_by_name(space.profile)
        return self._linear[key]

    def _measure(self, space):
        grays = [[value] * (space.channels - 1) + [1.0] for value in (0.25, 0.5)]
        floats = [f for pixel in grays for f in pixel]
        data = struct.pack("=%df" % len(floats), *floats)
        light = struct.unpack("=8f", self.convert(data, 2, 1, space, self.working()))
        return raw.is_linear(light[1], light[5])

    def back(self, data, width, height, target):
        """Working pixels as pixels of `target`, and how far colours are off (0.01: one per cent).

        Where a profile's two tables do not undo each other, the aim is corrected until what is
        seen is what was asked for.
        """
        working = self.working()
        out = self.convert(data, width, height, working, target)
        if target.model not in raw.SHIFTING:
            return out, 0.0
        visible = masks.visible(data, 16, 4)
        got = self.convert(out, width, height, target, working)
        best = (raw.shift(data, got, visible), out)
        aim = data
        for _ in range(raw.CORRECTIONS):
            if best[0] < raw.UNSEEN_SHIFT:
                break
            aim = raw.corrected(data, aim, got)
            out = self.convert(aim, width, height, working, target)
            got = self.convert(out, width, height, target, working)
            best = min(best, (raw.shift(data, got, visible), out))
        return best[1], best[0]
