#!/usr/bin/env python3
"""Compares the public interfaces with the lists in docs/api.

    tools/api/check.py rust         the Rust library's, docs/api/rust.txt
    tools/api/check.py c [LIBRARY]  the C library's, docs/api/c.txt; LIBRARY exports just these
    … --bless                       writes the list anew

A line that goes is something that a user may miss. In Rust that needs a version that may break
(0.x: the second number, else the first) since the last release in CHANGELOG.md. In C nothing goes
while MEND_ABI_VERSION stays. New lines are welcome; --bless adds them. The list to compare with is
that of the last release's tag, and where git does not have the tag the last commit's.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).parent))

import c  # noqa: E402
import rust  # noqa: E402
import versions  # noqa: E402

TOP = Path(__file__).resolve().parents[2]
LISTS = "docs/api"


def rust_lines():
    """What `cargo rustdoc` says of the library, and of the crate below, which it hands parts of."""
    with tempfile.TemporaryDirectory() as folder:
        # The nightly option in rustdoc alone: cargo and the compiler keep what they have built.
        rustdoc = Path(folder, "rustdoc")
        rustdoc.write_text('#!/bin/sh\nRUSTC_BOOTSTRAP=1 exec rustdoc "$@"\n')
        rustdoc.chmod(0o755)
        documents = []
        for package, library in (("mend-inpaint", "mend"), ("mend-infer", "mend_infer")):
            target = TOP / "target"
            of_cargo = ["--locked", "--quiet", "--lib", "-p", package, "--target-dir", target]
            of_rustdoc = [
                "-Z",
                "unstable-options",
                "--output-format",
                "json",
                "--cap-lints",
                "allow",
            ]
            subprocess.run(
                ["cargo", "rustdoc", *of_cargo, "--", *of_rustdoc],
                cwd=TOP,
                env={**os.environ, "RUSTDOC": str(rustdoc)},
                check=True,
            )
            documents.append(json.loads((target / "doc" / (library + ".json")).read_bytes()))
    return rust.Crates(documents).listed()


def c_lines(library):
    listed = c.lines((TOP / "include/mend.h").read_text(encoding="utf-8"))
    if library:
        exported = subprocess.run(
            ["nm", "-D", "--defined-only", library], check=True, capture_output=True, text=True
        ).stdout.split("\n")
        exported = sorted(line.split()[-1] for line in exported if line.strip())
        if exported != c.functions(listed):
            different = set(exported) ^ set(c.functions(listed))
            sys.exit("%s and include/mend.h differ in %s" % (library, ", ".join(sorted(different))))
    return listed


def read(text):
    """The lines of a list, without what explains it."""
    return [line for line in text.splitlines() if line and not line.startswith("# ")]


def at(revision, path):
    """A file as it was then; None where git does not have it."""
    shown = subprocess.run(
        ["git", "show", "%s:%s" % (revision, path)],
        cwd=TOP,
        capture_output=True,
        text=True,
        check=False,
    )
    return shown.stdout if shown.returncode == 0 else None


def objection(which, gone, old, new, now, released):
    """Why these lines may not go; None where they may."""
    if not gone:
        return None
    if which == "c":
        if c.abi_version(old) != c.abi_version(new):
            return None
        return "the C interface lost or changed these while MEND_ABI_VERSION is still %s" % (
            c.abi_version(new)
        )
    if released is None or versions.may_break(now, released):
        return None
    return "these went since %s, and %s may not break: raise the version" % (released, now)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("which", choices=["rust", "c"])
    parser.add_argument(
        "library", nargs="?", help="libmend.so, to compare its symbols with the header"
    )
    parser.add_argument("--bless", action="store_true", help="write the list anew")
    args = parser.parse_args()

    path = "%s/%s.txt" % (LISTS, args.which)
    new = rust_lines() if args.which == "rust" else c_lines(args.library)
    released = versions.last_release((TOP / "CHANGELOG.md").read_text(encoding="utf-8"))
    tagged = at("v%s" % released, path) if released else None
    old = read(tagged or at("HEAD", path) or "")
    gone = sorted(set(old) - set(new))
    now = versions.of_packages((TOP / "Cargo.toml").read_text(encoding="utf-8"))
    why = objection(args.which, gone, old, new, now, released)
    if why:
        sys.exit("%s\n%s" % ("\n".join("- " + line for line in gone), why))

    file = TOP / path
    if args.bless:
        file.parent.mkdir(parents=True, exist_ok=True)
        head = "# Written by `tools/api/check.py %s --bless`.\n\n" % args.which
        file.write_text(head + "\n".join(new) + "\n", encoding="utf-8")
        print("%s: %d lines" % (path, len(new)))
        return
    listed = read(file.read_text(encoding="utf-8")) if file.exists() else []
    changes = ["- " + line for line in listed if line not in set(new)]
    changes += ["+ " + line for line in new if line not in set(listed)]
    if changes:
        sys.exit(
            "%s\n%s is not what the sources say. If that is meant: tools/api/check.py %s --bless"
            % ("\n".join(changes), path, args.which)
        )
    print("%s holds: %d lines" % (path, len(new)))


if __name__ == "__main__":
    main()
