#!/bin/sh
# Installs the C library into a scratch folder with cargo-c, as a packager would, then builds and
# runs programs against what was installed: shared and static, found by pkg-config.
#
#     sh tests/c/install.sh
#
# It needs cargo-c (cargo install cargo-c), a C compiler and pkg-config.
set -eu
cd "$(dirname "$0")/../.."
for tool in cargo cc pkg-config objdump; do
    command -v "$tool" >/dev/null || { echo "install.sh: $tool is not installed" >&2; exit 1; }
done
cargo cinstall --version >/dev/null 2>&1 ||
    { echo "install.sh: cargo-c is not installed: cargo install cargo-c" >&2; exit 1; }

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
cargo cinstall --release --package mend-inpaint --destdir "$scratch/root" \
    --prefix /usr --libdir /usr/lib

export PKG_CONFIG_SYSROOT_DIR="$scratch/root"
export PKG_CONFIG_PATH="$scratch/root/usr/lib/pkgconfig"
lib="$scratch/root/usr/lib"
cmp include/mend.h "$scratch/root/usr/include/mend.h"
abi=$(sed -n 's/^#define MEND_ABI_VERSION \([0-9]*\)$/\1/p' include/mend.h)
objdump -p "$lib/libmend.so" | grep -q "SONAME *libmend.so.$abi\$"
test -e "$lib/libmend.so.$abi"

printf 'P6\n32 32\n255\n' >"$scratch/picture.ppm"
awk 'BEGIN { for (i = 0; i < 32 * 32; i++) printf "abc" }' >>"$scratch/picture.ppm"
printf 'P5\n32 32\n255\n' >"$scratch/mask.pgm"
awk 'BEGIN { for (i = 0; i < 32 * 32; i++) printf (i == 500 ? "z" : "%c", 0) }' >>"$scratch/mask.pgm"

# shellcheck disable=SC2046 # The flags are words.
cc -std=c11 -Wall -Wextra -Werror -pedantic examples/fill.c -o "$scratch/shared" \
    $(pkg-config --cflags --libs mend)
LD_LIBRARY_PATH="$lib" "$scratch/shared" "$scratch/picture.ppm" "$scratch/mask.pgm" "$scratch/a.ppm"

# shellcheck disable=SC2046
cc -std=c11 -Wall -Wextra -Werror -pedantic examples/fill.c -o "$scratch/static" \
    $(pkg-config --cflags mend) "$lib/libmend.a" \
    $(pkg-config --libs-only-l --static mend | sed 's/-lmend//')
"$scratch/static" "$scratch/picture.ppm" "$scratch/mask.pgm" "$scratch/b.ppm"
cmp "$scratch/a.ppm" "$scratch/b.ppm"
echo "install.sh: installed, found, linked both ways, filled"
