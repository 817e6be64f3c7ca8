#!/bin/bash
# The Krita plug-in in a real Krita under Xvfb: installs it with 'mend install krita' into a profile
# of its own, then runs krita/main.py inside. A line a case; not 0 if anything failed.
#
#   tests/hosts/krita.sh                  this system's Krita
#   tests/hosts/krita.sh --root FOLDER    the Krita of a Debian in FOLDER (as root)
#   tests/hosts/krita.sh --only 'RGBA U8|cancel'    the cases whose names contain one of these
#   tests/hosts/krita.sh --fresh          a Krita that was never started: only that the plug-in is there
#
# Needs krita, python3-pyqt5 (without it Krita's scripting hangs), xvfb and cc.
# MEND names the mend program (default: target/release/mend with target/release/libmend.so beside
# it), IMAGES the folder for the screenshots (default: thrown away), LIMIT seconds (default 900).
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
top=$(cd "$here/../.." && pwd)
mend=${MEND:-$top/target/release/mend}
root=
only=
fresh=
while [ $# -gt 0 ]; do
    case $1 in
        --root) root=${2%/}; shift 2 ;;
        --only) only=$2; shift 2 ;;
        --fresh) fresh=yes; only="menu and shortcuts"; shift ;;
        *) echo "krita.sh: unknown argument $1: see the head of the file" >&2; exit 2 ;;
    esac
done
[ -x "$mend" ] || { echo "krita.sh: $mend is missing: cargo build --release" >&2; exit 2; }
[ -x "$root/usr/bin/krita" ] || { echo "krita.sh: there is no Krita in $root/usr/bin" >&2; exit 2; }

work=$(mktemp -d "$root/tmp/mend-krita-XXXXXX")
trap 'rm -rf "$work"' EXIT
inside=${work#"$root"} # as Krita sees it
mkdir -p "$work/config" "$work/run" "$work/out"
chmod 700 "$work/run"

# Unless it is fresh, a first start has run: Krita's own settings are there, where somebody keeps such
# files, and stay.
rc=$work/config/kritarc
if [ -z "$fresh" ]; then
    mkdir -p "$work/data/krita" "$work/dotfiles"
    printf '[General]\nuserName=somebody\n' > "$work/dotfiles/kritarc"
    chmod 640 "$work/dotfiles/kritarc"
    ln -s ../dotfiles/kritarc "$rc"
fi
# No OpenGL under Xvfb.
printf '[OpenGL]\nOpenGLRenderer=none\n' > "$work/config/kritadisplayrc"
install() { HOME=$work XDG_DATA_HOME=$work/data XDG_CONFIG_HOME=$work/config "$mend" install krita "$@"; }
install
"$mend" install krita --zip "$work/out/mend.zip" > /dev/null
kept() {
    [ -n "$fresh" ] && return
    grep -q '^userName=somebody$' "$rc" || { echo "FAIL kritarc lost a setting"; exit 1; }
    [ -L "$rc" ] && [ "$(stat -c %a "$work/dotfiles/kritarc")" = 640 ] ||
        { echo "FAIL kritarc is no link any more, or has another mode"; exit 1; }
}
kept

# The driver is for tests only; users never get it.
driver=$work/data/krita/pykrita/mend_test_driver
mkdir -p "$driver"
cp "$here/krita/driver.py" "$driver/__init__.py"
cat > "$driver.desktop" <<'END'
[Desktop Entry]
Type=Service
ServiceTypes=Krita/PythonPlugin
X-KDE-Library=mend_test_driver
X-Python-2-Compatible=false
Name=Mend test driver
Comment=Runs a test inside Krita
END
sed -i --follow-symlinks 's/^\[python\]$/[python]\nenable_mend_test_driver=true/' "$rc"
grep -q '^enable_mend_inpaint=true$' "$rc" || { echo "FAIL not enabled"; exit 1; }
cp -r "$here/krita" "$work/cases"
cp "$top/examples/photos/lighthouse.png" "$top/tests/golden/migan.pt" "$here/slow_server.py" \
    "$work/cases/"
mkdir -p "$work/data/mend/models"
PYTHONPATH=$here python3 -B -c 'import sys, tiny_model; tiny_model.make(*sys.argv[1:])' \
    "$top/tests/golden" "$work/data/mend/models/tiny"
echo 'unsigned mend_abi_version(void) { return 999; }' |
    cc -shared -fPIC -x c -o "$work/out/libother.so" -

run=(env HOME="$inside" XDG_DATA_HOME="$inside/data" XDG_CONFIG_HOME="$inside/config"
    XDG_RUNTIME_DIR="$inside/run" MEND_TEST_SCRIPT="$inside/cases/main.py" MEND_TEST_LOG="$inside/log"
    MEND_TEST_OUT="$inside/out" MEND_TEST_ONLY="$only"
    MEND_TINY="$inside/data/mend/models/tiny"
    xvfb-run -a -s '-screen 0 1400x900x24' krita --nosplash)
if [ -n "$root" ]; then run=(chroot "$root" "${run[@]}"); fi
: > "$work/log"
status=0
timeout -k 10 "${LIMIT:-900}" "${run[@]}" > "$work/output" 2>&1 &
krita=$!
tail -n +1 -f --pid=$krita "$work/log"
wait $krita || status=$?
if [ $status -ne 0 ]; then
    echo "krita.sh: Krita ended with $status; the last of what it printed:"
    grep -v -i qml "$work/output" | tail -n 30
fi
if [ -n "${IMAGES:-}" ] && ls "$work/out/"*.png > /dev/null 2>&1; then
    mkdir -p "$IMAGES"
    cp "$work/out/"*.png "$IMAGES/"
fi
# What Krita and the plug-in wrote meanwhile: the plug-in's goes, all else stays.
[ -n "$fresh" ] || grep -q '^\[mend_inpaint\]$' "$rc" || echo "(the plug-in stored nothing)"
install --uninstall > /dev/null || status=1
kept
if grep -q mend_inpaint "$rc" || [ -e "$work/data/krita/pykrita/mend_inpaint" ]; then
    echo "FAIL uninstalling left:"; grep mend_inpaint "$rc"; status=1
fi
grep -q '^enable_mend_test_driver=true$' "$rc" || { echo "FAIL uninstalling took too much"; status=1; }
exit $status
