# SPDX-License-Identifier: MIT OR Apache-2.0
"""What the plug-in must do in a GIMP with a screen: undo, redo, the dialog, cancelling, messages.

Run inside GIMP by run.py; keys are pressed on the image window as a user would. Pictures of the
screen are asked for by files, for the root folder of Debian 13 has no program that takes them.
"""

import importlib
import json
import os
import shutil
import subprocess
import sys
import time
import traceback

sys.path.insert(0, os.environ["MEND_TESTS"])
G = importlib.import_module(os.environ["MEND_HOST"])
import slow_server  # noqa: E402
import texture  # noqa: E402

INPAINT = "plug-in-mend-inpaint"
SHOTS = os.environ["MEND_SHOTS"]
PHOTO = os.environ["MEND_PHOTO"]
LOG = open(os.environ["MEND_LOG"], "w", encoding="utf-8")
FAILED, CHECKS = [], [0]
# The keys that run.py has bound to the menu entries.
DIALOG_KEY, AGAIN_KEY, REMOVE_KEY = "ctrl+shift+F7", "ctrl+shift+F8", "ctrl+shift+F9"
EXPAND_KEY, SELECT_KEY = "ctrl+shift+F10", "ctrl+shift+F11"
DIALOG_NAME = "^Mend: (Inpaint|Expand Canvas)$"


def say(*words):
    print(*words, file=LOG, flush=True)


def check(what, good, *found):
    CHECKS[0] += 1
    say("ok" if good else "FAILED", what, *(() if good else found))
    if not good:
        FAILED.append(what)


def xdotool(*words):
    return subprocess.run(["xdotool", *words], capture_output=True, text=True, check=False).stdout


def windows(name):
    return xdotool("search", "--onlyvisible", "--name", name).split()


def wait(what, condition, seconds=20.0):
    end = time.time() + seconds
    while time.time() < end:
        if condition():
            return True
        time.sleep(0.1)
    check("in time: " + what, False)
    return False


def press(key, name="GIMP$"):
    """A key on the first window of that name."""
    # While GIMP is at work its windows do not always answer.
    found = []

    def listed():
        found[:] = windows(name)
        return found

    if not wait("a window named " + name, listed, 20):
        return
    xdotool("windowactivate", "--sync", found[-1])
    time.sleep(0.3)
    xdotool("key", "--clearmodifiers", key)


def shot(name, window="root"):
    # A tooltip under the pointer would lie over what is to be seen.
    xdotool("mousemove", "1399", "899")
    time.sleep(1.0)
    want = os.path.join(SHOTS, name + ".want")
    with open(want + ".new", "w") as file:
        file.write(window)
    os.rename(want + ".new", want)
    wait("the picture " + name, lambda: not os.path.exists(want), 30)


def scene(depth="u8-non-linear", width=240, height=180):
    image = G.new_image(width, height, "rgb", depth)
    layer = G.add_layer(
        image, width, height, "rgb", False, (0, 0), texture.texture(width, height), "R'G'B'A float"
    )
    display = G.show(image)
    wait("the image window", lambda: windows("GIMP$"))
    time.sleep(1.0)
    return image, layer, display


def state(image):
    """Everything that undo must bring back, to the bit."""
    found = [(G.name(item), G.raw(item)) for item in G.layers(image)]
    first = G.layers(image)[-1]
    return found, [G.name(c) for c in G.channels(image)], G.selection_over(image, first)


def undo_and_redo():
    for label, depth, values in [
        ("in place", "u8-non-linear", {}),
        ("in place, float", "float-non-linear", {}),
        ("in place, gray of 32 bits", "u32-non-linear", {}),
        ("in place, grown", "u16-linear", {"grow": 5}),
        ("new layer", "u8-non-linear", {"output": "new-layer"}),
        ("new layer, grown", "float-linear", {"output": "new-layer", "grow": 5}),
    ]:
        image, layer, display = scene(depth)
        G.select_ellipse(image, 90, 60, 60, 50)
        G.flush()
        before = state(image)
        good, message, _ = G.call(INPAINT, image, layer, **values)
        after = state(image)
        check(label + ": fills", good and after != before, message)
        for turn in ("once", "twice"):
            press("ctrl+z")
            wait(label + ": undo " + turn, lambda: state(image) != after, 8)
            time.sleep(0.3)
            check(label + ": one undo gives every byte back, " + turn, state(image) == before)
            press("ctrl+y")
            wait(label + ": redo " + turn, lambda: state(image) != before, 8)
            time.sleep(0.3)
            check(label + ": redo gives the fill back, " + turn, state(image) == after)
        G.close(display)
        time.sleep(0.5)


