#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""Installs the plug-in into a real GIMP as a user does, runs the cases in it, and uninstalls.

    run.py 2            GIMP 2.10 of this system
    run.py 3 --root R   GIMP 3 in a Debian 13 root folder R (made by ../debian13.sh)
    run.py 3            GIMP 3 of this system

--only console, or --only screen, runs one half; --groups names groups of cases; --shots FOLDER
keeps the pictures of the screen; --docs puts the dialog's into docs/images. Needs
target/release/mend and the library beside it (or --mend PATH).
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(HERE))
import tiny_model  # noqa: E402

REPOSITORY = os.path.dirname(os.path.dirname(os.path.dirname(HERE)))
KEYS = [
    ("F7", "plug-in-mend-inpaint"),
    ("F8", "plug-in-mend-inpaint-again"),
    ("F9", "plug-in-mend-remove-object"),
    ("F10", "plug-in-mend-expand"),
    ("F11", "plug-in-mend-select-object"),
]
DOCUMENTED = ["gimp%d-dialog.png", "gimp%d-dialog-more.png"]
DOCUMENTED_3 = ["gimp3-models.png"]  # GIMP 2.10 has no dialog of the models
PROFILES = [
    "/usr/share/color/icc/ghostscript/a98.icc",
    "/usr/share/color/icc/ghostscript/rommrgb.icc",
    "/usr/share/color/icc/colord/AdobeRGB1998.icc",
]


