#!/usr/bin/env bash
# Fills the photos of examples/photos and makes the pages' pictures of them: before, mask, after.
#
# usage: benches/removal.sh [OUT]          OUT is docs/images unless given
#        benches/removal.sh OUT IMAGES     other photos, NAME.png or .jpg beside NAME.mask.png
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

out=${1:-docs/images}
images=${2:-examples/photos}
target=${CARGO_TARGET_DIR:-target}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

cargo build --release --quiet --bin mend --example side_by_side
mkdir -p "$out"
for mask in "$images"/*.mask.png; do
    name=$(basename "$mask" .mask.png)
    image=$images/$name.png
    [[ -f $image ]] || image=$images/$name.jpg
    echo "mend fill $image --mask $mask -o filled.png"
    "$target/release/mend" fill "$image" --mask "$mask" -o "$work/filled.png"
    "$target/release/examples/side_by_side" "$image" "$mask" "$work/filled.png" "$out/$name.jpg"
done
