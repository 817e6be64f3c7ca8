# SPDX-License-Identifier: MIT OR Apache-2.0
"""Pictures for the cases."""

import array
import math


def texture(width, height, opaque=True):
    """Floats R'G'B'A with structure and grain, finer than 8 bits can say."""
    out = array.array("f")
    # Rows repeat after so many: enough structure, and quick for large pictures.
    rows, state = [], 12345
    for y in range(min(height, 180)):
        row = array.array("f")
        for x in range(min(width, 240)):
            state = (state * 1103515245 + 12345) & 0x7FFFFFFF
            grain = (state >> 16) / 32768.0 * 0.12
            wave = 0.5 + 0.3 * math.sin(x * math.pi / 15 + 0.4 * math.sin(y * math.pi / 22.5))
            row.extend(
                (
                    min(wave * 0.8 + grain, 1.0),
                    0.25 + 0.4 * y / 180.0 + grain,
                    0.7 - 0.5 * wave + grain,
                    1.0 if opaque else (0.0 if x < 60 and y < 60 else 1.0),
                )
            )
        times = -(-width // 240)
        rows.append((row * times)[: width * 4])
    for y in range(height):
        out.extend(rows[y % len(rows)])
    return out.tobytes()