class Run:
    def __init__(self, options):
        self.options = options
        self.root = os.path.abspath(options.root) if options.root else ""
        self.work = tempfile.mkdtemp(
            prefix="mend-gimp-", dir=self.root + "/tmp" if self.root else None
        )
        self.profile = os.path.join(self.work, "profile")
        self.shots = os.path.join(self.work, "shots")
        os.makedirs(self.profile)
        os.makedirs(self.shots)
        shutil.copytree(HERE, os.path.join(self.work, "tests"))
        slow = os.path.join(os.path.dirname(HERE), "slow_server.py")
        shutil.copy(slow, os.path.join(self.work, "tests"))
        with open(os.path.join(self.work, "catalog.json"), "w") as file:
            file.write('{"models": []}')
        tiny_model.make(
            os.path.join(REPOSITORY, "tests", "golden"), os.path.join(self.work, "tiny")
        )
        # A model of every engine, tiny, for the cases that want them; the models folder is empty.
        shutil.copytree(os.path.join(self.work, "tiny"), os.path.join(self.work, "every", "tiny"))
        for name in ("migan.pt", "lama.safetensors", "rad.safetensors"):
            shutil.copy(
                os.path.join(REPOSITORY, "tests", "golden", name), os.path.join(self.work, "every")
            )
        os.makedirs(os.path.join(self.work, "models"))
        self.failed = []

    def inside(self, path):
        """The path as GIMP sees it."""
        return path[len(self.root) :] if self.root else path

    def variable(self):
        return "GIMP%d_DIRECTORY" % self.options.version

    def mend(self, *words):
        environment = {
            k: v for k, v in os.environ.items() if k not in ("GIMP2_DIRECTORY", "GIMP3_DIRECTORY")
        }
        environment[self.variable()] = self.profile
        print("+ mend", *words, flush=True)
        subprocess.run([self.options.mend, *words], env=environment, check=True)

    def prepare(self):
        with open(os.path.join(self.profile, "gimprc"), "w") as file:
            if self.options.version == 3:
                file.write('(show-welcome-dialog no)\n(check-updates no)\n')
                file.write('(config-version "%s")\n' % self.version())
        with open(os.path.join(self.profile, "shortcutsrc"), "w") as file:
            file.write("(file-version 1)\n")
            file.writelines(
                '(action "%s" "<Primary><Shift>%s")\n' % (action, key) for key, action in KEYS
            )
        with open(os.path.join(self.profile, "menurc"), "w") as file:
            file.writelines(
                '(gtk_accel_path "<Actions>/plug-in/%s" "<Primary><Shift>%s")\n' % (action, key)
                for key, action in KEYS
            )
        self.before = self.tree()
        self.mend("install", "gimp", "--dry-run")
        if self.tree() != self.before:
            self.failed.append("a dry run changed something")
        self.mend("install", "gimp")
        # Another library in its place: of another version, and of another kind.
        for name, source in [
            ("other-abi", "unsigned mend_abi_version(void) { return 2; }"),
            ("not-mend", "int unrelated = 1;"),
        ]:
            path = os.path.join(self.work, name)
            with open(path + ".c", "w") as file:
                file.write(source + "\n")
            if shutil.which("cc"):
                subprocess.run(
                    ["cc", "-shared", "-fPIC", "-o", path + ".so", path + ".c"], check=True
                )
        if self.options.version == 2:
            folder = os.path.join(self.profile, "plug-ins", "mend-test")
            os.makedirs(folder)
            shutil.copy(os.path.join(HERE, "mend-test"), folder)

    def has_locale(self):
        """Without it everything would run, and nothing of the locale would be tried."""
        found = subprocess.run(
            [*self.chroot(), "locale", "-a"], capture_output=True, text=True, check=True
        )
        plain = [line.lower().replace("-", "") for line in found.stdout.split()]
        return self.options.locale.lower().replace("-", "") in plain

    def version(self):
        found = subprocess.run(
            [*self.chroot(), "gimp-console-3.0", "--version"],
            capture_output=True,
            text=True,
            check=True,
        )
        return found.stdout.split()[-1]

    def tree(self):
        found = set()
        for folder, folders, files in os.walk(self.profile):
            found.update(os.path.join(folder, name) for name in folders + files)
        return found

    def chroot(self):
        return ["chroot", self.root] if self.root else []

    def gimp(self, script, screen):
        """Runs a test file inside GIMP and reads its verdict."""
        log = os.path.join(self.work, script + ".log")
        tests = os.path.join(self.work, "tests")
        environment = dict(os.environ)
        photo = os.path.join(self.work, "photo.jpg")
        shutil.copy(self.options.photo, photo)
        environment.update(
            {
                "HOME": self.inside(self.work),
                self.variable(): self.inside(self.profile),
                "MEND_HOST": "host%d" % self.options.version,
                "MEND_TESTS": self.inside(tests),
                "MEND_LOG": self.inside(log),
                "MEND_SHOTS": self.inside(self.shots),
                "MEND_PLUGIN": self.inside(os.path.join(self.profile, "plug-ins", "mend-inpaint")),
                "MEND_TEST": self.inside(os.path.join(tests, script)),
                "MEND_OTHERS": self.inside(self.work),
                "MEND_TINY": self.inside(os.path.join(self.work, "tiny")),
                "MEND_TINY_RAD": self.inside(os.path.join(self.work, "every", "rad.safetensors")),
                "MEND_EVERY": self.inside(os.path.join(self.work, "every")),
                "MEND_MODELS": self.inside(os.path.join(self.work, "models")),
                "MEND_CATALOG": self.inside(os.path.join(self.work, "catalog.json")),
                "MEND_PROFILE_FOLDER": self.inside(self.profile),
                "MEND_GROUPS": self.options.groups,
                "MEND_PHOTO": self.inside(photo),
                "PYTHONDONTWRITEBYTECODE": "1",
                "LANG": self.options.locale,
                # Numbers as that locale has them; the words that the cases look for stay English.
                "LANGUAGE": "en",
                "NO_AT_BRIDGE": "1",
            }
        )
        for name in [n for n in environment if n.startswith("LC_")]:
            environment.pop(name)
        for name in ("XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_CACHE_HOME", "MEND_LIBRARY"):
            environment.pop(name, None)
        profiles = [p for p in PROFILES if os.path.exists(p)]
        if profiles:
            shutil.copy(profiles[0], os.path.join(self.work, "wide.icc"))
            environment["MEND_PROFILE"] = self.inside(os.path.join(self.work, "wide.icc"))
        major = self.options.version
        binary = {
            (2, False): "gimp-console-2.10",
            (2, True): "gimp-2.10",
            (3, False): "gimp-console-3.0",
            (3, True): "gimp-3.0",
        }[major, screen]
        if major == 2:
            words = ["-s", "-b", "(plug-in-mend-test RUN-NONINTERACTIVE)", "-b", "(gimp-quit 1)"]
        else:
            code = "import os; exec(compile(open(os.environ['MEND_TEST']).read(), 'test', 'exec'))"
            words = ["--no-splash", "--quit", "--batch-interpreter=python-fu-eval", "-b", code]
        if not screen:
            words.insert(0, "-i")
        output = os.path.join(self.work, script + ".out")
        begin = time.time()
        # As root, GIMP may leave helpers behind: none of their output is waited for.
        with open(output, "wb") as out:
            process = subprocess.Popen(
                [*self.chroot(), "timeout", "-k", "5", str(self.options.timeout), binary, *words],
                env=environment,
                stdout=out,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                cwd="/",
            )
            while process.poll() is None:
                if screen:
                    self.take_shots()
                    if verdict(log):
                        # The screen's GIMP asks about unsaved images; its work is done.
                        time.sleep(1)
                        process.terminate()
                        process.wait()
                        break
                time.sleep(0.2)
        said = open(log, encoding="utf-8").read() if os.path.exists(log) else ""
        print(said, end="")
        print("%s: %.0f s" % (script, time.time() - begin), flush=True)
        if verdict(log) != "PASSED":
            self.failed.append(script)
            with open(output, encoding="utf-8", errors="replace") as file:
                print("".join(file.readlines()[-40:]))

    def start_without_library(self):
        """GIMP's first start after an installation whose library is gone: the procedures are
        there."""
        library = os.path.join(self.profile, "plug-ins", "mend-inpaint", "libmend.so")
        os.rename(library, library + ".kept")
        for name in ("pluginrc",):
            path = os.path.join(self.profile, name)
            if os.path.exists(path):
                os.remove(path)
        try:
            self.gimp("nolibrary.py", False)
        finally:
            os.rename(library + ".kept", library)

    def documented(self):
        """The examples of docs/gimp.md, as they stand there, in a folder with a photo.jpg."""
        with open(os.path.join(REPOSITORY, "docs", "gimp.md"), encoding="utf-8") as file:
            text = file.read()
        found = re.findall(
            r"```(scheme|python) gimp-%d\n(.*?)```" % self.options.version, text, re.DOTALL
        )
        folder = os.path.join(self.work, "examples")
        os.makedirs(folder)
        shutil.copy(self.options.photo, os.path.join(folder, "photo.jpg"))
        filled = os.path.join(folder, "filled.png")
        for language, code in found:
            if self.options.version == 2:
                words = ["gimp-console-2.10", "-i", "-b", code, "-b", "(gimp-quit 1)"]
            else:
                interpreter = {"scheme": "plug-in-script-fu-eval", "python": "python-fu-eval"}
                words = [
                    "gimp-console-3.0",
                    "-i",
                    "--quit",
                    "--batch-interpreter=" + interpreter[language],
                    "-b",
                    code,
                ]
            environment = dict(os.environ, HOME=self.inside(self.work))
            environment[self.variable()] = self.inside(self.profile)
            # The shell changes the folder after the root folder is changed.
            words = [
                "sh",
                "-c",
                'cd "$0" && exec "$@"',
                self.inside(folder),
                "timeout",
                "120",
                *words,
            ]
            done = subprocess.run(
                self.chroot() + words,
                env=environment,
                check=False,
                capture_output=True,
                stdin=subprocess.DEVNULL,
                text=True,
                errors="replace",
                cwd="/",
            )
            good = os.path.exists(filled) and os.path.getsize(filled) > 100000
            print(
                "the %s example of the documentation: %s" % (language, "ok" if good else "FAILED")
            )
            if good:
                os.remove(filled)
            else:
                self.failed.append("the documented %s example" % language)
                print(done.stdout[-2000:], done.stderr[-2000:])
        if not found:
            self.failed.append("docs/gimp.md has no examples")

    def take_shots(self):
        for name in os.listdir(self.shots):
            if not name.endswith(".want"):
                continue
            want = os.path.join(self.shots, name)
            with open(want) as file:
                window = file.read()
            picture = os.path.join(self.shots, name[:-5] + ".png")
            frame = [] if window == "root" else ["-frame"]
            subprocess.run(["import", *frame, "-window", window, picture], check=False)
            os.remove(want)

    def screen(self):
        display = free_display()
        os.environ["DISPLAY"] = display
        started = []
        try:
            started.append(
                subprocess.Popen(
                    ["Xvfb", display, "-screen", "0", "1400x900x24", "-ac"],
                    stderr=subprocess.DEVNULL,
                )
            )
            time.sleep(1.5)
            started.append(subprocess.Popen(["openbox"], stderr=subprocess.DEVNULL))
            time.sleep(0.5)
            self.gimp("gui.py", True)
        finally:
            for process in reversed(started):
                process.terminate()
                process.wait()
        if self.options.shots:
            os.makedirs(self.options.shots, exist_ok=True)
            for name in os.listdir(self.shots):
                shutil.copy(os.path.join(self.shots, name), self.options.shots)
        if self.options.docs:
            names = [name % self.options.version for name in DOCUMENTED]
            for name in names + (DOCUMENTED_3 if self.options.version == 3 else []):
                shutil.copy(
                    os.path.join(self.shots, name), os.path.join(REPOSITORY, "docs", "images")
                )

    def finish(self):
        self.mend("install", "gimp", "--uninstall")
        left = [
            path
            for path in self.tree() - self.before
            if "mend" in os.path.basename(path) and "mend-test" not in path
        ]
        if left:
            self.failed.append("uninstalling left " + ", ".join(sorted(left)))
        if self.failed:
            print("FAILED: %s; see %s" % ("; ".join(self.failed), self.work))
            return 1
        shutil.rmtree(self.work, ignore_errors=True)
        print("GIMP %d: all passed" % self.options.version)
        return 0