# Pixels that a dialog may be high with its frame, which takes 30 of them.
HIGHEST, FRAME = 600, 30


def geometry(window):
    said = xdotool("getwindowgeometry", "--shell", window)
    box = dict(line.split("=", 1) for line in said.splitlines() if "=" in line)
    return {key: int(box[key]) for key in ("X", "Y", "WIDTH", "HEIGHT")}


def open_dialog(label):
    """The dialog's window, None where it does not come."""
    press(DIALOG_KEY)
    if not wait("the dialog, " + label, lambda: windows(DIALOG_NAME), 30):
        return None
    time.sleep(1.5)
    return windows(DIALOG_NAME)[-1]


def measure(label, window):
    """All of the dialog is on the screen, the buttons at its foot with it."""
    box = geometry(window)
    high = box["HEIGHT"] + FRAME
    check("%s: at most %d pixels high" % (label, HIGHEST), high <= HIGHEST, box)
    check(label + ": on the screen", box["Y"] >= 0 and box["Y"] + box["HEIGHT"] <= 900, box)
    say("    %s: %d x %d" % (label, box["WIDTH"], high))


def leave():
    press("Escape", DIALOG_NAME)
    wait("the dialog to go", lambda: not windows(DIALOG_NAME))
    time.sleep(0.3)


def left_with(**values):
    """As if the dialog had been left with these settings."""
    with open(os.path.join(os.environ["MEND_PROFILE_FOLDER"], "mend-inpaint.json"), "w") as file:
        json.dump(values, file)


def photo():
    image = G.load(PHOTO)
    display = G.show(image)
    layer = G.first_layer(image)
    wait("the image window", lambda: windows("GIMP$"))
    width, height = G.size(layer)
    G.select_ellipse(image, width * 0.4, height * 0.45, width * 0.2, height * 0.2)
    G.flush()
    time.sleep(2)
    return image, layer, display


def heights():
    """The dialog with no model, with every model, after a refusal, and with More opened."""
    name = "gimp%d-" % G.VERSION
    image, layer, display = photo()
    for label, engine, every in [
        ("dialog", "auto", False),
        ("every-model", "auto", True),
        ("diffusion", "diffusion", True),
        ("rad", "rad", True),
        ("lama", "lama", True),
    ]:
        models = os.environ["MEND_MODELS"]
        shutil.rmtree(models)
        if every:
            shutil.copytree(os.environ["MEND_EVERY"], models)
        else:
            os.makedirs(models)
        left_with(settings={"": {"engine": engine}})
        window = open_dialog(label)
        if window is None:
            continue
        measure(label, window)
        if label == "dialog":
            shot(name + "dialog", window)
        press("alt+m", DIALOG_NAME)
        time.sleep(0.7)
        measure(label + " with More", window)
        if label in ("dialog", "diffusion"):
            shot(name + label + "-more", window)
        leave()
    shutil.rmtree(os.environ["MEND_MODELS"])
    os.makedirs(os.environ["MEND_MODELS"])
    left_with()
    width, height = G.size(layer)
    G.select_rectangle(image, 0, 0, width, height)
    G.flush()
    window = open_dialog("everything is selected")
    if window is not None:
        measure("a refusal", window)
        press("alt+m", DIALOG_NAME)
        time.sleep(0.7)
        measure("a refusal with More", window)
        shot(name + "refusal", window)
        # There is no fill to start.
        press("Return", DIALOG_NAME)
        time.sleep(1)
        check("a refusal stays", windows(DIALOG_NAME))
        leave()
    # A mask for which there is neither a source nor a place to choose.
    mask = G.add_mask(layer)
    G.select_ellipse(image, width * 0.4, height * 0.45, width * 0.2, height * 0.2)
    G.flush()
    time.sleep(1)
    window = open_dialog("a mask")
    if window is not None:
        measure("a mask", window)
        shot(name + "mask", window)
        leave()
    check("leaving dialogs leaves the mask", G.raw(mask) == bytes([255]) * len(G.raw(mask)))
    G.close(display)


