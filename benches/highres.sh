#!/usr/bin/env bash
# Seconds and peak memory of whole processes on large photos; G'MIC beside it where `gmic` is
# installed (once each: it takes minutes).
#
# usage: benches/highres.sh FOLDER [NAME]...      RUNS=5 benches/highres.sh FOLDER
#
# FOLDER holds NAME.jpg (or .png) with NAME.mask.png; all of them are run unless some are named.
set -euo pipefail
[[ $# -ge 1 ]] || { sed -n '2,/^set/{/^set/!p}' "$0" >&2; exit 2; }
folder=$(realpath "$1")
shift
cd "$(dirname "${BASH_SOURCE[0]}")/.."
names=("$@")
if [[ ${#names[@]} -eq 0 ]]; then
    for mask in "$folder"/*.mask.png; do
        names+=("$(basename "$mask" .mask.png)")
    done
fi

cargo build --release --quiet --bin mend
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
for name in "${names[@]}"; do
    image=$folder/$name.jpg
    [[ -f $image ]] || image=$folder/$name.png
    mask=$folder/$name.mask.png
    echo "$name: $(target/release/mend plan "$image" --mask "$mask" | sed -n 's/^picture *//p')"
    python3 benches/measure.py --runs "${RUNS:-3}" --label "  mend" \
        target/release/mend fill "$image" --mask "$mask" -o "$work/out.png"
    if command -v gmic >/dev/null; then
        python3 benches/measure.py --runs 1 --label "  gmic inpaint_matchpatch" \
            gmic "$image" "$mask" inpaint_matchpatch[0] '[1]' 'keep[0]' -o "$work/out.png"
    fi
done