def verdict(log):
    try:
        with open(log, encoding="utf-8") as file:
            lines = file.read().split("\n")
    except OSError:
        return ""
    return lines[-2] if len(lines) > 1 and lines[-2] in ("PASSED", "FAILED") else ""


def free_display():
    for number in range(90, 200):
        if not os.path.exists("/tmp/.X%d-lock" % number):
            return ":%d" % number
    raise SystemExit("no X display is free")


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("version", type=int, choices=(2, 3))
    parser.add_argument("--root", default="")
    parser.add_argument("--only", choices=("console", "screen"))
    parser.add_argument("--groups", default="")
    parser.add_argument("--shots", default="")
    parser.add_argument("--docs", action="store_true")
    parser.add_argument("--locale", default="C.UTF-8")
    parser.add_argument("--timeout", type=int, default=900)
    parser.add_argument("--mend", default=os.path.join(REPOSITORY, "target", "release", "mend"))
    parser.add_argument("--photo", default=os.path.join(REPOSITORY, "tests", "data", "boat.jpg"))
    options = parser.parse_args()
    run = Run(options)
    if not run.has_locale():
        raise SystemExit("the locale %s is missing: see debian12.sh" % options.locale)
    run.prepare()
    if run.options.only != "screen":
        run.start_without_library()
        run.gimp("cases.py", False)
        run.documented()
    if run.options.only != "console":
        run.screen()
    sys.exit(run.finish())


main()