def engines():
    """Every engine's fill from the dialog, with numbers that have decimals."""
    models = os.environ["MEND_MODELS"]
    shutil.rmtree(models)
    shutil.copytree(os.environ["MEND_EVERY"], models)
    image, _, display = scene()
    G.select_ellipse(image, 90, 60, 40, 30)
    G.flush()
    before = state(image)
    for engine, own in [
        ("auto", {}),
        ("exemplar", {}),
        ("rethined", {}),
        ("migan", {}),
        ("lama", {}),
        ("diffusion", {"steps": 2, "guidance": 2.5, "strength": 0.75}),
        ("rad", {"steps": 3}),
    ]:
        left_with(settings={"": {"engine": engine}, engine: own})
        if open_dialog(engine) is None:
            continue
        press("Return", DIALOG_NAME)
        if wait("the fill by " + engine, lambda: state(image) != before, 60):
            after = state(image)
            check(engine + ": fills by the dialog", after[0] != before[0])
            press("ctrl+z")
            wait("undo " + engine, lambda: state(image) == before, 10)
        else:
            shot("gimp%d-%s" % (G.VERSION, engine))
            leave()
    if G.VERSION == 3:
        ended_early(image, before)
    shutil.rmtree(models)
    os.makedirs(models)
    left_with()
    G.close(display)


def ended_early(image, before):
    """A fill in steps is seen as it is made, and ends with what there is when the user says so."""
    own = {"steps": 900, "scheduler": "ddim"}
    left_with(settings={"": {"engine": "diffusion"}, "diffusion": own})
    window = open_dialog("steps")
    if window is None:
        return
    press("Return", DIALOG_NAME)
    time.sleep(0.4)
    press("alt+s", DIALOG_NAME)
    if wait("the fill that was ended early", lambda: state(image) != before, 20):
        check("the dialog went with it", not windows(DIALOG_NAME))
        press("ctrl+z")
        wait("undo what was ended early", lambda: state(image) == before, 10)
    else:
        shot("gimp3-not-ended")
        leave()


