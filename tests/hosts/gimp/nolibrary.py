# SPDX-License-Identifier: MIT OR Apache-2.0
"""GIMP has just started for the first time, and the plug-in's library is not there."""

import importlib
import os
import sys
import traceback

sys.path.insert(0, os.environ["MEND_TESTS"])
G = importlib.import_module(os.environ["MEND_HOST"])

with open(os.environ["MEND_LOG"], "w", encoding="utf-8") as log:
    good = True
    try:
        image = G.new_image(60, 60)
        layer = G.add_layer(image, 60, 60, pixels=bytes(range(240)) * 60)
        G.select_rectangle(image, 20, 20, 10, 10)
        for procedure in ("plug-in-mend-inpaint", "plug-in-mend-inpaint-again"):
            done, message, _ = G.call(procedure, image, layer)
            print(procedure, "says:", message, file=log)
            good = good and not done and "libmend.so is missing" in message
    except Exception:
        traceback.print_exc(file=log)
        good = False
    print("PASSED" if good else "FAILED", file=log)
