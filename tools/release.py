#!/usr/bin/env python3
"""Makes a release of what is committed: checks it, builds the packages, and tags it.

    tools/release.py [--dry-run] [--skip-ci] [--built FOLDER] [--out FOLDER]

It wants a clean tree, and one version in Cargo.toml, in CHANGELOG.md's newest heading, in
CITATION.cff and in mend.h. It runs .ci/run, and writes into FOLDER (target/release-VERSION):

    mend-*.crate                     what `cargo publish` uploads; none may have more than 10 MiB
    mend-VERSION-SYSTEM.tar.gz       the command line, libmend and mend.h
    mend-VERSION-SYSTEM-gimp2.zip    for the folder plug-ins of GIMP 2.10, as `mend install` lays it
    mend-VERSION-SYSTEM-gimp3.zip    for that of GIMP 3
    mend-VERSION-SYSTEM-krita.zip    for Krita's Import Python Plugin from File
    SHA256SUMS

Then it makes the tag vVERSION. It uploads nothing: the commands for that are printed at the end.
With --dry-run what would stop a release is only told, packages are not compiled once more, and no
tag is made. --built takes `mend` and the library from FOLDER and does not build them.
"""

import argparse
import gzip
import hashlib
import io
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).parent / "api"))

import versions  # noqa: E402

TOP = Path(__file__).resolve().parents[1]
# In the order in which they need each other.
PACKAGES = ("mend-rethined-1", "mend-rethined-2", "mend-infer", "mend-inpaint", "mend-cli")
# What crates.io takes.
LIMIT = 10 << 20
# On which systems this runs: the program's and the library's name.
SYSTEMS = {"linux": ("mend", "libmend.so")}


def run(*command, **options):
    print("+ " + " ".join(map(str, command)), flush=True)
    return subprocess.run(command, cwd=TOP, check=True, **options)


def output(*command):
    return subprocess.run(command, cwd=TOP, check=True, stdout=subprocess.PIPE, text=True).stdout


def wrong(files, status, packages):
    """What stops a release, each with what to do. `files` gives the text of a file of the tree."""
    if status.strip():
        yield "the tree has changes that are not committed: commit or stash them"
    manifest = files("Cargo.toml")
    version = versions.of_packages(manifest)
    if version is None:
        yield "Cargo.toml has no version in [workspace.package]"
        return
    heading = versions.last_release(files("CHANGELOG.md"))
    if heading != version:
        yield "CHANGELOG.md's newest version is %s, Cargo.toml's %s: head what is new with it" % (
            heading or "'Unreleased'",
            version,
        )
    for name, has in sorted(packages.items()):
        if has != version:
            yield "%s has version %s, the others %s" % (name, has, version)
    for name, has in re.findall(r'^(mend\S*) = \{.*?\bversion = "([^"]+)"', manifest, re.MULTILINE):
        if has != version:
            yield "Cargo.toml asks for %s %s, the packages are %s" % (name, has, version)
    if not re.search(r"^repository\b", manifest, re.MULTILINE):
        yield "Cargo.toml has no `repository` in [workspace.package]: say where the sources are"
    yield from wrong_elsewhere(files, version, manifest)


def wrong_elsewhere(files, version, manifest):
    cited = re.search(r"^version: (\S+)", files("CITATION.cff"), re.MULTILINE)
    if not cited or cited.group(1) != version:
        yield "CITATION.cff has another version than %s" % version
    header = files("include/mend.h")
    if '#define MEND_VERSION "%s"' % version not in header:
        yield (
            "mend.h has another MEND_VERSION than %s: MEND_BLESS=1 cargo test --test capi header"
            % version
        )
    abi = re.search(r"^#define MEND_ABI_VERSION (\d+)", header, re.MULTILINE)
    library = re.search(
        r'^\[package\.metadata\.capi\.library\]\nversion = "(\d+)\.', manifest, re.MULTILINE
    )
    if not abi or not library or abi.group(1) != library.group(1):
        yield "the C library's version in Cargo.toml does not begin with MEND_ABI_VERSION"


def package_versions():
    about = json.loads(
        output("cargo", "metadata", "--locked", "--no-deps", "--format-version", "1")
    )
    found = {p["name"]: p["version"] for p in about["packages"] if p["publish"] != []}
    if set(found) != set(PACKAGES):
        sys.exit("release.py knows %s, the workspace has %s" % (sorted(PACKAGES), sorted(found)))
    return found


def make_crates(out, version, dry_run):
    """The packages as crates.io gets them, and the names of those that are too large."""
    names = [word for name in PACKAGES for word in ("-p", name)]
    dry = ["--no-verify", "--allow-dirty"] if dry_run else []
    run("cargo", "package", "--locked", "--quiet", *names, *dry)
    for name in PACKAGES:
        file = "%s-%s.crate" % (name, version)
        shutil.copy(TOP / "target/package" / file, out / file)
        size = (out / file).stat().st_size
        print("%-32s %9d bytes" % (file, size))
        if size > LIMIT:
            yield "%s has %d bytes; crates.io takes %d" % (file, size, LIMIT)


def entries(folder):
    """All files under a folder, in one order, by the names that an archive has for them."""
    paths = (p for p in folder.rglob("*") if p.is_file() or p.is_symlink())
    return sorted((p.relative_to(folder).as_posix(), p) for p in paths)


def write_tar(path, folder, seconds):
    """A folder as .tar.gz: the same bytes for the same files."""

    def owned(about):
        about.uid = about.gid = 0
        about.uname = about.gname = "root"
        about.mtime = seconds
        return about

    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for name, file in entries(folder):
            archive.add(file, name, recursive=False, filter=owned)
    with path.open("wb") as file, gzip.GzipFile("", "wb", 9, file, mtime=seconds) as stream:
        stream.write(packed.getvalue())