def dialog():
    left_with()
    image, layer, display = photo()
    before = state(image)
    window = open_dialog("at first")
    if window is not None:
        shot("gimp%d-screen" % G.VERSION)
        leave()
        check("leaving the dialog changes nothing", state(image) == before)
    if open_dialog("again") is not None:
        # The button has the focus: Enter fills.
        press("Return", DIALOG_NAME)
        wait("the fill", lambda: state(image) != before, 60)
        time.sleep(1)
        after = state(image)
        changed = [
            i // 3 for i in range(len(before[0][0][1])) if before[0][0][1][i] != after[0][0][1][i]
        ]
        check(
            "the dialog's fill stays in the selection",
            changed and all(before[2][i] for i in changed),
            len(changed),
        )
        shot("gimp%d-filled" % G.VERSION)
        press("alt+e")
        time.sleep(0.7)
        shot("gimp%d-undo" % G.VERSION)
        press("Escape")
        press("ctrl+z")
        wait("undo", lambda: state(image) != after)
        check("undo after the dialog", state(image) == before)
        press(REMOVE_KEY)
        wait("remove object", lambda: state(image) != before, 60)
        time.sleep(1)
        press("ctrl+z")
        wait("undo", lambda: state(image) == before)
        check("one undo takes Remove Object back", state(image) == before)
        # The dialog's fill once more, without it: nothing of Remove Object is left.
        press(AGAIN_KEY)
        wait("the fill again", lambda: state(image) != before, 60)
        time.sleep(1)
        check("again fills the same", state(image) == after)
        press("ctrl+z")
        wait("undo", lambda: state(image) != after)
    # A message, and not silence, when nothing is selected.
    G.select_none(image)
    G.flush()
    before = state(image)
    press(AGAIN_KEY)
    wait("the message", lambda: windows("GIMP Message"), 20)
    shot("gimp%d-message" % G.VERSION)
    check("a refusal changes nothing", state(image) == before)
    press("Return", "GIMP Message")
    wait("the message to go", lambda: not windows("GIMP Message"))
    # Filling a mask without a dialog says that it was the mask.
    mask = G.add_mask(layer)
    G.put(mask, (0, 0, *G.size(mask)), "Y u8", bytes(i % 251 for i in range(len(G.raw(mask)))))
    width, height = G.size(layer)
    G.select_ellipse(image, width * 0.4, height * 0.45, width * 0.1, height * 0.1)
    G.flush()
    time.sleep(1)
    before, of_layer = G.raw(mask), G.raw(layer)
    press(REMOVE_KEY)
    wait("the mask's fill", lambda: G.raw(mask) != before, 60)
    # GIMP has what a plug-in says for some seconds in the status bar.
    shot("gimp%d-mask-message" % G.VERSION)
    check("the mask's layer keeps its pixels", G.raw(layer) == of_layer)
    G.close(display)


def previews():
    """A fill that is chosen in the dialog is the one that is put in place; GIMP 2.10's dialog has
    no preview."""
    if G.VERSION < 3:
        return
    left_with()
    image, layer, display = photo()
    before = state(image)
    press(AGAIN_KEY)
    wait("the first fill", lambda: state(image) != before, 60)
    first = state(image)
    press("ctrl+z")
    wait("undo", lambda: state(image) == before)
    fills = []
    for key in ("alt+1", "alt+2", "alt+3"):
        if open_dialog("for a fill to choose") is None:
            return
        time.sleep(8)
        check("a preview changes nothing", state(image) == before)
        press(key, DIALOG_NAME)
        time.sleep(0.5)
        press("alt+f", DIALOG_NAME)
        wait("the chosen fill", lambda: state(image) != before, 60)
        time.sleep(0.5)
        fills.append(state(image))
        changed = [
            i // 3
            for i in range(len(before[0][0][1]))
            if before[0][0][1][i] != fills[-1][0][0][1][i]
        ]
        check("it stays in the selection", changed and all(before[2][i] for i in changed))
        press("ctrl+z")
        wait("undo of the chosen fill", lambda: state(image) == before, 10)
        check("one undo takes it back", state(image) == before)
    check("the first one is what Again fills", fills[0] == first)
    check("the others are others", fills[1] != fills[0] and fills[2] not in fills[:2])
    # Something else is selected while the dialog is open: that is filled.
    if open_dialog("for another selection") is not None:
        time.sleep(8)
        width, height = G.size(layer)
        G.select_rectangle(image, width // 10, height // 10, 50, 40)
        G.flush()
        then = state(image)
        press("alt+f", DIALOG_NAME)
        wait("the fill elsewhere", lambda: state(image) != then, 60)
        time.sleep(0.5)
        after = state(image)
        changed = [
            i // 3 for i in range(len(then[0][0][1])) if then[0][0][1][i] != after[0][0][1][i]
        ]
        check("what is selected then is filled", changed and all(then[2][i] for i in changed))
        press("ctrl+z")
        wait("undo of it", lambda: state(image) == then, 10)
    # Another set, and the pictures for the documentation.
    window = open_dialog("for another set")
    if window is not None:
        time.sleep(8)
        press("alt+a", DIALOG_NAME)
        time.sleep(8)
        measure("another set", window)
        shot("gimp3-another", window)
        leave()
    check("leaving it changes nothing", state(image) == before or state(image)[0] == before[0])
    G.close(display)


def megapixels():
    """Twelve megapixels and a hole of 200 pixels, two clicks: how long it takes."""
    left_with()
    if G.VERSION < 3:
        return
    image, layer, display = photo()
    image.scale(4000, 3000)
    G.flush()
    for turn in range(3):
        G.select_rectangle(image, 500 + 900 * turn, 1200, 200, 200)
        G.flush()
        time.sleep(4)
        around = (500 + 900 * turn, 1200, 200, 200)
        before = G.get(layer, around, "R'G'B' u8")
        window, begin = windows("GIMP$")[-1], time.time()
        xdotool("windowactivate", "--sync", window, "key", "--clearmodifiers", DIALOG_KEY)
        while not windows(DIALOG_NAME) and time.time() < begin + 30:
            time.sleep(0.02)
        there = time.time() - begin
        xdotool("key", "--clearmodifiers", "Return")
        while G.get(layer, around, "R'G'B' u8") == before and time.time() < begin + 60:
            time.sleep(0.1)
        whole = time.time() - begin
        check("filled by two clicks", G.get(layer, around, "R'G'B' u8") != before)
        say("    dialog after %.2f s, filled after %.2f s" % (there, whole))
        wait("the plug-in to end", lambda: not windows(DIALOG_NAME))
        time.sleep(1)
    G.close(display)


def plugins_running():
    found = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout
    return [line for line in found.splitlines() if "plug-ins/mend-inpaint/mend-inpaint" in line]


def click_cancel(done):
    """Presses the Cancel button in the image window's status bar, wherever it is there."""
    window = windows("GIMP$")[-1]
    said = xdotool("getwindowgeometry", "--shell", window)
    box = dict(line.split("=", 1) for line in said.splitlines() if "=" in line)
    width, height = int(box["WIDTH"]), int(box["HEIGHT"])
    xdotool("windowactivate", "--sync", window)
    # It stands left of the dock; what else lies there in that row does nothing when clicked.
    for x in range(int(width * 0.795), int(width * 0.66), -24):
        xdotool("mousemove", "--window", window, str(x), str(height - 18), "click", "1")
        time.sleep(0.4)
        if done():
            return


def filling(resting):
    """Whether a plug-in has read what is selected and is at work: its library, which has threads,
    is called only then."""
    found = subprocess.run(
        ["ps", "-eLo", "comm,args"], capture_output=True, text=True, check=True
    ).stdout
    lines = [line for line in found.splitlines() if "plug-ins/mend-inpaint/mend-inpaint" in line]
    return any(
        line.startswith("mend") and not line.startswith("mend-inpaint") for line in lines
    ) and (len(plugins_running()) > resting)


def meddling():
    """The user selects something else while a fill runs: it shows where it was asked for."""
    for turn in range(3):
        image, layer, display = scene("u8-non-linear", 1500, 1000)
        G.select_rectangle(image, 300, 200, 700, 600)
        G.flush()
        before = state(image)
        resting = len(plugins_running())
        press(AGAIN_KEY)
        if wait("the fill is at work", lambda: filling(resting), 60):
            # At work for longer and longer, up to the moment at which it lands.
            time.sleep(0.7 * turn)
            G.select_rectangle(image, 1100, 100, 300, 300)
            G.flush()
            other = G.selection_over(image, layer)
            wait("the fill to end", lambda: len(plugins_running()) <= resting, 120)
            # The program may still read what the plug-in wrote before it ended.
            wait("the fill to land", lambda: state(image) != before, 20)
            after = state(image)
            changed = {
                i // 3
                for i in range(len(before[0][0][1]))
                if before[0][0][1][i] != after[0][0][1][i]
            }
            check(
                "the fill is where it was asked for",
                len(changed) > 200000 and all(before[2][i] for i in changed),
                len(changed),
                [(i % 1500, i // 1500) for i in sorted(changed) if not before[2][i]][:3],
                [(i % 1500, i // 1500) for i in sorted(changed) if not before[2][i]][-3:],
            )
            check("the user's new selection stays", after[2] == other)
            check("no channel is left", after[1] == [])
        G.close(display)


def cancel():
    """GIMP's own Cancel in the middle of a fill that takes long."""
    image, layer, display = scene("u8-non-linear", 3000, 2000)
    G.select_rectangle(image, 300, 200, 2400, 1600)
    G.flush()
    before = state(image)
    resting = len(plugins_running())
    press(AGAIN_KEY)
    if wait("the fill runs", lambda: len(plugins_running()) > resting, 20):
        time.sleep(1.5)
        check("it is still running when it is cancelled", len(plugins_running()) > resting)
        click_cancel(lambda: len(plugins_running()) <= resting)
        check("GIMP's own Cancel ends the plug-in", len(plugins_running()) <= resting)
    time.sleep(1)
    after = state(image)
    check("cancelling changes nothing", after == before, [a == b for a, b in zip(after, before)])
    # GIMP lives: another fill works.
    G.select_ellipse(image, 300, 200, 60, 60)
    G.flush()
    good, message, _ = G.call(INPAINT, image, layer)
    check("a fill after a cancelled one", good and state(image) != before, message)
    G.close(display)


def models():
    """The dialog of the models, of GIMP 3 alone: a model is fetched, stopped, gone on with."""
    if G.VERSION < 3:
        return
    name = "^Mend: Models$"
    file = os.path.join(os.environ["MEND_EVERY"], "migan.pt")
    place = os.path.join(os.environ["MEND_MODELS"], "eraser")
    part, done = os.path.join(place, "migan.pt.part"), os.path.join(place, "mend-model.json")
    left_with()
    image, _, display = photo()
    before = state(image)

    def opened():
        press("alt+l", DIALOG_NAME)
        wait("the models", lambda: windows(name), 20)
        time.sleep(1)

    if open_dialog("for the models") is not None:
        press("alt+m", DIALOG_NAME)
        time.sleep(0.7)
        opened()
        shot("gimp3-models", windows(name)[-1])
        press("Escape", name)
        wait("the models to go", lambda: not windows(name))
        server = slow_server.Slow(file, os.environ["MEND_CATALOG"], "MIT")
        opened()
        # The first model of the list is the catalogue's own.
        press("alt+g", name)
        wait("half of it", lambda: os.path.exists(part) and os.path.getsize(part) > 50000)
        shot("gimp3-models-getting", windows(name)[-1])
        press("alt+a", name)
        time.sleep(1)
        half = os.path.getsize(part)
        check("a stopped fetch keeps its part", half > 50000 and not os.path.exists(done), half)
        press("alt+c", name)  # Continue
        wait("the model", lambda: os.path.exists(done))
        time.sleep(0.5)
        shot("gimp3-models-got", windows(name)[-1])
        press("Escape", name)
        wait("the models to go", lambda: not windows(name))
        # The dialog opens anew, with what came, and with More as it was.
        wait("the dialog again", lambda: windows(DIALOG_NAME), 20)
        time.sleep(1)
        shot("gimp3-models-after", windows(DIALOG_NAME)[-1])
        opened()
        press("alt+r", name)
        wait("the question", lambda: windows("^Mend$"))
        shot("gimp3-models-remove", windows("^Mend$")[-1])
        press("alt+r", "^Mend$")
        wait("it to go", lambda: not os.path.exists(done))
        time.sleep(0.5)
        press("Escape", name)
        time.sleep(1.5)
        leave()
        server.close()
    check("models change no picture", state(image) == before)
    left_with()
    G.close(display)


def larger():
    """An image that grows: what was there keeps its bits, one Undo takes all of it back, and Redo
    brings it again."""
    if G.VERSION != 3:
        return
    left_with()
    for output in ("in-place", "new-layer"):
        image, layer, display = scene()
        G.select_none(image)
        before, size = state(image), (image.get_width(), image.get_height())
        given = {"expand": "left=24,bottom=10%", "output": output}
        good, message, _ = G.call("plug-in-mend-expand", image, layer, **given)
        check("larger, %s: runs" % output, good, message)
        now = (image.get_width(), image.get_height())
        check("larger, %s: its size" % output, now == (264, 198), now)
        after = state(image)
        seen = G.get(
            G.layers(image)[-1], (24 if output == "in-place" else 0, 0, *size), "R'G'B' u8"
        )
        old = bytes(before[0][-1][1])
        check("larger, %s: what was there" % output, seen == old[: len(seen)])
        top = G.layers(image)[0]
        alphas = G.get(top, (0, 0, 24, 198), "R'G'B'A u8")[3::4]
        check("larger, %s: what is new" % output, set(alphas) == {255})
        press("ctrl+z")
        wait("one undo", lambda: (image.get_width(), image.get_height()) == size)
        check("larger, %s: one undo" % output, state(image) == before)
        press("ctrl+y")
        wait("one redo", lambda: (image.get_width(), image.get_height()) == now)
        check("larger, %s: one redo" % output, state(image)[0] == after[0])
        G.close(display)
    image, layer, display = photo()
    before = state(image)
    size = (image.get_width(), image.get_height())
    press(EXPAND_KEY)
    if wait("the dialog for a larger image", lambda: windows(DIALOG_NAME), 30):
        time.sleep(4)
        window = windows(DIALOG_NAME)[-1]
        measure("larger", window)
        shot("gimp3-expand", window)
        press("Return", DIALOG_NAME)
        wide = round(size[0] * 0.1)
        if wait("the larger image", lambda: image.get_width() == size[0] + 2 * wide, 60):
            time.sleep(0.5)
            press("ctrl+z")
            wait("undo", lambda: image.get_width() == size[0])
            check("larger, by the dialog: undo", state(image) == before)
        else:
            leave()
    left_with()
    G.close(display)


def selecting():
    """An object is selected by a click on the dialog's picture, and one Undo takes it back."""
    if G.VERSION != 3:
        return
    left_with()
    image, layer, display = photo()
    width, height = G.size(layer)
    G.select_none(image)
    G.put(layer, (300, 100, 120, 90), "R'G'B' u8", bytes((230, 20, 200)) * (120 * 90))
    G.flush()
    before = state(image)
    press(SELECT_KEY)
    if wait("the dialog to select", lambda: windows("^Mend: Select Object$"), 30):
        time.sleep(2.5)
        window = windows("^Mend: Select Object$")[-1]
        scale = min(720 / width, 400 / height)
        # The picture begins where the dialog's borders end.
        x, y = round(360 * scale) + 12, round(145 * scale) + 12
        xdotool("mousemove", "--window", window, str(x), str(y), "click", "1")
        time.sleep(1.5)
        shot("gimp3-select", window)
        press("alt+s", "^Mend: Select Object$")
        wait("the selection", lambda: state(image)[2] != before[2], 20)
        chosen = state(image)[2]
        inside = [chosen[(100 + y) * width + 300 + x] for y in range(5, 85) for x in range(5, 115)]
        check("selecting: the object", all(inside), inside.count(0))
        check("selecting: and little else", sum(map(bool, chosen)) < 140 * 110)
        check("selecting: no pixel changed", state(image)[0] == before[0])
        press("ctrl+z")
        wait("undo of the selection", lambda: state(image)[2] == before[2], 10)
        check("selecting: one undo", state(image) == before)
    left_with()
    G.close(display)


GROUPS = (
    undo_and_redo,
    heights,
    larger,
    selecting,
    models,
    engines,
    dialog,
    previews,
    megapixels,
    meddling,
    cancel,
)


def main():
    wanted = os.environ.get("MEND_GROUPS", "").split()
    for group in GROUPS:
        if wanted and group.__name__ not in wanted:
            continue
        begin = time.time()
        try:
            group()
        except Exception:
            FAILED.append(group.__name__)
            traceback.print_exc(file=LOG)
        say("== %s: %.1f s" % (group.__name__, time.time() - begin))
    say("%d checks, %d failed: %s" % (CHECKS[0], len(FAILED), "; ".join(FAILED)))
    say("PASSED" if not FAILED and CHECKS[0] else "FAILED")


main()