def write_zip(path, folder):
    """A folder as .zip, with its files' modes, dated to the first day that ZIP knows."""
    with zipfile.ZipFile(path, "w") as archive:
        for name, file in entries(folder):
            about = zipfile.ZipInfo(name)
            about.compress_type = zipfile.ZIP_DEFLATED
            about.create_system = 3
            about.external_attr = (0o100000 | (file.stat().st_mode & 0o777)) << 16
            archive.writestr(about, file.read_bytes())


def lay_out(built, folder):
    """The command line, the C library with its links, the header, and what a user should read."""
    program, library = SYSTEMS[sys.platform]
    header = (TOP / "include/mend.h").read_text(encoding="utf-8")
    abi = re.search(r"^#define MEND_ABI_VERSION (\d+)", header, re.MULTILINE)
    if abi is None:
        sys.exit("include/mend.h has no MEND_ABI_VERSION")
    for name in ("bin", "lib", "include"):
        (folder / name).mkdir(parents=True)
    shutil.copy(built / program, folder / "bin" / program)
    full = "%s.%s" % (library, abi.group(1))
    shutil.copy(built / library, folder / "lib" / full)
    (folder / "lib" / library).symlink_to(full)
    for name in ("README.md", "CHANGELOG.md", "LICENSE-MIT", "LICENSE-APACHE"):
        shutil.copy(TOP / name, folder / name)
    # CLIP's words have a licence of their own.
    shutil.copy(
        TOP / "crates/mend-infer/src/models/clip/merges.LICENSE", folder / "LICENSE-CLIP-MERGES"
    )
    shutil.copy(TOP / "include/mend.h", folder / "include/mend.h")


def make_archives(out, version, built):
    """What users install: program and library, and the plug-ins as `mend install` lays them."""
    program, library = SYSTEMS[sys.platform]
    machine = output("rustc", "-vV").split("host: ")[1].split("\n")[0]
    stem = "mend-%s-%s" % (version, machine)
    seconds = int(output("git", "log", "-1", "--format=%ct"))
    with tempfile.TemporaryDirectory() as work:
        folder = Path(work, stem)
        lay_out(built, folder)
        write_tar(out / (stem + ".tar.gz"), folder.parent, seconds)

        mend, lib = folder / "bin" / program, folder / "lib" / library
        said = output(mend, "--version").strip()
        if said.split()[-1] != version:
            sys.exit("%s says that it is '%s', not %s" % (built / program, said, version))
        gimp = Path(work, "gimp")
        (gimp / "2.10").mkdir(parents=True)
        (gimp / "3.0").mkdir()
        home = {
            "HOME": work,
            "PATH": os.environ["PATH"],
            "GIMP2_DIRECTORY": str(gimp / "2.10"),
            "GIMP3_DIRECTORY": str(gimp / "3.0"),
        }
        run(mend, "install", "gimp", "--quiet", "--library", lib, env=home)
        write_zip(out / (stem + "-gimp2.zip"), gimp / "2.10" / "plug-ins")
        write_zip(out / (stem + "-gimp3.zip"), gimp / "3.0" / "plug-ins")
        krita = out.resolve() / (stem + "-krita.zip")
        run(mend, "install", "krita", "--quiet", "--library", lib, "--zip", krita, env=home)


def sums(out):
    """SHA256SUMS over all that lies there."""
    files = sorted(p for p in out.iterdir() if p.name != "SHA256SUMS")
    lines = ["%s  %s\n" % (hashlib.sha256(p.read_bytes()).hexdigest(), p.name) for p in files]
    (out / "SHA256SUMS").write_text("".join(lines))
    print("".join(lines), end="")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--dry-run", action="store_true", help="stop for nothing, tag nothing")
    parser.add_argument("--skip-ci", action="store_true", help="without .ci/run")
    parser.add_argument(
        "--built", type=Path, metavar="FOLDER", help="where mend and the library are"
    )
    parser.add_argument("--out", type=Path, metavar="FOLDER", help="where the packages go")
    args = parser.parse_args()
    if sys.platform not in SYSTEMS:
        sys.exit("release.py makes packages for %s only" % ", ".join(SYSTEMS))

    packages = package_versions()
    problems = list(
        wrong(
            lambda name: (TOP / name).read_text(encoding="utf-8"),
            output("git", "status", "--porcelain"),
            packages,
        )
    )
    version = packages["mend-inpaint"]
    tag = "v" + version
    if output("git", "tag", "--list", tag).strip():
        problems.append("there is a tag %s already: raise the version" % tag)
    stop(problems, args.dry_run)

    if not args.skip_ci and not args.dry_run:
        run(".ci/run")
    out = args.out or TOP / "target" / ("release-" + version)
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    stop(list(make_crates(out, version, args.dry_run)), args.dry_run)
    if not args.built:
        run("cargo", "build", "--locked", "--release")
    make_archives(out, version, args.built or TOP / "target/release")
    sums(out)
    if args.dry_run:
        print("A dry run: %s is not tagged." % tag)
        return
    run("git", "tag", "--annotate", tag, "--message", "Mend " + version)
    print("Made %s in %s. To publish:" % (tag, out))
    print("    git push origin " + tag)
    print("    cargo publish --locked " + " ".join("-p " + name for name in PACKAGES))


def stop(problems, dry_run):
    for problem in problems:
        print("%s: %s" % ("would stop" if dry_run else "release.py", problem), file=sys.stderr)
    if problems and not dry_run:
        sys.exit(1)


if __name__ == "__main__":
    main()
